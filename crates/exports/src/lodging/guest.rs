//! A guest, and the stay.

use cccd_consumers::Shaped;
use cccd_document::{PartialDate, Personal};
use serde::Deserialize;
use time::Date;

/// The most guests of one file, and the longest line about one.
const MOST_GUESTS: usize = 10_000;
const LONGEST_LINE: usize = 16 << 10;

/// A guest as the profile `lodging` gives them, with the stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    /// The name.
    pub name: Personal,
    /// The date of birth as stated.
    pub birth: Personal,
    /// `M - Nam`, `F - Nữ`, or empty.
    pub sex: Personal,
    /// Three letters, as ICAO 9303 has them.
    pub nationality: Personal,
    /// The kind of document: a number and its words.
    pub paper: Personal,
    /// The citizen's number; empty in a foreign document.
    pub number: Personal,
    /// The number of the document.
    pub document_number: Personal,
    /// Residence.
    pub residence: Personal,
    /// The stay.
    pub stay: Stay,
}

/// A stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stay {
    /// The day of arrival.
    pub arrival: Date,
    /// The day the guest means to leave.
    pub departure: Date,
    /// The room.
    pub room: String,
    /// The number of the reason in the portal's list: 1 for tourism, 18 for treatment.
    pub reason: u8,
    /// The reason in words, where the number is 20.
    pub other_reason: String,
}

/// Something odd about a guest. It tells nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// The date of birth is not whole, and the portal wants day, month and year.
    BirthIncomplete,
    /// The arrival is neither of the day nor of the day before, which is all the portal takes.
    ArrivalNotNow,
    /// A choice is not in the template's lists, and stays empty.
    ChoiceUnknown,
}

/// Why guests cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GuestFault {
    /// A line is none. What stands in it is not repeated here.
    #[error("line {line} is no guest: {why}")]
    Line {
        /// Which.
        line: usize,
        /// What is wrong.
        why: &'static str,
    },
    /// Too many.
    #[error("more than 10000 guests")]
    TooMany,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLine {
    guest: RawGuest,
    stay: RawStay,
}

/// The names of the profile `lodging`.
#[derive(Deserialize)]
struct RawGuest {
    ho_ten: String,
    ngay_sinh: String,
    gioi_tinh: String,
    ma_quoc_tich: String,
    loai_giay_to: String,
    so_dinh_danh: String,
    so_giay_to: String,
    noi_cu_tru: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStay {
    arrival: String,
    departure: String,
    #[serde(default)]
    room: String,
    reason: u8,
    #[serde(default)]
    other_reason: String,
}

/// Guests, one JSON object a line: `{"guest": what the profile lodging gave, "stay": {"arrival": "20/11/2026",
/// "departure": "21/11/2026", "room": "101", "reason": 1}}`.
pub fn guests_of_json_lines(text: &str) -> Result<Vec<Guest>, GuestFault> {
    let mut guests = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        if guests.len() == MOST_GUESTS {
            return Err(GuestFault::TooMany);
        }
        let fault = |why| GuestFault::Line { line: at + 1, why };
        if line.len() > LONGEST_LINE {
            return Err(fault("it is too long"));
        }
        let raw: RawLine =
            serde_json::from_str(line).map_err(|_| fault("not a guest of the profile lodging and a stay"))?;
        let day = |text: &str| PartialDate::from_printed(text).and_then(PartialDate::day);
        let arrival = day(&raw.stay.arrival).ok_or(fault("stay.arrival is no dd/MM/yyyy"))?;
        let departure = day(&raw.stay.departure).ok_or(fault("stay.departure is no dd/MM/yyyy"))?;
        if departure < arrival {
            return Err(fault("the departure is before the arrival"));
        }
        if !(1..=20).contains(&raw.stay.reason) {
            return Err(fault("stay.reason: 1 to 20"));
        }
        if raw.stay.reason == 20 && raw.stay.other_reason.trim().is_empty() {
            return Err(fault("stay.other_reason is needed with reason 20"));
        }
        if raw.guest.ho_ten.trim().is_empty() {
            return Err(fault("there is no name"));
        }
        let RawGuest { ho_ten, ngay_sinh, gioi_tinh, ma_quoc_tich, loai_giay_to, .. } = raw.guest;
        guests.push(Guest {
            name: ho_ten.into(),
            birth: ngay_sinh.into(),
            sex: gioi_tinh.into(),
            nationality: ma_quoc_tich.into(),
            paper: loai_giay_to.into(),
            number: raw.guest.so_dinh_danh.into(),
            document_number: raw.guest.so_giay_to.into(),
            residence: raw.guest.noi_cu_tru.into(),
            stay: Stay {
                arrival,
                departure,
                room: raw.stay.room,
                reason: raw.stay.reason,
                other_reason: raw.stay.other_reason,
            },
        });
    }
    Ok(guests)
}

