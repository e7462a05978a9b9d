//! One look at the smart-card service, for whoever asks how it is. No card is connected to, so that nobody notices.

use std::sync::mpsc;
use std::time::Duration;

use pcsc::{Context, Error, ReaderState, Scope, State};

/// A reader as the service shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedReader {
    /// Its PC/SC name.
    pub name: String,
    /// Whether a card is there.
    pub has_card: bool,
    /// Whether the card there does not answer: it lies badly, or upside down in a slot.
    pub is_mute: bool,
}

/// Why the service shows no readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceFault {
    /// There is none, or it has ended.
    #[error("no smart-card service")]
    Absent,
    /// It does not serve this user.
    #[error("the smart-card service refuses this user")]
    Refused,
    /// It does not answer.
    #[error("the smart-card service does not answer")]
    Silent,
    /// It answers with something else.
    #[error("the smart-card service fails")]
    Failing,
}

/// The readers that the service shows now. Takes no longer than `within`: a call that does not return is left behind.
pub fn listed_readers(within: Duration) -> Result<Vec<ListedReader>, ServiceFault> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || tell.send(look()));
    match told.recv_timeout(within) {
        Ok(looked) => looked.map_err(fault_of),
        Err(_) => Err(ServiceFault::Silent),
    }
}

fn look() -> Result<Vec<ListedReader>, Error> {
    let context = Context::establish(Scope::System)?;
    let names = match context.list_readers_owned() {
        Ok(names) => names,
        Err(Error::NoReadersAvailable) => Vec::new(),
        Err(error) => return Err(error),
    };
    let mut listed = Vec::new();
    for name in names {
        let mut state = [ReaderState::new(name.clone(), State::UNAWARE)];
        // One at a time: some versions take few at once, and one that went in between spoils no other.
        let now = match context.get_status_change(Duration::ZERO, &mut state) {
            Ok(()) => state.iter().map(ReaderState::event_state).fold(State::UNAWARE, |all, one| all | one),
            Err(_) => State::UNAVAILABLE,
        };
        if !now.intersects(State::UNKNOWN | State::UNAVAILABLE) {
            let name = name.to_string_lossy().into_owned();
            listed.push(ListedReader {
                name,
                has_card: now.intersects(State::PRESENT),
                is_mute: now.intersects(State::MUTE),
            });
        }
    }
    Ok(listed)
}

fn fault_of(error: Error) -> ServiceFault {
    match error {
        Error::NoService | Error::ServiceStopped => ServiceFault::Absent,
        Error::SecurityViolation | Error::NoAccess => ServiceFault::Refused,
        _ => ServiceFault::Failing,
    }
}
