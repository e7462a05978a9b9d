//! Readings: asked for, followed, fetched, dismissed.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use cccd_document::{
    AccessPlan, Biometric, Biometrics, Expectation, FieldSet, FileId, MediaType, RecordField,
};
use cccd_engine::{
    CallerId, EngineHandle, Errand, NotHere, Part, ReadFailure, ReadId, ReadRequest, ReadView, Reading,
    Refused, ScanId,
};
use cccd_profiles::{Results, Scope};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::profiled::{self, Concluded, ProfileWish};
use crate::api::Desk;
use crate::audit;
use crate::callers::{Caller, missing, scope_of};
use crate::extract::{BiometricName, HashedJsonBody, ReadName, reader_named};
use crate::idempotency::{RequestKey, Standing};
use crate::preference::{PREFERENCE_APPLIED, Wait, accepts_by_name};
use crate::problems::Fault;
use crate::refusal::Refusal;
use crate::trace::in_this_trace;
use crate::wiped::WipedBuffer;
use crate::wire::{
    Allowed, BiometricJson, ExpectationJson, OpenedBy, PartialJson, ReadJson, ReadRequestJson,
    RecordFieldJson, ResultJson,
};

/// Asks for a reading.
///
/// Answers at once with 202 and the reading's address. With `Prefer: wait=N` it answers with the result, or
/// with the problem the reading ended in, if that comes within N seconds; a caller who hangs up before has
/// called the reading off.
///
/// With an `Idempotency-Key` the same request may be sent again: for 24 hours the same key with the same body is the
/// same reading, and nobody who hangs up calls it off. A key whose reading is gone, as after a restart of the agent,
/// is `idempotency-key-spent`. A request that was refused leaves its key unused.
#[utoipa::path(
    post,
    path = "/v1/reads",
    tag = "reads",
    params(("Prefer" = Option<String>, Header,
        description = "`wait=N`, 1 to 60 seconds: answer with the outcome if it comes in time.",
        example = "wait=20"),
        ("Idempotency-Key" = Option<String>, Header,
        description = "1 to 255 printable ASCII characters, new for each new request.",
        pattern = "^[ -~]{1,255}$", example = "0d4f6a1b-9c8e-47d2-a35b-60718293a4b5")),
    request_body = ReadRequestJson,
    responses(
        (status = 200, description = "The result, where it came in time.", body = ResultJson<'_>, headers(
            ("Location" = String, description = "The reading."),
            ("Content-Location" = String, description = "The result."),
            ("Preference-Applied" = String, description = "The wait that was kept to."),
        )),
        (status = 202, description = "Accepted.", body = ReadJson, headers(
            ("Location" = String, description = "The reading."),
            ("Preference-Applied" = Option<String>, description = "The wait that was kept to."),
        )),
    ),
)]
pub(crate) async fn create_read(
    State(desk): State<Desk>,
    caller: Caller,
    headers: HeaderMap,
    HashedJsonBody(body, sha256): HashedJsonBody<ReadRequestJson>,
) -> Result<Response, Refusal> {
    let wait = Wait::of(&headers);
    if let Some(key) = RequestKey::of(desk.scribe.as_ref(), &caller.id, &headers, &sha256)? {
        let view = keyed_read(&desk, &caller, body, key).await?;
        let mut response = answer(&desk, &caller, &view, wait).await?;
        response.headers_mut().insert(header::LOCATION, address(view.id, ""));
        return Ok(response);
    }
    let (request, errand) = understand(&desk, &caller, body).await?;
    let mut unheard = Unheard::submit(&desk.engine, caller.id.clone(), request, errand);
    let view = unheard.accepted().await?;
    let mut response = answer(&desk, &caller, &view, wait).await?;
    unheard.heard();
    response.headers_mut().insert(header::LOCATION, address(view.id, ""));
    Ok(response)
}

/// The reading of a request with a key: the one it was accepted as, or a new one.
async fn keyed_read(
    desk: &Desk,
    caller: &Caller,
    body: ReadRequestJson,
    key: RequestKey,
) -> Result<ReadView, Refusal> {
    match key.claim().await? {
        Standing::Again(read) => {
            let watched = desk.engine.watch(caller.id.clone(), read).await?;
            // The engine remembers its name for a while only.
            let watched = watched.map_err(|_| Refusal::from(Fault::IdempotencyKeySpent).about(read))?;
            Ok(watched.borrow().clone())
        }
        Standing::First => {
            // In a task of its own: whoever hangs up now comes back with the key, and must find what came of it.
            let (desk, caller) = (desk.clone(), caller.clone());
            let accepted = in_this_trace(async move {
                let accepted = accept(&desk, &caller, body).await;
                match &accepted {
                    Ok(view) => key.settle(view.id).await?,
                    Err(_) => key.release().await,
                }
                accepted
            });
            tokio::spawn(accepted).await.map_err(|_| Refusal::from(ReadFailure::AgentFault))?
        }
    }
}

