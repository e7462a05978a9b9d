//! What the chip does at each command (NXP UM0701-02, chapter 7).

use std::collections::BTreeMap;

use crate::reader::slot::{Generation, Slot};

use super::CardType;

const DIAGNOSE: u8 = 0x00;
const GET_FIRMWARE_VERSION: u8 = 0x02;
const GET_GENERAL_STATUS: u8 = 0x04;
const READ_REGISTER: u8 = 0x06;
const WRITE_REGISTER: u8 = 0x08;
const READ_GPIO: u8 = 0x0C;
const WRITE_GPIO: u8 = 0x0E;
const SET_PARAMETERS: u8 = 0x12;
pub(super) const SAM_CONFIGURATION: u8 = 0x14;
const POWER_DOWN: u8 = 0x16;
const RF_CONFIGURATION: u8 = 0x32;
pub(super) const IN_DATA_EXCHANGE: u8 = 0x40;
const IN_COMMUNICATE_THRU: u8 = 0x42;
const IN_DESELECT: u8 = 0x44;
pub(super) const IN_LIST_PASSIVE_TARGET: u8 = 0x4A;
const IN_RELEASE: u8 = 0x52;
const IN_SELECT: u8 = 0x54;

/// Status bytes of the chip (7.1).
const GOOD: u8 = 0x00;
const TIME_OUT: u8 = 0x01;
const BUFFER_TOO_SMALL: u8 = 0x07;
const NOT_ACCEPTABLE: u8 = 0x27;
/// More is to come (bit 6 of the status byte, and of the target number).
const MORE: u8 = 0x40;

/// Most data bytes of one InDataExchange, either way (7.3.8).
const PIECE: usize = 262;
/// A command longer than this is nobody's.
const LONGEST_COMMAND: usize = 70_000;

/// What is to be done next.
#[derive(Debug)]
pub(super) enum Reaction {
    /// This is the answer: its code and what belongs to it.
    Answer(Vec<u8>),
    /// The card has to be asked first.
    Ask(Task),
    /// No such command.
    SyntaxError,
}

/// What the card is asked.
#[derive(Debug)]
pub(super) enum Task {
    /// To come up.
    Activate(Generation),
    /// A command.
    Process(Generation, Vec<u8>),
}

/// The chip's memory from one command to the next.
#[derive(Debug, Default)]
pub(super) struct Firmware {
    registers: BTreeMap<u16, u8>,
    field: bool,
    /// The card that was activated last.
    active: Option<Generation>,
    /// A card that was deselected. It does not answer a search until the field was off (ISO/IEC 14443-3, 6.3.5).
    halted: Option<Generation>,
    /// How often the field came up: a card draws its random number anew each time.
    fields: u8,
    /// Pieces of a command that is not complete.
    incoming: Vec<u8>,
    /// What of an answer the host has not fetched.
    outgoing: Vec<u8>,
}

