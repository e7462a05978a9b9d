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
//! What a description says of the chip's protocols, in TOML; every set of values is listed by the `all` of its
//! type, and a [`CardDescription`] can be varied by its `with_` functions:
//!
//! | key | values |
//! |---|---|
//! | `access.bac` | whether BAC runs |
//! | `access.pace` | a list of `{ mapping, cipher, group }`: mapping `generic` (the usual), `integrated` or `chip-authentication`; cipher `3des`, `aes-128`, `aes-192`, `aes-256`; group `P-192` to `P-521`, `brainpoolP192r1` to `brainpoolP512r1`, `dh-1024-160`, `dh-2048-224`, `dh-2048-256` ([`PaceOffer`](crate::image::PaceOffer)) |
//! | `access.can_tries` | wrong tries in a row before the CAN is blocked |
//! | `chip.chip_authentication` | a list of `{ cipher, group, form, key_id, info, commands }`: form `named`, `explicit` or `standardised`, with DH `pkcs3`, `x9.42` or `standardised`; info `present` or `missing`; commands `both`, `key-agreement-template` or `general-authenticate` ([`ChipAuthenticationPlan`]) |
//! | `chip.active_authentication` | the key: `ec-p256`, `ec-brainpoolP384r1` and so on, or `rsa-1024` to `rsa-4096` ([`ActiveAuthenticationPlan`]) |
//! | `chip.active_authentication_hash` | `sha1`, `sha224`, `sha256` (the usual), `sha384`, `sha512` |
//! | `chip.active_authentication_form` | `plain` or `der`; with RSA `standard`, `long-trailer`, `short-signature`, `short-message` |
//! | `chip.active_authentication_parameters` | the curve in DG15: `named` or `explicit` |
//! | `chip.active_authentication_long_answer` | what becomes of a signature the exchange does not carry: `refused`, `cut`, `announced`, `empty-when-extended` |
//! | `chip.fingerprints` | `absent`, `listed` or `unlisted`: a DG3, locked but for terminals certified under [`CardDescription::with_terminal_authentication`] |
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
pub(crate) use files::{card_access_file, signing_day};
pub use files::{personalise, personalise_changed, personalise_signed_by};
pub use mrz::{MrzKeyFields, NotInMrz};
pub use portrait::{NotAPortrait, Portrait, PortraitFormat};
pub use proof_plans::{
    ActiveAuthenticationKind, ActiveAuthenticationPlan, ChipAuthenticationInfo, ChipAuthenticationKind,
    ChipAuthenticationPlan, DhKeyForm, EcParameters, EcdhKeyForm,
};
pub use record::{RecordField, RecordValue};
pub use security_object::{odd_security_objects, security_object};
pub use shipped::{ShippedCard, shipped, shipped_card};
