//! The fields of a record by name, and which files have them: what is not wanted is not read.

use std::collections::BTreeSet;
use std::fmt;

use crate::{FileId, RecordNote};

/// One field of [`CitizenRecord`](crate::CitizenRecord).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "each is the field of that name")]
pub enum RecordField {
    Number,
    Name,
    Birth,
    Sex,
    Nationality,
    Ethnicity,
    Religion,
    Origin,
    Residence,
    Features,
    Issued,
    Expiry,
    Father,
    Mother,
    UnplacedParent,
    Spouse,
    OldNumber,
    Field16,
    DocumentNumber,
    DocumentCode,
    IssuingState,
    MrzSurname,
    MrzGivenNames,
}

impl RecordField {
    /// All there are.
    pub const ALL: [Self; 23] = [
        Self::Number,
        Self::Name,
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
        Self::UnplacedParent,
        Self::Spouse,
        Self::OldNumber,
        Self::Field16,
        Self::DocumentNumber,
        Self::DocumentCode,
        Self::IssuingState,
        Self::MrzSurname,
        Self::MrzGivenNames,
    ];

    /// The word for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Name => "name",
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
            Self::UnplacedParent => "unplaced_parent",
            Self::Spouse => "spouse",
            Self::OldNumber => "old_number",
            Self::Field16 => "field_16",
            Self::DocumentNumber => "document_number",
            Self::DocumentCode => "document_code",
            Self::IssuingState => "issuing_state",
            Self::MrzSurname => "mrz_surname",
            Self::MrzGivenNames => "mrz_given_names",
        }
    }

    /// The field of this word.
    pub fn of_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.code() == code)
    }

    /// The groups that are read for it, beside DG1, which has the number and the sex of every document. A name with its
    /// diacritics, and a birth of which the century is certain, only the others have.
    fn groups(self) -> &'static [FileId] {
        match self {
            Self::Number
            | Self::Sex
            | Self::DocumentNumber
            | Self::DocumentCode
            | Self::IssuingState
            | Self::MrzSurname
            | Self::MrzGivenNames => &[],
            Self::Name | Self::Birth | Self::Origin | Self::Residence => &[FileId::DG11, FileId::DG13],
            Self::Issued => &[FileId::DG12, FileId::DG13],
            _ => &[FileId::DG13],
        }
    }

    /// The field that a note is about; `None` where it is about a file.
    pub fn of_note(note: RecordNote) -> Option<Self> {
        match note {
            RecordNote::NumbersDiffer | RecordNote::ScannedNumberDiffers => Some(Self::Number),
            RecordNote::NamesDiffer | RecordNote::ScannedNameDiffers | RecordNote::ScannedNameUnclear => {
                Some(Self::Name)
            }
            RecordNote::BirthsDiffer | RecordNote::ScannedBirthDiffers => Some(Self::Birth),
            RecordNote::SexesDiffer | RecordNote::ScannedSexDiffers => Some(Self::Sex),
            RecordNote::ExpiriesDiffer => Some(Self::Expiry),
            RecordNote::ScannedIssueDiffers => Some(Self::Issued),
            RecordNote::ScannedOldNumberDiffers => Some(Self::OldNumber),
            RecordNote::ScannedResidenceDiffers => Some(Self::Residence),
            RecordNote::Mrz(_) | RecordNote::Dg13(_) | RecordNote::Dg13Unrecognised => None,
        }
    }
}

/// Fields, each once.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct FieldSet(u32);

impl FieldSet {
    /// None.
    pub const NONE: Self = Self(0);
    /// All there are.
    pub const ALL: Self = Self((1 << RecordField::ALL.len()) - 1);

    /// Whether this one is among them.
    pub fn contains(self, field: RecordField) -> bool {
        self.0 & (1 << field as u32) != 0
    }

    /// Those that are in both.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// All of them, in the order of [`RecordField::ALL`].
    pub fn iter(self) -> impl Iterator<Item = RecordField> {
        RecordField::ALL.into_iter().filter(move |field| self.contains(*field))
    }

    /// The groups that are read for them. DG1 always is: it is small, and what the others say is held against it.
    pub fn groups(self) -> BTreeSet<FileId> {
        let wanted = self.iter().flat_map(|field| field.groups().iter().copied());
        wanted.chain([FileId::DG1]).collect()
    }

    /// Whether these are all the fields that `group` may have, so that its bytes tell nothing else of the person.
    pub fn cover(self, group: FileId) -> bool {
        let of_mrz = |field: &RecordField| field.groups().is_empty();
        let in_it: Vec<RecordField> = match group {
            FileId::DG1 => RecordField::ALL
                .into_iter()
                .filter(of_mrz)
                .chain([RecordField::Name, RecordField::Birth, RecordField::Nationality, RecordField::Expiry])
                .collect(),
            // Telephone numbers, professions, custody: more than any field of the record.
            FileId::DG11 | FileId::DG12 | FileId::DG13 => RecordField::ALL.to_vec(),
            FileId::Dg(_) => return false,
            // EF.COM, EF.SOD and those under the master file: nothing of the person.
            _ => Vec::new(),
        };
        in_it.into_iter().all(|field| self.contains(field))
    }
}

impl FromIterator<RecordField> for FieldSet {
    fn from_iter<I: IntoIterator<Item = RecordField>>(fields: I) -> Self {
        Self(fields.into_iter().fold(0, |bits, field| bits | 1 << field as u32))
    }
}

impl fmt::Debug for FieldSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(RecordField::code)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(fields: &[RecordField]) -> FieldSet {
        fields.iter().copied().collect()
    }

    #[test]
    fn only_what_has_a_wanted_field_is_read() {
        let dg1 = BTreeSet::from([FileId::DG1]);
        assert_eq!(FieldSet::NONE.groups(), dg1);
        assert_eq!(set(&[RecordField::Number, RecordField::Sex, RecordField::MrzSurname]).groups(), dg1);
        assert_eq!(
            set(&[RecordField::Name]).groups(),
            BTreeSet::from([FileId::DG1, FileId::DG11, FileId::DG13])
        );
        assert_eq!(set(&[RecordField::Mother]).groups(), BTreeSet::from([FileId::DG1, FileId::DG13]));
        assert_eq!(
            FieldSet::ALL.groups(),
            BTreeSet::from([FileId::DG1, FileId::DG11, FileId::DG12, FileId::DG13])
        );
    }

    #[test]
    fn bytes_are_handed_out_only_with_all_that_may_be_in_them() {
        let family =
            [RecordField::Father, RecordField::Mother, RecordField::UnplacedParent, RecordField::Spouse];
        let but_family: FieldSet = FieldSet::ALL.iter().filter(|field| !family.contains(field)).collect();
        assert!(but_family.cover(FileId::DG1) && !but_family.cover(FileId::DG13));
        assert!(FieldSet::ALL.cover(FileId::DG13) && !FieldSet::ALL.cover(FileId::DG2));
        assert!(!set(&[RecordField::Number]).cover(FileId::DG1));
        assert!(FieldSet::NONE.cover(FileId::EfSod));
    }

    #[test]
    fn each_field_has_one_word() {
        for field in RecordField::ALL {
            assert_eq!(RecordField::of_code(field.code()), Some(field));
            assert!(FieldSet::ALL.contains(field));
        }
        assert_eq!(FieldSet::ALL.iter().count(), 23);
    }
}
