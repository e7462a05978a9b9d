//! A recorded conversation as a card: it answers what it answered then, to whoever says what was said then.

use std::collections::VecDeque;

use cccd_card::{Atr, CardChannel, ChannelLimits, SecretBytes, TransportError};
use rand_core::{TryCryptoRng, TryRng};
use zeroize::Zeroizing;

use super::file::{Failure, Kind, Trace, TraceError};

/// What comes next in the conversation.
enum Next {
    Command { command: SecretBytes, answer: Result<SecretBytes, Failure> },
    Reset(Result<(), Failure>),
}

/// A recorded conversation as a channel.
pub struct Replay {
    atr: Atr,
    limits: ChannelLimits,
    next: VecDeque<Next>,
    length: usize,
    departed: Option<usize>,
}

/// The random numbers of a recorded conversation, which drew them. Of no use for anything else, and empty soon.
pub struct ReplayRng {
    drawn: Zeroizing<Vec<u8>>,
    at: usize,
}

/// More was drawn than then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more random numbers were drawn than were recorded")]
pub struct RunDry;

impl Replay {
    /// The conversation of `trace`, and its random numbers.
    pub fn of(trace: &Trace) -> Result<(Self, ReplayRng), TraceError> {
        let bytes = trace.bytes.as_ref().ok_or(TraceError::NoBytes)?;
        let decoded =
            |text: &str| hex::decode(text).map(Zeroizing::new).map_err(|_| TraceError::BytesDoNotFit);
        let commands = trace.exchanges.iter().filter(|exchange| exchange.kind == Kind::Command).count();
        if bytes.commands.len() != commands || bytes.answers.len() != commands {
            return Err(TraceError::BytesDoNotFit);
        }
        let mut carried = bytes.commands.iter().zip(&bytes.answers);
        let mut next = VecDeque::new();
        for exchange in &trace.exchanges {
            next.push_back(match exchange.kind {
                Kind::Reset => Next::Reset(exchange.failure.map_or(Ok(()), Err)),
                Kind::Command => {
                    let (command, answer) = carried.next().ok_or(TraceError::BytesDoNotFit)?;
                    let (command, answer) = (decoded(command)?, decoded(answer)?);
                    Next::Command { command, answer: exchange.failure.map_or(Ok(answer), Err) }
                }
            });
        }
        let atr = hex::decode(&trace.atr).ok().and_then(|atr| Atr::new(&atr).ok());
        let limits = ChannelLimits { max_command: trace.max_command, max_reply: trace.max_reply };
        let replay = Self {
            atr: atr.ok_or(TraceError::BytesDoNotFit)?,
            limits: limits.min(ChannelLimits::EXTENDED),
            length: next.len(),
            next,
            departed: None,
        };
        Ok((replay, ReplayRng { drawn: decoded(&bytes.random)?, at: 0 }))
    }

    /// At which exchange something else was said than then, counted from 0.
    pub fn departed(&self) -> Option<usize> {
        self.departed
    }

    /// Whether all of it was said.
    pub fn is_over(&self) -> bool {
        self.departed.is_none() && self.next.is_empty()
    }

    fn depart<T>(&mut self) -> Result<T, TransportError> {
        let at = self.length - self.next.len();
        self.departed.get_or_insert(at);
        // The card of then cannot know what to answer.
        self.next.clear();
        Err(TransportError::CardMute)
    }
}

impl CardChannel for Replay {
    fn transmit(&mut self, command: &[u8]) -> Result<SecretBytes, TransportError> {
        match self.next.front() {
            Some(Next::Command { command: then, .. }) if then.as_slice() == command => {}
            _ => return self.depart(),
        }
        match self.next.pop_front() {
            Some(Next::Command { answer, .. }) => answer.map_err(Into::into),
            _ => self.depart(),
        }
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        match self.next.front() {
            Some(Next::Reset(_)) => {}
            _ => return self.depart(),
        }
        match self.next.pop_front() {
            Some(Next::Reset(done)) => done.map_err(Into::into),
            _ => self.depart(),
        }
    }

    fn atr(&self) -> &Atr {
        &self.atr
    }

    fn limits(&self) -> ChannelLimits {
        self.limits
    }
}

impl TryRng for ReplayRng {
    type Error = RunDry;

    fn try_next_u32(&mut self) -> Result<u32, RunDry> {
        rand_core::utils::next_word_via_fill(self)
    }

    fn try_next_u64(&mut self) -> Result<u64, RunDry> {
        rand_core::utils::next_word_via_fill(self)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), RunDry> {
        let drawn = self.drawn.get(self.at..).and_then(|rest| rest.get(..out.len())).ok_or(RunDry)?;
        out.copy_from_slice(drawn);
        self.at += out.len();
        Ok(())
    }
}

/// Only a conversation that was had already is had with it.
impl TryCryptoRng for ReplayRng {}
