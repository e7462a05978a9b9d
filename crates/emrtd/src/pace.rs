//! PACE with elliptic curves and the generic mapping (ICAO 9303-11, 4.4).

use bp256::BrainpoolP256r1;
use bp384::BrainpoolP384r1;
use cccd_card::tlv::{Tag, TlvReader, encode};
use cccd_card::{CardChannel, Command, ExpectedLength, SecretBytes, StatusWord};
use cccd_document::{AccessKey, Cipher, Mapping, PasswordKind, SelectedPace};
use elliptic_curve::CurveArithmetic;
use p256::NistP256;
use p384::NistP384;
use p521::NistP521;
use zeroize::Zeroizing;

use crate::attempt::{AccessStep, AttemptError, ProtocolFault};
use crate::curve::MappingKey;
use crate::entropy::Entropy;
use crate::key_derivation::{KeyPair, password_key};
use crate::secure_messaging::SecureMessaging;
use crate::symmetric::{Iv, Key, pad};
use crate::transport::{exchange, exchange_plain};

/// id-PACE-ECDH-GM, 0.4.0.127.0.7.2.2.4.2; one more arc names the cipher (ICAO 9303-11, 9.2.1).
const ECDH_GM: [u8; 9] = [0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x04, 0x02];

/// A nonce is as long as the key, rounded up to blocks; the longest is that of AES-256.
const LONGEST_NONCE: usize = 32;

const DYNAMIC_AUTHENTICATION_DATA: Tag = Tag(0x7C);

/// The curves of ICAO 9303-11, table 6, that we speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Curve {
    NistP256,
    BrainpoolP256r1,
    NistP384,
    BrainpoolP384r1,
    NistP521,
}

/// A variant of PACE that a chip offers and we speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Variant {
    cipher: Cipher,
    curve: Curve,
}

impl Variant {
    /// The variant of a PACEInfo, if we speak it: its object identifier's content bytes, and its parameter.
    pub(crate) fn of(oid: &[u8], parameter_id: Option<u64>) -> Option<Self> {
        let cipher = match oid.strip_prefix(&ECDH_GM)? {
            [1] => Cipher::TripleDes,
            [2] => Cipher::Aes128,
            [3] => Cipher::Aes192,
            [4] => Cipher::Aes256,
            _ => return None,
        };
        let curve = match parameter_id? {
            12 => Curve::NistP256,
            13 => Curve::BrainpoolP256r1,
            15 => Curve::NistP384,
            16 => Curve::BrainpoolP384r1,
            18 => Curve::NistP521,
            _ => return None,
        };
        Some(Self { cipher, curve })
    }

    /// How good it is; the highest is tried first.
    ///
    /// Any AES is far from being broken and 3DES is old, so the cipher family comes first. Then the smaller
    /// curve: every one of them is out of reach, and a chip takes eight times as long for one twice as wide
    /// while somebody holds the card. Then the longer key.
    pub(crate) fn score(self) -> (u8, u8, u8) {
        let (family, key) = match self.cipher {
            Cipher::TripleDes => (0, 0),
            Cipher::Aes128 => (1, 0),
            Cipher::Aes192 => (1, 1),
            Cipher::Aes256 => (1, 2),
        };
        let curve = match self.curve {
            Curve::NistP256 | Curve::BrainpoolP256r1 => 2,
            Curve::NistP384 | Curve::BrainpoolP384r1 => 1,
            Curve::NistP521 => 0,
        };
        (family, curve, key)
    }

    /// What a reading reports.
    pub(crate) fn selected(self) -> SelectedPace {
        SelectedPace { mapping: Mapping::Generic, cipher: self.cipher, parameter_id: self.parameter_id() }
    }

    fn parameter_id(self) -> u8 {
        match self.curve {
            Curve::NistP256 => 12,
            Curve::BrainpoolP256r1 => 13,
            Curve::NistP384 => 15,
            Curve::BrainpoolP384r1 => 16,
            Curve::NistP521 => 18,
        }
    }

