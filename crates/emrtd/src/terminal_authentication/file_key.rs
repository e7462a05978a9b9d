//! A station's key from a file (RFC 5958; RFC 5915, 3; RFC 8017, A.1.2).

use cccd_card::tlv::{Tag, TlvError, TlvReader};
use cccd_curve::{CurveId, KeyPair};
use const_oid::ObjectIdentifier;
use rand_core::TryCryptoRng;

use super::key::{Algorithm, SigningError, TerminalKey, TerminalPublicKey};
use super::rsa::RsaPrivateKey;
use crate::entropy::NoEntropy;

/// Why bytes are no private key of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// They are no PrivateKeyInfo with a key in it.
    #[error("not a private key in PKCS #8: {0}")]
    Structure(#[from] TlvError),
    /// They are a key under a password.
    #[error("private key is encrypted; decrypt it with `openssl pkcs8`")]
    Encrypted,
    /// It is for neither ECDSA nor RSA.
    #[error("private key is for neither ECDSA nor RSA")]
    Kind,
    /// Its curve is unknown here.
    #[error("private key is on no known curve")]
    Curve,
    /// The numbers are no private key.
    #[error("private key is out of range")]
    Range,
}

const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// rsaEncryption, and id-RSASSA-PSS.
const RSA: [ObjectIdentifier; 2] = [
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1"),
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10"),
];

/// A key from a file. It is wiped when dropped.
#[derive(Debug)]
pub struct FileTerminalKey {
    secret: Secret,
    public: TerminalPublicKey,
}

#[derive(Debug)]
enum Secret {
    Ecdsa(KeyPair),
    Rsa(RsaPrivateKey),
}

impl FileTerminalKey {
    /// Reads a PrivateKeyInfo with an ECPrivateKey or an RSAPrivateKey, not encrypted.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyFileError> {
        let mut info = TlvReader::new(TlvReader::new(der).expect(Tag(0x30))?);
        if info.peek_tag() == Some(Tag(0x30)) {
            // EncryptedPrivateKeyInfo begins with its algorithm.
            return Err(KeyFileError::Encrypted);
        }
        info.expect(Tag(0x02))?;
        let mut algorithm = TlvReader::new(info.expect(Tag(0x30))?);
        let oid =
            ObjectIdentifier::from_bytes(algorithm.expect(Tag(0x06))?).map_err(|_| KeyFileError::Kind)?;
        let key = info.expect(Tag(0x04))?;
        if RSA.contains(&oid) {
            let secret = RsaPrivateKey::parse(key)?;
            let public = TerminalPublicKey::Rsa(secret.modulus());
            return Ok(Self { secret: Secret::Rsa(secret), public });
        }
        if oid != EC {
            return Err(KeyFileError::Kind);
        }
        let curve = CurveId::from_algorithm(oid, Some(algorithm.rest())).map_err(|_| KeyFileError::Curve)?;
        let mut key = TlvReader::new(TlvReader::new(key).expect(Tag(0x30))?);
        key.expect(Tag(0x02))?;
        let pair = KeyPair::from_secret(curve, key.expect(Tag(0x04))?).map_err(|_| KeyFileError::Range)?;
        let public = TerminalPublicKey::Ecdsa(pair.public_key().to_vec());
        Ok(Self { secret: Secret::Ecdsa(pair), public })
    }
}

impl TerminalKey for FileTerminalKey {
    fn public_key(&self) -> &TerminalPublicKey {
        &self.public
    }

    fn sign(
        &self,
        algorithm: ObjectIdentifier,
        message: &[u8],
        random: &mut dyn TryCryptoRng<Error = NoEntropy>,
    ) -> Result<Vec<u8>, SigningError> {
        match (&self.secret, Algorithm::of(algorithm)) {
            (Secret::Ecdsa(pair), Some(Algorithm::Ecdsa(hash))) => {
                let signature =
                    pair.sign(&hash.digest(message), random).map_err(|_| SigningError::Unavailable)?;
                Ok([signature.r, signature.s].concat())
            }
            (Secret::Rsa(key), Some(Algorithm::RsaPkcs1(hash))) => key.sign_pkcs1(hash, message),
            (Secret::Rsa(key), Some(Algorithm::RsaPss(hash))) => key.sign_pss(hash, message, random),
            _ => Err(SigningError::Algorithm(algorithm)),
        }
    }
}

#[cfg(test)]
mod tests {
    use cccd_firmware_sim::pki::{CvAuthority, CvPlan, SignerKind};

    use super::*;

    fn pkcs8(signer: SignerKind) -> Vec<u8> {
        CvAuthority::root(CvPlan { signer, ..CvPlan::root("UTCVCA00001") })
            .unwrap()
            .private_key_pkcs8()
            .unwrap()
    }

    #[test]
    fn no_cut_or_changed_key_panics() {
        for signer in [SignerKind::ECDSA_P256, SignerKind::RSA_2048] {
            let bytes = pkcs8(signer);
            assert!(FileTerminalKey::from_pkcs8(&bytes).is_ok());
            for length in 0..bytes.len().min(60) {
                assert!(FileTerminalKey::from_pkcs8(&bytes[..length]).is_err(), "{length}");
            }
            for at in 0..bytes.len().min(60) {
                let mut changed = bytes.clone();
                changed[at] ^= 0xFF;
                let _ = FileTerminalKey::from_pkcs8(&changed);
            }
        }
    }

    #[test]
    fn what_is_no_key_of_use_says_why() {
        let encrypted = [0x30, 0x04, 0x30, 0x02, 0x05, 0x00];
        assert_eq!(FileTerminalKey::from_pkcs8(&encrypted).err(), Some(KeyFileError::Encrypted));
        // Ed25519 (RFC 8410, 10.3).
        let other = crate::testing::hex(
            "302E020100300506032B657004220420D4EE72DBF913584AD5B6D8F1F769F8AD3AFE7C28CBF1D4FBE097A88F44755842",
        );
        assert_eq!(FileTerminalKey::from_pkcs8(&other).err(), Some(KeyFileError::Kind));
        assert!(matches!(FileTerminalKey::from_pkcs8(b"x").err(), Some(KeyFileError::Structure(_))));
    }

    #[test]
    fn a_key_signs_with_what_it_is_for_and_nothing_else() {
        let oid = ObjectIdentifier::new_unwrap;
        let (ecdsa, rsa) = (oid("0.4.0.127.0.7.2.2.2.2.3"), oid("0.4.0.127.0.7.2.2.2.1.4"));
        for (signer, right, wrong) in
            [(SignerKind::ECDSA_P256, ecdsa, rsa), (SignerKind::RSA_2048, rsa, ecdsa)]
        {
            let key = FileTerminalKey::from_pkcs8(&pkcs8(signer)).unwrap();
            let mut random = crate::testing::FixedRng(crate::testing::Fixed::new(&[&[7; 64]]));
            assert!(key.sign(right, b"message", &mut random).is_ok());
            assert_eq!(key.sign(wrong, b"message", &mut random), Err(SigningError::Algorithm(wrong)));
        }
    }
}
