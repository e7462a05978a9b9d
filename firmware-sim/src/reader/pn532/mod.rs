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
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::sync::{Mutex, PoisonError};

use firmware::{Firmware, IN_DATA_EXCHANGE, IN_LIST_PASSIVE_TARGET, Reaction, SAM_CONFIGURATION, Task};
use frame::{ACK, ERROR, FrameReader, Heard, NACK};
pub use trouble::{Misbehaviour, Stage, Trouble};

use super::Card;
use super::pty::{Ear, Happened, Pty};
use super::serial::{Model, SerialReader, Shared};
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

/// Such a reader, and the hand at it.
pub type Pn532 = SerialReader<Pn532Model>;

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

/// What makes a reader a PN532: how the card on it speaks, and what its hosts have asked of it.
#[derive(Debug, Default)]
pub struct Pn532Model {
    kind: Mutex<CardType>,
    opened: AtomicU64,
    finds: AtomicU64,
    exchanges: AtomicU64,
    commands: AtomicU64,
}

impl Pn532 {
    /// What libnfc finds it by.
    pub fn connstring(&self) -> String {
        format!("pn532_uart:{}:115200", self.link().display())
    }

    /// Lays a card of type A on it. A host sees it when it next looks.
    pub fn insert(&self, card: impl Card + 'static) -> Result<(), SlotTaken> {
        self.insert_as(CardType::A, card)
    }

    /// Lays a card on it that speaks so.
    pub fn insert_as(&self, kind: CardType, card: impl Card + 'static) -> Result<(), SlotTaken> {
        let mut lies_there = self.shared.model.kind.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.slot.insert(Box::new(card))?;
        *lies_there = kind;
        Ok(())
    }

    /// How often hosts gave commands.
    pub fn counts(&self) -> Counts {
        let model = &self.shared.model;
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            opened: count(&model.opened),
            finds: count(&model.finds),
            exchanges: count(&model.exchanges),
            commands: count(&model.commands),
        }
    }
}

impl Pn532Model {
    fn kind(&self) -> CardType {
        *self.kind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a command, and tells its stage.
    fn hear(&self, command: &[u8]) -> Stage {
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
        stage
    }
}

impl Model for Pn532Model {
    const NAME: &'static str = "pn532";
    type Stage = Stage;
    type Misbehaviour = Misbehaviour;

    fn serve(line: &mut Pty, reader: &Shared<Self>, cut: &AtomicBool) -> io::Result<()> {
        let mut session = Session::default();
        let mut buffer = [0; 1024];
        while !cut.load(Ordering::Acquire) {
            match line.wait(Ear::Open, reader.slot.bell(), None)? {
                Happened::HostLeft => {
                    session = Session::default();
                    reader.slot.forget_host();
                    continue;
                }
                Happened::Input => {
                    let read = line.read(&mut buffer)?;
                    session.frames.push(buffer.get(..read).unwrap_or_default());
                }
                Happened::Rung | Happened::Nothing => {}
            }
            session.hear_card(&reader.slot);
            session.hear_host(reader);
            line.send(&session.out)?;
            session.out.clear();
        }
        Ok(())
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

impl Session {
    fn hear_host(&mut self, reader: &Shared<Pn532Model>) {
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
            let wrong = reader.meet(reader.model.hear(&command), |_| true);
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
            let kind = reader.model.kind();
            match self.firmware.command(&command, &reader.slot, kind) {
                Reaction::Answer(answer) => self.answer(&answer, wrong),
                Reaction::SyntaxError => self.out.extend(ERROR),
                Reaction::Ask(task) => {
                    let answer = match &task {
                        Task::Activate(card) => reader.slot.ask(*card, Question::Reset),
                        Task::Process(card, command) => {
                            reader.slot.ask(*card, Question::Process(command.clone()))
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
