//! Integrated mapping: the two nonces become a generator (ICAO 9303-11, 4.4.3.3.2 and Appendix B).

use openssl::bn::{BigNum, BigNumContext, BigNumRef};
use openssl::error::ErrorStack;

use super::apdu::Refusal;
use super::crypto;
use super::group::{Element, Group};
use crate::image::PaceCipher;

/// c0 and c1 for 3DES and AES-128.
const CONSTANTS_128: [[u8; 16]; 2] = [
    [0xA6, 0x68, 0x89, 0x2A, 0x7C, 0x41, 0xE3, 0xCA, 0x73, 0x9F, 0x40, 0xB0, 0x57, 0xD8, 0x59, 0x04],
    [0xA4, 0xE1, 0x36, 0xAC, 0x72, 0x5F, 0x73, 0x8B, 0x01, 0xC1, 0xF6, 0x02, 0x17, 0xC1, 0x88, 0xAD],
];

/// c0 and c1 for AES-192 and AES-256.
const CONSTANTS_256: [[u8; 32]; 2] = [
    [
        0xD4, 0x63, 0xD6, 0x52, 0x34, 0x12, 0x4E, 0xF7, 0x89, 0x70, 0x54, 0x98, 0x6D, 0xCA, 0x0A, 0x17, 0x4E,
        0x28, 0xDF, 0x75, 0x8C, 0xBA, 0xA0, 0x3F, 0x24, 0x06, 0x16, 0x41, 0x4D, 0x5A, 0x16, 0x76,
    ],
    [
        0x54, 0xBD, 0x72, 0x55, 0xF0, 0xAA, 0xF8, 0x31, 0xBE, 0xC3, 0x42, 0x3F, 0xCF, 0x39, 0xD6, 0x9B, 0x6C,
        0xBF, 0x06, 0x66, 0x77, 0xD0, 0xFA, 0xAE, 0x5A, 0xAD, 0xD9, 0x9D, 0xF8, 0xE5, 0x35, 0x17,
    ],
];

/// The generator of the chip's nonce and the terminal's.
pub(super) fn map(
    group: &Group,
    cipher: PaceCipher,
    chip_nonce: &[u8],
    terminal_nonce: &[u8],
) -> Result<Element, Refusal> {
    let prime = group.prime()?;
    let number = pseudo_random(cipher, chip_nonce, terminal_nonce, &prime)?;
    Ok(match group {
        Group::Curve(curve) => Element::Point(curve.encode_to_point(&number)?),
        // x to the power of the cofactor (p - 1) / q.
        Group::Modp(modp) => {
            let mut context = BigNumContext::new()?;
            let mut cofactor = BigNum::new()?;
            cofactor.checked_div(&(&*prime - &*BigNum::from_u32(1)?), &*group.order()?, &mut context)?;
            Element::Number(modp.power(&number, &cofactor)?)
        }
    })
}

