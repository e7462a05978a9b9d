//! Curves that are spelled out (ANSI X9.62, 6.3; RFC 3279, 2.3.5).

use const_oid::ObjectIdentifier;
use der::asn1::{BitStringRef, OctetStringRef, UintRef};
use der::{Decode, Sequence};
use elliptic_curve::bigint::Encoding;
use elliptic_curve::ff::PrimeField;
use primeorder::PrimeCurveParams;

use crate::curve_id::{CurveId, IcaoCurve, OnCurve, UnknownCurve};

/// prime-field.
const PRIME_FIELD: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.1.1");

#[derive(Sequence)]
struct EcParameters<'a> {
    version: u8,
    field: FieldId<'a>,
    curve: Equation<'a>,
    base: &'a OctetStringRef,
    order: UintRef<'a>,
    #[asn1(optional = "true")]
    cofactor: Option<UintRef<'a>>,
}

#[derive(Sequence)]
struct FieldId<'a> {
    kind: ObjectIdentifier,
    /// Only a prime field has an INTEGER here.
    prime: UintRef<'a>,
}

#[derive(Sequence)]
struct Equation<'a> {
    a: &'a OctetStringRef,
    b: &'a OctetStringRef,
    #[asn1(optional = "true")]
    seed: Option<BitStringRef<'a>>,
}

/// The known curve that an ECParameters sequence describes. Every number must be its number; only the seed,
/// which enters no computation, is not looked at.
pub(crate) fn known_curve(der: &[u8]) -> Result<CurveId, UnknownCurve> {
    let parameters = EcParameters::from_der(der).map_err(|_| UnknownCurve::Unstated)?;
    // A curve of cofactor 1 may leave it unsaid.
    let cofactor_is_one = parameters.cofactor.is_none_or(|cofactor| trimmed(cofactor.as_bytes()) == [1]);
    if parameters.field.kind != PRIME_FIELD || !(1..=3).contains(&parameters.version) || !cofactor_is_one {
        return Err(UnknownCurve::Explicit);
    }
    let stated = Stated {
        prime: trimmed(parameters.field.prime.as_bytes()),
        a: trimmed(parameters.curve.a.as_bytes()),
        b: trimmed(parameters.curve.b.as_bytes()),
        base: parameters.base.as_bytes(),
        order: trimmed(parameters.order.as_bytes()),
    };
    CurveId::ALL.iter().copied().find(|known| known.run(stated)).ok_or(UnknownCurve::Explicit)
}

/// The numbers as stated, without leading zeros.
#[derive(Clone, Copy)]
struct Stated<'a> {
    prime: &'a [u8],
    a: &'a [u8],
    b: &'a [u8],
    base: &'a [u8],
    order: &'a [u8],
}

impl OnCurve for Stated<'_> {
    type Output = bool;

    fn on<C: IcaoCurve>(self) -> bool {
        let order = C::ORDER.as_ref().to_be_bytes();
        let minus_one =
            (-<C as elliptic_curve::hazmat::FieldArithmetic>::FieldElement::from(1_u64)).to_repr();
        // The prime is odd, so that adding one to it less one carries nothing.
        let mut prime = minus_one.to_vec();
        if let Some(last) = prime.last_mut() {
            *last |= 1;
        }
        self.order == trimmed(order.as_ref())
            && self.prime == trimmed(&prime)
            && self.a == trimmed(&C::EQUATION_A.to_repr())
            && self.b == trimmed(&C::EQUATION_B.to_repr())
            && self.is_generator::<C>()
    }
}

impl Stated<'_> {
    /// Whether the base point is the curve's own, uncompressed or compressed (TR-03111, 3.2).
    fn is_generator<C: PrimeCurveParams>(&self) -> bool {
        let (x, y) = C::GENERATOR;
        let (x, odd, y) = (x.to_repr(), bool::from(y.is_odd()), y.to_repr());
        match self.base.split_first() {
            Some((0x04, rest)) => rest.strip_prefix(x.as_slice()) == Some(y.as_slice()),
            Some((sign @ (0x02 | 0x03), rest)) => rest == x.as_slice() && (*sign == 0x03) == odd,
            _ => false,
        }
    }
}

fn trimmed(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}
