//! Fingerprints through a real pcscd and HTTP: read by a certified station, locked for everybody else, and each in
//! the right words.

use std::path::Path;
use std::process::{Command, Output};

use cccd_document::FileId;
use cccd_firmware_sim::chip::Chip;
use cccd_firmware_sim::image::LengthOffer;
use cccd_firmware_sim::personalise::{CardDescription, Issuer, personalise};
use cccd_firmware_sim::pki::{CvAuthority, CvPlan, CvRights, PssParameters, SignerKind};
use cccd_firmware_sim::reader::pcscd::PcscBench;
use cccd_tests::{AgentUnderTest, Answer, OTHER_TOKEN, people};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use time::macros::date;

const PROGRAM: &str = env!("CARGO_BIN_EXE_agent-under-test");

/// A station's files, and the root of the authority that certified it.
struct Station {
    folder: TempDir,
    root: CvAuthority,
}

impl Station {
    /// A certified station after `change` has changed the plan of its own certificate.
    fn new(root: &str, signer: SignerKind, change: impl Fn(CvPlan) -> CvPlan) -> Self {
        let kind = |plan| CvPlan { signer, ..plan };
        let root = CvAuthority::root(CvPlan::root(root)).unwrap();
        let verifier = root.certify(kind(CvPlan::document_verifier("UTDVCA00001"))).unwrap();
        let own = verifier.certify(change(kind(CvPlan::terminal("UTTERM00001")))).unwrap();
        let folder = TempDir::new().unwrap();
        let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
        write("verifier.cvcert", verifier.certificate());
        write("station.cvcert", own.certificate());
        let this = Self { folder, root };
        this.write_key(&own.private_key_pkcs8().unwrap());
        this
    }

    fn usual() -> Self {
        Self::new("UTCVCA00001", brainpool(), |plan| plan)
    }

    fn write_key(&self, pkcs8: &[u8]) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.folder.path().join("key.der");
        std::fs::write(&path, pkcs8).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Its lines for the settings.
    fn terminal(&self) -> String {
        let folder = self.folder.path().display();
        format!("certificates = ['{folder}']\nkey_file = '{folder}/key.der'")
    }
}

fn brainpool() -> SignerKind {
    CvPlan::root("").signer
}

/// A card that trusts this root to certify stations.
fn card(root: &CvAuthority) -> CardDescription {
    people::card("cccd-2021").with_terminal_authentication(vec![root.clone()])
}

fn ask() -> Value {
    let can = people::card("cccd-2021").can().unwrap().to_owned();
    json!({ "access": { "can": can }, "biometrics": ["fingerprints", "irises"] })
}

/// A bench with a card that trusts `root`, and an agent with these lines in `[terminal]` that trusts the issuer.
fn desk(root: &CvAuthority, terminal: &str) -> (PcscBench, AgentUnderTest) {
    desk_with(card(root), terminal)
}

fn desk_with(card: CardDescription, terminal: &str) -> (PcscBench, AgentUnderTest) {
    let bench = PcscBench::start(&["Lane 0"]).unwrap();
    let agent = AgentUnderTest::start_as_station(PROGRAM, Some(bench.socket_path()), terminal);
    let issuer = Issuer::new().unwrap();
    let csca = agent.folder().join("csca.der");
    std::fs::write(&csca, issuer.csca_der()).unwrap();
    let added = command(&agent, None, &["trust", "add", csca.to_str().unwrap(), "--accept-unverified"]);
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    bench.reader(0).unwrap().insert(Chip::new(personalise(&card, &issuer).unwrap())).unwrap();
    agent.wait_for_card("Lane 0", true);
    (bench, agent)
}

/// The program with these arguments, on the settings of an agent.
fn command(agent: &AgentUnderTest, socket: Option<&Path>, arguments: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.arg("--config").arg(agent.folder().join("agent.toml")).args(arguments);
    if let Some(socket) = socket {
        command.env("PCSCLITE_CSOCK_NAME", socket);
    }
    cccd_patience::output("the command", &mut command)
}

fn check<'a>(result: &'a Value, name: &str) -> &'a Value {
    let checks = result["verdict"]["checks"].as_array().unwrap();
    checks.iter().find(|check| check["check"] == name).unwrap()
}

