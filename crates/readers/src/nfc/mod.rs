//! Readers that libnfc drives: a PN532 on a serial port, and whatever else it knows.
//!
//! Each reader has a worker, a process in which alone libnfc runs ([`nfc_worker`]), and a keeper, the thread that asks
//! it. A worker that crashes or hangs is a reader that was lost and comes back.

mod channel;
mod fault;
mod keeper;
#[cfg(all(feature = "nfc", unix))]
mod libnfc;
mod made_up_atr;
mod process;
mod protocol;
#[cfg(test)]
mod tests;
mod worker;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::mpsc::{self, Sender};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cccd_card::{
    Behind, CardChannel, ChannelLimits, ReaderEvent, ReaderId, ReaderInfo, ReaderSource, StopSignal,
    Transport, TransportError,
};
use cccd_profiles::{DeskNfcReader, ReaderCatalogue};

use self::keeper::{Job, Keeper, News};
pub use self::process::WorkerProgram;
pub use self::worker::nfc_worker;

/// What libnfc carries: its frame buffer ends after 262 bytes each way, and it knows no way to send a command in
/// pieces. Longer ones are for the protocol to chain (ISO/IEC 7816-4, 5.3.3).
const LIMITS: ChannelLimits = ChannelLimits::SHORT;

/// How this source behaves.
#[derive(Debug, Clone)]
pub struct NfcOptions {
    /// The readers of this desk. Nothing is searched for: a search would talk to whatever hangs on a serial port.
    pub readers: Vec<DeskNfcReader>,
    /// How long one exchange with the card may take before the reader is given up.
    pub exchange_within: Duration,
    /// What runs libnfc.
    pub worker: WorkerProgram,
    /// What is known of reader models.
    pub catalogue: ReaderCatalogue,
}

impl NfcOptions {
    /// What libnfc carries, or less where the model does.
    fn limits_of(&self, connstring: &str) -> ChannelLimits {
        self.catalogue.find_libnfc(connstring).map_or(LIMITS, |profile| profile.limits.min(LIMITS))
    }
}

/// The readers of this desk that libnfc drives.
#[derive(Debug)]
pub struct NfcSource {
    options: NfcOptions,
    /// How to reach the keepers of the readers that are there now.
    keepers: Mutex<BTreeMap<ReaderId, Reach>>,
}

/// How to reach a keeper, and what its reader carries.
#[derive(Debug, Clone)]
struct Reach {
    jobs: Sender<Job>,
    limits: ChannelLimits,
}

impl NfcSource {
    /// A source that behaves so.
    pub fn new(options: NfcOptions) -> Self {
        Self { options, keepers: Mutex::default() }
    }

    /// Passes on what the keepers tell, until the last of them has ended.
    fn pass_on(&self, news: &mpsc::Receiver<News>, tell: &mut dyn FnMut(ReaderEvent)) {
        let mut unseen = self.options.readers.len();
        for news in news {
            match news {
                News::Event(event) => tell(event),
                News::Looked => {
                    unseen = unseen.saturating_sub(1);
                    if unseen == 0 {
                        tell(ReaderEvent::SourceReady("nfc"));
                    }
                }
            }
        }
    }

    fn keepers(&self) -> std::sync::MutexGuard<'_, BTreeMap<ReaderId, Reach>> {
        self.keepers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReaderSource for NfcSource {
    fn name(&self) -> &'static str {
        "nfc"
    }

    fn watch(&self, tell: &mut dyn FnMut(ReaderEvent), stop: &StopSignal) {
        if self.options.readers.is_empty() {
            tell(ReaderEvent::SourceReady("nfc"));
        }
        let (telling, news) = mpsc::channel();
        std::thread::scope(|scope| {
            for reader in &self.options.readers {
                let (jobs, inbox) = mpsc::channel();
                let limits = self.options.limits_of(&reader.connstring);
                let info = ReaderInfo {
                    id: reader.id(),
                    name: reader.name.clone(),
                    transport: Transport::Nfc,
                    behind: Behind::Device,
                    limits,
                };
                self.keepers().insert(info.id.clone(), Reach { jobs, limits });
                let keeper = Keeper {
                    info,
                    connstring: &reader.connstring,
                    program: &self.options.worker,
                    exchange_within: self.options.exchange_within,
                    jobs: inbox,
                    news: telling.clone(),
                    stop,
                    has_looked: Cell::new(false),
                };
                scope.spawn(move || keeper.keep());
            }
            drop(telling);
            scope.spawn(|| {
                while !stop.wait(Duration::MAX) {}
                for reach in self.keepers().values() {
                    let _ = reach.jobs.send(Job::LookUp);
                }
            });
            self.pass_on(&news, tell);
        });
        self.keepers().clear();
    }

    fn connect(&self, reader: &ReaderId) -> Result<Box<dyn CardChannel>, TransportError> {
        let Reach { jobs, limits } = self.keepers().get(reader).cloned().ok_or(TransportError::ReaderLost)?;
        Ok(Box::new(channel::connect(jobs, limits, self.options.exchange_within)?))
    }
}
