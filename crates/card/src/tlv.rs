//! BER-TLV as chips write it (ISO/IEC 7816-4, 5.2.2; ITU-T X.690, 8.1).
//!
//! Tags of one to three bytes, definite lengths of up to four bytes after the first. Lengths need not be
//! the shortest possible: real chips pad them.
//!
//! ```
//! use cccd_card::tlv::{Tag, TlvReader};
//!
//! let mut reader = TlvReader::new(&[0x61, 0x04, 0x5F, 0x1F, 0x01, 0x41]);
//! let mut dg1 = TlvReader::new(reader.expect(Tag(0x61))?);
//! assert_eq!(dg1.expect(Tag(0x5F1F))?, b"A");
//! dg1.finish()?;
//! reader.finish()?;
//! # Ok::<(), cccd_card::tlv::TlvError>(())
//! ```

use std::fmt;

use crate::{ByteReader, Truncated};

/// A tag of one to three bytes, as the number those bytes spell: `61`, `5F1F`, `7F61`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(pub u32);

impl Tag {
    /// The tag's bytes, first to last.
    pub fn to_bytes(self) -> Vec<u8> {
        let all = self.0.to_be_bytes();
        let skip = all.iter().take_while(|&&byte| byte == 0).count().min(3);
        all.split_at(skip).1.to_vec()
    }

    /// Whether the value holds data objects itself.
    pub fn is_constructed(self) -> bool {
        self.to_bytes().first().is_some_and(|first| first & 0x20 != 0)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02X}", self.0)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tag({self})")
    }
}

/// Why bytes are not the BER-TLV that was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlvError {
    /// The input ends inside an object.
    #[error(transparent)]
    Truncated(#[from] Truncated),
    /// The tag has more than three bytes.
    #[error("tag at byte {at} has more than three bytes")]
    TagTooLong {
        /// Where it starts.
        at: usize,
    },
    /// The length has more than four bytes after the first.
    #[error("length at byte {at} has more than four bytes")]
    LengthTooLong {
        /// Where it starts.
        at: usize,
    },
    /// Indefinite length, where the standard wants a definite one.
    #[error("length at byte {at} is indefinite")]
    Indefinite {
        /// Where it starts.
        at: usize,
    },
    /// Another object stands here than the one wanted.
    #[error("tag {wanted} wanted, {found} found at byte {at}")]
    UnexpectedTag {
        /// What was looked for.
        wanted: Tag,
        /// What stands there.
        found: Tag,
        /// Where.
        at: usize,
    },
    /// Bytes follow after the last object.
    #[error("{left} bytes left over at byte {at}")]
    LeftOver {
        /// Where they start.
        at: usize,
        /// How many.
        left: usize,
    },
}

/// The length field of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// So many bytes of value.
    Definite(usize),
    /// Until two zero bytes: some chips write EF.SOD so.
    Indefinite,
}

/// Tag and length: all that is needed to know how far a file reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The tag.
    pub tag: Tag,
    /// The length of the value.
    pub length: Length,
    /// How many bytes tag and length take.
    pub size: usize,
}

impl Header {
    /// Reads tag and length from the front of `input`, which may end within the value.
    pub fn peek(input: &[u8]) -> Result<Self, TlvError> {
        Self::read(&mut ByteReader::new(input))
    }

    fn read(bytes: &mut ByteReader<'_>) -> Result<Self, TlvError> {
        let start = bytes.at();
        let first = bytes.u8()?;
        let mut tag = u32::from(first);
        if first & 0x1F == 0x1F {
            loop {
                let next = bytes.u8()?;
                tag = tag << 8 | u32::from(next);
                if next & 0x80 == 0 {
                    break;
                }
                if tag > 0xFFFF {
                    return Err(TlvError::TagTooLong { at: start });
                }
            }
        }
        let at = bytes.at();
        let length = match bytes.u8()? {
            short @ 0..=0x7F => Length::Definite(usize::from(short)),
            0x80 => Length::Indefinite,
            long => {
                let count = usize::from(long & 0x7F);
                if count > 4 {
                    return Err(TlvError::LengthTooLong { at });
                }
                let value = bytes.take(count)?.iter().fold(0u32, |all, &byte| all << 8 | u32::from(byte));
                Length::Definite(usize::try_from(value).map_err(|_| TlvError::LengthTooLong { at })?)
            }
        };
        Ok(Self { tag: Tag(tag), length, size: bytes.at() - start })
    }
}

/// One data object: its tag, its value, and itself whole.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// The tag.
    pub tag: Tag,
    /// The value.
    pub value: &'a [u8],
    /// Tag, length and value, as they came.
    pub whole: &'a [u8],
}

