//! PACE, the chip's half (ICAO 9303-11, 4.4).

use cccd_card::{SecretBytes, StatusWord};
use openssl::bn::{BigNum, BigNumContext};
use openssl::error::ErrorStack;
use openssl::memcmp;

use super::apdu::Refusal;
use super::crypto::{self, KeyUse};
use super::entropy::Entropy;
use super::group::{Element, Group, SharedCoordinate};
use super::integrated_mapping;
use super::secure_messaging::SecureMessaging;
use super::{KeyStep, tlv};
use crate::image::{AccessOffer, AgreementKey, DomainParameters, PaceCipher, PaceMapping, PaceOffer};

/// id-PACE, to which mapping and cipher add an arc each (ICAO 9303-11, 9.2.3).
const PACE: [u8; 8] = [0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x04];

/// What the terminal said it knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Password {
    /// The machine readable zone.
    Mrz,
    /// The card access number.
    Can,
}

/// The variant and password that MSE:Set AT chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Choice {
    offer: PaceOffer,
    pub(super) password: Password,
    /// Whether the last answer is to name the authorities of terminal authentication.
    wants_authorities: bool,
}

/// How far a run has come. Every step takes the state it continues; a failure leaves none.
#[derive(Default)]
pub(super) enum Pace {
    /// No run.
    #[default]
    Idle,
    /// MSE:Set AT chose.
    Chosen(Choice),
    /// MSE:Set AT chose a password that is blocked.
    Blocked,
    /// The encrypted nonce went out.
    NonceSent { choice: Choice, nonce: SecretBytes },
    /// The mapped generator is known; and the private key that mapped it, where that is a proof.
    Mapped { choice: Choice, generator: Element, mapping_key: Option<BigNum> },
    /// Both ephemeral keys are known.
    Agreed { choice: Choice, keys: AgreedKeys },
}

/// What key agreement left behind.
pub(super) struct AgreedKeys {
    secret: SecretBytes,
    /// T_IFD as the terminal must compute it.
    expected: Vec<u8>,
    /// T_IC.
    ours: Vec<u8>,
    /// The chip authentication data, encrypted, where the mapping has them.
    proof: Option<Vec<u8>>,
    /// Comp(PK) of our ephemeral key.
    chip_key: Vec<u8>,
    /// Comp(PK) of the terminal's.
    terminal_key: Vec<u8>,
}

/// What a GENERAL AUTHENTICATE came to.
pub(super) enum Outcome {
    /// An answer; the run goes on.
    Next(Vec<u8>, Pace),
    /// The last answer; the terminal knew the password.
    Opened(Vec<u8>, Opened),
    /// The terminal did not know the password.
    WrongPassword(Password),
}

/// What a good run leaves.
pub(super) struct Opened {
    pub(super) password: Password,
    pub(super) session: SecureMessaging,
    /// Comp(PK) of the chip's ephemeral key: what terminal authentication knows the chip by.
    pub(super) chip_key: Vec<u8>,
    /// Comp(PK) of the terminal's ephemeral key, where the mapping authenticated the chip to it.
    pub(super) terminal_key: Option<Vec<u8>>,
}

/// What a run needs from the chip around it.
pub(super) struct Surroundings<'a> {
    pub(super) access: &'a AccessOffer,
    pub(super) mapping_keys: &'a [AgreementKey],
    /// References of the authorities of terminal authentication, the newest first.
    pub(super) authorities: Vec<Vec<u8>>,
    pub(super) entropy: &'a mut Entropy,
    pub(super) leading_zero: &'a [KeyStep],
}

