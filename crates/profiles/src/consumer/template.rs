//! Text with places for values: `Ông/Bà {name}, sinh ngày {birth:dd/MM/yyyy}`.
//!
//! `{name}` is a value as it comes, `{name:FORMAT}` one in a format, `{{` and `}}` are braces. The formats are those
//! of the value's kind, or the name of a map or of bands of the same profile.

use std::fmt;

use crate::consumer::datum::{Datum, ValueKind};

/// A text with places for values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Its pieces, in order.
    pub pieces: Vec<Piece>,
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Text as it stands.
    Text(String),
    /// A place for a value.
    Place(Place),
}

/// A place for a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// What stands there.
    pub value: Value,
    /// How it is written.
    pub format: Format,
}

/// What can stand in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// Something the document says.
    Datum(Datum),
    /// The holder's age in years on the day of the reading; needs `birth`.
    Age,
    /// The holder's pseudonym under the operator's key; needs `number` and `[token]`.
    Token,
    /// Who issued the card, by the rule that programs go by, as no chip says it; needs `issued`.
    PlaceOfIssue,
    /// `cccd`, `can-cuoc`, `passport` or `other`, by the document code and, of a Vietnamese card, by the day it was
    /// issued; needs `document_code`, `issuing_state` and `issued`.
    DocumentKind,
    /// `genuine`, `not_genuine` or `unconfirmed`.
    Verdict,
    /// Why it came to that, as a code.
    VerdictCode,
    /// Whether it is genuine.
    Genuine,
    /// When the reading was done.
    ReadAt,
    /// The name of the reading.
    ReadId,
    /// The reader's id.
    ReaderId,
    /// The media type of the portrait; needs `portrait`.
    PortraitType,
}

/// How a value is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// As it comes: dates and moments as the profile's `dates` and `moments` say, sex as `male`, `female` or
    /// `unspecified`, bytes in base64.
    Plain,
    /// A date or moment by a pattern of `yyyy`, `MM`, `dd`, `HH`, `mm` and `ss`.
    Pattern(DatePattern),
    /// In capitals.
    Upper,
    /// In capitals without diacritics and with one space between words, as an MRZ spells it.
    Folded,
    /// Sex as `Nam` or `Nữ`.
    SexVietnamese,
    /// Sex as `1` (male), `2` (female) or `3`.
    SexNumber,
    /// Sex as `M`, `F` or `X`.
    SexLetter,
    /// By a map of the profile.
    Map(String),
    /// By bands of the profile.
    Bands(String),
}

/// A pattern of a date. What is unknown of one falls away together with what separates it, and where nothing
/// separates the parts, zeros stand for it: of a person of whom only the year is known, `dd/MM/yyyy` gives `1990`, and
/// `yyyyMMddHHmm` gives `199000000000`, as QĐ 130/QĐ-BYT has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatePattern {
    /// Its parts, in order.
    pub parts: Vec<DatePart>,
}

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatePart {
    /// Four digits.
    Year,
    /// Two digits.
    Month,
    /// Two digits.
    Day,
    /// Two digits; `00` in a date.
    Hour,
    /// Two digits; `00` in a date.
    Minute,
    /// Two digits; `00` in a date.
    Second,
    /// What stands between.
    Between(String),
}

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// A brace without its other half.
    #[error("a single `{{` or `}}`: write it twice where it is meant as it stands")]
    Brace,
    /// A value nobody knows.
    #[error("{{{0}}}: no such value")]
    Value(String),
    /// A format that this value cannot be written in.
    #[error(
        "{{{value}:{format}}}: {value} cannot be written so, and the profile has no map or bands of that name"
    )]
    Format {
        /// Of what.
        value: Value,
        /// As written.
        format: String,
    },
    /// Not a pattern of a date.
    #[error(
        "{0:?} is no date pattern: yyyy, MM, dd, HH, mm and ss, each at most once, and what stands between them"
    )]
    Pattern(String),
}

