//! PACE with ECDH and generic mapping, the chip's half (ICAO 9303-11, 4.4).

use cccd_card::{SecretBytes, StatusWord};
use openssl::error::ErrorStack;
use openssl::memcmp;

use super::apdu::Refusal;
use super::crypto::{self, KeyUse};
use super::entropy::Entropy;
use super::group::{Element, Group, SharedCoordinate};
use super::secure_messaging::SecureMessaging;
use super::{KeyStep, tlv};
use crate::image::{AccessOffer, DomainParameters, PaceCipher, PaceOffer};

/// id-PACE-ECDH-GM, to which the cipher adds the last arc (ICAO 9303-11, 9.2.1).
const ECDH_GM: [u8; 9] = [0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x04, 0x02];

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
    /// Both mapping keys are known.
    Mapped { choice: Choice, generator: Element },
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
}

/// What a GENERAL AUTHENTICATE came to.
pub(super) enum Outcome {
    /// An answer; the run goes on.
    Next(Vec<u8>, Pace),
    /// The last answer; the terminal knew the password.
    Opened(Vec<u8>, Password, SecureMessaging),
    /// The terminal did not know the password.
    WrongPassword(Password),
}

/// What a run needs from the chip around it.
pub(super) struct Surroundings<'a> {
    pub(super) access: &'a AccessOffer,
    pub(super) entropy: &'a mut Entropy,
    pub(super) leading_zero: &'a [KeyStep],
}

/// MSE:Set AT (ICAO 9303-11, 4.4.4.1): 80 names the variant, 83 the password, 84 the domain parameters,
/// which the terminal must name where the same variant is offered with several.
pub(super) fn choose(access: &AccessOffer, data: &[u8]) -> Result<Choice, Refusal> {
    let malformed = Refusal(StatusWord::WRONG_DATA);
    let unknown = Refusal(StatusWord::REFERENCE_NOT_FOUND);
    let (mut oid, mut password, mut parameter) = (None, None, None);
    for object in tlv::objects(data).ok_or(malformed)? {
        let slot = match object.tag {
            0x80 => &mut oid,
            0x83 => &mut password,
            0x84 => &mut parameter,
            _ => return Err(malformed),
        };
        if slot.replace(object.value).is_some() {
            return Err(malformed);
        }
    }

    let oid = oid.ok_or(malformed)?;
    let offers: Vec<PaceOffer> =
        access.pace.iter().copied().filter(|offer| oid_of(offer.cipher) == oid).collect();
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
            *offers.iter().find(|offer| offer.curve.parameter_id() == wanted).ok_or(unknown)?
        }
        (Some(_), _) => return Err(malformed),
    };
    Ok(Choice { offer, password })
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
            (Self::Mapped { choice, generator }, Step::AgreeKey(key), true) => {
                agree(choice, &generator, key, around)
            }
            (Self::Agreed { choice, keys }, Step::Token(token), false) => finish(choice, keys, token),
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

fn map(choice: Choice, nonce: &[u8], key: &[u8], around: &mut Surroundings<'_>) -> Result<Outcome, Refusal> {
    let group = Group::new(DomainParameters::Curve(choice.offer.curve))?;
    let terminal = group.public_key(key).ok_or(Refusal(StatusWord::WRONG_DATA))?;
    let wanted = shared_coordinate(around.leading_zero, KeyStep::Mapping);
    let generator = group.generator()?;
    let agreement = group.agree(&generator, &terminal, wanted, around.entropy)?;
    let generator = group.map(nonce, &agreement.shared)?;
    if group.is_neutral(&generator) {
        return Err(Refusal(StatusWord::VERIFICATION_FAILED));
    }
    let ours = group.encode(&agreement.public)?;
    Ok(Outcome::Next(template(0x82, &ours), Pace::Mapped { choice, generator }))
}

fn agree(
    choice: Choice,
    generator: &Element,
    key: &[u8],
    around: &mut Surroundings<'_>,
) -> Result<Outcome, Refusal> {
    let cipher = choice.offer.cipher;
    let group = Group::new(DomainParameters::Curve(choice.offer.curve))?;
    let terminal = group.public_key(key).ok_or(Refusal(StatusWord::WRONG_DATA))?;
    let wanted = shared_coordinate(around.leading_zero, KeyStep::Agreement);
    let agreement = group.agree(generator, &terminal, wanted, around.entropy)?;
    let ours = group.encode(&agreement.public)?;
    // ICAO 9303-11, 4.4.1: both sides check that the public keys differ.
    if ours == key {
        return Err(Refusal(StatusWord::VERIFICATION_FAILED));
    }
    let secret = group.secret(&agreement.shared)?;
    let mac_key = crypto::derive(cipher, &secret, KeyUse::Mac)?;
    let keys =
        AgreedKeys { expected: token(cipher, &mac_key, &ours)?, ours: token(cipher, &mac_key, key)?, secret };
    Ok(Outcome::Next(template(0x84, &ours), Pace::Agreed { choice, keys }))
}

fn finish(choice: Choice, keys: AgreedKeys, token: &[u8]) -> Result<Outcome, Refusal> {
    if token.len() != keys.expected.len() {
        return Err(Refusal(StatusWord::WRONG_DATA));
    }
    if !memcmp::eq(token, &keys.expected) {
        return Ok(Outcome::WrongPassword(choice.password));
    }
    // The send sequence counter starts from zero (ICAO 9303-11, 9.8.6.3 and 9.8.7.3).
    let session = SecureMessaging::new(choice.offer.cipher, &keys.secret, 0)?;
    Ok(Outcome::Opened(template(0x86, &keys.ours), choice.password, session))
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
/// object 7F49 { 06 variant, 86 point }.
fn token(cipher: PaceCipher, mac_key: &[u8], point: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let inner = [tlv::object(&[0x06], &oid_of(cipher)), tlv::object(&[0x86], point)].concat();
    let object = tlv::object(&[0x7F, 0x49], &inner);
    let input = match cipher {
        PaceCipher::TripleDes => crypto::pad(object, 8),
        // CMAC pads by itself here; only secure messaging pads before it.
        PaceCipher::Aes128 | PaceCipher::Aes192 | PaceCipher::Aes256 => object,
    };
    crypto::mac(cipher, mac_key, &input)
}

fn template(tag: u8, value: &[u8]) -> Vec<u8> {
    tlv::object(&[0x7C], &tlv::object(&[tag], value))
}

fn shared_coordinate(forced: &[KeyStep], step: KeyStep) -> SharedCoordinate {
    if forced.contains(&step) { SharedCoordinate::LeadingZero } else { SharedCoordinate::AsDrawn }
}

/// The object identifier of a variant, without tag and length.
pub(super) fn oid_of(cipher: PaceCipher) -> Vec<u8> {
    ECDH_GM.into_iter().chain([cipher.arc()]).collect()
}
