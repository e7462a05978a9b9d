//! The simulated readers through the real `pcscd`, the real CCID driver and the real client library.
//!
//! The client library reads `PCSCLITE_CSOCK_NAME` once in a process's life, and a test may not set its own
//! environment. So every test runs itself again in a child process that has the variable, and the child holds
//! both ends: the bench with its readers and cards, and the PC/SC client.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "all of it is test; clippy.toml excuses only the functions marked as such"
)]

use std::env;
use std::ffi::{CStr, CString};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use cccd_firmware_sim::reader::pcscd::PcscBench;
use cccd_firmware_sim::reader::{Card, EchoCard};
use cccd_patience::PATIENCE;
use pcsc::{Context, Error, Protocols, ReaderState, Scope, ShareMode, State};

/// Where the child finds its folder.
const FOLDER: &str = "CCCD_SIM_TEST_FOLDER";
const SELECT: [u8; 5] = [0x00, 0xA4, 0x04, 0x0C, 0x00];

/// Runs the test named `name` in a child of its own, or is that child and runs `body`.
fn with_a_socket_of_its_own(name: &str, body: fn(PathBuf)) {
    match env::var_os(FOLDER) {
        Some(folder) => body(folder.into()),
        None => run_alone(name),
    }
}

fn run_alone(name: &str) {
    let dir = tempfile::tempdir().unwrap();
    let mut alone = Command::new(env::current_exe().unwrap());
    alone.args([name, "--exact", "--nocapture"]).env(FOLDER, dir.path());
    let output = cccd_patience::output(name, alone.env("PCSCLITE_CSOCK_NAME", dir.path().join("sock")));
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    print!("{said}");
    // A name that matches no test would pass with nothing run.
    assert!(output.status.success() && said.contains("1 passed"), "{said}\n{complained}");
    let left = std::fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(left, 0, "the bench leaves its folder as it found it");
}

/// Waits for a service that has just been killed or started.
fn context() -> Context {
    let began = Instant::now();
    loop {
        match Context::establish(Scope::User) {
            Ok(context) => return context,
            Err(error) => assert!(began.elapsed() < PATIENCE, "no service: {error}"),
        }
        std::thread::yield_now();
    }
}

fn reader_named(context: &Context, friendly: &str) -> Option<CString> {
    let names = context.list_readers_owned().unwrap();
    names.into_iter().find(|name| name.to_str().is_ok_and(|name| name.starts_with(&format!("{friendly} "))))
}

/// Waits until the reader's state has all of `wanted`, and gives every state seen on the way.
fn wait_for(context: &Context, reader: &CStr, wanted: State) -> Vec<State> {
    let began = Instant::now();
    let mut states = [ReaderState::new(reader, State::UNAWARE)];
    let mut seen = Vec::new();
    loop {
        let left = PATIENCE.saturating_sub(began.elapsed());
        context
            .get_status_change(left, &mut states)
            .unwrap_or_else(|e| panic!("{wanted:?}: {e}, saw {seen:?}"));
        let state = states[0].event_state();
        seen.push(state);
        if state.contains(wanted) {
            return seen;
        }
        states[0].sync_current_state();
    }
}

fn mark(card: &pcsc::Card) -> Vec<u8> {
    let mut buffer = [0; 16];
    card.transmit(&SELECT, &mut buffer).unwrap().to_vec()
}

fn connect(context: &Context, reader: &CStr) -> pcsc::Card {
    context.connect(reader, ShareMode::Shared, Protocols::ANY).unwrap()
}

