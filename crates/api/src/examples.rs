//! One example of every event and every problem, made by the code that makes the real ones. They are committed under
//! `docs/examples`, and stand in the description of the events.

use cccd_card::{ReaderId, ScannerId};
use cccd_document::QrKind;
use cccd_engine::{
    Audience, CallerId, Event, EventKind, LeaseEnd, Occasion, Phase, ReadFailure, ReadId, ScanId,
};
use serde::Serialize;
use time::macros::datetime;

use crate::problems::{PROBLEMS, Problem};
use crate::refusal::Refusal;
use crate::wire::{EventJson, ProblemJson};

/// Every example: where it lies under `docs/examples`, and its text.
pub fn examples() -> Vec<(String, String)> {
    let events = events();
    let events = events.iter().map(|event| (format!("events/{}.json", event.kind.as_str()), pretty(event)));
    let problems = PROBLEMS
        .iter()
        .map(|problem| (format!("problems/{}.json", problem.code), pretty(&problem_json(problem))));
    events.chain(problems).collect()
}

fn pretty(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

/// An event of every type.
pub(crate) fn events() -> Vec<EventJson> {
    // Both are hexadecimal, or the tests that count the examples say so.
    let (Some(read), Some(scan)) = (
        ReadId::parse("5f0c3a9be1d24487a6c0f1e2d3b4a596"),
        ScanId::parse("0d4f6a1b9c8e47d2a35b60718293a4b5"),
    ) else {
        return Vec::new();
    };
    let reader = ReaderId::from_name("GemPC Twin 00 00");
    let scanner = ScannerId::from_name("Desk 1");
    let kinds = [
        EventKind::ReaderAttached { reader: reader.clone(), name: "GemPC Twin 00 00".to_owned() },
        EventKind::ReaderDetached { reader: reader.clone() },
        EventKind::CardInserted { reader: reader.clone() },
        EventKind::CardRemoved { reader: reader.clone() },
        EventKind::ReadQueued { read, occasion: Some(Occasion { reader: reader.clone(), scan }) },
        EventKind::ReadProgress { read, reader: reader.clone(), phase: Phase::Reading, percent: 40 },
        EventKind::ReadPartial { read, reader: reader.clone() },
        EventKind::ReadPaused { read, reader: reader.clone(), failure: ReadFailure::CardRemoved },
        EventKind::ReadResumed { read, reader: reader.clone() },
        EventKind::ReadCompleted { read },
        EventKind::ReadFailed { read, failure: ReadFailure::NoCard },
        EventKind::LeaseLost { reader, why: LeaseEnd::Expired },
        EventKind::ScannerAttached { scanner: scanner.clone(), name: "Desk 1".to_owned() },
        EventKind::ScannerDetached { scanner: scanner.clone() },
        EventKind::ScanReceived { scan, scanner: scanner.clone(), code: QrKind::Citizen },
        EventKind::ScanGarbled { scanner },
        EventKind::SourceLost { source: "pcsc" },
        EventKind::SourceReady { source: "pcsc" },
    ];
    // Numbers begin at the milliseconds of the agent's start.
    let told = (1_795_000_000_001..).zip(kinds).map(|(sequence, kind)| {
        EventJson::from(&Event {
            sequence,
            time: datetime!(2026-11-20 09:30:00 UTC),
            audience: Audience::Everyone,
            kind,
        })
    });
    told.chain([EventJson::missed()]).collect()
}

/// The problem as an answer would have it.
fn problem_json(problem: &'static Problem) -> ProblemJson {
    let mut refusal = Refusal::from(problem);
    if ReadFailure::ALL.iter().any(|failure| failure.code() == problem.code) {
        refusal.read = ReadId::parse("5f0c3a9be1d24487a6c0f1e2d3b4a596");
    }
    match problem.code {
        "access-key-wrong" => refusal.tries_left = Some(9),
        "reader-busy" => refusal.held_by = Some(CallerId::new("clinic")),
        _ => {}
    }
    ProblemJson::from(&refusal)
}
