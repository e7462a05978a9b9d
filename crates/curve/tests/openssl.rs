//! Every curve against OpenSSL: the same numbers, the same points, the same signatures.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of these tests fail a test by panicking, like the tests themselves"
)]

use cccd_curve::ecdsa::{self, EcdsaFault};
use cccd_curve::{CurveId, KeyPair, PointFault};
use getrandom::SysRng;
use openssl::bn::{BigNum, BigNumContext};
use openssl::derive::Deriver;
use openssl::ec::{EcGroup, EcKey, EcPoint, PointConversionForm};
use openssl::ecdsa::EcdsaSig;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};

fn group(curve: CurveId) -> EcGroup {
    let nid = match curve {
        CurveId::NistP192 => Nid::X9_62_PRIME192V1,
        CurveId::BrainpoolP192r1 => Nid::BRAINPOOL_P192R1,
        CurveId::NistP224 => Nid::SECP224R1,
        CurveId::BrainpoolP224r1 => Nid::BRAINPOOL_P224R1,
        CurveId::NistP256 => Nid::X9_62_PRIME256V1,
        CurveId::BrainpoolP256r1 => Nid::BRAINPOOL_P256R1,
        CurveId::BrainpoolP320r1 => Nid::BRAINPOOL_P320R1,
        CurveId::NistP384 => Nid::SECP384R1,
        CurveId::BrainpoolP384r1 => Nid::BRAINPOOL_P384R1,
        CurveId::BrainpoolP512r1 => Nid::BRAINPOOL_P512R1,
        CurveId::NistP521 => Nid::SECP521R1,
    };
    EcGroup::from_curve_name(nid).unwrap()
}

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
