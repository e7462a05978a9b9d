//! The file: from a reading to a signed text, and back.

use std::collections::{BTreeMap, BTreeSet};

use base64ct::{Base64, Encoding};
use cccd_card::StatusWord;
use cccd_curve::NoEntropy;
use cccd_document::{
    AccessProtocol, AccessRun, ActiveAuthenticationRun, Biometric, Biometrics, ChipAuthenticationMappingRun,
    ChipAuthenticationRun, ChipProofs, EfSod, Evidence, FileId, FileOutcome, ProofOutcome, ReadMark,
    SelectedPace, StationLack, TerminalAuthentication, TerminalAuthenticationRun,
};
use cccd_trust::{CheckState, HashAlgorithm, Verdict};
use rand_core::TryCryptoRng;
use subtle::ConstantTimeEq;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use zeroize::Zeroizing;

use crate::agent_key::{AgentKey, KeyId};
use crate::jws::{self, JwsFault};
use crate::names::{Word, file_of};
use crate::twin::{
    AccessTwin, CheckTwin, DigestTwin, FORMAT, FileTwin, Payload, ProofTwin, ProofsTwin, VERSION, VerdictTwin,
};

/// What the file is, in its header.
const TYPE: &str = "cccd-evidence+jwt";

/// A file no reading makes is not taken apart: the largest portrait and all groups are far below.
const LARGEST: usize = 4 << 20;

/// Whether the groups themselves go into the file, or only their hashes. The keys of the chip and EF.SOD are
/// always in it: without them nothing can be judged, and they say nothing about the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Groups {
    /// The bytes of these: the file holds personal data.
    Included(BTreeSet<FileId>),
    /// Their hashes.
    HashesOnly,
}

impl Groups {
    /// All that say who the person is, of those there are. Fingers and irises only where they are among these: a
    /// record that names somebody is one thing, prints that outlive every password another.
    pub fn with(evidence: &Evidence, biometrics: Biometrics) -> Self {
        let allowed = |file: &FileId| Biometric::in_file(*file).is_none_or(|kind| biometrics.contains(kind));
        Self::Included(evidence.files.keys().copied().filter(allowed).collect())
    }

    /// Whether the bytes of `file` may go into the file.
    fn include(&self, file: FileId) -> bool {
        match self {
            Self::Included(allowed) => allowed.contains(&file) || impersonal(file),
            Self::HashesOnly => impersonal(file),
        }
    }
}

/// What the file says of the reading itself.
#[derive(Debug, Clone, Copy)]
pub struct ReadFacts<'a> {
    /// The reading's name.
    pub read_id: &'a str,
    /// Which version of the agent made it.
    pub agent_version: &'a str,
    /// When it was made.
    pub read_at: OffsetDateTime,
    /// Whether it is known to be a test's.
    pub mark: ReadMark,
}

/// A reading on its way to be signed.
pub struct EvidenceFile {
    payload: Payload,
}

/// The hash of a group that is not in the file itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupDigest {
    /// Which hash function.
    pub algorithm: HashAlgorithm,
    /// The hash.
    pub value: Vec<u8>,
}

/// A file whose signature fits.
#[derive(Debug)]
pub struct OpenedEvidence {
    /// The key it is signed with.
    pub key_id: KeyId,
    /// Which version of the agent made it.
    pub agent_version: String,
    /// The reading's name.
    pub read_id: String,
    /// When the reading was made, by the agent's clock.
    pub read_at: OffsetDateTime,
    /// Whether the agent knew it to be a test's.
    pub mark: ReadMark,
    /// What was read.
    pub evidence: Evidence,
    /// Groups that were read and of which the file has only the hash.
    pub digests: BTreeMap<FileId, GroupDigest>,
    /// What the agent came to.
    pub claimed_summary: String,
}

/// Why a file is no evidence.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceFileError {
    /// It is not in the form of a signed file, or its signature does not fit.
    #[error(transparent)]
    Jws(#[from] JwsFault),
    /// It is signed with another key than the one expected.
    #[error("signed by {0}, which is not the expected agent key")]
    OtherKey(KeyId),
    /// It is signed, and it is not what this version of the program writes.
    #[error("not evidence of a version this program knows")]
    Payload,
}

