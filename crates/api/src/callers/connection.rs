//! A connection of one program: what is asked for through it may be kept to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cccd_engine::{EngineHandle, Stay};

/// A connection at whose other end one process is, from its first byte to its last.
#[derive(Debug, Clone, Default)]
pub(crate) struct OwnConnection {
    stay: Stay,
    /// Whether the program has said that what it asks for is to last no longer than the connection.
    is_kept_to: Arc<AtomicBool>,
}

impl OwnConnection {
    /// The program says so: from now on.
    pub(crate) fn keep_to(&self) -> Stay {
        self.is_kept_to.store(true, Ordering::SeqCst);
        self.stay.clone()
    }

    /// The connection, where the program has said so.
    pub(crate) fn kept_to(&self) -> Option<Stay> {
        self.is_kept_to.load(Ordering::SeqCst).then(|| self.stay.clone())
    }

    /// What ends with the connection: held for as long as it is there.
    pub(crate) fn closing(&self, engine: EngineHandle) -> Closing {
        Closing { stay: self.stay.clone(), engine }
    }
}

/// Ends what is kept to a connection when it is dropped.
pub(crate) struct Closing {
    stay: Stay,
    engine: EngineHandle,
}

impl Drop for Closing {
    fn drop(&mut self) {
        // The answer is nobody's: whoever asked has gone.
        drop(self.engine.end_stay(self.stay.clone()));
    }
}
