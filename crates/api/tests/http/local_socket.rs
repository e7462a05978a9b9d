//! A listener that knows by itself who is there says so with the request.

use axum::Router;
use axum::body::Body;
use cccd_api::callers::{Caller, CallerKind};
use cccd_engine::CallerId;
use cccd_profiles::{Scope, ScopeSet};
use http::{Request, StatusCode};
use serde_json::Value;
use tower::ServiceExt;

use crate::desk::{CLINIC, CLINIC_ORIGIN, Desk};

async fn send(router: Router, mut request: Request<Body>, known: bool) -> (StatusCode, Value) {
    if known {
        let scopes: ScopeSet = [Scope::Readers].into_iter().collect();
        request.extensions_mut().insert(Caller::new(
            CallerId::new("uid:1000"),
            CallerKind::LocalProgram,
            scopes,
        ));
    }
    let answer = router.oneshot(request).await.unwrap();
    let status = answer.status();
    let body = axum::body::to_bytes(answer.into_body(), 1 << 16).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn whoever_is_known_needs_no_name_and_no_token_and_is_no_page() {
    let desk = Desk::bare();
    let request = |path: &str| Request::get(path).header("host", "whatever");
    let ask = |request: http::request::Builder| request.body(Body::empty()).unwrap();
    let (status, told) = send(desk.router(), ask(request("/v1/caller")), true).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!((&told["kind"], &told["label"]), (&"local-program".into(), &"uid:1000".into()));
    assert_eq!(told["scopes"], serde_json::json!(["readers"]));
    // A token does not make another of them.
    let with_token = request("/v1/caller").header("authorization", format!("Bearer {CLINIC}"));
    assert_eq!(send(desk.router(), ask(with_token), true).await.1["label"], "uid:1000");
    let page = request("/v1/caller").header("origin", CLINIC_ORIGIN);
    let (status, told) = send(desk.router(), ask(page), true).await;
    assert_eq!((status, &told["code"]), (StatusCode::FORBIDDEN, &"origin-not-allowed".into()));
    // Without the listener's word it is a stranger with a wrong Host.
    let (status, _) = send(desk.router(), ask(request("/v1/caller")), false).await;
    assert_eq!(status, StatusCode::MISDIRECTED_REQUEST);
}
