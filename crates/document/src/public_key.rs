//! Public keys as chips and certificates write them (RFC 5280, 4.1.2.7): what they are, not what they are worth.

use const_oid::ObjectIdentifier;
use der::asn1::{AnyRef, BitStringRef, UintRef};
use der::{Decode, Encode, Reader, SliceReader, Tag as DerTag};
use spki::SubjectPublicKeyInfoRef;

use crate::MalformedFile;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// X9.42 and PKCS #3 keys for Diffie-Hellman.
const DH: [ObjectIdentifier; 2] =
    [ObjectIdentifier::new_unwrap("1.2.840.10046.2.1"), ObjectIdentifier::new_unwrap("1.2.840.113549.1.3.1")];
/// `standardizedDomainParameters` (TR-03110-3, A.2.1.1): the curve is named by its number in PACE's table.
const STANDARDISED: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.4.0.127.0.7.1.2");

/// A SubjectPublicKeyInfo: the bytes as they came, and what kind of key they hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// The whole SubjectPublicKeyInfo.
    pub der: Vec<u8>,
    /// Its algorithm's identifier.
    pub algorithm: ObjectIdentifier,
    /// Its algorithm's parameters, encoded, if it has any.
    pub parameters: Option<Vec<u8>>,
    /// What kind of key it is.
    pub kind: KeyKind,
    /// The subjectPublicKey's bytes: an RSAPublicKey, an uncompressed point, an INTEGER.
    pub key: Vec<u8>,
}

/// The kinds of key a chip may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyKind {
    /// RSA, with the modulus' length in bits.
    Rsa {
        /// Length of the modulus.
        bits: usize,
    },
    /// A point of an elliptic curve.
    Ec {
        /// Which curve.
        curve: Curve,
        /// Length of a coordinate in bits, rounded up to whole bytes.
        bits: usize,
    },
    /// Diffie-Hellman over integers.
    Dh,
    /// Something else: see the algorithm's identifier.
    Unknown,
}

/// How a key says which curve it is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Curve {
    /// By name.
    Named(ObjectIdentifier),
    /// By number in table 6 of ICAO 9303-11, 9.5.1.
    Standardised(u8),
    /// By spelling out its parameters. Vietnam's passport CSCA does; whoever uses the key must find them
    /// among the known curves.
    Explicit,
    /// Not at all, or in a way nobody has defined.
    Unstated,
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo. Bytes after it are an error.
    pub fn parse(bytes: &[u8]) -> Result<Self, MalformedFile> {
        let spki = SubjectPublicKeyInfoRef::from_der(bytes)?;
        Self::from_parts(bytes, &spki)
    }

    fn from_parts(
        bytes: &[u8],
        spki: &spki::SubjectPublicKeyInfo<AnyRef<'_>, BitStringRef<'_>>,
    ) -> Result<Self, MalformedFile> {
        let algorithm = spki.algorithm.oid;
        let key =
            spki.subject_public_key.as_bytes().ok_or(MalformedFile::Impossible(cccd_card::tlv::Tag(0x03)))?;
        let kind = if algorithm == RSA || algorithm == RSA_PSS {
            KeyKind::Rsa { bits: modulus_bits(key)? }
        } else if algorithm == EC {
            // Uncompressed points only (BSI TR-03111, 3.2.1): 04, x, y.
            KeyKind::Ec { curve: curve(spki.algorithm.parameters), bits: key.len() / 2 * 8 }
        } else if DH.contains(&algorithm) {
            KeyKind::Dh
        } else if algorithm == STANDARDISED {
            KeyKind::Ec { curve: standardised(spki.algorithm.parameters), bits: key.len() / 2 * 8 }
        } else {
            KeyKind::Unknown
        };
        let parameters = spki.algorithm.parameters.map(|any| any.to_der()).transpose()?;
        Ok(Self { der: bytes.to_vec(), algorithm, parameters, kind, key: key.to_vec() })
    }
}

/// RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER } (RFC 8017, A.1.1).
fn modulus_bits(key: &[u8]) -> Result<usize, MalformedFile> {
    let mut reader = SliceReader::new(key)?;
    let modulus = reader.sequence(|inner: &mut SliceReader<'_>| {
        let modulus = UintRef::decode(inner)?;
        UintRef::decode(inner)?;
        Ok::<_, der::Error>(modulus)
    })?;
    reader.finish()?;
    let bytes = modulus.as_bytes();
    let unused = bytes.first().map_or(0, |first| first.leading_zeros());
    Ok((bytes.len() * 8).saturating_sub(usize::try_from(unused).unwrap_or(0)))
}

fn curve(parameters: Option<AnyRef<'_>>) -> Curve {
    match parameters {
        Some(any) if any.header().tag() == DerTag::ObjectIdentifier => {
            any.decode_as::<ObjectIdentifier>().map_or(Curve::Unstated, Curve::Named)
        }
        Some(any) if any.header().tag() == DerTag::Sequence => Curve::Explicit,
        _ => Curve::Unstated,
    }
}

fn standardised(parameters: Option<AnyRef<'_>>) -> Curve {
    parameters.and_then(|any| any.decode_as::<u8>().ok()).map_or(Curve::Unstated, Curve::Standardised)
}
