//! The fields of an MRZ (ICAO 9303-3, 4).

use std::fmt;

use time::Date;

use crate::{PartialDate, Personal};

/// The check digit over `field` (ICAO 9303-3, 4.9): weights 7, 3, 1, modulo 10.
pub fn check_digit(field: &str) -> Option<u8> {
    field
        .bytes()
        .zip([7u32, 3, 1].into_iter().cycle())
        .try_fold(0u32, |sum, (byte, weight)| Some((sum + value(byte)? * weight) % 10))
        .and_then(|sum| u8::try_from(sum).ok())
}

/// What a character counts: digits themselves, A to Z 10 to 35, the filler nothing.
fn value(byte: u8) -> Option<u32> {
    match byte {
        b'<' => Some(0),
        b'0'..=b'9' => Some(u32::from(byte - b'0')),
        b'A'..=b'Z' => Some(u32::from(byte - b'A') + 10),
        _ => None,
    }
}

pub(super) fn is_mrz_character(byte: u8) -> bool {
    value(byte).is_some()
}

/// A field and the digit printed for it.
pub(super) struct CheckDigit<'a> {
    pub(super) field: &'a str,
    pub(super) digit: &'a str,
}

impl CheckDigit<'_> {
    /// Over an empty field the digit is zero, and some states print a filler (ICAO 9303-4, 4.2.2, note on
    /// the personal number; also Swiss and Austrian dates, card-quirks 69).
    pub(super) fn fits(&self) -> bool {
        let empty = self.field.bytes().all(|byte| byte == b'<');
        match check_digit(self.field).and_then(|digit| char::from_digit(u32::from(digit), 10)) {
            Some(digit) => self.digit.chars().eq([digit]) || (empty && self.digit == "<"),
            None => false,
        }
    }
}

/// Sex as documents state it. `Debug` does not tell.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sex {
    /// Female: `F`.
    Female,
    /// Male: `M`.
    Male,
    /// Not stated, or neither: `<` and `X`.
    Unspecified,
}

impl Sex {
    /// The MRZ's character: `<` for unspecified (ICAO 9303-4, 4.2.2); `X` is what the page shows, and some
    /// zones too.
    pub(super) fn from_mrz(character: &str) -> Option<Self> {
        match character {
            "F" => Some(Self::Female),
            "M" => Some(Self::Male),
            "<" | "X" => Some(Self::Unspecified),
            _ => None,
        }
    }

    /// The word a Vietnamese card uses: `Nam` or `Nữ`, however composed and in whatever case; also without
    /// its diacritics, as keyboard-wedge scanners send it.
    pub fn from_vietnamese(word: &str) -> Option<Self> {
        match crate::text::folded(word).as_str() {
            "NAM" => Some(Self::Male),
            "NU" => Some(Self::Female),
            _ => None,
        }
    }
}

impl fmt::Debug for Sex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<sex>")
    }
}

/// Six characters `yyMMdd`; fillers for a part that is unknown (ICAO 9303-3, 4.8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MrzDate {
    text: Personal,
}

impl MrzDate {
    pub(super) fn new(six: &str) -> Self {
        Self { text: Personal::from(six) }
    }

    /// The six characters.
    pub fn as_str(&self) -> &str {
        self.text.expose()
    }

    /// Whether the characters are neither a date nor fillers, in any century.
    pub(super) fn is_impossible(&self) -> bool {
        // A 29 February may exist in one century and not in the other.
        self.as_str() != "<<<<<<" && self.in_century(1900).is_none() && self.in_century(2000).is_none()
    }

    fn in_century(&self, century: i32) -> Option<PartialDate> {
        let (year, rest) = self.as_str().split_at_checked(2)?;
        let (month, day) = rest.split_at_checked(2)?;
        let year = two_digits(year)??;
        // Zeros and fillers are both in use for the unknown part.
        let known = |part| Some(two_digits(part)?.filter(|&value| value != 0));
        PartialDate::new(century + i32::from(year), known(month)?, known(day)?)
    }

    /// The latest date that does not lie after `reference`.
    pub(super) fn not_after(&self, reference: Date) -> PartialDate {
        let century = reference.year() / 100 * 100;
        [century, century - 100]
            .into_iter()
            .filter_map(|century| self.in_century(century))
            .find(|date| first_day(*date).is_some_and(|first| first <= reference))
            .unwrap_or(PartialDate::Unknown)
    }

    /// The date less than fifty years from `reference`.
    pub(super) fn near(&self, reference: Date) -> PartialDate {
        let century = reference.year() / 100 * 100;
        [century, century + 100, century - 100]
            .into_iter()
            .filter_map(|century| self.in_century(century))
            .find(|date| date.year().is_some_and(|year| (-50..50).contains(&(year - reference.year()))))
            .unwrap_or(PartialDate::Unknown)
    }
}

/// The first day a partial date may mean.
fn first_day(date: PartialDate) -> Option<Date> {
    Date::from_calendar_date(
        date.year()?,
        date.month().unwrap_or(time::Month::January),
        date.day().map_or(1, Date::day),
    )
    .ok()
}

/// Two digits, or fillers for the inner `None`.
#[expect(clippy::option_option, reason = "unknown and impossible are different")]
fn two_digits(text: &str) -> Option<Option<u8>> {
    match text {
        "<<" => Some(None),
        _ if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok().map(Some),
        _ => None,
    }
}

