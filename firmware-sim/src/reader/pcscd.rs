//! A private `pcscd` with simulated readers in it.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Sender};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use command_fds::{CommandFdExt, FdMapping};
use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::Card;
use super::gempc::GemPcTwin;
use super::pty::poll_for;
use super::vpcd::VpcdSlot;

/// The real serial CCID driver.
const DRIVER: &str = "/usr/lib/pcsc/drivers/serial/libccidtwin.so";
/// The driver of vsmartcard's virtual reader.
const VPCD: &str = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so";
/// What keeps it on the loopback.
const PRELOAD: &str = "vpcd_on_loopback.so";
/// Where the service may lie.
const SERVICE: [&str; 2] = ["/usr/sbin/pcscd", "/usr/bin/pcscd"];
/// The folder that `pcscd` was compiled to keep its pid in; without it, it does not start.
const SERVICE_FOLDER: &str = "/run/pcscd";
/// A socket name longer than this does not fit a `sockaddr_un`.
const MAX_SOCKET_PATH: usize = 107;
/// How long the service gets until it answers, and until it ends.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why a bench could not be set up. The variant says whose move it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// Something has to be installed.
    #[error("{what} is not installed; `cargo xtask setup` installs it")]
    Missing {
        /// The file that was looked for.
        what: &'static str,
    },
    /// Only root can make the folder.
    #[error("{SERVICE_FOLDER} is missing and cannot be made; as root: mkdir {SERVICE_FOLDER}")]
    NoServiceFolder(#[source] io::Error),
    /// A client could not name the socket.
    #[error("the socket's path has {length} bytes and may have {MAX_SOCKET_PATH}; choose a shorter folder")]
    SocketPathTooLong {
        /// Its length.
        length: usize,
    },
    /// A name that the service's configuration cannot hold.
    #[error(
        "reader name number {index} is empty, longer than 100 bytes, or has a character that may not be in it"
    )]
    ReaderName {
        /// Which of the names, counted from 0.
        index: usize,
    },
    /// Two readers would answer to one name.
    #[error("reader name number {index} is there twice")]
    ReaderNameTwice {
        /// The second of them, counted from 0.
        index: usize,
    },
    /// There are more cards than readers to put them in.
    #[error("{cards} cards do not fit into {readers} readers")]
    TooManyCards {
        /// How many cards.
        cards: usize,
        /// How many readers.
        readers: usize,
    },
    /// The service ended instead of starting; its log says why.
    #[error("pcscd ended at once; it said: {}", said.trim())]
    Ended {
        /// The end of its log.
        said: Box<str>,
    },
    /// The service runs and does not answer on the socket it was handed.
    #[error("pcscd does not serve the socket it was handed: this build knows no socket activation")]
    NotActivated,
    /// What keeps vpcd on the loopback could not be compiled.
    #[error("gcc: {}", said.trim())]
    Compiler {
        /// What it said.
        said: Box<str>,
    },
    /// A call to the operating system failed.
    #[error("cannot set up the simulated readers")]
    Io(#[from] io::Error),
}

/// A private `pcscd` and the readers it drives.
///
/// Any number of benches run side by side. Dropping one ends its service and removes its files.
///
/// ```no_run
/// use cccd_firmware_sim::reader::{EchoCard, pcscd::PcscBench};
///
/// let bench = PcscBench::start(&["Desk 1"])?;
/// if let Some(reader) = bench.reader(0) {
///     reader.insert(EchoCard::marked(1))?;
/// }
/// // A client started with PCSCLITE_CSOCK_NAME set to this finds the reader "Desk 1 00 00".
/// println!("{}", bench.socket_path().display());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct PcscBench {
    // Dropped in this order: the service before its readers, the folder last.
    service: Mutex<Option<Service>>,
    readers: Vec<NamedReader>,
    keeper: Keeper,
    folder: Folder,
    socket: PathBuf,
    program: &'static str,
    /// A library that is loaded into the service before all others.
    preload: Option<PathBuf>,
}

/// What a service is to be started with.
struct Started {
    program: &'static str,
    configuration: String,
    readers: Vec<NamedReader>,
    preload: Option<PathBuf>,
}

