//! What a serial CCID reader, its line, and a card behind it can be made to do that no good ones do.
//!
//! Three layers go wrong here, each in the words of its own standard: the card's side of T=1 (ISO/IEC 7816-3, 11), the
//! reader's CCID answers (CCID 1.1, 6.2), and the frames on the serial line.

use std::fmt;

use super::atr::ATR_T1;
use super::firmware::{DATA_BLOCK, GET_SLOT_STATUS, POWER_ON, SET_PARAMETERS, XFR_BLOCK};
use super::frame::Message;
use crate::reader::trouble::{self, Word, name_of, named};

/// During which commands it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// When the host asks whether a card is there, every 400 ms (GetSlotStatus).
    Polling,
    /// When it powers the card on (IccPowerOn).
    PoweringOn,
    /// When it negotiates a faster rate (a PPS in XfrBlock). The card announces one for as long as this is troubled.
    Negotiating,
    /// When it sets the parameters of the protocol (SetParameters).
    Setting,
    /// When it sends the card a block (XfrBlock).
    Exchanging,
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misbehaviour {
    // The card's side of T=1.
    /// Instead of its answer an R-block: the host's block had a wrong LRC or parity.
    RBlockParity,
    /// Instead of its answer an R-block: something else was wrong with the host's block.
    RBlockOther,
    /// The block has a wrong LRC.
    WrongLrc,
    /// The block is lost between card and reader.
    LostBlock,
    /// LEN of the block is not its length.
    WrongLen,
    /// The block has the number of the one before.
    WrongNumber,
    /// A chain ends in the middle: its M-bit is missing.
    ChainCut,
    /// A chain never ends: the last block has the M-bit, and so have those that follow.
    EndlessChain,
    /// Before its answer the card asks for S(RESYNCH), which only a host may.
    Resynch,
    /// Before its answer the card asks for more time: S(WTX), by this factor of the block waiting time.
    Wtx(u8),
    /// Before its answer the card asks for blocks of 32 bytes: S(IFS).
    Ifs,
    /// Before its answer the card asks to end a chain: S(ABORT).
    Abort,

    // The answer-to-reset.
    /// There is none.
    AtrEmpty,
    /// It ends in the middle.
    AtrCutShort,
    /// It is longer than 33 bytes.
    AtrTooLong,
    /// Its interface bytes announce ever more of them.
    AtrEndless,
    /// Its check byte TCK is wrong.
    AtrWrongTck,
    /// All of it is zeros.
    AtrZeros,
    /// It offers T=0 alone, which no contactless card speaks.
    AtrT0,
    /// The card agrees to another rate than was asked.
    PpsWrongEcho,

    // CCID.
    /// The command fails with this error byte (CCID 1.1, table 6.2-2): FE mute, FD parity, FC overrun, FB hardware, F7 TCK,
    /// E0 busy, 00 not supported.
    Failed(u8),
    /// The answer is announced by one that asks for more time.
    TimeExtension,
    /// It asks for time, again and again, for as long as it is in trouble.
    EndlessTime,
    /// The answer carries the number of another command.
    WrongSequence,
    /// The answer is another slot's.
    WrongSlot,
    /// The answer is one to another kind of command.
    WrongKind,
    /// dwLength is more than what comes.
    LengthTooLong,
    /// dwLength is less than what comes.
    LengthTooShort,
    /// dwLength is FFFFFFFF.
    LengthAbsurd,

    // The line.
    /// "That frame was torn" to one that was whole.
    Nak,
    /// The XOR of the frame is wrong.
    WrongXor,
    /// The frame ends in the middle.
    CutShort,
    /// What comes is no frame.
    Garbage,
    /// The command is repeated and never answered.
    Silence,
    /// The command is not even repeated.
    Deaf,
    /// The command is answered and not repeated.
    NoEcho,
    /// The answer comes when the next command is given.
    Late,
}

/// What happens, at which of its commands, and how often.
pub type Trouble = trouble::Trouble<Stage, Misbehaviour>;

const STAGES: [(&str, Stage); 5] = [
    ("polling", Stage::Polling),
    ("powering-on", Stage::PoweringOn),
    ("negotiating", Stage::Negotiating),
    ("setting", Stage::Setting),
    ("exchanging", Stage::Exchanging),
];

