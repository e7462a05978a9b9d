//! What a PN532 can be made to do that no good one does, or that a bad field does to a good one.

use std::fmt;

use super::firmware::{IN_DATA_EXCHANGE, IN_LIST_PASSIVE_TARGET};
use super::frame;
use crate::reader::trouble::{self, Word, name_of, named};

/// During which commands it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// When the host sets the chip up.
    Opening,
    /// When it looks for a card.
    Finding,
    /// When it sends a card a command.
    Exchanging,
    /// When it asks whether the card is still there.
    Checking,
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misbehaviour {
    /// The ATS has a length byte of zero: less than itself.
    AtsLengthZero,
    /// A UID that claims to be longer than the answer.
    UidTooLong,
    /// One card is announced and none described.
    PhantomTarget,
    /// The highest bit of the status byte is set, which a card without NAD cannot cause.
    StatusBit7,
    /// An answer longer than any frame may be.
    Oversize,
    /// More is always to come, and it is always nothing.
    EndlessChaining,
    /// The answer does not even have a status byte.
    EmptyAnswer,
    /// The answer's checksum is wrong.
    WrongChecksum,
    /// The checksum of its length is wrong.
    WrongLengthChecksum,
    /// It answers another command than the one that was given.
    WrongAnswerCode,
    /// It calls the command a syntax error.
    ErrorFrame,
    /// What comes is no frame.
    Garbage,
    /// The frame ends in the middle.
    CutShort,
    /// The command is acknowledged and never answered.
    Silence,
    /// The command is not even acknowledged.
    Deaf,
    /// "Say that again" instead of an acknowledgement.
    Nack,
    /// The field does this to the exchange: a status byte of the chip, such as 01 (time-out) or 02 (CRC).
    Rf(u8),
}

/// What happens, at which of its commands, and how often.
pub type Trouble = trouble::Trouble<Stage, Misbehaviour>;

const STAGES: [(&str, Stage); 4] = [
    ("opening", Stage::Opening),
    ("finding", Stage::Finding),
    ("exchanging", Stage::Exchanging),
    ("checking", Stage::Checking),
];

const NAMES: [(&str, Misbehaviour); 16] = [
    ("ats-length-zero", Misbehaviour::AtsLengthZero),
    ("uid-too-long", Misbehaviour::UidTooLong),
    ("phantom-target", Misbehaviour::PhantomTarget),
    ("status-bit-7", Misbehaviour::StatusBit7),
    ("oversize", Misbehaviour::Oversize),
    ("endless-chaining", Misbehaviour::EndlessChaining),
    ("empty-answer", Misbehaviour::EmptyAnswer),
    ("wrong-checksum", Misbehaviour::WrongChecksum),
    ("wrong-length-checksum", Misbehaviour::WrongLengthChecksum),
    ("wrong-answer-code", Misbehaviour::WrongAnswerCode),
    ("error-frame", Misbehaviour::ErrorFrame),
    ("garbage", Misbehaviour::Garbage),
    ("cut-short", Misbehaviour::CutShort),
    ("silence", Misbehaviour::Silence),
    ("deaf", Misbehaviour::Deaf),
    ("nack", Misbehaviour::Nack),
];

impl Misbehaviour {
    /// Every one there is, with 02 (CRC) for the field's own.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(_, what)| *what).chain([Self::Rf(0x02)])
    }

    /// Whether the command is carried out and answered at all.
    pub(super) fn lets_answer(self) -> bool {
        !matches!(self, Self::Silence | Self::Deaf | Self::Nack | Self::Rf(_))
    }

    /// What goes out instead of the frame around `payload`.
    pub(super) fn distort(self, payload: &[u8]) -> Vec<u8> {
        let mut payload = payload.to_vec();
        let code = payload.first().copied().unwrap_or_default();
        match self {
            Self::AtsLengthZero if code == IN_LIST_PASSIVE_TARGET + 1 => {
                // code, count, number, ATQA, SAK, length of UID, UID, ATS
                let uid = payload.get(6).copied().map_or(0, usize::from);
                if let Some(length) = payload.get_mut(7 + uid) {
                    *length = 0;
                }
            }
            Self::UidTooLong if code == IN_LIST_PASSIVE_TARGET + 1 => {
                if let Some(length) = payload.get_mut(6) {
                    *length = 0xFF;
                }
            }
            Self::PhantomTarget => payload = vec![code, 1],
            Self::StatusBit7 => {
                if let Some(status) = payload.get_mut(1) {
                    *status |= 0x80;
                }
            }
            Self::Oversize => payload.resize(400, 0x5A),
            Self::EndlessChaining => payload = vec![code, 0x40],
            Self::EmptyAnswer => payload = vec![code],
            Self::Rf(status) => payload = vec![IN_DATA_EXCHANGE + 1, status],
            Self::WrongAnswerCode => {
                if let Some(code) = payload.first_mut() {
                    *code ^= 0x55;
                }
            }
            _ => {}
        }
        let mut out = frame::answer(&payload);
        match self {
            Self::WrongChecksum => {
                if let Some(check) = out.iter_mut().rev().nth(1) {
                    *check ^= 0x01;
                }
            }
            Self::WrongLengthChecksum => {
                if let Some(check) = out.get_mut(4) {
                    *check ^= 0x01;
                }
            }
            Self::ErrorFrame => out = frame::ERROR.to_vec(),
            Self::Garbage => out = (0..64u8).map(|n| n.wrapping_mul(0x9D) | 0x01).collect(),
            Self::CutShort => out.truncate(out.len() / 2),
            Self::Silence | Self::Deaf | Self::Nack => out.clear(),
            _ => {}
        }
        out
    }
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
        let rf = || u8::from_str_radix(word.strip_prefix("rf-")?, 16).ok().map(Self::Rf);
        named(&NAMES, word).or_else(rf)
    }

    fn write(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rf(status) => write!(f, "rf-{status:02x}"),
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
    use super::*;

    #[test]
    fn troubles_are_named() {
        let twice = "exchanging:rf-02@3*2".parse::<Trouble>().unwrap();
        assert_eq!((twice.stage, twice.what), (Stage::Exchanging, Misbehaviour::Rf(2)));
        assert_eq!(twice.to_string(), "exchanging:rf-02@3*2");
        for what in Misbehaviour::all() {
            let named = format!("finding:{what}").parse();
            assert_eq!(named, Ok(Trouble::always(Stage::Finding, what)));
        }
        for nonsense in ["finding:", "sleeping:deaf", "finding:rf-1g", "finding:rf"] {
            assert!(nonsense.parse::<Trouble>().is_err(), "{nonsense}");
        }
    }
}
