//! The JTH program's door: its seventeen fields, posted to the one program of this machine that the settings name.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::{Body, Bytes};
use base64ct::{Base64, Encoding as _};
use cccd_card::ReaderId;
use cccd_engine::Reading;
use cccd_profiles::{Door, DoorKind};
use http::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use zeroize::Zeroizing;

use super::caller_of;
use super::lane::{OpenLane, Told};
use super::words::{Words, picture};
use crate::Api;
use crate::callers::Caller;
use crate::wiped::WipedBuffer;

/// How long the program may take to take one reading.
const TAKE_WITHIN: Duration = Duration::from_secs(10);
/// How many readings may wait for it. What is more is not kept: the person stands there and scans again.
const WAITING: usize = 4;

/// A reading in the names of the JTH program.
#[derive(Serialize)]
struct Fields<'a> {
    id_card: &'a str,
    old_id_card: &'a str,
    full_name: &'a str,
    date_of_birth: &'a str,
    gender: &'a str,
    nationality: &'a str,
    race: &'a str,
    religion: &'a str,
    place_of_origin: &'a str,
    place_of_residence: &'a str,
    personal_identification: &'a str,
    date_of_issue: &'a str,
    date_of_expiry: &'a str,
    father_name: &'a str,
    mother_name: &'a str,
    wife_name: &'a str,
    id_img: &'a str,
}

/// The program behind the door, and what reads for it.
struct Webhook {
    lane: OpenLane,
    caller: Caller,
    address: SocketAddr,
    path: String,
    closing: watch::Sender<bool>,
}

/// Misses no scan once it has returned. What it returns posts what is read on behalf of the door's caller, until `shutdown`
/// is done. Only a reading that went well is posted.
pub async fn open_webhook<S: Future<Output = ()> + Send>(
    api: Api,
    door: &Door,
    shutdown: S,
) -> impl Future<Output = ()> + Send + use<S> {
    let webhook = Webhook::open(api, door).await;
    async move {
        if let Some(webhook) = webhook {
            webhook.run(shutdown).await;
        }
    }
}

impl Webhook {
    async fn open(api: Api, door: &Door) -> Option<Self> {
        let DoorKind::Jth { address, path } = &door.kind else { return None };
        let closing = watch::Sender::new(false);
        let desk = api.desk(crate::callers::Scheme::Http, 0, closing.subscribe());
        let caller = caller_of(&desk, door)?;
        let reader = door.reader.as_deref().map(ReaderId::from_name);
        let lane = OpenLane::open(desk, caller.clone(), reader).await?;
        Some(Self { lane, caller, address: *address, path: path.clone(), closing })
    }

    async fn run(self, shutdown: impl Future<Output = ()> + Send) {
        let Self { lane, caller, address, path, closing } = self;
        let (telling, mut readings) = mpsc::channel::<Zeroizing<Vec<u8>>>(WAITING);
        let (_nobody_orders, orders) = mpsc::channel(1);
        let tell = |told: Told| {
            if let Told::Read(reading) = told
                && telling.try_send(body(&reading, &caller)).is_err()
            {
                tracing::warn!("the program behind a door takes nothing; a reading was not posted");
            }
        };
        let posting = async {
            while let Some(body) = readings.recv().await {
                let posted = tokio::time::timeout(TAKE_WITHIN, post(address, &path, body)).await;
                match posted {
                    Ok(Ok(status)) if status.is_success() => tracing::debug!("a reading was posted"),
                    Ok(Ok(status)) => {
                        tracing::warn!(status = status.as_u16(), "the program behind a door refused")
                    }
                    Ok(Err(error)) => tracing::warn!(%error, "the program behind a door cannot be reached"),
                    Err(_) => tracing::warn!("the program behind a door does not answer"),
                }
            }
        };
        tokio::select! {
            () = lane.run(orders, || true, tell) => {}
            () = posting => {}
            () = shutdown => {}
        }
        closing.send_replace(true);
    }
}

fn body(reading: &Reading, caller: &Caller) -> Zeroizing<Vec<u8>> {
    let words = Words::of(reading, caller);
    let face = picture(reading, caller).map(|bytes| Zeroizing::new(Base64::encode_string(bytes)));
    let fields = Fields {
        id_card: words.number(),
        old_id_card: words.old_number(),
        full_name: words.name(),
        date_of_birth: words.birth(),
        gender: words.sex(),
        nationality: words.nationality(),
        race: words.ethnicity(),
        religion: words.religion(),
        place_of_origin: words.origin(),
        place_of_residence: words.residence(),
        personal_identification: words.features(),
        date_of_issue: words.issued(),
        date_of_expiry: words.expiry(),
        father_name: words.father(),
        mother_name: words.mother(),
        wife_name: words.spouse(),
        id_img: face.as_deref().map_or("", String::as_str),
    };
    let mut written = WipedBuffer::new();
    // Text can always be written.
    let _ = serde_json::to_writer(&mut written, &fields);
    written.into_inner()
}

async fn post(address: SocketAddr, path: &str, body: Zeroizing<Vec<u8>>) -> io::Result<StatusCode> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::HOST, address.to_string())
        .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
        .header(header::CONNECTION, "close")
        .body(Body::from(Bytes::from_owner(body)))
        .map_err(io::Error::other)?;
    let mut answered = std::pin::pin!(sender.send_request(request));
    let response = tokio::select! {
        response = &mut answered => response,
        // It may end with the answer in it.
        _ = connection => answered.await,
    };
    Ok(response.map_err(io::Error::other)?.status())
}
