//! A message to a web address.

use std::time::Duration;

use cccd_profiles::WebhookTarget;
use cccd_store::{DueMessage, Failure};
use reqwest::{Client, StatusCode, redirect};
use time::OffsetDateTime;

use crate::{NotATarget, WebhookSecret};

/// A web address, and how messages get there.
pub(crate) struct Webhook {
    url: String,
    secret: Option<WebhookSecret>,
    client: Client,
}

impl Webhook {
    /// A target of the settings. Without a secret messages are not signed, which the settings allow on this machine
    /// alone.
    pub(crate) fn new(target: &WebhookTarget, secret: Option<WebhookSecret>) -> Result<Self, NotATarget> {
        let mut client = Client::builder()
            .timeout(target.within)
            .connect_timeout(target.within.min(Duration::from_secs(10)))
            // Whoever answers elsewhere is not whom the operator named.
            .redirect(redirect::Policy::none())
            .user_agent(concat!("cccd-agent/", env!("CARGO_PKG_VERSION")));
        if target.url.is_loopback() {
            client = client.no_proxy();
        }
        let client = client.build().map_err(NotATarget::Client)?;
        Ok(Self { url: target.url.as_str().to_owned(), secret, client })
    }

    /// Tries once.
    pub(crate) async fn deliver(&self, message: &DueMessage, now: OffsetDateTime) -> Result<(), Failure> {
        let seconds = now.unix_timestamp();
        let mut request = self
            .client
            .post(&self.url)
            .header("content-type", &message.content_type)
            .header("webhook-id", &message.key)
            .header("webhook-timestamp", seconds.to_string());
        if let Some(secret) = &self.secret {
            request = request.header("webhook-signature", secret.sign(&message.key, seconds, &message.body));
        }
        match request.body(message.body.to_vec()).send().await {
            Ok(response) => of_status(response.status()),
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
        400 | 405 | 406 | 413 | 414 | 415 | 422 => Err(Failure::Lasting("refused-by-receiver")),
        410 => Err(Failure::Lasting("gone")),
        401 | 403 => Err(Failure::Passing("not-authorised")),
        404 => Err(Failure::Passing("not-found")),
        429 => Err(Failure::Passing("too-many")),
        500..=599 => Err(Failure::Passing("receiver-fault")),
        _ => Err(Failure::Passing("strange-answer")),
    }
}
