//! A reader of the HN212 and 3T class: converses with chips by itself, and tells what it read over Socket.IO.
//!
//! ```no_run
//! use cccd_firmware_sim::chip::Chip;
//! use cccd_firmware_sim::personalise::{Issuer, personalise, shipped_card};
//! use cccd_firmware_sim::reader::hn212::Hn212;
//!
//! let reader = Hn212::plugged()?;
//! let card = shipped_card("cccd-2021").ok_or("no such card")?.description()?;
//! reader.insert(&card, Chip::new(personalise(&card, &Issuer::new()?)?));
//! println!("a program connects to {}", reader.address());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Its packets and messages are written here and not by the agent's own writer, so that a mistake on one side is caught by
//! the other. Its shape is that of the two public descriptions; where they contradict each other it speaks as the maker's.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use openssl::ssl::SslStream;
use serde_json::{Value, json};
use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::{Error, Message, WebSocket};

use super::own_certificate::OwnCertificate;
use crate::chip::Chip;
use crate::personalise::{CardDescription, RecordValue};

/// How long a line is listened to at a time.
const TURN: Duration = Duration::from_millis(10);
/// How often a program is asked whether it is still there.
const PING: Duration = Duration::from_secs(20);
/// How long one whose library is Socket.IO 2 waits to be asked.
const OLD_ALIVE_WITHIN: Duration = Duration::from_millis(10_200);

/// What goes wrong with one card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hn212Fault {
    /// The card is seen, and then the line is cut.
    CutsTheLine,
    /// The line is cut in the middle of the message with the files.
    HalfAnEvent,
    /// The message with the files is no JSON.
    MalformedJson,
    /// The message with the files is longer than any card.
    TooLong,
    /// One file is no base64.
    WrongBase64,
    /// The files come first, then the text, and nothing says that there is a card.
    OutOfOrder,
    /// The card is seen, and nothing more is said.
    Silent,
    /// The reader cannot read the card.
    Fails,
    /// These groups are not given.
    Without(Vec<u8>),
    /// What the program asks to have signed is not answered.
    SignsNothing,
    /// What the program asks to have signed is answered with a failure.
    FailsToSign,
    /// Another challenge is signed than the one that was asked for, and said to be it.
    SignsAnother,
}

/// A reader, and the hand at it. Dropping it pulls its cable.
#[derive(Debug)]
pub struct Hn212 {
    address: SocketAddr,
    shared: Arc<Shared>,
    door: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    table: Mutex<Table>,
    /// How many programs it has let in, ever.
    admitted: AtomicUsize,
    /// How many requests have come to it, ever.
    asked: AtomicUsize,
    /// Whether its library is Socket.IO 2.
    is_old: AtomicBool,
    /// How often it was asked whether it is still there, ever.
    pinged: AtomicUsize,
    closed: AtomicBool,
}

#[derive(Debug, Default)]
struct Table {
    lines: Vec<Sender<Say>>,
    card: Option<Lying>,
}

struct Lying {
    chip: Chip,
    fault: Option<Hn212Fault>,
}

impl std::fmt::Debug for Lying {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lying").field("fault", &self.fault).finish_non_exhaustive()
    }
}

/// What goes over a line.
#[derive(Debug, Clone)]
enum Say {
    Text(String),
    /// Half a frame with this text, and then nothing.
    Half(String),
    Cut,
}

impl Hn212 {
    /// A reader on a free port of this machine.
    pub fn plugged() -> io::Result<Self> {
        Self::plugged_at((Ipv4Addr::LOCALHOST, 0).into())
    }

    /// The same at this address.
    pub fn plugged_at(address: SocketAddr) -> io::Result<Self> {
        Self::start(address, None)
    }

    /// One whose library is Socket.IO 2: it lets in unasked, and is asked whether it is still there instead of asking.
    pub fn plugged_with_socket_io_2() -> io::Result<Self> {
        let reader = Self::plugged()?;
        reader.shared.is_old.store(true, Ordering::SeqCst);
        Ok(reader)
    }