#[test]
fn a_certified_station_reads_fingerprints_and_hands_them_to_their_owner_until_they_are_wiped() {
    let station = Station::usual();
    let (bench, agent) = desk(&station.root, &station.terminal());

    let result = agent.read(&ask()).result();
    let fingerprints = &result["biometrics"]["fingerprints"];
    assert_eq!((&fingerprints["state"], &fingerprints["why"]), (&json!("read"), &Value::Null));
    let images = fingerprints["images"].as_array().unwrap();
    let positions: Vec<_> = images.iter().map(|image| image["position"].as_str().unwrap()).collect();
    assert_eq!(positions, ["right-index", "left-index"]);
    assert_eq!((&images[0]["width"], &images[0]["quality"]), (&json!(256), &json!(80)));
    assert_eq!(result["biometrics"]["irises"]["state"], "absent");
    assert_eq!(check(&result, "terminal-authentication")["state"], "passed");
    assert_eq!(result["verdict"]["state"], "genuine", "{}", result["verdict"]);
    let hash = result["hashes"].as_array().unwrap().iter().find(|hash| hash["file"] == "EF.DG3").unwrap();
    assert_eq!(hash["state"], "match");

    // Each picture in its own coding, for its owner alone.
    for image in images {
        let href = image["href"].as_str().unwrap();
        let picture = agent.request(Method::GET, href).send().unwrap();
        assert_eq!(picture.headers()["content-type"], "image/x-wsq");
        assert_eq!(picture.headers()["cache-control"], "no-store");
        let bytes = picture.bytes().unwrap();
        assert_eq!(json!(bytes.len()), image["bytes"]);
        assert!(bytes.starts_with(&[0xFF, 0xA0]) && bytes.ends_with(&[0xFF, 0xA1]));
        let stranger = agent.anonymous(Method::GET, href).bearer_auth(OTHER_TOKEN).send().unwrap();
        assert_eq!(Answer::of(stranger).code(), "scope-missing");
    }
    let read = format!("/v1/reads/{}", result["read_id"].as_str().unwrap());
    let get = |path: &str| Answer::of(agent.request(Method::GET, &format!("{read}{path}")).send().unwrap());
    assert_eq!(get("/biometrics/fingerprints/3").code(), "biometric-absent");
    assert_eq!(get("/biometrics/fingerprints/0").code(), "biometric-absent");
    assert_eq!(get("/biometrics/irises/1").code(), "biometric-absent");
    assert_eq!(get("/biometrics/faces/1").code(), "not-found");

    // In the evidence they stand where the groups are asked for; otherwise their hash does.
    for (query, there) in [("", false), ("?groups=true", true)] {
        let file =
            agent.request(Method::GET, &format!("{read}/evidence{query}")).send().unwrap().text().unwrap();
        let opened = cccd_evidence::open(&file, None).unwrap();
        assert_eq!(opened.evidence.bytes(FileId::DG3).is_some(), there, "{query}");
        assert_eq!(opened.digests.contains_key(&FileId::DG3), !there, "{query}");
        assert!(opened.evidence.proofs.terminal_authentication.done().is_some());
    }

    // At the terminal.
    let folder = agent.folder().join("prints");
    std::fs::create_dir(&folder).unwrap();
    let arguments = ["read", "--can", "123456", "--biometrics", "fingerprints", "--biometrics-out"];
    let arguments = [&arguments[..], &[folder.to_str().unwrap()]].concat();
    let said = command(&agent, Some(bench.socket_path()), &arguments);
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("fingerprints: right-index image/x-wsq"), "{said}");
    assert!(said.contains("irises: không yêu cầu · not asked for"), "{said}");
    assert!(folder.join("fingerprints-2-left-index.wsq").exists());

    // Wiped with the result.
    agent.request(Method::DELETE, &read).send().unwrap();
    assert_eq!(get("/biometrics/fingerprints/1").code(), "read-expired");
}

#[test]
fn fingerprints_are_touched_only_where_they_are_asked_for_by_whoever_may() {
    let station = Station::usual();
    let (_bench, agent) = desk(&station.root, &station.terminal());
    let mut without = ask();
    without.as_object_mut().unwrap().remove("biometrics");
    let result = agent.read(&without).result();
    for kind in ["fingerprints", "irises"] {
        assert_eq!(result["biometrics"][kind]["state"], "not_asked");
        assert_eq!(result["biometrics"][kind]["images"], json!([]));
    }
    let files = result["files"].as_array().unwrap();
    assert!(files.iter().all(|file| file["file"] != "EF.DG3"), "{files:?}");
    assert_eq!(check(&result, "terminal-authentication")["state"], "skipped");
    assert_eq!(result["verdict"]["state"], "genuine");

    let refused = agent.anonymous(Method::POST, "/v1/reads").bearer_auth(OTHER_TOKEN).json(&ask()).send();
    let refused = Answer::of(refused.unwrap());
    assert_eq!((refused.status, refused.code()), (403, "scope-missing"));
    assert!(agent.events().iter().filter(|(name, _)| name == "read.queued").count() <= 1, "it was not begun");
}

