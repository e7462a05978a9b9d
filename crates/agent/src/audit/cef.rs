//! An entry in the Common Event Format (CEF 0), which systems that watch for intruders read.

use std::fmt::Write as _;

use cccd_store::{EntryKind, Recorded};

/// What people read in a list of events.
fn name(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::AgentStarted => "Agent started",
        EntryKind::AgentStopped => "Agent stopped",
        EntryKind::ReadEnded => "Reading ended",
        EntryKind::ScanHandedOut => "Scan handed out",
        EntryKind::CallerRefused => "Caller refused",
        EntryKind::RefusalsCounted => "Callers refused many times",
        EntryKind::TrustChanged => "Trust store changed",
        EntryKind::GrantGiven => "Grant given",
        EntryKind::GrantRevoked => "Grant revoked",
        EntryKind::PairingFailed => "Pairing failed",
        EntryKind::RosterLoaded => "Roster loaded",
        EntryKind::RegisterExported => "Register exported",
        EntryKind::EntriesLost => "Audit entries lost",
        EntryKind::ChainRestarted => "Audit chain restarted",
        EntryKind::StateRestarted => "Store restarted",
        _ => "Unknown entry",
    }
}

/// How grave it is, 0 to 10.
pub(super) fn severity(recorded: &Recorded) -> u8 {
    match recorded.entry.kind {
        EntryKind::ReadEnded if recorded.entry.verdict.as_deref() == Some("not_genuine") => 7,
        EntryKind::ReadEnded | EntryKind::ScanHandedOut => 2,
        EntryKind::AgentStarted | EntryKind::AgentStopped => 3,
        EntryKind::GrantGiven | EntryKind::GrantRevoked => 4,
        EntryKind::CallerRefused | EntryKind::PairingFailed => 5,
        EntryKind::TrustChanged => 6,
        EntryKind::RefusalsCounted => 7,
        EntryKind::EntriesLost | EntryKind::ChainRestarted | EntryKind::StateRestarted => 9,
        _ => 5,
    }
}

/// The entry as one line without its end.
pub(super) fn cef(recorded: &Recorded) -> String {
    let entry = &recorded.entry;
    let mut line = format!(
        "CEF:0|cccd-agent|cccd-agent|{}|{}|{}|{}|",
        in_header(env!("CARGO_PKG_VERSION")),
        entry.kind.as_str(),
        in_header(name(entry.kind)),
        severity(recorded)
    );
    let scopes = (!entry.scopes.is_empty()).then(|| entry.scopes.join(" "));
    let more: Vec<String> = entry.more.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let more = (!more.is_empty()).then(|| more.join("; "));
    let hash = hex::encode(recorded.hash);
    let number = recorded.sequence.to_string();
    let millis = (recorded.time.unix_timestamp_nanos() / 1_000_000).to_string();
    for (key, value) in [
        ("rt", Some(millis.as_str())),
        ("externalId", Some(number.as_str())),
        ("suser", entry.caller.as_deref()),
        ("spriv", entry.caller_kind.as_deref()),
        ("requestContext", entry.origin.as_deref()),
        ("sproc", entry.process.as_deref()),
        ("outcome", entry.outcome.as_deref()),
        ("reason", entry.verdict_code.as_deref()),
        ("start", entry.began.as_deref()),
        ("deviceExternalId", entry.reader_id.as_deref()),
        ("msg", more.as_deref()),
    ] {
        put(&mut line, key, value);
    }
    for (number, label, value) in [
        (1, "verdict", entry.verdict.as_deref()),
        (2, "numberHash", entry.number_hash.as_deref()),
        (3, "scopes", scopes.as_deref()),
        (4, "purpose", entry.purpose.as_deref()),
        (5, "legalBasis", entry.legal_basis.as_deref()),
        (6, "traceId", entry.trace_id.as_deref()),
    ] {
        if value.is_some() {
            put(&mut line, &format!("cs{number}Label"), Some(label));
            put(&mut line, &format!("cs{number}"), value);
        }
    }
    if entry.read_id.is_some() {
        put(&mut line, "flexString1Label", Some("readId"));
        put(&mut line, "flexString1", entry.read_id.as_deref());
    }
    put(&mut line, "flexString2Label", Some("entryHash"));
    put(&mut line, "flexString2", Some(&hash));
    line.truncate(line.trim_end().len());
    line
}

fn put(line: &mut String, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        let _ = write!(line, "{key}={} ", in_extension(value));
    }
}

fn in_header(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace(['\n', '\r'], " ")
}

fn in_extension(text: &str) -> String {
    text.replace('\\', "\\\\").replace('=', "\\=").replace('\n', "\\n").replace('\r', "\\r")
}

#[cfg(test)]
mod tests {
    use cccd_store::Entry;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn an_entry_as_cef() {
        let entry = Entry {
            caller: Some("clinic".to_owned()),
            outcome: Some("completed".to_owned()),
            verdict: Some("genuine".to_owned()),
            purpose: Some(r"a=b\c|d".to_owned()),
            scopes: vec!["evidence".to_owned(), "scan".to_owned()],
            ..Entry::new(EntryKind::ReadEnded)
        };
        let time = datetime!(2026-11-20 08:00:00.5 UTC);
        let recorded = Recorded { sequence: 7, time, entry, text: String::new(), hash: [0xAB; 32] };
        let expected = format!(
            "CEF:0|cccd-agent|cccd-agent|{}|read-ended|Reading ended|2|rt=1795161600500 externalId=7 suser=clinic \
             outcome=completed cs1Label=verdict cs1=genuine cs3Label=scopes cs3=evidence scan \
             cs4Label=purpose cs4=a\\=b\\\\c|d flexString2Label=entryHash flexString2={}",
            env!("CARGO_PKG_VERSION"),
            "ab".repeat(32)
        );
        assert_eq!(cef(&recorded), expected);
        let line = Entry { caller: Some("x\nCEF:0|forged".to_owned()), ..recorded.entry.clone() };
        let recorded = Recorded { entry: line, ..recorded };
        assert!(!cef(&recorded).contains('\n'));
    }

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<&str> = EntryKind::ALL.into_iter().map(name).collect();
        assert_eq!(names.len(), EntryKind::ALL.len());
        assert!(!names.contains(name(EntryKind::Unknown)));
    }
}
