//! Conversations in which a terminal proves itself, held by the tiny terminal. The certificates are those of the
//! test PKI.

use openssl::ec::{EcGroup, EcKey, PointConversionForm};
use openssl::ecdsa::EcdsaSig;

use super::terminal::*;
use super::*;
use crate::image::{
    AgreementKey, ChipAuthenticationCommands, DomainParameters, NamedCurve, PaceCipher, ReadRule, StoredFile,
};
use crate::pki::{Curve, CvAuthority, CvPlan, CvRights, CvRole, DigestKind, PssParameters, SignerKind};

const CURVE: NamedCurve = NamedCurve::NistP256;

/// A root, a document verifier below it, and a terminal below that.
fn chain(signer: SignerKind, digest: DigestKind, rights: CvRights) -> [CvAuthority; 3] {
    let kind = |plan| CvPlan { signer, digest, ..plan };
    let root = CvAuthority::root(kind(CvPlan::root("XACVCA00001"))).unwrap();
    let verifier = root.certify(kind(CvPlan::document_verifier("XADV00001"))).unwrap();
    let terminal = kind(CvPlan { rights, ..CvPlan::terminal("XAIS00001") });
    let terminal = verifier.certify(terminal).unwrap();
    [root, verifier, terminal]
}

fn usual() -> [CvAuthority; 3] {
    chain(SignerKind::named(Curve::BrainpoolP256r1), DigestKind::Sha256, CvRights::Fingerprints)
}

/// A session after chip authentication, and what the terminal has to sign beside the challenge.
struct Stage {
    chip: Chip,
    session: TerminalSession,
    chip_identifier: Vec<u8>,
    terminal_key: Vec<u8>,
}

fn image_trusting(root: &CvAuthority) -> (ChipImage, EcKey<openssl::pkey::Private>) {
    let group = EcGroup::from_curve_name(CURVE.nid()).unwrap();
    let key = EcKey::generate(&group).unwrap();
    let mut image = image();
    let private = cccd_card::SecretBytes::new(key.private_key().to_vec());
    image.proofs.chip_authentication = vec![ChipAuthenticationOffer {
        key: AgreementKey { parameters: DomainParameters::Curve(CURVE), private },
        cipher: PaceCipher::Aes128,
        key_id: None,
        commands: ChipAuthenticationCommands::Both,
    }];
    image.proofs.terminal_trust_points = vec![root.certificate().to_vec()];
    let locked = StoredFile { content: content(60), rule: ReadRule::TerminalAuthentication };
    image.emrtd.insert(0x0104, locked);
    (image, key)
}

impl Stage {
    /// BAC, whose identifier is the document number, and chip authentication.
    fn set(root: &CvAuthority) -> Self {
        let (image, key) = image_trusting(root);
        let mut chip = Chip::new(image);
        let session = bac(&mut chip, MRZ).unwrap();
        Self::authenticated(chip, session, MRZ.as_bytes()[..10].to_vec(), &key)
    }

    /// Chip authentication over ECDH, with OpenSSL's own functions.
    fn authenticated(
        mut chip: Chip,
        mut session: TerminalSession,
        chip_identifier: Vec<u8>,
        key: &EcKey<openssl::pkey::Private>,
    ) -> Self {
        let group = key.group();
        let ours = EcKey::generate(group).unwrap();
        let mut context = openssl::bn::BigNumContext::new().unwrap();
        let form = PointConversionForm::UNCOMPRESSED;
        let public = ours.public_key().to_bytes(group, form, &mut context).unwrap();
        let set_at = bytes("800A04007F00070202030202");
        assert_eq!(session.say(&mut chip, [0, 0x22, 0x41, 0xA4], &set_at, &[]).1, 0x9000);
        let data = tlv::object(&[0x7C], &tlv::object(&[0x80], &public));
        assert_eq!(session.say(&mut chip, [0, 0x86, 0, 0], &data, &[0]).1, 0x9000);
        let mut shared = openssl::ec::EcPoint::new(group).unwrap();
        shared.mul2(group, key.public_key(), ours.private_key(), &mut context).unwrap();
        let shared = shared.to_bytes(group, form, &mut context).unwrap();
        let session = TerminalSession::new(PaceCipher::Aes128, &shared[1..33], 0);
        Self { chip, session, chip_identifier, terminal_key: public[1..33].to_vec() }
    }

