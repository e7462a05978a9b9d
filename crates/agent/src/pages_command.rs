//! `cccd-agent pair`, `grants` and `status`: what is asked of the running agent.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;
use cccd_profiles::AgentSettings;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;

use crate::admin_client::AdminClient;
use crate::command_line::say;

/// How often it is looked whether a page asks.
const LOOK_EVERY: Duration = Duration::from_millis(300);

#[derive(Args)]
pub(crate) struct PairArguments {
    /// Seconds to wait for a page to ask; 0 tells what waits now
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(0..=3600))]
    wait: u64,
    /// Refuse this one instead
    #[arg(long, value_name = "ID", conflicts_with = "wait")]
    refuse: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct GrantsArguments {
    #[command(subcommand)]
    command: GrantsCommand,
}

#[derive(Subcommand)]
enum GrantsCommand {
    /// Liệt kê các trang đã ghép · List the pages that were paired
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Thu hồi · Take one back: the page is stopped at once
    Revoke {
        /// Its id, as `list` shows it
        #[arg(value_name = "ID", allow_hyphen_values = true)]
        id: String,
    },
}

#[derive(Args)]
pub(crate) struct StatusArguments {
    /// Print JSON
    #[arg(long, conflicts_with = "metrics")]
    json: bool,
    /// Print the counters, as Prometheus takes them (OpenMetrics)
    #[arg(long)]
    metrics: bool,
}

/// Shows which pages ask to be paired, and their codes.
pub(crate) fn pair(settings: &AgentSettings, arguments: &PairArguments) -> Result<ExitCode> {
    let client = AdminClient::of(settings)?;
    if let Some(id) = &arguments.refuse {
        client.text(Method::DELETE, &format!("/pairings/{}", in_path(id)))?;
        return say("đã từ chối · refused\n");
    }
    let deadline = Instant::now() + Duration::from_secs(arguments.wait);
    loop {
        let answer = client.json(Method::GET, "/pairings")?;
        let waiting = list(&answer, "pairings");
        if waiting.is_empty() && Instant::now() < deadline {
            sleep(LOOK_EVERY);
            continue;
        }
        if arguments.json {
            return say(&format!("{answer}\n"));
        }
        if waiting.is_empty() {
            return say("không có trang nào xin ghép · no page asks to be paired\n");
        }
        return say(&waiting.iter().map(shown).collect::<String>());
    }
}

/// One that waits, with its code in two groups.
fn shown(waiting: &Value) -> String {
    let code = text(waiting, "code");
    let code =
        code.split_at_checked(3).map_or(code.to_owned(), |(first, second)| format!("{first} {second}"));
    let mut out = String::new();
    let _ = write!(
        out,
        "Trang · page      {}\nTên · name        {}\nQuyền · scopes    {}\nHồ sơ · profiles  {}\nMã · code         {code}\n\
         Còn · left        {} s, {} lần · tries\nId                {}\n\
         Gõ mã vào đúng trang này; nếu không phải bạn vừa xin ghép thì đừng gõ.\n\
         Type the code into this very page; if it was not you who asked, do not.\n\n",
        text(waiting, "origin"),
        text(waiting, "label"),
        words(waiting, "scopes"),
        words(waiting, "profiles"),
        number(waiting, "expires_in_s"),
        number(waiting, "tries_left"),
        text(waiting, "pairing_id"),
    );
    out
}

/// Lists grants, or takes one back.
pub(crate) fn grants(settings: &AgentSettings, arguments: &GrantsArguments) -> Result<ExitCode> {
    let client = AdminClient::of(settings)?;
    match &arguments.command {
        GrantsCommand::Revoke { id } => {
            client.text(Method::DELETE, &format!("/grants/{}", in_path(id)))?;
            say("đã thu hồi · taken back\n")
        }
        GrantsCommand::List { json } => {
            let answer = client.json(Method::GET, "/grants")?;
            if *json {
                return say(&format!("{answer}\n"));
            }
            let grants = list(&answer, "grants");
            if grants.is_empty() {
                return say("chưa ghép trang nào · no page is paired\n");
            }
            let mut out = String::new();
            for grant in grants {
                let _ = write!(
                    out,
                    "{}\n  Trang · page    {}\n  Tên · name      {}\n  Quyền · scopes  {}\n  Hồ sơ · profiles {}\n  Đến · until     {}\n",
                    text(grant, "grant_id"),
                    text(grant, "origin"),
                    text(grant, "label"),
                    words(grant, "scopes"),
                    words(grant, "profiles"),
                    text(grant, "expires_at"),
                );
            }
            say(&out)
        }
    }
}

/// Says how the running agent is.
pub(crate) fn status(settings: &AgentSettings, arguments: &StatusArguments) -> Result<ExitCode> {
    let client = AdminClient::of(settings)?;
    if arguments.metrics {
        return say(&client.text(Method::GET, "/metrics")?);
    }
    let status = client.json(Method::GET, "/status")?;
    if arguments.json {
        return say(&format!("{status}\n"));
    }
    let is = |value: &Value, name: &str| value.get(name).and_then(Value::as_bool).unwrap_or_default();
    let ready = if is(&status, "ready") { "sẵn sàng · ready" } else { "chưa sẵn sàng · not ready" };
    let mut out = format!("cccd-agent {}: {ready}\n", text(&status, "version"));
    for reader in list(&status, "readers") {
        let state = match (is(reader, "is_reading"), is(reader, "has_card")) {
            (true, _) => "đang đọc · reading",
            (false, true) => "có thẻ · card",
            (false, false) => "trống · empty",
        };
        let holder = reader.get("held_by").and_then(Value::as_str);
        let holder = holder.map(|holder| format!(" ({holder})")).unwrap_or_default();
        let _ = writeln!(out, "  {}: {state}{holder}", text(reader, "name"));
    }
    let pairing = if is(&status, "pairing") { "bật · on" } else { "tắt · off" };
    let _ = writeln!(
        out,
        "Ghép trang · pairing: {pairing}; {} trang · pages; {} đang chờ mã · waiting for their code",
        number(&status, "grants"),
        number(&status, "pairings_waiting"),
    );
    say(&out)
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn number(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or_default()
}

fn words(value: &Value, name: &str) -> String {
    list(value, name).iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
}

/// An id as part of a path. Ids need no escaping; what else was typed is no id, and must not become another path.
fn in_path(id: &str) -> String {
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    id.bytes().filter(part).map(char::from).collect()
}
