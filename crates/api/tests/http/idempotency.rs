//! `Idempotency-Key`: the same request sent again.

use std::path::Path;
use std::sync::Arc;

use axum::body::Body;
use cccd_engine::EventKind;
use cccd_store::{Scribe, Store};
use http::{Method, Request, StatusCode};
use serde_json::{Value, json as value};
use time::OffsetDateTime;
use tower::ServiceExt;

use crate::desk::{Answer, CLINIC, Desk, NOTARY, card, empty, from, from_clinic, json};

const NOW: OffsetDateTime = time::macros::datetime!(2026-11-20 08:00 UTC);

/// A scribe over a store in memory, or over the one in a folder.
pub(crate) fn scribe(folder: Option<&Path>) -> Scribe {
    let store = match folder {
        None => Store::in_memory(NOW),
        Some(folder) => Store::open(folder, NOW),
    };
    Scribe::start(store.unwrap(), Arc::new(|| NOW)).unwrap()
}

fn body() -> Value {
    value!({ "access": { "can": card().can().unwrap() } })
}

fn request(token: &str, key: &str, body: &Value) -> Request<Body> {
    json(from(token, Method::POST, "/v1/reads").header("idempotency-key", key), body)
}

async fn post(desk: &Desk, token: &str, key: &str, body: &Value) -> Answer {
    desk.send(request(token, key, body)).await
}

fn read_id(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    answer.json()["read_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_same_key_and_body_are_the_same_reading() {
    let desk = Desk::simulated().keeping(scribe(None));
    let reader = desk.plug_in("Lane 0").await;
    let first = post(&desk, CLINIC, "key 1", &body()).await;
    let again = post(&desk, CLINIC, "key 1", &body()).await;
    assert_eq!(read_id(&first), read_id(&again));
    assert_eq!(first.header("location"), again.header("location"));

    // Another body, another caller, another key.
    let other = value!({ "access": { "can": card().can().unwrap() }, "wait_for_card_s": 5 });
    assert_eq!(
        post(&desk, CLINIC, "key 1", &other).await.problem(),
        (422, "idempotency-key-reused".to_owned())
    );
    assert_ne!(read_id(&post(&desk, NOTARY, "key 1", &body()).await), read_id(&first));
    assert_ne!(read_id(&post(&desk, CLINIC, "key 2", &body()).await), read_id(&first));

    // Whoever waits for it this time has its outcome, as often as they ask.
    desk.lay_card(&reader).await;
    for _ in 0..2 {
        let mut waiting = request(CLINIC, "key 1", &body());
        waiting.headers_mut().insert("prefer", "wait=60".parse().unwrap());
        let answer = desk.send(waiting).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        assert_eq!(answer.json()["read_id"], read_id(&first));
        assert_eq!(answer.header("location"), first.header("location"));
    }
}

#[tokio::test]
async fn a_key_of_an_earlier_run_is_spent() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("store");
    let kept = scribe(Some(&folder));
    let desk = Desk::simulated().keeping(kept.clone());
    desk.plug_in("Lane 0").await;
    read_id(&post(&desk, CLINIC, "key", &body()).await);
    drop(desk);
    kept.close();

    let desk = Desk::simulated().keeping(scribe(Some(&folder)));
    desk.plug_in("Lane 0").await;
    let spent = post(&desk, CLINIC, "key", &body()).await;
    assert_eq!(spent.problem(), (410, "idempotency-key-spent".to_owned()));
    let other = value!({ "access": { "can": card().can().unwrap() }, "wait_for_card_s": 5 });
    assert_eq!(post(&desk, CLINIC, "key", &other).await.problem().1, "idempotency-key-reused");
    read_id(&post(&desk, CLINIC, "another key", &body()).await);
}

#[tokio::test]
async fn a_refused_request_leaves_its_key_unused() {
    let desk = Desk::simulated().keeping(scribe(None));
    assert_eq!(post(&desk, CLINIC, "key", &body()).await.problem().1, "no-reader");
    desk.plug_in("Lane 0").await;
    let accepted = read_id(&post(&desk, CLINIC, "key", &body()).await);
    assert_eq!(read_id(&post(&desk, CLINIC, "key", &body()).await), accepted);
}

