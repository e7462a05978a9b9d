//! The picture made clearer, for a search that found nothing in it as it was: blur is taken back a little and faint
//! contrast raised. Finders are looked for in it; modules are still sampled from the picture itself, whose blur the
//! equaliser undoes better.

#![expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rows and tiles below the picture's height; grey levels clamped to a byte"
)]

use zeroize::Zeroizing;

use crate::image::View;

/// Side of the tiles whose mean is the brightness around a pixel.
const TILE: usize = 32;
/// What is left of the difference to the brightness around, in quarters.
const CONTRAST: i32 = 6;
/// What of the difference to the nine nearest pixels is added, in quarters.
const SHARPNESS: i32 = 8;

/// What it costs, in the steps of a budget.
pub(crate) fn cost(view: View<'_>) -> u32 {
    u32::try_from(view.width * view.height / 300).unwrap_or(u32::MAX)
}

/// The picture `view`, clearer; of the same size.
pub(crate) fn clearer(view: View<'_>) -> Zeroizing<Vec<u8>> {
    let (width, height) = (view.width, view.height);
    let across = width.div_ceil(TILE);
    let means = tile_means(view);
    let mut out = Zeroizing::new(vec![0; width * height]);
    // The sums of three pixels above each other, the first and the last twice; and the brightness around each pixel.
    let mut columns = vec![0i32; width + 2];
    let mut around = vec![0i32; width];
    let mut tiles = vec![0i32; across];
    for (row, out) in out.chunks_exact_mut(width).enumerate() {
        let here = view.row(row);
        let (above, below) = (view.row(row.saturating_sub(1)), view.row((row + 1).min(height - 1)));
        for (sum, ((&a, &b), &c)) in columns[1..=width].iter_mut().zip(above.iter().zip(here).zip(below)) {
            *sum = i32::from(a) + i32::from(b) + i32::from(c);
        }
        columns[0] = columns[1];
        columns[width + 1] = columns[width];

        // Brightness is that of a tile in its middle, and goes straight from one middle to the next.
        let down = row.saturating_sub(TILE / 2);
        let upper = (down / TILE).min(means.len() / across - 1);
        let lower = (upper + 1).min(means.len() / across - 1);
        let (upper, lower) = (&means[upper * across..][..across], &means[lower * across..][..across]);
        ramps(&mut tiles, upper, lower, (down % TILE) as i32);
        around[..(TILE / 2).min(width)].fill(tiles[0]);
        for (number, ramp) in around[(TILE / 2).min(width)..].chunks_mut(TILE).enumerate() {
            let (from, to) = (tiles[number], tiles[(number + 1).min(across - 1)]);
            for (at, value) in (0..).zip(ramp) {
                *value = from + (((to - from) * at) >> TILE.ilog2());
            }
        }

        let (left, middle, right) = (&columns[..width], &columns[1..=width], &columns[2..]);
        let nine = left.iter().zip(middle).zip(right).map(|((a, b), c)| a + b + c);
        for (((out, &value), &around), nine) in out.iter_mut().zip(here).zip(&around).zip(nine) {
            let value = 16 * i32::from(value);
            // 16/9 in 1/1024, which is near enough.
            let raised = (value - around) * CONTRAST + (value - ((nine * 1820) >> 10)) * SHARPNESS;
            *out = (128 + (raised >> 6)).clamp(0, 255) as u8;
        }
    }
    out
}

/// Fills `out` with what is `share` of a tile's side on the way from `from` to `to`.
fn ramps(out: &mut [i32], from: &[i32], to: &[i32], share: i32) {
    for (out, (&from, &to)) in out.iter_mut().zip(from.iter().zip(to)) {
        *out = from + (((to - from) * share) >> TILE.ilog2());
    }
}

/// Sixteen times the mean of each tile.
fn tile_means(view: View<'_>) -> Vec<i32> {
    let across = view.width.div_ceil(TILE);
    let mut means = Vec::with_capacity(across * view.height.div_ceil(TILE));
    for first in (0..view.height).step_by(TILE) {
        let rows = first..(first + TILE).min(view.height);
        let mut sums = vec![0i32; across];
        for row in rows.clone() {
            for (sum, tile) in sums.iter_mut().zip(view.row(row).chunks(TILE)) {
                *sum += tile.iter().map(|&value| i32::from(value)).sum::<i32>();
            }
        }
        for (number, sum) in sums.into_iter().enumerate() {
            let columns = TILE.min(view.width - number * TILE);
            means.push(16 * sum / (columns * rows.len()) as i32);
        }
    }
    means
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_even_is_grey_and_faint_steps_are_raised_under_any_light() {
        for (width, height) in [(200usize, 100usize), (21, 21), (33, 65)] {
            let pixels = vec![77u8; width * height];
            let view = View { width, height, pixels: &pixels };
            let even = clearer(view);
            assert_eq!(even.len(), pixels.len());
            assert!(even.iter().all(|value| (127..=129).contains(value)), "{width} x {height}");
        }
        // Stripes of four grey levels' difference on light that grows by one level in every two pixels.
        let (width, height) = (200usize, 100usize);
        let pixels: Vec<u8> =
            (0..width * height).map(|at| (50 + at % width / 2 + 4 * (at % width / 4 % 2)) as u8).collect();
        let raised = clearer(View { width, height, pixels: &pixels });
        let line = &raised[50 * width..51 * width];
        for start in (24..160).step_by(8) {
            let mean = |from: usize| line[from..from + 4].iter().map(|&v| i32::from(v)).sum::<i32>() / 4;
            let (dark, light) = (mean(start), mean(start + 4));
            assert!(light - dark >= 6, "{dark} {light} at {start}");
            assert!((100..156).contains(&dark) && (100..156).contains(&light), "{dark} {light} at {start}");
        }
    }
}
