//! Chip authentication judged (ICAO 9303-11, 6.2).
//!
//! That the chip answered under the new keys is the reading's word: a session's MACs prove nothing to anyone
//! who was not part of it. What can be judged is that it ran against a key of signed DG14.

use cccd_document::{Evidence, ProofOutcome};

use super::Options;
use crate::{Check, CheckName, CheckState, Reason};

pub(super) fn check(evidence: &Evidence, options: &Options) -> Check {
    let name = CheckName::ChipAuthentication;
    let infos = match options {
        Options::Read(infos) => infos,
        Options::Lacking(lack) => return lack.verdict(name),
    };
    if infos.chip_authentication_keys().next().is_none() {
        return Check::new(name, CheckState::NotOffered);
    }
    match &evidence.proofs.chip_authentication {
        ProofOutcome::NotAsked => Check::new(name, CheckState::Skipped),
        ProofOutcome::Unsupported => Check::not_possible(name, Reason::ProofKeyUnusable),
        ProofOutcome::Refused(_) => Check::failed(name, Reason::ProofRefused),
        ProofOutcome::NotCarried => Check::not_possible(name, Reason::ProofNotCarried),
        // The offer stands in DG14; a reading that holds it and says otherwise is not to be believed.
        ProofOutcome::Broken | ProofOutcome::NotOffered => Check::failed(name, Reason::ProofBroken),
        ProofOutcome::Done(run) => {
            let of_document =
                infos.chip_authentication_keys().any(|info| info.public_key.der == run.public_key);
            if of_document { Check::passed(name) } else { Check::failed(name, Reason::ProofKeyForeign) }
        }
    }
}
