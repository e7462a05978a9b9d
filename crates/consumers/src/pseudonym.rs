//! A stable name for a person that tells nobody who it is.

use std::collections::HashSet;
use std::sync::Arc;

use cccd_document::Personal;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// What the hash begins with, so that it serves no other purpose.
const DOMAIN: &[u8] = b"cccd-agent pseudonym 1\n";
/// The fewest and the most bytes of a key.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 32..=1024;
/// How much of the hash makes the name: 128 bits.
const NAME_BYTES: usize = 16;

/// The operator's key, and whose pseudonyms are to be turned away. Whoever has the key can find out whose pseudonym one
/// is, by trying every number.
#[derive(Clone)]
pub struct PseudonymKey {
    key: Zeroizing<Vec<u8>>,
    denied: Arc<HashSet<[u8; NAME_BYTES]>>,
}

/// A line of a deny list is no pseudonym.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {0} is no pseudonym: 32 hexadecimal digits are")]
pub struct NotADenyList(usize);

/// The key is too short or too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key of pseudonyms has 32 to 1024 bytes, not {0}")]
pub struct NotAPseudonymKey(usize);

impl PseudonymKey {
    /// A key of these bytes.
    pub fn new(bytes: Zeroizing<Vec<u8>>) -> Result<Self, NotAPseudonymKey> {
        if KEY_BYTES.contains(&bytes.len()) {
            Ok(Self { key: bytes, denied: Arc::default() })
        } else {
            Err(NotAPseudonymKey(bytes.len()))
        }
    }

    /// The same, turning away those whose pseudonyms stand in this text, one a line. Empty lines, and those that begin
    /// with `#`, say nothing.
    pub fn denying(self, list: &str) -> Result<Self, NotADenyList> {
        let mut denied = HashSet::new();
        for (line, text) in (1..).zip(list.lines()) {
            let text = text.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let mut pseudonym = [0; NAME_BYTES];
            hex::decode_to_slice(text, &mut pseudonym).map_err(|_| NotADenyList(line))?;
            denied.insert(pseudonym);
        }
        Ok(Self { denied: Arc::new(denied), ..self })
    }

    /// Whether the holder of `number` is to be turned away.
    pub fn denies(&self, context: &str, number: &str) -> bool {
        self.name(context, number).is_none_or(|name| self.denied.contains(&name))
    }

    /// The pseudonym of the holder of `number`: the first half of HMAC-SHA-256 (RFC 2104) under this key, in 32
    /// hexadecimal digits. Of another context it is another one, so that two consumers cannot compare theirs.
    pub fn pseudonym(&self, context: &str, number: &str) -> Personal {
        self.name(context, number).map(|name| Personal::new(hex::encode(name))).unwrap_or_default()
    }

    fn name(&self, context: &str, number: &str) -> Option<[u8; NAME_BYTES]> {
        // A key of any length makes an HMAC.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).ok()?;
        mac.update(DOMAIN);
        mac.update(context.as_bytes());
        mac.update(b"\n");
        mac.update(number.trim().as_bytes());
        mac.finalize().into_bytes().first_chunk().copied()
    }
}

impl std::fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<key>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> PseudonymKey {
        PseudonymKey::new(Zeroizing::new(vec![byte; 32])).unwrap()
    }

    #[test]
    fn one_person_has_one_name_in_one_context_under_one_key() {
        let name = |key: &PseudonymKey, context, number| key.pseudonym(context, number).expose().to_owned();
        let one = name(&key(1), "ticketing", "000090123456");
        // Computed apart from this program: printf 'cccd-agent pseudonym 1\nticketing\n000090123456' |
        // openssl dgst -sha256 -mac HMAC -macopt hexkey:0101...01
        assert_eq!(one, PINNED);
        assert_eq!(one, name(&key(1), "ticketing", " 000090123456 "));
        for other in [
            name(&key(2), "ticketing", "000090123456"),
            name(&key(1), "entry", "000090123456"),
            name(&key(1), "ticketing", "000090123457"),
        ] {
            assert_ne!(one, other);
        }
        assert!(!one.contains("0901234"));
    }

    const PINNED: &str = "4a8bbf6f165c9278345be07866934c61";

    #[test]
    fn who_is_on_the_list_is_denied_and_nobody_else() {
        let list = format!("# lost tickets\n\n{}\r\n", PINNED.to_uppercase());
        let key = key(1).denying(&list).unwrap();
        assert!(key.denies("ticketing", "000090123456"));
        assert!(!key.denies("ticketing", "000090123457") && !key.denies("entry", "000090123456"));
        assert!(!key.clone().denying("").unwrap().denies("ticketing", "000090123456"));
        for (text, line) in [("x", 1), ("\n4a8b", 2), (&PINNED[1..], 1)] {
            assert_eq!(key.clone().denying(text).unwrap_err(), NotADenyList(line));
        }
    }

    #[test]
    fn a_short_key_is_none() {
        assert_eq!(PseudonymKey::new(Zeroizing::new(vec![0; 31])).unwrap_err(), NotAPseudonymKey(31));
    }
}
