//! Readings as files: what went to a card and came back, and when.
//!
//! A trace tells by itself nothing of a person: of each exchange it has the header of the command, lengths, status and
//! times. The bytes are in it only where the card is invented, as simulated ones are; or where somebody consents, and
//! then sealed to a key that is not on this machine ([`seal`]). With its bytes a trace can be replayed: the
//! conversation runs again with the same random numbers, and meets the answers of then.

mod channel;
mod command;
mod file;
mod reading;
mod replay;
pub mod seal;

pub use channel::{Recorder, RecordingRng};
pub(crate) use command::{TraceArguments, run};
pub use file::{Bytes, Exchange, Kind, Trace, TraceError};
pub use reading::{Outcome, read};
pub use replay::{Replay, ReplayRng};