const NAMES: [(&str, Misbehaviour); 35] = [
    ("r-block-parity", Misbehaviour::RBlockParity),
    ("r-block-other", Misbehaviour::RBlockOther),
    ("wrong-lrc", Misbehaviour::WrongLrc),
    ("lost-block", Misbehaviour::LostBlock),
    ("wrong-len", Misbehaviour::WrongLen),
    ("wrong-number", Misbehaviour::WrongNumber),
    ("chain-cut", Misbehaviour::ChainCut),
    ("endless-chain", Misbehaviour::EndlessChain),
    ("resynch", Misbehaviour::Resynch),
    ("ifs", Misbehaviour::Ifs),
    ("abort", Misbehaviour::Abort),
    ("atr-empty", Misbehaviour::AtrEmpty),
    ("atr-cut-short", Misbehaviour::AtrCutShort),
    ("atr-too-long", Misbehaviour::AtrTooLong),
    ("atr-endless", Misbehaviour::AtrEndless),
    ("atr-wrong-tck", Misbehaviour::AtrWrongTck),
    ("atr-zeros", Misbehaviour::AtrZeros),
    ("atr-t0", Misbehaviour::AtrT0),
    ("pps-wrong-echo", Misbehaviour::PpsWrongEcho),
    ("time-extension", Misbehaviour::TimeExtension),
    ("endless-time", Misbehaviour::EndlessTime),
    ("wrong-sequence", Misbehaviour::WrongSequence),
    ("wrong-slot", Misbehaviour::WrongSlot),
    ("wrong-kind", Misbehaviour::WrongKind),
    ("length-too-long", Misbehaviour::LengthTooLong),
    ("length-too-short", Misbehaviour::LengthTooShort),
    ("length-absurd", Misbehaviour::LengthAbsurd),
    ("nak", Misbehaviour::Nak),
    ("wrong-xor", Misbehaviour::WrongXor),
    ("cut-short", Misbehaviour::CutShort),
    ("garbage", Misbehaviour::Garbage),
    ("silence", Misbehaviour::Silence),
    ("deaf", Misbehaviour::Deaf),
    ("no-echo", Misbehaviour::NoEcho),
    ("late", Misbehaviour::Late),
];

/// The answer-to-reset of a card that speaks T=0: contacts, no interface bytes.
const ATR_T0: [u8; 2] = [0x3B, 0x00];

/// When in the life of a command something goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// Before the command is carried out, or instead.
    Before,
    /// When its answer goes out.
    Answering,
}

impl Stage {
    /// The stage of a command, if any.
    pub(super) fn of(message: &Message) -> Option<Self> {
        match (message.kind, message.data.first()) {
            (GET_SLOT_STATUS, _) => Some(Self::Polling),
            (POWER_ON, _) => Some(Self::PoweringOn),
            (SET_PARAMETERS, _) => Some(Self::Setting),
            // PPSS (ISO/IEC 7816-3, 9.2).
            (XFR_BLOCK, Some(0xFF)) => Some(Self::Negotiating),
            (XFR_BLOCK, _) => Some(Self::Exchanging),
            _ => None,
        }
    }
}

