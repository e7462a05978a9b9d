//! A hypothesis followed to its end: model, samples, message.

use crate::budget::Meter;
use crate::code::Code;
use crate::decode;
use crate::equalise::HalfGrid;
use crate::hypothesis::Hypothesis;
use crate::image::View;
use crate::model::{self, Model};

/// Function patterns that agree less are not there.
const LEAST_AGREEMENT: f32 = 0.3;

/// What came of a hypothesis.
pub(crate) enum Reading {
    /// A code was read.
    Code(Code),
    /// A symbol is there, but too little of it: its model and soft modules.
    Unclear(Box<(Model, Vec<f32>)>),
    /// No symbol is there.
    Nothing,
}

/// Follows `hypothesis` with at most `most` versions.
pub(crate) fn hypothesis(view: View<'_>, hypothesis: &Hypothesis, most: usize, meter: &mut Meter) -> Reading {
    crate::finder::tick(6);
    let mut unclear = Reading::Nothing;
    let t = std::time::Instant::now();
    let models = model::fit(view, hypothesis, most, meter);
    crate::finder::lap(8, t);
    for model in models {
        if model.agreement < LEAST_AGREEMENT || !meter.spend(cost(&model)) {
            continue;
        }
        crate::finder::tick(7);
        let t = std::time::Instant::now();
        let grid = HalfGrid::sample(view, &model);
        crate::finder::lap(9, t);
        let t = std::time::Instant::now();
        let h = decode::hard(&model.shape, &grid.centres());
        crate::finder::lap(10, t);

        if let Some(decoded) = h {
            return Reading::Code(Code::new(decoded, &model));
        }
        let t = std::time::Instant::now();
        let soft = grid.equalised(&model.shape.layout);
        crate::finder::lap(11, t);
        let Some(soft) = soft else { continue };//(&model.shape.layout) else { continue };
        if let Some(decoded) =
            decode::hard(&model.shape, &soft).or_else(|| decode::with_erasures(&model.shape, &soft))
        {
            return Reading::Code(Code::new(decoded, &model));
        }
        if matches!(unclear, Reading::Nothing) {
            unclear = Reading::Unclear(Box::new((model, soft)));
        }
    }
    unclear
}

fn cost(model: &Model) -> u32 {
    200 + 30 * u32::from(model.shape.version.number())
}
