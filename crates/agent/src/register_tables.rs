//! What a register holds, as tables of offices: for the command line and for the API.

use std::collections::HashMap;

use cccd_consumers::Shaped;
use cccd_exports::{Attendance, Manifest, Passenger, Roster, Table, TableFault};
use cccd_store::{RegisterEntry, Store};
use time::{Date, OffsetDateTime, UtcOffset};

use crate::register_desk::person;

/// Why there is no table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoTable {
    /// It was sealed under another key, or is nothing that a profile puts out.
    #[error("an entry cannot be read: the key of the registers is not the one they were kept under")]
    Sealed,
    /// What was put out names no passenger.
    #[error("not a register of the profile coach-manifest")]
    NoPassengers,
    /// The roster has no such session.
    #[error("danh sách không có ca này · the roster has no such session")]
    NoSession,
    /// It is no table.
    #[error(transparent)]
    Table(#[from] TableFault),
}

/// What the consumer got of each, in the order they came.
pub(crate) fn outputs(entries: &[RegisterEntry]) -> Result<Vec<Shaped>, NoTable> {
    let open = |entry: &RegisterEntry| {
        entry.body.as_ref().and_then(|body| Shaped::of_json(body)).ok_or(NoTable::Sealed)
    };
    entries.iter().map(open).collect()
}

/// A row for each who has come, with the names of the profile.
pub(crate) fn of_entries(entries: &[RegisterEntry]) -> Result<Table, NoTable> {
    Ok(Table::of_objects(&outputs(entries)?)?)
}

/// The passengers of a trip, each once.
pub(crate) fn manifest(entries: &[RegisterEntry]) -> Result<Table, NoTable> {
    let mut manifest = Manifest::default();
    for output in &outputs(entries)? {
        manifest.board(Passenger::of(output).ok_or(NoTable::NoPassengers)?);
    }
    Ok(manifest.table())
}

/// Everybody on the roster of a session, and when they came.
pub(crate) fn attendance(
    roster: &Roster,
    session: &str,
    register: &str,
    store: &Store,
    entries: &[RegisterEntry],
) -> Result<Table, NoTable> {
    if !roster.sessions().contains(&session) {
        return Err(NoTable::NoSession);
    }
    let came: HashMap<_, _> = entries.iter().map(|entry| (entry.person, entry.at)).collect();
    let mut attendance = Attendance::new(roster, session);
    for candidate in roster.candidates() {
        let number = candidate.number.expose();
        if let Some(at) = came.get(&person(store, register, number)) {
            attendance.note(number, *at);
        }
    }
    Ok(attendance.table())
}

/// The day in Vietnam.
pub(crate) fn local_day(at: OffsetDateTime) -> Date {
    at.to_offset(UtcOffset::from_hms(7, 0, 0).unwrap_or(UtcOffset::UTC)).date()
}
