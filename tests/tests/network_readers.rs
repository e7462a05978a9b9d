//! The whole agent over a reader of the HN212 class that is software: good, wrong in every way it can be, and lying.

use cccd_firmware_sim::chip::Chip;
use cccd_firmware_sim::image::ChipImage;
use cccd_firmware_sim::personalise::{CardDescription, Issuer, personalise};
use cccd_firmware_sim::reader::hn212::{Hn212, Hn212Fault};
use cccd_firmware_sim::reader::own_certificate::{Made, OwnCertificate};
use cccd_firmware_sim::reader::pcscd::PcscBench;
use cccd_tests::{AgentUnderTest, Answer, OTHER_TOKEN, people};
use reqwest::Method;
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_agent-under-test");
const CARD: &str = "cccd-2021";
const READER: &str = "network-0";

fn table(reader: &Hn212) -> String {
    format!("[[network_reader]]\nname = 'Network 0'\naddress = 'http://{}'\n", reader.address())
}

fn image(card: &CardDescription) -> ChipImage {
    personalise(card, &Issuer::new().unwrap()).unwrap()
}

fn chip() -> Chip {
    Chip::new(image(&people::card(CARD)))
}

/// What is in the MRZ opens every card.
fn access(card: &CardDescription) -> Value {
    let key = card.mrz_key();
    json!({ "mrz": { "document_number": key.document_number, "birth": key.birth, "expiry": key.expiry } })
}

fn can() -> Value {
    json!({ "can": people::card(CARD).can().unwrap() })
}

/// An agent with one network reader, which it has found.
fn desk(readings: &str) -> (Hn212, AgentUnderTest) {
    let reader = Hn212::plugged().unwrap();
    let agent = AgentUnderTest::start_with_tables(PROGRAM, None, readings, &table(&reader));
    agent.wait_for_card("Network 0", false);
    (reader, agent)
}

/// Asks for a reading, and lays the card down once it waits.
fn read_as_it_comes(agent: &AgentUnderTest, body: &Value, lay: impl FnOnce() + Send) -> Answer {
    let queued = || agent.events().iter().filter(|(name, _)| name == "read.queued").count();
    let before = queued();
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| agent.read(body));
        agent.wait_for("the reading", || queued() > before);
        lay();
        reading.join().unwrap()
    })
}

fn state(result: &Value, check: &str) -> (String, Value) {
    let checks = result["verdict"]["checks"].as_array().unwrap();
    let check = checks.iter().find(|one| one["check"] == check).unwrap();
    (check["state"].as_str().unwrap().to_owned(), check["reason"]["code"].clone())
}

fn outcome(result: &Value, file: &str) -> Value {
    let files = result["files"].as_array().unwrap();
    files.iter().find(|one| one["file"] == file).map_or(Value::Null, |one| one["outcome"].clone())
}

#[test]
fn every_shipped_card_has_the_same_record_as_through_pcscd() {
    let bench = PcscBench::start(&["Lane 0"]).unwrap();
    let lane = bench.reader(0).unwrap();
    let reader = Hn212::plugged().unwrap();
    let agent = AgentUnderTest::start_with_tables(PROGRAM, Some(bench.socket_path()), "", &table(&reader));
    agent.wait_for_card("Network 0", false);
    let mut read = 0;
    for (name, card) in people::cards() {
        let image = image(&card);
        lane.insert(Chip::new(image.clone())).unwrap();
        let id = agent.wait_for_card("Lane 0", true);
        let through_pcscd = agent.read(&json!({ "access": access(&card), "reader": id })).result();
        let body = json!({ "access": access(&card), "reader": READER, "wait_for_card_s": 60 });
        let over_network =
            read_as_it_comes(&agent, &body, || reader.insert(&card, Chip::new(image))).result();

        assert_eq!(over_network["record"], through_pcscd["record"], "{name}");
        assert_eq!(over_network["hashes"], through_pcscd["hashes"], "{name}");
        let [ours, theirs] = [&over_network, &through_pcscd].map(|result| {
            let portrait = format!("/v1/reads/{}/portrait", result["read_id"].as_str().unwrap());
            agent.request(Method::GET, &portrait).send().unwrap().bytes().unwrap()
        });
        assert_eq!(ours, theirs, "{name}: portrait");
        for file in over_network["files"].as_array().unwrap() {
            assert!(through_pcscd["files"].as_array().unwrap().contains(file), "{name}: {file}");
        }
        assert_eq!(over_network["access"]["protocol"], "reader", "{name}");
        assert_eq!(over_network["access"]["cipher"], Value::Null, "{name}");
        // What is signed is judged as ever; the challenge that the chip signs is ours; the rest nobody has seen.
        for check in over_network["verdict"]["checks"].as_array().unwrap() {
            let word = check["check"].as_str().unwrap();
            let seen = state(&through_pcscd, word);
            match word {
                "card-access" => {
                    assert_eq!(
                        state(&over_network, word),
                        ("not_possible".to_owned(), json!("access-unseen"))
                    );
                }
                "chip-authentication" | "chip-authentication-mapping" if seen.0 != "not_offered" => {
                    assert_eq!(state(&over_network, word).0, "not_possible", "{name} {word}");
                }
                _ => assert_eq!(state(&over_network, word), seen, "{name} {word}"),
            }
        }
        assert_ne!(over_network["verdict"]["state"], "genuine", "{name}");
        drop(lane.remove());
        agent.wait_for_card("Lane 0", false);
        read += 1;
    }
    assert!(read >= 11, "only {read} cards");
    let names: Vec<String> = agent.events().into_iter().map(|(name, _)| name).collect();
    for name in ["reader.attached", "card.inserted", "card.removed", "read.partial", "read.completed"] {
        assert!(names.iter().any(|told| told == name), "{name}");
    }
}

