//! Personalisation: an invented person, described in TOML, becomes a chip's content.
//!
//! Its cryptography is OpenSSL's and its encoders are its own, so that the agent, which has neither, cannot
//! agree with its own mistakes. What comes out is a card that any reader takes for real up to the anchor: the
//! signing authorities are made on the spot by [`Issuer::new`] and are nobody's.
//!
//! ```
//! use cccd_firmware_sim::personalise::{Issuer, personalise, shipped_card};
//!
//! let card = shipped_card("cccd-2021").ok_or("not shipped")?.description()?;
//! let image = personalise(&card, &Issuer::new()?)?;
//! assert_eq!(card.can(), Some("123456"));
//! assert!(image.emrtd.contains_key(&0x010D), "DG13");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! It never makes a card of somebody: numbers that do not begin with 000 are refused, and so is every issuing
//! state but Vietnam and ICAO's invented Utopia.

mod authority;
mod biometrics;
mod chip_keys;
mod date;
mod description;
mod files;
mod key_info;
mod mrz;
mod portrait;
mod proof_plans;
mod record;
mod security_infos;
mod security_object;
mod shipped;
mod written;

use crate::der;

pub use authority::Issuer;
pub use date::PrintedDate;
pub use description::{
    Bearer, CardDescription, ChipPlan, Citizen, CitizenCard, DescriptionError, Fingerprints, IssuingState,
    LdsVersion, ParentsNesting, SecurityObjectPlan, Sex, SodContentType, Traveller,
};
pub(crate) use files::signing_day;
pub use files::{personalise, personalise_signed_by};
pub use mrz::{MrzKeyFields, NotInMrz};
pub use portrait::{NotAPortrait, Portrait, PortraitFormat};
pub use proof_plans::{
    ActiveAuthenticationKind, ActiveAuthenticationPlan, ChipAuthenticationInfo, ChipAuthenticationKind,
    ChipAuthenticationPlan, DhKeyForm, EcParameters, EcdhKeyForm,
};
pub use record::{RecordField, RecordValue};
pub use security_object::{odd_security_objects, security_object};
pub use shipped::{ShippedCard, shipped, shipped_card};
