//! What this desk says of itself: that it is there, and how it does.

use std::collections::BTreeMap;
use std::sync::Arc;

use cccd_delivery::fleet::{Broker, DeskReport, OutboxCounts, Presence, PresenceState, ReaderReport};
use cccd_engine::{CallerId, EngineHandle, EventKind};
use cccd_store::Outbox;
use time::OffsetDateTime;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use crate::daemon::now;

/// The most readers that are named.
const MOST_READERS: usize = 16;

/// What a report is made of.
pub(crate) struct Facts {
    pub(crate) engine: EngineHandle,
    pub(crate) outbox: Option<Arc<Outbox>>,
    /// The version of the served configuration that is in force.
    pub(crate) configuration: Option<u64>,
}

/// Says it for as long as the agent runs.
pub(crate) struct Reporter {
    broker: Broker,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    started_at: OffsetDateTime,
}

/// Readings that are over.
#[derive(Default)]
struct Readings {
    completed: u64,
    failed: BTreeMap<&'static str, u64>,
}

impl Reporter {
    /// Called within the runtime.
    pub(crate) fn start(broker: Broker, facts: Facts) -> Self {
        let stop = watch::Sender::new(false);
        let started_at = now();
        let task = tokio::spawn(say(broker.clone(), facts, started_at, stop.subscribe()));
        Self { broker, stop, task, started_at }
    }

    /// Takes leave of the broker.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        let _ = self.task.await;
        self.broker.stop(Some(presence(PresenceState::Stopped, self.started_at))).await;
    }
}

fn presence(state: PresenceState, started_at: OffsetDateTime) -> Presence {
    let since = if state == PresenceState::Up { started_at } else { now() };
    Presence { state, version: env!("CARGO_PKG_VERSION").to_owned(), since: Some(cccd_api::moment(since)) }
}

async fn say(mut broker: Broker, facts: Facts, started_at: OffsetDateTime, mut stop: watch::Receiver<bool>) {
    // Of everybody's readings no more is looked at than how they ended.
    let Ok(subscription) = facts.engine.subscribe(CallerId::new("fleet"), None).await else { return };
    let mut coming = subscription.coming;
    let mut readings = Readings::default();
    let mut report_now = tokio::time::interval(broker.settings().report_every);
    report_now.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The connection that presence was said on: on each it is said once.
    let mut said_on = 0;
    loop {
        tokio::select! {
            connected = broker.connected_after(said_on) => {
                let Some(number) = connected else { return };
                let is_said = broker.say(&presence(PresenceState::Up, started_at)).await.is_ok();
                if is_said {
                    said_on = number;
                    report_now.reset_immediately();
                } else {
                    // It is tried again with the next report, or on the next connection.
                    report_now.tick().await;
                }
            }
            _ = report_now.tick() => {
                if said_on != 0 {
                    let report = report(&facts, &readings, started_at).await;
                    // One that is lost is followed by another.
                    let _ = broker.report(&report).await;
                }
            }
            event = coming.recv() => match event {
                Ok(event) => readings.count(&event.kind),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
            () = stopped(&mut stop) => return,
        }
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

impl Readings {
    fn count(&mut self, kind: &EventKind) {
        match kind {
            EventKind::ReadCompleted { .. } => self.completed += 1,
            EventKind::ReadFailed { failure, .. } => *self.failed.entry(failure.code()).or_default() += 1,
            _ => {}
        }
    }
}

async fn report(facts: &Facts, readings: &Readings, started_at: OffsetDateTime) -> DeskReport {
    let readers = facts.engine.readers().await.unwrap_or_default();
    let named = |name: String| ReaderReport { name: name.chars().take(128).collect() };
    let outbox = match &facts.outbox {
        None => None,
        Some(outbox) => {
            let outbox = Arc::clone(outbox);
            tokio::task::spawn_blocking(move || counts(&outbox)).await.ok().flatten()
        }
    };
    DeskReport {
        at: cccd_api::moment(now()),
        started_at: cccd_api::moment(started_at),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        configuration: facts.configuration,
        readers: readers.into_iter().take(MOST_READERS).map(|view| named(view.info.name)).collect(),
        readings_completed: readings.completed,
        readings_failed: readings.failed.iter().map(|(code, count)| ((*code).to_owned(), *count)).collect(),
        outbox,
    }
}

fn counts(outbox: &Outbox) -> Option<OutboxCounts> {
    let (waiting, dead) = outbox.counts().ok()?;
    Some(OutboxCounts { waiting, dead })
}
