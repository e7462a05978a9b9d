//! Scan, then tap: a code and a card, and nothing typed, for a person whose whole date of birth is known, one of
//! whose only the year is, and one whose card never expires.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use cccd_card::{ChannelLimits, ReaderId, ScannerId};
use cccd_document::{AccessPlan, AccessProtocol, Biometrics, FieldSet, PasswordKind};
use cccd_engine::{CallerId, Engine, EngineOptions, EventKind, ReadRequest, ScanReach, Subscription};
use cccd_firmware_sim::card_image::{Correction, Segments, Symbol};
use cccd_firmware_sim::chip::Chip;
use cccd_firmware_sim::image::ChipImage;
use cccd_firmware_sim::personalise::{CardDescription, Issuer, personalise};
use cccd_firmware_sim::reader::in_process::InProcessReader;
use cccd_firmware_sim::reader::pcscd::PcscBench;
use cccd_firmware_sim::reader::scanner::InProcessScanner;
use cccd_firmware_sim::scanner::SerialScanner;
use cccd_profiles::ScannerCatalogue;
use cccd_tests::{AgentUnderTest, CALLER_TOKEN, OTHER_TOKEN, agent::Answer, people};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use time::macros::datetime;

const PROGRAM: &str = env!("CARGO_BIN_EXE_agent-under-test");

/// A whole date of birth, only the year, and no expiry.
const PEOPLE: [&str; 3] = ["cccd-2021", "cccd-birth-year", "cccd-no-expiry"];

