//! Signatures of webhooks (Standard Webhooks 1.0): `v1` by a secret that both know, `v1a` by a key of which the receiver
//! has the public half.

use base64ct::{Base64, Encoding as _};
use ed25519_dalek::{Signer as _, SigningKey};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The prefix of a shared secret as people hand it over.
const SHARED: &str = "whsec_";
/// The prefix of a private key.
const PRIVATE: &str = "whsk_";
/// The prefix of a public key.
const PUBLIC: &str = "whpk_";
/// Secrets one target may have: the one that is going and the one that is coming, and some more.
const MOST: usize = 4;

/// What messages to one receiver are signed with: one secret, or several while one is replaced by another.
pub struct WebhookSecrets(Vec<WebhookSecret>);

enum WebhookSecret {
    /// What sender and receiver know, 24 to 64 bytes.
    Shared(Zeroizing<Vec<u8>>),
    Private(SigningKey),
}

/// The text is no secret of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a webhook's secret is whsec_ and 24 to 64 bytes in base64, or whsk_ and an Ed25519 key in base64; one a line, four at \
     most"
)]
pub struct NotASecret;

impl WebhookSecrets {
    /// Reads one secret a line.
    pub fn parse(text: &str) -> Result<Self, NotASecret> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let secrets = lines.map(WebhookSecret::parse).collect::<Result<Vec<_>, _>>()?;
        if (1..=MOST).contains(&secrets.len()) { Ok(Self(secrets)) } else { Err(NotASecret) }
    }

    /// The value of `webhook-signature`: over the id, the moment in seconds, and the body, with dots between; one
    /// signature for each secret, with spaces between.
    pub fn sign(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        let mut message = Zeroizing::new(format!("{id}.{seconds}.").into_bytes());
        // At once: growing would leave copies of a person's data behind.
        message.reserve_exact(body.len());
        message.extend_from_slice(body);
        let signatures: Vec<_> = self.0.iter().filter_map(|secret| secret.sign(&message)).collect();
        signatures.join(" ")
    }

    /// The public halves of the private keys among them, as a receiver is given them.
    pub fn public_keys(&self) -> Vec<String> {
        let public = |secret: &WebhookSecret| match secret {
            WebhookSecret::Shared(_) => None,
            WebhookSecret::Private(key) => {
                Some(format!("{PUBLIC}{}", Base64::encode_string(key.verifying_key().as_bytes())))
            }
        };
        self.0.iter().filter_map(public).collect()
    }
}

impl WebhookSecret {
    fn parse(text: &str) -> Result<Self, NotASecret> {
        let bytes = |digits: &str| Base64::decode_vec(digits).map(Zeroizing::new).map_err(|_| NotASecret);
        if let Some(digits) = text.strip_prefix(SHARED) {
            let bytes = bytes(digits)?;
            return if (24..=64).contains(&bytes.len()) { Ok(Self::Shared(bytes)) } else { Err(NotASecret) };
        }
        let bytes = bytes(text.strip_prefix(PRIVATE).ok_or(NotASecret)?)?;
        // The seed (RFC 8032, 5.1.5), alone or with the public key after it.
        if let Ok(seed) = <&[u8; 32]>::try_from(bytes.as_slice()) {
            return Ok(Self::Private(SigningKey::from_bytes(seed)));
        }
        let pair = <&[u8; 64]>::try_from(bytes.as_slice()).map_err(|_| NotASecret)?;
        SigningKey::from_keypair_bytes(pair).map(Self::Private).map_err(|_| NotASecret)
    }

    fn sign(&self, message: &[u8]) -> Option<String> {
        match self {
            Self::Shared(secret) => {
                // A key of any length makes an HMAC.
                let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
                mac.update(message);
                Some(format!("v1,{}", Base64::encode_string(&mac.finalize().into_bytes())))
            }
            Self::Private(key) => {
                Some(format!("v1a,{}", Base64::encode_string(&key.sign(message).to_bytes())))
            }
        }
    }
}

impl std::fmt::Debug for WebhookSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<secrets>")
    }
}

#[cfg(test)]
mod tests {
    use openssl::pkey::{Id, PKey};
    use openssl::sign::Verifier;

    use super::*;

    const SHARED_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn the_example_of_the_specification() {
        // standard-webhooks, spec/standard-webhooks.md: the test vector its libraries share.
        let secrets = WebhookSecrets::parse(SHARED_SECRET).unwrap();
        let signature =
            secrets.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert!(secrets.public_keys().is_empty());
    }

    #[test]
    fn a_key_signs_what_its_public_half_verifies() {
        // RFC 8032, 7.1, test 1; the second form has the public key after the seed.
        let seed = hex::decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").unwrap();
        let public = hex::decode("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a").unwrap();
        let pair = [seed.as_slice(), &public].concat();
        for bytes in [seed.as_slice(), &pair] {
            let text = format!("{SHARED_SECRET}\n\nwhsk_{}\n", Base64::encode_string(bytes));
            let secrets = WebhookSecrets::parse(&text).unwrap();
            assert_eq!(secrets.public_keys(), [format!("whpk_{}", Base64::encode_string(&public))]);
            let both = secrets.sign("0a1b", 1_700_000_000, b"{}");
            let (shared, private) = both.split_once(' ').unwrap();
            assert!(shared.starts_with("v1,"), "{shared}");
            let signature = Base64::decode_vec(private.strip_prefix("v1a,").unwrap()).unwrap();
            let key = PKey::public_key_from_raw_bytes(&public, Id::ED25519).unwrap();
            let verifies = |message: &[u8]| {
                Verifier::new_without_digest(&key).unwrap().verify_oneshot(&signature, message).unwrap()
            };
            assert!(verifies(b"0a1b.1700000000.{}"));
            assert!(!verifies(b"0a1b.1700000001.{}"));
        }
    }

    #[test]
    fn what_is_no_secret_is_told() {
        let wrong_pair = format!("whsk_{}", Base64::encode_string(&[7; 64]));
        let five = [SHARED_SECRET; 5].join("\n");
        for text in [
            "",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_",
            "whsec_c2hvcnQ=",
            "whsec_!!!!",
            "whsk_c2hvcnQ=",
            &wrong_pair,
            &five,
        ] {
            assert_eq!(WebhookSecrets::parse(text).unwrap_err(), NotASecret, "{text}");
        }
    }
}
