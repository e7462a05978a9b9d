//! One scanner: its port is opened, listened to, lost and opened again, for ever.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use cccd_card::{ScannerEvent, ScannerInfo, StopSignal};
use cccd_profiles::DeskScanner;

use super::Present;
use super::commands::Commands;
use super::line::Line;
use super::port::{PortFault, SerialPortFound};
use super::splitter::Heard;

/// How often a port that is quiet is looked after: whether its name still leads to it.
const LOOK_AFTER: Duration = Duration::from_millis(500);
/// First and longest pause between attempts to open a port.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));
/// A port that stays open for so long has recovered.
const RECOVERED: Duration = Duration::from_secs(2);

/// How often noise is told: a line may be full of it.
const GARBLED: Duration = Duration::from_millis(500);

/// What the thread of one scanner needs.
pub(super) struct ScannerThread {
    pub(super) desk: DeskScanner,
    pub(super) present: Arc<Present>,
    pub(super) events: SyncSender<ScannerEvent>,
    pub(super) stop: StopSignal,
    pub(super) list: fn() -> Vec<SerialPortFound>,
}

/// Nobody listens to events any more, or nobody wants them.
struct Over;

/// What became of an open port.
struct Lost {
    /// Whether it has worked, so that the next attempt may come soon.
    worked: bool,
}

impl ScannerThread {
    /// Runs until told to stop.
    pub(super) fn run(&self) {
        let mut pause = BACK_OFF.0;
        let mut told: Option<PortFault> = None;
        let id = self.desk.id();
        while !self.stop.is_raised() {
            match Line::open(&self.desk, self.list) {
                Ok(line) => {
                    tracing::info!(scanner = %id, port = line.port_name(), "scanner is there");
                    told = None;
                    let Ok(lost) = self.listen(line) else { return };
                    tracing::info!(scanner = %id, "scanner has gone");
                    if lost.worked {
                        pause = BACK_OFF.0;
                    }
                }
                // Once for each reason, however often it is tried.
                Err(fault) if told != Some(fault) => {
                    match fault {
                        PortFault::Absent => tracing::info!(scanner = %id, "scanner is not plugged in"),
                        _ => tracing::warn!(scanner = %id, %fault, "scanner cannot be used"),
                    }
                    told = Some(fault);
                }
                Err(fault) => tracing::trace!(scanner = %id, %fault, "tried again"),
            }
            self.stop.wait(pause);
            pause = (pause * 2).min(BACK_OFF.1);
        }
    }

    /// Listens until the port is lost or a stop is wanted.
    fn listen(&self, mut line: Line) -> Result<Lost, Over> {
        let id = self.desk.id();
        let opened = Instant::now();
        let commands = Commands::start(&line, &self.desk.profile.commands);
        // First, so that whoever hears of it can tell it something.
        self.present.add(id.clone(), commands.hand());
        let there =
            self.tell(ScannerEvent::Attached(ScannerInfo { id: id.clone(), name: self.desk.name.clone() }));
        let end = there.and_then(|()| self.hear(&mut line, &commands));
        self.present.remove(&id);
        // The port is closed, and can be opened again, once nobody holds a part of it.
        commands.finish();
        drop(line);
        let heard = end?;
        self.tell(ScannerEvent::Detached(id))?;
        Ok(Lost { worked: heard || opened.elapsed() >= RECOVERED })
    }

    /// Tells codes until the port is lost or a stop is wanted; says whether anything has come.
    fn hear(&self, line: &mut Line, commands: &Commands) -> Result<bool, Over> {
        let id = self.desk.id();
        let mut looked = Instant::now();
        let mut over = Ok(());
        let mut garbled: Option<Instant> = None;
        let mut tell = |heard: Heard| {
            let event = match heard {
                Heard::Code(payload) => {
                    garbled = None;
                    ScannerEvent::Scanned { scanner: id.clone(), payload }
                }
                Heard::Garbled if garbled.is_some_and(|at| at.elapsed() < GARBLED) => return,
                Heard::Garbled => {
                    garbled = Some(Instant::now());
                    ScannerEvent::Garbled(id.clone())
                }
                Heard::Answer => return,
            };
            if self.tell(event).is_err() {
                over = Err(Over);
            }
        };
        let mut anything = false;
        while !self.stop.is_raised() {
            let Ok(count) = line.listen(&commands.expected, &mut tell, &mut |_| {}) else { break };
            anything |= count > 0;
            if count == 0 && looked.elapsed() >= LOOK_AFTER {
                looked = Instant::now();
                // The one we hold may never say so.
                if line.was_replaced() {
                    break;
                }
            }
        }
        line.end(&mut tell);
        over.map(|()| anything)
    }

    fn tell(&self, event: ScannerEvent) -> Result<(), Over> {
        self.events.send(event).map_err(|_| Over)
    }
}
