//! Which curve is meant.

use std::sync::LazyLock;

use const_oid::ObjectIdentifier;
use der::asn1::AnyRef;
use der::{Decode, Tag};
use elliptic_curve::CurveArithmetic;
use elliptic_curve::sec1::ModulusSize;
use primeorder::PrimeCurveParams;

use crate::explicit;
use crate::point::decode_point;
use crate::straus::GeneratorMultiples;

/// `standardizedDomainParameters`.
const STANDARDISED: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.4.0.127.0.7.1.2");

/// A curve whose arithmetic we have.
pub trait IcaoCurve: PrimeCurveParams<FieldBytesSize: ModulusSize> + CurveArithmetic {
    /// Its name.
    const ID: CurveId;

    /// The multiples of its generator that verification needs, made when they are first asked for.
    #[doc(hidden)]
    fn generator_multiples() -> &'static GeneratorMultiples<Self>;
}

/// Work that is the same on every curve: [`CurveId::run`] calls it with the right one.
pub trait OnCurve {
    /// What comes of it.
    type Output;

    /// The work.
    fn on<C: IcaoCurve>(self) -> Self::Output;
}

/// Why no curve is meant that we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnknownCurve {
    /// A name we have no curve for.
    #[error("curve {0} is not known")]
    Name(ObjectIdentifier),
    /// Parameters spelled out that are those of no known curve. They may be chosen to deceive.
    #[error("explicit curve parameters are those of no known curve")]
    Explicit,
    /// No parameters at all, or none that can be read.
    #[error("curve is not stated")]
    Unstated,
}

/// Defines [`CurveId`] with everything each curve goes by.
macro_rules! curves {
    ($($(#[$doc:meta])+ $name:ident { oid: $oid:literal, parameter_id: $id:literal, text: $text:literal },)+) => {
        /// A curve.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum CurveId {
            $($(#[$doc])+ $name,)+
        }

        impl CurveId {
            /// All of them, in the order of their parameter numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its object identifier (RFC 5480, RFC 5639).
            pub const fn oid(self) -> ObjectIdentifier {
                match self {
                    $(Self::$name => ObjectIdentifier::new_unwrap($oid),)+
                }
            }

            /// Its number in table 6 of ICAO 9303-11, 9.5.1.
            pub const fn parameter_id(self) -> u8 {
                match self {
                    $(Self::$name => $id,)+
                }
            }

            /// Its common name.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }

            /// Does `work` on this curve.
            pub fn run<W: OnCurve>(self, work: W) -> W::Output {
                match self {
                    $(Self::$name => work.on::<crate::$name>(),)+
                }
            }
        }

        $(impl IcaoCurve for crate::$name {
            const ID: CurveId = CurveId::$name;

            fn generator_multiples() -> &'static GeneratorMultiples<Self> {
                static MULTIPLES: LazyLock<GeneratorMultiples<crate::$name>> =
                    LazyLock::new(GeneratorMultiples::new);
                &MULTIPLES
            }
        })+
    };
}

curves! {
    /// NIST P-192, in old documents.
    NistP192 { oid: "1.2.840.10045.3.1.1", parameter_id: 8, text: "P-192" },
    /// brainpoolP192r1, in old documents.
    BrainpoolP192r1 { oid: "1.3.36.3.3.2.8.1.1.3", parameter_id: 9, text: "brainpoolP192r1" },
    /// NIST P-224.
    NistP224 { oid: "1.3.132.0.33", parameter_id: 10, text: "P-224" },
    /// brainpoolP224r1.
    BrainpoolP224r1 { oid: "1.3.36.3.3.2.8.1.1.5", parameter_id: 11, text: "brainpoolP224r1" },
    /// NIST P-256.
    NistP256 { oid: "1.2.840.10045.3.1.7", parameter_id: 12, text: "P-256" },
    /// brainpoolP256r1.
    BrainpoolP256r1 { oid: "1.3.36.3.3.2.8.1.1.7", parameter_id: 13, text: "brainpoolP256r1" },
    /// brainpoolP320r1.
    BrainpoolP320r1 { oid: "1.3.36.3.3.2.8.1.1.9", parameter_id: 14, text: "brainpoolP320r1" },
    /// NIST P-384.
    NistP384 { oid: "1.3.132.0.34", parameter_id: 15, text: "P-384" },
    /// brainpoolP384r1.
    BrainpoolP384r1 { oid: "1.3.36.3.3.2.8.1.1.11", parameter_id: 16, text: "brainpoolP384r1" },
    /// brainpoolP512r1.
    BrainpoolP512r1 { oid: "1.3.36.3.3.2.8.1.1.13", parameter_id: 17, text: "brainpoolP512r1" },
    /// NIST P-521.
    NistP521 { oid: "1.3.132.0.35", parameter_id: 18, text: "P-521" },
}

impl CurveId {
    /// The curve of this name.
    pub fn from_oid(oid: ObjectIdentifier) -> Option<Self> {
        Self::ALL.iter().copied().find(|curve| curve.oid() == oid)
    }

    /// The curve of this number in table 6 of ICAO 9303-11.
    pub fn from_parameter_id(id: u64) -> Option<Self> {
        Self::ALL.iter().copied().find(|curve| u64::from(curve.parameter_id()) == id)
    }

    /// The curve that the parameters of an `id-ecPublicKey` algorithm mean: an encoded object identifier, or
    /// an ECParameters sequence (ANSI X9.62, 6.3) whose every number is that of a known curve.
    pub fn from_parameters(der: &[u8]) -> Result<Self, UnknownCurve> {
        let any = AnyRef::from_der(der).map_err(|_| UnknownCurve::Unstated)?;
        if any.header().tag() == Tag::ObjectIdentifier {
            let oid: ObjectIdentifier = any.decode_as().map_err(|_| UnknownCurve::Unstated)?;
            return Self::from_oid(oid).ok_or(UnknownCurve::Name(oid));
        }
        if any.header().tag() == Tag::Sequence {
            return explicit::known_curve(der);
        }
        Err(UnknownCurve::Unstated)
    }

    /// The curve that a public key's algorithm means: `id-ecPublicKey` with the parameters above, or
    /// `standardizedDomainParameters` with a number of table 6 (BSI TR-03110-3, A.2.1.1).
    pub fn from_algorithm(
        algorithm: ObjectIdentifier,
        parameters: Option<&[u8]>,
    ) -> Result<Self, UnknownCurve> {
        let parameters = parameters.ok_or(UnknownCurve::Unstated)?;
        if algorithm == STANDARDISED {
            let id = u8::from_der(parameters).map_err(|_| UnknownCurve::Unstated)?;
            return Self::from_parameter_id(id.into()).ok_or(UnknownCurve::Unstated);
        }
        Self::from_parameters(parameters)
    }

    /// Whether an uncompressed point is in this curve's width and lies on it.
    pub fn holds(self, point: &[u8]) -> bool {
        struct Holds<'a>(&'a [u8]);
        impl OnCurve for Holds<'_> {
            type Output = bool;
            fn on<C: IcaoCurve>(self) -> bool {
                decode_point::<C>(self.0).is_ok()
            }
        }
        self.run(Holds(point))
    }

    /// Bytes of one coordinate.
    pub fn field_bytes(self) -> usize {
        struct Width;
        impl OnCurve for Width {
            type Output = usize;
            fn on<C: IcaoCurve>(self) -> usize {
                elliptic_curve::FieldBytes::<C>::default().len()
            }
        }
        self.run(Width)
    }
}
