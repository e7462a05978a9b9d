//! What a desk says of itself: nothing of a person, of a caller or of a card.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Whether a desk is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Whether it is.
    pub state: PresenceState,
    /// The version of its program.
    #[serde(default)]
    pub version: String,
    /// Since when, by the desk's clock (RFC 3339). The broker has none when it speaks for a desk that is lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}

/// Whether a desk is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PresenceState {
    /// It is.
    Up,
    /// It was stopped.
    Stopped,
    /// The broker has not heard of it any more.
    Lost,
}

/// What a desk has done since its program started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeskReport {
    /// When it was written, by the desk's clock (RFC 3339).
    pub at: String,
    /// When the program started.
    pub started_at: String,
    /// Its version.
    pub version: String,
    /// The version of the served configuration that is in force; none where the desk has its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<u64>,
    /// The readers that stand there.
    pub readers: Vec<ReaderReport>,
    /// Readings that gave a result.
    pub readings_completed: u64,
    /// Readings that did not, by the code of why.
    pub readings_failed: BTreeMap<String, u64>,
    /// What is on its way to other systems; none where nothing is delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outbox: Option<OutboxCounts>,
}

/// A reader that stands at a desk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReaderReport {
    /// Its name as the driver gives it.
    pub name: String,
}

/// What is on its way to other systems.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxCounts {
    /// Messages that will be tried again.
    pub waiting: u64,
    /// Messages that an operator has to look at.
    pub dead: u64,
}

impl DeskReport {
    /// All readings that did not give a result.
    pub fn failed(&self) -> u64 {
        self.readings_failed.values().fold(0, |sum, count| sum.saturating_add(*count))
    }
}
