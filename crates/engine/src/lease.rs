//! A reader kept for one caller: a kiosk takes it, keeps it by asking again, and loses it when it falls silent.

use std::time::{Duration, Instant};

use cccd_card::ReaderId;

use crate::desk::{Desk, Reader};
use crate::event::{Audience, EventKind};
use crate::{AutoRead, CallerId, Stay};

/// The shortest and the longest time a lease runs before it must be asked for again.
pub const LEASE_SECONDS: std::ops::RangeInclusive<u64> = 5..=120;

/// How a reader is to be kept.
#[derive(Debug, Clone)]
pub struct LeaseTerms {
    /// How long the lease runs unless it is asked for again ([`LEASE_SECONDS`]).
    pub time: Duration,
    /// What is read of each card that is laid there, without being asked for each.
    pub auto_read: Option<AutoRead>,
    /// Without which it is over at once.
    pub stay: Option<Stay>,
}

impl LeaseTerms {
    /// For this long, and nothing more.
    pub fn lasting(time: Duration) -> Self {
        Self { time, auto_read: None, stay: None }
    }
}

/// A lease as its holder sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseView {
    /// Of which reader.
    pub reader: ReaderId,
    /// How long it runs from now, if it is not asked for again.
    pub remaining: Duration,
    /// Whether cards laid there are read by themselves.
    pub reads_by_itself: bool,
}

/// Why there is no lease.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoLease {
    /// No reader of this name.
    #[error("no such reader")]
    ReaderNotFound,
    /// Another caller has it, or reads on it now.
    #[error("reader is held by another caller")]
    Held {
        /// Who.
        by: CallerId,
    },
    /// The stay it was to last for is over.
    #[error("holder is gone")]
    HolderGone,
}

/// How a lease came to its end without its holder's doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseEnd {
    /// Nobody asked for it again in time.
    Expired,
    /// The reader went away.
    ReaderDetached,
    /// The stay it was asked for in is over.
    HolderGone,
}

impl LeaseEnd {
    /// The word for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::ReaderDetached => "reader-detached",
            Self::HolderGone => "holder-gone",
        }
    }
}

/// A lease as the engine keeps it.
#[derive(Debug, Clone)]
pub(crate) struct Lease {
    pub(crate) holder: CallerId,
    pub(crate) until: Instant,
    pub(crate) auto_read: Option<AutoRead>,
    pub(crate) stay: Option<Stay>,
}

impl Lease {
    pub(crate) fn view(&self, reader: &ReaderId, now: Instant) -> LeaseView {
        LeaseView {
            reader: reader.clone(),
            remaining: self.until.saturating_duration_since(now),
            reads_by_itself: self.auto_read.is_some(),
        }
    }
}

impl Reader {
    /// Whether a caller's readings may start there: nobody else has it leased.
    pub(crate) fn is_open_to(&self, caller: &CallerId) -> bool {
        self.lease.as_ref().is_none_or(|lease| lease.holder == *caller)
    }
}

impl Desk {
    pub(crate) fn lease(
        &mut self,
        caller: CallerId,
        name: ReaderId,
        terms: LeaseTerms,
    ) -> Result<LeaseView, NoLease> {
        let LeaseTerms { time, auto_read, stay } = terms;
        if stay.as_ref().is_some_and(Stay::is_over) {
            return Err(NoLease::HolderGone);
        }
        let now = Instant::now();
        let reader = self.readers.get(&name).ok_or(NoLease::ReaderNotFound)?;
        let leased = reader.lease.as_ref().map(|lease| &lease.holder);
        if let Some(by) = leased.cloned().or_else(|| self.holder(reader)).filter(|by| *by != caller) {
            return Err(NoLease::Held { by });
        }
        let lease = Lease { holder: caller, until: now + time, auto_read, stay };
        let view = lease.view(&name, now);
        if let Some(reader) = self.readers.get_mut(&name) {
            reader.lease = Some(lease);
        }
        Ok(view)
    }

    pub(crate) fn end_lease(&mut self, caller: &CallerId, name: &ReaderId) -> Result<(), NoLease> {
        let reader = self.readers.get_mut(name).ok_or(NoLease::ReaderNotFound)?;
        if reader.lease.as_ref().is_some_and(|lease| lease.holder == *caller) {
            reader.lease = None;
            self.end_auto_reads(caller, name);
            self.dispatch();
        }
        Ok(())
    }

    /// Ends the leases that nobody asked for again.
    pub(crate) fn end_leases(&mut self, now: Instant) {
        let over = |reader: &Reader| reader.lease.as_ref().is_some_and(|lease| lease.until <= now);
        let expired: Vec<ReaderId> =
            self.readers.iter().filter(|(_, reader)| over(reader)).map(|(name, _)| name.clone()).collect();
        for reader in &expired {
            let lease = self.readers.get_mut(reader).and_then(|reader| reader.lease.take());
            if let Some(lease) = lease {
                self.end_auto_reads(&lease.holder, reader);
                let (reader, why) = (reader.clone(), LeaseEnd::Expired);
                self.tell(Audience::Owner(lease.holder), EventKind::LeaseLost { reader, why });
            }
        }
        if !expired.is_empty() {
            self.dispatch();
        }
    }
}
