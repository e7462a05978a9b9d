//! Key agreement of PACE on an elliptic curve with the generic mapping (ICAO 9303-11, 4.4.3.3.1 and 9.6).

use elliptic_curve::ff::{Field, PrimeField};
use elliptic_curve::group::{Curve, Group};
use elliptic_curve::point::AffineCoordinates;
use elliptic_curve::{AffinePoint, CurveArithmetic, FieldBytes, ProjectivePoint, Scalar};
use zeroize::{Zeroize, Zeroizing};

use crate::entropy::{Entropy, NoEntropy};

/// What is wrong with a point the chip sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PointFault {
    /// Not `04`, x and y in the curve's own width.
    #[error("point is not in uncompressed form")]
    Encoding,
    /// No point of the curve, or the point at infinity.
    #[error("point is not on the curve")]
    NotOnCurve,
    /// The chip sent our own public key back (ICAO 9303-11, 4.4.1, step 3 c).
    #[error("chip sent our own public key back")]
    Reflected,
    /// The mapped generator or the shared secret is the point at infinity.
    #[error("key agreement ends in the point at infinity")]
    Infinity,
}

/// The first key pair of PACE, on the curve's own generator.
pub(crate) struct MappingKey<C: CurveArithmetic> {
    secret: Zeroizing<Scalar<C>>,
    public: Vec<u8>,
}

impl<C: CurveArithmetic> MappingKey<C> {
    pub(crate) fn generate(entropy: &mut dyn Entropy) -> Result<Self, NoEntropy> {
        let secret = random_scalar::<C>(entropy)?;
        let point = ProjectivePoint::<C>::generator() * *secret;
        Ok(Self { secret, public: encode::<C>(&point) })
    }

    /// The public key, uncompressed.
    pub(crate) fn public(&self) -> &[u8] {
        &self.public
    }

    /// Maps the nonce to a new generator, G' = s * G + H, and makes the second key pair on it.
    pub(crate) fn map(
        self,
        chip_public: &[u8],
        nonce: &[u8],
        entropy: &mut dyn Entropy,
    ) -> Result<EphemeralKey<C>, MappingFault> {
        let chip = self.checked(chip_public)?;
        let shared = Zeroizing::new(ProjectivePoint::<C>::from(chip) * *self.secret);
        let nonce = scalar_of::<C>(nonce);
        let generator = Zeroizing::new(ProjectivePoint::<C>::generator() * *nonce + *shared);
        if bool::from(generator.is_identity()) {
            return Err(PointFault::Infinity.into());
        }
        let secret = random_scalar::<C>(entropy)?;
        let point = *generator * *secret;
        Ok(EphemeralKey { secret, public: encode::<C>(&point) })
    }

    fn checked(&self, chip_public: &[u8]) -> Result<AffinePoint<C>, PointFault> {
        checked::<C>(chip_public, &self.public)
    }
}

/// Why the mapping did not come to a second key pair.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MappingFault {
    #[error(transparent)]
    Point(#[from] PointFault),
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
}

/// The second key pair of PACE, on the mapped generator.
pub(crate) struct EphemeralKey<C: CurveArithmetic> {
    secret: Zeroizing<Scalar<C>>,
    public: Vec<u8>,
}

impl<C: CurveArithmetic> EphemeralKey<C> {
    /// The public key, uncompressed.
    pub(crate) fn public(&self) -> &[u8] {
        &self.public
    }

    /// The x coordinate of the shared point.
    ///
    /// Always as long as the field: an integer of minimal length drops leading zeros, and with them about
    /// one reading in 256.
    pub(crate) fn agree(&self, chip_public: &[u8]) -> Result<Zeroizing<Vec<u8>>, PointFault> {
        let chip = checked::<C>(chip_public, &self.public)?;
        let shared = Zeroizing::new(ProjectivePoint::<C>::from(chip) * *self.secret);
        if bool::from(shared.is_identity()) {
            return Err(PointFault::Infinity);
        }
        let mut x = shared.to_affine().x();
        let out = Zeroizing::new(x.to_vec());
        x.as_mut_slice().zeroize();
        Ok(out)
    }
}

/// Bytes of one coordinate.
fn width<C: CurveArithmetic>() -> usize {
    FieldBytes::<C>::default().len()
}