#[test]
fn a_card_is_found_selected_and_reports_its_historical_bytes() {
    with_a_socket_of_its_own("a_card_is_found_selected_and_reports_its_historical_bytes", |folder| {
        let began = Instant::now();
        let bench = PcscBench::start_in(&folder, &["Lane 0", "Lane 1"]).unwrap();
        let served = began.elapsed();
        bench.reader(1).unwrap().insert(EchoCard::marked(42)).unwrap();
        let context = context();
        let names = context.list_readers_owned().unwrap();
        assert_eq!(names, [c"Lane 0 00 00".to_owned(), c"Lane 1 01 00".to_owned()]);
        wait_for(&context, &names[0], State::EMPTY);
        wait_for(&context, &names[1], State::PRESENT);
        let card = connect(&context, &names[1]);
        assert_eq!(mark(&card), [42, 0x90, 0x00]);
        let first_select = began.elapsed();
        let mut names_buffer = [0; 256];
        let mut atr_buffer = [0; 64];
        let status = card.status2(&mut names_buffer, &mut atr_buffer).unwrap();
        assert_eq!(&status.atr()[..10], b"\x3B\x84\x81\x31\xFE\x48ECHO");
        assert_eq!(status.protocol2(), Some(pcsc::Protocol::T1));

        let mut times: Vec<Duration> = (0..2000)
            .map(|_| {
                let began = Instant::now();
                mark(&card);
                began.elapsed()
            })
            .collect();
        times.sort();
        println!(
            "figures: service up {served:?}, first SELECT {first_select:?}, APDU median {:?}, p99 {:?}",
            times[1000], times[1980]
        );
    });
}

#[test]
fn a_card_that_was_there_before_the_service_is_seen_at_once() {
    with_a_socket_of_its_own("a_card_that_was_there_before_the_service_is_seen_at_once", |folder| {
        let began = Instant::now();
        let cards: Vec<Box<dyn Card>> = vec![Box::new(EchoCard::marked(6))];
        let _bench = PcscBench::start_with_cards(&folder, &["Lane 0", "Lane 1"], cards).unwrap();
        let context = context();
        let reader = reader_named(&context, "Lane 0").unwrap();
        // Its very first state, with no event waited for.
        assert!(wait_for(&context, &reader, State::PRESENT)[0].contains(State::PRESENT));
        assert_eq!(mark(&connect(&context, &reader)), [6, 0x90, 0x00]);
        println!("figures: first SELECT of a card there before the service {:?}", began.elapsed());
    });
}

#[test]
fn commands_and_responses_of_any_length_pass() {
    with_a_socket_of_its_own("commands_and_responses_of_any_length_pass", |folder| {
        let bench = PcscBench::start_in(&folder, &["Lane 0"]).unwrap();
        bench.reader(0).unwrap().insert(EchoCard::marked(1)).unwrap();
        let context = context();
        let reader = reader_named(&context, "Lane 0").unwrap();
        wait_for(&context, &reader, State::PRESENT);
        let card = connect(&context, &reader);
        let mut buffer = vec![0; pcsc::MAX_BUFFER_SIZE_EXTENDED];
        // Around one block, one short APDU, and at the end of what there is: the longest command has Lc
        // 65535, and what the service carries is 65535 bytes each way with its status.
        for lc in [1usize, 246, 247, 248, 255, 256, 500, 60_000, 65_526] {
            let mut command = vec![0x00, 0xDA, 0x00, 0x00, 0x00];
            command.extend(u16::try_from(lc).unwrap().to_be_bytes());
            command.extend((0..=255u8).cycle().take(lc));
            let response = card.transmit(&command, &mut buffer).unwrap();
            assert_eq!(response[..response.len() - 2], command, "{lc}");
            assert_eq!(response[response.len() - 2..], [0x90, 0x00]);
        }
        let longest: Vec<u8> = [&[0x00, 0xA4, 0x00, 0x00, 0x00, 0xFF, 0xFF][..], &[7; 65_535]].concat();
        assert_eq!(card.transmit(&longest, &mut buffer).unwrap(), [1, 0x90, 0x00]);
        for length in [0u16, 252, 253, 254, 255, 256, 60_000, 65_535] {
            let [high, low] = length.to_be_bytes();
            let began = Instant::now();
            let response = card.transmit(&[0x00, 0xCA, high, low, 0x00], &mut buffer).unwrap();
            assert_eq!(response.len(), usize::from(length) + 2);
            if length == 60_000 {
                println!("figures: response of 60,000 bytes in {:?}", began.elapsed());
            }
        }
    });
}

