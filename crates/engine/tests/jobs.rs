//! Readings as jobs: paused and gone on with, found in part before the end, kept in order, and readers leased.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of these tests fail a test by panicking, like the tests themselves"
)]

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cccd_card::{
    Behind, CardChannel, ChannelLimits, ReaderEvent, ReaderId, ReaderSource, StopSignal, TransportError,
};
use cccd_document::{
    AccessKey, Biometrics, Can, Expectation, ExpectedField, FieldMatch, FieldSet, FileId, Personal, ReadMark,
};
use cccd_engine::{
    CallerId, Conclude, Engine, EngineHandle, EngineOptions, Errand, EventKind, LeaseEnd, LeaseTerms,
    NoLease, NotHere, ReadFailure, ReadId, ReadRequest, ReadState, Stay, Subscription, UnderProfile,
    every_group,
};
use cccd_firmware_sim::chip::Chip;
use cccd_firmware_sim::personalise::{CardDescription, Issuer, personalise, shipped_card};
use cccd_firmware_sim::reader::in_process::{Fault, FaultPlan, InProcessReader};

/// In the middle of the portrait, with short lengths.
const IN_THE_PORTRAIT: usize = 60;

struct Desk {
    engine: Engine,
    hand: InProcessReader,
    reader: ReaderId,
    issuer: Issuer,
}

fn description() -> CardDescription {
    shipped_card("cccd-2021").unwrap().description().unwrap()
}

fn caller(name: &str) -> CallerId {
    CallerId::new(name)
}

impl Desk {
    fn new(options: EngineOptions) -> Self {
        let hand = InProcessReader::new();
        let reader = hand.attach("Lane 0", ChannelLimits::SHORT).unwrap();
        let engine = Engine::start(vec![Arc::new(hand.clone())], Vec::new(), options);
        assert!(cccd_patience::ready("the first look of every source", engine.handle().settled()).unwrap());
        Self { engine, hand, reader, issuer: Issuer::new().unwrap() }
    }

    fn handle(&self) -> EngineHandle {
        self.engine.handle()
    }

    fn chip(&self) -> Chip {
        Chip::new(personalise(&description(), &self.issuer).unwrap())
    }

    /// The same card, laid down twice.
    fn twins(&self) -> (Chip, Chip) {
        let image = personalise(&description(), &self.issuer).unwrap();
        (Chip::new(image.clone()), Chip::new(image))
    }

    fn request(&self, owner: &str) -> ReadRequest {
        ReadRequest {
            owner: caller(owner),
            reader: Some(self.reader.clone()),
            access: AccessKey::Can(Can::new(description().can().unwrap()).unwrap()).into(),
            groups: every_group(),
            fields: FieldSet::ALL,
            biometrics: Biometrics::NONE,
            under: None,
            nonce: None,
            expect: None,
            wait_for_card: None,
        }
    }

    fn submit(&self, owner: &str) -> ReadId {
        self.handle().submit(self.request(owner)).blocking_recv().unwrap().unwrap().id
    }

    fn events(&self, of: &str) -> Subscription {
        self.handle().subscribe(caller(of), None).blocking_recv().unwrap()
    }

    fn state(&self, owner: &str, read: ReadId) -> ReadState {
        self.handle().watch(caller(owner), read).blocking_recv().unwrap().unwrap().borrow().state
    }

    fn lease(&self, holder: &str) -> Result<(), NoLease> {
        let lease = self.handle().lease(
            caller(holder),
            self.reader.clone(),
            LeaseTerms::lasting(Duration::from_secs(30)),
        );
        lease.blocking_recv().unwrap().map(|view| assert!(view.remaining > Duration::from_secs(20)))
    }
}

/// The first event that `pick` takes.
fn next<T>(events: &mut Subscription, mut pick: impl FnMut(&EventKind) -> Option<T>) -> T {
    loop {
        if let Some(found) =
            pick(&cccd_patience::ready("the event that was wanted", events.coming.recv()).unwrap().kind)
        {
            return found;
        }
    }
}

