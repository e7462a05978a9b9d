//! The agent over TLS, as curl and OpenSSL see it: neither had a part in making its certificates.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use cccd_tests::{AgentUnderTest, CALLER_TOKEN};
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::x509::X509;
use serde_json::Value;
use tempfile::TempDir;

use super::PROGRAM;

/// An agent with both doors.
struct Desk {
    agent: AgentUnderTest,
    port: u16,
    authority: PathBuf,
}

/// What curl told: the status (0 without an answer), the body, and its own exit code.
struct Told {
    status: u16,
    body: Value,
    exit: i32,
}

/// curl's word for a certificate it does not trust.
const NOT_TRUSTED: i32 = 60;

impl Desk {
    fn start() -> Self {
        let folder = Arc::new(TempDir::new().unwrap());
        let tls = folder.path().join("tls");
        let settings = format!(
            "[api]\nlisten = '127.0.0.1:0'\n[api.tls]\nlisten = '127.0.0.1:0'\nfolder = '{}'\n",
            tls.display()
        );
        let agent = AgentUnderTest::start_in(folder, PROGRAM, None, &settings);
        let log = agent.log();
        let line = log.lines().find(|line| line.contains("https address=")).unwrap().to_owned();
        let port = line.rsplit(':').next().unwrap().trim().parse().unwrap();
        Self { agent, port, authority: tls.join("ca.pem") }
    }

    /// `@` in an address stands for the port.
    fn curl(&self, arguments: &[&str]) -> Told {
        let port = self.port.to_string();
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--noproxy", "*", "--max-time", "60", "-w", "\n%{http_code}"]);
        curl.args(["-H", &format!("Authorization: Bearer {CALLER_TOKEN}")]);
        let output =
            cccd_patience::output("curl", curl.args(arguments.iter().map(|text| text.replace('@', &port))));
        let said = String::from_utf8(output.stdout).unwrap();
        let (body, status) = said.rsplit_once('\n').unwrap();
        Told {
            status: status.trim().parse().unwrap(),
            body: serde_json::from_str(body).unwrap_or(Value::Null),
            exit: output.status.code().unwrap(),
        }
    }

    fn trusting(&self, arguments: &[&str]) -> Told {
        let authority = self.authority.to_str().unwrap();
        self.curl(&[&["--cacert", authority], arguments].concat())
    }
}

#[test]
fn the_api_is_the_same_over_https_for_whoever_trusts_this_machines_authority() {
    let desk = Desk::start();
    for version in ["--tlsv1.3", "--tlsv1.2"] {
        let told = desk.trusting(&[version, "https://127.0.0.1:@/v1/readers"]);
        assert_eq!((told.status, told.exit), (200, 0), "{version}");
        assert!(told.body["readers"].is_array());
    }
    let by_name = desk.trusting(&["--resolve", "localhost:@:127.0.0.1", "https://localhost:@/v1/readers"]);
    assert_eq!(by_name.status, 200);
    // Without the authority, and under a name it may not sign for, there is no connection at all.
    assert_eq!(desk.curl(&["https://127.0.0.1:@/v1/readers"]).exit, NOT_TRUSTED);
    let foreign = ["--resolve", "evil.example:@:127.0.0.1", "https://evil.example:@/v1/readers"];
    assert_eq!(desk.trusting(&foreign).exit, NOT_TRUSTED);

    // Host, Origin and token are as strict as on the other port.
    let rebound = desk.curl(&[&["-k"], &foreign[..]].concat());
    assert_eq!((rebound.status, &rebound.body["code"]), (421, &Value::from("host-not-allowed")));
    let plain_port = desk.agent.address().to_owned();
    for (header, status, code) in [
        (format!("Host: {plain_port}"), 421, "host-not-allowed"),
        ("Origin: https://evil.example".to_owned(), 403, "origin-not-allowed"),
        ("Origin: null".to_owned(), 403, "origin-not-allowed"),
        ("Authorization: Bearer wrong".to_owned(), 401, "token-wrong"),
    ] {
        let told = desk.trusting(&["-H", &header, "https://127.0.0.1:@/v1/readers"]);
        assert_eq!((told.status, &told.body["code"]), (status, &Value::from(code)), "{header}");
    }
    // And the other port is what it was.
    assert_eq!(desk.agent.readers(), Vec::<Value>::new());
    let crossed = desk.curl(&["-k", &format!("https://{plain_port}/v1/readers")]);
    assert_eq!(crossed.status, 0);
}

