//! Passive authentication of simulated cards: good ones in every form, lives of authorities, and lies.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of these tests fail a test by panicking, like the tests themselves"
)]

use std::collections::BTreeMap;

use cccd_document::{AccessProtocol, AccessRun, ChipProofs, Evidence, FileId, FileOutcome, PasswordKind};
use cccd_firmware_sim::image::ChipImage;
use cccd_firmware_sim::lies::{AlteredGroup, Lie, ToldLie, honest};
use cccd_firmware_sim::personalise::{
    CardDescription, LdsVersion, SecurityObjectPlan, SodContentType, personalise_signed_by, shipped_card,
};
use cccd_firmware_sim::pki::{
    CmsEncoding, CmsForm, Csca, CscaPlan, DigestKind, DocumentSigner, DocumentSignerPlan,
    EmbeddedCertificates, Ending, Setting, SignedAttributes, SignerAlgorithm, SignerIdentifier, SignerKind,
    Story, TrustMaterial,
};
use cccd_trust::chain::{SelfSignature, verify_self_signed};
use cccd_trust::signed_data::verify_message;
use cccd_trust::{
    Certificate, CheckName, CheckState, Crl, GroupReason, Leniency, PassiveAuthentication, Policy, Reason,
    Role, TrustAnchors, is_marked_simulated, passive_authentication,
};
use proptest::prelude::*;
use time::OffsetDateTime;
use time::macros::{date, datetime};
use zeroize::Zeroizing;

const NOW: OffsetDateTime = datetime!(2026-11-20 12:00 UTC);
const LENIENT: Policy = Policy {
    expired_since: Leniency::Tolerate,
    revoked_since: Leniency::Tolerate,
    key_usage_unstated: Leniency::Tolerate,
    stale_revocation_list: Leniency::Tolerate,
};

fn card(name: &str) -> CardDescription {
    shipped_card(name).unwrap().description().unwrap()
}

/// What a full reading of a chip brings, without the chip.
fn evidence(image: &ChipImage) -> Evidence {
    let groups = (1..=16).map(|number| FileId::Dg(cccd_document::DataGroupNumber::new(number).unwrap()));
    let files: BTreeMap<FileId, FileOutcome> = groups
        .chain([FileId::EfSod, FileId::EfCom])
        .filter_map(|file| Some((file, image.emrtd.get(&file.fid())?.content.clone())))
        .map(|(file, content)| (file, FileOutcome::Read(Zeroizing::new(content))))
        .collect();
    let access = AccessRun {
        protocol: AccessProtocol::Bac,
        password: PasswordKind::Mrz,
        downgrade: None,
        card_access: None,
    };
    Evidence { access, files, proofs: ChipProofs::default() }
}

fn known(trust: &TrustMaterial) -> (TrustAnchors, Vec<Crl>) {
    let mut anchors = TrustAnchors::new();
    for (list, role) in [(&trust.anchors, Role::Anchor), (&trust.certificates, Role::Helper)] {
        for der in list {
            anchors.insert(Certificate::parse(der).unwrap(), role);
        }
    }
    (anchors, trust.crls.iter().map(|der| Crl::parse(der).unwrap()).collect())
}

fn judged(image: &ChipImage, trust: &TrustMaterial, policy: &Policy) -> PassiveAuthentication {
    let (anchors, crls) = known(trust);
    let outcome = passive_authentication(&evidence(image), &anchors, &crls, NOW, policy);
    let names: Vec<CheckName> = outcome.checks.iter().map(|check| check.name).collect();
    assert_eq!(names, NAMES, "one check of each kind, in order");
    outcome
}

const NAMES: [CheckName; 8] = [
    CheckName::SecurityObject,
    CheckName::GroupHashes,
    CheckName::Signature,
    CheckName::SignerCertificate,
    CheckName::Chain,
    CheckName::Validity,
    CheckName::Revocation,
    CheckName::IssuingState,
];

/// Every check that did not pass.
fn not_passed(outcome: &PassiveAuthentication) -> Vec<(CheckName, CheckState)> {
    let open = outcome.checks.iter().filter(|check| check.state != CheckState::Passed);
    open.map(|check| (check.name, check.state)).collect()
}

