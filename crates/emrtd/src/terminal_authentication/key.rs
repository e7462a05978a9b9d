//! The private key of a station, wherever it is kept.

use const_oid::ObjectIdentifier;
use rand_core::TryCryptoRng;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use crate::entropy::NoEntropy;

/// A key that signs for a terminal. One from a file is [`FileTerminalKey`](crate::FileTerminalKey); a token has an
/// implementation of its own, outside this crate.
pub trait TerminalKey: Send + Sync {
    /// Its public half: the certificates that hold it are the key's own.
    fn public_key(&self) -> &TerminalPublicKey;

    /// Signs `message` with the algorithm the terminal's certificate names (BSI TR-03110-3, A.6.4): with ECDSA
    /// r and s side by side, each as wide as the order; with RSA as long as the modulus.
    fn sign(
        &self,
        algorithm: ObjectIdentifier,
        message: &[u8],
        random: &mut dyn TryCryptoRng<Error = NoEntropy>,
    ) -> Result<Vec<u8>, SigningError>;
}

/// A terminal's public key, as far as two can be told apart by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TerminalPublicKey {
    /// ECDSA: an uncompressed point.
    Ecdsa(Vec<u8>),
    /// RSA: the modulus, big-endian, without leading zeros.
    Rsa(Vec<u8>),
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

/// id-TA-RSA, to which padding and hash add an arc.
const ID_TA_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.4.0.127.0.7.2.2.2.1");
/// id-TA-ECDSA, to which the hash adds an arc.
const ID_TA_ECDSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.4.0.127.0.7.2.2.2.2");

/// An algorithm of terminal authentication (BSI TR-03110-3, A.6.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    RsaPkcs1(Hash),
    RsaPss(Hash),
    Ecdsa(Hash),
}

/// A hash of terminal authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl Algorithm {
    pub(super) fn of(oid: ObjectIdentifier) -> Option<Self> {
        let last = oid.arcs().last()?;
        let parent = oid.parent()?;
        if parent == ID_TA_RSA {
            return Some(match last {
                1 => Self::RsaPkcs1(Hash::Sha1),
                2 => Self::RsaPkcs1(Hash::Sha256),
                3 => Self::RsaPss(Hash::Sha1),
                4 => Self::RsaPss(Hash::Sha256),
                5 => Self::RsaPkcs1(Hash::Sha512),
                6 => Self::RsaPss(Hash::Sha512),
                _ => return None,
            });
        }
        (parent == ID_TA_ECDSA).then_some(())?;
        Some(Self::Ecdsa(match last {
            1 => Hash::Sha1,
            2 => Hash::Sha224,
            3 => Hash::Sha256,
            4 => Hash::Sha384,
            5 => Hash::Sha512,
            _ => return None,
        }))
    }

    pub(super) fn name(self) -> String {
        let (family, hash) = match self {
            Self::RsaPkcs1(hash) => ("RSA-PKCS1", hash),
            Self::RsaPss(hash) => ("RSA-PSS", hash),
            Self::Ecdsa(hash) => ("ECDSA", hash),
        };
        format!("{family}-{}", hash.name())
    }
}

impl Hash {
    pub(super) fn digest(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(message).to_vec(),
            Self::Sha224 => Sha224::digest(message).to_vec(),
            Self::Sha256 => Sha256::digest(message).to_vec(),
            Self::Sha384 => Sha384::digest(message).to_vec(),
            Self::Sha512 => Sha512::digest(message).to_vec(),
        }
    }

    /// Its object identifier.
    pub(super) fn oid(self) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap(match self {
            Self::Sha1 => "1.3.14.3.2.26",
            Self::Sha224 => "2.16.840.1.101.3.4.2.4",
            Self::Sha256 => "2.16.840.1.101.3.4.2.1",
            Self::Sha384 => "2.16.840.1.101.3.4.2.2",
            Self::Sha512 => "2.16.840.1.101.3.4.2.3",
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA-1",
            Self::Sha224 => "SHA-224",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        }
    }
}
