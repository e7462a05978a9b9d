//! A hypothesis followed to its end: model, samples, message.

use crate::budget::Meter;
use crate::code::Code;
use crate::decode;
use crate::equalise::HalfGrid;
use crate::hypothesis::Hypothesis;
use crate::image::View;
use crate::model::{self, Model};

/// Function patterns that agree less are not there: of 1,450 symbols that were read none had less than 0.68.
const LEAST_AGREEMENT: f32 = 0.55;

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
    let mut unclear = Reading::Nothing;
    for model in model::fit(view, hypothesis, most, meter) {
        if model.agreement < LEAST_AGREEMENT || !meter.spend(cost(&model)) {
            continue;
        }
        let grid = HalfGrid::sample(view, &model);
        let plain = grid.centres();
        let decoded =
            decode::hard(&model.shape, &plain).or_else(|| decode::with_erasures(&model.shape, &plain));
        if let Some(decoded) = decoded {
            return Reading::Code(Code::new(decoded, &model));
        }
        let soft = match grid.equalise(&model.shape.layout, |soft| {
            decode::hard(&model.shape, soft).or_else(|| decode::with_erasures(&model.shape, soft))
        }) {
            Some(Ok(decoded)) => return Reading::Code(Code::new(decoded, &model)),
            Some(Err(soft)) => soft,
            None => continue,
        };
        if matches!(unclear, Reading::Nothing) {
            unclear = Reading::Unclear(Box::new((model, soft)));
        }
    }
    unclear
}

fn cost(model: &Model) -> u32 {
    300 + 60 * u32::from(model.shape.version.number())
}
