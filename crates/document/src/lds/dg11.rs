//! DG11: additional personal details (ICAO 9303-10, 4.7.11).

use cccd_card::tlv::{Tag, TlvReader};

use crate::malformed::unwrap;
use crate::text::StoredText;
use crate::{MalformedFile, PartialDate};

/// More other names than this are not read.
const MOST_NAMES: usize = 16;

/// What DG11 says about the holder. Everything in it is optional, and what is empty counts as absent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DataGroup11 {
    /// The name in full, in national characters.
    pub full_name: Option<StoredText>,
    /// Other names.
    pub other_names: Vec<StoredText>,
    /// The national number of the person.
    pub personal_number: Option<StoredText>,
    /// Date of birth, in full.
    pub birth: Option<PartialDate>,
    /// Place of birth.
    pub place_of_birth: Option<StoredText>,
    /// Permanent address.
    pub address: Option<StoredText>,
    /// Telephone.
    pub telephone: Option<StoredText>,
    /// Profession.
    pub profession: Option<StoredText>,
    /// Title.
    pub title: Option<StoredText>,
    /// Personal summary.
    pub summary: Option<StoredText>,
    /// Numbers of other travel documents.
    pub other_documents: Option<StoredText>,
    /// Custody information.
    pub custody: Option<StoredText>,
}

impl DataGroup11 {
    /// Reads the file: `6B { 5C tags, objects.. }`.
    ///
    /// The objects are taken as they come and the list of tags is not consulted: chips disagree with their
    /// own (card-quirks 67: `A0` without its list, `5F0F` outside of `A0`, empty objects).
    pub fn parse(bytes: &[u8]) -> Result<Self, MalformedFile> {
        let mut found = Self::default();
        found.read(TlvReader::new(unwrap(bytes, Tag(0x6B))?))?;
        Ok(found)
    }

    fn read(&mut self, mut objects: TlvReader<'_>) -> Result<(), MalformedFile> {
        while let Some(object) = objects.next_object()? {
            let slot = match object.tag {
                Tag(0x5F0E) => &mut self.full_name,
                Tag(0x5F10) => &mut self.personal_number,
                Tag(0x5F11) => &mut self.place_of_birth,
                Tag(0x5F42) => &mut self.address,
                Tag(0x5F12) => &mut self.telephone,
                Tag(0x5F13) => &mut self.profession,
                Tag(0x5F14) => &mut self.title,
                Tag(0x5F15) => &mut self.summary,
                Tag(0x5F17) => &mut self.other_documents,
                Tag(0x5F18) => &mut self.custody,
                Tag(0x5F2B) => {
                    self.birth = PartialDate::from_chip(object.value);
                    continue;
                }
                Tag(0x5F0F) => {
                    if self.other_names.len() < MOST_NAMES {
                        self.other_names.extend(filled(object.value));
                    }
                    continue;
                }
                Tag(0xA0) => {
                    // A count and the names. What is inside counts only if it is a name.
                    let mut names = TlvReader::new(object.value);
                    while let Ok(Some(name)) = names.next_object() {
                        if name.tag == Tag(0x5F0F) && self.other_names.len() < MOST_NAMES {
                            self.other_names.extend(filled(name.value));
                        }
                    }
                    continue;
                }
                _ => continue,
            };
            *slot = filled(object.value);
        }
        Ok(())
    }
}

/// Text with fillers turned into spaces: `<<` parts surname and given names, `<` words and lines of an
/// address. Nothing where only fillers are (card-quirks 67).
pub(super) fn filled(value: &[u8]) -> Option<StoredText> {
    let mut text = StoredText::from_utf8(value);
    let words: Vec<&str> = text.as_str().split(['<', ' ', '\0']).filter(|word| !word.is_empty()).collect();
    text.text = crate::Personal::new(words.join(" "));
    (!text.is_blank()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cccd_card::tlv::encode;
    use proptest::prelude::*;

    fn file(objects: &[(u32, &[u8])]) -> Vec<u8> {
        let all: Vec<u8> = objects.iter().flat_map(|&(tag, value)| encode(Tag(tag), value)).collect();
        encode(Tag(0x6B), &all)
    }

    #[test]
    fn the_example_of_the_standard_is_read() {
        // ICAO 9303-10, 4.7.11.
        let bytes =
            file(&[(0x5C, &[0x5F, 0x0E, 0x5F, 0x11]), (0x5F0E, b"SMITH<<JOHN<J"), (0x5F11, b"ANYTOWN<MN")]);
        let dg11 = DataGroup11::parse(&bytes).unwrap();
        assert_eq!(dg11.full_name.unwrap().as_str(), "SMITH JOHN J");
        assert_eq!(dg11.place_of_birth.unwrap().as_str(), "ANYTOWN MN");
        assert_eq!(dg11.personal_number, None);
    }

    #[test]
    fn dates_come_as_digits_or_packed() {
        for value in [&b"19900102"[..], &[0x19, 0x90, 0x01, 0x02]] {
            let birth = DataGroup11::parse(&file(&[(0x5F2B, value)])).unwrap().birth.unwrap();
            assert_eq!(birth.to_iso().unwrap().expose(), "1990-01-02");
        }
        assert_eq!(DataGroup11::parse(&file(&[(0x5F2B, b"")])).unwrap().birth, None);
    }

    #[test]
    fn other_names_are_found_with_their_list_without_it_and_outside_of_it() {
        let name = encode(Tag(0x5F0F), b"DOE<<JANE");
        let listed = [&[0x02, 0x01, 0x01][..], &name].concat();
        for bytes in [file(&[(0xA0, &listed)]), file(&[(0xA0, &name)]), file(&[(0x5F0F, b"DOE<<JANE")])] {
            let names = DataGroup11::parse(&bytes).unwrap().other_names;
            assert_eq!(names.iter().map(StoredText::as_str).collect::<Vec<_>>(), ["DOE JANE"]);
        }
        assert_eq!(DataGroup11::parse(&file(&[(0xA0, b"")])).unwrap().other_names, []);
    }

    #[test]
    fn empty_objects_and_fillers_count_as_absent() {
        let dg11 = DataGroup11::parse(&file(&[(0x5F0E, b""), (0x5F11, b"<<<"), (0x5F12, b" \0")])).unwrap();
        assert_eq!(dg11, DataGroup11::default());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(content in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = DataGroup11::parse(&content);
            let _ = DataGroup11::parse(&encode(Tag(0x6B), &content));
        }
    }
}
