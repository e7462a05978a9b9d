//! A reading on a reader that converses with chips by itself: what it hands out becomes evidence, and is judged like any
//! other.
//!
//! What the reader says is nobody's proof. The files count as far as they are signed; of the proofs of the chip only the
//! one whose challenge is drawn here can be had through such a reader; and how the chip was opened nobody has seen. So that
//! a reading made for one person never hands out another's card, the caller must show a key that is this card's.

use std::collections::BTreeMap;

use cccd_card::tlv::TlvReader;
use cccd_card::{CardFiles, FilesGiven, SecretBytes};
use cccd_document::evidence::challenge_from_nonce;
use cccd_document::own_keys::own_keys;
use cccd_document::{
    AccessKey, AccessProtocol, AccessRun, ActiveAuthenticationRun, Biometric, ChipProofs, DataGroup1,
    DataGroup13, DataGroupNumber, EfSod, Evidence, FileId, FileOutcome, PasswordKind, ProofOutcome,
    TerminalAuthentication,
};

use crate::ReadFailure;
use crate::owner::Job;

/// What came of it, and how much the reader gave.
pub(crate) struct HandedOut {
    pub(crate) evidence: Evidence,
    pub(crate) bytes: u64,
}

/// Takes the files of the card, as far as the job wants them. `given` is told once they are here.
pub(crate) fn take(
    card: &mut dyn CardFiles,
    job: &Job,
    mut given: impl FnMut(&BTreeMap<FileId, FileOutcome>),
) -> Result<HandedOut, ReadFailure> {
    let go_on = || !job.call_off.is_raised();
    let files = card.take(&go_on).map_err(|error| ReadFailure::from(&error))?;
    let bytes = files.values().map(|file| u64::try_from(file.len()).unwrap_or(u64::MAX)).sum();
    let password = shown_key(&job.access.keys, &files)?;
    let files = wanted_of(files, job);
    given(&files);
    let proofs = proofs(card, job, &files)?;
    if job.call_off.is_raised() {
        return Err(ReadFailure::Cancelled);
    }
    let access =
        AccessRun { protocol: AccessProtocol::ByReader, password, downgrade: None, card_access: None };
    Ok(HandedOut { evidence: Evidence { access, files, proofs }, bytes })
}

/// Which kind of key the caller showed, that is this card's.
fn shown_key(shown: &[AccessKey], files: &FilesGiven) -> Result<PasswordKind, ReadFailure> {
    let dg1 = whole(files, FileId::DG1).and_then(|bytes| DataGroup1::parse(&bytes).ok());
    let dg13 = whole(files, FileId::DG13).and_then(|bytes| DataGroup13::parse(&bytes).ok());
    if dg1.is_none() && dg13.as_ref().and_then(DataGroup13::vietnamese).is_none() {
        return Err(ReadFailure::DocumentUnreadable);
    }
    let own = own_keys(dg1.as_ref(), dg13.as_ref());
    let fits = shown.iter().find(|key| own.contains(key));
    fits.map(AccessKey::kind).ok_or(ReadFailure::AccessKeyWrong { tries_left: None })
}

/// The files of the plan that were given, and each group of it that EF.SOD lists and that was not. The others are
/// nobody's business and are wiped here.
fn wanted_of(given: FilesGiven, job: &Job) -> BTreeMap<FileId, FileOutcome> {
    let plan = crate::conversation::plan(job);
    let listed = whole(&given, FileId::EfSod).and_then(|bytes| EfSod::parse(&bytes).ok());
    let is_listed = |file: FileId| match (file, &listed) {
        (FileId::EfSod, _) => true,
        (FileId::Dg(number), Some(sod)) => sod.security_object.hashes.contains_key(&number),
        _ => false,
    };
    let mut files = BTreeMap::new();
    for file in plan.files().iter().copied().filter(|file| file.in_application()) {
        let outcome = match given.contains_key(&file.fid()) {
            true => whole(&given, file).map_or(FileOutcome::Malformed, FileOutcome::Read),
            false if is_listed(file) => FileOutcome::NotGiven,
            false => continue,
        };
        files.insert(file, outcome);
    }
    files
}

