//! Why the reading of files cannot go on.

use cccd_card::{StatusWord, TransportError};
use cccd_document::FileId;

use crate::entropy::NoEntropy;
use crate::proof::Proof;
use crate::secure_messaging::SmFault;

/// Why reading cannot go on. The variant says whose move it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Card or reader went away. The person may lay the card down again.
    #[error("card lost while reading {file}")]
    CardLost {
        /// Which file.
        file: FileId,
        /// How.
        source: TransportError,
    },
    /// The chip dropped the secure channel. What was read so far stands; the rest needs a new unlocking,
    /// and after 6700 or 6Cxx one that is limited to shorter replies.
    #[error("chip answered {status} without protection while reading {file}: its session has ended")]
    SessionEnded {
        /// Which file.
        file: FileId,
        /// The bare status.
        status: StatusWord,
    },
    /// The chip broke secure messaging. Not retried: it may be an attack.
    #[error("chip broke secure messaging while reading {file}")]
    Misbehaved {
        /// Which file.
        file: FileId,
        /// How.
        source: SmFault,
    },
    /// An earlier failure ended the session; nothing was sent.
    #[error("no session left to read {file} in")]
    NoSession {
        /// Which file.
        file: FileId,
    },
    /// The reading was to go on from an earlier one, and another document lies there now.
    #[error("another document than the one the reading began with")]
    AnotherDocument,
    /// The chip opened and has no eMRTD application, or does not let it be selected.
    #[error("chip answered {status} to SELECT of the eMRTD application")]
    ApplicationRefused {
        /// What it answered.
        status: StatusWord,
    },
    /// Card or reader went away after the files, during a proof. The person may lay the card down again.
    #[error("card lost during {proof}")]
    CardLostProving {
        /// Which proof.
        proof: Proof,
        /// How.
        source: TransportError,
    },
    /// The machine's random source failed during a proof.
    #[error("no random numbers for {proof}")]
    NoRandom {
        /// Which proof.
        proof: Proof,
        /// What it said.
        source: NoEntropy,
    },
    /// The file lies outside the eMRTD application and is none to be read after access control. Nothing was
    /// sent.
    #[error("{file} is not read after access control")]
    NotInApplication {
        /// Which file.
        file: FileId,
    },
}