fn tolerated(outcome: &PassiveAuthentication) -> Vec<(CheckName, Reason)> {
    let all = outcome.checks.iter();
    all.flat_map(|check| check.tolerated.iter().map(|reason| (check.name, *reason))).collect()
}

const NO_LIST: (CheckName, CheckState) =
    (CheckName::Revocation, CheckState::NotPossible(Reason::NoRevocationList));

/// A card signed by this signer in this form, and the anchor for it.
fn signed_as(plan: SecurityObjectPlan) -> (ChipImage, TrustMaterial, DocumentSigner) {
    let card = card("cccd-2021").with_security_object(plan);
    let country = card.issuing_state().country();
    let csca = Csca::new(CscaPlan::usual(country)).unwrap();
    let signer = csca.document_signer(DocumentSignerPlan::usual(country, plan.signer)).unwrap();
    let image = personalise_signed_by(&card, &signer).unwrap();
    let anchors = vec![csca.certificate().der().to_vec()];
    (image, TrustMaterial { anchors, ..TrustMaterial::default() }, signer)
}

fn usual() -> SecurityObjectPlan {
    SecurityObjectPlan::usual(DigestKind::Sha256, SignerKind::ECDSA_P256)
}

#[test]
fn honest_cards_pass_and_only_the_revocation_list_is_missing() {
    for name in ["cccd-2021", "passport-td3"] {
        let ToldLie { image, trust, .. } = honest(&card(name)).unwrap();
        let outcome = judged(&image, &trust, &Policy::default());
        assert_eq!(not_passed(&outcome), [NO_LIST], "{name}");
        assert_eq!(tolerated(&outcome), [], "{name}");
        assert!(outcome.signed_at.is_some());
        let anchor = Certificate::parse(&trust.anchors[0]).unwrap();
        assert_eq!(outcome.anchor.as_deref(), Some(&anchor));
        assert_eq!(outcome.signer.unwrap().issuer(), anchor.subject());
    }
}

#[test]
fn without_an_anchor_the_signature_is_good_and_the_chain_unknown() {
    let ToldLie { image, .. } = honest(&card("cccd-2021")).unwrap();
    let outcome = judged(&image, &TrustMaterial::default(), &Policy::default());
    let unknown = CheckState::NotPossible(Reason::UnknownAnchor);
    let expected = [CheckName::Chain, CheckName::Validity, CheckName::Revocation, CheckName::IssuingState];
    assert_eq!(not_passed(&outcome), expected.map(|name| (name, unknown)));
    assert!(outcome.signer.is_some() && outcome.anchor.is_none());
}

#[test]
fn every_digest_with_every_signer_passes() {
    for (digest, signer) in SignerKind::combinations() {
        let (image, trust, _) = signed_as(SecurityObjectPlan::usual(digest, signer));
        let outcome = judged(&image, &trust, &Policy::default());
        assert_eq!(not_passed(&outcome), [NO_LIST], "{digest} {signer}");
    }
}

#[test]
fn hashes_of_groups_may_be_made_with_another_function_than_the_signature() {
    for lds in DigestKind::ALL {
        let plan = SecurityObjectPlan { lds_digest: Some(lds), version: LdsVersion::V1, ..usual() };
        let (image, trust, _) = signed_as(plan);
        let outcome = judged(&image, &trust, &Policy::default());
        assert_eq!(not_passed(&outcome), [NO_LIST], "{lds}");
        let weak = (lds == DigestKind::Sha1).then_some((CheckName::GroupHashes, Reason::HashWeak));
        assert_eq!(tolerated(&outcome), Vec::from_iter(weak), "{lds}");
    }
}

