//! The code of a Vietnamese identity card, and of VNeID where it shows the same.

use time::Date;
use time::macros::date;

use super::encoding::{has_input_method_keys, is_plausible, is_typed_with_caps_lock};
use super::{QrNote, SurplusField, stated, surplus};
use crate::expiry::{ExpiryCandidate, expiry_candidates_of};
use crate::mrz::Sex;
use crate::text::composed;
use crate::{PartialDate, Personal, StatedDate};

/// The fields that are described; the card of 2024 may have more.
const KNOWN_FIELDS: usize = 7;

/// The day the law began to call the card *thẻ Căn cước*.
const CAN_CUOC_SINCE: Date = date!(2024 - 07 - 01);

/// What the code of a Vietnamese identity card says. Unverified, by its nature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QrRecord {
    /// The personal number, twelve digits.
    pub personal_number: Personal,
    /// The nine-digit number of the older identity card, where there was one.
    pub old_number: Option<Personal>,
    /// The full name.
    pub full_name: Personal,
    /// The date of birth, or the part of it that is known.
    pub birth: StatedDate,
    /// Sex, where the word is one of the two.
    pub sex: Option<Sex>,
    /// The word itself.
    pub sex_text: Personal,
    /// Residence.
    pub residence: Personal,
    /// The date of issue.
    pub issued: StatedDate,
    /// The eighth field and those after it, as they are: nobody has described them.
    pub surplus: Vec<SurplusField>,
    /// Whether name and residence came as they are printed.
    pub spelling: Spelling,
}

/// Whether text came as it is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// As far as can be told. Accents may be gone all the same.
    Whole,
    /// Letters were lost or replaced on the way: it is not what the card says.
    Damaged,
}

impl QrRecord {
    /// Seven fields or more, of which the first is twelve digits and the third is not empty.
    pub(super) fn read(fields: &[&str], notes: &mut Vec<QrNote>) -> Option<Self> {
        let &[number, old_number, name, birth, sex, residence, issued, ..] = fields else { return None };
        let twelve_digits = number.len() == 12 && number.bytes().all(|byte| byte.is_ascii_digit());
        if !twelve_digits || name.is_empty() {
            return None;
        }
        let surplus = surplus(fields, KNOWN_FIELDS, notes);
        let nine_digits = old_number.len() == 9 && old_number.bytes().all(|byte| byte.is_ascii_digit());
        if !old_number.is_empty() && !nine_digits {
            notes.push(QrNote::OldNumberUnusual);
        }
        let birth = stated(birth, PartialDate::from_day_month_year(birth));
        if birth.date == PartialDate::Unknown {
            notes.push(QrNote::BirthUnreadable);
        }
        let issued = stated(issued, PartialDate::from_day_month_year(issued));
        match (issued.date.day(), birth.date.first_day()) {
            (None, _) => notes.push(QrNote::IssueUnreadable),
            (Some(issued), Some(birth)) if issued < birth => notes.push(QrNote::IssuedBeforeBirth),
            (Some(issued), _) if issued >= CAN_CUOC_SINCE => notes.push(QrNote::PerhapsCanCuoc),
            _ => {}
        }
        let known_sex = Sex::from_vietnamese(sex);
        if known_sex.is_none() {
            notes.push(QrNote::SexUnreadable);
        }
        let spelling = spelling(name, residence, notes);
        Some(Self {
            personal_number: Personal::from(number),
            old_number: (!old_number.is_empty()).then(|| Personal::from(old_number)),
            full_name: composed(name),
            birth,
            sex: known_sex,
            sex_text: composed(sex),
            residence: composed(residence),
            issued,
            surplus,
            spelling,
        })
    }

    /// When the card may expire by the law, likeliest first; empty where birth or issue is not known. It is not
    /// in the code.
    pub fn expiry_candidates(&self) -> Vec<ExpiryCandidate> {
        self.issued.date.day().map(|issued| expiry_candidates_of(self.birth.date, issued)).unwrap_or_default()
    }
}

