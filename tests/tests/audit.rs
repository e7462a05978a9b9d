//! The audit chain of a whole agent: what a day leaves in it, that nothing of a person is there, that whoever reaches
//! into it is found out, and what outlives a restart.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use cccd_agent::Agent;
use cccd_card::ChannelLimits;
use cccd_firmware_sim::chip::Chip;
use cccd_firmware_sim::personalise::{Issuer, personalise};
use cccd_firmware_sim::reader::in_process::InProcessReader;
use cccd_patience::PATIENCE;
use cccd_profiles::{AgentSettings, TokenHash};
use cccd_store::{EntryKind, Recorded, Store};
use cccd_tests::people;
use reqwest::blocking::{Client, RequestBuilder, Response};
use serde_json::{Value, json};

const CARD: &str = "cccd-2021";
const TOKEN: &str = "token-of-the-clinic-in-tests";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A desk whose agent runs in this process and can be started again.
struct Desk {
    folder: tempfile::TempDir,
    settings: AgentSettings,
    hand: InProcessReader,
    agent: Option<Agent>,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = settings(folder.path());
        std::fs::write(folder.path().join("agent.toml"), &text).unwrap();
        let settings = AgentSettings::parse(&text).unwrap();
        let hand = InProcessReader::new();
        let reader = hand.attach("Lane 0", ChannelLimits::EXTENDED).unwrap();
        let image = personalise(&people::card(CARD), &Issuer::new().unwrap()).unwrap();
        hand.insert(&reader, Chip::new(image)).unwrap();
        let mut desk = Self { folder, settings, hand, agent: None };
        desk.start();
        desk
    }

    fn start(&mut self) {
        let readers = Arc::new(self.hand.clone());
        self.agent = Some(Agent::start(&self.settings, vec![readers], Vec::new()).unwrap());
    }

    fn stop(&mut self) {
        self.agent.take().unwrap().stop();
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// POST /v1/reads as `token`'s caller.
    fn post(&self, token: &str) -> RequestBuilder {
        let address = self.agent.as_ref().unwrap().address();
        let client = Client::builder().no_proxy().timeout(PATIENCE * 2).build().unwrap();
        let body = json!({ "access": { "can": people::card(CARD).can().unwrap() } });
        client
            .post(format!("http://{address}/v1/reads"))
            .bearer_auth(token)
            .header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"))
            .json(&body)
    }

    fn entries(&self) -> Vec<Recorded> {
        Store::look_at_audit(&self.store()).unwrap().after(0, 1000).unwrap()
    }

    /// `cccd-agent audit` with these words.
    fn audit(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_agent-under-test"));
        command.arg("--config").arg(self.folder.path().join("agent.toml")).arg("audit").args(words);
        cccd_patience::output("cccd-agent audit", &mut command)
    }
}

fn settings(folder: &Path) -> String {
    let within = |name: &str| folder.join(name).display().to_string();
    format!(
        "[api]\nlisten = '127.0.0.1:0'\n[evidence]\nkey_file = '{}'\n[trust]\ndirectory = '{}'\n[store]\nfolder = '{}'\n\
         [[caller]]\nname = 'clinic'\ntoken_sha256 = '{}'\n",
        within("evidence-key.json"),
        within("trust"),
        within("store"),
        TokenHash::of(TOKEN).to_hex()
    )
}

