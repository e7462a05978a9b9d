//! Which proofs have been used: each counts once.

use rusqlite::params;
use time::OffsetDateTime;

use crate::instant::millis;
use crate::{Store, StoreError};

/// Proofs of one kind that are remembered at once. They live for minutes: whoever brings more than so many is no desk.
const AT_MOST: usize = 50_000;

/// Whether something was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Novelty {
    /// The first time.
    Fresh,
    /// It has been used.
    Seen,
}

impl Store {
    /// Remembers until `until` that this was used, and tells whether it had been.
    ///
    /// Of any number of threads and processes that ask at once, one hears [`Novelty::Fresh`], and it is on the disk by
    /// then. `kind` keeps hashes of different things apart. What is over at `now` is forgotten. Where too many are
    /// remembered nothing is fresh any more: [`StoreError::Full`].
    pub fn remember(
        &self,
        kind: &str,
        hash: [u8; 32],
        until: OffsetDateTime,
        now: OffsetDateTime,
    ) -> Result<Novelty, StoreError> {
        self.state().write(|step| {
            step.prepare_cached("DELETE FROM used WHERE until_ms < ?1")?.execute([millis(now)])?;
            let known: bool = step
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM used WHERE kind = ?1 AND hash = ?2)")?
                .query_row(params![kind, &hash[..]], |row| row.get(0))?;
            if known {
                return Ok(Novelty::Seen);
            }
            let kept: usize = step
                .prepare_cached("SELECT count(*) FROM used WHERE kind = ?1")?
                .query_row([kind], |row| row.get::<_, i64>(0))
                .map(|count| usize::try_from(count).unwrap_or(usize::MAX))?;
            if kept >= AT_MOST {
                return Err(StoreError::Full { what: "used proofs of a kind", limit: AT_MOST });
            }
            step.prepare_cached("INSERT INTO used (kind, hash, until_ms) VALUES (?1, ?2, ?3)")?
                .execute(params![kind, &hash[..], millis(until)])?;
            Ok(Novelty::Fresh)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;
    use time::Duration;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-20 08:00 UTC);

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn it_remembers_what_a_map_would(
            steps in prop::collection::vec((0..3_u8, 0..6_u8, 0..40_i64, 0..20_i64), 1..40),
        ) {
            let store = Store::in_memory(NOW).unwrap();
            let mut model: HashMap<(u8, u8), i64> = HashMap::new();
            let mut second = 0;
            for (kind, hash, lives, passes) in steps {
                second += passes;
                let now = NOW + Duration::seconds(second);
                model.retain(|_, until| *until >= second);
                let expected = match model.insert((kind, hash), second + lives) {
                    None => Novelty::Fresh,
                    Some(until) => {
                        model.insert((kind, hash), until);
                        Novelty::Seen
                    }
                };
                let until = now + Duration::seconds(lives);
                let told = store.remember(&kind.to_string(), [hash; 32], until, now).unwrap();
                prop_assert_eq!(told, expected);
            }
        }
    }

    #[test]
    fn of_many_threads_and_stores_at_once_one_is_first() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("store");
        let stores = [Store::open(&folder, NOW).unwrap(), Store::open(&folder, NOW).unwrap()];
        for round in 0..5 {
            let fresh = std::thread::scope(|scope| {
                let asked: Vec<_> = (0..8)
                    .map(|thread| {
                        let store = &stores[thread % 2];
                        scope.spawn(move || store.remember("k", [round; 32], NOW, NOW).unwrap())
                    })
                    .collect();
                asked.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>()
            });
            assert_eq!(fresh.iter().filter(|told| **told == Novelty::Fresh).count(), 1);
        }
    }

    #[test]
    fn when_too_many_are_remembered_nothing_is_fresh_and_the_known_are_still_known() {
        let store = Store::in_memory(NOW).unwrap();
        let later = NOW + Duration::seconds(60);
        store
            .state()
            .write(|step| {
                step.execute(
                    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
                     INSERT INTO used SELECT 'k', CAST(printf('%032d', i) AS BLOB), ?2 FROM n",
                    params![i64::try_from(AT_MOST).unwrap(), millis(later)],
                )?;
                Ok(())
            })
            .unwrap();
        assert!(matches!(store.remember("k", [9; 32], later, NOW), Err(StoreError::Full { .. })));
        let known: [u8; 32] = format!("{:032}", 17).into_bytes().try_into().unwrap();
        assert_eq!(store.remember("k", known, later, NOW).unwrap(), Novelty::Seen);
        assert_eq!(store.remember("other", [9; 32], later, NOW).unwrap(), Novelty::Fresh);
        let after = later + Duration::seconds(1);
        assert_eq!(store.remember("k", [9; 32], after, after).unwrap(), Novelty::Fresh);
    }
}
