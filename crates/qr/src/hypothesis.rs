//! Which three finders may belong to one symbol, and the plane they span.

#![expect(
    clippy::indexing_slicing,
    reason = "a table of pairs, indexed by the numbers of the finders it was made of"
)]

use crate::budget::Meter;
use crate::finder::{self, Finder};
use crate::homography::{Homography, Point};
use crate::image::View;

/// How far from the axis of a finder the next one may lie, as a part of the distance.
const MOST_SLANT: f32 = 0.32;
/// Distances of finder centres in modules, version 1 to 40, with room for error.
const SPAN: std::ops::Range<f32> = 11.0..200.0;

/// Triples that look less like one symbol are not tried: true ones stay below half of it.
const MOST_MISFIT: f32 = 0.7;
/// A finder that is to carry a hypothesis with one other must be seen this clearly.
const PAIR_AGREEMENT: f32 = 0.62;
/// Places a third finder is looked for.
const MOST_GUESSES: usize = 16;
/// Hypotheses with a guessed finder.
const MOST_PAIRS: usize = 6;

/// Three corners of a supposed symbol.
#[derive(Clone, Copy)]
pub(crate) struct Hypothesis {
    /// Corner finder, then the one to its right and the one below (clockwise in the picture, so a mirrored
    /// symbol comes out transposed).
    pub(crate) finders: [Finder; 3],
    /// Distance of the finder centres in modules, estimated.
    pub(crate) span: f32,
    /// How little they look like one symbol; the least is tried first.
    pub(crate) misfit: f32,
    /// How many of the finders were seen, not guessed.
    pub(crate) seen: usize,
}

/// The hypotheses followed so far: what was guessed is often what was seen.
#[derive(Default)]
pub(crate) struct Tried(Vec<[Point; 3]>);

impl Tried {
    /// Whether nothing like `hypothesis` was followed; from now on, it was.
    pub(crate) fn is_new(&mut self, hypothesis: &Hypothesis) -> bool {
        let centres = hypothesis.finders.map(|finder| finder.centre);
        let reach = (0.4 * hypothesis.module()).max(1.0);
        let known =
            self.0.iter().any(|tried| tried.iter().zip(&centres).all(|(a, b)| (*a - *b).length() < reach));
        if !known {
            self.0.push(centres);
        }
        !known
    }
}

/// How one finder sees another: along which of its axes, at what distance in modules of both.
#[derive(Clone, Copy)]
struct Sight {
    span: f32,
    slant: f32,
    vertical: bool,
}

fn sight(from: &Finder, to: &Finder) -> Option<Sight> {
    let there = from.in_modules(to.centre - from.centre)?;
    let back = to.in_modules(from.centre - to.centre)?;
    let vertical = there.y.abs() > there.x.abs();
    let parts = |p: Point| {
        let (major, minor) = (p.x.abs().max(p.y.abs()), p.x.abs().min(p.y.abs()));
        (major, minor / major.max(1e-3))
    };
    let ((out, slant_out), (home, slant_home)) = (parts(there), parts(back));
    if slant_out > MOST_SLANT || slant_home > MOST_SLANT || out > 1.8 * home || home > 1.8 * out {
        return None;
    }
    let span = (out * home).sqrt();
    SPAN.contains(&span).then_some(Sight { span, slant: slant_out + slant_home, vertical })
}

/// All plausible triples of one polarity, the most plausible first.
pub(crate) fn triples(finders: &[Finder], meter: &mut Meter) -> Vec<Hypothesis> {
    let count = finders.len();
    let mut sights = Vec::with_capacity(count * count);
    for from in finders {
        for to in finders {
            let same = from.polarity == to.polarity;
            sights.push(if same && !std::ptr::eq(from, to) { sight(from, to) } else { None });
        }
    }
    let mut found = Vec::new();
    for corner in 0..count {
        if !meter.spend(2) {
            break;
        }
        for a in 0..count {
            let Some(first) = sights[corner * count + a] else { continue };
            for b in a + 1..count {
                let Some(second) = sights[corner * count + b] else { continue };
                if first.vertical == second.vertical {
                    continue;
                }
                let uneven = (first.span / second.span).ln().abs();
                if uneven > 0.3 {
                    continue;
                }
                let agreement = finders[corner].agreement + finders[a].agreement + finders[b].agreement;
                let misfit = 2.0 * uneven + first.slant + second.slant + 0.3 * (3.0 - agreement);
                if misfit > MOST_MISFIT {
                    continue;
                }
                let span = (first.span * second.span).sqrt();
                let [right, down] = clockwise(&finders[corner], &finders[a], &finders[b]);
                found.push(Hypothesis { finders: [finders[corner], right, down], span, misfit, seen: 3 });
            }
        }
    }
    found.sort_by(|a, b| a.misfit.total_cmp(&b.misfit));
    found.truncate(256);
    found
}

fn clockwise(corner: &Finder, a: &Finder, b: &Finder) -> [Finder; 2] {
    if (a.centre - corner.centre).cross(b.centre - corner.centre) > 0.0 { [*a, *b] } else { [*b, *a] }
}

