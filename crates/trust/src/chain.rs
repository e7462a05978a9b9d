//! From a document signer to an anchor (RFC 5280, 6.1; ICAO 9303-12, 6).
//!
//! The same name is not the same key: authorities change keys and keep their name. So issuers are looked for by
//! key, then by name, and the signature decides. Work and length are bounded, whatever the certificates say.

use std::sync::Arc;

use crate::Reason;
use crate::anchors::TrustAnchors;
use crate::certificate::Certificate;
use crate::signature::{GoodSignature, SignatureFault, verify_signature};

/// Most certificates in a chain: a signer, three links, an anchor, and one to spare.
const MAX_LENGTH: usize = 6;
/// Most signatures that are verified in search of chains.
const MAX_SIGNATURES: usize = 24;
/// Most chains that are compared.
const MAX_CHAINS: usize = 4;

/// A chain whose every signature holds.
#[derive(Debug, Clone)]
pub struct Chain {
    /// The signer first, the anchor last.
    pub certificates: Vec<Arc<Certificate>>,
    /// What is odd about its signatures and the way it was found.
    pub tolerated: Vec<Reason>,
}

/// Why there is no chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoChain {
    /// No known certificate leads on.
    UnknownAnchor,
    /// A certificate names a known key as its issuer's, and that key has not signed it.
    Forged,
    /// A known issuer's signature cannot be verified.
    Unverifiable(Reason),
}

/// All chains from `signer` to an anchor, the most straightforward first. `companions` are certificates that came
/// along with it.
pub fn find_chains(
    signer: &Arc<Certificate>,
    companions: &[Arc<Certificate>],
    known: &TrustAnchors,
) -> Result<Vec<Chain>, NoChain> {
    let mut search =
        Search { companions, known, signatures_left: MAX_SIGNATURES, found: Vec::new(), obstacle: None };
    search.extend(&Chain { certificates: vec![Arc::clone(signer)], tolerated: Vec::new() });
    if search.found.is_empty() {
        Err(search.obstacle.unwrap_or(NoChain::UnknownAnchor))
    } else {
        Ok(search.found)
    }
}

struct Search<'a> {
    companions: &'a [Arc<Certificate>],
    known: &'a TrustAnchors,
    signatures_left: usize,
    found: Vec<Chain>,
    obstacle: Option<NoChain>,
}

impl Search<'_> {
    fn extend(&mut self, chain: &Chain) {
        let Some(top) = chain.certificates.last() else { return };
        if self.known.is_anchor(top) {
            self.found.push(chain.clone());
            return;
        }
        if chain.certificates.len() == MAX_LENGTH {
            return;
        }
        for issuer in self.issuers(top) {
            // The same key under the same name again leads round in a circle.
            let is_again = |other: &Arc<Certificate>| {
                other.subject() == issuer.subject() && other.public_key() == issuer.public_key()
            };
            if chain.certificates.iter().any(is_again) {
                continue;
            }
            if self.signatures_left == 0 || self.found.len() == MAX_CHAINS {
                return;
            }
            self.signatures_left -= 1;
            let fit = Fit::of(top, &issuer);
            match verify_issued(top, &issuer) {
                Ok(good) => {
                    let mut longer = chain.clone();
                    longer.certificates.push(issuer);
                    longer.tolerated.extend(good.tolerated);
                    longer.tolerated.extend(fit.deviation());
                    self.extend(&longer);
                }
                // A name alone promises nothing; name and key identifier together do.
                Err(SignatureFault::Bad(_)) if fit == Fit::Exact => self.obstacle = Some(NoChain::Forged),
                Err(SignatureFault::Bad(_)) => {}
                Err(SignatureFault::Unverifiable(reason)) => {
                    self.obstacle.get_or_insert(NoChain::Unverifiable(reason));
                }
            }
        }
    }

    /// Who may have issued a certificate, the likeliest first.
    fn issuers(&self, certificate: &Certificate) -> Vec<Arc<Certificate>> {
        let key = certificate.extensions().authority_key_identifier.as_deref();
        let mut all: Vec<Arc<Certificate>> = Vec::new();
        let by_key = key.into_iter().flat_map(|key| self.known.with_key(key));
        let known = by_key.chain(self.known.of_subject(certificate.issuer()));
        for candidate in known.chain(self.companions) {
            if Fit::of(certificate, candidate) != Fit::None && !all.contains(candidate) {
                all.push(Arc::clone(candidate));
            }
        }
        all.sort_by_key(|candidate| (Fit::of(certificate, candidate), !self.known.is_anchor(candidate)));
        all
    }
}