#[test]
fn odd_forms_pass_and_are_named() {
    let form = CmsForm::default();
    let cases: Vec<(SecurityObjectPlan, Vec<(CheckName, Reason)>)> = vec![
        (SecurityObjectPlan { padding: 40, ..usual() }, vec![]),
        (
            SecurityObjectPlan { content_type: SodContentType::Data, ..usual() },
            vec![(CheckName::SecurityObject, Reason::ContentTypeData)],
        ),
        (
            SecurityObjectPlan { content_type: SodContentType::EarlyIcao, ..usual() },
            vec![(CheckName::SecurityObject, Reason::ContentTypeOld)],
        ),
        (
            SecurityObjectPlan { content_type: SodContentType::Sdu, ..usual() },
            vec![(CheckName::SecurityObject, Reason::ContentTypeOld)],
        ),
        (with_form(CmsForm { encoding: CmsEncoding::Indefinite, ..form }), vec![]),
        (with_form(CmsForm { encoding: CmsEncoding::Chunked, ..form }), vec![]),
        (with_form(CmsForm { signer_identifier: SignerIdentifier::SubjectKeyIdentifier, ..form }), vec![]),
        (
            with_form(CmsForm { signer_identifier: SignerIdentifier::NoOne, ..form }),
            vec![(CheckName::Signature, Reason::SignerIdentifierUnmatched)],
        ),
        (with_form(CmsForm { certificates: EmbeddedCertificates::Several, ..form }), vec![]),
        (
            with_form(CmsForm { attributes: SignedAttributes::NoSigningTime, ..form }),
            vec![(CheckName::Validity, Reason::SigningTimeAbsent)],
        ),
        (
            with_form(CmsForm { attributes: SignedAttributes::None, ..form }),
            vec![
                (CheckName::Signature, Reason::SignedAttributesAbsent),
                (CheckName::Validity, Reason::SigningTimeAbsent),
            ],
        ),
        (with_form(CmsForm { algorithm: SignerAlgorithm::KeyOnly, ..form }), vec![]),
        (
            with_form(CmsForm { algorithm: SignerAlgorithm::OtherDigest(DigestKind::Sha512), ..form }),
            vec![(CheckName::Signature, Reason::DigestAlgorithmsDiffer)],
        ),
    ];
    for (plan, expected) in cases {
        let (image, trust, _) = signed_as(plan);
        let outcome = judged(&image, &trust, &Policy::default());
        assert_eq!(not_passed(&outcome), [NO_LIST], "{plan:?}");
        assert_eq!(tolerated(&outcome), expected, "{plan:?}");
    }
}

fn with_form(form: CmsForm) -> SecurityObjectPlan {
    SecurityObjectPlan { form, ..usual() }
}

#[test]
fn a_signer_that_is_not_in_the_document_is_found_among_the_known() {
    for signer_identifier in [SignerIdentifier::IssuerAndSerial, SignerIdentifier::SubjectKeyIdentifier] {
        let form =
            CmsForm { certificates: EmbeddedCertificates::None, signer_identifier, ..CmsForm::default() };
        let (image, mut trust, signer) = signed_as(with_form(form));
        let absent = (CheckName::Signature, CheckState::NotPossible(Reason::SignerCertificateAbsent));
        assert!(not_passed(&judged(&image, &trust, &Policy::default())).contains(&absent));
        trust.certificates.push(signer.certificate().der().to_vec());
        assert_eq!(not_passed(&judged(&image, &trust, &Policy::default())), [NO_LIST]);
    }
}

/// The one check that does not pass.
type Open = Option<(CheckName, CheckState)>;