impl Firmware {
    pub(super) fn command(&mut self, command: &[u8], slot: &Slot, lies_there: CardType) -> Reaction {
        let Some((&code, data)) = command.split_first() else { return Reaction::SyntaxError };
        let said = |data: &[u8]| {
            let mut answer = vec![code.wrapping_add(1)];
            answer.extend(data);
            Reaction::Answer(answer)
        };
        match code {
            DIAGNOSE => match data {
                // Communication test: the same comes back. Presence of the card (ISO/IEC 14443-4).
                [0x00, ..] => said(data),
                [0x06] => said(&[self.presence(slot)]),
                _ => said(&[GOOD]),
            },
            // A PN532, version 1.6, that knows ISO/IEC 18092, 14443 A and B.
            GET_FIRMWARE_VERSION => said(&[0x32, 0x01, 0x06, 0x07]),
            GET_GENERAL_STATUS => said(&[GOOD, self.field.into(), self.active.is_some().into(), 0x80]),
            READ_REGISTER => {
                let values: Vec<u8> = registers(data)
                    .map(|(high, low)| {
                        let at = u16::from_be_bytes([high, low]);
                        self.registers.get(&at).copied().unwrap_or_default()
                    })
                    .collect();
                said(&values)
            }
            WRITE_REGISTER => {
                for three in data.chunks_exact(3) {
                    if let [high, low, value] = *three {
                        self.registers.insert(u16::from_be_bytes([high, low]), value);
                    }
                }
                said(&[])
            }
            READ_GPIO => said(&[0, 0, 0]),
            WRITE_GPIO | SET_PARAMETERS | SAM_CONFIGURATION => said(&[]),
            POWER_DOWN => {
                self.field_off();
                said(&[GOOD])
            }
            RF_CONFIGURATION => {
                if let [0x01, setting, ..] = *data {
                    match setting & 0x01 {
                        0 => self.field_off(),
                        _ => self.field_on(),
                    }
                }
                said(&[])
            }
            IN_LIST_PASSIVE_TARGET => {
                let asked = match data {
                    [_, 0x00, ..] => Some(CardType::A),
                    [_, 0x03, ..] => Some(CardType::B),
                    _ => None,
                };
                self.field_on();
                self.forget_card();
                match slot.tell() {
                    Some(card) if asked == Some(lies_there) && self.halted != Some(card) => {
                        Reaction::Ask(Task::Activate(card))
                    }
                    _ => said(&[0]),
                }
            }
            IN_DATA_EXCHANGE => match data.split_first() {
                Some((&target, data)) => self.exchange(target, data, slot),
                None => Reaction::SyntaxError,
            },
            IN_COMMUNICATE_THRU => match data {
                // R(NAK): "are you still there", without and with a card identifier. The card repeats its R(ACK).
                [0xB2] if self.presence(slot) == GOOD => said(&[GOOD, 0xA2]),
                [0xBA, cid] if self.presence(slot) == GOOD => said(&[GOOD, 0xAA, *cid]),
                _ => said(&[TIME_OUT]),
            },
            IN_DESELECT | IN_RELEASE => {
                self.halted = self.active.or(self.halted);
                self.forget_card();
                said(&[GOOD])
            }
            IN_SELECT => said(&[if self.active.is_some() { GOOD } else { NOT_ACCEPTABLE }]),
            _ => Reaction::SyntaxError,
        }
    }

    fn exchange(&mut self, target: u8, data: &[u8], slot: &Slot) -> Reaction {
        let Some(active) = self.active else { return exchanged(NOT_ACCEPTABLE, &[]) };
        if data.is_empty() && target & MORE == 0 && !self.outgoing.is_empty() {
            return self.next_piece();
        }
        if self.incoming.len() + data.len() > LONGEST_COMMAND || data.len() > PIECE {
            self.incoming.clear();
            return exchanged(BUFFER_TOO_SMALL, &[]);
        }
        self.outgoing.clear();
        self.incoming.extend(data);
        if target & MORE != 0 {
            return exchanged(GOOD, &[]);
        }
        let command = std::mem::take(&mut self.incoming);
        if slot.look() != Some(active) {
            return exchanged(TIME_OUT, &[]);
        }
        Reaction::Ask(Task::Process(active, command))
    }

    /// The answer to the command that had to ask the card.
    pub(super) fn finish(&mut self, task: &Task, said: Option<Vec<u8>>, kind: CardType) -> Vec<u8> {
        match (task, said) {
            (Task::Activate(card), Some(atr)) => {
                self.active = Some(*card);
                self.target(&atr, kind)
            }
            (Task::Activate(_), None) => vec![IN_LIST_PASSIVE_TARGET + 1, 0],
            (Task::Process(..), Some(response)) => {
                self.outgoing = response;
                match self.next_piece() {
                    Reaction::Answer(answer) => answer,
                    _ => Vec::new(),
                }
            }
            (Task::Process(..), None) => vec![IN_DATA_EXCHANGE + 1, TIME_OUT],
        }
    }

    fn next_piece(&mut self) -> Reaction {
        let rest = self.outgoing.split_off(self.outgoing.len().min(PIECE));
        let piece = std::mem::replace(&mut self.outgoing, rest);
        exchanged(if self.outgoing.is_empty() { GOOD } else { MORE }, &piece)
    }

