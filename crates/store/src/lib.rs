//! What outlives a restart: the audit chain, grants of paired pages, which proofs and idempotency keys have been used,
//! and what was learned of cards.
//!
//! ```
//! use cccd_store::{Entry, EntryKind, Novelty, Store};
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path().join("store");
//! let now = time::macros::datetime!(2026-11-20 08:00 UTC);
//! let store = Store::open(&folder, now)?;
//!
//! // A proof counts once, also after a restart.
//! let proof = store.keyed_hash("token", b"jti-1");
//! assert_eq!(store.remember("token", proof, now + time::Duration::minutes(2), now)?, Novelty::Fresh);
//! # drop(store);
//! let store = Store::open(&folder, now)?;
//! assert_eq!(store.remember("token", proof, now + time::Duration::minutes(2), now)?, Novelty::Seen);
//!
//! // Who did what: each entry holds the hash of the one before.
//! store.audit().append(&Entry::new(EntryKind::AgentStarted), now)?;
//! assert!(store.audit().verify()?.fault.is_none());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Everything lies in one folder that only its owner may enter: `state.db` and `audit.db` (SQLite), `audit.head`, and
//! `hash.key`. The two databases are apart so that a fault in one costs nothing in the other. One that cannot be used
//! is moved aside, never deleted, and the desk goes on with a new one; the chain's first entry then says so.
//!
//! This crate knows none of ours and asks nobody the time. It holds nothing of a person: of a card's number it is
//! given a keyed hash, which [`Store::keyed_hash`] makes. Only the [`Outbox`] and the [`Registers`], files of their own that
//! are there where an operator has results delivered or people entered, hold what is theirs, encrypted. Every call blocks for as long as the disk takes.

#![forbid(unsafe_code)]

mod audit;
mod database;
mod error;
mod grants;
mod hash_key;
mod idempotency;
mod instant;
mod outbox;
mod private;
mod registers;
mod replay;
mod sealed;
mod shapes;
mod store;

pub use audit::{
    AuditChain, ChainFault, ChainReport, Entry, EntryKind, ExportChecker, Fault, GENESIS, Receipt, Recorded,
    Scribe,
};
pub use error::StoreError;
pub use grants::{Grant, NewGrant};
pub use idempotency::Claim;
pub use outbox::{Due, DueMessage, Failure, MessageView, NewMessage, Order, Outbox, Put};
pub use registers::{Entered, NewEntry, RegisterEntry, Registers, SessionView};
pub use replay::Novelty;
pub use store::{Notice, Store};
