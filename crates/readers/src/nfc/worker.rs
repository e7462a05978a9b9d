//! The worker: the process in which libnfc lives and may die.
//!
//! libnfc trusts the chip it talks to. An ATS of length zero makes it copy four gigabytes, a status byte with the
//! highest bit set makes it call `abort()`, a command over 262 bytes runs over its stack, and none of its calls can
//! be interrupted (virtual-hardware notes, 3.2). So it is asked from another process, which takes all of that for a
//! reader that was unplugged.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

use cccd_card::SecretBytes;

use super::fault;
use super::protocol::{Answer, Found, Request};

/// Longest command that libnfc's frame buffer holds behind its own two bytes. It does not look itself.
pub(super) const MAX_COMMAND: usize = 262;
/// How long libnfc gets to let go of the reader after the agent has.
const FAREWELL: Duration = Duration::from_millis(500);

/// An error code of libnfc.
pub(super) type Code = i32;

/// What the worker does with a reader; libnfc, or a test.
pub(super) trait Device {
    fn find(&mut self) -> Result<Option<Found>, Code>;
    fn exchange(&mut self, command: &[u8], within: Duration) -> Result<SecretBytes, Code>;
    fn is_present(&mut self) -> Result<(), Code>;
    fn rest(&mut self) -> Result<(), Code>;
}

/// The whole of `cccd-agent nfc-worker CONNSTRING`: serves the agent that started it over standard input and output,
/// and ends with it.
pub fn nfc_worker(connstring: &str) -> ExitCode {
    harden();
    let (requests, inbox) = mpsc::channel();
    std::thread::spawn(move || {
        let mut from = io::stdin().lock();
        while let Ok(Some(request)) = Request::read(&mut from) {
            if requests.send(request).is_err() {
                break;
            }
        }
        drop(requests);
        // The agent has gone. Nothing it does could call libnfc back from where it may be.
        std::thread::park_timeout(FAREWELL);
        std::process::exit(0);
    });
    let mut to = io::stdout().lock();
    let told = match open(connstring) {
        Ok(mut device) => serve(&mut device, &mut to, inbox.iter()),
        Err(code) => Answer::Failed(code).write(&mut to),
    };
    if told.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Nothing of a person's in the picture that a crash leaves behind.
#[cfg(unix)]
fn harden() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

#[cfg(not(unix))]
fn harden() {}

#[cfg(all(feature = "nfc", unix))]
fn open(connstring: &str) -> Result<super::libnfc::Libnfc, Code> {
    super::libnfc::Libnfc::open(connstring)
}

#[cfg(not(all(feature = "nfc", unix)))]
fn open(_: &str) -> Result<NoDevice, Code> {
    Err(fault::ENOTIMPL)
}

/// Does as it is asked until nobody asks any more.
fn serve(
    device: &mut impl Device,
    to: &mut impl Write,
    requests: impl Iterator<Item = Request>,
) -> io::Result<()> {
    Answer::Opened.write(to)?;
    for request in requests {
        answer(device, request).write(to)?;
    }
    Ok(())
}

fn answer(device: &mut impl Device, request: Request) -> Answer {
    let answer = match request {
        Request::Find => device.find().map(|found| found.map_or(Answer::Nothing, Answer::Card)),
        Request::Exchange { command, .. } if command.len() > MAX_COMMAND => Err(fault::EINVARG),
        // libnfc takes zero for "as long as it takes".
        Request::Exchange { within, command } => {
            device.exchange(&command, within.max(Duration::from_millis(1))).map(Answer::Reply)
        }
        Request::Check => device.is_present().map(|()| Answer::Done),
        Request::Rest => device.rest().map(|()| Answer::Done),
    };
    answer.unwrap_or_else(Answer::Failed)
}

/// In a build without libnfc there is no reader.
#[cfg(not(all(feature = "nfc", unix)))]
enum NoDevice {}

#[cfg(not(all(feature = "nfc", unix)))]
impl Device for NoDevice {
    fn find(&mut self) -> Result<Option<Found>, Code> {
        match *self {}
    }

    fn exchange(&mut self, _: &[u8], _: Duration) -> Result<SecretBytes, Code> {
        match *self {}
    }

    fn is_present(&mut self) -> Result<(), Code> {
        match *self {}
    }

    fn rest(&mut self) -> Result<(), Code> {
        match *self {}
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    /// Answers every command with its length, and remembers the longest.
    #[derive(Default)]
    struct Counting {
        longest: usize,
        shortest_wait: Option<Duration>,
    }

    impl Device for Counting {
        fn find(&mut self) -> Result<Option<Found>, Code> {
            Ok(None)
        }

        fn exchange(&mut self, command: &[u8], within: Duration) -> Result<SecretBytes, Code> {
            self.longest = self.longest.max(command.len());
            self.shortest_wait = Some(self.shortest_wait.map_or(within, |known| known.min(within)));
            Ok(Zeroizing::new(vec![0x90, 0x00]))
        }

        fn is_present(&mut self) -> Result<(), Code> {
            Err(fault::ETGRELEASED)
        }

        fn rest(&mut self) -> Result<(), Code> {
            Ok(())
        }
    }

    #[test]
    fn no_command_that_libnfc_could_not_hold_reaches_it() {
        let mut device = Counting::default();
        let exchange =
            |length| Request::Exchange { within: Duration::ZERO, command: Zeroizing::new(vec![0; length]) };
        let requests = [262, 263, 300, 1000].map(exchange).into_iter().chain([Request::Find, Request::Check]);
        let mut line = Vec::new();
        serve(&mut device, &mut line, requests).unwrap();
        assert_eq!(device.longest, 262);
        assert_eq!(device.shortest_wait, Some(Duration::from_millis(1)), "zero would be for ever");
        let mut from = line.as_slice();
        let told: Vec<String> =
            std::iter::from_fn(|| Some(format!("{:?}", Answer::read(&mut from).ok()??))).collect();
        assert_eq!(
            told,
            [
                "Opened",
                "Reply(Zeroizing { .. })",
                "Failed(-2)",
                "Failed(-2)",
                "Failed(-2)",
                "Nothing",
                "Failed(-10)"
            ]
        );
    }
}
