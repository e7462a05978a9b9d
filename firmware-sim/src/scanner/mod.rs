//! A serial scanner that is software: a pseudo-terminal that behaves as a model from `devices/scanners` does.
//!
//! ```no_run
//! use std::path::Path;
//! use cccd_firmware_sim::scanner::{Glitch, SerialScanner};
//! use cccd_profiles::ScannerCatalogue;
//!
//! let model = ScannerCatalogue::shipped().get("honeywell").ok_or("not shipped")?.clone();
//! let scanner = SerialScanner::plugged(Path::new("/tmp/scanner0"), model)?;
//! scanner.scan(b"000090123456||...")?;
//! scanner.scan_with(b"000090123456||...", Glitch::Pieces(7))?;
//! scanner.unplug();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What was sent and not yet read is lost when the cable is pulled, as on a real line: the system hangs it up.

mod glitch;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use cccd_profiles::{ScannerCommand, ScannerCommands, ScannerProfile};

pub use glitch::{Glitch, NoGlitch};
use glitch::{Then, Transmission};

use crate::reader::pty::{Bell, Ear, Happened, Pty};

/// Its cable is not plugged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the scanner is not plugged in")]
pub struct NotPlugged;

/// A scanner, and the hand at it.
///
/// Dropping it pulls its cable.
#[derive(Debug)]
pub struct SerialScanner {
    link: PathBuf,
    model: ScannerProfile,
    /// A code that lies in front of it and is read when the host says so.
    held: Arc<Mutex<Option<Vec<u8>>>>,
    cable: Mutex<Option<Cable>>,
}

#[derive(Debug)]
struct Cable {
    cut: Arc<AtomicBool>,
    bell: Arc<Bell>,
    jobs: Sender<Job>,
    thread: JoinHandle<()>,
}

/// A scan, and who waits for its end.
struct Job {
    transmission: Transmission,
    /// Dropped when it has been sent, or the cable was pulled.
    done: Sender<()>,
}

impl SerialScanner {
    /// Makes a scanner of that model and plugs it in: `link` becomes the name of its serial port.
    pub fn plugged(link: &Path, model: ScannerProfile) -> io::Result<Self> {
        let scanner = Self { link: link.to_owned(), model, held: Arc::default(), cable: Mutex::new(None) };
        scanner.plug()?;
        Ok(scanner)
    }

    /// The name of its serial port.
    pub fn link(&self) -> &Path {
        &self.link
    }

    /// What it behaves as.
    pub fn model(&self) -> &ScannerProfile {
        &self.model
    }

    /// Scans a code, and returns once all of it is on the line.
    pub fn scan(&self, code: &[u8]) -> Result<(), NotPlugged> {
        self.send(Transmission::of(code, &self.model.code, None))
    }

    /// The same with something going wrong.
    pub fn scan_with(&self, code: &[u8], glitch: Glitch) -> Result<(), NotPlugged> {
        let transmission = Transmission::of(code, &self.model.code, Some(glitch));
        let pulled = transmission.then == Then::PullCable;
        self.send(transmission)?;
        if pulled {
            self.unplug();
        }
        Ok(())
    }

    /// Lays a code in front of it, which it reads when the host triggers it; or takes it away.
    pub fn hold(&self, code: Option<&[u8]>) {
        *lock(&self.held) = code.map(<[u8]>::to_vec);
        if let Some(cable) = &*lock(&self.cable) {
            cable.bell.ring();
        }
    }

    /// Pulls the cable, whatever is being sent.
    pub fn unplug(&self) {
        let cable = lock(&self.cable).take();
        if let Some(Cable { cut, bell, thread, .. }) = cable {
            cut.store(true, Ordering::Release);
            bell.ring();
            // It ends at the bell; a panic in it was reported when it happened.
            let _ = thread.join();
        }
    }

    /// Plugs it in again, under the same name. Nothing happens where it is plugged in.
    pub fn plug(&self) -> io::Result<()> {
        let mut cable = lock(&self.cable);
        if cable.is_some() {
            return Ok(());
        }
        let (jobs, asked) = channel();
        let (bell, cut) = (Arc::new(Bell::new()?), Arc::new(AtomicBool::new(false)));
        let mut firmware = Firmware {
            pty: Pty::new(&self.link)?,
            model: self.model.clone(),
            held: Arc::clone(&self.held),
            bell: Arc::clone(&bell),
            cut: Arc::clone(&cut),
            heard: Vec::new(),
            waiting: Vec::new(),
            looking: false,
        };
        let thread = std::thread::Builder::new().name("scanner".into()).spawn(move || {
            if let Err(error) = firmware.run(&asked) {
                tracing::error!(%error, "the simulated scanner lost its line");
            }
        })?;
        *cable = Some(Cable { cut, bell, jobs, thread });
        Ok(())
    }

