//! How the text of a scanned code is written on the line.

use std::fmt;

use cccd_card::SecretBytes;
use encoding_rs::{Encoding, UTF_16BE, UTF_16LE};
use zeroize::Zeroizing;

/// An encoding of text by its name (WHATWG Encoding Standard). UTF-8 unless said otherwise.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CodeEncoding(&'static Encoding);

impl CodeEncoding {
    /// What the code itself holds, handed on byte for byte.
    pub const UTF_8: Self = Self(encoding_rs::UTF_8);

    /// The encoding of that name. UTF-16 is none here: its bytes cannot be told from a suffix.
    pub fn of_label(label: &str) -> Option<Self> {
        let encoding = Encoding::for_label_no_replacement(label.as_bytes())?;
        (encoding != UTF_16BE && encoding != UTF_16LE).then_some(Self(encoding))
    }

    /// The text in UTF-8; nothing where it is not of this encoding. What claims to be UTF-8 is handed on as it is,
    /// because a wrong byte in it is the reader's to note.
    pub fn to_utf8(self, text: &[u8]) -> Option<SecretBytes> {
        if self == Self::UTF_8 {
            return Some(Zeroizing::new(text.to_vec()));
        }
        let mut decoder = self.0.new_decoder_without_bom_handling();
        let room = decoder.max_utf8_buffer_length_without_replacement(text.len())?;
        let mut utf8 = Zeroizing::new(vec![0; room]);
        let (result, _, written) = decoder.decode_to_utf8_without_replacement(text, &mut utf8, true);
        utf8.truncate(written);
        (result == encoding_rs::DecoderResult::InputEmpty).then_some(utf8)
    }
}

impl Default for CodeEncoding {
    fn default() -> Self {
        Self::UTF_8
    }
}

impl fmt::Debug for CodeEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_another_encoding_becomes_utf_8() {
        let windows = CodeEncoding::of_label("windows-1258").unwrap();
        // The tone stands behind its letter: 0xDE is a combining tilde.
        let text = windows.to_utf8(b"Nguy\xEA\xDEn V\xE3n").unwrap();
        assert_eq!(std::str::from_utf8(&text), Ok("Nguyê\u{303}n Văn"));
        assert_eq!(CodeEncoding::of_label("shift_jis").unwrap().to_utf8(b"\xFF"), None);
    }

    #[test]
    fn what_should_be_utf_8_is_left_as_it_is() {
        let text = b"Nguy\xE1\xBB\x85n \xFF".to_vec();
        assert_eq!(*CodeEncoding::UTF_8.to_utf8(&text).unwrap(), text);
    }

    #[test]
    fn no_encoding_hides_a_suffix() {
        for label in ["utf-16", "utf-16le", "utf-16be", "replacement", "iso-2022-kr", ""] {
            assert_eq!(CodeEncoding::of_label(label), None, "{label}");
        }
    }
}