    fn say(&mut self, header: [u8; 4], data: &[u8], le: &[u8]) -> (Vec<u8>, u16) {
        let command = self.session.wrap(header, data, le, true);
        self.session.unwrap(&self.chip.process(&command))
    }

    /// MSE:Set DST and PSO:Verify Certificate.
    fn show(&mut self, issuer: &str, certificate: &[u8]) -> u16 {
        match self.say([0, 0x22, 0x81, 0xB6], &tlv::object(&[0x83], issuer.as_bytes()), &[]).1 {
            0x9000 => {}
            status => return status,
        }
        let inside = tlv::objects(certificate).unwrap()[0].value.to_vec();
        self.say([0, 0x2A, 0x00, 0xBE], &inside, &[]).1
    }

    /// MSE:Set AT, GET CHALLENGE and EXTERNAL AUTHENTICATE, signed by this holder over what is right or not.
    fn prove(&mut self, holder: &CvAuthority, spoil: impl Fn(&mut Vec<u8>)) -> u16 {
        let reference = tlv::object(&[0x83], holder.plan().reference.as_bytes());
        match self.say([0, 0x22, 0x81, 0xA4], &reference, &[]).1 {
            0x9000 => {}
            status => return status,
        }
        let (challenge, status) = self.say([0, 0x84, 0, 0], &[], &[8]);
        assert_eq!((challenge.len(), status), (8, 0x9000));
        let mut signed = [&self.chip_identifier[..], &challenge, &self.terminal_key].concat();
        spoil(&mut signed);
        let signature = holder.key().sign(holder.plan().digest, &signed).unwrap();
        let signature = match holder.plan().signer {
            SignerKind::Ecdsa { .. } => {
                let length = holder.key().private_key().ec_key().unwrap().group().order_bits().div_ceil(8);
                let der = EcdsaSig::from_der(&signature).unwrap();
                let number = |part: &openssl::bn::BigNumRef| part.to_vec_padded(length as i32).unwrap();
                [number(der.r()), number(der.s())].concat()
            }
            _ => signature,
        };
        self.say([0, 0x82, 0, 0], &signature, &[]).1
    }

    fn read(&mut self, short: u8) -> u16 {
        self.say([0, 0xB0, 0x80 | short, 0], &[], &[0]).1
    }
}

#[test]
fn a_certified_terminal_reads_what_its_certificates_grant() {
    for (rights, fingerprints, irises) in [
        (CvRights::Neither, 0x6982, 0x6982),
        (CvRights::Fingerprints, 0x9000, 0x6982),
        (CvRights::Irises, 0x6982, 0x9000),
        (CvRights::Both, 0x9000, 0x9000),
    ] {
        let kind = SignerKind::named(Curve::BrainpoolP256r1);
        let [root, verifier, terminal] = chain(kind, DigestKind::Sha256, rights);
        let mut stage = Stage::set(&root);
        assert_eq!((stage.read(3), stage.read(4)), (0x6982, 0x6982));
        assert_eq!(stage.show("XACVCA00001", verifier.certificate()), 0x9000);
        assert_eq!(stage.show("XADV00001", terminal.certificate()), 0x9000);
        assert_eq!(stage.prove(&terminal, |_| {}), 0x9000);
        assert_eq!((stage.read(3), stage.read(4)), (fingerprints, irises), "{rights:?}");
        // Once in a session.
        assert_eq!(stage.prove(&terminal, |_| {}), 0x6982);
        assert_eq!(stage.read(3), fingerprints);
        // And no longer than the session.
        stage.chip.process(&bytes("00B0830000"));
        assert_eq!(say(&mut stage.chip, SELECT_APPLICATION), "9000");
        let mut session = bac(&mut stage.chip, MRZ).unwrap();
        assert_eq!(session.say(&mut stage.chip, [0, 0xB0, 0x83, 0], &[], &[0]).1, 0x6982);
    }
}

