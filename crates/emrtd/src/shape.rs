//! What was found out about a make of card, so that the next one of it need not be asked again.

use cccd_card::ChannelLimits;
use sha2::{Digest as _, Sha256};

/// Which of several ways worked with a card. Cards of the same make agree in it.
///
/// It holds nothing of a person, and nothing is believed of it: every way begins with asking the card that lies there,
/// and what does not work ends in trying them all. It only says what to try first, and what was always in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CardShape {
    /// Which EF.CardAccess it has: its hash, or none where it has none. Cards of several makes answer the same to
    /// reset; this tells them apart.
    pub card_access_hash: Option<[u8; 32]>,
    /// How EF.CardAccess was found.
    pub card_access: CardAccessRoad,
    /// What card and reader carry at once, as it was found on the reader it lay on.
    pub limits: ChannelLimits,
    /// Whether PACE as it is assumed of cards that show no EF.CardAccess was in vain.
    pub assumed_pace: AssumedPace,
    /// How files of the application were found.
    pub files: FileRoad,
    /// The most bytes of a file it gave at once, where it refused more.
    pub most_at_once: Option<usize>,
    /// How much of a file's front it lets be asked for.
    pub front: FileFront,
}

impl CardShape {
    /// By what a card with these bytes in EF.CardAccess is recognised.
    pub fn hash_of(card_access: Option<&[u8]>) -> Option<[u8; 32]> {
        card_access.map(|bytes| Sha256::digest(bytes).into())
    }
}

/// How EF.CardAccess is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardAccessRoad {
    /// SELECT by file identifier, then READ BINARY.
    Identifier,
    /// READ BINARY with the short file identifier.
    ShortIdentifier,
    /// SELECT of the master file, then as by the identifier.
    AfterMasterFile,
    /// Not at all.
    Nowhere,
}

impl CardAccessRoad {
    /// The ways to try, in this order, where a card was known to go this one. One that had no EF.CardAccess is asked
    /// once all the same: it may have one now, and then BAC would be a downgrade.
    pub(crate) fn first(known: Option<Self>) -> Vec<Self> {
        let all = [Self::Identifier, Self::ShortIdentifier, Self::AfterMasterFile];
        match known {
            None => all.to_vec(),
            Some(Self::Nowhere) => vec![Self::Identifier],
            Some(known) => {
                std::iter::once(known).chain(all.into_iter().filter(|other| *other != known)).collect()
            }
        }
    }
}

/// What came of PACE as it is assumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssumedPace {
    /// It was not needed, or it ran.
    Possible,
    /// The card does not know it.
    Refused,
}

/// How files of the application are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileRoad {
    /// By their short identifiers, as is tried first; or none was read yet.
    ShortIdentifier,
    /// By SELECT alone.
    Identifier,
}

/// What is asked for at the front of a file, before its length is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFront {
    /// As much as can come at once.
    Whole,
    /// Its header: an Le beyond the end of a file is refused.
    Header,
}
