//! One run of an access control protocol: its steps, and the ways it ends without a session.

use std::fmt;

use cccd_card::{StatusWord, TransportError};

use crate::entropy::NoEntropy;
use crate::group::PublicKeyFault;

/// A step of opening a chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccessStep {
    /// Reading EF.CardAccess and EF.ATR/INFO.
    Start,
    /// Powering the card off and on between two protocols.
    Reset,
    /// PACE: MSE:Set AT.
    SetTemplate,
    /// PACE: GENERAL AUTHENTICATE, the encrypted nonce.
    Nonce,
    /// PACE: GENERAL AUTHENTICATE, mapping the nonce.
    Mapping,
    /// PACE: GENERAL AUTHENTICATE, key agreement.
    KeyAgreement,
    /// PACE: GENERAL AUTHENTICATE, mutual authentication.
    MutualAuthentication,
    /// BAC: SELECT of the eMRTD application.
    SelectApplication,
    /// BAC: GET CHALLENGE.
    GetChallenge,
    /// BAC: EXTERNAL AUTHENTICATE.
    ExternalAuthenticate,
}

impl fmt::Display for AccessStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "the start",
            Self::Reset => "reset",
            Self::SetTemplate => "PACE MSE:Set AT",
            Self::Nonce => "PACE nonce",
            Self::Mapping => "PACE mapping",
            Self::KeyAgreement => "PACE key agreement",
            Self::MutualAuthentication => "PACE mutual authentication",
            Self::SelectApplication => "SELECT of the application",
            Self::GetChallenge => "GET CHALLENGE",
            Self::ExternalAuthenticate => "EXTERNAL AUTHENTICATE",
        })
    }
}

/// How a chip broke the protocol it was opened with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolFault {
    /// The answer is not the data object this step returns.
    #[error("answer does not hold what {step} returns")]
    UnexpectedAnswer {
        /// Which step.
        step: AccessStep,
    },
    /// A public key from the chip cannot be used.
    #[error("chip sent an unusable public key in {step}")]
    PublicKey {
        /// Which step.
        step: AccessStep,
        /// What is wrong with it.
        source: PublicKeyFault,
    },
    /// PACE: the chip accepted our token and sent a wrong one itself. It does not know the password.
    #[error("authentication token of the chip is wrong")]
    WrongToken,
    /// BAC: the MAC over the chip's cryptogram is wrong.
    #[error("MAC over the cryptogram of the chip is wrong")]
    WrongCryptogram,
    /// BAC: the chip's cryptogram does not hold the challenges of this run.
    #[error("cryptogram of the chip does not hold the challenges of this run")]
    NotEchoed,
}

/// Why one run gave no session.
#[derive(Debug)]
pub(crate) enum AttemptError {
    Transport {
        step: AccessStep,
        source: TransportError,
    },
    Entropy(NoEntropy),
    Fault(ProtocolFault),
    /// The chip will not do this variant, before any password was tested.
    VariantRefused {
        step: AccessStep,
        status: StatusWord,
    },
    /// The chip does not hold this kind of password.
    PasswordUnknown {
        step: AccessStep,
        status: StatusWord,
    },
    /// The password was tested and is not the chip's.
    WrongPassword {
        tries_left: Option<u8>,
    },
    /// The chip says that this password is blocked.
    Blocked,
    /// One try is left and was not spent.
    LastTry,
}

impl From<ProtocolFault> for AttemptError {
    fn from(fault: ProtocolFault) -> Self {
        Self::Fault(fault)
    }
}

impl From<NoEntropy> for AttemptError {
    fn from(error: NoEntropy) -> Self {
        Self::Entropy(error)
    }
}
