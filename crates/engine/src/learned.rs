//! What an owner thread has learned of its reader and of the cards that lay on it: in memory, for as long as the reader
//! stays plugged in, and nothing of a person.

use std::collections::VecDeque;

use cccd_card::{Atr, CardChannel, ChannelLimits, SecretBytes, TransportError};
use cccd_emrtd::CardShape;

/// How many makes of card are remembered.
const MAKES: usize = 32;
/// How often a reader has to fail at extended length, with no good exchange of it between, before it is spared them. A
/// card that lies badly can look like it once.
const REFUSALS: u32 = 2;

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Learned {
    pub(crate) reader: ReaderReach,
    pub(crate) shapes: Shapes,
}

/// What worked with cards, by their answer-to-reset, the latest first.
#[derive(Debug, Default)]
pub(crate) struct Shapes(VecDeque<(Atr, CardShape)>);

impl Shapes {
    /// What worked with a card of this answer-to-reset. Cards of several makes may give the same one.
    pub(crate) fn of(&self, atr: &Atr) -> Option<CardShape> {
        self.0.iter().find(|(known, _)| known == atr).map(|(_, shape)| *shape)
    }

    pub(crate) fn learn(&mut self, atr: &Atr, shape: CardShape) {
        self.forget(atr);
        self.0.push_front((atr.clone(), shape));
        self.0.truncate(MAKES);
    }

    pub(crate) fn forget(&mut self, atr: &Atr) {
        self.0.retain(|(known, _)| known != atr);
    }
}

/// What a reader has carried so far, and what it would not.
///
/// A profile and a driver say what they say; this is what came of it. The first card decides: its chip is asked with
/// an extended length before any session depends on it (`emrtd`: `start.rs`), and what the reader makes of that is
/// remembered.
#[derive(Debug, Default)]
pub(crate) struct ReaderReach {
    longest_command: usize,
    longest_reply: usize,
    refusals: u32,
}

impl ReaderReach {
    /// Whether it has been seen to carry no extended length.
    fn is_short(&self) -> bool {
        self.refusals >= REFUSALS
    }

    /// A channel on this reader, whose exchanges are learned from and which claims no more than was learned.
    pub(crate) fn watch<C>(&mut self, channel: C) -> Watched<'_, C> {
        Watched { channel, reach: self }
    }

    fn note(&mut self, command: &[u8], answer: Result<usize, &TransportError>) {
        match answer {
            Ok(reply) => {
                if is_extended(command) {
                    self.refusals = 0;
                }
                self.longest_command = self.longest_command.max(command.len());
                self.longest_reply = self.longest_reply.max(reply);
            }
            Err(TransportError::NotTransacted | TransportError::ShortAnswer { .. })
                if is_extended(command) && !self.is_short() =>
            {
                self.refusals += 1;
                if self.is_short() {
                    tracing::info!(
                        longest_command = self.longest_command,
                        longest_reply = self.longest_reply,
                        "reader carries no extended length: it is asked for no more"
                    );
                }
            }
            Err(_) => {}
        }
    }
}

/// Whether a command has extended lengths: a zero where Lc or Le would be, and more behind it (ISO/IEC 7816-4, 5.1).
fn is_extended(command: &[u8]) -> bool {
    command.len() >= 7 && command.get(4) == Some(&0)
}

/// A channel whose exchanges are learned from.
pub(crate) struct Watched<'a, C> {
    channel: C,
    reach: &'a mut ReaderReach,
}

impl<C: CardChannel> CardChannel for Watched<'_, C> {
    fn transmit(&mut self, command: &[u8]) -> Result<SecretBytes, TransportError> {
        let answer = self.channel.transmit(command);
        self.reach.note(command, answer.as_ref().map(|reply| reply.len()));
        answer
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        self.channel.reset()
    }

    fn atr(&self) -> &Atr {
        self.channel.atr()
    }

    fn limits(&self) -> ChannelLimits {
        let limits = self.channel.limits();
        if self.reach.is_short() { limits.min(ChannelLimits::SHORT) } else { limits }
    }
}

#[cfg(test)]
mod tests {
    use cccd_emrtd::{AssumedPace, CardAccessRoad};

    use super::*;

    const EXTENDED: [u8; 7] = [0x00, 0xB0, 0x00, 0x00, 0x00, 0x00, 0x00];
    const SHORT: [u8; 5] = [0x00, 0xB0, 0x00, 0x00, 0x00];

    #[test]
    fn a_reader_that_fails_twice_at_extended_length_is_spared_them() {
        let mut reach = ReaderReach::default();
        for command in [&SHORT[..], &EXTENDED, &SHORT, &SHORT] {
            reach.note(command, Err(&TransportError::NotTransacted));
            assert!(!reach.is_short());
        }
        reach.note(&EXTENDED, Err(&TransportError::ShortAnswer { length: 0 }));
        assert!(reach.is_short());
    }

    #[test]
    fn a_good_exchange_of_extended_length_clears_the_reader() {
        let mut reach = ReaderReach::default();
        for _ in 0..5 {
            reach.note(&EXTENDED, Err(&TransportError::NotTransacted));
            reach.note(&EXTENDED, Ok(4000));
        }
        assert!(!reach.is_short());
        assert_eq!(reach.longest_reply, 4000);
        // A card that left is no word about the reader.
        reach.note(&EXTENDED, Err(&TransportError::CardRemoved));
        reach.note(&EXTENDED, Err(&TransportError::CardRemoved));
        assert!(!reach.is_short());
    }

    #[test]
    fn the_latest_makes_are_remembered_and_a_wrong_one_is_forgotten() {
        let atr = |byte: u8| Atr::new(&[0x3B, 0x80, byte]).unwrap();
        let shape = CardShape {
            card_access: CardAccessRoad::Nowhere,
            limits: ChannelLimits::SHORT,
            assumed_pace: AssumedPace::Refused,
        };
        let mut shapes = Shapes::default();
        for byte in 0..40 {
            shapes.learn(&atr(byte), shape);
        }
        assert_eq!((shapes.of(&atr(39)), shapes.of(&atr(0))), (Some(shape), None));
        shapes.forget(&atr(39));
        assert_eq!(shapes.of(&atr(39)), None);
    }
}