impl fmt::Debug for Tlv<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tlv({}, {} bytes)", self.tag, self.value.len())
    }
}

/// Deepest nesting of objects of indefinite length. Signed messages need seven.
const MAX_DEPTH: usize = 16;

/// Data objects, one after the other.
#[derive(Debug, Clone, Copy)]
pub struct TlvReader<'a> {
    bytes: ByteReader<'a>,
    /// How deep objects of indefinite length may lie in each other.
    depth: usize,
}

impl<'a> TlvReader<'a> {
    /// Starts at the front of `input`.
    pub fn new(input: &'a [u8]) -> Self {
        Self { bytes: ByteReader::new(input), depth: 0 }
    }

    /// The same, and objects may have an indefinite length (ITU-T X.690, 8.1.3.6), as in signed messages.
    pub fn ber(input: &'a [u8]) -> Self {
        Self { bytes: ByteReader::new(input), depth: MAX_DEPTH }
    }

    /// The next object, or `None` at the end.
    pub fn next_object(&mut self) -> Result<Option<Tlv<'a>>, TlvError> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let (at, before) = (self.bytes.at(), self.bytes.rest());
        let header = Header::read(&mut self.bytes)?;
        let (value, end) = match header.length {
            Length::Definite(length) => (self.bytes.take(length)?, 0),
            Length::Indefinite => {
                let length = length_to_end(self.bytes.rest(), self.depth, at)?;
                (self.bytes.take(length)?, self.bytes.take(END.len())?.len())
            }
        };
        let whole = before.split_at(header.size + value.len() + end).0;
        Ok(Some(Tlv { tag: header.tag, value, whole }))
    }

    /// The tag of the next object, left where it is.
    pub fn peek_tag(&self) -> Option<Tag> {
        Header::peek(self.bytes.rest()).ok().map(|header| header.tag)
    }

    /// The value of the next object, which must have this tag.
    pub fn expect(&mut self, wanted: Tag) -> Result<&'a [u8], TlvError> {
        let at = self.bytes.at();
        match self.next_object()? {
            Some(tlv) if tlv.tag == wanted => Ok(tlv.value),
            Some(tlv) => Err(TlvError::UnexpectedTag { wanted, found: tlv.tag, at }),
            None => Err(Truncated { at, wanted: 1, had: 0 }.into()),
        }
    }

    /// The value of the next object if it has this tag; otherwise it stays where it is.
    pub fn optional(&mut self, wanted: Tag) -> Result<Option<&'a [u8]>, TlvError> {
        if self.peek_tag() == Some(wanted) { self.expect(wanted).map(Some) } else { Ok(None) }
    }

    /// The next object whole if it has this tag; otherwise it stays where it is.
    pub fn optional_object(&mut self, wanted: Tag) -> Result<Option<Tlv<'a>>, TlvError> {
        if self.peek_tag() == Some(wanted) { self.next_object() } else { Ok(None) }
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.rest()
    }

    /// Whether everything has been read.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Everything must have been read.
    pub fn finish(self) -> Result<(), TlvError> {
        match self.bytes.rest().len() {
            0 => Ok(()),
            left => Err(TlvError::LeftOver { at: self.bytes.at(), left }),
        }
    }
}

/// End-of-contents (X.690, 8.1.5).
const END: [u8; 2] = [0, 0];

/// How many bytes stand before the end-of-contents that belongs to an object starting at `at`.
fn length_to_end(input: &[u8], depth: usize, at: usize) -> Result<usize, TlvError> {
    let depth = depth.checked_sub(1).ok_or(TlvError::Indefinite { at })?;
    let mut bytes = ByteReader::new(input);
    while !bytes.rest().starts_with(&END) {
        match Header::read(&mut bytes)?.length {
            Length::Definite(length) => bytes.take(length)?,
            Length::Indefinite => {
                let length = length_to_end(bytes.rest(), depth, at)?;
                bytes.take(length + END.len())?
            }
        };
    }
    Ok(bytes.at())
}

