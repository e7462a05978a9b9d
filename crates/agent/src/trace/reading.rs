//! The conversation that is recorded and replayed: the chip is opened, read and asked for its proofs.

use std::collections::BTreeMap;

use cccd_card::CardChannel;
use cccd_document::{AccessKey, DataGroup1, Evidence, FileId, FileOutcome};
use cccd_emrtd::{Challenge, LockedChip, ProofPlan, ReadError, ReadPlan, UnlockError, read_document};
use rand_core::TryCryptoRng;

/// What came of it.
pub struct Outcome {
    /// In a word, for the trace.
    pub word: String,
    /// Which files were read, as `EF.DG1 93`, and what became of the others.
    pub files: Vec<String>,
    /// All that was read, if it came to its end.
    pub evidence: Option<Evidence>,
}

impl Outcome {
    /// Whether the card is invented: its state is ICAO's Utopia, or its number begins with the province 000, of which
    /// there is none.
    pub fn is_invented(&self) -> bool {
        let Some(Evidence { files, .. }) = &self.evidence else { return false };
        let Some(FileOutcome::Read(bytes)) = files.get(&FileId::DG1) else { return false };
        let Ok(DataGroup1 { mrz }) = DataGroup1::parse(bytes) else { return false };
        let number = mrz.personal_number.as_ref();
        mrz.issuing_state == "UTO" || number.is_some_and(|number| number.expose().starts_with("000"))
    }
}

/// Reads the card on `channel`: all that says who somebody is, with the face or without, and every proof.
pub fn read<C: CardChannel, R: TryCryptoRng + ?Sized>(
    channel: C,
    keys: &[AccessKey],
    with_face: bool,
    rng: &mut R,
) -> Outcome {
    let mut chip = match LockedChip::new(channel).unlock(keys, rng) {
        Ok(chip) => chip,
        Err(error) => return failed(unlock_word(&error)),
    };
    let whole = ReadPlan::identity();
    let files = whole.files().iter().copied().filter(|file| with_face || *file != FileId::DG2);
    let plan = ReadPlan::new(files).proving(ProofPlan::all(Challenge::Drawn));
    match read_document(&mut chip, &plan, rng, &mut |_| {}) {
        Ok(evidence) => {
            Outcome { word: "read".to_owned(), files: told(&evidence.files), evidence: Some(evidence) }
        }
        Err(error) => failed(read_word(&error)),
    }
}

fn failed(word: &str) -> Outcome {
    Outcome { word: word.to_owned(), files: Vec::new(), evidence: None }
}

fn told(files: &BTreeMap<FileId, FileOutcome>) -> Vec<String> {
    let outcome = |outcome: &FileOutcome| match outcome {
        FileOutcome::Read(bytes) => bytes.len().to_string(),
        FileOutcome::Absent(status) => format!("absent {status}"),
        FileOutcome::Locked(status) => format!("locked {status}"),
        FileOutcome::Refused(status) => format!("refused {status}"),
        FileOutcome::Malformed => "malformed".to_owned(),
        FileOutcome::NotGiven => "not given".to_owned(),
    };
    files.iter().map(|(file, became)| format!("{file} {}", outcome(became))).collect()
}

fn unlock_word(error: &UnlockError) -> &'static str {
    match error {
        UnlockError::CardLost { .. } => "card-lost",
        UnlockError::WrongKey { .. } => "access-key-wrong",
        UnlockError::KeyBlocked { .. } | UnlockError::LastTryRefused { .. } => "access-key-spent",
        UnlockError::AccessRefused { .. } | UnlockError::Unsupported => "access-refused",
        UnlockError::Misbehaved(_) => "chip-protocol",
        _ => "agent-fault",
    }
}

fn read_word(error: &ReadError) -> &'static str {
    match error {
        ReadError::CardLost { .. } | ReadError::CardLostProving { .. } => "card-lost",
        ReadError::SessionEnded { .. } => "session-ended",
        ReadError::Misbehaved { .. } => "chip-protocol",
        ReadError::ApplicationRefused { .. } => "card-unsupported",
        _ => "agent-fault",
    }
}
