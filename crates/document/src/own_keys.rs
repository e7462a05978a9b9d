//! Which keys are a card's own, told from what it says of itself.
//!
//! A chip opens to its own keys and to no others. Where a reader has opened it by itself nobody had to show one; so that a
//! reading made for one person never hands out another's card, the caller's keys are held against these.

use crate::{AccessInput, AccessKey, Can, DataGroup1, DataGroup13, MrzFormat, Personal};

/// The keys that follow from these files: the MRZ key as the MRZ spells it and, on a Vietnamese card, the card access
/// number, which is the end of the personal number. Without DG1 the MRZ is put together from DG13's dates.
pub fn own_keys(dg1: Option<&DataGroup1>, dg13: Option<&DataGroup13>) -> Vec<AccessKey> {
    let mut keys = Vec::new();
    if let Some(DataGroup1 { mrz }) = dg1 {
        let vietnamese = mrz.format == MrzFormat::Td1 && mrz.issuing_state == "VNM";
        let number = mrz.personal_number.as_ref().filter(|_| vietnamese);
        keys.extend(number.and_then(|number| can_of(number.expose())).map(AccessKey::Can));
        keys.extend(mrz.key().ok().map(AccessKey::Mrz));
    } else if let Some(text) = dg13.and_then(DataGroup13::vietnamese) {
        let stored = |field: Option<&crate::StoredText>| {
            Personal::from(field.map(crate::StoredText::as_str).unwrap_or_default().trim())
        };
        let document_number = stored(text.personal_number());
        keys.extend(can_of(document_number.expose()).map(AccessKey::Can));
        let fields = AccessInput::Fields {
            document_number,
            birth: stored(text.birth()),
            expiry: stored(text.expiry()),
        };
        let planned = fields.plan().map(|plan| plan.keys).unwrap_or_default();
        keys.extend(planned.into_iter().filter(|key| matches!(key, AccessKey::Mrz(_))));
    }
    keys
}

/// Of twelve digits the last six (cccd.md, section 3).
fn can_of(number: &str) -> Option<Can> {
    let twelve = number.len() == 12 && number.bytes().all(|byte| byte.is_ascii_digit());
    Can::new(number.get(6..).filter(|_| twelve)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MrzKey;

    const DG1: &[u8] = b"\x61\x5D\x5F\x1F\x5AIDVNM0901234562000090123456<<2\
                         9001022M3001020VNM<<<<<<<<<<<4NGUYEN<<VAN<MAU<<<<<<<<<<<<<<<";

    fn can(digits: &str) -> AccessKey {
        AccessKey::Can(Can::new(digits).unwrap())
    }

    fn mrz(number: &str, birth: &str, expiry: &str) -> AccessKey {
        AccessKey::Mrz(MrzKey::new(number, birth, expiry).unwrap())
    }

    #[test]
    fn the_mrz_of_a_vietnamese_card_tells_both_keys() {
        let keys = own_keys(Some(&DataGroup1::parse(DG1).unwrap()), None);
        assert_eq!(keys, [can("123456"), mrz("090123456", "900102", "300102")]);
    }

    #[test]
    fn a_passport_has_no_card_access_number_in_it() {
        let mrz_of =
            "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<L898902C36UTO7408122F1204159ZE184226B<<<<<10";
        let dg1 = [&b"\x61\x5B\x5F\x1F\x58"[..], mrz_of.as_bytes()].concat();
        let keys = own_keys(Some(&DataGroup1::parse(&dg1).unwrap()), None);
        assert_eq!(keys, [mrz("L898902C3", "740812", "120415")]);
    }

    #[test]
    fn dg13_alone_tells_them_too() {
        let field = |number: u8, text: &[u8]| {
            let text = cccd_card::tlv::encode(cccd_card::tlv::Tag(0x0C), text);
            cccd_card::tlv::encode(cccd_card::tlv::Tag(0x30), &[&[2, 1, number], &text[..]].concat())
        };
        let dg13 = |expiry: &[u8]| {
            let fields = [field(1, b"000090123456"), field(3, b"02/01/1990"), field(12, expiry)].concat();
            let set = cccd_card::tlv::encode(cccd_card::tlv::Tag(0x31), &fields);
            let head = b"\x02\x01\x01\x06\x06\x28\xD3\x16\x01\x00\x08";
            let list = cccd_card::tlv::encode(cccd_card::tlv::Tag(0x30), &[&head[..], &set].concat());
            DataGroup13::parse(&cccd_card::tlv::encode(cccd_card::tlv::Tag(0x6D), &list)).unwrap()
        };
        let keys = own_keys(None, Some(&dg13(b"02/01/2030")));
        assert!(keys.contains(&can("123456")) && keys.contains(&mrz("090123456", "900102", "300102")));
        let keys = own_keys(None, Some(&dg13("Không thời hạn".as_bytes())));
        assert!(keys.contains(&mrz("090123456", "900102", "991231")), "{}", keys.len());
        assert!(own_keys(None, None).is_empty());
    }
}
