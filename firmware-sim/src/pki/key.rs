//! Private keys that sign, and how their public halves are written.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use openssl::asn1::Asn1Object;
use openssl::bn::{BigNum, BigNumContext, BigNumRef};
use openssl::ec::{Asn1Flag, EcGroup, EcKey, PointConversionForm};
use openssl::error::ErrorStack;
use openssl::hash::{MessageDigest, hash};
use openssl::pkey::{PKey, Private};
use openssl::rsa::{Padding, Rsa, RsaPrivateKeyBuilder};
use openssl::sign::{RsaPssSaltlen, Signer};

use crate::der::{bits, oid, sequence, tlv};

use super::forgery::{Forgery, cube_root, zeros};
use super::kind::{DigestKind, ParameterForm, PssParameters, SignerKind};

/// A private key and the kind of signature it makes.
#[derive(Clone)]
pub struct SigningKey {
    kind: SignerKind,
    key: PKey<Private>,
    /// What it makes in place of signatures.
    forgery: Option<Forgery>,
}

impl SigningKey {
    /// A new key. The modulus of an RSA key has short factors, since two long ones take seconds to find; who
    /// verifies sees neither.
    pub fn generate(kind: SignerKind) -> Result<Self, ErrorStack> {
        let key = match kind {
            SignerKind::RsaPkcs1 { bits } | SignerKind::RsaPss { bits, .. } => {
                PKey::from_rsa(rsa_of_short_factors(bits, 65537)?)?
            }
            SignerKind::Ecdsa { curve, parameters } => {
                let mut group = EcGroup::from_curve_name(curve.nid())?;
                group.set_asn1_flag(match parameters {
                    ParameterForm::Named | ParameterForm::Misnamed => Asn1Flag::NAMED_CURVE,
                    ParameterForm::Explicit => Asn1Flag::EXPLICIT_CURVE,
                });
                PKey::from_ec_key(EcKey::generate(&group)?)?
            }
        };
        Ok(Self { kind, key, forgery: None })
    }

    /// A key from a drawer of this process: the same `number` gives the same RSA key again.
    pub(crate) fn from_drawer(kind: SignerKind, exponent: u32, number: usize) -> Result<Self, ErrorStack> {
        type Drawer = HashMap<(u32, u32, usize), PKey<Private>>;
        static DRAWER: Mutex<Option<Drawer>> = Mutex::new(None);
        let (SignerKind::RsaPkcs1 { bits } | SignerKind::RsaPss { bits, .. }) = kind else {
            return Self::generate(kind);
        };
        let place = (bits, exponent, number);
        let found = |drawer: &Option<Drawer>| drawer.as_ref().and_then(|keys| keys.get(&place).cloned());
        if let Some(key) = found(&DRAWER.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(Self { kind, key, forgery: None });
        }
        let made = PKey::from_rsa(rsa_of_short_factors(bits, exponent)?)?;
        let mut drawer = DRAWER.lock().unwrap_or_else(PoisonError::into_inner);
        // Two threads may both come here; both take what the first put in.
        let key = drawer.get_or_insert_with(HashMap::new).entry(place).or_insert(made).clone();
        Ok(Self { kind, key, forgery: None })
    }

    /// A key whose signatures are forged in that way, as if its private half were not known.
    pub fn forging(forgery: Forgery) -> Result<Self, ErrorStack> {
        let key = match forgery {
            Forgery::CubeRoot => Self::from_drawer(SignerKind::RSA_2048, 3, 0)?,
            Forgery::Zeros => Self::generate(SignerKind::ECDSA_P256)?,
        };
        Ok(Self { forgery: Some(forgery), ..key })
    }

    /// What it is.
    pub fn kind(&self) -> SignerKind {
        self.kind
    }

    /// The private key, for who needs more than a signature.
    pub fn private_key(&self) -> &PKey<Private> {
        &self.key
    }

