//! DG1: the machine-readable zone (ICAO 9303-10, 4.7.1).

use cccd_card::tlv::{Tag, TlvReader};

use crate::malformed::unwrap;
use crate::{MalformedFile, Mrz};

/// The machine-readable zone of the chip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataGroup1 {
    /// It, taken apart.
    pub mrz: Mrz,
}

impl DataGroup1 {
    /// Reads the file: `61 { 5F1F mrz }`.
    pub fn parse(bytes: &[u8]) -> Result<Self, MalformedFile> {
        let mut reader = TlvReader::new(unwrap(bytes, Tag(0x61))?);
        Ok(Self { mrz: Mrz::from_chip(reader.expect(Tag(0x5F1F))?)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &[u8] = b"\x61\x5D\x5F\x1F\x5AIDVNM0901234562000090123456<<2\
                             9001022M3001020VNM<<<<<<<<<<<4NGUYEN<<VAN<MAU<<<<<<<<<<<<<<<";

    #[test]
    fn the_example_of_95_bytes_is_read_with_and_without_padding() {
        assert_eq!(EXAMPLE.len(), 95);
        let dg1 = DataGroup1::parse(EXAMPLE).unwrap();
        assert_eq!(dg1.mrz.document_number.expose(), "090123456");
        assert_eq!(dg1.mrz.findings, []);
        let padded = [EXAMPLE, &[0; 9]].concat();
        assert_eq!(DataGroup1::parse(&padded).unwrap(), dg1);
    }

    #[test]
    fn what_is_no_dg1_is_refused() {
        for cut in 0..EXAMPLE.len() {
            assert!(DataGroup1::parse(&EXAMPLE[..cut]).is_err(), "{cut}");
        }
        assert!(matches!(DataGroup1::parse(b"\x61\x04\x5F\x1F\x01A"), Err(MalformedFile::Mrz(_))));
    }
}
