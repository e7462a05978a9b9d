//! Fetching what the settings name, when they allow it.
//!
//! What comes is believed in nothing: it is bounded in size and time, and taken only where its signature holds.

use std::error::Error;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use cccd_profiles::{FetchRoots, FetchSettings, FetchUrl};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Certificate, Client, ClientBuilder, Proxy, StatusCode, Url};
use rustls::CertificateError;

/// Redirects that are followed, all on the same host.
const MOST_REDIRECTS: usize = 3;

/// Why something was not fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum FetchError {
    /// The settings do not allow it. The operator's move.
    #[error("the settings do not allow fetching: trust.allow_fetch is false")]
    NotAllowed,
    /// The address is none.
    #[error("not an address")]
    Address,
    /// The server points elsewhere: the settings have to name the other place.
    #[error("the server points to another host, which the settings do not name")]
    OtherHost,
    /// The server has it not.
    #[error("the server answered {0}")]
    Status(StatusCode),
    /// More than the settings allow.
    #[error("more than {0} bytes")]
    TooLarge(u64),
    /// Longer than the settings allow.
    #[error("no whole answer within {0} s")]
    TooSlow(u64),
    /// The server is not shown to be who it should be. The operator's move where its authority is one of theirs.
    #[error(
        "the server's certificate is refused: {0} (an authority that is not among the machine's goes into \
         trust.fetch_ca_file)"
    )]
    Certificate(CertificateError),
    /// The file of authorities cannot be read.
    #[error("cannot read {}, which trust.fetch_ca_file names", .path.display())]
    CaFile {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file of authorities holds none.
    #[error("{} holds no certificate in PEM, or a damaged one (trust.fetch_ca_file)", .0.display())]
    CaFileUnusable(PathBuf),
    /// The network failed. Try again.
    #[error("no connection, or a broken one")]
    Network(#[source] reqwest::Error),
    /// No task can be run.
    #[error("cannot start the network")]
    Runtime(#[source] std::io::Error),
}

/// Fetches one object.
pub(crate) fn fetch(url: &FetchUrl, settings: &FetchSettings) -> Result<Vec<u8>, FetchError> {
    if !settings.allowed {
        return Err(FetchError::NotAllowed);
    }
    let url = Url::parse(url.as_str()).map_err(|_| FetchError::Address)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(FetchError::Runtime)?;
    runtime.block_on(async {
        // One limit over everything: a server that drips would keep any limit on a single read.
        match tokio::time::timeout(settings.within, get(url, settings)).await {
            Ok(done) => done,
            Err(_) => Err(FetchError::TooSlow(settings.within.as_secs())),
        }
    })
}

async fn get(url: Url, settings: &FetchSettings) -> Result<Vec<u8>, FetchError> {
    let mut response = client(&url, settings)?.get(url).send().await.map_err(refusal)?;
    if !response.status().is_success() {
        return Err(FetchError::Status(response.status()));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(refusal)? {
        let total = u64::try_from(bytes.len() + chunk.len()).unwrap_or(u64::MAX);
        if total > settings.max_bytes {
            return Err(FetchError::TooLarge(settings.max_bytes));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn client(url: &Url, settings: &FetchSettings) -> Result<Client, FetchError> {
    let plain = || -> Result<ClientBuilder, FetchError> {
        let client = Client::builder().redirect(Policy::custom(follow)).referer(false);
        Ok(match &settings.proxy {
            _ if is_loopback(url) => client.no_proxy(),
            Some(proxy) => client.proxy(Proxy::all(proxy.as_str()).map_err(FetchError::Network)?),
            None => client,
        })
    };
    let built = match &settings.roots {
        FetchRoots::Machine => plain()?.build(),
        FetchRoots::MachineAnd(file) => plain()?.tls_certs_merge(authorities(file)?).build(),
        FetchRoots::Only(file) => plain()?.tls_certs_only(authorities(file)?).build(),
    };
    match built {
        // A machine without any authority can do without them where nothing is protected.
        Err(_) if url.scheme() == "http" => plain()?.tls_certs_only([]).build(),
        built => built,
    }
    .map_err(FetchError::Network)
}

fn authorities(file: &Path) -> Result<Vec<Certificate>, FetchError> {
    let pem = std::fs::read(file).map_err(|source| FetchError::CaFile { path: file.to_owned(), source })?;
    let unusable = || FetchError::CaFileUnusable(file.to_owned());
    let authorities = Certificate::from_pem_bundle(&pem).map_err(|_| unusable())?;
    if authorities.is_empty() { Err(unusable()) } else { Ok(authorities) }
}

/// Follows within one host, and never from a protected connection to an open one.
fn follow(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let Some(first) = attempt.previous().first() else { return attempt.stop() };
    let next = attempt.url();
    let same_host =
        next.host() == first.host() && next.port_or_known_default() == first.port_or_known_default();
    let upgraded = next.host() == first.host() && first.scheme() == "http" && next.scheme() == "https";
    let opened = first.scheme() == "https" && next.scheme() != "https";
    if (!same_host && !upgraded) || opened || attempt.previous().len() > MOST_REDIRECTS {
        attempt.error(Elsewhere)
    } else {
        attempt.follow()
    }
}

/// A redirect that is not followed.
#[derive(Debug, thiserror::Error)]
#[error("a redirect to another host")]
struct Elsewhere;

fn refusal(error: reqwest::Error) -> FetchError {
    // The address is in the settings already; in the error it would be written twice.
    let error = error.without_url();
    if error.is_redirect() {
        return FetchError::OtherHost;
    }
    match refused_certificate(&error) {
        Some(reason) => FetchError::Certificate(reason),
        None => FetchError::Network(error),
    }
}

/// Why TLS refused a certificate, if that is what an error is about.
fn refused_certificate(error: &reqwest::Error) -> Option<CertificateError> {
    std::iter::successors(error.source(), |&error| {
        // An error of input and output leaves itself out of the chain of what it holds.
        let held = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        held.map(|held| -> &(dyn Error + 'static) { held }).or_else(|| error.source())
    })
    .find_map(|error| match error.downcast_ref() {
        Some(rustls::Error::InvalidCertificate(reason)) => Some(reason.clone()),
        _ => None,
    })
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Read, Write};
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::sync::LazyLock;
    use std::time::Duration;

    use openssl::asn1::Asn1Time;
    use openssl::bn::BigNum;
    use openssl::ec::{EcGroup, EcKey};
    use openssl::hash::MessageDigest;
    use openssl::nid::Nid;
    use openssl::pkey::{PKey, Private};
    use openssl::ssl::{SslAcceptor, SslMethod, SslStream};
    use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
    use openssl::x509::{X509, X509NameBuilder};
    use tempfile::TempDir;

    use super::*;

    /// A server that gives each connection the answer for its path.
    fn serve(answers: impl Fn(&str, SocketAddr) -> Vec<u8> + Send + 'static) -> SocketAddr {
        serve_over(Some, answers)
    }

    /// The same over whatever `wrap` makes of a connection; one it makes nothing of has ended.
    fn serve_over<S: Read + Write>(
        wrap: impl Fn(TcpStream) -> Option<S> + Send + 'static,
        answers: impl Fn(&str, SocketAddr) -> Vec<u8> + Send + 'static,
    ) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let Some(mut connection) = wrap(connection.unwrap()) else { continue };
                let Some(path) = asked_path(&mut connection) else { continue };
                // The other side may have had enough and gone.
                let _ = connection.write_all(&answers(&path, address));
                if path == "/slow" {
                    // Held open: whoever waits for the rest waits for ever.
                    std::mem::forget(connection);
                }
            }
        });
        address
    }

    /// The second word of the first line of a request, which is read to its empty line.
    fn asked_path(connection: &mut impl Read) -> Option<String> {
        let mut lines = BufReader::new(connection).lines().map_while(Result::ok);
        let first = lines.next()?;
        lines.find(String::is_empty)?;
        first.split(' ').nth(1).map(str::to_owned)
    }

    fn ok(body: &[u8]) -> Vec<u8> {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    }

    fn redirect(to: &str) -> Vec<u8> {
        format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            .into_bytes()
    }

    fn settings() -> FetchSettings {
        FetchSettings {
            allowed: true,
            crl_urls: Vec::new(),
            list_urls: Vec::new(),
            within: cccd_patience::PATIENCE,
            max_bytes: 1000,
            roots: FetchRoots::Machine,
            proxy: None,
        }
    }

    fn fetched(address: SocketAddr, path: &str, settings: &FetchSettings) -> Result<Vec<u8>, FetchError> {
        fetch(&FetchUrl::parse(&format!("http://{address}{path}")).unwrap(), settings)
    }

    #[test]
    fn what_is_allowed_comes_whole_and_what_is_not_is_not_asked_for() {
        let address = serve(|_, _| ok(&[7; 1000]));
        assert_eq!(fetched(address, "/a.crl", &settings()).unwrap(), [7; 1000]);

        let asked = TcpListener::bind("127.0.0.1:0").unwrap();
        asked.set_nonblocking(true).unwrap();
        let refused = FetchSettings { allowed: false, ..settings() };
        let outcome = fetched(asked.local_addr().unwrap(), "/a.crl", &refused);
        assert!(matches!(outcome, Err(FetchError::NotAllowed)));
        assert_eq!(asked.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    }

    #[test]
    fn one_byte_too_many_is_too_many_with_and_without_a_stated_length() {
        let address = serve(|path, _| match path {
            "/stated" => ok(&[7; 1001]),
            _ => [&b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"[..], &[7; 1001]].concat(),
        });
        for path in ["/stated", "/unstated"] {
            assert!(matches!(fetched(address, path, &settings()), Err(FetchError::TooLarge(1000))), "{path}");
        }
    }

    #[test]
    fn a_redirect_stays_on_its_host() {
        let other = serve(|_, _| ok(b"stolen"));
        let address = serve(move |path, own| match path {
            "/near" => redirect("/here"),
            "/far" => redirect(&format!("http://{other}/here")),
            "/name" => redirect(&format!("http://localhost:{}/here", own.port())),
            "/round" => redirect("/round"),
            _ => ok(b"here"),
        });
        assert_eq!(fetched(address, "/near", &settings()).unwrap(), b"here");
        for path in ["/far", "/name", "/round"] {
            assert!(matches!(fetched(address, path, &settings()), Err(FetchError::OtherHost)), "{path}");
        }
    }

    #[test]
    fn a_server_that_never_finishes_is_given_up() {
        let address = serve(|_, _| b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc".to_vec());
        let hurried = FetchSettings { within: Duration::from_millis(200), ..settings() };
        assert!(matches!(fetched(address, "/slow", &hurried), Err(FetchError::TooSlow(_))));
        // The same, cut off: never taken for the whole.
        assert!(matches!(fetched(address, "/cut", &settings()), Err(FetchError::Network(_))));
    }

    #[test]
    fn other_answers_than_success_give_nothing() {
        let address = serve(|_, _| b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone".to_vec());
        assert!(matches!(fetched(address, "/", &settings()), Err(FetchError::Status(StatusCode::NOT_FOUND))));
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(matches!(fetched(nobody, "/", &settings()), Err(FetchError::Network(_))));
    }

    /// An authority for TLS servers, and its certificate in a file.
    struct Authority {
        certificate: X509,
        key: PKey<Private>,
        folder: TempDir,
    }

    static HOSPITAL: LazyLock<Authority> = LazyLock::new(|| Authority::new("Hospital"));
    static STRANGER: LazyLock<Authority> = LazyLock::new(|| Authority::new("Stranger"));

    fn key() -> PKey<Private> {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
    }

    impl Authority {
        fn new(name: &str) -> Self {
            let key = key();
            let certificate = certificate(name, &key, None, 0);
            let folder = TempDir::new().unwrap();
            std::fs::write(folder.path().join("ca.pem"), certificate.to_pem().unwrap()).unwrap();
            Self { certificate, key, folder }
        }

        fn file(&self) -> PathBuf {
            self.folder.path().join("ca.pem")
        }

        /// A server for this name with a certificate of this authority that began so many days ago, and ends two
        /// days later.
        fn serve(
            &self,
            name: &str,
            days_ago: i64,
            answers: impl Fn(&str, SocketAddr) -> Vec<u8> + Send + 'static,
        ) -> SocketAddr {
            let key = key();
            let certificate = certificate(name, &key, Some(self), days_ago);
            let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
            acceptor.set_private_key(&key).unwrap();
            acceptor.set_certificate(&certificate).unwrap();
            let acceptor = acceptor.build();
            let wrap = move |connection| -> Option<SslStream<TcpStream>> { acceptor.accept(connection).ok() };
            serve_over(wrap, answers)
        }
    }

    fn certificate(name: &str, key: &PKey<Private>, issuer: Option<&Authority>, days_ago: i64) -> X509 {
        let days = |days: i64| {
            let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
            Asn1Time::from_unix(i64::try_from(now).unwrap() + days * 86_400).unwrap()
        };
        let mut subject = X509NameBuilder::new().unwrap();
        subject.append_entry_by_nid(Nid::COMMONNAME, name).unwrap();
        let subject = subject.build();
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        let mut serial = BigNum::new().unwrap();
        serial.rand(64, openssl::bn::MsbOption::ONE, false).unwrap();
        builder.set_serial_number(&serial.to_asn1_integer().unwrap()).unwrap();
        builder.set_subject_name(&subject).unwrap();
        builder.set_issuer_name(issuer.map_or(&subject, |issuer| issuer.certificate.subject_name())).unwrap();
        builder.set_pubkey(key).unwrap();
        builder.set_not_before(&days(-days_ago - 1)).unwrap();
        builder.set_not_after(&days(-days_ago + 1)).unwrap();
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

    fn only(authority: &Authority) -> FetchSettings {
        FetchSettings { roots: FetchRoots::Only(authority.file()), ..settings() }
    }

    fn fetched_by_tls(
        address: SocketAddr,
        path: &str,
        settings: &FetchSettings,
    ) -> Result<Vec<u8>, FetchError> {
        fetch(&FetchUrl::parse(&format!("https://{address}{path}")).unwrap(), settings)
    }

    #[test]
    fn a_server_is_believed_for_the_authorities_of_the_settings() {
        let address = HOSPITAL.serve("127.0.0.1", 0, |_, _| ok(b"list"));
        assert_eq!(fetched_by_tls(address, "/", &only(&HOSPITAL)).unwrap(), b"list");
        let refused = |settings: &FetchSettings| match fetched_by_tls(address, "/", settings) {
            Err(FetchError::Certificate(reason)) => reason,
            other => panic!("{other:?}"),
        };
        assert_eq!(refused(&only(&STRANGER)), CertificateError::UnknownIssuer);
        // A machine may have no authority at all: then nothing can be said of the certificate.
        let outcome = fetched_by_tls(address, "/", &settings());
        assert!(matches!(outcome, Err(FetchError::Certificate(_) | FetchError::Network(_))), "{outcome:?}");
        let merged = FetchSettings { roots: FetchRoots::MachineAnd(HOSPITAL.file()), ..settings() };
        assert_eq!(fetched_by_tls(address, "/", &merged).unwrap(), b"list");
    }

    #[test]
    fn a_certificate_is_for_its_days_and_its_name() {
        let refused = |address| match fetched_by_tls(address, "/", &only(&HOSPITAL)) {
            Err(error @ FetchError::Certificate(_)) => error.to_string(),
            other => panic!("{other:?}"),
        };
        let expired = refused(HOSPITAL.serve("127.0.0.1", 10, |_, _| ok(b"list")));
        assert!(expired.contains("expired") && expired.contains("fetch_ca_file"), "{expired}");
        let early = refused(HOSPITAL.serve("127.0.0.1", -10, |_, _| ok(b"list")));
        assert!(early.contains("not valid yet"), "{early}");
        let other = refused(HOSPITAL.serve("lists.example", 0, |_, _| ok(b"list")));
        assert!(other.contains("lists.example"), "{other}");
    }

    #[test]
    fn what_is_bounded_without_tls_is_bounded_with_it() {
        let other = HOSPITAL.serve("127.0.0.1", 0, |_, _| ok(b"stolen"));
        let open = serve(|_, _| ok(b"open"));
        let address = HOSPITAL.serve("127.0.0.1", 0, move |path, _| match path {
            "/large" => ok(&[7; 1001]),
            "/slow" | "/cut" => b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc".to_vec(),
            "/near" => redirect("/here"),
            "/far" => redirect(&format!("https://{other}/here")),
            "/open" => redirect(&format!("http://{open}/here")),
            _ => ok(b"here"),
        });
        let settings = only(&HOSPITAL);
        assert_eq!(fetched_by_tls(address, "/near", &settings).unwrap(), b"here");
        for path in ["/far", "/open"] {
            let outcome = fetched_by_tls(address, path, &settings);
            assert!(matches!(outcome, Err(FetchError::OtherHost)), "{path}: {outcome:?}");
        }
        assert!(matches!(fetched_by_tls(address, "/large", &settings), Err(FetchError::TooLarge(1000))));
        assert!(matches!(fetched_by_tls(address, "/cut", &settings), Err(FetchError::Network(_))));
        let hurried = FetchSettings { within: Duration::from_millis(500), ..settings };
        assert!(matches!(fetched_by_tls(address, "/slow", &hurried), Err(FetchError::TooSlow(_))));
    }

    #[test]
    fn a_server_may_send_an_open_connection_to_its_protected_one() {
        let address = HOSPITAL.serve("127.0.0.1", 0, |_, _| ok(b"list"));
        let open = serve(move |_, _| redirect(&format!("https://{address}/")));
        assert_eq!(fetched(open, "/", &only(&HOSPITAL)).unwrap(), b"list");
    }

    #[test]
    fn everything_but_loopback_goes_through_the_proxy() {
        let server = HOSPITAL.serve("lists.example", 0, |_, _| ok(b"list"));
        let tunnel = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = tunnel.local_addr().unwrap();
        let asked = std::thread::spawn(move || {
            let mut near = cccd_patience::accepted("a question to the proxy", &tunnel);
            let plain = asked_path(&mut near).unwrap();
            near.write_all(&ok(b"by proxy")).unwrap();
            drop(near);
            let mut near = cccd_patience::accepted("a question to the proxy", &tunnel);
            let protected = asked_path(&mut near).unwrap();
            near.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
            let mut far = TcpStream::connect(server).unwrap();
            let (mut from, mut to) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            let _ = std::io::copy(&mut far, &mut near);
            (plain, protected)
        });
        let through = FetchSettings {
            proxy: Some(FetchUrl::parse(&format!("http://{proxy}")).unwrap()),
            ..only(&HOSPITAL)
        };
        let get = |url: &str| fetch(&FetchUrl::parse(url).unwrap(), &through);
        assert_eq!(get("http://lists.example/a.crl").unwrap(), b"by proxy");
        assert_eq!(get("https://lists.example/ml.der").unwrap(), b"list");
        let (plain, protected) = cccd_patience::joined("the proxy's end", asked);
        assert_eq!(plain, "http://lists.example/a.crl");
        assert_eq!(protected, "lists.example:443");
        // The proxy is gone, and nobody misses it.
        let near = serve(|_, _| ok(b"near"));
        assert_eq!(fetched(near, "/", &through).unwrap(), b"near");
    }

    #[test]
    fn a_file_of_authorities_that_cannot_be_used_is_named() {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("ca.pem");
        let with = |file: &Path| FetchSettings { roots: FetchRoots::Only(file.to_owned()), ..settings() };
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let outcome = fetched_by_tls(nobody, "/", &with(&file));
        assert!(matches!(&outcome, Err(FetchError::CaFile { path, .. }) if *path == file), "{outcome:?}");
        for text in ["", "hello", "-----BEGIN CERTIFICATE-----\n%%\n-----END CERTIFICATE-----\n"] {
            std::fs::write(&file, text).unwrap();
            let outcome = fetched_by_tls(nobody, "/", &with(&file));
            assert!(
                matches!(&outcome, Err(FetchError::CaFileUnusable(path)) if *path == file),
                "{outcome:?}"
            );
        }
    }
}
