//! RSA signatures with message recovery: ISO/IEC 9796-2, digital signature scheme 1, as active authentication
//! uses it (ICAO 9303-11, 6.1.2.2 and Appendix F).

use cccd_document::PublicKey;
use crypto_bigint::BoxedUint;
use subtle::ConstantTimeEq;

use crate::hash::HashAlgorithm;
use crate::rsa::RsaPublicKey;

/// Why a signature is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Iso9796Fault {
    /// The key is no RSA key that can be used.
    Key,
    /// The answer is shorter than any signature of this key: it was cut on its way.
    Cut,
    /// The answer is longer than the modulus, or not below it.
    Range,
    /// What comes out is no message representative: another key signed.
    Representative,
    /// The trailer names a hash function we do not know.
    Trailer,
    /// The hash is not that of the recovered part and our challenge.
    Hash,
}

/// Verifies `signature` over `challenge`, which is the part of the message that is not recovered.
pub(super) fn verify(key: &PublicKey, challenge: &[u8], signature: &[u8]) -> Result<(), Iso9796Fault> {
    let key = RsaPublicKey::parse(&key.key).map_err(|_| Iso9796Fault::Key)?;
    let opened = open(&key, signature)?;
    check_representative(&opened, challenge)
}

/// What was signed, as wide as the modulus.
///
/// A chip may send the modulus less the signature where that is smaller; then what comes out is the modulus
/// less the representative, and its last nibble tells (ISO/IEC 9796-2, B.6).
fn open(key: &RsaPublicKey, signature: &[u8]) -> Result<Vec<u8>, Iso9796Fault> {
    let width = key.bytes();
    // A signature written as a number may lack leading zeros (card quirk 41): three of them once in 2^24.
    if signature.len() + 3 <= width {
        return Err(Iso9796Fault::Cut);
    }
    let (front, back) = signature.split_at(signature.len().saturating_sub(width));
    if front.iter().any(|&byte| byte != 0) {
        return Err(Iso9796Fault::Range);
    }
    let padded = [&vec![0; width - back.len()], back].concat();
    let opened = key.recover(&padded).ok_or(Iso9796Fault::Range)?;
    if opened.last().is_some_and(|last| last & 0x0F == 0x0C) {
        return Ok(opened);
    }
    let number = BoxedUint::from_be_slice_vartime;
    let other = number(&key.modulus()).wrapping_sub(number(&opened)).to_be_bytes();
    let excess = other.len().saturating_sub(width);
    Ok(other.get(excess..).unwrap_or_default().to_vec())
}

/// 6A, M1, the hash over M1 and our challenge, and a trailer that names the hash function.
fn check_representative(representative: &[u8], challenge: &[u8]) -> Result<(), Iso9796Fault> {
    // The representative is shorter than the modulus by a few bits or by a byte: a zero may lead (card quirk
    // 41), and no more than that.
    let rest = match representative {
        [0x6A, rest @ ..] | [0x00, 0x6A, rest @ ..] => rest,
        _ => return Err(Iso9796Fault::Representative),
    };
    let (hash, body) = match rest {
        [body @ .., 0xBC] => (HashAlgorithm::Sha1, body),
        // The hash identifiers of ISO/IEC 10118-3 before CC.
        [body @ .., id, 0xCC] => {
            let hash = match id {
                0x33 => HashAlgorithm::Sha1,
                0x38 => HashAlgorithm::Sha224,
                0x34 => HashAlgorithm::Sha256,
                0x36 => HashAlgorithm::Sha384,
                0x35 => HashAlgorithm::Sha512,
                _ => return Err(Iso9796Fault::Trailer),
            };
            (hash, body)
        }
        _ => return Err(Iso9796Fault::Representative),
    };
    let at = body.len().checked_sub(hash.length()).ok_or(Iso9796Fault::Representative)?;
    let (recovered, stated) = body.split_at_checked(at).ok_or(Iso9796Fault::Representative)?;
    // Partial recovery: without a recovered part the chip would have signed nothing of its own.
    if recovered.is_empty() {
        return Err(Iso9796Fault::Representative);
    }
    let ours = hash.hash_all(&[recovered, challenge]);
    if ours.ct_eq(stated).into() { Ok(()) } else { Err(Iso9796Fault::Hash) }
}

