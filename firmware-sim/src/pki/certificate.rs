//! Certificates of any shape, written by hand: the profiles of ICAO 9303-12, 7, and what departs from them.

use openssl::error::ErrorStack;
use openssl::rand::rand_bytes;
use time::Date;

use crate::der::{bits, constructed, integer, octets, oid, printable, sequence, set_of, tlv, unsigned, utf8};

use super::key::SigningKey;
use super::kind::DigestKind;

/// A state, by two and by three letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Country {
    /// As the names of certificates have it.
    pub alpha2: &'static str,
    /// As the MRZ and the alternative names of certificates have it.
    pub alpha3: &'static str,
}

impl Country {
    /// Vietnam.
    pub const VIETNAM: Self = Self { alpha2: "VN", alpha3: "VNM" };
    /// Utopia, the invented state of ICAO's specimens.
    pub const UTOPIA: Self = Self { alpha2: "UT", alpha3: "UTO" };
}

/// First and last day, from midnight to a second before midnight, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// First day.
    pub from: Date,
    /// Last day.
    pub to: Date,
}

/// Whose certificate: country, organisation, and a common name, which some authorities do without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DistinguishedName {
    /// Two letters.
    pub country: &'static str,
    /// Organisation.
    pub organisation: &'static str,
    /// Common name.
    pub common_name: Option<String>,
}

impl DistinguishedName {
    /// A name within the simulation.
    pub fn simulated(country: Country, common_name: &str) -> Self {
        Self {
            country: country.alpha2,
            organisation: "cccd-agent simulation",
            common_name: Some(common_name.to_owned()),
        }
    }

    pub(super) fn to_der(&self) -> Vec<u8> {
        let entry = |last, value| set_of(vec![sequence(&[oid(&[2, 5, 4, last]), value])]);
        let mut parts = vec![entry(6, printable(self.country)), entry(10, utf8(self.organisation))];
        parts.extend(self.common_name.as_ref().map(|name| entry(3, utf8(name))));
        sequence(&parts)
    }
}

/// A certificate, with what others quote from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    pub(super) issuer: Vec<u8>,
    pub(super) subject: Vec<u8>,
    pub(super) serial: Vec<u8>,
    pub(super) key_identifier: Vec<u8>,
}

impl Certificate {
    /// Its bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Its serial number, most significant byte first.
    pub fn serial_number(&self) -> &[u8] {
        &self.serial
    }
}

/// A certificate about to be signed.
pub(super) struct Draft<'a> {
    pub(super) issuer: Vec<u8>,
    pub(super) subject: Vec<u8>,
    pub(super) validity: Period,
    pub(super) key: &'a SigningKey,
    pub(super) extensions: Vec<Vec<u8>>,
}

impl Draft<'_> {
    /// Signs it (RFC 5280, 4.1).
    pub(super) fn sign(self, by: &SigningKey, digest: DigestKind) -> Result<Certificate, ErrorStack> {
        let serial = serial_number()?;
        let algorithm = by.kind().signature_algorithm(digest);
        let body = sequence(&[
            // Version 3.
            constructed(0xA0, &[integer(2)]),
            unsigned(&serial),
            algorithm.clone(),
            self.issuer.clone(),
            sequence(&[instant(self.validity.from, MIDNIGHT), instant(self.validity.to, LAST_SECOND)]),
            self.subject.clone(),
            self.key.public_key()?,
            constructed(0xA3, &[sequence(&self.extensions)]),
        ]);
        Ok(Certificate {
            der: signed(body, algorithm, by, digest)?,
            issuer: self.issuer,
            subject: self.subject,
            serial,
            key_identifier: self.key.identifier()?,
        })
    }
}

/// What was signed, how, and the signature: the shape of certificates and of revocation lists.
pub(super) fn signed(
    body: Vec<u8>,
    algorithm: Vec<u8>,
    by: &SigningKey,
    digest: DigestKind,
) -> Result<Vec<u8>, ErrorStack> {
    let signature = by.sign(digest, &body)?;
    Ok(sequence(&[body, algorithm, bits(&signature, 0)]))
}

const MIDNIGHT: &str = "000000Z";
const LAST_SECOND: &str = "235959Z";

/// Time, which is UTCTime until 2049 and GeneralizedTime from then on (RFC 5280, 4.1.2.5).
fn instant(day: Date, clock: &str) -> Vec<u8> {
    let (year, month) = (day.year(), u8::from(day.month()));
    if year < 2050 {
        tlv(0x17, format!("{:02}{month:02}{:02}{clock}", year % 100, day.day()).as_bytes())
    } else {
        tlv(0x18, generalized(day, clock).as_bytes())
    }
}

/// Time at midnight of a day.
pub(super) fn midnight(day: Date) -> Vec<u8> {
    instant(day, MIDNIGHT)
}

/// Time at noon of a day.
pub(super) fn noon(day: Date) -> Vec<u8> {
    instant(day, "120000Z")
}

fn generalized(day: Date, clock: &str) -> String {
    format!("{:04}{:02}{:02}{clock}", day.year(), u8::from(day.month()), day.day())
}