    fn oid(self) -> [u8; 10] {
        let last = match self.cipher {
            Cipher::TripleDes => 1,
            Cipher::Aes128 => 2,
            Cipher::Aes192 => 3,
            Cipher::Aes256 => 4,
        };
        let [a, b, c, d, e, f, g, h, i] = ECDH_GM;
        [a, b, c, d, e, f, g, h, i, last]
    }
}

/// Runs PACE once (ICAO 9303-11, 4.4.1).
pub(crate) fn run(
    channel: &mut dyn CardChannel,
    variant: Variant,
    password: &AccessKey,
    entropy: &mut dyn Entropy,
) -> Result<SecureMessaging, AttemptError> {
    match variant.curve {
        Curve::NistP256 => run_on::<NistP256>(channel, variant, password, entropy),
        Curve::BrainpoolP256r1 => run_on::<BrainpoolP256r1>(channel, variant, password, entropy),
        Curve::NistP384 => run_on::<NistP384>(channel, variant, password, entropy),
        Curve::BrainpoolP384r1 => run_on::<BrainpoolP384r1>(channel, variant, password, entropy),
        Curve::NistP521 => run_on::<NistP521>(channel, variant, password, entropy),
    }
}

fn run_on<C: CurveArithmetic>(
    channel: &mut dyn CardChannel,
    variant: Variant,
    password: &AccessKey,
    entropy: &mut dyn Entropy,
) -> Result<SecureMessaging, AttemptError> {
    set_template(channel, variant, password.kind())?;

    let sealed = general_authenticate(channel, AccessStep::Nonce, &[])?;
    let nonce = decrypt_nonce(&password_key(variant.cipher, password), sealed)?;

    let mapping = MappingKey::<C>::generate(entropy)?;
    let chip_mapping =
        general_authenticate(channel, AccessStep::Mapping, &encode(Tag(0x81), mapping.public()))?;
    let ephemeral = mapping.map(&chip_mapping, &nonce, entropy).map_err(AttemptError::of_mapping)?;

    let step = AccessStep::KeyAgreement;
    let chip_public = general_authenticate(channel, step, &encode(Tag(0x83), ephemeral.public()))?;
    let secret = ephemeral.agree(&chip_public).map_err(|source| ProtocolFault::Point { step, source })?;
    let keys = KeyPair::derive(variant.cipher, &secret);

    // Each side proves the session keys over the other side's public key (4.4.3.4).
    let ours = keys.authentication.mac(&token_input(variant, &chip_public));
    let step = AccessStep::MutualAuthentication;
    let theirs = general_authenticate(channel, step, &encode(Tag(0x85), &ours))?;
    if !keys.authentication.mac_is(&token_input(variant, ephemeral.public()), &theirs) {
        return Err(ProtocolFault::WrongToken.into());
    }
    Ok(SecureMessaging::new(keys))
}

/// MSE:Set AT (4.4.4.1). The parameter id goes along always: some chips refuse without it, none is known to
/// refuse it.
fn set_template(
    channel: &mut dyn CardChannel,
    variant: Variant,
    password: PasswordKind,
) -> Result<(), AttemptError> {
    let reference = match password {
        PasswordKind::Mrz => 0x01,
        PasswordKind::Can => 0x02,
    };
    let data = [
        encode(Tag(0x80), &variant.oid()),
        encode(Tag(0x83), &[reference]),
        encode(Tag(0x84), &[variant.parameter_id()]),
    ]
    .concat();
    let step = AccessStep::SetTemplate;
    let reply = exchange(channel, &Command::new(0x00, 0x22, 0xC1, 0xA4).data(&data))
        .map_err(|source| AttemptError::Transport { step, source })?;
    let status = reply.status();
    match status.tries_left() {
        // 63Cx warns that x tries are left; the template is set. Zero has nothing left, and the last one
        // belongs to the card's holder, who can still type the right number.
        Some(0) => Err(AttemptError::Blocked),
        Some(1) => Err(AttemptError::LastTry),
        Some(_) => Ok(()),
        None if status.is_ok() => Ok(()),
        None if is_blocked(status) => Err(AttemptError::Blocked),
        None if status == StatusWord::REFERENCE_NOT_FOUND => {
            Err(AttemptError::PasswordUnknown { step, status })
        }
        None => Err(AttemptError::VariantRefused { step, status }),
    }
}

