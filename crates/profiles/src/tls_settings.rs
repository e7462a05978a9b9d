//! `[api.tls]`: the API over TLS, on a port of its own.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

/// The API over TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// Where it listens: a loopback address. `None`: nowhere.
    pub listen: Option<SocketAddr>,
    /// The folder with this machine's certificates and the key to one of them.
    pub folder: PathBuf,
    /// How many days they last.
    pub days: u64,
}

/// Why `[api.tls]` cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsSettingsError {
    /// Not an address.
    #[error("api.tls.listen = {0:?}: an address and a port, such as \"127.0.0.1:9304\"")]
    Address(String),
    /// The API would be reachable from the network.
    #[error("api.tls.listen = {0}: only a loopback address such as 127.0.0.1 or [::1] is allowed")]
    NotLoopback(SocketAddr),
    /// One port cannot be both.
    #[error("api.tls.listen = {0}: api.listen has this port")]
    SamePort(SocketAddr),
    /// A time that is too short or too long.
    #[error("api.tls.days = {0}: 60 to 825 is possible")]
    Days(u64),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawTls {
    listen: String,
    folder: PathBuf,
    days: u64,
}

impl Default for RawTls {
    fn default() -> Self {
        let folder = if cfg!(windows) { r"C:\ProgramData\cccd-agent\tls" } else { "/var/lib/cccd-agent/tls" };
        Self { listen: String::new(), folder: folder.into(), days: 730 }
    }
}

impl RawTls {
    pub(crate) fn understood(self, plain: SocketAddr) -> Result<TlsSettings, TlsSettingsError> {
        let Self { listen, folder, days } = self;
        if !(60..=825).contains(&days) {
            return Err(TlsSettingsError::Days(days));
        }
        if listen.is_empty() {
            return Ok(TlsSettings { listen: None, folder, days });
        }
        let address: SocketAddr = listen.parse().map_err(|_| TlsSettingsError::Address(listen))?;
        if !address.ip().is_loopback() {
            return Err(TlsSettingsError::NotLoopback(address));
        }
        if address.port() != 0 && address == plain {
            return Err(TlsSettingsError::SamePort(address));
        }
        Ok(TlsSettings { listen: Some(address), folder, days })
    }
}
