//! The JSON twin of the record: each field with the file it is from, whether its bytes are verified, and
//! both forms of a date. It borrows from the reading, so that no text is copied that nobody wipes.

use cccd_document::lds::dg13::Dg13Note;
use cccd_document::{
    CitizenRecord, Field, FieldSet, MrzFinding, PartialDate, Personal, RecordField, RecordNote, Sex,
    StatedDate, Validity,
};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

/// What the chip says about its holder. A field is null where the chip does not have it or it was not read.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Record)]
pub(crate) struct RecordJson<'a> {
    /// The number the person keeps for life: twelve digits in Vietnam.
    number: Option<TextFieldJson<'a>>,
    /// The name, with diacritics where the chip has them.
    name: Option<TextFieldJson<'a>>,
    /// Date of birth.
    birth: Option<DateFieldJson<'a>>,
    /// Sex.
    sex: Option<SexFieldJson>,
    /// Nationality: the word of DG13, or the three letters of the MRZ.
    nationality: Option<TextFieldJson<'a>>,
    /// Ethnicity. Sensitive by law.
    ethnicity: Option<TextFieldJson<'a>>,
    /// Religion; `Không` where there is none. Sensitive by law.
    religion: Option<TextFieldJson<'a>>,
    /// Place of origin, or of birth in a foreign document.
    origin: Option<TextFieldJson<'a>>,
    /// Residence.
    residence: Option<TextFieldJson<'a>>,
    /// Identifying features.
    features: Option<TextFieldJson<'a>>,
    /// Date of issue.
    issued: Option<DateFieldJson<'a>>,
    /// Until when the document is valid.
    expiry: Option<ExpiryFieldJson<'a>>,
    /// Father.
    father: Option<TextFieldJson<'a>>,
    /// Mother.
    mother: Option<TextFieldJson<'a>>,
    /// One parent, where the chip does not tell which.
    unplaced_parent: Option<TextFieldJson<'a>>,
    /// Husband or wife.
    spouse: Option<TextFieldJson<'a>>,
    /// The nine-digit number of the older identity card.
    old_number: Option<TextFieldJson<'a>>,
    /// Field 16 of DG13: sixteen hexadecimal digits of unknown meaning.
    field_16: Option<TextFieldJson<'a>>,
    /// The number of the document, as the MRZ has it.
    document_number: Option<TextFieldJson<'a>>,
    /// The document code of the MRZ.
    document_code: Option<TextFieldJson<'a>>,
    /// The issuing state of the MRZ.
    issuing_state: Option<TextFieldJson<'a>>,
    /// The surname, as the MRZ spells it.
    mrz_surname: Option<TextFieldJson<'a>>,
    /// Middle and given names, as the MRZ spells them.
    mrz_given_names: Option<TextFieldJson<'a>>,
    /// What disagrees or is odd.
    notes: Vec<NoteJson>,
}

/// A text.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TextField)]
pub(crate) struct TextFieldJson<'a> {
    /// The text, as stored.
    #[schema(value_type = String)]
    value: Silent<'a>,
    /// The file it is from.
    #[schema(example = "EF.DG13")]
    source: String,
    /// Whether the file's bytes are proved genuine.
    verified: bool,
}

/// A date, in both forms.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DateField)]
pub(crate) struct DateFieldJson<'a> {
    /// ISO 8601, down to the part that is known: `1990-01-02`, `1990-01` or `1990`; null where the text is no
    /// date.
    #[serde(serialize_with = "exposed")]
    #[schema(value_type = Option<String>, example = "1990-01-02", pattern = "^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$")]
    iso: Option<Personal>,
    /// As the card prints it.
    #[schema(value_type = String, example = "02/01/1990")]
    printed: Silent<'a>,
    /// The file it is from.
    #[schema(example = "EF.DG13")]
    source: String,
    /// Whether the file's bytes are proved genuine.
    verified: bool,
}

