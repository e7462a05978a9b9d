//! Status bytes SW1 SW2 (ISO/IEC 7816-4, 5.6).

use std::fmt;

/// The two status bytes that end every response.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StatusWord(pub u16);

impl StatusWord {
    /// 9000: done, nothing to add.
    pub const OK: Self = Self(0x9000);
    /// 6282: the file ended before as many bytes as were asked for.
    pub const END_OF_FILE: Self = Self(0x6282);
    /// 6300: verification failed, no counter told.
    pub const VERIFICATION_FAILED: Self = Self(0x6300);
    /// 6700: wrong length.
    pub const WRONG_LENGTH: Self = Self(0x6700);
    /// 6982: security status not satisfied: access control first.
    pub const SECURITY_STATUS: Self = Self(0x6982);
    /// 6985: conditions of use not satisfied.
    pub const CONDITIONS_NOT_SATISFIED: Self = Self(0x6985);
    /// 6987: a secure messaging data object is missing.
    pub const SM_OBJECT_MISSING: Self = Self(0x6987);
    /// 6988: a secure messaging data object is wrong.
    pub const SM_OBJECT_WRONG: Self = Self(0x6988);
    /// 6A80: wrong parameters in the command data.
    pub const WRONG_DATA: Self = Self(0x6A80);
    /// 6A82: file or application not found.
    pub const FILE_NOT_FOUND: Self = Self(0x6A82);
    /// 6A86: wrong P1 P2.
    pub const WRONG_P1_P2: Self = Self(0x6A86);
    /// 6A88: referenced data or key not found.
    pub const REFERENCE_NOT_FOUND: Self = Self(0x6A88);
    /// 6B00: offset outside the file.
    pub const WRONG_OFFSET: Self = Self(0x6B00);
    /// 6D00: instruction not supported.
    pub const INS_NOT_SUPPORTED: Self = Self(0x6D00);
    /// 6E00: class not supported.
    pub const CLA_NOT_SUPPORTED: Self = Self(0x6E00);

    /// SW1.
    pub fn sw1(self) -> u8 {
        self.0.to_be_bytes()[0]
    }

    /// SW2.
    pub fn sw2(self) -> u8 {
        self.0.to_be_bytes()[1]
    }

    /// Exactly 9000. A test of one byte only lets 6300 or 9001 pass (a fault found in published readers).
    pub fn is_ok(self) -> bool {
        self == Self::OK
    }

    /// The data in this response may be used: 9000, or a warning that the file ended early (6282).
    pub fn carries_data(self) -> bool {
        self.is_ok() || self == Self::END_OF_FILE
    }

    /// 63Cx: how many tries are left after a failed verification.
    pub fn tries_left(self) -> Option<u8> {
        (self.0 & 0xFFF0 == 0x63C0).then_some(self.sw2() & 0x0F)
    }

    /// 61xx: how many bytes wait for GET RESPONSE (0 means 256 or more).
    pub fn more_available(self) -> Option<u8> {
        (self.sw1() == 0x61).then_some(self.sw2())
    }

    /// 6Cxx: the Le the card would have liked (0 means 256).
    pub fn right_length(self) -> Option<u8> {
        (self.sw1() == 0x6C).then_some(self.sw2())
    }

    /// The file or application is not there.
    pub fn is_not_found(self) -> bool {
        matches!(self, Self::FILE_NOT_FOUND) || self == Self(0x6A83)
    }

    /// The chip wants access control, or more rights, before this command.
    pub fn is_locked(self) -> bool {
        matches!(self, Self::SECURITY_STATUS | Self::CONDITIONS_NOT_SATISFIED) || self == Self(0x6983)
    }

    /// After these the chip has dropped secure messaging.
    pub fn ends_secure_messaging(self) -> bool {
        matches!(self, Self::SM_OBJECT_MISSING | Self::SM_OBJECT_WRONG)
    }

    /// The bytes as sent.
    pub fn to_bytes(self) -> [u8; 2] {
        self.0.to_be_bytes()
    }
}

impl From<[u8; 2]> for StatusWord {
    fn from(bytes: [u8; 2]) -> Self {
        Self(u16::from_be_bytes(bytes))
    }
}

impl fmt::Display for StatusWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}", self.0)
    }
}

impl fmt::Debug for StatusWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StatusWord({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_9000_is_ok() {
        for word in 0..=u16::MAX {
            assert_eq!(StatusWord(word).is_ok(), word == 0x9000, "{word:04X}");
        }
    }

    #[test]
    fn counters_and_lengths_are_told_from_their_neighbours() {
        assert_eq!(StatusWord(0x63C2).tries_left(), Some(2));
        assert_eq!(StatusWord(0x6300).tries_left(), None);
        assert_eq!(StatusWord(0x63D2).tries_left(), None);
        assert_eq!(StatusWord(0x6110).more_available(), Some(0x10));
        assert_eq!(StatusWord(0x6C0E).right_length(), Some(0x0E));
        assert!(StatusWord(0x6282).carries_data());
        assert!(!StatusWord(0x6281).carries_data());
    }
}
