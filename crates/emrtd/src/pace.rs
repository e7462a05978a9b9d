//! PACE (ICAO 9303-11, 4.4): over curves and modulo primes, with the generic, the integrated and the chip
//! authentication mapping.

mod integrated;
mod variant;

use cccd_card::tlv::{Tag, TlvReader, encode};
use cccd_card::{CardChannel, ChannelLimits, Command, ExpectedLength, SecretBytes, StatusWord};
use cccd_document::{AccessKey, ChipAuthenticationMappingRun, Cipher, Mapping, PasswordKind, ProofOutcome};
use zeroize::{Zeroize, Zeroizing};

use crate::attempt::{AccessStep, AttemptError, ProtocolFault};
use crate::entropy::Entropy;
use crate::group::{EphemeralKey, Group, InGroup, PublicKeyFault, map_generic};
use crate::key_derivation::{KeyPair, password_key};
use crate::secure_messaging::SecureMessaging;
use crate::symmetric::{Iv, Key, pad, unpadded_length};
use crate::transport::{exchange, exchange_plain};
pub(crate) use variant::Variant;

/// A nonce is as long as the key, rounded up to blocks; the longest is that of AES-256.
const LONGEST_NONCE: usize = 32;

const DYNAMIC_AUTHENTICATION_DATA: Tag = Tag(0x7C);

/// What a run of PACE left.
pub(crate) struct Established {
    /// The session.
    pub(crate) session: SecureMessaging,
    /// What the chip proved along the way, where the mapping is that of chip authentication.
    pub(crate) mapping: ProofOutcome<ChipAuthenticationMappingRun>,
    /// ID_PICC: the chip's ephemeral key, compressed.
    pub(crate) identity: Vec<u8>,
    /// Our ephemeral key, compressed, where the chip has proven itself with it (ICAO 9303-11, 7.1.2).
    pub(crate) our_key: Option<Vec<u8>>,
}

/// Runs PACE once (ICAO 9303-11, 4.4.1).
pub(crate) fn run(
    channel: &mut dyn CardChannel,
    variant: Variant,
    password: &AccessKey,
    entropy: &mut dyn Entropy,
) -> Result<Established, AttemptError> {
    variant.parameters.run(Run { channel, variant, password, entropy })
}

/// A run that waits for its group.
struct Run<'a> {
    channel: &'a mut dyn CardChannel,
    variant: Variant,
    password: &'a AccessKey,
    entropy: &'a mut dyn Entropy,
}

impl InGroup for Run<'_> {
    type Output = Result<Established, AttemptError>;

    fn on<G: Group>(self, group: &G) -> Self::Output
    where
        G::Number: Zeroize,
    {
        let Self { channel, variant, password, entropy } = self;
        set_template(channel, variant, password.kind())?;

        let sealed = general_authenticate(channel, variant, AccessStep::Nonce, &[])?;
        let nonce = decrypt_nonce(&password_key(variant.cipher, password), sealed)?;
        let (generator, chip_mapping) = map(group, channel, variant, &nonce, entropy)?;

        let step = AccessStep::KeyAgreement;
        let ephemeral = EphemeralKey::generate(group, &generator, entropy)?;
        let object = encode(Tag(0x83), ephemeral.public());
        let chip_public = general_authenticate(channel, variant, step, &object)?;
        let shared = ephemeral
            .agree(group, &chip_public)
            .map_err(|source| ProtocolFault::PublicKey { step, source })?;
        let keys = KeyPair::derive(variant.cipher, &group.shared_secret(&shared));

        // Each side proves the session keys over the other side's public key (4.4.3.4).
        let ours = keys.authentication.mac(&token_input::<G>(variant, &chip_public));
        let step = AccessStep::MutualAuthentication;
        let last = general_authenticate_last(channel, variant, &encode(Tag(0x85), &ours))?;
        if !keys.authentication.mac_is(&token_input::<G>(variant, ephemeral.public()), &last.token) {
            return Err(ProtocolFault::WrongToken.into());
        }
        let mapping = match (variant.proves_chip(), last.sealed_data) {
            (false, None) => ProofOutcome::NotOffered,
            // What belongs to the chip authentication mapping and to nothing else (4.4.3.5).
            (false, Some(_)) => return Err(ProtocolFault::UnexpectedAnswer { step }.into()),
            (true, sealed) => chip_authentication_data(&keys.encryption, sealed).map_or(
                ProofOutcome::Broken,
                |authentication_data| {
                    ProofOutcome::Done(ChipAuthenticationMappingRun {
                        parameter_id: variant.parameters.parameter_id(),
                        mapping_public_key: chip_mapping,
                        authentication_data,
                    })
                },
            ),
        };
        let identity = group.compress(&chip_public);
        let our_key = variant.proves_chip().then(|| group.compress(ephemeral.public()));
        Ok(Established { session: SecureMessaging::new(keys), mapping, identity, our_key })
    }
}

