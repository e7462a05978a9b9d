//! The door of whoever looks after this machine: a socket of its own, never a port.
//!
//! What is here is nowhere else: codes of pairings, grants, counters. Who may open the socket is decided by whoever
//! listens on it; there is no token.

use std::time::Instant;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use axum::{Json, Router};
use cccd_engine::ReadFailure;
use cccd_profiles::Scope;
use cccd_store::Scribe;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::api::{Deliveries, Desk};
use crate::metrics::{Now, OPEN_METRICS};
use crate::pairing::{PairingId, Waiting};
use crate::problems::Fault;
use crate::refusal::Refusal;
use crate::wire::{GrantJson, rfc3339};

/// The paths of this door.
pub(crate) fn router(desk: Desk) -> Router {
    Router::new()
        .route("/status", get(status))
        .route("/metrics", get(metrics))
        .route("/pairings", get(pairings))
        .route("/pairings/{id}", delete(refuse_pairing))
        .route("/grants", get(grants))
        .route("/grants/{id}", delete(revoke_grant))
        .method_not_allowed_fallback(|| async { Refusal::from(Fault::MethodNotAllowed) })
        .fallback(|| async { Refusal::from(Fault::NotFound) })
        .with_state(desk)
}

#[derive(Serialize)]
struct StatusJson {
    version: String,
    ready: bool,
    readers: Vec<StatusReaderJson>,
    grants: usize,
    pairings_waiting: usize,
    pairing: bool,
    /// What other systems have not got yet; null where nothing is delivered.
    outbox: Option<OutboxJson>,
    /// The audit chain; null where none is kept.
    audit: Option<AuditJson>,
}

#[derive(Serialize)]
struct OutboxJson {
    waiting: u64,
    dead: u64,
    oldest_waiting_at: Option<String>,
}

#[derive(Serialize)]
struct AuditJson {
    /// Whether it outlives the program.
    is_durable: bool,
    /// How many entries it has; null where that cannot be told.
    entries: Option<u64>,
    /// Files of the store that could not be used when the agent started.
    moved_aside: Vec<&'static str>,
}

#[derive(Serialize)]
struct StatusReaderJson {
    name: String,
    has_card: bool,
    is_reading: bool,
    held_by: Option<String>,
}

async fn status(State(desk): State<Desk>) -> Result<Json<StatusJson>, Refusal> {
    let readers = desk.engine.readers().await?;
    let now = now(&desk, &readers);
    // Both ask the disk.
    let (deliveries, scribe) = (desk.deliveries.clone(), desk.scribe.clone());
    let kept = tokio::task::spawn_blocking(move || (outbox(&*deliveries), scribe.as_ref().map(audit))).await;
    let (outbox, audit) = kept.unwrap_or_default();
    Ok(Json(StatusJson {
        version: desk.facts.version.clone(),
        ready: desk.engine.ready().await?,
        readers: readers
            .into_iter()
            .map(|reader| StatusReaderJson {
                name: reader.info.name,
                has_card: reader.has_card,
                is_reading: reader.is_reading,
                held_by: reader.held_by.map(|caller| caller.as_str().to_owned()),
            })
            .collect(),
        grants: now.grants,
        pairings_waiting: now.pairings,
        pairing: desk.access.pairing.pages != cccd_profiles::PairingPages::Nobody,
        outbox,
        audit,
    }))
}

fn outbox(deliveries: &dyn Deliveries) -> Option<OutboxJson> {
    let on_the_way = deliveries.on_the_way()?;
    Some(OutboxJson {
        waiting: on_the_way.waiting,
        dead: on_the_way.dead,
        oldest_waiting_at: on_the_way.oldest_waiting.map(rfc3339),
    })
}

fn audit(scribe: &Scribe) -> AuditJson {
    let store = scribe.store();
    AuditJson {
        is_durable: store.is_durable(),
        entries: store.audit().last().ok(),
        moved_aside: store.notices().iter().map(|notice| notice.file).collect(),
    }
}

fn now(desk: &Desk, readers: &[cccd_engine::ReaderView]) -> Now {
    let moment = (desk.access.clock)();
    Now {
        readers: readers.len(),
        cards: readers.iter().filter(|reader| reader.has_card).count(),
        grants: desk.access.grants.all().iter().filter(|grant| grant.expires > moment).count(),
        pairings: desk.pairings.waiting(Instant::now()).len(),
    }
}

async fn metrics(State(desk): State<Desk>) -> Result<Response, Refusal> {
    let readers = desk.engine.readers().await?;
    let text = desk.metrics.text(now(&desk, &readers));
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static(OPEN_METRICS))], text).into_response())
}

#[derive(Serialize)]
struct WaitingJson {
    pairing_id: String,
    origin: String,
    label: String,
    scopes: Vec<&'static str>,
    profiles: Vec<String>,
    code: String,
    tries_left: u8,
    expires_in_s: u64,
}

impl WaitingJson {
    fn new(waiting: &Waiting, now: Instant) -> Self {
        Self {
            pairing_id: waiting.id.to_string(),
            origin: waiting.asked.origin.to_string(),
            label: waiting.asked.label.clone(),
            scopes: waiting.asked.scopes.iter().map(Scope::as_str).collect(),
            profiles: waiting.asked.profiles.clone(),
            code: waiting.code.to_string(),
            tries_left: waiting.tries_left,
            expires_in_s: waiting.until.saturating_duration_since(now).as_secs(),
        }
    }
}

async fn pairings(State(desk): State<Desk>) -> Json<serde_json::Value> {
    let now = Instant::now();
    let waiting: Vec<WaitingJson> =
        desk.pairings.waiting(now).iter().map(|waiting| WaitingJson::new(waiting, now)).collect();
    Json(serde_json::json!({ "pairings": waiting }))
}

async fn refuse_pairing(State(desk): State<Desk>, Path(id): Path<String>) -> Result<StatusCode, Refusal> {
    let refused = PairingId::parse(&id).is_some_and(|id| desk.pairings.refuse(id, Instant::now()));
    if refused { Ok(StatusCode::NO_CONTENT) } else { Err(Fault::PairingNotFound.into()) }
}

async fn grants(State(desk): State<Desk>) -> Json<serde_json::Value> {
    let grants: Vec<GrantJson> = desk.access.grants.all().iter().map(GrantJson::from).collect();
    Json(serde_json::json!({ "grants": grants }))
}

async fn revoke_grant(State(desk): State<Desk>, Path(id): Path<String>) -> Result<StatusCode, Refusal> {
    match desk.pages.take_back(&desk.access, &id) {
        Ok(Some(taken_back)) => {
            taken_back.end(desk.engine.clone()).await;
            Ok(StatusCode::NO_CONTENT)
        }
        Ok(None) => Err(Fault::NotFound.into()),
        Err(_) => Err(ReadFailure::AgentFault.into()),
    }
}
