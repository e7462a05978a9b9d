//! What the loop knows: readers, scanners, readings, scans, who waits for what.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Instant;

use cccd_card::{
    Behind, ReaderEvent, ReaderId, ReaderInfo, ReaderRefusal, ReaderSource, ScannerEvent, ScannerId,
    ScannerInfo,
};
use cccd_document::QrPayload;
use time::OffsetDateTime;
use tokio::sync::{oneshot, watch};

use crate::auto_read::Served;
use crate::engine::{EngineOptions, Message, NotHere, ReaderView, Refused, ScannerNews};
use crate::errand::{Errand, ReadEnd};
use crate::event::{Audience, EventKind, Journal, Subscription};
use crate::lease::{Lease, LeaseEnd};
use crate::over::Over;
use crate::owner::{CallOff, Job, Owner};
use crate::scan::{Scan, Scans};
use crate::{
    CallerId, Conclude, Occasion, Part, PartialReading, Phase, ReadFailure, ReadId, ReadRequest, ReadState,
    ReadView, Reading, ScanId, Stay,
};

/// How many results are kept at most, however young the oldest is.
const MOST_RESULTS: usize = 4096;
/// How often one reading waits for its card to be laid down again. Whoever moves it more often holds it badly.
const PAUSES: u8 = 3;

/// The state of the engine. Only the loop touches it.
pub(crate) struct Desk {
    sources: Vec<(Arc<dyn ReaderSource>, SourceState)>,
    pub(crate) readers: BTreeMap<ReaderId, Reader>,
    /// Those that are there and not used.
    refused: BTreeMap<ReaderId, ReaderRefusal>,
    /// The readers that were there and went, by their sources.
    gone: BTreeMap<ReaderId, usize>,
    scanners: BTreeMap<ScannerId, ScannerInfo>,
    pub(crate) scans: Scans,
    /// Those that are not over, or have a result.
    reads: HashMap<ReadId, Read>,
    /// Accepted and not started, oldest first.
    waiting: VecDeque<ReadId>,
    /// Done, oldest first; some of them are wiped by now.
    results: VecDeque<ReadId>,
    over: Over,
    journal: Journal,
    /// Who waits for the first look of every source.
    unsettled: Vec<oneshot::Sender<bool>>,
    inbox: mpsc::Sender<Message>,
    options: EngineOptions,
}

