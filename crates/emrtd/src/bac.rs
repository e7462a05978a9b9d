//! Basic access control (ICAO 9303-11, 4.3).

use cccd_card::{ByteReader, CardChannel, Command, ExpectedLength, Response, StatusWord};
use cccd_document::{Cipher, MrzKey};
use zeroize::Zeroizing;

use crate::attempt::{AccessStep, AttemptError, ProtocolFault};
use crate::entropy::{Entropy, NoEntropy};
use crate::key_derivation::{KeyPair, document_basic_access_keys};
use crate::secure_messaging::SecureMessaging;
use crate::symmetric::{Iv, MAC_SIZE, pad};
use crate::transport::{exchange, exchange_plain};

/// The application identifier of the eMRTD application (ICAO 9303-10, 3.3).
pub(crate) const EMRTD_AID: [u8; 7] = [0xA0, 0x00, 0x00, 0x02, 0x47, 0x10, 0x01];

/// SELECT by name, nothing wanted back: some chips refuse an Le here.
pub(crate) fn select_application() -> Command {
    Command::new(0x00, 0xA4, 0x04, 0x0C).data(&EMRTD_AID)
}

/// RND.IFD || RND.IC || K.IFD, or what the chip makes of it, encrypted.
const CRYPTOGRAM: usize = 32;

/// Runs BAC once, SELECT of the application included.
pub(crate) fn run(
    channel: &mut dyn CardChannel,
    mrz: &MrzKey,
    entropy: &mut dyn Entropy,
) -> Result<SecureMessaging, AttemptError> {
    let step = AccessStep::SelectApplication;
    let status = exchange_plain(channel, &select_application()).map_err(lost(step))?.status();
    if !status.is_ok() {
        return Err(AttemptError::VariantRefused { step, status });
    }

    let keys = document_basic_access_keys(mrz);
    let (mut ours, mut reply) =
        authenticate(channel, &keys, entropy, ExpectedLength::new(CRYPTOGRAM + MAC_SIZE))?;
    let status = reply.status();
    if status == StatusWord::WRONG_LENGTH || status.right_length().is_some() {
        // Some chips want Le 00. The challenge may be used up, so the second time has its own.
        (ours, reply) = authenticate(channel, &keys, entropy, ExpectedLength::SHORT_MAX)?;
    }
    let status = reply.status();
    if !status.is_ok() {
        return Err(refusal(status));
    }
    session(&keys, &ours, reply.data())
}

/// The random numbers of one run, ours and the chip's.
struct Nonces {
    chip: [u8; 8],
    ours: Zeroizing<[u8; 8]>,
    key: Zeroizing<[u8; 16]>,
}

/// GET CHALLENGE and EXTERNAL AUTHENTICATE (4.3.1 and 4.3.4).
fn authenticate(
    channel: &mut dyn CardChannel,
    keys: &KeyPair,
    entropy: &mut dyn Entropy,
    expected: ExpectedLength,
) -> Result<(Nonces, Response), AttemptError> {
    let step = AccessStep::GetChallenge;
    let challenge = Command::new(0x00, 0x84, 0x00, 0x00).expect(ExpectedLength::new(8));
    let reply = exchange_plain(channel, &challenge).map_err(lost(step))?;
    if !reply.status().is_ok() {
        return Err(AttemptError::VariantRefused { step, status: reply.status() });
    }
    let chip = reply.data().try_into().map_err(|_| ProtocolFault::UnexpectedAnswer { step })?;
    let nonces = Nonces { chip, ours: random(entropy)?, key: random(entropy)? };

    let mut data = Zeroizing::new(Vec::with_capacity(CRYPTOGRAM + MAC_SIZE));
    data.extend_from_slice(nonces.ours.as_slice());
    data.extend_from_slice(&nonces.chip);
    data.extend_from_slice(nonces.key.as_slice());
    let step = AccessStep::ExternalAuthenticate;
    keys.encryption.encrypt(Iv::ZERO, &mut data).map_err(|_| ProtocolFault::UnexpectedAnswer { step })?;
    let mac = keys.authentication.mac(&padded(&data));
    data.extend_from_slice(&mac);
    let command = Command::new(0x00, 0x82, 0x00, 0x00).data(&data).expect(expected);
    // Not re-issued on 6Cxx: the chip may have thrown its challenge away.
    let reply = exchange(channel, &command).map_err(lost(step))?;
    Ok((nonces, reply))
}

