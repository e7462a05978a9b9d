//! What the chip is asked to prove once its files are read, and in which order.
//!
//! Active authentication comes before chip authentication: some chips do the first no more after the second
//! (card quirk 46). Both come after the files, so that a chip that breaks its session over a proof has given
//! its files already. Terminal authentication comes last, under the keys of chip authentication; only what it
//! opens is read after it.

use std::fmt;

use cccd_card::{CardChannel, TransportError};
use cccd_document::{
    ChipProofs, DataGroup14, DataGroup15, FileId, FileOutcome, ProofOutcome, StationLack,
    TerminalAuthentication,
};

use crate::active_authentication::{self, Challenge};
use crate::chip_authentication;
use crate::entropy::{Entropy, NoEntropy};
use crate::exchange::{ExchangeError, is_loss};
use crate::read::{ReadError, UnlockedChip};
use crate::secure_messaging::SmFault;
use crate::terminal_authentication::{self, Terminal};

/// A proof a chip may give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Proof {
    /// Active authentication.
    ActiveAuthentication,
    /// Chip authentication.
    ChipAuthentication,
    /// Terminal authentication.
    TerminalAuthentication,
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ActiveAuthentication => "active authentication",
            Self::ChipAuthentication => "chip authentication",
            Self::TerminalAuthentication => "terminal authentication",
        })
    }
}

/// Which proofs to ask a chip for. By default none.
///
/// What PACE with chip authentication mapping proves comes of opening the chip, not of this plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProofPlan {
    active_authentication: Option<Challenge>,
    chip_authentication: bool,
}

impl ProofPlan {
    /// None.
    pub fn none() -> Self {
        Self::default()
    }

    /// Each that the chip offers; the challenge of active authentication comes from there.
    pub fn all(challenge: Challenge) -> Self {
        Self::none().with_active_authentication(challenge).with_chip_authentication()
    }

    /// Active authentication too.
    pub fn with_active_authentication(self, challenge: Challenge) -> Self {
        Self { active_authentication: Some(challenge), ..self }
    }

    /// Chip authentication too.
    pub fn with_chip_authentication(self) -> Self {
        Self { chip_authentication: true, ..self }
    }

    /// The files whose keys the proofs are made with.
    pub(crate) fn files(&self) -> impl Iterator<Item = FileId> {
        let chip = self.chip_authentication.then_some(FileId::DG14);
        let active = self.active_authentication.is_some().then_some(FileId::DG15);
        chip.into_iter().chain(active)
    }
}

/// Why a proof gave no outcome at all.
#[derive(Debug)]
pub(crate) enum ProofError {
    /// The session or the card is gone.
    Exchange(ExchangeError),
    /// The random source failed.
    Entropy(NoEntropy),
}

impl From<ExchangeError> for ProofError {
    fn from(error: ExchangeError) -> Self {
        Self::Exchange(error)
    }
}

impl From<NoEntropy> for ProofError {
    fn from(error: NoEntropy) -> Self {
        Self::Entropy(error)
    }
}