fn over(events: &mut Subscription, of: ReadId) -> Result<(), ReadFailure> {
    next(events, |kind| match kind {
        EventKind::ReadCompleted { read } if *read == of => Some(Ok(())),
        EventKind::ReadFailed { read, failure } if *read == of => Some(Err(*failure)),
        _ => None,
    })
}

/// Lays a card down and waits until the engine knows it.
fn lay(desk: &Desk, events: &mut Subscription, card: Chip) {
    desk.hand.insert(&desk.reader, card).unwrap();
    next(events, |kind| matches!(kind, EventKind::CardInserted { .. }).then_some(()));
}

/// Takes the card away and waits until the engine knows it.
fn lift(desk: &Desk, events: &mut Subscription) {
    desk.hand.remove(&desk.reader).unwrap();
    next(events, |kind| matches!(kind, EventKind::CardRemoved { .. }).then_some(()));
}

/// Lays `card` down, has it pulled at exchange `at`, and waits until the reading is paused.
fn paused(desk: &Desk, events: &mut Subscription, card: Chip, at: usize) -> ReadId {
    desk.hand.plan_faults(&desk.reader, FaultPlan::default().at(at, Fault::PullCard)).unwrap();
    lay(desk, events, card);
    let read = desk.submit("clinic");
    let why = next(events, |kind| match kind {
        EventKind::ReadPaused { failure, .. } => Some(*failure),
        _ => None,
    });
    assert_eq!(why, ReadFailure::CardRemoved);
    assert_eq!(desk.state("clinic", read), ReadState::Paused(ReadFailure::CardRemoved));
    lift(desk, events);
    read
}

#[test]
fn a_lifted_card_laid_down_again_is_read_to_its_end_without_reading_anything_twice() {
    let desk = Desk::new(EngineOptions::default());
    let mut events = desk.events("clinic");
    lay(&desk, &mut events, desk.chip());
    let whole = desk.submit("clinic");
    over(&mut events, whole).unwrap();
    let commands =
        |read| desk.handle().result(caller("clinic"), read).blocking_recv().unwrap().unwrap().effort.commands;
    let whole = commands(whole);
    lift(&desk, &mut events);

    // The portrait is the last file: of what was whole by then nothing is read again.
    let (first, again) = desk.twins();
    let read = paused(&desk, &mut events, first, IN_THE_PORTRAIT);
    desk.hand.insert(&desk.reader, again).unwrap();
    next(&mut events, |kind| matches!(kind, EventKind::ReadResumed { .. }).then_some(()));
    over(&mut events, read).unwrap();
    assert!(commands(read) < whole, "{} of {whole}", commands(read));
    let reading = desk.handle().result(caller("clinic"), read).blocking_recv().unwrap().unwrap();
    assert!(reading.portrait.is_some());
    assert_eq!(reading.record.personal_number.as_ref().unwrap().value.expose(), "000090123456");
}

#[test]
fn a_card_lifted_at_any_exchange_and_laid_down_again_is_read() {
    let desk = Desk::new(EngineOptions::default());
    let mut events = desk.events("clinic");
    for at in (0..95).step_by(5) {
        let (first, again) = desk.twins();
        let read = paused(&desk, &mut events, first, at);
        desk.hand.insert(&desk.reader, again).unwrap();
        assert_eq!(over(&mut events, read), Ok(()), "lifted at {at}");
        lift(&desk, &mut events);
    }
}

#[test]
fn another_card_laid_down_instead_ends_the_reading() {
    let desk = Desk::new(EngineOptions::default());
    let mut events = desk.events("clinic");
    // The key of both cards is the same, and so is the person: only the document is another.
    let read = paused(&desk, &mut events, desk.chip(), IN_THE_PORTRAIT);
    desk.hand.insert(&desk.reader, desk.chip()).unwrap();
    assert_eq!(over(&mut events, read), Err(ReadFailure::CardChanged));
    assert_eq!(
        desk.handle().partial(caller("clinic"), read).blocking_recv().unwrap().unwrap_err(),
        NotHere::Failed(ReadFailure::CardChanged)
    );
}