fn encode<C: CurveArithmetic>(point: &ProjectivePoint<C>) -> Vec<u8> {
    let affine = point.to_affine();
    let mut out = Vec::with_capacity(1 + 2 * width::<C>());
    out.push(0x04);
    out.extend_from_slice(&affine.x());
    out.extend_from_slice(&affine.y());
    out
}

/// A point from the chip, which must lie on the curve and must not be ours.
fn checked<C: CurveArithmetic>(chip_public: &[u8], ours: &[u8]) -> Result<AffinePoint<C>, PointFault> {
    if chip_public == ours {
        return Err(PointFault::Reflected);
    }
    let Some((0x04, coordinates)) = chip_public.split_first().map(|(first, rest)| (*first, rest)) else {
        return Err(PointFault::Encoding);
    };
    let (x, y) = coordinates.split_at_checked(width::<C>()).ok_or(PointFault::Encoding)?;
    let x = FieldBytes::<C>::try_from(x).map_err(|_| PointFault::Encoding)?;
    let y = FieldBytes::<C>::try_from(y).map_err(|_| PointFault::Encoding)?;
    // The point at infinity has no affine coordinates, so this refuses it too.
    AffinePoint::<C>::from_coordinates(&x, &y).into_option().ok_or(PointFault::NotOnCurve)
}

/// A secret from 1 to the order less one, each as likely as any other.
fn random_scalar<C: CurveArithmetic>(entropy: &mut dyn Entropy) -> Result<Zeroizing<Scalar<C>>, NoEntropy> {
    // The order of brainpoolP256r1 is two thirds of 2^256: a sound source needs more than a hundred draws
    // once in 3^100 times. A source that always says the same must not hang us.
    for _ in 0..100 {
        let mut bytes = FieldBytes::<C>::default();
        entropy.fill(&mut bytes)?;
        let unused = (u32::try_from(bytes.len()).unwrap_or(0) * 8).saturating_sub(Scalar::<C>::NUM_BITS);
        if let Some(first) = bytes.first_mut() {
            *first &= 0xFF_u8.checked_shr(unused).unwrap_or(0);
        }
        let scalar = Scalar::<C>::from_repr(bytes).into_option().map(Zeroizing::new);
        bytes.as_mut_slice().zeroize();
        if let Some(scalar) = scalar.filter(|scalar| !bool::from(scalar.is_zero())) {
            return Ok(scalar);
        }
    }
    Err(NoEntropy)
}

/// The nonce as a number modulo the order: a nonce for AES-256 may be longer than the order.
fn scalar_of<C: CurveArithmetic>(nonce: &[u8]) -> Zeroizing<Scalar<C>> {
    let base = Scalar::<C>::from(256);
    let mut sum = Zeroizing::new(Scalar::<C>::ZERO);
    for &byte in nonce {
        *sum = *sum * base + Scalar::<C>::from(u64::from(byte));
    }
    sum
}

#[cfg(test)]
mod tests {
    use bp256::BrainpoolP256r1;
    use bp384::BrainpoolP384r1;
    use p256::NistP256;
    use p384::NistP384;
    use p521::NistP521;

    use super::*;
    use crate::testing::Fixed;

    fn both_sides_agree<C: CurveArithmetic>(seed: u8) -> Vec<u8> {
        let width = width::<C>();
        // P-521 has one bit in its first byte; the mask takes the rest off.
        let draw = |add: u8| (0..width).map(|i| 0x11 ^ seed ^ add ^ i.to_le_bytes()[0]).collect::<Vec<u8>>();
        let key = |add| MappingKey::<C>::generate(&mut Fixed::new(&[&draw(add)])).unwrap();
        let (ours, theirs) = (key(1), key(2));
        let (our_public, their_public) = (ours.public().to_vec(), theirs.public().to_vec());
        let nonce = [0xF7; 32];
        let ours = ours.map(&their_public, &nonce, &mut Fixed::new(&[&draw(3)])).unwrap();
        let theirs = theirs.map(&our_public, &nonce, &mut Fixed::new(&[&draw(4)])).unwrap();
        let secret = ours.agree(theirs.public()).unwrap();
        assert_eq!(secret, theirs.agree(ours.public()).unwrap());
        assert_eq!(secret.len(), width);
        secret.to_vec()
    }

