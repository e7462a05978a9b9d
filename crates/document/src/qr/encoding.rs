//! From scanned bytes, or from what a keyboard-type scanner typed, to text.
//!
//! What can be undone for certain is undone; what cannot is named and left as it is.

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::QrNote;
use crate::Personal;

/// How often UTF-8 may have been taken for something else: by the scanner, by the program behind it, by the page
/// behind that.
const MOST_REPAIRS: usize = 3;

pub(super) struct Decoded {
    pub(super) text: Personal,
    pub(super) notes: Vec<QrNote>,
}

pub(super) fn decoded(bytes: &[u8]) -> Decoded {
    let mut notes = Vec::new();
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => Zeroizing::new(text.to_owned()),
        Err(_) => {
            notes.push(QrNote::NotUtf8);
            Zeroizing::new(String::from_utf8_lossy(bytes).into_owned())
        }
    };
    // Only ASCII here: the second byte of `à`, taken for Latin-1, is a no-break space.
    let text = text.trim_matches(|each: char| each.is_ascii_whitespace() || each.is_ascii_control());
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (text, identified) = without_symbology_identifier(text);
    if identified {
        notes.push(QrNote::SymbologyIdentifier);
    }
    let mut whole = Personal::from(text);
    for round in 0..MOST_REPAIRS {
        let Some(better) = repaired(whole.expose()) else { break };
        if round == 0 {
            notes.push(QrNote::EncodingRepaired);
        }
        whole = better;
    }
    let text =
        Personal::from(whole.expose().trim_matches(|each: char| each.is_whitespace() || each.is_control()));
    Decoded { text, notes }
}

/// Leaves out `]Q` and one digit, which a scanner may be set to send first (ISO/IEC 15424), and the
/// character set in the form `\000026` that it sends with `]Q2`. No document's code begins so.
fn without_symbology_identifier(text: &str) -> (&str, bool) {
    let Some(rest) =
        text.strip_prefix("]Q").and_then(|rest| rest.strip_prefix(|digit: char| digit.is_ascii_digit()))
    else {
        return (text, false);
    };
    let charset = rest.strip_prefix('\\').and_then(|rest| rest.split_at_checked(6));
    match charset {
        Some((digits, rest)) if digits.bytes().all(|byte| byte.is_ascii_digit()) => (rest, true),
        _ => (rest, true),
    }
}

/// Undoes UTF-8 taken for a single-byte encoding once (`Nguyễn` sent as `Nguyá»…n`). Nothing, where the text is
/// not of that kind, or where what comes out is no text a Vietnamese document has.
fn repaired(text: &str) -> Option<Personal> {
    if text.is_ascii() {
        return None;
    }
    [Page::Western, Page::Vietnamese, Page::Oem].into_iter().find_map(|page| {
        let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
        for each in text.chars() {
            bytes.push(page.byte(each)?);
        }
        let text = std::str::from_utf8(&bytes).ok()?;
        // What was spoilt twice is still spoilt.
        let is_text = text.chars().all(|each| is_plausible(each) || is_mojibake(each));
        (is_text && text.chars().any(is_vietnamese)).then(|| Personal::from(text))
    })
}

/// A single-byte encoding that UTF-8 may have been taken for.
#[derive(Clone, Copy)]
enum Page {
    /// Windows-1252, or Latin-1 where the former has nothing.
    Western,
    /// Windows-1258: what Windows set to Vietnamese takes bytes for.
    Vietnamese,
    /// Code page 437: what a scanner that types Alt and three digits is taken for by Windows set to English.
    Oem,
}

/// Where Windows-1258 differs from Windows-1252.
const VIETNAMESE: [(char, u8); 14] = [
    ('Ă', 0xC3),
    ('\u{300}', 0xCC),
    ('Đ', 0xD0),
    ('\u{309}', 0xD2),
    ('Ơ', 0xD5),
    ('Ư', 0xDD),
    ('\u{303}', 0xDE),
    ('ă', 0xE3),
    ('\u{301}', 0xEC),
    ('đ', 0xF0),
    ('\u{323}', 0xF2),
    ('ơ', 0xF5),
    ('ư', 0xFD),
    ('₫', 0xFE),
];

/// The upper half of code page 437.
const OEM: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐\
                   └┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

