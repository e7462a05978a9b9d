//! The simulator's chips asked for proofs. Whether a signature is right is judged elsewhere (`cccd-trust`);
//! here it is held that the conversation comes to its end and what it leaves behind.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers of these tests fail a test by panicking, like the tests themselves"
)]

use cccd_card::{ChannelLimits, StatusWord};
use cccd_document::evidence::challenge_from_nonce;
use cccd_document::{
    AccessKey, ChipAuthenticationRun, ChipProofs, Cipher, DataGroup14, Evidence, FileId, FileOutcome, MrzKey,
    ProofOutcome, StationLack, TerminalAuthentication, TerminalStep,
};
use cccd_emrtd::{
    Challenge, CvCertificate, FileTerminalKey, LockedChip, ProofPlan, ReadPlan, Terminal, read_document,
    read_document_as,
};
use cccd_firmware_sim::chip::Chip;
use cccd_firmware_sim::image::{
    ActiveAuthenticationKey, AfterChipAuthentication, Chaining, ChipAuthenticationCommands, ChipImage,
    DomainParameters, LengthOffer, LongAnswer, ModpGroup, NamedCurve, PaceCipher, PaceMapping, PaceOffer,
    SignatureHash,
};
use cccd_firmware_sim::personalise::{
    ActiveAuthenticationKind, ActiveAuthenticationPlan, CardDescription, ChipAuthenticationInfo,
    ChipAuthenticationKind, ChipAuthenticationPlan, DhKeyForm, EcdhKeyForm, Issuer, personalise,
    shipped_card,
};
use cccd_firmware_sim::pki::{Curve, CvAuthority, CvPlan, CvRights, DigestKind, PssParameters, SignerKind};
use cccd_firmware_sim::reader::in_process::DirectChannel;
use getrandom::SysRng;

const EXTENDED: LengthOffer = LengthOffer::Extended { max_command: 2_000, max_reply: 2_000 };

fn card() -> CardDescription {
    shipped_card("cccd-2021").unwrap().description().unwrap()
}

fn made(description: &CardDescription) -> ChipImage {
    personalise(description, &Issuer::new().unwrap()).unwrap()
}

/// Everything the plan says, of a chip with this content.
fn read(description: &CardDescription, image: ChipImage, limits: ChannelLimits, plan: &ReadPlan) -> Evidence {
    let key = description.mrz_key();
    let key = AccessKey::Mrz(MrzKey::new(&key.document_number, &key.birth, &key.expiry).unwrap());
    let channel = DirectChannel::new(Chip::new(image), limits).unwrap();
    let mut chip = LockedChip::new(channel).unlock(&[key], &mut SysRng).unwrap();
    read_document(&mut chip, plan, &mut SysRng, &mut |_| {}).unwrap()
}

/// The proofs of a chip that is read for them alone.
fn proofs(description: &CardDescription, limits: ChannelLimits, proofs: ProofPlan) -> ChipProofs {
    read(description, made(description), limits, &ReadPlan::new([]).proving(proofs)).proofs
}

fn chip_authentication(plan: ChipAuthenticationPlan) -> CardDescription {
    card().with_lengths(EXTENDED).with_chip_authentication(vec![plan])
}

fn ran(outcome: &ProofOutcome<ChipAuthenticationRun>) -> &ChipAuthenticationRun {
    outcome.done().unwrap_or_else(|| panic!("{outcome:?}"))
}

#[test]
fn both_proofs_come_with_the_files_and_the_challenge_is_of_the_nonce() {
    let nonce = b"transaction 7".to_vec();
    let plan = ReadPlan::identity().proving(ProofPlan::all(Challenge::FromNonce(nonce.clone())));
    let description = card();
    let evidence = read(&description, made(&description), ChannelLimits::SHORT, &plan);
    let active = evidence.proofs.active_authentication.done().unwrap();
    assert_eq!((active.challenge, &active.nonce), (challenge_from_nonce(&nonce), &Some(nonce)));
    assert!(active.response.len() >= 64);
    let chip = ran(&evidence.proofs.chip_authentication);
    let signed = DataGroup14::parse(evidence.bytes(FileId::DG14).unwrap()).unwrap().security_infos;
    assert!(signed.chip_authentication_keys().any(|key| key.public_key.der == chip.public_key));
    assert!(evidence.bytes(FileId::DG2).is_some());
}

