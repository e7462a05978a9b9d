//! A sheet of ink: what is cheaper to draw once than to work out for every ray.

use super::{
    pose::Point,
    print::{Colour, SHEET_MM, sheet_dots},
    random::Random,
};

/// Resolution of a sheet: a tenth of a millimetre is finer than any stroke on it.
pub(super) const DOTS_PER_MM: f32 = 10.0;

/// Colour and cover (0 none, 255 full) of every dot of a card-sized sheet.
#[derive(Debug)]
pub(super) struct Ink {
    columns: usize,
    rows: usize,
    dots: Vec<[u8; 4]>,
}

const BLACK: Colour = [0.05, 0.05, 0.06];

impl Ink {
    /// A sheet with no ink on it.
    pub(super) fn new() -> Self {
        let [columns, rows] = sheet_dots();
        Self { columns, rows, dots: vec![[0; 4]; columns * rows] }
    }

    /// `below` as it looks through this sheet.
    pub(super) fn over(&self, point: Point, below: Colour) -> Colour {
        let x = (point[0] + SHEET_MM[0] / 2.0) * DOTS_PER_MM;
        let y = (point[1] + SHEET_MM[1] / 2.0) * DOTS_PER_MM;
        if x < 0.0 || y < 0.0 {
            return below;
        }
        let (column, row) = (x as usize, y as usize);
        if column >= self.columns || row >= self.rows {
            return below;
        }
        let [red, green, blue, cover] = self.dots[row * self.columns + column];
        if cover == 0 {
            return below;
        }
        let cover = f32::from(cover) / 255.0;
        let ink = [red, green, blue].map(|value| f32::from(value) / 255.0);
        [0, 1, 2].map(|k| below[k] + (ink[k] - below[k]) * cover)
    }

    fn dot(&mut self, x: f32, y: f32, colour: Colour, cover: f32) {
        let (x, y) = ((x + SHEET_MM[0] / 2.0) * DOTS_PER_MM, (y + SHEET_MM[1] / 2.0) * DOTS_PER_MM);
        if x < 0.0 || y < 0.0 || x as usize >= self.columns || y as usize >= self.rows {
            return;
        }
        let [red, green, blue] = colour.map(|value| (value * 255.0) as u8);
        self.dots[y as usize * self.columns + x as usize] = [red, green, blue, (cover * 255.0) as u8];
    }

    /// A filled rectangle: left, top, right, bottom in millimetres.
    pub(super) fn rectangle(&mut self, [left, top, right, bottom]: [f32; 4], colour: Colour) {
        let dots = |edge: f32| (edge * DOTS_PER_MM).ceil() as usize;
        let (columns, rows) = (dots(right - left), dots(bottom - top));
        for row in 0..rows {
            for column in 0..columns {
                let (x, y) = (left + column as f32 / DOTS_PER_MM, top + row as f32 / DOTS_PER_MM);
                self.dot(x + 0.05, y + 0.05, colour, 1.0);
            }
        }
    }

    fn ellipse(&mut self, [cx, cy]: Point, [rx, ry]: Point, colour: Colour) {
        let steps = |radius: f32| (radius * 2.0 * DOTS_PER_MM) as usize;
        for row in 0..=steps(ry) {
            for column in 0..=steps(rx) {
                let (x, y) = (column as f32 / DOTS_PER_MM - rx, row as f32 / DOTS_PER_MM - ry);
                if (x / rx).powi(2) + (y / ry).powi(2) < 1.0 {
                    self.dot(cx + x, cy + y, colour, 1.0);
                }
            }
        }
    }

    /// A line of the given width.
    pub(super) fn stroke(&mut self, from: Point, to: Point, width: f32, colour: Colour, cover: f32) {
        let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
        let length = dx.hypot(dy).max(0.01);
        let along = (length * DOTS_PER_MM * 1.5) as usize + 1;
        let across = (width * DOTS_PER_MM * 1.5) as usize + 1;
        for step in 0..=along {
            let t = step as f32 / along as f32;
            for side in 0..across {
                let off = ((side as f32 + 0.5) / across as f32 - 0.5) * width / length;
                self.dot(from[0] + dx * t - dy * off, from[1] + dy * t + dx * off, colour, cover);
            }
        }
    }

