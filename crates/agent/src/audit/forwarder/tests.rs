//! Servers on loopback that take what is carried away, by UDP, TCP and TLS.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender as Outlet, channel};

use cccd_patience::{PATIENCE, received};
use cccd_profiles::{ClientCertificate, SyslogServer};
use cccd_store::{Entry, EntryKind, Store};
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslAcceptor, SslMethod, SslVerifyMode};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};
use tempfile::TempDir;

use super::*;
use crate::daemon::now;

fn scribe() -> Scribe {
    Scribe::start(Store::in_memory(now()).unwrap(), Arc::new(now)).unwrap()
}

fn enter(scribe: &Scribe, count: u64) {
    for _ in 0..count {
        scribe.enter(Entry { caller: Some("clinic".to_owned()), ..Entry::new(EntryKind::ReadEnded) });
    }
}

fn settings(server: &str) -> SyslogSettings {
    SyslogSettings { server: SyslogServer::parse(server).unwrap(), ca_file: None, client: None }
}

/// The number of the entry in a message, which must be one in every respect.
fn number(message: &str) -> u64 {
    let (head, cef) = message.split_once(" CEF:0|cccd-agent|cccd-agent|").expect(message);
    assert!(head.starts_with("<110>1 2") && head.ends_with("\"]"), "{message}");
    let number = cef.split(' ').find_map(|part| part.strip_prefix("externalId=")).unwrap();
    assert!(head.contains(&format!("[meta sequenceId=\"{number}\"]")), "{message}");
    number.parse().unwrap()
}

/// Messages of a stream, each with its length before it (RFC 6587, 3.4.1).
fn take_apart(stream: impl Read, messages: &Outlet<String>) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut length = Vec::new();
        match stream.read_until(b' ', &mut length) {
            Ok(1..) => {}
            // A stream that ends in the middle has lost what was on its way.
            _ => return,
        }
        let digits = std::str::from_utf8(&length).unwrap().trim_end();
        let mut message = vec![0; digits.parse().expect(digits)];
        if stream.read_exact(&mut message).is_err()
            || messages.send(String::from_utf8(message).unwrap()).is_err()
        {
            return;
        }
    }
}

/// Takes messages until this one has come, and tells which have.
fn until(last: u64, messages: &Receiver<String>) -> Vec<u64> {
    let mut numbers = Vec::new();
    while numbers.last() != Some(&last) {
        numbers.push(number(&received("the next message", messages)));
    }
    numbers
}

/// A port of loopback that nobody listens on now.
fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Accepts one connection and takes its messages, until told to hang up or it ends.
fn accept_one(at: SocketAddr) -> (Receiver<String>, Receiver<TcpStream>) {
    let listener = TcpListener::bind(at).unwrap();
    let (messages, received) = channel();
    let (streams, stream) = channel();
    std::thread::spawn(move || {
        // Nobody waits for this thread, but for what comes through it.
        let connection = listener.accept().unwrap().0;
        drop(listener);
        streams.send(connection.try_clone().unwrap()).unwrap();
        take_apart(connection, &messages);
    });
    (received, stream)
}

#[test]
fn what_waited_for_a_server_comes_by_tcp_in_its_order_and_goes_on_when_it_is_back() {
    let at = free_port();
    let scribe = scribe();
    enter(&scribe, 150);
    start(&settings(&format!("tcp://{at}")), scribe.clone()).unwrap();
    enter(&scribe, 10);

    let (messages, stream) = accept_one(at);
    assert_eq!(until(160, &messages), (1..=160).collect::<Vec<_>>());
    enter(&scribe, 1);
    assert_eq!(until(161, &messages), [161]);

    // The server goes, things happen, the server is back.
    let stream = received("the connection", &stream);
    stream.shutdown(std::net::Shutdown::Both).unwrap();
    enter(&scribe, 40);
    let (messages, _stream) = accept_one(at);
    let numbers = until(201, &messages);
    let after: BTreeSet<u64> = numbers.iter().copied().collect();
    assert!((162..=201).all(|number| after.contains(&number)), "{numbers:?}");
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
    // What may not have arrived comes again, and no more than that.
    assert!(numbers[0] + UNSURE > 161, "{numbers:?}");
    scribe.close();
}

#[test]
fn datagrams_come_by_udp_and_nothing_is_lost_while_nobody_listens() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let at = socket.local_addr().unwrap();
    drop(socket);
    let scribe = scribe();
    enter(&scribe, 3);
    start(&settings(&format!("udp://{at}")), scribe.clone()).unwrap();
    // At least one try has come to nothing.
    scribe.settle();
    cccd_patience::until("a try that comes to nothing", || {
        scribe.store().audit().cursor(CURSOR).unwrap() == 0
    });

    let socket = UdpSocket::bind(at).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut seen = BTreeSet::new();
    let mut buffer = [0; 4096];
    while seen.len() < 3 {
        let length = socket.recv(&mut buffer).unwrap();
        seen.insert(number(std::str::from_utf8(&buffer[..length]).unwrap()));
    }
    assert_eq!(seen, BTreeSet::from([1, 2, 3]));
    scribe.close();
}

