//! The one who writes entries, so that nobody else waits for the disk.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use time::OffsetDateTime;

use super::entry::{Entry, EntryKind};
use super::refusals::RefusalMeter;
use crate::store::told;
use crate::{Store, StoreError};

/// Entries that wait for the disk at most; further ones are lost, and counted.
const WAITING: usize = 1024;
/// How often counted refusals are entered.
const ROUND: Duration = Duration::from_secs(60);
/// How long to wait before a disk that failed is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

type Clock = Arc<dyn Fn() -> OffsetDateTime + Send + Sync>;

/// Takes entries at any time from any thread and writes them one after the other, in a thread of its own. Clones are
/// the same scribe.
///
/// While the disk refuses, entries wait; where too many wait, the next are lost, and an entry tells how many.
#[derive(Clone)]
pub struct Scribe(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Clock,
    desk: SyncSender<Message>,
    lost: Arc<AtomicU64>,
    meter: Arc<Mutex<RefusalMeter>>,
    written: Arc<Written>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

enum Message {
    Entry(Box<Entry>, OffsetDateTime),
    Settle(SyncSender<()>),
    Stop,
}

/// How far the chain has come.
#[derive(Default)]
struct Written {
    state: Mutex<WrittenState>,
    more: Condvar,
}

#[derive(Default)]
struct WrittenState {
    sequence: u64,
    closing: bool,
}

impl Scribe {
    /// Starts to write into this store, with the time of this clock.
    pub fn start(store: Store, clock: Clock) -> Result<Self, StoreError> {
        let (desk, messages) = mpsc::sync_channel(WAITING);
        let written = Arc::new(Written::default());
        written.lock().sequence = store.audit().last()?;
        let (lost, meter) = (Arc::default(), Arc::new(Mutex::new(RefusalMeter::new())));
        let writer = Writer {
            store: store.clone(),
            clock: Arc::clone(&clock),
            lost: Arc::clone(&lost),
            meter: Arc::clone(&meter),
            written: Arc::clone(&written),
        };
        let thread = std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || writer.run(&messages))
            .map_err(|source| StoreError::File { path: "audit".into(), source })?;
        let thread = Mutex::new(Some(thread));
        Ok(Self(Arc::new(Inner { store, clock, desk, lost, meter, written, thread })))
    }

    /// Where it writes.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// The time it is now.
    pub fn now(&self) -> OffsetDateTime {
        (self.0.clock)()
    }

    /// Enters this, with the time it is now.
    pub fn enter(&self, entry: Entry) {
        let message = Message::Entry(Box::new(entry), self.now());
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = self.0.desk.try_send(message) {
            self.0.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Enters a refusal. Where too many come, they are counted, and the counts entered.
    pub fn refused(&self, entry: Entry) {
        let kind = entry.outcome.clone().unwrap_or_default();
        let admitted = {
            let mut meter = self.0.meter.lock().unwrap_or_else(PoisonError::into_inner);
            meter.admits(&kind, self.now())
        };
        if admitted {
            self.enter(entry);
        }
    }

    /// Waits until everything that was entered before is on the disk, or given up.
    pub fn settle(&self) {
        let (done, settled) = mpsc::sync_channel(1);
        if self.0.desk.send(Message::Settle(done)).is_ok() {
            let _ = settled.recv();
        }
    }

    /// Waits until the chain has gone beyond an entry, for so long at most; `None` once the scribe closes.
    pub fn wait_beyond(&self, sequence: u64, at_most: Duration) -> Option<u64> {
        let written = &self.0.written;
        let state = written.lock();
        let waited = written
            .more
            .wait_timeout_while(state, at_most, |state| !state.closing && state.sequence <= sequence)
            .unwrap_or_else(PoisonError::into_inner);
        (!waited.0.closing).then_some(waited.0.sequence)
    }

    /// Waits as long as this, or until the scribe closes: `None`.
    pub fn pause(&self, time: Duration) -> Option<()> {
        self.wait_beyond(u64::MAX, time).map(drop)
    }

    /// Writes what was entered, and ends. What is entered later is lost.
    pub fn close(&self) {
        {
            let mut state = self.0.written.lock();
            state.closing = true;
        }
        self.0.written.more.notify_all();
        let _ = self.0.desk.send(Message::Stop);
        let thread = self.0.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _ = thread.map(JoinHandle::join);
    }
}

impl Written {
    fn lock(&self) -> MutexGuard<'_, WrittenState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Writer {
    store: Store,
    clock: Clock,
    lost: Arc<AtomicU64>,
    meter: Arc<Mutex<RefusalMeter>>,
    written: Arc<Written>,
}

impl Writer {
    fn run(self, messages: &Receiver<Message>) {
        loop {
            match messages.recv_timeout(ROUND) {
                Ok(Message::Entry(entry, now)) => self.write(&entry, now),
                Ok(Message::Settle(done)) => drop(done.send(())),
                Err(RecvTimeoutError::Timeout) => self.write_counted(),
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.write_counted();
    }

    fn write_counted(&self) {
        let counted = self.meter.lock().unwrap_or_else(PoisonError::into_inner).counted();
        if let Some(entry) = counted {
            self.write(&entry, (self.clock)());
        }
    }

    /// Writes an entry, however long the disk refuses; once the program closes it is tried one last time.
    fn write(&self, entry: &Entry, now: OffsetDateTime) {
        let mut failed = false;
        loop {
            let closing = self.written.lock().closing;
            match self.store.audit().append(entry, now) {
                Ok(receipt) => {
                    self.written.lock().sequence = receipt.sequence;
                    self.written.more.notify_all();
                    break;
                }
                Err(error) => {
                    if !failed {
                        tracing::error!(error = told(&error), "cannot write to the audit chain");
                    }
                    failed = true;
                    if closing {
                        self.lost.fetch_add(1, Ordering::Relaxed);
                        return;
                    }
                }
            }
            let state = self.written.lock();
            drop(self.written.more.wait_timeout_while(state, AGAIN_AFTER, |state| !state.closing));
        }
        if failed {
            tracing::info!("the audit chain is written to again");
        }
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::error!(lost, "entries of the audit chain were lost");
            let entry = Entry::new(EntryKind::EntriesLost).with("count", lost.to_string());
            match self.store.audit().append(&entry, (self.clock)()) {
                Ok(receipt) => self.written.lock().sequence = receipt.sequence,
                // They stay lost, and are told later.
                Err(_) => drop(self.lost.fetch_add(lost, Ordering::Relaxed)),
            }
            self.written.more.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-20 08:00 UTC);

    fn scribe() -> Scribe {
        Scribe::start(Store::in_memory(NOW).unwrap(), Arc::new(|| NOW)).unwrap()
    }

    fn kinds(store: &Store) -> Vec<EntryKind> {
        store.audit().after(0, 10_000).unwrap().into_iter().map(|recorded| recorded.entry.kind).collect()
    }

    #[test]
    fn what_was_entered_is_there_in_its_order_once_it_closes() {
        let scribe = scribe();
        for number in 0..200 {
            scribe.enter(Entry::new(EntryKind::ReadEnded).with("number", number.to_string()));
        }
        scribe.close();
        let entries = scribe.store().audit().after(0, 1000).unwrap();
        let numbers: Vec<String> =
            entries.iter().map(|recorded| recorded.entry.more["number"].clone()).collect();
        assert_eq!(numbers, (0..200).map(|number| number.to_string()).collect::<Vec<_>>());
        // Whoever comes late waits for nothing.
        scribe.enter(Entry::new(EntryKind::ReadEnded));
        scribe.settle();
        scribe.close();
        assert_eq!(scribe.wait_beyond(0, Duration::from_secs(60)), None);
    }

    #[test]
    fn a_flood_of_refusals_is_counted() {
        let scribe = scribe();
        for _ in 0..5_000 {
            let outcome = Some("token-wrong".to_owned());
            scribe.refused(Entry { outcome, ..Entry::new(EntryKind::CallerRefused) });
        }
        scribe.close();
        let kinds = kinds(scribe.store());
        assert_eq!(kinds.len(), 21);
        assert_eq!(kinds.last(), Some(&EntryKind::RefusalsCounted));
    }

    #[test]
    fn whoever_waits_hears_of_the_next_entry() {
        let scribe = scribe();
        let waiting = {
            let scribe = scribe.clone();
            std::thread::spawn(move || scribe.wait_beyond(0, Duration::from_secs(60)))
        };
        scribe.enter(Entry::new(EntryKind::AgentStarted));
        assert_eq!(waiting.join().unwrap(), Some(1));
        assert_eq!(scribe.wait_beyond(1, Duration::ZERO), Some(1));
    }

    #[test]
    fn what_waits_for_a_disk_that_refuses_is_written_later() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("store");
        let store = Store::open(&folder, NOW).unwrap();
        let scribe = Scribe::start(store, Arc::new(|| NOW)).unwrap();
        // The head can be neither read nor replaced.
        let (head, away) = (folder.join("audit.head"), folder.join("away"));
        std::fs::rename(&head, &away).unwrap();
        std::fs::create_dir(&head).unwrap();
        scribe.enter(Entry::new(EntryKind::ReadEnded));
        assert_eq!(scribe.wait_beyond(0, Duration::from_millis(50)), Some(0));
        std::fs::remove_dir(&head).unwrap();
        std::fs::rename(&away, &head).unwrap();
        assert_eq!(scribe.wait_beyond(0, Duration::from_secs(60)), Some(1));
        assert_eq!(kinds(scribe.store()), [EntryKind::ReadEnded]);
        assert_eq!(scribe.store().audit().verify().unwrap().fault, None);
    }
}
