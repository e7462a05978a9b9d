//! Readers behind the system's smart-card service (pcsc-lite, WinSCard).

mod connection;
mod fault;
mod look;
mod watcher;

use std::collections::BTreeMap;
use std::ffi::CString;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cccd_card::{
    Behind, CardChannel, ChannelLimits, ReaderEvent, ReaderId, ReaderSource, StopSignal, TransportError,
};
use cccd_profiles::ReaderCatalogue;

pub use look::{ListedReader, ServiceFault, listed_readers};

/// How this source behaves.
#[derive(Debug, Clone)]
pub struct PcscOptions {
    /// Readers to leave alone, `*` at the end standing for anything.
    pub ignore: Vec<String>,
    /// How long one call into the driver may take before it is given up.
    pub exchange_within: Duration,
    /// What is known of reader models.
    pub catalogue: ReaderCatalogue,
}

impl Default for PcscOptions {
    fn default() -> Self {
        Self {
            ignore: Vec::new(),
            exchange_within: Duration::from_secs(15),
            catalogue: ReaderCatalogue::shipped(),
        }
    }
}

impl PcscOptions {
    /// Whether nobody's card lies there: the settings say so, or the slot is for a module of the reader's own.
    fn ignores(&self, name: &str) -> bool {
        is_ignored(&self.ignore, name)
            || self.catalogue.find(name).is_some_and(|profile| profile.is_sam_slot(name))
    }

    fn behind(&self, name: &str) -> Behind {
        self.catalogue.find(name).map_or(Behind::Device, |profile| profile.behind)
    }

    fn limits_of(&self, name: &str) -> ChannelLimits {
        self.catalogue.find(name).map_or(ChannelLimits::EXTENDED, |profile| profile.limits)
    }
}

/// Whether the settings say to leave this reader alone.
pub fn is_ignored(ignore: &[String], name: &str) -> bool {
    ignore.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    })
}

/// Every reader the smart-card service knows.
#[derive(Debug)]
pub struct PcscSource {
    options: PcscOptions,
    /// The readers that are there now, under the names the service knows them by.
    present: Mutex<BTreeMap<ReaderId, CString>>,
}

impl PcscSource {
    /// A source that behaves so.
    pub fn new(options: PcscOptions) -> Self {
        Self { options, present: Mutex::default() }
    }
}

impl ReaderSource for PcscSource {
    fn name(&self) -> &'static str {
        "pcsc"
    }

    fn watch(&self, tell: &mut dyn FnMut(ReaderEvent), stop: &StopSignal) {
        watcher::watch(&self.options, &self.present, tell, stop);
    }

    fn connect(&self, reader: &ReaderId) -> Result<Box<dyn CardChannel>, TransportError> {
        let name = self.present.lock().unwrap_or_else(PoisonError::into_inner).get(reader).cloned();
        let name = name.ok_or(TransportError::ReaderLost)?;
        let limits = self.options.limits_of(&name.to_string_lossy());
        connection::connect(name, limits, self.options.exchange_within)
    }
}
