//! Proofs of possession (DPoP, RFC 9449): that whoever sends this request, now, has the key.

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use time::OffsetDateTime;

use crate::compact::{Compact, TokenFault};
use crate::public_key::PublicKey;

/// The longest `jti` that is taken: it has to be remembered.
const LONGEST_JTI: usize = 64;
/// The shortest: 96 bits in base64url, as RFC 9449, 11.1 asks of it, are sixteen characters.
const SHORTEST_JTI: usize = 16;
/// Seconds a proof may be older than now. Page and agent share one machine and its clock.
const OLDEST: i64 = 60;
/// Seconds a proof may be newer than now: a clock that is set back a little.
const NEWEST: i64 = 5;

/// What a proof has to be about.
#[derive(Debug, Clone, Copy)]
pub struct DpopRequest<'a> {
    /// The method, as sent.
    pub method: &'a str,
    /// The address without query and fragment.
    pub target: &'a str,
    /// The token the request carries beside the proof, where it carries one.
    pub token: Option<&'a str>,
    /// The time of day.
    pub now: OffsetDateTime,
}

/// A proof that holds for its request. Whether it was used before is for its reader to find out, by `jti`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DpopProof {
    /// The key that whoever sent the request has.
    pub key: PublicKey,
    /// The proof's name, of which each may be used once.
    pub jti: String,
    /// When it was made, by the clock of whoever made it.
    pub made: OffsetDateTime,
    /// From when on the name need not be remembered any more: the proof is too old by then.
    pub forget_after: OffsetDateTime,
}

/// Why a proof does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DpopFault {
    /// Not signed as it should be.
    #[error("DPoP: {0}")]
    Signed(#[from] TokenFault),
    /// `typ` is another one.
    #[error("DPoP: typ is not dpop+jwt")]
    Type,
    /// It introduces no key.
    #[error("DPoP: jwk is missing")]
    NoKey,
    /// `jti`, `htm`, `htu` and `iat` are not all there, each once and in its kind.
    #[error("DPoP: jti (16 to 64 characters), htm, htu and iat (whole seconds) are needed")]
    Claims,
    /// It is a proof for another request.
    #[error("DPoP: htm or htu is not this request's")]
    Request,
    /// It was made too long ago, or is yet to be made.
    #[error("DPoP: iat is not of this minute")]
    Time,
    /// It belongs to another token, or to none where there is one.
    #[error("DPoP: ath is not this token's")]
    Token,
}

#[derive(Deserialize)]
struct Claims {
    jti: String,
    htm: String,
    htu: String,
    iat: i64,
    ath: Option<String>,
}

impl DpopProof {
    /// Checks a `DPoP` header (RFC 9449, 4.3) against the request it came with.
    pub fn check(text: &str, request: DpopRequest<'_>) -> Result<Self, DpopFault> {
        let signed = Compact::parse(text)?;
        if !signed.kind().is_some_and(is_dpop) {
            return Err(DpopFault::Type);
        }
        let key = signed.own_key().ok_or(DpopFault::NoKey)?;
        signed.verify(key)?;
        let payload = signed.payload();
        if !payload.trim_ascii_start().starts_with(b"{") {
            return Err(DpopFault::Claims);
        }
        let claims: Claims = serde_json::from_slice(payload).map_err(|_| DpopFault::Claims)?;
        let length = SHORTEST_JTI..=LONGEST_JTI;
        if !length.contains(&claims.jti.len()) || !claims.jti.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(DpopFault::Claims);
        }
        let about = claims.htu.split(['?', '#']).next().unwrap_or_default();
        if claims.htm != request.method || about != request.target {
            return Err(DpopFault::Request);
        }
        let age = request.now.unix_timestamp().saturating_sub(claims.iat);
        if !(-NEWEST..=OLDEST).contains(&age) {
            return Err(DpopFault::Time);
        }
        let bound = match (request.token, &claims.ath) {
            (None, None) => true,
            (Some(token), Some(ath)) => {
                let due = Base64UrlUnpadded::encode_string(&Sha256::digest(token));
                due.as_bytes().ct_eq(ath.as_bytes()).into()
            }
            _ => false,
        };
        if !bound {
            return Err(DpopFault::Token);
        }
        // Its own age is added, so that one of the future is remembered for longer.
        let made = OffsetDateTime::from_unix_timestamp(claims.iat).map_err(|_| DpopFault::Time)?;
        let left = time::Duration::seconds(OLDEST.saturating_sub(age).saturating_add(1));
        let forget_after = request.now.checked_add(left).ok_or(DpopFault::Time)?;
        Ok(Self { key: key.clone(), jti: claims.jti, made, forget_after })
    }
}

