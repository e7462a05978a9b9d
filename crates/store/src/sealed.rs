//! What lies encrypted on the disk, under a key in a file beside it that nobody else may read.

use std::io::ErrorKind;
use std::path::Path;

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::{StoreError, private};

/// Seals bytes for one place: moved to another they open no more. XChaCha20-Poly1305 under a random nonce, which stands
/// before the sealed bytes.
pub(crate) struct Sealer(XChaCha20Poly1305);

impl Sealer {
    /// With the 32 bytes in this file, which are drawn where there is none.
    pub(crate) fn with_key_at(path: &Path) -> Result<Self, StoreError> {
        read_or_draw(path).map(|key| Self(XChaCha20Poly1305::new(&(*key).into())))
    }

    /// With a key that ends with the program.
    pub(crate) fn in_memory() -> Result<Self, StoreError> {
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(key.as_mut_slice())?;
        Ok(Self(XChaCha20Poly1305::new(&(*key).into())))
    }

    /// Seals them; `place` says in words where they lie.
    pub(crate) fn seal(&self, place: &[&str], bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut nonce = [0; 24];
        getrandom::fill(&mut nonce)?;
        let payload = Payload { msg: bytes, aad: &bound_to(place) };
        let sealed = self.0.encrypt(&XNonce::from(nonce), payload);
        // Only terabytes cannot be sealed.
        let sealed =
            sealed.map_err(|_| StoreError::TooLong { what: "what is sealed", limit: u32::MAX as usize })?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// Opens them; `None` where they were sealed under another key or for another place, or are damaged.
    pub(crate) fn open(&self, place: &[&str], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, sealed) = sealed.split_first_chunk::<24>()?;
        let payload = Payload { msg: sealed, aad: &bound_to(place) };
        self.0.decrypt(&XNonce::from(*nonce), payload).ok().map(Zeroizing::new)
    }
}

fn bound_to(place: &[&str]) -> Vec<u8> {
    place.join("\0").into_bytes()
}

fn read_or_draw(path: &Path) -> Result<Zeroizing<[u8; 32]>, StoreError> {
    let file = |error| StoreError::file(path)(error);
    if let Some(bytes) = private::read_small(path, 64).map_err(file)? {
        let bytes = Zeroizing::new(bytes);
        let whole = <[u8; 32]>::try_from(bytes.as_slice()).map(Zeroizing::new);
        return whole.map_err(|_| file(ErrorKind::InvalidData.into()));
    }
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(key.as_mut_slice())?;
    private::replace(path, key.as_slice()).map_err(file)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_in_its_place_under_its_key_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        let sealer = Sealer::with_key_at(&path).unwrap();
        let mut sealed = sealer.seal(&["a", "b"], b"Mau").unwrap();
        assert_eq!(
            Sealer::with_key_at(&path).unwrap().open(&["a", "b"], &sealed).unwrap().as_slice(),
            b"Mau"
        );
        assert!(sealer.open(&["a", "c"], &sealed).is_none());
        assert!(Sealer::in_memory().unwrap().open(&["a", "b"], &sealed).is_none());
        assert!(sealer.open(&["a", "b"], &sealed[..20]).is_none());
        *sealed.last_mut().unwrap() ^= 1;
        assert!(sealer.open(&["a", "b"], &sealed).is_none());
        std::fs::write(&path, b"short").unwrap();
        assert!(Sealer::with_key_at(&path).is_err());
    }
}
