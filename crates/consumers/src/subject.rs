//! What a profile is applied to.

use cccd_document::{Evidence, InsuranceRecord, Portrait, QrRecord};
use cccd_trust::Verdict;
use time::{OffsetDateTime, UtcOffset};

/// A reading, as a profile sees it.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Every file that was read.
    pub evidence: &'a Evidence,
    /// What is to be thought of it.
    pub verdict: &'a Verdict,
    /// The face, where it was read.
    pub portrait: Option<&'a Portrait>,
    /// The code that opened the chip, where one did.
    pub code: Option<&'a QrRecord>,
    /// The health insurance card that was scanned beside, where one was.
    pub insurance: Option<&'a InsuranceRecord>,
    /// When the reading was done.
    pub finished: OffsetDateTime,
    /// The name of the reading.
    pub read_id: &'a str,
    /// The reader's id.
    pub reader_id: &'a str,
}

/// Vietnam is seven hours ahead all year round.
const VIETNAM: UtcOffset = match UtcOffset::from_hms(7, 0, 0) {
    Ok(offset) => offset,
    Err(_) => UtcOffset::UTC,
};

impl Subject<'_> {
    /// When the reading was done, by the clocks of Vietnam.
    pub(crate) fn local(&self) -> OffsetDateTime {
        self.finished.to_offset(VIETNAM)
    }
}