#[test]
fn what_is_not_planned_is_not_asked_and_what_is_not_offered_is_so_told() {
    let none = proofs(&card(), ChannelLimits::SHORT, ProofPlan::none());
    assert_eq!(
        none,
        ChipProofs { chip_authentication_mapping: ProofOutcome::NotOffered, ..ChipProofs::default() }
    );
    let bare = card().with_active_authentication(None).with_chip_authentication(Vec::new());
    let told = proofs(&bare, ChannelLimits::SHORT, ProofPlan::all(Challenge::Drawn));
    assert_eq!(told.active_authentication, ProofOutcome::NotOffered);
    assert_eq!(told.chip_authentication, ProofOutcome::NotOffered);
}

#[test]
fn chip_authentication_runs_with_every_key_form_and_cipher() {
    let curves = [NamedCurve::BrainpoolP256r1, NamedCurve::NistP521];
    let on_curves = curves.into_iter().flat_map(|curve| {
        [EcdhKeyForm::Named, EcdhKeyForm::Explicit, EcdhKeyForm::Standardised]
            .map(|form| ChipAuthenticationKind::Ecdh(curve, form))
    });
    let modulo_primes = ModpGroup::all().into_iter().flat_map(|group| {
        [DhKeyForm::Pkcs3, DhKeyForm::X942, DhKeyForm::Standardised]
            .map(|form| ChipAuthenticationKind::Dh(group, form))
    });
    for kind in on_curves.chain(modulo_primes) {
        for (cipher, expected) in [
            (PaceCipher::TripleDes, Cipher::TripleDes),
            (PaceCipher::Aes128, Cipher::Aes128),
            (PaceCipher::Aes256, Cipher::Aes256),
        ] {
            let card = chip_authentication(ChipAuthenticationPlan::standard(kind, cipher));
            let proofs = proofs(&card, ChannelLimits::EXTENDED, ProofPlan::none().with_chip_authentication());
            assert_eq!(ran(&proofs.chip_authentication).cipher, expected, "{kind:?} {cipher:?}");
        }
    }
}

#[test]
fn of_several_keys_the_one_is_used_that_is_named_and_a_missing_info_means_3des() {
    let curve = ChipAuthenticationKind::Ecdh(NamedCurve::BrainpoolP256r1, EcdhKeyForm::Named);
    let other = ChipAuthenticationKind::Ecdh(NamedCurve::NistP256, EcdhKeyForm::Explicit);
    let first = ChipAuthenticationPlan {
        key_id: Some(1),
        ..ChipAuthenticationPlan::standard(curve, PaceCipher::TripleDes)
    };
    let second = ChipAuthenticationPlan {
        key_id: Some(2),
        ..ChipAuthenticationPlan::standard(other, PaceCipher::Aes192)
    };
    let plan = ProofPlan::none().with_chip_authentication();
    let two = card().with_chip_authentication(vec![first, second]);
    let two = proofs(&two, ChannelLimits::SHORT, plan.clone());
    let run = ran(&two.chip_authentication);
    assert_eq!((run.key_id, run.cipher), (Some(2), Cipher::Aes192));

    let french = ChipAuthenticationPlan {
        info: ChipAuthenticationInfo::Missing,
        commands: ChipAuthenticationCommands::KeyAgreementTemplate,
        ..ChipAuthenticationPlan::standard(curve, PaceCipher::TripleDes)
    };
    let french = proofs(&chip_authentication(french), ChannelLimits::SHORT, plan.clone());
    let run = ran(&french.chip_authentication);
    assert_eq!((run.key_id, run.cipher), (None, Cipher::TripleDes));

    // 3DES by the commands of AES alone.
    let general = ChipAuthenticationPlan {
        commands: ChipAuthenticationCommands::GeneralAuthenticate,
        ..ChipAuthenticationPlan::standard(curve, PaceCipher::TripleDes)
    };
    let general = proofs(&chip_authentication(general), ChannelLimits::SHORT, plan);
    assert_eq!(ran(&general.chip_authentication).cipher, Cipher::TripleDes);
}