#[test]
fn long_certificates_and_signatures_of_rsa_reach_a_chip_of_short_lengths_in_pieces() {
    let pss = SignerKind::RsaPss { bits: 2048, parameters: PssParameters::Usual };
    let station = Station::new("UTCVCA00001", pss, |plan| plan);
    let (_bench, agent) =
        desk_with(card(&station.root).with_lengths(LengthOffer::Short), &station.terminal());
    let result = agent.read(&ask()).result();
    assert_eq!(result["biometrics"]["fingerprints"]["state"], "read", "{}", result["verdict"]);
}

#[test]
fn for_everybody_else_they_are_locked_and_the_card_is_as_genuine_as_before() {
    let trusted = Station::usual();
    let namesake = Station::usual();
    let foreign = Station::new("XACVCA00001", brainpool(), |plan| plan);
    for (terminal, root, code) in [
        (String::new(), &trusted.root, "station-not-set-up"),
        (foreign.terminal(), &trusted.root, "station-foreign"),
        (namesake.terminal(), &trusted.root, "station-refused"),
    ] {
        assert_locked(&terminal, root, code);
    }
    let expired = |plan: CvPlan| CvPlan { expires: date!(2022 - 12 - 31), ..plan };
    let expired = Station::new("UTCVCA00001", brainpool(), expired);
    assert_locked(&expired.terminal(), &expired.root, "station-out-of-date");
    let powerless = |plan: CvPlan| CvPlan { rights: CvRights::Neither, ..plan };
    let powerless = Station::new("UTCVCA00001", brainpool(), powerless);
    assert_locked(&powerless.terminal(), &powerless.root, "station-not-entitled");
}

fn assert_locked(terminal: &str, root: &CvAuthority, code: &str) {
    let (bench, agent) = desk(root, terminal);
    let result = agent.read(&ask()).result();
    let fingerprints = &result["biometrics"]["fingerprints"];
    assert_eq!(
        (&fingerprints["state"], &fingerprints["status"]),
        (&json!("locked"), &json!("6982")),
        "{code}"
    );
    assert_eq!(fingerprints["why"]["code"], code);
    assert!(!fingerprints["why"]["text_vi"].as_str().unwrap().is_ascii());
    let told = check(&result, "terminal-authentication");
    assert_eq!((&told["state"], &told["reason"]["code"]), (&json!("not_possible"), &json!(code)));
    assert_eq!(result["verdict"]["state"], "genuine", "{code}: {}", result["verdict"]);
    let said = command(
        &agent,
        Some(bench.socket_path()),
        &["read", "--can", "123456", "--biometrics", "fingerprints"],
    );
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("bị khóa · locked (6982)") && said.contains(code), "{said}");
}

#[test]
fn a_station_that_is_set_up_wrongly_does_not_start_and_says_why() {
    let (station, other) = (Station::usual(), Station::usual());
    let folder = TempDir::new().unwrap();
    let config = folder.path().join("agent.toml");
    let run = |terminal: &str, command: &str| {
        let text = format!(
            "[api]\nlisten = '127.0.0.1:0'\n[terminal]\n{terminal}\n[evidence]\nkey_file = '{0}/key.json'\n[trust]\ndirectory = '{0}/trust'\n",
            folder.path().display()
        );
        std::fs::write(&config, text).unwrap();
        let mut program = Command::new(PROGRAM);
        cccd_patience::output(command, program.arg("--config").arg(&config).arg(command))
    };
    let good = run(&station.terminal(), "check-config");
    let said = String::from_utf8(good.stdout).unwrap();
    assert!(good.status.success() && said.contains("UTCVCA00001 > UTDVCA00001 > UTTERM00001"), "{said}");

    let stolen = std::fs::read(other.folder.path().join("key.der")).unwrap();
    station.write_key(&stolen);
    for command in ["check-config", "run"] {
        let bad = run(&station.terminal(), command);
        let said = String::from_utf8(bad.stderr).unwrap();
        assert!(
            !bad.status.success() && said.contains("does not belong to the certificate of UTTERM00001"),
            "{said}"
        );
    }
}
