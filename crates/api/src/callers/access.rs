//! Everything that decides who may call, as one value.

use std::fmt;
use std::sync::Arc;

use cccd_profiles::{Caller as KnownCaller, Handoff, Origin, PairingSettings, ScopeSet, Site};
use time::OffsetDateTime;

use super::Hosts;
use super::paired::{GrantBook, MemoryGrants};
use super::replay::{MemoryReplays, ReplayMemory};

/// The time of day.
pub type Clock = Arc<dyn Fn() -> OffsetDateTime + Send + Sync>;

/// Who may call, and what is remembered of those who did. By default nobody may.
#[derive(Clone)]
pub struct Access {
    /// Programs and pages of the settings.
    pub callers: Vec<KnownCaller>,
    /// Sites whose backend signs.
    pub sites: Vec<Site>,
    /// What sites call this desk.
    pub workstation_id: Option<String>,
    /// Which pages a person may let in.
    pub pairing: PairingSettings,
    /// Pages that the agent's own window reads for.
    pub handoffs: Vec<Handoff>,
    /// Pages that a person has let in.
    pub grants: Arc<dyn GrantBook>,
    /// Tokens that were used and must not be again.
    pub replays: Arc<dyn ReplayMemory>,
    /// The time of day, by which tokens are in time or not.
    pub clock: Clock,
    /// How many requests of one caller are answered in a second, in the long run; zero for any number.
    pub requests_per_second: u32,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            callers: Vec::new(),
            sites: Vec::new(),
            workstation_id: None,
            pairing: PairingSettings::default(),
            handoffs: Vec::new(),
            grants: Arc::new(MemoryGrants::default()),
            replays: Arc::new(MemoryReplays::default()),
            // Without a clock no token is in time.
            clock: Arc::new(|| OffsetDateTime::UNIX_EPOCH),
            requests_per_second: 0,
        }
    }
}

impl Access {
    /// The most that a page of this origin may be granted, scopes and profiles, if it may ask to be paired. The agent's own
    /// window may where there is anybody to hand anything to.
    pub(crate) fn may_be_paired(&self, hosts: &Hosts, origin: &Origin) -> Option<(ScopeSet, &[String])> {
        if self.pairing.pages.admit(origin) {
            return Some((self.pairing.scopes, &self.pairing.profiles));
        }
        let own = !self.handoffs.is_empty() && hosts.is_own(origin.as_str());
        let scopes = || self.handoffs.iter().fold(ScopeSet::NONE, |most, handoff| most.union(handoff.scopes));
        own.then(|| (scopes(), [].as_slice()))
    }
}

/// These callers of the settings and nobody else.
impl From<Vec<KnownCaller>> for Access {
    fn from(callers: Vec<KnownCaller>) -> Self {
        Self { callers, ..Self::default() }
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("callers", &self.callers)
            .field("sites", &self.sites)
            .finish_non_exhaustive()
    }
}
