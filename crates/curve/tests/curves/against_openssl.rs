//! Every curve against OpenSSL: the same numbers, the same points, the same signatures.

use cccd_curve::ecdsa::{self, EcdsaFault};
use cccd_curve::{CurveId, KeyPair, PointFault};
use getrandom::SysRng;
use openssl::bn::{BigNum, BigNumContext};
use openssl::derive::Deriver;
use openssl::ec::{EcGroup, EcKey, EcPoint, PointConversionForm};
use openssl::ecdsa::EcdsaSig;
use openssl::pkey::{PKey, Private};

use crate::openssl_group as group;

fn point_bytes(group: &EcGroup, key: &EcKey<Private>) -> Vec<u8> {
    let mut context = BigNumContext::new().unwrap();
    key.public_key().to_bytes(group, PointConversionForm::UNCOMPRESSED, &mut context).unwrap()
}

#[test]
fn each_curve_agrees_with_openssl_on_public_keys_and_shared_secrets() {
    for &curve in CurveId::ALL {
        let group = group(curve);
        for _ in 0..3 {
            let theirs = EcKey::generate(&group).unwrap();
            let their_public = point_bytes(&group, &theirs);
            // The same secret gives the same public key.
            let same = KeyPair::from_secret(curve, &theirs.private_key().to_vec()).unwrap();
            assert_eq!(same.public_key(), their_public, "{}", curve.name());
            // Both sides agree.
            let ours = KeyPair::generate(curve, &mut SysRng).unwrap();
            let mut context = BigNumContext::new().unwrap();
            let our_point = EcPoint::from_bytes(&group, ours.public_key(), &mut context).unwrap();
            let our_point = PKey::from_ec_key(EcKey::from_public_key(&group, &our_point).unwrap()).unwrap();
            let theirs = PKey::from_ec_key(theirs).unwrap();
            let mut deriver = Deriver::new(&theirs).unwrap();
            deriver.set_peer(&our_point).unwrap();
            let expected = deriver.derive_to_vec().unwrap();
            let shared = ours.agree(&their_public).unwrap();
            assert_eq!(*shared, expected, "{}", curve.name());
            assert_eq!(shared.len(), curve.field_bytes());
        }
    }
}

#[test]
fn each_curve_verifies_what_openssl_signs_and_the_other_way_round() {
    for &curve in CurveId::ALL {
        let group = group(curve);
        let key = EcKey::generate(&group).unwrap();
        let public = point_bytes(&group, &key);
        // Shorter than the order, as long, and longer: then it is cut, for P-521 in the middle of a byte.
        for length in [20, 28, 32, 48, 64, 96] {
            let mut digest = vec![0xA7; length];
            openssl::rand::rand_bytes(&mut digest).unwrap();
            let signature = EcdsaSig::sign(&digest, &key).unwrap();
            let (r, s) = (signature.r().to_vec(), signature.s().to_vec());
            assert_eq!(ecdsa::verify(curve, &public, &digest, &r, &s), Ok(()), "{} {length}", curve.name());
            let padded = [&[0, 0][..], &r].concat();
            assert_eq!(ecdsa::verify(curve, &public, &digest, &padded, &s), Ok(()));

            digest[3] ^= 1;
            assert_eq!(ecdsa::verify(curve, &public, &digest, &r, &s), Err(EcdsaFault::Mismatch));
            digest[3] ^= 1;
            assert_ne!(ecdsa::verify(curve, &public, &digest, &s, &r), Ok(()));

            let ours = KeyPair::from_secret(curve, &key.private_key().to_vec()).unwrap();
            let made = ours.sign(&digest, &mut SysRng).unwrap();
            let made = EcdsaSig::from_private_components(
                BigNum::from_slice(&made.r).unwrap(),
                BigNum::from_slice(&made.s).unwrap(),
            );
            assert!(made.unwrap().verify(&digest, &key).unwrap(), "{} {length}", curve.name());
        }
    }
}

/// What verification computes is `u1·G + u2·Q`: a signature that makes it compute just that, or none where that is
/// infinity. As numbers: r, s and the digest.
struct Chosen {
    r: Vec<u8>,
    s: Vec<u8>,
    digest: Vec<u8>,
    is_infinity: bool,
}

fn number(value: u32) -> BigNum {
    BigNum::from_u32(value).unwrap()
}

fn order(group: &EcGroup) -> BigNum {
    let mut order = BigNum::new().unwrap();
    group.order(&mut order, &mut BigNumContext::new().unwrap()).unwrap();
    order
}

fn chosen(group: &EcGroup, u1: &BigNum, u2: &BigNum, key: &EcPoint) -> Chosen {
    let mut context = BigNumContext::new().unwrap();
    let n = order(group);
    let mut point = EcPoint::new(group).unwrap();
    point.mul_full(group, u1, key, u2, &mut context).unwrap();
    let is_infinity = point.is_infinity(group);
    let (mut x, mut y) = (number(1), number(0));
    if !is_infinity {
        point.affine_coordinates(group, &mut x, &mut y, &mut context).unwrap();
    }
    let (mut r, mut inverse, mut s, mut e) = (number(0), number(0), number(0), number(0));
    r.nnmod(&x, &n, &mut context).unwrap();
    inverse.mod_inverse(u2, &n, &mut context).unwrap();
    s.mod_mul(&r, &inverse, &n, &mut context).unwrap();
    e.mod_mul(u1, &s, &n, &mut context).unwrap();
    // Of a digest the leftmost bits count, as many as the order has.
    let unused = n.num_bytes() * 8 - n.num_bits();
    let mut digest = number(0);
    digest.lshift(&e, unused).unwrap();
    let digest = digest.to_vec_padded(n.num_bytes()).unwrap();
    Chosen { r: r.to_vec(), s: s.to_vec(), digest, is_infinity }
}

