//! Keepers over workers that say whatever a test wants: every error code of libnfc, crashes and silence.

use std::collections::VecDeque;
use std::io::{self, PipeReader, PipeWriter};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use cccd_card::{
    CardChannel, ReaderEvent, ReaderId, ReaderSource, SecretBytes, StopSignal, Transport, TransportError,
};
use cccd_patience::PATIENCE;
use cccd_profiles::{DeskNfcReader, ReaderCatalogue, ReaderProfile};
use zeroize::Zeroizing;

use super::fault::{self, CODES, Meaning};
use super::process::{Pipes, Process, WorkerProgram};
use super::protocol::{Answer, Found, Request};
use super::{NfcOptions, NfcSource};

/// How a worker behaves.
#[derive(Clone, Default)]
struct Plan {
    /// Instead of opening.
    open: Option<Says>,
    /// Whether a card lies there.
    card: bool,
    /// Instead of looking for it.
    find: Option<Says>,
    /// Instead of the card's answer.
    exchange: Option<Says>,
    /// Instead of asking whether it is there.
    check: Option<Says>,
}

#[derive(Clone, Copy, Debug)]
enum Says {
    Code(i32),
    Nonsense,
    Nothing,
    Crashes,
}

#[derive(Default)]
struct Seen {
    starts: u32,
    requests: VecDeque<&'static str>,
}

struct Bench {
    plan: Arc<Mutex<Plan>>,
    seen: Arc<Mutex<Seen>>,
    source: Arc<NfcSource>,
    events: Receiver<ReaderEvent>,
    stop: StopSignal,
    watching: Option<JoinHandle<()>>,
}

/// A thread that plays the worker, and ends when it is told to.
struct Fake(StopSignal);

impl Process for Fake {
    fn has_ended(&mut self) -> bool {
        self.0.is_raised()
    }

    fn end(&mut self) -> String {
        self.0.raise();
        "ended".to_owned()
    }
}

fn play(
    plan: &Mutex<Plan>,
    seen: &Mutex<Seen>,
    mut from: PipeReader,
    mut to: PipeWriter,
    end: &StopSignal,
) -> io::Result<()> {
    let now = || plan.lock().unwrap().clone();
    let say = |says: Says, to: &mut PipeWriter| match says {
        Says::Code(code) => Answer::Failed(code).write(to),
        Says::Nonsense => io::Write::write_all(to, &[0xFF; 40]),
        Says::Nothing => {
            end.wait(PATIENCE);
            Err(io::ErrorKind::TimedOut.into())
        }
        Says::Crashes => Err(io::ErrorKind::BrokenPipe.into()),
    };
    match now().open {
        Some(says) => return say(says, &mut to),
        None => Answer::Opened.write(&mut to)?,
    }
    while let Some(request) = Request::read(&mut from)? {
        let plan = now();
        let (word, wrong) = match request {
            Request::Find => ("find", plan.find),
            Request::Exchange { .. } => ("exchange", plan.exchange),
            Request::Check => ("check", plan.check),
            Request::Rest => ("rest", None),
        };
        seen.lock().unwrap().requests.push_back(word);
        let card = || Found::A { ats: vec![0x78, 0x77, 0x81, 0x02, 0x80, 0x73] };
        match (wrong, word) {
            (Some(says), _) => say(says, &mut to)?,
            (None, "find") if plan.card => Answer::Card(card()).write(&mut to)?,
            (None, "find") => Answer::Nothing.write(&mut to)?,
            (None, "check") if !plan.card => Answer::Failed(fault::ETGRELEASED).write(&mut to)?,
            (None, "exchange") => Answer::Reply(Zeroizing::new(vec![0x90, 0x00])).write(&mut to)?,
            (None, _) => Answer::Done.write(&mut to)?,
        }
    }
    Ok(())
}

impl Bench {
    fn start(plan: Plan) -> Self {
        Self::start_knowing(plan, ReaderCatalogue::shipped(), PATIENCE)
    }

