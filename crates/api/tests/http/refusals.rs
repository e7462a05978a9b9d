//! Who does not get in, and what is not understood.

use axum::body::Body;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json as value};

use crate::desk::{
    Answer, CLINIC, CLINIC_ORIGIN, Desk, HOST, NOTARY, NOTARY_ORIGIN, empty, from, from_clinic, from_nobody,
    json,
};

fn code(answer: &Answer) -> (u16, String) {
    answer.problem()
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn a_foreign_host_is_refused_before_anything_else() {
    let desk = Desk::bare();
    let authorised = format!("Bearer {CLINIC}");
    for host in [
        "127.evil.com",
        "127.evil.com:9303",
        "127.0.0.1.:9303",
        "localhost.:9303",
        "LOCALHOST:9303",
        "[::ffff:127.0.0.1]:9303",
        "127.0.0.1:9304",
        "127.0.0.1",
        "evil.com",
    ] {
        for path in ["/v1/readers", "/healthz", "/nowhere"] {
            let request = Request::get(path).header("host", host).header("authorization", &authorised);
            assert_eq!(code(&desk.send(empty(request)).await), refused(421, "host-not-allowed"), "{host}");
        }
    }
    let without = Request::get("/v1/readers").header("authorization", &authorised);
    assert_eq!(code(&desk.send(empty(without)).await), refused(421, "host-not-allowed"));
    for host in [HOST, "[::1]:9303", "localhost:9303"] {
        let request = Request::get("/v1/readers").header("host", host).header("authorization", &authorised);
        assert_eq!(desk.send(empty(request)).await.status, StatusCode::OK, "{host}");
    }
}

#[tokio::test]
async fn only_the_callers_own_origins_are_let_in() {
    let desk = Desk::bare();
    for origin in [
        "null",
        "https://evil.example",
        "https://his.example.vn.evil.example",
        "https://his.example.vn:443",
        "http://his.example.vn",
        "HTTPS://HIS.EXAMPLE.VN",
        "http://127.0.0.1:9303",
        "*",
        "",
        // Another caller's page with this caller's token.
        NOTARY_ORIGIN,
    ] {
        let answer = desk.send(empty(from_clinic(Method::GET, "/v1/readers").header("origin", origin))).await;
        assert_eq!(code(&answer), refused(403, "origin-not-allowed"), "{origin}");
        if origin != NOTARY_ORIGIN {
            assert!(!answer.headers.contains_key("access-control-allow-origin"), "{origin}");
            let open = desk.send(empty(from_nobody(Method::GET, "/healthz").header("origin", origin))).await;
            assert_eq!(code(&open), refused(403, "origin-not-allowed"), "{origin}");
        }
    }
    let two = from_clinic(Method::GET, "/v1/readers")
        .header("origin", CLINIC_ORIGIN)
        .header("origin", CLINIC_ORIGIN);
    assert_eq!(code(&desk.send(empty(two)).await), refused(403, "origin-not-allowed"));

    let own = from_clinic(Method::GET, "/v1/readers").header("origin", CLINIC_ORIGIN);
    let answer = desk.send(empty(own)).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("access-control-allow-origin"), CLINIC_ORIGIN);
    answer.assert_guarded();
}

