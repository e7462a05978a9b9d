//! Sessions: what a signed token of a site is exchanged for.
//!
//! A signed token is good for one thing, once: to open a session. What the page then shows with every request is
//! opaque, lives for minutes, works from one origin, and is known here by its hash alone. Sessions are not written
//! down: after a restart of the agent the page asks its backend for another token.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding};
use cccd_engine::Stay;
use http::HeaderValue;
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::{Caller, Ending};
use crate::problems::Fault;

/// What session tokens begin with, so that one that is over can be told from one that never was.
const PREFIX: &str = "cs_";
/// How many sessions one site may have on one desk. The one that began first makes room.
const MOST_OF_A_SITE: usize = 64;

#[derive(Debug)]
struct Session {
    caller: Caller,
    begun: Instant,
    until: Instant,
    /// Dropped with the session, which ends what streams to it.
    _ends: watch::Sender<bool>,
}

/// The sessions there are.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<HashMap<[u8; 32], Session>>);

/// A session that has begun.
pub(crate) struct Opened {
    /// What its owner shows with every request.
    pub(crate) token: Zeroizing<String>,
    pub(crate) lasts: Duration,
    pub(crate) caller: Caller,
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Whether a token is that of a session, there or over.
pub(super) fn is_of_a_session(token: &str) -> bool {
    token.starts_with(PREFIX)
}

impl Sessions {
    fn all(&self) -> MutexGuard<'_, HashMap<[u8; 32], Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a session of `caller`. Fails where the system has no random numbers.
    pub(super) fn open(&self, caller: Caller, lasts: Duration) -> Result<Opened, getrandom::Error> {
        let mut secret = Zeroizing::new([0; 32]);
        getrandom::fill(secret.as_mut_slice())?;
        let token =
            Zeroizing::new(format!("{PREFIX}{}", Base64UrlUnpadded::encode_string(secret.as_slice())));
        let begun = Instant::now();
        let until = begun + lasts;
        let ends = watch::Sender::new(false);
        let stay = Some(Stay::begin());
        let caller = Caller { ends: Ending::default().at(until).when(ends.subscribe()), stay, ..caller };
        let mut all = self.all();
        all.retain(|_, session| session.until > begun);
        let of_site = |session: &&Session| session.caller.label == caller.label;
        if all.values().filter(of_site).count() >= MOST_OF_A_SITE {
            let oldest =
                all.iter().filter(|(_, session)| of_site(session)).min_by_key(|(_, session)| session.begun);
            if let Some(oldest) = oldest.map(|(hash, _)| *hash) {
                all.remove(&oldest);
            }
        }
        all.insert(hash(&token), Session { caller: caller.clone(), begun, until, _ends: ends });
        Ok(Opened { token, lasts, caller })
    }

    /// Whose session this is, from the page that it was opened for.
    pub(super) fn caller_of(&self, token: &str, origin: Option<&HeaderValue>) -> Result<Caller, Fault> {
        let all = self.all();
        let session = all.get(&hash(token)).filter(|session| session.until > Instant::now());
        let caller = &session.ok_or(Fault::SessionExpired)?.caller;
        if origin.map(HeaderValue::as_bytes) != caller.origin.as_deref().map(str::as_bytes) {
            return Err(Fault::OriginNotAllowed);
        }
        Ok(caller.clone())
    }

    /// Ends the session of this token, if there is one.
    pub(crate) fn end(&self, token: &str) {
        self.all().remove(&hash(token));
    }
}

#[cfg(test)]
mod tests {
    use cccd_engine::CallerId;
    use cccd_profiles::ScopeSet;

    use super::*;
    use crate::callers::CallerKind;

    const ORIGIN: HeaderValue = HeaderValue::from_static("https://his.example.vn");

    fn page() -> Caller {
        let caller = Caller::new(CallerId::new("site:his"), CallerKind::Site, ScopeSet::NONE);
        Caller { origin: Some("https://his.example.vn".into()), ..caller }
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_works_from_its_page_until_it_is_over() {
        let sessions = Sessions::default();
        let opened = sessions.open(page(), Duration::from_secs(60)).unwrap();
        let other = HeaderValue::from_static("https://other.example.vn");
        assert!(is_of_a_session(&opened.token));
        assert!(sessions.caller_of(&opened.token, Some(&ORIGIN)).is_ok());
        assert_eq!(sessions.caller_of(&opened.token, Some(&other)).err(), Some(Fault::OriginNotAllowed));
        assert_eq!(sessions.caller_of(&opened.token, None).err(), Some(Fault::OriginNotAllowed));
        let stream = tokio::spawn(opened.caller.ends.come());
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(sessions.caller_of(&opened.token, Some(&ORIGIN)).err(), Some(Fault::SessionExpired));
        stream.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_is_given_up_ends_what_streams_to_it() {
        let sessions = Sessions::default();
        let opened = sessions.open(page(), Duration::from_secs(60)).unwrap();
        let began = Instant::now();
        sessions.end(&opened.token);
        opened.caller.ends.come().await;
        assert_eq!(Instant::now(), began);
        assert_eq!(sessions.caller_of(&opened.token, Some(&ORIGIN)).err(), Some(Fault::SessionExpired));
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_session_of_a_site_makes_room() {
        let sessions = Sessions::default();
        let mut tokens = Vec::new();
        for _ in 0..=MOST_OF_A_SITE {
            tokens.push(sessions.open(page(), Duration::from_secs(600)).unwrap().token);
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert!(sessions.caller_of(&tokens[0], Some(&ORIGIN)).is_err());
        assert!(tokens[1..].iter().all(|token| sessions.caller_of(token, Some(&ORIGIN)).is_ok()));
        assert_eq!(sessions.all().len(), MOST_OF_A_SITE);
    }
}
