//! How long a reading takes on real readers and real chips: bit rate, what each command costs beside its bytes, and
//! what the chip computes.
//!
//! [`Timed`] lays these times over any card. They are added up on a [`ReadingClock`], for benches, or slept, so that a
//! demonstration takes as long as the real thing.
//!
//! ```
//! use cccd_firmware_sim::reader::{Card, EchoCard};
//! use cccd_firmware_sim::timing::{BitRate, ReadingClock, Timed, Timing};
//!
//! let clock = ReadingClock::added_up();
//! let timing = Timing::usual(BitRate::Kbit424);
//! let mut card = Timed::new(EchoCard::marked(1), timing, clock.clone());
//! card.process(&[0x00, 0x84, 0x00, 0x00, 0x08]);
//! assert!(clock.now() > timing.per_command);
//! ```
//!
//! What a byte and a frame take is the standard's (ISO/IEC 14443-3, 6; 14443-4, 7). What a command costs in reader,
//! driver and bus, and what chips take to compute, are assumptions that nobody here has measured on a card.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::reader::Card;

/// How fast card and reader talk (ISO/IEC 14443-4, 5.2.4): the carrier of 13.56 MHz over 128, and two, four and
/// eight times as much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BitRate {
    /// 106 kbit/s, with which every card begins.
    Kbit106,
    /// 212 kbit/s.
    Kbit212,
    /// 424 kbit/s.
    Kbit424,
    /// 848 kbit/s.
    Kbit848,
}

impl BitRate {
    /// All of them, the slowest first.
    pub const ALL: [Self; 4] = [Self::Kbit106, Self::Kbit212, Self::Kbit424, Self::Kbit848];

    /// As everyone calls it, in kbit/s.
    pub fn kilobits(self) -> u16 {
        106 * self.multiple()
    }

    /// The one that is called so.
    pub fn of_kilobits(kilobits: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|rate| rate.kilobits() == kilobits)
    }

    fn multiple(self) -> u16 {
        match self {
            Self::Kbit106 => 1,
            Self::Kbit212 => 2,
            Self::Kbit424 => 4,
            Self::Kbit848 => 8,
        }
    }

    /// What so many bytes take on the air: eight bits and a parity each (ISO/IEC 14443-3, 6.2.3.1).
    pub fn bytes(self, count: usize) -> Duration {
        const CARRIER_HERTZ: u128 = 13_560_000;
        let bits = 9 * u128::try_from(count).unwrap_or(u128::MAX >> 64);
        let nanoseconds = bits * 128 * 1_000_000_000 / CARRIER_HERTZ / u128::from(self.multiple());
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

/// What a reading's time is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How fast card and reader talk.
    pub bit_rate: BitRate,
    /// What each command costs beside its bytes: bus, driver, reader, and the chip's own way to its answer.
    pub per_command: Duration,
    /// What the chip computes.
    pub chip: ChipSpeed,
}

/// How long a chip computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChipSpeed {
    /// One multiplication or exponentiation of key agreement: PACE takes two to map and two to agree, chip
    /// authentication takes one.
    pub agreement: Duration,
    /// The signature of active authentication.
    pub signature: Duration,
    /// What a mutual authentication without public keys takes: BAC, and the nonce and the tokens of PACE.
    pub symmetric: Duration,
    /// Verifying a certificate or a terminal's signature.
    pub verification: Duration,
}

impl ChipSpeed {
    /// Nothing takes time.
    pub const AT_ONCE: Self = Self {
        agreement: Duration::ZERO,
        signature: Duration::ZERO,
        symmetric: Duration::ZERO,
        verification: Duration::ZERO,
    };

    /// What a chip of the last ten years may take on a curve of 256 bits. Assumed: to be measured on real cards.
    pub const ASSUMED: Self = Self {
        agreement: Duration::from_millis(80),
        signature: Duration::from_millis(100),
        symmetric: Duration::from_millis(10),
        verification: Duration::from_millis(90),
    };

