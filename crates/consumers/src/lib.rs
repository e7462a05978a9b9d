//! What each kind of consumer gets of a reading, in the shape its software knows.
//!
//! A profile (`config/profiles/*.toml`, [`cccd_profiles::consumer`]) says which fields are taken and from where, what
//! is demanded, and what the object looks like; [`disclose`] applies it to a reading.
//!
//! ```
//! use cccd_consumers::{InventedReading, disclose};
//! use cccd_profiles::ConsumerCatalogue;
//! use cccd_trust::Summary;
//!
//! let catalogue = ConsumerCatalogue::shipped();
//! let reading = InventedReading::new(Summary::Genuine);
//! let disclosure = disclose(catalogue.find("clinic").unwrap(), &reading.subject(), None)?;
//! let json = disclosure.output.unwrap().to_json();
//! assert!(json.contains(r#""NGAY_SINH":"199001020000""#));
//!
//! // A kiosk gets nothing of a card that nobody vouches for.
//! let reading = InventedReading::new(Summary::Unconfirmed);
//! let disclosure = disclose(catalogue.find("clinic-kiosk").unwrap(), &reading.subject(), None)?;
//! assert!(disclosure.output.is_none());
//! # Ok::<(), cccd_consumers::DiscloseError>(())
//! ```
//!
//! It judges nothing: the verdict is the reading's. It opens no file, asks nobody the time, and gives nothing that
//! the profile does not name.

#![forbid(unsafe_code)]

mod demand;
mod disclosure;
mod invented;
mod picked;
mod pseudonym;
mod ready;
mod render;
mod shaped;
mod subject;

pub use disclosure::{DemandOutcome, DiscloseError, Disclosure, disclose};
pub use invented::InventedReading;
pub use pseudonym::{NotAPseudonymKey, PseudonymKey};
pub use ready::ReadyProfile;
pub use shaped::Shaped;
pub use subject::Subject;
