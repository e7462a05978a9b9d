//! Programs that a test runs to their end.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::{BETWEEN_LOOKS, PATIENCE, in_vain, in_vain_for};

/// How long a whole program may take: some compile, or read cards for minutes on end.
const FOR_A_PROGRAM: Duration = PATIENCE.saturating_mul(4);

/// How long the last words of a killed program may take to arrive.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// How a program ended. Its input ends first. One that does not end is killed.
#[track_caller]
pub fn ended(what: &str, child: &mut Child) -> ExitStatus {
    match end_of(child) {
        Some(status) => status,
        None => in_vain_for(what, FOR_A_PROGRAM),
    }
}

/// Runs a program that gets no input, and takes what it prints. One that does not end is killed, and what it had printed
/// is told.
#[track_caller]
pub fn output(what: &str, command: &mut Command) -> Output {
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    match command.spawn() {
        Ok(child) => finished(what, child),
        Err(error) => panic!("cannot start {:?} for {what}: {error}", command.get_program()),
    }
}

/// The same for one that runs already. Its input ends first; taken is what goes into pipes that nobody else reads.
#[track_caller]
pub fn finished(what: &str, mut child: Child) -> Output {
    let stdout = child.stdout.take().map(Gathered::from_pipe).unwrap_or_default();
    let stderr = child.stderr.take().map(Gathered::from_pipe).unwrap_or_default();
    let Some(status) = end_of(&mut child) else {
        let [stdout, stderr] =
            [stdout, stderr].map(|text| text.within(LAST_WORDS).unwrap_or_else(|so_far| so_far));
        let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        in_vain_for(&format!("{what}, which had printed {stdout:?} and {stderr:?}"), FOR_A_PROGRAM)
    };
    let [stdout, stderr] = [stdout, stderr].map(|text| {
        text.within(PATIENCE).unwrap_or_else(|_| {
            in_vain(&format!("the end of what {what} prints: something it started goes on"))
        })
    });
    Output { status, stdout, stderr }
}

/// `None`: it had to be killed.
fn end_of(child: &mut Child) -> Option<ExitStatus> {
    drop(child.stdin.take());
    let deadline = Instant::now() + FOR_A_PROGRAM;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        if Instant::now() >= deadline {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        thread::sleep(BETWEEN_LOOKS);
    }
}

/// What comes out of a pipe.
#[derive(Default)]
struct Gathered {
    bytes: Arc<Mutex<Vec<u8>>>,
    end: Option<JoinHandle<()>>,
}

impl Gathered {
    fn from_pipe(mut pipe: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let gathered = Arc::clone(&bytes);
        let end = thread::spawn(move || {
            let mut piece = [0; 8192];
            while let Ok(count @ 1..) = pipe.read(&mut piece) {
                gathered.lock().unwrap().extend(&piece[..count]);
            }
        });
        Self { bytes, end: Some(end) }
    }

    /// All of it, once it has ended, or what there was until then.
    fn within(self, patience: Duration) -> Result<Vec<u8>, Vec<u8>> {
        let deadline = Instant::now() + patience;
        let is_over = || self.end.as_ref().is_none_or(JoinHandle::is_finished);
        while !is_over() && Instant::now() < deadline {
            thread::sleep(BETWEEN_LOOKS);
        }
        let is_over = is_over();
        let bytes = std::mem::take(&mut *self.bytes.lock().unwrap());
        if is_over { Ok(bytes) } else { Err(bytes) }
    }
}