#[test]
fn a_card_that_does_not_come_back_ends_the_reading_in_time() {
    let desk =
        Desk::new(EngineOptions { wait_for_return: Duration::from_millis(50), ..EngineOptions::default() });
    let mut events = desk.events("clinic");
    let read = paused(&desk, &mut events, desk.chip(), 20);
    assert_eq!(over(&mut events, read), Err(ReadFailure::CardRemoved));

    let never = Desk::new(EngineOptions { wait_for_return: Duration::ZERO, ..EngineOptions::default() });
    let mut events = never.events("clinic");
    never.hand.plan_faults(&never.reader, FaultPlan::default().at(20, Fault::PullCard)).unwrap();
    never.hand.insert(&never.reader, never.chip()).unwrap();
    assert_eq!(over(&mut events, never.submit("clinic")), Err(ReadFailure::CardRemoved));
}

#[test]
fn a_card_lifted_again_and_again_is_given_up() {
    let desk = Desk::new(EngineOptions::default());
    let mut events = desk.events("clinic");
    let image = personalise(&description(), &desk.issuer).unwrap();
    let read = paused(&desk, &mut events, Chip::new(image.clone()), 20);
    let mut lifted = 1;
    let outcome = loop {
        desk.hand.plan_faults(&desk.reader, FaultPlan::default().at(20, Fault::PullCard)).unwrap();
        lay(&desk, &mut events, Chip::new(image.clone()));
        let failed = next(&mut events, |kind| match kind {
            EventKind::ReadPaused { .. } => Some(None),
            EventKind::ReadFailed { read: of, failure } if *of == read => Some(Some(*failure)),
            _ => None,
        });
        lift(&desk, &mut events);
        lifted += 1;
        if let Some(failure) = failed {
            break failure;
        }
    };
    assert_eq!((outcome, lifted), (ReadFailure::CardRemoved, 4));
}

#[test]
fn while_a_reading_waits_for_its_card_nobody_else_reads_there() {
    let desk = Desk::new(EngineOptions::default());
    let mut events = desk.events("clinic");
    let (first, again) = desk.twins();
    let read = paused(&desk, &mut events, first, IN_THE_PORTRAIT);
    let mut of_notary = desk.events("notary");
    let other = desk.submit("notary");
    let view =
        desk.handle().watch(caller("notary"), other).blocking_recv().unwrap().unwrap().borrow().clone();
    assert_eq!((view.state, view.ahead), (ReadState::Waiting, 1));
    let readers = desk.handle().readers().blocking_recv().unwrap();
    assert_eq!((readers[0].held_by.clone(), readers[0].is_reading), (Some(caller("clinic")), true));

    desk.hand.insert(&desk.reader, again).unwrap();
    over(&mut events, read).unwrap();
    over(&mut of_notary, other).unwrap();
}

#[test]
fn a_paused_reading_is_called_off_at_once_and_ends_with_its_reader() {
    let desk = Desk::new(EngineOptions::default());
    let mut events = desk.events("clinic");
    let read = paused(&desk, &mut events, desk.chip(), 20);
    desk.handle().dismiss(caller("clinic"), read).blocking_recv().unwrap().unwrap();
    assert_eq!(over(&mut events, read), Err(ReadFailure::Cancelled));

    let read = paused(&desk, &mut events, desk.chip(), 20);
    desk.hand.detach(&desk.reader).unwrap();
    assert_eq!(over(&mut events, read), Err(ReadFailure::ReaderLost));
}

