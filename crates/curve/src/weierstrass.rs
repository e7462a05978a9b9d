//! The curves no crate has, out of the building blocks of those that have one.
//!
//! Field and group arithmetic are those of `primefield` and `primeorder`, which the crates of the other curves
//! are made of too: only the numbers stand here, and the tests hold them against OpenSSL.

/// Defines a curve in a module of its own.
///
/// `uint` may be wider than the field; `modulus` and `order` are then filled with zeros up to it. The two
/// `non_residue`s are the least numbers that are no squares modulo the field's prime and the order.
macro_rules! curve {
    (
        $(#[$doc:meta])+
        $module:ident :: $name:ident,
        uint: $uint:ident,
        bytes: $bytes:ident,
        equation: $equation:ident,
        modulus: $modulus:literal, non_residue: $field_generator:literal,
        order: $order:literal, non_residue: $scalar_generator:literal,
        a: $a:literal,
        b: $b:literal,
        x: $x:literal,
        y: $y:literal $(,)?
    ) => {
        pub(crate) mod $module {
            use elliptic_curve::bigint::{Odd, $uint as Uint};
            use elliptic_curve::consts::$bytes as Bytes;
            use elliptic_curve::ff::PrimeField;
            use elliptic_curve::hazmat::FieldArithmetic;
            use elliptic_curve::ops::{BatchInvert, Reduce};
            use elliptic_curve::point::PointCompression;
            use elliptic_curve::scalar::{FromUintUnchecked, IsHigh};
            use elliptic_curve::subtle::{Choice, ConstantTimeEq, ConstantTimeGreater, CtOption};
            use elliptic_curve::{Curve, CurveArithmetic, FieldBytes, PrimeCurve, PrimeCurveArithmetic};
            use primeorder::{PrimeCurveParams, mul_backend, point_arithmetic, wnaf};

            $(#[$doc])+
            #[derive(Copy, Clone, Debug, Default, Eq, PartialEq, PartialOrd, Ord)]
            pub struct $name;

            mod field {
                use super::*;

                primefield::monty_field_params! {
                    name: FieldParams,
                    modulus: $modulus,
                    uint: Uint,
                    byte_order: primefield::ByteOrder::BigEndian,
                    multiplicative_generator: $field_generator,
                    doc: "The field's prime"
                }
                primefield::monty_field_element! {
                    name: FieldElement,
                    params: FieldParams,
                    uint: Uint,
                    doc: "An element of the field"
                }
                primefield::monty_field_arithmetic! {
                    name: FieldElement,
                    params: FieldParams,
                    uint: Uint
                }
                impl BatchInvert for FieldElement {}
            }

            mod scalar {
                use super::*;

                primefield::monty_field_params! {
                    name: ScalarParams,
                    modulus: $order,
                    uint: Uint,
                    byte_order: primefield::ByteOrder::BigEndian,
                    multiplicative_generator: $scalar_generator,
                    doc: "The order"
                }
                primefield::monty_field_element! {
                    name: Scalar,
                    params: ScalarParams,
                    uint: Uint,
                    doc: "A number modulo the order"
                }
                primefield::monty_field_arithmetic! {
                    name: Scalar,
                    params: ScalarParams,
                    uint: Uint
                }
                impl Reduce<Uint> for Scalar {
                    fn reduce(number: &Uint) -> Self {
                        Self(Reduce::reduce(number))
                    }
                }

                // As wide as the field, which the integer may be wider than.
                impl Reduce<FieldBytes<$name>> for Scalar {
                    fn reduce(bytes: &FieldBytes<$name>) -> Self {
                        Self(Reduce::reduce(&elliptic_curve::field::bytes_to_uint::<$name>(bytes)))
                    }
                }
                elliptic_curve::scalar_impls!($name, Scalar);
                wnaf::impl_wnaf_size_for_scalar!(Scalar);

                impl AsRef<Scalar> for Scalar {
                    fn as_ref(&self) -> &Scalar {
                        self
                    }
                }

                impl FromUintUnchecked for Scalar {
                    type Uint = Uint;

                    fn from_uint_unchecked(uint: Uint) -> Self {
                        Self::from_uint_unchecked(uint)
                    }
                }

                impl IsHigh for Scalar {
                    fn is_high(&self) -> Choice {
                        const HALF: Uint = $name::ORDER.as_ref().shr_vartime(1);
                        self.to_canonical().ct_gt(&HALF)
                    }
                }
            }

            use field::FieldElement;
            use scalar::Scalar;

            impl Curve for $name {
                type FieldBytesSize = Bytes;
                type Uint = Uint;
                const ORDER: Odd<Uint> = Odd::<Uint>::from_be_hex($order);
            }

            impl PrimeCurve for $name {}

            impl PointCompression for $name {
                const COMPRESS_POINTS: bool = false;
            }

            impl CurveArithmetic for $name {
                type AffinePoint = primeorder::AffinePoint<Self>;
                type ProjectivePoint = primeorder::ProjectivePoint<Self>;
                type Scalar = Scalar;
            }

            impl FieldArithmetic for $name {
                type FieldElement = FieldElement;
            }

            impl PrimeCurveArithmetic for $name {
                type CurveGroup = primeorder::ProjectivePoint<Self>;
            }

            impl PrimeCurveParams for $name {
                type PointArithmetic = point_arithmetic::$equation;
                type Backend = mul_backend::VariableOnly;
                const EQUATION_A: FieldElement = FieldElement::from_hex_vartime($a);
                const EQUATION_B: FieldElement = FieldElement::from_hex_vartime($b);
                const GENERATOR: (FieldElement, FieldElement) =
                    (FieldElement::from_hex_vartime($x), FieldElement::from_hex_vartime($y));
            }
        }
    };
}

curve! {
    /// NIST P-192 (SP 800-186), for old documents.
    p192::NistP192,
    uint: U192,
    bytes: U24,
    equation: EquationAIsMinusThree,
    modulus: "fffffffffffffffffffffffffffffffeffffffffffffffff", non_residue: 11,
    order: "ffffffffffffffffffffffff99def836146bc9b1b4d22831", non_residue: 3,
    a: "fffffffffffffffffffffffffffffffefffffffffffffffc",
    b: "64210519e59c80e70fa7e9ab72243049feb8deecc146b9b1",
    x: "188da80eb03090f67cbf20eb43a18800f4ff0afd82ff1012",
    y: "07192b95ffc8da78631011ed6b24cdd573f977a11e794811",
}

curve! {
    /// NIST P-224 (SP 800-186).
    p224::NistP224,
    uint: U256,
    bytes: U28,
    equation: EquationAIsMinusThree,
    modulus: "00000000ffffffffffffffffffffffffffffffff000000000000000000000001", non_residue: 11,
    order: "00000000ffffffffffffffffffffffffffff16a2e0b8f03e13dd29455c5c2a3d", non_residue: 2,
    a: "fffffffffffffffffffffffffffffffefffffffffffffffffffffffe",
    b: "b4050a850c04b3abf54132565044b0b7d7bfd8ba270b39432355ffb4",
    x: "b70e0cbd6bb4bf7f321390b94a03c1d356c21122343280d6115c1d21",
    y: "bd376388b5f723fb4c22dfe6cd4375a05a07476444d5819985007e34",
}

curve! {
    /// brainpoolP192r1 (RFC 5639, 3.2), for old documents.
    bp192::BrainpoolP192r1,
    uint: U192,
    bytes: U24,
    equation: EquationAIsGeneric,
    modulus: "c302f41d932a36cda7a3463093d18db78fce476de1a86297", non_residue: 3,
    order: "c302f41d932a36cda7a3462f9e9e916b5be8f1029ac4acc1", non_residue: 7,
    a: "6a91174076b1e0e19c39c031fe8685c1cae040e5c69a28ef",
    b: "469a28ef7c28cca3dc721d044f4496bcca7ef4146fbf25c9",
    x: "c0a0647eaab6a48753b033c56cb0f0900a2f5c4853375fd6",
    y: "14b690866abd5bb88b5f4828c1490002e6773fa2fa299b8f",
}

curve! {
    /// brainpoolP224r1 (RFC 5639, 3.3).
    bp224::BrainpoolP224r1,
    uint: U256,
    bytes: U28,
    equation: EquationAIsGeneric,
    modulus: "00000000d7c134aa264366862a18302575d1d787b09f075797da89f57ec8c0ff", non_residue: 3,
    order: "00000000d7c134aa264366862a18302575d0fb98d116bc4b6ddebca3a5a7939f", non_residue: 3,
    a: "68a5e62ca9ce6c1c299803a6c1530b514e182ad8b0042a59cad29f43",
    b: "2580f63ccfe44138870713b1a92369e33e2135d266dbb372386c400b",
    x: "0d9029ad2c7e5cf4340823b2a87dc68c9e4ce3174c1e6efdee12c07d",
    y: "58aa56f772c0726f24c6b89e4ecdac24354b9e99caa3f6d3761402cd",
}

curve! {
    /// brainpoolP320r1 (RFC 5639, 3.5).
    bp320::BrainpoolP320r1,
    uint: U384,
    bytes: U40,
    equation: EquationAIsGeneric,
    modulus: "0000000000000000d35e472036bc4fb7e13c785ed201e065f98fcfa6f6f40def4f92b9ec7893ec28fcd412b1f1b32e27", non_residue: 5,
    order: "0000000000000000d35e472036bc4fb7e13c785ed201e065f98fcfa5b68f12a32d482ec7ee8658e98691555b44c59311", non_residue: 3,
    a: "3ee30b568fbab0f883ccebd46d3f3bb8a2a73513f5eb79da66190eb085ffa9f492f375a97d860eb4",
    b: "520883949dfdbc42d3ad198640688a6fe13f41349554b49acc31dccd884539816f5eb4ac8fb1f1a6",
    x: "43bd7e9afb53d8b85289bcc48ee5bfe6f20137d10a087eb6e7871e2a10a599c710af8d0d39e20611",
    y: "14fdd05545ec1cc8ab4093247f77275e0743ffed117182eaa9c77877aaac6ac7d35245d1692e8ee1",
}

curve! {
    /// brainpoolP512r1 (RFC 5639, 3.7), the curve of Vietnam's passport CSCA.
    bp512::BrainpoolP512r1,
    uint: U512,
    bytes: U64,
    equation: EquationAIsGeneric,
    modulus: "aadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca703308717d4d9b009bc66842aecda12ae6a380e62881ff2f2d82c68528aa6056583a48f3", non_residue: 2,
    order: "aadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca70330870553e5c414ca92619418661197fac10471db1d381085ddaddb58796829ca90069", non_residue: 7,
    a: "7830a3318b603b89e2327145ac234cc594cbdd8d3df91610a83441caea9863bc2ded5d5aa8253aa10a2ef1c98b9ac8b57f1117a72bf2c7b9e7c1ac4d77fc94ca",
    b: "3df91610a83441caea9863bc2ded5d5aa8253aa10a2ef1c98b9ac8b57f1117a72bf2c7b9e7c1ac4d77fc94cadc083e67984050b75ebae5dd2809bd638016f723",
    x: "81aee4bdd82ed9645a21322e9c4c6a9385ed9f70b5d916c1b43b62eef4d0098eff3b1f78e2d0d48d50d1687b93b97d5f7c6d5047406a5e688b352209bcb9f822",
    y: "7dde385d566332ecc0eabfa9cf7822fdf209f70024a57b1aa000c55b881f8111b2dcde494a5f485e5bca4bd88a2763aed1ca2b2fa8f0540678cd1e0f3ad80892",
}
