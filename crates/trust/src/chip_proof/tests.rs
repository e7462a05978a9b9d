//! The simulator's chips read by the agent's own conversation, and their proofs judged.

use cccd_card::ChannelLimits;
use cccd_document::{AccessKey, Can, MrzKey, PasswordKind};
use cccd_emrtd::{Challenge, LockedChip, ProofPlan, ReadPlan, read_document};
use cccd_firmware_sim::chip::Chip;
use cccd_firmware_sim::image::{
    ActiveAuthenticationKey, AfterChipAuthentication, ChipImage, LengthOffer, PaceCipher, PaceMapping,
    PaceOffer, SignatureHash,
};
use cccd_firmware_sim::personalise::{
    ActiveAuthenticationKind, ActiveAuthenticationPlan, CardDescription, Issuer, personalise, shipped_card,
};
use cccd_firmware_sim::reader::in_process::DirectChannel;
use getrandom::SysRng;
use zeroize::Zeroizing;

use super::*;

const EXTENDED: LengthOffer = LengthOffer::Extended { max_command: 2_000, max_reply: 2_000 };
const NOT_VERIFIED: CardSecurity = CardSecurity::NotTrusted(Reason::UnknownAnchor);

fn card() -> CardDescription {
    shipped_card("cccd-2021").unwrap().description().unwrap().with_lengths(EXTENDED)
}

fn made(description: &CardDescription, issuer: &Issuer) -> ChipImage {
    personalise(description, issuer).unwrap()
}

fn mrz(description: &CardDescription) -> AccessKey {
    let key = description.mrz_key();
    AccessKey::Mrz(MrzKey::new(&key.document_number, &key.birth, &key.expiry).unwrap())
}

fn read_with(image: ChipImage, keys: &[AccessKey], proofs: ProofPlan) -> Evidence {
    let channel = DirectChannel::new(Chip::new(image), ChannelLimits::EXTENDED).unwrap();
    let mut chip = LockedChip::new(channel).unlock(keys, &mut SysRng).unwrap();
    let plan = ReadPlan::new([FileId::EfSod, FileId::DG14, FileId::DG15]).proving(proofs);
    read_document(&mut chip, &plan, &mut SysRng, &mut |_| {}).unwrap()
}

/// The signed lists and all proofs of a chip with this content.
fn read(description: &CardDescription, image: ChipImage) -> Evidence {
    read_with(image, &[mrz(description)], ProofPlan::all(Challenge::FromNonce(b"transaction 7".to_vec())))
}

fn evidence() -> Evidence {
    let description = card();
    let image = made(&description, &Issuer::new().unwrap());
    read(&description, image)
}

fn state(evidence: &Evidence, name: CheckName) -> CheckState {
    let checks = chip_checks(evidence, &NOT_VERIFIED);
    assert_eq!(checks.len(), 5);
    checks.iter().find(|check| check.name == name).unwrap().state
}

const AA: CheckName = CheckName::ActiveAuthentication;
const CA: CheckName = CheckName::ChipAuthentication;

#[test]
fn a_good_chip_passes_and_has_no_mapping_to_pass() {
    let evidence = evidence();
    assert_eq!(state(&evidence, CheckName::CardAccess), CheckState::Passed);
    assert_eq!(state(&evidence, AA), CheckState::Passed);
    assert_eq!(state(&evidence, CA), CheckState::Passed);
    assert_eq!(state(&evidence, CheckName::ChipAuthenticationMapping), CheckState::NotOffered);
}

/// The options in EF.CardSecurity, taken out of it without a look at its signature.
fn unverified_options(evidence: &Evidence) -> SecurityInfos {
    let bytes = evidence.bytes(FileId::CardSecurity).unwrap();
    // The list is the one object of this kind that begins with a PACEInfo, whatever lies around it.
    let at = (0..bytes.len()).find(|&at| {
        SecurityInfos::parse(&bytes[at..])
            .is_ok_and(|infos| infos.chip_authentication_keys().next().is_some())
    });
    SecurityInfos::parse(&bytes[at.unwrap()..]).unwrap()
}

