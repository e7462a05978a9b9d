//! The agent as a child process, and an HTTP client that knows its tokens.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use cccd_patience::PATIENCE;
use cccd_profiles::TokenHash;
use reqwest::Method;
use reqwest::blocking::{Client, RequestBuilder, Response};
use serde_json::Value;
use tempfile::TempDir;

use crate::people;

/// The token of the caller `clinic`, a program.
pub const CALLER_TOKEN: &str = "token-of-the-clinic-in-tests";
/// The token of the caller `notary`, another program.
pub const OTHER_TOKEN: &str = "token-of-the-notary-in-tests";
/// The token of the caller `page`, which calls from [`PAGE_ORIGIN`].
pub const PAGE_TOKEN: &str = "token-of-the-page-in-tests";
/// Where the caller `page` calls from.
pub const PAGE_ORIGIN: &str = "https://his.example.vn";

/// A running agent.
pub struct AgentUnderTest {
    child: Child,
    log: Arc<Log>,
    reader: Option<JoinHandle<()>>,
    events: Option<Events>,
    address: String,
    client: Client,
    folder: Arc<TempDir>,
}

#[derive(Default)]
struct Log {
    lines: Mutex<(Vec<String>, bool)>,
    more: Condvar,
}

impl AgentUnderTest {
    /// Starts the program `program` against the pcscd behind `socket`, logging at trace level, with three
    /// callers, and listens to its events from the first on.
    pub fn start(program: &str, socket: Option<&Path>) -> Self {
        Self::start_with(program, socket, "")
    }

    /// The same with more lines in the `[readings]` part of its settings.
    pub fn start_with(program: &str, socket: Option<&Path>, readings: &str) -> Self {
        Self::start_set_up(program, socket, readings, "", "")
    }

    /// The same as a station: with these lines in the `[terminal]` part of its settings.
    pub fn start_as_station(program: &str, socket: Option<&Path>, terminal: &str) -> Self {
        Self::start_set_up(program, socket, "", terminal, "")
    }

    /// The same with more lines in the `[readings]` part of its settings, and these tables behind everything else.
    pub fn start_with_tables(program: &str, socket: Option<&Path>, readings: &str, tables: &str) -> Self {
        Self::start_set_up(program, socket, readings, "", tables)
    }

    fn start_set_up(
        program: &str,
        socket: Option<&Path>,
        readings: &str,
        terminal: &str,
        tables: &str,
    ) -> Self {
        let folder = Arc::new(TempDir::new().unwrap());
        let settings = format!(
            "[api]\nlisten = '127.0.0.1:0'\n[readings]\n{readings}\n[terminal]\n{terminal}\n{tables}\n"
        );
        Self::start_in(folder, program, socket, &settings)
    }

