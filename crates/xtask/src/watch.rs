//! Programs that may hang: their output is watched, so that a test that never ends becomes a failure with its name.

use std::collections::BTreeSet;
use std::io::{PipeReader, Read as _, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// How long a program may take before it is taken for one that hangs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Without printing anything.
    pub(crate) silence: Duration,
    /// From its start to its end.
    pub(crate) whole: Duration,
}

/// How long what a program has printed may take to come out once the program itself has ended: what it left running in
/// the background may hold its output open for ever.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// The process group that ends with us; 0: none.
static GROUP: AtomicU32 = AtomicU32::new(0);

/// Runs tests to the end; anything but success is an error, which names the tests that were running where they hang.
pub(crate) fn tests(command: Command, limits: Limits) -> Result<()> {
    let mut running = Running::default();
    let outcome = watched(command, limits, |printed| {
        running.hear(printed);
        pass_on(printed)
    });
    let status = outcome.with_context(|| running.to_string())?;
    if !status.success() {
        bail!("the tests ended with {status}");
    }
    Ok(())
}

/// Prints what another program has printed.
pub(crate) fn pass_on(printed: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(printed).and_then(|()| out.flush()).context("cannot print")
}

/// Runs to the end. What it prints is heard by `hear` as it comes. When a limit is over it is killed, with everything it
/// has started.
pub(crate) fn watched(
    mut command: Command,
    limits: Limits,
    mut hear: impl FnMut(&[u8]) -> Result<()>,
) -> Result<ExitStatus> {
    let name = command.get_program().to_string_lossy().into_owned();
    // One pipe for both outputs keeps their order.
    let (printed, output) = std::io::pipe().context("cannot make a pipe")?;
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
    // It holds our ends of the pipe.
    drop(command);
    let group = child.id();
    ends_with_us(group);
    let news = news(child, printed);

    let began = Instant::now();
    let mut last = began;
    let mut ended = None;
    loop {
        let end = match &ended {
            Some((_, at)) => *at + LAST_WORDS,
            None => (last + limits.silence).min(began + limits.whole),
        };
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        match news.recv_timeout(left) {
            Ok(News::Printed(bytes)) => {
                last = Instant::now();
                if let Err(error) = hear(&bytes) {
                    kill(group)?;
                    return Err(error);
                }
            }
            Ok(News::Ended(status)) => {
                ended = Some((status.context("it cannot be waited for")?, Instant::now()));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    GROUP.store(0, Ordering::Release);
    let Some((status, _)) = ended else {
        kill(group)?;
        if last.elapsed() >= limits.silence {
            bail!("{name} was killed: it had printed nothing for {} s", limits.silence.as_secs());
        }
        bail!("{name} was killed: it had taken {} s", limits.whole.as_secs());
    };
    Ok(status)
}

enum News {
    Printed(Vec<u8>),
    Ended(std::io::Result<ExitStatus>),
}

/// What comes from a program. No sender is left once it has ended and its output too.
fn news(mut child: Child, mut printed: PipeReader) -> mpsc::Receiver<News> {
    let (tell, news) = mpsc::channel();
    thread::spawn({
        let tell = tell.clone();
        move || {
            let mut bytes = [0; 8192];
            while let Ok(count @ 1..) = printed.read(&mut bytes) {
                let bytes = bytes.get(..count).unwrap_or_default().to_vec();
                if tell.send(News::Printed(bytes)).is_err() {
                    return;
                }
            }
        }
    });
    thread::spawn(move || tell.send(News::Ended(child.wait())));
    news
}

/// A group of its own hears no Ctrl-C of the terminal: it gets ours.
fn ends_with_us(group: u32) {
    static HANDLER: Once = Once::new();
    GROUP.store(group, Ordering::Release);
    HANDLER.call_once(|| {
        let set = ctrlc::set_handler(|| {
            let group = GROUP.load(Ordering::Acquire);
            if group != 0 {
                let _ = kill(group);
            }
            std::process::exit(130);
        });
        if let Err(error) = set {
            println!("Ctrl-C will leave programs behind: {error}");
        }
    });
}

/// Ends a program and whatever it has started.
fn kill(group: u32) -> Result<()> {
    let mut kill = if cfg!(unix) {
        // Every shell has it, and not every machine has it as a program.
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("kill -s KILL -- -{group}")]);
        shell
    } else {
        let mut taskkill = Command::new("taskkill");
        taskkill.args(["/F", "/T", "/PID", &group.to_string()]);
        taskkill
    };
    kill.status().with_context(|| format!("cannot end process {group}"))?;
    Ok(())
}

/// The lines of what comes in pieces.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    /// The lines that these bytes end.
    pub(crate) fn hear(&mut self, printed: &[u8]) -> Vec<String> {
        self.begun.extend(printed);
        let Some(end) = self.begun.iter().rposition(|byte| *byte == b'\n') else { return Vec::new() };
        let rest = self.begun.split_off(end + 1);
        let whole = std::mem::replace(&mut self.begun, rest);
        String::from_utf8_lossy(&whole).lines().map(str::to_owned).collect()
    }

    /// The line that has no end yet.
    fn begun(&self) -> String {
        String::from_utf8_lossy(&self.begun).into_owned()
    }
}

/// Which tests run, by what cargo and the test harness print of them.
#[derive(Debug, Default)]
struct Running {
    lines: Lines,
    /// The program that runs.
    program: String,
    /// Those of its tests of which the harness has said, after a minute, that they still run.
    slow: BTreeSet<String>,
}

