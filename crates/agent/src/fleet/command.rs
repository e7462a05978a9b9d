//! `cccd-agent fleet`: the desks of one operator.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use cccd_delivery::fleet::{DeskView, FleetView, PresenceState, look};
use cccd_profiles::AgentSettings;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::command_line::say;

/// Desks of one operator
#[derive(Args)]
pub(crate) struct FleetArguments {
    #[command(subcommand)]
    command: FleetCommand,
}

#[derive(Subcommand)]
enum FleetCommand {
    /// Liệt kê các quầy theo broker · List the desks as the fleet's broker has them
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
        /// Seconds the broker may take
        #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=600))]
        within: u64,
    },
}

/// Runs `cccd-agent fleet`.
pub(crate) fn run(settings: &AgentSettings, arguments: &FleetArguments) -> Result<ExitCode> {
    match arguments.command {
        FleetCommand::Status { json, within } => status(settings, json, Duration::from_secs(within)),
    }
}

fn status(settings: &AgentSettings, as_json: bool, within: Duration) -> Result<ExitCode> {
    let Some(fleet) = &settings.fleet else {
        bail!("cấu hình không có [fleet] · the settings have no [fleet]");
    };
    let files = super::files(fleet)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let view = runtime
        .block_on(look(fleet, &files, within))
        .with_context(|| format!("không xem được các quầy · cannot see the desks at {}", fleet.broker))?;
    if as_json {
        let desks: Vec<Value> = view.iter().map(|(desk, view)| as_value(desk, view)).collect();
        return say(&(serde_json::to_string_pretty(&desks).context("cannot print")? + "\n"));
    }
    say(&table(&view))
}

fn table(view: &FleetView) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header([
        "quầy · desk",
        "",
        "version",
        "báo lần cuối · last report",
        "đọc được · read",
        "lỗi · failed",
        "chờ gửi · waiting",
        "chết · dead",
        "đầu đọc · readers",
    ]);
    let mut up = 0;
    for (desk, view) in view {
        up += usize::from(state(view) == Some(PresenceState::Up));
        table.add_row(row(desk, view));
    }
    format!("{table}\n{} quầy · desk(s), {up} up\n", view.len())
}

fn row(desk: &str, view: &DeskView) -> Vec<String> {
    let report = view.report.as_ref();
    let of = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
    let outbox = report.and_then(|report| report.outbox);
    let version = view.presence.as_ref().map(|presence| &presence.version);
    let version = version.filter(|version| !version.is_empty()).or(report.map(|report| &report.version));
    vec![
        desk.to_owned(),
        word(view).to_owned(),
        version.map_or_else(|| "-".to_owned(), |version| shown(version)),
        report.map_or_else(|| "-".to_owned(), |report| shown(&report.at)),
        of(report.map(|report| report.readings_completed)),
        of(report.map(cccd_delivery::fleet::DeskReport::failed)),
        of(outbox.map(|outbox| outbox.waiting)),
        of(outbox.map(|outbox| outbox.dead)),
        report.map_or_else(String::new, |report| {
            let names: Vec<_> = report.readers.iter().map(|reader| shown(&reader.name)).collect();
            names.join(", ")
        }),
    ]
}

fn state(view: &DeskView) -> Option<PresenceState> {
    view.presence.as_ref().map(|presence| presence.state)
}

fn word(view: &DeskView) -> &'static str {
    match state(view) {
        Some(PresenceState::Up) => "up",
        Some(PresenceState::Stopped) => "stopped",
        Some(PresenceState::Lost) => "lost",
        None => "unknown",
    }
}

/// A desk's words at a terminal: nothing that moves its cursor, and not for ever.
fn shown(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(64).collect()
}

fn as_value(desk: &str, view: &DeskView) -> Value {
    let presence = view.presence.as_ref();
    json!({
        "desk": desk,
        "state": word(view),
        "version": presence.map(|presence| &presence.version),
        "since": presence.and_then(|presence| presence.since.as_ref()),
        "report": view.report,
    })
}

#[cfg(test)]
mod tests {
    use cccd_delivery::fleet::{DeskReport, Presence, ReaderReport};

    use super::*;

    fn desk(name: &str) -> DeskView {
        DeskView {
            presence: Some(Presence { state: PresenceState::Up, version: "0.1.0".to_owned(), since: None }),
            report: Some(DeskReport {
                at: "2026-11-29T08:00:00Z".to_owned(),
                started_at: "2026-11-29T07:00:00Z".to_owned(),
                version: "0.1.0".to_owned(),
                configuration: None,
                readers: vec![ReaderReport { name: name.to_owned() }],
                readings_completed: 41,
                readings_failed: [("card-lost".to_owned(), 2), ("no-card".to_owned(), 1)].into(),
                outbox: None,
            }),
        }
    }

    #[test]
    fn a_desks_words_move_no_cursor() {
        let fleet = FleetView::from([
            ("hue-7".to_owned(), desk("Reader\u{1b}[2J\r\n 1")),
            ("hue-8".to_owned(), DeskView::default()),
        ]);
        let table = table(&fleet);
        assert!(table.contains("Reader[2J 1") && !table.contains('\u{1b}'), "{table}");
        let rows: Vec<&str> = table.lines().collect();
        assert!(rows[1].contains("up") && rows[1].contains("41") && rows[1].contains(" 3 "), "{table}");
        assert!(rows[2].contains("unknown"), "{table}");
        assert!(table.ends_with("2 quầy · desk(s), 1 up\n"), "{table}");
    }

    #[test]
    fn programs_get_it_as_it_was_said() {
        let value = as_value("hue-7", &desk("Reader 1"));
        assert_eq!(value["report"]["readings_failed"]["card-lost"], 2);
        assert_eq!((&value["state"], &value["desk"]), (&json!("up"), &json!("hue-7")));
    }
}
