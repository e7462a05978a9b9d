//! Managed sites: what their backend signs opens a session, once, from their page, at this desk.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use cccd_api::Access;
use cccd_api::callers::{MemoryReplays, Remembered, ReplayKind, ReplayMemory};
use cccd_evidence::AgentKey;
use cccd_patience::soon;
use cccd_profiles::{AgentSettings, Site};
use http::{Method, Request, StatusCode};
use serde_json::{Value, json as value};
use time::OffsetDateTime;
use time::macros::datetime;

use crate::desk::{Answer, CLINIC, CLINIC_ORIGIN, Desk, callers, card, empty, from, from_nobody, json};
use crate::site_backend::{SiteBackend, claims};

const NOW: OffsetDateTime = datetime!(2026-11-29 08:00 UTC);
const ORIGIN: &str = "https://site.example.vn";
const OTHER_ORIGIN: &str = "https://other.example.vn";

/// The sites of a desk's settings, as TOML says them.
fn sites(keys: &[&SiteBackend], other: &SiteBackend) -> Vec<Site> {
    let pem = |backend: &SiteBackend| format!("'''{}'''", backend.public_pem());
    let keys: Vec<String> = keys.iter().copied().map(pem).collect();
    let text = format!(
        "[api]\nworkstation_id = 'desk-3'\n\
         [[site]]\nname = 'his'\norigins = ['{ORIGIN}']\nkeys = [{}]\nsession_s = 60\n\
         scopes = ['readers', 'presence', 'read.id', 'read.full', 'photo']\nprofiles = ['clinic', 'exam']\n\
         [[site]]\nname = 'other'\norigins = ['{OTHER_ORIGIN}']\nkeys = [{}]\nscopes = ['read.id']\n",
        keys.join(", "),
        pem(other),
    );
    AgentSettings::parse(&text).unwrap().sites
}

struct SiteDesk {
    desk: Desk,
    agent: String,
    backend: SiteBackend,
    other: SiteBackend,
}

fn desk_with(desk: Desk, backend: SiteBackend, replays: Arc<dyn ReplayMemory>) -> SiteDesk {
    let other = SiteBackend::on_p256();
    let access = Access {
        callers: callers(),
        sites: sites(&[&SiteBackend::on_p256(), &backend], &other),
        workstation_id: Some("desk-3".to_owned()),
        replays,
        clock: Arc::new(|| NOW),
        ..Access::default()
    };
    let key = AgentKey::generate(&mut getrandom::SysRng).unwrap();
    let agent = key.key_id().to_string();
    SiteDesk { desk: desk.letting_in(access).signing_with(key), agent, backend, other }
}

fn a_desk() -> SiteDesk {
    desk_with(Desk::bare(), SiteBackend::on_ed25519(), Arc::new(MemoryReplays::default()))
}

impl SiteDesk {
    fn claims(&self, name: &str) -> Value {
        claims("his", &self.agent, ORIGIN, NOW.unix_timestamp(), name)
    }

    async fn open(&self, token: &str, origin: Option<&str>) -> Answer {
        let request = from(token, Method::POST, "/v1/sessions");
        let request = origin.into_iter().fold(request, |request, origin| request.header("origin", origin));
        self.desk.send(empty(request)).await
    }

    /// The token of a session.
    async fn session(&self, claims: &Value) -> String {
        let answer = self.open(&self.backend.sign(claims), Some(ORIGIN)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.json());
        answer.json()["token"].as_str().unwrap().to_owned()
    }

    async fn get(&self, token: &str, path: &str) -> Answer {
        self.desk.send(from_page(token, Method::GET, path)).await
    }
}

fn from_page(token: &str, method: Method, path: &str) -> Request<Body> {
    empty(from(token, method, path).header("origin", ORIGIN))
}

