//! `cccd-agent outbox`: what has not arrived, tried again or given up.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use cccd_profiles::AgentSettings;
use cccd_store::Outbox;
use clap::{Args, Subcommand};

use crate::command_line::say;
use crate::daemon::now;

/// Results on their way to other systems
#[derive(Args)]
pub(crate) struct OutboxArguments {
    #[command(subcommand)]
    command: OutboxCommand,
}

#[derive(Subcommand)]
enum OutboxCommand {
    /// Liệt kê kết quả chưa gửi được · List what waits and what is dead; nothing of what it says
    List,
    /// Gửi lại · Try a message again at once
    Retry {
        /// Its number
        #[arg(value_name = "NUMBER")]
        id: i64,
    },
    /// Bỏ một kết quả · Give a message up: it will never be sent
    Drop {
        /// Its number
        #[arg(value_name = "NUMBER")]
        id: i64,
    },
}

/// Runs `cccd-agent outbox`.
pub(crate) fn run(settings: &AgentSettings, arguments: &OutboxArguments) -> Result<ExitCode> {
    let folder = &settings.outbox.folder;
    let outbox =
        Outbox::join(folder).with_context(|| format!("cannot open the outbox in {}", folder.display()))?;
    match arguments.command {
        OutboxCommand::List => list(&outbox),
        OutboxCommand::Retry { id } => answer(outbox.retry(id, now())?, "sẽ gửi lại · will be tried again"),
        OutboxCommand::Drop { id } => answer(outbox.drop_message(id, now())?, "đã bỏ · given up"),
    }
}

fn answer(done: bool, words: &str) -> Result<ExitCode> {
    if done {
        return say(&format!("{words}\n"));
    }
    say("không có kết quả này · no such message\n")?;
    Ok(ExitCode::from(3))
}

fn list(outbox: &Outbox) -> Result<ExitCode> {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["#", "target", "state", "attempts", "since", "next", "why"]);
    for message in outbox.list()? {
        table.add_row([
            message.id.to_string(),
            message.target,
            message.state,
            message.attempts.to_string(),
            cccd_api::moment(message.put),
            cccd_api::moment(message.next),
            message.why.unwrap_or_default(),
        ]);
    }
    say(&format!("{table}\n"))
}
