//! Which signatures there are: the digest, the key, and how its parameters are written.
//!
//! Each enumeration is complete in itself, so that a matrix can run over all of it.

use std::fmt;
use std::str::FromStr;

use openssl::hash::MessageDigest;
use openssl::nid::Nid;

use crate::der::{constructed, integer, oid, sequence, tlv};

/// A hash (ICAO 9303-12, 4.4.4; SHA-1 of the documents from before).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DigestKind {
    /// SHA-1.
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl DigestKind {
    /// All of them, the shortest first.
    pub const ALL: [Self; 5] = [Self::Sha1, Self::Sha224, Self::Sha256, Self::Sha384, Self::Sha512];

    /// Its name in card descriptions.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha224 => "sha224",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    /// Its length in bytes.
    pub fn length(self) -> u8 {
        match self {
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    pub(crate) fn message_digest(self) -> MessageDigest {
        match self {
            Self::Sha1 => MessageDigest::sha1(),
            Self::Sha224 => MessageDigest::sha224(),
            Self::Sha256 => MessageDigest::sha256(),
            Self::Sha384 => MessageDigest::sha384(),
            Self::Sha512 => MessageDigest::sha512(),
        }
    }

    /// Its AlgorithmIdentifier: without parameters, SHA-1 with NULL as it is found (RFC 5754, 2; RFC 3370, 2.1).
    pub(crate) fn algorithm(self) -> Vec<u8> {
        match self {
            Self::Sha1 => self.algorithm_with_null(),
            _ => sequence(&[self.oid()]),
        }
    }

    /// The same with NULL parameters, as RSASSA-PSS wants it (RFC 4055, 2.1).
    pub(super) fn algorithm_with_null(self) -> Vec<u8> {
        sequence(&[self.oid(), null()])
    }

    fn oid(self) -> Vec<u8> {
        let nist = |last| oid(&[2, 16, 840, 1, 101, 3, 4, 2, last]);
        match self {
            Self::Sha1 => oid(&[1, 3, 14, 3, 2, 26]),
            Self::Sha224 => nist(4),
            Self::Sha256 => nist(1),
            Self::Sha384 => nist(2),
            Self::Sha512 => nist(3),
        }
    }
}

impl fmt::Display for DigestKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for DigestKind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or(UnknownKind)
    }
}

/// The curve of an ECDSA key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Curve {
    /// NIST P-224.
    P224,
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
    /// brainpoolP224r1.
    BrainpoolP224r1,
    /// brainpoolP256r1.
    BrainpoolP256r1,
    /// brainpoolP320r1.
    BrainpoolP320r1,
    /// brainpoolP384r1.
    BrainpoolP384r1,
    /// brainpoolP512r1.
    BrainpoolP512r1,
}

impl Curve {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::P224,
        Self::P256,
        Self::P384,
        Self::P521,
        Self::BrainpoolP224r1,
        Self::BrainpoolP256r1,
        Self::BrainpoolP320r1,
        Self::BrainpoolP384r1,
        Self::BrainpoolP512r1,
    ];

    /// The other one of its length, if there is one.
    pub fn of_the_same_length(self) -> Option<Self> {
        Some(match self {
            Self::P224 => Self::BrainpoolP224r1,
            Self::P256 => Self::BrainpoolP256r1,
            Self::P384 => Self::BrainpoolP384r1,
            Self::BrainpoolP224r1 => Self::P224,
            Self::BrainpoolP256r1 => Self::P256,
            Self::BrainpoolP384r1 => Self::P384,
            Self::P521 | Self::BrainpoolP320r1 | Self::BrainpoolP512r1 => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::P224 => "p224",
            Self::P256 => "p256",
            Self::P384 => "p384",
            Self::P521 => "p521",
            Self::BrainpoolP224r1 => "brainpool-p224r1",
            Self::BrainpoolP256r1 => "brainpool-p256r1",
            Self::BrainpoolP320r1 => "brainpool-p320r1",
            Self::BrainpoolP384r1 => "brainpool-p384r1",
            Self::BrainpoolP512r1 => "brainpool-p512r1",
        }
    }

    pub(crate) fn nid(self) -> Nid {
        match self {
            Self::P224 => Nid::SECP224R1,
            Self::P256 => Nid::X9_62_PRIME256V1,
            Self::P384 => Nid::SECP384R1,
            Self::P521 => Nid::SECP521R1,
            Self::BrainpoolP224r1 => Nid::BRAINPOOL_P224R1,
            Self::BrainpoolP256r1 => Nid::BRAINPOOL_P256R1,
            Self::BrainpoolP320r1 => Nid::BRAINPOOL_P320R1,
            Self::BrainpoolP384r1 => Nid::BRAINPOOL_P384R1,
            Self::BrainpoolP512r1 => Nid::BRAINPOOL_P512R1,
        }
    }
}

