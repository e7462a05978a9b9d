//! From a password or a shared secret to keys (ICAO 9303-11, 9.7).

use cccd_document::{AccessKey, Cipher, MrzKey};
use digest::Digest;
use sha1::Sha1;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::symmetric::Key;

/// What a derived key is for: the counter of the key derivation function (9.7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Encryption,
    Authentication,
    /// Decrypting the nonce of PACE with the password's key.
    Password,
}

/// The key derivation function (9.7.1.1 to 9.7.1.4).
pub(crate) fn derive(cipher: Cipher, secret: &[u8], purpose: Purpose) -> Key {
    let counter: u32 = match purpose {
        Purpose::Encryption => 1,
        Purpose::Authentication => 2,
        Purpose::Password => 3,
    };
    let counter = counter.to_be_bytes();
    match cipher {
        Cipher::TripleDes => Key::TripleDes(leading::<16>(&sha1(secret, &counter)).map(odd_parity)),
        Cipher::Aes128 => Key::Aes128(leading(&sha1(secret, &counter))),
        Cipher::Aes192 => Key::Aes192(leading(&sha256(secret, &counter))),
        Cipher::Aes256 => Key::Aes256(leading(&sha256(secret, &counter))),
    }
}

/// The two keys a session or BAC works with.
pub(crate) struct KeyPair {
    pub(crate) encryption: Key,
    pub(crate) authentication: Key,
}

impl KeyPair {
    /// Both keys from one secret.
    pub(crate) fn derive(cipher: Cipher, secret: &[u8]) -> Self {
        Self {
            encryption: derive(cipher, secret, Purpose::Encryption),
            authentication: derive(cipher, secret, Purpose::Authentication),
        }
    }
}

/// The document basic access keys: from the first 16 bytes of the hash over the MRZ fields (9.7.2).
pub(crate) fn document_basic_access_keys(mrz: &MrzKey) -> KeyPair {
    let seed = Zeroizing::new(leading::<16>(&sha1(&mrz.mrz_information(), &[])));
    KeyPair::derive(Cipher::TripleDes, seed.as_slice())
}

/// K_pi, with which the chip encrypted its nonce: from the CAN itself, or from the whole hash over the MRZ
/// fields (9.7.3).
pub(crate) fn password_key(cipher: Cipher, password: &AccessKey) -> Key {
    match password {
        AccessKey::Can(can) => derive(cipher, can.as_bytes(), Purpose::Password),
        AccessKey::Mrz(mrz) => {
            derive(cipher, sha1(&mrz.mrz_information(), &[]).as_slice(), Purpose::Password)
        }
    }
}

fn sha1(secret: &[u8], counter: &[u8]) -> Zeroizing<[u8; 20]> {
    Zeroizing::new(Sha1::new().chain_update(secret).chain_update(counter).finalize().into())
}

fn sha256(secret: &[u8], counter: &[u8]) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(Sha256::new().chain_update(secret).chain_update(counter).finalize().into())
}

/// The first `N` bytes; every digest above is longer than what is taken of it.
fn leading<const N: usize>(digest: &impl AsRef<[u8]>) -> [u8; N] {
    let mut out = [0; N];
    out.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    out
}

/// DES ignores the lowest bit; the standard sets it so that each byte has an odd number of ones.
fn odd_parity(byte: u8) -> u8 {
    let upper = byte & 0xFE;
    upper | u8::from(upper.count_ones().is_multiple_of(2))
}

#[cfg(test)]
mod tests {
    use cccd_document::Can;

    use super::*;

    fn bytes(key: &Key) -> String {
        match key {
            Key::TripleDes(bytes) | Key::Aes128(bytes) => hex::encode_upper(bytes),
            Key::Aes192(bytes) => hex::encode_upper(bytes),
            Key::Aes256(bytes) => hex::encode_upper(bytes),
        }
    }

    fn mrz(number: &str, birth: &str, expiry: &str) -> MrzKey {
        MrzKey::new(number, birth, expiry).unwrap()
    }

    #[test]
    fn basic_access_keys_of_the_worked_example() {
        // ICAO 9303-11, Appendix D.2.
        let seed = leading::<16>(&sha1(&mrz("L898902C", "690806", "940623").mrz_information(), &[]));
        assert_eq!(hex::encode_upper(seed), "239AB9CB282DAF66231DC5A4DF6BFBAE");
        let keys = document_basic_access_keys(&mrz("L898902C", "690806", "940623"));
        assert_eq!(bytes(&keys.encryption), "AB94FDECF2674FDFB9B391F85D7F76F2");
        assert_eq!(bytes(&keys.authentication), "7962D9ECE03D1ACD4C76089DCE131543");
    }

    #[test]
    fn session_keys_of_the_worked_example() {
        // ICAO 9303-11, Appendix D.3, step 8.
        let seed = hex::decode("0036D272F5C350ACAC50C3F572D23600").unwrap();
        let keys = KeyPair::derive(Cipher::TripleDes, &seed);
        assert_eq!(bytes(&keys.encryption), "979EC13B1CBFE9DCD01AB0FED307EAE5");
        assert_eq!(bytes(&keys.authentication), "F1CB1F1FB5ADF208806B89DC579DC1F8");
    }

    #[test]
    fn password_key_of_the_worked_example() {
        // ICAO 9303-11, Appendix G.1.
        let password = AccessKey::Mrz(mrz("T22000129", "640812", "101031"));
        assert_eq!(bytes(&password_key(Cipher::Aes128, &password)), "89DED1B26624EC1E634C1989302849DD");
    }

    #[test]
    fn keys_of_the_invented_vietnamese_card() {
        let mrz = mrz("090123456", "900102", "300102");
        let seed = leading::<16>(&sha1(&mrz.mrz_information(), &[]));
        assert_eq!(hex::encode_upper(seed), "6F2757EEC9655DF3BA3BC01BDA48F61C");
        let keys = document_basic_access_keys(&mrz);
        assert_eq!(bytes(&keys.encryption), "DF6B9E676D31F41F081C6EE63BD94380");
        assert_eq!(bytes(&keys.authentication), "6E5E10C2B54CA298B91A861ABFFE67BA");
        let can = AccessKey::Can(Can::new("123456").unwrap());
        assert_eq!(bytes(&password_key(Cipher::Aes128, &can)), "591468CDA83D65219CCCB8560233600F");
        let mrz = AccessKey::Mrz(mrz);
        assert_eq!(bytes(&password_key(Cipher::Aes128, &mrz)), "9B43FF597B83AB6A10D6DCFBCD1C9A9D");
    }

    #[test]
    fn long_keys_come_from_the_longer_hash() {
        // KDF of a secret of 32 bytes 00..1F, counter 1, worked out with sha256sum and cut to length.
        let secret: Vec<u8> = (0..32).collect();
        let whole = bytes(&derive(Cipher::Aes256, &secret, Purpose::Encryption));
        let cut = bytes(&derive(Cipher::Aes192, &secret, Purpose::Encryption));
        assert_eq!(whole[..48], cut);
        assert_eq!(whole, SHA256_OF_00_TO_1F_AND_1);
    }

    const SHA256_OF_00_TO_1F_AND_1: &str = "04A6950A06D3E3308AD7D3606EF810EB124E3943404CA746A12C51C7BF776839";
}
