//! `config/profiles/*.toml`: what each kind of consumer gets of a card.
//!
//! A profile says what the data are for, which fields are taken and from where, what is demanded of a reading, and
//! what the consumer's object looks like. What it does not name is not read from the chip where the files allow, and
//! never given.

mod datum;
mod template;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use cccd_document::FileId;
use include_dir::{Dir, include_dir};

pub use datum::{Datum, Demand, Otherwise, Source, Touch, ValueKind};
pub use template::{
    DatePart, DatePattern, Format, Piece, Place, Template, TemplateError, Value as TemplateValue,
};
use template::{OwnFormats, Value};
use written::{RawAbsent, RawBand, RawOutput, RawProfile, RawToken, RawTouches, RawWords};

static SHIPPED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../config/profiles");

/// The longest profile that is looked at.
pub const LONGEST_PROFILE: u64 = 256 << 10;
/// How deep objects and lists may lie in one another.
const DEEPEST: usize = 8;

/// What one kind of consumer gets of a card.
#[derive(Debug, Clone)]
pub struct ConsumerProfile {
    /// The name that programs ask by.
    pub name: String,
    /// What people call it.
    pub title: Words,
    /// What the data are for, as the holder is told.
    pub purpose: Words,
    /// Upon what law or consent they are processed.
    pub legal_basis: Words,
    /// The fields without which it is not complete.
    pub required: BTreeSet<Datum>,
    /// Which fields are taken, and the sources in the order they count.
    pub fields: BTreeMap<Datum, Vec<Source>>,
    /// What is demanded, and what happens where it is not met.
    pub checks: BTreeMap<Demand, Otherwise>,
    /// For how many days what was made of a reading may lie on this machine.
    pub retention_days: u16,
    /// The targets of the settings that get the object of every reading.
    pub deliver: Vec<String>,
    /// The pseudonym.
    pub token: Option<TokenRule>,
    /// Words for words.
    pub maps: BTreeMap<String, BTreeMap<String, String>>,
    /// Names for stretches of numbers, each from its beginning to the next one's.
    pub bands: BTreeMap<String, Vec<(u16, String)>>,
    /// What the consumer gets.
    pub output: OutputRule,
}

/// The same in both languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// Vietnamese.
    pub vi: String,
    /// English.
    pub en: String,
}

/// How the pseudonym of a holder is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRule {
    /// Where the operator's key lies.
    pub key_file: PathBuf,
    /// What the pseudonym is good for.
    pub context: String,
    /// Where the pseudonyms stand of those who are to be turned away.
    pub deny_file: Option<PathBuf>,
}

/// What the consumer gets.
#[derive(Debug, Clone)]
pub struct OutputRule {
    /// How dates are written where a place does not say.
    pub dates: DatePattern,
    /// How moments are written where a place does not say; `None`: as RFC 3339 has it.
    pub moments: Option<DatePattern>,
    /// What stands where there is no value.
    pub absent: Absent,
    /// The object.
    pub body: Shape,
}

/// What stands where there is no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absent {
    /// `null`.
    Null,
    /// An empty text.
    Empty,
    /// The name is left out, too.
    LeftOut,
}

/// A part of the consumer's object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// Names and what stands under them.
    Object(Vec<(String, Shape)>),
    /// A list.
    List(Vec<Shape>),
    /// A text with places for values. One that is a single place keeps the kind of its value.
    Text(Template),
    /// This number.
    Integer(i64),
    /// Yes or no.
    YesNo(bool),
}

