//! How much the pixels hold, were the geometry known: the bound our decoder is measured against.
//!
//! The modules are sampled where the renderer says they are. No Reed-Solomon decoder is needed to know whether
//! one would succeed: the printed bits are known, so errors and erasures can be counted block by block
//! (ISO/IEC 18004, 7.5: a block with `n` error-correction codewords mends `2 x errors + erasures <= n`).
//! It is a bound of linear methods on one frame, not Shannon's.

use std::time::Duration;

use cccd_firmware_sim::card_image::{Correction, Symbol, Truth};

use crate::{decoders::Attempt, sample::Sample};

/// What is allowed besides the true geometry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Means {
    /// One bilinear sample a module against the mean of its surroundings; errors only.
    Plain,
    /// The best of that and of an equaliser trained on the function patterns and retrained on its own
    /// confident decisions, each with erasures.
    All,
}

/// The printed payload, where the frame holds enough of it.
pub(crate) fn attempt(sample: &Sample, means: Means) -> Attempt {
    let truth = sample.rendered.as_ref().and_then(|rendered| rendered.truth.as_ref());
    let readable = truth.is_some_and(|truth| readable(sample, truth, means));
    let payloads = truth.filter(|_| readable).map(|truth| truth.payload.clone());
    Attempt { payloads: payloads.into_iter().collect(), cpu: Duration::ZERO, mishap: None }
}

fn readable(sample: &Sample, truth: &Truth, means: Means) -> bool {
    let Some(layout) = Layout::of(&truth.symbol) else { return false };
    let grid = Samples::take(sample, truth);
    let plain = grid.plain();
    if layout.decodes(&truth.symbol, &plain, 0) {
        return true;
    }
    if means == Means::Plain {
        return false;
    }
    if layout.decodes(&truth.symbol, &plain, ERASURE_MARGIN) {
        return true;
    }
    let pilots: Vec<Option<bool>> = layout.pilots(&truth.symbol);
    let Some(mut soft) = grid.equalise(&pilots) else { return false };
    for _ in 0..2 {
        if layout.decodes(&truth.symbol, &soft, ERASURE_MARGIN) {
            return true;
        }
        // Decision-directed: the surer half of the decisions joins the pilots.
        let mut sure: Vec<f32> = soft.iter().map(|value| value.abs()).collect();
        sure.sort_by(f32::total_cmp);
        let bar = sure.get(sure.len() / 2).copied().unwrap_or(0.0);
        let more = pilots
            .iter()
            .zip(&soft)
            .map(|(pilot, value)| pilot.or((value.abs() >= bar).then_some(*value > 0.0)))
            .collect::<Vec<_>>();
        match grid.equalise(&more) {
            Some(better) => soft = better,
            None => return false,
        }
    }
    layout.decodes(&truth.symbol, &soft, ERASURE_MARGIN)
}

/// Erasures never use up the last of these codewords: a decoder without that guard invents payloads.
const ERASURE_MARGIN: usize = 4;

/// Which module belongs to which codeword, and which codeword to which block.
struct Layout {
    side: usize,
    /// The modules of each codeword, in the order of the stream.
    codewords: Vec<[usize; 8]>,
    /// The block of each.
    block: Vec<usize>,
    blocks: usize,
    correction_codewords: usize,
    function: Vec<bool>,
}

/// Codewords in all, blocks and correction codewords a block at L, the same at M; versions 5 to 10
/// (ISO/IEC 18004, tables 1 and 9).
const VERSIONS: [(usize, [usize; 2], [usize; 2]); 6] = [
    (134, [1, 26], [2, 24]),
    (172, [2, 18], [4, 16]),
    (196, [2, 20], [4, 18]),
    (242, [2, 24], [4, 22]),
    (292, [2, 30], [5, 22]),
    (346, [4, 18], [5, 26]),
];