/// Until when a document is valid.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExpiryField)]
pub(crate) struct ExpiryFieldJson<'a> {
    /// Whether it is valid without end; then there is no date.
    without_end: bool,
    /// ISO 8601; null without end, and where the text is no date.
    #[serde(serialize_with = "exposed")]
    #[schema(value_type = Option<String>, example = "2030-01-02", pattern = "^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$")]
    iso: Option<Personal>,
    /// As the card prints it, such as `Không thời hạn`.
    #[schema(value_type = String, example = "02/01/2030")]
    printed: Silent<'a>,
    /// The file it is from.
    #[schema(example = "EF.DG13")]
    source: String,
    /// Whether the file's bytes are proved genuine.
    verified: bool,
}

/// Sex.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SexField)]
pub(crate) struct SexFieldJson {
    /// The sex.
    value: SexJson,
    /// The file it is from.
    #[schema(example = "EF.DG13")]
    source: String,
    /// Whether the file's bytes are proved genuine.
    verified: bool,
}

/// Sex, as ICAO 9303 knows it.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Sex)]
pub(crate) enum SexJson {
    /// Nữ.
    Female,
    /// Nam.
    Male,
    /// Not stated, or neither.
    Unspecified,
}

impl std::fmt::Debug for SexJson {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<sex>")
    }
}

/// Something that disagrees or is odd. It tells no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = Note)]
pub(crate) enum NoteJson {
    /// DG1 and DG13 have different numbers.
    NumbersDiffer,
    /// DG1 and DG13 have different names, diacritics aside.
    NamesDiffer,
    /// DG1 and DG13 have different dates of birth.
    BirthsDiffer,
    /// DG1 and DG13 have different sexes.
    SexesDiffer,
    /// DG1 and DG13 expire at different times.
    ExpiriesDiffer,
    /// The check digit over the document number in the MRZ is wrong.
    MrzDocumentNumberCheck,
    /// The check digit over the date of birth in the MRZ is wrong.
    MrzBirthCheck,
    /// The check digit over the date of expiry in the MRZ is wrong.
    MrzExpiryCheck,
    /// The check digit over the personal number in the MRZ is wrong.
    MrzPersonalNumberCheck,
    /// The composite check digit of the MRZ is wrong.
    MrzCompositeCheck,
    /// The date of birth in the MRZ is no date.
    MrzBirthImpossible,
    /// The date of expiry in the MRZ is no date.
    MrzExpiryImpossible,
    /// The sex in the MRZ is none there is.
    MrzSexImpossible,
    /// DG13 is not of the Vietnamese structure.
    Dg13Unrecognised,
    /// The scanned code and the chip have different numbers.
    ScannedNumberDiffers,
    /// The scanned code and the chip have different names, diacritics aside.
    ScannedNameDiffers,
    /// The scanned code and the chip have different dates of birth.
    ScannedBirthDiffers,
    /// The scanned code and the chip have different sexes.
    ScannedSexDiffers,
    /// The scanned code and the chip have different dates of issue.
    ScannedIssueDiffers,
    /// The scanned code and the chip have different numbers of the older card.
    ScannedOldNumberDiffers,
    /// The scanned code and the chip have different residences. That alone does not make them disagree.
    ScannedResidenceDiffers,
    /// The name in the scanned code was spoilt on the way and was not compared.
    ScannedNameUnclear,
    /// DG13 breaks off: what came before is there.
    Dg13BrokenOff,
    /// A member of DG13 is no numbered field.
    Dg13NotAField,
    /// A field number of DG13 comes twice: the first counts.
    Dg13Repeated,
    /// A text of DG13 is not the UTF-8 it should be.
    Dg13NotUtf8,
    /// DG13 names one parent and does not tell which.
    Dg13ParentUnplaced,
    /// Something newer than this description.
    Other,
}

/// Text about a person, on its way out and nowhere else.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct Silent<'a>(pub(super) &'a str);

impl std::fmt::Debug for Silent<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<personal>")
    }
}

