//! What belongs to a person: silent when printed for debugging, wiped when dropped.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// Text about a person, or a secret that opens their card.
///
/// `Debug` prints a mask, there is no `Display`, and the bytes are wiped on drop. [`Personal::expose`] is
/// the one way in, easy to look for.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Personal(Zeroizing<String>);

impl Personal {
    /// Takes `text` over.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is no text at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Compares in a time that does not depend on where the texts differ.
    pub fn same_as(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl From<&str> for Personal {
    fn from(text: &str) -> Self {
        Self::new(text.to_owned())
    }
}

impl From<String> for Personal {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl Zeroize for Personal {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Personal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<personal>")
    }
}

/// Bytes about a person: a portrait, a text that is no UTF-8. As silent as [`Personal`].
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PersonalBytes(Zeroizing<Vec<u8>>);

impl PersonalBytes {
    /// Takes `bytes` over.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes themselves.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&[u8]> for PersonalBytes {
    fn from(bytes: &[u8]) -> Self {
        Self::new(bytes.to_vec())
    }
}

impl fmt::Debug for PersonalBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<personal, {} bytes>", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_says_nothing() {
        assert_eq!(format!("{:?}", Some(Personal::from("NGUYEN"))), "Some(<personal>)");
        assert_eq!(format!("{:?}", PersonalBytes::from(&b"NGUYEN"[..])), "<personal, 6 bytes>");
    }
}
