//! A stand-in of another system on loopback, with or without TLS, and an authority that vouches for it: OpenSSL's, not
//! the library that the product speaks TLS with.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslAcceptor, SslMethod, SslVerifyMode};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::{X509, X509NameBuilder};

/// What somebody asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
    /// Whose certificate was shown.
    pub(crate) peer: Option<String>,
}

/// A server that gives each request an answer, and remembers them.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

type Answers = dyn Fn(&Asked) -> Vec<u8> + Send;

impl Server {
    pub(crate) fn plain(answers: impl Fn(&Asked) -> Vec<u8> + Send + 'static) -> Self {
        Self::over(|stream| Some((stream, None)), Box::new(answers))
    }

    /// Under TLS, with a certificate of this authority for 127.0.0.1; `clients`: whose certificates it demands.
    pub(crate) fn tls(
        authority: &Authority,
        clients: Option<&Authority>,
        answers: impl Fn(&Asked) -> Vec<u8> + Send + 'static,
    ) -> Self {
        let (certificate, key) = authority.vouch("127.0.0.1");
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
        acceptor.set_private_key(&key).unwrap();
        acceptor.set_certificate(&certificate).unwrap();
        if let Some(clients) = clients {
            let mut store = X509StoreBuilder::new().unwrap();
            store.add_cert(clients.certificate.clone()).unwrap();
            acceptor.set_cert_store(store.build());
            acceptor.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
        }
        let acceptor = acceptor.build();
        let wrap = move |stream| {
            let stream = acceptor.accept(stream).ok()?;
            let peer = stream.ssl().peer_certificate().map(|certificate| {
                let entry = certificate.subject_name().entries_by_nid(Nid::COMMONNAME).next().unwrap();
                entry.data().to_string().unwrap()
            });
            Some((stream, peer))
        };
        Self::over(wrap, Box::new(answers))
    }

    fn over<S: Read + Write>(
        wrap: impl Fn(TcpStream) -> Option<(S, Option<String>)> + Send + 'static,
        answers: Box<Answers>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let remembered = Arc::clone(&asked);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let Some((mut stream, peer)) = wrap(connection.unwrap()) else { continue };
                let Some(mut request) = request(&mut stream) else { continue };
                request.peer = peer;
                let answer = answers(&request);
                remembered.lock().unwrap().push(request);
                // The other side may have had enough and gone.
                let _ = stream.write_all(&answer);
            }
        });
        Self { address, asked }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn request(stream: &mut impl Read) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let long = headers.get("content-length").map_or(0, |text| text.parse().unwrap());
    let mut body = vec![0; long];
    reader.read_exact(&mut body).ok()?;
    (!line.is_empty()).then(|| Asked { line: line.trim().to_owned(), headers, body, peer: None })
}

/// An answer with this status line's end and body.
pub(crate) fn answer(status: &str, body: &str) -> Vec<u8> {
    let long = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {long}\r\nConnection: close\r\n\r\n{body}").into_bytes()
}

/// An authority, and what it vouches for.
pub(crate) struct Authority {
    pub(crate) certificate: X509,
    key: PKey<Private>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let key = key();
        Self { certificate: certificate(name, &key, None), key }
    }

    pub(crate) fn pem(&self) -> Vec<u8> {
        self.certificate.to_pem().unwrap()
    }

    /// A certificate for a name or address, and its key.
    pub(crate) fn vouch(&self, name: &str) -> (X509, PKey<Private>) {
        let key = key();
        (certificate(name, &key, Some(self)), key)
    }
}

fn key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn certificate(name: &str, key: &PKey<Private>, issuer: Option<&Authority>) -> X509 {
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_nid(Nid::COMMONNAME, name).unwrap();
    let subject = subject.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let mut serial = BigNum::new().unwrap();
    serial.rand(64, MsbOption::ONE, false).unwrap();
    builder.set_serial_number(&serial.to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(issuer.map_or(&subject, |issuer| issuer.certificate.subject_name())).unwrap();
    builder.set_pubkey(key).unwrap();
    builder.set_not_before(&Asn1Time::from_unix(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(2).unwrap()).unwrap();
    let extension = match issuer {
        None => BasicConstraints::new().critical().ca().build().unwrap(),
        Some(issuer) => {
            let context = builder.x509v3_context(Some(&issuer.certificate), None);
            let mut names = SubjectAlternativeName::new();
            if name.parse::<IpAddr>().is_ok() {
                names.ip(name)
            } else {
                names.dns(name)
            };
            names.build(&context).unwrap()
        }
    };
    builder.append_extension(extension).unwrap();
    builder.sign(issuer.map_or(key, |issuer| &issuer.key), MessageDigest::sha256()).unwrap();
    builder.build()
}
