//! Signing with RSA (RFC 8017, 8.1.1 and 8.2.1): some authorities certify such keys for terminals.
//!
//! The power is taken without the Chinese remainder theorem, in a time that depends on lengths alone, and held
//! against the public exponent before it is given out: a fault on the way must not tell the factors.

use cccd_card::tlv::{Tag, TlvReader, encode};
use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd};
use rand_core::TryCryptoRng;
use zeroize::Zeroizing;

use super::file_key::KeyFileError;
use super::key::{Hash, SigningError};
use crate::entropy::NoEntropy;

/// Sizes of keys that are certified for terminals, and then some.
const MODULUS_BITS: std::ops::RangeInclusive<u32> = 1024..=4096;
/// Nearly all are 65537.
const MOST_EXPONENT_BITS: u32 = 64;

/// An RSA private key. Its exponent is wiped when dropped.
pub(super) struct RsaPrivateKey {
    modulus: BoxedMontyParams,
    bits: u32,
    public_exponent: BoxedUint,
    private_exponent: Zeroizing<BoxedUint>,
}

/// The size only: keys are not for logs.
impl std::fmt::Debug for RsaPrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RsaPrivateKey").field("bits", &self.bits).finish_non_exhaustive()
    }
}

impl RsaPrivateKey {
    /// Reads an RSAPrivateKey: version, modulus, both exponents, and what is not needed here.
    pub(super) fn parse(der: &[u8]) -> Result<Self, KeyFileError> {
        let mut key = TlvReader::new(TlvReader::new(der).expect(Tag(0x30))?);
        key.expect(Tag(0x02))?;
        let (modulus, public, private) =
            (key.expect(Tag(0x02))?, key.expect(Tag(0x02))?, key.expect(Tag(0x02))?);
        let modulus = BoxedUint::from_be_slice_vartime(modulus);
        let (bits, precision) = (modulus.bits_vartime(), modulus.bits_precision());
        if !MODULUS_BITS.contains(&bits) {
            return Err(KeyFileError::Range);
        }
        // A leading zero keeps an INTEGER positive.
        let unsigned = |bytes: &[u8]| {
            let bytes = bytes.strip_prefix(&[0]).unwrap_or(bytes);
            BoxedUint::from_be_slice(bytes, precision).map_err(|_| KeyFileError::Range)
        };
        let (public_exponent, private_exponent) = (unsigned(public)?, Zeroizing::new(unsigned(private)?));
        let exponents = public_exponent.bit_vartime(0)
            && (2..=MOST_EXPONENT_BITS).contains(&public_exponent.bits_vartime())
            && *private_exponent < modulus
            && !bool::from(private_exponent.is_zero());
        let modulus = Odd::new(modulus).into_option().filter(|_| exponents).ok_or(KeyFileError::Range)?;
        Ok(Self { modulus: BoxedMontyParams::new_vartime(modulus), bits, public_exponent, private_exponent })
    }

    /// The modulus, big-endian, without leading zeros.
    pub(super) fn modulus(&self) -> Vec<u8> {
        self.modulus.modulus().as_ref().to_be_bytes_trimmed_vartime().to_vec()
    }

    /// RSASSA-PKCS1-v1_5 (8.2.1 and 9.2).
    pub(super) fn sign_pkcs1(&self, hash: Hash, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        let oid = encode(Tag(0x06), hash.oid().as_bytes());
        let algorithm = encode(Tag(0x30), &[oid, encode(Tag(0x05), &[])].concat());
        let info = encode(Tag(0x30), &[algorithm, encode(Tag(0x04), &hash.digest(message))].concat());
        let padding = self.bytes().saturating_sub(info.len() + 3);
        self.power(&[vec![0, 1], vec![0xFF; padding], vec![0], info].concat())
    }

    /// RSASSA-PSS (8.1.1 and 9.1.1): the mask is of the same hash, and the salt as long as it is (TR-03110-3,
    /// A.6.4.2).
    pub(super) fn sign_pss(
        &self,
        hash: Hash,
        message: &[u8],
        random: &mut dyn TryCryptoRng<Error = NoEntropy>,
    ) -> Result<Vec<u8>, SigningError> {
        let digest = hash.digest(message);
        let mut salt = vec![0; digest.len()];
        random.try_fill_bytes(&mut salt).map_err(|NoEntropy| SigningError::Unavailable)?;
        let hashed = hash.digest(&[&[0; 8][..], &digest, &salt].concat());
        // The encoded message has a bit less than the modulus.
        let length = usize::try_from((self.bits - 1).div_ceil(8)).unwrap_or(0);
        let padding = length.checked_sub(digest.len() + salt.len() + 2).ok_or(SigningError::Unavailable)?;
        let mut block = [vec![0; padding], vec![1], salt].concat();
        let mask = mgf1(hash, &hashed, block.len());
        for (byte, mask) in block.iter_mut().zip(mask) {
            *byte ^= mask;
        }
        let surplus = (self.bits - 1).next_multiple_of(8) - (self.bits - 1);
        if let Some(first) = block.first_mut() {
            *first &= 0xFF >> surplus;
        }
        let front = vec![0; self.bytes() - length];
        self.power(&[front, block, hashed, vec![0xBC]].concat())
    }

    fn bytes(&self) -> usize {
        usize::try_from(self.bits.div_ceil(8)).unwrap_or(0)
    }

    /// RSASP1 (5.2.1), as long as the modulus.
    fn power(&self, encoded: &[u8]) -> Result<Vec<u8>, SigningError> {
        let precision = self.modulus.bits_precision();
        let number = BoxedUint::from_be_slice(encoded, precision).map_err(|_| SigningError::Unavailable)?;
        let base = BoxedMontyForm::new(number.clone(), &self.modulus);
        let signature = base.pow(&self.private_exponent);
        if signature.pow(&self.public_exponent).retrieve() != number {
            return Err(SigningError::Unavailable);
        }
        let bytes = signature.retrieve().to_be_bytes();
        // As wide as the machine's words: the front is zeros.
        let excess = bytes.len().checked_sub(self.bytes()).ok_or(SigningError::Unavailable)?;
        Ok(bytes.get(excess..).unwrap_or_default().to_vec())
    }
}

/// MGF1 (B.2.1).
fn mgf1(hash: Hash, seed: &[u8], length: usize) -> Vec<u8> {
    let mut mask = Vec::with_capacity(length + 64);
    let mut counter = 0_u32;
    while mask.len() < length {
        mask.extend(hash.digest(&[seed, &counter.to_be_bytes()].concat()));
        counter += 1;
    }
    mask.truncate(length);
    mask
}
