//! The outer gate, around every path: the exact Host, the exact Origin, the preflight; and the headers of every
//! answer.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use cccd_profiles::Origin;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};

use super::{Access, Introduced, known, paired};
use crate::api::Desk;
use crate::problems::Fault;
use crate::refusal::Refusal;

/// What a page may send. Neither list has a wildcard.
const METHODS: &str = "GET, POST, DELETE";
const REQUEST_HEADERS: &str =
    "authorization, content-type, dpop, idempotency-key, last-event-id, prefer, traceparent, tracestate";
const EXPOSED_HEADERS: &str =
    "deprecation, location, preference-applied, retry-after, sunset, traceresponse, www-authenticate";

const ASKS_FOR_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-request-private-network");
const ALLOWS_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-allow-private-network");

/// How a door is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn usual_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// The names this agent goes by, and no other: a foreign name that resolves to loopback is how DNS
/// rebinding comes in.
#[derive(Debug, Clone)]
pub(crate) struct Hosts {
    scheme: Scheme,
    names: Vec<String>,
}

impl Hosts {
    /// The names of an agent that listens on `port`.
    pub(crate) fn of_port(scheme: Scheme, port: u16) -> Self {
        let names = ["127.0.0.1", "[::1]", "localhost"];
        let with_port = names.iter().map(|name| format!("{name}:{port}"));
        // Browsers leave the usual port out.
        let bare = names.iter().filter(|_| port == scheme.usual_port()).map(|name| (*name).to_owned());
        Self { scheme, names: with_port.chain(bare).collect() }
    }

    /// Whether a page of this origin is one of the agent's own.
    pub(crate) fn is_own(&self, origin: &str) -> bool {
        let host = origin.strip_prefix(self.scheme.as_str()).and_then(|rest| rest.strip_prefix("://"));
        host.is_some_and(|host| self.names.iter().any(|known| known == host))
    }

    /// How this agent is spoken to under these names.
    pub(crate) fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Whether the request names this agent, letter by letter: in its one Host header, and in its target
    /// where that is absolute (RFC 9112, 3.2.2).
    fn are_meant(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let mut named = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (named.next(), named.next()) else { return false };
        let known = |name: &[u8]| self.names.iter().any(|known| known.as_bytes() == name);
        known(host.as_bytes()) && uri.authority().is_none_or(|authority| known(authority.as_str().as_bytes()))
    }
}

/// Whether any caller may call from this origin.
fn is_known_origin(access: &Access, hosts: &Hosts, origin: &[u8]) -> bool {
    access.callers.iter().any(|caller| known::has_origin(caller, origin))
        || access.sites.iter().flat_map(|site| &site.origins).any(|known| known.as_str().as_bytes() == origin)
        || paired::any_has_origin(access, origin)
        || may_ask(access, hosts, origin)
}

/// Whether a page may ask to be paired. It may ask for anything then, and reads that it has to be paired first.
fn may_ask(access: &Access, hosts: &Hosts, origin: &[u8]) -> bool {
    let origin = std::str::from_utf8(origin).ok().and_then(|origin| Origin::parse(origin).ok());
    origin.is_some_and(|origin| access.may_be_paired(hosts, &origin).is_some())
}

/// Host, then Origin, then the preflight.
pub(crate) async fn admit(State(desk): State<Desk>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    // The pattern, never the path: a path names a reading.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let (origin, mut response) = match check(&desk, &request) {
        Err(refusal) => (None, refusal.into_response()),
        Ok(origin) if is_preflight(&request) => (origin, preflight(request.headers())),
        Ok(origin) => (origin, next.run(request).await),
    };
    finish_headers(response.headers_mut(), origin);
    let pattern = route.as_ref().map_or("none", MatchedPath::as_str);
    desk.metrics.answered(&method, pattern, response.status().as_u16());
    tracing::debug!(
        %method,
        route = pattern,
        status = response.status().as_u16(),
        ms = started.elapsed().as_millis(),
        "request"
    );
    response
}