#[test]
fn whoever_speaks_plain_http_to_it_is_told_so() {
    let desk = Desk::start();
    let large = "x".repeat(40_000);
    for more in [vec![], vec!["-d", "{}", "-H", "Content-Type: application/json"], vec!["-d", &large]] {
        let told = desk.curl(&[&more[..], &["http://127.0.0.1:@/v1/reads"]].concat());
        assert_eq!((told.status, &told.body["code"]), (400, &Value::from("tls-required")), "{more:?}");
    }
    // What is neither, what says nothing, and what breaks off in the handshake keep nobody out.
    let mut held = Vec::new();
    for bytes in [&b"\x00\x01\x02"[..], b"", b"\x16", b"\x16\x03\x01\xFF\xFF\x01"] {
        let mut stream = TcpStream::connect(("127.0.0.1", desk.port)).unwrap();
        stream.write_all(bytes).unwrap();
        held.push(stream);
    }
    let mut broken = cccd_patience::patient(TcpStream::connect(("127.0.0.1", desk.port)).unwrap());
    broken.write_all(&[&b"\x16\x03\x01\x00\x04"[..], &[0xFF; 64]].concat()).unwrap();
    let mut answer = Vec::new();
    let _ = broken.read_to_end(&mut answer);
    // An alert (RFC 8446, 6), and the end.
    assert!(answer.is_empty() || answer[0] == 21, "{answer:?}");
    assert_eq!(desk.trusting(&["https://127.0.0.1:@/v1/readers"]).status, 200);
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The private keys that a text holds.
fn private_keys(text: &str) -> Vec<PKey<openssl::pkey::Private>> {
    let blocks = text.match_indices("-----BEGIN ").map(|(at, _)| &text[at..]);
    // OpenSSL passes over what is no key.
    let keys =
        blocks.filter(|block| block.lines().next().is_some_and(|line| line.ends_with("PRIVATE KEY-----")));
    keys.filter_map(|block| PKey::private_key_from_pem(block.as_bytes()).ok()).collect()
}

#[test]
fn the_authoritys_key_is_nowhere_and_it_stays_the_same_over_a_restart() {
    let desk = Desk::start();
    let authority = X509::from_pem(&std::fs::read(&desk.authority).unwrap()).unwrap();
    let its_key = authority.public_key().unwrap();
    let folder = desk.agent.same_folder();
    let mut keys = 0;
    for file in files(folder.path()) {
        let text = String::from_utf8_lossy(&std::fs::read(&file).unwrap()).into_owned();
        for key in private_keys(&text) {
            assert!(!key.public_eq(&its_key), "{}", file.display());
            keys += 1;
        }
    }
    assert_eq!(keys, 1, "the certificate's own");
    assert!(!desk.agent.log().contains("PRIVATE"));

    let config = folder.path().join("agent.toml");
    let mut tls = Command::new(PROGRAM);
    let shown = cccd_patience::output("cccd-agent tls", tls.arg("--config").arg(&config).arg("tls"));
    let shown = String::from_utf8(shown.stdout).unwrap();
    let digest = hex::encode_upper(authority.digest(MessageDigest::sha256()).unwrap());
    assert!(shown.contains(&digest) && shown.contains(desk.authority.to_str().unwrap()), "{shown}");

    let settings = std::fs::read_to_string(&config).unwrap();
    let settings = settings.split("[evidence]").next().unwrap().to_owned();
    drop(desk);
    let again = AgentUnderTest::start_in(Arc::clone(&folder), PROGRAM, None, &settings);
    let kept = X509::from_pem(&std::fs::read(folder.path().join("tls/ca.pem")).unwrap()).unwrap();
    assert_eq!(kept.to_der().unwrap(), authority.to_der().unwrap());
    drop(again);
}