impl OpenedEvidence {
    /// The caller's nonce the chip signed over, if it did.
    pub fn nonce(&self) -> Option<&[u8]> {
        self.evidence.proofs.active_authentication.done()?.nonce.as_deref()
    }

    /// The first group of which only the hash is here, and that is not the hash EF.SOD lists for it.
    pub fn wrong_digest(&self) -> Option<FileId> {
        let sod = self.evidence.bytes(FileId::EfSod).and_then(|bytes| EfSod::parse(bytes).ok());
        let fits = |file: &FileId, digest: &GroupDigest| {
            let (FileId::Dg(number), Some(sod)) = (file, &sod) else { return false };
            let listed = sod.security_object.hashes.get(number);
            let algorithm = HashAlgorithm::of_oid(&sod.security_object.digest_algorithm.oid);
            algorithm == Some(digest.algorithm)
                && listed.is_some_and(|listed| bool::from(listed.as_slice().ct_eq(&digest.value)))
        };
        self.digests.iter().find(|(file, digest)| !fits(file, digest)).map(|(file, _)| *file)
    }
}

impl EvidenceFile {
    /// The file of a reading.
    pub fn new(facts: ReadFacts<'_>, evidence: &Evidence, verdict: &Verdict, groups: Groups) -> Self {
        let algorithm = evidence
            .bytes(FileId::EfSod)
            .and_then(|bytes| EfSod::parse(bytes).ok())
            .and_then(|sod| HashAlgorithm::of_oid(&sod.security_object.digest_algorithm.oid))
            .unwrap_or(HashAlgorithm::Sha256);
        let payload = Payload {
            format: FORMAT.to_owned(),
            version: VERSION,
            agent_version: facts.agent_version.to_owned(),
            read_id: facts.read_id.to_owned(),
            // A date of our own clock can always be written.
            read_at: facts.read_at.format(&Rfc3339).unwrap_or_default(),
            simulated: facts.mark.is_simulated(),
            access: access_twin(&evidence.access),
            files: evidence
                .files
                .iter()
                .map(|(file, outcome)| file_twin(*file, outcome, &groups, algorithm))
                .collect(),
            proofs: proofs_twin(&evidence.proofs),
            verdict: verdict_twin(verdict),
        };
        Self { payload }
    }

