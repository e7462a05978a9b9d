//! Edges along a line, without a threshold on brightness.
//!
//! Local maxima and minima are followed with a hysteresis; an edge is where the line crosses the middle
//! between two neighbouring extrema. So a blurred module, whose swing is a fraction of the full contrast,
//! still has edges where they belong, and a shadow across the code moves nothing.

#![expect(
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "positions come from walking the line itself, whose length is a picture's side at most"
)]

/// The line's values are grey levels times this.
pub(crate) const SCALE: i16 = 4;
/// A swing below this many grey levels is noise.
const LEAST_SWING: i16 = 12 * SCALE;

/// Values looked at together where nothing happens.
const BLOCK: usize = 16;

/// One edge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Edge {
    /// Position along the line, in steps.
    pub(crate) at: f32,
    /// From dark to light.
    pub(crate) rising: bool,
    /// How far apart the extremes are that it lies between.
    pub(crate) swing: i16,
    /// The brighter of the two.
    pub(crate) light: i16,
}

/// Finds the edges of `line` in order; rising and falling alternate. `out` is emptied first.
pub(crate) fn find(line: &[i16], out: &mut Vec<Edge>) {
    out.clear();
    let Some(&first) = line.first() else { return };
    // Until the first swing, both extremes are followed.
    let (mut low, mut low_at, mut high, mut high_at) = (first, 0, first, 0);
    let mut start = line.len();
    for (at, &value) in line.iter().enumerate() {
        if value < low {
            (low, low_at) = (value, at);
        }
        if value > high {
            (high, high_at) = (value, at);
        }
        if high - low >= LEAST_SWING {
            start = at + 1;
            break;
        }
    }
    if high - low < LEAST_SWING {
        return;
    }
    let mut rising = low_at < high_at;
    let (mut last, mut last_at, mut best, mut best_at) =
        if rising { (low, low_at, high, high_at) } else { (high, high_at, low, low_at) };
    loop {
        // The direction changes once the line comes back by a part of the swing it made.
        let mut at = start;
        if rising {
            let mut turn = best - hysteresis(best - last);
            'up: while at < line.len() {
                at += quiet(&line[at..], turn, best);
                for &value in &line[at..line.len().min(at + BLOCK)] {
                    if value > best {
                        (best, best_at) = (value, at);
                        turn = best - hysteresis(best - last);
                    } else if value < turn {
                        break 'up;
                    }
                    at += 1;
                }
            }
        } else {
            let mut turn = best + hysteresis(last - best);
            'down: while at < line.len() {
                at += quiet(&line[at..], best, turn);
                for &value in &line[at..line.len().min(at + BLOCK)] {
                    if value < best {
                        (best, best_at) = (value, at);
                        turn = best + hysteresis(last - best);
                    } else if value > turn {
                        break 'down;
                    }
                    at += 1;
                }
            }
        }
        out.push(crossing(line, last_at, best_at, rising));
        if at >= line.len() {
            return;
        }
        (last, last_at) = (best, best_at);
        (best, best_at) = (line[at], at);
        rising = !rising;
        start = at + 1;
    }
}

/// How many values from the start certainly stay between `low` and `high`: most of a picture is flat, and sixteen
/// values are looked at as fast as two.
fn quiet(line: &[i16], low: i16, high: i16) -> usize {
    let (blocks, _) = line.as_chunks::<BLOCK>();
    let stays = |block: &&[i16; BLOCK]| {
        block.iter().fold(true, |quiet, &value| quiet & (low <= value) & (value <= high))
    };
    BLOCK * blocks.iter().take_while(stays).count()
}

/// 22 % of the swing, and never less than noise.
fn hysteresis(swing: i16) -> i16 {
    (swing / 32 * 7).max(LEAST_SWING)
}

fn crossing(line: &[i16], from: usize, to: usize, rising: bool) -> Edge {
    let middle = line[from].midpoint(line[to]);
    let mut at = to;
    while at > from + 1 && (line[at - 1] > middle) == rising && line[at - 1] != middle {
        at -= 1;
    }
    let (before, after) = (f32::from(line[at - 1]), f32::from(line[at]));
    let part = if after == before { 0.5 } else { (f32::from(middle) - before) / (after - before) };
    let (low, high) = (line[from].min(line[to]), line[from].max(line[to]));
    Edge { at: (at - 1) as f32 + part.clamp(0.0, 1.0), rising, swing: high - low, light: high }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn edges(levels: &[i16]) -> Vec<Edge> {
        let line: Vec<i16> = levels.iter().map(|level| level * SCALE).collect();
        let mut out = Vec::new();
        find(&line, &mut out);
        out
    }

    #[test]
    fn an_edge_is_half_way_between_its_extremes() {
        let found = edges(&[200, 200, 150, 50, 0, 0, 60, 100, 100]);
        assert_eq!(found.len(), 2);
        assert!((found[0].at - 2.5).abs() < 0.01 && !found[0].rising);
        assert!((found[1].at - 5.83).abs() < 0.02 && found[1].rising);
    }

    #[test]
    fn ripple_below_the_hysteresis_is_no_edge() {
        assert_eq!(edges(&[100, 108, 99, 107, 100, 109]), []);
        assert_eq!(edges(&[0, 100, 90, 100, 89, 100, 0]).len(), 2);
    }

    proptest! {
        #[test]
        fn edges_alternate_and_go_forward(line in proptest::collection::vec(0i16..=1020, 0..200)) {
            let mut out = Vec::new();
            find(&line, &mut out);
            for pair in out.windows(2) {
                prop_assert!(pair[0].rising != pair[1].rising);
                prop_assert!(pair[0].at <= pair[1].at);
            }
        }
    }
}
