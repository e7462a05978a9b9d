//! The event loop: one reading per reader.
//!
//! Readers come and go, cards come and go, codes are scanned, callers ask for readings: [`Engine::start`] runs one
//! loop that brings them together, and one owner thread for each reader that talks to its cards. Nothing here knows
//! hardware or HTTP.
//!
//! ```
//! use std::sync::Arc;
//! use cccd_engine::{CallerId, Engine, EngineOptions, ReadRequest};
//! use cccd_document::{AccessKey, Biometrics, Can, FieldSet};
//!
//! // No kind of reader or scanner at all: a real program hands over `cccd_readers::PcscSource`.
//! let engine = Engine::start(Vec::new(), Vec::new(), EngineOptions::default());
//! let request = ReadRequest {
//!     owner: CallerId::new("clinic"),
//!     reader: None,
//!     access: AccessKey::Can(Can::new("123456")?).into(),
//!     fields: FieldSet::ALL,
//!     groups: FieldSet::ALL.groups(),
//!     biometrics: Biometrics::NONE,
//!     under: None,
//!     nonce: None,
//!     expect: None,
//!     wait_for_card: None,
//! };
//! let refused = engine.handle().submit(request).blocking_recv()?.unwrap_err();
//! assert_eq!(refused.failure.code(), "no-reader");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A result belongs to the caller who asked for it and to nobody else, a scan to the caller who took it first; both
//! are kept for a minute or two, and wiped. Events carry nothing about a person.

#![forbid(unsafe_code)]

mod auto_read;
mod biometrics;
mod conclude;
mod conversation;
mod desk;
mod engine;
mod errand;
mod event;
mod failure;
mod forget;
mod handed_out;
mod learned;
mod lease;
mod over;
mod owner;
mod parts;
mod picture;
mod random_id;
mod reading;
mod request;
mod scan;
mod stay;

pub use auto_read::{AutoRead, Occasion};
pub use biometrics::{BiometricOutcome, BiometricReading};
pub use conclude::Conclude;
pub use engine::{Clock, Engine, EngineHandle, EngineOptions, Judge, NotHere, ReaderView, Refused, Station};
pub use errand::{Errand, ReadEnd, Witness};
pub use event::{Audience, Event, EventKind, Subscription};
pub use failure::ReadFailure;
pub use learned::{Memory, NoMemory};
pub use lease::{LEASE_SECONDS, LeaseEnd, LeaseTerms, LeaseView, NoLease};
pub use parts::Part;
pub use picture::{PictureCode, codes_in_picture};
pub use random_id::{ReadId, ScanId};
pub use reading::{Effort, PartialReading, Phase, ReadState, ReadView, Reading};
pub use request::{CallerId, InRegister, ReadRequest, UnderProfile, every_group};
pub use scan::{Scan, ScanNotHere, ScanReach};
pub use stay::Stay;
