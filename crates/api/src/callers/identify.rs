//! The inner gate, around everything that tells of readers, cards and people: whose request is this?

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use cccd_engine::ReadFailure;
use futures_util::StreamExt;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use super::gate::{Only, only};
use super::proof::DPOP;
use super::{Caller, CallerKind, Introduced, Opened, known, session, site};
use crate::api::Desk;
use crate::peer::Connection;
use crate::problems::Fault;
use crate::refusal::Refusal;

/// Finds out who calls, and leaves it with the request.
pub(crate) async fn identify(State(desk): State<Desk>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let caller = match caller_of(&desk, &parts).and_then(|caller| within_limits(&desk, caller)) {
        Ok(caller) => with_process(caller, &parts).await,
        Err(refusal) => return refusal.into_response(),
    };
    let ends = caller.ends.clone();
    let kind = caller.kind;
    parts.extensions.insert(caller.clone());
    let answered = next.run(Request::from_parts(parts, body));
    let mut response = tokio::select! {
        // Whoever ends itself hears that it did.
        biased;
        response = answered => response,
        () = ends.clone().called() => nobody_any_more(kind).into_response(),
    };
    // For whoever writes down who asked what.
    response.extensions_mut().insert(caller);
    if ends.is_never() || !is_stream(&response) {
        return response;
    }
    // Whoever is nobody any more hears nothing more.
    response.map(|body| Body::from_stream(body.into_data_stream().take_until(Box::pin(ends.come()))))
}

/// The caller, and its process as far as the system tells, where what it asks for is entered in the audit chain.
async fn with_process(caller: Caller, parts: &Parts) -> Caller {
    let connection = parts.extensions.get::<Arc<Connection>>();
    match connection.filter(|_| caller.process.is_none() && parts.method == Method::POST) {
        Some(connection) => Caller { process: connection.process().await, ..caller },
        None => caller,
    }
}

/// What a caller hears that has ended while it was answered.
fn nobody_any_more(kind: CallerKind) -> Refusal {
    match kind {
        CallerKind::Paired => Fault::PairingRequired.into(),
        _ => Fault::SessionExpired.into(),
    }
}

fn is_stream(response: &Response) -> bool {
    let media_type = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    media_type.is_some_and(|media_type| media_type.starts_with(b"text/event-stream"))
}

fn within_limits(desk: &Desk, caller: Caller) -> Result<Caller, Refusal> {
    match desk.limits.request(caller.id.as_str()) {
        Ok(()) => Ok(caller),
        Err(wait) => Err(Refusal::from(Fault::RateLimited).after(wait)),
    }
}

fn caller_of(desk: &Desk, parts: &Parts) -> Result<Caller, Refusal> {
    if let Some(introduced) = Introduced::of(&parts.extensions) {
        return introduced.map_err(Refusal::from);
    }
    let origin = parts.headers.get(header::ORIGIN);
    let credentials = credentials(&parts.headers)?;
    if origin.is_none() && is_from_elsewhere(&parts.headers) {
        return Err(Fault::OriginNotAllowed.into());
    }
    let found = match credentials {
        Credentials::Proof => desk.pages.caller_of(&desk.access, &desk.hosts, parts),
        Credentials::Token(token) if is_signed(token) => Err(Fault::SessionRequired.into()),
        Credentials::Token(token) if session::is_of_a_session(token) => {
            desk.sessions.caller_of(token, origin).map_err(Refusal::from)
        }
        Credentials::Token(token) => {
            known::caller_of(&desk.access.callers, token, origin).map_err(Refusal::from)
        }
    };
    found.map_err(|refusal| counted(desk, origin, refusal))
}

/// The refusal; where a token is wrong, and there have been too many of those, that there have.
fn counted(desk: &Desk, origin: Option<&HeaderValue>, refusal: Refusal) -> Refusal {
    let wrong = [
        Fault::TokenWrong,
        Fault::SessionExpired,
        Fault::TokenReplayed,
        Fault::TokenMisdirected,
        Fault::ProofWrong,
        Fault::ProofReplayed,
        Fault::PairingRequired,
    ];
    if !wrong.iter().any(|fault| fault.code() == refusal.problem.code) {
        return refusal;
    }
    match desk.limits.wrong_token(origin.map(HeaderValue::as_bytes)) {
        Ok(()) => refusal,
        Err(wait) => {
            tracing::warn!(page = origin.is_some(), "too many wrong tokens");
            Refusal::from(Fault::RateLimited).because("too many wrong tokens came from there").after(wait)
        }
    }
}

