//! `Idempotency-Key`: the same request sent again is the same reading.
//!
//! As the expired draft-ietf-httpapi-idempotency-key-header-07 has it, in meaning: the same key with the same body is
//! the same reading, with another body it is refused, and while the first is being answered the second has to wait.

use cccd_engine::{CallerId, ReadFailure, ReadId};
use cccd_store::{Claim, Scribe, Store, StoreError};
use http::{HeaderMap, HeaderName};

use crate::problems::Fault;
use crate::refusal::Refusal;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The longest key.
const LONGEST: usize = 255;

/// A key of one caller, with the body it came with. Both are keyed hashes: callers have been seen to take a card's
/// number for a key, and the body holds what opens the chip.
#[derive(Clone)]
pub(crate) struct RequestKey {
    scribe: Scribe,
    caller: CallerId,
    key: [u8; 32],
    body: [u8; 32],
}

/// What is to be done about a request with a key.
pub(crate) enum Standing {
    /// It is the first.
    First,
    /// It was answered with this reading.
    Again(ReadId),
}

impl RequestKey {
    /// The key of a request, where it has one.
    pub(crate) fn of(
        scribe: Option<&Scribe>,
        caller: &CallerId,
        headers: &HeaderMap,
        body_sha256: &[u8; 32],
    ) -> Result<Option<Self>, Refusal> {
        let mut keys = headers.get_all(IDEMPOTENCY_KEY).iter();
        let key = match (keys.next(), keys.next()) {
            (None, _) => return Ok(None),
            (Some(key), None) => key.as_bytes(),
            (Some(_), Some(_)) => return Err(invalid("one Idempotency-Key, not several")),
        };
        let printable = key.iter().all(|byte| (0x20..=0x7E).contains(byte));
        if key.is_empty() || key.len() > LONGEST || !printable {
            return Err(invalid("an Idempotency-Key has 1 to 255 printable ASCII characters"));
        }
        // Without a store nobody could keep the promise.
        let scribe = scribe.ok_or(ReadFailure::AgentFault)?.clone();
        let key = scribe.store().keyed_hash("idempotency-key", key);
        let body = scribe.store().keyed_hash("idempotency-body", body_sha256);
        Ok(Some(Self { scribe, caller: caller.clone(), key, body }))
    }

    /// Takes the key, or tells what it stands for.
    pub(crate) async fn claim(&self) -> Result<Standing, Refusal> {
        let claim = self.clone().at_the_store(|store, request| {
            let now = request.scribe.now();
            store.claim_key(request.caller.as_str(), request.key, request.body, now)
        });
        match claim.await? {
            Claim::New => Ok(Standing::First),
            Claim::OtherBody => Err(Fault::IdempotencyKeyReused.into()),
            Claim::InFlight => Err(Fault::IdempotencyKeyInFlight.into()),
            Claim::Spent => Err(Fault::IdempotencyKeySpent.into()),
            Claim::Read(read) => match ReadId::parse(&read) {
                Some(read) => Ok(Standing::Again(read)),
                None => Err(Fault::IdempotencyKeySpent.into()),
            },
        }
    }

    /// Keeps what the key stands for from now on.
    pub(crate) async fn settle(&self, read: ReadId) -> Result<(), Refusal> {
        let settled = self.clone().at_the_store(move |store, request| {
            store.settle_key(request.caller.as_str(), request.key, &read.to_string())
        });
        settled.await
    }

    /// Gives the key back: nothing has come of its request.
    pub(crate) async fn release(&self) {
        let released = self
            .clone()
            .at_the_store(|store, request| store.release_key(request.caller.as_str(), request.key));
        // The key stays taken then, and whoever tries again hears so.
        let _ = released.await;
    }

    /// The disk is waited for elsewhere.
    async fn at_the_store<T: Send + 'static>(
        self,
        work: impl FnOnce(&Store, &Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let done = tokio::task::spawn_blocking(move || work(self.scribe.store(), &self)).await;
        match done {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => {
                tracing::error!(%error, "an idempotency key cannot be kept");
                Err(ReadFailure::AgentFault.into())
            }
            Err(_) => Err(ReadFailure::AgentFault.into()),
        }
    }
}

fn invalid(why: &'static str) -> Refusal {
    Refusal::from(Fault::ParameterInvalid).because(why)
}
