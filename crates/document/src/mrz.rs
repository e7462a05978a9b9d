//! The machine-readable zone (ICAO 9303-3 to 9303-7).

/// The check digit over `field` (ICAO 9303-3, 4.9): weights 7, 3, 1, modulo 10.
pub fn check_digit(field: &str) -> Option<u8> {
    field
        .bytes()
        .zip([7u32, 3, 1].into_iter().cycle())
        .try_fold(0u32, |sum, (byte, weight)| Some((sum + value(byte)? * weight) % 10))
        .and_then(|sum| u8::try_from(sum).ok())
}

/// What a character counts: digits themselves, A to Z 10 to 35, the filler nothing.
fn value(byte: u8) -> Option<u32> {
    match byte {
        b'<' => Some(0),
        b'0'..=b'9' => Some(u32::from(byte - b'0')),
        b'A'..=b'Z' => Some(u32::from(byte - b'A') + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_of_the_icao_specimen() {
        // ICAO 9303-11, Appendix D.2: document number, birth, expiry.
        for (field, digit) in [("L898902C<", 3), ("690806", 1), ("940623", 6)] {
            assert_eq!(check_digit(field), Some(digit), "{field}");
        }
    }
}
