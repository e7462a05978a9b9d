//! Vietnamese text: one composed form for output, and a plain form for comparing.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use zeroize::Zeroizing;

use crate::{Personal, PersonalBytes};

/// Text from a chip or a code: normalised to NFC for output, and the bytes as they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredText {
    /// The text in NFC. Where the bytes are no UTF-8, U+FFFD stands for what could not be read.
    pub text: Personal,
    /// The bytes as they came.
    pub raw: PersonalBytes,
    /// Whether the bytes are UTF-8.
    pub encoding: Encoding,
}

/// Whether bytes said to be UTF-8 are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// They are.
    Utf8,
    /// They are not: the text has gaps.
    Broken,
}

impl StoredText {
    /// Reads UTF-8, and keeps what is none.
    pub fn from_utf8(bytes: &[u8]) -> Self {
        let (text, encoding) = match std::str::from_utf8(bytes) {
            Ok(text) => (composed(text), Encoding::Utf8),
            Err(_) => {
                let lossy = Zeroizing::new(String::from_utf8_lossy(bytes).into_owned());
                (composed(&lossy), Encoding::Broken)
            }
        };
        Self { text, raw: PersonalBytes::from(bytes), encoding }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.text.expose()
    }

    /// Whether there is nothing but white space.
    pub fn is_blank(&self) -> bool {
        self.as_str().trim().is_empty()
    }
}

/// Normalises to NFC: cards and scanners are not known to agree on one form.
pub fn composed(text: &str) -> Personal {
    // Composing never needs more than three times the room (Unicode Standard Annex 15), so nothing is left
    // behind by a growing string.
    let mut out = String::with_capacity(text.len().saturating_mul(3));
    out.extend(text.nfc());
    Personal::new(out)
}

/// The plain form of a name: capitals A to Z and digits, without diacritics, one space between words; as an
/// MRZ would spell it (ICAO 9303-3, 6.A: `Đ` is `D`). For comparing only.
pub fn folded(text: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(text.len()));
    let mut gap = false;
    for each in text.nfd().filter(|each| !is_combining_mark(*each)) {
        match each {
            'Đ' | 'đ' => push(&mut out, &mut gap, 'D'),
            // ICAO 9303-3, 4.6: an apostrophe is left out, a hyphen parts words.
            '\'' | '\u{2019}' => {}
            _ if each.is_alphanumeric() => {
                each.to_uppercase().for_each(|capital| push(&mut out, &mut gap, capital));
            }
            _ => gap = true,
        }
    }
    out
}

fn push(out: &mut String, gap: &mut bool, each: char) {
    if *gap && !out.is_empty() {
        out.push(' ');
    }
    *gap = false;
    out.push(each);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_name_come_out_composed() {
        let decomposed: String = "Nguyễn Văn Mẫu".nfd().collect();
        assert_ne!(decomposed, "Nguyễn Văn Mẫu");
        assert_eq!(composed(&decomposed).expose(), "Nguyễn Văn Mẫu");
        let stored = StoredText::from_utf8(decomposed.as_bytes());
        assert_eq!((stored.as_str(), stored.encoding), ("Nguyễn Văn Mẫu", Encoding::Utf8));
        assert_eq!(stored.raw.expose(), decomposed.as_bytes());
    }

    #[test]
    fn bytes_that_are_no_utf8_are_kept_and_flagged() {
        let stored = StoredText::from_utf8(b"Nguy\xE1\xBB");
        assert_eq!((stored.as_str(), stored.encoding), ("Nguy\u{fffd}", Encoding::Broken));
        assert_eq!(stored.raw.expose(), b"Nguy\xE1\xBB");
    }

    #[test]
    fn folding_spells_as_the_mrz_does() {
        for (text, plain) in [
            ("Nguyễn Văn Mẫu", "NGUYEN VAN MAU"),
            ("ĐỖ  thị-Ước ", "DO THI UOC"),
            ("D'Arc", "DARC"),
            ("", ""),
        ] {
            assert_eq!(folded(text).as_str(), plain);
        }
    }
}