fn code(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body: Value = response.json().unwrap();
    (status, body["code"].as_str().unwrap_or("").to_owned())
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// An agent's day: one reading, one that fails, one stranger.
fn day() -> Desk {
    let mut desk = Desk::new();
    let read = desk.post(TOKEN).header("prefer", "wait=60").send().unwrap();
    assert_eq!(read.status(), 200, "{:?}", read.text());
    let wrong = json!({ "access": { "can": "111111" } });
    let failed = desk.post(TOKEN).header("prefer", "wait=60").json(&wrong).send().unwrap();
    assert_eq!(code(failed).1, "access-key-wrong");
    assert_eq!(code(desk.post("wrong").send().unwrap()), (401, "token-wrong".to_owned()));
    desk.stop();
    desk
}

#[test]
fn a_day_is_entered_and_nothing_of_the_person() {
    let desk = day();
    let entries = desk.entries();
    let kinds: Vec<EntryKind> = entries.iter().map(|recorded| recorded.entry.kind).collect();
    let expected = [
        EntryKind::AgentStarted,
        EntryKind::ReadEnded,
        EntryKind::ReadEnded,
        EntryKind::CallerRefused,
        EntryKind::AgentStopped,
    ];
    assert_eq!(kinds, expected);

    let read = &entries[1].entry;
    assert_eq!(read.caller.as_deref(), Some("clinic"));
    assert_eq!(read.caller_kind.as_deref(), Some("program"));
    assert_eq!(read.outcome.as_deref(), Some("completed"));
    assert_eq!(read.verdict.as_deref(), Some("unconfirmed"));
    assert!(read.verdict_code.is_some() && read.read_id.is_some() && read.began.is_some());
    assert_eq!(read.reader_id.as_deref(), Some("lane-0"));
    assert_eq!(read.trace_id.as_deref(), Some(TRACE));
    let store = Store::join(&desk.store(), entries[0].time).unwrap();
    let number = people::card(CARD).record().into_iter().find(|field| field.number == 1).unwrap();
    let cccd_firmware_sim::personalise::RecordValue::Printable(number) = number.value else {
        panic!("the first field of DG13 is the number")
    };
    assert_eq!(read.number_hash, Some(store.number_hash(&number)));

    let failed = &entries[2].entry;
    assert_eq!((failed.outcome.as_deref(), &failed.number_hash), (Some("access-key-wrong"), &None));
    for recorded in &entries {
        people::assert_nobody_in("the audit chain", &recorded.text);
    }
}

#[test]
fn the_chain_is_verified_exported_and_shown_at_a_terminal() {
    let desk = day();
    let verified = desk.audit(&["verify"]);
    assert!(verified.status.success(), "{verified:?}");
    assert!(text(&verified).contains("5 entries"), "{}", text(&verified));

    let export = desk.folder.path().join("audit.jsonl");
    let written = desk.audit(&["export", "--out", export.to_str().unwrap()]);
    assert!(written.status.success(), "{written:?}");
    let lines = std::fs::read_to_string(&export).unwrap();
    assert_eq!(lines.lines().count(), 5);
    let checked = desk.audit(&["verify", "--export", export.to_str().unwrap()]);
    assert!(checked.status.success() && text(&checked).contains("up to entry 5"), "{checked:?}");
    // The script of docs/audit.md, which knows nothing of this program.
    let script = include_str!("../../docs/audit.md").split("```python\n").nth(1).unwrap();
    let script = script.split("```").next().unwrap();
    let checked_by_python = |path: &Path| {
        let mut python = Command::new("python3");
        cccd_patience::output("the script", python.args(["-c", script]).arg(path)).status.success()
    };
    assert!(checked_by_python(&export));

    // Whoever changes a line of the export is found out by both.
    std::fs::write(&export, lines.replacen("access-key-wrong", "completed", 1)).unwrap();
    let broken = desk.audit(&["verify", "--export", export.to_str().unwrap()]);
    assert!(!broken.status.success() && text(&broken).contains("entry 3 was changed"), "{broken:?}");
    assert!(!checked_by_python(&export));

    for format in ["cef", "syslog"] {
        let all = text(&desk.audit(&["export", "--format", format]));
        assert_eq!(all.lines().count(), 5);
        assert!(all.lines().all(|line| line.contains("CEF:0|cccd-agent|")), "{all}");
        people::assert_nobody_in(format, &all);
        let none = desk.audit(&["export", "--format", format, "--since", "2999-01-01"]);
        assert_eq!((none.status.success(), text(&none).as_str()), (true, ""));
    }
    let shown = text(&desk.audit(&["show", "--last", "2"]));
    assert!(shown.contains("caller-refused") && !shown.contains("read-ended"), "{shown}");
    let none = desk.audit(&["export", "--since", "yesterday"]);
    assert!(!none.status.success());
}

#[test]
fn whoever_reaches_into_the_file_is_found_out() {
    let mut desk = day();
    let head = desk.store().join("audit.head");
    // The newest entry taken away is told by the head, whose place is another file.
    let before = std::fs::read(&head).unwrap();
    desk.start();
    desk.stop();
    let after = std::fs::read(&head).unwrap();
    assert_ne!(before, after);
    for name in ["audit.db", "audit.db-wal", "audit.db-shm"] {
        let _ = std::fs::remove_file(desk.store().join(name));
    }
    let gone = desk.audit(&["verify"]);
    assert!(!gone.status.success(), "{gone:?}");

    // The desk goes on, and the new chain begins with what has become of the old one.
    desk.start();
    let read = desk.post(TOKEN).header("prefer", "wait=60").send().unwrap();
    assert_eq!(read.status(), 200);
    desk.stop();
    let entries = desk.entries();
    assert_eq!(entries[0].entry.kind, EntryKind::ChainRestarted);
    assert_eq!(entries[0].entry.more["last_sequence"], "7");
    assert!(desk.audit(&["verify"]).status.success());
}

#[test]
fn an_idempotency_key_of_before_the_restart_is_spent() {
    let mut desk = Desk::new();
    let keyed = |desk: &Desk| desk.post(TOKEN).header("idempotency-key", "k").header("prefer", "wait=60");
    let (first, again) = (keyed(&desk).send().unwrap(), keyed(&desk).send().unwrap());
    assert_eq!((first.status().as_u16(), again.status().as_u16()), (200, 200));
    assert_eq!(first.headers()["location"], again.headers()["location"]);
    desk.stop();
    desk.start();
    assert_eq!(code(keyed(&desk).send().unwrap()), (410, "idempotency-key-spent".to_owned()));
    let other = keyed(&desk).json(&json!({ "access": { "can": "111111" } })).send().unwrap();
    assert_eq!(code(other), (422, "idempotency-key-reused".to_owned()));
    desk.stop();
    // Both readings that came of one key are one.
    let reads = desk.entries().into_iter().filter(|recorded| recorded.entry.kind == EntryKind::ReadEnded);
    assert_eq!(reads.count(), 1);
}

#[test]
fn a_desk_whose_disk_cannot_be_written_goes_on() {
    let mut desk = Desk::new();
    desk.stop();
    // A file where the folder should be.
    std::fs::remove_dir_all(desk.store()).unwrap();
    std::fs::write(desk.store(), b"").unwrap();
    desk.start();
    let read = desk.post(TOKEN).header("prefer", "wait=60").send().unwrap();
    assert_eq!(read.status(), 200);
    desk.stop();
}
