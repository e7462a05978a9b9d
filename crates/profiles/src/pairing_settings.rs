//! `[pairing]`: web pages that a person at the desk lets call, by a code.

use std::time::Duration;

use serde::Deserialize;

use crate::{NotAnOrigin, Origin, Results, Scope, ScopeSet};

const DAY: u64 = 24 * 60 * 60;

/// Whether pages may ask to be paired, and what they get.
#[derive(Debug, Clone)]
pub struct PairingSettings {
    /// Which pages may ask.
    pub pages: PairingPages,
    /// The most that a page may be granted.
    pub scopes: ScopeSet,
    /// Under which consumer profiles a page may ask to read. None that is not named here.
    pub profiles: Vec<String>,
    /// How often a page may fetch a result.
    pub results: Results,
    /// How long a grant lasts.
    pub grant_for: Duration,
}

impl Default for PairingSettings {
    /// Nobody may ask.
    fn default() -> Self {
        Self {
            pages: PairingPages::Nobody,
            scopes: ScopeSet::NONE,
            profiles: Vec::new(),
            results: Results::default(),
            grant_for: Duration::ZERO,
        }
    }
}

/// Which pages may ask to be paired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PairingPages {
    /// None.
    Nobody,
    /// Any that came over https or from this machine: whether it is the right one the person at the desk sees.
    Secure,
    /// These.
    Listed(Vec<Origin>),
}

impl PairingPages {
    /// Whether a page of this origin may ask.
    pub fn admit(&self, origin: &Origin) -> bool {
        match self {
            Self::Nobody => false,
            Self::Secure => origin.is_secure(),
            Self::Listed(origins) => origins.contains(origin),
        }
    }
}

/// Why `[pairing]` cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PairingSettingsError {
    /// A page that is none.
    #[error("pairing.origins: {origin:?}: {source}")]
    Origin {
        /// As written.
        origin: String,
        /// What is wrong.
        source: NotAnOrigin,
    },
    /// A time that is too short or too long.
    #[error("pairing.grant_days = {0}: 1 to 730 is possible")]
    Days(u64),
    /// Nobody could ever see a code.
    #[error("pairing.enabled needs admin.socket: `cccd-agent pair` shows the codes through it")]
    NoAdminSocket,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawPairing {
    enabled: bool,
    origins: Vec<String>,
    scopes: Option<Vec<Scope>>,
    profiles: Vec<String>,
    results: Results,
    grant_days: u64,
}

impl Default for RawPairing {
    fn default() -> Self {
        Self {
            enabled: false,
            origins: Vec::new(),
            scopes: None,
            profiles: Vec::new(),
            results: Results::default(),
            grant_days: 90,
        }
    }
}

impl RawPairing {
    pub(crate) fn understood(self, has_admin_socket: bool) -> Result<PairingSettings, PairingSettingsError> {
        let Self { enabled, origins, scopes, profiles, results, grant_days } = self;
        if !(1..=730).contains(&grant_days) {
            return Err(PairingSettingsError::Days(grant_days));
        }
        if enabled && !has_admin_socket {
            return Err(PairingSettingsError::NoAdminSocket);
        }
        let origins = origins
            .into_iter()
            .map(|origin| {
                Origin::parse(&origin).map_err(|source| PairingSettingsError::Origin { origin, source })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let pages = match (enabled, origins.is_empty()) {
            (false, _) => PairingPages::Nobody,
            (true, true) => PairingPages::Secure,
            (true, false) => PairingPages::Listed(origins),
        };
        let scopes = scopes.map_or_else(ScopeSet::reading, |scopes| scopes.into_iter().collect());
        let grant_for = Duration::from_secs(grant_days * DAY);
        Ok(PairingSettings { pages, scopes, profiles, results, grant_for })
    }
}
