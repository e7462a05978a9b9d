//! The HN212's door: a Socket.IO server on loopback that says what such a reader says.
//!
//! Whoever connects comes through the same gate as to the API (Host, Origin), and shows the token of the door's caller:
//! in `Authorization`, or, as pages cannot, in the `auth` that Socket.IO's own connect packet carries.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use cccd_card::ReaderId;
use cccd_document::AccessPlan;
use cccd_engine::Reading;
use cccd_hn212::write;
use cccd_profiles::Door;
use cccd_store::{Entry, EntryKind};
use http::{HeaderMap, HeaderValue, header};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, mpsc, watch};

use super::caller_of;
use super::carriers::{self, ended};
use super::conversation::Conversation;
use super::lane::{OpenLane, Told};
use super::sessions::{MOST_SESSIONS, Session, Sessions};
use super::words::{Words, files, hashes, picture};
use crate::Api;
use crate::api::Desk;
use crate::callers::{self, Caller};
use crate::problems::{Fault, Problem};
use crate::refusal::Refusal;
use crate::server::{Handler, LIMITS, Limits, serve_door};
use crate::trace;

/// What one door bears. A program that asks for its packets has a request that waits, one that says something, and a
/// WebSocket that it tries.
const DOOR_LIMITS: Limits = Limits { connections: 3 * MOST_SESSIONS, ..LIMITS };
/// How many messages a program may be behind; what it misses then is gone, and the card is read again.
const BEHIND: usize = 16;

/// What handlers of a door share.
#[derive(Clone)]
pub(super) struct ReaderDoor(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub(super) desk: Desk,
    pub(super) caller: Caller,
    pub(super) told: broadcast::Sender<Arc<write::Written>>,
    pub(super) orders: mpsc::Sender<AccessPlan>,
    pub(super) sessions: Sessions,
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
            sessions: Sessions::default(),
        }));
        let router = Router::new()
            .route("/socket.io/", get(carriers::take).post(carriers::say))
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
        let greet = |_: &TcpStream| Some(Handler::to(&router, None));
        serve_door(listener, greet, &closing, shutdown, DOOR_LIMITS).await;
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
            messages.extend(hashes(reading, caller));
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
pub(super) enum Standing {
    LetIn,
    /// They still have to, from this page, if it is one.
    Unknown(Option<HeaderValue>),
}

impl ReaderDoor {
    /// Whoever shows a token in the request must show the right one; whoever shows none may still.
    pub(super) fn standing(&self, headers: &HeaderMap) -> Result<Standing, Refusal> {
        let origin = headers.get(header::ORIGIN);
        match callers::shown_token(headers)? {
            Some(token) => self.let_in(token, origin).map(|()| Standing::LetIn),
            None => Ok(Standing::Unknown(origin.cloned())),
        }
    }

    /// Nothing, if this is the token of the door's caller, from where it may be used.
    pub(super) fn let_in(&self, token: &str, origin: Option<&HeaderValue>) -> Result<(), Refusal> {
        let shown = callers::known_caller(&self.0.desk, token, origin)?;
        if shown.id == self.0.caller.id { Ok(()) } else { Err(Fault::DoorNotGranted.into()) }
    }

    /// A refusal that no answer of HTTP carries, for the audit chain: of nobody, or of the door's caller.
    pub(super) fn note(&self, refusal: &Refusal, of: Option<&Caller>, origin: Option<&HeaderValue>) {
        let Some(scribe) = &self.0.desk.scribe else { return };
        let origin = origin.map(|origin| String::from_utf8_lossy(origin.as_bytes()).into_owned());
        let outcome = Some(refusal.problem.code.to_owned());
        let caller = of.map(|caller| caller.id.as_str().to_owned());
        scribe.refused(Entry { outcome, origin, caller, ..Entry::new(EntryKind::CallerRefused) });
    }

    /// Begins a session, whose program still has to ask to be let in.
    pub(super) fn begin(
        &self,
        standing: Standing,
        origin: Option<&HeaderValue>,
    ) -> Result<Arc<Session>, Refusal> {
        let (session, heard) = self.0.sessions.begin(origin.cloned())?;
        let conversation = Conversation { door: self.clone(), session: Arc::clone(&session), heard };
        tokio::spawn(conversation.hold(standing));
        Ok(session)
    }

    /// The session of this name.
    pub(super) fn session(&self, name: &str, origin: Option<&HeaderValue>) -> Result<Arc<Session>, Refusal> {
        self.0.sessions.find(name, origin).ok_or_else(ended)
    }
}
