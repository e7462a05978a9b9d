//! Whole readings of the simulator's chips, which compute everything by themselves.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the helpers of these tests fail a test by panicking, like the tests themselves"
)]

use std::collections::BTreeMap;

use cccd_card::{CardChannel, ChannelLimits, TransportError};
use cccd_document::{
    AccessKey, AccessProtocol, Can, Downgrade, Evidence, FileId, FileOutcome, Mapping, MrzKey, PasswordKind,
};
use cccd_emrtd::{LockedChip, Metered, ReadError, ReadPlan, ReadStep, Traffic, UnlockError, read_document};
use cccd_firmware_sim::chip::{Chip, KeyStep};
use cccd_firmware_sim::image::{ChipImage, LengthOffer, NamedCurve, PaceCipher, PaceOffer};
use cccd_firmware_sim::personalise::{CardDescription, Issuer, personalise, shipped, shipped_card};
use cccd_firmware_sim::reader::in_process::{DirectChannel, Fault, FaultPlan, Faulty};
use getrandom::SysRng;

struct Made {
    name: &'static str,
    description: CardDescription,
    image: ChipImage,
}

impl Made {
    fn all() -> Vec<Self> {
        let issuer = Issuer::new().unwrap();
        let made = |card: cccd_firmware_sim::personalise::ShippedCard| {
            let description = card.description().unwrap();
            let image = personalise(&description, &issuer).unwrap();
            Self { name: card.name(), description, image }
        };
        shipped().into_iter().map(made).collect()
    }

    fn named(name: &'static str) -> Self {
        let description = shipped_card(name).unwrap().description().unwrap();
        let image = personalise(&description, &Issuer::new().unwrap()).unwrap();
        Self { name, description, image }
    }

    fn chip(&self) -> Chip {
        Chip::new(self.image.clone())
    }

    fn can(&self) -> Option<AccessKey> {
        Some(AccessKey::Can(Can::new(self.description.can()?).unwrap()))
    }

    fn mrz(&self) -> AccessKey {
        let key = self.description.mrz_key();
        AccessKey::Mrz(MrzKey::new(&key.document_number, &key.birth, &key.expiry).unwrap())
    }

    /// The chip as it would be with BAC alone.
    fn without_pace(mut self) -> Self {
        self.image.access.pace.clear();
        self.image.master_file.remove(&FileId::CardAccess.fid());
        self
    }
}

fn direct(chip: Chip, limits: ChannelLimits) -> DirectChannel {
    DirectChannel::new(chip, limits).unwrap()
}

/// Opens and reads by the usual plan; the traffic is that after access control.
fn read(
    chip: Chip,
    limits: ChannelLimits,
    keys: &[AccessKey],
) -> Result<(Evidence, Traffic), Box<dyn std::error::Error>> {
    let mut metered = Metered::new(direct(chip, limits));
    let mut opened = LockedChip::new(&mut metered).unlock(keys, &mut SysRng)?;
    let evidence = read_document(&mut opened, &ReadPlan::identity(), &mut SysRng, &mut |_| {})?;
    let whole = opened.into_channel().traffic();
    Ok((evidence, whole))
}

/// Every file that was read is what the chip holds, and every group that lies open was read.
fn assert_complete(made: &Made, evidence: &Evidence) {
    for (file, outcome) in &evidence.files {
        match outcome {
            FileOutcome::Read(bytes) => {
                let image = &made.image;
                let directory = if file.in_application() { &image.emrtd } else { &image.master_file };
                assert_eq!(bytes.as_slice(), directory[&file.fid()].content, "{} {file}", made.name);
            }
            other => panic!("{} {file}: {other:?}", made.name),
        }
    }
    for file in ReadPlan::identity().files() {
        let there = made.image.emrtd.contains_key(&file.fid());
        assert_eq!(evidence.bytes(*file).is_some(), there, "{} {file}", made.name);
    }
}