    /// Signs it.
    pub fn sign(
        &self,
        key: &AgentKey,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<Zeroizing<String>, NoEntropy> {
        // Strings and numbers can always be written as JSON.
        let payload = Zeroizing::new(serde_json::to_vec(&self.payload).unwrap_or_default());
        jws::sign(TYPE, &payload, key, rng)
    }
}

/// Opens a file: its signature must fit, and be that of `expected` where one is expected.
pub fn open(text: &str, expected: Option<&KeyId>) -> Result<OpenedEvidence, EvidenceFileError> {
    if text.len() > LARGEST {
        return Err(EvidenceFileError::Payload);
    }
    let (payload, key_id) = jws::open(TYPE, text)?;
    if let Some(expected) = expected
        && !bool::from(expected.as_str().as_bytes().ct_eq(key_id.as_str().as_bytes()))
    {
        return Err(EvidenceFileError::OtherKey(key_id));
    }
    opened(&payload, key_id)
}

/// Whether bytes have the form of a payload, whoever wrote them. That is all it says: what is in them is only to be
/// had from [`open`], under a signature.
pub fn check_payload(payload: &[u8]) -> Result<(), EvidenceFileError> {
    opened(payload, KeyId::new("")).map(drop)
}

fn opened(payload: &[u8], key_id: KeyId) -> Result<OpenedEvidence, EvidenceFileError> {
    let payload: Payload = serde_json::from_slice(payload).map_err(|_| EvidenceFileError::Payload)?;
    understood(&payload, key_id).ok_or(EvidenceFileError::Payload)
}

fn understood(payload: &Payload, key_id: KeyId) -> Option<OpenedEvidence> {
    if payload.format != FORMAT || payload.version != VERSION {
        return None;
    }
    let mut files = BTreeMap::new();
    let mut digests = BTreeMap::new();
    for twin in &payload.files {
        let file = file_of(&twin.file)?;
        let twice = match (&twin.digest, twin.outcome.as_str()) {
            (Some(digest), "read") if twin.content.is_none() => {
                let digest = GroupDigest {
                    algorithm: HashAlgorithm::of_word(&digest.algorithm)?,
                    value: hex::decode(&digest.value).ok()?,
                };
                files.contains_key(&file) || digests.insert(file, digest).is_some()
            }
            (None, _) => digests.contains_key(&file) || files.insert(file, file_outcome(twin)?).is_some(),
            _ => return None,
        };
        // Two answers for one file: whichever were taken, the other would be signed too.
        if twice {
            return None;
        }
    }
    Some(OpenedEvidence {
        key_id,
        agent_version: payload.agent_version.clone(),
        read_id: payload.read_id.clone(),
        read_at: OffsetDateTime::parse(&payload.read_at, &Rfc3339).ok()?,
        mark: ReadMark::simulated_if(payload.simulated),
        evidence: Evidence {
            access: access_of(&payload.access)?,
            files,
            proofs: proofs_of(&payload.proofs)?,
        },
        digests,
        claimed_summary: payload.verdict.summary.clone(),
    })
}

fn base64(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}

fn bytes_of(text: &str) -> Option<Vec<u8>> {
    Base64::decode_vec(text).ok()
}

fn status_of(text: Option<&String>) -> Option<StatusWord> {
    let bytes: [u8; 2] = hex::decode(text?).ok()?.try_into().ok()?;
    Some(StatusWord(u16::from_be_bytes(bytes)))
}

/// Whether the file says nothing about the person: keys, options, hashes and the signature over them.
fn impersonal(file: FileId) -> bool {
    match file {
        FileId::Dg(_) => matches!(file, FileId::DG14 | FileId::DG15),
        // EF.COM, EF.SOD and those under the master file.
        _ => true,
    }
}

fn file_twin(file: FileId, outcome: &FileOutcome, groups: &Groups, algorithm: HashAlgorithm) -> FileTwin {
    let mut twin = FileTwin {
        file: file.to_string(),
        outcome: String::new(),
        status: None,
        content: None,
        digest: None,
    };
    let (word, status) = match outcome {
        FileOutcome::Read(bytes) => {
            if groups.include(file) {
                twin.content = Some(base64(bytes));
            } else {
                let value = hex::encode(algorithm.hash(bytes));
                twin.digest = Some(DigestTwin { algorithm: algorithm.word().to_owned(), value });
            }
            ("read", None)
        }
        FileOutcome::Absent(status) => ("absent", Some(status)),
        FileOutcome::Locked(status) => ("locked", Some(status)),
        FileOutcome::Refused(status) => ("refused", Some(status)),
        FileOutcome::Malformed => ("malformed", None),
        FileOutcome::NotGiven => ("not-given", None),
    };
    twin.outcome = word.to_owned();
    twin.status = status.map(ToString::to_string);
    twin
}

fn file_outcome(twin: &FileTwin) -> Option<FileOutcome> {
    let status = || status_of(twin.status.as_ref());
    Some(match twin.outcome.as_str() {
        "read" => FileOutcome::Read(Zeroizing::new(bytes_of(twin.content.as_ref()?)?)),
        "absent" => FileOutcome::Absent(status()?),
        "locked" => FileOutcome::Locked(status()?),
        "refused" => FileOutcome::Refused(status()?),
        "malformed" => FileOutcome::Malformed,
        "not-given" => FileOutcome::NotGiven,
        _ => return None,
    })
}

fn access_twin(run: &AccessRun) -> AccessTwin {
    let pace = match run.protocol {
        AccessProtocol::Bac | AccessProtocol::ByReader => None,
        AccessProtocol::Pace(pace) => Some(pace),
    };
    let protocol = match run.protocol {
        AccessProtocol::Bac => "bac",
        AccessProtocol::Pace(_) => "pace",
        AccessProtocol::ByReader => "reader",
    };
    AccessTwin {
        protocol: protocol.to_owned(),
        password: run.password.word().to_owned(),
        mapping: pace.map(|pace| pace.mapping.word().to_owned()),
        cipher: pace.map(|pace| pace.cipher.word().to_owned()),
        parameter_id: pace.map(|pace| pace.parameter_id),
        downgrade: run.downgrade.map(|downgrade| downgrade.word().to_owned()),
        card_access: run.card_access.as_ref().map(|bytes| base64(bytes)),
    }
}

fn access_of(twin: &AccessTwin) -> Option<AccessRun> {
    let protocol = match twin.protocol.as_str() {
        "bac" => AccessProtocol::Bac,
        "reader" => AccessProtocol::ByReader,
        "pace" => AccessProtocol::Pace(SelectedPace {
            mapping: Word::of_word(twin.mapping.as_ref()?)?,
            cipher: Word::of_word(twin.cipher.as_ref()?)?,
            parameter_id: twin.parameter_id?,
        }),
        _ => return None,
    };
    let downgrade = match &twin.downgrade {
        Some(word) => Some(Word::of_word(word)?),
        None => None,
    };
    let card_access = match &twin.card_access {
        Some(text) => Some(Zeroizing::new(bytes_of(text)?)),
        None => None,
    };
    Some(AccessRun { protocol, password: Word::of_word(&twin.password)?, downgrade, card_access })
}

fn proof_twin<T>(outcome: &ProofOutcome<T>, done: impl FnOnce(&T) -> ProofTwin) -> ProofTwin {
    let (word, status) = match outcome {
        ProofOutcome::NotAsked => ("not-asked", None),
        ProofOutcome::NotOffered => ("not-offered", None),
        ProofOutcome::Unsupported => ("unsupported", None),
        ProofOutcome::Refused(status) => ("refused", Some(status.to_string())),
        ProofOutcome::Broken => ("broken", None),
        ProofOutcome::NotCarried => ("not-carried", None),
        ProofOutcome::Done(run) => return ProofTwin { outcome: "done".to_owned(), ..done(run) },
    };
    ProofTwin { outcome: word.to_owned(), status, ..ProofTwin::default() }
}

fn proof_of<T>(twin: &ProofTwin, done: impl FnOnce(&ProofTwin) -> Option<T>) -> Option<ProofOutcome<T>> {
    Some(match twin.outcome.as_str() {
        "not-asked" => ProofOutcome::NotAsked,
        "not-offered" => ProofOutcome::NotOffered,
        "unsupported" => ProofOutcome::Unsupported,
        "refused" => ProofOutcome::Refused(status_of(twin.status.as_ref())?),
        "broken" => ProofOutcome::Broken,
        "not-carried" => ProofOutcome::NotCarried,
        "done" => ProofOutcome::Done(done(twin)?),
        _ => return None,
    })
}

fn proofs_twin(proofs: &ChipProofs) -> ProofsTwin {
    ProofsTwin {
        active_authentication: proof_twin(&proofs.active_authentication, |run| ProofTwin {
            challenge: Some(base64(&run.challenge)),
            nonce: run.nonce.as_ref().map(|nonce| base64(nonce)),
            response: Some(base64(&run.response)),
            ..ProofTwin::default()
        }),
        chip_authentication: proof_twin(&proofs.chip_authentication, |run| ProofTwin {
            public_key: Some(base64(&run.public_key)),
            key_id: run.key_id,
            cipher: Some(run.cipher.word().to_owned()),
            terminal_public_key: Some(base64(&run.terminal_public_key)),
            ..ProofTwin::default()
        }),
        chip_authentication_mapping: proof_twin(&proofs.chip_authentication_mapping, |run| ProofTwin {
            parameter_id: Some(run.parameter_id),
            mapping_public_key: Some(base64(&run.mapping_public_key)),
            authentication_data: Some(base64(&run.authentication_data)),
            ..ProofTwin::default()
        }),
        terminal_authentication: station_twin(&proofs.terminal_authentication),
    }
}

fn station_twin(outcome: &TerminalAuthentication) -> ProofTwin {
    let word = |word: &str| ProofTwin { outcome: word.to_owned(), ..ProofTwin::default() };
    match outcome {
        TerminalAuthentication::NotAsked => word("not-asked"),
        TerminalAuthentication::NotOffered => word("not-offered"),
        TerminalAuthentication::NoStation(StationLack::NotSetUp) => word("not-set-up"),
        TerminalAuthentication::NoStation(StationLack::Unusable) => word("unusable"),
        TerminalAuthentication::NoStation(StationLack::OutOfDate) => word("out-of-date"),
        TerminalAuthentication::NoChain => word("foreign"),
        TerminalAuthentication::NoSignature => word("key-silent"),
        TerminalAuthentication::NotCarried => word("not-carried"),
        TerminalAuthentication::Broken => word("broken"),
        TerminalAuthentication::Refused { step, status } => ProofTwin {
            status: Some(status.to_string()),
            step: Some(step.word().to_owned()),
            ..word("refused")
        },
        TerminalAuthentication::Done(run) => ProofTwin {
            authority: Some(run.authority.clone()),
            certificates: Some(run.certificates),
            ..word("done")
        },
    }
}

fn station_of(twin: &ProofTwin) -> Option<TerminalAuthentication> {
    Some(match twin.outcome.as_str() {
        "not-asked" => TerminalAuthentication::NotAsked,
        "not-offered" => TerminalAuthentication::NotOffered,
        "not-set-up" => TerminalAuthentication::NoStation(StationLack::NotSetUp),
        "unusable" => TerminalAuthentication::NoStation(StationLack::Unusable),
        "out-of-date" => TerminalAuthentication::NoStation(StationLack::OutOfDate),
        "foreign" => TerminalAuthentication::NoChain,
        "key-silent" => TerminalAuthentication::NoSignature,
        "not-carried" => TerminalAuthentication::NotCarried,
        "broken" => TerminalAuthentication::Broken,
        "refused" => TerminalAuthentication::Refused {
            step: Word::of_word(twin.step.as_ref()?)?,
            status: status_of(twin.status.as_ref())?,
        },
        "done" => TerminalAuthentication::Done(TerminalAuthenticationRun {
            authority: twin.authority.clone()?,
            certificates: twin.certificates?,
        }),
        _ => return None,
    })
}

fn proofs_of(twin: &ProofsTwin) -> Option<ChipProofs> {
    let bytes = |text: &Option<String>| bytes_of(text.as_ref()?);
    Some(ChipProofs {
        active_authentication: proof_of(&twin.active_authentication, |twin| {
            let nonce = match &twin.nonce {
                Some(text) => Some(bytes_of(text)?),
                None => None,
            };
            Some(ActiveAuthenticationRun {
                challenge: bytes(&twin.challenge)?.try_into().ok()?,
                nonce,
                response: bytes(&twin.response)?,
            })
        })?,
        chip_authentication: proof_of(&twin.chip_authentication, |twin| {
            Some(ChipAuthenticationRun {
                public_key: bytes(&twin.public_key)?,
                key_id: twin.key_id,
                cipher: Word::of_word(twin.cipher.as_ref()?)?,
                terminal_public_key: bytes(&twin.terminal_public_key)?,
            })
        })?,
        chip_authentication_mapping: proof_of(&twin.chip_authentication_mapping, |twin| {
            Some(ChipAuthenticationMappingRun {
                parameter_id: twin.parameter_id?,
                mapping_public_key: bytes(&twin.mapping_public_key)?,
                authentication_data: bytes(&twin.authentication_data)?,
            })
        })?,
        terminal_authentication: station_of(&twin.terminal_authentication)?,
    })
}

fn verdict_twin(verdict: &Verdict) -> VerdictTwin {
    let checks = verdict.checks().iter().map(|check| {
        let (state, reason) = match check.state {
            CheckState::Passed => ("passed", None),
            CheckState::Failed(reason) => ("failed", Some(reason)),
            CheckState::NotOffered => ("not_offered", None),
            CheckState::NotPossible(reason) => ("not_possible", Some(reason)),
            CheckState::Skipped => ("skipped", None),
        };
        CheckTwin {
            check: check.name.code().to_owned(),
            state: state.to_owned(),
            reason: reason.map(|reason| reason.code().to_owned()),
            tolerated: check.tolerated.iter().map(|reason| reason.code().to_owned()).collect(),
        }
    });
    VerdictTwin { summary: verdict.summary().code().to_owned(), checks: checks.collect() }
}

#[cfg(test)]
mod tests {
    use cccd_document::{Cipher, Mapping, PasswordKind, TerminalStep};
    use cccd_firmware_sim::personalise::{Issuer, personalise, shipped_card};
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    /// What a reading of a shipped card could have brought, with one of every proof.
    fn evidence() -> Evidence {
        let card = shipped_card("cccd-2021").unwrap().description().unwrap();
        let image = personalise(&card, &Issuer::new().unwrap()).unwrap();
        let groups = [FileId::EfCom, FileId::EfSod, FileId::DG1, FileId::DG13, FileId::DG14, FileId::DG15];
        let mut files: BTreeMap<FileId, FileOutcome> = groups
            .into_iter()
            .map(|file| (file, FileOutcome::Read(Zeroizing::new(image.emrtd[&file.fid()].content.clone()))))
            .collect();
        files.insert(FileId::DG3, FileOutcome::Locked(StatusWord(0x6982)));
        files.insert(FileId::DG11, FileOutcome::Absent(StatusWord(0x6A82)));
        files.insert(FileId::DG12, FileOutcome::Malformed);
        Evidence {
            access: AccessRun {
                protocol: AccessProtocol::Pace(SelectedPace {
                    mapping: Mapping::ChipAuthentication,
                    cipher: Cipher::Aes256,
                    parameter_id: 17,
                }),
                password: PasswordKind::Can,
                downgrade: None,
                card_access: Some(Zeroizing::new(vec![0x31, 0x00])),
            },
            files,
            proofs: ChipProofs {
                active_authentication: ProofOutcome::Done(ActiveAuthenticationRun {
                    challenge: [1, 2, 3, 4, 5, 6, 7, 8],
                    nonce: Some(vec![9; 32]),
                    response: vec![10; 64],
                }),
                chip_authentication: ProofOutcome::Done(ChipAuthenticationRun {
                    public_key: vec![1, 2],
                    key_id: Some(3),
                    cipher: Cipher::Aes128,
                    terminal_public_key: vec![4; 65],
                }),
                chip_authentication_mapping: ProofOutcome::Done(ChipAuthenticationMappingRun {
                    parameter_id: 13,
                    mapping_public_key: vec![4; 65],
                    authentication_data: vec![5; 32],
                }),
                terminal_authentication: TerminalAuthentication::Refused {
                    step: TerminalStep::Signature,
                    status: StatusWord(0x6300),
                },
            },
        }
    }

