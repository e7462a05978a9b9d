//! The machine as its own files tell of it: `/proc`, `/sys`, `/dev`. Below a root, so that a test can plant another one.
//! Nothing is opened that could be a device.

use std::fs::{self, File};
use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// None of the files that are read here is longer.
const LARGEST: u64 = 1024 * 1024;
/// Nor has any folder more entries that matter.
const MOST: usize = 65_536;

/// The files of a machine.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    root: PathBuf,
}

/// A device on USB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UsbDevice {
    pub(crate) vendor: u16,
    pub(crate) product: u16,
    /// What it calls itself.
    pub(crate) name: String,
    pub(crate) interfaces: Vec<UsbInterface>,
}

/// One of its interfaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UsbInterface {
    /// What it is for (USB class codes); 0x0B is for smart cards.
    pub(crate) class: u8,
    /// The driver of the kernel that has it; `usbfs` where a program has it.
    pub(crate) driver: Option<String>,
}

/// A running program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) id: u32,
    /// Its name, as the kernel keeps it: fifteen bytes at most.
    pub(crate) name: String,
}

/// Whom a program runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) user: u32,
    pub(crate) groups: Vec<u32>,
}

impl Machine {
    /// This one.
    pub(crate) fn this() -> Self {
        Self::below("/")
    }

    pub(crate) fn below(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Where a file of the machine is.
    pub(crate) fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    pub(crate) fn has(&self, path: impl AsRef<Path>) -> bool {
        fs::symlink_metadata(self.at(path)).is_ok()
    }

    /// A small file as text; `None` where there is none to be read.
    pub(crate) fn text(&self, path: impl AsRef<Path>) -> Option<String> {
        text(&self.at(path))
    }

    /// What lies in a folder, in order.
    pub(crate) fn entries(&self, path: impl AsRef<Path>) -> Vec<PathBuf> {
        entries(&self.at(path))
    }

    /// The modules of the kernel that are loaded.
    pub(crate) fn modules(&self) -> Vec<String> {
        let text = self.text("/proc/modules").unwrap_or_default();
        text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
    }

    /// What hangs on USB.
    pub(crate) fn usb_devices(&self) -> Vec<UsbDevice> {
        let all = self.entries("/sys/bus/usb/devices");
        let number = |path: &Path, file: &str| u16::from_str_radix(text(&path.join(file))?.trim(), 16).ok();
        all.iter()
            .filter_map(|path| {
                let (vendor, product) = (number(path, "idVendor")?, number(path, "idProduct")?);
                let name = text(&path.join("product")).unwrap_or_default().trim().to_owned();
                let own = format!("{}:", path.file_name()?.to_str()?);
                let is_part = |part: &&PathBuf| {
                    part.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(&own))
                };
                let interfaces = all.iter().filter(is_part).map(|part| interface(part)).collect();
                Some(UsbDevice { vendor, product, name, interfaces })
            })
            .collect()
    }

    /// The programs that run, as far as they can be seen.
    pub(crate) fn processes(&self) -> Vec<Process> {
        self.entries("/proc")
            .iter()
            .filter_map(|path| {
                let id = path.file_name()?.to_str()?.parse().ok()?;
                let name = text(&path.join("comm"))?.trim().to_owned();
                Some(Process { id, name })
            })
            .collect()
    }

    /// Whom a program runs as.
    pub(crate) fn identity(&self, process: u32) -> Option<Identity> {
        let status = self.text(format!("/proc/{process}/status"))?;
        let numbers = |key: &str| -> Option<Vec<u32>> {
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            Some(line.split_whitespace().filter_map(|number| number.parse().ok()).collect())
        };
        // The second of four is the one that counts.
        let user = *numbers("Uid:")?.get(1)?;
        let mut groups = numbers("Groups:")?;
        groups.extend(numbers("Gid:")?.get(1));
        Some(Identity { user, groups })
    }

    /// What a program has open, as far as it can be seen: root sees all.
    fn open_files(&self, process: u32) -> Vec<PathBuf> {
        let links = self.entries(format!("/proc/{process}/fd"));
        links.iter().filter_map(|link| fs::read_link(link).ok()).collect()
    }

    /// Who has this file open. `path` is the machine's own name of it, with no link in it.
    pub(crate) fn holders(&self, path: &Path) -> Vec<Process> {
        let mut all = self.processes();
        all.retain(|process| self.open_files(process.id).iter().any(|open| open == path));
        all
    }

    /// Where a name under `/dev` leads, as the machine has it.
    pub(crate) fn device(&self, path: &Path) -> Option<PathBuf> {
        let root = fs::canonicalize(&self.root).ok()?;
        let real = fs::canonicalize(self.at(path)).ok()?;
        Some(Path::new("/").join(real.strip_prefix(root).ok()?))
    }

