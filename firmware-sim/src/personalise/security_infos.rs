//! EF.CardAccess, EF.CardSecurity, DG14 and DG15: what the chip offers, and the keys it proves itself with (ICAO 9303-11, 9.2;
//! 9303-10, 4.7.14 and 4.7.15; BSI TR-03110-3, A.1).

use openssl::error::ErrorStack;

use crate::image::{PaceOffer, SignatureHash};

use super::chip_keys::ChipKeys;
use super::der::{constructed, integer, oid, sequence, set_of, tlv, unsigned};
use super::description::{ChipPlan, Fingerprints};
use super::proof_plans::{ActiveAuthenticationKind, ChipAuthenticationInfo, ChipAuthenticationKind};

/// The bytes of EF.CardAccess; no file where the chip offers no PACE.
pub(super) fn card_access(plan: &ChipPlan, pace: &[PaceOffer]) -> Option<Vec<u8>> {
    (!pace.is_empty()).then(|| set_of(open_infos(plan, pace)))
}

/// The SecurityInfos of EF.CardSecurity, to be signed: what EF.CardAccess says, and the keys of chip
/// authentication mapping, each with the number of its domain parameters (ICAO 9303-11, 9.2.1 and 9.2.11). None
/// where the chip has no such key.
pub(super) fn card_security(
    plan: &ChipPlan,
    pace: &[PaceOffer],
    keys: &ChipKeys,
) -> Result<Option<Vec<u8>>, ErrorStack> {
    let mut publics = keys.mapping_publics().peekable();
    if publics.peek().is_none() {
        return Ok(None);
    }
    let mut infos = open_infos(plan, pace);
    for key in publics {
        let (curve, public) = key?;
        infos.push(sequence(&[bsi(&[1, 2]), public, integer(u32::from(curve.parameter_id()))]));
    }
    Ok(Some(set_of(infos)))
}

/// The bytes of DG14: what EF.CardAccess says, signed now, and the keys. No file where there is nothing to
/// say.
pub(super) fn data_group_14(
    plan: &ChipPlan,
    pace: &[PaceOffer],
    keys: &ChipKeys,
) -> Result<Option<Vec<u8>>, ErrorStack> {
    let mut infos = open_infos(plan, pace);
    for key in keys.agreement_publics() {
        let (plan, public) = key?;
        // ChipAuthenticationPublicKeyInfo, id-PK-DH or id-PK-ECDH.
        infos.push(sequence(&[&[bsi(&[1, key_arc(plan.kind)]), public][..], &id(plan.key_id)].concat()));
    }
    if let Some(active) = plan.active_authentication
        && let ActiveAuthenticationKind::Ecdsa { .. } = active.kind
    {
        // ActiveAuthenticationInfo: with ECDSA the hash must be told (ICAO 9303-11, 9.2.4), here by
        // ecdsa-plain-SHA1 to ecdsa-plain-SHA512 (BSI TR-03111, 5.2.1).
        let hash = match active.hash {
            SignatureHash::Sha1 => 1,
            SignatureHash::Sha224 => 2,
            SignatureHash::Sha256 => 3,
            SignatureHash::Sha384 => 4,
            SignatureHash::Sha512 => 5,
        };
        let signature = oid(&[0, 4, 0, 127, 0, 7, 1, 1, 4, 1, hash]);
        infos.push(sequence(&[oid(&[2, 23, 136, 1, 1, 5]), integer(1), signature]));
    }
    Ok((!infos.is_empty()).then(|| constructed(0x6E, &[set_of(infos)])))
}

/// The bytes of DG15.
pub(super) fn data_group_15(keys: &ChipKeys) -> Result<Option<Vec<u8>>, ErrorStack> {
    Ok(keys.active_public()?.map(|key| tlv(0x6F, &key)))
}

/// What is said in the open, and again under the signature.
fn open_infos(plan: &ChipPlan, pace: &[PaceOffer]) -> Vec<Vec<u8>> {
    let mut infos: Vec<Vec<u8>> = pace.iter().map(pace_info).collect();
    for key in &plan.chip_authentication {
        if key.info == ChipAuthenticationInfo::Present {
            let protocol = bsi(&[3, key_arc(key.kind), u32::from(key.cipher.arc())]);
            infos.push(sequence(&[&[protocol, integer(1)][..], &id(key.key_id)].concat()));
        }
    }
    if plan.fingerprints != Fingerprints::Absent {
        // TerminalAuthenticationInfo: there is something only terminals with a certificate may read.
        infos.push(sequence(&[bsi(&[2]), integer(1)]));
    }
    infos
}

/// PACEInfo, version 2, with standardised domain parameters (ICAO 9303-11, 9.2.1 and 9.5.1).
fn pace_info(offer: &PaceOffer) -> Vec<u8> {
    let protocol = bsi(&[4, u32::from(offer.arc()), u32::from(offer.cipher.arc())]);
    sequence(&[protocol, integer(2), integer(u32::from(offer.parameters.parameter_id()))])
}

/// The arc for the kind of key: DH or ECDH.
fn key_arc(kind: ChipAuthenticationKind) -> u32 {
    match kind {
        ChipAuthenticationKind::Dh(..) => 1,
        ChipAuthenticationKind::Ecdh(..) => 2,
    }
}

/// keyId, where there is one.
fn id(key_id: Option<u64>) -> Vec<Vec<u8>> {
    key_id.map(|id| unsigned(&id.to_be_bytes())).into_iter().collect()
}