    /// The same in a folder that may have been another agent's before, with these settings beside callers, keys and
    /// trust.
    pub fn start_in(folder: Arc<TempDir>, program: &str, socket: Option<&Path>, settings: &str) -> Self {
        let config = folder.path().join("agent.toml");
        let key_file = folder.path().join("evidence-key.json");
        let mut text = format!(
            "{settings}\n[evidence]\nkey_file = '{}'\n[trust]\ndirectory = '{}'\n[store]\nfolder = '{}'\n",
            key_file.display(),
            folder.path().join("trust").display(),
            folder.path().join("store").display()
        );
        for (name, token, origins) in [
            ("clinic", CALLER_TOKEN, String::new()),
            ("notary", OTHER_TOKEN, String::new()),
            ("page", PAGE_TOKEN, format!("'{PAGE_ORIGIN}'")),
        ] {
            let hash = TokenHash::of(token).to_hex();
            text += &format!("[[caller]]\nname = '{name}'\ntoken_sha256 = '{hash}'\norigins = [{origins}]\n");
            if name == "clinic" {
                text += "scopes = ['evidence', 'scan', 'fingerprints', 'irises']\n";
            }
        }
        std::fs::File::create(&config).unwrap().write_all(text.as_bytes()).unwrap();

        let mut command = Command::new(program);
        command.arg("run").arg("--config").arg(&config).args(["--log", "trace"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        // Without a simulated service the real one of the machine must not be found either.
        let nowhere = folder.path().join("no-service");
        command.env("PCSCLITE_CSOCK_NAME", socket.unwrap_or(&nowhere));
        let mut child = command.spawn().unwrap();

        let log = Arc::new(Log::default());
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let reader = std::thread::spawn({
            let log = Arc::clone(&log);
            move || {
                for line in stderr.lines().map_while(Result::ok) {
                    log.lines.lock().unwrap().0.push(line);
                    log.more.notify_all();
                }
                log.lines.lock().unwrap().1 = true;
                log.more.notify_all();
            }
        });
        let serving = log.wait_for("serving address=");
        let address = serving
            .split("address=")
            .nth(1)
            .and_then(|rest| rest.split_whitespace().next())
            .expect("the log names the address")
            .to_owned();
        let client = Client::builder().no_proxy().timeout(PATIENCE * 2).build().unwrap();
        let mut agent = Self { child, log, reader: Some(reader), events: None, address, client, folder };
        agent.events = Some(Events::listen(&agent));
        agent
    }

    /// The same folder, to start another agent in.
    pub fn same_folder(&self) -> Arc<TempDir> {
        Arc::clone(&self.folder)
    }

    /// The agent's folder: its settings are `agent.toml` in it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A request with the clinic's token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.anonymous(method, path).bearer_auth(CALLER_TOKEN)
    }

    /// A request without any token.
    pub fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address))
    }

    /// GET with the clinic's token, as JSON.
    pub fn get(&self, path: &str) -> Value {
        self.request(Method::GET, path).send().unwrap().json().unwrap()
    }

    /// Asks for a reading and waits for its end. A successful one is the result, a failed one its problem.
    pub fn read(&self, body: &Value) -> Answer {
        let response =
            self.request(Method::POST, "/v1/reads").header("Prefer", "wait=60").json(body).send().unwrap();
        Answer::of(response)
    }

    /// Waits until a reader whose name begins so has a card, or has none; returns the reader's id.
    pub fn wait_for_card(&self, name: &str, has_card: bool) -> String {
        let mut found = None;
        self.wait_for(&format!("{name}: card {has_card}"), || {
            found = self.readers().into_iter().find(|reader| {
                reader["name"].as_str().unwrap().starts_with(name) && reader["card"].is_null() != has_card
            });
            found.is_some()
        });
        found.unwrap()["reader_id"].as_str().unwrap().to_owned()
    }

    /// The readers as the API lists them.
    pub fn readers(&self) -> Vec<Value> {
        self.get("/v1/readers")["readers"].as_array().unwrap().clone()
    }

    /// Asks again and again, whenever an event may have changed the answer, and now and then, until it is yes.
    pub fn wait_for(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let events = self.events.as_ref().unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = events.count();
            if is_so() {
                return;
            }
            assert!(Instant::now() < deadline, "waited in vain for {what}; log:\n{}", self.log.text());
            // Not all that is waited for tells an event.
            events.wait_for_more_than(seen, deadline.min(Instant::now() + Duration::from_secs(1)));
        }
    }

    /// Every event so far, as (name, data).
    pub fn events(&self) -> Vec<(String, Value)> {
        self.events.as_ref().unwrap().all()
    }

    /// Tells it to look at what is served to it, as `systemctl reload` does.
    pub fn hang_up(&self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    }

    /// Waits until it has logged this.
    pub fn wait_for_log(&self, text: &str) -> String {
        self.log.wait_for(text)
    }

    /// Everything logged so far.
    pub fn log(&self) -> String {
        self.log.text()
    }
}

