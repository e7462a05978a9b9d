//! The private key of a station, wherever it is kept.

use cccd_card::tlv::{Tag, TlvError, TlvReader};
use cccd_curve::{CurveId, KeyPair};
use const_oid::ObjectIdentifier;
use rand_core::TryCryptoRng;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use crate::entropy::NoEntropy;

/// A key that signs for a terminal. One from a file is [`EcdsaTerminalKey`]; a token has an implementation of
/// its own.
pub trait TerminalKey: Send + Sync {
    /// Signs `message` with the algorithm the terminal's certificate names (BSI TR-03110-3, A.6.4): with ECDSA
    /// r and s side by side, each as wide as the order.
    fn sign(
        &self,
        algorithm: ObjectIdentifier,
        message: &[u8],
        random: &mut dyn TryCryptoRng<Error = NoEntropy>,
    ) -> Result<Vec<u8>, SigningError>;
}

/// Why a key did not sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SigningError {
    /// The certificate names an algorithm that this key is not for.
    #[error("key does not sign with {0}")]
    Algorithm(ObjectIdentifier),
    /// The token does not answer, or the random source failed.
    #[error("key is out of reach")]
    Unavailable,
}

/// Why bytes are no private key of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// They are no PrivateKeyInfo with an ECPrivateKey in it.
    #[error(transparent)]
    Structure(#[from] TlvError),
    /// Its curve is unknown here.
    #[error("private key is on no known curve")]
    Curve,
    /// The number is no private key of that curve.
    #[error("private key is out of range")]
    Range,
}

/// id-TA-ECDSA, to which the hash adds an arc.
const ID_TA_ECDSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.4.0.127.0.7.2.2.2.2");

/// An ECDSA key from a file.
#[derive(Debug)]
pub struct EcdsaTerminalKey(KeyPair);

impl EcdsaTerminalKey {
    /// Reads a PrivateKeyInfo with an ECPrivateKey (RFC 5208, 5; RFC 5915, 3), not encrypted.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyFileError> {
        let mut info = TlvReader::new(TlvReader::new(der).expect(Tag(0x30))?);
        info.expect(Tag(0x02))?;
        let mut algorithm = TlvReader::new(info.expect(Tag(0x30))?);
        let oid =
            ObjectIdentifier::from_bytes(algorithm.expect(Tag(0x06))?).map_err(|_| KeyFileError::Curve)?;
        let curve = CurveId::from_algorithm(oid, Some(algorithm.rest())).map_err(|_| KeyFileError::Curve)?;
        let mut key = TlvReader::new(TlvReader::new(info.expect(Tag(0x04))?).expect(Tag(0x30))?);
        key.expect(Tag(0x02))?;
        let secret = key.expect(Tag(0x04))?;
        KeyPair::from_secret(curve, secret).map(Self).map_err(|_| KeyFileError::Range)
    }
}

impl TerminalKey for EcdsaTerminalKey {
    fn sign(
        &self,
        algorithm: ObjectIdentifier,
        message: &[u8],
        random: &mut dyn TryCryptoRng<Error = NoEntropy>,
    ) -> Result<Vec<u8>, SigningError> {
        let unknown = SigningError::Algorithm(algorithm);
        let ecdsa = algorithm.parent() == Some(ID_TA_ECDSA);
        let digest = match algorithm.arcs().last().filter(|_| ecdsa) {
            Some(1) => Sha1::digest(message).to_vec(),
            Some(2) => Sha224::digest(message).to_vec(),
            Some(3) => Sha256::digest(message).to_vec(),
            Some(4) => Sha384::digest(message).to_vec(),
            Some(5) => Sha512::digest(message).to_vec(),
            _ => return Err(unknown),
        };
        let signature = self.0.sign(&digest, random).map_err(|_| SigningError::Unavailable)?;
        Ok([signature.r, signature.s].concat())
    }
}
