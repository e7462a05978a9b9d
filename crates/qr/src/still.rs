//! One picture, searched in full.

use crate::budget::{Budget, Meter};
use crate::clearer;
use crate::code::Code;
use crate::finder::{Finder, Patience, Rows, Search};
use crate::hypothesis::{self, Hypothesis, Tried};
use crate::image::{GreyImage, View};
use crate::read::{self, Effort, Reading};

/// Pictures above this many pixels are first searched at a smaller size.
const LARGE: usize = 2_600_000;

/// Reads the QR Codes of single pictures.
#[derive(Debug, Clone, Copy)]
pub struct Still;

impl Still {
    /// All codes found in `image` within `budget`.
    pub fn scan(image: &GreyImage<'_>, budget: Budget) -> Vec<Code> {
        let mut meter = Meter::start(budget);
        let pixels = image.width() * image.height();
        let mut codes = Vec::new();
        if pixels > LARGE {
            let factor = (2..).find(|factor| pixels / (factor * factor) <= LARGE).unwrap_or(2);
            let small = image.shrunk(factor);
            search(small.view(), &mut codes, &mut meter);
            #[expect(clippy::cast_precision_loss, reason = "a small factor")]
            let factor = factor as f32;
            for code in &mut codes {
                // The centre of a small pixel is the middle of the large ones it stands for.
                let grown = |at: f32| at * factor + (factor - 1.0) / 2.0;
                code.corners = code.corners.map(|(x, y)| (grown(x), grown(y)));
            }
            if !codes.is_empty() {
                return codes;
            }
        }
        search(image.view(), &mut codes, &mut meter);
        codes
    }
}

fn search(view: View<'_>, codes: &mut Vec<Code>, meter: &mut Meter) {
    if !view.holds_a_symbol() {
        return;
    }
    let mut tried = Tried::default();
    let mut search = Search::new(view);
    search.rows(Rows { first: 1, every: 3 }, Patience::Long, meter);
    triples(view, &search.found(), codes, &mut tried, meter);
    if !codes.is_empty() {
        return;
    }
    // The rows between, for finders too small or too torn for every third.
    for first in [2, 3] {
        search.rows(Rows { first, every: 3 }, Patience::Long, meter);
    }
    let finders = search.found();
    triples(view, &finders, codes, &mut tried, meter);
    pairs(view, view, &finders, codes, &mut tried, meter);
    if !codes.is_empty() || !meter.affords(clearer::cost(view)) || !meter.spend(clearer::cost(view)) {
        return;
    }
    // Finders too blurred or too faint are looked for once more in a clearer picture.
    let pixels = clearer::clearer(view);
    let clearer = View { pixels: &pixels, ..view };
    let mut search = Search::new(clearer);
    search.rows(Rows { first: 1, every: 3 }, Patience::Short, meter);
    let finders = search.found();
    triples(view, &finders, codes, &mut tried, meter);
    pairs(view, clearer, &finders, codes, &mut tried, meter);
}

/// Follows two finders whose third is covered; what is left of that is looked for in `seen`, and modules are read from
/// `view`.
fn pairs(
    view: View<'_>,
    seen: View<'_>,
    finders: &[Finder],
    codes: &mut Vec<Code>,
    tried: &mut Tried,
    meter: &mut Meter,
) {
    if codes.is_empty() {
        let guesses = hypothesis::pairs(seen, finders, meter);
        each(view, &guesses, codes, tried, meter);
    }
}

fn triples(view: View<'_>, finders: &[Finder], codes: &mut Vec<Code>, tried: &mut Tried, meter: &mut Meter) {
    let hypotheses = hypothesis::triples(finders, meter);
    each(view, &hypotheses, codes, tried, meter);
}

fn each(
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
        if hypothesis.finders.iter().any(|finder| codes.iter().any(|code| code.covers(finder.centre))) {
            continue;
        }
        if !tried.is_new(hypothesis) {
            continue;
        }
        if let Reading::Code(code) = read::hypothesis(view, hypothesis, Effort::Full, meter) {
            codes.push(code);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use qrcodegen::{QrCode, QrCodeEcc};

    /// A symbol of five pixels a module, its dark modules `dark` and all else `light`.
    fn picture(dark: u8, light: u8) -> (u32, Vec<u8>) {
        let code = QrCode::encode_text("000090123456||", QrCodeEcc::Medium).unwrap();
        let side = code.size() * 5 + 60;
        let module = |at: i32| (at - 30).div_euclid(5);
        let pixels = (0..side * side)
            .map(|at| if code.get_module(module(at % side), module(at / side)) { dark } else { light })
            .collect();
        (u32::try_from(side).unwrap(), pixels)
    }

    #[test]
    fn a_code_too_faint_for_the_first_search_is_read() {
        let (side, pixels) = picture(100, 110);
        let image = GreyImage::new(side, side, &pixels).unwrap();
        let mut search = Search::new(image.view());
        let mut meter = Meter::start(Budget::REPEATABLE);
        search.rows(Rows { first: 1, every: 1 }, Patience::Long, &mut meter);
        assert!(search.found().is_empty());
        let codes = Still::scan(&image, Budget::REPEATABLE);
        assert_eq!(codes.first().and_then(Code::text), Some("000090123456||"));
    }
}
