//! The HN212's door: a Socket.IO server on loopback that says what such a reader says.
//!
//! Whoever connects comes through the same gate as to the API (Host, Origin), and shows the token of the door's caller:
//! in `Authorization`, or, as pages cannot, in the `auth` that Socket.IO's own connect packet carries.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Request, State};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Router, extract::FromRequestParts as _};
use cccd_card::ReaderId;
use cccd_document::{AccessInput, AccessPlan, Personal};
use cccd_engine::Reading;
use cccd_hn212::{Packet, ProgramMessage, write};
use cccd_profiles::Door;
use cccd_store::{Entry, EntryKind};
use http::{HeaderMap, HeaderValue, header};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::caller_of;
use super::lane::{OpenLane, Told};
use super::words::{Words, files, picture};
use crate::Api;
use crate::api::Desk;
use crate::callers::{self, Caller};
use crate::problems::{Fault, Problem};
use crate::refusal::Refusal;
use crate::server::{Handler, LIMITS, Limits, serve_upgrading};
use crate::trace;
use crate::wire::ProblemJson;

/// What one door bears: a desk has a program or two.
const DOOR_LIMITS: Limits = Limits { connections: 32, ..LIMITS };
/// The longest order, in bytes.
const LONGEST_ORDER: usize = 16 * 1024;
/// How long a program may take to ask to be let in.
const ASK_WITHIN: Duration = Duration::from_secs(10);
/// How often a program is asked whether it is still there, and how long it may be silent.
const PING: Duration = Duration::from_secs(25);
const ALIVE_WITHIN: Duration = Duration::from_secs(60);
/// How many messages a program may be behind; what it misses then is gone, and the card is read again.
const BEHIND: usize = 16;

/// What handlers of a door share.
#[derive(Clone)]
struct ReaderDoor(Arc<Shared>);

struct Shared {
    desk: Desk,
    caller: Caller,
    told: broadcast::Sender<Arc<write::Written>>,
    orders: mpsc::Sender<AccessPlan>,
}

/// Misses no scan once it has returned. What it returns serves programs that know the HN212's messages, until `shutdown`
/// is done.
pub async fn open_reader_door<S: Future<Output = ()> + Send>(
    listener: TcpListener,
    api: Api,
    door: &Door,
    shutdown: S,
) -> impl Future<Output = ()> + Send + use<S> {
    let closing = watch::Sender::new(false);
    let port = listener.local_addr().map_or(0, |address| address.port());
    let desk = api.desk(callers::Scheme::Http, port, closing.subscribe());
    let lane = match caller_of(&desk, door) {
        Some(caller) => {
            let reader = door.reader.as_deref().map(ReaderId::from_name);
            let lane = OpenLane::open(desk.clone(), caller.clone(), reader).await;
            lane.map(|lane| (lane, caller))
        }
        None => None,
    };
    async move {
        let Some((lane, caller)) = lane else { return };
        let (told, _) = broadcast::channel(BEHIND);
        let (orders, ordered) = mpsc::channel(4);
        let shared = ReaderDoor(Arc::new(Shared {
            desk: desk.clone(),
            caller: caller.clone(),
            told: told.clone(),
            orders,
        }));
        let router = Router::new()
            .route("/socket.io/", get(connect))
            .fallback(|| async { Refusal::from(Fault::NotFound) })
            .layer(from_fn_with_state(desk.clone(), callers::admit))
            .layer(from_fn_with_state(desk, trace::in_its_trace))
            .with_state(shared);
        let telling = told.clone();
        let tell = move |news: Told| {
            for message in messages(&news, &caller) {
                // Nobody listens any more.
                let _ = telling.send(Arc::new(message));
            }
        };
        let reading = tokio::spawn(lane.run(ordered, move || told.receiver_count() > 0, tell));
        serve_upgrading(listener, Handler::to(&router, None), &closing, shutdown, DOOR_LIMITS).await;
        let _ = reading.await;
    }
}

