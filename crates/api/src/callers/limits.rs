//! How much one caller may ask for, and how often anybody may be wrong.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How many seconds' worth of requests may come at once.
const BURST_SECONDS: f64 = 20.0;
/// Tokens that are wrong: so many at once, and so many a second in the long run. No token can be guessed; whoever
/// tries in a loop is told to stop, and shows in the log.
const WRONG_AT_ONCE: f64 = 30.0;
const WRONG_PER_SECOND: f64 = 1.0;
/// Proofs of the agent's identity, which anybody may ask for and each of which costs a signature.
const PROOFS_AT_ONCE: f64 = 40.0;
const PROOFS_PER_SECOND: f64 = 10.0;
/// How many callers are told apart. Who has asked for nothing for long is forgotten first.
const MOST: usize = 4096;

/// What is left of what one may have: it fills again as time goes by.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

/// A bucket for each.
#[derive(Debug)]
struct Buckets<K> {
    size: f64,
    per_second: f64,
    of: Mutex<HashMap<K, Bucket>>,
}

impl<K: Hash + Eq> Buckets<K> {
    fn new(size: f64, per_second: f64) -> Self {
        Self { size, per_second, of: Mutex::new(HashMap::new()) }
    }

    /// Takes one; where there is none left, how long until there is.
    fn take(&self, whose: K) -> Result<(), Duration> {
        if self.per_second <= 0.0 {
            return Ok(());
        }
        let now = Instant::now();
        let filled = |bucket: &Bucket| {
            let gained = now.duration_since(bucket.at).as_secs_f64() * self.per_second;
            (bucket.left + gained).min(self.size)
        };
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        if of.len() >= MOST {
            of.retain(|_, bucket| filled(bucket) < self.size);
        }
        let bucket = of.entry(whose).or_insert(Bucket { left: self.size, at: now });
        let left = filled(bucket);
        *bucket = Bucket { left: if left >= 1.0 { left - 1.0 } else { left }, at: now };
        if left >= 1.0 { Ok(()) } else { Err(Duration::from_secs_f64((1.0 - left) / self.per_second)) }
    }
}

/// The limits of one API.
#[derive(Debug)]
pub(crate) struct Limits {
    requests: Buckets<String>,
    /// By the origin that the wrong token came from; programs, which have none, share one.
    wrong: Buckets<Option<Vec<u8>>>,
    /// Likewise.
    proofs: Buckets<Option<Vec<u8>>>,
}

impl Limits {
    /// So many requests of one caller in a second, in the long run; zero for any number.
    pub(crate) fn new(requests_per_second: u32) -> Self {
        let per_second = f64::from(requests_per_second);
        Self {
            requests: Buckets::new(per_second * BURST_SECONDS, per_second),
            wrong: Buckets::new(WRONG_AT_ONCE, WRONG_PER_SECOND),
            proofs: Buckets::new(PROOFS_AT_ONCE, PROOFS_PER_SECOND),
        }
    }

    /// One more request of this caller; how long to wait where it is one too many.
    pub(super) fn request(&self, caller: &str) -> Result<(), Duration> {
        self.requests.take(caller.to_owned())
    }

    /// One more proof of identity for whoever asks from there.
    pub(crate) fn proof(&self, origin: Option<&[u8]>) -> Result<(), Duration> {
        self.proofs.take(origin.map(<[u8]>::to_vec))
    }

    /// One more wrong token from there.
    pub(super) fn wrong_token(&self, origin: Option<&[u8]>) -> Result<(), Duration> {
        self.wrong.take(origin.map(<[u8]>::to_vec))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_caller_who_asks_too_much_waits_and_others_do_not() {
        let limits = Limits::new(5);
        let served = (0..1000).take_while(|_| limits.request("busy").is_ok()).count();
        assert_eq!(served, 100);
        let wait = limits.request("busy").unwrap_err();
        assert!(limits.request("calm").is_ok());
        tokio::time::advance(wait + Duration::from_millis(1)).await;
        assert!(limits.request("busy").is_ok());
        assert!(limits.request("busy").is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn zero_is_no_limit() {
        let limits = Limits::new(0);
        assert!((0..10_000).all(|_| limits.request("busy").is_ok()));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_callers_are_told_apart_than_there_is_room_for() {
        let buckets = Buckets::new(2.0, 1.0);
        for name in 0..3 * MOST {
            buckets.take(name).unwrap();
            tokio::time::advance(Duration::from_millis(10)).await;
        }
        assert!(buckets.of.lock().unwrap().len() <= MOST);
    }
}