#[test]
fn chip_authentication_mapping_passes_on_every_curve_and_only_with_the_signed_key() {
    let issuer = Issuer::new().unwrap();
    let name = CheckName::ChipAuthenticationMapping;
    let mut foreign: Option<SecurityInfos> = None;
    let offers = PaceOffer::all().into_iter().filter(|offer| {
        offer.mapping == PaceMapping::ChipAuthentication && offer.cipher == PaceCipher::Aes128
    });
    let mut seen = 0;
    for offer in offers {
        let description = card().with_access(true, vec![offer]);
        let evidence = read(&description, made(&description, &issuer));
        let judged = |card_security: &CardSecurity| {
            let checks = chip_checks(&evidence, card_security);
            checks.iter().find(|check| check.name == name).unwrap().state
        };
        let own = unverified_options(&evidence);
        assert_eq!(judged(&CardSecurity::Signed(own.clone())), CheckState::Passed, "{offer:?}");
        assert_eq!(judged(&NOT_VERIFIED), CheckState::NotPossible(Reason::UnknownAnchor));
        if let Some(foreign) = foreign.replace(own) {
            // The key of another chip, on another curve.
            let state = judged(&CardSecurity::Signed(foreign));
            assert_eq!(state, CheckState::NotPossible(Reason::ProofKeyUnusable));
        }
        let mut withheld = evidence.clone();
        withheld.files.remove(&FileId::CardSecurity);
        assert_eq!(state(&withheld, name), CheckState::Failed(Reason::CardSecurityWithheld));

        // Another chip of the same kind has another key.
        let other = read(&description, made(&description, &issuer));
        let of_other = CardSecurity::Signed(unverified_options(&other));
        assert_eq!(judged(&of_other), CheckState::Failed(Reason::ProofWrong), "{offer:?}");
        seen += 1;
    }
    assert_eq!(seen, 11);
}

#[test]
fn active_authentication_passes_with_every_kind_of_key() {
    let issuer = Issuer::new().unwrap();
    let mut seen = 0;
    for plan in ActiveAuthenticationPlan::all() {
        // One hash for each curve, every hash and form with RSA of 1024 bits, and the longest keys once.
        let wanted = match plan.kind {
            ActiveAuthenticationKind::Ecdsa { curve, .. } if curve.order_bits() < 256 => {
                plan.hash == SignatureHash::Sha1
            }
            ActiveAuthenticationKind::Ecdsa { .. } => plan.hash == SignatureHash::Sha256,
            ActiveAuthenticationKind::Rsa { bits: 1024, .. } => true,
            kind => {
                kind == ActiveAuthenticationKind::rsa(2048) || kind == ActiveAuthenticationKind::rsa(4096)
            }
        };
        if !wanted {
            continue;
        }
        let description = card().with_active_authentication(Some(plan));
        let evidence = read(&description, made(&description, &issuer));
        assert_eq!(state(&evidence, AA), CheckState::Passed, "{plan:?}");
        seen += 1;
    }
    assert!(seen >= 60, "{seen}");
}

#[test]
fn a_copy_without_the_keys_fails() {
    let (description, issuer) = (card(), Issuer::new().unwrap());
    let mut image = made(&description, &issuer);
    image.proofs.active_authentication.as_mut().unwrap().key = ActiveAuthenticationKey::Missing;
    assert_eq!(state(&read(&description, image), AA), CheckState::Failed(Reason::ProofRefused));

    // With keys of its own.
    let mut image = made(&description, &issuer);
    image.proofs = made(&description, &issuer).proofs;
    let evidence = read(&description, image);
    assert_eq!(state(&evidence, AA), CheckState::Failed(Reason::ProofWrong));
    assert_eq!(state(&evidence, CA), CheckState::Failed(Reason::ProofBroken));

    // The same with RSA.
    let rsa = ActiveAuthenticationPlan::standard(ActiveAuthenticationKind::rsa(1024), SignatureHash::Sha1);
    let description = description.with_active_authentication(Some(rsa));
    let mut image = made(&description, &issuer);
    image.proofs = made(&description, &issuer).proofs;
    assert_eq!(state(&read(&description, image), AA), CheckState::Failed(Reason::ProofWrong));
}

