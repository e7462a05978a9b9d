//! Readers kept for one caller: taken, kept by asking again, given back.

use axum::Json;
use axum::extract::State;
use cccd_card::ScannerId;
use cccd_document::FileId;
use cccd_engine::{AutoRead, LEASE_SECONDS, NoLease, ReadFailure};
use cccd_profiles::Scope;
use http::StatusCode;

use super::reads::{allowed, fields, may_read, portrait};
use crate::api::Desk;
use crate::audit;
use crate::callers::Caller;
use crate::extract::{JsonBody, ReaderName};
use crate::problems::Fault;
use crate::refusal::Refusal;
use crate::wire::{AutoReadJson, LeaseJson, LeaseRequestJson};

/// Keeps a reader for the caller, or keeps it for longer.
///
/// While the lease runs, nobody else's reading starts on the reader: theirs is refused with 423 and the holder's name.
/// A kiosk asks again well before the lease is over; one that falls silent loses it, and hears `lease.lost`. A lease is
/// over with the session it was asked for in.
///
/// With `auto_read` the kiosk need not ask for each reading: a code that is scanned and a card that is laid on the reader
/// make one, whichever comes first. Its `read.queued` names the scan and the reader; the result is fetched as any other.
/// Each request says it anew: one without `auto_read` keeps the reader and reads nothing by itself. With the lease ends
/// what began by itself and is not over.
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
    let auto_read = body.auto_read.map(|asked| understand(&caller, asked)).transpose()?;
    let time = caller.ends.at_most(time);
    let lease = desk.engine.lease(caller.id, reader, time, auto_read).await??;
    Ok(Json(LeaseJson::from(&lease)))
}

/// What is to be read by itself, as far as the caller may have it.
fn understand(caller: &Caller, asked: AutoReadJson) -> Result<AutoRead, Refusal> {
    may_read(caller)?;
    let fields = fields(caller, asked.fields.as_deref())?;
    let mut groups = fields.groups();
    groups.extend(portrait(caller, asked.portrait)?.then_some(FileId::DG2));
    Ok(AutoRead {
        scanner: asked.scanner.map(|name| scanner_named(caller, &name)).transpose()?,
        reach: caller.reach(),
        groups,
        fields,
        biometrics: allowed(caller, &asked.biometrics)?,
        errand: audit::errand(caller),
    })
}

/// The scanner of this name, there or not: it may be plugged in later.
fn scanner_named(caller: &Caller, name: &str) -> Result<ScannerId, Refusal> {
    caller.require(Scope::Scan)?;
    let scanner = ScannerId::from_name(name);
    if !name.is_empty() && scanner.as_str() == name {
        Ok(scanner)
    } else {
        Err(Refusal::from(Fault::BodyInvalid).because("auto_read.scanner: no id of a scanner"))
    }
}

/// Gives a reader back, and calls off what began there by itself. Giving back what one does not have does no harm.
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