#[test]
fn sums_that_meet_equal_and_opposite_points_are_those_of_openssl() {
    for &curve in CurveId::ALL {
        let group = group(curve);
        let mut context = BigNumContext::new().unwrap();
        let n = order(&group);
        let below = |less: u32| &n - &number(less);
        let mut any = BigNum::new().unwrap();
        n.rand_range(&mut any).unwrap();
        let mut infinities = 0;
        // Keys that are small multiples of the generator, and their opposites: what is added is there already.
        for secret in [number(1), number(2), number(3), number(31), below(1), below(2), below(16)] {
            let mut key = EcPoint::new(&group).unwrap();
            key.mul_generator2(&group, &secret, &mut context).unwrap();
            let public = key.to_bytes(&group, PointConversionForm::UNCOMPRESSED, &mut context).unwrap();
            for u1 in [number(0), number(1), number(2), number(63), below(1), any.to_owned().unwrap()] {
                for u2 in [number(1), number(2), number(15), number(32), below(1)] {
                    let Chosen { r, s, mut digest, is_infinity } = chosen(&group, &u1, &u2, &key);
                    let outcome = ecdsa::verify(curve, &public, &digest, &r, &s);
                    let label = format!("{}: {u1:?} G + {u2:?} times {secret:?} G", curve.name());
                    let expected = if is_infinity { Err(EcdsaFault::Mismatch) } else { Ok(()) };
                    assert_eq!(outcome, expected, "{label}");
                    infinities += usize::from(is_infinity);
                    digest[1] ^= 0x10;
                    assert_eq!(ecdsa::verify(curve, &public, &digest, &r, &s), Err(EcdsaFault::Mismatch));
                }
            }
        }
        assert!(infinities >= 4, "{}: {infinities}", curve.name());
    }
}

#[test]
fn an_x_coordinate_above_the_order_is_compared_without_it() {
    for &curve in CurveId::ALL {
        let group = group(curve);
        let mut context = BigNumContext::new().unwrap();
        let n = order(&group);
        // The first point above the order. Its x coordinate less the order is what a signature would say.
        let (above, key) = (1..)
            .find_map(|above| {
                let x = (&n + &number(above)).to_vec_padded(i32::try_from(curve.field_bytes()).unwrap());
                let bytes = [vec![2], x.unwrap()].concat();
                Some((above, EcPoint::from_bytes(&group, &bytes, &mut context).ok()?))
            })
            .unwrap();
        let public = key.to_bytes(&group, PointConversionForm::UNCOMPRESSED, &mut context).unwrap();
        let Chosen { r, s, digest, .. } = chosen(&group, &number(0), &number(1), &key);
        assert_eq!(r, number(above).to_vec(), "{}", curve.name());
        assert_eq!(ecdsa::verify(curve, &public, &digest, &r, &s), Ok(()), "{}", curve.name());
        let next = number(above + 1).to_vec();
        assert_eq!(ecdsa::verify(curve, &public, &digest, &next, &next), Err(EcdsaFault::Mismatch));
    }
}

#[test]
fn numbers_out_of_range_are_no_signature_and_no_key() {
    for &curve in CurveId::ALL {
        let group = group(curve);
        let key = EcKey::generate(&group).unwrap();
        let public = point_bytes(&group, &key);
        let mut context = BigNumContext::new().unwrap();
        let mut order = BigNum::new().unwrap();
        group.order(&mut order, &mut context).unwrap();
        let order = order.to_vec();
        let good = [1];
        let too_long = [&[1][..], &order].concat();
        for bad in [&[][..], &[0], &[0; 80], &order, &too_long] {
            assert_eq!(ecdsa::verify(curve, &public, &[1; 32], bad, &good), Err(EcdsaFault::Range));
            assert_eq!(ecdsa::verify(curve, &public, &[1; 32], &good, bad), Err(EcdsaFault::Range));
            assert!(KeyPair::from_secret(curve, bad).is_err());
        }
        let mut off = public.clone();
        *off.last_mut().unwrap() ^= 1;
        let fault = EcdsaFault::PublicKey(PointFault::NotOnCurve);
        assert_eq!(ecdsa::verify(curve, &off, &[1; 32], &good, &good), Err(fault));
        let ours = KeyPair::generate(curve, &mut SysRng).unwrap();
        assert_eq!(ours.agree(&off), Err(PointFault::NotOnCurve));
        assert_eq!(ours.agree(ours.public_key()), Err(PointFault::Reflected));
        assert_eq!(ours.agree(&public[1..]), Err(PointFault::Encoding));
    }
}
