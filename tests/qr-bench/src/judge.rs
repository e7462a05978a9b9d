//! What must be reached, and where we want to stand.

use comfy_table::{Table, presets::ASCII_MARKDOWN};

use crate::{
    clean::CLEAN_SYMBOLS,
    decoders::Row,
    hostile::Worst,
    report::{Standing, Summary},
};

/// What zxing-cpp needed at 95 % of frames on the machine that the limits in milliseconds were set on: on another
/// one they grow or shrink with it.
const REFERENCE_P95_MS: f64 = 3.8;

/// What is measured besides the race.
pub(crate) struct Beside {
    /// Clean symbols read, of [`CLEAN_SYMBOLS`].
    pub(crate) clean: usize,
    /// The hostile picture that took longest.
    pub(crate) worst: Worst,
}

/// Prints each figure beside its bounds; true where every "must" holds.
pub(crate) fn judge(summary: &Summary, beside: &Beside) -> bool {
    let (Some(live), Some(still), Some(zxing)) =
        (summary.row(Row::OursLive), summary.row(Row::OursStill), summary.row(Row::ZxingCpp))
    else {
        println!("\nnot judged: that needs our decoder and zxing-cpp in one run");
        return false;
    };
    let machine = zxing.p95.as_secs_f64() * 1000.0 / REFERENCE_P95_MS;
    let mut verdict = Verdict { lines: Table::new(), holds: true };
    let bounds = [(99.0, 100.0), (98.0, 99.0), (96.0, 98.0), (89.0, 95.0), (55.0, 62.0)];
    for (at, (must, aim)) in bounds.into_iter().enumerate() {
        if let Some(Some(rate)) = still.levels.get(at) {
            verdict.at_least(&format!("rate L{}, %", at + 1), *rate, must, aim);
        }
    }
    verdict.at_least("all levels over zxing-cpp", still.all / zxing.all, 1.38, 1.45);
    if let Some(limit) = summary.row(Row::Limit) {
        verdict.at_least("all levels over the limit", still.all / limit.all, 0.95, 0.98);
    }
    verdict.at_least("live: all levels over zxing-cpp", live.all / zxing.all, 1.30, 1.36);
    if machine > 0.0 {
        let mut time = |name: &str, standing: &Standing, got: std::time::Duration, must: f64, aim: f64| {
            if standing.timed > 0 {
                verdict.at_most(name, got.as_secs_f64() * 1000.0 / machine, must, aim);
            }
        };
        time("live: p95, ms", live, live.p95, 8.0, 5.0);
        time("still: p95, ms", still, still.p95, 25.0, 15.0);
        time("live: p95 without a code, ms", live, live.p95_without_code, 5.5, 3.0);
    }
    let slowest = still.slowest.max(live.slowest).as_secs_f64() * 1000.0;
    verdict.at_most("slowest frame, ms", slowest / machine, 50.0, 50.0);
    // The clock ends these searches, and a clock is the same on every machine.
    let worst = beside.worst.cpu.as_secs_f64() * 1000.0;
    verdict.at_most("slowest hostile picture, ms as measured", worst, 50.0, 50.0);
    for standing in [live, still] {
        let name = standing.row.name();
        verdict.none(&format!("wrong decodes, {name}"), standing.wrong);
        verdict.none(&format!("false positives, {name}"), standing.false_positives);
        verdict.none(&format!("panics, {name}"), standing.panics);
    }
    let (clean, all) = (beside.clean as f64, CLEAN_SYMBOLS as f64);
    verdict.at_least("clean symbols, versions 1-40 at L/M/Q/H", clean, all, all);
    println!(
        "\nMilliseconds in this table are divided by {machine:.2}: zxing-cpp's p95 here over its {REFERENCE_P95_MS} \
         where the bounds were set.\nThe slowest of the hostile pictures was {}.\n\n{}",
        beside.worst.name, verdict.lines
    );
    verdict.holds
}

struct Verdict {
    lines: Table,
    holds: bool,
}

impl Verdict {
    fn at_least(&mut self, name: &str, got: f64, must: f64, aim: f64) {
        self.note(name, [must, aim, got], got >= must, got >= aim);
    }

    fn at_most(&mut self, name: &str, got: f64, must: f64, aim: f64) {
        self.note(name, [must, aim, got], got <= must, got <= aim);
    }

    fn none(&mut self, name: &str, got: usize) {
        self.at_most(name, got as f64, 0.0, 0.0);
    }

    fn note(&mut self, name: &str, figures: [f64; 3], holds: bool, reaches: bool) {
        if self.lines.is_empty() {
            self.lines.load_style(ASCII_MARKDOWN);
            self.lines.set_header(["figure", "must", "aim", "got", "holds?"]);
        }
        let mut cells = vec![name.to_owned()];
        cells.extend(figures.map(|figure| {
            if figure.fract() == 0.0 { format!("{figure:.0}") } else { format!("{figure:.2}") }
        }));
        let word = match (holds, reaches) {
            (true, true) => "yes, and the aim",
            (true, false) => "yes",
            (false, _) => "NO",
        };
        cells.push(word.to_owned());
        self.lines.add_row(cells);
        self.holds &= holds;
    }
}
