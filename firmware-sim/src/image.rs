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
    /// Whether it takes long data in pieces.
    pub chaining: Chaining,
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

/// One PACE variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PaceOffer {
    /// How the nonce becomes a generator.
    pub mapping: PaceMapping,
    /// Its secure messaging cipher.
    pub cipher: PaceCipher,
    /// Its group.
    pub parameters: DomainParameters,
}

/// How a PACE variant makes a generator of the nonce (ICAO 9303-11, 4.4.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PaceMapping {
    /// Generic mapping.
    Generic,
    /// Integrated mapping. There is none on NIST P-224, whose prime is no three modulo four.
    Integrated,
    /// Chip authentication mapping, on curves and with AES only. The chip needs a static key of the curve.
    ChipAuthentication,
}

impl PaceOffer {
    /// ECDH with generic mapping.
    pub fn ecdh_generic(cipher: PaceCipher, curve: NamedCurve) -> Self {
        Self { mapping: PaceMapping::Generic, cipher, parameters: DomainParameters::Curve(curve) }
    }

    /// Every variant there is: mapping, cipher and group where the three go together.
    pub fn all() -> Vec<Self> {
        let mut offers = Vec::new();
        for mapping in [PaceMapping::Generic, PaceMapping::Integrated, PaceMapping::ChipAuthentication] {
            for parameters in DomainParameters::all() {
                for cipher in PaceCipher::all() {
                    offers.push(Self { mapping, cipher, parameters });
                }
            }
        }
        offers.retain(|offer| offer.exists());
        offers
    }

    /// Whether mapping, cipher and group go together.
    pub fn exists(&self) -> bool {
        match self.mapping {
            PaceMapping::Generic => true,
            PaceMapping::Integrated => self.parameters != DomainParameters::Curve(NamedCurve::NistP224),
            PaceMapping::ChipAuthentication => {
                self.cipher != PaceCipher::TripleDes && matches!(self.parameters, DomainParameters::Curve(_))
            }
        }
    }

    /// The arc below id-PACE: key agreement and mapping (ICAO 9303-11, 9.2.3).
    pub(crate) fn arc(&self) -> u8 {
        match (self.mapping, self.parameters) {
            (PaceMapping::Generic, DomainParameters::Modp(_)) => 1,
            (PaceMapping::Generic, DomainParameters::Curve(_)) => 2,
            (PaceMapping::Integrated, DomainParameters::Modp(_)) => 3,
            (PaceMapping::Integrated, DomainParameters::Curve(_)) => 4,
            (PaceMapping::ChipAuthentication, _) => 6,
        }
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

/// Whether a chip takes data in pieces under secure messaging (ISO/IEC 7816-4, 5.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Chaining {
    /// It does, for the commands whose data may be long.
    #[default]
    Accepted,
    /// It answers 6884.
    Refused,
    /// It knows no such class byte: a bare 6E00, and its session is over.
    Unknown,
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
