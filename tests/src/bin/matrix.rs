//! `cargo xtask matrix`: every combination the simulator offers, read and judged.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result};
use cccd_tests::matrix::{Authorities, Combination, Family, all, some};

fn main() -> ExitCode {
    match table() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("matrix: {error:#}");
            ExitCode::FAILURE
        }
    }
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
