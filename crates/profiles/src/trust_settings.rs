//! `[trust]` of `config/agent.toml`: the trust store of one desk.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

/// The trust store of one desk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustSettings {
    /// Where it lies.
    pub directory: PathBuf,
    /// Certificates that may sign master lists, by the SHA-256 of their bytes: the list signer itself, or the
    /// CSCA above it.
    pub list_signers: Vec<[u8; 32]>,
    /// How long before something ends the operator is told.
    pub warn_before: Duration,
    /// How old a CRL may be and still count. ICAO 9303-12, 5 has authorities issue one every 90 days.
    pub crl_max_age: Duration,
    /// Whether and what `cccd-agent trust update` fetches.
    pub fetch: FetchSettings,
}

/// Whether and what is fetched from the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchSettings {
    /// Whether anything is fetched at all.
    pub allowed: bool,
    /// CRLs.
    pub crl_urls: Vec<FetchUrl>,
    /// Master lists.
    pub list_urls: Vec<FetchUrl>,
    /// How long one may take.
    pub within: Duration,
    /// How large one may be, in bytes.
    pub max_bytes: u64,
    /// Whose word on a server's certificate is taken.
    pub roots: FetchRoots,
    /// The proxy everything but loopback goes through; without one, what the environment names.
    pub proxy: Option<FetchUrl>,
}

/// Whose word on a server's certificate is taken. That says who the server is, and nothing about what it sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchRoots {
    /// The machine's own authorities.
    Machine,
    /// Those, and the ones in this PEM file.
    MachineAnd(PathBuf),
    /// The ones in this PEM file alone.
    Only(PathBuf),
}

/// An address something may be fetched from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchUrl(String);

