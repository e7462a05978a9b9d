//! The card's side of T=1: one block in, one block out (ISO/IEC 7816-3, 11).

use cccd_card::MAX_COMMAND;

/// What the interface device takes before it has asked for more.
const INITIAL_IFSD: usize = 32;

/// What the two low bits of an R-block say (ISO/IEC 7816-3, 11.3.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Complaint {
    /// None: the next block is waited for.
    None = 0,
    /// The block had a wrong LRC or parity.
    ErrorDetection = 1,
    /// Something else was wrong with it.
    Other = 2,
}

/// What a block from the host led to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// This block goes back.
    Block(Vec<u8>),
    /// A command APDU is complete; its response goes to [`CardSide::respond`].
    Command(Vec<u8>),
    /// A command longer than any APDU was chained. It was not kept; `6700` goes to [`CardSide::respond`].
    Overlong,
}

/// The state of the card's side between two blocks.
///
/// Every block gets exactly one answer, so a host decides alone how long a conversation lasts.
#[derive(Debug)]
pub(super) struct CardSide {
    /// N(S) that the host's next I-block has to carry.
    expected: Sequence,
    /// N(S) that our next I-block carries.
    next: Sequence,
    /// How much the host takes in one block.
    ifsd: usize,
    /// The command so far.
    command: Vec<u8>,
    /// Set when the command outgrew every APDU.
    overlong: bool,
    /// The response, and how much of it has been sent.
    response: Vec<u8>,
    sent: usize,
    /// Our last block and our last I-block, for the host that asks again.
    last: Vec<u8>,
    last_information: Vec<u8>,
    /// Node address of the answers.
    nad: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sequence {
    Zero,
    One,
}

impl Sequence {
    fn of(bit: bool) -> Self {
        if bit { Self::One } else { Self::Zero }
    }

    fn other(self) -> Self {
        match self {
            Self::Zero => Self::One,
            Self::One => Self::Zero,
        }
    }

    fn at(self, position: u8) -> u8 {
        match self {
            Self::Zero => 0,
            Self::One => 1 << position,
        }
    }
}

impl Default for CardSide {
    fn default() -> Self {
        Self {
            expected: Sequence::Zero,
            next: Sequence::Zero,
            ifsd: INITIAL_IFSD,
            command: Vec::new(),
            overlong: false,
            response: Vec::new(),
            sent: 0,
            last: Vec::new(),
            last_information: Vec::new(),
            nad: 0,
        }
    }
}

impl CardSide {
    /// Takes one block as it came over the line.
    pub(super) fn hear(&mut self, block: &[u8]) -> Heard {
        let (&[nad, pcb, length], rest) = match block.split_first_chunk::<3>() {
            Some(split) => split,
            None => return self.complain(Complaint::Other),
        };
        // Whoever sent it gets the answer: source and destination change places (ISO/IEC 7816-3, 11.3.2.1).
        self.nad = nad.rotate_left(4);
        let Some((&check, information)) = rest.split_last() else {
            return self.complain(Complaint::Other);
        };
        if information.len() != usize::from(length) || length == 0xFF {
            return self.complain(Complaint::Other);
        }
        if block.iter().fold(0, |sum, byte| sum ^ byte) != 0 {
            tracing::debug!(check, "block with a wrong LRC");
            return self.complain(Complaint::ErrorDetection);
        }
        match pcb {
            0x00..=0x7F => self.hear_information(pcb, information),
            0x80..=0xBF => self.hear_receive_ready(pcb, information),
            0xC0..=0xFF => self.hear_supervisory(pcb, information),
        }
    }

    /// Takes the card's response to [`Heard::Command`] and gives its first block.
    pub(super) fn respond(&mut self, response: Vec<u8>) -> Vec<u8> {
        self.response = response;
        self.sent = 0;
        self.send_next()
    }

    fn hear_information(&mut self, pcb: u8, information: &[u8]) -> Heard {
        let chained = pcb & 0x20 != 0;
        let in_the_middle_of_our_own_chain = self.sent < self.response.len();
        if pcb & 0x1F != 0 || Sequence::of(pcb & 0x40 != 0) != self.expected || in_the_middle_of_our_own_chain
        {
            return self.complain(Complaint::Other);
        }
        self.expected = self.expected.other();
        // The host decides how long it chains, so what is kept has an end.
        if self.command.len() + information.len() > MAX_COMMAND {
            self.overlong = true;
            self.command = Vec::new();
        }
        if !self.overlong {
            self.command.extend_from_slice(information);
        }
        if chained {
            return Heard::Block(self.receive_ready(Complaint::None));
        }
        let command = std::mem::take(&mut self.command);
        if std::mem::take(&mut self.overlong) { Heard::Overlong } else { Heard::Command(command) }
    }

