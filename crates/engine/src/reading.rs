//! What a reading is while it runs, and what it leaves behind.

use std::time::Duration;

use cccd_card::ReaderId;
use cccd_document::{CitizenRecord, Comparison, Evidence, FieldSet, Portrait, QrRecord, ReadMark};
use cccd_trust::{GroupHash, Verdict};
use time::OffsetDateTime;

use crate::{BiometricReading, CallerId, ReadFailure, ReadId, UnderProfile};

/// A reading as seen from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadView {
    /// Its name.
    pub id: ReadId,
    /// Who asked for it.
    pub owner: CallerId,
    /// Where it runs or ran; a reading that waits for any card has no reader yet.
    pub reader: Option<ReaderId>,
    /// Where it stands.
    pub state: ReadState,
    /// What it does, or did last.
    pub phase: Phase,
    /// How far it is, 0 to 100, never going back.
    pub percent: u8,
    /// How many readings that wait are before it.
    pub ahead: usize,
    /// Whose reading or lease it waited for in vain, where it ended for that.
    pub held_by: Option<CallerId>,
}

/// Where a reading stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadState {
    /// Waits for a card or for its turn.
    Waiting,
    /// Talks to a card.
    Running,
    /// The card lies badly or was lifted: waits for it to be laid down again, and goes on from there.
    Paused(ReadFailure),
    /// Done; the result is there.
    Completed,
    /// Done; the result has been wiped, by its owner or because its time was over.
    Expired,
    /// Ended without a result.
    Failed(ReadFailure),
}

impl ReadState {
    /// Whether nothing more will happen to its outcome.
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Waiting | Self::Running | Self::Paused(_))
    }
}

/// What a reading does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Waits for a card.
    WaitingForCard,
    /// Connects to the card.
    Connecting,
    /// Runs PACE or BAC.
    Unlocking,
    /// Reads files.
    Reading,
    /// Decodes and checks what was read.
    Checking,
    /// Nothing more.
    Over,
}

/// What a reading leaves behind. It lives for a minute or two, then it is wiped.
#[derive(Debug)]
pub struct Reading {
    /// The reader's id.
    pub reader: ReaderId,
    /// What of the record is for the owner.
    pub fields: FieldSet,
    /// What the chip says of its holder: as much as the groups hold that were read.
    pub record: CitizenRecord,
    /// The face, where it was wanted and is there.
    pub portrait: Option<Portrait>,
    /// What became of fingerprints and irises, one of each.
    pub biometrics: Vec<BiometricReading>,
    /// Whether it is genuine.
    pub verdict: Verdict,
    /// Each group's hash against the one in EF.SOD.
    pub hashes: Vec<GroupHash>,
    /// The consumer's profile it was made under.
    pub under: Option<UnderProfile>,
    /// The scanned code that opened the chip, where a profile may need it.
    pub code: Option<Box<QrRecord>>,
    /// Whether the scanned code that opened the chip says the same as the chip; `None` where none did.
    pub scan_agrees: Option<bool>,
    /// How the card compares with what its caller expects; `None` where they expect nothing.
    pub expected: Option<Comparison>,
    /// Every file as bytes, and how the chip was opened.
    pub evidence: Evidence,
    /// Whether it is known to be a test's.
    pub mark: ReadMark,
    /// What it took.
    pub effort: Effort,
    /// When it was done.
    pub finished: OffsetDateTime,
}

/// What a reading has found before it is over: who the person says they are, while the face is still on its way.
/// Nothing is judged yet.
#[derive(Debug)]
pub struct PartialReading {
    /// The reader's id.
    pub reader: ReaderId,
    /// What of the record is for the owner.
    pub fields: FieldSet,
    /// What the chip says of its holder, so far.
    pub record: CitizenRecord,
    /// Each group's hash against the one in EF.SOD, whose signature nobody has judged yet.
    pub hashes: Vec<GroupHash>,
}

/// What a reading took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Effort {
    /// Commands sent, all of them.
    pub commands: u64,
    /// Bytes sent.
    pub bytes_sent: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// From the first contact with the card to the last file.
    pub elapsed: Duration,
    /// Of that, until the chip was open.
    pub unlocked_after: Duration,
}