#[derive(Debug)]
struct NamedReader {
    name: Box<str>,
    device: GemPcTwin,
}

/// Where a bench keeps its files.
#[derive(Debug)]
enum Folder {
    /// Made for it.
    Own(tempfile::TempDir),
    /// Given to it; it takes away what it put there.
    Given(PathBuf),
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::Own(dir) => dir.path(),
            Self::Given(path) => path,
        }
    }
}

impl PcscBench {
    /// Starts a service with one reader for each name, all empty, in a folder of its own.
    ///
    /// Returns once the service answers, and then the readers are listed.
    pub fn start(names: &[&str]) -> Result<Self, BenchError> {
        let dir = tempfile::Builder::new().prefix("cccd-sim-").tempdir()?;
        Self::build(Folder::Own(dir), names, Vec::new())
    }

    /// Starts it in a folder that is there; the socket will be `sock` in it.
    ///
    /// For a client that has to know the socket before the service is there.
    pub fn start_in(folder: &Path, names: &[&str]) -> Result<Self, BenchError> {
        Self::build(Folder::Given(folder.to_owned()), names, Vec::new())
    }

    /// Starts it in a folder that is there, with cards in the first readers.
    ///
    /// A card that is there before the service needs not wait for its next poll: the first command is answered
    /// some 40 ms after the start instead of some 420.
    pub fn start_with_cards(
        folder: &Path,
        names: &[&str],
        cards: Vec<Box<dyn Card>>,
    ) -> Result<Self, BenchError> {
        Self::build(Folder::Given(folder.to_owned()), names, cards)
    }

    /// Starts it in a folder that is there, with vsmartcard's vpcd instead of readers of ours: two slots, "Virtual PCD 00
    /// 00" and "00 01", that are also handed out. They listen on the loopback alone.
    pub fn start_vpcd_in(folder: &Path) -> Result<(Self, [VpcdSlot; 2]), BenchError> {
        if !Path::new(VPCD).exists() {
            return Err(BenchError::Missing { what: "vsmartcard-vpcd" });
        }
        let [first, second] = two_free_ports()?;
        let configuration = format!(
            "FRIENDLYNAME \"Virtual PCD\"\nDEVICENAME /dev/null:{first}\nLIBPATH {VPCD}\nCHANNELID {first}\n"
        );
        let preload = compile_preload(folder)?;
        let started =
            Started { program: find_service()?, configuration, readers: Vec::new(), preload: Some(preload) };
        let bench = Self::begin(Folder::Given(folder.to_owned()), started)?;
        Ok((bench, [VpcdSlot::new(first), VpcdSlot::new(second)]))
    }

    fn build(folder: Folder, names: &[&str], cards: Vec<Box<dyn Card>>) -> Result<Self, BenchError> {
        let program = find_service()?;
        check_names(names)?;
        if cards.len() > names.len() {
            return Err(BenchError::TooManyCards { cards: cards.len(), readers: names.len() });
        }
        socket_in(&folder)?;
        let run = folder.path().join("run");
        std::fs::create_dir_all(&run)?;
        let mut readers = Vec::new();
        let mut cards = cards.into_iter();
        let mut configuration = String::new();
        for (index, &name) in names.iter().enumerate() {
            let device = GemPcTwin::plugged(&run.join(format!("ccid{index}")))?;
            if let Some(card) = cards.next() {
                // A new reader is empty.
                let _ = device.insert(card);
            }
            let port = device.link().display();
            // One file for all: the order in which pcscd reads several is the folder's own.
            let _ = write!(
                configuration,
                "FRIENDLYNAME \"{name}\"\nDEVICENAME {port}:GemPCTwin\nLIBPATH {DRIVER}\nCHANNELID {index}\n\n"
            );
            readers.push(NamedReader { name: name.into(), device });
        }
        Self::begin(folder, Started { program, configuration, readers, preload: None })
    }

    fn begin(folder: Folder, started: Started) -> Result<Self, BenchError> {
        let Started { program, configuration, readers, preload } = started;
        let socket = socket_in(&folder)?;
        let conf = folder.path().join("conf");
        std::fs::create_dir_all(&conf)?;
        std::fs::write(conf.join("readers"), configuration)?;
        let service = Mutex::new(None);
        let bench = Self { service, readers, keeper: Keeper::new()?, folder, socket, program, preload };
        bench.restart_service()?;
        Ok(bench)
    }

