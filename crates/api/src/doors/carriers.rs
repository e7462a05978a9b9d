//! What carries packets between a door and a program: Engine.IO 4, over one WebSocket, over HTTP long-polling, or over the
//! one and then the other.
//!
//! Programs begin with long-polling and go over to a WebSocket where they are not told otherwise. A page may send such a
//! request without a preflight: its Origin is looked at each time, and the name of a session is known to nobody else.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{FromRequestParts as _, Request, State};
use axum::response::{IntoResponse as _, Response};
use cccd_hn212::write::{self, Handshake};
use http::{HeaderValue, Uri, header};
use zeroize::Zeroizing;

use super::conversation::{ALIVE_WITHIN, ASK_WITHIN, Left, PING, PONG_WITHIN};
use super::reader::ReaderDoor;
use super::sessions::{Carrier, Session, Taken};
use crate::extract::whole_body;
use crate::problems::Fault;
use crate::refusal::Refusal;

/// The longest order, in bytes.
const LONGEST_ORDER: usize = 16 * 1024;
/// How many packets may come in one request.
const MOST_AT_ONCE: usize = 16;

/// What a request is about.
struct Asked<'a> {
    carrier: Carrier,
    /// Which session; without it, a new one.
    session: Option<&'a str>,
}

impl<'a> Asked<'a> {
    fn of(uri: &'a Uri) -> Result<Self, Refusal> {
        let pairs = uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
        let value = |wanted: &str| pairs.clone().find(|(name, _)| *name == wanted).map(|(_, value)| value);
        let no = |why| Err(Refusal::from(Fault::ParameterInvalid).because(why));
        if value("EIO") != Some("4") {
            return no("Engine.IO 4 and no other: EIO=4, which Socket.IO has from its version 3 on");
        }
        let carrier = match value("transport") {
            Some("polling") => Carrier::Polling,
            Some("websocket") => Carrier::WebSocket,
            _ => return no("transport is polling or websocket"),
        };
        Ok(Self { carrier, session: value("sid") })
    }
}

/// GET: a new session, what waits for one, or its way to a WebSocket.
pub(super) async fn take(State(door): State<ReaderDoor>, request: Request) -> Response {
    taken(door, request).await.unwrap_or_else(|refusal| refusal.into_response())
}

async fn taken(door: ReaderDoor, request: Request) -> Result<Response, Refusal> {
    let (mut parts, _) = request.into_parts();
    let asked = Asked::of(&parts.uri)?;
    let standing = door.standing(&parts.headers)?;
    let origin = parts.headers.get(header::ORIGIN);
    let known = asked.session.map(|name| door.session(name, origin)).transpose()?;
    if asked.carrier == Carrier::Polling {
        return match known {
            None => Ok(text(vec![opening(&*door.begin(standing, origin)?, &["websocket"])])),
            Some(session) => poll(&session).await,
        };
    }
    let origin = origin.cloned();
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &())
        .await
        .map_err(|_| Refusal::from(Fault::ParameterInvalid).because("a WebSocket is asked for"))?;
    let upgrade = upgrade.max_message_size(LONGEST_ORDER).max_frame_size(LONGEST_ORDER);
    Ok(match known {
        Some(session) => upgrade.on_upgrade(move |socket| go_over(socket, session)),
        None => {
            let session = door.begin(standing, origin.as_ref())?;
            upgrade.on_upgrade(move |mut socket| async move {
                let turn = session.turn(Carrier::WebSocket).unwrap_or_default();
                match send(&mut socket, &opening(&session, &[])).await {
                    Ok(()) => carry(socket, &session, turn).await,
                    Err(Left) => session.leave(),
                }
            })
        }
    })
}

/// POST: what a program says that asks for its packets.
pub(super) async fn say(State(door): State<ReaderDoor>, request: Request) -> Response {
    said(door, request).await.unwrap_or_else(|refusal| refusal.into_response())
}

