//! DG13 of the Vietnamese card: all the text that is printed on it.
//!
//! ICAO 9303-10 leaves DG13 to the issuing state. Vietnam puts a SET of numbered fields there:
//!
//! ```text
//! 6D { 30 { 02 version, 06 OID of UTF-8, 31 { 30 { 02 number, value.. } .. } } }
//! ```
//!
//! It is read by its structure, never by looking for byte patterns: a field longer than 127 bytes, or a
//! text that happens to contain such a pattern, would be lost. Any field may be absent or have no value.

use cccd_card::tlv::{Tag, Tlv, TlvReader};

use crate::asn1::{SEQUENCE, SET, take_integer};
use crate::malformed::unwrap;
use crate::text::{Encoding, StoredText};
use crate::{MalformedFile, PersonalBytes};

/// More fields than this no card has; sixteen are known.
const MOST_FIELDS: usize = 64;
/// More texts than this no field has; two are known.
const MOST_TEXTS: usize = 16;
/// Fields nest two deep in the forms that are known.
const DEEPEST: usize = 6;

/// What DG13 holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataGroup13 {
    /// The text of a Vietnamese card.
    Vietnamese(VietnameseText),
    /// Something else: another state's DG13, or a newer Vietnamese one. A normal outcome.
    Unrecognised(PersonalBytes),
}

/// The numbered fields, in the card's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VietnameseText {
    /// The version of the structure; 1 is the only one seen.
    pub version: u64,
    /// The fields.
    pub fields: Vec<Field13>,
    /// What is odd about them.
    pub notes: Vec<Dg13Note>,
}

/// One numbered field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field13 {
    /// Its number.
    pub number: u64,
    /// The texts in it, in order; an empty one keeps its place. Most fields have one.
    pub texts: Vec<StoredText>,
    /// The whole field as it came.
    pub raw: PersonalBytes,
}

/// Something odd about a DG13.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dg13Note {
    /// The structure breaks off: what came before is there.
    BrokenOff,
    /// A member of the set is no numbered field.
    NotAField,
    /// A number comes twice: the first counts.
    Repeated(u64),
    /// The text of this field is not the UTF-8 it should be.
    NotUtf8(u64),
    /// One parent is named, and the form does not tell which.
    ParentUnplaced,
}

/// Father and mother, as far as the card tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Parents<'a> {
    /// The first text.
    pub father: Option<&'a StoredText>,
    /// The second.
    pub mother: Option<&'a StoredText>,
    /// The only one, where none keeps the other's place.
    pub unplaced: Option<&'a StoredText>,
}

impl DataGroup13 {
    /// Reads the file. Only bytes that do not begin with DG13's tag are an error.
    pub fn parse(bytes: &[u8]) -> Result<Self, MalformedFile> {
        let content = unwrap(bytes, Tag(0x6D))?;
        Ok(match VietnameseText::read(content) {
            Some(text) => Self::Vietnamese(text),
            None => Self::Unrecognised(PersonalBytes::from(content)),
        })
    }

    /// The text, if it is a Vietnamese card's.
    pub fn vietnamese(&self) -> Option<&VietnameseText> {
        match self {
            Self::Vietnamese(text) => Some(text),
            Self::Unrecognised(_) => None,
        }
    }
}

impl VietnameseText {
    fn read(content: &[u8]) -> Option<Self> {
        let mut outer = TlvReader::new(TlvReader::new(content).expect(SEQUENCE).ok()?);
        let version = take_integer(&mut outer)?;
        outer.optional(Tag(0x06)).ok()?;
        let set = outer.optional(SET).ok()?.or(outer.optional(SEQUENCE).ok()?)?;
        let mut text = Self { version, fields: vec![], notes: vec![] };
        text.read_fields(set);
        // An empty set is as good as none; one full of something else is another structure.
        (!text.fields.is_empty() || set.is_empty()).then_some(text)
    }

