//! How readings ended that have nothing left to hand out, so that whoever asks hears that and not "unknown".

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::{ReadId, ReadView};

/// How long an end is remembered.
const REMEMBER: Duration = Duration::from_secs(600);
/// How many at most: a reading every 0.6 s in that time.
const REMEMBER_AT_MOST: usize = 1024;

/// The ends, oldest first.
#[derive(Default)]
pub(crate) struct Over {
    ends: HashMap<ReadId, ReadView>,
    order: VecDeque<(Instant, ReadId)>,
}

impl Over {
    /// Remembers how a reading ended.
    pub(crate) fn note(&mut self, view: ReadView, now: Instant) {
        self.order.push_back((now, view.id));
        self.ends.insert(view.id, view);
        self.forget_old(now);
    }

    pub(crate) fn get(&self, id: ReadId) -> Option<&ReadView> {
        self.ends.get(&id)
    }

    pub(crate) fn forget_old(&mut self, now: Instant) {
        while let Some((since, id)) = self.order.front().copied() {
            if now.duration_since(since) < REMEMBER && self.order.len() <= REMEMBER_AT_MOST {
                break;
            }
            self.order.pop_front();
            self.ends.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CallerId, Phase, ReadState};

    fn ended() -> ReadView {
        ReadView {
            id: ReadId::draw().unwrap(),
            owner: CallerId::new("clinic"),
            reader: None,
            state: ReadState::Expired,
            phase: Phase::Over,
            percent: 100,
            ahead: 0,
            held_by: None,
        }
    }

    #[test]
    fn an_end_is_remembered_for_a_while() {
        let (mut over, view, began) = (Over::default(), ended(), Instant::now());
        over.note(view.clone(), began);
        over.forget_old(began + REMEMBER - Duration::from_millis(1));
        assert_eq!(over.get(view.id).map(|found| found.state), Some(ReadState::Expired));
        over.forget_old(began + REMEMBER);
        assert!(over.get(view.id).is_none());
    }

    #[test]
    fn the_oldest_of_too_many_is_forgotten() {
        let (mut over, now) = (Over::default(), Instant::now());
        let views: Vec<ReadView> = std::iter::repeat_with(ended).take(REMEMBER_AT_MOST + 1).collect();
        for view in &views {
            over.note(view.clone(), now);
        }
        assert!(over.get(views[0].id).is_none());
        assert!(views[1..].iter().all(|view| over.get(view.id).is_some()));
        assert_eq!(over.ends.len(), over.order.len());
    }
}
