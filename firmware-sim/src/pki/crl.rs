//! Certificate revocation lists (ICAO 9303-12, 7.1.4; RFC 5280, 5).

use openssl::error::ErrorStack;
use time::Date;
use time::macros::date;

use crate::der::{constructed, integer, sequence, tlv, unsigned};

use super::certificate::{Certificate, Criticality, authority_key_identifier, extension, midnight, signed};
use super::key::SigningKey;
use super::kind::DigestKind;

/// What a revocation list says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrlPlan {
    /// When it was issued.
    pub this_update: Date,
    /// When the next one is due.
    pub next_update: Option<Date>,
    /// Which serial numbers are revoked, and since when.
    pub revoked: Vec<(Vec<u8>, Date)>,
}

impl CrlPlan {
    /// A list that revokes nothing, of 2026, and current until 2047.
    pub fn empty() -> Self {
        Self {
            this_update: date!(2026 - 01 - 01),
            next_update: Some(date!(2047 - 12 - 31)),
            revoked: Vec::new(),
        }
    }

    /// The same, with one certificate revoked since a day.
    pub fn revoking(mut self, certificate: &Certificate, since: Date) -> Self {
        self.revoked.push((certificate.serial_number().to_vec(), since));
        self
    }

    /// The same, of 2023 and overdue since later in that year.
    pub fn stale(mut self) -> Self {
        self.this_update = date!(2023 - 07 - 01);
        self.next_update = Some(date!(2023 - 10 - 01));
        self
    }
}

pub(super) fn crl(
    plan: &CrlPlan,
    issuer: &[u8],
    key: &SigningKey,
    digest: DigestKind,
) -> Result<Vec<u8>, ErrorStack> {
    let algorithm = key.kind().signature_algorithm(digest);
    let mut body = vec![
        // Version 2.
        integer(1),
        algorithm.clone(),
        issuer.to_vec(),
        midnight(plan.this_update),
    ];
    body.extend(plan.next_update.map(midnight));
    // An empty list is not written at all (RFC 5280, 5.1.2.6).
    if !plan.revoked.is_empty() {
        let entry = |(serial, since): &(Vec<u8>, Date)| {
            // reasonCode keyCompromise.
            let reason = extension(&[2, 5, 29, 21], Criticality::NotCritical, &tlv(0x0A, &[1]));
            sequence(&[unsigned(serial), midnight(*since), sequence(&[reason])])
        };
        body.push(sequence(&plan.revoked.iter().map(entry).collect::<Vec<_>>()));
    }
    let number = extension(&[2, 5, 29, 20], Criticality::NotCritical, &integer(1));
    body.push(constructed(0xA0, &[sequence(&[authority_key_identifier(&key.identifier()?), number])]));
    signed(sequence(&body), algorithm, key, digest)
}
