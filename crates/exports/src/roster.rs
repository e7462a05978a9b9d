//! Who is expected: candidates of an examination, learners of a lesson; and who has come.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

use cccd_document::text::folded;
use cccd_document::{PartialDate, Personal};
use time::OffsetDateTime;

use crate::Table;
use crate::sheet::{Cell, Sheet};

/// The most candidates a roster may have.
const MOST_CANDIDATES: usize = 200_000;
/// The digits of a citizen's number.
const DIGITS: usize = 12;

/// The names a column goes by, in the spelling of [`folded`].
const NUMBER: &[&str] = &[
    "SO DINH DANH",
    "MA DINH DANH",
    "SO DINH DANH CA NHAN",
    "SO CCCD",
    "CCCD",
    "SO CAN CUOC",
    "SO CAN CUOC CONG DAN",
    "NUMBER",
];
const NAME: &[&str] = &["HO TEN", "HO VA TEN", "HO VA TEN THI SINH", "NAME", "FULL NAME"];
const BIRTH: &[&str] = &["NGAY SINH", "NGAY THANG NAM SINH", "BIRTH", "DATE OF BIRTH"];
const SESSION: &[&str] = &["CA THI", "CA", "BUOI", "BUOI THI", "KHOA", "LOP", "SESSION"];
const SEAT: &[&str] = &["SO BAO DANH", "SBD", "CHO NGOI", "PHONG", "SEAT"];

/// Everybody who is expected.
#[derive(Default)]
pub struct Roster {
    candidates: Vec<Candidate>,
    by_number: HashMap<Box<str>, Vec<usize>>,
}

/// One who is expected, in one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The twelve digits.
    pub number: Personal,
    /// The name as the roster has it.
    pub name: Personal,
    /// The date of birth, where the roster has it.
    pub birth: PartialDate,
    /// In which session; empty where the roster has no sessions.
    pub session: String,
    /// Seat or candidate number; empty where the roster has none.
    pub seat: String,
}

/// Why a roster cannot be used. It names the row, and nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RosterError {
    /// A column that must be there is not.
    #[error("no column is called {0}")]
    NoColumn(&'static str),
    /// A number is none.
    #[error("row {row}: the number is not twelve digits")]
    Number {
        /// Which.
        row: usize,
    },
    /// A row without a name.
    #[error("row {row}: there is no name")]
    NoName {
        /// Which.
        row: usize,
    },
    /// A date of birth is none.
    #[error("row {row}: the date of birth is no date")]
    Birth {
        /// Which.
        row: usize,
    },
    /// A number twice in one session.
    #[error("rows {first} and {row} have the same number in the same session")]
    Twice {
        /// The earlier.
        first: usize,
        /// The later.
        row: usize,
    },
    /// Nobody, or more than an examination has.
    #[error("there are {0} candidates: 1 to 200000 are possible")]
    Count(usize),
}

impl Roster {
    /// Understands a table: its columns are found by their names, in Vietnamese or English, whatever their order.
    ///
    /// A spreadsheet that took the numbers for numbers has lost the zeros before them: those are put back.
    pub fn read(sheet: &Sheet) -> Result<Self, RosterError> {
        let header = sheet.header(NUMBER).ok_or(RosterError::NoColumn("Số định danh / number"))?;
        let names: Vec<_> = sheet.rows().get(header).into_iter().flatten().collect();
        let column = |known: &[&str]| {
            names.iter().position(|cell| known.contains(&folded(cell.text.expose()).as_str()))
        };
        let number = column(NUMBER).ok_or(RosterError::NoColumn("Số định danh / number"))?;
        let name = column(NAME).ok_or(RosterError::NoColumn("Họ và tên / name"))?;
        let (birth, session, seat) = (column(BIRTH), column(SESSION), column(SEAT));
        let mut roster = Self::default();
        let mut rows = Vec::new();
        for (at, row) in sheet.rows().iter().enumerate().skip(header + 1) {
            // As people count them.
            let line = at + 1;
            if row.iter().all(|cell| cell.text.is_empty()) {
                continue;
            }
            let text = |column: Option<usize>| {
                column.and_then(|column| row.get(column)).map_or("", |cell| cell.text.expose())
            };
            let number = row.get(number).and_then(digits).ok_or(RosterError::Number { row: line })?;
            if text(Some(name)).is_empty() {
                return Err(RosterError::NoName { row: line });
            }
            let birth = match text(birth) {
                "" => PartialDate::Unknown,
                text => PartialDate::from_printed(text)
                    .or_else(|| PartialDate::from_iso(text))
                    .ok_or(RosterError::Birth { row: line })?,
            };
            let candidate = Candidate {
                number,
                name: text(Some(name)).into(),
                birth,
                session: text(session).to_owned(),
                seat: text(seat).to_owned(),
            };
            if let Some(first) = roster.insert(candidate) {
                let first = rows.get(first).copied().unwrap_or_default();
                return Err(RosterError::Twice { first, row: line });
            }
            rows.push(line);
        }
        match roster.candidates.len() {
            1..=MOST_CANDIDATES => Ok(roster),
            count => Err(RosterError::Count(count)),
        }
    }

