//! The registers of this machine: who is expected, and who has come.
//!
//! A roster is looked at whenever somebody comes: a file that has changed counts from then on; where it has become wrong,
//! that is logged, and the roster it held before stays.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use cccd_api::{
    Admission, Arrival, ExportFormat, ExportList, ExportWish, Exported, NoList, NotEntered, RegisterView,
    Registers, RosterView, SessionCount,
};
use cccd_exports::{Answer, Difference, Roster, Table, TableFault, Tap, sheet};
use cccd_profiles::{AgentSettings, RegisterSettings};
use cccd_store::{Entered, NewEntry, Store};
use time::Duration;
use zeroize::Zeroizing;

use crate::daemon::now;
use crate::lodging_command::bytes_of;
use crate::private_file;
use crate::register_tables::{self, NoTable, local_day};

/// The registers at hand.
pub(crate) struct RegisterDesk {
    settings: Vec<RegisterSettings>,
    kept: cccd_store::Registers,
    store: Store,
    rosters: Mutex<BTreeMap<PathBuf, Known>>,
}

/// A roster, and the file it was read from by its stamp.
struct Known {
    stamp: Option<(SystemTime, u64)>,
    roster: Option<Arc<Roster>>,
}

/// Opens the registers; `None` where the settings name none.
pub(crate) fn open(settings: &AgentSettings, store: &Store) -> Result<Option<RegisterDesk>> {
    if settings.registers.is_empty() {
        return Ok(None);
    }
    let folder = &settings.store.folder;
    let kept = cccd_store::Registers::open(folder, now())
        .with_context(|| format!("cannot open the registers in {}", folder.display()))?;
    if let Some(aside) = kept.moved_aside() {
        tracing::error!(moved_to = %aside.display(), "the registers could not be used, and new ones were begun");
    }
    let desk = RegisterDesk {
        settings: settings.registers.clone(),
        kept,
        store: store.clone(),
        rosters: Mutex::default(),
    };
    // Whatever is wrong with a roster is said now, and not when the first person stands at the door.
    for path in settings.registers.iter().filter_map(|register| register.roster.as_deref()) {
        desk.roster(path);
    }
    Ok(Some(desk))
}

/// The roster in a file.
pub(crate) fn roster_in(path: &Path) -> Result<Roster> {
    let shown = path.display();
    let bytes = Zeroizing::new(bytes_of(path)?);
    let sheet = sheet::of_file(&bytes).with_context(|| format!("{shown} cannot be read"))?;
    Roster::read(&sheet).with_context(|| format!("{shown} cannot be used"))
}

/// By what a changed file is known. What a link leads to counts.
fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// By what the same person is known again in a register.
pub(crate) fn person(store: &Store, register: &str, number: &str) -> [u8; 32] {
    let text = Zeroizing::new(format!("{register}\0{}", number.trim()));
    store.keyed_hash("register", text.as_bytes())
}

impl RegisterDesk {
    fn of_name(&self, name: &str) -> Option<&RegisterSettings> {
        self.settings.iter().find(|register| register.name == name)
    }

    /// The roster in a file as it is now, or as it last could be used.
    fn roster(&self, path: &Path) -> Option<Arc<Roster>> {
        let stamp = stamp(path);
        let mut rosters = self.rosters.lock().unwrap_or_else(PoisonError::into_inner);
        let known = rosters.entry(path.to_owned()).or_insert(Known { stamp: None, roster: None });
        if known.stamp != stamp || known.roster.is_none() {
            match roster_in(path) {
                Ok(roster) => {
                    tracing::info!(candidates = roster.candidates().len(), "roster loaded");
                    known.roster = Some(Arc::new(roster));
                }
                Err(error) if known.roster.is_some() => {
                    tracing::error!("a roster cannot be used any more, the one before stays: {error:#}");
                }
                Err(error) => tracing::error!("a roster cannot be used: {error:#}"),
            }
            known.stamp = stamp;
        }
        known.roster.clone()
    }

    /// The seat of whoever is expected; or what else is said to them.
    fn seat(
        &self,
        register: &RegisterSettings,
        arrival: &Arrival<'_>,
    ) -> Result<Result<String, Admission>, NotEntered> {
        let Some(path) = &register.roster else { return Ok(Ok(String::new())) };
        let roster = self.roster(path).ok_or(NotEntered)?;
        let tap = Tap { number: arrival.number, name: arrival.name, birth: arrival.birth, genuine: true };
        Ok(match roster.answer(arrival.session, &tap) {
            Answer::Expected(candidate) => Ok(candidate.seat.clone()),
            Answer::NotOnRoster => Err(Admission::NotOnRoster),
            Answer::WrongSession { sessions } => Err(Admission::WrongSession { sessions }),
            Answer::DataDiffer { fields } => Err(Admission::DataDiffer {
                fields: fields
                    .into_iter()
                    .map(|field| match field {
                        Difference::Name => "name",
                        Difference::Birth => "birth",
                    })
                    .collect(),
            }),
        })
    }
}

