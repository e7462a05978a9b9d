//! What this desk says of itself: that it is there, and how it does.

use std::collections::BTreeMap;
use std::sync::Arc;

use cccd_delivery::fleet::{Broker, DeskReport, OutboxCounts, Presence, PresenceState, ReaderReport};
use cccd_engine::{CallerId, EngineHandle, Event, EventKind, Subscription};
use cccd_store::Outbox;
use time::OffsetDateTime;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, oneshot, watch};
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

/// How readings have ended since it was begun.
struct Tally {
    heard: Heard,
    completed: u64,
    failed: BTreeMap<&'static str, u64>,
}

/// What the engine tells of readings.
enum Heard {
    /// It has been asked to.
    Asked(oneshot::Receiver<Subscription>),
    /// It does.
    Coming(broadcast::Receiver<Event>),
}

impl Reporter {
    /// Called within the runtime. Readings that end from now on are reported.
    pub(crate) fn start(broker: Broker, facts: Facts) -> Self {
        let stop = watch::Sender::new(false);
        let started_at = now();
        let tally = Tally::begin(&facts.engine);
        let task = tokio::spawn(say(broker.clone(), facts, tally, started_at, stop.subscribe()));
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

async fn say(
    mut broker: Broker,
    facts: Facts,
    mut tally: Tally,
    started_at: OffsetDateTime,
    mut stop: watch::Receiver<bool>,
) {
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
                    let report = report(&facts, &tally, started_at).await;
                    // One that is lost is followed by another.
                    let _ = broker.report(&report).await;
                }
            }
            counted = tally.next() => {
                if counted.is_none() {
                    return;
                }
            }
            () = stopped(&mut stop) => return,
        }
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

impl Tally {
    /// Counts what ends from now on, also what has ended before the first is waited for.
    fn begin(engine: &EngineHandle) -> Self {
        // Of everybody's readings no more is looked at than how they ended.
        let heard = Heard::Asked(engine.subscribe(CallerId::new("fleet"), None));
        Self { heard, completed: 0, failed: BTreeMap::new() }
    }

    /// Waits until something has been told, and counts it; `None` once the engine has gone. Nothing is lost where this is
    /// dropped before it is done.
    async fn next(&mut self) -> Option<()> {
        if let Heard::Asked(asked) = &mut self.heard {
            self.heard = Heard::Coming(asked.await.ok()?.coming);
        }
        let Heard::Coming(coming) = &mut self.heard else { return None };
        match coming.recv().await {
            Ok(event) => self.count(&event.kind),
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return None,
        }
        Some(())
    }

    fn count(&mut self, kind: &EventKind) {
        match kind {
            EventKind::ReadCompleted { .. } => self.completed += 1,
            EventKind::ReadFailed { failure, .. } => *self.failed.entry(failure.code()).or_default() += 1,
            _ => {}
        }
    }
}

async fn report(facts: &Facts, tally: &Tally, started_at: OffsetDateTime) -> DeskReport {
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
        readings_completed: tally.completed,
        readings_failed: tally.failed.iter().map(|(code, count)| ((*code).to_owned(), *count)).collect(),
        outbox,
    }
}

fn counts(outbox: &Outbox) -> Option<OutboxCounts> {
    let (waiting, dead) = outbox.counts().ok()?;
    Some(OutboxCounts { waiting, dead })
}

#[cfg(test)]
mod tests {
    use cccd_card::ChannelLimits;
    use cccd_document::{AccessKey, Biometrics, Can, FieldSet};
    use cccd_engine::{Engine, EngineOptions, ReadRequest};
    use cccd_firmware_sim::reader::EchoCard;
    use cccd_firmware_sim::reader::in_process::InProcessReader;
    use cccd_patience::ready;

    use super::*;

    #[test]
    fn a_reading_that_ends_before_anybody_listens_is_counted() {
        let readers = InProcessReader::<EchoCard>::new();
        readers.attach("Lane 0", ChannelLimits::SHORT).unwrap();
        let engine = Engine::start(vec![Arc::new(readers)], Vec::new(), EngineOptions::default());
        let handle = engine.handle();
        assert!(ready("the first look", handle.settled()).unwrap());
        let mut tally = Tally::begin(&handle);

        let owner = CallerId::new("clinic");
        let request = ReadRequest {
            owner: owner.clone(),
            reader: None,
            access: AccessKey::Can(Can::new("123456").unwrap()).into(),
            nonce: None,
            expect: None,
            biometrics: Biometrics::NONE,
            under: None,
            groups: FieldSet::ALL.groups(),
            fields: FieldSet::ALL,
            wait_for_card: None,
        };
        let read = ready("the reading", handle.submit(request)).unwrap().unwrap().id;
        ready("its end", handle.dismiss(owner, read)).unwrap().unwrap();

        ready("the count of a reading that was called off", async {
            while tally.failed.is_empty() {
                tally.next().await.unwrap();
            }
        });
        assert_eq!((tally.completed, tally.failed["cancelled"]), (0, 1));
    }
}
