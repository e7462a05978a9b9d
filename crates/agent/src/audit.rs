//! The audit chain of this machine: what the daemon enters, where entries go, and `cccd-agent audit`.

mod cef;
mod collector;
mod command;
mod forwarder;
mod syslog;
mod witness;

use std::sync::Arc;

use anyhow::{Context as _, Result};
use cccd_profiles::{AuditSettings, StoreSettings};
use cccd_store::{Entry, Scribe, Store};

use crate::daemon::now;

pub(crate) use command::{AuditArguments, run};
pub(crate) use witness::witness;

/// Opens the store and starts its scribe. A desk whose disk cannot be written goes on: what should outlive a restart
/// is then kept in memory.
pub(crate) fn start(settings: &StoreSettings) -> Result<Scribe> {
    let store = match Store::open(&settings.folder, now()) {
        Ok(store) => {
            for notice in store.notices() {
                let aside = notice.aside.as_ref().map(|path| path.display().to_string());
                tracing::error!(
                    file = notice.file,
                    why = notice.why,
                    moved_to = aside.as_deref().unwrap_or("nowhere: it is gone"),
                    "a database could not be used, and a new one was begun"
                );
            }
            store
        }
        Err(error) => {
            let error = anyhow::Error::from(error);
            tracing::error!("nothing outlives a restart, the audit chain least of all: {error:#}");
            Store::in_memory(now()).context("cannot keep anything, not even in memory")?
        }
    };
    Scribe::start(store, Arc::new(now)).context("cannot start the audit")
}

/// Carries entries to the syslog server, where the settings name one.
pub(crate) fn forward(settings: &AuditSettings, scribe: &Scribe) -> Result<()> {
    match &settings.syslog {
        None => Ok(()),
        Some(syslog) => forwarder::start(syslog, scribe.clone()),
    }
}

/// Enters something that a command beside the daemon has done. That it cannot be entered undoes nothing.
pub(crate) fn enter_from_command(settings: &StoreSettings, entry: &Entry) {
    let entered = Store::join(&settings.folder, now()).and_then(|store| store.audit().append(entry, now()));
    if let Err(error) = entered {
        let error = anyhow::Error::from(error);
        tracing::warn!("the audit chain has no entry of this: {error:#}");
    }
}