/// What must come of a story under the strict policy and under the lenient one.
fn expected(story: Story) -> (Open, Open) {
    use CheckState::{Failed, NotPossible};
    let both = |name, reason| (Some((name, Failed(reason))), Some((name, Failed(reason))));
    let strict = |name, state| (Some((name, state)), None);
    let validity = |reason| both(CheckName::Validity, reason);
    match story {
        Story::EmptyCrl => (None, None),
        Story::Usual
        | Story::Linked
        | Story::LinkedTwice
        | Story::SameNameOtherKeys
        | Story::StrangersCrl => (Some(NO_LIST), Some(NO_LIST)),
        Story::SignerExpiredSince => strict(CheckName::Validity, NotPossible(Reason::SignerExpired)),
        Story::CscaExpiredSince => strict(CheckName::Validity, NotPossible(Reason::AuthorityExpired)),
        Story::StaleCrl => strict(CheckName::Revocation, NotPossible(Reason::RevocationListStale)),
        Story::SignerRevokedSince => strict(CheckName::Revocation, Failed(Reason::SignerRevoked)),
        Story::SignerUsageUnsaid => strict(CheckName::SignerCertificate, Failed(Reason::KeyUsageUnstated)),
        Story::SignerExpired | Story::SignerNotYetValid => validity(Reason::SignerNotValidWhenSigned),
        Story::CscaExpired => validity(Reason::AuthorityNotValidWhenSigned),
        Story::KeyUsagePeriodOver => validity(Reason::SignerKeyPeriodOver),
        Story::SignerUsageWrong => both(CheckName::SignerCertificate, Reason::SignerMayNotSign),
        Story::SignerIsAuthority => both(CheckName::SignerCertificate, Reason::SignerIsAuthority),
        Story::SignerOfAnotherState => both(CheckName::IssuingState, Reason::SignerCountryDiffers),
        Story::CscaOfAnotherState => both(CheckName::IssuingState, Reason::IssuingStateDiffers),
        Story::PathTooLong => both(CheckName::Chain, Reason::PathTooLong),
        Story::SignerRevoked => both(CheckName::Revocation, Reason::SignerRevoked),
        Story::LinkRevoked => both(CheckName::Revocation, Reason::AuthorityRevoked),
        Story::UnknownCriticalExtension => {
            both(CheckName::SignerCertificate, Reason::UnknownCriticalExtension)
        }
    }
}

#[test]
fn every_story_ends_as_the_rules_say_and_for_its_own_reason() {
    let card = card("cccd-2021");
    for story in Story::ALL {
        let setting = Setting {
            country: card.issuing_state().country(),
            signer: SignerKind::ECDSA_P256,
            signed_on: date!(2022 - 03 - 15),
        };
        let told = story.tell(setting).unwrap();
        let image = personalise_signed_by(&card, &told.signer).unwrap();
        let (strict, lenient) = expected(story);
        for (policy, expected) in [(Policy::default(), strict), (LENIENT, lenient)] {
            let outcome = judged(&image, &told.trust, &policy);
            let mut open = not_passed(&outcome);
            // A story about something else has no list either.
            open.retain(|other| *other != NO_LIST || expected == Some(NO_LIST));
            assert_eq!(open, Vec::from_iter(expected), "{story:?} {policy:?}");
            let is_told = tolerated(&outcome).iter().any(|(_, reason)| {
                strict.is_some_and(|(_, state)| {
                    state == CheckState::Failed(*reason) || state == CheckState::NotPossible(*reason)
                })
            });
            let is_tolerated = strict != lenient && policy == LENIENT;
            assert_eq!(is_told, is_tolerated, "{story:?}: what is tolerated is named");
            if story.ending() == Ending::NotGenuine {
                assert!(matches!(open[0].1, CheckState::Failed(_)), "{story:?}");
            }
        }
    }
}

#[test]
fn every_lie_is_caught_and_for_its_own_reason() {
    for name in ["cccd-2021", "passport-td3"] {
        let card = card(name);
        for lie in Lie::all().into_iter().filter(|lie| lie.suits(&card)) {
            let told = lie.tell(&card).unwrap();
            let hashes =
                |reason, file| (CheckName::GroupHashes, CheckState::Failed(Reason::Group(reason, file)));
            let group = |number| FileId::Dg(cccd_document::DataGroupNumber::new(number).unwrap());
            let unknown = (CheckName::Chain, CheckState::NotPossible(Reason::UnknownAnchor));
            let caught = match lie {
                Lie::GroupAltered(AlteredGroup::Mrz) | Lie::SecurityObjectOfAnotherCard => {
                    hashes(GroupReason::HashMismatch, FileId::DG1)
                }
                Lie::GroupAltered(altered) => hashes(GroupReason::HashMismatch, group(altered.number())),
                Lie::GroupAdded => hashes(GroupReason::NotSigned, FileId::DG11),
                Lie::SignedWithAnotherKey => {
                    (CheckName::Signature, CheckState::Failed(Reason::SignatureMismatch))
                }
                Lie::SignedByStranger | Lie::SignedByNobody => unknown,
                Lie::SignedByImpostor => (CheckName::Chain, CheckState::Failed(Reason::CertificateForged)),
                Lie::Signer(story) => expected(story).0.unwrap(),
                Lie::SignatureForged(_) => {
                    (CheckName::Signature, CheckState::Failed(Reason::SignatureMismatch))
                }
                // Lies of the chip itself are for the chip's own proofs.
                Lie::Chip(_) => continue,
                other => panic!("{other} has no row here"),
            };
            let outcome = judged(&told.image, &told.trust, &Policy::default());
            assert!(not_passed(&outcome).contains(&caught), "{name} {lie}: {:?}", not_passed(&outcome));
            let lenient = not_passed(&judged(&told.image, &told.trust, &LENIENT));
            assert!(lenient.contains(&caught), "{name} {lie} under the lenient policy: {lenient:?}");
        }
    }
}

