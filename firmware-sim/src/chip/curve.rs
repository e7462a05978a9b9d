//! Points and scalars of the PACE curves, in OpenSSL's arithmetic.

use cccd_card::{SecretBytes, StatusWord};
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcPoint, EcPointRef, PointConversionForm};
use openssl::error::ErrorStack;
use openssl::nid::Nid;

use super::apdu::Refusal;
use super::entropy::Entropy;
use crate::image::PaceCurve;

/// A forced entropy source that gives the same bytes for ever must not hang the chip. A drawn scalar is
/// above the group order once in two times at most, a shared coordinate begins with a zero byte once in 256.
const SCALAR_DRAWS: usize = 128;
const LEADING_ZERO_DRAWS: usize = 8_192;

/// Domain parameters.
pub(super) struct Curve {
    group: EcGroup,
    field_bytes: usize,
}

/// An ephemeral key, and what it agreed with the terminal's public key.
pub(super) struct Agreement {
    /// Our public key.
    pub(super) public: EcPoint,
    /// The shared point.
    pub(super) shared: EcPoint,
}

/// What the shared coordinate should look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SharedCoordinate {
    AsDrawn,
    LeadingZero,
}

impl Curve {
    pub(super) fn new(curve: PaceCurve) -> Result<Self, ErrorStack> {
        let group = EcGroup::from_curve_name(match curve {
            PaceCurve::NistP256 => Nid::X9_62_PRIME256V1,
            PaceCurve::BrainpoolP256r1 => Nid::BRAINPOOL_P256R1,
            PaceCurve::NistP384 => Nid::SECP384R1,
            PaceCurve::BrainpoolP384r1 => Nid::BRAINPOOL_P384R1,
            PaceCurve::NistP521 => Nid::SECP521R1,
        })?;
        let field_bytes = match curve {
            PaceCurve::NistP256 | PaceCurve::BrainpoolP256r1 => 32,
            PaceCurve::NistP384 | PaceCurve::BrainpoolP384r1 => 48,
            PaceCurve::NistP521 => 66,
        };
        Ok(Self { group, field_bytes })
    }

    /// The standard generator.
    pub(super) fn generator(&self) -> Result<EcPoint, ErrorStack> {
        let mut generator = EcPoint::new(&self.group)?;
        let one = BigNum::from_u32(1)?;
        generator.mul_generator2(&self.group, &one, &mut *BigNumContext::new()?)?;
        Ok(generator)
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

    /// Generic mapping (ICAO 9303-11, 4.4.3.3.1): s times the generator, plus the shared point.
    pub(super) fn map(&self, nonce: &[u8], shared: &EcPointRef) -> Result<EcPoint, ErrorStack> {
        let mut context = BigNumContext::new()?;
        let mut scaled = EcPoint::new(&self.group)?;
        let scalar = BigNum::from_slice(nonce)?;
        scaled.mul_generator2(&self.group, &scalar, &mut context)?;
        let mut mapped = EcPoint::new(&self.group)?;
        mapped.add(&self.group, &scaled, shared, &mut context)?;
        Ok(mapped)
    }

    /// Whether this is the neutral element, which no key may be.
    pub(super) fn is_infinity(&self, point: &EcPointRef) -> bool {
        point.is_infinity(&self.group)
    }

    /// Draws an ephemeral key over `generator` and agrees it with the terminal's public key.
    pub(super) fn agree(
        &self,
        generator: &EcPointRef,
        terminal: &EcPointRef,
        wanted: SharedCoordinate,
        entropy: &mut Entropy,
    ) -> Result<Agreement, Refusal> {
        let mut context = BigNumContext::new()?;
        for _ in 0..LEADING_ZERO_DRAWS {
            let private = self.draw_scalar(entropy)?;
            let mut shared = EcPoint::new(&self.group)?;
            shared.mul2(&self.group, terminal, &private, &mut context)?;
            if wanted == SharedCoordinate::LeadingZero && self.x(&shared)?.first() != Some(&0) {
                continue;
            }
            let mut public = EcPoint::new(&self.group)?;
            public.mul2(&self.group, generator, &private, &mut context)?;
            return Ok(Agreement { public, shared });
        }
        Err(Refusal(StatusWord(0x6F00)))
    }

    /// A scalar from 1 to the order less one, drawn as many bytes as the order has.
    fn draw_scalar(&self, entropy: &mut Entropy) -> Result<BigNum, Refusal> {
        let mut context = BigNumContext::new()?;
        let mut order = BigNum::new()?;
        self.group.order(&mut order, &mut context)?;
        let bits = order.num_bits();
        let zero = BigNum::new()?;
        let mut bytes = SecretBytes::new(vec![0; usize::try_from(order.num_bytes()).unwrap_or(0)]);
        for _ in 0..SCALAR_DRAWS {
            entropy.fill(&mut bytes)?;
            let mut scalar = BigNum::from_slice(&bytes)?;
            if scalar.num_bits() > bits {
                // The order of P-521 has 521 bits in 66 bytes: the surplus is cut off.
                scalar.mask_bits(bits)?;
            }
            if scalar > zero && scalar < order {
                return Ok(scalar);
            }
        }
        Err(Refusal(StatusWord(0x6F00)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CURVES: [PaceCurve; 5] = [
        PaceCurve::NistP256,
        PaceCurve::BrainpoolP256r1,
        PaceCurve::NistP384,
        PaceCurve::BrainpoolP384r1,
        PaceCurve::NistP521,
    ];

    #[test]
    fn only_whole_points_on_the_curve_are_public_keys() {
        for curve in CURVES {
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

    #[test]
    fn a_shared_coordinate_with_a_leading_zero_can_be_had_on_every_curve() {
        for curve in CURVES {
            let curve = Curve::new(curve).unwrap();
            let generator = curve.generator().unwrap();
            let terminal = curve
                .agree(&generator, &generator, SharedCoordinate::AsDrawn, &mut Entropy::OpenSsl)
                .unwrap()
                .public;
            let agreement = curve
                .agree(&generator, &terminal, SharedCoordinate::LeadingZero, &mut Entropy::OpenSsl)
                .unwrap();
            let x = curve.x(&agreement.shared).unwrap();
            assert_eq!((x.len(), x[0]), (curve.field_bytes, 0));
        }
    }

    #[test]
    fn constant_entropy_ends_in_a_refusal_and_not_in_a_loop() {
        let curve = Curve::new(PaceCurve::NistP256).unwrap();
        let generator = curve.generator().unwrap();
        for constant in [0x00, 0xFF] {
            let mut entropy = Entropy::Forced(Box::new(move |bytes| bytes.fill(constant)));
            let refused = curve.agree(&generator, &generator, SharedCoordinate::AsDrawn, &mut entropy);
            assert_eq!(refused.err(), Some(Refusal(StatusWord(0x6F00))));
        }
    }
}
