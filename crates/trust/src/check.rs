//! What is checked, and what came of it.

use std::fmt;

use cccd_document::FileId;

/// One check and its outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was checked.
    pub name: CheckName,
    /// What came of it.
    pub state: CheckState,
    /// Where the rule was not kept to the letter and the check passed all the same: each deviation by name.
    pub tolerated: Vec<Reason>,
}

impl Check {
    /// A check that came out so, with nothing tolerated.
    pub fn new(name: CheckName, state: CheckState) -> Self {
        Self { name, state, tolerated: Vec::new() }
    }

    /// A check that passed.
    pub fn passed(name: CheckName) -> Self {
        Self::new(name, CheckState::Passed)
    }

    /// A check that failed.
    pub fn failed(name: CheckName, reason: Reason) -> Self {
        Self::new(name, CheckState::Failed(reason))
    }

    /// A check that cannot be made.
    pub fn not_possible(name: CheckName, reason: Reason) -> Self {
        Self::new(name, CheckState::NotPossible(reason))
    }

    /// The same, with a deviation it passed in spite of.
    pub fn tolerating(mut self, deviation: Reason) -> Self {
        if !self.tolerated.contains(&deviation) {
            self.tolerated.push(deviation);
        }
        self
    }
}

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckState {
    /// It was made and holds.
    Passed,
    /// It was made and does not hold.
    Failed(Reason),
    /// The document does not have what it takes; its signed files say so.
    NotOffered,
    /// It could not be made, through no fault of the document's that could be shown.
    NotPossible(Reason),
    /// The caller's profile leaves it out.
    Skipped,
}

/// What is checked. The names are stable: programs compare them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum CheckName {
    /// EF.SOD is there and can be read.
    SecurityObject,
    /// Every group that was read has the hash EF.SOD lists for it.
    GroupHashes,
    /// EF.SOD is signed by the document signer's key.
    Signature,
    /// The document signer's certificate may sign documents: key usage, extensions, document type.
    SignerCertificate,
    /// The document signer's certificate leads to a trust anchor.
    Chain,
    /// All certificates of the chain, and the signer's private key, were valid when EF.SOD was signed.
    Validity,
    /// No certificate of the chain is revoked.
    Revocation,
    /// The state in DG1 is the state of the signer and of the anchor.
    IssuingState,
    /// What EF.CardAccess offered stands in signed DG14, and no better protocol was hidden.
    CardAccess,
    /// The chip signed our challenge with the key in DG15.
    ActiveAuthentication,
    /// The chip has the private key to its key in DG14.
    ChipAuthentication,
    /// The chip has shown the same within PACE.
    ChipAuthenticationMapping,
    /// The chip took this machine for a certified station, which may read fingerprints and irises. It says
    /// nothing about the document: it never fails and is never in the way.
    TerminalAuthentication,
}

impl CheckName {
    /// The name for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::SecurityObject => "security-object",
            Self::GroupHashes => "group-hashes",
            Self::Signature => "signature",
            Self::SignerCertificate => "signer-certificate",
            Self::Chain => "chain",
            Self::Validity => "validity",
            Self::Revocation => "revocation",
            Self::IssuingState => "issuing-state",
            Self::CardAccess => "card-access",
            Self::ActiveAuthentication => "active-authentication",
            Self::ChipAuthentication => "chip-authentication",
            Self::ChipAuthenticationMapping => "chip-authentication-mapping",
            Self::TerminalAuthentication => "terminal-authentication",
        }
    }
}

impl fmt::Display for CheckName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Defines [`Reason`] with its code, so that a reason without a code cannot be written.
macro_rules! reasons {
    ($($(#[$doc:meta])+ $name:ident => $code:literal,)+) => {
        /// Why a check failed or could not be made, or what it passed in spite of. The codes are stable:
        /// programs compare them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Reason {
            $($(#[$doc])+ $name,)+
            /// This group is concerned.
            Group(GroupReason, FileId),
        }

        impl Reason {
            /// All reasons but those about one group.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The code for programs.
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)+
                    Self::Group(reason, _) => reason.code(),
                }
            }
        }
    };
}

