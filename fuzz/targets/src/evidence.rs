//! Evidence files, which anybody may send to whoever judges them.

use std::hint::black_box;
use std::sync::LazyLock;

use anyhow::Context as _;
use base64ct::{Base64UrlUnpadded, Encoding as _};
use cccd_curve::{CurveId, KeyPair};
use cccd_evidence::{AgentKey, check_payload, open};
use sha2::{Digest as _, Sha256};

use crate::verified::judge;

pub(crate) fn file(bytes: &[u8]) -> Option<()> {
    let text = std::str::from_utf8(bytes).ok()?;
    let opened = open(text, None).ok()?;
    black_box((opened.wrong_digest(), opened.nonce()));
    judge(&opened.evidence);
    Some(())
}

pub(crate) fn payload(bytes: &[u8]) -> Option<()> {
    check_payload(bytes).ok()
}

/// A payload under a signature that fits.
pub(crate) fn signed(bytes: &[u8]) -> Option<()> {
    check_payload(bytes).ok()?;
    file(SIGNER.as_ref().ok()?.sign(bytes)?.as_bytes())
}

/// Signs whatever it is given: that a payload is signed says nothing about who made it.
struct Signer {
    key: KeyPair,
    header: String,
}

static SIGNER: LazyLock<anyhow::Result<Signer>> = LazyLock::new(Signer::new);

impl Signer {
    fn new() -> anyhow::Result<Self> {
        let secret = [0x5A; 32];
        let key = KeyPair::from_secret(CurveId::NistP256, &secret)?;
        let (x, y) = key.public_key().get(1..).context("no point")?.split_at(32);
        let [x, y, d] = [x, y, &secret].map(Base64UrlUnpadded::encode_string);
        let jwk = format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}","d":"{d}"}}"#);
        let agent = AgentKey::from_jwk(&jwk)?;
        let (id, public) = (agent.key_id(), agent.public_jwk_text());
        let header = format!(r#"{{"alg":"ES256","typ":"cccd-evidence+jwt","kid":"{id}","jwk":{public}}}"#);
        Ok(Self { key, header: Base64UrlUnpadded::encode_string(header.as_bytes()) })
    }

    fn sign(&self, payload: &[u8]) -> Option<String> {
        let text = format!("{}.{}", self.header, Base64UrlUnpadded::encode_string(payload));
        let signature = self.key.sign(&Sha256::digest(&text), &mut getrandom::SysRng).ok()?;
        let signature = Base64UrlUnpadded::encode_string(&[signature.r, signature.s].concat());
        Some(format!("{text}.{signature}"))
    }
}
