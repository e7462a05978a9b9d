//! Lists of revoked certificates (RFC 5280, 5; ICAO 9303-12, 7.3).

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use der::Decode;
use spki::AlgorithmIdentifierOwned;
use time::OffsetDateTime;
use x509_cert::certificate::Raw;
use x509_cert::crl::CertificateList;

use crate::certificate::{instant, significant, to_be_signed};
use crate::signature::{GoodSignature, SignatureFault, verify_signature};
use crate::{Certificate, CertificateError, DistinguishedName};

/// Longest list that is read. The lists of authorities have a few kilobytes.
pub const MAX_CRL_BYTES: usize = 16 * 1024 * 1024;

/// Critical extensions that change nothing here: the list's number and its issuer's key.
const HARMLESS: [&str; 2] = ["2.5.29.20", "2.5.29.35"];
/// issuingDistributionPoint: such a list may be about a part of the certificates only.
const ISSUING_DISTRIBUTION_POINT: &str = "2.5.29.28";
/// deltaCRLIndicator.
const DELTA: &str = "2.5.29.27";

/// A list of revoked certificates, taken apart. Nothing in it is verified.
#[derive(Clone)]
pub struct Crl {
    der: Vec<u8>,
    to_be_signed: Range<usize>,
    issuer: DistinguishedName,
    this_update: OffsetDateTime,
    next_update: Option<OffsetDateTime>,
    revoked: HashMap<Vec<u8>, OffsetDateTime>,
    signature_algorithm: AlgorithmIdentifierOwned,
    signature: Vec<u8>,
    coverage: Coverage,
}

/// What a list is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coverage {
    /// All certificates of its issuer.
    Complete,
    /// Some of them, or it has a critical extension nobody here knows: that a certificate is not on it says
    /// nothing.
    Partial,
}

impl Crl {
    /// Reads a list. Bytes after it are an error.
    pub fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > MAX_CRL_BYTES {
            return Err(CertificateError::TooLong);
        }
        let parsed = CertificateList::<Raw>::from_der(der)?;
        let body = parsed.tbs_cert_list;
        if body.signature != parsed.signature_algorithm {
            return Err(CertificateError::AlgorithmsDiffer);
        }
        let mut revoked = HashMap::new();
        for entry in body.revoked_certificates.into_iter().flatten() {
            let serial = significant(entry.serial_number.as_bytes()).to_vec();
            let moment = instant(entry.revocation_date.to_unix_duration())?;
            // Twice on the list: the earlier moment counts.
            revoked
                .entry(serial)
                .and_modify(|known: &mut OffsetDateTime| *known = moment.min(*known))
                .or_insert(moment);
        }
        let mut extensions = body.crl_extensions.iter().flatten();
        let is_partial = extensions.any(|extension| {
            let oid = extension.extn_id.to_string();
            [ISSUING_DISTRIBUTION_POINT, DELTA].contains(&oid.as_str())
                || (extension.critical && !HARMLESS.contains(&oid.as_str()))
        });
        Ok(Self {
            to_be_signed: to_be_signed(der)?,
            issuer: DistinguishedName::of(&body.issuer),
            this_update: instant(body.this_update.to_unix_duration())?,
            next_update: body.next_update.map(|time| instant(time.to_unix_duration())).transpose()?,
            revoked,
            signature_algorithm: parsed.signature_algorithm,
            signature: parsed.signature.as_bytes().ok_or(CertificateError::Signature)?.to_vec(),
            coverage: if is_partial { Coverage::Partial } else { Coverage::Complete },
            der: der.to_vec(),
        })
    }

    /// Its bytes, as they came.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Whose certificates it is about.
    pub fn issuer(&self) -> &DistinguishedName {
        &self.issuer
    }

    /// When it was made.
    pub fn this_update(&self) -> OffsetDateTime {
        self.this_update
    }

    /// When the next one is due, if it says so.
    pub fn next_update(&self) -> Option<OffsetDateTime> {
        self.next_update
    }

    /// What it is about.
    pub fn coverage(&self) -> Coverage {
        self.coverage
    }

    /// How many certificates are on it.
    pub fn len(&self) -> usize {
        self.revoked.len()
    }

    /// Whether none is on it.
    pub fn is_empty(&self) -> bool {
        self.revoked.is_empty()
    }

    /// Since when a certificate of this issuer is revoked, if it is.
    pub fn revoked_since(&self, certificate: &Certificate) -> Option<OffsetDateTime> {
        self.revoked.get(certificate.serial_number()).copied()
    }

    /// Whether that authority has signed it.
    pub fn verify(&self, authority: &Certificate) -> Result<GoodSignature, SignatureFault> {
        let message = self.der.get(self.to_be_signed.clone()).unwrap_or_default();
        verify_signature(authority.public_key(), &self.signature_algorithm, None, message, &self.signature)
    }
}

impl fmt::Debug for Crl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crl")
            .field("issuer", &self.issuer)
            .field("this_update", &self.this_update)
            .field("revoked", &self.revoked.len())
            .finish_non_exhaustive()
    }
}
