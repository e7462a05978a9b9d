//! Who is on board: the manifest of a coach.

use std::collections::HashSet;

use cccd_consumers::Shaped;
use cccd_document::Personal;
use time::{OffsetDateTime, UtcOffset};

use crate::Table;

/// The columns, and the names they have in the output of the profile `coach-manifest`.
const COLUMNS: [(&str, &str); 7] = [
    ("Họ và tên", "ho_ten"),
    ("Ngày sinh", "ngay_sinh"),
    ("Giới tính", "gioi_tinh"),
    ("Quốc tịch", "quoc_tich"),
    ("Số định danh", "so_dinh_danh"),
    ("Số giấy tờ", "so_giay_to"),
    ("Lên xe lúc", "len_xe_luc"),
];

/// The passengers of one trip, in the order they came aboard.
#[derive(Default)]
pub struct Manifest {
    passengers: Vec<Passenger>,
    seen: HashSet<String>,
}

/// A passenger as the manifest has them: one text a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passenger([Personal; COLUMNS.len()]);

/// Whether a passenger was there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// They were not, and are now.
    New,
    /// They are the passenger of this row, counted from 1.
    Before(usize),
}

impl Passenger {
    /// A passenger out of what the profile gives of a reading; `None` where it gives no name.
    pub fn of(output: &Shaped) -> Option<Self> {
        let text = |name| output.get(name).and_then(Shaped::text).unwrap_or_default();
        (!text("ho_ten").is_empty()).then(|| Self(COLUMNS.map(|(_, name)| text(name).into())))
    }

    /// The document by which the same passenger is known again: the number for life, or that of the document.
    fn document(&self) -> &str {
        let [.., number, document, _] = &self.0;
        if number.is_empty() { document.expose() } else { number.expose() }
    }
}

impl Manifest {
    /// Takes a passenger on, unless they are there already. One without any number is always new.
    pub fn board(&mut self, passenger: Passenger) -> Seen {
        let document = passenger.document();
        let before = self.passengers.iter().position(|known| known.document() == document);
        if !document.is_empty() && !self.seen.insert(document.to_owned()) {
            return Seen::Before(before.map_or(0, |at| at + 1));
        }
        self.passengers.push(passenger);
        Seen::New
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.passengers.len()
    }

    /// As a table, a row for each.
    pub fn table(&self) -> Table {
        let rows = self.passengers.iter().map(|passenger| passenger.0.to_vec()).collect();
        Table::new(COLUMNS.map(|(title, _)| title.to_owned()).to_vec(), rows)
    }
}

/// How many, and nobody by number.
impl std::fmt::Debug for Manifest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Manifest").field("passengers", &self.passengers.len()).finish_non_exhaustive()
    }
}

/// Numbers must not linger in freed memory either.
impl Drop for Manifest {
    fn drop(&mut self) {
        self.seen.drain().for_each(|document| drop(Personal::new(document)));
    }
}

/// A moment as people in Vietnam read it.
pub(crate) fn clock(at: OffsetDateTime) -> String {
    let local = at.to_offset(UtcOffset::from_hms(7, 0, 0).unwrap_or(UtcOffset::UTC));
    let (date, month) = (local.date(), u8::from(local.month()));
    format!("{:02}:{:02} {:02}/{month:02}/{:04}", local.hour(), local.minute(), date.day(), date.year())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sheet;
    use cccd_consumers::{InventedReading, disclose};
    use cccd_profiles::ConsumerCatalogue;
    use cccd_trust::Summary;

    fn invented() -> Passenger {
        let catalogue = ConsumerCatalogue::shipped();
        let reading = InventedReading::new(Summary::Unconfirmed);
        let given = disclose(catalogue.find("coach-manifest").unwrap(), &reading.subject(), None).unwrap();
        Passenger::of(&given.output.unwrap()).unwrap()
    }

    #[test]
    fn one_tap_each_and_a_second_is_told() {
        let mut manifest = Manifest::default();
        let mut other = invented();
        other.0[4] = "000090123457".into();
        assert_eq!(manifest.board(invented()), Seen::New);
        assert_eq!(manifest.board(other), Seen::New);
        assert_eq!(manifest.board(invented()), Seen::Before(1));
        assert_eq!(manifest.count(), 2);
    }

    #[test]
    fn csv_and_xlsx_hold_the_same_passengers() {
        let mut manifest = Manifest::default();
        manifest.board(invented());
        let read = |bytes: &[u8]| sheet::of_file(bytes).unwrap().rows().to_vec();
        let (csv, xlsx) = (read(&manifest.table().to_csv()), read(&manifest.table().to_xlsx().unwrap()));
        assert_eq!(csv, xlsx);
        let texts: Vec<_> = csv[1].iter().map(|cell| cell.text.expose()).collect();
        assert_eq!(
            texts,
            ["Nguyễn Văn Mẫu", "02/01/1990", "Nam", "VNM", "000090123456", "090123456", "15:00 20/11/2026",]
        );
    }
}
