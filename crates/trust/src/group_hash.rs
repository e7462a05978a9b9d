//! Each data group against the hash EF.SOD lists for it (ICAO 9303-11, 5.1).

use std::collections::BTreeMap;

use cccd_document::lds::EfSod;
use cccd_document::{Evidence, FileId, FileOutcome};
use subtle::ConstantTimeEq;

use crate::hash::HashAlgorithm;

/// What the comparison says of one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupHash {
    /// Which group.
    pub file: FileId,
    /// What came out.
    pub state: HashState,
    /// The hash function, where it is one we know.
    pub algorithm: Option<HashAlgorithm>,
}

/// What came out for one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashState {
    /// Its bytes have the listed hash.
    Match,
    /// Its bytes have another hash: they are not what was signed.
    Mismatch,
    /// It is listed and was not read: not wanted, locked, or not to be had.
    NotRead,
    /// It was read and nobody signed for it.
    NotListed,
    /// It was read and the hash function is unknown to us.
    UnknownAlgorithm,
    /// It was read, and there is no readable EF.SOD.
    NoSecurityObject,
}

/// Compares every group that was read or is listed, in the order of their numbers.
///
/// The hash is taken over the bytes as the chip gave them: a group that is decoded and encoded again may
/// differ in nothing but the order of a SET, and that is enough (card quirk 49).
pub fn compare_hashes(evidence: &Evidence) -> Vec<GroupHash> {
    compare_hashes_of(&evidence.files)
}

/// The same for files of a reading that is not over.
pub fn compare_hashes_of(files: &BTreeMap<FileId, FileOutcome>) -> Vec<GroupHash> {
    let bytes_of = |file: FileId| match files.get(&file) {
        Some(FileOutcome::Read(bytes)) => Some(bytes.as_slice()),
        _ => None,
    };
    let sod = bytes_of(FileId::EfSod).and_then(|bytes| EfSod::parse(bytes).ok());
    let listed = sod.as_ref().map(|sod| &sod.security_object.hashes);
    let algorithm =
        sod.as_ref().and_then(|sod| HashAlgorithm::of_oid(&sod.security_object.digest_algorithm.oid));

    let read = files.keys().copied().filter(|file| bytes_of(*file).is_some());
    let mut groups: Vec<FileId> = read.filter(|file| matches!(file, FileId::Dg(_))).collect();
    groups.extend(listed.into_iter().flatten().map(|(number, _)| FileId::Dg(*number)));
    groups.sort_unstable();
    groups.dedup();

    let state_of = |file: FileId| {
        let (Some(listed), FileId::Dg(number)) = (listed, file) else { return HashState::NoSecurityObject };
        match (listed.get(&number), bytes_of(file), algorithm) {
            (_, None, _) => HashState::NotRead,
            (None, Some(_), _) => HashState::NotListed,
            (Some(_), Some(_), None) => HashState::UnknownAlgorithm,
            (Some(expected), Some(bytes), Some(algorithm)) => {
                if algorithm.hash(bytes).ct_eq(expected).into() {
                    HashState::Match
                } else {
                    HashState::Mismatch
                }
            }
        }
    };
    groups.into_iter().map(|file| GroupHash { file, state: state_of(file), algorithm }).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use cccd_document::{AccessProtocol, AccessRun, ChipProofs, FileOutcome, PasswordKind};
    use cccd_firmware_sim::personalise::{Issuer, personalise, shipped_card};
    use zeroize::Zeroizing;

    use super::*;

    /// What a reading of a shipped card brings, without the card.
    fn evidence(card: &str, files: &[FileId]) -> Evidence {
        let card = shipped_card(card).unwrap().description().unwrap();
        let image = personalise(&card, &Issuer::new().unwrap()).unwrap();
        let files: BTreeMap<FileId, FileOutcome> = files
            .iter()
            .filter_map(|file| Some((*file, image.emrtd.get(&file.fid())?.content.clone())))
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

    const SOME: [FileId; 3] = [FileId::EfSod, FileId::DG1, FileId::DG13];

    fn states(evidence: &Evidence) -> BTreeMap<FileId, HashState> {
        compare_hashes(evidence).into_iter().map(|group| (group.file, group.state)).collect()
    }

    #[test]
    fn what_was_personalised_matches_and_what_was_not_read_says_so() {
        let states = states(&evidence("cccd-2021", &SOME));
        assert_eq!(states[&FileId::DG1], HashState::Match);
        assert_eq!(states[&FileId::DG13], HashState::Match);
        assert_eq!(states[&FileId::DG2], HashState::NotRead);
        assert!(!states.contains_key(&FileId::DG11));
    }

    #[test]
    fn one_changed_bit_anywhere_in_a_group_is_a_mismatch() {
        let good = evidence("cccd-2021", &SOME);
        let length = good.bytes(FileId::DG13).unwrap().len();
        for at in 0..length {
            let mut bad = good.clone();
            let Some(FileOutcome::Read(bytes)) = bad.files.get_mut(&FileId::DG13) else { unreachable!() };
            bytes[at] ^= 0x10;
            assert_eq!(states(&bad)[&FileId::DG13], HashState::Mismatch, "byte {at}");
            assert_eq!(states(&bad)[&FileId::DG1], HashState::Match);
        }
    }

    #[test]
    fn a_group_nobody_signed_for_and_a_missing_security_object_say_so() {
        let mut extra = evidence("cccd-2021", &SOME);
        extra.files.insert(FileId::DG11, FileOutcome::Read(Zeroizing::new(vec![0x6B, 0x00])));
        assert_eq!(states(&extra)[&FileId::DG11], HashState::NotListed);

        let bare = evidence("cccd-2021", &[FileId::DG1]);
        assert_eq!(states(&bare)[&FileId::DG1], HashState::NoSecurityObject);
    }
}
