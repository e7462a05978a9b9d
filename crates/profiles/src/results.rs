//! `results`: how often whoever calls may fetch what it has read.

use serde::Deserialize;

/// How often a result is handed to its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Results {
    /// As often as it is fetched, until it is wiped.
    #[default]
    Several,
    /// Each part once: what is known early, the record, the face, each further picture, the evidence.
    Once,
}
