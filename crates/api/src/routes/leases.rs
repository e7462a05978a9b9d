//! Readers kept for one caller: taken, kept by asking again, given back.

use axum::Json;
use axum::extract::State;
use cccd_card::ScannerId;
use cccd_document::{FieldSet, FileId};
use cccd_engine::{AutoRead, LEASE_SECONDS, LeaseTerms, NoLease, ReadFailure, Stay};
use cccd_profiles::Scope;
use http::StatusCode;

use super::profiled::{self, ProfileWish};
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
/// over at once with the session or grant it was asked for in, and with the connection where `while_connected` says so.
///
/// With `auto_read` the kiosk need not ask for each reading: a code that is scanned and a card that is laid on the reader
/// make one, whichever comes first. Its `read.queued` names the scan and the reader; the result is fetched as any other.
/// Each request says it anew: one without `auto_read` keeps the reader and reads nothing by itself. With the lease ends
/// what began by itself and is not over. With `auto_read.profile` each card is handled by that consumer profile, delivered
/// and entered as a reading asked for would be; what of it talks to its card is finished also when the lease has ended.
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
    let stay = stay(&caller, body.while_connected)?;
    let auto_read = match body.auto_read {
        Some(asked) => Some(understand(&desk, &caller, asked).await?),
        None => None,
    };
    let terms = LeaseTerms { time: caller.ends.at_most(time), auto_read, stay };
    let lease = desk.engine.lease(caller.id, reader, terms).await??;
    Ok(Json(LeaseJson::from(&lease)))
}

/// Without which the lease is over at once.
fn stay(caller: &Caller, while_connected: bool) -> Result<Option<Stay>, Refusal> {
    match (while_connected, &caller.connection) {
        (false, _) => Ok(caller.stay.clone()),
        (true, Some(connection)) => Ok(Some(connection.keep_to())),
        (true, None) => Err(Refusal::from(Fault::BodyInvalid)
            .because("while_connected: for programs at the local socket, whose connection is their own")),
    }
}

/// What is to be read by itself, as far as the caller may have it.
async fn understand(desk: &Desk, caller: &Caller, asked: AutoReadJson) -> Result<AutoRead, Refusal> {
    let wish = ProfileWish {
        profile: asked.profile.as_deref(),
        insurance: None,
        register: asked.register.as_ref(),
        chooses: asked.fields.is_some() || asked.portrait.is_some(),
    };
    let granted = profiled::granted(desk, caller, wish).await?;
    let (fields, groups, errand) = match &granted {
        Some((ready, _)) => {
            (FieldSet::NONE, ready.profile.groups(), audit::errand_under(caller, &ready.profile))
        }
        None => {
            may_read(caller)?;
            let fields = fields(caller, asked.fields.as_deref())?;
            let mut groups = fields.groups();
            groups.extend(portrait(caller, asked.portrait)?.then_some(FileId::DG2));
            (fields, groups, audit::errand(caller))
        }
    };
    Ok(AutoRead {
        under: granted.map(|(_, under)| under),
        scanner: asked.scanner.map(|name| scanner_named(caller, &name)).transpose()?,
        reach: caller.reach(),
        groups,
        fields,
        biometrics: allowed(caller, &asked.biometrics)?,
        errand,
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
            NoLease::HolderGone => Fault::SessionExpired.into(),
            NoLease::Held { by } => Self::from(ReadFailure::ReaderBusy).held_by(by),
        }
    }
}
