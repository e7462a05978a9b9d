//! Readings that begin by themselves: on a leased reader whose holder asked for it, a scanned code and a card laid down
//! make one reading, whichever came first.
//!
//! Every card has a key of its own, so that what opens it has to be scanned for it: the newest scan that its holder may
//! have, once. A scan is spent when a card was read with it or refused it, and when its holder called the reading off;
//! after any other end the card may be laid down again. A card that was read is not read again until it has been lifted.

use std::collections::BTreeSet;

use cccd_card::{ReaderId, ScannerId};
use cccd_document::{Biometrics, FieldSet, FileId};

use crate::desk::{Desk, Reader};
use crate::{CallerId, Errand, ReadFailure, ReadId, ReadRequest, Reading, ScanId, ScanReach, UnderProfile};

/// What is read by itself for the holder of a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutoRead {
    /// Whose codes count beside those that the holder posts; without it, every scanner's that they may have.
    pub scanner: Option<ScannerId>,
    /// Which scans the holder may have.
    pub reach: ScanReach,
    /// As in [`ReadRequest::groups`].
    pub groups: BTreeSet<FileId>,
    /// As in [`ReadRequest::fields`].
    pub fields: FieldSet,
    /// As in [`ReadRequest::biometrics`].
    pub biometrics: Biometrics,
    /// As in [`ReadRequest::under`].
    pub under: Option<UnderProfile>,
    /// On whose behalf each reading runs.
    pub errand: Errand,
}

/// What made a reading begin by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occasion {
    /// Where the card lies.
    pub reader: ReaderId,
    /// What opens it.
    pub scan: ScanId,
}

/// A card that was read by itself, and has not been lifted since.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Served {
    insertion: u64,
    scan: ScanId,
}

impl Reader {
    fn was_served(&self) -> Option<ScanId> {
        self.served.filter(|served| served.insertion == self.insertions).map(|served| served.scan)
    }

    fn is_leased_to_read(&self) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.auto_read.is_some())
    }
}

impl Desk {
    /// A card was laid down: it is read if there is a scan for it.
    pub(crate) fn read_what_was_laid(&mut self, reader: &ReaderId) {
        self.begin_on(reader, None);
    }

    /// A code was scanned: a card that waits for one is read.
    pub(crate) fn read_what_was_scanned(&mut self, scan: ScanId) {
        let leased: Vec<(ReaderId, Option<ScanId>)> = self
            .readers
            .iter()
            .filter(|(_, reader)| reader.has_card && reader.is_leased_to_read())
            .map(|(name, reader)| (name.clone(), reader.was_served()))
            .collect();
        for (reader, served) in leased {
            match served {
                // Held before the scanner for longer than it took to read the card.
                Some(served) if self.scans.say_the_same(served, scan) => self.scans.spend(scan),
                Some(_) => {}
                None => self.begin_on(&reader, Some(scan)),
            }
        }
    }

    fn begin_on(&mut self, name: &ReaderId, only: Option<ScanId>) {
        let Some(reader) = self.readers.get(name) else { return };
        if !reader.has_card || reader.was_served().is_some() || self.reading_on(reader).is_some() {
            return;
        }
        let Some(lease) = &reader.lease else { return };
        let Some(auto_read) = lease.auto_read.clone() else { return };
        let holder = lease.holder.clone();
        let taken = self.scans.take_newest(&holder, auto_read.reach, auto_read.scanner.as_ref(), only);
        let Some((scan, access)) = taken else { return };
        let request = ReadRequest {
            owner: holder,
            reader: Some(name.clone()),
            access,
            groups: auto_read.groups,
            fields: auto_read.fields,
            biometrics: auto_read.biometrics,
            under: auto_read.under,
            nonce: None,
            expect: None,
            wait_for_card: None,
        };
        let occasion = Occasion { reader: name.clone(), scan };
        if self.accept(request, auto_read.errand, Some(occasion)).is_err() {
            self.scans.give_back(scan);
        }
    }

    /// What the end of a reading that began by itself means for its scan and its card.
    pub(crate) fn settle(
        &mut self,
        occasion: &Occasion,
        insertion: u64,
        outcome: &Result<Reading, ReadFailure>,
    ) {
        match outcome {
            Ok(_) => {
                self.scans.spend_alike(occasion.scan);
                if let Some(reader) = self.readers.get_mut(&occasion.reader) {
                    reader.served = Some(Served { insertion, scan: occasion.scan });
                }
            }
            Err(
                ReadFailure::AccessKeyWrong { .. } | ReadFailure::AccessKeySpent | ReadFailure::Cancelled,
            ) => self.scans.spend_alike(occasion.scan),
            Err(_) => self.scans.give_back(occasion.scan),
        }
    }

    /// Calls off what began by itself on a reader for a caller whose lease is over: nobody is there to fetch it. What runs
    /// under a profile is finished: its consumer gets it.
    pub(crate) fn end_auto_reads(&mut self, holder: &CallerId, reader: &ReaderId) {
        let theirs: Vec<ReadId> =
            self.reads_of(holder).into_iter().filter(|read| self.began_on(*read) == Some(reader)).collect();
        for read in theirs {
            if !self.is_promised(read) {
                self.call_off(read);
            }
        }
    }
}
