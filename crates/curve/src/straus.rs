//! `u1·G + u2·Q` in variable time, to verify signatures: everything in them is public.
//!
//! Both products share their doublings (Straus), and their numbers are written in non-adjacent form. Points are in
//! Jacobian coordinates (x = X/Z², y = Y/Z³), where a doubling costs eight to ten multiplications of the field; the
//! complete formulas of `primeorder`, which every secret here goes through, cost thirteen to seventeen. What the
//! complete formulas need not care about, equal and opposite points, is asked for here by name.
//!
//! Not for secrets: the time taken tells both numbers.

use elliptic_curve::ff::{Field, PrimeField};
use elliptic_curve::group::Group;
use elliptic_curve::hazmat::FieldArithmetic;
use elliptic_curve::point::AffineCoordinates;
use elliptic_curve::{AffinePoint, BatchNormalize, FieldBytes, ProjectivePoint, Scalar};

use crate::curve_id::IcaoCurve;
use crate::digits::non_adjacent;

/// Width of the digits that multiply the generator, whose multiples are made once.
const GENERATOR_WIDTH: usize = 7;
/// Odd multiples of the generator up to the largest digit.
const GENERATOR_MULTIPLES: usize = 1 << (GENERATOR_WIDTH - 2);
/// Width of the digits that multiply a key, whose multiples are made each time.
const KEY_WIDTH: usize = 5;

type Element<C> = <C as FieldArithmetic>::FieldElement;

/// The odd multiples of a curve's generator, from 1 on.
#[derive(Debug)]
pub struct GeneratorMultiples<C: IcaoCurve>(Vec<Multiple<C>>);

impl<C: IcaoCurve> GeneratorMultiples<C> {
    pub(crate) fn new() -> Self {
        let one = ProjectivePoint::<C>::generator();
        let two = one.double();
        let mut last = one;
        let all: [ProjectivePoint<C>; GENERATOR_MULTIPLES] = std::array::from_fn(|at| {
            if at > 0 {
                last += two;
            }
            last
        });
        let all = ProjectivePoint::<C>::batch_normalize(&all);
        Self(all.iter().filter_map(Multiple::of_affine).collect())
    }
}

/// `generator_times·G + key_times·key` in variable time.
pub(crate) fn combination_vartime<C: IcaoCurve>(
    generator_times: &Scalar<C>,
    key_times: &Scalar<C>,
    key: &AffinePoint<C>,
) -> Sum<C> {
    let a = CoefficientA::of::<C>();
    let of_key = Multiple::of_affine(key).map(|key| a.odd_multiples(key)).unwrap_or_default();
    let of_generator = &C::generator_multiples().0;
    let generator_digits = non_adjacent(&generator_times.to_repr(), GENERATOR_WIDTH);
    let key_digits = non_adjacent(&key_times.to_repr(), KEY_WIDTH);
    let mut sum = Sum(None);
    for (at_generator, at_key) in generator_digits.iter().zip(&key_digits).rev() {
        sum = Sum(sum.0.map(|point| a.double(&point)));
        for (digit, multiples) in [(*at_generator, of_generator), (*at_key, &of_key)] {
            // The multiples stand at half their number: 1, 3, 5 at 0, 1, 2.
            let Some(multiple) = multiples.get(usize::from(digit.unsigned_abs() / 2)) else { continue };
            match digit {
                0 => {}
                1.. => sum = a.add(sum, multiple, multiple.y),
                _ => sum = a.add(sum, multiple, -multiple.y),
            }
        }
    }
    sum
}

/// A sum of points; infinity where there is none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sum<C: IcaoCurve>(Option<Jacobian<C>>);

#[derive(Debug, Clone, Copy)]
struct Jacobian<C: IcaoCurve> {
    x: Element<C>,
    y: Element<C>,
    z: Element<C>,
}

/// A point that is added many times, with the powers of its Z.
#[derive(Debug, Clone, Copy)]
struct Multiple<C: IcaoCurve> {
    x: Element<C>,
    y: Element<C>,
    /// Nothing where Z is one.
    z: Option<Depth<C>>,
}

#[derive(Debug, Clone, Copy)]
struct Depth<C: IcaoCurve> {
    z: Element<C>,
    squared: Element<C>,
    cubed: Element<C>,
}

impl<C: IcaoCurve> Sum<C> {
    /// Whether it is a point whose x coordinate is `r` modulo the order: x is below the field's prime, so that it is
    /// `r` or `r` and the order once. Compared as r·Z² = X, without an inversion.
    pub(crate) fn has_x(&self, r: &Scalar<C>) -> bool {
        let Some(point) = &self.0 else { return false };
        let depth = point.z.square();
        let is_x =
            |x: FieldBytes<C>| Element::<C>::from_repr(x).into_option().is_some_and(|x| x * depth == point.x);
        let r = r.to_repr();
        is_x(r) || and_order::<C>(r).is_some_and(is_x)
    }
}

