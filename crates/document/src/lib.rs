//! Bytes from a chip or a QR code to typed identity data.

#![forbid(unsafe_code)]

pub mod access_key;
pub mod evidence;
pub mod file;
pub mod mrz;
pub mod personal;

pub use access_key::{AccessKey, Can, MrzKey, NotAnAccessKey, PasswordKind};
pub use evidence::{
    AccessProtocol, AccessRun, Cipher, Downgrade, Evidence, FileOutcome, Mapping, SelectedPace,
};
pub use file::{DataGroupNumber, FileId};
pub use personal::Personal;
