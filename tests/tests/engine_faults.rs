//! Faults at every single exchange of a reading, in process: a named outcome each time, and the next reading
//! works.

use std::sync::Arc;
use std::time::Duration;

use cccd_card::{ChannelLimits, ReaderId, TransportError};
use cccd_document::{AccessKey, Biometrics, Can, FieldSet};
use cccd_engine::{
    CallerId, Engine, EngineOptions, EventKind, ReadFailure, ReadRequest, ReadState, Reading, every_group,
};
use cccd_firmware_sim::chip::Chip;
use cccd_firmware_sim::personalise::{Issuer, personalise};
use cccd_firmware_sim::reader::in_process::{Fault, FaultPlan, InProcessReader};
use cccd_tests::{HeldCard, people};

struct Desk {
    engine: Engine,
    hand: InProcessReader,
    reader: ReaderId,
}

const CARD: &str = "cccd-2021";

impl Desk {
    fn new() -> Self {
        let hand = InProcessReader::new();
        let reader = hand.attach("Lane 0", ChannelLimits::EXTENDED).unwrap();
        let image = personalise(&people::card(CARD), &Issuer::new().unwrap()).unwrap();
        hand.insert(&reader, Chip::new(image)).unwrap();
        let engine = Engine::start(
            vec![Arc::new(hand.clone())],
            Vec::new(),
            // A card that is gone shall be told at once.
            EngineOptions { wait_for_return: Duration::ZERO, ..EngineOptions::default() },
        );
        assert!(cccd_patience::ready("the first look of every source", engine.handle().settled()).unwrap());
        Self { engine, hand, reader }
    }

    /// One reading to its end; the next connection to the card goes wrong by `plan`.
    fn read(&self, plan: FaultPlan) -> Result<Arc<Reading>, ReadFailure> {
        self.hand.plan_faults(&self.reader, plan).unwrap();
        let caller = CallerId::new("tests");
        let handle = self.engine.handle();
        let view = handle
            .submit(ReadRequest {
                owner: caller.clone(),
                reader: Some(self.reader.clone()),
                access: AccessKey::Can(Can::new(people::card(CARD).can().unwrap()).unwrap()).into(),
                nonce: None,
                expect: None,
                biometrics: Biometrics::NONE,
                under: None,
                groups: every_group(),
                fields: FieldSet::ALL,
                wait_for_card: None,
            })
            .blocking_recv()
            .unwrap()
            .unwrap();
        let mut events = handle.subscribe(caller.clone(), Some(0)).blocking_recv().unwrap();
        let views = handle.watch(caller.clone(), view.id).blocking_recv().unwrap().unwrap();
        while !views.borrow().state.is_over() {
            // Every change of a reading's state tells an event.
            cccd_patience::ready("the end of the reading", events.coming.recv()).unwrap();
        }
        let state = views.borrow().state;
        match state {
            ReadState::Completed => Ok(handle.result(caller, view.id).blocking_recv().unwrap().unwrap()),
            ReadState::Failed(failure) => Err(failure),
            other => panic!("a reading ended {other:?}"),
        }
    }

    fn assert_next_reading_works(&self, after: &str) {
        let reading = self.read(FaultPlan::default());
        assert!(reading.is_ok(), "after {after}: {:?}", reading.err());
    }

    /// How many exchanges a reading without faults takes, once the make of card is known.
    fn exchanges(&self) -> usize {
        self.read(FaultPlan::default()).unwrap();
        usize::try_from(self.read(FaultPlan::default()).unwrap().effort.commands).unwrap()
    }
}

#[test]
fn a_card_pulled_at_any_exchange_is_a_card_removed_and_the_next_reading_works() {
    let desk = Desk::new();
    let exchanges = desk.exchanges();
    assert!(exchanges > 12, "{exchanges}");
    for index in 0..exchanges {
        let outcome = desk.read(FaultPlan::default().at(index, Fault::PullCard));
        assert_eq!(outcome.map(|_| ()), Err(ReadFailure::CardRemoved), "at exchange {index}");
        desk.assert_next_reading_works(&format!("a card pulled at {index}"));
    }
}

#[test]
fn every_fault_of_the_transport_at_every_exchange_has_its_own_outcome() {
    let desk = Desk::new();
    let exchanges = desk.exchanges();
    for (error, expected) in [
        (TransportError::ReaderLost, ReadFailure::ReaderLost),
        (TransportError::ServiceLost, ReadFailure::ServiceUnavailable),
        (TransportError::CardReset, ReadFailure::CardReset),
        (TransportError::TimedOut { after: Duration::from_secs(15) }, ReadFailure::ReaderHung),
    ] {
        for index in 0..exchanges {
            let outcome = desk.read(FaultPlan::default().at(index, Fault::Fail(error.clone())));
            assert_eq!(outcome.map(|_| ()), Err(expected), "{error} at exchange {index}");
        }
        desk.assert_next_reading_works(&error.to_string());
    }
}

