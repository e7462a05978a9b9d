//! What the reader does with a CCID command (CCID 1.1, 6). Pure: no line, no thread, no card.

use super::atr::for_t1;
use super::frame::{MAX_DATA, Message};
use super::t1::{CardSide, Complaint, Heard};
use crate::reader::slot::Generation;

pub(super) const POWER_ON: u8 = 0x62;
const POWER_OFF: u8 = 0x63;
pub(super) const GET_SLOT_STATUS: u8 = 0x65;
pub(super) const XFR_BLOCK: u8 = 0x6F;
const GET_PARAMETERS: u8 = 0x6C;
const RESET_PARAMETERS: u8 = 0x6D;
pub(super) const SET_PARAMETERS: u8 = 0x61;
const ESCAPE: u8 = 0x6B;

pub(super) const DATA_BLOCK: u8 = 0x80;
const SLOT_STATUS: u8 = 0x81;
const PARAMETERS: u8 = 0x82;
const ESCAPE_ANSWER: u8 = 0x83;

/// The protocol data of T=1 (CCID 1.1, 6.1.7): Fi/Di by default, LRC, no extra guard time, IFSC 254.
const T1_PARAMETERS: [u8; 7] = [0x11, 0x10, 0x00, 0x4D, 0x00, 0xFE, 0x00];

/// What `02` to the reader is answered with. The driver only logs it.
const FIRMWARE: &[u8] = b"cccd-firmware-sim GemPC Twin";

/// The error byte of a failed answer (CCID 1.1, table 6.2-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    CommandNotSupported = 0x00,
    BadLength = 0x01,
    SlotDoesNotExist = 0x05,
    IccMute = 0xFE,
}

/// What a command led to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reaction {
    /// This goes back to the host.
    Answer(Message),
    /// The card has to do something first; its outcome goes to [`Firmware::finish`].
    Ask(Task),
}

/// What the card is asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// Power it on and report its answer-to-reset.
    Reset(Generation),
    /// Process a command APDU.
    Process(Generation, Vec<u8>),
}

/// What the card did.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Its answer-to-reset.
    Atr(Vec<u8>),
    /// Its response APDU.
    Response(Vec<u8>),
    /// It left before it answered.
    Gone,
}

/// The reader between two frames.
#[derive(Debug)]
pub(super) struct Firmware {
    /// Which card is powered.
    powered: Option<Generation>,
    t1: CardSide,
    parameters: Vec<u8>,
    /// The command the card is busy with.
    pending: Option<Message>,
    /// Whether the host knows of a card.
    told: Option<Generation>,
}

impl Default for Firmware {
    fn default() -> Self {
        Self {
            powered: None,
            t1: CardSide::default(),
            parameters: T1_PARAMETERS.to_vec(),
            pending: None,
            told: None,
        }
    }
}

impl Firmware {
    /// Whether the answer to this is what a host learns from that a card came or went.
    pub(super) fn asks_for_presence(message: &Message) -> bool {
        message.kind == GET_SLOT_STATUS && message.slot == 0
    }

    /// Takes a command. `card` is what lies in the slot.
    pub(super) fn command(&mut self, message: Message, card: Option<Generation>) -> Reaction {
        if message.slot != 0 {
            let error = Failure::SlotDoesNotExist as u8;
            return Reaction::Answer(answer(&message, SLOT_STATUS, 0x42, error, &[]));
        }
        if self.powered != card {
            self.powered = None;
        }
        match (message.kind, card) {
            (GET_SLOT_STATUS, _) => self.done(&message, card, SLOT_STATUS, &[]),
            (POWER_OFF, _) => {
                self.powered = None;
                self.done(&message, card, SLOT_STATUS, &[])
            }
            (ESCAPE, _) => self.escape(&message, card),
            (POWER_ON, Some(card)) => {
                self.t1 = CardSide::default();
                self.parameters = T1_PARAMETERS.to_vec();
                self.pending = Some(message);
                Reaction::Ask(Task::Reset(card))
            }
            (POWER_ON | XFR_BLOCK, None) => self.failed(&message, card, DATA_BLOCK, Failure::IccMute),
            (XFR_BLOCK, Some(generation)) if self.powered == card => self.transfer(message, generation),
            (XFR_BLOCK, Some(_)) => self.failed(&message, card, DATA_BLOCK, Failure::IccMute),
            (SET_PARAMETERS | GET_PARAMETERS | RESET_PARAMETERS, None) => {
                self.failed(&message, card, PARAMETERS, Failure::IccMute)
            }
            (SET_PARAMETERS | GET_PARAMETERS | RESET_PARAMETERS, Some(_)) => {
                self.set_parameters(&message, card)
            }
            _ => self.failed(&message, card, SLOT_STATUS, Failure::CommandNotSupported),
        }
    }

