//! The answer-to-reset of a card that has none, as PC/SC makes it up (PC/SC part 3, 3.1.3.2.3).

use cccd_card::{Atr, ByteReader};

use super::protocol::Found;

/// Most historical bytes that `3B 8n` can announce.
const MOST: usize = 15;

/// The same bytes that a PC/SC reader would report for this card; nothing for one that takes no APDU.
pub(super) fn made_up_atr(found: &Found) -> Option<Atr> {
    let historical = match found {
        Found::A { ats } => historical_bytes(ats),
        Found::B { atqb } => {
            // The high half of the last byte would be the MBLI of ATTRIB's answer, which libnfc keeps to itself.
            let mut bytes = atqb.to_vec();
            bytes.push(0);
            bytes
        }
        Found::Other => return None,
    };
    let historical = historical.get(..historical.len().min(MOST)).unwrap_or_default();
    let count = u8::try_from(historical.len()).unwrap_or(0);
    let mut atr = vec![0x3B, 0x80 | count, 0x80, 0x01];
    atr.extend(historical);
    let check = atr.iter().skip(1).fold(0, |sum, byte| sum ^ byte);
    atr.push(check);
    Atr::new(&atr).ok()
}

/// What follows the interface bytes of an ATS without its length byte (ISO/IEC 14443-4, 5.2).
fn historical_bytes(ats: &[u8]) -> Vec<u8> {
    let mut bytes = ByteReader::new(ats);
    let Ok(t0) = bytes.u8() else { return Vec::new() };
    let interface = (t0 & 0x70).count_ones();
    let after = 1 + usize::try_from(interface).unwrap_or(0);
    ats.get(after..).unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn atr(found: &Found) -> String {
        made_up_atr(found).map(|atr| atr.to_string()).unwrap_or_default()
    }

    #[test]
    fn historical_bytes_become_an_answer_to_reset() {
        let ats = |ats: &[u8]| Found::A { ats: ats.to_vec() };
        // The bytes that a PC/SC reader reports for the simulated card of 2021.
        assert_eq!(
            atr(&ats(&[0x78, 0x77, 0x81, 0x02, 0x80, 0x73, 0xC0, 0x21, 0xC0])),
            "3B 85 80 01 80 73 C0 21 C0 D6"
        );
        assert_eq!(atr(&ats(&[0x00, 0xAA])), "3B 81 80 01 AA AA");
        assert_eq!(atr(&ats(&[])), "3B 80 80 01 01");
        assert_eq!(atr(&ats(&[0x78, 0x77])), "3B 80 80 01 01", "interface bytes are announced and missing");
        assert_eq!(atr(&ats(&[0x55; 254])).split(' ').count(), 4 + 15 + 1);
        assert_eq!(atr(&Found::B { atqb: [1, 2, 3, 4, 5, 6, 7] }), "3B 88 80 01 01 02 03 04 05 06 07 00 09");
        assert_eq!(made_up_atr(&Found::Other), None);
    }
}