/// What is said of it.
fn messages(news: &Told, caller: &Caller) -> Vec<write::Written> {
    match news {
        Told::NewCard => vec![write::new_card()],
        Told::Failed(failure) => {
            let Problem { code, title, .. } = Problem::of(*failure);
            vec![write::failed(&format!("{code}: {} · {}", title.vi, title.en))]
        }
        Told::Read(reading) => {
            let mut messages = vec![text_of(reading, caller)];
            let (picture, files) = (picture(reading, caller), files(reading, caller));
            if picture.is_some() || !files.is_empty() {
                messages.push(write::files(picture, &files));
            }
            messages
        }
    }
}

fn text_of(reading: &Reading, caller: &Caller) -> write::Written {
    let words = Words::of(reading, caller);
    write::text(&write::Text {
        id_code: words.number(),
        old_id_code: words.old_number(),
        person_name: words.name(),
        date_of_birth: words.birth(),
        gender: words.sex(),
        nationality: words.nationality(),
        race: words.ethnicity(),
        religion: words.religion(),
        origin_place: words.origin(),
        residence_place: words.residence(),
        personal_identification: words.features(),
        issue_date: words.issued(),
        expiry_date: words.expiry(),
        father_name: words.father(),
        mother_name: words.mother(),
        wife_name: words.spouse(),
    })
}

/// Whether somebody has shown who they are.
enum Standing {
    LetIn,
    /// They still have to, from this page, if it is one.
    Unknown(Option<HeaderValue>),
}

async fn connect(State(door): State<ReaderDoor>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let query = parts.uri.query().unwrap_or_default();
    let has = |wanted: &str| query.split('&').any(|pair| pair == wanted);
    if !has("EIO=4") || !has("transport=websocket") {
        return Refusal::from(Fault::ParameterInvalid)
            .because("Engine.IO 4 over a WebSocket and nothing else: EIO=4&transport=websocket")
            .into_response();
    }
    let standing = match door.standing(&parts.headers) {
        Ok(standing) => standing,
        Err(refusal) => return refusal.into_response(),
    };
    let upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection> =
        WebSocketUpgrade::from_request_parts(&mut parts, &()).await;
    match upgrade {
        Ok(upgrade) => {
            let upgrade = upgrade.max_message_size(LONGEST_ORDER).max_frame_size(LONGEST_ORDER);
            upgrade.on_upgrade(move |socket| async move {
                // A program that leaves is no fault.
                let _ = Conversation { door, socket }.hold(standing).await;
            })
        }
        Err(_) => Refusal::from(Fault::ParameterInvalid).because("a WebSocket is asked for").into_response(),
    }
}

impl ReaderDoor {
    /// Whoever shows a token in the request must show the right one; whoever shows none may still.
    fn standing(&self, headers: &HeaderMap) -> Result<Standing, Refusal> {
        let origin = headers.get(header::ORIGIN);
        match callers::shown_token(headers)? {
            Some(token) => self.let_in(token, origin).map(|()| Standing::LetIn),
            None => Ok(Standing::Unknown(origin.cloned())),
        }
    }

    /// Nothing, if this is the token of the door's caller, from where it may be used.
    fn let_in(&self, token: &str, origin: Option<&HeaderValue>) -> Result<(), Refusal> {
        let shown = callers::known_caller(&self.0.desk, token, origin)?;
        if shown.id == self.0.caller.id { Ok(()) } else { Err(Fault::DoorNotGranted.into()) }
    }

    /// A refusal that no answer of HTTP carries, for the audit chain.
    fn note(&self, refusal: &Refusal, origin: Option<&HeaderValue>) {
        let Some(scribe) = &self.0.desk.scribe else { return };
        let origin = origin.map(|origin| String::from_utf8_lossy(origin.as_bytes()).into_owned());
        let outcome = Some(refusal.problem.code.to_owned());
        scribe.refused(Entry { outcome, origin, ..Entry::new(EntryKind::CallerRefused) });
    }
}

/// What a program shows within Socket.IO.
#[derive(Deserialize)]
struct Auth {
    token: Box<str>,
}

/// One program at the door.
struct Conversation {
    door: ReaderDoor,
    socket: WebSocket,
}

