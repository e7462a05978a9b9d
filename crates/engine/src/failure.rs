//! Why a reading did not come to its end.

use cccd_card::{CertificateHash, ReaderRefusal, TransportError};

/// Why there is no result. Sorted by whose move it is next; [`ReadFailure::code`] is the name every
/// program, page and manual knows it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadFailure {
    // The person at the desk.
    /// No card came in time.
    #[error("no card within the time given")]
    NoCard,
    /// The card left before the reading was done.
    #[error("card removed during the reading")]
    CardRemoved,
    /// The card was taken away and another one laid down in the middle of a reading.
    #[error("another card during the reading")]
    CardChanged,
    /// Something lies on the reader and does not answer.
    #[error("card does not answer")]
    CardMute,
    /// A card, and not one with an ICAO 9303 application.
    #[error("card has no travel document application")]
    CardUnsupported,
    /// The key does not open this chip.
    #[error("access key is wrong")]
    AccessKeyWrong {
        /// Tries the chip says are left.
        tries_left: Option<u8>,
    },
    /// Trying this kind of key once more could block it for good, so it was not tried.
    #[error("access key has no try to spare")]
    AccessKeySpent,

    // The caller.
    /// No reader of this name.
    #[error("no such reader")]
    ReaderNotFound,
    /// Cards lie on several readers, and the request named none.
    #[error("cards on several readers, none named")]
    ReaderSelectionRequired,
    /// Other readings were before it: its turn did not come in time, or as many wait already as may.
    #[error("readers are busy with other readings")]
    ReaderBusy,
    /// Called off by its owner.
    #[error("called off")]
    Cancelled,

    // The person who looks after the desk.
    /// No reader at all.
    #[error("no reader")]
    NoReader,
    /// The reader went away.
    #[error("reader lost")]
    ReaderLost,
    /// A call into the reader's driver did not return.
    #[error("reader does not answer")]
    ReaderHung,
    /// Another program holds the card.
    #[error("card held by another program")]
    HeldElsewhere,
    /// Another program reset the card in the middle.
    #[error("card was reset by another program")]
    CardReset,
    /// The system's smart-card service is away.
    #[error("smart-card service is away")]
    ServiceUnavailable,
    /// The reading took longer than it may.
    #[error("reading took too long")]
    TookTooLong,
    /// The reader's certificate is not the one of the settings.
    #[error("the reader's certificate is not the one of the settings")]
    ReaderCertificateWrong {
        /// Which it showed.
        seen: CertificateHash,
    },
    /// The reader speaks TLS where the settings say that it does not, or the reverse.
    #[error("the reader is spoken to under the wrong scheme")]
    ReaderSchemeWrong {
        /// Which certificate it showed, if it speaks TLS.
        seen: Option<CertificateHash>,
    },

    // The chip, or whoever made it.
    /// The chip offers no access control we speak, or refuses it.
    #[error("chip refuses access control")]
    AccessRefused,
    /// The chip broke the protocol. It may be an attack, so it is not retried.
    #[error("chip broke the protocol")]
    ChipMisbehaved,
    /// The chip opened, and what it holds is no identity document.
    #[error("chip holds no readable identity")]
    DocumentUnreadable,

    // Us.
    /// A fault of this program. The other readers go on.
    #[error("fault in the agent")]
    AgentFault,
    /// The agent is shutting down.
    #[error("agent is stopping")]
    AgentStopping,
}