/// For two finders of a symbol whose third is under glare or a finger: every place the third may be, the
/// pairs that agree best first. `near` looks for its remains there.
pub(crate) fn pairs(view: View<'_>, finders: &[Finder], meter: &mut Meter) -> Vec<Hypothesis> {
    let mut found = Vec::new();
    for (number, p) in finders.iter().enumerate() {
        for q in &finders[number + 1..] {
            let doubtful = p.agreement.min(q.agreement) < PAIR_AGREEMENT;
            if p.polarity != q.polarity || doubtful || !meter.spend(2) {
                continue;
            }
            if let Some(sight) = sight(p, q) {
                // Neighbours on a side: the third is beside either, to either side.
                for (corner, other) in [(p, q), (q, p)] {
                    let Some(there) = corner.in_modules(other.centre - corner.centre) else { continue };
                    let aside = if there.y.abs() > there.x.abs() { corner.along } else { corner.across };
                    for side in [1.0, -1.0] {
                        let expected = corner.centre + aside * (side * sight.span);
                        found.push((*corner, *other, expected, sight.span, sight.slant));
                    }
                }
            } else if let Some((span, slant)) = diagonal(p, q) {
                // Across the diagonal: the corner is at one of the two others.
                let Some(there) = p.in_modules(q.centre - p.centre) else { continue };
                for aside in [p.along * there.x, p.across * there.y] {
                    found.push((*p, *q, p.centre + aside, span, slant));
                }
            }
        }
    }
    found.retain(|&(_, _, expected, ..)| view.contains(expected.x, expected.y));
    found.sort_by(|a, b| {
        let misfit = |one: &Finder, other: &Finder, slant: f32| 2.0 * slant - one.agreement - other.agreement;
        misfit(&a.0, &a.1, a.4).total_cmp(&misfit(&b.0, &b.1, b.4))
    });
    found.truncate(MOST_GUESSES);
    let mut out = Vec::new();
    for (one, other, expected, span, slant) in found {
        if !meter.spend(40) {
            break;
        }
        let third = finder::near(view, &one, expected, (0.06 * span).clamp(1.5, 5.0));
        let third =
            if third.agreement > 0.3 { third } else { Finder { centre: expected, agreement: 0.0, ..one } };
        let agreement = one.agreement + other.agreement + 1.5 * third.agreement;
        let misfit = 2.0 * slant + 3.0 - agreement;
        // On a diagonal the guessed one is the corner.
        let on_side = sight(&one, &other).is_some();
        let (corner, a, b) = if on_side { (one, other, third) } else { (third, one, other) };
        let [right, down] = clockwise(&corner, &a, &b);
        out.push(Hypothesis { finders: [corner, right, down], span, misfit, seen: 2 });
    }
    out.sort_by(|a, b| a.misfit.total_cmp(&b.misfit));
    out.truncate(MOST_PAIRS);
    out
}

fn diagonal(p: &Finder, q: &Finder) -> Option<(f32, f32)> {
    let there = p.in_modules(q.centre - p.centre)?;
    let back = q.in_modules(p.centre - q.centre)?;
    let uneven = |v: Point| (v.x.abs() / v.y.abs().max(1e-3)).ln().abs();
    let slant = uneven(there) + uneven(back);
    if slant > 0.7 {
        return None;
    }
    let span = (there.x * there.y * back.x * back.y).abs().sqrt().sqrt();
    SPAN.contains(&span).then_some((span, slant))
}

impl Hypothesis {
    /// The map of the unit square between the finder centres into the picture.
    ///
    /// The three centres fix the affine part. The perspective is in the modules' sizes: along a line, the
    /// scale goes with the inverse square of the denominator, so the root of the sizes' ratio is exact.
    pub(crate) fn plane(&self) -> Option<Homography> {
        let [corner, right, down] = &self.finders;
        let growth = |other: &Finder| -> Option<f32> {
            if other.agreement <= 0.0 || corner.agreement <= 0.0 {
                return Some(1.0);
            }
            let there = corner.in_modules(other.centre - corner.centre)?;
            let back = other.in_modules(corner.centre - other.centre)?;
            let (out, home) = (there.x.abs().max(there.y.abs()), back.x.abs().max(back.y.abs()));
            Some((home / out.max(1e-3)).sqrt().clamp(0.7, 1.4))
        };
        let (g, h) = (growth(right)?, growth(down)?);
        let (c, r, d) = (corner.centre, right.centre, down.centre);
        let (across, along) = (r * g - c, d * h - c);
        if across.cross(along) < 1.0 {
            return None;
        }
        Some(Homography([[across.x, along.x, c.x], [across.y, along.y, c.y], [g - 1.0, h - 1.0, 1.0]]))
    }

    /// A module's side in the picture, in pixels.
    pub(crate) fn module(&self) -> f32 {
        let [corner, right, down] = &self.finders;
        let area = (right.centre - corner.centre).cross(down.centre - corner.centre).abs();
        area.sqrt() / self.span
    }
}
