//! The text of the QR code on the card.
//!
//! Nothing in it is signed: whoever prints a code may print anything. It says who someone claims to be, and
//! it is enough to open the chip (see [`crate::access`]), which then tells for sure.

use crate::mrz::Sex;
use crate::text::composed;
use crate::{PartialDate, Personal, PersonalBytes, StatedDate};

/// Longer than any QR code can be (ISO/IEC 18004, version 40-L: 2953 bytes), so a text that is no code.
const LONGEST: usize = 4096;

/// What a scanned code is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QrPayload {
    /// The code of a Vietnamese identity card.
    Citizen(Box<QrRecord>),
    /// Something else: another document's code, a link, a VNeID code of a form nobody has described. Its
    /// text is handed back and not guessed at.
    Unknown(Personal),
}

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
    pub surplus: Vec<Personal>,
    /// What is odd about it.
    pub notes: Vec<QrNote>,
    /// The scanned bytes.
    pub raw: PersonalBytes,
}

/// Something odd about a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum QrNote {
    /// The scanner had taken UTF-8 for a Western single-byte encoding; it was put right.
    EncodingRepaired,
    /// The bytes are not UTF-8: the text has gaps.
    NotUtf8,
    /// A name or an address with no Vietnamese letter in it: a keyboard-wedge scanner loses them.
    NoDiacritics,
    /// The date of birth is no date.
    BirthUnreadable,
    /// The date of issue is no whole date.
    IssueUnreadable,
    /// The word for the sex is neither of the two.
    SexUnreadable,
    /// There are more than seven fields, and this many hold something.
    MoreFields {
        /// How many fields after the seventh are not empty.
        filled: usize,
    },
}

impl QrPayload {
    /// Reads the bytes a scanner sent. White space around them is the scanner's.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut notes = Vec::new();
        let text = decoded(bytes, &mut notes);
        let record = if bytes.len() <= LONGEST { QrRecord::read(text.expose(), bytes, notes) } else { None };
        match record {
            Some(record) => Self::Citizen(Box::new(record)),
            None => Self::Unknown(text),
        }
    }

    /// The card's data, if it is a card's code.
    pub fn citizen(&self) -> Option<&QrRecord> {
        match self {
            Self::Citizen(record) => Some(record),
            Self::Unknown(_) => None,
        }
    }
}

impl QrRecord {
    /// Seven fields or more, of which the first is twelve digits and the third is not empty.
    fn read(text: &str, raw: &[u8], mut notes: Vec<QrNote>) -> Option<Self> {
        let mut fields = text.split('|').map(str::trim);
        let mut next = || fields.next();
        let (number, old_number, name) = (next()?, next()?, next()?);
        let (birth, sex, residence, issued) = (next()?, next()?, next()?, next()?);
        let twelve_digits = number.len() == 12 && number.bytes().all(|byte| byte.is_ascii_digit());
        if !twelve_digits || name.is_empty() {
            return None;
        }
        let surplus: Vec<Personal> = fields.map(composed).collect();
        if !surplus.is_empty() {
            let filled = surplus.iter().filter(|field| !field.is_empty()).count();
            notes.push(QrNote::MoreFields { filled });
        }
        let birth = stated(birth);
        if birth.date == PartialDate::Unknown {
            notes.push(QrNote::BirthUnreadable);
        }
        let issued = stated(issued);
        if issued.date.day().is_none() {
            notes.push(QrNote::IssueUnreadable);
        }
        let known_sex = Sex::from_vietnamese(sex);
        if known_sex.is_none() {
            notes.push(QrNote::SexUnreadable);
        }
        // One of the two may happen to need no diacritic. Both: hardly.
        if name.is_ascii() && residence.is_ascii() && !residence.is_empty() {
            notes.push(QrNote::NoDiacritics);
        }
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
            notes,
            raw: PersonalBytes::from(raw),
        })
    }
}