impl Running {
    fn hear(&mut self, printed: &[u8]) {
        for line in self.lines.hear(printed) {
            let line = line.trim();
            if let Some(program) = line.strip_prefix("Running ").or_else(|| line.strip_prefix("Doc-tests ")) {
                program.clone_into(&mut self.program);
                self.slow.clear();
            } else if let Some((before, _)) = line.split_once(" has been running for over ") {
                // Where one test runs at a time its name was begun on this line before.
                let name = before.rsplit_once("test ").map_or(before, |(_, name)| name);
                self.slow.insert(name.to_owned());
            } else if let Some((name, _)) =
                line.strip_prefix("test ").and_then(|line| line.split_once(" ... "))
            {
                self.slow.remove(name);
            }
        }
    }
}

impl std::fmt::Display for Running {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut names = self.slow.clone();
        // One at a time: its name stands there, and how it ended does not yet.
        if let Some((name, _)) =
            self.lines.begun().strip_prefix("test ").and_then(|line| line.split_once(" ..."))
        {
            names.insert(name.to_owned());
        }
        let names: Vec<String> = names.into_iter().collect();
        let program = if self.program.is_empty() { "the tests" } else { &self.program };
        if names.is_empty() {
            return write!(out, "in {program}, where no test had run for a minute");
        }
        write!(out, "in {program}, where these had not ended: {}", names.join(", "))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// No test waits for it.
    const LONG: Duration = Duration::from_secs(3600);

    fn sh(script: &str) -> Command {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]);
        shell
    }

    /// Runs it, and gives its lines and how it ended.
    fn heard(command: Command, limits: Limits) -> (Vec<String>, Result<ExitStatus>) {
        let (mut lines, mut heard) = (Lines::default(), Vec::new());
        let ended = watched(command, limits, |printed| {
            heard.extend(lines.hear(printed));
            Ok(())
        });
        (heard, ended)
    }

    /// Whether a process runs: one that has ended may still be listed.
    fn runs(process: &str) -> bool {
        std::fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
    }

    /// What cargo and the harness print when a test never ends.
    const HANGS: &str = "
        echo '     Running tests/quick.rs (target/debug/deps/quick-0123)' >&2
        echo 'test slow_one has been running for over 60 seconds'
        echo 'test slow_one ... ok'
        echo '     Running tests/doors.rs (target/debug/deps/doors-4567)' >&2
        echo 'test passes ... ok'
        echo 'test comes_late has been running for over 60 seconds'
        echo 'test waits::for_ever has been running for over 60 seconds'
        echo 'test comes_late ... ok'
        sleep 3600 & echo $!
        wait";

    #[test]
    fn a_test_that_hangs_is_named_and_ends_with_all_it_has_started() {
        let limits = Limits { silence: Duration::from_secs(5), whole: LONG };
        let (lines, ended) = heard(sh(HANGS), limits);
        assert_eq!(ended.unwrap_err().to_string(), "sh was killed: it had printed nothing for 5 s");
        let mut running = Running::default();
        running.hear((lines.join("\n") + "\n").as_bytes());
        let told = running.to_string();
        assert!(
            told.contains("tests/doors.rs") && told.ends_with("had not ended: waits::for_ever"),
            "{told}"
        );

        let deadline = Instant::now() + Duration::from_secs(120);
        while runs(lines.last().unwrap()) {
            assert!(Instant::now() < deadline, "what the test had started goes on running");
            thread::yield_now();
        }
    }

    #[test]
    fn who_prints_on_and_on_ends_too() {
        let limits = Limits { silence: LONG, whole: Duration::from_secs(1) };
        let (_, ended) = heard(sh("while :; do echo; sleep 0.1; done"), limits);
        assert_eq!(ended.unwrap_err().to_string(), "sh was killed: it had taken 1 s");
    }

    #[test]
    fn what_is_printed_is_heard_in_order_and_the_end_is_its_own() {
        let script = "for i in 1 3 5; do echo $i; echo $((i + 1)) >&2; done; exit 3";
        let (lines, ended) = heard(sh(script), Limits { silence: LONG, whole: LONG });
        assert_eq!(lines, ["1", "2", "3", "4", "5", "6"]);
        assert_eq!(ended.unwrap().code(), Some(3));
    }

    #[test]
    fn what_is_left_in_the_background_holds_nobody_up() {
        // In a session of its own, as a service is.
        let (lines, ended) = heard(sh("setsid sleep 600 & echo $!"), Limits { silence: LONG, whole: LONG });
        assert!(ended.unwrap().success());
        let left = lines.last().unwrap();
        assert!(runs(left), "it was left running");
        assert!(sh(&format!("kill {left}")).status().unwrap().success());
    }

    #[test]
    fn one_test_at_a_time_is_named_by_the_line_it_has_begun() {
        let mut running = Running::default();
        assert_eq!(running.to_string(), "in the tests, where no test had run for a minute");
        running
            .hear(b"     Running unittests src/lib.rs (target/debug/deps/x-1)\ntest a::b ... ok\ntest c::d ");
        assert!(running.to_string().contains("src/lib.rs"), "{running}");
        running.hear(b"... ");
        assert!(running.to_string().ends_with("had not ended: c::d"), "{running}");
        running.hear(b"ok\n");
        assert!(!running.to_string().contains("c::d"), "{running}");
    }
}
