//! The process at the other end of a loopback connection, as far as the system tells: for the audit chain, and for
//! nothing else. A name is what a program gives itself; nobody is let in or kept out for it.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::OnceCell;

/// A connection, and who made it, looked up once where somebody asks.
#[derive(Debug)]
pub(crate) struct Connection {
    peer: SocketAddr,
    local: SocketAddr,
    process: OnceCell<Option<Arc<str>>>,
}

impl Connection {
    pub(crate) fn of(stream: &TcpStream) -> Option<Arc<Self>> {
        let (peer, local) = (stream.peer_addr().ok()?, stream.local_addr().ok()?);
        Some(Arc::new(Self { peer, local, process: OnceCell::new() }))
    }

    /// Such as `uid 1000, pid 4711 (his-desktop)`. The number and the name are told of processes of this one's own user,
    /// and to root of all.
    pub(crate) async fn process(&self) -> Option<Arc<str>> {
        let (peer, local) = (self.peer, self.local);
        let look = || async move {
            let looked = tokio::task::spawn_blocking(move || table::process(peer, local));
            looked.await.ok().flatten().map(Arc::from)
        };
        self.process.get_or_init(look).await.clone()
    }
}

/// Linux: /proc/net/tcp and the open files of processes (proc(5)).
#[cfg(target_os = "linux")]
mod table {
    use std::fs::{self, File};
    use std::io::{BufRead as _, BufReader, Read as _};
    use std::net::SocketAddr;

    /// More lines or processes than this are not looked at.
    const MOST: usize = 65_536;

    pub(super) fn process(peer: SocketAddr, local: SocketAddr) -> Option<String> {
        let file = if peer.is_ipv4() { "/proc/net/tcp" } else { "/proc/net/tcp6" };
        let lines = BufReader::new(File::open(file).ok()?).lines().map_while(Result::ok).take(MOST);
        // The other end's own line: what is remote to it is local here.
        let socket = lines
            .filter_map(|line| Socket::read(&line))
            .find(|socket| socket.local == address(peer) && socket.remote == address(local))?;
        Some(match owner(socket.inode) {
            Some((pid, name)) => format!("uid {}, pid {pid} ({name})", socket.uid),
            None => format!("uid {}", socket.uid),
        })
    }

    /// A line of the table.
    #[derive(Debug, PartialEq, Eq)]
    struct Socket {
        local: String,
        remote: String,
        uid: u32,
        inode: u64,
    }

    impl Socket {
        fn read(line: &str) -> Option<Self> {
            let mut words = line.split_ascii_whitespace();
            let (local, remote) = (words.nth(1)?.to_owned(), words.next()?.to_owned());
            // st, queues, timers, retransmissions; uid; timeout; inode.
            let uid = words.nth(4)?.parse().ok()?;
            let inode = words.nth(1)?.parse().ok()?;
            Some(Self { local, remote, uid, inode })
        }
    }

    /// An address as the table writes it: each four bytes in the machine's order.
    fn address(address: SocketAddr) -> String {
        let bytes = match address {
            SocketAddr::V4(address) => address.ip().octets().to_vec(),
            SocketAddr::V6(address) => address.ip().octets().to_vec(),
        };
        let words = bytes.chunks_exact(4).filter_map(|word| <[u8; 4]>::try_from(word).ok());
        let words: String = words.map(|word| format!("{:08X}", u32::from_ne_bytes(word))).collect();
        format!("{words}:{:04X}", address.port())
    }

    /// Which process has this socket open.
    fn owner(inode: u64) -> Option<(u32, String)> {
        let wanted = format!("socket:[{inode}]");
        let processes = fs::read_dir("/proc").ok()?.flatten().take(MOST);
        for pid in processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
            // Another user's files are not told.
            let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else { continue };
            let has_it = |file: fs::DirEntry| {
                fs::read_link(file.path()).is_ok_and(|target| target.as_os_str() == wanted.as_str())
            };
            if files.flatten().take(MOST).any(has_it) {
                return Some((pid, name(pid)));
            }
        }
        None
    }

    /// What the process calls itself; other signs than plain ones are left out.
    fn name(pid: u32) -> String {
        let mut name = Vec::new();
        if let Ok(file) = File::open(format!("/proc/{pid}/comm")) {
            let _ = file.take(64).read_to_end(&mut name);
        }
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b" .-_+:/".contains(byte);
        name.into_iter().filter(plain).map(char::from).collect()
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_line_of_the_table_is_understood() {
            let line = "   0: 0100007F:2457 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        \
                        0 123456 1 0000000000000000 100 0 0 10 0";
            let due = Socket {
                local: "0100007F:2457".to_owned(),
                remote: "00000000:0000".to_owned(),
                uid: 1000,
                inode: 123_456,
            };
            assert_eq!(Socket::read(line), Some(due));
            assert_eq!(
                Socket::read("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when"),
                None
            );
            #[cfg(target_endian = "little")]
            {
                assert_eq!(address("127.0.0.1:9303".parse().unwrap()), "0100007F:2457");
                let six = address("[::1]:9303".parse().unwrap());
                assert_eq!(six, "00000000000000000000000001000000:2457");
            }
        }

        #[test]
        fn the_other_end_of_a_connection_is_this_process() {
            for any in ["127.0.0.1:0", "[::1]:0"] {
                let Ok(listener) = std::net::TcpListener::bind(any) else { continue };
                let here = listener.local_addr().unwrap();
                let made = std::net::TcpStream::connect(here).unwrap();
                let told = process(made.local_addr().unwrap(), here).unwrap();
                assert!(told.contains(&format!("pid {} (", std::process::id())), "{told}");
                drop(made);
            }
        }
    }
}

/// Elsewhere nobody tells without more rights.
#[cfg(not(target_os = "linux"))]
mod table {
    use std::net::SocketAddr;

    pub(super) fn process(_: SocketAddr, _: SocketAddr) -> Option<String> {
        None
    }
}
