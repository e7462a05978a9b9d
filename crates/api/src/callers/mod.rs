//! Who may call: where a request comes from, whose it is, and what they may have.
//!
//! | caller | proof | file |
//! | --- | --- | --- |
//! | a program | a token of the settings | `known.rs` |
//! | a page | the same, from one of its origins | `known.rs` |
//! | a managed site | a token its backend signed, exchanged for a session | `site.rs`, `session.rs` |
//! | a paired page | a key that a person let in by a code | `paired.rs`, `proof.rs`, `pages.rs` |
//! | a local program | the operating system says who is at the other end of the socket | `introduced.rs`, and whoever serves the socket |
//!
//! The order is the one that tells a stranger least: a wrong Host hears nothing else (`gate.rs`), a foreign page
//! never comes as far as its token, and whose a request is, is known before any handler runs (`identify.rs`).
//!
//! Nothing here is ambient: no cookie, no credential in an address. Every request but the open ones carries
//! `Authorization`, which no page can send to another origin without asking first.

mod access;
mod connection;
mod gate;
mod identify;
mod introduced;
mod known;
mod limits;
mod pages;
mod paired;
mod proof;
mod replay;
mod session;
mod site;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use cccd_document::{Biometric, FieldSet, RecordField};
use cccd_engine::{CallerId, ScanReach, Stay};
use cccd_profiles::{Results, Scope, ScopeSet};
use http::request::Parts;
use tokio::sync::watch;
use tokio::time::Instant;

pub use access::{Access, Clock};
pub(crate) use connection::{Closing, OwnConnection};
pub(crate) use gate::{Hosts, Scheme, admit};
pub(crate) use identify::{end_session, identify, known_caller, open_session, shown_token};
pub(crate) use introduced::Introduced;
pub(crate) use limits::Limits;
pub(crate) use pages::{Pages, own_grant};
pub use paired::{BookFault, Grant, GrantBook, MemoryGrants};
pub(crate) use proof::{proof_of, use_once};
pub use replay::{MemoryReplays, Remembered, ReplayKind, ReplayMemory};
pub(crate) use session::{Opened, Sessions};

use crate::problems::Fault;
use crate::refusal::Refusal;

/// Who calls. In the extensions of every request that gets as far as a handler behind the guard.
///
/// A listener that knows by itself who is at the other end puts one there; then neither a Host nor a token is asked
/// for, and an `Origin` is refused.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Caller {
    /// Whose readings, leases and scans are theirs.
    pub id: CallerId,
    /// How they proved who they are.
    pub kind: CallerKind,
    /// What they are called, where others and logs may see it.
    pub label: Arc<str>,
    /// The page they call from; `None` for what is no page.
    pub origin: Option<Arc<str>>,
    /// What they may do.
    pub scopes: ScopeSet,
    /// Under which consumer profiles they may read.
    pub profiles: Arc<[String]>,
    /// How often they may fetch a result.
    pub results: Results,
    /// What for, as a site says. Never about a person.
    pub purpose: Option<Arc<str>>,
    /// On which legal basis, as a site says.
    pub legal_basis: Option<Arc<str>>,
    /// The desk their token is for; `None` where a token is for no desk in particular.
    pub workstation_id: Option<Arc<str>>,
    /// The program at the other end, as the operating system tells it.
    pub process: Option<Arc<str>>,
    /// Without which nothing of it waits: its session or grant.
    pub(crate) stay: Option<Stay>,
    /// The connection it calls through, where that is its own.
    pub(crate) connection: Option<OwnConnection>,
    /// When they are nobody any more.
    pub ends: Ending,
}

/// How a caller proved who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallerKind {
    /// A program with a token of the settings.
    Program,
    /// A page with a token of the settings.
    Page,
    /// A page of a site whose backend signed for it.
    Site,
    /// A page with a key that a person let in.
    Paired,
    /// A program at the local socket.
    LocalProgram,
    /// What a door of the settings reads for.
    Door,
}

impl CallerKind {
    /// The word for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Program => "program",
            Self::Page => "page",
            Self::Site => "site",
            Self::Paired => "paired",
            Self::LocalProgram => "local-program",
            Self::Door => "door",
        }
    }
}

impl Caller {
    /// A caller with these scopes, of whom nothing else is known.
    pub fn new(id: CallerId, kind: CallerKind, scopes: ScopeSet) -> Self {
        Self {
            label: id.label().into(),
            id,
            kind,
            origin: None,
            scopes,
            profiles: Arc::default(),
            results: Results::default(),
            purpose: None,
            legal_basis: None,
            workstation_id: None,
            process: None,
            stay: None,
            connection: None,
            ends: Ending::default(),
        }
    }

