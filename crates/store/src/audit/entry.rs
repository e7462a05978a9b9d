//! One entry, and how it is written.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

/// The longest text of one field, in bytes. What is longer is cut: much of it comes from whoever calls.
const LONGEST: usize = 300;
/// The most scopes, and the most words on one entry.
const AT_MOST: usize = 40;

const TIME: &[BorrowedFormatItem<'static>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// What an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum EntryKind {
    /// The daemon has started.
    AgentStarted,
    /// The daemon has stopped as it was told to.
    AgentStopped,
    /// A reading is over, whatever came of it.
    ReadEnded,
    /// What was scanned was handed out.
    ScanHandedOut,
    /// A caller was refused: a wrong token, a foreign page, a scope it does not have.
    CallerRefused,
    /// Callers were refused so often that not each has an entry.
    RefusalsCounted,
    /// Whom the agent believes was changed.
    TrustChanged,
    /// A page was given a grant.
    GrantGiven,
    /// A grant was taken back.
    GrantRevoked,
    /// An attempt to pair a page failed.
    PairingFailed,
    /// A roster was put in place of the one before.
    RosterLoaded,
    /// A list of persons was taken away.
    RegisterExported,
    /// So many entries were made that some were lost before they were written.
    EntriesLost,
    /// The chain before this one could not be used, and was moved aside.
    ChainRestarted,
    /// Grants, used proofs and keys could not be used, and were moved aside.
    StateRestarted,
    /// Something that a later version knows.
    #[serde(other)]
    Unknown,
}

impl EntryKind {
    /// All that this version writes.
    pub const ALL: [Self; 15] = [
        Self::AgentStarted,
        Self::AgentStopped,
        Self::ReadEnded,
        Self::ScanHandedOut,
        Self::CallerRefused,
        Self::RefusalsCounted,
        Self::TrustChanged,
        Self::GrantGiven,
        Self::GrantRevoked,
        Self::PairingFailed,
        Self::RosterLoaded,
        Self::RegisterExported,
        Self::EntriesLost,
        Self::ChainRestarted,
        Self::StateRestarted,
    ];

    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AgentStarted => "agent-started",
            Self::AgentStopped => "agent-stopped",
            Self::ReadEnded => "read-ended",
            Self::ScanHandedOut => "scan-handed-out",
            Self::CallerRefused => "caller-refused",
            Self::RefusalsCounted => "refusals-counted",
            Self::TrustChanged => "trust-changed",
            Self::GrantGiven => "grant-given",
            Self::GrantRevoked => "grant-revoked",
            Self::PairingFailed => "pairing-failed",
            Self::RosterLoaded => "roster-loaded",
            Self::RegisterExported => "register-exported",
            Self::EntriesLost => "entries-lost",
            Self::ChainRestarted => "chain-restarted",
            Self::StateRestarted => "state-restarted",
            Self::Unknown => "unknown",
        }
    }
}

/// What is to be entered. Nothing of a person has a place in it: a card's number only as a keyed hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What it is about.
    pub kind: EntryKind,
    /// Whose request it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// How the caller proved who it is, such as `token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller_kind: Option<String>,
    /// The page it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The program it came from, as far as the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    /// What for, in the caller's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// By what right, in the caller's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_basis: Option<String>,
    /// What the caller could have had.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// What came of it: `completed`, or the code of a failure or refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Whether the card is genuine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// Why that is the verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict_code: Option<String>,
    /// Which reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_id: Option<String>,
    /// On which reader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reader_id: Option<String>,
    /// The keyed hash of the card's number, in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number_hash: Option<String>,
    /// When what has ended now had begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<String>,
    /// The trace it belongs to (W3C Trace Context).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// Further words, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub more: BTreeMap<String, String>,
}

impl Entry {
    /// An entry of which nothing more is known.
    pub fn new(kind: EntryKind) -> Self {
        Self {
            kind,
            caller: None,
            caller_kind: None,
            origin: None,
            process: None,
            purpose: None,
            legal_basis: None,
            scopes: Vec::new(),
            outcome: None,
            verdict: None,
            verdict_code: None,
            read_id: None,
            reader_id: None,
            number_hash: None,
            began: None,
            trace_id: None,
            more: BTreeMap::new(),
        }
    }

