//! One SQLite file: how it is opened, brought up to date, and moved aside where it cannot be used.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use time::OffsetDateTime;

use crate::StoreError;
use crate::private;

/// What a database of ours looks like.
pub(crate) struct Schema {
    /// SQLite's `application_id`: a file with another one is not ours.
    pub(crate) application: i32,
    /// The way to the newest form; `user_version` says how many steps a file has gone.
    pub(crate) steps: &'static [&'static str],
    /// Queries that only a whole database answers.
    pub(crate) probes: &'static [&'static str],
}

/// How long one process waits for another to finish its step. None takes more than a few milliseconds.
const BUSY: Duration = Duration::from_secs(5);

/// Opens the database, makes it where there is none, and brings it up to date.
pub(crate) fn open(path: &Path, schema: &Schema) -> Result<Connection, StoreError> {
    private::make_file(path).map_err(StoreError::file(path))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    prepare(&mut connection, schema)?;
    Ok(connection)
}

/// The same, where a database that cannot be used costs nobody the desk: it is moved aside, and a new one begun. Where to.
pub(crate) fn open_or_begin_anew(
    path: &Path,
    schema: &Schema,
    now: OffsetDateTime,
) -> Result<(Connection, Option<PathBuf>), StoreError> {
    let opened = open(path, schema).and_then(|connection| check_pages(&connection).map(|()| connection));
    match opened {
        Ok(connection) => Ok((connection, None)),
        Err(error) if error.is_damage() => {
            let aside = move_aside(path, now)?;
            open(path, schema).map(|connection| (connection, Some(aside)))
        }
        Err(error) => Err(error),
    }
}

/// The same without a file.
pub(crate) fn in_memory(schema: &Schema) -> Result<Connection, StoreError> {
    let mut connection = Connection::open_in_memory()?;
    prepare(&mut connection, schema)?;
    Ok(connection)
}

fn prepare(connection: &mut Connection, schema: &Schema) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY)?;
    // Nothing in the file may call functions of ours, and no page of it is believed unseen.
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "secure_delete", true)?;
    let application: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != i64::from(schema.application) && (application != 0 || tables != 0) {
        return Err(StoreError::Foreign);
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // What is said to be kept is on the disk: a power cut takes nothing back.
    connection.pragma_update(None, "synchronous", "FULL")?;
    migrate(connection, schema)?;
    for probe in schema.probes {
        connection.prepare(probe)?;
    }
    Ok(())
}

fn migrate(connection: &mut Connection, schema: &Schema) -> Result<(), StoreError> {
    let known = i64::try_from(schema.steps.len()).unwrap_or(i64::MAX);
    let step = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = step.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    // A negative version is nobody's.
    let gone = usize::try_from(found).map_err(|_| StoreError::Foreign)?;
    if found < known {
        for sql in schema.steps.iter().skip(gone) {
            step.execute_batch(sql)?;
        }
        step.pragma_update(None, "application_id", schema.application)?;
        step.pragma_update(None, "user_version", known)?;
    }
    Ok(step.commit()?)
}

/// Whether every page of the database can be read and belongs where it is. Takes as long as reading the file.
pub(crate) fn check_pages(connection: &Connection) -> Result<(), StoreError> {
    let told: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if told == "ok" {
        Ok(())
    } else {
        // Its words would quote the file.
        Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT), None)
            .into())
    }
}

/// Renames a database, and what SQLite keeps beside it, so that it can still be looked at: under its new name it is a
/// whole database again, as far as it was one. No connection of this process may be open.
pub(crate) fn move_aside(path: &Path, now: OffsetDateTime) -> Result<PathBuf, StoreError> {
    let stem = format!("{}.broken-{}", path.display(), now.unix_timestamp());
    let free = |count: u32| {
        let name = if count == 0 { stem.clone() } else { format!("{stem}-{count}") };
        Some(PathBuf::from(name)).filter(|aside| fs::symlink_metadata(aside).is_err())
    };
    let aside = (0..u32::MAX).find_map(free).unwrap_or_else(|| PathBuf::from(&stem));
    for suffix in ["-wal", "-shm", ""] {
        let (from, to) = (with_suffix(path, suffix), with_suffix(&aside, suffix));
        match fs::rename(&from, &to) {
            Err(error) if suffix.is_empty() || error.kind() != std::io::ErrorKind::NotFound => {
                return Err(StoreError::file(&from)(error));
            }
            _ => {}
        }
    }
    path.parent().map_or(Ok(()), private::sync_folder).map_err(StoreError::file(path))?;
    Ok(aside)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// A connection that threads take in turn.
pub(crate) struct Shared(Mutex<Connection>);

impl Shared {
    pub(crate) fn new(connection: Connection) -> Self {
        Self(Mutex::new(connection))
    }

    /// All of `work` happens, or none of it, and nobody else writes meanwhile.
    pub(crate) fn write<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = self.lock();
        let step = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Dropped before its commit, it leaves no trace.
        let done = work(&step)?;
        step.commit()?;
        Ok(done)
    }

    /// Everything `work` reads is of one moment.
    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = self.lock();
        let step = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
        work(&step)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Connection> {
        // A thread that panicked has rolled its transaction back.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
