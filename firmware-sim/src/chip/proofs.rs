//! Conversations in which the chip proves itself, held by the tiny terminal.

use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::ecdsa::EcdsaSig;
use openssl::hash::{MessageDigest, hash};
use openssl::pkey::Private;
use openssl::rsa::{Padding, Rsa};

use super::group::Group;
use super::terminal::*;
use super::*;
use crate::image::{
    ActiveAuthenticationKey, ActiveAuthenticationOffer, AgreementKey, ChipAuthenticationCommands,
    DomainParameters, EcdsaForm, LongAnswer, ModpGroup, NamedCurve, PaceCipher, RsaForm, SignatureHash,
};

const CHALLENGE: [u8; 8] = [0xF1, 0x73, 0x58, 0x99, 0x74, 0xBF, 0x40, 0xC6];
const INTERNAL_AUTHENTICATE: [u8; 4] = [0, 0x88, 0, 0];

fn ec_key(curve: NamedCurve) -> EcKey<Private> {
    EcKey::generate(&EcGroup::from_curve_name(curve.nid()).unwrap()).unwrap()
}

/// A chip with active authentication, opened by PACE, with the application selected.
fn opened(
    key: ActiveAuthenticationKey,
    hash: SignatureHash,
    long_answer: LongAnswer,
) -> (Chip, TerminalSession) {
    let mut image = image();
    image.proofs.active_authentication = Some(ActiveAuthenticationOffer { key, hash, long_answer });
    open(image)
}

fn open(image: ChipImage) -> (Chip, TerminalSession) {
    let mut chip = Chip::new(image);
    let mut session = pace_can(&mut chip, "123456").unwrap();
    session.select_application(&mut chip);
    (chip, session)
}

fn digest_of(hash: SignatureHash) -> MessageDigest {
    match hash {
        SignatureHash::Sha1 => MessageDigest::sha1(),
        SignatureHash::Sha224 => MessageDigest::sha224(),
        SignatureHash::Sha256 => MessageDigest::sha256(),
        SignatureHash::Sha384 => MessageDigest::sha384(),
        SignatureHash::Sha512 => MessageDigest::sha512(),
    }
}

#[test]
fn ecdsa_on_every_curve_signs_the_challenge_in_both_forms() {
    for curve in NamedCurve::all() {
        for form in [EcdsaForm::Plain, EcdsaForm::Der] {
            let key = ec_key(curve);
            let hashing = SignatureHash::Sha256;
            let offered = ActiveAuthenticationKey::Ecdsa(key.clone(), form);
            let (mut chip, mut session) = opened(offered, hashing, LongAnswer::Refused);
            let (answer, status) = session.say(&mut chip, INTERNAL_AUTHENTICATE, &CHALLENGE, &[0]);
            assert_eq!(status, 0x9000, "{curve:?} {form:?}");
            let signature = match form {
                EcdsaForm::Der => EcdsaSig::from_der(&answer).unwrap(),
                EcdsaForm::Plain => {
                    assert_eq!(answer.len(), 2 * curve.order_bits().div_ceil(8));
                    let (r, s) = answer.split_at(answer.len() / 2);
                    let number = |bytes| BigNum::from_slice(bytes).unwrap();
                    EcdsaSig::from_private_components(number(r), number(s)).unwrap()
                }
            };
            let value = hash(digest_of(hashing), &CHALLENGE).unwrap();
            assert!(signature.verify(&value, &key).unwrap(), "{curve:?} {form:?}");
            let other = hash(digest_of(hashing), &[0; 8]).unwrap();
            assert!(!signature.verify(&other, &key).unwrap());
        }
    }
}

/// The message representative in an RSA signature, as long as the modulus.
fn recover(key: &Rsa<Private>, signature: &[u8]) -> Vec<u8> {
    let length = key.size() as usize;
    let padded = [vec![0; length - signature.len()], signature.to_vec()].concat();
    let mut out = vec![0; length];
    key.public_decrypt(&padded, &mut out, Padding::NONE).unwrap();
    out
}

