//! Events as they happen (server-sent events), from where a listener left off.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{self, KeepAlive};
use cccd_engine::{Event, EventKind};
use cccd_profiles::Scope;
use futures_util::{Stream, stream};
use http::{HeaderMap, HeaderName};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::api::Desk;
use crate::callers::Caller;
use crate::metrics::Listening;
use crate::problems::Fault;
use crate::refusal::Refusal;
use crate::wire::EventJson;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// How often a silent stream shows that it is alive.
const PING: Duration = Duration::from_secs(15);
/// How long a listener should wait before it comes back.
const COME_BACK_AFTER: Duration = Duration::from_secs(2);

/// Events of readers and cards, which take the scope `presence`, of scanners, and of the caller's own readings.
///
/// Each event's `data` is one `Event`. The `id` counts up; a listener that comes back with `Last-Event-ID`
/// hears first what it missed, and hears `events.missed` where that is not known for certain to be all.
#[utoipa::path(
    get,
    path = "/v1/events",
    tag = "events",
    params(("Last-Event-ID" = Option<u64>, Header,
        description = "The id of the last event heard.", minimum = 0, maximum = 9007199254740991_i64)),
    responses((status = 200, description = "A stream without end.", body = EventJson,
        content_type = "text/event-stream")),
)]
pub(crate) async fn events(
    State(desk): State<Desk>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, Refusal> {
    let last = last_event_id(&headers)?;
    let (waiting, coming) = subscribe(&desk, &caller, last).await?;
    let listener = Listener { _counted: desk.metrics.listening(), desk, caller, last, waiting, coming };
    let hello = stream::iter([Ok(sse::Event::default().retry(COME_BACK_AFTER))]);
    let events = stream::unfold(listener, |mut listener| async move {
        let told = listener.next().await?;
        Some((Ok(encode(&told)), listener))
    });
    let stream = stream::StreamExt::chain(hello, events);
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(PING).text("ping")))
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
    let Some(value) = headers.get(LAST_EVENT_ID) else { return Ok(None) };
    let digits = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    match digits {
        // A browser that has heard nothing yet sends an empty one.
        Some("") => Ok(None),
        Some(digits) => digits.parse().map(Some).map_err(|_| wrong_id()),
        None => Err(wrong_id()),
    }
}

fn wrong_id() -> Refusal {
    Refusal::from(Fault::ParameterInvalid).because("Last-Event-ID is not the id of an event")
}

/// What a listener is told.
enum Told {
    Event(Box<Event>),
    /// Something may be gone.
    Missed,
}

struct Listener {
    /// Counted for as long as it is there.
    _counted: Listening,
    desk: Desk,
    caller: Caller,
    /// The last event the listener was told.
    last: Option<u64>,
    /// Known and not told yet.
    waiting: VecDeque<Told>,
    coming: broadcast::Receiver<Event>,
}

impl Listener {
    /// The next thing to tell; `None` once the server or the engine closes.
    async fn next(&mut self) -> Option<Told> {
        loop {
            if let Some(told) = self.waiting.pop_front() {
                if let Told::Event(event) = &told {
                    self.last = Some(event.sequence);
                }
                return Some(told);
            }
            let received = tokio::select! {
                received = self.coming.recv() => received,
                () = self.desk.closed() => return None,
            };
            match received {
                Ok(event) if may_hear(&self.caller, &event) => {
                    self.waiting.push_back(Told::Event(Box::new(event)));
                }
                Ok(_) => {}
                // Too slow for the live channel: go back to the journal.
                Err(RecvError::Lagged(_)) => {
                    let last = self.last.unwrap_or(0);
                    let again = subscribe(&self.desk, &self.caller, Some(last)).await;
                    (self.waiting, self.coming) = again.ok()?;
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

/// Whether an event is for this caller: its own readings', what the scanners scan, and of what lies on the readers
/// only where it has the scope.
fn may_hear(caller: &Caller, event: &Event) -> bool {
    let presence = matches!(
        event.kind,
        EventKind::ReaderAttached { .. }
            | EventKind::ReaderDetached { .. }
            | EventKind::CardInserted { .. }
            | EventKind::CardRemoved { .. }
    );
    event.is_for(&caller.id) && (!presence || caller.scopes.contains(Scope::Presence))
}

/// What `caller` has missed since event `last`, and what will come.
///
/// The journal forgets, and does not say what. So it is asked from one event earlier: this caller was told
/// event `last`, and as long as the journal still has that one, it has everything after it too. Where it has
/// not, because it has forgotten or because the program was started anew, the caller is told first that
/// something may be gone.
async fn subscribe(
    desk: &Desk,
    caller: &Caller,
    last: Option<u64>,
) -> Result<(VecDeque<Told>, broadcast::Receiver<Event>), Refusal> {
    let before = last.map(|last| last.saturating_sub(1));
    let subscription = desk.engine.subscribe(caller.id.clone(), before).await?;
    let mut missed = VecDeque::from(subscription.missed);
    let mut waiting = VecDeque::new();
    if let Some(last) = last {
        if missed.front().is_some_and(|event| event.sequence == last) {
            missed.pop_front();
        } else if last != 0 || missed.front().is_some_and(|event| event.sequence != 1) {
            waiting.push_back(Told::Missed);
        }
    }
    let missed = missed.into_iter().filter(|event| may_hear(caller, event));
    waiting.extend(missed.map(|event| Told::Event(Box::new(event))));
    Ok((waiting, subscription.coming))
}

fn encode(told: &Told) -> sse::Event {
    let (json, event) = match told {
        Told::Event(event) => {
            (EventJson::from(event.as_ref()), sse::Event::default().id(event.sequence.to_string()))
        }
        Told::Missed => (EventJson::missed(), sse::Event::default()),
    };
    // An event of strings and numbers can always be written; should it not be, its name still arrives.
    let event = event.event(json.kind.as_str());
    event.clone().json_data(&json).unwrap_or(event)
}
