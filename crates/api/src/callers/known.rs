//! Programs and pages with a token of the settings.

use std::sync::Arc;

use cccd_engine::CallerId;
use cccd_profiles::Caller as KnownCaller;
use http::HeaderValue;

use super::{Caller, CallerKind};
use crate::problems::Fault;

/// Whose token this is. Every caller is compared, so that the time tells nothing of the list.
fn of_token<'a>(callers: &'a [KnownCaller], token: &str) -> Option<&'a KnownCaller> {
    let mut found = None;
    for caller in callers {
        if caller.token.matches(token) {
            found = Some(caller);
        }
    }
    found
}

/// Whether the caller may call from this origin.
pub(super) fn has_origin(caller: &KnownCaller, origin: &[u8]) -> bool {
    caller.origins.iter().any(|known| known.as_str().as_bytes() == origin)
}

/// The caller whose token this is, from where its token may be used.
pub(super) fn caller_of(
    callers: &[KnownCaller],
    token: &str,
    origin: Option<&HeaderValue>,
) -> Result<Caller, Fault> {
    let known = of_token(callers, token).ok_or(Fault::TokenWrong)?;
    let origin = match origin {
        None => None,
        Some(origin) if has_origin(known, origin.as_bytes()) => origin.to_str().ok().map(Arc::from),
        Some(_) => return Err(Fault::OriginNotAllowed),
    };
    let kind = if origin.is_some() { CallerKind::Page } else { CallerKind::Program };
    let profiles = known.profiles.clone().into();
    let results = known.results;
    Ok(Caller { origin, profiles, results, ..Caller::new(CallerId::new(&known.name), kind, known.granted()) })
}
