//! An elliptic curve as a group.

use std::marker::PhantomData;

use cccd_card::tlv::Tag;
use cccd_curve::{IcaoCurve, PointFault, decode_point, encode_point, random_scalar, scalar_of};
use elliptic_curve::ff::{Field, PrimeField};
use elliptic_curve::group::Group as _;
use elliptic_curve::hazmat::FieldArithmetic;
use elliptic_curve::ops::Invert;
use elliptic_curve::point::AffineCoordinates;
use elliptic_curve::subtle::{ConditionallySelectable, ConstantTimeEq};
use elliptic_curve::{AffinePoint, FieldBytes, ProjectivePoint, Scalar};
use zeroize::Zeroizing;

use super::{Group, PublicKeyFault};
use crate::entropy::{Draws, Entropy, NoEntropy};

type FieldElement<C> = <C as FieldArithmetic>::FieldElement;

/// The curve `C`.
pub(crate) struct Elliptic<C>(PhantomData<C>);

impl<C> Elliptic<C> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<C: IcaoCurve> Group for Elliptic<C> {
    type Number = Scalar<C>;
    type Element = Zeroizing<ProjectivePoint<C>>;

    const PUBLIC_KEY_TAG: Tag = Tag(0x86);

    fn draw(&self, entropy: &mut dyn Entropy) -> Result<Zeroizing<Scalar<C>>, NoEntropy> {
        random_scalar::<C>(&mut Draws(entropy)).map_err(|_| NoEntropy)
    }

    fn number(&self, bytes: &[u8]) -> Zeroizing<Scalar<C>> {
        scalar_of::<C>(bytes)
    }

    fn generator(&self) -> Self::Element {
        Zeroizing::new(ProjectivePoint::<C>::generator())
    }

    fn repeat(&self, element: &Self::Element, times: &Scalar<C>) -> Self::Element {
        Zeroizing::new(**element * *times)
    }

    fn combine(&self, one: &Self::Element, other: &Self::Element) -> Self::Element {
        Zeroizing::new(**one + **other)
    }

    fn is_neutral(&self, element: &Self::Element) -> bool {
        element.is_identity().into()
    }

    fn decode(&self, bytes: &[u8]) -> Result<Self::Element, PublicKeyFault> {
        match decode_point::<C>(bytes) {
            Ok(point) => Ok(Zeroizing::new(point.into())),
            Err(PointFault::NotOnCurve | PointFault::Infinity) => Err(PublicKeyFault::NotInGroup),
            Err(_) => Err(PublicKeyFault::Encoding),
        }
    }

    fn encode(&self, element: &Self::Element) -> Vec<u8> {
        encode_point::<C>(element)
    }

    fn shared_secret(&self, element: &Self::Element) -> Zeroizing<Vec<u8>> {
        let x = Zeroizing::new(element.to_affine().x());
        Zeroizing::new(x.to_vec())
    }

    fn compress(&self, public: &[u8]) -> Vec<u8> {
        // 04, x, y.
        public.get(1..1 + FieldBytes::<C>::default().len()).unwrap_or_default().to_vec()
    }

    fn prime_bits(&self) -> usize {
        usize::try_from(FieldElement::<C>::NUM_BITS).unwrap_or(usize::MAX)
    }

    /// The point encoding of 4.4.3.3.2 (Brier, Coron, Icart, Madore, Randriam, Tibouchi), for p = 3 mod 4. No
    /// branch hangs on the nonce.
    fn map_integrated(&self, pseudo_random: &[u8]) -> Option<Self::Element> {
        let exponent = square_root_exponent::<C>()?;
        let (a, b) = (C::EQUATION_A, C::EQUATION_B);
        let one = FieldElement::<C>::ONE;
        let t = field_element::<C>(pseudo_random);
        let right_side = |x: FieldElement<C>| x * x * x + a * x + b;

        // 1: alpha = -t^2
        let alpha = -t.square();
        // 2: X2 = -b / a * (1 + 1 / (alpha + alpha^2))
        let inverse = |number: FieldElement<C>| Invert::invert(&number).into_option();
        let x2 = -b * inverse(a)? * (one + inverse(alpha + alpha.square())?);
        // 3: X3 = alpha * X2
        let x3 = alpha * x2;
        // 4 to 6
        let h2 = right_side(x2);
        let h3 = right_side(x3);
        let u = t.square() * t * h2;
        // 7: A = h2^(p - 1 - (p + 1) / 4), which is one through the root, if h2 has one
        let root = h2.pow_vartime(&exponent);
        let reciprocal = inverse(root)?;
        // 8: (X2, A h2) if A^2 h2 = 1, (X3, A U) otherwise
        let is_square = (reciprocal.square() * h2).ct_eq(&one);
        let x = FieldElement::<C>::conditional_select(&x3, &x2, is_square);
        let y = FieldElement::<C>::conditional_select(&(reciprocal * u), &(reciprocal * h2), is_square);
        // The encoding itself says that the point is on the curve; should it not be, there is none.
        debug_assert_eq!(right_side(x3), h3);
        let point = AffinePoint::<C>::from_coordinates(&x.to_repr(), &y.to_repr()).into_option()?;
        Some(Zeroizing::new(ProjectivePoint::<C>::from(point)))
    }
}

/// A big-endian number modulo the field's prime, however long it is.
fn field_element<C: IcaoCurve>(number: &[u8]) -> FieldElement<C> {
    let base = FieldElement::<C>::from(256);
    number
        .iter()
        .fold(FieldElement::<C>::ZERO, |sum, &byte| sum * base + FieldElement::<C>::from(u64::from(byte)))
}

