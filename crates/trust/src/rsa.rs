//! RSA with public keys: what documents, certificates and chips sign with (RFC 8017).
//!
//! Verification only, so that nothing here is secret. A signature is compared with what it should be, encoded
//! anew, wherever that is possible: parsing a padding is where forgeries have come from.

use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd};
use der::asn1::UintRef;
use der::{Decode, Sequence};

use crate::hash::HashAlgorithm;

/// Shortest modulus that is used at all. Chips with active authentication keys of 1024 bits are about.
pub const MIN_MODULUS_BITS: u32 = 1024;
/// Longest modulus: authorities use up to 6144 bits, and work grows with the cube.
pub const MAX_MODULUS_BITS: u32 = 8192;

/// An RSA public key, ready for use.
#[derive(Debug, Clone)]
pub struct RsaPublicKey {
    modulus: BoxedMontyParams,
    bits: u32,
    exponent: u64,
}

/// Why a key is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RsaKeyFault {
    /// It is not the structure of an RSA key (RFC 8017, A.1.1).
    #[error("not an RSA public key")]
    Structure,
    /// The modulus is too short or too long.
    #[error("modulus has {bits} bits, allowed are {MIN_MODULUS_BITS} to {MAX_MODULUS_BITS}")]
    Modulus {
        /// Its length.
        bits: u32,
    },
    /// The modulus is even: no such key can be made.
    #[error("modulus is even")]
    Even,
    /// The exponent is even, 1, or far too long.
    #[error("public exponent is not usable")]
    Exponent,
}

#[derive(Sequence)]
struct RawPublicKey<'a> {
    modulus: UintRef<'a>,
    exponent: UintRef<'a>,
}

impl RsaPublicKey {
    /// Reads an RSAPublicKey, which is what stands in the BIT STRING of a SubjectPublicKeyInfo.
    pub fn parse(der: &[u8]) -> Result<Self, RsaKeyFault> {
        let raw = RawPublicKey::from_der(der).map_err(|_| RsaKeyFault::Structure)?;
        let (modulus, exponent) = (raw.modulus.as_bytes(), raw.exponent.as_bytes());
        let bits = bit_length(modulus);
        if !(MIN_MODULUS_BITS..=MAX_MODULUS_BITS).contains(&bits) {
            return Err(RsaKeyFault::Modulus { bits });
        }
        // Nearly all are 65537, some are 3.
        let exponent =
            exponent.iter().try_fold(0_u64, |value, byte| Some(value.checked_mul(256)? | u64::from(*byte)));
        let exponent = exponent.filter(|value| value % 2 == 1 && *value > 1).ok_or(RsaKeyFault::Exponent)?;
        let modulus = Odd::new(BoxedUint::from_be_slice_vartime(modulus));
        let modulus = modulus.into_option().ok_or(RsaKeyFault::Even)?;
        Ok(Self { modulus: BoxedMontyParams::new_vartime(modulus), bits, exponent })
    }

    /// Length of the modulus in bits.
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// Length of the modulus in bytes, which is that of every signature.
    pub fn bytes(&self) -> usize {
        usize::try_from(self.bits.div_ceil(8)).unwrap_or(usize::MAX)
    }

    /// The modulus, big-endian, without leading zeros.
    pub fn modulus(&self) -> Vec<u8> {
        self.modulus.modulus().as_ref().to_be_bytes_trimmed_vartime().to_vec()
    }

    /// What was signed, as long as the modulus (RSAVP1; RFC 8017, 5.2.2). `None` if the signature has another
    /// length or is no number below the modulus.
    pub fn recover(&self, signature: &[u8]) -> Option<Vec<u8>> {
        if signature.len() != self.bytes() {
            return None;
        }
        let precision = self.modulus.bits_precision();
        let number = BoxedUint::from_be_slice(signature, precision).ok()?;
        if number >= *self.modulus.modulus().as_ref() {
            return None;
        }
        let power = self.power_vartime(number).retrieve().to_be_bytes();
        // As wide as the machine's words: the front is zeros.
        let excess = power.len().checked_sub(self.bytes())?;
        power.get(excess..).map(<[u8]>::to_vec)
    }

