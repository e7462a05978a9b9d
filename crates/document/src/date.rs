//! Dates of which a part may be unknown: not every citizen knows the day they were born.

use std::fmt;

use time::{Date, Month};

use crate::Personal;

/// A calendar date, down to the part that is known.
///
/// Impossible ones (31 April, month 13) cannot be made. `Debug` tells only how much is known.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub enum PartialDate {
    /// Day, month and year.
    Day(Date),
    /// Month and year.
    Month(i32, Month),
    /// The year alone.
    Year(i32),
    /// Nothing.
    #[default]
    Unknown,
}

impl PartialDate {
    /// Puts a date together. A day without a month counts for nothing; `None` where there is no such date.
    pub fn new(year: i32, month: Option<u8>, day: Option<u8>) -> Option<Self> {
        // A person alive, and a card in force, lie well within these.
        if !(1800..=2299).contains(&year) {
            return None;
        }
        match (month, day) {
            (None, _) => Some(Self::Year(year)),
            (Some(month), None) => Some(Self::Month(year, Month::try_from(month).ok()?)),
            (Some(month), Some(day)) => {
                Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok().map(Self::Day)
            }
        }
    }

    /// As a card prints it: `dd/MM/yyyy`, `MM/yyyy` or `yyyy`. Also with `-` or `.` between, or without the
    /// leading zeros; a part of zeros is unknown.
    pub fn from_printed(text: &str) -> Option<Self> {
        let mut parts = text.trim().rsplit(['/', '-', '.']);
        let year = parts.next()?;
        let month = parts.next();
        let day = parts.next();
        if year.len() != 4 || parts.next().is_some() {
            return None;
        }
        Self::new(number(year)?, small(month)?, small(day)?)
    }

    /// As the QR code of the 2021 card writes it: `ddMMyyyy`, `MMyyyy` or `yyyy`.
    pub fn from_day_month_year(digits: &str) -> Option<Self> {
        let split = digits.len().checked_sub(4).filter(|front| [0, 2, 4].contains(front))?;
        let (front, year) = digits.split_at_checked(split)?;
        let (day, month) = front.split_at_checked(front.len().saturating_sub(2))?;
        let [month, day] = [month, day].map(|part| Some(part).filter(|part| !part.is_empty()));
        Self::new(number(year)?, small(month)?, small(day)?)
    }

    /// Eight digits `yyyyMMdd`, as DG11 and DG12 write it (ICAO 9303-10, 4.7.11 and 4.7.12).
    pub fn from_year_month_day(digits: &str) -> Option<Self> {
        let (year, rest) = digits.split_at_checked(4)?;
        let (month, day) = rest.split_at_checked(2)?;
        if day.len() != 2 {
            return None;
        }
        Self::new(number(year)?, small(Some(month))?, small(Some(day))?)
    }

