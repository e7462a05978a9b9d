//! SubjectPublicKeyInfo of a chip's keys, in every form in which chips write them (RFC 5480; RFC 3279; PKCS#3;
//! BSI TR-03110-3, A.2).

use openssl::bn::{BigNum, BigNumContext, BigNumRef};
use openssl::ec::{EcGroup, PointConversionForm};
use openssl::error::ErrorStack;

use crate::image::{DomainParameters, ModpGroup, NamedCurve};

use super::der::{bits, integer, octets, oid, sequence, unsigned};
use super::proof_plans::{DhKeyForm, EcParameters, EcdhKeyForm};

/// A key for ECDSA.
pub(super) fn ecdsa(
    curve: NamedCurve,
    parameters: EcParameters,
    point: &[u8],
) -> Result<Vec<u8>, ErrorStack> {
    ecdh(
        curve,
        match parameters {
            EcParameters::Named => EcdhKeyForm::Named,
            EcParameters::Explicit => EcdhKeyForm::Explicit,
        },
        point,
    )
}

/// A key for ECDH: an uncompressed point.
pub(super) fn ecdh(curve: NamedCurve, form: EcdhKeyForm, point: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let algorithm = match form {
        EcdhKeyForm::Named => sequence(&[oid(EC_PUBLIC_KEY), named(curve)]),
        EcdhKeyForm::Explicit => sequence(&[oid(EC_PUBLIC_KEY), explicit(curve)?]),
        EcdhKeyForm::Standardised => standardised(DomainParameters::Curve(curve)),
    };
    Ok(sequence(&[algorithm, bits(point, 0)]))
}

/// A key for DH: a number.
pub(super) fn dh(group: ModpGroup, form: DhKeyForm, number: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let parameters = group.numbers()?;
    let prime = unsigned(&parameters.prime_p().to_vec());
    let generator = unsigned(&parameters.generator().to_vec());
    let order = parameters.prime_q().map(BigNumRef::to_vec).unwrap_or_default();
    let algorithm = match form {
        DhKeyForm::Pkcs3 => sequence(&[oid(DH_KEY_AGREEMENT), sequence(&[prime, generator])]),
        DhKeyForm::X942 => {
            sequence(&[oid(DH_PUBLIC_NUMBER), sequence(&[prime, generator, unsigned(&order)])])
        }
        DhKeyForm::Standardised => standardised(DomainParameters::Modp(group)),
    };
    Ok(sequence(&[algorithm, bits(&unsigned(number), 0)]))
}

/// id-ecPublicKey.
const EC_PUBLIC_KEY: &[u32] = &[1, 2, 840, 10045, 2, 1];
/// dhKeyAgreement.
const DH_KEY_AGREEMENT: &[u32] = &[1, 2, 840, 113_549, 1, 3, 1];
/// dhpublicnumber.
const DH_PUBLIC_NUMBER: &[u32] = &[1, 2, 840, 10046, 2, 1];

/// AlgorithmIdentifier of standardised domain parameters.
fn standardised(parameters: DomainParameters) -> Vec<u8> {
    sequence(&[oid(&[0, 4, 0, 127, 0, 7, 1, 2]), integer(u32::from(parameters.parameter_id()))])
}

fn named(curve: NamedCurve) -> Vec<u8> {
    // prime192v1 and prime256v1 are ANSI X9.62's; the other NIST curves are SECG's; brainpool is RFC 5639's.
    let brainpool = |last| oid(&[1, 3, 36, 3, 3, 2, 8, 1, 1, last]);
    match curve {
        NamedCurve::NistP192 => oid(&[1, 2, 840, 10045, 3, 1, 1]),
        NamedCurve::NistP224 => oid(&[1, 3, 132, 0, 33]),
        NamedCurve::NistP256 => oid(&[1, 2, 840, 10045, 3, 1, 7]),
        NamedCurve::NistP384 => oid(&[1, 3, 132, 0, 34]),
        NamedCurve::NistP521 => oid(&[1, 3, 132, 0, 35]),
        NamedCurve::BrainpoolP192r1 => brainpool(3),
        NamedCurve::BrainpoolP224r1 => brainpool(5),
        NamedCurve::BrainpoolP256r1 => brainpool(7),
        NamedCurve::BrainpoolP320r1 => brainpool(9),
        NamedCurve::BrainpoolP384r1 => brainpool(11),
        NamedCurve::BrainpoolP512r1 => brainpool(13),
    }
}