    fn start_knowing(plan: Plan, catalogue: ReaderCatalogue, exchange_within: Duration) -> Self {
        let (plan, seen) = (Arc::new(Mutex::new(plan)), Arc::new(Mutex::new(Seen::default())));
        let (plans, notes) = (Arc::clone(&plan), Arc::clone(&seen));
        let worker = WorkerProgram::new(move |_| {
            notes.lock().unwrap().starts += 1;
            let ((from, requests), (answers, to)) = (io::pipe()?, io::pipe()?);
            let (plan, seen, end) = (Arc::clone(&plans), Arc::clone(&notes), StopSignal::default());
            let told = end.clone();
            std::thread::spawn(move || {
                let _ = play(&plan, &seen, from, to, &told);
                told.raise();
            });
            Ok(Pipes {
                requests: Box::new(requests),
                answers: Box::new(answers),
                process: Box::new(Fake(end)),
            })
        });
        let reader = DeskNfcReader { name: "Desk 1".into(), connstring: "pn532_uart:/nowhere".into() };
        let readers = vec![reader];
        let source = Arc::new(NfcSource::new(NfcOptions { readers, exchange_within, worker, catalogue }));
        let (telling, events) = mpsc::channel();
        let stop = StopSignal::default();
        let watching = {
            let (source, stop) = (Arc::clone(&source), stop.clone());
            std::thread::spawn(move || source.watch(&mut |event| drop(telling.send(event)), &stop))
        };
        Self { plan, seen, source, events, stop, watching: Some(watching) }
    }

    fn id() -> ReaderId {
        ReaderId::from_name("Desk 1")
    }

    fn plan(&self, change: impl FnOnce(&mut Plan)) {
        change(&mut self.plan.lock().unwrap());
    }

    /// The next event of this kind; those before it are passed over.
    fn wait_for(&self, what: &str, mut is_it: impl FnMut(&ReaderEvent) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let event =
                self.events.recv_timeout(left).unwrap_or_else(|_| panic!("waited in vain for {what}"));
            if is_it(&event) {
                return;
            }
        }
    }

    fn wait_for_card(&self) {
        self.wait_for("a card", |event| matches!(event, ReaderEvent::CardInserted { .. }));
    }

    fn wait_for_detached(&self) {
        self.wait_for("the reader's loss", |event| matches!(event, ReaderEvent::Detached(_)));
    }

    fn connect(&self) -> Box<dyn CardChannel> {
        self.source.connect(&Self::id()).map_err(|error| format!("{error}")).unwrap()
    }

    fn requests(&self) -> Vec<&'static str> {
        self.seen.lock().unwrap().requests.drain(..).collect()
    }

    fn starts(&self) -> u32 {
        self.seen.lock().unwrap().starts
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.raise();
        let ended = self.watching.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            assert!(matches!(ended, Some(Ok(()))), "the watching ended badly");
        }
    }
}

const SELECT: [u8; 5] = [0x00, 0xA4, 0x04, 0x0C, 0x00];

fn good(answer: Result<SecretBytes, TransportError>) -> bool {
    answer.is_ok_and(|answer| answer.as_slice() == [0x90, 0x00])
}

#[test]
fn a_reader_is_found_and_its_card_answers() {
    let bench = Bench::start(Plan { card: true, ..Plan::default() });
    bench.wait_for("the reader", |event| match event {
        ReaderEvent::Attached(info) => {
            assert_eq!((info.transport, info.name.as_str()), (Transport::Nfc, "Desk 1"));
            assert!(!info.limits.allow_extended());
            true
        }
        _ => false,
    });
    // What lies there at the start is told before the source says that it is ready.
    let mut inserted = false;
    bench.wait_for("the source", |event| match event {
        ReaderEvent::SourceReady(_) => true,
        event => {
            inserted |= matches!(event, ReaderEvent::CardInserted { .. });
            false
        }
    });
    assert!(inserted);
    let mut channel = bench.connect();
    assert_eq!(channel.atr().to_string(), "3B 82 80 01 80 73 F0");
    assert!(good(channel.transmit(&SELECT)));
    let too_long = channel.transmit(&[0; 262]);
    assert_eq!(too_long.unwrap_err(), TransportError::CommandTooLong { length: 262, limit: 261 });
    bench.requests();
    assert_eq!(channel.reset(), Ok(()));
    assert!(bench.requests().windows(2).any(|two| two == ["rest", "find"]), "the field was off");
    assert!(good(channel.transmit(&SELECT)));
}

