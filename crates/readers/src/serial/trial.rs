//! One port tried out, for whoever sets up a desk: what comes over it, without what it says.

use std::time::Duration;

use cccd_card::StopSignal;
use cccd_profiles::DeskScanner;

use super::commands::{Commands, NotSent, ScannerOrder};
use super::line::Line;
use super::port::{PortFault, serial_ports};
use super::splitter::Heard;

/// How long a line is silent between two bursts. Longer than a scanner pauses within a code.
const BETWEEN_BURSTS: Duration = Duration::from_millis(150);
/// How many control characters are shown at either end.
const SHOWN: usize = 4;

/// What came between two silences.
#[derive(Debug, Default)]
pub struct Burst {
    /// How it looks.
    pub shape: BurstShape,
    /// What the profile makes of it.
    pub heard: Vec<Heard>,
}

/// What bytes look like to somebody who must not read them.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct BurstShape {
    /// How many there are.
    pub bytes: usize,
    /// The control characters they begin with, such as a prefix; at most four.
    pub begins: Vec<u8>,
    /// The control characters they end with, such as a suffix; at most four.
    pub ends: Vec<u8>,
}

/// What a trial tells.
#[derive(Debug)]
#[non_exhaustive]
pub enum ScannerTrial {
    /// The port is open.
    Open {
        /// By this name.
        port: String,
    },
    /// The scanner was given the command, or could not be.
    Ordered(Result<(), NotSent>),
    /// Something came.
    Burst(Burst),
    /// The port is gone.
    Gone,
}

/// Opens a scanner's port, gives it `order`, and tells what comes until the port is lost or `stop` is raised.
pub fn try_port(
    desk: &DeskScanner,
    order: Option<ScannerOrder>,
    tell: &mut dyn FnMut(ScannerTrial),
    stop: &StopSignal,
) -> Result<(), PortFault> {
    let mut line = Line::open(desk, serial_ports)?;
    tell(ScannerTrial::Open { port: line.port_name().to_owned() });
    let commands = Commands::start(&line, &desk.profile.commands);
    if let Some(order) = order {
        tell(ScannerTrial::Ordered(commands.hand().give(order)));
    }
    let mut burst = Burst::default();
    while !stop.is_raised() {
        let Burst { shape, heard } = &mut burst;
        let mut tell_heard = |what| heard.push(what);
        let read = line.listen(&commands.expected, &mut tell_heard, &mut |read| shape.add(read));
        if read.is_err() {
            line.end(&mut tell_heard);
        }
        if burst.shape.bytes > 0 && (read.is_err() || line.rests(BETWEEN_BURSTS)) {
            tell(ScannerTrial::Burst(std::mem::take(&mut burst)));
        }
        if read.is_err() {
            tell(ScannerTrial::Gone);
            break;
        }
    }
    commands.finish();
    Ok(())
}

impl BurstShape {
    fn add(&mut self, read: &[u8]) {
        if self.bytes == self.begins.len() {
            let room = SHOWN.saturating_sub(self.begins.len());
            self.begins.extend(read.iter().take_while(|byte| byte.is_ascii_control()).take(room));
        }
        self.bytes += read.len();
        let controls = read.iter().rev().take_while(|byte| byte.is_ascii_control()).count();
        let (text, controls) = read.split_at(read.len() - controls);
        if !text.is_empty() {
            self.ends.clear();
        }
        self.ends.extend(controls);
        self.ends.drain(..self.ends.len().saturating_sub(SHOWN));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_control_characters_at_either_end_are_shown() {
        for (reads, begins, ends) in [
            (&[&b"\x02code\r\n"[..]][..], &[2][..], &b"\r\n"[..]),
            (&[b"co", b"de\r", b"\n"], &[], b"\r\n"),
            (&[b"\x02", b"\x01co\rde"], &[2, 1], b""),
            (&[b"a\r\r\r\r\r\n"], &[], b"\r\r\r\n"),
            (&[b"\r\n"], b"\r\n", b"\r\n"),
        ] {
            let mut shape = BurstShape::default();
            reads.iter().for_each(|read| shape.add(read));
            assert_eq!((&shape.begins[..], &shape.ends[..]), (begins, ends), "{reads:?}");
            assert_eq!(shape.bytes, reads.concat().len());
        }
    }
}
