//! What is counted, for whoever watches over desks: OpenMetrics text, through the admin socket alone.
//!
//! No label holds anything of a person, of a page or of a caller: paths are patterns, outcomes are codes.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

use cccd_engine::{Event, EventKind, ReadId};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

/// The media type of the text.
pub(crate) const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How many readings that are not over are timed at once: more than ever wait.
const TIMED: usize = 1024;

/// The counters of one agent.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    readings: Family<OutcomeLabels, Counter>,
    reading_time: Histogram,
    listeners: Gauge,
    queue: Gauge,
    readers: Gauge,
    cards: Gauge,
    grants: Gauge,
    pairings: Gauge,
    /// Readings that are not over: when they began to speak to a card, where they did.
    open: Mutex<HashMap<ReadId, Option<Instant>>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

/// What is looked up when somebody asks.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Now {
    pub(crate) readers: usize,
    pub(crate) cards: usize,
    pub(crate) grants: usize,
    pub(crate) pairings: usize,
}

impl Metrics {
    pub(crate) fn new(version: &str) -> Self {
        let seconds = [0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 20.0, 30.0, 60.0];
        let mut this = Self {
            registry: Registry::with_prefix("cccd"),
            requests: Family::default(),
            readings: Family::default(),
            reading_time: Histogram::new(seconds),
            listeners: Gauge::default(),
            queue: Gauge::default(),
            readers: Gauge::default(),
            cards: Gauge::default(),
            grants: Gauge::default(),
            pairings: Gauge::default(),
            open: Mutex::default(),
        };
        let registry = &mut this.registry;
        let info = prometheus_client::metrics::info::Info::new([("version", version.to_owned())]);
        registry.register("agent", "The program", info);
        registry.register(
            "requests",
            "Requests answered, by method, path pattern and status",
            this.requests.clone(),
        );
        registry.register("readings", "Readings that are over, by outcome", this.readings.clone());
        registry.register_with_unit(
            "reading",
            "From the first word with the card to the end of a reading that has a result",
            Unit::Seconds,
            this.reading_time.clone(),
        );
        registry.register("event_listeners", "Open event streams", this.listeners.clone());
        registry.register("queue", "Readings that wait for a card or a reader", this.queue.clone());
        registry.register("readers", "Readers plugged in", this.readers.clone());
        registry.register("cards", "Readers with a card on them", this.cards.clone());
        registry.register("grants", "Paired pages whose grant counts", this.grants.clone());
        registry.register("pairings_waiting", "Pairings that wait for their code", this.pairings.clone());
        this
    }

    /// A request was answered. `route` is the pattern of its path, never the path.
    pub(crate) fn answered(&self, method: &http::Method, route: &str, status: u16) {
        // Anybody may invent a method.
        let method = match method.as_str() {
            known @ ("GET" | "POST" | "DELETE" | "OPTIONS" | "HEAD") => known,
            _ => "other",
        };
        let labels = RequestLabels { method: method.to_owned(), route: route.to_owned(), status };
        self.requests.get_or_create(&labels).inc();
    }

    /// An event stream is open for as long as the answer is held.
    pub(crate) fn listening(&self) -> Listening {
        self.listeners.inc();
        Listening(self.listeners.clone())
    }

    /// Counts readings for as long as the engine runs.
    pub(crate) async fn count_readings(&self, mut coming: Receiver<Event>) {
        loop {
            match coming.recv().await {
                Ok(event) => self.count(&event.kind, Instant::now()),
                // What was missed is not counted, and what it was about is not waited for.
                Err(RecvError::Lagged(_)) => self.open().clear(),
                Err(RecvError::Closed) => return,
            }
        }
    }

    fn open(&self) -> std::sync::MutexGuard<'_, HashMap<ReadId, Option<Instant>>> {
        self.open.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn count(&self, kind: &EventKind, now: Instant) {
        let mut open = self.open();
        match kind {
            EventKind::ReadQueued { read, .. } if open.len() < TIMED => {
                open.insert(*read, None);
            }
            EventKind::ReadProgress { read, .. } => {
                if let Some(began) = open.get_mut(read) {
                    began.get_or_insert(now);
                }
            }
            EventKind::ReadCompleted { read } => {
                if let Some(began) = open.remove(read).flatten() {
                    self.reading_time.observe(now.duration_since(began).as_secs_f64());
                }
                self.readings.get_or_create(&OutcomeLabels { outcome: "completed" }).inc();
            }
            EventKind::ReadFailed { read, failure } => {
                open.remove(read);
                self.readings.get_or_create(&OutcomeLabels { outcome: failure.code() }).inc();
            }
            _ => {}
        }
    }

    /// The text.
    pub(crate) fn text(&self, now: Now) -> String {
        let set = |gauge: &Gauge, number: usize| gauge.set(i64::try_from(number).unwrap_or(i64::MAX));
        set(&self.readers, now.readers);
        set(&self.cards, now.cards);
        set(&self.grants, now.grants);
        set(&self.pairings, now.pairings);
        set(&self.queue, self.open().values().filter(|began| began.is_none()).count());
        let mut text = String::new();
        // Writing into memory does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// An open event stream.
pub(crate) struct Listening(Gauge);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use cccd_engine::ReadFailure;

    use super::*;

    fn read(number: u8) -> ReadId {
        ReadId::parse(&format!("{number:032x}")).unwrap()
    }

    #[test]
    fn outcomes_are_counted_and_results_are_timed() {
        let metrics = Metrics::new("1.2.3");
        let began = Instant::now();
        let reader = cccd_card::ReaderId::from_name("r");
        for number in 0..3 {
            metrics.count(&EventKind::ReadQueued { read: read(number), occasion: None }, began);
        }
        let phase = cccd_engine::Phase::Unlocking;
        for number in 0..2 {
            let kind =
                EventKind::ReadProgress { read: read(number), reader: reader.clone(), phase, percent: 5 };
            metrics.count(&kind, began);
        }
        let later = began + std::time::Duration::from_millis(1500);
        metrics.count(&EventKind::ReadCompleted { read: read(0) }, later);
        metrics.count(&EventKind::ReadFailed { read: read(1), failure: ReadFailure::NoCard }, later);
        metrics.answered(&http::Method::GET, "/v1/reads/{id}", 200);
        metrics.answered(&http::Method::from_bytes(b"NGUYEN").unwrap(), "none", 404);
        let listening = metrics.listening();
        let text = metrics.text(Now { readers: 2, cards: 1, ..Now::default() });
        for line in [
            "cccd_agent_info{version=\"1.2.3\"} 1",
            "cccd_readings_total{outcome=\"completed\"} 1",
            "cccd_readings_total{outcome=\"no-card\"} 1",
            "cccd_reading_seconds_count 1",
            "cccd_reading_seconds_sum 1.5",
            "cccd_requests_total{method=\"GET\",route=\"/v1/reads/{id}\",status=\"200\"} 1",
            "cccd_requests_total{method=\"other\",route=\"none\",status=\"404\"} 1",
            "cccd_event_listeners 1",
            "cccd_queue 1",
            "cccd_readers 2",
            "cccd_cards 1",
            "# EOF",
        ] {
            assert!(text.lines().any(|told| told == line), "{line} is not in\n{text}");
        }
        drop(listening);
        assert!(metrics.text(Now::default()).contains("cccd_event_listeners 0\n"));
    }
}