    #[test]
    fn both_sides_come_to_the_same_secret_on_every_curve() {
        both_sides_agree::<NistP256>(0);
        both_sides_agree::<BrainpoolP256r1>(0);
        both_sides_agree::<NistP384>(0);
        both_sides_agree::<BrainpoolP384r1>(0);
        both_sides_agree::<NistP521>(0);
    }

    #[test]
    fn a_leading_zero_stays_in_the_shared_secret() {
        // One run in 256 gives one; these draws do.
        let narrow = both_sides_agree::<NistP256>(118);
        assert_eq!((narrow.len(), narrow[0]), (32, 0));
        let wide = both_sides_agree::<NistP521>(69);
        assert_eq!((wide.len(), wide[0], wide[1]), (66, 0, 0));
    }

    #[test]
    fn what_is_no_point_of_the_curve_is_refused() {
        let key = || MappingKey::<NistP256>::generate(&mut Fixed::new(&[&[7; 32]])).unwrap();
        let map = |point: &[u8]| match key().map(point, &[1; 16], &mut Fixed::new(&[&[9; 32]])) {
            Err(MappingFault::Point(fault)) => fault,
            Err(MappingFault::Entropy(_)) => panic!("entropy"),
            Ok(_) => panic!("accepted"),
        };
        let ours = key().public().to_vec();
        let other = MappingKey::<NistP256>::generate(&mut Fixed::new(&[&[8; 32]])).unwrap();
        let mut off = other.public().to_vec();
        off[64] ^= 1;
        assert_eq!(map(&off), PointFault::NotOnCurve);
        assert_eq!(map(&ours), PointFault::Reflected);
        assert_eq!(map(&[0]), PointFault::Encoding);
        assert_eq!(map(&[]), PointFault::Encoding);
        assert_eq!(map(&[&[0x04][..], &[0; 64]].concat()), PointFault::NotOnCurve);
        assert_eq!(map(&other.public()[..64]), PointFault::Encoding);
        assert_eq!(map(&[other.public(), &[0]].concat()), PointFault::Encoding);
        let mut compressed = other.public()[..33].to_vec();
        compressed[0] = 0x02 | (other.public()[64] & 1);
        assert_eq!(map(&compressed), PointFault::Encoding);
        // A point of another curve of the same width.
        let foreign = MappingKey::<BrainpoolP256r1>::generate(&mut Fixed::new(&[&[8; 32]])).unwrap();
        assert_eq!(map(foreign.public()), PointFault::NotOnCurve);
    }

    #[test]
    fn a_nonce_that_cancels_the_shared_point_is_refused() {
        // With the chip's key at -1/k of ours, H = -G; the nonce 1 then gives infinity.
        let ours = MappingKey::<NistP256>::generate(&mut Fixed::new(&[&[7; 32]])).unwrap();
        let inverse = ours.secret.invert().unwrap();
        let point = ProjectivePoint::<NistP256>::generator() * -inverse;
        let fault = ours.map(&encode::<NistP256>(&point), &[1], &mut Fixed::new(&[&[9; 32]])).err();
        assert!(matches!(fault, Some(MappingFault::Point(PointFault::Infinity))), "{fault:?}");
    }

    #[test]
    fn a_long_nonce_counts_modulo_the_order() {
        let order = hex::decode("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551").unwrap();
        assert_eq!(*scalar_of::<NistP256>(&order), Scalar::<NistP256>::ZERO);
        // 2^256 takes 33 bytes, one more than the order.
        let mut power = [0; 33];
        power[0] = 1;
        let all_ones = *scalar_of::<NistP256>(&[0xFF; 32]);
        assert_eq!(*scalar_of::<NistP256>(&power), all_ones + Scalar::<NistP256>::ONE);
    }

    #[test]
    fn a_source_that_says_nothing_new_does_not_hang() {
        struct Zeros;
        impl Entropy for Zeros {
            fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
                out.fill(0);
                Ok(())
            }
        }
        assert!(MappingKey::<NistP256>::generate(&mut Zeros).is_err());
    }
}
