//! Readers as the engine sees them: they come, they go, cards lie on them.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::{Atr, CardChannel, CardFiles, CertificateHash, ChannelLimits, TransportError};

/// A reader's name for programs: lower-case letters, digits and hyphens, stable while it stays plugged in
/// where it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReaderId(Arc<str>);

impl ReaderId {
    /// Makes an id of the name a driver gave: `GemPC Twin 00 00` becomes `gempc-twin-00-00`.
    pub fn from_name(name: &str) -> Self {
        let mut id = String::with_capacity(name.len());
        for c in name.chars() {
            if c.is_ascii_alphanumeric() {
                id.push(c.to_ascii_lowercase());
            } else if !id.is_empty() && !id.ends_with('-') {
                id.push('-');
            }
        }
        id.truncate(id.trim_end_matches('-').len());
        Self(id.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReaderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What carries the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transport {
    /// The system's smart-card service.
    PcSc,
    /// libnfc, in a process of its own.
    Nfc,
    /// A network of the reader's own: it converses with chips by itself.
    Network,
    /// A simulated chip in this process.
    InProcess,
}

/// What stands behind a reader, as far as its driver and profile say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behind {
    /// A device, unless somebody has made software look like one.
    Device,
    /// Software that plays reader and card.
    Simulation,
}

/// A reader that stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReaderInfo {
    /// Its name for programs.
    pub id: ReaderId,
    /// Its name as the driver gives it.
    pub name: String,
    /// What carries the bytes.
    pub transport: Transport,
    /// What stands behind it.
    pub behind: Behind,
    /// What it carries at once, as far as its profile and driver say.
    pub limits: ChannelLimits,
}

/// Why a reader that answers is not used: it is not shown to be the one of the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReaderRefusal {
    /// Its certificate is not the one of the settings, or they name none. Nothing was sent to it.
    Certificate {
        /// Which it showed.
        seen: CertificateHash,
    },
    /// It speaks TLS, and the settings say that it does not.
    SpeaksTls {
        /// Which certificate it showed.
        seen: CertificateHash,
    },
    /// It speaks no TLS, and the settings say that it does. Nothing was sent to it.
    SpeaksNoTls,
}

/// Something happened at a reader. Events of one reader arrive in order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReaderEvent {
    /// A reader was plugged in, or was there at the start.
    Attached(ReaderInfo),
    /// A reader went away; so did its card. Likewise one that was not used.
    Detached(ReaderId),
    /// A reader is there and is not used.
    Refused(ReaderId, ReaderRefusal),
    /// A card was laid on it. `atr` is `None` for a card that does not answer to reset.
    CardInserted {
        /// Where.
        reader: ReaderId,
        /// What the card answered.
        atr: Option<Atr>,
    },
    /// The card left.
    CardRemoved(ReaderId),
    /// The source cannot see readers now, and keeps trying.
    SourceLost(&'static str),
    /// The source sees readers again.
    SourceReady(&'static str),
}

/// A kind of reader: finds them, tells what happens at them, opens their cards.
///
/// The engine runs [`ReaderSource::watch`] in a thread of its own, and calls [`ReaderSource::connect`] in
/// the owner thread of each reader, so that every reader has its own connection to the service behind.
pub trait ReaderSource: Send + Sync {
    /// A short name for logs and events: `pcsc`.
    fn name(&self) -> &'static str;

    /// Watches until `stop` is raised, and survives whatever happens to drivers and services. Tells
    /// [`ReaderEvent::SourceReady`] once it has told all that was there at the start.
    fn watch(&self, tell: &mut dyn FnMut(ReaderEvent), stop: &StopSignal);

    /// Opens the card that lies on `reader`.
    fn connect(&self, reader: &ReaderId) -> Result<Box<dyn CardChannel>, TransportError>;

    /// The same for a reader that converses with chips by itself, whose cards have no channel. `None` for every other.
    fn files_of(&self, reader: &ReaderId) -> Option<Result<Box<dyn CardFiles>, TransportError>> {
        let _ = reader;
        None
    }
}

/// Raised once, seen by everyone who holds a copy.
#[derive(Debug, Clone, Default)]
pub struct StopSignal {
    state: Arc<(Mutex<bool>, Condvar)>,
}

impl StopSignal {
    /// Raises the signal and wakes everyone who waits.
    pub fn raise(&self) {
        *self.state.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.state.1.notify_all();
    }

    /// Whether it has been raised.
    pub fn is_raised(&self) -> bool {
        *self.state.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it is raised, or `limit` has passed; tells whether it is raised.
    pub fn wait(&self, limit: Duration) -> bool {
        let guard = self.state.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (raised, _) = self
            .state
            .1
            .wait_timeout_while(guard, limit, |raised| !*raised)
            .unwrap_or_else(PoisonError::into_inner);
        *raised
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_safe_in_a_url() {
        for (name, id) in [
            ("GemPC Twin 00 00", "gempc-twin-00-00"),
            (
                "ACS ACR1252 1S CL Reader [ACR1252 Dual Reader PICC] (0) 01 00",
                "acs-acr1252-1s-cl-reader-acr1252-dual-reader-picc-0-01-00",
            ),
            ("Đầu đọc/../1", "u-c-1"),
            ("", ""),
        ] {
            assert_eq!(ReaderId::from_name(name).as_str(), id);
        }
    }

    #[test]
    fn a_raised_signal_ends_every_wait() {
        let signal = StopSignal::default();
        assert!(!signal.wait(Duration::ZERO));
        let waiter = signal.clone();
        let thread = std::thread::spawn(move || waiter.wait(Duration::from_secs(60)));
        signal.raise();
        assert!(thread.join().unwrap());
        assert!(signal.is_raised());
    }
}
