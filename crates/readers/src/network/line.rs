//! The line to one reader: a WebSocket, Engine.IO and Socket.IO in it, and every wait limited.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use cccd_card::ReaderRefusal;
use cccd_hn212::{
    EVENT, LONGEST_MESSAGE, NotUnderstood, Opening, PATH_AND_QUERY, Packet, ReaderMessage, write,
};
use cccd_profiles::ReaderTrust;
use tungstenite::client::{IntoClientRequest, client_with_config};
use tungstenite::handshake::HandshakeError;
use tungstenite::http::HeaderValue;
use tungstenite::http::header::AUTHORIZATION;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, Message, WebSocket};

use super::tls::{self, TlsWire};

/// How long a reader may take to take a connection, and for all that is said before it is let in.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
const ADMIT_WITHIN: Duration = Duration::from_secs(5);
/// How long is waited for a server that lets in unasked, as those of Socket.IO 2 do; asked as well, such a one takes us for
/// two programs and may tell everything twice.
const UNASKED_WITHIN: Duration = Duration::from_millis(300);
/// How long a few bytes may take to be taken by a reader that does not listen.
const WRITE_WITHIN: Duration = Duration::from_secs(2);

/// Why the line is of no use, or of none any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lost {
    /// In words for the log.
    Because(&'static str),
    /// Whoever answers is not shown to be the reader.
    Refused(ReaderRefusal),
}

impl From<NotUnderstood> for Lost {
    fn from(why: NotUnderstood) -> Self {
        Self::Because(match why {
            NotUnderstood::Packet => "it does not speak Socket.IO",
            NotUnderstood::Binary => "it sends binary attachments",
            NotUnderstood::Event => "it sends an event that is none",
        })
    }
}

/// A connection that can be left in the middle of whatever the other side is sending, and come back to.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    until: Instant,
}

impl Wire {
    fn to(address: SocketAddr, until: Instant) -> Result<Self, Lost> {
        let stream = TcpStream::connect_timeout(&address, CONNECT_WITHIN)
            .map_err(|_| Lost::Because("nobody answers at its address"))?;
        let set_up = stream.set_nodelay(true).and_then(|()| stream.set_write_timeout(Some(WRITE_WITHIN)));
        set_up.map_err(|_| Lost::Because("the connection cannot be set up"))?;
        Ok(Self { stream, until })
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        match self.stream.read(buffer) {
            Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::Interrupted) => {
                Err(ErrorKind::WouldBlock.into())
            }
            read => read,
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// A connection as it is spoken over.
enum Spoken {
    Plain(Wire),
    Tls(Box<TlsWire>),
}

impl Spoken {
    fn wire(&mut self) -> &mut Wire {
        match self {
            Self::Plain(wire) => wire,
            Self::Tls(wire) => &mut wire.sock,
        }
    }
}

impl Read for Spoken {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(wire) => wire.read(buffer),
            Self::Tls(wire) => wire.read(buffer),
        }
    }
}

impl Write for Spoken {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(wire) => wire.write(bytes),
            Self::Tls(wire) => wire.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(wire) => wire.flush(),
            Self::Tls(wire) => wire.flush(),
        }
    }
}

/// The line.
pub(super) struct Line {
    socket: WebSocket<Spoken>,
    alive_within: Duration,
    heard: Instant,
    /// How often we ask whether it is still there, and when next, where that is for us to do.
    pings: Option<(Duration, Instant)>,
}

impl Line {
    /// Dials the reader and waits until it lets us in.
    pub(super) fn open(
        address: SocketAddr,
        trust: Option<&ReaderTrust>,
        token: Option<&str>,
    ) -> Result<Self, Lost> {
        let until = Instant::now() + ADMIT_WITHIN;
        let wire = Wire::to(address, until)?;
        let socket = match trust {
            Some(trust) => {
                let tls = tls::shake_hands(wire, address, trust, until)?;
                shake_hands(address, token, Spoken::Tls(Box::new(tls)), until)?
            }
            None => shake_hands(address, token, Spoken::Plain(wire), until)
                .map_err(|lost| perhaps_tls(address).unwrap_or(lost))?,
        };
        let mut line = Self { socket, alive_within: ADMIT_WITHIN, heard: Instant::now(), pings: None };
        let mut opened: Option<Opening> = None;
        let mut ask_at = None;
        loop {
            let now = Instant::now();
            if now >= until {
                return Err(Lost::Because("it does not let us in"));
            }
            if ask_at.is_some_and(|at| now >= at) {
                ask_at = None;
                line.say(&write::connect())?;
            }
            let left = ask_at.unwrap_or(until).saturating_duration_since(Instant::now());
            let Some(text) = line.next(left)? else { continue };
            match (Packet::parse(text.as_str())?, opened) {
                (Packet::Open(opening), None) => {
                    opened = Some(opening);
                    ask_at = Some(Instant::now() + UNASKED_WITHIN);
                }
                (Packet::Connect { with }, Some(opening)) => {
                    line.alive_within = opening.alive_within;
                    // Those of Socket.IO 2 say no more than that, and leave it to us to ask whether they are still there.
                    let asks = with.is_empty();
                    line.pings = asks.then(|| (opening.ping_every, Instant::now() + opening.ping_every));
                    return Ok(line);
                }
                (Packet::Ping, _) => line.say(&write::pong())?,
                (Packet::Refused, _) => return Err(Lost::Because("it does not let us in")),
                (Packet::Close, _) => return Err(Lost::Because("it has closed the connection")),
                _ => {}
            }
        }
    }