#[test]
fn an_answer_cut_short_anywhere_never_yields_other_data() {
    let desk = Desk::new();
    let exchanges = desk.exchanges();
    let whole = desk.read(FaultPlan::default()).unwrap();
    for index in 0..exchanges {
        for length in [0, 1, 2, 7] {
            let plan = FaultPlan::default().at(index, Fault::CutTo(length));
            // Before access control a chip may be read in more than one way; what comes out is the same.
            if let Ok(reading) = desk.read(plan) {
                assert_eq!(reading.evidence.files, whole.evidence.files, "{length} bytes at {index}");
            }
        }
    }
    desk.assert_next_reading_works("short answers");
}

#[test]
fn a_flipped_bit_anywhere_never_yields_other_data() {
    let desk = Desk::new();
    let exchanges = desk.exchanges();
    let whole = desk.read(FaultPlan::default()).unwrap();
    for index in 0..exchanges {
        // The exhaustive search is in `emrtd`, where a reply can be judged without a whole reading.
        for byte in [0, 1, 2, 5, 17, 40] {
            let plan = FaultPlan::default().at(index, Fault::FlipBit { byte, bit: (byte % 8) as u8 });
            if let Ok(reading) = desk.read(plan) {
                assert_eq!(reading.evidence.files, whole.evidence.files, "byte {byte} at {index}");
            }
        }
    }
    desk.assert_next_reading_works("flipped bits");
}

#[test]
fn a_reading_whose_turn_does_not_come_says_that_the_reader_is_busy() {
    let hand = InProcessReader::new();
    let reader = hand.attach("Lane 0", ChannelLimits::EXTENDED).unwrap();
    let image = personalise(&people::card(CARD), &Issuer::new().unwrap()).unwrap();
    let (held, hold) = HeldCard::after(3, Chip::new(image));
    hand.insert(&reader, held).unwrap();
    let engine = Engine::start(
        vec![Arc::new(hand.clone())],
        Vec::new(),
        // A card that is gone shall be told at once.
        EngineOptions { wait_for_return: Duration::ZERO, ..EngineOptions::default() },
    );
    let handle = engine.handle();
    assert!(cccd_patience::ready("the first look of every source", handle.settled()).unwrap());
    let caller = CallerId::new("tests");
    let mut events = handle.subscribe(caller.clone(), None).blocking_recv().unwrap().coming;
    let submit = |wait| {
        let request = ReadRequest {
            owner: caller.clone(),
            reader: None,
            access: AccessKey::Can(Can::new("123456").unwrap()).into(),
            nonce: None,
            expect: None,
            biometrics: Biometrics::NONE,
            under: None,
            groups: FieldSet::ALL.groups(),
            fields: FieldSet::ALL,
            wait_for_card: Some(Duration::from_millis(wait)),
        };
        handle.submit(request).blocking_recv().unwrap().unwrap().id
    };
    let first = submit(60_000);
    hold.wait_until_reached();
    let second = submit(50);
    let mut ended = |read| {
        loop {
            match cccd_patience::ready("the end of one of the readings", events.recv()).unwrap().kind {
                EventKind::ReadFailed { read: of, failure } if of == read => return Err(failure),
                EventKind::ReadCompleted { read: of } if of == read => return Ok(()),
                _ => {}
            }
        }
    };
    assert_eq!(ended(second), Err(ReadFailure::ReaderBusy));
    drop(hold);
    assert_eq!(ended(first), Ok(()));
}

#[test]
fn a_reader_detached_between_readings_is_known_at_once() {
    let desk = Desk::new();
    desk.hand.detach(&desk.reader).unwrap();
    let handle = desk.engine.handle();
    let caller = CallerId::new("tests");
    let mut events = handle.subscribe(caller, Some(0)).blocking_recv().unwrap();
    while !handle.readers().blocking_recv().unwrap().is_empty() {
        cccd_patience::ready("the reader's leaving", events.coming.recv()).unwrap();
    }
    desk.hand.attach("Lane 0", ChannelLimits::EXTENDED).unwrap();
    while handle.readers().blocking_recv().unwrap().is_empty() {
        cccd_patience::ready("the reader's return", events.coming.recv()).unwrap();
    }
}
