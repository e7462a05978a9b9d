//! `cccd-agent trust` at a terminal.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use cccd_profiles::TrustSettings;
use cccd_trust::store::HINTS;

use super::answer::Answer;
use super::arguments::{TrustArguments, TrustCommand};
use super::desk::Desk;
use super::directory::StoreDirectory;
use super::edition::Author;
use super::table;
use crate::command_line::say;
use crate::daemon::now;

/// Carries a command out and prints what it found.
pub(crate) fn run(settings: &TrustSettings, arguments: &TrustArguments) -> Result<ExitCode> {
    let root = arguments.directory.as_ref().unwrap_or(&settings.directory);
    let desk = Desk { settings, directory: StoreDirectory::at(root), hints: HINTS, author: author() };
    let (outcome, answer) = desk.run(&arguments.command)?;
    let text = match (&arguments.command, &answer) {
        _ if arguments.json => answer.to_json().context("cannot write JSON")?,
        (TrustCommand::Show { pem: true, .. }, Answer::Show(shown)) => shown.pem.clone(),
        _ => table::of_answer(&answer),
    };
    say(&text)?;
    Ok(outcome.exit_code())
}

/// Whoever runs this program. Where it runs with another's rights, `sudo` tells who asked.
fn author() -> Author {
    Author {
        user: whoami::username().unwrap_or_else(|_| "?".to_owned()),
        on_behalf_of: std::env::var("SUDO_USER").ok().filter(|user| !user.is_empty()),
        time: now(),
    }
}
