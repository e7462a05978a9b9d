//! What runs behind a door: a code is scanned, the card it opens is read, and it is told what came of it.

use std::sync::Arc;

use cccd_card::ReaderId;
use cccd_document::{AccessPlan, Biometrics, FileId};
use cccd_engine::{
    CallerId, EngineHandle, Event, EventKind, ReadFailure, ReadId, ReadRequest, ReadState, Reading, ScanId,
};
use cccd_profiles::Scope;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};

use crate::api::Desk;
use crate::audit;
use crate::callers::Caller;

/// What is told, in the order in which a reader tells it.
pub(super) enum Told {
    /// There is a card.
    NewCard,
    /// It was read.
    Read(Arc<Reading>),
    /// It was not.
    Failed(ReadFailure),
}

/// One door's.
pub(super) struct Lane {
    desk: Desk,
    caller: Caller,
    reader: Option<ReaderId>,
}

/// One that misses no scan from here on, also before it runs.
pub(super) struct OpenLane {
    lane: Lane,
    events: broadcast::Receiver<Event>,
}

enum Trigger {
    Scan(ScanId),
    Order(AccessPlan),
}

impl OpenLane {
    /// `None` where the engine has gone.
    pub(super) async fn open(desk: Desk, caller: Caller, reader: Option<ReaderId>) -> Option<Self> {
        let subscription = desk.engine.subscribe(caller.id.clone(), None).await.ok()?;
        Some(Self { lane: Lane { desk, caller, reader }, events: subscription.coming })
    }

    /// Reads for as long as the server runs: with what was scanned, where the caller may have scans, and with what is
    /// ordered. Of two the later counts. Nothing is read while nobody `listens`.
    pub(super) async fn run(
        self,
        mut orders: mpsc::Receiver<AccessPlan>,
        listens: impl Fn() -> bool,
        mut tell: impl FnMut(Told),
    ) {
        let Self { lane, mut events } = self;
        let mut next = None;
        loop {
            let trigger = match next.take() {
                Some(trigger) => trigger,
                None => {
                    tokio::select! {
                        trigger = lane.trigger(&mut events, &mut orders) => match trigger {
                            Some(trigger) => trigger,
                            None => return,
                        },
                        () = lane.desk.closed() => return,
                    }
                }
            };
            if !listens() {
                continue;
            }
            tokio::select! {
                () = lane.follow(trigger, &mut tell) => {}
                later = lane.trigger(&mut events, &mut orders) => match later {
                    Some(later) => next = Some(later),
                    None => return,
                },
                () = lane.desk.closed() => return,
            }
        }
    }
}

impl Lane {
    /// The next thing to read with; `None` once the engine has gone.
    async fn trigger(
        &self,
        events: &mut broadcast::Receiver<Event>,
        orders: &mut mpsc::Receiver<AccessPlan>,
    ) -> Option<Trigger> {
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Ok(Event { kind: EventKind::ScanReceived { scan, .. }, .. })
                        if self.caller.scopes.contains(Scope::Scan) =>
                    {
                        return Some(Trigger::Scan(scan));
                    }
                    // Whoever falls behind has missed a scan: it is scanned again.
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                },
                Some(plan) = orders.recv() => return Some(Trigger::Order(plan)),
            }
        }
    }

    /// One reading, to its end.
    async fn follow(&self, trigger: Trigger, tell: &mut impl FnMut(Told)) {
        let access = match trigger {
            Trigger::Order(plan) => plan,
            Trigger::Scan(scan) => {
                let taken = self.desk.engine.scan_access(self.caller.id.clone(), self.caller.reach(), scan);
                // Somebody else's, or nothing that opens a card.
                let Ok(Ok(plan)) = taken.await else { return };
                plan
            }
        };
        let fields = self.caller.fields();
        let mut groups = fields.groups();
        groups.extend(self.caller.scopes.contains(Scope::Photo).then_some(FileId::DG2));
        let request = ReadRequest {
            owner: self.caller.id.clone(),
            reader: self.reader.clone(),
            access,
            groups,
            fields,
            biometrics: Biometrics::NONE,
            nonce: None,
            expect: None,
            wait_for_card: None,
            under: None,
        };
        let accepted = self.desk.engine.submit_for(request, audit::errand(&self.caller)).await;
        let view = match accepted {
            Err(_) => return,
            Ok(Err(refused)) => return tell(Told::Failed(refused.failure)),
            Ok(Ok(view)) => view,
        };
        let _begun = Begun { engine: self.desk.engine.clone(), owner: self.caller.id.clone(), read: view.id };
        let watched = self.desk.engine.watch(self.caller.id.clone(), view.id).await;
        let Ok(Ok(mut watched)) = watched else { return };
        let mut told_card = false;
        loop {
            let state = watched.borrow_and_update().state;
            let has_card = matches!(state, ReadState::Running | ReadState::Paused(_) | ReadState::Completed);
            if has_card && !std::mem::replace(&mut told_card, true) {
                tell(Told::NewCard);
            }
            match state {
                ReadState::Completed => {
                    let result = self.desk.engine.result(self.caller.id.clone(), view.id).await;
                    if let Ok(Ok(reading)) = result {
                        tell(Told::Read(reading));
                    }
                    return;
                }
                ReadState::Failed(failure) => return tell(Told::Failed(failure)),
                ReadState::Expired => return,
                ReadState::Waiting | ReadState::Running | ReadState::Paused(_) => {}
            }
            if watched.changed().await.is_err() {
                return;
            }
        }
    }
}

/// A reading that nobody but this door knows of: called off, or its result wiped, once it is left.
struct Begun {
    engine: EngineHandle,
    owner: CallerId,
    read: ReadId,
}

impl Drop for Begun {
    fn drop(&mut self) {
        drop(self.engine.dismiss(self.owner.clone(), self.read));
    }
}
