//! Points of the standardised curves, in OpenSSL's arithmetic.

use cccd_card::SecretBytes;
use openssl::bn::{BigNum, BigNumContext, BigNumRef};
use openssl::ec::{EcGroup, EcPoint, EcPointRef, PointConversionForm};
use openssl::error::ErrorStack;

use crate::image::NamedCurve;

/// Domain parameters.
pub(super) struct Curve {
    group: EcGroup,
    field_bytes: usize,
}

/// y^2 = x^3 + ax + b over a prime field.
pub(super) struct Components {
    pub(super) prime: BigNum,
    a: BigNum,
    b: BigNum,
}

impl Curve {
    pub(super) fn new(curve: NamedCurve) -> Result<Self, ErrorStack> {
        let group = EcGroup::from_curve_name(curve.nid())?;
        let field_bytes = usize::try_from(group.degree().div_ceil(8)).unwrap_or(0);
        Ok(Self { group, field_bytes })
    }

    /// The equation.
    pub(super) fn components(&self) -> Result<Components, ErrorStack> {
        let (mut prime, mut a, mut b) = (BigNum::new()?, BigNum::new()?, BigNum::new()?);
        self.group.components_gfp(&mut prime, &mut a, &mut b, &mut *BigNumContext::new()?)?;
        Ok(Components { prime, a, b })
    }

    /// The point that a number encodes (ICAO 9303-11, Appendix B.2; the curves have cofactor one). Only where
    /// the prime is three modulo four: elsewhere what comes out is off the curve, and OpenSSL refuses it.
    pub(super) fn encode_to_point(&self, t: &BigNumRef) -> Result<EcPoint, ErrorStack> {
        let Components { prime: p, a, b } = self.components()?;
        let one = BigNum::from_u32(1)?;
        let multiply = |x: &BigNumRef, y: &BigNumRef| {
            let mut out = BigNum::new()?;
            out.mod_mul(x, y, &p, &mut *BigNumContext::new()?)?;
            Ok::<_, ErrorStack>(out)
        };
        let reduce = |x: &BigNumRef| {
            let mut out = BigNum::new()?;
            out.nnmod(x, &p, &mut *BigNumContext::new()?)?;
            Ok::<_, ErrorStack>(out)
        };
        let inverse = |x: &BigNumRef| {
            let mut out = BigNum::new()?;
            out.mod_inverse(x, &p, &mut *BigNumContext::new()?)?;
            Ok::<_, ErrorStack>(out)
        };

        // 1. alpha = -t^2
        let square = multiply(t, t)?;
        let alpha = reduce(&(&*p - &*square))?;
        // 2. X2 = -b / a * (1 + 1 / (alpha + alpha^2))
        let sum = reduce(&(&*alpha + &*multiply(&alpha, &alpha)?))?;
        let bracket = reduce(&(&*one + &*inverse(&sum)?))?;
        let minus_b = &*p - &*b;
        let x2 = multiply(&*multiply(&minus_b, &*inverse(&a)?)?, &bracket)?;
        // 3. X3 = alpha * X2
        let x3 = multiply(&alpha, &x2)?;
        // 4. h2 = X2^3 + a X2 + b; the U of step 6 needs no h3.
        let cube = multiply(&*multiply(&x2, &x2)?, &x2)?;
        let h2 = reduce(&(&*(&*cube + &*multiply(&a, &x2)?) + &*b))?;
        // 6. U = t^3 h2
        let u = multiply(&*multiply(t, &square)?, &h2)?;
        // 7. A = h2^(p - 1 - (p + 1) / 4)
        let mut quarter = BigNum::new()?;
        quarter.rshift(&(&*p + &*one), 2)?;
        let exponent = &*(&*p - &*one) - &*quarter;
        let mut root = BigNum::new()?;
        root.mod_exp(&h2, &exponent, &p, &mut *BigNumContext::new()?)?;
        // 8. and 9. Which of the two x it is.
        let (x, y) = if multiply(&*multiply(&root, &root)?, &h2)? == one {
            (x2, multiply(&root, &h2)?)
        } else {
            (x3, multiply(&root, &u)?)
        };
        let mut point = EcPoint::new(&self.group)?;
        point.set_affine_coordinates_gfp(&self.group, &x, &y, &mut *BigNumContext::new()?)?;
        Ok(point)
    }

