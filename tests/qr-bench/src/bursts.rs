//! What a stream gains: how many frames of a trembling hand it takes until the code is read.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use cccd_firmware_sim::card_image::{Corpus, Level};
use comfy_table::{Table, presets::ASCII_MARKDOWN};

use crate::{
    decoders::{Row, live},
    sample::Sample,
};

/// Shots of one burst: a quarter of a second of a camera.
const SHOTS: u64 = 8;
/// After so many shots the shares are printed.
const AFTER: [u64; 6] = [1, 2, 3, 4, 6, 8];

/// One burst: the number of the shot that first gave the code, from 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Burst {
    level: Level,
    /// One stream for all shots.
    merged: Option<u64>,
    /// A new stream for each: what a frame gives by itself.
    alone: Option<u64>,
    zxing: Option<u64>,
    wrong: usize,
}

/// `count` bursts of levels 4 and 5.
pub(crate) fn run(corpus: Corpus, count: u64, threads: usize) -> Result<Vec<Burst>> {
    // Of eleven frames the fourth, fifth, ninth and tenth are of those levels.
    let indices = (0..).flat_map(|eleven| [3, 4].map(|at| eleven * 11 + at));
    let indices: Vec<u64> = indices.take(usize::try_from(count)?).collect();
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let worker = || {
            let mut bursts = Vec::new();
            loop {
                let turn = usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap_or(usize::MAX);
                let Some(index) = indices.get(turn) else { return bursts };
                bursts.push(burst(&corpus, *index));
            }
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        let mut bursts = Vec::new();
        for worker in workers {
            bursts.extend(worker.join().map_err(|_| anyhow::anyhow!("a worker panicked"))?);
        }
        Ok(bursts)
    })
}

fn burst(corpus: &Corpus, index: u64) -> Burst {
    let mut stream = live();
    let mut burst = Burst { level: Level::Five, merged: None, alone: None, zxing: None, wrong: 0 };
    for shot in 0..SHOTS {
        let frame = corpus.shot(index, shot);
        burst.level = frame.level;
        let sample = Sample::rendered(index, frame);
        let Ok(image) = cccd_qr::GreyImage::new(sample.width, sample.height, &sample.grey) else { break };
        let is_right = |payload: &[u8]| Some(payload) == sample.payload.as_deref();
        for code in stream.feed(&image) {
            if is_right(&code.payload) {
                burst.merged.get_or_insert(shot + 1);
            } else {
                burst.wrong += 1;
            }
        }
        for (row, first) in [(Row::OursLive, &mut burst.alone), (Row::ZxingCpp, &mut burst.zxing)] {
            if first.is_none() && row.attempt(&sample).payloads.iter().any(|payload| is_right(payload)) {
                *first = Some(shot + 1);
            }
        }
        if burst.merged.and(burst.alone).and(burst.zxing).is_some() {
            break;
        }
    }
    burst
}

/// Prints the share read after some shots.
pub(crate) fn print(bursts: &[Burst]) {
    if bursts.is_empty() {
        return;
    }
    let wrong: usize = bursts.iter().map(|burst| burst.wrong).sum();
    println!("\nBursts: per cent read after so many frames of one hand; {wrong} wrong decodes\n");
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    let header = AFTER.map(|shots| shots.to_string());
    table.set_header(["level", "stream"].map(str::to_owned).into_iter().chain(header));
    type First = fn(&Burst) -> Option<u64>;
    let streams: [(&str, First); 3] = [
        ("ours, frames merged", |burst| burst.merged),
        ("ours, each frame alone", |burst| burst.alone),
        ("zxing-cpp", |burst| burst.zxing),
    ];
    for level in [Level::Four, Level::Five] {
        let of_level: Vec<&Burst> = bursts.iter().filter(|burst| burst.level == level).collect();
        for (name, first) in streams {
            let mut cells = vec![level.number().to_string(), name.to_owned()];
            cells.extend(AFTER.map(|shots| {
                let read = of_level.iter().filter(|burst| first(burst).is_some_and(|at| at <= shots)).count();
                format!("{:.0}", 100.0 * read as f64 / of_level.len().max(1) as f64)
            }));
            table.add_row(cells);
        }
    }
    println!("{table}");
}