/// MSE:Set AT (ICAO 9303-11, 4.4.4.1): 80 names the variant, 83 the password, 84 the domain parameters,
/// which the terminal must name where the same variant is offered with several.
pub(super) fn choose(access: &AccessOffer, data: &[u8]) -> Result<Choice, Refusal> {
    let malformed = Refusal(StatusWord::WRONG_DATA);
    let unknown = Refusal(StatusWord::REFERENCE_NOT_FOUND);
    let (mut oid, mut password, mut parameter, mut template) = (None, None, None, None);
    for object in tlv::objects(data).ok_or(malformed)? {
        let slot = match object.tag {
            0x80 => &mut oid,
            0x83 => &mut password,
            0x84 => &mut parameter,
            // A certificate holder authorisation template asks for the authorities the chip trusts.
            0x7F4C => &mut template,
            _ => return Err(malformed),
        };
        if slot.replace(object.value).is_some() {
            return Err(malformed);
        }
    }

    let oid = oid.ok_or(malformed)?;
    let offers: Vec<PaceOffer> = access.pace.iter().copied().filter(|offer| oid_of(offer) == oid).collect();
    if offers.is_empty() {
        return Err(malformed);
    }
    let password = match password.ok_or(malformed)? {
        [0x01] => Password::Mrz,
        [0x02] if access.can.is_some() => Password::Can,
        [_] => return Err(unknown),
        _ => return Err(malformed),
    };
    let offer = match (parameter, offers.as_slice()) {
        (None, [only]) => *only,
        (None, _) => return Err(unknown),
        (Some(&[wanted]), offers) => {
            *offers.iter().find(|offer| offer.parameters.parameter_id() == wanted).ok_or(unknown)?
        }
        (Some(_), _) => return Err(malformed),
    };
    Ok(Choice { offer, password, wants_authorities: template.is_some() })
}

impl Pace {
    /// One GENERAL AUTHENTICATE (ICAO 9303-11, 4.4.4.2). All but the last are chained.
    pub(super) fn general_authenticate(
        self,
        data: &[u8],
        chained: bool,
        around: &mut Surroundings<'_>,
    ) -> Result<Outcome, Refusal> {
        if let Self::Blocked = self {
            // 6983: authentication method blocked.
            return Err(Refusal(StatusWord(0x6983)));
        }
        let step = parse_step(data)?;
        match (self, step, chained) {
            (Self::Chosen(choice), Step::AskNonce, true) => send_nonce(choice, around),
            (Self::NonceSent { choice, nonce }, Step::MapNonce(key), true) => {
                map(choice, &nonce, key, around)
            }
            (Self::Mapped { choice, generator, mapping_key }, Step::AgreeKey(key), true) => {
                agree(choice, &generator, mapping_key, key, around)
            }
            (Self::Agreed { choice, keys }, Step::Token(token), false) => finish(choice, keys, token, around),
            _ => Err(Refusal(StatusWord::CONDITIONS_NOT_SATISFIED)),
        }
    }
}

