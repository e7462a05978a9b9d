//! What paired pages may do, until when.

use rusqlite::{OptionalExtension as _, Row, params};
use time::{Duration, OffsetDateTime};

use crate::instant::{millis, moment};
use crate::{Store, StoreError};

/// Grants that are kept at once, those that are over included.
const AT_MOST: usize = 1_000;
/// How long a grant that is over is still listed.
const LISTED: Duration = Duration::days(90);
/// How exactly the last use is kept: a page that calls often costs no write each time.
const USE_WITHIN: Duration = Duration::minutes(1);
const LONGEST: usize = 2_048;

/// A grant to be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGrant {
    /// Its name.
    pub id: String,
    /// The thumbprint of the page's public key.
    pub thumbprint: String,
    /// What people call it.
    pub label: String,
    /// Where the page is.
    pub origin: String,
    /// What it may do, as whoever gives it writes it.
    pub scopes: String,
    /// When it ends by itself.
    pub expires: Option<OffsetDateTime>,
}

/// A grant that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Its name.
    pub id: String,
    /// The thumbprint of the page's public key.
    pub thumbprint: String,
    /// What people call it.
    pub label: String,
    /// Where the page is.
    pub origin: String,
    /// What it may do, as whoever gave it wrote it.
    pub scopes: String,
    /// When it was given.
    pub created: OffsetDateTime,
    /// When it ends by itself.
    pub expires: Option<OffsetDateTime>,
    /// When it was taken back.
    pub revoked: Option<OffsetDateTime>,
    /// When it was last used, to the minute.
    pub used: Option<OffsetDateTime>,
}

impl Grant {
    /// Whether it counts: not taken back, and not over.
    pub fn counts_at(&self, now: OffsetDateTime) -> bool {
        self.revoked.is_none() && self.expires.is_none_or(|expires| now < expires)
    }

    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let when = |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(moment));
        Ok(Self {
            id: row.get("id")?,
            thumbprint: row.get("thumbprint")?,
            label: row.get("label")?,
            origin: row.get("origin")?,
            scopes: row.get("scopes")?,
            created: moment(row.get("created_ms")?),
            expires: when("expires_ms")?,
            revoked: when("revoked_ms")?,
            used: when("used_ms")?,
        })
    }
}

