//! What is fetched from an address of the settings: bounded, and believed in nothing.

use std::time::Duration;

use cccd_profiles::{TargetUrl, WebAccess};
use reqwest::header::AUTHORIZATION;
use reqwest::{Client, StatusCode};

use crate::oauth::Tokens;
use crate::web_client::{WebClient, bounded};
use crate::{NotATarget, TargetFiles};

/// An address something is fetched from.
pub struct WebSource {
    url: String,
    tokens: Option<Tokens>,
    client: Client,
}

/// Why nothing came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotFetched {
    /// Nobody answers, in time or under a certificate that is believed.
    #[error("the server cannot be reached")]
    Unreachable,
    /// No token for it.
    #[error("no token can be had for the server")]
    Token,
    /// Another answer than success.
    #[error("the server answered {0}")]
    Status(u16),
    /// Longer than it may be, or cut off.
    #[error("the answer did not come whole, or is too long")]
    Body,
}

impl WebSource {
    /// Of an address, how it is reached, and what lies in the files that says.
    pub fn new(
        url: &TargetUrl,
        access: &WebAccess,
        within: Duration,
        files: &TargetFiles,
    ) -> Result<Self, NotATarget> {
        let oauth = access.oauth.as_ref();
        let tokens = oauth
            .map(|oauth| {
                let secret = files.oauth_secret.as_ref().map_or("", |text| text.as_str());
                Tokens::new(oauth, secret).ok_or(NotATarget::OAuthSecret)
            })
            .transpose()?;
        let client = WebClient {
            tls: &access.tls,
            proxy: access.proxy.as_ref(),
            within,
            is_loopback: url.is_loopback() && oauth.is_none_or(|oauth| oauth.token_url.is_loopback()),
            is_tls: url.is_https() || oauth.is_some_and(|oauth| oauth.token_url.is_https()),
        };
        Ok(Self { url: url.as_str().to_owned(), tokens, client: client.build(files)? })
    }

    /// Fetches at most so many bytes.
    pub async fn fetch(&self, most: usize) -> Result<Vec<u8>, NotFetched> {
        let mut request = self.client.get(&self.url);
        if let Some(tokens) = &self.tokens {
            let bearer = tokens.bearer(&self.client).await.map_err(|_| NotFetched::Token)?;
            request = request.header(AUTHORIZATION, &bearer);
            let response = request.send().await.map_err(|_| NotFetched::Unreachable)?;
            if response.status() == StatusCode::UNAUTHORIZED {
                tokens.forget(&bearer).await;
            }
            return body(response, most).await;
        }
        body(request.send().await.map_err(|_| NotFetched::Unreachable)?, most).await
    }
}

async fn body(response: reqwest::Response, most: usize) -> Result<Vec<u8>, NotFetched> {
    match response.status() {
        StatusCode::OK => bounded(response, most).await.ok_or(NotFetched::Body),
        status => Err(NotFetched::Status(status.as_u16())),
    }
}
