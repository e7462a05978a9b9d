//! What handlers take from a request. Whatever cannot be taken is a [`Refusal`], never the framework's own
//! plain text.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use cccd_card::ReaderId;
use cccd_document::Biometric;
use cccd_engine::{ReadFailure, ReadId, ScanId};
use futures_util::StreamExt;
use http::request::Parts;
use http::{HeaderMap, header};
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zeroize::Zeroizing;

use crate::api::Desk;
use crate::problems::Fault;
use crate::refusal::Refusal;
use crate::wiped::WipedBuffer;
use crate::wire::ScanTextJson;

/// The longest body there may be, but for a picture.
pub(crate) const LONGEST_BODY: usize = 64 * 1024;
/// The longest picture there may be, with what a form puts around it. Photographs of telephones have three to
/// twelve megabytes.
pub(crate) const LONGEST_PICTURE: usize = 16 * 1024 * 1024;
/// The longest text of a code there may be: 7089 digits fit in one (ISO/IEC 18004, version 40-L).
const LONGEST_TEXT: usize = 8192;
/// The longest roster there may be: one of 200,000 rows has less.
pub(crate) const LONGEST_ROSTER: usize = 8 * 1024 * 1024;
/// How long a body may take to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// Whether the groups go into the evidence: `?groups=true`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EvidenceWish(pub(crate) bool);

impl<S: Sync> FromRequestParts<S> for EvidenceWish {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        match parts.uri.query() {
            None | Some("" | "groups=false") => Ok(Self(false)),
            Some("groups=true") => Ok(Self(true)),
            // Whoever misspells it must not be left without what they asked for.
            Some(_) => Err(Refusal::from(Fault::ParameterInvalid).because("groups is true or false")),
        }
    }
}

/// What a proof of identity is asked over: `?nonce=` and hexadecimal digits.
#[derive(Debug, Clone)]
pub(crate) struct IdentityNonce(pub(crate) Vec<u8>);

impl<S: Sync> FromRequestParts<S> for IdentityNonce {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let digits = parts.uri.query().and_then(|query| query.strip_prefix("nonce="));
        let nonce = digits.and_then(|digits| hex::decode(digits).ok());
        nonce.filter(|nonce| (16..=64).contains(&nonce.len())).map(Self).ok_or_else(|| {
            Refusal::from(Fault::ParameterInvalid).because("nonce is 16 to 64 bytes in hexadecimal digits")
        })
    }
}

/// The reading a path names. What cannot be a name is as unknown as a name nobody has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadName(pub(crate) ReadId);

impl<S: Send + Sync> FromRequestParts<S> for ReadName {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        named(parts, state, ReadId::parse).await.map(Self).ok_or_else(|| Fault::ReadNotFound.into())
    }
}

/// The reader a path names. An id is taken as the agent writes it, and in no other spelling.
#[derive(Debug, Clone)]
pub(crate) struct ReaderName(pub(crate) ReaderId);

impl<S: Send + Sync> FromRequestParts<S> for ReaderName {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let unknown = || Refusal::from(ReadFailure::ReaderNotFound);
        let Ok(Path(text)) = Path::<String>::from_request_parts(parts, state).await else {
            return Err(unknown());
        };
        reader_named(&text).map(Self).ok_or_else(unknown)
    }
}

/// The reader of this id, if it is spelled as the agent spells it.
pub(crate) fn reader_named(text: &str) -> Option<ReaderId> {
    Some(ReaderId::from_name(text)).filter(|reader| reader.as_str() == text)
}

/// The scan a path names, likewise.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ScanName(pub(crate) ScanId);

impl<S: Send + Sync> FromRequestParts<S> for ScanName {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        named(parts, state, ScanId::parse).await.map(Self).ok_or_else(|| Fault::ScanNotFound.into())
    }
}