    /// SubjectPublicKeyInfo.
    pub fn public_key(&self) -> Result<Vec<u8>, ErrorStack> {
        match self.kind {
            SignerKind::RsaPss { parameters: PssParameters::KeyToo, .. } => {
                Ok(sequence(&[self.kind.key_algorithm(), bits(&self.public_bits()?, 0)]))
            }
            SignerKind::Ecdsa { curve, parameters: ParameterForm::Misnamed } => {
                let name = curve.of_the_same_length().unwrap_or(curve).nid().long_name()?;
                let name = tlv(0x06, Asn1Object::from_str(name)?.as_slice());
                // id-ecPublicKey (RFC 5480, 2.1.1).
                let algorithm = sequence(&[oid(&[1, 2, 840, 10045, 2, 1]), name]);
                Ok(sequence(&[algorithm, bits(&self.public_bits()?, 0)]))
            }
            _ => self.key.public_key_to_der(),
        }
    }

    /// SHA-1 of the public key's bits (RFC 5280, 4.2.1.2, method 1).
    pub fn identifier(&self) -> Result<Vec<u8>, ErrorStack> {
        Ok(hash(MessageDigest::sha1(), &self.public_bits()?)?.to_vec())
    }

    /// The signature over `message`.
    pub fn sign(&self, digest: DigestKind, message: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        match (self.forgery, self.kind) {
            (Some(Forgery::CubeRoot), SignerKind::RsaPkcs1 { bits } | SignerKind::RsaPss { bits, .. }) => {
                return cube_root(bits, digest, message);
            }
            (Some(Forgery::Zeros), _) => return Ok(zeros()),
            _ => {}
        }
        let hash = digest.message_digest();
        let mut signer = Signer::new(hash, &self.key)?;
        if let SignerKind::RsaPss { parameters, .. } = self.kind {
            signer.set_rsa_padding(Padding::PKCS1_PSS)?;
            signer.set_rsa_mgf1_md(hash)?;
            signer.set_rsa_pss_saltlen(RsaPssSaltlen::custom(i32::from(parameters.salt(digest))))?;
        }
        signer.sign_oneshot_to_vec(message)
    }

    /// What stands in the BIT STRING: an uncompressed point, or the modulus and exponent.
    fn public_bits(&self) -> Result<Vec<u8>, ErrorStack> {
        match self.key.ec_key() {
            Ok(key) => {
                let mut context = BigNumContext::new()?;
                key.public_key().to_bytes(key.group(), PointConversionForm::UNCOMPRESSED, &mut context)
            }
            Err(_) => self.key.rsa()?.public_key_to_der_pkcs1(),
        }
    }
}

/// An RSA key whose modulus is a product of primes of about 1024 bits (RFC 8017, 3.2).
fn rsa_of_short_factors(bits: u32, exponent: u32) -> Result<Rsa<Private>, ErrorStack> {
    let factors = (bits / 1024).max(2);
    let count = usize::try_from(factors).unwrap_or(2);
    let length = i32::try_from(bits / factors).unwrap_or(1024);
    let wanted = i32::try_from(bits).unwrap_or(i32::MAX);
    let mut context = BigNumContext::new()?;
    loop {
        let (mut modulus, mut totient) = (BigNum::from_u32(1)?, BigNum::from_u32(1)?);
        let mut primes = Vec::new();
        while primes.len() < count {
            let mut prime = BigNum::new()?;
            prime.generate_prime(length, false, None, None)?;
            // The exponent, a prime, has an inverse unless it divides the totient.
            if prime.mod_word(exponent)? == 1 {
                continue;
            }
            let mut product = BigNum::new()?;
            product.checked_mul(&modulus, &prime, &mut context)?;
            modulus = product;
            let mut less = prime.to_owned()?;
            less.sub_word(1)?;
            let mut product = BigNum::new()?;
            product.checked_mul(&totient, &less, &mut context)?;
            totient = product;
            primes.push(prime);
        }
        // The product of many may fall a bit short.
        if modulus.num_bits() == wanted {
            let public = BigNum::from_u32(exponent)?;
            let mut private = BigNum::new()?;
            private.mod_inverse(&public, &totient, &mut context)?;
            let key = RsaPrivateKeyBuilder::new(modulus, public, private.to_owned()?)?;
            // Two are the usual number, and then the key can be written with all that belongs to it.
            let Ok([p, q]) = <[BigNum; 2]>::try_from(primes) else { return Ok(key.build()) };
            let exponents = (remainder(&private, &p)?, remainder(&private, &q)?);
            let mut coefficient = BigNum::new()?;
            coefficient.mod_inverse(&q, &p, &mut context)?;
            return Ok(key.set_factors(p, q)?.set_crt_params(exponents.0, exponents.1, coefficient)?.build());
        }
    }
}