    /// The same with one more word.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.more.insert(name.to_owned(), value.into());
        self
    }

    /// The same, of something that had begun then.
    pub fn began_at(mut self, moment: OffsetDateTime) -> Self {
        self.began = Some(written_time(moment));
        self
    }

    fn texts(&mut self) -> impl Iterator<Item = &mut String> {
        let Self {
            kind: _,
            caller,
            caller_kind,
            origin,
            process,
            purpose,
            legal_basis,
            scopes,
            outcome,
            verdict,
            verdict_code,
            read_id,
            reader_id,
            number_hash,
            began,
            trace_id,
            more,
        } = self;
        let single = [
            caller,
            caller_kind,
            origin,
            process,
            purpose,
            legal_basis,
            outcome,
            verdict,
            verdict_code,
            read_id,
            reader_id,
            number_hash,
            began,
            trace_id,
        ];
        single.into_iter().flatten().chain(scopes.iter_mut()).chain(more.values_mut())
    }

    /// The same, no longer than an entry may be and without control characters, which could make a terminal that
    /// shows it do something else.
    fn tamed(&self) -> Self {
        let mut tame = self.clone();
        tame.scopes.truncate(AT_MOST);
        while tame.more.len() > AT_MOST {
            tame.more.pop_last();
        }
        for text in tame.texts() {
            if text.len() > LONGEST {
                text.truncate(text.floor_char_boundary(LONGEST));
                text.push('…');
            }
            if text.contains(char::is_control) {
                *text = text.replace(char::is_control, "\u{FFFD}");
            }
        }
        tame
    }

    /// The entry as it is hashed: canonical JSON (RFC 8785), with its number, its time and the hash before it.
    pub(crate) fn written(&self, sequence: u64, now: OffsetDateTime, previous: &[u8; 32]) -> String {
        let mut members = match serde_json::to_value(self.tamed()) {
            Ok(Value::Object(members)) => members.into_iter().collect::<BTreeMap<String, Value>>(),
            // Texts in a struct become an object.
            _ => BTreeMap::new(),
        };
        members.insert("sequence".to_owned(), sequence.into());
        members.insert("time".to_owned(), written_time(now).into());
        members.insert("previous".to_owned(), hex::encode(previous).into());
        // Names in ASCII and in order, whole numbers, no white space, and the escapes of ECMAScript: canonical.
        serde_json::to_string(&members).unwrap_or_default()
    }
}

/// A moment as entries write it: UTC, to the millisecond, always as long.
pub(crate) fn written_time(moment: OffsetDateTime) -> String {
    moment.to_offset(time::UtcOffset::UTC).format(TIME).unwrap_or_default()
}

/// An entry as it stands in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its number, from 1 on, without a gap.
    pub sequence: u64,
    /// When it was entered.
    pub time: OffsetDateTime,
    /// What was entered.
    pub entry: Entry,
    /// The entry as it was hashed: canonical JSON.
    pub text: String,
    /// SHA-256 of the text.
    pub hash: [u8; 32],
}

impl Recorded {
    /// The entry as one line of an export: its text as it is, and its hash.
    pub fn line(&self) -> String {
        format!(r#"{{"entry":{},"hash":"{}"}}"#, self.text, hex::encode(self.hash))
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn names_are_those_of_the_json() {
        for kind in EntryKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }

    #[test]
    fn an_entry_is_canonical_json() {
        let entry = Entry {
            caller: Some("clinic".to_owned()),
            purpose: Some("khám \"bệnh\" \u{7f}\n".to_owned()),
            scopes: vec!["scan".to_owned()],
            ..Entry::new(EntryKind::ReadEnded)
        }
        .with("why", "a/b");
        let text = entry.written(7, datetime!(2026-11-20 15:00:00.0126 +07:00), &[0xAB; 32]);
        let expected = [
            r#"{"caller":"clinic","kind":"read-ended","more":{"why":"a/b"},"previous":""#,
            &"ab".repeat(32),
            r#"","purpose":"khám \"bệnh\" ��","scopes":["scan"],"sequence":7,"time":"2026-11-20T08:00:00.012Z"}"#,
        ];
        assert_eq!(text, expected.concat());
        assert_eq!(serde_json::from_str::<Entry>(&text).unwrap().caller, entry.caller);
    }

    #[test]
    fn what_a_caller_sends_is_cut() {
        let mut entry = Entry::new(EntryKind::CallerRefused);
        entry.origin = Some("ệ".repeat(10_000));
        entry.scopes = vec!["x".to_owned(); 10_000];
        for number in 0..10_000 {
            entry = entry.with(&format!("name{number}"), "x");
        }
        assert!(entry.written(1, OffsetDateTime::UNIX_EPOCH, &[0; 32]).len() < 2_000);
    }
}