    fn key() -> AgentKey {
        AgentKey::generate(&mut getrandom::SysRng).unwrap()
    }

    fn signed(groups: Groups, key: &AgentKey) -> Zeroizing<String> {
        let facts = ReadFacts {
            read_id: "5f0c3a9be1d24487a6c0f1e2d3b4a596",
            agent_version: "0.1.0",
            read_at: datetime!(2026-11-20 08:30:15 UTC),
            mark: ReadMark::Unmarked,
        };
        let verdict = Verdict::of(Vec::new());
        EvidenceFile::new(facts, &evidence_once(), &verdict, groups)
            .sign(key, &mut getrandom::SysRng)
            .unwrap()
    }

    fn evidence_once() -> Evidence {
        static ONCE: std::sync::OnceLock<Evidence> = std::sync::OnceLock::new();
        ONCE.get_or_init(evidence).clone()
    }

    #[test]
    fn what_goes_in_comes_out() {
        let key = key();
        let opened =
            open(&signed(Groups::with(&evidence_once(), Biometrics::NONE), &key), Some(&key.key_id()))
                .unwrap();
        let (ours, theirs) = (evidence_once(), opened.evidence);
        assert_eq!(theirs.files, ours.files);
        assert_eq!(theirs.access, ours.access);
        assert_eq!(theirs.proofs, ours.proofs);
        assert!(opened.digests.is_empty());
        assert_eq!(opened.read_at, datetime!(2026-11-20 08:30:15 UTC));
        assert_eq!(opened.claimed_summary, "unconfirmed");
        assert_eq!(opened.key_id, key.key_id());
    }

