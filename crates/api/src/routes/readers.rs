//! The readers that stand there.

use axum::Json;
use axum::extract::State;
use cccd_profiles::Scope;

use crate::api::Desk;
use crate::callers::Caller;
use crate::refusal::Refusal;
use crate::wire::{ReaderJson, ReadersJson};

/// The readers that stand there, and whether a card lies on them.
#[utoipa::path(
    get,
    path = "/v1/readers",
    tag = "readers",
    responses((status = 200, description = "The readers, by id.", body = ReadersJson)),
)]
pub(crate) async fn list_readers(
    State(desk): State<Desk>,
    caller: Caller,
) -> Result<Json<ReadersJson>, Refusal> {
    caller.require(Scope::Readers)?;
    let readers = desk.engine.readers().await?;
    Ok(Json(ReadersJson { readers: readers.into_iter().map(ReaderJson::from).collect() }))
}
