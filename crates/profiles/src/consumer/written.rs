//! A profile as its file has it. The JSON Schema that editors take is made of these.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use crate::consumer::datum::{Datum, Demand, Otherwise, Source};

/// What one kind of consumer gets of a card: a file under config/profiles/.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "cccd-agent consumer profile")]
pub(crate) struct RawProfile {
    /// The name that programs ask by: that of the file without its ending.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9-]{0,63}$"))]
    pub(crate) name: String,
    /// What people call it.
    pub(crate) title: RawWords,
    /// What the data are for, as the holder is told.
    pub(crate) purpose: RawWords,
    /// Upon what law or consent they are processed.
    pub(crate) legal_basis: RawWords,
    /// The fields without which the demand `complete` is not met.
    #[serde(default)]
    pub(crate) required: Vec<Datum>,
    /// Which fields are taken, and from where, the first source that has it counting. What stands here and in no
    /// output is refused.
    pub(crate) fields: BTreeMap<Datum, Vec<Source>>,
    /// What beyond plain data is touched at all. A group of the chip that nothing here needs is not read.
    #[serde(default)]
    pub(crate) touches: RawTouches,
    /// What is demanded of a reading, and what happens where it is not met.
    pub(crate) checks: BTreeMap<Demand, Otherwise>,
    /// How long what was made of a reading may lie on this machine.
    pub(crate) retention: RawRetention,
    /// The targets of the settings that get the object of every reading, beside the answer.
    #[serde(default)]
    pub(crate) deliver: Vec<String>,
    /// The pseudonym that `{token}` stands for.
    pub(crate) token: Option<RawToken>,
    /// Words for words: `{nationality:NAME}` gives what stands beside the value, or beside `_`, or nothing.
    #[serde(default)]
    pub(crate) maps: BTreeMap<String, BTreeMap<String, String>>,
    /// Names for stretches of numbers: `{age:NAME}`.
    #[serde(default)]
    pub(crate) bands: BTreeMap<String, Vec<RawBand>>,
    /// What the consumer gets.
    pub(crate) output: RawOutput,
}

/// The same in both languages.
#[derive(Deserialize, JsonSchema, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawWords {
    /// Vietnamese.
    #[schemars(length(min = 1))]
    pub(crate) vi: String,
    /// English.
    #[schemars(length(min = 1))]
    pub(crate) en: String,
}

/// What beyond plain data is touched at all.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawTouches {
    /// The face, DG2.
    pub(crate) portrait: bool,
    /// Parents, husband or wife.
    pub(crate) family: bool,
    /// Ethnicity and religion, which are sensitive by law.
    pub(crate) sensitive: bool,
}

/// How long what was made of a reading may lie on this machine.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawRetention {
    /// Days; 0: nothing is kept beyond the minute or two in which the answer can be fetched.
    #[schemars(range(max = 3650))]
    pub(crate) days: u16,
}

/// The pseudonym of a holder: HMAC-SHA-256 over the number under the operator's key.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawToken {
    /// Where the key lies: 32 bytes or more, which nobody else may read.
    pub(crate) key_file: String,
    /// What the pseudonym is good for; another one makes another pseudonym of the same person.
    #[schemars(length(min = 1, max = 64))]
    pub(crate) context: String,
    /// The pseudonyms of those who are to be turned away, one a line, for the demand `not-denied`. The file must be there,
    /// and may be empty; a change counts at once.
    pub(crate) deny_file: Option<String>,
}

/// A stretch of numbers.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawBand {
    /// Where it begins; it ends where the next one begins.
    pub(crate) from: u16,
    /// Its name.
    pub(crate) is: String,
}

/// What the consumer gets.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawOutput {
    /// How dates are written where a place does not say.
    #[serde(default = "iso_date")]
    pub(crate) dates: String,
    /// How moments are written, in Vietnam's time, where a place does not say; without this as RFC 3339 has it.
    pub(crate) moments: Option<String>,
    /// What stands where there is no value.
    #[serde(default)]
    pub(crate) absent: RawAbsent,
    /// The object itself: names as the consumer has them; texts with `{places}`, numbers, yes and no, lists and
    /// objects.
    #[schemars(schema_with = "any_object")]
    pub(crate) body: toml::Table,
}

/// What stands where there is no value.
#[derive(Deserialize, JsonSchema, Default, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawAbsent {
    /// `null`.
    #[default]
    Null,
    /// An empty text.
    Empty,
    /// The name is left out, too.
    LeftOut,
}

fn iso_date() -> String {
    "yyyy-MM-dd".to_owned()
}

fn any_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "minProperties": 1 })
}