/// The file, cut at the end of its outermost object, if it is one and of the right kind.
fn whole(given: &FilesGiven, file: FileId) -> Option<SecretBytes> {
    let bytes = given.get(&file.fid())?;
    let object = TlvReader::ber(bytes).next_object().ok().flatten()?;
    (file.tag() == Some(object.tag)).then(|| SecretBytes::new(object.whole.to_vec()))
}

/// Active authentication is asked for where its key was given: the challenge is ours, and so is the judgement.
fn proofs(
    card: &mut dyn CardFiles,
    job: &Job,
    files: &BTreeMap<FileId, FileOutcome>,
) -> Result<ChipProofs, ReadFailure> {
    let mut active_authentication = ProofOutcome::NotCarried;
    if matches!(files.get(&FileId::DG15), Some(FileOutcome::Read(_))) {
        let challenge = match &job.nonce {
            Some(nonce) => challenge_from_nonce(nonce),
            None => {
                let mut drawn = [0; 8];
                getrandom::fill(&mut drawn).map_err(|_| ReadFailure::AgentFault)?;
                drawn
            }
        };
        if let Some(response) = card.sign(challenge, &|| !job.call_off.is_raised()) {
            active_authentication = ProofOutcome::Done(ActiveAuthenticationRun {
                challenge,
                nonce: job.nonce.clone(),
                response: response.to_vec(),
            });
        }
    }
    let terminal_authentication = match job.biometrics.is_empty() {
        true => TerminalAuthentication::NotAsked,
        false => TerminalAuthentication::NotCarried,
    };
    Ok(ChipProofs {
        active_authentication,
        chip_authentication: ProofOutcome::NotCarried,
        chip_authentication_mapping: ProofOutcome::NotCarried,
        terminal_authentication,
    })
}

