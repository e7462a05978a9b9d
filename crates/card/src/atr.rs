//! The answer-to-reset, and what its historical bytes say (ISO/IEC 7816-3, 8.2; 7816-4, 8.1.1).

use std::fmt;

use crate::ByteReader;

/// An answer-to-reset of at most 33 bytes.
///
/// Over a contactless reader it is made up by the PC/SC layer around the historical bytes of the ATS, so it
/// names neither a vendor nor an operating system: never select a card by a fixed one.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Atr(Vec<u8>);

/// An ATR longer than 33 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an answer-to-reset of {0} bytes; at most 33 are possible")]
pub struct AtrTooLong(pub usize);

impl Atr {
    /// Takes the bytes a reader reported.
    pub fn new(bytes: &[u8]) -> Result<Self, AtrTooLong> {
        if bytes.len() > 33 {
            return Err(AtrTooLong(bytes.len()));
        }
        Ok(Self(bytes.to_vec()))
    }

    /// The bytes as reported.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The historical bytes, where the interface bytes lead to them.
    pub fn historical_bytes(&self) -> Option<&[u8]> {
        let mut reader = ByteReader::new(&self.0);
        let _ts = reader.u8().ok()?;
        let t0 = reader.u8().ok()?;
        let mut present = t0 >> 4;
        while present != 0 {
            // TA, TB and TC of this round, then TD, whose high half announces the next.
            reader.take((present & 0b0111).count_ones().try_into().ok()?).ok()?;
            present = if present & 0b1000 != 0 { reader.u8().ok()? >> 4 } else { 0 };
        }
        reader.take(usize::from(t0 & 0x0F)).ok()
    }

    /// Whether the card says that it takes extended Lc and Le fields.
    ///
    /// From the third byte of the card capabilities, compact-TLV tag 7 (ISO/IEC 7816-4, 8.1.1.2.7, table
    /// 119). `None` where the historical bytes do not speak of it.
    pub fn claims_extended_length(&self) -> Option<bool> {
        let historical = self.historical_bytes()?;
        let (&category, mut rest) = historical.split_first()?;
        if !matches!(category, 0x00 | 0x80) {
            return None;
        }
        while let Some((&head, tail)) = rest.split_first() {
            let (value, after) = tail.split_at_checked(usize::from(head & 0x0F))?;
            if head >> 4 == 7 {
                return value.get(2).map(|third| third & 0x40 != 0);
            }
            rest = after;
        }
        None
    }
}

impl fmt::Display for Atr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            write!(f, "{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Atr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Atr({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn historical_bytes_follow_the_interface_bytes() {
        let atr = Atr::new(&[0x3B, 0x88, 0x80, 0x01, 1, 2, 3, 4, 5, 6, 7, 8, 0xAA]).unwrap();
        assert_eq!(atr.historical_bytes(), Some(&[1, 2, 3, 4, 5, 6, 7, 8][..]));
        let none = Atr::new(&[0x3B, 0x80, 0x80, 0x01, 0x01]).unwrap();
        assert_eq!(none.historical_bytes(), Some(&[][..]));
    }

    #[test]
    fn capabilities_tell_extended_length() {
        let with = |third| {
            let atr = [0x3B, 0x85, 0x80, 0x01, 0x80, 0x73, 0x00, 0x00, third, 0x00];
            Atr::new(&atr).unwrap().claims_extended_length()
        };
        assert_eq!(with(0x40), Some(true));
        assert_eq!(with(0x00), Some(false));
        assert_eq!(Atr::new(&[0x3B, 0x80, 0x01, 0x81]).unwrap().claims_extended_length(), None);
    }

    #[test]
    fn no_atr_panics() {
        // Every T0, every cut, over a filler that keeps announcing more interface bytes.
        for t0 in 0..=255u8 {
            for length in 0..=33 {
                let mut bytes = vec![0xFF; length];
                for (at, value) in [(0, 0x3B), (1, t0)] {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = value;
                    }
                }
                let atr = Atr::new(&bytes).unwrap();
                let _ = (atr.historical_bytes(), atr.claims_extended_length());
            }
        }
        assert_eq!(Atr::new(&[0; 34]), Err(AtrTooLong(34)));
    }
}