    /// What `PCSCLITE_CSOCK_NAME` has to say in a client's environment.
    pub fn socket_path(&self) -> &Path {
        &self.socket
    }

    /// The folder with the socket, the readers' ports and the service's log.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What the service wrote.
    pub fn log_path(&self) -> PathBuf {
        self.folder.path().join("pcscd.log")
    }

    /// The reader with this number, in the order of the names.
    pub fn reader(&self, index: usize) -> Option<&GemPcTwin> {
        self.readers.get(index).map(|reader| &reader.device)
    }

    /// How many readers there are.
    pub fn reader_count(&self) -> usize {
        self.readers.len()
    }

    /// The name it was given. PC/SC adds two numbers behind a blank, which change when another reader is
    /// missing at a restart: look for this beginning.
    pub fn friendly_name(&self, index: usize) -> Option<&str> {
        self.readers.get(index).map(|reader| &*reader.name)
    }

    /// Plugs an unplugged reader in again, and restarts the service, which finds serial readers only then.
    pub fn plug(&self, index: usize) -> Result<(), BenchError> {
        if let Some(reader) = self.reader(index)
            && !reader.is_plugged()
        {
            reader.plug()?;
            self.restart_service()?;
        }
        Ok(())
    }

    /// Kills the service as a crash would: its socket stays and nobody answers on it.
    pub fn kill_service(&self) -> Result<(), BenchError> {
        if let Some(mut service) = self.service().take() {
            service.child.kill()?;
            service.child.wait()?;
        }
        Ok(())
    }

    /// Starts the service anew on the same socket and the same readers, whether it runs or not.
    pub fn restart_service(&self) -> Result<(), BenchError> {
        let mut service = self.service();
        if let Some(running) = service.take() {
            running.end()?;
        }
        match std::fs::remove_file(&self.socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let listener = UnixListener::bind(&self.socket)?;
        let log = File::options().create(true).append(true).open(self.log_path())?;
        let conf = self.folder.path().join("conf");
        let mut command = service_command(self.program, &conf, listener, &log)?;
        if let Some(library) = &self.preload {
            command.env("LD_PRELOAD", library);
        }
        let mut started = Service { child: self.keeper.spawn(command)? };
        // While the service is down a client is refused, not queued: nobody but it holds the listener.
        if let Err(error) = started.wait_until_it_answers(&self.socket, &self.log_path(), PATIENCE) {
            let _ = started.end();
            return Err(error);
        }
        *service = Some(started);
        Ok(())
    }

    /// Whether the service runs.
    pub fn is_serving(&self) -> bool {
        let mut service = self.service();
        service.as_mut().is_some_and(|service| matches!(service.child.try_wait(), Ok(None)))
    }

    /// Ends the service and removes all files, as dropping does, and says what failed.
    pub fn stop(self) -> Result<(), BenchError> {
        if let Some(service) = self.service().take() {
            service.end()?;
        }
        Ok(())
    }

    fn service(&self) -> MutexGuard<'_, Option<Service>> {
        self.service.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for PcscBench {
    fn drop(&mut self) {
        if let Some(service) = self.service().take() {
            let _ = service.end();
        }
        self.readers.clear();
        if let Folder::Given(folder) = &self.folder {
            for file in ["sock", "pcscd.log", PRELOAD] {
                let _ = std::fs::remove_file(folder.join(file));
            }
            for dir in ["conf", "run"] {
                let _ = std::fs::remove_dir_all(folder.join(dir));
            }
        }
    }
}

#[derive(Debug)]
struct Service {
    child: Child,
}

impl Service {
    /// Speaks the client's first words and waits for the service's: by then it has looked for its readers.
    fn wait_until_it_answers(
        &mut self,
        socket: &Path,
        log: &Path,
        limit: Duration,
    ) -> Result<(), BenchError> {
        let mut client = UnixStream::connect(socket)?;
        // CMD_VERSION of the pcsc-lite protocol: the size of the body, the command; major, minor, result.
        let hello: Vec<u8> = [12u32, 0x11, 4, 4, 0].into_iter().flat_map(u32::to_ne_bytes).collect();
        client.write_all(&hello)?;
        let process =
            pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty()).map_err(io::Error::from)?;
        let mut fds = [PollFd::new(&client, PollFlags::IN), PollFd::new(&process, PollFlags::IN)];
        poll_for(&mut fds, Some(limit))?;
        let [answered, ended] = fds.map(|fd| !fd.revents().is_empty());
        if ended || self.child.try_wait()?.is_some() {
            return Err(BenchError::Ended { said: end_of(log) });
        }
        let mut answer = [0; 12];
        if answered && client.read_exact(&mut answer).is_ok() {
            return Ok(());
        }
        Err(BenchError::NotActivated)
    }

    /// Asks it to end, and makes it.
    fn end(mut self) -> io::Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        let process = pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty())?;
        pidfd_send_signal(&process, Signal::TERM)?;
        let mut fds = [PollFd::new(&process, PollFlags::IN)];
        poll_for(&mut fds, Some(PATIENCE))?;
        if self.child.try_wait()?.is_none() {
            self.child.kill()?;
        }
        self.child.wait()?;
        Ok(())
    }
}

