//! What is on its way to other systems and has not arrived: encrypted, in order, until somebody has taken it.
//!
//! Each message goes to one target under a key that the receiver knows it by: put twice, it is there once; delivered
//! twice, because the power went between the delivery and its note, the receiver knows the key. What cannot be
//! delivered stays as a dead letter until an operator sends or drops it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{OptionalExtension as _, Row, params};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::database::{self, Schema, Shared};
use crate::instant::{millis, moment};
use crate::sealed::Sealer;
use crate::{StoreError, private};

const OUTBOX: Schema = Schema {
    application: 0x6363_6f31, // "cco1"
    steps: &["
        CREATE TABLE messages (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            target TEXT NOT NULL,
            key TEXT NOT NULL,
            content_type TEXT NOT NULL,
            sealed BLOB,
            put_ms INTEGER NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('waiting', 'dead', 'delivered')),
            attempts INTEGER NOT NULL,
            next_ms INTEGER NOT NULL,
            why TEXT,
            UNIQUE (target, key)
        ) STRICT;
        CREATE INDEX messages_state ON messages (state, target, id);
    "],
    probes: &[
        "SELECT id, target, key, content_type, sealed, put_ms, state, attempts, next_ms, why FROM messages",
    ],
};

/// The longest message: a record with a face in base64 is a tenth of it.
const LONGEST_BODY: usize = 4 << 20;
/// The longest name of a target, key or media type.
const LONGEST_NAME: usize = 128;
/// The most messages that wait, for all targets.
const MOST_WAITING: usize = 100_000;
/// How long the key of a delivered message is remembered, so that it is not put again.
const REMEMBERED: time::Duration = time::Duration::days(30);
/// The wait after the first failure, which doubles with each, and the longest.
const FIRST_WAIT: Duration = Duration::from_secs(5);
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// A message that should be tried later than this from now is due: the clock has been put back.
const BEYOND: time::Duration = time::Duration::hours(2);

/// The messages of one machine. Clones are not needed: it is shared behind an `Arc`.
pub struct Outbox {
    database: Shared,
    sealer: Sealer,
    moved_aside: Option<PathBuf>,
}

/// A message to be delivered.
#[derive(Clone, Copy)]
pub struct NewMessage<'a> {
    /// To whom, by the name in the settings.
    pub target: &'a str,
    /// By which the receiver knows it again.
    pub key: &'a str,
    /// The media type.
    pub content_type: &'a str,
    /// What is delivered.
    pub body: &'a [u8],
}

/// Whether a message is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is on the disk now.
    New,
    /// It was there before, perhaps delivered already.
    Known,
}

/// A message whose time has come.
pub struct DueMessage {
    /// Its number in the outbox.
    pub id: i64,
    /// By which the receiver knows it again.
    pub key: String,
    /// The media type.
    pub content_type: String,
    /// What is delivered.
    pub body: Zeroizing<Vec<u8>>,
    /// How often it was tried.
    pub attempts: u32,
}

/// Whether anything can be delivered to a target now.
pub enum Due {
    /// This one.
    Now(DueMessage),
    /// Nothing before then.
    Later(Duration),
    /// Nothing at all.
    Nothing,
}

/// In which order a target gets its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The oldest first, and none before the one before it has arrived or is dead.
    Kept,
    /// The oldest that is due first: one that fails lets others pass.
    Free,
}

/// What became of an attempt that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// It may go well another time.
    Passing(&'static str),
    /// It will never go well: the message becomes a dead letter.
    Lasting(&'static str),
}

/// A message as an operator sees it: nothing of what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageView {
    /// Its number.
    pub id: i64,
    /// To whom.
    pub target: String,
    /// `waiting` or `dead`.
    pub state: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was put there.
    pub put: OffsetDateTime,
    /// When it is tried next.
    pub next: OffsetDateTime,
    /// Why it did not arrive the last time.
    pub why: Option<String>,
}