/// `typ` is a media type, in any case and with or without `application/` (RFC 7515, 4.1.9).
fn is_dpop(kind: &str) -> bool {
    let kind = kind.to_ascii_lowercase();
    kind.strip_prefix("application/").unwrap_or(&kind) == "dpop+jwt"
}

#[cfg(test)]
mod tests {
    use openssl::bn::BigNum;
    use openssl::ec::{EcGroup, EcKey};
    use openssl::ecdsa::EcdsaSig;
    use openssl::nid::Nid;
    use openssl::pkey::Private;
    use serde_json::{Value, json};

    use super::*;

    const TARGET: &str = "http://127.0.0.1:9303/v1/reads";
    const NOW: i64 = 1_795_935_600;

    /// A page: a key pair, and what it writes about a request.
    struct Page {
        pair: EcKey<Private>,
    }

    fn coded(bytes: &[u8]) -> String {
        Base64UrlUnpadded::encode_string(bytes)
    }

    impl Page {
        fn new() -> Self {
            let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
            Self { pair: EcKey::generate(&group).unwrap() }
        }

        fn jwk(&self) -> Value {
            let (mut x, mut y) = (BigNum::new().unwrap(), BigNum::new().unwrap());
            let mut context = openssl::bn::BigNumContext::new().unwrap();
            let point = self.pair.public_key();
            point.affine_coordinates(self.pair.group(), &mut x, &mut y, &mut context).unwrap();
            let padded = |number: BigNum| coded(&number.to_vec_padded(32).unwrap());
            json!({ "kty": "EC", "crv": "P-256", "x": padded(x), "y": padded(y), "ext": true, "key_ops": ["verify"] })
        }

        fn sign(&self, header: &Value, payload: &str) -> String {
            let signed = format!("{}.{}", coded(header.to_string().as_bytes()), coded(payload.as_bytes()));
            let signature = EcdsaSig::sign(&Sha256::digest(&signed), &self.pair).unwrap();
            let both =
                [signature.r().to_vec_padded(32).unwrap(), signature.s().to_vec_padded(32).unwrap()].concat();
            format!("{signed}.{}", coded(&both))
        }

