//! Tokens of client credentials (RFC 6749, 4.4; RFC 6750): how platforms such as a province's LGSP let systems in.

use std::time::Duration;

use base64ct::{Base64, Encoding as _};
use cccd_profiles::OAuthClient;
use cccd_store::Failure;
use form_urlencoded::byte_serialize;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use zeroize::{Zeroize, Zeroizing};

use crate::web_client::bounded;

/// The longest answer of a token endpoint.
const LONGEST_ANSWER: usize = 64 << 10;
/// How long before its end a token is used no more: it has to arrive and be looked at.
const BEFORE_ITS_END: Duration = Duration::from_secs(30);
/// How long a token counts whose end the platform does not tell, and any token at most.
const USUAL_LIFE: Duration = Duration::from_secs(300);
const LONGEST_LIFE: Duration = Duration::from_secs(86_400);

/// A token for as long as it counts.
pub(crate) struct Tokens {
    endpoint: String,
    credentials: HeaderValue,
    request: String,
    held: Mutex<Option<Held>>,
}

struct Held {
    bearer: HeaderValue,
    until: Instant,
}

/// What a token endpoint answers (RFC 6749, 5.1). What else it says is of no use here.
#[derive(Deserialize)]
struct Answer {
    access_token: String,
    token_type: String,
    expires_in: Option<u64>,
}

impl Tokens {
    /// `None` where the secret is none that a request can carry.
    pub(crate) fn new(client: &OAuthClient, secret: &str) -> Option<Self> {
        let secret = secret.trim();
        if secret.is_empty() {
            return None;
        }
        let encoded = |text: &str| -> String { byte_serialize(text.as_bytes()).collect() };
        // RFC 6749, 2.3.1: both form-encoded first.
        let pair = Zeroizing::new(format!("{}:{}", encoded(&client.client), encoded(secret)));
        let mut header = format!("Basic {}", Base64::encode_string(pair.as_bytes()));
        let credentials = sensitive(&header);
        header.zeroize();
        let mut request = "grant_type=client_credentials".to_owned();
        if !client.scope.is_empty() {
            request.push_str("&scope=");
            request.push_str(&encoded(&client.scope));
        }
        let endpoint = client.token_url.as_str().to_owned();
        Some(Self { endpoint, credentials: credentials?, request, held: Mutex::new(None) })
    }

    /// The value of `Authorization`: of the token that is held, or of a new one. Whoever comes meanwhile waits for it, so
    /// that one is asked for.
    pub(crate) async fn bearer(&self, client: &Client) -> Result<HeaderValue, Failure> {
        let mut held = self.held.lock().await;
        if let Some(token) = held.as_ref().filter(|token| Instant::now() < token.until) {
            return Ok(token.bearer.clone());
        }
        *held = None;
        let token = self.fetch(client).await?;
        let bearer = token.bearer.clone();
        *held = Some(token);
        Ok(bearer)
    }

    /// The platform takes this one no more, whatever it said of its end.
    pub(crate) async fn forget(&self, bearer: &HeaderValue) {
        let mut held = self.held.lock().await;
        if held.as_ref().is_some_and(|token| token.bearer == bearer) {
            *held = None;
        }
    }

    async fn fetch(&self, client: &Client) -> Result<Held, Failure> {
        let asked_at = Instant::now();
        let response = client
            .post(&self.endpoint)
            .header(AUTHORIZATION, self.credentials.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .body(self.request.clone())
            .send()
            .await
            .map_err(|_| Failure::Passing("token-unreachable"))?;
        match response.status() {
            StatusCode::OK => {}
            // RFC 6749, 5.2: a wrong secret, client or scope. An operator puts it right; nothing is lost meanwhile.
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                return Err(Failure::Passing("token-refused"));
            }
            _ => return Err(Failure::Passing("token-endpoint-fault")),
        }
        let strange = Failure::Passing("token-strange");
        let body = bounded(response, LONGEST_ANSWER).await.map(Zeroizing::new).ok_or(strange)?;
        let answer: Answer = serde_json::from_slice(&body).map_err(|_| strange)?;
        let token = Zeroizing::new(answer.access_token);
        if !answer.token_type.eq_ignore_ascii_case("bearer") || token.is_empty() {
            return Err(strange);
        }
        let text = Zeroizing::new(format!("Bearer {}", token.as_str()));
        let bearer = sensitive(&text).ok_or(strange)?;
        let life = answer.expires_in.map_or(USUAL_LIFE, Duration::from_secs).min(LONGEST_LIFE);
        Ok(Held { bearer, until: asked_at + life.saturating_sub(BEFORE_ITS_END) })
    }
}

/// A header that no log shows.
fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
