//! `[served]` of `config/agent.toml`: settings that many desks have in common, from a web address; and how they and a
//! desk's own become one.

use std::path::PathBuf;
use std::time::Duration;

use cccd_jose::PublicKey;
use serde::Deserialize;
use toml::{Table, Value};

use crate::web_settings::{RawOAuth, RawWeb};
use crate::{TargetUrl, WebAccess, WebSettingsError};

/// Sections that may be served, and what of them may not: where things lie on a desk is its own matter.
const SERVABLE: [(&str, &[&str]); 6] = [
    ("readings", &[]),
    ("readers", &[]),
    ("scans", &[]),
    ("trust", &["directory", "fetch_ca_file"]),
    ("profiles", &["directory"]),
    ("target", &[]),
];
/// The longest text of settings.
const LONGEST: usize = 256 << 10;

/// Where settings come from that many desks have in common.
#[derive(Clone)]
pub struct ServedSettings {
    /// Where they are fetched.
    pub url: TargetUrl,
    /// Keys of whoever may sign them: the one in use, and the next one while they change.
    pub keys: Vec<PublicKey>,
    /// Where those that were taken are kept.
    pub folder: PathBuf,
    /// How often they are looked for.
    pub every: Duration,
    /// How long one look may take.
    pub within: Duration,
    /// How the address is reached.
    pub access: WebAccess,
}

