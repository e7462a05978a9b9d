//! Pages that are let in by a code, and stopped.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use base64ct::{Base64UrlUnpadded, Encoding};
use cccd_api::{Access, AgentFacts, Api};
use cccd_card::{ChannelLimits, ReaderSource};
use cccd_engine::{CallerId, Engine, EngineOptions, EventKind};
use cccd_firmware_sim::chip::Chip;
use cccd_firmware_sim::personalise::{Issuer, personalise};
use cccd_firmware_sim::reader::in_process::InProcessReader;
use cccd_patience::soon;
use cccd_profiles::{AgentSettings, PairingSettings};
use futures_util::StreamExt as _;
use http::{Method, Request, StatusCode};
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::nid::Nid;
use openssl::pkey::Private;
use openssl::sha::sha256;
use serde_json::{Value, json as value};
use time::OffsetDateTime;
use tower::ServiceExt as _;

use crate::desk::{Answer, HOST, card, empty, json};
use crate::profiles::{Kept, Shelf};

const PAGE: &str = "https://his.example.vn";
const NOW: i64 = 1_795_935_600;

/// An agent that lets pages pair, its two doors, and its clock.
struct Desk {
    engine: Engine,
    port: Router,
    admin: Router,
    clock: Arc<AtomicI64>,
}

fn pairing(settings: &str) -> PairingSettings {
    let text = format!("[admin]\nsocket = '/admin.sock'\n[pairing]\nenabled = true\n{settings}");
    AgentSettings::parse(&text).unwrap().pairing
}

impl Desk {
    fn new(pairing: PairingSettings) -> Self {
        Self::reading(pairing, Vec::new(), EngineOptions::default(), |api| api)
    }

    /// The same with readers, and more to its API.
    fn reading(
        pairing: PairingSettings,
        readers: Vec<Arc<dyn ReaderSource>>,
        options: EngineOptions,
        more: impl FnOnce(Api) -> Api,
    ) -> Self {
        let clock = Arc::new(AtomicI64::new(NOW));
        let told = Arc::clone(&clock);
        let access = Access {
            pairing,
            clock: Arc::new(move || {
                OffsetDateTime::from_unix_timestamp(told.load(Ordering::SeqCst)).unwrap()
            }),
            ..Access::default()
        };
        let engine = Engine::start(readers, Vec::new(), options);
        let facts = AgentFacts { version: "1.2.3".to_owned(), features: vec![] };
        let api = more(Api::new(engine.handle(), access, facts));
        Self { engine, port: api.router(9303), admin: api.admin_router(), clock }
    }

    fn open() -> Self {
        Self::new(pairing(""))
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        answer(&self.port, request).await
    }

    async fn admin(&self, method: Method, path: &str) -> Answer {
        answer(&self.admin, empty(Request::builder().method(method).uri(path))).await
    }

    async fn begin(&self, page: &Page) -> Answer {
        self.begin_for(page, &page.wish()).await
    }

    async fn begin_for(&self, page: &Page, wish: &Value) -> Answer {
        self.send(json(page.request(Method::POST, "/v1/pairings"), wish)).await
    }

    /// The code that the desk is shown.
    async fn code(&self) -> String {
        let waiting = self.admin(Method::GET, "/pairings").await.json();
        waiting["pairings"].as_array().unwrap().last().unwrap()["code"].as_str().unwrap().to_owned()
    }

    async fn confirm(&self, page: &Page, begun: &Answer, code: &str) -> Answer {
        let path = begun.header("location");
        self.send(json(page.proved(Method::POST, path, NOW), &value!({ "code": code }))).await
    }

    async fn pair(&self, page: &Page) -> Value {
        self.pair_for(page, &page.wish()).await
    }

