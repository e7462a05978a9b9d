//! Leases, expectations and what is known before a reading is over, through HTTP.

use http::{Method, StatusCode};
use serde_json::{Value, json as value};

use crate::desk::{Answer, Desk, NOTARY, card, empty, from, from_clinic, json};

async fn lease(desk: &Desk, token: &str, reader: &str, body: Value) -> Answer {
    desk.send(json(from(token, Method::POST, &format!("/v1/readers/{reader}/lease")), &body)).await
}

async fn read(desk: &Desk, more: Value) -> Answer {
    let mut body = value!({ "access": { "can": card().can().unwrap() } });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    desk.send(json(from_clinic(Method::POST, "/v1/reads").header("prefer", "wait=60"), &body)).await
}

#[tokio::test]
async fn a_leased_reader_is_named_with_its_holder_to_everyone_else() {
    let desk = Desk::simulated();
    let reader = desk.plug_in("Lane 0").await;
    desk.lay_card(&reader).await;
    let taken = lease(&desk, NOTARY, "lane-0", value!({ "seconds": 60 })).await;
    assert_eq!(taken.status, StatusCode::OK);
    assert_eq!(taken.json()["reader_id"], "lane-0");
    assert!((50_000..=60_000).contains(&taken.json()["remaining_ms"].as_u64().unwrap()));

    let refused = read(&desk, value!({})).await;
    assert_eq!(refused.problem(), (423, "reader-busy".to_owned()));
    assert_eq!((refused.header("retry-after"), &refused.json()["held_by"]), ("2", &value!("notary")));
    let other = lease(&desk, crate::desk::CLINIC, "lane-0", value!({})).await;
    assert_eq!((other.problem().0, &other.json()["held_by"]), (423, &value!("notary")));
    let readers = desk.send(empty(from_clinic(Method::GET, "/v1/readers"))).await.json();
    let shown = &readers["readers"][0];
    assert_eq!((&shown["held_by"], &shown["state"]), (&value!("notary"), &value!("idle")));

    for expected in [StatusCode::NO_CONTENT, StatusCode::NO_CONTENT] {
        let given_back = desk.send(empty(from(NOTARY, Method::DELETE, "/v1/readers/lane-0/lease"))).await;
        assert_eq!(given_back.status, expected);
    }
    assert_eq!(read(&desk, value!({})).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_lease_has_a_length_and_a_reader() {
    let desk = Desk::simulated();
    desk.plug_in("Lane 0").await;
    for (reader, body, problem) in [
        ("lane-1", value!({}), (404, "reader-not-found")),
        ("Lane%200", value!({}), (404, "reader-not-found")),
        ("lane-0", value!({ "seconds": 4 }), (422, "body-invalid")),
        ("lane-0", value!({ "seconds": 121 }), (422, "body-invalid")),
        ("lane-0", value!({ "seconds": null }), (422, "body-invalid")),
        ("lane-0", value!({ "forever": true }), (422, "body-invalid")),
    ] {
        let answer = lease(&desk, NOTARY, reader, body.clone()).await;
        let (status, code) = answer.problem();
        assert_eq!(code, problem.1, "{reader} {body}");
        assert!(status == problem.0 || code == "body-invalid", "{status}");
    }
    let nowhere = desk.send(empty(from_clinic(Method::DELETE, "/v1/readers/lane-1/lease"))).await;
    assert_eq!(nowhere.problem(), (404, "reader-not-found".to_owned()));
}

#[tokio::test]
async fn what_is_expected_is_compared() {
    let desk = Desk::simulated();
    let reader = desk.plug_in("Lane 0").await;
    desk.lay_card(&reader).await;
    let expect = value!({ "number": "000090123456", "name": "Tran Thi Khac", "birth": "1990" });
    let result = read(&desk, value!({ "expect": expect })).await;
    assert_eq!(
        result.json()["expected"],
        value!({ "number": "match", "name": "mismatch", "birth": "partial" })
    );
    assert_eq!(read(&desk, value!({})).await.json()["expected"], Value::Null);
    for wrong in [value!({}), value!({ "number_hmac": "11".repeat(32) }), value!({ "number": 1 })] {
        let answer = read(&desk, value!({ "expect": wrong })).await;
        assert_eq!(answer.problem().1, "body-invalid");
        assert!(!String::from_utf8_lossy(&answer.body).contains("1111"));
    }
}

#[tokio::test]
async fn what_was_known_before_the_portrait_stays_until_the_result_is_wiped() {
    let desk = Desk::simulated();
    let reader = desk.plug_in("Lane 0").await;
    let waiting = value!({ "access": { "can": card().can().unwrap() }, "reader": "lane-0" });
    let accepted = desk.send(json(from_clinic(Method::POST, "/v1/reads"), &waiting)).await;
    let address = accepted.header("location").to_owned();
    let partial = format!("{address}/partial");
    let early = desk.send(empty(from_clinic(Method::GET, &partial))).await;
    assert_eq!(early.problem().1, "read-not-over");
    assert_eq!(accepted.json()["ahead"], 0);

    let mut events =
        desk.engine.handle().subscribe(cccd_engine::CallerId::new("clinic"), None).await.unwrap();
    desk.lay_card(&reader).await;
    let mut told_early = false;
    loop {
        match cccd_patience::soon("the end of the reading", events.coming.recv()).await.unwrap().kind {
            cccd_engine::EventKind::ReadPartial { .. } => told_early = true,
            cccd_engine::EventKind::ReadCompleted { .. } => break,
            _ => {}
        }
    }
    assert!(told_early);
    let known = desk.send(empty(from_clinic(Method::GET, &partial))).await;
    known.assert_guarded();
    let known = known.json();
    assert_eq!(known["record"]["number"]["value"], "000090123456");
    // Nothing was judged when it was told.
    assert_eq!(known["record"]["number"]["verified"], false);
    assert!(known.get("verdict").is_none() && known.get("portrait").is_none());

    let stranger = desk.send(empty(from(NOTARY, Method::GET, &partial))).await;
    assert_eq!(stranger.problem(), (404, "read-not-found".to_owned()));
    desk.send(empty(from_clinic(Method::DELETE, &address))).await;
    let wiped = desk.send(empty(from_clinic(Method::GET, &partial))).await;
    assert_eq!(wiped.problem().1, "read-expired");
}