#[test]
fn whatever_goes_wrong_has_its_code_and_the_reader_comes_back() {
    let (reader, agent) = desk("wait_for_return_s = 0\nexchange_within_s = 2");
    let card = people::card(CARD);
    let body = json!({ "access": can(), "reader": READER, "wait_for_card_s": 60 });
    for (fault, code) in [
        (Hn212Fault::CutsTheLine, "reader-lost"),
        (Hn212Fault::HalfAnEvent, "reader-lost"),
        (Hn212Fault::MalformedJson, "reader-lost"),
        (Hn212Fault::TooLong, "reader-lost"),
        (Hn212Fault::Silent, "reader-hung"),
        (Hn212Fault::Fails, "card-mute"),
    ] {
        let admitted = reader.admitted();
        let lay = || reader.insert_going_wrong(&card, chip(), fault.clone());
        let answer = read_as_it_comes(&agent, &body, lay);
        assert_eq!(answer.code(), code, "{fault:?}");
        if code == "reader-lost" {
            agent.wait_for("the reader", || reader.admitted() > admitted);
            agent.wait_for("the reader", || !agent.readers().is_empty());
        }
    }
    for fault in [Hn212Fault::OutOfOrder, Hn212Fault::WrongBase64, Hn212Fault::SignsNothing] {
        let lay = || reader.insert_going_wrong(&card, chip(), fault.clone());
        let result = read_as_it_comes(&agent, &body, lay).result();
        assert_eq!(result["record"]["number"]["value"], "000090123456", "{fault:?}");
        match fault {
            Hn212Fault::WrongBase64 => assert_eq!(outcome(&result, "EF.DG14"), "malformed"),
            Hn212Fault::SignsNothing => assert_eq!(
                state(&result, "active-authentication"),
                ("not_possible".to_owned(), json!("proof-not-carried"))
            ),
            _ => {}
        }
    }
}

#[test]
fn a_group_that_is_not_given_is_named_and_one_that_is_not_wanted_is_not_kept() {
    let (reader, agent) = desk("");
    let card = people::card(CARD);
    let body = json!({ "access": can(), "reader": READER, "wait_for_card_s": 60 });
    let without = |groups: &[u8]| Hn212Fault::Without(groups.to_vec());
    let lay = || reader.insert_going_wrong(&card, chip(), without(&[2, 13, 14]));
    let result = read_as_it_comes(&agent, &body, lay).result();
    for file in ["EF.DG2", "EF.DG13", "EF.DG14"] {
        assert_eq!(outcome(&result, file), "not_given", "{file}");
    }
    assert_eq!(result["portrait"], Value::Null);
    assert_eq!(result["record"]["number"]["source"], "EF.DG1");
    assert_eq!(state(&result, "chip-authentication"), ("not_possible".to_owned(), json!("proof-key-unread")));

    // As the integrator's description has it: no DG1 at all.
    let lay = || reader.insert_going_wrong(&card, chip(), without(&[1]));
    let result = read_as_it_comes(&agent, &body, lay).result();
    assert_eq!(
        (outcome(&result, "EF.DG1"), outcome(&result, "EF.DG13")),
        (json!("not_given"), json!("read"))
    );

    let body = json!({
        "access": can(), "reader": READER, "wait_for_card_s": 60, "fields": ["number"], "portrait": false,
    });
    let result = read_as_it_comes(&agent, &body, || reader.insert(&card, chip())).result();
    assert_eq!(outcome(&result, "EF.DG2"), Value::Null);
    assert_eq!(result["record"]["name"], Value::Null);
    assert_eq!(result["record"]["number"]["value"], "000090123456");
}