impl Layout {
    /// The layout, of the versions and levels a corpus prints.
    fn of(symbol: &Symbol) -> Option<Self> {
        let (total, low, medium) = *VERSIONS.get(usize::from(symbol.version).checked_sub(5)?)?;
        let [blocks, correction_codewords] = match symbol.correction {
            Correction::L => low,
            Correction::M => medium,
            Correction::Q | Correction::H => return None,
        };
        let side = symbol.side;
        let function: Vec<bool> =
            (0..side * side).map(|at| is_function(symbol.version, side, at % side, at / side)).collect();
        let bits = zigzag(side, &function);
        let codewords = bits.as_chunks::<8>().0.iter().take(total).copied().collect();
        // Blocks are interleaved; the later ones may be one data codeword longer (ISO/IEC 18004, 7.6).
        let data = total - blocks * correction_codewords;
        let even = data / blocks * blocks;
        let block = (0..total)
            .map(|at| match at {
                at if at < even => at % blocks,
                at if at < data => blocks - data % blocks + at - even,
                at => (at - data) % blocks,
            })
            .collect();
        Some(Self { side, codewords, block, blocks, correction_codewords, function })
    }

    /// The modules whose colour is known before anything is decoded.
    fn pilots(&self, symbol: &Symbol) -> Vec<Option<bool>> {
        self.function
            .iter()
            .enumerate()
            .map(|(at, function)| function.then(|| symbol.is_dark(at % self.side, at / self.side)))
            .collect()
    }

    /// Whether every block can be mended; `margin` above 0 lets the least sure codewords be erased.
    fn decodes(&self, symbol: &Symbol, soft: &[f32], margin: usize) -> bool {
        let mut blocks: Vec<Vec<(f32, bool)>> = vec![Vec::new(); self.blocks];
        for (modules, block) in self.codewords.iter().zip(&self.block) {
            let mut sureness = f32::MAX;
            let mut wrong = false;
            for module in modules {
                let value = soft.get(*module).copied().unwrap_or(0.0);
                sureness = sureness.min(value.abs());
                wrong |= (value > 0.0) != symbol.is_dark(module % self.side, module / self.side);
            }
            if let Some(block) = blocks.get_mut(*block) {
                block.push((sureness, wrong));
            }
        }
        blocks.iter_mut().all(|block| {
            block.sort_by(|a, b| a.0.total_cmp(&b.0));
            let most = if margin == 0 { 0 } else { self.correction_codewords.saturating_sub(margin) };
            (0..=most).step_by(2).any(|erased| {
                let errors = block.iter().skip(erased).filter(|(_, wrong)| *wrong).count();
                2 * errors + erased <= self.correction_codewords
            })
        })
    }
}

/// Centres of the alignment patterns (ISO/IEC 18004, annex E).
fn alignment_centres(version: u8) -> &'static [usize] {
    match version {
        5 => &[6, 30],
        6 => &[6, 34],
        7 => &[6, 22, 38],
        8 => &[6, 24, 42],
        9 => &[6, 26, 46],
        10 => &[6, 28, 50],
        _ => &[],
    }
}

fn is_function(version: u8, side: usize, x: usize, y: usize) -> bool {
    let finder = (x < 9 && y < 9) || (x >= side - 8 && y < 9) || (x < 9 && y >= side - 8);
    let timing = x == 6 || y == 6;
    let version_block = version >= 7
        && ((y < 6 && (side - 11..side - 8).contains(&x)) || (x < 6 && (side - 11..side - 8).contains(&y)));
    let centres = alignment_centres(version);
    let last = side - 7;
    let alignment = centres.iter().any(|&cy| {
        centres.iter().any(|&cx| {
            let in_finder = (cx == 6 && cy == 6) || (cx == last && cy == 6) || (cx == 6 && cy == last);
            !in_finder && x.abs_diff(cx) <= 2 && y.abs_diff(cy) <= 2
        })
    });
    finder || timing || version_block || alignment
}

/// Data modules in the order in which bits are placed (ISO/IEC 18004, 7.7.3).
fn zigzag(side: usize, function: &[bool]) -> Vec<usize> {
    let mut order = Vec::new();
    let mut upward = true;
    let mut right = side - 1;
    while right > 0 {
        // The vertical timing pattern is stepped over.
        if right == 6 {
            right -= 1;
        }
        for step in 0..side {
            let y = if upward { side - 1 - step } else { step };
            for x in [right, right - 1] {
                let at = y * side + x;
                if function.get(at) == Some(&false) {
                    order.push(at);
                }
            }
        }
        upward = !upward;
        right = right.saturating_sub(2);
    }
    order
}

