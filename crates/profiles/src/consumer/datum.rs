//! What a profile may take from a document, and where from.

use std::fmt;

use cccd_document::FileId;
use schemars::JsonSchema;
use serde::Deserialize;

/// Something a document says about its holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Datum {
    /// The number the person keeps for life.
    Number,
    /// The nine-digit number of the older identity card.
    OldNumber,
    /// The full name, with diacritics where the chip has them.
    Name,
    /// The surname as the MRZ spells it.
    Surname,
    /// Middle and given names as the MRZ spells them.
    GivenNames,
    /// Date of birth.
    Birth,
    /// Sex.
    Sex,
    /// Nationality: the word of DG13, or the three letters of the MRZ.
    Nationality,
    /// Ethnicity. Sensitive by law.
    Ethnicity,
    /// Religion. Sensitive by law.
    Religion,
    /// Place of origin, or of birth in a foreign document.
    Origin,
    /// Residence.
    Residence,
    /// Identifying features.
    Features,
    /// Date of issue.
    Issued,
    /// Until when the document is valid.
    Expiry,
    /// Father.
    Father,
    /// Mother.
    Mother,
    /// One parent, where the chip does not tell which.
    Parent,
    /// Husband or wife.
    Spouse,
    /// The number of the document, as the MRZ has it.
    DocumentNumber,
    /// The document code of the MRZ.
    DocumentCode,
    /// The issuing state of the MRZ.
    IssuingState,
    /// The face.
    Portrait,
    /// The number of the health insurance card.
    InsuranceNumber,
    /// Where its holder is registered first, five letters or digits.
    InsuranceFacility,
    /// The first day the health insurance card is valid.
    InsuranceFrom,
    /// The last day the health insurance card is valid.
    InsuranceUntil,
}

/// What has to be named under `[touches]` before a field of this kind may be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touch {
    /// Nothing.
    Plain,
    /// `portrait`.
    Portrait,
    /// `family`.
    Family,
    /// `sensitive`.
    Sensitive,
}

/// What kind of value it is: which formats can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// A text.
    Text,
    /// A date, of which a part may be unknown.
    Date,
    /// Sex.
    Sex,
    /// A whole number.
    Number,
    /// Yes or no.
    YesNo,
    /// A date and a time of day.
    Moment,
    /// Bytes, written in base64.
    Bytes,
}

impl Datum {
    /// All of them.
    pub const ALL: [Self; 27] = [
        Self::Number,
        Self::OldNumber,
        Self::Name,
        Self::Surname,
        Self::GivenNames,
        Self::Birth,
        Self::Sex,
        Self::Nationality,
        Self::Ethnicity,
        Self::Religion,
        Self::Origin,
        Self::Residence,
        Self::Features,
        Self::Issued,
        Self::Expiry,
        Self::Father,
        Self::Mother,
        Self::Parent,
        Self::Spouse,
        Self::DocumentNumber,
        Self::DocumentCode,
        Self::IssuingState,
        Self::Portrait,
        Self::InsuranceNumber,
        Self::InsuranceFacility,
        Self::InsuranceFrom,
        Self::InsuranceUntil,
    ];

