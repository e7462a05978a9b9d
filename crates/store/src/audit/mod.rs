//! Who did what: entries, each with the hash of the one before.

mod chain;
mod entry;
mod head;
mod proof;
mod refusals;
mod scribe;

pub use chain::{AuditChain, ChainReport, Receipt};
pub use entry::{Entry, EntryKind, Recorded};
pub use proof::{ChainFault, ExportChecker, Fault, GENESIS};
pub use scribe::Scribe;
