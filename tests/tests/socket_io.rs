//! Socket.IO's own client at our door, and its own server as the reader of our driver: what programs and readers of the
//! field are made with. `cargo xtask setup` brings both.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use cccd_firmware_sim::chip::Chip;
use cccd_firmware_sim::personalise::{CardDescription, Issuer, personalise};
use cccd_firmware_sim::reader::own_certificate::{Made, OwnCertificate};
use cccd_tests::{AgentUnderTest, CALLER_TOKEN, OTHER_TOKEN, OpenDesk, manual, open_desk, people};
use openssl::base64::{decode_block, encode_block};
use openssl::hash::{MessageDigest, hash};
use openssl::x509::X509;
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_agent-under-test");
const PATIENCE: Duration = Duration::from_secs(60);
const DOOR: &str = "[[door]]\nkind = 'hn212'\ncaller = 'clinic'\nreader = 'lane-0'\nlisten = '127.0.0.1:0'\n";

/// Where `cargo xtask setup` puts the library: beside what cargo builds.
fn library() -> PathBuf {
    let folder = Path::new(PROGRAM).ancestors().nth(2).unwrap().join("socket-io/node_modules");
    assert!(folder.join("socket.io").exists(), "no Socket.IO here: `cargo xtask setup` installs it");
    folder
}

/// A program in JavaScript, which says what happens in lines of JSON and is told what to do in the same.
struct Script {
    child: Child,
    orders: Option<ChildStdin>,
    lines: Receiver<Value>,
    /// Everything it has said so far.
    said: Vec<Value>,
}

impl Script {
    fn start(name: &str, environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new("node")
            .arg(manual::repository("tests/socket-io").join(name))
            .env("NODE_PATH", library())
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node; `cargo xtask setup` installs it");
        let (telling, lines) = mpsc::channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _ = telling.send(serde_json::from_str(&line).unwrap_or(Value::String(line)));
            }
        });
        let orders = child.stdin.take();
        Self { child, orders, lines, said: Vec::new() }
    }

    /// Has it send an event.
    fn send(&mut self, name: &str, argument: &Value) {
        let line = format!("{}\n", json!([name, argument]));
        self.orders.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
    }

    /// Waits until it says something of which this is true; what it says is taken out of order.
    fn hear<T>(&mut self, what: &str, mut is_it: impl FnMut(&Value) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let mut looked_at = 0;
        loop {
            while let Some(line) = self.said.get(looked_at) {
                if let Some(found) = is_it(line) {
                    self.said.remove(looked_at);
                    return found;
                }
                looked_at += 1;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => self.said.push(line),
                Err(error) => panic!("waited in vain for {what}: {error}; it said {:?}", self.outline()),
            }
        }
    }

    /// Waits for a message about cards with this id.
    fn message(&mut self, id: u64) -> Value {
        self.hear(&format!("message {id}"), |line| {
            let is_it = line["event"] == "/event" && line["argument"]["id"] == id;
            is_it.then(|| line["argument"].clone())
        })
    }

    /// Which member a line begins with, and what is in it; never what is about a person.
    fn outline(&self) -> Vec<String> {
        let outline = |line: &Value| match line["event"].as_str() {
            Some(event) => format!("{event} {}", line["argument"]["id"]),
            None => line.to_string(),
        };
        self.said.iter().map(outline).collect()
    }
}