/// How well an issuer fits what a certificate says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// Name and key identifier.
    Exact,
    /// The name; one of the two says nothing of the key.
    Name,
    /// The key identifier, under another name: the authority was renamed.
    Key,
    /// The name, and the key identifiers differ.
    NameAndOtherKey,
    /// Not at all.
    None,
}

impl Fit {
    fn of(certificate: &Certificate, issuer: &Certificate) -> Self {
        let stated = certificate.extensions().authority_key_identifier.as_ref();
        let same_key = stated.zip(issuer.extensions().subject_key_identifier.as_ref()).map(|(a, b)| a == b);
        match (certificate.issuer() == issuer.subject(), same_key) {
            (true, Some(true)) => Self::Exact,
            (true, None) => Self::Name,
            (true, Some(false)) => Self::NameAndOtherKey,
            (false, Some(true)) => Self::Key,
            (false, _) => Self::None,
        }
    }

    fn deviation(self) -> Option<Reason> {
        match self {
            Self::Key => Some(Reason::IssuerNameDiffers),
            Self::NameAndOtherKey => Some(Reason::KeyIdentifierDiffers),
            _ => None,
        }
    }
}

/// Whether `issuer`'s key has signed `certificate`.
pub fn verify_issued(
    certificate: &Certificate,
    issuer: &Certificate,
) -> Result<GoodSignature, SignatureFault> {
    verify_signature(
        issuer.public_key(),
        certificate.signature_algorithm(),
        None,
        certificate.to_be_signed(),
        certificate.signature(),
    )
}

/// What comes of holding a certificate against its own key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SelfSignature {
    /// It is signed with its own key; what is odd about that.
    Good(Vec<Reason>),
    /// Subject and issuer differ: another authority's word is needed.
    IssuedByAnother,
    /// Subject and issuer are the same, and another key has signed it: a link certificate, or a damaged one.
    SignedWithAnotherKey,
    /// It says to be signed with its own key, and is not.
    Bad,
    /// Nobody can tell.
    Unverifiable(Reason),
}

/// Holds a certificate against its own key. A good outcome says that it is whole, and not that it may be trusted.
pub fn verify_self_signed(certificate: &Certificate) -> SelfSignature {
    if !certificate.is_self_issued() {
        return SelfSignature::IssuedByAnother;
    }
    match verify_issued(certificate, certificate) {
        Ok(good) => SelfSignature::Good(good.tolerated),
        Err(SignatureFault::Unverifiable(reason)) => SelfSignature::Unverifiable(reason),
        // An issuer's key identifier of its own is a promise; without one it may be any key of that name.
        Err(SignatureFault::Bad(_)) if Fit::of(certificate, certificate) == Fit::Exact => SelfSignature::Bad,
        Err(SignatureFault::Bad(_)) => SelfSignature::SignedWithAnotherKey,
    }
}

impl Chain {
    /// The anchor.
    pub fn anchor(&self) -> Option<&Arc<Certificate>> {
        self.certificates.last()
    }

    /// Whether each authority may issue what stands below it (RFC 5280, 6.1.4 k to n), and what is odd about
    /// that.
    pub fn check_authorities(&self) -> Result<Vec<Reason>, Reason> {
        let mut tolerated = Vec::new();
        let mut between = 0_usize;
        for authority in self.certificates.iter().skip(1) {
            let extensions = authority.extensions();
            if !extensions.unknown_critical.is_empty() {
                return Err(Reason::UnknownCriticalExtension);
            }
            match extensions.basic_constraints {
                Some(constraints) if !constraints.is_authority => return Err(Reason::IssuerNotAuthority),
                Some(constraints) => match constraints.path_length {
                    Some(most) if between > usize::from(most) => return Err(Reason::PathTooLong),
                    Some(_) => {}
                    None => tolerated.push(Reason::PathLengthUnstated),
                },
                None if extensions.unreadable.is_empty() => tolerated.push(Reason::AuthorityUnstated),
                None => return Err(Reason::IssuerNotAuthority),
            }
            match extensions.key_usage {
                Some(usage) if !usage.certificate_signing => return Err(Reason::IssuerMayNotSign),
                Some(_) => {}
                None => tolerated.push(Reason::KeyUsageUnstated),
            }
            // Links, which an authority issues to itself, do not count (RFC 5280, 4.2.1.9).
            if !authority.is_self_issued() {
                between += 1;
            }
        }
        Ok(tolerated)
    }
}
