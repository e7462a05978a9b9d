//! The API as a value: what it stands on, and its paths.

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use cccd_consumers::ReadyProfile;
use cccd_engine::{CallerId, EngineHandle};
use cccd_evidence::AgentKey;
use cccd_store::Scribe;
use time::OffsetDateTime;
use tokio::sync::{Semaphore, watch};

use crate::admin;
use crate::audit;
use crate::callers::{self, Access, Hosts, Limits, Pages, Scheme, Sessions};
use crate::metrics::Metrics;
use crate::openapi::{self, Routes};
use crate::pairing::Pairings;
use crate::problems::Fault;
use crate::refusal::Refusal;
use crate::registers::{NoRegisters, Registers};
use crate::trace;

/// How many pictures are decoded at once, for all callers.
const PICTURES_AT_ONCE: usize = 2;

/// What the API tells of the program around it.
#[derive(Debug, Clone)]
pub struct AgentFacts {
    /// The program's version.
    pub version: String,
    /// Features beyond those of the API itself, such as `simulator`.
    pub features: Vec<&'static str>,
}

/// Where consumer profiles are had from, as they are at the moment.
pub trait ProfileSource: Send + Sync {
    /// The profile of this name.
    fn find(&self, name: &str) -> Option<Arc<ReadyProfile>>;
}

/// Where results are put that other systems are to get.
pub trait Deliveries: Send + Sync {
    /// Whether there is a target of this name.
    fn has(&self, target: &str) -> bool;

    /// Keeps a result for a target until it has arrived; the same key again changes nothing. Blocks for as long as the
    /// disk takes.
    fn put(&self, target: &str, key: &str, body: &[u8]) -> Result<(), NotKept>;

    /// What is on its way; `None` where it cannot be told. Blocks for as long as the disk takes.
    fn on_the_way(&self) -> Option<OnTheWay>;
}

/// How many results have not arrived yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnTheWay {
    /// Those that are tried again.
    pub waiting: u64,
    /// Those that are not.
    pub dead: u64,
    /// Since when the oldest of the first waits.
    pub oldest_waiting: Option<OffsetDateTime>,
}

/// A result could not be kept for delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotKept;

/// There are no targets.
struct NoDeliveries;

impl Deliveries for NoDeliveries {
    fn has(&self, _: &str) -> bool {
        false
    }

    fn put(&self, _: &str, _: &str, _: &[u8]) -> Result<(), NotKept> {
        Err(NotKept)
    }

    fn on_the_way(&self) -> Option<OnTheWay> {
        None
    }
}

/// There are none.
struct NoProfiles;

impl ProfileSource for NoProfiles {
    fn find(&self, _: &str) -> Option<Arc<ReadyProfile>> {
        None
    }
}

/// The local API over an engine.
#[derive(Clone)]
pub struct Api {
    engine: EngineHandle,
    access: Arc<Access>,
    sessions: Arc<Sessions>,
    limits: Arc<Limits>,
    pairings: Arc<Pairings>,
    pages: Arc<Pages>,
    metrics: Arc<Metrics>,
    pictures: Arc<Semaphore>,
    facts: AgentFacts,
    evidence_key: Option<Arc<AgentKey>>,
    scribe: Option<Scribe>,
    profiles: Arc<dyn ProfileSource>,
    deliveries: Arc<dyn Deliveries>,
    registers: Arc<dyn Registers>,
}

/// What every handler shares.
#[derive(Clone)]
pub(crate) struct Desk(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) engine: EngineHandle,
    pub(crate) access: Arc<Access>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) pairings: Arc<Pairings>,
    pub(crate) pages: Arc<Pages>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) hosts: Hosts,
    pub(crate) facts: AgentFacts,
    pub(crate) evidence_key: Option<Arc<AgentKey>>,
    /// What outlives a restart, and who writes the audit chain.
    pub(crate) scribe: Option<Scribe>,
    pub(crate) profiles: Arc<dyn ProfileSource>,
    pub(crate) deliveries: Arc<dyn Deliveries>,
    pub(crate) registers: Arc<dyn Registers>,
    /// Places in which a picture is taken in and decoded.
    pub(crate) pictures: Arc<Semaphore>,
    closing: watch::Receiver<bool>,
}

impl Shared {
    /// Ends once the server closes, for whatever has no end of its own.
    pub(crate) async fn closed(&self) {
        let mut closing = self.closing.clone();
        if closing.wait_for(|closing| *closing).await.is_err() {
            // Without a server there is nothing to close.
            std::future::pending::<()>().await;
        }
    }
}

