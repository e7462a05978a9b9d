//! `cargo xtask soak`: ten thousand readings in this process, and what they leave in its memory. `cargo xtask soak
//! crowd`: five hundred readings on six readers of every kind at once, with cards pulled out.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use cccd_tests::soak::{crowd, soak};
use tempfile::TempDir;

/// How much more memory there may be at the end than after the first readings.
const ALLOWED: f64 = 0.05;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let ["nfc-worker", connstring] = arguments.as_slice() {
        return cccd_readers::nfc_worker(connstring);
    }
    let done = match arguments.as_slice() {
        ["crowd", "in", folder, total, seed] => many_at_once(folder, total, seed),
        ["crowd", rest @ ..] => lead_to_a_service(rest),
        ["readings", total] => one_after_the_other(total),
        [] => one_after_the_other("10000"),
        _ => Err(anyhow::anyhow!("soak [readings N | crowd [N [SEED]]]")),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("soak: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn one_after_the_other(total: &str) -> Result<bool> {
    let total: usize = total.parse().context("how many readings")?;
    let settled = (total / 20).max(1);
    println!("| readings | resident kB |\n|---:|---:|");
    let soaked = soak(settled, total, |count, bytes| println!("| {count} | {} |", bytes / 1024))?;
    let growth = soaked.growth();
    println!(
        "\n{} readings: {} kB after the first {settled}, {} kB at the end, {:+.1} % (at most {:.0} % is allowed)",
        soaked.readings,
        soaked.before / 1024,
        soaked.after / 1024,
        growth * 100.0,
        ALLOWED * 100.0
    );
    Ok(growth <= ALLOWED)
}

/// Starts this program again with an environment that leads to its own smart-card service: a client library looks
/// there once, and only there.
fn lead_to_a_service(rest: &[&str]) -> Result<bool> {
    let total = rest.first().copied().unwrap_or("500");
    let seed = rest.get(1).map_or_else(|| std::process::id().to_string(), |seed| (*seed).to_owned());
    let folder = TempDir::new()?;
    let status = std::process::Command::new(std::env::current_exe()?)
        .args(["crowd", "in"])
        .arg(folder.path())
        .args([total, &seed])
        .env("PCSCLITE_CSOCK_NAME", folder.path().join("sock"))
        .status()?;
    Ok(status.success())
}

fn many_at_once(folder: &str, total: &str, seed: &str) -> Result<bool> {
    println!("six readers, {total} readings, seed {seed}\n\n| reader | outcome | readings |\n|---|---|---:|");
    let endings = crowd(folder.as_ref(), total.parse()?, seed.parse()?)?;
    for ((reader, word), count) in &endings {
        println!("| {reader} | {word} | {count} |");
    }
    println!("\n{} readings, each with a named outcome and of nobody else", endings.values().sum::<usize>());
    Ok(true)
}
