//! `[store]` and `[audit]` of `config/agent.toml`: what outlives a restart, and where entries of the audit chain go.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use serde::Deserialize;

/// What outlives a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSettings {
    /// Where it lies.
    pub folder: PathBuf,
}

/// Where entries of the audit chain go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditSettings {
    /// The syslog server that gets each entry; `None` where they stay on this machine.
    pub syslog: Option<SyslogSettings>,
}

/// A syslog server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyslogSettings {
    /// Where it listens, and how it is spoken to.
    pub server: SyslogServer,
    /// Authorities for its certificate, a PEM file; without one, those of the machine.
    pub ca_file: Option<PathBuf>,
    /// This machine's certificate and key, where the server asks for one: PEM files.
    pub client: Option<ClientCertificate>,
}

/// A certificate this machine shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate, and those between it and its authority.
    pub certificate_file: PathBuf,
    /// The private key, not encrypted.
    pub key_file: PathBuf,
}

/// The address of a syslog server: `udp://`, `tcp://` or `tls://`, a host, and perhaps a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyslogServer {
    /// How it is spoken to.
    pub transport: SyslogTransport,
    /// Its name or address, without the brackets of an IPv6 address.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// How a syslog server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyslogTransport {
    /// One datagram a message (RFC 5426). What is lost on the way is lost.
    Udp,
    /// A stream, each message with its length before it (RFC 6587, 3.4.1).
    Tcp,
    /// The same under TLS (RFC 5425).
    Tls,
}

impl SyslogTransport {
    /// The port the RFCs name, or what is usual where they name none.
    fn usual_port(self) -> u16 {
        match self {
            Self::Udp => 514,
            Self::Tcp => 601,
            Self::Tls => 6514,
        }
    }

    fn scheme(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }
}

/// Why the `[audit]` section cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuditSettingsError {
    /// Not the address of a syslog server.
    #[error(
        "audit.syslog = {0:?}: udp://HOST, tcp://HOST or tls://HOST is possible, with a :PORT where it is not the usual one"
    )]
    Server(String),
    /// Half of a certificate.
    #[error("audit.syslog_certificate and audit.syslog_key: one without the other is of no use")]
    HalfACertificate,
    /// Settings of TLS without TLS.
    #[error("{0} is for tls:// only")]
    WithoutTls(&'static str),
}

impl SyslogServer {
    /// Understands an address.
    pub fn parse(text: &str) -> Result<Self, AuditSettingsError> {
        let wrong = || AuditSettingsError::Server(text.to_owned());
        let (scheme, place) = text.split_once("://").ok_or_else(wrong)?;
        let transport = [SyslogTransport::Udp, SyslogTransport::Tcp, SyslogTransport::Tls]
            .into_iter()
            .find(|transport| transport.scheme() == scheme)
            .ok_or_else(wrong)?;
        let (host, port) = match place.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']').ok_or_else(wrong)?;
                let is_one = address.parse::<IpAddr>().is_ok_and(|address| address.is_ipv6());
                let port =
                    if port.is_empty() { None } else { Some(port.strip_prefix(':').ok_or_else(wrong)?) };
                (Some(address).filter(|_| is_one).ok_or_else(wrong)?, port)
            }
            None => match place.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (place, None),
            },
        };
        let named = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
        let bracketed = host.contains(':');
        if host.is_empty() || host.len() > 253 || !(bracketed || host.bytes().all(named)) {
            return Err(wrong());
        }
        let port = match port {
            None => transport.usual_port(),
            Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?,
        };
        Ok(Self { transport, host: host.to_owned(), port })
    }
}

impl fmt::Display for SyslogServer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { transport, host, port } = self;
        if host.contains(':') {
            write!(out, "{}://[{host}]:{port}", transport.scheme())
        } else {
            write!(out, "{}://{host}:{port}", transport.scheme())
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawStore {
    folder: PathBuf,
}

impl Default for RawStore {
    fn default() -> Self {
        let folder =
            if cfg!(windows) { r"C:\ProgramData\cccd-agent\store" } else { "/var/lib/cccd-agent/store" };
        Self { folder: folder.into() }
    }
}

impl From<RawStore> for StoreSettings {
    fn from(raw: RawStore) -> Self {
        Self { folder: raw.folder }
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawAudit {
    syslog: String,
    syslog_ca_file: Option<PathBuf>,
    syslog_certificate: Option<PathBuf>,
    syslog_key: Option<PathBuf>,
}

impl TryFrom<RawAudit> for AuditSettings {
    type Error = AuditSettingsError;

    fn try_from(raw: RawAudit) -> Result<Self, AuditSettingsError> {
        let RawAudit { syslog, syslog_ca_file, syslog_certificate, syslog_key } = raw;
        let client = match (syslog_certificate, syslog_key) {
            (Some(certificate_file), Some(key_file)) => {
                Some(ClientCertificate { certificate_file, key_file })
            }
            (None, None) => None,
            _ => return Err(AuditSettingsError::HalfACertificate),
        };
        let server = if syslog.is_empty() { None } else { Some(SyslogServer::parse(&syslog)?) };
        if server.as_ref().is_none_or(|server| server.transport != SyslogTransport::Tls) {
            if syslog_ca_file.is_some() {
                return Err(AuditSettingsError::WithoutTls("audit.syslog_ca_file"));
            }
            if client.is_some() {
                return Err(AuditSettingsError::WithoutTls("audit.syslog_certificate"));
            }
        }
        let syslog = server.map(|server| SyslogSettings { server, ca_file: syslog_ca_file, client });
        Ok(Self { syslog })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_servers() {
        for (text, meant) in [
            ("udp://soc.example.vn", "udp://soc.example.vn:514"),
            ("tcp://10.0.0.5", "tcp://10.0.0.5:601"),
            ("tls://soc.example.vn", "tls://soc.example.vn:6514"),
            ("tls://[fd00::1]", "tls://[fd00::1]:6514"),
            ("tcp://[::1]:1514", "tcp://[::1]:1514"),
        ] {
            assert_eq!(SyslogServer::parse(text).unwrap().to_string(), meant);
        }
        for wrong in [
            "",
            "soc.example.vn",
            "http://soc",
            "udp://",
            "udp://soc:",
            "udp://soc:0",
            "udp://soc:65536",
            "udp://soc:x",
            "udp://fd00::1",
            "udp://[soc]",
            "udp://[::1",
            "udp://[::1]514",
            "udp://so c",
            "udp://soc/x",
            "UDP://soc",
        ] {
            assert!(SyslogServer::parse(wrong).is_err(), "{wrong}");
        }
    }
}