/// R_p(s, t): as many blocks under keys that follow from one another as make the prime and 64 bits, modulo it.
fn pseudo_random(
    cipher: PaceCipher,
    chip_nonce: &[u8],
    terminal_nonce: &[u8],
    prime: &BigNumRef,
) -> Result<BigNum, ErrorStack> {
    let [c0, c1]: [&[u8]; 2] = match cipher {
        PaceCipher::TripleDes | PaceCipher::Aes128 => CONSTANTS_128.each_ref().map(<[u8; 16]>::as_slice),
        PaceCipher::Aes192 | PaceCipher::Aes256 => CONSTANTS_256.each_ref().map(<[u8; 32]>::as_slice),
    };
    let zero = vec![0; crypto::block_size(cipher)];
    let seal = |key: &[u8], data: &[u8]| {
        // Of 256 bits, AES-192 takes the first 192 for a key.
        let key = key.get(..crypto::key_size(cipher)).unwrap_or(key);
        crypto::encrypt(cipher, key, &zero, data)
    };
    let wanted_bits = usize::try_from(prime.num_bits()).unwrap_or(0) + 64;
    let mut key = seal(terminal_nonce, chip_nonce)?;
    let mut stream = Vec::new();
    while stream.len() * 8 < wanted_bits {
        stream.extend(seal(&key, c1)?);
        key = seal(&key, c0)?;
    }
    let mut number = BigNum::new()?;
    number.nnmod(&*BigNum::from_slice(&stream)?, prime, &mut *BigNumContext::new()?)?;
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{DomainParameters, ModpGroup, NamedCurve};

    fn hex(text: &str) -> Vec<u8> {
        hex::decode(text.replace(' ', "")).unwrap()
    }

    #[test]
    fn the_generator_of_icao_appendix_h1() {
        // ICAO 9303-11, Appendix H.1: brainpoolP256r1, AES-128.
        let group = Group::new(DomainParameters::Curve(NamedCurve::BrainpoolP256r1)).unwrap();
        let (s, t) = (hex("2923BE84E16CD6AE529049F1F1BBE9EB"), hex("5DD4CBFC96F5453B130D890A1CDBAE32"));
        let number = pseudo_random(PaceCipher::Aes128, &s, &t, &group.prime().unwrap()).unwrap();
        let expected = "A2F8FF2D F50E52C6 599F386A DCB595D2 29F6A167 ADE2BE5F 2C3296AD D5B7430E";
        assert_eq!(number.to_vec(), hex(expected));
        let generator = map(&group, PaceCipher::Aes128, &s, &t).unwrap();
        let expected = "04 8E82D315 59ED0FDE 92A4D049 8ADD3C23 BABA94FB 77691E31 E90AEA77 FB17D427
             4C1AE14B D0C3DBAC 0C871B7F 36081693 64437CA3 0AC243A0 89D3F266 C1E60FAD"
            .replace('\n', "");
        assert_eq!(group.encode(&generator).unwrap(), hex(&expected));
    }

    #[test]
    fn the_generator_of_icao_appendix_h2() {
        // ICAO 9303-11, Appendix H.2: the 1024-bit group of RFC 5114, AES-128.
        let group = Group::new(DomainParameters::Modp(ModpGroup::Modp1024Order160)).unwrap();
        let (s, t) = (hex("FA5B7E3E49753A0DB9178B7B9BD898C8"), hex("B3A6DB3C870C3E99245E0D1C06B747DE"));
        let number = pseudo_random(PaceCipher::Aes128, &s, &t, &group.prime().unwrap()).unwrap();
        let expected = "A0C7C50C002061A51CC87D254EF38068607417B6EE1B36473CFB800D2D2E5FA2\
             B6980F01105D24FAB22ACD1BFA5C8A4C093ECDFAFE6D7125D42A843E33860383\
             5CF19AFAFF75EFE21DC5F6AA1F9AE46C25087E7368166FB08C1E4627AFED7D93\
             570417B790FF7F747E57F432B04E1236819E0DFEF5B6E77CA4999925328182D2";
        assert_eq!(number.to_vec(), hex(expected));
        let generator = map(&group, PaceCipher::Aes128, &s, &t).unwrap();
        let expected = "1D7D767F11E333BCD6DBAEF40E799E7A926B96973550656FF3C830726D118D61\
             C276CDCC61D475CF03A98E0C0E79CAEBA5BE25578BD4551D0B10903236F0B0F9\
             76852FA78EEA14EA0ACA87D1E91F688FE0DFF897BBE35A472621D343564B262F\
             34223AE8FC59B664BFEDFA2BFE7516CA5510A6BBB633D517EC25D4E0BBAA16C2";
        assert_eq!(group.encode(&generator).unwrap(), hex(expected));
    }

    #[test]
    fn every_group_but_p224_has_a_generator_for_every_cipher() {
        for parameters in DomainParameters::all() {
            let group = Group::new(parameters).unwrap();
            for cipher in PaceCipher::all() {
                let s = vec![7; if crypto::key_size(cipher) > 16 { 32 } else { 16 }];
                let mapped = map(&group, cipher, &s, &vec![9; crypto::key_size(cipher)]);
                if parameters == DomainParameters::Curve(NamedCurve::NistP224) {
                    assert!(mapped.is_err());
                    continue;
                }
                // It is a public key of the group, hence of the right order.
                let encoded = group.encode(&mapped.unwrap()).unwrap();
                assert!(group.public_key(&encoded).is_some(), "{parameters:?} {cipher:?}");
            }
        }
    }
}
