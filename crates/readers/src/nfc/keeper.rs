//! One reader's keeper: the thread that owns its worker, looks for cards, and serves the channel to the one that lies
//! there.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use cccd_card::{Atr, ReaderEvent, ReaderInfo, SecretBytes, StopSignal, TransportError};

use super::fault::{self, Meaning};
use super::made_up_atr::made_up_atr;
use super::process::{NoAnswer, Worker, WorkerProgram};
use super::protocol::{Answer, Found, Request};

/// How often an empty reader is searched for a card, and how often a card that nobody talks to is asked whether it
/// is still there.
const LOOK: Duration = Duration::from_millis(250);
const CHECK: Duration = Duration::from_millis(400);
/// First and longest pause before a reader that was lost is opened again.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// How long a worker may take to open its reader, and for anything but an exchange. A silent port takes libnfc 1.4 s.
const OPEN_WITHIN: Duration = Duration::from_secs(8);
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// What a worker gets over the time its exchange may take: libnfc's own limit comes first where it works.
const GRACE: Duration = Duration::from_secs(1);
/// So many searches that fail in a row are a reader that has lost its mind.
const FAILED_SEARCHES: u32 = 4;
/// How often a card is looked for after its field was off: some take their time to come up.
const WAKE_TRIES: u32 = 3;

/// The number of the next channel. None is ever given twice, also not by a keeper whose reader came back.
static NEXT_CHANNEL: AtomicU64 = AtomicU64::new(1);

/// What a channel asks of the keeper. Each channel has a number.
pub(super) enum Job {
    Connect {
        reply: Sender<Result<(u64, Atr), TransportError>>,
    },
    Transmit {
        channel: u64,
        command: SecretBytes,
        reply: Sender<Result<SecretBytes, TransportError>>,
    },
    Reset {
        channel: u64,
        reply: Sender<Result<Atr, TransportError>>,
    },
    /// The channel is gone.
    Close {
        channel: u64,
    },
    /// Look at the stop signal.
    LookUp,
}

/// What the keeper tells the watching thread.
pub(super) enum News {
    Event(ReaderEvent),
    /// It has looked at its reader for the first time, or could not.
    Looked,
}

/// Everything a keeper is given.
pub(super) struct Keeper<'a> {
    pub(super) info: ReaderInfo,
    pub(super) connstring: &'a str,
    pub(super) program: &'a WorkerProgram,
    pub(super) exchange_within: Duration,
    pub(super) jobs: Receiver<Job>,
    pub(super) news: Sender<News>,
    pub(super) stop: &'a StopSignal,
    /// Whether the watching thread knows that it has looked.
    pub(super) has_looked: Cell<bool>,
}

/// Why a worker is given up.
enum Lost {
    /// It ended, or the reader is of no use: whoever was talking to a card hears this.
    Reader(&'static str),
    /// It did not come back.
    Hung,
    Stopping,
}

impl From<NoAnswer> for Lost {
    fn from(why: NoAnswer) -> Self {
        match why {
            NoAnswer::Ended => Self::Reader("its worker ended"),
            NoAnswer::Hung => Self::Hung,
            NoAnswer::Stopping => Self::Stopping,
        }
    }
}

impl Keeper<'_> {
    /// Keeps the reader until told to stop, whatever becomes of its workers.
    pub(super) fn keep(&self) {
        let mut pause = BACK_OFF.0;
        let mut told_missing = false;
        while !self.stop.is_raised() {
            let since = Instant::now();
            let why = match self.open() {
                Ok(worker) => {
                    told_missing = false;
                    self.tell(ReaderEvent::Attached(self.info.clone()));
                    let mut table = Table::new(self, worker);
                    let why = table.serve();
                    let ended = table.worker.end_or_farewell(&why);
                    self.tell(ReaderEvent::Detached(self.info.id.clone()));
                    if !matches!(why, Lost::Stopping) {
                        tracing::warn!(reader = %self.info.id, why = why.word(), ended, "NFC reader lost");
                    }
                    why
                }
                Err(why) => {
                    if !std::mem::replace(&mut told_missing, true) && !matches!(why, Lost::Stopping) {
                        tracing::warn!(reader = %self.info.id, why = why.word(), "NFC reader cannot be opened; trying on");
                    }
                    why
                }
            };
            self.looked();
            if matches!(why, Lost::Stopping) {
                return;
            }
            // A worker that lived for a while was no failure to start one.
            if since.elapsed() > BACK_OFF.1 {
                pause = BACK_OFF.0;
            }
            self.refuse_for(pause);
            pause = (pause * 2).min(BACK_OFF.1);
        }
    }