#[test]
fn a_model_that_carries_less_than_libnfc_is_asked_for_no_more() {
    let profile = "name = 'Little'\nlibnfc = ['pn532_uart:*']\nmax_command = 200\n\
                   [[seen]]\nwhere = 'nowhere'\nhow = 'published'\nfacts = ['libnfc', 'max_command']";
    let catalogue = ReaderCatalogue::new(vec![ReaderProfile::parse(profile).unwrap()]);
    let bench = Bench::start_knowing(Plan { card: true, ..Plan::default() }, catalogue, PATIENCE);
    bench.wait_for_card();
    let mut channel = bench.connect();
    assert_eq!((channel.limits().max_command, channel.limits().max_reply), (200, 258));
    let too_long = channel.transmit(&[0; 201]);
    assert_eq!(too_long.unwrap_err(), TransportError::CommandTooLong { length: 201, limit: 200 });
}

#[test]
fn every_error_code_of_libnfc_in_an_exchange_is_a_named_outcome_and_the_reader_recovers() {
    let hung = TransportError::TimedOut { after: PATIENCE };
    for (code, name, still_there, lost_card) in [
        (-1, "NFC_EIO", TransportError::ReaderLost, TransportError::ReaderLost),
        (-2, "NFC_EINVARG", TransportError::NotTransacted, TransportError::CardRemoved),
        (-3, "NFC_EDEVNOTSUPP", TransportError::ReaderLost, TransportError::ReaderLost),
        (-4, "NFC_ENOTSUCHDEV", TransportError::ReaderLost, TransportError::ReaderLost),
        (-5, "NFC_EOVFLOW", TransportError::NotTransacted, TransportError::CardRemoved),
        (-6, "NFC_ETIMEOUT", hung.clone(), hung),
        (-7, "NFC_EOPABORTED", TransportError::NotTransacted, TransportError::CardRemoved),
        (-8, "NFC_ENOTIMPL", TransportError::ReaderLost, TransportError::ReaderLost),
        (-10, "NFC_ETGRELEASED", TransportError::CardRemoved, TransportError::CardRemoved),
        (-20, "NFC_ERFTRANS", TransportError::NotTransacted, TransportError::CardRemoved),
        (-30, "NFC_EMFCAUTHFAIL", TransportError::NotTransacted, TransportError::CardRemoved),
        (-80, "NFC_ESOFT", TransportError::ReaderLost, TransportError::ReaderLost),
        (-90, "NFC_ECHIP", TransportError::NotTransacted, TransportError::CardRemoved),
        (-77, "an unknown error", TransportError::ReaderLost, TransportError::ReaderLost),
    ] {
        assert_eq!(fault::name(code), name);
        // Each in a reader of its own: one that is lost again and again comes back ever more slowly.
        let bench = Bench::start(Plan { card: true, ..Plan::default() });
        bench.wait_for_card();
        for (card, expected) in [(true, &still_there), (false, &lost_card)] {
            let mut channel = bench.connect();
            bench.plan(|plan| (plan.exchange, plan.card) = (Some(Says::Code(code)), card));
            assert_eq!(channel.transmit(&SELECT).as_ref().unwrap_err(), expected, "{name}, card {card}");
            bench.plan(|plan| (plan.exchange, plan.card) = (None, true));
            match expected {
                // Nothing was lost: the same channel goes on.
                TransportError::NotTransacted => assert!(good(channel.transmit(&SELECT)), "{name}"),
                _ => bench.wait_for_card(),
            }
        }
    }
    // The table is libnfc's whole list.
    let codes: Vec<i32> = CODES.iter().map(|(code, ..)| *code).collect();
    assert_eq!(codes, [-1, -2, -3, -4, -5, -6, -7, -8, -10, -20, -30, -80, -90]);
}

#[test]
fn every_error_code_while_it_looks_for_a_card_is_survived() {
    for (code, name, meaning) in CODES {
        let bench = Bench::start(Plan { card: true, find: Some(Says::Code(code)), ..Plan::default() });
        let since = Instant::now();
        bench.wait_for("the reader", |event| matches!(event, ReaderEvent::Attached(_)));
        // One that cannot search is lost, at once or after a few tries; a good one finds the card that lies there.
        bench.wait_for_detached();
        let seen = bench.requests();
        let (finds, least) = (
            seen.iter().filter(|word| **word == "find").count(),
            1 + 3 * usize::from(meaning != Meaning::Unusable),
        );
        assert!(finds >= least, "{name}: given up after {finds} searches");
        assert!(u128::from(bench.starts()) <= 1 + since.elapsed().as_millis() / 200, "{name}: a busy loop");
        bench.plan(|plan| plan.find = None);
        bench.wait_for_card();
        assert!(good(bench.connect().transmit(&SELECT)), "{name}");
    }
}

