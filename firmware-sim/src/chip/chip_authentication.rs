//! Chip authentication version 1, the chip's half (ICAO 9303-11, 6.2; BSI TR-03110-1, 3.4).

use cccd_card::StatusWord;
use openssl::bn::BigNum;

use super::apdu::Refusal;
use super::group::Group;
use super::secure_messaging::SecureMessaging;
use super::tlv;
use crate::image::{ChipAuthenticationCommands, ChipAuthenticationOffer, DomainParameters, PaceCipher};

/// id-CA, to which the kind of key and the cipher add an arc each (ICAO 9303-11, 9.2.7).
const CHIP_AUTHENTICATION: [u8; 8] = [0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x03];

/// What a run left behind.
pub(super) struct Authenticated {
    /// The session of the new keys.
    pub(super) session: SecureMessaging,
    /// Comp(PK) of the terminal's ephemeral key, which terminal authentication signs.
    pub(super) terminal_key: Vec<u8>,
}

/// MSE:Set KAT: the whole protocol in one command, with 3DES only (ICAO 9303-11, 6.2.4.1).
pub(super) fn key_agreement_template(
    offers: &[ChipAuthenticationOffer],
    data: &[u8],
) -> Result<Authenticated, Refusal> {
    let (mut key, mut id) = (None, None);
    for object in tlv::objects(data).ok_or(MALFORMED)? {
        let slot = match object.tag {
            0x91 => &mut key,
            0x84 => &mut id,
            _ => return Err(MALFORMED),
        };
        if slot.replace(object.value).is_some() {
            return Err(MALFORMED);
        }
    }
    let matching = |offer: &&ChipAuthenticationOffer| {
        offer.cipher == PaceCipher::TripleDes
            && offer.commands != ChipAuthenticationCommands::GeneralAuthenticate
    };
    let offer = only(offers.iter().filter(matching), id)?;
    agree(offer, key.ok_or(MALFORMED)?)
}

/// MSE:Set AT: which key and which cipher GENERAL AUTHENTICATE is to use (ICAO 9303-11, 6.2.4.2).
pub(super) fn choose(
    offers: &[ChipAuthenticationOffer],
    data: &[u8],
) -> Result<ChipAuthenticationOffer, Refusal> {
    let (mut oid, mut id) = (None, None);
    for object in tlv::objects(data).ok_or(MALFORMED)? {
        let slot = match object.tag {
            0x80 => &mut oid,
            0x84 => &mut id,
            _ => return Err(MALFORMED),
        };
        if slot.replace(object.value).is_some() {
            return Err(MALFORMED);
        }
    }
    let oid = oid.ok_or(MALFORMED)?;
    let matching = |offer: &&ChipAuthenticationOffer| {
        oid_of(offer) == oid && offer.commands != ChipAuthenticationCommands::KeyAgreementTemplate
    };
    if !offers.iter().any(|offer| matching(&offer)) {
        return Err(MALFORMED);
    }
    only(offers.iter().filter(matching), id).cloned()
}

/// GENERAL AUTHENTICATE: 7C with the terminal's ephemeral key in 80.
pub(super) fn general_authenticate(
    offer: &ChipAuthenticationOffer,
    data: &[u8],
) -> Result<Authenticated, Refusal> {
    let outer = tlv::objects(data).ok_or(MALFORMED)?;
    let [template] = outer.as_slice() else {
        return Err(MALFORMED);
    };
    match tlv::objects(template.value).ok_or(MALFORMED)?.as_slice() {
        [key] if template.tag == 0x7C && key.tag == 0x80 => agree(offer, key.value),
        _ => Err(MALFORMED),
    }
}

/// The one key the terminal can mean.
fn only<'a>(
    mut candidates: impl Iterator<Item = &'a ChipAuthenticationOffer>,
    id: Option<&[u8]>,
) -> Result<&'a ChipAuthenticationOffer, Refusal> {
    let unknown = Refusal(StatusWord::REFERENCE_NOT_FOUND);
    match id {
        Some(id) => {
            let wanted =
                id.iter().try_fold(0_u64, |all, &byte| Some(all.checked_mul(256)? + u64::from(byte)));
            candidates.find(|offer| offer.key_id == wanted && wanted.is_some()).ok_or(unknown)
        }
        None => match (candidates.next(), candidates.next()) {
            (Some(offer), None) => Ok(offer),
            _ => Err(unknown),
        },
    }
}

fn agree(offer: &ChipAuthenticationOffer, key: &[u8]) -> Result<Authenticated, Refusal> {
    let group = Group::new(offer.key.parameters)?;
    let terminal = group.public_key(key).ok_or(MALFORMED)?;
    let shared = group.times(&terminal, &*BigNum::from_slice(&offer.key.private)?)?;
    // The send sequence counter starts from zero (ICAO 9303-11, 9.8.6.3 and 9.8.7.3).
    let session = SecureMessaging::new(offer.cipher, &group.secret(&shared)?, 0)?;
    Ok(Authenticated { session, terminal_key: group.compress(&terminal)? })
}

/// The object identifier of an offer, without tag and length.
pub(super) fn oid_of(offer: &ChipAuthenticationOffer) -> Vec<u8> {
    let kind = match offer.key.parameters {
        DomainParameters::Modp(_) => 1,
        DomainParameters::Curve(_) => 2,
    };
    CHIP_AUTHENTICATION.into_iter().chain([kind, offer.cipher.arc()]).collect()
}

/// 6A80: incorrect parameters in the data field.
const MALFORMED: Refusal = Refusal(StatusWord::WRONG_DATA);