impl Value {
    const OTHERS: [(&'static str, Self); 11] = [
        ("age", Self::Age),
        ("token", Self::Token),
        ("place_of_issue", Self::PlaceOfIssue),
        ("document_kind", Self::DocumentKind),
        ("verdict", Self::Verdict),
        ("verdict_code", Self::VerdictCode),
        ("genuine", Self::Genuine),
        ("read_at", Self::ReadAt),
        ("read_id", Self::ReadId),
        ("reader_id", Self::ReaderId),
        ("portrait_type", Self::PortraitType),
    ];

    fn named(name: &str) -> Option<Self> {
        let datum = Datum::ALL.into_iter().find(|datum| datum.name() == name).map(Self::Datum);
        datum.or_else(|| Self::OTHERS.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value))
    }

    /// The fields it is made of; none for what is about the reading.
    pub fn data(self) -> Vec<Datum> {
        match self {
            Self::Datum(datum) => vec![datum],
            Self::Age => vec![Datum::Birth],
            Self::Token => vec![Datum::Number],
            Self::PlaceOfIssue => vec![Datum::Issued],
            Self::DocumentKind => vec![Datum::DocumentCode, Datum::IssuingState, Datum::Issued],
            Self::PortraitType => vec![Datum::Portrait],
            _ => Vec::new(),
        }
    }

    /// What kind of value it is.
    pub fn kind(self) -> ValueKind {
        match self {
            Self::Datum(datum) => datum.kind(),
            Self::Age => ValueKind::Number,
            Self::Genuine => ValueKind::YesNo,
            Self::ReadAt => ValueKind::Moment,
            _ => ValueKind::Text,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Datum(datum) => f.write_str(datum.name()),
            other => {
                let name = Self::OTHERS.iter().find(|(_, value)| value == other).map(|(name, _)| *name);
                f.write_str(name.unwrap_or_default())
            }
        }
    }
}

/// The names of what a profile adds to the formats.
#[derive(Clone, Copy)]
pub(crate) struct OwnFormats<'a> {
    /// Whether there is a map of this name.
    pub(crate) is_map: &'a dyn Fn(&str) -> bool,
    /// Whether there are bands of this name.
    pub(crate) are_bands: &'a dyn Fn(&str) -> bool,
}

impl Template {
    /// Understands a template.
    pub(crate) fn parse(text: &str, own: OwnFormats<'_>) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut letters = text.chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                '{' | '}' if letters.peek() == Some(&letter) => {
                    letters.next();
                    plain.push(letter);
                }
                '}' => return Err(TemplateError::Brace),
                '{' => {
                    let mut inside = String::new();
                    loop {
                        match letters.next() {
                            Some('}') => break,
                            None | Some('{') => return Err(TemplateError::Brace),
                            Some(letter) => inside.push(letter),
                        }
                    }
                    if !plain.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    }
                    pieces.push(Piece::Place(Place::parse(&inside, own)?));
                }
                letter => plain.push(letter),
            }
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self { pieces })
    }

    /// The values in it.
    pub fn values(&self) -> impl Iterator<Item = Value> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Place(place) => Some(place.value),
        })
    }
}

impl Place {
    fn parse(inside: &str, own: OwnFormats<'_>) -> Result<Self, TemplateError> {
        let (name, format) = match inside.split_once(':') {
            None => (inside, None),
            Some((name, format)) => (name, Some(format)),
        };
        let value = Value::named(name).ok_or_else(|| TemplateError::Value(name.to_owned()))?;
        let format = match format {
            None => Format::Plain,
            Some(format) => Format::parse(value, format, own)?,
        };
        Ok(Self { value, format })
    }
}

