//! `[[network_reader]]` of `config/agent.toml`: the readers of one desk that have a network of their own.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use cccd_card::{CertificateHash, NotACertificateHash, ReaderId};
use serde::Deserialize;

use crate::DeskNfcReader;

/// A reader with a network of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeskNetworkReader {
    /// Its name for people.
    pub name: String,
    /// Where it is dialled. Nothing else ever is.
    pub address: SocketAddr,
    /// Whom to believe there, where it is spoken to under TLS (`https`); without it, it is not (`http`).
    pub tls: Option<ReaderTrust>,
    /// The token to show there, in a file: where it is another agent's door and no reader.
    pub token_file: Option<PathBuf>,
}

/// By what a reader under TLS is known. Such a reader has made its certificate itself, so that no authority of the machine
/// knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReaderTrust {
    /// By nothing yet: it is dialled, its certificate is named, and it is not used.
    Nobody,
    /// By its certificate, whatever that says of names and times. It is the SHA-256 over the whole certificate and not over
    /// its key, as that is what browsers, `openssl x509 -fingerprint` and this agent show; who renews a certificate that
    /// an authority signed has the other way.
    Certificate(CertificateHash),
    /// By an authority in this file (PEM), and by no other.
    Authority(PathBuf),
}

impl DeskNetworkReader {
    /// Its name for programs.
    pub fn id(&self) -> ReaderId {
        ReaderId::from_name(&self.name)
    }
}