/// What a path names.
async fn named<S: Send + Sync, T: ToString>(
    parts: &mut Parts,
    state: &S,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Option<T> {
    let Path(text) = Path::<String>::from_request_parts(parts, state).await.ok()?;
    // One spelling only: two addresses for one thing are one too many.
    parse(&text).filter(|id| id.to_string() == text)
}

/// The register a path names, by its id.
#[derive(Debug, Clone)]
pub(crate) struct RegisterName(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for RegisterName {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let id = Path::<String>::from_request_parts(parts, state).await;
        id.map(|Path(id)| Self(id)).map_err(|_| Fault::RegisterNotFound.into())
    }
}

/// A picture of a reading that a path names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BiometricName {
    pub(crate) read: ReadId,
    pub(crate) kind: Biometric,
    /// Counted from 1.
    pub(crate) number: usize,
}

impl<S: Send + Sync> FromRequestParts<S> for BiometricName {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        type Names = (String, String, String);
        let Ok(Path((read, kind, number))) = Path::<Names>::from_request_parts(parts, state).await else {
            return Err(Fault::ReadNotFound.into());
        };
        let known = ReadId::parse(&read).filter(|known| known.to_string() == read);
        let read = known.ok_or_else(|| Refusal::from(Fault::ReadNotFound))?;
        let kind = Biometric::ALL.into_iter().find(|known| known.code() == kind);
        let counted = number.parse::<usize>().ok().filter(|counted| counted.to_string() == number);
        let (Some(kind), Some(number)) = (kind, counted) else { return Err(Fault::NotFound.into()) };
        Ok(Self { read, kind, number })
    }
}

/// A body that is one JSON object. Its bytes are wiped once it is understood.
#[derive(Debug)]
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        // A page may send any text across origins without a preflight, but not under this media type.
        if media_type(request.headers()).as_deref() != Some("application/json") {
            return Err(Fault::MediaTypeUnsupported.into());
        }
        object(&whole_body(request, LONGEST_BODY).await?).map(Self)
    }
}

/// The same, with the SHA-256 of its bytes.
#[derive(Debug)]
pub(crate) struct HashedJsonBody<T>(pub(crate) T, pub(crate) [u8; 32]);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for HashedJsonBody<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        if media_type(request.headers()).as_deref() != Some("application/json") {
            return Err(Fault::MediaTypeUnsupported.into());
        }
        let bytes = whole_body(request, LONGEST_BODY).await?;
        Ok(Self(object(&bytes)?, Sha256::digest(&bytes[..]).into()))
    }
}

/// A JSON object.
fn object<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    // The parser would take a list of values for an object without names.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(invalid("a JSON object expected"));
    }
    serde_json::from_slice(bytes).map_err(|error| Refusal::from(Fault::BodyInvalid).because(place_of(&error)))
}

/// What is to be read as a code. A page may send some of these media types across origins without a preflight; it
/// cannot send its token without one, and without a token it does not come this far.
pub(crate) enum ScanBody {
    /// The text of a code.
    Text(Zeroizing<Vec<u8>>),
    /// A picture, and its turn to be decoded.
    Picture(Zeroizing<Vec<u8>>, OwnedSemaphorePermit),
}

impl FromRequest<Desk> for ScanBody {
    type Rejection = Refusal;

    async fn from_request(request: Request, desk: &Desk) -> Result<Self, Refusal> {
        match media_type(request.headers()).as_deref() {
            Some("application/json") => {
                let ScanTextJson { text } = object(&whole_body(request, LONGEST_BODY).await?)?;
                Self::text(Zeroizing::new(text.0.expose().as_bytes().to_vec()))
            }
            Some("text/plain") if is_utf8(request.headers()) => {
                Self::text(whole_body(request, LONGEST_BODY).await?)
            }
            Some("multipart/form-data") => {
                let boundary =
                    request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
                let boundary = boundary
                    .and_then(|value| multer::parse_boundary(value).ok())
                    .ok_or_else(|| invalid("a form needs its boundary in Content-Type"))?;
                let turn = turn(&desk.pictures).await?;
                let form = whole_body(request, LONGEST_PICTURE).await?;
                Self::of_form(form, boundary, turn).await
            }
            Some(media_type) if media_type.starts_with("image/") => {
                let turn = turn(&desk.pictures).await?;
                Ok(Self::Picture(whole_body(request, LONGEST_PICTURE).await?, turn))
            }
            _ => Err(Fault::MediaTypeUnsupported.into()),
        }
    }
}

