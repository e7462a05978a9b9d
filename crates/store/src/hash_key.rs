//! The machine's key for hashes of what is easily guessed, such as a card's number.

use std::path::Path;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::StoreError;
use crate::private;

const LENGTH: usize = 32;

/// 32 random bytes in a file of their own. A number has twelve digits: without a key its hash would tell it to
/// whoever tries them all.
pub(crate) struct HashKey(Zeroizing<[u8; LENGTH]>);

impl HashKey {
    pub(crate) fn draw() -> Result<Self, StoreError> {
        let mut key = Zeroizing::new([0; LENGTH]);
        getrandom::fill(key.as_mut_slice())?;
        Ok(Self(key))
    }

    /// The key in `path`; a new one where there is none, or where a power cut or somebody's hand left no key: hashes by
    /// it can be compared no more. Only one process at a time may do this.
    pub(crate) fn read_or_make(path: &Path) -> Result<Self, StoreError> {
        let limit = 1 + u64::try_from(LENGTH).unwrap_or(u64::MAX);
        let found = private::read_small(path, limit).map_err(StoreError::file(path))?.map(Zeroizing::new);
        if let Some(Ok(key)) = found.map(|bytes| <[u8; LENGTH]>::try_from(bytes.as_slice())) {
            private::make_file(path).map_err(StoreError::file(path))?;
            return Ok(Self(Zeroizing::new(key)));
        }
        let key = Self::draw()?;
        private::replace(path, key.0.as_slice()).map_err(StoreError::file(path))?;
        Ok(key)
    }

    /// HMAC-SHA-256 of `bytes`, apart for each purpose.
    pub(crate) fn hash(&self, purpose: &str, bytes: &[u8]) -> [u8; 32] {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.as_slice()) else {
            // HMAC takes a key of any length.
            return [0; 32];
        };
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(bytes);
        mac.finalize().into_bytes().into()
    }

    /// Whether `hash` is the one of `bytes`.
    pub(crate) fn matches(&self, purpose: &str, bytes: &[u8], hash: &[u8]) -> bool {
        self.hash(purpose, bytes).ct_eq(hash).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hash.key");
        let made = HashKey::read_or_make(&path).unwrap().hash("number", b"000090000001");
        let found = HashKey::read_or_make(&path).unwrap();
        assert!(found.matches("number", b"000090000001", &made));
        assert!(!found.matches("number", b"000090000002", &made));
        assert!(!found.matches("other", b"000090000001", &made));
        assert_ne!(made, HashKey::draw().unwrap().hash("number", b"000090000001"));
    }

    #[test]
    fn half_a_key_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hash.key");
        for wrong in [&b"short"[..], &[7; 33]] {
            std::fs::write(&path, wrong).unwrap();
            let made = HashKey::read_or_make(&path).unwrap().hash("p", b"x");
            assert_eq!(HashKey::read_or_make(&path).unwrap().hash("p", b"x"), made);
        }
    }
}
