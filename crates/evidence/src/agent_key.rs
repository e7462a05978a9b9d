//! The machine's key, by which evidence says where it comes from.

use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding};
use cccd_curve::{CurveId, KeyPair, NoEntropy};
use rand_core::TryCryptoRng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

/// Bytes of a coordinate or a secret on P-256.
const WIDTH: usize = 32;

/// A key on P-256 for ES256 (RFC 7518, 3.4). It belongs to one machine and signs
/// its evidence and the proofs of its identity.
pub struct AgentKey {
    pair: KeyPair,
    secret: Zeroizing<Vec<u8>>,
}

/// The name of a public key: its thumbprint (RFC 7638).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId(String);

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentKeyError {
    /// It is no JSON Web Key, or not one of a P-256 key pair.
    #[error("not a JSON Web Key of a P-256 key pair")]
    Malformed,
    /// Its public and its secret part do not belong together.
    #[error("public and secret part of the key do not belong together")]
    Inconsistent,
    /// No random numbers.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
}

impl KeyId {
    /// A key id as it is written.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// As it is written: 43 characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A public key in JSON (RFC 7517, 4; RFC 7518, 6.2.1).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PublicJwk {
    kty: String,
    crv: String,
    x: String,
    y: String,
}

#[derive(Serialize, Deserialize)]
struct SecretJwk {
    #[serde(flatten)]
    public: PublicJwk,
    d: String,
}

impl Drop for SecretJwk {
    fn drop(&mut self) {
        self.d.zeroize();
    }
}

impl AgentKey {
    /// A new key.
    pub fn generate(rng: &mut (impl TryCryptoRng + ?Sized)) -> Result<Self, AgentKeyError> {
        // A draw is no key once in 2^32 times: the order of P-256 begins with 32 ones.
        for _ in 0..8 {
            let mut secret = Zeroizing::new(vec![0; WIDTH]);
            rng.try_fill_bytes(&mut secret).map_err(|_| NoEntropy)?;
            if let Ok(pair) = KeyPair::from_secret(CurveId::NistP256, &secret) {
                return Ok(Self { pair, secret });
            }
        }
        Err(NoEntropy.into())
    }

    /// Reads the key from the JSON that [`Self::to_jwk`] writes.
    pub fn from_jwk(text: &str) -> Result<Self, AgentKeyError> {
        let jwk: SecretJwk = serde_json::from_str(text).map_err(|_| AgentKeyError::Malformed)?;
        let stated = jwk.public.point().ok_or(AgentKeyError::Malformed)?;
        let secret =
            Zeroizing::new(Base64UrlUnpadded::decode_vec(&jwk.d).map_err(|_| AgentKeyError::Malformed)?);
        let pair = KeyPair::from_secret(CurveId::NistP256, &secret).map_err(|_| AgentKeyError::Malformed)?;
        if pair.public_key() != stated {
            return Err(AgentKeyError::Inconsistent);
        }
        Ok(Self { pair, secret })
    }

    /// The whole key as a JSON Web Key, secret part included.
    pub fn to_jwk(&self) -> Zeroizing<String> {
        let d = Base64UrlUnpadded::encode_string(&self.secret);
        let jwk = SecretJwk { public: self.public_jwk(), d };
        // Strings can always be written as JSON.
        Zeroizing::new(serde_json::to_string(&jwk).unwrap_or_default())
    }

    /// The public key as a JSON Web Key, for whoever shall trust this machine's evidence.
    pub fn public_jwk_text(&self) -> String {
        serde_json::to_string(&self.public_jwk()).unwrap_or_default()
    }

    /// The key's name.
    pub fn key_id(&self) -> KeyId {
        self.public_jwk().key_id()
    }

    pub(crate) fn public_jwk(&self) -> PublicJwk {
        PublicJwk::of(self.pair.public_key())
    }

    /// `r` and `s` side by side (RFC 7518, 3.4).
    pub(crate) fn sign(
        &self,
        message: &[u8],
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<Vec<u8>, NoEntropy> {
        let signature = self.pair.sign(&Sha256::digest(message), rng)?;
        Ok([signature.r, signature.s].concat())
    }
}

/// The name only.
impl fmt::Debug for AgentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentKey").field("key_id", &self.key_id()).finish_non_exhaustive()
    }
}

impl PublicJwk {
    fn of(point: &[u8]) -> Self {
        let coordinate =
            |at: usize| Base64UrlUnpadded::encode_string(point.get(at..at + WIDTH).unwrap_or_default());
        Self { kty: "EC".into(), crv: "P-256".into(), x: coordinate(1), y: coordinate(1 + WIDTH) }
    }

    /// The uncompressed point. Whether it is on the curve shows when it is used.
    pub(crate) fn point(&self) -> Option<Vec<u8>> {
        if self.kty != "EC" || self.crv != "P-256" {
            return None;
        }
        let coordinate =
            |text: &str| Base64UrlUnpadded::decode_vec(text).ok().filter(|bytes| bytes.len() == WIDTH);
        Some([vec![0x04], coordinate(&self.x)?, coordinate(&self.y)?].concat())
    }

    /// RFC 7638, 3: the required members in the order of their names, without blanks.
    pub(crate) fn key_id(&self) -> KeyId {
        // All four are base64url or constants, so that nothing needs escaping.
        let canonical =
            format!(r#"{{"crv":"{}","kty":"{}","x":"{}","y":"{}"}}"#, self.crv, self.kty, self.x, self.y);
        KeyId(Base64UrlUnpadded::encode_string(&Sha256::digest(canonical)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_being_written_down() {
        let key = AgentKey::generate(&mut getrandom::SysRng).unwrap();
        let again = AgentKey::from_jwk(&key.to_jwk()).unwrap();
        assert_eq!(again.key_id(), key.key_id());
        assert!(!key.public_jwk_text().contains("\"d\""));
        assert!(!format!("{key:?}").contains(&hex::encode(key.secret.as_slice())));
    }

    #[test]
    fn the_key_id_is_the_thumbprint_of_rfc_7638() {
        // The P-256 key of RFC 7517, A.1; its thumbprint computed with another program.
        let jwk = PublicJwk {
            kty: "EC".into(),
            crv: "P-256".into(),
            x: "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4".into(),
            y: "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM".into(),
        };
        assert_eq!(jwk.key_id().as_str(), "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s");
    }

    #[test]
    fn a_key_whose_parts_do_not_fit_is_refused() {
        let (one, other) =
            (AgentKey::generate(&mut getrandom::SysRng), AgentKey::generate(&mut getrandom::SysRng));
        let (one, other) = (one.unwrap(), other.unwrap());
        let mixed =
            SecretJwk { public: one.public_jwk(), d: Base64UrlUnpadded::encode_string(&other.secret) };
        let mixed = serde_json::to_string(&mixed).unwrap();
        assert!(matches!(AgentKey::from_jwk(&mixed), Err(AgentKeyError::Inconsistent)));
        for text in ["", "{}", "null", r#"{"kty":"RSA","crv":"P-256","x":"","y":"","d":""}"#] {
            assert!(matches!(AgentKey::from_jwk(text), Err(AgentKeyError::Malformed)), "{text}");
        }
    }
}