/// The picture sampled at every half module, four half modules beyond the edge included.
struct Samples {
    side: usize,
    edge: usize,
    grey: Vec<f32>,
}

/// Half modules around the symbol.
const RIM: usize = 4;

impl Samples {
    fn take(sample: &Sample, truth: &Truth) -> Self {
        let side = truth.symbol.side;
        let edge = 2 * side + 1 + 2 * RIM;
        let mut grey = Vec::with_capacity(edge * edge);
        for row in 0..edge {
            for column in 0..edge {
                let [u, v] = [column, row].map(|at| (at as f32 - RIM as f32) / 2.0);
                grey.push(bilinear(sample, truth.pixel([u, v])));
            }
        }
        Self { side, edge, grey }
    }

    fn at(&self, column: usize, row: usize) -> f32 {
        self.grey.get(row * self.edge + column).copied().unwrap_or(0.0)
    }

    /// Index of the middle of a module.
    fn middle(at: usize) -> usize {
        2 * at + 1 + RIM
    }

    /// Each module against the mean of the modules around it, dark positive.
    fn plain(&self) -> Vec<f32> {
        let mut soft = Vec::with_capacity(self.side * self.side);
        for y in 0..self.side {
            for x in 0..self.side {
                let (mut sum, mut count) = (0.0, 0.0);
                for ny in y.saturating_sub(5)..(y + 6).min(self.side) {
                    for nx in x.saturating_sub(5)..(x + 6).min(self.side) {
                        sum += self.at(Self::middle(nx), Self::middle(ny));
                        count += 1.0;
                    }
                }
                soft.push(sum / count - self.at(Self::middle(x), Self::middle(y)));
            }
        }
        soft
    }

    /// The samples with local mean 0 and deviation 1.
    fn flattened(&self) -> Vec<f32> {
        let reach = 8;
        let mut flat = Vec::with_capacity(self.grey.len());
        for row in 0..self.edge {
            for column in 0..self.edge {
                let (mut sum, mut squares, mut count) = (0.0, 0.0, 0.0);
                for y in row.saturating_sub(reach)..(row + reach + 1).min(self.edge) {
                    for x in column.saturating_sub(reach)..(column + reach + 1).min(self.edge) {
                        let value = self.at(x, y);
                        sum += value;
                        squares += value * value;
                        count += 1.0;
                    }
                }
                let mean = sum / count;
                let deviation = (squares / count - mean * mean).max(4.0).sqrt();
                flat.push((mean - self.at(column, row)) / deviation);
            }
        }
        flat
    }

    /// Ridge regression from the 5x5 half modules around a module to its colour, learnt where it is known.
    fn equalise(&self, known: &[Option<bool>]) -> Option<Vec<f32>> {
        let flat = self.flattened();
        let features = |at: usize| {
            let (column, row) = (Self::middle(at % self.side), Self::middle(at / self.side));
            let mut features = [1.0_f64; 26];
            for (k, feature) in features.iter_mut().take(25).enumerate() {
                let place = (row + k / 5 - 2) * self.edge + column + k % 5 - 2;
                *feature = f64::from(flat.get(place).copied().unwrap_or(0.0));
            }
            features
        };
        let mut normal = [[0.0_f64; 27]; 26];
        for (at, dark) in known.iter().enumerate() {
            let Some(dark) = dark else { continue };
            let x = features(at);
            let target = if *dark { 1.0 } else { -1.0 };
            for (line, a) in normal.iter_mut().zip(x) {
                for (cell, b) in line.iter_mut().zip(x.into_iter().chain([target])) {
                    *cell += a * b;
                }
            }
        }
        for (at, line) in normal.iter_mut().enumerate() {
            if let Some(cell) = line.get_mut(at) {
                *cell += 6.0;
            }
        }
        let weights = solve(normal)?;
        let soft = (0..self.side * self.side).map(|at| {
            let sum: f64 = features(at).iter().zip(weights).map(|(feature, weight)| feature * weight).sum();
            sum as f32
        });
        Some(soft.collect())
    }
}