#[test]
fn rsa_signs_by_iso_9796_2_with_every_hash_and_its_trailer() {
    let key = Rsa::generate(1024).unwrap();
    for (hashing, form, trailer) in [
        (SignatureHash::Sha1, RsaForm::Standard, &[0xBC][..]),
        (SignatureHash::Sha1, RsaForm::LongTrailer, &[0x33, 0xCC]),
        (SignatureHash::Sha224, RsaForm::Standard, &[0x38, 0xCC]),
        (SignatureHash::Sha256, RsaForm::Standard, &[0x34, 0xCC]),
        (SignatureHash::Sha384, RsaForm::Standard, &[0x36, 0xCC]),
        (SignatureHash::Sha512, RsaForm::Standard, &[0x35, 0xCC]),
        (SignatureHash::Sha1, RsaForm::ShortSignature, &[0xBC]),
        (SignatureHash::Sha256, RsaForm::ShortMessage, &[0x34, 0xCC]),
    ] {
        let offered = ActiveAuthenticationKey::Rsa(key.clone(), form);
        let (mut chip, mut session) = opened(offered, hashing, LongAnswer::Refused);
        let (signature, status) = session.say(&mut chip, INTERNAL_AUTHENTICATE, &CHALLENGE, &[0]);
        assert_eq!(status, 0x9000, "{hashing:?} {form:?}");
        let short = usize::from(form == RsaForm::ShortSignature);
        assert_eq!(signature.len(), 128 - short, "{hashing:?} {form:?}");

        let message = recover(&key, &signature);
        let message = match form {
            RsaForm::ShortMessage => message.strip_prefix(&[0]).unwrap(),
            _ => &message,
        };
        let body = message.strip_prefix(&[0x6A]).unwrap().strip_suffix(trailer).unwrap();
        let (m1, value) = body.split_at(body.len() - hashing.length());
        let expected = hash(digest_of(hashing), &[m1, &CHALLENGE].concat()).unwrap();
        assert_eq!(value, &*expected, "{hashing:?} {form:?}");
    }
}

#[test]
fn a_long_signature_is_refused_cut_announced_or_swallowed() {
    let key = Rsa::generate(2048).unwrap();
    for (long_answer, le, length, status) in [
        (LongAnswer::Refused, &[0][..], 0, 0x6700),
        (LongAnswer::Refused, &[0x01, 0x00], 256, 0x9000),
        (LongAnswer::Cut, &[0], 223, 0x9000),
        (LongAnswer::Cut, &[0, 0], 256, 0x9000),
        (LongAnswer::Announced, &[0], 223, 0x6121),
        (LongAnswer::Announced, &[0, 0], 256, 0x9000),
        (LongAnswer::EmptyWhenExtended, &[0x01, 0x00], 256, 0x9000),
        (LongAnswer::EmptyWhenExtended, &[0, 0], 0, 0x9000),
    ] {
        let offered = ActiveAuthenticationKey::Rsa(key.clone(), RsaForm::Standard);
        let (mut chip, mut session) = opened(offered, SignatureHash::Sha256, long_answer);
        let (answer, said) = session.say(&mut chip, INTERNAL_AUTHENTICATE, &CHALLENGE, le);
        assert_eq!((answer.len(), said), (length, status), "{long_answer:?} {le:02X?}");
        if length == 256 {
            assert_eq!(recover(&key, &answer)[0], 0x6A);
        }
    }
}