#[test]
fn a_missing_or_broken_security_object_leaves_nothing_to_judge() {
    let ToldLie { image, trust, .. } = honest(&card("cccd-2021")).unwrap();
    let (anchors, crls) = known(&trust);
    let state = |outcome: Option<FileOutcome>| {
        let mut evidence = evidence(&image);
        evidence.files.remove(&FileId::EfSod);
        evidence.files.extend(outcome.map(|outcome| (FileId::EfSod, outcome)));
        let judged = passive_authentication(&evidence, &anchors, &crls, NOW, &LENIENT);
        assert!(judged.checks.iter().all(|check| check.state != CheckState::Passed));
        judged.checks[0].state
    };
    let status = cccd_card::StatusWord(0x6A82);
    assert_eq!(state(None), CheckState::NotPossible(Reason::SecurityObjectAbsent));
    assert_eq!(state(Some(FileOutcome::Absent(status))), CheckState::Failed(Reason::SecurityObjectAbsent));
    let cut = Zeroizing::new(image.emrtd[&0x011D].content[..300].to_vec());
    assert_eq!(state(Some(FileOutcome::Read(cut))), CheckState::Failed(Reason::SecurityObjectMalformed));
}

#[test]
fn no_changed_byte_in_the_signed_part_of_a_security_object_passes() {
    let ToldLie { image, trust, .. } = honest(&card("cccd-2021")).unwrap();
    let (anchors, crls) = known(&trust);
    let good = evidence(&image);
    let bytes = good.bytes(FileId::EfSod).unwrap().to_vec();
    let passed = |bytes: Vec<u8>| {
        let mut evidence = good.clone();
        evidence.files.insert(FileId::EfSod, FileOutcome::Read(Zeroizing::new(bytes)));
        let outcome = passive_authentication(&evidence, &anchors, &crls, NOW, &Policy::default());
        not_passed(&outcome) == [NO_LIST] && tolerated(&outcome).is_empty()
    };
    assert!(passed(bytes.clone()));
    let hole = Certificate::parse(&{
        let sod = cccd_document::EfSod::parse(&bytes).unwrap();
        sod.message.certificates[0].clone()
    })
    .unwrap();
    let window = |needle: &[u8]| {
        let at = bytes.windows(needle.len()).position(|window| window == needle).unwrap();
        at..at + needle.len()
    };
    let sod = cccd_document::EfSod::parse(&bytes).unwrap();
    let attributes = &sod.message.signers[0].signed_attributes.as_ref().unwrap().encoded[1..];
    let parts = [
        window(&sod.message.content),
        window(hole.to_be_signed()),
        window(attributes),
        window(&sod.message.signers[0].signature),
    ];
    for at in parts.into_iter().flatten().step_by(3) {
        let mut bad = bytes.clone();
        bad[at] ^= 0x04;
        assert!(!passed(bad), "byte {at}");
    }
}

#[test]
fn a_certificate_held_against_its_own_key_is_whole_or_a_link_or_damaged() {
    let country = card("cccd-2021").issuing_state().country();
    let csca = Csca::new(CscaPlan::usual(country)).unwrap();
    let (next, link) = csca.roll_over(CscaPlan::usual(country)).unwrap();
    let signer = next.document_signer(DocumentSignerPlan::usual(country, SignerKind::ECDSA_P256)).unwrap();
    let outcome = |der: &[u8]| verify_self_signed(&Certificate::parse(der).unwrap());
    assert_eq!(outcome(csca.certificate().der()), SelfSignature::Good(vec![]));
    assert_eq!(outcome(next.certificate().der()), SelfSignature::Good(vec![]));
    assert_eq!(outcome(link.der()), SelfSignature::SignedWithAnotherKey);
    assert_eq!(outcome(signer.certificate().der()), SelfSignature::IssuedByAnother);
    let mut damaged = csca.certificate().der().to_vec();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    assert_eq!(outcome(&damaged), SelfSignature::Bad);
}