fn stated(digits: &str) -> StatedDate {
    StatedDate {
        printed: Personal::from(digits),
        date: PartialDate::from_day_month_year(digits).unwrap_or(PartialDate::Unknown),
    }
}

fn decoded(bytes: &[u8], notes: &mut Vec<QrNote>) -> Personal {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            let text = text.trim_matches(|each: char| each.is_whitespace() || each.is_control());
            match repaired(text) {
                Some(repaired) => {
                    notes.push(QrNote::EncodingRepaired);
                    repaired
                }
                None => Personal::from(text),
            }
        }
        Err(_) => {
            notes.push(QrNote::NotUtf8);
            Personal::from(String::from_utf8_lossy(bytes).trim())
        }
    }
}

/// Undoes UTF-8 taken for Latin-1 or Windows-1252 once (`Nguyễn` sent as `Nguyá»…n`). Nothing, where the
/// text is not of that kind: Vietnamese text read rightly has letters neither encoding knows.
fn repaired(text: &str) -> Option<Personal> {
    if text.is_ascii() {
        return None;
    }
    let bytes: Option<Vec<u8>> = text.chars().map(single_byte).collect();
    let bytes = zeroize::Zeroizing::new(bytes?);
    std::str::from_utf8(&bytes).ok().map(Personal::from)
}

