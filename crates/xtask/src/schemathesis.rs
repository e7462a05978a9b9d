//! `cargo xtask schemathesis`: the API against its own description, by thousands of requests that somebody else thinks up.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::run::{cargo, root, run, step, target};
use crate::watch::{Limits, Lines, pass_on, watched};

/// The version the figures were made with: a newer one thinks up other requests.
const VERSION: &str = "4.32.5";

/// What every answer is held to: no 5xx; no status, header, media type or shape that the description does not name; nothing
/// taken in that the description does not allow; no method beside the named ones, 405 with `Allow`. That every operation wants
/// its token is a test of its own: so many wrong ones in a row are refused with 429.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
     response_headers_conformance,response_schema_conformance,negative_data_rejection,missing_required_header,\
     unsupported_method,allow_header_conformance";

/// The least number of requests a whole run has to make.
const LEAST: usize = 2000;

/// How long a run may take before it is taken for one that hangs. It is silent for as long as a phase lasts.
const LIMITS: Limits = Limits { silence: Duration::from_secs(30 * 60), whole: Duration::from_secs(60 * 60) };

/// How long the desk may take to come up, and to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was asked for.
#[derive(Clone, Copy)]
struct Wish {
    /// Requests thought up for each operation, beside the examples and the edges of every parameter.
    examples: u32,
    seed: u64,
    phases: &'static str,
}

/// Everything it can think of.
const ALL_PHASES: &str = "examples,coverage,fuzzing,stateful";
/// What a short run leaves out: the edges of every parameter, and chains of requests.
const SHORT_PHASES: &str = "examples,fuzzing";
/// The least number of requests of a short run.
const LEAST_OF_SHORT: usize = 200;

/// A short run, as a part of the tests: some hundred requests in less than a minute. It needs what the tests have built.
pub(crate) fn short() -> Result<()> {
    let program = match tool() {
        Ok(program) => program,
        Err(error) => {
            // A machine without a way to the registry tests everything else.
            println!("left out, as schemathesis cannot be installed here: {error:#}");
            return Ok(());
        }
    };
    let desk = Desk::start()?;
    let wish = Wish { examples: 8, seed: 1, phases: SHORT_PHASES };
    let made = Run { program: &program, desk: &desk, wish: &wish }.whole()?;
    ensure!(made >= LEAST_OF_SHORT, "only {made} requests were made");
    Ok(())
}

pub(crate) fn schemathesis(arguments: &[String]) -> Result<()> {
    if arguments == ["--short"] {
        step("build", || run(cargo(["test", "--workspace", "--locked", "--no-run", "--test", "clients"])))?;
        return short();
    }
    let wish = Wish::read(arguments)?;
    let program = tool()?;
    // As the tests are built, so that nothing is built twice: with them comes the desk.
    step("build", || run(cargo(["test", "--workspace", "--locked", "--no-run", "--test", "clients"])))?;
    let desk = Desk::start()?;
    let found_out = Run { program: &program, desk: &desk, wish: &Wish { examples: 5, ..wish } };
    if found_out.against(&doctored()?, &["--include-path", DOCTORED_PATH])?.kept {
        bail!("a description that leaves an answer out was not found out");
    }
    println!("\n(That failure was wanted: the description left an answer out. Now the real one.)\n");
    let whole = Run { program: &program, desk: &desk, wish: &wish };
    let made = whole.whole()?;
    ensure!(wish.examples < Wish::USUAL || made >= LEAST, "fewer than {LEAST} requests were made");
    Ok(())
}

/// The operation whose answer is left out of the doctored description.
const DOCTORED_PATH: &str = "/v1/reads/{id}";

/// A description without the 404 of a reading that is not there.
fn doctored() -> Result<PathBuf> {
    let text = std::fs::read_to_string(root().join("docs/openapi.json")).context("no docs/openapi.json")?;
    let mut document: Value = serde_json::from_str(&text).context("docs/openapi.json is no JSON")?;
    let answers = document
        .pointer_mut("/paths/~1v1~1reads~1{id}/get/responses")
        .and_then(Value::as_object_mut)
        .context("docs/openapi.json has no such operation")?;
    ensure!(answers.remove("404").is_some(), "docs/openapi.json has no such answer");
    let file = target().join("schemathesis/doctored.json");
    std::fs::write(&file, document.to_string())
        .with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}

/// One run of the program.
struct Run<'a> {
    program: &'a Path,
    desk: &'a Desk,
    wish: &'a Wish,
}

struct Outcome {
    /// Whether every answer was as described.
    kept: bool,
    requests: Option<usize>,
}