    async fn pair_for(&self, page: &Page, wish: &Value) -> Value {
        let begun = self.begin_for(page, wish).await;
        assert_eq!(begun.status, StatusCode::CREATED, "{begun:?}");
        let code = self.code().await;
        let grant = self.confirm(page, &begun, &code).await;
        assert_eq!(grant.status, StatusCode::CREATED, "{grant:?}");
        grant.json()
    }

    async fn post(&self, page: &Page, path: &str, body: &Value) -> Answer {
        self.send(json(page.proved(Method::POST, path, self.clock.load(Ordering::SeqCst)), body)).await
    }

    async fn get(&self, page: &Page, path: &str) -> Answer {
        self.send(empty(page.proved(Method::GET, path, self.clock.load(Ordering::SeqCst)))).await
    }
}

async fn answer(router: &Router, request: Request<Body>) -> Answer {
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    Answer { status: parts.status, headers: parts.headers, body }
}

/// A page with a key of its own, made with another library than ours.
struct Page {
    origin: &'static str,
    pair: EcKey<Private>,
    drawn: AtomicI64,
}

fn coded(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

impl Page {
    fn at(origin: &'static str) -> Self {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        Self { origin, pair: EcKey::generate(&group).unwrap(), drawn: AtomicI64::new(0) }
    }

    fn jwk(&self) -> Value {
        let (mut x, mut y) = (BigNum::new().unwrap(), BigNum::new().unwrap());
        let mut context = BigNumContext::new().unwrap();
        self.pair.public_key().affine_coordinates(self.pair.group(), &mut x, &mut y, &mut context).unwrap();
        let padded = |number: BigNum| coded(&number.to_vec_padded(32).unwrap());
        value!({ "kty": "EC", "crv": "P-256", "x": padded(x), "y": padded(y) })
    }

    fn wish(&self) -> Value {
        value!({ "public_key": self.jwk(), "label": "Quầy 1", "scopes": ["readers", "presence", "read.id"] })
    }

    fn proof(&self, method: &Method, path: &str, iat: i64) -> String {
        let jti = format!("a-proof-of-the-tests-{}", self.drawn.fetch_add(1, Ordering::SeqCst));
        let header = value!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk() }).to_string();
        let claims =
            value!({ "jti": jti, "htm": method.as_str(), "htu": format!("http://{HOST}{path}"), "iat": iat });
        let signed = format!("{}.{}", coded(header.as_bytes()), coded(claims.to_string().as_bytes()));
        let signature = EcdsaSig::sign(&sha256(signed.as_bytes()), &self.pair).unwrap();
        let padded = |number: &openssl::bn::BigNumRef| number.to_vec_padded(32).unwrap();
        format!("{signed}.{}", coded(&[padded(signature.r()), padded(signature.s())].concat()))
    }

    fn request(&self, method: Method, path: &str) -> http::request::Builder {
        Request::builder().method(method).uri(path).header("host", HOST).header("origin", self.origin)
    }

    fn proved(&self, method: Method, path: &str, iat: i64) -> http::request::Builder {
        let proof = self.proof(&method, path.split('?').next().unwrap(), iat);
        self.request(method, path).header("dpop", proof)
    }
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn a_page_is_let_in_by_the_code_at_the_desk() {
    let (desk, page) = (Desk::open(), Page::at(PAGE));
    let begun = desk.begin(&page).await;
    assert_eq!(begun.status, StatusCode::CREATED);
    assert_eq!(begun.header("access-control-allow-origin"), PAGE);
    let told = begun.json();
    assert_eq!((&told["expires_in_s"], &told["tries_left"]), (&value!(60), &value!(3)));

    let waiting = desk.admin(Method::GET, "/pairings").await.json()["pairings"][0].clone();
    assert_eq!((&waiting["origin"], &waiting["label"]), (&value!(PAGE), &value!("Quầy 1")));
    assert_eq!(waiting["scopes"], value!(["readers", "presence", "read.id"]));
    let code = waiting["code"].as_str().unwrap();
    assert!(!String::from_utf8_lossy(&begun.body).contains(code));

    // Without the proof the code is worth nothing, with another key's neither.
    let path = begun.header("location");
    let bare = desk.send(json(page.request(Method::POST, path), &value!({ "code": code }))).await;
    assert_eq!(bare.problem(), refused(401, "token-missing"));
    let thief = Page::at(PAGE);
    assert_eq!(desk.confirm(&thief, &begun, code).await.problem(), refused(404, "pairing-not-found"));

    let grant = desk.confirm(&page, &begun, code).await;
    assert_eq!(grant.status, StatusCode::CREATED, "{grant:?}");
    let own = desk.get(&page, "/v1/grants/self").await;
    assert_eq!(own.json(), grant.json());
    assert_eq!(own.json()["scopes"], value!(["readers", "presence", "read.id"]));
    assert_eq!(desk.get(&page, "/v1/readers").await.status, StatusCode::OK);
    assert_eq!(desk.confirm(&page, &begun, code).await.problem(), refused(404, "pairing-not-found"));
    // A query is no part of what is proved.
    assert_eq!(desk.get(&page, "/v1/readers?x=1").await.status, StatusCode::OK);
}

