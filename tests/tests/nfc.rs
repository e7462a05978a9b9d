//! The whole agent over real libnfc and a PN532 that is firmware on a pseudo-terminal: good, hostile, unplugged, and
//! its worker killed.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Mutex;
use std::time::Instant;

use cccd_firmware_sim::chip::Chip;
use cccd_firmware_sim::image::ChipImage;
use cccd_firmware_sim::personalise::{CardDescription, Issuer, personalise};
use cccd_firmware_sim::reader::gempc::GemPcTwin;
use cccd_firmware_sim::reader::pcscd::PcscBench;
use cccd_firmware_sim::reader::pn532::{CardType, Counts, Misbehaviour, Pn532, Stage, Trouble};
use cccd_tests::{AgentUnderTest, HeldCard, people};
use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_agent-under-test");
const CARD: &str = "cccd-2021";

/// PN532s with their ports in one folder. They are called `NFC 0`, `NFC 1` and so on.
struct Nfc {
    readers: Vec<Pn532>,
    _folder: TempDir,
}

impl Nfc {
    fn plugged(count: usize) -> Self {
        let folder = TempDir::new().unwrap();
        let link = |number: usize| folder.path().join(format!("pn532-{number}"));
        let readers = (0..count).map(|number| Pn532::plugged(&link(number)).unwrap()).collect();
        Self { readers, _folder: folder }
    }

    fn tables(&self) -> String {
        let table = |(number, reader): (usize, &Pn532)| {
            format!("[[nfc]]\nname = 'NFC {number}'\nconnstring = '{}'\n", reader.connstring())
        };
        self.readers.iter().enumerate().map(table).collect()
    }
}

fn image(card: &CardDescription) -> ChipImage {
    personalise(card, &Issuer::new().unwrap()).unwrap()
}

fn chip() -> Chip {
    Chip::new(image(&people::card(CARD)))
}

/// What opens a card: its access number, or what is in its MRZ.
fn access(card: &CardDescription, image: &ChipImage) -> Value {
    match card.can().filter(|_| !image.access.pace.is_empty()) {
        Some(can) => json!({ "can": can }),
        None => {
            let key = card.mrz_key();
            json!({ "mrz": { "document_number": key.document_number, "birth": key.birth, "expiry": key.expiry } })
        }
    }
}

fn can() -> Value {
    json!({ "can": people::card(CARD).can().unwrap() })
}

fn request(reader: &str) -> Value {
    json!({ "access": can(), "reader": reader, "wait_for_card_s": 30 })
}

/// The processes that `parent` has started.
fn children(parent: u32) -> Vec<u32> {
    let stat = |pid: u32| std::fs::read_to_string(format!("/proc/{pid}/stat")).ok();
    let pids = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid| stat(*pid).and_then(|stat| field(&stat, 4)) == Some(u64::from(parent))).collect()
}

/// A field of `/proc/PID/stat`, counted as in proc(5). The second may hold spaces.
fn field(stat: &str, number: usize) -> Option<u64> {
    let after_name = stat.rsplit_once(')')?.1;
    after_name.split_whitespace().nth(number - 3)?.parse().ok()
}

/// Clock ticks of processor time that a process has used, and that its ended children had.
fn ticks(pid: u32) -> (u64, u64) {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let sum = |numbers: [usize; 2]| numbers.into_iter().filter_map(|number| field(&stat, number)).sum();
    (sum([14, 15]), sum([16, 17]))
}

/// Of the agent, of its living workers, and of those that have ended.
fn print_ticks(what: &str, agent: &AgentUnderTest, since: Instant) {
    let (own, ended) = ticks(agent.pid());
    let living: u64 = children(agent.pid()).into_iter().map(|pid| ticks(pid).0).sum();
    let elapsed = since.elapsed().as_millis();
    println!(
        "{what}: {elapsed} ms, processor time in ticks of 10 ms: agent {own}, workers {living}, ended workers {ended}"
    );
}

/// At most so many times a reader can have been opened, if every pause before another try was kept.
fn most_opens(since: Instant) -> u64 {
    let mut left = since.elapsed().as_millis();
    let (mut pause, mut opens) = (200, 1);
    while left >= pause {
        left -= pause;
        pause = (pause * 2).min(5000);
        opens += 1;
    }
    opens
}