#[test]
fn a_chip_that_falls_silent_under_the_new_keys_has_proven_nothing_and_its_files_stand() {
    let description = card();
    let mut image = made(&description);
    image.proofs.after_chip_authentication = AfterChipAuthentication::Mute;
    let plan = ReadPlan::identity().proving(ProofPlan::all(Challenge::Drawn));
    let evidence = read(&description, image, ChannelLimits::SHORT, &plan);
    assert_eq!(evidence.proofs.chip_authentication, ProofOutcome::Broken);
    assert!(evidence.proofs.active_authentication.done().is_some());
    assert!(evidence.bytes(FileId::DG2).is_some());
}

#[test]
fn a_swapped_chip_authentication_key_breaks_the_session() {
    // The files of one card in the chip of another: the key in DG14 is not the chip's.
    let description = card();
    let mut image = made(&description);
    image.proofs.chip_authentication = made(&description).proofs.chip_authentication;
    let plan = ReadPlan::identity().proving(ProofPlan::none().with_chip_authentication());
    let evidence = read(&description, image, ChannelLimits::SHORT, &plan);
    assert_eq!(evidence.proofs.chip_authentication, ProofOutcome::Broken);
    assert!(evidence.bytes(FileId::DG2).is_some());
}

#[test]
fn active_authentication_comes_first_so_that_the_other_cannot_spoil_it() {
    let description = card();
    let mut image = made(&description);
    image.proofs.after_chip_authentication = AfterChipAuthentication::NoActiveAuthentication;
    let plan = ReadPlan::new([]).proving(ProofPlan::all(Challenge::Drawn));
    let evidence = read(&description, image, ChannelLimits::SHORT, &plan);
    assert!(evidence.proofs.active_authentication.done().is_some());
    assert!(evidence.proofs.chip_authentication.done().is_some());
}

#[test]
fn a_copy_without_the_key_refuses() {
    let description = card();
    let mut image = made(&description);
    let offer = image.proofs.active_authentication.as_mut().unwrap();
    offer.key = ActiveAuthenticationKey::Missing;
    let plan = ReadPlan::new([]).proving(ProofPlan::all(Challenge::Drawn));
    let evidence = read(&description, image, ChannelLimits::SHORT, &plan);
    let refused = ProofOutcome::Refused(StatusWord::REFERENCE_NOT_FOUND);
    assert_eq!(evidence.proofs.active_authentication, refused);
    // A protected refusal costs no session.
    assert!(evidence.proofs.chip_authentication.done().is_some());
}

#[test]
fn a_long_key_answers_whole_whatever_the_chip_does_with_a_short_le() {
    let rsa = ActiveAuthenticationPlan::standard(ActiveAuthenticationKind::rsa(2048), SignatureHash::Sha256);
    for long_answer in
        [LongAnswer::Refused, LongAnswer::Cut, LongAnswer::Announced, LongAnswer::EmptyWhenExtended]
    {
        let card = card()
            .with_lengths(EXTENDED)
            .with_active_authentication(Some(ActiveAuthenticationPlan { long_answer, ..rsa }));
        let plan = ProofPlan::none().with_active_authentication(Challenge::Drawn);
        let proofs = proofs(&card, ChannelLimits::EXTENDED, plan);
        let run = proofs.active_authentication.done().unwrap_or_else(|| panic!("{long_answer:?}"));
        assert_eq!(run.response.len(), 256, "{long_answer:?}");
    }
}