#[test]
fn a_copy_that_leaves_out_what_it_cannot_prove_fails_too() {
    let (description, issuer) = (card(), Issuer::new().unwrap());
    let mut image = made(&description, &issuer);
    image.emrtd.remove(&FileId::DG15.fid());
    let evidence = read(&description, image);
    assert_eq!(state(&evidence, AA), CheckState::Failed(Reason::ProofKeyWithheld));
    assert_eq!(state(&evidence, CA), CheckState::Passed);

    let mut image = made(&description, &issuer);
    image.emrtd.remove(&FileId::DG14.fid());
    let evidence = read(&description, image);
    assert_eq!(state(&evidence, CA), CheckState::Failed(Reason::ProofKeyWithheld));
    assert_eq!(state(&evidence, CheckName::CardAccess), CheckState::Failed(Reason::ProofKeyWithheld));
    // The hash of ECDSA stands in DG14.
    assert_eq!(state(&evidence, AA), CheckState::NotPossible(Reason::ProofHashUnknown));

    // Without EF.SOD nobody knows what should be there.
    let mut image = made(&description, &issuer);
    image.emrtd.remove(&FileId::EfSod.fid());
    image.emrtd.remove(&FileId::DG15.fid());
    let evidence = read(&description, image);
    assert_eq!(state(&evidence, AA), CheckState::NotPossible(Reason::SecurityObjectAbsent));
}

#[test]
fn what_is_not_offered_or_not_asked_is_neither_good_nor_bad() {
    let issuer = Issuer::new().unwrap();
    let bare = card().with_active_authentication(None).with_chip_authentication(Vec::new());
    let image = made(&bare, &issuer);
    let evidence = read(&bare, image);
    assert_eq!(state(&evidence, AA), CheckState::NotOffered);
    assert_eq!(state(&evidence, CA), CheckState::NotOffered);

    let description = card();
    let evidence = read_with(made(&description, &issuer), &[mrz(&description)], ProofPlan::none());
    assert_eq!(state(&evidence, AA), CheckState::Skipped);
    assert_eq!(state(&evidence, CA), CheckState::Skipped);
}

#[test]
fn a_chip_that_falls_silent_under_the_new_keys_fails() {
    let description = card();
    let mut image = made(&description, &Issuer::new().unwrap());
    image.proofs.after_chip_authentication = AfterChipAuthentication::Mute;
    let evidence = read(&description, image);
    assert_eq!(state(&evidence, CA), CheckState::Failed(Reason::ProofBroken));
    assert_eq!(state(&evidence, AA), CheckState::Passed);
}

#[test]
fn no_changed_byte_of_an_active_authentication_passes() {
    let good = evidence();
    let changed = |change: &dyn Fn(&mut cccd_document::ActiveAuthenticationRun)| {
        let mut evidence = good.clone();
        let cccd_document::ProofOutcome::Done(run) = &mut evidence.proofs.active_authentication else {
            panic!("not run");
        };
        change(run);
        state(&evidence, AA)
    };
    assert_eq!(changed(&|_| {}), CheckState::Passed);
    let foreign = CheckState::Failed(Reason::ChallengeNotOfNonce);
    assert_eq!(changed(&|run| run.nonce = Some(b"transaction 8".to_vec())), foreign);
    let length = good.proofs.active_authentication.done().unwrap().response.len();
    for at in 0..length {
        let state = changed(&|run| run.response[at] ^= 1);
        assert_eq!(state, CheckState::Failed(Reason::ProofWrong), "{at}");
    }
    for at in 0..8 {
        assert_eq!(changed(&|run| run.challenge[at] ^= 1), foreign);
        // Without its nonce the challenge is just another one.
        let state = changed(&|run| {
            run.challenge[at] ^= 1;
            run.nonce = None;
        });
        assert_eq!(state, CheckState::Failed(Reason::ProofWrong));
    }
    let cut = changed(&|run| run.response.truncate(20));
    assert_eq!(cut, CheckState::NotPossible(Reason::ProofAnswerCut));
}