/// Why a profile cannot be used. The message names the line or the key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConsumerProfileError {
    /// Not TOML, a key nobody knows, or a value of the wrong kind.
    #[error(transparent)]
    Toml(#[from] toml::de::Error),
    /// The name is none.
    #[error("name = {0:?}: 1 to 64 small letters, digits and hyphens are possible")]
    Name(String),
    /// A text that people must be told is empty.
    #[error("{0} is empty: people have to be told")]
    Untold(&'static str),
    /// A field without sources.
    #[error("fields.{0} names no source")]
    NoSource(Datum),
    /// A field that this source does not have, or a source that is named twice.
    #[error("fields.{datum}: {source_name} is no source of it, or stands there twice")]
    Source {
        /// Which.
        datum: Datum,
        /// As written.
        source_name: Source,
    },
    /// A field that needs a word under `[touches]`.
    #[error("fields.{datum} is taken, and touches.{touch} is not true")]
    Untouchable {
        /// Which.
        datum: Datum,
        /// What is missing.
        touch: &'static str,
    },
    /// `[touches]` names what no field takes.
    #[error("touches.{0} is true, and no field takes anything of it")]
    TouchedInVain(&'static str),
    /// A required field that is not taken.
    #[error("required names {0}, which is not among the fields")]
    RequiredNotTaken(Datum),
    /// A field that is taken and goes nowhere.
    #[error("fields.{0} is taken, and stands in no output and no demand: what is not needed is not taken")]
    TakenInVain(Datum),
    /// A place for a value whose field is not taken.
    #[error("output.{place}: {value} needs the field {datum}, which is not taken")]
    NotTaken {
        /// Where.
        place: String,
        /// Which value.
        value: Value,
        /// Which field.
        datum: Datum,
    },
    /// `{token}` without `[token]`.
    #[error("output.{0}: there is no [token] that says how to make it")]
    NoTokenRule(String),
    /// `[token]` is there and used nowhere, or says nothing.
    #[error("[token] is used by no output, or has no context or key_file")]
    TokenInVain,
    /// A deny list that no demand looks at, or a demand without one.
    #[error("checks.not-denied and token.deny_file go together")]
    DenyList,
    /// A map or bands nobody can use.
    #[error("{kind}.{name}: {why}")]
    OwnFormat {
        /// `maps` or `bands`.
        kind: &'static str,
        /// Its name.
        name: String,
        /// What is wrong.
        why: &'static str,
    },
    /// A demand that cannot be met.
    #[error("checks.{0}: nothing is under `required`, so it demands nothing")]
    CompleteOfNothing(Demand),
    /// A demand on a field that is not taken.
    #[error("checks.{demand} needs the field {datum}, which is not taken")]
    DemandNotTaken {
        /// Which.
        demand: Demand,
        /// Which field.
        datum: Datum,
    },
    /// Nothing says what becomes of a document that is not genuine.
    #[error("checks: `genuine` or `nothing-failed` must be there, to say what becomes of a forged document")]
    NoVerdict,
    /// A text of the output is wrong.
    #[error("output.{place}: {source}")]
    Template {
        /// Where.
        place: String,
        /// What is wrong.
        source: TemplateError,
    },
    /// A value that no output can have.
    #[error("output.{0}: a text, a whole number, true or false, a list or an object is possible")]
    Shape(String),
    /// Objects in objects without end, or an empty one.
    #[error("output.{0}: empty, or more than 8 objects and lists in one another")]
    Depth(String),
    /// A file of another name than the profile in it.
    #[error("the file is called {file:?} and the profile in it {name:?}")]
    FileName {
        /// The file's name without its ending.
        file: String,
        /// The profile's.
        name: String,
    },
}

impl ConsumerProfile {
    /// Understands the text of a profile.
    pub fn parse(text: &str) -> Result<Self, ConsumerProfileError> {
        toml::from_str::<RawProfile>(text)?.try_into()
    }

    /// Refuses a file of another name than its profile's: whoever looks for the one must find the other.
    pub fn require_named(&self, file: &str) -> Result<(), ConsumerProfileError> {
        if file == self.name {
            return Ok(());
        }
        Err(ConsumerProfileError::FileName { file: file.to_owned(), name: self.name.clone() })
    }

    /// The JSON Schema of a profile, for editors.
    pub fn json_schema() -> String {
        let schema = schemars::schema_for!(RawProfile);
        // A schema is made of strings, numbers and lists: it can always be written.
        serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
    }

    /// The data groups that its fields need. DG1 is among them wherever a verdict is: whether the state that
    /// signed is the one that issued stands in no other.
    pub fn groups(&self) -> BTreeSet<FileId> {
        let taken = self.fields.values().flatten().filter_map(|source| source.file());
        taken.chain([FileId::DG1]).collect()
    }

    /// Whether any field may come from the code that opened the chip.
    pub fn takes_code(&self) -> bool {
        self.fields.values().flatten().any(|source| *source == Source::Code)
    }
}

/// The profiles at hand, by name.
#[derive(Debug, Clone, Default)]
pub struct ConsumerCatalogue(BTreeMap<String, ConsumerProfile>);

impl ConsumerCatalogue {
    /// The profiles shipped with the program. A test loads every one.
    pub fn shipped() -> Self {
        let texts = SHIPPED.files().filter_map(|file| file.contents_utf8());
        Self::new(texts.filter_map(|text| ConsumerProfile::parse(text).ok()))
    }

    /// A catalogue of these; of two with one name the later.
    pub fn new(profiles: impl IntoIterator<Item = ConsumerProfile>) -> Self {
        Self(profiles.into_iter().map(|profile| (profile.name.clone(), profile)).collect())
    }

    /// The same with `profile`, in the place of the one of the same name.
    pub fn insert(&mut self, profile: ConsumerProfile) {
        self.0.insert(profile.name.clone(), profile);
    }

    /// The profile of this name.
    pub fn find(&self, name: &str) -> Option<&ConsumerProfile> {
        self.0.get(name)
    }

    /// All of them, by name.
    pub fn all(&self) -> impl Iterator<Item = &ConsumerProfile> {
        self.0.values()
    }

    /// The text of a shipped profile as its file has it.
    pub fn shipped_text(name: &str) -> Option<&'static str> {
        SHIPPED.get_file(format!("{name}.toml"))?.contents_utf8()
    }
}

impl TryFrom<RawProfile> for ConsumerProfile {
    type Error = ConsumerProfileError;

    fn try_from(raw: RawProfile) -> Result<Self, ConsumerProfileError> {
        let name = named(raw.name)?;
        let words = |key, words: RawWords| match words {
            RawWords { vi, en } if vi.trim().is_empty() || en.trim().is_empty() => {
                Err(ConsumerProfileError::Untold(key))
            }
            RawWords { vi, en } => Ok(Words { vi, en }),
        };
        let (title, purpose) = (words("title", raw.title)?, words("purpose", raw.purpose)?);
        let legal_basis = words("legal_basis", raw.legal_basis)?;
        check_fields(&raw.fields, &raw.touches)?;
        let required: BTreeSet<Datum> = raw.required.into_iter().collect();
        if let Some(absent) = required.iter().find(|datum| !raw.fields.contains_key(datum)) {
            return Err(ConsumerProfileError::RequiredNotTaken(*absent));
        }
        check_demands(&raw.checks, &raw.fields, &required)?;
        let bands = raw
            .bands
            .into_iter()
            .map(|(name, written)| Ok((name.clone(), bands(name, written)?)))
            .collect::<Result<BTreeMap<_, _>, ConsumerProfileError>>()?;
        for (name, map) in &raw.maps {
            let why = match map {
                map if map.is_empty() => "it is empty",
                _ if bands.contains_key(name) => "there are bands of the same name",
                _ => continue,
            };
            return Err(ConsumerProfileError::OwnFormat { kind: "maps", name: name.clone(), why });
        }
        let own = OwnFormats {
            is_map: &|name| raw.maps.contains_key(name),
            are_bands: &|name| bands.contains_key(name),
        };
        let output = output(raw.output, own)?;
        let token = raw.token.map(token).transpose()?;
        let denies = token.as_ref().is_some_and(|token| token.deny_file.is_some());
        if denies != raw.checks.contains_key(&Demand::NotDenied) {
            return Err(ConsumerProfileError::DenyList);
        }
        check_places(&output.body, &raw.fields, token.as_ref())?;
        check_use(&output.body, &raw.fields, &raw.checks, token.as_ref())?;
        Ok(Self {
            name,
            title,
            purpose,
            legal_basis,
            required,
            fields: raw.fields,
            checks: raw.checks,
            retention_days: raw.retention.days,
            deliver: raw.deliver,
            token,
            maps: raw.maps,
            bands,
            output,
        })
    }
}

fn named(name: String) -> Result<String, ConsumerProfileError> {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let fits = (1..=64).contains(&name.len()) && name.bytes().all(good) && !name.starts_with('-');
    if fits { Ok(name) } else { Err(ConsumerProfileError::Name(name)) }
}

fn check_fields(
    fields: &BTreeMap<Datum, Vec<Source>>,
    touches: &RawTouches,
) -> Result<(), ConsumerProfileError> {
    for (datum, sources) in fields {
        if sources.is_empty() {
            return Err(ConsumerProfileError::NoSource(*datum));
        }
        let mut seen = BTreeSet::new();
        for source in sources {
            if !datum.sources().contains(source) || !seen.insert(source) {
                return Err(ConsumerProfileError::Source { datum: *datum, source_name: *source });
            }
        }
    }
    for (touch, name, allowed) in [
        (Touch::Portrait, "portrait", touches.portrait),
        (Touch::Family, "family", touches.family),
        (Touch::Sensitive, "sensitive", touches.sensitive),
    ] {
        match (fields.keys().find(|datum| datum.touch() == touch), allowed) {
            (Some(datum), false) => {
                return Err(ConsumerProfileError::Untouchable { datum: *datum, touch: name });
            }
            (None, true) => return Err(ConsumerProfileError::TouchedInVain(name)),
            _ => {}
        }
    }
    Ok(())
}

fn check_demands(
    checks: &BTreeMap<Demand, Otherwise>,
    fields: &BTreeMap<Datum, Vec<Source>>,
    required: &BTreeSet<Datum>,
) -> Result<(), ConsumerProfileError> {
    if !checks.contains_key(&Demand::Genuine) && !checks.contains_key(&Demand::NothingFailed) {
        return Err(ConsumerProfileError::NoVerdict);
    }
    if checks.contains_key(&Demand::Complete) && required.is_empty() {
        return Err(ConsumerProfileError::CompleteOfNothing(Demand::Complete));
    }
    if checks.contains_key(&Demand::InForce) && !fields.contains_key(&Datum::Expiry) {
        return Err(ConsumerProfileError::DemandNotTaken { demand: Demand::InForce, datum: Datum::Expiry });
    }
    Ok(())
}

fn token(raw: RawToken) -> Result<TokenRule, ConsumerProfileError> {
    if raw.key_file.is_empty() || !(1..=64).contains(&raw.context.len()) {
        return Err(ConsumerProfileError::TokenInVain);
    }
    let deny_file = raw.deny_file.filter(|path| !path.is_empty()).map(PathBuf::from);
    Ok(TokenRule { key_file: raw.key_file.into(), context: raw.context, deny_file })
}

fn bands(name: String, written: Vec<RawBand>) -> Result<Vec<(u16, String)>, ConsumerProfileError> {
    let bands: Vec<_> = written.into_iter().map(|band| (band.from, band.is)).collect();
    let why = if bands.is_empty() {
        "there are none"
    } else if !bands.is_sorted_by(|one, next| one.0 < next.0) {
        "each begins above the one before"
    } else {
        return Ok(bands);
    };
    Err(ConsumerProfileError::OwnFormat { kind: "bands", name, why })
}

fn output(raw: RawOutput, own: OwnFormats<'_>) -> Result<OutputRule, ConsumerProfileError> {
    let pattern = |place: &str, text: &str| {
        DatePattern::parse(text)
            .map_err(|source| ConsumerProfileError::Template { place: place.to_owned(), source })
    };
    Ok(OutputRule {
        dates: pattern("dates", &raw.dates)?,
        moments: raw.moments.map(|text| pattern("moments", &text)).transpose()?,
        absent: match raw.absent {
            RawAbsent::Null => Absent::Null,
            RawAbsent::Empty => Absent::Empty,
            RawAbsent::LeftOut => Absent::LeftOut,
        },
        body: shape("body", toml::Value::Table(raw.body), own, 0)?,
    })
}

fn shape(
    place: &str,
    written: toml::Value,
    own: OwnFormats<'_>,
    depth: usize,
) -> Result<Shape, ConsumerProfileError> {
    if depth > DEEPEST {
        return Err(ConsumerProfileError::Depth(place.to_owned()));
    }
    Ok(match written {
        toml::Value::Table(table) if table.is_empty() => {
            return Err(ConsumerProfileError::Depth(place.to_owned()));
        }
        toml::Value::Table(table) => Shape::Object(
            table
                .into_iter()
                .map(|(name, value)| {
                    let shape = shape(&format!("{place}.{name}"), value, own, depth + 1)?;
                    Ok((name, shape))
                })
                .collect::<Result<_, ConsumerProfileError>>()?,
        ),
        toml::Value::Array(list) => Shape::List(
            list.into_iter()
                .map(|value| shape(place, value, own, depth + 1))
                .collect::<Result<_, ConsumerProfileError>>()?,
        ),
        toml::Value::String(text) => Shape::Text(
            Template::parse(&text, own)
                .map_err(|source| ConsumerProfileError::Template { place: place.to_owned(), source })?,
        ),
        toml::Value::Integer(number) => Shape::Integer(number),
        toml::Value::Boolean(answer) => Shape::YesNo(answer),
        toml::Value::Float(_) | toml::Value::Datetime(_) => {
            return Err(ConsumerProfileError::Shape(place.to_owned()));
        }
    })
}

impl Shape {
    /// Every value that stands in it, with the names that lead there.
    pub fn values(&self) -> Vec<(String, Value)> {
        let mut found = Vec::new();
        self.collect("body", &mut found);
        found
    }

    fn collect(&self, place: &str, found: &mut Vec<(String, Value)>) {
        match self {
            Self::Object(members) => {
                for (name, shape) in members {
                    shape.collect(&format!("{place}.{name}"), found);
                }
            }
            Self::List(list) => {
                for shape in list {
                    shape.collect(place, found);
                }
            }
            Self::Text(template) => {
                found.extend(template.values().map(|value| (place.to_owned(), value)));
            }
            Self::Integer(_) | Self::YesNo(_) => {}
        }
    }
}

/// Every place has what it needs.
fn check_places(
    body: &Shape,
    fields: &BTreeMap<Datum, Vec<Source>>,
    token: Option<&TokenRule>,
) -> Result<(), ConsumerProfileError> {
    for (place, value) in body.values() {
        if value == Value::Token && token.is_none() {
            return Err(ConsumerProfileError::NoTokenRule(place));
        }
        if let Some(datum) = value.data().into_iter().find(|datum| !fields.contains_key(datum)) {
            return Err(ConsumerProfileError::NotTaken { place, value, datum });
        }
    }
    Ok(())
}

/// Everything taken has its place.
fn check_use(
    body: &Shape,
    fields: &BTreeMap<Datum, Vec<Source>>,
    checks: &BTreeMap<Demand, Otherwise>,
    token: Option<&TokenRule>,
) -> Result<(), ConsumerProfileError> {
    let values = body.values();
    for datum in fields.keys() {
        let in_output = values.iter().any(|(_, value)| value.data().contains(datum));
        let in_demand = *datum == Datum::Expiry && checks.contains_key(&Demand::InForce);
        if !in_output && !in_demand {
            return Err(ConsumerProfileError::TakenInVain(*datum));
        }
    }
    if token.is_some() && !values.iter().any(|(_, value)| *value == Value::Token) {
        return Err(ConsumerProfileError::TokenInVain);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