impl Page {
    fn byte(self, each: char) -> Option<u8> {
        if each.is_ascii() {
            return u8::try_from(u32::from(each)).ok();
        }
        match self {
            Self::Western => western(each),
            Self::Vietnamese => {
                VIETNAMESE.iter().find(|&&(known, _)| known == each).map(|&(_, byte)| byte).or_else(|| {
                    western(each).filter(|byte| VIETNAMESE.iter().all(|(_, taken)| taken != byte))
                })
            }
            Self::Oem => {
                OEM.chars().zip(0x80u8..=0xFF).find(|&(known, _)| known == each).map(|(_, byte)| byte)
            }
        }
    }
}

/// What Windows-1252 has from 0x80 on, where Latin-1 has control characters.
const FROM_0X80: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}',
    '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

fn western(each: char) -> Option<u8> {
    let of_1252 = FROM_0X80.iter().zip(0x80u8..).find(|&(&known, _)| known == each).map(|(_, byte)| byte);
    of_1252.or_else(|| u8::try_from(u32::from(each)).ok())
}

/// Whether a Vietnamese name or address may have this character, or one of a neighbouring language.
pub(super) fn is_plausible(each: char) -> bool {
    match each {
        ' '..='~' => true,
        // Latin-1 letters and Latin Extended-A; the horned letters; Latin Extended Additional.
        '×' | '÷' => false,
        'À'..='ž' | 'Ơ' | 'ơ' | 'Ư' | 'ư' | '\u{1e00}'..='\u{1eff}' => true,
        // Accents on their own, and the punctuation a word processor puts in.
        '\u{300}' | '\u{301}' | '\u{302}' | '\u{303}' | '\u{306}' | '\u{309}' | '\u{31b}' | '\u{323}' => true,
        '\u{a0}' | '‘' | '’' | '“' | '”' | '–' | '—' | '…' | '°' | 'º' | 'ª' => true,
        _ => false,
    }
}

/// Whether a letter is one of Vietnamese, or a letter that UTF-8 of one begins with when it is taken for something
/// else.
fn is_vietnamese(each: char) -> bool {
    matches!(each, 'À'..='Ã' | 'È'..='Ê' | 'Ì' | 'Í' | 'Ò'..='Õ' | 'Ù' | 'Ú' | 'Ý')
        || matches!(each, 'à'..='ã' | 'è'..='ê' | 'ì' | 'í' | 'ò'..='õ' | 'ù' | 'ú' | 'ý')
        || matches!(each, 'Ă' | 'ă' | 'Đ' | 'đ' | 'Ĩ' | 'ĩ' | 'Ũ' | 'ũ' | 'Ơ' | 'ơ' | 'Ư' | 'ư')
        || matches!(each, '\u{1ea0}'..='\u{1ef9}' | '\u{300}'..='\u{323}' | 'Ä' | 'Æ' | 'ß' | '├' | '─' | '╞')
}

/// Whether a character may be part of UTF-8 that was taken for something else, to be undone in the next round.
fn is_mojibake(each: char) -> bool {
    [Page::Western, Page::Vietnamese, Page::Oem].into_iter().any(|page| page.byte(each).is_some())
}

/// Whether a text of twelve characters was typed on the number row of the Vietnamese keyboard layout of Windows,
/// where `1` to `0` are `ă â ê ô`, the five tones and `đ`.
pub(super) fn is_typed_on_a_vietnamese_number_row(text: &str) -> bool {
    let on_the_row = |each: char| {
        matches!(
            each,
            'ă' | 'â' | 'ê' | 'ô' | '\u{300}' | '\u{309}' | '\u{303}' | '\u{301}' | '\u{323}' | 'đ'
        )
    };
    // A program may have composed a letter and the tone after it.
    text.nfd().filter(|each| !matches!(each, '\u{306}' | '\u{302}')).count() == 12
        && text.nfd().all(|each| on_the_row(each) || matches!(each, 'a' | 'e' | 'o' | '\u{306}' | '\u{302}'))
}

/// Whether the keys of an input method stand in an ASCII name instead of its letters.
///
/// Telex doubles a vowel or a `d`, adds `w`, and ends a syllable with the letter of its tone; VNI writes digits.
/// No Vietnamese syllable does either, and a name that has lost its accents to a scanner does neither.
pub(super) fn has_input_method_keys(name: &str) -> bool {
    name.is_ascii()
        && name.split(' ').any(|word| {
            let word = Zeroizing::new(word.to_ascii_lowercase());
            let doubled = ["aa", "ee", "oo", "dd", "aw", "ow", "uw"].iter().any(|keys| word.contains(keys));
            let toned = word.strip_suffix(['s', 'f', 'r', 'x', 'j']).is_some_and(is_syllable);
            let numbered = word.starts_with(|first: char| first.is_ascii_alphabetic())
                && word.contains(|each: char| each.is_ascii_digit());
            doubled || toned || numbered
        })
}

