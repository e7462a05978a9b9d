//! The loop, and the handle through which everyone else speaks to it.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use cccd_card::{
    ReaderEvent, ReaderId, ReaderInfo, ReaderRefusal, ReaderSource, ScannerEvent, ScannerInfo, ScannerSource,
    SecretBytes, StopSignal,
};
use cccd_document::{AccessPlan, Evidence, QrPayload, StationLack};
use cccd_emrtd::Terminal;
use cccd_trust::Verdict;
use time::OffsetDateTime;
use tokio::sync::{oneshot, watch};

use crate::desk::Desk;
use crate::learned::{Memory, NoMemory};
use crate::owner::Job;
use crate::scan::{Scan, ScanNotHere, ScanReach};
use crate::{
    CallerId, Errand, LeaseTerms, LeaseView, NoLease, Part, PartialReading, Phase, ReadFailure, ReadId,
    ReadRequest, ReadView, Reading, ScanId, Stay, Subscription, Witness,
};

/// Tells the time of day. Only the outermost room has a real one.
pub type Clock = Arc<dyn Fn() -> OffsetDateTime + Send + Sync>;

/// Judges what was read, with the trust anchors it has, at a moment.
pub type Judge = Arc<dyn Fn(&Evidence, OffsetDateTime) -> Verdict + Send + Sync>;

/// The certified station this machine is at a moment, or why it is none. Asked for each reading that wants
/// fingerprints or irises: certificates of stations are renewed often, and a key need not lie in memory between.
pub type Station = Arc<dyn Fn(OffsetDateTime) -> Result<Terminal, StationLack> + Send + Sync>;

/// How the engine behaves.
#[derive(Clone)]
pub struct EngineOptions {
    /// How long a reading waits for a card when its caller does not say.
    pub wait_for_card: Duration,
    /// How long a reading may take once the card is there.
    pub read_within: Duration,
    /// How long a reading whose card was lifted waits for it to be laid down again. Zero: not at all.
    pub wait_for_return: Duration,
    /// How long a result is kept.
    pub keep_result: Duration,
    /// How long a scan is kept.
    pub keep_scan: Duration,
    /// How many readings may wait at once.
    pub queue: usize,
    /// The time of day.
    pub clock: Clock,
    /// What judges a reading.
    pub judge: Judge,
    /// The station this machine is.
    pub station: Station,
    /// Who is told how each reading ended.
    pub witness: Witness,
    /// Where what is learned of readers and makes of card is kept.
    pub memory: Arc<dyn Memory>,
}

impl Default for EngineOptions {
    /// Half a minute for the card, a minute for the reading, a minute and a half for results and scans. The clock
    /// stands still at the epoch: a program sets its own.
    fn default() -> Self {
        Self {
            wait_for_card: Duration::from_secs(30),
            read_within: Duration::from_secs(60),
            wait_for_return: Duration::from_secs(10),
            keep_result: Duration::from_secs(90),
            keep_scan: Duration::from_secs(90),
            queue: 16,
            clock: Arc::new(|| OffsetDateTime::UNIX_EPOCH),
            // Without a judge nothing was checked, and nothing is confirmed.
            judge: Arc::new(|_, _| Verdict::of(Vec::new())),
            station: Arc::new(|_| Err(StationLack::NotSetUp)),
            witness: Witness::none(),
            memory: Arc::new(NoMemory),
        }
    }
}

impl fmt::Debug for EngineOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineOptions").field("queue", &self.queue).finish_non_exhaustive()
    }
}

/// A reader as seen from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReaderView {
    /// What it is.
    pub info: ReaderInfo,
    /// Whether a card lies on it.
    pub has_card: bool,
    /// Who reads on it now, or has it leased.
    pub held_by: Option<CallerId>,
    /// Whether a reading runs on it, or waits for its card to come back.
    pub is_reading: bool,
}

/// Why a reading was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{failure}")]
pub struct Refused {
    /// Why.
    pub failure: ReadFailure,
    /// Who holds the reader, where that is why.
    pub held_by: Option<CallerId>,
}

impl From<ReadFailure> for Refused {
    fn from(failure: ReadFailure) -> Self {
        Self { failure, held_by: None }
    }
}