impl Misbehaviour {
    /// Every one there is, with `wtx-01` and `ccid-fe` for the two that have a number.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(_, what)| *what).chain([Self::Wtx(1), Self::Failed(0xFE)])
    }

    /// When it happens.
    pub(super) fn moment(self) -> Moment {
        match self {
            Self::RBlockParity
            | Self::RBlockOther
            | Self::Resynch
            | Self::Wtx(_)
            | Self::Ifs
            | Self::Abort => Moment::Before,
            Self::Failed(_) | Self::EndlessTime => Moment::Before,
            Self::Nak | Self::Silence | Self::Deaf | Self::NoEcho => Moment::Before,
            _ => Moment::Answering,
        }
    }

    /// The request of the card's that comes before its answer: PCB and what is in it (ISO/IEC 7816-3, 11.3.2.2).
    pub(super) fn request(self) -> Option<(u8, Vec<u8>)> {
        match self {
            Self::Resynch => Some((0xC0, Vec::new())),
            Self::Ifs => Some((0xC1, vec![32])),
            Self::Abort => Some((0xC2, Vec::new())),
            Self::Wtx(factor) => Some((0xC3, vec![factor])),
            _ => None,
        }
    }

    /// Whether there is anything in this answer that it could spoil.
    pub(super) fn suits(self, answer: &Message) -> bool {
        match self {
            Self::ChainCut => is_information(answer) && is_chained(answer),
            Self::EndlessChain | Self::WrongNumber => is_information(answer),
            _ => true,
        }
    }

    /// What goes out instead of the frame around `answer`.
    pub(super) fn distort(self, mut answer: Message) -> Vec<u8> {
        let extension = Message { data: Vec::new(), ..answer.clone() };
        self.spoil_block(&mut answer);
        self.spoil_atr(&mut answer.data);
        match self {
            Self::WrongSequence => answer.sequence = answer.sequence.wrapping_sub(1),
            Self::WrongSlot => answer.slot = 3,
            Self::WrongKind => answer.kind = 0x83,
            _ => {}
        }
        let mut length = u32::try_from(answer.data.len()).unwrap_or_default();
        match self {
            Self::LengthTooLong => length += 4,
            Self::LengthTooShort => length = length.saturating_sub(1),
            Self::LengthAbsurd => length = u32::MAX,
            _ => {}
        }
        let mut out = answer.encode_claiming(length);
        match self {
            Self::WrongXor => {
                if let Some(check) = out.last_mut() {
                    *check ^= 0x01;
                }
            }
            Self::CutShort => out.truncate(out.len() / 2),
            Self::Garbage => out = GARBAGE.to_vec(),
            Self::TimeExtension => {
                // bmCommandStatus 2, and in bError by how much more (CCID 1.1, 6.2.6).
                let [status, _, _] = extension.parameters;
                let extension = Message { parameters: [status | 0x80, 1, 0], ..extension };
                out.splice(0..0, extension.encode());
            }
            _ => {}
        }
        out
    }

    fn spoil_block(self, answer: &mut Message) {
        let information = is_information(answer);
        let data = &mut answer.data;
        match (self, data.as_mut_slice()) {
            (Self::LostBlock, _) => data.clear(),
            (Self::WrongLrc, [.., lrc]) => *lrc ^= 0x01,
            (Self::WrongLen, [_, _, len, .., lrc]) => {
                *len ^= 0x01;
                *lrc ^= 0x01;
            }
            (Self::WrongNumber, [_, pcb, .., lrc]) if information => {
                *pcb ^= 0x40;
                *lrc ^= 0x40;
            }
            (Self::ChainCut | Self::EndlessChain, [_, pcb, .., lrc]) if information => {
                let more = if self == Self::ChainCut { 0x00 } else { 0x20 };
                *lrc ^= (*pcb & 0x20) ^ more;
                *pcb = *pcb & !0x20 | more;
            }
            (Self::PpsWrongEcho, [0xFF, _, rate, .., check]) => {
                *rate ^= 0x01;
                *check ^= 0x01;
            }
            _ => {}
        }
    }

    fn spoil_atr(self, atr: &mut Vec<u8>) {
        match self {
            Self::AtrEmpty => atr.clear(),
            Self::AtrCutShort => atr.truncate(3),
            Self::AtrTooLong => *atr = [&ATR_T1[..], &[0x5A; 60]].concat(),
            // T0 and every TDi announce TAi to TDi.
            Self::AtrEndless => *atr = [&[0x3B][..], &[0xFF; 32]].concat(),
            Self::AtrWrongTck => {
                if let Some(check) = atr.last_mut() {
                    *check ^= 0x01;
                }
            }
            Self::AtrZeros => atr.fill(0),
            Self::AtrT0 => *atr = ATR_T0.to_vec(),
            _ => {}
        }
    }
}

/// Neither a beginning of a frame nor a request for time is in it, and so much of it that a host that takes a byte for
/// each of its commands is at it for a while.
const GARBAGE: [u8; 16] = [0x5A; 16];

/// Whether an answer is a block of T=1 that carries information: bit 8 of its PCB is not set.
fn is_information(answer: &Message) -> bool {
    answer.kind == DATA_BLOCK && matches!(answer.data.as_slice(), [_, 0x00..=0x7F, _, _, ..])
}

fn is_chained(answer: &Message) -> bool {
    answer.data.get(1).is_some_and(|pcb| pcb & 0x20 != 0)
}

impl Word for Stage {
    fn from_word(word: &str) -> Option<Self> {
        named(&STAGES, word)
    }

    fn write(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name_of(&STAGES, &self).unwrap_or_default())
    }
}

impl Word for Misbehaviour {
    fn from_word(word: &str) -> Option<Self> {
        let number = |prefix| u8::from_str_radix(word.strip_prefix(prefix)?, 16).ok();
        let numbered = || number("ccid-").map(Self::Failed).or_else(|| number("wtx-").map(Self::Wtx));
        named(&NAMES, word).or_else(numbered)
    }

