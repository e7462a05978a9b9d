//! `[profiles]`: where the operator's own consumer profiles lie.

use std::path::PathBuf;

use serde::Deserialize;

/// Where the operator's own consumer profiles lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileSettings {
    /// The folder. A file in it takes the place of the shipped profile of the same name.
    pub directory: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawProfiles {
    directory: PathBuf,
}

impl Default for RawProfiles {
    fn default() -> Self {
        let directory =
            if cfg!(windows) { r"C:\ProgramData\cccd-agent\profiles" } else { "/etc/cccd-agent/profiles" };
        Self { directory: directory.into() }
    }
}

impl From<RawProfiles> for ProfileSettings {
    fn from(raw: RawProfiles) -> Self {
        Self { directory: raw.directory }
    }
}