/// Asks for each proof of the plan with the keys among `files`; and where something that it opens is wanted, for
/// terminal authentication, if this machine is a station.
pub(crate) fn ask<C: CardChannel>(
    chip: &mut UnlockedChip<C>,
    plan: &ProofPlan,
    station: Option<Result<&Terminal, StationLack>>,
    files: &std::collections::BTreeMap<FileId, FileOutcome>,
    entropy: &mut dyn Entropy,
) -> Result<ChipProofs, ReadError> {
    let mut proofs =
        ChipProofs { chip_authentication_mapping: chip.mapping().clone(), ..ChipProofs::default() };
    if let Some(challenge) = &plan.active_authentication {
        proofs.active_authentication = match key_file(files, FileId::DG15) {
            Err(outcome) => outcome,
            Ok(bytes) => match DataGroup15::parse(bytes) {
                Err(_) => ProofOutcome::Unsupported,
                Ok(group) => settle(
                    Proof::ActiveAuthentication,
                    active_authentication::run(chip, &group.public_key, challenge, entropy),
                )?,
            },
        };
    }
    // Terminal authentication needs it, planned or not.
    if plan.chip_authentication || matches!(station, Some(Ok(_))) {
        proofs.chip_authentication = match key_file(files, FileId::DG14) {
            Err(outcome) => outcome,
            Ok(bytes) => match DataGroup14::parse(bytes) {
                Err(_) => ProofOutcome::Unsupported,
                Ok(group) => settle(
                    Proof::ChipAuthentication,
                    chip_authentication::run(chip, &group.security_infos, entropy),
                )?,
            },
        };
    }
    proofs.terminal_authentication = match (station, chip.agreed_with().map(<[u8]>::to_vec)) {
        (None, _) => TerminalAuthentication::NotAsked,
        (Some(Err(lack)), _) => TerminalAuthentication::NoStation(lack),
        // Without an agreed key there is nothing to tie the station to.
        (Some(Ok(_)), None) => match proofs.chip_authentication {
            ProofOutcome::NotOffered => TerminalAuthentication::NotOffered,
            ProofOutcome::Unsupported => TerminalAuthentication::NotCarried,
            _ => TerminalAuthentication::Broken,
        },
        (Some(Ok(terminal)), Some(our_key)) => {
            settle_station(terminal_authentication::run(chip, terminal, &our_key, entropy))?
        }
    };
    Ok(proofs)
}

/// The same for terminal authentication.
fn settle_station(
    result: Result<TerminalAuthentication, ProofError>,
) -> Result<TerminalAuthentication, ReadError> {
    let mut ran = TerminalAuthentication::Broken;
    let result = result.map(|outcome| {
        ran = outcome;
        ProofOutcome::Done(())
    });
    Ok(match settle(Proof::TerminalAuthentication, result)? {
        ProofOutcome::Unsupported => TerminalAuthentication::NotCarried,
        ProofOutcome::Done(()) => ran,
        // A bare status in the middle of it ends the session: which step it answers is not known for sure.
        _ => TerminalAuthentication::Broken,
    })
}

/// The file a proof's key stands in, or what its absence makes of the proof.
fn key_file<T>(
    files: &std::collections::BTreeMap<FileId, FileOutcome>,
    file: FileId,
) -> Result<&[u8], ProofOutcome<T>> {
    match files.get(&file) {
        Some(FileOutcome::Read(bytes)) => Ok(bytes),
        Some(FileOutcome::Absent(_)) | None => Err(ProofOutcome::NotOffered),
        Some(FileOutcome::Locked(status) | FileOutcome::Refused(status)) => {
            Err(ProofOutcome::Refused(*status))
        }
        Some(FileOutcome::Malformed) => Err(ProofOutcome::Unsupported),
        Some(FileOutcome::NotGiven) => Err(ProofOutcome::NotCarried),
    }
}

/// What a proof came to. A session that is over is an outcome: what was read stands. A card that is gone is
/// an error: with the card back, all of it can be had.
fn settle<T>(
    proof: Proof,
    result: Result<ProofOutcome<T>, ProofError>,
) -> Result<ProofOutcome<T>, ReadError> {
    match result {
        Ok(outcome) => Ok(outcome),
        Err(ProofError::Entropy(source)) => Err(ReadError::NoRandom { proof, source }),
        Err(ProofError::Exchange(ExchangeError::Transport(source))) if is_loss(&source) => {
            Err(ReadError::CardLostProving { proof, source })
        }
        // The reader did not carry it: that says nothing about the chip.
        Err(ProofError::Exchange(ExchangeError::Transport(
            TransportError::CommandTooLong { .. }
            | TransportError::NotTransacted
            | TransportError::ShortAnswer { .. },
        ))) => Ok(ProofOutcome::Unsupported),
        Err(ProofError::Exchange(ExchangeError::Session(SmFault::Unprotected(status)))) => {
            Ok(ProofOutcome::Refused(status))
        }
        Err(ProofError::Exchange(_)) => Ok(ProofOutcome::Broken),
    }
}
