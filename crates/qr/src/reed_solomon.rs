//! Reed-Solomon over GF(256) with errors and erasures (ISO/IEC 18004, 7.5 and 12).

#![expect(
    clippy::indexing_slicing,
    reason = "fixed arrays indexed by field elements and by degrees the loops themselves bound"
)]

/// The longest block of any symbol: 153 codewords (ISO/IEC 18004, table 9), and never above 255.
const LONGEST: usize = 255;
/// The most check codewords in one block of any symbol.
const MOST_CHECKS: usize = 30;

/// What a block cost to mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mended {
    /// Codewords that were wrong and not announced as doubtful.
    pub(crate) errors: usize,
}

const fn tables() -> ([u8; 512], [u8; 256]) {
    let mut exp = [0u8; 512];
    let mut log = [0u8; 256];
    let mut value = 1u16;
    let mut power = 0u8;
    loop {
        #[expect(clippy::cast_possible_truncation, reason = "reduced below 256 by the field polynomial")]
        let element = value as u8;
        exp[power as usize] = element;
        exp[power as usize + 255] = element;
        log[element as usize] = power;
        value <<= 1;
        if value >= 256 {
            // x^8 + x^4 + x^3 + x^2 + 1 (ISO/IEC 18004, 7.5.2).
            value ^= 0x11D;
        }
        power += 1;
        if power == 255 {
            break;
        }
    }
    (exp, log)
}

const TABLES: ([u8; 512], [u8; 256]) = tables();
const EXP: [u8; 512] = TABLES.0;
const LOG: [u8; 256] = TABLES.1;

fn product(a: u8, b: u8) -> u8 {
    if a == 0 || b == 0 {
        return 0;
    }
    EXP[usize::from(LOG[usize::from(a)]) + usize::from(LOG[usize::from(b)])]
}

/// `a / b`; the caller has seen that `b` is not zero.
fn quotient(a: u8, b: u8) -> u8 {
    if a == 0 {
        return 0;
    }
    EXP[usize::from(LOG[usize::from(a)]) + 255 - usize::from(LOG[usize::from(b)])]
}

fn syndromes(block: &[u8], checks: usize) -> ([u8; MOST_CHECKS], bool) {
    let mut all = [0u8; MOST_CHECKS];
    let mut clean = true;
    for (power, out) in all.iter_mut().enumerate().take(checks) {
        let mut sum = 0u8;
        for &codeword in block {
            sum =
                if sum == 0 { codeword } else { EXP[usize::from(LOG[usize::from(sum)]) + power] ^ codeword };
        }
        *out = sum;
        clean &= sum == 0;
    }
    (all, clean)
}

fn evaluate(polynomial: &[u8], at: u8) -> u8 {
    polynomial.iter().rev().fold(0, |sum, &coefficient| product(sum, at) ^ coefficient)
}