#[test]
fn every_shipped_card_is_read_whole_by_every_key_it_takes() {
    let mut runs = 0;
    for made in Made::all() {
        for limits in [ChannelLimits::SHORT, ChannelLimits::EXTENDED] {
            let can = made.can().filter(|_| !made.image.access.pace.is_empty());
            for key in can.into_iter().chain([made.mrz()]) {
                let kind = key.kind();
                let (evidence, _) = read(made.chip(), limits, &[key])
                    .unwrap_or_else(|error| panic!("{} {kind:?} {limits:?}: {error:?}", made.name));
                assert_complete(&made, &evidence);
                assert_eq!(evidence.access.password, kind);
                let pace = matches!(evidence.access.protocol, AccessProtocol::Pace(_));
                assert_eq!(pace, !made.image.access.pace.is_empty(), "{}", made.name);
                assert_eq!(evidence.access.downgrade, None);
                runs += 1;
            }
        }
    }
    assert!(runs >= 20, "{runs}");
}

#[test]
fn every_card_with_bac_is_read_by_bac() {
    let cards: Vec<_> = Made::all().into_iter().filter(|made| made.image.access.bac).collect();
    assert!(cards.len() >= 4);
    for made in cards {
        let made = made.without_pace();
        for limits in [ChannelLimits::SHORT, ChannelLimits::EXTENDED] {
            let (evidence, _) = read(made.chip(), limits, &[made.mrz()]).unwrap();
            assert_complete(&made, &evidence);
            assert_eq!(evidence.access.protocol, AccessProtocol::Bac);
            assert_eq!(evidence.access.downgrade, None);
            assert_eq!(evidence.access.card_access, None);
        }
    }
}

#[test]
fn every_variant_of_pace_opens_and_one_of_them_proves_the_chip() {
    let base = shipped_card("cccd-2021").unwrap().description().unwrap();
    let issuer = Issuer::new().unwrap();
    let lengths = LengthOffer::Extended { max_command: 2_000, max_reply: 2_000 };
    let mut runs = 0;
    for offer in PaceOffer::all() {
        // Every group with every mapping; the ciphers are held by two of the groups.
        let all_ciphers = matches!(offer.parameters.parameter_id(), 1 | 13);
        if offer.cipher != PaceCipher::Aes128 && !all_ciphers {
            continue;
        }
        let description = base.clone().with_access(false, vec![offer]).with_lengths(lengths);
        let image = personalise(&description, &issuer).unwrap();
        let made = Made { name: "one variant", description, image };
        let channel = direct(made.chip(), ChannelLimits::EXTENDED);
        let mut opened = LockedChip::new(channel).unlock(&[made.mrz()], &mut SysRng).unwrap();
        let plan = ReadPlan::new([FileId::DG1]);
        let evidence = read_document(&mut opened, &plan, &mut SysRng, &mut |_| {}).unwrap();
        assert!(evidence.bytes(FileId::DG1).is_some(), "{offer:?}");
        let AccessProtocol::Pace(pace) = evidence.access.protocol else { panic!("{offer:?}") };
        assert_eq!(pace.parameter_id, offer.parameters.parameter_id());
        let proves = pace.mapping == Mapping::ChipAuthentication;
        let mapping = &evidence.proofs.chip_authentication_mapping;
        assert_eq!(mapping.done().is_some(), proves, "{offer:?} {mapping:?}");
        assert_eq!(evidence.bytes(FileId::CardSecurity).is_some(), proves, "{offer:?}");
        runs += 1;
    }
    // 14 groups generic, 13 integrated, 11 with chip authentication; two of the groups with every cipher.
    assert_eq!(runs, 14 + 13 + 11 + 2 * (3 + 3) + 2);
}

/// EF.CardAccess with one PACEInfo: ECDH, generic mapping, this cipher, these parameters.
fn card_access(cipher: u8, parameters: u8) -> Vec<u8> {
    let mut file = hex::decode("31143012060A04007F0007020204020202010202010D").unwrap();
    file[15] = cipher;
    *file.last_mut().unwrap() = parameters;
    file
}

#[test]
fn shared_secrets_that_begin_with_zero_open_the_chip() {
    let made = Made::named("cccd-2021");
    for step in [KeyStep::Mapping, KeyStep::Agreement] {
        let mut chip = made.chip();
        chip.force_leading_zero(step);
        let (evidence, _) = read(chip, ChannelLimits::SHORT, &[made.can().unwrap()]).unwrap();
        assert_complete(&made, &evidence);
    }
}

