//! `cargo xtask bench fleet`: so many desks on one mosquitto, each with its presence and a report, and a look at all.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use cccd_delivery::TargetFiles;
use cccd_delivery::fleet::{PresenceState, look};
use cccd_tests::fleet::{PATIENCE, desks, presence, settings};
use cccd_tests::mosquitto::{Mosquitto, memory_of};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fleet: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let count = std::env::args().nth(1).map(|text| text.parse().context("how many desks")).transpose()?;
    let count: usize = count.unwrap_or(2000);
    // Each desk is an open file of ours and one of the broker's, which inherits the limit.
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    let mosquitto = Mosquitto::plain()?;
    let port = mosquitto.port();
    let ours = Path::new("/proc/self/status");
    let (before, broker_before) = (memory_of(ours)?.0, mosquitto.memory()?.0);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let started = Instant::now();
        let fleet = desks(port, count).await?;
        let said = started.elapsed();
        let (held, broker_held) = (memory_of(ours)?.0, mosquitto.memory()?.0);
        let started = Instant::now();
        let view = look(&settings(port, "operations"), &TargetFiles::default(), PATIENCE * 5).await?;
        let looked = started.elapsed();
        let up = view.values().filter(|desk| {
            desk.presence.as_ref().is_some_and(|presence| presence.state == PresenceState::Up)
        });
        let (up, reported) = (up.count(), view.values().filter(|desk| desk.report.is_some()).count());
        ensure!((up, reported) == (count, count), "{up} of {count} desks are up, {reported} have reported");
        let started = Instant::now();
        let stopping = fleet.into_iter().map(|desk| {
            let mut stopped = presence();
            stopped.state = PresenceState::Stopped;
            tokio::spawn(desk.stop(Some(stopped)))
        });
        for stopping in stopping.collect::<Vec<_>>() {
            stopping.await?;
        }
        let left = started.elapsed();
        println!(
            "| desks | connected, presence and report, s | a look at all, s | all stopped, s | broker before, MiB | broker \
             with all, MiB | ours before, MiB | ours with all, MiB | ours a desk, KiB |"
        );
        println!("|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
        let mebi = |kibi: u64| format!("{:.1}", kibi as f64 / 1024.0);
        println!(
            "| {count} | {:.2} | {:.2} | {:.2} | {} | {} | {} | {} | {} |",
            said.as_secs_f64(),
            looked.as_secs_f64(),
            left.as_secs_f64(),
            mebi(broker_before),
            mebi(broker_held),
            mebi(before),
            mebi(held),
            held.saturating_sub(before) / u64::try_from(count.max(1))?,
        );
        Ok(())
    })
}
