use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cccd_profiles::{FetchRoots, FetchUrl, OAuthClient, PeerTls, TargetUrl, WebAccess};
use zeroize::Zeroizing;

use super::*;
use crate::test_server::{Authority, Server, answer};

static PROVINCE: LazyLock<Authority> = LazyLock::new(|| Authority::new("Province"));
static STRANGER: LazyLock<Authority> = LazyLock::new(|| Authority::new("Stranger"));

fn message() -> DueMessage {
    DueMessage {
        id: 1,
        key: "0a1b".to_owned(),
        content_type: "application/json".to_owned(),
        body: Zeroizing::new(br#"{"a":1}"#.to_vec()),
        attempts: 0,
    }
}

fn target(url: &str) -> WebhookTarget {
    WebhookTarget {
        url: TargetUrl::parse(url).unwrap(),
        secret_file: None,
        access: WebAccess::usual(),
        within: Duration::from_secs(60),
    }
}

fn delivered(target: &WebhookTarget, files: &TargetFiles) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let now = OffsetDateTime::from_unix_timestamp(1_700_000_000).unwrap();
    runtime.block_on(async { Webhook::new(target, files).unwrap().deliver(&message(), now).await })
}

/// The settings and files of a target whose server only this authority vouches for.
fn pinned(url: &str, authority: &Authority) -> (WebhookTarget, TargetFiles) {
    let mut target = target(url);
    target.access.tls = PeerTls { roots: FetchRoots::Only("ca.pem".into()), client: None };
    (target, TargetFiles { authorities: Some(authority.pem()), ..TargetFiles::default() })
}

