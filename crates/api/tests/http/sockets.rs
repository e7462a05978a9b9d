//! Programs of this machine, through a Unix socket.

use std::sync::Arc;
use std::time::Duration;

use cccd_api::{Access, AgentFacts, Api, Caller, CallerKind, Peer, WhoCalls, serve_admin, serve_programs};
use cccd_card::ChannelLimits;
use cccd_engine::{CallerId, Engine, EngineOptions, EventKind, ReadFailure, ReadId, ReadState};
use cccd_firmware_sim::chip::Chip;
use cccd_firmware_sim::reader::in_process::InProcessReader;
use cccd_patience::soon;
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
    soon("the answer", stream.read_to_string(&mut answer)).await.unwrap();
    answer
}

fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n{headers}\r\n")
}

/// A connection that stays: requests one after the other.
struct Program(UnixStream);

impl Program {
    async fn at(socket: &std::path::Path) -> Self {
        Self(UnixStream::connect(socket).await.unwrap())
    }

    /// Sends a request; gives the status and the body of the answer.
    async fn ask(&mut self, line: &str, body: &str) -> (u16, String) {
        let length = body.len();
        let head = "Host: agent\r\nContent-Type: application/json\r\nContent-Length: ";
        let request = format!("{line} HTTP/1.1\r\n{head}{length}\r\n\r\n{body}");
        self.0.write_all(request.as_bytes()).await.unwrap();
        let mut heard = Vec::new();
        let (head, mut body) = loop {
            let text = String::from_utf8_lossy(&heard).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                break (head.to_lowercase(), body.as_bytes().to_vec());
            }
            assert_ne!(self.0.read_buf(&mut heard).await.unwrap(), 0, "the agent hung up: {text}");
        };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.unwrap().parse().unwrap();
        while body.len() < length {
            assert_ne!(self.0.read_buf(&mut body).await.unwrap(), 0, "the agent hung up");
        }
        (head.split(' ').nth(1).unwrap().parse().unwrap(), String::from_utf8(body).unwrap())
    }
}

#[tokio::test]
async fn what_is_kept_to_a_connection_ends_with_it_and_nothing_else_does() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("local.sock");
    let hand = InProcessReader::<Chip>::new();
    let reader = hand.attach("Lane 0", ChannelLimits::EXTENDED).unwrap();
    let engine = Engine::start(vec![Arc::new(hand.clone())], Vec::new(), EngineOptions::default());
    assert!(engine.handle().settled().await.unwrap());
    let facts = AgentFacts { version: "1.2.3".to_owned(), features: vec![] };
    let api = Api::new(engine.handle(), Access::default(), facts);
    let scopes: ScopeSet = [Scope::Readers, Scope::ReadId].into_iter().collect();
    let who: WhoCalls =
        Arc::new(move |_| Some(Caller::new(CallerId::new("his"), CallerKind::LocalProgram, scopes)));
    let listener = UnixListener::bind(&socket).unwrap();
    tokio::spawn(serve_programs(listener, api, who, std::future::pending()));
    let mut events = engine.handle().subscribe(CallerId::new("his"), None).await.unwrap();

    let lease = format!("POST /v1/readers/{reader}/lease");
    let read = r#"{"access":{"can":"123456"},"wait_for_card_s":120}"#;
    let held_by = || async { engine.handle().readers().await.unwrap()[0].held_by.clone() };
    let his = Some(CallerId::new("his"));

    // Without a word the lease runs on when the connection has gone, and so does what waits.
    let mut plain = Program::at(&socket).await;
    assert_eq!(plain.ask(&lease, r#"{"seconds":120}"#).await.0, 200);
    let (status, first) = plain.ask("POST /v1/reads", read).await;
    assert_eq!(status, 202, "{first}");
    drop(plain);
    let mut bound = Program::at(&socket).await;
    assert_eq!(held_by().await, his);

    let (status, told) = bound.ask(&lease, r#"{"seconds":120,"while_connected":true}"#).await;
    assert_eq!(status, 200, "{told}");
    let (_, second) = bound.ask("POST /v1/reads", read).await;
    drop(bound);
    let lost = tokio::time::timeout(Duration::from_secs(120), async {
        loop {
            if let EventKind::LeaseLost { why, .. } = events.coming.recv().await.unwrap().kind {
                break why.code();
            }
        }
    });
    assert_eq!(lost.await.expect("the lease ends with the connection"), "holder-gone");
    assert_eq!(held_by().await, None);
    let state = |text: &str| {
        let id = serde_json::from_str::<serde_json::Value>(text).unwrap()["read_id"].clone();
        let id = ReadId::parse(id.as_str().unwrap()).unwrap();
        let watched = engine.handle().watch(CallerId::new("his"), id);
        async { watched.await.unwrap().unwrap().borrow().state }
    };
    assert_eq!(state(&second).await, ReadState::Failed(ReadFailure::Cancelled));
    assert_eq!(state(&first).await, ReadState::Waiting);
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
    let _ = soon("the answer", stream.read_to_string(&mut answer)).await;
    assert_eq!(answer.starts_with("HTTP/1.1 200"), own == 0, "{answer}");
}
