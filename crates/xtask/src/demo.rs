//! The demo: a simulated reader behind a real pcscd, the agent, and one reading over HTTP.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::run::{cargo, run, target, text};

/// How long anything may take to come up.
const PATIENCE: Duration = Duration::from_secs(30);
/// Where the integrator's guide serves its form from.
const FORM_ORIGIN: &str = "http://127.0.0.1:8000";
/// Where the agent listens if nobody else does.
const USUAL_PORT: u16 = 9303;

pub(crate) fn demo(arguments: &[String]) -> Result<()> {
    let wish = Wish::parse(arguments)?;
    println!("building (the first time takes some minutes)");
    run(cargo(["build", "--locked", "--package", "cccd-agent", "--package", "cccd-firmware-sim"]))?;

    let (stop, stopped) = mpsc::channel();
    // From here on Ctrl-C ends the demo in order; the children get theirs from us.
    ctrlc::set_handler(move || {
        let _ = stop.send(());
    })
    .context("cannot wait for Ctrl-C")?;

    let scratch = Scratch::new()?;
    let ready_file = scratch.0.join("simulator.json");
    let mut simulator = Part::start(
        "the simulator",
        Command::new(program("firmware-sim"))
            .arg("run")
            .args(["--card", &wish.card])
            .arg("--dir")
            .arg(scratch.0.join("sim"))
            .arg("--ready-file")
            .arg(&ready_file)
            .stdout(Stdio::null()),
    )?;
    let ready: Value = wait(&mut simulator, "the simulated reader", || {
        serde_json::from_str(&std::fs::read_to_string(&ready_file).ok()?).ok()
    })?;
    let socket = text(ready.get("environment").unwrap_or(&Value::Null), "PCSCLITE_CSOCK_NAME").to_owned();
    let printed = ready.pointer("/printed/0/1").cloned().unwrap_or_default();

    let token = Token::make()?;
    let port = free_port()?;
    let config = scratch.0.join("agent.toml");
    let key_file = scratch.0.join("evidence-key.json");
    let listen = format!(
        "[api]\nlisten = \"127.0.0.1:{port}\"\n[evidence]\nkey_file = '{}'\n[trust]\ndirectory = '{}'\n[store]\nfolder = '{}'\n\n",
        key_file.display(),
        scratch.0.join("trust").display(),
        scratch.0.join("store").display()
    );
    std::fs::write(&config, listen + &token.settings).context("cannot write the settings")?;
    trust_the_simulation(&config, &scratch.0.join("sim"))?;
    let mut agent = Part::start(
        "the agent",
        Command::new(program("cccd-agent"))
            .args(["run", "--log", "warn", "--config"])
            .arg(&config)
            .env("PCSCLITE_CSOCK_NAME", &socket),
    )?;
    let base = format!("http://127.0.0.1:{port}");
    wait(&mut agent, "the agent", || ureq::get(format!("{base}/readyz")).call().ok())?;

    let access = access(&printed)?;
    println!(
        "\nReading the simulated card {:?} through pcscd, pcsc-lite's CCID driver and HTTP ...\n",
        wish.card
    );
    let result = read(&base, &token.secret, &access)?;
    println!("{}", record_as_text(&result));

    if wish.once {
        println!("done");
        return Ok(());
    }
    let sim = scratch.0.join("sim");
    introduce(&base, &token.secret, &access, &socket, &sim);
    // A child that dies on its own ends the demo too.
    loop {
        match stopped.recv_timeout(Duration::from_millis(500)) {
            Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                agent.must_run()?;
                simulator.must_run()?;
            }
        }
    }
    println!("\nstopping");
    Ok(())
}

/// Installs the simulation's authorities, as an operator installs a state's: without them nothing is genuine.
fn trust_the_simulation(config: &Path, simulation: &Path) -> Result<()> {
    for entry in std::fs::read_dir(simulation).context("the simulator has no folder")? {
        let path = entry?.path();
        let is_authority = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("csca-"));
        if is_authority && path.extension().is_some_and(|kind| kind == "der") {
            let mut add = Command::new(program("cccd-agent"));
            add.arg("--config").arg(config).args(["trust", "add", "--accept-unverified"]).arg(&path);
            let added = add.stdout(Stdio::null()).status().context("cannot install an authority")?;
            if !added.success() {
                bail!("an authority of the simulation was not installed");
            }
        }
    }
    Ok(())
}

struct Wish {
    card: String,
    once: bool,
}

impl Wish {
    fn parse(arguments: &[String]) -> Result<Self> {
        let mut wish = Self { card: "cccd-2021".to_owned(), once: false };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--once" => wish.once = true,
                "--card" => wish.card = arguments.next().context("--card wants a name")?.clone(),
                other => bail!("the demo knows --once and --card NAME, not {other:?}"),
            }
        }
        Ok(wish)
    }
}

fn program(name: &str) -> PathBuf {
    target().join("debug").join(name)
}