#[test]
fn a_reader_that_was_there_and_went_is_lost_and_not_unknown() {
    let desk = Desk::new(EngineOptions::default());
    desk.hand.attach("Lane 1", ChannelLimits::SHORT).unwrap();
    let mut events = desk.events("clinic");
    desk.hand.detach(&desk.reader).unwrap();
    next(&mut events, |kind| matches!(kind, EventKind::ReaderDetached { .. }).then_some(()));
    let why = |named: &ReaderId| {
        let request = ReadRequest { reader: Some(named.clone()), ..desk.request("clinic") };
        desk.handle().submit(request).blocking_recv().unwrap().map(|_| ()).map_err(|refused| refused.failure)
    };
    assert_eq!(why(&desk.reader), Err(ReadFailure::ReaderLost));
    assert_eq!(why(&ReaderId::from_name("Lane 2")), Err(ReadFailure::ReaderNotFound));

    desk.hand.attach("Lane 0", ChannelLimits::SHORT).unwrap();
    next(&mut events, |kind| matches!(kind, EventKind::ReaderAttached { .. }).then_some(()));
    assert_eq!(why(&desk.reader), Ok(()), "back again, it is waited for");
}

#[test]
fn who_the_person_is_comes_before_the_portrait() {
    let desk = Desk::new(EngineOptions::default());
    let mut events = desk.events("clinic");
    // Held up in the middle of the portrait, for as long as it takes to look.
    let read = paused(&desk, &mut events, desk.chip(), IN_THE_PORTRAIT);
    let partial = desk.handle().partial(caller("clinic"), read).blocking_recv().unwrap().unwrap();
    assert_eq!(partial.record.personal_number.as_ref().unwrap().value.expose(), "000090123456");
    assert!(partial.hashes.iter().any(|group| group.state == cccd_trust::HashState::Match));
    let other = desk.handle().partial(caller("notary"), read).blocking_recv().unwrap();
    assert_eq!(other.unwrap_err(), NotHere::Unknown);
    let early = desk.handle().result(caller("clinic"), read).blocking_recv().unwrap();
    assert_eq!(early.unwrap_err(), NotHere::NotYet);
}

#[test]
fn an_expectation_is_compared_and_nothing_more_is_told() {
    let desk = Desk::new(EngineOptions::default());
    let mut events = desk.events("exam");
    desk.hand.insert(&desk.reader, desk.chip()).unwrap();
    let plain = |text: &str| Some(ExpectedField::Plain(Personal::from(text)));
    let expect =
        Expectation {
            number: plain("000090123456"), name: plain("Trần Thị Khác"), ..Expectation::default()
        };
    let request = ReadRequest { expect: Some(expect), ..desk.request("exam") };
    let read = desk.handle().submit(request).blocking_recv().unwrap().unwrap().id;
    over(&mut events, read).unwrap();
    let reading = desk.handle().result(caller("exam"), read).blocking_recv().unwrap().unwrap();
    let expected = reading.expected.unwrap();
    assert_eq!(
        (expected.number, expected.name, expected.birth),
        (Some(FieldMatch::Match), Some(FieldMatch::Mismatch), None)
    );
}

#[test]
fn a_leased_reader_is_for_its_holder_alone() {
    let desk = Desk::new(EngineOptions::default());
    desk.lease("kiosk").unwrap();
    assert_eq!(desk.lease("clinic"), Err(NoLease::Held { by: caller("kiosk") }));
    // Asking again is the heartbeat.
    desk.lease("kiosk").unwrap();

    desk.hand.insert(&desk.reader, desk.chip()).unwrap();
    for reader in [Some(desk.reader.clone()), None] {
        let request = ReadRequest { reader, ..desk.request("clinic") };
        let refused = desk.handle().submit(request).blocking_recv().unwrap().unwrap_err();
        assert_eq!((refused.failure, refused.held_by), (ReadFailure::ReaderBusy, Some(caller("kiosk"))));
    }
    let mut events = desk.events("kiosk");
    let read = desk.submit("kiosk");
    over(&mut events, read).unwrap();

    // Another's word gives nothing back; the holder's does.
    desk.handle().end_lease(caller("clinic"), desk.reader.clone()).blocking_recv().unwrap().unwrap();
    assert!(desk.lease("clinic").is_err());
    desk.handle().end_lease(caller("kiosk"), desk.reader.clone()).blocking_recv().unwrap().unwrap();
    desk.lease("clinic").unwrap();
    let nowhere = desk.handle().lease(
        caller("clinic"),
        ReaderId::from_name("nowhere"),
        LeaseTerms::lasting(Duration::from_secs(9)),
    );
    assert_eq!(nowhere.blocking_recv().unwrap(), Err(NoLease::ReaderNotFound));
}

