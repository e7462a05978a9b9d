//! DG12: additional document details (ICAO 9303-10, 4.7.12).

use cccd_card::tlv::{Tag, TlvReader};

use super::dg11::filled;
use crate::malformed::unwrap;
use crate::text::StoredText;
use crate::{MalformedFile, PartialDate};

/// What DG12 says about the document. Everything in it is optional, and what is empty counts as absent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DataGroup12 {
    /// Who issued it.
    pub authority: Option<StoredText>,
    /// When it was issued.
    pub issued: Option<PartialDate>,
    /// Endorsements and observations.
    pub endorsements: Option<StoredText>,
    /// Tax and exit requirements.
    pub tax_and_exit: Option<StoredText>,
    /// When it was personalised: the day of `yyyyMMddhhmmss`.
    pub personalised: Option<PartialDate>,
    /// The number of the system that personalised it.
    pub personalisation_system: Option<StoredText>,
}

impl DataGroup12 {
    /// Reads the file: `6C { 5C tags, objects.. }`. The list of tags is not consulted, as for DG11.
    pub fn parse(bytes: &[u8]) -> Result<Self, MalformedFile> {
        let mut found = Self::default();
        let mut objects = TlvReader::new(unwrap(bytes, Tag(0x6C))?);
        while let Some(object) = objects.next_object()? {
            match object.tag {
                Tag(0x5F19) => found.authority = filled(object.value),
                Tag(0x5F26) => found.issued = PartialDate::from_chip(object.value),
                Tag(0x5F1B) => found.endorsements = filled(object.value),
                Tag(0x5F1C) => found.tax_and_exit = filled(object.value),
                Tag(0x5F55) => found.personalised = personalised(object.value),
                Tag(0x5F56) => found.personalisation_system = filled(object.value),
                // Other persons and the images of the pages are not asked for by anyone.
                _ => {}
            }
        }
        Ok(found)
    }
}

/// Fourteen digits, or seven bytes of packed ones; the day stands first.
fn personalised(value: &[u8]) -> Option<PartialDate> {
    let day = if value.len() == 7 { value.get(..4) } else { value.get(..8) };
    PartialDate::from_chip(day?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cccd_card::tlv::encode;
    use proptest::prelude::*;

    #[test]
    fn the_example_of_the_standard_is_read() {
        // ICAO 9303-10, 4.7.12.
        let objects = [
            encode(Tag(0x5C), &[0x5F, 0x19, 0x5F, 0x26]),
            encode(Tag(0x5F19), b"UNITED STATES OF AMERICA"),
            encode(Tag(0x5F26), b"20020531"),
        ]
        .concat();
        let dg12 = DataGroup12::parse(&encode(Tag(0x6C), &objects)).unwrap();
        assert_eq!(dg12.authority.unwrap().as_str(), "UNITED STATES OF AMERICA");
        assert_eq!(dg12.issued.unwrap().to_iso().unwrap().expose(), "2002-05-31");
    }

    #[test]
    fn packed_dates_are_read_too() {
        let packed = [0x20, 0x02, 0x05, 0x31, 0x12, 0x00, 0x59];
        for value in [&packed[..], b"20020531120059"] {
            let dg12 = DataGroup12::parse(&encode(Tag(0x6C), &encode(Tag(0x5F55), value))).unwrap();
            assert_eq!(dg12.personalised.unwrap().to_iso().unwrap().expose(), "2002-05-31");
        }
        let dg12 = DataGroup12::parse(&encode(Tag(0x6C), &encode(Tag(0x5F26), &packed[..4]))).unwrap();
        assert_eq!(dg12.issued.unwrap().to_iso().unwrap().expose(), "2002-05-31");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(content in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = DataGroup12::parse(&encode(Tag(0x6C), &content));
        }
    }
}