/// Gauss-Jordan elimination; the matrix is positive definite, so its diagonal serves as pivots.
fn solve(mut lines: [[f64; 27]; 26]) -> Option<[f64; 26]> {
    for at in 0..26 {
        let mut pivot = *lines.get(at)?;
        let scale = *pivot.get(at)?;
        if scale.abs() < 1e-9 {
            return None;
        }
        pivot.iter_mut().for_each(|cell| *cell /= scale);
        for (other, line) in lines.iter_mut().enumerate() {
            let factor = *line.get(at)?;
            if other != at {
                line.iter_mut().zip(pivot).for_each(|(cell, from)| *cell -= factor * from);
            }
        }
        *lines.get_mut(at)? = pivot;
    }
    Some(lines.map(|line| line[26]))
}

/// Grey at a continuous pixel position; pixel centres lie at halves.
fn bilinear(sample: &Sample, [x, y]: [f32; 2]) -> f32 {
    let (width, height) = (sample.width as usize, sample.height as usize);
    let (x, y) = (
        (x - 0.5).clamp(0.0, sample.width as f32 - 1.001),
        (y - 0.5).clamp(0.0, sample.height as f32 - 1.001),
    );
    let (column, row) = ((x as usize).min(width - 2), (y as usize).min(height - 2));
    let (u, v) = (x - column as f32, y - row as f32);
    let at = |dx: usize, dy: usize| {
        f32::from(sample.grey.get((row + dy) * width + column + dx).copied().unwrap_or(0))
    };
    let top = at(0, 0) + (at(1, 0) - at(0, 0)) * u;
    let bottom = at(0, 1) + (at(1, 1) - at(0, 1)) * u;
    top + (bottom - top) * v
}

#[cfg(test)]
mod tests {
    use cccd_firmware_sim::card_image::{Corpus, Segments};

    use super::*;

    fn symbol(bytes: usize, correction: Correction) -> Symbol {
        Symbol::encode(&vec![b'x'; bytes], correction, Segments::Bytes, 5..=10, None).unwrap()
    }

    #[test]
    fn every_data_module_belongs_to_a_codeword_or_to_the_remainder() {
        for (bytes, version) in [(80, 5), (100, 6), (120, 7), (150, 8), (178, 9), (210, 10)] {
            let symbol = symbol(bytes, Correction::M);
            assert_eq!(symbol.version, version);
            let layout = Layout::of(&symbol).unwrap();
            let data = layout.function.iter().filter(|function| !**function).count();
            // ISO/IEC 18004, table 1: versions 2 to 6 have 7 remainder bits, 7 to 13 none.
            let remainder = if version <= 6 { 7 } else { 0 };
            assert_eq!(layout.codewords.len() * 8 + remainder, data, "version {version}");
        }
    }

    #[test]
    fn a_block_mends_half_its_correction_codewords_and_not_one_more() {
        let symbol = symbol(150, Correction::M);
        let layout = Layout::of(&symbol).unwrap();
        let clean: Vec<f32> = (0..symbol.side * symbol.side)
            .map(|at| if symbol.is_dark(at % symbol.side, at / symbol.side) { 1.0 } else { -1.0 })
            .collect();
        let broken = |errors: usize| {
            let mut soft = clean.clone();
            let of_block = layout.codewords.iter().zip(&layout.block).filter(|(_, block)| **block == 1);
            for (modules, _) in of_block.take(errors) {
                soft[modules[0]] *= -1.0;
            }
            soft
        };
        assert!(layout.decodes(&symbol, &broken(11), 0));
        assert!(!layout.decodes(&symbol, &broken(12), 0));
    }

    #[test]
    fn easy_frames_are_within_the_limit() {
        let frame = Corpus::new(9).frame(0);
        let sample = Sample::rendered(0, frame);
        for means in [Means::Plain, Means::All] {
            assert_eq!(attempt(&sample, means).payloads, [sample.payload.clone().unwrap()]);
        }
    }
}
