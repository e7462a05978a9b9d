//! The proof that a paired page sends with every request (DPoP, RFC 9449).

use cccd_jose::{DpopProof, DpopRequest};
use http::request::Parts;
use http::{HeaderName, header};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::gate::{Only, only};
use super::replay::{Remembered, ReplayKind};
use super::{Access, Hosts};
use crate::problems::Fault;
use crate::refusal::Refusal;

/// Where it stands (RFC 9449, 4.1).
pub(crate) const DPOP: HeaderName = HeaderName::from_static("dpop");

/// The proof of this request, if it holds. Whether it was used before is another question: [`use_once`].
pub(crate) fn proof_of(access: &Access, hosts: &Hosts, parts: &Parts) -> Result<DpopProof, Refusal> {
    let wrong = |why: String| Refusal::from(Fault::ProofWrong).because(why);
    let text = match only(&parts.headers, &DPOP) {
        Only::One(text) => text.to_str().map_err(|_| wrong("DPoP: not ASCII".to_owned()))?,
        Only::None => return Err(Fault::TokenMissing.into()),
        Only::Many => return Err(wrong("one DPoP header and no more".to_owned())),
    };
    if parts.headers.contains_key(header::AUTHORIZATION) {
        return Err(wrong("a paired page sends its proof and no Authorization beside it".to_owned()));
    }
    // The gate has found the Host to be one of ours.
    let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let target = format!("{}://{host}{}", hosts.scheme().as_str(), parts.uri.path());
    let now = (access.clock)();
    let request = DpopRequest { method: parts.method.as_str(), target: &target, token: None, now };
    let proof = DpopProof::check(text, request).map_err(|fault| wrong(fault.to_string()))?;
    // Its moment is written in whole seconds: one of the second in which the memory began is the page's second request.
    let began = access.replays.knows_since().map(OffsetDateTime::unix_timestamp);
    if began.is_some_and(|began| proof.made.unix_timestamp() < began) {
        let why = "it was made before the agent started: make another";
        return Err(Refusal::from(Fault::ProofReplayed).because(why));
    }
    Ok(proof)
}

/// Remembers that a proof was used, and refuses one that was before. Asked only where its key is known: strangers leave
/// nothing to remember.
pub(crate) fn use_once(access: &Access, proof: &DpopProof) -> Result<(), Refusal> {
    let name = format!("{} {}", proof.key.thumbprint(), proof.jti);
    let hash = Sha256::digest(name).into();
    match access.replays.remember(ReplayKind::PageProof, hash, proof.forget_after, (access.clock)()) {
        Remembered::Fresh => Ok(()),
        Remembered::Seen => Err(Fault::ProofReplayed.into()),
        Remembered::Unavailable => Err(Fault::ReplayMemoryUnavailable.into()),
    }
}