    /// Adds one; or says who is there already.
    fn insert(&mut self, candidate: Candidate) -> Option<usize> {
        let known = self.by_number.entry(candidate.number.expose().into()).or_default();
        let same =
            |at: &&usize| self.candidates.get(**at).is_some_and(|other| other.session == candidate.session);
        if let Some(first) = known.iter().find(same) {
            return Some(*first);
        }
        known.push(self.candidates.len());
        self.candidates.push(candidate);
        None
    }

    /// Everybody, in the order of the table.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// The sessions, in the order they come.
    pub fn sessions(&self) -> Vec<&str> {
        let mut seen = std::collections::HashSet::new();
        let sessions = self.candidates.iter().map(|candidate| candidate.session.as_str());
        sessions.filter(|session| seen.insert(*session)).collect()
    }

    /// What this roster says to a card at the door of a session. Whether the card is genuine and whether its holder is
    /// in already are other matters.
    pub fn answer(&self, session: &str, tap: &Tap<'_>) -> Answer<'_> {
        let mut elsewhere = Vec::new();
        for candidate in self.of_number(tap.number) {
            if candidate.session != session {
                elsewhere.push(candidate.session.clone());
                continue;
            }
            let fields = differences(candidate, tap);
            return if fields.is_empty() {
                Answer::Expected(candidate)
            } else {
                Answer::DataDiffer { fields }
            };
        }
        if elsewhere.is_empty() { Answer::NotOnRoster } else { Answer::WrongSession { sessions: elsewhere } }
    }

    fn of_number(&self, number: &str) -> impl Iterator<Item = &Candidate> {
        let places = self.by_number.get(number.trim()).map_or(&[][..], Vec::as_slice);
        places.iter().filter_map(|at| self.candidates.get(*at))
    }
}

/// How many, and nobody by number.
impl fmt::Debug for Roster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roster").field("candidates", &self.candidates.len()).finish_non_exhaustive()
    }
}

/// Numbers must not linger in freed memory either.
impl Drop for Roster {
    fn drop(&mut self) {
        for (number, _) in self.by_number.drain() {
            drop(Personal::new(String::from(number)));
        }
    }
}

/// Twelve digits. Those a spreadsheet has cut off the front are put back; fewer than nine are no number.
fn digits(cell: &Cell) -> Option<Personal> {
    let text = cell.text.expose();
    let all_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.len() {
        DIGITS if all_digits => Some(cell.text.clone()),
        // A citizen's number begins with 0, and the next digit may be one, too (Hà Nội has 001).
        9..DIGITS if all_digits => Some(Personal::new(format!("{text:0>DIGITS$}"))),
        _ => None,
    }
}

/// A card held to the door.
#[derive(Clone, Copy)]
pub struct Tap<'a> {
    /// The twelve digits of the chip.
    pub number: &'a str,
    /// The name on the chip.
    pub name: &'a str,
    /// The date of birth as the chip prints it.
    pub birth: &'a str,
    /// Whether the card is genuine.
    pub genuine: bool,
}

impl fmt::Debug for Tap<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tap").field("genuine", &self.genuine).finish_non_exhaustive()
    }
}

/// What a roster says to a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<'a> {
    /// This one is expected.
    Expected(&'a Candidate),
    /// Nobody of this number is.
    NotOnRoster,
    /// They are, in other sessions.
    WrongSession {
        /// Which.
        sessions: Vec<String>,
    },
    /// The number is expected, and the roster says something else of the person.
    DataDiffer {
        /// What differs.
        fields: Vec<Difference>,
    },
}

/// What is said to a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// Come in, to this seat.
    Admitted {
        /// The seat.
        seat: String,
    },
    /// Nobody of this number is expected.
    NotOnRoster,
    /// They are expected, in other sessions.
    WrongSession {
        /// Which.
        sessions: Vec<String>,
    },
    /// They are in already.
    AlreadyIn {
        /// Since when.
        since: OffsetDateTime,
    },
    /// The number is expected, and the roster says something else of the person.
    DataDiffer {
        /// What differs.
        fields: Vec<Difference>,
    },
    /// The card is not shown to be genuine.
    NotGenuine,
}

