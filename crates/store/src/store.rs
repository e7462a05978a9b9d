//! The folder, and what is opened of it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use time::OffsetDateTime;

use crate::audit::{AuditChain, Entry, EntryKind};
use crate::database::{self, Schema, Shared};
use crate::hash_key::HashKey;
use crate::instant::{millis, moment};
use crate::{StoreError, private};

const STATE: Schema = Schema {
    application: 0x6363_7331, // "ccs1"
    steps: &["
        CREATE TABLE born (at_ms INTEGER NOT NULL) STRICT;
        CREATE TABLE used (
            kind TEXT NOT NULL,
            hash BLOB NOT NULL,
            until_ms INTEGER NOT NULL,
            PRIMARY KEY (kind, hash)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX used_until ON used (until_ms);
        CREATE TABLE idempotency (
            caller TEXT NOT NULL,
            key BLOB NOT NULL,
            body BLOB NOT NULL,
            run INTEGER NOT NULL,
            read TEXT,
            claimed_ms INTEGER NOT NULL,
            UNIQUE (caller, key)
        ) STRICT;
        CREATE INDEX idempotency_claimed ON idempotency (claimed_ms);
        CREATE TABLE grants (
            id TEXT NOT NULL UNIQUE,
            thumbprint TEXT NOT NULL,
            label TEXT NOT NULL,
            origin TEXT NOT NULL,
            scopes TEXT NOT NULL,
            created_ms INTEGER NOT NULL,
            expires_ms INTEGER,
            revoked_ms INTEGER,
            used_ms INTEGER
        ) STRICT;
        CREATE INDEX grants_thumbprint ON grants (thumbprint);
        CREATE TABLE shapes (
            key BLOB NOT NULL PRIMARY KEY,
            shape TEXT NOT NULL,
            used_ms INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
    "],
    probes: &[
        "SELECT at_ms FROM born",
        "SELECT kind, hash, until_ms FROM used",
        "SELECT caller, key, body, run, read, claimed_ms FROM idempotency",
        "SELECT id, thumbprint, label, origin, scopes, created_ms, expires_ms, revoked_ms, used_ms FROM grants",
        "SELECT key, shape, used_ms FROM shapes",
    ],
};

/// Everything that outlives a restart. Clones are the same store, for any number of threads.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    state: Shared,
    audit: AuditChain,
    key: Arc<HashKey>,
    /// Tells this run of the program from others.
    run: i64,
    born: OffsetDateTime,
    folder: Option<PathBuf>,
    notices: Vec<Notice>,
}

/// A database that could not be used and was moved aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Which: `state.db` or `audit.db`.
    pub file: &'static str,
    /// What was wrong with it.
    pub why: String,
    /// Where it lies now; `None` where there was no file any more.
    pub aside: Option<PathBuf>,
}

/// Who opens the store.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Opener {
    /// The daemon, whose it is: it moves aside what it cannot use.
    Owner,
    /// A command beside it, which does not pull files from under a daemon.
    Guest,
}

impl Store {
    /// Opens the store in a folder, and makes it where there is none.
    ///
    /// A database that is damaged, of another program or of a later version is moved aside, and so is an audit chain
    /// that does not fit its head; [`notices`](Self::notices) tells, and the chain too.
    pub fn open(folder: &Path, now: OffsetDateTime) -> Result<Self, StoreError> {
        Self::open_as(Opener::Owner, folder, now)
    }

    /// Opens a store for a command beside the daemon: what is damaged is an error and stays where it is.
    pub fn join(folder: &Path, now: OffsetDateTime) -> Result<Self, StoreError> {
        Self::open_as(Opener::Guest, folder, now)
    }

    /// The audit chain in a folder, to look at it whatever is wrong with it.
    pub fn look_at_audit(folder: &Path) -> Result<AuditChain, StoreError> {
        // Without a chain there is nothing to look at, and nothing is to be made.
        let path = folder.join("audit.db");
        std::fs::metadata(&path).map_err(StoreError::file(&path))?;
        let key = Arc::new(HashKey::read_or_make(&folder.join("hash.key"))?);
        AuditChain::look(folder, key)
    }

