//! Command APDUs as the chip takes them apart (ISO/IEC 7816-4, 5.1), and what it answers.

use cccd_card::StatusWord;
use openssl::error::ErrorStack;

use crate::image::LengthOffer;

/// A command as it came over the air.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Apdu<'a> {
    pub(super) cla: u8,
    pub(super) ins: u8,
    pub(super) p1: u8,
    pub(super) p2: u8,
    pub(super) data: &'a [u8],
    pub(super) le: Option<Le>,
}

/// How many bytes the terminal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Le {
    /// Le of zeros: whatever there is, up to so many.
    UpTo(usize),
    /// Le of a number: just so many.
    Exactly(usize),
}

impl Le {
    /// The most that may come back.
    pub(super) fn limit(self) -> usize {
        match self {
            Self::UpTo(limit) | Self::Exactly(limit) => limit,
        }
    }

    /// Reads an Le field of one byte (short) or two bytes (extended).
    pub(super) fn read(field: &[u8]) -> Option<Self> {
        match *field {
            [0] => Some(Self::UpTo(256)),
            [0, 0] => Some(Self::UpTo(65536)),
            [count] => Some(Self::Exactly(usize::from(count))),
            [high, low] => Some(Self::Exactly(usize::from(u16::from_be_bytes([high, low])))),
            _ => None,
        }
    }
}

impl<'a> Apdu<'a> {
    /// Takes a command apart. Every way in which it can be malformed is 6700, and so is an extended length
    /// that the chip does not take.
    pub(super) fn parse(command: &'a [u8], lengths: LengthOffer) -> Result<Self, Refusal> {
        let wrong = Refusal(StatusWord::WRONG_LENGTH);
        let (&[cla, ins, p1, p2], body) = command.split_first_chunk::<4>().ok_or(wrong)?;
        let (data, le) = match body {
            [] => (&[][..], None),
            [_] => (&[][..], Le::read(body)),
            [0, rest @ ..] => {
                match lengths {
                    LengthOffer::Extended { max_command, .. } if command.len() <= max_command => {}
                    LengthOffer::Extended { .. } | LengthOffer::Short => return Err(wrong),
                }
                extended(rest).ok_or(wrong)?
            }
            [lc, rest @ ..] => {
                let (data, field) = rest.split_at_checked(usize::from(*lc)).ok_or(wrong)?;
                (data, trailing_le(field, 1).ok_or(wrong)?)
            }
        };
        Ok(Self { cla, ins, p1, p2, data, le })
    }
}

/// The body of an extended command behind its leading zero.
fn extended(rest: &[u8]) -> Option<(&[u8], Option<Le>)> {
    let (&length, after) = rest.split_first_chunk::<2>()?;
    if after.is_empty() {
        return Some((&[], Le::read(&length)));
    }
    // Data of no bytes is written by leaving Lc out, never as 0000.
    let lc = usize::from(u16::from_be_bytes(length));
    let (data, field) = after.split_at_checked(lc).filter(|_| lc > 0)?;
    Some((data, trailing_le(field, 2)?))
}

/// Le behind the data: not there, or of just the width that Lc's form demands.
fn trailing_le(field: &[u8], width: usize) -> Option<Option<Le>> {
    match field.len() {
        0 => Some(None),
        length if length == width => Le::read(field).map(Some),
        _ => None,
    }
}

/// A command with secure messaging taken off, and what may come back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) ins: u8,
    pub(super) p1: u8,
    pub(super) p2: u8,
    /// CLA bit 5: more of this chain follows.
    pub(super) chained: bool,
    pub(super) data: &'a [u8],
    pub(super) le: Option<Le>,
    /// Whether it came through secure messaging: access control was passed, and still holds.
    pub(super) protected: bool,
    /// The access bits that terminal authentication granted in this session: 1 for DG3, 2 for DG4.
    pub(super) granted: u8,
    /// The most plain data an answer can carry, whatever Le says.
    pub(super) room: usize,
}

