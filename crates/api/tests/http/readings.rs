//! Readings through HTTP, with a simulated card.

use cccd_engine::{CallerId, EventKind, ReadFailure};
use http::{Method, StatusCode};
use serde_json::{Value, json as value};
use tower::ServiceExt;

use crate::desk::{Answer, Desk, NOTARY, card, empty, from, from_clinic, json};

fn ask(body: &Value, prefer: Option<&str>) -> http::Request<axum::body::Body> {
    let request = from_clinic(Method::POST, "/v1/reads");
    json(prefer.into_iter().fold(request, |request, prefer| request.header("prefer", prefer)), body)
}

fn can() -> Value {
    value!({ "access": { "can": card().can().unwrap() } })
}

async fn get(desk: &Desk, path: &str) -> Answer {
    desk.send(empty(from_clinic(Method::GET, path))).await
}

#[tokio::test]
async fn without_a_reader_there_is_no_reading() {
    let desk = Desk::bare();
    for prefer in [None, Some("wait=20")] {
        let answer = desk.send(ask(&can(), prefer)).await;
        assert_eq!(answer.problem(), (409, "no-reader".to_owned()));
        assert!(!answer.headers.contains_key("location"));
    }
    assert_eq!(get(&desk, "/v1/readers").await.json(), value!({ "readers": [] }));
}

#[tokio::test]
async fn a_reader_goes_by_its_id_and_by_nothing_else() {
    let desk = Desk::simulated();
    desk.plug_in("Lane 0").await;
    for name in ["lane-1", "Lane 0", "LANE-0", "lane-0-", " "] {
        let body = value!({ "reader": name, "access": { "can": "090123" } });
        let answer = desk.send(ask(&body, None)).await;
        assert_eq!(answer.problem(), (404, "reader-not-found".to_owned()), "{name}");
    }
    let body = value!({ "reader": "lane-0", "access": { "can": "090123" } });
    assert_eq!(desk.send(ask(&body, None)).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn one_call_brings_the_whole_result() {
    let desk = Desk::simulated();
    let reader = desk.plug_in("Lane 0").await;
    desk.lay_card(&reader).await;
    let answer = desk.send(ask(&can(), Some("wait=60"))).await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.json()["code"]);
    answer.assert_guarded();
    assert_eq!(answer.header("preference-applied"), "wait=60");
    let location = answer.header("location").to_owned();
    assert_eq!(answer.header("content-location"), format!("{location}/result"));

    let result = answer.json();
    let card = card();
    let citizen = card.citizen().unwrap();
    assert_eq!(location, format!("/v1/reads/{}", result["read_id"].as_str().unwrap()));
    assert_eq!(result["reader_id"], "lane-0");
    let name = &result["record"]["name"];
    assert_eq!((&name["value"], &name["source"]), (&value!(citizen.name), &value!("EF.DG13")));
    for (field, content) in result["record"].as_object().unwrap() {
        assert!(content.is_null() || field == "notes" || content["verified"] == false, "{field}");
    }
    let birth = &result["record"]["birth"];
    assert!(birth["iso"].as_str().unwrap().len() == 10 && birth["printed"].as_str().unwrap().contains('/'));
    assert_eq!(result["verdict"]["state"], "unconfirmed");
    assert_eq!(
        (&result["access"]["protocol"], &result["access"]["password"]),
        (&value!("pace"), &value!("can"))
    );
    assert_eq!(result["access"]["downgrade"], Value::Null);
    let files = result["files"].as_array().unwrap();
    let file = |name: &str| files.iter().find(|file| file["file"] == name).unwrap();
    for name in ["EF.SOD", "EF.DG1", "EF.DG2", "EF.DG13"] {
        assert_eq!(file(name)["outcome"], "read", "{name}");
        assert!(file(name)["bytes"].as_u64().unwrap() > 90, "{name}");
    }
    let hashes = result["hashes"].as_array().unwrap();
    for group in ["EF.DG1", "EF.DG2", "EF.DG13"] {
        let hash = hashes.iter().find(|hash| hash["file"] == group).unwrap();
        assert_eq!(hash["state"], "match", "{group}");
    }
    let effort = &result["effort"];
    assert!(effort["commands"].as_u64().unwrap() > 12);
    assert!(effort["bytes_received"].as_u64().unwrap() > file("EF.DG2")["bytes"].as_u64().unwrap());

    // It stays for another fetch.
    assert_eq!(get(&desk, &format!("{location}/result")).await.json(), result);
    let read = get(&desk, &location).await.json();
    assert_eq!((&read["state"], &read["percent"]), (&value!("completed"), &value!(100)));
    assert_eq!(read["result"], format!("{location}/result"));
}

#[tokio::test]
async fn the_portrait_is_a_picture_a_browser_shows() {
    let desk = Desk::simulated();
    let reader = desk.plug_in("Lane 0").await;
    desk.lay_card(&reader).await;
    let result = desk.send(ask(&can(), Some("wait=60"))).await.json();
    let portrait = &result["portrait"];
    let href = portrait["href"].as_str().unwrap();
    let shown = get(&desk, href).await;
    assert_eq!(shown.status, StatusCode::OK);
    shown.assert_guarded();
    let on_chip = portrait["media_type"].as_str().unwrap();
    let expected = if on_chip == "image/jpeg" { "image/jpeg" } else { "image/png" };
    assert_eq!(shown.header("content-type"), expected);
    let original = empty(from_clinic(Method::GET, href).header("accept", "image/jp2"));
    let original = desk.send(original).await;
    assert_eq!(original.header("content-type"), on_chip);
    assert_eq!(original.body.as_ref(), card().portrait().bytes());

    let without = value!({ "access": { "can": card().can().unwrap() }, "portrait": false });
    let result = desk.send(ask(&without, Some("wait=60"))).await.json();
    assert_eq!(result["portrait"], Value::Null);
    let path = format!("/v1/reads/{}/portrait", result["read_id"].as_str().unwrap());
    assert_eq!(get(&desk, &path).await.problem(), (404, "portrait-absent".to_owned()));
}

#[tokio::test]
async fn every_kind_of_key_opens_the_card() {
    let desk = Desk::simulated();
    let reader = desk.plug_in("Lane 0").await;
    desk.lay_card(&reader).await;
    let card = card();
    let key = card.mrz_key();
    for access in [
        value!({ "mrz": card.mrz_lines().join("\n") }),
        value!({ "mrz": { "document_number": key.document_number, "birth": key.birth, "expiry": key.expiry } }),
        value!({ "qr": card.qr_text().unwrap() }),
        value!({ "id": card.citizen().unwrap().number }),
    ] {
        let body = value!({ "reader": "lane-0", "access": access, "portrait": false });
        let answer = desk.send(ask(&body, Some("wait=60"))).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.json()["code"]);
    }
}

