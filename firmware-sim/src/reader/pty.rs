//! A pseudo-terminal under a stable name: the serial port that a driver opens as if a device hung on it.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

/// How long a host may leave our bytes unread before the rest of them is lost, as on a real line.
const PATIENCE_WITH_A_HOST_THAT_DOES_NOT_READ: Duration = Duration::from_secs(2);

/// How often a port that its last user left exclusively locked is tried again.
const LOCKED_PORT_PAUSE: Duration = Duration::from_millis(50);

/// The device's end of a serial line; the host's end is the link given to [`Pty::new`].
///
/// Dropping it is pulling the cable: a host that is reading gets an error at once, and the link is gone.
#[derive(Debug)]
pub struct Pty {
    master: OwnedFd,
    link: PathBuf,
    /// Our own hold on the host's end, kept while no host is there. Without one a read on the master fails
    /// with EIO and poll() reports a hang-up for ever, and waiting for the next host would be spinning.
    vigil: Option<OwnedFd>,
    /// Set when the vigil could not be taken: the last user locked the port and is gone.
    locked: bool,
}

/// Whether the device wants to hear the host now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ear {
    /// Wait for bytes, too.
    Open,
    /// Leave bytes where they are; a device that is busy.
    Shut,
}

/// What ended a [`Pty::wait`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened {
    /// Bytes can be read.
    Input,
    /// The last host closed the port. Whatever was half said is void.
    HostLeft,
    /// The [`Bell`] was rung.
    Rung,
    /// Nothing, for as long as was asked.
    Nothing,
}

impl Pty {
    /// Makes the line and puts a symbolic link to the host's end at `link`, over one that is there already.
    pub fn new(link: &Path) -> io::Result<Self> {
        // Close-on-exec matters: a child that inherited the master would keep the line up after an unplug.
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let host_end = open_host_end(&master)?;
        // Raw from the start, or bytes written before the first host sets its mode are echoed and edited.
        let mut mode = tcgetattr(&host_end)?;
        mode.make_raw();
        tcsetattr(&host_end, OptionalActions::Now, &mode)?;
        let flags = rustix::fs::fcntl_getfl(&master)?;
        rustix::fs::fcntl_setfl(&master, flags | OFlags::NONBLOCK)?;

        let name = ptsname(&master, Vec::new())?;
        let mut fresh = link.as_os_str().to_owned();
        fresh.push(".new");
        let fresh = PathBuf::from(fresh);
        match std::fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        std::os::unix::fs::symlink(OsStr::from_bytes(name.as_bytes()), &fresh)?;
        std::fs::rename(&fresh, link)?;
        Ok(Self { master, link: link.to_owned(), vigil: Some(host_end), locked: false })
    }

    /// The stable name a host opens.
    pub fn link(&self) -> &Path {
        &self.link
    }

    /// Waits until the host speaks or leaves, `bell` rings, or `limit` is over.
    pub fn wait(&mut self, ear: Ear, bell: &Bell, limit: Option<Duration>) -> io::Result<Happened> {
        if self.locked {
            self.take_vigil()?;
        }
        if self.locked {
            let rung = bell.wait(LOCKED_PORT_PAUSE)?;
            return Ok(if rung { Happened::Rung } else { Happened::Nothing });
        }
        let listen = if ear == Ear::Open { PollFlags::IN } else { PollFlags::empty() };
        let mut fds = [PollFd::new(&self.master, listen), PollFd::new(&bell.0, PollFlags::IN)];
        poll_for(&mut fds, limit)?;
        let [line, rung] = fds.map(|fd| fd.revents());
        if rung.contains(PollFlags::IN) {
            bell.hush();
            return Ok(Happened::Rung);
        }
        if line.contains(PollFlags::IN) {
            return Ok(Happened::Input);
        }
        if line.contains(PollFlags::HUP) {
            self.discard_input();
            self.take_vigil()?;
            return Ok(Happened::HostLeft);
        }
        Ok(Happened::Nothing)
    }