    /// Describes the card that has come up (7.3.5).
    fn target(&self, atr: &[u8], kind: CardType) -> Vec<u8> {
        let mut answer = vec![IN_LIST_PASSIVE_TARGET + 1, 1, 1];
        // A number of the card's that is another whenever it is powered, as identity cards have it.
        let [random, more] = [self.fields, self.fields.wrapping_mul(0x6B) ^ 0xC3];
        match kind {
            CardType::A => {
                // ATQA, SAK (complies with ISO/IEC 14443-4), UID.
                answer.extend([0x00, 0x08, 0x20, 4, 0x08, random, more, 0x77]);
                answer.extend(answer_to_select(historical_bytes(atr)));
            }
            CardType::B => {
                // ATQB: PUPI, application data, protocol info (up to 847 kbit/s, frames of 256, ISO/IEC 14443-4).
                answer.extend([0x50, random, more, 0x31, 0x44, 0, 0, 0, 0, 0x77, 0x81, 0x81]);
                // ATTRIB_RES: no higher layer, card identifier 1.
                answer.extend([1, 0x01]);
            }
        }
        answer
    }

    fn presence(&self, slot: &Slot) -> u8 {
        if self.active.is_some() && slot.look() == self.active { GOOD } else { TIME_OUT }
    }

    fn field_on(&mut self) {
        if !std::mem::replace(&mut self.field, true) {
            self.fields = self.fields.wrapping_add(1);
        }
    }

    fn field_off(&mut self) {
        self.field = false;
        self.halted = None;
        self.forget_card();
    }

    fn forget_card(&mut self) {
        self.active = None;
        self.incoming.clear();
        self.outgoing.clear();
    }
}

fn exchanged(status: u8, data: &[u8]) -> Reaction {
    let mut answer = vec![IN_DATA_EXCHANGE + 1, status];
    answer.extend(data);
    Reaction::Answer(answer)
}

fn registers(data: &[u8]) -> impl Iterator<Item = (u8, u8)> {
    data.chunks_exact(2).filter_map(|two| Some((*two.first()?, *two.get(1)?)))
}

/// The historical bytes of an answer-to-reset as a contactless reader makes it up: `3B 8n 80 01`, n of them, and a
/// check byte (PC/SC part 3, 3.1.3.2.3).
fn historical_bytes(atr: &[u8]) -> &[u8] {
    let count = atr.get(1).map_or(0, |t0| usize::from(t0 & 0x0F));
    atr.get(4..4 + count).unwrap_or_default()
}