async fn accept(desk: &Desk, caller: &Caller, body: ReadRequestJson) -> Result<ReadView, Refusal> {
    let (request, errand) = understand(desk, caller, body).await?;
    Ok(desk.engine.submit_for(request, errand).await??)
}

/// The reading as it was accepted, or its outcome where it is waited for.
async fn answer(
    desk: &Desk,
    caller: &Caller,
    view: &ReadView,
    wait: Option<Wait>,
) -> Result<Response, Refusal> {
    match wait {
        None => Ok(accepted(view)),
        Some(wait) => {
            let mut response = outcome_within(desk, caller, view.id, wait).await?;
            response.headers_mut().insert(PREFERENCE_APPLIED, wait.applied());
            Ok(response)
        }
    }
}

/// The biometrics that are asked for, each of which the caller must have the scope of.
pub(super) fn allowed(caller: &Caller, asked: &[BiometricJson]) -> Result<Biometrics, Refusal> {
    let asked: Biometrics = asked.iter().copied().map(Biometric::from).collect();
    for kind in asked.iter() {
        caller.require_for(kind)?;
    }
    Ok(asked)
}

/// The fields that are wanted, each of which the caller may have.
pub(super) fn fields(caller: &Caller, asked: Option<&[RecordFieldJson]>) -> Result<FieldSet, Refusal> {
    let allowed = caller.fields();
    let Some(asked) = asked else { return Ok(allowed) };
    let asked: FieldSet = asked.iter().map(|field| field.0).collect();
    match asked.iter().find(|field| !allowed.contains(*field)) {
        Some(field) => Err(missing(scope_of(field))),
        None => Ok(asked),
    }
}

/// Whether the face is wanted, which the caller must be allowed to have.
pub(super) fn portrait(caller: &Caller, asked: Option<bool>) -> Result<bool, Refusal> {
    match asked {
        Some(true) => caller.require(Scope::Photo).map(|()| true),
        Some(false) => Ok(false),
        None => Ok(caller.scopes.contains(Scope::Photo)),
    }
}

/// What an expectation is held against, whether or not it is handed out. To be told whether it fits tells something
/// of the person, too.
fn expected(caller: &Caller, expect: Option<&Expectation>) -> Result<FieldSet, Refusal> {
    let Some(expect) = expect else { return Ok(FieldSet::NONE) };
    caller.require(Scope::ReadId)?;
    let fields = [
        (RecordField::Number, expect.number.is_some()),
        (RecordField::Name, expect.name.is_some()),
        (RecordField::Birth, expect.birth.is_some()),
    ];
    Ok(fields.into_iter().filter(|(_, expected)| *expected).map(|(field, _)| field).collect())
}

/// Whoever may have nothing of a card has no business with one.
pub(super) fn may_read(caller: &Caller) -> Result<(), Refusal> {
    let anything = !caller.fields().is_empty() || caller.scopes.contains(Scope::Photo);
    if anything { Ok(()) } else { Err(missing(Scope::ReadId)) }
}

/// What is to be read, and on whose behalf.
async fn understand(
    desk: &Desk,
    caller: &Caller,
    body: ReadRequestJson,
) -> Result<(ReadRequest, Errand), Refusal> {
    let wish = ProfileWish {
        profile: body.profile.as_deref(),
        insurance: body.insurance.as_ref(),
        register: body.register.as_ref(),
        chooses: body.fields.is_some() || body.portrait.is_some(),
    };
    let granted = profiled::granted(desk, caller, wish).await?;
    let (ready, under) = granted.map_or((None, None), |(ready, under)| (Some(ready), Some(under)));
    let biometrics = allowed(caller, &body.biometrics)?;
    let (fields, mut groups) = match &ready {
        // Of the record itself nothing is for the caller: the profile gives what it names.
        Some(ready) => (FieldSet::NONE, ready.profile.groups()),
        None => {
            may_read(caller)?;
            let fields = fields(caller, body.fields.as_deref())?;
            let mut groups = fields.groups();
            groups.extend(portrait(caller, body.portrait)?.then_some(FileId::DG2));
            (fields, groups)
        }
    };
    let access = body.access.ok_or(Fault::AccessKeyMissing)?;
    let expect = body.expect.map(ExpectationJson::understood).transpose();
    let expect = expect.map_err(|why| Refusal::from(Fault::BodyInvalid).because(why))?;
    groups.extend(expected(caller, expect.as_ref())?.groups());
    let reader = match body.reader {
        None => None,
        Some(named) => Some(reader_named(&named).ok_or(ReadFailure::ReaderNotFound)?),
    };
    let errand = match &ready {
        Some(ready) => audit::errand_under(caller, &ready.profile),
        None => audit::errand(caller),
    };
    let request = ReadRequest {
        owner: caller.id.clone(),
        reader,
        // Last of what may be refused: a scan is the caller's from then on.
        access: plan(desk, caller, access.into()).await?,
        groups,
        fields,
        biometrics,
        under,
        nonce: body.nonce.map(|nonce| nonce.0),
        expect,
        wait_for_card: body.wait_for_card_s.map(|seconds| seconds.duration()),
    };
    Ok((request, errand))
}

