//! Evidence to verdict.
//!
//! The first tenant of this room compares each data group with the hash EF.SOD lists for it. That alone
//! proves nothing: whoever writes a chip can write a fitting EF.SOD. The signature over the list, the
//! chain to a pinned root and the chip's own proofs join it here.
//!
//! This crate talks to no card, opens no file and asks nobody the time.

#![forbid(unsafe_code)]

mod check;
mod group_hash;
pub mod store;
mod verdict;

pub use check::{Check, CheckName, CheckState, GroupReason, Reason};
pub use group_hash::{GroupHash, HashAlgorithm, HashState, compare_hashes};
pub use verdict::{Summary, Verdict};
