//! The driver against a reader that is software.

#![cfg(target_os = "linux")]

use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver};
use std::thread::JoinHandle;

use cccd_card::{CertificateHash, ReaderRefusal};
use cccd_firmware_sim::chip::Chip;
use cccd_firmware_sim::personalise::{CardDescription, Issuer, personalise, shipped_card};
use cccd_firmware_sim::reader::hn212::{Hn212, Hn212Fault};
use cccd_firmware_sim::reader::own_certificate::{Made, OwnCertificate};
use cccd_profiles::ReaderTrust;

use super::*;

const PATIENCE: Duration = Duration::from_secs(60);

struct Bench {
    reader: Option<Hn212>,
    source: Arc<NetworkSource>,
    events: Mutex<Receiver<ReaderEvent>>,
    stop: StopSignal,
    watching: Option<JoinHandle<()>>,
    card: CardDescription,
    issuer: Issuer,
}

impl Bench {
    fn new() -> Self {
        Self::with(Duration::from_secs(20), Duration::from_secs(60))
    }

    fn with(files_within: Duration, keep: Duration) -> Self {
        Self::on(Hn212::plugged().unwrap(), files_within, keep)
    }

    fn on(reader: Hn212, files_within: Duration, keep: Duration) -> Self {
        let readers = vec![DeskNetworkReader {
            name: "Desk 3".to_owned(),
            address: reader.address(),
            tls: None,
            token_file: None,
        }];
        let source = Arc::new(NetworkSource::new(NetworkOptions { readers, files_within, keep }));
        let (telling, events) = mpsc::channel();
        let stop = StopSignal::default();
        let watching = std::thread::spawn({
            let (source, stop) = (Arc::clone(&source), stop.clone());
            move || source.watch(&mut |event| drop(telling.send(event)), &stop)
        });
        let card = shipped_card("cccd-2021").unwrap().description().unwrap();
        let bench = Self {
            reader: Some(reader),
            source,
            events: Mutex::new(events),
            stop,
            watching: Some(watching),
            card,
            issuer: Issuer::new().unwrap(),
        };
        assert_eq!(bench.next(), "attached");
        assert_eq!(bench.next(), "ready");
        bench
    }

    fn reader(&self) -> &Hn212 {
        self.reader.as_ref().unwrap()
    }

    fn chip(&self) -> Chip {
        Chip::new(personalise(&self.card, &self.issuer).unwrap())
    }

    fn next(&self) -> &'static str {
        let next = self.events.lock().unwrap().recv_timeout(PATIENCE);
        match next.unwrap_or_else(|error| panic!("waited in vain for an event of the reader: {error}")) {
            ReaderEvent::Attached(info) => {
                assert_eq!((info.id.as_str(), info.transport), ("desk-3", Transport::Network));
                "attached"
            }
            ReaderEvent::Detached(_) => "detached",
            ReaderEvent::CardInserted { .. } => "inserted",
            ReaderEvent::CardRemoved(_) => "removed",
            ReaderEvent::SourceReady("network") => "ready",
            other => panic!("{other:?}"),
        }
    }

    fn given(&self) -> Result<Box<dyn CardFiles>, TransportError> {
        self.source.files_of(&ReaderId::from_name("Desk 3")).unwrap()
    }

    fn insert(&self, fault: Option<Hn212Fault>) {
        match fault {
            None => self.reader().insert(&self.card, self.chip()),
            Some(fault) => self.reader().insert_going_wrong(&self.card, self.chip(), fault),
        }
        assert_eq!(self.next(), "inserted");
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.raise();
        let _ = self.watching.take().map(JoinHandle::join);
    }
}

fn yes() -> bool {
    true
}

