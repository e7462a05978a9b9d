//! Signatures made without the private key, each good enough for a verifier of the past.

use openssl::bn::{BigNum, BigNumContext};
use openssl::error::ErrorStack;
use openssl::hash::hash;

use crate::der::{integer, octets, sequence};

use super::kind::DigestKind;

/// How a signature is forged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Forgery {
    /// PKCS#1 version 1.5 under an exponent of three: the cube root of a block that begins as it should, with
    /// short padding, and ends in garbage. A verifier that does not look to the end of the block takes it
    /// (Bleichenbacher 2006; RFC 8017, 8.2.2, compares the whole block).
    CubeRoot,
    /// ECDSA with r and s zero. A verifier that does not ask for at least one takes it for any message
    /// (BSI TR-03111, 4.2.1.2, step 1).
    Zeros,
}

/// The cube root of a block of so many bits over `message`.
pub(super) fn cube_root(bits: u32, digest: DigestKind, message: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let hash = hash(digest.message_digest(), message)?;
    let info = sequence(&[digest.algorithm_with_null(), octets(&hash)]);
    let length = usize::try_from(bits / 8).unwrap_or(0);
    let mut block = [&[0x00, 0x01][..], &[0xFF; 8], &[0x00], &info].concat();
    // All bits set, so that the cube, which falls a little short, keeps what stands before.
    block.resize(length, 0xFF);
    let block = BigNum::from_slice(&block)?;

    let mut context = BigNumContext::new()?;
    let mut root = BigNum::new()?;
    for bit in (0..=i32::try_from(bits / 3).unwrap_or(0)).rev() {
        root.set_bit(bit)?;
        let (mut square, mut cube) = (BigNum::new()?, BigNum::new()?);
        square.checked_mul(&root, &root, &mut context)?;
        cube.checked_mul(&square, &root, &mut context)?;
        if cube > block {
            root.clear_bit(bit)?;
        }
    }
    root.to_vec_padded(i32::try_from(length).unwrap_or(0))
}

/// ECDSA-Sig-Value of nothing.
pub(super) fn zeros() -> Vec<u8> {
    sequence(&[integer(0), integer(0)])
}

#[cfg(test)]
mod tests {
    use openssl::pkey::PKey;
    use openssl::rsa::Padding;
    use openssl::sign::Verifier;

    use super::super::key::SigningKey;
    use super::super::kind::SignerKind;
    use super::*;

    #[test]
    fn a_cube_root_opens_to_a_block_with_the_right_beginning_and_openssl_refuses_it() {
        let key = SigningKey::forging(Forgery::CubeRoot).unwrap();
        let SignerKind::RsaPkcs1 { bits } = key.kind() else { panic!("{key:?}") };
        let signature = key.sign(DigestKind::Sha256, b"message").unwrap();
        let public = PKey::public_key_from_der(&key.public_key().unwrap()).unwrap();
        let mut block = vec![0; 256];
        public.rsa().unwrap().public_decrypt(&signature, &mut block, Padding::NONE).unwrap();
        let message_hash = hash(DigestKind::Sha256.message_digest(), b"message").unwrap();
        assert_eq!(block[..11], [0, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0]);
        assert_eq!(block[30..62], *message_hash);
        assert_eq!((bits, block.len()), (2048, signature.len()));
        let mut verifier = Verifier::new(DigestKind::Sha256.message_digest(), &public).unwrap();
        assert!(!verifier.verify_oneshot(&signature, b"message").unwrap_or(false));
    }

    #[test]
    fn zeros_are_a_signature_that_openssl_reads_and_refuses() {
        let key = SigningKey::forging(Forgery::Zeros).unwrap();
        let signature = key.sign(DigestKind::Sha256, b"message").unwrap();
        let read = openssl::ecdsa::EcdsaSig::from_der(&signature).unwrap();
        assert!(read.r().to_vec().is_empty() && read.s().to_vec().is_empty());
        let public = PKey::public_key_from_der(&key.public_key().unwrap()).unwrap();
        let mut verifier = Verifier::new(DigestKind::Sha256.message_digest(), &public).unwrap();
        assert!(!verifier.verify_oneshot(&signature, b"message").unwrap_or(false));
    }
}
