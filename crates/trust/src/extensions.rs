//! The extensions of the certificates of ICAO 9303-12, 7.1.

use std::collections::BTreeSet;

use const_oid::ObjectIdentifier;
use der::asn1::{OctetString, PrintableString, SetOfVec};
use der::{Decode, Sequence};
use time::OffsetDateTime;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName, GeneralNames};
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, CrlDistributionPoints, ExtendedKeyUsage, KeyUsage,
    PrivateKeyUsagePeriod,
};

use crate::certificate::{CertificateError, instant};
use crate::name::DistinguishedName;
use crate::simulation::SIMULATED;

const SUBJECT_KEY_IDENTIFIER: &str = "2.5.29.14";
const KEY_USAGE: &str = "2.5.29.15";
const PRIVATE_KEY_USAGE_PERIOD: &str = "2.5.29.16";
const SUBJECT_ALTERNATIVE_NAME: &str = "2.5.29.17";
const ISSUER_ALTERNATIVE_NAME: &str = "2.5.29.18";
const BASIC_CONSTRAINTS: &str = "2.5.29.19";
const CRL_DISTRIBUTION_POINTS: &str = "2.5.29.31";
const CERTIFICATE_POLICIES: &str = "2.5.29.32";
const AUTHORITY_KEY_IDENTIFIER: &str = "2.5.29.35";
const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
/// id-icao-mrtd-security-extensions-nameChange.
const NAME_CHANGE: &str = "2.23.136.1.1.6.1";
/// id-icao-mrtd-security-extensions-documentTypeList.
const DOCUMENT_TYPE_LIST: &str = "2.23.136.1.1.6.2";

/// What a certificate says beside its name and key. What it does not say is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extensions {
    /// The identifier of its key.
    pub subject_key_identifier: Option<Vec<u8>>,
    /// The identifier of its issuer's key.
    pub authority_key_identifier: Option<Vec<u8>>,
    /// What its key may be used for.
    pub key_usage: Option<KeyUsages>,
    /// Further uses, by identifier.
    pub extended_key_usage: Option<Vec<ObjectIdentifier>>,
    /// Whether it is an authority's.
    pub basic_constraints: Option<Constraints>,
    /// When its private key may be used.
    pub private_key_usage_period: Option<PrivateKeyPeriod>,
    /// Which documents its key may sign: the first letters of their MRZ (ICAO 9303-12, 7.1.1.6).
    pub document_types: Option<BTreeSet<String>>,
    /// Where its issuer publishes revocation lists, as written.
    pub crl_urls: Vec<String>,
    /// The state's code of the MRZ, from the subject's alternative name.
    pub state: Option<String>,
    /// Whether it says that it is a simulation's.
    pub is_simulated: bool,
    /// Critical extensions nobody here knows: whoever meets one must refuse (RFC 5280, 4.2).
    pub unknown_critical: Vec<ObjectIdentifier>,
    /// Known extensions whose content is not what it should be, none of them critical.
    pub unreadable: Vec<ObjectIdentifier>,
}

/// The uses of a key that matter here (RFC 5280, 4.2.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyUsages {
    /// Signing documents.
    pub digital_signature: bool,
    /// Signing certificates.
    pub certificate_signing: bool,
    /// Signing revocation lists.
    pub crl_signing: bool,
}

/// Basic constraints (RFC 5280, 4.2.1.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Constraints {
    /// Whether it is an authority's.
    pub is_authority: bool,
    /// How many authorities may stand between it and a signer.
    pub path_length: Option<u8>,
}

/// When a private key may be used (RFC 3280, 4.2.1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrivateKeyPeriod {
    /// First moment, if there is one.
    pub not_before: Option<OffsetDateTime>,
    /// Last moment, if there is one.
    pub not_after: Option<OffsetDateTime>,
}

impl PrivateKeyPeriod {
    /// Whether a moment lies within.
    pub fn contains(&self, moment: OffsetDateTime) -> bool {
        self.not_before.is_none_or(|first| first <= moment)
            && self.not_after.is_none_or(|last| moment <= last)
    }
}

