//! The certificates a judge knows: those it trusts, and those that only help to get there.

use std::collections::HashMap;
use std::sync::Arc;

use cccd_document::SignerIdentifier;

use crate::certificate::significant;
use crate::store::Fingerprint;
use crate::{Certificate, DistinguishedName};

/// What a certificate is to the judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The operator trusts it: a chain that reaches it is good.
    Anchor,
    /// It may stand in a chain and proves nothing itself: a link, or a document signer that is not in its
    /// documents.
    Helper,
}

/// Certificates in memory, found by key, by name and by number.
#[derive(Debug, Clone, Default)]
pub struct TrustAnchors {
    known: HashMap<Fingerprint, (Arc<Certificate>, Role)>,
    by_key: HashMap<Vec<u8>, Vec<Fingerprint>>,
    by_subject: HashMap<Vec<u8>, Vec<Fingerprint>>,
    by_number: HashMap<(Vec<u8>, Vec<u8>), Vec<Fingerprint>>,
}

impl TrustAnchors {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a certificate. One that is known keeps the greater role.
    pub fn insert(&mut self, certificate: Certificate, role: Role) {
        let fingerprint = certificate.fingerprint();
        if let Some((_, known)) = self.known.get_mut(&fingerprint) {
            if role == Role::Anchor {
                *known = role;
            }
            return;
        }
        if let Some(key) = &certificate.extensions().subject_key_identifier {
            self.by_key.entry(key.clone()).or_default().push(fingerprint);
        }
        self.by_subject.entry(certificate.subject().folded().to_vec()).or_default().push(fingerprint);
        let number = (certificate.issuer().folded().to_vec(), certificate.serial_number().to_vec());
        self.by_number.entry(number).or_default().push(fingerprint);
        self.known.insert(fingerprint, (Arc::new(certificate), role));
    }

    /// How many certificates are known.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<Certificate>, Role)> {
        self.known.values().map(|(certificate, role)| (certificate, *role))
    }

    /// Whether this very certificate is trusted.
    pub fn is_anchor(&self, certificate: &Certificate) -> bool {
        self.known.get(&certificate.fingerprint()).is_some_and(|(_, role)| *role == Role::Anchor)
    }

    /// Those with this key identifier.
    pub fn with_key(&self, identifier: &[u8]) -> impl Iterator<Item = &Arc<Certificate>> {
        self.found(self.by_key.get(identifier))
    }

    /// Those of this subject.
    pub fn of_subject(&self, name: &DistinguishedName) -> impl Iterator<Item = &Arc<Certificate>> {
        self.found(self.by_subject.get(name.folded()))
    }

    /// Those a signed message may mean.
    pub(crate) fn meant_by(&self, identifier: &SignerIdentifier) -> Vec<Arc<Certificate>> {
        match identifier {
            SignerIdentifier::KeyIdentifier(key) => self.with_key(key).cloned().collect(),
            SignerIdentifier::IssuerAndSerial { issuer, serial } => {
                let Ok(issuer) = DistinguishedName::parse(issuer) else { return Vec::new() };
                let number = (issuer.folded().to_vec(), significant(serial).to_vec());
                self.found(self.by_number.get(&number)).cloned().collect()
            }
        }
    }

    fn found<'a>(
        &'a self,
        places: Option<&'a Vec<Fingerprint>>,
    ) -> impl Iterator<Item = &'a Arc<Certificate>> {
        let places = places.into_iter().flatten();
        places.filter_map(|place| self.known.get(place)).map(|(certificate, _)| certificate)
    }
}
