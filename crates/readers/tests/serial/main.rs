//! Scanners on pseudo-terminals: a real serial port to the agent's eyes, whatever goes wrong on it.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "all of it is test; clippy.toml excuses only the functions marked as such"
)]

mod watched;

use std::path::Path;

use cccd_card::{ScannerEvent, ScannerId};
use cccd_firmware_sim::personalise::shipped;
use cccd_firmware_sim::reader::pty::Pty;
use cccd_firmware_sim::scanner::{Glitch, SerialScanner};
use cccd_profiles::{ScannerCatalogue, ScannerProfile};
use cccd_readers::{NotSent, ScannerOrder};
use tempfile::TempDir;
use watched::{Log, Watched};

fn model(key: &str) -> ScannerProfile {
    ScannerCatalogue::shipped().get(key).unwrap().clone()
}

/// The texts of the codes on the shipped cards.
fn codes() -> Vec<String> {
    shipped().into_iter().filter_map(|card| card.description().unwrap().qr_text()).collect()
}

fn block(name: &str, port: &Path, profile: &str, more: &str) -> String {
    format!("[[scanner]]\nname = '{name}'\nport = '{}'\nprofile = '{profile}'\n{more}\n", port.display())
}

/// A machine that has no time for the simulator must not turn its pauses into the end of a code.
const PATIENT: &str = "code = { silence_ms = 10_000 }";

/// A desk with one scanner that stands there.
struct Desk {
    watched: Watched,
    scanner: SerialScanner,
    id: ScannerId,
    dir: TempDir,
}

impl Desk {
    fn with(key: &str, model: ScannerProfile, more: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let scanner = SerialScanner::plugged(&dir.path().join("port"), model).unwrap();
        let watched = Watched::start(&block("Desk 1", scanner.link(), key, more));
        watched.wait_for("the scanner", |events| matches!(events, [ScannerEvent::Attached(_), ..]));
        Self { watched, scanner, id: ScannerId::from_name("Desk 1"), dir }
    }

    fn of(key: &str) -> Self {
        Self::with(key, model(key), "")
    }

    fn garbled(&self) -> ScannerEvent {
        ScannerEvent::Garbled(self.id.clone())
    }

    /// Scans codes one after the other and waits until each has come.
    fn scans_well(&self) {
        for code in codes() {
            let before = self.watched.scanned(&self.id).len();
            self.scanner.scan(code.as_bytes()).unwrap();
            self.watched.wait_for_scans(&self.id, before + 1);
            assert_eq!(self.watched.scanned(&self.id).last(), Some(&code));
        }
    }
}

#[test]
fn what_every_shipped_model_scans_comes_without_what_it_adds() {
    for (key, _) in ScannerCatalogue::shipped().profiles() {
        let desk = Desk::of(key);
        desk.scans_well();
        let events = desk.watched.events();
        assert_eq!(events.len(), 1 + codes().len(), "{key}: nothing else is told");
        let ScannerEvent::Attached(info) = &events[0] else { panic!("{:?}", events[0]) };
        assert_eq!((info.id.as_str(), info.name.as_str()), ("desk-1", "Desk 1"));
    }
}

#[test]
fn a_scan_in_pieces_glued_or_doubled_is_what_it_is() {
    let desk = Desk::with("honeywell", model("honeywell"), PATIENT);
    let code = codes().remove(0);
    let mut expected = Vec::new();
    for glitch in [Glitch::Pieces(1), Glitch::Pieces(17), Glitch::Drip(1), Glitch::Breaks, Glitch::Twice] {
        desk.scanner.scan_with(code.as_bytes(), glitch).unwrap();
        expected.extend(std::iter::repeat_n(code.clone(), if glitch == Glitch::Twice { 2 } else { 1 }));
        desk.watched.wait_for_scans(&desk.id, expected.len());
        assert_eq!(desk.watched.scanned(&desk.id), expected, "{glitch}");
    }
    let all = codes();
    for code in &all {
        desk.scanner.scan_with(code.as_bytes(), Glitch::Glued).unwrap();
    }
    desk.scanner.scan(b"the last").unwrap();
    expected.extend(all);
    expected.push("the last".to_owned());
    desk.watched.wait_for_scans(&desk.id, expected.len());
    assert_eq!(desk.watched.scanned(&desk.id), expected);
    assert!(!desk.watched.events().contains(&desk.garbled()));
}

#[test]
fn without_a_suffix_silence_ends_a_code_where_it_may_and_spoils_it_where_it_may_not() {
    let code = codes().remove(0);
    let desk = Desk::of("generic-usb-serial");
    desk.scanner.scan_with(code.as_bytes(), Glitch::NoSuffix).unwrap();
    desk.watched.wait_for_scans(&desk.id, 1);
    assert_eq!(desk.watched.scanned(&desk.id), [code.as_str()]);

    let desk = Desk::with("generic-usb-serial", model("honeywell"), "code = { suffix = 'cr-lf' }");
    desk.scanner.scan_with(code.as_bytes(), Glitch::NoSuffix).unwrap();
    desk.watched.wait_for("the garbled code", |events| events.contains(&desk.garbled()));
    desk.scans_well();
    assert_eq!(desk.watched.count(&desk.garbled()), 1);
}

