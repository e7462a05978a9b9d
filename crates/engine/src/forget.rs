//! Callers that may not call any more: nothing of theirs goes on.

use std::time::Instant;

use crate::desk::Desk;
use crate::{CallerId, ReadId};

impl Desk {
    /// Calls off and wipes everything of `caller`: readings that wait or run, results, scans, leases. What runs under a
    /// profile is finished for its consumer.
    pub(crate) fn forget(&mut self, caller: &CallerId) {
        let theirs: Vec<ReadId> = self.reads_of(caller);
        for read in theirs {
            if !self.orphan(read) {
                // It is this caller's, so that it is known.
                let _ = self.dismiss(caller, read);
            }
        }
        self.scans.forget(caller, Instant::now());
        for reader in self.readers.values_mut() {
            if reader.lease.as_ref().is_some_and(|lease| lease.holder == *caller) {
                reader.lease = None;
            }
        }
        self.dispatch();
    }
}
