//! `[[handoff]]`: pages that cannot call the agent themselves, for which its own window reads.

use serde::Deserialize;

use crate::{NotAnOrigin, Origin, Scope, ScopeSet};

/// A page that is handed what the agent's own window reads.
#[derive(Debug, Clone)]
pub struct Handoff {
    /// The page, and nobody else.
    pub origin: Origin,
    /// What people call it.
    pub name: String,
    /// What it wants the card for, in Vietnamese.
    pub purpose_vi: String,
    /// The same in English.
    pub purpose_en: String,
    /// What it receives.
    pub scopes: ScopeSet,
}

/// Why a `[[handoff]]` cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandoffSettingsError {
    /// A page that is none.
    #[error("handoff: origin {origin:?}: {source}")]
    Origin {
        /// As written.
        origin: String,
        /// What is wrong.
        source: NotAnOrigin,
    },
    /// Two of one page.
    #[error("handoff {0}: another one is for the same page")]
    Twice(Origin),
    /// The person who is asked would not know by whom, or for what.
    #[error(
        "handoff {0}: name, purpose_vi and purpose_en of 1 to 200 characters each, and scopes, are needed"
    )]
    Unsaid(Origin),
    /// Its window is a paired page itself.
    #[error("a [[handoff]] needs admin.socket: its window is paired by a code that `cccd-agent pair` shows")]
    NoAdminSocket,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawHandoff {
    origin: String,
    name: String,
    purpose_vi: String,
    purpose_en: String,
    scopes: Vec<Scope>,
}

pub(crate) fn handoffs(
    raw: Vec<RawHandoff>,
    has_admin_socket: bool,
) -> Result<Vec<Handoff>, HandoffSettingsError> {
    let mut handoffs: Vec<Handoff> = Vec::new();
    for RawHandoff { origin, name, purpose_vi, purpose_en, scopes } in raw {
        let origin =
            Origin::parse(&origin).map_err(|source| HandoffSettingsError::Origin { origin, source })?;
        if handoffs.iter().any(|known| known.origin == origin) {
            return Err(HandoffSettingsError::Twice(origin));
        }
        let said = [&name, &purpose_vi, &purpose_en]
            .iter()
            .all(|text| (1..=200).contains(&text.trim().chars().count()));
        if !said || scopes.is_empty() {
            return Err(HandoffSettingsError::Unsaid(origin));
        }
        if !has_admin_socket {
            return Err(HandoffSettingsError::NoAdminSocket);
        }
        let scopes = scopes.into_iter().collect();
        handoffs.push(Handoff { origin, name, purpose_vi, purpose_en, scopes });
    }
    Ok(handoffs)
}
