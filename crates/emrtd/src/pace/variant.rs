//! The variants of PACE (ICAO 9303-11, 9.2.1 and table 6), and which to prefer.

use cccd_card::ChannelLimits;
use cccd_document::{Cipher, Mapping, SelectedPace};

use crate::group::{DomainParameters, ModpId};

/// id-PACE, 0.4.0.127.0.7.2.2.4; one more arc names key agreement and mapping, one more the cipher.
const ID_PACE: [u8; 8] = [0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x04];

/// A variant of PACE that a chip offers and we speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Variant {
    pub(super) mapping: Mapping,
    pub(super) cipher: Cipher,
    pub(super) parameters: DomainParameters,
}

impl Variant {
    /// The variant of a PACEInfo, if we speak it: its object identifier's content bytes, and its parameter.
    pub(crate) fn of(oid: &[u8], parameter_id: Option<u64>) -> Option<Self> {
        let [kind, cipher] = oid.strip_prefix(&ID_PACE)? else { return None };
        let cipher = match cipher {
            1 => Cipher::TripleDes,
            2 => Cipher::Aes128,
            3 => Cipher::Aes192,
            4 => Cipher::Aes256,
            _ => return None,
        };
        let parameters = DomainParameters::from_parameter_id(parameter_id?)?;
        let mapping = match (kind, parameters) {
            (1, DomainParameters::Modp(_)) | (2, DomainParameters::Curve(_)) => Mapping::Generic,
            (3, DomainParameters::Modp(_)) => Mapping::Integrated,
            // The point encoding is defined for p = 3 mod 4: P-224 has none.
            (4, DomainParameters::Curve(curve)) if curve != cccd_curve::CurveId::NistP224 => {
                Mapping::Integrated
            }
            // No 3DES with chip authentication mapping.
            (6, DomainParameters::Curve(_)) if cipher != Cipher::TripleDes => Mapping::ChipAuthentication,
            _ => return None,
        };
        Some(Self { mapping, cipher, parameters })
    }

    /// How good it is; the highest is tried first.
    ///
    /// Any AES is far from being broken and 3DES is old, so the cipher family comes first. Then elliptic
    /// curves: their messages fit every reader. Then a mapping that proves the chip along the way. Then the
    /// smaller curve of those that are out of reach: a chip takes eight times as long for one twice as wide
    /// while somebody holds the card. Then the longer key.
    pub(crate) fn score(self) -> (u8, u8, u8, u8, u8) {
        let (family, key) = match self.cipher {
            Cipher::TripleDes => (0, 0),
            Cipher::Aes128 => (1, 0),
            Cipher::Aes192 => (1, 1),
            Cipher::Aes256 => (1, 2),
        };
        let mapping = match self.mapping {
            Mapping::ChipAuthentication => 2,
            Mapping::Generic => 1,
            _ => 0,
        };
        let (agreement, size) = match self.parameters {
            DomainParameters::Curve(curve) => (
                1,
                match curve.field_bytes() {
                    32 => 5,
                    40 => 4,
                    48 => 3,
                    64.. => 2,
                    28 => 1,
                    _ => 0,
                },
            ),
            DomainParameters::Modp(ModpId::Bits2048) => (0, 2),
            DomainParameters::Modp(ModpId::Bits2048Order224) => (0, 1),
            DomainParameters::Modp(ModpId::Bits1024) => (0, 0),
        };
        (family, agreement, mapping, size, key)
    }

    /// Whether its messages pass. GENERAL AUTHENTICATE of PACE chains its steps, so that no step can be
    /// chained itself: a key of 2048 bits takes a command of extended length (card quirk 1).
    pub(crate) fn fits(self, limits: ChannelLimits) -> bool {
        match self.parameters {
            DomainParameters::Curve(_) | DomainParameters::Modp(ModpId::Bits1024) => true,
            DomainParameters::Modp(_) => {
                let message = 4 + 4 + 256;
                limits.max_command >= 4 + 3 + message + 2 && limits.max_reply >= message + 2
            }
        }
    }

    /// What a reading reports.
    pub(crate) fn selected(self) -> SelectedPace {
        SelectedPace {
            mapping: self.mapping,
            cipher: self.cipher,
            parameter_id: self.parameters.parameter_id(),
        }
    }

