//! Settings as they are served: a JSON Web Signature in compact form (RFC 7515).

use base64ct::{Base64UrlUnpadded, Encoding as _};
use cccd_jose::{Compact, PublicKey, TokenFault};
use ed25519_dalek::{Signer as _, SigningKey};
use serde::Deserialize;
use serde_json::json;

/// What the header calls them: a token for something else that the same key signed is none.
const KIND: &str = "cccd-settings+jws";
/// The longest they are.
pub(super) const LONGEST: usize = 512 << 10;

/// Settings that somebody signed who may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Served {
    /// Counts up.
    pub(super) version: u64,
    /// TOML.
    pub(super) settings: String,
    /// As it came.
    pub(super) text: String,
}

/// Why a text is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ServedFault {
    #[error(transparent)]
    Token(#[from] TokenFault),
    #[error("signed, but no settings (typ is not {KIND})")]
    Kind,
    #[error("not signed by any of served.keys")]
    Stranger,
    #[error("signed, but what it says are no settings: version from 1 on, and settings")]
    Content,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    version: u64,
    settings: String,
}

impl Served {
    /// Opens a text that one of the keys signed.
    pub(super) fn open(text: &str, keys: &[PublicKey]) -> Result<Self, ServedFault> {
        let token = Compact::parse_up_to(text, LONGEST)?;
        if !keys.iter().any(|key| token.verify(key).is_ok()) {
            return Err(ServedFault::Stranger);
        }
        if token.kind() != Some(KIND) {
            return Err(ServedFault::Kind);
        }
        let content: Content = serde_json::from_slice(token.payload()).map_err(|_| ServedFault::Content)?;
        if content.version == 0 {
            return Err(ServedFault::Content);
        }
        Ok(Self { version: content.version, settings: content.settings, text: text.to_owned() })
    }

    /// Signs settings.
    pub(super) fn sign(version: u64, settings: &str, key: &SigningKey) -> String {
        let encoded =
            |value: serde_json::Value| Base64UrlUnpadded::encode_string(value.to_string().as_bytes());
        let header = encoded(json!({ "alg": "EdDSA", "typ": KIND }));
        let payload = encoded(json!({ "version": version, "settings": settings }));
        let signed = format!("{header}.{payload}");
        let signature = key.sign(signed.as_bytes()).to_bytes();
        format!("{signed}.{}", Base64UrlUnpadded::encode_string(&signature))
    }
}

/// The public half, as `served.keys` has it.
pub(super) fn public_jwk(key: &SigningKey) -> String {
    let x = Base64UrlUnpadded::encode_string(key.verifying_key().as_bytes());
    json!({ "kty": "OKP", "crv": "Ed25519", "x": x }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> (SigningKey, PublicKey) {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let public = PublicKey::from_jwk(&public_jwk(&key)).unwrap();
        (key, public)
    }

    #[test]
    fn what_is_signed_for_this_and_by_whoever_may_is_opened() {
        let (key, public) = key(1);
        let (_, stranger) = self::key(2);
        let settings = format!("# {}\n[log]\nlevel = 'warn'\n", "x".repeat(100_000));
        let text = Served::sign(7, &settings, &key);
        let opened = Served::open(&text, &[stranger.clone(), public.clone()]).unwrap();
        assert_eq!((opened.version, &opened.settings, &opened.text), (7, &settings, &text));
        assert_eq!(Served::open(&text, &[stranger]), Err(ServedFault::Stranger));
        assert_eq!(
            Served::open(&Served::sign(0, "", &key), std::slice::from_ref(&public)),
            Err(ServedFault::Content)
        );
        let (head, tail) = text.split_at(text.len() / 2);
        let changed = format!("{head}{}{}", if tail.starts_with('A') { 'B' } else { 'A' }, &tail[1..]);
        assert_eq!(Served::open(&changed, std::slice::from_ref(&public)), Err(ServedFault::Stranger));
        // RFC 8037, A.4: signed by its key, and for something else.
        let other = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
                     hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        let its_key = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        assert_eq!(Served::open(other, &[PublicKey::from_jwk(its_key).unwrap()]), Err(ServedFault::Kind));
    }
}
