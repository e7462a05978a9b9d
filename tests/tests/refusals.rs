//! Who may not call, and what they learn: nothing.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use cccd_tests::{AgentUnderTest, OTHER_TOKEN, PAGE_ORIGIN, PAGE_TOKEN, agent::Answer};
use reqwest::Method;
use serde_json::json;

const PROGRAM: &str = env!("CARGO_BIN_EXE_agent-under-test");

/// Speaks HTTP by hand, to send what no well-behaved client sends.
fn raw(agent: &AgentUnderTest, request: &str) -> String {
    let mut stream = cccd_patience::patient(TcpStream::connect(agent.address()).unwrap());
    stream.write_all(request.replace('\n', "\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_foreign_host_gets_a_problem_and_no_data() {
    let agent = AgentUnderTest::start(PROGRAM, None);
    let port = agent.address().rsplit(':').next().unwrap().to_owned();
    let request = |host: &str| {
        let host = if host.is_empty() { String::new() } else { format!("Host: {host}\n") };
        let token = cccd_tests::CALLER_TOKEN;
        raw(
            &agent,
            &format!("GET /v1/readers HTTP/1.1\n{host}Authorization: Bearer {token}\nConnection: close\n\n"),
        )
    };
    for host in [
        "evil.example.vn".to_owned(),
        format!("127.evil.com:{port}"),
        format!("127.0.0.1.evil.com:{port}"),
        format!("localhost.:{port}"),
        format!("[::ffff:127.0.0.1]:{port}"),
        format!("0.0.0.0:{port}"),
        format!("127.1:{port}"),
        "127.0.0.1".to_owned(),
        "127.0.0.1:1".to_owned(),
        format!("user@127.0.0.1:{port}"),
    ] {
        let answer = request(&host);
        assert!(answer.starts_with("HTTP/1.1 421"), "{host}: {answer}");
        assert!(answer.contains("host-not-allowed") && !answer.contains("\"readers\""), "{host}: {answer}");
    }
    let without = request("");
    assert!(without.starts_with("HTTP/1.1 4") && !without.contains("\"readers\""), "{without}");
    for host in [format!("127.0.0.1:{port}"), format!("localhost:{port}"), format!("[::1]:{port}")] {
        assert!(request(&host).starts_with("HTTP/1.1 200"), "{host}");
    }
}

#[test]
fn a_foreign_origin_gets_a_problem_and_no_data() {
    let agent = AgentUnderTest::start(PROGRAM, None);
    let from = |origin: &str, token: &str| {
        agent
            .anonymous(Method::GET, "/v1/readers")
            .bearer_auth(token)
            .header("Origin", origin)
            .send()
            .unwrap()
    };
    let subdomain = format!("{PAGE_ORIGIN}.evil.com");
    for origin in ["https://evil.example.vn", "null", "http://his.example.vn", &subdomain, ""] {
        let response = from(origin, PAGE_TOKEN);
        assert!(response.headers().get("access-control-allow-origin").is_none(), "{origin}");
        let answer = Answer::of(response);
        assert_eq!((answer.status, answer.code()), (403, "origin-not-allowed"), "{origin}");
        assert!(answer.body.get("readers").is_none());
    }
    // A program's token does not work from a page, not even from another caller's page.
    assert_eq!(Answer::of(from(PAGE_ORIGIN, OTHER_TOKEN)).code(), "origin-not-allowed");

    let right = from(PAGE_ORIGIN, PAGE_TOKEN);
    assert_eq!(right.headers()["access-control-allow-origin"], PAGE_ORIGIN);
    assert_eq!(right.status(), 200);
}

#[test]
fn without_the_right_token_nothing_but_health_is_told() {
    let agent = AgentUnderTest::start(PROGRAM, None);
    let read = "0".repeat(32);
    for (method, path) in [
        (Method::GET, "/v1".to_owned()),
        (Method::GET, "/v1/readers".to_owned()),
        (Method::POST, "/v1/reads".to_owned()),
        (Method::GET, format!("/v1/reads/{read}")),
        (Method::DELETE, format!("/v1/reads/{read}")),
        (Method::GET, format!("/v1/reads/{read}/result")),
        (Method::GET, format!("/v1/reads/{read}/portrait")),
        (Method::GET, "/v1/events".to_owned()),
    ] {
        let none = Answer::of(agent.anonymous(method.clone(), &path).send().unwrap());
        assert_eq!((none.status, none.code()), (401, "token-missing"), "{method} {path}");
        let wrong = agent.anonymous(method.clone(), &path).bearer_auth("guessed").send().unwrap();
        assert!(wrong.headers().contains_key("www-authenticate"), "{method} {path}");
        let wrong = Answer::of(wrong);
        assert_eq!((wrong.status, wrong.code()), (401, "token-wrong"), "{method} {path}");
    }
    let health = agent.anonymous(Method::GET, "/healthz").send().unwrap();
    assert_eq!(health.status(), 200);
}

#[test]
fn a_page_that_needs_no_preflight_cannot_start_a_reading() {
    let agent = AgentUnderTest::start(PROGRAM, None);
    for media_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        let answer = agent
            .anonymous(Method::POST, "/v1/reads")
            .bearer_auth(PAGE_TOKEN)
            .header("Origin", PAGE_ORIGIN)
            .header("Content-Type", media_type)
            .body(json!({ "access": { "can": "654321" } }).to_string())
            .send()
            .unwrap();
        assert_eq!(Answer::of(answer).code(), "media-type-unsupported", "{media_type}");
    }
}

#[test]
fn without_a_smart_card_service_the_agent_says_so() {
    let agent = AgentUnderTest::start(PROGRAM, None);
    agent.wait_for("agent.degraded", || agent.events().iter().any(|(name, _)| name == "agent.degraded"));
    assert_eq!(agent.anonymous(Method::GET, "/readyz").send().unwrap().status(), 503);
    let answer = agent.read(&json!({ "access": { "can": "654321" } }));
    assert_eq!(answer.code(), "service-unavailable");
}
