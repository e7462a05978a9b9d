//! Tokens and keys that pages, sites and strangers send: read before anybody knows whose they are.

use std::hint::black_box;
use std::sync::LazyLock;

use anyhow::Context as _;
use base64ct::{Base64UrlUnpadded, Encoding as _};
use cccd_curve::{CurveId, KeyPair};
use cccd_jose::{Compact, DpopProof, DpopRequest, PublicKey};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

/// RFC 8037, A.2.
pub(crate) const ED25519: &str =
    r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
/// RFC 8037, A.4.
pub(crate) const SIGNED: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
     hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
/// What the proofs of the seeds are about, and when.
pub(crate) const TARGET: &str = "http://127.0.0.1:9303/v1/reads";
pub(crate) const NOW: i64 = 1_795_935_600;

static KEY: LazyLock<Option<PublicKey>> = LazyLock::new(|| PublicKey::from_jwk(ED25519).ok());

/// A token: that it is none of this key's is no reason to call it unread.
pub(crate) fn signed_token(bytes: &[u8]) -> Option<()> {
    let token = Compact::parse(std::str::from_utf8(bytes).ok()?).ok()?;
    black_box((token.kind(), token.payload()));
    if let Some(key) = token.own_key().or(KEY.as_ref()) {
        black_box(token.verify(key).is_ok());
    }
    Some(())
}

/// A key as JSON or PEM. What was read is written and read again as the same.
pub(crate) fn public_key(bytes: &[u8]) -> Option<()> {
    let key = PublicKey::parse(std::str::from_utf8(bytes).ok()?).ok()?;
    let again = PublicKey::from_jwk(&key.to_jwk());
    assert!(again.is_ok_and(|again| again == key && again.thumbprint() == key.thumbprint()));
    Some(())
}

fn request() -> Option<DpopRequest<'static>> {
    let now = OffsetDateTime::from_unix_timestamp(NOW).ok()?;
    Some(DpopRequest { method: "POST", target: TARGET, token: None, now })
}

/// A proof as a page sends it.
pub(crate) fn dpop_proof(bytes: &[u8]) -> Option<()> {
    let proof = DpopProof::check(std::str::from_utf8(bytes).ok()?, request()?).ok()?;
    // Whoever remembers it can let it go in a few minutes, whatever it says.
    let now = request()?.now;
    assert!(proof.forget_after > now && proof.forget_after < now + time::Duration::minutes(5));
    Some(())
}

/// The claims of a proof, under a signature that fits.
pub(crate) fn dpop_claims(bytes: &[u8]) -> Option<()> {
    dpop_proof(prove(bytes)?.as_bytes())
}

/// A page's proof with these claims.
pub(crate) fn prove(claims: &[u8]) -> Option<String> {
    let page = PAGE.as_ref().ok()?;
    let text = format!("{}.{}", page.header, Base64UrlUnpadded::encode_string(claims));
    let signature = page.key.sign(&Sha256::digest(&text), &mut getrandom::SysRng).ok()?;
    let signature = Base64UrlUnpadded::encode_string(&[signature.r, signature.s].concat());
    Some(format!("{text}.{signature}"))
}

/// The public half of the page's key.
#[cfg(feature = "seeds")]
pub(crate) fn page_key() -> Option<&'static str> {
    Some(&PAGE.as_ref().ok()?.jwk)
}

struct Page {
    key: KeyPair,
    jwk: String,
    header: String,
}

static PAGE: LazyLock<anyhow::Result<Page>> = LazyLock::new(|| {
    let key = KeyPair::from_secret(CurveId::NistP256, &[0x5A; 32])?;
    let (x, y) = key.public_key().get(1..).context("no point")?.split_at(32);
    let [x, y] = [x, y].map(Base64UrlUnpadded::encode_string);
    let jwk = format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#);
    let header = format!(r#"{{"typ":"dpop+jwt","alg":"ES256","jwk":{jwk}}}"#);
    Ok(Page { key, jwk, header: Base64UrlUnpadded::encode_string(header.as_bytes()) })
});
