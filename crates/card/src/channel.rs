//! The one way to talk to a card, whatever it lies on.

use std::time::Duration;

use crate::{Atr, SecretBytes};

/// The longest command APDU there is: extended header, Lc, 65535 data bytes, Le.
pub const MAX_COMMAND: usize = 4 + 3 + 65535 + 2;
/// The longest response APDU there is: 65536 data bytes and the status.
pub const MAX_REPLY: usize = 65536 + 2;

/// What the reader and its driver can carry at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelLimits {
    /// Longest command APDU in bytes, header and lengths included.
    pub max_command: usize,
    /// Longest response APDU in bytes, status included.
    pub max_reply: usize,
}

impl ChannelLimits {
    /// Short lengths only: Lc up to 255, Le up to 256.
    pub const SHORT: Self = Self { max_command: 4 + 1 + 255 + 1, max_reply: 256 + 2 };
    /// Nothing in the way of an extended APDU.
    pub const EXTENDED: Self = Self { max_command: MAX_COMMAND, max_reply: MAX_REPLY };

    /// Whether a command in extended form could pass at all.
    pub fn allow_extended(self) -> bool {
        self.max_command > Self::SHORT.max_command && self.max_reply > Self::SHORT.max_reply
    }

    /// The narrower of both, limit by limit.
    pub fn min(self, other: Self) -> Self {
        Self {
            max_command: self.max_command.min(other.max_command),
            max_reply: self.max_reply.min(other.max_reply),
        }
    }
}

/// Why bytes did not come back. The variant says what was lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// No card, or it left the field. The person may tap again.
    #[error("card removed")]
    CardRemoved,
    /// The card is there and does not answer.
    #[error("card does not answer")]
    CardMute,
    /// Another program reset the card: every session on it is gone. Start the reading over.
    #[error("card was reset by another program")]
    CardReset,
    /// Another program holds the card exclusively.
    #[error("card is held by another program")]
    HeldElsewhere,
    /// The reader was unplugged, or stopped answering its driver.
    #[error("reader lost")]
    ReaderLost,
    /// The smart-card service went away. The source comes back by itself; this reading does not.
    #[error("smart-card service lost")]
    ServiceLost,
    /// The watchdog gave up on a call that did not return.
    #[error("no answer within {} ms", after.as_millis())]
    TimedOut {
        /// How long it waited.
        after: Duration,
    },
    /// The driver said success and handed over fewer than two bytes.
    #[error("answer of {length} bytes has no status")]
    ShortAnswer {
        /// How many bytes came.
        length: usize,
    },
    /// The command is longer than this channel carries. Nothing was sent.
    #[error("command of {length} bytes exceeds the limit of {limit}")]
    CommandTooLong {
        /// Length of the command.
        length: usize,
        /// What the channel carries.
        limit: usize,
    },
    /// The exchange failed while card and reader are still there: a length the driver refuses, or a torn
    /// answer.
    #[error("exchange failed in the reader")]
    NotTransacted,
    /// The reading was called off from our side. Nothing was sent.
    #[error("called off")]
    Cancelled,
}

/// One card in one reader, connected.
///
/// Bytes go in, bytes come out. The implementation keeps to three rules: an answer is handed over whole or
/// not at all, no call blocks for ever, and after [`TransportError::CardReset`] or
/// [`TransportError::CardRemoved`] nothing is sent to whatever lies there now until [`CardChannel::reset`].
pub trait CardChannel: Send {
    /// Sends a command APDU and returns the response APDU, status included.
    fn transmit(&mut self, command: &[u8]) -> Result<SecretBytes, TransportError>;

    /// Powers the card off and on: the way out of a half-open access protocol.
    fn reset(&mut self) -> Result<(), TransportError>;

    /// What the card answered to the last reset.
    fn atr(&self) -> &Atr;

    /// What reader and driver carry at once.
    fn limits(&self) -> ChannelLimits;
}

impl<C: CardChannel + ?Sized> CardChannel for Box<C> {
    fn transmit(&mut self, command: &[u8]) -> Result<SecretBytes, TransportError> {
        (**self).transmit(command)
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        (**self).reset()
    }

    fn atr(&self) -> &Atr {
        (**self).atr()
    }

    fn limits(&self) -> ChannelLimits {
        (**self).limits()
    }
}

impl<C: CardChannel + ?Sized> CardChannel for &mut C {
    fn transmit(&mut self, command: &[u8]) -> Result<SecretBytes, TransportError> {
        (**self).transmit(command)
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        (**self).reset()
    }

    fn atr(&self) -> &Atr {
        (**self).atr()
    }

    fn limits(&self) -> ChannelLimits {
        (**self).limits()
    }
}