    /// One that speaks `https`, with a certificate that it has made itself.
    pub fn plugged_over_tls(certificate: &OwnCertificate) -> io::Result<Self> {
        Self::over_tls_at((Ipv4Addr::LOCALHOST, 0).into(), certificate)
    }

    /// The same at this address.
    pub fn over_tls_at(address: SocketAddr, certificate: &OwnCertificate) -> io::Result<Self> {
        Self::start(address, Some(certificate.clone()))
    }

    fn start(address: SocketAddr, certificate: Option<OwnCertificate>) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            table: Mutex::default(),
            admitted: AtomicUsize::new(0),
            asked: AtomicUsize::new(0),
            is_old: AtomicBool::new(false),
            pinged: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
        });
        let door = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                for stream in listener.incoming() {
                    if shared.closed.load(Ordering::SeqCst) {
                        break;
                    }
                    let Ok(stream) = stream else { continue };
                    let (shared, certificate) = (Arc::clone(&shared), certificate.clone());
                    std::thread::spawn(move || {
                        let served =
                            spoken(stream, certificate.as_ref()).and_then(|line| serve(line, &shared));
                        if let Err(error) = served {
                            tracing::debug!(%error, "a program left");
                        }
                    });
                }
            }
        });
        Ok(Self { address, shared, door: Some(door) })
    }

    /// Where programs connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many programs it has let in so far.
    pub fn admitted(&self) -> usize {
        self.shared.admitted.load(Ordering::SeqCst)
    }

    /// How many requests have come to it so far, good or bad: under TLS, whatever was said behind a handshake.
    pub fn asked(&self) -> usize {
        self.shared.asked.load(Ordering::SeqCst)
    }

    /// How often programs have asked whether it is still there.
    pub fn pinged(&self) -> usize {
        self.shared.pinged.load(Ordering::SeqCst)
    }

    /// Lays a card on it, which it reads at once and tells everybody about.
    pub fn insert(&self, card: &CardDescription, chip: Chip) {
        self.lay(card, chip, None);
    }

    /// The same, and something goes wrong.
    pub fn insert_going_wrong(&self, card: &CardDescription, chip: Chip, fault: Hn212Fault) {
        self.lay(card, chip, Some(fault));
    }

    fn lay(&self, card: &CardDescription, chip: Chip, fault: Option<Hn212Fault>) {
        let said = told_of(card, &chip, fault.as_ref());
        let mut table = lock(&self.shared.table);
        table.card = Some(Lying { chip, fault });
        table.lines.retain(|line| said.iter().all(|say| line.send(say.clone()).is_ok()));
    }

    /// Takes the card away. The reader tells nobody.
    pub fn remove(&self) -> Option<Chip> {
        lock(&self.shared.table).card.take().map(|lying| lying.chip)
    }

    /// Cuts every line.
    pub fn cut(&self) {
        for line in lock(&self.shared.table).lines.drain(..) {
            let _ = line.send(Say::Cut);
        }
    }
}

