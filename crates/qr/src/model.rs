//! A hypothesis refined: the version, and the map from modules to pixels.
//!
//! Every module of a function pattern has a colour the version fixes, so hundreds of modules all over the
//! symbol are known beforehand. They choose the version and then pull the map into place.

#![expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "versions 1 to 40 and patches of a few hundred samples"
)]

use crate::budget::Meter;
use crate::decode::Arrangement;
use crate::finder::Polarity;
use crate::homography::{Homography, Point};
use crate::hypothesis::Hypothesis;
use crate::image::View;
use crate::patch::{Patch, Samples};
use crate::symbol::{self, Module, Version};

/// Samples of the patch to a module.
const FINENESS: f32 = 3.0;
/// Modules of the patch around the finder centres: half a finder, and room to be wrong.
const MARGIN: f32 = 6.5;
/// Modules that steer the map; more add time, not precision.
const MOST_PILOTS: usize = 600;
/// Above this span, version 11 on, the timing patterns are looked at first.
const LARGE_SPAN: f32 = 52.0;
/// Patterns between the finders that agree so well before any refinement leave no doubt about the version.
const CERTAIN: f32 = 0.6;
/// The same agreement below which three finders seen belong to no symbol; of 1,500 that were read none had less than
/// 0.47, of those that belong to none 0.38 was the most.
const LEAST_SEEN: f32 = 0.4;
/// And where one of the three was guessed: of 150 that were read none had less than 0.25.
const LEAST_GUESSED: f32 = 0.22;
/// Where a finder's centre is, in modules from the symbol's corner.
const FINDER_CENTRE: f32 = 3.5;

/// Where a symbol of a version lies in the picture.
pub(crate) struct Model {
    pub(crate) shape: Arrangement,
    /// From modules, (0, 0) the symbol's outer corner, to pixels.
    pub(crate) map: Homography,
    /// Agreement of the function patterns between the finders, about 1 for a clean symbol and 0 for none: the finders
    /// themselves are why it was looked at.
    pub(crate) agreement: f32,
    pub(crate) polarity: Polarity,
    /// A module's side in pixels.
    pub(crate) module: f32,
}

struct Pilot {
    x: f32,
    y: f32,
    sign: f32,
}

struct Trial {
    shape: Arrangement,
    span: f32,
    pilots: Vec<Pilot>,
    corners: [Point; 4],
    /// Agreement of all function patterns.
    score: f32,
    /// Of those between the finders alone: finders look the same in every version.
    between: f32,
}

/// The models of a hypothesis, the best first, at most `most`.
pub(crate) fn fit(view: View<'_>, hypothesis: &Hypothesis, most: usize, meter: &mut Meter) -> Vec<Model> {
    let Some(plane) = hypothesis.plane() else { return Vec::new() };
    if !meter.spend(20) || !has_timing(view, hypothesis, &plane) {
        return Vec::new();
    }
    let margin = MARGIN / hypothesis.span;
    let side = ((hypothesis.span + 2.0 * MARGIN) * FINENESS) as usize;
    if !meter.spend((side * side / 60) as u32) {
        return Vec::new();
    }
    let polarity = hypothesis.finders[0].polarity;
    let unit = hypothesis.span * FINENESS;
    // From patch samples to the unit square, then into the picture.
    let placed = plane.after(&Homography::scaled(1.0 / unit, -margin));
    let fine = if hypothesis.module() > 9.0 { 2 } else { 1 };
    let patch = Samples::take(view, &placed, side, fine, polarity).flattened((3.5 * FINENESS) as usize);

    let mut trials: Vec<Trial> = Vec::new();
    for version in versions(hypothesis.span) {
        if !meter.spend(60 + 16 * u32::from(version.number())) {
            break;
        }
        let trial = Trial::new(&patch, version, unit, margin);
        let certain = trial.between > CERTAIN;
        trials.push(trial);
        if certain {
            break;
        }
    }
    trials.sort_by(|a, b| b.between.total_cmp(&a.between));
    let leader = trials.first().map_or(0.0, |trial| trial.between);
    let least = if hypothesis.seen < 3 { LEAST_GUESSED } else { LEAST_SEEN };
    trials.retain(|trial| trial.between > least.max(0.55 * leader));
    trials.truncate(2);
    let wide = hypothesis.seen < 3;
    for trial in &mut trials {
        if !meter.spend(400) {
            break;
        }
        trial.climb(&patch, if wide { &[1.6, 0.7, 0.3, 0.12] } else { &[0.6, 0.25, 0.1] });
        trial.between = trial.agreement_between(&patch);
    }
    trials.sort_by(|a, b| b.between.total_cmp(&a.between));
    let module = hypothesis.module();
    trials
        .into_iter()
        .take(most)
        .filter_map(|trial| {
            let inside = Homography::of_square(trial.span, trial.corners)?;
            let shift = Homography::scaled(1.0, -FINDER_CENTRE);
            let map = placed.after(&inside.after(&shift));
            Some(Model { shape: trial.shape, map, agreement: trial.between, polarity, module })
        })
        .collect()
}

