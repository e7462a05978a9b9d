//! A worker, and how it is asked: never longer than the caller has time for.

use std::fmt;
use std::io::{self, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use cccd_card::StopSignal;

use super::protocol::{Answer, Request};

/// How often somebody who waits for a worker looks whether the program is to end.
const LOOK_UP: Duration = Duration::from_millis(200);
/// How long a worker gets to switch its field off when it is no longer needed.
const FAREWELL: Duration = Duration::from_millis(700);

/// Starts a worker for the reader behind a connection string.
#[derive(Clone)]
pub struct WorkerProgram(Arc<Start>);

/// Starts a worker for a connection string.
type Start = dyn Fn(&str) -> io::Result<Pipes> + Send + Sync;

/// Both ends of a conversation with a worker, and how it is ended.
pub(super) struct Pipes {
    pub(super) requests: Box<dyn Write + Send>,
    pub(super) answers: Box<dyn Read + Send>,
    pub(super) process: Box<dyn Process>,
}

/// What runs at the other end.
pub(super) trait Process: Send {
    /// Whether it has ended by itself.
    fn has_ended(&mut self) -> bool;
    /// Ends it, whatever it is doing. Says how it ended, for the log.
    fn end(&mut self) -> String;
}

impl WorkerProgram {
    /// This very program as `nfc-worker CONNSTRING`.
    pub fn this_program() -> Self {
        Self::new(|connstring| {
            let mut command = Command::new(this_program()?);
            command.arg("nfc-worker").arg(connstring);
            // At its higher levels libnfc's log holds every byte that card and reader exchange.
            command.env("LIBNFC_LOG_LEVEL", "0").stderr(Stdio::null());
            command.env("LIBNFC_AUTO_SCAN", "false").env("LIBNFC_INTRUSIVE_SCAN", "false");
            command.env_remove("LIBNFC_DEVICE").env_remove("LIBNFC_DEFAULT_DEVICE");
            let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
            let (requests, answers) =
                child.stdin.take().zip(child.stdout.take()).ok_or(io::ErrorKind::BrokenPipe)?;
            Ok(Pipes { requests: Box::new(requests), answers: Box::new(answers), process: Box::new(child) })
        })
    }

    pub(super) fn new(start: impl Fn(&str) -> io::Result<Pipes> + Send + Sync + 'static) -> Self {
        Self(Arc::new(start))
    }
}

impl fmt::Debug for WorkerProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WorkerProgram")
    }
}

/// Stays the same program when its file is replaced by an update while it runs.
#[cfg(target_os = "linux")]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
fn this_program() -> io::Result<std::path::PathBuf> {
    Ok("/proc/self/exe".into())
}

#[cfg(not(target_os = "linux"))]
fn this_program() -> io::Result<std::path::PathBuf> {
    std::env::current_exe()
}

impl Process for Child {
    fn has_ended(&mut self) -> bool {
        !matches!(self.try_wait(), Ok(None))
    }

    fn end(&mut self) -> String {
        let _ = self.kill();
        self.wait().map_or_else(|error| error.to_string(), |status| status.to_string())
    }
}

/// Why a worker did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoAnswer {
    /// It has ended: libnfc crashed, or says nothing of use.
    Ended,
    /// It did not come back in time.
    Hung,
    /// The program is to end.
    Stopping,
}

/// A running worker. Dropping it ends it.
pub(super) struct Worker {
    /// Taken at the end: a worker that hears no more requests switches its reader off and ends.
    requests: Option<Box<dyn Write + Send>>,
    answers: Receiver<Answer>,
    process: Box<dyn Process>,
}

impl Worker {
    pub(super) fn start(program: &WorkerProgram, connstring: &str) -> io::Result<Self> {
        let Pipes { requests, mut answers, process } = (program.0)(connstring)?;
        let (heard, inbox) = mpsc::channel();
        std::thread::spawn(move || {
            // Ends with the worker, or with the first thing it says that is no answer.
            while let Ok(Some(answer)) = Answer::read(&mut answers) {
                if heard.send(answer).is_err() {
                    break;
                }
            }
        });
        Ok(Self { requests: Some(requests), answers: inbox, process })
    }

    /// Asks, and waits for the answer.
    pub(super) fn ask(
        &mut self,
        request: &Request,
        within: Duration,
        stop: &StopSignal,
    ) -> Result<Answer, NoAnswer> {
        let requests = self.requests.as_mut().ok_or(NoAnswer::Ended)?;
        request.write(requests).map_err(|_| NoAnswer::Ended)?;
        self.wait(within, stop)
    }

    /// Waits for an answer.
    pub(super) fn wait(&mut self, within: Duration, stop: &StopSignal) -> Result<Answer, NoAnswer> {
        let deadline = Instant::now() + within;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.answers.recv_timeout(left.min(LOOK_UP)) {
                Ok(answer) => return Ok(answer),
                Err(RecvTimeoutError::Disconnected) => return Err(NoAnswer::Ended),
                Err(RecvTimeoutError::Timeout) if stop.is_raised() => return Err(NoAnswer::Stopping),
                Err(RecvTimeoutError::Timeout) if left.is_zero() => return Err(NoAnswer::Hung),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Ends it at once, and says how it ended.
    pub(super) fn end_now(mut self) -> String {
        self.requests = None;
        self.process.end()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if self.requests.take().is_some() {
            // Its end closes its answers, which the receiver hears.
            let deadline = Instant::now() + FAREWELL;
            while let left = deadline.saturating_duration_since(Instant::now())
                && !left.is_zero()
                && !self.process.has_ended()
            {
                if let Err(RecvTimeoutError::Disconnected) = self.answers.recv_timeout(left) {
                    break;
                }
            }
        }
        let _ = self.process.end();
    }
}