/// Host and Origin. Gives the origin back where there is one, known to be of some caller.
fn check(desk: &Desk, request: &Request) -> Result<Option<HeaderValue>, Refusal> {
    if Introduced::of(request.extensions()).is_some() {
        // Whoever serves that socket knows who is there: no name leads to it, and no page.
        Introduced::check(request.headers())?;
        return Ok(None);
    }
    if !desk.hosts.are_meant(request.uri(), request.headers()) {
        return Err(Fault::HostNotAllowed.into());
    }
    match only(request.headers(), &header::ORIGIN) {
        Only::None => Ok(None),
        Only::One(origin) if is_known_origin(&desk.access, &desk.hosts, origin.as_bytes()) => {
            Ok(Some(origin.clone()))
        }
        // `null`, foreign, or two at once.
        Only::One(_) | Only::Many => Err(Fault::OriginNotAllowed.into()),
    }
}

/// The values of a header that should come once.
pub(super) enum Only<'a> {
    None,
    One(&'a HeaderValue),
    Many,
}

pub(super) fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Only<'a> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Only::None,
        (Some(value), None) => Only::One(value),
        (Some(_), Some(_)) => Only::Many,
    }
}

fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ORIGIN)
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to a preflight from a known origin. It says what any page may try; the request itself still
/// needs its token.
fn preflight(asked: &HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(REQUEST_HEADERS));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    if asked.get(ASKS_FOR_PRIVATE_NETWORK).is_some_and(|value| value == "true") {
        // Only browsers from before Local Network Access ask this, and old kiosks have them.
        headers.insert(ALLOWS_PRIVATE_NETWORK, HeaderValue::from_static("true"));
    }
    response
}

fn finish_headers(headers: &mut HeaderMap, origin: Option<HeaderValue>) {
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED_HEADERS));
    }
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        // Concerns requests made without CORS; a page that is let in by CORS is not held up by it.
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        // A page of the agent's own may say itself what it may do.
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    // A page of the agent's own says itself what it may do.
    let nothing = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(nothing);
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(port: u16, uri: &str, hosts: &[&'static str]) -> bool {
        let headers =
            hosts.iter().map(|host| (header::HOST, HeaderValue::from_static(host))).collect::<HeaderMap>();
        Hosts::of_port(Scheme::Http, port).are_meant(&uri.parse().unwrap(), &headers)
    }

    #[test]
    fn only_three_names_are_ours() {
        for host in ["127.0.0.1:9303", "[::1]:9303", "localhost:9303"] {
            assert!(meant(9303, "/v1", &[host]), "{host}");
        }
        for host in [
            "",
            "127.0.0.1",
            "localhost",
            "127.0.0.1:9304",
            "127.0.0.1:09303",
            "127.0.0.1:9303 ",
            "127.0.0.1.:9303",
            "localhost.:9303",
            "LOCALHOST:9303",
            "127.evil.com:9303",
            "127.0.0.1.evil.com:9303",
            "localhost.evil.com:9303",
            "user@127.0.0.1:9303",
            "127.1:9303",
            "2130706433:9303",
            "0x7f000001:9303",
            "127.0.0.2:9303",
            "0.0.0.0:9303",
            "[::ffff:127.0.0.1]:9303",
            "[0:0:0:0:0:0:0:1]:9303",
            "[::]:9303",
            "::1:9303",
        ] {
            assert!(!meant(9303, "/v1", &[host]), "{host}");
        }
        assert!(!meant(9303, "/v1", &[]));
        assert!(!meant(9303, "/v1", &["127.0.0.1:9303", "127.0.0.1:9303"]));
    }

    #[test]
    fn an_absolute_target_counts_too() {
        assert!(meant(9303, "http://127.0.0.1:9303/v1", &["127.0.0.1:9303"]));
        assert!(!meant(9303, "http://evil.com/v1", &["127.0.0.1:9303"]));
        assert!(!meant(9303, "http://127.0.0.1:9303/v1", &["evil.com"]));
    }

    #[test]
    fn port_80_may_be_left_out() {
        assert!(meant(80, "/", &["localhost"]));
        assert!(meant(80, "/", &["127.0.0.1:80"]));
    }
}