impl Format {
    fn parse(value: Value, format: &str, own: OwnFormats<'_>) -> Result<Self, TemplateError> {
        let kind = value.kind();
        Ok(match (kind, format) {
            (ValueKind::Text, "upper") => Self::Upper,
            (ValueKind::Text, "folded") => Self::Folded,
            (ValueKind::Sex, "vietnamese") => Self::SexVietnamese,
            (ValueKind::Sex, "number") => Self::SexNumber,
            (ValueKind::Sex, "letter") => Self::SexLetter,
            (ValueKind::Text | ValueKind::Sex, name) if (own.is_map)(name) => Self::Map(name.to_owned()),
            (ValueKind::Number, name) if (own.are_bands)(name) => Self::Bands(name.to_owned()),
            (ValueKind::Date | ValueKind::Moment, pattern) => Self::Pattern(DatePattern::parse(pattern)?),
            _ => return Err(TemplateError::Format { value, format: format.to_owned() }),
        })
    }
}

impl DatePattern {
    /// Understands a pattern.
    pub(crate) fn parse(pattern: &str) -> Result<Self, TemplateError> {
        let wrong = || TemplateError::Pattern(pattern.to_owned());
        let words = [
            ("yyyy", DatePart::Year),
            ("MM", DatePart::Month),
            ("dd", DatePart::Day),
            ("HH", DatePart::Hour),
            ("mm", DatePart::Minute),
            ("ss", DatePart::Second),
        ];
        let mut parts: Vec<DatePart> = Vec::new();
        let mut rest = pattern;
        while !rest.is_empty() {
            let word = words.iter().find_map(|(word, part)| Some((rest.strip_prefix(word)?, part)));
            if let Some((after, part)) = word {
                if parts.contains(part) {
                    return Err(wrong());
                }
                parts.push(part.clone());
                rest = after;
                continue;
            }
            let mut letters = rest.chars();
            let letter = letters.next().ok_or_else(wrong)?;
            // `D` and `m` alone are mistakes, not text; `T` stands between date and time in ISO 8601.
            if (letter.is_ascii_alphanumeric() && letter != 'T' && letter != 'Z') || letter.is_control() {
                return Err(wrong());
            }
            match parts.last_mut() {
                Some(DatePart::Between(between)) => between.push(letter),
                _ => parts.push(DatePart::Between(letter.to_string())),
            }
            rest = letters.as_str();
        }
        if !parts.contains(&DatePart::Year) { Err(wrong()) } else { Ok(Self { parts }) }
    }

    /// Whether anything stands between its parts.
    pub fn is_separated(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, DatePart::Between(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Template, TemplateError> {
        let own = OwnFormats { is_map: &|name| name == "codes", are_bands: &|name| name == "fare" };
        Template::parse(text, own)
    }

    #[test]
    fn places_and_text_take_turns() {
        let template = parse("Bà {name:upper}, {{{birth:dd/MM/yyyy}}} {sex:codes}{age:fare}").unwrap();
        assert_eq!(template.pieces.len(), 7);
        assert_eq!(template.pieces[0], Piece::Text("Bà ".to_owned()));
        assert_eq!(template.pieces[2], Piece::Text(", {".to_owned()));
        assert_eq!(template.pieces[4], Piece::Text("} ".to_owned()));
        let names: Vec<_> = template.values().map(|value| value.to_string()).collect();
        assert_eq!(names, ["name", "birth", "sex", "age"]);
    }

    #[test]
    fn mistakes_are_told() {
        for (text, told) in [
            ("{name", "single"),
            ("name}", "single"),
            ("{na{me}", "single"),
            ("{salary}", "{salary}: no such value"),
            ("{name:dd/MM/yyyy}", "cannot be written so"),
            ("{name:fare}", "no map or bands"),
            ("{birth:DD/MM/YYYY}", "no date pattern"),
            ("{birth:dd/dd/yyyy}", "no date pattern"),
            ("{birth:MM/dd}", "no date pattern"),
            ("{sex:upper}", "{sex:upper}"),
            ("{genuine:upper}", "{genuine:upper}"),
        ] {
            let message = parse(text).unwrap_err().to_string();
            assert!(message.contains(told), "{text}: {message}");
        }
    }
}
