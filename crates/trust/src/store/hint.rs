//! Anchors that stand in no public list: their fingerprints, so that an operator can tell the real one.
//!
//! A hint is no anchor. It says which certificate others have met on real cards, so that the one an operator
//! was handed can be compared; whom to trust stays the operator's word.

use super::Fingerprint;

/// What is known about an anchor without having it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hint {
    /// The fingerprint of the certificate.
    pub fingerprint: Fingerprint,
    /// The country, two letters.
    pub country: &'static str,
    /// What its document signers sign.
    pub documents: HintedDocuments,
}

/// What kind of document an anchor is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HintedDocuments {
    /// Chip ID cards of citizens.
    CitizenId,
    /// Electronic passports.
    Passport,
}

/// The CSCA of Vietnamese chip ID cards: CN=CSCA Vietnam, secp384r1, valid from 2021-01-19 to 2046-04-13. Known
/// only from a vendor's kit, in no public list as of the German one of 2026-05.
pub const VIETNAM_CITIZEN_ID: Hint = Hint {
    fingerprint: Fingerprint::from_bytes([
        0x6F, 0x0A, 0x20, 0xD6, 0x3A, 0x43, 0xFC, 0x58, 0x9E, 0xAF, 0x0D, 0x8C, 0x52, 0x11, 0x3A, 0x2A, 0x8B,
        0xFA, 0x34, 0x1C, 0x6F, 0x2F, 0xAB, 0x04, 0x12, 0x12, 0x38, 0xAA, 0x0C, 0x22, 0xB1, 0xA9,
    ]),
    country: "VN",
    documents: HintedDocuments::CitizenId,
};

/// The CSCA of Vietnamese passports: CN=CSCA ePassport Vietnam, in the German master list since 2024-08.
pub const VIETNAM_PASSPORT: Hint = Hint {
    fingerprint: Fingerprint::from_bytes([
        0x6B, 0x5F, 0xA6, 0xFE, 0x45, 0xCC, 0x4E, 0x85, 0x5A, 0x73, 0x76, 0x04, 0x13, 0xE0, 0x8B, 0x7A, 0x9A,
        0xC5, 0x0A, 0x27, 0x72, 0x2C, 0x70, 0x2F, 0x39, 0x09, 0xA9, 0x0F, 0xAC, 0xC9, 0x91, 0xBD,
    ]),
    country: "VN",
    documents: HintedDocuments::Passport,
};

/// What the product knows.
pub const HINTS: &[Hint] = &[VIETNAM_CITIZEN_ID, VIETNAM_PASSPORT];
