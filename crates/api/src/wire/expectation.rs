//! What a caller expects of a card, and how the card compares.

use cccd_document::{Comparison, Expectation, ExpectedField, FieldMatch, PersonalBytes};
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::request::{Secret, given};

/// What the caller expects of the card: plain values, or their keyed hashes where the caller does not want to say
/// them. At least one.
///
/// A hash is HMAC-SHA-256 under `key`, over the UTF-8 bytes of the number as printed, of the name in capitals without
/// diacritics and with one space between words (`NGUYEN VAN MAU`), or of the date of birth as `1990-01-02`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Expectation)]
pub(crate) struct ExpectationJson {
    /// The personal number; of a foreign document its number.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64, nullable = false)]
    number: Option<Secret>,
    /// The full name.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 256, nullable = false)]
    name: Option<Secret>,
    /// The date of birth, ISO 8601 or as printed, whole or in part.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, min_length = 4, max_length = 10, nullable = false)]
    birth: Option<Secret>,
    /// The key of the hashes: 16 to 64 bytes in hexadecimal digits.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, pattern = "^([0-9a-fA-F]{2}){16,64}$", min_length = 32, max_length = 128, nullable = false)]
    key: Option<Hex<16, 64>>,
    /// The hash of the number.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, pattern = "^[0-9a-fA-F]{64}$", min_length = 64, max_length = 64, nullable = false)]
    number_hmac: Option<Hex<32, 32>>,
    /// The hash of the name.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, pattern = "^[0-9a-fA-F]{64}$", min_length = 64, max_length = 64, nullable = false)]
    name_hmac: Option<Hex<32, 32>>,
    /// The hash of the date of birth.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, pattern = "^[0-9a-fA-F]{64}$", min_length = 64, max_length = 64, nullable = false)]
    birth_hmac: Option<Hex<32, 32>>,
}

/// `LEAST` to `MOST` bytes in hexadecimal digits, wiped when dropped.
pub(crate) struct Hex<const LEAST: usize, const MOST: usize>(Zeroizing<Vec<u8>>);

impl<const LEAST: usize, const MOST: usize> std::fmt::Debug for Hex<LEAST, MOST> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<hex>")
    }
}

impl<'de, const LEAST: usize, const MOST: usize> Deserialize<'de> for Hex<LEAST, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Secret::deserialize(deserializer)?;
        let bytes = hex::decode(text.0.expose()).map(Zeroizing::new);
        let bytes = bytes.ok().filter(|bytes| (LEAST..=MOST).contains(&bytes.len()));
        bytes.map(Self).ok_or_else(|| de::Error::custom("hexadecimal digits of the right number"))
    }
}

impl ExpectationJson {
    /// The expectation, or what of it is not one.
    pub(crate) fn understood(self) -> Result<Expectation, &'static str> {
        let one = |plain: Option<Secret>, keyed: Option<Hex<32, 32>>| match (plain, keyed) {
            (Some(_), Some(_)) => Err("expect: a field is given plain or as a hash, not both"),
            (Some(plain), None) => Ok(Some(ExpectedField::Plain(plain.0))),
            (None, Some(hash)) => Ok(hash.0.as_slice().try_into().ok().map(ExpectedField::Keyed)),
            (None, None) => Ok(None),
        };
        let has_hash =
            [&self.number_hmac, &self.name_hmac, &self.birth_hmac].iter().any(|hash| hash.is_some());
        if has_hash != self.key.is_some() {
            return Err("expect: hashes and their key come together");
        }
        let expectation = Expectation {
            number: one(self.number, self.number_hmac)?,
            name: one(self.name, self.name_hmac)?,
            birth: one(self.birth, self.birth_hmac)?,
            key: self.key.map_or_else(PersonalBytes::default, |key| PersonalBytes::new(key.0.to_vec())),
        };
        match expectation {
            Expectation { number: None, name: None, birth: None, .. } => Err("expect: nothing is expected"),
            expectation => Ok(expectation),
        }
    }
}

/// How the card compares with what was expected: one member for each that was.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Comparison)]
pub(crate) struct ComparisonJson {
    /// The number.
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<FieldMatchJson>,
    /// The name.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<FieldMatchJson>,
    /// The date of birth.
    #[serde(skip_serializing_if = "Option::is_none")]
    birth: Option<FieldMatchJson>,
}

/// How one field compares.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = FieldMatch)]
pub(crate) enum FieldMatchJson {
    /// The same.
    Match,
    /// The same but for diacritics, capitals and hyphens.
    MatchPlain,
    /// One is less exact than the other, and nothing speaks against their being the same.
    Partial,
    /// Another.
    Mismatch,
    /// The card does not have it.
    Absent,
}

impl From<FieldMatch> for FieldMatchJson {
    fn from(state: FieldMatch) -> Self {
        match state {
            FieldMatch::Match => Self::Match,
            FieldMatch::MatchPlain => Self::MatchPlain,
            FieldMatch::Partial => Self::Partial,
            FieldMatch::Mismatch => Self::Mismatch,
            FieldMatch::Absent => Self::Absent,
        }
    }
}

impl From<Comparison> for ComparisonJson {
    fn from(comparison: Comparison) -> Self {
        Self {
            number: comparison.number.map(FieldMatchJson::from),
            name: comparison.name.map(FieldMatchJson::from),
            birth: comparison.birth.map(FieldMatchJson::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn understood(text: &str) -> Result<Expectation, String> {
        let json: ExpectationJson = serde_json::from_str(text).map_err(|error| error.to_string())?;
        json.understood().map_err(ToOwned::to_owned)
    }

    #[test]
    fn an_expectation_says_something_and_says_it_once() {
        let (key, hash) = ("00".repeat(16), "11".repeat(32));
        assert!(understood(r#"{"number": "000090123456", "birth": "1990"}"#).is_ok());
        let keyed = understood(&format!(r#"{{"key": "{key}", "name_hmac": "{hash}"}}"#)).unwrap();
        assert_eq!(keyed.name, Some(ExpectedField::Keyed([0x11; 32])));
        for wrong in [
            "{}".to_owned(),
            r#"{"number": null}"#.to_owned(),
            r#"{"sex": "Nam"}"#.to_owned(),
            format!(r#"{{"key": "{key}"}}"#),
            format!(r#"{{"name_hmac": "{hash}"}}"#),
            format!(r#"{{"key": "00", "name_hmac": "{hash}"}}"#),
            format!(r#"{{"key": "{key}", "name_hmac": "11"}}"#),
            format!(r#"{{"key": "{key}", "name": "A", "name_hmac": "{hash}"}}"#),
        ] {
            assert!(understood(&wrong).is_err(), "{wrong}");
        }
    }
}
