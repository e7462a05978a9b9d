//! What a caller asks for.

use std::sync::Arc;
use std::time::Duration;

use cccd_card::ReaderId;
use cccd_document::{AccessPlan, Biometrics, Expectation};

/// Who asked. Results and events of a reading go to its owner alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CallerId(Arc<str>);

impl CallerId {
    /// A caller of this name.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether the face is read from the chip at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortraitWish {
    /// Read it, last.
    Read,
    /// Leave it on the chip.
    Leave,
}

/// One reading, asked for.
#[derive(Debug, Clone)]
pub struct ReadRequest {
    /// Who asks.
    pub owner: CallerId,
    /// On which reader; without one, on whichever has a card.
    pub reader: Option<ReaderId>,
    /// What opens the chip.
    pub access: AccessPlan,
    /// Whether the face is wanted.
    pub portrait: PortraitWish,
    /// Which of fingerprints and irises are wanted. Those that are not are left untouched; for the others the
    /// machine must be a certified station, or they stay locked.
    pub biometrics: Biometrics,
    /// What the chip shall sign over in active authentication: whoever drew it learns that the chip was
    /// present for this reading. Without one the challenge is drawn here.
    pub nonce: Option<Vec<u8>>,
    /// What the caller expects of the card, to be told how it compares.
    pub expect: Option<Expectation>,
    /// How long to wait for a card; `None` means as long as the settings say.
    pub wait_for_card: Option<Duration>,
}