#[test]
fn a_holder_who_falls_silent_loses_the_reader_and_who_waits_gets_it() {
    let desk = Desk::new(EngineOptions::default());
    let mut of_kiosk = desk.events("kiosk");
    let mut of_clinic = desk.events("clinic");
    // Accepted before the lease; the card comes while the lease runs.
    let waits = desk.submit("clinic");
    let lease = desk.handle().lease(
        caller("kiosk"),
        desk.reader.clone(),
        LeaseTerms::lasting(Duration::from_millis(300)),
    );
    lease.blocking_recv().unwrap().unwrap();
    desk.hand.insert(&desk.reader, desk.chip()).unwrap();
    let why = next(&mut of_kiosk, |kind| match kind {
        EventKind::LeaseLost { why, .. } => Some(*why),
        _ => None,
    });
    assert_eq!(why, LeaseEnd::Expired);
    over(&mut of_clinic, waits).unwrap();

    desk.lease("kiosk").unwrap();
    desk.hand.detach(&desk.reader).unwrap();
    let why = next(&mut of_kiosk, |kind| match kind {
        EventKind::LeaseLost { why, .. } => Some(*why),
        _ => None,
    });
    assert_eq!(why, LeaseEnd::ReaderDetached);
}

#[test]
fn a_reader_in_use_is_leased_only_to_whom_uses_it() {
    let desk = Desk::new(EngineOptions::default());
    let mut events = desk.events("clinic");
    let _ = paused(&desk, &mut events, desk.chip(), 20);
    assert_eq!(desk.lease("kiosk"), Err(NoLease::Held { by: caller("clinic") }));
    desk.lease("clinic").unwrap();
}

#[test]
fn callers_who_race_for_one_reader_are_served_in_order_and_see_their_own_reading_only() {
    let desk = Desk::new(EngineOptions::default());
    let names = ["clinic", "notary", "clinic", "exam"];
    let mut everything: Vec<_> = names.iter().map(|name| desk.events(name)).collect();
    let reads: Vec<ReadId> = names.iter().map(|name| desk.submit(name)).collect();
    for (ahead, (name, read)) in names.iter().zip(&reads).enumerate() {
        let view = desk.handle().watch(caller(name), *read).blocking_recv().unwrap().unwrap();
        assert_eq!(view.borrow().ahead, ahead);
    }
    desk.hand.insert(&desk.reader, desk.chip()).unwrap();
    let mut last = 0;
    for ((name, read), events) in names.iter().zip(&reads).zip(&mut everything) {
        over(events, *read).unwrap();
        let finished = desk.handle().result(caller(name), *read).blocking_recv().unwrap().unwrap().finished;
        assert_eq!(finished, time::OffsetDateTime::UNIX_EPOCH);
        for other in ["clinic", "notary", "exam"].iter().filter(|other| *other != name) {
            let theirs = desk.handle().result(caller(other), *read).blocking_recv().unwrap();
            assert_eq!(theirs.unwrap_err(), NotHere::Unknown);
        }
        let sequence = desk
            .handle()
            .subscribe(caller(name), Some(0))
            .blocking_recv()
            .unwrap()
            .missed
            .iter()
            .find(|event| event.kind == EventKind::ReadCompleted { read: *read })
            .unwrap()
            .sequence;
        assert!(sequence > last, "out of order");
        last = sequence;
    }
}

