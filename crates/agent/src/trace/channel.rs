//! A channel that remembers what passes, and a random source that remembers what was drawn.

use std::time::Instant;

use cccd_card::{Atr, CardChannel, ChannelLimits, SecretBytes, TransportError};
use rand_core::{TryCryptoRng, TryRng};
use zeroize::Zeroizing;

use super::file::{Bytes, Exchange, Kind, Trace};

/// Any channel, remembered.
pub struct Recorder<C> {
    channel: C,
    began: Instant,
    first_atr: Atr,
    limits: ChannelLimits,
    exchanges: Vec<Exchange>,
    commands: Vec<String>,
    answers: Vec<String>,
}

impl<C: CardChannel> Recorder<C> {
    /// Remembers from now on.
    pub fn new(channel: C) -> Self {
        Self {
            began: Instant::now(),
            first_atr: channel.atr().clone(),
            limits: channel.limits(),
            channel,
            exchanges: Vec::new(),
            commands: Vec::new(),
            answers: Vec::new(),
        }
    }

    /// What has passed, with the random numbers that were drawn for it. Its bytes are a person's.
    pub fn into_trace(self, rng: RecordingRng<impl Sized>) -> Trace {
        let random = hex::encode(&*rng.drawn);
        let bytes = Bytes { commands: self.commands, answers: self.answers, random };
        Trace::new(&self.first_atr, self.limits, self.exchanges, bytes)
    }

    fn timed<T>(&mut self, act: impl FnOnce(&mut C) -> T) -> (T, u64, u64) {
        let at = self.began.elapsed();
        let done = act(&mut self.channel);
        let took = self.began.elapsed().saturating_sub(at);
        let micros = |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        (done, micros(at), micros(took))
    }
}

impl<C: CardChannel> CardChannel for Recorder<C> {
    fn transmit(&mut self, command: &[u8]) -> Result<SecretBytes, TransportError> {
        let (answer, at_us, took_us) = self.timed(|channel| channel.transmit(command));
        let reply = answer.as_ref().ok();
        self.exchanges.push(Exchange {
            kind: Kind::Command,
            at_us,
            took_us,
            header: hex::encode_upper(command.get(..4).unwrap_or(command)),
            sent: command.len(),
            received: reply.map_or(0, |reply| reply.len()),
            status: reply
                .and_then(|reply| reply.last_chunk::<2>())
                .map(hex::encode_upper)
                .unwrap_or_default(),
            failure: answer.as_ref().err().map(Into::into),
        });
        self.commands.push(hex::encode(command));
        self.answers.push(reply.map(|reply| hex::encode(&**reply)).unwrap_or_default());
        answer
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        let (done, at_us, took_us) = self.timed(CardChannel::reset);
        self.exchanges.push(Exchange {
            kind: Kind::Reset,
            at_us,
            took_us,
            header: String::new(),
            sent: 0,
            received: 0,
            status: String::new(),
            failure: done.as_ref().err().map(Into::into),
        });
        done
    }

    fn atr(&self) -> &Atr {
        self.channel.atr()
    }

    fn limits(&self) -> ChannelLimits {
        self.channel.limits()
    }
}

/// A random source that remembers what was drawn.
pub struct RecordingRng<R> {
    source: R,
    drawn: Zeroizing<Vec<u8>>,
}

impl<R> RecordingRng<R> {
    /// Remembers what is drawn from `source`.
    pub fn new(source: R) -> Self {
        Self { source, drawn: Zeroizing::default() }
    }
}

impl<R: TryRng> TryRng for RecordingRng<R> {
    type Error = R::Error;

    fn try_next_u32(&mut self) -> Result<u32, R::Error> {
        rand_core::utils::next_word_via_fill(self)
    }

    fn try_next_u64(&mut self) -> Result<u64, R::Error> {
        rand_core::utils::next_word_via_fill(self)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), R::Error> {
        self.source.try_fill_bytes(out)?;
        self.drawn.extend_from_slice(out);
        Ok(())
    }
}

impl<R: TryCryptoRng> TryCryptoRng for RecordingRng<R> {}