#[test]
fn insertion_removal_and_swap_are_seen() {
    with_a_socket_of_its_own("insertion_removal_and_swap_are_seen", |folder| {
        let bench = PcscBench::start_in(&folder, &["Lane 0"]).unwrap();
        let hand = bench.reader(0).unwrap();
        let context = context();
        let reader = reader_named(&context, "Lane 0").unwrap();
        wait_for(&context, &reader, State::EMPTY);

        hand.insert(EchoCard::marked(1)).unwrap();
        wait_for(&context, &reader, State::PRESENT);
        let card = connect(&context, &reader);
        assert_eq!(mark(&card), [1, 0x90, 0x00]);

        let mut taken = hand.remove().unwrap();
        wait_for(&context, &reader, State::EMPTY);
        let gone = card.transmit(&SELECT, &mut [0; 16]).unwrap_err();
        assert!(matches!(gone, Error::RemovedCard | Error::NoSmartcard | Error::ResetCard), "{gone}");
        assert_eq!(taken.process(&SELECT), [1, 0x90, 0x00], "it is the same card in the hand");

        hand.insert(taken).unwrap();
        wait_for(&context, &reader, State::PRESENT);
        let card = connect(&context, &reader);

        // A swap between two polls of the service: the client must see the empty reader all the same.
        let (ready, go) = mpsc::channel();
        let watcher = std::thread::spawn({
            let reader = reader.clone();
            move || {
                let watching = context;
                let mut states = [ReaderState::new(reader.as_c_str(), State::UNAWARE)];
                watching.get_status_change(PATIENCE, &mut states).unwrap();
                states[0].sync_current_state();
                ready.send(()).unwrap();
                watching.get_status_change(PATIENCE, &mut states).unwrap();
                assert!(states[0].event_state().contains(State::EMPTY), "{:?}", states[0].event_state());
                wait_for(&watching, &reader, State::PRESENT);
                assert_eq!(mark(&connect(&watching, &reader)), [2, 0x90, 0x00]);
            }
        });
        cccd_patience::received("the first look of the watcher", &go);
        assert!(hand.swap(EchoCard::marked(2)).is_some());
        cccd_patience::joined("the watcher's end", watcher);
        assert!(
            card.transmit(&SELECT, &mut [0; 16]).is_err(),
            "the old card's handle does not reach the new one"
        );
    });
}

/// A card that answers SELECT when it is told to.
struct SlowCard(mpsc::Receiver<()>);

impl Card for SlowCard {
    fn atr(&self) -> &[u8] {
        &[0x3B, 0x80, 0x80, 0x01, 0x01]
    }

    fn reset(&mut self) {}

    fn process(&mut self, _command: &[u8]) -> Vec<u8> {
        // Both a word and the end of whoever could say it let go.
        let _ = self.0.recv();
        vec![0x90, 0x00]
    }
}

#[test]
fn a_card_that_computes_for_longer_than_the_driver_waits_is_heard() {
    with_a_socket_of_its_own("a_card_that_computes_for_longer_than_the_driver_waits_is_heard", |folder| {
        let bench = PcscBench::start_in(&folder, &["Lane 0"]).unwrap();
        let (word, patient) = mpsc::channel();
        bench.reader(0).unwrap().insert(SlowCard(patient)).unwrap();
        let context = context();
        let reader = reader_named(&context, "Lane 0").unwrap();
        wait_for(&context, &reader, State::PRESENT);
        let card = connect(&context, &reader);
        let (done, answered) = mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| done.send(card.transmit(&SELECT, &mut [0; 16]).map(<[u8]>::to_vec)).unwrap());
            // Without time requests the driver fails the command after some two seconds.
            assert!(answered.recv_timeout(Duration::from_secs(5)).is_err(), "it waits");
            word.send(()).unwrap();
            assert_eq!(answered.recv_timeout(PATIENCE).unwrap(), Ok(vec![0x90, 0x00]));
        });
    });
}

#[test]
fn a_card_taken_away_in_the_middle_of_a_command_ends_it() {
    with_a_socket_of_its_own("a_card_taken_away_in_the_middle_of_a_command_ends_it", |folder| {
        let bench = PcscBench::start_in(&folder, &["Lane 0"]).unwrap();
        let hand = bench.reader(0).unwrap();
        let (word, patient) = mpsc::channel();
        hand.insert(SlowCard(patient)).unwrap();
        let context = context();
        let reader = reader_named(&context, "Lane 0").unwrap();
        wait_for(&context, &reader, State::PRESENT);
        let card = connect(&context, &reader);
        std::thread::scope(|scope| {
            let asked = scope.spawn(|| card.transmit(&SELECT, &mut [0; 16]).map(<[u8]>::to_vec));
            // The card is never told to answer, so only its removal can end this, before or after it began.
            hand.remove();
            assert!(asked.join().unwrap().is_err());
        });
        drop(word);
        wait_for(&context, &reader, State::EMPTY);
        hand.insert(EchoCard::marked(3)).unwrap();
        wait_for(&context, &reader, State::PRESENT);
        assert_eq!(mark(&connect(&context, &reader)), [3, 0x90, 0x00]);
    });
}