    /// Takes what the card did with the last [`Reaction::Ask`]; `card` is what lies in the slot now.
    ///
    /// Nothing where nothing was asked.
    pub(super) fn finish(&mut self, outcome: Outcome, card: Option<Generation>) -> Option<Message> {
        let message = self.pending.take()?;
        let data = match outcome {
            Outcome::Atr(atr) => {
                self.powered = card;
                for_t1(&atr)
            }
            Outcome::Response(response) => self.t1.respond(response),
            Outcome::Gone => {
                self.powered = None;
                return Some(self.fail(&message, card, Failure::IccMute as u8));
            }
        };
        Some(answer(&message, DATA_BLOCK, self.status(card), 0, &data))
    }

    /// The notifications (CCID 1.1, 6.3.1, on this line two bytes each) that precede the next answer.
    ///
    /// One card for another is a removal and an insertion.
    pub(super) fn movements(&mut self, card: Option<Generation>) -> &'static [u8] {
        let before = std::mem::replace(&mut self.told, card);
        match (before, card) {
            (before, now) if before == now => &[],
            (None, _) => &[0x50, 0x03],
            (Some(_), None) => &[0x50, 0x02],
            (Some(_), Some(_)) => &[0x50, 0x02, 0x50, 0x03],
        }
    }

    /// Says that a command failed, with this error byte.
    pub(super) fn fail(&self, message: &Message, card: Option<Generation>, error: u8) -> Message {
        let kind = match message.kind {
            POWER_ON | XFR_BLOCK => DATA_BLOCK,
            SET_PARAMETERS | GET_PARAMETERS | RESET_PARAMETERS => PARAMETERS,
            _ => SLOT_STATUS,
        };
        answer(message, kind, self.status(card) | 0x40, error, &[])
    }

    /// Answers a block by the card's complaint about it.
    pub(super) fn complain(
        &mut self,
        message: &Message,
        card: Option<Generation>,
        complaint: Complaint,
    ) -> Message {
        let block = self.t1.receive_ready(complaint);
        answer(message, DATA_BLOCK, self.status(card), 0, &block)
    }

    /// Answers a block by a request of the card's own.
    pub(super) fn request(
        &mut self,
        message: &Message,
        card: Option<Generation>,
        pcb: u8,
        information: Vec<u8>,
    ) -> Message {
        let block = self.t1.request(pcb, information);
        answer(message, DATA_BLOCK, self.status(card), 0, &block)
    }

    fn transfer(&mut self, message: Message, card: Generation) -> Reaction {
        // A block from node FF does not exist: this is a PPS request, and repeating it is agreeing
        // (ISO/IEC 7816-3, 9.3).
        if message.data.first() == Some(&0xFF) {
            return self.done(&message, Some(card), DATA_BLOCK, &message.data);
        }
        match self.t1.hear(&message.data) {
            Heard::Block(block) => self.done(&message, Some(card), DATA_BLOCK, &block),
            Heard::Overlong => {
                let block = self.t1.respond(vec![0x67, 0x00]);
                self.done(&message, Some(card), DATA_BLOCK, &block)
            }
            Heard::Command(command) => {
                self.pending = Some(message);
                Reaction::Ask(Task::Process(card, command))
            }
        }
    }

    fn escape(&self, message: &Message, card: Option<Generation>) -> Reaction {
        match message.data.as_slice() {
            [0x02] => self.done(message, card, ESCAPE_ANSWER, FIRMWARE),
            // Notify of a movement after the command and before its answer, which is all we do.
            [0x01, 0x01, 0x01] => self.done(message, card, ESCAPE_ANSWER, &[]),
            // Firmware features: none.
            [0x6A] => self.done(message, card, ESCAPE_ANSWER, &[]),
            _ => self.failed(message, card, ESCAPE_ANSWER, Failure::CommandNotSupported),
        }
    }

    fn set_parameters(&mut self, message: &Message, card: Option<Generation>) -> Reaction {
        match (message.kind, message.data.len()) {
            (SET_PARAMETERS, 1..=7) => self.parameters.clone_from(&message.data),
            (SET_PARAMETERS, _) => return self.failed(message, card, PARAMETERS, Failure::BadLength),
            (RESET_PARAMETERS, _) => self.parameters = T1_PARAMETERS.to_vec(),
            _ => {}
        }
        let mut answer = answer(message, PARAMETERS, self.status(card), 0, &self.parameters);
        // bProtocolNum: T=1.
        answer.parameters[2] = 0x01;
        Reaction::Answer(answer)
    }

    /// bmICCStatus: 0 powered, 1 there, 2 not there.
    fn status(&self, card: Option<Generation>) -> u8 {
        match card {
            None => 2,
            Some(_) if self.powered == card => 0,
            Some(_) => 1,
        }
    }

    fn done(&self, message: &Message, card: Option<Generation>, kind: u8, data: &[u8]) -> Reaction {
        Reaction::Answer(answer(message, kind, self.status(card), 0, data))
    }

    fn failed(&self, message: &Message, card: Option<Generation>, kind: u8, why: Failure) -> Reaction {
        Reaction::Answer(answer(message, kind, self.status(card) | 0x40, why as u8, &[]))
    }
}