    /// A number to the public exponent, bit by bit from the highest: with 65537, sixteen squares and one product.
    /// What the library has for secret exponents takes more than twice as many.
    fn power_vartime(&self, number: BoxedUint) -> BoxedMontyForm {
        let base = BoxedMontyForm::new(number, &self.modulus);
        let mut power = base.clone();
        for bit in (0..self.exponent.ilog2()).rev() {
            power = power.square();
            if self.exponent >> bit & 1 == 1 {
                power = power.mul(&base);
            }
        }
        power
    }

    /// RSASSA-PKCS1-v1_5 (RFC 8017, 8.2.2), by encoding anew.
    pub fn verify_pkcs1(&self, hash: HashAlgorithm, digest: &[u8], signature: &[u8]) -> bool {
        let Some(encoded) = self.recover(signature) else { return false };
        // Parameters are to be NULL; some leave them out, which 9.2, note 1, lets pass.
        [true, false].into_iter().any(|with_null| {
            encoded_pkcs1(hash, digest, self.bytes(), with_null).is_some_and(|expected| expected == encoded)
        })
    }
}

/// EMSA-PKCS1-v1_5 (RFC 8017, 9.2).
fn encoded_pkcs1(hash: HashAlgorithm, digest: &[u8], length: usize, with_null: bool) -> Option<Vec<u8>> {
    use cccd_card::tlv::{Tag, encode};
    let oid = encode(Tag(0x06), hash.oid().as_bytes());
    let null: &[u8] = if with_null { &[0x05, 0x00] } else { &[] };
    let algorithm = encode(Tag(0x30), &[oid.as_slice(), null].concat());
    let info = encode(Tag(0x30), &[algorithm, encode(Tag(0x04), digest)].concat());
    let padding = length.checked_sub(info.len() + 3).filter(|&padding| padding >= 8)?;
    Some([vec![0, 1], vec![0xFF; padding], vec![0], info].concat())
}

/// A PSS signature opened by its key, to be held against one hash function or several: the costly part is done.
pub(crate) struct OpenedPss {
    encoded: Vec<u8>,
    /// Bits of the first byte that belong to the encoded message.
    first_byte_mask: u8,
}

impl OpenedPss {
    /// The first step of EMSA-PSS-VERIFY (RFC 8017, 8.1.2).
    pub(crate) fn new(key: &RsaPublicKey, signature: &[u8]) -> Option<Self> {
        let recovered = key.recover(signature)?;
        // The encoded message has one bit less than the modulus: a byte less where that bit stands alone.
        let spare = (8 - (key.bits() - 1) % 8) % 8;
        let encoded = if spare == 0 { recovered.strip_prefix(&[0])?.to_vec() } else { recovered };
        let first_byte_mask = 0xFF_u8 >> spare;
        (encoded.first()? & !first_byte_mask == 0).then_some(Self { encoded, first_byte_mask })
    }

    /// The length of the salt, if this is a signature of `digest` (RFC 8017, 9.1.2). The salt may have any
    /// length: it is found, not demanded (card quirk 52).
    pub(crate) fn salt_length(
        &self,
        hash: HashAlgorithm,
        mask: HashAlgorithm,
        digest: &[u8],
    ) -> Option<usize> {
        let (body, trailer) = self.encoded.split_at_checked(self.encoded.len().checked_sub(1)?)?;
        let (masked, stated) = body.split_at_checked(body.len().checked_sub(hash.length())?)?;
        if trailer != [0xBC] {
            return None;
        }
        let mut block: Vec<u8> =
            masked.iter().zip(mgf1(mask, stated, masked.len())).map(|(byte, mask)| byte ^ mask).collect();
        *block.first_mut()? &= self.first_byte_mask;
        let one = block.iter().position(|&byte| byte != 0)?;
        let (_, salt) = block.split_at_checked(one + 1)?;
        let is_separated = block.get(one) == Some(&1);
        (is_separated && hash.hash_all(&[&[0; 8], digest, salt]) == stated).then_some(salt.len())
    }
}

/// MGF1 (RFC 8017, B.2.1).
fn mgf1(hash: HashAlgorithm, seed: &[u8], length: usize) -> Vec<u8> {
    let mut mask = Vec::with_capacity(length + hash.length());
    for counter in 0_u32.. {
        if mask.len() >= length {
            break;
        }
        mask.extend(hash.hash_all(&[seed, &counter.to_be_bytes()]));
    }
    mask.truncate(length);
    mask
}

