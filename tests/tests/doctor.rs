//! `cccd-agent doctor` at a desk that is well, at one where nothing runs, and beside a reading.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use cccd_firmware_sim::chip::Chip;
use cccd_firmware_sim::personalise::{Issuer, personalise};
use cccd_firmware_sim::reader::pcscd::PcscBench;
use cccd_tests::{AgentUnderTest, CALLER_TOKEN, HeldCard, people};
use reqwest::Method;
use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};
use serde_json::{Value, json};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_agent-under-test");

/// How many commands a card with extended lengths answers before it is read: it is open then, and its files are not.
const IN_THE_MIDDLE: usize = 10;

/// An agent over a pcscd with two readers, with an admin socket and the authority of its cards installed.
struct Desk {
    agent: AgentUnderTest,
    bench: PcscBench,
    issuer: Issuer,
}

/// What doctor said.
struct Told {
    code: Option<i32>,
    findings: Vec<Value>,
    text: String,
}

impl Desk {
    fn start() -> Self {
        let bench = PcscBench::start(&["Lane 0", "Lane 1"]).unwrap();
        let folder = Arc::new(TempDir::new().unwrap());
        let admin = folder.path().join("admin.sock");
        let settings = format!("[api]\nlisten = '127.0.0.1:0'\n[admin]\nsocket = '{}'\n", admin.display());
        let agent = AgentUnderTest::start_in(folder, PROGRAM, Some(bench.socket_path()), &settings);
        let issuer = Issuer::new().unwrap();
        let csca = agent.folder().join("csca.der");
        std::fs::write(&csca, issuer.csca_der()).unwrap();
        let config = agent.folder().join("agent.toml");
        let mut trust = Command::new(PROGRAM);
        trust.arg("--config").arg(config).args(["trust", "add", "--accept-unverified"]).arg(csca);
        assert!(trust.output().unwrap().status.success());
        Self { agent, bench, issuer }
    }

    /// The agent took a free port: settings that name it, with what stands behind the key `[api]` beside.
    fn settings(&self, name: &str, api: &str) -> PathBuf {
        let text = std::fs::read_to_string(self.agent.folder().join("agent.toml")).unwrap();
        let path = self.agent.folder().join(name);
        let listen = format!("listen = '{}'\n{api}", self.agent.address());
        std::fs::write(&path, text.replacen("listen = '127.0.0.1:0'", &listen, 1)).unwrap();
        path
    }

    fn doctor(&self, config: &Path) -> Told {
        doctor(config, self.bench.socket_path())
    }
}

fn doctor(config: &Path, pcscd: &Path) -> Told {
    let run = |arguments: &[&str]| -> Output {
        let mut command = Command::new(PROGRAM);
        command.arg("--config").arg(config).arg("doctor").args(arguments);
        command.env("PCSCLITE_CSOCK_NAME", pcscd).output().unwrap()
    };
    let for_people = run(&[]);
    let text = String::from_utf8(for_people.stdout).unwrap();
    assert!(!text.contains(CALLER_TOKEN));
    let for_programs = run(&["--json"]);
    let all: Value = serde_json::from_slice(&for_programs.stdout).unwrap();
    let findings = all["findings"].as_array().unwrap().clone();
    // Of both languages the one in which names of people are no words.
    for finding in &findings {
        people::assert_nobody_in("what doctor says", &format!("{} {}", finding["seen"], finding["remedy"]));
    }
    // A line for each, and one that counts them.
    assert_eq!(text.lines().count(), findings.len() + 1, "{text}\n{all}");
    assert_eq!(for_people.status.code(), for_programs.status.code());
    Told { code: for_people.status.code(), findings, text }
}

impl Told {
    /// The states of a check, in order.
    fn states(&self, check: &str) -> Vec<&str> {
        let ours = self.findings.iter().filter(|finding| finding["check"] == check);
        ours.map(|finding| finding["state"].as_str().unwrap()).collect()
    }
}

/// Every file of a folder, with what it holds.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            found.insert(path, None);
        } else {
            let bytes = std::fs::read(&path).ok();
            found.insert(path, bytes);
        }
    }
    found
}

#[test]
fn a_desk_that_is_well_has_no_fault() {
    let desk = Desk::start();
    desk.agent.wait_for("both readers", || desk.agent.readers().len() == 2);
    let told = desk.doctor(&desk.settings("doctor.toml", ""));
    assert_eq!(told.code, Some(0), "{}", told.text);
    for (check, states) in [
        // One of its callers may ask for fingerprints, and this is no station.
        ("settings", ["ok", "warning"].as_slice()),
        ("rights", &["ok"]),
        ("agent", &["ok"]),
        ("agent.ready", &["ok"]),
        ("agent.version", &["ok"]),
        ("smart-card-service", &["ok"]),
        ("reader", &["ok", "ok"]),
        ("trust.csca", &["ok"]),
        ("evidence-key", &["ok"]),
        ("audit", &["ok"]),
    ] {
        assert_eq!(told.states(check), states, "{check}: {}", told.text);
    }
    assert!(told.text.contains("Lane 0") && told.text.contains(desk.agent.address()), "{}", told.text);
    // A signal that is for served settings ends nothing where none are served.
    desk.agent.hang_up();
    assert_eq!(desk.agent.anonymous(Method::GET, "/healthz").send().unwrap().status(), 200);
}