#[test]
fn a_card_is_given_once_and_what_the_chip_signs_comes_back() {
    let bench = Bench::new();
    assert_eq!(bench.given().err(), Some(TransportError::CardRemoved));
    bench.insert(None);
    let mut card = bench.given().unwrap();
    let files = card.take(&yes).unwrap();
    for (fid, content) in bench.chip().opened_files() {
        // Other keys and signatures than this chip's, and the same shapes.
        assert!(files.contains_key(&fid) != (fid == 0x011E), "{fid:04X} {}", content.len());
    }
    assert_eq!(bench.next(), "removed");
    assert!(card.sign([1; 8], &yes).unwrap().len() > 32);
    assert_eq!(card.take(&yes), Err(TransportError::CardRemoved));
    assert_eq!(bench.given().err(), Some(TransportError::CardRemoved));
}

#[test]
fn files_without_a_word_before_are_a_card_and_the_text_after_them_is_none() {
    let bench = Bench::new();
    bench.insert(Some(Hn212Fault::OutOfOrder));
    assert!(!bench.given().unwrap().take(&yes).unwrap().is_empty());
    assert_eq!(bench.next(), "removed");
    // The text that followed was no other card.
    bench.insert(None);
}

#[test]
fn what_goes_wrong_has_a_name_and_the_reader_comes_back() {
    for (fault, why) in [
        (Hn212Fault::CutsTheLine, TransportError::ReaderLost),
        (Hn212Fault::HalfAnEvent, TransportError::ReaderLost),
        (Hn212Fault::MalformedJson, TransportError::ReaderLost),
        (Hn212Fault::TooLong, TransportError::ReaderLost),
    ] {
        let bench = Bench::new();
        bench.insert(Some(fault.clone()));
        // The line may be cut before it is asked.
        let taken = bench.given().and_then(|mut card| card.take(&yes));
        assert_eq!(taken, Err(why), "{fault:?}");
        assert_eq!(bench.next(), "detached", "{fault:?}");
        assert_eq!(bench.next(), "attached", "{fault:?}");
        bench.insert(None);
        assert!(bench.given().unwrap().take(&yes).is_ok(), "{fault:?}");
    }
}

#[test]
fn a_card_that_cannot_be_read_and_a_reader_that_says_nothing() {
    let bench = Bench::with(Duration::from_millis(200), Duration::from_secs(60));
    bench.insert(Some(Hn212Fault::Fails));
    assert_eq!(bench.given().unwrap().take(&yes), Err(TransportError::CardMute));
    assert_eq!(bench.next(), "removed");
    bench.insert(Some(Hn212Fault::Silent));
    let mut card = bench.given().unwrap();
    assert_eq!(card.take(&|| false), Err(TransportError::Cancelled));
    let after = Duration::from_millis(200);
    assert_eq!(card.take(&yes), Err(TransportError::TimedOut { after }));
    assert_eq!(bench.next(), "removed");
}

#[test]
fn wrong_base64_is_one_empty_file() {
    let bench = Bench::new();
    bench.insert(Some(Hn212Fault::WrongBase64));
    let files = bench.given().unwrap().take(&yes).unwrap();
    assert!(files[&0x010E].is_empty() && !files[&0x011D].is_empty());
}

#[test]
fn what_nobody_asks_for_is_wiped_and_the_next_card_takes_the_place_of_the_last() {
    let bench = Bench::with(Duration::from_secs(20), Duration::from_millis(300));
    bench.insert(None);
    assert_eq!(bench.next(), "removed");
    assert_eq!(bench.given().err(), Some(TransportError::CardRemoved));

    let bench = Bench::new();
    bench.insert(Some(Hn212Fault::Silent));
    let mut first = bench.given().unwrap();
    bench.reader().insert(&bench.card, bench.chip());
    assert_eq!((bench.next(), bench.next()), ("removed", "inserted"));
    assert_eq!(first.take(&yes), Err(TransportError::CardRemoved));
    assert!(bench.given().unwrap().take(&yes).is_ok());
}

#[test]
fn a_reader_that_does_not_sign_is_asked_once() {
    let bench = Bench::new();
    bench.insert(Some(Hn212Fault::SignsNothing));
    let mut card = bench.given().unwrap();
    card.take(&yes).unwrap();
    assert!(card.sign([1; 8], &yes).is_none());
    assert!(bench.source.places.values().all(|place| place.wish().is_none()));
    assert!(card.sign([2; 8], &|| panic!("asked again")).is_none());
}