    /// Reads what is there, without waiting; 0 where nothing is.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match rustix::io::read(&self.master, buffer) {
            Ok(read) => {
                // Somebody is there now: let go, so that their leaving is seen.
                self.vigil = None;
                Ok(read)
            }
            Err(Errno::AGAIN | Errno::INTR | Errno::IO) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends all of `bytes`, or as much as a host takes that is there and reads.
    pub fn send(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let give_up = Instant::now() + PATIENCE_WITH_A_HOST_THAT_DOES_NOT_READ;
        while !bytes.is_empty() {
            match rustix::io::write(&self.master, bytes) {
                Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    let left = give_up.saturating_duration_since(Instant::now());
                    let mut fds = [PollFd::new(&self.master, PollFlags::OUT)];
                    poll_for(&mut fds, Some(left))?;
                    let [line] = fds.map(|fd| fd.revents());
                    if left.is_zero() || line.contains(PollFlags::HUP) {
                        return Ok(());
                    }
                }
                // The host closed the port meanwhile; `wait` will say so.
                Err(Errno::IO) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn take_vigil(&mut self) -> io::Result<()> {
        self.locked = false;
        match open_host_end(&self.master) {
            Ok(host_end) => self.vigil = Some(host_end),
            // A killed user's TIOCEXCL outlives it for as long as the master does.
            Err(Errno::BUSY) => self.locked = true,
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Throws away what the host that left said last. Ends: nobody is there to write more.
    fn discard_input(&mut self) {
        let mut scrap = [0; 1024];
        while matches!(rustix::io::read(&self.master, &mut scrap), Ok(1..)) {}
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        // Only our own link: the name may carry a newer line by now.
        let ours = ptsname(&self.master, Vec::new()).ok();
        let there = std::fs::read_link(&self.link).ok();
        if let (Some(ours), Some(there)) = (ours, there)
            && there.as_os_str().as_bytes() == ours.as_bytes()
        {
            let _ = std::fs::remove_file(&self.link);
        }
    }
}

/// Wakes a thread that is in [`Pty::wait`].
#[derive(Debug)]
pub struct Bell(OwnedFd);

impl Bell {
    /// A bell that has not been rung.
    pub fn new() -> io::Result<Self> {
        Ok(Self(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?))
    }

    /// Wakes whoever waits, or the next who will.
    pub fn ring(&self) {
        // The only failure of a valid eventfd is a counter that is full, and then it rings anyway.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }

    /// Waits for the ring alone, and says whether it came.
    pub fn wait(&self, limit: Duration) -> io::Result<bool> {
        let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
        poll_for(&mut fds, Some(limit))?;
        let [rung] = fds.map(|fd| fd.revents().contains(PollFlags::IN));
        if rung {
            self.hush();
        }
        Ok(rung)
    }

    fn hush(&self) {
        let mut count = [0; 8];
        let _ = rustix::io::read(&self.0, &mut count);
    }
}

fn open_host_end(master: &OwnedFd) -> Result<OwnedFd, Errno> {
    ioctl_tiocgptpeer(master.as_fd(), OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
}

/// One poll(); an interruption by a signal counts as "nothing yet".
pub(super) fn poll_for(fds: &mut [PollFd<'_>], limit: Option<Duration>) -> io::Result<()> {
    let limit = limit.map(|limit| Timespec {
        tv_sec: limit.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: limit.subsec_nanos().into(),
    });
    match poll(fds, limit.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{File, OpenOptions};
    use std::io::{Read, Write};

    use super::*;

    const LONG: Option<Duration> = Some(cccd_patience::PATIENCE);

    fn open(link: &Path) -> File {
        OpenOptions::new().read(true).write(true).open(link).unwrap()
    }

    #[test]
    fn bytes_pass_unchanged_both_ways() {
        let dir = tempfile::tempdir().unwrap();
        let (mut pty, bell) = (Pty::new(&dir.path().join("port")).unwrap(), Bell::new().unwrap());
        let mut host = open(pty.link());
        let all: Vec<u8> = (0..=255).collect();
        host.write_all(&all).unwrap();
        let mut heard = Vec::new();
        while heard.len() < all.len() {
            assert_eq!(pty.wait(Ear::Open, &bell, LONG).unwrap(), Happened::Input);
            let mut buffer = [0; 64];
            let read = pty.read(&mut buffer).unwrap();
            heard.extend_from_slice(&buffer[..read]);
        }
        assert_eq!(heard, all);
        pty.send(&all).unwrap();
        let mut back = vec![0; all.len()];
        let back = cccd_patience::done("the bytes on the host's side", move || {
            host.read_exact(&mut back).unwrap();
            back
        });
        assert_eq!(back, all);
    }

    #[test]
    fn a_host_may_come_and_go_and_its_leaving_is_told_once() {
        let dir = tempfile::tempdir().unwrap();
        let (mut pty, bell) = (Pty::new(&dir.path().join("port")).unwrap(), Bell::new().unwrap());
        for _ in 0..3 {
            let mut host = open(pty.link());
            host.write_all(b"hello").unwrap();
            assert_eq!(pty.wait(Ear::Open, &bell, LONG).unwrap(), Happened::Input);
            let mut buffer = [0; 64];
            assert_eq!(pty.read(&mut buffer).unwrap(), 5);
            drop(host);
            assert_eq!(pty.wait(Ear::Open, &bell, LONG).unwrap(), Happened::HostLeft);
            let quiet = pty.wait(Ear::Open, &bell, Some(Duration::from_millis(1))).unwrap();
            assert_eq!(quiet, Happened::Nothing, "waits instead of spinning");
        }
    }

    #[test]
    fn pulling_the_cable_ends_a_read_and_removes_the_name() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("port");
        let pty = Pty::new(&link).unwrap();
        let mut host = open(&link);
        let reading = std::thread::spawn(move || host.read(&mut [0; 8]));
        drop(pty);
        // A hang-up is the end of the line (0 bytes) or EIO, depending on who was first.
        assert!(matches!(cccd_patience::joined("the end of the read", reading), Ok(0) | Err(_)));
        assert!(std::fs::symlink_metadata(&link).is_err());
    }

    #[test]
    fn a_ring_before_the_wait_is_not_lost() {
        let dir = tempfile::tempdir().unwrap();
        let (mut pty, bell) = (Pty::new(&dir.path().join("port")).unwrap(), Bell::new().unwrap());
        bell.ring();
        assert_eq!(pty.wait(Ear::Shut, &bell, LONG).unwrap(), Happened::Rung);
        assert_eq!(pty.wait(Ear::Shut, &bell, Some(Duration::ZERO)).unwrap(), Happened::Nothing);
    }

    #[test]
    fn a_newer_line_under_the_same_name_survives_the_older_one() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("port");
        let old = Pty::new(&link).unwrap();
        let new = Pty::new(&link).unwrap();
        drop(old);
        assert!(open(&link).metadata().is_ok());
        drop(new);
        assert!(std::fs::symlink_metadata(&link).is_err());
    }
}