impl Drop for AgentUnderTest {
    /// Stops it as a service manager does, and searches what it logged and told.
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let deadline = Instant::now() + PATIENCE;
        let ended = self.log.wait_for_end(deadline);
        let _ = self.child.kill();
        let _ = self.child.wait();
        // With the log over so is its reader; otherwise somebody else holds it open, perhaps for ever.
        let _ = self.reader.take().filter(|_| ended).map(JoinHandle::join);
        if std::thread::panicking() {
            eprintln!("log of the agent:\n{}", self.log.text());
            return;
        }
        assert!(ended, "the agent did not stop when told to");
        people::assert_nobody_in("the log", &self.log.text());
        for (name, data) in self.events.as_ref().map(Events::all).unwrap_or_default() {
            people::assert_nobody_in("an event", &format!("{name} {data}"));
        }
    }
}

impl Log {
    fn text(&self) -> String {
        self.lines.lock().unwrap().0.join("\n")
    }

    fn wait_for(&self, text: &str) -> String {
        let mut lines = self.lines.lock().unwrap();
        loop {
            if let Some(line) = lines.0.iter().find(|line| line.contains(text)) {
                return line.clone();
            }
            assert!(!lines.1, "the agent ended before it logged {text:?}:\n{}", lines.0.join("\n"));
            let (guard, waited) = self.more.wait_timeout(lines, PATIENCE).unwrap();
            assert!(!waited.timed_out(), "the agent never logged {text:?}");
            lines = guard;
        }
    }

    fn wait_for_end(&self, deadline: Instant) -> bool {
        let guard = self.lines.lock().unwrap();
        let left = deadline.saturating_duration_since(Instant::now());
        self.more.wait_timeout_while(guard, left, |(_, ended)| !*ended).unwrap().0.1
    }
}

/// What a request was answered with.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body: a result or a problem.
    pub body: Value,
}

impl Answer {
    /// Takes a response whose body is JSON.
    pub fn of(response: Response) -> Self {
        let status = response.status().as_u16();
        Self { status, body: response.json().unwrap() }
    }

    /// The result of a reading that must have gone well.
    pub fn result(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body
    }

    /// The code of a problem; a result is none.
    pub fn code(&self) -> &str {
        assert_ne!(self.status, 200, "a result where a problem was expected");
        self.body["code"].as_str().unwrap_or_else(|| panic!("no code in {}", self.body))
    }
}

/// The clinic's event stream, collected.
struct Events {
    all: Arc<(Mutex<Vec<(String, Value)>>, Condvar)>,
}

impl Events {
    fn listen(agent: &AgentUnderTest) -> Self {
        let all = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        // A stream has no end, so no time limit either.
        let client = Client::builder().no_proxy().timeout(None).build().unwrap();
        let request = client
            .get(format!("http://{}/v1/events", agent.address))
            .bearer_auth(CALLER_TOKEN)
            // From the very first event on.
            .header("Last-Event-ID", "0");
        let response = cccd_patience::done("the stream of events", || request.send()).unwrap();
        assert_eq!(response.status(), 200);
        let collected = Arc::clone(&all);
        std::thread::spawn(move || {
            let mut name = String::new();
            for line in BufReader::new(response).lines().map_while(Result::ok) {
                if let Some(event) = line.strip_prefix("event:") {
                    event.trim().clone_into(&mut name);
                } else if let Some(data) = line.strip_prefix("data:") {
                    let data = serde_json::from_str(data.trim()).unwrap();
                    collected.0.lock().unwrap().push((std::mem::take(&mut name), data));
                    collected.1.notify_all();
                }
            }
        });
        Self { all }
    }

    fn all(&self) -> Vec<(String, Value)> {
        self.all.0.lock().unwrap().clone()
    }

    fn count(&self) -> usize {
        self.all.0.lock().unwrap().len()
    }

    fn wait_for_more_than(&self, seen: usize, deadline: Instant) {
        let left = deadline.saturating_duration_since(Instant::now());
        let guard = self.all.0.lock().unwrap();
        drop(self.all.1.wait_timeout_while(guard, left, |events| events.len() <= seen).unwrap());
    }
}
