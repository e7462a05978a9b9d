//! Everything one reading took from a chip, as bytes.

use std::collections::BTreeMap;
use std::fmt;

use cccd_card::{SecretBytes, StatusWord};
use sha2::{Digest, Sha256};

use crate::{FileId, PasswordKind};

/// What was read and what ran. It stands alone: a stored one can be judged later, elsewhere, with no card.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// How the chip was opened.
    pub access: AccessRun,
    /// Each file that was asked for, and what came of it.
    pub files: BTreeMap<FileId, FileOutcome>,
    /// What the chip was asked to prove, and what it answered.
    pub proofs: ChipProofs,
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
    /// The reader converses with the chip by itself, and did not hand this file out.
    NotGiven,
}

impl fmt::Debug for FileOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(bytes) => write!(f, "Read({} bytes)", bytes.len()),
            Self::Absent(status) => write!(f, "Absent({status})"),
            Self::Locked(status) => write!(f, "Locked({status})"),
            Self::Refused(status) => write!(f, "Refused({status})"),
            Self::Malformed => f.write_str("Malformed"),
            Self::NotGiven => f.write_str("NotGiven"),
        }
    }
}

/// How a chip was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRun {
    /// What ran.
    pub protocol: AccessProtocol,
    /// With which kind of key; where the reader opened it, which kind the caller showed, that is this card's.
    pub password: PasswordKind,
    /// Set where the chip offers PACE and BAC was run all the same.
    pub downgrade: Option<Downgrade>,
    /// EF.CardAccess as the chip gave it. Unsigned: its options must be found again in DG14.
    pub card_access: Option<SecretBytes>,
}

/// What the chip was asked to prove. Nothing is judged here: the answers count only where the keys they are
/// made with are signed for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChipProofs {
    /// Active authentication (ICAO 9303-11, 6.1).
    pub active_authentication: ProofOutcome<ActiveAuthenticationRun>,
    /// Chip authentication (ICAO 9303-11, 6.2).
    pub chip_authentication: ProofOutcome<ChipAuthenticationRun>,
    /// What PACE with chip authentication mapping gave (ICAO 9303-11, 4.4.3.3.3).
    pub chip_authentication_mapping: ProofOutcome<ChipAuthenticationMappingRun>,
    /// Terminal authentication (TR-03110-1, 3.5): the terminal's proof, told here because DG3 and DG4
    /// hang on it.
    pub terminal_authentication: TerminalAuthentication,
}

/// What came of asking for a proof.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ProofOutcome<T> {
    /// The plan left it out.
    #[default]
    NotAsked,
    /// The chip does not offer it.
    NotOffered,
    /// It offers it in a form we do not speak, with a key that cannot be read, or with one that the reader has no room
    /// for.
    Unsupported,
    /// The chip would not: its status word.
    Refused(StatusWord),
    /// The chip's answer is none: wrong length, wrong structure, a point that is not on the curve, or a
    /// session that broke off under the new keys.
    Broken,
    /// The reader converses with the chip by itself, and passes this on neither way.
    NotCarried,
    /// It ran to its end.
    Done(T),
}

impl<T> ProofOutcome<T> {
    /// What was done, if it ran to its end.
    pub fn done(&self) -> Option<&T> {
        match self {
            Self::Done(run) => Some(run),
            _ => None,
        }
    }
}

/// What the hash of [`challenge_from_nonce`] begins with, so that it serves no other purpose.
const CHALLENGE_DOMAIN: &[u8] = b"cccd-agent active authentication challenge 1\n";

/// RND.IFD for a caller's nonce: the first 8 bytes of SHA-256 over
/// `cccd-agent active authentication challenge 1`, a line feed, and the nonce.
///
/// The chip then signs what only this caller asked for: a remote server that drew the nonce learns that the
/// chip was present for its own transaction.
///
/// ```
/// use cccd_document::evidence::challenge_from_nonce;
///
/// assert_ne!(challenge_from_nonce(b"one transaction"), challenge_from_nonce(b"another"));
/// ```
pub fn challenge_from_nonce(nonce: &[u8]) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] =
        <[u8; 32]>::from(Sha256::new().chain_update(CHALLENGE_DOMAIN).chain_update(nonce).finalize());
    [a, b, c, d, e, f, g, h]
}

/// Active authentication: what was sent, and what came back.
#[derive(Clone, PartialEq, Eq)]
pub struct ActiveAuthenticationRun {
    /// RND.IFD, which the chip signed.
    pub challenge: [u8; 8],
    /// The caller's nonce, where the challenge was derived from one.
    pub nonce: Option<Vec<u8>>,
    /// The chip's answer as it came.
    pub response: Vec<u8>,
}

