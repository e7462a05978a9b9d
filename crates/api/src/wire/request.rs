//! The JSON twin of a request for a reading.
//!
//! What opens a chip is personal: it goes straight from the parser into [`Personal`], which is silent and
//! wipes itself.

use std::fmt;
use std::time::Duration;

use cccd_document::{AccessInput, Biometric, Personal, RecordField};
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{
    AdditionalProperties, Object, ObjectBuilder, OneOfBuilder, Schema, SchemaType, Type,
};
use utoipa::{PartialSchema, ToSchema};

use super::admission::RegisterWishJson;
use super::expectation::ExpectationJson;

/// A reading, asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReadRequest)]
pub(crate) struct ReadRequestJson {
    /// The reader to use; without one, whichever has a card.
    #[serde(default, deserialize_with = "given")]
    #[schema(example = "gempc-twin-00-00", min_length = 1, max_length = 256, nullable = false)]
    pub(crate) reader: Option<String>,
    /// What opens the chip.
    #[serde(default, deserialize_with = "given")]
    #[schema(required = true, nullable = false)]
    pub(crate) access: Option<AccessJson>,
    /// Whether the face is wanted; where it does not say, whether the caller may have it. Without it the reading is
    /// much shorter.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub(crate) portrait: Option<bool>,
    /// The fields of the record that are wanted; without it, all the caller may have. What has none of them is not
    /// read from the chip, and the others are null. One the caller may not have is refused. Empty where only `expect`
    /// matters.
    #[serde(default, deserialize_with = "given")]
    #[schema(max_items = 23, nullable = false)]
    pub(crate) fields: Option<Vec<RecordFieldJson>>,
    /// The consumer profile to read under, which the settings must have granted. It says what is read and what the
    /// answer gives (`disclosure`); the record stays empty, and neither `fields` nor `portrait` stand beside it.
    #[serde(default, deserialize_with = "given")]
    #[schema(
        example = "clinic",
        pattern = "^[a-z0-9][a-z0-9-]{0,63}$",
        min_length = 1,
        max_length = 64,
        nullable = false
    )]
    pub(crate) profile: Option<String>,
    /// The register of the settings that the holder is entered in, of which `profile` must be the profile; the answer's
    /// `admission` tells what is said to them.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub(crate) register: Option<RegisterWishJson>,
    /// The text of the QR code of the holder's health insurance card, for profiles that take something of it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, min_length = 5, max_length = 4096, nullable = false)]
    pub(crate) insurance: Option<Secret>,
    /// Which of the holder's other biometrics are wanted. Each takes the scope of the same name, and a machine that
    /// is a certified station; without this the chip is not asked for them.
    #[serde(default)]
    #[schema(max_items = 2)]
    pub(crate) biometrics: Vec<BiometricJson>,
    /// 8 to 64 bytes in hexadecimal digits that the chip shall sign over, for whoever drew them to learn that
    /// the chip was present. They stand in the evidence.
    #[serde(default, deserialize_with = "given")]
    #[schema(
        value_type = Option<String>,
        example = "8f1d2c3b4a5968778695a4b3c2d1e0ff",
        pattern = "^([0-9a-fA-F]{2}){8,64}$",
        min_length = 16,
        max_length = 128,
        nullable = false
    )]
    pub(crate) nonce: Option<NonceJson>,
    /// What the caller expects of the card, to be told how it compares.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub(crate) expect: Option<ExpectationJson>,
    /// How many seconds to wait for a card; without it, as long as the settings say.
    #[serde(default, deserialize_with = "given")]
    #[schema(minimum = 1, maximum = 600, nullable = false)]
    pub(crate) wait_for_card_s: Option<Seconds>,
}

/// A field that is there must have a value: `null` is not another way to leave it out.
pub(super) fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A field of the record, by its name there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordFieldJson(pub(crate) RecordField);

impl<'de> Deserialize<'de> for RecordFieldJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        RecordField::of_code(&word).map(Self).ok_or_else(|| {
            de::Error::invalid_value(de::Unexpected::Other("a text"), &"the name of a field of the record")
        })
    }
}

impl PartialSchema for RecordFieldJson {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .enum_values(Some(RecordField::ALL.map(RecordField::code)))
            .into()
    }
}

