//! Evidence to verdict.
//!
//! [`passive_authentication`] holds the files of a reading against the hashes in EF.SOD, EF.SOD against its
//! signature, and the signer against the anchors an operator trusts. Whatever can be wrong has a [`Reason`] of
//! its own, and so has whatever is let pass. [`Verdict`] is what all checks come to.
//!
//! ```
//! use cccd_trust::{Certificate, CertificateError, Role, TrustAnchors};
//!
//! fn trusting(certificates: &[Vec<u8>]) -> Result<TrustAnchors, CertificateError> {
//!     let mut anchors = TrustAnchors::new();
//!     for der in certificates {
//!         anchors.insert(Certificate::parse(der)?, Role::Anchor);
//!     }
//!     Ok(anchors)
//! }
//! assert!(trusting(&[])?.is_empty());
//! assert!(trusting(&[b"no certificate".to_vec()]).is_err());
//! # Ok::<(), CertificateError>(())
//! ```
//!
//! This crate talks to no card, opens no file and asks nobody the time.

#![forbid(unsafe_code)]

pub mod anchors;
pub mod certificate;
pub mod chain;
mod check;
mod chip_proof;
mod country;
pub mod crl;
pub mod extensions;
mod group_hash;
mod hash;
mod judge;
pub mod name;
mod parallel;
pub mod passive;
pub mod rsa;
pub mod signature;
pub mod signed_data;
mod simulation;
pub mod store;
mod verdict;

pub use anchors::{Role, TrustAnchors};
pub use certificate::{Certificate, CertificateError, Period};
pub use check::{Check, CheckName, CheckState, GroupReason, Reason};
pub use chip_proof::{CardSecurity, chip_checks};
pub use crl::Crl;
pub use group_hash::{GroupHash, HashState, compare_hashes, compare_hashes_of};
pub use hash::HashAlgorithm;
pub use judge::{Basis, Judgement, judge};
pub use name::DistinguishedName;
pub use passive::{Leniency, PassiveAuthentication, Policy, passive_authentication};
pub use simulation::is_marked_simulated;
pub use verdict::{Summary, Verdict};
