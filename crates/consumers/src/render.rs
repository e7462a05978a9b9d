//! The consumer's object, from the shape in the profile and the fields that were taken.

use std::fmt::Write as _;

use base64ct::{Base64, Encoding as _};
use cccd_document::text::folded;
use cccd_document::{PartialDate, Personal, Sex, StatedDate, Validity};
use cccd_profiles::ConsumerProfile;
use cccd_profiles::consumer::{
    Absent, DatePart, DatePattern, Datum, Format, Piece, Place, Shape, Source, Template,
    TemplateValue as Value,
};
use time::format_description::well_known::Rfc3339;
use time::macros::date;
use time::{Date, OffsetDateTime};

use crate::picked::{Picked, PickedFields};
use crate::{PseudonymKey, Shaped, Subject};

/// The day the law began to call the card *thẻ Căn cước* (Law on Identification 26/2023/QH15).
const CAN_CUOC_SINCE: Date = date!(2024 - 07 - 01);
/// The office on the cards of before, and the one of after. No chip says it: programs go by the day of issue.
const ISSUED_BEFORE: &str = "Cục Cảnh sát quản lý hành chính về trật tự xã hội";
const ISSUED_SINCE: &str = "Bộ Công an";
/// What stands on a card that is valid for ever, where the MRZ alone says so.
const WITHOUT_END: &str = "Không thời hạn";

/// Everything an object is made of.
pub(crate) struct Renderer<'a> {
    pub(crate) profile: &'a ConsumerProfile,
    pub(crate) subject: &'a Subject<'a>,
    pub(crate) fields: &'a PickedFields,
    pub(crate) key: Option<&'a PseudonymKey>,
}

/// A value in a place.
enum Written {
    Text(Personal),
    Integer(i64),
    YesNo(bool),
}

