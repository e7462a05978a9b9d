//! Which curve is meant by parameters that are spelled out.

use cccd_curve::CurveId;
use der::Decode as _;
use der::asn1::AnyRef;
use openssl::ec::{Asn1Flag, EcKey};
use openssl::pkey::PKey;
use proptest::prelude::*;

use crate::openssl_group as group;

/// The parameters as OpenSSL spells them out, cut from a public key.
fn spelled_out(curve: CurveId) -> Vec<u8> {
    let mut group = group(curve);
    group.set_asn1_flag(Asn1Flag::EXPLICIT_CURVE);
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let spki = key.public_key_to_der().unwrap();
    // SEQUENCE { SEQUENCE { OID, ECParameters }, BIT STRING }
    let outer = AnyRef::from_der(&spki).unwrap();
    let (algorithm, _) = AnyRef::from_der_partial(outer.value()).unwrap();
    let (_, rest) = AnyRef::from_der_partial(algorithm.value()).unwrap();
    rest.to_vec()
}

#[test]
fn every_curve_is_recognised_by_the_numbers_openssl_writes() {
    for &curve in CurveId::ALL {
        assert_eq!(CurveId::from_parameters(&spelled_out(curve)), Ok(curve), "{}", curve.name());
    }
}

#[test]
fn one_changed_byte_makes_it_another_curve_or_none() {
    // Only the seed and the cofactor's and version's spelling may be changed without consequence; here
    // none of the changes may yield a different known curve.
    let der = spelled_out(CurveId::BrainpoolP256r1);
    let refused = (0..der.len())
        .filter(|&at| {
            let mut changed = der.clone();
            changed[at] ^= 0x01;
            match CurveId::from_parameters(&changed) {
                Ok(CurveId::BrainpoolP256r1) => false,
                Ok(other) => panic!("byte {at} makes it {}", other.name()),
                Err(_) => true,
            }
        })
        .count();
    // All bytes of p, a, b, G and n: 32 * 6, and the tags and lengths.
    assert!(refused >= 192 + 12, "{refused} of {}", der.len());
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0_usize..250, value: u8) {
        let _ = CurveId::from_parameters(&bytes);
        let mut der = spelled_out(CurveId::NistP521);
        if let Some(byte) = der.get_mut(at) {
            *byte = value;
        }
        let _ = CurveId::from_parameters(&der);
    }
}
