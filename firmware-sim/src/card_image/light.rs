//! What falls on the card and what stands before it: the lamp, shadows, glare, a finger; and the desk beneath.

use super::{pose::Point, print::Colour, random::Random};

/// Light of the scene, in pixel coordinates.
#[derive(Debug)]
pub(super) struct Light {
    level: f32,
    slope: Point,
    shadow: Option<Shadow>,
    /// Spots of reflected light.
    pub(super) spots: Vec<Spot>,
}

#[derive(Debug)]
struct Shadow {
    through: Point,
    across: Point,
    softness: f32,
    depth: f32,
}

/// A lamp mirrored in the laminate, with a bell-shaped edge.
#[derive(Debug)]
pub(super) struct Spot {
    centre: Point,
    axes: [Point; 2],
    strength: f32,
    /// Farther away than this it adds nothing.
    pub(super) reach: f32,
}

impl Light {
    /// Light that is `level` at the code, with what else the conditions ask for. `code_radius` is in pixels.
    pub(super) fn draw(
        random: &mut Random,
        (level, shadow, glare): (f32, bool, bool),
        frame: [f32; 2],
        (code, code_radius): (Point, f32),
    ) -> Self {
        let angle = random.range(0.0, std::f32::consts::TAU);
        let fall = random.range(0.0, 0.45) / frame[0];
        let slope = [angle.cos() * fall, angle.sin() * fall];
        // The slope is counted from the code, so that the exposure is the code's.
        let level = level / (1.0 + slope[0] * code[0] + slope[1] * code[1]).max(0.3);
        let shadow = shadow.then(|| {
            let angle = random.range(0.0, std::f32::consts::TAU);
            let off = random.range(-1.2, 1.2) * code_radius;
            Shadow {
                through: [code[0] + angle.cos() * off, code[1] + angle.sin() * off],
                across: [angle.cos(), angle.sin()],
                softness: random.range(0.03, 0.8) * code_radius,
                depth: random.range(0.25, 0.65),
            }
        });
        let mut spots = Vec::new();
        if glare {
            for _ in 0..1 + random.below(2) {
                let (angle, turn) = (random.range(0.0, std::f32::consts::TAU), random.range(0.0, 3.2));
                let off = random.range(0.25, 1.6) * code_radius;
                let (wide, narrow) =
                    (random.range(0.15, 0.6) * code_radius, random.range(0.08, 0.35) * code_radius);
                spots.push(Spot {
                    centre: [code[0] + angle.cos() * off, code[1] + angle.sin() * off],
                    axes: [
                        [turn.cos() / wide, turn.sin() / wide],
                        [-turn.sin() / narrow, turn.cos() / narrow],
                    ],
                    strength: random.range(0.3, 2.0),
                    reach: wide.max(narrow) * 3.2,
                });
            }
        }
        Self { level, slope, shadow, spots }
    }

    /// How much light falls at a pixel.
    pub(super) fn at(&self, [x, y]: Point) -> f32 {
        let mut light = self.level * (1.0 + self.slope[0] * x + self.slope[1] * y);
        if let Some(shadow) = &self.shadow {
            let depth =
                (x - shadow.through[0]) * shadow.across[0] + (y - shadow.through[1]) * shadow.across[1];
            let t = (depth / shadow.softness * 0.5 + 0.5).clamp(0.0, 1.0);
            light *= 1.0 - shadow.depth * t * t * (3.0 - 2.0 * t);
        }
        light.max(0.02)
    }
}

impl Spot {
    /// Light the spot adds at a pixel.
    pub(super) fn at(&self, [x, y]: Point) -> f32 {
        let d = [x - self.centre[0], y - self.centre[1]];
        let [u, v] = self.axes.map(|axis| d[0] * axis[0] + d[1] * axis[1]);
        self.strength * (-0.5 * (u * u + v * v)).exp()
    }

    /// Left, top, right, bottom of what it touches.
    pub(super) fn bounds(&self) -> [f32; 4] {
        let [x, y] = self.centre;
        [x - self.reach, y - self.reach, x + self.reach, y + self.reach]
    }
}

/// A finger: a capsule in pixel coordinates.
#[derive(Debug, Clone, Copy)]
pub(super) struct Finger {
    pub(super) tip: Point,
    pub(super) root: Point,
    pub(super) radius: f32,
    pub(super) skin: Colour,
}