/// The thread that starts the service and stays.
///
/// The service is to die with this process, even if that is killed; PDEATHSIG does it, and counts the thread
/// that started the child as its parent. A test's thread ends with the test, a bench may live longer.
#[derive(Debug)]
struct Keeper {
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

type Order = (Command, Sender<io::Result<Child>>);

impl Keeper {
    fn new() -> io::Result<Self> {
        let (orders, inbox) = mpsc::channel::<Order>();
        let thread = std::thread::Builder::new().name("pcscd-keeper".into()).spawn(move || {
            for (mut command, started) in inbox {
                let _ = started.send(command.spawn());
            }
        })?;
        Ok(Self { orders: Some(orders), thread: Some(thread) })
    }

    fn spawn(&self, command: Command) -> io::Result<Child> {
        let gone = || io::Error::other("the thread that starts pcscd has ended");
        let (started, child) = mpsc::channel();
        self.orders.as_ref().ok_or_else(gone)?.send((command, started)).map_err(|_| gone())?;
        child.recv().map_err(|_| gone())?
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// `pcscd` with `listener` as its file descriptor 3: the protocol of socket activation (`sd_listen_fds`).
fn service_command(
    program: &str,
    conf: &Path,
    listener: UnixListener,
    log: &File,
) -> Result<Command, BenchError> {
    let mut command = Command::new("setpriv");
    // The process id that LISTEN_PID has to name is known only to the process itself, and exec keeps it.
    let activate = r#"LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" --foreground --config "$1""#;
    command.args(["--pdeathsig", "KILL", "--", "sh", "-c", activate, program]).arg(conf);
    command.env_remove("PCSCLITE_CSOCK_NAME");
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log.try_clone()?);
    let listener = FdMapping { parent_fd: OwnedFd::from(listener), child_fd: 3 };
    // One mapping cannot collide.
    command.fd_mappings(vec![listener]).map_err(io::Error::other)?;
    Ok(command)
}

/// Where the service's socket is to be.
fn socket_in(folder: &Folder) -> Result<PathBuf, BenchError> {
    let socket = folder.path().join("sock");
    let length = socket.as_os_str().len();
    if length > MAX_SOCKET_PATH {
        return Err(BenchError::SocketPathTooLong { length });
    }
    Ok(socket)
}

/// Two ports in a row that nobody listens on. Another program may take them before vpcd does; then no card gets in, and
/// that is said.
fn two_free_ports() -> io::Result<[u16; 2]> {
    for _ in 0..50 {
        let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = first.local_addr()?.port();
        let Some(next) = port.checked_add(1) else { continue };
        if TcpListener::bind((Ipv4Addr::LOCALHOST, next)).is_ok() {
            return Ok([port, next]);
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}

/// Compiles what keeps vpcd on the loopback.
fn compile_preload(folder: &Path) -> Result<PathBuf, BenchError> {
    let library = folder.join(PRELOAD);
    let mut compiler = Command::new("gcc");
    compiler.args(["-shared", "-fPIC", "-x", "c", "-", "-o"]).arg(&library).arg("-ldl");
    let mut child = compiler.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    if let Some(mut source) = child.stdin.take() {
        source.write_all(include_bytes!("vpcd_on_loopback.c"))?;
    }
    let done = child.wait_with_output()?;
    if !done.status.success() {
        return Err(BenchError::Compiler { said: String::from_utf8_lossy(&done.stderr).into() });
    }
    Ok(library)
}

fn find_service() -> Result<&'static str, BenchError> {
    let program = SERVICE.into_iter().find(|path| Path::new(path).exists());
    let program = program.ok_or(BenchError::Missing { what: "pcscd" })?;
    if !Path::new(DRIVER).exists() {
        return Err(BenchError::Missing { what: "libccid (libccidtwin.so)" });
    }
    if !Path::new(SERVICE_FOLDER).is_dir() {
        std::fs::create_dir_all(SERVICE_FOLDER).map_err(BenchError::NoServiceFolder)?;
    }
    Ok(program)
}

fn check_names(names: &[&str]) -> Result<(), BenchError> {
    for (index, name) in names.iter().enumerate() {
        // 128 bytes is what pcsc-lite has for a name, its own two numbers included.
        let fits = (1..=100).contains(&name.len());
        if !fits || name.chars().any(|char| char.is_control() || char == '"' || char == '\\') {
            return Err(BenchError::ReaderName { index });
        }
        if names.iter().take(index).any(|other| other == name) {
            return Err(BenchError::ReaderNameTwice { index });
        }
    }
    Ok(())
}

/// The last lines of a log, at most a thousand bytes of it.
fn end_of(log: &Path) -> Box<str> {
    let bytes = std::fs::read(log).unwrap_or_default();
    let end = bytes.get(bytes.len().saturating_sub(1000)..).unwrap_or_default();
    String::from_utf8_lossy(end).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_break_the_configuration_are_refused() {
        for bad in ["", "a\"b", "a\nb", "a\\b", &"x".repeat(101)] {
            assert!(matches!(PcscBench::start(&["Fine", bad]), Err(BenchError::ReaderName { index: 1 })));
        }
        assert!(matches!(PcscBench::start(&["A", "A"]), Err(BenchError::ReaderNameTwice { index: 1 })));
    }

    #[test]
    fn a_socket_that_no_client_could_name_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("d".repeat(110));
        let refused = PcscBench::start_in(&deep, &["A"]);
        assert!(matches!(refused, Err(BenchError::SocketPathTooLong { length }) if length > 110));
    }

    #[test]
    fn nothing_is_left_behind() {
        let bench = PcscBench::start(&["A", "B"]).unwrap();
        let folder = bench.folder().to_owned();
        let child = bench.service().as_ref().map(|service| Pid::from_child(&service.child)).unwrap();
        assert!(folder.join("run/ccid1").exists());
        drop(bench);
        assert!(!folder.exists());
        assert!(rustix::process::test_kill_process(child).is_err(), "the process is gone");
    }

    #[test]
    fn a_given_folder_keeps_what_was_in_it() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("mine"), "x").unwrap();
        PcscBench::start_in(dir.path(), &["A"]).unwrap().stop().unwrap();
        let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["mine"]);
    }

    #[test]
    fn a_service_that_ignores_its_socket_is_found_out() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("sock");
        let _deaf = UnixListener::bind(&socket).unwrap();
        let child = Command::new("sleep").arg("600").spawn().unwrap();
        let mut service = Service { child };
        let log = dir.path().join("log");
        let deaf = service.wait_until_it_answers(&socket, &log, Duration::from_millis(20));
        assert!(matches!(deaf, Err(BenchError::NotActivated)));
        std::fs::write(&log, "no folder\n").unwrap();
        service.child.kill().unwrap();
        let ended = service.wait_until_it_answers(&socket, &log, PATIENCE).unwrap_err();
        assert_eq!(ended.to_string(), "pcscd ended at once; it said: no folder");
        service.end().unwrap();
    }
}
