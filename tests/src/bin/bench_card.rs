//! `cargo xtask bench card`: seconds until a person is known and until the face is there, by access method and by how
//! much is asked for at once, at a bit rate and an overhead; beside them the least that any terminal could take.
//!
//! Nobody waits: the clock of the simulation is added up, so that the figures are the same at every run.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use cccd_firmware_sim::timing::{BitRate, Timing};
use cccd_tests::card_time::{Access, Milestone, Strategy, Subject};
use cccd_tests::people;

/// How much more than the least the agent may take.
const ALLOWED: f64 = 1.15;

fn main() -> ExitCode {
    match table() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench card: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// `--kbits N --overhead MS --card NAME`, each with its usual value.
fn settings() -> Result<(Timing, String)> {
    let (mut rate, mut overhead, mut card) = (BitRate::Kbit424, 15, "cccd-2021".to_owned());
    let mut arguments = std::env::args().skip(1);
    while let Some(key) = arguments.next() {
        let value = arguments.next().with_context(|| format!("{key} wants a value"))?;
        match key.as_str() {
            "--kbits" => {
                rate = BitRate::of_kilobits(value.parse()?).context("106, 212, 424 or 848 kbit/s")?;
            }
            "--overhead" => overhead = value.parse().context("milliseconds")?,
            "--card" => card = value,
            _ => bail!("no setting {key}"),
        }
    }
    let timing = Timing { per_command: Duration::from_millis(overhead), ..Timing::usual(rate) };
    Ok((timing, card))
}

/// Prints the table; whether the agent's own ways keep to what they may take.
fn table() -> Result<bool> {
    let (timing, card) = settings()?;
    let subject = Subject::new(people::card(&card))?;
    println!(
        "{card} at {} kbit/s, {} ms for each command. The chip is taken to need {} ms for each step of key agreement \
         and {} ms to sign: assumed, on no card measured. `least` is bytes over the bit rate and commands times \
         their overhead, as few as the protocols allow on that reader: with one look for EF.CardAccess, and on a card \
         whose make is new one for the lengths it takes; `x` is how many times that the reading took beside the chip's \
         computing, and {ALLOWED} is allowed where the agent chooses.\n",
        timing.bit_rate.kilobits(),
        timing.per_command.as_millis(),
        timing.chip.agreement.as_millis(),
        timing.chip.signature.as_millis(),
    );
    println!(
        "| access | asked for at once | APDUs | bytes | identity s | chip | least | x | portrait s | chip | least | x | proofs s | x | |"
    );
    println!("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|");
    let mut kept = true;
    for access in Access::ALL {
        let first = Strategy::ALL.map(|strategy| (strategy, First::OfItsMake));
        let next = Strategy::ALL.map(|strategy| (strategy, First::Not));
        let next = next.into_iter().filter(|(strategy, _)| strategy.is_agents());
        for (strategy, card) in first.into_iter().chain(next) {
            let run = match card {
                First::OfItsMake => subject.read(access, strategy, timing)?,
                First::Not => subject.read_next(access, strategy, timing)?,
            };
            let worst =
                [run.identity, run.portrait, run.proofs].iter().map(Milestone::ratio).fold(0.0, f64::max);
            let word = match (strategy.is_agents(), worst <= ALLOWED) {
                (false, _) => "",
                (true, true) => "kept",
                (true, false) => "TOO SLOW",
            };
            kept &= word != "TOO SLOW";
            println!(
                "| {} | {} | {} | {} | {} | {} | {} | {:.2} | {word} |",
                access.name(),
                match card {
                    First::OfItsMake => strategy.name(),
                    First::Not => format!("{}; the next card of its make", strategy.name()),
                },
                run.commands,
                run.bytes,
                columns(&run.identity),
                columns(&run.portrait),
                seconds(run.proofs.took),
                run.proofs.ratio(),
            );
        }
    }
    Ok(kept)
}

/// Whether a card of the same make was read on that reader before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum First {
    OfItsMake,
    Not,
}

fn columns(milestone: &Milestone) -> String {
    format!(
        "{} | {} | {} | {:.2}",
        seconds(milestone.took),
        seconds(milestone.chip),
        seconds(milestone.bound),
        milestone.ratio()
    )
}

fn seconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64())
}
