//! One reading, from the first contact to the last check: the way of a reading in one function.

use std::collections::{BTreeMap, HashMap};
use std::sync::mpsc;
use std::time::Instant;

use cccd_card::{
    Atr, Behind, CardChannel, ChannelLimits, ReaderId, ReaderSource, SecretBytes, StatusWord, TransportError,
};
use cccd_document::{
    Biometric, CitizenRecord, DataGroup1, DataGroup2, DataGroup11, DataGroup12, DataGroup13, Evidence,
    FileId, FileOutcome, MalformedFile, ReadMark, RecordNote, RecordSources, StationLack,
};
use cccd_emrtd::{
    AccessStep, CardShape, Challenge, LockedChip, Metered, ProofPlan, ReadError, ReadPlan, ReadStep, SmFault,
    Terminal, UnlockError, UnlockedChip, read_document_as,
};

use crate::engine::Message;
use crate::handed_out::{self, HandedOut};
use crate::learned::{Learned, Shapes};
use crate::owner::{CallOff, Job};
use crate::{
    BiometricReading, Effort, EngineOptions, PartialReading, Phase, ReadFailure, Reading, every_group,
};
use time::Date;

/// Reads the card on `reader` and decodes what it holds.
pub(crate) fn read_card(
    source: &dyn ReaderSource,
    reader: &ReaderId,
    job: &mut Job,
    inbox: &mpsc::Sender<Message>,
    options: &EngineOptions,
    learned: &mut Learned,
) -> Result<Reading, ReadFailure> {
    let mut kept = std::mem::take(&mut job.kept);
    let outcome = converse_and_judge(source, reader, job, &mut kept, inbox, options, learned);
    // Should the card come back, the reading goes on from here.
    job.kept = kept;
    outcome
}

fn converse_and_judge(
    source: &dyn ReaderSource,
    reader: &ReaderId,
    job: &Job,
    kept: &mut BTreeMap<FileId, FileOutcome>,
    inbox: &mpsc::Sender<Message>,
    options: &EngineOptions,
    learned: &mut Learned,
) -> Result<Reading, ReadFailure> {
    let mut progress = ProgressTeller { job, inbox, told: 0 };
    progress.tell(Phase::Connecting, 1);
    let start = Instant::now();
    let today = (options.clock)().date();
    let mut early = EarlyTeller { job, reader, inbox, today, told: false };
    if let Some(card) = source.files_of(reader) {
        let mut card = card.map_err(|error| ReadFailure::from(&error))?;
        progress.tell(Phase::Reading, 20);
        let HandedOut { evidence, bytes } = handed_out::take(card.as_mut(), job, |files| early.tell(files))?;
        let missing = handed_out::not_given(&evidence.files);
        if !missing.is_empty() {
            tracing::info!(%reader, groups = ?missing, "the reader has not given them");
        }
        let elapsed = start.elapsed();
        let effort = Effort { bytes_received: bytes, elapsed, unlocked_after: elapsed, ..Effort::default() };
        return judged(evidence, effort, reader, job, &mut progress, options);
    }
    let connected = source.connect(reader).map_err(|error| ReadFailure::from(&error))?;
    let channel = Callable { channel: connected, call_off: job.call_off.clone() };
    let channel = learned.reader.watch(channel);
    let mut channel = Metered::with_trace(channel, |outline| tracing::trace!(%outline, "apdu"));

    let plan = plan(job);
    let mut effort = Effort::default();
    // Certificates and key are fetched only where something shall be opened with them.
    let station = match job.biometrics.is_empty() {
        true => Err(StationLack::NotSetUp),
        false => (options.station)((options.clock)()),
    };
    let wish = Wish { plan: &plan, station: station.as_ref().map_err(|lack| *lack) };
    let evidence =
        converse(&mut channel, wish, &mut progress, kept, &mut early, &mut learned.shapes, || {
            effort.unlocked_after = start.elapsed();
            tracing::debug!(%reader, "chip open");
        })?;
    let traffic = channel.traffic();
    effort.elapsed = start.elapsed();
    effort.commands = traffic.commands;
    effort.bytes_sent = traffic.bytes_sent;
    effort.bytes_received = traffic.bytes_received;
    // The card may go: everything else is done without it.
    drop(channel);
    judged(evidence, effort, reader, job, &mut progress, options)
}