    /// What the chip computes before it answers this command well.
    pub fn of(&self, command: &[u8]) -> Duration {
        let [class, instruction, p1, p2] = match command {
            [class, instruction, p1, p2, ..] => [*class, *instruction, *p1, *p2],
            _ => return Duration::ZERO,
        };
        let protected = class & 0x0C == 0x0C;
        match (instruction, protected) {
            // GENERAL AUTHENTICATE of PACE: `7C L 81` maps the nonce, `83` agrees, `85` tests the tokens, and an
            // empty template asks for the nonce (ICAO 9303-11, 4.4.4).
            (0x86, false) => match step_of_pace(command) {
                Some(0x81 | 0x83) => 2 * self.agreement,
                _ => self.symmetric,
            },
            // Chip authentication, by either of its commands (BSI TR-03110-3, B.2).
            (0x86, true) => self.agreement,
            (0x22, true) if (p1, p2) == (0x41, 0xA6) => self.agreement,
            (0x88, _) => self.signature,
            (0x82, false) => self.symmetric,
            (0x82 | 0x2A, true) => self.verification,
            _ => Duration::ZERO,
        }
    }
}

/// The tag in the dynamic authentication data of a GENERAL AUTHENTICATE.
fn step_of_pace(command: &[u8]) -> Option<u8> {
    // Extended Lc is a zero and two bytes, short Lc is one.
    let body = match command.get(4)? {
        0 => command.get(7..)?,
        _ => command.get(5..)?,
    };
    match body {
        [0x7C, 0x81, _, tag, ..] | [0x7C, 0x82, _, _, tag, ..] => Some(*tag),
        [0x7C, length, tag, ..] if *length > 0 && *length < 0x80 => Some(*tag),
        _ => None,
    }
}

/// Frames of ISO/IEC 14443-4 (7.1): so many bytes of APDU fit into one.
const FRAME_DATA: usize = 256 - FRAME_AROUND;
/// PCB and two bytes of checksum.
const FRAME_AROUND: usize = 3;
/// Between a frame and the next the other way (ISO/IEC 14443-3, 6.2.1.1: 1236 cycles of the carrier).
const FRAME_DELAY: Duration = Duration::from_nanos(91_150);

impl Timing {
    /// The usual overhead of 15 ms, at this rate, with a chip that computes as is assumed.
    pub fn usual(bit_rate: BitRate) -> Self {
        Self { bit_rate, per_command: Duration::from_millis(15), chip: ChipSpeed::ASSUMED }
    }

    /// What an APDU takes on the air, one way. One that needs several frames has each but the last acknowledged.
    pub fn on_air(&self, length: usize) -> Duration {
        let frames = length.div_ceil(FRAME_DATA).max(1);
        let acknowledgements = frames - 1;
        let bytes = length + FRAME_AROUND * (frames + acknowledgements);
        let turns = u32::try_from(2 * acknowledgements).unwrap_or(u32::MAX);
        self.bit_rate.bytes(bytes) + FRAME_DELAY.saturating_mul(turns)
    }
}

/// The time a simulated reading has taken. Clones are the same clock.
#[derive(Debug, Clone)]
pub struct ReadingClock {
    nanoseconds: Arc<AtomicU64>,
    of_chip: Arc<AtomicU64>,
    passes: Passes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passes {
    AddedUp,
    Slept,
}

impl ReadingClock {
    /// A clock that only adds up: nobody waits.
    pub fn added_up() -> Self {
        Self::new(Passes::AddedUp)
    }

    /// A clock by which every command takes as long as it would: for demonstrations.
    pub fn slept() -> Self {
        Self::new(Passes::Slept)
    }

    fn new(passes: Passes) -> Self {
        Self { nanoseconds: Arc::default(), of_chip: Arc::default(), passes }
    }