    /// A store that ends with the program, for tests and for a desk whose disk cannot be written.
    pub fn in_memory(now: OffsetDateTime) -> Result<Self, StoreError> {
        let key = Arc::new(HashKey::draw()?);
        let state = database::in_memory(&STATE)?;
        let audit = AuditChain::in_memory(Arc::clone(&key))?;
        Self::assemble(None, state, audit, key, Vec::new(), now)
    }

    fn open_as(opener: Opener, folder: &Path, now: OffsetDateTime) -> Result<Self, StoreError> {
        private::make_folder(folder).map_err(StoreError::file(folder))?;
        // One process at a time decides what is broken and what is new.
        let _turn = take_turn(folder)?;
        let key = Arc::new(HashKey::read_or_make(&folder.join("hash.key"))?);
        let mut notices = Vec::new();
        let path = folder.join("state.db");
        let opened = database::open(&path, &STATE).and_then(|connection| {
            database::check_pages(&connection)?;
            Ok(connection)
        });
        let state = match opened {
            Err(error) if opener == Opener::Owner && error.is_damage() => {
                let aside = Some(database::move_aside(&path, now)?);
                notices.push(Notice { file: "state.db", why: told(&error), aside });
                database::open(&path, &STATE)?
            }
            other => other?,
        };
        let audit = match opener {
            Opener::Owner => {
                let (audit, notice) = AuditChain::open(folder, Arc::clone(&key), now)?;
                notices.extend(notice);
                audit
            }
            Opener::Guest => AuditChain::join(folder, Arc::clone(&key))?,
        };
        for notice in notices.iter().filter(|notice| notice.file == "state.db") {
            let entry = Entry::new(EntryKind::StateRestarted).with("why", &notice.why);
            audit.append_in_turn(&entry, now)?;
        }
        Self::assemble(Some(folder.to_owned()), state, audit, key, notices, now)
    }

    fn assemble(
        folder: Option<PathBuf>,
        state: rusqlite::Connection,
        audit: AuditChain,
        key: Arc<HashKey>,
        notices: Vec<Notice>,
        now: OffsetDateTime,
    ) -> Result<Self, StoreError> {
        let mut run = [0; 8];
        getrandom::fill(&mut run)?;
        let state = Shared::new(state);
        let born = state.write(|step| {
            step.execute(
                "INSERT INTO born (at_ms) SELECT ?1 WHERE NOT EXISTS (SELECT 1 FROM born)",
                [millis(now)],
            )?;
            Ok(step.query_row("SELECT min(at_ms) FROM born", [], |row| row.get(0)).map(moment)?)
        })?;
        let run = i64::from_be_bytes(run);
        Ok(Self(Arc::new(Inner { state, audit, key, run, born, folder, notices })))
    }

    /// Who did what.
    pub fn audit(&self) -> &AuditChain {
        &self.0.audit
    }

    /// What was moved aside when the store was opened.
    pub fn notices(&self) -> &[Notice] {
        &self.0.notices
    }

    /// Since when proofs and keys are remembered. What was used before may not be known any more: a proof that was
    /// made before this moment cannot be told from one that was used.
    pub fn remembers_since(&self) -> OffsetDateTime {
        self.0.born
    }

    /// Whether anything outlives a restart: not in a store that is in memory only.
    pub fn is_durable(&self) -> bool {
        self.0.folder.is_some()
    }

    /// A hash that nobody without this machine's key can make or compare: HMAC-SHA-256. Hashes of different purposes
    /// have nothing in common. `purpose` is a word of the program's own.
    pub fn keyed_hash(&self, purpose: &str, bytes: &[u8]) -> [u8; 32] {
        self.0.key.hash(purpose, bytes)
    }

    /// What the audit chain says of a card's number: its keyed hash, in hexadecimal digits.
    pub fn number_hash(&self, number: &str) -> String {
        hex::encode(self.keyed_hash("card-number", number.as_bytes()))
    }

    pub(crate) fn state(&self) -> &Shared {
        &self.0.state
    }

    pub(crate) fn run(&self) -> i64 {
        self.0.run
    }
}