    /// Who listens on this port, as far as it can be seen.
    pub(crate) fn listener(&self, address: SocketAddr) -> Option<Process> {
        let is_it = |line: &SocketLine| {
            line.state == LISTENING
                && line.local.port() == address.port()
                && (line.local.ip() == address.ip() || line.local.ip().is_unspecified())
        };
        let inode = self.sockets().into_iter().find(is_it)?.inode;
        let link = PathBuf::from(format!("socket:[{inode}]"));
        self.processes().into_iter().find(|process| self.open_files(process.id).contains(&link))
    }

    /// Whether somebody on this machine talks with this address now.
    pub(crate) fn is_connected_to(&self, address: SocketAddr) -> bool {
        self.sockets().iter().any(|line| line.state == ESTABLISHED && line.remote == address)
    }

    fn sockets(&self) -> Vec<SocketLine> {
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| self.text(path).unwrap_or_default());
        tables.iter().flat_map(|table| table.lines().skip(1)).filter_map(SocketLine::parse).collect()
    }
}

const ESTABLISHED: u8 = 0x01;
const LISTENING: u8 = 0x0A;

/// A line of `/proc/net/tcp`.
#[derive(Debug, PartialEq, Eq)]
struct SocketLine {
    local: SocketAddr,
    remote: SocketAddr,
    state: u8,
    inode: u64,
}

impl SocketLine {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        words.next()?;
        let (local, remote) = (socket_address(words.next()?)?, socket_address(words.next()?)?);
        let state = u8::from_str_radix(words.next()?, 16).ok()?;
        let inode = words.nth(5)?.parse().ok()?;
        Some(Self { local, remote, state, inode })
    }
}

/// An address as the kernel writes it: words of four bytes in the machine's order, each in hexadecimal digits.
fn socket_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::with_capacity(16);
    for at in (0..address.len()).step_by(8) {
        let word = u32::from_str_radix(address.get(at..at.checked_add(8)?)?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
        if bytes.len() > 16 {
            return None;
        }
    }
    let ip = match <[u8; 4]>::try_from(bytes.as_slice()) {
        Ok(four) => IpAddr::V4(Ipv4Addr::from(four)),
        // An IPv4 address may stand there within one of IPv6.
        Err(_) => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)).to_canonical(),
    };
    Some(SocketAddr::new(ip, port))
}

fn interface(path: &Path) -> UsbInterface {
    let class = text(&path.join("bInterfaceClass"));
    let class = class.and_then(|class| u8::from_str_radix(class.trim(), 16).ok()).unwrap_or_default();
    let driver = fs::read_link(path.join("driver")).ok();
    let driver = driver.and_then(|link| Some(link.file_name()?.to_str()?.to_owned()));
    UsbInterface { class, driver }
}

