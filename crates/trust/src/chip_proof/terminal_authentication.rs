//! Terminal authentication told (BSI TR-03110-1, 3.5): the station proves itself, to the chip.
//!
//! It says nothing about the document. A chip that lets a station read fingerprints may be a copy, and one that
//! does not is within its rights: so this check passes or tells why not, and never fails.

use cccd_document::{Biometric, Evidence, FileOutcome, StationLack, TerminalAuthentication};

use crate::{Check, CheckName, CheckState, Reason};

pub(super) fn check(evidence: &Evidence) -> Check {
    let name = CheckName::TerminalAuthentication;
    let mut asked = Biometric::ALL.iter().filter_map(|kind| evidence.files.get(&kind.file())).peekable();
    // A chip that believes who we are and opens nothing to us has not let us in.
    let shut = asked.peek().is_some() && asked.all(|file| matches!(file, FileOutcome::Locked(_)));
    let reason = match &evidence.proofs.terminal_authentication {
        TerminalAuthentication::Done(_) if shut => Reason::StationNotEntitled,
        TerminalAuthentication::Done(_) => return Check::passed(name),
        TerminalAuthentication::NotAsked => return Check::new(name, CheckState::Skipped),
        TerminalAuthentication::NotOffered => return Check::new(name, CheckState::NotOffered),
        TerminalAuthentication::NoStation(StationLack::NotSetUp) => Reason::StationNotSetUp,
        TerminalAuthentication::NoStation(StationLack::Unusable) => Reason::StationUnusable,
        TerminalAuthentication::NoStation(StationLack::OutOfDate) => Reason::StationOutOfDate,
        TerminalAuthentication::NoChain => Reason::StationForeign,
        TerminalAuthentication::NoSignature => Reason::StationKeySilent,
        TerminalAuthentication::NotCarried => Reason::StationNotCarried,
        TerminalAuthentication::Refused { .. } => Reason::StationRefused,
        TerminalAuthentication::Broken => Reason::StationBroken,
    };
    Check::not_possible(name, reason)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use cccd_card::StatusWord;
    use cccd_document::{
        AccessProtocol, AccessRun, ChipProofs, FileId, PasswordKind, TerminalAuthenticationRun, TerminalStep,
    };
    use zeroize::Zeroizing;

    use super::*;

    fn state(outcome: TerminalAuthentication, files: &[(FileId, FileOutcome)]) -> CheckState {
        let access = AccessRun {
            protocol: AccessProtocol::Bac,
            password: PasswordKind::Mrz,
            downgrade: None,
            card_access: None,
        };
        let proofs = ChipProofs { terminal_authentication: outcome, ..ChipProofs::default() };
        check(&Evidence { access, files: BTreeMap::from_iter(files.iter().cloned()), proofs }).state
    }

    #[test]
    fn a_chip_that_believes_the_station_and_opens_nothing_has_not_let_it_in() {
        let run = TerminalAuthenticationRun { authority: "UTCVCA00001".to_owned(), certificates: 2 };
        let locked = FileOutcome::Locked(StatusWord(0x6982));
        let read = FileOutcome::Read(Zeroizing::new(vec![0x63, 0x00]));
        let done = || TerminalAuthentication::Done(run.clone());
        let not_entitled = CheckState::NotPossible(Reason::StationNotEntitled);
        assert_eq!(state(done(), &[(FileId::DG3, locked.clone())]), not_entitled);
        assert_eq!(state(done(), &[(FileId::DG3, read), (FileId::DG4, locked)]), CheckState::Passed);
    }

    #[test]
    fn whatever_came_of_it_nothing_fails() {
        let run = TerminalAuthenticationRun { authority: "UTCVCA00001".to_owned(), certificates: 2 };
        let refused = TerminalAuthentication::Refused {
            step: TerminalStep::Signature,
            status: StatusWord::VERIFICATION_FAILED,
        };
        for (outcome, expected) in [
            (TerminalAuthentication::Done(run), CheckState::Passed),
            (TerminalAuthentication::NotAsked, CheckState::Skipped),
            (TerminalAuthentication::NotOffered, CheckState::NotOffered),
            (TerminalAuthentication::NoChain, CheckState::NotPossible(Reason::StationForeign)),
            (refused, CheckState::NotPossible(Reason::StationRefused)),
            (TerminalAuthentication::Broken, CheckState::NotPossible(Reason::StationBroken)),
        ] {
            assert_eq!(state(outcome.clone(), &[]), expected, "{outcome:?}");
        }
    }
}
