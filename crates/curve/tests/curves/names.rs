//! Which curve is meant by a name and by a number.

use cccd_curve::{CurveId, UnknownCurve};
use const_oid::ObjectIdentifier;

/// `standardizedDomainParameters`.
const STANDARDISED: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.4.0.127.0.7.1.2");

#[test]
fn every_curve_is_found_by_name_and_by_number() {
    for &curve in CurveId::ALL {
        assert_eq!(CurveId::from_oid(curve.oid()), Some(curve));
        assert_eq!(CurveId::from_parameter_id(curve.parameter_id().into()), Some(curve));
    }
    assert_eq!(
        CurveId::ALL.iter().map(|c| c.parameter_id()).collect::<Vec<_>>(),
        (8..=18).collect::<Vec<_>>()
    );
    assert_eq!(CurveId::from_parameter_id(7), None);
    assert_eq!(CurveId::from_parameter_id(19), None);
    // secp256k1.
    let foreign = ObjectIdentifier::new_unwrap("1.3.132.0.10");
    let der = [&[0x06, 0x05][..], foreign.as_bytes()].concat();
    assert_eq!(CurveId::from_parameters(&der), Err(UnknownCurve::Name(foreign)));
    assert_eq!(CurveId::from_parameters(&[0x05, 0x00]), Err(UnknownCurve::Unstated));
    assert_eq!(CurveId::from_parameters(&[]), Err(UnknownCurve::Unstated));
}

#[test]
fn an_algorithm_may_name_its_curve_by_number() {
    let found = |parameters: &[u8]| CurveId::from_algorithm(STANDARDISED, Some(parameters));
    assert_eq!(found(&[0x02, 0x01, 0x0D]), Ok(CurveId::BrainpoolP256r1));
    // Number 2 is a group modulo a prime.
    assert_eq!(found(&[0x02, 0x01, 0x02]), Err(UnknownCurve::Unstated));
    assert_eq!(CurveId::from_algorithm(STANDARDISED, None), Err(UnknownCurve::Unstated));
    let ec = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
    let p256 = [0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
    assert_eq!(CurveId::from_algorithm(ec, Some(&p256)), Ok(CurveId::NistP256));
}
