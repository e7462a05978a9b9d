//! Events: as they happen, and from where a listener left off.

use axum::body::BodyDataStream;
use cccd_engine::CallerId;
use cccd_patience::soon;
use futures_util::StreamExt;
use http::{Method, StatusCode};
use serde_json::{Value, json as value};

use crate::desk::{Desk, NOTARY, empty, from, from_clinic, json};

/// One server-sent event.
#[derive(Debug, PartialEq)]
struct Heard {
    id: Option<u64>,
    name: String,
    data: Value,
}

/// Reads a stream event by event.
struct Listener {
    chunks: BodyDataStream,
    text: String,
}

impl Listener {
    async fn start(desk: &Desk, token: &str, last: Option<u64>) -> Self {
        let request = from(token, Method::GET, "/v1/events");
        let request = last.into_iter().fold(request, |request, last| request.header("last-event-id", last));
        let (status, chunks) = desk.stream(empty(request)).await;
        assert_eq!(status, StatusCode::OK);
        Self { chunks, text: String::new() }
    }

    async fn next(&mut self) -> Heard {
        loop {
            let Some((block, rest)) = self.text.split_once("\n\n") else {
                let chunk = soon("the next piece of the stream", self.chunks.next()).await.unwrap().unwrap();
                self.text.push_str(std::str::from_utf8(&chunk).unwrap());
                continue;
            };
            let (block, rest) = (block.to_owned(), rest.to_owned());
            self.text = rest;
            let field = |name: &str| {
                block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim_start))
            };
            if let Some(name) = field("event") {
                let data: Value = serde_json::from_str(field("data").unwrap()).unwrap();
                assert_eq!(data["type"], name);
                let id = field("id").map(|id| id.parse().unwrap());
                assert_eq!(data.get("id").and_then(Value::as_str), field("id"));
                return Heard { id, name: name.to_owned(), data };
            }
            assert!(field("retry").is_some() || block.starts_with(':'), "{block}");
        }
    }

    async fn names(&mut self, count: usize) -> Vec<String> {
        let mut names = Vec::new();
        for _ in 0..count {
            names.push(self.next().await.name);
        }
        names
    }
}

fn ask() -> http::Request<axum::body::Body> {
    json(from_clinic(Method::POST, "/v1/reads"), &value!({ "access": { "can": "000000" } }))
}