        fn header(&self) -> Value {
            json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk() })
        }

        fn proof(&self, claims: &Value) -> String {
            self.sign(&self.header(), &claims.to_string())
        }
    }

    fn claims() -> Value {
        json!({ "jti": "0f0c1a52-7e8e-4f0e-8a6a-3f4b6f0c9d11", "htm": "POST", "htu": TARGET, "iat": NOW })
    }

    fn with(name: &str, value: Value) -> Value {
        let mut claims = claims();
        claims[name] = value;
        claims
    }

    fn at(seconds: i64, token: Option<&str>) -> DpopRequest<'_> {
        let now = OffsetDateTime::from_unix_timestamp(seconds).unwrap();
        DpopRequest { method: "POST", target: TARGET, token, now }
    }

    #[test]
    fn a_proof_of_this_request_names_its_key() {
        let page = Page::new();
        for htu in [TARGET.to_owned(), format!("{TARGET}?x=1"), format!("{TARGET}#x")] {
            let proof = DpopProof::check(&page.proof(&with("htu", htu.into())), at(NOW, None)).unwrap();
            assert_eq!(proof.key, PublicKey::from_jwk(&page.jwk().to_string()).unwrap());
            assert_eq!(proof.jti, "0f0c1a52-7e8e-4f0e-8a6a-3f4b6f0c9d11");
            // Good for another sixty seconds, and not remembered for less.
            assert_eq!(proof.forget_after.unix_timestamp(), NOW + 61);
        }
    }

    #[test]
    fn a_proof_is_good_for_one_request_in_one_minute() {
        let page = Page::new();
        for (changed, fault) in [
            (with("htm", "GET".into()), DpopFault::Request),
            (with("htm", "post".into()), DpopFault::Request),
            (with("htu", "http://127.0.0.1:9303/v1/readers".into()), DpopFault::Request),
            (with("htu", "http://127.0.0.1:9303/v1/reads/".into()), DpopFault::Request),
            (with("htu", "https://127.0.0.1:9303/v1/reads".into()), DpopFault::Request),
            (with("htu", "http://localhost:9303/v1/reads".into()), DpopFault::Request),
            (with("htu", "/v1/reads".into()), DpopFault::Request),
            (with("iat", (NOW - 61).into()), DpopFault::Time),
            (with("iat", (NOW + 6).into()), DpopFault::Time),
            (with("iat", i64::MIN.into()), DpopFault::Time),
            (with("iat", i64::MAX.into()), DpopFault::Time),
            (with("iat", u64::MAX.into()), DpopFault::Claims),
            (with("iat", "now".into()), DpopFault::Claims),
            (with("iat", Value::Null), DpopFault::Claims),
            (with("jti", "".into()), DpopFault::Claims),
            (with("jti", "fifteen-letters".into()), DpopFault::Claims),
            (with("jti", "x".repeat(65).into()), DpopFault::Claims),
            (with("jti", "sixteen letters or more".into()), DpopFault::Claims),
            (with("ath", "AA".into()), DpopFault::Token),
        ] {
            let told = DpopProof::check(&page.proof(&changed), at(NOW, None));
            assert_eq!(told.err(), Some(fault), "{changed}");
        }
        for iat in [NOW - 60, NOW + 5] {
            assert!(DpopProof::check(&page.proof(&with("iat", iat.into())), at(NOW, None)).is_ok());
        }
        for payload in
            ["", "null", "[\"0f0c1a52-7e8e-4f0e-8a6a-3f4b6f0c9d11\",\"POST\",\"x\",1]", "{\"jti\":1"]
        {
            let told = DpopProof::check(&page.sign(&page.header(), payload), at(NOW, None));
            assert_eq!(told.err(), Some(DpopFault::Claims), "{payload}");
        }
        let twice = claims().to_string().replacen('{', "{\"htm\":\"POST\",", 1);
        let told = DpopProof::check(&page.sign(&page.header(), &twice), at(NOW, None));
        assert_eq!(told.err(), Some(DpopFault::Claims));
    }

    #[test]
    fn a_proof_beside_a_token_is_for_that_token() {
        let page = Page::new();
        let ath = |token: &str| with("ath", coded(&Sha256::digest(token)).into());
        let check = |claims: &Value, token| DpopProof::check(&page.proof(claims), at(NOW, token));
        assert!(check(&ath("a token"), Some("a token")).is_ok());
        for (claims, token) in
            [(ath("a token"), Some("another")), (ath("a token"), None), (claims(), Some("a token"))]
        {
            assert_eq!(check(&claims, token).err(), Some(DpopFault::Token));
        }
    }

    #[test]
    fn whoever_has_another_key_proves_nothing() {
        let (page, other) = (Page::new(), Page::new());
        let lent = other.sign(&page.header(), &claims().to_string());
        let told = DpopProof::check(&lent, at(NOW, None));
        assert_eq!(told.err(), Some(DpopFault::Signed(TokenFault::Signature)));
        for (header, fault) in [
            (json!({ "alg": "ES256", "jwk": page.jwk() }), DpopFault::Type),
            (json!({ "typ": "JWT", "alg": "ES256", "jwk": page.jwk() }), DpopFault::Type),
            (json!({ "typ": "dpop+jwt", "alg": "ES256" }), DpopFault::NoKey),
            (json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": "x" }), DpopFault::Signed(TokenFault::Key)),
            (
                json!({ "typ": "dpop+jwt", "alg": "none", "jwk": page.jwk() }),
                DpopFault::Signed(TokenFault::Algorithm),
            ),
            (
                json!({ "typ": "dpop+jwt", "alg": "HS256", "jwk": page.jwk() }),
                DpopFault::Signed(TokenFault::Algorithm),
            ),
        ] {
            let told = DpopProof::check(&page.sign(&header, &claims().to_string()), at(NOW, None));
            assert_eq!(told.err(), Some(fault), "{header}");
        }
    }

    proptest::proptest! {
        #[test]
        fn hostile_text_is_refused_and_nothing_else(text in ".{0,300}", header in ".{0,100}", payload in ".{0,200}") {
            proptest::prop_assert!(DpopProof::check(&text, at(NOW, None)).is_err());
            let formed = format!("{}.{}.{}", coded(header.as_bytes()), coded(payload.as_bytes()), coded(&[7; 64]));
            proptest::prop_assert!(DpopProof::check(&formed, at(NOW, None)).is_err());
            proptest::prop_assert!(PublicKey::from_jwk(&header).is_err());
        }
    }
}