pub(super) fn exposed<S: Serializer>(text: &Option<Personal>, serializer: S) -> Result<S::Ok, S::Error> {
    text.as_ref().map(Personal::expose).serialize(serializer)
}

fn text(field: Option<&Field<Personal>>, verified: bool) -> Option<TextFieldJson<'_>> {
    field.map(|field| TextFieldJson {
        value: Silent(field.value.expose()),
        source: field.source.to_string(),
        verified,
    })
}

fn plain(field: Option<&Field<String>>, verified: bool) -> Option<TextFieldJson<'_>> {
    field.map(|field| TextFieldJson {
        value: Silent(&field.value),
        source: field.source.to_string(),
        verified,
    })
}

fn date(field: Option<&Field<StatedDate>>, verified: bool) -> Option<DateFieldJson<'_>> {
    field.map(|field| DateFieldJson {
        iso: PartialDate::to_iso(field.value.date),
        printed: Silent(field.value.printed.expose()),
        source: field.source.to_string(),
        verified,
    })
}

fn expiry(field: Option<&Field<Validity>>, verified: bool) -> Option<ExpiryFieldJson<'_>> {
    field.map(|field| {
        let (without_end, iso, printed) = match &field.value {
            Validity::Until(stated) => (false, stated.date.to_iso(), stated.printed.expose()),
            Validity::WithoutEnd(words) => (true, None, words.expose()),
        };
        let source = field.source.to_string();
        ExpiryFieldJson { without_end, iso, printed: Silent(printed), source, verified }
    })
}

impl<'a> RecordJson<'a> {
    /// The twin. `verified` says whether the document was found genuine: then every file a field is from was
    /// signed for. Of the fields, `wanted` are told.
    pub(crate) fn new(record: &'a CitizenRecord, wanted: FieldSet, verified: bool) -> Self {
        let notes = record.notes.iter().copied();
        let told = |note: &RecordNote| RecordField::of_note(*note).is_none_or(|field| wanted.contains(field));
        let mut twin = Self {
            number: text(record.personal_number.as_ref(), verified),
            name: text(record.full_name.as_ref(), verified),
            birth: date(record.birth.as_ref(), verified),
            sex: record.sex.as_ref().map(|field| SexFieldJson {
                value: field.value.into(),
                source: field.source.to_string(),
                verified,
            }),
            nationality: text(record.nationality.as_ref(), verified),
            ethnicity: text(record.ethnicity.as_ref(), verified),
            religion: text(record.religion.as_ref(), verified),
            origin: text(record.origin.as_ref(), verified),
            residence: text(record.residence.as_ref(), verified),
            features: text(record.features.as_ref(), verified),
            issued: date(record.issued.as_ref(), verified),
            expiry: expiry(record.expiry.as_ref(), verified),
            father: text(record.father.as_ref(), verified),
            mother: text(record.mother.as_ref(), verified),
            unplaced_parent: text(record.unplaced_parent.as_ref(), verified),
            spouse: text(record.spouse.as_ref(), verified),
            old_number: text(record.old_number.as_ref(), verified),
            field_16: text(record.field_16.as_ref(), verified),
            document_number: text(record.document_number.as_ref(), verified),
            document_code: plain(record.document_code.as_ref(), verified),
            issuing_state: plain(record.issuing_state.as_ref(), verified),
            mrz_surname: text(record.mrz_surname.as_ref(), verified),
            mrz_given_names: text(record.mrz_given_names.as_ref(), verified),
            notes: notes.filter(told).map(NoteJson::from).collect(),
        };
        for field in RecordField::ALL.into_iter().filter(|field| !wanted.contains(*field)) {
            twin.leave_out(field);
        }
        twin
    }