impl Request<'_> {
    pub(super) fn p1_p2(&self) -> u16 {
        u16::from_be_bytes([self.p1, self.p2])
    }

    /// Answers with `data`, which the terminal must have asked for, and in full.
    pub(super) fn answer(&self, data: Vec<u8>) -> Answer {
        match self.le {
            Some(le) if data.len() <= le.limit().min(self.room) => Ok(Reply { data, status: StatusWord::OK }),
            _ => Err(Refusal(StatusWord::WRONG_LENGTH)),
        }
    }
}

/// What the chip says: data, and a status that is 9000 or a warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) data: Vec<u8>,
    pub(super) status: StatusWord,
}

impl Reply {
    /// A status with no data.
    pub(super) fn bare(status: StatusWord) -> Self {
        Self { data: Vec::new(), status }
    }

    /// The response APDU.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        let mut bytes = self.data;
        bytes.extend(self.status.to_bytes());
        bytes
    }
}

/// The status with which the chip declines a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) StatusWord);

/// OpenSSL failing is the chip failing: 6F00, no precise diagnosis.
impl From<ErrorStack> for Refusal {
    fn from(_: ErrorStack) -> Self {
        Self(StatusWord(0x6F00))
    }
}

/// The outcome of one instruction.
pub(super) type Answer = Result<Reply, Refusal>;

#[cfg(test)]
mod tests {
    use super::*;

    const EXTENDED: LengthOffer = LengthOffer::Extended { max_command: 1000, max_reply: 1000 };

    fn body(command: &[u8]) -> Option<(Vec<u8>, Option<Le>)> {
        Apdu::parse(command, EXTENDED).ok().map(|apdu| (apdu.data.to_vec(), apdu.le))
    }

    #[test]
    fn the_seven_cases_are_told_apart() {
        // ISO/IEC 7816-4, 5.1: cases 1, 2S, 3S, 4S, 2E, 3E, 4E.
        for (tail, data, le) in [
            (&[][..], &[][..], None),
            (&[8], &[], Some(Le::Exactly(8))),
            (&[0], &[], Some(Le::UpTo(256))),
            (&[2, 7, 7], &[7, 7], None),
            (&[2, 7, 7, 0], &[7, 7], Some(Le::UpTo(256))),
            (&[0, 0, 0], &[], Some(Le::UpTo(65536))),
            (&[0, 1, 0], &[], Some(Le::Exactly(256))),
            (&[0, 0, 2, 7, 7], &[7, 7], None),
            (&[0, 0, 2, 7, 7, 0, 0], &[7, 7], Some(Le::UpTo(65536))),
            (&[0, 0, 2, 7, 7, 1, 1], &[7, 7], Some(Le::Exactly(257))),
        ] {
            let command = [&[0, 0xA4, 0, 0][..], tail].concat();
            assert_eq!(body(&command), Some((data.to_vec(), le)), "{tail:02X?}");
        }
    }

    #[test]
    fn every_malformed_length_is_6700() {
        for tail in [
            &[2, 7][..],
            &[2, 7, 7, 0, 0],
            &[0, 0],
            &[0, 0, 0, 0],
            &[0, 0, 0, 0, 0],
            &[0, 0, 2, 7],
            &[0, 0, 2, 7, 7, 0],
            &[0, 0, 2, 7, 7, 0, 0, 0],
        ] {
            let command = [&[0, 0xA4, 0, 0][..], tail].concat();
            assert_eq!(Apdu::parse(&command, EXTENDED), Err(Refusal(StatusWord(0x6700))), "{tail:02X?}");
        }
        for short in 0..4 {
            assert_eq!(body(&[0, 0xA4, 0, 0][..short]), None);
        }
    }

    #[test]
    fn extended_lengths_need_an_offer_and_stay_within_it() {
        let mut command = vec![0, 0xA4, 0, 0, 0, 3, 0xE1];
        command.resize(7 + 0x3E1, 0x55);
        assert_eq!(command.len(), 1000);
        assert!(Apdu::parse(&command, EXTENDED).is_ok());
        assert_eq!(Apdu::parse(&command, LengthOffer::Short), Err(Refusal(StatusWord(0x6700))));
        let narrower = LengthOffer::Extended { max_command: 999, max_reply: 1000 };
        assert_eq!(Apdu::parse(&command, narrower), Err(Refusal(StatusWord(0x6700))));
    }
}