impl Outbox {
    /// Opens the outbox in a folder of the store, and makes it and its key where there is none.
    pub fn open(folder: &Path, now: OffsetDateTime) -> Result<Self, StoreError> {
        private::make_folder(folder).map_err(StoreError::file(folder))?;
        let sealer = Sealer::with_key_at(&folder.join("outbox.key"))?;
        let path = folder.join("outbox.db");
        let (connection, moved_aside) = database::open_or_begin_anew(&path, &OUTBOX, now)?;
        Ok(Self { database: Shared::new(connection), sealer, moved_aside })
    }

    /// The same beside a daemon that may have it open: what is broken is an error, and stays.
    pub fn join(folder: &Path) -> Result<Self, StoreError> {
        private::make_folder(folder).map_err(StoreError::file(folder))?;
        let sealer = Sealer::with_key_at(&folder.join("outbox.key"))?;
        let database = Shared::new(database::open(&folder.join("outbox.db"), &OUTBOX)?);
        Ok(Self { database, sealer, moved_aside: None })
    }

    /// One that ends with the program.
    pub fn in_memory() -> Result<Self, StoreError> {
        let database = Shared::new(database::in_memory(&OUTBOX)?);
        Ok(Self { database, sealer: Sealer::in_memory()?, moved_aside: None })
    }

    /// Where a database went that could not be used when this was opened. What lay in it is not delivered.
    pub fn moved_aside(&self) -> Option<&Path> {
        self.moved_aside.as_deref()
    }

    /// Puts a message in. Once this returns it is on the disk.
    pub fn put(&self, message: NewMessage<'_>, now: OffsetDateTime) -> Result<Put, StoreError> {
        if message.body.len() > LONGEST_BODY {
            return Err(StoreError::TooLong { what: "a message", limit: LONGEST_BODY });
        }
        for name in [message.target, message.key, message.content_type] {
            if name.len() > LONGEST_NAME {
                return Err(StoreError::TooLong { what: "a message's name", limit: LONGEST_NAME });
            }
        }
        let sealed = self.sealer.seal(&[message.target, message.key], message.body)?;
        self.database.write(|step| {
            let waiting: i64 =
                step.query_row("SELECT count(*) FROM messages WHERE state <> 'delivered'", [], |row| {
                    row.get(0)
                })?;
            if usize::try_from(waiting).unwrap_or(usize::MAX) >= MOST_WAITING {
                return Err(StoreError::Full { what: "messages", limit: MOST_WAITING });
            }
            let put = step.execute(
                "INSERT INTO messages (target, key, content_type, sealed, put_ms, state, attempts, next_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, 'waiting', 0, ?5) ON CONFLICT (target, key) DO NOTHING",
                params![message.target, message.key, message.content_type, sealed, millis(now)],
            )?;
            Ok(if put == 1 { Put::New } else { Put::Known })
        })
    }

    /// The next message to a target, if its time has come.
    pub fn due(&self, target: &str, order: Order, now: OffsetDateTime) -> Result<Due, StoreError> {
        loop {
            let Some((id, key, content_type, sealed, attempts, next)) = self.first(target, order, now)?
            else {
                return Ok(Due::Nothing);
            };
            let left = next - now;
            if left > time::Duration::ZERO && left < BEYOND {
                return Ok(Due::Later(left.unsigned_abs()));
            }
            if let Some(body) = self.sealer.open(&[target, &key], &sealed) {
                return Ok(Due::Now(DueMessage { id, key, content_type, body, attempts }));
            }
            // Sealed under another key, or damaged: nobody will ever read it. It waits no more, so that the next one is
            // another.
            self.failed(id, Failure::Lasting("unreadable"), now)?;
        }
    }

