//! Certificates of authorities and document signers (RFC 5280, 4.1; ICAO 9303-12, 7).
//!
//! Read leniently, since real ones break many a rule of RFC 5280, and kept as the bytes they came as: what
//! is verified is what was received, never an encoding of what was understood.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use cccd_card::tlv::{Tag, TlvError, TlvReader};
use cccd_document::PublicKey;
use const_oid::ObjectIdentifier;
use der::{Decode, Encode};
use spki::AlgorithmIdentifierOwned;
use time::OffsetDateTime;
use x509_cert::certificate::{CertificateInner, Raw};

use crate::extensions::Extensions;
use crate::name::DistinguishedName;
use crate::store::{Fingerprint, MAX_CERTIFICATE_BYTES};

/// A certificate, taken apart. Nothing in it is verified.
#[derive(Clone)]
pub struct Certificate {
    der: Vec<u8>,
    to_be_signed: Range<usize>,
    fingerprint: Fingerprint,
    serial_number: Vec<u8>,
    issuer: DistinguishedName,
    subject: DistinguishedName,
    validity: Period,
    public_key: PublicKey,
    signature_algorithm: AlgorithmIdentifierOwned,
    signature: Vec<u8>,
    extensions: Extensions,
}

/// From when to when a certificate is valid, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// First moment.
    pub not_before: OffsetDateTime,
    /// Last moment.
    pub not_after: OffsetDateTime,
}

impl Period {
    /// Whether a moment lies within.
    pub fn contains(&self, moment: OffsetDateTime) -> bool {
        self.not_before <= moment && moment <= self.not_after
    }
}

/// Why bytes are no certificate. Whoever made them would have to mend that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// No certificate is that long.
    #[error("certificate is longer than {MAX_CERTIFICATE_BYTES} bytes")]
    TooLong,
    /// It is not the structure of a certificate.
    #[error("not a certificate: {0}")]
    Structure(#[from] der::Error),
    /// Its outline is not that of a certificate.
    #[error("not a certificate: {0}")]
    Outline(#[from] TlvError),
    /// Its public key is none.
    #[error("public key cannot be read")]
    PublicKey(#[source] cccd_document::MalformedFile),
    /// The algorithm within and that outside are not the same (RFC 5280, 4.1.1.2).
    #[error("the signature's algorithm is stated twice and differently")]
    AlgorithmsDiffer,
    /// The signature is no whole number of bytes.
    #[error("signature has an odd number of bits")]
    Signature,
    /// An extension is there twice.
    #[error("extension {0} is there twice")]
    ExtensionTwice(ObjectIdentifier),
    /// A critical extension cannot be read.
    #[error("critical extension {0} cannot be read")]
    Extension(ObjectIdentifier),
}

impl Certificate {
    /// Reads a certificate. Bytes after it are an error.
    pub fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > MAX_CERTIFICATE_BYTES {
            return Err(CertificateError::TooLong);
        }
        let parsed = CertificateInner::<Raw>::from_der(der)?;
        let body = parsed.tbs_certificate();
        if body.signature() != parsed.signature_algorithm() {
            return Err(CertificateError::AlgorithmsDiffer);
        }
        let extensions = Extensions::read(body.extensions().map_or(&[], Vec::as_slice))?;
        let public_key = body.subject_public_key_info().to_der()?;
        Ok(Self {
            to_be_signed: to_be_signed(der)?,
            fingerprint: Fingerprint::of(der),
            serial_number: significant(body.serial_number().as_bytes()).to_vec(),
            issuer: DistinguishedName::of(body.issuer()),
            subject: DistinguishedName::of(body.subject()),
            validity: Period {
                not_before: instant(body.validity().not_before.to_unix_duration())?,
                not_after: instant(body.validity().not_after.to_unix_duration())?,
            },
            public_key: PublicKey::parse(&public_key).map_err(CertificateError::PublicKey)?,
            signature_algorithm: parsed.signature_algorithm().clone(),
            signature: parsed.signature().as_bytes().ok_or(CertificateError::Signature)?.to_vec(),
            extensions,
            der: der.to_vec(),
        })
    }

    /// Its bytes, as they came.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The bytes its issuer signed, as they came.
    pub fn to_be_signed(&self) -> &[u8] {
        self.der.get(self.to_be_signed.clone()).unwrap_or_default()
    }

    /// SHA-256 over its bytes.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Its serial number, big-endian, without leading zeros.
    pub fn serial_number(&self) -> &[u8] {
        &self.serial_number
    }

    /// Who says to have issued it.
    pub fn issuer(&self) -> &DistinguishedName {
        &self.issuer
    }

    /// Whose it is.
    pub fn subject(&self) -> &DistinguishedName {
        &self.subject
    }

    /// The country of the subject, in capital letters.
    pub fn country(&self) -> Option<String> {
        Some(self.subject.country()?.trim().to_uppercase())
    }

    /// When it is valid.
    pub fn validity(&self) -> Period {
        self.validity
    }

    /// Its subject's key.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// How its issuer says to have signed it.
    pub fn signature_algorithm(&self) -> &AlgorithmIdentifierOwned {
        &self.signature_algorithm
    }

    /// Its issuer's signature.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// What else it says.
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// Whether subject and issuer are the same. That alone does not mean that it is signed with its own key:
    /// link certificates are self-issued too.
    pub fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }
}

/// Equal bytes are equal certificates.
impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("subject", &self.subject)
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

