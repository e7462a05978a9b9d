//! The channel to the card on a keeper's reader.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

use cccd_card::{Atr, CardChannel, ChannelLimits, SecretBytes, TransportError};
use zeroize::Zeroizing;

use super::keeper::Job;

/// What a keeper may need beyond the time of an exchange: to finish what it is at, and to see what became of card and
/// reader.
const ASIDE: Duration = Duration::from_secs(12);

pub(super) struct NfcChannel {
    jobs: Sender<Job>,
    number: u64,
    atr: Atr,
    limits: ChannelLimits,
    patience: Duration,
}

/// Asks the keeper for the card that lies there.
pub(super) fn connect(
    jobs: Sender<Job>,
    limits: ChannelLimits,
    exchange_within: Duration,
) -> Result<NfcChannel, TransportError> {
    let patience = exchange_within + ASIDE;
    let (number, atr) = ask(&jobs, patience, |reply| Job::Connect { reply })?;
    Ok(NfcChannel { jobs, number, atr, limits, patience })
}

fn ask<T>(
    jobs: &Sender<Job>,
    patience: Duration,
    job: impl FnOnce(Sender<Result<T, TransportError>>) -> Job,
) -> Result<T, TransportError> {
    let (reply, answer) = mpsc::channel();
    // With the keeper gone the reply's sender is dropped, and `recv_timeout` says so at once.
    let _ = jobs.send(job(reply));
    match answer.recv_timeout(patience) {
        Ok(answer) => answer,
        Err(RecvTimeoutError::Timeout) => Err(TransportError::TimedOut { after: patience }),
        Err(RecvTimeoutError::Disconnected) => Err(TransportError::ReaderLost),
    }
}

impl CardChannel for NfcChannel {
    fn transmit(&mut self, command: &[u8]) -> Result<SecretBytes, TransportError> {
        let (length, limit) = (command.len(), self.limits.max_command);
        if length > limit {
            return Err(TransportError::CommandTooLong { length, limit });
        }
        let (channel, command) = (self.number, Zeroizing::new(command.to_vec()));
        ask(&self.jobs, self.patience, |reply| Job::Transmit { channel, command, reply })
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        let channel = self.number;
        self.atr = ask(&self.jobs, self.patience, |reply| Job::Reset { channel, reply })?;
        Ok(())
    }

    fn atr(&self) -> &Atr {
        &self.atr
    }

    fn limits(&self) -> ChannelLimits {
        self.limits
    }
}

impl Drop for NfcChannel {
    fn drop(&mut self) {
        // Whoever connects next is served after this.
        let _ = self.jobs.send(Job::Close { channel: self.number });
    }
}
