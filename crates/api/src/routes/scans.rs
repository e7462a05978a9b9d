//! Scanned codes: posted, fetched once, wiped.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use cccd_document::QrPayload;
use cccd_engine::{ReadFailure, codes_in_picture};
use http::{HeaderValue, Method, StatusCode, header};
use zeroize::Zeroizing;

use super::reads::personal_json;
use crate::api::Desk;
use crate::audit;
use crate::callers::Caller;
use crate::extract::{ScanBody, ScanName};
use crate::problems::Fault;
use crate::refusal::Refusal;
use crate::wire::{ScanJson, ScanTextJson, ScannersJson, ScansJson};

/// The corners of a code in a picture.
type Corners = [(f32, f32); 4];

/// Reads the codes of a picture, or the text a keyboard-type scanner typed.
///
/// A picture comes as it is (JPEG, PNG, WebP or BMP, at most 16 MiB), or as the part `image` of a form; a text as
/// JSON, as plain text, or as the part `text` of a form. The codes are the caller's, who may open a chip with one
/// until it is wiped. A code of no kind known here is an answer too; a picture without any is the problem
/// `code-not-found`.
#[utoipa::path(
    post,
    path = "/v1/scans",
    tag = "scans",
    request_body(description = "A picture or a text.", content(
        (ScanTextJson = "application/json"),
        (String = "text/plain"),
        (String = "image/jpeg"),
        (String = "image/png"),
        (String = "image/webp"),
        (String = "image/bmp"),
        (ScanFormJson = "multipart/form-data"),
    )),
    responses((status = 200, description = "The codes.", body = ScansJson<'_>)),
)]
pub(crate) async fn create_scans(
    State(desk): State<Desk>,
    Caller { id: caller, .. }: Caller,
    body: ScanBody,
) -> Result<Response, Refusal> {
    let (payloads, corners) = match body {
        ScanBody::Text(text) => {
            let payload = in_the_background(move || QrPayload::parse(&text)).await?;
            (vec![payload], vec![None])
        }
        ScanBody::Picture(file, turn) => {
            let (payloads, corners) = in_the_background(move || {
                let codes = codes_in(&file);
                drop(turn);
                codes
            })
            .await??;
            (payloads, corners)
        }
    };
    let scans = desk.engine.post_scans(caller, payloads).await??;
    let codes = scans.iter().zip(corners).map(|(scan, corners)| ScanJson::new(scan, corners)).collect();
    personal_json(&ScansJson { codes })
}

/// A form with one of these parts.
#[derive(utoipa::ToSchema)]
#[schema(as = ScanForm)]
#[expect(dead_code, reason = "it describes a form, which no derive reads")]
struct ScanFormJson {
    /// A picture file.
    #[schema(value_type = Option<String>, format = Binary)]
    image: Option<Vec<u8>>,
    /// The text of a code.
    text: Option<String>,
}

fn codes_in(file: &Zeroizing<Vec<u8>>) -> Result<(Vec<QrPayload>, Vec<Option<Corners>>), Refusal> {
    let codes = codes_in_picture(file)
        // Its words name sizes and formats, and nothing of the picture.
        .map_err(|error| Refusal::from(Fault::ImageUnusable).because(error.to_string()))?;
    if codes.is_empty() {
        return Err(Fault::CodeNotFound.into());
    }
    Ok(codes.into_iter().map(|code| (code.payload, Some(code.corners))).unzip())
}

/// Decoding takes up to a second of a processor, and a fault in a decoder is to cost one request.
async fn in_the_background<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.map_err(|_| ReadFailure::AgentFault.into())
}

/// What a scanner scanned. It is handed out once, to the first who asks.
///
/// Whoever has it may open a chip with it until it is wiped. One that was posted was handed out by its POST.
#[utoipa::path(
    get,
    path = "/v1/scans/{id}",
    tag = "scans",
    params(("id" = String, Path, description = "The scan.", pattern = "^[0-9a-f]{32}$")),
    responses((status = 200, description = "The scan.", body = ScanJson<'_>)),
)]
pub(crate) async fn fetch_scan(
    State(desk): State<Desk>,
    caller: Caller,
    method: Method,
    ScanName(scan): ScanName,
) -> Result<Response, Refusal> {
    // What answers GET answers HEAD too, and HEAD would take the scan and hand nothing out.
    if method == Method::HEAD {
        let allowed = [(header::ALLOW, HeaderValue::from_static("GET,DELETE"))];
        return Ok((allowed, Refusal::from(Fault::MethodNotAllowed)).into_response());
    }
    let reach = caller.reach();
    let scan = desk.engine.fetch_scan(caller.id.clone(), reach, scan).await??;
    audit::note_scan(&desk, &caller, &scan);
    personal_json(&ScanJson::new(&scan, None))
}

/// Wipes a scan before its time. Doing it again does no harm.
#[utoipa::path(
    delete,
    path = "/v1/scans/{id}",
    tag = "scans",
    params(("id" = String, Path, description = "The scan.", pattern = "^[0-9a-f]{32}$")),
    responses((status = 204, description = "It is wiped.")),
)]
pub(crate) async fn dismiss_scan(
    State(desk): State<Desk>,
    caller: Caller,
    ScanName(scan): ScanName,
) -> Result<StatusCode, Refusal> {
    let reach = caller.reach();
    desk.engine.dismiss_scan(caller.id, reach, scan).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// The scanners that stand there.
#[utoipa::path(
    get,
    path = "/v1/scanners",
    tag = "scans",
    responses((status = 200, description = "The scanners, by id.", body = ScannersJson)),
)]
pub(crate) async fn list_scanners(State(desk): State<Desk>) -> Result<Json<ScannersJson>, Refusal> {
    let scanners = desk.engine.scanners().await?;
    Ok(Json(ScannersJson { scanners: scanners.into_iter().map(Into::into).collect() }))
}
