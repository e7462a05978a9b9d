//! Runs every row over every frame.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use anyhow::Result;
use cccd_firmware_sim::card_image::{Conditions, Corpus};

use crate::{
    decoders::{Mishap, Row},
    folder::Folder,
    sample::Sample,
};

/// Where the frames come from.
pub(crate) enum Frames {
    Rendered { corpus: Corpus, count: u64 },
    Stored(Folder),
}

impl Frames {
    fn len(&self) -> u64 {
        match self {
            Self::Rendered { count, .. } => *count,
            Self::Stored(folder) => folder.len(),
        }
    }

    fn sample(&self, index: u64) -> Result<Sample> {
        match self {
            Self::Rendered { corpus, .. } => Ok(Sample::rendered(index, corpus.frame(index))),
            Self::Stored(folder) => folder.sample(index),
        }
    }
}

/// What became of one frame.
pub(crate) struct Outcome {
    pub(crate) index: u64,
    pub(crate) name: String,
    pub(crate) level: u8,
    pub(crate) has_code: bool,
    pub(crate) is_timed: bool,
    pub(crate) is_rendered: bool,
    pub(crate) conditions: Option<Conditions>,
    /// One a row, in their order.
    pub(crate) finishes: Vec<Finish>,
}

/// How one row did on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Finish {
    /// The printed payload was among those returned.
    pub(crate) read: bool,
    /// Payloads returned that are not the printed one.
    pub(crate) false_payloads: usize,
    pub(crate) cpu: Duration,
    pub(crate) mishap: Option<Mishap>,
}

/// Every row over every frame. Decoding is single-threaded; several frames are under way at once.
pub(crate) fn run(frames: &Frames, rows: &[Row], threads: usize) -> Result<Vec<Outcome>> {
    // Panics of decoders are counted, not printed.
    std::panic::set_hook(Box::new(|_| {}));
    let next = AtomicU64::new(0);
    let outcomes = std::thread::scope(|scope| {
        let worker = || {
            let mut outcomes = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= frames.len() {
                    return anyhow::Ok(outcomes);
                }
                outcomes.push(outcome(index, &frames.sample(index)?, rows));
            }
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        let mut outcomes = Vec::new();
        for worker in workers {
            outcomes.extend(worker.join().map_err(|_| anyhow::anyhow!("a worker panicked"))??);
        }
        anyhow::Ok(outcomes)
    });
    let _ = std::panic::take_hook();
    let mut outcomes = outcomes?;
    outcomes.sort_by_key(|outcome| outcome.index);
    Ok(outcomes)
}

fn outcome(index: u64, sample: &Sample, rows: &[Row]) -> Outcome {
    let finishes = rows
        .iter()
        .map(|row| {
            let attempt = row.attempt(sample);
            let is_right = |payload: &&Vec<u8>| Some(*payload) == sample.payload.as_ref();
            let right = attempt.payloads.iter().filter(is_right).count();
            Finish {
                read: right > 0,
                false_payloads: attempt.payloads.len() - right,
                cpu: attempt.cpu,
                mishap: attempt.mishap,
            }
        })
        .collect();
    Outcome {
        index,
        name: sample.name.clone(),
        level: sample.level,
        has_code: sample.payload.is_some(),
        is_timed: sample.is_timed(),
        is_rendered: sample.rendered.is_some(),
        conditions: sample.rendered.as_ref().map(|rendered| rendered.conditions.clone()),
        finishes,
    }
}
