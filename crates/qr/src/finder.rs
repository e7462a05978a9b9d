//! Finder patterns: the 1:1:3:1:1 squares at three corners of a symbol (ISO/IEC 18004, 6.3.3).
//!
//! Rows are followed edge by edge; what has the proportions along a row must have them in other directions
//! too, and is kept only if the pattern, drawn in its own slanted frame, agrees with the picture.

#![expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "rows below the picture's height, runs of six neighbouring edges, cells of a grid laid over it"
)]

use crate::budget::Meter;
use crate::edges::{self, Edge, SCALE};
use crate::homography::Point;
use crate::image::View;

/// Finders kept of one polarity; a page full of codes has more, a card has three.
const MOST_FINDERS: usize = 40;
/// The least agreement of the drawn pattern, -1 to 1.
const LEAST_AGREEMENT: f32 = 0.45;
/// Directions in which a finder's size is taken.
const DIRECTIONS: usize = 18;
/// Places of the right proportions that are kept while the rows are searched: the clearest of them all.
const MOST_SPOTS: usize = 2048;
/// Cells of this many pixels remember how often a spot was looked at in vain.
const CELL: usize = 4;

/// Which of the two is the pattern's "dark".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Polarity {
    /// Dark modules on light ground.
    Normal,
    /// Light modules on dark ground: a screen in dark mode.
    Inverted,
}

impl Polarity {
    /// The factor that makes dark modules the lower values.
    pub(crate) fn sign(self) -> f32 {
        match self {
            Self::Normal => 1.0,
            Self::Inverted => -1.0,
        }
    }
}

/// A finder pattern: its centre and the two vectors one module along its sides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Finder {
    pub(crate) centre: Point,
    pub(crate) along: Point,
    pub(crate) across: Point,
    /// Agreement of the drawn pattern, up to 1.
    pub(crate) agreement: f32,
    pub(crate) polarity: Polarity,
}

impl Finder {
    /// `offset` in the finder's own modules; `None` if its frame has collapsed.
    pub(crate) fn in_modules(&self, offset: Point) -> Option<Point> {
        let area = self.along.cross(self.across);
        if area.abs() < 0.2 {
            return None;
        }
        Some(Point::new(offset.cross(self.across) / area, self.along.cross(offset) / area))
    }

    /// The side of a square module of the same area, in pixels.
    pub(crate) fn module(&self) -> f32 {
        self.along.cross(self.across).abs().sqrt()
    }

    fn at(&self, x: f32, y: f32) -> Point {
        self.centre + self.along * x + self.across * y
    }
}

/// Rows searched, every `every`-th from `first`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows {
    pub(crate) first: usize,
    pub(crate) every: usize,
}

/// What looking at places that turn out to be no finder may cost before a search of rows ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Patience {
    /// Enough for all but the faintest finders.
    Short,
    /// For a search that may take its time.
    Long,
}

impl Patience {
    /// Steps, as a budget counts them.
    fn steps(self, view: View<'_>) -> u32 {
        let steps = 600 + view.width * view.height / 600;
        match self {
            Self::Short => steps as u32,
            Self::Long => 4 * steps as u32,
        }
    }
}

/// Six edges of a row that have the proportions of a finder.
struct Spot {
    centre: Point,
    unit: f32,
    polarity: Polarity,
    /// The swing at the middle of the pattern, as a share of the light.
    contrast: f32,
}

/// What came of looking at a spot.
#[derive(PartialEq, Eq)]
enum Look {
    Found,
    Vain,
    /// There was no need to look.
    Saved,
}

/// The state of a search for finders, which may go over the picture more than once with other rows.
pub(crate) struct Search<'a> {
    view: View<'a>,
    found: Vec<Finder>,
    vain: Vec<u8>,
    cells: usize,
    line: Vec<i16>,
    edges: Vec<Edge>,
    spots: Vec<Spot>,
}

impl<'a> Search<'a> {
    pub(crate) fn new(view: View<'a>) -> Self {
        let cells = view.width / CELL + 1;
        Self {
            view,
            found: Vec::new(),
            vain: vec![0; cells * (view.height / CELL + 1)],
            cells,
            line: Vec::with_capacity(view.width),
            edges: Vec::new(),
            spots: Vec::new(),
        }
    }

    /// The finders found so far, the best first.
    pub(crate) fn found(&self) -> Vec<Finder> {
        let mut found = self.found.clone();
        found.sort_by(|a, b| b.agreement.total_cmp(&a.agreement));
        found
    }