    fn read_fields(&mut self, set: &[u8]) {
        let mut members = TlvReader::new(set);
        for _ in 0..MOST_FIELDS {
            match members.next_object() {
                Ok(Some(member)) => match Field13::read(member) {
                    Some(field) => self.keep(field),
                    None => self.notes.push(Dg13Note::NotAField),
                },
                Ok(None) => return,
                Err(_) => break,
            }
        }
        if !members.is_empty() {
            self.notes.push(Dg13Note::BrokenOff);
        }
    }

    fn keep(&mut self, field: Field13) {
        if self.fields.iter().any(|other| other.number == field.number) {
            self.notes.push(Dg13Note::Repeated(field.number));
        }
        if field.texts.iter().any(|text| text.encoding == Encoding::Broken) {
            self.notes.push(Dg13Note::NotUtf8(field.number));
        }
        if field.number == 13 && field.texts.len() == 1 && field.texts.iter().any(|text| !text.is_blank()) {
            self.notes.push(Dg13Note::ParentUnplaced);
        }
        self.fields.push(field);
    }

    /// The field with this number.
    pub fn field(&self, number: u64) -> Option<&Field13> {
        self.fields.iter().find(|field| field.number == number)
    }

    /// The text of the field with this number, where it has one.
    fn text(&self, number: u64) -> Option<&StoredText> {
        self.field(number)?.texts.first().filter(|text| !text.is_blank())
    }

    /// Field 1: the personal number, twelve digits.
    pub fn personal_number(&self) -> Option<&StoredText> {
        self.text(1)
    }

    /// Field 2: the full name with its diacritics.
    pub fn full_name(&self) -> Option<&StoredText> {
        self.text(2)
    }

    /// Field 3: the date of birth, `dd/MM/yyyy`, or less of it.
    pub fn birth(&self) -> Option<&StoredText> {
        self.text(3)
    }

    /// Field 4: sex, `Nam` or `Nữ`.
    pub fn sex(&self) -> Option<&StoredText> {
        self.text(4)
    }

    /// Field 5: nationality, `Việt Nam`.
    pub fn nationality(&self) -> Option<&StoredText> {
        self.text(5)
    }

    /// Field 6: ethnicity.
    pub fn ethnicity(&self) -> Option<&StoredText> {
        self.text(6)
    }

    /// Field 7: religion, `Không` where there is none.
    pub fn religion(&self) -> Option<&StoredText> {
        self.text(7)
    }

    /// Field 8: place of origin.
    pub fn origin(&self) -> Option<&StoredText> {
        self.text(8)
    }

    /// Field 9: residence.
    pub fn residence(&self) -> Option<&StoredText> {
        self.text(9)
    }

    /// Field 10: identifying features.
    pub fn features(&self) -> Option<&StoredText> {
        self.text(10)
    }

    /// Field 11: date of issue.
    pub fn issued(&self) -> Option<&StoredText> {
        self.text(11)
    }

    /// Field 12: date of expiry, or words that there is none.
    pub fn expiry(&self) -> Option<&StoredText> {
        self.text(12)
    }

    /// Field 13: father and mother.
    pub fn parents(&self) -> Parents<'_> {
        let texts = self.field(13).map_or(&[][..], |field| &field.texts);
        let named = |text: &'_ &StoredText| !text.is_blank();
        match texts {
            [] => Parents::default(),
            [only] => Parents { unplaced: Some(only).filter(named), ..Parents::default() },
            [father, mother, ..] => Parents {
                father: Some(father).filter(named),
                mother: Some(mother).filter(named),
                unplaced: None,
            },
        }
    }

    /// Field 14: husband or wife.
    pub fn spouse(&self) -> Option<&StoredText> {
        self.field(14)?.texts.iter().find(|text| !text.is_blank())
    }

    /// Field 15: the nine digits of the older identity card.
    pub fn old_number(&self) -> Option<&StoredText> {
        self.text(15)
    }

    /// Field 16: sixteen hexadecimal digits of unknown meaning.
    pub fn field_16(&self) -> Option<&StoredText> {
        self.text(16)
    }
}

