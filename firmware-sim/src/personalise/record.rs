//! DG13, where Vietnam keeps the text of the card: sixteen numbered fields.
//!
//! ```text
//! 6D { 30 { 02 01 01, 06 <1.0.10646.1.0.8>, 31 { 30 { 02 01 nn, value... } ... } } }
//! ```
//!
//! The SET stands in the order of the fields, as real cards have it, and not in that of DER.

use super::der::{constructed, integer, oid, printable, sequence, utf8};
use super::description::{Bearer, CardDescription, Citizen, CitizenCard, ParentsNesting};

/// One field of DG13.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordField {
    /// Its number, 1 to 16.
    pub number: u8,
    /// What it holds.
    pub value: RecordValue,
}

/// What a field of DG13 holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordValue {
    /// Numbers and dates: PrintableString.
    Printable(String),
    /// Text: UTF8String.
    Text(String),
    /// Field 13: two names, an empty one keeping the place of the other's.
    Parents {
        /// Father's name.
        father: String,
        /// Mother's name.
        mother: String,
    },
    /// Field 14: a name in a sequence of its own.
    Spouse(String),
    /// The number of the field and nothing else.
    Nothing,
}

impl CardDescription {
    /// What DG13 says, field by field; nothing for a passport, which has no DG13.
    pub fn record(&self) -> Vec<RecordField> {
        match &self.bearer {
            Bearer::Citizen(card, citizen) => record_of(*card, citizen),
            Bearer::Traveller(_) => Vec::new(),
        }
    }
}

fn record_of(card: CitizenCard, citizen: &Citizen) -> Vec<RecordField> {
    let text = |text: &Option<String>| text.clone().map_or(RecordValue::Nothing, RecordValue::Text);
    let digits = |text: &Option<String>| text.clone().map_or(RecordValue::Nothing, RecordValue::Printable);
    let parents = match (&citizen.father, &citizen.mother) {
        (None, None) => RecordValue::Nothing,
        (father, mother) => RecordValue::Parents {
            father: father.clone().unwrap_or_default(),
            mother: mother.clone().unwrap_or_default(),
        },
    };
    let all = [
        (1, RecordValue::Printable(citizen.number.clone())),
        (2, RecordValue::Text(citizen.name.clone())),
        (3, RecordValue::Printable(citizen.birth.to_string())),
        (4, RecordValue::Text(citizen.sex.vietnamese().to_owned())),
        (5, RecordValue::Text(citizen.nationality.clone())),
        (6, text(&citizen.ethnicity)),
        (7, text(&citizen.religion)),
        (8, text(&citizen.origin)),
        (9, text(&citizen.residence)),
        (10, text(&citizen.features)),
        (11, RecordValue::Printable(citizen.issued.to_string())),
        (12, RecordValue::Text(citizen.expiry_text())),
        (13, parents),
        (14, citizen.spouse.clone().map_or(RecordValue::Nothing, RecordValue::Spouse)),
        (15, digits(&citizen.old_number)),
        (16, digits(&citizen.chip_field_16)),
    ];
    // Circular 16/2024, article 6, leaves these in the open and encrypts the rest under the Ministry's key.
    let in_the_open = |number: &u8| match card {
        CitizenCard::Cccd2021 => true,
        CitizenCard::CanCuoc2024 => matches!(number, 1 | 2 | 3 | 4 | 5 | 8 | 12),
    };
    let fields = all.into_iter().filter(|(number, _)| in_the_open(number));
    fields.map(|(number, value)| RecordField { number, value }).collect()
}

/// The bytes of DG13.
pub(super) fn data_group_13(fields: &[RecordField], nesting: ParentsNesting) -> Vec<u8> {
    // UTF-8, as ISO/IEC 10646 names it.
    let character_set = oid(&[1, 0, 10646, 1, 0, 8]);
    let fields: Vec<Vec<u8>> = fields.iter().map(|field| encode(field, nesting)).collect();
    constructed(0x6D, &[sequence(&[integer(1), character_set, constructed(0x31, &fields)])])
}

fn encode(field: &RecordField, nesting: ParentsNesting) -> Vec<u8> {
    let mut parts = vec![integer(u32::from(field.number))];
    match &field.value {
        RecordValue::Printable(text) => parts.push(printable(text)),
        RecordValue::Text(text) => parts.push(utf8(text)),
        RecordValue::Parents { father, mother } => match nesting {
            ParentsNesting::TwoSequences => {
                parts.extend([sequence(&[utf8(father)]), sequence(&[utf8(mother)])]);
            }
            ParentsNesting::OneSequence => parts.push(sequence(&[utf8(father), utf8(mother)])),
        },
        RecordValue::Spouse(name) => parts.push(sequence(&[utf8(name)])),
        RecordValue::Nothing => {}
    }
    sequence(&parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(number: u8, value: RecordValue, nesting: ParentsNesting) -> Vec<u8> {
        encode(&RecordField { number, value }, nesting)
    }

    #[test]
    fn both_nestings_of_the_parents_byte_for_byte() {
        let parents = RecordValue::Parents {
            father: "Nguyễn Văn Cha".to_owned(),
            mother: "Trần Thị Mẹ".to_owned(),
        };
        let father = b"\x0c\x11Nguy\xe1\xbb\x85n V\xc4\x83n Cha";
        let mother = b"\x0c\x11Tr\xe1\xba\xa7n Th\xe1\xbb\x8b M\xe1\xba\xb9";
        assert_eq!(
            encoded(13, parents.clone(), ParentsNesting::TwoSequences),
            [&[0x30, 0x2D, 2, 1, 13, 0x30, 0x13], &father[..], &[0x30, 0x13], &mother[..]].concat()
        );
        assert_eq!(
            encoded(13, parents, ParentsNesting::OneSequence),
            [&[0x30, 0x2B, 2, 1, 13, 0x30, 0x26], &father[..], &mother[..]].concat()
        );
    }

    #[test]
    fn a_spouse_has_a_sequence_and_none_has_nothing() {
        let two = ParentsNesting::TwoSequences;
        assert_eq!(
            encoded(14, RecordValue::Spouse("Lê Thị Vợ".to_owned()), two),
            b"\x30\x15\x02\x01\x0e\x30\x10\x0c\x0eL\xc3\xaa Th\xe1\xbb\x8b V\xe1\xbb\xa3"
        );
        assert_eq!(encoded(14, RecordValue::Nothing, two), [0x30, 0x03, 0x02, 0x01, 0x0E]);
    }

    #[test]
    fn one_parent_keeps_the_place_of_the_other() {
        let parents = RecordValue::Parents { father: String::new(), mother: "Mẹ".to_owned() };
        assert_eq!(
            encoded(13, parents, ParentsNesting::TwoSequences),
            b"\x30\x0f\x02\x01\x0d\x30\x02\x0c\x00\x30\x06\x0c\x04M\xe1\xba\xb9"
        );
    }
}