async fn said(door: ReaderDoor, request: Request) -> Result<Response, Refusal> {
    let asked = Asked::of(request.uri())?;
    door.standing(request.headers())?;
    let origin = request.headers().get(header::ORIGIN);
    let (Carrier::Polling, Some(name)) = (asked.carrier, asked.session) else {
        return Err(Refusal::from(Fault::ParameterInvalid).because("no session is named"));
    };
    let session = door.session(name, origin)?;
    let body = whole_body(request, LONGEST_ORDER).await?;
    let Ok(payload) = std::str::from_utf8(&body) else {
        session.leave();
        return Err(Refusal::from(Fault::BodyInvalid).because("not UTF-8"));
    };
    if payload.split(write::SEPARATOR).count() > MOST_AT_ONCE {
        session.leave();
        return Err(Refusal::from(Fault::BodyInvalid).because("too many packets at once"));
    }
    for packet in payload.split(write::SEPARATOR) {
        session.hear(packet).await.map_err(|Left| ended())?;
    }
    Ok(text(vec![Arc::new(Zeroizing::new("ok".to_owned()))]))
}

/// What a program hears that names a session nobody has.
pub(super) fn ended() -> Refusal {
    Refusal::from(Fault::ParameterInvalid)
        .because("no session of this name: it has ended, or went over to a WebSocket")
}

fn opening(session: &Session, upgrades: &[&str]) -> Arc<write::Written> {
    Arc::new(write::opening(&Handshake {
        sid: &session.name,
        upgrades,
        ping_interval: PING,
        ping_timeout: PONG_WITHIN,
        max_payload: LONGEST_ORDER,
    }))
}

/// Waits until there is something to take: a ping, at the latest.
async fn poll(session: &Session) -> Result<Response, Refusal> {
    let turn = session.turn(Carrier::Polling).ok_or_else(ended)?;
    Ok(match session.take(turn).await {
        Taken::Packets(packets) => text(packets),
        Taken::Nothing => text(vec![Arc::new(write::noop())]),
        Taken::Over => text(vec![Arc::new(write::close())]),
    })
}

/// Packets in one answer.
fn text(packets: Vec<Arc<write::Written>>) -> Response {
    let payload = Bytes::from_owner(Zeroizing::new(write::payload(&packets).as_bytes().to_vec()));
    let mut response = Response::new(Body::from(payload));
    let media_type = HeaderValue::from_static("text/plain; charset=UTF-8");
    response.headers_mut().insert(header::CONTENT_TYPE, media_type);
    response
}

/// Tries the WebSocket, has the program stop asking, and carries packets over it from then on.
async fn go_over(mut socket: WebSocket, session: Arc<Session>) {
    let tried = tokio::time::timeout(ASK_WITHIN, async {
        hears(&mut socket, write::PROBE).await?;
        session.turn(Carrier::Upgrading).ok_or(Left)?;
        send(&mut socket, &write::probed()).await?;
        hears(&mut socket, write::UPGRADE).await?;
        session.turn(Carrier::WebSocket).ok_or(Left)
    });
    match tried.await {
        Ok(Ok(turn)) => carry(socket, &session, turn).await,
        // It goes on as it was.
        Ok(Err(Left)) | Err(_) => session.stays(),
    }
}

/// Waits for the next packet, which must be this one.
async fn hears(socket: &mut WebSocket, wanted: &str) -> Result<(), Left> {
    loop {
        match socket.recv().await {
            Some(Ok(Message::Text(text))) if text.as_str() == wanted => return Ok(()),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            _ => return Err(Left),
        }
    }
}

/// Carries packets both ways until either side has had enough.
async fn carry(mut socket: WebSocket, session: &Session, turn: u64) {
    loop {
        tokio::select! {
            taken = session.take(turn) => match taken {
                Taken::Packets(packets) => {
                    for packet in packets {
                        if send(&mut socket, &packet).await.is_err() {
                            return session.leave();
                        }
                    }
                }
                Taken::Nothing | Taken::Over => return,
            },
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => {
                    if session.hear(&text).await.is_err() {
                        return;
                    }
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                _ => return session.leave(),
            }
        }
    }
}

/// Sends a packet to a program that takes it.
async fn send(socket: &mut WebSocket, packet: &write::Written) -> Result<(), Left> {
    let sent = tokio::time::timeout(ALIVE_WITHIN, socket.send(Message::text(packet.as_str()))).await;
    sent.map_err(|_| Left)?.map_err(|_| Left)
}
