//! The verdict: all checks, and what they come to.

use crate::{Check, CheckName, CheckState, Reason};

/// What is to be thought of a document and its chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Summary {
    /// A pinned authority signed everything that was read, and the chip proved to be the one it was signed for.
    Genuine,
    /// A check failed: something is forged, altered, copied, or no longer valid.
    NotGenuine,
    /// Nothing failed, and something that a genuine document needs could not be shown.
    Unconfirmed,
}

impl Summary {
    /// The name for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Genuine => "genuine",
            Self::NotGenuine => "not_genuine",
            Self::Unconfirmed => "unconfirmed",
        }
    }
}

/// All checks of one reading, in the order of [`CheckName`], and what they come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    summary: Summary,
    checks: Vec<Check>,
}

/// Checks that every genuine document passes.
const ALWAYS: [CheckName; 7] = [
    CheckName::SecurityObject,
    CheckName::GroupHashes,
    CheckName::Signature,
    CheckName::SignerCertificate,
    CheckName::Chain,
    CheckName::Validity,
    CheckName::IssuingState,
];

/// Proofs that the chip is no copy: one of them is enough.
const CHIP_PROOFS: [CheckName; 3] =
    [CheckName::ActiveAuthentication, CheckName::ChipAuthentication, CheckName::ChipAuthenticationMapping];

impl Verdict {
    /// What these checks come to. The table stands in `docs/verdict.md`:
    ///
    /// 1. A failed check: not genuine, whatever else passed.
    /// 2. Otherwise genuine, if EF.SOD, hashes, signature, signer's certificate, chain, validity and issuing
    ///    state passed, EF.CardAccess passed or is not offered, revocation passed or there is no list to look
    ///    into, and one proof of the chip passed. What the chip thinks of the station makes no difference.
    /// 3. Otherwise unconfirmed. A check that is missing altogether has not passed.
    pub fn of(mut checks: Vec<Check>) -> Self {
        checks.sort_by_key(|check| check.name);
        let summary = summary(&checks);
        Self { summary, checks }
    }

    /// What the checks come to.
    pub fn summary(&self) -> Summary {
        self.summary
    }

    /// The checks.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// The check of this name.
    pub fn check(&self, name: CheckName) -> Option<&Check> {
        self.checks.iter().find(|check| check.name == name)
    }

    /// Why it came to this, in one word for programs: `genuine`, the reason of the decisive check, or what
    /// keeps a check that gives no reason from counting.
    pub fn code(&self) -> &'static str {
        match self.decisive().map(|check| check.state) {
            None if self.summary == Summary::Genuine => "genuine",
            Some(CheckState::Failed(reason) | CheckState::NotPossible(reason)) => reason.code(),
            Some(CheckState::NotOffered) => "not-offered",
            Some(CheckState::Skipped) => "skipped",
            None | Some(CheckState::Passed) => "not-checked",
        }
    }

    /// What stands between this document and `genuine`, or disproves it: the first failed check, or else the
    /// first that a genuine document needs and that could not be shown.
    pub fn decisive(&self) -> Option<&Check> {
        let failed = self.checks.iter().find(|check| matches!(check.state, CheckState::Failed(_)));
        failed.or_else(|| self.checks.iter().find(|check| stands_in_the_way(&self.checks, check)))
    }
}

fn summary(checks: &[Check]) -> Summary {
    if checks.iter().any(|check| matches!(check.state, CheckState::Failed(_))) {
        return Summary::NotGenuine;
    }
    let complete = ALWAYS.iter().all(|name| checks.iter().any(|check| check.name == *name));
    let proven = checks.iter().any(|check| CHIP_PROOFS.contains(&check.name) && passed(check));
    let free = !checks.iter().any(|check| stands_in_the_way(checks, check));
    if complete && proven && free { Summary::Genuine } else { Summary::Unconfirmed }
}

/// Whether this check, not failed, keeps the document from being called genuine.
fn stands_in_the_way(checks: &[Check], check: &Check) -> bool {
    if passed(check) {
        return false;
    }
    match check.name {
        name if CHIP_PROOFS.contains(&name) => {
            !checks.iter().any(|check| CHIP_PROOFS.contains(&check.name) && passed(check))
        }
        CheckName::CardAccess => check.state != CheckState::NotOffered,
        // The station's proof to the chip: what the chip thinks of us makes it neither genuine nor fake.
        CheckName::TerminalAuthentication => false,
        // Most desks have no list of revoked certificates; that there was none stands in the verdict.
        CheckName::Revocation => check.state != CheckState::NotPossible(Reason::NoRevocationList),
        _ => true,
    }
}

