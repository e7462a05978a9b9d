//! Points and scalars as bytes.

use elliptic_curve::ff::{Field, PrimeField};
use elliptic_curve::group::Curve as _;
use elliptic_curve::point::AffineCoordinates;
use elliptic_curve::{AffinePoint, CurveArithmetic, FieldBytes, ProjectivePoint, Scalar};
use rand_core::TryCryptoRng;
use zeroize::{Zeroize, Zeroizing};

/// What is wrong with a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PointFault {
    /// Not `04`, x and y in the curve's own width.
    #[error("point is not in uncompressed form")]
    Encoding,
    /// No point of the curve, or the point at infinity.
    #[error("point is not on the curve")]
    NotOnCurve,
    /// The other side sent our own public key back (ICAO 9303-11, 4.4.1, step 3 c).
    #[error("the other side sent our own public key back")]
    Reflected,
    /// What was computed is the point at infinity.
    #[error("computation ends in the point at infinity")]
    Infinity,
}

/// The random source gave nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("random source failed")]
pub struct NoEntropy;

/// Reads an uncompressed point (BSI TR-03111, 3.2.1), which must lie on the curve. All curves here have prime
/// order, so that every point on them but infinity is in the group.
pub fn decode_point<C: CurveArithmetic>(bytes: &[u8]) -> Result<AffinePoint<C>, PointFault> {
    let Some((0x04, coordinates)) = bytes.split_first().map(|(first, rest)| (*first, rest)) else {
        return Err(PointFault::Encoding);
    };
    let (x, y) = coordinates.split_at_checked(width::<C>()).ok_or(PointFault::Encoding)?;
    let x = FieldBytes::<C>::try_from(x).map_err(|_| PointFault::Encoding)?;
    let y = FieldBytes::<C>::try_from(y).map_err(|_| PointFault::Encoding)?;
    // The point at infinity has no affine coordinates, so this refuses it too.
    AffinePoint::<C>::from_coordinates(&x, &y).into_option().ok_or(PointFault::NotOnCurve)
}

/// Writes a point uncompressed. Infinity has no such form; it comes out as zeros, which no curve here holds.
pub fn encode_point<C: CurveArithmetic>(point: &ProjectivePoint<C>) -> Vec<u8> {
    let affine = point.to_affine();
    let mut out = Vec::with_capacity(1 + 2 * width::<C>());
    out.push(0x04);
    out.extend_from_slice(&affine.x());
    out.extend_from_slice(&affine.y());
    out
}

/// A secret from 1 to the order less one, each as likely as any other.
pub fn random_scalar<C: CurveArithmetic>(
    rng: &mut (impl TryCryptoRng + ?Sized),
) -> Result<Zeroizing<Scalar<C>>, NoEntropy> {
    // The order of brainpoolP256r1 is two thirds of 2^256: a sound source needs more than a hundred draws
    // once in 3^100 times. A source that always says the same must not hang us.
    for _ in 0..100 {
        let mut bytes = FieldBytes::<C>::default();
        rng.try_fill_bytes(&mut bytes).map_err(|_| NoEntropy)?;
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

/// A big-endian number modulo the order, however long it is.
pub fn scalar_of<C: CurveArithmetic>(number: &[u8]) -> Zeroizing<Scalar<C>> {
    // Four bytes at a time, the first with what is left over.
    let base = Scalar::<C>::from(1 << 32);
    let mut sum = Zeroizing::new(Scalar::<C>::ZERO);
    let (first, rest) = number.split_at(number.len() % 4);
    for part in std::iter::once(first).chain(rest.chunks(4)) {
        let value = part.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
        *sum = *sum * base + Scalar::<C>::from(value);
    }
    sum
}

/// Bytes of one coordinate.
pub(crate) fn width<C: CurveArithmetic>() -> usize {
    FieldBytes::<C>::default().len()
}