impl std::fmt::Debug for ServedSettings {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("ServedSettings")
            .field("url", &self.url)
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

/// Why the `[served]` section cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServedSettingsError {
    /// No address, or one where anybody on the way could read along.
    #[error("served.url = {0:?}: https://, or http:// on this machine")]
    Url(String),
    /// No key, too many, or one that is none.
    #[error("served.keys: one to four public keys on Ed25519 or P-256, PEM or JSON Web Key")]
    Keys,
    /// A time outside its range.
    #[error("served.every_s: 30 to 86400 is possible; served.within_s: 1 to 300")]
    Time,
    /// The address cannot be reached as the section says.
    #[error("served: {0}")]
    Web(#[from] WebSettingsError),
}

/// Why served settings cannot be those of this desk.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// One of the two is no TOML.
    #[error(transparent)]
    Text(#[from] toml::de::Error),
    /// Longer than settings are.
    #[error("more than {LONGEST} bytes")]
    TooLong,
    /// A section or key that is a desk's own.
    #[error("{0} is a desk's own and cannot be served")]
    OwnMatter(String),
    /// A section of another form than it has.
    #[error("{0} has another form")]
    Form(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawServed {
    url: String,
    keys: Vec<String>,
    #[serde(default = "usual_folder")]
    folder: PathBuf,
    #[serde(default = "usual_every")]
    every_s: u64,
    #[serde(default = "usual_within")]
    within_s: u64,
    ca_file: Option<PathBuf>,
    #[serde(default)]
    ca_only: bool,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    proxy: Option<String>,
    oauth: Option<RawOAuth>,
}

fn usual_folder() -> PathBuf {
    let folder =
        if cfg!(windows) { r"C:\ProgramData\cccd-agent\served" } else { "/var/lib/cccd-agent/served" };
    folder.into()
}

fn usual_every() -> u64 {
    900
}

fn usual_within() -> u64 {
    20
}

impl TryFrom<RawServed> for ServedSettings {
    type Error = ServedSettingsError;

    fn try_from(raw: RawServed) -> Result<Self, ServedSettingsError> {
        let Some(url) = TargetUrl::parse(&raw.url) else { return Err(ServedSettingsError::Url(raw.url)) };
        let keys: Vec<_> = raw.keys.iter().filter_map(|key| PublicKey::parse(key).ok()).collect();
        if keys.len() != raw.keys.len() || !(1..=4).contains(&keys.len()) {
            return Err(ServedSettingsError::Keys);
        }
        if !(30..=86_400).contains(&raw.every_s) || !(1..=300).contains(&raw.within_s) {
            return Err(ServedSettingsError::Time);
        }
        let web = RawWeb {
            ca_file: raw.ca_file,
            ca_only: raw.ca_only,
            certificate: raw.certificate,
            key: raw.key,
            proxy: raw.proxy,
            oauth: raw.oauth,
        };
        let access = web.access(url.is_https())?;
        let (every, within) = (Duration::from_secs(raw.every_s), Duration::from_secs(raw.within_s));
        Ok(Self { url, keys, folder: raw.folder, every, within, access })
    }
}

/// Puts served settings beneath a desk's own: what the desk says itself counts, key by key, and a target of its own counts
/// instead of a served one of the same name.
pub(crate) fn merged(own: &str, served: &str) -> Result<Table, MergeError> {
    if served.len() > LONGEST {
        return Err(MergeError::TooLong);
    }
    let mut whole: Table = own.parse()?;
    let served: Table = served.parse()?;
    for (section, value) in served {
        let Some((_, own_matters)) = SERVABLE.iter().find(|(name, _)| *name == section) else {
            return Err(MergeError::OwnMatter(section));
        };
        match (value, section.as_str()) {
            (Value::Array(targets), "target") => add_targets(&mut whole, targets)?,
            (Value::Table(keys), name) if name != "target" => {
                if let Some(key) = keys.keys().find(|key| own_matters.contains(&key.as_str())) {
                    return Err(MergeError::OwnMatter(format!("{section}.{key}")));
                }
                let own = whole.entry(section.clone()).or_insert_with(|| Value::Table(Table::new()));
                let Value::Table(own) = own else { return Err(MergeError::Form(section)) };
                for (key, value) in keys {
                    own.entry(key).or_insert(value);
                }
            }
            _ => return Err(MergeError::Form(section)),
        }
    }
    Ok(whole)
}

fn add_targets(whole: &mut Table, served: Vec<Value>) -> Result<(), MergeError> {
    let form = || MergeError::Form("target".to_owned());
    let own = whole.entry("target").or_insert_with(|| Value::Array(Vec::new()));
    let own = own.as_array_mut().ok_or_else(form)?;
    let names: Vec<Option<Value>> = own.iter().map(|target| target.get("name").cloned()).collect();
    own.extend(served.into_iter().filter(|target| !names.contains(&target.get("name").cloned())));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AgentSettings;

    const OWN: &str = "[api]\nlisten = '127.0.0.1:9304'\n[readings]\nread_within_s = 41\n\
                       [[target]]\nname = 'his'\nfolder = '/srv/own'\n";

    #[test]
    fn a_desks_own_settings_count_first() {
        let served = "[readings]\nread_within_s = 42\nqueue = 4\n\
                      [[target]]\nname = 'his'\nfolder = '/srv/served'\n[[target]]\nname = 'lgsp'\nfolder = '/srv/lgsp'\n";
        let settings = AgentSettings::parse_with_served(OWN, served).unwrap();
        assert_eq!(settings.readings.read_within, Duration::from_secs(41));
        assert_eq!((settings.readings.queue, settings.api.listen.port()), (4, 9304));
        let names: Vec<_> = settings.targets.iter().map(|target| target.name.as_str()).collect();
        assert_eq!(names, ["his", "lgsp"]);
        assert!(format!("{:?}", settings.targets[0].kind).contains("/srv/own"));
    }

    #[test]
    fn what_is_a_desks_own_cannot_be_served() {
        for (served, told) in [
            ("[[caller]]\nname = 'x'", "caller is a desk's own"),
            ("[api]\nlisten = '127.0.0.1:1'", "api is a desk's own"),
            ("[served]\nurl = 'https://a/'", "served is a desk's own"),
            ("[terminal]\nkey_file = 'x'", "terminal is a desk's own"),
            ("[trust]\ndirectory = 'x'", "trust.directory is a desk's own"),
            ("target = 1", "target has another form"),
            ("scans = []", "scans has another form"),
            ("[log]\nlevel = 'warn'", "log is a desk's own"),
            ("[scans", "TOML"),
            ("[scans]\nloud = true", "unknown field"),
            ("[readings]\nqueue = 0", "queue"),
        ] {
            let message = AgentSettings::parse_with_served(OWN, served).unwrap_err().to_string();
            assert!(message.contains(told), "{message}");
        }
        let long = format!("# {}", "x".repeat(LONGEST));
        assert!(AgentSettings::parse_with_served(OWN, &long).is_err());
    }

    #[test]
    fn mistakes_name_their_key() {
        let key = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        let parse = |text: &str| -> Result<ServedSettings, ServedSettingsError> {
            toml::from_str::<RawServed>(text).unwrap().try_into()
        };
        let good = format!("url = 'https://fleet.example.vn/settings.jws'\nkeys = ['{key}']\n");
        assert_eq!(parse(&good).unwrap().every, Duration::from_secs(900));
        for (text, told) in [
            (good.replace("https", "http"), "served.url"),
            (good.replace("11q", "!"), "served.keys"),
            ("url = 'https://a/'\nkeys = []".to_owned(), "served.keys"),
            (format!("{good}every_s = 1"), "served.every_s"),
            (format!("{good}ca_only = true"), "ca_only"),
        ] {
            let message = parse(&text).unwrap_err().to_string();
            assert!(message.contains(told), "{message}");
        }
    }
}
