//! The event loop: one reading per reader.
//!
//! Readers come and go, cards come and go, callers ask for readings: [`Engine::start`] runs one loop that
//! brings them together, and one owner thread for each reader that talks to its cards. Nothing here knows
//! hardware or HTTP.
//!
//! ```
//! use std::sync::Arc;
//! use cccd_engine::{CallerId, Engine, EngineOptions, PortraitWish, ReadRequest};
//! use cccd_document::{AccessKey, Can};
//!
//! // No kind of reader at all: a real program hands over `cccd_readers::PcscSource`.
//! let engine = Engine::start(Vec::new(), EngineOptions::default());
//! let request = ReadRequest {
//!     owner: CallerId::new("clinic"),
//!     reader: None,
//!     access: AccessKey::Can(Can::new("123456")?).into(),
//!     portrait: PortraitWish::Leave,
//!     nonce: None,
//!     expect: None,
//!     wait_for_card: None,
//! };
//! let refused = engine.handle().submit(request).blocking_recv()?.unwrap_err();
//! assert_eq!(refused.failure.code(), "no-reader");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A result belongs to the caller who asked for it and to nobody else, is kept for a minute or two, and is
//! wiped. Events carry nothing about a person.

#![forbid(unsafe_code)]

mod conversation;
mod desk;
mod engine;
mod event;
mod failure;
mod lease;
mod owner;
mod reading;
mod request;

pub use engine::{Clock, Engine, EngineHandle, EngineOptions, Judge, NotHere, ReaderView, Refused};
pub use event::{Audience, Event, EventKind, Subscription};
pub use failure::ReadFailure;
pub use lease::{LEASE_SECONDS, LeaseEnd, LeaseView, NoLease};
pub use reading::{Effort, PartialReading, Phase, ReadState, ReadView, Reading};
pub use request::{CallerId, PortraitWish, ReadId, ReadRequest};
