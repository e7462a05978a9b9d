//! Which tokens and proofs were used, kept where a restart does not forget them.

use cccd_api::callers::{Remembered, ReplayKind, ReplayMemory};
use cccd_store::{Novelty, Store};
use time::OffsetDateTime;

/// The memory of the store.
pub(crate) struct LastingReplays(pub(crate) Store);

impl ReplayMemory for LastingReplays {
    fn remember(
        &self,
        kind: ReplayKind,
        hash: [u8; 32],
        until: OffsetDateTime,
        now: OffsetDateTime,
    ) -> Remembered {
        match self.0.remember(kind.as_str(), hash, until, now) {
            Ok(Novelty::Fresh) => Remembered::Fresh,
            Ok(Novelty::Seen) => Remembered::Seen,
            Err(error) => {
                let error = anyhow::Error::from(error);
                tracing::error!("what was used cannot be remembered, so nothing is taken: {error:#}");
                Remembered::Unavailable
            }
        }
    }

    fn knows_since(&self) -> Option<OffsetDateTime> {
        Some(self.0.remembers_since())
    }
}