/// The groups that the reader did not hand out, of those that were wanted: for the log.
pub(crate) fn not_given(files: &BTreeMap<FileId, FileOutcome>) -> Vec<u8> {
    let missing = files.iter().filter(|(file, outcome)| {
        matches!(outcome, FileOutcome::NotGiven) && Biometric::in_file(**file).is_none()
    });
    let number = |file: &FileId| match file {
        FileId::Dg(number) => DataGroupNumber::get(*number),
        _ => 0,
    };
    missing.map(|(file, _)| number(file)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use cccd_card::{Behind, TransportError};
    use cccd_document::{Biometrics, Can, FieldSet};
    use cccd_firmware_sim::personalise::{Issuer, personalise, shipped_card};

    use super::*;
    use crate::owner::CallOff;
    use crate::{ReadId, every_group};

    /// A reader that gives what it is told to, and signs what it is told to.
    struct Given {
        files: FilesGiven,
        signatures: VecDeque<SecretBytes>,
        asked: Vec<[u8; 8]>,
    }

    impl CardFiles for Given {
        fn take(&mut self, go_on: &dyn Fn() -> bool) -> Result<FilesGiven, TransportError> {
            if go_on() { Ok(std::mem::take(&mut self.files)) } else { Err(TransportError::Cancelled) }
        }

        fn sign(&mut self, challenge: [u8; 8], _: &dyn Fn() -> bool) -> Option<SecretBytes> {
            self.asked.push(challenge);
            self.signatures.pop_front()
        }
    }

    fn card(groups: &[FileId]) -> Given {
        let card = shipped_card("cccd-2021").unwrap().description().unwrap();
        let image = personalise(&card, &Issuer::new().unwrap()).unwrap();
        let file = |file: &FileId| (file.fid(), SecretBytes::new(image.emrtd[&file.fid()].content.clone()));
        Given { files: groups.iter().map(file).collect(), signatures: VecDeque::new(), asked: Vec::new() }
    }

    fn job(can: &str) -> Job {
        Job {
            read: ReadId::draw().unwrap(),
            access: AccessKey::Can(Can::new(can).unwrap()).into(),
            nonce: None,
            groups: every_group(),
            fields: FieldSet::ALL,
            expect: None,
            biometrics: Biometrics::NONE,
            behind: Behind::Device,
            call_off: CallOff::default(),
            kept: BTreeMap::new(),
            under: None,
        }
    }

    const ALL: [FileId; 6] =
        [FileId::EfSod, FileId::DG1, FileId::DG2, FileId::DG13, FileId::DG14, FileId::DG15];

    #[test]
    fn what_is_given_is_evidence_and_what_is_not_is_named() {
        let mut whole = card(&ALL);
        let out = take(&mut whole, &job("123456"), |_| {}).unwrap();
        assert!(ALL.iter().all(|file| out.evidence.bytes(*file).is_some()));
        assert_eq!(out.evidence.access.protocol, AccessProtocol::ByReader);
        assert_eq!(out.evidence.proofs.active_authentication, ProofOutcome::NotCarried);
        assert_eq!(whole.asked.len(), 1);

        let out = take(&mut card(&[FileId::EfSod, FileId::DG13]), &job("123456"), |_| {}).unwrap();
        assert_eq!(out.evidence.files.get(&FileId::DG2), Some(&FileOutcome::NotGiven));
        assert_eq!(out.evidence.files.get(&FileId::DG11), None, "the card has none");
        assert_eq!(not_given(&out.evidence.files), [1, 2, 14, 15]);
    }

    #[test]
    fn what_is_not_wanted_is_not_kept() {
        let job = Job { groups: [FileId::DG1].into(), ..job("123456") };
        let out = take(&mut card(&ALL), &job, |_| {}).unwrap();
        let kept: Vec<FileId> = out.evidence.files.into_keys().collect();
        assert_eq!(kept, [FileId::EfSod, FileId::DG1, FileId::DG14, FileId::DG15]);
    }

    #[test]
    fn whoever_shows_another_cards_key_gets_nothing() {
        let wrong = take(&mut card(&ALL), &job("123457"), |_| panic!("told")).map(|_| ());
        assert_eq!(wrong, Err(ReadFailure::AccessKeyWrong { tries_left: None }));
        let nobody = take(&mut card(&[FileId::EfSod]), &job("123456"), |_| {}).map(|_| ());
        assert_eq!(nobody, Err(ReadFailure::DocumentUnreadable));
    }

    #[test]
    fn a_file_that_is_none_is_malformed() {
        let mut given = card(&ALL);
        given.files.insert(FileId::DG14.fid(), SecretBytes::new(Vec::new()));
        given.files.insert(FileId::DG2.fid(), SecretBytes::new(b"\x75\x82\xFF\xFF".to_vec()));
        given.files.insert(FileId::DG15.fid(), SecretBytes::new(b"\x6E\x00".to_vec()));
        let files = take(&mut given, &job("123456"), |_| {}).unwrap().evidence.files;
        for file in [FileId::DG14, FileId::DG2, FileId::DG15] {
            assert_eq!(files.get(&file), Some(&FileOutcome::Malformed), "{file}");
        }
        assert!(given.asked.is_empty());
    }

    #[test]
    fn the_signature_is_over_our_challenge() {
        let mut given = card(&ALL);
        given.signatures.push_back(SecretBytes::new(vec![1, 2, 3]));
        let job = Job { nonce: Some(b"nonce".to_vec()), ..job("123456") };
        let out = take(&mut given, &job, |_| {}).unwrap();
        let run = out.evidence.proofs.active_authentication.done().unwrap();
        assert_eq!(
            (run.challenge, run.response.as_slice()),
            (challenge_from_nonce(b"nonce"), &[1, 2, 3][..])
        );
        assert_eq!(given.asked, [run.challenge]);
    }

    #[test]
    fn a_reading_that_is_called_off_ends() {
        let job = job("123456");
        job.call_off.raise();
        assert_eq!(take(&mut card(&ALL), &job, |_| {}).map(|_| ()), Err(ReadFailure::Cancelled));
    }
}