impl ScanBody {
    fn text(text: Zeroizing<Vec<u8>>) -> Result<Self, Refusal> {
        if text.trim_ascii().is_empty() {
            return Err(invalid("the text is empty"));
        }
        if text.len() > LONGEST_TEXT {
            return Err(invalid("no code has a text of more than 8192 bytes"));
        }
        Ok(Self::Text(text))
    }

    /// A form of one part.
    async fn of_form(
        form: Zeroizing<Vec<u8>>,
        boundary: String,
        turn: OwnedSemaphorePermit,
    ) -> Result<Self, Refusal> {
        let broken = |_| invalid("not multipart/form-data");
        let whole = futures_util::stream::iter([Ok::<_, Infallible>(Bytes::from_owner(form))]);
        let mut parts = multer::Multipart::new(whole, boundary);
        let part = parts.next_field().await.map_err(broken)?.ok_or_else(|| invalid("the form is empty"))?;
        let name = part.name().map(str::to_owned);
        let content = part.bytes().await.map_err(broken)?;
        let content = Zeroizing::new(content.to_vec());
        if parts.next_field().await.map_err(broken)?.is_some() {
            return Err(invalid("a form of one part expected"));
        }
        match name.as_deref() {
            Some("image") => Ok(Self::Picture(content, turn)),
            Some("text") => Self::text(content),
            _ => Err(invalid("the part is called image or text")),
        }
    }
}

/// A roster, and its turn to be taken apart.
pub(crate) struct RosterFile(pub(crate) Zeroizing<Vec<u8>>, pub(crate) OwnedSemaphorePermit);

impl RosterFile {
    /// The body of a request, once whoever sends it is known to be allowed to.
    pub(crate) async fn of(request: Request, desk: &Desk) -> Result<Self, Refusal> {
        let table = match media_type(request.headers()).as_deref() {
            Some("text/csv") => is_utf8(request.headers()),
            Some("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet") => true,
            _ => false,
        };
        if !table {
            return Err(Fault::MediaTypeUnsupported.into());
        }
        let turn = turn(&desk.pictures).await?;
        Ok(Self(whole_body(request, LONGEST_ROSTER).await?, turn))
    }
}

/// Waits for one of the few places in which a picture or a table is taken in and decoded: each may need a quarter of a
/// gigabyte.
async fn turn(places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Refusal> {
    let place = tokio::time::timeout(BODY_WITHIN, Arc::clone(places).acquire_owned());
    // The semaphore is never closed.
    let place = place.await.ok().and_then(Result::ok);
    place.ok_or_else(|| {
        Refusal::from(Fault::BodyTooSlow).because("other pictures or tables were before this one")
    })
}

fn invalid(detail: &'static str) -> Refusal {
    Refusal::from(Fault::BodyInvalid).because(detail)
}

/// The media type of the body, in small letters and without its parameters.
fn media_type(headers: &HeaderMap) -> Option<String> {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(only), None) = (types.next(), types.next()) else { return None };
    let essence = only.to_str().ok()?.split(';').next()?;
    Some(essence.trim().to_ascii_lowercase())
}

/// Whether a text is said to be UTF-8, or nothing is said of it.
fn is_utf8(headers: &HeaderMap) -> bool {
    let content_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.split(';').skip(1).all(|parameter| match parameter.split_once('=') {
        Some((name, charset)) if name.trim().eq_ignore_ascii_case("charset") => {
            let charset = charset.trim().trim_matches('"');
            ["utf-8", "utf8", "us-ascii"].iter().any(|known| charset.eq_ignore_ascii_case(known))
        }
        _ => true,
    })
}