/// One GENERAL AUTHENTICATE (4.4.4.2): chained but for the last, one object there and one back.
fn general_authenticate(
    channel: &mut dyn CardChannel,
    step: AccessStep,
    object: &[u8],
) -> Result<SecretBytes, AttemptError> {
    let last = step == AccessStep::MutualAuthentication;
    let cla = if last { 0x00 } else { 0x10 };
    // Le is 256 and never more: a chip is known that refuses 65536 here.
    let command = Command::new(cla, 0x86, 0x00, 0x00)
        .data(&encode(DYNAMIC_AUTHENTICATION_DATA, object))
        .expect(ExpectedLength::SHORT_MAX);
    let reply =
        exchange_plain(channel, &command).map_err(|source| AttemptError::Transport { step, source })?;
    let status = reply.status();
    if !status.is_ok() {
        return Err(match status.tries_left() {
            Some(0) if last => AttemptError::Blocked,
            Some(left) if last => AttemptError::WrongPassword { tries_left: Some(left) },
            _ if last && is_wrong_password(status) => AttemptError::WrongPassword { tries_left: None },
            _ if is_blocked(status) => AttemptError::Blocked,
            _ => AttemptError::VariantRefused { step, status },
        });
    }
    let wanted = match step {
        AccessStep::Nonce => Tag(0x80),
        AccessStep::Mapping => Tag(0x82),
        AccessStep::KeyAgreement => Tag(0x84),
        _ => Tag(0x86),
    };
    answer_object(reply.data(), wanted, last).ok_or_else(|| ProtocolFault::UnexpectedAnswer { step }.into())
}

/// The value of the one object in a dynamic authentication data answer. The last may bring names of
/// certification authorities along (87, 88: terminal authentication).
fn answer_object(data: &[u8], wanted: Tag, last: bool) -> Option<SecretBytes> {
    let mut outer = TlvReader::new(data);
    let mut inner = TlvReader::new(outer.expect(DYNAMIC_AUTHENTICATION_DATA).ok()?);
    outer.finish().ok()?;
    let value = inner.expect(wanted).ok()?;
    if last {
        inner.optional(Tag(0x87)).ok()?;
        inner.optional(Tag(0x88)).ok()?;
    }
    inner.finish().ok()?;
    Some(Zeroizing::new(value.to_vec()))
}

/// The nonce (4.4.3.1): CBC with a zero vector and no padding.
fn decrypt_nonce(key: &Key, mut sealed: SecretBytes) -> Result<SecretBytes, ProtocolFault> {
    let fault = ProtocolFault::UnexpectedAnswer { step: AccessStep::Nonce };
    if sealed.len() < 16 || sealed.len() > LONGEST_NONCE {
        return Err(fault);
    }
    key.decrypt(Iv::ZERO, &mut sealed).map_err(|_| fault)?;
    Ok(sealed)
}

/// What a token is made over: object identifier and public key in 7F49 (4.4.3.4 and 9.4.1). The retail MAC
/// wants it padded; CMAC pads by itself.
fn token_input(variant: Variant, public: &[u8]) -> Vec<u8> {
    let inner = [encode(Tag(0x06), &variant.oid()), encode(Tag(0x86), public)].concat();
    let mut input = encode(Tag(0x7F49), &inner);
    if variant.cipher == Cipher::TripleDes {
        pad(&mut input, Key::block_size_of(variant.cipher));
    }
    input
}