#[test]
fn whoever_shows_another_cards_key_gets_nothing_and_the_card_is_gone() {
    let (reader, agent) = desk("");
    reader.insert(&people::card(CARD), chip());
    agent.wait_for_card("Network 0", true);
    let body = json!({ "access": { "can": "654321" }, "reader": READER });
    assert_eq!(agent.read(&body).code(), "access-key-wrong");
    agent.wait_for_card("Network 0", false);
    let body = json!({ "access": can(), "reader": READER, "wait_for_card_s": 1 });
    assert_eq!(agent.read(&body).code(), "no-card");
}

#[test]
fn what_was_altered_and_a_chip_that_signs_something_else_are_not_genuine() {
    let (reader, agent) = desk("");
    let card = people::card(CARD);
    let body = json!({ "access": can(), "reader": READER, "wait_for_card_s": 60 });
    let mut altered = image(&card);
    *altered.emrtd.get_mut(&0x0102).unwrap().content.last_mut().unwrap() ^= 1;
    let result = read_as_it_comes(&agent, &body, || reader.insert(&card, Chip::new(altered))).result();
    assert_eq!(result["verdict"]["state"], "not_genuine");
    assert_eq!(state(&result, "group-hashes"), ("failed".to_owned(), json!("group-hash-mismatch")));

    let lay = || reader.insert_going_wrong(&card, chip(), Hn212Fault::SignsAnother);
    let result = read_as_it_comes(&agent, &body, lay).result();
    assert_eq!(result["verdict"]["state"], "not_genuine");
    assert_eq!(state(&result, "active-authentication"), ("failed".to_owned(), json!("proof-wrong")));
}

#[test]
fn leases_and_expectations_are_kept_as_on_any_other_reader() {
    let (reader, agent) = desk("");
    let card = people::card(CARD);
    let lease = format!("/v1/readers/{READER}/lease");
    let leased = agent.request(Method::POST, &lease).json(&json!({ "seconds": 60 })).send().unwrap();
    assert!(leased.status().is_success(), "{}", leased.text().unwrap());
    let body = json!({ "access": can(), "reader": READER, "wait_for_card_s": 60 });
    let other =
        agent.anonymous(Method::POST, "/v1/reads").bearer_auth(OTHER_TOKEN).header("Prefer", "wait=20");
    assert_eq!(Answer::of(other.json(&body).send().unwrap()).code(), "reader-busy");

    let expecting = json!({
        "access": can(), "reader": READER, "wait_for_card_s": 60,
        "expect": { "number": "000090123456", "name": "Somebody Else" },
    });
    let result = read_as_it_comes(&agent, &expecting, || reader.insert(&card, chip())).result();
    assert_eq!(result["expected"]["number"], "match", "{}", result["expected"]);
    assert_ne!(result["expected"]["name"], "match", "{}", result["expected"]);
    let listed = agent.readers();
    assert_eq!(
        (listed[0]["transport"].clone(), listed[0]["max_command_bytes"].clone()),
        (json!("network"), json!(0))
    );
}