#[tokio::test]
async fn a_signed_token_opens_a_session_with_what_both_sides_allow() {
    for backend in [SiteBackend::on_ed25519(), SiteBackend::on_p256()] {
        let site = desk_with(Desk::bare(), backend, Arc::new(MemoryReplays::default()));
        let mut claims = site.claims("token-0001");
        claims["scope"] = value!("readers read.id read.family");
        let answer = site.open(&site.backend.sign(&claims), Some(ORIGIN)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.json());
        answer.assert_guarded();
        assert_eq!(answer.header("access-control-allow-origin"), ORIGIN);
        let session = answer.json();
        assert_eq!(session["expires_in"], 60);
        assert_eq!(session["expires_at"], "2026-11-29T08:01:00Z");
        let caller = &session["caller"];
        // The family is not in the settings, the face not in the token.
        assert_eq!(caller["scopes"], value!(["readers", "read.id"]));
        assert_eq!(caller["fields"], value!(["number", "name", "birth"]));
        assert_eq!((&caller["kind"], &caller["label"]), (&value!("site"), &value!("site:his")));
        assert_eq!(caller["purpose"], "đăng ký khám bệnh");
        let token = session["token"].as_str().unwrap();
        assert_eq!(site.get(token, "/v1/readers").await.status, StatusCode::OK);
        assert_eq!(site.get(token, "/v1/caller").await.json(), *caller);
    }
}