/// In what roster and card differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// The name, diacritics and capitals aside.
    Name,
    /// The date of birth, as far as both have it.
    Birth,
}

impl Admission {
    /// The name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Admitted { .. } => "admitted",
            Self::NotOnRoster => "not-on-roster",
            Self::WrongSession { .. } => "wrong-session",
            Self::AlreadyIn { .. } => "already-in",
            Self::DataDiffer { .. } => "data-differ",
            Self::NotGenuine => "not-genuine",
        }
    }
}

/// Who has come to one session.
pub struct Attendance<'a> {
    roster: &'a Roster,
    session: String,
    came: HashMap<Box<str>, OffsetDateTime>,
}

impl<'a> Attendance<'a> {
    /// Nobody yet.
    pub fn new(roster: &'a Roster, session: &str) -> Self {
        Self { roster, session: session.to_owned(), came: HashMap::new() }
    }

    /// What is said to a card, and who is admitted is in from then on.
    pub fn tap(&mut self, tap: &Tap<'_>, at: OffsetDateTime) -> Admission {
        if !tap.genuine {
            return Admission::NotGenuine;
        }
        let candidate = match self.roster.answer(&self.session, tap) {
            Answer::Expected(candidate) => candidate,
            Answer::NotOnRoster => return Admission::NotOnRoster,
            Answer::WrongSession { sessions } => return Admission::WrongSession { sessions },
            Answer::DataDiffer { fields } => return Admission::DataDiffer { fields },
        };
        match self.came.entry(candidate.number.expose().into()) {
            Entry::Occupied(since) => Admission::AlreadyIn { since: *since.get() },
            Entry::Vacant(place) => {
                place.insert(at);
                Admission::Admitted { seat: candidate.seat.clone() }
            }
        }
    }

    /// Notes that somebody came then, as a log has it.
    pub fn note(&mut self, number: &str, at: OffsetDateTime) {
        self.came.insert(number.into(), at);
    }

    /// How many have come.
    pub fn count(&self) -> usize {
        self.came.len()
    }

    /// Everybody of the session in the order of the roster, and when they came.
    pub fn table(&self) -> Table {
        let of_session = |candidate: &&Candidate| candidate.session == self.session;
        let row = |candidate: &Candidate| {
            let came = self.came.get(candidate.number.expose()).map(|at| crate::manifest::clock(*at));
            let came = Personal::new(came.unwrap_or_default());
            vec![candidate.seat.as_str().into(), candidate.number.clone(), candidate.name.clone(), came]
        };
        let titles = ["Số báo danh", "Số định danh", "Họ và tên", "Có mặt lúc"].map(str::to_owned);
        Table::new(titles.to_vec(), self.roster.candidates.iter().filter(of_session).map(row).collect())
    }
}

/// How many, and nobody by number.
impl fmt::Debug for Attendance<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attendance").field("came", &self.came.len()).finish_non_exhaustive()
    }
}

/// Numbers must not linger in freed memory either.
impl Drop for Attendance<'_> {
    fn drop(&mut self) {
        self.came.drain().for_each(|(number, _)| drop(Personal::new(String::from(number))));
    }
}