/// A root, its certificates for a verifier and a station, and the station.
fn station(rights: CvRights) -> (CvAuthority, Terminal) {
    let root = CvAuthority::root(CvPlan::root("UTCVCA00001")).unwrap();
    let verifier = root.certify(CvPlan::document_verifier("UTDVCA00001")).unwrap();
    let own = verifier.certify(CvPlan { rights, ..CvPlan::terminal("UTTERM00001") }).unwrap();
    let certificates =
        [&own, &root, &verifier].map(|holder| CvCertificate::parse(holder.certificate()).unwrap()).to_vec();
    let key = FileTerminalKey::from_pkcs8(&own.private_key_pkcs8().unwrap()).unwrap();
    (root, Terminal::new(certificates, Box::new(key)).unwrap())
}

/// The fingerprints and what came of terminal authentication.
fn fingerprints(
    card: &CardDescription,
    limits: ChannelLimits,
    terminal: &Terminal,
) -> (FileOutcome, TerminalAuthentication) {
    let key = card.mrz_key();
    let key = AccessKey::Mrz(MrzKey::new(&key.document_number, &key.birth, &key.expiry).unwrap());
    let channel = DirectChannel::new(Chip::new(made(card)), limits).unwrap();
    let mut chip = LockedChip::new(channel).unlock(&[key], &mut SysRng).unwrap();
    let plan = ReadPlan::new([FileId::DG14]).requiring(FileId::DG3);
    let evidence = read_document_as(Ok(terminal), &mut chip, &plan, &mut SysRng, &mut |_| {}).unwrap();
    let file = evidence.files.get(&FileId::DG3).cloned().unwrap();
    (file, evidence.proofs.terminal_authentication)
}

#[test]
fn a_certified_station_reads_fingerprints_after_pace_and_after_bac() {
    let (root, terminal) = station(CvRights::Fingerprints);
    let card = card().with_lengths(EXTENDED).with_terminal_authentication(vec![root]);
    let bac = card.clone().with_access(true, Vec::new());
    let dh = PaceOffer {
        mapping: PaceMapping::Generic,
        cipher: PaceCipher::Aes128,
        parameters: DomainParameters::Modp(ModpGroup::all()[0]),
    };
    let over_dh = card.clone().with_access(true, vec![dh]);
    for card in [card, bac, over_dh] {
        let (file, proof) = fingerprints(&card, ChannelLimits::EXTENDED, &terminal);
        let run = proof.done().unwrap_or_else(|| panic!("{proof:?}"));
        assert_eq!((run.authority.as_str(), run.certificates), ("UTCVCA00001", 2));
        assert!(matches!(file, FileOutcome::Read(_)), "{file:?}");
    }
}

#[test]
fn a_link_certificate_leads_from_an_old_root_to_the_new() {
    let old = CvAuthority::root(CvPlan::root("UTCVCA00001")).unwrap();
    let (new, link) = old.roll_over(CvPlan::root("UTCVCA00002")).unwrap();
    let verifier = new.certify(CvPlan::document_verifier("UTDVCA00001")).unwrap();
    let own = verifier.certify(CvPlan::terminal("UTTERM00001")).unwrap();
    let certificates = [own.certificate(), &link, verifier.certificate()]
        .map(|bytes| CvCertificate::parse(bytes).unwrap())
        .to_vec();
    let key = FileTerminalKey::from_pkcs8(&own.private_key_pkcs8().unwrap()).unwrap();
    let terminal = Terminal::new(certificates, Box::new(key)).unwrap();
    let card = card().with_lengths(EXTENDED).with_terminal_authentication(vec![old]);
    let (file, proof) = fingerprints(&card, ChannelLimits::EXTENDED, &terminal);
    assert_eq!(proof.done().map(|run| run.certificates), Some(3), "{proof:?}");
    assert!(matches!(file, FileOutcome::Read(_)), "{file:?}");
}