impl Guest {
    /// A guest out of what the profile `lodging` gives, or `coach-manifest`, whose names and words differ; `None` where
    /// it gives no name.
    pub fn of(output: &Shaped, stay: Stay) -> Option<Self> {
        let text = |name: &str| output.get(name).and_then(Shaped::text).unwrap_or_default();
        let either = |one: &str, other: &str| if text(one).is_empty() { text(other) } else { text(one) };
        let sex = match text("gioi_tinh") {
            "Nam" => "M - Nam",
            "Nữ" => "F - Nữ",
            other => other,
        };
        (!text("ho_ten").trim().is_empty()).then(|| Self {
            name: text("ho_ten").into(),
            birth: text("ngay_sinh").into(),
            sex: sex.into(),
            nationality: either("ma_quoc_tich", "quoc_tich").into(),
            paper: text("loai_giay_to").into(),
            number: text("so_dinh_danh").into(),
            document_number: text("so_giay_to").into(),
            residence: text("noi_cu_tru").into(),
            stay,
        })
    }

    /// Whether the guest is of another nationality.
    pub fn is_foreign(&self) -> bool {
        self.nationality.expose() != "VNM"
    }

    /// The date of birth.
    pub(crate) fn birth_date(&self) -> PartialDate {
        PartialDate::from_printed(self.birth.expose()).unwrap_or_default()
    }

    /// What is odd about the guest on this day.
    pub(crate) fn notes(&self, today: Date) -> Vec<Note> {
        let mut notes = Vec::new();
        if self.birth_date().day().is_none() {
            notes.push(Note::BirthIncomplete);
        }
        if self.stay.arrival > today || today.previous_day().is_some_and(|before| self.stay.arrival < before)
        {
            notes.push(Note::ArrivalNotNow);
        }
        notes
    }
}

/// `dd/MM/yyyy`.
pub(crate) fn printed(date: Date) -> String {
    format!("{:02}/{:02}/{:04}", date.day(), u8::from(date.month()), date.year())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A guest with this name, nationality and birth.
    pub(crate) fn line(name: &str, nationality: &str, birth: &str) -> String {
        let (number, paper) = match nationality {
            "VNM" => ("000090123456", "1 - Thẻ CCCD"),
            _ => ("", "4 - Hộ chiếu"),
        };
        serde_json::json!({
            "guest": {
                "ho_ten": name, "ngay_sinh": birth, "gioi_tinh": "M - Nam", "ma_quoc_tich": nationality,
                "loai_giay_to": paper, "so_dinh_danh": number, "so_giay_to": "090123456",
                "noi_cu_tru": "Số 1, Đường Mẫu", "luc_doc": "2026-11-20T15:00:00+07:00", "the_that": true,
            },
            "stay": { "arrival": "20/11/2026", "departure": "22/11/2026", "room": "101", "reason": 1 },
        })
        .to_string()
    }

    #[test]
    fn lines_become_guests_and_wrong_ones_are_told_without_their_content() {
        let good = line("Nguyễn Văn Mẫu", "VNM", "02/01/1990");
        let guests = guests_of_json_lines(&format!("{good}\n\n{good}\n")).unwrap();
        assert_eq!(guests.len(), 2);
        assert_eq!(guests[0].stay.room, "101");
        for (from, to, why) in [
            ("22/11/2026", "19/11/2026", "before the arrival"),
            ("22/11/2026", "mai", "stay.departure"),
            ("\"reason\":1", "\"reason\":21", "1 to 20"),
            ("\"reason\":1", "\"reason\":20", "other_reason"),
            ("\"room\"", "\"phong\"", "not a guest"),
            ("Nguyễn Văn Mẫu", " ", "no name"),
        ] {
            assert!(good.contains(from), "{from}");
            let text = format!("{good}\n{}", good.replacen(from, to, 1));
            let message = guests_of_json_lines(&text).unwrap_err().to_string();
            assert!(message.starts_with("line 2") && message.contains(why), "{message}");
            assert!(!message.contains("Mẫu"), "{message}");
        }
    }
}