#[test]
fn every_algorithm_of_terminal_authentication_is_known() {
    let pss = SignerKind::RsaPss { bits: 2048, parameters: PssParameters::Usual };
    let pkcs1 = SignerKind::RsaPkcs1 { bits: 2048 };
    for (signer, digest) in [
        (SignerKind::named(Curve::BrainpoolP224r1), DigestKind::Sha224),
        (SignerKind::named(Curve::P256), DigestKind::Sha256),
        (SignerKind::named(Curve::BrainpoolP384r1), DigestKind::Sha384),
        (SignerKind::named(Curve::BrainpoolP512r1), DigestKind::Sha512),
        (pss, DigestKind::Sha256),
        (pss, DigestKind::Sha512),
        (pkcs1, DigestKind::Sha256),
    ] {
        let [root, verifier, terminal] = chain(signer, digest, CvRights::Fingerprints);
        let mut stage = Stage::set(&root);
        assert_eq!(stage.show("XACVCA00001", verifier.certificate()), 0x9000, "{signer:?} {digest:?}");
        assert_eq!(stage.show("XADV00001", terminal.certificate()), 0x9000, "{signer:?} {digest:?}");
        assert_eq!(stage.prove(&terminal, |_| {}), 0x9000, "{signer:?} {digest:?}");
        assert_eq!(stage.read(3), 0x9000);
    }
}

#[test]
fn after_pace_the_chip_is_known_by_its_ephemeral_key() {
    let [root, verifier, terminal] = usual();
    let (image, key) = image_trusting(&root);
    let mut chip = Chip::new(image);
    let mut run = PaceRun::new(DEFAULT_OFFER);
    // The template of TR-03110 asks for the authorities; the chip names its own.
    let template = tlv::object(&[0x7F, 0x4C], &bytes("060904007F0007030102015301FF"));
    let plain = run.set_at(2, true);
    let data = [&plain[5..], &template].concat();
    chip.process(&[&plain[..4], &[u8::try_from(data.len()).unwrap()], &data].concat());
    let nonce = run.ask_nonce(&mut chip, b"123456");
    run.map(&mut chip, &nonce);
    run.agree(&mut chip);
    let answer = chip.process(&[&bytes("008600000C7C0A8508")[..], &run.tokens.0, &[0]].concat());
    assert!(answer.windows(13).any(|window| window == b"\x87\x0BXACVCA00001"));
    assert!(answer.ends_with(&[0x90, 0x00]));
    let mut session = TerminalSession::new(PaceCipher::Aes128, &run.secret, 0);
    session.select_application(&mut chip);
    let mut stage = Stage::authenticated(chip, session, run.chip_key[1..33].to_vec(), &key);
    assert_eq!(stage.show("XACVCA00001", verifier.certificate()), 0x9000);
    assert_eq!(stage.show("XADV00001", terminal.certificate()), 0x9000);
    assert_eq!(stage.prove(&terminal, |_| {}), 0x9000);
    assert_eq!(stage.read(3), 0x9000);
}

