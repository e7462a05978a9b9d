//! What leases and readings last no longer than: the session, the grant or the connection they were asked for in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cccd_card::ReaderId;

use crate::ReadId;
use crate::desk::Desk;
use crate::event::{Audience, EventKind};
use crate::lease::LeaseEnd;

/// A session, a grant or a connection, while it is there. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Stay(Arc<AtomicBool>);

impl Stay {
    /// A new one.
    pub fn begin() -> Self {
        Self::default()
    }

    /// It is over. What reaches the loop from now on finds it so, and is refused.
    pub(crate) fn end(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl PartialEq for Stay {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Stay {}

impl Desk {
    /// Ends the leases of a stay that is over, and calls off its readings that have no card yet. What talks to a card is
    /// over in a moment anyway, and stays its owner's.
    pub(crate) fn end_stay(&mut self, stay: &Stay) {
        let of_it = |name: &ReaderId| {
            let lease = self.readers.get(name).and_then(|reader| reader.lease.as_ref());
            lease.is_some_and(|lease| lease.stay.as_ref() == Some(stay))
        };
        let theirs: Vec<ReaderId> = self.readers.keys().filter(|name| of_it(name)).cloned().collect();
        for reader in theirs {
            let lease = self.readers.get_mut(&reader).and_then(|reader| reader.lease.take());
            if let Some(lease) = lease {
                self.end_auto_reads(&lease.holder, &reader);
                let why = LeaseEnd::HolderGone;
                self.tell(Audience::Owner(lease.holder), EventKind::LeaseLost { reader, why });
            }
        }
        let waiting: Vec<ReadId> = self.waiting_in(stay);
        for read in waiting {
            self.call_off(read);
        }
        self.dispatch();
    }
}