    fn hear_receive_ready(&mut self, pcb: u8, information: &[u8]) -> Heard {
        if pcb & 0x2C != 0 || !information.is_empty() {
            return self.complain(Complaint::Other);
        }
        // N(R) is the number the host waits for (rule 7.3): that of our last I-block, which it then has not
        // seen, or that of our next one, and then it either goes on in a chain or missed another block.
        let wanted = Sequence::of(pcb & 0x10 != 0);
        if wanted != self.next {
            if self.last_information.is_empty() {
                return self.complain(Complaint::Other);
            }
            self.last.clone_from(&self.last_information);
        } else if self.sent < self.response.len() {
            return Heard::Block(self.send_next());
        } else if self.last.is_empty() {
            return self.complain(Complaint::None);
        }
        Heard::Block(self.last.clone())
    }

    fn hear_supervisory(&mut self, pcb: u8, information: &[u8]) -> Heard {
        match (pcb, information) {
            // RESYNCH: back to where the answer-to-reset left us (rule 6).
            (0xC0, []) => {
                *self = Self { nad: self.nad, ..Self::default() };
            }
            (0xC1, &[ifsd @ 1..=254]) => self.ifsd = usize::from(ifsd),
            // ABORT: whichever chain is under way is dropped (rule 9).
            (0xC2, []) => {
                self.command = Vec::new();
                self.overlong = false;
                self.response = Vec::new();
                self.sent = 0;
            }
            // We never ask, so a response is as wrong as a request that only a card may make.
            _ => return self.complain(Complaint::Other),
        }
        Heard::Block(self.block(pcb | 0x20, information.to_vec()))
    }

    fn send_next(&mut self) -> Vec<u8> {
        let rest = self.response.get(self.sent..).unwrap_or_default();
        let (information, after) = rest.split_at_checked(self.ifsd).unwrap_or((rest, &[]));
        let more = if after.is_empty() { 0 } else { 0x20 };
        let information = information.to_vec();
        self.sent += information.len();
        let pcb = self.next.at(6) | more;
        self.next = self.next.other();
        if more == 0 {
            self.response = Vec::new();
            self.sent = 0;
        }
        let block = self.block(pcb, information);
        self.last_information.clone_from(&block);
        block
    }

    fn complain(&mut self, complaint: Complaint) -> Heard {
        Heard::Block(self.receive_ready(complaint))
    }

    /// A request of the card's own: the PCB of an S-block, and what is in it.
    pub(super) fn request(&mut self, pcb: u8, information: Vec<u8>) -> Vec<u8> {
        self.block(pcb, information)
    }

    /// An R-block for the block that is waited for.
    pub(super) fn receive_ready(&mut self, complaint: Complaint) -> Vec<u8> {
        self.block(0x80 | self.expected.at(4) | complaint as u8, Vec::new())
    }

