//! A real Chromium without a window, driven through its WebDriver, and pages for it to show.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

/// What Debian's packages chromium and chromium-driver bring; `cargo xtask setup` installs them.
const CHROMIUM: &str = "/usr/bin/chromium";
const DRIVER: &str = "/usr/bin/chromedriver";

/// A browser with a profile of its own, gone with it.
pub struct Browser {
    client: Client,
    driver: Child,
    _profile: TempDir,
}

impl Browser {
    /// Starts one that resolves names by these rules of Chromium's (`MAP evil.example 127.0.0.1`); no other name leads
    /// anywhere.
    pub async fn start(names: &str) -> Self {
        let profile = TempDir::new().unwrap();
        let (driver, port) = start_driver();
        let rules =
            [names, "MAP * ~NOTFOUND", "EXCLUDE 127.0.0.1"].into_iter().filter(|rule| !rule.is_empty());
        let rules = rules.collect::<Vec<_>>().join(", ");
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--window-size=900,900",
        ];
        let mut arguments: Vec<String> = arguments.map(str::to_owned).into();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        arguments.push(format!("--host-resolver-rules={rules}"));
        let wanted = json!({ "goog:chromeOptions": { "binary": CHROMIUM, "args": arguments } });
        let Value::Object(wanted) = wanted else { unreachable!() };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(wanted)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap();
        let patience = fantoccini::wd::TimeoutConfiguration::new(
            Some(crate::agent::PATIENCE),
            Some(crate::agent::PATIENCE),
            Some(std::time::Duration::ZERO),
        );
        client.update_timeouts(patience).await.unwrap();
        Self { client, driver, _profile: profile }
    }

    /// Everything that WebDriver can do.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Shows a page.
    pub async fn show(&self, address: &str) {
        cccd_patience::soon("a page in the browser", self.client.goto(address)).await.unwrap();
    }

    /// What an async function in the page gives, or the text of what it throws: `return await x` is its body.
    pub async fn run(&self, body: &str, arguments: Vec<Value>) -> Value {
        let script = format!(
            "const done = arguments[arguments.length - 1];
             (async (...given) => {{ {body} }})(...[...arguments].slice(0, -1))
                 .then((value) => done(value ?? null), (error) => done({{ thrown: String(error) }}));"
        );
        let done = self.client.execute_async(&script, arguments);
        cccd_patience::soon("a script in the browser", done).await.unwrap()
    }

    /// Closes it.
    pub async fn close(mut self) {
        let _ = cccd_patience::soon("the browser's end", self.client.clone().close()).await;
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

impl Drop for Browser {
    /// Where a test fails nobody closes it.
    fn drop(&mut self) {
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// Starts the driver on a port of its choice.
fn start_driver() -> (Child, u16) {
    // It must not outlive its test, however that ends: with the driver its browser ends, too.
    let mut driver = Command::new("setpriv")
        .args(["--pdeathsig", "TERM", DRIVER, "--port=0"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{DRIVER}: {error}; `cargo xtask setup` installs chromium-driver"));
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    let port = cccd_patience::done("the port of the browser's driver", move || {
        let mut told = String::new();
        for line in lines.by_ref().map_while(Result::ok) {
            // "ChromeDriver was started successfully on port 40519."
            if let Some((_, port)) = line.split_once("successfully on port ") {
                // Whatever else it says must not block it.
                std::thread::spawn(move || lines.for_each(drop));
                return port.trim_end_matches('.').parse().unwrap();
            }
            told += &line;
        }
        panic!("{DRIVER} did not start: {told}");
    });
    (driver, port)
}

/// Pages on a loopback port of their own: an origin.
pub struct Pages {
    address: SocketAddr,
}

impl Pages {
    /// Serves one page at `/` for as long as the runtime runs.
    pub async fn serve(page: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(move || async move { Html(page) }));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address }
    }

    /// The same with a script beside it, at `/cccd-agent.js`.
    pub async fn serve_with_client(page: String, script: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let script = ([(reqwest::header::CONTENT_TYPE, "text/javascript")], script);
        let router = Router::new()
            .route("/", get(move || async move { Html(page) }))
            .route("/cccd-agent.js", get(move || async move { script }));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address }
    }

    /// The origin, as a browser writes it.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }
}