#[test]
fn active_authentication_needs_an_open_application_and_eight_bytes() {
    let key = ActiveAuthenticationKey::Ecdsa(ec_key(NamedCurve::NistP256), EcdsaForm::Plain);
    let offer =
        ActiveAuthenticationOffer { key, hash: SignatureHash::Sha256, long_answer: LongAnswer::Refused };
    let mut image = image();
    image.proofs.active_authentication = Some(offer);
    let mut chip = Chip::new(image.clone());
    say(&mut chip, SELECT_APPLICATION);
    assert_eq!(say(&mut chip, "0088000008F173589974BF40C600"), "6982");
    chip.reset();
    let mut session = pace_can(&mut chip, "123456").unwrap();
    assert_eq!(session.say(&mut chip, INTERNAL_AUTHENTICATE, &CHALLENGE, &[0]).1, 0x6985);
    session.select_application(&mut chip);
    assert_eq!(session.say(&mut chip, INTERNAL_AUTHENTICATE, &CHALLENGE[1..], &[0]).1, 0x6700);
    assert_eq!(session.say(&mut chip, INTERNAL_AUTHENTICATE, &CHALLENGE, &[]).1, 0x6700);
    assert_eq!(session.say(&mut chip, [0, 0x88, 0, 1], &CHALLENGE, &[0]).1, 0x6A86);
    assert_eq!(session.say(&mut chip, INTERNAL_AUTHENTICATE, &CHALLENGE, &[0]).0.len(), 64);

    // The files without the key; and a chip that knows no such command.
    let offer = image.proofs.active_authentication.as_mut().unwrap();
    offer.key = ActiveAuthenticationKey::Missing;
    let (mut chip, mut session) = open(image.clone());
    assert_eq!(session.say(&mut chip, INTERNAL_AUTHENTICATE, &CHALLENGE, &[0]).1, 0x6A88);
    image.proofs.active_authentication = None;
    let (mut chip, mut session) = open(image);
    assert_eq!(session.say(&mut chip, INTERNAL_AUTHENTICATE, &CHALLENGE, &[0]).1, 0x6D00);
}

/// A static key of the chip, and its public half.
fn agreement(parameters: DomainParameters) -> (AgreementKey, Vec<u8>) {
    let (private, public) = ephemeral(parameters);
    (AgreementKey { parameters, private: cccd_card::SecretBytes::new(private.to_vec()) }, public)
}

/// A key pair, made with OpenSSL's own functions and not with the chip's.
fn ephemeral(parameters: DomainParameters) -> (BigNum, Vec<u8>) {
    match parameters {
        DomainParameters::Curve(curve) => {
            let key = ec_key(curve);
            let mut context = BigNumContext::new().unwrap();
            let form = openssl::ec::PointConversionForm::UNCOMPRESSED;
            let public = key.public_key().to_bytes(key.group(), form, &mut context).unwrap();
            (key.private_key().to_owned().unwrap(), public)
        }
        DomainParameters::Modp(group) => {
            let domain = group.numbers();
            let key = domain.unwrap().generate_key().unwrap();
            (key.private_key().to_owned().unwrap(), key.public_key().to_vec())
        }
    }
}

/// What the terminal agrees with the chip's public key.
fn terminal_secret(parameters: DomainParameters, private: &BigNum, chip: &[u8]) -> Vec<u8> {
    match parameters {
        DomainParameters::Curve(curve) => {
            let group = EcGroup::from_curve_name(curve.nid()).unwrap();
            let mut context = BigNumContext::new().unwrap();
            let point = EcPoint::from_bytes(&group, chip, &mut context).unwrap();
            let mut shared = EcPoint::new(&group).unwrap();
            shared.mul2(&group, &point, private, &mut context).unwrap();
            let form = openssl::ec::PointConversionForm::UNCOMPRESSED;
            let bytes = shared.to_bytes(&group, form, &mut context).unwrap();
            bytes[1..=(bytes.len() - 1) / 2].to_vec()
        }
        DomainParameters::Modp(_) => {
            let Ok(Group::Modp(group)) = Group::new(parameters) else { panic!("not a group of DH") };
            let shared = group.power(&BigNum::from_slice(chip).unwrap(), private).unwrap();
            shared.to_vec_padded(group.prime().num_bytes()).unwrap()
        }
    }
}