/// 6300 is what the standard has for a wrong token; some chips answer 6982 or 6988 instead.
fn is_wrong_password(status: StatusWord) -> bool {
    matches!(
        status,
        StatusWord::VERIFICATION_FAILED | StatusWord::SECURITY_STATUS | StatusWord::SM_OBJECT_WRONG
    )
}

/// 6983: authentication method blocked. 6984: reference data not usable.
fn is_blocked(status: StatusWord) -> bool {
    matches!(status, StatusWord(0x6983 | 0x6984))
}

#[cfg(test)]
mod tests {
    use cccd_document::{Can, MrzKey};

    use super::*;
    use crate::curve::PointFault;
    use crate::testing::{Fixed, Script, hex};

    const AES128_ON_BRAINPOOL: Variant = Variant { cipher: Cipher::Aes128, curve: Curve::BrainpoolP256r1 };
    const OUR_SECRETS: [&str; 2] = [
        "7F4EF07B9EA82FD78AD689B38D0BC78CF21F249D953BC46F4C6E19259C010F99",
        "A73FB703AC1436A18E0CFA5ABB3F7BEC7A070E7A6788486BEE230C4A22762595",
    ];

    /// ICAO 9303-11, Appendix G.1, and the parameter id we add to MSE:Set AT.
    const WORKED_EXAMPLE: [(&str, &str); 5] = [
        ("0022C1A4 12 800A04007F00070202040202 830101 84010D", "9000"),
        ("10860000 02 7C00 00", "7C12801095A3A016522EE98D01E76CB6B98B42C39000"),
        (
            "10860000 45 7C438141047ACF3EFC982EC45565A4B155129EFBC74650DCBFA6362D896FC70262E0C2CC5E
             544552DCB6725218799115B55C9BAA6D9F6BC3A9618E70C25AF71777A9C4922D 00",
            "7C43824104824FBA91C9CBE26BEF53A0EBE7342A3BF178CEA9F45DE0B70AA601651FBA3F57
             30D8C879AAA9C9F73991E61B58F4D52EB87A0A0C709A49DC63719363CCD13C549000",
        ),
        (
            "10860000 45 7C438341042DB7A64C0355044EC9DF190514C625CBA2CEA48754887122F3A5EF0D5EDD301C
             3556F3B3B186DF10B857B58F6A7EB80F20BA5DC7BE1D43D9BF850149FBB36462 00",
            "7C438441049E880F842905B8B3181F7AF7CAA9F0EFB743847F44A306D2D28C1D9EC65DF6DB
             7764B22277A2EDDC3C265A9F018F9CB852E111B768B326904B59A0193776F0949000",
        ),
        ("00860000 0C 7C0A8508C2B0BD78D94BA866 00", "7C0A86083ABB9674BCE93C089000"),
    ];

    fn secrets() -> Fixed {
        Fixed::new(&[&hex(OUR_SECRETS[0]), &hex(OUR_SECRETS[1])])
    }

    fn specimen() -> AccessKey {
        AccessKey::Mrz(MrzKey::new("T22000129", "640812", "101031").unwrap())
    }

    /// The worked example with one answer changed and everything after it cut off.
    fn ending_with(step: usize, answer: &str) -> AttemptError {
        let mut steps = WORKED_EXAMPLE[..=step].to_vec();
        steps[step].1 = answer;
        let mut chip = Script::of(&steps);
        let error = run(&mut chip, AES128_ON_BRAINPOOL, &specimen(), &mut secrets()).err().unwrap();
        chip.finish();
        error
    }

    #[test]
    fn the_worked_example_comes_to_its_session_keys() {
        let mut chip = Script::of(&WORKED_EXAMPLE);
        let mut sm = run(&mut chip, AES128_ON_BRAINPOOL, &specimen(), &mut secrets()).unwrap();
        chip.finish();
        let keys = KeyPair {
            encryption: Key::Aes128(hex("F5F0E35C0D7161EE6724EE513A0D9A7F").try_into().unwrap()),
            authentication: Key::Aes128(hex("FE251C7858B356B24514B3BD5F4297D1").try_into().unwrap()),
        };
        let mut expected = SecureMessaging::new(keys);
        let command = Command::new(0, 0xA4, 0x04, 0x0C).data(&[1, 2, 3]);
        assert_eq!(sm.protect(&command).unwrap(), expected.protect(&command).unwrap());
    }

