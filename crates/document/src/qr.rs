//! The text of a QR code on a document.
//!
//! Nothing in it is signed: whoever prints a code may print anything. It says who someone claims to be, and
//! it is enough to open the chip (see [`crate::access`]), which then tells for sure.
//!
//! ```
//! use cccd_document::QrPayload;
//!
//! let text = "000090123456||Nguyễn Văn Mẫu|1990|Nam|Số 1, Đường Mẫu, Tỉnh Mẫu|15032022";
//! let payload = QrPayload::parse(text.as_bytes());
//! let record = payload.citizen().unwrap();
//! assert_eq!(record.full_name.expose(), "Nguyễn Văn Mẫu");
//! // Of some people only the year of birth is known.
//! assert_eq!(record.birth.date.to_iso().unwrap().expose(), "1990");
//! assert!(payload.notes.is_empty());
//! ```
//!
//! No oddity is a refusal: it is a [`QrNote`]. What is none of the codes known here is handed back as text and
//! not guessed at.

mod citizen;
mod encoding;
mod insurance;

use std::fmt;

pub use citizen::{QrRecord, Spelling};
pub use insurance::InsuranceRecord;

use crate::text::composed;
use crate::{PartialDate, Personal, PersonalBytes, StatedDate};

/// The most fields there are in a code that is taken for a document's. No known one has half of them.
const MOST_FIELDS: usize = 40;

/// What a scanned code says. Unverified, by its nature.
#[derive(Clone, PartialEq, Eq)]
pub struct QrPayload {
    /// The scanned bytes.
    pub raw: PersonalBytes,
    /// The bytes as text: repaired where the scanner had taken them for another encoding, without the white
    /// space around, and otherwise as they are. U+FFFD stands for what is no UTF-8.
    pub text: Personal,
    /// What it is the code of.
    pub content: QrContent,
    /// What is odd about it.
    pub notes: Vec<QrNote>,
}

/// What a code is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QrContent {
    /// A Vietnamese identity card of 2021 or 2024, or VNeID where it shows the same.
    Citizen(Box<QrRecord>),
    /// A health insurance card (BHYT).
    Insurance(Box<InsuranceRecord>),
    /// Something else: another document, a link, a VNeID code of a form nobody has described.
    Unknown,
}

/// What a code is of, and nothing of what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QrKind {
    /// [`QrContent::Citizen`].
    Citizen,
    /// [`QrContent::Insurance`].
    Insurance,
    /// [`QrContent::Unknown`].
    Unknown,
}

/// A field that nobody has described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurplusField {
    /// Which it is of all fields of the code, counted from one.
    pub position: usize,
    /// What stands there.
    pub text: Personal,
}

/// Something odd about a code. It tells no value, so that it may be logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum QrNote {
    // How it came.
    /// The scanner, or the program behind it, had taken UTF-8 for a single-byte encoding, once or more; it was
    /// put right.
    EncodingRepaired,
    /// The bytes are not UTF-8: the text has gaps.
    NotUtf8,
    /// The scanner named the kind of symbol before the text (ISO/IEC 15424); that was left out.
    SymbologyIdentifier,
    /// A name and an address with no Vietnamese letter in them: a keyboard-type scanner loses them.
    NoDiacritics,
    /// Letters of a name or an address are gone: a question mark or a gap stands in their place.
    LettersLost,
    /// A name or an address has characters no Vietnamese name or address has: an encoding that was not put
    /// right.
    StrangeCharacters,
    /// A name has the keys of a Vietnamese input method in it (`Nguyeenx`, `Nguye6n4`) instead of its letters.
    InputMethodKeys,
    /// Capitals and small letters have changed places: Caps Lock was on while a keyboard-type scanner typed.
    CapsLock,
    /// Where digits belong stand the letters that the number row of a Vietnamese keyboard layout types: the
    /// scanner has to be used with an English one.
    KeyboardLayout,

    // What it says.
    /// The date of birth is no date.
    BirthUnreadable,
    /// The date of issue is no whole date.
    IssueUnreadable,
    /// The card was issued before its holder was born.
    IssuedBeforeBirth,
    /// The word for the sex is neither of the two.
    SexUnreadable,
    /// The number of an older card is not nine digits.
    OldNumberUnusual,
    /// There are more fields than are described, and this many of those hold something.
    MoreFields {
        /// How many of the surplus fields are not empty.
        filled: usize,
    },
    /// Issued on or after 2024-07-01, when the law began to name the card *thẻ Căn cước*. Nothing in the code
    /// itself tells which card it is on.
    PerhapsCanCuoc,
    /// A text of an insurance card that should be hexadecimal is not, or does not mean text; it is as it stands.
    NotHexadecimal,
    /// A date of an insurance card is no date.
    InsuranceDateUnreadable,
    /// The facility of an insurance card is not five letters or digits.
    FacilityUnusual,
}

impl QrPayload {
    /// Reads the bytes a scanner sent, or a text a keyboard-type scanner typed. White space around them is the
    /// scanner's.
    pub fn parse(bytes: &[u8]) -> Self {
        let encoding::Decoded { text, mut notes } = encoding::decoded(bytes);
        let content = content(text.expose(), &mut notes);
        Self { raw: PersonalBytes::from(bytes), text, content, notes }
    }

    /// What it is the code of.
    pub fn kind(&self) -> QrKind {
        match &self.content {
            QrContent::Citizen(_) => QrKind::Citizen,
            QrContent::Insurance(_) => QrKind::Insurance,
            QrContent::Unknown => QrKind::Unknown,
        }
    }