/// Sixteen bytes that begin with neither a zero nor a sign.
fn serial_number() -> Result<Vec<u8>, ErrorStack> {
    let mut bytes = vec![0; 16];
    rand_bytes(&mut bytes)?;
    if let Some(first) = bytes.first_mut() {
        *first = *first & 0x7F | 0x40;
    }
    Ok(bytes)
}

/// Whether a reader that does not know an extension may read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Criticality {
    Critical,
    NotCritical,
}

pub(super) fn extension(id: &[u32], criticality: Criticality, value: &[u8]) -> Vec<u8> {
    let mut parts = vec![oid(id)];
    if criticality == Criticality::Critical {
        parts.push(yes());
    }
    parts.push(octets(value));
    sequence(&parts)
}

/// BOOLEAN TRUE.
fn yes() -> Vec<u8> {
    tlv(0x01, &[0xFF])
}

pub(super) fn authority_key_identifier(identifier: &[u8]) -> Vec<u8> {
    extension(&[2, 5, 29, 35], Criticality::NotCritical, &sequence(&[tlv(0x80, identifier)]))
}

pub(super) fn subject_key_identifier(identifier: &[u8]) -> Vec<u8> {
    extension(&[2, 5, 29, 14], Criticality::NotCritical, &octets(identifier))
}

/// keyCertSign is bit 5, cRLSign bit 6.
pub(super) fn key_usage_of_an_authority() -> Vec<u8> {
    extension(&[2, 5, 29, 15], Criticality::Critical, &bits(&[0b0000_0110], 1))
}

/// digitalSignature is bit 0.
pub(super) fn key_usage_of_a_signer() -> Vec<u8> {
    extension(&[2, 5, 29, 15], Criticality::Critical, &bits(&[0b1000_0000], 7))
}

/// keyEncipherment is bit 2: good for neither.
pub(super) fn key_usage_of_neither() -> Vec<u8> {
    extension(&[2, 5, 29, 15], Criticality::Critical, &bits(&[0b0010_0000], 5))
}

/// cA is true.
pub(super) fn basic_constraints(path_length: Option<u32>) -> Vec<u8> {
    let parts: Vec<Vec<u8>> = [yes()].into_iter().chain(path_length.map(integer)).collect();
    extension(&[2, 5, 29, 19], Criticality::Critical, &sequence(&parts))
}

pub(super) fn private_key_usage_period(period: Period) -> Vec<u8> {
    let parts = [
        tlv(0x80, generalized(period.from, MIDNIGHT).as_bytes()),
        tlv(0x81, generalized(period.to, LAST_SECOND).as_bytes()),
    ];
    extension(&[2, 5, 29, 16], Criticality::NotCritical, &sequence(&parts))
}

/// Subject's and issuer's alternative names: a directory name whose locality is the three letters of the
/// state (ICAO 9303-12, 7.1.1).
pub(super) fn alternative_names(subject: Country, issuer: Country) -> [Vec<u8>; 2] {
    let name = |country: Country| {
        let locality = sequence(&[oid(&[2, 5, 4, 7]), printable(country.alpha3)]);
        sequence(&[constructed(0xA4, &[sequence(&[set_of(vec![locality])])])])
    };
    [
        extension(&[2, 5, 29, 17], Criticality::NotCritical, &name(subject)),
        extension(&[2, 5, 29, 18], Criticality::NotCritical, &name(issuer)),
    ]
}

/// Where the revocation list is; names under .invalid lead nowhere (RFC 6761, 6.4).
pub(super) fn crl_distribution_point(country: Country) -> Vec<u8> {
    let uri = format!("http://crl.example.invalid/{}.crl", country.alpha3);
    let point = sequence(&[constructed(0xA0, &[constructed(0xA0, &[tlv(0x86, uri.as_bytes())])])]);
    extension(&[2, 5, 29, 31], Criticality::NotCritical, &sequence(&[point]))
}

/// The document codes of the MRZ (ICAO 9303-12, 7.1.1).
pub(super) fn document_type_list(types: &[&str]) -> Vec<u8> {
    let types = types.iter().map(|kind| printable(kind)).collect();
    let list = sequence(&[integer(0), set_of(types)]);
    extension(&[2, 23, 136, 1, 1, 6, 2], Criticality::NotCritical, &list)
}

pub(super) fn extended_key_usage(purpose: &[u32]) -> Vec<u8> {
    extension(&[2, 5, 29, 37], Criticality::Critical, &sequence(&[oid(purpose)]))
}

/// A critical extension nobody knows, under the enterprise number for examples (RFC 5612).
/// Says that nobody's state is behind it, for whoever looks: an extension under the number for examples (RFC 5612).
pub(super) fn simulation_mark() -> Vec<u8> {
    extension(&[1, 3, 6, 1, 4, 1, 32473, 9303, 1], Criticality::NotCritical, &tlv(0x05, &[]))
}

pub(super) fn unknown_critical_extension() -> Vec<u8> {
    extension(&[1, 3, 6, 1, 4, 1, 32473, 9303], Criticality::Critical, &octets(b"unheard of"))
}