/// A private exponent as far as one of the primes is concerned.
fn remainder(private: &BigNumRef, prime: &BigNumRef) -> Result<BigNum, ErrorStack> {
    let (mut less, mut rest) = (prime.to_owned()?, BigNum::new()?);
    less.sub_word(1)?;
    rest.nnmod(private, &less, &mut *BigNumContext::new()?)?;
    Ok(rest)
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.kind)
    }
}

#[cfg(test)]
mod tests {
    use openssl::sign::Verifier;

    use super::super::kind::Curve;
    use super::*;

    #[test]
    fn a_curve_that_is_written_out_has_no_name_and_is_the_same_curve() {
        for curve in Curve::ALL {
            let key = SigningKey::generate(SignerKind::explicit(curve)).unwrap();
            let info = key.public_key().unwrap();
            // id-prime-field stands only where the parameters are written out.
            let prime_field = [0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x01, 0x01];
            assert!(info.windows(9).any(|window| window == prime_field), "{curve:?}");
            let named = SigningKey::generate(SignerKind::named(curve)).unwrap().public_key().unwrap();
            assert!(!named.windows(9).any(|window| window == prime_field), "{curve:?}");

            let public = PKey::public_key_from_der(&info).unwrap();
            let signature = key.sign(DigestKind::Sha256, b"message").unwrap();
            let mut verifier = Verifier::new(MessageDigest::sha256(), &public).unwrap();
            assert!(verifier.verify_oneshot(&signature, b"message").unwrap(), "{curve:?}");
        }
    }

    #[test]
    fn pss_is_verified_with_just_the_salt_it_says() {
        for (parameters, salt) in [
            (PssParameters::Usual, 32),
            (PssParameters::KeyToo, 32),
            (PssParameters::Absent, 32),
            (PssParameters::Salt(20), 20),
        ] {
            let kind = SignerKind::RsaPss { bits: 2048, parameters };
            let key = SigningKey::from_drawer(kind, 65537, 0).unwrap();
            let signature = key.sign(DigestKind::Sha256, b"message").unwrap();
            let public = PKey::public_key_from_der(&key.key.public_key_to_der().unwrap()).unwrap();
            let verified = |salt| {
                let mut verifier = Verifier::new(MessageDigest::sha256(), &public).unwrap();
                verifier.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
                verifier.set_rsa_pss_saltlen(RsaPssSaltlen::custom(salt)).unwrap();
                verifier.verify_oneshot(&signature, b"message").unwrap_or(false)
            };
            assert!(verified(salt), "{parameters:?}");
            assert!(!verified(salt + 1), "{parameters:?}");
        }
    }

    #[test]
    fn keys_of_short_factors_have_their_length_and_sign_for_openssl() {
        for (bits, exponent) in [(2048, 3), (3072, 65537), (4096, 65537)] {
            let kind = SignerKind::RsaPkcs1 { bits };
            let key = SigningKey::from_drawer(kind, exponent, 7).unwrap();
            let public = PKey::public_key_from_der(&key.public_key().unwrap()).unwrap();
            assert_eq!(public.bits(), bits);
            assert_eq!(public.rsa().unwrap().e(), &BigNum::from_u32(exponent).unwrap());
            let signature = key.sign(DigestKind::Sha256, b"message").unwrap();
            let mut verifier = Verifier::new(MessageDigest::sha256(), &public).unwrap();
            assert!(verifier.verify_oneshot(&signature, b"message").unwrap(), "{bits}");
        }
    }

    #[test]
    fn the_drawer_gives_the_same_key_for_the_same_number_and_another_for_another() {
        let key = |exponent, number| {
            SigningKey::from_drawer(SignerKind::RSA_2048, exponent, number).unwrap().identifier().unwrap()
        };
        assert_eq!(key(65537, 0), key(65537, 0));
        assert_ne!(key(65537, 0), key(65537, 1));
        assert_ne!(key(65537, 0), key(3, 0));
    }
}
