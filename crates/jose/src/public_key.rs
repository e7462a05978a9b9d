//! Public keys: JSON Web Keys (RFC 7517) and PEM (RFC 7468, 13).

use std::fmt;

use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use cccd_curve::CurveId;
use der::asn1::ObjectIdentifier;
use der::{AnyRef, Decode};
use ed25519_dalek::VerifyingKey;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use spki::SubjectPublicKeyInfoRef;

/// No key of these kinds is longer, in either form.
const LONGEST: usize = 4096;
/// Bytes of a coordinate on P-256, and of a key on Ed25519.
const WIDTH: usize = 32;

/// RFC 8410, 3.
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// RFC 5480, 2.1.1.
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// RFC 5480, 2.1.1.1: secp256r1.
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");

/// How a token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519 (RFC 8037, 3.1).
    EdDsa,
    /// ECDSA on P-256 with SHA-256 (RFC 7518, 3.4).
    Es256,
}

impl Algorithm {
    /// The algorithm of a header's `alg`. There are no others.
    pub fn of_name(name: &str) -> Option<Self> {
        match name {
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            "ES256" => Some(Self::Es256),
            _ => None,
        }
    }
}

/// A key that tokens are verified with.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(Kind);

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Ed25519(VerifyingKey),
    /// An uncompressed point, known to be on the curve.
    P256(Vec<u8>),
}

/// Why a text is no key to verify with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFault {
    /// Neither a JSON Web Key nor `-----BEGIN PUBLIC KEY-----`.
    #[error("not a public key: a JSON Web Key or PEM (-----BEGIN PUBLIC KEY-----) is expected")]
    Form,
    /// A key of another kind.
    #[error("not a key on Ed25519 or P-256, which EdDSA and ES256 take")]
    Kind,
    /// Its bytes are no point of its curve, or one of the few that anybody can sign for.
    #[error("no usable point of its curve")]
    Point,
    /// The secret half is in it.
    #[error("a private key: only its public half belongs here, and the key itself must be drawn anew")]
    Private,
}

/// The members that count; others, such as `kid` and `use`, are nobody's matter here.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    alg: Option<String>,
    d: Option<serde::de::IgnoredAny>,
    k: Option<serde::de::IgnoredAny>,
}

impl PublicKey {
    /// A key in either form.
    pub fn parse(text: &str) -> Result<Self, KeyFault> {
        let text = text.trim();
        if text.starts_with('{') { Self::from_jwk(text) } else { Self::from_pem(text) }
    }

    /// A JSON Web Key (RFC 7517): `OKP` on Ed25519, or `EC` on P-256.
    pub fn from_jwk(text: &str) -> Result<Self, KeyFault> {
        // The parser would take a list of values for an object without names.
        if text.len() > LONGEST || !text.trim_ascii_start().starts_with('{') {
            return Err(KeyFault::Form);
        }
        let jwk: Jwk = serde_json::from_str(text).map_err(|_| KeyFault::Form)?;
        if jwk.d.is_some() || jwk.k.is_some() {
            return Err(KeyFault::Private);
        }
        let coordinate = |text: Option<&String>| {
            let bytes = Base64UrlUnpadded::decode_vec(text.ok_or(KeyFault::Form)?).ok();
            bytes.filter(|bytes| bytes.len() == WIDTH).ok_or(KeyFault::Point)
        };
        let key = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("OKP", Some("Ed25519")) => Self::of_ed25519(&coordinate(jwk.x.as_ref())?)?,
            ("EC", Some("P-256")) => {
                let point = [vec![0x04], coordinate(jwk.x.as_ref())?, coordinate(jwk.y.as_ref())?].concat();
                Self::of_p256(point)?
            }
            _ => return Err(KeyFault::Kind),
        };
        match jwk.alg {
            Some(alg) if Algorithm::of_name(&alg) != Some(key.algorithm()) => Err(KeyFault::Kind),
            _ => Ok(key),
        }
    }

    /// PEM, as `openssl pkey -pubout` writes it (RFC 7468, 13).
    pub fn from_pem(text: &str) -> Result<Self, KeyFault> {
        if text.len() > LONGEST {
            return Err(KeyFault::Form);
        }
        if text.contains("PRIVATE KEY-----") {
            return Err(KeyFault::Private);
        }
        let body = text
            .trim()
            .strip_prefix("-----BEGIN PUBLIC KEY-----")
            .and_then(|rest| rest.strip_suffix("-----END PUBLIC KEY-----"))
            .ok_or(KeyFault::Form)?;
        let body: String = body.split_ascii_whitespace().collect();
        let der = Base64::decode_vec(&body).map_err(|_| KeyFault::Form)?;
        let info = SubjectPublicKeyInfoRef::from_der(&der).map_err(|_| KeyFault::Form)?;
        let bytes = info.subject_public_key.as_bytes().ok_or(KeyFault::Form)?;
        if info.algorithm.oid == ED25519 {
            return Self::of_ed25519(bytes);
        }
        let curve = info.algorithm.parameters.and_then(named_curve);
        if info.algorithm.oid != EC_PUBLIC_KEY || curve != Some(P256) {
            return Err(KeyFault::Kind);
        }
        Self::of_p256(bytes.to_vec())
    }

    fn of_ed25519(bytes: &[u8]) -> Result<Self, KeyFault> {
        let bytes = bytes.try_into().map_err(|_| KeyFault::Point)?;
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyFault::Point)?;
        // A key of small order verifies signatures that nobody made.
        if key.is_weak() { Err(KeyFault::Point) } else { Ok(Self(Kind::Ed25519(key))) }
    }

    fn of_p256(point: Vec<u8>) -> Result<Self, KeyFault> {
        let uncompressed = point.len() == 1 + 2 * WIDTH && point.first() == Some(&0x04);
        if uncompressed && CurveId::NistP256.holds(&point) {
            Ok(Self(Kind::P256(point)))
        } else {
            Err(KeyFault::Point)
        }
    }

    /// What tokens under this key are signed with, and with nothing else.
    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            Kind::Ed25519(_) => Algorithm::EdDsa,
            Kind::P256(_) => Algorithm::Es256,
        }
    }

    /// The key as a JSON Web Key, with its required members and no others.
    pub fn to_jwk(&self) -> String {
        // RFC 7638, 3: in the order of their names, without blanks. All are base64url or constants, so that nothing
        // needs escaping.
        let text = |bytes: &[u8]| Base64UrlUnpadded::encode_string(bytes);
        match &self.0 {
            Kind::Ed25519(key) => {
                format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, text(key.as_bytes()))
            }
            Kind::P256(point) => {
                let half = |at: usize| text(point.get(at..at + WIDTH).unwrap_or_default());
                format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, half(1), half(1 + WIDTH))
            }
        }
    }

    /// The key's name: its thumbprint (RFC 7638; RFC 8037, 2), 43 characters.
    pub fn thumbprint(&self) -> String {
        Base64UrlUnpadded::encode_string(&Sha256::digest(self.to_jwk()))
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.0
    }
}