/// Checks the chip's half and makes the session (4.3.1, steps 4 and 5).
fn session(keys: &KeyPair, ours: &Nonces, reply: &[u8]) -> Result<SecureMessaging, AttemptError> {
    let unexpected = ProtocolFault::UnexpectedAnswer { step: AccessStep::ExternalAuthenticate };
    let (cryptogram, mac) = reply.split_at_checked(CRYPTOGRAM).ok_or(unexpected)?;
    if mac.len() != MAC_SIZE {
        return Err(unexpected.into());
    }
    if !keys.authentication.mac_is(&padded(cryptogram), mac) {
        return Err(ProtocolFault::WrongCryptogram.into());
    }
    let mut plain = Zeroizing::new(cryptogram.to_vec());
    keys.encryption.decrypt(Iv::ZERO, &mut plain).map_err(|_| unexpected)?;

    let mut plain = ByteReader::new(&plain);
    let chip = plain.array::<8>().map_err(|_| unexpected)?;
    let echo = plain.array::<8>().map_err(|_| unexpected)?;
    let chip_key = plain.array::<16>().map(Zeroizing::new).map_err(|_| unexpected)?;
    if chip != ours.chip || echo != *ours.ours {
        return Err(ProtocolFault::NotEchoed.into());
    }

    let mut seed = Zeroizing::new([0; 16]);
    for ((seed, ours), theirs) in seed.iter_mut().zip(ours.key.iter()).zip(chip_key.iter()) {
        *seed = ours ^ theirs;
    }
    // The last four bytes of each challenge, the chip's first (9.8.6.3).
    let ([_, _, _, _, a, b, c, d], [_, _, _, _, e, f, g, h]) = (chip, echo);
    let keys = KeyPair::derive(Cipher::TripleDes, seed.as_slice());
    Ok(SecureMessaging::starting_at(keys, [a, b, c, d, e, f, g, h]))
}

/// What a refused EXTERNAL AUTHENTICATE means. 6300 is the standard's word for a wrong key; chips are known
/// that take the wrong MAC for a wrong secure messaging object, or for a missing right.
fn refusal(status: StatusWord) -> AttemptError {
    match status {
        StatusWord::VERIFICATION_FAILED | StatusWord::SECURITY_STATUS | StatusWord::SM_OBJECT_WRONG => {
            AttemptError::WrongPassword { tries_left: None }
        }
        StatusWord(0x6983 | 0x6984) => AttemptError::Blocked,
        _ => match status.tries_left() {
            Some(0) => AttemptError::Blocked,
            Some(left) => AttemptError::WrongPassword { tries_left: Some(left) },
            None => AttemptError::VariantRefused { step: AccessStep::ExternalAuthenticate, status },
        },
    }
}

fn padded(data: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut padded = Zeroizing::new(data.to_vec());
    pad(&mut padded, 8);
    padded
}

fn random<const N: usize>(entropy: &mut dyn Entropy) -> Result<Zeroizing<[u8; N]>, NoEntropy> {
    let mut out = Zeroizing::new([0; N]);
    entropy.fill(out.as_mut_slice())?;
    Ok(out)
}

