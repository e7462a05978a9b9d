//! What was used once and must not be used again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use time::OffsetDateTime;

/// What kind of thing was used. The same name under two kinds is two things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReplayKind {
    /// A token that a site's backend signed.
    SiteToken,
    /// A proof that a paired page holds its key.
    PageProof,
}

impl ReplayKind {
    /// The word for storing it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SiteToken => "site-token",
            Self::PageProof => "page-proof",
        }
    }
}

/// Whether something is used for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remembered {
    /// For the first time. It is remembered from now on.
    Fresh,
    /// Not for the first time.
    Seen,
    /// It cannot be known, so that it must not be taken.
    Unavailable,
}

/// Remembers what was used until it could not be used any more anyway.
pub trait ReplayMemory: Send + Sync {
    /// Whether the thing of this hash is used for the first time. It is remembered until `until`.
    fn remember(
        &self,
        kind: ReplayKind,
        hash: [u8; 32],
        until: OffsetDateTime,
        now: OffsetDateTime,
    ) -> Remembered;

    /// Since when it knows of everything that was used; `None` where it always did. What was made before may have
    /// been used before.
    fn knows_since(&self) -> Option<OffsetDateTime> {
        None
    }
}

/// How many things are remembered at once. Each is forgotten after a few minutes; beyond this, nothing new is taken.
const MOST: usize = 100_000;

/// A memory that a restart empties: it knows of nothing that was used before it began.
#[derive(Debug, Default)]
pub struct MemoryReplays {
    since: Option<OffsetDateTime>,
    seen: Mutex<HashMap<(ReplayKind, [u8; 32]), OffsetDateTime>>,
}

impl MemoryReplays {
    /// An empty memory that begins now.
    pub fn beginning(now: OffsetDateTime) -> Self {
        Self { since: Some(now), ..Self::default() }
    }
}

impl ReplayMemory for MemoryReplays {
    fn remember(
        &self,
        kind: ReplayKind,
        hash: [u8; 32],
        until: OffsetDateTime,
        now: OffsetDateTime,
    ) -> Remembered {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.get(&(kind, hash)).is_some_and(|until| *until >= now) {
            return Remembered::Seen;
        }
        if seen.len() >= MOST {
            seen.retain(|_, until| *until >= now);
            if seen.len() >= MOST {
                return Remembered::Unavailable;
            }
        }
        seen.insert((kind, hash), until);
        Remembered::Fresh
    }

    fn knows_since(&self) -> Option<OffsetDateTime> {
        self.since
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-29 08:00 UTC);

    #[test]
    fn what_was_used_is_refused_until_its_time_is_over() {
        let memory = MemoryReplays::beginning(NOW);
        let until = NOW + Duration::minutes(2);
        let use_it = |kind, byte, now| memory.remember(kind, [byte; 32], until, now);
        assert_eq!(use_it(ReplayKind::SiteToken, 1, NOW), Remembered::Fresh);
        assert_eq!(use_it(ReplayKind::SiteToken, 1, until), Remembered::Seen);
        assert_eq!(use_it(ReplayKind::SiteToken, 2, NOW), Remembered::Fresh);
        assert_eq!(use_it(ReplayKind::PageProof, 1, NOW), Remembered::Fresh);
        assert_eq!(use_it(ReplayKind::SiteToken, 1, until + Duration::SECOND), Remembered::Fresh);
    }

    #[test]
    fn a_memory_that_is_full_takes_nothing_rather_than_forget() {
        let memory = MemoryReplays::default();
        let until = NOW + Duration::minutes(2);
        for number in 0..MOST {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&(number as u64).to_be_bytes());
            assert_eq!(memory.remember(ReplayKind::SiteToken, hash, until, NOW), Remembered::Fresh);
        }
        assert_eq!(memory.remember(ReplayKind::SiteToken, [9; 32], until, NOW), Remembered::Unavailable);
        let later = until + Duration::SECOND;
        assert_eq!(memory.remember(ReplayKind::SiteToken, [9; 32], later, later), Remembered::Fresh);
    }
}
