//! DG15: the public key for active authentication (ICAO 9303-10, 4.7.15).

use cccd_card::tlv::Tag;

use crate::malformed::unwrap;
use crate::{MalformedFile, PublicKey};

/// The key the chip answers a challenge with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataGroup15 {
    /// The key.
    pub public_key: PublicKey,
}

impl DataGroup15 {
    /// Reads the file: `6F { SubjectPublicKeyInfo }`.
    pub fn parse(bytes: &[u8]) -> Result<Self, MalformedFile> {
        Ok(Self { public_key: PublicKey::parse(unwrap(bytes, Tag(0x6F))?)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::public_key::{Curve, KeyKind};
    use cccd_card::tlv::encode;
    use const_oid::ObjectIdentifier;

    fn file(algorithm: &str, parameters: &[u8], key: &[u8]) -> Vec<u8> {
        let algorithm =
            [encode(Tag(0x06), ObjectIdentifier::new_unwrap(algorithm).as_bytes()), parameters.to_vec()]
                .concat();
        let bits = [&[0][..], key].concat();
        encode(
            Tag(0x6F),
            &encode(Tag(0x30), &[encode(Tag(0x30), &algorithm), encode(Tag(0x03), &bits)].concat()),
        )
    }

    fn rsa(modulus: &[u8]) -> Vec<u8> {
        encode(Tag(0x30), &[encode(Tag(0x02), modulus), vec![0x02, 0x03, 0x01, 0x00, 0x01]].concat())
    }

    #[test]
    fn an_rsa_key_tells_its_length_in_bits() {
        let mut modulus = vec![0; 129];
        modulus[1] = 0x80;
        modulus[128] = 1;
        let bytes = file("1.2.840.113549.1.1.1", &[0x05, 0x00], &rsa(&modulus));
        assert_eq!(DataGroup15::parse(&bytes).unwrap().public_key.kind, KeyKind::Rsa { bits: 1024 });
        modulus[1] = 0x01;
        let bytes = file("1.2.840.113549.1.1.1", &[0x05, 0x00], &rsa(&modulus[1..]));
        assert_eq!(DataGroup15::parse(&bytes).unwrap().public_key.kind, KeyKind::Rsa { bits: 1017 });
    }

    #[test]
    fn an_ec_key_tells_its_curve_named_spelt_out_or_not_at_all() {
        let brainpool_p256r1 = ObjectIdentifier::new_unwrap("1.3.36.3.3.2.8.1.1.7");
        let point = [&[0x04][..], &[0x11; 64]].concat();
        for (parameters, curve) in [
            (encode(Tag(0x06), brainpool_p256r1.as_bytes()), Curve::Named(brainpool_p256r1)),
            (vec![0x30, 0x03, 0x02, 0x01, 0x01], Curve::Explicit),
            (vec![0x05, 0x00], Curve::Unstated),
            (vec![], Curve::Unstated),
        ] {
            let dg15 = DataGroup15::parse(&file("1.2.840.10045.2.1", &parameters, &point)).unwrap();
            assert_eq!(dg15.public_key.kind, KeyKind::Ec { curve, bits: 256 });
            assert_eq!(dg15.public_key.key, point);
        }
    }

    #[test]
    fn an_unknown_algorithm_is_kept_and_a_broken_key_refused() {
        let bytes = file("1.2.3.4", &[], &[1, 2, 3]);
        assert_eq!(DataGroup15::parse(&bytes).unwrap().public_key.kind, KeyKind::Unknown);
        let bytes = file("1.2.840.113549.1.1.1", &[0x05, 0x00], &[1, 2, 3]);
        assert!(matches!(DataGroup15::parse(&bytes), Err(MalformedFile::Asn1(_))));
    }
}
