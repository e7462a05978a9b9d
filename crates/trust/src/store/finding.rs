//! What came of looking at one certificate, list or CRL. The codes are stable: programs compare them.

use time::OffsetDateTime;

use super::{Fingerprint, Unreadable};

/// One certificate, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its bytes.
    pub der: Vec<u8>,
    /// Their SHA-256.
    pub fingerprint: Fingerprint,
    /// What it says of itself, where it can be read.
    pub facts: Option<Facts>,
    /// Whether it can be an anchor.
    pub standing: Standing,
    /// What the operator should know.
    pub warnings: Vec<Warning>,
}

/// What a certificate says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The country of its subject, two capital letters.
    pub country: Option<String>,
    /// Its subject, as RFC 4514 writes names.
    pub subject: String,
    /// Who issued it.
    pub issuer: String,
    /// Its serial number in hexadecimal digits.
    pub serial: String,
    /// From when it is valid.
    pub not_before: OffsetDateTime,
    /// Until when.
    pub not_after: OffsetDateTime,
    /// Until when its private key may sign (RFC 5280's predecessor, 4.2.1.4; ICAO 9303-12, 7.1).
    pub key_usage_until: Option<OffsetDateTime>,
    /// Its key: the algorithm, and the curve or the size.
    pub key: String,
    /// What it was signed with.
    pub signature: String,
    /// Its subject key identifier in hexadecimal digits.
    pub key_identifier: Option<String>,
}

/// One signed list, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListFinding {
    /// Whether it can be believed.
    pub standing: ListStanding,
    /// Who signed it, where that certificate is at hand.
    pub signer: Option<ListSigner>,
    /// When it was signed, as the signer says.
    pub signed_at: Option<OffsetDateTime>,
    /// Its certificates.
    pub certificates: Vec<Finding>,
    /// Parts of it that cannot be read.
    pub unreadable: Vec<Unreadable>,
}

/// Who signed a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListSigner {
    /// The fingerprint of the signer's certificate.
    pub fingerprint: Fingerprint,
    /// What it says of itself.
    pub facts: Facts,
}

/// One CRL, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrlFinding {
    /// Its bytes.
    pub der: Vec<u8>,
    /// Their SHA-256.
    pub fingerprint: Fingerprint,
    /// What it says of itself, where it can be read.
    pub facts: Option<CrlFacts>,
    /// Whether it can be used.
    pub standing: CrlStanding,
    /// Installed CRLs of the same authority and key, whose place it takes.
    pub replaces: Vec<Fingerprint>,
}

/// What a CRL says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrlFacts {
    /// The country of its issuer.
    pub country: Option<String>,
    /// Its issuer.
    pub issuer: String,
    /// When it was issued.
    pub this_update: OffsetDateTime,
    /// When the next one is due.
    pub next_update: Option<OffsetDateTime>,
    /// How many certificates it revokes.
    pub revoked: usize,
}

/// Defines an enumeration with a code for each, so that one without cannot be written.
macro_rules! coded {
    ($(#[$doc:meta])+ $type:ident { $($(#[$each:meta])+ $name:ident => $code:literal,)+ }) => {
        $(#[$doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum $type {
            $($(#[$each])+ $name,)+
        }

        impl $type {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The code for programs.
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)+
                }
            }
        }
    };
}

coded! {
    /// Whether a certificate can be an anchor.
    Standing {
        /// Self-signed, and its signature holds.
        SelfSigned => "self-signed",
        /// Issued to itself under another key of the same authority, and that signature holds: the link of a
        /// key roll-over (ICAO 9303-12, 4.3).
        Link => "link",
        /// Issued to itself under a key that is not here: nothing in it could be verified.
        LinkUnverified => "link-unverified",
        /// Self-signed by what it says, and the signature does not hold.
        SelfSignatureWrong => "self-signature-wrong",
        /// It may not sign certificates: a document signer, or a signer of lists.
        NotAnAuthority => "not-an-authority",
        /// Issued by another authority: no root of its own.
        IssuedByOther => "issued-by-other",
        /// A key or signature of a kind that is not verified here.
        Unsupported => "unsupported",
        /// It is no certificate, or a damaged one.
        Unreadable => "unreadable",
    }
}

