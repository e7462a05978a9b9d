//! Signed messages (CMS SignedData; RFC 5652, 5): the structure of EF.SOD, EF.CardSecurity and master lists.
//!
//! Every piece that is hashed or verified later is kept as the bytes it came as. Lengths may be indefinite, and
//! certificates and attributes are not looked into: one odd certificate does not cost the message.

use std::fmt;

use cccd_card::tlv::{Tag, Tlv, TlvReader, encode};
use const_oid::ObjectIdentifier;
use der::Decode;
use spki::AlgorithmIdentifierOwned;

use crate::MalformedFile;
use crate::asn1::{INTEGER, OID, SEQUENCE, SET, take_oid};

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");

const OCTETS: Tag = Tag(0x04);
/// An OCTET STRING in pieces (X.690, 8.7.3).
const OCTETS_IN_PIECES: Tag = Tag(0x24);
/// `[0]` constructed: ContentInfo's content, eContent, certificates, signedAttrs.
const CONTEXT_0: Tag = Tag(0xA0);
/// `[1]` constructed: crls, unsignedAttrs.
const CONTEXT_1: Tag = Tag(0xA1);
/// `[0]` primitive: subjectKeyIdentifier of a signer.
const KEY_IDENTIFIER: Tag = Tag(0x80);

/// Most signers that are kept. Documents have one.
const MAX_SIGNERS: usize = 8;

/// A signed message, taken apart. Nothing is verified.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedMessage {
    /// What it says it carries.
    pub content_type: ObjectIdentifier,
    /// What it carries, put together where it is written in pieces.
    pub content: Vec<u8>,
    /// The certificates in it, each as it came.
    pub certificates: Vec<Vec<u8>>,
    /// The revocation lists in it, each as it came.
    pub crls: Vec<Vec<u8>>,
    /// Who signed it.
    pub signers: Vec<SignerInfo>,
}

/// One signature (RFC 5652, 5.3).
#[derive(Clone, PartialEq, Eq)]
pub struct SignerInfo {
    /// Whose it is said to be.
    pub identifier: SignerIdentifier,
    /// What the content is hashed with.
    pub digest_algorithm: AlgorithmIdentifierOwned,
    /// What is signed in place of the content, if there is such a thing.
    pub signed_attributes: Option<SignedAttributes>,
    /// How the signature is made.
    pub signature_algorithm: AlgorithmIdentifierOwned,
    /// The signature.
    pub signature: Vec<u8>,
}

/// How a signer is named.
#[derive(Clone, PartialEq, Eq)]
pub enum SignerIdentifier {
    /// By its certificate's issuer, an encoded Name, and serial number.
    IssuerAndSerial {
        /// The issuer.
        issuer: Vec<u8>,
        /// The serial number's bytes.
        serial: Vec<u8>,
    },
    /// By the identifier of its key.
    KeyIdentifier(Vec<u8>),
}

/// Signed attributes (RFC 5652, 5.3 and 11).
#[derive(Clone, PartialEq, Eq)]
pub struct SignedAttributes {
    /// What is hashed: the bytes as they came, with the tag of a SET OF in place of `[0]` (RFC 5652, 5.4).
    pub encoded: Vec<u8>,
    /// Each attribute's type, and its values as they came, tags included.
    pub attributes: Vec<(ObjectIdentifier, Vec<Vec<u8>>)>,
}

impl SignedAttributes {
    /// The value of an attribute that must be there once and have one value.
    pub fn single(&self, kind: ObjectIdentifier) -> Option<&[u8]> {
        let mut all = self.attributes.iter().filter(|(oid, _)| *oid == kind);
        match (all.next(), all.next()) {
            (Some((_, values)), None) => match values.as_slice() {
                [value] => Some(value),
                _ => None,
            },
            _ => None,
        }
    }
}

