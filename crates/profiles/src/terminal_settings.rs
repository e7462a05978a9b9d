//! `[terminal]` of `config/agent.toml`: the certified station a desk may be.

use std::path::PathBuf;

use serde::Deserialize;

/// Where a station's certificates and key lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminalSettings {
    /// Files with card verifiable certificates, and folders of them.
    pub certificates: Vec<PathBuf>,
    /// The file with the private key.
    pub key_file: PathBuf,
}

/// Why the `[terminal]` section cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TerminalSettingsError {
    /// A key and nothing to use it with.
    #[error("terminal.certificates is empty, and terminal.key_file is not: a station needs both")]
    NoCertificates,
    /// Certificates and no key.
    #[error("terminal.key_file is empty, and terminal.certificates is not: a station needs both")]
    NoKey,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawTerminal {
    certificates: Vec<PathBuf>,
    key_file: PathBuf,
}

impl TryFrom<RawTerminal> for Option<TerminalSettings> {
    type Error = TerminalSettingsError;

    fn try_from(raw: RawTerminal) -> Result<Self, TerminalSettingsError> {
        let RawTerminal { certificates, key_file } = raw;
        match (certificates.is_empty(), key_file.as_os_str().is_empty()) {
            (true, true) => Ok(None),
            (true, false) => Err(TerminalSettingsError::NoCertificates),
            (false, true) => Err(TerminalSettingsError::NoKey),
            (false, false) => Ok(Some(TerminalSettings { certificates, key_file })),
        }
    }
}