/// The card as it is, and as it was before PACE: then the code has to give birth and expiry, too.
fn images(card: &CardDescription) -> [(ChipImage, &'static str); 2] {
    let image = personalise(card, &Issuer::new().unwrap()).unwrap();
    let mut older = image.clone();
    older.access.pace.clear();
    older.master_file.remove(&0x011C);
    [(image, "pace"), (older, "bac")]
}

fn assert_read(label: &str, card: &CardDescription, result: &Value) {
    let person = card.citizen().unwrap();
    assert_eq!(result["record"]["number"]["value"], person.number, "{label}");
    assert_eq!(result["record"]["name"]["value"], person.name, "{label}");
    assert_eq!(result["scan_agrees"], true, "{label}: {}", result["record"]["notes"]);
    assert_eq!(result["record"]["notes"], json!([]), "{label}");
}

struct Desk {
    engine: Engine,
    readers: InProcessReader,
    reader: ReaderId,
    scanners: InProcessScanner,
    scanner: ScannerId,
    events: Subscription,
}

impl Desk {
    fn new() -> Self {
        let (readers, scanners) = (InProcessReader::new(), InProcessScanner::new());
        let reader = readers.attach("Lane 0", ChannelLimits::EXTENDED).unwrap();
        let scanner = scanners.attach("Desk 1");
        let engine = Engine::start(
            vec![Arc::new(readers.clone())],
            vec![Arc::new(scanners.clone())],
            EngineOptions {
                clock: Arc::new(|| datetime!(2026 - 11 - 20 09:30 UTC)),
                ..EngineOptions::default()
            },
        );
        let events = engine.handle().subscribe(clerk(), Some(0)).blocking_recv().unwrap();
        Self { engine, readers, reader, scanners, scanner, events }
    }

    fn next<T>(&mut self, wanted: impl Fn(EventKind) -> Option<T>) -> T {
        loop {
            if let Some(found) = wanted(
                cccd_patience::ready("the event that was wanted", self.events.coming.recv()).unwrap().kind,
            ) {
                return found;
            }
        }
    }
}

fn clerk() -> CallerId {
    CallerId::new("clerk")
}

fn reading(access: AccessPlan, reader: Option<ReaderId>) -> ReadRequest {
    ReadRequest {
        owner: clerk(),
        reader,
        access,
        groups: FieldSet::ALL.groups(),
        fields: FieldSet::ALL,
        biometrics: Biometrics::NONE,
        under: None,
        nonce: None,
        expect: None,
        wait_for_card: None,
    }
}

#[test]
fn a_scan_opens_the_card_that_is_laid_after_it() {
    let mut desk = Desk::new();
    let handle = desk.engine.handle();
    for name in PEOPLE {
        let card = people::card(name);
        for (image, protocol) in images(&card) {
            desk.scanners.show(&desk.scanner, card.qr_text().unwrap().as_bytes());
            let scan = desk.next(|kind| match kind {
                EventKind::ScanReceived { scan, .. } => Some(scan),
                _ => None,
            });
            let access =
                handle.scan_access(clerk(), ScanReach::Scanners, scan).blocking_recv().unwrap().unwrap();
            let read = handle.submit(reading(access, None)).blocking_recv().unwrap().unwrap().id;
            desk.readers.insert(&desk.reader, Chip::new(image)).unwrap();
            desk.next(|kind| match kind {
                EventKind::ReadCompleted { read: of } if of == read => Some(()),
                EventKind::ReadFailed { failure, .. } => panic!("{name} by {protocol}: {failure}"),
                _ => None,
            });
            let reading = handle.result(clerk(), read).blocking_recv().unwrap().unwrap();
            assert_eq!(reading.scan_agrees, Some(true), "{name}: {:?}", reading.record.notes);
            assert_eq!(reading.record.notes, [], "{name}");
            let by = match reading.evidence.access.protocol {
                AccessProtocol::Bac => ("bac", PasswordKind::Mrz),
                AccessProtocol::Pace(_) => ("pace", PasswordKind::Can),
                AccessProtocol::ByReader => {
                    panic!("{name}: a reader in this process opens nothing by itself")
                }
            };
            assert_eq!((protocol, reading.evidence.access.password), by, "{name}");
            desk.readers.remove(&desk.reader).unwrap();
            desk.next(|kind| matches!(kind, EventKind::CardRemoved { .. }).then_some(()));
        }
    }
}

#[test]
fn the_code_of_another_card_of_the_same_person_is_told() {
    let mut desk = Desk::new();
    let handle = desk.engine.handle();
    let card = people::card("cccd-2021");
    // An earlier card: same number, so that it opens the chip; another date of issue, and a former name.
    let text = card.qr_text().unwrap().replace("|15032022", "|15032018").replace("Văn", "Thị");
    desk.scanners.show(&desk.scanner, text.as_bytes());
    let scan = desk.next(|kind| match kind {
        EventKind::ScanReceived { scan, .. } => Some(scan),
        _ => None,
    });
    let access = handle.scan_access(clerk(), ScanReach::Scanners, scan).blocking_recv().unwrap().unwrap();
    let [(image, _), _] = images(&card);
    desk.readers.insert(&desk.reader, Chip::new(image)).unwrap();
    let read = handle.submit(reading(access, Some(desk.reader.clone()))).blocking_recv().unwrap().unwrap().id;
    desk.next(|kind| matches!(kind, EventKind::ReadCompleted { .. }).then_some(()));
    let reading = handle.result(clerk(), read).blocking_recv().unwrap().unwrap();
    assert_eq!(reading.scan_agrees, Some(false));
    let notes = format!("{:?}", reading.record.notes);
    assert_eq!(notes, "[ScannedNameDiffers, ScannedIssueDiffers]");
}

#[test]
fn a_typed_scan_opens_the_card_on_pcscd_over_http() {
    let bench = PcscBench::start(&["Lane 0"]).unwrap();
    let agent = AgentUnderTest::start(PROGRAM, Some(bench.socket_path()));
    let reader = bench.reader(0).unwrap();
    for name in PEOPLE {
        let card = people::card(name);
        for (image, protocol) in images(&card) {
            let post = |token| {
                let request = agent.anonymous(Method::POST, "/v1/scans").bearer_auth(token);
                request.header("Content-Type", "text/plain").body(card.qr_text().unwrap() + "\r\n")
            };
            let scans = Answer::of(post(CALLER_TOKEN).send().unwrap()).result();
            let scan = &scans["codes"][0];
            assert_eq!(scan["citizen"]["number"], card.citizen().unwrap().number);
            let body = json!({ "access": { "scan": scan["scan_id"] }, "portrait": false });
            // Another program of the desk does not even know it.
            let other = agent.anonymous(Method::POST, "/v1/reads").bearer_auth(OTHER_TOKEN).json(&body);
            assert_eq!(Answer::of(other.send().unwrap()).code(), "scan-not-found");
            reader.insert(Chip::new(image)).unwrap();
            let result = agent.read(&body).result();
            assert_read(&format!("{name} by {protocol}"), &card, &result);
            assert_eq!(result["access"]["protocol"], protocol);
            reader.remove();
            agent.wait_for_card("Lane 0", false);
        }
    }
}

#[test]
fn a_scan_on_a_serial_port_and_a_tap_on_pcscd_and_nothing_else() {
    let bench = PcscBench::start(&["Lane 0"]).unwrap();
    let folder = TempDir::new().unwrap();
    let model = ScannerCatalogue::shipped().get("honeywell").unwrap().clone();
    let scanner = SerialScanner::plugged(&folder.path().join("port"), model).unwrap();
    let settings =
        format!("[[scanner]]\nname = 'Desk 1'\nport = '{}'\nprofile = 'honeywell'", scanner.link().display());
    let agent = AgentUnderTest::start_with(PROGRAM, Some(bench.socket_path()), &settings);
    agent.wait_for("scanner.attached", || agent.events().iter().any(|(name, _)| name == "scanner.attached"));
    let reader = bench.reader(0).unwrap();
    for (scanned, name) in PEOPLE.into_iter().enumerate() {
        let card = people::card(name);
        let scans = || -> Vec<Value> {
            let events = agent.events().into_iter();
            events
                .filter(|(name, _)| name == "scan.received")
                .map(|(_, event)| event["data"].clone())
                .collect()
        };
        scanner.scan(card.qr_text().unwrap().as_bytes()).unwrap();
        agent.wait_for("the scan", || scans().len() > scanned);
        let scan = &scans()[scanned];
        assert_eq!(scan["scanner_id"], "desk-1");
        let [(image, _), _] = images(&card);
        reader.insert(Chip::new(image)).unwrap();
        let result = agent.read(&json!({ "access": { "scan": scan["scan_id"] } })).result();
        assert_read(name, &card, &result);
        reader.remove();
        agent.wait_for_card("Lane 0", false);
    }

    // A kiosk that keeps the reader and has asked for it once: now not even the reading is asked for.
    let lane = agent.readers()[0]["reader_id"].as_str().unwrap().to_owned();
    let lease = json!({ "seconds": 120, "auto_read": { "scanner": "desk-1" } });
    let kept = agent.request(Method::POST, &format!("/v1/readers/{lane}/lease")).json(&lease).send().unwrap();
    assert_eq!(Answer::of(kept).result()["auto_read"], true);
    for name in PEOPLE {
        let card = people::card(name);
        let begun = || -> Vec<Value> {
            let events = agent.events().into_iter();
            let begun =
                events.filter(|(name, event)| name == "read.queued" && event["data"]["scan_id"].is_string());
            begun.map(|(_, event)| event["data"].clone()).collect()
        };
        let before = begun().len();
        scanner.scan(card.qr_text().unwrap().as_bytes()).unwrap();
        let [(image, _), _] = images(&card);
        reader.insert(Chip::new(image)).unwrap();
        agent.wait_for("the reading", || begun().len() > before);
        let read = begun()[before]["read_id"].as_str().unwrap().to_owned();
        agent.wait_for("its end", || agent.get(&format!("/v1/reads/{read}"))["state"] == "completed");
        assert_read(name, &card, &agent.get(&format!("/v1/reads/{read}/result")));
        let others =
            agent.anonymous(Method::GET, &format!("/v1/reads/{read}/result")).bearer_auth(OTHER_TOKEN);
        assert_eq!(Answer::of(others.send().unwrap()).code(), "read-not-found");
        reader.remove();
        agent.wait_for_card("Lane 0", false);
    }
}

#[test]
fn at_the_terminal_a_typing_scanner_and_a_card_are_all_it_takes() {
    let bench = PcscBench::start(&["Lane 0"]).unwrap();
    let reader = bench.reader(0).unwrap();
    let folder = TempDir::new().unwrap();
    let config = folder.path().join("agent.toml");
    let trust = folder.path().join("trust");
    std::fs::write(&config, format!("[trust]\ndirectory = '{}'\n", trust.display())).unwrap();
    for name in PEOPLE {
        let card = people::card(name);
        let mut command = Command::new(PROGRAM);
        command.arg("--config").arg(&config).args(["read", "--scan", "--json"]);
        command.env("PCSCLITE_CSOCK_NAME", bench.socket_path());
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        // A code that opens nothing is passed over; the scanner stays plugged in.
        write!(input, "https://example.vn/\r\n\r\n{}\r\n", card.qr_text().unwrap()).unwrap();
        let [(image, _), _] = images(&card);
        reader.insert(Chip::new(image)).unwrap();
        let output = cccd_patience::finished("a reading at the terminal", child);
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        people::assert_nobody_in("standard error", &String::from_utf8_lossy(&output.stderr));
        assert_read(name, &card, &serde_json::from_slice(&output.stdout).unwrap());
        drop(input);
        reader.remove();
    }
    // Nothing to scan with, and nothing typed.
    let mut command = Command::new(PROGRAM);
    command.arg("--config").arg(&config).args(["read", "--scan"]);
    command.env("PCSCLITE_CSOCK_NAME", bench.socket_path());
    let output = cccd_patience::output("a reading without a scanner", &mut command);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("no scanner is set up"));
}

