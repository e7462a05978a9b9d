//! Orders to simulated readers that run in another process: one line of JSON there, one back.
//!
//! ```text
//! > {"do":"insert","reader":0,"card":"cccd-2021"}
//! < {"done":{"readers":[{"number":0,"name":"Simulated reader 1","plugged":true,"card":"cccd-2021"}],"scanners":[], …}}
//! > {"do":"remove","reader":7}
//! < {"refused":"there is no reader 7"}
//! ```

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::scanner::Glitch;

/// The longest order. A card is named or lies in a file, so nothing long is ever said.
const MAX_LINE: u64 = 16 * 1024;
/// How long the other side gets for its line. An order may restart a service, which takes up to ten seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a hand does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Order {
    /// Puts a card into an empty reader.
    Insert {
        /// Which reader, counted from 0.
        reader: usize,
        /// A shipped card's name, or the path of a TOML file.
        card: String,
    },
    /// Takes the card out.
    Remove {
        /// Which reader, counted from 0.
        reader: usize,
    },
    /// Puts a card in place of the one that lies there.
    Swap {
        /// Which reader, counted from 0.
        reader: usize,
        /// A shipped card's name, or the path of a TOML file.
        card: String,
    },
    /// Pulls the reader's cable.
    Unplug {
        /// Which reader, counted from 0.
        reader: usize,
    },
    /// Plugs it in again.
    Plug {
        /// Which reader, counted from 0.
        reader: usize,
    },
    /// Makes a reader go wrong.
    Trouble {
        /// Which reader, counted from 0.
        reader: usize,
        /// As its [`Trouble`](super::trouble::Trouble) is written; nothing to be good again.
        trouble: Option<String>,
    },
    /// Scans a code.
    Scan {
        /// Which scanner, counted from 0.
        scanner: usize,
        /// What the code says.
        code: Code,
        /// When.
        when: When,
        /// What goes wrong.
        glitch: Option<Glitch>,
    },
    /// Pulls a scanner's cable.
    UnplugScanner {
        /// Which scanner, counted from 0.
        scanner: usize,
    },
    /// Plugs it in again.
    PlugScanner {
        /// Which scanner, counted from 0.
        scanner: usize,
    },
    /// Only looks.
    Status {},
}

/// What a code says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// This.
    Text(String),
    /// What is on the back or front of this card: a shipped card's name, or the path of a TOML file.
    Card(String),
}

/// When a code is scanned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// At once, as if by the button.
    Now,
    /// When the host triggers the scanner.
    Triggered,
}

/// What came of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// It was carried out, and this is how things stand now.
    Done(Status),
    /// It was not, for this reason.
    Refused(String),
}

/// How things stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// What a client needs in its environment to find the readers.
    pub environment: BTreeMap<String, String>,
    /// Whether the smart-card service runs. Nothing where it is not ours.
    pub serving: Option<bool>,
    /// The readers, by number.
    pub readers: Vec<ReaderStatus>,
    /// The scanners, by number.
    pub scanners: Vec<ScannerStatus>,
}

/// One scanner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScannerStatus {
    /// Counted from 0.
    pub number: usize,
    /// The profile it behaves as.
    pub model: String,
    /// The name of its serial port.
    pub port: String,
    /// Whether its cable is in.
    pub plugged: bool,
}

/// One reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReaderStatus {
    /// Counted from 0.
    pub number: usize,
    /// How its name begins in PC/SC; a PN532's has no other use.
    pub name: String,
    /// Whether its cable is in.
    pub plugged: bool,
    /// The card in it, as it was named.
    pub card: Option<String>,
    /// What libnfc finds it by, if it is a PN532.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connstring: Option<String>,
}

/// Why an order got no reply.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OrderError {
    /// Nobody takes orders there.
    #[error("no simulator runs in {}; start one with `firmware-sim run`", folder.display())]
    NotRunning {
        /// The folder that was looked in.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The line broke, or nothing came back in time.
    #[error("the simulator did not reply")]
    Io(#[from] io::Error),
    /// What came back is no reply.
    #[error("the simulator's reply makes no sense")]
    Garbled(#[from] serde_json::Error),
}

/// Gives an order to the simulator that runs in `folder`.
pub fn give(folder: &Path, order: &Order) -> Result<Reply, OrderError> {
    let stream = UnixStream::connect(socket_in(folder))
        .map_err(|source| OrderError::NotRunning { folder: folder.to_owned(), source })?;
    stream.set_read_timeout(Some(PATIENCE))?;
    send(&stream, order)?;
    Ok(serde_json::from_str(&receive(&stream)?)?)
}

/// Takes orders in a folder until it is dropped.
#[derive(Debug)]
pub struct OrderDesk {
    socket: PathBuf,
    closed: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl OrderDesk {
    /// Opens it. Orders are handled one after the other.
    ///
    /// Fails with `AddrInUse` where another simulator takes orders in this folder.
    pub fn open(folder: &Path, mut handle: impl FnMut(Order) -> Reply + Send + 'static) -> io::Result<Self> {
        let socket = socket_in(folder);
        if UnixStream::connect(&socket).is_ok() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        // Left behind by one that was killed.
        match std::fs::remove_file(&socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&socket)?;
        let closed = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&closed);
        let thread = std::thread::Builder::new().name("orders".into()).spawn(move || {
            for stream in listener.incoming() {
                if told.load(Ordering::Acquire) {
                    return;
                }
                let served = stream.and_then(|stream| serve(&stream, &mut handle));
                if let Err(error) = served {
                    tracing::debug!(%error, "an order broke off");
                }
            }
        })?;
        Ok(Self { socket, closed, thread: Some(thread) })
    }
}

impl Drop for OrderDesk {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Release);
        // The visit that makes the thread look up.
        let woken = UnixStream::connect(&self.socket).is_ok();
        let _ = std::fs::remove_file(&self.socket);
        if let Some(thread) = self.thread.take().filter(|_| woken) {
            let _ = thread.join();
        }
    }
}

