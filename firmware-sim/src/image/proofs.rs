//! What a chip proves itself with.

use cccd_card::SecretBytes;
use openssl::ec::EcKey;
use openssl::pkey::Private;
use openssl::rsa::Rsa;

use super::{DomainParameters, PaceCipher};

/// How the chip proves itself: the private keys of which its files hold the public half.
#[derive(Clone, Default)]
pub struct ProofOffer {
    /// Active authentication (ICAO 9303-11, 6.1).
    pub active_authentication: Option<ActiveAuthenticationOffer>,
    /// The keys of chip authentication (ICAO 9303-11, 6.2).
    pub chip_authentication: Vec<ChipAuthenticationOffer>,
    /// The static keys of PACE with chip authentication mapping, one for each curve (ICAO 9303-11, 4.4.3.5).
    pub mapping_keys: Vec<AgreementKey>,
    /// Whom the chip trusts to certify terminals: self-signed CV certificates of authorities, the newest first,
    /// at most two (ICAO 9303-11, 7.1). Without one it has no terminal authentication.
    pub terminal_trust_points: Vec<Vec<u8>>,
    /// What becomes of the chip once chip authentication went well.
    pub after_chip_authentication: AfterChipAuthentication,
}

/// Active authentication.
#[derive(Clone)]
pub struct ActiveAuthenticationOffer {
    /// Its key, and the form of its answers.
    pub key: ActiveAuthenticationKey,
    /// The hash under the signature.
    pub hash: SignatureHash,
    /// What it does with an answer that the exchange does not carry.
    pub long_answer: LongAnswer,
}

/// The key of active authentication.
#[derive(Clone)]
pub enum ActiveAuthenticationKey {
    /// ECDSA.
    Ecdsa(EcKey<Private>, EcdsaForm),
    /// RSA by ISO/IEC 9796-2, digital signature scheme 1.
    Rsa(Rsa<Private>, RsaForm),
    /// There is none: INTERNAL AUTHENTICATE gets 6A88, as from a copy that took the files and nothing else.
    Missing,
}

/// How an ECDSA signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EcdsaForm {
    /// r and s, each as long as the group order (BSI TR-03111, 5.2.1), as ICAO 9303-11, 6.1.2.3 wants it.
    Plain,
    /// A DER sequence, as some chips send it.
    Der,
}

/// The form of an ISO/IEC 9796-2 signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RsaForm {
    /// Trailer option 1 with SHA-1, option 2 with every other hash (ICAO 9303-11, 6.1.2.2).
    Standard,
    /// Trailer option 2 with SHA-1 as well: 33CC.
    LongTrailer,
    /// The signature, taken for an integer, loses its leading zero: it comes a byte short.
    ShortSignature,
    /// The recovered message has a zero byte before the 6A: it was made for a modulus a byte shorter.
    ShortMessage,
}

/// What the chip does with a signature longer than the exchange carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LongAnswer {
    /// It answers 6700.
    #[default]
    Refused,
    /// It sends what fits and says 9000.
    Cut,
    /// It sends what fits and says 61xx.
    Announced,
    /// It sends nothing and says 9000, where more than 256 bytes are asked for; otherwise it cuts.
    EmptyWhenExtended,
}

/// A hash under a chip's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignatureHash {
    /// SHA-1.
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl SignatureHash {
    /// Every hash.
    pub fn all() -> [Self; 5] {
        [Self::Sha1, Self::Sha224, Self::Sha256, Self::Sha384, Self::Sha512]
    }

    /// Its output in bytes.
    pub fn length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

/// A key of chip authentication.
#[derive(Clone)]
pub struct ChipAuthenticationOffer {
    /// The static key.
    pub key: AgreementKey,
    /// The cipher of the session it opens.
    pub cipher: PaceCipher,
    /// Its number, which the terminal must name where there are several.
    pub key_id: Option<u64>,
    /// Which commands run it.
    pub commands: ChipAuthenticationCommands,
}

/// A static private key for key agreement.
#[derive(Clone)]
pub struct AgreementKey {
    /// Its group.
    pub parameters: DomainParameters,
    /// The exponent or scalar, most significant byte first.
    pub private: SecretBytes,
}

/// The commands that run chip authentication (ICAO 9303-11, 6.2.4). With AES there is one way only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChipAuthenticationCommands {
    /// MSE:Set KAT for 3DES, and MSE:Set AT with GENERAL AUTHENTICATE for every cipher.
    #[default]
    Both,
    /// MSE:Set KAT alone, for 3DES.
    KeyAgreementTemplate,
    /// MSE:Set AT with GENERAL AUTHENTICATE alone, 3DES included (ICAO 9303-11, 8.5, note 1).
    GeneralAuthenticate,
}

/// What becomes of the chip once chip authentication went well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AfterChipAuthentication {
    /// It goes on.
    #[default]
    Works,
    /// It goes on, but INTERNAL AUTHENTICATE gets 6F00 for the rest of the session.
    NoActiveAuthentication,
    /// It answers 6F00 to everything until it is reset.
    Mute,
}