impl std::ops::Deref for Desk {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Api {
    /// An API for those whom `access` lets in, and nobody else. All its routers share sessions and limits.
    pub fn new(engine: EngineHandle, access: impl Into<Access>, facts: AgentFacts) -> Self {
        let access = access.into();
        let limits = Arc::new(Limits::new(access.requests_per_second));
        Self {
            engine,
            access: Arc::new(access),
            sessions: Arc::default(),
            limits,
            pairings: Arc::default(),
            pages: Arc::default(),
            metrics: Arc::new(Metrics::new(&facts.version)),
            pictures: Arc::new(Semaphore::new(PICTURES_AT_ONCE)),
            facts,
            evidence_key: None,
            scribe: None,
            profiles: Arc::new(NoProfiles),
            deliveries: Arc::new(NoDeliveries),
            registers: Arc::new(NoRegisters),
        }
    }

    /// The same, signing evidence with this key, whose name is this agent's id. Without one there is no evidence to be
    /// had, and no site can sign for this agent.
    pub fn signing_with(self, key: Arc<AgentKey>) -> Self {
        Self { evidence_key: Some(key), ..self }
    }

    /// The same, entering refusals in an audit chain and keeping idempotency keys. Without it there is no chain, and
    /// such keys are refused.
    pub fn keeping(self, scribe: Scribe) -> Self {
        Self { scribe: Some(scribe), ..self }
    }

    /// The same, reading under these profiles. Without any, nobody can.
    pub fn reading_under(self, profiles: Arc<dyn ProfileSource>) -> Self {
        Self { profiles, ..self }
    }

    /// The same, delivering what profiles say to these targets.
    pub fn delivering(self, deliveries: Arc<dyn Deliveries>) -> Self {
        Self { deliveries, ..self }
    }

    /// The same, entering people in these registers.
    pub fn entering_in(self, registers: Arc<dyn Registers>) -> Self {
        Self { registers, ..self }
    }

    /// The paths, for a server that listens on `port`: a request that names another host is refused.
    pub fn router(&self, port: u16) -> Router {
        // Nobody closes a router on its own.
        self.closing_router(Scheme::Http, port, watch::Sender::new(false).subscribe())
    }

    /// Counts readings for as long as the engine runs: those too that end after this has returned and before what it
    /// returns is run.
    pub(crate) fn count_readings(&self) -> impl Future<Output = ()> + Send + use<> {
        let metrics = Arc::clone(&self.metrics);
        // Of everybody's readings no more is looked at than that they are over.
        let heard = self.engine.subscribe(CallerId::new("metrics"), None);
        async move {
            if let Ok(subscription) = heard.await {
                metrics.count_readings(subscription.coming).await;
            }
        }
    }

    /// The paths of the admin socket: what no port serves. Whoever comes through is taken for an administrator.
    pub fn admin_router(&self) -> Router {
        admin::router(self.desk(Scheme::Http, 0, watch::Sender::new(false).subscribe()))
    }

    /// What handlers share, for a door that closes when it is told. Everything that outlives one request is the same
    /// for all doors.
    pub(crate) fn desk(&self, scheme: Scheme, port: u16, closing: watch::Receiver<bool>) -> Desk {
        Desk(Arc::new(Shared {
            engine: self.engine.clone(),
            access: self.access.clone(),
            sessions: self.sessions.clone(),
            limits: self.limits.clone(),
            pairings: self.pairings.clone(),
            pages: self.pages.clone(),
            metrics: self.metrics.clone(),
            hosts: Hosts::of_port(scheme, port),
            facts: self.facts.clone(),
            evidence_key: self.evidence_key.clone(),
            scribe: self.scribe.clone(),
            pictures: self.pictures.clone(),
            profiles: self.profiles.clone(),
            deliveries: self.deliveries.clone(),
            registers: self.registers.clone(),
            closing,
        }))
    }

    pub(crate) fn closing_router(&self, scheme: Scheme, port: u16, closing: watch::Receiver<bool>) -> Router {
        let desk = self.desk(scheme, port, closing);
        let Routes { open, signed, guarded } = openapi::routes();
        // The wrong method on a guarded path must be refused behind the guard, so it is named before.
        let guarded = Router::from(guarded)
            .method_not_allowed_fallback(wrong_method)
            .layer(from_fn(audit::leave_name))
            .layer(from_fn_with_state(desk.clone(), callers::identify));
        Router::from(open)
            .method_not_allowed_fallback(wrong_method)
            .merge(Router::from(signed).method_not_allowed_fallback(wrong_method))
            .merge(guarded)
            .fallback(nothing_here)
            .layer(from_fn_with_state(desk.clone(), callers::admit))
            .layer(from_fn_with_state(desk.clone(), trace::in_its_trace))
            .with_state(desk)
    }
}

async fn wrong_method() -> Refusal {
    Fault::MethodNotAllowed.into()
}

async fn nothing_here() -> Refusal {
    Fault::NotFound.into()
}
