//! A paired page and its own grant.

use axum::Json;
use axum::extract::State;
use cccd_engine::ReadFailure;
use http::StatusCode;

use crate::api::Desk;
use crate::callers::{Caller, own_grant};
use crate::problems::Fault;
use crate::refusal::Refusal;
use crate::wire::GrantJson;

/// What this page was let in for.
#[utoipa::path(
    get,
    path = "/v1/grants/self",
    tag = "pairing",
    responses((status = 200, description = "The grant.", body = GrantJson)),
)]
pub(crate) async fn show_grant(State(desk): State<Desk>, caller: Caller) -> Result<Json<GrantJson>, Refusal> {
    own_grant(&desk.access, &caller).map(|grant| Json(GrantJson::from(&grant)))
}

/// Gives the grant back: the page is nobody from then on, and nothing of it goes on.
#[utoipa::path(
    delete,
    path = "/v1/grants/self",
    tag = "pairing",
    responses((status = 204, description = "It is gone.")),
)]
pub(crate) async fn give_grant_back(State(desk): State<Desk>, caller: Caller) -> Result<StatusCode, Refusal> {
    let grant = own_grant(&desk.access, &caller)?;
    match desk.pages.take_back(&desk.access, &grant.id) {
        Ok(Some(taken_back)) => {
            // On its own: this answer ends with it.
            tokio::spawn(taken_back.end(desk.engine.clone()));
            Ok(StatusCode::NO_CONTENT)
        }
        Ok(None) => Err(Fault::PairingRequired.into()),
        Err(_) => Err(ReadFailure::AgentFault.into()),
    }
}