impl Renderer<'_> {
    /// The whole object.
    pub(crate) fn body(&self) -> Shaped {
        self.shape(&self.profile.output.body).unwrap_or(Shaped::Null)
    }

    /// A part of it; `None` where it is to be left out.
    fn shape(&self, shape: &Shape) -> Option<Shaped> {
        Some(match shape {
            Shape::Object(members) => Shaped::Object(
                members.iter().filter_map(|(name, shape)| Some((name.clone(), self.shape(shape)?))).collect(),
            ),
            Shape::List(list) => Shaped::List(list.iter().filter_map(|shape| self.shape(shape)).collect()),
            Shape::Integer(number) => Shaped::Integer(*number),
            Shape::YesNo(answer) => Shaped::YesNo(*answer),
            Shape::Text(template) => match self.template(template) {
                Some(Written::Text(text)) => Shaped::Text(text),
                Some(Written::Integer(number)) => Shaped::Integer(number),
                Some(Written::YesNo(answer)) => Shaped::YesNo(answer),
                None => match self.profile.output.absent {
                    Absent::Null => Shaped::Null,
                    Absent::Empty => Shaped::Text(Personal::default()),
                    Absent::LeftOut => return None,
                },
            },
        })
    }

    /// A text. A single place keeps the kind of its value; a text none of whose places has a value is none.
    fn template(&self, template: &Template) -> Option<Written> {
        if let [Piece::Place(place)] = template.pieces.as_slice() {
            return self.place(place);
        }
        let mut places = 0_usize;
        let mut found = Vec::with_capacity(template.pieces.len());
        for piece in &template.pieces {
            match piece {
                Piece::Text(text) => found.push(Some(Personal::from(text.as_str()))),
                Piece::Place(place) => {
                    places += 1;
                    found.push(self.place(place).map(Written::into_text));
                }
            }
        }
        let texts = template.pieces.len() - places;
        let filled = found.iter().flatten().count();
        if places > 0 && filled == texts {
            return None;
        }
        // Joined with the room it takes, so that nothing is left behind by a string that grows.
        let room = found.iter().flatten().map(|text| text.expose().len()).sum();
        let mut whole = String::with_capacity(room);
        found.iter().flatten().for_each(|text| whole.push_str(text.expose()));
        Some(Written::Text(Personal::new(whole)))
    }

    fn place(&self, place: &Place) -> Option<Written> {
        let format = &place.format;
        Some(match place.value {
            Value::Datum(datum) => Written::Text(self.datum(datum, format)?),
            Value::Age => {
                let age = self.age()?;
                match format {
                    Format::Bands(name) => Written::Text(self.band(name, age)?),
                    _ => Written::Integer(i64::from(age)),
                }
            }
            Value::Genuine => Written::YesNo(self.subject.verdict.summary() == cccd_trust::Summary::Genuine),
            Value::ReadAt => Written::Text(self.moment(format)),
            other => Written::Text(self.words(self.text_of(other)?, format)?),
        })
    }

    /// What a value says that is a text and no field.
    fn text_of(&self, value: Value) -> Option<Personal> {
        let subject = self.subject;
        Some(match value {
            Value::Token => {
                let rule = self.profile.token.as_ref()?;
                self.key?.pseudonym(&rule.context, self.fields.text(Datum::Number)?)
            }
            Value::PlaceOfIssue => self.place_of_issue()?.into(),
            Value::DocumentKind => self.document_kind()?.into(),
            Value::Verdict => subject.verdict.summary().code().into(),
            Value::VerdictCode => subject.verdict.code().into(),
            Value::ReadId => subject.read_id.into(),
            Value::ReaderId => subject.reader_id.into(),
            Value::PortraitType => match self.fields.get(Datum::Portrait)? {
                Picked::Portrait(portrait) => portrait.media_type.as_str().into(),
                _ => return None,
            },
            Value::Datum(_) | Value::Age | Value::Genuine | Value::ReadAt => return None,
        })
    }

    fn datum(&self, datum: Datum, format: &Format) -> Option<Personal> {
        match self.fields.get(datum)? {
            Picked::Text(text) => self.words(text.clone(), format),
            Picked::Sex(sex) => self.sex(*sex, format),
            Picked::Date(stated) => self.date(stated, format),
            Picked::Expiry(Validity::Until(stated)) => self.date(stated, format),
            Picked::Expiry(Validity::WithoutEnd(words)) => match format {
                // A pattern has no way to say it.
                Format::Pattern(_) => None,
                _ if words.is_empty() => Some(WITHOUT_END.into()),
                _ => Some(words.clone()),
            },
            Picked::Portrait(portrait) => Some(Personal::new(Base64::encode_string(portrait.bytes.expose()))),
        }
    }

    /// A text in its format.
    fn words(&self, text: Personal, format: &Format) -> Option<Personal> {
        match format {
            Format::Upper => Some(Personal::new(text.expose().to_uppercase())),
            Format::Folded => Some(Personal::from(folded(text.expose()).as_str())),
            Format::Map(name) => self.mapped(name, text.expose()),
            _ => Some(text),
        }
    }

    fn sex(&self, sex: Sex, format: &Format) -> Option<Personal> {
        let word = match sex {
            Sex::Male => "male",
            Sex::Female => "female",
            Sex::Unspecified => "unspecified",
        };
        match (format, sex) {
            (Format::SexVietnamese, Sex::Male) => Some("Nam".into()),
            (Format::SexVietnamese, Sex::Female) => Some("Nữ".into()),
            (Format::SexVietnamese, Sex::Unspecified) => None,
            (Format::SexNumber, Sex::Male) => Some("1".into()),
            (Format::SexNumber, Sex::Female) => Some("2".into()),
            (Format::SexNumber, Sex::Unspecified) => Some("3".into()),
            (Format::SexLetter, Sex::Male) => Some("M".into()),
            (Format::SexLetter, Sex::Female) => Some("F".into()),
            (Format::SexLetter, Sex::Unspecified) => Some("X".into()),
            (Format::Map(name), _) => self.mapped(name, word),
            _ => Some(word.into()),
        }
    }

    fn mapped(&self, name: &str, value: &str) -> Option<Personal> {
        let map = self.profile.maps.get(name)?;
        map.get(value).or_else(|| map.get("_")).map(|word| word.as_str().into())
    }

    fn band(&self, name: &str, number: u16) -> Option<Personal> {
        let bands = self.profile.bands.get(name)?;
        bands.iter().rfind(|(from, _)| *from <= number).map(|(_, is)| is.as_str().into())
    }

    /// A date by a pattern. Text that is no date stands as it is where no pattern is asked for.
    fn date(&self, stated: &StatedDate, format: &Format) -> Option<Personal> {
        match format {
            Format::Pattern(pattern) => written(pattern, stated.date, None),
            _ => written(&self.profile.output.dates, stated.date, None)
                .or_else(|| Some(stated.printed.clone()).filter(|printed| !printed.is_empty())),
        }
    }

    fn moment(&self, format: &Format) -> Personal {
        let local = self.subject.local();
        let pattern = match format {
            Format::Pattern(pattern) => Some(pattern),
            _ => self.profile.output.moments.as_ref(),
        };
        let text = match pattern {
            Some(pattern) => written(pattern, PartialDate::Day(local.date()), Some(local)),
            // Only years beyond 9999 cannot be written.
            None => local.truncate_to_second().format(&Rfc3339).ok().map(Personal::new),
        };
        text.unwrap_or_default()
    }

    /// Years on the day of the reading. Where day or month of birth is unknown, the last it may be: nobody is made
    /// older than they are.
    fn age(&self) -> Option<u16> {
        let birth = self.fields.date(Datum::Birth)?.date;
        let today = self.subject.local().date();
        let (month, day) = match birth {
            PartialDate::Day(date) => (u8::from(date.month()), date.day()),
            PartialDate::Month(_, month) => (u8::from(month), 31),
            PartialDate::Year(_) => (12, 31),
            PartialDate::Unknown => return None,
        };
        let passed = (u8::from(today.month()), today.day()) >= (month, day);
        let years = today.year() - birth.year()? - i32::from(!passed);
        u16::try_from(years).ok()
    }

    /// The rule that Vietnamese programs go by. Of a foreign document nothing is known.
    fn place_of_issue(&self) -> Option<&'static str> {
        match self.fields.source(Datum::Issued)? {
            Source::Dg13 | Source::Code => {}
            _ => return None,
        }
        let issued = self.fields.date(Datum::Issued)?.date.day()?;
        Some(if issued >= CAN_CUOC_SINCE { ISSUED_SINCE } else { ISSUED_BEFORE })
    }

    fn document_kind(&self) -> Option<&'static str> {
        let code = self.fields.text(Datum::DocumentCode)?;
        if code.starts_with('P') {
            return Some("passport");
        }
        if !code.starts_with('I') || self.fields.text(Datum::IssuingState)? != "VNM" {
            return Some("other");
        }
        let issued = self.fields.date(Datum::Issued)?.date.day()?;
        Some(if issued >= CAN_CUOC_SINCE { "can-cuoc" } else { "cccd" })
    }
}

