//! `[fleet]` of `config/agent.toml`: the MQTT broker that desks of one operator report to.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::web_settings::RawWeb;
use crate::{PeerTls, WebSettingsError};

/// The broker a desk reports to, and what it reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetSettings {
    /// Where the broker is.
    pub broker: BrokerUrl,
    /// The name of this desk among the operator's. It is in topics and is the client's id: nothing of a person.
    pub desk: String,
    /// What every topic of the fleet begins with.
    pub topics: String,
    /// Who this desk is to the broker, where its certificate does not say.
    pub login: Option<BrokerLogin>,
    /// The broker's certificate and ours.
    pub tls: PeerTls,
    /// How often the desk reports.
    pub report_every: Duration,
    /// Whether results, which are about people, may leave through the broker.
    pub personal_data: PersonalData,
}

/// Whether results may leave through the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PersonalData {
    /// Never.
    Never,
    /// Encrypted to the key of whoever takes them.
    Sealed,
}

/// A name and where its password lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerLogin {
    /// The name.
    pub username: String,
    /// The file with the password.
    pub password_file: PathBuf,
}

/// The address of a broker: `mqtts://`, or `mqtt://` on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerUrl {
    /// Its name or address, without the brackets of an IPv6 address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether it is spoken to under TLS.
    pub is_tls: bool,
}

/// Why the `[fleet]` section cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FleetSettingsError {
    /// No address, or one that would tell the network what a desk does.
    #[error(
        "fleet.broker = {0:?}: mqtts://HOST, or mqtt:// on this machine, is possible, with a :PORT where it is not the usual \
         one"
    )]
    Broker(String),
    /// No name.
    #[error("fleet.desk = {0:?}: 1 to 64 small letters, digits and hyphens, a name that no other desk has")]
    Desk(String),
    /// Not the beginning of a topic.
    #[error("fleet.topics = {0:?}: small letters, digits and hyphens, with / between, 64 characters at most")]
    Topics(String),
    /// A name without a password, or a password without a name.
    #[error("fleet.username and fleet.password_file: one without the other is of no use")]
    HalfALogin,
    /// A time outside its range.
    #[error("fleet.report_s: 5 to 86400 is possible")]
    Report,
    /// The broker cannot be reached as the section says.
    #[error("fleet: {0}")]
    Tls(#[from] WebSettingsError),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawFleet {
    broker: String,
    desk: String,
    #[serde(default = "usual_topics")]
    topics: String,
    username: Option<String>,
    password_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    #[serde(default)]
    ca_only: bool,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    #[serde(default = "usual_report")]
    report_s: u64,
    #[serde(default)]
    personal_data: bool,
}

fn usual_topics() -> String {
    "cccd".to_owned()
}

fn usual_report() -> u64 {
    60
}

impl BrokerUrl {
    /// Understands an address.
    pub fn parse(text: &str) -> Option<Self> {
        let (place, is_tls) = match (text.strip_prefix("mqtts://"), text.strip_prefix("mqtt://")) {
            (Some(place), _) => (place, true),
            (None, Some(place)) => (place, false),
            (None, None) => return None,
        };
        let (host, port) = match place.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']')?;
                address.parse::<IpAddr>().ok().filter(IpAddr::is_ipv6)?;
                (address, if port.is_empty() { None } else { Some(port.strip_prefix(':')?) })
            }
            None => match place.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (place, None),
            },
        };
        let named = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
        if host.is_empty() || host.len() > 253 || !(host.contains(':') || host.bytes().all(named)) {
            return None;
        }
        let port = match port {
            None => {
                if is_tls {
                    8883
                } else {
                    1883
                }
            }
            Some(port) => port.parse().ok().filter(|port| *port != 0)?,
        };
        let is_near =
            host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        (is_tls || is_near).then(|| Self { host: host.to_owned(), port, is_tls })
    }
}

impl fmt::Display for BrokerUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, is_tls } = self;
        let scheme = if *is_tls { "mqtts" } else { "mqtt" };
        if host.contains(':') {
            write!(out, "{scheme}://[{host}]:{port}")
        } else {
            write!(out, "{scheme}://{host}:{port}")
        }
    }
}

