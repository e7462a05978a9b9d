//! Counts of guests for tourism statistics: by day, kind of lodging, age group, domestic or foreign. Never persons.

use std::collections::BTreeMap;

use cccd_document::{PartialDate, Personal};
use time::Date;
use zeroize::Zeroizing;

use super::Guest;
use super::guest::printed;
use crate::Table;

/// A kind of lodging.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LodgingKind {
    /// Hotels.
    Hotel,
    /// Guest houses and homestays.
    GuestHouse,
    /// Rented rooms, workers' housing.
    Rented,
    /// In-patients and relatives at clinics.
    Clinic,
    /// Official residences.
    Official,
}

impl LodgingKind {
    /// All there are.
    pub const ALL: [Self; 5] = [Self::Hotel, Self::GuestHouse, Self::Rented, Self::Clinic, Self::Official];

    /// The name for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Hotel => "hotel",
            Self::GuestHouse => "guest-house",
            Self::Rented => "rented",
            Self::Clinic => "clinic",
            Self::Official => "official",
        }
    }
}

/// The age groups, each from its first year to before the next one's.
const GROUPS: [(i32, &str); 5] = [(0, "0-15"), (16, "16-24"), (25, "25-44"), (45, "45-59"), (60, "60+")];

/// How many guests arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<(Date, LodgingKind, usize, bool), u32>);

impl Counts {
    /// Counts these guests of one kind of lodging in. Age is that on the day of arrival; of whom no year of birth is
    /// known is in no group and counted apart.
    pub fn add(&mut self, guests: &[Guest], kind: LodgingKind) {
        for guest in guests {
            let group = group(guest.birth_date(), guest.stay.arrival);
            let count = self.0.entry((guest.stay.arrival, kind, group, guest.is_foreign())).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// As CSV in UTF-8 with a byte order mark.
    pub fn to_csv(&self) -> Zeroizing<Vec<u8>> {
        let rows = self
            .0
            .iter()
            .map(|((day, kind, group, foreign), count)| {
                let group = GROUPS.get(*group).map_or("?", |(_, name)| name);
                let origin = if *foreign { "quốc tế" } else { "nội địa" };
                [
                    printed(*day),
                    kind.code().to_owned(),
                    group.to_owned(),
                    origin.to_owned(),
                    count.to_string(),
                ]
            })
            .map(|row| row.map(Personal::new).to_vec())
            .collect();
        let titles = ["Ngày", "Loại hình", "Nhóm tuổi", "Khách", "Số lượt"].map(str::to_owned);
        Table::new(titles.to_vec(), rows).to_csv()
    }
}

fn group(birth: PartialDate, day: Date) -> usize {
    let Some(year) = birth.year() else { return GROUPS.len() };
    let had_birthday = birth
        .day()
        .is_none_or(|birth| (u8::from(birth.month()), birth.day()) <= (u8::from(day.month()), day.day()));
    let age = day.year() - year - i32::from(!had_birthday);
    GROUPS.iter().rposition(|(from, _)| *from <= age).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lodging::guest::tests::line;
    use crate::lodging::guests_of_json_lines;

    #[test]
    fn guests_are_counted_and_nobody_is_named() {
        let lines = [
            line("Nguyễn Văn Mẫu", "VNM", "20/11/2010"),
            line("Nguyễn Văn Mẫu", "VNM", "21/11/2010"),
            line("Trần Thị Mẫu", "VNM", "1990"),
            line("Trần Thị Mẫu", "VNM", "01/01/1990"),
            line("ERIKSSON", "UTO", "12/08/1950"),
            line("ERIKSSON", "UTO", ""),
        ];
        let mut counts = Counts::default();
        counts.add(&guests_of_json_lines(&lines.join("\n")).unwrap(), LodgingKind::Hotel);
        let csv = String::from_utf8(counts.to_csv().to_vec()).unwrap();
        assert_eq!(
            csv,
            "\u{FEFF}Ngày,Loại hình,Nhóm tuổi,Khách,Số lượt\r\n\
             20/11/2026,hotel,0-15,nội địa,1\r\n\
             20/11/2026,hotel,16-24,nội địa,1\r\n\
             20/11/2026,hotel,25-44,nội địa,2\r\n\
             20/11/2026,hotel,60+,quốc tế,1\r\n\
             20/11/2026,hotel,?,quốc tế,1\r\n"
        );
    }
}