/// Whether a word is a Vietnamese syllable without its accents. Names of the highlands (`Ksor`) are not.
fn is_syllable(word: &str) -> bool {
    const INITIALS: [&str; 26] = [
        "", "b", "c", "ch", "d", "g", "gh", "gi", "h", "k", "kh", "l", "m", "n", "ng", "ngh", "nh", "p",
        "ph", "q", "r", "s", "t", "th", "tr", "v",
    ];
    const FINALS: [&str; 9] = ["", "c", "ch", "m", "n", "ng", "nh", "p", "t"];
    let vowel = |each: char| matches!(each, 'a' | 'e' | 'i' | 'o' | 'u' | 'y');
    let Some(start) = word.find(vowel) else { return false };
    let (initial, rest) = word.split_at(start);
    let (nucleus, end) = rest.split_at(rest.find(|each| !vowel(each)).unwrap_or(rest.len()));
    (INITIALS.contains(&initial) || initial == "x") && nucleus.len() <= 3 && FINALS.contains(&end)
}

/// Whether every word of a name begins small and goes on in capitals.
pub(super) fn is_typed_with_caps_lock(name: &str) -> bool {
    let mut words = name.split(' ').filter(|word| word.chars().count() > 1).peekable();
    words.peek().is_some()
        && words.all(|word| {
            let mut letters = word.chars().filter(|each| each.is_alphabetic());
            letters.next().is_some_and(char::is_lowercase) && letters.all(char::is_uppercase)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qr::tests::EXAMPLE;
    use crate::{QrPayload, text::composed};
    use proptest::prelude::*;

    /// The upper half of an encoding, as a program that knows it shows it.
    fn upper_half(page: Page) -> [char; 128] {
        let mut half: [char; 128] =
            std::array::from_fn(|index| char::from(u8::try_from(index + 0x80).unwrap()));
        match page {
            Page::Oem => half = OEM.chars().collect::<Vec<_>>().try_into().unwrap(),
            Page::Western | Page::Vietnamese => {
                half[..32].copy_from_slice(&FROM_0X80);
                for (letter, byte) in VIETNAMESE.into_iter().filter(|_| matches!(page, Page::Vietnamese)) {
                    half[usize::from(byte) - 0x80] = letter;
                }
            }
        }
        half
    }

    /// What a program makes of UTF-8 that it takes for this encoding.
    fn taken_for(page: Page, text: &str) -> String {
        let half = upper_half(page);
        text.bytes()
            .map(|byte| if byte.is_ascii() { byte.into() } else { half[usize::from(byte) - 0x80] })
            .collect()
    }

    #[test]
    fn the_tables_are_those_of_the_encodings() {
        assert_eq!(taken_for(Page::Western, "Nguyễn"), "Nguyá»…n");
        assert_eq!(taken_for(Page::Oem, "Nguyễn Văn"), "Nguyß╗àn V─ân");
        assert_eq!(taken_for(Page::Vietnamese, "Nguyễn Hòa"), "Nguyá»…n HĂ²a");
        assert_eq!(OEM.chars().count(), 128);
    }

    #[test]
    fn text_taken_for_another_encoding_is_put_right_however_often() {
        let latin_1: String = EXAMPLE.bytes().map(char::from).collect();
        let mut spoilt = vec![latin_1.clone(), latin_1.bytes().map(char::from).collect()];
        for page in [Page::Western, Page::Vietnamese, Page::Oem] {
            spoilt.push(taken_for(page, EXAMPLE));
            spoilt.push(taken_for(page, &taken_for(page, EXAMPLE)));
        }
        spoilt.push(taken_for(Page::Western, &taken_for(Page::Western, &taken_for(Page::Western, EXAMPLE))));
        for text in spoilt {
            let payload = QrPayload::parse(text.as_bytes());
            assert_eq!(payload.text.expose(), EXAMPLE, "{text}");
            assert_eq!(payload.notes, [QrNote::EncodingRepaired], "{text}");
            assert_eq!(payload.raw.expose(), text.as_bytes());
        }
    }

    #[test]
    fn a_letter_that_ends_in_a_space_of_latin_1_survives_at_the_end() {
        let text = format!("{EXAMPLE}|Trần Thị Hà");
        let spoilt: String = text.bytes().map(char::from).collect();
        assert!(spoilt.ends_with('\u{a0}'));
        let payload = QrPayload::parse(spoilt.as_bytes());
        assert_eq!(payload.citizen().unwrap().surplus[0].text.expose(), "Trần Thị Hà");
    }

    #[test]
    fn text_that_is_right_is_left_alone() {
        for text in [EXAMPLE, "é", "Ă–", "Số 5 – Tổ 3", "CAFÉ À LA “CARTE”", "Ê Ban Niê", "½ × 2"]
        {
            let payload = QrPayload::parse(text.as_bytes());
            assert_eq!((payload.text.expose(), payload.notes.as_slice()), (text, &[][..]));
        }
    }

    #[test]
    fn what_a_scanner_adds_is_left_out() {
        for tail in ["\r\n", "\r", "\n", "\t", " ", "\0", "\u{3}", "\r\n\r\n"] {
            let payload = QrPayload::parse(format!("{EXAMPLE}{tail}").as_bytes());
            assert_eq!((payload.text.expose(), payload.notes.len()), (EXAMPLE, 0), "{tail:?}");
        }
        for (head, notes) in [
            ("\u{feff}", &[][..]),
            ("\u{2}", &[]),
            ("]Q1", &[QrNote::SymbologyIdentifier]),
            ("]Q2\\000026", &[QrNote::SymbologyIdentifier]),
        ] {
            let payload = QrPayload::parse(format!("{head}{EXAMPLE}").as_bytes());
            assert_eq!((payload.text.expose(), payload.notes.as_slice()), (EXAMPLE, notes), "{head:?}");
        }
        assert_eq!(QrPayload::parse(b"]Qx|1").text.expose(), "]Qx|1");
    }

    #[test]
    fn bytes_that_are_no_utf8_leave_gaps_and_are_kept() {
        let mut broken = EXAMPLE.as_bytes().to_vec();
        broken[EXAMPLE.find('ễ').unwrap()] = b'e';
        let payload = QrPayload::parse(&broken);
        assert_eq!(payload.notes, [QrNote::NotUtf8, QrNote::LettersLost]);
        assert!(payload.text.expose().contains("Nguye\u{fffd}"));
        assert_eq!(payload.raw.expose(), broken);
    }

    #[test]
    fn keys_of_an_input_method_are_seen_in_names_and_nowhere_else() {
        for typed in
            ["Nguyeenx Van Mau", "Nguyen Vawn Mau", "DDo Van Mau", "Tran Thij Mau", "Le5 Van Mau", "Le Vuj"]
        {
            assert!(has_input_method_keys(typed), "{typed}");
        }
        for right in [
            "Nguyen Van Mau",
            "NGUYEN THI XUAN",
            "Y Jut",
            "Ksor Bia",
            "K'Sor H'Bia",
            "Siu Blat",
            "Nguyễn Văn Mẫu",
            "Le Xa",
            "",
        ] {
            assert!(!has_input_method_keys(right), "{right}");
        }
    }

    #[test]
    fn caps_lock_shows_in_every_word() {
        assert!(is_typed_with_caps_lock("nGUYEN vAN mAU"));
        for right in ["Nguyen Van Mau", "NGUYEN VAN MAU", "nguyen", "nGUYEN Van", "y", ""] {
            assert!(!is_typed_with_caps_lock(right), "{right}");
        }
    }

    proptest! {
        #[test]
        fn no_vietnamese_text_is_taken_for_a_spoilt_one(text in "[A-Za-zÀ-ỹĐđ0-9,./|' -]{0,60}") {
            let plausible = text.chars().all(is_plausible);
            let once = composed(&text);
            if plausible && once.expose().chars().any(|each| u32::from(each) > 0x1E00) {
                prop_assert!(repaired(once.expose()).is_none());
            }
        }

        #[test]
        fn whatever_was_spoilt_once_comes_back(name in "[A-Za-zĐđẠ-ỹ ]{1,30}") {
            let text = format!("000090123456||N{name}|1990|Nam|Mẫu|15032022");
            for page in [Page::Western, Page::Vietnamese, Page::Oem] {
                let payload = QrPayload::parse(taken_for(page, &text).as_bytes());
                prop_assert_eq!(payload.text.expose(), &text);
            }
        }
    }
}
