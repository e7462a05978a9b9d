//! The part of the picture a symbol is supposed in, made roughly square and evenly lit.

#![expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "square grids walked below their side; samples are clamped into the grid"
)]

use crate::finder::Polarity;
use crate::homography::{Homography, Point};
use crate::image::View;

/// Samples are grey levels times this.
const SCALE: i32 = 4;
/// Samples taken along a straight line before the map is asked again.
const RUN: usize = 8;
/// Contrast below this many grey levels is not stretched further: there is nothing but noise in it.
const LEAST_DEVIATION: f32 = 4.0 * SCALE as f32;

/// A square grid of samples.
pub(crate) struct Samples {
    side: usize,
    values: Vec<u16>,
}

impl Samples {
    /// `side * side` samples, the one at (column, row) taken where `map` puts (column, row).
    /// Each is the mean of `fine * fine` places spread over the cell.
    pub(crate) fn take(
        view: View<'_>,
        map: &Homography,
        side: usize,
        fine: usize,
        polarity: Polarity,
    ) -> Self {
        let mut sums = vec![0i32; side * side];
        let mut line = [0i16; RUN];
        let part = |number: usize| ((number as f32 + 0.5) / fine as f32) - 0.5;
        for (row, sums) in sums.chunks_exact_mut(side).enumerate() {
            for inner in 0..fine * fine {
                let (right, down) = (part(inner % fine), row as f32 + part(inner / fine));
                let mut from = map.apply(right, down);
                for (number, run) in sums.chunks_mut(RUN).enumerate() {
                    // Over a run the map is straight to a hundredth of a pixel.
                    let to = map.apply(right + ((number + 1) * RUN) as f32, down);
                    let line = &mut line[..run.len()];
                    view.fill(from, (to - from) * (1.0 / RUN as f32), SCALE, line);
                    for (sum, &value) in run.iter_mut().zip(&*line) {
                        *sum += i32::from(value);
                    }
                    from = to;
                }
            }
        }
        let area = (fine * fine) as i32;
        let values = sums
            .into_iter()
            .map(|sum| {
                let value = (sum + area / 2) / area;
                (if polarity == Polarity::Inverted { 255 * SCALE - value } else { value }) as u16
            })
            .collect();
        Self { side, values }
    }

    /// The grid with brightness and contrast evened out over windows of `radius` to each side: dark is
    /// positive, about +-1.
    pub(crate) fn flattened(&self, radius: usize) -> Patch {
        let side = self.side;
        let mut sums = vec![0u32; side];
        let mut squares = vec![0u32; side];
        let mut values = Vec::with_capacity(side * side);
        let line = |row: usize| &self.values[row * side..(row + 1) * side];
        for row in 0..radius.min(side) {
            for ((sum, square), &value) in sums.iter_mut().zip(&mut squares).zip(line(row)) {
                *sum += u32::from(value);
                *square += u32::from(value) * u32::from(value);
            }
        }
        for row in 0..side {
            if row + radius < side {
                for ((sum, square), &value) in sums.iter_mut().zip(&mut squares).zip(line(row + radius)) {
                    *sum += u32::from(value);
                    *square += u32::from(value) * u32::from(value);
                }
            }
            if row > radius {
                for ((sum, square), &value) in sums.iter_mut().zip(&mut squares).zip(line(row - radius - 1)) {
                    *sum -= u32::from(value);
                    *square -= u32::from(value) * u32::from(value);
                }
            }
            let rows = (row + radius).min(side - 1) - row.saturating_sub(radius) + 1;
            let mut sum: u32 = sums[..radius.min(side)].iter().sum();
            let mut square: u32 = squares[..radius.min(side)].iter().sum();
            for (column, &value) in line(row).iter().enumerate() {
                if column + radius < side {
                    sum += sums[column + radius];
                    square += squares[column + radius];
                }
                if column > radius {
                    sum -= sums[column - radius - 1];
                    square -= squares[column - radius - 1];
                }
                let columns = (column + radius).min(side - 1) - column.saturating_sub(radius) + 1;
                let share = 1.0 / (rows * columns) as f32;
                let mean = sum as f32 * share;
                let variance = (square as f32 * share - mean * mean).max(LEAST_DEVIATION * LEAST_DEVIATION);
                values.push(((mean - f32::from(value)) / variance.sqrt()).clamp(-2.0, 2.0));
            }
        }
        Patch { side, values }
    }
}

