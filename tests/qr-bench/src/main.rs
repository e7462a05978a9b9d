//! Our QR decoder beside plain rqrr, rxing and zxing-cpp: the same process, the same frames.
//!
//! ```text
//! cccd-qr-bench                        renders 1,000 frames and 100 without a code of a new seed, and races
//! cccd-qr-bench --seed 4242            the same with that seed
//! cccd-qr-bench --frames DIR           races over DIR/manifest.jsonl
//! cccd-qr-bench --seed 7 --write DIR   writes such a folder
//! ```
//!
//! Absolute rates depend on the corpus and times on the machine, so what is judged are ratios to zxing-cpp and
//! to the perfect-geometry limit of the same run. It never tunes anything: a seed that was looked at while the
//! decoder was made proves nothing.

#![forbid(unsafe_code)]

mod bursts;
mod clean;
mod decoders;
mod folder;
mod hostile;
mod judge;
mod limit;
mod race;
mod report;
mod sample;

use std::{path::PathBuf, process::ExitCode, time::SystemTime};

use anyhow::Result;
use cccd_firmware_sim::card_image::Corpus;
use clap::Parser;

use crate::{folder::Folder, judge::Beside, race::Frames};

/// Which decoders take part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Only {
    /// Our decoder alone: quick, but nothing to measure it against.
    Ours,
    /// The other decoders alone.
    Others,
}

#[derive(Debug, Parser)]
#[command(about = "Races our QR decoder against rqrr, rxing and zxing-cpp")]
struct Arguments {
    /// Seed of the rendered corpus; one that nobody has looked at, taken from the clock, where none is given.
    #[arg(long, conflicts_with = "frames")]
    seed: Option<u64>,
    /// A folder with manifest.jsonl, instead of a rendered corpus.
    #[arg(long)]
    frames: Option<PathBuf>,
    /// Frames in all; every eleventh rendered one shows no code.
    #[arg(long, default_value_t = 1100)]
    count: u64,
    /// Leave the other side out.
    #[arg(long, value_enum)]
    only: Option<Only>,
    /// Write the frames and their manifest to this folder, and race nothing.
    #[arg(long, conflicts_with = "frames")]
    write: Option<PathBuf>,
    /// Also say what each condition does to the rates.
    #[arg(long)]
    drivers: bool,
    /// Bursts of levels 4 and 5 that show what a stream gains by merging its frames; 0 leaves them out.
    #[arg(long, default_value_t = 40)]
    bursts: u64,
    /// Threads that render and decode at the same time.
    #[arg(long)]
    threads: Option<usize>,
    /// List the frames that our full search misses and some other decoder, or the limit, reads.
    #[arg(long)]
    misses: bool,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let threads = arguments
        .threads
        .or_else(|| std::thread::available_parallelism().ok().map(usize::from))
        .unwrap_or(1)
        .max(1);
    if let Some(folder) = &arguments.frames {
        let frames = Frames::Stored(Folder::open(folder, arguments.count)?);
        return race(&arguments, &frames, threads);
    }
    let seed = match arguments.seed {
        Some(seed) => seed,
        None => SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs(),
    };
    if let Some(target) = &arguments.write {
        folder::write(target, seed, arguments.count, threads)?;
        return Ok(ExitCode::SUCCESS);
    }
    println!("seed {seed}");
    let verdict =
        race(&arguments, &Frames::Rendered { corpus: Corpus::new(seed), count: arguments.count }, threads);
    if arguments.only != Some(Only::Others) {
        bursts::print(&bursts::run(Corpus::new(seed), arguments.bursts, threads)?);
    }
    verdict
}

/// Races, prints, judges.
fn race(arguments: &Arguments, frames: &Frames, threads: usize) -> Result<ExitCode> {
    let rows = decoders::rows(arguments.only);
    let results = race::run(frames, &rows, threads)?;
    let summary = report::Summary::new(&rows, &results);
    report::print(&summary);
    if arguments.drivers {
        report::print_drivers(&rows, &results);
    }
    if arguments.misses {
        report::print_misses(&rows, &results);
    }
    if arguments.only.is_some() {
        return Ok(ExitCode::SUCCESS);
    }
    let beside = Beside { clean: clean::read(), worst: hostile::worst() };
    Ok(if judge::judge(&summary, &beside) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
