//! Scanners on serial ports: USB serial, converter chips, RS-232.

mod commands;
mod line;
mod port;
mod scanner;
mod splitter;
mod trial;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cccd_card::{ScannerEvent, ScannerId, ScannerSource, StopSignal};
use cccd_profiles::{DeskScanner, ScannerCatalogue, ScannerPlace, ScannerSettings, UnnamedScanners};

use commands::Hand;
pub use commands::{NotSent, ScannerOrder};
use line::Line;
pub use port::{PortFault, SerialPortFound, UsbPort, serial_ports};
use scanner::ScannerThread;
pub use splitter::{Heard, LONGEST_FRAME, Splitter};
pub use trial::{Burst, BurstShape, ScannerTrial, try_port};

/// How many events wait for whoever is told; then the ports wait.
const EVENTS: usize = 64;
/// How often ports are looked for that the settings do not name.
const LOOK: Duration = Duration::from_secs(1);
/// How long the ports get to close after a stop. A driver that never lets go is left behind.
const CLOSING: Duration = Duration::from_secs(2);
/// How many scanners there may be that nobody has named.
const MOST_UNNAMED: usize = 16;

/// How this source behaves.
#[derive(Debug, Clone, Default)]
pub struct SerialOptions {
    /// The scanners of this desk.
    pub scanners: ScannerSettings,
}

/// Every scanner on a serial port that the settings name, and every other that a profile knows where they say so.
///
/// Each has a thread of its own, which opens its port, listens, and opens it again for ever when it is lost.
pub struct SerialSource {
    options: SerialOptions,
    present: Arc<Present>,
    list: fn() -> Vec<SerialPortFound>,
}

/// The scanners that are there now, and how they are told something.
#[derive(Default)]
struct Present(Mutex<BTreeMap<ScannerId, Hand>>);

impl Present {
    fn add(&self, id: ScannerId, hand: Hand) {
        self.lock().insert(id, hand);
    }

    fn remove(&self, id: &ScannerId) {
        self.lock().remove(id);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ScannerId, Hand>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for SerialSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SerialSource").field("options", &self.options).finish_non_exhaustive()
    }
}

impl SerialSource {
    /// A source that behaves so.
    pub fn new(options: SerialOptions) -> Self {
        Self { options, present: Arc::default(), list: serial_ports }
    }

    /// Tells a scanner something. Returns at once; whether the scanner does as it is told shows in what it scans.
    pub fn order(&self, scanner: &ScannerId, order: ScannerOrder) -> Result<(), NotSent> {
        // Given under the lock: a hand that were held on to would keep a lost port from closing.
        self.present.lock().get(scanner).ok_or(NotSent::NotThere)?.give(order)
    }

    fn start(&self, desk: DeskScanner, events: &SyncSender<ScannerEvent>, stop: &StopSignal) {
        let scanner = desk.id();
        let thread = ScannerThread {
            desk,
            present: Arc::clone(&self.present),
            events: events.clone(),
            stop: stop.clone(),
            list: self.list,
        };
        // Not joined: where a driver never returns, this thread never ends, and the watching must.
        let started = std::thread::Builder::new().name("scanner".to_owned()).spawn(move || thread.run());
        if let Err(error) = started {
            tracing::error!(%scanner, %error, "no thread for a scanner");
        }
    }

    /// Ports that are known to be a scanner's and that nobody has named.
    fn unnamed(&self, known: &mut BTreeSet<String>) -> Vec<DeskScanner> {
        let catalogue = ScannerCatalogue::shipped();
        let mut found = Vec::new();
        for port in (self.list)() {
            let Some(usb) = &port.usb else { continue };
            let Some((_, profile)) = catalogue.find_usb(usb.id.vendor, usb.id.product.unwrap_or_default())
            else {
                continue;
            };
            if self.options.scanners.named.iter().any(|desk| port.is_of(desk)) {
                continue;
            }
            // A device with a serial number is found wherever it is plugged in; one without, where it was.
            let place = match (&usb.serial, port.stable) {
                (Some(serial), _) => ScannerPlace::Usb { id: usb.id, serial: Some(serial.clone()) },
                (None, Some(stable)) => ScannerPlace::Port(stable),
                (None, None) => ScannerPlace::Port(port.port),
            };
            let name = match &place {
                ScannerPlace::Usb { id, serial } => {
                    format!("{} {id} {}", profile.name, serial.as_deref().unwrap_or_default())
                }
                ScannerPlace::Port(port) => {
                    format!("{} {}", profile.name, port.rsplit('/').next().unwrap_or_default())
                }
            };
            if known.len() < MOST_UNNAMED && known.insert(name.clone()) {
                found.push(DeskScanner { name, place, profile: profile.clone() });
            }
        }
        found
    }
}

/// Whether a scanner is there and free: its port is opened and closed again.
pub fn probe(desk: &DeskScanner) -> Result<(), PortFault> {
    Line::open(desk, serial_ports).map(drop)
}

