//! Tests of the crate from outside: its library is built once and not again for tests of its own, since the constants
//! of its fields take the compiler longer than everything else here.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of these tests fail a test by panicking, like the tests themselves"
)]

use cccd_curve::CurveId;
use openssl::ec::EcGroup;
use openssl::nid::Nid;

mod against_openssl;
mod digits;
mod explicit;
mod names;

fn openssl_group(curve: CurveId) -> EcGroup {
    let nid = match curve {
        CurveId::NistP192 => Nid::X9_62_PRIME192V1,
        CurveId::BrainpoolP192r1 => Nid::BRAINPOOL_P192R1,
        CurveId::NistP224 => Nid::SECP224R1,
        CurveId::BrainpoolP224r1 => Nid::BRAINPOOL_P224R1,
        CurveId::NistP256 => Nid::X9_62_PRIME256V1,
        CurveId::BrainpoolP256r1 => Nid::BRAINPOOL_P256R1,
        CurveId::BrainpoolP320r1 => Nid::BRAINPOOL_P320R1,
        CurveId::NistP384 => Nid::SECP384R1,
        CurveId::BrainpoolP384r1 => Nid::BRAINPOOL_P384R1,
        CurveId::BrainpoolP512r1 => Nid::BRAINPOOL_P512R1,
        CurveId::NistP521 => Nid::SECP521R1,
    };
    EcGroup::from_curve_name(nid).unwrap()
}