impl ToSchema for RecordFieldJson {
    fn name() -> std::borrow::Cow<'static, str> {
        "RecordField".into()
    }
}

/// Biometrics beside the face.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = Biometric)]
pub(crate) enum BiometricJson {
    /// DG3.
    Fingerprints,
    /// DG4.
    Irises,
}

impl From<BiometricJson> for Biometric {
    fn from(kind: BiometricJson) -> Self {
        match kind {
            BiometricJson::Fingerprints => Self::Fingerprints,
            BiometricJson::Irises => Self::Irises,
        }
    }
}

/// 8 to 64 bytes in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NonceJson(pub(crate) Vec<u8>);

impl<'de> Deserialize<'de> for NonceJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = hex::decode(&text).ok().filter(|bytes| (8..=64).contains(&bytes.len()));
        bytes.map(Self).ok_or_else(|| de::Error::custom("nonce: 8 to 64 bytes in hexadecimal digits"))
    }
}

/// 1 to 600 seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seconds(u16);

impl Seconds {
    pub(super) const HALF_A_MINUTE: Self = Self(30);

    /// How long.
    pub(crate) fn duration(self) -> Duration {
        Duration::from_secs(u64::from(self.0))
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SecondsVisitor;

        impl Visitor<'_> for SecondsVisitor {
            type Value = Seconds;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number from 1 to 600")
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Seconds, E> {
                match u16::try_from(value) {
                    Ok(seconds @ 1..=600) => Ok(Seconds(seconds)),
                    _ => Err(E::invalid_value(de::Unexpected::Unsigned(value), &self)),
                }
            }

            /// To JSON Schema 5.0 is an integer too, and some languages write it so.
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Seconds, E> {
                let whole = (1..=600).find(|&seconds| f64::from(seconds) == value);
                whole.map(Seconds).ok_or_else(|| E::invalid_value(de::Unexpected::Float(value), &self))
            }
        }

        deserializer.deserialize_any(SecondsVisitor)
    }
}

impl PartialSchema for Seconds {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::Integer))
            .minimum(Some(1))
            .maximum(Some(600))
            .into()
    }
}

impl ToSchema for Seconds {}

/// What opens the chip: exactly one of these.
#[derive(Debug)]
pub(crate) enum AccessJson {
    /// `can`: the card access number.
    Can(Secret),
    /// `mrz`: the lines of the MRZ, whole.
    MrzLines(Secret),
    /// `mrz`: the three fields of the MRZ that make the key.
    MrzFields(MrzFieldsJson),
    /// `qr`: the text of the QR code.
    Qr(Secret),
    /// `id`: the personal number, of which the last digits are the card access number.
    Id(Secret),
    /// `scan`: the name of a scan.
    Scan(String),
}

/// Where what opens the chip is to be had.
#[derive(Debug)]
pub(crate) enum OpenedBy {
    /// It was sent.
    Input(AccessInput),
    /// It was scanned before; this names the scan, if it names anything.
    Scan(String),
}

impl From<AccessJson> for OpenedBy {
    fn from(access: AccessJson) -> Self {
        Self::Input(match access {
            AccessJson::Can(digits) => AccessInput::Can(digits.0),
            AccessJson::MrzLines(lines) => AccessInput::MrzLines(lines.0),
            AccessJson::MrzFields(fields) => AccessInput::Fields {
                document_number: fields.document_number.0,
                birth: fields.birth.0,
                expiry: fields.expiry.0,
            },
            AccessJson::Qr(text) => AccessInput::QrText(text.0),
            AccessJson::Id(number) => AccessInput::PersonalNumber(number.0),
            AccessJson::Scan(name) => return Self::Scan(name),
        })
    }
}

/// The text of a code, for [`create_scans`](crate::routes::scans).
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ScanText)]
pub(crate) struct ScanTextJson {
    /// As the scanner typed it.
    #[schema(value_type = String, min_length = 1, max_length = 8192)]
    pub(crate) text: Secret,
}

/// The three fields of the MRZ that make a key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MrzFieldsJson {
    pub(crate) document_number: Secret,
    pub(crate) birth: Secret,
    pub(crate) expiry: Secret,
}