/// ECParameters, version 1 (ICAO 9303-11, Appendix I.1 shows those of brainpoolP256r1).
fn explicit(curve: NamedCurve) -> Result<Vec<u8>, ErrorStack> {
    let group = EcGroup::from_curve_name(curve.nid())?;
    let mut context = BigNumContext::new()?;
    let (mut p, mut a, mut b) = (BigNum::new()?, BigNum::new()?, BigNum::new()?);
    group.components_gfp(&mut p, &mut a, &mut b, &mut context)?;
    let (mut order, mut cofactor) = (BigNum::new()?, BigNum::new()?);
    group.order(&mut order, &mut context)?;
    group.cofactor(&mut cofactor, &mut context)?;
    let field = p.num_bytes();
    let generator = group
        .generator_opt()
        .map(|point| point.to_bytes(&group, PointConversionForm::UNCOMPRESSED, &mut context))
        .transpose()?
        .unwrap_or_default();
    Ok(sequence(&[
        integer(1),
        sequence(&[oid(&[1, 2, 840, 10045, 1, 1]), unsigned(&p.to_vec())]),
        sequence(&[octets(&a.to_vec_padded(field)?), octets(&b.to_vec_padded(field)?)]),
        octets(&generator),
        unsigned(&order.to_vec()),
        unsigned(&cofactor.to_vec()),
    ]))
}

#[cfg(test)]
mod tests {
    use openssl::pkey::PKey;

    use super::*;

    /// A public key on every curve: its generator.
    fn generator(curve: NamedCurve) -> Vec<u8> {
        let group = EcGroup::from_curve_name(curve.nid()).unwrap();
        let mut context = BigNumContext::new().unwrap();
        let point = group.generator_opt().unwrap();
        point.to_bytes(&group, PointConversionForm::UNCOMPRESSED, &mut context).unwrap()
    }

    #[test]
    fn openssl_reads_named_and_explicit_curves_alike() {
        for curve in NamedCurve::all() {
            let point = generator(curve);
            for form in [EcdhKeyForm::Named, EcdhKeyForm::Explicit] {
                let key = PKey::public_key_from_der(&ecdh(curve, form, &point).unwrap()).unwrap();
                let key = key.ec_key().unwrap();
                let mut context = BigNumContext::new().unwrap();
                let group = key.group();
                let read = key
                    .public_key()
                    .to_bytes(group, PointConversionForm::UNCOMPRESSED, &mut context)
                    .unwrap();
                assert_eq!(read, point, "{curve:?} {form:?}");
                let mut order = BigNum::new().unwrap();
                group.order(&mut order, &mut context).unwrap();
                assert_eq!(usize::try_from(order.num_bits()).unwrap(), curve.order_bits());
            }
        }
    }

    #[test]
    fn explicit_brainpool_is_that_of_the_standard() {
        // ICAO 9303-11, Appendix I.1, the domain parameters.
        let written = explicit(NamedCurve::BrainpoolP256r1).unwrap();
        assert_eq!(
            hex::encode_upper(written),
            "3081E0020101302C06072A8648CE3D0101022100A9FB57DBA1EEA9BC3E660A909D838D726E3BF623D52620282013481D\
             1F6E5377304404207D5A0975FC2C3057EEF67530417AFFE7FB8055C126DC5C6CE94A4B44F330B5D9042026DC5C6CE94A\
             4B44F330B5D9BBD77CBF958416295CF7E1CE6BCCDC18FF8C07B60441048BD2AEB9CB7E57CB2C4B482FFC81B7AFB9DE27\
             E1E3BD23C23A4453BD9ACE3262547EF835C3DAC4FD97F8461A14611DC9C27745132DED8E545C1D54C72F046997022100\
             A9FB57DBA1EEA9BC3E660A909D838D718C397AA3B561A6F7901E0E82974856A7020101"
        );
    }

    #[test]
    fn a_key_with_standardised_parameters_is_that_of_the_standard() {
        // ICAO 9303-11, Appendix I.1, the SubjectPublicKeyInfo of the ChipAuthenticationPublicKeyInfo.
        let point =
            "0418727094 94399E7470A6431BE25E83EEE24FEA568C2ED28DB48E05DB3A610DC884D256A40E35EFCB59BF6753\
                     D3A489D28C7A4D973C2DA138A6E7A4A08F68E16F"
                .replace(' ', "");
        let point = hex::decode(point).unwrap();
        let written = ecdh(NamedCurve::BrainpoolP256r1, EcdhKeyForm::Standardised, &point).unwrap();
        let head = "3052300C060704007F000701020201 0D034200".replace(' ', "");
        assert_eq!(hex::encode_upper(written), head + &hex::encode_upper(&point));
    }

    #[test]
    fn openssl_reads_both_written_forms_of_dh() {
        for group in ModpGroup::all() {
            let parameters = group.numbers().unwrap();
            let number = parameters.generator().to_vec();
            for form in [DhKeyForm::Pkcs3, DhKeyForm::X942] {
                let key = PKey::public_key_from_der(&dh(group, form, &number).unwrap()).unwrap();
                let key = key.dh().unwrap();
                assert_eq!(key.prime_p(), parameters.prime_p(), "{group:?} {form:?}");
                assert_eq!(key.generator(), parameters.generator());
                assert_eq!(key.public_key().to_vec(), number);
            }
            let named = dh(group, DhKeyForm::Standardised, &number).unwrap();
            let id = [0x02, 0x01, group.parameter_id()];
            let head = [&[0x30, 0x0C, 0x06, 0x07, 4, 0, 0x7F, 0, 7, 1, 2][..], &id].concat();
            assert!(named.windows(head.len()).any(|window| window == head));
        }
    }
}
