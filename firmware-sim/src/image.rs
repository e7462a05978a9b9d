//! What a chip holds when it leaves the personalisation: its files, who may read them, what opens it.

use std::collections::BTreeMap;

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
    pub curve: PaceCurve,
}

/// The cipher of a PACE variant (the last arc of its object identifier, 1 to 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaceCipher {
    /// id-PACE-ECDH-GM-3DES-CBC-CBC.
    TripleDes,
    /// id-PACE-ECDH-GM-AES-CBC-CMAC-128.
    Aes128,
    /// id-PACE-ECDH-GM-AES-CBC-CMAC-192.
    Aes192,
    /// id-PACE-ECDH-GM-AES-CBC-CMAC-256.
    Aes256,
}

/// The curve of a PACE variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaceCurve {
    /// NIST P-256, parameter 12.
    NistP256,
    /// brainpoolP256r1, parameter 13.
    BrainpoolP256r1,
    /// NIST P-384, parameter 15.
    NistP384,
    /// brainpoolP384r1, parameter 16.
    BrainpoolP384r1,
    /// NIST P-521, parameter 18.
    NistP521,
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
