//! The code of a health insurance card (thẻ bảo hiểm y tế): fields of which the texts are hexadecimal UTF-8.
//!
//! The order is that of public hospital software (cccd.md, 1.4); no card's issuer has published it.

use zeroize::Zeroizing;

use super::{QrNote, SurplusField, stated, surplus};
use crate::mrz::Sex;
use crate::text::composed;
use crate::{PartialDate, Personal, StatedDate};

/// The fields that are described.
const KNOWN_FIELDS: usize = 13;
/// With fewer it could be anything: number, name, birth, sex and address.
const FEWEST_FIELDS: usize = 5;

/// What the code of a health insurance card says. Unverified, by its nature. Absent fields are empty, a hyphen,
/// or not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InsuranceRecord {
    /// The number of the card, 10, 15 or 17 characters.
    pub card_number: Personal,
    /// The full name.
    pub full_name: Personal,
    /// The date of birth, or the part of it that is known.
    pub birth: StatedDate,
    /// Sex, where it is one of the two.
    pub sex: Option<Sex>,
    /// Address.
    pub address: Option<Personal>,
    /// The facility of first registration as the code writes it: `01 - 001`.
    pub facility: Option<Personal>,
    /// The same as five letters or digits, where it is that.
    pub facility_code: Option<Personal>,
    /// The first day it is valid.
    pub valid_from: Option<StatedDate>,
    /// The last day it is valid.
    pub valid_to: Option<StatedDate>,
    /// The date of issue.
    pub issued: Option<StatedDate>,
    /// The insurance office that manages it.
    pub managed_by: Option<Personal>,
    /// A parent, on a child's card.
    pub parent: Option<Personal>,
    /// The code of the area the holder lives in: K1 to K3.
    pub area: Option<Personal>,
    /// From when on the holder has been insured for five years without a break.
    pub five_years: Option<StatedDate>,
    /// The fourteenth field and those after it, as they are: nobody has described them.
    pub surplus: Vec<SurplusField>,
}

impl InsuranceRecord {
    /// A card number first, and then either a name in hexadecimal or, after a number of two letters and thirteen
    /// digits, a date of birth in its place.
    pub(super) fn read(fields: &[&str], notes: &mut Vec<QrNote>) -> Option<Self> {
        let &[number, name, birth, sex, address, ..] = fields else { return None };
        debug_assert!(fields.len() >= FEWEST_FIELDS);
        let birth = stated(birth, PartialDate::from_printed(birth));
        let beyond_doubt =
            is_old_card_number(number) && birth.date != PartialDate::Unknown && !name.is_empty();
        let spelt = hexadecimal(name);
        if !is_card_number(number) || !(spelt.is_some() || beyond_doubt) {
            return None;
        }
        let mut plain = false;
        let mut text = |field: &str| {
            present(field).map(|field| {
                hexadecimal(field).unwrap_or_else(|| {
                    plain = true;
                    composed(field)
                })
            })
        };
        let full_name = text(name).unwrap_or_default();
        let address = text(address);
        let parent = fields.get(10).and_then(|field| text(field));
        if plain {
            notes.push(QrNote::NotHexadecimal);
        }
        if birth.date == PartialDate::Unknown {
            notes.push(QrNote::BirthUnreadable);
        }
        let sex = match sex {
            "1" => Some(Sex::Male),
            "2" => Some(Sex::Female),
            word => Sex::from_vietnamese(word),
        };
        if sex.is_none() {
            notes.push(QrNote::SexUnreadable);
        }
        let as_it_is = |index: usize| fields.get(index).and_then(|field| present(field)).map(composed);
        let date = |index: usize| {
            let printed = fields.get(index).and_then(|field| present(field))?;
            Some(stated(printed, PartialDate::from_printed(printed)))
        };
        let [valid_from, valid_to, issued, five_years] = [date(6), date(7), date(8), date(12)];
        if [&valid_from, &valid_to, &issued, &five_years]
            .into_iter()
            .flatten()
            .any(|stated| stated.date == PartialDate::Unknown)
        {
            notes.push(QrNote::InsuranceDateUnreadable);
        }
        let facility = as_it_is(5);
        let facility_code = facility.as_ref().and_then(|facility| five_characters(facility.expose()));
        if facility.is_some() && facility_code.is_none() {
            notes.push(QrNote::FacilityUnusual);
        }
        Some(Self {
            card_number: Personal::from(number),
            full_name,
            birth,
            sex,
            address,
            facility,
            facility_code,
            valid_from,
            valid_to,
            issued,
            managed_by: as_it_is(9),
            parent,
            area: as_it_is(11),
            five_years,
            surplus: surplus(fields, KNOWN_FIELDS, notes),
        })
    }
}

