//! A scanner in this very process: a hand that shows codes to it.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use cccd_card::{ScannerEvent, ScannerId, ScannerInfo, ScannerSource, SecretBytes, StopSignal};

/// How soon a watcher notices that it is to stop.
const TURN: Duration = Duration::from_millis(20);

/// A source of scanners, and the hand that plugs them in and shows codes to them. It has one watcher.
///
/// Clones are the same source.
#[derive(Debug, Clone, Default)]
pub struct InProcessScanner {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    pending: Mutex<VecDeque<ScannerEvent>>,
    changed: Condvar,
}

impl InProcessScanner {
    /// A source without scanners.
    pub fn new() -> Self {
        Self::default()
    }

    /// Plugs a scanner in.
    pub fn attach(&self, name: &str) -> ScannerId {
        let id = ScannerId::from_name(name);
        self.tell(ScannerEvent::Attached(ScannerInfo { id: id.clone(), name: name.to_owned() }));
        id
    }

    /// Pulls it out.
    pub fn detach(&self, scanner: &ScannerId) {
        self.tell(ScannerEvent::Detached(scanner.clone()));
    }

    /// Shows it a code.
    pub fn show(&self, scanner: &ScannerId, payload: &[u8]) {
        let payload = SecretBytes::new(payload.to_vec());
        self.tell(ScannerEvent::Scanned { scanner: scanner.clone(), payload });
    }

    /// Lets it send what is no code.
    pub fn garble(&self, scanner: &ScannerId) {
        self.tell(ScannerEvent::Garbled(scanner.clone()));
    }

    fn tell(&self, event: ScannerEvent) {
        self.shared.pending.lock().unwrap_or_else(PoisonError::into_inner).push_back(event);
        self.shared.changed.notify_all();
    }
}

impl ScannerSource for InProcessScanner {
    fn name(&self) -> &'static str {
        "in-process"
    }

    fn watch(&self, tell: &mut dyn FnMut(ScannerEvent), stop: &StopSignal) {
        while !stop.is_raised() {
            let pending = self.shared.pending.lock().unwrap_or_else(PoisonError::into_inner);
            let (mut pending, _) = self
                .shared
                .changed
                .wait_timeout_while(pending, TURN, |pending| pending.is_empty())
                .unwrap_or_else(PoisonError::into_inner);
            let told = std::mem::take(&mut *pending);
            drop(pending);
            told.into_iter().for_each(&mut *tell);
        }
    }
}