/// Maps the nonce to a generator (4.4.3.3); beside it the chip's public key of the mapping, if it has one.
fn map<G: Group>(
    group: &G,
    channel: &mut dyn CardChannel,
    variant: Variant,
    nonce: &[u8],
    entropy: &mut dyn Entropy,
) -> Result<(G::Element, Vec<u8>), AttemptError>
where
    G::Number: Zeroize,
{
    let step = AccessStep::Mapping;
    let fault = |source| ProtocolFault::PublicKey { step, source };
    if variant.mapping == Mapping::Integrated {
        let mut ours = Zeroizing::new(vec![0; integrated::nonce_size(variant.cipher)]);
        entropy.fill(&mut ours)?;
        general_authenticate(channel, variant, step, &encode(Tag(0x81), &ours))?;
        let random = integrated::pseudo_random(variant.cipher, nonce, &ours, group.prime_bits())
            .ok_or(ProtocolFault::UnexpectedAnswer { step: AccessStep::Nonce })?;
        let generator = group.map_integrated(&random).ok_or_else(|| fault(PublicKeyFault::Neutral))?;
        return Ok((generator, Vec::new()));
    }
    let key = EphemeralKey::generate(group, &group.generator(), entropy)?;
    let chip_public = general_authenticate(channel, variant, step, &encode(Tag(0x81), key.public()))?;
    let shared = key.agree(group, &chip_public).map_err(fault)?;
    let generator = map_generic(group, nonce, &shared).map_err(fault)?;
    Ok((generator, chip_public.to_vec()))
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
        encode(Tag(0x84), &[variant.parameters.parameter_id()]),
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

/// One GENERAL AUTHENTICATE but the last (4.4.4.2): one object there and one back.
fn general_authenticate(
    channel: &mut dyn CardChannel,
    variant: Variant,
    step: AccessStep,
    object: &[u8],
) -> Result<SecretBytes, AttemptError> {
    let reply = send(channel, variant, step, object)?;
    let wanted = match step {
        AccessStep::Nonce => Tag(0x80),
        AccessStep::Mapping => Tag(0x82),
        _ => Tag(0x84),
    };
    // The integrated mapping has nothing to say back: an empty object, or none.
    let empty = variant.mapping == Mapping::Integrated && step == AccessStep::Mapping;
    if empty && matches!(reply.as_slice(), [] | [0x7C, 0x00]) {
        return Ok(SecretBytes::default());
    }
    answer_object(&reply, wanted).ok_or_else(|| ProtocolFault::UnexpectedAnswer { step }.into())
}

/// What the chip says last.
struct LastAnswer {
    token: Vec<u8>,
    /// Encrypted chip authentication data.
    sealed_data: Option<Vec<u8>>,
}

/// The last GENERAL AUTHENTICATE: our token there, the chip's back.
fn general_authenticate_last(
    channel: &mut dyn CardChannel,
    variant: Variant,
    object: &[u8],
) -> Result<LastAnswer, AttemptError> {
    let step = AccessStep::MutualAuthentication;
    let reply = send(channel, variant, step, object)?;
    last_answer(&reply).ok_or_else(|| ProtocolFault::UnexpectedAnswer { step }.into())
}

/// Sends dynamic authentication data, chained but for the last, and sorts refusals.
fn send(
    channel: &mut dyn CardChannel,
    variant: Variant,
    step: AccessStep,
    object: &[u8],
) -> Result<SecretBytes, AttemptError> {
    let last = step == AccessStep::MutualAuthentication;
    let cla = if last { 0x00 } else { 0x10 };
    let command = Command::new(cla, 0x86, 0x00, 0x00).data(&encode(DYNAMIC_AUTHENTICATION_DATA, object));
    // Le is 256 and no more where that is enough: a chip is known that refuses 65536 here.
    let expected = if variant.fits(ChannelLimits::SHORT) {
        ExpectedLength::SHORT_MAX
    } else {
        ExpectedLength::EXTENDED_MAX
    };
    let reply = exchange_plain(channel, &command.expect(expected))
        .map_err(|source| AttemptError::Transport { step, source })?;
    let status = reply.status();
    if status.is_ok() {
        return Ok(reply.into_data());
    }
    Err(match status.tries_left() {
        Some(0) if last => AttemptError::Blocked,
        Some(left) if last => AttemptError::WrongPassword { tries_left: Some(left) },
        _ if last && is_wrong_password(status) => AttemptError::WrongPassword { tries_left: None },
        _ if is_blocked(status) => AttemptError::Blocked,
        _ => AttemptError::VariantRefused { step, status },
    })
}

/// The value of the one object in a dynamic authentication data answer.
fn answer_object(data: &[u8], wanted: Tag) -> Option<SecretBytes> {
    let mut outer = TlvReader::new(data);
    let mut inner = TlvReader::new(outer.expect(DYNAMIC_AUTHENTICATION_DATA).ok()?);
    outer.finish().ok()?;
    let value = inner.expect(wanted).ok()?;
    inner.finish().ok()?;
    Some(Zeroizing::new(value.to_vec()))
}

/// The token, and what may stand beside it: names of certification authorities (87, 88: terminal
/// authentication) and encrypted chip authentication data (8A).
fn last_answer(data: &[u8]) -> Option<LastAnswer> {
    let mut outer = TlvReader::new(data);
    let mut inner = TlvReader::new(outer.expect(DYNAMIC_AUTHENTICATION_DATA).ok()?);
    outer.finish().ok()?;
    let token = inner.expect(Tag(0x86)).ok()?.to_vec();
    let mut sealed_data = None;
    while let Some(object) = inner.next_object().ok()? {
        match object.tag {
            Tag(0x87 | 0x88) => {}
            Tag(0x8A) if sealed_data.is_none() => sealed_data = Some(object.value.to_vec()),
            _ => return None,
        }
    }
    Some(LastAnswer { token, sealed_data })
}

/// CA_IC (4.4.3.5): encrypted under the session key with the encryption of -1 as vector, and padded.
fn chip_authentication_data(key: &Key, sealed: Option<Vec<u8>>) -> Option<Vec<u8>> {
    let mut data = sealed?;
    key.decrypt(key.counter_iv(u128::MAX), &mut data).ok()?;
    let length = unpadded_length(&data, key.block_size())?;
    data.truncate(length);
    (!data.is_empty()).then_some(data)
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
fn token_input<G: Group>(variant: Variant, public: &[u8]) -> Vec<u8> {
    let inner = [encode(Tag(0x06), &variant.oid()), encode(G::PUBLIC_KEY_TAG, public)].concat();
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
    use crate::group::DomainParameters;
    use crate::testing::{Fixed, Script, hex};
    use cccd_curve::{BrainpoolP256r1, CurveId};

    const AES128_ON_BRAINPOOL: Variant = Variant {
        mapping: Mapping::Generic,
        cipher: Cipher::Aes128,
        parameters: DomainParameters::Curve(CurveId::BrainpoolP256r1),
    };
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
        let mut sm = run(&mut chip, AES128_ON_BRAINPOOL, &specimen(), &mut secrets()).unwrap().session;
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
            token_input::<crate::group::Elliptic<BrainpoolP256r1>>(AES128_ON_BRAINPOOL, chip_public),
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
        let AttemptError::Fault(ProtocolFault::PublicKey { step, source }) = ending_with(2, ours) else {
            panic!("accepted");
        };
        assert_eq!((step, source), (AccessStep::Mapping, PublicKeyFault::Reflected));
    }

    /// One worked example of the standard: its commands and answers, what we draw, and the session keys.
    struct Example<'a> {
        variant: Variant,
        password: AccessKey,
        draws: &'a [&'a str],
        steps: &'a [(&'a str, &'a str)],
        encryption: &'a str,
        authentication: &'a str,
    }

    impl Example<'_> {
        /// Runs it; MSE:Set AT carries the parameter id, which the standard's examples leave out.
        fn run(&self) -> Established {
            let draws: Vec<_> = self.draws.iter().map(|draw| hex(draw)).collect();
            let draws: Vec<&[u8]> = draws.iter().map(Vec::as_slice).collect();
            let mut chip = Script::of(self.steps).with_limits(ChannelLimits::EXTENDED);
            let mut run = run(&mut chip, self.variant, &self.password, &mut Fixed::new(&draws)).unwrap();
            chip.finish();
            let mut expected = SecureMessaging::new(KeyPair {
                encryption: Key::Aes128(hex(self.encryption).try_into().unwrap()),
                authentication: Key::Aes128(hex(self.authentication).try_into().unwrap()),
            });
            let command = Command::new(0, 0xA4, 0x04, 0x0C).data(&[1, 2, 3]);
            assert_eq!(run.session.protect(&command).unwrap(), expected.protect(&command).unwrap());
            run
        }
    }

    fn variant(kind: u8, parameter_id: u64) -> Variant {
        Variant::of(&[&hex("04007F0007020204")[..], &[kind, 2]].concat(), Some(parameter_id)).unwrap()
    }

    #[test]
    fn the_worked_example_of_dh_with_the_generic_mapping() {
        // ICAO 9303-11, Appendix G.2.
        let run = Example {
            variant: variant(1, 0),
            password: specimen(),
            draws: &["5265030F751F4AD18B08AC565FC7AC952E41618D", "89CCD99B0E8D3B1F11E1296DCA68EC53411CF2CA"],
            steps: &[
                ("0022C1A4 12 800A04007F00070202040102 830101 840100", "9000"),
                ("10860000 02 7C00 00", "7C128010854D8DF5827FA6852D1A4FA701CDDDCA 9000"),
                (
                    "10860000 86 7C8183818180
                     23FB3749EA030D2A25B278D2A562047ADE3F01B74F17A15402CB7352CA7D2B3E
                     B71C343DB13D1DEBCE9A3666DBCFC920B49174A602CB47965CAA73DC702489A4
                     4D41DB914DE9613DC5E98C94160551C0DF86274B9359BC0490D01B03AD54022D
                     CB4F57FAD6322497D7A1E28D46710F461AFE710FBBBC5F8BA166F4311975EC6C 00",
                    "7C8183828180
                     78879F57225AA8080D52ED0FC890A4B25336F699AA89A2D3A189654AF70729E6
                     23EA5738B26381E4DA19E004706FACE7B235C2DBF2F38748312F3C98C2DD4882
                     A41947B324AA1259AC22579DB93F7085655AF30889DBB845D9E6783FE42C9F24
                     49400306254C8AE8EE9DD812A804C0B66E8CAFC14F84D8258950A91B44126EE6 9000",
                ),
                (
                    "10860000 86 7C8183838180
                     907D89E2D425A178AA81AF4A7774EC8E388C115CAE67031E85EECE520BD91155
                     1B9AE4D04369F29A02626C86FBC6747CC7BC352645B6161A2A42D44EDA80A08F
                     A8D61B76D3A154AD8A5A51786B0BC07147057871A922212C5F67F43173172236
                     B7747D1671E6D692A3C7D40A0C3C5CE397545D015C175EB5130551EDBC2EE5D4 00",
                    "7C8183848180
                     075693D9AE941877573E634B6E644F8E60AF17A0076B8B123D9201074D36152B
                     D8B3A213F53820C42ADC79AB5D0AEEC3AEFB91394DA476BD97B9B14D0A65C1FC
                     71A0E019CB08AF55E1F729005FBA7E3FA5DC41899238A250767A6D46DB974064
                     386CD456743585F8E5D90CC8B4004B1F6D866C79CE0584E49687FF61BC29AEA1 9000",
                ),
                ("00860000 0C 7C0A8508 B46DD9BD4D98381F 00", "7C0A8608 917F37B5C0E6D8D1 9000"),
            ],
            encryption: "2F7F46ADCC9E7E521B45D192FAFA9126",
            authentication: "805A1D27D45A5116F73C54469462B7D8",
        }
        .run();
        assert_eq!(run.mapping, ProofOutcome::NotOffered);
    }

    #[test]
    fn the_worked_example_of_ecdh_with_the_integrated_mapping() {
        // ICAO 9303-11, Appendix H.1. The password is not given; its key is that of the CAN 123456.
        let run = Example {
            variant: variant(4, 13),
            password: AccessKey::Can(Can::new("123456").unwrap()),
            draws: &[
                "5DD4CBFC96F5453B130D890A1CDBAE32",
                "A73FB703AC1436A18E0CFA5ABB3F7BEC7A070E7A6788486BEE230C4A22762595",
            ],
            steps: &[
                ("0022C1A4 12 800A04007F00070202040402 830102 84010D", "9000"),
                ("10860000 02 7C00 00", "7C128010143DC40C08C8E891FBED7DEDB92B64AD 9000"),
                ("10860000 14 7C128110 5DD4CBFC96F5453B130D890A1CDBAE32 00", "7C028200 9000"),
                (
                    "10860000 45 7C43834104
                     89CBA23FFE96AA18D824627C3E934E54A9FD0B87A95D1471DC1C0ABFDCD640D4
                     6755DE9B7B778280B6BEBD57439ADFEB0E21FD4ED6DF42578C13418A59B34C37 00",
                    "7C43844104
                     67F78E5F7F7686082B293E8D087E056916D0F74BC01A5F8957D0DE45691E51E8
                     932B69A962B52A0985AD2C0A271EE6A13A8ADDDCD1A3A994B9DED257F4D22753 9000",
                ),
                ("00860000 0C 7C0A8508 450F02B86F6A0909 00", "7C0A8608 75D4D96E8D5B0308 9000"),
            ],
            encryption: "0D3FEB33251A6370893D62AE8DAAF51B",
            authentication: "B01E89E3D9E8719E586B50B4A7506E0B",
        }
        .run();
        assert_eq!(run.mapping, ProofOutcome::NotOffered);
    }

    #[test]
    fn the_worked_example_of_dh_with_the_integrated_mapping() {
        // ICAO 9303-11, Appendix H.2. Its private key has 1024 bits; modulo the order of the group it is the
        // one drawn here.
        Example {
            variant: variant(3, 0),
            password: AccessKey::Can(Can::new("123456").unwrap()),
            draws: &["B3A6DB3C870C3E99245E0D1C06B747DE", "89CCD99B0E8D3B1F11E1296DCA68EC53411CF2CA"],
            steps: &[
                ("0022C1A4 12 800A04007F00070202040302 830102 840100", "9000"),
                ("10860000 02 7C00 00", "7C1280109ABB8864CA0FF1551E620D1EF4E13510 9000"),
                ("10860000 14 7C128110 B3A6DB3C870C3E99245E0D1C06B747DE 00", "9000"),
                (
                    "10860000 86 7C8183838180
                     0F0CC62945A8029251FB7EF3C094E12EC68E4EF07F27CB9D9CD04C5C4250FAE0
                     E4F8A951557E929AEB48E5C6DD47F2F5CD7C351A9BD2CD722C07EDE166770F08
                     FFCB370262CF308DD7B07F2E0DA9CAAA1492344C852906919538C98A4BA4187E
                     76CE9D87832386D319CE2E043C3343AEAE6EDBA1A9894DC5094D22F7FE1351D5 00",
                    "7C8183848180
                     928D9A0F9DBA450F13FC859C6F290D1D36E42431138A4378500BEB4E0401854C
                     FF111F71CB6DC1D0335807A11388CC8EAA87B07907AAD9FBA6B169AF6D8C26AF
                     8DDDC39ADC3AD2E3FF882B84D23E9768E95A80E4746FB07A9767679FE92133B4
                     D379935C771BD7FBED6C7BB4B1708B275EA75679524CDC9C6A91370CC662A2F3 9000",
                ),
                ("00860000 0C 7C0A8508 55D61977CBF5307E 00", "7C0A8608 C2F04230187E1525 9000"),
            ],
            encryption: "01AFC10CF87BE36D8179E87370171F07",
            authentication: "23F0FBD05FD6C7B8B88F4C8309669061",
        }
        .run();
    }

    const CAM_STEPS: [(&str, &str); 5] = [
        ("0022C1A4 12 800A04007F00070202040602 830101 84010D", "9000"),
        ("10860000 02 7C00 00", "7C128010CB60E8E0D85B76A9BD304747C2AD42E2 9000"),
        (
            "10860000 45 7C43814104
             7F1D410ADB7DDB3B84BF1030800981A9105D7457B4A3ADE002384F3086C67EDE
             1AB889104A27DB6D842B019020FBF3CEACB0DC627F7BDCAC29969E19D0E553C1 00",
            "7C43824104
             A234236AA9B9621E8EFB73B5245C0E09D2576E5277183C1208BDD55280CAE8B3
             04F365713A356E65A451E165ECC9AC0AC46E3771342C8FE5AEDD092685338E23 9000",
        ),
        (
            "10860000 45 7C43834104
             446C934084D9DAB863944F219520076C29EE3F7AE6722B11FF319EC1C7728F95
             5483400BFF60BF0C5929270009277DC2A515E12575010AD9BA916CF1BF86FEFC 00",
            "7C43844104
             02AD566F3C6EC7F9324509AD50A51FA52030782A4968FCFEDF737DAEA9933331
             11C3B9B4C2287789BD137E7F8AA882E2A3C633CCD6ECC2C63C57AD401A09C2E1 9000",
        ),
        (
            "00860000 0C 7C0A8508 E86BD06018A1CD3B 00",
            "7C3C8608 8596CF055C67C1A3 8A30 1EEA964DAAE372AC990E3EFDE6333353BFC89A6704D93DA8798CF77F5B7A54BD
             10CBA372B42BE0B9B5F28AA8DE2F4F92 9000",
        ),
    ];

    fn cam_example<'a>(steps: &'a [(&'a str, &'a str)]) -> Example<'a> {
        Example {
            variant: variant(6, 13),
            password: AccessKey::Mrz(MrzKey::new("C11T002JM", "960812", "231031").unwrap()),
            draws: &[
                "5D8BB87BD74D985A4B7D4325B9F7B976FE835122773400798914AA22738135CC",
                "76ECFDAA9841C323A3F5FC5E88B88DB3EFF7E35EBF57A7E6946CB630006C2120",
            ],
            steps,
            encryption: "0A9DA4DB03BDDE39FC5202BC44B2E89E",
            authentication: "4B1C06491ED5140CA2B537D344C6C0B1",
        }
    }

    #[test]
    fn the_worked_example_of_the_chip_authentication_mapping() {
        // ICAO 9303-11, Appendix I.
        let run = cam_example(&CAM_STEPS).run();
        let mapping = run.mapping.done().unwrap();
        assert_eq!(mapping.parameter_id, 13);
        assert_eq!(
            mapping.authentication_data,
            hex("85DC3FA93D0952BFA82F5FD189EE75BD82F11D1F0B8ED4BF5319AC9B53C426B3")
        );
        assert_eq!(mapping.mapping_public_key[1..33], hex(CAM_STEPS[2].1)[5..37]);
    }

    #[test]
    fn chip_authentication_data_that_cannot_be_opened_proves_nothing_and_the_session_stands() {
        for last in [
            // None; not whole blocks; badly padded.
            "7C0A8608 8596CF055C67C1A3 9000",
            "7C0C8608 8596CF055C67C1A3 8A00 9000",
            "7C1C8608 8596CF055C67C1A3 8A10 1EEA964DAAE372AC990E3EFDE6333353 9000",
        ] {
            let mut steps = CAM_STEPS;
            steps[4].1 = last;
            assert_eq!(cam_example(&steps).run().mapping, ProofOutcome::Broken, "{last}");
        }
        // Where it does not belong it is a fault.
        let with_data = "7C1C8608 3ABB9674BCE93C08 8A10 00000000000000000000000000000000 9000";
        let error = ending_with(4, with_data);
        assert!(matches!(error, AttemptError::Fault(ProtocolFault::UnexpectedAnswer { .. })), "{error:?}");
    }

    #[test]
    fn a_can_goes_under_its_own_reference() {
        let mut chip = Script::of(&[("0022C1A4 12 800A04007F00070202040202 830102 84010D", "6A88")]);
        let can = AccessKey::Can(Can::new("123456").unwrap());
        assert!(run(&mut chip, AES128_ON_BRAINPOOL, &can, &mut secrets()).is_err());
        chip.finish();
    }
}