/// A number and the order, if the sum is no wider than the field.
fn and_order<C: IcaoCurve>(mut number: FieldBytes<C>) -> Option<FieldBytes<C>> {
    // The order is odd: adding one to the order less one carries nothing.
    let mut order = (-Scalar::<C>::ONE).to_repr();
    *order.last_mut()? |= 1;
    let mut carry = false;
    for (byte, more) in number.iter_mut().zip(&order).rev() {
        let (sum, first) = byte.overflowing_add(*more);
        let (sum, second) = sum.overflowing_add(u8::from(carry));
        (*byte, carry) = (sum, first || second);
    }
    (!carry).then_some(number)
}

impl<C: IcaoCurve> Multiple<C> {
    /// Nothing for infinity, which has no coordinates.
    fn of_affine(point: &AffinePoint<C>) -> Option<Self> {
        if bool::from(ProjectivePoint::<C>::from(*point).is_identity()) {
            return None;
        }
        let x = Element::<C>::from_repr(point.x()).into_option()?;
        let y = Element::<C>::from_repr(point.y()).into_option()?;
        Some(Self { x, y, z: None })
    }

    fn of_jacobian(point: Jacobian<C>) -> Self {
        let squared = point.z.square();
        let z = Some(Depth { z: point.z, squared, cubed: squared * point.z });
        Self { x: point.x, y: point.y, z }
    }
}

/// The coefficient `a` of a curve, which decides how a point is doubled.
#[derive(Debug, Clone, Copy)]
enum CoefficientA {
    /// As on the curves of NIST: 3X² + aZ⁴ is 3(X - Z²)(X + Z²).
    MinusThree,
    /// As on those of brainpool.
    Other,
}

impl CoefficientA {
    fn of<C: IcaoCurve>() -> Self {
        if C::EQUATION_A == -Element::<C>::from(3) { Self::MinusThree } else { Self::Other }
    }

    /// Twice a point. On curves of odd order no point is its own opposite, so that Y is never zero.
    #[inline(never)]
    fn double<C: IcaoCurve>(self, point: &Jacobian<C>) -> Jacobian<C> {
        let Jacobian { x, y, z } = *point;
        let (zz, yy) = (z.square(), y.square());
        let slope = match self {
            Self::MinusThree => thrice((x - zz) * (x + zz)),
            Self::Other => thrice(x.square()) + C::EQUATION_A * zz.square(),
        };
        let xyy4 = (x * yy).double().double();
        let x3 = slope.square() - xyy4.double();
        let y3 = slope * (xyy4 - x3) - yy.square().double().double().double();
        Jacobian { x: x3, y: y3, z: (y + z).square() - yy - zz }
    }

    /// A sum and one point more, which is `multiple` with this `y`: its own, or that of its opposite.
    #[inline(never)]
    fn add<C: IcaoCurve>(self, sum: Sum<C>, multiple: &Multiple<C>, y: Element<C>) -> Sum<C> {
        let depth = multiple.z.as_ref();
        let Some(point) = &sum.0 else {
            let z = depth.map_or(Element::<C>::ONE, |depth| depth.z);
            return Sum(Some(Jacobian { x: multiple.x, y, z }));
        };
        let zz = point.z.square();
        let (x1, y1, z1) = match depth {
            Some(depth) => (point.x * depth.squared, point.y * depth.cubed, point.z * depth.z),
            None => (point.x, point.y, point.z),
        };
        let across = multiple.x * zz - x1;
        let up = y * zz * point.z - y1;
        if bool::from(across.is_zero()) {
            // The same point, or its opposite.
            return Sum(bool::from(up.is_zero()).then(|| self.double(point)));
        }
        let across2 = across.square();
        let across3 = across2 * across;
        let middle = x1 * across2;
        let x3 = up.square() - across3 - middle.double();
        let y3 = up * (middle - x3) - y1 * across3;
        Sum(Some(Jacobian { x: x3, y: y3, z: z1 * across }))
    }

    /// The multiples of a key that its digits need: 1, 3, 5 and so on.
    fn odd_multiples<C: IcaoCurve>(self, one: Multiple<C>) -> Vec<Multiple<C>> {
        let mut all = vec![one];
        let two = self.double(&Jacobian { x: one.x, y: one.y, z: Element::<C>::ONE });
        let two = Multiple::of_jacobian(two);
        let mut last = self.add(Sum(None), &one, one.y);
        while all.len() < 1 << (KEY_WIDTH - 2) {
            last = self.add(last, &two, two.y);
            // The order is far above: none of these is infinity.
            let Some(point) = last.0 else { break };
            all.push(Multiple::of_jacobian(point));
        }
        all
    }
}

fn thrice<F: Field>(element: F) -> F {
    element.double() + element
}
