//! An open port: its bytes read into codes, and its silence.

use std::io::ErrorKind;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use cccd_profiles::{CommandAnswer, DeskScanner};
use serialport::SerialPort;
use zeroize::{Zeroize as _, Zeroizing};

use super::port::{self, Opened, PortFault, SerialPortFound};
use super::splitter::{Heard, Splitter};

/// How long one read waits at most, so that a stop is seen.
pub(super) const SLICE: Duration = Duration::from_millis(100);
/// How long it waits at least: a silence that is nearly over is not waited for by spinning.
const SHORTEST: Duration = Duration::from_millis(2);

/// An open port.
pub(super) struct Line {
    open: Opened,
    splitter: Splitter,
    buffer: Zeroizing<[u8; 1024]>,
    /// When something last came.
    last: Instant,
}

/// The port is gone.
pub(super) struct Gone;

impl Line {
    /// Opens the port of a scanner.
    pub(super) fn open(desk: &DeskScanner, list: fn() -> Vec<SerialPortFound>) -> Result<Self, PortFault> {
        Ok(Self {
            open: port::open(&desk.place, &desk.profile.line, SLICE, list)?,
            splitter: Splitter::new(desk.profile.code.clone()),
            buffer: Zeroizing::new([0; 1024]),
            last: Instant::now(),
        })
    }

    /// What it was opened by.
    pub(super) fn port_name(&self) -> &str {
        &self.open.name
    }

    /// The same port for another thread, to write to.
    pub(super) fn second(&self) -> Option<Box<dyn SerialPort>> {
        self.open.port.try_clone().ok()
    }

    /// Whether its name leads to another device now. One that leads nowhere may be about to be made anew.
    pub(super) fn was_replaced(&self) -> bool {
        let now = port::device_behind(&self.open.name);
        now.is_some() && now != self.open.device
    }

    /// Whether nothing has come for so long, and nothing is waited for.
    pub(super) fn rests(&self, limit: Duration) -> bool {
        self.last.elapsed() >= limit && self.splitter.patience().is_none()
    }

    /// Reads once, tells what that makes, and shows the bytes to `look`. Says how many there were.
    pub(super) fn listen(
        &mut self,
        expected: &Receiver<CommandAnswer>,
        tell: &mut dyn FnMut(Heard),
        look: &mut dyn FnMut(&[u8]),
    ) -> Result<usize, Gone> {
        // Counted to the end of the wait, in which nothing came: what comes while this thread does not run breaks
        // the silence, too.
        let silent = self.last.elapsed();
        let left = self.splitter.patience().map_or(SLICE, |patience| patience.saturating_sub(silent));
        let wait = left.clamp(SHORTEST, SLICE);
        self.open.port.set_timeout(wait).map_err(|_| Gone)?;
        let read = self.open.port.read(self.buffer.as_mut_slice());
        for answer in expected.try_iter() {
            self.splitter.expect(answer);
        }
        match read {
            // The end of a line that was hung up.
            Ok(0) => Err(Gone),
            Ok(count) => {
                self.last = Instant::now();
                let bytes = self.buffer.get_mut(..count).unwrap_or_default();
                look(bytes);
                self.splitter.push(bytes, tell);
                bytes.zeroize();
                Ok(count)
            }
            Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) => {
                self.splitter.silence(silent + wait, tell);
                Ok(0)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(0),
            Err(_) => Err(Gone),
        }
    }

    /// What had begun to come is cut short.
    pub(super) fn end(&mut self, tell: &mut dyn FnMut(Heard)) {
        self.splitter.end(tell);
    }
}
