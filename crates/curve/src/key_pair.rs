//! A secret number on a curve, and what can be done with it.

use elliptic_curve::ff::{Field, PrimeField};
use elliptic_curve::group::Group;
use elliptic_curve::{FieldBytes, ProjectivePoint, Scalar};
use rand_core::TryCryptoRng;
use zeroize::{Zeroize, Zeroizing};

use crate::curve_id::{CurveId, IcaoCurve, OnCurve};
use crate::ecdsa::{self, Signature};
use crate::point::{NoEntropy, PointFault, decode_point, encode_point, random_scalar};

/// A key pair on the curve's own generator. Its secret is wiped.
pub struct KeyPair {
    curve: CurveId,
    secret: Zeroizing<Vec<u8>>,
    public_key: Vec<u8>,
}

/// Why bytes are no secret key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("secret key is zero or not below the order")]
pub struct KeyFault;

impl KeyPair {
    /// A new key pair.
    pub fn generate(curve: CurveId, rng: &mut (impl TryCryptoRng + ?Sized)) -> Result<Self, NoEntropy> {
        struct Generate<'a, R: ?Sized>(&'a mut R);
        impl<R: TryCryptoRng + ?Sized> OnCurve for Generate<'_, R> {
            type Output = Result<KeyPair, NoEntropy>;
            fn on<C: IcaoCurve>(self) -> Self::Output {
                Ok(KeyPair::of::<C>(&*random_scalar::<C>(self.0)?))
            }
        }
        curve.run(Generate(rng))
    }

    /// The key pair of a secret in big-endian form; leading zeros may be there or not.
    pub fn from_secret(curve: CurveId, secret: &[u8]) -> Result<Self, KeyFault> {
        struct FromSecret<'a>(&'a [u8]);
        impl OnCurve for FromSecret<'_> {
            type Output = Result<KeyPair, KeyFault>;
            fn on<C: IcaoCurve>(self) -> Self::Output {
                Ok(KeyPair::of::<C>(&*secret_scalar::<C>(self.0)?))
            }
        }
        curve.run(FromSecret(secret))
    }

    fn of<C: IcaoCurve>(secret: &Scalar<C>) -> Self {
        let point = ProjectivePoint::<C>::generator() * *secret;
        let mut repr = secret.to_repr();
        let kept = Zeroizing::new(repr.as_slice().to_vec());
        repr.as_mut_slice().zeroize();
        Self { curve: C::ID, secret: kept, public_key: encode_point::<C>(&point) }
    }

    /// The curve.
    pub fn curve(&self) -> CurveId {
        self.curve
    }

    /// The public key, uncompressed.
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// The x coordinate of the point shared with the owner of `other`.
    ///
    /// Always as long as the field: an integer of minimal length drops leading zeros, and with them about
    /// one agreement in 256.
    pub fn agree(&self, other: &[u8]) -> Result<Zeroizing<Vec<u8>>, PointFault> {
        let point = self.multiply(other)?;
        // 04, x, y.
        let x = point.get(1..1 + self.curve.field_bytes()).unwrap_or_default();
        Ok(Zeroizing::new(x.to_vec()))
    }

    /// The point shared with the owner of `other`, uncompressed.
    pub fn multiply(&self, other: &[u8]) -> Result<Zeroizing<Vec<u8>>, PointFault> {
        struct Multiply<'a>(&'a [u8], &'a [u8]);
        impl OnCurve for Multiply<'_> {
            type Output = Result<Zeroizing<Vec<u8>>, PointFault>;
            fn on<C: IcaoCurve>(self) -> Self::Output {
                let point = decode_point::<C>(self.1)?;
                let secret = secret_scalar::<C>(self.0).map_err(|_| PointFault::Infinity)?;
                let shared = Zeroizing::new(ProjectivePoint::<C>::from(point) * *secret);
                if bool::from(shared.is_identity()) {
                    return Err(PointFault::Infinity);
                }
                Ok(Zeroizing::new(encode_point::<C>(&shared)))
            }
        }
        if other == self.public_key {
            return Err(PointFault::Reflected);
        }
        self.curve.run(Multiply(&self.secret, other))
    }

    /// Signs a digest with ECDSA.
    pub fn sign(
        &self,
        digest: &[u8],
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<Signature, NoEntropy> {
        struct Sign<'a, R: ?Sized>(&'a [u8], &'a [u8], &'a mut R);
        impl<R: TryCryptoRng + ?Sized> OnCurve for Sign<'_, R> {
            type Output = Result<Signature, NoEntropy>;
            fn on<C: IcaoCurve>(self) -> Self::Output {
                let secret = secret_scalar::<C>(self.0).map_err(|_| NoEntropy)?;
                ecdsa::sign::<C>(&secret, self.1, self.2)
            }
        }
        self.curve.run(Sign(&self.secret, digest, rng))
    }
}

/// The curve only: keys are not for logs.
impl std::fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyPair").field("curve", &self.curve).finish_non_exhaustive()
    }
}

fn secret_scalar<C: IcaoCurve>(secret: &[u8]) -> Result<Zeroizing<Scalar<C>>, KeyFault> {
    let zeros = secret.iter().take_while(|byte| **byte == 0).count();
    let secret = secret.get(zeros..).unwrap_or_default();
    let mut padded = FieldBytes::<C>::default();
    let start = padded.len().checked_sub(secret.len()).ok_or(KeyFault)?;
    padded.get_mut(start..).ok_or(KeyFault)?.copy_from_slice(secret);
    let scalar = Scalar::<C>::from_repr(padded).into_option().map(Zeroizing::new);
    padded.as_mut_slice().zeroize();
    scalar.filter(|scalar| !bool::from(scalar.is_zero())).ok_or(KeyFault)
}