    #[test]
    fn a_test_reading_says_so_inside_what_is_signed_and_a_real_one_says_nothing() {
        let key = key();
        let facts = |mark| ReadFacts {
            read_id: "x",
            agent_version: "0.1.0",
            read_at: datetime!(2026-11-20 08:30:15 UTC),
            mark,
        };
        let payload = |text: &str| {
            let payload = base64ct::Base64UrlUnpadded::decode_vec(text.split('.').nth(1).unwrap()).unwrap();
            String::from_utf8(payload).unwrap()
        };
        for mark in [ReadMark::Simulated, ReadMark::Unmarked] {
            let file = EvidenceFile::new(
                facts(mark),
                &evidence_once(),
                &Verdict::of(Vec::new()),
                Groups::HashesOnly,
            );
            let text = file.sign(&key, &mut getrandom::SysRng).unwrap();
            assert_eq!(open(&text, None).unwrap().mark, mark);
            assert_eq!(payload(&text).contains("\"simulated\":true"), mark.is_simulated());
            assert_eq!(payload(&text).contains("simulated"), mark.is_simulated());
            // Whoever takes the word out breaks the signature.
            let without = payload(&text).replace("\"simulated\":true,", "");
            let [header, _, signature] = text.split('.').collect::<Vec<_>>().try_into().unwrap();
            let without = base64ct::Base64UrlUnpadded::encode_string(without.as_bytes());
            let changed = open(&format!("{header}.{without}.{signature}"), None);
            assert_eq!(changed.is_err(), mark.is_simulated());
        }
    }