    /// The name in profiles.
    pub fn name(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::OldNumber => "old_number",
            Self::Name => "name",
            Self::Surname => "surname",
            Self::GivenNames => "given_names",
            Self::Birth => "birth",
            Self::Sex => "sex",
            Self::Nationality => "nationality",
            Self::Ethnicity => "ethnicity",
            Self::Religion => "religion",
            Self::Origin => "origin",
            Self::Residence => "residence",
            Self::Features => "features",
            Self::Issued => "issued",
            Self::Expiry => "expiry",
            Self::Father => "father",
            Self::Mother => "mother",
            Self::Parent => "parent",
            Self::Spouse => "spouse",
            Self::DocumentNumber => "document_number",
            Self::DocumentCode => "document_code",
            Self::IssuingState => "issuing_state",
            Self::Portrait => "portrait",
            Self::InsuranceNumber => "insurance_number",
            Self::InsuranceFacility => "insurance_facility",
            Self::InsuranceFrom => "insurance_from",
            Self::InsuranceUntil => "insurance_until",
        }
    }

    /// What has to be named before it may be taken. Ethnicity and religion are sensitive by the Law on Personal
    /// Data Protection 91/2025/QH15 and Decree 356/2025.
    pub fn touch(self) -> Touch {
        match self {
            Self::Portrait => Touch::Portrait,
            Self::Father | Self::Mother | Self::Parent | Self::Spouse => Touch::Family,
            Self::Ethnicity | Self::Religion => Touch::Sensitive,
            _ => Touch::Plain,
        }
    }

    /// What kind of value it is.
    pub fn kind(self) -> ValueKind {
        match self {
            Self::Birth | Self::Issued | Self::Expiry | Self::InsuranceFrom | Self::InsuranceUntil => {
                ValueKind::Date
            }
            Self::Sex => ValueKind::Sex,
            Self::Portrait => ValueKind::Bytes,
            _ => ValueKind::Text,
        }
    }

    /// Where it can be had at all.
    pub fn sources(self) -> &'static [Source] {
        match self {
            Self::Number | Self::Name | Self::Birth => {
                &[Source::Dg13, Source::Dg11, Source::Dg1, Source::Code]
            }
            Self::OldNumber => &[Source::Dg13, Source::Code],
            Self::Sex => &[Source::Dg13, Source::Dg1, Source::Code],
            Self::Nationality | Self::Expiry => &[Source::Dg13, Source::Dg1],
            Self::Origin => &[Source::Dg13, Source::Dg11],
            Self::Residence => &[Source::Dg13, Source::Dg11, Source::Code],
            Self::Issued => &[Source::Dg13, Source::Dg12, Source::Code],
            Self::Ethnicity
            | Self::Religion
            | Self::Features
            | Self::Father
            | Self::Mother
            | Self::Parent
            | Self::Spouse => &[Source::Dg13],
            Self::Surname
            | Self::GivenNames
            | Self::DocumentNumber
            | Self::DocumentCode
            | Self::IssuingState => &[Source::Dg1],
            Self::Portrait => &[Source::Dg2],
            Self::InsuranceNumber | Self::InsuranceFacility | Self::InsuranceFrom | Self::InsuranceUntil => {
                &[Source::Insurance]
            }
        }
    }
}

impl fmt::Display for Datum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where something is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The MRZ on the chip.
    Dg1,
    /// The face on the chip.
    Dg2,
    /// Additional personal details, in foreign documents.
    Dg11,
    /// Additional document details, in foreign documents.
    Dg12,
    /// The Vietnamese text on the chip.
    Dg13,
    /// The QR code that opened the chip. Nobody has signed it.
    Code,
    /// The QR code of the health insurance card, scanned beside. Nobody has signed it.
    Insurance,
}

impl Source {
    /// The file on the chip; `None` for what is on none.
    pub fn file(self) -> Option<FileId> {
        match self {
            Self::Dg1 => Some(FileId::DG1),
            Self::Dg2 => Some(FileId::DG2),
            Self::Dg11 => Some(FileId::DG11),
            Self::Dg12 => Some(FileId::DG12),
            Self::Dg13 => Some(FileId::DG13),
            Self::Code | Self::Insurance => None,
        }
    }

    /// The name in profiles.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dg1 => "dg1",
            Self::Dg2 => "dg2",
            Self::Dg11 => "dg11",
            Self::Dg12 => "dg12",
            Self::Dg13 => "dg13",
            Self::Code => "code",
            Self::Insurance => "insurance",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Something a profile may demand of a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Demand {
    /// The verdict is `genuine`: a known authority signed what was read, and the chip is no copy.
    Genuine,
    /// The verdict is not `not_genuine`: no check failed. A desk where no authority is installed can demand this.
    NothingFailed,
    /// The chip has proved to be no copy. Like every proof of a chip it counts under a signature that holds.
    ChipProven,
    /// The document has not expired. One without a readable date of expiry has not shown that.
    InForce,
    /// The QR code that opened the chip says the same as the chip. Where none did, nothing disagrees.
    CodeAgrees,
    /// The holder's pseudonym is not on the list of `token.deny_file`.
    NotDenied,
    /// Every field under `required` is there.
    Complete,
    /// The health insurance card scanned beside is that of the same person: name and date of birth. Where none was,
    /// nothing disagrees.
    InsuranceAgrees,
}

impl Demand {
    /// The name in profiles.
    pub fn name(self) -> &'static str {
        match self {
            Self::Genuine => "genuine",
            Self::NothingFailed => "nothing-failed",
            Self::ChipProven => "chip-proven",
            Self::InForce => "in-force",
            Self::CodeAgrees => "code-agrees",
            Self::NotDenied => "not-denied",
            Self::Complete => "complete",
            Self::InsuranceAgrees => "insurance-agrees",
        }
    }
}

impl fmt::Display for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What happens where a demand is not met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Otherwise {
    /// It stands in the answer among the checks, and nothing else happens.
    Record,
    /// The output is given, and the answer warns.
    Warn,
    /// No output is given.
    Refuse,
}