impl ReadFailure {
    /// Every failure there is, for the tests and tables that must know them all.
    pub const ALL: [Self; 25] = [
        Self::NoCard,
        Self::CardRemoved,
        Self::CardChanged,
        Self::CardMute,
        Self::CardUnsupported,
        Self::AccessKeyWrong { tries_left: None },
        Self::AccessKeySpent,
        Self::ReaderNotFound,
        Self::ReaderSelectionRequired,
        Self::ReaderBusy,
        Self::Cancelled,
        Self::NoReader,
        Self::ReaderLost,
        Self::ReaderHung,
        Self::HeldElsewhere,
        Self::CardReset,
        Self::ServiceUnavailable,
        Self::TookTooLong,
        Self::ReaderCertificateWrong { seen: CertificateHash([0; 32]) },
        Self::ReaderSchemeWrong { seen: None },
        Self::AccessRefused,
        Self::ChipMisbehaved,
        Self::DocumentUnreadable,
        Self::AgentFault,
        Self::AgentStopping,
    ];

    /// Whether the card lies badly or was lifted: laid down again, the reading can go on.
    pub(crate) fn is_about_placement(self) -> bool {
        matches!(self, Self::CardRemoved | Self::CardMute)
    }

    /// The stable name of this failure.
    pub fn code(self) -> &'static str {
        match self {
            Self::NoCard => "no-card",
            Self::CardRemoved => "card-removed",
            Self::CardChanged => "card-changed",
            Self::CardMute => "card-mute",
            Self::CardUnsupported => "card-unsupported",
            Self::AccessKeyWrong { .. } => "access-key-wrong",
            Self::AccessKeySpent => "access-key-spent",
            Self::ReaderNotFound => "reader-not-found",
            Self::ReaderSelectionRequired => "reader-selection-required",
            Self::ReaderBusy => "reader-busy",
            Self::Cancelled => "cancelled",
            Self::NoReader => "no-reader",
            Self::ReaderLost => "reader-lost",
            Self::ReaderHung => "reader-hung",
            Self::HeldElsewhere => "reader-held-elsewhere",
            Self::CardReset => "card-reset",
            Self::ServiceUnavailable => "service-unavailable",
            Self::TookTooLong => "read-timeout",
            Self::ReaderCertificateWrong { .. } => "reader-certificate-wrong",
            Self::ReaderSchemeWrong { .. } => "reader-scheme-wrong",
            Self::AccessRefused => "access-refused",
            Self::ChipMisbehaved => "chip-protocol",
            Self::DocumentUnreadable => "document-unreadable",
            Self::AgentFault => "agent-fault",
            Self::AgentStopping => "agent-stopping",
        }
    }
}

impl From<ReaderRefusal> for ReadFailure {
    fn from(refusal: ReaderRefusal) -> Self {
        match refusal {
            ReaderRefusal::Certificate { seen } => Self::ReaderCertificateWrong { seen },
            ReaderRefusal::SpeaksTls { seen } => Self::ReaderSchemeWrong { seen: Some(seen) },
            ReaderRefusal::SpeaksNoTls => Self::ReaderSchemeWrong { seen: None },
            // One that is not used, whatever the reason.
            _ => Self::ReaderLost,
        }
    }
}

impl From<&TransportError> for ReadFailure {
    fn from(error: &TransportError) -> Self {
        match error {
            TransportError::CardRemoved => Self::CardRemoved,
            TransportError::CardMute => Self::CardMute,
            TransportError::CardReset => Self::CardReset,
            TransportError::HeldElsewhere => Self::HeldElsewhere,
            TransportError::ReaderLost => Self::ReaderLost,
            TransportError::ServiceLost => Self::ServiceUnavailable,
            TransportError::TimedOut { .. } => Self::ReaderHung,
            // A torn exchange with card and reader still there: the card lies badly.
            TransportError::ShortAnswer { .. } | TransportError::NotTransacted => Self::CardMute,
            TransportError::Cancelled => Self::Cancelled,
            // The protocol layer keeps to the channel's limits, so a command over them is our mistake.
            _ => Self::AgentFault,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_failure_has_a_code_of_its_own() {
        let codes: BTreeSet<_> = ReadFailure::ALL.iter().map(|failure| failure.code()).collect();
        assert_eq!(codes.len(), ReadFailure::ALL.len());
    }
}
