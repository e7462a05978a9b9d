//! SignedData, as it should be and as it is found (RFC 5652, 5; facts from the field, one by one below).

use openssl::error::ErrorStack;
use openssl::hash::hash;
use time::Date;
use time::macros::date;

use crate::der::{constructed, integer, octets, oid, sequence, set_of, tlv, unsigned};

use super::certificate::{Certificate, DistinguishedName, Draft, Period, noon, subject_key_identifier};
use super::document_signer::DocumentSigner;
use super::key::SigningKey;
use super::kind::{DigestKind, SignerKind};

/// How a SignedData is written. The default is by the letter of ICAO 9303-12, 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CmsForm {
    /// How lengths are written.
    pub encoding: CmsEncoding,
    /// How the signer is named.
    pub signer_identifier: SignerIdentifier,
    /// Which certificates lie inside.
    pub certificates: EmbeddedCertificates,
    /// What is signed along with the content.
    pub attributes: SignedAttributes,
    /// How the signature is named.
    pub algorithm: SignerAlgorithm,
}

/// How lengths are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CmsEncoding {
    /// DER.
    #[default]
    Der,
    /// BER: everything around the content, the certificates and the signer has an indefinite length.
    Indefinite,
    /// The same, and the content is cut into several octet strings.
    Chunked,
}

/// How the signer is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SignerIdentifier {
    /// By the issuer and serial number of its certificate.
    #[default]
    IssuerAndSerial,
    /// By the identifier of its key.
    SubjectKeyIdentifier,
    /// By the issuer and serial number of no certificate there is.
    NoOne,
}

/// Which certificates lie inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EmbeddedCertificates {
    /// The signer's.
    #[default]
    Signer,
    /// The signer's between two others that bear the same issuer's name.
    Several,
    /// None: the signer's comes another way.
    None,
}

/// What is signed along with the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SignedAttributes {
    /// Content type, message digest and signing time.
    #[default]
    Usual,
    /// The same without the signing time.
    NoSigningTime,
    /// Nothing: the signature is over the bare content.
    None,
}

/// How the signature is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SignerAlgorithm {
    /// Key and digest.
    #[default]
    Usual,
    /// The key alone: rsaEncryption or id-ecPublicKey, or id-RSASSA-PSS without parameters. The digest is the
    /// one named before.
    KeyOnly,
    /// With another digest than the one named before, which is that of the message digest attribute.
    OtherDigest(DigestKind),
}

/// What is to be signed.
pub(crate) struct Content<'a> {
    /// eContentType.
    pub(crate) kind: &'a [u32],
    /// The bytes within the octet string.
    pub(crate) bytes: &'a [u8],
    /// When it is said to be signed.
    pub(crate) signed_on: Date,
}

/// id-data.
pub(crate) const ID_DATA: &[u32] = &[1, 2, 840, 113_549, 1, 7, 1];

/// A ContentInfo with the content, signed. `along` are certificates put in beside the signer's.
pub(crate) fn signed_data(
    content: &Content<'_>,
    digest: DigestKind,
    signer: &DocumentSigner,
    form: CmsForm,
    along: &[&Certificate],
) -> Result<Vec<u8>, ErrorStack> {
    let ber = match form.encoding {
        CmsEncoding::Der => constructed,
        CmsEncoding::Indefinite | CmsEncoding::Chunked => indefinite,
    };
    let signer_info = signer_info(content, digest, signer, form)?;
    // Version 3 where the content is not id-data or the signer is named by its key (RFC 5652, 5.1).
    let by_key = form.signer_identifier == SignerIdentifier::SubjectKeyIdentifier;
    let version = if content.kind == ID_DATA && !by_key { 1 } else { 3 };
    let encapsulated = match form.encoding {
        CmsEncoding::Der | CmsEncoding::Indefinite => octets(content.bytes),
        CmsEncoding::Chunked => indefinite(0x24, &content.bytes.chunks(100).map(octets).collect::<Vec<_>>()),
    };
    let mut parts = vec![
        integer(version),
        set_of(vec![digest.algorithm()]),
        ber(0x30, &[oid(content.kind), ber(0xA0, &[encapsulated])]),
    ];
    let mut certificates = embedded(signer, form)?;
    certificates.extend(along.iter().map(|certificate| certificate.der().to_vec()));
    if !certificates.is_empty() {
        parts.push(ber(0xA0, &certificates));
    }
    parts.push(ber(0x31, &[signer_info]));
    let id_signed_data = oid(&[1, 2, 840, 113_549, 1, 7, 2]);
    Ok(ber(0x30, &[id_signed_data, ber(0xA0, &[ber(0x30, &parts)])]))
}