#[test]
fn at_the_terminal_a_picture_is_read_and_opens_the_card() {
    let bench = PcscBench::start(&["Lane 0"]).unwrap();
    let folder = TempDir::new().unwrap();
    let config = folder.path().join("agent.toml");
    let trust = folder.path().join("trust");
    std::fs::write(&config, format!("[trust]\ndirectory = '{}'\n", trust.display())).unwrap();
    let picture = |name: &str, text: &str| {
        let file = folder.path().join(name);
        let symbol = Symbol::encode(text.as_bytes(), Correction::M, Segments::Bytes, 1..=40, None).unwrap();
        std::fs::write(&file, symbol.png(4).unwrap()).unwrap();
        file
    };
    let run = |arguments: &[&str], file: &Path| {
        let mut command = Command::new(PROGRAM);
        command.arg("--config").arg(&config).args(arguments).arg(file);
        command.env("PCSCLITE_CSOCK_NAME", bench.socket_path());
        cccd_patience::output("the command", &mut command)
    };
    let card = people::card("cccd-2021");
    let text = card.qr_text().unwrap();
    let code = picture("code.png", &text);

    let shown = String::from_utf8(run(&["scan"], &code).stdout).unwrap();
    assert!(shown.starts_with("CHƯA XÁC MINH · UNVERIFIED"), "{shown}");
    assert!(shown.contains(&card.citizen().unwrap().name), "{shown}");
    let told: Value = serde_json::from_slice(&run(&["scan", "--json"], &code).stdout).unwrap();
    assert_eq!((&told["codes"][0]["text"], &told["codes"][0]["verified"]), (&json!(text), &json!(false)));
    // Behind four light modules of four pixels.
    for axis in ["x", "y"] {
        let at = told["codes"][0]["corners"][0][axis].as_f64().unwrap();
        assert!((at - 15.5).abs() < 2.0, "{axis} {at}");
    }

    let [(image, _), _] = images(&card);
    bench.reader(0).unwrap().insert(Chip::new(image)).unwrap();
    let output = run(&["read", "--json", "--image"], &code);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_read("a picture", &card, &serde_json::from_slice(&output.stdout).unwrap());

    let face = folder.path().join("face.jpg");
    std::fs::write(&face, card.portrait().bytes()).unwrap();
    for (file, code) in [(face.as_path(), "[code-not-found]"), (Path::new("-"), "[image-unusable]")] {
        for arguments in [&["scan"][..], &["read", "--image"]] {
            let output = run(arguments, file);
            assert_eq!(output.status.code(), Some(2), "{}", file.display());
            assert!(String::from_utf8_lossy(&output.stderr).contains(code), "{}", file.display());
        }
    }
    let other = run(&["read", "--image"], &picture("link.png", "https://example.vn"));
    assert!(String::from_utf8_lossy(&other.stderr).contains("no identity card's code"));
}