/// An authority, and a certificate of it for 127.0.0.1, with their keys, in files.
struct Pki {
    folder: TempDir,
}

impl Pki {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let authority_key = key();
        let authority = certificate("Authority", &authority_key, None);
        let leaf_key = key();
        let leaf = certificate("127.0.0.1", &leaf_key, Some((&authority, &authority_key)));
        for (name, bytes) in [
            ("ca.pem", authority.to_pem().unwrap()),
            ("leaf.pem", leaf.to_pem().unwrap()),
            ("leaf.key", leaf_key.private_key_to_pem_pkcs8().unwrap()),
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            #[cfg(unix)]
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A server that shows this leaf, and asks for one of `clients`.
    fn serve(&self, clients: Option<&Path>) -> (SocketAddr, Receiver<String>) {
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
        acceptor.set_private_key_file(self.path("leaf.key"), openssl::ssl::SslFiletype::PEM).unwrap();
        acceptor.set_certificate_file(self.path("leaf.pem"), openssl::ssl::SslFiletype::PEM).unwrap();
        if let Some(clients) = clients {
            acceptor.set_ca_file(clients).unwrap();
            acceptor.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
        }
        let acceptor = acceptor.build();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let (messages, received) = channel();
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                if let Ok(stream) = acceptor.accept(connection.unwrap()) {
                    take_apart(stream, &messages);
                }
            }
        });
        (at, received)
    }
}

fn key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn certificate(name: &str, key: &PKey<Private>, issuer: Option<(&X509, &PKey<Private>)>) -> X509 {
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_nid(Nid::COMMONNAME, name).unwrap();
    let subject = subject.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let mut serial = BigNum::new().unwrap();
    serial.rand(64, openssl::bn::MsbOption::ONE, false).unwrap();
    builder.set_serial_number(&serial.to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(issuer.map_or(&subject, |(issuer, _)| issuer.subject_name())).unwrap();
    builder.set_pubkey(key).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(2).unwrap()).unwrap();
    let extension = match issuer {
        None => BasicConstraints::new().critical().ca().build().unwrap(),
        Some((issuer, _)) => {
            let context = builder.x509v3_context(Some(issuer), None);
            SubjectAlternativeName::new().ip(name).build(&context).unwrap()
        }
    };
    builder.append_extension(extension).unwrap();
    builder.sign(issuer.map_or(key, |(_, key)| key), MessageDigest::sha256()).unwrap();
    builder.build()
}

#[test]
fn messages_come_by_tls_from_a_machine_that_shows_its_certificate() {
    let (server, desk) = (Pki::new(), Pki::new());
    let (at, messages) = server.serve(Some(&desk.path("ca.pem")));
    let scribe = scribe();
    enter(&scribe, 5);
    let client =
        ClientCertificate { certificate_file: desk.path("leaf.pem"), key_file: desk.path("leaf.key") };
    let settings = SyslogSettings {
        ca_file: Some(server.path("ca.pem")),
        client: Some(client),
        ..settings(&format!("tls://{at}"))
    };
    start(&settings, scribe.clone()).unwrap();
    assert_eq!(until(5, &messages), [1, 2, 3, 4, 5]);
    enter(&scribe, 2);
    assert_eq!(until(7, &messages), [6, 7]);
    scribe.close();
}

#[test]
fn a_server_nobody_vouches_for_gets_nothing() {
    let (server, stranger) = (Pki::new(), Pki::new());
    let (at, messages) = server.serve(None);
    let scribe = scribe();
    enter(&scribe, 1);
    let dial = |ca: PathBuf| {
        let settings = SyslogSettings { ca_file: Some(ca), ..settings(&format!("tls://{at}")) };
        Dialler::of(&settings).unwrap().dial().map(drop)
    };
    let refused = format!("{:#}", dial(stranger.path("ca.pem")).unwrap_err());
    assert!(refused.contains("invalid peer certificate"), "{refused}");
    dial(server.path("ca.pem")).unwrap();
    assert!(messages.try_recv().is_err());
    scribe.close();
}

#[test]
fn files_that_are_none_are_told_before_anything_starts() {
    let pki = Pki::new();
    let told = |settings: &SyslogSettings| format!("{:#}", Dialler::of(settings).map(drop).unwrap_err());
    let absent = SyslogSettings { ca_file: Some(pki.path("none.pem")), ..settings("tls://127.0.0.1") };
    assert!(told(&absent).contains("none.pem"));
    let empty = SyslogSettings { ca_file: Some(pki.path("leaf.key")), ..settings("tls://127.0.0.1") };
    assert!(told(&empty).contains("holds no certificate"));
    let other = Pki::new();
    let client =
        ClientCertificate { certificate_file: pki.path("leaf.pem"), key_file: other.path("leaf.key") };
    let wrong = SyslogSettings {
        ca_file: Some(pki.path("ca.pem")),
        client: Some(client),
        ..settings("tls://127.0.0.1")
    };
    assert!(told(&wrong).contains("is not the key of"), "{}", told(&wrong));
}