fn is_card_number(text: &str) -> bool {
    match text.len() {
        10 => text.bytes().all(|byte| byte.is_ascii_digit()),
        15 | 17 => {
            text.bytes().all(|byte| byte.is_ascii_alphanumeric())
                && text.bytes().any(|byte| byte.is_ascii_digit())
        }
        _ => false,
    }
}

/// The fifteen characters of a card of before 2021: two letters for the group of persons, thirteen digits.
fn is_old_card_number(text: &str) -> bool {
    text.len() == 15
        && text.bytes().take(2).all(|byte| byte.is_ascii_alphabetic())
        && text.bytes().skip(2).all(|byte| byte.is_ascii_digit())
}

/// A hyphen stands for nothing.
fn present(field: &str) -> Option<&str> {
    (!matches!(field, "" | "-" | "–")).then_some(field)
}

/// Hexadecimal digits that mean text. `None` for anything else: a word of the letters a to f, bytes that are no
/// UTF-8 or are control characters.
fn hexadecimal(digits: &str) -> Option<Personal> {
    if digits.is_empty() || !digits.len().is_multiple_of(2) {
        return None;
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(digits.len() / 2));
    let mut nibbles =
        digits.chars().map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok()));
    while let (Some(high), Some(low)) = (nibbles.next(), nibbles.next()) {
        bytes.push(high? << 4 | low?);
    }
    let text = std::str::from_utf8(&bytes).ok()?;
    let is_text = !text.chars().any(char::is_control) && text.chars().any(char::is_alphanumeric);
    is_text.then(|| composed(text.trim()))
}