    /// The same eight digits, or four bytes of packed digits where a chip writes those (card-quirks 66).
    pub fn from_chip(bytes: &[u8]) -> Option<Self> {
        if let Ok(packed) = <[u8; 4]>::try_from(bytes) {
            let digits: String =
                packed.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]).filter_map(decimal).collect();
            return Self::from_year_month_day(&digits);
        }
        let text = std::str::from_utf8(bytes).ok()?.trim_matches(['\0', ' ', '<']);
        Self::from_year_month_day(text)
            .or_else(|| (text.len() == 4 || text.len() == 6).then(|| Self::from_iso_compact(text)).flatten())
    }

    /// `yyyyMM` or `yyyy`.
    fn from_iso_compact(digits: &str) -> Option<Self> {
        let (year, month) = digits.split_at_checked(4)?;
        Self::new(number(year)?, small((!month.is_empty()).then_some(month))?, None)
    }

    /// `yyyy-MM-dd`, `yyyy-MM` or `yyyy` (ISO 8601).
    pub fn from_iso(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (year, month, day) = (parts.next()?, parts.next(), parts.next());
        let two_digits = |part: Option<&str>| part.is_none_or(|part| part.len() == 2);
        if parts.next().is_some() || year.len() != 4 || !two_digits(month) || !two_digits(day) {
            return None;
        }
        Self::new(number(year)?, small(month)?, small(day)?)
    }

    /// `yyyy-MM-dd`, `yyyy-MM` or `yyyy` (ISO 8601); nothing where nothing is known.
    pub fn to_iso(self) -> Option<Personal> {
        let text = match self {
            Self::Day(date) => format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day()),
            Self::Month(year, month) => format!("{year:04}-{:02}", u8::from(month)),
            Self::Year(year) => format!("{year:04}"),
            Self::Unknown => return None,
        };
        Some(Personal::new(text))
    }

    /// `dd/MM/yyyy`, `MM/yyyy` or `yyyy`, as a Vietnamese card prints it; nothing where nothing is known.
    pub fn to_printed(self) -> Option<Personal> {
        let text = match self {
            Self::Day(date) => format!("{:02}/{:02}/{:04}", date.day(), u8::from(date.month()), date.year()),
            Self::Month(year, month) => format!("{:02}/{year:04}", u8::from(month)),
            Self::Year(year) => format!("{year:04}"),
            Self::Unknown => return None,
        };
        Some(Personal::new(text))
    }

    /// The date, where all of it is known.
    pub fn day(self) -> Option<Date> {
        match self {
            Self::Day(date) => Some(date),
            _ => None,
        }
    }

    /// The first day it may mean, from which ages are reckoned; `None` where nothing is known.
    pub(crate) fn first_day(self) -> Option<Date> {
        match self {
            Self::Day(date) => Some(date),
            Self::Month(year, month) => Date::from_calendar_date(year, month, 1).ok(),
            Self::Year(year) => Date::from_calendar_date(year, Month::January, 1).ok(),
            Self::Unknown => None,
        }
    }

    /// The last day it may mean.
    pub(crate) fn last_day(self) -> Option<Date> {
        match self {
            Self::Day(date) => Some(date),
            Self::Month(year, month) => Date::from_calendar_date(year, month, month.length(year)).ok(),
            Self::Year(year) => Date::from_calendar_date(year, Month::December, 31).ok(),
            Self::Unknown => None,
        }
    }

    /// The year, where it is known.
    pub fn year(self) -> Option<i32> {
        match self {
            Self::Day(date) => Some(date.year()),
            Self::Month(year, _) | Self::Year(year) => Some(year),
            Self::Unknown => None,
        }
    }

    /// The month, where it is known.
    pub fn month(self) -> Option<Month> {
        match self {
            Self::Day(date) => Some(date.month()),
            Self::Month(_, month) => Some(month),
            Self::Year(_) | Self::Unknown => None,
        }
    }

    /// Whether two dates cannot be of the same day: they differ in a part that both know.
    pub fn contradicts(self, other: Self) -> bool {
        fn differ<T: PartialEq>(one: Option<T>, other: Option<T>) -> bool {
            one.zip(other).is_some_and(|(one, other)| one != other)
        }
        differ(self.year(), other.year())
            || differ(self.month(), other.month())
            || differ(self.day(), other.day())
    }
}

impl fmt::Debug for PartialDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Day(_) => "<date>",
            Self::Month(..) => "<month and year>",
            Self::Year(_) => "<year>",
            Self::Unknown => "<no date>",
        })
    }
}

/// A date together with the text it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatedDate {
    /// As it is stated.
    pub printed: Personal,
    /// What that means; [`PartialDate::Unknown`] where it is no date.
    pub date: PartialDate,
}

impl StatedDate {
    /// Reads text as a Vietnamese card prints dates.
    pub fn from_printed(text: &str) -> Self {
        Self {
            printed: Personal::from(text),
            date: PartialDate::from_printed(text).unwrap_or(PartialDate::Unknown),
        }
    }

    /// Writes a date the way a Vietnamese card prints it.
    pub fn from_date(date: PartialDate) -> Self {
        Self { printed: date.to_printed().unwrap_or_default(), date }
    }
}