#[test]
fn with_large_replies_a_reading_takes_ten_commands_at_most() {
    let mut made = Made::named("cccd-2021");
    let most = LengthOffer::Extended { max_command: 65_535, max_reply: 65_535 };
    made.image.lengths = most;
    made.image.master_file.get_mut(&FileId::AtrInfo.fid()).unwrap().content =
        hex::decode("7F660A0203 00FFFF 0203 00FFFF".replace(' ', "")).unwrap();
    let mut metered = Metered::new(direct(made.chip(), ChannelLimits::EXTENDED));
    let mut opened = LockedChip::new(&mut metered).unlock(&[made.can().unwrap()], &mut SysRng).unwrap();
    let evidence = read_document(&mut opened, &ReadPlan::identity(), &mut SysRng, &mut |_| {}).unwrap();
    assert_complete(&made, &evidence);
    let whole = opened.into_channel().traffic().commands;
    let access = access_commands(&made, ChannelLimits::EXTENDED);
    let dg2 = evidence.bytes(FileId::DG2).unwrap().len();
    assert!(dg2 > 5000, "a portrait of {dg2} bytes");
    assert!(whole - access <= 10, "{} commands after access control", whole - access);
}

/// Commands up to and with access control.
fn access_commands(made: &Made, limits: ChannelLimits) -> u64 {
    let mut metered = Metered::new(direct(made.chip(), limits));
    drop(LockedChip::new(&mut metered).unlock(&[made.can().unwrap()], &mut SysRng).unwrap());
    metered.traffic().commands
}

#[test]
fn with_short_replies_no_file_takes_more_than_its_chunks() {
    let made = Made::named("cccd-2021");
    let (evidence, traffic) = read(made.chip(), ChannelLimits::SHORT, &[made.can().unwrap()]).unwrap();
    let chunks: usize = evidence
        .files
        .values()
        .map(|outcome| match outcome {
            FileOutcome::Read(bytes) => bytes.len().div_ceil(223) + 1,
            _ => 2,
        })
        .sum();
    let read = traffic.commands - access_commands(&made, ChannelLimits::SHORT);
    assert!(read <= u64::try_from(chunks).unwrap() + 1, "{read} commands for {chunks}");
}

#[test]
fn a_wrong_key_is_told_and_the_right_one_of_another_kind_opens() {
    let made = Made::named("cccd-2021");
    let wrong_can = AccessKey::Can(Can::new("999999").unwrap());
    let wrong_mrz = AccessKey::Mrz(MrzKey::new("090123456", "900103", "300102").unwrap());
    let mut channel = direct(made.chip(), ChannelLimits::SHORT);
    let error =
        LockedChip::new(&mut channel).unlock(std::slice::from_ref(&wrong_can), &mut SysRng).err().unwrap();
    let told = matches!(error, UnlockError::WrongKey { kind: PasswordKind::Can, tries_left: Some(_) });
    assert!(told, "{error:?}");
    let error = LockedChip::new(&mut channel).unlock(&[wrong_mrz], &mut SysRng).err().unwrap();
    assert!(matches!(error, UnlockError::WrongKey { kind: PasswordKind::Mrz, .. }), "{error:?}");
    let opened = LockedChip::new(&mut channel).unlock(&[wrong_can, made.mrz()], &mut SysRng).unwrap();
    assert_eq!(opened.access().password, PasswordKind::Mrz);
    // PACE ran in the end, so nothing was downgraded.
    assert_eq!(opened.access().downgrade, None);
}

#[test]
fn the_try_counter_never_reaches_zero_however_often_a_wrong_can_is_tried() {
    for made in Made::all() {
        let Some(full) = made.image.access.can.as_ref().and_then(|can| can.tries) else { continue };
        let mut channel = direct(made.chip(), ChannelLimits::SHORT);
        let keys: Vec<_> = (0..5).map(|n| AccessKey::Can(Can::new(&format!("99999{n}")).unwrap())).collect();
        let mut last = None;
        for _ in 0..full {
            last = LockedChip::new(&mut channel).unlock(&keys, &mut SysRng).err();
        }
        assert_eq!(channel.card().status().can_tries_left, Some(1), "{}", made.name);
        assert!(matches!(last, Some(UnlockError::LastTryRefused { kind: PasswordKind::Can })), "{last:?}");
        // The right MRZ opens the card all the same.
        assert!(LockedChip::new(&mut channel).unlock(&[made.mrz()], &mut SysRng).is_ok());
    }
}