#[test]
fn a_reader_that_cannot_have_it_signed_is_believed_and_no_card_comes_of_that() {
    let bench = Bench::new();
    for _ in 0..2 {
        bench.insert(Some(Hn212Fault::FailsToSign));
        let mut card = bench.given().unwrap();
        card.take(&yes).unwrap();
        assert_eq!(bench.next(), "removed");
        assert!(card.sign([1; 8], &yes).is_none());
        assert_eq!(bench.given().err(), Some(TransportError::CardRemoved));
    }
    // It is asked again with the next card.
    bench.insert(None);
    let mut card = bench.given().unwrap();
    card.take(&yes).unwrap();
    assert!(card.sign([2; 8], &yes).is_some());
}

#[test]
fn a_reader_that_is_away_is_dialled_until_it_is_back() {
    let mut bench = Bench::new();
    let address = bench.reader().address();
    drop(bench.reader.take());
    assert_eq!(bench.next(), "detached");
    assert_eq!(bench.given().err(), Some(TransportError::ReaderLost));
    bench.reader = Some(Hn212::plugged_at(address).unwrap());
    assert_eq!(bench.next(), "attached");
    bench.insert(None);
}

#[test]
fn whoever_is_no_such_reader_is_not_listened_to() {
    use std::io::{Read as _, Write as _};
    for said in [
        "",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n",
        "\0\0\0",
    ] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            // The second asks whether it speaks TLS.
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let _ = stream.read(&mut [0; 1024]);
                let _ = stream.write_all(said.as_bytes());
            }
        });
        let opened = line::Line::open(address, None, None).map(|_| ());
        assert!(matches!(opened, Err(line::Lost::Because(_))), "{said:?}: {opened:?}");
        // Should it still wait for the second, this is it.
        drop(std::net::TcpStream::connect(address));
        server.join().unwrap();
    }
}

/// What comes of dialling this reader with this trust.
fn dialled(reader: &Hn212, trust: Option<&ReaderTrust>) -> Result<(), line::Lost> {
    line::Line::open(reader.address(), trust, Some("a token")).map(|_| ())
}

fn hash_of(certificate: &OwnCertificate) -> CertificateHash {
    certificate.sha256().unwrap().parse().unwrap()
}

#[test]
fn a_reader_under_tls_is_used_if_its_certificate_is_known_and_hears_nothing_if_not() {
    for made in [Made::Today, Made::Formerly] {
        let certificate = OwnCertificate::make(made).unwrap();
        let reader = Hn212::plugged_over_tls(&certificate).unwrap();
        let seen = hash_of(&certificate);
        let refused = Err(line::Lost::Refused(ReaderRefusal::Certificate { seen }));
        let another = ReaderTrust::Certificate(hash_of(&OwnCertificate::make(made).unwrap()));
        for trust in [ReaderTrust::Nobody, another] {
            assert_eq!(dialled(&reader, Some(&trust)), refused, "{made:?} {trust:?}");
        }
        assert_eq!(reader.asked(), 0, "{made:?}: something was said before the certificate was known");
        assert_eq!(dialled(&reader, Some(&ReaderTrust::Certificate(seen))), Ok(()), "{made:?}");
        assert_eq!(reader.asked(), 1);
    }
}

