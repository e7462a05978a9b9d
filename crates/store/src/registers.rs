//! Who came: guests of a house, passengers of a trip, candidates of a session. Each person stands there once.
//!
//! Whom an entry is about only a keyed hash tells apart, and what was read of them lies sealed, until it is forgotten.

use std::path::{Path, PathBuf};

use rusqlite::{OptionalExtension as _, params};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::database::{self, Schema, Shared};
use crate::instant::{millis, moment};
use crate::sealed::Sealer;
use crate::{StoreError, private};

const REGISTERS: Schema = Schema {
    application: 0x6363_7231, // "ccr1"
    steps: &["
        CREATE TABLE entries (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            register TEXT NOT NULL,
            session TEXT NOT NULL,
            number INTEGER NOT NULL,
            person BLOB NOT NULL,
            read TEXT NOT NULL,
            at_ms INTEGER NOT NULL,
            sealed BLOB NOT NULL,
            UNIQUE (register, session, person)
        ) STRICT;
        CREATE INDEX entries_at ON entries (register, at_ms);
    "],
    probes: &["SELECT id, register, session, number, person, read, at_ms, sealed FROM entries"],
};

/// The longest entry, name or session, and the most entries of all registers.
const LONGEST_BODY: usize = 1 << 20;
const LONGEST_NAME: usize = 256;
const MOST_ENTRIES: usize = 1_000_000;

/// The registers of one machine.
pub struct Registers {
    database: Shared,
    sealer: Sealer,
    moved_aside: Option<PathBuf>,
}

/// Somebody who has come.
#[derive(Clone, Copy)]
pub struct NewEntry<'a> {
    /// In which register, by its name in the settings.
    pub register: &'a str,
    /// Of which session, trip or day; empty where there are none.
    pub session: &'a str,
    /// By which the same person is known again: a keyed hash.
    pub person: &'a [u8; 32],
    /// The reading it comes of.
    pub read: &'a str,
    /// What is kept of them.
    pub body: &'a [u8],
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entered {
    /// They are in now, as this one of the session, counted from 1. Told again of the same reading, however often.
    New {
        /// Which.
        number: u32,
    },
    /// They were in already, of another reading.
    Before {
        /// As which one.
        number: u32,
        /// Since when.
        since: OffsetDateTime,
    },
}

/// An entry, opened.
pub struct RegisterEntry {
    /// Of which session.
    pub session: String,
    /// As which one of the session.
    pub number: u32,
    /// The keyed hash of the person.
    pub person: [u8; 32],
    /// When they came.
    pub at: OffsetDateTime,
    /// What is kept of them; `None` where it cannot be opened any more.
    pub body: Option<Zeroizing<Vec<u8>>>,
}

/// A session as an operator sees it: how many, and nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionView {
    /// The register.
    pub register: String,
    /// The session.
    pub session: String,
    /// How many are in.
    pub entries: u32,
    /// When the first and the last came.
    pub first: OffsetDateTime,
    /// See [`Self::first`].
    pub last: OffsetDateTime,
}

impl Registers {
    /// Opens the registers in a folder of the store, and makes them and their key where there are none.
    pub fn open(folder: &Path, now: OffsetDateTime) -> Result<Self, StoreError> {
        private::make_folder(folder).map_err(StoreError::file(folder))?;
        let sealer = Sealer::with_key_at(&folder.join("registers.key"))?;
        let path = folder.join("registers.db");
        let (connection, moved_aside) = database::open_or_begin_anew(&path, &REGISTERS, now)?;
        Ok(Self { database: Shared::new(connection), sealer, moved_aside })
    }

    /// The same beside a daemon that may have them open: what is broken is an error, and stays.
    pub fn join(folder: &Path) -> Result<Self, StoreError> {
        private::make_folder(folder).map_err(StoreError::file(folder))?;
        let sealer = Sealer::with_key_at(&folder.join("registers.key"))?;
        let database = Shared::new(database::open(&folder.join("registers.db"), &REGISTERS)?);
        Ok(Self { database, sealer, moved_aside: None })
    }

    /// Registers that end with the program.
    pub fn in_memory() -> Result<Self, StoreError> {
        let database = Shared::new(database::in_memory(&REGISTERS)?);
        Ok(Self { database, sealer: Sealer::in_memory()?, moved_aside: None })
    }

