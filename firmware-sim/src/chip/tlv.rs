//! BER-TLV from the chip's side, kept apart from the terminal's so that a mistake in one is seen by the other.

/// Writes one data object. The length takes the fewest bytes that hold it.
pub(super) fn object(tag: &[u8], value: &[u8]) -> Vec<u8> {
    let mut out = tag.to_vec();
    out.extend(length_field(value.len()));
    out.extend_from_slice(value);
    out
}

/// How many bytes tag and length take before a value of `length` bytes, under a one-byte tag.
pub(super) fn overhead(length: usize) -> usize {
    1 + length_field(length).len()
}

/// The longest value that still fits into `total` bytes together with a one-byte tag and its length.
pub(super) fn longest_value(total: usize) -> usize {
    (0..=5)
        .filter_map(|header| total.checked_sub(header))
        .find(|&value| value + overhead(value) <= total)
        .unwrap_or(0)
}

fn length_field(length: usize) -> Vec<u8> {
    if let Ok(short @ 0..=0x7F) = u8::try_from(length) {
        return vec![short];
    }
    let bytes: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|&byte| byte == 0).collect();
    let mut field: Vec<u8> = u8::try_from(bytes.len()).map(|count| 0x80 | count).into_iter().collect();
    field.extend(bytes);
    field
}

/// One data object as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Object<'a> {
    /// The tag, as the number its bytes spell.
    pub(super) tag: u32,
    /// The value.
    pub(super) value: &'a [u8],
    /// Tag, length and value.
    pub(super) whole: &'a [u8],
}

/// The data objects in `input`, or `None` if it is anything but whole objects one after the other.
pub(super) fn objects(input: &[u8]) -> Option<Vec<Object<'_>>> {
    let mut found = Vec::new();
    let mut rest = input;
    while !rest.is_empty() {
        let (object, after) = first_object(rest)?;
        found.push(object);
        rest = after;
    }
    Some(found)
}

fn first_object(input: &[u8]) -> Option<(Object<'_>, &[u8])> {
    let (&first, mut rest) = input.split_first()?;
    let mut tag = u32::from(first);
    if first & 0x1F == 0x1F {
        // Commands to this chip hold tags of one or two bytes (7F49, 7F4C).
        let (&second, after) = rest.split_first()?;
        if second & 0x80 != 0 {
            return None;
        }
        tag = tag << 8 | u32::from(second);
        rest = after;
    }
    let (&head, after) = rest.split_first()?;
    rest = after;
    let length = match head {
        0..=0x7F => usize::from(head),
        0x81..=0x83 => {
            let (bytes, after) = rest.split_at_checked(usize::from(head & 0x7F))?;
            rest = after;
            bytes.iter().fold(0, |all, &byte| all << 8 | usize::from(byte))
        }
        _ => return None,
    };
    let (value, after) = rest.split_at_checked(length)?;
    let whole = input.split_at_checked(input.len() - after.len())?.0;
    Some((Object { tag, value, whole }, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_found_again() {
        for length in [0, 1, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x10000] {
            let value = vec![0x5A; length];
            let mut bytes = object(&[0x87], &value);
            assert_eq!(bytes.len(), length + overhead(length));
            let split = bytes.len();
            bytes.extend(object(&[0x7F, 0x49], b"x"));
            let found = objects(&bytes).unwrap();
            assert_eq!(found[0], Object { tag: 0x87, value: &value, whole: &bytes[..split] });
            assert_eq!((found[1].tag, found[1].value, found.len()), (0x7F49, &b"x"[..], 2));
        }
    }

    #[test]
    fn the_longest_value_fits_and_one_more_does_not() {
        assert_eq!((longest_value(0), longest_value(1), longest_value(2)), (0, 0, 0));
        for total in 2..70_000 {
            let value = longest_value(total);
            assert!(value + overhead(value) <= total, "{total}");
            assert!(value + 1 + overhead(value + 1) > total, "{total}");
        }
    }

    #[test]
    fn torn_objects_are_none() {
        for bytes in [&[0x87][..], &[0x87, 0x02, 0x01], &[0x87, 0x80], &[0x87, 0x84, 0, 0, 0, 0], &[0x7F]] {
            assert_eq!(objects(bytes), None, "{bytes:02X?}");
        }
        assert_eq!(objects(&[]), Some(Vec::new()));
    }
}