#[test]
fn a_receiver_gets_the_message_its_key_and_every_signature() {
    let server = Server::plain(|_| answer("204 No Content", ""));
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let key = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
    let secrets = Some(Zeroizing::new(format!("{secret}\n{key}")));
    let files = TargetFiles { secrets, ..TargetFiles::default() };
    delivered(&target(&format!("http://{}/cards", server.address)), &files).unwrap();
    let asked = server.asked();
    let [asked] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!(asked.line, "POST /cards HTTP/1.1");
    assert_eq!(asked.body, br#"{"a":1}"#);
    assert_eq!(asked.headers["webhook-id"], "0a1b");
    assert_eq!(asked.headers["webhook-timestamp"], "1700000000");
    let signature = &asked.headers["webhook-signature"];
    assert!(signature.starts_with("v1,") && signature.contains(" v1a,"), "{signature}");
}

#[test]
fn answers_say_whether_it_may_arrive_later() {
    for (status, meant) in [
        ("200 OK", Ok(())),
        ("302 Found\r\nLocation: http://127.0.0.1:1/", Err(Failure::Passing("points-elsewhere"))),
        ("401 Unauthorized", Err(Failure::Passing("not-authorised"))),
        ("422 Unprocessable Content", Err(Failure::Lasting("refused-by-receiver"))),
        ("503 Service Unavailable", Err(Failure::Passing("receiver-fault"))),
    ] {
        let server = Server::plain(move |_| answer(status, ""));
        let url = format!("http://{}/", server.address);
        assert_eq!(delivered(&target(&url), &TargetFiles::default()), meant, "{status}");
        assert_eq!(server.asked().len(), 1, "{status}");
    }
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let outcome = delivered(&target(&format!("http://{nobody}/")), &TargetFiles::default());
    assert_eq!(outcome, Err(Failure::Passing("connect")));
}

#[test]
fn a_server_is_believed_for_the_pinned_authority_alone() {
    let server = Server::tls(&PROVINCE, None, |_| answer("200 OK", ""));
    let url = format!("https://{}/", server.address);
    let (target, files) = pinned(&url, &PROVINCE);
    assert_eq!(delivered(&target, &files), Ok(()));
    let (target, files) = pinned(&url, &STRANGER);
    assert_eq!(delivered(&target, &files), Err(Failure::Passing("connect")));
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn a_server_that_asks_for_it_sees_this_machines_certificate() {
    let server = Server::tls(&PROVINCE, Some(&PROVINCE), |_| answer("200 OK", ""));
    let (target, mut files) = pinned(&format!("https://{}/", server.address), &PROVINCE);
    assert!(delivered(&target, &files).is_err());
    let identity = |authority: &Authority| {
        let (certificate, key) = authority.vouch("desk-7.example.vn");
        Zeroizing::new([certificate.to_pem().unwrap(), key.private_key_to_pem_pkcs8().unwrap()].concat())
    };
    files.identity = Some(identity(&STRANGER));
    assert!(delivered(&target, &files).is_err());
    assert!(server.asked().is_empty());
    files.identity = Some(identity(&PROVINCE));
    assert_eq!(delivered(&target, &files), Ok(()));
    assert_eq!(server.asked()[0].peer.as_deref(), Some("desk-7.example.vn"));
}

#[test]
fn files_that_cannot_be_used_are_told_before_anything_is_sent() {
    let (target, good) = pinned("https://127.0.0.1:1/", &PROVINCE);
    let refused = |files: TargetFiles| Webhook::new(&target, &files).err().expect("refused");
    let none = TargetFiles { authorities: Some(b"hello".to_vec()), ..TargetFiles::default() };
    assert!(matches!(refused(none), NotATarget::Authorities));
    let identity = Some(Zeroizing::new(PROVINCE.pem()));
    assert!(matches!(refused(TargetFiles { identity, ..good }), NotATarget::Identity));
    let secrets = Some(Zeroizing::new("secret".to_owned()));
    let files = TargetFiles { secrets, authorities: Some(PROVINCE.pem()), ..TargetFiles::default() };
    assert!(matches!(refused(files), NotATarget::Secret(_)));
}

#[test]
fn everything_but_loopback_goes_through_the_proxy() {
    let server = Server::tls(&PROVINCE, None, |_| answer("200 OK", ""));
    let tunnel = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = tunnel.local_addr().unwrap();
    let far = server.address;
    let asked = std::thread::spawn(move || {
        let mut near = cccd_patience::accepted("a question to the proxy", &tunnel);
        let mut line = String::new();
        let mut reader = std::io::BufReader::new(near.try_clone().unwrap());
        std::io::BufRead::read_line(&mut reader, &mut line).unwrap();
        loop {
            let mut header = String::new();
            std::io::BufRead::read_line(&mut reader, &mut header).unwrap();
            if header.trim().is_empty() {
                break;
            }
        }
        near.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
        let mut far = TcpStream::connect(far).unwrap();
        let mut back = far.try_clone().unwrap();
        let mut to = near.try_clone().unwrap();
        std::thread::spawn(move || std::io::copy(&mut back, &mut to));
        let _ = std::io::copy(&mut near, &mut far);
        line
    });
    // The server's certificate is for 127.0.0.1: by its name it is refused, after the proxy was asked for it.
    let (mut through, files) = pinned("https://lgsp.example.vn/", &PROVINCE);
    through.access.proxy = Some(FetchUrl::parse(&format!("http://{proxy}")).unwrap());
    assert!(delivered(&through, &files).is_err());
    assert!(server.asked().is_empty());
    assert!(cccd_patience::joined("the proxy's end", asked).starts_with("CONNECT lgsp.example.vn:443 "));
    // The proxy is gone, and on this machine nobody misses it.
    through.url = TargetUrl::parse(&format!("https://{far}/")).unwrap();
    assert_eq!(delivered(&through, &files), Ok(()));
}

/// A platform that gives tokens `token-1`, `token-2`, ... of that life, and takes those that `takes` says.
fn platform(life: &'static str, takes: impl Fn(&str) -> bool + Send + 'static) -> Server {
    let given = AtomicUsize::new(0);
    Server::plain(move |asked| {
        if asked.line.starts_with("POST /token ") {
            let number = given.fetch_add(1, Ordering::Relaxed) + 1;
            return answer(
                "200 OK",
                &format!(r#"{{"access_token":"token-{number}","token_type":"Bearer"{life}}}"#),
            );
        }
        match asked.headers.get("authorization").and_then(|header| header.strip_prefix("Bearer ")) {
            Some(token) if takes(token) => answer("202 Accepted", ""),
            _ => answer("401 Unauthorized", ""),
        }
    })
}

fn lgsp(server: &Server) -> (WebhookTarget, TargetFiles) {
    let mut target = target(&format!("http://{}/cards", server.address));
    target.access.oauth = Some(OAuthClient {
        token_url: TargetUrl::parse(&format!("http://{}/token", server.address)).unwrap(),
        client: "desk 7".to_owned(),
        secret_file: "unused".into(),
        scope: "cards:write people".to_owned(),
    });
    let oauth_secret = Some(Zeroizing::new("a:b&c\n".to_owned()));
    (target, TargetFiles { oauth_secret, ..TargetFiles::default() })
}

fn deliver_times(server: &Server, times: usize) -> Vec<Result<(), Failure>> {
    let (target, files) = lgsp(server);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let now = OffsetDateTime::UNIX_EPOCH;
    runtime.block_on(async {
        let webhook = Webhook::new(&target, &files).unwrap();
        let mut outcomes = Vec::new();
        for _ in 0..times {
            outcomes.push(webhook.deliver(&message(), now).await);
        }
        outcomes
    })
}

fn lines(server: &Server) -> Vec<String> {
    let word = |asked: crate::test_server::Asked| asked.line.split(' ').nth(1).unwrap().to_owned();
    server.asked().into_iter().map(word).collect()
}

#[test]
fn a_token_is_asked_for_once_and_used_until_it_ends() {
    let server = platform(r#","expires_in":3600"#, |_| true);
    assert_eq!(deliver_times(&server, 2), [Ok(()), Ok(())]);
    assert_eq!(lines(&server), ["/token", "/cards", "/cards"]);
    let asked = server.asked();
    // RFC 6749, 2.3.1: `desk+7` and `a%3Ab%26c`, a colon between, in base64.
    assert_eq!(asked[0].headers["authorization"], "Basic ZGVzays3OmElM0FiJTI2Yw==");
    assert_eq!(asked[0].body, b"grant_type=client_credentials&scope=cards%3Awrite+people");
    assert_eq!(asked[2].headers["authorization"], "Bearer token-1");

    // One that ends at once is asked for each time.
    let server = platform(r#","expires_in":1"#, |_| true);
    assert_eq!(deliver_times(&server, 2), [Ok(()), Ok(())]);
    assert_eq!(lines(&server), ["/token", "/cards", "/token", "/cards"]);
}

#[test]
fn a_token_that_is_taken_no_more_is_replaced_once_an_attempt() {
    let server = platform("", |token| token == "token-2");
    assert_eq!(deliver_times(&server, 2), [Ok(()), Ok(())]);
    assert_eq!(lines(&server), ["/token", "/cards", "/token", "/cards", "/cards"]);
    let server = platform("", |_| false);
    assert_eq!(deliver_times(&server, 1), [Err(Failure::Passing("not-authorised"))]);
    assert_eq!(lines(&server), ["/token", "/cards", "/token", "/cards"]);
}

#[test]
fn a_token_endpoint_that_gives_none_sends_nothing() {
    let long = format!(r#"{{"access_token":"{}","token_type":"Bearer"}}"#, "x".repeat(70_000));
    for (status, body, why) in [
        ("401 Unauthorized", r#"{"error":"invalid_client"}"#, "token-refused"),
        ("500 Internal Server Error", "", "token-endpoint-fault"),
        ("302 Found\r\nLocation: http://127.0.0.1:1/", "", "token-endpoint-fault"),
        ("200 OK", "<html>", "token-strange"),
        ("200 OK", r#"{"access_token":"","token_type":"Bearer"}"#, "token-strange"),
        ("200 OK", r#"{"access_token":"x","token_type":"mac"}"#, "token-strange"),
        ("200 OK", r#"{"access_token":"x\r\nhost: a","token_type":"Bearer"}"#, "token-strange"),
        ("200 OK", long.as_str(), "token-strange"),
    ] {
        let body = body.to_owned();
        let server = Server::plain(move |_| answer(status, &body));
        assert_eq!(deliver_times(&server, 1), [Err(Failure::Passing(why))], "{status}");
        assert_eq!(lines(&server), ["/token"]);
    }
}
