//! Idempotency keys: the same request sent again is answered as the first one was.

use rusqlite::{OptionalExtension as _, params};
use time::{Duration, OffsetDateTime};

use crate::instant::millis;
use crate::{Store, StoreError};

/// How long a key is kept.
const KEPT: Duration = Duration::hours(24);
/// Keys of one caller that are kept at once; beyond it the oldest is forgotten. One caller crowds out no other.
const AT_MOST_PER_CALLER: i64 = 10_000;

/// What an idempotency key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Nobody has used it: whoever asked has it now, and settles or releases it.
    New,
    /// It came with another body.
    OtherBody,
    /// The first request with it is still being answered, in this run of the program.
    InFlight,
    /// It stands for this reading, of this run.
    Read(String),
    /// It was used in an earlier run, and what came of it is gone.
    Spent,
}

impl Store {
    /// What this key of this caller is. `key` and `body` are keyed hashes: either may be easily guessed.
    pub fn claim_key(
        &self,
        caller: &str,
        key: [u8; 32],
        body: [u8; 32],
        now: OffsetDateTime,
    ) -> Result<Claim, StoreError> {
        self.state().write(|step| {
            step.prepare_cached("DELETE FROM idempotency WHERE claimed_ms < ?1")?
                .execute([millis(now - KEPT)])?;
            let known = step
                .prepare_cached("SELECT body, run, read FROM idempotency WHERE caller = ?1 AND key = ?2")?
                .query_row(params![caller, &key[..]], |row| {
                    Ok((row.get::<_, [u8; 32]>(0)?, row.get::<_, i64>(1)?, row.get::<_, Option<String>>(2)?))
                })
                .optional()?;
            if let Some((known_body, run, read)) = known {
                return Ok(match read {
                    _ if known_body != body => Claim::OtherBody,
                    _ if run != self.run() => Claim::Spent,
                    Some(read) => Claim::Read(read),
                    None => Claim::InFlight,
                });
            }
            step.prepare_cached(
                "DELETE FROM idempotency WHERE rowid IN (
                     SELECT rowid FROM idempotency WHERE caller = ?1
                     ORDER BY claimed_ms DESC, rowid DESC LIMIT -1 OFFSET ?2)",
            )?
            .execute(params![caller, AT_MOST_PER_CALLER - 1])?;
            step.prepare_cached(
                "INSERT INTO idempotency (caller, key, body, run, claimed_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![caller, &key[..], &body[..], self.run(), millis(now)])?;
            Ok(Claim::New)
        })
    }

    /// What came of a key that was claimed: this reading.
    pub fn settle_key(&self, caller: &str, key: [u8; 32], read: &str) -> Result<(), StoreError> {
        self.state().write(|step| {
            step.prepare_cached(
                "UPDATE idempotency SET read = ?3 WHERE caller = ?1 AND key = ?2 AND run = ?4",
            )?
            .execute(params![caller, &key[..], read, self.run()])?;
            Ok(())
        })
    }

    /// Nothing came of a key that was claimed: the same request may be tried again.
    pub fn release_key(&self, caller: &str, key: [u8; 32]) -> Result<(), StoreError> {
        self.state().write(|step| {
            step.prepare_cached(
                "DELETE FROM idempotency WHERE caller = ?1 AND key = ?2 AND run = ?3 AND read IS NULL",
            )?
            .execute(params![caller, &key[..], self.run()])?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-20 08:00 UTC);
    const KEY: [u8; 32] = [1; 32];
    const BODY: [u8; 32] = [2; 32];

    #[test]
    fn a_key_is_in_flight_then_its_reading_then_spent() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("store");
        let store = Store::open(&folder, NOW).unwrap();
        assert_eq!(store.claim_key("clinic", KEY, BODY, NOW).unwrap(), Claim::New);
        assert_eq!(store.claim_key("clinic", KEY, BODY, NOW).unwrap(), Claim::InFlight);
        assert_eq!(store.claim_key("clinic", KEY, [3; 32], NOW).unwrap(), Claim::OtherBody);
        // Another caller's key of the same text is another key.
        assert_eq!(store.claim_key("notary", KEY, [3; 32], NOW).unwrap(), Claim::New);
        store.settle_key("clinic", KEY, "5f0c").unwrap();
        assert_eq!(store.claim_key("clinic", KEY, BODY, NOW).unwrap(), Claim::Read("5f0c".to_owned()));
        // What stands for a reading is not released.
        store.release_key("clinic", KEY).unwrap();
        assert_eq!(store.claim_key("clinic", KEY, BODY, NOW).unwrap(), Claim::Read("5f0c".to_owned()));

        drop(store);
        let store = Store::open(&folder, NOW).unwrap();
        for caller in ["clinic", "notary"] {
            let body = if caller == "clinic" { BODY } else { [3; 32] };
            assert_eq!(store.claim_key(caller, KEY, body, NOW).unwrap(), Claim::Spent);
        }
        assert_eq!(store.claim_key("clinic", KEY, [3; 32], NOW).unwrap(), Claim::OtherBody);
        let tomorrow = NOW + KEPT + Duration::seconds(1);
        assert_eq!(store.claim_key("clinic", KEY, [3; 32], tomorrow).unwrap(), Claim::New);
    }

    #[test]
    fn a_released_key_is_new_again() {
        let store = Store::in_memory(NOW).unwrap();
        store.claim_key("clinic", KEY, BODY, NOW).unwrap();
        store.release_key("clinic", KEY).unwrap();
        assert_eq!(store.claim_key("clinic", KEY, [3; 32], NOW).unwrap(), Claim::New);
    }

    #[test]
    fn one_caller_crowds_out_its_own_oldest_key_and_nobody_elses() {
        let store = Store::in_memory(NOW).unwrap();
        store.claim_key("notary", KEY, BODY, NOW).unwrap();
        store
            .state()
            .write(|step| {
                step.execute(
                    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
                     INSERT INTO idempotency (caller, key, body, run, claimed_ms)
                     SELECT 'clinic', CAST(printf('%032d', i) AS BLOB), zeroblob(32), ?2, ?3 FROM n",
                    params![AT_MOST_PER_CALLER, store.run(), millis(NOW)],
                )?;
                Ok(())
            })
            .unwrap();
        let key = |number: i64| <[u8; 32]>::try_from(format!("{number:032}").into_bytes()).unwrap();
        assert_eq!(store.claim_key("clinic", [9; 32], BODY, NOW).unwrap(), Claim::New);
        let rest = |caller: &str| -> i64 {
            let count = "SELECT count(*) FROM idempotency WHERE caller = ?1";
            store.state().lock().query_row(count, [caller], |row| row.get(0)).unwrap()
        };
        assert_eq!((rest("clinic"), rest("notary")), (AT_MOST_PER_CALLER, 1));
        assert_eq!(store.claim_key("clinic", key(2), [0; 32], NOW).unwrap(), Claim::InFlight);
        assert_eq!(store.claim_key("clinic", key(1), [0; 32], NOW).unwrap(), Claim::New);
    }
}