#[tokio::test]
async fn three_wrong_codes_end_a_pairing_and_a_refused_one_is_over() {
    let (desk, page) = (Desk::open(), Page::at(PAGE));
    let begun = desk.begin(&page).await;
    let code = desk.code().await;
    let wrong = if code == "000000" { "000001" } else { "000000" };
    for tries_left in [2, 1, 0] {
        let answer = desk.confirm(&page, &begun, wrong).await;
        assert_eq!(answer.problem(), refused(403, "pairing-code-wrong"));
        assert_eq!(answer.json()["tries_left"], tries_left);
    }
    assert_eq!(desk.confirm(&page, &begun, &code).await.problem(), refused(404, "pairing-not-found"));

    let begun = desk.begin(&page).await;
    let code = desk.code().await;
    let id = begun.json()["pairing_id"].as_str().unwrap().to_owned();
    assert_eq!(desk.admin(Method::DELETE, &format!("/pairings/{id}")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(desk.confirm(&page, &begun, &code).await.problem(), refused(404, "pairing-not-found"));
}

#[tokio::test]
async fn only_pages_that_may_ask_do_and_not_without_end() {
    let off = Desk::new(PairingSettings::default());
    assert_eq!(off.begin(&Page::at(PAGE)).await.problem(), refused(403, "origin-not-allowed"));

    let secure = Desk::open();
    for origin in ["http://his.example.vn", "http://192.168.1.10", "null"] {
        assert_eq!(
            secure.begin(&Page::at(origin)).await.problem(),
            refused(403, "origin-not-allowed"),
            "{origin}"
        );
    }
    let program = Request::builder().method(Method::POST).uri("/v1/pairings").header("host", HOST);
    let answer = secure.send(json(program, &Page::at(PAGE).wish())).await;
    assert_eq!(answer.problem(), refused(403, "pairing-not-allowed"));
    for number in 0..5 {
        assert_eq!(secure.begin(&Page::at(PAGE)).await.status, StatusCode::CREATED, "{number}");
    }
    assert_eq!(secure.begin(&Page::at(PAGE)).await.problem(), refused(429, "rate-limited"));

    let listed =
        Desk::new(pairing("origins = ['http://192.168.1.10']\nscopes = ['readers', 'presence', 'read.id']"));
    assert_eq!(listed.begin(&Page::at(PAGE)).await.problem(), refused(403, "origin-not-allowed"));
    let page = Page::at("http://192.168.1.10");
    assert_eq!(listed.begin(&page).await.status, StatusCode::CREATED);
    let mut more = page.wish();
    more["scopes"] = value!(["photo"]);
    let answer = listed.send(json(page.request(Method::POST, "/v1/pairings"), &more)).await;
    assert_eq!(answer.problem(), refused(403, "scope-missing"));
}

#[tokio::test]
async fn what_a_page_sends_about_itself_is_taken_in_one_form_only() {
    let (desk, page) = (Desk::open(), Page::at(PAGE));
    let with = |name: &str, told: Value| {
        let mut wish = page.wish();
        wish[name] = told;
        wish
    };
    let mut private = page.jwk();
    private["d"] = value!("AAAA");
    for wish in [
        with("public_key", private),
        with("public_key", value!({ "kty": "RSA" })),
        with("public_key", value!("key")),
        with("label", value!("")),
        with("label", value!("x".repeat(65))),
        with("label", value!("two\nlines")),
        with("label", value!("\u{1b}[2J")),
        with("label", value!("turned \u{202e}dnuora")),
        with("scopes", value!(["admin"])),
        with("more", value!(1)),
    ] {
        let answer = desk.send(json(page.request(Method::POST, "/v1/pairings"), &wish)).await;
        assert_eq!(answer.problem(), refused(400, "body-invalid"), "{wish}");
    }
    assert!(desk.admin(Method::GET, "/pairings").await.json()["pairings"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn a_proof_is_for_one_request_of_one_page() {
    let (desk, page) = (Desk::open(), Page::at(PAGE));
    desk.pair(&page).await;
    let get = |proof: String| page.request(Method::GET, "/v1/readers").header("dpop", proof);
    let proof = page.proof(&Method::GET, "/v1/readers", NOW);
    assert_eq!(desk.send(empty(get(proof.clone()))).await.status, StatusCode::OK);
    let again = desk.send(empty(get(proof))).await;
    assert_eq!(again.problem(), refused(401, "proof-replayed"));
    assert!(again.header("www-authenticate").starts_with("DPoP "));
    for proof in [
        page.proof(&Method::POST, "/v1/readers", NOW),
        page.proof(&Method::GET, "/v1/reads", NOW),
        page.proof(&Method::GET, "/v1/readers", NOW - 61),
        page.proof(&Method::GET, "/v1/readers", NOW + 6),
        "x".to_owned(),
        "eyJhbGciOiJub25lIn0.e30.".to_owned(),
    ] {
        assert_eq!(
            desk.send(empty(get(proof.clone()))).await.problem(),
            refused(401, "proof-wrong"),
            "{proof}"
        );
    }
    let fresh = || page.proof(&Method::GET, "/v1/readers", NOW);
    let two = get(fresh()).header("dpop", fresh());
    assert_eq!(desk.send(empty(two)).await.problem(), refused(401, "proof-wrong"));
    let beside = get(fresh()).header("authorization", "DPoP x");
    assert_eq!(desk.send(empty(beside)).await.problem(), refused(401, "proof-wrong"));
    // The key alone is not the page.
    let other = get(fresh());
    let other = other.header("origin", "https://other.example.vn");
    assert_eq!(desk.send(empty(other)).await.problem(), refused(403, "origin-not-allowed"));
    let moved =
        Page { origin: "https://other.example.vn", pair: page.pair.clone(), drawn: AtomicI64::new(900) };
    assert_eq!(desk.get(&moved, "/v1/readers").await.problem(), refused(403, "origin-not-allowed"));
    let none = Request::builder().uri("/v1/readers").header("host", HOST).header("dpop", fresh());
    assert_eq!(desk.send(empty(none)).await.problem(), refused(403, "origin-not-allowed"));
}

#[tokio::test]
async fn a_grant_ends_by_itself_and_a_key_that_was_never_let_in_hears_so() {
    let (desk, page) = (Desk::open(), Page::at(PAGE));
    let stranger = desk.get(&page, "/v1/readers").await;
    assert_eq!(stranger.problem(), refused(401, "pairing-required"));
    assert_eq!(stranger.header("access-control-allow-origin"), PAGE);
    desk.pair(&page).await;
    desk.clock.store(NOW + 90 * 86_400 - 1, Ordering::SeqCst);
    assert_eq!(desk.get(&page, "/v1/readers").await.status, StatusCode::OK);
    desk.clock.store(NOW + 90 * 86_400, Ordering::SeqCst);
    assert_eq!(desk.get(&page, "/v1/readers").await.problem(), refused(401, "pairing-required"));
}

#[tokio::test]
async fn a_grant_that_is_taken_back_ends_what_streams_and_what_waits() {
    let (desk, page) = (Desk::open(), Page::at(PAGE));
    let grant = desk.pair(&page).await;
    let stream = desk.port.clone().oneshot(empty(page.proved(Method::GET, "/v1/events", NOW))).await.unwrap();
    assert_eq!(stream.status(), StatusCode::OK);
    let mut stream = stream.into_body().into_data_stream();
    assert!(soon("the beginning of the stream", stream.next()).await.unwrap().is_ok());

    let id = grant["grant_id"].as_str().unwrap();
    let listed = desk.admin(Method::GET, "/grants").await.json();
    assert_eq!(listed["grants"], value!([grant]));
    assert_eq!(desk.admin(Method::DELETE, &format!("/grants/{id}")).await.status, StatusCode::NO_CONTENT);
    assert!(soon("the end of the stream", stream.next()).await.is_none());
    assert_eq!(desk.get(&page, "/v1/readers").await.problem(), refused(401, "pairing-required"));
    assert_eq!(desk.admin(Method::DELETE, &format!("/grants/{id}")).await.status, StatusCode::NOT_FOUND);

    // The same key may be let in again, and a page may give its grant back itself.
    desk.pair(&page).await;
    let own = desk.send(empty(page.proved(Method::DELETE, "/v1/grants/self", NOW))).await;
    assert_eq!(own.status, StatusCode::NO_CONTENT);
    assert_eq!(desk.get(&page, "/v1/grants/self").await.problem(), refused(401, "pairing-required"));
    drop(desk.engine);
}

#[tokio::test]
async fn a_page_reads_under_profiles_only_where_settings_and_grant_name_them() {
    let desk = Desk::new(pairing("profiles = ['clinic', 'exam']"));
    let page = Page::at(PAGE);
    let wish = |profiles: Value| {
        let mut wish = page.wish();
        wish["profiles"] = profiles;
        wish
    };
    for greedy in [value!(["notary"]), value!(["clinic", "notary"]), value!([""])] {
        let refusal = desk.begin_for(&page, &wish(greedy.clone())).await;
        assert_eq!(refusal.problem(), refused(403, "profile-not-granted"), "{greedy}");
    }
    // Never by default.
    assert_eq!(desk.pair(&page).await["profiles"], value!([]));
    let read = value!({ "access": { "can": "123456" }, "profile": "clinic" });
    let lease = value!({ "auto_read": { "profile": "clinic" } });
    assert_eq!(desk.post(&page, "/v1/reads", &read).await.problem(), refused(403, "profile-not-granted"));
    let leased = desk.post(&page, "/v1/readers/lane-0/lease", &lease).await;
    assert_eq!(leased.problem(), refused(403, "profile-not-granted"));

    let begun = desk.begin_for(&page, &wish(value!(["exam", "clinic", "exam"]))).await;
    assert_eq!(begun.status, StatusCode::CREATED);
    let shown = desk.admin(Method::GET, "/pairings").await.json()["pairings"][0].clone();
    assert_eq!(shown["profiles"], value!(["clinic", "exam"]), "whoever lets it in sees what for");
    let grant = desk.confirm(&page, &begun, shown["code"].as_str().unwrap()).await.json();
    assert_eq!(grant["profiles"], value!(["clinic", "exam"]));
    assert_eq!(desk.get(&page, "/v1/caller").await.json()["profiles"], value!(["clinic", "exam"]));
    // This desk has no such profile; that the page may ask for it is another matter.
    assert_eq!(desk.post(&page, "/v1/reads", &read).await.problem(), refused(503, "profile-unavailable"));
    let other = value!({ "access": { "can": "123456" }, "profile": "notary" });
    assert_eq!(desk.post(&page, "/v1/reads", &other).await.problem(), refused(403, "profile-not-granted"));
}

#[tokio::test]
async fn a_grant_that_is_taken_back_stops_at_once_and_what_was_begun_is_delivered() {
    let hand = InProcessReader::new();
    let reader = hand.attach("Lane 0", ChannelLimits::EXTENDED).unwrap();
    let (arrives, arrived) = mpsc::channel();
    let (go_on, goes_on) = mpsc::channel();
    let gate = Mutex::new((arrives, goes_on));
    // The reading is held up at its end until the grant has been taken back.
    let judge = move |_: &_, _| {
        let gate = gate.lock().unwrap();
        gate.0.send(()).unwrap();
        let told = gate.1.recv_timeout(Duration::from_secs(120));
        assert_ne!(told, Err(RecvTimeoutError::Timeout), "nobody lets the reading go on");
        cccd_trust::Verdict::of(Vec::new())
    };
    let options = EngineOptions { judge: Arc::new(judge), ..EngineOptions::default() };
    let kept = Arc::new(Kept::default());
    let desk = Desk::reading(pairing("profiles = ['sent']"), vec![Arc::new(hand.clone())], options, |api| {
        api.reading_under(Arc::new(Shelf::new())).delivering(kept.clone())
    });
    assert!(desk.engine.handle().settled().await.unwrap());
    let mut events = desk.engine.handle().subscribe(CallerId::new("test"), None).await.unwrap();
    let image = personalise(&card(), &Issuer::new().unwrap()).unwrap();
    hand.insert(&reader, Chip::new(image)).unwrap();
    while !matches!(events.coming.recv().await.unwrap().kind, EventKind::CardInserted { .. }) {}

    let page = Page::at(PAGE);
    let mut wish = page.wish();
    wish["profiles"] = value!(["sent"]);
    let grant = desk.pair_for(&page, &wish).await;
    assert_eq!(desk.post(&page, "/v1/readers/lane-0/lease", &value!({})).await.status, StatusCode::OK);
    let body = value!({ "access": { "can": card().can().unwrap() }, "profile": "sent" });
    let begun = desk.post(&page, "/v1/reads", &body).await;
    assert_eq!(begun.status, StatusCode::ACCEPTED, "{begun:?}");
    let waits = desk.post(&page, "/v1/reads", &body).await;
    let wait = move || arrived.recv_timeout(Duration::from_secs(120));
    tokio::task::spawn_blocking(wait).await.unwrap().expect("the reading comes as far as its judgement");

    let path = format!("/grants/{}", grant["grant_id"].as_str().unwrap());
    assert_eq!(desk.admin(Method::DELETE, &path).await.status, StatusCode::NO_CONTENT);
    let gone = desk.post(&page, "/v1/reads", &body).await;
    assert_eq!(gone.problem(), refused(401, "pairing-required"));
    go_on.send(()).unwrap();
    kept.holds(1).await;
    let read = begun.json()["read_id"].as_str().unwrap().to_owned();
    assert_eq!(kept.put.lock().unwrap()[0].1, read);
    assert_eq!(
        desk.engine.handle().readers().await.unwrap()[0].held_by,
        None,
        "the lease went with the grant"
    );

    // Let in anew with the same key, the page finds nothing of what it had asked for.
    desk.pair_for(&page, &wish).await;
    let result = desk.get(&page, &format!("/v1/reads/{read}/result")).await;
    assert_eq!(result.problem(), refused(410, "read-expired"));
    let waits = waits.json()["read_id"].as_str().unwrap().to_owned();
    let waits = desk.get(&page, &format!("/v1/reads/{waits}/result")).await;
    assert_eq!(waits.problem().1, "cancelled");
    assert_eq!(kept.put.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_for_administrators_is_not_on_the_port() {
    let desk = Desk::open();
    for path in
        ["/status", "/metrics", "/pairings", "/grants", "/admin/status", "/v1/pairings", "/v1/metrics"]
    {
        let request = Request::builder().uri(path).header("host", HOST);
        let told = desk.send(empty(request)).await;
        let expected = if path == "/v1/pairings" { (405, "method-not-allowed") } else { (404, "not-found") };
        assert_eq!(told.problem(), refused(expected.0, expected.1), "{path}");
    }
    let status = desk.admin(Method::GET, "/status").await.json();
    assert_eq!((&status["version"], &status["pairing"]), (&value!("1.2.3"), &value!(true)));
    let metrics = desk.admin(Method::GET, "/metrics").await;
    assert!(metrics.header("content-type").starts_with("application/openmetrics-text"));
    let text = String::from_utf8(metrics.body.to_vec()).unwrap();
    assert!(text.contains("cccd_requests_total{method=\"GET\",route=\"none\",status=\"404\"} 6\n"), "{text}");
    assert!(text.contains("status=\"405\"") && !text.contains("his.example"), "{text}");
}

#[tokio::test]
async fn the_hand_off_window_is_for_listed_pages_and_stands_in_no_frame() {
    let text = "[admin]\nsocket = '/admin.sock'\n[[handoff]]\norigin = 'http://192.168.1.10'\nname = 'HIS'\n\
        purpose_vi = 'Khám'\npurpose_en = 'Visit'\nscopes = ['read.id']";
    let settings = AgentSettings::parse(text).unwrap();
    let access = Access { handoffs: settings.handoffs, ..Access::default() };
    let engine = Engine::start(Vec::new(), Vec::new(), EngineOptions::default());
    let facts = AgentFacts { version: "1.2.3".to_owned(), features: vec![] };
    let port = Api::new(engine.handle(), access, facts).router(9303);
    let get = |path: &str| empty(Request::builder().uri(path).header("host", HOST));
    let window = answer(&port, get("/handoff?origin=http://192.168.1.10&state=a1")).await;
    assert_eq!(window.status, StatusCode::OK);
    assert_eq!(window.header("x-frame-options"), "DENY");
    let policy = window.header("content-security-policy");
    assert!(policy.contains("frame-ancestors 'none'") && policy.contains("default-src 'none'"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    for (path, expected) in [
        ("/handoff?origin=http://192.168.1.11", refused(403, "handoff-not-allowed")),
        ("/handoff?origin=http://192.168.1.10:8080", refused(403, "handoff-not-allowed")),
        ("/handoff", refused(400, "parameter-invalid")),
    ] {
        assert_eq!(answer(&port, get(path)).await.problem(), expected, "{path}");
    }
    for path in ["/handoff/page.js", "/handoff/page.css"] {
        assert_eq!(answer(&port, get(path)).await.status, StatusCode::OK);
    }
    // The window pairs for what the listed pages receive, and for nothing more.
    let own = Page::at("http://127.0.0.1:9303");
    let mut wish = own.wish();
    wish["scopes"] = value!(["photo"]);
    let greedy = answer(&port, json(own.request(Method::POST, "/v1/pairings"), &wish)).await;
    assert_eq!(greedy.problem(), refused(403, "scope-missing"));
    wish["scopes"] = value!(["read.id"]);
    let modest = answer(&port, json(own.request(Method::POST, "/v1/pairings"), &wish)).await;
    assert_eq!(modest.status, StatusCode::CREATED);
    // The page that it reads for may not ask itself.
    let site = Page::at("http://192.168.1.10");
    let asking = answer(&port, json(site.request(Method::POST, "/v1/pairings"), &site.wish())).await;
    assert_eq!(asking.problem(), refused(403, "origin-not-allowed"));
}
