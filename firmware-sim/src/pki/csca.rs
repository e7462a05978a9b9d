//! Country signing authorities: their own certificates, the links between them, and what they sign.

use openssl::error::ErrorStack;
use time::macros::date;

use super::certificate::{
    Certificate, Country, DistinguishedName, Draft, Period, alternative_names, authority_key_identifier,
    basic_constraints, crl_distribution_point, key_usage_of_an_authority, private_key_usage_period,
    simulation_mark, subject_key_identifier, unknown_critical_extension,
};
use super::crl::{CrlPlan, crl};
use super::document_signer::{DocumentSigner, DocumentSignerPlan};
use super::key::SigningKey;
use super::kind::{DigestKind, SignerKind};

/// How an authority is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CscaPlan {
    /// Its state, as the alternative names have it.
    pub country: Country,
    /// Its name.
    pub name: DistinguishedName,
    /// Its key, and the signature it makes.
    pub signer: SignerKind,
    /// The hash under its signatures.
    pub digest: DigestKind,
    /// When its certificate is valid.
    pub validity: Period,
    /// When its key may sign.
    pub key_usage_period: Option<Period>,
    /// How many authorities may stand below it.
    pub path_length: Option<u32>,
    /// Whether its certificate has a critical extension that nobody knows.
    pub extra: ExtraExtension,
}

/// Whether a certificate has an extension beyond its profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExtraExtension {
    /// None.
    #[default]
    None,
    /// A critical one that nobody knows: whoever meets it must refuse the certificate (RFC 5280, 4.2).
    UnknownCritical,
}

impl CscaPlan {
    /// The usual authority of a state: P-384 by name, SHA-384, valid so long that no simulation meets its end.
    pub fn usual(country: Country) -> Self {
        Self {
            country,
            name: DistinguishedName::simulated(country, "Simulated CSCA"),
            signer: SignerKind::ECDSA_P384,
            digest: DigestKind::Sha384,
            validity: Period { from: date!(2020 - 01 - 01), to: date!(2049 - 12 - 31) },
            key_usage_period: Some(Period { from: date!(2020 - 01 - 01), to: date!(2037 - 12 - 31) }),
            path_length: Some(0),
            extra: ExtraExtension::None,
        }
    }

    /// The profile of ICAO 9303-12, table 6, in the order of that table.
    fn extensions(&self, own: &[u8], authority: &[u8], issuer: Country) -> Vec<Vec<u8>> {
        let mut extensions = vec![
            authority_key_identifier(authority),
            subject_key_identifier(own),
            key_usage_of_an_authority(),
        ];
        extensions.extend(self.key_usage_period.map(private_key_usage_period));
        extensions.extend(alternative_names(self.country, issuer));
        extensions.push(basic_constraints(self.path_length));
        extensions.push(crl_distribution_point(issuer));
        extensions.push(simulation_mark());
        if self.extra == ExtraExtension::UnknownCritical {
            extensions.push(unknown_critical_extension());
        }
        extensions
    }
}

/// An authority: its certificate and its private key.
#[derive(Debug, Clone)]
pub struct Csca {
    plan: CscaPlan,
    certificate: Certificate,
    key: SigningKey,
    /// What it and all it signs call its key.
    identifier: Vec<u8>,
}

impl Csca {
    /// A new authority with a new key.
    pub fn new(plan: CscaPlan) -> Result<Self, ErrorStack> {
        let key = SigningKey::generate(plan.signer)?;
        Self::with_key(plan, key)
    }

    /// An authority with a key that is there already.
    pub fn with_key(plan: CscaPlan, key: SigningKey) -> Result<Self, ErrorStack> {
        let identifier = key.identifier()?;
        Self::self_signed(plan, key, identifier)
    }

    /// A stranger who copies everything of this authority but its key: the name, the state, even the key
    /// identifier.
    pub fn impostor(&self) -> Result<Self, ErrorStack> {
        let key = SigningKey::generate(self.plan.signer)?;
        Self::self_signed(self.plan.clone(), key, self.identifier.clone())
    }

    fn self_signed(plan: CscaPlan, key: SigningKey, identifier: Vec<u8>) -> Result<Self, ErrorStack> {
        let name = plan.name.to_der();
        let draft = Draft {
            issuer: name.clone(),
            subject: name,
            validity: plan.validity,
            key: &key,
            extensions: plan.extensions(&identifier, &identifier, plan.country),
        };
        let certificate = draft.sign(&key, plan.digest)?;
        Ok(Self { plan, certificate, key, identifier })
    }

    /// Its self-signed certificate; that of a sub-authority is signed by the one above it.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// How it was made.
    pub fn plan(&self) -> &CscaPlan {
        &self.plan
    }