#[test]
fn a_stay_that_ends_frees_its_readers_and_calls_off_what_has_no_card() {
    let desk = Desk::new(EngineOptions::default());
    let mut events = desk.events("clinic");
    let (stay, other) = (Stay::begin(), Stay::begin());
    let lease = |stay: &Stay| {
        let terms = LeaseTerms { stay: Some(stay.clone()), ..LeaseTerms::lasting(Duration::from_secs(60)) };
        desk.handle().lease(caller("clinic"), desk.reader.clone(), terms).blocking_recv().unwrap()
    };
    let submit = |stay: &Stay| {
        let errand = Errand { stay: Some(stay.clone()), ..Errand::default() };
        let view = desk.handle().submit_for(desk.request("clinic"), errand).blocking_recv().unwrap();
        view.map(|view| view.id)
    };
    lease(&stay).unwrap();
    let (ends, stays) = (submit(&stay).unwrap(), submit(&other).unwrap());
    desk.handle().end_stay(stay.clone()).blocking_recv().unwrap();
    let lost = next(&mut events, |kind| match kind {
        EventKind::LeaseLost { why, .. } => Some(*why),
        _ => None,
    });
    assert_eq!(lost, LeaseEnd::HolderGone);
    assert_eq!(desk.state("clinic", ends), ReadState::Failed(ReadFailure::Cancelled));
    assert_eq!(desk.state("clinic", stays), ReadState::Waiting, "another stay of the same caller goes on");
    let readers = desk.handle().readers().blocking_recv().unwrap();
    assert_eq!(readers[0].held_by, None);
    // What was on its way when the stay ended leaves nothing behind.
    assert_eq!(lease(&stay), Err(NoLease::HolderGone));
    assert_eq!(submit(&stay).map_err(|refused| refused.failure), Err(ReadFailure::Cancelled));
    // A lease that another stay has asked for since is that one's.
    let again = Stay::begin();
    lease(&again).unwrap();
    lease(&other).unwrap();
    desk.handle().end_stay(again).blocking_recv().unwrap();
    assert_eq!(desk.lease("kiosk"), Err(NoLease::Held { by: caller("clinic") }));
}

/// A desk whose readings are held up before their end until `go_on` sends, and tell `arrived` that they are.
fn held_up() -> (Desk, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (arrives, arrived) = mpsc::channel();
    let (go_on, goes_on) = mpsc::channel();
    let gate = Mutex::new((arrives, goes_on));
    let judge = move |_: &_, _| {
        let gate = gate.lock().unwrap();
        gate.0.send(()).unwrap();
        let told = gate.1.recv_timeout(Duration::from_secs(120));
        assert_ne!(told, Err(RecvTimeoutError::Timeout), "nobody lets the reading go on");
        cccd_trust::Verdict::of(Vec::new())
    };
    let options = EngineOptions { judge: Arc::new(judge), ..EngineOptions::default() };
    (Desk::new(options), arrived, go_on)
}