    fn block(&mut self, pcb: u8, information: Vec<u8>) -> Vec<u8> {
        // Every caller keeps to MAX_INFORMATION, so the length fits.
        let length = u8::try_from(information.len()).unwrap_or_default();
        let mut block = vec![self.nad, pcb, length];
        block.extend(information);
        block.push(block.iter().fold(0, |sum, byte| sum ^ byte));
        self.last.clone_from(&block);
        block
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn block(pcb: u8, information: &[u8]) -> Vec<u8> {
        let mut block = vec![0, pcb, u8::try_from(information.len()).unwrap()];
        block.extend_from_slice(information);
        block.push(block.iter().fold(0, |sum, byte| sum ^ byte));
        block
    }

    fn answer(card: &mut CardSide, pcb: u8, information: &[u8]) -> Vec<u8> {
        match card.hear(&block(pcb, information)) {
            Heard::Block(block) => block,
            other => panic!("no block but {other:?}"),
        }
    }

    /// A card side that takes long blocks.
    fn wide() -> CardSide {
        let mut card = CardSide::default();
        assert_eq!(answer(&mut card, 0xC1, &[0xFE]), block(0xE1, &[0xFE]));
        card
    }

    #[test]
    fn one_block_commands_alternate_their_sequence() {
        let mut card = wide();
        for pcb in [0x00, 0x40, 0x00] {
            assert_eq!(card.hear(&block(pcb, &[1, 2, 3, 4])), Heard::Command(vec![1, 2, 3, 4]));
            assert_eq!(card.respond(vec![0x90, 0x00]), block(pcb, &[0x90, 0x00]));
        }
    }

    #[test]
    fn a_chained_command_is_acknowledged_block_by_block() {
        let mut card = wide();
        assert_eq!(answer(&mut card, 0x20, &[1; 254]), block(0x90, &[]));
        assert_eq!(answer(&mut card, 0x60, &[2; 254]), block(0x80, &[]));
        let command = [&[1; 254][..], &[2; 254], &[3; 2]].concat();
        assert_eq!(card.hear(&block(0x00, &[3; 2])), Heard::Command(command));
    }

    #[test]
    fn a_long_response_waits_for_each_acknowledgement() {
        let mut card = CardSide::default();
        assert!(matches!(card.hear(&block(0x00, &[0])), Heard::Command(_)));
        let response: Vec<u8> = (0..70).collect();
        // Before an IFS request a host takes 32 bytes.
        assert_eq!(card.respond(response.clone()), block(0x20, &response[..32]));
        assert_eq!(answer(&mut card, 0x90, &[]), block(0x60, &response[32..64]));
        assert_eq!(answer(&mut card, 0x80, &[]), block(0x00, &response[64..]));
    }

    #[test]
    fn whoever_asks_again_gets_the_last_block_again() {
        let mut card = CardSide::default();
        assert!(matches!(card.hear(&block(0x00, &[0])), Heard::Command(_)));
        let first = card.respond((0..70).collect());
        // N(R) is still the number of the block that went lost.
        assert_eq!(answer(&mut card, 0x81, &[]), first);
        assert_eq!(answer(&mut card, 0x82, &[]), first);
        let second = answer(&mut card, 0x90, &[]);
        assert_eq!(answer(&mut card, 0x91, &[]), second);
    }

    #[test]
    fn a_wrong_check_byte_is_asked_for_again_and_changes_nothing() {
        let mut card = wide();
        let mut torn = block(0x00, &[1, 2, 3, 4]);
        *torn.last_mut().unwrap() ^= 0x01;
        assert_eq!(card.hear(&torn), Heard::Block(block(0x81, &[])));
        assert_eq!(card.hear(&block(0x00, &[1, 2, 3, 4])), Heard::Command(vec![1, 2, 3, 4]));
        let reply = card.respond(vec![0x90, 0x00]);
        // The host's own R-block arrives torn, then whole: the answer is still there.
        let mut torn = block(0x80, &[]);
        torn[3] ^= 0xFF;
        assert_eq!(card.hear(&torn), Heard::Block(block(0x91, &[])));
        assert_eq!(answer(&mut card, 0x80, &[]), reply);
    }

    #[test]
    fn whoever_missed_a_complaint_gets_the_complaint_again() {
        let mut card = wide();
        let mut torn = block(0x00, &[1, 2, 3, 4]);
        torn[3] ^= 0x01;
        assert_eq!(card.hear(&torn), Heard::Block(block(0x81, &[])));
        assert_eq!(answer(&mut card, 0x81, &[]), block(0x81, &[]));
    }

    #[test]
    fn a_block_that_does_not_fit_its_length_is_refused() {
        let mut card = wide();
        for bad in [&[][..], &[0], &[0, 0, 1], &[0, 0, 1, 1], &[0, 0, 2, 1, 3], &[0, 0, 0xFF, 0xFF]] {
            assert_eq!(card.hear(bad), Heard::Block(block(0x82, &[])), "{bad:02X?}");
        }
    }

    #[test]
    fn a_repeated_or_misnumbered_command_is_refused() {
        let mut card = wide();
        assert_eq!(answer(&mut card, 0x40, &[0]), block(0x82, &[]));
        assert_eq!(answer(&mut card, 0x01, &[0]), block(0x82, &[]));
    }

    #[test]
    fn a_command_in_the_middle_of_our_chain_is_refused() {
        let mut card = CardSide::default();
        assert!(matches!(card.hear(&block(0x00, &[0])), Heard::Command(_)));
        let first = card.respond(vec![7; 40]);
        assert_eq!(answer(&mut card, 0x40, &[0]), block(0x92, &[]));
        // R(0) asks for block 0 again; R(1) goes on.
        assert_eq!(answer(&mut card, 0x80, &[]), first);
        assert_eq!(answer(&mut card, 0x90, &[]), block(0x40, &[7; 8]));
    }

    #[test]
    fn resynch_begins_anew() {
        let mut card = wide();
        assert_eq!(answer(&mut card, 0x20, &[1; 254]), block(0x90, &[]));
        assert_eq!(answer(&mut card, 0xC0, &[]), block(0xE0, &[]));
        assert_eq!(card.hear(&block(0x00, &[9])), Heard::Command(vec![9]), "the half command is forgotten");
        assert_eq!(card.respond(vec![5; 33]), block(0x20, &[5; 32]), "the frame size is the initial one");
    }

    #[test]
    fn abort_drops_the_chain_under_way() {
        let mut card = CardSide::default();
        assert!(matches!(card.hear(&block(0x00, &[0])), Heard::Command(_)));
        card.respond(vec![7; 100]);
        assert_eq!(answer(&mut card, 0xC2, &[]), block(0xE2, &[]));
        assert_eq!(card.hear(&block(0x40, &[9])), Heard::Command(vec![9]));
    }

    #[test]
    fn supervisory_blocks_a_host_may_not_send_are_refused() {
        for (pcb, information) in [
            (0xC1, &[0][..]),
            (0xC1, &[0xFF]),
            (0xC1, &[]),
            (0xC3, &[1]),
            (0xE0, &[]),
            (0xC0, &[1]),
            (0xFF, &[]),
        ] {
            let mut card = CardSide::default();
            assert_eq!(answer(&mut card, pcb, information), block(0x82, &[]), "{pcb:02X}");
        }
    }

    #[test]
    fn a_command_beyond_every_apdu_is_not_kept() {
        let mut card = wide();
        let mut pcb = 0x20;
        for _ in 0..MAX_COMMAND / 254 + 2 {
            answer(&mut card, pcb, &[0; 254]);
            pcb ^= 0x40;
            assert!(card.command.capacity() <= 2 * MAX_COMMAND);
        }
        assert_eq!(card.hear(&block(pcb & 0x40, &[0])), Heard::Overlong);
        assert_eq!(card.respond(vec![0x67, 0x00])[3..5], [0x67, 0x00]);
        assert_eq!(card.hear(&block(pcb & 0x40 ^ 0x40, &[4])), Heard::Command(vec![4]), "and it recovers");
    }

    #[test]
    fn the_node_address_is_answered_swapped() {
        let mut card = CardSide::default();
        let mut request = vec![0x21, 0xC0, 0x00];
        request.push(0x21 ^ 0xC0);
        assert_eq!(card.hear(&request), Heard::Block(vec![0x12, 0xE0, 0x00, 0x12 ^ 0xE0]));
    }

    proptest! {
        #[test]
        fn whatever_comes_gets_a_block_within_bounds(
            blocks in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..20), any::<bool>()), 1..60)
        ) {
            let mut card = CardSide::default();
            for (pcb, information, whole) in blocks {
                let bytes = if whole { block(pcb, &information) } else { information };
                let out = match card.hear(&bytes) {
                    Heard::Block(block) => block,
                    Heard::Command(command) => card.respond(command.repeat(9)),
                    Heard::Overlong => card.respond(vec![0x67, 0x00]),
                };
                prop_assert!(out.len() <= 254 + 4);
                prop_assert_eq!(out.iter().fold(0, |sum, byte| sum ^ byte), 0);
            }
        }