/// Why there is nothing to hand out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotHere {
    /// No reading of this name belongs to this caller.
    #[error("no such reading")]
    Unknown,
    /// The reading is not over yet.
    #[error("reading is not over")]
    NotYet,
    /// This part of it was handed out, to an owner who gets it once.
    #[error("result has been handed out")]
    Taken,
    /// Its result has been wiped.
    #[error("result has been wiped")]
    Expired,
    /// It ended without a result.
    #[error("reading failed: {0}")]
    Failed(ReadFailure),
}

/// What happened at a scanner, understood.
pub(crate) enum ScannerNews {
    Plain(ScannerEvent),
    Scanned { scanner: cccd_card::ScannerId, payload: Box<QrPayload> },
}

/// What reaches the loop.
pub(crate) enum Message {
    Reader {
        source: usize,
        event: ReaderEvent,
    },
    Scanner(ScannerNews),
    Progress {
        read: ReadId,
        phase: Phase,
        percent: u8,
    },
    Partial {
        read: ReadId,
        partial: Box<PartialReading>,
    },
    Finished {
        job: Box<Job>,
        outcome: Box<Result<Reading, ReadFailure>>,
    },
    Submit {
        request: Box<ReadRequest>,
        errand: Box<Errand>,
        reply: oneshot::Sender<Result<ReadView, Refused>>,
    },
    Watch {
        caller: CallerId,
        read: ReadId,
        reply: oneshot::Sender<Result<watch::Receiver<ReadView>, NotHere>>,
    },
    Result {
        caller: CallerId,
        read: ReadId,
        reply: oneshot::Sender<Result<Arc<Reading>, NotHere>>,
    },
    PartialResult {
        caller: CallerId,
        read: ReadId,
        reply: oneshot::Sender<Result<Arc<PartialReading>, NotHere>>,
    },
    HandOut {
        caller: CallerId,
        read: ReadId,
        part: Part,
        reply: oneshot::Sender<Result<(), NotHere>>,
    },
    Lease {
        caller: CallerId,
        reader: ReaderId,
        terms: Box<LeaseTerms>,
        reply: oneshot::Sender<Result<LeaseView, NoLease>>,
    },
    EndLease {
        caller: CallerId,
        reader: ReaderId,
        reply: oneshot::Sender<Result<(), NoLease>>,
    },
    Dismiss {
        caller: CallerId,
        read: ReadId,
        reply: oneshot::Sender<Result<ReadView, NotHere>>,
    },
    Forget {
        caller: CallerId,
        reply: oneshot::Sender<()>,
    },
    EndStay {
        stay: Stay,
        reply: oneshot::Sender<()>,
    },
    Readers {
        reply: oneshot::Sender<Vec<ReaderView>>,
    },
    Refused {
        reply: oneshot::Sender<Vec<(ReaderId, ReaderRefusal)>>,
    },
    Post {
        poster: CallerId,
        payloads: Vec<QrPayload>,
        reply: oneshot::Sender<Result<Vec<Arc<Scan>>, ReadFailure>>,
    },
    Fetch {
        caller: CallerId,
        reach: ScanReach,
        scan: ScanId,
        reply: oneshot::Sender<Result<Arc<Scan>, ScanNotHere>>,
    },
    ScanAccess {
        caller: CallerId,
        reach: ScanReach,
        scan: ScanId,
        reply: oneshot::Sender<Result<AccessPlan, ScanNotHere>>,
    },
    DismissScan {
        caller: CallerId,
        reach: ScanReach,
        scan: ScanId,
        reply: oneshot::Sender<Result<(), ScanNotHere>>,
    },
    Scanners {
        reply: oneshot::Sender<Vec<ScannerInfo>>,
    },
    Subscribe {
        caller: CallerId,
        after: Option<u64>,
        reply: oneshot::Sender<Subscription>,
    },
    Ready {
        reply: oneshot::Sender<bool>,
    },
    Settled {
        reply: oneshot::Sender<bool>,
    },
    Stop,
}

/// Speaks to the engine. Each question is answered through a receiver that can be awaited, or waited for
/// with `blocking_recv`; it fails only once the engine has stopped.
#[derive(Clone)]
pub struct EngineHandle {
    inbox: mpsc::Sender<Message>,
}

