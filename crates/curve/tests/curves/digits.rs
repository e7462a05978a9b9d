//! The digits by which points are multiplied in variable time. Nobody outside the crate sees them, so that their
//! source is taken in here.

use proptest::prelude::*;

#[path = "../../src/digits.rs"]
mod source;

use source::non_adjacent;

proptest! {
    #[test]
    fn digits_are_sparse_odd_and_make_the_number(number: u64, more in 0_usize..3, width in 2_usize..8) {
        let bytes = [vec![0; more], number.to_be_bytes().to_vec()].concat();
        let digits = non_adjacent(&bytes, width);
        let sum = digits.iter().enumerate().map(|(at, digit)| i128::from(*digit) << at).sum::<i128>();
        prop_assert_eq!(sum, i128::from(number));
        for (at, digit) in digits.iter().enumerate().filter(|(_, digit)| **digit != 0) {
            prop_assert!(digit % 2 != 0 && i16::from(digit.abs()) < 1 << (width - 1));
            prop_assert!(digits[at + 1..].iter().take(width - 1).all(|next| *next == 0));
        }
    }
}

#[test]
fn a_carry_out_of_the_last_bit_is_a_digit() {
    assert_eq!(non_adjacent(&[0xFF], 2), [-1, 0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(non_adjacent(&[0], 7), [0; 9]);
}