    /// The next thing the reader says about cards, if it says one within this time.
    pub(super) fn hear(&mut self, within: Duration) -> Result<Option<ReaderMessage>, Lost> {
        if let Some((every, at)) = &mut self.pings
            && Instant::now() >= *at
        {
            *at = Instant::now() + *every;
            self.say(&write::ping())?;
        }
        let Some(text) = self.next(within)? else {
            if self.heard.elapsed() > self.alive_within {
                return Err(Lost::Because("it is silent"));
            }
            return Ok(None);
        };
        match Packet::parse(text.as_str())? {
            Packet::Event { name, argument } if name == EVENT => Ok(Some(ReaderMessage::parse(argument)?)),
            Packet::Ping => self.say(&write::pong()).map(|()| None),
            Packet::Close | Packet::Refused => Err(Lost::Because("it has closed the connection")),
            // Serial numbers, and what else there may be.
            _ => Ok(None),
        }
    }

    /// Says something to the reader.
    pub(super) fn say(&mut self, text: &str) -> Result<(), Lost> {
        self.socket.send(Message::text(text)).map_err(|_| Lost::Because("it takes nothing"))
    }

    fn next(&mut self, within: Duration) -> Result<Option<tungstenite::Utf8Bytes>, Lost> {
        self.socket.get_mut().wire().until = Instant::now() + within;
        match self.socket.read() {
            Ok(Message::Text(text)) => {
                self.heard = Instant::now();
                Ok(Some(text))
            }
            Ok(Message::Binary(_)) => Err(Lost::Because("it sends binary attachments")),
            Ok(Message::Close(_)) => Err(Lost::Because("it has closed the connection")),
            Ok(_) => {
                self.heard = Instant::now();
                Ok(None)
            }
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(why(&error)),
        }
    }
}

fn shake_hands(
    address: SocketAddr,
    token: Option<&str>,
    spoken: Spoken,
    until: Instant,
) -> Result<WebSocket<Spoken>, Lost> {
    let request = format!("ws://{address}{PATH_AND_QUERY}");
    let mut request = request.into_client_request().map_err(|_| Lost::Because("its address makes no URL"))?;
    if let Some(token) = token {
        let shown = HeaderValue::try_from(format!("Bearer {token}"));
        let mut shown = shown.map_err(|_| Lost::Because("its token is none"))?;
        shown.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, shown);
    }
    // A face and its files fit many times; what is longer is never held whole.
    let config = WebSocketConfig::default()
        .max_message_size(Some(LONGEST_MESSAGE))
        .max_frame_size(Some(LONGEST_MESSAGE));
    let mut shaking = client_with_config(request, spoken, Some(config));
    loop {
        match shaking {
            Ok((socket, _)) => return Ok(socket),
            Err(HandshakeError::Failure(error)) => return Err(why(&error)),
            Err(HandshakeError::Interrupted(middle)) => {
                if Instant::now() >= until {
                    return Err(Lost::Because("it does not let us in"));
                }
                shaking = middle.handshake();
            }
        }
    }
}

/// Looks whether whoever did not answer as a reader in the open speaks TLS: such a one takes a request for a damaged record,
/// and hangs up or says so in a way of its own.
fn perhaps_tls(address: SocketAddr) -> Option<Lost> {
    let until = Instant::now() + ADMIT_WITHIN;
    let wire = Wire::to(address, until).ok()?;
    let seen = tls::seen(wire, address, until)?;
    Some(Lost::Refused(ReaderRefusal::SpeaksTls { seen }))
}

/// Never the error's own words: they may repeat what came.
fn why(error: &Error) -> Lost {
    Lost::Because(match error {
        Error::ConnectionClosed | Error::AlreadyClosed => "it has closed the connection",
        Error::Io(_) => "the connection broke",
        Error::Capacity(_) => "it sends more than any card has",
        Error::Utf8(_) => "it sends what is no text",
        Error::Http(_) | Error::HttpFormat(_) => "it answers otherwise than such a reader",
        _ => "it does not speak WebSocket",
    })
}
