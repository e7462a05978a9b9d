//! A hypothesis followed to its end: model, samples, message.

use zeroize::Zeroizing;

use crate::budget::Meter;
use crate::code::Code;
use crate::decode::{self, Decoded};
use crate::equalise::HalfGrid;
use crate::hypothesis::Hypothesis;
use crate::image::View;
use crate::model::{self, Model};

/// Function patterns that agree less are not there: of 1,450 symbols that were read none had less than 0.68.
const LEAST_AGREEMENT: f32 = 0.55;

/// Rounds of [`again`].
const MOST_ROUNDS: usize = 2;

/// How much is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// One version, and what a frame of a stream has time for.
    Quick,
    /// Two versions, and all there is.
    Full,
}

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
pub(crate) fn hypothesis(
    view: View<'_>,
    hypothesis: &Hypothesis,
    effort: Effort,
    meter: &mut Meter,
) -> Reading {
    let most = match effort {
        Effort::Quick => 1,
        Effort::Full => 2,
    };
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
        if effort == Effort::Full
            && let Some(decoded) = again(&grid, &model, &soft, meter)
        {
            return Reading::Code(Code::new(decoded, &model));
        }
        if matches!(unclear, Reading::Nothing) {
            unclear = Reading::Unclear(Box::new((model, soft)));
        }
    }
    unclear
}

/// Tries what takes longer: a wider view of the blur, and what the blocks that were mended teach about the rest.
fn again(grid: &HalfGrid, model: &Model, soft: &[f32], meter: &mut Meter) -> Option<Decoded> {
    let shape = &model.shape;
    let mut soft = Zeroizing::new(soft.to_vec());
    for _ in 0..MOST_ROUNDS {
        if !meter.spend(3 * cost(model)) {
            return None;
        }
        for (at, colour) in decode::known_modules(shape, &soft).iter() {
            if let Some(value) = soft.get_mut(*at) {
                *value = *colour;
            }
        }
        soft = Zeroizing::new(grid.widely(&shape.layout, &soft)?);
        let decoded = decode::hard(shape, &soft).or_else(|| decode::with_erasures(shape, &soft));
        if decoded.is_some() {
            return decoded;
        }
    }
    None
}

fn cost(model: &Model) -> u32 {
    300 + 60 * u32::from(model.shape.version.number())
}