#[test]
fn nfc_list_and_the_agent_both_find_it() {
    let nfc = Nfc::plugged(1);
    let reader = &nfc.readers[0];
    for (kind, told) in [(CardType::A, "ISO/IEC 14443A (106 kbps) target"), (CardType::B, "ISO/IEC 14443-4B")]
    {
        reader.insert_as(kind, chip()).unwrap();
        let mut list = Command::new("nfc-list");
        list.arg("-v").env("LIBNFC_DEVICE", reader.connstring());
        let list = cccd_patience::output("nfc-list", &mut list);
        let said = String::from_utf8_lossy(&list.stdout).into_owned();
        assert!(said.contains("NFC device: user defined device opened"), "{said}");
        assert!(said.contains(told) && said.contains("1 ISO14443"), "{said}");
        println!("{said}");
        let agent = AgentUnderTest::start_with_tables(PROGRAM, None, "", &nfc.tables());
        let id = agent.wait_for_card("NFC 0", true);
        let listed = agent.readers();
        let listed = listed.iter().find(|reader| reader["reader_id"] == id.as_str()).unwrap();
        assert_eq!(listed["transport"], "nfc");
        let result = agent.read(&request(&id)).result();
        assert_eq!(result["record"]["number"]["value"], "000090123456");
        drop(reader.remove());
        agent.wait_for_card("NFC 0", false);
    }
}

#[test]
fn every_shipped_card_reads_as_it_does_through_pcscd() {
    let bench = PcscBench::start(&["Lane 0"]).unwrap();
    let lane = bench.reader(0).unwrap();
    let nfc = Nfc::plugged(1);
    let agent = AgentUnderTest::start_with_tables(PROGRAM, Some(bench.socket_path()), "", &nfc.tables());
    let mut read = 0;
    for (name, card) in people::cards() {
        let image = image(&card);
        let access = access(&card, &image);
        lane.insert(Chip::new(image.clone())).unwrap();
        nfc.readers[0].insert(Chip::new(image)).unwrap();
        let [through_pcscd, through_libnfc] = ["Lane 0", "NFC 0"].map(|reader| {
            let id = agent.wait_for_card(reader, true);
            let result = agent.read(&json!({ "access": access, "reader": id })).result();
            assert_eq!(result["reader_id"], id.as_str());
            let portrait = format!("/v1/reads/{}/portrait", result["read_id"].as_str().unwrap());
            let portrait = agent.request(Method::GET, &portrait).send().unwrap().bytes().unwrap();
            let mut same = ["record", "verdict", "access", "files", "hashes", "portrait"]
                .map(|part| result[part].clone());
            for part in same.iter_mut().filter_map(Value::as_object_mut) {
                part.remove("href");
                // A signature of 2048 bits does not fit into a short answer: over libnfc such a chip cannot show that
                // it is no copy, and nothing is held against it.
                if let Some(checks) = part.get_mut("checks").and_then(Value::as_array_mut) {
                    checks.retain(|check| {
                        check["check"] != "active-authentication" || check["state"] == "failed"
                    });
                }
            }
            (same, portrait)
        });
        assert_eq!(through_libnfc.0, through_pcscd.0, "{name}");
        assert_eq!(through_libnfc.1, through_pcscd.1, "{name}: portrait");
        drop((lane.remove(), nfc.readers[0].remove()));
        agent.wait_for_card("Lane 0", false);
        agent.wait_for_card("NFC 0", false);
        read += 1;
    }
    assert!(read >= 11, "only {read} cards");
}

#[test]
fn a_card_lifted_in_the_middle_pauses_its_reading_and_laid_down_again_ends_it_well() {
    let nfc = Nfc::plugged(1);
    let reader = &nfc.readers[0];
    let agent = AgentUnderTest::start_with_tables(PROGRAM, None, "", &nfc.tables());
    let (held, hold) = HeldCard::after(9, chip());
    reader.insert(held).unwrap();
    let id = agent.wait_for_card("NFC 0", true);
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| agent.read(&request(&id)));
        hold.wait_until_reached();
        scope.spawn(|| drop(reader.remove()));
        while reader.has_card() {
            std::thread::yield_now();
        }
        agent.wait_for("the pause", || agent.events().iter().any(|(name, _)| name == "read.paused"));
        drop(hold);
        reader.insert(chip()).unwrap();
        let result = reading.join().unwrap().result();
        assert_eq!(result["record"]["number"]["value"], "000090123456");
        agent.wait_for("its going on", || agent.events().iter().any(|(name, _)| name == "read.resumed"));
    });
}

