//! Programs at a door, whatever carries their packets (`carriers.rs`): what waits for each, and what each has said.
//!
//! A session is bounded every way: how many there are, and how much waits for one that does not take it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cccd_hn212::write::{self, Written};
use http::HeaderValue;
use subtle::ConstantTimeEq as _;
use tokio::sync::{mpsc, watch};
use zeroize::Zeroizing;

use super::conversation::Left;
use crate::problems::Fault;
use crate::refusal::Refusal;

/// How many programs a door serves: a desk has one or two.
pub(super) const MOST_SESSIONS: usize = 32;
/// How much may wait for one that does not take it: whoever is further behind has gone.
const MOST_WAITING: usize = 32;
const MOST_WAITING_BYTES: usize = 8 * 1024 * 1024;
/// How many packets may wait to be heard.
const UNHEARD: usize = 8;

/// All of one door.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<Vec<Arc<Session>>>);

/// One program.
#[derive(Debug)]
pub(super) struct Session {
    /// A name that says nothing, and that nobody guesses: whoever knows it takes what waits here.
    pub(super) name: String,
    /// The page it is, if it is one.
    pub(super) origin: Option<HeaderValue>,
    waiting: watch::Sender<Waiting>,
    heard: mpsc::Sender<Zeroizing<String>>,
}

/// What the program has not taken yet, and how it takes it.
#[derive(Default)]
struct Waiting {
    packets: VecDeque<Arc<Written>>,
    bytes: usize,
    carrier: Carrier,
    /// Whose turn it is to take: of two requests the later.
    turn: u64,
    is_over: bool,
}

/// How packets reach the program.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Carrier {
    /// It asks for them.
    #[default]
    Polling,
    /// It asks for them still, and is about to stop: whatever it asks is answered at once.
    Upgrading,
    /// They are sent to it.
    WebSocket,
}

/// What there is to take.
#[derive(Debug)]
pub(super) enum Taken {
    /// In order, at least one.
    Packets(Vec<Arc<Written>>),
    /// Nothing here: another takes from now on.
    Nothing,
    /// Nothing any more.
    Over,
}

impl Sessions {
    fn all(&self) -> MutexGuard<'_, Vec<Arc<Session>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins one, and gives what will be heard of it.
    pub(super) fn begin(
        &self,
        origin: Option<HeaderValue>,
    ) -> Result<(Arc<Session>, mpsc::Receiver<Zeroizing<String>>), Refusal> {
        let mut name = [0; 16];
        getrandom::fill(&mut name).map_err(|_| cccd_engine::ReadFailure::AgentFault)?;
        let mut all = self.all();
        if all.len() >= MOST_SESSIONS {
            return Err(Refusal::from(Fault::RateLimited)
                .because("as many programs are connected as this door serves"));
        }
        let (heard, hearing) = mpsc::channel(UNHEARD);
        let waiting = watch::Sender::new(Waiting::default());
        let session = Arc::new(Session { name: hex::encode(name), origin, waiting, heard });
        all.push(Arc::clone(&session));
        Ok((session, hearing))
    }

    /// The one of this name, asked for from where it began. Every name is compared, so that the time tells nothing of them.
    pub(super) fn find(&self, name: &str, origin: Option<&HeaderValue>) -> Option<Arc<Session>> {
        let mut found = None;
        for session in self.all().iter() {
            if bool::from(session.name.as_bytes().ct_eq(name.as_bytes())) {
                found = Some(Arc::clone(session));
            }
        }
        found.filter(|session| session.origin.as_ref() == origin)
    }

    /// Forgets one.
    pub(super) fn end(&self, ended: &Session) {
        self.all().retain(|session| session.name != ended.name);
    }
}

impl Session {
    /// Puts a packet where the program takes it.
    pub(super) fn say(&self, packet: Arc<Written>) -> Result<(), Left> {
        let mut is_put = false;
        self.waiting.send_if_modified(|waiting| {
            let bytes = waiting.bytes.saturating_add(packet.len());
            if !waiting.is_over && waiting.packets.len() < MOST_WAITING && bytes <= MOST_WAITING_BYTES {
                waiting.packets.push_back(packet);
                waiting.bytes = bytes;
                is_put = true;
            }
            is_put
        });
        if is_put { Ok(()) } else { Err(Left) }
    }

    /// Hands on what the program has said.
    pub(super) async fn hear(&self, packet: &str) -> Result<(), Left> {
        self.heard.send(Zeroizing::new(packet.to_owned())).await.map_err(|_| Left)
    }

    /// The turn to take, by this carrier; `None` where packets are sent and no longer asked for.
    pub(super) fn turn(&self, carrier: Carrier) -> Option<u64> {
        let mut turn = None;
        self.waiting.send_modify(|waiting| {
            match (waiting.carrier, carrier) {
                (Carrier::WebSocket, _) => return,
                // Whoever is about to stop asking may ask once more.
                (Carrier::Upgrading, Carrier::Polling) => {}
                (_, carrier) => waiting.carrier = carrier,
            }
            waiting.turn += 1;
            turn = Some(waiting.turn);
        });
        turn
    }

    /// It asks for its packets as before.
    pub(super) fn stays(&self) {
        self.waiting.send_if_modified(|waiting| {
            let upgrading = waiting.carrier == Carrier::Upgrading;
            if upgrading {
                waiting.carrier = Carrier::Polling;
            }
            upgrading
        });
    }

    /// Waits for packets.
    pub(super) async fn take(&self, turn: u64) -> Taken {
        let mut changes = self.waiting.subscribe();
        loop {
            let mut taken = None;
            self.waiting.send_if_modified(|waiting| {
                taken = waiting.take(turn);
                matches!(taken, Some(Taken::Packets(_)))
            });
            if let Some(taken) = taken {
                return taken;
            }
            if changes.changed().await.is_err() {
                return Taken::Over;
            }
        }
    }

