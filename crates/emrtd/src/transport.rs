//! One command to a card and its reply back.

use cccd_card::{CardChannel, Command, ExpectedLength, Response, StatusWord, TransportError};
use zeroize::Zeroizing;

/// GET RESPONSE is sent at most so often for one command: a chip that never finishes is cut off.
const MAX_CONTINUATIONS: usize = 300;

/// Sends a command and takes its reply apart. Nothing is sent if the channel cannot carry it.
pub(crate) fn exchange<C: CardChannel + ?Sized>(
    channel: &mut C,
    command: &Command,
) -> Result<Response, TransportError> {
    let bytes = command.encode();
    let limit = channel.limits().max_command;
    if bytes.len() > limit {
        return Err(TransportError::CommandTooLong { length: bytes.len(), limit });
    }
    Response::parse(&channel.transmit(&bytes)?)
}

/// The same outside secure messaging, where a reply may come in pieces (61xx) or want another Le (6Cxx).
///
/// Some drivers show these even for contactless cards (ISO/IEC 7816-4, 5.3.4 and 7816-3, 12.2.1). Under
/// secure messaging they must not be answered: the counter of the command is used up.
pub(crate) fn exchange_plain<C: CardChannel + ?Sized>(
    channel: &mut C,
    command: &Command,
) -> Result<Response, TransportError> {
    let mut reply = exchange(channel, command)?;
    if let Some(length) = reply.status().right_length().filter(|_| reply.data().is_empty()) {
        reply = exchange(channel, &command.clone().expect(length_of(length)))?;
    }
    if reply.status().more_available().is_none() {
        return Ok(reply);
    }
    let mut data = Zeroizing::new(Vec::new());
    for _ in 0..MAX_CONTINUATIONS {
        data.extend_from_slice(reply.data());
        let Some(waiting) = reply.status().more_available() else {
            return Ok(Response::new(&data, reply.status()));
        };
        let get = Command::new(command.cla() & !0x10, 0xC0, 0x00, 0x00).expect(length_of(waiting));
        reply = exchange(channel, &get)?;
    }
    // What is here so far is no answer to anything: the last status says that more was promised.
    Ok(Response::new(&[], StatusWord(0x6100)))
}

/// SW2 of 61xx and 6Cxx as a length: zero means 256.
fn length_of(sw2: u8) -> ExpectedLength {
    ExpectedLength::new(if sw2 == 0 { 256 } else { usize::from(sw2) })
}

#[cfg(test)]
mod tests {
    use cccd_card::ChannelLimits;

    use super::*;
    use crate::testing::Script;

    const READ: [u8; 4] = [0x00, 0xB0, 0x9C, 0x00];

    fn read() -> Command {
        let [cla, ins, p1, p2] = READ;
        Command::new(cla, ins, p1, p2).expect(ExpectedLength::SHORT_MAX)
    }

    #[test]
    fn a_reply_in_pieces_is_put_together() {
        let mut script =
            Script::of(&[("00B09C0000", "A1A26103"), ("00C0000003", "B1B2B36100"), ("00C0000000", "C19000")]);
        let reply = exchange_plain(&mut script, &read()).unwrap();
        assert_eq!(
            (reply.data(), reply.status()),
            (&[0xA1, 0xA2, 0xB1, 0xB2, 0xB3, 0xC1][..], StatusWord::OK)
        );
        script.finish();
    }

    #[test]
    fn another_le_is_tried_once() {
        let mut script = Script::of(&[("00B09C0000", "6C02"), ("00B09C0002", "01029000")]);
        assert_eq!(exchange_plain(&mut script, &read()).unwrap().data(), [1, 2]);
        script.finish();
        let mut script = Script::of(&[("00B09C0000", "6C02"), ("00B09C0002", "6C02")]);
        assert_eq!(exchange_plain(&mut script, &read()).unwrap().status(), StatusWord(0x6C02));
        script.finish();
    }

    #[test]
    fn a_chip_that_always_promises_more_is_cut_off() {
        let mut sent = 0;
        let mut chip = Script::answering(|_| {
            sent += 1;
            vec![0xAA, 0x61, 0x01]
        });
        let reply = exchange_plain(&mut chip, &read()).unwrap();
        assert_eq!((reply.data(), reply.status()), (&[][..], StatusWord(0x6100)));
        drop(chip);
        assert_eq!(sent, 1 + MAX_CONTINUATIONS);
    }

    #[test]
    fn a_command_beyond_the_limit_is_not_sent() {
        let mut script = Script::of(&[]).with_limits(ChannelLimits { max_command: 5, max_reply: 258 });
        assert_eq!(
            exchange(&mut script, &read().data(&[1, 2])),
            Err(TransportError::CommandTooLong { length: 8, limit: 5 })
        );
        script.finish();
    }

    #[test]
    fn an_answer_without_a_status_is_no_answer() {
        let mut script = Script::of(&[("00B09C0000", "90")]);
        assert_eq!(exchange(&mut script, &read()), Err(TransportError::ShortAnswer { length: 1 }));
    }
}