    fn write(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => write!(f, "ccid-{error:02x}"),
            Self::Wtx(factor) => write!(f, "wtx-{factor:02x}"),
            _ => f.write_str(name_of(&NAMES, &self).unwrap_or_default()),
        }
    }
}

impl fmt::Display for Misbehaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An I-block of two bytes, the first of a chain.
    const CHAINED: [u8; 6] = [0x00, 0x20, 0x02, 0x90, 0x00, 0xB2];

    fn data_block(data: &[u8]) -> Message {
        Message { kind: DATA_BLOCK, slot: 0, sequence: 9, parameters: [0; 3], data: data.to_vec() }
    }

    fn block_of(what: Misbehaviour) -> Vec<u8> {
        let frame = what.distort(data_block(&CHAINED));
        assert_eq!(frame.iter().fold(0, |sum, byte| sum ^ byte), 0, "{what}: the frame itself is whole");
        frame[12..frame.len() - 1].to_vec()
    }

    #[test]
    fn troubles_are_named() {
        let trouble = "exchanging:wtx-ff@20/3*2".parse::<Trouble>().unwrap();
        assert_eq!((trouble.stage, trouble.what), (Stage::Exchanging, Misbehaviour::Wtx(0xFF)));
        assert_eq!(trouble.to_string(), "exchanging:wtx-ff@20/3*2");
        for (stage, _) in STAGES {
            for what in Misbehaviour::all() {
                let named = format!("{stage}:{what}");
                assert_eq!(named.parse::<Trouble>().map(|trouble| trouble.to_string()), Ok(named));
            }
        }
        for nonsense in
            ["exchanging:ccid-", "exchanging:ccid-1ff", "exchanging:wtx", "finding:nak", "exchanging:rf-01"]
        {
            assert!(nonsense.parse::<Trouble>().is_err(), "{nonsense}");
        }
    }

    #[test]
    fn a_block_is_spoilt_in_its_own_way_and_no_other() {
        for (what, spoilt) in [
            (Misbehaviour::WrongLrc, &[0x00, 0x20, 0x02, 0x90, 0x00, 0xB3][..]),
            (Misbehaviour::WrongLen, &[0x00, 0x20, 0x03, 0x90, 0x00, 0xB3]),
            (Misbehaviour::WrongNumber, &[0x00, 0x60, 0x02, 0x90, 0x00, 0xF2]),
            (Misbehaviour::ChainCut, &[0x00, 0x00, 0x02, 0x90, 0x00, 0x92]),
            (Misbehaviour::EndlessChain, &CHAINED),
            (Misbehaviour::LostBlock, &[]),
        ] {
            assert_eq!(block_of(what), spoilt, "{what}");
        }
        let r_block = data_block(&[0x00, 0x80, 0x00, 0x80]);
        for what in [Misbehaviour::WrongNumber, Misbehaviour::ChainCut, Misbehaviour::EndlessChain] {
            assert!(!what.suits(&r_block), "{what}: an R-block has none of it");
        }
        assert!(!Misbehaviour::ChainCut.suits(&data_block(&[0x00, 0x00, 0x02, 0x90, 0x00, 0x92])));
    }

    #[test]
    fn time_is_asked_for_in_a_message_of_its_own() {
        let out = Misbehaviour::TimeExtension.distort(data_block(&CHAINED));
        let extension = Message { parameters: [0x80, 1, 0], ..data_block(&[]) };
        assert_eq!(out, [extension.encode(), data_block(&CHAINED).encode()].concat());
    }

    #[test]
    fn a_length_that_lies_changes_nothing_else() {
        let good = data_block(&CHAINED).encode();
        for (what, claimed) in [
            (Misbehaviour::LengthTooLong, [10, 0, 0, 0]),
            (Misbehaviour::LengthTooShort, [5, 0, 0, 0]),
            (Misbehaviour::LengthAbsurd, [0xFF; 4]),
        ] {
            let out = what.distort(data_block(&CHAINED));
            assert_eq!((&out[3..7], out.len()), (&claimed[..], good.len()), "{what}");
            assert_eq!(out[7..out.len() - 1], good[7..good.len() - 1], "{what}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_to_be_spoilt_something_comes_out(data in prop::collection::vec(any::<u8>(), 0..40), kind in any::<u8>()) {
            for what in Misbehaviour::all() {
                let spoilt = what.distort(Message { kind, ..data_block(&data) });
                prop_assert!(spoilt.len() < 200, "{what}: {}", spoilt.len());
            }
        }
    }
}
