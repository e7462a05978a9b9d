//! How many refusals have entries of their own.

use std::collections::BTreeMap;

use time::{Duration, OffsetDateTime};

use super::entry::{Entry, EntryKind};

/// Refusals in a row that each have an entry.
const IN_A_ROW: u32 = 20;
/// How long it takes until one more may have one.
const ONE_MORE_AFTER: Duration = Duration::seconds(10);
/// Kinds of refusals that are counted apart.
const KINDS: usize = 30;

/// Lets refusals through until they come too fast, then counts them: a page that calls all day long with a wrong token
/// fills no disk.
pub(super) struct RefusalMeter {
    left: u32,
    /// Up to when `left` has been filled up.
    filled: Option<OffsetDateTime>,
    counted: BTreeMap<String, u64>,
    since: Option<OffsetDateTime>,
}

impl RefusalMeter {
    pub(super) fn new() -> Self {
        Self { left: IN_A_ROW, filled: None, counted: BTreeMap::new(), since: None }
    }

    /// Whether a refusal of this kind has an entry; one that has none is counted.
    pub(super) fn admits(&mut self, kind: &str, now: OffsetDateTime) -> bool {
        let filled = *self.filled.get_or_insert(now);
        let passed = now - filled;
        if passed.is_negative() {
            // The clock was set back.
            self.filled = Some(now);
        }
        let more = passed.whole_seconds() / ONE_MORE_AFTER.whole_seconds();
        if let Ok(more @ 1..) = u32::try_from(more) {
            self.left = self.left.saturating_add(more).min(IN_A_ROW);
            self.filled = Some(filled + ONE_MORE_AFTER * more);
        } else if more > 0 {
            (self.left, self.filled) = (IN_A_ROW, Some(now));
        }
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            return true;
        }
        self.since.get_or_insert(now);
        let known = self.counted.contains_key(kind) || self.counted.len() < KINDS;
        let kind = if known { kind } else { "other" };
        let count = self.counted.entry(kind.to_owned()).or_default();
        *count = count.saturating_add(1);
        false
    }

    /// What was counted since the last time, as one entry.
    pub(super) fn counted(&mut self) -> Option<Entry> {
        let since = self.since.take()?;
        let counted = std::mem::take(&mut self.counted);
        let entry = Entry::new(EntryKind::RefusalsCounted).began_at(since);
        Some(counted.into_iter().fold(entry, |entry, (kind, count)| entry.with(&kind, count.to_string())))
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-20 08:00 UTC);

    #[test]
    fn a_flood_has_few_entries_and_none_of_it_goes_uncounted() {
        let mut meter = RefusalMeter::new();
        let mut entered = 0_u64;
        for second in 0..1000 {
            for _ in 0..50 {
                entered += u64::from(meter.admits("token-wrong", NOW + Duration::seconds(second)));
            }
        }
        assert_eq!(entered, u64::from(IN_A_ROW) + 99);
        let counted = meter.counted().unwrap();
        assert_eq!(counted.more["token-wrong"], (50_000 - entered).to_string());
        assert_eq!(meter.counted(), None);
    }

    #[test]
    fn a_pause_makes_room_again_but_no_more_than_there_was() {
        let mut meter = RefusalMeter::new();
        let burst = |meter: &mut RefusalMeter, now| (0..100).filter(|_| meter.admits("x", now)).count();
        assert_eq!(burst(&mut meter, NOW), 20);
        assert_eq!(burst(&mut meter, NOW + Duration::seconds(35)), 3);
        assert_eq!(burst(&mut meter, NOW + Duration::days(400 * 365)), 20);
        // A clock that is set back stops nothing for ever.
        assert_eq!(burst(&mut meter, NOW), 0);
        assert_eq!(burst(&mut meter, NOW + Duration::seconds(10)), 1);
    }

    #[test]
    fn kinds_without_end_are_counted_together() {
        let mut meter = RefusalMeter::new();
        for number in 0..1000 {
            meter.admits(&format!("kind-{number}"), NOW);
        }
        let counted = meter.counted().unwrap();
        assert_eq!(counted.more.len(), KINDS + 1);
        let total: u64 = counted.more.values().map(|count| count.parse::<u64>().unwrap()).sum();
        assert_eq!(total, 980);
    }
}