#[test]
fn what_is_no_code_is_told_as_garbled_and_the_next_code_is_whole() {
    let code = codes().remove(0);
    for glitch in [Glitch::WrongBaud, Glitch::Overlong(100_000), Glitch::Noise(64)] {
        let desk = Desk::of("newland");
        desk.scanner.scan_with(code.as_bytes(), glitch).unwrap();
        desk.watched.wait_for("the garbled code", |events| events.contains(&desk.garbled()));
        let before = desk.watched.scanned(&desk.id);
        assert!(!before.contains(&code), "{glitch}");
        desk.scans_well();
    }
    // With a prefix even noise with no silence behind it costs no code.
    let framing = "code = { prefix = '02', suffix = 'cr' }";
    let mut stx = model("honeywell");
    stx.code.prefix = vec![2];
    let desk = Desk::with("honeywell", stx, framing);
    for length in 1..60 {
        desk.scanner.scan_with(b"", Glitch::Noise(length)).unwrap();
        desk.scanner.scan(code.as_bytes()).unwrap();
    }
    desk.watched.wait_for_scans(&desk.id, 59);
    assert!(desk.watched.scanned(&desk.id).iter().all(|scanned| *scanned == code));
}

#[test]
fn fifty_times_unplugged_during_a_scan_no_whole_scan_is_lost_and_none_is_made_up() {
    const TIMES: usize = 50;
    let desk = Desk::with("honeywell", model("honeywell"), PATIENT);
    let mut whole = Vec::new();
    for time in 0..TIMES {
        desk.watched.wait_for(&format!("return {time}"), |events| {
            events.iter().filter(|event| matches!(event, ScannerEvent::Attached(_))).count() == time + 1
        });
        // One whole code and the beginning of another, in one go or in pieces; then the cable is pulled.
        let code = format!("{}|{time}", codes()[time % 3]);
        let glitch = [Glitch::Glued, Glitch::Pieces(1 + time)][time % 2];
        desk.scanner.scan_with(code.as_bytes(), glitch).unwrap();
        whole.push(code);
        let cut = format!("000090999999|cut off|{time}|").repeat(3);
        std::thread::scope(|scope| {
            // The cable is pulled somewhere within these, the second of which would take for ever.
            let cut_off = scope.spawn(|| {
                let _ = desk.scanner.scan_with(&cut.as_bytes()[..1 + time], Glitch::NoSuffix);
                let _ = desk.scanner.scan_with(b"never ends", Glitch::Drip(1_000_000_000));
            });
            desk.watched.wait_for_scans(&desk.id, whole.len());
            desk.scanner.unplug();
            cut_off.join().unwrap();
        });
        desk.watched.wait_for(&format!("departure {time}"), |events| {
            events.iter().filter(|event| matches!(event, ScannerEvent::Detached(_))).count() == time + 1
        });
        desk.scanner.plug().unwrap();
    }
    desk.scans_well();
    whole.extend(codes());
    assert_eq!(desk.watched.scanned(&desk.id), whole);
}

#[test]
fn two_scanners_at_once_keep_their_codes_apart() {
    const EACH: usize = 200;
    let dir = TempDir::new().unwrap();
    let scanner = |name: &str, key| SerialScanner::plugged(&dir.path().join(name), model(key)).unwrap();
    let (left, right) = (scanner("left", "honeywell"), scanner("right", "newland"));
    let watched = Watched::start(
        &[block("Left", left.link(), "honeywell", PATIENT), block("Right", right.link(), "newland", PATIENT)]
            .concat(),
    );
    let id = ScannerId::from_name;
    std::thread::scope(|scope| {
        for (name, scanner) in [("left", &left), ("right", &right)] {
            scope.spawn(move || {
                for number in 0..EACH {
                    scanner.scan_with(format!("{name} {number}").as_bytes(), Glitch::Pieces(3)).unwrap();
                }
            });
        }
    });
    for name in ["left", "right"] {
        watched.wait_for_scans(&id(name), EACH);
        let expected: Vec<String> = (0..EACH).map(|number| format!("{name} {number}")).collect();
        assert_eq!(watched.scanned(&id(name)), expected);
    }
    // One leaves, the other stays.
    left.unplug();
    watched.wait_for("left to go", |events| events.contains(&ScannerEvent::Detached(id("left"))));
    right.scan(b"alone").unwrap();
    watched.wait_for_scans(&id("right"), EACH + 1);
    assert_eq!(watched.count(&ScannerEvent::Detached(id("right"))), 0);
}