impl FetchUrl {
    /// Takes an address of `http` or `https` with a host and without a name or password. That it is one in
    /// every other respect, whoever fetches from it finds out.
    pub fn parse(text: &str) -> Result<Self, TrustSettingsError> {
        let refused = || TrustSettingsError::Url(text.to_owned());
        let rest =
            text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or_else(refused)?;
        let host = rest.split(['/', '?']).next().unwrap_or_default();
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        if host.is_empty() || host.contains('@') || !plain || text.contains('#') || text.len() > 2048 {
            return Err(refused());
        }
        Ok(Self(text.to_owned()))
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why the `[trust]` section cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustSettingsError {
    /// The store would lie nowhere.
    #[error("trust.directory is empty")]
    NoDirectory,
    /// A list signer that is no fingerprint.
    #[error("trust.list_signers: {0:?} is no SHA-256 fingerprint: 64 hexadecimal digits, colons allowed")]
    ListSigner(String),
    /// An address that is none.
    #[error(
        "trust: {0:?} is no address to fetch from: http:// or https://, a host, no password, no fragment"
    )]
    Url(String),
    /// A proxy that is none.
    #[error("trust.fetch_proxy: {0:?} is no proxy: http://, a host and a port, nothing after it")]
    Proxy(String),
    /// Only the authorities of no file.
    #[error("trust.fetch_ca_only: trust.fetch_ca_file names no file")]
    NoCaFile,
    /// A number outside its range.
    #[error("trust.{key} = {value}: {least} to {most} is possible")]
    OutOfRange {
        /// Which.
        key: &'static str,
        /// As written.
        value: u64,
        /// Smallest.
        least: u64,
        /// Largest.
        most: u64,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawTrust {
    directory: PathBuf,
    list_signers: Vec<String>,
    warn_before_days: u64,
    crl_max_age_days: u64,
    allow_fetch: bool,
    crl_urls: Vec<String>,
    list_urls: Vec<String>,
    fetch_within_s: u64,
    fetch_max_mb: u64,
    fetch_ca_file: Option<PathBuf>,
    fetch_ca_only: bool,
    fetch_proxy: Option<String>,
}

impl Default for RawTrust {
    fn default() -> Self {
        let directory =
            if cfg!(windows) { r"C:\ProgramData\cccd-agent\trust" } else { "/var/lib/cccd-agent/trust" };
        Self {
            directory: directory.into(),
            list_signers: Vec::new(),
            warn_before_days: 90,
            crl_max_age_days: 90,
            allow_fetch: false,
            crl_urls: Vec::new(),
            list_urls: Vec::new(),
            fetch_within_s: 30,
            fetch_max_mb: 32,
            fetch_ca_file: None,
            fetch_ca_only: false,
            fetch_proxy: None,
        }
    }
}

impl TryFrom<RawTrust> for TrustSettings {
    type Error = TrustSettingsError;

    fn try_from(raw: RawTrust) -> Result<Self, TrustSettingsError> {
        let within = |key, value, least, most| {
            if (least..=most).contains(&value) {
                Ok(value)
            } else {
                Err(TrustSettingsError::OutOfRange { key, value, least, most })
            }
        };
        let days =
            |key, value| within(key, value, 1, 3660).map(|days| Duration::from_secs(days * 24 * 60 * 60));
        if raw.directory.as_os_str().is_empty() {
            return Err(TrustSettingsError::NoDirectory);
        }
        let urls = |urls: Vec<String>| urls.iter().map(|url| FetchUrl::parse(url)).collect::<Result<_, _>>();
        Ok(Self {
            directory: raw.directory,
            list_signers: raw.list_signers.into_iter().map(list_signer).collect::<Result<_, _>>()?,
            warn_before: days("warn_before_days", raw.warn_before_days)?,
            crl_max_age: days("crl_max_age_days", raw.crl_max_age_days)?,
            fetch: FetchSettings {
                allowed: raw.allow_fetch,
                crl_urls: urls(raw.crl_urls)?,
                list_urls: urls(raw.list_urls)?,
                within: Duration::from_secs(within("fetch_within_s", raw.fetch_within_s, 1, 600)?),
                max_bytes: within("fetch_max_mb", raw.fetch_max_mb, 1, 128)? * 1024 * 1024,
                roots: match (raw.fetch_ca_file, raw.fetch_ca_only) {
                    (Some(file), false) => FetchRoots::MachineAnd(file),
                    (Some(file), true) => FetchRoots::Only(file),
                    (None, false) => FetchRoots::Machine,
                    (None, true) => return Err(TrustSettingsError::NoCaFile),
                },
                proxy: raw.fetch_proxy.map(proxy).transpose()?,
            },
        })
    }
}

fn proxy(text: String) -> Result<FetchUrl, TrustSettingsError> {
    let place = text.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
    match (FetchUrl::parse(&text), place) {
        (Ok(url), Some(place)) if !place.contains(['/', '?']) => Ok(url),
        _ => Err(TrustSettingsError::Proxy(text)),
    }
}

fn list_signer(text: String) -> Result<[u8; 32], TrustSettingsError> {
    let mut digest = [0; 32];
    let digits: String = text.chars().filter(|char| *char != ':').collect();
    match hex::decode_to_slice(digits, &mut digest) {
        Ok(()) => Ok(digest),
        Err(_) => Err(TrustSettingsError::ListSigner(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_can_be_fetched_from_are_taken() {
        for good in ["http://ca.example.vn/x.crl", "https://lists.example:8443/a?b=c", "http://127.0.0.1:80"]
        {
            assert_eq!(FetchUrl::parse(good).map(|url| url.0), Ok(good.to_owned()));
        }
        for bad in [
            "",
            "ftp://a/b",
            "file:///etc",
            "http://",
            "http:///x",
            "https://u:p@host/",
            "http://a b/",
            "http://a/#x",
        ] {
            assert_eq!(FetchUrl::parse(bad), Err(TrustSettingsError::Url(bad.to_owned())), "{bad}");
        }
    }

    #[test]
    fn a_proxy_is_a_host_and_nothing_more() {
        for good in ["http://proxy.example.vn:3128", "http://10.0.0.1:8080/", "http://[::1]:3128"] {
            assert_eq!(proxy(good.to_owned()).map(|url| url.0), Ok(good.to_owned()));
        }
        for bad in ["proxy:3128", "https://proxy:3128", "socks5://p:1", "http://u:p@proxy:1", "http://p:1/x"]
        {
            assert_eq!(proxy(bad.to_owned()), Err(TrustSettingsError::Proxy(bad.to_owned())), "{bad}");
        }
    }

    #[test]
    fn authorities_come_from_the_machine_a_file_or_both() {
        let roots = |text: &str| {
            let raw: RawTrust = toml::from_str(text).unwrap();
            TrustSettings::try_from(raw).map(|settings| settings.fetch.roots)
        };
        assert_eq!(roots(""), Ok(FetchRoots::Machine));
        assert_eq!(roots("fetch_ca_file = 'a.pem'"), Ok(FetchRoots::MachineAnd("a.pem".into())));
        let only = "fetch_ca_file = 'a.pem'\nfetch_ca_only = true";
        assert_eq!(roots(only), Ok(FetchRoots::Only("a.pem".into())));
        assert_eq!(roots("fetch_ca_only = true"), Err(TrustSettingsError::NoCaFile));
    }

    #[test]
    fn a_list_signer_is_a_fingerprint() {
        let digits = "AB".repeat(32);
        assert_eq!(list_signer(digits.clone()), Ok([0xAB; 32]));
        assert_eq!(list_signer(vec!["ab"; 32].join(":")), Ok([0xAB; 32]));
        for bad in ["", "ab", &digits[2..], &"zz".repeat(32)] {
            assert_eq!(list_signer(bad.to_owned()), Err(TrustSettingsError::ListSigner(bad.to_owned())));
        }
    }
}
