//! An outbox whose program is killed again and again, and a receiver that fails a third of the time: what arrives.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

/// What came of it.
#[derive(Debug)]
pub struct Storm {
    /// How many messages arrived, each counted once.
    pub arrived: usize,
    /// How many deliveries were of a message that had arrived before: killed between the answer and its note.
    pub again: usize,
    /// How many attempts the receiver refused.
    pub refused: u32,
    /// How often the program was killed.
    pub kills: usize,
}

/// A receiver that knows messages by their `webhook-id`.
pub struct Receiver {
    /// Where it listens, on loopback.
    pub address: String,
    shared: Arc<Taken>,
}

/// How a receiver answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// It takes everything.
    Willing,
    /// It answers every third attempt with 503.
    EveryThirdFails,
}

struct Taken {
    mood: Mood,
    messages: Mutex<BTreeMap<String, (usize, Vec<u8>)>>,
    attempts: AtomicU32,
}

impl Receiver {
    /// Starts one, which ends with the process.
    pub fn start(mood: Mood) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = format!("http://{}/", listener.local_addr()?);
        let shared = Arc::new(Taken { mood, messages: Mutex::default(), attempts: AtomicU32::new(0) });
        let taken = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let taken = Arc::clone(&taken);
                std::thread::spawn(move || while answer(&stream, &taken).is_some() {});
            }
        });
        Ok(Self { address, shared })
    }

    /// What came under this key.
    pub fn body_of(&self, key: &str) -> Option<Vec<u8>> {
        self.shared.messages.lock().unwrap().get(key).map(|(_, body)| body.clone())
    }
}

/// Reads one request and answers it; `None` where the connection is over.
fn answer(stream: &TcpStream, taken: &Taken) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let (mut id, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("webhook-id:") {
            id = Some(value.trim().to_owned());
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let number = taken.attempts.fetch_add(1, Ordering::SeqCst);
    let status = if taken.mood == Mood::EveryThirdFails && number % 3 == 2 {
        "503 Service Unavailable"
    } else {
        // Noted before it is answered, as a receiver does that loses nothing.
        let mut messages = taken.messages.lock().unwrap();
        messages.entry(id?).and_modify(|(times, _)| *times += 1).or_insert((1, body));
        "204 No Content"
    };
    let mut stream = stream;
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").ok()
}

/// Kills the program `kills` times at random instants while it delivers `messages` messages, then lets it finish.
pub fn storm(program: &Path, kills: usize, messages: usize) -> Result<Storm> {
    let folder = TempDir::new()?;
    let receiver = Receiver::start(Mood::EveryThirdFails)?;
    let start = || -> Result<Child> {
        Command::new(program)
            .arg(folder.path().join("store"))
            .arg(&receiver.address)
            .arg(messages.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the program")
    };
    for _ in 0..kills {
        let mut child = start()?;
        let mut random = [0; 2];
        getrandom::fill(&mut random).context("no randomness")?;
        // At any instant of its first quarter of a second: while it opens, puts, delivers or notes.
        std::thread::sleep(Duration::from_micros(u64::from(u16::from_be_bytes(random)) * 4));
        child.kill()?;
        child.wait()?;
    }
    let status = cccd_patience::ended("the delivery of all messages", &mut start()?);
    ensure!(status.success(), "the program ends well once nobody kills it: {status}");
    let taken = receiver.shared.messages.lock().unwrap();
    let refused = receiver.shared.attempts.load(Ordering::SeqCst) / 3;
    let again = taken.values().map(|(times, _)| times - 1).sum();
    Ok(Storm { arrived: taken.len(), again, refused, kills })
}
