//! PACE with chip authentication mapping judged (ICAO 9303-11, 4.4.3.5).

use cccd_curve::{CurveId, KeyPair};
use cccd_document::{ChipAuthenticationMappingRun, Evidence, FileId, Mapping, ProofOutcome, SecurityInfos};
use subtle::ConstantTimeEq;

use super::card_access::mapping_of;
use super::{CardSecurity, Options};
use crate::signature::curve_of;
use crate::{Check, CheckName, CheckState, Reason};

pub(super) fn check(evidence: &Evidence, options: &Options, card_security: &CardSecurity) -> Check {
    let name = CheckName::ChipAuthenticationMapping;
    let run = match &evidence.proofs.chip_authentication_mapping {
        ProofOutcome::Done(run) => run,
        ProofOutcome::Refused(_) => return Check::failed(name, Reason::ProofRefused),
        ProofOutcome::Broken => return Check::failed(name, Reason::ProofBroken),
        ProofOutcome::Unsupported => return Check::not_possible(name, Reason::ProofKeyUnusable),
        ProofOutcome::NotAsked | ProofOutcome::NotOffered | ProofOutcome::NotCarried => {
            // EF.CardAccess did not offer it, or the chip was opened otherwise. What the document has stands
            // in DG14.
            return match options {
                Options::Read(infos) if offers(infos) => Check::not_possible(name, Reason::ProofNotRun),
                Options::Read(_) => Check::new(name, CheckState::NotOffered),
                Options::Lacking(lack) => lack.verdict(name),
            };
        }
    };
    if evidence.bytes(FileId::CardSecurity).is_none() {
        // The file every such chip has (9.2.11) and lets be read after PACE.
        return Check::failed(name, Reason::CardSecurityWithheld);
    }
    match card_security {
        CardSecurity::NotTrusted(reason) => Check::not_possible(name, *reason),
        CardSecurity::Forged(reason) => Check::failed(name, *reason),
        CardSecurity::Signed(infos) => match verify(run, infos) {
            Ok(()) => Check::passed(name),
            Err(reason @ Reason::ProofKeyUnusable) => Check::not_possible(name, reason),
            Err(reason) => Check::failed(name, reason),
        },
    }
}

/// Whether the list offers PACE with this mapping.
fn offers(infos: &SecurityInfos) -> bool {
    infos.pace_infos().any(|info| mapping_of(&info.oid) == Some(Mapping::ChipAuthentication))
}

/// PK_Map,IC must be CA_IC times the chip's static key (4.4.3.5). Of several keys any on the curve may be the
/// one: which, the chip does not say, and each of them is the chip's (card quirk 24).
fn verify(run: &ChipAuthenticationMappingRun, infos: &SecurityInfos) -> Result<(), Reason> {
    let curve = CurveId::from_parameter_id(run.parameter_id.into()).ok_or(Reason::ProofKeyUnusable)?;
    let mut keys = infos
        .chip_authentication_keys()
        .map(|info| &info.public_key)
        .filter(|key| curve_of(key) == Ok(curve))
        .peekable();
    if keys.peek().is_none() {
        return Err(Reason::ProofKeyUnusable);
    }
    // No secret of anyone's: the chip sent it. Zero, or a number above the order, fits no key.
    let data = KeyPair::from_secret(curve, &run.authentication_data).map_err(|_| Reason::ProofWrong)?;
    let fits = keys
        .any(|key| data.multiply(&key.key).is_ok_and(|point| point.ct_eq(&run.mapping_public_key).into()));
    if fits { Ok(()) } else { Err(Reason::ProofWrong) }
}

#[cfg(test)]
mod tests {
    use cccd_card::tlv::{Tag, encode};

    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        hex::decode(text.replace([' ', '\n'], "")).unwrap()
    }

    /// EF.CardSecurity's options with one key on a curve by its number.
    fn with_key(parameter_id: u8, point: &[u8]) -> SecurityInfos {
        let algorithm = [&hex("060704007F00070102")[..], &[0x02, 0x01, parameter_id]].concat();
        let bits = [&[0][..], point].concat();
        let spki = encode(Tag(0x30), &[encode(Tag(0x30), &algorithm), encode(Tag(0x03), &bits)].concat());
        let info = encode(Tag(0x30), &[hex("060904007F000702020102"), spki].concat());
        SecurityInfos::parse(&encode(Tag(0x31), &info)).unwrap()
    }

    /// ICAO 9303-11, Appendix I: CA_IC, PK_Map,IC, and the chip's static key.
    fn example() -> (ChipAuthenticationMappingRun, SecurityInfos) {
        let run = ChipAuthenticationMappingRun {
            parameter_id: 13,
            mapping_public_key: hex("04 A234236AA9B9621E8EFB73B5245C0E09D2576E5277183C1208BDD55280CAE8B3
                    04F365713A356E65A451E165ECC9AC0AC46E3771342C8FE5AEDD092685338E23"),
            authentication_data: hex("85DC3FA93D0952BFA82F5FD189EE75BD82F11D1F0B8ED4BF5319AC9B53C426B3"),
        };
        let key = hex("041872709494399E7470A6431BE25E83EEE24FEA568C2ED28DB48E05DB3A610DC8
                 84D256A40E35EFCB59BF6753D3A489D28C7A4D973C2DA138A6E7A4A08F68E16F");
        (run, with_key(13, &key))
    }

    #[test]
    fn the_worked_example_passes() {
        let (run, infos) = example();
        assert_eq!(verify(&run, &infos), Ok(()));
    }

    #[test]
    fn no_other_data_key_or_mapping_key_does() {
        let (run, infos) = example();
        for bit in (0..256).step_by(13) {
            let mut other = run.clone();
            other.authentication_data[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(verify(&other, &infos), Err(Reason::ProofWrong));
            let mut other = run.clone();
            other.mapping_public_key[1 + bit / 8] ^= 1 << (bit % 8);
            assert_eq!(verify(&other, &infos), Err(Reason::ProofWrong));
        }
        let other_key = with_key(13, &run.mapping_public_key);
        assert_eq!(verify(&run, &other_key), Err(Reason::ProofWrong));
        for data in [vec![], vec![0; 32], vec![0xFF; 32], vec![1; 33]] {
            let other = ChipAuthenticationMappingRun { authentication_data: data, ..run.clone() };
            assert_eq!(verify(&other, &infos), Err(Reason::ProofWrong));
        }
    }

    #[test]
    fn data_of_one_are_no_way_around_the_key() {
        // With CA_IC = 1 the mapping key would be the static key, which anyone can send; the check then passes
        // and rightly so: whoever sent it as mapping key had to agree on it, which takes its private key.
        let (run, infos) = example();
        let PublicPoint(static_key) = point_of(&infos);
        let one = ChipAuthenticationMappingRun {
            authentication_data: vec![1],
            mapping_public_key: static_key,
            ..run
        };
        assert_eq!(verify(&one, &infos), Ok(()));
    }

    struct PublicPoint(Vec<u8>);

    fn point_of(infos: &SecurityInfos) -> PublicPoint {
        PublicPoint(infos.chip_authentication_keys().next().unwrap().public_key.key.clone())
    }

    #[test]
    fn a_key_on_another_curve_cannot_be_used() {
        let (run, _) = example();
        let other = with_key(12, &[&[4][..], &[1; 64]].concat());
        assert_eq!(verify(&run, &other), Err(Reason::ProofKeyUnusable));
        let numbered = ChipAuthenticationMappingRun { parameter_id: 2, ..run };
        assert_eq!(verify(&numbered, &other), Err(Reason::ProofKeyUnusable));
    }
}
