//! Standardised domain parameters: the groups that keys are agreed in.

use openssl::bn::{BigNum, BigNumContext};
use openssl::dh::Dh;
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::Params;

/// A curve with a number among the standardised domain parameters (ICAO 9303-11, table 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NamedCurve {
    /// NIST P-192, parameter 8.
    NistP192,
    /// brainpoolP192r1, parameter 9.
    BrainpoolP192r1,
    /// NIST P-224, parameter 10.
    NistP224,
    /// brainpoolP224r1, parameter 11.
    BrainpoolP224r1,
    /// NIST P-256, parameter 12.
    NistP256,
    /// brainpoolP256r1, parameter 13.
    BrainpoolP256r1,
    /// brainpoolP320r1, parameter 14.
    BrainpoolP320r1,
    /// NIST P-384, parameter 15.
    NistP384,
    /// brainpoolP384r1, parameter 16.
    BrainpoolP384r1,
    /// brainpoolP512r1, parameter 17.
    BrainpoolP512r1,
    /// NIST P-521, parameter 18.
    NistP521,
}

impl NamedCurve {
    /// Every curve of the table.
    pub fn all() -> [Self; 11] {
        [
            Self::NistP192,
            Self::BrainpoolP192r1,
            Self::NistP224,
            Self::BrainpoolP224r1,
            Self::NistP256,
            Self::BrainpoolP256r1,
            Self::BrainpoolP320r1,
            Self::NistP384,
            Self::BrainpoolP384r1,
            Self::BrainpoolP512r1,
            Self::NistP521,
        ]
    }

    /// Its number in the table.
    pub fn parameter_id(self) -> u8 {
        match self {
            Self::NistP192 => 8,
            Self::BrainpoolP192r1 => 9,
            Self::NistP224 => 10,
            Self::BrainpoolP224r1 => 11,
            Self::NistP256 => 12,
            Self::BrainpoolP256r1 => 13,
            Self::BrainpoolP320r1 => 14,
            Self::NistP384 => 15,
            Self::BrainpoolP384r1 => 16,
            Self::BrainpoolP512r1 => 17,
            Self::NistP521 => 18,
        }
    }

    /// Its name, as card descriptions spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::NistP192 => "P-192",
            Self::BrainpoolP192r1 => "brainpoolP192r1",
            Self::NistP224 => "P-224",
            Self::BrainpoolP224r1 => "brainpoolP224r1",
            Self::NistP256 => "P-256",
            Self::BrainpoolP256r1 => "brainpoolP256r1",
            Self::BrainpoolP320r1 => "brainpoolP320r1",
            Self::NistP384 => "P-384",
            Self::BrainpoolP384r1 => "brainpoolP384r1",
            Self::BrainpoolP512r1 => "brainpoolP512r1",
            Self::NistP521 => "P-521",
        }
    }

    /// Bits of the order of its generator.
    pub fn order_bits(self) -> usize {
        match self {
            Self::NistP192 | Self::BrainpoolP192r1 => 192,
            Self::NistP224 | Self::BrainpoolP224r1 => 224,
            Self::NistP256 | Self::BrainpoolP256r1 => 256,
            Self::BrainpoolP320r1 => 320,
            Self::NistP384 | Self::BrainpoolP384r1 => 384,
            Self::BrainpoolP512r1 => 512,
            Self::NistP521 => 521,
        }
    }

    /// How OpenSSL calls it.
    pub(crate) fn nid(self) -> Nid {
        match self {
            Self::NistP192 => Nid::X9_62_PRIME192V1,
            Self::BrainpoolP192r1 => Nid::BRAINPOOL_P192R1,
            Self::NistP224 => Nid::SECP224R1,
            Self::BrainpoolP224r1 => Nid::BRAINPOOL_P224R1,
            Self::NistP256 => Nid::X9_62_PRIME256V1,
            Self::BrainpoolP256r1 => Nid::BRAINPOOL_P256R1,
            Self::BrainpoolP320r1 => Nid::BRAINPOOL_P320R1,
            Self::NistP384 => Nid::SECP384R1,
            Self::BrainpoolP384r1 => Nid::BRAINPOOL_P384R1,
            Self::BrainpoolP512r1 => Nid::BRAINPOOL_P512R1,
            Self::NistP521 => Nid::SECP521R1,
        }
    }
}

