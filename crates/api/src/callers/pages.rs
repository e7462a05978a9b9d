//! Paired pages as they call: found by their key, gone at once when their grant is taken back.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cccd_engine::{CallerId, EngineHandle, Stay};
use cccd_profiles::Origin;
use http::request::Parts;
use http::{HeaderMap, header};
use tokio::sync::watch;
use tokio::time::Instant;

use super::gate::{Only, only};
use super::paired::{BookFault, Grant};
use super::proof::{proof_of, use_once};
use super::{Access, Caller, CallerKind, Ending, Hosts};
use crate::problems::Fault;
use crate::refusal::Refusal;

/// What ends with each grant: everything that is answered to its page at that moment, and what it waits for.
#[derive(Debug, Default)]
pub(crate) struct Pages(Mutex<HashMap<String, Live>>);

/// A page that is answered now.
#[derive(Debug)]
struct Live {
    ends: watch::Sender<bool>,
    stay: Stay,
}

impl Pages {
    fn live(&self) -> MutexGuard<'_, HashMap<String, Live>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The page whose key signed the proof of this request, if its grant counts and it is where it was paired.
    pub(super) fn caller_of(&self, access: &Access, hosts: &Hosts, parts: &Parts) -> Result<Caller, Refusal> {
        let proof = proof_of(access, hosts, parts)?;
        let id = proof.key.thumbprint();
        let now = (access.clock)();
        // Asked for under the lock: a grant that is taken back meanwhile ends what is entered here.
        let mut live = self.live();
        let grant = access.grants.grant(&id).filter(|grant| grant.expires > now);
        let grant = grant.ok_or(Fault::PairingRequired)?;
        if !is_from(&grant.origin, hosts, &parts.headers) {
            return Err(Fault::OriginNotAllowed.into());
        }
        use_once(access, &proof)?;
        live.retain(|_, page| page.ends.receiver_count() > 0);
        let page =
            live.entry(id).or_insert_with(|| Live { ends: watch::Sender::new(false), stay: Stay::begin() });
        let (ends, stay) = (page.ends.subscribe(), page.stay.clone());
        drop(live);
        let ends = Ending::default().when(ends);
        let left = Duration::try_from(grant.expires - now).unwrap_or_default();
        let ends = match Instant::now().checked_add(left) {
            Some(until) => ends.at(until),
            None => ends,
        };
        Ok(Caller {
            label: grant.origin.as_str().into(),
            origin: Some(grant.origin.as_str().into()),
            profiles: grant.profiles.clone().into(),
            results: access.pairing.results,
            stay: Some(stay),
            ends,
            ..Caller::new(caller_id(&grant), CallerKind::Paired, grant.scopes)
        })
    }

    /// Takes a grant back: its page is nobody from then on. `None` where there was none.
    pub(crate) fn take_back(&self, access: &Access, id: &str) -> Result<Option<TakenBack>, BookFault> {
        let Some(grant) = access.grants.grant(id) else { return Ok(None) };
        let mut live = self.live();
        if !access.grants.revoke(id)? {
            return Ok(None);
        }
        tracing::info!(origin = %grant.origin, "grant taken back");
        Ok(Some(TakenBack { page: caller_id(&grant), live: live.remove(id) }))
    }
}

/// A page whose grant was taken back, and what of it still goes on.
#[must_use]
pub(crate) struct TakenBack {
    page: CallerId,
    live: Option<Live>,
}

impl TakenBack {
    /// Ends what goes on: streams, answers, readings, results, scans, leases.
    pub(crate) async fn end(self, engine: EngineHandle) {
        if let Some(Live { ends, stay }) = self.live {
            ends.send_replace(true);
            // First: what is asked for at this moment finds the stay over, and leaves nothing behind the forgetting.
            let _ = engine.end_stay(stay).await;
        }
        // Where the engine has stopped there is nothing that could go on.
        let _ = engine.forget(self.page).await;
    }
}

/// Whose readings a paired page's are. No name of the settings has a colon.
fn caller_id(grant: &Grant) -> CallerId {
    CallerId::new(&format!("paired:{}", grant.id))
}

/// The grant of the paired page that calls; of nobody else.
pub(crate) fn own_grant(access: &Access, caller: &Caller) -> Result<Grant, Refusal> {
    let id = caller.id.as_str().strip_prefix("paired:").filter(|_| caller.kind == CallerKind::Paired);
    id.and_then(|id| access.grants.grant(id)).ok_or_else(|| Fault::PairingRequired.into())
}

/// Whether a request comes from the page that was paired. A browser names the page of every request to another origin;
/// a page of this agent's own asks its own.
fn is_from(origin: &Origin, hosts: &Hosts, headers: &HeaderMap) -> bool {
    match only(headers, &header::ORIGIN) {
        Only::One(named) => named.as_bytes() == origin.as_str().as_bytes(),
        Only::None => hosts.is_own(origin.as_str()),
        Only::Many => false,
    }
}
