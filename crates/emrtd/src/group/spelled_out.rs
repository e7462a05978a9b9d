//! Groups modulo a prime that a chip's key spells out, where they are none of RFC 5114 (PKCS #3; ANSI X9.42; BSI
//! TR-03110-3, A.2.2.1).
//!
//! Curves are only ever looked up; for primes there is no list that states keep to. So the numbers are tried: what
//! is no prime, no subgroup, or too small or too large is not computed with. That the state chose them is found
//! where DG14's signature is judged.

use crypto_bigint::BoxedUint;
use crypto_primes::{Flavor, is_prime};

use super::modp::ModpGroup;

/// A shorter prime protects nothing any more.
const LEAST_PRIME_BITS: u32 = 1024;
/// Work grows with the cube, and no chip's buffer takes a longer key.
const MOST_PRIME_BITS: u32 = 4096;
/// The smallest subgroup of RFC 5114.
const LEAST_ORDER_BITS: u32 = 160;

/// Numbers as they stand in a key, big-endian, without leading zeros. Nothing is checked but their lengths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SpelledOut {
    prime: Vec<u8>,
    generator: Vec<u8>,
    order: Option<Vec<u8>>,
}

impl SpelledOut {
    /// The numbers, unless one is longer than any group's.
    pub(crate) fn new(prime: &[u8], generator: &[u8], order: Option<&[u8]>) -> Option<Self> {
        let most = usize::try_from(MOST_PRIME_BITS / 8).unwrap_or(0);
        let fits = |number: &[u8]| (1..=most).contains(&number.len());
        let all = fits(prime) && fits(generator) && order.is_none_or(fits);
        all.then(|| Self {
            prime: prime.to_vec(),
            generator: generator.to_vec(),
            order: order.map(<[u8]>::to_vec),
        })
    }