    /// Searches `rows`, then looks more closely at what it saw there, the clearest first, until `patience` ends. Ends early, with what there is, when the budget does.
    ///
    /// Card stock is full of fine lines with all proportions there are; the code is printed much darker.
    pub(crate) fn rows(&mut self, rows: Rows, patience: Patience, meter: &mut Meter) {
        let per_row = (self.view.width / 512 + 1) as u32;
        let mut found_edges = std::mem::take(&mut self.edges);
        for row in (rows.first.max(1)..self.view.height - 1).step_by(rows.every) {
            if !meter.spend(per_row) {
                break;
            }
            self.smooth(row);
            edges::find(&self.line, &mut found_edges);
            for run in found_edges.windows(6) {
                let Some((centre, unit)) = proportions(run, 0.62) else { continue };
                let polarity = if run[0].rising { Polarity::Inverted } else { Polarity::Normal };
                let contrast = |edge: &Edge| f32::from(edge.swing) / (f32::from(edge.light) + 400.0);
                self.spots.push(Spot {
                    centre: Point::new(centre, row as f32),
                    unit,
                    polarity,
                    contrast: contrast(&run[2]).min(contrast(&run[3])),
                });
            }
            if self.spots.len() > 2 * MOST_SPOTS {
                self.clearest_spots_first();
            }
        }
        self.edges = found_edges;
        self.clearest_spots_first();
        let mut left = patience.steps(self.view);
        for spot in std::mem::take(&mut self.spots) {
            if left == 0 || !meter.has_left() {
                return;
            }
            let before = meter.left();
            if self.consider(&spot, meter) == Look::Vain {
                left = left.saturating_sub(before - meter.left());
            }
        }
    }

    fn clearest_spots_first(&mut self) {
        self.spots.sort_by(|a, b| b.contrast.total_cmp(&a.contrast));
        self.spots.truncate(MOST_SPOTS);
    }

    /// The row, smoothed 1-2-1 with its neighbours: noise goes, edges along the row stay.
    fn smooth(&mut self, row: usize) {
        let (above, here, below) = (self.view.row(row - 1), self.view.row(row), self.view.row(row + 1));
        self.line.clear();
        self.line.extend(
            above
                .iter()
                .zip(here)
                .zip(below)
                .map(|((&a, &b), &c)| i16::from(a) + 2 * i16::from(b) + i16::from(c)),
        );
    }

    fn consider(&mut self, spot: &Spot, meter: &mut Meter) -> Look {
        let Spot { centre, unit, polarity, .. } = *spot;
        let cell = (centre.y as usize / CELL) * self.cells + centre.x as usize / CELL;
        if self.vain[cell] >= 2 {
            return Look::Saved;
        }
        let known = |finder: &Finder| {
            finder.polarity == polarity && (finder.centre - centre).length() < 2.0 * finder.module().max(unit)
        };
        if self.found.iter().any(known) || !meter.spend(2) {
            return Look::Saved;
        }
        match confirm(self.view, centre, unit, polarity, meter) {
            Some(finder) => {
                self.keep(finder);
                Look::Found
            }
            None => {
                self.vain[cell] += 1;
                Look::Vain
            }
        }
    }

    fn keep(&mut self, finder: Finder) {
        let near = |other: &Finder| {
            other.polarity == finder.polarity
                && (other.centre - finder.centre).length() < 2.5 * other.module().max(finder.module())
        };
        if let Some(other) = self.found.iter_mut().find(|other| near(other)) {
            if other.agreement < finder.agreement {
                *other = finder;
            }
            return;
        }
        let same = self.found.iter().filter(|other| other.polarity == finder.polarity).count();
        if same < MOST_FINDERS {
            self.found.push(finder);
            return;
        }
        let worst = self
            .found
            .iter_mut()
            .filter(|other| other.polarity == finder.polarity)
            .min_by(|a, b| a.agreement.total_cmp(&b.agreement));
        if let Some(worst) = worst
            && worst.agreement < finder.agreement
        {
            *worst = finder;
        }
    }
}

