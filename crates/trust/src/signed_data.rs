//! Who has signed a message (RFC 5652, 5.4 to 5.6): EF.SOD, EF.CardSecurity, master lists.
//!
//! Chips write these messages in many ways (card quirks 50 to 57). What departs from the letter and does not
//! touch what the signature proves is let pass by name.

use std::sync::Arc;

use cccd_document::{SignedAttributes, SignedMessage, SignerIdentifier, SignerInfo};
use const_oid::ObjectIdentifier;
use der::Decode;
use subtle::ConstantTimeEq;
use time::OffsetDateTime;
use x509_cert::time::Time;

use crate::anchors::TrustAnchors;
use crate::certificate::{instant, significant};
use crate::hash::HashAlgorithm;
use crate::signature::{SignatureFault, hash_named_by, verify_signature};
use crate::{Certificate, DistinguishedName, Reason};

const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SIGNING_TIME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.5");
const ID_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");

/// Most certificates that are tried for one signature.
const MAX_CANDIDATES: usize = 8;

/// A message whose signature holds.
#[derive(Debug, Clone)]
pub struct SignedBy {
    /// The certificate whose key made the signature. Whether it may be trusted is another matter.
    pub signer: Arc<Certificate>,
    /// The other certificates in the message.
    pub companions: Vec<Arc<Certificate>>,
    /// When the signer says to have signed.
    pub signed_at: Option<OffsetDateTime>,
    /// What is odd about it.
    pub tolerated: Vec<Reason>,
}

/// Finds who signed a message, and verifies that. Certificates in the message go before those of `known`.
pub fn verify_message(message: &SignedMessage, known: &TrustAnchors) -> Result<SignedBy, SignatureFault> {
    let embedded: Vec<Arc<Certificate>> =
        message.certificates.iter().filter_map(|der| Certificate::parse(der).ok()).map(Arc::new).collect();
    let mut fault = SignatureFault::Bad(Reason::NotSigned);
    for (index, info) in message.signers.iter().enumerate() {
        match verify_signer(message, info, &embedded, known) {
            Ok(mut signed) => {
                signed.companions = embedded.into_iter().filter(|other| *other != signed.signer).collect();
                if message.signers.len() > 1 {
                    signed.tolerated.push(Reason::SeveralSigners);
                }
                return Ok(signed);
            }
            Err(other) if index == 0 => fault = other,
            Err(_) => {}
        }
    }
    Err(fault)
}

fn verify_signer(
    message: &SignedMessage,
    info: &SignerInfo,
    embedded: &[Arc<Certificate>],
    known: &TrustAnchors,
) -> Result<SignedBy, SignatureFault> {
    let mut tolerated = Vec::new();
    let hash = HashAlgorithm::of_oid(&info.digest_algorithm.oid)
        .ok_or(SignatureFault::Unverifiable(Reason::HashUnknown))?;
    let signed_at = match &info.signed_attributes {
        Some(attributes) => check_attributes(message, attributes, hash, &mut tolerated)?,
        None => {
            // RFC 5652, 5.3: they must be there for any content but id-data.
            if message.content_type != ID_DATA {
                tolerated.push(Reason::SignedAttributesAbsent);
            }
            None
        }
    };
    let signed = info.signed_attributes.as_ref().map_or(&message.content, |attributes| &attributes.encoded);
    if hash_named_by(&info.signature_algorithm).is_some_and(|named| named != hash) {
        tolerated.push(Reason::DigestAlgorithmsDiffer);
    }

    let mut candidates: Vec<Arc<Certificate>> =
        embedded.iter().filter(|certificate| is_meant(&info.identifier, certificate)).cloned().collect();
    if candidates.is_empty() {
        candidates = known.meant_by(&info.identifier);
    }
    if candidates.is_empty() && !embedded.is_empty() {
        // Card quirk 56. The signature decides whose it is; the name is only a hint.
        candidates = embedded.to_vec();
        tolerated.push(Reason::SignerIdentifierUnmatched);
    }
    if candidates.is_empty() {
        let none_readable = !message.certificates.is_empty();
        return Err(SignatureFault::Unverifiable(if none_readable {
            Reason::SignerCertificateMalformed
        } else {
            Reason::SignerCertificateAbsent
        }));
    }

    let mut fault = None;
    for signer in candidates.into_iter().take(MAX_CANDIDATES) {
        let (key, algorithm) = (signer.public_key(), &info.signature_algorithm);
        match verify_signature(key, algorithm, Some(hash), signed, &info.signature) {
            Ok(good) => {
                tolerated.extend(good.tolerated);
                return Ok(SignedBy { signer, companions: Vec::new(), signed_at, tolerated });
            }
            Err(other) => {
                fault.get_or_insert(other);
            }
        }
    }
    Err(fault.unwrap_or(SignatureFault::Unverifiable(Reason::SignerCertificateAbsent)))
}

/// RFC 5652, 5.3, 5.6 and 11: the attributes bind the content, and may tell the time.
fn check_attributes(
    message: &SignedMessage,
    attributes: &SignedAttributes,
    hash: HashAlgorithm,
    tolerated: &mut Vec<Reason>,
) -> Result<Option<OffsetDateTime>, SignatureFault> {
    let digest = attributes
        .single(MESSAGE_DIGEST)
        .and_then(|value| der::asn1::OctetString::from_ber(value).ok())
        .ok_or(SignatureFault::Bad(Reason::MessageDigestAbsent))?;
    if !bool::from(hash.hash(&message.content).ct_eq(digest.as_bytes())) {
        return Err(SignatureFault::Bad(Reason::MessageDigestMismatch));
    }
    let has = |kind| attributes.attributes.iter().any(|(oid, _)| *oid == kind);
    match attributes.single(CONTENT_TYPE).map(ObjectIdentifier::from_der) {
        Some(Ok(kind)) if kind == message.content_type => {}
        None if !has(CONTENT_TYPE) => tolerated.push(Reason::ContentTypeAttributeAbsent),
        _ => return Err(SignatureFault::Bad(Reason::ContentTypeMismatch)),
    }
    let time = attributes.single(SIGNING_TIME).and_then(|value| Time::from_der(value).ok());
    let signed_at = time.and_then(|time| instant(time.to_unix_duration()).ok());
    if signed_at.is_none() && has(SIGNING_TIME) {
        tolerated.push(Reason::SigningTimeUnreadable);
    }
    Ok(signed_at)
}

fn is_meant(identifier: &SignerIdentifier, certificate: &Certificate) -> bool {
    match identifier {
        SignerIdentifier::KeyIdentifier(key) => {
            certificate.extensions().subject_key_identifier.as_ref() == Some(key)
        }
        SignerIdentifier::IssuerAndSerial { issuer, serial } => {
            significant(serial) == certificate.serial_number()
                && DistinguishedName::parse(issuer).is_ok_and(|issuer| issuer == *certificate.issuer())
        }
    }
}
