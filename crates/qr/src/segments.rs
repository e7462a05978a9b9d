//! The data bit stream: segments, terminator, padding (ISO/IEC 18004, 7.4).

use zeroize::Zeroizing;

use crate::symbol::Version;

/// This symbol's place in a message split over several (ISO/IEC 18004, 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StructuredAppend {
    /// From 0.
    pub index: u8,
    /// Symbols in all, 1 to 16.
    pub total: u8,
    /// Parity over the whole message: equal in all its symbols.
    pub parity: u8,
}

/// How strictly a stream is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Padding {
    /// Whatever follows the terminator is ignored: some encoders fill with zeros.
    Ignored,
    /// Zero bits to the byte, then 11101100 and 00010001 in turn (7.4.10).
    Legal,
}

/// A message read from a data bit stream.
pub(crate) struct Message {
    pub(crate) payload: Zeroizing<Vec<u8>>,
    pub(crate) eci: Option<u32>,
    pub(crate) append: Option<StructuredAppend>,
    /// Whether Shift JIS bytes of a Kanji segment are among the payload.
    pub(crate) kanji: bool,
}

const ALPHANUMERIC: &[u8; 45] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn left(&self) -> usize {
        self.bytes.len() * 8 - self.at
    }

    /// At most 16 bits.
    fn take(&mut self, count: usize) -> Option<u16> {
        if count > self.left() {
            return None;
        }
        let mut value = 0;
        for _ in 0..count {
            let byte = *self.bytes.get(self.at / 8)?;
            value = (value << 1) | u16::from((byte >> (7 - self.at % 8)) & 1);
            self.at += 1;
        }
        Some(value)
    }

    fn take_byte(&mut self) -> Option<u8> {
        self.take(8).and_then(|value| u8::try_from(value).ok())
    }
}

/// Reads `data`, the mended data codewords of a symbol in order. `None` where the stream is not legal.
pub(crate) fn read(version: Version, data: &[u8], padding: Padding) -> Option<Message> {
    let mut bits = Bits { bytes: data, at: 0 };
    // Reserved once: a growing vector would leave unwiped copies behind.
    let mut payload = Zeroizing::new(Vec::with_capacity(data.len() * 3));
    let mut eci = None;
    let mut append = None;
    let mut kanji = false;
    let mut fnc1 = false;
    // Character counts are wider in larger symbols (table 3).
    let width = |small: usize, middle: usize, large: usize| match version.number() {
        ..=9 => small,
        10..=26 => middle,
        _ => large,
    };
    loop {
        // Fewer than four bits left are a cut terminator (7.4.9).
        let mode = if bits.left() < 4 { 0 } else { bits.take(4)? };
        match mode {
            0b0000 => break,
            0b0001 => numeric(&mut bits, width(10, 12, 14), &mut payload)?,
            0b0010 => alphanumeric(&mut bits, width(9, 11, 13), fnc1, &mut payload)?,
            0b0100 => {
                for _ in 0..bits.take(width(8, 16, 16))? {
                    payload.push(bits.take_byte()?);
                }
            }
            0b1000 => {
                kanji = true;
                for _ in 0..bits.take(width(8, 10, 12))? {
                    let packed = bits.take(13)?;
                    let joined = ((packed / 0xC0) << 8) | (packed % 0xC0);
                    let offset = if joined < 0x1F00 { 0x8140 } else { 0xC140 };
                    payload.extend_from_slice(&joined.checked_add(offset)?.to_be_bytes());
                }
            }
            0b0111 => {
                let designator = designator(&mut bits)?;
                eci.get_or_insert(designator);
            }
            0b0011 => {
                let (index, last) = (bits.take(4)?, bits.take(4)?);
                if index > last {
                    return None;
                }
                append.get_or_insert(StructuredAppend {
                    index: u8::try_from(index).ok()?,
                    total: u8::try_from(last + 1).ok()?,
                    parity: bits.take_byte()?,
                });
            }
            0b0101 => fnc1 = true,
            0b1001 => {
                fnc1 = true;
                bits.take(8)?;
            }
            _ => return None,
        }
    }
    if padding == Padding::Legal && !legal_padding(&mut bits) {
        return None;
    }
    Some(Message { payload, eci, append, kanji })
}

fn numeric(bits: &mut Bits<'_>, width: usize, out: &mut Vec<u8>) -> Option<()> {
    let mut left = bits.take(width)?;
    while left > 0 {
        let digits = left.min(3);
        let value = bits.take(match digits {
            3 => 10,
            2 => 7,
            _ => 4,
        })?;
        if value >= 10u16.pow(u32::from(digits)) {
            return None;
        }
        for place in (0..digits).rev() {
            out.push(b'0' + u8::try_from(value / 10u16.pow(u32::from(place)) % 10).ok()?);
        }
        left -= digits;
    }
    Some(())
}

