//! The same work on many things, on as many threads as the machine has.

use std::num::NonZero;
use std::thread::{Builder, available_parallelism, scope};

/// Threads at most: no store is so large that more would be felt.
const MOST_THREADS: usize = 8;
/// Things a thread is started for at least. A few signatures are verified before it runs.
const LEAST_SHARE: usize = 16;

/// What `work` makes of each item, in the order of the items.
pub(crate) fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS);
    let share = items.len().div_ceil(threads).max(LEAST_SHARE);
    let Some((own, others)) = items.split_at_checked(share) else {
        return items.iter().map(work).collect();
    };
    let work = &work;
    let on_share = move |share: &[T]| share.iter().map(work).collect::<Vec<R>>();
    scope(|scope| {
        let started: Vec<_> = others
            .chunks(share)
            .map(|share| (share, Builder::new().spawn_scoped(scope, move || on_share(share))))
            .collect();
        let mut all = on_share(own);
        for (share, thread) in started {
            all.extend(match thread.map(|thread| thread.join()) {
                Ok(Ok(done)) => done,
                Ok(Err(panic)) => std::panic::resume_unwind(panic),
                // The machine gives no thread: then this one does it.
                Err(_) => on_share(share),
            });
        }
        all
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_worked_on_once_and_in_order() {
        for count in [0, 1, LEAST_SHARE, LEAST_SHARE + 1, 100, 1001] {
            let items: Vec<usize> = (0..count).collect();
            assert_eq!(map(&items, |item| item * 3), items.iter().map(|item| item * 3).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_panic_is_not_lost_on_its_thread() {
        let items: Vec<usize> = (0..100).collect();
        let outcome = std::panic::catch_unwind(|| map(&items, |item| assert_ne!(*item, 99)));
        assert!(outcome.is_err());
    }
}