    /// Whether it proves the chip along the way.
    pub(crate) fn proves_chip(self) -> bool {
        self.mapping == Mapping::ChipAuthentication
    }

    pub(super) fn oid(self) -> [u8; 10] {
        let kind = match (self.mapping, self.parameters) {
            (Mapping::Generic, DomainParameters::Modp(_)) => 1,
            (Mapping::Generic, DomainParameters::Curve(_)) => 2,
            (Mapping::Integrated, DomainParameters::Modp(_)) => 3,
            (Mapping::Integrated, DomainParameters::Curve(_)) => 4,
            _ => 6,
        };
        let last = match self.cipher {
            Cipher::TripleDes => 1,
            Cipher::Aes128 => 2,
            Cipher::Aes192 => 3,
            Cipher::Aes256 => 4,
        };
        let [a, b, c, d, e, f, g, h] = ID_PACE;
        [a, b, c, d, e, f, g, h, kind, last]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oid(kind: u8, cipher: u8) -> Vec<u8> {
        [&ID_PACE[..], &[kind, cipher]].concat()
    }

    #[test]
    fn only_what_the_standard_has_is_a_variant() {
        let mut known = 0;
        for kind in 0..=7 {
            for cipher in 0..=5 {
                for id in 0..=20 {
                    let ciphers = if kind == 6 { 2..=4 } else { 1..=4 };
                    let groups = match kind {
                        1 | 3 => (0..=2).contains(&id),
                        2 | 6 => (8..=18).contains(&id),
                        // P-224 has no point encoding.
                        4 => (8..=18).contains(&id) && id != 10,
                        _ => false,
                    };
                    let variant = Variant::of(&oid(kind, cipher), Some(id));
                    assert_eq!(
                        variant.is_some(),
                        groups && ciphers.contains(&cipher),
                        "{kind} {cipher} {id}"
                    );
                    if let Some(variant) = variant {
                        assert_eq!(variant.oid().to_vec(), oid(kind, cipher));
                        assert_eq!(u64::from(variant.selected().parameter_id), id);
                        known += 1;
                    }
                }
            }
        }
        assert_eq!(known, 4 * (3 + 3 + 11 + 10) + 3 * 11);
        assert_eq!(Variant::of(&oid(2, 2), None), None);
        assert_eq!(Variant::of(&[&oid(2, 2)[..], &[1]].concat(), Some(13)), None);
        assert_eq!(Variant::of(&ID_PACE, Some(13)), None);
    }

    #[test]
    fn the_better_variant_has_the_higher_score() {
        let variant = |kind, cipher, id| Variant::of(&oid(kind, cipher), Some(id)).unwrap();
        let order = [
            // 3DES: DH, then the curves.
            variant(1, 1, 2),
            variant(2, 1, 12),
            // AES over DH, the integrated mapping below the generic one.
            variant(3, 4, 2),
            variant(1, 2, 0),
            variant(1, 2, 1),
            variant(1, 2, 2),
            // AES on curves: small and old ones, then the widest, then down to 256 bits.
            variant(4, 4, 12),
            variant(2, 4, 8),
            variant(2, 4, 11),
            variant(2, 2, 18),
            variant(2, 4, 16),
            variant(2, 4, 14),
            variant(2, 2, 13),
            variant(2, 4, 12),
            // One that proves the chip.
            variant(6, 2, 18),
            variant(6, 4, 13),
        ];
        assert!(order.is_sorted_by(|a, b| a.score() < b.score()));
    }

    #[test]
    fn long_keys_want_long_commands() {
        let variant = |kind, id| Variant::of(&oid(kind, 2), Some(id)).unwrap();
        assert!(variant(2, 18).fits(ChannelLimits::SHORT));
        assert!(variant(1, 0).fits(ChannelLimits::SHORT));
        assert!(!variant(1, 1).fits(ChannelLimits::SHORT));
        assert!(!variant(3, 2).fits(ChannelLimits::SHORT));
        assert!(variant(3, 2).fits(ChannelLimits::EXTENDED));
        // Figures of a card that takes just so much.
        let just = ChannelLimits { max_command: 273, max_reply: 266 };
        assert!(variant(1, 2).fits(just));
        assert!(!variant(1, 2).fits(ChannelLimits { max_command: 272, ..just }));
    }
}
