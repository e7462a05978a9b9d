//! DG14: security options, signed (ICAO 9303-10, 4.7.14).

use cccd_card::tlv::Tag;

use crate::malformed::unwrap;
use crate::{MalformedFile, SecurityInfos};

/// The signed list of what the chip can do. Its hash is over the bytes as read, never over a re-encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataGroup14 {
    /// The options.
    pub security_infos: SecurityInfos,
}

impl DataGroup14 {
    /// Reads the file: `6E { SET OF SecurityInfo }`.
    pub fn parse(bytes: &[u8]) -> Result<Self, MalformedFile> {
        Ok(Self { security_infos: SecurityInfos::parse(unwrap(bytes, Tag(0x6E))?)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cccd_card::tlv::encode;

    #[test]
    fn active_authentication_names_its_hash() {
        // ICAO 9303-11, 9.2.4: version 1, ecdsa-plain-SHA256 of TR-03111.
        let info = [
            encode(Tag(0x06), &hex::decode("678108010105").unwrap()),
            vec![0x02, 0x01, 0x01],
            encode(Tag(0x06), &hex::decode("04007f00070101040103").unwrap()),
        ]
        .concat();
        let bytes = encode(Tag(0x6E), &encode(Tag(0x31), &encode(Tag(0x30), &info)));
        let dg14 = DataGroup14::parse(&bytes).unwrap();
        let info = dg14.security_infos.active_authentication_info().unwrap();
        assert_eq!(info.version, 1);
        assert_eq!(info.signature_algorithm.to_string(), "0.4.0.127.0.7.1.1.4.1.3");
    }

    #[test]
    fn card_access_is_no_dg14() {
        assert!(DataGroup14::parse(&[0x31, 0x00]).is_err());
        assert_eq!(DataGroup14::parse(&[0x6E, 0x02, 0x31, 0x00]).unwrap().security_infos.iter().count(), 0);
    }
}
