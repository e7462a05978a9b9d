//! Sessions of managed sites, and who a caller is.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use cccd_profiles::Scope;
use http::{HeaderMap, StatusCode};

use crate::api::Desk;
use crate::callers::{self, Caller, CallerKind};
use crate::refusal::Refusal;
use crate::wire::{CallerJson, SessionJson, rfc3339};

/// Opens a session for a page of a site whose backend signed for it.
///
/// The token in `Authorization` is the signed one: a JSON Web Token under EdDSA or ES256 with `iss`, `aud`, `origin`,
/// `workstation_id`, `scope`, `purpose`, `jti`, `iat` and `exp`, good for 120 seconds at most and for one session. What
/// the page shows from then on is the session's own token.
#[utoipa::path(
    post,
    path = "/v1/sessions",
    tag = "callers",
    responses((status = 201, description = "The session.", body = SessionJson<'_>)),
)]
pub(crate) async fn open_session(State(desk): State<Desk>, headers: HeaderMap) -> Result<Response, Refusal> {
    let opened = callers::open_session(&desk, &headers)?;
    end_in_time(&desk, &opened.caller);
    let expires = (desk.access.clock)() + opened.lasts;
    tracing::info!(caller = &*opened.caller.label, "session");
    let session = SessionJson {
        token: opened.token.as_str(),
        token_type: "Bearer",
        expires_in: opened.lasts.as_secs(),
        expires_at: rfc3339(expires),
        caller: CallerJson::from(&opened.caller),
    };
    let mut response = (StatusCode::CREATED, Json(session)).into_response();
    response.extensions_mut().insert(opened.caller);
    Ok(response)
}

/// Ends the session whose token is shown, and with it its leases and its readings that have no card yet. For whoever has
/// none it does nothing.
#[utoipa::path(
    delete,
    path = "/v1/sessions/current",
    tag = "callers",
    responses((status = 204, description = "There is no such session now.")),
)]
pub(crate) async fn end_session(
    State(desk): State<Desk>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<StatusCode, Refusal> {
    // First what it left: this answer ends with the session.
    if let Some(stay) = caller.stay.filter(|_| caller.kind == CallerKind::Site) {
        desk.engine.end_stay(stay).await?;
    }
    callers::end_session(&desk, &headers);
    Ok(StatusCode::NO_CONTENT)
}

/// Ends what a session left, however the session ends: its time is over, it was given up, or it made room for another.
fn end_in_time(desk: &Desk, caller: &Caller) {
    let Some(stay) = caller.stay.clone() else { return };
    let (ends, engine) = (caller.ends.clone(), desk.engine.clone());
    tokio::spawn(async move {
        ends.come().await;
        // Where the engine has stopped there is nothing left.
        let _ = engine.end_stay(stay).await;
    });
}

/// Who the caller is, as far as the agent knows, and what it may do.
#[utoipa::path(
    get,
    path = "/v1/caller",
    tag = "callers",
    responses((status = 200, description = "The caller.", body = CallerJson)),
)]
pub(crate) async fn show_caller(caller: Caller) -> Json<CallerJson> {
    Json(CallerJson::from(&caller))
}

impl From<&Caller> for CallerJson {
    fn from(caller: &Caller) -> Self {
        Self {
            kind: caller.kind.into(),
            label: caller.label.to_string(),
            origin: caller.origin.as_deref().map(str::to_owned),
            workstation_id: caller.workstation_id.as_deref().map(str::to_owned),
            purpose: caller.purpose.as_deref().map(str::to_owned),
            legal_basis: caller.legal_basis.as_deref().map(str::to_owned),
            scopes: caller.scopes.iter().map(Scope::as_str).collect(),
            profiles: caller.profiles.to_vec(),
            fields: caller.fields().iter().map(cccd_document::RecordField::code).collect(),
        }
    }
}