#[test]
fn a_reader_under_https_is_read_once_the_settings_have_its_certificate() {
    let certificate = OwnCertificate::make(Made::Today).unwrap();
    let reader = Hn212::plugged_over_tls(&certificate).unwrap();
    let hash = certificate.sha256().unwrap();
    let card = people::card(CARD);
    let body = json!({ "access": can(), "reader": READER, "wait_for_card_s": 60 });
    let settings = |address: String, more: String| {
        format!("[[network_reader]]\nname = 'Network 0'\naddress = '{address}'\n{more}\n")
    };
    let https = format!("https://{}", reader.address());
    let another = OwnCertificate::make(Made::Today).unwrap().sha256().unwrap();
    for (address, more, code, command_says) in [
        (https.clone(), String::new(), "reader-certificate-wrong", hash.as_str()),
        (https.clone(), format!("certificate_sha256 = '{another}'"), "reader-certificate-wrong", &hash),
        (https.replace("https", "http"), String::new(), "reader-scheme-wrong", &hash),
    ] {
        let agent = AgentUnderTest::start_with_tables(PROGRAM, None, "", &settings(address, more));
        let answer = agent.read(&body);
        assert_eq!(answer.code(), code);
        assert!(answer.body["detail"].as_str().unwrap().contains(&hash), "{}", answer.body);
        assert!(agent.readers().is_empty());
        let logged = agent.wait_for_log(code);
        assert!(logged.contains(&hash), "{logged}");
        let config = agent.folder().join("agent.toml");
        let listed =
            std::process::Command::new(PROGRAM).args(["readers", "--config"]).arg(config).output().unwrap();
        let said = String::from_utf8_lossy(&listed.stderr).into_owned();
        assert!(said.contains(code) && said.contains(command_says), "{said}");
    }
    assert_eq!(reader.asked(), 0, "something was said to a reader that nobody knows");

    // What the operator was shown, put into the settings.
    let right = settings(https, format!("certificate_sha256 = '{hash}'"));
    let agent = AgentUnderTest::start_with_tables(PROGRAM, None, "", &right);
    agent.wait_for_card("Network 0", false);
    let result = read_as_it_comes(&agent, &body, || reader.insert(&card, chip())).result();
    assert_eq!(result["record"]["number"]["value"], "000090123456");
    assert_eq!(state(&result, "active-authentication").0, "passed");

    // Somebody else answers at its address, and then it does again.
    let address = reader.address();
    drop(reader);
    agent.wait_for("the reader to go", || agent.readers().is_empty());
    let stranger = Hn212::over_tls_at(address, &OwnCertificate::make(Made::Today).unwrap()).unwrap();
    agent.wait_for_log("reader-certificate-wrong");
    agent.wait_for("the refusal", || agent.read(&body).code() == "reader-certificate-wrong");
    assert_eq!(stranger.asked(), 0);
    drop(stranger);
    let reader = Hn212::over_tls_at(address, &certificate).unwrap();
    agent.wait_for_card("Network 0", false);
    read_as_it_comes(&agent, &body, || reader.insert(&card, chip())).result();
}

/// What the door's tests are about.
mod doors {
    use std::io::{Read as _, Write as _};
    use std::net::{SocketAddr, TcpListener};
    use std::sync::Arc;
    use std::time::Duration;

    use cccd_document::{AccessKey, Biometrics, Can, FieldSet, FileId};
    use cccd_engine::{CallerId, Engine, EngineOptions, EventKind, ReadRequest, ReadState, every_group};
    use cccd_profiles::DeskNetworkReader;
    use cccd_readers::{NetworkOptions, NetworkSource};
    use cccd_tests::{CALLER_TOKEN, OTHER_TOKEN, OpenDesk, PAGE_ORIGIN, open_desk};
    use reqwest::blocking::{Client, RequestBuilder};
    use serde_json::Value;

    const PATIENCE: Duration = Duration::from_secs(60);
    const DOOR: &str =
        "[[door]]\nkind = 'hn212'\ncaller = 'clinic'\nreader = 'lane-0'\nlisten = '127.0.0.1:0'\n";

    /// Waits for what an engine answers, and names it should it not come.
    fn answer<T, E: std::fmt::Debug>(what: &str, answer: impl Future<Output = Result<T, E>>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        match runtime.block_on(async { tokio::time::timeout(PATIENCE, answer).await }) {
            Ok(answered) => answered.unwrap_or_else(|error| panic!("no answer: {what}: {error:?}")),
            Err(_) => panic!("waited in vain for {what}"),
        }
    }