    /// Whether the cable is in.
    pub fn is_plugged(&self) -> bool {
        lock(&self.cable).is_some()
    }

    fn send(&self, transmission: Transmission) -> Result<(), NotPlugged> {
        let (done, is_done) = channel();
        {
            let cable = lock(&self.cable);
            let cable = cable.as_ref().ok_or(NotPlugged)?;
            cable.jobs.send(Job { transmission, done }).map_err(|_| NotPlugged)?;
            cable.bell.ring();
        }
        // Nothing is ever sent: the other end is dropped when it is over.
        let _ = is_done.recv();
        Ok(())
    }
}

impl Drop for SerialScanner {
    fn drop(&mut self) {
        self.unplug();
    }
}

/// What runs in the scanner while its cable is in.
struct Firmware {
    pty: Pty,
    model: ScannerProfile,
    held: Arc<Mutex<Option<Vec<u8>>>>,
    bell: Arc<Bell>,
    cut: Arc<AtomicBool>,
    /// What the host has said and what is no whole command yet.
    heard: Vec<u8>,
    /// What goes out with the next scan.
    waiting: Vec<u8>,
    /// Whether the host has triggered it and it has found nothing yet.
    looking: bool,
}

impl Firmware {
    fn run(&mut self, jobs: &Receiver<Job>) -> io::Result<()> {
        let mut buffer = [0; 256];
        loop {
            for Job { transmission, done } in jobs.try_iter() {
                self.transmit(&transmission)?;
                drop(done);
            }
            let held = lock(&self.held).clone();
            if let Some(code) = held.filter(|_| self.looking) {
                self.looking = false;
                self.transmit(&Transmission::of(&code, &self.model.code, None))?;
            }
            // Seen here, because a pause may have taken the ring that told of it.
            if self.is_cut() {
                return Ok(());
            }
            match self.pty.wait(Ear::Open, &self.bell, None)? {
                Happened::Input => {
                    let read = self.pty.read(&mut buffer)?;
                    self.heard.extend_from_slice(buffer.get(..read).unwrap_or_default());
                    self.obey()?;
                }
                Happened::HostLeft => {
                    self.heard.clear();
                    self.looking = false;
                }
                Happened::Rung | Happened::Nothing => {}
            }
        }
    }

    fn transmit(&mut self, transmission: &Transmission) -> io::Result<()> {
        let mut bytes = std::mem::take(&mut self.waiting);
        bytes.extend_from_slice(&transmission.bytes);
        if transmission.then == Then::WaitForNext {
            self.waiting = bytes;
            return Ok(());
        }
        for (number, piece) in bytes.chunks(transmission.at_once).enumerate() {
            if number > 0 {
                self.pause(transmission)?;
            }
            if self.is_cut() {
                return Ok(());
            }
            self.pty.send(piece)?;
        }
        Ok(())
    }