    fn open(&self) -> Result<Worker, Lost> {
        let mut worker = Worker::start(self.program, self.connstring)
            .map_err(|_| Lost::Reader("its worker cannot be started"))?;
        match worker.wait(OPEN_WITHIN, self.stop) {
            Ok(Answer::Opened) => Ok(worker),
            Ok(Answer::Failed(code)) => Err(Lost::Reader(fault::name(code))),
            Ok(_) => Err(Lost::Reader("its worker talks nonsense")),
            Err(why) => {
                worker.end_now();
                Err(why.into())
            }
        }
    }

    /// Waits; whoever asks for a card meanwhile hears that there is no reader.
    fn refuse_for(&self, pause: Duration) {
        let until = Instant::now() + pause;
        while !self.stop.is_raised()
            && let left = until.saturating_duration_since(Instant::now())
            && !left.is_zero()
        {
            match self.jobs.recv_timeout(left) {
                Ok(job) => job.refuse(&TransportError::ReaderLost),
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => {
                    self.stop.wait(left);
                    return;
                }
            }
        }
    }

    fn tell(&self, event: ReaderEvent) {
        // Nobody listens once the watching is over.
        let _ = self.news.send(News::Event(event));
    }

    fn looked(&self) {
        if !self.has_looked.replace(true) {
            let _ = self.news.send(News::Looked);
        }
    }
}

impl Job {
    fn refuse(self, why: &TransportError) {
        // Whoever asked may have given up.
        match self {
            Self::Connect { reply } => drop(reply.send(Err(why.clone()))),
            Self::Transmit { reply, .. } => drop(reply.send(Err(why.clone()))),
            Self::Reset { reply, .. } => drop(reply.send(Err(why.clone()))),
            Self::Close { .. } | Self::LookUp => {}
        }
    }
}

impl Lost {
    fn word(&self) -> &'static str {
        match self {
            Self::Reader(why) => why,
            Self::Hung => "its worker hung",
            Self::Stopping => "stopping",
        }
    }
}

impl Worker {
    /// A worker that still listens is let go in peace, so that its reader switches the field off.
    fn end_or_farewell(self, why: &Lost) -> String {
        match why {
            Lost::Stopping => {
                drop(self);
                String::new()
            }
            Lost::Reader(_) | Lost::Hung => self.end_now(),
        }
    }
}

/// An open reader, and what lies on it.
struct Table<'a> {
    keeper: &'a Keeper<'a>,
    worker: Worker,
    card: Option<Lying>,
    /// The channel that was opened last.
    channel: u64,
    /// Whether the card that channel was opened to has left since.
    bereft: bool,
    failed_searches: u32,
}

/// A card, selected.
struct Lying {
    /// Nothing for a card that takes no APDU.
    atr: Option<Atr>,
    /// Whether it was given commands since it was selected.
    used: bool,
}

impl<'a> Table<'a> {
    fn new(keeper: &'a Keeper<'a>, worker: Worker) -> Self {
        Self { keeper, worker, card: None, channel: 0, bereft: true, failed_searches: 0 }
    }