/// How the curve is written in the key (ICAO 9303-12, 7.1.1, wants the second; the first is common too).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ParameterForm {
    /// By its object identifier.
    Named,
    /// By its numbers (BSI TR-03111, 5.1.1).
    Explicit,
    /// By the object identifier of the other curve of its length, where there is one: a mistake of the issuer.
    Misnamed,
}

/// The parameters of RSASSA-PSS (RFC 4055, 3.1). The mask generation is MGF1 with the same hash in all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PssParameters {
    /// The salt as long as the hash; the key calls itself rsaEncryption.
    Usual,
    /// The same, and the key calls itself id-RSASSA-PSS.
    KeyToo,
    /// A salt of so many bytes.
    Salt(u8),
    /// None written. Signed with the hash around it and a salt as long as that, as chips have been seen to do;
    /// by the letter it would mean SHA-1.
    Absent,
}

/// A signer's key, and the signature it makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SignerKind {
    /// RSA, PKCS#1 version 1.5.
    RsaPkcs1 {
        /// Length of the modulus.
        bits: u32,
    },
    /// RSA, PSS.
    RsaPss {
        /// Length of the modulus.
        bits: u32,
        /// How the parameters are chosen and written.
        parameters: PssParameters,
    },
    /// ECDSA.
    Ecdsa {
        /// The curve.
        curve: Curve,
        /// How it is written.
        parameters: ParameterForm,
    },
}

/// No digest and no signer has that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no digest or signer of that name")]
pub struct UnknownKind;

impl SignerKind {
    /// ECDSA on P-256 by name.
    pub const ECDSA_P256: Self = Self::named(Curve::P256);
    /// ECDSA on P-384 by name.
    pub const ECDSA_P384: Self = Self::named(Curve::P384);
    /// RSA, 2048 bits, PKCS#1 version 1.5.
    pub const RSA_2048: Self = Self::RsaPkcs1 { bits: 2048 };

    /// ECDSA on a curve that is named.
    pub const fn named(curve: Curve) -> Self {
        Self::Ecdsa { curve, parameters: ParameterForm::Named }
    }

    /// ECDSA on a curve that is written out.
    pub const fn explicit(curve: Curve) -> Self {
        Self::Ecdsa { curve, parameters: ParameterForm::Explicit }
    }

    /// ECDSA on a curve that goes by the name of another.
    pub const fn misnamed(curve: Curve) -> Self {
        Self::Ecdsa { curve, parameters: ParameterForm::Misnamed }
    }

    /// All of them that are as they should be.
    pub fn all() -> Vec<Self> {
        const BITS: [u32; 3] = [2048, 3072, 4096];
        const PSS: [PssParameters; 4] =
            [PssParameters::Usual, PssParameters::KeyToo, PssParameters::Salt(20), PssParameters::Absent];
        let mut all: Vec<Self> = BITS.map(|bits| Self::RsaPkcs1 { bits }).into();
        for bits in BITS {
            // What the parameters say has nothing to do with the length: one length has them all.
            let forms = PSS.iter().filter(|&&form| bits == 2048 || form == PssParameters::Usual);
            all.extend(forms.map(|&parameters| Self::RsaPss { bits, parameters }));
        }
        all.extend(Curve::ALL.into_iter().flat_map(|curve| [Self::named(curve), Self::explicit(curve)]));
        all
    }

    /// Every digest with every signer, but for the pairs that say the same twice.
    pub fn combinations() -> Vec<(DigestKind, Self)> {
        let pairs = |kind| DigestKind::ALL.map(|digest| (digest, kind));
        // With SHA-1 a salt of 20 bytes is the usual one.
        let twice = |&(digest, kind): &(DigestKind, Self)| {
            let salt = Self::RsaPss { bits: 2048, parameters: PssParameters::Salt(digest.length()) };
            kind == salt
        };
        Self::all().into_iter().flat_map(pairs).filter(|pair| !twice(pair)).collect()
    }

    /// The AlgorithmIdentifier of its signature.
    pub(crate) fn signature_algorithm(self, digest: DigestKind) -> Vec<u8> {
        match self {
            Self::RsaPkcs1 { .. } => {
                let last = match digest {
                    DigestKind::Sha1 => 5,
                    DigestKind::Sha224 => 14,
                    DigestKind::Sha256 => 11,
                    DigestKind::Sha384 => 12,
                    DigestKind::Sha512 => 13,
                };
                // Parameters NULL (RFC 4055, 5).
                sequence(&[pkcs1(last), null()])
            }
            Self::RsaPss { parameters: PssParameters::Absent, .. } => sequence(&[pkcs1(ID_RSASSA_PSS)]),
            Self::RsaPss { parameters, .. } => {
                sequence(&[pkcs1(ID_RSASSA_PSS), pss_parameters(digest, parameters.salt(digest))])
            }
            Self::Ecdsa { .. } => {
                // Without parameters (RFC 5758, 3.2).
                sequence(&[match digest {
                    DigestKind::Sha1 => oid(&[1, 2, 840, 10045, 4, 1]),
                    DigestKind::Sha224 => oid(&[1, 2, 840, 10045, 4, 3, 1]),
                    DigestKind::Sha256 => oid(&[1, 2, 840, 10045, 4, 3, 2]),
                    DigestKind::Sha384 => oid(&[1, 2, 840, 10045, 4, 3, 3]),
                    DigestKind::Sha512 => oid(&[1, 2, 840, 10045, 4, 3, 4]),
                }])
            }
        }
    }

