//! What was found out about a make of card, so that the next one of it need not be asked again.

use cccd_card::ChannelLimits;

/// Which of several ways worked with a card. Cards of the same make agree in it.
///
/// It holds nothing of a person, and nothing is believed of it: every way begins with asking the card that lies there,
/// and what does not work ends in trying them all. It only says what to try first, and what was always in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CardShape {
    /// How EF.CardAccess was found.
    pub card_access: CardAccessRoad,
    /// What card and reader carry at once, as it was found on the reader it lay on.
    pub limits: ChannelLimits,
    /// Whether PACE as it is assumed of cards that show no EF.CardAccess was in vain.
    pub assumed_pace: AssumedPace,
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