    /// Without which a reading it asks for now waits no longer.
    pub(crate) fn stay_of_reads(&self) -> Option<Stay> {
        let connection = self.connection.as_ref().and_then(OwnConnection::kept_to);
        self.stay.clone().or(connection)
    }

    /// Nothing, if the caller may do this.
    pub(crate) fn require(&self, scope: Scope) -> Result<(), Refusal> {
        if self.scopes.contains(scope) { Ok(()) } else { Err(missing(scope)) }
    }

    /// The same for what it may ask chips for.
    pub(crate) fn require_for(&self, kind: Biometric) -> Result<(), Refusal> {
        self.require(match kind {
            Biometric::Fingerprints => Scope::Fingerprints,
            Biometric::Irises => Scope::Irises,
        })
    }

    /// Which scans it may have.
    pub(crate) fn reach(&self) -> ScanReach {
        if self.scopes.contains(Scope::Scan) { ScanReach::Scanners } else { ScanReach::Own }
    }

    /// The fields of a record it may have.
    pub(crate) fn fields(&self) -> FieldSet {
        FieldSet::ALL.iter().filter(|field| self.scopes.contains(scope_of(*field))).collect()
    }
}

/// The scope that a field takes.
pub(crate) fn scope_of(field: RecordField) -> Scope {
    match field {
        RecordField::Number | RecordField::Name | RecordField::Birth => Scope::ReadId,
        RecordField::Father | RecordField::Mother | RecordField::UnplacedParent | RecordField::Spouse => {
            Scope::ReadFamily
        }
        _ => Scope::ReadFull,
    }
}

/// The refusal of who lacks this scope.
pub(crate) fn missing(scope: Scope) -> Refusal {
    Refusal::from(Fault::ScopeMissing).because(format!("it takes the scope {scope}"))
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        let known = parts.extensions.get::<Self>().cloned();
        known.ok_or_else(|| Refusal::from(Fault::TokenMissing).into_response())
    }
}

/// When a caller is nobody any more: at a moment, when somebody says so, both, or never. What streams to it ends then.
#[derive(Debug, Clone, Default)]
pub struct Ending {
    at: Option<Instant>,
    called: Option<watch::Receiver<bool>>,
}

impl Ending {
    /// The same, and at this moment.
    #[must_use]
    pub fn at(self, moment: Instant) -> Self {
        Self { at: Some(moment), ..self }
    }

    /// The same, and once this is true, or its sender has gone.
    #[must_use]
    pub fn when(self, called: watch::Receiver<bool>) -> Self {
        Self { called: Some(called), ..self }
    }

    /// Whether there is none.
    pub(crate) fn is_never(&self) -> bool {
        self.at.is_none() && self.called.is_none()
    }

    /// As much of `time` as there is until its moment.
    pub(crate) fn at_most(&self, time: Duration) -> Duration {
        self.at.map_or(time, |moment| time.min(moment.saturating_duration_since(Instant::now())))
    }

    /// Returns once it has come.
    pub async fn come(self) {
        let at = async {
            match self.at {
                Some(moment) => tokio::time::sleep_until(moment).await,
                None => std::future::pending().await,
            }
        };
        let called = Self { at: None, called: self.called }.called();
        tokio::select! {
            () = at => {}
            () = called => {}
        }
    }

    /// Returns once somebody has said so. What is being answered when a time is over is answered all the same.
    pub(crate) async fn called(self) {
        match self.called {
            Some(mut called) => drop(called.wait_for(|called| *called).await),
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields_of(scopes: &[Scope]) -> FieldSet {
        let scopes = scopes.iter().copied().collect();
        Caller::new(CallerId::new("x"), CallerKind::Program, scopes).fields()
    }

    #[test]
    fn scopes_go_down_to_fields() {
        assert!(fields_of(&[Scope::Readers, Scope::Photo]).is_empty());
        let id = fields_of(&[Scope::ReadId]);
        assert_eq!(id.iter().count(), 3);
        let full = fields_of(&[Scope::ReadFull]);
        assert!(full.contains(RecordField::Number) && full.contains(RecordField::Residence));
        assert!(!full.contains(RecordField::Mother) && !full.contains(RecordField::Spouse));
        let family = fields_of(&[Scope::ReadFamily]);
        assert_eq!(family.iter().count(), 4);
        assert_eq!(fields_of(&[Scope::ReadFull, Scope::ReadFamily]), FieldSet::ALL);
    }

    #[tokio::test(start_paused = true)]
    async fn an_ending_comes_by_time_or_by_word() {
        let far = Instant::now() + std::time::Duration::from_secs(3600);
        Ending::default().at(far).come().await;
        assert!(Instant::now() >= far);
        let word = watch::Sender::new(false);
        let waiting = tokio::spawn(Ending::default().when(word.subscribe()).come());
        word.send_replace(true);
        waiting.await.unwrap();
    }
}
