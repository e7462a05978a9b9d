//! What a caller asks for.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cccd_card::ReaderId;
use cccd_document::{AccessPlan, Biometrics, Expectation, FieldSet, FileId, InsuranceRecord};

use crate::Conclude;

/// The groups that say who the person is, the face among them: all that can be asked for without further rights.
pub fn every_group() -> BTreeSet<FileId> {
    FieldSet::ALL.groups().into_iter().chain([FileId::DG2]).collect()
}

/// Who asked. Results and events of a reading go to its owner alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CallerId(Arc<str>);

impl CallerId {
    /// A caller of this name.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// One of several users of a caller of this name. They are callers of their own, and others hear the name only.
    pub fn of_one(name: &str, user: &str) -> Self {
        Self(format!("{name}#{user}").into())
    }

    /// The name, user included.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as others may hear it.
    pub fn label(&self) -> &str {
        self.0.split_once('#').map_or(&*self.0, |(name, _)| name)
    }
}

/// Under which consumer's profile a reading is made, and what was scanned beside for it. The engine reads the groups
/// it is told and hands this on: what the consumer gets of them is decided where profiles are applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnderProfile {
    /// The profile's name.
    pub profile: Arc<str>,
    /// The health insurance card that was scanned beside.
    pub insurance: Option<Box<InsuranceRecord>>,
    /// Where the holder is entered.
    pub register: Option<InRegister>,
    /// What is done with the reading once it is complete.
    pub conclude: Conclude,
}

/// A register that the holder of a card is entered in, and which session of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InRegister {
    /// The register's name.
    pub name: Arc<str>,
    /// The session, trip or day.
    pub session: Arc<str>,
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
    /// Which of [`every_group`] are read, if the chip has them; the others are left untouched. Without DG1 and DG13
    /// nobody is identified. Files with keys and hashes are read as the proofs need them.
    pub groups: BTreeSet<FileId>,
    /// What of the record is for the owner, who gets nothing else of what the groups hold.
    pub fields: FieldSet,
    /// Which of fingerprints and irises are wanted. Those that are not are left untouched; for the others the
    /// machine must be a certified station, or they stay locked.
    pub biometrics: Biometrics,
    /// The consumer's profile; `None` for a reading of its own.
    pub under: Option<UnderProfile>,
    /// What the chip shall sign over in active authentication: whoever drew it learns that the chip was
    /// present for this reading. Without one the challenge is drawn here.
    pub nonce: Option<Vec<u8>>,
    /// What the caller expects of the card, to be told how it compares.
    pub expect: Option<Expectation>,
    /// How long to wait for a card; `None` means as long as the settings say.
    pub wait_for_card: Option<Duration>,
}