#[test]
fn whoever_is_not_certified_for_this_chip_finds_the_fingerprints_locked() {
    let (root, terminal) = station(CvRights::Fingerprints);
    let card = card().with_lengths(EXTENDED);
    // The chip trusts another root of another name: there is no chain.
    let other = CvAuthority::root(CvPlan::root("XACVCA00001")).unwrap();
    let foreign = card.clone().with_terminal_authentication(vec![other]);
    let (file, proof) = fingerprints(&foreign, ChannelLimits::EXTENDED, &terminal);
    assert_eq!(proof, TerminalAuthentication::NoChain);
    assert!(matches!(file, FileOutcome::Locked(_)), "{file:?}");
    // It trusts another root of the same name: the chip refuses the certificates.
    let namesake = CvAuthority::root(CvPlan::root("UTCVCA00001")).unwrap();
    let deceived = card.clone().with_terminal_authentication(vec![namesake]);
    let (file, proof) = fingerprints(&deceived, ChannelLimits::EXTENDED, &terminal);
    let refused = TerminalAuthentication::Refused {
        step: TerminalStep::Certificate,
        status: StatusWord::VERIFICATION_FAILED,
    };
    assert_eq!(proof, refused);
    assert!(matches!(file, FileOutcome::Locked(_)), "{file:?}");
    // The certificate grants nothing.
    let (bare_root, bare) = station(CvRights::Neither);
    let granting = card.with_terminal_authentication(vec![bare_root]);
    let (file, proof) = fingerprints(&granting, ChannelLimits::EXTENDED, &bare);
    assert!(proof.done().is_some(), "{proof:?}");
    assert!(matches!(file, FileOutcome::Locked(_)), "{file:?}");
    drop(root);
}

/// A root and a station with keys of these kinds.
fn station_of(signer: SignerKind, digest: DigestKind) -> (CvAuthority, Terminal) {
    let kind = |plan| CvPlan { signer, digest, ..plan };
    let root = CvAuthority::root(kind(CvPlan::root("UTCVCA00001"))).unwrap();
    let verifier = root.certify(kind(CvPlan::document_verifier("UTDVCA00001"))).unwrap();
    let own = verifier.certify(kind(CvPlan::terminal("UTTERM00001"))).unwrap();
    let certificates =
        [&verifier, &own].map(|holder| CvCertificate::parse(holder.certificate()).unwrap()).to_vec();
    let key = FileTerminalKey::from_pkcs8(&own.private_key_pkcs8().unwrap()).unwrap();
    (root, Terminal::new(certificates, Box::new(key)).unwrap())
}

#[test]
fn every_algorithm_of_terminal_authentication_opens_the_fingerprints_with_long_and_with_short_commands() {
    let pkcs1 = SignerKind::RsaPkcs1 { bits: 2048 };
    let pss = SignerKind::RsaPss { bits: 2048, parameters: PssParameters::Usual };
    let odd = SignerKind::RsaPss { bits: 1032, parameters: PssParameters::Usual };
    for (signer, digest) in [
        (pkcs1, DigestKind::Sha1),
        (pkcs1, DigestKind::Sha256),
        (pkcs1, DigestKind::Sha512),
        (pss, DigestKind::Sha1),
        (pss, DigestKind::Sha256),
        (pss, DigestKind::Sha512),
        (odd, DigestKind::Sha256),
        (SignerKind::named(Curve::BrainpoolP224r1), DigestKind::Sha224),
        (SignerKind::named(Curve::BrainpoolP384r1), DigestKind::Sha384),
        (SignerKind::named(Curve::P521), DigestKind::Sha512),
        (SignerKind::named(Curve::BrainpoolP256r1), DigestKind::Sha1),
    ] {
        let (root, terminal) = station_of(signer, digest);
        let card = card().with_lengths(EXTENDED).with_terminal_authentication(vec![root]);
        // Certificates and signatures of RSA are too long for one short command: they go in pieces.
        let short = card.clone().with_lengths(LengthOffer::Short);
        for (card, limits) in [
            (&card, ChannelLimits::EXTENDED),
            (&card, ChannelLimits::SHORT),
            (&short, ChannelLimits::EXTENDED),
        ] {
            let (file, proof) = fingerprints(card, limits, &terminal);
            assert!(proof.done().is_some(), "{signer:?} {digest:?} {limits:?}: {proof:?}");
            assert!(matches!(file, FileOutcome::Read(_)), "{signer:?} {digest:?} {limits:?}: {file:?}");
        }
    }
}

