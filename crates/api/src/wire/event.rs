//! The JSON twin of an event, with the attribute names of CloudEvents 1.0.

use cccd_engine::{Event, EventKind};
use serde::Serialize;
use utoipa::ToSchema;

use super::scan::ScanKindJson;
use super::{PhaseJson, rfc3339};

/// The `data` of one server-sent event. It says nothing about a person.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub(crate) struct EventJson {
    /// The event's number, the same as the SSE `id`; absent from `events.missed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "17", pattern = "^[0-9]+$")]
    id: Option<String>,
    /// Always `/v1`.
    source: &'static str,
    /// The event's name, the same as the SSE `event`.
    #[serde(rename = "type")]
    pub(crate) kind: EventTypeJson,
    /// When; absent from `events.missed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, value_type = Option<String>)]
    time: Option<String>,
    /// The id of the reader, reading, scanner or scan it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    /// What more there is to it.
    data: EventDataJson,
}

/// The names of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = EventType)]
pub(crate) enum EventTypeJson {
    /// A reader is there.
    #[serde(rename = "reader.attached")]
    ReaderAttached,
    /// A reader went away.
    #[serde(rename = "reader.detached")]
    ReaderDetached,
    /// A card was laid on a reader.
    #[serde(rename = "card.inserted")]
    CardInserted,
    /// A card left a reader.
    #[serde(rename = "card.removed")]
    CardRemoved,
    /// A reading was accepted. One that began by itself has `scan_id` and `reader_id`.
    #[serde(rename = "read.queued")]
    ReadQueued,
    /// A reading went on.
    #[serde(rename = "read.progress")]
    ReadProgress,
    /// A reading has found who the person is, and may be asked for it; the rest follows.
    #[serde(rename = "read.partial")]
    ReadPartial,
    /// A reading waits for its card to be laid down again.
    #[serde(rename = "read.paused")]
    ReadPaused,
    /// The card is back, and the reading goes on.
    #[serde(rename = "read.resumed")]
    ReadResumed,
    /// A lease has ended without its holder's doing.
    #[serde(rename = "lease.lost")]
    LeaseLost,
    /// A reading is done; its result may be fetched.
    #[serde(rename = "read.completed")]
    ReadCompleted,
    /// A reading ended without a result.
    #[serde(rename = "read.failed")]
    ReadFailed,
    /// A scanner is there.
    #[serde(rename = "scanner.attached")]
    ScannerAttached,
    /// A scanner went away.
    #[serde(rename = "scanner.detached")]
    ScannerDetached,
    /// A code was scanned; whoever has the scope `scan` may fetch it, once.
    #[serde(rename = "scan.received")]
    ScanReceived,
    /// A scanner sent what is no code: scan again.
    #[serde(rename = "scan.garbled")]
    ScanGarbled,
    /// A kind of reader cannot be seen now.
    #[serde(rename = "agent.degraded")]
    AgentDegraded,
    /// It can be seen again.
    #[serde(rename = "agent.recovered")]
    AgentRecovered,
    /// Events before this one may be gone: ask for the readers and readings anew.
    #[serde(rename = "events.missed")]
    EventsMissed,
    /// Something newer than this description.
    #[serde(rename = "other")]
    Other,
}

impl EventTypeJson {
    /// Every one.
    #[cfg(test)]
    const ALL: [Self; 20] = [
        Self::ReaderAttached,
        Self::ReaderDetached,
        Self::CardInserted,
        Self::CardRemoved,
        Self::ReadQueued,
        Self::ReadProgress,
        Self::ReadPartial,
        Self::ReadPaused,
        Self::ReadResumed,
        Self::LeaseLost,
        Self::ReadCompleted,
        Self::ReadFailed,
        Self::ScannerAttached,
        Self::ScannerDetached,
        Self::ScanReceived,
        Self::ScanGarbled,
        Self::AgentDegraded,
        Self::AgentRecovered,
        Self::EventsMissed,
        Self::Other,
    ];