#[test]
fn a_reader_that_cannot_be_opened_is_tried_again_ever_more_slowly() {
    for says in [Says::Code(fault::ENOTSUCHDEV), Says::Crashes, Says::Nonsense] {
        let bench = Bench::start(Plan { open: Some(says), card: true, ..Plan::default() });
        let since = Instant::now();
        bench.wait_for("the source", |event| matches!(event, ReaderEvent::SourceReady("nfc")));
        while bench.starts() < 3 {
            assert!(since.elapsed() < PATIENCE);
            std::thread::park_timeout(Duration::from_millis(20));
        }
        assert!(since.elapsed().as_millis() >= 200 + 400, "three tries with ever longer pauses between them");
        bench.plan(|plan| plan.open = None);
        bench.wait_for_card();
    }
}

#[test]
fn a_worker_that_crashes_hangs_or_babbles_is_a_lost_reader_that_comes_back() {
    // Waited for to its end once; everything else has to come within it, too.
    let hung = Duration::from_secs(2);
    for (says, within, expected) in [
        (Says::Crashes, PATIENCE, TransportError::ReaderLost),
        (Says::Nonsense, PATIENCE, TransportError::ReaderLost),
        (Says::Nothing, hung, TransportError::TimedOut { after: hung }),
    ] {
        let plan = Plan { card: true, ..Plan::default() };
        let bench = Bench::start_knowing(plan, ReaderCatalogue::shipped(), within);
        bench.wait_for_card();
        let mut channel = bench.connect();
        bench.plan(|plan| plan.exchange = Some(says));
        assert_eq!(channel.transmit(&SELECT).unwrap_err(), expected, "{says:?}");
        bench.plan(|plan| plan.exchange = None);
        bench.wait_for_detached();
        bench.wait_for_card();
        // What was open to the reader of before does not speak to the card of now.
        assert_eq!(channel.transmit(&SELECT).unwrap_err(), TransportError::CardReset);
        assert!(good(bench.connect().transmit(&SELECT)));
    }
}

#[test]
fn nothing_is_sent_to_a_card_that_another_channel_or_another_hand_put_there() {
    let bench = Bench::start(Plan { card: true, ..Plan::default() });
    bench.wait_for_card();
    let mut channel = bench.connect();
    assert!(good(channel.transmit(&SELECT)));
    bench.plan(|plan| plan.card = false);
    bench.wait_for("the card's leaving", |event| matches!(event, ReaderEvent::CardRemoved(_)));
    assert_eq!(channel.transmit(&SELECT).unwrap_err(), TransportError::CardRemoved);
    assert_eq!(bench.source.connect(&Bench::id()).err(), Some(TransportError::CardRemoved));
    bench.plan(|plan| plan.card = true);
    bench.wait_for_card();
    bench.requests();
    assert_eq!(
        channel.transmit(&SELECT).unwrap_err(),
        TransportError::CardReset,
        "another has connected since"
    );
    let mut second = bench.connect();
    assert!(good(second.transmit(&SELECT)));
    bench.plan(|plan| plan.card = false);
    bench.wait_for("the card's leaving", |event| matches!(event, ReaderEvent::CardRemoved(_)));
    bench.plan(|plan| plan.card = true);
    bench.wait_for_card();
    bench.requests();
    assert_eq!(second.transmit(&SELECT).unwrap_err(), TransportError::CardRemoved);
    assert!(!bench.requests().contains(&"exchange"), "it reached the new card");
    assert_eq!(second.reset(), Ok(()), "a reset takes the card that lies there now");
    assert!(good(second.transmit(&SELECT)));
    drop(second);
    // Whoever comes next finds no session of ours.
    let mut third = bench.connect();
    let seen = bench.requests();
    let last = seen.iter().rposition(|word| *word == "exchange").unwrap();
    assert_eq!(seen[last + 1..last + 3], ["rest", "find"], "{seen:?}");
    assert!(good(third.transmit(&SELECT)));
}
