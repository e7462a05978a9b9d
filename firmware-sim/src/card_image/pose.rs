//! Where the card is: from millimetres on the card to pixels of the frame, and back.
//!
//! Card coordinates are millimetres from the card's centre, x to the right and y down. Pixel coordinates are
//! continuous: pixel (i, j) covers `i..i + 1` by `j..j + 1`.

/// A point, on the card or in the frame.
pub(super) type Point = [f32; 2];

/// Pinhole camera with one term of radial distortion, looking at a card that may be bent to a cylinder.
#[derive(Debug, Clone)]
pub(super) struct Pose {
    /// In pixels.
    pub(super) focal: f32,
    /// Frame size in pixels.
    pub(super) frame: [f32; 2],
    /// Pixels a millimetre at the anchor, were the card square to the camera.
    pub(super) scale: f32,
    /// This point of the card...
    pub(super) anchor: Point,
    /// ...is seen at this pixel (before distortion).
    pub(super) anchor_pixel: Point,
    /// Turn within the picture, radians.
    pub(super) roll: f32,
    /// Turn out of the picture, radians...
    pub(super) tilt: f32,
    /// ...about the axis in this direction, radians.
    pub(super) tilt_axis: f32,
    /// Curvature of the card, 1/mm, negative where its edges bend away...
    pub(super) curvature: f32,
    /// ...along this direction of the card, radians.
    pub(super) bend_axis: f32,
    /// Radial distortion at the frame's corner, as a share of the distance from the centre.
    pub(super) distortion: f32,
}

impl Pose {
    /// The pose with its trigonometry done.
    pub(super) fn prepare(&self) -> Projection {
        let (sin_r, cos_r) = self.roll.sin_cos();
        let (sin_t, cos_t) = self.tilt.sin_cos();
        let (ay, ax) = self.tilt_axis.sin_cos();
        // Rodrigues' rotation about (ax, ay, 0), after a roll about z.
        let tilt = [
            [cos_t + ax * ax * (1.0 - cos_t), ax * ay * (1.0 - cos_t), ay * sin_t],
            [ax * ay * (1.0 - cos_t), cos_t + ay * ay * (1.0 - cos_t), -ax * sin_t],
            [-ay * sin_t, ax * sin_t, cos_t],
        ];
        let rotation = tilt.map(|[a, b, c]| [a * cos_r + b * sin_r, b * cos_r - a * sin_r, c]);
        let distance = self.focal / self.scale;
        let centre = [self.frame[0] / 2.0, self.frame[1] / 2.0];
        let at = [
            (self.anchor_pixel[0] - centre[0]) / self.scale,
            (self.anchor_pixel[1] - centre[1]) / self.scale,
            distance,
        ];
        let mut projection = Projection {
            pose: self.clone(),
            rotation,
            centre,
            at,
            anchor: [0.0; 3],
            bend: [self.bend_axis.cos(), self.bend_axis.sin()],
            corner_squared: centre[0] * centre[0] + centre[1] * centre[1],
        };
        projection.anchor = projection.surface(self.anchor);
        projection
    }
}

/// See [`Pose::prepare`].
#[derive(Debug, Clone)]
pub(super) struct Projection {
    pose: Pose,
    rotation: [[f32; 3]; 3],
    centre: Point,
    at: [f32; 3],
    anchor: [f32; 3],
    bend: Point,
    corner_squared: f32,
}

/// Beyond this many radians of bend the sheet goes on straight, so that no point of the plane folds back.
const MOST_BEND: f32 = 0.6;

impl Projection {
    /// A point of the card in space, before it is turned.
    fn surface(&self, [x, y]: Point) -> [f32; 3] {
        if self.pose.curvature == 0.0 {
            return [x, y, 0.0];
        }
        let [bx, by] = self.bend;
        let along = x * bx + y * by;
        let across = y * bx - x * by;
        let angle = (along * self.pose.curvature).clamp(-MOST_BEND, MOST_BEND);
        let rest = along - angle / self.pose.curvature;
        let (sin, cos) = angle.sin_cos();
        let u = sin / self.pose.curvature + rest * cos;
        let z = (1.0 - cos) / self.pose.curvature + rest * sin;
        [u * bx - across * by, u * by + across * bx, z]
    }

    /// The pixel at which a point of the card is seen.
    pub(super) fn pixel(&self, point: Point) -> Point {
        let s = self.surface(point);
        let d = [s[0] - self.anchor[0], s[1] - self.anchor[1], s[2] - self.anchor[2]];
        let turned = self.rotation.map(|row| row[0] * d[0] + row[1] * d[1] + row[2] * d[2]);
        // Nothing the renderer asks for lies behind the lens; the floor keeps the search in `CardMap` finite.
        let z = (turned[2] + self.at[2]).max(self.at[2] * 0.1);
        let x = self.pose.focal * (turned[0] + self.at[0]) / z;
        let y = self.pose.focal * (turned[1] + self.at[1]) / z;
        let bulge = 1.0 + self.pose.distortion * ((x * x + y * y) / self.corner_squared).min(2.5);
        [x * bulge + self.centre[0], y * bulge + self.centre[1]]
    }
}

/// The way back, from pixels to millimetres: exact on a lattice of pixels, linear in between.
///
/// Over eight pixels the mapping departs from a straight line by about a hundredth of a pixel.
#[derive(Debug)]
pub(super) struct CardMap {
    columns: usize,
    nodes: Vec<Point>,
}

