//! Numbers in signed digits, few of which are not zero.

/// A big-endian number in non-adjacent form, lowest digit first: each digit is zero or odd, and of `width` digits in a
/// row at most one is not zero. Digits lie between the powers of two of `width` less one.
pub(crate) fn non_adjacent(number: &[u8], width: usize) -> Vec<i8> {
    let bits = number.len() * 8;
    let bit = |at: usize| {
        let byte = number.iter().rev().nth(at / 8).copied().unwrap_or(0);
        i16::from(byte >> (at % 8) & 1)
    };
    // One more for what is carried out of the last.
    let mut digits = vec![0; bits + 1];
    let (mut at, mut carry) = (0, 0);
    while let Some(digit) = digits.get_mut(at) {
        if bit(at) == carry {
            // Even with what is carried, which is carried on.
            at += 1;
            continue;
        }
        let window = (0..width).rev().fold(0, |sum, up| sum << 1 | bit(at + up)) + carry;
        carry = window >> (width - 1);
        // Below 64 in magnitude with the widest window here.
        *digit = i8::try_from(window - (carry << width)).unwrap_or_default();
        at += width;
    }
    digits
}