reasons! {
    // EF.SOD and its signature
    /// The chip has no EF.SOD, or does not let it be read.
    SecurityObjectAbsent => "security-object-absent",
    /// EF.SOD is not what ICAO 9303-10 says.
    SecurityObjectMalformed => "security-object-malformed",
    /// The signature is not that of these bytes by this key.
    SignatureMismatch => "signature-mismatch",
    /// The signature's algorithm is not one of this key's kind.
    SignatureNotOfKey => "signature-not-of-key",
    /// The signature's algorithm, or one of its parameters, is unknown here.
    SignatureAlgorithmUnknown => "signature-algorithm-unknown",
    /// The public key is damaged, or of a length or kind that is not used.
    PublicKeyUnusable => "public-key-unusable",
    /// The public key's curve is unknown here, or not stated.
    CurveUnknown => "curve-unknown",
    /// The public key spells out a curve that is none of the known ones.
    ExplicitCurveUnknown => "explicit-curve-unknown",
    /// The public key names another curve than the one it is on.
    CurveMisnamed => "curve-misnamed",
    /// The signature is made with SHA-1.
    HashWeak => "hash-weak",
    /// The key is an RSA key of less than 2048 bits.
    KeyShort => "key-short",
    /// The key is said to be for one kind of RSA signature and has made the other.
    KeyAlgorithmDiffers => "key-algorithm-differs",
    /// The signature does not say which parameters of RSASSA-PSS it is made with.
    PssParametersAbsent => "pss-parameters-absent",
    /// The salt has not the length the signature states.
    PssSaltNotAsStated => "pss-salt-not-as-stated",
    /// The salt has not the length of the hash.
    PssSaltUnusual => "pss-salt-unusual",
    /// The mask is generated with another hash than the signature's.
    PssMaskUnusual => "pss-mask-unusual",
    /// EF.SOD cannot be used, so nothing can be held against it.
    SecurityObjectUnusable => "security-object-unusable",
    /// The message says that it carries something else than the hashes of groups.
    ContentTypeWrong => "content-type-wrong",
    /// The message names its content by the identifier of an earlier draft or of one producer.
    ContentTypeOld => "content-type-old",
    /// The message names its content as mere data.
    ContentTypeData => "content-type-data",
    /// Nobody has signed the message.
    NotSigned => "not-signed",
    /// Several have signed the message; one signature that holds is taken.
    SeveralSigners => "several-signers",
    /// The signer names another kind of content than the message does.
    ContentTypeMismatch => "content-type-mismatch",
    /// The signer does not name the kind of content.
    ContentTypeAttributeAbsent => "content-type-attribute-absent",
    /// The signer's attributes do not hold one hash of the content.
    MessageDigestAbsent => "message-digest-absent",
    /// The content is not what the signer's attributes hold the hash of.
    MessageDigestMismatch => "message-digest-mismatch",
    /// The signature is over the bare content, without attributes.
    SignedAttributesAbsent => "signed-attributes-absent",
    /// The time of signing is there and cannot be read.
    SigningTimeUnreadable => "signing-time-unreadable",
    /// The content is hashed with another function than the signature is made with.
    DigestAlgorithmsDiffer => "digest-algorithms-differ",
    /// A hash function is unknown here.
    HashUnknown => "hash-unknown",
    /// The signer is named as nobody; the certificate inside fits the signature.
    SignerIdentifierUnmatched => "signer-identifier-unmatched",
    /// The signer's certificate is neither in EF.SOD nor known.
    SignerCertificateAbsent => "signer-certificate-absent",
    /// The signer's certificate cannot be read.
    SignerCertificateMalformed => "signer-certificate-malformed",
    /// No data group was read.
    NoGroupRead => "no-group-read",

    // The signer
    /// There is no signer whose signature holds.
    NoVerifiedSigner => "no-verified-signer",
    /// A certificate has a critical extension that is unknown here.
    UnknownCriticalExtension => "unknown-critical-extension",
    /// An extension that is not critical cannot be read.
    ExtensionUnreadable => "extension-unreadable",
    /// What signed the document is an authority, whose key is for certificates.
    SignerIsAuthority => "signer-is-authority",
    /// The signer's key is not for signatures.
    SignerMayNotSign => "signer-may-not-sign",
    /// A certificate does not say what its key is for.
    KeyUsageUnstated => "key-usage-unstated",
    /// The signer's key is for other things than documents.
    SignerForOtherPurpose => "signer-for-other-purpose",
    /// The signer may sign documents, and none of this type.
    DocumentTypeNotAllowed => "document-type-not-allowed",

    // The chain
    /// No certificate that is trusted leads to the signer: neither genuine nor fake.
    UnknownAnchor => "unknown-anchor",
    /// A certificate names a known key as its issuer's, and that key has not signed it.
    CertificateForged => "certificate-forged",
    /// An issuer is no authority.
    IssuerNotAuthority => "issuer-not-authority",
    /// An issuer's certificate does not say whether it is an authority.
    AuthorityUnstated => "authority-unstated",
    /// An issuer's key is not for certificates.
    IssuerMayNotSign => "issuer-may-not-sign",
    /// More authorities stand between than one of them allows.
    PathTooLong => "path-too-long",
    /// An authority does not say how many may stand below it.
    PathLengthUnstated => "path-length-unstated",
    /// The issuer's name is another than the certificate says; key and signature fit.
    IssuerNameDiffers => "issuer-name-differs",
    /// The issuer's key has another identifier than the certificate says; name and signature fit.
    KeyIdentifierDiffers => "key-identifier-differs",

    // Validity
    /// Nothing says when the document was signed.
    SigningTimeAbsent => "signing-time-absent",
    /// The document says to be signed at a time that has not come yet.
    SignedInFuture => "signed-in-future",
    /// The signer's certificate was not valid when the document was signed.
    SignerNotValidWhenSigned => "signer-not-valid-when-signed",
    /// An authority's certificate was not valid when the document was signed.
    AuthorityNotValidWhenSigned => "authority-not-valid-when-signed",
    /// The signer's key was not to be used any more, or not yet, when the document was signed.
    SignerKeyPeriodOver => "signer-key-period-over",
    /// A certificate is not valid yet.
    CertificateNotYetValid => "certificate-not-yet-valid",
    /// The signer's certificate has expired.
    SignerExpired => "signer-expired",
    /// An authority's certificate has expired.
    AuthorityExpired => "authority-expired",
    /// A certificate was issued when its issuer's key was not to be used.
    IssuedOutsideKeyPeriod => "issued-outside-key-period",

    // What the chip offered in the open
    /// EF.CardAccess is no list of options.
    CardAccessMalformed => "card-access-malformed",
    /// There is an EF.CardAccess and no DG14 to hold it against.
    CardAccessNotSigned => "card-access-not-signed",
    /// What was offered in the open, or used, does not stand in signed DG14.
    CardAccessDiffers => "card-access-differs",
    /// Signed DG14 has a variant of PACE that was not offered in the open.
    CardAccessIncomplete => "card-access-incomplete",
    /// The chip was opened by BAC although its signed options have PACE.
    AccessDowngraded => "access-downgraded",
    /// The reader opened the chip by itself, and does not show how.
    AccessUnseen => "access-unseen",

    // Proofs that the chip is no copy
    /// EF.SOD lists the group with the key of this proof, and the chip does not show it.
    ProofKeyWithheld => "proof-key-withheld",
    /// The group with the key of this proof was not read, or cannot be understood.
    ProofKeyUnread => "proof-key-unread",
    /// The key of this proof is of a kind, length or curve that we do not speak.
    ProofKeyUnusable => "proof-key-unusable",
    /// The proof was made with a key that is not the document's.
    ProofKeyForeign => "proof-key-foreign",
    /// Signed files offer this proof, and the chip refused to give it.
    ProofRefused => "proof-refused",
    /// Signed files offer this proof, and the chip broke off over it.
    ProofBroken => "proof-broken",
    /// The chip's answer is not that of the owner of the key.
    ProofWrong => "proof-wrong",
    /// The chip's answer was cut short on its way: reader or chip did not carry it whole.
    ProofAnswerCut => "proof-answer-cut",
    /// Which hash the chip signed is not stated, or is one we do not know.
    ProofHashUnknown => "proof-hash-unknown",
    /// Signed files offer this proof, and the chip was opened in another way.
    ProofNotRun => "proof-not-run",
    /// The reader converses with the chip by itself, and does not pass this proof on.
    ProofNotCarried => "proof-not-carried",
    /// The challenge is not the one that comes of the nonce stated with it.
    ChallengeNotOfNonce => "challenge-not-of-nonce",
    /// The chip ran PACE with chip authentication mapping and has no EF.CardSecurity.
    CardSecurityWithheld => "card-security-withheld",
    /// EF.CardSecurity is not what TR-03110-3 says.
    CardSecurityMalformed => "card-security-malformed",
    /// EF.CardSecurity is not signed by whom it says.
    CardSecurityForged => "card-security-forged",

    // The station, to the chip
    /// Nobody has set this machine up as a certified station.
    StationNotSetUp => "station-not-set-up",
    /// The station's certificates or its key cannot be used.
    StationUnusable => "station-unusable",
    /// The station's certificates are valid no more, or not yet.
    StationOutOfDate => "station-out-of-date",
    /// None of the station's certificates leads to it from an authority that the chip trusts.
    StationForeign => "station-foreign",
    /// The station's key did not sign.
    StationKeySilent => "station-key-silent",
    /// Reader or driver did not carry the station's proof.
    StationNotCarried => "station-not-carried",
    /// The chip refused the station.
    StationRefused => "station-refused",
    /// The chip believed the station, whose certificates do not grant what was asked for.
    StationNotEntitled => "station-not-entitled",
    /// The chip broke off over the station's proof.
    StationBroken => "station-broken",

    // Revocation
    /// No list of revoked certificates is at hand for the authority that issued the signer's certificate.
    NoRevocationList => "no-revocation-list",
    /// The only list of revoked certificates is overdue.
    RevocationListStale => "revocation-list-stale",
    /// The signer's certificate is revoked.
    SignerRevoked => "signer-revoked",
    /// An authority's certificate is revoked.
    AuthorityRevoked => "authority-revoked",

    // Issuing state
    /// The signer's certificate names no country.
    CountryUnstated => "country-unstated",
    /// The signer and its authority are of different countries.
    SignerCountryDiffers => "signer-country-differs",
    /// The state in DG1 is not the signer's.
    IssuingStateDiffers => "issuing-state-differs",
    /// DG1 was not read, or cannot be.
    IssuingStateUnread => "issuing-state-unread",
    /// The state in DG1 is none that is known.
    IssuingStateUnknown => "issuing-state-unknown",
}

/// Why one group fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GroupReason {
    /// Its bytes are not those that were signed for.
    HashMismatch,
    /// It was read and nobody signed for it.
    NotSigned,
}

impl GroupReason {
    /// The code for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::HashMismatch => "group-hash-mismatch",
            Self::NotSigned => "group-not-signed",
        }
    }
}
