//! ECDSA over a digest (BSI TR-03111, 4.2.1): which hash made the digest is the caller's matter.

use elliptic_curve::ff::{Field, PrimeField};
use elliptic_curve::group::Group;
use elliptic_curve::ops::Invert;
use elliptic_curve::point::AffineCoordinates;
use elliptic_curve::{CurveArithmetic, FieldBytes, ProjectivePoint, Scalar};
use rand_core::TryCryptoRng;
use zeroize::Zeroizing;

use crate::curve_id::{CurveId, IcaoCurve, OnCurve};
use crate::point::{NoEntropy, PointFault, decode_point, random_scalar, scalar_of};
use crate::straus::combination_vartime;

/// A signature: two numbers, big-endian, each as wide as the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The first.
    pub r: Vec<u8>,
    /// The second.
    pub s: Vec<u8>,
}

/// Why a signature is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EcdsaFault {
    /// The public key is no point of the curve.
    #[error("public key is not usable")]
    PublicKey(#[from] PointFault),
    /// One of its numbers is zero, or not below the order.
    #[error("signature is out of range")]
    Range,
    /// It is not the signature of this digest by this key.
    #[error("signature does not fit")]
    Mismatch,
}

/// Verifies a signature over `digest` with an uncompressed public key. Numbers may have leading zeros or lack
/// them. Takes a time that depends on all of them, none of which is secret.
pub fn verify(
    curve: CurveId,
    public_key: &[u8],
    digest: &[u8],
    r: &[u8],
    s: &[u8],
) -> Result<(), EcdsaFault> {
    struct Verify<'a>(&'a [u8], &'a [u8], &'a [u8], &'a [u8]);
    impl OnCurve for Verify<'_> {
        type Output = Result<(), EcdsaFault>;
        fn on<C: IcaoCurve>(self) -> Self::Output {
            let Self(public_key, digest, r, s) = self;
            let key = decode_point::<C>(public_key)?;
            let (r, s) = (in_range::<C>(r)?, in_range::<C>(s)?);
            let inverse = Invert::invert_vartime(&s).into_option().ok_or(EcdsaFault::Range)?;
            let (u1, u2) = (truncated::<C>(digest) * inverse, r * inverse);
            if combination_vartime::<C>(&u1, &u2, &key).has_x(&r) {
                Ok(())
            } else {
                Err(EcdsaFault::Mismatch)
            }
        }
    }
    curve.run(Verify(public_key, digest, r, s))
}

/// Signs a digest.
pub(crate) fn sign<C: IcaoCurve>(
    secret: &Scalar<C>,
    digest: &[u8],
    rng: &mut (impl TryCryptoRng + ?Sized),
) -> Result<Signature, NoEntropy> {
    let number = truncated::<C>(digest);
    // r or s is zero once in 2^160 draws at most.
    for _ in 0..4 {
        let k = random_scalar::<C>(rng)?;
        let x = (ProjectivePoint::<C>::generator() * *k).to_affine().x();
        let r = *scalar_of::<C>(&x);
        let Some(inverse) = Invert::invert(&*k).into_option().map(Zeroizing::new) else { continue };
        let s = *inverse * (number + r * *secret);
        if !bool::from(r.is_zero()) && !bool::from(s.is_zero()) {
            return Ok(Signature { r: bytes::<C>(&r), s: bytes::<C>(&s) });
        }
    }
    Err(NoEntropy)
}

fn bytes<C: CurveArithmetic>(scalar: &Scalar<C>) -> Vec<u8> {
    scalar.to_repr().as_slice().to_vec()
}

/// The leftmost bits of the digest, as many as the order has (TR-03111, 4.1.2).
fn truncated<C: CurveArithmetic>(digest: &[u8]) -> Scalar<C> {
    let order_bits = usize::try_from(Scalar::<C>::NUM_BITS).unwrap_or(usize::MAX);
    let excess = (digest.len() * 8).saturating_sub(order_bits);
    let kept = digest.get(..digest.len() - excess / 8).unwrap_or_default();
    match excess % 8 {
        0 => *scalar_of::<C>(kept),
        shift => {
            let mut carry = 0_u8;
            let shifted: Vec<u8> = kept
                .iter()
                .map(|byte| {
                    let out = carry | byte >> shift;
                    carry = byte << (8 - shift);
                    out
                })
                .collect();
            *scalar_of::<C>(&shifted)
        }
    }
}

/// A number from 1 to the order less one.
fn in_range<C: IcaoCurve>(number: &[u8]) -> Result<Scalar<C>, EcdsaFault> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let number = number.get(zeros..).unwrap_or_default();
    let mut padded = FieldBytes::<C>::default();
    let start = padded.len().checked_sub(number.len()).ok_or(EcdsaFault::Range)?;
    padded.get_mut(start..).ok_or(EcdsaFault::Range)?.copy_from_slice(number);
    let scalar = Scalar::<C>::from_repr(padded).into_option().ok_or(EcdsaFault::Range)?;
    if bool::from(scalar.is_zero()) { Err(EcdsaFault::Range) } else { Ok(scalar) }
}