fn offer(key: AgreementKey, cipher: PaceCipher, key_id: Option<u64>) -> ChipAuthenticationOffer {
    ChipAuthenticationOffer { key, cipher, key_id, commands: ChipAuthenticationCommands::Both }
}

/// Runs chip authentication against a public key; the session of the new keys, or the status.
fn authenticate(
    chip: &mut Chip,
    session: &mut TerminalSession,
    (parameters, cipher, public): (DomainParameters, PaceCipher, &[u8]),
    key_id: &[u8],
    by_template: bool,
) -> Result<TerminalSession, u16> {
    let (private, ours) = ephemeral(parameters);
    let number = if key_id.is_empty() { Vec::new() } else { tlv::object(&[0x84], key_id) };
    if by_template {
        let data = [tlv::object(&[0x91], &ours), number].concat();
        let command = session.wrap([0, 0x22, 0x41, 0xA6], &data, &[], true);
        match session.unwrap(&chip.process(&command)) {
            (_, 0x9000) => {}
            (_, status) => return Err(status),
        }
    } else {
        let kind = match parameters {
            DomainParameters::Modp(_) => 1,
            DomainParameters::Curve(_) => 2,
        };
        let oid = [&bytes("04007F0007020203")[..], &[kind, cipher as u8 + 1]].concat();
        let data = [tlv::object(&[0x80], &oid), number].concat();
        match session.say(chip, [0, 0x22, 0x41, 0xA4], &data, &[]) {
            (_, 0x9000) => {}
            (_, status) => return Err(status),
        }
        let data = tlv::object(&[0x7C], &tlv::object(&[0x80], &ours));
        let command = session.wrap([0, 0x86, 0, 0], &data, &[0], true);
        match session.unwrap(&chip.process(&command)) {
            (answer, 0x9000) => assert_eq!(answer, [0x7C, 0x00]),
            (_, status) => return Err(status),
        }
    }
    Ok(TerminalSession::new(cipher, &terminal_secret(parameters, &private, public), 0))
}

#[test]
fn chip_authentication_opens_a_new_session_in_every_group_with_every_cipher() {
    for parameters in DomainParameters::all() {
        let (key, public) = agreement(parameters);
        for cipher in PaceCipher::all() {
            for by_template in [false, true] {
                let mut image = image();
                image.proofs.chip_authentication = vec![offer(key.clone(), cipher, None)];
                let (mut chip, mut session) = open(image);
                let with = (parameters, cipher, &public[..]);
                let done = authenticate(&mut chip, &mut session, with, &[], by_template);
                if by_template && cipher != PaceCipher::TripleDes {
                    assert_eq!(done.err(), Some(0x6A88), "MSE:Set KAT is for 3DES");
                    continue;
                }
                let mut renewed = done.unwrap();
                // The application is still selected, and the first command counts one.
                let read = renewed.say(&mut chip, [0, 0xB0, 0x81, 0], &[], &[0]);
                assert_eq!(read, (content(95), 0x9000), "{parameters:?} {cipher:?}");
                assert_eq!(renewed.count, 2);
                // The keys of before are of no use any more.
                let stale = session.wrap([0, 0xB0, 0x81, 0], &[], &[0], false);
                assert_eq!(chip.process(&stale), [0x69, 0x88]);
            }
        }
    }
}

#[test]
fn a_terminal_that_takes_another_public_key_has_other_session_keys() {
    let parameters = DomainParameters::Curve(NamedCurve::BrainpoolP256r1);
    let ((key, _), (_, signed)) = (agreement(parameters), agreement(parameters));
    let mut image = image();
    image.proofs.chip_authentication = vec![offer(key, PaceCipher::Aes128, None)];
    let (mut chip, mut session) = open(image);
    let with = (parameters, PaceCipher::Aes128, &signed[..]);
    let mut renewed = authenticate(&mut chip, &mut session, with, &[], false).unwrap();
    let command = renewed.wrap([0, 0xB0, 0x81, 0], &[], &[0], false);
    assert_eq!(chip.process(&command), [0x69, 0x88]);
}