impl Registers for RegisterDesk {
    fn profile_of(&self, register: &str) -> Option<&str> {
        let register = self.of_name(register)?;
        let usable = register.roster.as_deref().is_none_or(|path| self.roster(path).is_some());
        usable.then_some(register.profile.as_str())
    }

    fn enter(&self, arrival: &Arrival<'_>) -> Result<Admission, NotEntered> {
        let register = self.of_name(arrival.register).ok_or(NotEntered)?;
        let Some(output) = arrival.output else { return Ok(Admission::NotGenuine) };
        let seat = match self.seat(register, arrival)? {
            Ok(seat) => seat,
            Err(said) => return Ok(said),
        };
        let entered = self.entered(register, arrival, output);
        let entered = entered.map_err(|error| {
            tracing::error!(register = register.name, %error, "nobody can be entered");
            NotEntered
        })?;
        Ok(match entered {
            Entered::New { number } => Admission::Admitted { number, seat },
            Entered::Before { number, since } => Admission::AlreadyIn { number, since },
        })
    }

    fn names(&self) -> Vec<String> {
        self.settings.iter().map(|register| register.name.clone()).collect()
    }

    fn look(&self, register: &str) -> Result<RegisterView, NoList> {
        let register = self.of_name(register).ok_or(NoList::Unknown)?;
        let sessions = self.kept.sessions().map_err(|error| unavailable(&error))?;
        let sessions = sessions.into_iter().filter(|view| view.register == register.name);
        let roster = |path| self.roster(path).map(|roster| counted(&roster)).unwrap_or_default();
        Ok(RegisterView {
            profile: register.profile.clone(),
            roster: register.roster.as_deref().map(roster),
            sessions: sessions
                .map(|view| SessionCount {
                    session: view.session,
                    entries: view.entries,
                    first: view.first,
                    last: view.last,
                })
                .collect(),
        })
    }

    fn load_roster(&self, register: &str, file: &[u8]) -> Result<RosterView, NoList> {
        let register = self.of_name(register).ok_or(NoList::Unknown)?;
        let path = register.roster.as_deref();
        let path = path.ok_or(NoList::Impossible("the settings name no roster of this register"))?;
        let sheet = sheet::of_file(file).map_err(|error| NoList::Unusable(error.to_string()))?;
        let roster = Roster::read(&sheet).map_err(|error| NoList::Unusable(error.to_string()))?;
        // Nobody is asked for in between.
        let mut rosters = self.rosters.lock().unwrap_or_else(PoisonError::into_inner);
        private_file::replace(path, file).map_err(|error| {
            tracing::error!(register = register.name, "the roster cannot be written: {error:#}");
            NoList::Unavailable
        })?;
        let view = counted(&roster);
        tracing::info!(register = register.name, candidates = view.candidates, "roster loaded");
        rosters.insert(path.to_owned(), Known { stamp: stamp(path), roster: Some(Arc::new(roster)) });
        Ok(view)
    }

    fn export(&self, register: &str, wish: &ExportWish) -> Result<Exported, NoList> {
        let register = self.of_name(register).ok_or(NoList::Unknown)?;
        // Attendance is of one session, also of the one without a name.
        let session = match wish.list {
            ExportList::Attendance => Some(wish.session.as_deref().unwrap_or_default()),
            _ => wish.session.as_deref(),
        };
        let entries = self.kept.entries(&register.name, session).map_err(|error| unavailable(&error))?;
        let of_day = |at| wish.day.is_none_or(|day| local_day(at) == day);
        let entries: Vec<_> = entries.into_iter().filter(|entry| of_day(entry.at)).collect();
        let table = match wish.list {
            ExportList::Entries => register_tables::of_entries(&entries),
            ExportList::Manifest => register_tables::manifest(&entries),
            ExportList::Attendance => {
                let path = register.roster.as_deref();
                let path = path.ok_or(NoList::Impossible("the settings name no roster of this register"))?;
                let roster = self.roster(path).ok_or(NoList::Unavailable)?;
                let session = session.unwrap_or_default();
                register_tables::attendance(&roster, session, &register.name, &self.store, &entries)
            }
        };
        let table = table.map_err(no_list)?;
        let file = match wish.format {
            ExportFormat::Csv => table.to_csv(),
            ExportFormat::Xlsx => table.to_xlsx().map_err(|fault| no_list(fault.into()))?,
        };
        Ok(Exported { file, rows: Table::len(&table) })
    }
}

