//! What goes wrong between a scanner and its host.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use cccd_profiles::{CodeEnd, CodeFraming};
use serde::{Deserialize, Serialize};

use crate::card_image::random::Random;

/// The pause of a partial write: long enough for a host to read what came before, short of what ends a code.
const PAUSE: Duration = Duration::from_millis(5);

/// Something that goes wrong with one scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Glitch {
    /// So many bytes at a time, with a short pause between.
    Pieces(usize),
    /// One byte at a time, with so many milliseconds between.
    Drip(u64),
    /// Held back, and sent in one go with the next scan.
    Glued,
    /// Sent twice.
    Twice,
    /// So many bytes of noise, then nothing of the code; the number is their seed, too.
    Noise(usize),
    /// The host listens at twice the speed that is sent at.
    WrongBaud,
    /// Only so many bytes, then the cable is pulled.
    Cut(usize),
    /// Without the suffix.
    NoSuffix,
    /// So many bytes more than the code has, before its suffix.
    Overlong(usize),
    /// A NUL before and one behind it, as breaks of a line are read.
    Breaks,
}

/// A glitch nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no glitch: pieces:N, drip:MS, glued, twice, noise:N, wrong-baud, cut:N, no-suffix, overlong:N or breaks is possible"
)]
pub struct NoGlitch(String);

impl FromStr for Glitch {
    type Err = NoGlitch;

    fn from_str(text: &str) -> Result<Self, NoGlitch> {
        let (name, number) = text.split_once(':').map_or((text, None), |(name, number)| (name, Some(number)));
        let number = number.map(str::parse::<usize>).transpose().map_err(|_| NoGlitch(text.to_owned()))?;
        match (name, number) {
            ("pieces", Some(bytes @ 1..)) => Ok(Self::Pieces(bytes)),
            ("drip", Some(pause)) => {
                u64::try_from(pause).map(Self::Drip).map_err(|_| NoGlitch(text.to_owned()))
            }
            ("glued", None) => Ok(Self::Glued),
            ("twice", None) => Ok(Self::Twice),
            ("noise", Some(bytes)) => Ok(Self::Noise(bytes)),
            ("wrong-baud", None) => Ok(Self::WrongBaud),
            ("cut", Some(bytes)) => Ok(Self::Cut(bytes)),
            ("no-suffix", None) => Ok(Self::NoSuffix),
            ("overlong", Some(bytes)) => Ok(Self::Overlong(bytes)),
            ("breaks", None) => Ok(Self::Breaks),
            _ => Err(NoGlitch(text.to_owned())),
        }
    }
}

impl fmt::Display for Glitch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pieces(bytes) => write!(f, "pieces:{bytes}"),
            Self::Drip(pause) => write!(f, "drip:{pause}"),
            Self::Glued => f.write_str("glued"),
            Self::Twice => f.write_str("twice"),
            Self::Noise(bytes) => write!(f, "noise:{bytes}"),
            Self::WrongBaud => f.write_str("wrong-baud"),
            Self::Cut(bytes) => write!(f, "cut:{bytes}"),
            Self::NoSuffix => f.write_str("no-suffix"),
            Self::Overlong(bytes) => write!(f, "overlong:{bytes}"),
            Self::Breaks => f.write_str("breaks"),
        }
    }
}

/// What a scan becomes on the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Transmission {
    pub(super) bytes: Vec<u8>,
    /// How many bytes go out at once.
    pub(super) at_once: usize,
    /// How long it pauses between.
    pub(super) pause: Duration,
    pub(super) then: Then,
}

/// What comes behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    Nothing,
    /// It waits for the next scan and goes out with it.
    WaitForNext,
    PullCable,
}

