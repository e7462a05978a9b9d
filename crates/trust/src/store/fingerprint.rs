//! SHA-256 over an object's bytes: what people compare before they trust it.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// SHA-256 over the bytes of a certificate or CRL.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of an object in DER.
    pub fn of(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }

    /// Takes a digest computed elsewhere.
    pub const fn from_bytes(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The digest.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Lower case, without separators.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// A text is no SHA-256 fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is SHA-256: 64 hexadecimal digits, with or without colons or blanks between")]
pub struct NotAFingerprint;

impl FromStr for Fingerprint {
    type Err = NotAFingerprint;

    /// As programs and letters write it: either case, with or without colons or blanks.
    fn from_str(text: &str) -> Result<Self, NotAFingerprint> {
        let mut digits = text.chars().filter(|char| !matches!(char, ':' | ' '));
        let mut digest = [0; 32];
        for byte in &mut digest {
            let mut digit = || digits.next().and_then(|char| char.to_digit(16)).ok_or(NotAFingerprint);
            let (high, low) = (digit()?, digit()?);
            *byte = u8::try_from(high << 4 | low).map_err(|_| NotAFingerprint)?;
        }
        if digits.next().is_some() { Err(NotAFingerprint) } else { Ok(Self(digest)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_the_sha_256_of_the_bytes() {
        // FIPS 180-4, the example "abc".
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Fingerprint::of(b"abc").to_string(), expected);
    }

    #[test]
    fn every_usual_spelling_is_read() {
        let fingerprint = Fingerprint::of(b"abc");
        let plain = fingerprint.to_string();
        let pairs: Vec<&str> =
            plain.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap()).collect();
        for spelling in [plain.clone(), plain.to_uppercase(), pairs.join(":").to_uppercase(), pairs.join(" ")]
        {
            assert_eq!(spelling.parse(), Ok(fingerprint), "{spelling}");
        }
        for wrong in
            ["", &plain[1..], &format!("{plain}0"), &plain.replace('a', "g"), &plain.replace('a', "á")]
        {
            assert_eq!(wrong.parse::<Fingerprint>(), Err(NotAFingerprint), "{wrong}");
        }
    }
}
