//! Everything one reading took from a chip, as bytes.

use std::collections::BTreeMap;
use std::fmt;

use cccd_card::{SecretBytes, StatusWord};

use crate::{FileId, PasswordKind};

/// What was read and what ran. It stands alone: a stored one can be judged later, elsewhere, with no card.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// How the chip was opened.
    pub access: AccessRun,
    /// Each file that was asked for, and what came of it.
    pub files: BTreeMap<FileId, FileOutcome>,
}

impl Evidence {
    /// The bytes of `file`, if it was read.
    pub fn bytes(&self, file: FileId) -> Option<&[u8]> {
        match self.files.get(&file)? {
            FileOutcome::Read(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// What came of asking for a file.
#[derive(Clone, PartialEq, Eq)]
pub enum FileOutcome {
    /// Its bytes, exactly as the chip gave them, cut at the end of the outermost object.
    Read(SecretBytes),
    /// The chip has no such file.
    Absent(StatusWord),
    /// The chip has it and wants more rights (terminal authentication for DG3 and DG4).
    Locked(StatusWord),
    /// The chip answered something else: this file cannot be had, the others can.
    Refused(StatusWord),
    /// It claims to be longer than any such file may be, or is no BER-TLV at all.
    Malformed,
}

impl fmt::Debug for FileOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(bytes) => write!(f, "Read({} bytes)", bytes.len()),
            Self::Absent(status) => write!(f, "Absent({status})"),
            Self::Locked(status) => write!(f, "Locked({status})"),
            Self::Refused(status) => write!(f, "Refused({status})"),
            Self::Malformed => f.write_str("Malformed"),
        }
    }
}

/// How a chip was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRun {
    /// What ran.
    pub protocol: AccessProtocol,
    /// With which kind of key.
    pub password: PasswordKind,
    /// Set where the chip offers PACE and BAC was run all the same.
    pub downgrade: Option<Downgrade>,
    /// EF.CardAccess as the chip gave it. Unsigned: its options must be found again in DG14.
    pub card_access: Option<SecretBytes>,
}

/// An access control protocol of ICAO 9303-11.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessProtocol {
    /// Basic access control (4.3).
    Bac,
    /// Password authenticated connection establishment (4.4).
    Pace(SelectedPace),
}

/// Which variant of PACE ran (ICAO 9303-11, 9.2.1 and table 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SelectedPace {
    /// How the nonce becomes a generator.
    pub mapping: Mapping,
    /// What secure messaging is made of.
    pub cipher: Cipher,
    /// The standardised domain parameters' number.
    pub parameter_id: u8,
}

/// The mapping of PACE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mapping {
    /// Generic mapping.
    Generic,
}

/// A secure messaging cipher suite (ICAO 9303-11, 9.8.6 and 9.8.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cipher {
    /// Two-key 3DES in CBC mode, retail MAC.
    TripleDes,
    /// AES-128 in CBC mode, CMAC.
    Aes128,
    /// AES-192 in CBC mode, CMAC.
    Aes192,
    /// AES-256 in CBC mode, CMAC.
    Aes256,
}

/// Why BAC ran on a chip that offers PACE. A forged EF.CardAccess or a jammed exchange looks the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Downgrade {
    /// Every PACE try failed.
    PaceFailed,
    /// None of the variants it offers is one we speak.
    PaceUnsupported,
}