#[tokio::test]
async fn a_reading_is_heard_from_its_card_to_its_end() {
    let desk = Desk::simulated();
    let mut listener = Listener::start(&desk, crate::desk::CLINIC, None).await;
    let reader = desk.plug_in("Lane 0").await;
    let read = desk.send(ask()).await.json()["read_id"].clone();
    desk.lay_card(&reader).await;
    assert_eq!(listener.names(3).await, ["reader.attached", "read.queued", "card.inserted"]);
    let (mut percent, mut last) = (0, 0);
    loop {
        let heard = listener.next().await;
        let id = heard.id.unwrap();
        assert!(id > last);
        last = id;
        assert_eq!(heard.data["data"]["read_id"], read);
        assert_eq!(heard.data["subject"], read);
        match heard.name.as_str() {
            "read.progress" => {
                let now = heard.data["data"]["percent"].as_u64().unwrap();
                assert!(now >= percent);
                percent = now;
            }
            "read.failed" => {
                assert_eq!(heard.data["data"]["code"], "access-key-wrong");
                break;
            }
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_listener_hears_its_own_readings_only() {
    let desk = Desk::simulated();
    let mut other = Listener::start(&desk, NOTARY, None).await;
    desk.plug_in("Lane 0").await;
    let read = desk.send(ask()).await.json()["read_id"].as_str().unwrap().to_owned();
    desk.send(empty(from_clinic(Method::DELETE, &format!("/v1/reads/{read}")))).await;
    desk.plug_in("Lane 1").await;
    let heard = [other.next().await, other.next().await];
    assert_eq!(heard.each_ref().map(|heard| heard.name.as_str()), ["reader.attached"; 2]);
    assert_eq!(heard[1].data["data"], value!({ "reader_id": "lane-1", "name": "Lane 1" }));
}

#[tokio::test]
async fn who_comes_back_hears_what_was_missed_and_nothing_twice() {
    let desk = Desk::simulated();
    let mut first = Listener::start(&desk, NOTARY, None).await;
    desk.plug_in("Lane 0").await;
    let last = first.next().await.id.unwrap();
    drop(first);
    // One of another caller in between: its number is missing, and that is no gap.
    desk.send(ask()).await;
    desk.plug_in("Lane 1").await;
    let mut again = Listener::start(&desk, NOTARY, Some(last)).await;
    desk.plug_in("Lane 2").await;
    for (id, reader) in [(last + 2, "lane-1"), (last + 3, "lane-2")] {
        let heard = again.next().await;
        assert_eq!((heard.id, heard.data["data"]["reader_id"].as_str()), (Some(id), Some(reader)));
    }
}

#[tokio::test]
async fn who_comes_back_to_another_run_of_the_program_is_told() {
    let desk = Desk::simulated();
    let mut listener = Listener::start(&desk, NOTARY, Some(5000)).await;
    assert_eq!(
        listener.next().await,
        Heard {
            id: None,
            name: "events.missed".to_owned(),
            data: value!({ "type": "events.missed", "source": "/v1", "data": {} })
        }
    );
    desk.plug_in("Lane 0").await;
    assert_eq!(listener.names(1).await, ["reader.attached"]);
}

#[tokio::test]
async fn a_listener_too_slow_for_the_journal_is_told_and_goes_on_without_a_gap() {
    let desk = Desk::simulated();
    let mut slow = Listener::start(&desk, NOTARY, None).await;
    desk.plug_in("Lane 0").await;
    let before = slow.next().await.id.unwrap();
    let mut quick = desk.engine.handle().subscribe(CallerId::new("test"), None).await.unwrap().coming;
    let mut newest = before;
    for _ in 0..800 {
        let reader = desk.hand.attach("Lane 1", cccd_card::ChannelLimits::SHORT).unwrap();
        desk.hand.detach(&reader).unwrap();
        newest = soon("the reader, there or gone", quick.recv()).await.unwrap().sequence.max(newest);
        newest = soon("the reader, there or gone", quick.recv()).await.unwrap().sequence.max(newest);
    }
    assert_eq!(slow.next().await.name, "events.missed");
    let mut last = slow.next().await.id.unwrap();
    assert!(last > before + 1);
    while last < newest {
        let heard = slow.next().await.id.unwrap();
        assert_eq!(heard, last + 1);
        last = heard;
    }
}

#[tokio::test]
async fn scans_are_heard_of_and_say_nothing_of_anybody() {
    let desk = Desk::bare();
    // Who may not have scans hears of them all the same, as of cards.
    let mut listener = Listener::start(&desk, crate::desk::KIOSK, None).await;
    let scanner = desk.scanner.attach("Desk 1");
    desk.scanner.show(&scanner, crate::desk::card().qr_text().unwrap().as_bytes());
    desk.scanner.show(&scanner, b" \r\n");
    desk.scanner.show(&scanner, &[b'1'; 8193]);
    desk.scanner.garble(&scanner);
    desk.scanner.detach(&scanner);
    let attached = listener.next().await;
    assert_eq!(attached.name, "scanner.attached");
    assert_eq!(attached.data["data"], value!({ "scanner_id": "desk-1", "name": "Desk 1" }));
    let received = listener.next().await;
    let scan = received.data["subject"].clone();
    assert_eq!(received.name, "scan.received");
    assert_eq!(received.data["data"], value!({ "scan_id": scan, "scanner_id": "desk-1", "kind": "citizen" }));
    // Nothing, what no code can hold, and what the scanner itself says is none.
    assert_eq!(listener.names(4).await, ["scan.garbled", "scan.garbled", "scan.garbled", "scanner.detached"]);
}

#[tokio::test]
async fn what_is_no_event_id_is_refused() {
    let desk = Desk::bare();
    for wrong in ["x", "-1", "+1", "1.0", "18446744073709551616"] {
        let request = from_clinic(Method::GET, "/v1/events").header("last-event-id", wrong);
        assert_eq!(desk.send(empty(request)).await.problem(), (400, "parameter-invalid".to_owned()));
    }
}
