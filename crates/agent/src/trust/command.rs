//! `cccd-agent trust` at a terminal.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use cccd_profiles::{StoreSettings, TrustSettings};
use cccd_store::{Entry, EntryKind};
use cccd_trust::store::HINTS;

use super::answer::{Answer, ChangeAnswer, Changed};
use super::arguments::{TrustArguments, TrustCommand};
use super::desk::Desk;
use super::directory::StoreDirectory;
use super::edition::Author;
use super::table;
use crate::audit::enter_from_command;
use crate::command_line::say;
use crate::daemon::now;

/// Carries a command out and prints what it found.
pub(crate) fn run(
    settings: &TrustSettings,
    store: &StoreSettings,
    arguments: &TrustArguments,
) -> Result<ExitCode> {
    let root = arguments.directory.as_ref().unwrap_or(&settings.directory);
    let desk = Desk { settings, directory: StoreDirectory::at(root), hints: HINTS, author: author() };
    let (outcome, answer) = desk.run(&arguments.command)?;
    if let Answer::Change(change) = &answer
        && change.changed == Changed::Yes
    {
        let entry = entry_of(change, &arguments.command, &desk.author);
        // A store that is not the daemon's changes nothing of what it believes.
        if *root == settings.directory {
            enter_from_command(store, &entry);
        }
    }
    let text = match (&arguments.command, &answer) {
        _ if arguments.json => answer.to_json().context("cannot write JSON")?,
        (TrustCommand::Show { pem: true, .. }, Answer::Show(shown)) => shown.pem.clone(),
        _ => table::of_answer(&answer),
    };
    say(&text)?;
    Ok(outcome.exit_code())
}

/// What the audit chain says of a change: who, and how much. What it was in detail the trust store keeps itself.
fn entry_of(change: &ChangeAnswer, command: &TrustCommand, author: &Author) -> Entry {
    let outcome = match command {
        TrustCommand::Add(_) => "added",
        TrustCommand::Remove { .. } => "removed",
        _ => "updated",
    };
    let entry = Entry {
        caller: Some(author.user.clone()),
        caller_kind: Some("command-line".to_owned()),
        process: Some("cccd-agent trust".to_owned()),
        outcome: Some(outcome.to_owned()),
        ..Entry::new(EntryKind::TrustChanged)
    };
    let entry = match &author.on_behalf_of {
        Some(asked) => entry.with("on_behalf_of", asked),
        None => entry,
    };
    let count = |all: usize| all.to_string();
    entry
        .with("edition", change.edition.to_string())
        .with("added", count(change.added.len()))
        .with("removed", count(change.removed.len()))
        .with("crls_added", count(change.crls_added.len()))
        .with("crls_removed", count(change.crls_removed.len()))
}

/// Whoever runs this program. Where it runs with another's rights, `sudo` tells who asked.
fn author() -> Author {
    Author {
        user: whoami::username().unwrap_or_else(|_| "?".to_owned()),
        on_behalf_of: std::env::var("SUDO_USER").ok().filter(|user| !user.is_empty()),
        time: now(),
    }
}
