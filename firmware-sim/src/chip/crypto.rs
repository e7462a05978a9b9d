//! The chip's ciphers, checksums and key derivation, all of them OpenSSL's.
//!
//! The agent uses other libraries for the same algorithms on purpose: were they shared, a mistake would
//! agree with itself.

use cccd_card::SecretBytes;
use openssl::error::ErrorStack;
use openssl::hash::{MessageDigest, hash};
use openssl::pkey::PKey;
use openssl::sign::Signer;
use openssl::symm::{Cipher, Crypter, Mode};

use crate::image::PaceCipher;

/// What a derived key is for: the counter of the key derivation function (ICAO 9303-11, 9.7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyUse {
    /// Encryption.
    Encryption = 1,
    /// Checksums.
    Mac = 2,
    /// PACE: the nonce is encrypted under a key made of the password.
    Password = 3,
}

/// The block size in bytes.
pub(super) fn block_size(cipher: PaceCipher) -> usize {
    match cipher {
        PaceCipher::TripleDes => 8,
        PaceCipher::Aes128 | PaceCipher::Aes192 | PaceCipher::Aes256 => 16,
    }
}

/// The key size in bytes.
pub(super) fn key_size(cipher: PaceCipher) -> usize {
    match cipher {
        PaceCipher::TripleDes | PaceCipher::Aes128 => 16,
        PaceCipher::Aes192 => 24,
        PaceCipher::Aes256 => 32,
    }
}

/// KDF(K, c) (ICAO 9303-11, 9.7.1): SHA-1 up to 128 bits of key, SHA-256 above.
pub(super) fn derive(cipher: PaceCipher, secret: &[u8], key_use: KeyUse) -> Result<SecretBytes, ErrorStack> {
    let digest = match cipher {
        PaceCipher::TripleDes | PaceCipher::Aes128 => MessageDigest::sha1(),
        PaceCipher::Aes192 | PaceCipher::Aes256 => MessageDigest::sha256(),
    };
    let input = SecretBytes::new([secret, &[0, 0, 0, key_use as u8]].concat());
    let mut key = SecretBytes::new(hash(digest, &input)?.to_vec());
    key.truncate(key_size(cipher));
    if cipher == PaceCipher::TripleDes {
        // DES ignores the lowest bit of each byte; 9.7.1.1 sets it to odd parity.
        for byte in key.iter_mut() {
            *byte = *byte & 0xFE | u8::from((*byte & 0xFE).count_ones() % 2 == 0);
        }
    }
    Ok(key)
}

/// SHA-1 of `data`.
pub(super) fn sha1(data: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    Ok(hash(MessageDigest::sha1(), data)?.to_vec())
}

/// CBC without padding: encryption. `data` is a multiple of the block size.
pub(super) fn encrypt(cipher: PaceCipher, key: &[u8], iv: &[u8], data: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    cbc(cipher, Mode::Encrypt, key, iv, data)
}

/// CBC without padding: decryption. `data` is a multiple of the block size.
pub(super) fn decrypt(cipher: PaceCipher, key: &[u8], iv: &[u8], data: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    cbc(cipher, Mode::Decrypt, key, iv, data)
}

fn cbc(cipher: PaceCipher, mode: Mode, key: &[u8], iv: &[u8], data: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    match cipher {
        PaceCipher::TripleDes => {
            let (first, second) = key.split_at_checked(8).unwrap_or((key, &[]));
            let three = SecretBytes::new([first, second, first].concat());
            run(Cipher::des_ede3_cbc(), mode, &three, iv, data)
        }
        PaceCipher::Aes128 => run(Cipher::aes_128_cbc(), mode, key, iv, data),
        PaceCipher::Aes192 => run(Cipher::aes_192_cbc(), mode, key, iv, data),
        PaceCipher::Aes256 => run(Cipher::aes_256_cbc(), mode, key, iv, data),
    }
}

fn run(cipher: Cipher, mode: Mode, key: &[u8], iv: &[u8], data: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let mut crypter = Crypter::new(cipher, mode, key, Some(iv))?;
    crypter.pad(false);
    let mut out = vec![0; data.len() + cipher.block_size()];
    let written = crypter.update(data, &mut out)?;
    out.truncate(written);
    let mut last = vec![0; cipher.block_size()];
    let more = crypter.finalize(&mut last)?;
    out.extend(last.into_iter().take(more));
    Ok(out)
}

/// The eight bytes of checksum over `data`: retail MAC for 3DES, CMAC cut to eight bytes for AES.
///
/// The caller pads where the protocol says so; for 3DES `data` must be a multiple of eight bytes.
pub(super) fn mac(cipher: PaceCipher, key: &[u8], data: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let aes = match cipher {
        PaceCipher::TripleDes => return retail_mac(key, data),
        PaceCipher::Aes128 => Cipher::aes_128_cbc(),
        PaceCipher::Aes192 => Cipher::aes_192_cbc(),
        PaceCipher::Aes256 => Cipher::aes_256_cbc(),
    };
    let key = PKey::cmac(&aes, key)?;
    let mut checksum = Signer::new_without_digest(&key)?.sign_oneshot_to_vec(data)?;
    checksum.truncate(8);
    Ok(checksum)
}