#[cfg(test)]
mod tests {
    use openssl::bn::BigNum;
    use openssl::hash::{MessageDigest, hash};
    use openssl::pkey::Private;
    use openssl::rsa::{Padding, Rsa};

    use super::*;

    const CHALLENGE: [u8; 8] = [0xF1, 0x73, 0x58, 0x99, 0x74, 0xBF, 0x40, 0xC6];

    fn trailers() -> [(MessageDigest, &'static [u8]); 6] {
        [
            (MessageDigest::sha1(), &[0xBC]),
            (MessageDigest::sha1(), &[0x33, 0xCC]),
            (MessageDigest::sha224(), &[0x38, 0xCC]),
            (MessageDigest::sha256(), &[0x34, 0xCC]),
            (MessageDigest::sha384(), &[0x36, 0xCC]),
            (MessageDigest::sha512(), &[0x35, 0xCC]),
        ]
    }

    fn public(key: &Rsa<Private>) -> PublicKey {
        PublicKey::parse(&key.public_key_to_der().unwrap()).unwrap()
    }

    /// A message representative that fills a modulus but for `spare` bytes in front.
    fn representative(width: usize, spare: usize, kind: MessageDigest, trailer: &[u8]) -> Vec<u8> {
        let m1 = vec![0x9D; width - spare - 1 - kind.size() - trailer.len()];
        let value = hash(kind, &[&m1[..], &CHALLENGE].concat()).unwrap();
        [&vec![0; spare][..], &[0x6A], &m1, &value, trailer].concat()
    }

    fn sign(key: &Rsa<Private>, representative: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; representative.len()];
        key.private_encrypt(representative, &mut signature, Padding::NONE).unwrap();
        signature
    }

    #[test]
    fn the_representative_of_icao_appendix_f_is_accepted() {
        // ICAO 9303-11, Appendix F: RSA of 1024 bits, SHA-1. It names no key, so this starts where the
        // signature is open.
        let representative = hex::decode(concat!(
            "6A9D2784A67F8E7C659973EA1AEA25D95B6C8F91E5002F369F0FBDCE8A3CEC1991B543F1696546C5524CF23A5303CD6C98",
            "599F40B79F377B5F3A1406B3B4D8F96784D23AA88DB7E1032A405E69325FA91A6E86F5C71AEA978264C4A207446DAD4E",
            "7292E2DCDA3024B47DA8C063AA1E6D22FBD976AB0FE73D94D2D9C6D88127BC",
        ))
        .unwrap();
        assert_eq!(check_representative(&representative, &CHALLENGE), Ok(()));
        let mut other = CHALLENGE;
        other[7] ^= 1;
        assert_eq!(check_representative(&representative, &other), Err(Iso9796Fault::Hash));
    }

