//! Passive authentication (ICAO 9303-11, 5.1): are the files those that the state has signed.

use std::sync::Arc;

use cccd_document::lds::ef_sod::SodContentType;
use cccd_document::lds::{DataGroup1, DataGroup12, EfSod};
use cccd_document::{Evidence, FileId, FileOutcome, Mrz};
use time::{Duration, OffsetDateTime};

use crate::anchors::TrustAnchors;
use crate::chain::{Chain, NoChain, find_chains};
use crate::country::is_state;
use crate::crl::{Coverage, Crl};
use crate::signature::SignatureFault;
use crate::signed_data::{SignedBy, verify_message};
use crate::{Certificate, Check, CheckName, CheckState, GroupReason, HashState, Reason, compare_hashes};

/// How far two clocks may be apart.
const CLOCK_SKEW: Duration = Duration::days(1);

/// Key purposes that are not signing documents (ICAO 9303-12, 7.1.1.7): lists of authorities, of deviations.
const OTHER_PURPOSES: [&str; 2] = ["2.23.136.1.1.3", "2.23.136.1.1.8"];

/// Where the operator is lenient. The default is nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policy {
    /// A certificate was valid when the document was signed and is no more. Nothing is disproved by that; but
    /// whoever has an expired key may sign an earlier date, so that without leniency nothing is confirmed.
    pub expired_since: Leniency,
    /// A certificate was revoked after the document was signed.
    pub revoked_since: Leniency,
    /// The signer's certificate does not say what its key is for.
    pub key_usage_unstated: Leniency,
    /// The only revocation list is overdue.
    pub stale_revocation_list: Leniency,
}

/// What is done about a deviation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Leniency {
    /// The check does not pass.
    #[default]
    Refuse,
    /// The check passes, and the deviation is named.
    Tolerate,
}

/// What passive authentication found.
#[derive(Debug, Clone)]
pub struct PassiveAuthentication {
    /// One check of each kind, from [`CheckName::SecurityObject`] to [`CheckName::IssuingState`].
    pub checks: Vec<Check>,
    /// Who signed, where the signature holds.
    pub signer: Option<Arc<Certificate>>,
    /// Where the chain ends, where there is one.
    pub anchor: Option<Arc<Certificate>>,
    /// When the signer says to have signed.
    pub signed_at: Option<OffsetDateTime>,
}

/// Judges the files of a reading: `anchors` and `crls` are what is known, `now` is when it is judged.
pub fn passive_authentication(
    evidence: &Evidence,
    anchors: &TrustAnchors,
    crls: &[Crl],
    now: OffsetDateTime,
    policy: &Policy,
) -> PassiveAuthentication {
    let judge = Judge { evidence, anchors, crls, now, policy };
    let (security_object, sod) = judge.security_object();
    let mut checks = vec![security_object, judge.group_hashes(sod.as_ref())];
    let signed = match sod.as_ref().map(|sod| verify_message(&sod.message, anchors)) {
        Some(Ok(signed)) => Ok(signed),
        Some(Err(fault)) => Err(state_of(fault)),
        None => Err(CheckState::NotPossible(Reason::SecurityObjectUnusable)),
    };
    let signed = match signed {
        Ok(signed) => signed,
        Err(state) => {
            checks.push(Check::new(CheckName::Signature, state));
            checks.extend(LATER.map(|name| Check::not_possible(name, Reason::NoVerifiedSigner)));
            return PassiveAuthentication { checks, signer: None, anchor: None, signed_at: None };
        }
    };
    checks.push(tolerating(Check::passed(CheckName::Signature), &signed.tolerated));
    checks.push(judge.signer_certificate(&signed.signer));
    let (later, anchor) = judge.leading_to_an_anchor(&signed);
    checks.extend(later);
    PassiveAuthentication { checks, signer: Some(signed.signer), anchor, signed_at: signed.signed_at }
}

/// The checks that need a signer.
const LATER: [CheckName; 5] = [
    CheckName::SignerCertificate,
    CheckName::Chain,
    CheckName::Validity,
    CheckName::Revocation,
    CheckName::IssuingState,
];

struct Judge<'a> {
    evidence: &'a Evidence,
    anchors: &'a TrustAnchors,
    crls: &'a [Crl],
    now: OffsetDateTime,
    policy: &'a Policy,
}

