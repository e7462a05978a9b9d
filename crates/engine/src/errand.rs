//! On whose behalf a reading runs, and who is told how it ended.

use std::fmt;
use std::sync::Arc;

use cccd_card::ReaderId;
use time::OffsetDateTime;

use crate::{CallerId, ReadFailure, ReadId, Reading, Stay};

/// What is known of a request beside what is to be read. The engine hands it to the [`Witness`], and calls the reading
/// off with its stay.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Errand {
    /// How the caller proved who they are.
    pub caller_kind: Option<&'static str>,
    /// The page the request came from.
    pub origin: Option<String>,
    /// The program the request came from, as far as the system tells.
    pub process: Option<String>,
    /// Under which consumer's profile.
    pub profile: Option<String>,
    /// What for, in the caller's words or its profile's.
    pub purpose: Option<String>,
    /// By what right, in the caller's words or its profile's.
    pub legal_basis: Option<String>,
    /// What the caller may do.
    pub scopes: Vec<String>,
    /// The trace the request belongs to.
    pub trace_id: Option<String>,
    /// Without which nobody waits for it any more.
    pub stay: Option<Stay>,
}

/// How a reading ended.
#[derive(Debug)]
pub struct ReadEnd<'a> {
    /// Which.
    pub read: ReadId,
    /// Who asked for it.
    pub owner: CallerId,
    /// On whose behalf.
    pub errand: &'a Errand,
    /// Where it ran; one that never had a card may have had no reader.
    pub reader: Option<ReaderId>,
    /// When it was asked for.
    pub asked: OffsetDateTime,
    /// What came of it.
    pub outcome: Result<&'a Reading, ReadFailure>,
}

/// Is told of each reading's end, once, whatever came of it. It is told in the loop itself, which waits meanwhile.
#[derive(Clone)]
pub struct Witness(Arc<dyn Fn(&ReadEnd<'_>) + Send + Sync>);

impl Witness {
    /// Tells `told`.
    pub fn new(told: impl Fn(&ReadEnd<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(told))
    }

    /// Tells nobody.
    pub fn none() -> Self {
        Self::new(|_| {})
    }

    pub(crate) fn tell(&self, end: &ReadEnd<'_>) {
        (self.0)(end);
    }
}

impl fmt::Debug for Witness {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Witness")
    }
}