fn passed(check: &Check) -> bool {
    check.state == CheckState::Passed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Vec<Check> {
        let mut checks: Vec<Check> = ALWAYS.into_iter().map(Check::passed).collect();
        checks.push(Check::passed(CheckName::Revocation));
        checks.push(Check::passed(CheckName::CardAccess));
        checks.push(Check::passed(CheckName::ActiveAuthentication));
        checks.push(Check::new(CheckName::ChipAuthentication, CheckState::NotOffered));
        checks.push(Check::new(CheckName::ChipAuthenticationMapping, CheckState::NotOffered));
        checks.push(Check::passed(CheckName::TerminalAuthentication));
        checks
    }

    fn with(name: CheckName, state: CheckState) -> Verdict {
        let mut checks = good();
        for check in &mut checks {
            if check.name == name {
                check.state = state;
            }
        }
        Verdict::of(checks)
    }

    const OTHERS: [CheckState; 3] =
        [CheckState::NotOffered, CheckState::NotPossible(Reason::SecurityObjectAbsent), CheckState::Skipped];

    #[test]
    fn all_that_must_pass_makes_it_genuine() {
        let verdict = Verdict::of(good());
        assert_eq!(verdict.summary(), Summary::Genuine);
        assert_eq!(verdict.decisive(), None);
    }

    #[test]
    fn any_failed_check_makes_it_not_genuine() {
        for name in good().into_iter().map(|check| check.name) {
            let verdict = with(name, CheckState::Failed(Reason::SecurityObjectMalformed));
            assert_eq!(verdict.summary(), Summary::NotGenuine, "{name}");
            assert_eq!(verdict.decisive().unwrap().name, name);
        }
    }

    #[test]
    fn a_needed_check_that_is_not_passed_or_missing_leaves_it_unconfirmed() {
        for name in ALWAYS {
            for state in OTHERS {
                let verdict = with(name, state);
                assert_eq!(verdict.summary(), Summary::Unconfirmed, "{name} {state:?}");
                assert_eq!(verdict.decisive().unwrap().name, name);
            }
            let missing = good().into_iter().filter(|check| check.name != name).collect();
            assert_eq!(Verdict::of(missing).summary(), Summary::Unconfirmed, "{name}");
        }
    }

    #[test]
    fn one_proof_of_the_chip_is_needed_and_enough() {
        for state in OTHERS {
            assert_eq!(
                with(CheckName::ActiveAuthentication, state).summary(),
                Summary::Unconfirmed,
                "{state:?}"
            );
            let mut checks = with(CheckName::ActiveAuthentication, state).checks().to_vec();
            checks.retain(|check| check.name != CheckName::ChipAuthentication);
            checks.push(Check::passed(CheckName::ChipAuthentication));
            assert_eq!(Verdict::of(checks).summary(), Summary::Genuine, "{state:?}");
        }
    }

    #[test]
    fn what_the_chip_thinks_of_the_station_makes_no_difference() {
        for state in OTHERS {
            let verdict = with(CheckName::TerminalAuthentication, state);
            assert_eq!((verdict.summary(), verdict.decisive()), (Summary::Genuine, None), "{state:?}");
        }
        let mut without = good();
        without.retain(|check| check.name != CheckName::TerminalAuthentication);
        assert_eq!(Verdict::of(without).summary(), Summary::Genuine);
    }

    #[test]
    fn no_list_of_revoked_certificates_is_told_and_a_useless_one_is_in_the_way() {
        let none = with(CheckName::Revocation, CheckState::NotPossible(Reason::NoRevocationList));
        assert_eq!(none.summary(), Summary::Genuine);
        let useless = with(CheckName::Revocation, CheckState::NotPossible(Reason::SecurityObjectAbsent));
        assert_eq!(useless.summary(), Summary::Unconfirmed);
        assert_eq!(with(CheckName::CardAccess, CheckState::NotOffered).summary(), Summary::Genuine);
        assert_eq!(with(CheckName::CardAccess, CheckState::Skipped).summary(), Summary::Unconfirmed);
    }
}