/// Whether a text can stand between the slashes of a topic.
pub(crate) fn is_level(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(good)
}

impl TryFrom<RawFleet> for FleetSettings {
    type Error = FleetSettingsError;

    fn try_from(raw: RawFleet) -> Result<Self, FleetSettingsError> {
        let Some(broker) = BrokerUrl::parse(&raw.broker) else {
            return Err(FleetSettingsError::Broker(raw.broker));
        };
        if !is_level(&raw.desk) {
            return Err(FleetSettingsError::Desk(raw.desk));
        }
        if raw.topics.len() > 64 || !raw.topics.split('/').all(is_level) {
            return Err(FleetSettingsError::Topics(raw.topics));
        }
        let login = match (raw.username, raw.password_file) {
            (Some(username), Some(password_file)) if !username.is_empty() && username.len() <= 256 => {
                Some(BrokerLogin { username, password_file })
            }
            (None, None) => None,
            _ => return Err(FleetSettingsError::HalfALogin),
        };
        if !(5..=86_400).contains(&raw.report_s) {
            return Err(FleetSettingsError::Report);
        }
        let web = RawWeb {
            ca_file: raw.ca_file,
            ca_only: raw.ca_only,
            certificate: raw.certificate,
            key: raw.key,
            ..RawWeb::default()
        };
        let tls = web.access(broker.is_tls)?.tls;
        let personal_data = if raw.personal_data { PersonalData::Sealed } else { PersonalData::Never };
        let report_every = Duration::from_secs(raw.report_s);
        let (desk, topics) = (raw.desk, raw.topics);
        Ok(Self { broker, desk, topics, login, tls, report_every, personal_data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<FleetSettings, FleetSettingsError> {
        toml::from_str::<RawFleet>(text).unwrap().try_into()
    }

    #[test]
    fn what_a_desk_does_is_told_to_nobody_on_the_way() {
        for (text, meant) in [
            ("mqtts://fleet.example.vn", Some("mqtts://fleet.example.vn:8883")),
            ("mqtts://[fd00::1]:883", Some("mqtts://[fd00::1]:883")),
            ("mqtt://127.0.0.1:18830", Some("mqtt://127.0.0.1:18830")),
            ("mqtt://localhost", Some("mqtt://localhost:1883")),
            ("mqtt://fleet.example.vn", None),
            ("mqtts://", None),
            ("mqtts://a:0", None),
            ("mqtts://a/b", None),
            ("mqtts://desk@a", None),
            ("https://a", None),
        ] {
            assert_eq!(BrokerUrl::parse(text).map(|url| url.to_string()).as_deref(), meant, "{text}");
        }
    }

    #[test]
    fn mistakes_name_their_key() {
        let good = "broker = 'mqtts://a'\ndesk = 'hue-7'\n";
        let settings = parse(good).unwrap();
        assert_eq!((settings.topics.as_str(), settings.personal_data), ("cccd", PersonalData::Never));
        for (text, told) in [
            ("broker = 'mqtt://a'\ndesk = 'hue-7'".to_owned(), "fleet.broker"),
            ("broker = 'mqtts://a'\ndesk = 'Huế'".to_owned(), "fleet.desk"),
            ("broker = 'mqtts://a'\ndesk = '+'".to_owned(), "fleet.desk"),
            (format!("{good}topics = 'a//b'"), "fleet.topics"),
            (format!("{good}topics = '#'"), "fleet.topics"),
            (format!("{good}username = 'hue-7'"), "fleet.password_file"),
            (format!("{good}report_s = 1"), "fleet.report_s"),
            (format!("{good}certificate = 'x'"), "certificate and key"),
            ("broker = 'mqtt://[::1]'\ndesk = 'hue-7'\nca_file = 'x'".to_owned(), "TLS only"),
        ] {
            let message = parse(&text).unwrap_err().to_string();
            assert!(message.contains(told), "{message}");
        }
    }
}