impl Judge<'_> {
    fn security_object(&self) -> (Check, Option<EfSod>) {
        let name = CheckName::SecurityObject;
        let absent = match self.evidence.files.get(&FileId::EfSod) {
            Some(FileOutcome::Read(bytes)) => match EfSod::parse(bytes) {
                Ok(sod) => return (content_type(&sod), Some(sod)),
                Err(_) => Check::failed(name, Reason::SecurityObjectMalformed),
            },
            Some(FileOutcome::Malformed) => Check::failed(name, Reason::SecurityObjectMalformed),
            Some(FileOutcome::Absent(_)) => Check::failed(name, Reason::SecurityObjectAbsent),
            Some(FileOutcome::Locked(_) | FileOutcome::Refused(_) | FileOutcome::NotGiven) | None => {
                Check::not_possible(name, Reason::SecurityObjectAbsent)
            }
        };
        (absent, None)
    }

    /// One group that does not fit decides, however many fit.
    fn group_hashes(&self, sod: Option<&EfSod>) -> Check {
        let name = CheckName::GroupHashes;
        if sod.is_none() {
            return Check::not_possible(name, Reason::SecurityObjectUnusable);
        }
        let groups = compare_hashes(self.evidence);
        let first = |wanted: HashState| groups.iter().find(|group| group.state == wanted);
        if let Some(group) = first(HashState::Mismatch) {
            return Check::failed(name, Reason::Group(GroupReason::HashMismatch, group.file));
        }
        if let Some(group) = first(HashState::NotListed) {
            return Check::failed(name, Reason::Group(GroupReason::NotSigned, group.file));
        }
        if first(HashState::UnknownAlgorithm).is_some() {
            return Check::not_possible(name, Reason::HashUnknown);
        }
        match first(HashState::Match) {
            Some(group) if group.algorithm == Some(crate::HashAlgorithm::Sha1) => {
                Check::passed(name).tolerating(Reason::HashWeak)
            }
            Some(_) => Check::passed(name),
            None => Check::not_possible(name, Reason::NoGroupRead),
        }
    }

    /// What a document signer's certificate must say (ICAO 9303-12, 7.1.1).
    fn signer_certificate(&self, signer: &Certificate) -> Check {
        let name = CheckName::SignerCertificate;
        let extensions = signer.extensions();
        let mut check = Check::passed(name);
        if !extensions.unknown_critical.is_empty() {
            return Check::failed(name, Reason::UnknownCriticalExtension);
        }
        if extensions.basic_constraints.is_some_and(|constraints| constraints.is_authority) {
            return Check::failed(name, Reason::SignerIsAuthority);
        }
        match extensions.key_usage {
            Some(usage) if usage.certificate_signing => {
                return Check::failed(name, Reason::SignerIsAuthority);
            }
            Some(usage) if !usage.digital_signature => return Check::failed(name, Reason::SignerMayNotSign),
            Some(_) => {}
            None if self.policy.key_usage_unstated == Leniency::Tolerate => {
                check = check.tolerating(Reason::KeyUsageUnstated);
            }
            None => return Check::failed(name, Reason::KeyUsageUnstated),
        }
        let purposes = extensions.extended_key_usage.iter().flatten().map(ToString::to_string);
        if purposes.into_iter().any(|purpose| OTHER_PURPOSES.contains(&purpose.as_str())) {
            return Check::failed(name, Reason::SignerForOtherPurpose);
        }
        if let (Some(types), Some(mrz)) = (&extensions.document_types, self.mrz()) {
            let code = mrz.document_code.trim_end_matches('<');
            // One letter stands for all types that begin with it (ICAO 9303-12, 7.1.1.6).
            let fits = |listed: &String| match listed.trim_end_matches('<') {
                letter if letter.len() == 1 => code.starts_with(letter),
                whole => code == whole,
            };
            if !types.iter().any(fits) {
                return Check::failed(name, Reason::DocumentTypeNotAllowed);
            }
        }
        if !extensions.unreadable.is_empty() {
            check = check.tolerating(Reason::ExtensionUnreadable);
        }
        check
    }

    /// Chain, validity, revocation and state: of all chains, the one with the least against it.
    fn leading_to_an_anchor(&self, signed: &SignedBy) -> (Vec<Check>, Option<Arc<Certificate>>) {
        let chains = match find_chains(&signed.signer, &signed.companions, self.anchors) {
            Ok(chains) => chains,
            Err(obstacle) => return (self.without_anchor(signed, obstacle), None),
        };
        let judged = chains.iter().map(|chain| {
            let checks = vec![
                chain_check(chain),
                self.validity(&chain.certificates, signed.signed_at),
                self.revocation(chain, signed.signed_at),
                self.issuing_state(chain),
            ];
            (checks, chain.anchor().cloned())
        });
        let failed = |check: &&Check| matches!(check.state, CheckState::Failed(_));
        let open = |check: &&Check| check.state != CheckState::Passed;
        let against = |(checks, _): &(Vec<Check>, _)| {
            (checks.iter().filter(failed).count(), checks.iter().filter(open).count())
        };
        judged.min_by_key(against).unwrap_or_default()
    }

    /// What can be said of a signer nobody known vouches for.
    fn without_anchor(&self, signed: &SignedBy, obstacle: NoChain) -> Vec<Check> {
        let chain = match obstacle {
            NoChain::UnknownAnchor => CheckState::NotPossible(Reason::UnknownAnchor),
            NoChain::Forged => CheckState::Failed(Reason::CertificateForged),
            NoChain::Unverifiable(reason) => CheckState::NotPossible(reason),
        };
        let validity = self.validity(std::slice::from_ref(&signed.signer), signed.signed_at);
        let unknown = |name| Check::not_possible(name, Reason::UnknownAnchor);
        vec![
            Check::new(CheckName::Chain, chain),
            if validity.state == CheckState::Passed { unknown(CheckName::Validity) } else { validity },
            unknown(CheckName::Revocation),
            unknown(CheckName::IssuingState),
        ]
    }

    /// Validity when signed, and now (ICAO 9303-12, 5; card quirk 63).
    fn validity(&self, certificates: &[Arc<Certificate>], signed_at: Option<OffsetDateTime>) -> Check {
        let name = CheckName::Validity;
        let mut check = Check::passed(name);
        let moment = signed_at.or_else(|| {
            check = check.clone().tolerating(Reason::SigningTimeAbsent);
            self.issued()
        });
        if moment.is_some_and(|moment| moment > self.now + CLOCK_SKEW) {
            return Check::failed(name, Reason::SignedInFuture);
        }
        for (index, certificate) in certificates.iter().enumerate() {
            let (period, is_signer) = (certificate.validity(), index == 0);
            if moment.is_some_and(|moment| !period.contains(moment)) {
                return Check::failed(
                    name,
                    if is_signer {
                        Reason::SignerNotValidWhenSigned
                    } else {
                        Reason::AuthorityNotValidWhenSigned
                    },
                );
            }
            let key_period = certificate.extensions().private_key_usage_period;
            if is_signer && key_period.zip(moment).is_some_and(|(period, moment)| !period.contains(moment)) {
                return Check::failed(name, Reason::SignerKeyPeriodOver);
            }
            if period.not_before > self.now + CLOCK_SKEW {
                return Check::failed(name, Reason::CertificateNotYetValid);
            }
            if period.not_after < self.now {
                // Without a moment of signing there is nothing to say it was valid then.
                if self.policy.expired_since == Leniency::Refuse || moment.is_none() {
                    return Check::not_possible(
                        name,
                        if is_signer { Reason::SignerExpired } else { Reason::AuthorityExpired },
                    );
                }
                check = check.tolerating(if is_signer {
                    Reason::SignerExpired
                } else {
                    Reason::AuthorityExpired
                });
            }
        }
        // The authority's key has its own time: it is for issuing, and ends before the certificate.
        for (subject, issuer) in certificates.iter().zip(certificates.iter().skip(1)) {
            let period = issuer.extensions().private_key_usage_period;
            if period.is_some_and(|period| !period.contains(subject.validity().not_before)) {
                check = check.tolerating(Reason::IssuedOutsideKeyPeriod);
            }
        }
        check
    }

    /// Every certificate below the anchor against the lists of its issuer (RFC 5280, 6.3).
    fn revocation(&self, chain: &Chain, signed_at: Option<OffsetDateTime>) -> Check {
        let name = CheckName::Revocation;
        let mut check = Check::passed(name);
        let (mut is_covered, mut is_current) = (true, true);
        let subjects = chain.certificates.split_last().map_or(&[][..], |(_, below)| below);
        for (index, certificate) in subjects.iter().enumerate() {
            let lists: Vec<&Crl> =
                self.crls.iter().filter(|list| self.is_authentic(list, certificate, chain)).collect();
            let since = lists.iter().filter_map(|list| list.revoked_since(certificate)).min();
            if let Some(since) = since {
                let reason = if index == 0 { Reason::SignerRevoked } else { Reason::AuthorityRevoked };
                let was_good_then = signed_at.is_some_and(|moment| moment < since);
                if !was_good_then || self.policy.revoked_since == Leniency::Refuse {
                    return Check::failed(name, reason);
                }
                check = check.tolerating(reason);
            }
            let complete = lists.iter().filter(|list| list.coverage() == Coverage::Complete);
            is_covered &= complete.clone().count() > 0;
            is_current &= complete.clone().any(|list| self.is_current(list));
        }
        if !is_covered {
            return Check::not_possible(name, Reason::NoRevocationList);
        }
        if !is_current {
            if self.policy.stale_revocation_list == Leniency::Refuse {
                return Check::not_possible(name, Reason::RevocationListStale);
            }
            check = check.tolerating(Reason::RevocationListStale);
        }
        check
    }

    fn is_current(&self, list: &Crl) -> bool {
        list.this_update() <= self.now + CLOCK_SKEW && list.next_update().is_some_and(|next| self.now <= next)
    }

    /// Whether a list is the issuer's own. After a change of keys an authority signs one list for all its
    /// certificates with the newer key (ICAO 9303-12, 7.3), so any trusted key of that name will do.
    fn is_authentic(&self, list: &Crl, certificate: &Certificate, chain: &Chain) -> bool {
        if list.issuer() != certificate.issuer() {
            return false;
        }
        let in_chain = chain.certificates.iter().skip(1).filter(|other| other.subject() == list.issuer());
        let anchors = self.anchors.of_subject(list.issuer()).filter(|other| self.anchors.is_anchor(other));
        in_chain.chain(anchors).any(|authority| {
            let may_sign = authority.extensions().key_usage.is_none_or(|usage| usage.crl_signing);
            may_sign && list.verify(authority).is_ok()
        })
    }

    /// The state in DG1, the country of every certificate (ICAO 9303-12, 7.1.1.1).
    fn issuing_state(&self, chain: &Chain) -> Check {
        let name = CheckName::IssuingState;
        let countries: Vec<Option<String>> =
            chain.certificates.iter().map(|certificate| certificate.country()).collect();
        let Some(Some(country)) = countries.first() else {
            return Check::not_possible(name, Reason::CountryUnstated);
        };
        if countries.iter().flatten().any(|other| other != country) {
            return Check::failed(name, Reason::SignerCountryDiffers);
        }
        let Some(mrz) = self.mrz() else {
            return Check::not_possible(name, Reason::IssuingStateUnread);
        };
        let stated =
            chain.certificates.iter().filter_map(|certificate| certificate.extensions().state.as_deref());
        let by_name = stated.into_iter().any(|state| state.trim_end_matches('<') == mrz.issuing_state);
        match is_state(country, &mrz.issuing_state) {
            Some(true) => Check::passed(name),
            Some(false) => Check::failed(name, Reason::IssuingStateDiffers),
            // A state nobody here knows, and the certificates say that it is theirs.
            None if by_name => Check::passed(name),
            None => Check::not_possible(name, Reason::IssuingStateUnknown),
        }
    }

    fn mrz(&self) -> Option<Mrz> {
        DataGroup1::parse(self.evidence.bytes(FileId::DG1)?).ok().map(|group| group.mrz)
    }

    /// The date of issue in DG12, which is signed: a stand-in for the moment of signing.
    fn issued(&self) -> Option<OffsetDateTime> {
        let group = DataGroup12::parse(self.evidence.bytes(FileId::DG12)?).ok()?;
        Some(group.issued?.day()?.with_hms(12, 0, 0).ok()?.assume_utc())
    }
}

fn content_type(sod: &EfSod) -> Check {
    let name = CheckName::SecurityObject;
    match sod.content_type {
        SodContentType::Standard => Check::passed(name),
        SodContentType::EarlyIcao | SodContentType::Sdu => {
            Check::passed(name).tolerating(Reason::ContentTypeOld)
        }
        SodContentType::Data => Check::passed(name).tolerating(Reason::ContentTypeData),
        // Something else that a state's key has signed is no list of hashes.
        _ => Check::failed(name, Reason::ContentTypeWrong),
    }
}

fn chain_check(chain: &Chain) -> Check {
    match chain.check_authorities() {
        Ok(more) => tolerating(tolerating(Check::passed(CheckName::Chain), &chain.tolerated), &more),
        Err(reason) => Check::failed(CheckName::Chain, reason),
    }
}

fn tolerating(check: Check, deviations: &[Reason]) -> Check {
    deviations.iter().fold(check, |check, deviation| check.tolerating(*deviation))
}

fn state_of(fault: SignatureFault) -> CheckState {
    match fault {
        SignatureFault::Bad(reason) => CheckState::Failed(reason),
        SignatureFault::Unverifiable(reason) => CheckState::NotPossible(reason),
    }
}