/// A text that is wiped and never printed.
#[derive(Debug)]
pub(crate) struct Secret(pub(crate) Personal);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl Visitor<'_> for TextVisitor {
            type Value = Secret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Secret, E> {
                Ok(Secret(Personal::from(text)))
            }

            fn visit_string<E: de::Error>(self, text: String) -> Result<Secret, E> {
                Ok(Secret(Personal::new(text)))
            }
        }

        deserializer.deserialize_str(TextVisitor)
    }
}

/// Either form of `mrz`. (An untagged enum would keep copies of the text that nobody wipes.)
struct MrzJson(AccessJson);

impl<'de> Deserialize<'de> for MrzJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MrzVisitor;

        impl<'de> Visitor<'de> for MrzVisitor {
            type Value = MrzJson;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the MRZ lines, or document_number, birth and expiry")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<MrzJson, E> {
                Ok(MrzJson(AccessJson::MrzLines(Secret(Personal::from(text)))))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<MrzJson, A::Error> {
                MrzFieldsJson::deserialize(de::value::MapAccessDeserializer::new(map))
                    .map(|fields| MrzJson(AccessJson::MrzFields(fields)))
            }
        }

        deserializer.deserialize_any(MrzVisitor)
    }
}

impl<'de> Deserialize<'de> for AccessJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const FIELDS: &[&str] = &["can", "mrz", "qr", "id", "scan"];
        const ONE: &str = "exactly one of can, mrz, qr, id, scan";

        #[derive(Deserialize)]
        #[serde(field_identifier, rename_all = "snake_case")]
        enum Field {
            Can,
            Mrz,
            Qr,
            Id,
            Scan,
        }

        struct AccessVisitor;

        impl<'de> Visitor<'de> for AccessVisitor {
            type Value = AccessJson;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(ONE)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AccessJson, A::Error> {
                let Some(field) = map.next_key::<Field>()? else {
                    return Err(de::Error::invalid_length(0, &ONE));
                };
                let access = match field {
                    Field::Can => AccessJson::Can(map.next_value()?),
                    Field::Mrz => map.next_value::<MrzJson>()?.0,
                    Field::Qr => AccessJson::Qr(map.next_value()?),
                    Field::Id => AccessJson::Id(map.next_value()?),
                    Field::Scan => AccessJson::Scan(map.next_value()?),
                };
                match map.next_key::<Field>()? {
                    None => Ok(access),
                    Some(_) => Err(de::Error::invalid_length(2, &ONE)),
                }
            }
        }

        deserializer.deserialize_struct("Access", FIELDS, AccessVisitor)
    }
}

impl PartialSchema for AccessJson {
    fn schema() -> RefOr<Schema> {
        let text = |about: &str, pattern: Option<&str>, least, most| {
            ObjectBuilder::new()
                .schema_type(SchemaType::Type(Type::String))
                .description(Some(about))
                .pattern(pattern)
                .min_length(Some(least))
                .max_length(Some(most))
                .build()
        };
        let lines = text("The lines of the MRZ, whole; line breaks and spaces do not matter.", None, 60, 200);
        let fields = closed(
            "The three fields of the MRZ that make the key, without check digits.",
            [
                (
                    "document_number",
                    text(
                        "Document number, or the twelve digits of the personal number.",
                        Some("^[A-Za-z0-9<]+$"),
                        1,
                        22,
                    ),
                ),
                (
                    "birth",
                    text("Date of birth: `YYMMDD` as in the MRZ, ISO 8601, or as printed.", None, 4, 10),
                ),
                (
                    "expiry",
                    text(
                        "Date of expiry, likewise; empty, or the words on the card, for a card without.",
                        None,
                        0,
                        64,
                    ),
                ),
            ],
        );
        let mrz = OneOfBuilder::new().item(lines).item(fields).build();
        OneOfBuilder::new()
            .description(Some("What opens the chip: exactly one of these."))
            .item(closed(
                "The card access number: the six digits at the lower right of the card's face.",
                [("can", text("Six digits.", Some("^[0-9]{6}$"), 6, 6))],
            ))
            .item(closed("The MRZ on the card's back.", [("mrz", Schema::OneOf(mrz))]))
            .item(closed("The text of the card's QR code.", [("qr", text("As scanned.", None, 12, 2048))]))
            .item(closed(
                "The personal number, of which the last six digits are the card access number.",
                [("id", text("Twelve digits.", Some("^[0-9]{12}$"), 12, 12))],
            ))
            .item(closed(
                "A scan already made: by a scanner, for a caller with the scope `scan`, or posted by this caller.",
                [("scan", text("Its `scan_id`.", Some("^[0-9a-f]{32}$"), 32, 32))],
            ))
            .into()
    }
}