/// A folder of our own, gone when the demo is over.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self> {
        // Short, because the path of a socket may have 107 bytes.
        let folder = std::env::temp_dir().join(format!("cccd-demo-{}", std::process::id()));
        std::fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A child that is told to stop, and waited for, when the demo is over.
struct Part {
    what: &'static str,
    child: Child,
}

impl Part {
    fn start(what: &'static str, command: &mut Command) -> Result<Self> {
        let child = command.stdin(Stdio::null()).spawn().with_context(|| format!("cannot start {what}"))?;
        Ok(Self { what, child })
    }

    fn must_run(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended with {status}", self.what),
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // A gentle signal without a dependency: the simulator removes its files, the agent its results.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Looks again and again until there is something, as long as the child lives.
fn wait<T>(child: &mut Part, what: &str, mut look: impl FnMut() -> Option<T>) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(found) = look() {
            return Ok(found);
        }
        child.must_run()?;
        thread::sleep(Duration::from_millis(20));
    }
    bail!("{what} did not come up within {} s", PATIENCE.as_secs())
}

/// The usual port, or any that is free.
fn free_port() -> Result<u16> {
    let port = |port| Ok::<u16, std::io::Error>(TcpListener::bind(("127.0.0.1", port))?.local_addr()?.port());
    port(USUAL_PORT).or_else(|_| port(0)).context("no free port")
}

/// A token for this demo, made as an operator makes one.
struct Token {
    secret: String,
    settings: String,
}

impl Token {
    fn make() -> Result<Self> {
        let output = Command::new(program("cccd-agent"))
            .args(["token", "demo"])
            .output()
            .context("cannot make a token")?;
        let aside = String::from_utf8_lossy(&output.stderr).into_owned();
        let secret = aside.lines().find_map(|line| line.split("Bearer ").nth(1));
        let secret = secret.context("`cccd-agent token` printed no token")?.trim().to_owned();
        let settings = String::from_utf8(output.stdout).context("`cccd-agent token` printed no UTF-8")?;
        // The page of docs/integrate.en.md may call too.
        let settings = settings.replace("origins = []", &format!("origins = [\"{FORM_ORIGIN}\"]"));
        Ok(Self { secret, settings })
    }
}

/// The QR code's text opens a citizen's card, the MRZ a passport.
fn access(printed: &Value) -> Result<Value> {
    if let Some(qr) = printed.get("qr").and_then(Value::as_str) {
        return Ok(json!({ "qr": qr }));
    }
    let lines: Vec<&str> = printed
        .get("mrz")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if lines.is_empty() {
        bail!("nothing is printed on the simulated card that would open it");
    }
    Ok(json!({ "mrz": lines.join("\n") }))
}

fn read(base: &str, token: &str, access: &Value) -> Result<Value> {
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    let mut response = agent
        .post(format!("{base}/v1/reads"))
        .header("Authorization", format!("Bearer {token}"))
        .header("Prefer", "wait=30")
        .send_json(json!({ "access": access }))
        .context("the agent does not answer")?;
    let status = response.status();
    let body: Value = response.body_mut().read_json().context("the agent answered no JSON")?;
    if status != 200 {
        bail!("the reading failed with {status}: {body:#}");
    }
    Ok(body)
}

/// The record, a line for each field; then what it took.
fn record_as_text(result: &Value) -> String {
    let mut out = String::new();
    for (name, field) in result.get("record").and_then(Value::as_object).into_iter().flatten() {
        let shown = ["value", "printed"].iter().find_map(|part| field.get(part)?.as_str());
        if let Some(shown) = shown {
            let _ = writeln!(out, "  {name:<20} {shown}  ({})", text(field, "source"));
        }
    }
    let verdict = result.get("verdict").unwrap_or(&Value::Null);
    let _ = writeln!(out, "  {:<20} {} ({})", "verdict", text(verdict, "state"), text(verdict, "reason"));
    for part in ["access", "effort"] {
        let _ = writeln!(out, "  {part:<20} {}", result.get(part).unwrap_or(&Value::Null));
    }
    out
}

fn introduce(base: &str, token: &str, access: &Value, socket: &str, sim: &Path) {
    let body = json!({ "access": access }).to_string();
    let simulator = program("firmware-sim");
    let agent = program("cccd-agent");
    println!(
        "The agent stays up until Ctrl-C. To try:\n\n\
         BASE={base}\n\
         TOKEN={token}\n\
         curl -s $BASE/healthz\n\
         curl -s -H \"Authorization: Bearer $TOKEN\" $BASE/v1/readers\n\
         curl -N -H \"Authorization: Bearer $TOKEN\" $BASE/v1/events\n\
         curl -s -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' -H 'Prefer: wait=30' \\\n     \
         -d '{body}' $BASE/v1/reads\n\n\
         A page with a form: docs/integrate.en.md, docs/integrate.vi.md\n\
         Another card:       {} swap --card can-cuoc-2024 --dir {}\n\
         The command line:   PCSCLITE_CSOCK_NAME={socket} {} readers\n\
         The contract:       {base}/v1/openapi.json",
        simulator.display(),
        sim.display(),
        agent.display(),
    );
}