#[test]
fn an_unplugged_reader_is_unavailable_until_it_is_plugged_in_again() {
    with_a_socket_of_its_own("an_unplugged_reader_is_unavailable_until_it_is_plugged_in_again", |folder| {
        let bench = PcscBench::start_in(&folder, &["Lane 0", "Lane 1"]).unwrap();
        for (index, number) in [(0, 10), (1, 11)] {
            bench.reader(index).unwrap().insert(EchoCard::marked(number)).unwrap();
        }
        let watching = context();
        let reader = reader_named(&watching, "Lane 0").unwrap();
        wait_for(&watching, &reader, State::PRESENT);
        bench.reader(0).unwrap().unplug();
        wait_for(&watching, &reader, State::UNAVAILABLE);
        let other = reader_named(&watching, "Lane 1").unwrap();
        wait_for(&watching, &other, State::PRESENT);
        assert_eq!(mark(&connect(&watching, &other)), [11, 0x90, 0x00], "its neighbour goes on");

        bench.plug(0).unwrap();
        let watching = context();
        let reader = reader_named(&watching, "Lane 0").unwrap();
        wait_for(&watching, &reader, State::PRESENT);
        assert_eq!(mark(&connect(&watching, &reader)), [10, 0x90, 0x00], "the card still lies there");
    });
}

#[test]
fn a_killed_service_is_noticed_and_a_restarted_one_works_again() {
    with_a_socket_of_its_own("a_killed_service_is_noticed_and_a_restarted_one_works_again", |folder| {
        let bench = PcscBench::start_in(&folder, &["Lane 0"]).unwrap();
        bench.reader(0).unwrap().insert(EchoCard::marked(1)).unwrap();
        for _ in 0..3 {
            let before = context();
            let reader = reader_named(&before, "Lane 0").unwrap();
            wait_for(&before, &reader, State::PRESENT);
            let card = connect(&before, &reader);
            assert_eq!(mark(&card), [1, 0x90, 0x00]);
            assert!(bench.is_serving());
            bench.kill_service().unwrap();
            assert!(!bench.is_serving());
            assert!(card.transmit(&SELECT, &mut [0; 16]).is_err());
            assert!(Context::establish(Scope::User).is_err(), "refused, not kept waiting");
            bench.restart_service().unwrap();
        }
    });
}

#[test]
fn benches_run_side_by_side() {
    with_a_socket_of_its_own("benches_run_side_by_side", |folder| {
        let bench = PcscBench::start_in(&folder, &["Lane 0"]).unwrap();
        bench.reader(0).unwrap().insert(EchoCard::marked(1)).unwrap();
        let context = context();
        let reader = reader_named(&context, "Lane 0").unwrap();
        wait_for(&context, &reader, State::PRESENT);
        let card = connect(&context, &reader);
        // Two more benches come, work and go while this one is asked without a pause.
        std::thread::scope(|scope| {
            let others = [
                "commands_and_responses_of_any_length_pass",
                "a_killed_service_is_noticed_and_a_restarted_one_works_again",
            ]
            .map(|name| scope.spawn(move || run_alone(name)));
            let mut asked = 0;
            while asked < 100 || !others.iter().all(std::thread::ScopedJoinHandle::is_finished) {
                assert_eq!(mark(&card), [1, 0x90, 0x00]);
                asked += 1;
            }
            for other in others {
                other.join().unwrap();
            }
        });
    });
}

/// The program, running in a folder.
struct Program {
    child: Child,
    // Kept: a program that prints to a closed pipe dies of it.
    _out: BufReader<ChildStdout>,
    ready: serde_json::Value,
}

