//! `cargo xtask bench outbox`: 1,000 messages to a receiver that fails a third of the time, their program killed 200 times.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result};
use cccd_tests::outbox::storm;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("outbox: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every message arrived.
fn run() -> Result<bool> {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<usize>().context("kills, messages"));
    let kills = arguments.next().unwrap_or(Ok(200))?;
    let messages = arguments.next().unwrap_or(Ok(1000))?;
    let program = std::env::current_exe()?.with_file_name("outbox-under-test");
    let started = Instant::now();
    let storm = storm(&program, kills, messages)?;
    println!(
        "| kills | messages | arrived | delivered again under the same key | refused by the receiver | s |"
    );
    println!("|---:|---:|---:|---:|---:|---:|");
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "| {} | {messages} | {} | {} | {} | {seconds:.0} |",
        storm.kills, storm.arrived, storm.again, storm.refused
    );
    Ok(storm.arrived == messages)
}