    /// The standard generator.
    pub(super) fn generator(&self) -> Result<EcPoint, ErrorStack> {
        let mut generator = EcPoint::new(&self.group)?;
        let one = BigNum::from_u32(1)?;
        generator.mul_generator2(&self.group, &one, &mut *BigNumContext::new()?)?;
        Ok(generator)
    }

    /// How many points the generator makes.
    pub(super) fn order(&self) -> Result<BigNum, ErrorStack> {
        let mut order = BigNum::new()?;
        self.group.order(&mut order, &mut *BigNumContext::new()?)?;
        Ok(order)
    }

    /// A public key as the terminal wrote it: uncompressed, on the curve, not the point at infinity
    /// (ICAO 9303-11, 9.4; OpenSSL refuses what is off the curve). The curves have cofactor
    /// one, so that is all there is to check.
    pub(super) fn public_key(&self, bytes: &[u8]) -> Option<EcPoint> {
        if bytes.len() != 1 + 2 * self.field_bytes || bytes.first() != Some(&0x04) {
            return None;
        }
        let mut context = BigNumContext::new().ok()?;
        EcPoint::from_bytes(&self.group, bytes, &mut context).ok()
    }

    /// A public key as the chip writes it.
    pub(super) fn encode(&self, point: &EcPointRef) -> Result<Vec<u8>, ErrorStack> {
        let mut context = BigNumContext::new()?;
        point.to_bytes(&self.group, PointConversionForm::UNCOMPRESSED, &mut context)
    }

    /// The x coordinate in as many bytes as the field takes, leading zeros kept (ICAO 9303-11, 9.6; BSI
    /// TR-03111, FE2OS).
    pub(super) fn x(&self, point: &EcPointRef) -> Result<SecretBytes, ErrorStack> {
        let bytes = SecretBytes::new(self.encode(point)?);
        Ok(SecretBytes::new(bytes.iter().skip(1).take(self.field_bytes).copied().collect()))
    }

    /// `scalar` times `point`.
    pub(super) fn times(&self, point: &EcPointRef, scalar: &BigNumRef) -> Result<EcPoint, ErrorStack> {
        let mut product = EcPoint::new(&self.group)?;
        product.mul2(&self.group, point, scalar, &mut *BigNumContext::new()?)?;
        Ok(product)
    }

    /// The sum of two points.
    pub(super) fn add(&self, one: &EcPointRef, other: &EcPointRef) -> Result<EcPoint, ErrorStack> {
        let mut sum = EcPoint::new(&self.group)?;
        sum.add(&self.group, one, other, &mut *BigNumContext::new()?)?;
        Ok(sum)
    }

    /// Whether this is the neutral element, which no key may be.
    pub(super) fn is_infinity(&self, point: &EcPointRef) -> bool {
        point.is_infinity(&self.group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_points_on_the_curve_are_public_keys() {
        for curve in NamedCurve::all() {
            let curve = Curve::new(curve).unwrap();
            let good = curve.encode(&curve.generator().unwrap()).unwrap();
            assert_eq!(good.len(), 1 + 2 * curve.field_bytes);
            assert!(curve.public_key(&good).is_some());

            let mut off = good.clone();
            *off.last_mut().unwrap() ^= 1;
            let mut hybrid = good.clone();
            hybrid[0] = 0x06 | good.last().unwrap() & 1;
            let mut compressed = good[..=curve.field_bytes].to_vec();
            compressed[0] = 0x02 | good.last().unwrap() & 1;
            let mut long = good.clone();
            long.push(0);
            let origin = [&[4][..], &vec![0; 2 * curve.field_bytes]].concat();
            for bad in [&off[..], &hybrid, &compressed, &long, &good[..good.len() - 1], &[0], &[], &origin] {
                assert!(curve.public_key(bad).is_none(), "{} bytes", bad.len());
            }
        }
    }
}
