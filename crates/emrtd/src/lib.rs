//! The chip conversation of ICAO 9303-11: from a card that lies on a reader to its files as bytes.
//!
//! A [`LockedChip`] is opened with PACE or BAC and becomes an [`UnlockedChip`], through which files are read
//! under secure messaging; [`read_document`] reads a whole plan of them into an
//! [`Evidence`](cccd_document::Evidence). Each state is a type, and each move takes the state it leaves.
//!
//! ```
//! use cccd_card::ChannelLimits;
//! use cccd_document::{AccessKey, Can, FileId};
//! use cccd_emrtd::{LockedChip, ReadPlan, ReadStep, read_document};
//! # use cccd_firmware_sim::chip::Chip;
//! # use cccd_firmware_sim::personalise::{Issuer, personalise, shipped_card};
//! # use cccd_firmware_sim::reader::in_process::DirectChannel;
//! # let description = shipped_card("cccd-2021").ok_or("not shipped")?.description()?;
//! # let card = Chip::new(personalise(&description, &Issuer::new()?)?);
//!
//! // Any `CardChannel` will do; here it is a simulated card.
//! let channel = DirectChannel::new(card, ChannelLimits::SHORT)?;
//! let key = AccessKey::Can(Can::new("123456")?);
//!
//! let mut chip = LockedChip::new(channel).unlock(&[key], &mut getrandom::SysRng)?;
//! let evidence = read_document(&mut chip, &ReadPlan::identity(), &mut getrandom::SysRng, &mut |step| {
//!     // Of `piece.file` as many as `piece.read` bytes are here.
//!     if let ReadStep::Piece(piece) = step {
//!         assert!(piece.total.is_none_or(|total| piece.read <= total));
//!     }
//! })?;
//!
//! assert!(evidence.bytes(FileId::DG13).is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! It judges nothing: whether what was read is genuine is a matter of `cccd-trust`. It opens no device, asks
//! nobody the time, draws random numbers only from the source it is given, and never prints what an APDU
//! carries. It never uses a byte of a protected reply before its MAC is verified, never goes on in a session
//! after a failure, never falls back to BAC without saying so, and never spends the last try of a key.
//!
//! Left out on purpose: a bare 6700 in the middle of secure messaging ends the session, although some chips
//! answer so without having counted the command. Stepping the counter back on the word of an unprotected
//! status would let anyone make us send two commands under one counter;
//! [`LockedChip::limited_to`] and a second unlocking are the way round.
#![forbid(unsafe_code)]

mod active_authentication;
mod attempt;
mod bac;
mod chip_authentication;
mod document;
mod entropy;
mod exchange;
#[cfg(test)]
mod flipped_bits;
mod group;
mod key_derivation;
mod metered;
mod pace;
mod proof;
mod public_key;
mod read;
mod secure_messaging;
mod shape;
mod start;
mod symmetric;
mod terminal_authentication;
#[cfg(test)]
mod testing;
mod transport;
mod unlock;

pub use active_authentication::Challenge;
pub use attempt::{AccessStep, ProtocolFault};
pub use document::{ReadPlan, ReadStep, read_document, read_document_as};
pub use entropy::NoEntropy;
pub use group::PublicKeyFault;
pub use metered::{Metered, Outline, Traffic};
pub use proof::{Proof, ProofPlan};
pub use read::{Progress, ReadError, UnlockedChip};
pub use secure_messaging::SmFault;
pub use shape::{AssumedPace, CardAccessRoad, CardShape, FileFront, FileRoad};
pub use terminal_authentication::{
    CvCertificate, CvCertificateError, CvRights, CvRole, FileTerminalKey, KeyFileError, SigningError,
    Terminal, TerminalError, TerminalKey, TerminalPublicKey,
};
pub use unlock::{LockedChip, UnlockError};