#[test]
fn a_card_lifted_and_a_reader_unplugged_end_a_reading_by_their_names() {
    let nfc = Nfc::plugged(1);
    let reader = &nfc.readers[0];
    let agent = AgentUnderTest::start_with_tables(PROGRAM, None, "wait_for_return_s = 0", &nfc.tables());
    for (code, unplug) in [("card-removed", false), ("reader-lost", true)] {
        let (held, hold) = HeldCard::after(9, chip());
        reader.insert(held).unwrap();
        let id = agent.wait_for_card("NFC 0", true);
        std::thread::scope(|scope| {
            let reading = scope.spawn(|| agent.read(&request(&id)));
            hold.wait_until_reached();
            if unplug {
                reader.unplug();
            } else {
                scope.spawn(|| drop(reader.remove()));
            }
            assert_eq!(reading.join().unwrap().code(), code);
            drop(hold);
        });
        drop(reader.remove());
        reader.plug().unwrap();
        agent.wait_for_card("NFC 0", false);
        reader.insert(chip()).unwrap();
        agent.wait_for_card("NFC 0", true);
        assert_eq!(agent.read(&request(&id)).result()["record"]["number"]["value"], "000090123456");
        drop(reader.remove());
        agent.wait_for_card("NFC 0", false);
    }
}

#[test]
fn a_worker_that_is_killed_or_stands_still_is_a_lost_reader_that_comes_back() {
    let nfc = Nfc::plugged(1);
    let reader = &nfc.readers[0];
    let readings = "wait_for_return_s = 0\nexchange_within_s = 2";
    let agent = AgentUnderTest::start_with_tables(PROGRAM, None, readings, &nfc.tables());
    for (signal, code) in [(Signal::KILL, "reader-lost"), (Signal::STOP, "reader-hung")] {
        let (held, hold) = HeldCard::after(9, chip());
        reader.insert(held).unwrap();
        let id = agent.wait_for_card("NFC 0", true);
        std::thread::scope(|scope| {
            let reading = scope.spawn(|| agent.read(&request(&id)));
            hold.wait_until_reached();
            let workers = children(agent.pid());
            assert_eq!(workers.len(), 1, "one worker for one reader");
            let worker = Pid::from_raw(workers[0].try_into().unwrap()).unwrap();
            kill_process(worker, signal).unwrap();
            assert_eq!(reading.join().unwrap().code(), code);
            drop(hold);
        });
        // The card still lies there. It takes a moment until the reader is known to be lost, and until it is back.
        let since = Instant::now();
        let read = loop {
            agent.wait_for_card("NFC 0", true);
            let answer = agent.read(&request(&id));
            if answer.status == 200 {
                break answer.result();
            }
            assert!(since.elapsed().as_secs() < 60, "{}", answer.code());
        };
        assert_eq!(read["record"]["number"]["value"], "000090123456");
        drop(reader.remove());
        agent.wait_for_card("NFC 0", false);
    }
    // A daemon that is killed leaves no worker behind that would hold the port.
    let worker = children(agent.pid())[0];
    let agent_pid = Pid::from_raw(agent.pid().try_into().unwrap()).unwrap();
    kill_process(agent_pid, Signal::KILL).unwrap();
    let since = Instant::now();
    while std::fs::read_to_string(format!("/proc/{worker}/cmdline"))
        .is_ok_and(|line| line.contains("nfc-worker"))
    {
        assert!(since.elapsed().as_secs() < 60, "the worker outlives the daemon");
        std::thread::yield_now();
    }
}

/// Lets one PN532 for each misbehaviour go wrong at `stage` while a card lies on it, all at once, and then be good
/// again. `outcome` says what may come of a reading meanwhile.
fn misbehave_at(stage: Stage, outcome: impl Fn(Misbehaviour) -> &'static [&'static str] + Sync) {
    let kinds: Vec<Misbehaviour> = Misbehaviour::all().chain([Misbehaviour::Rf(0x01)]).collect();
    let nfc = Nfc::plugged(kinds.len());
    let before_opening = stage == Stage::Opening;
    let go_wrong = || {
        for (reader, what) in nfc.readers.iter().zip(&kinds) {
            reader.trouble(Some(Trouble::always(stage, *what)));
        }
    };
    if before_opening {
        go_wrong();
    }
    let since = Instant::now();
    let readings = "wait_for_return_s = 0\nexchange_within_s = 2\nqueue = 64";
    let agent = AgentUnderTest::start_with_tables(PROGRAM, None, readings, &nfc.tables());
    let ids: Vec<String> = (0..kinds.len()).map(|number| format!("nfc-{number}")).collect();
    let image = image(&people::card(CARD));
    if !before_opening {
        for number in 0..kinds.len() {
            agent.wait_for_card(&format!("NFC {number}"), false);
        }
        go_wrong();
    }
    for reader in &nfc.readers {
        reader.insert(Chip::new(image.clone())).unwrap();
    }
    let told = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for ((reader, what), id) in nfc.readers.iter().zip(&kinds).zip(&ids) {
            let (agent, told, outcome) = (&agent, &told, &outcome);
            scope.spawn(move || {
                let answer = agent.read(&json!({ "access": can(), "reader": id, "wait_for_card_s": 2 }));
                let code = if answer.status == 200 { "read" } else { answer.code() };
                assert!(outcome(*what).contains(&code), "{what} at {stage:?}: {code}: {}", answer.body);
                let opens = reader.counts().opened;
                assert!(opens <= most_opens(since), "{what} at {stage:?}: opened {opens} times");
                told.lock().unwrap().push(format!("{what}: {code}, opened {opens} times"));
                reader.trouble(None);
            });
        }
    });
    print_ticks(&format!("{} PN532s that misbehave at {stage:?}", kinds.len()), &agent, since);
    let mut told = told.into_inner().unwrap();
    told.sort();
    println!("  {}", told.join("\n  "));
    // Good again, every one of them comes back and reads.
    for (number, id) in ids.iter().enumerate() {
        agent.wait_for_card(&format!("NFC {number}"), true);
        let result = agent.read(&request(id)).result();
        assert_eq!(result["record"]["number"]["value"], "000090123456", "after {}", kinds[number]);
    }
}

