//! One token: three parts of base64url with points between.

use base64ct::{Base64UrlUnpadded, Encoding};
use cccd_curve::{CurveId, ecdsa};
use ed25519_dalek::Signature;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::public_key::{Algorithm, Kind, PublicKey};

/// The longest token there may be.
pub const LONGEST: usize = 8192;

/// Both algorithms have signatures of this length.
const SIGNATURE: usize = 64;

/// Why a text is no token, or not that of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenFault {
    /// Not three parts of base64url with a header and a signature.
    #[error("not a signed token in compact form")]
    Form,
    /// Its header names no algorithm there is here, or another than its key's.
    #[error("signed with another algorithm than EdDSA or ES256, or than that of its key")]
    Algorithm,
    /// Its header names an extension that must be understood, and none is.
    #[error("the token's header has `crit`")]
    Critical,
    /// The key in its header is none.
    #[error("the key in the token's header is not usable")]
    Key,
    /// The signature is not that of the key.
    #[error("signature does not fit")]
    Signature,
}

/// A token, not yet verified: what it says is what anybody may have written until [`Compact::verify`] says whose it
/// is.
#[derive(Debug, Clone)]
pub struct Compact<'a> {
    signed: &'a str,
    algorithm: Algorithm,
    kind: Option<String>,
    jwk: Option<PublicKey>,
    payload: Vec<u8>,
    signature: [u8; SIGNATURE],
}

/// The members that count. `jku`, `x5u` and the like are read by nobody; serde refuses one that comes twice.
#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: Option<String>,
    jwk: Option<Value>,
    crit: Option<IgnoredAny>,
}

impl<'a> Compact<'a> {
    /// Takes a text apart.
    pub fn parse(text: &'a str) -> Result<Self, TokenFault> {
        Self::parse_up_to(text, LONGEST)
    }

    /// The same for a text that may be longer than a token is, as a signed file is.
    pub fn parse_up_to(text: &'a str, longest: usize) -> Result<Self, TokenFault> {
        if text.len() > longest {
            return Err(TokenFault::Form);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(TokenFault::Form)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenFault::Form)?;
        // base64ct takes no second spelling of the same bytes, so that not even an unused bit can be changed.
        let decode = |part: &str| Base64UrlUnpadded::decode_vec(part).map_err(|_| TokenFault::Form);
        let header = decode(header)?;
        // The parser would take a list of values for an object without names.
        if !header.trim_ascii_start().starts_with(b"{") {
            return Err(TokenFault::Form);
        }
        let header: Header = serde_json::from_slice(&header).map_err(|_| TokenFault::Form)?;
        if header.crit.is_some() {
            return Err(TokenFault::Critical);
        }
        let algorithm = Algorithm::of_name(&header.alg).ok_or(TokenFault::Algorithm)?;
        let jwk = header.jwk.map(|jwk| PublicKey::from_jwk(&jwk.to_string())).transpose();
        Ok(Self {
            signed,
            algorithm,
            kind: header.typ,
            jwk: jwk.map_err(|_| TokenFault::Key)?,
            payload: decode(payload)?,
            signature: decode(signature)?.try_into().map_err(|_| TokenFault::Form)?,
        })
    }

    /// What the header calls the token (`typ`), if it does.
    pub fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    /// The key that the token brings along, for tokens that prove to have one (RFC 9449). It proves nothing else.
    pub fn own_key(&self) -> Option<&PublicKey> {
        self.jwk.as_ref()
    }