fn spelling(name: &str, residence: &str, notes: &mut Vec<QrNote>) -> Spelling {
    let both = || name.chars().chain(residence.chars());
    // One of the two may happen to need no diacritic. Both: hardly.
    if name.is_ascii() && residence.is_ascii() && !residence.is_empty() {
        notes.push(QrNote::NoDiacritics);
    }
    if is_typed_with_caps_lock(name) {
        notes.push(QrNote::CapsLock);
    }
    let before = notes.len();
    if both().any(|each| matches!(each, '?' | char::REPLACEMENT_CHARACTER)) {
        notes.push(QrNote::LettersLost);
    }
    if both().any(|each| each != char::REPLACEMENT_CHARACTER && !is_plausible(each)) {
        notes.push(QrNote::StrangeCharacters);
    }
    if has_input_method_keys(name) {
        notes.push(QrNote::InputMethodKeys);
    }
    if notes.len() == before { Spelling::Whole } else { Spelling::Damaged }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::QrPayload;
    use crate::qr::tests::EXAMPLE;
    use unicode_normalization::UnicodeNormalization;

    fn read(text: &str) -> (QrRecord, Vec<QrNote>) {
        let payload = QrPayload::parse(text.as_bytes());
        (payload.citizen().expect("a card's code").clone(), payload.notes)
    }

    #[test]
    fn the_example_is_read_whole() {
        let (record, notes) = read(EXAMPLE);
        assert_eq!(record.personal_number.expose(), "000090123456");
        assert_eq!(record.old_number.as_ref().unwrap().expose(), "000123456");
        assert_eq!(record.full_name.expose(), "Nguyễn Văn Mẫu");
        assert_eq!(record.birth.date.to_iso().unwrap().expose(), "1990-01-02");
        assert_eq!(record.birth.printed.expose(), "02011990");
        assert!(record.sex == Some(Sex::Male));
        assert_eq!(record.residence.expose(), "Số 1, Đường Mẫu, Xã Mẫu, Tỉnh Mẫu");
        assert_eq!(record.issued.date.to_iso().unwrap().expose(), "2022-03-15");
        assert_eq!((record.surplus.len(), notes.as_slice()), (0, &[][..]));
        assert_eq!(record.spelling, Spelling::Whole);
        let expiries: Vec<_> = record.expiry_candidates().iter().map(|each| each.date).collect();
        assert_eq!(expiries, [Some(date!(2030 - 01 - 02))]);
    }

    #[test]
    fn variants_of_old_number_and_birth_are_read() {
        assert_eq!(read(&EXAMPLE.replace("|000123456|", "||")).0.old_number, None);
        for (birth, iso) in
            [("1990", Some("1990")), ("011990", Some("1990-01")), ("32011990", None), ("", None)]
        {
            let (record, notes) = read(&EXAMPLE.replace("02011990", birth));
            assert_eq!(record.birth.date.to_iso().as_ref().map(Personal::expose), iso);
            assert_eq!(notes.contains(&QrNote::BirthUnreadable), iso.is_none());
            assert_eq!(record.birth.printed.expose(), birth);
        }
        let (_, odd) = read(&EXAMPLE.replace("15032022", "032022").replace("|Nam|", "|?|"));
        assert_eq!(odd, [QrNote::IssueUnreadable, QrNote::SexUnreadable]);
        // A cancelled personal number stands where the old card's number does.
        let (record, odd) = read(&EXAMPLE.replace("|000123456|", "|000090654321|"));
        assert_eq!(
            (record.old_number.unwrap().expose(), odd),
            ("000090654321", vec![QrNote::OldNumberUnusual])
        );
        let (_, odd) = read(&EXAMPLE.replace("15032022", "01011990"));
        assert_eq!(odd, [QrNote::IssuedBeforeBirth]);
    }

    #[test]
    fn a_card_issued_since_july_2024_is_perhaps_the_new_one() {
        for (issued, note) in [("30062024", None), ("01072024", Some(QrNote::PerhapsCanCuoc))] {
            let (_, notes) = read(&EXAMPLE.replace("15032022", issued));
            assert_eq!(notes.first().copied(), note, "{issued}");
        }
    }

    #[test]
    fn fields_after_the_seventh_are_kept_by_position() {
        let (eleven, notes) = read(&format!("{EXAMPLE}||||"));
        assert_eq!((eleven.surplus.len(), notes), (4, vec![QrNote::MoreFields { filled: 0 }]));
        let (record, notes) = read(&format!("{EXAMPLE}||Nguyễn Văn Cha|x|"));
        assert_eq!((record.surplus[1].position, record.surplus[1].text.expose()), (9, "Nguyễn Văn Cha"));
        assert_eq!(notes, [QrNote::MoreFields { filled: 2 }]);
        assert_eq!(record.issued.date.to_iso().unwrap().expose(), "2022-03-15");
    }

    #[test]
    fn text_comes_out_composed() {
        let decomposed: String = EXAMPLE.nfd().collect();
        let (record, notes) = read(&decomposed);
        assert_eq!(record.full_name.expose(), "Nguyễn Văn Mẫu");
        assert_eq!(notes, []);
        assert!(record.sex.is_some());
    }

    #[test]
    fn what_a_keyboard_type_scanner_spoils_is_told() {
        let typed = |name: &str, residence: &str| {
            read(&format!("000090123456||{name}|1990|Nam|{residence}|15032022"))
        };
        let (right, spoilt) = (Spelling::Whole, Spelling::Damaged);
        for (name, residence, spelling, expected) in [
            ("Nguyen Van Mau", "So 1, Tinh Mau", right, &[QrNote::NoDiacritics][..]),
            ("Nguyen Van Mau", "", right, &[]),
            ("nGUYEN vAN mAU", "sO 1", right, &[QrNote::NoDiacritics, QrNote::CapsLock]),
            ("Nguy?n V?n M?u", "S? 1", spoilt, &[QrNote::NoDiacritics, QrNote::LettersLost]),
            ("Nguyá»n Văn Mẫu", "Số 1", spoilt, &[QrNote::StrangeCharacters]),
            ("Nguyeenx Vawn Maaux", "So61 1", spoilt, &[QrNote::NoDiacritics, QrNote::InputMethodKeys]),
            ("Nguye6n4 Va8n Ma6u4", "", spoilt, &[QrNote::InputMethodKeys]),
            ("Y Jut Niê", "Buôn Ky", right, &[]),
        ] {
            let (record, notes) = typed(name, residence);
            assert_eq!((record.spelling, notes.as_slice()), (spelling, expected), "{name}");
            assert_eq!(record.full_name.expose(), name);
        }
    }
}
