//! `cargo xtask matrix`: every combination the simulator offers, read and judged. `cargo xtask matrix quirks`: the
//! quirks of cards, readers and certificates by number; `matrix consumers`: every consumer of the plans, and what arrives
//! at it.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result};
use cccd_tests::consumers::{Desk, ROWS};
use cccd_tests::matrix::{Authorities, Combination, Family, all, some};
use cccd_tests::quirks::{Bench, rows};

fn main() -> ExitCode {
    let table = match std::env::args().nth(1).as_deref() {
        Some("consumers") => consumers(),
        Some("quirks") => quirks(),
        Some("quirks-tests") => names_of_tests(),
        _ => table(),
    };
    match table {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("matrix: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Prints a row for each consumer; whether all of them got what they take. The agent's command line lies beside this
/// program.
fn consumers() -> Result<bool> {
    let program = std::env::current_exe()?.with_file_name("agent-under-test");
    let desk = Desk::start(&program)?;
    let mut all = true;
    println!(
        "| # | consumer | profile file | card | stand-in | arrived | test | files read | commands | card ms |"
    );
    println!("|---:|---|---|---|---|---|---|---|---:|---:|");
    for row in &ROWS {
        let (number, consumer, profile, card) = (row.number, row.consumer, row.profile, row.card);
        match desk.try_row(row) {
            Ok((arrived, said)) => {
                let files: Vec<_> = arrived.files.iter().map(|sfi| format!("{sfi:02X}")).collect();
                println!(
                    "| {number} | {consumer} | config/profiles/{profile}.toml | {card} | {} | {said} | {} | {} | {} | {} |",
                    row.stand_in,
                    row.test,
                    files.join(" "),
                    arrived.commands,
                    arrived.on_card.as_millis()
                );
            }
            Err(error) => {
                all = false;
                println!(
                    "| {number} | {consumer} | config/profiles/{profile}.toml | {card} | {} | FAILED: {error:#} | | | | |",
                    row.stand_in
                );
            }
        }
    }
    Ok(all)
}

/// Prints the matrix; whether all of it is genuine.
fn table() -> Result<bool> {
    let combinations = match std::env::args().nth(1) {
        None => all(),
        Some(every) => some(every.parse().context("one in how many")?),
    };
    let authorities = Authorities::new()?;
    let started = Instant::now();
    let mut rows: BTreeMap<(Family, &str), (usize, usize)> = BTreeMap::new();
    let mut bad: Vec<(&Combination, anyhow::Error)> = Vec::new();
    for one in &combinations {
        let (tried, genuine) = rows.entry((one.family, one.row.as_str())).or_default();
        *tried += 1;
        match authorities.try_one(one) {
            Ok(()) => *genuine += 1,
            Err(error) => bad.push((one, error)),
        }
    }
    println!("| table | row | read | genuine |\n|---|---|---:|---:|");
    for ((family, row), (tried, genuine)) in &rows {
        println!("| {family:?} | {row} | {tried} | {genuine} |");
    }
    let genuine: usize = rows.values().map(|(_, genuine)| genuine).sum();
    println!("| all | | {} | {genuine} |", combinations.len());
    println!("\n{:.0} s", started.elapsed().as_secs_f64());
    for (one, error) in &bad {
        println!("{:?}: {}: {error:#}", one.family, one.name);
    }
    Ok(bad.is_empty())
}

/// Prints the quirks by number; whether each that can reach us is survived, or answered by its code.
fn quirks() -> Result<bool> {
    let bench = Bench::new()?;
    let rows = rows()?;
    println!("| no. | quirk | simulated by | tests | outcome |\n|---:|---|---|---|---|");
    let (mut green, mut applicable, mut bad) = (0, 0, Vec::new());
    for row in &rows {
        let outcome = match &row.reason {
            Some(reason) => format!("not applicable: {reason}"),
            None => {
                applicable += 1;
                match bench.run(row) {
                    Ok(outcome) => {
                        green += 1;
                        outcome
                    }
                    Err(error) => {
                        bad.push(format!("{}: {error:#}", row.item));
                        "FAILED".to_owned()
                    }
                }
            }
        };
        let tests = row.test_names().collect::<Vec<_>>().join("; ");
        println!("| {} | {} | {} | {tests} | {outcome} |", row.item, row.name, row.simulated());
    }
    println!(
        "\n{green} of {applicable} that can reach us are green; {} of {} cannot.",
        rows.len() - applicable,
        rows.len()
    );
    for line in &bad {
        println!("{line}");
    }
    Ok(bad.is_empty())
}

/// Prints the tests that the rows name.
fn names_of_tests() -> Result<bool> {
    let rows = rows()?;
    let names: std::collections::BTreeSet<&str> =
        rows.iter().flat_map(cccd_tests::quirks::Row::test_names).collect();
    for name in names {
        println!("{name}");
    }
    Ok(true)
}