    #[test]
    fn tokens_of_the_worked_example_are_made_over_these_bytes() {
        let chip_public = &hex(WORKED_EXAMPLE[3].1)[4..69];
        assert_eq!(
            token_input(AES128_ON_BRAINPOOL, chip_public),
            hex("7F494F060A04007F000702020402028641049E880F842905B8B3181F7AF7CAA9F0EFB743847F44A306D2D28C1D9
                 EC65DF6DB7764B22277A2EDDC3C265A9F018F9CB852E111B768B326904B59A0193776F094")
        );
    }

    #[test]
    fn a_wrong_token_from_the_chip_makes_no_session() {
        for answer in ["7C0A86083ABB9674BCE93C099000", "7C0986073ABB9674BCE93C9000", "7C0286009000"] {
            let error = ending_with(4, answer);
            assert!(matches!(error, AttemptError::Fault(ProtocolFault::WrongToken)), "{error:?}");
        }
    }

    #[test]
    fn no_flipped_bit_of_any_answer_makes_a_session() {
        for (step, (_, answer)) in WORKED_EXAMPLE.iter().enumerate().skip(1) {
            for bit in 0..hex(answer).len() * 8 {
                let mut chip_answer = hex(answer);
                chip_answer[bit / 8] ^= 1 << (bit % 8);
                let mut answers = WORKED_EXAMPLE.iter().map(|(_, answer)| hex(answer)).collect::<Vec<_>>();
                answers[step] = chip_answer;
                let mut answers = answers.into_iter();
                // A chip that follows blindly: whatever is sent, the recorded answer comes.
                let mut chip = Script::answering(move |_| answers.next().unwrap_or(vec![0x6F, 0x00]));
                let result = run(&mut chip, AES128_ON_BRAINPOOL, &specimen(), &mut secrets());
                assert!(result.is_err(), "step {step} bit {bit}");
            }
        }
    }

    #[test]
    fn statuses_of_the_last_step_tell_wrong_from_blocked() {
        let wrong = |status| match ending_with(4, status) {
            AttemptError::WrongPassword { tries_left } => tries_left,
            other => panic!("{other:?}"),
        };
        assert_eq!(wrong("6300"), None);
        assert_eq!(wrong("6982"), None);
        assert_eq!(wrong("63C2"), Some(2));
        assert_eq!(wrong("63C1"), Some(1));
        assert!(matches!(ending_with(4, "63C0"), AttemptError::Blocked));
        assert!(matches!(ending_with(4, "6983"), AttemptError::Blocked));
        assert!(matches!(ending_with(4, "6F00"), AttemptError::VariantRefused { .. }));
    }

    #[test]
    fn the_last_try_is_never_spent() {
        assert!(matches!(ending_with(0, "63C1"), AttemptError::LastTry));
        assert!(matches!(ending_with(0, "63C0"), AttemptError::Blocked));
        assert!(matches!(ending_with(0, "6983"), AttemptError::Blocked));
        // With two left the run goes on.
        let mut steps = WORKED_EXAMPLE;
        steps[0].1 = "63C2";
        assert!(run(&mut Script::of(&steps), AES128_ON_BRAINPOOL, &specimen(), &mut secrets()).is_ok());
    }

    #[test]
    fn refusals_before_the_password_is_tested_are_about_the_variant() {
        assert!(matches!(ending_with(0, "6A80"), AttemptError::VariantRefused { .. }));
        assert!(matches!(ending_with(0, "6A88"), AttemptError::PasswordUnknown { .. }));
        // 6300 in an early step is not about the password: it has not been tested yet.
        for step in 1..4 {
            assert!(matches!(ending_with(step, "6300"), AttemptError::VariantRefused { .. }));
        }
    }

    #[test]
    fn answers_that_hold_something_else_are_faults() {
        for (step, answer) in [
            (1, "9000"),
            (1, "7C009000"),
            (1, "7C1280 0F 95A3A016522EE98D01E76CB6B98B42 8100 9000"),
            (1, "7C0A8008 0102030405060708 9000"),
            (1, "7C12811095A3A016522EE98D01E76CB6B98B42C39000"),
            (1, "7C12801095A3A016522EE98D01E76CB6B98B42C3 00 9000"),
            (4, "7C0C86083ABB9674BCE93C08 8900 9000"),
        ] {
            let error = ending_with(step, answer);
            let unexpected = matches!(error, AttemptError::Fault(ProtocolFault::UnexpectedAnswer { .. }));
            assert!(unexpected, "{answer}: {error:?}");
        }
        // Names of certification authorities in the last answer are no fault.
        let mut steps = WORKED_EXAMPLE;
        steps[4].1 = "7C0F86083ABB9674BCE93C08 8703414243 9000";
        assert!(run(&mut Script::of(&steps), AES128_ON_BRAINPOOL, &specimen(), &mut secrets()).is_ok());
    }

    #[test]
    fn our_own_key_sent_back_is_a_fault() {
        let ours = "7C43824104 7ACF3EFC982EC45565A4B155129EFBC74650DCBFA6362D896FC70262E0C2CC5E
                    544552DCB6725218799115B55C9BAA6D9F6BC3A9618E70C25AF71777A9C4922D 9000";
        let AttemptError::Fault(ProtocolFault::Point { step, source }) = ending_with(2, ours) else {
            panic!("accepted");
        };
        assert_eq!((step, source), (AccessStep::Mapping, PointFault::Reflected));
    }

    #[test]
    fn only_what_we_speak_is_a_variant() {
        let oid = |last: &[u8]| [&ECDH_GM[..], last].concat();
        for id in 0..=255 {
            let known = matches!(id, 12 | 13 | 15 | 16 | 18);
            let variant = Variant::of(&oid(&[2]), Some(id));
            assert_eq!(variant.is_some(), known, "{id}");
            assert_eq!(variant.map(|v| u64::from(v.parameter_id())), known.then_some(id));
        }
        for last in 0..=255 {
            let variant = Variant::of(&oid(&[last]), Some(13));
            assert_eq!(variant.is_some(), (1..=4).contains(&last), "{last}");
            assert_eq!(variant.map(|v| v.oid()[9]), (1..=4).contains(&last).then_some(last));
        }
        assert_eq!(Variant::of(&oid(&[2]), None), None);
        assert_eq!(Variant::of(&oid(&[2, 1]), Some(13)), None);
        // Integrated mapping (04) and plain DH (01).
        for arc in [1, 3, 4, 6] {
            let mut other = oid(&[2]);
            other[8] = arc;
            assert_eq!(Variant::of(&other, Some(13)), None);
        }
    }

    #[test]
    fn aes_before_3des_then_small_curves_then_long_keys() {
        let variant = |cipher, curve| Variant { cipher, curve };
        let order = [
            variant(Cipher::TripleDes, Curve::NistP256),
            variant(Cipher::Aes128, Curve::NistP521),
            variant(Cipher::Aes256, Curve::BrainpoolP384r1),
            variant(Cipher::Aes128, Curve::BrainpoolP256r1),
            variant(Cipher::Aes256, Curve::NistP256),
        ];
        assert!(order.is_sorted_by(|a, b| a.score() < b.score()));
    }

    #[test]
    fn a_can_goes_under_its_own_reference() {
        let mut chip = Script::of(&[("0022C1A4 12 800A04007F00070202040202 830102 84010D", "6A88")]);
        let can = AccessKey::Can(Can::new("123456").unwrap());
        assert!(run(&mut chip, AES128_ON_BRAINPOOL, &can, &mut secrets()).is_err());
        chip.finish();
    }
}
