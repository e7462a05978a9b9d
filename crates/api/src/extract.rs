//! What handlers take from a request. Whatever cannot be taken is a [`Refusal`], never the framework's own
//! plain text.

use std::time::Duration;

use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use cccd_card::ReaderId;
use cccd_engine::{CallerId, ReadFailure, ReadId};
use cccd_profiles::Scope;
use futures_util::StreamExt;
use http::request::Parts;
use http::{HeaderMap, header};
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::problems::Fault;
use crate::refusal::Refusal;

/// The longest body there may be.
pub(crate) const LONGEST_BODY: usize = 64 * 1024;
/// How long a body may take to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// Who calls. Put there by the guard once the token is known.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) id: CallerId,
    pub(crate) scopes: Vec<Scope>,
}

impl Caller {
    /// The caller's name, if it may do this beyond reading cards.
    pub(crate) fn with(self, scope: Scope) -> Result<CallerId, Refusal> {
        if self.scopes.contains(&scope) { Ok(self.id) } else { Err(Fault::ScopeMissing.into()) }
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Fault::TokenMissing.into())
    }
}

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

/// The reading a path names. What cannot be a name is as unknown as a name nobody has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadName(pub(crate) ReadId);

impl<S: Send + Sync> FromRequestParts<S> for ReadName {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Ok(Path(text)) = Path::<String>::from_request_parts(parts, state).await else {
            return Err(Fault::ReadNotFound.into());
        };
        // One spelling only: two addresses for one thing are one too many.
        ReadId::parse(&text)
            .filter(|read| read.to_string() == text)
            .map(Self)
            .ok_or_else(|| Fault::ReadNotFound.into())
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

/// A body that is one JSON object. Its bytes are wiped once it is understood.
#[derive(Debug)]
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        // A page may send any text across origins without a preflight, but not under this media type.
        if !is_json(request.headers()) {
            return Err(Fault::MediaTypeUnsupported.into());
        }
        let bytes = tokio::time::timeout(BODY_WITHIN, whole_body(request))
            .await
            .map_err(|_| Refusal::from(Fault::BodyTooSlow))??;
        // The parser would take a list of values for an object without names.
        if !bytes.trim_ascii_start().starts_with(b"{") {
            return Err(Refusal::from(Fault::BodyInvalid).because("a JSON object expected"));
        }
        serde_json::from_slice(&bytes)
            .map(Self)
            .map_err(|error| Refusal::from(Fault::BodyInvalid).because(place_of(&error)))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(only), None) = (types.next(), types.next()) else { return false };
    let essence = only.to_str().ok().and_then(|text| text.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

/// Gathers the body into a buffer that never moves, so that no copy of a key is left behind unwiped. (The
/// HTTP library has its own buffers, which are not ours to wipe.)
async fn whole_body(request: Request) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let mut whole = Zeroizing::new(Vec::with_capacity(LONGEST_BODY));
    let mut chunks = request.into_body().into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Refusal::from(Fault::BodyInvalid).because("the body ended early"))?;
        if chunk.len() > LONGEST_BODY - whole.len() {
            return Err(Fault::BodyTooLarge.into());
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole)
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
            assert_eq!(is_json(&headers), json, "{value}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