fn text(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    // A plain file or what the kernel shows as one: nothing that waits for somebody else.
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    File::open(path).ok()?.take(LARGEST).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn entries(path: &Path) -> Vec<PathBuf> {
    let Ok(listed) = fs::read_dir(path) else { return Vec::new() };
    let mut found: Vec<PathBuf> = listed.take(MOST).flatten().map(|entry| entry.path()).collect();
    found.sort();
    found
}

#[cfg(test)]
#[cfg(unix)]
pub(crate) mod planted {
    //! A machine that is made up.

    use std::os::unix::fs::symlink;

    use super::*;

    /// A root under which files are planted.
    pub(crate) struct Planted(tempfile::TempDir);

    impl Planted {
        pub(crate) fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        pub(crate) fn machine(&self) -> Machine {
            Machine::below(self.0.path())
        }

        pub(crate) fn path(&self, path: &str) -> PathBuf {
            self.machine().at(path)
        }

        pub(crate) fn file(&self, path: &str, text: &str) -> &Self {
            let path = self.path(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
            self
        }

        pub(crate) fn link(&self, path: &str, to: &str) -> &Self {
            let path = self.path(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            symlink(to, path).unwrap();
            self
        }

        /// A device on USB with one interface, which this driver of the kernel has.
        pub(crate) fn usb(&self, id: &str, name: &str, class: &str, driver: Option<&str>) -> &Self {
            let (vendor, product) = id.split_once(':').unwrap();
            let at = "/sys/bus/usb/devices/1-1";
            self.file(&format!("{at}/idVendor"), &format!("{vendor}\n"));
            self.file(&format!("{at}/idProduct"), &format!("{product}\n"));
            self.file(&format!("{at}/product"), &format!("{name}\n"));
            self.file(&format!("{at}:1.0/bInterfaceClass"), &format!("{class}\n"));
            if let Some(driver) = driver {
                self.link(&format!("{at}:1.0/driver"), &format!("../../../drivers/{driver}"));
            }
            self
        }

        /// A program that runs as this user with these files open.
        pub(crate) fn process(&self, id: u32, name: &str, user: u32, open: &[&str]) -> &Self {
            self.file(&format!("/proc/{id}/comm"), &format!("{name}\n"));
            let status = format!(
                "Name:\t{name}\nUid:\t{user}\t{user}\t{user}\t{user}\nGid:\t{user}\t{user}\t{user}\t{user}\nGroups:\t\n"
            );
            self.file(&format!("/proc/{id}/status"), &status);
            for (number, path) in open.iter().enumerate() {
                self.link(&format!("/proc/{id}/fd/{number}"), path);
            }
            self
        }

        /// The table of connections, from lines of local address, remote address, state and inode.
        pub(crate) fn sockets(&self, lines: &[(&str, &str, u8, u64)]) -> &Self {
            let mut table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when\n".to_owned();
            for (number, (local, remote, state, inode)) in lines.iter().enumerate() {
                table += &format!(
                    "   {number}: {} {} {state:02X} 00000000:00000000 00:00000000 00000000     0        0 {inode} 1\n",
                    written(local),
                    written(remote)
                );
            }
            self.file("/proc/net/tcp", &table)
        }
    }

    fn written(address: &str) -> String {
        let address: std::net::SocketAddrV4 = address.parse().unwrap();
        format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port())
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::planted::Planted;
    use super::*;

    #[test]
    fn a_machine_is_read_from_its_files() {
        let planted = Planted::new();
        planted
            .file("/proc/modules", "pn533_usb 20480 0 - Live 0x0\nnfc 131072 1 pn533, Live 0x0\n")
            .usb("072f:2200", "ACR122U PICC Interface", "0b", Some("pn533_usb"))
            .process(7, "cccd-agent", 990, &["socket:[4242]", "/dev/ttyUSB0"])
            .sockets(&[
                ("127.0.0.1:9303", "0.0.0.0:0", 0x0A, 4242),
                ("10.0.0.2:4000", "192.168.5.1:8000", 1, 1),
            ]);
        let machine = planted.machine();
        assert_eq!(machine.modules(), ["pn533_usb", "nfc"]);
        let devices = machine.usb_devices();
        assert_eq!((devices.len(), devices[0].vendor, devices[0].product), (1, 0x072F, 0x2200));
        assert_eq!(devices[0].name, "ACR122U PICC Interface");
        let driver = Some("pn533_usb".to_owned());
        assert_eq!(devices[0].interfaces, [UsbInterface { class: 0x0B, driver }]);
        let agent = Process { id: 7, name: "cccd-agent".to_owned() };
        assert_eq!(machine.listener("127.0.0.1:9303".parse().unwrap()), Some(agent.clone()));
        assert_eq!(machine.listener("127.0.0.1:9304".parse().unwrap()), None);
        assert_eq!(machine.holders(Path::new("/dev/ttyUSB0")), [agent]);
        assert_eq!(machine.identity(7), Some(Identity { user: 990, groups: vec![990] }));
        assert!(machine.is_connected_to("192.168.5.1:8000".parse().unwrap()));
        assert!(!machine.is_connected_to("192.168.5.1:8001".parse().unwrap()));
    }

    #[test]
    fn a_machine_without_any_of_it_has_nothing_and_nothing_fails() {
        let machine = Machine::below("/nowhere/at/all");
        assert!(machine.modules().is_empty() && machine.usb_devices().is_empty());
        assert!(machine.processes().is_empty() && machine.identity(1).is_none());
        for odd in
            ["", "x", "0: 0100007F:2457", "0: 0100:2457 0:0 0A 0 0 0 0 0 1", "0: zz:1 zz:2 0A 0 0 0 0 0 1"]
        {
            assert_eq!(SocketLine::parse(odd), None, "{odd}");
        }
    }

    #[test]
    fn the_kernels_own_table_is_understood() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let near = std::net::TcpStream::connect(address).unwrap();
        let machine = Machine::this();
        if !machine.has("/proc/net/tcp") {
            return;
        }
        assert_eq!(machine.listener(address).map(|process| process.id), Some(std::process::id()));
        assert!(machine.is_connected_to(address));
        drop(near);
    }

    #[test]
    fn no_pipe_is_waited_on() {
        let planted = Planted::new();
        planted.link("/proc/modules", "/dev/zero");
        assert!(planted.machine().modules().is_empty());
    }
}