#[test]
fn pace_with_chip_authentication_mapping_is_enough_of_a_proof_to_tie_the_station_to() {
    let (root, terminal) = station(CvRights::Fingerprints);
    let cam = PaceOffer {
        mapping: PaceMapping::ChipAuthentication,
        cipher: PaceCipher::Aes128,
        parameters: DomainParameters::Curve(NamedCurve::BrainpoolP256r1),
    };
    let card = card()
        .with_lengths(EXTENDED)
        .with_access(false, vec![cam])
        .with_chip_authentication(Vec::new())
        .with_terminal_authentication(vec![root]);
    let (file, proof) = fingerprints(&card, ChannelLimits::EXTENDED, &terminal);
    assert!(proof.done().is_some(), "{proof:?}");
    assert!(matches!(file, FileOutcome::Read(_)), "{file:?}");
}

#[test]
fn without_a_station_or_a_wish_the_chip_is_not_asked_to_open_anything() {
    let description = card();
    let plan = ReadPlan::new([FileId::EfSod]).and([FileId::DG3]);
    let evidence = read(&description, made(&description), ChannelLimits::SHORT, &plan);
    assert!(matches!(evidence.files[&FileId::DG3], FileOutcome::Locked(_)));
    let lack = TerminalAuthentication::NoStation(StationLack::NotSetUp);
    assert_eq!(evidence.proofs.terminal_authentication, lack);
    // EF.SOD lists no irises: no command is wasted on them.
    let plan = ReadPlan::new([FileId::EfSod]).and([FileId::DG4]);
    let evidence = read(&description, made(&description), ChannelLimits::SHORT, &plan);
    assert!(!evidence.files.contains_key(&FileId::DG4));
    assert_eq!(evidence.proofs.terminal_authentication, TerminalAuthentication::NotAsked);
}

#[test]
fn a_long_key_goes_in_pieces_where_lengths_are_short_and_a_chip_that_takes_none_is_not_blamed() {
    for cipher in [PaceCipher::TripleDes, PaceCipher::Aes128] {
        let kind = ChipAuthenticationKind::Dh(ModpGroup::Modp2048Order256, DhKeyForm::X942);
        let plan = ChipAuthenticationPlan::standard(kind, cipher);
        let card = card().with_lengths(LengthOffer::Short).with_chip_authentication(vec![plan]);
        let asked = ReadPlan::new([FileId::DG14]).proving(ProofPlan::none().with_chip_authentication());
        let whole = read(&card, made(&card), ChannelLimits::EXTENDED, &asked);
        assert!(whole.proofs.chip_authentication.done().is_some(), "{:?}", whole.proofs);
        for chaining in [Chaining::Refused, Chaining::Unknown] {
            let image = ChipImage { chaining, ..made(&card) };
            let refused = read(&card, image, ChannelLimits::EXTENDED, &asked);
            let outcome = &refused.proofs.chip_authentication;
            assert_eq!(*outcome, ProofOutcome::Unsupported, "{cipher:?} {chaining:?}");
            assert!(refused.bytes(FileId::DG14).is_some());
        }
    }
}

#[test]
fn a_group_that_a_key_spells_out_is_computed_in_and_nonsense_is_not() {
    for group in ModpGroup::off_the_table() {
        for form in [DhKeyForm::Pkcs3, DhKeyForm::X942] {
            let kind = ChipAuthenticationKind::Dh(group, form);
            let card = chip_authentication(ChipAuthenticationPlan::standard(kind, PaceCipher::Aes128));
            let proofs = proofs(&card, ChannelLimits::EXTENDED, ProofPlan::none().with_chip_authentication());
            let run = proofs.chip_authentication.done();
            let sound = group != ModpGroup::Composite1024;
            assert_eq!(run.is_some(), sound, "{group:?} {form:?}: {:?}", proofs.chip_authentication);
        }
    }
}