#[test]
fn an_agent_with_another_key_and_a_secret_that_others_may_read_are_faults() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = Desk::start();
    let folder = desk.agent.folder();
    let path = desk.settings("other.toml", "");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("evidence-key.json", "another-key.json")).unwrap();
    let told = desk.doctor(&path);
    assert_eq!((told.code, told.states("agent")), (Some(1), vec!["fault"]), "{}", told.text);
    assert!(told.text.contains("answers with another key"), "{}", told.text);
    assert!(!folder.join("another-key.json").exists(), "looking makes no key");

    let key = folder.join("evidence-key.json");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let told = desk.doctor(&desk.settings("doctor.toml", ""));
    assert_eq!((told.code, told.states("rights")), (Some(1), vec!["fault"]), "{}", told.text);
    assert!(told.text.contains(&format!("chmod 600 {}", key.display())), "{}", told.text);
}

#[test]
fn where_nothing_runs_it_says_so_and_makes_nothing() {
    let folder = TempDir::new().unwrap();
    // Bound and not listened at: nobody is there, and nobody else can come.
    let held = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&held, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address: SocketAddr = getsockname(&held).unwrap().try_into().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let text = format!(
        "[api]\nlisten = '{address}'\n[admin]\nsocket = '{}'\n[evidence]\nkey_file = '{}'\n[trust]\ndirectory = '{}'\n[store]\nfolder = '{}'\n",
        at("admin.sock"),
        at("key.json"),
        at("trust"),
        at("store")
    );
    let config = folder.path().join("agent.toml");
    std::fs::write(&config, text).unwrap();
    let before = contents(folder.path());
    let told = doctor(&config, &folder.path().join("no-service"));
    assert_eq!(told.code, Some(1), "{}", told.text);
    for (check, states) in [
        ("agent", ["fault"].as_slice()),
        ("smart-card-service", &["fault"]),
        ("trust.csca", &["fault"]),
        ("evidence-key", &["ok"]),
        ("audit", &["ok"]),
        ("settings", &["warning"]),
    ] {
        assert_eq!(told.states(check), states, "{check}: {}", told.text);
    }
    assert_eq!(contents(folder.path()), before, "looking makes nothing and changes nothing");

    // Settings that cannot be used are a fault among others, not the end.
    std::fs::write(&config, "[api]\nport = 9303\n").unwrap();
    let told = doctor(&config, &folder.path().join("no-service"));
    assert_eq!((told.code, told.states("settings")), (Some(1), vec!["fault"]), "{}", told.text);
    assert_eq!(told.states("smart-card-service"), ["fault"], "{}", told.text);
    assert!(told.states("agent").is_empty() && !told.states("clock").is_empty(), "{}", told.text);
}

#[test]
fn a_reading_goes_on_beside_it_as_if_nobody_looked() {
    let desk = Desk::start();
    let config = desk.settings("doctor.toml", "");
    let card = people::card("cccd-2021");
    let chip = Chip::new(personalise(&card, &desk.issuer).unwrap());
    let (held, hold) = HeldCard::after(IN_THE_MIDDLE, chip);
    desk.bench.reader(0).unwrap().insert(held).unwrap();
    desk.agent.wait_for_card("Lane 0", true);
    let access = json!({ "access": { "can": card.can().unwrap() } });
    let asked = desk.agent.request(Method::POST, "/v1/reads").json(&access).send().unwrap();
    let path = asked.headers()["location"].to_str().unwrap().to_owned();
    hold.wait_until_reached();
    let told = desk.doctor(&config);
    let person = card.citizen().unwrap();
    assert!(!told.text.contains(&person.number) && !told.text.contains(&person.name), "{}", told.text);
    assert!(told.states("agent") == ["ok"] && told.states("agent.ready") == ["ok"], "{}", told.text);
    assert_eq!(desk.agent.get(&path)["state"], "running");
    drop(hold);
    desk.agent.wait_for("the end", || {
        !["waiting", "running"].contains(&desk.agent.get(&path)["state"].as_str().unwrap())
    });
    let read = desk.agent.get(&path);
    assert_eq!(read["state"], "completed", "{read}");
    let number = card.citizen().unwrap().number.clone();
    assert_eq!(desk.agent.get(&format!("{path}/result"))["record"]["number"]["value"], number);
}
