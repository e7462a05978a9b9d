//! Registers, for whoever looks after them: counted, a roster put in, a list taken away.
//!
//! A list names persons. It takes a scope that nobody has unless it is named, who took it is in the audit chain before it
//! leaves, and neither an address nor the name of the file says anything of what is in it.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use cccd_engine::ReadFailure;
use cccd_profiles::Scope;
use cccd_store::{EntryKind, Scribe};
use http::{HeaderValue, header};

use crate::api::Desk;
use crate::audit;
use crate::callers::Caller;
use crate::extract::{JsonBody, RegisterName, RosterFile};
use crate::problems::Fault;
use crate::refusal::Refusal;
use crate::registers::{ExportFormat, NoList, Registers, register_id};
use crate::wire::{ExportRequestJson, RegisterJson, RegistersJson, RosterJson};

/// The registers, and how many are expected and in: nobody by name. It needs the scope `registers`.
#[utoipa::path(
    get,
    path = "/v1/registers",
    tag = "registers",
    responses((status = 200, description = "The registers.", body = RegistersJson)),
)]
pub(crate) async fn list_registers(
    State(desk): State<Desk>,
    caller: Caller,
) -> Result<Json<RegistersJson>, Refusal> {
    caller.require(Scope::Registers)?;
    let registers = on_the_disk(&desk, |registers| {
        let looked = |name: String| {
            let view = registers.look(&name)?;
            Ok(RegisterJson::new(&name, view))
        };
        registers.names().into_iter().map(looked).collect::<Result<Vec<_>, NoList>>()
    });
    Ok(Json(RegistersJson { registers: registers.await? }))
}

/// Puts a roster in place of the one before: who is expected from now on. It needs the scope `registers.load`.
///
/// The body is CSV in UTF-8 or XLSX, of 8 MB at most; its columns are found by their names. A file that cannot be used
/// leaves the roster that was there, and the answer names the row. The roster is written to the file that the settings
/// name for the register.
#[utoipa::path(
    post,
    path = "/v1/registers/{id}/roster",
    tag = "registers",
    params(("id" = String, Path, description = "The register.", pattern = "^[0-9a-f]{16}$")),
    request_body(description = "The roster.", content(
        (String = "text/csv"),
        (String = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    )),
    responses((status = 200, description = "It counts from now on.", body = RosterJson)),
)]
pub(crate) async fn load_roster(
    State(desk): State<Desk>,
    caller: Caller,
    RegisterName(id): RegisterName,
    body: axum::extract::Request,
) -> Result<Json<RosterJson>, Refusal> {
    // Before anything of it is taken in.
    caller.require(Scope::RegistersLoad)?;
    let scribe = scribe(&desk)?;
    let RosterFile(file, _turn) = RosterFile::of(body, &desk).await?;
    let roster = on_the_disk(&desk, move |registers| {
        let name = named(registers, &id)?;
        let roster = registers.load_roster(&name, &file)?;
        let entry = audit::of_register(EntryKind::RosterLoaded, &caller, &name);
        audit::note_register(&scribe, entry.with("rows", roster.candidates.to_string()));
        Ok(roster)
    });
    roster.await.map(|roster| Json(RosterJson::from(roster)))
}

/// Takes a list of persons away, as a file: who has come, the attendance of a session, the passengers of a trip. It needs
/// the scope `registers.export`, which nobody has unless it is named.
///
/// Who took which list, and when, is in the audit chain before the first byte leaves.
#[utoipa::path(
    post,
    path = "/v1/registers/{id}/exports",
    tag = "registers",
    params(("id" = String, Path, description = "The register.", pattern = "^[0-9a-f]{16}$")),
    request_body = ExportRequestJson,
    responses((status = 200, description = "The list.", headers(
        ("Content-Disposition" = String, description = "A download, under a name that says nothing."),
    ), content(
        (String = "text/csv"),
        (String = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ))),
)]
pub(crate) async fn export_register(
    State(desk): State<Desk>,
    caller: Caller,
    RegisterName(id): RegisterName,
    JsonBody(body): JsonBody<ExportRequestJson>,
) -> Result<Response, Refusal> {
    caller.require(Scope::RegistersExport)?;
    let scribe = scribe(&desk)?;
    let wish = body.understood().map_err(|why| Refusal::from(Fault::BodyInvalid).because(why))?;
    let format = wish.format;
    let exported = on_the_disk(&desk, move |registers| {
        let name = named(registers, &id)?;
        let exported = registers.export(&name, &wish)?;
        let entry = audit::of_register(EntryKind::RegisterExported, &caller, &name);
        let entry = entry.with("list", wish.list.as_str()).with("format", wish.format.as_str());
        audit::note_register(&scribe, entry.with("rows", exported.rows.to_string()));
        Ok(exported)
    })
    .await?;
    let (media_type, disposition) = match format {
        ExportFormat::Csv => ("text/csv; charset=utf-8", "attachment; filename=\"register.csv\""),
        ExportFormat::Xlsx => (XLSX, "attachment; filename=\"register.xlsx\""),
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static(disposition)),
    ];
    Ok((headers, Bytes::from_owner(exported.file)).into_response())
}

const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// Nothing of a register is changed or taken away that nobody could find out about.
fn scribe(desk: &Desk) -> Result<Scribe, Refusal> {
    desk.scribe.clone().ok_or_else(|| Fault::RegisterUnavailable.into())
}

/// The name of the register of this id.
fn named(registers: &dyn Registers, id: &str) -> Result<String, NoList> {
    registers.names().into_iter().find(|name| register_id(name) == id).ok_or(NoList::Unknown)
}

/// Asks the registers, which takes the time of the disk.
async fn on_the_disk<T: Send + 'static>(
    desk: &Desk,
    ask: impl FnOnce(&dyn Registers) -> Result<T, NoList> + Send + 'static,
) -> Result<T, Refusal> {
    let registers = Arc::clone(&desk.registers);
    let asked = tokio::task::spawn_blocking(move || ask(registers.as_ref())).await;
    asked.map_err(|_| Refusal::from(ReadFailure::AgentFault))?.map_err(Refusal::from)
}

impl From<NoList> for Refusal {
    fn from(why: NoList) -> Self {
        match why {
            NoList::Unknown => Fault::RegisterNotFound.into(),
            NoList::Unusable(why) => Self::from(Fault::RosterInvalid).because(why),
            NoList::Impossible(why) => Self::from(Fault::ExportImpossible).because(why),
            NoList::Unavailable => Fault::RegisterUnavailable.into(),
        }
    }
}
