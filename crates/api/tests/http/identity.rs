//! The agent proves which one it is.

use std::sync::Arc;

use cccd_api::Access;
use cccd_evidence::{AgentKey, Identity};
use http::{Method, Request, StatusCode};
use serde_json::Value;
use time::macros::datetime;

use crate::desk::{CLINIC_ORIGIN, Desk, callers, empty, from_nobody};

const NONCE: &str = "8f1d2c3b4a5968778695a4b3c2d1e0ff";

fn ask(nonce: &str) -> http::request::Builder {
    from_nobody(Method::GET, &format!("/.well-known/cccd-agent?nonce={nonce}"))
}

#[tokio::test]
async fn the_proof_is_over_the_question_the_address_and_the_page() {
    let key = AgentKey::generate(&mut getrandom::SysRng).unwrap();
    let id = key.key_id();
    let access = Access {
        callers: callers(),
        workstation_id: Some("desk-3".to_owned()),
        clock: Arc::new(|| datetime!(2026-11-29 08:00 UTC)),
        ..Access::default()
    };
    let desk = Desk::bare().letting_in(access).signing_with(key);
    let answer = desk.send(empty(ask(NONCE).header("origin", CLINIC_ORIGIN))).await;
    assert_eq!(answer.status, StatusCode::OK);
    answer.assert_guarded();
    assert_eq!(answer.header("access-control-allow-origin"), CLINIC_ORIGIN);
    let told = answer.json();
    assert_eq!(told["agent_id"], id.as_str());
    assert_eq!(told["workstation_id"], "desk-3");
    let (identity, signer) = Identity::open(told["proof"].as_str().unwrap()).unwrap();
    assert_eq!(signer, id);
    assert_eq!((identity.nonce.as_str(), identity.host.as_str()), (NONCE, "127.0.0.1:9303"));
    assert_eq!(identity.origin.as_deref(), Some(CLINIC_ORIGIN));
    let jwk: Value = serde_json::from_str(told["key"].as_str().unwrap()).unwrap();
    assert_eq!(thumbprint(&jwk), id.as_str());

    // A squatter that asks the agent, which listens on another port by then, gets a proof for that port.
    let elsewhere = desk.api.router(9304);
    let request =
        Request::get(format!("/.well-known/cccd-agent?nonce={NONCE}")).header("host", "127.0.0.1:9304");
    let answer = tower::ServiceExt::oneshot(elsewhere, empty(request)).await.unwrap();
    let body = axum::body::to_bytes(answer.into_body(), 1 << 16).await.unwrap();
    let told: Value = serde_json::from_slice(&body).unwrap();
    let (identity, _) = Identity::open(told["proof"].as_str().unwrap()).unwrap();
    assert_eq!((identity.host.as_str(), identity.origin), ("127.0.0.1:9304", None));
}

/// RFC 7638, by hand.
fn thumbprint(jwk: &Value) -> String {
    let text = format!(r#"{{"crv":{},"kty":{},"x":{},"y":{}}}"#, jwk["crv"], jwk["kty"], jwk["x"], jwk["y"]);
    let digest = openssl::sha::sha256(text.as_bytes());
    openssl::base64::encode_block(&digest).replace('+', "-").replace('/', "_").replace('=', "")
}

#[tokio::test]
async fn a_question_is_a_fresh_one_and_comes_from_a_known_page() {
    let key = AgentKey::generate(&mut getrandom::SysRng).unwrap();
    let desk = Desk::bare().signing_with(key);
    for nonce in ["", "00", "xyz", &"0".repeat(30), &"0".repeat(33), &"0".repeat(130)] {
        let answer = desk.send(empty(ask(nonce))).await;
        assert_eq!(answer.problem(), (400, "parameter-invalid".to_owned()), "{nonce}");
    }
    let bare = desk.send(empty(from_nobody(Method::GET, "/.well-known/cccd-agent"))).await;
    assert_eq!(bare.problem(), (400, "parameter-invalid".to_owned()));
    for origin in ["https://evil.example", "null"] {
        let answer = desk.send(empty(ask(NONCE).header("origin", origin))).await;
        assert_eq!(answer.problem(), (403, "origin-not-allowed".to_owned()));
    }
    let keyless = Desk::bare().send(empty(ask(NONCE))).await;
    assert_eq!(keyless.problem(), (503, "identity-unavailable".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn nobody_keeps_the_agent_busy_with_proving_who_it_is() {
    let desk = Desk::bare().signing_with(AgentKey::generate(&mut getrandom::SysRng).unwrap());
    let mut proofs = 0;
    let refused = loop {
        let answer = desk.send(empty(ask(NONCE))).await;
        if answer.status != StatusCode::OK {
            break answer;
        }
        proofs += 1;
        assert!(proofs < 1000, "nobody is refused");
    };
    assert_eq!(proofs, 40);
    assert_eq!(refused.problem(), (429, "rate-limited".to_owned()));
    let page = desk.send(empty(ask(NONCE).header("origin", CLINIC_ORIGIN))).await;
    assert_eq!(page.status, StatusCode::OK);
    tokio::time::advance(std::time::Duration::from_secs(1)).await;
    assert_eq!(desk.send(empty(ask(NONCE))).await.status, StatusCode::OK);
}
