//! Carries entries to the syslog server, in their order, from where it left off.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use cccd_profiles::SyslogSettings;
use cccd_store::{Scribe, StoreError};

use super::collector::{Collector, Dialler};
use super::syslog::Sender;

/// The name its place in the chain is kept under.
const CURSOR: &str = "syslog";
/// Entries taken from the chain at once.
const AT_ONCE: usize = 64;
/// How many of the last entries are sent again once a connection has broken: a server says nothing of what it took.
const UNSURE: u64 = 32;
/// How often a silent connection is looked at, and the chain for entries of other processes.
const LOOK: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Starts to forward, in a thread of its own, until the scribe closes.
pub(super) fn start(settings: &SyslogSettings, scribe: Scribe) -> Result<()> {
    let dialler = Dialler::of(settings).context("[audit] cannot be used")?;
    let forwarder = Forwarder { dialler, sender: Sender::this(), scribe };
    std::thread::Builder::new()
        .name("syslog".to_owned())
        .spawn(move || {
            let _ = forwarder.run();
        })
        .context("cannot start to forward the audit")?;
    Ok(())
}

struct Forwarder {
    dialler: Dialler,
    sender: Sender,
    scribe: Scribe,
}

/// Why a connection is given up.
enum Broken {
    /// The scribe has closed.
    Closing,
    /// The server is gone. So many entries count as sent over this connection.
    Gone { why: String, sent: u64 },
    /// The chain cannot be read.
    Chain(StoreError),
}

impl Forwarder {
    /// Ends once the scribe closes.
    fn run(&self) -> Option<()> {
        let server = self.dialler.server().to_string();
        let mut pause = FIRST_PAUSE;
        // Said once, not at every try.
        let mut said = false;
        loop {
            let began = Instant::now();
            let broken = match self.dialler.dial() {
                Err(error) => Broken::Gone { why: format!("{error:#}"), sent: 0 },
                Ok(collector) => {
                    tracing::debug!(server, "carrying the audit away");
                    self.carry(collector)
                }
            };
            let why = match broken {
                Broken::Closing => return None,
                Broken::Gone { why, sent } => {
                    // Never further than where this connection began.
                    self.step_back(sent.min(UNSURE));
                    why
                }
                Broken::Chain(error) => format!("{:#}", anyhow::Error::from(error)),
            };
            if began.elapsed() >= LOOK {
                (pause, said) = (FIRST_PAUSE, false);
            }
            if !said {
                tracing::warn!(server, why, "the audit cannot be carried away; it waits here");
            }
            said = true;
            self.scribe.pause(pause)?;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Sends what there is, and what comes, until the connection breaks.
    fn carry(&self, mut collector: Collector) -> Broken {
        let mut sent = 0;
        let audit = self.scribe.store().audit();
        loop {
            let waiting = match audit.cursor(CURSOR).and_then(|cursor| audit.after(cursor, AT_ONCE)) {
                Ok(waiting) => waiting,
                Err(error) => return Broken::Chain(error),
            };
            if collector.is_gone() {
                return Broken::Gone { why: "the server has closed the connection".to_owned(), sent };
            }
            let Some(last) = waiting.last() else {
                let last = match audit.last() {
                    Ok(last) => last,
                    Err(error) => return Broken::Chain(error),
                };
                if self.scribe.wait_beyond(last, LOOK).is_none() {
                    return Broken::Closing;
                }
                continue;
            };
            for recorded in &waiting {
                if let Err(error) = collector.send(&self.sender.message(recorded)) {
                    return Broken::Gone { why: error.to_string(), sent };
                }
            }
            if let Err(error) = audit.advance_cursor(CURSOR, last) {
                return Broken::Chain(error);
            }
            sent += u64::try_from(waiting.len()).unwrap_or(u64::MAX);
            if self.scribe.wait_beyond(0, Duration::ZERO).is_none() {
                return Broken::Closing;
            }
        }
    }

    /// Rather twice than never: whoever collects tells entries that came twice by their number.
    fn step_back(&self, entries: u64) {
        if entries == 0 {
            return;
        }
        if let Err(error) = self.scribe.store().audit().step_cursor_back(CURSOR, entries) {
            tracing::warn!("{:#}", anyhow::Error::from(error));
        }
    }
}

#[cfg(test)]
mod tests;
