//! The tables.

use std::time::Duration;

use cccd_firmware_sim::card_image::Conditions;
use comfy_table::{Table, presets::ASCII_MARKDOWN};

use crate::{
    decoders::{Mishap, Row},
    race::{Finish, Outcome},
};

/// The figures of one row.
pub(crate) struct Standing {
    pub(crate) row: Row,
    /// Per cent of levels 1 to 5; `None` where the corpus has no frame of it.
    pub(crate) levels: [Option<f64>; 5],
    pub(crate) all: f64,
    pub(crate) wrong: usize,
    pub(crate) false_positives: usize,
    pub(crate) panics: usize,
    pub(crate) stalls: usize,
    /// Frames whose time counts: those of 1280x720.
    pub(crate) timed: usize,
    /// Over those frames, the ones without a code included.
    pub(crate) p50: Duration,
    pub(crate) p95: Duration,
    /// Over those without a code alone.
    pub(crate) p95_without_code: Duration,
    /// Over frames of every size.
    pub(crate) slowest: Duration,
}

/// All rows.
pub(crate) struct Summary {
    pub(crate) standings: Vec<Standing>,
    with_code: usize,
    without_code: usize,
}

impl Summary {
    pub(crate) fn new(rows: &[Row], outcomes: &[Outcome]) -> Self {
        let rendered = outcomes.iter().all(|outcome| outcome.is_rendered);
        let standings = rows
            .iter()
            .enumerate()
            // Without the renderer's truth there is no limit to speak of.
            .filter(|(_, row)| rendered || !row.is_limit())
            .map(|(at, row)| standing(*row, at, outcomes))
            .collect();
        Self {
            standings,
            with_code: outcomes.iter().filter(|outcome| outcome.has_code).count(),
            without_code: outcomes.iter().filter(|outcome| !outcome.has_code).count(),
        }
    }

    pub(crate) fn row(&self, row: Row) -> Option<&Standing> {
        self.standings.iter().find(|standing| standing.row == row)
    }
}

fn finishes(outcomes: &[Outcome], at: usize) -> impl Iterator<Item = (&Outcome, Finish)> {
    outcomes.iter().filter_map(move |outcome| Some((outcome, *outcome.finishes.get(at)?)))
}

fn standing(row: Row, at: usize, outcomes: &[Outcome]) -> Standing {
    let rate = |level: Option<u8>| {
        percent(
            finishes(outcomes, at)
                .filter(|(outcome, _)| outcome.has_code && level.is_none_or(|level| outcome.level == level))
                .map(|(_, finish)| finish.read),
        )
    };
    let times = |wanted: fn(&Outcome) -> bool| {
        let mut times: Vec<Duration> = finishes(outcomes, at)
            .filter(|(outcome, _)| wanted(outcome))
            .map(|(_, finish)| finish.cpu)
            .collect();
        times.sort_unstable();
        times
    };
    let timed = times(|outcome| outcome.is_timed);
    let count = |mishap| finishes(outcomes, at).filter(|(_, finish)| finish.mishap == Some(mishap)).count();
    let false_payloads = |has_code| {
        finishes(outcomes, at)
            .filter(|(outcome, _)| outcome.has_code == has_code)
            .map(|(_, finish)| finish.false_payloads)
            .sum()
    };
    Standing {
        row,
        levels: [1, 2, 3, 4, 5].map(|level| rate(Some(level))),
        all: rate(None).unwrap_or(0.0),
        wrong: false_payloads(true),
        false_positives: false_payloads(false),
        panics: count(Mishap::Panicked),
        stalls: count(Mishap::Stalled),
        timed: timed.len(),
        p50: quantile(&timed, 0.50),
        p95: quantile(&timed, 0.95),
        p95_without_code: quantile(&times(|outcome| outcome.is_timed && !outcome.has_code), 0.95),
        slowest: times(|_| true).last().copied().unwrap_or_default(),
    }
}

fn percent(reads: impl Iterator<Item = bool>) -> Option<f64> {
    let (mut read, mut all) = (0_u32, 0_u32);
    for one in reads {
        read += u32::from(one);
        all += 1;
    }
    (all > 0).then(|| 100.0 * f64::from(read) / f64::from(all))
}

fn quantile(sorted: &[Duration], share: f64) -> Duration {
    let last = sorted.len().saturating_sub(1);
    let at = (last as f64 * share).round() as usize;
    sorted.get(at).copied().unwrap_or_default()
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1000.0)
}