fn answer(message: &Message, kind: u8, status: u8, error: u8, data: &[u8]) -> Message {
    debug_assert!(data.len() <= MAX_DATA);
    Message {
        kind,
        slot: message.slot,
        sequence: message.sequence,
        parameters: [status, error, 0x00],
        data: data.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CARD: Generation = Generation::first();

    fn message(kind: u8, data: &[u8]) -> Message {
        Message { kind, slot: 0, sequence: 9, parameters: [0; 3], data: data.to_vec() }
    }

    fn answered(reaction: Reaction) -> Message {
        match reaction {
            Reaction::Answer(message) => message,
            Reaction::Ask(task) => panic!("{task:?} asked"),
        }
    }

    fn powered() -> Firmware {
        let mut firmware = Firmware::default();
        let asked = firmware.command(message(POWER_ON, &[]), Some(CARD));
        assert_eq!(asked, Reaction::Ask(Task::Reset(CARD)));
        let atr = firmware.finish(Outcome::Atr(vec![0x3B, 0x80, 0x80, 0x01, 0x01]), Some(CARD)).unwrap();
        assert_eq!((atr.kind, atr.parameters[0]), (DATA_BLOCK, 0x00));
        assert_eq!(atr.data, [0x3B, 0x80, 0x81, 0x31, 0xFE, 0x48, 0x86]);
        firmware
    }

    #[test]
    fn slot_status_tells_absent_present_and_powered() {
        let mut firmware = Firmware::default();
        let status = |firmware: &mut Firmware, card| {
            answered(firmware.command(message(GET_SLOT_STATUS, &[]), card)).parameters[0]
        };
        assert_eq!(status(&mut firmware, None), 2);
        assert_eq!(status(&mut firmware, Some(CARD)), 1);
        let mut firmware = powered();
        assert_eq!(status(&mut firmware, Some(CARD)), 0);
        assert_eq!(status(&mut firmware, Some(CARD.next())), 1, "another card is not powered");
        assert_eq!(status(&mut firmware, Some(CARD)), 1, "nor is the first one, put back");
    }

    #[test]
    fn an_empty_slot_is_mute() {
        for kind in [POWER_ON, XFR_BLOCK, SET_PARAMETERS, GET_PARAMETERS] {
            let answer = answered(Firmware::default().command(message(kind, &[0]), None));
            assert_eq!(answer.parameters[..2], [0x42, 0xFE], "{kind:02X}");
        }
    }

    #[test]
    fn a_card_that_is_not_powered_hears_nothing() {
        let answer =
            answered(Firmware::default().command(message(XFR_BLOCK, &[0, 0xC1, 1, 0xFE, 0x3E]), Some(CARD)));
        assert_eq!(answer.parameters[..2], [0x41, 0xFE]);
    }

    #[test]
    fn an_apdu_goes_to_the_card_and_its_response_comes_back() {
        let mut firmware = powered();
        let block = [0, 0, 4, 0, 0xB0, 0, 0, 0xB4];
        let asked = firmware.command(message(XFR_BLOCK, &block), Some(CARD));
        assert_eq!(asked, Reaction::Ask(Task::Process(CARD, vec![0, 0xB0, 0, 0])));
        let back = firmware.finish(Outcome::Response(vec![0x90, 0x00]), Some(CARD)).unwrap();
        assert_eq!(back.data, [0, 0, 2, 0x90, 0x00, 0x92]);
        assert_eq!(back.sequence, 9);
        assert_eq!(firmware.finish(Outcome::Response(vec![0x90, 0x00]), Some(CARD)), None, "asked once");
    }

    #[test]
    fn a_card_that_leaves_in_the_middle_is_told_as_absent() {
        let mut firmware = powered();
        let asked = firmware.command(message(XFR_BLOCK, &[0, 0, 1, 0, 1]), Some(CARD));
        assert!(matches!(asked, Reaction::Ask(_)));
        let back = firmware.finish(Outcome::Gone, None).unwrap();
        assert_eq!(back.parameters[..2], [0x42, 0xFE]);
    }

    #[test]
    fn a_pps_request_is_agreed_to() {
        let pps = [0xFF, 0x11, 0x18, 0xF6];
        let answer = answered(powered().command(message(XFR_BLOCK, &pps), Some(CARD)));
        assert_eq!(answer.data, pps);
    }

    #[test]
    fn parameters_are_kept_until_the_next_power_on() {
        let mut firmware = powered();
        let set = [0x18, 0x10, 0, 0x45, 0, 0xFE, 0];
        for data in [&[][..], &[0; 8]] {
            let refused = answered(firmware.command(message(SET_PARAMETERS, data), Some(CARD)));
            assert_eq!(refused.parameters[..2], [0x40, 0x01]);
        }
        answered(firmware.command(message(SET_PARAMETERS, &set), Some(CARD)));
        let got = answered(firmware.command(message(GET_PARAMETERS, &[]), Some(CARD)));
        assert_eq!((got.kind, got.parameters[2], got.data.as_slice()), (PARAMETERS, 1, &set[..]));
        let reset = answered(firmware.command(message(RESET_PARAMETERS, &[]), Some(CARD)));
        assert_eq!(reset.data, T1_PARAMETERS);
    }

    #[test]
    fn movements_are_told_once() {
        let mut firmware = Firmware::default();
        assert!(firmware.movements(None).is_empty());
        assert_eq!(firmware.movements(Some(CARD)), [0x50, 0x03]);
        assert!(firmware.movements(Some(CARD)).is_empty());
        assert_eq!(firmware.movements(Some(CARD.next())), [0x50, 0x02, 0x50, 0x03]);
        assert_eq!(firmware.movements(None), [0x50, 0x02]);
    }

    #[test]
    fn what_it_does_not_know_it_refuses() {
        for (kind, slot, error) in [(0x69, 0, 0x00), (0x00, 0, 0x00), (GET_SLOT_STATUS, 3, 0x05)] {
            let message = Message { slot, ..message(kind, &[]) };
            let answer = answered(Firmware::default().command(message, Some(CARD)));
            assert_eq!((answer.parameters[0] & 0x40, answer.parameters[1]), (0x40, error));
        }
    }

    proptest! {
        #[test]
        fn no_message_panics(
            commands in prop::collection::vec((any::<u8>(), 0u8..2, prop::collection::vec(any::<u8>(), 0..30), 0u8..3), 1..80)
        ) {
            let mut firmware = powered();
            for (kind, slot, data, card) in commands {
                let card = match card { 0 => None, 1 => Some(CARD), _ => Some(CARD.next()) };
                let kind = if kind < 0x80 { XFR_BLOCK } else { kind };
                match firmware.command(Message { slot, ..message(kind, &data) }, card) {
                    Reaction::Answer(answer) => prop_assert!(answer.data.len() <= MAX_DATA),
                    Reaction::Ask(_) => { firmware.finish(Outcome::Response(data), card); }
                }
                firmware.movements(card);
            }
        }
    }
}
