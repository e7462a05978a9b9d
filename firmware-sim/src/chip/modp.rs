//! Numbers modulo a prime: the multiplicative groups of RFC 5114 and others, in OpenSSL's arithmetic.

use cccd_card::SecretBytes;
use openssl::bn::{BigNum, BigNumContext, BigNumRef};
use openssl::dh::Dh;
use openssl::error::ErrorStack;
use openssl::pkey::Params;

use crate::image::ModpGroup;

/// Domain parameters.
pub(super) struct Modp {
    parameters: Dh<Params>,
}

impl Modp {
    pub(super) fn new(group: ModpGroup) -> Result<Self, ErrorStack> {
        Ok(Self { parameters: group.numbers()? })
    }

    /// The prime.
    pub(super) fn prime(&self) -> &BigNumRef {
        self.parameters.prime_p()
    }

    /// The generator of the subgroup.
    pub(super) fn generator(&self) -> Result<BigNum, ErrorStack> {
        self.parameters.generator().to_owned()
    }

    /// The order of the subgroup. All groups have one.
    pub(super) fn order(&self) -> Result<BigNum, ErrorStack> {
        self.parameters.prime_q().map_or_else(BigNum::new, BigNumRef::to_owned)
    }

    /// A public key as the terminal wrote it: above one, below the prime, and in the subgroup (RFC 2631,
    /// 2.1.5). Leading zeros do no harm, up to the length of the prime.
    pub(super) fn public_key(&self, bytes: &[u8]) -> Option<BigNum> {
        if bytes.is_empty() || bytes.len() > self.prime_bytes() {
            return None;
        }
        let number = BigNum::from_slice(bytes).ok()?;
        let one = BigNum::from_u32(1).ok()?;
        let order = self.order().ok()?;
        let inside = number > one && *number < *self.prime();
        (inside && self.power(&number, &order).ok()? == one).then_some(number)
    }

    /// A public key as the chip writes it: an unsigned integer without leading zeros (ICAO 9303-11, 9.4.2).
    pub(super) fn encode(&self, number: &BigNumRef) -> Vec<u8> {
        number.to_vec()
    }

    /// A shared secret in as many bytes as the prime takes (PKCS#3, 8.3).
    pub(super) fn fixed_length(&self, number: &BigNumRef) -> Result<SecretBytes, ErrorStack> {
        Ok(SecretBytes::new(number.to_vec_padded(self.parameters.prime_p().num_bytes())?))
    }

    /// `base` to the power of `exponent`.
    pub(super) fn power(&self, base: &BigNumRef, exponent: &BigNumRef) -> Result<BigNum, ErrorStack> {
        let mut power = BigNum::new()?;
        power.mod_exp(base, exponent, self.prime(), &mut *BigNumContext::new()?)?;
        Ok(power)
    }

    /// The product of two numbers.
    pub(super) fn multiply(&self, one: &BigNumRef, other: &BigNumRef) -> Result<BigNum, ErrorStack> {
        let mut product = BigNum::new()?;
        product.mod_mul(one, other, self.prime(), &mut *BigNumContext::new()?)?;
        Ok(product)
    }

    fn prime_bytes(&self) -> usize {
        usize::try_from(self.prime().num_bytes()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_of_the_subgroup_are_public_keys() {
        for group in ModpGroup::all() {
            let group = Modp::new(group).unwrap();
            let good = group.generator().unwrap().to_vec();
            assert!(group.public_key(&good).is_some());
            let (one, two) = (BigNum::from_u32(1).unwrap(), BigNum::from_u32(2).unwrap());
            // The prime less one has order two; the double of the generator is no power of it.
            let last = group.prime() - &*one;
            let outside = group.multiply(&group.generator().unwrap(), &two).unwrap();
            let long = [&[0][..], &group.prime().to_vec()].concat();
            for bad in
                [vec![], vec![0], vec![1], last.to_vec(), group.prime().to_vec(), long, outside.to_vec()]
            {
                assert!(group.public_key(&bad).is_none(), "{} bytes", bad.len());
            }
        }
    }

    #[test]
    fn a_secret_keeps_its_leading_zeros_and_a_key_has_none() {
        let group = Modp::new(ModpGroup::Modp2048Order224).unwrap();
        let small = BigNum::from_u32(0x1234).unwrap();
        assert_eq!(group.encode(&small), [0x12, 0x34]);
        let secret = group.fixed_length(&small).unwrap();
        assert_eq!((secret.len(), &secret[254..]), (256, &[0x12, 0x34][..]));
    }
}