/// Whether the picture alternates where the timing patterns of a large symbol would be.
///
/// Large symbols cost the most to follow and have the most timing modules, so there a first look pays;
/// small ones are simply followed.
fn has_timing(view: View<'_>, hypothesis: &Hypothesis, plane: &Homography) -> bool {
    if hypothesis.span <= LARGE_SPAN {
        return true;
    }
    versions(hypothesis.span).into_iter().any(|version| {
        let span = (version.side() - 7) as f32;
        let alternates = |upright: bool, aside: f32| {
            let grey: Vec<f32> = (5..version.side() - 12)
                .map(|along| {
                    let (x, y) = (along as f32 / span, (3.0 + aside) / span);
                    let point = if upright { plane.apply(y, x) } else { plane.apply(x, y) };
                    view.at(point.x, point.y)
                })
                .collect();
            let (mut sum, mut all, mut sign) = (0f32, 1.0, 1.0);
            for three in grey.windows(3) {
                let bend = 2.0 * three[1] - three[0] - three[2];
                sum += sign * bend;
                all += bend.abs();
                sign = -sign;
            }
            sum.abs() / all
        };
        [false, true]
            .iter()
            .any(|&upright| [-0.5, 0.0, 0.5].iter().any(|&aside| alternates(upright, aside) > 0.4))
    })
}

/// Up to four versions whose span is near, the nearest first.
fn versions(span: f32) -> Vec<Version> {
    let exact = (span - 10.0) / 4.0;
    let nearest = exact.round().clamp(1.0, 40.0);
    let step = if exact >= nearest { 1 } else { -1 };
    let reach: &[i32] = if nearest > 12.0 { &[0, 1, -1, 2, -2] } else { &[0, 1, -1, 2] };
    let mut found = Vec::new();
    for offset in reach {
        if let Ok(number) = u8::try_from(nearest as i32 + step * offset)
            && let Some(version) = Version::new(number)
        {
            found.push(version);
        }
    }
    found
}

impl Trial {
    fn new(patch: &Patch, version: Version, unit: f32, margin: f32) -> Self {
        let shape = Arrangement::of(version);
        let span = (version.side() - 7) as f32;
        let pilots = pilots(&shape);
        let place = |x: f32, y: f32| Point::new((x / span + margin) * unit, (y / span + margin) * unit);
        let corners = [place(0.0, 0.0), place(span, 0.0), place(span, span), place(0.0, span)];
        let mut trial = Self { shape, span, pilots, corners, score: 0.0, between: 0.0 };
        trial.score = trial.scored(patch, &corners);
        if let Some(aligned) = trial.aligned(patch) {
            let score = trial.scored(patch, &aligned);
            if score > trial.score {
                (trial.corners, trial.score) = (aligned, score);
            }
        }
        trial.between = trial.agreement_between(patch);
        trial
    }

    fn agreement_between(&self, patch: &Patch) -> f32 {
        let Some(map) = Homography::of_square(self.span, self.corners) else { return 0.0 };
        // Finder and separator reach 4.5 modules from the finder's centre.
        let near = |at: f32| at < 5.0 || at > self.span - 5.0;
        let far_corner = |pilot: &Pilot| pilot.x > 5.0 && pilot.y > 5.0;
        let (mut sum, mut count) = (0f32, 1e-6f32);
        for pilot in &self.pilots {
            if near(pilot.x) && near(pilot.y) && !far_corner(pilot) {
                continue;
            }
            sum += pilot.sign * patch.at(map.apply(pilot.x, pilot.y));
            count += 1.0;
        }
        sum / count
    }

    fn scored(&self, patch: &Patch, corners: &[Point; 4]) -> f32 {
        let Some(map) = Homography::of_square(self.span, *corners) else { return 0.0 };
        let sum: f32 =
            self.pilots.iter().map(|pilot| pilot.sign * patch.at(map.apply(pilot.x, pilot.y))).sum();
        sum / self.pilots.len().max(1) as f32
    }