#[test]
fn a_message_is_the_same_in_definite_and_indefinite_lengths_but_for_its_signature() {
    let message = |encoding| {
        let (image, ..) = signed_as(with_form(CmsForm { encoding, ..CmsForm::default() }));
        cccd_document::EfSod::parse(&image.emrtd[&0x011D].content).unwrap().message
    };
    for encoding in [CmsEncoding::Der, CmsEncoding::Indefinite, CmsEncoding::Chunked] {
        let mut message = message(encoding);
        assert_eq!((message.certificates.len(), message.signers.len()), (1, 1), "{encoding:?}");
        let known = TrustAnchors::new();
        assert!(verify_message(&message, &known).is_ok());
        message.content[12] ^= 1;
        let fault = verify_message(&message, &known).unwrap_err();
        assert_eq!(fault.reason(), Reason::MessageDigestMismatch, "{encoding:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn no_mutation_of_a_security_object_or_a_list_panics(
        flips in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<proptest::sample::Index>(),
        which in 0..4_usize,
    ) {
        static SEEDS: std::sync::OnceLock<Vec<Vec<u8>>> = std::sync::OnceLock::new();
        let seeds = SEEDS.get_or_init(|| {
            let sod = |encoding| {
                let (image, ..) = signed_as(with_form(CmsForm { encoding, ..CmsForm::default() }));
                image.emrtd[&0x011D].content.clone()
            };
            let country = card("cccd-2021").issuing_state().country();
            let csca = Csca::new(CscaPlan::usual(country)).unwrap();
            let plan = cccd_firmware_sim::pki::CrlPlan::empty().revoking(csca.certificate(), date!(2026 - 01 - 01));
            let forms = [CmsEncoding::Der, CmsEncoding::Indefinite, CmsEncoding::Chunked];
            let mut seeds: Vec<Vec<u8>> = forms.map(sod).into();
            seeds.push(csca.crl(&plan).unwrap());
            seeds
        });
        let mut bytes = seeds[which].clone();
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let cut = &bytes[..cut.index(bytes.len())];
        for bytes in [&bytes[..], cut] {
            let _ = Crl::parse(bytes);
            if let Ok(sod) = cccd_document::EfSod::parse(bytes) {
                let _ = verify_message(&sod.message, &TrustAnchors::new());
            }
        }
    }
}

#[test]
fn a_simulated_authoritys_card_says_so_and_another_extension_says_nothing() {
    let told = honest(&card("cccd-2021")).unwrap();
    let mut evidence = evidence(&told.image);
    assert!(is_marked_simulated(&evidence));
    // The identifier, and one beside it (ISO/IEC 8825-1, 8.19).
    let mark = [0x2B, 6, 1, 4, 1, 0x81, 0xFD, 0x59, 0xC8, 0x57, 1];
    let mut sod = evidence.bytes(FileId::EfSod).unwrap().to_vec();
    let places: Vec<usize> = (0..sod.len() - mark.len()).filter(|at| sod[*at..].starts_with(&mark)).collect();
    assert!(!places.is_empty());
    for at in places {
        sod[at + mark.len() - 1] = 2;
    }
    evidence.files.insert(FileId::EfSod, FileOutcome::Read(Zeroizing::new(sod)));
    assert!(!is_marked_simulated(&evidence));
    for nothing in [Vec::new(), vec![0x77, 0x82, 0xFF, 0xFF], vec![0xFF; 300]] {
        evidence.files.insert(FileId::EfSod, FileOutcome::Read(Zeroizing::new(nothing)));
        assert!(!is_marked_simulated(&evidence));
    }
    evidence.files.remove(&FileId::EfSod);
    assert!(!is_marked_simulated(&evidence));
}