fn signer_info(
    content: &Content<'_>,
    digest: DigestKind,
    signer: &DocumentSigner,
    form: CmsForm,
) -> Result<Vec<u8>, ErrorStack> {
    let attribute = |last, value| sequence(&[oid(&[1, 2, 840, 113_549, 1, 9, last]), set_of(vec![value])]);
    let mut attributes = match form.attributes {
        SignedAttributes::None => Vec::new(),
        SignedAttributes::Usual | SignedAttributes::NoSigningTime => vec![
            attribute(3, oid(content.kind)),
            attribute(4, octets(&hash(digest.message_digest(), content.bytes)?)),
        ],
    };
    if form.attributes == SignedAttributes::Usual {
        attributes.push(attribute(5, noon(content.signed_on)));
    }
    // Signed as a SET, sent as [0] IMPLICIT (RFC 5652, 5.4).
    let to_be_signed = if attributes.is_empty() { content.bytes.to_vec() } else { set_of(attributes) };
    let sent = match form.attributes {
        SignedAttributes::None => Vec::new(),
        _ => to_be_signed.split_first().map(|(_, rest)| [&[0xA0], rest].concat()).unwrap_or_default(),
    };

    let kind = signer.key().kind();
    let (signed_with, algorithm) = match form.algorithm {
        SignerAlgorithm::Usual => (digest, kind.signature_algorithm(digest)),
        SignerAlgorithm::KeyOnly => (digest, kind.key_algorithm()),
        SignerAlgorithm::OtherDigest(other) => (other, kind.signature_algorithm(other)),
    };
    let certificate = signer.certificate();
    let issuer_and_serial = |serial: &[u8]| sequence(&[certificate.issuer.clone(), unsigned(serial)]);
    // Version 3 where the key names the signer, else 1 (RFC 5652, 5.3).
    let (version, identifier) = match form.signer_identifier {
        SignerIdentifier::IssuerAndSerial => (1, issuer_and_serial(&certificate.serial)),
        SignerIdentifier::SubjectKeyIdentifier => (3, tlv(0x80, &certificate.key_identifier)),
        SignerIdentifier::NoOne => (1, issuer_and_serial(b"\x09nobody's")),
    };
    Ok(sequence(&[
        integer(version),
        identifier,
        digest.algorithm(),
        sent,
        algorithm,
        octets(&signer.key().sign(signed_with, &to_be_signed)?),
    ]))
}

fn embedded(signer: &DocumentSigner, form: CmsForm) -> Result<Vec<Vec<u8>>, ErrorStack> {
    let own = signer.certificate().der().to_vec();
    Ok(match form.certificates {
        EmbeddedCertificates::Signer => vec![own],
        EmbeddedCertificates::Several => vec![bystander(signer)?, own, bystander(signer)?],
        EmbeddedCertificates::None => Vec::new(),
    })
}

/// A certificate that has nothing to do with it but claims the same issuer.
fn bystander(signer: &DocumentSigner) -> Result<Vec<u8>, ErrorStack> {
    let key = SigningKey::generate(SignerKind::ECDSA_P256)?;
    let name = DistinguishedName {
        country: "UT",
        organisation: "cccd-agent simulation",
        common_name: Some("Simulated Bystander".to_owned()),
    };
    let draft = Draft {
        issuer: signer.certificate().issuer.clone(),
        subject: name.to_der(),
        validity: Period { from: date!(2021 - 01 - 01), to: date!(2047 - 12 - 31) },
        key: &key,
        extensions: vec![subject_key_identifier(&key.identifier()?)],
    };
    Ok(draft.sign(&key, DigestKind::Sha256)?.der().to_vec())
}

/// A data object that says at its end where it ends (ITU-T X.690, 8.1.3.6).
fn indefinite(tag: u32, parts: &[Vec<u8>]) -> Vec<u8> {
    let tag = u8::try_from(tag).unwrap_or(0x30);
    [&[tag, 0x80], parts.concat().as_slice(), &[0, 0]].concat()
}
