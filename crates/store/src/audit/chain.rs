//! The chain on disk.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{OptionalExtension as _, Row, Transaction, params};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use super::entry::{Entry, EntryKind, Recorded, written_time};
use super::head::{Head, HeadKeeper};
use super::proof::{ChainFault, Fault, GENESIS, Walk};
use crate::database::{self, Schema, Shared};
use crate::hash_key::HashKey;
use crate::instant::{millis, moment};
use crate::store::{take_turn, told};
use crate::{Notice, StoreError};

const FILE: &str = "audit.db";
const PURPOSE: &str = "audit-entry";

const CHAIN: Schema = Schema {
    application: 0x6363_6131, // "cca1"
    steps: &["
        CREATE TABLE entries (
            sequence INTEGER PRIMARY KEY,
            at_ms INTEGER NOT NULL,
            text TEXT NOT NULL,
            hash BLOB NOT NULL,
            mac BLOB NOT NULL
        ) STRICT;
        CREATE INDEX entries_at ON entries (at_ms);
        CREATE TRIGGER entries_stay BEFORE DELETE ON entries
            BEGIN SELECT RAISE(ABORT, 'entries are not deleted'); END;
        CREATE TRIGGER entries_stay_as_they_are BEFORE UPDATE ON entries
            BEGIN SELECT RAISE(ABORT, 'entries are not changed'); END;
        -- Also keeps REPLACE from putting another in an entry's place, which would ask no trigger.
        CREATE TRIGGER entries_are_added_at_the_end BEFORE INSERT ON entries
            WHEN NEW.sequence IS NOT (SELECT ifnull(max(sequence), 0) + 1 FROM entries)
            BEGIN SELECT RAISE(ABORT, 'entries are added at the end'); END;
        CREATE TABLE cursors (
            name TEXT NOT NULL PRIMARY KEY,
            sequence INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
    "],
    probes: &["SELECT sequence, at_ms, text, hash, mac FROM entries", "SELECT name, sequence FROM cursors"],
};

/// Where a chain lies.
struct Place {
    folder: PathBuf,
    /// Whether it may be moved aside where it is broken.
    is_ours: bool,
}

/// The chain of entries: they are added at the end, and never changed or removed.
///
/// Each entry's text holds the SHA-256 of the text before it, so that none can be changed, removed or put elsewhere
/// alone. A MAC by this machine's key beside each keeps others from making the rest anew, and the head, in a file of
/// its own under the same key, tells which entry is the last. Whoever can read the key can forge all of it: against
/// them only a copy elsewhere helps, such as a syslog server's.
pub struct AuditChain {
    /// `None` only while a broken chain is being moved aside, or where that failed.
    database: Mutex<Option<Arc<Shared>>>,
    head: HeadKeeper,
    key: Arc<HashKey>,
    place: Option<Place>,
}

/// An entry was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Its number.
    pub sequence: u64,
    /// Its hash.
    pub hash: [u8; 32],
}

/// What a whole look at the chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainReport {
    /// How many entries are good, from the first one on.
    pub entries: u64,
    /// The hash of the last good one.
    pub last: [u8; 32],
    /// The first thing that is wrong.
    pub fault: Option<ChainFault>,
}

impl AuditChain {
    pub(crate) fn in_memory(key: Arc<HashKey>) -> Result<Self, StoreError> {
        let database = Arc::new(Shared::new(database::in_memory(&CHAIN)?));
        Ok(Self { database: Mutex::new(Some(database)), head: HeadKeeper::in_memory(), key, place: None })
    }

    /// Opens the chain of a folder whose turn it is. One that is broken at its end is moved aside.
    pub(crate) fn open(
        folder: &Path,
        key: Arc<HashKey>,
        now: OffsetDateTime,
    ) -> Result<(Self, Option<Notice>), StoreError> {
        let place = Place { folder: folder.to_owned(), is_ours: true };
        let head = HeadKeeper::of_folder(folder);
        let chain = Self { database: Mutex::new(None), head, key, place: Some(place) };
        match chain.open_database() {
            Err(error) if error.is_damage() => {
                let notice = chain.restart(&error, now)?;
                Ok((chain, Some(notice)))
            }
            Err(error) => Err(error),
            Ok(()) => Ok((chain, None)),
        }
    }