impl Field13 {
    fn read(member: Tlv<'_>) -> Option<Self> {
        if member.tag != SEQUENCE {
            return None;
        }
        let mut reader = TlvReader::new(member.value);
        let number = take_integer(&mut reader)?;
        let mut texts = Vec::new();
        collect(reader, DEEPEST, &mut texts);
        Some(Self { number, texts, raw: PersonalBytes::from(member.whole) })
    }
}

/// Collects texts from any nesting: two are in use for parents and spouse (cccd.md, section 4). An empty
/// list stands for an empty text, so that a mother alone is not taken for a father.
fn collect(mut reader: TlvReader<'_>, depth: usize, texts: &mut Vec<StoredText>) {
    while let Ok(Some(object)) = reader.next_object() {
        if texts.len() >= MOST_TEXTS {
            return;
        }
        match object.tag {
            // UTF8String, PrintableString, T61String, IA5String, VisibleString: all seen or likely, all
            // given as UTF-8.
            Tag(0x0C | 0x13 | 0x14 | 0x16 | 0x1A) => texts.push(StoredText::from_utf8(object.value)),
            SEQUENCE | SET if object.value.is_empty() => texts.push(StoredText::from_utf8(&[])),
            tag if tag.is_constructed() && depth > 0 => {
                collect(TlvReader::new(object.value), depth - 1, texts);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use cccd_card::tlv::encode;
    use proptest::prelude::*;

    /// The whole example of the fact sheet, 405 bytes. The person is invented.
    pub(crate) const EXAMPLE: &str = "\
        6d8201913082018d020101060628d3160100083182017e3011020101130c30303030393031323334353630180201020c\
        134e677579e1bb856e2056c4836e204de1baab75300f020103130a30322f30312f3139393030080201040c034e616d30\
        0f0201050c0a5669e1bb8774204e616d30090201060c044b696e68300b0201070c064b68c3b46e67302b0201080c2658\
        c3a3204de1baab752c20487579e1bb876e204de1baab752c2054e1bb896e68204de1baab7530350201090c3053e1bb91\
        20312c20c490c6b0e1bb9d6e67204de1baab752c2058c3a3204de1baab752c2054e1bb896e68204de1baab75302a0201\
        0a0c254ee1bb9174207275e1bb936920433a31636d2064c6b0e1bb9b69206dc3a970207472c3a169300f02010b130a31\
        352f30332f32303232300f02010c0c0a30322f30312f32303330302d02010d30130c114e677579e1bb856e2056c4836e\
        2043686130130c115472e1baa76e205468e1bb8b204de1bab9300302010e300e02010f13093030303132333435363015\
        020110131030303131323233333434353536364141";

    pub(crate) fn example() -> Vec<u8> {
        hex::decode(EXAMPLE).unwrap()
    }

    /// Writes a field the way the card does: its number, then these objects.
    pub(crate) fn field(number: u8, objects: &[Vec<u8>]) -> Vec<u8> {
        encode(SEQUENCE, &[vec![0x02, 0x01, number], objects.concat()].concat())
    }

    pub(crate) fn utf8(text: &str) -> Vec<u8> {
        encode(Tag(0x0C), text.as_bytes())
    }

    pub(crate) fn file(fields: &[Vec<u8>]) -> Vec<u8> {
        let head = [&[0x02, 0x01, 0x01, 0x06, 0x06][..], &hex::decode("28d316010008").unwrap()].concat();
        encode(Tag(0x6D), &encode(SEQUENCE, &[head, encode(SET, &fields.concat())].concat()))
    }

    fn read(bytes: &[u8]) -> VietnameseText {
        match DataGroup13::parse(bytes).unwrap() {
            DataGroup13::Vietnamese(text) => text,
            DataGroup13::Unrecognised(_) => panic!("not recognised"),
        }
    }

    fn str_of(text: Option<&StoredText>) -> Option<&str> {
        text.map(StoredText::as_str)
    }

    #[test]
    fn the_example_is_read_whole() {
        let bytes = example();
        assert_eq!(bytes.len(), 405);
        let text = read(&bytes);
        assert_eq!((text.version, text.fields.len(), text.notes.as_slice()), (1, 16, &[][..]));
        for (found, expected) in [
            (text.personal_number(), "000090123456"),
            (text.full_name(), "Nguyễn Văn Mẫu"),
            (text.birth(), "02/01/1990"),
            (text.sex(), "Nam"),
            (text.nationality(), "Việt Nam"),
            (text.ethnicity(), "Kinh"),
            (text.religion(), "Không"),
            (text.origin(), "Xã Mẫu, Huyện Mẫu, Tỉnh Mẫu"),
            (text.residence(), "Số 1, Đường Mẫu, Xã Mẫu, Tỉnh Mẫu"),
            (text.features(), "Nốt ruồi C:1cm dưới mép trái"),
            (text.issued(), "15/03/2022"),
            (text.expiry(), "02/01/2030"),
            (text.parents().father, "Nguyễn Văn Cha"),
            (text.parents().mother, "Trần Thị Mẹ"),
            (text.old_number(), "000123456"),
            (text.field_16(), "00112233445566AA"),
        ] {
            assert_eq!(str_of(found), Some(expected));
        }
        assert_eq!(text.spouse(), None);
        assert_eq!(text.parents().unplaced, None);
    }

    #[test]
    fn both_nestings_of_the_parents_mean_the_same() {
        let one = field(13, &[encode(SEQUENCE, &[utf8("Cha"), utf8("Mẹ")].concat())]);
        let two = field(13, &[encode(SEQUENCE, &utf8("Cha")), encode(SEQUENCE, &utf8("Mẹ"))]);
        let flat = field(13, &[utf8("Cha"), utf8("Mẹ")]);
        for form in [one, two, flat] {
            let text = read(&file(&[form]));
            let parents = text.parents();
            assert_eq!((str_of(parents.father), str_of(parents.mother)), (Some("Cha"), Some("Mẹ")));
        }
    }

    #[test]
    fn an_empty_place_keeps_a_mother_from_being_taken_for_a_father() {
        for (objects, father, mother, unplaced) in [
            (vec![encode(SEQUENCE, &[]), encode(SEQUENCE, &utf8("Mẹ"))], None, Some("Mẹ"), None),
            (vec![encode(SEQUENCE, &[utf8(""), utf8("Mẹ")].concat())], None, Some("Mẹ"), None),
            (vec![encode(SEQUENCE, &[utf8("Cha"), utf8("")].concat())], Some("Cha"), None, None),
            (vec![encode(SEQUENCE, &utf8("Ai"))], None, None, Some("Ai")),
            (vec![encode(SEQUENCE, &[])], None, None, None),
            (vec![], None, None, None),
        ] {
            let text = read(&file(&[field(13, &objects)]));
            let parents = text.parents();
            assert_eq!(
                (str_of(parents.father), str_of(parents.mother), str_of(parents.unplaced)),
                (father, mother, unplaced)
            );
            assert_eq!(text.notes.contains(&Dg13Note::ParentUnplaced), unplaced.is_some());
        }
    }

    #[test]
    fn a_spouse_is_found_in_either_form() {
        for objects in [vec![encode(SEQUENCE, &utf8("Lê Thị Vợ"))], vec![utf8("Lê Thị Vợ")]] {
            assert_eq!(str_of(read(&file(&[field(14, &objects)])).spouse()), Some("Lê Thị Vợ"));
        }
    }

    #[test]
    fn long_fields_and_texts_that_look_like_fields_are_read_whole() {
        let long = "Đường Mẫu, ".repeat(40);
        // A text in which a search for bytes would find field 2.
        let trap = "0\u{18}\u{2}\u{1}\u{2}\u{c}\u{1}X";
        let text = read(&file(&[field(9, &[utf8(&long)]), field(10, &[utf8(trap)])]));
        assert_eq!(str_of(text.residence()), Some(long.as_str()));
        assert_eq!(str_of(text.features()), Some(trap));
        assert_eq!(text.full_name(), None);
    }

    #[test]
    fn absent_empty_and_unknown_fields_are_normal() {
        let text = read(&file(&[field(6, &[]), field(42, &[utf8("mới"), vec![0x01, 0x01, 0xFF]])]));
        assert_eq!((text.ethnicity(), text.personal_number()), (None, None));
        let unknown = text.field(42).unwrap();
        assert_eq!(unknown.texts.len(), 1);
        assert_eq!(unknown.raw.expose(), field(42, &[utf8("mới"), vec![0x01, 0x01, 0xFF]]));
        assert_eq!(read(&file(&[])).fields, []);
    }

    #[test]
    fn oddities_are_noted_and_the_rest_is_read() {
        let broken_text = field(9, &[encode(Tag(0x0C), b"S\xE1\xBB")]);
        let mut bytes =
            file(&[field(1, &[utf8("a")]), vec![0x04, 0x00], field(1, &[utf8("b")]), broken_text]);
        let text = read(&bytes);
        assert_eq!(text.notes, [Dg13Note::NotAField, Dg13Note::Repeated(1), Dg13Note::NotUtf8(9)]);
        assert_eq!(str_of(text.personal_number()), Some("a"));
        // The last field claims one byte more than there is.
        let at = bytes.len() - 3 - 2 - 3 - 1;
        bytes[at] += 1;
        let text = read(&bytes);
        assert_eq!(text.notes.last(), Some(&Dg13Note::BrokenOff));
        assert_eq!(str_of(text.personal_number()), Some("a"));
    }

    #[test]
    fn other_structures_are_kept_whole_and_are_no_error() {
        for content in [&b"Singapore"[..], &[0x04, 0x02, 1, 2], &[0x30, 0x03, 0x02, 0x01, 0x01], &[]] {
            let bytes = encode(Tag(0x6D), content);
            assert_eq!(
                DataGroup13::parse(&bytes),
                Ok(DataGroup13::Unrecognised(PersonalBytes::from(content)))
            );
        }
        assert!(DataGroup13::parse(&[0x6C, 0x00]).is_err());
    }

    #[test]
    fn deep_nesting_ends() {
        let mut object = utf8("tâm");
        for _ in 0..2000 {
            object = encode(SEQUENCE, &object);
        }
        assert_eq!(read(&file(&[field(13, &[object])])).field(13).unwrap().texts, []);
    }

    proptest! {
        #[test]
        fn no_mutation_panics(
            flips in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..8),
            cut in any::<proptest::sample::Index>(),
        ) {
            let mut bytes = example();
            for (at, value) in flips {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            if let Ok(DataGroup13::Vietnamese(text)) = DataGroup13::parse(&bytes) {
                let _ = (text.parents(), text.spouse());
            }
            let _ = DataGroup13::parse(&bytes[..cut.index(bytes.len())]);
        }

        #[test]
        fn what_is_written_is_read(texts in proptest::collection::vec("[a-zàáđ ,]{0,200}", 0..16)) {
            let fields: Vec<_> =
                texts.iter().zip(1u8..).map(|(text, number)| field(number, &[utf8(text)])).collect();
            let read = read(&file(&fields));
            prop_assert_eq!(read.fields.len(), texts.len());
            for (found, text) in read.fields.iter().zip(&texts) {
                prop_assert_eq!(found.texts[0].as_str(), text.as_str());
            }
        }
    }
}
