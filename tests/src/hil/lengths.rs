//! How long a command and a reply may be on a reader: tried with a card that answers any length.

use anyhow::{Context as _, Result};
use cccd_card::{CardChannel, ChannelLimits, TransportError};
use serde::Serialize;

use super::desk::Desk;

/// Lengths at which readers and drivers are known to end: they are tried before anything between.
const LIKELY: [usize; 9] = [258, 261, 271, 512, 1024, 2048, 4096, 32_768, 65_535];

/// What was found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Lengths {
    /// The longest command APDU that passed.
    pub max_command: usize,
    /// Whether a longer one was tried and did not.
    pub command_ends_there: bool,
    /// The longest response APDU that passed.
    pub max_reply: usize,
    /// Whether a longer one was tried and did not.
    pub reply_ends_there: bool,
    /// Whether a command over the limit threw the card out.
    pub too_long_ejects_the_card: bool,
    /// Whether an answer that never came was called a success; not known where it could not be tried.
    pub success_without_an_answer: Option<bool>,
}

impl Lengths {
    /// Whether extended lengths pass in both directions.
    pub(super) fn are_extended(&self) -> bool {
        ChannelLimits { max_command: self.max_command, max_reply: self.max_reply }.allow_extended()
    }
}

/// Finds them out, with the measuring card in the reader.
pub(super) fn measure(desk: &mut Desk) -> Result<Lengths> {
    let most = desk.limits().context("the measuring card does not connect")?;
    let mut line = Line { desk, channel: None };
    let (max_command, command_ends_there) = line
        .longest(most.max_command, |channel, length| channel.transmit(&command_of(length)).map(|_| true))?;
    let (max_reply, reply_ends_there) = line.longest(most.max_reply, |channel, length| {
        // GET DATA: as many bytes as P1 and P2 say, and a status.
        let Ok(wanted) = u16::try_from(length.saturating_sub(2)) else { return Ok(false) };
        let [high, low] = wanted.to_be_bytes();
        let short = [0x00, 0xCA, high, low, 0x00];
        let extended = [0x00, 0xCA, high, low, 0x00, 0x00, 0x00];
        let command: &[u8] = if length <= ChannelLimits::SHORT.max_reply { &short } else { &extended };
        Ok(channel.transmit(command)?.len() == length)
    })?;
    // What the driver's own limit cut off was tried by it, as it were.
    Ok(Lengths {
        max_command,
        command_ends_there: command_ends_there || max_command == most.max_command,
        max_reply,
        reply_ends_there: reply_ends_there || max_reply == most.max_reply,
        too_long_ejects_the_card: false,
        success_without_an_answer: None,
    })
}

/// A command of that many bytes, which the measuring card takes whatever is in it.
pub(super) fn command_of(length: usize) -> Vec<u8> {
    let mut command = vec![0x00, 0xCB, 0x00, 0x00];
    let data = match length.saturating_sub(5) {
        short @ 1..=255 => {
            command.extend(short.to_be_bytes().last());
            short
        }
        // The longest short command has an Le behind its data.
        256 => {
            command.push(255);
            command.resize(length - 1, 0x5A);
            command.push(0);
            return command;
        }
        _ => {
            let data = length.saturating_sub(7).min(65_535);
            let bytes = data.to_be_bytes();
            command.push(0);
            command.extend(bytes.last_chunk::<2>().into_iter().flatten());
            data
        }
    };
    command.resize(command.len() + data, 0x5A);
    // Over the longest data an Le of two bytes makes the longest APDU there is.
    command.resize(length, 0x00);
    command
}

/// A connection that is made anew after whatever ended it.
struct Line<'a> {
    desk: &'a mut Desk,
    channel: Option<Box<dyn CardChannel>>,
}

impl Line<'_> {
    /// The longest of which `passes` is true, up to `most`, and whether there is one that is not.
    fn longest(
        &mut self,
        most: usize,
        passes: impl Fn(&mut dyn CardChannel, usize) -> Result<bool, TransportError>,
    ) -> Result<(usize, bool)> {
        let (mut good, mut bad) = (0, None);
        let likely = LIKELY.into_iter().filter(|length| *length < most).chain([most]);
        for length in likely {
            if !self.passes(length, &passes)? {
                bad = Some(length);
                break;
            }
            good = length;
            // Where readers are known to end, the next one tells.
            if length < most && !self.passes(length + 1, &passes)? {
                return Ok((length, true));
            }
        }
        let Some(mut bad) = bad else { return Ok((good, false)) };
        while bad - good > 1 {
            let middle = good + (bad - good) / 2;
            if self.passes(middle, &passes)? { good = middle } else { bad = middle }
        }
        Ok((good, true))
    }

    fn passes(
        &mut self,
        length: usize,
        passes: &impl Fn(&mut dyn CardChannel, usize) -> Result<bool, TransportError>,
    ) -> Result<bool> {
        let mut channel = match self.channel.take() {
            Some(channel) => channel,
            None => {
                self.desk.wait_for_card(true)?;
                self.desk.connect().context("the measuring card is gone for good")?
            }
        };
        match passes(channel.as_mut(), length) {
            Ok(passed) => {
                self.channel = Some(channel);
                Ok(passed)
            }
            Err(error) => {
                tracing::debug!(length, %error, "did not pass");
                // Connected anew for the next one: some readers throw the card out over it.
                drop(channel);
                Ok(false)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_as_long_as_they_should_be_and_in_the_form_of_that_length() {
        for length in [6, 100, 258, 260, 261, 262, 263, 271, 4096, 65_535, 65_536, 65_542, 65_544] {
            let command = command_of(length);
            assert_eq!(command.len(), length);
            let is_extended = command.get(4) == Some(&0);
            assert_eq!(is_extended, length > 261, "{length}");
        }
    }
}
