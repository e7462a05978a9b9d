//! The answer-to-reset as the reader reports it.

use cccd_card::Atr;

/// The answer-to-reset of a T=1 card without historical bytes that takes 254 bytes in a block and does not dawdle.
///
/// `TD1` and `TD2` announce T=1, `TA3` is the IFSC (ISO/IEC 7816-3, 11.4.2). Without it a driver sends blocks
/// of 32 bytes, and a long command takes eight times as many. `TB3` says how long the card may take (11.4.3): 1.4 s
/// before a block, 25 ms before a byte. Without it that would be 0.76 s before each byte, and a driver waits more than
/// three minutes for a block that was lost; with it, eight seconds.
pub const ATR_T1: [u8; 6] = [0x3B, 0x80, 0x81, 0x31, 0xFE, 0x48];

/// The card's answer-to-reset with the interface bytes of this reader: those of [`ATR_T1`], the card's own historical
/// bytes, and a check byte over all that.
///
/// A contactless reader does the same (PC/SC part 3, 3.1.3.2.3): what lies between the card and it is its own
/// affair. Where the historical bytes cannot be found, there are none in the result.
pub fn for_t1(card: &[u8]) -> Vec<u8> {
    let atr = Atr::new(card).ok();
    // Fifteen at most: their number is the low half of T0.
    let historical = atr.as_ref().and_then(Atr::historical_bytes).unwrap_or_default();
    let count = u8::try_from(historical.len()).unwrap_or_default();
    let [ts, t0, interface @ ..] = ATR_T1;
    let mut atr = vec![ts, t0 | count];
    atr.extend(interface);
    atr.extend(historical);
    // TCK is the sum of everything after TS (ISO/IEC 7816-3, 8.2.5).
    atr.push(atr.iter().skip(1).fold(0, |sum, byte| sum ^ byte));
    atr
}

/// The same of a card that takes four times the rate of its answer-to-reset (TA1 = 13), which the host then asks for
/// by a PPS (ISO/IEC 7816-3, 9).
pub(super) fn offering_faster(atr: &[u8]) -> Vec<u8> {
    let [ts, t0, rest @ .., _] = atr else { return atr.to_vec() };
    let mut faster = vec![*ts, t0 | 0x10, 0x13];
    faster.extend(rest);
    faster.push(faster.iter().skip(1).fold(0, |sum, byte| sum ^ byte));
    faster
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_card_gets_the_bare_answer() {
        let bare = [0x3B, 0x80, 0x81, 0x31, 0xFE, 0x48, 0x86];
        assert_eq!(for_t1(&[0x3B, 0x80, 0x80, 0x01, 0x01]), bare);
        for unreadable in [&[][..], &[0x3B], &[0x3B, 0xFF], &[0x3B; 40]] {
            assert_eq!(for_t1(unreadable), bare, "{unreadable:02X?}");
        }
    }

    #[test]
    fn a_faster_rate_is_offered_before_the_protocol() {
        let faster = offering_faster(&for_t1(&[]));
        assert_eq!(faster, [0x3B, 0x90, 0x13, 0x81, 0x31, 0xFE, 0x48, 0x85]);
        assert_eq!(offering_faster(&[0x3B]), [0x3B]);
    }

    #[test]
    fn historical_bytes_survive_and_the_check_byte_fits() {
        let contactless = [0x3B, 0x85, 0x80, 0x01, 0x80, 0x73, 0xC8, 0x21, 0x40, 0x5F];
        let atr = for_t1(&contactless);
        assert_eq!(atr[..11], [0x3B, 0x85, 0x81, 0x31, 0xFE, 0x48, 0x80, 0x73, 0xC8, 0x21, 0x40]);
        assert_eq!(atr[1..].iter().fold(0, |sum, byte| sum ^ byte), 0);
        assert_eq!(Atr::new(&atr).unwrap().claims_extended_length(), Some(true));
        assert_eq!(for_t1(&atr), atr, "doing it twice changes nothing");
    }
}