async fn plan(desk: &Desk, caller: &Caller, access: OpenedBy) -> Result<AccessPlan, Refusal> {
    match access {
        OpenedBy::Input(input) => Ok(input.plan()?),
        OpenedBy::Scan(name) => {
            let scan = ScanId::parse(&name).filter(|scan| scan.to_string() == name);
            let scan = scan.ok_or(Fault::ScanNotFound)?;
            Ok(desk.engine.scan_access(caller.id.clone(), caller.reach(), scan).await??)
        }
    }
}

/// The result if the reading is over in time, the reading as it stands if not.
async fn outcome_within(desk: &Desk, caller: &Caller, read: ReadId, wait: Wait) -> Result<Response, Refusal> {
    let mut watched = desk.engine.watch(caller.id.clone(), read).await??;
    let over = async {
        // The sender goes only with the engine, which ends every reading first.
        let _ = watched.wait_for(|view| view.state.is_over()).await;
    };
    tokio::select! {
        () = over => {}
        () = desk.closed() => {}
        () = tokio::time::sleep(wait.duration()) => {}
    }
    let view = watched.borrow().clone();
    if view.state.is_over() {
        let mut response = fetch_result(desk, caller, read).await?;
        response.headers_mut().insert(header::CONTENT_LOCATION, address(read, "/result"));
        Ok(response)
    } else {
        Ok(accepted(&view))
    }
}

/// A reading whose owner has not been told its name yet. If they hang up before, nobody could ever fetch or
/// dismiss it, and it would take the next person's card: so it is called off.
struct Unheard {
    engine: EngineHandle,
    owner: CallerId,
    at: UnheardAt,
}

enum UnheardAt {
    /// The engine has not answered yet.
    Submitted(oneshot::Receiver<Result<ReadView, Refused>>),
    /// The engine has a reading.
    Accepted(ReadId),
    /// There is nothing to call off, or nobody to do it for.
    Done,
}

impl Unheard {
    fn submit(engine: &EngineHandle, owner: CallerId, request: ReadRequest, errand: Errand) -> Self {
        Self { engine: engine.clone(), owner, at: UnheardAt::Submitted(engine.submit_for(request, errand)) }
    }

    /// Waits for the engine's answer.
    async fn accepted(&mut self) -> Result<ReadView, Refusal> {
        let UnheardAt::Submitted(answer) = &mut self.at else { return Err(ReadFailure::AgentFault.into()) };
        let answer = answer.await;
        self.at = UnheardAt::Done;
        let view = answer??;
        self.at = UnheardAt::Accepted(view.id);
        Ok(view)
    }

    /// The answer is on its way.
    fn heard(mut self) {
        self.at = UnheardAt::Done;
    }
}

impl Drop for Unheard {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.at, UnheardAt::Done) {
            UnheardAt::Done => {}
            UnheardAt::Accepted(read) => drop(self.engine.dismiss(self.owner.clone(), read)),
            UnheardAt::Submitted(answer) => {
                // The engine answers in no time, but it has not yet.
                let (engine, owner) = (self.engine.clone(), self.owner.clone());
                if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                    runtime.spawn(async move {
                        if let Ok(Ok(view)) = answer.await {
                            drop(engine.dismiss(owner, view.id));
                        }
                    });
                }
            }
        }
    }
}

/// Where a reading stands.
#[utoipa::path(
    get,
    path = "/v1/reads/{id}",
    tag = "reads",
    params(("id" = String, Path, description = "The reading.", pattern = "^[0-9a-f]{32}$")),
    responses((status = 200, description = "The reading.", body = ReadJson)),
)]
pub(crate) async fn show_read(
    State(desk): State<Desk>,
    Caller { id: caller, .. }: Caller,
    ReadName(read): ReadName,
) -> Result<Json<ReadJson>, Refusal> {
    let view = desk.engine.watch(caller, read).await??.borrow().clone();
    Ok(Json(ReadJson::from(&view)))
}

