//! Whether it lives, whether it is ready, what it can do.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};

use crate::api::Desk;
use crate::problems::Fault;
use crate::refusal::Refusal;
use crate::wire::{AgentJson, HealthJson};
use crate::{asyncapi, openapi};

/// Raised only where something that worked before would not any more.
const API_LEVEL: u16 = 1;
/// What this API can do, for callers that meet several versions of it.
const FEATURES: [&str; 6] =
    ["prefer-wait", "events", "events-resume", "portrait-png", "problems-vi", "scans"];

/// Whether the program runs.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "agent",
    responses((status = 200, description = "It runs.", body = HealthJson)),
)]
pub(crate) async fn healthz() -> Json<HealthJson> {
    Json(HealthJson { status: "ok" })
}

/// Whether every kind of reader can be seen. Says nothing about which readers there are.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "agent",
    responses((status = 200, description = "It is ready.", body = HealthJson)),
)]
pub(crate) async fn readyz(State(desk): State<Desk>) -> Result<Json<HealthJson>, Refusal> {
    if desk.engine.ready().await? {
        Ok(Json(HealthJson { status: "ready" }))
    } else {
        Err(Fault::AgentNotReady.into())
    }
}

/// Versions and features.
#[utoipa::path(
    get,
    path = "/v1",
    tag = "agent",
    responses((status = 200, description = "What this agent is.", body = AgentJson)),
)]
pub(crate) async fn about(State(desk): State<Desk>) -> Json<AgentJson> {
    Json(AgentJson {
        name: "cccd-agent",
        version: desk.facts.version.clone(),
        api_version: "v1",
        api_level: API_LEVEL,
        features: FEATURES.into_iter().chain(desk.facts.features.iter().copied()).collect(),
    })
}

/// This description.
#[utoipa::path(
    get,
    path = "/v1/openapi.json",
    tag = "agent",
    responses((status = 200, description = "This description.", body = serde_json::Value)),
)]
pub(crate) async fn openapi_document() -> Response {
    let mut response = openapi::openapi_json().into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The description of the events.
#[utoipa::path(
    get,
    path = "/v1/asyncapi.json",
    tag = "agent",
    responses((status = 200, description = "The description of the events.", body = serde_json::Value)),
)]
pub(crate) async fn asyncapi_document() -> Response {
    let headers = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    (headers, asyncapi::asyncapi_json()).into_response()
}