    /// The card's data, if it is an identity card's code.
    pub fn citizen(&self) -> Option<&QrRecord> {
        match &self.content {
            QrContent::Citizen(record) => Some(record),
            _ => None,
        }
    }

    /// The card's data, if it is an insurance card's code.
    pub fn insurance(&self) -> Option<&InsuranceRecord> {
        match &self.content {
            QrContent::Insurance(record) => Some(record),
            _ => None,
        }
    }
}

/// The payload is personal: what it is shows, and how long it is.
impl fmt::Debug for QrPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QrPayload")
            .field("kind", &self.kind())
            .field("raw", &self.raw)
            .field("notes", &self.notes)
            .finish_non_exhaustive()
    }
}

impl QrKind {
    /// The word for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Citizen => "citizen",
            Self::Insurance => "insurance",
            Self::Unknown => "unknown",
        }
    }
}

fn content(text: &str, notes: &mut Vec<QrNote>) -> QrContent {
    let fields: Vec<&str> = text.split('|').take(MOST_FIELDS + 1).map(str::trim).collect();
    if fields.len() > MOST_FIELDS {
        return QrContent::Unknown;
    }
    if let Some(record) = QrRecord::read(&fields, notes) {
        QrContent::Citizen(Box::new(record))
    } else if let Some(record) = InsuranceRecord::read(&fields, notes) {
        QrContent::Insurance(Box::new(record))
    } else {
        if encoding::is_typed_on_a_vietnamese_number_row(fields.first().copied().unwrap_or_default()) {
            notes.push(QrNote::KeyboardLayout);
        }
        QrContent::Unknown
    }
}

/// The fields after the first `known`, with a note where there are any.
fn surplus(fields: &[&str], known: usize, notes: &mut Vec<QrNote>) -> Vec<SurplusField> {
    let surplus: Vec<SurplusField> = fields
        .iter()
        .enumerate()
        .skip(known)
        .map(|(index, text)| SurplusField { position: index + 1, text: composed(text) })
        .collect();
    if !surplus.is_empty() {
        let filled = surplus.iter().filter(|field| !field.text.is_empty()).count();
        notes.push(QrNote::MoreFields { filled });
    }
    surplus
}

fn stated(printed: &str, date: Option<PartialDate>) -> StatedDate {
    StatedDate { printed: Personal::from(printed), date: date.unwrap_or(PartialDate::Unknown) }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) const EXAMPLE: &str = "000090123456|000123456|Nguyễn Văn Mẫu|02011990|Nam|\
                                      Số 1, Đường Mẫu, Xã Mẫu, Tỉnh Mẫu|15032022";

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
            // The old PC-Covid code: number, name, birth, kind of paper, QID, extension (cccd.md, 1.5).
            "000090123456|Nguyễn Văn Mẫu|02/01/1990|1|QID|x",
            "二维码",
        ] {
            let payload = QrPayload::parse(text.as_bytes());
            assert_eq!((payload.kind(), payload.text.expose()), (QrKind::Unknown, text));
            assert_eq!(payload.raw.expose(), text.as_bytes());
        }
        let many = format!("{EXAMPLE}{}", "|".repeat(MOST_FIELDS));
        assert_eq!(QrPayload::parse(many.as_bytes()).kind(), QrKind::Unknown);
    }

    #[test]
    fn digits_typed_as_vietnamese_letters_are_told_and_not_guessed_at() {
        // 000090123456 on the number row of the Vietnamese layout of Windows.
        let typed = "đđđđ\u{323}đăâêô\u{300}\u{309}||Nguyen Van Mau|...";
        let payload = QrPayload::parse(typed.as_bytes());
        assert_eq!((payload.kind(), payload.notes), (QrKind::Unknown, vec![QrNote::KeyboardLayout]));
        assert!(QrPayload::parse("đường|x".as_bytes()).notes.is_empty());
    }

    #[test]
    fn debug_tells_nothing_about_the_person() {
        let insurance = "GD4790000000000|4E677579E1BB856E|1990|1|53E1BB91|01-001|01/01/2020";
        for text in [EXAMPLE, insurance, "Nguyễn Văn Mẫu 1990"] {
            let payload = QrPayload::parse(text.as_bytes());
            let shown = format!("{payload:?} {:?} {:?}", payload.citizen(), payload.insurance());
            for personal in ["Nguyễn", "Mẫu", "000090123456", "GD479", "1990", "Nam", "2022", "2020"] {
                assert!(!shown.contains(personal), "{shown}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_payload_panics(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            text in "[0-9|Nam ễA-F/?]{0,80}",
            any in ".{0,60}",
        ) {
            let _ = QrPayload::parse(&bytes);
            for start in ["", "000090123456||", "000090123456||A|", "GD4790000000000|4E|", "]Q1"] {
                let _ = QrPayload::parse(format!("{start}{text}").as_bytes());
                let _ = QrPayload::parse(format!("{start}{any}").as_bytes());
            }
        }

        #[test]
        fn what_is_read_is_in_the_text(name in "[A-Za-zĐđÀ-ỹ]{1,9} [A-Za-zĐđÀ-ỹ]{1,9}", filled in 0_usize..5) {
            let text = format!("000090123456||{name}|1990|Nam|Mẫu|15032022{}", "|x".repeat(filled));
            let payload = QrPayload::parse(text.as_bytes());
            let record = payload.citizen().unwrap();
            prop_assert_eq!(&record.full_name, &composed(name.trim()));
            prop_assert_eq!(record.surplus.len(), filled);
            prop_assert_eq!(payload.raw.expose(), text.as_bytes());
        }
    }
}