    /// The AlgorithmIdentifier of the bare key, as some write in place of that of the signature.
    pub(crate) fn key_algorithm(self) -> Vec<u8> {
        match self {
            Self::RsaPkcs1 { .. } => sequence(&[pkcs1(1), null()]),
            Self::RsaPss { .. } => sequence(&[pkcs1(ID_RSASSA_PSS)]),
            Self::Ecdsa { .. } => sequence(&[oid(&[1, 2, 840, 10045, 2, 1])]),
        }
    }
}

impl PssParameters {
    pub(crate) fn salt(self, digest: DigestKind) -> u8 {
        match self {
            Self::Usual | Self::KeyToo | Self::Absent => digest.length(),
            Self::Salt(length) => length,
        }
    }
}

const ID_RSASSA_PSS: u32 = 10;

fn pkcs1(last: u32) -> Vec<u8> {
    oid(&[1, 2, 840, 113_549, 1, 1, last])
}

fn null() -> Vec<u8> {
    tlv(0x05, &[])
}

/// RSASSA-PSS-params. In DER what is the default stays unwritten: SHA-1, MGF1 with SHA-1, 20 bytes.
fn pss_parameters(digest: DigestKind, salt: u8) -> Vec<u8> {
    let mut parts = Vec::new();
    if digest != DigestKind::Sha1 {
        let mask = sequence(&[pkcs1(8), digest.algorithm_with_null()]);
        parts.extend([constructed(0xA0, &[digest.algorithm_with_null()]), constructed(0xA1, &[mask])]);
    }
    if salt != 20 {
        parts.push(constructed(0xA2, &[integer(u32::from(salt))]));
    }
    sequence(&parts)
}

impl fmt::Display for SignerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RsaPkcs1 { bits } => write!(f, "rsa-{bits}"),
            Self::RsaPss { bits, parameters } => {
                write!(f, "rsa-pss-{bits}")?;
                match parameters {
                    PssParameters::Usual => Ok(()),
                    PssParameters::KeyToo => f.write_str("-key"),
                    PssParameters::Salt(length) => write!(f, "-salt-{length}"),
                    PssParameters::Absent => f.write_str("-absent"),
                }
            }
            Self::Ecdsa { curve, parameters } => {
                write!(f, "ecdsa-{}", curve.name())?;
                match parameters {
                    ParameterForm::Named => Ok(()),
                    ParameterForm::Explicit => f.write_str("-explicit"),
                    ParameterForm::Misnamed => f.write_str("-misnamed"),
                }
            }
        }
    }
}

impl FromStr for SignerKind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        Self::all().into_iter().find(|kind| kind.to_string() == name).ok_or(UnknownKind)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own_and_is_found_by_it() {
        let all = SignerKind::all();
        let names: BTreeSet<String> = all.iter().map(SignerKind::to_string).collect();
        assert_eq!(names.len(), all.len());
        for kind in all {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        for digest in DigestKind::ALL {
            assert_eq!(digest.to_string().parse(), Ok(digest));
            assert_eq!(usize::from(digest.length()), digest.message_digest().size());
        }
        assert_eq!("rsa-1".parse::<SignerKind>(), Err(UnknownKind));
    }

    #[test]
    fn every_pair_of_digest_and_signer_says_something_of_its_own() {
        // 3 PKCS#1, 6 PSS, 18 ECDSA, times five, less the salt that is the usual one.
        let pairs = SignerKind::combinations();
        assert_eq!(pairs.len(), 27 * 5 - 1);
        let usual = SignerKind::RsaPss { bits: 2048, parameters: PssParameters::Salt(20) };
        assert!(!pairs.contains(&(DigestKind::Sha1, usual)));
        assert!(pairs.contains(&(DigestKind::Sha256, usual)));
    }

    #[test]
    fn what_is_the_default_of_pss_stays_unwritten() {
        let usual = SignerKind::RsaPss { bits: 2048, parameters: PssParameters::Usual };
        let written = usual.signature_algorithm(DigestKind::Sha1);
        assert!(written.ends_with(&[0x0A, 0x30, 0x00]));
        let salt = SignerKind::RsaPss { bits: 2048, parameters: PssParameters::Salt(20) };
        assert!(!salt.signature_algorithm(DigestKind::Sha256).windows(2).any(|tag| tag == [0xA2, 0x03]));
        assert!(usual.signature_algorithm(DigestKind::Sha256).ends_with(&[0xA2, 0x03, 0x02, 0x01, 0x20]));
        let absent = SignerKind::RsaPss { bits: 2048, parameters: PssParameters::Absent };
        assert!(absent.signature_algorithm(DigestKind::Sha256).ends_with(&[0x01, 0x0A]));
    }
}