#[tokio::test]
async fn without_the_right_token_there_is_nothing_to_see() {
    let desk = Desk::bare();
    let request = || from_nobody(Method::GET, "/v1/readers");
    for (credentials, expected) in [
        (None, "token-missing"),
        (Some("Basic Y2xpbmljOng="), "token-missing"),
        (Some("Bearer"), "token-missing"),
        (Some("Bearer "), "token-wrong"),
        (Some("Bearer token of the clini"), "token-wrong"),
        (Some("Bearer token of the clinicc"), "token-wrong"),
        (Some("Bearer TOKEN OF THE CLINIC"), "token-wrong"),
    ] {
        let request =
            credentials.into_iter().fold(request(), |request, value| request.header("authorization", value));
        let answer = desk.send(empty(request)).await;
        assert_eq!(code(&answer), refused(401, expected), "{credentials:?}");
        assert!(answer.header("www-authenticate").starts_with("Bearer realm="));
        assert_eq!(answer.header("www-authenticate").contains("invalid_token"), expected == "token-wrong");
    }
    let two = from_clinic(Method::GET, "/v1/readers").header("authorization", format!("Bearer {NOTARY}"));
    assert_eq!(code(&desk.send(empty(two)).await), refused(401, "token-wrong"));
    let lower = request().header("authorization", format!("bearer {CLINIC}"));
    assert_eq!(desk.send(empty(lower)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_page_without_the_right_token_may_still_read_why() {
    let desk = Desk::bare();
    let request = from_nobody(Method::GET, "/v1/readers").header("origin", CLINIC_ORIGIN);
    let answer = desk.send(empty(request)).await;
    assert_eq!(code(&answer), refused(401, "token-missing"));
    assert_eq!(answer.header("access-control-allow-origin"), CLINIC_ORIGIN);
}

#[tokio::test]
async fn preflights_are_answered_for_known_origins_only() {
    let desk = Desk::bare();
    let preflight = |origin: &str| {
        from_nobody(Method::OPTIONS, "/v1/reads")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type")
    };
    for origin in [CLINIC_ORIGIN, NOTARY_ORIGIN] {
        let answer = desk.send(empty(preflight(origin))).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
        assert_eq!(answer.header("access-control-allow-origin"), origin);
        assert_eq!(answer.header("access-control-allow-methods"), "GET, POST, DELETE");
        let allowed = answer.header("access-control-allow-headers");
        assert!(allowed.contains("authorization") && allowed.contains("content-type"));
        assert!(!answer.headers.contains_key("access-control-allow-private-network"));
        answer.assert_guarded();
    }
    let asking = preflight(CLINIC_ORIGIN).header("access-control-request-private-network", "true");
    assert_eq!(desk.send(empty(asking)).await.header("access-control-allow-private-network"), "true");
    for origin in ["https://evil.example", "null"] {
        let answer = desk.send(empty(preflight(origin))).await;
        assert_eq!(code(&answer), refused(403, "origin-not-allowed"));
        assert!(!answer.headers.contains_key("access-control-allow-methods"));
    }
    // Without an origin it is no preflight, and needs a token like anything else.
    let plain = from_nobody(Method::OPTIONS, "/v1/reads").header("access-control-request-method", "POST");
    assert_eq!(code(&desk.send(empty(plain)).await), refused(401, "token-missing"));
}

#[tokio::test]
async fn a_form_cannot_ask_for_a_reading() {
    let desk = Desk::bare();
    for content_type in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json"]
    {
        let request = from_clinic(Method::POST, "/v1/reads")
            .header("content-type", content_type)
            .body(Body::from(r#"{"access":{"can":"090123"}}"#))
            .unwrap();
        assert_eq!(code(&desk.send(request).await), refused(415, "media-type-unsupported"));
    }
    let untyped = from_clinic(Method::POST, "/v1/reads").body(Body::from("{}")).unwrap();
    assert_eq!(code(&desk.send(untyped).await), refused(415, "media-type-unsupported"));
}

#[tokio::test]
async fn a_body_that_is_not_understood_says_where_and_repeats_nothing() {
    let desk = Desk::bare();
    for (body, expected, detail) in [
        (r#"{"access":"#, (400, "body-invalid"), "not JSON"),
        ("", (400, "body-invalid"), "object expected"),
        ("\"090123\"", (400, "body-invalid"), "object expected"),
        (r#"[null,{"can":"090123"}]"#, (400, "body-invalid"), "object expected"),
        (r#"{"access":{"can":"090123"},"feelds":[]}"#, (400, "body-invalid"), "unknown field `feelds`"),
        (r#"{"access":{"can":"090123"},"fields":["soul"]}"#, (400, "body-invalid"), "a field of the record"),
        (r#"{"access":{"can":90123}}"#, (400, "body-invalid"), "a string expected"),
        (r#"{"access":{"can":"090123","id":"000090123456"}}"#, (400, "body-invalid"), "exactly one of can"),
        (r#"{"access":{"can":"090123"},"wait_for_card_s":0}"#, (400, "body-invalid"), "from 1 to 600"),
        (r#"{"access":{"can":"090123"},"portrait":"090123"}"#, (400, "body-invalid"), "a boolean expected"),
        (r"{}", (422, "access-key-missing"), "no `access`"),
        (r#"{"access":{"can":"09012"}}"#, (422, "access-key-invalid"), "six digits"),
        (r#"{"access":{"id":"0901234"}}"#, (422, "access-key-invalid"), "twelve digits"),
        (r#"{"access":{"qr":"0901234"}}"#, (422, "access-key-invalid"), "scanned code"),
        (r#"{"access":{"mrz":"0901234"}}"#, (422, "access-key-invalid"), "characters"),
    ] {
        let request = from_clinic(Method::POST, "/v1/reads")
            .header("content-type", "application/json")
            .body(Body::from(body))
            .unwrap();
        let answer = desk.send(request).await;
        assert_eq!(code(&answer), refused(expected.0, expected.1), "{body}");
        let told = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(told.contains(detail), "{told}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("09012"), "{told}");
    }
}

#[tokio::test]
async fn a_body_over_64_kib_is_too_large() {
    let desk = Desk::bare();
    let body = |length: usize| value!({ "access": { "qr": "x".repeat(length) } });
    let send = |body: Value| desk.send(json(from_clinic(Method::POST, "/v1/reads"), &body));
    assert_eq!(code(&send(body(64 * 1024)).await), refused(413, "body-too-large"));
    assert_eq!(code(&send(body(64 * 1024 - 64)).await), refused(422, "access-key-invalid"));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_too_slow() {
    let desk = Desk::bare();
    let never = futures_util::stream::pending::<Result<axum::body::Bytes, std::io::Error>>();
    let request = from_clinic(Method::POST, "/v1/reads").header("content-type", "application/json");
    let answer = desk.send(request.body(Body::from_stream(never)).unwrap()).await;
    assert_eq!(code(&answer), refused(408, "body-too-slow"));
    assert_eq!(answer.header("connection"), "close");
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems_too() {
    let desk = Desk::bare();
    for path in ["/", "/v2", "/v1/", "/v1/reads/x/y", "/problems/no-such-code", "/problems/%ff"] {
        assert_eq!(code(&desk.send(empty(from_clinic(Method::GET, path))).await), refused(404, "not-found"));
    }
    for (method, path, allow) in [
        (Method::PUT, "/v1/reads", "POST"),
        (Method::GET, "/v1/reads", "POST"),
        (Method::POST, "/v1/readers", "GET,HEAD"),
        (Method::DELETE, "/healthz", "GET,HEAD"),
        (Method::TRACE, "/v1", "GET,HEAD"),
    ] {
        let answer = desk.send(empty(from_clinic(method, path))).await;
        assert_eq!(code(&answer), refused(405, "method-not-allowed"), "{path}");
        assert_eq!(answer.header("allow"), allow);
    }
    // A stranger is a stranger first.
    let stranger = desk.send(empty(from_nobody(Method::PUT, "/v1/reads"))).await;
    assert_eq!(code(&stranger), refused(401, "token-missing"));
}

#[tokio::test]
async fn what_is_no_id_is_no_reading() {
    let desk = Desk::bare();
    let upper = "5F0C3A9BE1D24487A6C0F1E2D3B4A596";
    for id in ["x", "%ff", upper, &upper.to_lowercase(), &"0".repeat(33)] {
        for (method, path) in [
            (Method::GET, format!("/v1/reads/{id}")),
            (Method::DELETE, format!("/v1/reads/{id}")),
            (Method::GET, format!("/v1/reads/{id}/result")),
            (Method::GET, format!("/v1/reads/{id}/portrait")),
        ] {
            let answer = desk.send(empty(from_clinic(method, &path))).await;
            assert_eq!(code(&answer), refused(404, "read-not-found"), "{path}");
        }
    }
}

#[tokio::test]
async fn problem_pages_are_open_and_speak_both_languages() {
    let desk = Desk::bare();
    let html = desk.send(empty(from_nobody(Method::GET, "/problems/no-reader"))).await;
    assert_eq!((html.status, html.header("content-type")), (StatusCode::OK, "text/html; charset=utf-8"));
    html.assert_guarded();
    let text = String::from_utf8_lossy(&html.body);
    assert!(text.contains("Không có đầu đọc nào") && text.contains("No reader at all"));

    let request = from_nobody(Method::GET, "/problems/no-reader").header("accept", "application/json");
    let page = desk.send(empty(request)).await.json();
    assert_eq!((&page["code"], &page["actor"]), (&value!("no-reader"), &value!("operator")));
    assert_eq!(page["title"]["vi"], "Không có đầu đọc nào");
}

#[tokio::test]
async fn health_is_open_and_tells_nothing_of_devices() {
    let desk = Desk::bare();
    for (path, status) in [("/healthz", "ok"), ("/readyz", "ready")] {
        let answer = desk.send(empty(from_nobody(Method::GET, path))).await;
        assert_eq!(answer.json(), value!({ "status": status }));
        answer.assert_guarded();
    }
    let about = desk.send(empty(from(NOTARY, Method::GET, "/v1"))).await.json();
    assert_eq!((&about["version"], &about["api_level"]), (&value!("1.2.3"), &value!(1)));
    assert!(about["features"].as_array().unwrap().contains(&value!("simulator")));
}
