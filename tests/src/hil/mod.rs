//! `cargo xtask hil`: one reader or scanner on a bench, tried out with a real card, and what came of it: a report, and a
//! device profile.
//!
//! A bench is a file under `hil/benches`. Somebody stands at it and is told what to do; or a [`hand`](Hand) does it, on
//! benches that are software. Either way the same assertions are held: those of the tests. Of the card there is nothing in
//! a report but lengths, times, and identifiers of algorithms.

mod assertion;
mod bare;
mod bench_file;
mod card_facts;
mod desk;
mod hand;
mod lengths;
mod profile;
mod reader_bench;
mod report;
mod scanner_bench;
mod simulated;
mod to_measure;

use std::path::Path;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

pub use bench_file::{BenchFile, HandKind, ReaderPlace, ScannerPlaceOnBench, Stand};
pub use hand::Hand;
pub use report::Report;

use hand::Operator;
use simulated::Simulated;

/// Whether this bench needs a smart-card service of its own, which a client library has to be led to by its environment.
pub fn wants_a_service(bench: &BenchFile) -> bool {
    matches!(&bench.hand, HandKind::Simulated { stand: Stand::Vpcd, .. })
}

/// Tries the bench out. `folder` is for what a simulated bench needs.
pub fn run(mut bench: BenchFile, folder: Option<&Path>) -> Result<Report> {
    let own = TempDir::new()?;
    let folder = folder.unwrap_or_else(|| own.path());
    let mut hand: Box<dyn Hand> = match bench.hand.clone() {
        HandKind::Operator { spend_a_try } => Box::new(Operator::new(spend_a_try)),
        HandKind::Simulated { stand, card } => {
            let hand =
                Simulated::start(stand, &card, folder).context("the simulated bench cannot be set up")?;
            hand.complete(&mut bench);
            Box::new(hand)
        }
    };
    let mut report = Report::of(&bench);
    if let Some(place) = &bench.reader {
        reader_bench::run(place, hand.as_mut(), &mut report)?;
    }
    if let Some(place) = &bench.scanner {
        scanner_bench::run(place, hand.as_mut(), &mut report)?;
    }
    report.finish();
    Ok(report)
}