    /// Opens the chain of a folder whose turn it is, and leaves it as it is.
    pub(crate) fn join(folder: &Path, key: Arc<HashKey>) -> Result<Self, StoreError> {
        let place = Place { folder: folder.to_owned(), is_ours: false };
        let head = HeadKeeper::of_folder(folder);
        let chain = Self { database: Mutex::new(None), head, key, place: Some(place) };
        chain.open_database()?;
        Ok(chain)
    }

    /// Opens the chain of a folder to look at it, whatever is wrong with it. Nothing is made and nothing mended.
    pub(crate) fn look(folder: &Path, key: Arc<HashKey>) -> Result<Self, StoreError> {
        let database = Arc::new(Shared::new(database::open(&folder.join(FILE), &CHAIN)?));
        let head = HeadKeeper::of_folder(folder);
        let place = Place { folder: folder.to_owned(), is_ours: false };
        Ok(Self { database: Mutex::new(Some(database)), head, key, place: Some(place) })
    }

    /// Opens the file and looks at its end.
    fn open_database(&self) -> Result<(), StoreError> {
        let Some(place) = &self.place else { return Ok(()) };
        let path = place.folder.join(FILE);
        let head = self.head.read(&self.key)?;
        if head.is_some() && !path.exists() {
            return Err(StoreError::ChainBroken(ChainFault { sequence: 1, fault: Fault::CutShort }));
        }
        let shared = Shared::new(database::open(&path, &CHAIN)?);
        let tail = shared.read(|step| {
            let tail = tail(step)?;
            require_fit(step, head, tail)?;
            Ok(tail)
        })?;
        // The power may have gone between an entry and its head.
        if head != Some(tail) {
            self.head.write(&self.key, tail)?;
        }
        *self.slot() = Some(Arc::new(shared));
        Ok(())
    }

    /// Adds an entry at the end. It is on the disk once this returns.
    ///
    /// A chain that turns out to be broken at its end is moved aside by the daemon, and a new one begins.
    pub fn append(&self, entry: &Entry, now: OffsetDateTime) -> Result<Receipt, StoreError> {
        let _turn = match &self.place {
            Some(place) => Some(take_turn(&place.folder)?),
            None => None,
        };
        self.append_in_turn(entry, now)
    }

    /// The same where it is this process's turn already.
    pub(crate) fn append_in_turn(&self, entry: &Entry, now: OffsetDateTime) -> Result<Receipt, StoreError> {
        match self.append_once(entry, now) {
            Err(error) if error.is_damage() && self.place.as_ref().is_some_and(|place| place.is_ours) => {
                self.restart(&error, now)?;
                self.append_once(entry, now)
            }
            other => other,
        }
    }

