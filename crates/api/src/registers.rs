//! Where people are entered who have come: guests, passengers, candidates.

use sha2::{Digest as _, Sha256};
use time::{Date, OffsetDateTime};
use zeroize::Zeroizing;

/// The registers of this machine.
pub trait Registers: Send + Sync {
    /// The profile whose readings go into the register of this name; `None` where there is none, or none that can be
    /// used.
    fn profile_of(&self, register: &str) -> Option<&str>;

    /// Enters whoever has come; again of the same reading changes nothing and says the same. Blocks for as long as the
    /// disk takes.
    fn enter(&self, arrival: &Arrival<'_>) -> Result<Admission, NotEntered>;

    /// The registers there are, by the names of the settings.
    fn names(&self) -> Vec<String>;

    /// A register, and how many are expected and in; nobody by name. Blocks as [`Self::enter`] does.
    fn look(&self, register: &str) -> Result<RegisterView, NoList>;

    /// Puts a roster, CSV or XLSX, in place of the one before, if it can be used. Blocks likewise.
    fn load_roster(&self, register: &str, file: &[u8]) -> Result<RosterView, NoList>;

    /// Who is expected and who has come, as a file. Blocks likewise.
    fn export(&self, register: &str, wish: &ExportWish) -> Result<Exported, NoList>;
}

/// What a register is called in an address: it tells nothing.
pub(crate) fn register_id(name: &str) -> String {
    let hash = Sha256::new().chain_update(b"register\0").chain_update(name).finalize();
    hex::encode(hash.get(..8).unwrap_or_default())
}

/// A register, counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterView {
    /// The profile whose readings go into it.
    pub profile: String,
    /// Who is expected; `None` where everybody may come.
    pub roster: Option<RosterView>,
    /// The sessions in which somebody is in.
    pub sessions: Vec<SessionCount>,
}

/// A roster, counted. One that cannot be used has nobody in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RosterView {
    /// How many rows it has.
    pub candidates: usize,
    /// Its sessions, in the order they come.
    pub sessions: Vec<String>,
}

/// How many are in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionCount {
    /// The session, trip or day.
    pub session: String,
    /// How many.
    pub entries: u32,
    /// When the first and the last came.
    pub first: OffsetDateTime,
    /// See [`Self::first`].
    pub last: OffsetDateTime,
}

/// Which list is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportWish {
    /// Of whom.
    pub list: ExportList,
    /// Of which session; of all where none is named.
    pub session: Option<String>,
    /// Who came on this day, in Vietnam; on any where none is named.
    pub day: Option<Date>,
    /// As which file.
    pub format: ExportFormat,
}

/// Of whom a list is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportList {
    /// Who has come: a row for each, with the names of the profile.
    Entries,
    /// Everybody on the roster of a session, and when they came.
    Attendance,
    /// The passengers of a trip.
    Manifest,
}

impl ExportList {
    /// The word for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Entries => "entries",
            Self::Attendance => "attendance",
            Self::Manifest => "manifest",
        }
    }
}

/// As which file a list leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// CSV as spreadsheets read it.
    Csv,
    /// XLSX.
    Xlsx,
}

impl ExportFormat {
    /// The word for programs, and the ending of the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
        }
    }
}

/// A list that leaves.
pub struct Exported {
    /// The file.
    pub file: Zeroizing<Vec<u8>>,
    /// How many rows it has, the titles aside.
    pub rows: usize,
}

/// Why there is no list. What is said of a file names rows, and nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoList {
    /// There is no register of this name.
    Unknown,
    /// The file is no roster that can be used.
    Unusable(String),
    /// This list cannot be made of this register.
    Impossible(&'static str),
    /// The disk refuses, or what lies there cannot be read.
    Unavailable,
}

/// Somebody who has come.
#[derive(Clone, Copy)]
pub struct Arrival<'a> {
    /// To which register.
    pub register: &'a str,
    /// To which session, trip or day; empty where there are none.
    pub session: &'a str,
    /// By which reading.
    pub read: &'a str,
    /// The number for life, or that of the document.
    pub number: &'a str,
    /// The name on the chip.
    pub name: &'a str,
    /// The date of birth as it is printed, or empty.
    pub birth: &'a str,
    /// What the consumer gets, as JSON; `None` where a demand refuses the card.
    pub output: Option<&'a [u8]>,
    /// For how many days they may stand in the register.
    pub retention_days: u16,
}

/// What is said to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// Come in.
    Admitted {
        /// As which one of the session.
        number: u32,
        /// Where to, by the roster; empty where it says nothing.
        seat: String,
    },
    /// They are in already.
    AlreadyIn {
        /// As which one.
        number: u32,
        /// Since when.
        since: OffsetDateTime,
    },
    /// Nobody of this number is expected.
    NotOnRoster,
    /// They are expected, in other sessions.
    WrongSession {
        /// Which.
        sessions: Vec<String>,
    },
    /// The number is expected, and the roster says something else of the person.
    DataDiffer {
        /// What: `name`, `birth`.
        fields: Vec<&'static str>,
    },
    /// A demand of the profile refuses the card.
    NotGenuine,
}

/// Nobody could be entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotEntered;

/// There are none.
pub(crate) struct NoRegisters;

impl Registers for NoRegisters {
    fn profile_of(&self, _: &str) -> Option<&str> {
        None
    }

    fn enter(&self, _: &Arrival<'_>) -> Result<Admission, NotEntered> {
        Err(NotEntered)
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }

    fn look(&self, _: &str) -> Result<RegisterView, NoList> {
        Err(NoList::Unknown)
    }

    fn load_roster(&self, _: &str, _: &[u8]) -> Result<RosterView, NoList> {
        Err(NoList::Unknown)
    }

    fn export(&self, _: &str, _: &ExportWish) -> Result<Exported, NoList> {
        Err(NoList::Unknown)
    }
}
