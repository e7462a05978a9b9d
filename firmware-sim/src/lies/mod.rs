//! Cards that lie: each lie, what it is in a sentence, and a card that tells it.
//!
//! ```
//! use cccd_firmware_sim::lies::Lie;
//! use cccd_firmware_sim::personalise::shipped_card;
//!
//! let card = shipped_card("cccd-2021").ok_or("not shipped")?.description()?;
//! for lie in Lie::all().into_iter().filter(|lie| lie.suits(&card)) {
//!     let told = lie.tell(&card)?;
//!     assert!(!told.trust.anchors.is_empty(), "{lie}: {}", lie.sentence());
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Next to each lie stands what its verifier is given: the anchors and revocation lists of the true state. With
//! those no lie may be taken for genuine. [`honest`] is the same card without a lie.

mod chip;
mod signed;

use std::fmt;

use openssl::error::ErrorStack;

use crate::image::ChipImage;
use crate::personalise::CardDescription;
use crate::pki::{Ending, Forgery, Story, TrustMaterial};

/// A lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Lie {
    /// A data group was altered after it was signed for.
    GroupAltered(AlteredGroup),
    /// There is a DG11 that nobody signed for.
    GroupAdded,
    /// EF.SOD is that of another card of the same signer.
    SecurityObjectOfAnotherCard,
    /// EF.SOD is signed with another key than the one in its signer's certificate.
    SignedWithAnotherKey,
    /// A stranger with an authority of the same name has signed it all anew.
    SignedByStranger,
    /// The same, and the stranger's authority bears the true one's key identifier too.
    SignedByImpostor,
    /// A signer who is his own authority has signed it all anew.
    SignedByNobody,
    /// The signer is the true one, and the signature is not by him: it is forged.
    SignatureForged(Forgery),
    /// The data are true to the signature, and the signer was not entitled to it.
    Signer(Story),
    /// The data are true, and the chip is not.
    Chip(ChipLie),
}

/// What is untrue of a chip whose data are true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ChipLie {
    /// Active authentication signs with another key than that of DG15.
    OtherActiveKey,
    /// Active authentication is refused, although there is a DG15.
    NoActiveKey,
    /// Chip authentication agrees with other keys than those of DG14.
    OtherAgreementKey,
    /// Chip authentication is refused, although DG14 offers it.
    NoAgreementKey,
    /// Chip authentication mapping proves another key than that of EF.CardSecurity.
    OtherMappingKey,
    /// Nothing is answered any more once chip authentication has run.
    MuteAfterChipAuthentication,
    /// EF.CardAccess offers a variant of PACE that DG14 does not repeat, and the chip runs it.
    VariantAdded,
    /// There is no EF.CardAccess and no PACE, which DG14 offers: a terminal is left with BAC.
    PaceHidden,
}

/// Which group is altered, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AlteredGroup {
    /// DG1: the sex in the MRZ, of which no check digit knows.
    Mrz,
    /// DG2: one bit in the middle of the file, within the picture.
    Portrait,
    /// DG13: the last digit of the year of birth.
    Record,
    /// DG14: the last bit.
    SecurityInfos,
    /// DG15: the last bit.
    ActiveAuthenticationKey,
}

/// A card that lies, and what its verifier is given.
pub struct ToldLie {
    /// The chip's content, its keys included.
    pub image: ChipImage,
    /// The true state's certificates and lists.
    pub trust: TrustMaterial,
}

/// Why a lie could not be told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TellError {
    /// The card has not what the lie is about.
    #[error("this card cannot tell that lie")]
    DoesNotSuit,
    /// OpenSSL.
    #[error("cryptography failed")]
    Cryptography(#[from] ErrorStack),
}

impl Lie {
    /// All of them.
    pub fn all() -> Vec<Self> {
        let mut all: Vec<Self> = AlteredGroup::ALL.map(Self::GroupAltered).into();
        all.extend([
            Self::GroupAdded,
            Self::SecurityObjectOfAnotherCard,
            Self::SignedWithAnotherKey,
            Self::SignedByStranger,
            Self::SignedByImpostor,
            Self::SignedByNobody,
            Self::SignatureForged(Forgery::CubeRoot),
            Self::SignatureForged(Forgery::Zeros),
        ]);
        let bad = Story::ALL.into_iter().filter(|story| story.ending() == Ending::NotGenuine);
        all.extend(bad.map(Self::Signer));
        all.extend(ChipLie::ALL.map(Self::Chip));
        all
    }

    /// What it is, in one sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::GroupAltered(group) => group.sentence(),
            Self::GroupAdded => "there is a DG11 that nobody signed for",
            Self::SecurityObjectOfAnotherCard => "EF.SOD is that of another card of the same signer",
            Self::SignedWithAnotherKey => "EF.SOD is signed with another key than its signer's",
            Self::SignedByStranger => "a stranger with an authority of the same name has signed it all anew",
            Self::SignedByImpostor => {
                "a stranger with an authority of the same name and key identifier has signed it all anew"
            }
            Self::SignedByNobody => "a signer who is his own authority has signed it all anew",
            Self::SignatureForged(Forgery::CubeRoot) => {
                "the signer's key has the exponent three, and the signature is a cube root"
            }
            Self::SignatureForged(Forgery::Zeros) => "the signature is two zeros",
            Self::Signer(story) => story.sentence(),
            Self::Chip(lie) => lie.sentence(),
        }
    }

    /// Whether that card has what the lie is about.
    pub fn suits(self, card: &CardDescription) -> bool {
        match self {
            Self::Chip(lie) => lie.suits(card),
            _ => signed::suits(self, card),
        }
    }

    /// Makes the card that tells it.
    pub fn tell(self, card: &CardDescription) -> Result<ToldLie, TellError> {
        if !self.suits(card) {
            return Err(TellError::DoesNotSuit);
        }
        match self {
            Self::Signer(story) => signed::tell_story(story, card),
            Self::Chip(lie) => chip::tell(lie, card),
            _ => signed::tell(self, card),
        }
    }
}

/// The card without a lie, and what its verifier is given.
pub fn honest(card: &CardDescription) -> Result<ToldLie, TellError> {
    signed::tell_story(Story::Usual, card)
}

impl fmt::Display for Lie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GroupAltered(group) => write!(f, "GroupAltered{group:?}"),
            Self::SignatureForged(forgery) => write!(f, "SignatureForged{forgery:?}"),
            Self::Signer(story) => write!(f, "{story:?}"),
            Self::Chip(lie) => write!(f, "{lie:?}"),
            other => write!(f, "{other:?}"),
        }
    }
}