/// Calls a reading off, or wipes its result where it is over. Doing it again does no harm.
///
/// A reading that talks to a card ends at its next exchange, a moment after this answer.
#[utoipa::path(
    delete,
    path = "/v1/reads/{id}",
    tag = "reads",
    params(("id" = String, Path, description = "The reading.", pattern = "^[0-9a-f]{32}$")),
    responses((status = 200, description = "The reading as it stands now.", body = ReadJson)),
)]
pub(crate) async fn dismiss_read(
    State(desk): State<Desk>,
    Caller { id: caller, .. }: Caller,
    ReadName(read): ReadName,
) -> Result<Json<ReadJson>, Refusal> {
    let view = desk.engine.dismiss(caller, read).await??;
    Ok(Json(ReadJson::from(&view)))
}

/// What a reading found. It may be fetched again until it is wiped, but by callers whose settings say that they get each
/// part of a result once.
#[utoipa::path(
    get,
    path = "/v1/reads/{id}/result",
    tag = "reads",
    params(("id" = String, Path, description = "The reading.", pattern = "^[0-9a-f]{32}$")),
    responses((status = 200, description = "The result.", body = ResultJson<'_>)),
)]
pub(crate) async fn read_result(
    State(desk): State<Desk>,
    caller: Caller,
    ReadName(read): ReadName,
) -> Result<Response, Refusal> {
    fetch_result(&desk, &caller, read).await
}

/// What a reading has found so far: who the person says they are, before the face has arrived and anything is judged.
///
/// It is there once `read.partial` is told, and is wiped with the result.
#[utoipa::path(
    get,
    path = "/v1/reads/{id}/partial",
    tag = "reads",
    params(("id" = String, Path, description = "The reading.", pattern = "^[0-9a-f]{32}$")),
    responses((status = 200, description = "What is known so far.", body = PartialJson<'_>)),
)]
pub(crate) async fn read_partial(
    State(desk): State<Desk>,
    caller: Caller,
    ReadName(read): ReadName,
) -> Result<Response, Refusal> {
    let allowed = caller.fields();
    let partial = desk.engine.partial(caller.id.clone(), read).await?;
    let partial = partial.map_err(|not_here| about(not_here, read))?;
    hand_out(&desk, &caller, read, Part::Partial).await?;
    personal_json(&PartialJson::new(read, &partial, allowed))
}

/// The face of a reading: JPEG as it is on the chip, JPEG 2000 as PNG.
///
/// With `Accept: image/jp2` a portrait in JPEG 2000 is handed out as it is on the chip.
#[utoipa::path(
    get,
    path = "/v1/reads/{id}/portrait",
    tag = "reads",
    params(("id" = String, Path, description = "The reading.", pattern = "^[0-9a-f]{32}$")),
    responses((status = 200, description = "The face.", content(
        (String = "image/jpeg"),
        (String = "image/png"),
        (String = "image/jp2"),
        (String = "image/j2c"),
    ))),
)]
pub(crate) async fn read_portrait(
    State(desk): State<Desk>,
    caller: Caller,
    ReadName(read): ReadName,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    caller.require(Scope::Photo)?;
    let reading = result_of(&desk, &caller, read, Part::Portrait).await?;
    // Under a profile the face stands in the profile's output, or nowhere.
    let portrait = reading.portrait.as_ref().filter(|_| reading.under.is_none());
    let portrait = portrait.ok_or_else(|| Refusal::from(Fault::PortraitAbsent).about(read))?;
    let original_is_wanted = matches!(portrait.media_type, MediaType::Jp2 | MediaType::J2c)
        && (accepts_by_name(&headers, "image/jp2") || accepts_by_name(&headers, "image/j2c"));
    let (media_type, bytes) = if original_is_wanted {
        (portrait.media_type, portrait.bytes.clone())
    } else {
        let portrait = portrait.clone();
        // Decoding takes milliseconds of a processor.
        let shown = tokio::task::spawn_blocking(move || portrait.for_display())
            .await
            .map_err(|_| Refusal::from(ReadFailure::AgentFault).about(read))?
            .map_err(|_| Refusal::from(Fault::PortraitUndisplayable).about(read))?;
        (shown.media_type, shown.bytes)
    };
    let body = Bytes::from_owner(Zeroizing::new(bytes.expose().to_vec()));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type.as_str())),
        (header::VARY, HeaderValue::from_static("Accept")),
    ];
    Ok((headers, body).into_response())
}