impl ToSchema for AccessJson {
    fn name() -> std::borrow::Cow<'static, str> {
        "Access".into()
    }
}

/// An object with these members and no others.
fn closed<S: Into<RefOr<Schema>>>(
    about: &str,
    members: impl IntoIterator<Item = (&'static str, S)>,
) -> Object {
    let object = ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::Object))
        .description(Some(about))
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)));
    members
        .into_iter()
        .fold(object, |object, (name, schema)| object.property(name, schema).required(name))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ReadRequestJson, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn each_kind_of_key_is_taken() {
        for (access, kind) in [
            (r#"{"can": "090123"}"#, "Can"),
            (r#"{"mrz": "IDVNM0901234567\nA<B\n"}"#, "MrzLines"),
            (
                r#"{"mrz": {"document_number": "090123456", "birth": "900102", "expiry": "300102"}}"#,
                "MrzFields",
            ),
            (r#"{"qr": "000090123456|A"}"#, "Qr"),
            (r#"{"id": "\u0030"}"#, "Id"),
            (r#"{"scan": "5f0c"}"#, "Scan"),
        ] {
            let request = parse(&format!(r#"{{"access": {access}}}"#)).unwrap();
            let printed = format!("{:?}", request.access.unwrap());
            assert!(printed.starts_with(kind), "{printed}");
            assert!(!printed.contains("0901"), "{printed}");
            assert!(
                request.portrait.is_none() && request.reader.is_none() && request.wait_for_card_s.is_none()
            );
            assert!(request.biometrics.is_empty());
        }
    }

    #[test]
    fn a_whole_number_is_one_however_it_is_written() {
        for (text, seconds) in [("1", 1), ("600", 600), ("5.0", 5), ("6e1", 60)] {
            let request = parse(&format!(r#"{{"wait_for_card_s": {text}}}"#)).unwrap();
            assert_eq!(request.wait_for_card_s, Some(Seconds(seconds)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for body in [
            "{}x",
            r#""can""#,
            r#"{"access": {}}"#,
            r#"{"access": "123456"}"#,
            r#"{"access": ["123456"]}"#,
            r#"{"access": null}"#,
            r#"{"access": {"can": "123456", "id": "000090123456"}}"#,
            r#"{"access": {"can": "123456", "can": "123456"}}"#,
            r#"{"access": {"can": 123456}}"#,
            r#"{"access": {"can": null}}"#,
            r#"{"access": {"pin": "1"}}"#,
            r#"{"access": {"mrz": 1}}"#,
            r#"{"access": {"mrz": {"document_number": "1", "birth": "900102"}}}"#,
            r#"{"access": {"mrz": {"document_number": "1", "birth": "1", "expiry": "1", "name": "x"}}}"#,
            r#"{"access": {"can": "123456"}, "fields": ["soul"]}"#,
            r#"{"access": {"can": "123456"}, "fields": null}"#,
            r#"{"access": {"can": "123456"}, "portrait": null}"#,
            r#"{"reader": null}"#,
            r#"{"reader": 1}"#,
            r#"{"biometrics": "fingerprints"}"#,
            r#"{"biometrics": ["face"]}"#,
            r#"{"biometrics": null}"#,
            r#"{"biometrics": true}"#,
            r#"{"portrait": "yes"}"#,
            r#"{"portrait": null}"#,
            r#"{"wait_for_card_s": 0}"#,
            r#"{"wait_for_card_s": 601}"#,
            r#"{"wait_for_card_s": 65537}"#,
            r#"{"wait_for_card_s": 600.5}"#,
            r#"{"wait_for_card_s": "5"}"#,
            r#"{"wait_for_card_s": 1.5}"#,
            r#"{"wait_for_card_s": -1}"#,
        ] {
            assert!(parse(body).is_err(), "{body}");
        }
    }
}
