//! Evidence to verdict.
//!
//! The first tenant of this room compares each data group with the hash EF.SOD lists for it. That alone
//! proves nothing: whoever writes a chip can write a fitting EF.SOD. The signature over the list, the
//! chain to a pinned root and the chip's own proofs join it here.
//!
//! This crate talks to no card, opens no file and asks nobody the time.

#![forbid(unsafe_code)]

pub mod certificate;
mod check;
pub mod extensions;
mod group_hash;
mod hash;
pub mod name;
pub mod rsa;
pub mod signature;
pub mod store;
mod verdict;

pub use certificate::{Certificate, CertificateError, Period};
pub use check::{Check, CheckName, CheckState, GroupReason, Reason};
pub use group_hash::{GroupHash, HashState, compare_hashes};
pub use hash::HashAlgorithm;
pub use name::DistinguishedName;
pub use verdict::{Summary, Verdict};
