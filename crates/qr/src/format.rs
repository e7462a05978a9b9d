//! Format information: level and mask, read as one of 32 known words by agreement, not bit by bit.

use crate::symbol::{EccLevel, Version};

/// One reading of the format information.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Format {
    pub(crate) level: EccLevel,
    pub(crate) mask: u8,
    /// Whether rows and columns are exchanged: the picture shows the symbol mirrored.
    pub(crate) mirrored: bool,
    /// Agreement with the modules, 1 when every one of the 30 has the right sign.
    pub(crate) agreement: f32,
}

/// The 15-bit word for five bits of level and mask (ISO/IEC 18004, 7.9.1 and Annex C).
pub(crate) const fn word(five: u16) -> u16 {
    let mut remainder = five;
    let mut round = 0;
    while round < 10 {
        remainder = (remainder << 1) ^ ((remainder >> 9) * 0x537);
        round += 1;
    }
    (five << 10 | remainder) ^ 0x5412
}

/// Where bit `bit` of both copies stands, as (column, row); bit 0 is the least significant.
fn places(bit: usize, side: usize) -> [(usize, usize); 2] {
    let first = match bit {
        0..=5 => (8, bit),
        6 => (8, 7),
        7 => (8, 8),
        8 => (7, 8),
        _ => (14 - bit, 8),
    };
    let second = if bit < 8 { (side - 1 - bit, 8) } else { (8, side - 15 + bit) };
    [first, second]
}

/// All readings of both orientations, the best first. `soft(column, row)` is positive for dark.
pub(crate) fn readings(version: Version, soft: impl Fn(usize, usize) -> f32) -> Vec<Format> {
    let side = version.side();
    let mut found = Vec::with_capacity(64);
    for mirrored in [false, true] {
        let mut bits = [0f32; 15];
        let mut weight = 1e-6f32;
        for (bit, sum) in bits.iter_mut().enumerate() {
            for (column, row) in places(bit, side) {
                let value = if mirrored { soft(row, column) } else { soft(column, row) }.clamp(-1.0, 1.0);
                *sum += value;
                weight += value.abs();
            }
        }
        for five in 0..32u16 {
            let word = word(five);
            let agreement = bits
                .iter()
                .enumerate()
                .map(|(bit, &value)| if word >> bit & 1 == 1 { value } else { -value })
                .sum::<f32>()
                / weight;
            let mask = u8::try_from(five & 7).unwrap_or(0);
            found.push(Format { level: EccLevel::from_format(five >> 3), mask, mirrored, agreement });
        }
    }
    found.sort_by(|a, b| b.agreement.total_cmp(&a.agreement));
    found
}

/// Whether the mask turns the module over (table 10).
pub(crate) const fn masked(mask: u8, column: usize, row: usize) -> bool {
    let (i, j) = (row, column);
    match mask {
        0 => (i + j).is_multiple_of(2),
        1 => i.is_multiple_of(2),
        2 => j.is_multiple_of(3),
        3 => (i + j).is_multiple_of(3),
        4 => (i / 2 + j / 3).is_multiple_of(2),
        5 => (i * j) % 2 + (i * j) % 3 == 0,
        6 => ((i * j) % 2 + (i * j) % 3).is_multiple_of(2),
        _ => ((i + j) % 2 + (i * j) % 3).is_multiple_of(2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worked_format_word() {
        // ISO/IEC 18004, 7.9.1: level M, mask 101.
        assert_eq!(word(0b00101), 0b100_0000_1100_1110);
    }

    #[test]
    fn no_two_format_words_are_nearer_than_five_bits() {
        for a in 0..32 {
            for b in 0..a {
                assert!((word(a) ^ word(b)).count_ones() >= 5, "{a} {b}");
            }
        }
    }
}
