//! Who may call a running agent: sites whose backend signs, and those who only pretend.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cccd_evidence::Identity;
use cccd_tests::agent::{Answer, PATIENCE};
use cccd_tests::{AgentUnderTest, CALLER_TOKEN};
use reqwest::Method;
use serde_json::Value;
use tempfile::TempDir;

#[path = "callers/https.rs"]
mod https;
#[path = "callers/proofs.rs"]
mod proofs;
#[path = "../../crates/api/tests/http/site_backend.rs"]
mod site_backend;

use site_backend::{SiteBackend, claims};

const PROGRAM: &str = env!("CARGO_BIN_EXE_agent-under-test");
const SITE: &str = "https://site.example.vn";
const NONCE: &str = "8f1d2c3b4a5968778695a4b3c2d1e0ff";

#[expect(clippy::disallowed_methods, reason = "a backend has a clock of its own")]
fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// An agent that knows one site.
fn agent_with_site(folder: Arc<TempDir>, backend: &SiteBackend) -> AgentUnderTest {
    let settings = format!(
        "[api]\nlisten = '127.0.0.1:0'\nworkstation_id = 'desk-3'\n\
         [[site]]\nname = 'his'\norigins = ['{SITE}']\nkeys = ['''{}''']\n\
         scopes = ['readers', 'presence', 'read.id', 'photo']\n",
        backend.public_pem()
    );
    AgentUnderTest::start_in(folder, PROGRAM, None, &settings)
}

fn identity(agent: &AgentUnderTest) -> Value {
    let path = format!("/.well-known/cccd-agent?nonce={NONCE}");
    agent.anonymous(Method::GET, &path).header("Origin", SITE).send().unwrap().json().unwrap()
}

fn open_session(agent: &AgentUnderTest, token: &str) -> Answer {
    let request = agent.anonymous(Method::POST, "/v1/sessions").bearer_auth(token).header("Origin", SITE);
    Answer::of(request.send().unwrap())
}

/// A session, once the agent takes what is signed now: one that has just begun to remember takes nothing that may have
/// been used before, with clocks half a minute apart.
fn session(agent: &AgentUnderTest, backend: &SiteBackend, id: &str) -> (String, String) {
    let deadline = Instant::now() + PATIENCE;
    for number in 0.. {
        let mut claims = claims("his", id, SITE, now() + 29, &format!("{}-{number}", now()));
        claims["sub"] = "lan@his.example.vn".into();
        let token = backend.sign(&claims);
        let answer = open_session(agent, &token);
        match answer.status {
            201 => return (token, answer.body["token"].as_str().unwrap().to_owned()),
            429 => std::thread::yield_now(),
            _ => assert_eq!(answer.code(), "token-replayed"),
        }
        assert!(Instant::now() < deadline, "the agent is never sure of its memory");
    }
    unreachable!()
}

/// How a token is refused, once the agent has time for another wrong one: those before may have been too many.
fn refusal(ask: impl Fn() -> Answer) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = ask();
        if answer.status != 429 {
            return answer.code().to_owned();
        }
        assert!(Instant::now() < deadline, "the agent never has time for another wrong token");
        std::thread::yield_now();
    }
}

