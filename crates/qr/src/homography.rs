//! The plane under perspective: points, the projective map, and its fit to corresponding points.

#![expect(clippy::indexing_slicing, reason = "matrices of fixed size walked by loops of the same bounds")]

use std::ops::{Add, Mul, Sub};

/// A point or a vector, in pixels or modules as the context says.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Point {
    pub(crate) x: f32,
    pub(crate) y: f32,
}

impl Point {
    pub(crate) const fn new(x: f32, y: f32) -> Self {
        Self { x, y }
    }

    pub(crate) fn cross(self, other: Self) -> f32 {
        self.x * other.y - self.y * other.x
    }

    pub(crate) fn length(self) -> f32 {
        self.x.hypot(self.y)
    }
}

impl Add for Point {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self::new(self.x + other.x, self.y + other.y)
    }
}

impl Sub for Point {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self::new(self.x - other.x, self.y - other.y)
    }
}

impl Mul<f32> for Point {
    type Output = Self;
    fn mul(self, factor: f32) -> Self {
        Self::new(self.x * factor, self.y * factor)
    }
}

/// A projective map of the plane; the last entry of the matrix is not zero.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Homography(pub(crate) [[f32; 3]; 3]);

impl Homography {
    pub(crate) fn apply(&self, x: f32, y: f32) -> Point {
        let [a, b, c] = self.0;
        let w = 1.0 / (c[0] * x + c[1] * y + c[2]);
        Point::new((a[0] * x + a[1] * y + a[2]) * w, (b[0] * x + b[1] * y + b[2]) * w)
    }

    /// First `inner`, then this.
    pub(crate) fn after(&self, inner: &Self) -> Self {
        let mut product = [[0f32; 3]; 3];
        for (row, out) in product.iter_mut().enumerate() {
            for (column, cell) in out.iter_mut().enumerate() {
                *cell = (0..3).map(|k| self.0[row][k] * inner.0[k][column]).sum();
            }
        }
        Self(product)
    }

    /// `x` and `y` each scaled, then moved by `shift`.
    pub(crate) const fn scaled(scale: f32, shift: f32) -> Self {
        Self([[scale, 0.0, shift], [0.0, scale, shift], [0.0, 0.0, 1.0]])
    }

    /// The map of the square (0,0) (side,0) (side,side) (0,side) to `corners`, in that order.
    pub(crate) fn of_square(side: f32, corners: [Point; 4]) -> Option<Self> {
        let [p0, p1, p2, p3] = corners;
        let (d1, d2) = (p1 - p2, p3 - p2);
        let sum = p0 - p1 + p2 - p3;
        let area = d1.cross(d2);
        if area.abs() < 1e-6 {
            return None;
        }
        let g = sum.cross(d2) / area;
        let h = d1.cross(sum) / area;
        let across = p1 - p0 + p1 * g;
        let down = p3 - p0 + p3 * h;
        let s = 1.0 / side;
        Some(Self([[across.x * s, down.x * s, p0.x], [across.y * s, down.y * s, p0.y], [g * s, h * s, 1.0]]))
    }

    /// The least-squares map of `pairs` (from, to); at least four. `size` is the extent of the points from,
    /// which are brought to about 1 so that the equations stay well posed.
    pub(crate) fn fitted(pairs: &[(Point, Point)], size: f32) -> Option<Self> {
        if pairs.len() < 4 {
            return None;
        }
        let mut equations = Normal::<8>::new();
        let (shrink, origin) = (1.0 / size, pairs[0].1);
        for &(from, to) in pairs {
            let (x, y) = (from.x * shrink, from.y * shrink);
            let (u, v) = ((to.x - origin.x) * shrink, (to.y - origin.y) * shrink);
            equations.add(&[x, y, 1.0, 0.0, 0.0, 0.0, -u * x, -u * y], u);
            equations.add(&[0.0, 0.0, 0.0, x, y, 1.0, -v * x, -v * y], v);
        }
        let s = equations.solve(1e-9)?;
        let inner = Self([[s[0], s[1], s[2]], [s[3], s[4], s[5]], [s[6], s[7], 1.0]]);
        let outer = Self([[size, 0.0, origin.x], [0.0, size, origin.y], [0.0, 0.0, 1.0]]);
        Some(outer.after(&inner).after(&Self::scaled(shrink, 0.0)))
    }
}