#[test]
fn several_keys_are_chosen_by_number() {
    let parameters = DomainParameters::Curve(NamedCurve::NistP256);
    let (first, first_public) = agreement(parameters);
    let (second, second_public) = agreement(parameters);
    let mut image = image();
    image.proofs.chip_authentication = vec![
        offer(first, PaceCipher::TripleDes, Some(1)),
        offer(second, PaceCipher::TripleDes, Some(0x0102)),
    ];
    for by_template in [false, true] {
        for (id, public) in [(&[1][..], &first_public), (&[0, 1], &first_public), (&[1, 2], &second_public)] {
            let (mut chip, mut session) = open(image.clone());
            let with = (parameters, PaceCipher::TripleDes, &public[..]);
            let mut renewed = authenticate(&mut chip, &mut session, with, id, by_template).unwrap();
            assert_eq!(renewed.say(&mut chip, [0, 0xB0, 0x81, 0], &[], &[4]).1, 0x9000);
        }
        // None named; one that is not there; one that fits no number.
        for id in [&[][..], &[3], &[0xFF; 12]] {
            let (mut chip, mut session) = open(image.clone());
            let with = (parameters, PaceCipher::TripleDes, &first_public[..]);
            assert_eq!(authenticate(&mut chip, &mut session, with, id, by_template).err(), Some(0x6A88));
            // The session of before goes on (ICAO 9303-11, 6.2.4.1).
            assert_eq!(session.say(&mut chip, [0, 0xB0, 0x81, 0], &[], &[4]).1, 0x9000);
        }
    }
}

#[test]
fn chips_may_know_one_of_the_two_ways_only() {
    let parameters = DomainParameters::Curve(NamedCurve::NistP256);
    let (key, public) = agreement(parameters);
    for (commands, by_template, refused) in [
        (ChipAuthenticationCommands::KeyAgreementTemplate, true, None),
        (ChipAuthenticationCommands::KeyAgreementTemplate, false, Some(0x6A80)),
        (ChipAuthenticationCommands::GeneralAuthenticate, true, Some(0x6A88)),
        (ChipAuthenticationCommands::GeneralAuthenticate, false, None),
    ] {
        let mut image = image();
        let offer = ChipAuthenticationOffer { commands, ..offer(key.clone(), PaceCipher::TripleDes, None) };
        image.proofs.chip_authentication = vec![offer];
        let (mut chip, mut session) = open(image);
        let with = (parameters, PaceCipher::TripleDes, &public[..]);
        let done = authenticate(&mut chip, &mut session, with, &[], by_template);
        assert_eq!(done.err(), refused, "{commands:?} {by_template}");
    }
}