#[test]
fn what_is_not_certified_or_not_signed_right_is_refused() {
    let [root, verifier, terminal] = usual();
    let [stranger, _, _] = usual();
    // The same names under a stranger's key, a terminal of the root itself, one that is out of date.
    let false_verifier = stranger.certify(CvPlan::document_verifier("XADV00001")).unwrap();
    let of_root = root.certify(CvPlan::terminal("XAIS00001")).unwrap();
    let expired = CvPlan { expires: time::macros::date!(2020 - 12 - 31), ..CvPlan::terminal("XAIS00001") };
    let expired = verifier.certify(expired).unwrap();
    let mut stage = Stage::set(&root);
    assert_eq!(stage.show("XACVCA00001", false_verifier.certificate()), 0x6300);
    assert_eq!(stage.show("XACVCA00001", of_root.certificate()), 0x6300);
    assert_eq!(stage.show("XADV00001", terminal.certificate()), 0x6A88, "the verifier is not known yet");
    assert_eq!(stage.show("XACVCA00001", terminal.certificate()), 0x6A88, "it names another issuer");
    let mut altered = verifier.certificate().to_vec();
    *altered.last_mut().unwrap() ^= 1;
    assert_eq!(stage.show("XACVCA00001", &altered), 0x6300);
    assert_eq!(stage.show("XACVCA00001", verifier.certificate()), 0x9000);
    assert_eq!(stage.show("XADV00001", expired.certificate()), 0x6300);
    assert_eq!(stage.prove(&terminal, |_| {}), 0x6A88, "no terminal is certified yet");
    assert_eq!(stage.show("XADV00001", terminal.certificate()), 0x9000);
    assert_eq!(stage.prove(&terminal, |signed| signed[0] ^= 1), 0x6300);
    assert_eq!(stage.read(3), 0x6982);
    // The session lives (ICAO 9303-11, 7.1.3, note 2), and the truth still opens the file.
    assert_eq!(stage.prove(&terminal, |_| {}), 0x9000);
    assert_eq!(stage.read(3), 0x9000);
}

#[test]
fn a_link_certificate_renews_the_trust_point_for_good() {
    let [root, verifier, _] = usual();
    let (next, link) = root.roll_over(CvPlan::root("XACVCA00002")).unwrap();
    let new_verifier = next.certify(CvPlan::document_verifier("XADV00002")).unwrap();
    let terminal = new_verifier.certify(CvPlan::terminal("XAIS00002")).unwrap();
    let mut stage = Stage::set(&root);
    assert_eq!(stage.show("XACVCA00002", new_verifier.certificate()), 0x6A88);
    assert_eq!(stage.show("XACVCA00001", &link), 0x9000);
    assert_eq!(stage.show("XACVCA00001", &link), 0x6985, "it is known already");
    assert_eq!(stage.chip.trust_points.references(), [b"XACVCA00002".to_vec(), b"XACVCA00001".to_vec()]);
    stage.chip.reset();
    assert_eq!(stage.chip.trust_points.references().len(), 2);

    let (_, key) = image_trusting(&root);
    let mut chip = stage.chip;
    chip.image.proofs.chip_authentication[0].key.private =
        cccd_card::SecretBytes::new(key.private_key().to_vec());
    let session = bac(&mut chip, MRZ).unwrap();
    let mut stage = Stage::authenticated(chip, session, MRZ.as_bytes()[..10].to_vec(), &key);
    assert_eq!(stage.show("XACVCA00002", new_verifier.certificate()), 0x9000);
    assert_eq!(stage.show("XADV00002", terminal.certificate()), 0x9000);
    assert_eq!(stage.prove(&terminal, |_| {}), 0x9000);
    assert_eq!(stage.read(3), 0x9000);
    assert_eq!(stage.show("XACVCA00001", verifier.certificate()), 0x9000, "the old one is trusted still");
}

#[test]
fn the_verifiers_rights_limit_the_terminals() {
    let root = CvAuthority::root(CvPlan::root("XACVCA00001")).unwrap();
    let plan = CvPlan {
        rights: CvRights::Irises,
        role: CvRole::ForeignVerifier,
        ..CvPlan::document_verifier("XADV00001")
    };
    let verifier = root.certify(plan).unwrap();
    let terminal = CvPlan { rights: CvRights::Both, ..CvPlan::terminal("XAIS00001") };
    let terminal = verifier.certify(terminal).unwrap();
    let mut stage = Stage::set(&root);
    assert_eq!(stage.show("XACVCA00001", verifier.certificate()), 0x9000);
    assert_eq!(stage.show("XADV00001", terminal.certificate()), 0x9000);
    assert_eq!(stage.prove(&terminal, |_| {}), 0x9000);
    assert_eq!((stage.read(3), stage.read(4)), (0x6982, 0x9000));
}