    fn first(&self, target: &str, order: Order, now: OffsetDateTime) -> Result<Option<Waiting>, StoreError> {
        self.database.read(|step| {
            let by = match order {
                Order::Kept => "ORDER BY id LIMIT 1",
                Order::Free => {
                    "ORDER BY next_ms > ?2 AND next_ms < ?3, CASE WHEN next_ms > ?2 THEN next_ms ELSE 0 END, id LIMIT 1"
                }
            };
            let sql = format!(
                "SELECT id, key, content_type, sealed, attempts, next_ms FROM messages
                 WHERE state = 'waiting' AND target = ?1 AND ?2 <= ?3 {by}"
            );
            let parameters = params![target, millis(now), millis(now + BEYOND)];
            Ok(step.query_row(&sql, parameters, waiting_of).optional()?)
        })
    }

    /// A message has arrived: what it says is gone from here, its key is remembered.
    pub fn delivered(&self, id: i64, now: OffsetDateTime) -> Result<(), StoreError> {
        self.database.write(|step| {
            step.execute(
                "UPDATE messages SET state = 'delivered', sealed = NULL, why = NULL, next_ms = ?2 WHERE id = ?1",
                params![id, millis(now)],
            )?;
            step.execute(
                "DELETE FROM messages WHERE state = 'delivered' AND next_ms < ?1",
                [millis(now - REMEMBERED)],
            )?;
            Ok(())
        })
    }

    /// A message has not arrived.
    pub fn failed(&self, id: i64, failure: Failure, now: OffsetDateTime) -> Result<(), StoreError> {
        let mut random = [0; 2];
        getrandom::fill(&mut random)?;
        self.database.write(|step| {
            let attempts: Option<u32> = step
                .query_row("SELECT attempts FROM messages WHERE id = ?1", [id], |row| row.get(0))
                .optional()?;
            let Some(attempts) = attempts.map(|attempts| attempts.saturating_add(1)) else { return Ok(()) };
            let (state, why) = match failure {
                Failure::Passing(why) => ("waiting", why),
                Failure::Lasting(why) => ("dead", why),
            };
            let next = now + wait_after(attempts, u16::from_be_bytes(random));
            step.execute(
                "UPDATE messages SET state = ?2, attempts = ?3, next_ms = ?4, why = ?5
                 WHERE id = ?1 AND state <> 'delivered'",
                params![id, state, attempts, millis(next), why],
            )?;
            Ok(())
        })
    }

    /// What waits and what is dead, the oldest first.
    pub fn list(&self) -> Result<Vec<MessageView>, StoreError> {
        self.database.read(|step| {
            let mut query = step.prepare(
                "SELECT id, target, state, attempts, put_ms, next_ms, why FROM messages
                 WHERE state <> 'delivered' ORDER BY id",
            )?;
            let views = query.query_map([], |row| {
                Ok(MessageView {
                    id: row.get(0)?,
                    target: row.get(1)?,
                    state: row.get(2)?,
                    attempts: row.get(3)?,
                    put: moment(row.get(4)?),
                    next: moment(row.get(5)?),
                    why: row.get(6)?,
                })
            })?;
            Ok(views.collect::<Result<_, _>>()?)
        })
    }

    /// How many messages wait, and how many are dead.
    pub fn counts(&self) -> Result<(u64, u64), StoreError> {
        self.database.read(|step| {
            let count = |state: &str| -> Result<u64, StoreError> {
                let sql = "SELECT count(*) FROM messages WHERE state = ?1";
                let count: i64 = step.query_row(sql, [state], |row| row.get(0))?;
                Ok(u64::try_from(count).unwrap_or_default())
            };
            Ok((count("waiting")?, count("dead")?))
        })
    }

    /// Since when the oldest message waits; `None` where none does.
    pub fn oldest_waiting(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        self.database.read(|step| {
            let sql = "SELECT min(put_ms) FROM messages WHERE state = 'waiting'";
            let oldest: Option<i64> = step.query_row(sql, [], |row| row.get(0))?;
            Ok(oldest.map(moment))
        })
    }

