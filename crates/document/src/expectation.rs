//! Whether a card is the one somebody expects, without handing out what is on it.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::access::as_given;
use crate::text::{composed, folded};
use crate::{CitizenRecord, PartialDate, Personal, PersonalBytes};

/// What a caller expects of a card: any of three fields, plain or as a keyed hash.
///
/// ```
/// use cccd_document::{CitizenRecord, Expectation, ExpectedField, FieldMatch, Personal};
///
/// let expected = Expectation {
///     name: Some(ExpectedField::Plain(Personal::from("Nguyễn Văn Mẫu"))),
///     ..Expectation::default()
/// };
/// let nobody = CitizenRecord::default();
/// assert_eq!(expected.compare(&nobody).name, Some(FieldMatch::Absent));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expectation {
    /// The personal number, or the document number where there is none.
    pub number: Option<ExpectedField>,
    /// The full name.
    pub name: Option<ExpectedField>,
    /// The date of birth, ISO 8601 or as printed, whole or in part.
    pub birth: Option<ExpectedField>,
    /// The key of the hashes.
    pub key: PersonalBytes,
}

/// One field as expected.
#[derive(Clone, PartialEq, Eq)]
pub enum ExpectedField {
    /// As it is written.
    Plain(Personal),
    /// HMAC-SHA-256 under the key of the expectation (RFC 2104), over the UTF-8 bytes of the number as printed, of the
    /// name in capitals without diacritics and with one space between words, or of the date as ISO 8601.
    Keyed([u8; 32]),
}

impl fmt::Debug for ExpectedField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain",
            Self::Keyed(_) => "Keyed",
        })
    }
}

/// How a field of the card compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldMatch {
    /// The same.
    Match,
    /// The same but for diacritics, capitals and hyphens, which one of the two may have lost.
    MatchPlain,
    /// One is less exact than the other, and nothing speaks against their being the same.
    Partial,
    /// Another.
    Mismatch,
    /// The card does not have it.
    Absent,
}

/// How each field that was expected compares.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Comparison {
    /// The number.
    pub number: Option<FieldMatch>,
    /// The name.
    pub name: Option<FieldMatch>,
    /// The date of birth.
    pub birth: Option<FieldMatch>,
}

impl Expectation {
    /// Compares with what a card says.
    pub fn compare(&self, record: &CitizenRecord) -> Comparison {
        let number = record.personal_number.as_ref().or(record.document_number.as_ref());
        let number = number.map(|field| field.value.expose().trim());
        let name = record.full_name.as_ref().map(|field| &field.value);
        let birth = record.birth.as_ref().map(|field| field.value.date);
        Comparison {
            number: self.number.as_ref().map(|expected| self.number_match(expected, number)),
            name: self.name.as_ref().map(|expected| self.name_match(expected, name)),
            birth: self.birth.as_ref().map(|expected| self.birth_match(expected, birth)),
        }
    }

    fn number_match(&self, expected: &ExpectedField, number: Option<&str>) -> FieldMatch {
        let Some(number) = number else { return FieldMatch::Absent };
        match expected {
            ExpectedField::Plain(expected) => {
                same(Personal::from(expected.expose().trim()).same_as(&Personal::from(number)))
            }
            ExpectedField::Keyed(hash) => self.keyed(hash, number),
        }
    }

    fn name_match(&self, expected: &ExpectedField, name: Option<&Personal>) -> FieldMatch {
        let Some(name) = name.filter(|name| !name.is_empty()) else { return FieldMatch::Absent };
        let plain = folded(name.expose());
        match expected {
            ExpectedField::Plain(expected) => {
                let written = |text: &str| {
                    let composed = composed(text);
                    let words: Vec<&str> = composed.expose().split_whitespace().collect();
                    Zeroizing::new(words.join(" ").to_uppercase())
                };
                if written(expected.expose()) == written(name.expose()) {
                    FieldMatch::Match
                } else if folded(expected.expose()) == plain {
                    FieldMatch::MatchPlain
                } else {
                    FieldMatch::Mismatch
                }
            }
            ExpectedField::Keyed(hash) => self.keyed(hash, &plain),
        }
    }

    fn birth_match(&self, expected: &ExpectedField, birth: Option<PartialDate>) -> FieldMatch {
        let Some(birth) = birth.filter(|birth| *birth != PartialDate::Unknown) else {
            return FieldMatch::Absent;
        };
        match expected {
            ExpectedField::Plain(expected) => match as_given(expected.expose()) {
                Some(expected) if expected == birth => FieldMatch::Match,
                Some(expected) if !expected.contradicts(birth) => FieldMatch::Partial,
                _ => FieldMatch::Mismatch,
            },
            ExpectedField::Keyed(hash) => match birth.to_iso() {
                Some(iso) => self.keyed(hash, iso.expose()),
                None => FieldMatch::Absent,
            },
        }
    }

