//! What became of fingerprints and irises in a reading.

use cccd_card::StatusWord;
use cccd_document::{
    Biometric, BiometricGroup, BiometricImage, Biometrics, EfSod, Evidence, FileId, FileOutcome,
};

/// Fingerprints or irises, as a reading left them.
#[derive(Debug)]
pub struct BiometricReading {
    /// Which of the two.
    pub kind: Biometric,
    /// What became of them.
    pub outcome: BiometricOutcome,
}

/// What became of fingerprints or irises.
#[derive(Debug)]
pub enum BiometricOutcome {
    /// Nobody asked for them, and the chip was not either.
    NotAsked,
    /// The chip has none.
    Absent,
    /// The chip keeps them locked. Why the station did not open them stands in the verdict.
    Locked(StatusWord),
    /// They were read. The file may be there and hold no picture: not everybody has fingers to give.
    Read(Vec<BiometricImage>),
    /// The chip answered something else, or its session was over.
    Refused(Option<StatusWord>),
    /// What it gave is no such file.
    Malformed,
}

impl BiometricReading {
    /// What `evidence` holds of `kind`.
    pub(crate) fn of(kind: Biometric, asked: Biometrics, evidence: &Evidence) -> Self {
        Self { kind, outcome: outcome(kind, asked, evidence) }
    }

    /// The pictures, where they were read.
    pub fn images(&self) -> &[BiometricImage] {
        match &self.outcome {
            BiometricOutcome::Read(images) => images,
            _ => &[],
        }
    }
}

fn outcome(kind: Biometric, asked: Biometrics, evidence: &Evidence) -> BiometricOutcome {
    if !asked.contains(kind) {
        return BiometricOutcome::NotAsked;
    }
    match evidence.files.get(&kind.file()) {
        Some(FileOutcome::Read(bytes)) => match BiometricGroup::parse(kind, bytes) {
            Ok(group) => {
                for note in &group.notes {
                    tracing::warn!(file = %kind.file(), ?note, "file is odd");
                }
                BiometricOutcome::Read(group.images)
            }
            Err(error) => {
                tracing::warn!(file = %kind.file(), %error, "file cannot be decoded");
                BiometricOutcome::Malformed
            }
        },
        Some(FileOutcome::Absent(_)) => BiometricOutcome::Absent,
        Some(FileOutcome::Locked(status)) => BiometricOutcome::Locked(*status),
        Some(FileOutcome::Refused(status)) => BiometricOutcome::Refused(Some(*status)),
        Some(FileOutcome::Malformed) => BiometricOutcome::Malformed,
        // Not asked for because the chip does not list it, or because there was no session left to ask in.
        Some(FileOutcome::NotGiven) => BiometricOutcome::Refused(None),
        None if is_listed(kind, evidence) => BiometricOutcome::Refused(None),
        None => BiometricOutcome::Absent,
    }
}

fn is_listed(kind: Biometric, evidence: &Evidence) -> bool {
    let sod = evidence.bytes(FileId::EfSod).and_then(|bytes| EfSod::parse(bytes).ok());
    let FileId::Dg(number) = kind.file() else { return false };
    sod.is_some_and(|sod| sod.security_object.hashes.contains_key(&number))
}