#[test]
fn a_port_that_another_has_is_told_once_and_taken_when_it_is_free() {
    let log = Log::start();
    let dir = TempDir::new().unwrap();
    let scanner = SerialScanner::plugged(&dir.path().join("port"), model("zebra")).unwrap();
    let held = serialport::new(scanner.link().to_str().unwrap(), 9600).open().unwrap();
    let watched = Watched::start(&block("Busy one", scanner.link(), "zebra", ""));
    let lines = |text: &str| {
        log.text().lines().filter(|line| line.contains("busy-one") && line.contains(text)).count()
    };
    log.wait_for("many attempts", || lines("tried again") >= 4);
    assert_eq!(lines("in use by another program"), 1 + lines("tried again"), "each attempt found it busy");
    assert_eq!((lines("scanner cannot be used"), watched.events().len()), (1, 0));
    drop(held);
    scanner.scan(b"at last").unwrap();
    watched.wait_for_scans(&ScannerId::from_name("Busy one"), 1);
}

#[test]
fn a_scanner_that_is_not_there_yet_is_found_when_it_comes() {
    let dir = TempDir::new().unwrap();
    let port = dir.path().join("port");
    let watched = Watched::start(&block("Late", &port, "newland", ""));
    let scanner = SerialScanner::plugged(&port, model("newland")).unwrap();
    scanner.scan(b"hello").unwrap();
    watched.wait_for_scans(&ScannerId::from_name("Late"), 1);
}

#[test]
fn a_name_that_leads_to_another_device_is_followed() {
    let desk = Desk::of("newland");
    // The old one stays where it is, silent, and never says that it was replaced.
    let new = SerialScanner::plugged(&desk.dir.path().join("port"), model("newland")).unwrap();
    new.scan(b"from the new one").unwrap();
    desk.watched.wait_for_scans(&desk.id, 1);
    assert_eq!(desk.watched.scanned(&desk.id), ["from the new one"]);
    assert_eq!(desk.watched.count(&ScannerEvent::Detached(desk.id.clone())), 1);
}

#[test]
fn a_scanner_does_as_it_is_told_and_its_answers_are_no_codes() {
    let desk = Desk::of("newland");
    let order = |order| desk.watched.source().order(&desk.id, order);
    desk.scanner.hold(Some(b"held in front of it"));
    order(ScannerOrder::Ping).unwrap();
    order(ScannerOrder::Trigger).unwrap();
    desk.watched.wait_for_scans(&desk.id, 1);
    assert_eq!(desk.watched.scanned(&desk.id), ["held in front of it"]);
    assert_eq!(desk.watched.events().len(), 2, "the answer to the ping is nothing");

    let stranger = ScannerId::from_name("stranger");
    assert_eq!(desk.watched.source().order(&stranger, ScannerOrder::Ping), Err(NotSent::NotThere));
    let desk = Desk::of("zebra");
    assert_eq!(desk.watched.source().order(&desk.id, ScannerOrder::Ping), Err(NotSent::NoSuchCommand));
}

#[test]
fn a_scanner_that_reads_nothing_it_is_told_is_heard_all_the_same() {
    let dir = TempDir::new().unwrap();
    // A line with nobody at its other end who reads.
    let mut deaf = Pty::new(&dir.path().join("port")).unwrap();
    let watched = Watched::start(&block("Deaf", deaf.link(), "newland", ""));
    let id = ScannerId::from_name("Deaf");
    watched.wait_for("the scanner", |events| !events.is_empty());
    // Until its line is full and nothing more is taken: 64 KiB are more than any pseudo-terminal holds.
    let mut taken = 0;
    let mut refused = 0;
    while refused < 5 && taken < 64 * 1024 / 13 {
        match watched.source().order(&id, ScannerOrder::Ping) {
            Ok(()) => (taken, refused) = (taken + 1, 0),
            Err(NotSent::NotTaken) => {
                let scans = watched.scanned(&id).len();
                deaf.send(b"x\r").unwrap();
                watched.wait_for_scans(&id, scans + 1);
                refused += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!(refused > 0);
    drop(deaf);
    watched.wait_for("the scanner to go", |events| events.contains(&ScannerEvent::Detached(id.clone())));
}

#[test]
fn nothing_that_was_scanned_is_logged() {
    let log = Log::start();
    let desk = Desk::with("honeywell", model("honeywell"), "");
    desk.scanner.scan_with(codes()[0].as_bytes(), Glitch::WrongBaud).unwrap();
    desk.watched.wait_for("the garbled code", |events| events.contains(&desk.garbled()));
    desk.scans_well();
    desk.scanner.scan_with(codes()[0].as_bytes(), Glitch::Cut(40)).unwrap();
    let gone = ScannerEvent::Detached(desk.id.clone());
    desk.watched.wait_for("the scanner to go", |events| events.contains(&gone));
    let text = log.text();
    assert!(text.contains("scanner has gone"), "{text}");
    for code in codes() {
        for field in code.split('|').filter(|field| field.len() >= 6) {
            assert!(!text.contains(field), "{field} in {text}");
        }
    }
}