#[test]
fn an_authority_of_a_file_is_believed_and_no_other() {
    let certificate = OwnCertificate::make(Made::Today).unwrap();
    let reader = Hn212::plugged_over_tls(&certificate).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let in_file = |name: &str, pem: &[u8]| {
        let file = folder.path().join(name);
        std::fs::write(&file, pem).unwrap();
        ReaderTrust::Authority(file)
    };
    let own = in_file("own.pem", &certificate.to_pem().unwrap());
    assert_eq!(dialled(&reader, Some(&own)), Ok(()));
    let other = OwnCertificate::make(Made::Today).unwrap().to_pem().unwrap();
    let seen = hash_of(&certificate);
    let refused = Err(line::Lost::Refused(ReaderRefusal::Certificate { seen }));
    assert_eq!(dialled(&reader, Some(&in_file("other.pem", &other))), refused);
    for trust in [in_file("none.pem", b""), ReaderTrust::Authority(folder.path().join("nowhere.pem"))] {
        assert!(matches!(dialled(&reader, Some(&trust)), Err(line::Lost::Because(_))), "{trust:?}");
    }
    assert_eq!(reader.asked(), 1);
}

#[test]
fn the_wrong_scheme_is_told_both_ways() {
    let certificate = OwnCertificate::make(Made::Today).unwrap();
    let seen = hash_of(&certificate);
    let over_tls = Hn212::plugged_over_tls(&certificate).unwrap();
    assert_eq!(dialled(&over_tls, None), Err(line::Lost::Refused(ReaderRefusal::SpeaksTls { seen })));
    let plain = Hn212::plugged().unwrap();
    let refused = Err(line::Lost::Refused(ReaderRefusal::SpeaksNoTls));
    assert_eq!(dialled(&plain, Some(&ReaderTrust::Certificate(seen))), refused);
    assert_eq!((over_tls.asked(), plain.asked()), (0, 0));
}

#[test]
fn a_reader_whose_certificate_is_put_right_is_used_and_one_that_goes_is_gone() {
    let certificate = OwnCertificate::make(Made::Today).unwrap();
    let reader = Hn212::plugged_over_tls(&OwnCertificate::make(Made::Today).unwrap()).unwrap();
    let address = reader.address();
    let readers = vec![DeskNetworkReader {
        name: "Desk 3".to_owned(),
        address,
        tls: Some(ReaderTrust::Certificate(hash_of(&certificate))),
        token_file: None,
    }];
    let (files_within, keep) = (PATIENCE, PATIENCE);
    let source = Arc::new(NetworkSource::new(NetworkOptions { readers, files_within, keep }));
    let (telling, events) = mpsc::channel();
    let stop = StopSignal::default();
    std::thread::scope(|scope| {
        scope.spawn(|| source.watch(&mut |event| drop(telling.send(event)), &stop));
        let next = |what: &str| match events.recv_timeout(PATIENCE) {
            Ok(event) => event,
            Err(error) => {
                stop.raise();
                panic!("waited in vain until it is {what}: {error}")
            }
        };
        let id = ReaderId::from_name("Desk 3");
        let told = next("refused");
        assert!(
            matches!(&told, ReaderEvent::Refused(reader, ReaderRefusal::Certificate { .. }) if *reader == id)
        );
        assert!(matches!(next("looked at"), ReaderEvent::SourceReady("network")));
        drop(reader);
        assert_eq!(next("gone"), ReaderEvent::Detached(id.clone()));
        let reader = Hn212::over_tls_at(address, &certificate).unwrap();
        assert!(matches!(next("there"), ReaderEvent::Attached(info) if info.id == id));
        stop.raise();
        drop(reader);
    });
}

/// Waits until this is so.
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + PATIENCE;
    let pause = StopSignal::default();
    while !is_so() {
        assert!(std::time::Instant::now() < deadline, "waited in vain for {what}");
        pause.wait(Duration::from_millis(10));
    }
}

#[test]
fn a_reader_with_an_older_library_is_asked_whether_it_is_there_and_told_once_that_we_are() {
    let reader = Hn212::plugged_with_socket_io_2().unwrap();
    let bench = Bench::on(reader, PATIENCE, PATIENCE);
    wait_until("the reader to be asked", || bench.reader().pinged() >= 5);
    assert_eq!(bench.reader().admitted(), 1);
    bench.insert(None);
    let mut card = bench.given().unwrap();
    card.take(&yes).unwrap();
    assert!(card.sign([1; 8], &yes).is_some());
}
