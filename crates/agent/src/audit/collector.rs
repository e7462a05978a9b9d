//! The connection to a syslog server.

use std::io::{self, ErrorKind, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use cccd_profiles::{SyslogServer, SyslogSettings, SyslogTransport};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_platform_verifier::BuilderVerifierExt as _;

use crate::private_file::require_private;

/// How long connecting may take, and each write.
const WITHIN: Duration = Duration::from_secs(10);

/// Where messages go while it lasts.
pub(super) enum Collector {
    Udp(UdpSocket),
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// What a connection is made with.
pub(super) struct Dialler {
    server: SyslogServer,
    tls: Option<Arc<ClientConfig>>,
}

impl Dialler {
    /// Fails where the files for TLS cannot be used.
    pub(super) fn of(settings: &SyslogSettings) -> Result<Self> {
        let tls = match settings.server.transport {
            SyslogTransport::Tls => Some(Arc::new(tls_config(settings)?)),
            SyslogTransport::Udp | SyslogTransport::Tcp => None,
        };
        Ok(Self { server: settings.server.clone(), tls })
    }

    pub(super) fn server(&self) -> &SyslogServer {
        &self.server
    }

    /// Connects to the first address of the server that answers.
    pub(super) fn dial(&self) -> Result<Collector> {
        let SyslogServer { transport, host, port } = &self.server;
        let addresses =
            (host.as_str(), *port).to_socket_addrs().context("the name of the server is not known")?;
        let mut last = None;
        for address in addresses {
            match self.dial_address(*transport, address) {
                Ok(collector) => return Ok(collector),
                Err(error) => last = Some(error),
            }
        }
        match last {
            Some(error) => Err(error),
            None => bail!("the name of the server has no address"),
        }
    }

    fn dial_address(&self, transport: SyslogTransport, address: SocketAddr) -> Result<Collector> {
        if transport == SyslogTransport::Udp {
            let any: SocketAddr =
                if address.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
            let socket = UdpSocket::bind(any)?;
            socket.connect(address)?;
            return Ok(Collector::Udp(socket));
        }
        let mut stream = TcpStream::connect_timeout(&address, WITHIN)?;
        stream.set_write_timeout(Some(WITHIN))?;
        stream.set_read_timeout(Some(WITHIN))?;
        stream.set_nodelay(true)?;
        let Some(config) = &self.tls else { return Ok(Collector::Tcp(stream)) };
        let name =
            ServerName::try_from(self.server.host.clone()).context("not a name a certificate can have")?;
        let mut connection = ClientConnection::new(Arc::clone(config), name)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        Ok(Collector::Tls(Box::new(StreamOwned::new(connection, stream))))
    }
}

fn tls_config(settings: &SyslogSettings) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    // TLS 1.2 and 1.3: RFC 5425 asks for 1.2, RFC 9662 for no less.
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let builder = match &settings.ca_file {
        None => builder.with_platform_verifier()?,
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate).with_context(|| format!("{} holds no authority", path.display()))?;
            }
            builder.with_root_certificates(roots)
        }
    };
    let Some(client) = &settings.client else { return Ok(builder.with_no_client_auth()) };
    let shown = client.key_file.display();
    let file = std::fs::File::open(&client.key_file).with_context(|| format!("cannot open {shown}"))?;
    require_private(&file, &client.key_file)?;
    let key =
        PrivateKeyDer::from_pem_reader(file).with_context(|| format!("{shown} holds no private key"))?;
    builder
        .with_client_auth_cert(certificates(&client.certificate_file)?, key)
        .with_context(|| format!("{shown} is not the key of {}", client.certificate_file.display()))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let shown = path.display();
    let all = CertificateDer::pem_file_iter(path).with_context(|| format!("cannot open {shown}"))?;
    let all: Vec<_> = all.collect::<Result<_, _>>().with_context(|| format!("{shown} is no PEM file"))?;
    if all.is_empty() {
        bail!("{shown} holds no certificate");
    }
    Ok(all)
}

impl Collector {
    /// Sends one message. That it was sent does not say that it has arrived.
    pub(super) fn send(&mut self, message: &str) -> io::Result<()> {
        // RFC 6587, 3.4.1, and RFC 5425, 4.3: the length in bytes, a space, the message.
        let framed = || format!("{} {message}", message.len());
        match self {
            Self::Udp(socket) => socket.send(message.as_bytes()).map(drop),
            Self::Tcp(stream) => stream.write_all(framed().as_bytes()),
            Self::Tls(stream) => stream.write_all(framed().as_bytes()).and_then(|()| stream.flush()),
        }
    }

    /// Whether the server is known to be gone: it has closed, or its machine has said that nobody listens.
    pub(super) fn is_gone(&mut self) -> bool {
        match self {
            Self::Udp(socket) => {
                let looked = without_waiting(
                    |now| socket.set_nonblocking(now),
                    || socket.recv(&mut [0; 16]).map(drop),
                );
                // Nobody answers a syslog message; what comes all the same is thrown away.
                matches!(looked, Err(error) if error.kind() != ErrorKind::WouldBlock)
            }
            Self::Tcp(stream) => is_closed(stream),
            Self::Tls(stream) => {
                let StreamOwned { conn, sock } = &mut **stream;
                // Session tickets come, and the alert of a server that does not like this machine's certificate.
                let looked = without_waiting(
                    |now| sock.set_nonblocking(now),
                    || {
                        let mut sock = &*sock;
                        match conn.read_tls(&mut sock) {
                            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
                            Ok(_) => conn
                                .process_new_packets()
                                .map_err(io::Error::other)
                                .map(|state| state.peer_has_closed()),
                            Err(error) => Err(error),
                        }
                    },
                );
                match looked {
                    Ok(has_closed) => has_closed,
                    Err(error) => error.kind() != ErrorKind::WouldBlock,
                }
            }
        }
    }
}

fn is_closed(stream: &TcpStream) -> bool {
    let looked = without_waiting(|now| stream.set_nonblocking(now), || stream.peek(&mut [0]));
    match looked {
        Ok(bytes) => bytes == 0,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}

fn without_waiting<T>(
    set: impl Fn(bool) -> io::Result<()>,
    look: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    set(true)?;
    let looked = look();
    set(false)?;
    looked
}