    /// Finds the alignment patterns, the nearest to what is known first, fitting the map anew after each.
    fn aligned(&self, patch: &Patch) -> Option<[Point; 4]> {
        let mut pairs: Vec<(Point, Point)> = Vec::new();
        let corners = [(0.0, 0.0), (self.span, 0.0), (self.span, self.span), (0.0, self.span)];
        for (number, (x, y)) in corners.into_iter().enumerate() {
            if number != 2 {
                pairs.push((Point::new(x, y), self.corners[number]));
            }
        }
        let mut map = Homography::of_square(self.span, self.corners)?;
        let mut left: Vec<Point> = symbol::alignment_patterns(self.shape.version)
            .into_iter()
            .map(|(column, row)| Point::new(column as f32 - 3.0, row as f32 - 3.0))
            .collect();
        let mut found_any = false;
        while !left.is_empty() {
            let (mut next, mut distance) = (0, f32::INFINITY);
            for (number, pattern) in left.iter().enumerate() {
                let nearest =
                    pairs.iter().map(|(from, _)| (*from - *pattern).length()).fold(f32::INFINITY, f32::min);
                if nearest < distance {
                    (next, distance) = (number, nearest);
                }
            }
            let pattern = left.swap_remove(next);
            let reach = (0.8 + 0.07 * distance).min(3.5) * FINENESS;
            if let Some(place) = alignment(patch, &map, pattern, reach as i32) {
                pairs.push((pattern, place));
                if let Some(fitted) = Homography::fitted(&pairs, self.span) {
                    map = fitted;
                    found_any = true;
                }
            }
        }
        found_any.then(|| corners.map(|(x, y)| map.apply(x, y)))
    }

    /// Moves the four corners, one coordinate at a time, to where the pilots agree best. Steps in modules.
    fn climb(&mut self, patch: &Patch, steps: &[f32]) {
        for step in steps {
            let reach = step * FINENESS;
            for _ in 0..4 {
                let before = self.score;
                for part in 0..8 {
                    for direction in [reach, -reach] {
                        let mut moved = self.corners;
                        let corner = &mut moved[part / 2];
                        if part % 2 == 0 {
                            corner.x += direction;
                        } else {
                            corner.y += direction;
                        }
                        let score = self.scored(patch, &moved);
                        if score > self.score {
                            (self.corners, self.score) = (moved, score);
                            break;
                        }
                    }
                }
                if self.score - before < 0.003 {
                    break;
                }
            }
        }
    }
}

fn pilots(shape: &Arrangement) -> Vec<Pilot> {
    let side = shape.version.side();
    let all: Vec<Pilot> = shape
        .layout
        .iter()
        .enumerate()
        .filter_map(|(at, module)| {
            let sign = match module {
                Module::Dark => 1.0,
                Module::Light => -1.0,
                Module::Data | Module::Format => return None,
            };
            Some(Pilot { x: (at % side) as f32 - 3.0, y: (at / side) as f32 - 3.0, sign })
        })
        .collect();
    // An odd stride, so that the timing patterns are not thinned to one colour.
    let stride = (all.len().div_ceil(MOST_PILOTS)) | 1;
    if all.len() <= MOST_PILOTS { all } else { all.into_iter().step_by(stride).collect() }
}

/// The best place of an alignment pattern within `reach` samples of where the map puts it.
fn alignment(patch: &Patch, map: &Homography, pattern: Point, reach: i32) -> Option<Point> {
    let centre = map.apply(pattern.x, pattern.y);
    let mut offsets = [(0i32, 0i32, 0f32); 25];
    for (number, offset) in offsets.iter_mut().enumerate() {
        let (x, y) = ((number % 5) as f32 - 2.0, (number / 5) as f32 - 2.0);
        let to = map.apply(pattern.x + x, pattern.y + y) - centre;
        let ring = x.abs().max(y.abs());
        // 17 dark modules and 8 light ones, each colour weighing one.
        let weight = if ring == 1.0 { -1.0 / 8.0 } else { 1.0 / 17.0 };
        *offset = (to.x.round() as i32, to.y.round() as i32, weight);
    }
    let (left, top) = (centre.x.round() as i32, centre.y.round() as i32);
    let score = |dx: i32, dy: i32| -> f32 {
        offsets.iter().map(|&(x, y, weight)| weight * patch.nearest(left + dx + x, top + dy + y)).sum()
    };
    let (mut best, mut most) = ((0, 0), f32::NEG_INFINITY);
    for dy in -reach..=reach {
        for dx in -reach..=reach {
            let value = score(dx, dy);
            if value > most {
                (best, most) = ((dx, dy), value);
            }
        }
    }
    if most < 0.8 {
        return None;
    }
    // The top of the parabola through the neighbours.
    let top_of = |before: f32, after: f32| {
        let bend = before + after - 2.0 * most;
        if bend < -1e-3 { ((before - after) / (2.0 * bend)).clamp(-0.5, 0.5) } else { 0.0 }
    };
    let (dx, dy) = best;
    let x = dx as f32 + top_of(score(dx - 1, dy), score(dx + 1, dy));
    let y = dy as f32 + top_of(score(dx, dy - 1), score(dx, dy + 1));
    Some(Point::new(left as f32 + x, top as f32 + y))
}
