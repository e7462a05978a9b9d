//! A channel that counts what passes.

use std::fmt;

use cccd_card::{Atr, CardChannel, ChannelLimits, SecretBytes, StatusWord, TransportError};

/// How many commands and bytes passed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Commands sent, answered or not.
    pub commands: u64,
    /// Bytes of command APDUs.
    pub bytes_sent: u64,
    /// Bytes of response APDUs.
    pub bytes_received: u64,
    /// Resets.
    pub resets: u64,
}

/// One exchange without what it carried: `0C B0 8100 sent=19 received=240 9000`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// CLA, INS, P1, P2, as far as there were any.
    pub header: Vec<u8>,
    /// Length of the command APDU.
    pub sent: usize,
    /// Length of the response APDU and its status, or what went wrong.
    pub answer: Result<(usize, Option<StatusWord>), TransportError>,
}

impl fmt::Display for Outline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.header.iter().enumerate() {
            let space = if matches!(index, 1 | 2) { " " } else { "" };
            write!(f, "{space}{byte:02X}")?;
        }
        write!(f, " sent={}", self.sent)?;
        match &self.answer {
            Ok((received, Some(status))) => write!(f, " received={received} {status}"),
            Ok((received, None)) => write!(f, " received={received}"),
            Err(error) => write!(f, " {error}"),
        }
    }
}

/// Who is told the outline of each exchange.
type Trace = Box<dyn FnMut(&Outline) + Send>;

/// Any channel, with a meter on it.
pub struct Metered<C> {
    channel: C,
    traffic: Traffic,
    trace: Option<Trace>,
}

impl<C> fmt::Debug for Metered<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metered").field("traffic", &self.traffic).finish_non_exhaustive()
    }
}

impl<C: CardChannel> Metered<C> {
    /// Starts counting at zero.
    pub fn new(channel: C) -> Self {
        Self { channel, traffic: Traffic::default(), trace: None }
    }

    /// The same, and tells `trace` the outline of each exchange: never what it carried.
    pub fn with_trace(channel: C, trace: impl FnMut(&Outline) + Send + 'static) -> Self {
        Self { trace: Some(Box::new(trace)), ..Self::new(channel) }
    }

    /// What has passed so far.
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// The channel, without the meter.
    pub fn into_inner(self) -> C {
        self.channel
    }
}

impl<C: CardChannel> CardChannel for Metered<C> {
    fn transmit(&mut self, command: &[u8]) -> Result<SecretBytes, TransportError> {
        self.traffic.commands += 1;
        self.traffic.bytes_sent += count(command);
        let answer = self.channel.transmit(command);
        if let Ok(reply) = &answer {
            self.traffic.bytes_received += count(reply);
        }
        if let Some(trace) = &mut self.trace {
            let answer = answer
                .as_ref()
                .map_err(Clone::clone)
                .map(|reply| (reply.len(), reply.last_chunk::<2>().map(|status| StatusWord::from(*status))));
            let header = command.iter().take(4).copied().collect();
            trace(&Outline { header, sent: command.len(), answer });
        }
        answer
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        self.traffic.resets += 1;
        self.channel.reset()
    }

    fn atr(&self) -> &Atr {
        self.channel.atr()
    }

    fn limits(&self) -> ChannelLimits {
        self.channel.limits()
    }
}

fn count(bytes: &[u8]) -> u64 {
    // A usize fits a u64 wherever this program is built.
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::testing::Script;

    #[test]
    fn commands_and_bytes_are_counted_each_way() {
        let mut metered = Metered::new(Script::of(&[("00840000 08", "01020304050607089000")]));
        metered.transmit(&[0x00, 0x84, 0x00, 0x00, 0x08]).unwrap();
        metered.reset().unwrap();
        let expected = Traffic { commands: 1, bytes_sent: 5, bytes_received: 10, resets: 1 };
        assert_eq!(metered.traffic(), expected);
    }

    #[test]
    fn the_trace_carries_no_data() {
        let seen = Arc::new(Mutex::new(String::new()));
        let sink = Arc::clone(&seen);
        let script = Script::of(&[("00A4040C 02 CAFE", "BEEF9000")]);
        let mut metered = Metered::with_trace(script, move |outline| {
            *sink.lock().unwrap() = outline.to_string();
        });
        metered.transmit(&[0x00, 0xA4, 0x04, 0x0C, 0x02, 0xCA, 0xFE]).unwrap();
        assert_eq!(*seen.lock().unwrap(), "00 A4 040C sent=7 received=4 9000");
    }
}