impl SignedMessage {
    /// Reads a ContentInfo with signed data. What follows it is padding: chips round lengths up.
    pub fn parse(bytes: &[u8]) -> Result<Self, MalformedFile> {
        let mut info = TlvReader::ber(TlvReader::ber(bytes).expect(SEQUENCE)?);
        if take_oid(&mut info) != Some(SIGNED_DATA) {
            return Err(MalformedFile::Impossible(OID));
        }
        let mut explicit = TlvReader::ber(info.expect(CONTEXT_0)?);
        let mut data = TlvReader::ber(explicit.expect(SEQUENCE)?);
        // The version says nothing that the rest does not; the digests are stated again with each signature.
        data.expect(INTEGER)?;
        data.expect(SET)?;

        let mut encapsulated = TlvReader::ber(data.expect(SEQUENCE)?);
        let content_type = take_oid(&mut encapsulated).ok_or(MalformedFile::Missing(OID))?;
        let content = encapsulated.optional(CONTEXT_0)?.ok_or(MalformedFile::Missing(OCTETS))?;
        let content = TlvReader::ber(content).next_object()?.ok_or(MalformedFile::Missing(OCTETS))?;

        let objects = |bytes: Option<&[u8]>| -> Result<Vec<Vec<u8>>, MalformedFile> {
            let mut reader = TlvReader::ber(bytes.unwrap_or_default());
            let mut all = Vec::new();
            while let Some(object) = reader.next_object()? {
                all.push(object.whole.to_vec());
            }
            Ok(all)
        };
        let certificates = objects(data.optional(CONTEXT_0)?)?;
        let crls = objects(data.optional(CONTEXT_1)?)?;
        let mut infos = TlvReader::ber(data.expect(SET)?);
        let mut signers = Vec::new();
        while let Some(info) = infos.next_object()? {
            if info.tag != SEQUENCE || signers.len() == MAX_SIGNERS {
                return Err(MalformedFile::Impossible(SET));
            }
            signers.push(SignerInfo::parse(info.value)?);
        }
        Ok(Self { content_type, content: joined(&content)?, certificates, crls, signers })
    }
}

/// The content of an OCTET STRING that may have come in pieces.
fn joined(octets: &Tlv<'_>) -> Result<Vec<u8>, MalformedFile> {
    match octets.tag {
        OCTETS => Ok(octets.value.to_vec()),
        OCTETS_IN_PIECES => {
            let mut pieces = TlvReader::ber(octets.value);
            let mut out = Vec::with_capacity(octets.value.len());
            while !pieces.is_empty() {
                out.extend_from_slice(pieces.expect(OCTETS)?);
            }
            Ok(out)
        }
        _ => Err(MalformedFile::Missing(OCTETS)),
    }
}

impl SignerInfo {
    fn parse(value: &[u8]) -> Result<Self, MalformedFile> {
        let mut reader = TlvReader::ber(value);
        reader.expect(INTEGER)?;
        let identifier = match reader.next_object()?.ok_or(MalformedFile::Missing(SEQUENCE))? {
            Tlv { tag: SEQUENCE, value, .. } => {
                let mut pair = TlvReader::ber(value);
                let issuer = pair.next_object()?.ok_or(MalformedFile::Missing(SEQUENCE))?;
                let serial = pair.expect(INTEGER)?;
                SignerIdentifier::IssuerAndSerial { issuer: issuer.whole.to_vec(), serial: serial.to_vec() }
            }
            Tlv { tag: KEY_IDENTIFIER, value, .. } => SignerIdentifier::KeyIdentifier(value.to_vec()),
            other => return Err(MalformedFile::Impossible(other.tag)),
        };
        let digest_algorithm = take_algorithm(&mut reader)?;
        let signed_attributes =
            reader.optional_object(CONTEXT_0)?.map(|set| SignedAttributes::parse(&set)).transpose()?;
        let signature_algorithm = take_algorithm(&mut reader)?;
        let signature = reader.next_object()?.ok_or(MalformedFile::Missing(OCTETS))?;
        Ok(Self {
            identifier,
            digest_algorithm,
            signed_attributes,
            signature_algorithm,
            signature: joined(&signature)?,
        })
    }
}

impl SignedAttributes {
    fn parse(set: &Tlv<'_>) -> Result<Self, MalformedFile> {
        let mut attributes = Vec::new();
        let mut reader = TlvReader::ber(set.value);
        while !reader.is_empty() {
            let mut attribute = TlvReader::ber(reader.expect(SEQUENCE)?);
            let kind = take_oid(&mut attribute).ok_or(MalformedFile::Missing(OID))?;
            let mut values = TlvReader::ber(attribute.expect(SET)?);
            let mut all = Vec::new();
            while let Some(value) = values.next_object()? {
                all.push(value.whole.to_vec());
            }
            attributes.push((kind, all));
        }
        // As received but for the tag; an indefinite length cannot have been hashed as it stands, since DER is
        // what is hashed.
        let encoded = match set.whole.split_first() {
            Some((_, rest)) if rest.first() != Some(&0x80) => [&[0x31], rest].concat(),
            _ => encode(SET, set.value),
        };
        Ok(Self { encoded, attributes })
    }
}

fn take_algorithm(reader: &mut TlvReader<'_>) -> Result<AlgorithmIdentifierOwned, MalformedFile> {
    let object = reader.next_object()?.ok_or(MalformedFile::Missing(SEQUENCE))?;
    Ok(AlgorithmIdentifierOwned::from_ber(object.whole)?)
}

/// The content and the signature name one document among all: they are not for logs.
impl fmt::Debug for SignedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedMessage")
            .field("content_type", &self.content_type)
            .field("certificates", &self.certificates.len())
            .field("signers", &self.signers.len())
            .finish_non_exhaustive()
    }
}