    /// Where a database went that could not be used when this was opened.
    pub fn moved_aside(&self) -> Option<&Path> {
        self.moved_aside.as_deref()
    }

    /// Enters somebody. Once this returns it is on the disk.
    pub fn enter(&self, entry: NewEntry<'_>, now: OffsetDateTime) -> Result<Entered, StoreError> {
        if entry.body.len() > LONGEST_BODY {
            return Err(StoreError::TooLong { what: "an entry", limit: LONGEST_BODY });
        }
        for name in [entry.register, entry.session, entry.read] {
            if name.len() > LONGEST_NAME {
                return Err(StoreError::TooLong { what: "the name of a register", limit: LONGEST_NAME });
            }
        }
        let person = hex::encode(entry.person);
        let sealed = self.sealer.seal(&[entry.register, entry.session, &person], entry.body)?;
        self.database.write(|step| {
            let known: Option<(u32, String, i64)> = step
                .query_row(
                    "SELECT number, read, at_ms FROM entries WHERE register = ?1 AND session = ?2 AND person = ?3",
                    params![entry.register, entry.session, entry.person],
                    |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
                )
                .optional()?;
            if let Some((number, read, at)) = known {
                let same = read == entry.read;
                return Ok(if same { Entered::New { number } } else { Entered::Before { number, since: moment(at) } });
            }
            let all: i64 = step.query_row("SELECT count(*) FROM entries", [], |row| row.get(0))?;
            if usize::try_from(all).unwrap_or(usize::MAX) >= MOST_ENTRIES {
                return Err(StoreError::Full { what: "entries of registers", limit: MOST_ENTRIES });
            }
            let number: u32 = step.query_row(
                "SELECT coalesce(max(number), 0) + 1 FROM entries WHERE register = ?1 AND session = ?2",
                params![entry.register, entry.session],
                |row| row.get(0),
            )?;
            step.execute(
                "INSERT INTO entries (register, session, number, person, read, at_ms, sealed)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    entry.register,
                    entry.session,
                    number,
                    entry.person,
                    entry.read,
                    millis(now),
                    sealed
                ],
            )?;
            Ok(Entered::New { number })
        })
    }

    /// Who is in, in the order they came; of one session, where one is named.
    pub fn entries(&self, register: &str, session: Option<&str>) -> Result<Vec<RegisterEntry>, StoreError> {
        type Row = (String, u32, Vec<u8>, i64, Vec<u8>);
        let rows: Vec<Row> = self.database.read(|step| {
            let mut query = step.prepare(
                "SELECT session, number, person, at_ms, sealed FROM entries
                 WHERE register = ?1 AND (?2 IS NULL OR session = ?2) ORDER BY id",
            )?;
            let rows = query.query_map(params![register, session], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })?;
        let opened = rows.into_iter().filter_map(|(session, number, person, at, sealed)| {
            let body = self.sealer.open(&[register, &session, &hex::encode(&person)], &sealed);
            let person = <[u8; 32]>::try_from(person).ok()?;
            Some(RegisterEntry { session, number, person, at: moment(at), body })
        });
        Ok(opened.collect())
    }

    /// The sessions there are.
    pub fn sessions(&self) -> Result<Vec<SessionView>, StoreError> {
        self.database.read(|step| {
            let mut query = step.prepare(
                "SELECT register, session, count(*), min(at_ms), max(at_ms) FROM entries
                 GROUP BY register, session ORDER BY register, min(id)",
            )?;
            let views = query.query_map([], |row| {
                Ok(SessionView {
                    register: row.get(0)?,
                    session: row.get(1)?,
                    entries: row.get(2)?,
                    first: moment(row.get(3)?),
                    last: moment(row.get(4)?),
                })
            })?;
            Ok(views.collect::<Result<_, _>>()?)
        })
    }

    /// Forgets who came before this moment; of one session, where one is named. How many.
    pub fn forget(
        &self,
        register: &str,
        session: Option<&str>,
        before: OffsetDateTime,
    ) -> Result<usize, StoreError> {
        self.database.write(|step| {
            let gone = step.execute(
                "DELETE FROM entries WHERE register = ?1 AND (?2 IS NULL OR session = ?2) AND at_ms < ?3",
                params![register, session, millis(before)],
            )?;
            Ok(gone)
        })
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-20 08:00 UTC);
    const LATER: OffsetDateTime = datetime!(2026-11-20 08:05 UTC);

    fn entry<'a>(session: &'a str, person: &'a [u8; 32], read: &'a str) -> NewEntry<'a> {
        NewEntry {
            register: "coach", session, person, read, body: "Nguyễn Văn Mẫu 000090123456".as_bytes()
        }
    }

    #[test]
    fn each_person_is_in_once_and_a_reading_is_told_the_same_again() {
        let registers = Registers::in_memory().unwrap();
        let enter = |entry, now| registers.enter(entry, now).unwrap();
        assert_eq!(enter(entry("07:00", &[1; 32], "r1"), NOW), Entered::New { number: 1 });
        assert_eq!(enter(entry("07:00", &[2; 32], "r2"), NOW), Entered::New { number: 2 });
        assert_eq!(enter(entry("07:00", &[1; 32], "r1"), LATER), Entered::New { number: 1 });
        let again = Entered::Before { number: 1, since: NOW };
        assert_eq!(enter(entry("07:00", &[1; 32], "r3"), LATER), again);
        // Another trip is another matter.
        assert_eq!(enter(entry("09:00", &[1; 32], "r4"), LATER), Entered::New { number: 1 });
        let entries = registers.entries("coach", Some("07:00")).unwrap();
        let seen: Vec<_> = entries.iter().map(|entry| (entry.number, entry.person, entry.at)).collect();
        assert_eq!(seen, [(1, [1; 32], NOW), (2, [2; 32], NOW)]);
        let views = registers.sessions().unwrap();
        let counts: Vec<_> = views.iter().map(|view| (view.session.as_str(), view.entries)).collect();
        assert_eq!(counts, [("07:00", 2), ("09:00", 1)]);
        assert!(registers.entries("hotel", None).unwrap().is_empty());
    }

    #[test]
    fn what_is_old_is_forgotten_and_who_comes_again_is_new() {
        let registers = Registers::in_memory().unwrap();
        registers.enter(entry("", &[1; 32], "r1"), NOW).unwrap();
        registers.enter(entry("", &[2; 32], "r2"), LATER).unwrap();
        assert_eq!(registers.forget("coach", Some("other"), LATER).unwrap(), 0);
        assert_eq!(registers.forget("coach", None, LATER).unwrap(), 1);
        let numbers: Vec<_> =
            registers.entries("coach", None).unwrap().iter().map(|entry| entry.number).collect();
        assert_eq!(numbers, [2]);
        // No number is given twice while anybody has a later one.
        let again = registers.enter(entry("", &[1; 32], "r3"), LATER).unwrap();
        assert_eq!(again, Entered::New { number: 3 });
    }

    #[test]
    fn it_survives_a_restart_and_the_disk_names_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("store");
        let registers = Registers::open(&folder, NOW).unwrap();
        registers.enter(entry("07:00", &[1; 32], "r1"), NOW).unwrap();
        for name in ["registers.db", "registers.db-wal"] {
            let bytes = std::fs::read(folder.join(name)).unwrap();
            assert!(!bytes.windows(12).any(|window| window == b"000090123456"), "{name}");
        }
        drop(registers);
        let registers = Registers::open(&folder, NOW).unwrap();
        let [entry] = &registers.entries("coach", None).unwrap()[..] else { panic!() };
        assert!(entry.body.as_ref().unwrap().ends_with(b"000090123456"));
        drop(registers);
        std::fs::write(folder.join("registers.key"), [0; 32]).unwrap();
        let registers = Registers::open(&folder, NOW).unwrap();
        assert!(registers.entries("coach", None).unwrap()[0].body.is_none());
    }

    #[test]
    fn what_is_too_large_is_refused() {
        let registers = Registers::in_memory().unwrap();
        let large = vec![0; LONGEST_BODY + 1];
        let entry = NewEntry { body: &large, ..entry("", &[1; 32], "r") };
        assert!(matches!(registers.enter(entry, NOW), Err(StoreError::TooLong { .. })));
        let name = "x".repeat(LONGEST_NAME + 1);
        let entry = NewEntry { session: &name, body: b"", ..entry };
        assert!(matches!(registers.enter(entry, NOW), Err(StoreError::TooLong { .. })));
    }
}
