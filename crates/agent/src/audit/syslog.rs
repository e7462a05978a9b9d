//! A syslog message (RFC 5424) around an entry.

use cccd_store::Recorded;

use super::cef::{cef, severity};

/// "Log audit" (RFC 5424, 6.2.1).
const FACILITY: u8 = 13;
/// The greatest number `meta` knows (RFC 5424, 7.3.1); it begins anew after it.
const SEQUENCE_IDS: u64 = 2_147_483_647;

/// Who sends: what does not change from message to message.
pub(super) struct Sender {
    host: String,
    process: u32,
}

impl Sender {
    /// This machine and this process.
    pub(super) fn this() -> Self {
        let host = whoami::hostname().unwrap_or_default();
        Self { host: printable(&host, 255), process: std::process::id() }
    }

    /// One message, without any framing.
    pub(super) fn message(&self, recorded: &Recorded) -> String {
        // RFC 5424, 6.2.1: 3 is an error, 4 a warning, 5 notice, 6 informational.
        let level = match severity(recorded) {
            9.. => 3,
            7.. => 4,
            4.. => 5,
            _ => 6,
        };
        let time = cccd_api::moment(recorded.time);
        let sequence_id = (recorded.sequence.saturating_sub(1) % SEQUENCE_IDS) + 1;
        format!(
            "<{}>1 {time} {} cccd-agent {} {} [meta sequenceId=\"{sequence_id}\"] {}",
            FACILITY * 8 + level,
            self.host,
            self.process,
            recorded.entry.kind.as_str(),
            cef(recorded)
        )
    }
}

/// A header field: printable ASCII without spaces, `-` where nothing is left.
fn printable(text: &str, at_most: usize) -> String {
    let kept: String = text.chars().filter(char::is_ascii_graphic).take(at_most).collect();
    if kept.is_empty() { "-".to_owned() } else { kept }
}

#[cfg(test)]
mod tests {
    use cccd_store::{Entry, EntryKind};
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_message_as_rfc_5424_has_it() {
        let sender = Sender { host: printable("máy bàn-1", 255), process: 42 };
        let time = datetime!(2026-11-20 08:00:00.5 UTC);
        let entry = Entry::new(EntryKind::ChainRestarted);
        let recorded =
            Recorded { sequence: SEQUENCE_IDS + 1, time, entry, text: String::new(), hash: [0; 32] };
        let message = sender.message(&recorded);
        let head = "<107>1 2026-11-20T08:00:00.5Z mybn-1 cccd-agent 42 chain-restarted [meta sequenceId=\"1\"] CEF:0|";
        assert!(message.starts_with(head), "{message}");
        assert_eq!(printable("", 255), "-");
    }
}
