//! How another system is reached over the network: whose word on its certificate is taken, what this machine shows of
//! itself, and through which proxy. Shared by `[[target]]`, `[mqtt]` and `[served]`.

use std::path::PathBuf;

use serde::Deserialize;

use crate::{ClientCertificate, FetchRoots, FetchUrl, TargetUrl};

/// TLS to one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerTls {
    /// Whose word on the server's certificate is taken.
    pub roots: FetchRoots,
    /// This machine's certificate and key, where the server asks for one.
    pub client: Option<ClientCertificate>,
}

/// How a web address is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebAccess {
    /// Its certificate and ours.
    pub tls: PeerTls,
    /// The proxy everything but loopback goes through; without one, what the environment names.
    pub proxy: Option<FetchUrl>,
    /// Where a token comes from that it is to be shown.
    pub oauth: Option<OAuthClient>,
}

/// Client credentials (RFC 6749, 4.4): how platforms such as an LGSP let systems in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuthClient {
    /// The token endpoint.
    pub token_url: TargetUrl,
    /// Who asks.
    pub client: String,
    /// Where the client's secret lies.
    pub secret_file: PathBuf,
    /// What is asked for; empty: what the platform gives of itself.
    pub scope: String,
}

/// Why a server cannot be reached as the settings say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebSettingsError {
    /// Half of a certificate.
    #[error("certificate and key: one without the other is of no use")]
    HalfACertificate,
    /// Nobody would be believed.
    #[error("ca_only: needs ca_file")]
    NobodyBelieved,
    /// Settings of TLS without TLS.
    #[error("ca_file and certificate are for TLS only")]
    WithoutTls,
    /// A proxy that is none.
    #[error("proxy: http:// or https://, a host, no password")]
    Proxy,
    /// A token endpoint that would tell the network the client's secret.
    #[error("oauth.token_url: https://, or http:// on this machine")]
    TokenUrl,
    /// A client or scope that no request can carry.
    #[error("oauth.client and oauth.scope: printable ASCII, at most 256 characters, the client not empty")]
    OAuthName,
}

impl PeerTls {
    /// The machine's own authorities, and no certificate of ours.
    pub fn usual() -> Self {
        Self { roots: FetchRoots::Machine, client: None }
    }
}

impl WebAccess {
    /// Nothing but what every machine has.
    pub fn usual() -> Self {
        Self { tls: PeerTls::usual(), proxy: None, oauth: None }
    }
}

/// What a block says of it.
#[derive(Default)]
pub(crate) struct RawWeb {
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) ca_only: bool,
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
    pub(crate) proxy: Option<String>,
    pub(crate) oauth: Option<RawOAuth>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawOAuth {
    token_url: String,
    client: String,
    secret_file: PathBuf,
    #[serde(default)]
    scope: String,
}

impl RawWeb {
    /// Whether nothing is said.
    pub(crate) fn is_empty(&self) -> bool {
        let Self { ca_file, ca_only, certificate, key, proxy, oauth } = self;
        !ca_only
            && ca_file.is_none()
            && certificate.is_none()
            && key.is_none()
            && proxy.is_none()
            && oauth.is_none()
    }

    /// As meant, for a server that is spoken to under TLS or is not.
    pub(crate) fn access(self, is_tls: bool) -> Result<WebAccess, WebSettingsError> {
        let Self { ca_file, ca_only, certificate, key, proxy, oauth } = self;
        let client = match (certificate, key) {
            (Some(certificate_file), Some(key_file)) => {
                Some(ClientCertificate { certificate_file, key_file })
            }
            (None, None) => None,
            _ => return Err(WebSettingsError::HalfACertificate),
        };
        let roots = match (ca_file, ca_only) {
            (None, true) => return Err(WebSettingsError::NobodyBelieved),
            (None, false) => FetchRoots::Machine,
            (Some(file), false) => FetchRoots::MachineAnd(file),
            (Some(file), true) => FetchRoots::Only(file),
        };
        let oauth = oauth.map(OAuthClient::try_from).transpose()?;
        let token_is_tls = oauth.as_ref().is_some_and(|oauth| oauth.token_url.is_https());
        if !is_tls && !token_is_tls && (client.is_some() || roots != FetchRoots::Machine) {
            return Err(WebSettingsError::WithoutTls);
        }
        let proxy = proxy.map(|proxy| FetchUrl::parse(&proxy).map_err(|_| WebSettingsError::Proxy));
        Ok(WebAccess { tls: PeerTls { roots, client }, proxy: proxy.transpose()?, oauth })
    }
}

impl TryFrom<RawOAuth> for OAuthClient {
    type Error = WebSettingsError;

    fn try_from(raw: RawOAuth) -> Result<Self, WebSettingsError> {
        let RawOAuth { token_url, client, secret_file, scope } = raw;
        let token_url = TargetUrl::parse(&token_url).ok_or(WebSettingsError::TokenUrl)?;
        let plain = |text: &str| text.len() <= 256 && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if client.is_empty() || !plain(&client) || !plain(&scope) {
            return Err(WebSettingsError::OAuthName);
        }
        Ok(Self { token_url, client, secret_file, scope })
    }
}