impl Drop for Hn212 {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        self.cut();
        // The door waits for the next program: this one.
        drop(TcpStream::connect(self.address));
        drop(self.door.take().map(JoinHandle::join));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn event(message: &Value) -> Say {
    Say::Text(format!("42{}", json!(["/event", message])))
}

/// Everything that is said of a card, in order.
fn told_of(card: &CardDescription, chip: &Chip, fault: Option<&Hn212Fault>) -> Vec<Say> {
    let new = event(&json!({ "id": 1, "message": "new card!" }));
    let text = event(&json!({ "id": 2, "message": "read card successfully!", "data": text_of(card) }));
    let mut data = files_of(card, chip);
    let hashes = event(&json!({ "id": 5, "data": { "CA": "1", "AA": { "aa_signature": "" }, "PA": {} } }));
    match fault {
        Some(Hn212Fault::Without(groups)) => {
            for group in groups {
                data.remove(&format!("dg{group}"));
            }
        }
        Some(Hn212Fault::WrongBase64) => {
            data.insert("dg14".to_owned(), "@@@ no base64 @@@".to_owned());
        }
        Some(Hn212Fault::TooLong) => {
            data.insert("img_data".to_owned(), "A".repeat(4 * 1024 * 1024));
        }
        _ => {}
    }
    let files = json!({ "id": 4, "data": data });
    match fault {
        None
        | Some(
            Hn212Fault::Without(_)
            | Hn212Fault::WrongBase64
            | Hn212Fault::TooLong
            | Hn212Fault::SignsNothing
            | Hn212Fault::FailsToSign
            | Hn212Fault::SignsAnother,
        ) => vec![new, text, event(&files), hashes],
        Some(Hn212Fault::CutsTheLine) => vec![new, Say::Cut],
        Some(Hn212Fault::HalfAnEvent) => {
            let Say::Text(whole) = event(&files) else { return vec![new, Say::Cut] };
            vec![new, text, Say::Half(whole)]
        }
        Some(Hn212Fault::MalformedJson) => {
            vec![new, text, Say::Text(r#"42["/event",{"id":4,"data":{"sod":"dw"#.to_owned())]
        }
        Some(Hn212Fault::OutOfOrder) => vec![hashes, event(&files), text],
        Some(Hn212Fault::Silent) => vec![new],
        Some(Hn212Fault::Fails) => {
            vec![new, event(&json!({ "id": 3, "message": "Thẻ không hợp lệ hoặc đọc lỗi." }))]
        }
    }
}

/// The text in the names of the 3T G2.
fn text_of(card: &CardDescription) -> BTreeMap<&'static str, String> {
    let mut text = BTreeMap::new();
    for field in card.record() {
        let member = match field.number {
            1 => "idCode",
            2 => "personName",
            3 => "dateOfBirth",
            4 => "gender",
            5 => "nationality",
            6 => "race",
            7 => "religion",
            8 => "originPlace",
            9 => "residencePlace",
            10 => "personalIdentification",
            11 => "issueDate",
            12 => "expiryDate",
            14 => "wifeName",
            15 => "oldIdCode",
            _ => "",
        };
        match field.value {
            RecordValue::Printable(value) | RecordValue::Text(value) | RecordValue::Spouse(value)
                if !member.is_empty() =>
            {
                text.insert(member, value);
            }
            RecordValue::Parents { father, mother } => {
                text.insert("fatherName", father);
                text.insert("motherName", mother);
            }
            _ => {}
        }
    }
    text
}

/// The portrait and every file that access control opens, in base64.
fn files_of(card: &CardDescription, chip: &Chip) -> BTreeMap<String, String> {
    let mut data = BTreeMap::from([("img_data".to_owned(), base64(card.portrait().bytes()))]);
    for (identifier, content) in chip.opened_files() {
        let member = match identifier {
            0x011D => "sod".to_owned(),
            0x0101..=0x0110 => format!("dg{}", identifier & 0xFF),
            _ => continue,
        };
        data.insert(member, base64(&content));
    }
    data
}

fn base64(bytes: &[u8]) -> String {
    openssl::base64::encode_block(bytes)
}

/// A connection as it is spoken over.
enum Spoken {
    Plain(TcpStream),
    Tls(Box<SslStream<TcpStream>>),
}

impl Spoken {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref(),
        }
    }
}

