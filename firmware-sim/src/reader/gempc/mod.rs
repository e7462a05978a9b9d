//! A GemPC Twin, the serial CCID reader, as firmware on a pseudo-terminal.
//!
//! The real `libccidtwin.so` in a real `pcscd` drives it and speaks T=1 with the card through it, so that
//! everything above the serial line is what runs in the field.

mod atr;
mod firmware;
mod frame;
mod t1;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

pub use atr::{ATR_T1, for_t1};
use firmware::{Firmware, Outcome, Reaction, Task};
use frame::{FrameReader, Heard, TORN};

use super::Card;
use super::pty::{Ear, Happened, Pty};
use super::slot::{Generation, Question, Slot, SlotTaken};

/// How long a card computes before the host is asked for patience. The driver gives up after about two seconds
/// of silence.
const TIME_REQUEST_AFTER: Duration = Duration::from_millis(400);

/// "More time", one byte between the echo and the answer.
const TIME_REQUEST: u8 = 0x80;

/// A reader, and the hand at it.
///
/// Dropping it pulls its cable.
#[derive(Debug)]
pub struct GemPcTwin {
    link: PathBuf,
    slot: Arc<Slot>,
    cable: Mutex<Option<Cable>>,
}

#[derive(Debug)]
struct Cable {
    cut: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl GemPcTwin {
    /// Makes a reader and plugs it in: `link` becomes the name of its serial port.
    pub fn plugged(link: &Path) -> io::Result<Self> {
        let slot = Arc::new(Slot::new()?);
        let reader = Self { link: link.to_owned(), slot, cable: Mutex::new(None) };
        reader.plug()?;
        Ok(reader)
    }

    /// The name of its serial port.
    pub fn link(&self) -> &Path {
        &self.link
    }

    /// Puts a card in. The host sees it at its next poll, within 400 ms.
    pub fn insert(&self, card: impl Card + 'static) -> Result<(), SlotTaken> {
        self.slot.insert(Box::new(card))
    }

    /// Takes the card out. Nothing where none lies, and where it is still computing after two seconds.
    pub fn remove(&self) -> Option<Box<dyn Card>> {
        self.slot.remove()
    }

    /// Puts a card in the place of the one there, which comes back as from [`Self::remove`].
    ///
    /// The host sees an empty reader at one poll and the new card at the next.
    pub fn swap(&self, card: impl Card + 'static) -> Option<Box<dyn Card>> {
        self.slot.swap(Box::new(card))
    }

    /// Whether a card lies there.
    pub fn has_card(&self) -> bool {
        self.slot.is_taken()
    }

    /// Pulls the cable. The card stays where it lies.
    pub fn unplug(&self) {
        let cable = self.cable().take();
        if let Some(Cable { cut, thread }) = cable {
            cut.store(true, Ordering::Release);
            self.slot.bell().ring();
            // It ends at the bell; a panic in it was reported when it happened.
            let _ = thread.join();
        }
    }

    /// Plugs it in again, under the same name. Nothing happens where it is plugged in.
    ///
    /// A `pcscd` looks for serial readers only when it starts.
    pub fn plug(&self) -> io::Result<()> {
        let mut cable = self.cable();
        if cable.is_some() {
            return Ok(());
        }
        let mut pty = Pty::new(&self.link)?;
        self.slot.forget_host();
        let (slot, cut) = (Arc::clone(&self.slot), Arc::new(AtomicBool::new(false)));
        let told = Arc::clone(&cut);
        let thread = std::thread::Builder::new().name("gempc-twin".into()).spawn(move || {
            if let Err(error) = run(&mut pty, &slot, &told) {
                tracing::error!(%error, "the simulated reader lost its line");
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

impl Drop for GemPcTwin {
    fn drop(&mut self) {
        self.unplug();
    }
}

/// One host's time at the reader.
#[derive(Default)]
struct Session {
    frames: FrameReader,
    firmware: Firmware,
    /// What is to be sent. The echo waits here for the answer, so that both go out at once.
    out: Vec<u8>,
    busy: Option<Busy>,
}

struct Busy {
    card: Generation,
    task: fn(Vec<u8>) -> Outcome,
    answer: Receiver<Vec<u8>>,
}

fn run(pty: &mut Pty, slot: &Slot, cut: &AtomicBool) -> io::Result<()> {
    let mut session = Session::default();
    let mut buffer = [0; 1024];
    while !cut.load(Ordering::Acquire) {
        let (ear, limit) = match session.busy {
            // A reader that waits for its card does not listen: the line is half duplex.
            Some(_) => (Ear::Shut, Some(TIME_REQUEST_AFTER)),
            None => (Ear::Open, None),
        };
        let happened = pty.wait(ear, slot.bell(), limit)?;
        if happened == Happened::HostLeft {
            session = Session::default();
            slot.forget_host();
            continue;
        }
        if happened == Happened::Input {
            let read = pty.read(&mut buffer)?;
            session.frames.push(buffer.get(..read).unwrap_or_default());
        }
        session.hear_card(slot);
        session.hear_host(slot);
        if session.busy.is_some() {
            if happened != Happened::Nothing {
                continue;
            }
            session.out.push(TIME_REQUEST);
        }
        pty.send(&session.out)?;
        session.out.clear();
    }
    Ok(())
}

impl Session {
    fn hear_host(&mut self, slot: &Slot) {
        while self.busy.is_none()
            && let Some(heard) = self.frames.next_frame()
        {
            let message = match heard {
                Heard::Message(message) => message,
                Heard::Torn => {
                    self.out.extend(TORN);
                    continue;
                }
            };
            // A Twin repeats the command before it answers.
            self.out.extend(message.encode());
            let card = if Firmware::asks_for_presence(&message) { slot.tell() } else { slot.look() };
            match self.firmware.command(message, card) {
                Reaction::Answer(answer) => {
                    self.out.extend(self.firmware.movements(card));
                    self.out.extend(answer.encode());
                }
                Reaction::Ask(Task::Reset(card)) => self.ask(slot, card, Question::Reset, Outcome::Atr),
                Reaction::Ask(Task::Process(card, command)) => {
                    self.ask(slot, card, Question::Process(command), Outcome::Response);
                }
            }
        }
    }

    fn ask(&mut self, slot: &Slot, card: Generation, question: Question, task: fn(Vec<u8>) -> Outcome) {
        self.busy = Some(Busy { card, task, answer: slot.ask(card, question) });
    }

    fn hear_card(&mut self, slot: &Slot) {
        let Some(busy) = &self.busy else { return };
        let card = slot.look();
        let outcome = match busy.answer.try_recv() {
            _ if card != Some(busy.card) => Outcome::Gone,
            Ok(said) => (busy.task)(said),
            Err(TryRecvError::Disconnected) => Outcome::Gone,
            Err(TryRecvError::Empty) => return,
        };
        self.busy = None;
        if let Some(answer) = self.firmware.finish(outcome, card) {
            self.out.extend(self.firmware.movements(card));
            self.out.extend(answer.encode());
        }
    }
}