#[test]
fn terminal_authentication_waits_for_chip_authentication() {
    let [root, verifier, _] = usual();
    let (image, _) = image_trusting(&root);
    let mut chip = Chip::new(image.clone());
    let mut session = bac(&mut chip, MRZ).unwrap();
    let reference = tlv::object(&[0x83], b"XACVCA00001");
    for (header, data) in [
        ([0, 0x22, 0x81, 0xB6], &reference[..]),
        ([0, 0x22, 0x81, 0xA4], &reference),
        ([0, 0x2A, 0x00, 0xBE], &verifier.certificate()[4..]),
        ([0, 0x82, 0, 0], &[0; 64]),
    ] {
        let command = session.wrap(header, data, &[], true);
        assert_eq!(session.unwrap(&chip.process(&command)).1, 0x6982, "{header:02X?}");
    }
    // A chip that trusts nobody knows no such commands.
    let mut without = image;
    without.proofs.terminal_trust_points.clear();
    let mut chip = Chip::new(without);
    let mut session = bac(&mut chip, MRZ).unwrap();
    assert_eq!(session.say(&mut chip, [0, 0x22, 0x81, 0xB6], &reference, &[]).1, 0x6D00);
}

#[test]
fn a_certificate_in_pieces_is_taken_for_a_whole_one() {
    let [root, verifier, _] = usual();
    let mut stage = Stage::set(&root);
    let reference = tlv::object(&[0x83], b"XACVCA00001");
    let inside = tlv::objects(verifier.certificate()).unwrap()[0].value.to_vec();
    let (first, rest) = inside.split_at(100);
    let (second, last) = rest.split_at(50);
    const PIECE: [u8; 4] = [0x10, 0x2A, 0x00, 0xBE];
    const LAST: [u8; 4] = [0x00, 0x2A, 0x00, 0xBE];
    assert_eq!(stage.say([0, 0x22, 0x81, 0xB6], &reference, &[]).1, 0x9000);
    for (header, piece) in [(PIECE, first), (PIECE, second), (LAST, last)] {
        assert_eq!(stage.say(header, piece, &[]).1, 0x9000);
    }
    // Another command in the middle: what came before it is forgotten.
    assert_eq!(stage.say([0, 0x22, 0x81, 0xB6], &reference, &[]).1, 0x9000);
    assert_eq!(stage.say(PIECE, first, &[]).1, 0x9000);
    assert_eq!(stage.say([0, 0x22, 0x81, 0xB6], &reference, &[]).1, 0x9000);
    assert_eq!(stage.say(LAST, rest, &[]).1, 0x6A80);
    // No file is read in pieces, no data are endless, and the session survives both.
    assert_eq!(stage.say([0x10, 0xB0, 0x83, 0], &[], &[0]).1, 0x6884);
    let statuses: Vec<u16> = (0..5).map(|_| stage.say(PIECE, &[0x5A; 1000], &[]).1).collect();
    assert_eq!(statuses, [0x9000, 0x9000, 0x9000, 0x9000, 0x6700]);
    assert_eq!(stage.read(3), 0x6982);
}

#[test]
fn a_chip_that_takes_no_pieces_says_so_and_goes_on() {
    let [root, verifier, _] = usual();
    let mut stage = Stage::set(&root);
    stage.chip.image.chaining = Chaining::Refused;
    assert_eq!(stage.say([0x10, 0x2A, 0x00, 0xBE], &[0x5A; 100], &[]).1, 0x6884);
    assert_eq!(stage.show("XACVCA00001", verifier.certificate()), 0x9000);
}