/// A name as the MRZ spells it: capitals without diacritics (ICAO 9303-3, 4.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MrzName {
    /// The surname, or all of the name where it is not divided.
    pub primary: Personal,
    /// Middle and given names.
    pub secondary: Personal,
    /// Whether there may be more of it than the field holds.
    pub completeness: Completeness,
}

/// Whether all of a name is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completeness {
    /// The field ends in a filler, so nothing was cut off.
    Whole,
    /// The field is full to its last character (ICAO 9303-3, 4.6: truncation of names).
    PerhapsCut,
}

impl MrzName {
    pub(super) fn new(field: &str) -> Self {
        let (primary, secondary) = field.split_once("<<").unwrap_or((field, ""));
        let words = |part: &str| {
            let words: Vec<&str> = part.split('<').filter(|word| !word.is_empty()).collect();
            Personal::new(words.join(" "))
        };
        let completeness = if field.ends_with('<') { Completeness::Whole } else { Completeness::PerhapsCut };
        Self { primary: words(primary), secondary: words(secondary), completeness }
    }

    /// Both parts with a space between.
    pub fn full(&self) -> Personal {
        let mut out = String::with_capacity(40);
        out.push_str(self.primary.expose());
        if !self.primary.is_empty() && !self.secondary.is_empty() {
            out.push(' ');
        }
        out.push_str(self.secondary.expose());
        Personal::new(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    #[test]
    fn check_digits_of_the_icao_specimen() {
        // ICAO 9303-11, Appendix D.2: document number, birth, expiry. 9303-3, 4.9, examples 1 and 2, and
        // the composite ones of 4.9, examples 3 and 4.
        for (field, digit) in [
            ("L898902C<", 3),
            ("690806", 1),
            ("940623", 6),
            ("520727", 3),
            ("AB2134<<<", 5),
            ("D231458907<<<<<<<<<<<<<<<34071279507122<<<<<<<<<<<", 2),
            ("HA672242<658022549601086<<<<<<<", 8),
        ] {
            assert_eq!(check_digit(field), Some(digit), "{field}");
        }
        assert_eq!(check_digit("a"), None);
    }

    #[test]
    fn check_digits_of_the_vietnamese_example() {
        for (field, digit) in
            [("090123456", 2), ("000090123456", 2), ("900102", 2), ("300102", 0), ("991231", 5)]
        {
            assert_eq!(check_digit(field), Some(digit), "{field}");
        }
    }

    #[test]
    fn only_an_empty_field_may_have_a_filler_for_a_digit() {
        let fits = |field, digit| CheckDigit { field, digit }.fits();
        assert!(fits("<<<<<<", "<"));
        assert!(fits("<<<<<<", "0"));
        assert!(!fits("<<<<<<", "1"));
        assert!(!fits("300102", "<"));
        assert!(fits("300102", "0"));
    }

    #[test]
    fn the_century_follows_from_the_reference() {
        let today = date!(2026 - 11 - 20);
        let not_after = |six| MrzDate::new(six).not_after(today).to_iso().map(|iso| iso.expose().to_owned());
        for (six, iso) in [
            ("900102", Some("1990-01-02")),
            ("261120", Some("2026-11-20")),
            ("261121", Some("1926-11-21")),
            ("90<<<<", Some("1990")),
            ("9001<<", Some("1990-01")),
            ("900000", Some("1990")),
            ("900100", Some("1990-01")),
            ("26<<<<", Some("2026")),
            ("2612<<", Some("1926-12")),
            // 1900 had no 29 February, 2000 had one.
            ("000229", Some("2000-02-29")),
            ("<<<<<<", None),
            ("<<0102", None),
            ("991331", None),
            ("ABCDEF", None),
        ] {
            assert_eq!(not_after(six).as_deref(), iso, "{six}");
        }
        let near = |six| MrzDate::new(six).near(today).to_iso().map(|iso| iso.expose().to_owned());
        assert_eq!(near("300102").as_deref(), Some("2030-01-02"));
        assert_eq!(near("750102").as_deref(), Some("2075-01-02"));
        assert_eq!(near("990102").as_deref(), Some("1999-01-02"));
    }

    #[test]
    fn names_are_parted_once() {
        for (field, primary, secondary, completeness) in [
            ("NGUYEN<<VAN<MAU<<<<<", "NGUYEN", "VAN MAU", Completeness::Whole),
            ("MAU<VAN<<<<<<<<<<<<<", "MAU VAN", "", Completeness::Whole),
            ("<<VAN<<<<<<<<<<<<<<<", "", "VAN", Completeness::Whole),
            ("A<<B<<C<<<<<<<<<<<<<", "A", "B C", Completeness::Whole),
            ("NGUYEN<<VAN<MAUUUUUU", "NGUYEN", "VAN MAUUUUUU", Completeness::PerhapsCut),
        ] {
            let name = MrzName::new(field);
            assert_eq!((name.primary.expose(), name.secondary.expose()), (primary, secondary));
            assert_eq!(name.completeness, completeness, "{field}");
        }
        assert_eq!(MrzName::new("NGUYEN<<VAN<MAU<<").full().expose(), "NGUYEN VAN MAU");
    }

    #[test]
    fn the_vietnamese_words_for_sex_in_every_spelling() {
        for word in ["Nữ", "NỮ", "Nu\u{31b}\u{303}", "nu", " Nữ "] {
            assert!(Sex::from_vietnamese(word) == Some(Sex::Female), "{word}");
        }
        assert!(Sex::from_vietnamese("Nam") == Some(Sex::Male));
        assert!(Sex::from_vietnamese("Khác").is_none());
    }
}
