//! What was learned of readers and of makes of card, kept where a restart does not forget it.

use cccd_engine::Memory;
use cccd_store::Store;

use crate::daemon::now;

/// The shapes of the store.
pub(crate) struct LearnedShapes(pub(crate) Store);

impl Memory for LearnedShapes {
    fn recall(&self, key: &[u8]) -> Option<String> {
        let told = |error: &_| tracing::debug!(%error, "nothing can be recalled");
        self.0.shape(key).inspect_err(told).ok().flatten()
    }

    fn keep(&self, key: &[u8], text: &str) {
        if let Err(error) = self.0.learn_shape(key, text, now()) {
            tracing::debug!(%error, "what was learned is not kept");
        }
    }
}