    fn append_once(&self, entry: &Entry, now: OffsetDateTime) -> Result<Receipt, StoreError> {
        let head = self.head.read(&self.key)?;
        let added = self.shared()?.write(|step| {
            let tail = tail(step)?;
            // What was removed behind our back must not be covered up by what comes next.
            require_fit(step, head, tail)?;
            let sequence = tail.sequence.saturating_add(1);
            let text = entry.written(sequence, now, &tail.hash);
            let hash: [u8; 32] = Sha256::digest(text.as_bytes()).into();
            let mac = self.key.hash(PURPOSE, &hash);
            step.prepare_cached(
                "INSERT INTO entries (sequence, at_ms, text, hash, mac) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                i64::try_from(sequence).unwrap_or(i64::MAX),
                millis(now),
                text,
                &hash[..],
                &mac[..]
            ])?;
            Ok(Head { sequence, hash })
        })?;
        self.head.write(&self.key, added)?;
        Ok(Receipt { sequence: added.sequence, hash: added.hash })
    }

    /// Moves a broken chain aside, and begins a new one that says so first.
    fn restart(&self, error: &StoreError, now: OffsetDateTime) -> Result<Notice, StoreError> {
        let why = told(error);
        let before = self.head.read(&self.key).ok().flatten();
        let mut aside = None;
        // Whoever still reads keeps the connection, and what it reads, until done.
        *self.slot() = None;
        if let Some(place) = &self.place {
            let path = place.folder.join(FILE);
            if std::fs::symlink_metadata(&path).is_ok() {
                aside = Some(database::move_aside(&path, now)?);
            }
            self.head.move_aside(aside.as_deref())?;
        }
        self.open_database()?;
        let mut entry = Entry::new(EntryKind::ChainRestarted).with("why", &why);
        if let Some(before) = before {
            entry = entry
                .with("last_sequence", before.sequence.to_string())
                .with("last_hash", hex::encode(before.hash));
        }
        if let Some(name) = aside.as_ref().and_then(|aside| aside.file_name()) {
            entry = entry.with("moved_to", name.to_string_lossy());
        }
        self.append_once(&entry, now)?;
        Ok(Notice { file: FILE, why, aside })
    }

    /// Looks at every entry, from the first to the last.
    pub fn verify(&self) -> Result<ChainReport, StoreError> {
        // The head first: what is added in between comes after it.
        let (head, head_fault) = match self.head.read(&self.key) {
            Ok(head) => (head, None),
            Err(StoreError::ChainBroken(fault)) => (None, Some(fault)),
            Err(other) => return Err(other),
        };
        self.shared()?.read(|step| {
            let mut walk = Walk::begin();
            let mut head_is_there = head.is_none_or(|head| head.sequence == 0 && head.hash == GENESIS);
            let mut query =
                step.prepare("SELECT sequence, at_ms, text, hash, mac FROM entries ORDER BY sequence")?;
            let mut rows = query.query([])?;
            let mut fault = None;
            while let Some(row) = rows.next()? {
                if let Err(found) = self.verify_row(&mut walk, row) {
                    fault = Some(found);
                    break;
                }
                head_is_there |= head == Some(Head { sequence: walk.sequence, hash: walk.hash });
            }
            let at_the_end = || match head {
                None if head_fault.is_some() => head_fault,
                None if walk.sequence == 0 => None,
                None => Some(ChainFault { sequence: walk.sequence, fault: Fault::HeadMissing }),
                Some(_) if head_is_there => None,
                Some(head) if head.sequence > walk.sequence => {
                    Some(ChainFault { sequence: walk.sequence.saturating_add(1), fault: Fault::CutShort })
                }
                Some(head) => Some(ChainFault { sequence: head.sequence, fault: Fault::HeadDiffers }),
            };
            let fault = fault.or_else(at_the_end);
            Ok(ChainReport { entries: walk.sequence, last: walk.hash, fault })
        })
    }

    fn verify_row(&self, walk: &mut Walk, row: &Row<'_>) -> Result<(), ChainFault> {
        let expected = walk.sequence.saturating_add(1);
        let fault = |fault| ChainFault { sequence: expected, fault };
        let unreadable = |_| fault(Fault::Unreadable);
        let sequence: i64 = row.get(0).map_err(unreadable)?;
        let sequence = u64::try_from(sequence).map_err(|_| fault(Fault::Unreadable))?;
        if sequence > expected {
            return Err(fault(Fault::Missing));
        }
        let at: i64 = row.get(1).map_err(unreadable)?;
        let text: String = row.get(2).map_err(unreadable)?;
        let hash: Vec<u8> = row.get(3).map_err(unreadable)?;
        let mac: Vec<u8> = row.get(4).map_err(unreadable)?;
        let step = walk.step(&text, &hash)?;
        if step.time != written_time(moment(at)) {
            return Err(fault(Fault::Changed));
        }
        if !self.key.matches(PURPOSE, &hash, &mac) {
            return Err(fault(Fault::Forged));
        }
        Ok(())
    }

    /// The entries that come after the one with this number, the oldest first.
    pub fn after(&self, sequence: u64, at_most: usize) -> Result<Vec<Recorded>, StoreError> {
        let after = i64::try_from(sequence).unwrap_or(i64::MAX);
        let at_most = i64::try_from(at_most).unwrap_or(i64::MAX);
        self.shared()?.read(|step| {
            let mut query = step.prepare_cached(
                "SELECT sequence, at_ms, text, hash FROM entries WHERE sequence > ?1 ORDER BY sequence LIMIT ?2",
            )?;
            let entries = query.query_map([after, at_most], recorded)?.collect::<Result<_, _>>()?;
            Ok(entries)
        })
    }

    /// The number of the last entry; 0 where there is none.
    pub fn last(&self) -> Result<u64, StoreError> {
        self.shared()?.read(|step| Ok(tail(step)?.sequence))
    }

    /// The number of the last entry that was made before this moment; 0 where there is none.
    pub fn last_before(&self, moment: OffsetDateTime) -> Result<u64, StoreError> {
        self.shared()?.read(|step| {
            // The first one since, whatever the clock did in between.
            let first: Option<i64> = step.query_row(
                "SELECT min(sequence) FROM entries WHERE at_ms >= ?1",
                [millis(moment)],
                |row| row.get(0),
            )?;
            match first.map(u64::try_from) {
                Some(Ok(first)) => Ok(first.saturating_sub(1)),
                Some(Err(_)) => Ok(0),
                None => Ok(tail(step)?.sequence),
            }
        })
    }

    /// How far somebody who carries entries away has come; 0 where they have not begun.
    pub fn cursor(&self, name: &str) -> Result<u64, StoreError> {
        self.shared()?.read(|step| {
            let mut query = step.prepare_cached("SELECT sequence FROM cursors WHERE name = ?1")?;
            let sequence: Option<i64> = query.query_row([name], |row| row.get(0)).optional()?;
            Ok(sequence.and_then(|sequence| u64::try_from(sequence).ok()).unwrap_or(0))
        })
    }

    /// Somebody who carries entries away has come as far as this entry. Where the chain is another one by now, they
    /// have not begun with it.
    pub fn advance_cursor(&self, name: &str, to: &Recorded) -> Result<(), StoreError> {
        self.shared()?.write(|step| {
            step.prepare_cached(
                "INSERT INTO cursors (name, sequence)
                 SELECT ?1, sequence FROM entries WHERE sequence = ?2 AND hash = ?3
                 ON CONFLICT (name) DO UPDATE SET sequence = excluded.sequence",
            )?
            .execute(params![
                name,
                i64::try_from(to.sequence).unwrap_or(i64::MAX),
                &to.hash[..]
            ])?;
            Ok(())
        })
    }

    /// Somebody who carries entries away is not sure that the last ones have arrived.
    pub fn step_cursor_back(&self, name: &str, entries: u64) -> Result<(), StoreError> {
        self.shared()?.write(|step| {
            step.prepare_cached("UPDATE cursors SET sequence = max(sequence - ?2, 0) WHERE name = ?1")?
                .execute(params![name, i64::try_from(entries).unwrap_or(i64::MAX)])?;
            Ok(())
        })
    }

    fn slot(&self) -> MutexGuard<'_, Option<Arc<Shared>>> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shared(&self) -> Result<Arc<Shared>, StoreError> {
        if let Some(shared) = self.slot().as_ref() {
            return Ok(Arc::clone(shared));
        }
        // Moving aside failed halfway, or is under way: whoever comes next tries again.
        self.open_database()?;
        self.slot().clone().ok_or(StoreError::Foreign)
    }
}

