//! `cccd-agent doctor`: looks at the whole desk, and says of each thing how it is, whose move it is and what to do.
//!
//! It disturbs nobody: no reader, scanner or card is opened, and nothing is made or changed. Each check has a thread of
//! its own and a limit: what hangs is said to hang, and costs the others nothing. What is shown are states, names of
//! devices and of files: nothing of a person, and of no secret more than whether it lies well.

mod agent;
mod audit;
mod clock;
mod finding;
mod keys;
mod machine;
mod ports;
mod readers;
mod rights;
mod settings;
mod smart_cards;
mod storage;
mod systems;
mod trust;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use cccd_api::Actor;
use cccd_profiles::AgentSettings;
use clap::Args;
use serde_json::json;
use time::OffsetDateTime;

use self::finding::{Finding, State, words};
use self::machine::{Identity, Machine};
use crate::command_line::say;
use crate::daemon::now;

/// How long all checks together may take: each waits for less by itself.
const WITHIN: Duration = Duration::from_secs(20);
/// How long another system may take to let itself be dialled.
const DIALLED_WITHIN: Duration = Duration::from_secs(2);

#[derive(Args)]
#[command(after_help = "Mã thoát · exit codes:
  0  không có lỗi, có thể có cảnh báo · no fault; there may be warnings
  1  có lỗi · a fault")]
pub(crate) struct DoctorArguments {
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
}

/// What is looked at, and by whom it is looked at.
#[derive(Debug)]
struct Desk {
    settings: AgentSettings,
    /// The file of the settings.
    config: Option<PathBuf>,
    machine: Machine,
    now: OffsetDateTime,
}

type Check = fn(&Desk) -> Vec<Finding>;

/// Every check, in the order in which it is told.
const CHECKS: [(&str, Check); 12] = [
    ("settings", settings::check),
    ("rights", rights::check),
    ("agent", agent::check),
    ("readers", readers::check),
    ("ports", ports::check),
    ("network-readers", systems::check_readers),
    ("trust", trust::check),
    ("clock", clock::check),
    ("keys", keys::check),
    ("storage", storage::check),
    ("audit", audit::check),
    ("systems", systems::check),
];

/// Runs `cccd-agent doctor`. Settings that cannot be used are what it is there for: it goes on without them.
pub(crate) fn run(config: Option<&Path>, arguments: &DoctorArguments) -> Result<ExitCode> {
    let (found, settings) = settings::load(config);
    let settings = match settings {
        Some(settings) => settings,
        None => AgentSettings::parse("").context("default settings")?,
    };
    let is_usable = found.iter().all(|finding| finding.state != State::Fault);
    let desk = Desk { settings, config: config.map(Path::to_owned), machine: Machine::this(), now: now() };
    let mut findings = found;
    // Without settings nothing is known of agent, ports and files; readers and clock are the machine's.
    let wanted = |name: &str| is_usable || ["readers", "clock"].contains(&name);
    findings.extend(look(desk, &CHECKS, wanted, WITHIN));
    told(&findings, arguments.json)
}

/// Makes the checks that are wanted, all at once, and gives what they found in their order.
fn look(
    desk: Desk,
    checks: &'static [(&'static str, Check)],
    wanted: impl Fn(&str) -> bool,
    within: Duration,
) -> Vec<Finding> {
    let deadline = Instant::now() + within;
    let desk = Arc::new(desk);
    let (tell, told) = mpsc::channel();
    let mut found: Vec<(&'static str, Option<Vec<Finding>>)> = Vec::new();
    for (name, check) in checks.iter().filter(|(name, _)| wanted(name)) {
        let (desk, tell, place) = (Arc::clone(&desk), tell.clone(), found.len());
        found.push((name, None));
        thread::spawn(move || tell.send((place, check(&desk))));
    }
    drop(tell);
    // Ends early where a check has ended without a word: it is told below.
    while let Ok((place, findings)) = told.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        if let Some((_, slot)) = found.get_mut(place) {
            *slot = Some(findings);
        }
    }
    found.into_iter().flat_map(|(name, findings)| findings.unwrap_or_else(|| vec![hung(name)])).collect()
}

fn hung(name: &'static str) -> Finding {
    Finding::warning(
        name,
        words("không xem được: kiểm tra không kết thúc", "it cannot be told: the check did not end"),
        Actor::Admin,
        words(
            "chạy lại; nếu vẫn vậy, khởi động lại máy",
            "run it again; if that does not help, restart the machine",
        ),
    )
}

