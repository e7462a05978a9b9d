//! `[[target]]`: where results are delivered.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::fleet_settings::is_level;
use crate::web_settings::{RawOAuth, RawWeb};
use crate::{FleetSettings, PersonalData, WebAccess, WebSettingsError};

/// Where results are delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryTarget {
    /// The name that profiles deliver to.
    pub name: String,
    /// In which order.
    pub order: DeliveryOrder,
    /// How they get there.
    pub kind: TargetKind,
}

/// In which order a target gets results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryOrder {
    /// The oldest first, and none before the one before it has arrived.
    #[default]
    Kept,
    /// One that fails lets others pass.
    Free,
}

/// How results get to a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetKind {
    /// Posted to a web address.
    Webhook(Box<WebhookTarget>),
    /// Written into a folder.
    Folder(FolderTarget),
    /// Published through the fleet's broker, encrypted to whoever takes them.
    Broker(BrokerTarget),
}

/// A folder that another program watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderTarget {
    /// Where.
    pub path: PathBuf,
    /// As what.
    pub format: FileFormat,
}

/// What is written into a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum FileFormat {
    /// A file each: the object.
    #[default]
    Json,
    /// A file each day, a line each.
    JsonLines,
    /// A file each: titles and a row.
    Csv,
    /// A file each: titles and a row.
    Xlsx,
    /// A file each.
    Xml,
}

/// A topic of the fleet's broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerTarget {
    /// Its last part, after the desk's own.
    pub topic: String,
    /// Where the public key lies of whoever takes the results.
    pub recipient_file: PathBuf,
    /// How long one attempt may take.
    pub within: Duration,
}

/// A web address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookTarget {
    /// Where.
    pub url: TargetUrl,
    /// Where the secrets lie that messages are signed with.
    pub secret_file: Option<PathBuf>,
    /// How it is reached.
    pub access: WebAccess,
    /// How long one attempt may take.
    pub within: Duration,
}

/// An address that results about people may be sent to: https, or http on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetUrl {
    text: String,
    loopback: bool,
}

/// Why a target cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetSettingsError {
    /// The name is none, or two have it.
    #[error("target {0:?}: a name of its own of 1 to 64 small letters, digits and hyphens is needed")]
    Name(String),
    /// Neither or both.
    #[error("target {0:?}: either url or folder or topic is needed, and nothing that is for another of them")]
    Kind(String),
    /// An address that would tell the network of people.
    #[error("target {0:?}: url: https://, or http:// on 127.0.0.1, [::1] or localhost")]
    Url(String),
    /// A message nobody can tell from a forged one.
    #[error(
        "target {0:?}: secret_file, oauth or certificate is needed for an address beyond this machine: whoever takes \
         results has to know whose they are"
    )]
    Secret(String),
    /// The server cannot be reached as the block says.
    #[error("target {name:?}: {fault}")]
    Web {
        /// The target.
        name: String,
        /// What is wrong.
        fault: WebSettingsError,
    },
    /// A topic that is none, or results that nobody could open.
    #[error("target {0:?}: topic: 1 to 64 small letters, digits and hyphens, and a recipient_file beside it")]
    Topic(String),
    /// The operator has not said that data about people may leave this way.
    #[error(
        "target {0:?}: topic: needs [fleet] with personal_data = true: results are about people, and leave encrypted to \
         recipient_file only"
    )]
    PersonalData(String),
    /// A time outside its range.
    #[error("target {0:?}: within_s: 1 to 300 is possible")]
    Within(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawTarget {
    name: String,
    url: Option<String>,
    folder: Option<PathBuf>,
    format: Option<FileFormat>,
    topic: Option<String>,
    recipient_file: Option<PathBuf>,
    secret_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    #[serde(default)]
    ca_only: bool,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    proxy: Option<String>,
    oauth: Option<RawOAuth>,
    within_s: Option<u64>,
    #[serde(default)]
    order: DeliveryOrder,
}

impl TargetUrl {
    /// Understands an address.
    pub fn parse(text: &str) -> Option<Self> {
        let (rest, secure) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (rest, true),
            (None, Some(rest)) => (rest, false),
            (None, None) => return None,
        };
        let authority = rest.split(['/', '?', '#']).next()?;
        let bad = |letter: char| letter.is_whitespace() || letter.is_control();
        if authority.is_empty() || authority.contains('@') || text.contains(bad) {
            return None;
        }
        let host = match authority.strip_prefix('[') {
            Some(rest) => rest.split_once(']')?.0,
            None => authority.split_once(':').map_or(authority, |(host, _)| host),
        };
        let loopback =
            host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        (secure || loopback).then(|| Self { text: text.to_owned(), loopback })
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is spoken to under TLS.
    pub fn is_https(&self) -> bool {
        self.text.starts_with("https://")
    }

    /// Whether it is on this machine.
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }
}