    /// What is signed.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Whether `key` signed it, with the algorithm of `key`.
    pub fn verify(&self, key: &PublicKey) -> Result<(), TokenFault> {
        if self.algorithm != key.algorithm() {
            return Err(TokenFault::Algorithm);
        }
        let message = self.signed.as_bytes();
        let fits = match key.kind() {
            Kind::Ed25519(key) => key.verify_strict(message, &Signature::from_bytes(&self.signature)).is_ok(),
            Kind::P256(point) => {
                let (r, s) = self.signature.split_at(SIGNATURE / 2);
                ecdsa::verify(CurveId::NistP256, point, &Sha256::digest(message), r, s).is_ok()
            }
        };
        if fits { Ok(()) } else { Err(TokenFault::Signature) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 7515, A.3.
    const ES256: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    const ES256_KEY: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    const OKP_KEY: &str =
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

    fn token(header: &str, rest: &str) -> String {
        format!("{}.{rest}", Base64UrlUnpadded::encode_string(header.as_bytes()))
    }

    #[test]
    fn the_example_of_rfc_7515() {
        let key = PublicKey::from_jwk(ES256_KEY).unwrap();
        let parsed = Compact::parse(ES256).unwrap();
        parsed.verify(&key).unwrap();
        assert!(parsed.payload().starts_with(b"{\"iss\":\"joe\""));
        // A key of another kind fits no token, whatever the header says.
        let other = PublicKey::from_jwk(OKP_KEY).unwrap();
        assert_eq!(parsed.verify(&other), Err(TokenFault::Algorithm));
        let (_, rest) = ES256.split_once('.').unwrap();
        let claimed = token(r#"{"alg":"EdDSA"}"#, rest);
        assert_eq!(Compact::parse(&claimed).unwrap().verify(&key), Err(TokenFault::Algorithm));
        assert_eq!(Compact::parse(&claimed).unwrap().verify(&other), Err(TokenFault::Signature));
    }

    #[test]
    fn headers_that_lead_elsewhere_are_refused_or_ignored() {
        let (_, rest) = ES256.split_once('.').unwrap();
        for (header, fault) in [
            (r#"{"alg":"none"}"#, TokenFault::Algorithm),
            (r#"{"alg":"None"}"#, TokenFault::Algorithm),
            (r#"{"alg":"HS256"}"#, TokenFault::Algorithm),
            (r#"{"alg":"RS256"}"#, TokenFault::Algorithm),
            (r#"{"alg":"ES384"}"#, TokenFault::Algorithm),
            (r#"{"alg":"ES256","crit":["exp"]}"#, TokenFault::Critical),
            (r#"{"alg":"ES256","alg":"none"}"#, TokenFault::Form),
            (r#"{"typ":"JWT"}"#, TokenFault::Form),
            (r#"{"alg":"ES256","jwk":{"kty":"RSA"}}"#, TokenFault::Key),
            (r#"{"alg":"ES256","jwk":{"kty":"oct","k":"AAAA"}}"#, TokenFault::Key),
            ("[]", TokenFault::Form),
            (r#"["ES256",null,null,null]"#, TokenFault::Form),
            ("", TokenFault::Form),
        ] {
            assert_eq!(Compact::parse(&token(header, rest)).err(), Some(fault), "{header}");
        }
        let pointing = token(r#"{"alg":"ES256","typ":"JWT","kid":"../../x","jku":"http://evil"}"#, rest);
        let pointing = Compact::parse(&pointing).unwrap();
        assert_eq!((pointing.kind(), pointing.own_key()), (Some("JWT"), None));
        assert_eq!(pointing.verify(&PublicKey::from_jwk(ES256_KEY).unwrap()), Err(TokenFault::Signature));
    }

    #[test]
    fn no_other_spelling_of_a_token_is_the_token() {
        let key = PublicKey::from_jwk(ES256_KEY).unwrap();
        let (signed, signature) = ES256.rsplit_once('.').unwrap();
        let nothing = format!("{signed}.");
        let padded = format!("{ES256}=");
        let fourth = format!("{ES256}.x");
        let cut = &ES256[..ES256.len() - 1];
        let zeros = format!("{signed}.{}", "A".repeat(signature.len()));
        for text in
            ["", ".", "..", "a.b.c", &nothing, &padded, &fourth, cut, &zeros, &"a".repeat(LONGEST + 1)]
        {
            assert!(Compact::parse(text).and_then(|token| token.verify(&key)).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics_and_no_changed_token_fits(at in 0..ES256.len(), to in "[A-Za-z0-9._-]") {
            let mut changed = ES256.to_owned();
            changed.replace_range(at..=at, &to);
            let key = PublicKey::from_jwk(ES256_KEY).unwrap();
            let fits = Compact::parse(&changed).and_then(|token| token.verify(&key)).is_ok();
            prop_assert_eq!(fits, changed == ES256);
        }

        #[test]
        fn any_text_is_a_token_or_none(text in "\\PC{0,80}\\.?\\PC{0,80}\\.?\\PC{0,80}") {
            let _ = Compact::parse(&text);
            let _ = PublicKey::parse(&text);
        }
    }
}