impl EngineHandle {
    /// Asks for a reading.
    pub fn submit(&self, request: ReadRequest) -> oneshot::Receiver<Result<ReadView, Refused>> {
        self.submit_for(request, Errand::default())
    }

    /// The same, on whose behalf.
    pub fn submit_for(
        &self,
        request: ReadRequest,
        errand: Errand,
    ) -> oneshot::Receiver<Result<ReadView, Refused>> {
        let (request, errand) = (Box::new(request), Box::new(errand));
        self.ask(|reply| Message::Submit { request, errand, reply })
    }

    /// Follows a reading: the receiver always holds its newest view.
    pub fn watch(
        &self,
        caller: CallerId,
        read: ReadId,
    ) -> oneshot::Receiver<Result<watch::Receiver<ReadView>, NotHere>> {
        self.ask(|reply| Message::Watch { caller, read, reply })
    }

    /// Hands the result to its owner. It stays for another fetch until its time is over.
    pub fn result(&self, caller: CallerId, read: ReadId) -> oneshot::Receiver<Result<Arc<Reading>, NotHere>> {
        self.ask(|reply| Message::Result { caller, read, reply })
    }

    /// Hands out what a reading has found so far, once it knows who the person is, until its result is wiped.
    pub fn partial(
        &self,
        caller: CallerId,
        read: ReadId,
    ) -> oneshot::Receiver<Result<Arc<PartialReading>, NotHere>> {
        self.ask(|reply| Message::PartialResult { caller, read, reply })
    }

    /// Notes that a part of a result is handed to its owner, who gets it once: refuses where it was before.
    pub fn hand_out(
        &self,
        caller: CallerId,
        read: ReadId,
        part: Part,
    ) -> oneshot::Receiver<Result<(), NotHere>> {
        self.ask(|reply| Message::HandOut { caller, read, part, reply })
    }

    /// Keeps a reader for one caller for a while, or longer where they have it already. Nobody else's reading starts
    /// there. With `auto_read`, a code scanned and a card laid there make a reading of theirs, for as long as the lease
    /// runs and asks for it.
    pub fn lease(
        &self,
        caller: CallerId,
        reader: ReaderId,
        terms: LeaseTerms,
    ) -> oneshot::Receiver<Result<LeaseView, NoLease>> {
        let terms = Box::new(terms);
        self.ask(|reply| Message::Lease { caller, reader, terms, reply })
    }

    /// Gives a leased reader back. Giving back what one does not have does no harm.
    pub fn end_lease(&self, caller: CallerId, reader: ReaderId) -> oneshot::Receiver<Result<(), NoLease>> {
        self.ask(|reply| Message::EndLease { caller, reader, reply })
    }

    /// Calls a reading off, or, where it is over, wipes its result.
    pub fn dismiss(&self, caller: CallerId, read: ReadId) -> oneshot::Receiver<Result<ReadView, NotHere>> {
        self.ask(|reply| Message::Dismiss { caller, read, reply })
    }

    /// Calls off and wipes everything of a caller who may not call any more: readings that wait or run, results, scans,
    /// leases. What is being sent out at this moment is for whoever sends it to stop. A reading under a profile that talks
    /// to its card is finished and concluded: who it is for was said when it was accepted. Its caller gets nothing of it.
    pub fn forget(&self, caller: CallerId) -> oneshot::Receiver<()> {
        self.ask(|reply| Message::Forget { caller, reply })
    }

    /// Ends a stay: its leases, and its readings that have no card yet. What is asked for in it from now on is refused.
    pub fn end_stay(&self, stay: Stay) -> oneshot::Receiver<()> {
        stay.end();
        self.ask(|reply| Message::EndStay { stay, reply })
    }

    /// Lists the readers, by name.
    pub fn readers(&self) -> oneshot::Receiver<Vec<ReaderView>> {
        self.ask(|reply| Message::Readers { reply })
    }

    /// The readers that are there and are not used, and why.
    pub fn refused(&self) -> oneshot::Receiver<Vec<(ReaderId, ReaderRefusal)>> {
        self.ask(|reply| Message::Refused { reply })
    }