/// Where in SEQUENCE { toBeSigned, algorithm, signature } the first member lies, tag and length included.
pub(crate) fn to_be_signed(der: &[u8]) -> Result<Range<usize>, TlvError> {
    let inner = TlvReader::new(der).expect(Tag(0x30))?;
    let first = TlvReader::new(inner).next_object()?.map_or(0, |first| first.whole.len());
    let start = der.len() - inner.len();
    Ok(start..start + first)
}

/// Without leading zeros.
pub(crate) fn significant(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|&&byte| byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

pub(crate) fn instant(since_epoch: Duration) -> Result<OffsetDateTime, der::Error> {
    let seconds = i64::try_from(since_epoch.as_secs()).ok();
    seconds
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .ok_or_else(|| der::ErrorKind::DateTime.into())
}

#[cfg(test)]
mod tests {
    use cccd_firmware_sim::pki::{Country, Csca, CscaPlan, DocumentSignerPlan, SignerKind};
    use openssl::x509::X509;
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    fn authority() -> Csca {
        Csca::new(CscaPlan::usual(Country::VIETNAM)).unwrap()
    }

    #[test]
    fn what_openssl_finds_in_a_certificate_is_found_here() {
        let csca = authority();
        let signer = csca
            .document_signer(DocumentSignerPlan::usual(Country::VIETNAM, SignerKind::ECDSA_P256))
            .unwrap();
        for der in [csca.certificate().der(), signer.certificate().der()] {
            let ours = Certificate::parse(der).unwrap();
            let theirs = X509::from_der(der).unwrap();
            assert_eq!(ours.serial_number(), theirs.serial_number().to_bn().unwrap().to_vec());
            assert_eq!(ours.public_key().der, theirs.public_key().unwrap().public_key_to_der().unwrap());
            assert_eq!(ours.signature(), theirs.signature().as_slice());
            assert_eq!(ours.country().as_deref(), Some("VN"));
            let identifier = |octets: Option<&openssl::asn1::Asn1OctetStringRef>| {
                octets.map(|octets| octets.as_slice().to_vec())
            };
            let extensions = ours.extensions();
            assert_eq!(extensions.subject_key_identifier, identifier(theirs.subject_key_id()));
            assert_eq!(extensions.authority_key_identifier, identifier(theirs.authority_key_id()));
            assert_eq!(ours.fingerprint().to_string(), {
                let digest = theirs.digest(openssl::hash::MessageDigest::sha256()).unwrap();
                digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
            });
            let not_before = ours.validity().not_before.unix_timestamp();
            let same = openssl::asn1::Asn1Time::from_unix(not_before).unwrap();
            assert!(theirs.not_before() == same);
        }
    }

    #[test]
    fn authority_and_signer_are_told_apart_by_their_extensions() {
        let csca = authority();
        let plan = DocumentSignerPlan::usual(Country::VIETNAM, SignerKind::ECDSA_P256);
        let signer = csca.document_signer(plan).unwrap();
        let csca = Certificate::parse(csca.certificate().der()).unwrap();
        let signer = Certificate::parse(signer.certificate().der()).unwrap();
        assert!(csca.is_self_issued() && !signer.is_self_issued());
        assert_eq!(signer.issuer(), csca.subject());
        let constraints = csca.extensions().basic_constraints.unwrap();
        assert_eq!((constraints.is_authority, constraints.path_length), (true, Some(0)));
        let usage = csca.extensions().key_usage.unwrap();
        assert!(usage.certificate_signing && usage.crl_signing && !usage.digital_signature);
        let usage = signer.extensions().key_usage.unwrap();
        assert!(!usage.certificate_signing && usage.digital_signature);
        assert!(signer.extensions().private_key_usage_period.is_some());
        assert!(signer.extensions().unreadable.is_empty() && signer.extensions().unknown_critical.is_empty());
    }

    #[test]
    fn a_period_holds_its_ends() {
        let period = Period {
            not_before: datetime!(2026-01-01 00:00 UTC),
            not_after: datetime!(2026-12-31 23:59:59 UTC),
        };
        assert!(period.contains(period.not_before) && period.contains(period.not_after));
        assert!(!period.contains(period.not_after + Duration::from_secs(1)));
        assert!(!period.contains(period.not_before - Duration::from_secs(1)));
    }

    #[test]
    fn bytes_after_a_certificate_and_far_too_many_are_refused() {
        let der = authority().certificate().der().to_vec();
        assert!(matches!(
            Certificate::parse(&[der.as_slice(), &[0]].concat()),
            Err(CertificateError::Structure(_))
        ));
        assert_eq!(
            Certificate::parse(&vec![0x30; MAX_CERTIFICATE_BYTES + 1]),
            Err(CertificateError::TooLong)
        );
    }

    #[test]
    fn an_algorithm_stated_twice_and_differently_is_refused() {
        let mut der = authority().certificate().der().to_vec();
        // The last ecdsa-with-SHAxxx is the outer one: its last arc becomes another.
        let prefix = [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03];
        let at = der.windows(prefix.len()).rposition(|window| window == prefix).unwrap() + prefix.len();
        der[at] = if der[at] == 2 { 3 } else { 2 };
        assert_eq!(Certificate::parse(&der), Err(CertificateError::AlgorithmsDiffer));
    }

    proptest! {
        #[test]
        fn no_mutation_panics(
            flips in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..6),
            cut in any::<proptest::sample::Index>(),
        ) {
            static DER: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
            let mut der = DER.get_or_init(|| authority().certificate().der().to_vec()).clone();
            for (at, value) in flips {
                let at = at.index(der.len());
                der[at] = value;
            }
            if let Ok(certificate) = Certificate::parse(&der) {
                prop_assert!(certificate.to_be_signed().len() < der.len());
            }
            let _ = Certificate::parse(&der[..cut.index(der.len())]);
        }
    }
}
