//! How long a search may take.

use std::time::{Duration, Instant};

/// The bounds of one search. Whichever is reached first ends it with what was found so far.
///
/// Steps bound the work the same way on every machine; the time bounds it on this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Wall time, none for no limit.
    pub time: Option<Duration>,
    /// Units of work, each about one microsecond on a desktop of 2020.
    pub steps: u32,
}

impl Budget {
    /// For a photograph or a file: the full search. No step takes more than 5 ms, so it ends within 50 ms.
    pub const STILL: Self = Self { time: Some(Duration::from_millis(45)), steps: 40_000 };
    /// For one frame of a stream.
    pub const LIVE: Self = Self { time: Some(Duration::from_millis(12)), steps: 14_000 };
    /// No time limit, and the steps of [`Budget::STILL`]: the same result on every machine.
    pub const REPEATABLE: Self = Self { time: None, steps: 40_000 };
}

/// A budget being spent.
pub(crate) struct Meter {
    end: Option<Instant>,
    left: u32,
}

impl Meter {
    pub(crate) fn start(budget: Budget) -> Self {
        Self { end: budget.time.and_then(|time| Instant::now().checked_add(time)), left: budget.steps }
    }

    /// Spends `steps`; false once the budget is gone.
    #[must_use]
    pub(crate) fn spend(&mut self, steps: u32) -> bool {
        self.left = self.left.saturating_sub(steps);
        if self.left > 0 && self.end.is_some_and(|end| Instant::now() >= end) {
            self.left = 0;
        }
        self.left > 0
    }

    /// Whether `steps` more, done in one go, would end within the budget.
    pub(crate) fn affords(&self, steps: u32) -> bool {
        let time = Duration::from_micros(u64::from(steps));
        self.left > steps && self.end.is_none_or(|end| Instant::now() + time < end)
    }

    /// Steps left, asking no clock.
    pub(crate) fn left(&self) -> u32 {
        self.left
    }

    /// Whether anything is left, asking no clock.
    pub(crate) fn has_left(&self) -> bool {
        self.left > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_and_time_each_end_it() {
        let mut meter = Meter::start(Budget { time: None, steps: 10 });
        assert!(meter.spend(9));
        assert!(!meter.spend(1));
        let mut meter = Meter::start(Budget { time: Some(Duration::ZERO), steps: 10 });
        assert!(!meter.spend(1));
        assert!(!meter.has_left());
    }

    #[test]
    fn what_would_not_end_in_time_is_not_afforded() {
        let meter = Meter::start(Budget { time: None, steps: 10 });
        assert!(meter.affords(9));
        assert!(!meter.affords(10));
        let meter = Meter::start(Budget { time: Some(Duration::from_secs(10)), steps: u32::MAX });
        assert!(meter.affords(5_000_000));
        assert!(!meter.affords(11_000_000));
    }
}
