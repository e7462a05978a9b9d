//! The words of the file for our types, and back.

use cccd_document::{Cipher, DataGroupNumber, Downgrade, FileId, Mapping, PasswordKind, TerminalStep};
use cccd_trust::HashAlgorithm;

/// A type that has a word for each of its values.
pub(crate) trait Word: Copy + PartialEq + Sized + 'static {
    /// Each value and its word.
    const WORDS: &'static [(Self, &'static str)];

    /// The word.
    fn word(self) -> &'static str {
        // Every value stands in the list: a test holds that.
        Self::WORDS.iter().find(|(value, _)| *value == self).map_or("", |(_, word)| word)
    }

    /// The value of a word.
    fn of_word(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(_, known)| *known == word).map(|(value, _)| *value)
    }
}

impl Word for Cipher {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::TripleDes, "3des"),
        (Self::Aes128, "aes-128"),
        (Self::Aes192, "aes-192"),
        (Self::Aes256, "aes-256"),
    ];
}

impl Word for Mapping {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::Generic, "generic"),
        (Self::Integrated, "integrated"),
        (Self::ChipAuthentication, "chip-authentication"),
    ];
}

impl Word for TerminalStep {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::TrustPoint, "trust-point"),
        (Self::Certificate, "certificate"),
        (Self::Station, "station"),
        (Self::Challenge, "challenge"),
        (Self::Signature, "signature"),
    ];
}

impl Word for PasswordKind {
    const WORDS: &'static [(Self, &'static str)] = &[(Self::Can, "can"), (Self::Mrz, "mrz")];
}

impl Word for Downgrade {
    const WORDS: &'static [(Self, &'static str)] =
        &[(Self::PaceFailed, "pace-failed"), (Self::PaceUnsupported, "pace-unsupported")];
}

impl Word for HashAlgorithm {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::Sha1, "SHA-1"),
        (Self::Sha224, "SHA-224"),
        (Self::Sha256, "SHA-256"),
        (Self::Sha384, "SHA-384"),
        (Self::Sha512, "SHA-512"),
        (Self::Sha512_256, "SHA-512/256"),
    ];
}

/// The files a reading may bring, by the names they are shown with.
pub(crate) fn file_of(name: &str) -> Option<FileId> {
    let others = [
        FileId::CardAccess,
        FileId::CardSecurity,
        FileId::AtrInfo,
        FileId::Dir,
        FileId::EfCom,
        FileId::EfSod,
    ];
    let groups = (1..=16).filter_map(DataGroupNumber::new).map(FileId::Dg);
    others.into_iter().chain(groups).find(|file| file.to_string() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_leads_back_to_its_value() {
        fn both_ways<T: Word + std::fmt::Debug>() {
            for (value, word) in T::WORDS {
                assert_eq!(value.word(), *word);
                assert_eq!(T::of_word(word), Some(*value));
            }
            assert_eq!(T::of_word(""), None);
        }
        both_ways::<Cipher>();
        both_ways::<TerminalStep>();
        both_ways::<Mapping>();
        both_ways::<PasswordKind>();
        both_ways::<Downgrade>();
        both_ways::<HashAlgorithm>();
        for file in [FileId::CardAccess, FileId::CardSecurity, FileId::EfSod, FileId::DG1, FileId::DG15] {
            assert_eq!(file_of(&file.to_string()), Some(file));
        }
        assert_eq!(file_of("EF.DG17"), None);
    }
}
