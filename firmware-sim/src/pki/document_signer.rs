//! Document signers and master list signers: who signs for a state under its authority.

use openssl::error::ErrorStack;
use time::macros::date;

use super::certificate::{
    Certificate, Country, DistinguishedName, Draft, Period, alternative_names, authority_key_identifier,
    basic_constraints, crl_distribution_point, document_type_list, extended_key_usage, key_usage_of_a_signer,
    key_usage_of_an_authority, key_usage_of_neither, private_key_usage_period, simulation_mark,
    subject_key_identifier, unknown_critical_extension,
};
use super::csca::ExtraExtension;
use super::key::SigningKey;
use super::kind::{DigestKind, SignerKind};

/// How a signer is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentSignerPlan {
    /// Its state, as the alternative names have it.
    pub country: Country,
    /// Its name.
    pub name: DistinguishedName,
    /// Its key, and the signature it makes.
    pub signer: SignerKind,
    /// When its certificate is valid.
    pub validity: Period,
    /// When its key may sign.
    pub key_usage_period: Option<Period>,
    /// What the certificate says that the key is for.
    pub usage: SignerUsage,
    /// The document codes of the MRZ it may sign; none for no such extension.
    pub document_types: &'static [&'static str],
    /// Whether its certificate has a critical extension that nobody knows.
    pub extra: ExtraExtension,
}

/// What a certificate says that its key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SignerUsage {
    /// Documents, by the profile.
    #[default]
    Documents,
    /// Master lists, by the profile.
    MasterLists,
    /// Enciphering keys, which is no signer's trade.
    KeyEncipherment,
    /// Certificates: the profile of an authority, cA and all.
    Certificates,
    /// Says nothing about it.
    Unsaid,
}

impl DocumentSignerPlan {
    /// The usual signer of a state: any key, valid so long that no simulation meets its end.
    pub fn usual(country: Country, signer: SignerKind) -> Self {
        Self {
            country,
            name: DistinguishedName::simulated(country, "Simulated Document Signer"),
            signer,
            validity: Period { from: date!(2021 - 01 - 01), to: date!(2047 - 12 - 31) },
            key_usage_period: Some(Period { from: date!(2021 - 01 - 01), to: date!(2037 - 12 - 31) }),
            usage: SignerUsage::Documents,
            document_types: if country == Country::VIETNAM { &["ID", "P"] } else { &["P"] },
            extra: ExtraExtension::None,
        }
    }

    /// The signer of a state's master lists (ICAO 9303-12, 9).
    pub fn of_master_lists(country: Country, signer: SignerKind) -> Self {
        Self {
            name: DistinguishedName::simulated(country, "Simulated Master List Signer"),
            usage: SignerUsage::MasterLists,
            document_types: &[],
            ..Self::usual(country, signer)
        }
    }

    pub(super) fn extensions(&self, own: &[u8], authority: &[u8], issuer: Country) -> Vec<Vec<u8>> {
        let mut extensions = vec![authority_key_identifier(authority), subject_key_identifier(own)];
        match self.usage {
            SignerUsage::Documents => extensions.push(key_usage_of_a_signer()),
            SignerUsage::MasterLists => {
                // id-icao-mrtd-security-cscaMasterListSigningKey.
                extensions.extend([key_usage_of_a_signer(), extended_key_usage(&[2, 23, 136, 1, 1, 3])]);
            }
            SignerUsage::KeyEncipherment => extensions.push(key_usage_of_neither()),
            SignerUsage::Certificates => {
                extensions.extend([key_usage_of_an_authority(), basic_constraints(Some(0))]);
            }
            SignerUsage::Unsaid => {}
        }
        extensions.extend(self.key_usage_period.map(private_key_usage_period));
        extensions.extend(alternative_names(self.country, issuer));
        extensions.push(crl_distribution_point(issuer));
        if !self.document_types.is_empty() {
            extensions.push(document_type_list(self.document_types));
        }
        extensions.push(simulation_mark());
        if self.extra == ExtraExtension::UnknownCritical {
            extensions.push(unknown_critical_extension());
        }
        extensions
    }
}

/// A key that signs documents, and the certificate that says so.
#[derive(Debug, Clone)]
pub struct DocumentSigner {
    certificate: Certificate,
    key: SigningKey,
}

impl DocumentSigner {
    pub(super) fn new(certificate: Certificate, key: SigningKey) -> Self {
        Self { certificate, key }
    }

    /// A signer that vouches for itself, with no authority above it.
    pub fn self_signed(plan: DocumentSignerPlan) -> Result<Self, ErrorStack> {
        let key = SigningKey::generate(plan.signer)?;
        let (own, name) = (key.identifier()?, plan.name.to_der());
        let draft = Draft {
            issuer: name.clone(),
            subject: name,
            validity: plan.validity,
            key: &key,
            extensions: plan.extensions(&own, &own, plan.country),
        };
        let certificate = draft.sign(&key, DigestKind::Sha256)?;
        Ok(Self { certificate, key })
    }

    /// The same certificate in the hands of somebody with another key of that kind.
    pub fn with_another_key(self) -> Result<Self, ErrorStack> {
        Ok(Self { key: SigningKey::generate(self.key.kind())?, ..self })
    }

    /// Its certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Its private key.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }
}
