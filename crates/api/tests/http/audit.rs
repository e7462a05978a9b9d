//! What the audit chain says of requests, and the trace each belongs to.

use std::sync::Arc;

use cccd_api::{Access, AgentFacts, Api, Deliveries, NotKept, OnTheWay};
use cccd_engine::{Engine, EngineOptions, EventKind};
use cccd_store::{Entry, EntryKind, Scribe};
use http::{Method, Request, StatusCode};
use serde_json::{Value, json as value};
use time::macros::datetime;
use tower::ServiceExt as _;

use crate::desk::{CLINIC, CLINIC_ORIGIN, Desk, KIOSK, NOTARY, card, empty, from, from_nobody, json};
use crate::idempotency::scribe;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn entries(scribe: &Scribe) -> Vec<Entry> {
    scribe.settle();
    assert_eq!(scribe.store().audit().verify().unwrap().fault, None);
    scribe.store().audit().after(0, 10_000).unwrap().into_iter().map(|recorded| recorded.entry).collect()
}

#[tokio::test]
async fn whoever_is_refused_is_entered_with_what_is_known_of_them() {
    let scribe = scribe(None);
    let desk = Desk::bare().keeping(scribe.clone());
    let list = |token| from(token, Method::GET, "/v1/readers").header("traceparent", TRACEPARENT);
    assert_eq!(desk.send(empty(list("wrong"))).await.problem().0, 401);
    assert_eq!(desk.send(empty(from_nobody(Method::GET, "/v1/readers"))).await.problem().0, 401);
    let foreign = list(CLINIC).header("origin", "https://evil.example");
    assert_eq!(desk.send(empty(foreign)).await.problem().0, 403);
    let mut other_host = empty(list(CLINIC));
    other_host.headers_mut().insert("host", "evil.example:9303".parse().unwrap());
    assert_eq!(desk.send(other_host).await.problem().0, 421);
    // One who is known, and asks for what it may not have.
    let read = from(KIOSK, Method::POST, "/v1/reads").header("origin", CLINIC_ORIGIN);
    let body = value!({ "access": { "can": card().can().unwrap() }, "biometrics": ["fingerprints"] });
    assert_eq!(desk.send(json(read, &body)).await.problem(), (403, "scope-missing".to_owned()));
    // What is answered, or wrong in another way, is no refusal of a caller.
    assert_eq!(desk.send(empty(list(CLINIC))).await.status, StatusCode::OK);
    assert_eq!(desk.send(empty(from(CLINIC, Method::GET, "/v1/nothing"))).await.problem().0, 404);

    let entries = entries(&scribe);
    let told: Vec<_> = entries
        .iter()
        .map(|entry| {
            assert_eq!(entry.kind, EntryKind::CallerRefused);
            (entry.outcome.as_deref().unwrap(), entry.caller.as_deref(), entry.origin.as_deref())
        })
        .collect();
    assert_eq!(
        told,
        [
            ("token-wrong", None, None),
            ("token-missing", None, None),
            ("origin-not-allowed", None, Some("https://evil.example")),
            ("host-not-allowed", None, None),
            ("scope-missing", Some("kiosk"), Some(CLINIC_ORIGIN)),
        ]
    );
    assert_eq!(entries[0].trace_id.as_deref(), Some(TRACE));
    assert_eq!(entries[1].trace_id.as_ref().unwrap().len(), 32);
    assert_eq!(entries[4].caller_kind.as_deref(), Some("page"));
}

#[tokio::test]
async fn a_page_that_never_stops_fills_no_disk() {
    let scribe = scribe(None);
    let desk = Desk::bare().keeping(scribe.clone());
    for _ in 0..400 {
        let request = from("wrong", Method::GET, "/v1/readers").header("origin", "https://evil.example");
        desk.send(empty(request)).await;
    }
    assert_eq!(entries(&scribe).len(), 20);
    scribe.close();
    let last = entries(&scribe).pop().unwrap();
    assert_eq!(last.kind, EntryKind::RefusalsCounted);
    assert_eq!(last.more["origin-not-allowed"], "380");
}

