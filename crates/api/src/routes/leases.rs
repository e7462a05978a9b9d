//! Readers kept for one caller: taken, kept by asking again, given back.

use axum::Json;
use axum::extract::State;
use cccd_engine::{LEASE_SECONDS, NoLease, ReadFailure};
use cccd_profiles::Scope;
use http::StatusCode;

use crate::api::Desk;
use crate::callers::Caller;
use crate::extract::{JsonBody, ReaderName};
use crate::problems::Fault;
use crate::refusal::Refusal;
use crate::wire::{LeaseJson, LeaseRequestJson};

/// Keeps a reader for the caller, or keeps it for longer.
///
/// While the lease runs, nobody else's reading starts on the reader: theirs is refused with 423 and the holder's name.
/// A kiosk asks again well before the lease is over; one that falls silent loses it, and hears `lease.lost`.
#[utoipa::path(
    post,
    path = "/v1/readers/{id}/lease",
    tag = "readers",
    params(("id" = String, Path, description = "The reader.", min_length = 1, max_length = 256)),
    request_body = LeaseRequestJson,
    responses((status = 200, description = "The lease.", body = LeaseJson)),
)]
pub(crate) async fn take_lease(
    State(desk): State<Desk>,
    caller: Caller,
    ReaderName(reader): ReaderName,
    JsonBody(body): JsonBody<LeaseRequestJson>,
) -> Result<Json<LeaseJson>, Refusal> {
    caller.require(Scope::Readers)?;
    let time = body.seconds.duration();
    if !LEASE_SECONDS.contains(&time.as_secs()) {
        return Err(Refusal::from(Fault::BodyInvalid).because("seconds: 5 to 120"));
    }
    let lease = desk.engine.lease(caller.id, reader, time).await??;
    Ok(Json(LeaseJson::from(&lease)))
}

/// Gives a reader back. Giving back what one does not have does no harm.
#[utoipa::path(
    delete,
    path = "/v1/readers/{id}/lease",
    tag = "readers",
    params(("id" = String, Path, description = "The reader.", min_length = 1, max_length = 256)),
    responses((status = 204, description = "The caller has no lease there now.")),
)]
pub(crate) async fn end_lease(
    State(desk): State<Desk>,
    caller: Caller,
    ReaderName(reader): ReaderName,
) -> Result<StatusCode, Refusal> {
    caller.require(Scope::Readers)?;
    desk.engine.end_lease(caller.id, reader).await??;
    Ok(StatusCode::NO_CONTENT)
}

impl From<NoLease> for Refusal {
    fn from(why: NoLease) -> Self {
        match why {
            NoLease::ReaderNotFound => ReadFailure::ReaderNotFound.into(),
            NoLease::Held { by } => Self::from(ReadFailure::ReaderBusy).held_by(by),
        }
    }
}
