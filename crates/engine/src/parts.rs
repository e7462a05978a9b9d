//! Results that are handed out once: whoever comes second, with the same token or not, gets nothing.

use cccd_document::Biometric;

use crate::desk::Desk;
use crate::engine::NotHere;
use crate::{CallerId, ReadId};

/// A part of a result that is fetched by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// What is known before the end.
    Partial,
    /// The record, with the verdict.
    Record,
    /// The face.
    Portrait,
    /// A fingerprint or an iris, by its number.
    Biometric(Biometric, usize),
    /// The signed evidence.
    Evidence,
}

impl Desk {
    /// Notes that a part is handed out; refuses where it was before.
    pub(crate) fn hand_out(&mut self, caller: &CallerId, id: ReadId, part: Part) -> Result<(), NotHere> {
        if self.parts_of(caller, id)?.insert(part) { Ok(()) } else { Err(NotHere::Taken) }
    }
}