/// Mends `block`, whose last `checks` codewords are the check codewords, taking the codewords at `erased`
/// as unknown. `None`, with the block in any state, when it is beyond mending.
pub(crate) fn mend(block: &mut [u8], checks: usize, erased: &[usize]) -> Option<Mended> {
    let length = block.len();
    if length > LONGEST || checks > MOST_CHECKS || checks >= length || erased.len() > checks {
        return None;
    }
    let (found, clean) = syndromes(block, checks);
    if clean {
        return Some(Mended { errors: 0 });
    }

    // Berlekamp-Massey, started from the locator of the erasures.
    let mut locator = [0u8; MOST_CHECKS + 2];
    locator[0] = 1;
    for (count, &place) in erased.iter().enumerate() {
        let root = EXP[length.checked_sub(1 + place)?];
        for degree in (0..=count).rev() {
            locator[degree + 1] ^= product(locator[degree], root);
        }
    }
    let mut helper = locator;
    let mut degree = erased.len();
    for round in erased.len() + 1..=checks {
        let mut discrepancy = 0u8;
        for step in 0..=degree.min(round - 1) {
            discrepancy ^= product(locator[step], found[round - 1 - step]);
        }
        helper.rotate_right(1);
        helper[0] = 0;
        if discrepancy == 0 {
            continue;
        }
        let previous = locator;
        for (coefficient, &other) in locator.iter_mut().zip(&helper) {
            *coefficient ^= product(discrepancy, other);
        }
        if 2 * degree < round + erased.len() {
            degree = round + erased.len() - degree;
            for (kept, &old) in helper.iter_mut().zip(&previous) {
                *kept = quotient(old, discrepancy);
            }
        }
        if degree > checks {
            return None;
        }
    }

    // Chien's search and Forney's values.
    let mut evaluator = [0u8; MOST_CHECKS];
    for (power, out) in evaluator.iter_mut().enumerate().take(checks) {
        for step in 0..=power.min(degree) {
            *out ^= product(locator[step], found[power - step]);
        }
    }
    let mut roots = 0;
    let mut errors = 0;
    for (place, codeword) in block.iter_mut().enumerate() {
        let power = length - 1 - place;
        let inverse = EXP[255 - power % 255];
        if evaluate(&locator[..=degree], inverse) != 0 {
            continue;
        }
        roots += 1;
        let mut slope = 0u8;
        let mut at = 1u8;
        for step in (1..=degree).step_by(2) {
            slope ^= product(locator[step], at);
            at = product(at, product(inverse, inverse));
        }
        if slope == 0 {
            return None;
        }
        let value = product(EXP[power % 255], quotient(evaluate(&evaluator[..checks], inverse), slope));
        *codeword ^= value;
        if value != 0 && !erased.contains(&place) {
            errors += 1;
        }
    }
    if roots != degree || !syndromes(block, checks).1 {
        return None;
    }
    Some(Mended { errors })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with_checks(data: &[u8], checks: usize) -> Vec<u8> {
        let mut generator = vec![1u8];
        for &root in EXP.iter().take(checks) {
            let mut next = vec![0u8; generator.len() + 1];
            for (at, &coefficient) in generator.iter().enumerate() {
                next[at] ^= coefficient;
                next[at + 1] ^= product(coefficient, root);
            }
            generator = next;
        }
        let mut rest = data.to_vec();
        rest.resize(data.len() + checks, 0);
        for at in 0..data.len() {
            let lead = rest[at];
            for (step, &coefficient) in generator.iter().enumerate() {
                rest[at + step] ^= product(lead, coefficient);
            }
        }
        [data, &rest[data.len()..]].concat()
    }

    #[test]
    fn check_codewords_of_the_worked_example() {
        // ISO/IEC 18004, Annex I.2: version 1-M, "01234567".
        let data =
            [0x10, 0x20, 0x0C, 0x56, 0x61, 0x80, 0xEC, 0x11, 0xEC, 0x11, 0xEC, 0x11, 0xEC, 0x11, 0xEC, 0x11];
        let whole = with_checks(&data, 10);
        assert_eq!(whole[16..], [0xA5, 0x24, 0xD4, 0xC1, 0xED, 0x36, 0xC7, 0x87, 0x2C, 0x55]);
        let mut block = whole.clone();
        assert_eq!(mend(&mut block, 10, &[]), Some(Mended { errors: 0 }));
    }

    proptest! {
        #[test]
        fn errors_and_erasures_within_the_bound_are_mended(
            data in proptest::collection::vec(any::<u8>(), 5..120),
            checks in 4usize..=30,
            erasures in 0usize..30,
            flips in proptest::collection::vec((any::<proptest::sample::Index>(), 1u8..), 30),
        ) {
            let whole = with_checks(&data, checks);
            let mut block = whole.clone();
            let mut touched: Vec<usize> = Vec::new();
            for (index, flip) in flips {
                let place = index.index(block.len());
                if !touched.contains(&place) {
                    block[place] ^= flip;
                    touched.push(place);
                }
            }
            let erasures = erasures.min(checks).min(touched.len());
            let errors = ((checks - erasures) / 2).min(touched.len() - erasures);
            for &place in &touched[erasures + errors..] {
                block[place] = whole[place];
            }
            let mended = mend(&mut block, checks, &touched[..erasures]);
            prop_assert_eq!(mended, Some(Mended { errors }));
            prop_assert_eq!(block, whole);
        }

        #[test]
        fn whatever_is_called_mended_is_a_codeword(
            mut block in proptest::collection::vec(any::<u8>(), 2..255),
            checks in 1usize..40,
            erased in proptest::collection::vec(0usize..300, 0..12),
        ) {
            if mend(&mut block, checks, &erased).is_some() {
                prop_assert!(syndromes(&block, checks).1);
            }
        }
    }
}
