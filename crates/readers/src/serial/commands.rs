//! What a scanner is told, by a thread of its own: one that does not read must not keep us from listening.

use std::io::Write as _;
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::thread::JoinHandle;

use cccd_profiles::{CommandAnswer, ScannerCommand, ScannerCommands};
use serialport::SerialPort;

use super::line::Line;

/// How many commands wait for a scanner that does not read.
const WAITING: usize = 4;

/// Something a scanner can be told, where its model can be told anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScannerOrder {
    /// Look for a code.
    Trigger,
    /// Stop looking.
    Stop,
    /// Say that you are there.
    Ping,
}

/// Why a scanner was not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotSent {
    /// It is not plugged in.
    #[error("the scanner is not there")]
    NotThere,
    /// Its profile knows no such command.
    #[error("this model has no such command")]
    NoSuchCommand,
    /// It has not read what it was told before.
    #[error("the scanner does not take commands now")]
    NotTaken,
}

/// The commands of one open port.
pub(super) struct Commands {
    hand: Hand,
    thread: Option<JoinHandle<()>>,
    /// Answers to what is being sent.
    pub(super) expected: Receiver<CommandAnswer>,
}

/// Gives commands to one open port. While anybody has one, the port is not closed.
#[derive(Clone)]
pub(super) struct Hand {
    known: ScannerCommands,
    outgoing: SyncSender<ScannerCommand>,
}

impl Commands {
    pub(super) fn start(line: &Line, known: &ScannerCommands) -> Self {
        let (outgoing, orders) = sync_channel(WAITING);
        let (answers, expected) = channel();
        // Without a second way to the port nobody takes the commands, and whoever gives one is told.
        let thread = line.second().map(|port| std::thread::spawn(move || send(port, &orders, &answers)));
        Self { hand: Hand { known: known.clone(), outgoing }, thread, expected }
    }

    pub(super) fn hand(&self) -> Hand {
        self.hand.clone()
    }

    /// Waits until the port is let go of. Nobody may have a hand any more.
    pub(super) fn finish(self) {
        let Self { hand, thread, .. } = self;
        drop(hand);
        if let Some(thread) = thread {
            // A panic in it was reported when it happened.
            let _ = thread.join();
        }
    }
}

impl Hand {
    pub(super) fn give(&self, order: ScannerOrder) -> Result<(), NotSent> {
        let command = match order {
            ScannerOrder::Trigger => &self.known.trigger,
            ScannerOrder::Stop => &self.known.stop,
            ScannerOrder::Ping => &self.known.ping,
        };
        let command = command.clone().ok_or(NotSent::NoSuchCommand)?;
        self.outgoing.try_send(command).map_err(|error| match error {
            TrySendError::Full(_) => NotSent::NotTaken,
            TrySendError::Disconnected(_) => NotSent::NotThere,
        })
    }
}

/// Sends until nobody gives commands any more.
fn send(mut port: Box<dyn SerialPort>, orders: &Receiver<ScannerCommand>, answers: &Sender<CommandAnswer>) {
    for command in orders {
        if let Some(answer) = command.answer {
            let _ = answers.send(answer);
        }
        // Byte by byte: each waits, for as long as the port's limit, until there is room for it. Many at once
        // may block for ever on a line that nobody reads (seen on a pseudo-terminal with 12 kB unread).
        let sent = command.send.iter().try_for_each(|byte| port.write_all(std::slice::from_ref(byte)));
        if let Err(error) = sent {
            tracing::debug!(kind = ?error.kind(), "a scanner did not take a command");
        }
    }
}