/// Centre and module size if six edges stand 1:1:3:1:1 apart. Sums of a dark and a light run hold better
/// than single runs: blur and ink move both edges of a run.
fn proportions(run: &[Edge], slack: f32) -> Option<(f32, f32)> {
    let width = |from: usize, to: usize| run[to].at - run[from].at;
    let total = width(0, 5);
    let unit = total / 7.0;
    if unit < 1.1 {
        return None;
    }
    let near = |from, to, modules: f32, slack: f32| (width(from, to) - modules * unit).abs() < slack * unit;
    let fits = near(2, 3, 3.0, 2.0 * slack)
        && near(0, 2, 2.0, 1.3 * slack)
        && near(3, 5, 2.0, 1.3 * slack)
        && near(0, 1, 1.0, slack * 1.2)
        && near(1, 2, 1.0, slack * 1.2)
        && near(3, 4, 1.0, slack * 1.2)
        && near(4, 5, 1.0, slack * 1.2);
    fits.then(|| ((run[2].at + run[3].at) / 2.0, unit))
}

/// The pattern along one direction through a point: how far its middle is from there, and its module size.
struct Crossing {
    shift: f32,
    unit: f32,
}

fn cross(
    view: View<'_>,
    through: Point,
    direction: Point,
    unit: f32,
    polarity: Polarity,
    scratch: &mut (Vec<i16>, Vec<Edge>),
) -> Option<Crossing> {
    let step = (unit * 0.3).max(0.5);
    let reach = (6.5 * unit / step).ceil() as i32;
    let (line, found) = scratch;
    let factor = if polarity == Polarity::Inverted { -i32::from(SCALE) } else { i32::from(SCALE) };
    let from = through - direction * (reach as f32 * step);
    line.resize(2 * reach as usize + 1, 0);
    view.fill(from, direction * step, factor, line);
    edges::find(line, found);
    let middle = reach as f32;
    let at = found.windows(6).find(|run| {
        !run[0].rising && run[2].at <= middle + 1.5 && run[3].at >= middle - 1.5 && proportions_loose(run)
    })?;
    let unit = (at[5].at - at[0].at) / 7.0 * step;
    let centre = (at[1].at + at[2].at + at[3].at + at[4].at) / 4.0;
    Some(Crossing { shift: (centre - middle) * step, unit })
}

fn proportions_loose(run: &[Edge]) -> bool {
    let total = run[5].at - run[0].at;
    let middle = (run[3].at - run[2].at) / total;
    let (left, right) = ((run[2].at - run[0].at) / total, (run[5].at - run[3].at) / total);
    (0.26..0.62).contains(&middle) && (0.15..0.45).contains(&left) && (0.15..0.45).contains(&right)
}

fn confirm(view: View<'_>, spot: Point, unit: f32, polarity: Polarity, meter: &mut Meter) -> Option<Finder> {
    let mut scratch = (Vec::with_capacity(64), Vec::with_capacity(16));
    let (right, down) = (Point::new(1.0, 0.0), Point::new(0.0, 1.0));
    let vertical = cross(view, spot, down, unit, polarity, &mut scratch)?;
    let mut centre = spot + down * vertical.shift;
    let unit = (unit + vertical.unit) / 2.0;
    if !meter.spend(2) {
        return None;
    }
    let horizontal = cross(view, centre, right, unit, polarity, &mut scratch)?;
    centre = centre + right * horizontal.shift;

    let mut radii = [None; DIRECTIONS];
    let mut missing = 0;
    for done in 0..DIRECTIONS {
        // Seven and eighteen have no common divisor: all directions in turn, the first few far apart.
        let number = done * 7 % DIRECTIONS;
        let angle = number as f32 * std::f32::consts::PI / DIRECTIONS as f32;
        let direction = Point::new(angle.cos(), angle.sin());
        match cross(view, centre, direction, unit, polarity, &mut scratch) {
            Some(crossing) => radii[number] = Some((direction, crossing.unit)),
            None => missing += 1,
        }
        if missing > 3 + done / 3 || !meter.spend(2) {
            return None;
        }
    }
    let (along, across) = frame(&radii)?;
    let mut finder = Finder { centre, along, across, agreement: 0.0, polarity };
    finder.agreement = agreement(view, &finder);
    if finder.agreement < LEAST_AGREEMENT - 0.15 || !meter.spend(40) {
        return None;
    }
    settle(view, &mut finder);
    (finder.agreement >= LEAST_AGREEMENT && plausible(&finder)).then_some(finder)
}