fn bit_length(number: &[u8]) -> u32 {
    let number = crate::certificate::significant(number);
    let unused = number.first().map_or(0, |first| first.leading_zeros());
    u32::try_from(number.len()).map_or(u32::MAX, |bytes| bytes.saturating_mul(8).saturating_sub(unused))
}

#[cfg(test)]
mod tests {
    use openssl::bn::BigNum;
    use openssl::hash::MessageDigest;
    use openssl::pkey::PKey;
    use openssl::rsa::{Padding, Rsa};
    use openssl::sign::{RsaPssSaltlen, Signer};
    use proptest::prelude::*;

    use super::*;

    const DIGESTS: [(HashAlgorithm, fn() -> MessageDigest); 5] = [
        (HashAlgorithm::Sha1, MessageDigest::sha1),
        (HashAlgorithm::Sha224, MessageDigest::sha224),
        (HashAlgorithm::Sha256, MessageDigest::sha256),
        (HashAlgorithm::Sha384, MessageDigest::sha384),
        (HashAlgorithm::Sha512, MessageDigest::sha512),
    ];

    /// Odd lengths too: 1025 bits leave PSS with a whole number of bytes, 1030 with a few bits.
    fn keys() -> Vec<Rsa<openssl::pkey::Private>> {
        [(1024, 65537), (1025, 65537), (1030, 3), (2048, 3), (1536, 65537)]
            .map(|(bits, e)| Rsa::generate_with_e(bits, &BigNum::from_u32(e).unwrap()).unwrap())
            .into()
    }

    fn ours(key: &Rsa<openssl::pkey::Private>) -> RsaPublicKey {
        RsaPublicKey::parse(&key.public_key_to_der_pkcs1().unwrap()).unwrap()
    }

    #[test]
    fn signatures_of_openssl_verify_and_not_for_another_hash_or_message() {
        for key in keys() {
            let (own, pkey) = (ours(&key), PKey::from_rsa(key).unwrap());
            for (hash, theirs) in DIGESTS {
                let mut signer = Signer::new(theirs(), &pkey).unwrap();
                let signature = signer.sign_oneshot_to_vec(b"message").unwrap();
                let digest = hash.hash(b"message");
                assert!(own.verify_pkcs1(hash, &digest, &signature), "{} {hash:?}", own.bits());
                assert!(!own.verify_pkcs1(hash, &hash.hash(b"massage"), &signature));
                for (other, _) in DIGESTS.into_iter().filter(|(other, _)| *other != hash) {
                    assert!(!own.verify_pkcs1(other, &other.hash(b"message"), &signature));
                }
            }
        }
    }

    #[test]
    fn pss_of_every_salt_length_verifies_and_tells_it() {
        for key in keys() {
            let (own, pkey) = (ours(&key), PKey::from_rsa(key).unwrap());
            for (hash, theirs) in DIGESTS {
                for salt in [0, 1, 20, 32] {
                    let mut signer = Signer::new(theirs(), &pkey).unwrap();
                    signer.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
                    signer.set_rsa_pss_saltlen(RsaPssSaltlen::custom(salt)).unwrap();
                    let signature = signer.sign_oneshot_to_vec(b"message").unwrap();
                    let opened = OpenedPss::new(&own, &signature).unwrap();
                    let found = opened.salt_length(hash, hash, &hash.hash(b"message"));
                    assert_eq!(found, usize::try_from(salt).ok(), "{} {hash:?}", own.bits());
                    assert_eq!(opened.salt_length(hash, hash, &hash.hash(b"massage")), None);
                    assert!(!own.verify_pkcs1(hash, &hash.hash(b"message"), &signature));
                }
            }
        }
    }

    #[test]
    fn the_mask_may_be_made_with_another_hash() {
        let key = keys().remove(0);
        let (own, pkey) = (ours(&key), PKey::from_rsa(key).unwrap());
        let mut signer = Signer::new(MessageDigest::sha256(), &pkey).unwrap();
        signer.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
        signer.set_rsa_mgf1_md(MessageDigest::sha1()).unwrap();
        let opened = OpenedPss::new(&own, &signer.sign_oneshot_to_vec(b"message").unwrap()).unwrap();
        let (hash, mask) = (HashAlgorithm::Sha256, HashAlgorithm::Sha1);
        assert!(opened.salt_length(hash, mask, &hash.hash(b"message")).is_some());
        assert_eq!(opened.salt_length(hash, hash, &hash.hash(b"message")), None);
    }

