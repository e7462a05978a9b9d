//! A desk for tests: an engine, perhaps a simulated reader, and callers with tokens.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use cccd_api::{Access, AgentFacts, Api, Registers};
use cccd_card::{ChannelLimits, ReaderId, ReaderSource, ScannerId};
use cccd_engine::{Engine, EngineOptions, EventKind};
use cccd_evidence::AgentKey;
use cccd_firmware_sim::chip::Chip;
use cccd_firmware_sim::personalise::{CardDescription, Issuer, personalise, shipped_card};
use cccd_firmware_sim::reader::in_process::InProcessReader;
use cccd_firmware_sim::reader::scanner::InProcessScanner;
use cccd_patience::soon;
use cccd_profiles::{Caller, Origin, Results, Scope, TokenHash};
use cccd_store::Scribe;
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::Value;
use tower::ServiceExt;

pub(crate) const HOST: &str = "127.0.0.1:9303";
pub(crate) const CLINIC: &str = "token of the clinic";
pub(crate) const CLINIC_ORIGIN: &str = "https://his.example.vn";
pub(crate) const NOTARY: &str = "token of the notary";
/// A caller with no scope at all.
pub(crate) const KIOSK: &str = "token of the kiosk";
pub(crate) const NOTARY_ORIGIN: &str = "http://127.0.0.1:8080";
pub(crate) const CARD: &str = "cccd-2021";

pub(crate) struct Desk {
    pub(crate) engine: Engine,
    pub(crate) hand: InProcessReader,
    pub(crate) scanner: InProcessScanner,
    pub(crate) api: Api,
    router: Router,
}

pub(crate) fn card() -> CardDescription {
    shipped_card(CARD).unwrap().description().unwrap()
}

pub(crate) fn facts() -> AgentFacts {
    AgentFacts { version: "1.2.3".to_owned(), features: vec!["simulator"] }
}

/// A caller of the settings.
pub(crate) fn caller(name: &str, token: &str, origin: &str, scopes: &[Scope]) -> Caller {
    Caller {
        name: name.to_owned(),
        token: TokenHash::of(token),
        origins: vec![Origin::parse(origin).unwrap()],
        scopes: scopes.to_vec(),
        profiles: Vec::new(),
        results: Results::default(),
    }
}

pub(crate) fn callers() -> Vec<Caller> {
    vec![
        caller("clinic", CLINIC, CLINIC_ORIGIN, &[Scope::Scan]),
        caller("notary", NOTARY, NOTARY_ORIGIN, &[Scope::Evidence, Scope::Scan]),
        caller("kiosk", KIOSK, CLINIC_ORIGIN, &[]),
    ]
}

impl Desk {
    /// No kind of reader at all.
    pub(crate) fn bare() -> Self {
        Self::over(Vec::new(), InProcessReader::new())
    }

    /// Simulated readers, none of them plugged in yet.
    pub(crate) fn simulated() -> Self {
        let hand = InProcessReader::new();
        Self::over(vec![Arc::new(hand.clone())], hand)
    }

    fn over(sources: Vec<Arc<dyn ReaderSource>>, hand: InProcessReader) -> Self {
        let scanner = InProcessScanner::new();
        let engine = Engine::start(sources, vec![Arc::new(scanner.clone())], EngineOptions::default());
        let api = Api::new(engine.handle(), callers(), facts());
        let router = api.router(9303);
        Self { engine, hand, scanner, api, router }
    }

    /// The same, with others let in, and another memory of them.
    pub(crate) fn letting_in(self, access: Access) -> Self {
        let api = Api::new(self.engine.handle(), access, facts());
        let router = api.router(9303);
        Self { api, router, ..self }
    }

    /// The same with another API over its engine.
    pub(crate) fn serving(self, api: Api) -> Self {
        let router = api.router(9303);
        Self { api, router, ..self }
    }

    /// The same, with a key to sign evidence with.
    pub(crate) fn signing_with(self, key: AgentKey) -> Self {
        let api = self.api.signing_with(Arc::new(key));
        let router = api.router(9303);
        Self { api, router, ..self }
    }

    /// The same, with what outlives a restart.
    pub(crate) fn keeping(self, scribe: Scribe) -> Self {
        let api = self.api.keeping(scribe);
        let router = api.router(9303);
        Self { api, router, ..self }
    }