/// The dynamic authentication data a terminal sends.
enum Step<'a> {
    /// Nothing.
    AskNonce,
    /// 81: mapping data.
    MapNonce(&'a [u8]),
    /// 83: ephemeral public key.
    AgreeKey(&'a [u8]),
    /// 85: authentication token.
    Token(&'a [u8]),
}

fn parse_step(data: &[u8]) -> Result<Step<'_>, Refusal> {
    let malformed = Refusal(StatusWord::WRONG_DATA);
    let outer = tlv::objects(data).ok_or(malformed)?;
    let [template] = outer.as_slice() else {
        return Err(malformed);
    };
    if template.tag != 0x7C {
        return Err(malformed);
    }
    match tlv::objects(template.value).ok_or(malformed)?.as_slice() {
        [] => Ok(Step::AskNonce),
        [one] => match one.tag {
            0x81 => Ok(Step::MapNonce(one.value)),
            0x83 => Ok(Step::AgreeKey(one.value)),
            0x85 => Ok(Step::Token(one.value)),
            _ => Err(malformed),
        },
        _ => Err(malformed),
    }
}

fn send_nonce(choice: Choice, around: &mut Surroundings<'_>) -> Result<Outcome, Refusal> {
    let cipher = choice.offer.cipher;
    // The nonce is as long as the key, in whole blocks (BSI TR-03110-2 leaves the number of blocks
    // to the chip): terminals must take what comes.
    let length = match cipher {
        PaceCipher::TripleDes | PaceCipher::Aes128 => 16,
        PaceCipher::Aes192 | PaceCipher::Aes256 => 32,
    };
    let mut nonce = SecretBytes::new(vec![0; length]);
    around.entropy.fill(&mut nonce)?;
    let key = password_key(cipher, choice.password, around.access)?;
    let sealed = crypto::encrypt(cipher, &key, &vec![0; crypto::block_size(cipher)], &nonce)?;
    Ok(Outcome::Next(template(0x80, &sealed), Pace::NonceSent { choice, nonce }))
}

fn map(choice: Choice, nonce: &[u8], data: &[u8], around: &mut Surroundings<'_>) -> Result<Outcome, Refusal> {
    let group = Group::new(choice.offer.parameters)?;
    let (generator, mapping_key, ours) = match choice.offer.mapping {
        PaceMapping::Integrated => {
            if data.len() != crypto::key_size(choice.offer.cipher) {
                return Err(Refusal(StatusWord::WRONG_DATA));
            }
            // The answer is empty (ICAO 9303-11, 4.4.5.2.2).
            (integrated_mapping::map(&group, choice.offer.cipher, nonce, data)?, None, Vec::new())
        }
        PaceMapping::Generic | PaceMapping::ChipAuthentication => {
            let terminal = group.public_key(data).ok_or(Refusal(StatusWord::WRONG_DATA))?;
            let wanted = shared_coordinate(around.leading_zero, KeyStep::Mapping);
            let agreement = group.agree(&group.generator()?, &terminal, wanted, around.entropy)?;
            let generator = group.map(nonce, &agreement.shared)?;
            let is_proof = choice.offer.mapping == PaceMapping::ChipAuthentication;
            (generator, is_proof.then_some(agreement.private), group.encode(&agreement.public)?)
        }
    };
    if group.is_neutral(&generator) {
        return Err(Refusal(StatusWord::VERIFICATION_FAILED));
    }
    Ok(Outcome::Next(template(0x82, &ours), Pace::Mapped { choice, generator, mapping_key }))
}

fn agree(
    choice: Choice,
    generator: &Element,
    mapping_key: Option<BigNum>,
    key: &[u8],
    around: &mut Surroundings<'_>,
) -> Result<Outcome, Refusal> {
    let (offer, cipher) = (choice.offer, choice.offer.cipher);
    let group = Group::new(offer.parameters)?;
    let terminal = group.public_key(key).ok_or(Refusal(StatusWord::WRONG_DATA))?;
    let wanted = shared_coordinate(around.leading_zero, KeyStep::Agreement);
    let agreement = group.agree(generator, &terminal, wanted, around.entropy)?;
    let (ours, theirs) = (group.encode(&agreement.public)?, group.encode(&terminal)?);
    // ICAO 9303-11, 4.4.1: both sides check that the public keys differ.
    if ours == theirs {
        return Err(Refusal(StatusWord::VERIFICATION_FAILED));
    }
    let secret = group.secret(&agreement.shared)?;
    let mac_key = crypto::derive(cipher, &secret, KeyUse::Mac)?;
    let proof = match mapping_key {
        Some(mapping_key) => Some(chip_authentication_data(offer, &group, &mapping_key, &secret, around)?),
        None => None,
    };
    let keys = AgreedKeys {
        expected: token(offer, &mac_key, &ours)?,
        ours: token(offer, &mac_key, &theirs)?,
        proof,
        chip_key: group.compress(&agreement.public)?,
        terminal_key: group.compress(&terminal)?,
        secret,
    };
    Ok(Outcome::Next(template(0x84, &ours), Pace::Agreed { choice, keys }))
}

/// A_IC (ICAO 9303-11, 4.4.3.5): the inverse of the static key times the mapping key, modulo the order of the
/// group and as long as it, encrypted under the session's key.
fn chip_authentication_data(
    offer: PaceOffer,
    group: &Group,
    mapping_key: &BigNum,
    secret: &[u8],
    around: &Surroundings<'_>,
) -> Result<Vec<u8>, Refusal> {
    let is_its = |key: &&AgreementKey| key.parameters == offer.parameters;
    let static_key =
        around.mapping_keys.iter().find(is_its).ok_or(Refusal(StatusWord::REFERENCE_NOT_FOUND))?;
    let (order, mut context) = (group.order()?, BigNumContext::new()?);
    let (mut inverse, mut data) = (BigNum::new()?, BigNum::new()?);
    inverse.mod_inverse(&*BigNum::from_slice(&static_key.private)?, &order, &mut context)?;
    data.mod_mul(&inverse, mapping_key, &order, &mut context)?;
    let key = crypto::derive(offer.cipher, secret, KeyUse::Encryption)?;
    let block = crypto::block_size(offer.cipher);
    // IV = E(KS_Enc, -1).
    let iv = crypto::encrypt(offer.cipher, &key, &vec![0; block], &vec![0xFF; block])?;
    let padded = crypto::pad(data.to_vec_padded(order.num_bytes())?, block);
    Ok(crypto::encrypt(offer.cipher, &key, &iv, &padded)?)
}

fn finish(
    choice: Choice,
    keys: AgreedKeys,
    token: &[u8],
    around: &Surroundings<'_>,
) -> Result<Outcome, Refusal> {
    if token.len() != keys.expected.len() {
        return Err(Refusal(StatusWord::WRONG_DATA));
    }
    if !memcmp::eq(token, &keys.expected) {
        return Ok(Outcome::WrongPassword(choice.password));
    }
    let mut answer = tlv::object(&[0x86], &keys.ours);
    if choice.wants_authorities {
        for (tag, authority) in [0x87, 0x88].into_iter().zip(&around.authorities) {
            answer.extend(tlv::object(&[tag], authority));
        }
    }
    if let Some(proof) = &keys.proof {
        answer.extend(tlv::object(&[0x8A], proof));
    }
    let opened = Opened {
        password: choice.password,
        // The send sequence counter starts from zero (ICAO 9303-11, 9.8.6.3 and 9.8.7.3).
        session: SecureMessaging::new(choice.offer.cipher, &keys.secret, 0)?,
        chip_key: keys.chip_key,
        terminal_key: keys.proof.is_some().then_some(keys.terminal_key),
    };
    Ok(Outcome::Opened(tlv::object(&[0x7C], &answer), opened))
}

/// K_pi (ICAO 9303-11, 9.7.3): from SHA-1 of the MRZ information, or from the digits of the CAN.
fn password_key(
    cipher: PaceCipher,
    password: Password,
    access: &AccessOffer,
) -> Result<SecretBytes, ErrorStack> {
    let secret = SecretBytes::new(match password {
        Password::Mrz => crypto::sha1(access.mrz_information.as_bytes())?,
        Password::Can => access.can.as_ref().map(|can| can.digits.clone().into_bytes()).unwrap_or_default(),
    });
    crypto::derive(cipher, &secret, KeyUse::Password)
}

/// The token over the other side's public key (ICAO 9303-11, 4.4.3.4): the MAC of the public key data
/// object 7F49 { 06 variant, 86 point } or 7F49 { 06 variant, 84 number }.
fn token(offer: PaceOffer, mac_key: &[u8], key: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let tag = match offer.parameters {
        DomainParameters::Curve(_) => 0x86,
        DomainParameters::Modp(_) => 0x84,
    };
    let inner = [tlv::object(&[0x06], &oid_of(&offer)), tlv::object(&[tag], key)].concat();
    let object = tlv::object(&[0x7F, 0x49], &inner);
    let input = match offer.cipher {
        PaceCipher::TripleDes => crypto::pad(object, 8),
        // CMAC pads by itself here; only secure messaging pads before it.
        PaceCipher::Aes128 | PaceCipher::Aes192 | PaceCipher::Aes256 => object,
    };
    crypto::mac(offer.cipher, mac_key, &input)
}

fn template(tag: u8, value: &[u8]) -> Vec<u8> {
    tlv::object(&[0x7C], &tlv::object(&[tag], value))
}

fn shared_coordinate(forced: &[KeyStep], step: KeyStep) -> SharedCoordinate {
    if forced.contains(&step) { SharedCoordinate::LeadingZero } else { SharedCoordinate::AsDrawn }
}

/// The object identifier of a variant, without tag and length.
pub(super) fn oid_of(offer: &PaceOffer) -> Vec<u8> {
    PACE.into_iter().chain([offer.arc(), offer.cipher.arc()]).collect()
}