/// Why the network readers cannot be set up so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkSettingsError {
    /// A name that makes no id.
    #[error("a network reader needs a name of 1 to 64 characters with a letter or digit in it, not {0:?}")]
    Name(String),
    /// Two readers of one id.
    #[error("network reader {0:?}: another reader has the same name or nearly the same")]
    Twice(String),
    /// Two readers in one place.
    #[error("network reader {0:?}: another one has the same address")]
    SamePlace(String),
    /// No address of a reader on this machine's own networks.
    #[error(
        "network reader {name:?}: address = {address:?}: http:// or https://, then an address and a port of this machine or of a private network, such as http://192.168.5.1:8000, and no name"
    )]
    Address {
        /// Whose.
        name: String,
        /// As written.
        address: String,
    },
    /// A certificate that is none.
    #[error("network reader {name:?}: certificate_sha256: {source}")]
    Certificate {
        /// Whose.
        name: String,
        /// Why.
        source: NotACertificateHash,
    },
    /// Two ways to know it, or one where it is not looked at.
    #[error(
        "network reader {0:?}: certificate_sha256 or ca_file, one of them, and with an address that begins with https://"
    )]
    Trust(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawNetworkReader {
    name: String,
    address: String,
    #[serde(default)]
    certificate_sha256: Option<String>,
    #[serde(default)]
    ca_file: Option<PathBuf>,
    #[serde(default)]
    token_file: Option<PathBuf>,
}

pub(crate) fn meant(
    raw: Vec<RawNetworkReader>,
    nfc: &[DeskNfcReader],
) -> Result<Vec<DeskNetworkReader>, NetworkSettingsError> {
    let mut readers: Vec<DeskNetworkReader> = Vec::new();
    for RawNetworkReader { name, address, certificate_sha256, ca_file, token_file } in raw {
        let plain = name.chars().count() <= 64 && !name.chars().any(char::is_control);
        if !plain || ReaderId::from_name(&name).as_str().is_empty() {
            return Err(NetworkSettingsError::Name(name));
        }
        let Some((is_tls, parsed)) = place(&address) else {
            return Err(NetworkSettingsError::Address { name, address });
        };
        let tls = match (is_tls, certificate_sha256, ca_file) {
            (false, None, None) => None,
            (true, None, None) => Some(ReaderTrust::Nobody),
            (true, Some(hash), None) => match hash.parse() {
                Ok(hash) => Some(ReaderTrust::Certificate(hash)),
                Err(source) => return Err(NetworkSettingsError::Certificate { name, source }),
            },
            (true, None, Some(file)) => Some(ReaderTrust::Authority(file)),
            _ => return Err(NetworkSettingsError::Trust(name)),
        };
        let reader = DeskNetworkReader { name, address: parsed, tls, token_file };
        let id = reader.id();
        if readers.iter().any(|known| known.id() == id) || nfc.iter().any(|known| known.id() == id) {
            return Err(NetworkSettingsError::Twice(reader.name));
        }
        if readers.iter().any(|known| known.address == reader.address) {
            return Err(NetworkSettingsError::SamePlace(reader.name));
        }
        readers.push(reader);
    }
    Ok(readers)
}

/// Whether it is spoken to under TLS, and where it is.
fn place(address: &str) -> Option<(bool, SocketAddr)> {
    let (scheme, rest) = address.split_once("://")?;
    let is_tls = match scheme {
        "http" => false,
        "https" => true,
        _ => return None,
    };
    let at: SocketAddr = rest.strip_suffix('/').unwrap_or(rest).parse().ok()?;
    (at.port() != 0 && is_near(at.ip())).then_some((is_tls, at))
}

/// Whether it can be a reader that stands here: on this machine, or on a network that is not routed (RFC 1918, 3927, 4193,
/// 4291).
fn is_near(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use cccd_card::CertificateHash;

    use super::ReaderTrust;
    use crate::AgentSettings;

    fn readers(text: &str) -> Result<Vec<super::DeskNetworkReader>, String> {
        AgentSettings::parse(text).map(|settings| settings.network_readers).map_err(|error| error.to_string())
    }

    #[test]
    fn a_desk_has_the_network_readers_that_are_named() {
        assert_eq!(readers("").unwrap(), []);
        let one = "[[network_reader]]\nname = 'Quầy 3'\naddress = 'http://192.168.5.1:8000'";
        let found = readers(one).unwrap();
        assert_eq!((found[0].id().as_str(), found[0].address.port()), ("qu-y-3", 8000));
        assert_eq!(found[0].tls, None);
        for near in ["127.0.0.1:1", "[::1]:8000", "10.0.0.7:8000", "169.254.1.1:80", "[fd00::1]:8000"] {
            assert!(readers(&one.replace("192.168.5.1:8000", near)).is_ok(), "{near}");
        }
    }

    #[test]
    fn a_reader_under_tls_is_known_by_its_certificate_or_by_an_authority() {
        let one = "[[network_reader]]\nname = 'Desk 1'\naddress = 'https://192.168.5.1:8000/'\n";
        let trust = |more: &str| readers(&format!("{one}{more}")).map(|found| found[0].tls.clone());
        assert_eq!(trust(""), Ok(Some(ReaderTrust::Nobody)));
        let hash = "ab:".repeat(32);
        let known = trust(&format!("certificate_sha256 = '{}'", hash.trim_end_matches(':')));
        assert_eq!(known, Ok(Some(ReaderTrust::Certificate(CertificateHash([0xAB; 32])))));
        assert_eq!(trust("ca_file = 'a.pem'"), Ok(Some(ReaderTrust::Authority("a.pem".into()))));
        for (more, told) in [
            ("certificate_sha256 = 'ab'".to_owned(), "64 hexadecimal digits"),
            (format!("ca_file = 'a.pem'\ncertificate_sha256 = '{hash}'"), "one of them"),
        ] {
            let message = trust(&more).unwrap_err();
            assert!(message.contains(told), "{message}");
        }
        let plain = one.replace("https", "http");
        for more in ["ca_file = 'a.pem'".to_owned(), format!("certificate_sha256 = '{hash}'")] {
            let message = readers(&format!("{plain}{more}")).unwrap_err();
            assert!(message.contains("begins with https://"), "{message}");
        }
    }

    #[test]
    fn mistakes_name_their_place() {
        let one = "[[network_reader]]\nname = 'Desk 1'\naddress = 'http://192.168.5.1:8000'\n";
        let at = |address: &str| one.replace("192.168.5.1:8000", address);
        for (text, told) in [
            (one.replace("Desk 1", "..."), "with a letter or digit"),
            ("[[network_reader]]\nname = 'a'".to_owned(), "missing field `address`"),
            (at("reader.example.vn:8000"), "and no name"),
            (at("192.168.5.1"), "an address and a port"),
            (at("192.168.5.1:0"), "an address and a port"),
            (one.replace("http://", ""), "http:// or https://"),
            (one.replace("http://", "ws://"), "http:// or https://"),
            (at("192.168.5.1:8000/socket.io"), "such as http://192.168.5.1:8000"),
            (at("203.0.113.7:8000"), "of a private network"),
            (at("0.0.0.0:8000"), "of a private network"),
            (format!("{one}tls = true"), "unknown field `tls`"),
            (format!("{one}{}", at("192.168.5.2:8000").replace("Desk 1", "desk-1")), "nearly the same"),
            (format!("{one}{}", one.replace("Desk 1", "Desk 2")), "the same address"),
            (format!("{one}[[nfc]]\nname = 'desk 1'\nconnstring = 'pn53x_usb'"), "nearly the same"),
        ] {
            let message = readers(&text).unwrap_err();
            assert!(message.contains(told), "{message}");
        }
    }
}