#[tokio::test]
async fn each_wrong_claim_is_refused_by_its_own_name() {
    let site = a_desk();
    let now = NOW.unix_timestamp();
    let claims = |name: &str, wrong: Value| {
        let mut claims = site.claims("token-wrong");
        claims[name] = wrong;
        if claims[name].is_null() {
            claims.as_object_mut().unwrap().remove(name);
        }
        claims
    };
    for (name, wrong, code, told) in [
        ("iss", value!(null), "token-claims-invalid", "iss"),
        ("iss", value!("nobody"), "token-wrong", ""),
        // Another site's name under this site's key.
        ("iss", value!("other"), "token-wrong", ""),
        ("aud", value!(null), "token-claims-invalid", "aud"),
        ("aud", value!("cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s"), "token-misdirected", "aud"),
        ("aud", value!([]), "token-misdirected", "aud"),
        ("workstation_id", value!(null), "token-claims-invalid", "workstation_id"),
        ("workstation_id", value!("desk-4"), "token-misdirected", "workstation_id"),
        ("origin", value!(null), "token-claims-invalid", "origin"),
        ("origin", value!(OTHER_ORIGIN), "origin-not-allowed", "origin"),
        ("scope", value!(null), "token-claims-invalid", "scope"),
        ("scope", value!("read.id admin"), "token-claims-invalid", "scope"),
        ("scope", value!(""), "scope-missing", ""),
        ("scope", value!("evidence fingerprints"), "scope-missing", ""),
        ("purpose", value!(null), "token-claims-invalid", "purpose"),
        ("purpose", value!(""), "token-claims-invalid", "purpose"),
        ("purpose", value!("a\nb"), "token-claims-invalid", "purpose"),
        ("purpose", value!("x".repeat(201)), "token-claims-invalid", "purpose"),
        ("legal_basis", value!("\u{1b}[2J"), "token-claims-invalid", "legal_basis"),
        ("jti", value!(null), "token-claims-invalid", "jti"),
        ("jti", value!("short"), "token-claims-invalid", "jti"),
        ("sub", value!(""), "token-claims-invalid", "sub"),
        ("iat", value!(null), "token-claims-invalid", "iat"),
        ("exp", value!(null), "token-claims-invalid", "exp"),
        ("exp", value!(now + 121), "token-claims-invalid", "120"),
        ("exp", value!(now), "token-claims-invalid", "120"),
        ("exp", value!("tomorrow"), "token-claims-invalid", ""),
        ("iat", value!(i64::MIN), "token-claims-invalid", "range"),
        ("nbf", value!(now + 31), "token-expired", "clocks"),
    ] {
        let answer = site.open(&site.backend.sign(&claims(name, wrong.clone())), Some(ORIGIN)).await;
        assert_eq!(answer.problem().1, code, "{name} {wrong}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(told), "{name} {wrong}: {detail}");
        assert!(!detail.contains("đăng ký") && !detail.contains("token-wrong"), "{detail}");
    }
    // Nothing of that used the name up.
    site.session(&site.claims("token-wrong")).await;
}

#[tokio::test]
async fn a_token_is_good_for_two_minutes_give_or_take_the_clocks() {
    let site = a_desk();
    let now = NOW.unix_timestamp();
    for (issued, expires, code) in [
        (0, 120, None),
        (30, 150, None),
        (31, 151, Some("token-expired")),
        (-120, 0, None),
        (-90, -30, None),
        (-91, -31, Some("token-expired")),
        (20, 20, Some("token-claims-invalid")),
        (20, 10, Some("token-claims-invalid")),
    ] {
        let mut claims = site.claims(&format!("token-{issued}-{expires}"));
        claims["iat"] = value!(now + issued);
        claims["exp"] = value!(now + expires);
        let answer = site.open(&site.backend.sign(&claims), Some(ORIGIN)).await;
        match code {
            None => assert_eq!(answer.status, StatusCode::CREATED, "{issued} {expires}"),
            Some(code) => assert_eq!(answer.problem().1, code, "{issued} {expires}"),
        }
    }
}

#[tokio::test]
async fn a_token_works_from_its_page_alone() {
    let site = a_desk();
    let token = site.backend.sign(&site.claims("token-0001"));
    for (origin, code) in [
        (None, "origin-not-allowed"),
        (Some(OTHER_ORIGIN), "origin-not-allowed"),
        (Some(CLINIC_ORIGIN), "origin-not-allowed"),
        (Some("https://evil.example"), "origin-not-allowed"),
        (Some("null"), "origin-not-allowed"),
    ] {
        assert_eq!(site.open(&token, origin).await.problem(), (403, code.to_owned()), "{origin:?}");
    }
    let session = site.open(&token, Some(ORIGIN)).await.json();
    let session = session["token"].as_str().unwrap();
    for origin in [None, Some(OTHER_ORIGIN), Some(CLINIC_ORIGIN)] {
        let request = from(session, Method::GET, "/v1/readers");
        let request = origin.into_iter().fold(request, |request, origin| request.header("origin", origin));
        let answer = site.desk.send(empty(request)).await;
        assert_eq!(answer.problem(), (403, "origin-not-allowed".to_owned()), "{origin:?}");
    }
}

#[tokio::test]
async fn a_token_opens_one_session_and_does_nothing_else() {
    let site = a_desk();
    let token = site.backend.sign(&site.claims("token-0001"));
    for path in ["/v1/readers", "/v1/events", "/v1/caller"] {
        assert_eq!(site.get(&token, path).await.problem(), (401, "session-required".to_owned()), "{path}");
    }
    assert_eq!(site.open(&token, Some(ORIGIN)).await.status, StatusCode::CREATED);
    // The same, and another with the same name.
    let mut again = site.claims("token-0001");
    again["exp"] = value!(NOW.unix_timestamp() + 90);
    for token in [&token, &site.backend.sign(&again)] {
        assert_eq!(site.open(token, Some(ORIGIN)).await.problem(), (401, "token-replayed".to_owned()));
    }
    // Another site's token may have the name, too.
    let theirs = claims("other", &site.agent, OTHER_ORIGIN, NOW.unix_timestamp(), "token-0001");
    let answer = site.open(&site.other.sign(&theirs), Some(OTHER_ORIGIN)).await;
    assert_eq!(answer.status, StatusCode::CREATED);
}

#[tokio::test]
async fn what_may_have_been_used_before_the_memory_begins_is_refused_and_so_is_all_where_there_is_none() {
    let memory = Arc::new(MemoryReplays::beginning(NOW));
    let site = desk_with(Desk::bare(), SiteBackend::on_p256(), memory);
    // With a clock that is ahead by half a minute, it was good just when the memory began.
    for (issued, code) in [(-1, 401), (0, 401), (30, 401)] {
        let mut old = site.claims(&format!("token-of-{issued}"));
        old["iat"] = value!(NOW.unix_timestamp() + issued);
        let answer = site.open(&site.backend.sign(&old), Some(ORIGIN)).await;
        assert_eq!(answer.problem(), (code, "token-replayed".to_owned()));
    }
    let later = Arc::new(MemoryReplays::beginning(NOW - time::Duration::seconds(31)));
    let site = desk_with(Desk::bare(), SiteBackend::on_p256(), later);
    site.session(&site.claims("token-0001")).await;

    struct Broken;
    impl ReplayMemory for Broken {
        fn remember(&self, _: ReplayKind, _: [u8; 32], _: OffsetDateTime, _: OffsetDateTime) -> Remembered {
            Remembered::Unavailable
        }
    }
    let site = desk_with(Desk::bare(), SiteBackend::on_p256(), Arc::new(Broken));
    let answer = site.open(&site.backend.sign(&site.claims("token-0001")), Some(ORIGIN)).await;
    assert_eq!(answer.problem(), (503, "replay-memory-unavailable".to_owned()));
}

#[tokio::test]
async fn nobody_elses_signature_opens_anything() {
    let site = a_desk();
    let claims = site.claims("token-0001");
    let stranger = SiteBackend::on_ed25519();
    let good = site.backend.sign(&claims);
    let (signed, _) = good.rsplit_once('.').unwrap();
    for token in [
        stranger.sign(&claims),
        site.other.sign(&claims),
        site.backend.sign_as(&value!({ "alg": "none" }), &claims),
        site.backend.sign_as(&value!({ "alg": "HS256" }), &claims),
        site.backend.sign_as(&value!({ "alg": "ES256" }), &claims),
        site.backend.sign_as(&value!({ "alg": "EdDSA", "crit": ["exp"] }), &claims),
        site.backend.sign_as(&value!({ "alg": "EdDSA", "typ": "dpop+jwt" }), &claims),
        site.backend.sign_as(&value!({ "alg": "EdDSA", "typ": "cccd-evidence+jwt" }), &claims),
        // A key in the header is nobody's.
        stranger
            .sign_as(&value!({ "alg": "EdDSA", "jku": "https://site.example.vn/keys", "kid": "1" }), &claims),
        format!("{signed}."),
        format!("{good}A"),
        "eyJ..".to_owned(),
        CLINIC.to_owned(),
    ] {
        let answer = site.open(&token, Some(ORIGIN)).await;
        assert_eq!(answer.problem(), (401, "token-wrong".to_owned()), "{token}");
    }
    let nothing = from_nobody(Method::POST, "/v1/sessions").header("origin", ORIGIN);
    assert_eq!(site.desk.send(empty(nothing)).await.problem(), (401, "token-missing".to_owned()));
}

/// Makes every session of these sites over. The clock stands still for no longer than that: the engine has one of its own.
async fn let_a_minute_pass() {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(61)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_session_ends_by_itself_or_when_it_is_given_up_and_its_stream_with_it() {
    let site = a_desk();
    let wrong = "cs_6ooWc5yJ3HqYb0m3M8b1pVZb3mJ9H7n0c1rQpF2wX5k";
    assert_eq!(site.get(wrong, "/v1/readers").await.problem(), (401, "session-expired".to_owned()));

    let first = site.session(&site.claims("token-0001")).await;
    let second = site.session(&site.claims("token-0002")).await;
    let (status, stream) = site.desk.stream(from_page(&first, Method::GET, "/v1/events")).await;
    assert_eq!(status, StatusCode::OK);
    let ended = tokio::spawn(futures_util::StreamExt::count(stream));
    let answer = site.desk.send(from_page(&first, Method::DELETE, "/v1/sessions/current")).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    soon("the end of the stream", ended).await.unwrap();
    assert_eq!(site.get(&first, "/v1/readers").await.problem(), (401, "session-expired".to_owned()));

    let (_, stream) = site.desk.stream(from_page(&second, Method::GET, "/v1/events")).await;
    let ended = tokio::spawn(futures_util::StreamExt::count(stream));
    assert_eq!(site.get(&second, "/v1/readers").await.status, StatusCode::OK);
    let_a_minute_pass().await;
    soon("the end of the stream", ended).await.unwrap();
    assert_eq!(site.get(&second, "/v1/readers").await.problem(), (401, "session-expired".to_owned()));
}

#[tokio::test]
async fn a_session_that_is_given_up_frees_its_readers_at_once_and_calls_off_what_waits() {
    let backend = SiteBackend::on_p256();
    let site = desk_with(Desk::simulated(), backend, Arc::new(MemoryReplays::default()));
    let reader = site.desk.plug_in("Lane 0").await;
    let user = |name: &str, user: &str| {
        let mut claims = site.claims(name);
        claims["sub"] = value!(user);
        claims
    };
    let lan = site.session(&user("token-0001", "lan@his")).await;
    let beside = site.session(&user("token-0002", "lan@his")).await;
    let minh = site.session(&user("token-0003", "minh@his")).await;
    let lease = |token: &str| {
        let ask = from(token, Method::POST, &format!("/v1/readers/{reader}/lease")).header("origin", ORIGIN);
        json(ask, &value!({ "seconds": 120 }))
    };
    let body = value!({ "access": { "can": card().can().unwrap() }, "wait_for_card_s": 120 });
    let mut waiting = Vec::new();
    for token in [&lan, &beside] {
        let ask = from(token, Method::POST, "/v1/reads").header("origin", ORIGIN);
        let accepted = site.desk.send(json(ask, &body)).await;
        assert_eq!(accepted.status, StatusCode::ACCEPTED);
        waiting.push(accepted.header("location").to_owned());
    }
    assert_eq!(site.desk.send(lease(&lan)).await.status, StatusCode::OK);
    assert_eq!(site.desk.send(lease(&minh)).await.status, StatusCode::LOCKED);
    let ended = site.desk.send(from_page(&lan, Method::DELETE, "/v1/sessions/current")).await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT);
    assert_eq!(site.desk.send(lease(&minh)).await.status, StatusCode::OK);
    // Another session of the same user sees what became of both.
    let gone = site.get(&beside, &waiting[0]).await.json();
    assert_eq!((&gone["state"], &gone["problem"]["code"]), (&value!("failed"), &value!("cancelled")));
    assert_eq!(site.get(&beside, &waiting[1]).await.json()["state"], "waiting");
}

#[tokio::test]
async fn a_session_whose_time_is_over_leaves_nothing_waiting() {
    let backend = SiteBackend::on_p256();
    let site = desk_with(Desk::simulated(), backend, Arc::new(MemoryReplays::default()));
    site.desk.plug_in("Lane 0").await;
    let short = site.session(&site.claims("token-0001")).await;
    let body = value!({ "access": { "can": card().can().unwrap() }, "wait_for_card_s": 300 });
    let ask = from(&short, Method::POST, "/v1/reads").header("origin", ORIGIN);
    let read = site.desk.send(json(ask, &body)).await.json()["read_id"].as_str().unwrap().to_owned();
    let read = cccd_engine::ReadId::parse(&read).unwrap();
    let mut view =
        site.desk.engine.handle().watch(cccd_engine::CallerId::new("site:his"), read).await.unwrap().unwrap();
    let_a_minute_pass().await;
    let over = view.wait_for(|view| view.state.is_over()).await.unwrap().state;
    assert_eq!(over, cccd_engine::ReadState::Failed(cccd_engine::ReadFailure::Cancelled));
}

#[tokio::test]
async fn a_site_reads_under_the_profiles_that_its_block_and_its_token_name() {
    let site = a_desk();
    let opened = |scope: &str, name: &str| {
        let mut claims = site.claims(name);
        claims["scope"] = value!(scope);
        site.backend.sign(&claims)
    };
    for (number, (scope, scopes, profiles)) in [
        // Never by default.
        ("readers read.id", value!(["readers", "read.id"]), value!([])),
        ("readers profile:clinic", value!(["readers"]), value!(["clinic"])),
        ("profile:clinic profile:exam profile:notary", value!([]), value!(["clinic", "exam"])),
    ]
    .into_iter()
    .enumerate()
    {
        let token = opened(scope, &format!("token-of-{number}"));
        let session = site.open(&token, Some(ORIGIN)).await;
        assert_eq!(session.status, StatusCode::CREATED, "{scope}: {:?}", session.json());
        let caller = session.json()["caller"].clone();
        assert_eq!((&caller["scopes"], &caller["profiles"]), (&scopes, &profiles), "{scope}");
    }
    for (name, scope, code) in [
        ("token-none", "profile:notary", "scope-missing"),
        ("token-odd", "profile:", "token-claims-invalid"),
        ("token-way", "profile:../clinic", "token-claims-invalid"),
    ] {
        assert_eq!(site.open(&opened(scope, name), Some(ORIGIN)).await.problem().1, code, "{scope}");
    }
    // A site that is granted none has none, whatever its token says.
    let mut theirs = claims("other", &site.agent, OTHER_ORIGIN, NOW.unix_timestamp(), "token-0001");
    theirs["scope"] = value!("read.id profile:clinic");
    let session = site.open(&site.other.sign(&theirs), Some(OTHER_ORIGIN)).await.json();
    assert_eq!(session["caller"]["profiles"], value!([]));
    let token = session["token"].as_str().unwrap();
    let body = value!({ "access": { "can": card().can().unwrap() }, "profile": "clinic" });
    let ask = json(from(token, Method::POST, "/v1/reads").header("origin", OTHER_ORIGIN), &body);
    assert_eq!(site.desk.send(ask).await.problem(), (403, "profile-not-granted".to_owned()));
    let ask = from(token, Method::POST, "/v1/readers/lane-0/lease").header("origin", OTHER_ORIGIN);
    let ask = json(ask, &value!({ "auto_read": { "profile": "clinic" } }));
    assert_eq!(site.desk.send(ask).await.problem(), (403, "scope-missing".to_owned()));
}

#[tokio::test]
async fn a_reading_belongs_to_its_user_across_sessions_and_to_nobody_else() {
    let backend = SiteBackend::on_p256();
    let site = desk_with(Desk::simulated(), backend, Arc::new(MemoryReplays::default()));
    let reader = site.desk.plug_in("Lane 0").await;
    site.desk.lay_card(&reader).await;
    let user = |name: &str, user: &str| {
        let mut claims = site.claims(name);
        claims["sub"] = value!(user);
        claims
    };
    let lan = site.session(&user("token-0001", "lan@his")).await;
    let again = site.session(&user("token-0002", "lan@his")).await;
    let minh = site.session(&user("token-0003", "minh@his")).await;
    let nobody = site.session(&site.claims("token-0004")).await;

    let body = value!({ "access": { "can": card().can().unwrap() } });
    let ask = from(&lan, Method::POST, "/v1/reads").header("origin", ORIGIN).header("prefer", "wait=60");
    let answer = site.desk.send(json(ask, &body)).await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.json()["code"]);
    let address = format!("{}/result", answer.header("location"));
    assert_eq!(site.get(&again, &address).await.status, StatusCode::OK);
    for other in [&minh, &nobody] {
        assert_eq!(site.get(other, &address).await.problem(), (404, "read-not-found".to_owned()));
    }
    let program = site.desk.send(empty(from(CLINIC, Method::GET, &address))).await;
    assert_eq!(program.problem(), (404, "read-not-found".to_owned()));
    // A narrower session of the same user gets less of the same reading.
    let mut narrow = user("token-0005", "lan@his");
    narrow["scope"] = value!("photo");
    let narrow = site.session(&narrow).await;
    let result = site.get(&narrow, &address).await.json();
    assert!(
        result["record"].as_object().unwrap().iter().all(|(name, field)| name == "notes" || field.is_null())
    );
    assert!(result["portrait"].is_object());

    // Who holds a reader is told by the site's name, never by its user's.
    let lease = format!("/v1/readers/{reader}/lease");
    let ask = from(&lan, Method::POST, &lease).header("origin", ORIGIN);
    assert_eq!(site.desk.send(json(ask, &value!({ "seconds": 30 }))).await.status, StatusCode::OK);
    let ask = from(&minh, Method::POST, &lease).header("origin", ORIGIN);
    let refused = site.desk.send(json(ask, &value!({ "seconds": 30 }))).await;
    assert_eq!((refused.status, &refused.json()["held_by"]), (StatusCode::LOCKED, &value!("site:his")));
}