/// What was read, decoded and judged.
fn judged(
    evidence: Evidence,
    effort: Effort,
    reader: &ReaderId,
    job: &Job,
    progress: &mut ProgressTeller<'_>,
    options: &EngineOptions,
) -> Result<Reading, ReadFailure> {
    progress.tell(Phase::Checking, 97);
    let finished = (options.clock)();
    let mut record = record(&evidence.files, finished.date())?;
    let expected = job.expect.as_ref().map(|expected| expected.compare(&record));
    let scan_agrees = job.access.scanned.as_ref().map(|scan| record.compare_scan(scan));
    let portrait =
        decoded(&evidence.files, FileId::DG2, DataGroup2::parse).and_then(|dg2| dg2.portrait().cloned());
    let biometrics = Biometric::ALL.map(|kind| BiometricReading::of(kind, job.biometrics, &evidence)).into();
    let hashes = cccd_trust::compare_hashes(&evidence);
    let verdict = (options.judge)(&evidence, finished);
    let by_reader = job.behind == Behind::Simulation;
    let mark = ReadMark::simulated_if(by_reader || cccd_trust::is_marked_simulated(&evidence));
    tracing::info!(
        %reader,
        verdict = verdict.summary().code(),
        simulated = mark.is_simulated(),
        commands = effort.commands,
        ms = effort.elapsed.as_millis(),
        "reading done"
    );
    Ok(Reading {
        reader: reader.clone(),
        fields: job.fields,
        record,
        portrait,
        biometrics,
        verdict,
        hashes,
        under: job.under.clone(),
        code: job.under.as_ref().and_then(|_| job.access.scanned.clone()),
        scan_agrees,
        expected,
        evidence,
        mark,
        effort,
        finished,
    })
}

/// What the files say of the holder. Without a readable DG1 or DG13 nobody is identified.
fn record(files: &BTreeMap<FileId, FileOutcome>, today: Date) -> Result<CitizenRecord, ReadFailure> {
    let dg1 = decoded(files, FileId::DG1, DataGroup1::parse);
    let dg13 = decoded(files, FileId::DG13, DataGroup13::parse);
    let dg11 = decoded(files, FileId::DG11, DataGroup11::parse);
    let dg12 = decoded(files, FileId::DG12, DataGroup12::parse);
    if dg1.is_none() && dg13.as_ref().and_then(DataGroup13::vietnamese).is_none() {
        return Err(ReadFailure::DocumentUnreadable);
    }
    let sources =
        RecordSources { dg1: dg1.as_ref(), dg13: dg13.as_ref(), dg11: dg11.as_ref(), dg12: dg12.as_ref() };
    let mut record = CitizenRecord::merge(sources, today);
    if dg13.is_none() && matches!(files.get(&FileId::DG13), Some(FileOutcome::Read(_))) {
        record.notes.push(RecordNote::Dg13Unrecognised);
    }
    Ok(record)
}

/// A file decoded, if it was read and is what it should be. What cannot be decoded is left to the others:
/// its bytes stay in the evidence.
fn decoded<T>(
    files: &BTreeMap<FileId, FileOutcome>,
    file: FileId,
    parse: impl FnOnce(&[u8]) -> Result<T, MalformedFile>,
) -> Option<T> {
    let FileOutcome::Read(bytes) = files.get(&file)? else { return None };
    parse(bytes).inspect_err(|error| tracing::warn!(%file, %error, "file cannot be decoded")).ok()
}

pub(crate) fn plan(job: &Job) -> ReadPlan {
    let challenge = job.nonce.clone().map_or(Challenge::Drawn, Challenge::FromNonce);
    let (whole, optional) = (ReadPlan::identity(), every_group());
    let wanted = |file: &FileId| !optional.contains(file) || job.groups.contains(file);
    let files = ReadPlan::new(whole.files().iter().copied().filter(wanted));
    files.and(job.biometrics.iter().map(Biometric::file)).proving(ProofPlan::all(challenge))
}

