//! A message to a web address.

use cccd_profiles::WebhookTarget;
use cccd_store::{DueMessage, Failure};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Client, StatusCode};
use time::OffsetDateTime;

use crate::oauth::Tokens;
use crate::web_client::WebClient;
use crate::{NotATarget, TargetFiles, WebhookSecrets};

/// A web address, and how messages get there.
pub(crate) struct Webhook {
    url: String,
    secrets: Option<WebhookSecrets>,
    tokens: Option<Tokens>,
    client: Client,
}

impl Webhook {
    /// A target of the settings. Without a secret messages are not signed; the settings see to it that who sends them
    /// is known another way, or that they stay on this machine.
    pub(crate) fn new(target: &WebhookTarget, files: &TargetFiles) -> Result<Self, NotATarget> {
        let secrets = files.secrets.as_ref().map(|text| WebhookSecrets::parse(text)).transpose()?;
        let oauth = target.access.oauth.as_ref();
        let tokens = oauth
            .map(|oauth| {
                let secret = files.oauth_secret.as_ref().map_or("", |text| text.as_str());
                Tokens::new(oauth, secret).ok_or(NotATarget::OAuthSecret)
            })
            .transpose()?;
        let client = WebClient {
            tls: &target.access.tls,
            proxy: target.access.proxy.as_ref(),
            within: target.within,
            is_loopback: target.url.is_loopback() && oauth.is_none_or(|oauth| oauth.token_url.is_loopback()),
            is_tls: target.url.is_https() || oauth.is_some_and(|oauth| oauth.token_url.is_https()),
        };
        Ok(Self { url: target.url.as_str().to_owned(), secrets, tokens, client: client.build(files)? })
    }

    /// Tries once; a second time where the receiver takes the token no more that it was shown.
    pub(crate) async fn deliver(&self, message: &DueMessage, now: OffsetDateTime) -> Result<(), Failure> {
        let Some(tokens) = &self.tokens else {
            return of_status(self.post(message, now, None).await?);
        };
        let bearer = tokens.bearer(&self.client).await?;
        let status = self.post(message, now, Some(&bearer)).await?;
        if status != StatusCode::UNAUTHORIZED {
            return of_status(status);
        }
        tokens.forget(&bearer).await;
        let bearer = tokens.bearer(&self.client).await?;
        let status = self.post(message, now, Some(&bearer)).await?;
        if status == StatusCode::UNAUTHORIZED {
            // Not kept for the next attempt either.
            tokens.forget(&bearer).await;
        }
        of_status(status)
    }

    async fn post(
        &self,
        message: &DueMessage,
        now: OffsetDateTime,
        bearer: Option<&HeaderValue>,
    ) -> Result<StatusCode, Failure> {
        let seconds = now.unix_timestamp();
        let mut request = self
            .client
            .post(&self.url)
            .header("content-type", &message.content_type)
            .header("webhook-id", &message.key)
            .header("webhook-timestamp", seconds.to_string());
        if let Some(secrets) = &self.secrets {
            request = request.header("webhook-signature", secrets.sign(&message.key, seconds, &message.body));
        }
        if let Some(bearer) = bearer {
            request = request.header(AUTHORIZATION, bearer);
        }
        // What the receiver says beside its status is of no use here, and is not read.
        match request.body(message.body.to_vec()).send().await {
            Ok(response) => Ok(response.status()),
            Err(error) if error.is_timeout() => Err(Failure::Passing("timeout")),
            Err(error) if error.is_connect() => Err(Failure::Passing("connect")),
            Err(_) => Err(Failure::Passing("connection-lost")),
        }
    }
}

/// What an answer comes to. The receiver's refusal of this very message is for ever; everything else may pass: a wrong
/// key or address is put right by an operator, and nothing is lost meanwhile.
fn of_status(status: StatusCode) -> Result<(), Failure> {
    match status.as_u16() {
        200..=299 => Ok(()),
        300..=399 => Err(Failure::Passing("points-elsewhere")),
        400 | 405 | 406 | 413 | 414 | 415 | 422 => Err(Failure::Lasting("refused-by-receiver")),
        410 => Err(Failure::Lasting("gone")),
        401 | 403 => Err(Failure::Passing("not-authorised")),
        404 => Err(Failure::Passing("not-found")),
        429 => Err(Failure::Passing("too-many")),
        500..=599 => Err(Failure::Passing("receiver-fault")),
        _ => Err(Failure::Passing("strange-answer")),
    }
}

#[cfg(test)]
mod tests;