impl ScannerSource for SerialSource {
    fn name(&self) -> &'static str {
        "serial"
    }

    fn watch(&self, tell: &mut dyn FnMut(ScannerEvent), stop: &StopSignal) {
        let ScannerSettings { named, unnamed } = &self.options.scanners;
        if named.is_empty() && *unnamed == UnnamedScanners::Left {
            while !stop.wait(Duration::MAX) {}
            return;
        }
        let (events, coming) = sync_channel(EVENTS);
        for desk in named {
            self.start(desk.clone(), &events, stop);
        }
        let mut known = BTreeSet::new();
        let mut looked: Option<Instant> = None;
        while !stop.is_raised() {
            let is_due = looked.is_none_or(|at| at.elapsed() >= LOOK);
            if *unnamed == UnnamedScanners::Taken && is_due {
                looked = Some(Instant::now());
                for desk in self.unnamed(&mut known) {
                    self.start(desk, &events, stop);
                }
            }
            // No longer than a port is waited on before a stop is seen.
            if let Ok(event) = coming.recv_timeout(line::SLICE) {
                tell(event);
            }
        }
        drop(events);
        let deadline = Instant::now() + CLOSING;
        while let Ok(event) = coming.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            tell(event);
        }
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    use cccd_firmware_sim::scanner::SerialScanner;
    use cccd_profiles::{AgentSettings, UsbId};

    use super::*;

    /// What the machine is made to list: this kernel has no USB, so the ports are pseudo-terminals.
    static LISTED: Mutex<Vec<SerialPortFound>> = Mutex::new(Vec::new());

    fn listed() -> Vec<SerialPortFound> {
        LISTED.lock().unwrap().clone()
    }

    fn port(path: PathBuf, product: u16, serial: Option<&str>) -> SerialPortFound {
        let id = UsbId { vendor: 0x1EAB, product: Some(product) };
        let port = path.to_str().unwrap().to_owned();
        let usb = UsbPort { id, serial: serial.map(str::to_owned), product: None };
        SerialPortFound { stable: Some(port.clone()), port, usb: Some(usb) }
    }

    /// Runs a source until all these codes were scanned, and gives all that it told.
    fn told(settings: &str, codes: &[&str]) -> Vec<ScannerEvent> {
        let scanners = AgentSettings::parse(settings).unwrap().scanners;
        let source = SerialSource { list: listed, ..SerialSource::new(SerialOptions { scanners }) };
        let (stop, mut events) = (StopSignal::default(), Vec::new());
        let mut awaited: BTreeSet<&[u8]> = codes.iter().map(|code| code.as_bytes()).collect();
        source.watch(
            &mut |event| {
                if let ScannerEvent::Scanned { payload, .. } = &event {
                    awaited.remove(payload.as_slice());
                }
                events.push(event);
                if awaited.is_empty() {
                    stop.raise();
                }
            },
            &stop,
        );
        events
    }

    fn scanned(events: &[ScannerEvent]) -> BTreeMap<&str, &[u8]> {
        let codes = events.iter().filter_map(|event| match event {
            ScannerEvent::Scanned { scanner, payload } => Some((scanner.as_str(), payload.as_slice())),
            _ => None,
        });
        codes.collect()
    }

    #[test]
    fn usb_devices_are_found_by_what_they_are_and_strangers_only_where_they_may_be() {
        let dir = tempfile::tempdir().unwrap();
        let newland = ScannerCatalogue::shipped().get("newland").unwrap().clone();
        let scanners: Vec<SerialScanner> = ["a", "b", "c", "d"]
            .iter()
            .map(|name| SerialScanner::plugged(&dir.path().join(name), newland.clone()).unwrap())
            .collect();
        for scanner in &scanners {
            let name = scanner.link().file_name().unwrap().to_str().unwrap();
            scanner.scan(format!("from {name}").as_bytes()).unwrap();
        }
        let at = |name: &str| dir.path().join(name);
        *LISTED.lock().unwrap() = vec![
            port(at("a"), 0x1D06, Some("S1")),
            port(at("b"), 0x1D06, Some("S2")),
            port(at("c"), 0x1A06, None),
            // A maker's product that is no serial scanner.
            port(at("d"), 0x1D03, None),
        ];
        let named = "[[scanner]]\nname = 'Second'\nusb = '1eab:1d06'\nusb_serial = 'S2'\n";
        let events = told(named, &["from b"]);
        assert_eq!(scanned(&events), [("second", &b"from b"[..])].into());

        for scanner in &scanners {
            let name = scanner.link().file_name().unwrap().to_str().unwrap();
            scanner.scan(format!("again from {name}").as_bytes()).unwrap();
        }
        let events = told(
            &format!("[scanners]\ntake_unnamed = true\n{named}"),
            &["again from a", "again from b", "again from c"],
        );
        let by_name = scanned(&events);
        assert_eq!(by_name.get("second"), Some(&&b"again from b"[..]));
        assert_eq!(by_name.get("newland-scanner-1eab-1d06-s1"), Some(&&b"again from a"[..]));
        assert_eq!(by_name.get("newland-scanner-c"), Some(&&b"again from c"[..]));
        assert_eq!(by_name.len(), 3);
    }
}