    /// Says no more; what waits is still taken. Whoever asks hears last that it is over.
    pub(super) fn close(&self) {
        self.waiting.send_modify(|waiting| {
            if !std::mem::replace(&mut waiting.is_over, true) && waiting.carrier != Carrier::WebSocket {
                waiting.packets.push_back(Arc::new(write::close()));
            }
        });
    }

    /// The program has gone: nobody takes what waits.
    pub(super) fn leave(&self) {
        self.waiting.send_modify(|waiting| {
            waiting.is_over = true;
            waiting.packets.clear();
        });
    }

    /// Waits until nothing more is said.
    pub(super) async fn is_over(&self) {
        let _ = self.waiting.subscribe().wait_for(|waiting| waiting.is_over).await;
    }

    /// Waits until nothing waits.
    pub(super) async fn is_taken(&self) {
        let _ = self.waiting.subscribe().wait_for(|waiting| waiting.packets.is_empty()).await;
    }
}

impl Waiting {
    fn take(&mut self, turn: u64) -> Option<Taken> {
        if self.turn != turn {
            return Some(Taken::Nothing);
        }
        if !self.packets.is_empty() {
            self.bytes = 0;
            return Some(Taken::Packets(self.packets.drain(..).collect()));
        }
        if self.is_over {
            return Some(Taken::Over);
        }
        (self.carrier == Carrier::Upgrading).then_some(Taken::Nothing)
    }
}

/// What waits is about a person.
impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waiting")
            .field("packets", &self.packets.len())
            .field("carrier", &self.carrier)
            .field("is_over", &self.is_over)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(text: &str) -> Arc<Written> {
        Arc::new(Zeroizing::new(text.to_owned()))
    }

    fn texts(taken: Taken) -> Vec<String> {
        let Taken::Packets(packets) = taken else { panic!("{taken:?}") };
        packets.iter().map(|packet| packet.as_str().to_owned()).collect()
    }

    #[tokio::test]
    async fn packets_are_taken_once_and_in_order_by_whoever_asked_last() {
        let sessions = Sessions::default();
        let (session, _hearing) = sessions.begin(None).unwrap();
        let first = session.turn(Carrier::Polling).unwrap();
        let second = session.turn(Carrier::Polling).unwrap();
        assert!(matches!(session.take(first).await, Taken::Nothing));
        let waiting = tokio::spawn({
            let session = Arc::clone(&session);
            async move { texts(session.take(second).await) }
        });
        session.say(packet("a")).unwrap();
        assert_eq!(waiting.await.unwrap(), ["a"]);
        session.say(packet("b")).unwrap();
        session.say(packet("c")).unwrap();
        session.close();
        assert!(session.say(packet("d")).is_err());
        assert_eq!(texts(session.take(second).await), ["b", "c", "1"]);
        assert!(matches!(session.take(second).await, Taken::Over));
    }

    #[tokio::test]
    async fn whoever_moves_to_a_websocket_is_asked_no_more() {
        let sessions = Sessions::default();
        let (session, _hearing) = sessions.begin(None).unwrap();
        let asking = session.turn(Carrier::Polling).unwrap();
        let pending = tokio::spawn({
            let session = Arc::clone(&session);
            async move { session.take(asking).await }
        });
        session.turn(Carrier::Upgrading).unwrap();
        assert!(matches!(pending.await.unwrap(), Taken::Nothing));
        // One more that was on its way.
        let late = session.turn(Carrier::Polling).unwrap();
        assert!(matches!(session.take(late).await, Taken::Nothing));
        session.say(packet("a")).unwrap();
        let sent = session.turn(Carrier::WebSocket).unwrap();
        assert!(session.turn(Carrier::Polling).is_none());
        assert!(session.turn(Carrier::WebSocket).is_none());
        assert_eq!(texts(session.take(sent).await), ["a"]);
    }

    #[tokio::test]
    async fn what_is_not_taken_does_not_grow() {
        let sessions = Sessions::default();
        let (session, _hearing) = sessions.begin(None).unwrap();
        for _ in 0..MOST_WAITING {
            session.say(packet("a")).unwrap();
        }
        assert!(session.say(packet("a")).is_err());
        let turn = session.turn(Carrier::Polling).unwrap();
        session.take(turn).await;
        let large = packet(&"a".repeat(MOST_WAITING_BYTES));
        session.say(Arc::clone(&large)).unwrap();
        assert!(session.say(packet("a")).is_err());
        session.leave();
        session.is_taken().await;
        session.is_over().await;
    }

    #[test]
    fn there_are_no_more_of_them_than_a_door_serves() {
        let sessions = Sessions::default();
        let page = HeaderValue::from_static("https://his.example.vn");
        let all: Vec<_> = (0..MOST_SESSIONS).map(|_| sessions.begin(Some(page.clone())).unwrap()).collect();
        assert_eq!(sessions.begin(None).err().unwrap().problem.code, "rate-limited");
        let (session, _hearing) = &all[0];
        assert!(sessions.find(&session.name, Some(&page)).is_some());
        // From another page, and from a program that is none.
        let other = HeaderValue::from_static("https://evil.example");
        assert!(sessions.find(&session.name, Some(&other)).is_none());
        assert!(sessions.find(&session.name, None).is_none());
        assert!(sessions.find("", Some(&page)).is_none());
        sessions.end(session);
        assert!(sessions.find(&session.name, Some(&page)).is_none());
        assert!(sessions.begin(None).is_ok());
    }
}