fn number(digits: &str) -> Option<i32> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// A day or month of one or two digits: the outer `None` says it is no number, the inner that it is zero,
/// and so unknown, or absent.
#[expect(clippy::option_option, reason = "absent and impossible are different")]
fn small(digits: Option<&str>) -> Option<Option<u8>> {
    match digits {
        None => Some(None),
        Some(digits) if !digits.is_empty() && digits.len() <= 2 => {
            let value = u8::try_from(number(digits)?).ok()?;
            Some((value != 0).then_some(value))
        }
        Some(_) => None,
    }
}

fn decimal(nibble: u8) -> Option<char> {
    char::from_digit(u32::from(nibble), 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn iso(date: Option<PartialDate>) -> Option<String> {
        Some(date?.to_iso()?.expose().to_owned())
    }

    #[test]
    fn printed_dates_are_read_down_to_the_part_that_is_known() {
        for (text, expected) in [
            ("02/01/1990", Some("1990-01-02")),
            ("2/1/1990", Some("1990-01-02")),
            (" 02-01-1990 ", Some("1990-01-02")),
            ("01/1990", Some("1990-01")),
            ("00/01/1990", Some("1990-01")),
            ("00/00/1990", Some("1990")),
            ("1990", Some("1990")),
            ("29/02/2000", Some("2000-02-29")),
            ("29/02/1900", None),
            ("31/04/1990", None),
            ("01/13/1990", None),
            ("1/2/3/1990", None),
            ("02/01/90", None),
            ("+2/01/1990", None),
            ("//1990", None),
            ("Không thời hạn", None),
            ("", None),
        ] {
            assert_eq!(iso(PartialDate::from_printed(text)).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn the_three_lengths_of_the_qr_code_are_read_and_no_other() {
        for (text, expected) in [
            ("02011990", Some("1990-01-02")),
            ("011990", Some("1990-01")),
            ("1990", Some("1990")),
            ("990", None),
            ("2011990", None),
            ("", None),
            ("0á1990", None),
        ] {
            assert_eq!(iso(PartialDate::from_day_month_year(text)).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn chips_write_digits_or_packed_digits() {
        for (bytes, expected) in [
            (&b"19900102"[..], Some("1990-01-02")),
            (&[0x19, 0x90, 0x01, 0x02], Some("1990-01-02")),
            (b"19900000", Some("1990")),
            (&[0x19, 0x90, 0x01, 0x00], Some("1990-01")),
            (b"199001", Some("1990-01")),
            (b"19900102\0", Some("1990-01-02")),
            (&[0x19, 0x9A, 0x01, 0x02], None),
            (b"", None),
            (b"1990-1-2", None),
        ] {
            assert_eq!(iso(PartialDate::from_chip(bytes)).as_deref(), expected, "{bytes:02x?}");
        }
    }

    #[test]
    fn only_known_parts_contradict() {
        let read = |text| PartialDate::from_printed(text).unwrap();
        assert!(!read("02/01/1990").contradicts(read("1990")));
        assert!(!read("02/01/1990").contradicts(PartialDate::Unknown));
        assert!(read("02/01/1990").contradicts(read("02/1990")));
        assert!(read("02/01/1990").contradicts(read("03/01/1990")));
    }

    #[test]
    fn debug_tells_no_date() {
        let stated = StatedDate::from_printed("02/01/1990");
        assert_eq!(format!("{stated:?}"), "StatedDate { printed: <personal>, date: <date> }");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(year in 1800i32..=2299, month in 0u8..=12, day in 0u8..=31) {
            let month = (month != 0).then_some(month);
            let day = month.and((day != 0).then_some(day));
            if let Some(date) = PartialDate::new(year, month, day) {
                prop_assert_eq!(PartialDate::from_iso(date.to_iso().unwrap().expose()), Some(date));
                prop_assert_eq!(PartialDate::from_printed(date.to_printed().unwrap().expose()), Some(date));
            }
        }

        #[test]
        fn no_text_panics(text in ".{0,12}", bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
            let _ = PartialDate::from_printed(&text);
            let _ = PartialDate::from_day_month_year(&text);
            let _ = PartialDate::from_year_month_day(&text);
            let _ = PartialDate::from_iso(&text);
            let _ = PartialDate::from_chip(&bytes);
        }
    }
}