#[derive(Sequence)]
struct DocumentTypeList {
    version: u8,
    types: SetOfVec<PrintableString>,
}

impl Extensions {
    pub(crate) fn read(extensions: &[Extension]) -> Result<Self, CertificateError> {
        let mut all = Self::default();
        let mut seen = BTreeSet::new();
        for extension in extensions {
            // RFC 5280, 4.2: not more than one of each. Whichever were taken, the other would be signed too.
            if !seen.insert(extension.extn_id) {
                return Err(CertificateError::ExtensionTwice(extension.extn_id));
            }
            match all.read_one(extension) {
                Ok(true) => {}
                Ok(false) if extension.critical => all.unknown_critical.push(extension.extn_id),
                Ok(false) => {}
                // A limit that cannot be read is not the absence of a limit.
                Err(_) if extension.critical => {
                    return Err(CertificateError::Extension(extension.extn_id));
                }
                Err(_) => all.unreadable.push(extension.extn_id),
            }
        }
        Ok(all)
    }

    /// Whether it is one we know.
    fn read_one(&mut self, extension: &Extension) -> Result<bool, der::Error> {
        let value = extension.extn_value.as_bytes();
        match extension.extn_id.to_string().as_str() {
            SUBJECT_KEY_IDENTIFIER => {
                self.subject_key_identifier = Some(OctetString::from_der(value)?.as_bytes().to_vec());
            }
            AUTHORITY_KEY_IDENTIFIER => {
                let identifier = AuthorityKeyIdentifier::from_der(value)?.key_identifier;
                self.authority_key_identifier = identifier.map(|octets| octets.as_bytes().to_vec());
            }
            KEY_USAGE => {
                let usage = KeyUsage::from_der(value)?;
                self.key_usage = Some(KeyUsages {
                    digital_signature: usage.digital_signature(),
                    certificate_signing: usage.key_cert_sign(),
                    crl_signing: usage.crl_sign(),
                });
            }
            EXTENDED_KEY_USAGE => self.extended_key_usage = Some(ExtendedKeyUsage::from_der(value)?.0),
            BASIC_CONSTRAINTS => {
                let constraints = BasicConstraints::from_der(value)?;
                self.basic_constraints = Some(Constraints {
                    is_authority: constraints.ca,
                    path_length: constraints.path_len_constraint,
                });
            }
            PRIVATE_KEY_USAGE_PERIOD => {
                let period = PrivateKeyUsagePeriod::from_der(value)?;
                let moment = |time: der::asn1::GeneralizedTime| instant(time.to_unix_duration());
                self.private_key_usage_period = Some(PrivateKeyPeriod {
                    not_before: period.not_before.map(moment).transpose()?,
                    not_after: period.not_after.map(moment).transpose()?,
                });
            }
            DOCUMENT_TYPE_LIST => {
                let list = DocumentTypeList::from_der(value)?;
                self.document_types = Some(list.types.iter().map(ToString::to_string).collect());
            }
            CRL_DISTRIBUTION_POINTS => {
                let points = CrlDistributionPoints::from_der(value)?.0;
                let names = points.into_iter().filter_map(|point| match point.distribution_point {
                    Some(DistributionPointName::FullName(names)) => Some(names),
                    _ => None,
                });
                self.crl_urls = names
                    .flatten()
                    .filter_map(|name| match name {
                        GeneralName::UniformResourceIdentifier(url) => Some(url.to_string()),
                        _ => None,
                    })
                    .collect();
            }
            SUBJECT_ALTERNATIVE_NAME => {
                self.state = GeneralNames::from_der(value)?.into_iter().find_map(|name| match name {
                    GeneralName::DirectoryName(name) => {
                        DistinguishedName::of(&name).locality().map(str::to_owned)
                    }
                    _ => None,
                });
            }
            SIMULATED => self.is_simulated = true,
            // Nothing in them restricts what is done here.
            ISSUER_ALTERNATIVE_NAME | CERTIFICATE_POLICIES | NAME_CHANGE => {}
            _ => return Ok(false),
        }
        Ok(true)
    }
}
