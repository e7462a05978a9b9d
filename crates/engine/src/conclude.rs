//! What is done with a reading under a profile once it is complete, whoever comes for its result.

use std::fmt;
use std::sync::Arc;

use crate::{ReadId, Reading};

/// Is handed each reading under its profile that was completed, once, before its owner hears that it was. It is called in
/// the loop itself, which waits meanwhile.
#[derive(Clone)]
pub struct Conclude(Arc<dyn Fn(ReadId, Arc<Reading>) + Send + Sync>);

impl Conclude {
    /// Hands them to `told`.
    pub fn by(told: impl Fn(ReadId, Arc<Reading>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(told))
    }

    /// Does nothing.
    pub fn not() -> Self {
        Self::by(|_, _| {})
    }

    pub(crate) fn tell(&self, read: ReadId, reading: Arc<Reading>) {
        (self.0)(read, reading);
    }
}

impl PartialEq for Conclude {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Conclude {}

impl fmt::Debug for Conclude {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Conclude")
    }
}