fn lost(step: AccessStep) -> impl Fn(cccd_card::TransportError) -> AttemptError {
    move |source| AttemptError::Transport { step, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Fixed, Script, hex};

    const SELECT: (&str, &str) = ("00A4040C 07 A0000002471001", "9000");
    const CHALLENGE: (&str, &str) = ("00840000 08", "4608F919887022129000");
    /// EXTERNAL AUTHENTICATE without its Le, and the answer (ICAO 9303-11, Appendix D.3).
    const AUTHENTICATE: &str = "00820000 28 72C29C2371CC9BDB65B779B8E8D37B29ECC154AA56A8799FAE2F498F76ED92F2
                                5F1448EEA8AD90A7";
    const ANSWER: &str =
        "46B9342A41396CD7386BF5803104D7CEDC122B9132139BAF2EEDC94EE178534F2F2D235D074D7449 9000";

    fn specimen() -> MrzKey {
        MrzKey::new("L898902C", "690806", "940623").unwrap()
    }

    fn ours() -> Fixed {
        Fixed::new(&[&hex("781723860C06C226"), &hex("0B795240CB7049B01C19B33E32804F0B")])
    }

    fn authenticate_with(le: &str) -> String {
        format!("{AUTHENTICATE}{le}")
    }

    fn ending_with(answer: &str) -> AttemptError {
        let command = authenticate_with("28");
        let mut chip = Script::of(&[SELECT, CHALLENGE, (&command, answer)]);
        let error = run(&mut chip, &specimen(), &mut ours()).err().unwrap();
        chip.finish();
        error
    }

    #[test]
    fn the_worked_example_comes_to_its_session() {
        // ICAO 9303-11, Appendix D.3, and the first command of D.4 as the proof of keys and counter.
        let command = authenticate_with("28");
        let mut chip = Script::of(&[SELECT, CHALLENGE, (&command, ANSWER)]);
        let mut sm = run(&mut chip, &specimen(), &mut ours()).unwrap();
        chip.finish();
        let select = Command::new(0x00, 0xA4, 0x02, 0x0C).data(&[0x01, 0x1E]);
        assert_eq!(
            hex::encode_upper(sm.protect(&select).unwrap().encode()),
            "0CA4020C158709016375432908C044F68E08BF8B92D635FF24F800"
        );
    }

    #[test]
    fn le_00_is_tried_with_a_new_challenge() {
        let (first, second) = (authenticate_with("28"), authenticate_with("00"));
        for refusal in ["6700", "6C00", "6C28"] {
            let mut chip = Script::of(&[SELECT, CHALLENGE, (&first, refusal), CHALLENGE, (&second, ANSWER)]);
            let twice = [hex("781723860C06C226"), hex("0B795240CB7049B01C19B33E32804F0B")].concat();
            assert!(run(&mut chip, &specimen(), &mut Fixed::new(&[&twice, &twice])).is_ok());
            chip.finish();
        }
    }

    #[test]
    fn no_flipped_bit_of_the_answer_makes_a_session() {
        let answer = hex(ANSWER);
        for bit in 0..answer.len() * 8 {
            let mut answer = answer.clone();
            answer[bit / 8] ^= 1 << (bit % 8);
            let error = ending_with(&hex::encode(answer));
            let status = bit / 8 >= 40;
            assert_eq!(matches!(error, AttemptError::Fault(ProtocolFault::WrongCryptogram)), !status);
        }
    }

    #[test]
    fn an_answer_of_an_earlier_run_is_refused() {
        let command = hex::encode({
            // The same chip and key, another number of ours: the recorded answer has a right MAC.
            let keys = document_basic_access_keys(&specimen());
            let mut data =
                [hex("781723860C06C227"), hex("4608F91988702212"), hex("0B795240CB7049B01C19B33E32804F0B")]
                    .concat();
            keys.encryption.encrypt(Iv::ZERO, &mut data).unwrap();
            let mac = keys.authentication.mac(&padded(&data));
            [hex("0082000028"), data, mac.to_vec(), vec![0x28]].concat()
        });
        let mut chip = Script::of(&[SELECT, CHALLENGE, (&command, ANSWER)]);
        let mut ours = Fixed::new(&[&hex("781723860C06C227"), &hex("0B795240CB7049B01C19B33E32804F0B")]);
        let error = run(&mut chip, &specimen(), &mut ours).err().unwrap();
        assert!(matches!(error, AttemptError::Fault(ProtocolFault::NotEchoed)), "{error:?}");
    }

    #[test]
    fn statuses_tell_a_wrong_key_from_a_refusal() {
        for status in ["6300", "6982", "6988"] {
            let error = ending_with(status);
            assert!(matches!(error, AttemptError::WrongPassword { tries_left: None }), "{error:?}");
        }
        assert!(matches!(ending_with("63C2"), AttemptError::WrongPassword { tries_left: Some(2) }));
        assert!(matches!(ending_with("63C0"), AttemptError::Blocked));
        // 6A88 and 6985: this chip wants PACE.
        for status in ["6A88", "6985", "6D00"] {
            assert!(matches!(ending_with(status), AttemptError::VariantRefused { .. }));
        }
    }

    #[test]
    fn a_short_or_long_answer_is_a_fault() {
        for answer in ["9000", "00 9000", &format!("00{ANSWER}")] {
            let error = ending_with(answer);
            assert!(matches!(error, AttemptError::Fault(_)), "{error:?}");
        }
        let mut chip = Script::of(&[SELECT, ("0084000008", "010203049000")]);
        let error = run(&mut chip, &specimen(), &mut ours()).err().unwrap();
        assert!(matches!(error, AttemptError::Fault(ProtocolFault::UnexpectedAnswer { .. })));
    }

    #[test]
    fn a_refused_challenge_is_no_wrong_key() {
        let mut chip = Script::of(&[SELECT, ("0084000008", "6985")]);
        let error = run(&mut chip, &specimen(), &mut ours()).err().unwrap();
        let AttemptError::VariantRefused { step, status } = error else { panic!("{error:?}") };
        assert_eq!((step, status), (AccessStep::GetChallenge, StatusWord::CONDITIONS_NOT_SATISFIED));
    }
}