    /// An engine whose one reader is the door.
    fn client_of(door: SocketAddr, token: &str) -> (Engine, tempfile::NamedTempFile) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "{token}").unwrap();
        let reader = DeskNetworkReader {
            name: "Door".to_owned(),
            address: door,
            tls: None,
            token_file: Some(file.path().to_owned()),
        };
        let options = NetworkOptions { readers: vec![reader], files_within: PATIENCE, keep: PATIENCE };
        let source = Arc::new(NetworkSource::new(options));
        let options = EngineOptions { wait_for_card: PATIENCE, ..EngineOptions::default() };
        (Engine::start(vec![source], Vec::new(), options), file)
    }

    #[test]
    fn our_own_driver_gets_the_card_through_our_own_door() {
        let desk = OpenDesk::start_with(DOOR);
        let door = desk.doors()[0];
        let (engine, _token) = client_of(door, CALLER_TOKEN);
        let handle = engine.handle();
        assert!(answer("the first look at the door", handle.settled()));
        assert_eq!(answer("the readers", handle.readers()).len(), 1, "the door let it in");
        let card = open_desk::card();
        let owner = CallerId::new("legacy");
        let request = ReadRequest {
            owner: owner.clone(),
            reader: None,
            access: AccessKey::Can(Can::new(card.can().unwrap()).unwrap()).into(),
            groups: every_group(),
            fields: FieldSet::ALL,
            biometrics: Biometrics::NONE,
            nonce: None,
            expect: None,
            wait_for_card: None,
            under: None,
        };
        let read = answer("a reading to be taken on", handle.submit(request)).unwrap().id;
        desk.scan(card.qr_text().unwrap().as_bytes());
        let mut views = answer("the reading", handle.watch(owner.clone(), read)).unwrap();
        answer("the end of the reading", async {
            views.wait_for(|view| view.state.is_over()).await.map(|view| view.state)
        });
        assert_eq!(views.borrow().state, ReadState::Completed);
        let reading = answer("the result", handle.result(owner, read)).unwrap();
        assert_eq!(reading.record.personal_number.as_ref().unwrap().value.expose(), "000090123456");
        assert_eq!(reading.portrait.as_ref().unwrap().bytes.expose(), card.portrait().bytes());
        for file in [FileId::EfSod, FileId::DG1, FileId::DG2, FileId::DG13, FileId::DG14, FileId::DG15] {
            assert!(reading.evidence.bytes(file).is_some(), "{file}");
        }
        // The agent behind the door wrote down who read.
        let log = desk.audit();
        let entry = log.iter().find(|entry| entry.contains("\"door\"")).expect("an entry of the door");
        assert!(entry.contains("clinic") && !entry.contains("000090123456"), "{entry}");
    }

    #[test]
    fn a_wrong_token_is_not_let_in_and_hears_nothing() {
        let desk = OpenDesk::start_with(DOOR);
        for token in ["wrong", OTHER_TOKEN] {
            let (engine, _token) = client_of(desk.doors()[0], token);
            let handle = engine.handle();
            assert!(answer("the first look at the door", handle.settled()));
            assert!(answer("the readers", handle.readers()).is_empty(), "{token}");
            let events = answer("the events", handle.subscribe(CallerId::new("legacy"), Some(0)));
            assert!(
                !events.missed.iter().any(|event| matches!(event.kind, EventKind::ReaderAttached { .. }))
            );
        }
    }

    #[test]
    fn refusals_are_problems_and_the_gate_is_that_of_the_api() {
        let desk = OpenDesk::start_with(DOOR);
        let door = desk.doors()[0];
        let client = Client::builder().no_proxy().build().unwrap();
        let knock = |query: &str| {
            client
                .get(format!("http://{door}/socket.io/?{query}"))
                .header("Connection", "Upgrade")
                .header("Upgrade", "websocket")
                .header("Sec-WebSocket-Version", "13")
                .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
        };
        let code = |request: RequestBuilder| {
            let response = request.send().unwrap();
            let status = response.status().as_u16();
            let body: Value = response.json().unwrap_or_default();
            (status, body["code"].as_str().unwrap_or_default().to_owned())
        };
        let whole = "EIO=4&transport=websocket";
        let said = |status: u16, code: &str| (status, code.to_owned());
        assert_eq!(code(knock(whole).bearer_auth("wrong")), said(401, "token-wrong"));
        assert_eq!(code(knock(whole).bearer_auth(OTHER_TOKEN)), said(403, "door-not-granted"));
        assert_eq!(code(knock(whole).header("Host", "evil.example")), said(421, "host-not-allowed"));
        assert_eq!(
            code(knock(whole).header("Origin", "https://evil.example").bearer_auth(CALLER_TOKEN)),
            said(403, "origin-not-allowed")
        );
        // A page of another caller, with the token of this one.
        assert_eq!(
            code(knock(whole).header("Origin", PAGE_ORIGIN).bearer_auth(CALLER_TOKEN)),
            said(403, "origin-not-allowed")
        );
        for query in [
            "",
            "EIO=4",
            "EIO=4&transport=flashsocket",
            // Socket.IO 2 and older.
            "EIO=3&transport=websocket",
            "EIO=4&transport=polling&sid=0123456789abcdef0123456789abcdef",
            "EIO=4&transport=websocket&sid=0123456789abcdef0123456789abcdef",
        ] {
            let request = knock(query).bearer_auth(CALLER_TOKEN);
            assert_eq!(code(request), said(400, "parameter-invalid"), "{query}");
        }
        assert_eq!(
            code(client.get(format!("http://{door}/v1/readers")).bearer_auth(CALLER_TOKEN)),
            said(404, "not-found")
        );
        assert_eq!(knock(whole).bearer_auth(CALLER_TOKEN).send().unwrap().status().as_u16(), 101);
        assert!(desk.audit().iter().any(|entry| entry.contains("door-not-granted")));
    }

    /// What a session that is asked for its packets says, without the answers of a client.
    #[test]
    fn a_session_is_its_programs_alone_and_takes_no_more_than_orders() {
        let desk = OpenDesk::start_with(DOOR);
        let address = format!("http://{}/socket.io/?EIO=4&transport=polling", desk.doors()[0]);
        let client = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let open = || {
            let text = client.get(&address).bearer_auth(CALLER_TOKEN).send().unwrap().text().unwrap();
            let opening: Value = serde_json::from_str(text.strip_prefix('0').unwrap()).unwrap();
            assert_eq!(opening["upgrades"], serde_json::json!(["websocket"]));
            format!("{address}&sid={}", opening["sid"].as_str().unwrap())
        };
        let status = |request: RequestBuilder| request.send().unwrap().status().as_u16();
        let session = open();
        assert_eq!(status(client.post(&session).body("40")), 200);
        let heard = client.get(&session).send().unwrap().text().unwrap();
        assert!(heard.starts_with("40{") && heard.contains("/info"), "{heard}");
        // From a page, under a token that is wrong, over another way than it began.
        assert_eq!(status(client.get(&session).header("Origin", PAGE_ORIGIN)), 400);
        assert_eq!(status(client.get(&session).bearer_auth("wrong")), 401);
        assert_eq!(status(client.post(&session).bearer_auth(OTHER_TOKEN).body("2")), 403);
        // A ping is answered; what is too long, or none, ends it.
        assert_eq!(status(client.post(&session).body("2\u{1e}2")), 200);
        assert_eq!(client.get(&session).send().unwrap().text().unwrap(), "3\u{1e}3");
        assert_eq!(status(client.post(&session).body("x".repeat(17 * 1024))), 413);
        assert_eq!(status(client.post(&session).body(vec![0xFF, 0xFE])), 400);
        assert_eq!(status(client.post(open()).body("2\u{1e}".repeat(100))), 400);
        // No packet of Socket.IO: the last that is heard is that it is over.
        let other = open();
        assert_eq!(status(client.post(&other).body("40")), 200);
        client.get(&other).send().unwrap();
        assert_eq!(status(client.post(&other).body("what is this")), 200);
        assert_eq!(client.get(&other).send().unwrap().text().unwrap(), "1");
    }

    #[test]
    fn without_a_door_there_is_no_port() {
        assert!(OpenDesk::start().doors().is_empty());
    }

    #[test]
    fn a_reading_is_posted_in_the_names_of_the_jth_program() {
        let program = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = program.local_addr().unwrap();
        let desk = OpenDesk::start_with(&format!(
            "[[door]]\nkind = 'jth'\ncaller = 'clinic'\nreader = 'lane-0'\npost_to = 'http://{address}/in'\n"
        ));
        // At once: an agent that has started misses no scan.
        desk.scan(open_desk::card().qr_text().unwrap().as_bytes());
        let (accepted, posted) = std::sync::mpsc::channel();
        std::thread::spawn(move || accepted.send(program.accept().unwrap().0));
        let mut stream = posted.recv_timeout(PATIENCE).expect("the reading is posted");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut bytes = Vec::new();
        let body = loop {
            let mut piece = [0; 4096];
            let read = stream.read(&mut piece).expect("the rest of the posted reading");
            assert!(read > 0, "the whole request comes");
            bytes.extend_from_slice(&piece[..read]);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| {
                line.to_lowercase()
                    .strip_prefix("content-length:")
                    .map(|n| n.trim().parse::<usize>().unwrap())
            });
            assert!(head.starts_with("POST /in HTTP/1.1\r\n"), "{head}");
            if body.len() >= length.unwrap() {
                break serde_json::from_str::<Value>(body).unwrap();
            }
        };
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
        assert_eq!(body["id_card"], "000090123456");
        assert_eq!(body["gender"], "Nam");
        assert_eq!(body.as_object().unwrap().len(), 17);
        assert!(body["id_img"].as_str().unwrap().len() > 1000);
    }
}
