//! The elliptic curves of ICAO 9303 and TR-03110: which one is meant, and generic work on any of them.
//!
//! A chip or a certificate names its curve by object identifier, by its number in table 6 of ICAO 9303-11, or
//! by spelling out all its parameters. [`CurveId`] is what all three come to. The arithmetic is that of the
//! RustCrypto crates; curves that have none there are put together from the same building blocks.
//!
//! ```
//! use cccd_curve::{CurveId, KeyPair, ecdsa};
//!
//! let curve = CurveId::from_parameter_id(13).ok_or("no such curve")?;
//! assert_eq!(curve, CurveId::BrainpoolP256r1);
//!
//! // Key agreement: both sides come to the same x coordinate, leading zeros included.
//! let ours = KeyPair::generate(curve, &mut getrandom::SysRng)?;
//! let theirs = KeyPair::generate(curve, &mut getrandom::SysRng)?;
//! assert_eq!(ours.agree(theirs.public_key())?, theirs.agree(ours.public_key())?);
//!
//! // A signature over a digest.
//! let signature = ours.sign(&[7; 32], &mut getrandom::SysRng)?;
//! assert!(ecdsa::verify(curve, ours.public_key(), &[7; 32], &signature.r, &signature.s).is_ok());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Explicit parameters are only ever looked up: whoever writes a certificate can choose them, and a curve that
//! is nearly the right one proves nothing. No function here depends on a secret in its time beyond what the
//! crates below promise; all secrets are wiped.

#![forbid(unsafe_code)]

mod curve_id;
mod digits;
pub mod ecdsa;
mod explicit;
mod key_pair;
mod point;
mod straus;
mod weierstrass;

pub use curve_id::{CurveId, IcaoCurve, OnCurve, UnknownCurve};
pub use key_pair::{KeyFault, KeyPair};
pub use point::{NoEntropy, PointFault, decode_point, encode_point, random_scalar, scalar_of};

pub use bp256::BrainpoolP256r1;
pub use bp384::BrainpoolP384r1;
pub use p256::NistP256;
pub use p384::NistP384;
pub use p521::NistP521;
pub use weierstrass::bp192::BrainpoolP192r1;
pub use weierstrass::bp224::BrainpoolP224r1;
pub use weierstrass::bp320::BrainpoolP320r1;
pub use weierstrass::bp512::BrainpoolP512r1;
pub use weierstrass::p192::NistP192;
pub use weierstrass::p224::NistP224;