/// A multiplicative group with a number among the standardised domain parameters (ICAO 9303-11, table 6; RFC
/// 5114, 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ModpGroup {
    /// 1024-bit prime, 160-bit order: parameter 0.
    Modp1024Order160,
    /// 2048-bit prime, 224-bit order: parameter 1.
    Modp2048Order224,
    /// 2048-bit prime, 256-bit order: parameter 2.
    Modp2048Order256,
    /// None of the table: the safe prime of RFC 3526, 3, of which two generates half the numbers.
    Safe2048,
    /// None of the table: the prime and the order of parameter 2, with another generator.
    OtherGenerator2048,
    /// No group at all: a number that is no prime stands where the prime belongs.
    Composite1024,
}

impl ModpGroup {
    /// Those that are not in the table, which only a key that spells them out can use.
    pub fn off_the_table() -> [Self; 3] {
        [Self::Safe2048, Self::OtherGenerator2048, Self::Composite1024]
    }

    /// Every group of the table.
    pub fn all() -> [Self; 3] {
        [Self::Modp1024Order160, Self::Modp2048Order224, Self::Modp2048Order256]
    }

    /// Its number in the table; off the table 255, which nobody has assigned.
    pub fn parameter_id(self) -> u8 {
        match self {
            Self::Modp1024Order160 => 0,
            Self::Modp2048Order224 => 1,
            Self::Modp2048Order256 => 2,
            Self::Safe2048 | Self::OtherGenerator2048 | Self::Composite1024 => u8::MAX,
        }
    }

    /// Its numbers.
    pub(crate) fn numbers(self) -> Result<Dh<Params>, ErrorStack> {
        match self {
            Self::Modp1024Order160 => Dh::get_1024_160(),
            Self::Modp2048Order224 => Dh::get_2048_224(),
            Self::Modp2048Order256 => Dh::get_2048_256(),
            Self::Safe2048 => {
                let prime = BigNum::get_rfc3526_prime_2048()?;
                let mut order = BigNum::new()?;
                order.rshift1(&prime)?;
                Dh::from_pqg(prime, Some(order), BigNum::from_u32(2)?)
            }
            Self::OtherGenerator2048 => {
                let known = Dh::get_2048_256()?;
                let mut generator = BigNum::new()?;
                generator.mod_sqr(known.generator(), known.prime_p(), &mut *BigNumContext::new()?)?;
                Dh::from_pqg(
                    known.prime_p().to_owned()?,
                    known.prime_q().map(|q| q.to_owned()).transpose()?,
                    generator,
                )
            }
            Self::Composite1024 => {
                let known = Dh::get_1024_160()?;
                let mut prime = known.prime_p().to_owned()?;
                // An odd multiple of five near by.
                let rest = u32::try_from(prime.mod_word(5)?).unwrap_or(0);
                prime.sub_word(rest)?;
                if !prime.is_bit_set(0) {
                    prime.add_word(5)?;
                }
                Dh::from_pqg(
                    prime,
                    known.prime_q().map(|q| q.to_owned()).transpose()?,
                    known.generator().to_owned()?,
                )
            }
        }
    }

    /// Its name, as card descriptions spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Modp1024Order160 => "dh-1024-160",
            Self::Modp2048Order224 => "dh-2048-224",
            Self::Modp2048Order256 => "dh-2048-256",
            Self::Safe2048 => "dh-2048-safe",
            Self::OtherGenerator2048 => "dh-2048-other-generator",
            Self::Composite1024 => "dh-1024-composite",
        }
    }
}

/// Standardised domain parameters (ICAO 9303-11, 9.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DomainParameters {
    /// For DH.
    Modp(ModpGroup),
    /// For ECDH.
    Curve(NamedCurve),
}

impl DomainParameters {
    /// Every entry of the table.
    pub fn all() -> Vec<Self> {
        let groups = ModpGroup::all().into_iter().map(Self::Modp);
        groups.chain(NamedCurve::all().into_iter().map(Self::Curve)).collect()
    }

    /// Its number in the table.
    pub fn parameter_id(self) -> u8 {
        match self {
            Self::Modp(group) => group.parameter_id(),
            Self::Curve(curve) => curve.parameter_id(),
        }
    }

    /// Its name, as card descriptions spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Modp(group) => group.name(),
            Self::Curve(curve) => curve.name(),
        }
    }

    /// The entry of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|parameters| parameters.name() == name)
    }
}
