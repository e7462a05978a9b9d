use std::io;
use std::path::{Path, PathBuf};

use crate::audit::ChainFault;

/// Why the store cannot do what it was asked. The message repeats nothing that was to be stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A file or folder of the store cannot be made, read or written.
    #[error("cannot use {}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// SQLite says no: the disk is full or gone, or the database is damaged.
    #[error("the database of the store cannot be used")]
    Database(#[from] rusqlite::Error),
    /// A later version of the program has written it.
    #[error("the database of the store has schema {found}, and this program knows {known}")]
    Newer {
        /// The schema it has.
        found: i64,
        /// The last one known here.
        known: i64,
    },
    /// It belongs to another program.
    #[error("the database is not one of cccd-agent's")]
    Foreign,
    /// The audit chain is not what its head says.
    #[error("the audit chain is broken: {0}")]
    ChainBroken(ChainFault),
    /// As many as are kept are kept already.
    #[error("no more than {limit} {what} are kept")]
    Full {
        /// Of what.
        what: &'static str,
        /// How many.
        limit: usize,
    },
    /// Longer than what is stored of its kind.
    #[error("{what} takes more than {limit} bytes")]
    TooLong {
        /// What.
        what: &'static str,
        /// How many bytes it may have.
        limit: usize,
    },
    /// There is one of this name already.
    #[error("{0} is there already")]
    Exists(&'static str),
    /// The system gives no random numbers.
    #[error("no random numbers")]
    Random(#[from] getrandom::Error),
}

impl StoreError {
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }

    /// Whether the file itself is at fault, so that a new one would do better. A full disk, a lock held too long or a
    /// folder nobody may write to is no such fault.
    pub(crate) fn is_damage(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase, TypeMismatch, Unknown};
        match self {
            Self::Newer { .. } | Self::Foreign | Self::ChainBroken(_) => true,
            // `Unknown` is SQLITE_ERROR: a table or column that is not there.
            Self::Database(error) => match error.sqlite_error_code() {
                Some(code) => matches!(code, DatabaseCorrupt | NotADatabase | TypeMismatch | Unknown),
                None => matches!(
                    error,
                    rusqlite::Error::InvalidColumnType(..)
                        | rusqlite::Error::FromSqlConversionFailure(..)
                        | rusqlite::Error::IntegralValueOutOfRange(..)
                        | rusqlite::Error::QueryReturnedNoRows
                ),
            },
            _ => false,
        }
    }
}