#[test]
fn bac_on_a_chip_that_offers_pace_is_reported() {
    // Offered and failing: the chip lists a variant that it does not run.
    let mut made = Made::named("cccd-2021");
    made.image.access.pace = vec![PaceOffer::ecdh_generic(PaceCipher::Aes256, NamedCurve::NistP384)];
    let (evidence, _) = read(made.chip(), ChannelLimits::SHORT, &[made.mrz()]).unwrap();
    assert_eq!(evidence.access.protocol, AccessProtocol::Bac);
    assert_eq!(evidence.access.downgrade, Some(Downgrade::PaceFailed));
    assert!(evidence.access.card_access.is_some());
    // Offered in a form nobody speaks: a mapping that is not defined.
    let mut made = Made::named("cccd-2021");
    let mut file = card_access(2, 13);
    file[14] = 0x05;
    made.image.master_file.get_mut(&FileId::CardAccess.fid()).unwrap().content = file;
    let (evidence, _) = read(made.chip(), ChannelLimits::SHORT, &[made.mrz()]).unwrap();
    assert_eq!(evidence.access.downgrade, Some(Downgrade::PaceUnsupported));
}

#[test]
fn pace_runs_on_a_chip_that_shows_no_card_access() {
    let mut made = Made::named("cccd-2021");
    made.image.master_file.remove(&FileId::CardAccess.fid());
    let (evidence, _) = read(made.chip(), ChannelLimits::SHORT, &[made.can().unwrap()]).unwrap();
    assert_complete(&made, &evidence);
    assert!(matches!(evidence.access.protocol, AccessProtocol::Pace(_)));
    assert_eq!(evidence.access.card_access, None);
}

#[test]
fn locked_fingerprints_are_an_outcome() {
    let made = Made::named("cccd-2021");
    let mut channel = direct(made.chip(), ChannelLimits::SHORT);
    let mut opened = LockedChip::new(&mut channel).unlock(&[made.can().unwrap()], &mut SysRng).unwrap();
    let plan = ReadPlan::identity().requiring(FileId::DG3);
    let evidence = read_document(&mut opened, &plan, &mut SysRng, &mut |_| {}).unwrap();
    assert!(matches!(evidence.files[&FileId::DG3], FileOutcome::Locked(_)));
    assert!(evidence.bytes(FileId::DG2).is_some());
}

/// The names of the ways a reading can end.
fn ending(channel: impl CardChannel, keys: &[AccessKey]) -> &'static str {
    match LockedChip::new(channel).unlock(keys, &mut SysRng) {
        Err(UnlockError::CardLost { .. }) => "card lost while opening",
        Err(_) => "not opened",
        Ok(mut opened) => match read_document(&mut opened, &ReadPlan::identity(), &mut SysRng, &mut |_| {}) {
            Err(ReadError::CardLost { .. }) => "card lost while reading",
            Err(ReadError::Misbehaved { .. } | ReadError::SessionEnded { .. }) => "session broken",
            Err(_) => "not read",
            Ok(evidence) if evidence.bytes(FileId::DG2).is_some() => "read",
            Ok(_) => "read in part",
        },
    }
}

#[test]
fn a_card_pulled_at_any_command_is_a_lost_card() {
    let made = Made::named("cccd-2021");
    let keys = [made.can().unwrap(), made.mrz()];
    let access = access_commands(&made, ChannelLimits::SHORT);
    let mut at = 0;
    loop {
        let plan = FaultPlan::default().at(at, Fault::PullCard);
        let channel = Faulty::new(direct(made.chip(), ChannelLimits::SHORT), plan);
        let expected = match ending(channel, &keys) {
            "read" => break,
            _ if u64::try_from(at).unwrap() < access => "card lost while opening",
            _ => "card lost while reading",
        };
        let plan = FaultPlan::default().at(at, Fault::PullCard);
        let channel = Faulty::new(direct(made.chip(), ChannelLimits::SHORT), plan);
        assert_eq!(ending(channel, &keys), expected, "command {at}");
        at += 1;
    }
    assert!(at > 60, "{at} commands");
}