/// The token that a request shows, if it shows anything.
pub(crate) fn shown_token(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    if !headers.contains_key(header::ORIGIN) && is_from_elsewhere(headers) {
        return Err(Fault::OriginNotAllowed.into());
    }
    if !headers.contains_key(header::AUTHORIZATION) && !headers.contains_key(DPOP) {
        return Ok(None);
    }
    match credentials(headers)? {
        Credentials::Token(token) => Ok(Some(token)),
        Credentials::Proof => Err(Fault::TokenMissing.into()),
    }
}

/// The caller of the settings whose token this is, from where it may be used.
pub(crate) fn known_caller(
    desk: &Desk,
    token: &str,
    origin: Option<&HeaderValue>,
) -> Result<Caller, Refusal> {
    let found = known::caller_of(&desk.access.callers, token, origin);
    let caller = found.map_err(|fault| counted(desk, origin, fault.into()))?;
    within_limits(desk, caller)
}

/// Opens a session for the page whose backend signed the token of this request.
pub(crate) fn open_session(desk: &Desk, headers: &HeaderMap) -> Result<Opened, Refusal> {
    let origin = headers.get(header::ORIGIN);
    let Credentials::Token(token) = credentials(headers)? else { return Err(Fault::TokenMissing.into()) };
    let agent = desk.evidence_key.as_ref().map(|key| key.key_id());
    let sent = site::Sent {
        agent: agent.as_ref().map(|agent| agent.as_str()),
        origin: origin.and_then(|origin| origin.to_str().ok()),
        now: (desk.access.clock)(),
    };
    let found = site::caller_of(&desk.access, token, sent);
    let (caller, lasts) = found.map_err(|refusal| counted(desk, origin, refusal))?;
    let caller = within_limits(desk, caller)?;
    desk.sessions.open(caller, lasts).map_err(|_| ReadFailure::AgentFault.into())
}

/// Ends the session whose token this request shows, if it shows one.
pub(crate) fn end_session(desk: &Desk, headers: &HeaderMap) {
    if let Ok(Credentials::Token(token)) = credentials(headers) {
        desk.sessions.end(token);
    }
}

/// Where a browser says that a request comes from (Fetch Metadata).
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// A second opinion on a request without an `Origin`: that of another site's page never comes without one where it can
/// carry credentials. What no browser sends says nothing.
fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    headers.get_all(SEC_FETCH_SITE).iter().any(|site| !matches!(site.as_bytes(), b"none" | b"same-origin"))
}

/// What a request shows for itself.
enum Credentials<'a> {
    /// `Authorization: Bearer`.
    Token(&'a str),
    /// `DPoP`, with or without a scheme of that name.
    Proof,
}

fn credentials(headers: &HeaderMap) -> Result<Credentials<'_>, Refusal> {
    let proof = headers.contains_key(DPOP);
    let credentials = match only(headers, &header::AUTHORIZATION) {
        Only::None if proof => return Ok(Credentials::Proof),
        Only::None => return Err(Fault::TokenMissing.into()),
        Only::One(credentials) => credentials.to_str().unwrap_or_default(),
        Only::Many => return Err(Fault::TokenWrong.into()),
    };
    // RFC 9110, 11.1: the scheme's name in any case.
    match credentials.split_once(' ') {
        // One proof at a time: whoever sends two means one of them for somebody else.
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("bearer") && proof => Err(Fault::TokenWrong.into()),
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            Ok(Credentials::Token(token.trim_matches(' ')))
        }
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("dpop") && proof => Ok(Credentials::Proof),
        _ => Err(Fault::TokenMissing.into()),
    }
}

/// Whether a token is in the form of a signed one: `cccd-agent token` makes none with a point in it.
fn is_signed(token: &str) -> bool {
    token.starts_with("eyJ") && token.bytes().filter(|byte| *byte == b'.').count() == 2
}