impl Transmission {
    /// A code as a model sends it, with what goes wrong.
    pub(super) fn of(code: &[u8], framing: &CodeFraming, glitch: Option<Glitch>) -> Self {
        let mut code = code.to_vec();
        if let Some(Glitch::Overlong(surplus)) = glitch {
            code.extend(std::iter::repeat_n(b'x', surplus));
        }
        let suffix: &[u8] = match framing.end {
            _ if glitch == Some(Glitch::NoSuffix) => b"",
            CodeEnd::Cr => b"\r",
            CodeEnd::Lf => b"\n",
            CodeEnd::CrLf | CodeEnd::LineEnd => b"\r\n",
            CodeEnd::Tab => b"\t",
            CodeEnd::Etx => b"\x03",
            CodeEnd::Silence => b"",
        };
        let whole = [&framing.prefix, &code, suffix].concat();
        let mut sent = Self { at_once: usize::MAX, pause: Duration::ZERO, then: Then::Nothing, bytes: whole };
        match glitch {
            None | Some(Glitch::NoSuffix | Glitch::Overlong(_)) => {}
            Some(Glitch::Pieces(bytes)) => (sent.at_once, sent.pause) = (bytes.max(1), PAUSE),
            Some(Glitch::Drip(pause)) => (sent.at_once, sent.pause) = (1, Duration::from_millis(pause)),
            Some(Glitch::Glued) => sent.then = Then::WaitForNext,
            Some(Glitch::Twice) => sent.bytes = sent.bytes.repeat(2),
            Some(Glitch::Noise(count)) => sent.bytes = noise(count),
            Some(Glitch::WrongBaud) => sent.bytes = at_twice_the_speed(&sent.bytes),
            Some(Glitch::Cut(count)) => {
                sent.bytes.truncate(count);
                sent.then = Then::PullCable;
            }
            Some(Glitch::Breaks) => sent.bytes = [&[0], &sent.bytes[..], &[0]].concat(),
        }
        sent
    }
}

fn noise(count: usize) -> Vec<u8> {
    let mut random = Random::new(count as u64, 0, 0);
    std::iter::repeat_with(|| random.next_u64().to_le_bytes()[0]).take(count).collect()
}

/// What a host reads that samples twice for each bit that is sent (8N1: a start bit 0, eight bits from the lowest
/// on, a stop bit 1; the line rests at 1).
fn at_twice_the_speed(bytes: &[u8]) -> Vec<u8> {
    let of_byte = |byte: u8| {
        let data = (0..8).map(move |bit| byte >> bit & 1 == 1);
        std::iter::once(false).chain(data).chain(std::iter::once(true))
    };
    let mut line = bytes.iter().flat_map(|&byte| of_byte(byte)).flat_map(|bit| [bit, bit]);
    let mut read = Vec::new();
    while line.any(|bit| !bit) {
        let byte = (0..8).fold(0, |byte, at| byte | u8::from(line.next().unwrap_or(true)) << at);
        read.push(byte);
        // The stop bit, whatever it is.
        let _ = line.next();
    }
    read
}

#[cfg(test)]
mod tests {
    use cccd_profiles::ScannerCatalogue;

    use super::*;

    fn sent(glitch: Glitch) -> Transmission {
        let framing = ScannerCatalogue::shipped().get("honeywell").unwrap().code.clone();
        Transmission::of(b"AB", &framing, Some(glitch))
    }

    #[test]
    fn glitches_are_read_as_they_are_written() {
        for text in [
            "pieces:3",
            "drip:20",
            "glued",
            "twice",
            "noise:9",
            "wrong-baud",
            "cut:5",
            "no-suffix",
            "overlong:7",
            "breaks",
        ] {
            assert_eq!(text.parse::<Glitch>().map(|glitch| glitch.to_string()), Ok(text.to_owned()));
        }
        for bad in ["", "pieces", "pieces:0", "cut:-1", "twice:2", "loud"] {
            assert_eq!(bad.parse::<Glitch>(), Err(NoGlitch(bad.to_owned())));
        }
    }

    #[test]
    fn each_glitch_does_to_a_code_what_it_says() {
        for (glitch, bytes) in [
            (Glitch::Twice, &b"AB\r\nAB\r\n"[..]),
            (Glitch::NoSuffix, b"AB"),
            (Glitch::Overlong(2), b"ABxx\r\n"),
            (Glitch::Cut(1), b"A"),
            (Glitch::Breaks, b"\0AB\r\n\0"),
            (Glitch::Pieces(1), b"AB\r\n"),
        ] {
            assert_eq!(sent(glitch).bytes, bytes, "{glitch}");
        }
        assert_eq!(sent(Glitch::Cut(1)).then, Then::PullCable);
        assert_eq!(sent(Glitch::Noise(50)), sent(Glitch::Noise(50)), "the same each time");
    }

    #[test]
    fn a_host_at_twice_the_speed_reads_two_bytes_for_one() {
        // 0x55 is 0 10101010 1 on the line. Doubled: a start bit 0, then 01100110, a stop bit that is none, two ones,
        // a start bit, 0110011, and the line at rest.
        assert_eq!(at_twice_the_speed(b"U"), [0b0110_0110, 0b1110_0110]);
        // All ones: only the start bit is seen, and half of it as the first bit.
        assert_eq!(at_twice_the_speed(b"\xFF"), [0b1111_1110]);
        assert!(at_twice_the_speed(b"").is_empty());
    }
}
