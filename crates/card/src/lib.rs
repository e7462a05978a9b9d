//! What a card and a reader are, without having either.
//!
//! This crate holds the words every other room speaks: command and response APDUs, status words, BER-TLV,
//! the answer-to-reset, and the traits a device implements: [`CardChannel`], [`CardFiles`], [`ReaderSource`],
//! [`ScannerSource`].
//!
//! ```
//! use cccd_card::{Command, Response, StatusWord};
//!
//! // SELECT the eMRTD application by its name (ICAO 9303-10, 3.3).
//! let select = Command::new(0x00, 0xA4, 0x04, 0x0C).data(&[0xA0, 0, 0, 2, 0x47, 0x10, 0x01]);
//! assert_eq!(select.encode().as_slice()[..5], [0x00, 0xA4, 0x04, 0x0C, 0x07]);
//! assert_eq!(select.to_string(), "00 A4 040C data=7");
//!
//! let reply = Response::parse(&[0x90, 0x00])?;
//! assert_eq!(reply.status(), StatusWord::OK);
//! # Ok::<(), cccd_card::TransportError>(())
//! ```
//!
//! It opens no device, keeps no key, asks nobody the time, and never prints what an APDU carries: the
//! `Display` of a [`Command`] is its outline.

#![forbid(unsafe_code)]

mod apdu;
mod atr;
mod bytes;
mod certificate;
mod channel;
mod files;
mod reader;
mod scanner;
mod status;
pub mod tlv;

pub use apdu::{Command, CommandTooLong, ExpectedLength, LengthForm, Response};
pub use atr::{Atr, AtrTooLong};
pub use bytes::{ByteReader, Truncated};
pub use certificate::{CertificateHash, NotACertificateHash};
pub use channel::{CardChannel, ChannelLimits, MAX_COMMAND, MAX_REPLY, TransportError};
pub use files::{CardFiles, FilesGiven};
pub use reader::{
    Behind, ReaderEvent, ReaderId, ReaderInfo, ReaderRefusal, ReaderSource, StopSignal, Transport,
};
pub use scanner::{ScannerEvent, ScannerId, ScannerInfo, ScannerSource};
pub use status::StatusWord;

/// Bytes that may tell who a person is or what a key is: wiped when dropped.
pub type SecretBytes = zeroize::Zeroizing<Vec<u8>>;