fn told(findings: &[Finding], as_json: bool) -> Result<ExitCode> {
    let worst = findings.iter().map(|finding| finding.state).max().unwrap_or(State::Ok);
    let count = |state: State| findings.iter().filter(|finding| finding.state == state).count();
    let (faults, warnings) = (count(State::Fault), count(State::Warning));
    if as_json {
        let found: Vec<_> = findings.iter().map(Finding::json).collect();
        let version = env!("CARGO_PKG_VERSION");
        let all = json!({ "version": version, "faults": faults, "warnings": warnings, "findings": found });
        say(&format!("{all}\n"))?;
    } else {
        let mut text: String = findings.iter().map(|finding| finding.line() + "\n").collect();
        text += &format!("{faults} lỗi · faults, {warnings} cảnh báo · warnings\n");
        say(&text)?;
    }
    Ok(if worst == State::Fault { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

impl Desk {
    /// Whom the agent runs as: as a running one does, or else whose its store is; `None` where neither can be told.
    fn agent_identity(&self) -> Option<Identity> {
        let listener =
            self.machine.listener(self.settings.api.listen).filter(|program| is_ours(&program.name));
        let running = listener.map(|program| program.id).or_else(|| self.agent_by_name());
        match running.and_then(|id| self.machine.identity(id)) {
            Some(identity) => Some(identity),
            None => rights::owner_of(&self.settings.store.folder),
        }
    }

    /// A running agent with these settings, as it can be told without the administrator's rights.
    fn agent_by_name(&self) -> Option<u32> {
        let config = self.config.as_ref().map(|path| path.display().to_string());
        let all = self.machine.processes().into_iter();
        let mut ours = all
            .filter(|program| is_ours(&program.name) && program.id != std::process::id())
            .filter(|program| {
                let line = self.machine.text(format!("/proc/{}/cmdline", program.id)).unwrap_or_default();
                config.as_ref().is_none_or(|config| line.split('\0').any(|word| word == config))
            });
        ours.next().map(|program| program.id)
    }
}

/// Whether a program of this name, as the kernel keeps it, is the agent. Its workers have the same; and so has what
/// tests start.
fn is_ours(name: &str) -> bool {
    name == "cccd-agent" || name == "agent-under-tes"
}

/// Does something that may hang, and gives it up after a while.
fn within<T: Send + 'static>(limit: Duration, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(work()));
    told.recv_timeout(limit).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::{Condvar, Mutex};

    use super::*;

    /// A desk of these settings on a machine that is made up.
    pub(super) fn desk(settings: &str, machine: Machine) -> Desk {
        let settings = AgentSettings::parse(settings).unwrap();
        Desk { settings, config: None, machine, now: time::macros::datetime!(2026-11-29 08:00 UTC) }
    }

    /// An address of this machine where nobody listens and nobody else can for as long as the other is held.
    #[cfg(unix)]
    pub(super) fn nobody() -> (std::net::SocketAddr, std::os::fd::OwnedFd) {
        use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};
        let held = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&held, &std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 0)).unwrap();
        (getsockname(&held).unwrap().try_into().unwrap(), held)
    }

    /// The states and checks that were found, one a line, and the English words.
    pub(super) fn shown(findings: &[Finding]) -> String {
        let line = |found: &Finding| {
            let todo = found.todo.as_ref().map(|(_, todo)| todo.en.as_str()).unwrap_or_default();
            format!("{:?} {}: {} | {todo}\n", found.state, found.check, found.seen.en)
        };
        findings.iter().map(line).collect()
    }

    static HANGING: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

    #[test]
    fn a_check_that_hangs_and_one_that_panics_cost_the_others_nothing() {
        fn fine(_: &Desk) -> Vec<Finding> {
            vec![Finding::ok("fine", words("tốt", "fine"))]
        }
        fn hangs(_: &Desk) -> Vec<Finding> {
            let guard = HANGING.0.lock().unwrap();
            drop(HANGING.1.wait_while(guard, |over| !*over).unwrap());
            Vec::new()
        }
        fn panics(_: &Desk) -> Vec<Finding> {
            panic!("on purpose")
        }
        const SOME: [(&str, Check); 3] = [("hangs", hangs), ("fine", fine), ("panics", panics)];
        let desk = desk("", Machine::below("/nowhere"));
        let found = look(desk, &SOME, |_| true, Duration::from_secs(5));
        let states: Vec<(&str, State)> = found.iter().map(|found| (found.check, found.state)).collect();
        assert_eq!(states, [("hangs", State::Warning), ("fine", State::Ok), ("panics", State::Warning)]);
        *HANGING.0.lock().unwrap() = true;
        HANGING.1.notify_all();
    }
}
