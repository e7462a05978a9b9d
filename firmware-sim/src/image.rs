//! What a chip holds when it leaves the personalisation: its files, who may read them, what opens it.

use std::collections::BTreeMap;

mod domain;
mod proofs;

pub use domain::{DomainParameters, ModpGroup, NamedCurve};
pub use proofs::{
    ActiveAuthenticationKey, ActiveAuthenticationOffer, AfterChipAuthentication, AgreementKey,
    ChipAuthenticationCommands, ChipAuthenticationOffer, EcdsaForm, LongAnswer, ProofOffer, RsaForm,
    SignatureHash,
};

/// A chip's content. [`crate::personalise`] builds it, [`crate::chip`] runs it.
#[derive(Clone)]
pub struct ChipImage {
    /// The answer-to-reset a reader reports for it.
    pub atr: Vec<u8>,
    /// Files under the master file, by file identifier.
    pub master_file: BTreeMap<u16, StoredFile>,
    /// Files of the eMRTD application, by file identifier.
    pub emrtd: BTreeMap<u16, StoredFile>,
    /// What opens it.
    pub access: AccessOffer,
    /// How it proves itself.
    pub proofs: ProofOffer,
    /// Which command and reply lengths it takes.
    pub lengths: LengthOffer,
}

/// A transparent elementary file.
#[derive(Clone)]
pub struct StoredFile {
    /// Its bytes.
    pub content: Vec<u8>,
    /// Who may read it.
    pub rule: ReadRule,
}

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadRule {
    /// Anyone.
    Free,
    /// Whoever came through BAC or PACE, under secure messaging.
    AfterAccessControl,
    /// Only a terminal with a certificate: 6982 for everyone else.
    TerminalAuthentication,
}

/// What opens the chip.
#[derive(Clone)]
pub struct AccessOffer {
    /// Whether BAC runs.
    pub bac: bool,
    /// The PACE variants it runs; EF.CardAccess lists the same.
    pub pace: Vec<PaceOffer>,
    /// The card access number, and how many wrong tries in a row it takes before it is blocked.
    pub can: Option<CanOffer>,
    /// Number, birth and expiry, each with its check digit: what the MRZ password is made of.
    pub mrz_information: String,
}

/// The card access number and its try counter.
#[derive(Clone)]
pub struct CanOffer {
    /// Six digits.
    pub digits: String,
    /// Wrong tries in a row before it is blocked; `None` counts for ever.
    pub tries: Option<u8>,
}

/// One PACE variant (ECDH, generic mapping).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaceOffer {
    /// Its secure messaging cipher.
    pub cipher: PaceCipher,
    /// Its curve, by standardised domain parameter number (ICAO 9303-11, table 6).
    pub curve: NamedCurve,
}

impl PaceOffer {
    /// ECDH with generic mapping.
    pub fn ecdh_generic(cipher: PaceCipher, curve: NamedCurve) -> Self {
        Self { cipher, curve }
    }
}

/// The cipher of secure messaging, of a PACE variant or of chip authentication (the last arc of the object
/// identifier, 1 to 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PaceCipher {
    /// 3DES in CBC mode, retail MAC.
    TripleDes,
    /// AES-128 in CBC mode, CMAC.
    Aes128,
    /// AES-192 in CBC mode, CMAC.
    Aes192,
    /// AES-256 in CBC mode, CMAC.
    Aes256,
}

impl PaceCipher {
    /// Every cipher.
    pub fn all() -> [Self; 4] {
        [Self::TripleDes, Self::Aes128, Self::Aes192, Self::Aes256]
    }

    /// The last arc of the object identifiers it ends.
    pub(crate) fn arc(self) -> u8 {
        match self {
            Self::TripleDes => 1,
            Self::Aes128 => 2,
            Self::Aes192 => 3,
            Self::Aes256 => 4,
        }
    }
}

/// Which lengths the chip takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LengthOffer {
    /// Short lengths; an extended command gets 6700.
    Short,
    /// Extended lengths, up to so many bytes of command and of reply APDU.
    Extended {
        /// Longest command APDU.
        max_command: usize,
        /// Longest response APDU.
        max_reply: usize,
    },
}