#[tokio::test]
async fn a_wrong_key_is_a_problem_of_the_reading() {
    let desk = Desk::simulated();
    let reader = desk.plug_in("Lane 0").await;
    desk.lay_card(&reader).await;
    let answer = desk.send(ask(&value!({ "access": { "can": "000000" } }), Some("wait=60"))).await;
    assert_eq!(answer.problem(), (422, "access-key-wrong".to_owned()));
    let read = answer.json()["read_id"].as_str().unwrap().to_owned();
    let again = get(&desk, &format!("/v1/reads/{read}/result")).await;
    assert_eq!(again.problem(), (422, "access-key-wrong".to_owned()));
    let view = get(&desk, &format!("/v1/reads/{read}")).await.json();
    assert_eq!((&view["state"], &view["problem"]["code"]), (&value!("failed"), &value!("access-key-wrong")));
}

#[tokio::test]
async fn a_reading_is_its_owners_alone() {
    let desk = Desk::simulated();
    let reader = desk.plug_in("Lane 0").await;
    desk.lay_card(&reader).await;
    let answer = desk.send(ask(&can(), Some("wait=60"))).await;
    let location = answer.header("location").to_owned();
    for (method, path) in [
        (Method::GET, location.clone()),
        (Method::DELETE, location.clone()),
        (Method::GET, format!("{location}/result")),
        (Method::GET, format!("{location}/portrait")),
    ] {
        let other = desk.send(empty(from(NOTARY, method.clone(), &path))).await;
        assert_eq!(other.problem(), (404, "read-not-found".to_owned()), "{method} {path}");
        assert!(other.json().get("read_id").is_none());
    }
    // The owner still has it, and wipes it.
    assert_eq!(get(&desk, &format!("{location}/result")).await.status, StatusCode::OK);
    let dismissed = desk.send(empty(from_clinic(Method::DELETE, &location))).await;
    assert_eq!(dismissed.json()["state"], "expired");
    for path in [format!("{location}/result"), format!("{location}/portrait")] {
        assert_eq!(get(&desk, &path).await.problem(), (410, "read-expired".to_owned()));
    }
}

