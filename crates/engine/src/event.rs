//! What the engine tells the outside while it works: thin, and never about a person.

use std::collections::VecDeque;

use cccd_card::{ReaderId, ScannerId};
use cccd_document::QrKind;
use time::OffsetDateTime;
use tokio::sync::broadcast;

use crate::{CallerId, LeaseEnd, Occasion, Phase, ReadFailure, ReadId, ScanId};

/// How many events are kept for listeners that come back.
const KEPT: usize = 1024;

/// Something happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Counts up by one, without gaps over all audiences, from a number above every one of an earlier run.
    pub sequence: u64,
    /// When.
    pub time: OffsetDateTime,
    /// Who may hear of it.
    pub audience: Audience,
    /// What.
    pub kind: EventKind,
}

impl Event {
    /// Whether `caller` may hear of it.
    pub fn is_for(&self, caller: &CallerId) -> bool {
        match &self.audience {
            Audience::Everyone => true,
            Audience::Owner(owner) => owner == caller,
        }
    }
}

/// Who may hear of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// Every caller.
    Everyone,
    /// The owner of the reading alone.
    Owner(CallerId),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// A reader is there.
    ReaderAttached {
        /// Which.
        reader: ReaderId,
        /// Its name as the driver gives it.
        name: String,
    },
    /// A reader went away.
    ReaderDetached {
        /// Which.
        reader: ReaderId,
    },
    /// A card was laid on a reader.
    CardInserted {
        /// Where.
        reader: ReaderId,
    },
    /// A card left a reader.
    CardRemoved {
        /// Where.
        reader: ReaderId,
    },
    /// A reading was accepted.
    ReadQueued {
        /// Which.
        read: ReadId,
        /// What it began by itself for, where nobody asked for this very one.
        occasion: Option<Occasion>,
    },
    /// A reading went on.
    ReadProgress {
        /// Which.
        read: ReadId,
        /// Where.
        reader: ReaderId,
        /// What it does now.
        phase: Phase,
        /// How far it is, 0 to 100, never going back.
        percent: u8,
    },
    /// A reading has found who the person is; the rest follows.
    ReadPartial {
        /// Which.
        read: ReadId,
        /// Where.
        reader: ReaderId,
    },
    /// A reading waits for its card to be laid down again.
    ReadPaused {
        /// Which.
        read: ReadId,
        /// Where.
        reader: ReaderId,
        /// Why.
        failure: ReadFailure,
    },
    /// The card is back, and the reading goes on.
    ReadResumed {
        /// Which.
        read: ReadId,
        /// Where.
        reader: ReaderId,
    },
    /// A lease has ended without its holder's doing.
    LeaseLost {
        /// Of which reader.
        reader: ReaderId,
        /// Why.
        why: LeaseEnd,
    },
    /// A reading is done; its owner may fetch the result.
    ReadCompleted {
        /// Which.
        read: ReadId,
    },
    /// A reading ended without a result.
    ReadFailed {
        /// Which.
        read: ReadId,
        /// Why.
        failure: ReadFailure,
    },
    /// A scanner is there.
    ScannerAttached {
        /// Which.
        scanner: ScannerId,
        /// Its name for people.
        name: String,
    },
    /// A scanner went away.
    ScannerDetached {
        /// Which.
        scanner: ScannerId,
    },
    /// A scanner scanned a code; whoever may have it may fetch it.
    ScanReceived {
        /// Which.
        scan: ScanId,
        /// By which scanner.
        scanner: ScannerId,
        /// What it is the code of.
        code: QrKind,
    },
    /// A scanner sent what is no code.
    ScanGarbled {
        /// Which scanner.
        scanner: ScannerId,
    },
    /// A kind of reader cannot be seen now.
    SourceLost {
        /// Which kind.
        source: &'static str,
    },
    /// It can be seen again.
    SourceReady {
        /// Which kind.
        source: &'static str,
    },
}

/// Past events, and the way to hear of the next ones.
#[derive(Debug)]
pub struct Subscription {
    /// What was missed since the event asked for, oldest first, as far as it is kept.
    pub missed: Vec<Event>,
    /// What comes from now on, without a gap after `missed`.
    pub coming: broadcast::Receiver<Event>,
}

/// The last events, numbered.
pub(crate) struct Journal {
    last: u64,
    kept: VecDeque<Event>,
    listeners: broadcast::Sender<Event>,
}

impl Journal {
    pub(crate) fn after(last: u64) -> Self {
        Self { last, kept: VecDeque::with_capacity(KEPT), listeners: broadcast::Sender::new(KEPT) }
    }

    pub(crate) fn tell(&mut self, time: OffsetDateTime, audience: Audience, kind: EventKind) {
        self.last += 1;
        let event = Event { sequence: self.last, time, audience, kind };
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(event.clone());
        // Nobody listening is no fault.
        let _ = self.listeners.send(event);
    }

    /// What `caller` may hear: what came after event `after`, then what will come.
    pub(crate) fn subscribe(&self, caller: &CallerId, after: Option<u64>) -> Subscription {
        let missed = match after {
            None => Vec::new(),
            Some(after) => self
                .kept
                .iter()
                .filter(|event| event.sequence > after && event.is_for(caller))
                .cloned()
                .collect(),
        };
        Subscription { missed, coming: self.listeners.subscribe() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source_lost() -> EventKind {
        EventKind::SourceLost { source: "pcsc" }
    }

    #[test]
    fn a_listener_that_comes_back_misses_nothing_that_is_kept() {
        let mut journal = Journal::after(0);
        let (mine, other) = (CallerId::new("mine"), CallerId::new("other"));
        for _ in 0..KEPT + 5 {
            journal.tell(OffsetDateTime::UNIX_EPOCH, Audience::Everyone, source_lost());
        }
        journal.tell(OffsetDateTime::UNIX_EPOCH, Audience::Owner(other), source_lost());
        let last = u64::try_from(KEPT).unwrap() + 6;

        let subscription = journal.subscribe(&mine, Some(last - 3));
        let missed: Vec<u64> = subscription.missed.iter().map(|event| event.sequence).collect();
        assert_eq!(missed, [last - 2, last - 1]);
        assert_eq!(journal.subscribe(&mine, Some(0)).missed.len(), KEPT - 1);
        assert!(journal.subscribe(&mine, None).missed.is_empty());
    }
}