    #[test]
    fn without_groups_their_hashes_stand_in_and_nobody_is_named() {
        let key = key();
        let text = signed(Groups::HashesOnly, &key);
        let opened = open(&text, None).unwrap();
        assert_eq!(opened.digests.keys().copied().collect::<Vec<_>>(), [FileId::DG1, FileId::DG13]);
        assert_eq!(opened.wrong_digest(), None);
        assert!(opened.evidence.bytes(FileId::DG1).is_none());
        assert!(opened.evidence.bytes(FileId::DG15).is_some());
        let (_, rest) = text.split_once('.').unwrap();
        let (payload, _) = rest.split_once('.').unwrap();
        let payload = base64ct::Base64UrlUnpadded::decode_vec(payload).unwrap();
        let payload = String::from_utf8(payload).unwrap();
        let dg1 = evidence_once().bytes(FileId::DG1).unwrap().to_vec();
        assert!(!payload.contains(&base64(&dg1)) && !payload.contains("000090123456"));
    }

    #[test]
    fn fingers_and_irises_go_in_only_where_they_are_allowed_each_by_itself() {
        let mut evidence = evidence_once();
        for file in [FileId::DG3, FileId::DG4] {
            evidence.files.insert(file, FileOutcome::Read(Zeroizing::new(vec![0x5A; 40])));
        }
        let fingers = Biometrics::from_iter([Biometric::Fingerprints]);
        for (groups, dg1, dg3, dg4) in [
            (Groups::HashesOnly, false, false, false),
            (Groups::Included(BTreeSet::new()), false, false, false),
            (Groups::with(&evidence, Biometrics::NONE), true, false, false),
            (Groups::with(&evidence, fingers), true, true, false),
            (Groups::with(&evidence, Biometrics::from_iter(Biometric::ALL)), true, true, true),
        ] {
            let facts = ReadFacts {
                read_id: "x",
                agent_version: "0.1.0",
                read_at: datetime!(2026-11-20 08:30:15 UTC),
                mark: ReadMark::Unmarked,
            };
            let file = EvidenceFile::new(facts, &evidence, &Verdict::of(Vec::new()), groups.clone());
            let opened = open(&file.sign(&key(), &mut getrandom::SysRng).unwrap(), None).unwrap();
            for (file, there) in [(FileId::DG1, dg1), (FileId::DG3, dg3), (FileId::DG4, dg4)] {
                assert_eq!(opened.evidence.bytes(file).is_some(), there, "{groups:?} {file}");
                assert_eq!(opened.digests.contains_key(&file), !there, "{groups:?} {file}");
            }
        }
    }

