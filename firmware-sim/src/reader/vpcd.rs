//! A card behind vpcd, the virtual reader of vsmartcard: the second road to a `pcscd`.
//!
//! vpcd itself is no part of this crate. Where Debian's package has installed it, [`PcscBench`] starts a service with it,
//! kept on the loopback; one that runs elsewhere listens on every address of its machine: keep it in a network namespace
//! of its own.
//!
//! [`PcscBench`]: super::pcscd::PcscBench::start_vpcd_in

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Card;
use super::slot::SlotTaken;

/// Pause between two attempts to reach a vpcd that went away.
const RECONNECT: Duration = Duration::from_millis(200);
/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(2);
/// How long a hand waits for a card that is still computing to come loose.
const GRIP: Duration = Duration::from_secs(2);
/// What goes back for a response that the two-byte length cannot carry, and for an empty one, which would
/// hang the reader until the card leaves: "no precise diagnosis" (ISO/IEC 7816-4, table 6).
const NO_RESPONSE: [u8; 2] = [0x6F, 0x00];

/// Why a card could not be put in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VpcdError {
    /// A card lies there already.
    #[error(transparent)]
    SlotTaken(#[from] SlotTaken),
    /// Nobody listens on the port.
    #[error("no vpcd at {address}")]
    NotListening {
        /// Where it was looked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// One slot of a vpcd on this machine.
///
/// Dropping it takes the card out.
#[derive(Debug)]
pub struct VpcdSlot {
    address: SocketAddr,
    lying: Option<Lying>,
}

#[derive(Debug)]
struct Lying {
    /// Dropped when the card is to come out.
    stay: Sender<()>,
    line: Arc<Mutex<Option<TcpStream>>>,
    back: Receiver<Box<dyn Card>>,
}

impl VpcdSlot {
    /// The slot that listens on `port` of 127.0.0.1; Debian's first one is 35963, its second 35964.
    pub fn new(port: u16) -> Self {
        Self { address: (Ipv4Addr::LOCALHOST, port).into(), lying: None }
    }

    /// Puts a card in. Should the vpcd go away, the card comes back with it.
    pub fn insert(&mut self, mut card: Box<dyn Card>) -> Result<(), VpcdError> {
        if self.lying.is_some() {
            return Err(SlotTaken.into());
        }
        let address = self.address;
        let mut stream = TcpStream::connect_timeout(&address, CONNECT)
            .map_err(|source| VpcdError::NotListening { address, source })?;
        let (stay, leave) = mpsc::channel();
        let (give_back, back) = mpsc::channel();
        let line = Arc::new(Mutex::new(stream.try_clone().ok()));
        let shared = Arc::clone(&line);
        std::thread::spawn(move || {
            loop {
                match serve(&mut stream, card.as_mut()) {
                    Ok(()) => tracing::debug!("vpcd closed the line"),
                    Err(error) => tracing::debug!(%error, "line to vpcd lost"),
                }
                card.reset();
                match reconnect(address, &leave) {
                    Some(fresh) => stream = fresh,
                    None => break,
                }
                // First shared, then asked: a removal in between either finds the stream or is found.
                *shared.lock().unwrap_or_else(PoisonError::into_inner) = stream.try_clone().ok();
                if matches!(leave.try_recv(), Err(mpsc::TryRecvError::Disconnected)) {
                    break;
                }
            }
            let _ = give_back.send(card);
        });
        self.lying = Some(Lying { stay, line, back });
        Ok(())
    }

    /// Takes the card out. Nothing where none lies, and where it is still computing after two seconds.
    pub fn remove(&mut self) -> Option<Box<dyn Card>> {
        let Lying { stay, line, back } = self.lying.take()?;
        drop(stay);
        if let Some(stream) = line.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // Already closed is as good.
            let _ = stream.shutdown(Shutdown::Both);
        }
        back.recv_timeout(GRIP).ok()
    }

    /// Whether a card lies there.
    pub fn has_card(&self) -> bool {
        self.lying.is_some()
    }
}

impl Drop for VpcdSlot {
    fn drop(&mut self) {
        drop(self.remove());
    }
}

/// Tries until it succeeds, or until the card is to come out.
fn reconnect(address: SocketAddr, leave: &Receiver<()>) -> Option<TcpStream> {
    loop {
        match leave.recv_timeout(RECONNECT) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return None,
        }
        if let Ok(stream) = TcpStream::connect_timeout(&address, CONNECT) {
            return Some(stream);
        }
    }
}

/// Answers until the other side closes. Two bytes of length, most significant first, and as much payload.
fn serve(stream: &mut TcpStream, card: &mut dyn Card) -> io::Result<()> {
    stream.set_nodelay(true)?;
    loop {
        let mut length = [0; 2];
        if !read_whole(stream, &mut length)? {
            return Ok(());
        }
        let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
        if !read_whole(stream, &mut message)? {
            return Ok(());
        }
        let answer = match message.as_slice() {
            // Power off and reset: sessions are gone, nothing is answered. Power on: the same without a loss.
            [0x00 | 0x02] => {
                card.reset();
                continue;
            }
            [0x04] => card.atr().to_vec(),
            [] | [_] => continue,
            command => card.process(command),
        };
        stream.write_all(&framed(&answer))?;
    }
}