impl Store {
    /// Gives a grant. A key that has one that counts gets no second: [`StoreError::Exists`].
    pub fn add_grant(&self, grant: &NewGrant, now: OffsetDateTime) -> Result<Grant, StoreError> {
        let NewGrant { id, thumbprint, label, origin, scopes, expires } = grant;
        for text in [id, thumbprint, label, origin, scopes] {
            if text.len() > LONGEST {
                return Err(StoreError::TooLong { what: "a field of a grant", limit: LONGEST });
            }
        }
        let at = millis(now);
        self.state().write(|step| {
            step.execute(
                "DELETE FROM grants WHERE min(ifnull(revoked_ms, expires_ms), ifnull(expires_ms, revoked_ms)) < ?1",
                [millis(now - LISTED)],
            )?;
            let taken: bool = step.query_row(
                "SELECT EXISTS (SELECT 1 FROM grants WHERE id = ?1 OR (thumbprint = ?2
                     AND revoked_ms IS NULL AND (expires_ms IS NULL OR expires_ms > ?3)))",
                params![id, thumbprint, at],
                |row| row.get(0),
            )?;
            if taken {
                return Err(StoreError::Exists("a grant"));
            }
            let kept: i64 = step.query_row("SELECT count(*) FROM grants", [], |row| row.get(0))?;
            if usize::try_from(kept).is_ok_and(|kept| kept >= AT_MOST) {
                return Err(StoreError::Full { what: "grants", limit: AT_MOST });
            }
            step.execute(
                "INSERT INTO grants (id, thumbprint, label, origin, scopes, created_ms, expires_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![id, thumbprint, label, origin, scopes, at, expires.map(millis)],
            )?;
            Ok(step.query_row("SELECT * FROM grants WHERE id = ?1", [id], Grant::of)?)
        })
    }

    /// All grants, the newest first, with those that are over for a while after.
    pub fn grants(&self) -> Result<Vec<Grant>, StoreError> {
        self.state().read(|step| {
            let mut query =
                step.prepare_cached("SELECT * FROM grants ORDER BY created_ms DESC, rowid DESC")?;
            let grants = query.query_map([], Grant::of)?.collect::<Result<_, _>>()?;
            Ok(grants)
        })
    }

    /// The grant of this name, whether it counts or is over.
    pub fn grant(&self, id: &str) -> Result<Option<Grant>, StoreError> {
        self.one_grant("SELECT * FROM grants WHERE id = ?1", id)
    }

    /// The newest grant of this key, whether it counts ([`Grant::counts_at`]) or is over.
    pub fn grant_by_thumbprint(&self, thumbprint: &str) -> Result<Option<Grant>, StoreError> {
        self.one_grant(
            "SELECT * FROM grants WHERE thumbprint = ?1 ORDER BY created_ms DESC, rowid DESC LIMIT 1",
            thumbprint,
        )
    }

    fn one_grant(&self, query: &str, by: &str) -> Result<Option<Grant>, StoreError> {
        self.state().read(|step| Ok(step.prepare_cached(query)?.query_row([by], Grant::of).optional()?))
    }

    /// Takes a grant back, at once. `None` where there is none of this name; one that was taken back stays so.
    pub fn revoke_grant(&self, id: &str, now: OffsetDateTime) -> Result<Option<Grant>, StoreError> {
        self.state().write(|step| {
            step.execute(
                "UPDATE grants SET revoked_ms = ?2 WHERE id = ?1 AND revoked_ms IS NULL",
                params![id, millis(now)],
            )?;
            Ok(step.query_row("SELECT * FROM grants WHERE id = ?1", [id], Grant::of).optional()?)
        })
    }

    /// Notes that a grant was used.
    pub fn touch_grant(&self, id: &str, now: OffsetDateTime) -> Result<(), StoreError> {
        let used = self.grant(id)?.and_then(|grant| grant.used);
        if used.is_some_and(|used| now - used < USE_WITHIN) {
            return Ok(());
        }
        self.state().write(|step| {
            step.execute("UPDATE grants SET used_ms = ?2 WHERE id = ?1", params![id, millis(now)])?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-20 08:00 UTC);

    fn grant(id: &str, thumbprint: &str) -> NewGrant {
        NewGrant {
            id: id.to_owned(),
            thumbprint: thumbprint.to_owned(),
            label: "Quầy 1".to_owned(),
            origin: "https://his.example.vn".to_owned(),
            scopes: "read.id photo".to_owned(),
            expires: Some(NOW + Duration::days(30)),
        }
    }

    #[test]
    fn a_grant_is_found_by_its_key_until_it_is_taken_back_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("store");
        let store = Store::open(&folder, NOW).unwrap();
        let given = store.add_grant(&grant("g1", "t1"), NOW).unwrap();
        assert!(matches!(store.add_grant(&grant("g1", "t2"), NOW), Err(StoreError::Exists(_))));
        assert!(matches!(store.add_grant(&grant("g2", "t1"), NOW), Err(StoreError::Exists(_))));
        drop(store);

        let store = Store::open(&folder, NOW).unwrap();
        assert_eq!(store.grant_by_thumbprint("t1").unwrap().unwrap(), given);
        assert_eq!(store.grant_by_thumbprint("t2").unwrap(), None);
        assert!(given.counts_at(NOW) && !given.counts_at(NOW + Duration::days(30)));

        let later = NOW + Duration::hours(1);
        store.touch_grant("g1", later).unwrap();
        store.touch_grant("g1", later + Duration::seconds(30)).unwrap();
        assert_eq!(store.grant("g1").unwrap().unwrap().used, Some(later));

        let revoked = store.revoke_grant("g1", later).unwrap().unwrap();
        assert!(!revoked.counts_at(NOW));
        // The second time changes nothing.
        assert_eq!(
            store.revoke_grant("g1", later + Duration::hours(1)).unwrap().unwrap().revoked,
            Some(later)
        );
        assert_eq!(store.revoke_grant("none", later).unwrap(), None);
        // The page may be paired again with the same key.
        store.add_grant(&grant("g2", "t1"), later).unwrap();
        assert_eq!(store.grant_by_thumbprint("t1").unwrap().unwrap().id, "g2");
        let listed: Vec<String> = store.grants().unwrap().into_iter().map(|grant| grant.id).collect();
        assert_eq!(listed, ["g2", "g1"]);
    }

    #[test]
    fn grants_that_are_long_over_are_forgotten_and_those_without_an_end_are_not() {
        let store = Store::in_memory(NOW).unwrap();
        store.add_grant(&grant("over", "t1"), NOW).unwrap();
        store.add_grant(&NewGrant { expires: None, ..grant("endless", "t2") }, NOW).unwrap();
        store.add_grant(&NewGrant { expires: None, ..grant("revoked", "t3") }, NOW).unwrap();
        store.revoke_grant("revoked", NOW).unwrap();
        let later = NOW + Duration::days(30) + LISTED + Duration::days(1);
        store.add_grant(&NewGrant { expires: None, ..grant("new", "t4") }, later).unwrap();
        let listed: Vec<String> = store.grants().unwrap().into_iter().map(|grant| grant.id).collect();
        assert_eq!(listed, ["new", "endless"]);
    }

    #[test]
    fn there_is_an_end_to_grants() {
        let store = Store::in_memory(NOW).unwrap();
        for number in 0..AT_MOST {
            store.add_grant(&grant(&format!("g{number}"), &format!("t{number}")), NOW).unwrap();
        }
        assert!(matches!(store.add_grant(&grant("more", "more"), NOW), Err(StoreError::Full { .. })));
        let long = NewGrant { label: "x".repeat(LONGEST + 1), ..grant("long", "long") };
        assert!(matches!(store.add_grant(&long, NOW), Err(StoreError::TooLong { .. })));
    }
}
