//! Pairings that wait for their code.
//!
//! A page asks, with a key it has made. Whoever stands at the desk is shown who asks, for what, and a code, and types
//! the code into that page: so they have both in front of them, and a page that only claims to stand there has no code.
//! The code is never told to the page. Nothing of this outlives a restart.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cccd_jose::PublicKey;
use cccd_profiles::{Origin, ScopeSet};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// How long a code is good for.
pub(crate) const WITHIN: Duration = Duration::from_secs(60);
/// How many wrong codes end a pairing.
pub(crate) const TRIES: u8 = 3;
/// Digits of a code: whoever may try three times hits one in 300,000.
const DIGITS: usize = 6;
/// How many may wait at once, one for each origin.
const AT_ONCE: usize = 4;
/// How often pages may ask within [`COUNTED`]: one origin, and all of them. It bounds how often anybody may guess.
const ASKED_BY_ONE: usize = 5;
const ASKED_BY_ALL: usize = 20;
const COUNTED: Duration = Duration::from_secs(600);

/// The name of a pairing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PairingId([u8; 16]);

/// What a page asks for.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) origin: Origin,
    pub(crate) label: String,
    pub(crate) scopes: ScopeSet,
    pub(crate) profiles: Vec<String>,
    pub(crate) key: PublicKey,
}

/// A pairing as the desk sees it.
#[derive(Clone)]
pub(crate) struct Waiting {
    pub(crate) id: PairingId,
    pub(crate) asked: Asked,
    pub(crate) code: Zeroizing<String>,
    pub(crate) tries_left: u8,
    pub(crate) until: Instant,
}

/// Why there is no pairing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoPairing {
    /// Too many were asked for.
    TooMany,
    /// The operating system gives no randomness.
    NoEntropy,
    /// None of this name waits for this page: it never was, it is over, or it is another's.
    Unknown,
    /// The code is another one.
    Wrong { tries_left: u8 },
}

/// Those that wait.
#[derive(Default)]
pub(crate) struct Pairings(Mutex<State>);

#[derive(Default)]
struct State {
    waiting: Vec<Waiting>,
    /// Who asked when, the oldest first.
    asked: VecDeque<(Instant, Origin)>,
}

impl Pairings {
    /// Begins a pairing. One that the same origin began before is over.
    pub(crate) fn begin(&self, asked: Asked, now: Instant) -> Result<Waiting, NoPairing> {
        let mut state = self.at(now);
        let by_this_one = state.asked.iter().filter(|(_, origin)| *origin == asked.origin).count();
        state.waiting.retain(|waiting| waiting.asked.origin != asked.origin);
        if by_this_one >= ASKED_BY_ONE || state.asked.len() >= ASKED_BY_ALL || state.waiting.len() >= AT_ONCE
        {
            return Err(NoPairing::TooMany);
        }
        let waiting = Waiting {
            id: PairingId::draw()?,
            code: draw_code()?,
            tries_left: TRIES,
            until: now + WITHIN,
            asked,
        };
        state.asked.push_back((now, waiting.asked.origin.clone()));
        state.waiting.push(waiting.clone());
        Ok(waiting)
    }

    /// Whether a pairing of this name waits for this page.
    pub(crate) fn waits(&self, id: PairingId, origin: &Origin, key: &PublicKey, now: Instant) -> bool {
        self.at(now).waiting.iter().any(|waiting| waiting.is_of(id, origin, key))
    }

    /// What was asked for, if this is its code. The pairing is over then; so it is after the last try.
    pub(crate) fn confirm(
        &self,
        id: PairingId,
        origin: &Origin,
        key: &PublicKey,
        code: &str,
        now: Instant,
    ) -> Result<Asked, NoPairing> {
        let mut state = self.at(now);
        let its_own = |waiting: &Waiting| waiting.is_of(id, origin, key);
        let place = state.waiting.iter().position(its_own).ok_or(NoPairing::Unknown)?;
        let Some(waiting) = state.waiting.get_mut(place) else { return Err(NoPairing::Unknown) };
        // People write a code in groups.
        let typed: Zeroizing<String> = Zeroizing::new(code.chars().filter(|letter| *letter != ' ').collect());
        if waiting.code.as_bytes().ct_eq(typed.as_bytes()).into() {
            return Ok(state.waiting.swap_remove(place).asked);
        }
        waiting.tries_left = waiting.tries_left.saturating_sub(1);
        let tries_left = waiting.tries_left;
        if tries_left == 0 {
            state.waiting.swap_remove(place);
        }
        Err(NoPairing::Wrong { tries_left })
    }

    /// Ends a pairing. Whether there was one.
    pub(crate) fn refuse(&self, id: PairingId, now: Instant) -> bool {
        let mut state = self.at(now);
        let before = state.waiting.len();
        state.waiting.retain(|waiting| waiting.id != id);
        state.waiting.len() < before
    }

    /// Those that wait now.
    pub(crate) fn waiting(&self, now: Instant) -> Vec<Waiting> {
        self.at(now).waiting.clone()
    }

    /// The state without what is over.
    fn at(&self, now: Instant) -> MutexGuard<'_, State> {
        // Nothing in here stops halfway.
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.waiting.retain(|waiting| now < waiting.until);
        while state.asked.front().is_some_and(|(when, _)| now.duration_since(*when) >= COUNTED) {
            state.asked.pop_front();
        }
        state
    }
}

impl Waiting {
    fn is_of(&self, id: PairingId, origin: &Origin, key: &PublicKey) -> bool {
        self.id == id && self.asked.origin == *origin && self.asked.key == *key
    }
}