/// Writes one object with the shortest length that fits.
pub fn encode(tag: Tag, value: &[u8]) -> Vec<u8> {
    let mut out = tag.to_bytes();
    let length = value.len().to_be_bytes();
    let skip = length.iter().take_while(|&&byte| byte == 0).count();
    let significant = length.split_at(skip).1;
    match (value.len(), u8::try_from(significant.len())) {
        (0..=0x7F, _) => out.extend(length.last()),
        (_, Ok(count)) => {
            out.push(0x80 | count);
            out.extend_from_slice(significant);
        }
        // A usize has eight bytes.
        (_, Err(_)) => {}
    }
    out.extend_from_slice(value);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_every_width_are_read_and_written() {
        for length in [0usize, 1, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x10000] {
            for tag in [Tag(0x61), Tag(0x5F1F), Tag(0x7F61), Tag(0x7F8101)] {
                let value = vec![0xA5; length];
                let bytes = encode(tag, &value);
                let mut reader = TlvReader::new(&bytes);
                let tlv = reader.next_object().unwrap().unwrap();
                assert_eq!((tlv.tag, tlv.value, tlv.whole), (tag, &value[..], &bytes[..]));
                reader.finish().unwrap();
            }
        }
    }

    #[test]
    fn a_length_may_be_longer_than_needed() {
        let mut reader = TlvReader::new(&[0x04, 0x83, 0x00, 0x00, 0x01, 0x42]);
        assert_eq!(reader.expect(Tag(0x04)), Ok(&[0x42][..]));
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_place() {
        let next = |bytes: &'static [u8]| TlvReader::new(bytes).next_object();
        assert_eq!(next(&[0x30, 0x80, 0, 0]), Err(TlvError::Indefinite { at: 0 }));
        assert_eq!(next(&[0x04, 0x85, 0, 0, 0, 0, 1]), Err(TlvError::LengthTooLong { at: 1 }));
        assert_eq!(next(&[0x1F, 0x81, 0x82, 0x83, 0x01]), Err(TlvError::TagTooLong { at: 0 }));
        assert_eq!(
            next(&[0x04, 0x84, 0xFF, 0xFF, 0xFF, 0xFF, 0x00]),
            Err(TlvError::Truncated(Truncated { at: 6, wanted: 0xFFFF_FFFF, had: 1 }))
        );
        let mut reader = TlvReader::new(&[0x04, 0x00, 0x05, 0x00]);
        assert_eq!(reader.optional(Tag(0x05)), Ok(None));
        assert_eq!(reader.expect(Tag(0x04)), Ok(&[][..]));
        assert_eq!(reader.finish(), Err(TlvError::LeftOver { at: 2, left: 2 }));
    }

    #[test]
    fn an_indefinite_length_ends_where_its_own_end_is() {
        let bytes = [0x30, 0x80, 0x24, 0x80, 0x04, 0x02, 0, 0, 0, 0, 0x04, 0x00, 0, 0, 0x05, 0x00];
        let mut reader = TlvReader::ber(&bytes);
        let outer = reader.next_object().unwrap().unwrap();
        assert_eq!((outer.tag, outer.value, outer.whole), (Tag(0x30), &bytes[2..12], &bytes[..14]));
        let mut inner = TlvReader::ber(outer.value);
        assert_eq!(inner.expect(Tag(0x24)), Ok(&bytes[4..8]));
        assert_eq!(inner.expect(Tag(0x04)), Ok(&[][..]));
        inner.finish().unwrap();
        assert_eq!(reader.expect(Tag(0x05)), Ok(&[][..]));
        reader.finish().unwrap();
    }

    #[test]
    fn an_indefinite_length_without_end_or_too_deep_is_refused() {
        assert!(matches!(
            TlvReader::ber(&[0x30, 0x80, 0x04, 0x01, 0x00, 0x00]).next_object(),
            Err(TlvError::Truncated(_))
        ));
        let nested = |depth| [[0x30, 0x80].repeat(depth), vec![0; 2 * depth]].concat();
        assert!(TlvReader::ber(&nested(MAX_DEPTH)).next_object().is_ok());
        assert_eq!(TlvReader::ber(&nested(MAX_DEPTH + 1)).next_object(), Err(TlvError::Indefinite { at: 0 }));
        assert!(TlvReader::ber(&nested(100_000)).next_object().is_err());
    }

    #[test]
    fn a_header_is_known_before_its_value_has_come() {
        let header = Header::peek(&[0x75, 0x82, 0x3A, 0x98, 0x7F]).unwrap();
        assert_eq!((header.tag, header.length, header.size), (Tag(0x75), Length::Definite(15000), 4));
        assert_eq!(Header::peek(&[0x77, 0x80]).unwrap().length, Length::Indefinite);
        assert!(Header::peek(&[0x75, 0x82, 0x3A]).is_err());
    }

    #[test]
    fn no_input_of_up_to_three_bytes_panics() {
        for a in 0..=255u8 {
            for b in 0..=255u8 {
                for c in [0, 1, 0x7F, 0x80, 0x81, 0x84, 0xFF] {
                    let bytes = [a, b, c];
                    for cut in 0..=3 {
                        for mut reader in [TlvReader::new(&bytes[..cut]), TlvReader::ber(&bytes[..cut])] {
                            while let Ok(Some(_)) = reader.next_object() {}
                        }
                    }
                }
            }
        }
    }
}