    /// Pauses between two pieces; a pulled cable ends it.
    fn pause(&self, transmission: &Transmission) -> io::Result<()> {
        let until = Instant::now() + transmission.pause;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.is_cut() {
                return Ok(());
            }
            self.bell.wait(left)?;
        }
    }

    /// Does what the host has said so far.
    fn obey(&mut self) -> io::Result<()> {
        let ScannerCommands { trigger, stop, ping } = self.model.commands.clone();
        while !self.heard.is_empty() {
            let heard = &self.heard;
            let is_said = |command: &&ScannerCommand| heard.starts_with(&command.send);
            let (length, command) = if let Some(trigger) = trigger.as_ref().filter(is_said) {
                self.looking = true;
                (trigger.send.len(), trigger)
            } else if let Some(stop) = stop.as_ref().filter(is_said) {
                self.looking = false;
                (stop.send.len(), stop)
            } else if let Some(ping) = ping.as_ref().filter(is_said) {
                (ping.send.len(), ping)
            } else if [&trigger, &stop, &ping].into_iter().flatten().any(|all| all.send.starts_with(heard)) {
                return Ok(());
            } else {
                // Nothing it knows begins so.
                self.heard.remove(0);
                continue;
            };
            self.heard.drain(..length);
            if let Some(answer) = &command.answer {
                let value: &[u8] = if answer.end.is_empty() { b"" } else { b"1" };
                self.pty.send(&[&answer.begin, value, &answer.end].concat())?;
            }
        }
        Ok(())
    }

    fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Acquire)
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing in here panics half way, so a poisoned state is a whole one.
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::fs::{File, OpenOptions};
    use std::io::{Read, Write};

    use cccd_profiles::ScannerCatalogue;

    use super::*;

    struct Bench {
        scanner: SerialScanner,
        host: File,
        _dir: tempfile::TempDir,
    }

    fn bench(model: &str) -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let model = ScannerCatalogue::shipped().get(model).unwrap().clone();
        let scanner = SerialScanner::plugged(&dir.path().join("scanner"), model).unwrap();
        let host = OpenOptions::new().read(true).write(true).open(scanner.link()).unwrap();
        Bench { scanner, host, _dir: dir }
    }

    impl Bench {
        fn reads(&self, expected: &[u8]) {
            assert_eq!(self.takes(expected.len()), expected);
        }

        fn takes(&self, count: usize) -> Vec<u8> {
            let mut host = self.host.try_clone().unwrap();
            cccd_patience::done("what is scanned", move || {
                let mut read = vec![0; count];
                host.read_exact(&mut read).unwrap();
                read
            })
        }
    }

    #[test]
    fn a_scan_comes_as_the_model_frames_it_with_and_without_glitches() {
        let bench = bench("newland");
        bench.scanner.scan(b"one").unwrap();
        bench.reads(b"one\r\n");
        bench.scanner.scan_with(b"two", Glitch::Pieces(2)).unwrap();
        bench.reads(b"two\r\n");
        bench.scanner.scan_with(b"three", Glitch::Glued).unwrap();
        bench.scanner.scan_with(b"four", Glitch::Twice).unwrap();
        bench.reads(b"three\r\nfour\r\nfour\r\n");
    }

    #[test]
    fn a_triggered_scanner_reads_what_lies_in_front_of_it_once() {
        let mut bench = bench("newland");
        bench.scanner.hold(Some(b"held"));
        // In two halves, with bytes before that mean nothing to it.
        bench.host.write_all(b"??\x01T").unwrap();
        bench.host.write_all(b"\x04").unwrap();
        bench.reads(b"held\r\n");
        // Triggered with nothing there, it looks until something is.
        bench.scanner.hold(None);
        bench.host.write_all(b"\x01T\x04~\x010000@C11*;\x03").unwrap();
        bench.reads(b"\x02\x010000@C111;\x03");
        bench.scanner.hold(Some(b"later"));
        bench.reads(b"later\r\n");
        // Told to stop, it does not look; the next thing that comes is another scan.
        bench.scanner.hold(None);
        bench.host.write_all(b"\x01T\x04\x01P\x04~\x010000@C11*;\x03").unwrap();
        bench.reads(b"\x02\x010000@C111;\x03");
        bench.scanner.hold(Some(b"never"));
        bench.scanner.scan(b"by hand").unwrap();
        bench.reads(b"by hand\r\n");
    }

    #[test]
    fn a_pulled_cable_ends_a_scan_and_the_name() {
        let mut bench = bench("zebra");
        // Would take hours.
        let scanner = &bench.scanner;
        std::thread::scope(|scope| {
            let scan = scope.spawn(|| scanner.scan_with(b"slow", Glitch::Drip(10_000_000)));
            bench.takes(1);
            scanner.unplug();
            assert_eq!(scan.join().unwrap(), Ok(()));
        });
        assert!(!bench.scanner.is_plugged() && !bench.scanner.link().exists());
        assert_eq!(bench.scanner.scan(b"x"), Err(NotPlugged));
        bench.scanner.plug().unwrap();
        bench.host = OpenOptions::new().read(true).write(true).open(bench.scanner.link()).unwrap();
        bench.scanner.scan(b"again").unwrap();
        bench.reads(b"again\r\n");
        bench.scanner.scan_with(b"cut off", Glitch::Cut(3)).unwrap();
        assert!(!bench.scanner.is_plugged());
    }
}
