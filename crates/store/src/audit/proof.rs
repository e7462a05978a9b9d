//! What makes a chain: each entry in its place, unchanged.

use std::fmt;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// What stands for the hash before the first entry.
pub const GENESIS: [u8; 32] = [0; 32];

/// Where a chain is broken, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainFault {
    /// The number of the entry at which it shows.
    pub sequence: u64,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// An entry is missing here.
    Missing,
    /// The entry is not what its hash says.
    Changed,
    /// The entry does not follow the one before it.
    Displaced,
    /// The entry was not made by this machine.
    Forged,
    /// The newest entries are missing.
    CutShort,
    /// The head of the chain is missing.
    HeadMissing,
    /// The head of the chain is not this machine's.
    HeadForged,
    /// The entry is not what the head says.
    HeadDiffers,
    /// What stands here is no entry.
    Unreadable,
}

impl Fault {
    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Changed => "changed",
            Self::Displaced => "displaced",
            Self::Forged => "forged",
            Self::CutShort => "cut-short",
            Self::HeadMissing => "head-missing",
            Self::HeadForged => "head-forged",
            Self::HeadDiffers => "head-differs",
            Self::Unreadable => "unreadable",
        }
    }
}

impl fmt::Display for ChainFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sequence, fault } = self;
        match fault {
            Fault::Missing => write!(out, "entry {sequence} is missing"),
            Fault::Changed => write!(out, "entry {sequence} was changed"),
            Fault::Displaced => write!(out, "entry {sequence} does not follow the one before it"),
            Fault::Forged => write!(out, "entry {sequence} was not made by this machine"),
            Fault::CutShort => write!(out, "entry {sequence} and those after it are missing"),
            Fault::HeadMissing => write!(out, "the head, which names the last entry, is missing"),
            Fault::HeadForged => {
                write!(out, "the head, which names the last entry, was not made by this machine")
            }
            Fault::HeadDiffers => write!(out, "entry {sequence} is not the one the head names"),
            Fault::Unreadable => write!(out, "entry {sequence} cannot be read"),
        }
    }
}

/// What of an entry's text makes its place.
#[derive(Deserialize)]
struct Place {
    sequence: u64,
    previous: String,
    time: String,
}

/// Goes along a chain.
pub(crate) struct Walk {
    pub(crate) sequence: u64,
    pub(crate) hash: [u8; 32],
}

/// The place an entry's text claims, once it was found to be the right one.
pub(crate) struct Step {
    pub(crate) time: String,
}

impl Walk {
    /// Before the first entry.
    pub(crate) fn begin() -> Self {
        Self { sequence: 0, hash: GENESIS }
    }

    /// The next entry: its hash, its number, and that it follows.
    pub(crate) fn step(&mut self, text: &str, hash: &[u8]) -> Result<Step, ChainFault> {
        let sequence = self.sequence.saturating_add(1);
        let fault = |fault| ChainFault { sequence, fault };
        let computed: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        if computed != hash {
            return Err(fault(Fault::Changed));
        }
        let place: Place = serde_json::from_str(text).map_err(|_| fault(Fault::Unreadable))?;
        if place.sequence > sequence {
            return Err(fault(Fault::Missing));
        }
        if place.sequence < sequence || place.previous != hex::encode(self.hash) {
            return Err(fault(Fault::Displaced));
        }
        *self = Self { sequence, hash: computed };
        Ok(Step { time: place.time })
    }
}

/// Checks an export, line by line, on any machine: whether its entries are one whole chain from its first line on.
///
/// Without the machine's key and the chain itself it cannot tell whether entries are missing before the first line or
/// after the last, or whether all of it was made anew; whoever receives entries as they are made can.
pub struct ExportChecker {
    walk: Option<Walk>,
    entries: u64,
}

impl ExportChecker {
    /// Before the first line.
    #[expect(clippy::new_without_default, reason = "a check begins; it has no default")]
    pub fn new() -> Self {
        Self { walk: None, entries: 0 }
    }

    /// The next line.
    pub fn check(&mut self, line: &str) -> Result<(), ChainFault> {
        let expected = self.walk.as_ref().map_or(1, |walk| walk.sequence.saturating_add(1));
        let unreadable = ChainFault { sequence: expected, fault: Fault::Unreadable };
        // As `Recorded::line` writes it: the text must be had as it is, not as a parser understands it.
        let inner = line.trim_end().strip_prefix(r#"{"entry":"#).and_then(|rest| rest.strip_suffix(r#""}"#));
        let (text, hash) = inner.and_then(|rest| rest.rsplit_once(r#","hash":""#)).ok_or(unreadable)?;
        let hash = hex::decode(hash).map_err(|_| unreadable)?;
        let mut walk = match self.walk.take() {
            Some(walk) => walk,
            // An export may begin anywhere.
            None => {
                let place: Place = serde_json::from_str(text).map_err(|_| unreadable)?;
                let previous = hex::decode(&place.previous).ok().and_then(|hash| hash.try_into().ok());
                let sequence = place.sequence.checked_sub(1).ok_or(unreadable)?;
                Walk { sequence, hash: previous.ok_or(unreadable)? }
            }
        };
        walk.step(text, &hash)?;
        self.walk = Some(walk);
        self.entries += 1;
        Ok(())
    }

    /// How many lines were good.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// The number of the last good line.
    pub fn last(&self) -> Option<u64> {
        self.walk.as_ref().map(|walk| walk.sequence)
    }
}
