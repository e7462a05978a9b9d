//! Bytes from a chip or a QR code to typed identity data.
//!
//! What a chip holds comes in as bytes and leaves as types: the MRZ, the Vietnamese text of DG13, the
//! portrait, the lists of hashes and of security options. What someone typed or scanned leaves as keys that
//! may open a chip ([`AccessInput`]).
//!
//! ```
//! use cccd_document::record::{CitizenRecord, RecordSources};
//! use cccd_document::{DataGroup13, FileId};
//! use time::macros::date;
//!
//! // A DG13 with two of its fields: 1, the number, and 2, the name. The person is invented.
//! let bytes = [
//!     b"\x6D\x3A\x30\x38\x02\x01\x01\x06\x06\x28\xD3\x16\x01\x00\x08\x31\x2B".as_slice(),
//!     b"\x30\x11\x02\x01\x01\x13\x0C000090123456\x30\x16\x02\x01\x02\x0C\x11".as_slice(),
//!     "Trần Văn Mẫu".as_bytes(),
//! ]
//! .concat();
//!
//! let dg13 = DataGroup13::parse(&bytes)?;
//! let sources = RecordSources { dg13: Some(&dg13), ..RecordSources::default() };
//! let record = CitizenRecord::merge(sources, date!(2026 - 11 - 20));
//!
//! let name = record.full_name.as_ref().unwrap();
//! assert_eq!((name.value.expose(), name.source), ("Trần Văn Mẫu", FileId::DG13));
//! // Whoever prints it for debugging learns nothing about the person.
//! assert!(!format!("{record:?}").contains("Mẫu"));
//! # Ok::<(), cccd_document::MalformedFile>(())
//! ```
//!
//! It never verifies: what it gives is what the chip claims. It opens no file, keeps no key, asks nobody the
//! time (the day is an argument), never encodes again what it has read, and no input makes it panic.

#![forbid(unsafe_code)]

pub mod access;
pub mod access_key;
mod asn1;
pub mod date;
pub mod evidence;
mod expectation;
pub mod expiry;
pub mod fields;
pub mod file;
pub mod lds;
mod malformed;
pub mod mrz;
pub mod own_keys;
pub mod personal;
pub mod portrait;
pub mod public_key;
pub mod qr;
mod read_mark;
pub mod record;
pub mod security_infos;
pub mod signed_message;
pub mod text;

pub use access::{AccessInput, AccessInputError, AccessPlan};
pub use access_key::{AccessKey, Can, MrzKey, NotAnAccessKey, PasswordKind};
pub use date::{PartialDate, StatedDate};
pub use evidence::{
    AccessProtocol, AccessRun, ActiveAuthenticationRun, ChipAuthenticationMappingRun, ChipAuthenticationRun,
    ChipProofs, Cipher, Downgrade, Evidence, FileOutcome, Mapping, ProofOutcome, SelectedPace, StationLack,
    TerminalAuthentication, TerminalAuthenticationRun, TerminalStep,
};
pub use expectation::{Comparison, Expectation, ExpectedField, FieldMatch};
pub use fields::{FieldSet, RecordField};
pub use file::{DataGroupNumber, FileId};
pub use lds::{
    Biometric, BiometricGroup, BiometricImage, Biometrics, DataGroup1, DataGroup2, DataGroup11, DataGroup12,
    DataGroup13, DataGroup14, DataGroup15, EfCom, EfSod,
};
pub use malformed::MalformedFile;
pub use mrz::{Mrz, MrzError, MrzFinding, MrzFormat, Sex};
pub use personal::{Personal, PersonalBytes};
pub use portrait::{DisplayImage, MediaType, NotDisplayable, Portrait};
pub use public_key::PublicKey;
pub use qr::{InsuranceRecord, QrContent, QrKind, QrNote, QrPayload, QrRecord, Spelling, SurplusField};
pub use read_mark::ReadMark;
pub use record::{CitizenRecord, Field, RecordNote, RecordSources, Validity};
pub use security_infos::{PaceInfo, SecurityInfo, SecurityInfoContent, SecurityInfos};
pub use signed_message::{SignedAttributes, SignedMessage, SignerIdentifier, SignerInfo};
pub use text::StoredText;
