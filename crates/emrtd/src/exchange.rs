//! One protected command of an opened chip, whatever it is for.

use cccd_card::{CardChannel, ChannelLimits, Command, ExpectedLength, Response, StatusWord, TransportError};
use cccd_document::Cipher;

use crate::read::UnlockedChip;
use crate::secure_messaging::{SecureMessaging, SmFault, longest_short_command};
use crate::transport;

/// Why a protected command brought no answer. The session is over in each case.
#[derive(Debug)]
pub(crate) enum ExchangeError {
    /// It was over before: nothing was sent.
    NoSession,
    /// Card, reader or driver.
    Transport(TransportError),
    /// The reply is not one of this session.
    Session(SmFault),
}

impl ExchangeError {
    /// Whether card or reader went away.
    pub(crate) fn is_loss(&self) -> bool {
        matches!(self, Self::Transport(error) if is_loss(error))
    }
}

/// Whether card or reader went away or hangs, or the reading was called off: a new try may do better. Otherwise
/// they are there, and this command was too much for them.
pub(crate) fn is_loss(error: &TransportError) -> bool {
    !matches!(
        error,
        TransportError::CardMute
            | TransportError::ShortAnswer { .. }
            | TransportError::CommandTooLong { .. }
            | TransportError::NotTransacted
    )
}

/// What came of data that may go in pieces.
pub(crate) enum Long {
    /// The chip's answer to the whole.
    Answered(Response),
    /// The whole does not fit, and the chip takes no pieces: this is no word about what was in them.
    NotInPieces(StatusWord),
}

impl Long {
    /// The status word, whichever it was.
    pub(crate) fn status(&self) -> StatusWord {
        match self {
            Self::Answered(reply) => reply.status(),
            Self::NotInPieces(status) => *status,
        }
    }
}

/// 6884: chaining is not supported; 6883: the last of a chain was expected; 6E00: the class byte is unknown; 6700.
fn wants_no_pieces(status: StatusWord) -> bool {
    matches!(status, StatusWord(0x6883 | 0x6884) | StatusWord::CLA_NOT_SUPPORTED | StatusWord::WRONG_LENGTH)
}

impl<C: CardChannel> UnlockedChip<C> {
    /// Sends a command under secure messaging. The session is put back only when the reply was good.
    pub(crate) fn transact(&mut self, command: &Command) -> Result<Response, ExchangeError> {
        let session = self.take_session()?;
        self.run_in(session, command, SecureMessaging::protect)
    }

    /// The same, where the reply is known to fit a short length whatever Le says, or the channel has nothing
    /// but short lengths.
    pub(crate) fn transact_short(&mut self, command: &Command) -> Result<Response, ExchangeError> {
        let session = self.take_session()?;
        self.run_in(session, command, |session, command| {
            session.protect_expecting(command, ExpectedLength::SHORT_MAX)
        })
    }

    /// The same for data that may be too long for one short command: where card or channel has no extended
    /// lengths, it goes in pieces (ISO/IEC 7816-4, 5.3.3; card quirk 48).
    ///
    /// A piece that is refused ends it.
    pub(crate) fn transact_long(&mut self, command: &Command) -> Result<Long, ExchangeError> {
        let piece = longest_short_command(self.cipher());
        if command.payload().len() <= piece || self.limits().allow_extended() {
            return self.transact(command).map(Long::Answered);
        }
        let mut pieces = command.payload().chunks(piece).peekable();
        let [cla, ins, p1, p2] = command.header();
        while let Some(data) = pieces.next() {
            if pieces.peek().is_none() {
                let last = Command::new(cla, ins, p1, p2).data(data);
                let last = match command.expected() {
                    Some(expected) => last.expect(expected),
                    None => last,
                };
                return self.transact(&last).map(Long::Answered);
            }
            let reply = match self.transact(&Command::new(cla | 0x10, ins, p1, p2).data(data)) {
                Ok(reply) => reply,
                // Said bare, it costs the session as well.
                Err(ExchangeError::Session(SmFault::Unprotected(status))) if wants_no_pieces(status) => {
                    return Ok(Long::NotInPieces(status));
                }
                Err(error) => return Err(error),
            };
            match reply.status() {
                status if status.is_ok() => {}
                status if wants_no_pieces(status) => return Ok(Long::NotInPieces(status)),
                _ => return Ok(Long::Answered(reply)),
            }
        }
        // Unreachable: data longer than a piece has a last one. The whole command is right all the same.
        self.transact(command).map(Long::Answered)
    }

    fn run_in(
        &mut self,
        mut session: SecureMessaging,
        command: &Command,
        protect: impl FnOnce(&mut SecureMessaging, &Command) -> Result<Command, cccd_card::CommandTooLong>,
    ) -> Result<Response, ExchangeError> {
        let limit = self.channel_mut().limits().max_command;
        let too_long =
            |error: cccd_card::CommandTooLong| TransportError::CommandTooLong { length: error.0, limit };
        let protected =
            protect(&mut session, command).map_err(|error| ExchangeError::Transport(too_long(error)))?;
        let reply = transport::exchange(self.channel_mut(), &protected).map_err(ExchangeError::Transport)?;
        let opened = session.open(command.ins(), &reply).map_err(ExchangeError::Session)?;
        self.put_session(session);
        Ok(opened)
    }

    /// What secure messaging is made of; that of PACE with AES-128 once the session is over, when it does
    /// not matter any more.
    pub(crate) fn cipher(&self) -> Cipher {
        self.session_ref().map_or(Cipher::Aes128, SecureMessaging::cipher)
    }

    /// What card and channel carry at once.
    pub(crate) fn limits(&self) -> ChannelLimits {
        self.limits_of_card().min(self.channel_ref().limits())
    }
}
