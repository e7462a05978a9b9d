//! The JSON twins of registers: counts, and which list is wanted. Nobody stands in them.

use serde::{Deserialize, Serialize};
use time::Date;
use time::macros::format_description;
use utoipa::ToSchema;

use super::request::given;
use super::rfc3339;
use crate::registers::{ExportFormat, ExportList, ExportWish, RegisterView, RosterView, register_id};

/// The registers of this machine.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Registers)]
pub(crate) struct RegistersJson {
    pub(crate) registers: Vec<RegisterJson>,
}

/// A register: who has come, counted.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Register)]
pub(crate) struct RegisterJson {
    /// What it is called in addresses. It tells nothing.
    #[schema(example = "0d4f6a1b9c8e47d2", pattern = "^[0-9a-f]{16}$")]
    register_id: String,
    /// Its name in the settings.
    #[schema(example = "exam-2026")]
    name: String,
    /// The consumer profile whose readings go into it.
    #[schema(example = "exam")]
    profile: String,
    /// Who is expected; null where everybody may come.
    roster: Option<RosterJson>,
    /// The sessions in which somebody is in.
    sessions: Vec<SessionCountJson>,
}

/// A roster, counted. One that cannot be used has nobody in it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Roster)]
pub(crate) struct RosterJson {
    /// How many rows it has.
    #[schema(minimum = 0, maximum = 200_000)]
    candidates: usize,
    /// Its sessions, in the order they come; an empty name where it has none.
    #[schema(example = json!(["Ca 1", "Ca 2"]))]
    sessions: Vec<String>,
}

/// How many are in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SessionCount)]
pub(crate) struct SessionCountJson {
    /// The session, trip or day.
    #[schema(example = "Ca 1")]
    session: String,
    /// How many.
    #[schema(minimum = 0, maximum = 1_000_000)]
    entries: u32,
    /// When the first came.
    #[schema(format = DateTime)]
    first_at: String,
    /// When the last came.
    #[schema(format = DateTime)]
    last_at: String,
}

impl RegisterJson {
    pub(crate) fn new(name: &str, view: RegisterView) -> Self {
        let sessions = view.sessions.into_iter().map(|count| SessionCountJson {
            session: count.session,
            entries: count.entries,
            first_at: rfc3339(count.first),
            last_at: rfc3339(count.last),
        });
        Self {
            register_id: register_id(name),
            name: name.to_owned(),
            profile: view.profile,
            roster: view.roster.map(RosterJson::from),
            sessions: sessions.collect(),
        }
    }
}

impl From<RosterView> for RosterJson {
    fn from(view: RosterView) -> Self {
        Self { candidates: view.candidates, sessions: view.sessions }
    }
}

/// A list, asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ExportRequest)]
pub(crate) struct ExportRequestJson {
    /// Of whom.
    list: ExportListJson,
    /// As which file.
    format: ExportFormatJson,
    /// Of which session; without it of all. A list of attendance is of one: without it that of a roster without sessions.
    #[serde(default, deserialize_with = "given")]
    #[schema(example = "Ca 1", max_length = 64, nullable = false)]
    session: Option<String>,
    /// Who came on this day, in Vietnam; without it on any. Not for lists of attendance, which are of a session.
    #[serde(default, deserialize_with = "given")]
    #[schema(example = "2026-11-20", format = Date, nullable = false)]
    day: Option<String>,
}

/// Of whom a list is.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ExportList)]
enum ExportListJson {
    /// Who has come: a row for each, with the names of the profile.
    Entries,
    /// Everybody on the roster of a session, and when they came.
    Attendance,
    /// The passengers of a trip, each once; of registers of the profile `coach-manifest`.
    Manifest,
}

/// As which file a list leaves.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ExportFormat)]
enum ExportFormatJson {
    /// CSV in UTF-8 with a byte order mark, as spreadsheets read it.
    Csv,
    /// A spreadsheet.
    Xlsx,
}

impl ExportRequestJson {
    /// What is wanted; or what is wrong with it.
    pub(crate) fn understood(self) -> Result<ExportWish, &'static str> {
        const DAY: &[time::format_description::BorrowedFormatItem<'static>] =
            format_description!("[year]-[month]-[day]");
        if self.session.as_ref().is_some_and(|session| session.chars().count() > 64) {
            return Err("session: 64 characters are possible");
        }
        let day = self.day.map(|day| Date::parse(&day, DAY).map_err(|_| "day: a date as 2026-11-20"));
        let list = match self.list {
            ExportListJson::Entries => ExportList::Entries,
            ExportListJson::Attendance => ExportList::Attendance,
            ExportListJson::Manifest => ExportList::Manifest,
        };
        if day.is_some() && list == ExportList::Attendance {
            return Err("day: a list of attendance is of a session");
        }
        let format = match self.format {
            ExportFormatJson::Csv => ExportFormat::Csv,
            ExportFormatJson::Xlsx => ExportFormat::Xlsx,
        };
        Ok(ExportWish { list, session: self.session, day: day.transpose()?, format })
    }
}