    #[test]
    fn every_trailer_is_known_on_every_width_of_key() {
        for bits in [1024, 1032, 1536, 2048] {
            let key = Rsa::generate(bits).unwrap();
            let width = usize::try_from(bits / 8).unwrap();
            for (kind, trailer) in trailers() {
                for spare in [0, 1] {
                    let message = representative(width, spare, kind, trailer);
                    // 6A in the first byte may lie above the modulus, whose first byte is 80 at least.
                    let signature = sign(&key, &message);
                    assert_eq!(
                        verify(&public(&key), &CHALLENGE, &signature),
                        Ok(()),
                        "{bits} {trailer:02X?}"
                    );
                    assert_eq!(
                        verify(&public(&key), &[0; 8], &signature),
                        Err(Iso9796Fault::Hash),
                        "{bits} {trailer:02X?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_signature_without_its_leading_zeros_is_taken_and_a_cut_one_is_not_judged() {
        let key = Rsa::generate(1024).unwrap();
        let public = public(&key);
        // One signature in 256 begins with a zero; M1 is varied until one does.
        let mut m1 = [0u8; 128 - 1 - 20 - 1];
        let signature = (0..100_000u32)
            .find_map(|draw| {
                m1[..4].copy_from_slice(&draw.to_be_bytes());
                let value = hash(MessageDigest::sha1(), &[&m1[..], &CHALLENGE].concat()).unwrap();
                let signature = sign(&key, &[&[0x6A], &m1[..], &value, &[0xBC]].concat());
                (signature[0] == 0).then_some(signature)
            })
            .unwrap();
        assert_eq!(verify(&public, &CHALLENGE, &signature), Ok(()));
        assert_eq!(verify(&public, &CHALLENGE, &signature[1..]), Ok(()));
        assert_eq!(verify(&public, &CHALLENGE, &[&[0], &signature[..]].concat()), Ok(()));
        assert_eq!(verify(&public, &CHALLENGE, &[&[1], &signature[..]].concat()), Err(Iso9796Fault::Range));
        for cut in [0, 64, 125] {
            assert_eq!(verify(&public, &CHALLENGE, &signature[..cut]), Err(Iso9796Fault::Cut), "{cut}");
        }
    }

    #[test]
    fn the_complement_to_the_modulus_is_the_same_signature() {
        let key = Rsa::generate(1024).unwrap();
        let signature = sign(&key, &representative(128, 0, MessageDigest::sha256(), &[0x34, 0xCC]));
        let mut complement = BigNum::new().unwrap();
        complement.checked_sub(key.n(), &BigNum::from_slice(&signature).unwrap()).unwrap();
        let complement = complement.to_vec_padded(128).unwrap();
        assert_eq!(verify(&public(&key), &CHALLENGE, &complement), Ok(()));
    }

    #[test]
    fn another_key_or_one_flipped_bit_does_not_verify() {
        let (key, other) = (Rsa::generate(1024).unwrap(), Rsa::generate(1024).unwrap());
        let signature = sign(&key, &representative(128, 0, MessageDigest::sha1(), &[0xBC]));
        let by_other = verify(&public(&other), &CHALLENGE, &signature);
        assert!(matches!(
            by_other,
            Err(Iso9796Fault::Representative | Iso9796Fault::Range | Iso9796Fault::Trailer)
        ));
        for bit in (0..1024).step_by(37) {
            let mut flipped = signature.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(verify(&public(&key), &CHALLENGE, &flipped).is_err(), "{bit}");
        }
    }

    #[test]
    fn a_representative_of_another_shape_is_refused() {
        let good = representative(128, 0, MessageDigest::sha1(), &[0x33, 0xCC]);
        let check = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut changed = good.clone();
            change(&mut changed);
            check_representative(&changed, &CHALLENGE)
        };
        assert_eq!(check(&|_| {}), Ok(()));
        assert_eq!(check(&|bytes| bytes[0] = 0x4A), Err(Iso9796Fault::Representative));
        assert_eq!(check(&|bytes| bytes[0] = 0x6B), Err(Iso9796Fault::Representative));
        assert_eq!(check(&|bytes| bytes[127] = 0xBD), Err(Iso9796Fault::Representative));
        // 31 is RIPEMD-160.
        assert_eq!(check(&|bytes| bytes[126] = 0x31), Err(Iso9796Fault::Trailer));
        assert_eq!(check(&|bytes| bytes[40] ^= 1), Err(Iso9796Fault::Hash));
        // Nothing recovered: 6A, a hash, a trailer.
        let bare = representative(1 + 20 + 2, 0, MessageDigest::sha1(), &[0x33, 0xCC]);
        assert_eq!(check_representative(&bare, &CHALLENGE), Err(Iso9796Fault::Representative));
        assert_eq!(check_representative(&[], &CHALLENGE), Err(Iso9796Fault::Representative));
    }

    #[test]
    fn a_key_that_is_no_rsa_key_of_use_is_refused() {
        let short = Rsa::generate(1016).unwrap();
        assert_eq!(verify(&public(&short), &CHALLENGE, &[1; 127]), Err(Iso9796Fault::Key));
        let mut no_key = public(&Rsa::generate(1024).unwrap());
        no_key.key.truncate(40);
        assert_eq!(verify(&no_key, &CHALLENGE, &[1; 128]), Err(Iso9796Fault::Key));
    }
}