fn counted(roster: &Roster) -> RosterView {
    let sessions = roster.sessions().into_iter().map(str::to_owned).collect();
    RosterView { candidates: roster.candidates().len(), sessions }
}

fn unavailable(error: &cccd_store::StoreError) -> NoList {
    tracing::error!(%error, "the registers cannot be read");
    NoList::Unavailable
}

fn no_list(why: NoTable) -> NoList {
    NoList::Impossible(match why {
        NoTable::Sealed => {
            tracing::error!("{why}");
            return NoList::Unavailable;
        }
        NoTable::NoPassengers => "no register of the profile coach-manifest",
        NoTable::NoSession => "the roster has no such session",
        NoTable::Table(TableFault::LongCell) => "a text is longer than a cell of a spreadsheet: ask for csv",
        NoTable::Table(_) => "what the profile puts out is no table",
    })
}

impl RegisterDesk {
    fn entered(
        &self,
        register: &RegisterSettings,
        arrival: &Arrival<'_>,
        output: &[u8],
    ) -> Result<Entered, cccd_store::StoreError> {
        let at = now();
        // Nobody stays longer than the profile says.
        self.kept.forget(&register.name, None, at - Duration::days(arrival.retention_days.into()))?;
        let person = person(&self.store, &register.name, arrival.number);
        let entry = NewEntry {
            register: &register.name,
            session: arrival.session,
            person: &person,
            read: arrival.read,
            body: output,
        };
        self.kept.enter(entry, at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str =
        "Số CCCD;Họ và tên;Ngày sinh;Ca thi;SBD\n000090123456;Nguyễn Văn Mẫu;02/01/1990;Sáng;A-01\n";

    fn desk(folder: &Path, roster: Option<PathBuf>) -> RegisterDesk {
        let text = format!("[store]\nfolder = '{}'\n", folder.join("store").display());
        let mut settings = AgentSettings::parse(&text).unwrap();
        settings.registers = vec![RegisterSettings { name: "thi".into(), profile: "exam".into(), roster }];
        let store = Store::in_memory(now()).unwrap();
        open(&settings, &store).unwrap().unwrap()
    }

    fn arrival<'a>(session: &'a str, read: &'a str) -> Arrival<'a> {
        Arrival {
            register: "thi",
            session,
            read,
            number: "000090123456",
            name: "NGUYEN VAN MAU",
            birth: "02/01/1990",
            output: Some(b"{}"),
            retention_days: 30,
        }
    }

    #[test]
    fn a_changed_roster_counts_at_once_and_a_wrong_one_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("roster.csv");
        let desk = desk(folder.path(), Some(path.clone()));
        assert_eq!(desk.profile_of("thi"), None);
        assert_eq!(desk.enter(&arrival("Sáng", "r1")), Err(NotEntered));
        std::fs::write(&path, TABLE).unwrap();
        assert_eq!(desk.profile_of("thi"), Some("exam"));
        let admitted = Admission::Admitted { number: 1, seat: "A-01".to_owned() };
        assert_eq!(desk.enter(&arrival("Sáng", "r1")), Ok(admitted.clone()));
        assert_eq!(desk.enter(&arrival("Sáng", "r1")), Ok(admitted));
        assert!(matches!(desk.enter(&arrival("Sáng", "r2")), Ok(Admission::AlreadyIn { number: 1, .. })));
        std::fs::write(&path, "nonsense that is longer than before and no roster at all").unwrap();
        let wrong = Admission::WrongSession { sessions: vec!["Sáng".to_owned()] };
        assert_eq!(desk.enter(&arrival("Chiều", "r3")), Ok(wrong));
        std::fs::write(&path, TABLE.replace("123456", "123999")).unwrap();
        assert_eq!(desk.enter(&arrival("Sáng", "r4")), Ok(Admission::NotOnRoster));
    }

    #[test]
    fn without_a_roster_everybody_comes_once() {
        let folder = tempfile::tempdir().unwrap();
        let desk = desk(folder.path(), None);
        let come = |session, read| desk.enter(&arrival(session, read)).unwrap();
        assert!(matches!(come("07:00", "r1"), Admission::Admitted { number: 1, .. }));
        assert!(matches!(come("07:00", "r2"), Admission::AlreadyIn { number: 1, .. }));
        assert!(matches!(come("09:00", "r3"), Admission::Admitted { number: 1, .. }));
        let refused = Arrival { output: None, ..arrival("07:00", "r4") };
        assert_eq!(desk.enter(&refused), Ok(Admission::NotGenuine));
        assert_eq!(desk.profile_of("other"), None);
    }
}