#[tokio::test]
async fn of_many_at_once_one_is_read() {
    let desk = Desk::simulated().keeping(scribe(None));
    desk.plug_in("Lane 0").await;
    let asked: Vec<_> =
        (0..12).map(|_| tokio::spawn(desk.router().oneshot(request(CLINIC, "key", &body())))).collect();
    for answer in asked {
        let answer = cccd_patience::soon("one of the twelve answers", answer).await;
        let status = answer.unwrap().unwrap().status();
        assert!([StatusCode::ACCEPTED, StatusCode::CONFLICT].contains(&status), "{status}");
    }
    let first = read_id(&post(&desk, CLINIC, "key", &body()).await);
    // It is the only one: no other is before a further one in the queue but it.
    let next = post(&desk, CLINIC, "key 2", &body()).await;
    assert_ne!(read_id(&next), first);
    assert_eq!(next.json()["ahead"], 1);
}

#[tokio::test]
async fn whoever_hangs_up_finds_the_reading_again_by_its_key() {
    let desk = Desk::simulated().keeping(scribe(None));
    let reader = desk.plug_in("Lane 0").await;
    let mut waiting = request(CLINIC, "key", &body());
    waiting.headers_mut().insert("prefer", "wait=60".parse().unwrap());
    let clinic = cccd_engine::CallerId::new("clinic");
    let mut events = desk.engine.handle().subscribe(clinic, None).await.unwrap();
    let hung_up = tokio::spawn(desk.router().oneshot(waiting));
    // It was accepted; until the key is known to stand for it.
    let is_queued = |kind: &EventKind| matches!(kind, EventKind::ReadQueued { .. });
    while !is_queued(&cccd_patience::soon("the reading", events.coming.recv()).await.unwrap().kind) {}
    let accepted = async {
        loop {
            let answer = post(&desk, CLINIC, "key", &body()).await;
            if answer.status == StatusCode::ACCEPTED {
                break read_id(&answer);
            }
            tokio::task::yield_now().await;
        }
    };
    let read = cccd_patience::soon("the reading by its key", accepted).await;
    hung_up.abort();
    assert!(hung_up.await.is_err_and(|ended| ended.is_cancelled()));
    desk.lay_card(&reader).await;
    let mut again = request(CLINIC, "key", &body());
    again.headers_mut().insert("prefer", "wait=60".parse().unwrap());
    let answer = desk.send(again).await;
    assert_eq!((answer.status, &answer.json()["read_id"]), (StatusCode::OK, &value!(read)));
}

#[tokio::test]
async fn what_is_no_key_is_refused() {
    let desk = Desk::simulated().keeping(scribe(None));
    desk.plug_in("Lane 0").await;
    let longest = "x".repeat(255);
    for (keys, good) in [
        (vec![&b""[..]], false),
        (vec![&[b'x'; 256][..]], false),
        (vec![&[0xC3, 0xA9][..]], false),
        (vec![&b"a\tb"[..]], false),
        (vec![&b"a"[..], &b"b"[..]], false),
        (vec![longest.as_bytes()], true),
        (vec![&b"\"8e03978e-40d5-43e8-bc93-6894a57f9324\""[..]], true),
    ] {
        let mut builder = from_clinic(Method::POST, "/v1/reads");
        for key in &keys {
            builder = builder.header("idempotency-key", *key);
        }
        let answer = desk.send(json(builder, &body())).await;
        if good {
            read_id(&answer);
        } else {
            assert_eq!(answer.problem().1, "parameter-invalid", "{keys:?}");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_kept_is_not_promised() {
    let desk = Desk::simulated();
    desk.plug_in("Lane 0").await;
    assert_eq!(post(&desk, CLINIC, "key", &body()).await.problem(), (500, "agent-fault".to_owned()));
    let without = desk.send(json(from_clinic(Method::POST, "/v1/reads"), &body())).await;
    let read = read_id(&without);
    assert_eq!(
        desk.send(empty(from_clinic(Method::GET, &format!("/v1/reads/{read}")))).await.status,
        StatusCode::OK
    );
}
