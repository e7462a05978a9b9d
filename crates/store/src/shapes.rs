//! What was learned of kinds of cards, so that the next of its kind is read faster.

use rusqlite::{OptionalExtension as _, params};
use time::OffsetDateTime;

use crate::instant::millis;
use crate::{Store, StoreError};

/// Kinds of cards that are remembered; beyond it the one that was longest not used is forgotten.
const AT_MOST: i64 = 512;
const LONGEST_KEY: usize = 256;
const LONGEST_SHAPE: usize = 4_096;

impl Store {
    /// Remembers a shape by what it is recognised by. Neither may tell one card from another of its kind.
    pub fn learn_shape(&self, key: &[u8], shape: &str, now: OffsetDateTime) -> Result<(), StoreError> {
        for (what, length, limit) in [
            ("the key of a card's shape", key.len(), LONGEST_KEY),
            ("a card's shape", shape.len(), LONGEST_SHAPE),
        ] {
            if length > limit {
                return Err(StoreError::TooLong { what, limit });
            }
        }
        self.state().write(|step| {
            step.prepare_cached(
                "INSERT INTO shapes (key, shape, used_ms) VALUES (?1, ?2, ?3)
                 ON CONFLICT (key) DO UPDATE SET shape = excluded.shape, used_ms = excluded.used_ms",
            )?
            .execute(params![key, shape, millis(now)])?;
            step.prepare_cached(
                "DELETE FROM shapes WHERE key IN (
                     SELECT key FROM shapes ORDER BY used_ms DESC, key LIMIT -1 OFFSET ?1)",
            )?
            .execute([AT_MOST])?;
            Ok(())
        })
    }

    /// The shape that was learned for this key.
    pub fn shape(&self, key: &[u8]) -> Result<Option<String>, StoreError> {
        self.state().read(|step| {
            let mut query = step.prepare_cached("SELECT shape FROM shapes WHERE key = ?1")?;
            Ok(query.query_row([key], |row| row.get(0)).optional()?)
        })
    }

    /// Forgets what turned out wrong.
    pub fn forget_shape(&self, key: &[u8]) -> Result<(), StoreError> {
        self.state().write(|step| {
            step.prepare_cached("DELETE FROM shapes WHERE key = ?1")?.execute([key])?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-20 08:00 UTC);

    #[test]
    fn the_last_learned_counts_and_the_longest_unused_goes() {
        let store = Store::in_memory(NOW).unwrap();
        assert_eq!(store.shape(b"a").unwrap(), None);
        for number in 0..=AT_MOST {
            store.learn_shape(&number.to_be_bytes(), "first", NOW + Duration::seconds(number)).unwrap();
        }
        assert_eq!(store.shape(&0_i64.to_be_bytes()).unwrap(), None);
        let kept = 1_i64.to_be_bytes();
        assert_eq!(store.shape(&kept).unwrap().as_deref(), Some("first"));
        store.learn_shape(&kept, "second", NOW + Duration::days(1)).unwrap();
        assert_eq!(store.shape(&kept).unwrap().as_deref(), Some("second"));
        store.forget_shape(&kept).unwrap();
        assert_eq!(store.shape(&kept).unwrap(), None);
        assert!(matches!(store.learn_shape(&[0; 300], "x", NOW), Err(StoreError::TooLong { .. })));
        assert!(matches!(store.learn_shape(b"x", &"x".repeat(5000), NOW), Err(StoreError::TooLong { .. })));
    }
}
