//! The files of the logical data structure (ICAO 9303-10, 3.4 to 3.11 and tables 34 and 38).

use std::fmt;

use cccd_card::tlv::Tag;

/// A data group's number, 1 to 16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DataGroupNumber(u8);

impl DataGroupNumber {
    /// The number, if there is such a group.
    pub const fn new(number: u8) -> Option<Self> {
        if number >= 1 && number <= 16 { Some(Self(number)) } else { None }
    }

    /// The number itself.
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// A file this program knows how to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FileId {
    /// EF.CardAccess under the master file: what access control the chip offers.
    CardAccess,
    /// EF.CardSecurity under the master file: the same, signed.
    CardSecurity,
    /// EF.ATR/INFO under the master file: how long commands and replies may be.
    AtrInfo,
    /// EF.DIR under the master file: which applications there are.
    Dir,
    /// EF.COM: an unsigned list of the groups. Never decide from it.
    EfCom,
    /// EF.SOD: the signed hashes of the groups.
    EfSod,
    /// A data group.
    Dg(DataGroupNumber),
}

impl FileId {
    /// DG1, the machine-readable zone.
    pub const DG1: Self = Self::Dg(DataGroupNumber(1));
    /// DG2, the face.
    pub const DG2: Self = Self::Dg(DataGroupNumber(2));
    /// DG3, the fingers.
    pub const DG3: Self = Self::Dg(DataGroupNumber(3));
    /// DG4, the irises.
    pub const DG4: Self = Self::Dg(DataGroupNumber(4));
    /// DG11, additional personal details.
    pub const DG11: Self = Self::Dg(DataGroupNumber(11));
    /// DG12, additional document details.
    pub const DG12: Self = Self::Dg(DataGroupNumber(12));
    /// DG13, in Vietnam all the text of the card.
    pub const DG13: Self = Self::Dg(DataGroupNumber(13));
    /// DG14, the signed security options.
    pub const DG14: Self = Self::Dg(DataGroupNumber(14));
    /// DG15, the active authentication key.
    pub const DG15: Self = Self::Dg(DataGroupNumber(15));

    /// The two-byte file identifier.
    pub fn fid(self) -> u16 {
        match self {
            Self::CardAccess => 0x011C,
            Self::CardSecurity => 0x011D,
            Self::AtrInfo => 0x2F01,
            Self::Dir => 0x2F00,
            Self::EfCom => 0x011E,
            Self::EfSod => 0x011D,
            Self::Dg(number) => 0x0100 | u16::from(number.get()),
        }
    }

    /// The short file identifier, for READ BINARY without a SELECT.
    pub fn sfi(self) -> u8 {
        match self {
            Self::CardAccess => 0x1C,
            Self::CardSecurity | Self::EfSod => 0x1D,
            Self::AtrInfo => 0x01,
            Self::Dir | Self::EfCom => 0x1E,
            Self::Dg(number) => number.get(),
        }
    }

    /// Whether it lies in the eMRTD application, not under the master file.
    pub fn in_application(self) -> bool {
        matches!(self, Self::EfCom | Self::EfSod | Self::Dg(_))
    }

    /// The tag the file begins with, where the standard fixes one.
    pub fn tag(self) -> Option<Tag> {
        match self {
            Self::EfCom => Some(Tag(0x60)),
            Self::EfSod => Some(Tag(0x77)),
            Self::CardAccess => Some(Tag(0x31)),
            Self::CardSecurity => Some(Tag(0x30)),
            Self::AtrInfo | Self::Dir => None,
            Self::Dg(number) => DG_TAGS.get(usize::from(number.get()) - 1).map(|&tag| Tag(tag)),
        }
    }

    /// The data group whose file begins with this tag (as EF.COM lists them).
    pub fn data_group_of_tag(tag: Tag) -> Option<DataGroupNumber> {
        let index = DG_TAGS.iter().position(|&known| Tag(known) == tag)?;
        DataGroupNumber::new(u8::try_from(index + 1).ok()?)
    }
}

/// Tags of DG1 to DG16 (ICAO 9303-10, table 38).
const DG_TAGS: [u32; 16] =
    [0x61, 0x75, 0x63, 0x76, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6A, 0x6B, 0x6C, 0x6D, 0x6E, 0x6F, 0x70];

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CardAccess => f.write_str("EF.CardAccess"),
            Self::CardSecurity => f.write_str("EF.CardSecurity"),
            Self::AtrInfo => f.write_str("EF.ATR/INFO"),
            Self::Dir => f.write_str("EF.DIR"),
            Self::EfCom => f.write_str("EF.COM"),
            Self::EfSod => f.write_str("EF.SOD"),
            Self::Dg(number) => write!(f, "EF.DG{}", number.get()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_is_found_again_by_its_tag() {
        for number in 1..=16 {
            let group = DataGroupNumber::new(number).unwrap();
            let tag = FileId::Dg(group).tag().unwrap();
            assert_eq!(FileId::data_group_of_tag(tag), Some(group), "{tag}");
        }
        assert_eq!(DataGroupNumber::new(0), None);
        assert_eq!(DataGroupNumber::new(17), None);
    }

    #[test]
    fn dg15_is_010f() {
        // 0115 stands in a published reader.
        assert_eq!((FileId::DG15.fid(), FileId::DG15.sfi()), (0x010F, 0x0F));
    }
}
