//! `[profiles]` and `[outbox]`: where the operator's own consumer profiles lie, and what is on its way to consumers.

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

/// Where lies what is on its way to other systems.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxSettings {
    /// The folder, which only the agent may enter.
    pub folder: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawOutbox {
    folder: PathBuf,
}

impl Default for RawOutbox {
    fn default() -> Self {
        let folder =
            if cfg!(windows) { r"C:\ProgramData\cccd-agent\outbox" } else { "/var/lib/cccd-agent/outbox" };
        Self { folder: folder.into() }
    }
}

impl From<RawOutbox> for OutboxSettings {
    fn from(raw: RawOutbox) -> Self {
        Self { folder: raw.folder }
    }
}
