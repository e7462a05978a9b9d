//! A source that is watched, and a log that is read.

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::Instant;

use cccd_card::{ScannerEvent, ScannerId, ScannerSource as _, StopSignal};
use cccd_patience::PATIENCE;
use cccd_profiles::AgentSettings;
use cccd_readers::{SerialOptions, SerialSource};

type Events = Arc<(Mutex<Vec<ScannerEvent>>, Condvar)>;

/// A source that is watched from a thread, with all it has told.
pub(crate) struct Watched {
    source: Arc<SerialSource>,
    events: Events,
    stop: StopSignal,
    thread: Option<JoinHandle<()>>,
}

impl Watched {
    /// Watches the scanners of these settings.
    pub(crate) fn start(settings: &str) -> Self {
        let scanners = AgentSettings::parse(settings).unwrap().scanners;
        let source = Arc::new(SerialSource::new(SerialOptions { scanners }));
        let (events, stop) = (Events::default(), StopSignal::default());
        let (watching, told, until) = (Arc::clone(&source), Arc::clone(&events), stop.clone());
        let thread = std::thread::spawn(move || {
            let mut tell = |event| {
                told.0.lock().unwrap().push(event);
                told.1.notify_all();
            };
            watching.watch(&mut tell, &until);
        });
        Self { source, events, stop, thread: Some(thread) }
    }

    pub(crate) fn source(&self) -> &SerialSource {
        &self.source
    }

    pub(crate) fn events(&self) -> Vec<ScannerEvent> {
        self.events.0.lock().unwrap().clone()
    }

    pub(crate) fn count(&self, event: &ScannerEvent) -> usize {
        self.events().iter().filter(|told| *told == event).count()
    }

    /// What a scanner has scanned so far.
    pub(crate) fn scanned(&self, id: &ScannerId) -> Vec<String> {
        let text = |event: ScannerEvent| match event {
            ScannerEvent::Scanned { scanner, payload } if scanner == *id => {
                Some(String::from_utf8_lossy(&payload).into_owned())
            }
            _ => None,
        };
        self.events().into_iter().filter_map(text).collect()
    }

    pub(crate) fn wait_for_scans(&self, id: &ScannerId, count: usize) {
        let of_it =
            |event: &&ScannerEvent| matches!(event, ScannerEvent::Scanned { scanner, .. } if scanner == id);
        self.wait_for(&format!("{count} scans"), |events| events.iter().filter(of_it).count() >= count);
    }

    pub(crate) fn wait_for(&self, what: &str, is_so: impl Fn(&[ScannerEvent]) -> bool) {
        let events = self.events.0.lock().unwrap();
        let (events, waited) =
            self.events.1.wait_timeout_while(events, PATIENCE, |events| !is_so(events)).unwrap();
        assert!(!waited.timed_out(), "waited in vain for {what}: {events:?}");
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.stop.raise();
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking());
    }
}

/// All that this process logs, at every level.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<(Mutex<Vec<u8>>, Condvar)>);

impl Log {
    /// The log of this process; started once.
    pub(crate) fn start() -> Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        let start = || {
            let log = Log::default();
            let writer = log.clone();
            tracing_subscriber::fmt()
                .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
                .with_ansi(false)
                .with_writer(move || writer.clone())
                .init();
            log
        };
        LOG.get_or_init(start).clone()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.0.lock().unwrap().clone()).unwrap()
    }

    pub(crate) fn wait_for(&self, what: &str, is_so: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let before = self.0.0.lock().unwrap().len();
            if is_so() {
                return;
            }
            assert!(Instant::now() < deadline, "waited in vain for {what}:\n{}", self.text());
            let bytes = self.0.0.lock().unwrap();
            drop(self.0.1.wait_timeout_while(bytes, PATIENCE, |bytes| bytes.len() <= before).unwrap());
        }
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.0.lock().unwrap().extend_from_slice(bytes);
        self.0.1.notify_all();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