/// Decimal digits, each as likely as the others.
fn draw_code() -> Result<Zeroizing<String>, NoPairing> {
    let mut code = Zeroizing::new(String::with_capacity(DIGITS));
    let mut bytes = Zeroizing::new([0_u8; 16]);
    loop {
        getrandom::fill(bytes.as_mut_slice()).map_err(|_| NoPairing::NoEntropy)?;
        // 250 is the largest multiple of ten that a byte reaches.
        for byte in bytes.iter().filter(|byte| **byte < 250) {
            if code.len() == DIGITS {
                return Ok(code);
            }
            code.push(char::from(b'0' + byte % 10));
        }
    }
}

impl PairingId {
    fn draw() -> Result<Self, NoPairing> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|_| NoPairing::NoEntropy)?;
        Ok(Self(bytes))
    }

    /// The name as it is written, and in no other spelling.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes)).filter(|id| id.to_string() == text)
    }
}

impl fmt::Display for PairingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8037, A.2, and RFC 7517, A.1.
    const KEYS: [&str; 2] = [
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
        r#"{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}"#,
    ];

    fn key(number: usize) -> PublicKey {
        PublicKey::from_jwk(KEYS[number]).unwrap()
    }

    fn asked(origin: &str) -> Asked {
        let origin = Origin::parse(origin).unwrap();
        let scopes = ScopeSet::reading();
        Asked { origin, label: "Quầy 1".into(), scopes, profiles: Vec::new(), key: key(0) }
    }

    const HIS: &str = "https://his.example.vn";

    fn other_than(code: &str) -> String {
        let last = if code.ends_with('0') { '1' } else { '0' };
        format!("{}{last}", &code[..5])
    }

    #[test]
    fn the_code_at_the_desk_pairs_the_page_that_asked_once() {
        let (pairings, now) = (Pairings::default(), Instant::now());
        let waiting = pairings.begin(asked(HIS), now).unwrap();
        assert!(waiting.code.len() == 6 && waiting.code.bytes().all(|byte| byte.is_ascii_digit()));
        let confirm = |key: &PublicKey, origin: &str, code: &str| {
            pairings.confirm(waiting.id, &Origin::parse(origin).unwrap(), key, code, now)
        };
        // Neither another key nor another page hears whether there is such a pairing, and neither costs a try.
        assert_eq!(confirm(&key(1), HIS, &waiting.code).err(), Some(NoPairing::Unknown));
        assert_eq!(confirm(&key(0), "https://evil.example", &waiting.code).err(), Some(NoPairing::Unknown));
        let grouped = format!("{} {}", &waiting.code[..3], &waiting.code[3..]);
        assert_eq!(confirm(&key(0), HIS, &grouped).unwrap().label, "Quầy 1");
        assert_eq!(confirm(&key(0), HIS, &waiting.code).err(), Some(NoPairing::Unknown));
    }

    #[test]
    fn three_wrong_codes_or_a_minute_end_it() {
        let (pairings, now) = (Pairings::default(), Instant::now());
        let waiting = pairings.begin(asked(HIS), now).unwrap();
        let confirm =
            |code: &str, now| pairings.confirm(waiting.id, &waiting.asked.origin, &key(0), code, now);
        let wrong = other_than(&waiting.code);
        for tries_left in [2, 1, 0] {
            assert_eq!(confirm(&wrong, now).err(), Some(NoPairing::Wrong { tries_left }));
        }
        assert_eq!(confirm(&waiting.code, now).err(), Some(NoPairing::Unknown));

        let waiting = pairings.begin(asked(HIS), now).unwrap();
        let confirm = |now| pairings.confirm(waiting.id, &waiting.asked.origin, &key(0), &waiting.code, now);
        assert_eq!(pairings.waiting(now + WITHIN - Duration::from_millis(1)).len(), 1);
        assert_eq!(confirm(now + WITHIN).err(), Some(NoPairing::Unknown));
        assert!(pairings.waiting(now + WITHIN).is_empty());
    }

    #[test]
    fn one_waits_for_each_origin_and_nobody_asks_without_end() {
        let (pairings, now) = (Pairings::default(), Instant::now());
        let first = pairings.begin(asked(HIS), now).unwrap();
        for _ in 1..ASKED_BY_ONE {
            pairings.begin(asked(HIS), now).unwrap();
        }
        assert_eq!(pairings.waiting(now).len(), 1);
        let late = pairings.confirm(first.id, &first.asked.origin, &key(0), &first.code, now);
        assert_eq!(late.err(), Some(NoPairing::Unknown));
        assert_eq!(pairings.begin(asked(HIS), now).err(), Some(NoPairing::TooMany));
        // Another one may still ask, until too many wait.
        for number in 0..AT_ONCE {
            pairings.begin(asked(&format!("https://desk{number}.example.vn")), now).unwrap();
        }
        assert_eq!(pairings.begin(asked("https://more.example.vn"), now).err(), Some(NoPairing::TooMany));
        pairings.begin(asked(HIS), now + COUNTED).unwrap();
    }

    #[test]
    fn codes_differ_and_use_every_digit() {
        let codes: std::collections::BTreeSet<String> =
            (0..200).map(|_| draw_code().unwrap().to_string()).collect();
        assert!(codes.len() > 190);
        let digits: std::collections::BTreeSet<char> = codes.iter().flat_map(|code| code.chars()).collect();
        assert_eq!(digits.len(), 10);
    }
}