/// ISO/IEC 9797-1 MAC algorithm 3 with DES: CBC under the first half of the key, the last block through
/// the second half and the first again.
fn retail_mac(key: &[u8], data: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let (first, second) = key.split_at_checked(8).unwrap_or((key, &[]));
    let chained = des(Mode::Encrypt, first, data)?;
    let last = chained.last_chunk::<8>().copied().unwrap_or_default();
    des(Mode::Encrypt, first, &des(Mode::Decrypt, second, &last)?)
}

/// Single DES in CBC mode from a zero IV. OpenSSL 3 keeps DES in its legacy provider, which need not be
/// there; triple DES under one key three times is the same function.
fn des(mode: Mode, key: &[u8], data: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let three = SecretBytes::new([key, key, key].concat());
    run(Cipher::des_ede3_cbc(), mode, &three, &[0; 8], data)
}

/// ISO/IEC 9797-1 padding method 2: 80, then zeros up to the block.
pub(super) fn pad(mut data: Vec<u8>, block: usize) -> Vec<u8> {
    data.push(0x80);
    data.resize(data.len().next_multiple_of(block), 0);
    data
}

/// Takes padding method 2 off; `None` if there is none.
pub(super) fn unpad(data: &[u8]) -> Option<&[u8]> {
    let marker = data.iter().rposition(|&byte| byte != 0)?;
    let (content, padding) = data.split_at_checked(marker)?;
    (padding.first() == Some(&0x80)).then_some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(cipher: PaceCipher, secret: &str, key_use: KeyUse) -> String {
        hex::encode_upper(derive(cipher, &hex::decode(secret).unwrap(), key_use).unwrap())
    }

    #[test]
    fn keys_of_the_icao_examples() {
        // ICAO 9303-11, Appendix D.1 and D.2.
        let seed = "239AB9CB282DAF66231DC5A4DF6BFBAE";
        assert_eq!(key(PaceCipher::TripleDes, seed, KeyUse::Encryption), "AB94FDECF2674FDFB9B391F85D7F76F2");
        assert_eq!(key(PaceCipher::TripleDes, seed, KeyUse::Mac), "7962D9ECE03D1ACD4C76089DCE131543");
        // Appendix G.1: K = SHA-1 of the MRZ information, and the key it makes.
        let password = sha1(b"T22000129364081251010318").unwrap();
        assert_eq!(hex::encode_upper(&password), "7E2D2A41C74EA0B38CD36F863939BFA8E9032AAD");
        assert_eq!(
            key(PaceCipher::Aes128, &hex::encode(&password), KeyUse::Password),
            "89DED1B26624EC1E634C1989302849DD"
        );
    }

    #[test]
    fn longer_keys_are_cut_from_sha256() {
        let secret = [0x11; 32];
        let whole = hash(MessageDigest::sha256(), &[&secret[..], &[0, 0, 0, 2]].concat()).unwrap();
        for (cipher, length) in [(PaceCipher::Aes192, 24), (PaceCipher::Aes256, 32)] {
            let made = derive(cipher, &secret, KeyUse::Mac).unwrap();
            assert_eq!(made.as_slice(), &whole[..length]);
        }
    }

    #[test]
    fn retail_mac_of_the_icao_example() {
        // ICAO 9303-11, Appendix D.3: M_IFD over E_IFD.
        let key = hex::decode("7962D9ECE03D1ACD4C76089DCE131543").unwrap();
        let e_ifd = "72C29C2371CC9BDB65B779B8E8D37B29ECC154AA56A8799FAE2F498F76ED92F2";
        let padded = pad(hex::decode(e_ifd).unwrap(), 8);
        let checksum = mac(PaceCipher::TripleDes, &key, &padded).unwrap();
        assert_eq!(hex::encode_upper(checksum), "5F1448EEA8AD90A7");
    }

    #[test]
    fn cmac_of_rfc_4493() {
        // RFC 4493, section 4, example 2, cut to eight bytes.
        let key = hex::decode("2b7e151628aed2a6abf7158809cf4f3c").unwrap();
        let message = hex::decode("6bc1bee22e409f96e93d7e117393172a").unwrap();
        let checksum = mac(PaceCipher::Aes128, &key, &message).unwrap();
        assert_eq!(hex::encode(checksum), "070a16b46b4d4144");
    }

    #[test]
    fn ciphers_undo_themselves() {
        for (cipher, length) in [
            (PaceCipher::TripleDes, 16),
            (PaceCipher::Aes128, 16),
            (PaceCipher::Aes192, 24),
            (PaceCipher::Aes256, 32),
        ] {
            let (key, iv) = (vec![0x3C; length], vec![7; block_size(cipher)]);
            let data: Vec<u8> = (0..48).collect();
            let sealed = encrypt(cipher, &key, &iv, &data).unwrap();
            assert_eq!(sealed.len(), data.len());
            assert_eq!(decrypt(cipher, &key, &iv, &sealed).unwrap(), data);
        }
    }

    #[test]
    fn padding_comes_off_only_where_it_is() {
        for length in 0..40 {
            let data = vec![0x80; length];
            for block in [8, 16] {
                let padded = pad(data.clone(), block);
                assert_eq!(padded.len() % block, 0);
                assert_eq!(unpad(&padded), Some(&data[..]));
            }
        }
        assert_eq!(unpad(&[1, 2, 0, 0]), None);
        assert_eq!(unpad(&[0; 8]), None);
        assert_eq!(unpad(&[]), None);
    }
}