/// A fingerprint or an iris of a reading, as the chip holds it: in its own coding, such as WSQ or JPEG 2000.
///
/// It needs the scope that asking for it needed, and is wiped with the result.
#[utoipa::path(
    get,
    path = "/v1/reads/{id}/biometrics/{kind}/{number}",
    tag = "reads",
    params(
        ("id" = String, Path, description = "The reading.", pattern = "^[0-9a-f]{32}$"),
        ("kind" = BiometricJson, Path, description = "Fingerprints or irises."),
        ("number" = u8, Path, description = "Which picture, counted from 1.", minimum = 1, maximum = 255),
    ),
    responses((status = 200, description = "The picture.", content(
        (String = "image/x-wsq"),
        (String = "image/jp2"),
        (String = "image/j2c"),
        (String = "image/jpeg"),
        (String = "image/png"),
        (String = "application/octet-stream"),
    ))),
)]
pub(crate) async fn read_biometric(
    State(desk): State<Desk>,
    caller: Caller,
    BiometricName { read, kind, number }: BiometricName,
) -> Result<Response, Refusal> {
    caller.require_for(kind)?;
    let reading = result_of(&desk, &caller, read, Part::Biometric(kind, number)).await?;
    let image = reading
        .biometrics
        .iter()
        .find(|found| found.kind == kind)
        .and_then(|found| found.images().get(number.checked_sub(1)?))
        .ok_or_else(|| Refusal::from(Fault::BiometricAbsent).about(read))?;
    let body = Bytes::from_owner(Zeroizing::new(image.bytes.expose().to_vec()));
    let headers = [(header::CONTENT_TYPE, HeaderValue::from_static(image.media_type.as_str()))];
    Ok((headers, body).into_response())
}

async fn fetch_result(desk: &Desk, caller: &Caller, read: ReadId) -> Result<Response, Refusal> {
    let reading = desk.engine.result(caller.id.clone(), read).await?;
    let reading = reading.map_err(|not_here| about(not_here, read))?;
    // Under a profile the face stands in the profile's output, or nowhere.
    let portrait = caller.scopes.contains(Scope::Photo) && reading.under.is_none();
    let allowed = Allowed { fields: caller.fields(), portrait };
    let Concluded { disclosure, admission } = profiled::conclude(desk, read, Arc::clone(&reading)).await?;
    hand_out(desk, caller, read, Part::Record).await?;
    personal_json(&ResultJson::new(read, &reading, allowed, disclosure.as_ref()).admitting(admission))
}

/// A reading's result, for this part of it to be handed out.
pub(super) async fn result_of(
    desk: &Desk,
    caller: &Caller,
    read: ReadId,
    part: Part,
) -> Result<Arc<Reading>, Refusal> {
    let reading = desk.engine.result(caller.id.clone(), read).await?;
    let reading = reading.map_err(|not_here| about(not_here, read))?;
    hand_out(desk, caller, read, part).await?;
    Ok(reading)
}

/// Nothing, if the caller may have this part of its result: now, or again.
async fn hand_out(desk: &Desk, caller: &Caller, read: ReadId, part: Part) -> Result<(), Refusal> {
    match caller.results {
        Results::Several => Ok(()),
        Results::Once => {
            let handed_out = desk.engine.hand_out(caller.id.clone(), read, part).await?;
            handed_out.map_err(|not_here| about(not_here, read))
        }
    }
}

/// The refusal, with the name of the reading where it is the caller's own.
pub(super) fn about(not_here: NotHere, read: ReadId) -> Refusal {
    let refusal = Refusal::from(not_here);
    if not_here == NotHere::Unknown { refusal } else { refusal.about(read) }
}

/// JSON about a person: written into one buffer that is wiped once it has been sent.
pub(super) fn personal_json(value: &impl Serialize) -> Result<Response, Refusal> {
    let mut text = WipedBuffer::new();
    serde_json::to_writer(&mut text, value).map_err(|_| Refusal::from(ReadFailure::AgentFault))?;
    let headers = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    Ok((headers, Bytes::from_owner(text.into_inner())).into_response())
}

fn accepted(view: &ReadView) -> Response {
    (StatusCode::ACCEPTED, Json(ReadJson::from(view))).into_response()
}

/// An address under a reading, relative to the agent.
fn address(read: ReadId, below: &str) -> HeaderValue {
    // Hexadecimal digits and slashes.
    HeaderValue::try_from(format!("/v1/reads/{read}{below}")).unwrap_or(HeaderValue::from_static("/v1/reads"))
}
