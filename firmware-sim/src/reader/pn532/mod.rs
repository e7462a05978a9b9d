//! A PN532 as firmware on a pseudo-terminal: the NFC chip that real libnfc opens as `pn532_uart`.
//!
//! ```no_run
//! use cccd_firmware_sim::reader::{EchoCard, pn532::Pn532};
//!
//! let reader = Pn532::plugged("/tmp/pn532".as_ref())?;
//! reader.insert(EchoCard::marked(1))?;
//! // LIBNFC_DEVICE=… nfc-list finds it.
//! println!("{}", reader.connstring());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod firmware;
mod frame;
mod trouble;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use firmware::{Firmware, IN_DATA_EXCHANGE, IN_LIST_PASSIVE_TARGET, Reaction, SAM_CONFIGURATION, Task};
use frame::{ACK, ERROR, FrameReader, Heard, NACK};
pub use trouble::{Misbehaviour, NoTrouble, Stage, Trouble};

use super::Card;
use super::pty::{Ear, Happened, Pty};
use super::slot::{Question, Slot, SlotTaken};

/// How a card speaks through the air (ISO/IEC 14443-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CardType {
    /// Type A.
    #[default]
    A,
    /// Type B. Such a card has no historical bytes: its answer-to-reset is made of its ATQB.
    B,
}

/// A reader, and the hand at it.
///
/// Dropping it pulls its cable.
#[derive(Debug)]
pub struct Pn532 {
    link: PathBuf,
    shared: Arc<Shared>,
    cable: Mutex<Option<Cable>>,
}

/// How often a host gave each kind of command: shows who polls in a circle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// How often it set the chip up, which it does whenever it opens the port.
    pub opened: u64,
    /// How often it looked for a card, of either type.
    pub finds: u64,
    /// How often it sent a card something.
    pub exchanges: u64,
    /// All commands.
    pub commands: u64,
}

#[derive(Debug)]
struct Shared {
    slot: Slot,
    kind: Mutex<CardType>,
    trouble: Mutex<Option<Trouble>>,
    opened: AtomicU64,
    finds: AtomicU64,
    exchanges: AtomicU64,
    commands: AtomicU64,
}

#[derive(Debug)]
struct Cable {
    cut: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Pn532 {
    /// Makes a reader and plugs it in: `link` becomes the name of its serial port.
    pub fn plugged(link: &Path) -> io::Result<Self> {
        let shared = Shared {
            slot: Slot::new()?,
            kind: Mutex::default(),
            trouble: Mutex::default(),
            opened: AtomicU64::new(0),
            finds: AtomicU64::new(0),
            exchanges: AtomicU64::new(0),
            commands: AtomicU64::new(0),
        };
        let reader = Self { link: link.to_owned(), shared: Arc::new(shared), cable: Mutex::new(None) };
        reader.plug()?;
        Ok(reader)
    }

    /// The name of its serial port.
    pub fn link(&self) -> &Path {
        &self.link
    }

    /// What libnfc finds it by.
    pub fn connstring(&self) -> String {
        format!("pn532_uart:{}:115200", self.link.display())
    }

    /// Lays a card of type A on it. A host sees it when it next looks.
    pub fn insert(&self, card: impl Card + 'static) -> Result<(), SlotTaken> {
        self.insert_as(CardType::A, card)
    }

    /// Lays a card on it that speaks so.
    pub fn insert_as(&self, kind: CardType, card: impl Card + 'static) -> Result<(), SlotTaken> {
        let mut lies_there = self.shared.kind.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.slot.insert(Box::new(card))?;
        *lies_there = kind;
        Ok(())
    }

    /// Lifts the card. Nothing where none lies, and where it is still computing after two seconds.
    pub fn remove(&self) -> Option<Box<dyn Card>> {
        self.shared.slot.remove()
    }

    /// Lays a card in the place of the one there, which comes back as from [`Self::remove`].
    ///
    /// The host sees an empty reader when it next looks, and the new card after that.
    pub fn swap(&self, card: impl Card + 'static) -> Option<Box<dyn Card>> {
        self.shared.slot.swap(Box::new(card))
    }

    /// Whether a card lies there.
    pub fn has_card(&self) -> bool {
        self.shared.slot.is_taken()
    }

    /// What goes wrong from now on; nothing, to be a good reader again.
    pub fn trouble(&self, trouble: Option<Trouble>) {
        *self.shared.trouble() = trouble;
    }

    /// How often hosts gave commands.
    pub fn counts(&self) -> Counts {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            opened: count(&self.shared.opened),
            finds: count(&self.shared.finds),
            exchanges: count(&self.shared.exchanges),
            commands: count(&self.shared.commands),
        }
    }

    /// Pulls the cable. The card stays where it lies.
    pub fn unplug(&self) {
        let cable = self.cable().take();
        if let Some(Cable { cut, thread }) = cable {
            cut.store(true, Ordering::Release);
            self.shared.slot.bell().ring();
            // It ends at the bell; a panic in it was reported when it happened.
            let _ = thread.join();
        }
    }

    /// Plugs it in again, under the same name. Nothing happens where it is plugged in.
    pub fn plug(&self) -> io::Result<()> {
        let mut cable = self.cable();
        if cable.is_some() {
            return Ok(());
        }
        let mut pty = Pty::new(&self.link)?;
        self.shared.slot.forget_host();
        let (shared, cut) = (Arc::clone(&self.shared), Arc::new(AtomicBool::new(false)));
        let told = Arc::clone(&cut);
        let thread = std::thread::Builder::new().name("pn532".into()).spawn(move || {
            if let Err(error) = run(&mut pty, &shared, &told) {
                tracing::error!(%error, "the simulated NFC reader lost its line");
            }
        })?;
        *cable = Some(Cable { cut, thread });
        Ok(())
    }