/// Waits until no other process of ours opens the store or adds to its chain. The turn ends with the file.
pub(crate) fn take_turn(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join("turn");
    let turn = private::make_file(&path)
        .and_then(|()| File::options().read(true).write(true).open(&path))
        .and_then(|file| file.lock().map(|()| file));
    turn.map_err(StoreError::file(&path))
}

/// An error with all that is behind it.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut behind = error.source();
    while let Some(source) = behind {
        text.push_str(": ");
        text.push_str(&source.to_string());
        behind = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fs;

    use time::macros::datetime;

    use super::*;
    use crate::Novelty;

    const NOW: OffsetDateTime = datetime!(2026-11-20 08:00 UTC);
    const LATER: OffsetDateTime = datetime!(2026-11-21 08:00 UTC);

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("store");
        (outer, folder)
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_may_read_any_of_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_outer, folder) = folder();
        let store = Store::open(&folder, NOW).unwrap();
        store.remember("k", [1; 32], LATER, NOW).unwrap();
        store.audit().append(&Entry::new(EntryKind::AgentStarted), NOW).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        let names: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
        assert!(names.len() >= 7, "{names:?}");
        for path in names {
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
    }

    #[test]
    fn a_broken_state_is_moved_aside_and_said_and_the_chain_goes_on() {
        type Break = fn(&Path);
        let breaks: [Break; 4] = [
            |path| fs::write(path, b"not a database at all, and long enough to be looked at").unwrap(),
            |path| {
                // A page of it in the middle.
                let mut bytes = fs::read(path).unwrap();
                let middle = bytes.len() / 2;
                bytes[middle..].fill(0xA5);
                fs::write(path, bytes).unwrap();
            },
            |path| {
                let file = rusqlite::Connection::open(path).unwrap();
                file.pragma_update(None, "user_version", 99).unwrap();
            },
            |path| {
                let file = rusqlite::Connection::open(path).unwrap();
                file.execute_batch("DROP TABLE used").unwrap();
            },
        ];
        for (number, damage) in breaks.into_iter().enumerate() {
            let (_outer, folder) = folder();
            let store = Store::open(&folder, NOW).unwrap();
            store.remember("k", [1; 32], LATER, NOW).unwrap();
            store.audit().append(&Entry::new(EntryKind::AgentStarted), NOW).unwrap();
            drop(store);
            damage(&folder.join("state.db"));

            assert!(Store::join(&folder, LATER).is_err_and(|error| error.is_damage()), "{number}");
            let store = Store::open(&folder, LATER).unwrap();
            let [notice] = store.notices() else { panic!("{number}: {:?}", store.notices()) };
            assert_eq!(notice.file, "state.db");
            assert!(notice.aside.as_ref().unwrap().exists());
            assert_eq!(store.remembers_since(), LATER);
            assert_eq!(store.remember("k", [1; 32], LATER, LATER).unwrap(), Novelty::Fresh);
            let kinds: Vec<EntryKind> =
                store.audit().after(0, 10).unwrap().into_iter().map(|recorded| recorded.entry.kind).collect();
            assert_eq!(kinds, [EntryKind::AgentStarted, EntryKind::StateRestarted]);
            assert_eq!(store.audit().verify().unwrap().fault, None);

            drop(store);
            let again = Store::open(&folder, LATER).unwrap();
            assert!(again.notices().is_empty());
        }
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error_and_no_damage() {
        let (outer, _) = folder();
        let file = outer.path().join("file");
        fs::write(&file, b"").unwrap();
        for path in [file.clone(), file.join("deeper")] {
            assert!(Store::open(&path, NOW).is_err_and(|error| !error.is_damage()), "{}", path.display());
        }
    }

    #[test]
    fn a_store_without_a_folder_forgets_and_says_so() {
        let store = Store::in_memory(NOW).unwrap();
        assert!(!store.is_durable());
        assert_eq!(store.remembers_since(), NOW);
        store.audit().append(&Entry::new(EntryKind::AgentStarted), NOW).unwrap();
        assert_eq!(store.audit().verify().unwrap().entries, 1);
    }
}