    fn leave_out(&mut self, field: RecordField) {
        match field {
            RecordField::Number => self.number = None,
            RecordField::Name => self.name = None,
            RecordField::Birth => self.birth = None,
            RecordField::Sex => self.sex = None,
            RecordField::Nationality => self.nationality = None,
            RecordField::Ethnicity => self.ethnicity = None,
            RecordField::Religion => self.religion = None,
            RecordField::Origin => self.origin = None,
            RecordField::Residence => self.residence = None,
            RecordField::Features => self.features = None,
            RecordField::Issued => self.issued = None,
            RecordField::Expiry => self.expiry = None,
            RecordField::Father => self.father = None,
            RecordField::Mother => self.mother = None,
            RecordField::UnplacedParent => self.unplaced_parent = None,
            RecordField::Spouse => self.spouse = None,
            RecordField::OldNumber => self.old_number = None,
            RecordField::Field16 => self.field_16 = None,
            RecordField::DocumentNumber => self.document_number = None,
            RecordField::DocumentCode => self.document_code = None,
            RecordField::IssuingState => self.issuing_state = None,
            RecordField::MrzSurname => self.mrz_surname = None,
            RecordField::MrzGivenNames => self.mrz_given_names = None,
        }
    }
}

impl From<Sex> for SexJson {
    fn from(sex: Sex) -> Self {
        match sex {
            Sex::Female => Self::Female,
            Sex::Male => Self::Male,
            Sex::Unspecified => Self::Unspecified,
        }
    }
}