    /// Keeps codes that a caller has read from a picture or was typed, in their order. They are the caller's, who
    /// is handed them here and now.
    pub fn post_scans(
        &self,
        poster: CallerId,
        payloads: Vec<QrPayload>,
    ) -> oneshot::Receiver<Result<Vec<Arc<Scan>>, ReadFailure>> {
        self.ask(|reply| Message::Post { poster, payloads, reply })
    }

    /// Hands a scan to the first caller who may have it and asks, once.
    pub fn fetch_scan(
        &self,
        caller: CallerId,
        reach: ScanReach,
        scan: ScanId,
    ) -> oneshot::Receiver<Result<Arc<Scan>, ScanNotHere>> {
        self.ask(|reply| Message::Fetch { caller, reach, scan, reply })
    }

    /// What opens a chip with a scan; it is the caller's from then on, and its text need not leave.
    pub fn scan_access(
        &self,
        caller: CallerId,
        reach: ScanReach,
        scan: ScanId,
    ) -> oneshot::Receiver<Result<AccessPlan, ScanNotHere>> {
        self.ask(|reply| Message::ScanAccess { caller, reach, scan, reply })
    }

    /// Wipes a scan.
    pub fn dismiss_scan(
        &self,
        caller: CallerId,
        reach: ScanReach,
        scan: ScanId,
    ) -> oneshot::Receiver<Result<(), ScanNotHere>> {
        self.ask(|reply| Message::DismissScan { caller, reach, scan, reply })
    }

    /// Lists the scanners, by name.
    pub fn scanners(&self) -> oneshot::Receiver<Vec<ScannerInfo>> {
        self.ask(|reply| Message::Scanners { reply })
    }

    /// Hears what `caller` may hear, from the event after `after` on.
    pub fn subscribe(&self, caller: CallerId, after: Option<u64>) -> oneshot::Receiver<Subscription> {
        self.ask(|reply| Message::Subscribe { caller, after, reply })
    }

    /// Whether every kind of reader can be seen.
    pub fn ready(&self) -> oneshot::Receiver<bool> {
        self.ask(|reply| Message::Ready { reply })
    }

    /// The same, answered once every kind of reader has had its first look.
    pub fn settled(&self) -> oneshot::Receiver<bool> {
        self.ask(|reply| Message::Settled { reply })
    }

    fn ask<T>(&self, message: impl FnOnce(oneshot::Sender<T>) -> Message) -> oneshot::Receiver<T> {
        let (reply, receiver) = oneshot::channel();
        // With the loop gone the reply is dropped here, and the receiver says so.
        let _ = self.inbox.send(message(reply));
        receiver
    }
}

/// The running engine. Dropping it calls every reading off and waits for its threads.
pub struct Engine {
    handle: EngineHandle,
    stop: StopSignal,
    threads: Vec<JoinHandle<()>>,
}

impl Engine {
    /// Starts the loop, and a watching thread for each source of readers or scanners.
    pub fn start(
        sources: Vec<Arc<dyn ReaderSource>>,
        scanners: Vec<Arc<dyn ScannerSource>>,
        options: EngineOptions,
    ) -> Self {
        let (inbox, messages) = mpsc::channel();
        let stop = StopSignal::default();
        let mut threads = Vec::new();
        for (index, source) in sources.iter().enumerate() {
            let (source, inbox, stop) = (Arc::clone(source), inbox.clone(), stop.clone());
            threads.push(std::thread::spawn(move || {
                let mut tell = |event| {
                    let _ = inbox.send(Message::Reader { source: index, event });
                };
                source.watch(&mut tell, &stop);
            }));
        }
        for scanner in scanners {
            let (inbox, stop) = (inbox.clone(), stop.clone());
            threads.push(std::thread::spawn(move || {
                let mut tell = |event| {
                    let _ = inbox.send(Message::Scanner(understood(event)));
                };
                scanner.watch(&mut tell, &stop);
            }));
        }
        let desk = Desk::new(sources, inbox.clone(), options);
        threads.push(std::thread::spawn(move || run(desk, &messages)));
        Self { handle: EngineHandle { inbox }, stop, threads }
    }

    /// The way to speak to it.
    pub fn handle(&self) -> EngineHandle {
        self.handle.clone()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop.raise();
        let _ = self.handle.inbox.send(Message::Stop);
        for thread in self.threads.drain(..) {
            // A thread that panicked has been reported by the panic hook.
            let _ = thread.join();
        }
    }
}

