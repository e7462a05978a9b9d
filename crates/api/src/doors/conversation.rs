//! What is said between a door and one program, whatever carries it: who it is, what it orders, what it is told.

use std::sync::Arc;
use std::time::Duration;

use cccd_document::{AccessInput, AccessPlan, Personal};
use cccd_hn212::{Packet, ProgramMessage, write};
use http::HeaderValue;
use serde::Deserialize;
use tokio::sync::{broadcast, mpsc};
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::reader::{ReaderDoor, Standing};
use super::sessions::Session;
use crate::problems::{Fault, Problem};
use crate::refusal::Refusal;
use crate::wire::ProblemJson;

/// How long a program may take to ask to be let in, or to go over to a WebSocket.
pub(super) const ASK_WITHIN: Duration = Duration::from_secs(10);
/// How often a program is asked whether it is still there, how soon it should answer, and how long it may be silent.
pub(super) const PING: Duration = Duration::from_secs(25);
pub(super) const PONG_WITHIN: Duration = Duration::from_secs(20);
pub(super) const ALIVE_WITHIN: Duration = Duration::from_secs(60);
/// How long the last words wait to be taken.
const TAKE_LAST_WITHIN: Duration = Duration::from_secs(10);

/// The program has left, or says what no such program says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Left;

/// What a program shows within Socket.IO.
#[derive(Deserialize)]
struct Auth {
    token: Box<str>,
}

/// One program at the door.
pub(super) struct Conversation {
    pub(super) door: ReaderDoor,
    pub(super) session: Arc<Session>,
    pub(super) heard: mpsc::Receiver<Zeroizing<String>>,
}

impl Conversation {
    /// Talks until either side has had enough, and sees that the last words are taken.
    pub(super) async fn hold(mut self, standing: Standing) {
        // A program that leaves is no fault.
        let _ = self.talk(standing).await;
        self.session.close();
        let _ = tokio::time::timeout(TAKE_LAST_WITHIN, self.session.is_taken()).await;
        self.session.leave();
        self.door.0.sessions.end(&self.session);
    }

    async fn talk(&mut self, standing: Standing) -> Result<(), Left> {
        let with = tokio::time::timeout(ASK_WITHIN, self.asks_in()).await.map_err(|_| Left)??;
        if let Standing::Unknown(origin) = standing {
            self.let_in(&with, origin.as_ref())?;
        }
        let mut told = self.door.0.told.subscribe();
        self.say(write::connected(&self.session.name))?;
        self.say(write::info(&self.door.0.desk.facts.version, "cccd-agent"))?;
        tracing::debug!(caller = %self.door.0.caller.label, "a program listens at a door");
        let mut ping = tokio::time::interval_at(Instant::now() + PING, PING);
        let mut last_heard = Instant::now();
        let desk = self.door.0.desk.clone();
        loop {
            tokio::select! {
                () = desk.closed() => return Ok(()),
                () = self.session.is_over() => return Err(Left),
                message = told.recv() => match message {
                    Ok(message) => self.session.say(message)?,
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return Ok(()),
                },
                packet = self.heard.recv() => {
                    last_heard = Instant::now();
                    self.hear(&packet.ok_or(Left)?)?;
                }
                _ = ping.tick() => {
                    if last_heard.elapsed() > ALIVE_WITHIN {
                        return Ok(());
                    }
                    self.say(write::ping())?;
                }
            }
        }
    }

    /// Waits until the program asks to be let in; what it says with that.
    async fn asks_in(&mut self) -> Result<Zeroizing<String>, Left> {
        let desk = self.door.0.desk.clone();
        loop {
            let packet = tokio::select! {
                packet = self.heard.recv() => packet.ok_or(Left)?,
                () = self.session.is_over() => return Err(Left),
                () = desk.closed() => return Err(Left),
            };
            match Packet::parse(&packet).map_err(|_| Left)? {
                Packet::Connect { with } => return Ok(Zeroizing::new(with.to_owned())),
                Packet::Close => return Err(Left),
                _ => {}
            }
        }
    }

