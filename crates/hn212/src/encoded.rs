//! Bytes that travel as base64 in a member of a message.

use std::fmt;

use base64ct::{Base64, Base64Unpadded, Encoding as _};
use cccd_card::SecretBytes;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

/// Reads base64 with or without padding. Line breaks do not matter: some encoders make them. What is no base64 is nothing.
pub(crate) fn decode(text: &str) -> Option<SecretBytes> {
    let mut plain = Zeroizing::new(Vec::with_capacity(text.len()));
    plain.extend(text.bytes().filter(|byte| !byte.is_ascii_whitespace()));
    let padded = plain.len().is_multiple_of(4);
    let read = if padded { Base64::decode_vec } else { Base64Unpadded::decode_vec };
    let text = std::str::from_utf8(&plain).ok()?;
    // Four characters may be whole without padding as well: then both readings are the same.
    read(text).ok().map(Zeroizing::new)
}

/// A member that should be base64.
pub(crate) enum Encoded {
    /// Null, or nothing between the quotes: not given.
    Nothing,
    /// Its bytes; empty where it is no base64.
    Bytes(SecretBytes),
}

impl<'de> Deserialize<'de> for Encoded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EncodedVisitor)
    }
}

struct EncodedVisitor;

/// Something that is no text: there, and unreadable.
fn unreadable<E>() -> Result<Encoded, E> {
    Ok(Encoded::Bytes(SecretBytes::default()))
}

impl<'de> Visitor<'de> for EncodedVisitor {
    type Value = Encoded;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("base64")
    }

    fn visit_str<E>(self, text: &str) -> Result<Encoded, E> {
        if text.trim().is_empty() {
            return Ok(Encoded::Nothing);
        }
        Ok(Encoded::Bytes(decode(text).unwrap_or_default()))
    }

    fn visit_unit<E>(self) -> Result<Encoded, E> {
        Ok(Encoded::Nothing)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Encoded, E> {
        unreadable()
    }

    fn visit_i64<E>(self, _: i64) -> Result<Encoded, E> {
        unreadable()
    }

    fn visit_u64<E>(self, _: u64) -> Result<Encoded, E> {
        unreadable()
    }

    fn visit_f64<E>(self, _: f64) -> Result<Encoded, E> {
        unreadable()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Encoded, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        unreadable()
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Encoded, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        unreadable()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_and_line_breaks_do_not_matter() {
        for text in ["YQA=", "YQA", "YQ\r\nA=\n", " YQA "] {
            assert_eq!(decode(text).unwrap().as_slice(), [0x61, 0], "{text:?}");
        }
        for text in ["@@@@", "YQA==", "Y", "YQ A_", "é"] {
            assert!(decode(text).is_none(), "{text:?}");
        }
    }
}
