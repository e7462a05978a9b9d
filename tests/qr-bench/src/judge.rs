//! What must be reached.

use std::time::Duration;

use crate::{
    decoders::Row,
    report::{Standing, Summary},
};

/// What zxing-cpp needed at 95 % of frames where the limits in milliseconds were set: on another machine they
/// grow or shrink with it.
const REFERENCE_P95_MS: f64 = 3.8;

/// Prints each figure beside its bound; true where none is missed.
pub(crate) fn judge(summary: &Summary) -> bool {
    let (Some(live), Some(still), Some(zxing)) =
        (summary.row(Row::OursLive), summary.row(Row::OursStill), summary.row(Row::ZxingCpp))
    else {
        println!("\nnot judged: that needs our decoder and zxing-cpp in one run");
        return false;
    };
    let machine = zxing.p95.as_secs_f64() * 1000.0 / REFERENCE_P95_MS;
    println!("\nthis machine takes {machine:.2} times as long as the one the limits come from");
    let mut verdict = Verdict { met: true };
    for (at, least) in [99.0, 98.0, 96.0, 89.0, 55.0].into_iter().enumerate() {
        if let Some(Some(rate)) = still.levels.get(at) {
            verdict.at_least(&format!("rate of level {}", at + 1), *rate, least);
        }
    }
    verdict.at_least("still over zxing-cpp", still.all / zxing.all, 1.38);
    verdict.at_least("live over zxing-cpp", live.all / zxing.all, 1.30);
    if let Some(limit) = summary.row(Row::Limit) {
        verdict.at_least("still over the perfect-geometry limit", still.all / limit.all, 0.95);
    }
    let mut time = |name: &str, time: Duration, most: f64| {
        verdict.at_most(name, time.as_secs_f64() * 1000.0, most * machine);
    };
    time("live p95, ms", live.p95, 8.0);
    time("still p95, ms", still.p95, 25.0);
    time("live p95 without a code, ms", live.p95_without_code, 5.5);
    time("slowest frame, ms", still.slowest.max(live.slowest), 50.0);
    let mistakes = |standing: &Standing| {
        [
            ("wrong decodes", standing.wrong),
            ("false positives", standing.false_positives),
            ("panics", standing.panics),
        ]
    };
    for standing in [live, still] {
        for (name, count) in mistakes(standing) {
            verdict.at_most(&format!("{name}, {}", standing.row.name()), count as f64, 0.0);
        }
    }
    verdict.met
}

struct Verdict {
    met: bool,
}

impl Verdict {
    fn at_least(&mut self, name: &str, value: f64, least: f64) {
        self.note(name, value, "at least", least, value >= least);
    }

    fn at_most(&mut self, name: &str, value: f64, most: f64) {
        self.note(name, value, "at most", most, value <= most);
    }

    fn note(&mut self, name: &str, value: f64, word: &str, bound: f64, met: bool) {
        println!("{} {name}: {value:.2}, {word} {bound:.2}", if met { "met   " } else { "MISSED" });
        self.met &= met;
    }
}