impl Written {
    fn into_text(self) -> Personal {
        match self {
            Self::Text(text) => text,
            Self::Integer(number) => Personal::new(number.to_string()),
            Self::YesNo(answer) => if answer { "true" } else { "false" }.into(),
        }
    }
}

/// A date by a pattern, see [`DatePattern`]; `moment` where there is a time of day, too.
fn written(pattern: &DatePattern, date: PartialDate, moment: Option<OffsetDateTime>) -> Option<Personal> {
    let year = date.year()?;
    let month = date.month().map(u8::from);
    let day = date.day().map(Date::day);
    let zeros = !pattern.is_separated();
    // A date has no time of day; where its day is unknown, saying midnight would say too much.
    let clock = |part: fn(OffsetDateTime) -> u8| moment.map(part).or(day.map(|_| 0));
    let mut out = String::with_capacity(40);
    let mut between: Option<&str> = None;
    for part in &pattern.parts {
        let number = match part {
            DatePart::Between(text) => {
                between = Some(text);
                continue;
            }
            DatePart::Year => {
                join(&mut out, &mut between);
                let _ = write!(out, "{year:04}");
                continue;
            }
            DatePart::Month => month,
            DatePart::Day => day,
            DatePart::Hour => clock(OffsetDateTime::hour),
            DatePart::Minute => clock(OffsetDateTime::minute),
            DatePart::Second => clock(OffsetDateTime::second),
        };
        if let Some(number) = number.or(zeros.then_some(0)) {
            join(&mut out, &mut between);
            let _ = write!(out, "{number:02}");
        } else if out.is_empty() {
            // What would have parted it from the next falls away with it.
            between = None;
        }
    }
    if between.is_some() && day.is_some() {
        join(&mut out, &mut between);
    }
    Some(Personal::new(out))
}

/// Writes what stands between two parts, if there is one before it.
fn join(out: &mut String, between: &mut Option<&str>) {
    if let Some(text) = between.take()
        && !out.is_empty()
    {
        out.push_str(text);
    }
}
