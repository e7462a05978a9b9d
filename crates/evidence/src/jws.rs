//! JSON Web Signature, compact, ES256, key in the header (RFC 7515): nothing else is written or read.

use base64ct::{Base64UrlUnpadded, Encoding};
use cccd_curve::{CurveId, NoEntropy, ecdsa};
use rand_core::TryCryptoRng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::agent_key::{AgentKey, KeyId, PublicJwk};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: String,
    kid: String,
    jwk: PublicJwk,
}

/// Why a text is no signed file of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwsFault {
    /// Not three parts of base64url with the header we write.
    #[error("not a signed file of this kind")]
    Form,
    /// The signature is not that of the key in the header.
    #[error("signature does not fit: the file was changed")]
    Signature,
}

/// Signs `payload` as a thing of this kind. One key signs several kinds: none is another's.
pub(crate) fn sign(
    kind: &str,
    payload: &[u8],
    key: &AgentKey,
    rng: &mut (impl TryCryptoRng + ?Sized),
) -> Result<Zeroizing<String>, NoEntropy> {
    let jwk = key.public_jwk();
    let header = Header { alg: "ES256".into(), typ: kind.into(), kid: jwk.key_id().as_str().to_owned(), jwk };
    // Strings can always be written as JSON.
    let header = serde_json::to_vec(&header).unwrap_or_default();
    let mut out = Zeroizing::new(String::with_capacity((header.len() + payload.len()) * 4 / 3 + 128));
    out.push_str(&Base64UrlUnpadded::encode_string(&header));
    out.push('.');
    out.push_str(&Zeroizing::new(Base64UrlUnpadded::encode_string(payload)));
    let signature = key.sign(out.as_bytes(), rng)?;
    out.push('.');
    out.push_str(&Base64UrlUnpadded::encode_string(&signature));
    Ok(out)
}

/// The payload, if the signature is that of the key in the header; and which key that is.
pub(crate) fn open(kind: &str, text: &str) -> Result<(Zeroizing<Vec<u8>>, KeyId), JwsFault> {
    let (signed, signature) = text.rsplit_once('.').ok_or(JwsFault::Form)?;
    let (header, payload) = signed.split_once('.').ok_or(JwsFault::Form)?;
    let header = Base64UrlUnpadded::decode_vec(header).map_err(|_| JwsFault::Form)?;
    let header: Header = serde_json::from_slice(&header).map_err(|_| JwsFault::Form)?;
    if header.alg != "ES256" || header.typ != kind {
        return Err(JwsFault::Form);
    }
    let key_id = header.jwk.key_id();
    let point = header.jwk.point().ok_or(JwsFault::Form)?;
    // base64ct takes no second spelling of the same bytes, so that not even an unused bit can be changed.
    let signature = Base64UrlUnpadded::decode_vec(signature).map_err(|_| JwsFault::Form)?;
    if signature.len() != 64 || header.kid != key_id.as_str() {
        return Err(JwsFault::Form);
    }
    let (r, s) = signature.split_at(32);
    ecdsa::verify(CurveId::NistP256, &point, &Sha256::digest(signed), r, s)
        .map_err(|_| JwsFault::Signature)?;
    let payload = Base64UrlUnpadded::decode_vec(payload).map_err(|_| JwsFault::Form)?;
    Ok((Zeroizing::new(payload), key_id))
}