fn socket_in(folder: &Path) -> PathBuf {
    folder.join("control")
}

fn serve(stream: &UnixStream, handle: &mut impl FnMut(Order) -> Reply) -> io::Result<()> {
    // Visitors come one at a time, so one that says nothing may not hold up the others for long.
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.set_write_timeout(Some(Duration::from_secs(2)))?;
    let reply = match serde_json::from_str(&receive(stream)?) {
        Ok(order) => handle(order),
        Err(error) => Reply::Refused(format!("no order: {error}")),
    };
    send(stream, &reply)
}

fn send(mut stream: &UnixStream, message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    stream.write_all(&line)
}

fn receive(stream: &UnixStream) -> io::Result<String> {
    let mut line = String::new();
    BufReader::new(stream.take(MAX_LINE)).read_line(&mut line)?;
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> Status {
        let card = Some("cccd-2021".to_owned());
        let reader = ReaderStatus { number: 0, name: "Desk".into(), plugged: true, card, connstring: None };
        let environment = [("PCSCLITE_CSOCK_NAME".to_owned(), "/somewhere/sock".to_owned())].into();
        Status { environment, serving: Some(true), readers: vec![reader], scanners: Vec::new() }
    }

    fn insert() -> Order {
        Order::Insert { reader: 0, card: "cccd-2021".into() }
    }

    #[test]
    fn an_order_on_the_line() {
        let line = r#"{"do":"insert","reader":0,"card":"cccd-2021"}"#;
        assert_eq!(serde_json::to_string(&insert()).unwrap(), line);
        assert_eq!(serde_json::from_str::<Order>(line).unwrap(), insert());
        assert_eq!(serde_json::from_str::<Order>(r#"{"do":"status"}"#).unwrap(), Order::Status {});
        let scan =
            r#"{"do":"scan","scanner":0,"code":{"card":"cccd-2021"},"when":"now","glitch":{"pieces":7}}"#;
        let code = Code::Card("cccd-2021".into());
        let order = Order::Scan { scanner: 0, code, when: When::Now, glitch: Some(Glitch::Pieces(7)) };
        assert_eq!(serde_json::from_str::<Order>(scan).unwrap(), order);
        assert_eq!(serde_json::to_string(&order).unwrap(), scan);
        assert!(serde_json::from_str::<Order>(r#"{"do":"remove","reader":0,"card":"x"}"#).is_err());
    }

    #[test]
    fn orders_are_carried_out_and_answered() {
        let dir = tempfile::tempdir().unwrap();
        let desk = OrderDesk::open(dir.path(), |order| match order {
            Order::Insert { .. } => Reply::Done(status()),
            other => Reply::Refused(format!("{other:?}")),
        })
        .unwrap();
        assert_eq!(give(dir.path(), &insert()).unwrap(), Reply::Done(status()));
        let refused = give(dir.path(), &Order::Remove { reader: 3 }).unwrap();
        assert_eq!(refused, Reply::Refused("Remove { reader: 3 }".into()));
        drop(desk);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn nonsense_and_silence_do_not_stop_the_desk() {
        let dir = tempfile::tempdir().unwrap();
        let _desk = OrderDesk::open(dir.path(), |_| Reply::Done(status())).unwrap();
        drop(UnixStream::connect(socket_in(dir.path())).unwrap());
        let mut endless = UnixStream::connect(socket_in(dir.path())).unwrap();
        // It may stop listening before the end of this.
        let _ = endless.write_all(&vec![b'x'; 100_000]);
        let stream = UnixStream::connect(socket_in(dir.path())).unwrap();
        send(&stream, &"hello").unwrap();
        assert!(receive(&stream).unwrap().starts_with(r#"{"refused":"no order: "#));
        assert_eq!(give(dir.path(), &Order::Status {}).unwrap(), Reply::Done(status()));
    }

    #[test]
    fn a_folder_has_one_simulator_and_a_dead_one_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let absent = give(dir.path(), &insert()).unwrap_err();
        assert!(matches!(absent, OrderError::NotRunning { .. }), "{absent}");
        drop(UnixListener::bind(socket_in(dir.path())).unwrap());
        let _desk = OrderDesk::open(dir.path(), |_| Reply::Done(status())).unwrap();
        let second = OrderDesk::open(dir.path(), |_| Reply::Done(status())).unwrap_err();
        assert_eq!(second.kind(), io::ErrorKind::AddrInUse);
        assert!(give(dir.path(), &insert()).is_ok(), "the first one goes on");
    }
}