    /// Looks at the token that a program shows as it asks.
    fn let_in(&self, with: &str, origin: Option<&HeaderValue>) -> Result<(), Left> {
        let shown = serde_json::from_str::<Auth>(with).map(|auth| Zeroizing::new(String::from(auth.token)));
        let let_in = match &shown {
            Ok(token) => self.door.let_in(token, origin),
            Err(_) => Err(Fault::TokenMissing.into()),
        };
        let Err(refusal) = let_in else { return Ok(()) };
        self.door.note(&refusal, None, origin);
        self.say(write::refused(refusal.problem.code, &ProblemJson::from(&refusal)))?;
        Err(Left)
    }

    fn hear(&self, packet: &str) -> Result<(), Left> {
        let (name, argument) = match Packet::parse(packet).map_err(|_| Left)? {
            Packet::Event { name, argument } => (name, argument),
            Packet::Ping => return self.say(write::pong()),
            Packet::Close => return Err(Left),
            _ => return Ok(()),
        };
        match ProgramMessage::parse(&name, argument) {
            Ok(ProgramMessage::ReadAgain { number, birth, expiry }) => match plan(&number, &birth, &expiry) {
                Ok(plan) => {
                    // Four orders that wait are enough of them.
                    let _ = self.door.0.orders.try_send(plan);
                    Ok(())
                }
                Err(refusal) => self.fail(&refusal),
            },
            // A caller of the API may send a nonce along, and what the chip signs is a challenge made of it that serves no
            // other purpose. These eight bytes would be signed as they are: whoever is let in here could have a card that
            // lies here prove itself to anybody, as if it lay with them.
            Ok(ProgramMessage::Sign { .. }) => {
                let refusal = Refusal::from(Fault::ChallengeRefused);
                self.door.note(&refusal, Some(&self.door.0.caller), self.session.origin.as_ref());
                self.fail(&refusal)
            }
            Ok(ProgramMessage::Other) => Ok(()),
            // An order that none can make out; silence would be taken for a card that does not come.
            Err(_) => self.fail(&Fault::BodyInvalid.into()),
        }
    }

    /// Says what is wrong as such a reader says it: as a failure.
    fn fail(&self, refusal: &Refusal) -> Result<(), Left> {
        let Problem { code, title, .. } = refusal.problem;
        self.say(write::failed(&format!("{code}: {} · {}", title.vi, title.en)))
    }

    fn say(&self, text: write::Written) -> Result<(), Left> {
        self.session.say(Arc::new(text))
    }
}

/// What opens the card: the dates as that reader takes them, `ddMMyyyy`.
fn plan(number: &str, birth: &str, expiry: &str) -> Result<AccessPlan, Refusal> {
    // A card without an expiry has the year 2099 there.
    let expiry = if expiry.trim().ends_with("2099") { String::new() } else { with_slashes(expiry) };
    if birth.trim().is_empty() {
        return AccessInput::PersonalNumber(Personal::from(number)).plan().map_err(Refusal::from);
    }
    let input = AccessInput::Fields {
        document_number: Personal::from(number),
        birth: Personal::new(with_slashes(birth)),
        expiry: Personal::new(expiry),
    };
    input.plan().map_err(Refusal::from)
}

fn with_slashes(date: &str) -> String {
    let date = date.trim();
    match (date.get(..2), date.get(2..4), date.get(4..)) {
        (Some(day), Some(month), Some(year)) if date.len() == 8 => format!("{day}/{month}/{year}"),
        _ => date.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dates_of_that_reader_make_the_keys_of_the_card() {
        let keys = |birth, expiry| plan("000090123456", birth, expiry).unwrap().keys;
        assert_eq!(keys("02011990", "02012030"), keys("02/01/1990", "02/01/2030"));
        assert!(keys("02011990", "02012099").len() > 1);
        assert!(plan("000090123456", "nobody's", "").is_err());
        assert_eq!(keys("", ""), keys("02011990", "02012030")[..1]);
        assert!(plan("123456", "", "").is_err());
    }
}