#[test]
fn bad_keys_and_steps_out_of_order_leave_the_session_as_it_was() {
    for parameters in
        [DomainParameters::Curve(NamedCurve::NistP256), DomainParameters::Modp(ModpGroup::Modp1024Order160)]
    {
        let (key, public) = agreement(parameters);
        let mut image = image();
        image.proofs.chip_authentication = vec![offer(key, PaceCipher::Aes128, None)];
        let (mut chip, mut session) = open(image);
        let kind = if matches!(parameters, DomainParameters::Curve(_)) { 2 } else { 1 };
        let set_at = [&bytes("800A04007F0007020203")[..], &[kind, 2]].concat();
        let mut say = |header, data: &[u8]| session.say(&mut chip, header, data, &[0]).1;
        let key_of = |key: &[u8]| tlv::object(&[0x7C], &tlv::object(&[0x80], key));

        // Without MSE:Set AT, GENERAL AUTHENTICATE is PACE's, which knows no such step.
        assert_eq!(say([0, 0x86, 0, 0], &key_of(&public)), 0x6A80);
        for bad in
            [key_of(&[]), key_of(&[1]), key_of(&[4; 65]), key_of(&[0; 128]), bytes("7C00"), bytes("80")]
        {
            assert_eq!(say([0, 0x22, 0x41, 0xA4], &set_at), 0x9000);
            let status = say([0, 0x86, 0, 0], &bad);
            assert!(matches!(status, 0x6A80), "{status:04X} {bad:02X?}");
        }
        // The choice is good for the very next command.
        assert_eq!(say([0, 0x22, 0x41, 0xA4], &set_at), 0x9000);
        assert_eq!(say([0, 0xB0, 0x81, 0], &[]), 0x9000);
        assert_eq!(say([0, 0x86, 0, 0], &key_of(&public)), 0x6A80);
        // A protocol that is not offered, no protocol, one twice, an object nobody knows.
        for bad in
            ["800A04007F00070202030204", "", "800A04007F00070202030202800A04007F00070202030202", "8000"]
        {
            let status = say([0, 0x22, 0x41, 0xA4], &bytes(bad));
            assert!(matches!(status, 0x6A80), "{status:04X} {bad}");
        }
        assert_eq!(say([0, 0x22, 0x41, 0xA6], &tlv::object(&[0x91], &public)), 0x6A88);
        assert_eq!(say([0, 0xB0, 0x81, 0], &[]), 0x9000);
    }
    // In the open there is nothing to prove.
    let mut chip = Chip::new(image());
    super::terminal::say(&mut chip, SELECT_APPLICATION);
    let answer = super::terminal::say(&mut chip, "002241A40C800A04007F00070202030202");
    assert_eq!(answer, "6982");
}

#[test]
fn a_chip_can_break_after_chip_authentication() {
    let parameters = DomainParameters::Curve(NamedCurve::NistP256);
    let (key, public) = agreement(parameters);
    let mut image = image();
    image.proofs.chip_authentication = vec![offer(key, PaceCipher::Aes128, None)];
    image.proofs.active_authentication = Some(ActiveAuthenticationOffer {
        key: ActiveAuthenticationKey::Ecdsa(ec_key(NamedCurve::NistP256), EcdsaForm::Plain),
        hash: SignatureHash::Sha256,
        long_answer: LongAnswer::Refused,
    });
    let with = (parameters, PaceCipher::Aes128, &public[..]);
    for (after, active) in
        [(AfterChipAuthentication::Works, 0x9000), (AfterChipAuthentication::NoActiveAuthentication, 0x6F00)]
    {
        image.proofs.after_chip_authentication = after;
        let (mut chip, mut session) = open(image.clone());
        let before = session.say(&mut chip, INTERNAL_AUTHENTICATE, &CHALLENGE, &[0]).1;
        let mut renewed = authenticate(&mut chip, &mut session, with, &[], false).unwrap();
        let then = renewed.say(&mut chip, INTERNAL_AUTHENTICATE, &CHALLENGE, &[0]).1;
        assert_eq!((before, then), (0x9000, active));
        assert_eq!(renewed.say(&mut chip, [0, 0xB0, 0x81, 0], &[], &[4]).1, 0x9000);
    }
    image.proofs.after_chip_authentication = AfterChipAuthentication::Mute;
    let (mut chip, mut session) = open(image);
    let mut renewed = authenticate(&mut chip, &mut session, with, &[], false).unwrap();
    let command = renewed.wrap([0, 0xB0, 0x81, 0], &[], &[4], false);
    assert_eq!(chip.process(&command), [0x6F, 0x00]);
    assert_eq!(say(&mut chip, SELECT_APPLICATION), "6F00");
    chip.reset();
    assert_eq!(say(&mut chip, SELECT_APPLICATION), "9000");
}
