//! Dates as a card prints them: a day, a month, or a bare year.

use std::fmt;

use time::{Date, Month};

/// A date of which the day, or the day and the month, may be unknown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PrintedDate {
    year: u16,
    month: Option<u8>,
    day: Option<u8>,
}

impl PrintedDate {
    /// Reads `dd/MM/yyyy`, `MM/yyyy` or `yyyy`. `None` for anything else, and for days no calendar has.
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        let (day, month, year) = match *parts.as_slice() {
            [day, month, year] => (Some(digits(day, 2)?), Some(digits(month, 2)?), digits(year, 4)?),
            [month, year] => (None, Some(digits(month, 2)?), digits(year, 4)?),
            [year] => (None, None, digits(year, 4)?),
            _ => return None,
        };
        let small = |value: u16| u8::try_from(value).ok();
        let date = Self { year, month: month.and_then(small), day: day.and_then(small) };
        let calendar_month = Month::try_from(date.month.unwrap_or(1)).ok()?;
        Date::from_calendar_date(i32::from(year), calendar_month, date.day.unwrap_or(1)).ok()?;
        Some(date)
    }

    /// Reads `dd/MM/yyyy` only.
    pub fn parse_day(text: &str) -> Option<Self> {
        Self::parse(text).filter(|date| date.day.is_some())
    }

    /// `ddMMyyyy`, `MMyyyy` or `yyyy`, as the printed code spells it.
    pub fn compact(self) -> String {
        self.to_string().replace('/', "")
    }

    /// `YYMMDD`, fillers in place of what is not known (ICAO 9303-3, 4.8).
    pub fn mrz(self) -> String {
        let part = |part: Option<u8>| part.map_or_else(|| "<<".to_owned(), |part| format!("{part:02}"));
        format!("{:02}{}{}", self.year % 100, part(self.month), part(self.day))
    }

    /// The day, where every part of it is known.
    pub fn day(self) -> Option<Date> {
        let month = Month::try_from(self.month?).ok()?;
        Date::from_calendar_date(i32::from(self.year), month, self.day?).ok()
    }
}

impl fmt::Display for PrintedDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(day) = self.day {
            write!(f, "{day:02}/")?;
        }
        if let Some(month) = self.month {
            write!(f, "{month:02}/")?;
        }
        write!(f, "{:04}", self.year)
    }
}

fn digits(text: &str, wanted: usize) -> Option<u16> {
    let all_digits = text.len() == wanted && text.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_printed_coded_and_read_by_machines_in_its_own_way() {
        for (text, compact, mrz) in [
            ("02/01/1990", "02011990", "900102"),
            ("01/1990", "011990", "9001<<"),
            ("1990", "1990", "90<<<<"),
        ] {
            let date = PrintedDate::parse(text).unwrap();
            assert_eq!((date.to_string().as_str(), date.compact().as_str()), (text, compact));
            assert_eq!(date.mrz(), mrz);
        }
    }

    #[test]
    fn days_no_calendar_has_are_refused() {
        for text in
            ["", "31/02/1990", "1/1/1990", "00/1990", "13/1990", "90", "1990-01-02", "02/01/1990/", "+990"]
        {
            assert!(PrintedDate::parse(text).is_none(), "{text}");
        }
        assert!(PrintedDate::parse("29/02/2000").is_some());
        assert!(PrintedDate::parse_day("01/1990").is_none());
    }
}
