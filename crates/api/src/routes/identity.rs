//! The agent says who it is, and proves it.

use axum::Json;
use axum::extract::State;
use cccd_evidence::Identity;
use http::{HeaderMap, HeaderValue, header};

use crate::api::Desk;
use crate::extract::IdentityNonce;
use crate::problems::Fault;
use crate::refusal::Refusal;
use crate::wire::IdentityJson;

/// Proves that this is the agent whose key is known from before, and no other program on its port.
///
/// `proof` is a JSON Web Signature in compact form under ES256, of type `cccd-agent-identity+jwt`: over the nonce, the
/// address that was called (`host`), and the page that asked (`origin`). Compare all three with what was asked, and
/// the key with the one that was pinned; a page sends its token only then. Sites take `agent_id` as `aud` of what they
/// sign.
#[utoipa::path(
    get,
    path = "/.well-known/cccd-agent",
    tag = "agent",
    params(("nonce" = String, Query, description = "16 to 64 bytes, drawn anew, in hexadecimal digits.",
        pattern = "^([0-9a-fA-F]{2}){16,64}$", min_length = 32, max_length = 128)),
    responses((status = 200, description = "The proof.", body = IdentityJson)),
)]
pub(crate) async fn prove_identity(
    State(desk): State<Desk>,
    headers: HeaderMap,
    IdentityNonce(nonce): IdentityNonce,
) -> Result<Json<IdentityJson>, Refusal> {
    let page = headers.get(header::ORIGIN).map(HeaderValue::as_bytes);
    desk.limits.proof(page).map_err(|wait| Refusal::from(Fault::RateLimited).after(wait))?;
    let key = desk.evidence_key.as_ref().ok_or(Fault::IdentityUnavailable)?;
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    // The gate has compared both with what they may be.
    let host = text(header::HOST).unwrap_or_default();
    let identity = Identity {
        origin: text(header::ORIGIN),
        workstation_id: desk.access.workstation_id.clone(),
        ..Identity::of(key, &nonce, &host, (desk.access.clock)())
    };
    let proof = identity.sign(key, &mut getrandom::SysRng).ok_or(Fault::IdentityUnavailable)?;
    Ok(Json(IdentityJson {
        agent_id: identity.iss,
        workstation_id: identity.workstation_id,
        key: key.public_jwk_text(),
        proof,
    }))
}