/// (p + 1) / 4, in words of which the least significant comes first; `None` unless p = 3 mod 4. Of the curves
/// of table 6 only P-224 is left out, as the standard leaves it out.
fn square_root_exponent<C: IcaoCurve>() -> Option<Vec<u64>> {
    let minus_one: FieldBytes<C> = (-FieldElement::<C>::ONE).to_repr();
    let mut words: Vec<u64> = minus_one
        .as_slice()
        .rchunks(8)
        .map(|chunk| chunk.iter().fold(0, |word, &byte| word << 8 | u64::from(byte)))
        .collect();
    // p - 1 = 2 mod 4
    if words.first()? & 3 != 2 {
        return None;
    }
    let mut carry = 0;
    for word in words.iter_mut().rev() {
        let low = *word & 3;
        *word = *word >> 2 | carry << 62;
        carry = low;
    }
    // (p + 1) / 4 is (p - 3) / 4 + 1; p is no Mersenne prime of whole words but P-521, whose lowest word
    // overflows.
    for word in &mut words {
        let (sum, overflow) = word.overflowing_add(1);
        *word = sum;
        if !overflow {
            break;
        }
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use cccd_curve::{BrainpoolP256r1, CurveId, NistP224, NistP256, NistP521, OnCurve};

    use super::*;
    use crate::testing::hex;

    #[test]
    fn the_worked_example_of_the_point_encoding() {
        // ICAO 9303-11, Appendix H.1: Rp(s,t) and the mapped generator.
        let pseudo_random = hex("A2F8FF2DF50E52C6599F386ADCB595D229F6A167ADE2BE5F2C3296ADD5B7430E");
        let group = Elliptic::<BrainpoolP256r1>::new();
        let mapped = group.map_integrated(&pseudo_random).unwrap();
        assert_eq!(
            group.encode(&mapped),
            hex("04 8E82D31559ED0FDE92A4D0498ADD3C23BABA94FB77691E31E90AEA77FB17D427
                 4C1AE14BD0C3DBAC0C871B7F3608169364437CA30AC243A089D3F266C1E60FAD")
        );
    }

    #[test]
    fn every_curve_but_p_224_has_an_encoding_and_it_is_on_the_curve() {
        struct Encode(u8);
        impl OnCurve for Encode {
            type Output = Option<Vec<u8>>;
            fn on<C: IcaoCurve>(self) -> Self::Output {
                let group = Elliptic::<C>::new();
                let point = group.map_integrated(&[self.0; 80])?;
                assert!(group.decode(&group.encode(&point)).is_ok());
                Some(group.encode(&point))
            }
        }
        for &curve in CurveId::ALL {
            for seed in 1..=8 {
                assert_eq!(curve.run(Encode(seed)).is_some(), curve != CurveId::NistP224, "{curve:?}");
            }
            // Zero has no image: the inverse of alpha + alpha^2 is missing.
            assert_eq!(curve.run(Encode(0)), None);
        }
        assert!(square_root_exponent::<NistP224>().is_none());
    }

    #[test]
    fn the_exponent_takes_square_roots() {
        fn roots<C: IcaoCurve>() {
            let exponent = square_root_exponent::<C>().unwrap();
            for n in 2..20 {
                let square = FieldElement::<C>::from(n).square();
                assert_eq!(square.pow_vartime(&exponent).square(), square);
            }
        }
        roots::<NistP256>();
        roots::<BrainpoolP256r1>();
        roots::<NistP521>();
    }

    #[test]
    fn what_is_no_point_of_the_curve_is_refused() {
        let group = Elliptic::<NistP256>::new();
        let point = group.encode(&group.generator());
        let fault = |bytes: &[u8]| group.decode(bytes).err();
        assert_eq!(fault(&point), None);
        let mut off = point.clone();
        off[64] ^= 1;
        assert_eq!(fault(&off), Some(PublicKeyFault::NotInGroup));
        assert_eq!(fault(&[]), Some(PublicKeyFault::Encoding));
        assert_eq!(fault(&[0]), Some(PublicKeyFault::Encoding));
        assert_eq!(fault(&[&[0x04][..], &[0; 64]].concat()), Some(PublicKeyFault::NotInGroup));
        assert_eq!(fault(&point[..64]), Some(PublicKeyFault::Encoding));
        assert_eq!(fault(&[&point[..], &[0]].concat()), Some(PublicKeyFault::Encoding));
        let mut compressed = point[..33].to_vec();
        compressed[0] = 0x02 | (point[64] & 1);
        assert_eq!(fault(&compressed), Some(PublicKeyFault::Encoding));
        // A point of another curve of the same width.
        let other = Elliptic::<BrainpoolP256r1>::new();
        assert_eq!(fault(&other.encode(&other.generator())), Some(PublicKeyFault::NotInGroup));
    }

    #[test]
    fn a_long_nonce_counts_modulo_the_order() {
        let group = Elliptic::<NistP256>::new();
        let order = hex("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551");
        assert!(group.is_neutral(&group.repeat(&group.generator(), &group.number(&order))));
        // 2^256 takes 33 bytes, one more than the order.
        let mut power = [0; 33];
        power[0] = 1;
        let all_ones = *group.number(&[0xFF; 32]);
        assert_eq!(*group.number(&power), all_ones + Scalar::<NistP256>::ONE);
    }
}
