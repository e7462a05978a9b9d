//! An HTTP client for one address of the settings.

use std::time::Duration;

use cccd_profiles::{FetchRoots, FetchUrl, PeerTls};
use reqwest::{Certificate, Client, Identity, NoProxy, Proxy, redirect};

use crate::{NotATarget, TargetFiles};

/// How long a connection may take at most, however long the whole attempt may.
const LONGEST_CONNECT: Duration = Duration::from_secs(10);

/// What every request to the address has in common.
pub(crate) struct WebClient<'a> {
    /// How it is known, and we to it.
    pub(crate) tls: &'a PeerTls,
    pub(crate) proxy: Option<&'a FetchUrl>,
    pub(crate) within: Duration,
    /// Whether every address it is used for is on this machine.
    pub(crate) is_loopback: bool,
    /// Whether any address it is used for is spoken to under TLS.
    pub(crate) is_tls: bool,
}

impl WebClient<'_> {
    pub(crate) fn build(&self, files: &TargetFiles) -> Result<Client, NotATarget> {
        let mut client = Client::builder()
            .timeout(self.within)
            .connect_timeout(self.within.min(LONGEST_CONNECT))
            // Whoever answers elsewhere is not whom the operator named.
            .redirect(redirect::Policy::none())
            .referer(false)
            .user_agent(concat!("cccd-agent/", env!("CARGO_PKG_VERSION")));
        client = match self.proxy {
            _ if self.is_loopback => client.no_proxy(),
            Some(proxy) => {
                let near = NoProxy::from_string("localhost,127.0.0.0/8,::1");
                client.proxy(Proxy::all(proxy.as_str()).map_err(NotATarget::Client)?.no_proxy(near))
            }
            None => client,
        };
        if let Some(pem) = &files.identity {
            client = client.identity(Identity::from_pem(pem).map_err(|_| NotATarget::Identity)?);
        }
        client = match self.tls.roots {
            // A machine without any authority can do without them where nothing is protected.
            FetchRoots::Machine if !self.is_tls => client.tls_certs_only([]),
            FetchRoots::Machine => client,
            FetchRoots::MachineAnd(_) => client.tls_certs_merge(authorities(files)?),
            FetchRoots::Only(_) => client.tls_certs_only(authorities(files)?),
        };
        client.build().map_err(NotATarget::Client)
    }
}

fn authorities(files: &TargetFiles) -> Result<Vec<Certificate>, NotATarget> {
    let pem = files.authorities.as_deref().unwrap_or_default();
    match Certificate::from_pem_bundle(pem) {
        Ok(authorities) if !authorities.is_empty() => Ok(authorities),
        _ => Err(NotATarget::Authorities),
    }
}

/// What of an answer is worth reading; the rest is left and the connection closed.
pub(crate) async fn bounded(mut response: reqwest::Response, most: usize) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if body.len() + chunk.len() > most {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body)
}