/// The answer names one chip among all: it is not for logs.
impl fmt::Debug for ActiveAuthenticationRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActiveAuthenticationRun")
            .field("from_nonce", &self.nonce.is_some())
            .field("response_bytes", &self.response.len())
            .finish_non_exhaustive()
    }
}

/// Chip authentication that was followed by a good protected exchange under the new keys: without that one
/// the chip has proven nothing (card quirk 47), and the outcome is [`ProofOutcome::Broken`].
#[derive(Clone, PartialEq, Eq)]
pub struct ChipAuthenticationRun {
    /// The SubjectPublicKeyInfo of the chip's key it was run against, as it stands in DG14.
    pub public_key: Vec<u8>,
    /// Which of the chip's keys, where DG14 numbers them.
    pub key_id: Option<u64>,
    /// The cipher of the new session.
    pub cipher: Cipher,
    /// Our ephemeral public key.
    pub terminal_public_key: Vec<u8>,
}

impl fmt::Debug for ChipAuthenticationRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChipAuthenticationRun")
            .field("key_id", &self.key_id)
            .field("cipher", &self.cipher)
            .finish_non_exhaustive()
    }
}

/// What PACE with chip authentication mapping gave, to be judged with the key in EF.CardSecurity.
#[derive(Clone, PartialEq, Eq)]
pub struct ChipAuthenticationMappingRun {
    /// The number of the standardised domain parameters PACE ran on.
    pub parameter_id: u8,
    /// The chip's public key of the mapping, uncompressed: PK_Map,IC.
    pub mapping_public_key: Vec<u8>,
    /// The chip authentication data, decrypted and without padding: CA_IC.
    pub authentication_data: Vec<u8>,
}

impl fmt::Debug for ChipAuthenticationMappingRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChipAuthenticationMappingRun")
            .field("parameter_id", &self.parameter_id)
            .finish_non_exhaustive()
    }
}

/// What came of terminal authentication. It says nothing about the chip being genuine: it is the station that
/// proves itself, to the chip.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum TerminalAuthentication {
    /// Nothing that it opens was wanted.
    #[default]
    NotAsked,
    /// The chip has nothing that it opens, or agrees no key to tie the station to.
    NotOffered,
    /// This machine is no certified station: why.
    NoStation(StationLack),
    /// The chip trusts authorities from which none of the station's certificates lead to it.
    NoChain,
    /// The station's key did not sign.
    NoSignature,
    /// Reader or driver did not carry it.
    NotCarried,
    /// The chip refused, within its rights.
    Refused {
        /// What it refused.
        step: TerminalStep,
        /// Its status word.
        status: StatusWord,
    },
    /// The chip's answer is none, or its session broke off.
    Broken,
    /// The chip took the station for what its certificates say.
    Done(TerminalAuthenticationRun),
}

impl TerminalAuthentication {
    /// What was done, if it ran to its end.
    pub fn done(&self) -> Option<&TerminalAuthenticationRun> {
        match self {
            Self::Done(run) => Some(run),
            _ => None,
        }
    }
}

/// Why a machine is no certified station.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StationLack {
    /// Nobody has set it up as one.
    NotSetUp,
    /// It is set up as one, and its certificates or its key cannot be used.
    Unusable,
    /// Its certificates are valid no more, or not yet.
    OutOfDate,
}

/// A step of terminal authentication that a chip may refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TerminalStep {
    /// Reading EF.CVCA, which names whom the chip trusts.
    TrustPoint,
    /// Taking in one of the certificates.
    Certificate,
    /// Choosing the station's own.
    Station,
    /// Giving a challenge.
    Challenge,
    /// Believing the signature over it.
    Signature,
}

/// Terminal authentication that the chip accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminalAuthenticationRun {
    /// The authority the chip named: the certificate holder reference of its trust point.
    pub authority: String,
    /// The certificates that were shown to the chip.
    pub certificates: usize,
}

/// An access control protocol of ICAO 9303-11.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessProtocol {
    /// Basic access control (4.3).
    Bac,
    /// Password authenticated connection establishment (4.4).
    Pace(SelectedPace),
    /// Whatever the reader ran by itself: it does not show it.
    ByReader,
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
    /// Integrated mapping.
    Integrated,
    /// Chip authentication mapping.
    ChipAuthentication,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_of_a_nonce_is_what_sha256sum_says() {
        // printf 'cccd-agent active authentication challenge 1\nnonce' | sha256sum | cut -c-16
        assert_eq!(hex::encode(challenge_from_nonce(b"nonce")), "edd6a901c5c2af66");
        assert_ne!(challenge_from_nonce(b""), challenge_from_nonce(b"\0"));
    }
}
