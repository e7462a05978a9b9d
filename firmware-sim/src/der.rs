//! Writing TLV: the one encoding that DER and the LDS share (ITU-T X.690, 8.1 and 10; ICAO 9303-10, 3).
//!
//! Only writing. Nothing here reads back what it wrote: readers are the agent's, and were this file their
//! twin, a wrong length would agree with itself.

/// One data object: the bytes of `tag` without leading zeros, the shortest definite length, `value`.
pub(crate) fn tlv(tag: u32, value: &[u8]) -> Vec<u8> {
    let mut out = significant(&tag.to_be_bytes()).to_vec();
    let length = value.len().to_be_bytes();
    let length = significant(&length);
    match length {
        [short @ ..=0x7F] => out.push(*short),
        _ => {
            // At most eight length bytes, so the count stays in the low bits.
            out.push(0x80 | u8::try_from(length.len()).unwrap_or(0x7F));
            out.extend_from_slice(length);
        }
    }
    out.extend_from_slice(value);
    out
}

/// One data object around several others.
pub(crate) fn constructed(tag: u32, parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(tag, &parts.concat())
}

/// SEQUENCE.
pub(crate) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    constructed(0x30, parts)
}

/// SET OF, sorted as DER wants it (ITU-T X.690, 11.6).
pub(crate) fn set_of(mut parts: Vec<Vec<u8>>) -> Vec<u8> {
    parts.sort();
    constructed(0x31, &parts)
}

/// INTEGER that is not negative, from its bytes, most significant first.
pub(crate) fn unsigned(bytes: &[u8]) -> Vec<u8> {
    let bytes = significant(bytes);
    match bytes.first() {
        // A set top bit would make it negative.
        Some(0x80..) => tlv(0x02, &[&[0], bytes].concat()),
        _ => tlv(0x02, bytes),
    }
}

/// INTEGER that is not negative.
pub(crate) fn integer(value: u32) -> Vec<u8> {
    unsigned(&value.to_be_bytes())
}

/// OBJECT IDENTIFIER. The first two arcs share a byte, the others are base 128 (ITU-T X.690, 8.19).
pub(crate) fn oid(arcs: &[u32]) -> Vec<u8> {
    let mut value = Vec::new();
    if let [first, second, rest @ ..] = arcs {
        base_128(first * 40 + second, &mut value);
        for arc in rest {
            base_128(*arc, &mut value);
        }
    }
    tlv(0x06, &value)
}

/// PrintableString.
pub(crate) fn printable(text: &str) -> Vec<u8> {
    tlv(0x13, text.as_bytes())
}

/// UTF8String.
pub(crate) fn utf8(text: &str) -> Vec<u8> {
    tlv(0x0C, text.as_bytes())
}

/// OCTET STRING.
pub(crate) fn octets(bytes: &[u8]) -> Vec<u8> {
    tlv(0x04, bytes)
}

/// BIT STRING with so many unused bits at its end.
pub(crate) fn bits(bytes: &[u8], unused: u8) -> Vec<u8> {
    tlv(0x03, &[&[unused], bytes].concat())
}

fn base_128(value: u32, out: &mut Vec<u8>) {
    let groups = (0..5).rev().map(|group| (value >> (7 * group)) & 0x7F).skip_while(|&group| group == 0);
    let mut groups: Vec<u8> = groups.filter_map(|group| u8::try_from(group).ok()).collect();
    if groups.is_empty() {
        groups.push(0);
    }
    if let Some((last, before)) = groups.split_last_mut() {
        for group in before.iter() {
            out.push(group | 0x80);
        }
        out.push(*last);
    }
}

/// Without the zeros in front, but never nothing.
fn significant(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    let keep = bytes.len().saturating_sub(zeros).max(1);
    bytes.split_at_checked(bytes.len().saturating_sub(keep)).map_or(bytes, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_the_shortest_definite_ones() {
        for (length, head) in [
            (0, &[0x04, 0x00][..]),
            (127, &[0x04, 0x7F]),
            (128, &[0x04, 0x81, 0x80]),
            (255, &[0x04, 0x81, 0xFF]),
            (256, &[0x04, 0x82, 0x01, 0x00]),
            (65_536, &[0x04, 0x83, 0x01, 0x00, 0x00]),
        ] {
            let object = octets(&vec![0xAA; length]);
            assert_eq!(&object[..head.len()], head);
            assert_eq!(object.len(), head.len() + length);
        }
    }

    #[test]
    fn tags_of_two_bytes_stay_two_bytes() {
        assert_eq!(tlv(0x5F1F, b"A"), [0x5F, 0x1F, 0x01, 0x41]);
    }

    #[test]
    fn integers_never_turn_negative() {
        assert_eq!(integer(0), [0x02, 0x01, 0x00]);
        assert_eq!(integer(0x7F), [0x02, 0x01, 0x7F]);
        assert_eq!(integer(0x80), [0x02, 0x02, 0x00, 0x80]);
        assert_eq!(unsigned(&[0, 0, 0xFF, 0xFF]), [0x02, 0x03, 0x00, 0xFF, 0xFF]);
    }

    #[test]
    fn object_identifiers_of_the_standards() {
        // The ICAO security object, bsi-de, and the character set identifier of DG13.
        assert_eq!(oid(&[2, 23, 136, 1, 1, 1]), [0x06, 0x06, 0x67, 0x81, 0x08, 0x01, 0x01, 0x01]);
        assert_eq!(oid(&[0, 4, 0, 127, 0, 7]), [0x06, 0x05, 0x04, 0x00, 0x7F, 0x00, 0x07]);
        assert_eq!(oid(&[1, 0, 10646, 1, 0, 8]), [0x06, 0x06, 0x28, 0xD3, 0x16, 0x01, 0x00, 0x08]);
    }

    #[test]
    fn a_set_is_sorted_whatever_order_it_came_in() {
        let parts = [integer(3), integer(1), integer(2)];
        assert_eq!(set_of(parts.to_vec()), [0x31, 9, 2, 1, 1, 2, 1, 2, 2, 1, 3]);
    }
}
