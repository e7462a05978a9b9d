//! Whatever comes in, the chip answers and stays closed.

#![expect(clippy::cast_possible_truncation, reason = "random numbers are cut on purpose")]

use super::terminal::*;
use super::*;
use crate::image::{LengthOffer, PaceCipher};

/// A small generator, so that a failing seed can be run again (xorshift64*).
struct Seeded(u64);

impl Seeded {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 32) as usize % limit
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| (self.next() >> 56) as u8).collect()
    }

    /// A good command, then up to three changes: a bit, a byte, a cut, a tail.
    fn mutated(&mut self, good: &[String]) -> Vec<u8> {
        let mut command = bytes(&good[self.below(good.len())]);
        for _ in 0..self.below(4) {
            let at = self.below(command.len().max(1));
            match (self.below(4), command.get_mut(at)) {
                (0, Some(byte)) => *byte ^= 1 << self.below(8),
                (1, Some(byte)) => *byte = self.next() as u8,
                (2, _) => command.truncate(at),
                _ => {
                    let length = self.below(6);
                    command.extend(self.bytes(length));
                }
            }
        }
        command
    }
}

/// Commands that lead somewhere.
fn good_commands() -> Vec<String> {
    let key = hex::encode(PaceRun::new(DEFAULT_OFFER).encode(&PaceRun::new(DEFAULT_OFFER).generator()));
    let mut commands: Vec<String> = [
        SELECT_APPLICATION,
        "00A4000C023F00",
        "00A4020C02011C",
        "00A4020402011C00",
        "00B0000000",
        "00B00000000000",
        "00B09C0004",
        "00B100000354010000",
        "00B1001C0354013400",
        "0084000008",
        "0022C1A412800A04007F0007020204020283010184010D",
        "10860000027C0000",
        "008600000C7C0A8508000000000000000000",
        "0CB000000D9701048E08ED6705417E96BA5500",
        "0CA4020C158709016375432908C044F68E08BF8B92D635FF24F800",
    ]
    .map(str::to_owned)
    .to_vec();
    commands.push(format!("0082000028{}28", "00".repeat(40)));
    commands.push(format!("10860000457C438141{key}00"));
    commands.push(format!("10860000457C438341{key}00"));
    commands
}

/// An answer is whole, and no longer than the exchange carries.
fn assert_sane(command: &[u8], answer: &[u8], short: bool) {
    assert!(answer.len() >= 2, "{command:02X?}");
    assert!(!short || answer.len() <= 258, "{command:02X?}");
    let status = u16::from_be_bytes([answer[answer.len() - 2], answer[answer.len() - 1]]);
    assert!(
        matches!(status >> 8, 0x62 | 0x63 | 0x67..=0x69 | 0x6A | 0x6B | 0x6D | 0x6E | 0x90),
        "{status:04X}"
    );
    // Protected, as one command or as a piece of one (ISO/IEC 7816-4, 5.4.1).
    let is_protected = command.first().is_some_and(|class| class & !0x10 == 0x0C);
    assert!(status == 0x9000 || status == 0x6282 || answer.len() == 2 || is_protected, "{command:02X?}");
}

#[test]
fn no_plain_command_panics_the_chip_or_opens_it() {
    let good = good_commands();
    for (seed, lengths) in [(0x1234_5678, EXTENDED), (0x9ABC_DEF0, LengthOffer::Short)] {
        let mut seeded = Seeded(seed);
        let mut image = image();
        image.lengths = lengths;
        let mut chip = Chip::new(image);
        for round in 0..100_000 {
            let command = if round % 4 == 0 {
                let length = seeded.below(40);
                seeded.bytes(length)
            } else {
                seeded.mutated(&good)
            };
            let answer = chip.process(&command);
            assert_sane(&command, &answer, lengths == LengthOffer::Short);
            assert_ne!(chip.status().phase, Phase::SecureMessaging, "{seed:X} {round} {command:02X?}");
        }
        assert_eq!(chip.status().commands, 100_000);
    }
}

#[test]
fn no_protected_command_panics_the_chip() {
    let good = good_commands();
    for (seed, cipher) in [(0x0BAD_CAFE, PaceCipher::TripleDes), (0xFEED_F00D, PaceCipher::Aes192)] {
        let mut seeded = Seeded(seed);
        let mut chip = Chip::new(image());
        let mut alive = 0;
        let mut session = TerminalSession::new(cipher, b"secret", 0);
        for _ in 0..40_000 {
            if chip.session.secure_messaging.is_none() {
                // Straight to the point: the roads there are tested elsewhere.
                session = TerminalSession::new(cipher, b"secret", 0);
                chip.session.secure_messaging = Some(SecureMessaging::new(cipher, b"secret", 0).unwrap());
                chip.session.selection = Selection::default();
            }
            // The checksum is right, so that what is inside is reached.
            let inner = seeded.mutated(&good);
            let header: [u8; 4] = std::array::from_fn(|at| inner.get(at).copied().unwrap_or(0));
            let body = inner.get(5..).unwrap_or_default();
            let (data, le) = body.split_at(body.len().saturating_sub(seeded.below(3)));
            let long = seeded.below(2) == 0;
            let mut command = match seeded.below(8) {
                0 => {
                    let length = seeded.below(30);
                    let field = seeded.bytes(length);
                    session.seal(header, field, long)
                }
                _ => session.wrap(header, data.get(..100).unwrap_or(data), le, long),
            };
            if seeded.below(16) == 0 {
                let at = seeded.below(command.len());
                command[at] ^= 1 << seeded.below(8);
            }
            let answer = chip.process(&command);
            assert_sane(&command, &answer, false);
            if chip.session.secure_messaging.is_some() && answer.len() > 2 {
                session.unwrap(&answer);
                alive += 1;
            } else {
                chip.session.secure_messaging = None;
            }
        }
        assert!(alive > 20_000, "only {alive} commands were reached under {cipher:?}");
    }
}