#[test]
fn every_transport_failure_and_every_cut_reply_ends_the_reading_and_says_so() {
    let made = Made::named("cccd-2021");
    let keys = [made.can().unwrap()];
    let access = usize::try_from(access_commands(&made, ChannelLimits::SHORT)).unwrap();
    for at in [0, 1, 3, access - 1, access, access + 1, access + 5] {
        for fault in [
            Fault::Fail(TransportError::CardReset),
            Fault::Fail(TransportError::NotTransacted),
            Fault::Fail(TransportError::Cancelled),
            Fault::CutTo(0),
            Fault::CutTo(1),
        ] {
            let plan = FaultPlan::default().at(at, fault.clone());
            let channel = Faulty::new(direct(made.chip(), ChannelLimits::SHORT), plan);
            let expected = if at < access { "card lost while opening" } else { "card lost while reading" };
            assert_eq!(ending(channel, &keys), expected, "command {at} {fault:?}");
        }
    }
}

#[test]
fn progress_of_each_file_only_grows() {
    let made = Made::named("cccd-2021");
    let mut channel = direct(made.chip(), ChannelLimits::SHORT);
    let mut opened = LockedChip::new(&mut channel).unlock(&[made.can().unwrap()], &mut SysRng).unwrap();
    let mut told: BTreeMap<FileId, Vec<(usize, Option<usize>)>> = BTreeMap::new();
    let mut done = Vec::new();
    let evidence = read_document(&mut opened, &ReadPlan::identity(), &mut SysRng, &mut |step| match step {
        ReadStep::Begins(_) => {}
        ReadStep::Piece(piece) => told.entry(piece.file).or_default().push((piece.read, piece.total)),
        ReadStep::File(file, outcome) => done.push((file, outcome.clone())),
    })
    .unwrap();
    assert_eq!(BTreeMap::from_iter(done), evidence.files);
    for (file, steps) in &told {
        assert!(steps.is_sorted_by(|a, b| a.0 < b.0), "{file}: {steps:?}");
        assert_eq!(steps.last().unwrap().0, evidence.bytes(*file).unwrap().len());
    }
    assert_eq!(told.len(), evidence.files.len());
}

#[test]
fn a_reading_goes_on_where_it_was_but_never_with_another_document() {
    let made = Made::named("cccd-2021");
    let read = |made: &Made, plan: &ReadPlan| {
        let mut channel = Metered::new(direct(made.chip(), ChannelLimits::SHORT));
        let mut opened = LockedChip::new(&mut channel).unlock(&[made.can().unwrap()], &mut SysRng).unwrap();
        let evidence = read_document(&mut opened, plan, &mut SysRng, &mut |_| {});
        (evidence, channel.traffic().commands)
    };
    let (first, whole) = read(&made, &ReadPlan::identity());
    let first = first.unwrap();

    let known: BTreeMap<_, _> = first
        .files
        .iter()
        .filter(|(file, _)| **file != FileId::DG13)
        .map(|(file, outcome)| (*file, outcome.clone()))
        .collect();
    let (second, rest) = read(&made, &ReadPlan::identity().going_on_from(known.clone()));
    assert_eq!(second.unwrap().files, first.files);
    assert!(rest + 60 < whole, "{rest} of {whole} commands");

    // Without the signed list nothing says that it is the same document.
    let mut unsigned = known.clone();
    unsigned.remove(&FileId::EfSod);
    assert_eq!(read(&made, &ReadPlan::identity().going_on_from(unsigned)).1, whole);

    let other = Made::named("cccd-2021");
    let (ended, _) = read(&other, &ReadPlan::identity().going_on_from(known));
    assert!(matches!(ended, Err(ReadError::AnotherDocument)), "{ended:?}");
}