/// The byte a character is in Windows-1252, or in Latin-1 where the former has none.
fn single_byte(each: char) -> Option<u8> {
    const FROM_0X80: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
        '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    let of_1252 = FROM_0X80.iter().zip(0x80u8..).find(|&(&known, _)| known == each).map(|(_, byte)| byte);
    of_1252.or_else(|| u8::try_from(u32::from(each)).ok())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;
    use unicode_normalization::UnicodeNormalization;

    pub(crate) const EXAMPLE: &str = "000090123456|000123456|Nguyễn Văn Mẫu|02011990|Nam|\
                                      Số 1, Đường Mẫu, Xã Mẫu, Tỉnh Mẫu|15032022";

    fn read(text: &str) -> QrRecord {
        QrPayload::parse(text.as_bytes()).citizen().expect("a card's code").clone()
    }

    #[test]
    fn the_example_is_read_whole() {
        let record = read(EXAMPLE);
        assert_eq!(record.personal_number.expose(), "000090123456");
        assert_eq!(record.old_number.as_ref().unwrap().expose(), "000123456");
        assert_eq!(record.full_name.expose(), "Nguyễn Văn Mẫu");
        assert_eq!(record.birth.date.to_iso().unwrap().expose(), "1990-01-02");
        assert_eq!(record.birth.printed.expose(), "02011990");
        assert!(record.sex == Some(Sex::Male));
        assert_eq!(record.residence.expose(), "Số 1, Đường Mẫu, Xã Mẫu, Tỉnh Mẫu");
        assert_eq!(record.issued.date.to_iso().unwrap().expose(), "2022-03-15");
        assert_eq!((record.surplus.len(), record.notes.as_slice()), (0, &[][..]));
        assert_eq!(record.raw.expose(), EXAMPLE.as_bytes());
    }

    #[test]
    fn variants_of_old_number_and_birth_are_read() {
        assert_eq!(read(&EXAMPLE.replace("|000123456|", "||")).old_number, None);
        for (birth, iso) in [("1990", Some("1990")), ("011990", Some("1990-01")), ("32011990", None)] {
            let record = read(&EXAMPLE.replace("02011990", birth));
            assert_eq!(record.birth.date.to_iso().as_ref().map(Personal::expose), iso);
            assert_eq!(record.notes.contains(&QrNote::BirthUnreadable), iso.is_none());
            assert_eq!(record.birth.printed.expose(), birth);
        }
        let odd = read(&EXAMPLE.replace("15032022", "032022").replace("|Nam|", "|?|"));
        assert_eq!(odd.notes, [QrNote::IssueUnreadable, QrNote::SexUnreadable]);
    }

    #[test]
    fn fields_after_the_seventh_are_kept_by_position() {
        let eleven = read(&format!("{EXAMPLE}||||"));
        assert_eq!(
            (eleven.surplus.len(), eleven.notes.as_slice()),
            (4, &[QrNote::MoreFields { filled: 0 }][..])
        );
        let record = read(&format!("{EXAMPLE}||Nguyễn Văn Cha|x|"));
        assert_eq!(record.surplus[1].expose(), "Nguyễn Văn Cha");
        assert_eq!(record.notes, [QrNote::MoreFields { filled: 2 }]);
        assert_eq!(record.issued.date.to_iso().unwrap().expose(), "2022-03-15");
    }

    #[test]
    fn what_a_scanner_adds_and_spoils_is_put_right() {
        let plain = read(EXAMPLE);
        for tail in ["\r\n", "\r", "\n", "\t", " ", "\0"] {
            assert_eq!(read(&format!("{EXAMPLE}{tail}")).issued, plain.issued, "{tail:?}");
        }
        assert_eq!(read(&format!("\u{feff}{EXAMPLE}")).personal_number, plain.personal_number);
        let decomposed: String = EXAMPLE.nfd().collect();
        assert_eq!(read(&decomposed).full_name.expose(), "Nguyễn Văn Mẫu");

        // Each byte taken for a character, in Latin-1 and in Windows-1252.
        let latin_1: String = EXAMPLE.bytes().map(char::from).collect();
        let windows: String = latin_1.replace('\u{85}', "…").replace('\u{91}', "‘");
        assert_ne!(latin_1, windows);
        for mojibake in [latin_1, windows] {
            let record = read(&mojibake);
            assert_eq!(record.full_name.expose(), "Nguyễn Văn Mẫu");
            assert_eq!(record.notes, [QrNote::EncodingRepaired]);
        }

        let stripped = read("000090123456||Nguyen Van Mau|02011990|Nam|So 1, Tinh Mau|15032022");
        assert_eq!(stripped.notes, [QrNote::NoDiacritics]);
        let mut broken = EXAMPLE.as_bytes().to_vec();
        let at = EXAMPLE.find('ễ').unwrap();
        broken[at] = b'e';
        let payload = QrPayload::parse(&broken);
        assert_eq!(payload.citizen().unwrap().notes, [QrNote::NotUtf8]);
    }

    #[test]
    fn anything_else_is_handed_back_as_it_is() {
        for text in [
            "",
            "https://example.vn/x?y=1|2",
            "000090123456",
            "000090123456|||||",
            "00009012345a||A|1990|Nam|B|15032022",
            "090123456||A|1990|Nam|B|15032022",
            "000090123456|||1990|Nam|B|15032022",
            "GD4790000000000|4E677579|02/01/1990|1|53E1BB91|01 - 001|01/01/2020|-|01/01/2020|x|-|4|x",
        ] {
            assert_eq!(QrPayload::parse(text.as_bytes()), QrPayload::Unknown(Personal::from(text)));
        }
        let long = format!("{EXAMPLE}|{}", "x".repeat(LONGEST));
        assert!(QrPayload::parse(long.as_bytes()).citizen().is_none());
    }

    #[test]
    fn debug_tells_nothing_about_the_person() {
        let shown = format!("{:?}", QrPayload::parse(EXAMPLE.as_bytes()));
        for personal in ["Nguyễn", "Mẫu", "000090123456", "1990", "Nam", "2022"] {
            assert!(!shown.contains(personal), "{shown}");
        }
    }

    proptest! {
        #[test]
        fn no_payload_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "[0-9|Nam ễ]{0,80}") {
            let _ = QrPayload::parse(&bytes);
            let _ = QrPayload::parse(text.as_bytes());
            let _ = QrPayload::parse(format!("000090123456||{text}").as_bytes());
        }
    }
}