    /// What it tells, for the description of the events.
    pub(crate) fn about(self) -> &'static str {
        match self {
            Self::ReaderAttached => "A reader is there.",
            Self::ReaderDetached => "A reader went away.",
            Self::CardInserted => "A card was laid on a reader.",
            Self::CardRemoved => "A card left a reader.",
            Self::ReadQueued => {
                "A reading was accepted. One that began by itself, for the holder of a lease, has `scan_id` and `reader_id`."
            }
            Self::ReadProgress => "A reading went on.",
            Self::ReadPartial => {
                "A reading has found who the person is, and may be asked for it; the rest follows."
            }
            Self::ReadPaused => "A reading waits for its card to be laid down again.",
            Self::ReadResumed => "The card is back, and the reading goes on.",
            Self::LeaseLost => "A lease has ended without its holder's doing.",
            Self::ReadCompleted => "A reading is done; its result may be fetched.",
            Self::ReadFailed => "A reading ended without a result.",
            Self::ScannerAttached => "A scanner is there.",
            Self::ScannerDetached => "A scanner went away.",
            Self::ScanReceived => "A code was scanned; whoever has the scope `scan` may fetch it, once.",
            Self::ScanGarbled => "A scanner sent what is no code: scan again.",
            Self::AgentDegraded => "A kind of reader cannot be seen now.",
            Self::AgentRecovered => "It can be seen again.",
            Self::EventsMissed => {
                "Events before this one may be gone: ask for the readers and readings anew."
            }
            Self::Other => "Something newer than this description.",
        }
    }

    /// The name, as the SSE `event` writes it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ReaderAttached => "reader.attached",
            Self::ReaderDetached => "reader.detached",
            Self::CardInserted => "card.inserted",
            Self::CardRemoved => "card.removed",
            Self::ReadQueued => "read.queued",
            Self::ReadProgress => "read.progress",
            Self::ReadPartial => "read.partial",
            Self::ReadPaused => "read.paused",
            Self::ReadResumed => "read.resumed",
            Self::LeaseLost => "lease.lost",
            Self::ReadCompleted => "read.completed",
            Self::ReadFailed => "read.failed",
            Self::ScannerAttached => "scanner.attached",
            Self::ScannerDetached => "scanner.detached",
            Self::ScanReceived => "scan.received",
            Self::ScanGarbled => "scan.garbled",
            Self::AgentDegraded => "agent.degraded",
            Self::AgentRecovered => "agent.recovered",
            Self::EventsMissed => "events.missed",
            Self::Other => "other",
        }
    }
}

/// What more there is to an event. Which members it has depends on the event's type.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = EventData)]
pub(crate) struct EventDataJson {
    /// The reader.
    #[serde(skip_serializing_if = "Option::is_none")]
    reader_id: Option<String>,
    /// The name of a reader as its driver gives it, of a scanner for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The scanner.
    #[serde(skip_serializing_if = "Option::is_none")]
    scanner_id: Option<String>,
    /// The scan.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[0-9a-f]{32}$")]
    scan_id: Option<String>,
    /// What the scanned code is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<ScanKindJson>,
    /// The reading.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[0-9a-f]{32}$")]
    read_id: Option<String>,
    /// What the reading does.
    #[serde(skip_serializing_if = "Option::is_none")]
    phase: Option<PhaseJson>,
    /// How far it is. It never goes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 100)]
    percent: Option<u8>,
    /// The code of the problem it ended in or is paused for; of `lease.lost`: `expired`, `reader-detached`, or `holder-gone`
    /// where the session or connection it was asked for in has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    /// The kind of reader that cannot be seen, or can again.
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<&'static str>,
}

impl EventJson {
    /// Tells a listener that came back too late that something may be gone.
    pub(crate) fn missed() -> Self {
        Self {
            id: None,
            source: SOURCE,
            kind: EventTypeJson::EventsMissed,
            time: None,
            subject: None,
            data: EventDataJson::default(),
        }
    }
}

const SOURCE: &str = "/v1";

