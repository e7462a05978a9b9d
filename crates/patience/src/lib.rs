//! How long a test waits, and what it says when it has waited in vain.
//!
//! A test that waits for ever says nothing, and nothing that comes after it runs. So whatever a test waits for is waited
//! for through here: what does not come within [`PATIENCE`] is a panic that names it.
//!
//! ```
//! use std::io::Read as _;
//! use std::net::{TcpListener, TcpStream};
//!
//! let listener = TcpListener::bind("127.0.0.1:0").unwrap();
//! let address = listener.local_addr().unwrap();
//! let caller = std::thread::spawn(move || std::io::copy(&mut &b"hello"[..], &mut TcpStream::connect(address).unwrap()));
//! let mut stream = cccd_patience::accepted("the caller", &listener);
//! let mut heard = String::new();
//! stream.read_to_string(&mut heard).unwrap();
//! assert_eq!(heard, "hello");
//! cccd_patience::joined("the caller's end", caller).unwrap();
//! ```
//!
//! It knows nothing of cards, and nothing is timed by it: how fast something comes is no matter here.

#![forbid(unsafe_code)]

mod future;
mod process;

use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use future::{ready, soon};
pub use process::{ended, finished, output};

/// How long anything may take before a test gives up: far longer than it takes on the slowest machine.
pub const PATIENCE: Duration = if cfg!(test) {
    // Here everything is waited for in vain.
    Duration::from_millis(200)
} else {
    Duration::from_secs(120)
};

/// How long passes between two looks at what does not tell of itself.
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// What `work` comes to, which may block.
///
/// It works on a thread of its own, which is left behind where it blocks for too long. A panic of it goes on here.
#[track_caller]
pub fn done<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    joined(what, std::thread::spawn(work))
}

/// What a thread comes to. A panic of it goes on here.
#[track_caller]
pub fn joined<T: Send + 'static>(what: &str, thread: JoinHandle<T>) -> T {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || tell.send(thread.join()));
    match received(what, &told) {
        Ok(worth) => worth,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// What comes through a channel.
#[track_caller]
pub fn received<T>(what: &str, from: &mpsc::Receiver<T>) -> T {
    match from.recv_timeout(PATIENCE) {
        Ok(received) => received,
        Err(RecvTimeoutError::Timeout) => in_vain(what),
        Err(RecvTimeoutError::Disconnected) => panic!("nobody is left who could bring {what}"),
    }
}

/// The next connection. Reads and writes on it are no more patient than this.
#[track_caller]
pub fn accepted(what: &str, listener: &TcpListener) -> TcpStream {
    let listener = listener.try_clone().unwrap();
    let (stream, _) = done(what, move || listener.accept()).unwrap();
    patient(stream)
}

/// A connection on which reads and writes fail after [`PATIENCE`].
#[track_caller]
pub fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Looks again and again until it is so. For what tells nobody when it comes about; other things are waited for.
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        if Instant::now() >= deadline {
            in_vain(what);
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
}

#[track_caller]
fn in_vain(what: &str) -> ! {
    in_vain_for(what, PATIENCE)
}

#[track_caller]
fn in_vain_for(what: &str, patience: Duration) -> ! {
    panic!("waited {} s in vain for {what}", patience.as_secs())
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::io::Read as _;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::process::{Command, Stdio};
    use std::task::{Context, Wake, Waker};
    use std::thread::Thread;

    use super::*;

    /// What is said when it has been waited for.
    fn said(waits: impl FnOnce()) -> String {
        let panic = catch_unwind(AssertUnwindSafe(waits)).expect_err("it never comes");
        *panic.downcast::<String>().unwrap()
    }

    /// Runs a future for as long as it takes.
    fn run(future: impl Future<Output = ()>) {
        struct Unpark(Thread);
        impl Wake for Unpark {
            fn wake(self: std::sync::Arc<Self>) {
                self.0.unpark();
            }
        }
        let waker = Waker::from(std::sync::Arc::new(Unpark(std::thread::current())));
        let mut future = std::pin::pin!(future);
        while future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            std::thread::park();
        }
    }

    #[test]
    fn what_never_comes_is_named() {
        let blocks = || {
            loop {
                std::thread::park();
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (_tell, told) = mpsc::channel::<()>();
        let sleep = || Command::new("sleep").arg("3600").spawn().unwrap();
        let waits: [(&str, &dyn Fn()); 8] = [
            ("a call", &|| done("a call", blocks)),
            ("a thread", &|| joined("a thread", std::thread::spawn(blocks))),
            ("a caller", &|| drop(accepted("a caller", &listener))),
            ("a word", &|| received("a word", &told)),
            ("a change", &|| until("a change", || false)),
            ("a future", &|| ready("a future", pending())),
            ("a task", &|| run(soon("a task", pending()))),
            ("a program", &|| assert!(ended("a program", &mut sleep()).success())),
        ];
        for (what, waits) in waits {
            let said = said(waits);
            assert!(said.ends_with(&format!(" s in vain for {what}")), "{said}");
        }
    }

    #[test]
    fn a_program_that_hangs_is_quoted() {
        let script = "echo one; echo two >&2; exec sleep 3600";
        let mut shell = Command::new("sh");
        let mut child =
            shell.args(["-c", script]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // What it says last it has said before its time begins.
        let mut word = [0; 4];
        child.stderr.take().unwrap().read_exact(&mut word).unwrap();
        let said = said(|| drop(finished("a shell", child)));
        assert!(said.ends_with(r#"in vain for a shell, which had printed "one\n" and """#), "{said}");
    }
}
