//! What is genuine and what is not: every kind of card, and every lie.

use cccd_document::AccessKey;
use cccd_emrtd::ReadPlan;
use cccd_firmware_sim::lies::{Lie, honest};
use cccd_firmware_sim::personalise::CardDescription;
use cccd_tests::judged::{Known, can, mrz, read};
use cccd_tests::matrix::{Authorities, some};
use cccd_tests::people;
use cccd_trust::{CheckName, CheckState, Reason, Summary};

fn key(card: &CardDescription) -> AccessKey {
    can(card).or_else(|_| mrz(card)).unwrap()
}

#[test]
fn every_shipped_card_is_genuine_under_its_anchor_and_unconfirmed_without() {
    for (name, card) in people::cards() {
        let told = honest(&card).unwrap();
        let evidence = read(told.image, &key(&card), ReadPlan::identity()).unwrap();
        let verdict = Known::of(&told.trust).unwrap().judge(&evidence).verdict;
        assert_eq!(verdict.summary(), Summary::Genuine, "{name}: {:?}", verdict.decisive());
        let verdict = Known::nothing().judge(&evidence).verdict;
        assert_eq!(verdict.summary(), Summary::Unconfirmed, "{name}");
        let chain = verdict.check(CheckName::Chain).unwrap();
        assert_eq!(chain.state, CheckState::NotPossible(Reason::UnknownAnchor), "{name}");
        assert_eq!(verdict.check(CheckName::Signature).unwrap().state, CheckState::Passed, "{name}");
    }
}

#[test]
fn one_in_twelve_of_every_row_of_the_matrix_is_genuine() {
    let authorities = Authorities::new().unwrap();
    let combinations = some(12);
    assert!(combinations.len() > 100);
    for one in &combinations {
        authorities.try_one(one).unwrap_or_else(|error| panic!("{:?}, {}: {error:#}", one.family, one.name));
    }
}

/// Each lie, the check that catches it, and the reason it gives.
const LIES: &[(&str, CheckName, &str)] = &[
    ("GroupAlteredMrz", CheckName::GroupHashes, "group-hash-mismatch"),
    ("GroupAlteredPortrait", CheckName::GroupHashes, "group-hash-mismatch"),
    ("GroupAlteredRecord", CheckName::GroupHashes, "group-hash-mismatch"),
    ("GroupAlteredSecurityInfos", CheckName::GroupHashes, "group-hash-mismatch"),
    ("GroupAlteredActiveAuthenticationKey", CheckName::GroupHashes, "group-hash-mismatch"),
    ("GroupAdded", CheckName::GroupHashes, "group-not-signed"),
    ("SecurityObjectOfAnotherCard", CheckName::GroupHashes, "group-hash-mismatch"),
    ("SignedWithAnotherKey", CheckName::Signature, "signature-mismatch"),
    // Whoever signs with keys of his own is a stranger, and nothing can be said against strangers but that.
    ("SignedByStranger", CheckName::Chain, "unknown-anchor"),
    ("SignedByNobody", CheckName::Chain, "unknown-anchor"),
    ("SignedByImpostor", CheckName::Chain, "certificate-forged"),
    ("SignatureForgedCubeRoot", CheckName::Signature, "signature-mismatch"),
    ("SignatureForgedZeros", CheckName::Signature, "signature-mismatch"),
    ("SignerExpired", CheckName::Validity, "signer-not-valid-when-signed"),
    ("SignerNotYetValid", CheckName::Validity, "signer-not-valid-when-signed"),
    ("CscaExpired", CheckName::Validity, "authority-not-valid-when-signed"),
    ("KeyUsagePeriodOver", CheckName::Validity, "signer-key-period-over"),
    ("SignerUsageWrong", CheckName::SignerCertificate, "signer-may-not-sign"),
    ("SignerIsAuthority", CheckName::SignerCertificate, "signer-is-authority"),
    ("SignerOfAnotherState", CheckName::IssuingState, "signer-country-differs"),
    ("CscaOfAnotherState", CheckName::IssuingState, "issuing-state-differs"),
    ("PathTooLong", CheckName::Chain, "path-too-long"),
    ("SignerRevoked", CheckName::Revocation, "signer-revoked"),
    ("LinkRevoked", CheckName::Revocation, "authority-revoked"),
    ("UnknownCriticalExtension", CheckName::SignerCertificate, "unknown-critical-extension"),
    ("OtherActiveKey", CheckName::ActiveAuthentication, "proof-wrong"),
    ("NoActiveKey", CheckName::ActiveAuthentication, "proof-refused"),
    ("OtherAgreementKey", CheckName::ChipAuthentication, "proof-broken"),
    ("NoAgreementKey", CheckName::ChipAuthentication, "proof-refused"),
    ("MuteAfterChipAuthentication", CheckName::ChipAuthentication, "proof-broken"),
    ("OtherMappingKey", CheckName::ChipAuthenticationMapping, "proof-wrong"),
    ("VariantAdded", CheckName::CardAccess, "card-access-differs"),
    ("PaceHidden", CheckName::CardAccess, "access-downgraded"),
];

#[test]
fn every_lie_is_caught_and_the_reason_names_it() {
    let cards = people::cards();
    let mut told_lies = 0;
    for lie in Lie::all() {
        let name = lie.to_string();
        let &(_, check, reason) =
            LIES.iter().find(|(known, ..)| *known == name).unwrap_or_else(|| panic!("{name} has no row"));
        for (card_name, card) in cards.iter().filter(|(_, card)| lie.suits(card)).take(2) {
            told_lies += 1;
            let told = lie.tell(card).unwrap();
            // Without PACE the card access number opens nothing.
            let key = if name == "PaceHidden" { mrz(card).unwrap() } else { key(card) };
            let evidence = read(told.image, &key, ReadPlan::identity()).unwrap();
            let verdict = Known::of(&told.trust).unwrap().judge(&evidence).verdict;
            let label = format!("{name} told by {card_name}: {:?}", verdict.checks());
            assert_ne!(verdict.summary(), Summary::Genuine, "{label}");
            assert_eq!((verdict.decisive().unwrap().name, verdict.code()), (check, reason), "{label}");
            let stranger = reason == "unknown-anchor";
            assert_eq!(verdict.summary() == Summary::Unconfirmed, stranger, "{label}");
        }
    }
    assert!(told_lies >= LIES.len(), "{told_lies} of {} were told", LIES.len());
    assert_eq!(Lie::all().len(), LIES.len());
}
