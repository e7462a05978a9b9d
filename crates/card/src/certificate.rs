//! Which certificate: by its SHA-256, as certificate stores and browsers show it.

use std::fmt;
use std::str::FromStr;

/// SHA-256 of a whole certificate in DER.
///
/// ```
/// use cccd_card::CertificateHash;
///
/// let shown = "AB:".repeat(31) + "ab";
/// let hash: CertificateHash = shown.parse()?;
/// assert_eq!(hash.to_string(), "AB".repeat(32));
/// # Ok::<(), cccd_card::NotACertificateHash>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CertificateHash(pub [u8; 32]);

/// Not the 64 hexadecimal digits of a SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-256 has 64 hexadecimal digits, with colons between pairs or without")]
pub struct NotACertificateHash;

impl FromStr for CertificateHash {
    type Err = NotACertificateHash;

    fn from_str(text: &str) -> Result<Self, NotACertificateHash> {
        let mut hash = [0; 32];
        let mut digits = text.chars().filter(|c| !matches!(c, ':' | ' '));
        let mut digit =
            || digits.next().and_then(|c| c.to_digit(16)).and_then(|digit| u8::try_from(digit).ok());
        for byte in &mut hash {
            let (high, low) = (digit().ok_or(NotACertificateHash)?, digit().ok_or(NotACertificateHash)?);
            *byte = high << 4 | low;
        }
        if digits.next().is_none() { Ok(Self(hash)) } else { Err(NotACertificateHash) }
    }
}

impl fmt::Display for CertificateHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl fmt::Debug for CertificateHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_read_as_stores_show_it_and_nothing_else_is() {
        let plain = "00ff".repeat(16);
        let read: CertificateHash = plain.parse().unwrap();
        assert_eq!((read.0[0], read.0[1], read.to_string()), (0, 255, plain.to_uppercase()));
        assert_eq!("00:FF ".repeat(16).parse(), Ok(read));
        for text in ["", "00", &plain[1..], &format!("{plain}0"), &plain.replace('f', "g"), "é"] {
            assert_eq!(text.parse::<CertificateHash>(), Err(NotACertificateHash), "{text}");
        }
    }
}