    /// Tries a message again at once, dead or not. Whether there is one.
    pub fn retry(&self, id: i64, now: OffsetDateTime) -> Result<bool, StoreError> {
        self.database.write(|step| {
            let changed = step.execute(
                "UPDATE messages SET state = 'waiting', next_ms = ?2 WHERE id = ?1 AND state <> 'delivered'",
                params![id, millis(now)],
            )?;
            Ok(changed == 1)
        })
    }

    /// Gives a message up: what it says is gone, its key is remembered as if it had arrived. Whether there was one.
    pub fn drop_message(&self, id: i64, now: OffsetDateTime) -> Result<bool, StoreError> {
        self.database.write(|step| {
            let changed = step.execute(
                "UPDATE messages SET state = 'delivered', sealed = NULL, next_ms = ?2
                 WHERE id = ?1 AND state <> 'delivered'",
                params![id, millis(now)],
            )?;
            Ok(changed == 1)
        })
    }
}

type Waiting = (i64, String, String, Vec<u8>, u32, OffsetDateTime);

fn waiting_of(row: &Row<'_>) -> rusqlite::Result<Waiting> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, moment(row.get(5)?)))
}

/// Doubles with each attempt up to an hour, and lies between half of that and the whole, so that not all desks of a
/// house knock at once when a server is back.
fn wait_after(attempts: u32, random: u16) -> Duration {
    let doubled = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(attempts.saturating_sub(1).min(16)));
    let whole = doubled.min(LONGEST_WAIT);
    whole / 2 + (whole / 2).mul_f64(f64::from(random) / f64::from(u16::MAX))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-20 08:00 UTC);

    fn message<'a>(key: &'a str, body: &'a [u8]) -> NewMessage<'a> {
        NewMessage { target: "his", key, content_type: "application/json", body }
    }

    fn due(outbox: &Outbox, order: Order, now: OffsetDateTime) -> Option<DueMessage> {
        match outbox.due("his", order, now).unwrap() {
            Due::Now(message) => Some(message),
            Due::Later(_) | Due::Nothing => None,
        }
    }

    #[test]
    fn a_message_is_there_once_until_it_has_arrived() {
        let outbox = Outbox::in_memory().unwrap();
        assert_eq!(outbox.put(message("a", b"one"), NOW).unwrap(), Put::New);
        assert_eq!(outbox.put(message("a", b"one"), NOW).unwrap(), Put::Known);
        let first = due(&outbox, Order::Kept, NOW).unwrap();
        assert_eq!((first.key.as_str(), first.body.as_slice()), ("a", &b"one"[..]));
        outbox.delivered(first.id, NOW).unwrap();
        assert!(due(&outbox, Order::Kept, NOW).is_none());
        assert_eq!(outbox.put(message("a", b"one"), NOW).unwrap(), Put::Known);
        assert_eq!(outbox.list().unwrap(), []);
        // After a month its key is forgotten with the next that arrives.
        let later = NOW + time::Duration::days(31);
        outbox.put(message("b", b"two"), later).unwrap();
        outbox.delivered(due(&outbox, Order::Kept, later).unwrap().id, later).unwrap();
        assert_eq!(outbox.put(message("a", b"one"), later).unwrap(), Put::New);
    }

    #[test]
    fn it_survives_a_restart_and_the_disk_tells_nobody_what_it_says() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("store");
        let outbox = Outbox::open(&folder, NOW).unwrap();
        outbox.put(message("a", "Nguyễn Văn Mẫu 000090123456".as_bytes()), NOW).unwrap();
        drop(outbox);
        for name in ["outbox.db", "outbox.db-wal"] {
            let bytes = std::fs::read(folder.join(name)).unwrap_or_default();
            assert!(!bytes.windows(12).any(|window| window == b"000090123456"), "{name}");
        }
        let outbox = Outbox::open(&folder, NOW).unwrap();
        assert!(due(&outbox, Order::Kept, NOW).is_some());
        drop(outbox);
        // Without its key nobody reads it, and it is told as a dead letter.
        std::fs::write(folder.join("outbox.key"), [0; 32]).unwrap();
        let outbox = Outbox::open(&folder, NOW).unwrap();
        assert!(due(&outbox, Order::Kept, NOW).is_none());
        let [view] = &outbox.list().unwrap()[..] else { panic!() };
        assert_eq!((view.state.as_str(), view.why.as_deref()), ("dead", Some("unreadable")));
    }

    #[test]
    fn what_fails_waits_longer_each_time_and_one_that_never_will_is_dead() {
        let outbox = Outbox::in_memory().unwrap();
        outbox.put(message("a", b"one"), NOW).unwrap();
        let id = due(&outbox, Order::Kept, NOW).unwrap().id;
        let mut now = NOW;
        for attempts in 1..=40 {
            outbox.failed(id, Failure::Passing("connect"), now).unwrap();
            let Due::Later(left) = outbox.due("his", Order::Kept, now).unwrap() else { panic!("{attempts}") };
            assert!(left <= LONGEST_WAIT, "{attempts}: {left:?}");
            now += left;
            assert_eq!(due(&outbox, Order::Kept, now).unwrap().attempts, attempts);
        }
        outbox.failed(id, Failure::Lasting("http-400"), now).unwrap();
        assert!(matches!(outbox.due("his", Order::Kept, now).unwrap(), Due::Nothing));
        assert_eq!(outbox.list().unwrap()[0].state, "dead");
        assert!(outbox.retry(id, now).unwrap());
        assert!(due(&outbox, Order::Kept, now).is_some());
        assert!(outbox.drop_message(id, now).unwrap());
        assert!(!outbox.drop_message(id, now).unwrap() && !outbox.retry(id, now).unwrap());
    }

    #[test]
    fn it_is_known_since_when_the_oldest_waits() {
        let outbox = Outbox::in_memory().unwrap();
        assert_eq!(outbox.oldest_waiting().unwrap(), None);
        outbox.put(message("a", b"one"), NOW).unwrap();
        outbox.put(message("b", b"two"), NOW + time::Duration::HOUR).unwrap();
        assert_eq!(outbox.oldest_waiting().unwrap(), Some(NOW));
        // One that is dead waits for nothing.
        let first = due(&outbox, Order::Kept, NOW).unwrap();
        outbox.failed(first.id, Failure::Lasting("http-400"), NOW).unwrap();
        assert_eq!(outbox.oldest_waiting().unwrap(), Some(NOW + time::Duration::HOUR));
    }

    #[test]
    fn order_is_kept_where_it_is_asked_for() {
        let outbox = Outbox::in_memory().unwrap();
        outbox.put(message("a", b"one"), NOW).unwrap();
        outbox.put(message("b", b"two"), NOW).unwrap();
        let first = due(&outbox, Order::Free, NOW).unwrap();
        assert_eq!(first.key, "a");
        outbox.failed(first.id, Failure::Passing("connect"), NOW).unwrap();
        assert!(due(&outbox, Order::Kept, NOW).is_none());
        assert_eq!(due(&outbox, Order::Free, NOW).unwrap().key, "b");
        outbox.failed(first.id, Failure::Lasting("http-400"), NOW).unwrap();
        assert_eq!(due(&outbox, Order::Kept, NOW).unwrap().key, "b");
    }

    #[test]
    fn a_clock_that_was_put_back_holds_nothing_up() {
        let outbox = Outbox::in_memory().unwrap();
        outbox.put(message("a", b"one"), NOW).unwrap();
        let id = due(&outbox, Order::Kept, NOW).unwrap().id;
        outbox.failed(id, Failure::Passing("connect"), NOW).unwrap();
        for order in [Order::Kept, Order::Free] {
            assert!(due(&outbox, order, NOW - time::Duration::DAY).is_some());
            assert!(due(&outbox, order, NOW + time::Duration::DAY).is_some());
        }
    }

    #[test]
    fn a_week_of_a_target_that_is_down_loses_nothing_and_the_oldest_goes_first() {
        let outbox = Outbox::in_memory().unwrap();
        let mut now = NOW;
        for hour in 0..7 * 24 {
            outbox.put(message(&format!("{hour:03}"), b"a result"), now).unwrap();
            if let Some(message) = due(&outbox, Order::Kept, now) {
                outbox.failed(message.id, Failure::Passing("connect"), now).unwrap();
            }
            now += time::Duration::HOUR;
        }
        now += time::Duration::HOUR;
        let mut arrived = Vec::new();
        while let Some(message) = due(&outbox, Order::Kept, now) {
            outbox.delivered(message.id, now).unwrap();
            arrived.push(message.key.clone());
        }
        assert_eq!(arrived.len(), 7 * 24);
        assert!(arrived.is_sorted());
    }

    #[test]
    fn a_full_disk_refuses_what_is_new_and_loses_nothing_that_is_in() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("store");
        let outbox = Outbox::open(&folder, NOW).unwrap();
        // SQLite says the same of a database that may not grow as of a disk that is full: SQLITE_FULL.
        let pages: i64 =
            outbox.database.lock().pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        outbox.database.lock().pragma_update(None, "max_page_count", pages + 8).unwrap();
        let body = [7; 1500];
        let mut taken = Vec::new();
        let refused = loop {
            let key = format!("{:04}", taken.len());
            match outbox.put(message(&key, &body), NOW) {
                Ok(_) => taken.push(key),
                Err(error) => break error,
            }
        };
        let code = match &refused {
            StoreError::Database(error) => error.sqlite_error_code(),
            _ => None,
        };
        assert_eq!(code, Some(rusqlite::ErrorCode::DiskFull), "{refused:?}");
        assert!(!refused.is_damage() && taken.len() > 3);
        // What is in arrives all the same, the oldest first, and makes room.
        let first = due(&outbox, Order::Kept, NOW).unwrap();
        assert_eq!((&first.key, first.body.as_slice()), (&taken[0], &body[..]));
        outbox.delivered(first.id, NOW).unwrap();
        drop(outbox);
        let outbox = Outbox::open(&folder, NOW).unwrap();
        assert_eq!(outbox.moved_aside(), None);
        assert_eq!(outbox.put(message("later", &body), NOW).unwrap(), Put::New);
        let mut arrived = Vec::new();
        while let Some(message) = due(&outbox, Order::Kept, NOW) {
            outbox.delivered(message.id, NOW).unwrap();
            arrived.push(message.key);
        }
        taken.push("later".to_owned());
        assert_eq!(arrived, taken[1..]);
    }

    #[test]
    fn a_broken_outbox_is_moved_aside_and_the_desk_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("store");
        Outbox::open(&folder, NOW).unwrap().put(message("a", b"one"), NOW).unwrap();
        std::fs::write(folder.join("outbox.db"), [0x5A; 8192]).unwrap();
        let outbox = Outbox::open(&folder, NOW).unwrap();
        assert!(outbox.moved_aside().unwrap().exists());
        assert_eq!(outbox.put(message("b", b"two"), NOW).unwrap(), Put::New);
    }

    #[test]
    fn what_is_too_large_is_refused() {
        let outbox = Outbox::in_memory().unwrap();
        let large = vec![0; LONGEST_BODY + 1];
        assert!(matches!(outbox.put(message("a", &large), NOW), Err(StoreError::TooLong { .. })));
        let name = "x".repeat(LONGEST_NAME + 1);
        assert!(matches!(outbox.put(message(&name, b""), NOW), Err(StoreError::TooLong { .. })));
    }

    #[test]
    fn waits_double_up_to_an_hour_and_are_spread() {
        assert_eq!(wait_after(1, 0), FIRST_WAIT / 2);
        assert_eq!(wait_after(1, u16::MAX), FIRST_WAIT);
        assert_eq!(wait_after(3, u16::MAX), FIRST_WAIT * 4);
        assert_eq!(wait_after(u32::MAX, u16::MAX), LONGEST_WAIT);
    }
}