#[test]
fn what_runs_under_a_profile_is_finished_for_its_consumer_when_its_caller_is_forgotten() {
    let (desk, arrived, go_on) = held_up();
    let (conclude, concluded) = mpsc::channel();
    let conclude = Mutex::new(conclude);
    let under = UnderProfile {
        profile: "exam".into(),
        insurance: None,
        register: None,
        conclude: Conclude::by(move |read, reading| {
            conclude.lock().unwrap().send((read, reading)).unwrap();
        }),
    };
    let mut of_clinic = desk.events("clinic");
    desk.hand.insert(&desk.reader, desk.chip()).unwrap();
    let wait = Duration::from_secs(120);
    for under in [Some(under), None] {
        let is_under_profile = under.is_some();
        let request = ReadRequest { under, ..desk.request("clinic") };
        let read = desk.handle().submit(request).blocking_recv().unwrap().unwrap().id;
        arrived.recv_timeout(wait).expect("the reading comes as far as its judgement");
        let waits = desk.submit("clinic");
        desk.handle().forget(caller("clinic")).blocking_recv().unwrap();
        assert_eq!(desk.state("clinic", waits), ReadState::Failed(ReadFailure::Cancelled));
        go_on.send(()).unwrap();
        let mut view = desk.handle().watch(caller("clinic"), read).blocking_recv().unwrap().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async { view.wait_for(|view| view.state.is_over()).await.map(drop) }).unwrap();
        let outcome = desk.handle().result(caller("clinic"), read).blocking_recv().unwrap();
        if is_under_profile {
            let (of, reading) = concluded.recv_timeout(wait).expect("it is concluded");
            assert_eq!(of, read);
            assert!(reading.record.personal_number.is_some());
            // Nothing of it is for whoever had asked.
            assert_eq!(outcome.unwrap_err(), NotHere::Expired);
        } else {
            assert_eq!(outcome.unwrap_err(), NotHere::Failed(ReadFailure::Cancelled));
        }
    }
    assert!(concluded.try_recv().is_err(), "once");
    while let Ok(event) = of_clinic.coming.try_recv() {
        assert!(!matches!(event.kind, EventKind::ReadCompleted { .. }));
    }
}

/// A simulated reader that passes for a device, as one behind a driver may.
struct PassesForADevice(InProcessReader);

impl ReaderSource for PassesForADevice {
    fn name(&self) -> &'static str {
        "device"
    }

    fn watch(&self, tell: &mut dyn FnMut(ReaderEvent), stop: &StopSignal) {
        let mut passing = |event| {
            tell(match event {
                ReaderEvent::Attached(mut info) => {
                    info.behind = Behind::Device;
                    ReaderEvent::Attached(info)
                }
                other => other,
            });
        };
        self.0.watch(&mut passing, stop);
    }

    fn connect(&self, reader: &ReaderId) -> Result<Box<dyn CardChannel>, TransportError> {
        self.0.connect(reader)
    }
}

#[test]
fn a_reading_is_marked_where_the_reader_is_software_or_the_card_says_that_it_is() {
    let marked = personalise(&description(), &Issuer::new().unwrap()).unwrap();
    let mut unmarked = marked.clone();
    let sod = unmarked.emrtd.get_mut(&FileId::EfSod.fid()).unwrap();
    // The identifier of the mark, and one beside it: nobody knows that.
    let mark = [0x2B, 6, 1, 4, 1, 0x81, 0xFD, 0x59, 0xC8, 0x57, 1];
    let places: Vec<usize> =
        (0..sod.content.len() - mark.len()).filter(|at| sod.content[*at..].starts_with(&mark)).collect();
    assert!(!places.is_empty());
    places.iter().for_each(|at| sod.content[at + mark.len() - 1] = 2);
    for (behind, image, expected) in [
        (Behind::Simulation, &marked, ReadMark::Simulated),
        (Behind::Simulation, &unmarked, ReadMark::Simulated),
        (Behind::Device, &marked, ReadMark::Simulated),
        (Behind::Device, &unmarked, ReadMark::Unmarked),
    ] {
        let hand = InProcessReader::new();
        let reader = hand.attach("Lane 0", ChannelLimits::SHORT).unwrap();
        let source: Arc<dyn ReaderSource> = match behind {
            Behind::Simulation => Arc::new(hand.clone()),
            Behind::Device => Arc::new(PassesForADevice(hand.clone())),
        };
        let engine = Engine::start(vec![source], Vec::new(), EngineOptions::default());
        assert!(engine.handle().settled().blocking_recv().unwrap());
        let desk = Desk { engine, hand, reader, issuer: Issuer::new().unwrap() };
        let mut events = desk.events("clinic");
        lay(&desk, &mut events, Chip::new(image.clone()));
        let read = desk.submit("clinic");
        over(&mut events, read).unwrap();
        let reading = desk.handle().result(caller("clinic"), read).blocking_recv().unwrap().unwrap();
        assert_eq!(reading.mark, expected, "{behind:?}");
    }
}
