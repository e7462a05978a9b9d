//! `[local]`, `[[local_program]]` and `[admin]`: the doors that are no port.

use std::path::PathBuf;

use serde::Deserialize;

use crate::site_settings::is_name;
use crate::{Results, Scope, ScopeSet};

/// The sockets of this machine, and which of its programs may call through them.
#[derive(Debug, Clone, Default)]
pub struct LocalSettings {
    /// Where programs call.
    pub socket: Option<PathBuf>,
    /// The group that may open it, besides the user the agent runs as; without it, that user's.
    pub group: Option<String>,
    /// Where whoever looks after the machine does. Without it there is no such door.
    pub admin_socket: Option<PathBuf>,
    /// Which programs.
    pub programs: Vec<LocalProgram>,
}

/// Programs of this machine that call through the socket: who they are, the system says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalProgram {
    /// Its name, for logs and for other callers who wait for a reader.
    pub name: String,
    /// Whose processes they are: names or numbers of users.
    pub users: Vec<String>,
    /// Or users of which groups: names or numbers.
    pub groups: Vec<String>,
    /// What they may do.
    pub scopes: ScopeSet,
    /// Under which consumer profiles they may read. None that is not named here.
    pub profiles: Vec<String>,
    /// How often they may fetch a result.
    pub results: Results,
}

/// Why the sockets cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LocalSettingsError {
    /// A program without a name.
    #[error(
        "a local_program needs a name of 1 to 64 letters, digits, dots, hyphens or underscores, not {0:?}"
    )]
    Name(String),
    /// Two of one name.
    #[error("local_program {0:?}: another caller has the same name")]
    Twice(String),
    /// Nobody could ever be it.
    #[error("local_program {0:?}: it needs users or groups")]
    Nobody(String),
    /// A program and no door.
    #[error("local_program {0:?} needs local.socket: that is where it calls")]
    NoSocket(String),
    /// One file for two doors.
    #[error("local.socket and admin.socket are the same file")]
    OneFile,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawLocal {
    socket: PathBuf,
    group: String,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawAdmin {
    socket: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawLocalProgram {
    name: String,
    #[serde(default)]
    users: Vec<String>,
    #[serde(default)]
    groups: Vec<String>,
    scopes: Option<Vec<Scope>>,
    #[serde(default)]
    profiles: Vec<String>,
    #[serde(default)]
    results: Results,
}

fn named(path: PathBuf) -> Option<PathBuf> {
    Some(path).filter(|path| !path.as_os_str().is_empty())
}

impl LocalSettings {
    pub(crate) fn of(
        local: RawLocal,
        admin: RawAdmin,
        programs: Vec<RawLocalProgram>,
        taken: &[&str],
    ) -> Result<Self, LocalSettingsError> {
        let (socket, admin_socket) = (named(local.socket), named(admin.socket));
        if socket.is_some() && socket == admin_socket {
            return Err(LocalSettingsError::OneFile);
        }
        let mut known: Vec<LocalProgram> = Vec::new();
        for raw in programs {
            let RawLocalProgram { name, users, groups, scopes, profiles, results } = raw;
            if !is_name(&name) {
                return Err(LocalSettingsError::Name(name));
            }
            if taken.contains(&name.as_str()) || known.iter().any(|known| known.name == name) {
                return Err(LocalSettingsError::Twice(name));
            }
            if users.is_empty() && groups.is_empty() {
                return Err(LocalSettingsError::Nobody(name));
            }
            if socket.is_none() {
                return Err(LocalSettingsError::NoSocket(name));
            }
            let scopes = match scopes {
                Some(scopes) => scopes.into_iter().collect(),
                // As with a caller that has profiles.
                None if !profiles.is_empty() => [Scope::Readers, Scope::Presence].into_iter().collect(),
                None => ScopeSet::reading(),
            };
            known.push(LocalProgram { name, users, groups, scopes, profiles, results });
        }
        let group = Some(local.group).filter(|group| !group.is_empty());
        Ok(Self { socket, group, admin_socket, programs: known })
    }
}