/// A square grid of evened samples, dark positive.
pub(crate) struct Patch {
    pub(crate) side: usize,
    pub(crate) values: Vec<f32>,
}

impl Patch {
    /// The value there, from its four neighbours; zero outside.
    #[inline]
    pub(crate) fn at(&self, point: Point) -> f32 {
        let last = (self.side - 1) as f32;
        if !(point.x >= 0.0 && point.y >= 0.0 && point.x < last && point.y < last) {
            return 0.0;
        }
        let (column, row) = (point.x as usize, point.y as usize);
        let (right, down) = (point.x - column as f32, point.y - row as f32);
        let start = row * self.side + column;
        let upper = &self.values[start..start + 2];
        let lower = &self.values[start + self.side..start + self.side + 2];
        let above = upper[0] + right * (upper[1] - upper[0]);
        let below = lower[0] + right * (lower[1] - lower[0]);
        above + down * (below - above)
    }

    /// The value of the nearest sample; zero outside.
    #[inline]
    pub(crate) fn nearest(&self, column: i32, row: i32) -> f32 {
        let (Ok(column), Ok(row)) = (usize::try_from(column), usize::try_from(row)) else { return 0.0 };
        if column >= self.side || row >= self.side {
            return 0.0;
        }
        self.values[row * self.side + column]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shadow_across_a_checkerboard_is_evened_out() {
        let side = 60usize;
        let pixels: Vec<u8> = (0..side * side)
            .map(|at| {
                let (x, y) = (at % side, at / side);
                let light = 60 + 3 * x;
                (if (x / 3 + y / 3).is_multiple_of(2) { light } else { light / 2 }) as u8
            })
            .collect();
        let view = View { width: side, height: side, pixels: &pixels };
        let flat = Samples::take(view, &Homography::scaled(1.0, 0.0), side, 1, Polarity::Normal).flattened(9);
        for y in (4..56i32).step_by(3) {
            for x in (4..56i32).step_by(3) {
                let expected = if (x / 3 + y / 3) % 2 == 0 { -1.0 } else { 1.0 };
                let value = flat.nearest(x, y);
                assert!((value - expected).abs() < 0.5, "{value} at {x}, {y}");
            }
        }
    }

    #[test]
    fn the_window_sums_are_those_counted_directly() {
        let side = 13usize;
        let values: Vec<u16> = (0..side * side).map(|at| ((at * 7919) % 1021) as u16).collect();
        let samples = Samples { side, values: values.clone() };
        for radius in [2usize, 5, 20] {
            let flat = samples.flattened(radius);
            for row in 0..side {
                for column in 0..side {
                    let inside: Vec<f32> = (0..side * side)
                        .filter(|at| {
                            (at % side).abs_diff(column) <= radius && (at / side).abs_diff(row) <= radius
                        })
                        .map(|at| f32::from(values[at]))
                        .collect();
                    let mean = inside.iter().sum::<f32>() / inside.len() as f32;
                    let variance =
                        inside.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>() / inside.len() as f32;
                    let expected = ((mean - f32::from(values[row * side + column]))
                        / variance.max(LEAST_DEVIATION * LEAST_DEVIATION).sqrt())
                    .clamp(-2.0, 2.0);
                    let got = flat.values[row * side + column];
                    assert!((got - expected).abs() < 0.01, "{got} {expected}");
                }
            }
        }
    }
}