    /// What has passed, the chip's computing included.
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed))
    }

    /// What of it the chip has computed.
    pub fn of_chip(&self) -> Duration {
        Duration::from_nanos(self.of_chip.load(Ordering::Relaxed))
    }

    /// Lets `link` and `chip` pass. What the simulation itself has taken since `began` is not slept a second time.
    fn pass(&self, link: Duration, chip: Duration, began: Instant) {
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds(link + chip), Ordering::Relaxed);
        self.of_chip.fetch_add(nanoseconds(chip), Ordering::Relaxed);
        if self.passes == Passes::Slept {
            std::thread::sleep((link + chip).saturating_sub(began.elapsed()));
        }
    }
}

/// A card that takes its time.
pub struct Timed<C> {
    card: C,
    timing: Timing,
    clock: ReadingClock,
}

impl<C: Card> Timed<C> {
    /// `card`, whose commands let time pass on `clock`.
    pub fn new(card: C, timing: Timing, clock: ReadingClock) -> Self {
        Self { card, timing, clock }
    }
}

impl<C: Card> Card for Timed<C> {
    fn atr(&self) -> &[u8] {
        self.card.atr()
    }

    fn reset(&mut self) {
        self.card.reset();
    }

    fn process(&mut self, command: &[u8]) -> Vec<u8> {
        let began = Instant::now();
        let answer = self.card.process(command);
        // A refusal comes before the computing; 63xx comes after it.
        let computed = matches!(answer.last_chunk::<2>(), Some([0x90, 0x00] | [0x63, _]));
        let chip = if computed { self.timing.chip.of(command) } else { Duration::ZERO };
        let air = self.timing.on_air(command.len()) + self.timing.on_air(answer.len());
        self.clock.pass(self.timing.per_command + air, chip, began);
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::EchoCard;

    #[test]
    fn a_byte_takes_nine_bits_of_the_carrier_over_128() {
        // 128 / 13.56 MHz is 9.4395 microseconds a bit.
        assert_eq!(BitRate::Kbit106.bytes(1).as_nanos(), 84_955);
        assert_eq!(BitRate::Kbit848.bytes(1000).as_micros(), 10_619);
        for rate in BitRate::ALL {
            assert_eq!(BitRate::of_kilobits(rate.kilobits()), Some(rate));
        }
        assert_eq!(BitRate::of_kilobits(300), None);
    }

    #[test]
    fn an_apdu_over_one_frame_pays_for_the_next_and_the_acknowledgement() {
        let timing = Timing::usual(BitRate::Kbit106);
        let rate = timing.bit_rate;
        assert_eq!(timing.on_air(253), rate.bytes(256));
        assert_eq!(timing.on_air(254), rate.bytes(254 + 3 * 3) + 2 * FRAME_DELAY);
        assert_eq!(timing.on_air(0), rate.bytes(3));
    }

    #[test]
    fn each_step_of_the_protocols_has_its_computing() {
        let chip = ChipSpeed::ASSUMED;
        let of = |text: &str| chip.of(&hex::decode(text).unwrap());
        assert_eq!(of("10860000027C0000"), chip.symmetric);
        assert_eq!(of("10860000457C438141"), 2 * chip.agreement);
        assert_eq!(of("1086000000010A7C8201068382"), 2 * chip.agreement);
        assert_eq!(of("008600000C7C0A8508"), chip.symmetric);
        assert_eq!(of("0C860000"), chip.agreement);
        assert_eq!(of("0C2241A6"), chip.agreement);
        assert_eq!(of("0C2241A4"), Duration::ZERO);
        assert_eq!(of("0C880000"), chip.signature);
        assert_eq!(of("0082000028"), chip.symmetric);
        assert_eq!(of("00B0"), Duration::ZERO);
    }

    #[test]
    fn a_clock_that_adds_up_waits_for_nobody() {
        let clock = ReadingClock::added_up();
        let timing = Timing { per_command: Duration::from_secs(3600), ..Timing::usual(BitRate::Kbit424) };
        let mut card = Timed::new(EchoCard::marked(7), timing, clock.clone());
        let answer = card.process(&[0x00, 0xA4, 0x04, 0x00]);
        let air = timing.on_air(4) + timing.on_air(answer.len());
        assert_eq!(clock.now(), timing.per_command + air);
        assert_eq!(clock.of_chip(), Duration::ZERO);
    }
}