    /// Looks and serves until the reader is lost, or the program ends.
    fn serve(&mut self) -> Lost {
        let mut next_look = Instant::now();
        loop {
            if self.keeper.stop.is_raised() {
                return Lost::Stopping;
            }
            let outcome =
                match self.keeper.jobs.recv_timeout(next_look.saturating_duration_since(Instant::now())) {
                    Ok(job) => self.carry_out(job),
                    Err(RecvTimeoutError::Timeout) => self.look(),
                    Err(RecvTimeoutError::Disconnected) => return Lost::Stopping,
                };
            if let Err(lost) = outcome {
                return lost;
            }
            next_look = Instant::now() + if self.card.is_some() { CHECK } else { LOOK };
        }
    }

    /// Tells what has changed on the reader.
    fn look(&mut self) -> Result<(), Lost> {
        if self.card.is_none() {
            self.find()?;
        } else if !self.is_present()? {
            self.lift()?;
        }
        self.keeper.looked();
        Ok(())
    }

    fn carry_out(&mut self, job: Job) -> Result<(), Lost> {
        match job {
            Job::LookUp => Ok(()),
            Job::Connect { reply } => {
                let connected = self.connect();
                self.answer(&reply, connected)
            }
            Job::Transmit { channel, command, reply } => {
                let answered =
                    self.check(channel).map_or_else(|why| Ok(Err(why)), |()| self.exchange(command));
                self.answer(&reply, answered)
            }
            Job::Reset { channel, reply } => {
                let up =
                    if channel == self.channel { self.reset() } else { Ok(Err(TransportError::CardReset)) };
                self.answer(&reply, up)
            }
            // Nobody after this channel may use the session it opened.
            Job::Close { channel }
                if channel == self.channel && self.card.as_ref().is_some_and(|card| card.used) =>
            {
                self.reset().map(drop)
            }
            Job::Close { .. } => Ok(()),
        }
    }

    fn connect(&mut self) -> Result<Result<(u64, Atr), TransportError>, Lost> {
        self.channel = NEXT_CHANNEL.fetch_add(1, Ordering::Relaxed);
        self.bereft = true;
        let used = match &self.card {
            None => return Ok(Err(TransportError::CardRemoved)),
            Some(Lying { atr: None, .. }) => return Ok(Err(TransportError::CardMute)),
            Some(Lying { used, .. }) => *used,
        };
        if used {
            return Ok(self.reset()?.map(|atr| (self.channel, atr)));
        }
        self.bereft = false;
        let atr = self.card.as_ref().and_then(|card| card.atr.clone());
        Ok(atr.map(|atr| (self.channel, atr)).ok_or(TransportError::CardMute))
    }

    /// Whether a channel may talk to what lies there now.
    fn check(&self, channel: u64) -> Result<(), TransportError> {
        if channel != self.channel {
            Err(TransportError::CardReset)
        } else if self.bereft || self.card.is_none() {
            Err(TransportError::CardRemoved)
        } else {
            Ok(())
        }
    }

    fn exchange(&mut self, command: SecretBytes) -> Result<Result<SecretBytes, TransportError>, Lost> {
        let within = self.keeper.exchange_within;
        if let Some(card) = &mut self.card {
            card.used = true;
        }
        let code = match self.ask(&Request::Exchange { within, command }, within + GRACE)? {
            Answer::Reply(reply) if reply.len() >= 2 => return Ok(Ok(reply)),
            Answer::Reply(reply) => return Ok(Err(TransportError::ShortAnswer { length: reply.len() })),
            Answer::Failed(code) => code,
            _ => return Err(Lost::Reader("its worker talks nonsense")),
        };
        tracing::debug!(reader = %self.keeper.info.id, code = fault::name(code), "an exchange failed");
        match fault::meaning(code) {
            Meaning::Unusable => Err(Lost::Reader(fault::name(code))),
            Meaning::Silent => Err(Lost::Hung),
            Meaning::Uncertain if self.is_present()? => Ok(Err(TransportError::NotTransacted)),
            Meaning::Uncertain | Meaning::CardGone => {
                self.lift()?;
                Ok(Err(TransportError::CardRemoved))
            }
        }
    }