/// What a pixel above the horizon sees of the card's plane: a point far off the card.
const NOWHERE: Point = [1e4, 1e4];

/// Pixels between the nodes of a [`CardMap`].
const STEP: usize = 8;

impl CardMap {
    pub(super) fn new(projection: &Projection) -> Self {
        let [width, height] = projection.pose.frame.map(|edge| edge as usize);
        let (columns, rows) = (width / STEP + 2, height / STEP + 2);
        let mut nodes: Vec<Option<Point>> = Vec::with_capacity(columns * rows);
        for at in 0..columns * rows {
            let (column, row) = (at % columns, at / columns);
            let wanted = [(column * STEP) as f32, (row * STEP) as f32];
            let left = if column > 0 { nodes[at - 1] } else { None };
            let above = if row > 0 { nodes[at - columns] } else { None };
            // A neighbour is close by, the anchor is certainly on the card. Above a tilted card's horizon no
            // guess leads anywhere, and its failure must not be the next node's guess.
            let guesses = [left, above, Some(projection.pose.anchor)];
            nodes.push(guesses.into_iter().flatten().find_map(|guess| find(projection, wanted, guess)));
        }
        let nodes = nodes.into_iter().map(|node| node.unwrap_or(NOWHERE)).collect();
        Self { columns, nodes }
    }

    /// The point of the card's plane seen at `pixel`, which must lie inside the frame.
    pub(super) fn card(&self, [x, y]: Point) -> Point {
        let (u, v) = (x / STEP as f32, y / STEP as f32);
        let (column, row) = (u as usize, v as usize);
        let (u, v) = (u - column as f32, v - row as f32);
        let at = row * self.columns + column;
        let (a, b) = (self.nodes[at], self.nodes[at + 1]);
        let (c, d) = (self.nodes[at + self.columns], self.nodes[at + self.columns + 1]);
        let mix = |k: usize| {
            let top = a[k] + (b[k] - a[k]) * u;
            let bottom = c[k] + (d[k] - c[k]) * u;
            top + (bottom - top) * v
        };
        [mix(0), mix(1)]
    }
}

/// Newton's method from `point`; `None` where it does not arrive.
fn find(projection: &Projection, wanted: Point, mut point: Point) -> Option<Point> {
    for _ in 0..12 {
        let here = projection.pixel(point);
        let miss = [wanted[0] - here[0], wanted[1] - here[1]];
        if miss[0].abs() + miss[1].abs() < 0.02 {
            return Some(point);
        }
        let right = projection.pixel([point[0] + 0.25, point[1]]);
        let down = projection.pixel([point[0], point[1] + 0.25]);
        let [a, c] = [(right[0] - here[0]) * 4.0, (right[1] - here[1]) * 4.0];
        let [b, d] = [(down[0] - here[0]) * 4.0, (down[1] - here[1]) * 4.0];
        let determinant = a * d - b * c;
        if determinant.abs() < 1e-3 {
            return None;
        }
        let step = [(d * miss[0] - b * miss[1]) / determinant, (a * miss[1] - c * miss[0]) / determinant];
        // A long step over a bent sheet may leap across the fold: at most 40 mm at a time.
        let shorten = 40.0 / (step[0] * step[0] + step[1] * step[1]).sqrt().max(40.0);
        point = [point[0] + step[0] * shorten, point[1] + step[1] * shorten];
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pose() -> Pose {
        Pose {
            focal: 1200.0,
            frame: [1280.0, 720.0],
            scale: 9.0,
            anchor: [30.0, -15.0],
            anchor_pixel: [700.0, 300.0],
            roll: 0.7,
            tilt: 0.6,
            tilt_axis: 2.0,
            curvature: 1.0 / 150.0,
            bend_axis: 0.3,
            distortion: -0.05,
        }
    }

    #[test]
    fn a_square_on_card_has_the_scale_it_was_given() {
        let flat = Pose { tilt: 0.0, curvature: 0.0, distortion: 0.0, roll: 0.0, ..pose() }.prepare();
        let [a, b] = [flat.pixel([30.0, -15.0]), flat.pixel([31.0, -13.0])];
        assert!((a[0] - 700.0).abs() < 0.01 && (a[1] - 300.0).abs() < 0.01, "{a:?}");
        assert!((b[0] - a[0] - 9.0).abs() < 0.01 && (b[1] - a[1] - 18.0).abs() < 0.01, "{b:?}");
    }

    #[test]
    fn the_way_back_undoes_the_way_there() {
        // The steepest tilt and the tightest bend of any level, in every direction; only what faces the camera
        // can be found again.
        for turn in 0..8 {
            let angle = turn as f32 * 0.8;
            for radius in [110.0, -110.0, 1e6] {
                let pose = Pose {
                    tilt: 0.7,
                    tilt_axis: angle,
                    bend_axis: angle * 1.7,
                    curvature: 1.0 / radius,
                    ..pose()
                };
                let there = pose.prepare();
                let back = CardMap::new(&there);
                // The surroundings of the code, which is what a decoder is asked to read.
                for x in 0..=5 {
                    for y in 0..=5 {
                        let point = [x as f32 * 3.5 + 22.0, y as f32 * 3.5 - 24.0];
                        let pixel = there.pixel(point);
                        let again = there.pixel(back.card(pixel));
                        let miss = (again[0] - pixel[0]).hypot(again[1] - pixel[1]);
                        assert!(miss < 0.1, "turn {turn}, radius {radius}: {point:?} misses by {miss} px");
                    }
                }
            }
        }
    }
}