#[test]
fn hostile_answers_while_it_is_opened_are_a_reader_that_is_not_there_yet() {
    misbehave_at(Stage::Opening, |what| match what {
        // What only a search or an exchange can show; setting up has no status of the field's.
        Misbehaviour::AtsLengthZero | Misbehaviour::UidTooLong => &["read"],
        _ => &["reader-not-found", "no-reader", "reader-lost", "no-card", "read"],
    });
}

#[test]
fn hostile_answers_to_a_search_are_no_card_or_a_lost_reader() {
    misbehave_at(Stage::Finding, |what| match what {
        Misbehaviour::AtsLengthZero => &["reader-lost", "no-reader", "reader-not-found"],
        Misbehaviour::UidTooLong => &["read"],
        Misbehaviour::PhantomTarget => &["no-card"],
        _ => &["no-card", "reader-lost", "no-reader", "reader-not-found", "read"],
    });
}

#[test]
fn hostile_answers_in_an_exchange_are_named() {
    misbehave_at(Stage::Exchanging, |what| match what {
        Misbehaviour::AtsLengthZero | Misbehaviour::UidTooLong => &["read"],
        Misbehaviour::StatusBit7 | Misbehaviour::Oversize | Misbehaviour::Nack => &["reader-lost"],
        Misbehaviour::WrongChecksum | Misbehaviour::WrongLengthChecksum => &["reader-lost"],
        Misbehaviour::WrongAnswerCode | Misbehaviour::ErrorFrame | Misbehaviour::Garbage => &["reader-lost"],
        Misbehaviour::Silence | Misbehaviour::Deaf | Misbehaviour::CutShort => &["reader-hung"],
        Misbehaviour::EndlessChaining => &["reader-hung"],
        Misbehaviour::Rf(_) => &["card-mute"],
        // Without a status byte libnfc takes what happened to lie in its memory.
        Misbehaviour::EmptyAnswer | Misbehaviour::PhantomTarget => {
            &["reader-lost", "card-mute", "card-removed"]
        }
    });
}

/// A place for a card, behind whichever driver.
#[derive(Clone, Copy)]
enum Place<'a> {
    Lane(&'a GemPcTwin),
    Nfc(&'a Pn532),
}

impl Place<'_> {
    fn insert(self, card: HeldCard<Chip>) {
        match self {
            Self::Lane(reader) => reader.insert(card).unwrap(),
            Self::Nfc(reader) => reader.insert(card).unwrap(),
        }
    }

    fn remove(self) {
        match self {
            Self::Lane(reader) => drop(reader.remove()),
            Self::Nfc(reader) => drop(reader.remove()),
        }
    }

    fn has_card(self) -> bool {
        match self {
            Self::Lane(reader) => reader.has_card(),
            Self::Nfc(reader) => reader.has_card(),
        }
    }
}