/// Where the numbers of the events begin: milliseconds since the epoch. No run tells a thousand events a
/// second for as long as it lives, so a listener of an earlier run never takes new numbers for old ones.
fn events_before(options: &EngineOptions) -> u64 {
    u64::try_from((options.clock)().unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum SourceState {
    Starting,
    Ready,
    Lost,
}

pub(crate) struct Reader {
    info: ReaderInfo,
    /// Which of the sources has it.
    source: usize,
    pub(crate) has_card: bool,
    /// Counts the cards laid on it, so that one that was lifted in between is known from one that stayed.
    pub(crate) insertions: u64,
    owner: Owner,
    running: Option<ReadId>,
    pub(crate) lease: Option<Lease>,
    /// The card that was last read by itself.
    pub(crate) served: Option<Served>,
}

/// Where a reading waits for its card.
struct Pause {
    reader: ReaderId,
    /// The card that was lifted; the next one laid down has a greater number.
    insertion: u64,
}

struct Read {
    view: watch::Sender<ReadView>,
    errand: Errand,
    /// What is done with it once it is complete, where that is more than to keep it for its owner.
    conclude: Option<Conclude>,
    /// Whether its owner may not call any more: nothing of it is kept for them.
    is_orphaned: bool,
    /// What it began by itself for.
    occasion: Option<Occasion>,
    /// When it was asked for.
    asked: OffsetDateTime,
    /// The reader its caller named.
    named: Option<ReaderId>,
    /// What it will run with; taken when it starts.
    job: Option<Box<Job>>,
    call_off: CallOff,
    pause: Option<Pause>,
    pauses_left: u8,
    /// Which card it runs on.
    insertion: u64,
    /// What is to be answered once the owner thread has come back, where the engine ended the reading.
    ended_early: Option<ReadFailure>,
    /// Until when it may wait, then run, then keep its result.
    deadline: Instant,
    partial: Option<Arc<PartialReading>>,
    result: Option<Arc<Reading>>,
    /// What of it was handed out to an owner who gets it once.
    handed_out: BTreeSet<Part>,
}

impl Read {
    fn owner(&self) -> CallerId {
        self.view.borrow().owner.clone()
    }
}

impl Desk {
    pub(crate) fn new(
        sources: Vec<Arc<dyn ReaderSource>>,
        inbox: mpsc::Sender<Message>,
        options: EngineOptions,
    ) -> Self {
        Self {
            sources: sources.into_iter().map(|source| (source, SourceState::Starting)).collect(),
            readers: BTreeMap::new(),
            refused: BTreeMap::new(),
            gone: BTreeMap::new(),
            scanners: BTreeMap::new(),
            scans: Scans::kept_for(options.keep_scan),
            reads: HashMap::new(),
            waiting: VecDeque::new(),
            results: VecDeque::new(),
            over: Over::default(),
            journal: Journal::after(events_before(&options)),
            unsettled: Vec::new(),
            inbox,
            options,
        }
    }

    // Readers.

    pub(crate) fn reader_event(&mut self, source: usize, event: ReaderEvent) {
        match event {
            ReaderEvent::Attached(info) => self.attach(source, info),
            ReaderEvent::Detached(reader) => {
                self.refused.remove(&reader);
                self.detach(&reader);
            }
            ReaderEvent::Refused(reader, why) => {
                self.refused.insert(reader, why);
                self.refuse_what_waits_in_vain();
            }
            ReaderEvent::CardInserted { reader, .. } => {
                if let Some(known) = self.readers.get_mut(&reader) {
                    known.has_card = true;
                    known.insertions += 1;
                    self.tell(Audience::Everyone, EventKind::CardInserted { reader: reader.clone() });
                    self.dispatch();
                    self.read_what_was_laid(&reader);
                }
            }
            ReaderEvent::CardRemoved(reader) => {
                if let Some(known) = self.readers.get_mut(&reader) {
                    known.has_card = false;
                    self.tell(Audience::Everyone, EventKind::CardRemoved { reader });
                }
            }
            ReaderEvent::SourceLost(name) => {
                self.set_source(source, SourceState::Lost);
                self.tell(Audience::Everyone, EventKind::SourceLost { source: name });
                self.refuse_what_waits_in_vain();
            }
            ReaderEvent::SourceReady(name) => {
                match self.set_source(source, SourceState::Ready) {
                    Some(SourceState::Lost) => {
                        self.tell(Audience::Everyone, EventKind::SourceReady { source: name });
                    }
                    // Only now is it known which readers there are.
                    Some(SourceState::Starting) => self.refuse_what_waits_in_vain(),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// Sets the state of a source and tells what it was.
    fn set_source(&mut self, source: usize, state: SourceState) -> Option<SourceState> {
        let (_, known) = self.sources.get_mut(source)?;
        let before = std::mem::replace(known, state);
        if !self.is_starting() {
            let ready = self.ready();
            for waiting in self.unsettled.drain(..) {
                let _ = waiting.send(ready);
            }
        }
        Some(before)
    }

    fn is_starting(&self) -> bool {
        self.sources.iter().any(|(_, state)| *state == SourceState::Starting)
    }

    /// Answers now, or once every source has had its first look.
    pub(crate) fn settled(&mut self, reply: oneshot::Sender<bool>) {
        if self.is_starting() {
            self.unsettled.push(reply);
        } else {
            let _ = reply.send(self.ready());
        }
    }

    fn attach(&mut self, source: usize, info: ReaderInfo) {
        let Some((behind, _)) = self.sources.get(source) else { return };
        let reader = info.id.clone();
        self.refused.remove(&reader);
        let owner =
            Owner::start(reader.clone(), Arc::clone(behind), self.inbox.clone(), self.options.clone());
        let name = info.name.clone();
        let running = None;
        if self.readers.contains_key(&reader) {
            self.detach(&reader);
        }
        let (lease, served) = (None, None);
        let new = Reader { info, source, has_card: false, insertions: 0, owner, running, lease, served };
        self.gone.remove(&reader);
        self.readers.insert(reader.clone(), new);
        self.tell(Audience::Everyone, EventKind::ReaderAttached { reader, name });
    }

    fn detach(&mut self, reader: &ReaderId) {
        let Some(gone) = self.readers.remove(reader) else { return };
        self.gone.insert(reader.clone(), gone.source);
        self.tell(Audience::Everyone, EventKind::ReaderDetached { reader: reader.clone() });
        if let Some(lease) = gone.lease {
            let why = LeaseEnd::ReaderDetached;
            self.tell(Audience::Owner(lease.holder), EventKind::LeaseLost { reader: reader.clone(), why });
        }
        // A reading that runs there is told by its own channel; one that waits for it would wait in vain.
        let in_vain: Vec<ReadId> = self
            .waiting
            .iter()
            .copied()
            .filter(|read| {
                self.reads.get(read).is_some_and(|read| {
                    let paused_on = read.pause.as_ref().map(|pause| &pause.reader);
                    paused_on.or(read.named.as_ref()) == Some(reader)
                })
            })
            .collect();
        for read in in_vain {
            self.end(read, Err(ReadFailure::ReaderLost));
        }
    }

    pub(crate) fn readers(&self) -> Vec<ReaderView> {
        self.readers
            .values()
            .map(|reader| ReaderView {
                info: reader.info.clone(),
                has_card: reader.has_card,
                held_by: self.holder(reader),
                is_reading: self.reading_on(reader).is_some(),
            })
            .collect()
    }

    pub(crate) fn refused(&self) -> Vec<(ReaderId, ReaderRefusal)> {
        self.refused.iter().map(|(reader, why)| (reader.clone(), *why)).collect()
    }

    pub(crate) fn ready(&self) -> bool {
        self.sources.iter().all(|(_, state)| *state == SourceState::Ready)
    }

    /// The reading that runs on a reader, or waits for its card to come back there.
    pub(crate) fn reading_on(&self, reader: &Reader) -> Option<ReadId> {
        reader.running.or_else(|| {
            let paused_here = |id: &&ReadId| {
                let pause = self.reads.get(id).and_then(|read| read.pause.as_ref());
                pause.is_some_and(|pause| pause.reader == reader.info.id)
            };
            self.waiting.iter().find(paused_here).copied()
        })
    }

    /// Whose reading runs on a reader, or who has it leased.
    pub(crate) fn holder(&self, reader: &Reader) -> Option<CallerId> {
        let reading = self.reading_on(reader).and_then(|read| self.reads.get(&read)).map(Read::owner);
        reading.or_else(|| reader.lease.as_ref().map(|lease| lease.holder.clone()))
    }

    // Scanners.

    pub(crate) fn scanner_news(&mut self, news: ScannerNews) {
        let mut scanned = None;
        let kind = match news {
            ScannerNews::Plain(ScannerEvent::Attached(info)) => {
                let kind = EventKind::ScannerAttached { scanner: info.id.clone(), name: info.name.clone() };
                self.scanners.insert(info.id.clone(), info);
                kind
            }
            ScannerNews::Plain(ScannerEvent::Detached(scanner)) => {
                if self.scanners.remove(&scanner).is_none() {
                    return;
                }
                EventKind::ScannerDetached { scanner }
            }
            ScannerNews::Plain(ScannerEvent::Garbled(scanner)) => EventKind::ScanGarbled { scanner },
            ScannerNews::Scanned { scanner, payload } => {
                let code = payload.kind();
                let Ok(scan) = self.scan(Some(scanner.clone()), *payload) else { return };
                let id = scan.id;
                self.scans.scanned(scan, Instant::now());
                scanned = Some(id);
                EventKind::ScanReceived { scan: id, scanner, code }
            }
            ScannerNews::Plain(_) => return,
        };
        self.tell(Audience::Everyone, kind);
        if let Some(scan) = scanned {
            self.read_what_was_scanned(scan);
        }
    }

    pub(crate) fn scanners(&self) -> Vec<ScannerInfo> {
        self.scanners.values().cloned().collect()
    }

    pub(crate) fn post_scans(
        &mut self,
        poster: &CallerId,
        payloads: Vec<QrPayload>,
    ) -> Result<Vec<Arc<Scan>>, ReadFailure> {
        let now = Instant::now();
        let mut posted = Vec::new();
        for payload in payloads {
            let scan = self.scan(None, payload)?;
            posted.push(self.scans.posted(scan, poster.clone(), now));
        }
        for scan in &posted {
            self.read_what_was_scanned(scan.id);
        }
        Ok(posted)
    }

    fn scan(&self, scanner: Option<ScannerId>, payload: QrPayload) -> Result<Scan, ReadFailure> {
        let id = ScanId::draw().map_err(|_| ReadFailure::AgentFault)?;
        Ok(Scan { id, scanner, received: (self.options.clock)(), payload })
    }

    // Readings.

    pub(crate) fn submit(&mut self, request: ReadRequest, errand: Errand) -> Result<ReadView, Refused> {
        if let Some(failure) = self.why_in_vain(request.reader.as_ref()) {
            return Err(failure.into());
        }
        // A reader somebody else has leased is none for this caller.
        let mine = |reader: &&Reader| reader.is_open_to(&request.owner);
        let named = request.reader.as_ref().and_then(|named| self.readers.get(named));
        let barred = match named {
            Some(named) => !mine(&named),
            None => !self.readers.is_empty() && !self.readers.values().any(|reader| mine(&reader)),
        };
        if barred {
            let reader = named.or_else(|| self.readers.values().next());
            let held_by = reader.and_then(|reader| Some(reader.lease.as_ref()?.holder.clone()));
            return Err(Refused { failure: ReadFailure::ReaderBusy, held_by });
        }
        let cards = self.readers.values().filter(|reader| reader.has_card && mine(reader)).count();
        if request.reader.is_none() && cards > 1 {
            return Err(ReadFailure::ReaderSelectionRequired.into());
        }
        if self.waiting.len() >= self.options.queue {
            let reader = named.or_else(|| self.readers.values().find(|reader| reader.running.is_some()));
            let held_by = reader.and_then(|reader| self.holder(reader));
            return Err(Refused { failure: ReadFailure::ReaderBusy, held_by });
        }
        self.accept(request, errand, None)
    }

    /// Takes a reading in, whatever else waits.
    pub(crate) fn accept(
        &mut self,
        request: ReadRequest,
        errand: Errand,
        occasion: Option<Occasion>,
    ) -> Result<ReadView, Refused> {
        if errand.stay.as_ref().is_some_and(Stay::is_over) {
            return Err(ReadFailure::Cancelled.into());
        }
        let id = ReadId::draw().map_err(|_| ReadFailure::AgentFault)?;
        let call_off = CallOff::default();
        let view = ReadView {
            id,
            owner: request.owner.clone(),
            reader: request.reader.clone(),
            state: ReadState::Waiting,
            phase: Phase::WaitingForCard,
            percent: 0,
            ahead: 0,
            held_by: None,
        };
        let conclude = request.under.as_ref().map(|under| under.conclude.clone());
        let read = Read {
            view: watch::Sender::new(view),
            errand,
            conclude,
            is_orphaned: false,
            occasion: occasion.clone(),
            asked: (self.options.clock)(),
            named: request.reader,
            job: Some(Box::new(Job {
                read: id,
                access: request.access,
                nonce: request.nonce,
                groups: request.groups,
                fields: request.fields,
                under: request.under,
                expect: request.expect,
                biometrics: request.biometrics,
                // Told when it starts.
                behind: Behind::Device,
                call_off: call_off.clone(),
                kept: BTreeMap::new(),
            })),
            call_off,
            pause: None,
            pauses_left: PAUSES,
            insertion: 0,
            ended_early: None,
            deadline: Instant::now() + request.wait_for_card.unwrap_or(self.options.wait_for_card),
            partial: None,
            result: None,
            handed_out: BTreeSet::new(),
        };
        self.reads.insert(id, read);
        self.waiting.push_back(id);
        self.tell(Audience::Owner(request.owner), EventKind::ReadQueued { read: id, occasion });
        self.dispatch();
        self.view(id).ok_or(ReadFailure::AgentFault.into())
    }

    /// Why a reading would wait for a reader that is not there. While a source has not had its first look,
    /// nobody knows.
    fn why_in_vain(&self, named: Option<&ReaderId>) -> Option<ReadFailure> {
        if self.is_starting() {
            return None;
        }
        match named {
            Some(named) if self.readers.contains_key(named) => None,
            Some(named) if self.refused.contains_key(named) => {
                self.refused.get(named).map(|why| ReadFailure::from(*why))
            }
            Some(named) if self.gone.contains_key(named) => Some(self.why_gone(named)),
            Some(_) if !self.readers.is_empty() => Some(ReadFailure::ReaderNotFound),
            None if !self.readers.is_empty() => None,
            _ => Some(self.why_no_reader()),
        }
    }

    /// Why a reader is not there that was there before: whoever names it has named the right one.
    fn why_gone(&self, reader: &ReaderId) -> ReadFailure {
        let source = self.gone.get(reader).and_then(|source| self.sources.get(*source));
        match source {
            Some((_, SourceState::Lost)) => ReadFailure::ServiceUnavailable,
            _ => ReadFailure::ReaderLost,
        }
    }

    /// Why a reading came to nothing while it waited.
    fn why_it_waited(&self, id: ReadId) -> (ReadFailure, Option<CallerId>) {
        let named = self.reads.get(&id).and_then(|read| read.named.as_ref());
        let owner = self.reads.get(&id).map(Read::owner);
        let mut candidates =
            self.readers.iter().filter(|(reader, _)| named.is_none_or(|named| named == *reader));
        let taken = |reader: &Reader| self.holder(reader).filter(|holder| Some(holder) != owner.as_ref());
        let busy = |reader: &Reader| reader.running.is_some() || taken(reader).is_some();
        match candidates.find(|(_, reader)| busy(reader)) {
            Some((_, reader)) => (ReadFailure::ReaderBusy, self.holder(reader)),
            None => (ReadFailure::NoCard, None),
        }
    }

    fn refuse_what_waits_in_vain(&mut self) {
        let in_vain: Vec<(ReadId, ReadFailure)> = self
            .waiting
            .iter()
            .filter_map(|id| Some((*id, self.why_in_vain(self.reads.get(id)?.named.as_ref())?)))
            .collect();
        for (read, failure) in in_vain {
            self.end(read, Err(failure));
        }
    }

    fn why_no_reader(&self) -> ReadFailure {
        if self.sources.iter().any(|(_, state)| *state == SourceState::Lost) {
            ReadFailure::ServiceUnavailable
        } else if let Some(why) = self.refused.values().next() {
            ReadFailure::from(*why)
        } else {
            ReadFailure::NoReader
        }
    }

    /// Starts every waiting reading whose reader is idle and has a card, oldest first.
    pub(crate) fn dispatch(&mut self) {
        let mut still_waiting = VecDeque::with_capacity(self.waiting.len());
        // Where a reading waits for its card to come back, nobody else reads.
        let mut reserved = BTreeSet::new();
        while let Some(id) = self.waiting.pop_front() {
            if !self.start(id, &reserved) {
                let read = self.reads.get(&id);
                reserved.extend(read.and_then(|read| Some(read.pause.as_ref()?.reader.clone())));
                if let Some(read) = read {
                    let ahead = still_waiting.len();
                    read.view.send_if_modified(|view| std::mem::replace(&mut view.ahead, ahead) != ahead);
                }
                still_waiting.push_back(id);
            }
        }
        self.waiting = still_waiting;
    }

    fn start(&mut self, id: ReadId, reserved: &BTreeSet<ReaderId>) -> bool {
        let Some(read) = self.reads.get_mut(&id) else { return true };
        let owner = read.owner();
        let free = |reader: &Reader| {
            reader.has_card
                && reader.running.is_none()
                && reader.is_open_to(&owner)
                && !reserved.contains(&reader.info.id)
        };
        let found = match (&read.pause, &read.named) {
            (Some(Pause { reader, insertion }), _) => {
                let reader = self.readers.get_mut(reader);
                reader.filter(|reader| {
                    reader.has_card && reader.running.is_none() && reader.insertions != *insertion
                })
            }
            (None, Some(named)) => self.readers.get_mut(named).filter(|reader| free(reader)),
            (None, None) => self.readers.values_mut().find(|reader| free(reader)),
        };
        let Some(reader) = found else { return false };
        let Some(mut job) = read.job.take() else { return true };
        job.behind = reader.info.behind;
        if let Err(job) = reader.owner.take(job) {
            // Its thread ends only with the loop.
            read.job = Some(job);
            return false;
        }
        reader.running = Some(id);
        read.insertion = reader.insertions;
        let reader = reader.info.id.clone();
        read.deadline = Instant::now() + self.options.read_within;
        let was_paused = read.pause.take().is_some();
        read.view.send_modify(|view| {
            view.reader = Some(reader.clone());
            view.state = ReadState::Running;
            view.ahead = 0;
        });
        if was_paused {
            self.tell(Audience::Owner(owner), EventKind::ReadResumed { read: id, reader });
        }
        true
    }

    /// The reading goes on once the card is laid down again, if it is one that can.
    fn pause(&mut self, job: Box<Job>, failure: ReadFailure) -> Result<(), ReadFailure> {
        let id = job.read;
        let Some(read) = self.reads.get_mut(&id) else { return Err(failure) };
        let reader = read.view.borrow().reader.clone().filter(|reader| self.readers.contains_key(reader));
        let (Some(reader), Some(pauses_left)) = (reader, read.pauses_left.checked_sub(1)) else {
            return Err(failure);
        };
        if !failure.is_about_placement() || self.options.wait_for_return.is_zero() {
            return Err(failure);
        }
        read.pauses_left = pauses_left;
        read.job = Some(job);
        read.deadline = Instant::now() + self.options.wait_for_return;
        read.pause = Some(Pause { reader: reader.clone(), insertion: read.insertion });
        let owner = read.owner();
        read.view.send_modify(|view| view.state = ReadState::Paused(failure));
        self.waiting.push_front(id);
        self.tell(Audience::Owner(owner), EventKind::ReadPaused { read: id, reader, failure });
        Ok(())
    }

    pub(crate) fn partial(&mut self, id: ReadId, partial: PartialReading) {
        let Some(read) = self.reads.get_mut(&id) else { return };
        let is_running = read.view.borrow().state == ReadState::Running;
        if !is_running || read.ended_early.is_some() || read.is_orphaned {
            return;
        }
        let reader = partial.reader.clone();
        read.partial = Some(Arc::new(partial));
        let owner = read.owner();
        self.tell(Audience::Owner(owner), EventKind::ReadPartial { read: id, reader });
    }

    pub(crate) fn progress(&mut self, id: ReadId, phase: Phase, percent: u8) {
        let Some(read) = self.reads.get_mut(&id) else { return };
        let went_on = read.view.send_if_modified(|view| {
            let (phase, percent) = (view.phase.max(phase), view.percent.max(percent.min(99)));
            let went_on = view.state == ReadState::Running && (view.phase, view.percent) != (phase, percent);
            if went_on {
                (view.phase, view.percent) = (phase, percent);
            }
            went_on
        });
        let view = read.view.borrow().clone();
        if let (true, Some(reader)) = (went_on, view.reader) {
            let kind = EventKind::ReadProgress { read: id, reader, phase: view.phase, percent: view.percent };
            self.tell(Audience::Owner(view.owner), kind);
        }
    }

    pub(crate) fn finished(&mut self, job: Box<Job>, outcome: Result<Reading, ReadFailure>) {
        let id = job.read;
        for reader in self.readers.values_mut().filter(|reader| reader.running == Some(id)) {
            reader.running = None;
        }
        let ended_early = self.reads.get_mut(&id).and_then(|read| read.ended_early.take());
        let outcome = match (ended_early, outcome) {
            (Some(ended), _) => Err(ended),
            (None, Err(failure)) => match self.pause(job, failure) {
                Ok(()) => return self.dispatch(),
                Err(failure) => Err(failure),
            },
            (None, Ok(reading)) => Ok(reading),
        };
        self.end(id, outcome);
        self.dispatch();
    }

    /// Ends a reading, with its result or without.
    fn end(&mut self, id: ReadId, outcome: Result<Reading, ReadFailure>) {
        let keep = self.options.keep_result;
        self.waiting.retain(|waiting| *waiting != id);
        let Some(read) = self.reads.get_mut(&id) else { return };
        let (owner, reader) = {
            let view = read.view.borrow();
            (view.owner.clone(), view.reader.clone())
        };
        self.options.witness.tell(&ReadEnd {
            read: id,
            owner: owner.clone(),
            errand: &read.errand,
            reader,
            asked: read.asked,
            outcome: outcome.as_ref().map_err(|failure| *failure),
        });
        read.job = None;
        read.pause = None;
        read.deadline = Instant::now() + keep;
        let occasion = read.occasion.clone().map(|occasion| (occasion, read.insertion));
        if let Some((occasion, insertion)) = &occasion {
            self.settle(occasion, *insertion, &outcome);
        }
        let Some(read) = self.reads.get_mut(&id) else { return };
        let (state, kind) = match outcome {
            Ok(reading) => {
                let reading = Arc::new(reading);
                if let Some(conclude) = &read.conclude {
                    conclude.tell(id, Arc::clone(&reading));
                }
                let kept = !read.is_orphaned;
                read.result = kept.then_some(reading);
                let state = if kept { ReadState::Completed } else { ReadState::Expired };
                (state, EventKind::ReadCompleted { read: id })
            }
            Err(failure) => (ReadState::Failed(failure), EventKind::ReadFailed { read: id, failure }),
        };
        read.view.send_modify(|view| {
            view.state = state;
            view.phase = Phase::Over;
            view.percent = 100;
            view.ahead = 0;
        });
        let is_orphaned = read.is_orphaned;
        if state == ReadState::Completed {
            self.results.push_back(id);
            self.bound_results();
        } else {
            self.leave(id);
        }
        if !is_orphaned {
            self.tell(Audience::Owner(owner), kind);
        }
    }

    pub(crate) fn watch(&self, caller: &CallerId, id: ReadId) -> Result<watch::Receiver<ReadView>, NotHere> {
        let view = self.owned(caller, id)?;
        // Nothing changes any more in one that has ended.
        Ok(self
            .reads
            .get(&id)
            .map_or_else(|| watch::Sender::new(view).subscribe(), |read| read.view.subscribe()))
    }

    pub(crate) fn result(&self, caller: &CallerId, id: ReadId) -> Result<Arc<Reading>, NotHere> {
        let state = self.owned(caller, id)?.state;
        match (state, self.reads.get(&id).and_then(|read| read.result.as_ref())) {
            (ReadState::Waiting | ReadState::Running | ReadState::Paused(_), _) => Err(NotHere::NotYet),
            (ReadState::Failed(failure), _) => Err(NotHere::Failed(failure)),
            (ReadState::Completed, Some(result)) => Ok(Arc::clone(result)),
            (ReadState::Completed | ReadState::Expired, _) => Err(NotHere::Expired),
        }
    }

    pub(crate) fn partial_result(
        &self,
        caller: &CallerId,
        id: ReadId,
    ) -> Result<Arc<PartialReading>, NotHere> {
        let state = self.owned(caller, id)?.state;
        match (state, self.reads.get(&id).and_then(|read| read.partial.as_ref())) {
            (ReadState::Failed(failure), _) => Err(NotHere::Failed(failure)),
            (ReadState::Expired, _) => Err(NotHere::Expired),
            (_, Some(partial)) => Ok(Arc::clone(partial)),
            (_, None) => Err(NotHere::NotYet),
        }
    }

    pub(crate) fn dismiss(&mut self, caller: &CallerId, id: ReadId) -> Result<ReadView, NotHere> {
        if self.owned(caller, id)?.state == ReadState::Completed {
            self.wipe(id);
        }
        self.call_off(id);
        self.view(id).ok_or(NotHere::Unknown)
    }

    /// Ends a reading that is not over.
    pub(crate) fn call_off(&mut self, id: ReadId) {
        let state = self.reads.get(&id).map(|read| read.view.borrow().state);
        match state {
            Some(ReadState::Waiting | ReadState::Paused(_)) => {
                self.end(id, Err(ReadFailure::Cancelled));
                self.dispatch();
            }
            Some(ReadState::Running) => self.end_early(id, ReadFailure::Cancelled),
            Some(ReadState::Completed | ReadState::Expired | ReadState::Failed(_)) | None => {}
        }
    }

    /// Finishes a reading that talks to its card and is under a profile, for its consumer alone. Whether it is one.
    pub(crate) fn orphan(&mut self, id: ReadId) -> bool {
        let Some(read) = self.reads.get_mut(&id) else { return false };
        let is_running = read.view.borrow().state == ReadState::Running && read.ended_early.is_none();
        if !is_running || read.conclude.is_none() {
            return false;
        }
        read.is_orphaned = true;
        read.partial = None;
        true
    }

    /// Whether it talks to its card under a profile: then it is finished, whoever has gone.
    pub(crate) fn is_promised(&self, id: ReadId) -> bool {
        self.reads
            .get(&id)
            .is_some_and(|read| read.conclude.is_some() && read.view.borrow().state == ReadState::Running)
    }

    /// The readings of a stay that have no card, or wait for it to be laid down again.
    pub(crate) fn waiting_in(&self, stay: &Stay) -> Vec<ReadId> {
        let of_it =
            |id: &&ReadId| self.reads.get(id).is_some_and(|read| read.errand.stay.as_ref() == Some(stay));
        self.waiting.iter().filter(of_it).copied().collect()
    }

    /// Where a reading began by itself.
    pub(crate) fn began_on(&self, id: ReadId) -> Option<&ReaderId> {
        self.reads.get(&id)?.occasion.as_ref().map(|occasion| &occasion.reader)
    }

    pub(crate) fn reads_of(&self, caller: &CallerId) -> Vec<ReadId> {
        self.reads.iter().filter(|(_, read)| read.view.borrow().owner == *caller).map(|(id, _)| *id).collect()
    }

    /// Another caller's reading is as unknown as one that never was.
    fn owned(&self, caller: &CallerId, id: ReadId) -> Result<ReadView, NotHere> {
        self.view(id).filter(|view| view.owner == *caller).ok_or(NotHere::Unknown)
    }

    /// What of a reading was handed out.
    pub(crate) fn parts_of(&mut self, caller: &CallerId, id: ReadId) -> Result<&mut BTreeSet<Part>, NotHere> {
        self.owned(caller, id)?;
        self.reads.get_mut(&id).map(|read| &mut read.handed_out).ok_or(NotHere::Expired)
    }

    fn view(&self, id: ReadId) -> Option<ReadView> {
        let live = self.reads.get(&id).map(|read| read.view.borrow().clone());
        live.or_else(|| self.over.get(id).cloned())
    }

    /// Lets the owner thread stop at its next exchange; the reading ends when it has.
    fn end_early(&mut self, id: ReadId, failure: ReadFailure) {
        if let Some(read) = self.reads.get_mut(&id) {
            read.ended_early.get_or_insert(failure);
            read.call_off.raise();
        }
    }

    fn wipe(&mut self, id: ReadId) {
        if let Some(read) = self.reads.get(&id) {
            read.view.send_modify(|view| view.state = ReadState::Expired);
        }
        self.leave(id);
    }

    /// Keeps of a reading no more than how it ended. Whoever is sending its result out at this moment holds the last
    /// copy; it is wiped with that.
    fn leave(&mut self, id: ReadId) {
        if let Some(read) = self.reads.remove(&id) {
            let view = read.view.borrow().clone();
            self.over.note(view, Instant::now());
        }
    }

    /// Wipes the oldest results of too many.
    fn bound_results(&mut self) {
        while let Some(oldest) = self.results.front().copied() {
            if self.reads.contains_key(&oldest) && self.results.len() <= MOST_RESULTS {
                break;
            }
            self.results.pop_front();
            self.wipe(oldest);
        }
    }

    // Time.

    /// When the loop must look at the clock next.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.reads
            .values()
            .filter(|read| match read.view.borrow().state {
                ReadState::Waiting | ReadState::Paused(_) | ReadState::Completed => true,
                ReadState::Running => read.ended_early.is_none(),
                ReadState::Expired | ReadState::Failed(_) => false,
            })
            .map(|read| read.deadline)
            .chain(self.readers.values().filter_map(|reader| Some(reader.lease.as_ref()?.until)))
            .chain(self.scans.next_deadline())
            .min()
    }

    pub(crate) fn keep_deadlines(&mut self, now: Instant) {
        self.end_leases(now);
        let due: Vec<(ReadId, ReadState)> = self
            .reads
            .iter()
            .filter(|(_, read)| read.deadline <= now)
            .map(|(id, read)| (*id, read.view.borrow().state))
            .collect();
        for (id, state) in due {
            match state {
                ReadState::Waiting if self.readers.is_empty() => self.end(id, Err(self.why_no_reader())),
                ReadState::Waiting => {
                    let (failure, held_by) = self.why_it_waited(id);
                    if let Some(read) = self.reads.get(&id) {
                        read.view.send_modify(|view| view.held_by = held_by);
                    }
                    self.end(id, Err(failure));
                }
                ReadState::Paused(failure) => {
                    self.end(id, Err(failure));
                    self.dispatch();
                }
                ReadState::Running => self.end_early(id, ReadFailure::TookTooLong),
                ReadState::Completed => self.wipe(id),
                ReadState::Expired | ReadState::Failed(_) => {}
            }
        }
        self.scans.keep_deadlines(now);
        self.over.forget_old(now);
    }

    // Telling.

    pub(crate) fn subscribe(&self, caller: &CallerId, after: Option<u64>) -> Subscription {
        self.journal.subscribe(caller, after)
    }

    pub(crate) fn tell(&mut self, audience: Audience, kind: EventKind) {
        let now = (self.options.clock)();
        self.journal.tell(now, audience, kind);
    }

    /// Calls off what runs and waits, and lets the owner threads go.
    pub(crate) fn close(mut self) {
        let open: Vec<ReadId> = self
            .reads
            .iter()
            .filter(|(_, read)| !read.view.borrow().state.is_over())
            .map(|(id, _)| *id)
            .collect();
        for id in open {
            if let Some(read) = self.reads.get(&id) {
                read.call_off.raise();
            }
            self.end(id, Err(ReadFailure::AgentStopping));
        }
        for (_, reader) in std::mem::take(&mut self.readers) {
            reader.owner.join();
        }
    }
}
