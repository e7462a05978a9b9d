//! A stream of frames: every frame gets one quick pass, and what is unclear in one is added to the next.

use zeroize::Zeroizing;

use crate::budget::{Budget, Meter};
use crate::code::Code;
use crate::decode;
use crate::finder::{Finder, Patience, Polarity, Rows, Search};
use crate::homography::Point;
use crate::hypothesis::{self, Hypothesis, Tried};
use crate::image::{GreyImage, View};
use crate::model::Model;
use crate::read::{self, Effort, Reading};
use crate::symbol::{Module, Version};

/// Supposed symbols followed at once; most are one symbol seen from a wrong corner.
const MOST_TRACKS: usize = 12;
/// Frames after which a symbol not seen again is forgotten.
const PATIENCE: u64 = 10;
/// Triples of finders tried in a frame without a code.
const MOST_HYPOTHESES: usize = 6;
/// How alike two readings of one symbol are at least. Those of two symbols are alike in their padding alone.
const LEAST_LIKENESS: f32 = 0.35;
/// Places tried for a third finder that is covered, in a frame without a code.
const MOST_GUESSES: usize = 3;

/// Reads the QR Codes of a stream of frames, in the order they come.
///
/// Memory is bounded: at most twelve symbols are followed, each of at most 177 x 177 modules.
pub struct Live {
    budget: Budget,
    frame: u64,
    tracks: Vec<Track>,
}

/// A symbol seen but not yet read: the sum of its soft modules over the frames.
struct Track {
    version: Version,
    polarity: Polarity,
    soft: Zeroizing<Vec<f32>>,
    frames: u16,
    centre: Point,
    extent: f32,
    seen: u64,
}

impl Default for Live {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").field("frame", &self.frame).field("tracks", &self.tracks.len()).finish()
    }
}

impl Live {
    /// With [`Budget::LIVE`] for each frame.
    pub fn new() -> Self {
        Self::with_budget(Budget::LIVE)
    }

    /// With a budget of its own for each frame.
    pub fn with_budget(budget: Budget) -> Self {
        Self { budget, frame: 0, tracks: Vec::new() }
    }

    /// Takes the next frame; gives the codes read from it, or from it and the ones before.
    ///
    /// A code is given again on every frame it is read from.
    pub fn feed(&mut self, frame: &GreyImage<'_>) -> Vec<Code> {
        let view = frame.view();
        self.frame += 1;
        self.tracks.retain(|track| self.frame - track.seen <= PATIENCE);
        if !view.holds_a_symbol() {
            return Vec::new();
        }
        let mut meter = Meter::start(self.budget);
        let mut search = Search::new(view);
        search.rows(Rows { first: 1, every: 3 }, Patience::Short, &mut meter);
        let finders = search.found();
        let (mut codes, mut tried) = (Vec::new(), Tried::default());
        let mut hypotheses = hypothesis::triples(&finders, &mut meter);
        hypotheses.truncate(MOST_HYPOTHESES);
        self.follow(view, &hypotheses, &mut codes, &mut tried, &mut meter);
        if codes.is_empty() {
            let mut guesses = hypothesis::pairs(view, &finders, &mut meter);
            guesses.retain(|guess| tried.is_new(guess));
            guesses.truncate(MOST_GUESSES);
            self.follow(view, &guesses, &mut codes, &mut Tried::default(), &mut meter);
        }
        codes
    }

    fn follow(
        &mut self,
        view: View<'_>,
        hypotheses: &[Hypothesis],
        codes: &mut Vec<Code>,
        tried: &mut Tried,
        meter: &mut Meter,
    ) {
        for hypothesis in hypotheses {
            if !meter.has_left() {
                return;
            }
            let is_read = |finder: &Finder| codes.iter().any(|code| code.covers(finder.centre));
            if hypothesis.finders.iter().any(is_read) || !tried.is_new(hypothesis) {
                continue;
            }
            match read::hypothesis(view, hypothesis, Effort::Quick, meter) {
                Reading::Code(code) => {
                    self.forget(&code);
                    codes.push(code);
                }
                Reading::Unclear(unclear) => {
                    let (model, soft) = *unclear;
                    codes.extend(self.merge(view, &model, &soft));
                }
                Reading::Nothing => {}
            }
        }
    }

    /// What was read needs no evidence any more.
    fn forget(&mut self, code: &Code) {
        self.tracks.retain(|track| track.version != code.version || !code.covers(track.centre));
    }

    fn merge(&mut self, view: View<'_>, model: &Model, soft: &[f32]) -> Option<Code> {
        #[expect(clippy::cast_precision_loss, reason = "at most 177")]
        let side = model.shape.version.side() as f32;
        let centre = model.map.apply(side / 2.0, side / 2.0);
        if !view.contains(centre.x, centre.y) {
            return None;
        }
        let extent = side * model.module;
        let known = self.tracks.iter_mut().find(|track| {
            track.version == model.shape.version
                && track.polarity == model.polarity
                && (track.centre - centre).length() < track.extent.max(extent)
                && likeness(&track.soft, soft, &model.shape.layout) >= LEAST_LIKENESS
        });
        // Alike is what no other symbol is, nor the same one looked at from another of its corners.
        let Some(track) = known else {
            self.start(model, soft, centre, extent);
            return None;
        };
        if track.seen == self.frame {
            // Another hypothesis has told the same of the same frame.
            return None;
        }
        for (sum, value) in track.soft.iter_mut().zip(soft) {
            *sum += value.clamp(-1.0, 1.0);
        }
        track.frames = track.frames.saturating_add(1);
        (track.centre, track.extent, track.seen) = (centre, extent, self.frame);
        let share = 1.0 / f32::from(track.frames);
        let mean = Zeroizing::new(track.soft.iter().map(|sum| sum * share).collect::<Vec<f32>>());
        let decoded =
            decode::hard(&model.shape, &mean).or_else(|| decode::with_erasures(&model.shape, &mean))?;
        let code = Code::new(decoded, model);
        self.forget(&code);
        Some(code)
    }

    fn start(&mut self, model: &Model, soft: &[f32], centre: Point, extent: f32) {
        if self.tracks.len() >= MOST_TRACKS {
            // What was not seen a second time goes first, of that the oldest.
            let value = |track: &Track| (track.frames, track.seen);
            if let Some(least) = (0..self.tracks.len()).min_by_key(|&at| self.tracks.get(at).map(value)) {
                self.tracks.swap_remove(least);
            }
        }
        self.tracks.push(Track {
            version: model.shape.version,
            polarity: model.polarity,
            soft: Zeroizing::new(soft.iter().map(|value| value.clamp(-1.0, 1.0)).collect()),
            frames: 1,
            centre,
            extent,
            seen: self.frame,
        });
    }
}

/// Correlation of the data modules; the function patterns are alike in every symbol.
fn likeness(a: &[f32], b: &[f32], layout: &[Module]) -> f32 {
    let (mut both, mut first, mut second) = (0f32, 1e-6f32, 1e-6f32);
    for ((x, y), module) in a.iter().zip(b).zip(layout) {
        if *module == Module::Data {
            both += x * y;
            first += x * x;
            second += y * y;
        }
    }
    both / (first * second).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_of_one_symbol_are_alike_and_of_two_are_not() {
        let layout = [Module::Data; 4];
        assert!(likeness(&[1.0, -1.0, 0.2, -0.4], &[0.5, -0.3, 0.1, -1.0], &layout) > 0.7);
        assert!(likeness(&[1.0, -1.0, 1.0, -1.0], &[1.0, 1.0, -1.0, -1.0], &layout).abs() < 0.01);
    }
}