impl Program {
    fn run(folder: &Path, more: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_firmware-sim"))
            .args(["run", "--print-json", "--dir"])
            .arg(folder)
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let (line, out) = cccd_patience::done("the program's first line", move || {
            let mut line = String::new();
            out.read_line(&mut line).unwrap();
            (line, out)
        });
        Self { child, _out: out, ready: serde_json::from_str(&line).unwrap() }
    }

    fn end(&mut self) {
        let process = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
        assert!(cccd_patience::ended("the program, told to end", &mut self.child).success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Only where a test failed half way; its service dies with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the program with an order, and gives what it said, good or bad.
fn order(folder: &Path, words: &[&str]) -> Result<String, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firmware-sim"));
    let output = cccd_patience::output("an order", command.args(words).arg("--dir").arg(folder));
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap())
    } else {
        Err(String::from_utf8(output.stderr).unwrap())
    }
}

#[test]
fn the_program_serves_cards_takes_orders_and_cleans_up() {
    with_a_socket_of_its_own("the_program_serves_cards_takes_orders_and_cleans_up", |folder| {
        let ready_file = folder.join("ready.json");
        let arguments =
            ["--card", "cccd-2021", "--readers", "2", "--ready-file", ready_file.to_str().unwrap()];
        let mut program = Program::run(&folder, &arguments);
        let ready = &program.ready;
        assert_eq!(ready["environment"]["PCSCLITE_CSOCK_NAME"], folder.join("sock").to_str().unwrap());
        assert_eq!(ready["printed"][0][1]["can"].as_str().map(str::len), Some(6));
        let told: serde_json::Value = serde_json::from_slice(&std::fs::read(&ready_file).unwrap()).unwrap();
        assert_eq!(&told, ready);
        assert!(!std::fs::read(ready["trust_anchors"][0].as_str().unwrap()).unwrap().is_empty());

        let context = context();
        let first = reader_named(&context, "Simulated reader 1").unwrap();
        let second = reader_named(&context, "Simulated reader 2").unwrap();
        wait_for(&context, &first, State::PRESENT);
        wait_for(&context, &second, State::EMPTY);
        // The eMRTD application of a real chip, by name (ICAO 9303-10, 3.3); SELECT needs no key.
        let select = [&[0x00, 0xA4, 0x04, 0x0C, 0x07][..], &[0xA0, 0, 0, 2, 0x47, 0x10, 0x01]].concat();
        let card = connect(&context, &first);
        assert_eq!(card.transmit(&select, &mut [0; 16]).unwrap(), [0x90, 0x00]);

        assert!(order(&folder, &["insert", "--reader", "1", "--card", "passport-td3"]).is_ok());
        wait_for(&context, &second, State::PRESENT);
        let listed = order(&folder, &["list"]).unwrap();
        assert!(listed.contains("cccd-2021") && listed.contains("passport-td3"), "{listed}");
        assert!(order(&folder, &["swap", "--reader", "1", "--card", "can-cuoc-2024"]).is_ok());
        assert!(order(&folder, &["remove", "--reader", "0"]).is_ok());
        wait_for(&context, &first, State::EMPTY);
        assert!(order(&folder, &["unplug", "--reader", "0"]).is_ok());
        wait_for(&context, &first, State::UNAVAILABLE);
        assert!(order(&folder, &["plug", "--reader", "0"]).unwrap().contains("empty"));
        let status: serde_json::Value = serde_json::from_str(&order(&folder, &["status"]).unwrap()).unwrap();
        assert_eq!(
            (&status["serving"], &status["readers"][1]["card"]),
            (&true.into(), &"can-cuoc-2024".into())
        );

        for (words, why) in [
            (&["remove", "--reader", "0"][..], "no card lies in reader 0"),
            (&["remove", "--reader", "9"], "there is no reader 9"),
            (&["insert", "--reader", "1", "--card", "cccd-2021"], "a card lies in reader 1 already"),
            (&["insert", "--reader", "0", "--card", "cccd-1985"], "neither a shipped card"),
            (&["run"], "already"),
        ] {
            let refused = order(&folder, words).unwrap_err();
            assert!(refused.contains(why), "{words:?}: {refused}");
        }
        program.end();
        let gone = order(&folder, &["list"]).unwrap_err();
        assert!(gone.contains("no simulator runs in"), "{gone}");
    });
}