    #[test]
    fn a_forged_padding_with_room_after_the_hash_does_not_verify() {
        // Bleichenbacher's forgery for e = 3: a cube whose first bytes look right. The whole block is compared,
        // so that what a key with e = 3 gives for any cube root is no signature.
        let key = ours(&keys().remove(3));
        let digest = HashAlgorithm::Sha256.hash(b"message");
        let info = encoded_pkcs1(HashAlgorithm::Sha256, &digest, key.bytes(), true).unwrap();
        let short_padding = [&info[..10], &[0][..], &info[info.len() - 51..]].concat();
        let (front, mut wanted) = (BigNum::from_slice(&short_padding).unwrap(), BigNum::new().unwrap());
        wanted.lshift(&front, i32::try_from((256 - short_padding.len()) * 8).unwrap()).unwrap();
        // The integer cube root from above, by halving.
        let (mut low, mut high) = (BigNum::from_u32(0).unwrap(), BigNum::from_u32(1).unwrap());
        let cube = |x: &BigNum| &(x * x) * x;
        while cube(&high) < wanted {
            high = &high + &high;
        }
        for _ in 0..2100 {
            let mut middle = BigNum::new().unwrap();
            middle.rshift1(&(&low + &high)).unwrap();
            if cube(&middle) < wanted { low = middle } else { high = middle }
        }
        let forged = high.to_vec_padded(256).unwrap();
        let opened = key.recover(&forged).unwrap();
        assert!(opened.starts_with(&short_padding[..50]), "the forgery is a good one");
        assert!(!key.verify_pkcs1(HashAlgorithm::Sha256, &digest, &forged));
    }

    #[test]
    fn keys_out_of_bounds_are_refused() {
        use cccd_card::tlv::{Tag, encode};
        let key = |modulus: &[u8], exponent: &[u8]| {
            let parts = [encode(Tag(2), modulus), encode(Tag(2), exponent)].concat();
            RsaPublicKey::parse(&encode(Tag(0x30), &parts)).map(|_| ())
        };
        let odd = |bytes: usize| [vec![0], vec![0xFF; bytes]].concat();
        assert_eq!(key(&odd(128), &[3]), Ok(()));
        assert_eq!(key(&odd(1024), &[3]), Ok(()));
        assert_eq!(key(&odd(127), &[3]), Err(RsaKeyFault::Modulus { bits: 1016 }));
        assert_eq!(key(&odd(1025), &[3]), Err(RsaKeyFault::Modulus { bits: 8200 }));
        let even = [odd(127), vec![0xFE]].concat();
        assert_eq!(key(&even, &[3]), Err(RsaKeyFault::Even));
        for exponent in [&[0][..], &[1], &[4], &[0x7F; 9]] {
            assert_eq!(key(&odd(128), exponent), Err(RsaKeyFault::Exponent), "{exponent:?}");
        }
        assert_eq!(RsaPublicKey::parse(&[]).map(|_| ()), Err(RsaKeyFault::Structure));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_key_and_no_signature_panics(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            modulus in proptest::collection::vec(any::<u8>(), 129..140),
            signature in proptest::collection::vec(any::<u8>(), 120..145),
        ) {
            use cccd_card::tlv::{Tag, encode};
            let _ = RsaPublicKey::parse(&bytes);
            let modulus = [&[1][..], &modulus].concat();
            let parts = [encode(Tag(2), &modulus), encode(Tag(2), &[3])].concat();
            if let Ok(key) = RsaPublicKey::parse(&encode(Tag(0x30), &parts)) {
                prop_assert!(!key.verify_pkcs1(HashAlgorithm::Sha1, &[0; 20], &signature));
                if let Some(opened) = OpenedPss::new(&key, &signature) {
                    let _ = opened.salt_length(HashAlgorithm::Sha512, HashAlgorithm::Sha1, &[0; 64]);
                }
            }
        }
    }
}