    /// A line of text-like strokes from `left` to about `right`, on the baseline `y`.
    pub(super) fn text(
        &mut self,
        random: &mut Random,
        [left, right]: [f32; 2],
        y: f32,
        height: f32,
        colour: Colour,
    ) {
        let mut x = left;
        while x < right {
            for _ in 0..2 + random.below(6) {
                if x > right {
                    break;
                }
                for _ in 0..2 + random.below(3) {
                    let corner = |random: &mut Random| {
                        let column = random.below(3) as f32 * 0.28;
                        let row = random.below(3) as f32 * 0.5;
                        [x + column * height, y - row * height]
                    };
                    let (from, to) = (corner(random), corner(random));
                    self.stroke(from, to, height * 0.14, colour, 0.95);
                }
                x += height * 0.75;
            }
            x += height * 0.6;
        }
    }

    /// Header, fields, portrait or chip and MRZ, all outside `keep_free`.
    pub(super) fn card_face(&mut self, random: &mut Random, keep_free: [f32; 4]) {
        let front = random.chance(0.5);
        let dark = BLACK.map(|value| value + 0.06);
        let red = [0.55, 0.08, 0.07];
        self.text(random, [-18.0, 30.0], -22.0, 1.8, dark);
        self.text(random, [-12.0, 24.0], -17.5, 2.6, red);
        if front {
            self.portrait(random, [-39.0, -10.0, -17.0, 19.0]);
            for row in 0..7 {
                let y = -10.0 + row as f32 * 5.2;
                self.text(random, [-13.0, -2.0], y, 1.3, red);
                let end = random.range(12.0, 38.0);
                self.text(random, [0.0, end], y, 1.9, dark);
            }
        } else {
            self.rectangle([-36.0, -8.0, -22.0, 4.0], [0.62, 0.47, 0.20]);
            for groove in 0..4 {
                let y = -6.0 + groove as f32 * 3.0;
                self.stroke([-36.0, y], [-22.0, y], 0.3, [0.25, 0.18, 0.08], 0.9);
            }
            for row in 0..3 {
                let y = -10.0 + row as f32 * 4.5;
                let end = random.range(-2.0, 12.0);
                self.text(random, [-18.0, end], y, 1.8, dark);
            }
            for row in 0..3 {
                self.text(random, [-39.0, 39.0], 13.0 + row as f32 * 4.6, 2.4, BLACK);
            }
        }
        self.erase(keep_free);
    }

    /// A grey bust before a pale wall.
    fn portrait(&mut self, random: &mut Random, [left, top, right, bottom]: [f32; 4]) {
        let wall = [0.55, 0.62, 0.70];
        self.rectangle([left, top, right, bottom], wall);
        let middle = (left + right) / 2.0;
        let skin = random.range(0.7, 1.2);
        self.rectangle([left + 2.5, bottom - 7.0, right - 2.5, bottom], [0.2, 0.22, 0.3]);
        self.ellipse([middle, top + 11.0], [6.6, 8.4], [0.04, 0.035, 0.03]);
        self.ellipse([middle, top + 13.0], [5.4, 7.2], [0.48 * skin, 0.31 * skin, 0.23 * skin]);
        for eye in [-2.2, 2.2] {
            self.ellipse([middle + eye, top + 12.0], [0.9, 0.45], [0.08, 0.06, 0.05]);
        }
        self.stroke([middle - 1.8, top + 17.0], [middle + 1.8, top + 17.0], 0.6, [0.35, 0.14, 0.12], 0.9);
    }

    fn erase(&mut self, [left, top, right, bottom]: [f32; 4]) {
        let [width, height] = SHEET_MM;
        for (at, dot) in self.dots.iter_mut().enumerate() {
            let x = (at % self.columns) as f32 / DOTS_PER_MM - width / 2.0;
            let y = (at / self.columns) as f32 / DOTS_PER_MM - height / 2.0;
            if (left..right).contains(&x) && (top..bottom).contains(&y) {
                *dot = [0; 4];
            }
        }
    }

    /// A few long fine scratches, light or dark.
    pub(super) fn scratches(&mut self, random: &mut Random) {
        for _ in 0..1 + random.below(7) {
            let from = [random.range(-42.0, 42.0), random.range(-26.0, 26.0)];
            let angle = random.range(0.0, std::f32::consts::TAU);
            let length = random.range(5.0, 40.0);
            let to = [from[0] + angle.cos() * length, from[1] + angle.sin() * length];
            let shade = if random.chance(0.6) { [0.9; 3] } else { [0.25; 3] };
            let cover = random.range(0.3, 0.9);
            self.stroke(from, to, random.range(0.05, 0.18), shade, cover);
        }
    }
}