/// The last entry of the chain, or what stands before the first.
fn tail(step: &Transaction<'_>) -> Result<Head, StoreError> {
    let mut query =
        step.prepare_cached("SELECT sequence, hash FROM entries ORDER BY sequence DESC LIMIT 1")?;
    let tail =
        query.query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, [u8; 32]>(1)?))).optional()?;
    let Some((sequence, hash)) = tail else { return Ok(Head { sequence: 0, hash: GENESIS }) };
    let unreadable = ChainFault { sequence: 1, fault: Fault::Unreadable };
    let sequence = u64::try_from(sequence).map_err(|_| StoreError::ChainBroken(unreadable))?;
    Ok(Head { sequence, hash })
}

/// The entry the head names must be there; more may follow it.
fn require_fit(step: &Transaction<'_>, head: Option<Head>, tail: Head) -> Result<(), StoreError> {
    let broken = |sequence, fault| Err(StoreError::ChainBroken(ChainFault { sequence, fault }));
    let Some(head) = head else {
        return if tail.sequence == 0 { Ok(()) } else { broken(tail.sequence, Fault::HeadMissing) };
    };
    if head == tail || (head.sequence == 0 && head.hash == GENESIS) {
        return Ok(());
    }
    if head.sequence > tail.sequence {
        return broken(tail.sequence.saturating_add(1), Fault::CutShort);
    }
    let mut query = step.prepare_cached("SELECT hash FROM entries WHERE sequence = ?1")?;
    let named: Option<[u8; 32]> =
        query.query_row([i64::try_from(head.sequence).unwrap_or(i64::MAX)], |row| row.get(0)).optional()?;
    if named == Some(head.hash) { Ok(()) } else { broken(head.sequence, Fault::HeadDiffers) }
}

fn recorded(row: &Row<'_>) -> rusqlite::Result<Recorded> {
    let text: String = row.get(2)?;
    // An entry that cannot be read is shown as one of a kind nobody knows: `verify` says what is wrong with it.
    let entry = serde_json::from_str(&text).unwrap_or_else(|_| Entry::new(EntryKind::Unknown));
    Ok(Recorded {
        sequence: u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0),
        time: moment(row.get(1)?),
        entry,
        text,
        hash: row.get(3)?,
    })
}

#[cfg(test)]
mod tests;