/// The longest text a code can have is 7089 digits (ISO/IEC 18004, version 40-L).
const LONGEST_SCAN: usize = 8192;

/// Reads what was scanned, in the thread of its scanner: the loop itself takes nothing apart.
fn understood(event: ScannerEvent) -> ScannerNews {
    match event {
        ScannerEvent::Scanned { scanner, payload } => match read_payload(&payload) {
            Some(payload) => ScannerNews::Scanned { scanner, payload: Box::new(payload) },
            None => ScannerNews::Plain(ScannerEvent::Garbled(scanner)),
        },
        plain => ScannerNews::Plain(plain),
    }
}

/// A fault in a decoder costs this one code.
fn read_payload(bytes: &SecretBytes) -> Option<QrPayload> {
    if bytes.len() > LONGEST_SCAN || bytes.trim_ascii().is_empty() {
        return None;
    }
    catch_unwind(AssertUnwindSafe(|| QrPayload::parse(bytes))).ok()
}

/// Takes messages until told to stop, and looks after deadlines in between.
fn run(mut desk: Desk, messages: &mpsc::Receiver<Message>) {
    loop {
        let message = match desk.next_deadline() {
            Some(deadline) => messages.recv_timeout(deadline.saturating_duration_since(Instant::now())),
            None => messages.recv().map_err(|_| mpsc::RecvTimeoutError::Disconnected),
        };
        match message {
            Ok(Message::Stop) | Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Ok(message) => desk.handle(message),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
        }
        desk.keep_deadlines(Instant::now());
    }
    desk.close();
}

impl Desk {
    fn handle(&mut self, message: Message) {
        // An asker that has gone away needs no answer.
        match message {
            Message::Reader { source, event } => self.reader_event(source, event),
            Message::Scanner(news) => self.scanner_news(news),
            Message::Progress { read, phase, percent } => self.progress(read, phase, percent),
            Message::Partial { read, partial } => self.partial(read, *partial),
            Message::Finished { job, outcome } => self.finished(job, *outcome),
            Message::Submit { request, errand, reply } => {
                drop(reply.send(self.submit(*request, *errand)));
            }
            Message::Watch { caller, read, reply } => drop(reply.send(self.watch(&caller, read))),
            Message::Result { caller, read, reply } => drop(reply.send(self.result(&caller, read))),
            Message::PartialResult { caller, read, reply } => {
                drop(reply.send(self.partial_result(&caller, read)));
            }
            Message::HandOut { caller, read, part, reply } => {
                let _ = reply.send(self.hand_out(&caller, read, part));
            }
            Message::Lease { caller, reader, terms, reply } => {
                drop(reply.send(self.lease(caller, reader, *terms)));
            }
            Message::EndLease { caller, reader, reply } => {
                drop(reply.send(self.end_lease(&caller, &reader)));
            }
            Message::Dismiss { caller, read, reply } => drop(reply.send(self.dismiss(&caller, read))),
            Message::Forget { caller, reply } => {
                self.forget(&caller);
                let _ = reply.send(());
            }
            Message::EndStay { stay, reply } => {
                self.end_stay(&stay);
                let _ = reply.send(());
            }
            Message::Readers { reply } => drop(reply.send(self.readers())),
            Message::Refused { reply } => drop(reply.send(self.refused())),
            Message::Post { poster, payloads, reply } => drop(reply.send(self.post_scans(&poster, payloads))),
            Message::Fetch { caller, reach, scan, reply } => {
                drop(reply.send(self.scans.fetch(&caller, reach, scan)));
            }
            Message::ScanAccess { caller, reach, scan, reply } => {
                drop(reply.send(self.scans.access(&caller, reach, scan)));
            }
            Message::DismissScan { caller, reach, scan, reply } => {
                let _ = reply.send(self.scans.dismiss(&caller, reach, scan, Instant::now()));
            }
            Message::Scanners { reply } => drop(reply.send(self.scanners())),
            Message::Subscribe { caller, after, reply } => drop(reply.send(self.subscribe(&caller, after))),
            Message::Ready { reply } => drop(reply.send(self.ready())),
            Message::Settled { reply } => self.settled(reply),
            Message::Stop => {}
        }
    }
}
