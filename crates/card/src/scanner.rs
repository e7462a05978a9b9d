//! Scanners of printed and displayed codes as the engine sees them: they come, they go, codes are shown to them.

use std::fmt;

use crate::{ReaderId, SecretBytes, StopSignal};

/// A scanner's name for programs, of the same form as a [`ReaderId`], and stable while the scanner stays
/// plugged in where it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScannerId(ReaderId);

impl ScannerId {
    /// Makes an id of a name: `Desk 1` becomes `desk-1`.
    pub fn from_name(name: &str) -> Self {
        Self(ReaderId::from_name(name))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for ScannerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A scanner that stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScannerInfo {
    /// Its name for programs.
    pub id: ScannerId,
    /// Its name for people: what the settings call it, or its model.
    pub name: String,
}

/// Something happened at a scanner. Events of one scanner arrive in order.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScannerEvent {
    /// A scanner was plugged in, or was there at the start.
    Attached(ScannerInfo),
    /// A scanner went away.
    Detached(ScannerId),
    /// A code was scanned, whole: what the scanner adds around it is gone.
    Scanned {
        /// By which.
        scanner: ScannerId,
        /// What the code says.
        payload: SecretBytes,
    },
    /// The scanner sent what is no code: too long, cut short, or binary noise. It was thrown away.
    Garbled(ScannerId),
}

/// What a code says is about a person: its length is shown, no more.
impl fmt::Debug for ScannerEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attached(info) => f.debug_tuple("Attached").field(info).finish(),
            Self::Detached(scanner) => f.debug_tuple("Detached").field(scanner).finish(),
            Self::Scanned { scanner, payload } => {
                f.debug_struct("Scanned").field("scanner", scanner).field("bytes", &payload.len()).finish()
            }
            Self::Garbled(scanner) => f.debug_tuple("Garbled").field(scanner).finish(),
        }
    }
}

/// A kind of scanner: finds them and tells what they scan.
///
/// The engine runs [`ScannerSource::watch`] in a thread of its own.
pub trait ScannerSource: Send + Sync {
    /// A short name for logs and events: `serial`.
    fn name(&self) -> &'static str;

    /// Watches until `stop` is raised, and survives whatever happens to devices and drivers.
    fn watch(&self, tell: &mut dyn FnMut(ScannerEvent), stop: &StopSignal);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_tells_nothing_of_what_was_scanned() {
        let event = ScannerEvent::Scanned {
            scanner: ScannerId::from_name("Desk 1"),
            payload: SecretBytes::new(b"000090123456||".to_vec()),
        };
        let shown = format!("{event:?}");
        assert!(shown.contains("desk-1") && shown.contains("14"), "{shown}");
        assert!(!shown.contains("0000") && !shown.contains("48, 48"), "{shown}");
    }
}