impl Run<'_> {
    /// The whole description; tells how many requests were made.
    fn whole(&self) -> Result<usize> {
        // The events are a stream without end; docs/asyncapi.json describes it, and tests of its own hold it to that.
        let outcome = self.against(&root().join("docs/openapi.json"), &["--exclude-path", "/v1/events"])?;
        ensure!(outcome.kept, "the API does not keep to its description");
        let made = outcome.requests.context("schemathesis did not say how many requests it made")?;
        println!("{made} requests, and every answer is one that docs/openapi.json describes");
        Ok(made)
    }

    fn against(&self, description: &Path, which: &[&str]) -> Result<Outcome> {
        let mut command = Command::new(self.program);
        command.arg("run").arg(description).args(["--url", &self.desk.url]).args(which);
        command.args(["-H", &format!("Authorization: Bearer {}", self.desk.token)]);
        command.args(["--checks", CHECKS, "--phases", self.wish.phases]);
        command.args([
            "--max-examples",
            &self.wish.examples.to_string(),
            "--seed",
            &self.wish.seed.to_string(),
        ]);
        command.args(["--continue-on-failure", "--warnings", "off", "--no-color"]);
        // Its memory of earlier runs would make this one another.
        command.current_dir(target().join("schemathesis"));
        let (mut lines, mut requests) = (Lines::default(), None);
        let status = watched(command, LIMITS, |printed| {
            requests = requests.or_else(|| lines.hear(printed).iter().find_map(|line| generated(line)));
            pass_on(printed)
        })?;
        // 1: it found something. Anything else is no run at all.
        ensure!(matches!(status.code(), Some(0 | 1)), "schemathesis ended with {status}");
        Ok(Outcome { kept: status.success(), requests })
    }
}

impl Wish {
    /// As many as make more than [`LEAST`] requests of all operations together.
    const USUAL: u32 = 100;

    fn read(arguments: &[String]) -> Result<Self> {
        let mut wish = Self { examples: Self::USUAL, seed: 1, phases: ALL_PHASES };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let number = || arguments.clone().next().and_then(|text| text.parse::<u64>().ok());
            match argument.as_str() {
                "--examples" => {
                    wish.examples = u32::try_from(number().context("--examples wants a number")?)?
                }
                "--seed" => wish.seed = number().context("--seed wants a number")?,
                other => bail!("schemathesis knows --short, --examples N and --seed N, not {other:?}"),
            }
            arguments.next();
        }
        Ok(wish)
    }
}

/// The program, installed into a Python environment of its own under the target folder.
fn tool() -> Result<PathBuf> {
    let folder = target().join("schemathesis").join(VERSION);
    let program = folder.join("bin/schemathesis");
    if !program.exists() {
        step(&format!("installing schemathesis {VERSION}"), || {
            let mut make = Command::new("python3");
            make.args(["-m", "venv"]).arg(&folder);
            run(make)?;
            let mut install = Command::new(folder.join("bin/pip"));
            // Without a way to the registry it shall say so soon.
            install.args([
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--retries",
                "1",
                "--timeout",
                "20",
            ]);
            install.arg(format!("schemathesis=={VERSION}"));
            run(install)
        })?;
    }
    Ok(program)
}

/// The simulated desk of the tests, for as long as this lives.
struct Desk {
    child: Child,
    url: String,
    token: String,
}

impl Desk {
    fn start() -> Result<Self> {
        let mut command = Command::new(target().join("debug/cccd-simulated-desk"));
        let child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("cannot start the desk")?;
        let mut desk = Self { url: String::new(), token: String::new(), child };
        let output = desk.child.stdout.take().context("the desk has no output")?;
        let (tell, told) = mpsc::channel();
        // An empty line ends what it says of itself.
        thread::spawn(move || {
            let lines = BufReader::new(output).lines().map_while(Result::ok);
            tell.send(lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>())
        });
        for line in told.recv_timeout(PATIENCE).context("the desk says nothing of itself")? {
            match line.split_once('=') {
                Some(("CCCD_AGENT_URL", url)) => url.clone_into(&mut desk.url),
                Some(("CCCD_AGENT_TOKEN", token)) => token.clone_into(&mut desk.token),
                _ => {}
            }
        }
        ensure!(!desk.url.is_empty() && !desk.token.is_empty(), "the desk did not come up");
        Ok(desk)
    }
}

impl Drop for Desk {
    /// It stops when its input ends.
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let deadline = Instant::now() + PATIENCE;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How many requests a line of the summary says were made.
fn generated(line: &str) -> Option<usize> {
    line.trim().split_once(" generated, ")?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_says_how_many() {
        assert_eq!(generated("  2432 generated, 2432 passed, 20 skipped"), Some(2432));
        assert_eq!(generated("  2432 passed"), None);
    }
}
