//! Settings that many desks have in common: fetched, signed by whoever may serve them, never older than before, kept, and
//! put beneath the desk's own.

mod command;
mod document;
mod follower;
mod shelf;

use anyhow::{Context as _, Result};
use cccd_delivery::WebSource;
use cccd_profiles::{AgentSettings, ServedSettings};

use crate::target_files;

pub(crate) use command::{ServedArguments, run};
use document::{LONGEST, Served};
pub(crate) use follower::Follower;
use shelf::Shelf;

/// What one look came to.
enum Looked {
    /// These are newer than any before, and can be used.
    New(Served),
    /// Nothing newer.
    Known,
}

/// What a desk may run with, the best first: the newest that was not tried yet, what was in force, and its own settings
/// alone.
pub(crate) fn choices(own_text: &str, own: &AgentSettings) -> Vec<AgentSettings> {
    let Some(served) = &own.served else { return vec![own.clone()] };
    let mut choices = Vec::new();
    match Shelf::open(&served.folder).and_then(|shelf| shelf.choices(&served.keys)) {
        Ok(kept) => {
            for kept in kept {
                match AgentSettings::parse_with_served(own_text, &kept.settings) {
                    Ok(settings) => {
                        choices.push(AgentSettings { served_version: Some(kept.version), ..settings });
                    }
                    Err(error) => {
                        tracing::error!(version = kept.version, %error, "served settings cannot be used");
                    }
                }
            }
        }
        Err(error) => tracing::error!("served settings cannot be read: {error:#}"),
    }
    choices.push(own.clone());
    choices
}

/// Notes that a desk runs with these.
pub(crate) fn in_force(own: &AgentSettings, version: Option<u64>) {
    let (Some(served), Some(version)) = (&own.served, version) else { return };
    match Shelf::open(&served.folder).and_then(|shelf| shelf.put_in_force(version)) {
        Ok(()) => tracing::info!(version, "served settings are in force"),
        Err(error) => tracing::error!(version, "it cannot be kept which settings are in force: {error:#}"),
    }
}

/// Looks once. What comes is taken where it is signed, newer than anything before, and makes settings for this desk.
async fn look(own_text: &str, served: &ServedSettings, source: &WebSource) -> Result<Looked> {
    let bytes = source.fetch(LONGEST).await?;
    let text = std::str::from_utf8(&bytes).context("no text")?.trim();
    let document = Served::open(text, &served.keys)?;
    let shelf = Shelf::open(&served.folder)?;
    let highest = shelf.highest()?;
    if document.version < highest {
        anyhow::bail!("version {} is older than {highest}, which was here before", document.version);
    }
    if document.version == highest {
        return Ok(Looked::Known);
    }
    AgentSettings::parse_with_served(own_text, &document.settings)
        .with_context(|| format!("version {} cannot be used", document.version))?;
    shelf.take(&document)?;
    Ok(Looked::New(document))
}

fn source(served: &ServedSettings) -> Result<WebSource> {
    let files = target_files::of_access(&served.access)?;
    WebSource::new(&served.url, &served.access, served.within, &files).context("[served] cannot be used")
}