#[test]
fn a_token_stays_used_across_a_restart() {
    let backend = SiteBackend::on_ed25519();
    let folder = Arc::new(TempDir::new().unwrap());
    let agent = agent_with_site(Arc::clone(&folder), &backend);
    let told = identity(&agent);
    let id = told["agent_id"].as_str().unwrap().to_owned();
    assert_eq!(told["workstation_id"], "desk-3");
    let (token, session_token) = session(&agent, &backend, &id);
    let readers = |agent: &AgentUnderTest, token: &str| {
        let request = agent.anonymous(Method::GET, "/v1/readers").bearer_auth(token).header("Origin", SITE);
        Answer::of(request.send().unwrap())
    };
    assert_eq!(readers(&agent, &session_token).status, 200);
    assert_eq!(refusal(|| open_session(&agent, &token)), "token-replayed");
    let log = agent.log();
    for secret in [&token, &session_token, "đăng ký", "lan@his"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    drop(agent);

    let agent = agent_with_site(folder, &backend);
    // The key is the machine's: the same agent, to whom the token was not new.
    assert_eq!(identity(&agent)["agent_id"], id.as_str());
    assert_eq!(refusal(|| open_session(&agent, &token)), "token-replayed");
    assert_eq!(refusal(|| readers(&agent, &session_token)), "session-expired");
    let (_, again) = session(&agent, &backend, &id);
    assert_eq!(readers(&agent, &again).status, 200);
}

/// The commands of the manual, run as they stand there, but for the agent's address.
#[test]
fn the_commands_of_the_manual_open_a_session() {
    let manual = include_str!("../../docs/callers.md");
    let blocks: Vec<&str> =
        manual.split("```").skip(1).step_by(2).map(|block| block.trim_start_matches("sh\n")).collect();
    let block = |with: &str| *blocks.iter().find(|block| block.contains(with)).unwrap();
    let (keys, session) = (block("openssl genpkey"), block("/v1/sessions"));
    let keys: Vec<&str> = keys.lines().filter(|line| line.starts_with("openssl")).collect();

    let folder = Arc::new(TempDir::new().unwrap());
    let sh = |script: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-e", "-c", script]).current_dir(folder.path());
        let run = cccd_patience::output("the manual's commands", &mut shell);
        assert!(run.status.success(), "{script}\n{}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8(run.stdout).unwrap()
    };
    sh(&keys.join("\n"));
    let key_file = folder.path().join("evidence-key.json");
    let bare = format!("[evidence]\nkey_file = '{}'\n", key_file.display());
    std::fs::write(folder.path().join("bare.toml"), bare).unwrap();
    let mut make = Command::new(PROGRAM);
    make.args(["--config", "bare.toml", "site", "his", "--origin", "https://his.example.vn"]);
    make.args(["--key", "site-key.pub.pem"]).current_dir(folder.path());
    let made = cccd_patience::output("cccd-agent site", &mut make);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let site = String::from_utf8(made.stdout).unwrap();
    let settings = format!("[api]\nlisten = '127.0.0.1:0'\nworkstation_id = 'desk-3'\n{site}");
    let agent = AgentUnderTest::start_in(Arc::clone(&folder), PROGRAM, None, &settings);

    // With a clock that is ahead as far as it may be, so that nobody need wait until the agent is sure of its memory.
    let session = session
        .replace("http://127.0.0.1:9303", &format!("http://{}", agent.address()))
        .replace("NOW=$(date +%s)", "NOW=$(($(date +%s) + 29))");
    let deadline = Instant::now() + PATIENCE;
    let told = loop {
        let told: Value = serde_json::from_str(&sh(&session)).unwrap();
        if told["token"].is_string() {
            break told;
        }
        // A quick machine asks so often meanwhile that its wrong tokens become too many.
        assert!(told["code"] == "token-replayed" || told["code"] == "rate-limited", "{told}");
        assert!(Instant::now() < deadline, "the agent is never sure of its memory");
    };
    assert_eq!(told["caller"]["label"], "site:his");
    let request = agent.anonymous(Method::GET, "/v1/readers").bearer_auth(told["token"].as_str().unwrap());
    assert_eq!(request.header("Origin", "https://his.example.vn").send().unwrap().status(), 200);
}

/// What is asked on a connection: the lines to the first empty one, in however many pieces they come.
fn question(asked: &TcpStream) -> String {
    let lines = BufReader::new(asked).lines().map(Result::unwrap);
    lines.take_while(|line| !line.is_empty()).fold(String::new(), |question, line| question + &line + "\n")
        + "\n"
}

/// One exchange by hand.
fn exchange(address: &str, request: &str) -> String {
    let mut stream = cccd_patience::patient(TcpStream::connect(address).unwrap());
    stream.write_all(request.replace('\n', "\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_squatter_cannot_prove_to_be_the_agent() {
    let agent = agent_with_site(Arc::new(TempDir::new().unwrap()), &SiteBackend::on_p256());
    let real = agent.address().to_owned();
    let id = identity(&agent)["agent_id"].as_str().unwrap().to_owned();
    // It has the port that the agent should have, and passes every question on.
    let squatter = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = squatter.local_addr().unwrap().to_string();
    let passing_on = std::thread::spawn({
        let (taken, real) = (taken.clone(), real.clone());
        move || {
            for name_too in [false, true] {
                let mut asked = cccd_patience::accepted("a question to the squatter", &squatter);
                let mut request = question(&asked);
                if name_too {
                    request = request.replace(&taken, &real);
                }
                asked.write_all(exchange(&real, &request).as_bytes()).unwrap();
            }
        }
    });
    let asking =
        format!("GET /.well-known/cccd-agent?nonce={NONCE} HTTP/1.1\nHost: {taken}\nConnection: close\n\n");
    // As it was asked, the agent does not answer to that name.
    assert!(exchange(&taken, &asking).starts_with("HTTP/1.1 421"));
    let answer = exchange(&taken, &asking);
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let told: Value = serde_json::from_str(body).unwrap();
    let (identity, key) = Identity::open(told["proof"].as_str().unwrap()).unwrap();
    assert_eq!(key.as_str(), id);
    // The proof is the agent's, for another address than the one that was called.
    assert_eq!(identity.host, real);
    assert_ne!(identity.host, taken);
    cccd_patience::joined("the squatter's end", passing_on);
}

#[test]
fn slow_connections_keep_nobody_out_for_good() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
    let most = limit.maximum.map_or(10_000, |most| most.saturating_sub(500).min(10_000));

    let agent = AgentUnderTest::start(PROGRAM, None);
    let address: SocketAddr = agent.address().parse().unwrap();
    let mut slow = Vec::new();
    // As many as the system takes: what the agent serves at once, and what may wait before it.
    while slow.len() < usize::try_from(most).unwrap() {
        let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(5)) else { break };
        let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: ");
        slow.push(stream);
    }
    assert!(slow.len() > 2048, "{} connections", slow.len());
    // None of them ever sends the rest. Others are served all the same, once those have had their time.
    let deadline = Instant::now() + PATIENCE * 2;
    let client = reqwest::blocking::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
    loop {
        let asked = client.get(format!("http://{address}/v1/readers")).bearer_auth(CALLER_TOKEN).send();
        match asked {
            Ok(answer) => break assert_eq!(answer.status(), 200),
            Err(error) => assert!(Instant::now() < deadline, "{} connections: {error}", slow.len()),
        }
    }
    drop(slow);
}