    fn keyed(&self, expected: &[u8; 32], value: &str) -> FieldMatch {
        // HMAC takes a key of any length, so there is no error to have.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.key.expose()) else {
            return FieldMatch::Mismatch;
        };
        mac.update(value.as_bytes());
        same(mac.finalize().into_bytes().as_slice().ct_eq(expected).into())
    }
}

fn same(is_same: bool) -> FieldMatch {
    if is_same { FieldMatch::Match } else { FieldMatch::Mismatch }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Field, FileId, StatedDate};

    fn record(name: &str, birth: &str) -> CitizenRecord {
        CitizenRecord {
            personal_number: Some(Field { value: Personal::from("000090123456"), source: FileId::DG13 }),
            full_name: Some(Field { value: Personal::from(name), source: FileId::DG13 }),
            birth: Some(Field {
                value: StatedDate { printed: Personal::default(), date: as_given(birth).unwrap() },
                source: FileId::DG13,
            }),
            ..CitizenRecord::default()
        }
    }

    fn plain(text: &str) -> Option<ExpectedField> {
        Some(ExpectedField::Plain(Personal::from(text)))
    }

    #[test]
    fn plain_values_compare_as_people_read_them() {
        let card = record("Nguyễn Văn Mẫu", "1990-01-02");
        for (name, expected) in [
            ("Nguyễn Văn Mẫu", FieldMatch::Match),
            ("NGUYỄN  VĂN MẪU", FieldMatch::Match),
            ("nguyen van mau", FieldMatch::MatchPlain),
            ("Nguyễn Văn Mậu", FieldMatch::MatchPlain),
            ("Nguyễn Mẫu", FieldMatch::Mismatch),
        ] {
            let expectation = Expectation { name: plain(name), ..Expectation::default() };
            assert_eq!(expectation.compare(&card).name, Some(expected), "{name}");
        }
        for (birth, expected) in [
            ("1990-01-02", FieldMatch::Match),
            ("02/01/1990", FieldMatch::Match),
            ("1990", FieldMatch::Partial),
            ("1990-02", FieldMatch::Mismatch),
            ("1990-01-03", FieldMatch::Mismatch),
            ("soon", FieldMatch::Mismatch),
        ] {
            let expectation = Expectation { birth: plain(birth), ..Expectation::default() };
            assert_eq!(expectation.compare(&card).birth, Some(expected), "{birth}");
        }
        for (number, expected) in
            [(" 000090123456", FieldMatch::Match), ("000090123457", FieldMatch::Mismatch)]
        {
            let expectation = Expectation { number: plain(number), ..Expectation::default() };
            let comparison = expectation.compare(&card);
            assert_eq!(comparison, Comparison { number: Some(expected), ..Comparison::default() });
        }
        let all =
            Expectation { number: plain("1"), name: plain("1"), birth: plain("1990"), ..Default::default() };
        let absent = Some(FieldMatch::Absent);
        assert_eq!(
            all.compare(&CitizenRecord::default()),
            Comparison { number: absent, name: absent, birth: absent }
        );
    }

    #[test]
    fn keyed_values_compare_by_their_hash_alone() {
        // printf %s VALUE | openssl dgst -sha256 -hmac key-of-the-exam
        let hash = |hex_text: &str| {
            let mut bytes = [0; 32];
            hex::decode_to_slice(hex_text, &mut bytes).unwrap();
            Some(ExpectedField::Keyed(bytes))
        };
        let expectation = Expectation {
            number: hash("0ad080f3eac591e9ea992017f941225489bd9f89c87306ee7f15f1cc6c0953c0"),
            name: hash("bc04b0c23dcec224228b5cbcfe273c6e2c37f4aabfe1489137f08753dc5cfbe9"),
            birth: hash("c4170eae2f703477de18c722d020c7dc2513e3a252107280b1671df0e784f191"),
            key: PersonalBytes::new(b"key-of-the-exam".to_vec()),
        };
        let all = |state| Comparison { number: Some(state), name: Some(state), birth: Some(state) };
        let card = record("Nguyễn Văn Mẫu", "1990-01-02");
        assert_eq!(expectation.compare(&card), all(FieldMatch::Match));
        let other_key = Expectation { key: PersonalBytes::new(b"another".to_vec()), ..expectation };
        assert_eq!(other_key.compare(&card), all(FieldMatch::Mismatch));
    }

    #[test]
    fn debug_tells_no_expectation() {
        let shown = format!("{:?}", Expectation { number: plain("000090123456"), ..Expectation::default() });
        assert!(!shown.contains("0000"), "{shown}");
    }
}
