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

impl Curve {
    pub(super) fn new(curve: NamedCurve) -> Result<Self, ErrorStack> {
        let group = EcGroup::from_curve_name(curve.nid())?;
        let field_bytes = usize::try_from(group.degree().div_ceil(8)).unwrap_or(0);
        Ok(Self { group, field_bytes })
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