/// What is wanted of a chip, and as whom.
#[derive(Clone, Copy)]
struct Wish<'a> {
    plan: &'a ReadPlan,
    station: Result<&'a Terminal, StationLack>,
}

/// Opens the chip and reads its files. A chip that ends its session over the length of an answer is opened
/// again and asked for less: some refuse 256 bytes under secure messaging, some break off in the middle
/// (card quirks 25, 26). So is one whose reader did not carry an exchange of extended length (card quirk 1), and one
/// that has lost its session (33) or sent a wrong MAC (30).
fn converse<C: CardChannel>(
    channel: &mut Metered<C>,
    wish: Wish<'_>,
    progress: &mut ProgressTeller<'_>,
    kept: &mut BTreeMap<FileId, FileOutcome>,
    early: &mut EarlyTeller<'_>,
    shapes: &mut Shapes,
    mut opened: impl FnMut(),
) -> Result<Evidence, ReadFailure> {
    let job = early.job;
    let narrower = [
        ChannelLimits::EXTENDED,
        ChannelLimits::SHORT,
        ChannelLimits { max_reply: 160, ..ChannelLimits::SHORT },
    ];
    let mut broke_off: Option<BrokeOff> = None;
    for (round, limits) in narrower.into_iter().enumerate() {
        if round > 0 {
            channel.reset().map_err(|error| ReadFailure::from(&error))?;
        }
        progress.tell(Phase::Unlocking, 5);
        let atr = channel.atr().clone();
        let known = shapes.of(&atr);
        let was_known = !known.is_empty();
        let extended = limits.min(channel.limits()).allow_extended();
        let mut unlocked = unlock(&mut *channel, limits, known, job);
        if let (true, Err(UnlockError::AccessRefused { .. } | UnlockError::Unsupported)) =
            (was_known, &unlocked)
        {
            // A card of another make may answer the same to reset: nothing is known of this one.
            shapes.forget(&atr);
            drop(unlocked);
            channel.reset().map_err(|error| ReadFailure::from(&error))?;
            unlocked = unlock(&mut *channel, limits, Vec::new(), job);
        }
        let mut chip = match unlocked {
            Ok(chip) => chip,
            Err(UnlockError::CardLost { step, source }) if extended && is_untransacted(&source) => {
                tracing::info!(%step, %source, "reader did not carry an exchange; asking for less");
                broke_off = Some(BrokeOff::Untransacted(ReadFailure::from(&source)));
                continue;
            }
            Err(error) => {
                let failure = unlock_failure(&error);
                log_failure(&error, failure);
                return Err(failure);
            }
        };
        // What a narrower round finds is the make's only where a length was the reason: the rest befalls one card.
        let of_its_make = broke_off.as_ref().is_none_or(|why| matches!(why, BrokeOff::Length(_)));
        let mut learn = |chip: &UnlockedChip<_>| {
            if let Some(shape) = chip.shape().filter(|_| of_its_make) {
                shapes.learn(&atr, shape);
            }
        };
        learn(&chip);
        progress.tell(Phase::Reading, 20);
        opened();
        let mut measure = Measure::default();
        let plan = wish.plan.clone().going_on_from(kept.clone());
        let mut told = |step: ReadStep<'_>| match step {
            // Where extended length passes, the first piece of the face is all of it.
            ReadStep::Begins(FileId::DG2) => early.tell(kept),
            ReadStep::Begins(_) => {}
            ReadStep::Piece(piece) => progress.tell(Phase::Reading, measure.percent(piece)),
            // Fingerprints and irises are kept for nobody but the result.
            ReadStep::File(file, _) if Biometric::in_file(file).is_some() => {}
            ReadStep::File(file, outcome) => {
                kept.insert(file, outcome.clone());
            }
        };
        let read = read_document_as(wish.station, &mut chip, &plan, &mut getrandom::SysRng, &mut told);
        match read {
            Ok(evidence) => {
                learn(&chip);
                return Ok(evidence);
            }
            Err(ReadError::SessionEnded { file, status }) if is_about_length(status) => {
                tracing::info!(%file, %status, "chip ended its session over a length; asking for less");
                broke_off = Some(BrokeOff::Length(status));
            }
            Err(ReadError::SessionEnded { file, status }) if is_lost_session(status) => {
                tracing::info!(%file, %status, "chip lost its session; opening it anew");
                broke_off = Some(BrokeOff::Session(status));
            }
            // Nothing of that reply is taken. Whoever spoilt it can do no more than spoil the next one too.
            Err(ReadError::Misbehaved { file, source: source @ SmFault::WrongMac }) => {
                tracing::warn!(%file, %source, "opening the chip anew, and asking for less");
                broke_off = Some(BrokeOff::Mac);
            }
            // Card and reader are there, and an exchange did not pass: a long one, in one direction or the other.
            Err(ReadError::CardLost { file, source }) if extended && is_untransacted(&source) => {
                tracing::info!(%file, %source, "reader did not carry an exchange; asking for less");
                broke_off = Some(BrokeOff::Untransacted(ReadFailure::from(&source)));
            }
            Err(error) => {
                let failure = read_failure(&error);
                log_failure(&error, failure);
                return Err(failure);
            }
        }
    }
    match broke_off {
        Some(BrokeOff::Untransacted(failure)) => return Err(failure),
        Some(BrokeOff::Length(status) | BrokeOff::Session(status)) => {
            tracing::warn!(%status, "chip ended every session");
        }
        Some(BrokeOff::Mac) | None => tracing::warn!("chip broke secure messaging in every session"),
    }
    Err(ReadFailure::ChipMisbehaved)
}

