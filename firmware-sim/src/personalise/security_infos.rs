//! EF.CardAccess, DG14 and DG15: what the chip offers, and the keys it proves itself with (ICAO 9303-11, 9.2;
//! 9303-10, 4.7.14 and 4.7.15; BSI TR-03110-3, A.1).

use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};

use crate::image::{PaceCipher, PaceCurve, PaceOffer};

use super::authority::{ec_key, rsa_key};
use super::der::{constructed, integer, oid, sequence, set_of, tlv};
use super::description::{ActiveAuthenticationKind, ChipAuthenticationCipher, ChipPlan, Fingerprints};

/// The private keys of a chip. A chip that proves itself needs them; its image does not hold them.
#[derive(Clone)]
pub struct ChipKeys {
    /// For chip authentication (brainpoolP256r1), where it is offered.
    pub chip_authentication: Option<PKey<Private>>,
    /// For active authentication, where it is offered.
    pub active_authentication: Option<PKey<Private>>,
}

impl ChipKeys {
    pub(super) fn generate(plan: ChipPlan) -> Result<Self, ErrorStack> {
        Ok(Self {
            chip_authentication: plan
                .chip_authentication
                .map(|_| ec_key(Nid::BRAINPOOL_P256R1))
                .transpose()?,
            active_authentication: match plan.active_authentication {
                Some(ActiveAuthenticationKind::EcP256) => Some(ec_key(Nid::X9_62_PRIME256V1)?),
                Some(ActiveAuthenticationKind::Rsa(bits)) => Some(rsa_key(bits)?),
                None => None,
            },
        })
    }
}

/// The bytes of EF.CardAccess; no file where the chip offers no PACE.
pub(super) fn card_access(plan: ChipPlan, pace: &[PaceOffer]) -> Option<Vec<u8>> {
    (!pace.is_empty()).then(|| set_of(open_infos(plan, pace)))
}

/// The bytes of DG14: what EF.CardAccess says, signed now, and the keys. No file where there is nothing to
/// say.
pub(super) fn data_group_14(
    plan: ChipPlan,
    pace: &[PaceOffer],
    keys: &ChipKeys,
) -> Result<Option<Vec<u8>>, ErrorStack> {
    let mut infos = open_infos(plan, pace);
    if let Some(key) = &keys.chip_authentication {
        // ChipAuthenticationPublicKeyInfo, id-PK-ECDH.
        infos.push(sequence(&[bsi(&[1, 2]), key.public_key_to_der()?]));
    }
    if plan.active_authentication == Some(ActiveAuthenticationKind::EcP256) {
        // ActiveAuthenticationInfo: with ECDSA the hash must be told (ICAO 9303-11, 9.2.5), here by
        // ecdsa-plain-SHA256 (BSI TR-03111, 5.2.1).
        let signature = oid(&[0, 4, 0, 127, 0, 7, 1, 1, 4, 1, 3]);
        infos.push(sequence(&[oid(&[2, 23, 136, 1, 1, 5]), integer(1), signature]));
    }
    Ok((!infos.is_empty()).then(|| constructed(0x6E, &[set_of(infos)])))
}

/// The bytes of DG15.
pub(super) fn data_group_15(keys: &ChipKeys) -> Result<Option<Vec<u8>>, ErrorStack> {
    let Some(key) = &keys.active_authentication else {
        return Ok(None);
    };
    Ok(Some(tlv(0x6F, &key.public_key_to_der()?)))
}

/// What is said in the open, and again under the signature.
fn open_infos(plan: ChipPlan, pace: &[PaceOffer]) -> Vec<Vec<u8>> {
    let mut infos: Vec<Vec<u8>> = pace.iter().map(pace_info).collect();
    if let Some(cipher) = plan.chip_authentication {
        let last = match cipher {
            ChipAuthenticationCipher::TripleDes => 1,
            ChipAuthenticationCipher::Aes128 => 2,
            ChipAuthenticationCipher::Aes192 => 3,
            ChipAuthenticationCipher::Aes256 => 4,
        };
        infos.push(sequence(&[bsi(&[3, 2, last]), integer(1)]));
    }
    if plan.fingerprints != Fingerprints::Absent {
        // TerminalAuthenticationInfo: there is something only terminals with a certificate may read.
        infos.push(sequence(&[bsi(&[2]), integer(1)]));
    }
    infos
}

/// PACEInfo, version 2, id-PACE-ECDH-GM with the parameter of table 6 (ICAO 9303-11, 9.2.1 and 9.5.1).
fn pace_info(offer: &PaceOffer) -> Vec<u8> {
    let cipher = match offer.cipher {
        PaceCipher::TripleDes => 1,
        PaceCipher::Aes128 => 2,
        PaceCipher::Aes192 => 3,
        PaceCipher::Aes256 => 4,
    };
    let parameter = match offer.curve {
        PaceCurve::NistP256 => 12,
        PaceCurve::BrainpoolP256r1 => 13,
        PaceCurve::NistP384 => 15,
        PaceCurve::BrainpoolP384r1 => 16,
        PaceCurve::NistP521 => 18,
    };
    sequence(&[bsi(&[4, 2, cipher]), integer(2), integer(parameter)])
}

/// An object identifier under bsi-de protocols smartcard, 0.4.0.127.0.7.2.2.
fn bsi(arcs: &[u32]) -> Vec<u8> {
    oid(&[&[0, 4, 0, 127, 0, 7, 2, 2], arcs].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::personalise::ParentsNesting;

    const PLAN: ChipPlan = ChipPlan {
        parents: ParentsNesting::TwoSequences,
        fingerprints: Fingerprints::Listed,
        chip_authentication: Some(ChipAuthenticationCipher::Aes128),
        active_authentication: Some(ActiveAuthenticationKind::EcP256),
    };
    const PACE: PaceOffer = PaceOffer { cipher: PaceCipher::Aes128, curve: PaceCurve::BrainpoolP256r1 };

    #[test]
    fn card_access_is_the_constant_vendors_ship() {
        assert_eq!(
            card_access(PLAN, &[PACE]).unwrap(),
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
        let keys = ChipKeys::generate(PLAN).unwrap();
        let group = data_group_14(PLAN, &[PACE], &keys).unwrap().unwrap();
        for info in open_infos(PLAN, &[PACE]) {
            assert!(group.windows(info.len()).any(|window| window == info));
        }
    }

    #[test]
    fn the_keys_in_the_groups_are_those_of_the_chip_with_a_named_curve() {
        let keys = ChipKeys::generate(PLAN).unwrap();
        let group_15 = data_group_15(&keys).unwrap().unwrap();
        let public = PKey::public_key_from_der(&group_15[2..]).unwrap();
        assert!(public.public_eq(keys.active_authentication.as_ref().unwrap()));
        // SubjectPublicKeyInfo of P-256: the curve is prime256v1 by name.
        let named = [0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
        assert_eq!(group_15[15..25], named);
    }

    #[test]
    fn a_chip_with_nothing_to_say_has_neither_file() {
        let plan = ChipPlan {
            fingerprints: Fingerprints::Absent,
            chip_authentication: None,
            active_authentication: Some(ActiveAuthenticationKind::Rsa(1024)),
            ..PLAN
        };
        let keys = ChipKeys::generate(plan).unwrap();
        assert_eq!(card_access(plan, &[]), None);
        assert_eq!(data_group_14(plan, &[], &keys).unwrap(), None);
        assert!(data_group_15(&keys).unwrap().is_some());
    }
}