    /// Whether the cable is in.
    pub fn is_plugged(&self) -> bool {
        self.cable().is_some()
    }

    fn cable(&self) -> MutexGuard<'_, Option<Cable>> {
        self.cable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pn532 {
    fn drop(&mut self) {
        self.unplug();
    }
}

impl Shared {
    fn trouble(&self) -> MutexGuard<'_, Option<Trouble>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kind(&self) -> CardType {
        *self.kind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a command, and tells what goes wrong at it.
    fn hear(&self, command: &[u8]) -> Option<Misbehaviour> {
        self.commands.fetch_add(1, Ordering::Relaxed);
        let stage = match command {
            [IN_LIST_PASSIVE_TARGET, ..] => Stage::Finding,
            [IN_DATA_EXCHANGE, ..] => Stage::Exchanging,
            [0x42, ..] | [0x00, 0x06] => Stage::Checking,
            _ => Stage::Opening,
        };
        let counter = match (stage, command) {
            (Stage::Finding, _) => Some(&self.finds),
            (Stage::Exchanging, _) => Some(&self.exchanges),
            (_, [SAM_CONFIGURATION, ..]) => Some(&self.opened),
            _ => None,
        };
        if let Some(counter) = counter {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        let mut trouble = self.trouble();
        let now = trouble.as_mut().filter(|trouble| trouble.stage == stage)?;
        let what = now.what;
        if let Some(times) = &mut now.times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                *trouble = None;
            }
        }
        Some(what)
    }
}

/// One host's time at the reader.
#[derive(Default)]
struct Session {
    frames: FrameReader,
    firmware: Firmware,
    /// What is to be sent.
    out: Vec<u8>,
    /// What was answered last, for a host that asks to hear it again.
    last: Vec<u8>,
    busy: Option<Busy>,
}

struct Busy {
    task: Task,
    kind: CardType,
    wrong: Option<Misbehaviour>,
    answer: Receiver<Vec<u8>>,
}

fn run(pty: &mut Pty, shared: &Shared, cut: &AtomicBool) -> io::Result<()> {
    let mut session = Session::default();
    let mut buffer = [0; 1024];
    while !cut.load(Ordering::Acquire) {
        match pty.wait(Ear::Open, shared.slot.bell(), None)? {
            Happened::HostLeft => {
                session = Session::default();
                shared.slot.forget_host();
                continue;
            }
            Happened::Input => {
                let read = pty.read(&mut buffer)?;
                session.frames.push(buffer.get(..read).unwrap_or_default());
            }
            Happened::Rung | Happened::Nothing => {}
        }
        session.hear_card(&shared.slot);
        session.hear_host(shared);
        pty.send(&session.out)?;
        session.out.clear();
    }
    Ok(())
}

impl Session {
    fn hear_host(&mut self, shared: &Shared) {
        while let Some(heard) = self.frames.next_frame() {
            let command = match heard {
                Heard::Command(command) => command,
                // The host has lost patience.
                Heard::Ack => {
                    self.busy = None;
                    continue;
                }
                Heard::Nack => {
                    self.out.extend(&self.last);
                    continue;
                }
            };
            self.busy = None;
            let wrong = shared.hear(&command);
            match wrong {
                Some(Misbehaviour::Deaf) => continue,
                Some(Misbehaviour::Nack) => {
                    self.out.extend(NACK);
                    continue;
                }
                _ => self.out.extend(ACK),
            }
            if let Some(wrong) = wrong.filter(|wrong| !wrong.lets_answer()) {
                self.out.extend(wrong.distort(&command));
                continue;
            }
            let kind = shared.kind();
            match self.firmware.command(&command, &shared.slot, kind) {
                Reaction::Answer(answer) => self.answer(&answer, wrong),
                Reaction::SyntaxError => self.out.extend(ERROR),
                Reaction::Ask(task) => {
                    let answer = match &task {
                        Task::Activate(card) => shared.slot.ask(*card, Question::Reset),
                        Task::Process(card, command) => {
                            shared.slot.ask(*card, Question::Process(command.clone()))
                        }
                    };
                    self.busy = Some(Busy { task, kind, wrong, answer });
                }
            }
        }
    }

    fn hear_card(&mut self, slot: &Slot) {
        let Some(busy) = &self.busy else { return };
        let (Task::Activate(card) | Task::Process(card, _)) = &busy.task;
        let said = match busy.answer.try_recv() {
            _ if slot.look() != Some(*card) => None,
            Ok(said) => Some(said),
            Err(TryRecvError::Disconnected) => None,
            // The chip grants a card that asks for it all the time it wants (S(WTX), ISO/IEC 14443-4, 7.3).
            Err(TryRecvError::Empty) => return,
        };
        let answer = self.firmware.finish(&busy.task, said, busy.kind);
        let wrong = busy.wrong;
        self.busy = None;
        self.answer(&answer, wrong);
    }

    fn answer(&mut self, payload: &[u8], wrong: Option<Misbehaviour>) {
        self.last = match wrong {
            Some(wrong) => wrong.distort(payload),
            None => frame::answer(payload),
        };
        self.out.extend(&self.last);
    }
}