#[test]
fn chip_authentication_with_a_key_that_is_not_in_dg14_fails() {
    let mut evidence = evidence();
    let cccd_document::ProofOutcome::Done(run) = &mut evidence.proofs.chip_authentication else {
        panic!("not run");
    };
    run.public_key[40] ^= 1;
    assert_eq!(state(&evidence, CA), CheckState::Failed(Reason::ProofKeyForeign));
}

/// What EF.CardAccess comes to on a chip of many variants of PACE, changed like this and read.
fn card_access(change: impl FnOnce(&mut ChipImage)) -> CheckState {
    let description = shipped_card("cccd-pace-many").unwrap().description().unwrap();
    let mut image = made(&description, &Issuer::new().unwrap());
    change(&mut image);
    let can = AccessKey::Can(Can::new(description.can().unwrap()).unwrap());
    let evidence = read_with(image, &[can, mrz(&description)], ProofPlan::none());
    state(&evidence, CheckName::CardAccess)
}

fn shown(image: &mut ChipImage) -> &mut Vec<u8> {
    &mut image.master_file.get_mut(&FileId::CardAccess.fid()).unwrap().content
}

#[test]
fn a_variant_taken_out_of_card_access_or_put_into_it_is_seen() {
    use cccd_card::tlv::{Tag, TlvReader, encode};
    let members = |list: &[u8]| {
        let mut outer = TlvReader::new(list);
        let mut inner = TlvReader::new(outer.expect(Tag(0x31)).unwrap());
        let mut found = Vec::new();
        while let Some(object) = inner.next_object().unwrap() {
            found.push(object.whole.to_vec());
        }
        found
    };
    assert_eq!(card_access(|_| {}), CheckState::Passed);
    // One PACEInfo less: the version 2 and a parameter make it 0x14 bytes long.
    let less = card_access(|image| {
        let mut infos = members(shown(image));
        let at = infos.iter().position(|info| info.len() == 0x14).unwrap();
        infos.remove(at);
        *shown(image) = encode(Tag(0x31), &infos.concat());
    });
    assert_eq!(less, CheckState::Failed(Reason::CardAccessIncomplete));
    // PACE with the integrated mapping, which the chip has not signed for.
    let more = card_access(|image| {
        let mut infos = members(shown(image));
        infos.push(hex::decode("3012060A04007F0007020204040102010202010C").unwrap());
        *shown(image) = encode(Tag(0x31), &infos.concat());
    });
    assert_eq!(more, CheckState::Failed(Reason::CardAccessDiffers));
    // Something about neither access nor proofs may stand in the open alone.
    let other = card_access(|image| {
        let mut infos = members(shown(image));
        infos.push(hex::decode("300706022A03020101").unwrap());
        *shown(image) = encode(Tag(0x31), &infos.concat());
    });
    assert_eq!(other, CheckState::Passed);
}

#[test]
fn bac_on_a_chip_whose_signed_options_have_pace_is_a_downgrade() {
    let hidden = |image: &mut ChipImage| {
        image.master_file.remove(&FileId::CardAccess.fid());
        image.access.pace.clear();
        image.access.bac = true;
    };
    assert_eq!(card_access(hidden), CheckState::Failed(Reason::AccessDowngraded));
    // Offered, and refused when it came to it.
    let refused = |image: &mut ChipImage| {
        image.access.pace.clear();
        image.access.bac = true;
    };
    assert_eq!(card_access(refused), CheckState::Failed(Reason::AccessDowngraded));
}

#[test]
fn what_cannot_be_read_as_card_access_fails() {
    let description = card();
    let mut evidence = evidence();
    assert_eq!(evidence.access.password, PasswordKind::Mrz, "{}", description.mrz_lines().len());
    evidence.access.card_access = Some(Zeroizing::new(vec![0x31, 0x05, 0x30]));
    let told = state(&evidence, CheckName::CardAccess);
    assert_eq!(told, CheckState::Failed(Reason::CardAccessMalformed));
}