/// It has left, or says what no such program says.
struct Left;

impl Conversation {
    async fn hold(mut self, standing: Standing) -> Result<(), Left> {
        let sid = random_name().ok_or(Left)?;
        self.say(&write::opening(&sid, 25_000, 20_000)).await?;
        let with = tokio::time::timeout(ASK_WITHIN, self.asks_in()).await.map_err(|_| Left)??;
        if let Standing::Unknown(origin) = standing {
            let shown =
                serde_json::from_str::<Auth>(&with).map(|auth| Zeroizing::new(String::from(auth.token)));
            let let_in = match &shown {
                Ok(token) => self.door.let_in(token, origin.as_ref()),
                Err(_) => Err(Fault::TokenMissing.into()),
            };
            if let Err(refusal) = let_in {
                self.door.note(&refusal, origin.as_ref());
                let told = write::refused(refusal.problem.code, &ProblemJson::from(&refusal));
                self.say(&told).await?;
                return Ok(());
            }
        }
        let mut told = self.door.0.told.subscribe();
        self.say(&write::connected(&sid)).await?;
        let info = write::info(&self.door.0.desk.facts.version, "cccd-agent");
        self.say(&info).await?;
        tracing::debug!(caller = %self.door.0.caller.label, "a program listens at a door");
        let mut ping = tokio::time::interval_at(Instant::now() + PING, PING);
        let mut heard = Instant::now();
        let desk = self.door.0.desk.clone();
        loop {
            tokio::select! {
                () = desk.closed() => return Ok(()),
                message = told.recv() => match message {
                    Ok(message) => self.say(&message).await?,
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return Ok(()),
                },
                message = self.socket.recv() => {
                    heard = Instant::now();
                    self.hear(message).await?;
                }
                _ = ping.tick() => {
                    if heard.elapsed() > ALIVE_WITHIN {
                        return Ok(());
                    }
                    self.say(&write::ping()).await?;
                }
            }
        }
    }

    /// Waits until the program asks to be let in; what it says with that.
    async fn asks_in(&mut self) -> Result<Zeroizing<String>, Left> {
        loop {
            let Some(Ok(message)) = self.socket.recv().await else { return Err(Left) };
            let Message::Text(text) = message else { continue };
            match Packet::parse(&text).map_err(|_| Left)? {
                Packet::Connect { with } => return Ok(Zeroizing::new(with.to_owned())),
                Packet::Close => return Err(Left),
                _ => {}
            }
        }
    }

    async fn hear(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<(), Left> {
        let Some(Ok(message)) = message else { return Err(Left) };
        let text = match message {
            Message::Text(text) => text,
            Message::Close(_) | Message::Binary(_) => return Err(Left),
            _ => return Ok(()),
        };
        let (name, argument) = match Packet::parse(&text).map_err(|_| Left)? {
            Packet::Event { name, argument } => (name, argument),
            Packet::Ping => return self.say(&write::pong()).await,
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
                Err(refusal) => {
                    let Problem { code, title, .. } = refusal.problem;
                    self.say(&write::failed(&format!("{code}: {} · {}", title.vi, title.en))).await
                }
            },
            // What a chip signs is in the verdict of a reading; nobody else's challenge is passed on.
            Ok(ProgramMessage::Sign { .. } | ProgramMessage::Other) | Err(_) => Ok(()),
        }
    }

    async fn say(&mut self, text: &write::Written) -> Result<(), Left> {
        self.socket.send(Message::text(text.as_str())).await.map_err(|_| Left)
    }
}

/// A name that says nothing.
fn random_name() -> Option<String> {
    let mut name = [0; 16];
    getrandom::fill(&mut name).ok()?;
    Some(hex::encode(name))
}

/// What opens the card: the dates as that reader takes them, `ddMMyyyy`.
fn plan(number: &str, birth: &str, expiry: &str) -> Result<AccessPlan, Refusal> {
    // A card without an expiry has the year 2099 there.
    let expiry = if expiry.trim().ends_with("2099") { String::new() } else { with_slashes(expiry) };
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
    }
}
