//! From a card on pcscd to evidence judged on another machine: through HTTP and the command line.

use std::path::Path;
use std::process::{Command, Output};

use cccd_firmware_sim::chip::Chip;
use cccd_firmware_sim::lies::{ChipLie, Lie};
use cccd_firmware_sim::personalise::{Issuer, personalise};
use cccd_firmware_sim::reader::pcscd::PcscBench;
use cccd_tests::{AgentUnderTest, OTHER_TOKEN, people};
use reqwest::Method;
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_agent-under-test");
const NONCE: &str = "00112233445566778899aabbccddeeff";

/// The program with these arguments, on the settings of an agent.
fn command(agent: &AgentUnderTest, arguments: &[&str]) -> Output {
    let config = agent.folder().join("agent.toml");
    let mut command = Command::new(PROGRAM);
    cccd_patience::output("the command", command.arg("--config").arg(config).args(arguments))
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> String {
    std::fs::create_dir_all(folder).unwrap();
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

/// What `verify` says of a file: its exit code, and its JSON.
fn verify(agent: &AgentUnderTest, arguments: &[&str]) -> (i32, Value) {
    let output = command(agent, &[&["verify", "--json"], arguments].concat());
    let said = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap(), said)
}

#[test]
fn a_reading_is_genuine_once_its_anchor_is_installed_and_its_evidence_proves_it_elsewhere() {
    let bench = PcscBench::start(&["Lane 0"]).unwrap();
    let agent = AgentUnderTest::start(PROGRAM, Some(bench.socket_path()));
    let card = people::card("cccd-2021");
    let issuer = Issuer::new().unwrap();
    bench.reader(0).unwrap().insert(Chip::new(personalise(&card, &issuer).unwrap())).unwrap();
    agent.wait_for_card("Lane 0", true);
    let ask = json!({ "access": { "qr": card.qr_text().unwrap() }, "nonce": NONCE });

    // Nobody has installed an anchor: neither genuine nor fake.
    let result = agent.read(&ask).result();
    assert_eq!(
        (&result["verdict"]["state"], &result["verdict"]["code"]),
        (&json!("unconfirmed"), &json!("unknown-anchor"))
    );
    assert_eq!(result["record"]["name"]["verified"], false);

    // The agent that runs takes up what is installed beside it.
    let anchors = agent.folder().join("anchors");
    let csca = write(&anchors, "csca.der", issuer.csca_der());
    let added = command(&agent, &["trust", "add", &csca, "--accept-unverified"]);
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    let result = agent.read(&ask).result();
    assert_eq!(result["verdict"]["state"], "genuine", "{}", result["verdict"]);
    assert_eq!(result["record"]["name"]["verified"], true);
    assert_eq!(result["scan_agrees"], true);
    // The reader passes for a device: it is the card's signer that says whose it is.
    assert_eq!(result["simulated"], true);
    for check in result["verdict"]["checks"].as_array().unwrap() {
        let name = check["check"].as_str().unwrap();
        let state = check["state"].as_str().unwrap();
        match name {
            "revocation" => assert_eq!(check["reason"]["code"], "no-revocation-list"),
            "chip-authentication-mapping" => assert_eq!(state, "not_offered"),
            "terminal-authentication" => assert_eq!(state, "skipped"),
            _ => assert_eq!(state, "passed", "{name}"),
        }
    }

    // The evidence: for whoever has the scope, and for nobody else's reading.
    let address = format!("/v1/reads/{}/evidence?groups=true", result["read_id"].as_str().unwrap());
    let stranger = agent.anonymous(Method::GET, &address).bearer_auth(OTHER_TOKEN).send().unwrap();
    assert_eq!(stranger.status(), 403);
    let file = agent.request(Method::GET, &address).send().unwrap().text().unwrap();
    let path = write(agent.folder(), "evidence.jws", file.as_bytes());

    // Elsewhere: the file, a folder with the anchor, the nonce, the name of the machine's key.
    let key = command(&agent, &["evidence-key"]);
    let key_id = String::from_utf8(key.stderr).unwrap();
    let key_id = key_id.trim().strip_prefix("--agent-key ").unwrap().to_owned();
    let anchors = anchors.to_str().unwrap();
    let all = [&path, "--anchors", anchors, "--nonce", NONCE, "--agent-key", &key_id];
    let (code, said) = verify(&agent, &all);
    // Whatever its chain says, a simulation's card is nobody's, and no program that asks for 0 takes it for a real one.
    assert_eq!((code, &said["verdict"]["state"]), (5, &json!("genuine")), "{said}");
    assert_eq!(said["simulated"], true);
    assert_eq!((&said["nonce_matches"], &said["agent_key_expected"]), (&json!(true), &json!(true)));
    let words = text(&command(&agent, &[&["verify"][..], &all].concat()));
    assert!(words.contains("THẺ THẬT · GENUINE") && words.contains("Nonce: khớp"), "{words}");
    assert!(words.starts_with("LẦN ĐỌC MÔ PHỎNG"), "{words}");

    // Another nonce, another key, another anchor, another byte.
    let (code, said) =
        verify(&agent, &[&path, "--anchors", anchors, "--nonce", "ffeeddccbbaa99887766554433221100"]);
    assert_eq!((code, &said["nonce_matches"]), (3, &json!(false)));
    let (code, said) = verify(&agent, &[&path, "--anchors", anchors, "--agent-key", "another"]);
    assert_eq!((code, &said["valid"]), (3, &json!(false)));
    let strange = agent.folder().join("strange");
    write(&strange, "csca.der", Issuer::new().unwrap().csca_der());
    let (code, said) = verify(&agent, &[&path, "--anchors", strange.to_str().unwrap()]);
    // It bears the same name, and its key has not signed the signer.
    assert!(code == 3 || code == 5, "{said}");
    assert_ne!(said["verdict"]["state"], "genuine");
    for at in (0..file.len()).step_by(file.len() / 40) {
        let mut changed = file.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let path = write(agent.folder(), "changed.jws", &changed);
        let (code, said) = verify(&agent, &[&path, "--anchors", anchors]);
        assert_eq!((code, &said["valid"]), (3, &json!(false)), "byte {at}");
    }
}

#[test]
fn a_copied_chip_is_told_from_the_true_one_through_http() {
    let bench = PcscBench::start(&["Lane 0"]).unwrap();
    let agent = AgentUnderTest::start(PROGRAM, Some(bench.socket_path()));
    let card = people::card("cccd-2021");
    let told = Lie::Chip(ChipLie::OtherActiveKey).tell(&card).unwrap();
    let csca = write(&agent.folder().join("anchors"), "csca.der", &told.trust.anchors[0]);
    assert!(command(&agent, &["trust", "add", &csca, "--accept-unverified"]).status.success());
    bench.reader(0).unwrap().insert(Chip::new(told.image)).unwrap();
    agent.wait_for_card("Lane 0", true);
    let result = agent.read(&json!({ "access": { "can": card.can().unwrap() } })).result();
    let verdict = &result["verdict"];
    assert_eq!((&verdict["state"], &verdict["code"]), (&json!("not_genuine"), &json!("proof-wrong")));
    assert!(verdict["reason_vi"].as_str().unwrap().contains("bản sao"));
    assert_eq!(result["record"]["name"]["verified"], false);
}
