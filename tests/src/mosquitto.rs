//! A real mosquitto on a port of its own, for one test: with the settings that `config/fleet` ships, or plain.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use cccd_patience::PATIENCE;
use tempfile::TempDir;

/// The settings that ship.
const SHIPPED: &str = include_str!("../../config/fleet/mosquitto.conf");
const RULES: &str = include_str!("../../config/fleet/rules");

/// A broker. It ends with this value, and with this process.
pub struct Mosquitto {
    child: Child,
    port: u16,
    folder: TempDir,
}

/// Certificates for the broker: PEM.
pub struct BrokerIdentity {
    /// The authority of everybody's certificates.
    pub authority: Vec<u8>,
    /// The broker's own.
    pub certificate: Vec<u8>,
    /// Its key.
    pub key: Vec<u8>,
}

impl Mosquitto {
    /// One that lets everybody in without TLS, and forgets.
    pub fn plain() -> Result<Self> {
        Self::start(|port, _| {
            Ok(format!("listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n"))
        })
    }

    /// One that is set up as `config/fleet/mosquitto.conf` has it, in a folder of its own.
    pub fn as_shipped(identity: &BrokerIdentity) -> Result<Self> {
        Self::start(|port, folder| {
            for (name, text) in [
                ("ca.pem", identity.authority.as_slice()),
                ("broker.pem", &identity.certificate),
                ("broker.key", &identity.key),
                ("rules", RULES.as_bytes()),
            ] {
                std::fs::write(folder.join(name), text)?;
            }
            let here = format!("{}/", folder.display());
            let settings = SHIPPED
                .replace("listener 8883", &format!("listener {port} 127.0.0.1"))
                .replace("/etc/mosquitto/fleet/", &here)
                .replace("/var/lib/mosquitto/", &here);
            if settings == SHIPPED {
                bail!("config/fleet/mosquitto.conf has no places to replace");
            }
            Ok(settings)
        })
    }

    fn start(settings: impl Fn(u16, &Path) -> Result<String>) -> Result<Self> {
        // A port that is free now may be somebody's in a moment: then another is tried.
        for _ in 0..5 {
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
            let folder = TempDir::new()?;
            let mut text = settings(port, folder.path())?;
            // As root it would become another user, who may not read this folder.
            writeln!(text, "user root\nlog_type all\nlog_dest file {}", folder.path().join("log").display())?;
            let config = folder.path().join("mosquitto.conf");
            std::fs::write(&config, text)?;
            let program =
                if Path::new("/usr/sbin/mosquitto").exists() { "/usr/sbin/mosquitto" } else { "mosquitto" };
            let child = Command::new("setpriv")
                .args(["--pdeathsig", "KILL", "--", program, "-c"])
                .arg(&config)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .context("cannot start mosquitto; `cargo xtask setup` installs it")?;
            let mut this = Self { child, port, folder };
            if this.is_listening()? {
                return Ok(this);
            }
        }
        bail!("mosquitto does not listen")
    }

    fn is_listening(&mut self) -> Result<bool> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if self.child.try_wait()?.is_some() {
                return Ok(false);
            }
            if TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok() {
                return Ok(true);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        bail!("mosquitto is silent: {}", std::fs::read_to_string(self.folder.path().join("log"))?)
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A folder that goes with it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it has written to its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The memory it holds, in KiB, and the most it has held.
    pub fn memory(&self) -> Result<(u64, u64)> {
        memory_of(&PathBuf::from(format!("/proc/{}/status", self.child.id())))
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process holds now, and the most it has held, in KiB.
pub fn memory_of(status: &Path) -> Result<(u64, u64)> {
    let text = std::fs::read_to_string(status)?;
    let value = |name: &str| -> Result<u64> {
        let line = text.lines().find(|line| line.starts_with(name)).context("no such line")?;
        Ok(line.split_whitespace().nth(1).context("no value")?.parse()?)
    };
    Ok((value("VmRSS:")?, value("VmHWM:")?))
}