/// Why a round ended before its reading, and another may do better.
enum BrokeOff {
    /// The chip would not have a length.
    Length(StatusWord),
    /// The chip has lost its session.
    Session(StatusWord),
    /// The MAC of a reply was wrong.
    Mac,
    /// The reader did not carry an exchange.
    Untransacted(ReadFailure),
}

fn unlock<C: CardChannel>(
    channel: C,
    limits: ChannelLimits,
    known: Vec<CardShape>,
    job: &Job,
) -> Result<UnlockedChip<C>, UnlockError> {
    let chip = LockedChip::new(channel).limited_to(limits).known_as(known);
    chip.unlock(&job.access.keys, &mut getrandom::SysRng)
}

/// 6987 and 6988: an object of secure messaging is missing or wrong. The chip and we have lost each other, and a
/// new session may do (card quirk 33).
fn is_lost_session(status: StatusWord) -> bool {
    matches!(status, StatusWord::SM_OBJECT_MISSING | StatusWord::SM_OBJECT_WRONG)
}

/// The exchange failed with card and reader still there (card quirks 1, 2).
fn is_untransacted(error: &TransportError) -> bool {
    matches!(error, TransportError::NotTransacted | TransportError::ShortAnswer { .. })
}

fn is_about_length(status: StatusWord) -> bool {
    status == StatusWord::WRONG_LENGTH
        || status.right_length().is_some()
        || status == StatusWord::WRONG_OFFSET
}

/// Errors of the chip conversation name steps, files and status bytes: nothing of the person.
fn log_failure(error: &dyn std::error::Error, failure: ReadFailure) {
    let mut causes = String::new();
    let mut source = error.source();
    while let Some(cause) = source {
        causes.push_str(": ");
        causes.push_str(&cause.to_string());
        source = cause.source();
    }
    tracing::info!(code = failure.code(), "reading failed: {error}{causes}");
}

