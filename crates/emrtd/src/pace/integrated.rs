//! The pseudo-random function of the integrated mapping (ICAO 9303-11, 4.4.3.3.2).

use cccd_document::Cipher;
use zeroize::Zeroizing;

use crate::symmetric::{Iv, Key};

/// How many bytes the nonce of the terminal has: as many as the key.
pub(super) fn nonce_size(cipher: Cipher) -> usize {
    Key::size_of(cipher)
}

/// R(s,t): at least 64 bits more than the prime has, so that no remainder is likelier than another.
///
/// `s` is the chip's nonce, `t` the terminal's, as long as a key. `None` where they are not as long as they
/// must be.
pub(super) fn pseudo_random(
    cipher: Cipher,
    s: &[u8],
    t: &[u8],
    prime_bits: usize,
) -> Option<Zeroizing<Vec<u8>>> {
    let (c0, c1): (&[u8], &[u8]) = match cipher {
        Cipher::TripleDes | Cipher::Aes128 => (&C0_128, &C1_128),
        Cipher::Aes192 | Cipher::Aes256 => (&C0_256, &C1_256),
    };
    if s.len() != c0.len() {
        return None;
    }
    let bits = 8 * c0.len();
    let rounds = (prime_bits + 64).div_ceil(bits);
    let mut out = Zeroizing::new(Vec::with_capacity(rounds * c0.len()));
    let mut key = chained(cipher, t, s)?;
    for _ in 0..rounds {
        out.extend_from_slice(&chained(cipher, &key, c1)?);
        key = chained(cipher, &key, c0)?;
    }
    Some(out)
}

/// E(key, data) in CBC mode with a zero vector. Of a key that is too long the front is used: after AES-192 the
/// blocks have 32 bytes.
fn chained(cipher: Cipher, key: &[u8], data: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let key = Key::from_front(cipher, key)?;
    let mut data = Zeroizing::new(data.to_vec());
    key.encrypt(Iv::ZERO, &mut data).ok()?;
    Some(data)
}

const C0_128: [u8; 16] = 0xA668_892A_7C41_E3CA_739F_40B0_57D8_5904_u128.to_be_bytes();
const C1_128: [u8; 16] = 0xA4E1_36AC_725F_738B_01C1_F602_17C1_88AD_u128.to_be_bytes();
const C0_256: [u8; 32] = [
    0xD4, 0x63, 0xD6, 0x52, 0x34, 0x12, 0x4E, 0xF7, 0x89, 0x70, 0x54, 0x98, 0x6D, 0xCA, 0x0A, 0x17, 0x4E,
    0x28, 0xDF, 0x75, 0x8C, 0xBA, 0xA0, 0x3F, 0x24, 0x06, 0x16, 0x41, 0x4D, 0x5A, 0x16, 0x76,
];
const C1_256: [u8; 32] = [
    0x54, 0xBD, 0x72, 0x55, 0xF0, 0xAA, 0xF8, 0x31, 0xBE, 0xC3, 0x42, 0x3F, 0xCF, 0x39, 0xD6, 0x9B, 0x6C,
    0xBF, 0x06, 0x66, 0x77, 0xD0, 0xFA, 0xAE, 0x5A, 0xAD, 0xD9, 0x9D, 0xF8, 0xE5, 0x35, 0x17,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::{Group, ModpGroup, ModpId};
    use crate::testing::hex;

    #[test]
    fn the_worked_example_on_a_curve() {
        // ICAO 9303-11, Appendix H.1: the standard gives Rp(s,t), the remainder modulo p; that the same point
        // comes of R(s,t) itself is held by the transcript in `pace`.
        let r = pseudo_random(
            Cipher::Aes128,
            &hex("2923BE84E16CD6AE529049F1F1BBE9EB"),
            &hex("5DD4CBFC96F5453B130D890A1CDBAE32"),
            256,
        )
        .unwrap();
        assert_eq!(r.len(), 48);
    }

    #[test]
    fn the_worked_example_modulo_a_prime() {
        // ICAO 9303-11, Appendix H.2.
        let s = hex("FA5B7E3E49753A0DB9178B7B9BD898C8");
        let t = hex("B3A6DB3C870C3E99245E0D1C06B747DE");
        let r = pseudo_random(Cipher::Aes128, &s, &t, 1024).unwrap();
        let group = ModpGroup::standard(ModpId::Bits1024);
        assert_eq!(
            group.encode(&group.map_integrated(&r).unwrap()),
            hex("1D7D767F11E333BCD6DBAEF40E799E7A926B96973550656FF3C830726D118D61
                 C276CDCC61D475CF03A98E0C0E79CAEBA5BE25578BD4551D0B10903236F0B0F9
                 76852FA78EEA14EA0ACA87D1E91F688FE0DFF897BBE35A472621D343564B262F
                 34223AE8FC59B664BFEDFA2BFE7516CA5510A6BBB633D517EC25D4E0BBAA16C2")
        );
    }

    #[test]
    fn nonces_of_the_wrong_length_come_to_nothing() {
        for (cipher, s, t) in [
            (Cipher::TripleDes, 16, 16),
            (Cipher::Aes128, 16, 16),
            (Cipher::Aes192, 32, 24),
            (Cipher::Aes256, 32, 32),
        ] {
            assert_eq!(nonce_size(cipher), t);
            let size = |s, t| pseudo_random(cipher, &vec![1; s], &vec![2; t], 521).map(|r| r.len());
            // 521 + 64 bits in whole rounds.
            assert_eq!(size(s, t), Some(if s == 16 { 80 } else { 96 }), "{cipher:?}");
            assert_eq!(size(s - 8, t), None, "{cipher:?}");
            assert_eq!(size(s, t - 8), None, "{cipher:?}");
        }
    }
}