    /// The same, with registers.
    pub(crate) fn with_registers(self, registers: Arc<dyn Registers>) -> Self {
        let api = self.api.entering_in(registers);
        let router = api.router(9303);
        Self { api, router, ..self }
    }

    /// Plugs a reader in and waits until the engine knows it.
    pub(crate) async fn plug_in(&self, name: &str) -> ReaderId {
        let mut events =
            self.engine.handle().subscribe(cccd_engine::CallerId::new("test"), None).await.unwrap();
        let reader = self.hand.attach(name, ChannelLimits::EXTENDED).unwrap();
        let is_there = |kind: &EventKind| matches!(kind, EventKind::ReaderAttached { .. });
        while !is_there(&soon("the reader that was plugged in", events.coming.recv()).await.unwrap().kind) {}
        reader
    }

    /// Shows a code to a scanner and waits until the engine knows it; gives the event.
    pub(crate) async fn show(&self, scanner: &ScannerId, payload: &[u8]) -> EventKind {
        let mut events =
            self.engine.handle().subscribe(cccd_engine::CallerId::new("test"), None).await.unwrap();
        self.scanner.show(scanner, payload);
        soon("the code that was shown", events.coming.recv()).await.unwrap().kind
    }

    /// Lays the card on a reader and waits until the engine knows it.
    pub(crate) async fn lay_card(&self, reader: &ReaderId) {
        let mut events =
            self.engine.handle().subscribe(cccd_engine::CallerId::new("test"), None).await.unwrap();
        let image = personalise(&card(), &Issuer::new().unwrap()).unwrap();
        self.hand.insert(reader, Chip::new(image)).unwrap();
        let lies_there = |kind: &EventKind| matches!(kind, EventKind::CardInserted { .. });
        while !lies_there(&soon("the card that was laid", events.coming.recv()).await.unwrap().kind) {}
    }

    /// Sends a request as it is.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let asked = format!("the answer to {} {}", request.method(), request.uri());
        let answer = soon(&asked, self.router.clone().oneshot(request)).await.unwrap();
        let (parts, body) = answer.into_parts();
        let body = soon(&asked, axum::body::to_bytes(body, 1 << 20)).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Sends a request and hands back the answer's body as it comes.
    pub(crate) async fn stream(&self, request: Request<Body>) -> (StatusCode, axum::body::BodyDataStream) {
        let answer = self.router.clone().oneshot(request).await.unwrap();
        (answer.status(), answer.into_body().into_data_stream())
    }

    /// The same router, for a task of its own.
    pub(crate) fn router(&self) -> Router {
        self.router.clone()
    }
}

/// A request from the clinic's program.
pub(crate) fn from_clinic(method: Method, path: &str) -> http::request::Builder {
    from(CLINIC, method, path)
}

pub(crate) fn from(token: &str, method: Method, path: &str) -> http::request::Builder {
    from_nobody(method, path).header("authorization", format!("Bearer {token}"))
}

/// A request without a token.
pub(crate) fn from_nobody(method: Method, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(path).header("host", HOST)
}

pub(crate) fn empty(builder: http::request::Builder) -> Request<Body> {
    builder.body(Body::empty()).unwrap()
}

pub(crate) fn json(builder: http::request::Builder, body: &Value) -> Request<Body> {
    builder.header("content-type", "application/json").body(Body::from(body.to_string())).unwrap()
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The status and the code of a problem that is one in every respect.
    pub(crate) fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        self.assert_guarded();
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16());
        let code = problem["code"].as_str().unwrap();
        assert_eq!(problem["type"], format!("/problems/{code}"));
        let known = cccd_api::Problem::find(code).unwrap();
        assert_eq!(problem["title_vi"], known.title.vi);
        assert_eq!(problem["remedy"], known.remedy.en);
        assert!(problem["detail"].is_string() && problem["retryable"].is_boolean());
        (self.status.as_u16(), code.to_owned())
    }

    /// What every answer has, whatever it says.
    pub(crate) fn assert_guarded(&self) {
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("cross-origin-resource-policy", "same-origin"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(self.header(name), value, "{name}");
        }
        assert!(self.headers.get_all("vary").iter().any(|value| value == "Origin"));
        assert!(!self.headers.contains_key("access-control-allow-credentials"));
        assert!(self.headers.get("access-control-allow-origin").is_none_or(|origin| origin != "*"));
    }
}
