//! Signatures of webhooks (Standard Webhooks 1.0, symmetric).

use base64ct::{Base64, Encoding as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The prefix of a secret as people hand it over.
const PREFIX: &str = "whsec_";

/// What sender and receiver know, 24 to 64 bytes.
pub struct WebhookSecret(Zeroizing<Vec<u8>>);

/// The text is no secret of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a webhook's secret is whsec_ and 24 to 64 bytes in base64")]
pub struct NotASecret;

impl WebhookSecret {
    /// Reads `whsec_` and base64.
    pub fn parse(text: &str) -> Result<Self, NotASecret> {
        let digits = text.trim().strip_prefix(PREFIX).ok_or(NotASecret)?;
        let bytes = Base64::decode_vec(digits).map(Zeroizing::new).map_err(|_| NotASecret)?;
        if (24..=64).contains(&bytes.len()) { Ok(Self(bytes)) } else { Err(NotASecret) }
    }

    /// The value of `webhook-signature`: over the id, the moment in seconds, and the body, with dots between.
    pub fn sign(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        // A key of any length makes an HMAC.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return String::new() };
        mac.update(id.as_bytes());
        mac.update(b".");
        mac.update(seconds.to_string().as_bytes());
        mac.update(b".");
        mac.update(body);
        format!("v1,{}", Base64::encode_string(&mac.finalize().into_bytes()))
    }
}

impl std::fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<secret>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification() {
        // standard-webhooks, spec/standard-webhooks.md: the test vector its libraries share.
        let secret = WebhookSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature =
            secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn what_is_no_secret_is_told() {
        for text in ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_c2hvcnQ=", "whsec_!!!!"] {
            assert_eq!(WebhookSecret::parse(text).unwrap_err(), NotASecret, "{text}");
        }
    }
}