impl Read for Spoken {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Spoken {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

type Line = WebSocket<Spoken>;

/// The first byte of a TLS record with a handshake in it (RFC 8446, 5.1).
const HANDSHAKE_RECORD: u8 = 22;

/// Shakes hands, where it speaks TLS. Where it does not, whoever begins with that is answered as servers of HTTP do.
fn spoken(mut stream: TcpStream, certificate: Option<&OwnCertificate>) -> Result<Spoken, Box<Error>> {
    stream.set_nodelay(true).map_err(Error::from)?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).map_err(Error::from)?;
    stream.set_write_timeout(Some(Duration::from_secs(10))).map_err(Error::from)?;
    if let Some(certificate) = certificate {
        let shaken = certificate.acceptor().accept(stream).map_err(|_| Error::ConnectionClosed)?;
        return Ok(Spoken::Tls(Box::new(shaken)));
    }
    let mut first = [0];
    if stream.peek(&mut first).is_ok_and(|peeked| peeked == 1 && first == [HANDSHAKE_RECORD]) {
        // What is left unread would take the answer with it.
        let _ = stream.read(&mut [0; 4096]);
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").map_err(Error::from)?;
        return Err(Box::new(Error::ConnectionClosed));
    }
    Ok(Spoken::Plain(stream))
}

/// Lets one program in and tells it everything until either side has had enough.
fn serve(spoken: Spoken, shared: &Shared) -> Result<(), Box<Error>> {
    #[expect(clippy::result_large_err, reason = "the library's own type")]
    let mut line = tungstenite::accept_hdr(spoken, |request: &Request, response: Response| {
        shared.asked.fetch_add(1, Ordering::SeqCst);
        only_this_transport(request, response)
    })
    .map_err(|_| Error::ConnectionClosed)?;
    line.get_ref().tcp().set_read_timeout(Some(TURN)).map_err(Error::from)?;
    let is_old = shared.is_old.load(Ordering::SeqCst);
    let mut told: Option<Receiver<Say>> = None;
    let mut next_ping = Instant::now() + PING;
    let mut pinged = Instant::now();
    if is_old {
        let opening = json!({ "sid": "sim", "upgrades": [], "pingInterval": 200, "pingTimeout": 10_000 });
        line.send(Message::text(format!("0{opening}")))?;
        let_in(&mut line, &mut told, shared, "40")?;
    } else {
        let opening = json!({
            "sid": "sim", "upgrades": [], "pingInterval": 20_000, "pingTimeout": 20_000, "maxPayload": 1_000_000,
        });
        line.send(Message::text(format!("0{opening}")))?;
    }
    while !shared.closed.load(Ordering::SeqCst) {
        match line.read() {
            Ok(Message::Text(text)) if is_old && text.as_str() == "2" => {
                pinged = Instant::now();
                shared.pinged.fetch_add(1, Ordering::SeqCst);
                line.send(Message::text("3"))?;
            }
            Ok(Message::Text(text)) => hear(text.as_str(), &mut line, &mut told, shared)?,
            Ok(Message::Close(_)) => return Ok(()),
            Ok(_) => {}
            Err(Error::Io(error)) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(Box::new(error)),
        }
        while let Some(say) = next(told.as_ref())? {
            match say {
                Say::Text(text) => line.send(Message::text(text))?,
                Say::Half(text) => {
                    half_a_frame(line.get_mut(), text.as_bytes()).map_err(Error::from)?;
                    return Ok(());
                }
                Say::Cut => {
                    let _ = line.get_ref().tcp().shutdown(Shutdown::Both);
                    return Ok(());
                }
            }
        }
        if is_old && pinged.elapsed() > OLD_ALIVE_WITHIN {
            return Ok(());
        }
        if !is_old && Instant::now() >= next_ping {
            next_ping = Instant::now() + PING;
            line.send(Message::text("2"))?;
        }
    }
    Ok(())
}

/// What is to be said next, if anything; an error where the hand has let the line go.
fn next(told: Option<&Receiver<Say>>) -> Result<Option<Say>, Error> {
    match told.map(Receiver::try_recv) {
        Some(Ok(say)) => Ok(Some(say)),
        None | Some(Err(TryRecvError::Empty)) => Ok(None),
        Some(Err(TryRecvError::Disconnected)) => Err(Error::ConnectionClosed),
    }
}

#[expect(clippy::result_large_err, reason = "the library's own type")]
fn only_this_transport(request: &Request, response: Response) -> Result<Response, ErrorResponse> {
    let query = request.uri().query().unwrap_or_default();
    let has = |wanted: &str| query.split('&').any(|pair| pair == wanted);
    if request.uri().path() == "/socket.io/" && has("EIO=4") && has("transport=websocket") {
        return Ok(response);
    }
    let mut refused = ErrorResponse::new(None);
    *refused.status_mut() = tungstenite::http::StatusCode::BAD_REQUEST;
    Err(refused)
}

/// Takes what a program says.
fn hear(
    text: &str,
    line: &mut Line,
    told: &mut Option<Receiver<Say>>,
    shared: &Shared,
) -> Result<(), Box<Error>> {
    if text.starts_with("40") {
        return let_in(line, told, shared, r#"40{"sid":"sim-1"}"#);
    }
    hear_order(text, line, shared)
}

/// Lets a program in with this word.
fn let_in(
    line: &mut Line,
    told: &mut Option<Receiver<Say>>,
    shared: &Shared,
    word: &str,
) -> Result<(), Box<Error>> {
    line.send(Message::text(word))?;
    let info =
        json!(["/info", { "version": "1.1", "serial_nfc": "00000000001", "serial_device": "0000000001" }]);
    line.send(Message::text(format!("42{info}")))?;
    let (telling, hearing) = mpsc::channel();
    *told = Some(hearing);
    lock(&shared.table).lines.push(telling);
    shared.admitted.fetch_add(1, Ordering::SeqCst);
    Ok(())
}

/// Takes what a program orders.
fn hear_order(text: &str, line: &mut Line, shared: &Shared) -> Result<(), Box<Error>> {
    let order = text.strip_prefix("42").and_then(|list| serde_json::from_str::<Value>(list).ok());
    let Some(order) = order.filter(|order| order.get(0) == Some(&json!("/get_aa"))) else { return Ok(()) };
    let asked = order.pointer("/1/challenge").and_then(Value::as_str).unwrap_or_default().to_owned();
    let challenge = openssl::base64::decode_block(&asked).unwrap_or_default();
    let answer = {
        let mut table = lock(&shared.table);
        let Some(lying) = &mut table.card else { return Ok(()) };
        let signed = match &lying.fault {
            Some(Hn212Fault::FailsToSign) => {
                drop(table);
                let failed = event(&json!({ "id": 3, "message": "Ký không thành công." }));
                if let Say::Text(text) = failed {
                    line.send(Message::text(text))?;
                }
                return Ok(());
            }
            Some(Hn212Fault::SignsNothing) => None,
            Some(Hn212Fault::SignsAnother) => lying.chip.signed(&[0xA5; 8]),
            _ => lying.chip.signed(&challenge),
        };
        signed.map(|signature| {
            json!({ "id": 7, "data": { "aa_signature": base64(&signature), "aa_challege": asked } })
        })
    };
    if let Some(Say::Text(text)) = answer.map(|answer| event(&answer)) {
        line.send(Message::text(text))?;
    }
    Ok(())
}

/// The head of a frame with all of `payload` in it (RFC 6455, 5.2), half the payload, and the end of the line.
fn half_a_frame(stream: &mut Spoken, payload: &[u8]) -> io::Result<()> {
    let length = u64::try_from(payload.len()).unwrap_or(u64::MAX);
    stream.write_all(&[0x81, 127])?;
    stream.write_all(&length.to_be_bytes())?;
    stream.write_all(payload.get(..payload.len() / 2).unwrap_or_default())?;
    stream.flush()?;
    let _ = stream.tcp().shutdown(Shutdown::Both);
    Ok(())
}