/// `01 – 001`, with any dash or none, as five characters.
fn five_characters(facility: &str) -> Option<Personal> {
    let dash = |each: &char| !each.is_whitespace() && !matches!(each, '-' | '\u{2010}'..='\u{2015}');
    let code: Zeroizing<String> = Zeroizing::new(facility.chars().filter(dash).collect());
    (code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        .then(|| Personal::from(code.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{QrKind, QrPayload};

    /// The name of the facts (cccd.md, 1.4), and `Số 1, Xã Mẫu`.
    const CARD: &str = "GD4790000000000|4E677579E1BB856E2056C4836E204DE1BAAB75|02/01/1990|1|\
                        53E1BB9120312C2058C3A3204DE1BAAB75|01 - 001|01/01/2020|-|15/12/2019|01000|-|K2|01/02/2024|x|$";

    fn read(text: &str) -> (InsuranceRecord, Vec<QrNote>) {
        let payload = QrPayload::parse(text.as_bytes());
        (payload.insurance().expect("an insurance card's code").clone(), payload.notes)
    }

    fn iso(stated: &Option<StatedDate>) -> Option<String> {
        Some(stated.as_ref()?.date.to_iso()?.expose().to_owned())
    }

    #[test]
    fn a_card_is_read_whole() {
        let (card, notes) = read(CARD);
        assert_eq!(card.card_number.expose(), "GD4790000000000");
        assert_eq!(card.full_name.expose(), "Nguyễn Văn Mẫu");
        assert_eq!(card.birth.date.to_iso().unwrap().expose(), "1990-01-02");
        assert!(card.sex == Some(Sex::Male));
        assert_eq!(card.address.unwrap().expose(), "Số 1, Xã Mẫu");
        assert_eq!(
            (card.facility.unwrap().expose(), card.facility_code.unwrap().expose()),
            ("01 - 001", "01001")
        );
        assert_eq!(iso(&card.valid_from).as_deref(), Some("2020-01-01"));
        assert_eq!(card.valid_to, None);
        assert_eq!(iso(&card.issued).as_deref(), Some("2019-12-15"));
        assert_eq!(card.managed_by.unwrap().expose(), "01000");
        assert_eq!(card.parent, None);
        assert_eq!(card.area.unwrap().expose(), "K2");
        assert_eq!(iso(&card.five_years).as_deref(), Some("2024-02-01"));
        let surplus: Vec<_> =
            card.surplus.iter().map(|field| (field.position, field.text.expose())).collect();
        assert_eq!(surplus, [(14, "x"), (15, "$")]);
        assert_eq!(notes, [QrNote::MoreFields { filled: 2 }]);
    }

    #[test]
    fn numbers_births_and_facilities_come_in_several_forms() {
        for number in ["0123456789", "TE1790000000000", "TE179000000000000"] {
            assert_eq!(read(&CARD.replace("GD4790000000000", number)).0.card_number.expose(), number);
        }
        for (birth, expected) in [("2/1/1990", "1990-01-02"), ("1990", "1990")] {
            let (card, _) = read(&CARD.replace("02/01/1990", birth));
            assert_eq!(card.birth.date.to_iso().unwrap().expose(), expected);
        }
        for facility in ["01 – 001", "01-001", "01001", "01 001", "01—001"] {
            assert_eq!(read(&CARD.replace("01 - 001", facility)).0.facility_code.unwrap().expose(), "01001");
        }
        let (child, _) = read(&CARD.replace("|-|K2", "|4C61|K2").replace("|1|", "|2|"));
        assert_eq!(child.parent.unwrap().expose(), "La");
        assert!(child.sex == Some(Sex::Female));
        let (short, notes) = read(CARD.split("|01 - 001").next().unwrap());
        assert_eq!((short.facility, short.valid_from, notes), (None, None, vec![]));
    }

    #[test]
    fn every_oddity_is_a_note() {
        for (from, to, note) in [
            ("4E677579E1BB856E2056C4836E204DE1BAAB75", "Nguyễn Văn Mẫu", QrNote::NotHexadecimal),
            ("53E1BB9120312C2058C3A3204DE1BAAB75", "53E1BB", QrNote::NotHexadecimal),
            ("53E1BB9120312C2058C3A3204DE1BAAB75", "00", QrNote::NotHexadecimal),
            ("02/01/1990", "31/02/1990", QrNote::BirthUnreadable),
            ("|1|", "|3|", QrNote::SexUnreadable),
            ("01/01/2020", "2020-01", QrNote::InsuranceDateUnreadable),
            ("01 - 001", "01 - 01", QrNote::FacilityUnusual),
        ] {
            let (_, notes) = read(&CARD.replacen(from, to, 1));
            assert_eq!(notes, [note, QrNote::MoreFields { filled: 2 }], "{to}");
        }
    }

    #[test]
    fn what_is_less_certain_is_unknown() {
        for text in [
            "GD4790000000000|Nguyễn Văn Mẫu|unknown|1|Số 1",
            "0123456789|Nguyễn Văn Mẫu|02/01/1990|1|Số 1",
            "GD47900000|4E677579|1990|1|4E",
            "GD4790000000000|4E677579|1990|1",
            "GD4790000000000||1990|1|4E",
        ] {
            assert_eq!(QrPayload::parse(text.as_bytes()).kind(), QrKind::Unknown, "{text}");
        }
    }
}