fn alphanumeric(bits: &mut Bits<'_>, width: usize, fnc1: bool, out: &mut Vec<u8>) -> Option<()> {
    let count = usize::from(bits.take(width)?);
    let mut characters = Zeroizing::new(Vec::with_capacity(count.min(bits.left())));
    while characters.len() < count {
        if count - characters.len() == 1 {
            characters.push(*ALPHANUMERIC.get(usize::from(bits.take(6)?))?);
        } else {
            let pair = usize::from(bits.take(11)?);
            characters.push(*ALPHANUMERIC.get(pair / 45)?);
            characters.push(*ALPHANUMERIC.get(pair % 45)?);
        }
    }
    let mut rest = characters.iter().copied().peekable();
    while let Some(character) = rest.next() {
        // Under FNC1 a percent sign stands for the group separator, two of them for one (7.4.8.2).
        if fnc1 && character == b'%' && rest.next_if_eq(&b'%').is_none() {
            out.push(0x1D);
        } else {
            out.push(character);
        }
    }
    Some(())
}

/// An ECI designator of one to three codewords (table 4).
fn designator(bits: &mut Bits<'_>) -> Option<u32> {
    let first = bits.take(8)?;
    Some(match first {
        ..0x80 => u32::from(first),
        0x80..0xC0 => u32::from(first & 0x3F) << 8 | u32::from(bits.take(8)?),
        0xC0..0xE0 => (u32::from(first & 0x1F) << 16) | u32::from(bits.take(16)?),
        _ => return None,
    })
}

fn legal_padding(bits: &mut Bits<'_>) -> bool {
    if bits.take(bits.left() % 8) != Some(0) {
        return false;
    }
    let mut expected = 0xEC;
    while bits.left() > 0 {
        if bits.take(8) != Some(expected) {
            return false;
        }
        expected ^= 0xEC ^ 0x11;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn v1() -> Version {
        Version::new(1).unwrap()
    }

    fn pack(fields: &[(u32, u32)]) -> Vec<u8> {
        let mut bits: Vec<u8> = Vec::new();
        for &(value, width) in fields {
            bits.extend((0..width).rev().map(|bit| (value >> bit & 1) as u8));
        }
        while !bits.len().is_multiple_of(8) {
            bits.push(0);
        }
        bits.chunks(8).map(|byte| byte.iter().fold(0, |sum, bit| sum << 1 | bit)).collect()
    }

    #[test]
    fn the_worked_numeric_example() {
        // ISO/IEC 18004, Annex I.2: "01234567".
        let data =
            [0x10, 0x20, 0x0C, 0x56, 0x61, 0x80, 0xEC, 0x11, 0xEC, 0x11, 0xEC, 0x11, 0xEC, 0x11, 0xEC, 0x11];
        let message = read(v1(), &data, Padding::Legal).unwrap();
        assert_eq!(*message.payload, b"01234567");
        let mut spoilt = data;
        spoilt[9] ^= 1;
        assert!(read(v1(), &spoilt, Padding::Legal).is_none());
        assert!(read(v1(), &spoilt, Padding::Ignored).is_some());
    }

    #[test]
    fn kanji_eci_append_and_fnc1_are_understood() {
        // 7.4.6: the two characters 935F and E4AA are 0D9F and 1AAA packed.
        let data = pack(&[(8, 4), (2, 8), (0xD9F, 13), (0x1AAA, 13), (0, 4)]);
        let message = read(v1(), &data, Padding::Legal).unwrap();
        assert_eq!(*message.payload, [0x93, 0x5F, 0xE4, 0xAA]);
        assert!(message.kanji);

        let data =
            pack(&[(3, 4), (1, 4), (2, 4), (0x5A, 8), (7, 4), (26, 8), (4, 4), (1, 8), (0x41, 8), (0, 4)]);
        let message = read(v1(), &data, Padding::Legal).unwrap();
        assert_eq!(message.append, Some(StructuredAppend { index: 1, total: 3, parity: 0x5A }));
        assert_eq!((message.eci, message.payload.as_slice()), (Some(26), &b"A"[..]));

        // "A%" and "%%" under FNC1.
        let data = pack(&[(5, 4), (2, 4), (4, 9), (10 * 45 + 38, 11), (38 * 45 + 38, 11), (0, 4)]);
        assert_eq!(*read(v1(), &data, Padding::Legal).unwrap().payload, [b'A', b'%', 0x1D]);
    }

    #[test]
    fn impossible_groups_are_refused() {
        assert!(read(v1(), &pack(&[(1, 4), (3, 10), (1000, 10), (0, 4)]), Padding::Ignored).is_none());
        assert!(read(v1(), &pack(&[(2, 4), (2, 9), (45 * 45, 11), (0, 4)]), Padding::Ignored).is_none());
        assert!(read(v1(), &pack(&[(4, 4), (9, 8), (0, 8)]), Padding::Ignored).is_none());
        assert!(read(v1(), &pack(&[(6, 4), (0, 8)]), Padding::Ignored).is_none());
    }

    proptest! {
        #[test]
        fn no_stream_makes_the_reader_panic_or_outgrow_its_reserve(
            data in proptest::collection::vec(any::<u8>(), 0..200),
            number in 1u8..=40,
        ) {
            if let Some(message) = read(Version::new(number).unwrap(), &data, Padding::Ignored) {
                prop_assert!(message.payload.capacity() <= data.len() * 3);
            }
        }
    }
}