    #[test]
    fn what_came_of_the_station_comes_out_as_it_went_in() {
        let run = TerminalAuthenticationRun { authority: "UTCVCA00001".to_owned(), certificates: 3 };
        let mut outcomes = vec![
            TerminalAuthentication::NotAsked,
            TerminalAuthentication::NotOffered,
            TerminalAuthentication::NoChain,
            TerminalAuthentication::NoSignature,
            TerminalAuthentication::NotCarried,
            TerminalAuthentication::Broken,
            TerminalAuthentication::Done(run),
        ];
        outcomes.extend(
            [StationLack::NotSetUp, StationLack::Unusable, StationLack::OutOfDate]
                .map(TerminalAuthentication::NoStation),
        );
        outcomes.extend(
            TerminalStep::WORDS
                .iter()
                .map(|&(step, _)| TerminalAuthentication::Refused { step, status: StatusWord(0x6300) }),
        );
        for outcome in outcomes {
            assert_eq!(station_of(&station_twin(&outcome)), Some(outcome));
        }
        let nonsense = ProofTwin { outcome: "unsupported".to_owned(), ..ProofTwin::default() };
        assert_eq!(station_of(&nonsense), None);
    }

    #[test]
    fn another_hash_than_the_listed_one_is_seen() {
        let mut opened = open(&signed(Groups::HashesOnly, &key()), None).unwrap();
        opened.digests.get_mut(&FileId::DG13).unwrap().value[0] ^= 1;
        assert_eq!(opened.wrong_digest(), Some(FileId::DG13));
        let mut opened = open(&signed(Groups::HashesOnly, &key()), None).unwrap();
        opened.digests.get_mut(&FileId::DG1).unwrap().algorithm = HashAlgorithm::Sha512;
        assert_eq!(opened.wrong_digest(), Some(FileId::DG1));
        let mut opened = open(&signed(Groups::HashesOnly, &key()), None).unwrap();
        opened.evidence.files.remove(&FileId::EfSod);
        assert_eq!(opened.wrong_digest(), Some(FileId::DG1));
    }

    #[test]
    fn no_byte_of_the_file_can_be_changed() {
        let text = signed(Groups::HashesOnly, &key());
        for at in 0..text.len() {
            let mut changed = text.as_bytes().to_vec();
            // Another character of the same alphabet, so that it is the signature that must notice.
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(open(&changed, None).is_err(), "byte {at}");
        }
        assert!(open(&format!("{}\n", text.as_str()), None).is_err());
        assert!(open(&text[..text.len() - 1], None).is_err());
    }

    #[test]
    fn another_agents_key_is_not_taken_for_the_expected_one() {
        let (ours, other) = (key(), key());
        let text = signed(Groups::HashesOnly, &other);
        let refused = open(&text, Some(&ours.key_id()));
        assert!(matches!(refused, Err(EvidenceFileError::OtherKey(seen)) if seen == other.key_id()));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,200}", payload in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = open(&text, None);
            // Signed nonsense.
            let signed = jws::sign(TYPE, &payload, &key(), &mut getrandom::SysRng).unwrap();
            prop_assert!(matches!(open(&signed, None), Err(EvidenceFileError::Payload)));
        }
    }
}