/// Prints the race.
pub(crate) fn print(summary: &Summary) {
    println!(
        "{} frames with a code, {} without; times are thread CPU over {} frames of 1280x720\n",
        summary.with_code,
        summary.without_code,
        summary.standings.first().map_or(0, |standing| standing.timed)
    );
    let zxing = summary.row(Row::ZxingCpp).map(|standing| standing.all).filter(|all| *all > 0.0);
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    table.set_header([
        "decoder",
        "L1",
        "L2",
        "L3",
        "L4",
        "L5",
        "all",
        "x zxing",
        "wrong",
        "FP",
        "panics",
        "stalls",
        "p50 ms",
        "p95 ms",
        "p95 no code",
        "slowest",
    ]);
    for standing in &summary.standings {
        let mut cells = vec![standing.row.name().to_owned()];
        cells.extend(standing.levels.map(|rate| rate.map_or("-".to_owned(), |rate| format!("{rate:.1}"))));
        cells.push(format!("{:.1}", standing.all));
        cells.push(zxing.map_or("-".to_owned(), |zxing| format!("{:.2}", standing.all / zxing)));
        if !standing.row.is_limit() {
            cells.extend(
                [standing.wrong, standing.false_positives, standing.panics, standing.stalls]
                    .map(|n| n.to_string()),
            );
            cells.extend(
                [standing.p50, standing.p95, standing.p95_without_code, standing.slowest].map(milliseconds),
            );
        }
        table.add_row(cells);
    }
    println!("{table}");
}

type Group = (&'static str, fn(&Conditions) -> bool);

const GROUPS: [Group; 18] = [
    ("px/module under 2.5", |c| c.pixels_per_module < 2.5),
    ("2.5 to 3.0", |c| (2.5..3.0).contains(&c.pixels_per_module)),
    ("3.0 to 3.5", |c| (3.0..3.5).contains(&c.pixels_per_module)),
    ("3.5 to 4.0", |c| (3.5..4.0).contains(&c.pixels_per_module)),
    ("4.0 to 5.0", |c| (4.0..5.0).contains(&c.pixels_per_module)),
    ("over 5", |c| c.pixels_per_module >= 5.0),
    ("defocus over 0.3 modules", |c| c.defocus_modules > 0.3),
    ("motion over 0.6 modules", |c| c.motion_modules > 0.6),
    ("exposure under 0.4", |c| c.exposure < 0.4),
    ("glare", |c| c.glare),
    ("finger at the edge", |c| c.finger),
    ("screen", |c| c.screen),
    ("bent card", |c| c.bend_radius_mm.is_some()),
    ("mirrored", |c| c.mirror),
    ("on guilloche", |c| !c.panel),
    ("on a white panel", |c| c.panel),
    ("1920x1080", |c| c.frame.0 == 1920),
    ("640x480", |c| c.frame.0 == 640),
];

/// Prints what each condition does. The groups overlap, and hard levels have more of each.
pub(crate) fn print_drivers(rows: &[Row], outcomes: &[Outcome]) {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    let header = ["frames with", "n"].into_iter().chain(rows.iter().map(|row| row.name()));
    table.set_header(header);
    for (name, belongs) in GROUPS {
        let group = |outcome: &Outcome| outcome.has_code && outcome.conditions.as_ref().is_some_and(belongs);
        let mut cells =
            vec![name.to_owned(), outcomes.iter().filter(|outcome| group(outcome)).count().to_string()];
        for at in 0..rows.len() {
            let reads =
                finishes(outcomes, at).filter(|(outcome, _)| group(outcome)).map(|(_, finish)| finish.read);
            cells.push(percent(reads).map_or("-".to_owned(), |rate| format!("{rate:.0}")));
        }
        table.add_row(cells);
    }
    println!("\n{table}");
}

/// Lists the frames that ours missed and another row read.
pub(crate) fn print_misses(rows: &[Row], outcomes: &[Outcome]) {
    let Some(ours) = rows.iter().position(|row| *row == Row::OursStill) else { return };
    for outcome in outcomes.iter().filter(|outcome| outcome.has_code) {
        if outcome.finishes.get(ours).is_none_or(|finish| finish.read) {
            continue;
        }
        let readers: Vec<&str> = rows
            .iter()
            .zip(&outcome.finishes)
            .filter(|(_, finish)| finish.read)
            .map(|(row, _)| row.name())
            .collect();
        if !readers.is_empty() {
            println!("missed {} (level {}): read by {}", outcome.name, outcome.level, readers.join("; "));
        }
    }
}
