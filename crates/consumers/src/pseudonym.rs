//! A stable name for a person that tells nobody who it is.

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

/// The operator's key. Whoever has it can find out whose pseudonym one is, by trying every number.
#[derive(Clone)]
pub struct PseudonymKey(Zeroizing<Vec<u8>>);

/// The key is too short or too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key of pseudonyms has 32 to 1024 bytes, not {0}")]
pub struct NotAPseudonymKey(usize);

impl PseudonymKey {
    /// A key of these bytes.
    pub fn new(bytes: Zeroizing<Vec<u8>>) -> Result<Self, NotAPseudonymKey> {
        if KEY_BYTES.contains(&bytes.len()) { Ok(Self(bytes)) } else { Err(NotAPseudonymKey(bytes.len())) }
    }

    /// The pseudonym of the holder of `number`: the first half of HMAC-SHA-256 (RFC 2104) under this key, in 32
    /// hexadecimal digits. Of another context it is another one, so that two consumers cannot compare theirs.
    pub fn pseudonym(&self, context: &str, number: &str) -> Personal {
        // A key of any length makes an HMAC.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return Personal::default() };
        mac.update(DOMAIN);
        mac.update(context.as_bytes());
        mac.update(b"\n");
        mac.update(number.trim().as_bytes());
        let hash = mac.finalize().into_bytes();
        Personal::new(hex::encode(hash.get(..NAME_BYTES).unwrap_or_default()))
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
    fn a_short_key_is_none() {
        assert_eq!(PseudonymKey::new(Zeroizing::new(vec![0; 31])).unwrap_err(), NotAPseudonymKey(31));
    }
}