        #[test]
        fn what_is_chained_either_way_arrives_whole(command in prop::collection::vec(any::<u8>(), 1..2000), ifsd in 1u8..=254) {
            let mut card = CardSide::default();
            answer(&mut card, 0xC1, &[ifsd]);
            let mut pcb = 0x00;
            let mut chunks = command.chunks(100).peekable();
            let mut arrived = None;
            while let Some(chunk) = chunks.next() {
                let more = if chunks.peek().is_some() { 0x20 } else { 0 };
                match card.hear(&block(pcb | more, chunk)) {
                    Heard::Block(reply) => prop_assert_eq!(reply, block(0x80 | (pcb ^ 0x40) >> 2, &[])),
                    Heard::Command(whole) => arrived = Some(whole),
                    Heard::Overlong => prop_assert!(false),
                }
                pcb ^= 0x40;
            }
            prop_assert_eq!(arrived.as_ref(), Some(&command));
            let mut out = card.respond(command.clone());
            let mut back = out[3..out.len() - 1].to_vec();
            let mut wanted = 0x90;
            while out[1] & 0x20 != 0 {
                out = answer(&mut card, wanted, &[]);
                wanted ^= 0x10;
                back.extend_from_slice(&out[3..out.len() - 1]);
            }
            prop_assert_eq!(back, command);
        }
    }
}