/// An object identifier under bsi-de protocols smartcard, 0.4.0.127.0.7.2.2.
fn bsi(arcs: &[u32]) -> Vec<u8> {
    oid(&[&[0, 4, 0, 127, 0, 7, 2, 2], arcs].concat())
}

#[cfg(test)]
mod tests {
    use openssl::pkey::PKey;

    use super::*;
    use crate::image::{ActiveAuthenticationKey, NamedCurve, PaceCipher};
    use crate::personalise::{ActiveAuthenticationPlan, ChipAuthenticationPlan, EcdhKeyForm, ParentsNesting};

    const CHIP_AUTHENTICATION: ChipAuthenticationKind =
        ChipAuthenticationKind::Ecdh(NamedCurve::BrainpoolP256r1, EcdhKeyForm::Named);

    fn plan() -> ChipPlan {
        let active = ActiveAuthenticationKind::ecdsa(NamedCurve::NistP256);
        ChipPlan {
            parents: ParentsNesting::TwoSequences,
            fingerprints: Fingerprints::Listed,
            chip_authentication: vec![ChipAuthenticationPlan::standard(
                CHIP_AUTHENTICATION,
                PaceCipher::Aes128,
            )],
            active_authentication: Some(ActiveAuthenticationPlan::standard(active, SignatureHash::Sha256)),
        }
    }

    fn pace() -> [PaceOffer; 1] {
        [PaceOffer::ecdh_generic(PaceCipher::Aes128, NamedCurve::BrainpoolP256r1)]
    }

    #[test]
    fn card_access_is_the_constant_vendors_ship() {
        assert_eq!(
            card_access(&plan(), &pace()).unwrap(),
            [
                0x31, 0x34, // SET
                0x30, 0x0D, 0x06, 0x08, 0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x02, // TA
                0x02, 0x01, 0x01, // version 1
                0x30, 0x0F, 0x06, 0x0A, 0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x03, 0x02,
                0x02, // CA
                0x02, 0x01, 0x01, // version 1
                0x30, 0x12, 0x06, 0x0A, 0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x04, 0x02,
                0x02, // PACE
                0x02, 0x01, 0x02, 0x02, 0x01, 0x0D, // version 2, parameter 13
            ]
        );
    }

    #[test]
    fn what_is_said_in_the_open_is_found_again_under_the_signature() {
        let keys = ChipKeys::generate(&plan(), &pace()).unwrap();
        let group = data_group_14(&plan(), &pace(), &keys).unwrap().unwrap();
        for info in open_infos(&plan(), &pace()) {
            assert!(group.windows(info.len()).any(|window| window == info));
        }
    }

    #[test]
    fn the_keys_in_the_groups_are_those_of_the_chip_with_a_named_curve() {
        let keys = ChipKeys::generate(&plan(), &pace()).unwrap();
        let group_15 = data_group_15(&keys).unwrap().unwrap();
        let public = PKey::public_key_from_der(&group_15[2..]).unwrap();
        let Some(ActiveAuthenticationKey::Ecdsa(private, _)) =
            keys.proofs().active_authentication.map(|offer| offer.key)
        else {
            panic!("no ECDSA key");
        };
        assert!(public.public_eq(&*PKey::from_ec_key(private).unwrap()));
        // SubjectPublicKeyInfo of P-256: the curve is prime256v1 by name.
        let named = [0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
        assert_eq!(group_15[15..25], named);
    }

    #[test]
    fn several_keys_are_told_apart_by_their_numbers() {
        let key = |key_id, cipher| ChipAuthenticationPlan {
            key_id: Some(key_id),
            ..ChipAuthenticationPlan::standard(CHIP_AUTHENTICATION, cipher)
        };
        let plan = ChipPlan {
            chip_authentication: vec![key(1, PaceCipher::TripleDes), key(200, PaceCipher::Aes256)],
            ..plan()
        };
        let keys = ChipKeys::generate(&plan, &[]).unwrap();
        let group = data_group_14(&plan, &[], &keys).unwrap().unwrap();
        let infos =
            ["300F060A04007F000702020302 01 020101 020101", "301 3060A04007F000702020302 04 020101 020200C8"];
        for (info, head) in infos.iter().zip(["3012", "3013"]) {
            let body = info.replace(' ', "");
            let info = hex::decode(head.to_owned() + &body[4..]).unwrap();
            assert!(group.windows(info.len()).any(|window| window == info), "{body}");
        }
        // Two different points, each with the number behind it.
        let publics: Vec<_> = keys.agreement_publics().map(|key| key.unwrap().1).collect();
        assert_ne!(publics[0], publics[1]);
        for (public, number) in publics.iter().zip([&[2, 1, 1][..], &[2, 2, 0, 200]]) {
            let numbered = [&public[..], number].concat();
            assert!(group.windows(numbered.len()).any(|window| window == numbered));
        }
    }

    #[test]
    fn a_chip_with_nothing_to_say_has_neither_file() {
        let rsa = ActiveAuthenticationKind::rsa(1024);
        let plan = ChipPlan {
            fingerprints: Fingerprints::Absent,
            chip_authentication: Vec::new(),
            active_authentication: Some(ActiveAuthenticationPlan::standard(rsa, SignatureHash::Sha1)),
            ..plan()
        };
        let keys = ChipKeys::generate(&plan, &[]).unwrap();
        assert_eq!(card_access(&plan, &[]), None);
        assert_eq!(data_group_14(&plan, &[], &keys).unwrap(), None);
        assert!(data_group_15(&keys).unwrap().is_some());
    }
}