    /// The group, if they are one. Takes some tens of milliseconds for 2048 bits.
    pub(crate) fn group(&self) -> Option<ModpGroup> {
        let prime = BoxedUint::from_be_slice_vartime(&self.prime);
        let bits = prime.bits_vartime();
        if !(LEAST_PRIME_BITS..=MOST_PRIME_BITS).contains(&bits) || !prime.bit_vartime(0) {
            return None;
        }
        let number = |bytes: &[u8]| BoxedUint::from_be_slice(bytes, prime.bits_precision()).ok();
        let one = BoxedUint::one_with_precision(prime.bits_precision());
        let last = prime.wrapping_sub(&one);
        let generator = number(&self.generator).filter(|number| *number > one && *number < last)?;
        let order = match &self.order {
            Some(order) => {
                let order = number(order)?;
                let divides = order.to_nz().into_option().map(|order| last.rem_vartime(&order));
                let is_zero = divides.is_some_and(|rest| bool::from(rest.is_zero()));
                let long = order.bits_vartime() >= LEAST_ORDER_BITS && order < last;
                (is_zero && long && is_prime(Flavor::Any, &order)).then_some(order)?
            }
            // Nobody says how many elements there are: all of them, or half where that is so.
            None => last.clone(),
        };
        if !is_prime(Flavor::Any, &prime) {
            return None;
        }
        let half = last.shr_vartime(1)?;
        let group = ModpGroup::of_numbers(&prime, &generator, &order)?;
        if self.order.is_none() && group.power(&generator, &half) == one {
            return ModpGroup::of_numbers(&prime, &generator, &half);
        }
        (group.power(&generator, &order) == one).then_some(group)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::group::Group;
    use crate::testing::hex;

    /// RFC 3526, 2: 1536 bits. A safe prime, of which two generates half the numbers.
    const PRIME_1536: &str = "
        FFFFFFFF FFFFFFFF C90FDAA2 2168C234 C4C6628B 80DC1CD1 29024E08 8A67CC74 020BBEA6 3B139B22 514A0879
        8E3404DD EF9519B3 CD3A431B 302B0A6D F25F1437 4FE1356D 6D51C245 E485B576 625E7EC6 F44C42E9 A637ED6B
        0BFF5CB6 F406B7ED EE386BFB 5A899FA5 AE9F2411 7C4B1FE6 49286651 ECE45B3D C2007CB8 A163BF05 98DA4836
        1C55D39A 69163FA8 FD24CF5F 83655D23 DCA3AD96 1C62F356 208552BB 9ED52907 7096966D 670C354E 4ABC9804
        F1746C08 CA237327 FFFFFFFF FFFFFFFF";

    fn prime() -> Vec<u8> {
        hex(PRIME_1536)
    }

    fn group(prime: &[u8], generator: &[u8], order: Option<&[u8]>) -> Option<ModpGroup> {
        SpelledOut::new(prime, generator, order)?.group()
    }

    /// (p - 1) / 2.
    fn half() -> Vec<u8> {
        let prime = BoxedUint::from_be_slice_vartime(&prime());
        prime.shr_vartime(1).unwrap().to_be_bytes_trimmed_vartime().to_vec()
    }

    fn minus_two() -> Vec<u8> {
        let mut number = prime();
        *number.last_mut().unwrap() -= 2;
        number
    }

    #[test]
    fn a_safe_prime_is_a_group_with_its_order_stated_or_not() {
        for order in [None, Some(half())] {
            let group = group(&prime(), &[2], order.as_deref()).unwrap();
            let two = group.encode(&group.generator());
            assert_eq!(two, [2], "public keys have no leading zeros");
            // Minus two has no square root: it is not of the subgroup that two generates.
            assert!(group.decode(&minus_two()).is_err() && group.decode(&[4]).is_ok());
        }
        // It generates all numbers: those of the subgroup are public keys beside the others.
        let all = group(&prime(), &minus_two(), None).unwrap();
        assert!(all.decode(&minus_two()).is_ok() && all.decode(&[4]).is_ok());
        assert!(group(&prime(), &minus_two(), Some(&half())).is_none(), "it is not of that order");
    }

    #[test]
    fn what_is_no_group_is_not_computed_with() {
        let prime = prime();
        let with = |change: fn(&mut Vec<u8>)| {
            let mut changed = prime.clone();
            change(&mut changed);
            changed
        };
        let last = with(|number| *number.last_mut().unwrap() -= 1);
        for (name, prime, generator) in [
            ("even", last.clone(), vec![2]),
            ("composite", with(|number| number[40] ^= 4), vec![2]),
            ("short", vec![0xFB], vec![2]),
            ("zero", vec![0; 192], vec![2]),
            ("generator one", prime.clone(), vec![1]),
            ("generator zero", prime.clone(), vec![0]),
            ("generator of order two", prime.clone(), last.clone()),
            ("generator out of range", prime.clone(), prime.clone()),
        ] {
            assert!(group(&prime, &generator, None).is_none(), "{name}");
        }
        assert!(SpelledOut::new(&[0xFF; 513], &[2], None).is_none());
        assert!(SpelledOut::new(&[], &[2], None).is_none());
        for (name, order) in [
            ("no divisor", with(|number| number[0] = 0x7F)),
            ("not prime", last.clone()),
            ("two", vec![2]),
            ("zero", vec![0]),
        ] {
            assert!(group(&prime, &[2], Some(&order)).is_none(), "order {name}");
        }
    }

    #[test]
    fn an_agreement_comes_to_the_same_on_both_sides() {
        let group = group(&prime(), &[2], None).unwrap();
        let ours = group.number(&[0x5A; 40]);
        let theirs = group.number(&[0xC3; 41]);
        let public = |secret: &BoxedUint| group.encode(&group.repeat(&group.generator(), secret));
        let shared = |secret: &BoxedUint, public: &[u8]| {
            group.shared_secret(&group.repeat(&group.decode(public).unwrap(), secret)).to_vec()
        };
        assert_eq!(shared(&ours, &public(&theirs)), shared(&theirs, &public(&ours)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn no_numbers_panic(
            at in any::<proptest::sample::Index>(),
            value: u8,
            generator in proptest::collection::vec(any::<u8>(), 0..8),
            order in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..24)),
            cut in 0usize..192,
        ) {
            let mut prime = prime();
            prime[at.index(192)] = value;
            let _ = group(&prime, &generator, order.as_deref());
            let _ = group(&prime[..cut], &generator, order.as_deref());
        }
    }
}