    /// Field off and on, and the card selected anew.
    fn reset(&mut self) -> Result<Result<Atr, TransportError>, Lost> {
        let lay_there = self.card.is_some();
        if lay_there {
            self.rest()?;
        }
        for _ in 0..WAKE_TRIES {
            if let Some(found) = self.search()? {
                self.bereft = false;
                let atr = self.lay(&found, lay_there);
                return Ok(atr.ok_or(TransportError::CardMute));
            }
        }
        self.forget(lay_there);
        Ok(Err(TransportError::CardRemoved))
    }

    /// Looks for a card on an empty reader.
    fn find(&mut self) -> Result<(), Lost> {
        if let Some(found) = self.search()? {
            self.lay(&found, false);
        }
        Ok(())
    }

    fn search(&mut self) -> Result<Option<Found>, Lost> {
        match self.ask(&Request::Find, ANSWER_WITHIN)? {
            Answer::Nothing => {
                self.failed_searches = 0;
                Ok(None)
            }
            Answer::Card(found) => {
                self.failed_searches = 0;
                Ok(Some(found))
            }
            Answer::Failed(code) => {
                self.failed_searches += 1;
                if fault::meaning(code) == Meaning::Unusable || self.failed_searches >= FAILED_SEARCHES {
                    return Err(Lost::Reader(fault::name(code)));
                }
                Ok(None)
            }
            _ => Err(Lost::Reader("its worker talks nonsense")),
        }
    }

    fn is_present(&mut self) -> Result<bool, Lost> {
        match self.ask(&Request::Check, ANSWER_WITHIN)? {
            Answer::Done => Ok(true),
            // Some chips are silent for a while when a card is torn off; whether they are still there, the next
            // search tells.
            Answer::Failed(code) if fault::meaning(code) != Meaning::Unusable => Ok(false),
            Answer::Failed(code) => Err(Lost::Reader(fault::name(code))),
            _ => Err(Lost::Reader("its worker talks nonsense")),
        }
    }

    fn rest(&mut self) -> Result<(), Lost> {
        match self.ask(&Request::Rest, ANSWER_WITHIN)? {
            Answer::Done => Ok(()),
            Answer::Failed(code) => Err(Lost::Reader(fault::name(code))),
            _ => Err(Lost::Reader("its worker talks nonsense")),
        }
    }

    fn ask(&mut self, request: &Request, within: Duration) -> Result<Answer, Lost> {
        Ok(self.worker.ask(request, within, self.keeper.stop)?)
    }

    /// A card lies there, another than before or the same.
    fn lay(&mut self, found: &Found, is_known: bool) -> Option<Atr> {
        let atr = made_up_atr(found);
        self.card = Some(Lying { atr: atr.clone(), used: false });
        if !is_known {
            let reader = self.keeper.info.id.clone();
            self.keeper.tell(ReaderEvent::CardInserted { reader, atr: atr.clone() });
        }
        atr
    }

    /// The card has left.
    fn lift(&mut self) -> Result<(), Lost> {
        self.forget(true);
        self.rest()
    }

    fn forget(&mut self, lay_there: bool) {
        self.card = None;
        self.bereft = true;
        if lay_there {
            self.keeper.tell(ReaderEvent::CardRemoved(self.keeper.info.id.clone()));
        }
    }

    /// Answers a channel, also where the reader is lost over its question.
    fn answer<T>(
        &self,
        reply: &Sender<Result<T, TransportError>>,
        outcome: Result<Result<T, TransportError>, Lost>,
    ) -> Result<(), Lost> {
        let (said, lost) = match outcome {
            Ok(said) => (said, Ok(())),
            Err(Lost::Hung) => {
                (Err(TransportError::TimedOut { after: self.keeper.exchange_within }), Err(Lost::Hung))
            }
            Err(lost) => (Err(TransportError::ReaderLost), Err(lost)),
        };
        // Whoever asked may have given up.
        let _ = reply.send(said);
        lost
    }
}