/// The targets as meant.
pub(crate) fn targets(
    raw: Vec<RawTarget>,
    fleet: Option<&FleetSettings>,
) -> Result<Vec<DeliveryTarget>, TargetSettingsError> {
    let mut targets: Vec<DeliveryTarget> = Vec::new();
    for raw in raw {
        let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let named = (1..=64).contains(&raw.name.len()) && raw.name.bytes().all(good);
        if !named || targets.iter().any(|known| known.name == raw.name) {
            return Err(TargetSettingsError::Name(raw.name));
        }
        let within = raw.within_s.unwrap_or(30);
        if !(1..=300).contains(&within) {
            return Err(TargetSettingsError::Within(raw.name));
        }
        let web = RawWeb {
            ca_file: raw.ca_file,
            ca_only: raw.ca_only,
            certificate: raw.certificate,
            key: raw.key,
            proxy: raw.proxy,
            oauth: raw.oauth,
        };
        let (topic, recipient_file) = (raw.topic, raw.recipient_file);
        let is_plain = raw.secret_file.is_none() && web.is_empty();
        let within = Duration::from_secs(within);
        let kind = match (raw.url, raw.folder, topic) {
            (Some(url), None, None) if recipient_file.is_none() && raw.format.is_none() => {
                let Some(url) = TargetUrl::parse(&url) else {
                    return Err(TargetSettingsError::Url(raw.name));
                };
                let access = match web.access(url.is_https()) {
                    Ok(access) => access,
                    Err(fault) => return Err(TargetSettingsError::Web { name: raw.name, fault }),
                };
                let is_known =
                    raw.secret_file.is_some() || access.oauth.is_some() || access.tls.client.is_some();
                if !is_known && !url.is_loopback() {
                    return Err(TargetSettingsError::Secret(raw.name));
                }
                let secret_file = raw.secret_file;
                TargetKind::Webhook(Box::new(WebhookTarget { url, secret_file, access, within }))
            }
            (None, Some(folder), None) if is_plain && raw.within_s.is_none() && recipient_file.is_none() => {
                let format = raw.format.unwrap_or_default();
                TargetKind::Folder(FolderTarget { path: folder, format })
            }
            (None, None, Some(topic)) if is_plain && raw.format.is_none() => {
                let Some(recipient_file) = recipient_file.filter(|_| is_level(&topic)) else {
                    return Err(TargetSettingsError::Topic(raw.name));
                };
                if fleet.is_none_or(|fleet| fleet.personal_data == PersonalData::Never) {
                    return Err(TargetSettingsError::PersonalData(raw.name));
                }
                TargetKind::Broker(BrokerTarget { topic, recipient_file, within })
            }
            _ => return Err(TargetSettingsError::Kind(raw.name)),
        };
        targets.push(DeliveryTarget { name: raw.name, order: raw.order, kind });
    }
    Ok(targets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<DeliveryTarget>, TargetSettingsError> {
        #[derive(Deserialize)]
        struct All {
            target: Vec<RawTarget>,
        }
        targets(toml::from_str::<All>(text).unwrap().target, None)
    }

    #[test]
    fn people_are_told_to_nobody_on_the_way() {
        for (url, taken) in [
            ("https://his.example.vn/cards", true),
            ("http://127.0.0.1:8050/", true),
            ("http://[::1]:8050/", true),
            ("http://localhost/cards", true),
            ("http://his.example.vn/cards", false),
            ("http://127.0.0.1.example.vn/", false),
            ("http://localhost@example.vn/", false),
            ("ftp://127.0.0.1/", false),
            ("https://", false),
            ("https://a b/", false),
        ] {
            assert_eq!(TargetUrl::parse(url).is_some(), taken, "{url}");
        }
    }

    #[test]
    fn mistakes_name_their_target() {
        for (text, told) in [
            ("name = 'His'\nfolder = 'x'", "a name of its own"),
            ("name = 'his'", "either url or folder"),
            ("name = 'his'\nurl = 'https://a/'\nfolder = 'x'", "either url or folder"),
            ("name = 'his'\nurl = 'http://a/'", "https://"),
            ("name = 'his'\nurl = 'https://a/'", "secret_file"),
            ("name = 'his'\nurl = 'http://[::1]/'\nwithin_s = 0", "within_s"),
            ("name = 'his'\nurl = 'https://a/'\ncertificate = 'x'", "certificate and key"),
            ("name = 'his'\nurl = 'https://a/'\nsecret_file = 'x'\nca_only = true", "ca_only"),
            ("name = 'his'\nurl = 'http://[::1]/'\nca_file = 'x'", "for TLS only"),
            ("name = 'his'\nurl = 'https://a/'\nsecret_file = 'x'\nproxy = 'socks://p'", "proxy"),
            ("name = 'his'\nfolder = 'x'\nca_file = 'x'", "either url or folder"),
            ("name = 'his'\ntopic = 'a/b'\nrecipient_file = 'x'", "topic: 1 to 64"),
            ("name = 'his'\ntopic = 'his'", "recipient_file"),
            ("name = 'his'\ntopic = 'his'\nrecipient_file = 'x'", "personal_data = true"),
            (
                "name = 'his'\nurl = 'https://a/'\noauth = {token_url = 'http://a/', client = 'c', secret_file = 'x'}",
                "oauth.token_url",
            ),
            (
                "name = 'his'\nurl = 'https://a/'\noauth = {token_url = 'https://a/', client = '', secret_file = 'x'}",
                "oauth.client",
            ),
            ("name = 'his'\nfolder = 'x'\n[[target]]\nname = 'his'\nfolder = 'y'", "a name of its own"),
        ] {
            let message = parse(&format!("[[target]]\n{text}")).unwrap_err().to_string();
            assert!(message.contains(told), "{message}");
        }
        let good = parse("[[target]]\nname = 'jth'\nurl = 'http://127.0.0.1:8050/'\norder = 'free'").unwrap();
        assert_eq!((good[0].name.as_str(), good[0].order), ("jth", DeliveryOrder::Free));
    }
}