/// One message in one piece: two writes would wait for each other's acknowledgement.
fn framed(answer: &[u8]) -> Vec<u8> {
    let (length, answer) = match u16::try_from(answer.len()) {
        Ok(length @ 1..) => (length, answer),
        _ => (2, &NO_RESPONSE[..]),
    };
    [&length.to_be_bytes()[..], answer].concat()
}

/// Fills `buffer`. Says no where the stream ended first.
fn read_whole(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<bool> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        // Debian's vpcd sends length and body apart, and without this, which lasts for one read, the second
        // one waits 40 ms for our acknowledgement of the first.
        let _ = rustix::net::sockopt::set_tcp_quickack(&*stream, true);
        match stream.read(rest) {
            Ok(0) => return Ok(false),
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::reader::EchoCard;

    /// The reader's side of the line, as vpcd speaks it: length and body apart.
    struct Vpcd {
        listener: TcpListener,
    }

    impl Vpcd {
        fn new() -> Self {
            Self { listener: TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap() }
        }

        fn slot(&self) -> VpcdSlot {
            VpcdSlot::new(self.listener.local_addr().unwrap().port())
        }

        fn card(&self) -> TcpStream {
            cccd_patience::accepted("the card's side of the line", &self.listener)
        }
    }

    fn say(stream: &mut TcpStream, message: &[u8]) {
        stream.write_all(&u16::try_from(message.len()).unwrap().to_be_bytes()).unwrap();
        stream.write_all(message).unwrap();
    }

    fn hear(stream: &mut TcpStream) -> Vec<u8> {
        let mut length = [0; 2];
        stream.read_exact(&mut length).unwrap();
        let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut message).unwrap();
        message
    }

    #[test]
    fn a_card_is_powered_asked_for_its_atr_and_answers() {
        let vpcd = Vpcd::new();
        let mut slot = vpcd.slot();
        slot.insert(Box::new(EchoCard::marked(5))).unwrap();
        let mut line = vpcd.card();
        // The sequence at insertion; only 04 is answered.
        for message in [&[0x04][..], &[0x04], &[0x01], &[0x04], &[0x00], &[0x01], &[0x04]] {
            say(&mut line, message);
        }
        for _ in 0..4 {
            assert_eq!(hear(&mut line), EchoCard::marked(5).atr());
        }
        say(&mut line, &[0x00, 0xA4, 0x04, 0x00]);
        assert_eq!(hear(&mut line), [5, 0x90, 0x00]);
    }

    #[test]
    fn the_longest_messages_pass() {
        let vpcd = Vpcd::new();
        let mut slot = vpcd.slot();
        slot.insert(Box::new(EchoCard::marked(5))).unwrap();
        let mut line = vpcd.card();
        let command = vec![0x11; 65_533];
        say(&mut line, &command);
        let answer = hear(&mut line);
        assert_eq!((answer.len(), &answer[65_533..]), (65_535, &[0x90, 0x00][..]));
        // One byte more does not fit the two bytes of length, nor may nothing be answered.
        say(&mut line, &[0x11; 65_534]);
        assert_eq!(hear(&mut line), NO_RESPONSE);
    }

    #[test]
    fn removal_closes_the_line_and_gives_the_card_back() {
        let vpcd = Vpcd::new();
        let mut slot = vpcd.slot();
        slot.insert(Box::new(EchoCard::marked(5))).unwrap();
        let mut line = vpcd.card();
        assert!(matches!(slot.insert(Box::new(EchoCard::marked(6))), Err(VpcdError::SlotTaken(SlotTaken))));
        assert_eq!(slot.remove().unwrap().atr(), EchoCard::marked(5).atr());
        assert_eq!(line.read(&mut [0; 1]).unwrap(), 0);
        assert!(slot.remove().is_none());
    }

    #[test]
    fn a_vpcd_that_comes_back_finds_the_card_again() {
        let vpcd = Vpcd::new();
        let mut slot = vpcd.slot();
        slot.insert(Box::new(EchoCard::marked(5))).unwrap();
        drop(vpcd.card());
        let mut line = vpcd.card();
        say(&mut line, &[0x00, 0xA4, 0x04, 0x00]);
        assert_eq!(hear(&mut line), [5, 0x90, 0x00]);
        // Lost again and removed before it is found: the hand does not wait for the network.
        drop(line);
        assert!(slot.remove().is_some());
    }

    #[test]
    fn nobody_listening_is_said() {
        let port = Vpcd::new().slot().address.port();
        let refused = VpcdSlot::new(port).insert(Box::new(EchoCard::marked(5))).unwrap_err();
        assert_eq!(refused.to_string(), format!("no vpcd at 127.0.0.1:{port}"));
    }
}
