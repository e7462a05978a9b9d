//! From the picture to one soft value for each module.
//!
//! Blur spreads a module over its neighbours. Which linear combination of the neighbourhood undoes that is
//! learnt on the symbol itself: first from the function patterns, whose colours are known, then also from
//! the data modules that came out clear.

#![expect(
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a grid of half modules with a margin as wide as the neighbourhood"
)]

use crate::homography::{Homography, Normal};
use crate::image::View;
use crate::model::Model;
use crate::patch::{Patch, Samples};
use crate::symbol::Module;

/// Half modules around the symbol.
const MARGIN: usize = 3;
/// Half modules to each side over which brightness and contrast are evened.
const WINDOW: usize = 8;
/// A neighbourhood of 5 x 5 half modules, and a constant.
const NEAR: usize = 26;
/// One of 7 x 7.
const WIDE: usize = 50;
/// What a data module must have come out as to be learnt from in a round, and how much the round distrusts what it
/// learns. The first learns from the function patterns alone.
const ROUNDS: [(f32, f32); 3] = [(f32::INFINITY, 0.03), (0.45, 0.015), (0.3, 0.015)];
/// Data modules a round learns from; a large symbol is thinned.
const MOST_LEARNT: usize = 3000;

/// The symbol sampled twice to a module.
pub(crate) struct HalfGrid {
    patch: Patch,
    side: usize,
}

impl HalfGrid {
    pub(crate) fn sample(view: View<'_>, model: &Model) -> Self {
        let side = model.shape.version.side();
        let halves = 2 * side + 1 + 2 * MARGIN;
        let map = model.map.after(&Homography::scaled(0.5, -0.5 * MARGIN as f32));
        let fine = match model.module {
            ..3.5 => 1,
            ..9.0 => 2,
            _ => 3,
        };
        let patch = Samples::take(view, &map, halves, fine, model.polarity).flattened(WINDOW);
        Self { patch, side }
    }

    /// The sample at each module's centre.
    pub(crate) fn centres(&self) -> Vec<f32> {
        let side = self.side;
        (0..side * side)
            .map(|at| {
                let (column, row) = (2 * (at % side) + 1 + MARGIN, 2 * (at / side) + 1 + MARGIN);
                self.patch.values[row * self.patch.side + column]
            })
            .collect()
    }

    /// The samples around a module's centre, a square of them, and a constant.
    fn neighbourhood<const WEIGHTS: usize>(&self, at: usize) -> [f32; WEIGHTS] {
        let side = (WEIGHTS - 1).isqrt();
        let before = side / 2;
        let (column, row) =
            (2 * (at % self.side) + 1 + MARGIN - before, 2 * (at / self.side) + 1 + MARGIN - before);
        let mut values = [1.0; WEIGHTS];
        for (line, out) in values[..WEIGHTS - 1].chunks_exact_mut(side).enumerate() {
            let start = (row + line) * self.patch.side + column;
            out.copy_from_slice(&self.patch.values[start..start + side]);
        }
        values
    }

    /// Equalises in rounds, and shows `read` what each gives: modules, dark positive, about +-1.
    ///
    /// Ends with what `read` made of one, or with the modules of the last; `None` where nothing could be learnt.
    pub(crate) fn equalise<T>(
        &self,
        layout: &[Module],
        mut read: impl FnMut(&[f32]) -> Option<T>,
    ) -> Option<Result<T, Vec<f32>>> {
        let mut values: Vec<f32> = Vec::new();
        for (clear, ridge) in ROUNDS {
            values = self.learn::<NEAR>(layout, &values, clear, ridge)?;
            if let Some(found) = read(&values) {
                return Some(Ok(found));
            }
        }
        Some(Err(values))
    }

    /// Equalises over a wider neighbourhood, starting from `values`, an earlier result.
    pub(crate) fn widely(&self, layout: &[Module], values: &[f32]) -> Option<Vec<f32>> {
        self.learn::<WIDE>(layout, values, 0.3, 0.03)
    }

    /// One round: what the known modules, and of `values` those at least `clear`, teach, applied to all.
    fn learn<const WEIGHTS: usize>(
        &self,
        layout: &[Module],
        values: &[f32],
        clear: f32,
        ridge: f32,
    ) -> Option<Vec<f32>> {
        let stride = layout.len().div_ceil(MOST_LEARNT);
        let mut equations = Normal::<WEIGHTS>::new();
        let mut learnt = 0;
        for (at, module) in layout.iter().enumerate() {
            let target = match module {
                Module::Dark => 1.0,
                Module::Light => -1.0,
                Module::Data | Module::Format => match values.get(at) {
                    Some(value) if value.abs() >= clear && at % stride == 0 => value.signum(),
                    _ => continue,
                },
            };
            equations.add(&self.neighbourhood(at), target);
            learnt += 1;
        }
        let weights = equations.solve(ridge * learnt as f32)?;
        let weighed = |at| {
            let values: [f32; WEIGHTS] = self.neighbourhood(at);
            values.iter().zip(&weights).map(|(value, weight)| value * weight).sum()
        };
        Some((0..self.side * self.side).map(weighed).collect())
    }
}
