//! What is taken from a file, what is left, and who has to say something first.

use std::collections::BTreeSet;

use super::edition::{Author, Edition, Installed, InstalledCrl, Voucher};
use cccd_trust::store::{CrlFinding, CrlStanding, Finding, Fingerprint, ListFinding, Survey, Warning};

/// What the operator says of what nothing else vouches for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Word<'a> {
    /// Fingerprints that came by another way than the file.
    pub(crate) expected: &'a [Fingerprint],
    /// Whether everything else is taken too.
    pub(crate) accepts_unverified: bool,
}

/// The store as it would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) certificates: Vec<Installed>,
    pub(crate) crls: Vec<InstalledCrl>,
    /// Certificates that wait for the operator's word.
    pub(crate) waiting: Vec<Fingerprint>,
    /// Lists that were not taken, though they are vouched for: the installed edition is newer.
    pub(crate) older_lists: usize,
}

impl Plan {
    /// The store as it is.
    pub(crate) fn from(edition: &Edition) -> Self {
        Self {
            certificates: edition.certificates.clone(),
            crls: edition.crls.clone(),
            waiting: Vec::new(),
            older_lists: 0,
        }
    }

    /// Takes what somebody vouches for.
    pub(crate) fn add(&mut self, survey: &Survey, word: Word<'_>, author: &Author) {
        self.take_by_word(&survey.certificates, word, author);
        for list in &survey.lists {
            if list.standing.is_vouched_for() {
                let voucher = voucher_of(list);
                for finding in &list.certificates {
                    self.take(finding, voucher.clone(), author);
                }
            } else if list.standing.can_be_accepted() {
                self.take_by_word(&list.certificates, word, author);
            }
        }
    }

    /// Puts a new edition of each list in the place of the one its country's signer signed before. Only
    /// lists that are vouched for count, and none that is older than what is installed: an old list would
    /// bring back what its signer has withdrawn.
    pub(crate) fn update(&mut self, survey: &Survey, author: &Author) {
        for list in survey.lists.iter().filter(|list| list.standing.is_vouched_for()) {
            let voucher = voucher_of(list);
            let Voucher::MasterList { country, signed_at, .. } = &voucher else { continue };
            let before = self.certificates.iter().filter_map(|one| match &one.voucher {
                Voucher::MasterList { country: of, signed_at, .. } if of == country => Some(*signed_at),
                _ => None,
            });
            // One without a time is older than any with one.
            if before.max().is_some_and(|before| *signed_at < before) {
                self.older_lists += 1;
                continue;
            }
            let coming: BTreeSet<Fingerprint> =
                list.certificates.iter().map(|finding| finding.fingerprint).collect();
            self.certificates.retain(|one| {
                !matches!(&one.voucher, Voucher::MasterList { country: of, .. } if of == country)
                    || coming.contains(&one.fingerprint)
            });
            for finding in &list.certificates {
                match self.certificates.iter_mut().find(|one| one.fingerprint == finding.fingerprint) {
                    Some(one) if matches!(&one.voucher, Voucher::MasterList { country: of, .. } if of == country) =>
                    {
                        one.voucher = voucher.clone();
                    }
                    // Somebody else vouches for it already, and may go on when this list no longer does.
                    Some(_) => {}
                    None => self.take(finding, voucher.clone(), author),
                }
            }
        }
    }

    /// Takes CRLs that can be used, each in the place of the one of the same issuer and key before.
    pub(crate) fn add_crls(&mut self, findings: &[CrlFinding], author: &Author) {
        for finding in findings.iter().filter(|finding| finding.standing == CrlStanding::Signed) {
            self.crls.retain(|one| !finding.replaces.contains(&one.fingerprint));
            if !self.crls.iter().any(|one| one.fingerprint == finding.fingerprint) {
                self.crls.push(InstalledCrl {
                    der: finding.der.clone(),
                    fingerprint: finding.fingerprint,
                    added: author.time,
                });
            }
        }
    }

    fn take_by_word(&mut self, findings: &[Finding], word: Word<'_>, author: &Author) {
        for finding in findings {
            if word.expected.contains(&finding.fingerprint) {
                self.take(finding, Voucher::Fingerprint, author);
            } else if word.accepts_unverified {
                self.take(finding, Voucher::Operator, author);
            } else if word.expected.is_empty() && self.is_new(finding) {
                // With fingerprints given, those are meant and no others.
                self.waiting.push(finding.fingerprint);
            }
        }
    }

    fn take(&mut self, finding: &Finding, voucher: Voucher, author: &Author) {
        if self.is_new(finding) {
            self.certificates.push(Installed {
                der: finding.der.clone(),
                fingerprint: finding.fingerprint,
                added: author.time,
                voucher,
                standing: finding.standing,
            });
        }
    }

    fn is_new(&self, finding: &Finding) -> bool {
        finding.standing.can_be_anchor()
            && !finding.warnings.contains(&Warning::Repeated)
            && !self.certificates.iter().any(|one| one.fingerprint == finding.fingerprint)
            && !self.waiting.contains(&finding.fingerprint)
    }
}

fn voucher_of(list: &ListFinding) -> Voucher {
    match &list.signer {
        Some(signer) => Voucher::MasterList {
            signer: signer.fingerprint,
            country: signer.facts.country.clone().unwrap_or_default(),
            signed_at: list.signed_at,
        },
        None => Voucher::Operator,
    }
}