impl From<RecordNote> for NoteJson {
    fn from(note: RecordNote) -> Self {
        match note {
            RecordNote::NumbersDiffer => Self::NumbersDiffer,
            RecordNote::NamesDiffer => Self::NamesDiffer,
            RecordNote::BirthsDiffer => Self::BirthsDiffer,
            RecordNote::SexesDiffer => Self::SexesDiffer,
            RecordNote::ExpiriesDiffer => Self::ExpiriesDiffer,
            RecordNote::Mrz(finding) => match finding {
                MrzFinding::DocumentNumberCheck => Self::MrzDocumentNumberCheck,
                MrzFinding::BirthCheck => Self::MrzBirthCheck,
                MrzFinding::ExpiryCheck => Self::MrzExpiryCheck,
                MrzFinding::PersonalNumberCheck => Self::MrzPersonalNumberCheck,
                MrzFinding::CompositeCheck => Self::MrzCompositeCheck,
                MrzFinding::BirthImpossible => Self::MrzBirthImpossible,
                MrzFinding::ExpiryImpossible => Self::MrzExpiryImpossible,
                MrzFinding::SexImpossible => Self::MrzSexImpossible,
                _ => Self::Other,
            },
            RecordNote::Dg13(note) => match note {
                Dg13Note::BrokenOff => Self::Dg13BrokenOff,
                Dg13Note::NotAField => Self::Dg13NotAField,
                Dg13Note::Repeated(_) => Self::Dg13Repeated,
                Dg13Note::NotUtf8(_) => Self::Dg13NotUtf8,
                Dg13Note::ParentUnplaced => Self::Dg13ParentUnplaced,
                _ => Self::Other,
            },
            RecordNote::Dg13Unrecognised => Self::Dg13Unrecognised,
            RecordNote::ScannedNumberDiffers => Self::ScannedNumberDiffers,
            RecordNote::ScannedNameDiffers => Self::ScannedNameDiffers,
            RecordNote::ScannedBirthDiffers => Self::ScannedBirthDiffers,
            RecordNote::ScannedSexDiffers => Self::ScannedSexDiffers,
            RecordNote::ScannedIssueDiffers => Self::ScannedIssueDiffers,
            RecordNote::ScannedOldNumberDiffers => Self::ScannedOldNumberDiffers,
            RecordNote::ScannedResidenceDiffers => Self::ScannedResidenceDiffers,
            RecordNote::ScannedNameUnclear => Self::ScannedNameUnclear,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use cccd_document::FileId;
    use serde_json::json;

    use super::*;

    fn record() -> CitizenRecord {
        let dg13 = |text: &str| Some(Field { value: Personal::from(text), source: FileId::DG13 });
        CitizenRecord {
            full_name: dg13("Nguyễn Văn Mẫu"),
            birth: Some(Field { value: StatedDate::from_printed("1990"), source: FileId::DG13 }),
            sex: Some(Field { value: Sex::Male, source: FileId::DG1 }),
            expiry: Some(Field {
                value: Validity::WithoutEnd(Personal::from("Không thời hạn")),
                source: FileId::DG13,
            }),
            document_code: Some(Field { value: "ID".to_owned(), source: FileId::DG1 }),
            notes: vec![RecordNote::NamesDiffer, RecordNote::Dg13(Dg13Note::Repeated(3))],
            ..CitizenRecord::default()
        }
    }

    #[test]
    fn each_field_says_where_it_is_from_and_that_nothing_is_proved() {
        let record = record();
        let json = serde_json::to_value(RecordJson::new(&record, FieldSet::ALL, false)).unwrap();
        assert_eq!(json["name"], json!({"value": "Nguyễn Văn Mẫu", "source": "EF.DG13", "verified": false}));
        assert_eq!(json["sex"], json!({"value": "male", "source": "EF.DG1", "verified": false}));
        assert_eq!(json["document_code"]["value"], "ID");
        assert_eq!(json["religion"], json!(null));
        assert_eq!(json["notes"], json!(["names-differ", "dg13-repeated"]));
    }

    #[test]
    fn dates_come_in_both_forms_down_to_what_is_known() {
        let record = record();
        let json = serde_json::to_value(RecordJson::new(&record, FieldSet::ALL, false)).unwrap();
        assert_eq!((&json["birth"]["iso"], &json["birth"]["printed"]), (&json!("1990"), &json!("1990")));
        assert_eq!(
            json["expiry"],
            json!({
                "without_end": true, "iso": null, "printed": "Không thời hạn",
                "source": "EF.DG13", "verified": false,
            })
        );
    }

    #[test]
    fn a_field_that_is_not_wanted_is_null_whichever_it_is() {
        let text = || Some(Field { value: Personal::from("x"), source: FileId::DG13 });
        let record = CitizenRecord {
            personal_number: text(),
            document_number: text(),
            document_code: Some(Field { value: "ID".to_owned(), source: FileId::DG1 }),
            issuing_state: Some(Field { value: "VNM".to_owned(), source: FileId::DG1 }),
            full_name: text(),
            mrz_surname: text(),
            mrz_given_names: text(),
            nationality: text(),
            ethnicity: text(),
            religion: text(),
            origin: text(),
            residence: text(),
            features: text(),
            issued: Some(Field { value: StatedDate::from_printed("1990"), source: FileId::DG13 }),
            father: text(),
            mother: text(),
            unplaced_parent: text(),
            spouse: text(),
            old_number: text(),
            field_16: text(),
            notes: vec![RecordNote::NamesDiffer, RecordNote::ScannedResidenceDiffers],
            ..record()
        };
        let whole = serde_json::to_value(RecordJson::new(&record, FieldSet::ALL, false)).unwrap();
        let members = whole.as_object().unwrap();
        assert_eq!(members.len(), RecordField::ALL.len() + 1);
        for field in RecordField::ALL {
            assert!(!members[field.code()].is_null(), "{}", field.code());
            let one = [field].into_iter().collect();
            let told = serde_json::to_value(RecordJson::new(&record, one, false)).unwrap();
            for (name, value) in told.as_object().unwrap().iter().filter(|(name, _)| *name != "notes") {
                assert_eq!(value.is_null(), name != field.code(), "{name} for {}", field.code());
            }
            let notes = told["notes"].as_array().unwrap().len();
            assert_eq!(notes == 1, matches!(field, RecordField::Name | RecordField::Residence));
        }
    }

    #[test]
    fn debug_of_a_twin_names_nobody() {
        let record = record();
        let shown = format!("{:?}", RecordJson::new(&record, FieldSet::ALL, false));
        for personal in ["Nguyễn", "1990", "Male", "Không"] {
            assert!(!shown.contains(personal), "{shown}");
        }
    }
}
