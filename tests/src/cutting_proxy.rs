//! A way to the agent that breaks event streams off in the middle of an event, again and again.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many events one connection is let through before it breaks within the next.
const EVENTS_A_CONNECTION: usize = 8;

/// A proxy on a port of its own. It lives as long as the process: its threads wait on sockets.
pub struct CuttingProxy {
    address: SocketAddr,
    cuts: Arc<AtomicUsize>,
}

impl CuttingProxy {
    /// Starts one before the agent at `target` (`127.0.0.1:PORT`).
    pub fn start(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let cuts = Arc::new(AtomicUsize::new(0));
        let target = target.to_owned();
        std::thread::spawn({
            let cuts = Arc::clone(&cuts);
            move || {
                for client in listener.incoming().map_while(Result::ok) {
                    let (target, cuts) = (target.clone(), Arc::clone(&cuts));
                    std::thread::spawn(move || carry(client, address, &target, &cuts));
                }
            }
        });
        Self { address, cuts }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many streams it has broken off.
    pub fn cuts(&self) -> usize {
        self.cuts.load(Ordering::SeqCst)
    }
}

/// Carries one connection both ways. Errors end it, as on any broken line.
fn carry(mut client: TcpStream, here: SocketAddr, target: &str, cuts: &AtomicUsize) {
    let Ok(mut agent) = TcpStream::connect(target) else { return };
    let (Ok(mut from_client), Ok(mut to_agent)) = (client.try_clone(), agent.try_clone()) else { return };
    // The agent answers to its own name alone.
    let (mine, theirs) = (here.to_string(), target.to_owned());
    std::thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(count @ 1..) = from_client.read(&mut buffer) {
            let bytes = replaced(&buffer[..count], mine.as_bytes(), theirs.as_bytes());
            if to_agent.write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = to_agent.shutdown(Shutdown::Both);
    });
    let mut buffer = [0; 16 * 1024];
    let mut events = 0;
    while let Ok(count @ 1..) = agent.read(&mut buffer) {
        let mut passed = 0;
        let mut broken = false;
        for at in 0..count {
            // Events begin with `id:` or `event:`; each has one `data:` line.
            if buffer[at..count].starts_with(b"data:") {
                events += 1;
                if events > EVENTS_A_CONNECTION {
                    // A few bytes into the data, so that what arrives is no whole event.
                    passed = (at + 12).min(count);
                    broken = true;
                    break;
                }
            }
        }
        if !broken {
            passed = count;
        }
        if client.write_all(&buffer[..passed]).is_err() || broken {
            cuts.fetch_add(usize::from(broken), Ordering::SeqCst);
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = agent.shutdown(Shutdown::Both);
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(first) = rest.first() {
        if let Some(after) = rest.strip_prefix(from) {
            out.extend_from_slice(to);
            rest = after;
        } else {
            out.push(*first);
            rest = &rest[1..];
        }
    }
    out
}