#[tokio::test]
async fn a_reading_waits_for_its_card_and_can_be_called_off() {
    let desk = Desk::simulated();
    desk.plug_in("Lane 0").await;
    let accepted = desk.send(ask(&can(), None)).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED);
    assert!(!accepted.headers.contains_key("preference-applied"));
    let location = accepted.header("location").to_owned();
    assert_eq!(accepted.json(), get(&desk, &location).await.json());
    assert_eq!((&accepted.json()["state"], &accepted.json()["percent"]), (&value!("waiting"), &value!(0)));
    let early = get(&desk, &format!("{location}/result")).await;
    assert_eq!(early.problem(), (409, "read-not-over".to_owned()));

    let dismissed = desk.send(empty(from_clinic(Method::DELETE, &location))).await.json();
    assert_eq!(
        (&dismissed["state"], &dismissed["problem"]["code"]),
        (&value!("failed"), &value!("cancelled"))
    );
    let late = get(&desk, &format!("{location}/result")).await;
    assert_eq!(late.problem(), (409, "cancelled".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_passes_answers_with_where_the_reading_stands() {
    let desk = Desk::simulated();
    desk.plug_in("Lane 0").await;
    let answer = desk.send(ask(&can(), Some("respond-async, wait=5"))).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.header("preference-applied"), "wait=5");
    assert_eq!(answer.json()["state"], "waiting");
    // It goes on, and its owner knows its name.
    assert_eq!(get(&desk, answer.header("location")).await.json()["state"], "waiting");
}

#[tokio::test]
async fn a_caller_who_hangs_up_while_waiting_has_called_the_reading_off() {
    let desk = Desk::simulated();
    desk.plug_in("Lane 0").await;
    let mut events = desk.engine.handle().subscribe(CallerId::new("clinic"), None).await.unwrap().coming;
    let call = tokio::spawn(desk.router().oneshot(ask(&can(), Some("wait=60"))));
    let queued = cccd_patience::soon("the reading", events.recv()).await.unwrap().kind;
    let EventKind::ReadQueued { read: queued, .. } = queued else { panic!() };
    call.abort();
    let ended = cccd_patience::soon("the end of the reading", events.recv()).await.unwrap().kind;
    assert_eq!(ended, EventKind::ReadFailed { read: queued, failure: ReadFailure::Cancelled });
}

#[tokio::test]
async fn readers_are_listed_as_they_stand() {
    let desk = Desk::simulated();
    let reader = desk.plug_in("Lane 0").await;
    let readers = get(&desk, "/v1/readers").await.json();
    assert_eq!(
        readers["readers"][0],
        value!({
            "reader_id": "lane-0", "name": "Lane 0", "transport": "in_process", "state": "idle",
            "held_by": null, "card": null, "max_command_bytes": 65544, "max_reply_bytes": 65538,
        })
    );
    desk.lay_card(&reader).await;
    let readers = get(&desk, "/v1/readers").await.json();
    assert_eq!(readers["readers"][0]["card"], value!({ "kind": "unknown" }));
}

#[tokio::test]
async fn each_of_the_biometrics_takes_the_scope_of_its_name() {
    let desk = Desk::simulated();
    let reader = desk.plug_in("Lane 0").await;
    desk.lay_card(&reader).await;
    for wish in [value!(["fingerprints"]), value!(["irises"]), value!(["fingerprints", "fingerprints"])] {
        let body = value!({ "access": { "can": card().can().unwrap() }, "biometrics": wish });
        assert_eq!(desk.send(ask(&body, None)).await.problem(), (403, "scope-missing".to_owned()));
    }
    let answer = desk.send(ask(&can(), Some("wait=60"))).await;
    assert_eq!(answer.json()["biometrics"]["fingerprints"]["state"], "not_asked");
    let read = answer.header("location").to_owned();
    let picture = get(&desk, &format!("{read}/biometrics/fingerprints/1")).await;
    assert_eq!(picture.problem(), (403, "scope-missing".to_owned()));
    let none = get(&desk, &format!("{read}/biometrics/faces/1")).await;
    assert_eq!(none.problem(), (404, "not-found".to_owned()));
}
