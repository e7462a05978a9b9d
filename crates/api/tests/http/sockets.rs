//! Programs of this machine, through a Unix socket.

use std::sync::Arc;

use cccd_api::{Access, AgentFacts, Api, Caller, CallerKind, Peer, WhoCalls, serve_admin, serve_programs};
use cccd_engine::{CallerId, Engine, EngineOptions};
use cccd_profiles::{Scope, ScopeSet};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

fn api() -> (Engine, Api) {
    let engine = Engine::start(Vec::new(), Vec::new(), EngineOptions::default());
    let facts = AgentFacts { version: "1.2.3".to_owned(), features: vec![] };
    let api = Api::new(engine.handle(), Access::default(), facts);
    (engine, api)
}

/// Sends one request as it is; gives the whole answer.
async fn ask(socket: &std::path::Path, request: &str) -> String {
    let mut stream = UnixStream::connect(socket).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n{headers}\r\n")
}

fn own_uid() -> u32 {
    // Of a file that this process has just made.
    use std::os::unix::fs::MetadataExt as _;
    tempfile::tempfile().unwrap().metadata().unwrap().uid()
}

#[tokio::test]
async fn a_program_is_who_the_system_says_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("local.sock");
    let (engine, api) = api();
    let own = own_uid();
    let who: WhoCalls = Arc::new(move |peer: Peer| {
        let scopes: ScopeSet = [Scope::Readers].into_iter().collect();
        assert!(peer.pid.is_some_and(|pid| u32::try_from(pid) == Ok(std::process::id())));
        (peer.uid == own).then(|| Caller::new(CallerId::new("his"), CallerKind::LocalProgram, scopes))
    });
    tokio::spawn(serve_programs(
        UnixListener::bind(&socket).unwrap(),
        api.clone(),
        who,
        std::future::pending(),
    ));

    let readers = ask(&socket, &get("/v1/readers", "")).await;
    assert!(readers.starts_with("HTTP/1.1 200"), "{readers}");
    // It has its scopes and no more, and cannot pass for a page or for somebody else.
    let scanners = ask(&socket, &get("/v1/scans/00000000000000000000000000000000", "")).await;
    assert!(scanners.starts_with("HTTP/1.1 4"), "{scanners}");
    for headers in
        ["Origin: https://his.example.vn\r\n", "Origin: null\r\n", "Origin: http://127.0.0.1:9303\r\n"]
    {
        let page = ask(&socket, &get("/v1/readers", headers)).await;
        assert!(page.starts_with("HTTP/1.1 403") && page.contains("origin-not-allowed"), "{page}");
    }
    drop(engine);
}

#[tokio::test]
async fn a_process_that_is_nobodys_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("local.sock");
    let (_engine, api) = api();
    let listener = UnixListener::bind(&socket).unwrap();
    tokio::spawn(serve_programs(listener, api, Arc::new(|_| None), std::future::pending()));
    for headers in ["", "Authorization: Bearer x\r\n"] {
        let answer = ask(&socket, &get("/v1/readers", headers)).await;
        assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("program-not-allowed"), "{answer}");
    }
    let health = ask(&socket, &get("/healthz", "")).await;
    assert!(health.starts_with("HTTP/1.1 200"), "{health}");
}

#[tokio::test]
async fn the_admin_socket_is_for_its_own_user_and_serves_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (own_socket, others_socket) = (folder.path().join("own.sock"), folder.path().join("others.sock"));
    let (_engine, api) = api();
    let own = own_uid();
    let serve = |socket: &std::path::Path, uid| {
        tokio::spawn(serve_admin(
            UnixListener::bind(socket).unwrap(),
            api.clone(),
            uid,
            std::future::pending(),
        ));
    };
    serve(&own_socket, own);
    serve(&others_socket, 60_000);
    let status = ask(&own_socket, &get("/status", "")).await;
    assert!(status.starts_with("HTTP/1.1 200") && status.contains("\"version\":\"1.2.3\""), "{status}");
    let readers = ask(&own_socket, &get("/v1/readers", "")).await;
    assert!(readers.starts_with("HTTP/1.1 404"), "{readers}");
    // Root may do anything; anybody else hears nothing at all.
    let mut stream = UnixStream::connect(&others_socket).await.unwrap();
    let _ = stream.write_all(get("/status", "").as_bytes()).await;
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    assert_eq!(answer.starts_with("HTTP/1.1 200"), own == 0, "{answer}");
}
