//! The owner thread of one reader: the only one that talks to its cards.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;

use cccd_card::{Behind, ReaderId, ReaderSource};
use cccd_document::{AccessPlan, Biometrics, Expectation, FieldSet, FileId, FileOutcome};

use crate::conversation;
use crate::engine::Message;
use crate::learned::Learned;
use crate::{EngineOptions, ReadFailure, ReadId, UnderProfile};

/// Raised by the engine to end a reading before its time.
#[derive(Debug, Clone, Default)]
pub(crate) struct CallOff(Arc<AtomicBool>);

impl CallOff {
    pub(crate) fn raise(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_raised(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// A reading handed to an owner thread.
pub(crate) struct Job {
    pub(crate) read: ReadId,
    pub(crate) access: AccessPlan,
    pub(crate) nonce: Option<Vec<u8>>,
    pub(crate) groups: BTreeSet<FileId>,
    pub(crate) fields: FieldSet,
    pub(crate) under: Option<UnderProfile>,
    pub(crate) expect: Option<Expectation>,
    pub(crate) biometrics: Biometrics,
    /// What stands behind the reader it runs on.
    pub(crate) behind: Behind,
    pub(crate) call_off: CallOff,
    /// What was read before the card was lifted.
    pub(crate) kept: BTreeMap<FileId, FileOutcome>,
}

/// One reader's owner thread. Dropping it lets the thread end after what it does now; a thread that hangs
/// in a driver is left to its watchdog.
pub(crate) struct Owner {
    jobs: mpsc::Sender<Box<Job>>,
    thread: JoinHandle<()>,
}

impl Owner {
    pub(crate) fn start(
        reader: ReaderId,
        source: Arc<dyn ReaderSource>,
        inbox: mpsc::Sender<Message>,
        options: EngineOptions,
    ) -> Self {
        let (jobs, queue) = mpsc::channel::<Box<Job>>();
        let thread = std::thread::spawn(move || {
            let mut learned = Learned::of(&reader, Arc::clone(&options.memory));
            for mut job in queue {
                // A fault in a decoder ends this reading; the reader goes on. The card is connected anew
                // for every job, so nothing half-done outlives the unwinding.
                let outcome = catch_unwind(AssertUnwindSafe(|| {
                    conversation::read_card(
                        source.as_ref(),
                        &reader,
                        &mut job,
                        &inbox,
                        &options,
                        &mut learned,
                    )
                }))
                .unwrap_or(Err(ReadFailure::AgentFault));
                learned.keep_reach();
                let finished = Message::Finished { job, outcome: Box::new(outcome) };
                if inbox.send(finished).is_err() {
                    break;
                }
            }
        });
        Self { jobs, thread }
    }

    /// Hands a job over; gives it back if the thread has died.
    pub(crate) fn take(&self, job: Box<Job>) -> Result<(), Box<Job>> {
        self.jobs.send(job).map_err(|mpsc::SendError(job)| job)
    }

    /// Waits for the thread to end.
    pub(crate) fn join(self) {
        drop(self.jobs);
        let _ = self.thread.join();
    }
}
