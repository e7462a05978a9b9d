//! EF.COM: which data groups the chip says it has (ICAO 9303-10, 4.6.1).

use cccd_card::ByteReader;
use cccd_card::tlv::{Tag, TlvReader};

use crate::malformed::unwrap;
use crate::{DataGroupNumber, FileId, MalformedFile};

/// The chip's unsigned list of its groups: for looking at, never for deciding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EfCom {
    /// The LDS version, `0107` or `0108`, if it is text.
    pub lds_version: Option<String>,
    /// The Unicode version, `040000`, if it is text.
    pub unicode_version: Option<String>,
    /// The groups listed, in the chip's order.
    pub groups: Vec<DataGroupNumber>,
    /// Tags listed that belong to no group.
    pub unknown_tags: Vec<Tag>,
}

impl EfCom {
    /// Reads the file: `60 { 5F01 version, 5F36 Unicode version, 5C tags }`. Any of the three may be absent.
    pub fn parse(bytes: &[u8]) -> Result<Self, MalformedFile> {
        let mut reader = TlvReader::new(unwrap(bytes, Tag(0x60))?);
        let mut com = Self { lds_version: None, unicode_version: None, groups: vec![], unknown_tags: vec![] };
        while let Some(object) = reader.next_object()? {
            match object.tag {
                Tag(0x5F01) => com.lds_version = version(object.value),
                Tag(0x5F36) => com.unicode_version = version(object.value),
                Tag(0x5C) => com.list(object.value),
                _ => {}
            }
        }
        Ok(com)
    }

    fn list(&mut self, tags: &[u8]) {
        let mut reader = ByteReader::new(tags);
        while let Ok(first) = reader.u8() {
            let mut tag = u32::from(first);
            // No group has a longer tag, but what is listed may be anything.
            if first & 0x1F == 0x1F {
                tag = tag << 8 | reader.u8().map_or(0, u32::from);
            }
            match FileId::data_group_of_tag(Tag(tag)) {
                Some(group) if self.groups.contains(&group) => {}
                Some(group) => self.groups.push(group),
                None => self.unknown_tags.push(Tag(tag)),
            }
        }
    }
}

fn version(value: &[u8]) -> Option<String> {
    let digits = value.len() <= 8 && value.iter().all(u8::is_ascii_digit);
    digits.then(|| value.iter().copied().map(char::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_groups_of_the_vietnamese_card() {
        // As listed by a card: DG1, 2, 3, 13, 14, 15 (cccd.md, section 3).
        let bytes = hex::decode("60185f0104303130375f36063034303030305c066175636d6e6f").unwrap();
        let com = EfCom::parse(&bytes).unwrap();
        assert_eq!(com.lds_version.as_deref(), Some("0107"));
        assert_eq!(com.unicode_version.as_deref(), Some("040000"));
        assert_eq!(com.groups.iter().map(|group| group.get()).collect::<Vec<_>>(), [1, 2, 3, 13, 14, 15]);
        assert_eq!(com.unknown_tags, []);
    }

    #[test]
    fn unknown_and_doubled_tags_do_not_confuse() {
        let com = EfCom::parse(&[0x60, 0x07, 0x5C, 0x05, 0x61, 0x61, 0x7F, 0x61, 0x42]).unwrap();
        assert_eq!(com.groups.len(), 1);
        assert_eq!(com.unknown_tags, [Tag(0x7F61), Tag(0x42)]);
        assert!(EfCom::parse(&[0x61, 0x00]).is_err());
    }
}