impl Standing {
    /// Whether it can be installed, if somebody vouches for it.
    pub fn can_be_anchor(self) -> bool {
        matches!(self, Self::SelfSigned | Self::Link | Self::LinkUnverified)
    }
}

coded! {
    /// What an operator should know of a certificate that can be an anchor.
    Warning {
        /// The same certificate stands earlier in the file.
        Repeated => "repeated",
        /// It is installed already.
        Installed => "installed",
        /// It is no longer valid.
        Expired => "expired",
        /// It is not valid yet.
        NotYetValid => "not-yet-valid",
        /// It ends soon.
        EndsSoon => "ends-soon",
        /// Its key may sign no more: documents issued since have another one.
        KeyUsageOver => "key-usage-over",
        /// Its key may not sign for much longer: a successor is due.
        KeyUsageEndsSoon => "key-usage-ends-soon",
        /// Signed with a digest that can be forged: SHA-1 or MD5.
        WeakDigest => "weak-digest",
        /// A key that is too short by today's measure.
        WeakKey => "weak-key",
        /// It names no country: no document's state can be compared with it.
        NoCountry => "no-country",
    }
}

coded! {
    /// Whether a master list can be believed.
    ListStanding {
        /// Signed by a signer the operator has pinned, or under a CSCA that is pinned.
        SignedByPinned => "signed-by-pinned",
        /// Signed by a list signer of a CSCA that is installed.
        SignedByInstalled => "signed-by-installed",
        /// The signature holds, and nothing is known of whose it is.
        SignerUnknown => "signer-unknown",
        /// The signer's certificate is for something else than lists (ICAO 9303-12, 7.1: extended key usage).
        SignerNotForLists => "signer-not-for-lists",
        /// The signer's certificate was not valid when the list was signed.
        SignerNotValid => "signer-not-valid",
        /// The signature does not hold: the list was altered or damaged.
        SignatureWrong => "signature-wrong",
        /// Signed with something that is not verified here.
        Unsupported => "unsupported",
        /// A signed message that holds no master list.
        NoList => "no-list",
        /// It cannot be read.
        Unreadable => "unreadable",
    }
}

impl ListStanding {
    /// Whether its certificates may be taken without anything more.
    pub fn is_vouched_for(self) -> bool {
        matches!(self, Self::SignedByPinned | Self::SignedByInstalled)
    }

    /// Whether an operator may accept it all the same. One with a wrong signature never.
    pub fn can_be_accepted(self) -> bool {
        self.is_vouched_for()
            || matches!(self, Self::SignerUnknown | Self::SignerNotForLists | Self::SignerNotValid)
    }
}

coded! {
    /// Whether a CRL can be used.
    CrlStanding {
        /// Signed by an authority that is installed.
        Signed => "signed",
        /// Nobody who is installed has issued it.
        IssuerUnknown => "issuer-unknown",
        /// The signature does not hold.
        SignatureWrong => "signature-wrong",
        /// An authority's newer CRL is installed: an older one would take revocations back.
        OlderThanInstalled => "older-than-installed",
        /// It is installed already.
        Installed => "installed",
        /// It cannot be read.
        Unreadable => "unreadable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_outcomes_of_a_kind_share_a_code() {
        let kinds: [Vec<&str>; 4] = [
            Standing::ALL.iter().map(|one| one.code()).collect(),
            Warning::ALL.iter().map(|one| one.code()).collect(),
            ListStanding::ALL.iter().map(|one| one.code()).collect(),
            CrlStanding::ALL.iter().map(|one| one.code()).collect(),
        ];
        for codes in kinds {
            let mut distinct = codes.clone();
            distinct.sort_unstable();
            distinct.dedup();
            assert_eq!(distinct.len(), codes.len(), "{codes:?}");
        }
    }

    #[test]
    fn nothing_with_a_wrong_signature_is_ever_taken() {
        assert!(!Standing::SelfSignatureWrong.can_be_anchor());
        assert!(!ListStanding::SignatureWrong.can_be_accepted());
        assert!(ListStanding::ALL.iter().all(|one| one.can_be_accepted() || !one.is_vouched_for()));
    }
}