#[test]
fn readers_of_two_kinds_at_once_never_mix_up_their_cards_and_every_reading_ends_by_a_name() {
    /// At least so many readings on each reader.
    const READINGS: usize = 60;
    let bench = PcscBench::start(&["Lane 0", "Lane 1"]).unwrap();
    let nfc = Nfc::plugged(2);
    let readings = "wait_for_return_s = 0";
    let agent =
        AgentUnderTest::start_with_tables(PROGRAM, Some(bench.socket_path()), readings, &nfc.tables());
    let cards: Vec<(CardDescription, ChipImage)> = people::cards()
        .into_iter()
        .filter(|(_, card)| card.citizen().is_some() && card.can().is_some())
        .map(|(_, card)| (card.clone(), image(&card)))
        .collect();
    let places = [
        ("Lane 0", Place::Lane(bench.reader(0).unwrap())),
        ("Lane 1", Place::Lane(bench.reader(1).unwrap())),
        ("NFC 0", Place::Nfc(&nfc.readers[0])),
        ("NFC 1", Place::Nfc(&nfc.readers[1])),
    ];
    let since = Instant::now();
    let outcomes = Mutex::new(BTreeMap::<String, usize>::new());
    std::thread::scope(|scope| {
        for (number, (name, place)) in places.into_iter().enumerate() {
            let (agent, cards, outcomes) = (&agent, &cards, &outcomes);
            scope.spawn(move || {
                // One of the many ways in which hands are quick and slow; the same at each run.
                let mut random = 0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(number as u64 + 1);
                let mut read = 0;
                while read < READINGS {
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    let (card, image) = &cards[random as usize % cards.len()];
                    // Lifted in the middle of some reading, at some command of it.
                    let after = 3 + random as usize / 64 % 400;
                    let (held, hold) = HeldCard::after(after, Chip::new(image.clone()));
                    place.insert(held);
                    let id = agent.wait_for_card(name, true);
                    let ask =
                        json!({ "access": { "can": card.can().unwrap() }, "reader": id, "portrait": false });
                    std::thread::scope(|hands| {
                        hands.spawn(move || {
                            hold.wait_until_reached();
                            std::thread::scope(|lifting| {
                                lifting.spawn(|| place.remove());
                                while place.has_card() {
                                    std::thread::yield_now();
                                }
                                drop(hold);
                            });
                        });
                        loop {
                            let answer = agent.read(&ask);
                            read += 1;
                            let told = if answer.status == 200 { "read" } else { answer.code() };
                            *outcomes.lock().unwrap().entry(told.to_owned()).or_default() += 1;
                            if told == "card-removed" {
                                break;
                            }
                            let result = answer.result();
                            assert_eq!(result["reader_id"], id.as_str());
                            let said = result["record"]["number"]["value"].as_str().unwrap();
                            let printed = card.record().into_iter().find(|field| field.number == 1).unwrap();
                            assert_eq!(
                                format!("Printable({said:?})"),
                                format!("{:?}", printed.value),
                                "{name}"
                            );
                        }
                    });
                    agent.wait_for_card(name, false);
                }
            });
        }
    });
    print_ticks(&format!("readings on two kinds of readers: {:?}", outcomes.lock().unwrap()), &agent, since);
    let outcomes = outcomes.into_inner().unwrap();
    assert_eq!(outcomes.keys().collect::<Vec<_>>(), ["card-removed", "read"]);
    assert!(outcomes["read"] + outcomes["card-removed"] >= 4 * READINGS);
}

#[test]
fn a_reader_is_looked_at_and_not_besieged_whatever_lies_on_it() {
    let nfc = Nfc::plugged(3);
    let [empty, with_card, hostile] = [&nfc.readers[0], &nfc.readers[1], &nfc.readers[2]];
    with_card.insert(chip()).unwrap();
    // libnfc crashes whenever it looks at this one, and the worker with it.
    hostile.insert(chip()).unwrap();
    hostile.trouble(Some(Trouble::always(Stage::Finding, Misbehaviour::AtsLengthZero)));
    let since = Instant::now();
    let agent = AgentUnderTest::start_with_tables(PROGRAM, None, "", &nfc.tables());
    agent.wait_for_card("NFC 0", false);
    agent.wait_for_card("NFC 1", true);
    let opening = empty.counts().commands.max(with_card.counts().commands);
    agent.wait_for("crash after crash", || hostile.counts().opened >= 5);
    cccd_patience::until("ten looks for cards", || empty.counts().commands >= opening + 40);
    let looks = u64::try_from(since.elapsed().as_millis() / 250 + 2).unwrap();
    for reader in [empty, with_card] {
        let Counts { commands, opened, .. } = reader.counts();
        // Two kinds of cards are looked for each time; a card that lies there is asked with a few commands.
        assert!(commands <= opening + looks * 8, "{commands} commands in {looks} looks");
        assert_eq!(opened, 1);
    }
    let (opens, most) = (hostile.counts().opened, most_opens(since));
    assert!(opens <= most, "opened {opens} times, {most} if every pause was kept");
    print_ticks("three PN532s: empty, with a card, with a card that crashes libnfc", &agent, since);
    println!("  the third was opened {opens} times; of commands the first heard {}", empty.counts().commands);
}