fn differences(candidate: &Candidate, tap: &Tap<'_>) -> Vec<Difference> {
    let mut fields = Vec::new();
    if *folded(candidate.name.expose()) != *folded(tap.name) {
        fields.push(Difference::Name);
    }
    let birth = PartialDate::from_printed(tap.birth).unwrap_or_default();
    if candidate.birth.contradicts(birth) {
        fields.push(Difference::Birth);
    }
    fields
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::sheet::{of_csv, of_xlsx};

    const AT: OffsetDateTime = datetime!(2026-11-20 07:10 +7);
    const TABLE: &str = "KỲ THI MẪU;;;;\n\
        STT;Họ và tên;Ngày sinh;Số CCCD;Ca thi;SBD\n\
        1;Nguyễn Văn Mẫu;02/01/1990;000090123456;Sáng;A-01\n\
        2;Trần Thị Mẫu;1991;000191000002;Sáng;A-02\n\
        3;Nguyễn Văn Mẫu;02/01/1990;000090123456;Chiều;B-07\n";

    fn roster(text: &str) -> Result<Roster, RosterError> {
        Roster::read(&of_csv(text.as_bytes()).unwrap())
    }

    fn tap<'a>(number: &'a str, name: &'a str, birth: &'a str) -> Tap<'a> {
        Tap { number, name, birth, genuine: true }
    }

    #[test]
    fn each_card_hears_what_is_the_matter() {
        let roster = roster(TABLE).unwrap();
        assert_eq!(roster.sessions(), ["Sáng", "Chiều"]);
        let mut morning = Attendance::new(&roster, "Sáng");
        let good = tap("000090123456", "NGUYEN VAN MAU", "02/01/1990");
        assert_eq!(morning.tap(&Tap { genuine: false, ..good }, AT), Admission::NotGenuine);
        assert_eq!(morning.tap(&good, AT), Admission::Admitted { seat: "A-01".to_owned() });
        let later = datetime!(2026-11-20 07:20 +7);
        assert_eq!(morning.tap(&good, later), Admission::AlreadyIn { since: AT });
        // Of the second only the year is on the roster.
        let second = tap("000191000002", "Trần Thị Mẫu", "05/06/1991");
        assert_eq!(morning.tap(&second, later).code(), "admitted");
        assert_eq!(morning.tap(&tap("000090999999", "A", "1990"), AT), Admission::NotOnRoster);
        for (name, birth, fields) in [
            ("Nguyễn Văn Khác", "02/01/1990", vec![Difference::Name]),
            ("Nguyễn Văn Mẫu", "03/01/1990", vec![Difference::Birth]),
            ("Nguyễn Văn Khác", "1989", vec![Difference::Name, Difference::Birth]),
        ] {
            assert_eq!(morning.tap(&tap("000090123456", name, birth), AT), Admission::DataDiffer { fields });
        }
        let mut night = Attendance::new(&roster, "Tối");
        assert_eq!(
            night.tap(&good, AT),
            Admission::WrongSession { sessions: vec!["Sáng".to_owned(), "Chiều".to_owned()] }
        );
        assert_eq!((morning.count(), night.count()), (2, 0));
        let csv = String::from_utf8(morning.table().to_csv().to_vec()).unwrap();
        assert_eq!(
            csv,
            "\u{FEFF}Số báo danh,Số định danh,Họ và tên,Có mặt lúc\r\n\
             A-01,000090123456,Nguyễn Văn Mẫu,07:10 20/11/2026\r\n\
             A-02,000191000002,Trần Thị Mẫu,07:20 20/11/2026\r\n"
        );
    }

    #[test]
    fn mistakes_name_their_row_and_nobody() {
        for (from, to, told) in [
            ("Số CCCD", "Số", "no column is called Số định danh"),
            ("Họ và tên", "Tên gọi", "no column is called Họ và tên"),
            ("000191000002", "19100000", "row 4: the number"),
            ("000191000002", "00019100000X", "row 4: the number"),
            ("Trần Thị Mẫu", "", "row 4: there is no name"),
            ("1991", "31/02/1991", "row 4: the date"),
            ("Chiều", "Sáng", "rows 3 and 5"),
        ] {
            let message = roster(&TABLE.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(message.contains(told), "{message}");
            assert!(!message.contains("Mẫu") && !message.contains("0909"), "{message}");
        }
        assert_eq!(roster("number;name\n").unwrap_err(), RosterError::Count(0));
    }

    #[test]
    fn zeros_that_a_spreadsheet_has_lost_are_put_back() {
        let mut book = rust_xlsxwriter::Workbook::new();
        let sheet = book.add_worksheet();
        for (column, name) in (0..).zip(["Số định danh", "Họ tên", "Ngày sinh"]) {
            sheet.write_string(0, column, name).unwrap();
        }
        sheet.write_number(1, 0, 1_090_123_456.0).unwrap();
        sheet.write_string(1, 1, "Nguyễn Văn Mẫu").unwrap();
        let date = rust_xlsxwriter::Format::new().set_num_format("dd/mm/yyyy");
        let birth = rust_xlsxwriter::ExcelDateTime::from_ymd(1990, 1, 2).unwrap();
        sheet.write_datetime_with_format(1, 2, &birth, &date).unwrap();
        let roster = Roster::read(&of_xlsx(&book.save_to_buffer().unwrap()).unwrap()).unwrap();
        let [only] = roster.candidates() else { panic!() };
        assert_eq!(only.number.expose(), "001090123456");
        assert_eq!(only.birth, PartialDate::from_iso("1990-01-02").unwrap());
    }
}