/// Gathers the body into a buffer of our own, so that no copy of a key is left behind unwiped. (The HTTP library
/// has its own buffers, which are not ours to wipe.) It grows with what arrives, not with what is announced.
pub(crate) async fn whole_body(request: Request, longest: usize) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let whole = async {
        let mut whole = WipedBuffer::new();
        let mut chunks = request.into_body().into_data_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| invalid("the body ended early"))?;
            if chunk.len() > longest.saturating_sub(whole.len()) {
                return Err(Fault::BodyTooLarge.into());
            }
            whole.extend(&chunk);
        }
        Ok(whole.into_inner())
    };
    tokio::time::timeout(BODY_WITHIN, whole).await.map_err(|_| Refusal::from(Fault::BodyTooSlow))?
}

/// Says what is wrong with a body and where, without repeating any of its values: the parser's own message
/// quotes them, and a value may be a key.
fn place_of(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let at = format!("line {}, column {}", error.line(), error.column());
    if !error.is_data() {
        return format!("not JSON at {at}");
    }
    if let Some(name) =
        quoted_after(&message, "unknown field `").or(quoted_after(&message, "unknown variant `"))
    {
        // A field name comes from the caller too: it is repeated only where it looks like one.
        let plain = !name.is_empty()
            && name.len() <= 32
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let name = if plain { format!("unknown field `{name}`") } else { "unknown field".to_owned() };
        return format!("{name} at {at}");
    }
    for ours in ["missing field `", "duplicate field `"] {
        if let Some(name) = quoted_after(&message, ours) {
            return format!("{ours}{name}` at {at}");
        }
    }
    // "invalid type: string \"…\", expected a boolean at line 1 column 9": what comes after the last
    // "expected" was written by us or by the parser, what comes before may be the caller's.
    let expected = message.rsplit_once(", expected ").map(|(_, expected)| expected);
    match expected.and_then(|expected| expected.split(" at line ").next()) {
        Some(expected) => format!("{expected} expected at {at}"),
        None => format!("not usable at {at}"),
    }
}

fn quoted_after<'a>(message: &'a str, start: &str) -> Option<&'a str> {
    message.strip_prefix(start)?.split('`').next()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[expect(dead_code, reason = "only its kind matters here")]
        flag: bool,
    }

    fn told(text: &str) -> String {
        place_of(&serde_json::from_str::<Sample>(text).unwrap_err())
    }

    #[test]
    fn a_wrong_body_is_placed_and_not_repeated() {
        assert_eq!(told("{"), "not JSON at line 1, column 1");
        assert_eq!(told("{}"), "missing field `flag` at line 1, column 2");
        assert_eq!(told(r#"{"flag": true, "flag": true}"#), "duplicate field `flag` at line 1, column 21");
        assert_eq!(told(r#"{"flagg": 1}"#), "unknown field `flagg` at line 1, column 8");
        assert_eq!(told(r#"{"000090123456": 1}"#), "unknown field at line 1, column 15");
        assert_eq!(told(r#"{"flag": "000090123456"}"#), "a boolean expected at line 1, column 23");
        let sly = told(r#"{"flag": "x, expected 000090123456 at line 1"}"#);
        assert!(sly.starts_with("a boolean expected"), "{sly}");
    }

    #[test]
    fn a_text_is_utf8_or_says_nothing() {
        for (value, utf8) in [
            ("text/plain", true),
            ("text/plain; charset=UTF-8", true),
            ("text/plain; format=flowed; Charset=\"utf-8\"", true),
            ("text/plain; charset=windows-1258", false),
            ("text/plain; charset=utf-16", false),
        ] {
            let headers =
                [(header::CONTENT_TYPE, http::HeaderValue::from_static(value))].into_iter().collect();
            assert_eq!(is_utf8(&headers), utf8, "{value}");
        }
    }

    #[test]
    fn only_json_counts_as_json() {
        for (value, json) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("text/plain", false),
            ("application/x-www-form-urlencoded", false),
            ("application/json-patch+json", false),
            ("text/plain; application/json", false),
        ] {
            let headers =
                [(header::CONTENT_TYPE, http::HeaderValue::from_static(value))].into_iter().collect();
            assert_eq!(media_type(&headers).as_deref() == Some("application/json"), json, "{value}");
        }
        assert_eq!(media_type(&HeaderMap::new()), None);
    }
}