/// Whether a square could look like that: a tilt of 55 degrees foreshortens to 0.57, and slants no angle
/// beyond 60 degrees.
fn plausible(finder: &Finder) -> bool {
    let (long, short) = (finder.along.length(), finder.across.length());
    let slant = (finder.along.x * finder.across.x + finder.along.y * finder.across.y).abs();
    finder.module() > 0.9 && long < 1.9 * short && short < 1.9 * long && slant < 0.5 * long * short
}

/// The slanted square whose size in each direction comes nearest to what was measured: two of the
/// directions are its axes.
fn frame(radii: &[Option<(Point, f32)>; DIRECTIONS]) -> Option<(Point, Point)> {
    let mut best = None;
    let mut least = f32::INFINITY;
    for first in 0..DIRECTIONS {
        for second in first + 5..(first + 14).min(DIRECTIONS) {
            let (Some((d1, r1)), Some((d2, r2))) = (radii[first], radii[second]) else { continue };
            let (along, across) = (d1 * r1, d2 * r2);
            let area = along.cross(across);
            if area.abs() < 0.5 {
                continue;
            }
            let mut misfit = 0.0;
            for &(direction, radius) in radii.iter().flatten() {
                let (a, b) = (direction.cross(across) / area, along.cross(direction) / area);
                let expected = 1.0 / a.abs().max(b.abs()).max(1e-3);
                misfit += (radius / expected - 1.0).abs().min(0.5);
            }
            if misfit < least {
                least = misfit;
                best = Some((along, across));
            }
        }
    }
    best
}

/// Correlation of the pattern, with its separator and quiet zone, with the picture.
fn agreement(view: View<'_>, finder: &Finder) -> f32 {
    const CELLS: usize = 81;
    const DARK: usize = 33;
    let (mut sum, mut squares, mut dark) = (0i32, 0i32, 0i32);
    let mut line = [0i16; 9];
    for y in -4i32..=4 {
        view.fill(finder.at(-4.0, y as f32), finder.along, 1, &mut line);
        for (x, &value) in (-4i32..=4).zip(&line) {
            let value = i32::from(value);
            let ring = x.abs().max(y.abs());
            sum += value;
            squares += value * value;
            if ring == 3 || ring <= 1 {
                dark += value;
            }
        }
    }
    let (sum, squares, dark) = (sum as f32, squares as f32, dark as f32);
    let cells = CELLS as f32;
    let share = DARK as f32 / cells;
    let covariance = dark - share * sum;
    let variance = (squares - sum * sum / cells).max(1.0) * (share * (1.0 - share) * cells);
    -finder.polarity.sign() * covariance / variance.sqrt()
}

/// Moves centre and axes to where the pattern agrees best.
fn settle(view: View<'_>, finder: &mut Finder) {
    let module = finder.module();
    for step in [0.3, 0.12] {
        let (shift, stretch) = (step * module, step * module / 3.0);
        for _ in 0..2 {
            let before = finder.agreement;
            for part in 0..6 {
                for direction in [1.0, -1.0] {
                    let mut moved = *finder;
                    match part {
                        0 => moved.centre.x += direction * shift,
                        1 => moved.centre.y += direction * shift,
                        2 => moved.along.x += direction * stretch,
                        3 => moved.along.y += direction * stretch,
                        4 => moved.across.x += direction * stretch,
                        _ => moved.across.y += direction * stretch,
                    }
                    moved.agreement = agreement(view, &moved);
                    if moved.agreement > finder.agreement {
                        *finder = moved;
                        break;
                    }
                }
            }
            // What is far off after the first round has never come right in a later one.
            if finder.agreement < LEAST_AGREEMENT - 0.05 {
                return;
            }
            if finder.agreement - before < 0.004 {
                break;
            }
        }
    }
}

/// The best agreement of a finder like `like` near `expected`, within `reach` modules: for the fallback
/// that knows where the third one should be.
pub(crate) fn near(view: View<'_>, like: &Finder, expected: Point, reach: f32) -> Finder {
    let mut best = Finder { centre: expected, agreement: -1.0, ..*like };
    let steps = (reach / 0.7) as i32;
    for y in -steps..=steps {
        for x in -steps..=steps {
            let mut moved = *like;
            moved.centre = expected + like.along * (x as f32 * 0.7) + like.across * (y as f32 * 0.7);
            moved.agreement = agreement(view, &moved);
            if moved.agreement > best.agreement {
                best = moved;
            }
        }
    }
    if best.agreement > 0.25 {
        settle(view, &mut best);
    }
    best
}
