//! Block ciphers in CBC mode and their MACs, in the four suites of ICAO 9303-11, 9.8.6 and 9.8.7.

use aes::{Aes128, Aes192, Aes256};
use cbc::{Decryptor, Encryptor};
use cccd_document::Cipher;
use cipher::block_padding::NoPadding;
use cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use cmac::Cmac;
use des::{Des, TdesEde2};
use digest::{KeyInit, Mac};
use retail_mac::RetailMac;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// How many bytes of a MAC travel, whatever the cipher (ICAO 9303-11, 9.8.6.2 and 9.8.7.2).
pub(crate) const MAC_SIZE: usize = 8;

/// A key for one of the suites. It has the right length by its type, and wipes itself.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) enum Key {
    /// Two DES keys: K1, K2, K1.
    TripleDes([u8; 16]),
    Aes128([u8; 16]),
    Aes192([u8; 24]),
    Aes256([u8; 32]),
}

/// The initialisation vector of a CBC run; 3DES takes its first half.
#[derive(Clone, Copy)]
pub(crate) struct Iv([u8; 16]);

impl Iv {
    /// All zero bits: BAC, the nonce of PACE, and 3DES in secure messaging.
    pub(crate) const ZERO: Self = Self([0; 16]);
}

/// Data to encrypt or decrypt is no whole number of blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PartialBlock;

impl Key {
    /// Bytes of one block of `cipher`.
    pub(crate) const fn block_size_of(cipher: Cipher) -> usize {
        match cipher {
            Cipher::TripleDes => 8,
            Cipher::Aes128 | Cipher::Aes192 | Cipher::Aes256 => 16,
        }
    }

    /// Bytes of a key for `cipher`.
    pub(crate) const fn size_of(cipher: Cipher) -> usize {
        match cipher {
            Cipher::TripleDes | Cipher::Aes128 => 16,
            Cipher::Aes192 => 24,
            Cipher::Aes256 => 32,
        }
    }

    /// A key made of the first bytes of `material`, if there are enough of them.
    pub(crate) fn from_front(cipher: Cipher, material: &[u8]) -> Option<Self> {
        Some(match cipher {
            Cipher::TripleDes => Self::TripleDes(*material.first_chunk()?),
            Cipher::Aes128 => Self::Aes128(*material.first_chunk()?),
            Cipher::Aes192 => Self::Aes192(*material.first_chunk()?),
            Cipher::Aes256 => Self::Aes256(*material.first_chunk()?),
        })
    }

    /// The suite this key is for.
    pub(crate) fn cipher(&self) -> Cipher {
        match self {
            Self::TripleDes(_) => Cipher::TripleDes,
            Self::Aes128(_) => Cipher::Aes128,
            Self::Aes192(_) => Cipher::Aes192,
            Self::Aes256(_) => Cipher::Aes256,
        }
    }

    /// Bytes of one block.
    pub(crate) fn block_size(&self) -> usize {
        Self::block_size_of(self.cipher())
    }

    /// The initialisation vector of secure messaging: the encrypted counter for AES, zero for 3DES
    /// (ICAO 9303-11, 9.8.6.1 and 9.8.7.1).
    pub(crate) fn counter_iv(&self, counter: u128) -> Iv {
        let mut block = counter.to_be_bytes();
        match self {
            Self::TripleDes(_) => Iv::ZERO,
            // One block is a whole number of blocks.
            _ => self.encrypt(Iv::ZERO, &mut block).map_or(Iv::ZERO, |()| Iv(block)),
        }
    }

    /// Encrypts `data`, a whole number of blocks, in place.
    pub(crate) fn encrypt(&self, iv: Iv, data: &mut [u8]) -> Result<(), PartialBlock> {
        let length = data.len();
        let half = iv.half();
        match self {
            Self::TripleDes(key) => {
                Encryptor::<TdesEde2>::new(key.into(), &half.into()).encrypt_padded::<NoPadding>(data, length)
            }
            Self::Aes128(key) => {
                Encryptor::<Aes128>::new(key.into(), &iv.0.into()).encrypt_padded::<NoPadding>(data, length)
            }
            Self::Aes192(key) => {
                Encryptor::<Aes192>::new(key.into(), &iv.0.into()).encrypt_padded::<NoPadding>(data, length)
            }
            Self::Aes256(key) => {
                Encryptor::<Aes256>::new(key.into(), &iv.0.into()).encrypt_padded::<NoPadding>(data, length)
            }
        }
        .map(|_| ())
        .map_err(|_| PartialBlock)
    }

    /// Decrypts `data`, a whole number of blocks, in place.
    pub(crate) fn decrypt(&self, iv: Iv, data: &mut [u8]) -> Result<(), PartialBlock> {
        let half = iv.half();
        match self {
            Self::TripleDes(key) => {
                Decryptor::<TdesEde2>::new(key.into(), &half.into()).decrypt_padded::<NoPadding>(data)
            }
            Self::Aes128(key) => {
                Decryptor::<Aes128>::new(key.into(), &iv.0.into()).decrypt_padded::<NoPadding>(data)
            }
            Self::Aes192(key) => {
                Decryptor::<Aes192>::new(key.into(), &iv.0.into()).decrypt_padded::<NoPadding>(data)
            }
            Self::Aes256(key) => {
                Decryptor::<Aes256>::new(key.into(), &iv.0.into()).decrypt_padded::<NoPadding>(data)
            }
        }
        .map(|_| ())
        .map_err(|_| PartialBlock)
    }