impl Drop for Script {
    /// It leaves when its input ends, and its output ends with it.
    fn drop(&mut self) {
        drop(self.orders.take());
        let deadline = Instant::now() + PATIENCE;
        while self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_ok() {}
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client at this door, with these options beside the token.
fn client(desk: &OpenDesk, token: &str, options: Value) -> Script {
    let mut options = options;
    options["auth"] = json!({ "token": token });
    let door = format!("http://{}", desk.doors()[0]);
    Script::start("client.js", &[("CCCD_DOOR", &door), ("CCCD_OPTIONS", &options.to_string())])
}

/// Waits until it is let in, and tells over what it began.
fn connected(client: &mut Script) -> String {
    let over = client.hear("an opening", |line| line["opened"].as_str().map(str::to_owned));
    client.hear("a connection", |line| {
        assert!(line["refused"].is_null(), "refused: {line}");
        line["connected"].is_string().then_some(())
    });
    over
}

fn upgraded(client: &mut Script) {
    let over = client.hear("an upgrade", |line| line["upgraded"].as_str().map(str::to_owned));
    assert_eq!(over, "websocket");
}

/// A card is scanned, and the client hears all of it.
fn hears_a_reading(desk: &OpenDesk, client: &mut Script) {
    desk.scan(open_desk::card().qr_text().unwrap().as_bytes());
    assert_eq!(client.message(1)["message"], "new card!");
    let text = client.message(2);
    assert_eq!(text["data"]["idCode"], "000090123456");
    assert_eq!(text["data"]["personName"], open_desk::card().citizen().unwrap().name.as_str());
    let files = client.message(4);
    let face = decode_block(files["data"]["img_data"].as_str().unwrap()).unwrap();
    assert_eq!(face, open_desk::card().portrait().bytes());
    for file in ["sod", "dg1", "dg2", "dg13", "dg14", "dg15"] {
        assert!(!files["data"][file].as_str().unwrap().is_empty(), "{file}");
    }
    // The hashes are those of the files, and the certificate is one.
    let hashes = client.message(5)["data"].clone();
    assert_eq!((&hashes["CA"], &hashes["AA"]["aa_signature"]), (&json!("1"), &json!("")));
    let bytes = |value: &Value| decode_block(value.as_str().unwrap()).unwrap();
    for group in ["dg1", "dg2", "dg13", "dg14", "dg15"] {
        let computed = hash(MessageDigest::sha256(), &bytes(&files["data"][group])).unwrap();
        assert_eq!(bytes(&hashes["PA"][format!("hash_{group}")]), &*computed, "{group}");
    }
    assert_eq!(hashes["PA"]["sod"], files["data"]["sod"]);
    X509::from_der(&bytes(&hashes["PA"]["cert"])).unwrap();
}

#[test]
fn a_client_that_is_told_nothing_begins_by_asking_and_goes_over_to_a_websocket() {
    let desk = OpenDesk::start_with(DOOR);
    let mut client = client(&desk, CALLER_TOKEN, json!({}));
    assert_eq!(connected(&mut client), "polling");
    upgraded(&mut client);
    client.hear("the reader's numbers", |line| (line["event"] == "/info").then_some(()));
    hears_a_reading(&desk, &mut client);
    // And again: nothing of the first is in the way.
    hears_a_reading(&desk, &mut client);
}

#[test]
fn a_client_that_only_asks_and_one_that_never_does_hear_the_same() {
    let desk = OpenDesk::start_with(DOOR);
    let mut polling = client(&desk, CALLER_TOKEN, json!({ "transports": ["polling"] }));
    let mut websocket = client(&desk, CALLER_TOKEN, json!({ "transports": ["websocket"] }));
    assert_eq!(
        (connected(&mut polling).as_str(), connected(&mut websocket).as_str()),
        ("polling", "websocket")
    );
    hears_a_reading(&desk, &mut polling);
    assert_eq!(websocket.message(2)["data"]["idCode"], "000090123456");
    assert!(!websocket.message(4)["data"]["img_data"].as_str().unwrap().is_empty());
}

#[test]
fn a_client_with_the_token_in_a_header_is_let_in_too() {
    let desk = OpenDesk::start_with(DOOR);
    let header = json!({ "extraHeaders": { "Authorization": format!("Bearer {CALLER_TOKEN}") } });
    let door = format!("http://{}", desk.doors()[0]);
    let environment = [("CCCD_DOOR", door.as_str()), ("CCCD_OPTIONS", &header.to_string())];
    let mut client = Script::start("client.js", &environment);
    assert_eq!(connected(&mut client), "polling");
    upgraded(&mut client);
    hears_a_reading(&desk, &mut client);
}

#[test]
fn whoever_shows_another_token_hears_which_problem_it_is_and_nothing_else() {
    let desk = OpenDesk::start_with(DOOR);
    for (token, code) in [("wrong", "token-wrong"), (OTHER_TOKEN, "door-not-granted")] {
        for transports in [json!(["polling", "websocket"]), json!(["polling"]), json!(["websocket"])] {
            let mut client = client(&desk, token, json!({ "transports": transports }));
            let refused = client.hear("a refusal", |line| {
                assert!(line["connected"].is_null() && line["event"].is_null(), "{line}");
                line["refused"].is_string().then(|| line.clone())
            });
            assert_eq!((&refused["refused"], &refused["code"]), (&json!(code), &json!(code)), "{transports}");
        }
    }
    assert!(desk.audit().iter().any(|entry| entry.contains("door-not-granted")));
}

#[test]
fn an_order_to_read_again_reads_what_lies_there_with_what_it_names() {
    let desk = OpenDesk::start_with(DOOR);
    let mut client = client(&desk, CALLER_TOKEN, json!({}));
    connected(&mut client);
    upgraded(&mut client);
    let order = |number: &str| json!({ "idCode": number, "dateOfBirth": "02011990", "expiryDate": "02012030", "clientId": "1" });
    client.send("/input_data", &order("000090123457"));
    let failed = client.message(3)["message"].as_str().unwrap().to_owned();
    assert!(failed.starts_with("access-key-wrong"), "{failed}");
    let mut orders = vec![order("000090123456")];
    // A card without expiry, as the maker's text writes it: another key of this card opens it all the same.
    orders.push(order("000090123456"));
    orders[1]["expiryDate"] = json!("02012099");
    orders.push(json!({ "idCode": "000090123456" }));
    for order in orders {
        client.send("/input_data", &order);
        assert_eq!(client.message(2)["data"]["idCode"], "000090123456");
        client.message(4);
        client.message(5);
    }
    client.send("/input_data", &json!({ "idCode": 90123456 }));
    assert!(client.message(3)["message"].as_str().unwrap().starts_with("body-invalid"));
    client.send("/input_data", &json!({ "idCode": "12", "dateOfBirth": "31021990", "expiryDate": "" }));
    assert!(client.message(3)["message"].as_str().unwrap().starts_with("access-key-invalid"));
}

#[test]
fn nobody_elses_challenge_is_signed_and_whoever_asks_hears_why() {
    let desk = OpenDesk::start_with(DOOR);
    let mut client = client(&desk, CALLER_TOKEN, json!({}));
    connected(&mut client);
    hears_a_reading(&desk, &mut client);
    client.send("/get_aa", &json!({ "clientId": "1", "challenge": encode_block(&[7; 8]) }));
    let failed = client.message(3)["message"].as_str().unwrap().to_owned();
    assert!(failed.starts_with("challenge-refused: "), "{failed}");
    // It goes on as before.
    hears_a_reading(&desk, &mut client);
    drop(client);
    let log = desk.audit();
    let entry = log.iter().find(|entry| entry.contains("challenge-refused")).expect("an entry of it");
    assert!(entry.contains("clinic"), "{entry}");
}

/// What a reader of the field says of this card, in the members of the maker's description.
fn files(card: &CardDescription, chip: &Chip) -> Value {
    let mut data = json!({ "img_data": encode_block(card.portrait().bytes()) });
    for (file, content) in chip.opened_files() {
        let member = match file {
            0x011D => "sod".to_owned(),
            0x0101..=0x0110 => format!("dg{}", file & 0xFF),
            _ => continue,
        };
        data[member] = Value::String(encode_block(&content));
    }
    json!({ "id": 4, "message": "Read raw data successfully!", "data": data })
}

/// Reads a card on this reader, whose settings are these, and looks at what came of it.
fn reads_on(reader: &mut Script, settings: &str) {
    let agent = AgentUnderTest::start_with_tables(PROGRAM, None, "", settings);
    agent.wait_for_card("Network 0", false);
    let transport = reader.hear("the agent", |line| line["came"].as_str().map(str::to_owned));
    assert_eq!(transport, "websocket");
    let card = people::card("cccd-2021");
    let mut chip = Chip::new(personalise(&card, &Issuer::new().unwrap()).unwrap());
    let body =
        json!({ "access": { "can": card.can().unwrap() }, "reader": "network-0", "wait_for_card_s": 60 });
    let answer = std::thread::scope(|scope| {
        let reading = scope.spawn(|| agent.read(&body));
        agent.wait_for("the reading", || agent.events().iter().any(|(name, _)| name == "read.queued"));
        reader.send("/event", &json!({ "id": 1, "message": "new card!" }));
        reader.send("/event", &files(&card, &chip));
        // The agent draws what the chip signs.
        let asked = reader.hear("a challenge", |line| {
            (line["event"] == "/get_aa").then(|| line["argument"]["challenge"].as_str().unwrap().to_owned())
        });
        let signature = chip.signed(&decode_block(&asked).unwrap()).unwrap();
        let data = json!({ "aa_signature": encode_block(&signature), "aa_challege": asked });
        reader.send("/event", &json!({ "id": 7, "data": data }));
        reading.join().unwrap()
    });
    let result = answer.result();
    assert_eq!(result["record"]["number"]["value"], "000090123456");
    let checks = result["verdict"]["checks"].as_array().unwrap();
    let signed = checks.iter().find(|check| check["check"] == "active-authentication").unwrap();
    assert_eq!(signed["state"], "passed");
}

#[test]
fn our_driver_reads_on_a_reader_that_is_made_with_socket_io() {
    let mut reader = Script::start("reader.js", &[]);
    let port = reader.hear("its port", |line| line["port"].as_u64());
    reads_on(
        &mut reader,
        &format!("[[network_reader]]\nname = 'Network 0'\naddress = 'http://127.0.0.1:{port}'\n"),
    );
}

#[test]
fn and_over_https_with_the_certificate_that_it_made_itself() {
    let certificate = OwnCertificate::make(Made::Formerly).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("reader.pem");
    std::fs::write(&file, certificate.with_key().unwrap()).unwrap();
    let mut reader = Script::start("reader.js", &[("CCCD_TLS", file.to_str().unwrap())]);
    let port = reader.hear("its port", |line| line["port"].as_u64());
    let hash = certificate.sha256().unwrap();
    let settings = |scheme: &str, more: &str| {
        format!("[[network_reader]]\nname = 'Network 0'\naddress = '{scheme}://127.0.0.1:{port}'\n{more}\n")
    };
    reads_on(&mut reader, &settings("https", &format!("certificate_sha256 = '{hash}'")));
    // The wrong scheme is told, and told apart from a reader that is not there.
    let agent = AgentUnderTest::start_with_tables(PROGRAM, None, "", &settings("http", ""));
    assert!(agent.wait_for_log("reader-scheme-wrong").contains(&hash));
}

#[test]
fn a_reader_in_the_open_is_not_taken_for_one_under_https() {
    let mut reader = Script::start("reader.js", &[]);
    let port = reader.hear("its port", |line| line["port"].as_u64());
    let settings = format!("[[network_reader]]\nname = 'Network 0'\naddress = 'https://127.0.0.1:{port}'\n");
    let agent = AgentUnderTest::start_with_tables(PROGRAM, None, "", &settings);
    agent.wait_for_log("reader-scheme-wrong");
}