fn named_curve(parameters: AnyRef<'_>) -> Option<ObjectIdentifier> {
    parameters.decode_as().ok()
}

/// The name only.
impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({:?}, {})", self.algorithm(), self.thumbprint())
    }
}

#[cfg(test)]
mod tests {
    use openssl::ec::{EcGroup, EcKey};
    use openssl::nid::Nid;
    use openssl::pkey::PKey;

    use super::*;

    /// RFC 8037, A.2.
    const OKP: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    /// RFC 7517, A.1.
    const EC: &str = r#"{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"enc","kid":"1"}"#;

    #[test]
    fn thumbprints_of_the_rfcs() {
        // RFC 8037, A.3; the other computed with another program.
        let key = PublicKey::from_jwk(OKP).unwrap();
        assert_eq!(key.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        let key = PublicKey::from_jwk(EC).unwrap();
        assert_eq!(key.thumbprint(), "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s");
        assert_eq!(PublicKey::parse(&key.to_jwk()).unwrap(), key);
    }

    #[test]
    fn keys_as_openssl_writes_them() {
        let p256 = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let ec = PKey::from_ec_key(EcKey::generate(&p256).unwrap()).unwrap();
        let ed = PKey::generate_ed25519().unwrap();
        for (pair, algorithm) in [(&ec, Algorithm::Es256), (&ed, Algorithm::EdDsa)] {
            let pem = String::from_utf8(pair.public_key_to_pem().unwrap()).unwrap();
            let key = PublicKey::parse(&pem).unwrap();
            assert_eq!(key.algorithm(), algorithm);
            assert_eq!(PublicKey::parse(&key.to_jwk()), Ok(key));
            let private = String::from_utf8(pair.private_key_to_pem_pkcs8().unwrap()).unwrap();
            assert_eq!(PublicKey::parse(&private), Err(KeyFault::Private));
        }
    }

    #[test]
    fn what_is_no_key_of_ours_says_why() {
        let other = EcGroup::from_curve_name(Nid::SECP384R1).unwrap();
        let other = PKey::from_ec_key(EcKey::generate(&other).unwrap()).unwrap();
        let other = String::from_utf8(other.public_key_to_pem().unwrap()).unwrap();
        let short = OKP.replace("11qYAYKx", "");
        let beside = EC.replace("4Etl6SRW2Y", "4Etl6SRW2X");
        // The neutral element: everybody can sign for it.
        let weak = OKP.replace(
            "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        );
        let private = OKP.replace("\"x\"", "\"d\":\"AA\",\"x\"");
        for (text, fault) in [
            ("", KeyFault::Form),
            ("{}", KeyFault::Form),
            (r#"{"kty":"oct","k":"AAAA"}"#, KeyFault::Private),
            (r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#, KeyFault::Kind),
            (other.as_str(), KeyFault::Kind),
            (short.as_str(), KeyFault::Point),
            (beside.as_str(), KeyFault::Point),
            (weak.as_str(), KeyFault::Point),
            (private.as_str(), KeyFault::Private),
        ] {
            assert_eq!(PublicKey::parse(text), Err(fault), "{text}");
        }
        let misused = EC.replace("\"use\":\"enc\"", "\"alg\":\"EdDSA\"");
        assert_eq!(PublicKey::parse(&misused), Err(KeyFault::Kind));
    }
}