fn unlock_failure(error: &UnlockError) -> ReadFailure {
    match error {
        UnlockError::CardLost { source, .. } => ReadFailure::from(source),
        UnlockError::WrongKey { tries_left, .. } => ReadFailure::AccessKeyWrong { tries_left: *tries_left },
        UnlockError::KeyBlocked { .. } | UnlockError::LastTryRefused { .. } => ReadFailure::AccessKeySpent,
        UnlockError::AccessRefused { step: AccessStep::SelectApplication, status }
            if status.is_not_found() =>
        {
            ReadFailure::CardUnsupported
        }
        UnlockError::AccessRefused { .. } | UnlockError::Unsupported => ReadFailure::AccessRefused,
        UnlockError::Misbehaved(_) => ReadFailure::ChipMisbehaved,
        _ => ReadFailure::AgentFault,
    }
}

fn read_failure(error: &ReadError) -> ReadFailure {
    match error {
        ReadError::CardLost { source, .. } | ReadError::CardLostProving { source, .. } => {
            ReadFailure::from(source)
        }
        ReadError::AnotherDocument => ReadFailure::CardChanged,
        ReadError::SessionEnded { .. } | ReadError::Misbehaved { .. } => ReadFailure::ChipMisbehaved,
        ReadError::ApplicationRefused { .. } => ReadFailure::CardUnsupported,
        _ => ReadFailure::AgentFault,
    }
}

/// Tells the engine who the person is as soon as the face, which is most of a reading, is asked for.
struct EarlyTeller<'a> {
    job: &'a Job,
    reader: &'a ReaderId,
    inbox: &'a mpsc::Sender<Message>,
    today: Date,
    told: bool,
}

impl EarlyTeller<'_> {
    fn tell(&mut self, files: &BTreeMap<FileId, FileOutcome>) {
        if std::mem::replace(&mut self.told, true) {
            return;
        }
        let Ok(mut record) = record(files, self.today) else { return };
        if let Some(scan) = &self.job.access.scanned {
            record.compare_scan(scan);
        }
        let hashes = cccd_trust::compare_hashes_of(files);
        let (reader, fields) = (self.reader.clone(), self.job.fields);
        let partial = PartialReading { reader, fields, record, hashes };
        let _ = self.inbox.send(Message::Partial { read: self.job.read, partial: Box::new(partial) });
    }
}

/// Tells the engine how far the reading is.
struct ProgressTeller<'a> {
    job: &'a Job,
    inbox: &'a mpsc::Sender<Message>,
    told: u8,
}

impl ProgressTeller<'_> {
    fn tell(&mut self, phase: Phase, percent: u8) {
        if percent > self.told {
            self.told = percent;
            let _ = self.inbox.send(Message::Progress { read: self.job.read, phase, percent });
        }
    }
}

/// Turns bytes read into percent. How much there will be is known file by file only, so it is guessed: the
/// portrait is most of it.
#[derive(Default)]
struct Measure {
    files: HashMap<FileId, (usize, usize)>,
}

impl Measure {
    /// A reading of a common card, portrait included.
    const USUAL_BYTES: usize = 20_000;

    fn percent(&mut self, file: cccd_emrtd::Progress) -> u8 {
        let total = file.total.unwrap_or(file.read);
        self.files.insert(file.file, (file.read, total));
        let (read, total) =
            self.files.values().fold((0, 0), |(read, total), file| (read + file.0, total + file.1));
        let percent = 20 + read.saturating_mul(75) / total.max(Self::USUAL_BYTES).max(1);
        u8::try_from(percent.min(95)).unwrap_or(95)
    }
}

/// A channel the engine can stop between two exchanges.
struct Callable<C> {
    channel: C,
    call_off: CallOff,
}

impl<C: CardChannel> Callable<C> {
    fn go_on(&self) -> Result<(), TransportError> {
        if self.call_off.is_raised() { Err(TransportError::Cancelled) } else { Ok(()) }
    }
}

impl<C: CardChannel> CardChannel for Callable<C> {
    fn transmit(&mut self, command: &[u8]) -> Result<SecretBytes, TransportError> {
        self.go_on()?;
        self.channel.transmit(command)
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        self.go_on()?;
        self.channel.reset()
    }

    fn atr(&self) -> &Atr {
        self.channel.atr()
    }

    fn limits(&self) -> ChannelLimits {
        self.channel.limits()
    }
}