/// Normal equations of a linear least-squares problem with `N` unknowns.
pub(crate) struct Normal<const N: usize> {
    matrix: [[f32; N]; N],
    right: [f32; N],
}

impl<const N: usize> Normal<N> {
    pub(crate) fn new() -> Self {
        Self { matrix: [[0.0; N]; N], right: [0.0; N] }
    }

    /// One equation: `row . unknowns = value`.
    pub(crate) fn add(&mut self, row: &[f32; N], value: f32) {
        for (factor, (line, right)) in row.iter().zip(self.matrix.iter_mut().zip(&mut self.right)) {
            for (cell, other) in line.iter_mut().zip(row) {
                *cell += factor * other;
            }
            *right += factor * value;
        }
    }

    /// Solves with `ridge` added to the diagonal (Cholesky); `None` if the matrix is not positive definite.
    pub(crate) fn solve(&self, ridge: f32) -> Option<[f32; N]> {
        let mut lower = [[0f64; N]; N];
        for row in 0..N {
            for column in 0..=row {
                let mut sum = f64::from(self.matrix[row][column]);
                if row == column {
                    sum += f64::from(ridge);
                }
                let (ours, theirs) = (&lower[row], &lower[column]);
                sum -= ours.iter().zip(theirs).take(column).map(|(a, b)| a * b).sum::<f64>();
                if row == column {
                    if sum.is_nan() || sum <= 1e-12 {
                        return None;
                    }
                    lower[row][row] = sum.sqrt();
                } else {
                    lower[row][column] = sum / lower[column][column];
                }
            }
        }
        let mut half = [0f64; N];
        for row in 0..N {
            let known: f64 = (0..row).map(|k| lower[row][k] * half[k]).sum();
            half[row] = (f64::from(self.right[row]) - known) / lower[row][row];
        }
        let mut solution = [0f64; N];
        for row in (0..N).rev() {
            let known: f64 = (row + 1..N).map(|k| lower[k][row] * solution[k]).sum();
            solution[row] = (half[row] - known) / lower[row][row];
        }
        #[expect(clippy::cast_possible_truncation, reason = "precision only")]
        let solution = solution.map(|value| value as f32);
        solution.iter().all(|value| value.is_finite()).then_some(solution)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: Point, b: Point) {
        assert!((a - b).length() < 0.02, "{a:?} is not {b:?}");
    }

    const QUAD: [Point; 4] =
        [Point::new(100.0, 50.0), Point::new(300.0, 80.0), Point::new(280.0, 260.0), Point::new(90.0, 220.0)];
    const SQUARE: [Point; 4] =
        [Point::new(0.0, 0.0), Point::new(42.0, 0.0), Point::new(42.0, 42.0), Point::new(0.0, 42.0)];

    #[test]
    fn a_square_goes_to_its_corners() {
        let map = Homography::of_square(42.0, QUAD).unwrap();
        for (from, to) in SQUARE.into_iter().zip(QUAD) {
            close(map.apply(from.x, from.y), to);
        }
    }

    #[test]
    fn a_fit_finds_the_map_its_points_came_from() {
        let map = Homography::of_square(42.0, QUAD).unwrap();
        let pairs: Vec<_> = [(0.0, 0.0), (42.0, 0.0), (0.0, 42.0), (36.0, 36.0), (20.0, 10.0), (5.0, 30.0)]
            .map(|(x, y)| (Point::new(x, y), map.apply(x, y)))
            .to_vec();
        let fitted = Homography::fitted(&pairs, 42.0).unwrap();
        close(fitted.apply(42.0, 42.0), QUAD[2]);
        assert!(Homography::fitted(&pairs[..3], 42.0).is_none());
        assert!(Homography::fitted(&[pairs[0]; 6], 42.0).is_none_or(|map| map.0[0][0].is_finite()));
    }
}