impl Finger {
    /// What the finger reflects at a pixel, where it covers it.
    pub(super) fn colour(&self, [x, y]: Point) -> Option<Colour> {
        let along = [self.root[0] - self.tip[0], self.root[1] - self.tip[1]];
        let from = [x - self.tip[0], y - self.tip[1]];
        let length_squared = along[0] * along[0] + along[1] * along[1];
        let t = ((from[0] * along[0] + from[1] * along[1]) / length_squared).clamp(0.0, 1.0);
        let off = (from[0] - along[0] * t).hypot(from[1] - along[1] * t) / self.radius;
        if off >= 1.0 {
            return None;
        }
        let round = 0.35 + 0.65 * (1.0 - off * off).sqrt();
        Some(self.skin.map(|value| value * round))
    }
}

/// What the card lies on or is held before.
#[derive(Debug)]
pub(super) struct Desk {
    base: Colour,
    grain: f32,
    stretch: Point,
    seed: u32,
    /// Boxes with a colour each: papers, a keyboard's edge, a sleeve.
    things: Vec<([Point; 2], Point, Colour, f32)>,
}

impl Desk {
    pub(super) fn draw(random: &mut Random, frame: [f32; 2]) -> Self {
        let bright = random.range(0.04, 0.75);
        let base = [bright * random.range(0.8, 1.2), bright, bright * random.range(0.6, 1.1)];
        let wood = random.chance(0.5);
        let long = random.range(40.0, 160.0);
        let short = if wood { random.range(3.0, 14.0) } else { long };
        let mut things = Vec::new();
        for _ in 0..random.below(6) {
            let angle = random.range(0.0, std::f32::consts::TAU);
            let size = [random.range(0.03, 0.3) * frame[0], random.range(0.03, 0.3) * frame[0]];
            let axes = [
                [angle.cos() / size[0], angle.sin() / size[0]],
                [-angle.sin() / size[1], angle.cos() / size[1]],
            ];
            let bright = random.range(0.02, 0.85);
            let lines = if random.chance(0.4) { random.range(6.0, 30.0) } else { 0.0 };
            let centre = [random.range(0.0, frame[0]), random.range(0.0, frame[1])];
            let colour = [bright, bright * random.range(0.8, 1.1), bright * random.range(0.7, 1.2)];
            things.push((axes, centre, colour, lines));
        }
        Self {
            base,
            grain: random.range(0.03, 0.35),
            stretch: [1.0 / long, 1.0 / short],
            seed: random.below(1 << 30) as u32,
            things,
        }
    }

    /// What it reflects at a pixel.
    pub(super) fn colour(&self, [x, y]: Point) -> Colour {
        for (axes, centre, colour, lines) in &self.things {
            let d = [x - centre[0], y - centre[1]];
            let [u, v] = axes.map(|axis| d[0] * axis[0] + d[1] * axis[1]);
            if u.abs() < 1.0 && v.abs() < 1.0 {
                let row = (v + 1.0) * lines;
                let inked = row - (row as i32 as f32) < 0.4
                    && *lines > 0.0
                    && u.abs() < 0.85
                    && self.lattice((u * 60.0) as i32, row as i32) > 0.35;
                return if inked { colour.map(|value| value * 0.2) } else { *colour };
            }
        }
        let (u, v) = (x * self.stretch[0], y * self.stretch[1]);
        let (left, top) = (u as i32, v as i32);
        let (fu, fv) = (u - left as f32, v - top as f32);
        let upper = self.lattice(left, top) * (1.0 - fu) + self.lattice(left + 1, top) * fu;
        let lower = self.lattice(left, top + 1) * (1.0 - fu) + self.lattice(left + 1, top + 1) * fu;
        let shade = 1.0 + self.grain * (upper * (1.0 - fv) + lower * fv - 0.5) * 2.0;
        self.base.map(|value| value * shade)
    }

    fn lattice(&self, x: i32, y: i32) -> f32 {
        let mut hash =
            (x as u32).wrapping_mul(0x9E37_79B1) ^ (y as u32).wrapping_mul(0x85EB_CA77) ^ self.seed;
        hash = (hash ^ (hash >> 15)).wrapping_mul(0x2C1B_3C6D);
        hash = (hash ^ (hash >> 12)).wrapping_mul(0x297A_2D39);
        (hash >> 16) as f32 / 65_536.0
    }
}