    /// The MAC over `message`: the retail MAC (ISO/IEC 9797-1, algorithm 3) of a message that is padded
    /// already, or the first half of an AES-CMAC.
    pub(crate) fn mac(&self, message: &[u8]) -> [u8; MAC_SIZE] {
        match self {
            Self::TripleDes(key) => tag(RetailMac::<Des>::new(key.into()), message),
            Self::Aes128(key) => tag(Cmac::<Aes128>::new(key.into()), message),
            Self::Aes192(key) => tag(Cmac::<Aes192>::new(key.into()), message),
            Self::Aes256(key) => tag(Cmac::<Aes256>::new(key.into()), message),
        }
    }

    /// Whether `claimed` is the MAC over `message`, in a time that does not tell where they differ.
    pub(crate) fn mac_is(&self, message: &[u8], claimed: &[u8]) -> bool {
        let ours = Zeroizing::new(self.mac(message));
        // A claim of another length is unequal by definition.
        ours.as_slice().ct_eq(claimed).into()
    }
}

impl Iv {
    fn half(self) -> [u8; 8] {
        let mut half = [0; 8];
        half.iter_mut().zip(self.0).for_each(|(to, from)| *to = from);
        half
    }
}

fn tag(mut mac: impl Mac, message: &[u8]) -> [u8; MAC_SIZE] {
    mac.update(message);
    let mut out = [0; MAC_SIZE];
    out.iter_mut().zip(mac.finalize().as_bytes()).for_each(|(to, from)| *to = *from);
    out
}

/// Adds `80` and zeros up to the end of a block (ISO/IEC 9797-1, padding method 2).
pub(crate) fn pad(data: &mut Vec<u8>, block: usize) {
    data.push(0x80);
    data.resize(data.len().next_multiple_of(block), 0);
}

/// Where the content of padded `data` ends. The `80` must stand in the last block, with zeros behind it.
pub(crate) fn unpadded_length(data: &[u8], block: usize) -> Option<usize> {
    let end = data.iter().rposition(|&byte| byte != 0)?;
    let marked = data.get(end) == Some(&0x80);
    let whole = data.len().is_multiple_of(block);
    (marked && whole && data.len() - end <= block).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        hex::decode(text).unwrap()
    }

    fn all_keys() -> [Key; 4] {
        [Key::TripleDes([3; 16]), Key::Aes128([5; 16]), Key::Aes192([7; 24]), Key::Aes256([9; 32])]
    }

    #[test]
    fn cmac_of_every_key_length() {
        // NIST SP 800-38B, appendix D, examples with 40 bytes of message; ICAO keeps the first 8 bytes.
        let message = hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411");
        let aes128 = Key::Aes128(hex("2b7e151628aed2a6abf7158809cf4f3c").try_into().unwrap());
        let aes192 = Key::Aes192(hex("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b").try_into().unwrap());
        let aes256 = Key::Aes256(
            hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4").try_into().unwrap(),
        );
        for (key, mac) in
            [(aes128, "dfa66747de9ae630"), (aes192, "8a1de5be2eb31aad"), (aes256, "aaf3d8f1de5640c2")]
        {
            assert_eq!(key.mac(&message), *hex(mac));
        }
    }

    #[test]
    fn what_is_encrypted_decrypts_to_itself() {
        for key in all_keys() {
            let iv = key.counter_iv(0x0123);
            let plain: Vec<u8> = (0..64).collect();
            let mut data = plain.clone();
            key.encrypt(iv, &mut data).unwrap();
            assert_ne!(data, plain);
            key.decrypt(iv, &mut data).unwrap();
            assert_eq!(data, plain);
        }
    }

    #[test]
    fn part_of_a_block_is_refused() {
        for key in all_keys() {
            for length in (1..33).filter(|length| length % key.block_size() != 0) {
                assert_eq!(key.encrypt(Iv::ZERO, &mut vec![0; length]), Err(PartialBlock));
                assert_eq!(key.decrypt(Iv::ZERO, &mut vec![0; length]), Err(PartialBlock));
            }
        }
    }

    #[test]
    fn a_mac_of_another_length_is_never_right() {
        for key in all_keys() {
            let mac = key.mac(&[0; 32]);
            assert!(key.mac_is(&[0; 32], &mac));
            assert!(!key.mac_is(&[0; 32], &mac[..7]));
            assert!(!key.mac_is(&[0; 32], &[&mac[..], &[0]].concat()));
            assert!(!key.mac_is(&[0; 32], &[]));
        }
    }

    #[test]
    fn padding_comes_off_only_where_it_was_put() {
        for block in [8, 16] {
            for length in 0..40 {
                let mut data = vec![0xAB; length];
                pad(&mut data, block);
                assert_eq!(data.len() % block, 0);
                assert_eq!(unpadded_length(&data, block), Some(length));
            }
        }
        // No mark; a mark before the last block; something behind the mark; part of a block.
        assert_eq!(unpadded_length(&[0; 16], 8), None);
        assert_eq!(unpadded_length(&[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 8), None);
        assert_eq!(unpadded_length(&[1, 2, 3, 4, 5, 6, 0x80, 1], 8), None);
        assert_eq!(unpadded_length(&[1, 0x80, 0], 8), None);
        assert_eq!(unpadded_length(&[], 8), None);
    }
}