#[tokio::test]
async fn a_scan_that_was_handed_out_is_entered_without_what_it_says() {
    let scribe = scribe(None);
    let desk = Desk::bare().keeping(scribe.clone());
    let text = card().qr_text().unwrap();
    let scanner = desk.scanner.attach("Desk 1");
    let scan = loop {
        if let EventKind::ScanReceived { scan, .. } = desk.show(&scanner, text.as_bytes()).await {
            break scan;
        }
    };
    let fetch = from(NOTARY, Method::GET, &format!("/v1/scans/{scan}"));
    let fetched = desk.send(empty(fetch)).await;
    assert_eq!(fetched.status, StatusCode::OK);
    let entries = entries(&scribe);
    let [entry] = &entries[..] else { panic!("{entries:?}") };
    assert_eq!((entry.kind, entry.caller.as_deref()), (EntryKind::ScanHandedOut, Some("notary")));
    assert_eq!(entry.reader_id.as_deref(), Some("desk-1"));
    let number = fetched.json()["citizen"]["number"].clone();
    let number = number["value"].as_str().or(number.as_str()).unwrap().to_owned();
    assert_eq!(entry.number_hash, Some(scribe.store().number_hash(&number)));
    let text = scribe.store().audit().after(0, 10).unwrap()[0].text.clone();
    assert!(!text.contains(&number) && text.contains(&scan.to_string()), "{text}");
}

#[tokio::test]
async fn every_answer_names_its_trace_and_a_problem_too() {
    let desk = Desk::bare();
    for (path, host) in
        [("/healthz", true), ("/v1/readers", true), ("/v1/nothing", true), ("/healthz", false)]
    {
        let mut request = empty(from(CLINIC, Method::GET, path).header("traceparent", TRACEPARENT));
        if !host {
            request.headers_mut().insert("host", "evil.example".parse().unwrap());
        }
        let answer = desk.send(request).await;
        let response = answer.header("traceresponse");
        assert!(
            response.starts_with(&format!("00-{TRACE}-")) && response.ends_with("-01"),
            "{path} {response}"
        );
        if !answer.status.is_success() {
            assert_eq!(answer.json()["trace_id"], TRACE, "{path}");
        }
    }
    // One that is none begins another, and says which.
    let request = from("wrong", Method::GET, "/v1/readers").header("traceparent", "00-xyz");
    let answer = desk.send(empty(request)).await;
    let own = answer.header("traceresponse").split('-').nth(1).unwrap().to_owned();
    assert_eq!(answer.json()["trace_id"], own);
    assert_ne!(own, TRACE);
}

/// Some results have not arrived yet.
struct Behind;

impl Deliveries for Behind {
    fn has(&self, _: &str) -> bool {
        false
    }

    fn put(&self, _: &str, _: &str, _: &[u8]) -> Result<(), NotKept> {
        Err(NotKept)
    }

    fn on_the_way(&self) -> Option<OnTheWay> {
        Some(OnTheWay { waiting: 2, dead: 1, oldest_waiting: Some(datetime!(2026-11-29 07:30 UTC)) })
    }
}

#[tokio::test]
async fn an_administrator_hears_how_the_chain_is_and_what_has_not_arrived() {
    async fn status(api: &Api) -> Value {
        let answer = api.admin_router().oneshot(empty(Request::get("/status"))).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let body = axum::body::to_bytes(answer.into_body(), 1 << 16).await.unwrap();
        serde_json::from_slice(&body).unwrap()
    }
    let engine = Engine::start(Vec::new(), Vec::new(), EngineOptions::default());
    let facts = AgentFacts { version: "1.2.3".to_owned(), features: vec![] };
    let bare = Api::new(engine.handle(), Access::default(), facts);
    let told = status(&bare).await;
    assert_eq!((&told["outbox"], &told["audit"]), (&Value::Null, &Value::Null));

    let scribe = scribe(None);
    scribe.enter(Entry::new(EntryKind::AgentStarted));
    scribe.settle();
    let told = status(&bare.keeping(scribe).delivering(Arc::new(Behind))).await;
    let outbox = value!({ "waiting": 2, "dead": 1, "oldest_waiting_at": "2026-11-29T07:30:00Z" });
    assert_eq!(told["outbox"], outbox);
    // In memory, as a desk whose disk cannot be written has it.
    assert_eq!(told["audit"], value!({ "is_durable": false, "entries": 1, "moved_aside": [] }));
}