/// The ATS around them (ISO/IEC 14443-4, 5.2): frames of 256 bytes, all bit rates, card identifiers.
fn answer_to_select(historical: &[u8]) -> Vec<u8> {
    let length = u8::try_from(historical.len() + 5).unwrap_or(20);
    let mut ats = vec![length, 0x78, 0x77, 0x81, 0x02];
    ats.extend(historical);
    ats
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::EchoCard;
    use crate::reader::slot::Question;

    /// A chip with a card on it, as a host sees both.
    struct Bench {
        firmware: Firmware,
        slot: Slot,
        kind: CardType,
    }

    impl Bench {
        fn new(kind: CardType) -> Self {
            let slot = Slot::new().unwrap();
            slot.insert(Box::new(EchoCard::marked(7))).unwrap();
            Self { firmware: Firmware::default(), slot, kind }
        }

        /// Gives a command and waits for what the card says to it. Nothing for a syntax error.
        fn give(&mut self, command: &[u8]) -> Vec<u8> {
            match self.firmware.command(command, &self.slot, self.kind) {
                Reaction::Answer(answer) => answer,
                Reaction::SyntaxError => Vec::new(),
                Reaction::Ask(task) => {
                    let answer = match &task {
                        Task::Activate(card) => self.slot.ask(*card, Question::Reset),
                        Task::Process(card, command) => {
                            self.slot.ask(*card, Question::Process(command.clone()))
                        }
                    };
                    self.firmware.finish(&task, answer.recv().ok(), self.kind)
                }
            }
        }

        fn find(&mut self, modulation: u8) -> Vec<u8> {
            self.give(&[0x4A, 1, modulation])
        }
    }

    #[test]
    fn a_card_of_either_type_describes_itself_to_whoever_looks_for_that_type() {
        let mut bench = Bench::new(CardType::A);
        assert_eq!(bench.find(0x03), [0x4B, 0]);
        let found = bench.find(0x00);
        assert_eq!(found[..8], [0x4B, 1, 1, 0x00, 0x08, 0x20, 4, 0x08]);
        // The historical bytes of its answer-to-reset are those of its ATS.
        assert_eq!(found[11..], [9, 0x78, 0x77, 0x81, 0x02, b'E', b'C', b'H', b'O']);
        let mut bench = Bench::new(CardType::B);
        assert_eq!(bench.find(0x00), [0x4B, 0]);
        let found = bench.find(0x03);
        assert_eq!((found.len(), found[3]), (17, 0x50));
    }

    #[test]
    fn a_deselected_card_sleeps_until_the_field_was_off_and_then_has_another_number() {
        let mut bench = Bench::new(CardType::A);
        let number = |found: &[u8]| found[7..11].to_vec();
        let first = bench.find(0x00);
        assert_eq!(number(&bench.find(0x00)), number(&first), "still powered");
        assert_eq!(bench.give(&[0x44, 0]), [0x45, GOOD]);
        assert_eq!(bench.find(0x00), [0x4B, 0]);
        bench.give(&[0x32, 0x01, 0x00]);
        let second = bench.find(0x00);
        assert_ne!(number(&second), number(&first));
    }

    #[test]
    fn long_commands_and_answers_come_in_pieces() {
        let mut bench = Bench::new(CardType::A);
        assert_eq!(bench.give(&[0x40, 1, 0, 0xA4]), [0x41, NOT_ACCEPTABLE], "no card was selected");
        bench.find(0x00);
        // The card gives back what it is sent, and 9000.
        let long: Vec<u8> = (0..=255).cycle().take(600).collect();
        let pieces: Vec<&[u8]> = long.chunks(PIECE).collect();
        for piece in &pieces[..2] {
            assert_eq!(bench.give(&[&[0x40, 1 | MORE], *piece].concat()), [0x41, GOOD]);
        }
        let mut answer = bench.give(&[&[0x40, 1], pieces[2]].concat());
        let mut heard = Vec::new();
        while answer[1] == MORE {
            assert_eq!(answer.len(), 2 + PIECE);
            heard.extend_from_slice(&answer[2..]);
            answer = bench.give(&[0x40, 1]);
        }
        assert_eq!(answer[1], GOOD);
        heard.extend_from_slice(&answer[2..]);
        assert_eq!(heard, [&long[..], &[0x90, 0x00]].concat());
        let too_long = [&[0x40, 1][..], &[0; PIECE + 1]].concat();
        assert_eq!(bench.give(&too_long), [0x41, BUFFER_TOO_SMALL]);
    }

    #[test]
    fn a_card_that_is_lifted_is_a_time_out_and_one_that_is_swapped_is_seen_to_be() {
        let mut bench = Bench::new(CardType::A);
        bench.find(0x00);
        assert_eq!(bench.give(&[0x42, 0xB2]), [0x43, GOOD, 0xA2]);
        assert_eq!(bench.give(&[0x42, 0xBA, 0x01]), [0x43, GOOD, 0xAA, 0x01]);
        assert_eq!(bench.give(&[0x00, 0x06]), [0x01, GOOD]);
        drop(bench.slot.swap(Box::new(EchoCard::marked(8))));
        assert_eq!(bench.give(&[0x40, 1, 0, 0xA4, 4, 0]), [0x41, TIME_OUT]);
        assert_eq!(bench.give(&[0x42, 0xB2]), [0x43, TIME_OUT]);
        assert_eq!(bench.find(0x00), [0x4B, 0], "the reader was empty for a moment");
        assert_eq!(bench.find(0x00)[..2], [0x4B, 1]);
        assert_eq!(bench.give(&[0x40, 1, 0, 0xA4, 4, 0]), [0x41, GOOD, 8, 0x90, 0x00]);
    }

    #[test]
    fn no_command_panics_it() {
        let mut bench = Bench::new(CardType::A);
        for code in 0..=255u8 {
            for data in [&[][..], &[0], &[1, 0], &[1, 0xFF, 0xFF], &[0xFF; 40]] {
                let answer = bench.give(&[&[code], data].concat());
                assert!(answer.is_empty() || answer[0] == code.wrapping_add(1), "{code:02X}");
            }
        }
        assert!(bench.give(&[]).is_empty());
    }
}