    /// Its private key.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The next authority, with a key of its own, and the link certificate by which this one vouches for it
    /// (ICAO 9303-12, 7.1.2).
    pub fn roll_over(&self, next: CscaPlan) -> Result<(Self, Certificate), ErrorStack> {
        let next = Self::new(next)?;
        let link = self.vouch_for(&next.plan, &next.key)?;
        Ok((next, link))
    }

    /// An authority below this one. ICAO 9303 knows none; a path length of zero forbids them.
    pub fn sub_authority(&self, plan: CscaPlan) -> Result<Self, ErrorStack> {
        let key = SigningKey::generate(plan.signer)?;
        let certificate = self.vouch_for(&plan, &key)?;
        let identifier = key.identifier()?;
        Ok(Self { plan, certificate, key, identifier })
    }

    /// A certificate by this authority for the key of another.
    pub fn vouch_for(&self, other: &CscaPlan, key: &SigningKey) -> Result<Certificate, ErrorStack> {
        let draft = Draft {
            issuer: self.certificate.subject.clone(),
            subject: other.name.to_der(),
            validity: other.validity,
            key,
            extensions: other.extensions(&key.identifier()?, &self.identifier, self.plan.country),
        };
        draft.sign(&self.key, self.plan.digest)
    }

    /// A document signer with a new key.
    pub fn document_signer(&self, plan: DocumentSignerPlan) -> Result<DocumentSigner, ErrorStack> {
        let key = SigningKey::generate(plan.signer)?;
        self.document_signer_with_key(plan, key)
    }

    /// A document signer with a key that is there already.
    pub fn document_signer_with_key(
        &self,
        plan: DocumentSignerPlan,
        key: SigningKey,
    ) -> Result<DocumentSigner, ErrorStack> {
        let draft = Draft {
            issuer: self.certificate.subject.clone(),
            subject: plan.name.to_der(),
            validity: plan.validity,
            key: &key,
            extensions: plan.extensions(&key.identifier()?, &self.identifier, self.plan.country),
        };
        let certificate = draft.sign(&self.key, self.plan.digest)?;
        Ok(DocumentSigner::new(certificate, key))
    }

    /// A revocation list, in DER.
    pub fn crl(&self, plan: &CrlPlan) -> Result<Vec<u8>, ErrorStack> {
        crl(plan, &self.certificate.subject, &self.key, self.plan.digest)
    }
}

#[cfg(test)]
mod tests {
    use openssl::x509::X509;

    use super::super::kind::PssParameters;
    use super::*;

    #[test]
    fn openssl_verifies_authorities_of_every_kind_and_what_they_sign() {
        for (digest, signer) in SignerKind::combinations() {
            // Without parameters OpenSSL has no digest to verify with.
            if matches!(signer, SignerKind::RsaPss { parameters: PssParameters::Absent, .. }) {
                continue;
            }
            let plan = CscaPlan { signer, digest, ..CscaPlan::usual(Country::UTOPIA) };
            let csca = Csca::with_key(plan, SigningKey::from_drawer(signer, 65537, 0).unwrap()).unwrap();
            let kind = SignerKind::ECDSA_P256;
            let below = csca.document_signer(DocumentSignerPlan::usual(Country::UTOPIA, kind)).unwrap();
            let own = X509::from_der(csca.certificate().der()).unwrap();
            let below = X509::from_der(below.certificate().der()).unwrap();
            let key = own.public_key().unwrap();
            assert!(own.verify(&key).unwrap() && below.verify(&key).unwrap(), "{digest} {signer}");
            assert!(!below.verify(&below.public_key().unwrap()).unwrap_or(false), "{digest} {signer}");
        }
    }

    #[test]
    fn a_link_joins_the_new_key_to_the_old_name() {
        let old = Csca::new(CscaPlan::usual(Country::UTOPIA)).unwrap();
        let name = DistinguishedName::simulated(Country::UTOPIA, "Simulated CSCA 2");
        let (new, link) = old.roll_over(CscaPlan { name, ..CscaPlan::usual(Country::UTOPIA) }).unwrap();
        let parsed = |certificate: &Certificate| X509::from_der(certificate.der()).unwrap();
        let (old, new, link) = (parsed(old.certificate()), parsed(new.certificate()), parsed(&link));
        assert!(link.verify(&old.public_key().unwrap()).unwrap());
        assert!(link.public_key().unwrap().public_eq(&new.public_key().unwrap()));
        let identifier =
            |found: Option<&openssl::asn1::Asn1OctetStringRef>| found.unwrap().as_slice().to_vec();
        assert_eq!(identifier(link.authority_key_id()), identifier(old.subject_key_id()));
        assert_eq!(identifier(link.subject_key_id()), identifier(new.subject_key_id()));
        assert_eq!(link.issuer_name().to_der().unwrap(), old.subject_name().to_der().unwrap());
        assert_eq!(link.subject_name().to_der().unwrap(), new.subject_name().to_der().unwrap());
    }
}