impl From<&Event> for EventJson {
    fn from(event: &Event) -> Self {
        let mut data = EventDataJson::default();
        let kind = match &event.kind {
            EventKind::ReaderAttached { reader, name } => {
                data.reader_id = Some(reader.to_string());
                data.name = Some(name.clone());
                EventTypeJson::ReaderAttached
            }
            EventKind::ReaderDetached { reader } => {
                data.reader_id = Some(reader.to_string());
                EventTypeJson::ReaderDetached
            }
            EventKind::CardInserted { reader } => {
                data.reader_id = Some(reader.to_string());
                EventTypeJson::CardInserted
            }
            EventKind::CardRemoved { reader } => {
                data.reader_id = Some(reader.to_string());
                EventTypeJson::CardRemoved
            }
            EventKind::ReadQueued { read, occasion } => {
                data.read_id = Some(read.to_string());
                data.reader_id = occasion.as_ref().map(|occasion| occasion.reader.to_string());
                data.scan_id = occasion.as_ref().map(|occasion| occasion.scan.to_string());
                EventTypeJson::ReadQueued
            }
            EventKind::ReadProgress { read, reader, phase, percent } => {
                data.read_id = Some(read.to_string());
                data.reader_id = Some(reader.to_string());
                data.phase = Some((*phase).into());
                data.percent = Some(*percent);
                EventTypeJson::ReadProgress
            }
            EventKind::ReadPartial { read, reader } => {
                data.read_id = Some(read.to_string());
                data.reader_id = Some(reader.to_string());
                EventTypeJson::ReadPartial
            }
            EventKind::ReadPaused { read, reader, failure } => {
                data.read_id = Some(read.to_string());
                data.reader_id = Some(reader.to_string());
                data.code = Some(failure.code());
                EventTypeJson::ReadPaused
            }
            EventKind::ReadResumed { read, reader } => {
                data.read_id = Some(read.to_string());
                data.reader_id = Some(reader.to_string());
                EventTypeJson::ReadResumed
            }
            EventKind::LeaseLost { reader, why } => {
                data.reader_id = Some(reader.to_string());
                data.code = Some(why.code());
                EventTypeJson::LeaseLost
            }
            EventKind::ReadCompleted { read } => {
                data.read_id = Some(read.to_string());
                EventTypeJson::ReadCompleted
            }
            EventKind::ReadFailed { read, failure } => {
                data.read_id = Some(read.to_string());
                data.code = Some(failure.code());
                EventTypeJson::ReadFailed
            }
            EventKind::ScannerAttached { scanner, name } => {
                data.scanner_id = Some(scanner.to_string());
                data.name = Some(name.clone());
                EventTypeJson::ScannerAttached
            }
            EventKind::ScannerDetached { scanner } => {
                data.scanner_id = Some(scanner.to_string());
                EventTypeJson::ScannerDetached
            }
            EventKind::ScanReceived { scan, scanner, code } => {
                data.scan_id = Some(scan.to_string());
                data.scanner_id = Some(scanner.to_string());
                data.kind = Some((*code).into());
                EventTypeJson::ScanReceived
            }
            EventKind::ScanGarbled { scanner } => {
                data.scanner_id = Some(scanner.to_string());
                EventTypeJson::ScanGarbled
            }
            EventKind::SourceLost { source } => {
                data.transport = Some(source);
                EventTypeJson::AgentDegraded
            }
            EventKind::SourceReady { source } => {
                data.transport = Some(source);
                EventTypeJson::AgentRecovered
            }
            _ => EventTypeJson::Other,
        };
        let subject = [&data.read_id, &data.reader_id, &data.scan_id, &data.scanner_id];
        let subject = subject.into_iter().find_map(Option::clone);
        Self {
            id: Some(event.sequence.to_string()),
            source: SOURCE,
            kind,
            time: Some(rfc3339(event.time)),
            subject,
            data,
        }
    }
}

#[cfg(test)]
mod tests {
    use cccd_card::ReaderId;
    use cccd_engine::Audience;
    use time::OffsetDateTime;

    use super::*;

    #[test]
    fn the_name_is_the_same_in_both_places() {
        for kind in EventTypeJson::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }

    #[test]
    fn every_type_has_an_example_and_its_description_is_its_own() {
        let examples: Vec<_> = crate::examples::events().iter().map(|event| event.kind.as_str()).collect();
        for kind in EventTypeJson::ALL {
            // There is none of what is not known yet.
            let wanted = usize::from(kind != EventTypeJson::Other);
            let found = examples.iter().filter(|name| **name == kind.as_str()).count();
            assert_eq!(found, wanted, "{}", kind.as_str());
            let alike = EventTypeJson::ALL.into_iter().filter(|other| other.about() == kind.about()).count();
            assert_eq!(alike, 1, "{}", kind.about());
        }
    }

    #[test]
    fn an_event_has_the_attributes_of_cloudevents() {
        let event = Event {
            sequence: 17,
            time: OffsetDateTime::UNIX_EPOCH,
            audience: Audience::Everyone,
            kind: EventKind::CardInserted { reader: ReaderId::from_name("R 1") },
        };
        assert_eq!(
            serde_json::to_value(EventJson::from(&event)).unwrap(),
            serde_json::json!({
                "id": "17",
                "source": "/v1",
                "type": "card.inserted",
                "time": "1970-01-01T00:00:00Z",
                "subject": "r-1",
                "data": {"reader_id": "r-1"},
            })
        );
    }
}