#[tokio::test(start_paused = true)]
async fn too_many_wrong_tokens_are_told_to_stop_and_right_ones_are_not() {
    let site = a_desk();
    let mut last = None;
    for guess in 0..100 {
        let answer = site.get(&format!("guess {guess}"), "/v1/readers").await;
        let told = answer.problem();
        if told.0 == 429 {
            assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
            last = Some((guess, told.1));
            break;
        }
        assert_eq!(told, (401, "token-wrong".to_owned()));
    }
    let (guess, code) = last.unwrap();
    assert!(guess >= 10);
    assert_eq!(code, "rate-limited");
    // Others, and those who know theirs, go on.
    site.session(&site.claims("token-0001")).await;
    assert_eq!(site.desk.send(empty(from(CLINIC, Method::GET, "/v1/readers"))).await.status, StatusCode::OK);
    let elsewhere = from("guess", Method::GET, "/v1/readers").header("origin", OTHER_ORIGIN);
    assert_eq!(site.desk.send(empty(elsewhere)).await.problem().1, "token-wrong");
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(site.get("guess", "/v1/readers").await.problem().1, "token-wrong");
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_asks_too_often_waits_and_nobody_else_does() {
    let access = Access { callers: callers(), requests_per_second: 1, ..Access::default() };
    let desk = Desk::bare().letting_in(access);
    let ask = |token| desk.send(empty(from(token, Method::GET, "/v1/readers")));
    let mut served = 0;
    let refused = loop {
        let answer = ask(CLINIC).await;
        if answer.status != StatusCode::OK {
            break answer;
        }
        served += 1;
        assert!(served < 1000, "nobody is refused");
    };
    assert_eq!(served, 20);
    assert_eq!(refused.problem(), (429, "rate-limited".to_owned()));
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(ask(crate::desk::NOTARY).await.status, StatusCode::OK);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(ask(CLINIC).await.status, StatusCode::OK);
}
