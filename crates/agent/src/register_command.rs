//! `cccd-agent register`: who has come, as files of offices.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use cccd_consumers::Shaped;
use cccd_exports::Table;
use cccd_profiles::{AgentSettings, RegisterSettings};
use cccd_store::{RegisterEntry, Registers, Store};
use clap::{Args, Subcommand};
use zeroize::Zeroizing;

use crate::command_line::say;
use crate::daemon::now;
use crate::lodging_command::write_private;
use crate::register_desk::roster_in;
use crate::register_tables;

/// Who has come
#[derive(Args)]
pub(crate) struct RegisterArguments {
    #[command(subcommand)]
    command: RegisterCommand,
}

#[derive(Subcommand)]
enum RegisterCommand {
    /// Liệt kê các sổ · List the sessions of all registers, and how many are in; nobody by name
    List,
    /// Xuất sổ · Write who has come: a row for each, with the names of the profile
    Export(ExportArguments),
    /// Bảng điểm danh · Write everybody on the roster of a session, and when they came
    Attendance(ExportArguments),
    /// Danh sách hành khách · Write the passengers of a trip
    Manifest(ExportArguments),
    /// Xóa sổ · Forget who has come
    Forget {
        /// The register's name in the settings
        name: String,
        /// One session of it; without this all of them
        #[arg(long, value_name = "SESSION")]
        session: Option<String>,
    },
}

#[derive(Args)]
struct ExportArguments {
    /// The register's name in the settings
    name: String,
    /// The session, trip or day
    #[arg(long, value_name = "SESSION")]
    session: Option<String>,
    /// The file, whose ending says what it is: .csv, .xlsx, .xml or .jsonl
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Runs `cccd-agent register`.
pub(crate) fn run(settings: &AgentSettings, arguments: &RegisterArguments) -> Result<ExitCode> {
    match &arguments.command {
        RegisterCommand::List => list(settings),
        RegisterCommand::Export(arguments) => {
            let entries = entries(settings, &arguments.name, arguments.session.as_deref())?;
            let objects = register_tables::outputs(&entries)?;
            write(&register_tables::of_entries(&entries)?, Some(&objects), &arguments.out)
        }
        RegisterCommand::Attendance(arguments) => attendance(settings, arguments),
        RegisterCommand::Manifest(arguments) => {
            let entries = entries(settings, &arguments.name, arguments.session.as_deref())?;
            write(&register_tables::manifest(&entries)?, None, &arguments.out)
        }
        RegisterCommand::Forget { name, session } => {
            let gone = kept(settings)?.forget(of_name(settings, name)?, session.as_deref(), now())?;
            say(&format!("đã xóa · forgotten: {gone}\n"))
        }
    }
}

fn of_name<'a>(settings: &'a AgentSettings, name: &str) -> Result<&'a str> {
    register(settings, name).map(|register| register.name.as_str())
}

fn register<'a>(settings: &'a AgentSettings, name: &str) -> Result<&'a RegisterSettings> {
    let found = settings.registers.iter().find(|register| register.name == name);
    found.with_context(|| format!("không có sổ này · the settings name no register {name:?}"))
}

fn kept(settings: &AgentSettings) -> Result<Registers> {
    let folder = &settings.store.folder;
    Registers::join(folder).with_context(|| format!("cannot open the registers in {}", folder.display()))
}

/// Who is in.
pub(crate) fn entries(
    settings: &AgentSettings,
    name: &str,
    session: Option<&str>,
) -> Result<Vec<RegisterEntry>> {
    Ok(kept(settings)?.entries(of_name(settings, name)?, session)?)
}

fn list(settings: &AgentSettings) -> Result<ExitCode> {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["register", "session", "in", "first", "last"]);
    for view in kept(settings)?.sessions()? {
        let (first, last) = (cccd_api::moment(view.first), cccd_api::moment(view.last));
        table.add_row([view.register, view.session, view.entries.to_string(), first, last]);
    }
    say(&format!("{table}\n"))
}

fn attendance(settings: &AgentSettings, arguments: &ExportArguments) -> Result<ExitCode> {
    let register = register(settings, &arguments.name)?;
    let path =
        register.roster.as_deref().context("sổ này không có danh sách · the register has no roster")?;
    let roster = roster_in(path)?;
    let session = arguments.session.clone().unwrap_or_default();
    let store = Store::join(&settings.store.folder, now()).context("cannot open the store")?;
    let came = entries(settings, &arguments.name, Some(&session))?;
    let table = register_tables::attendance(&roster, &session, &register.name, &store, &came)?;
    write(&table, None, &arguments.out)
}

/// Writes a table as the ending of the file has it; JSON lines hold the objects as they are.
fn write(table: &Table, objects: Option<&[Shaped]>, out: &Path) -> Result<ExitCode> {
    let ending = out.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let bytes = match (ending, objects) {
        ("csv", _) => table.to_csv(),
        ("xlsx", _) => table.to_xlsx()?,
        ("xml", _) => table.to_xml()?,
        ("jsonl", Some(objects)) => {
            let mut lines = Zeroizing::new(Vec::new());
            for object in objects {
                lines.extend_from_slice(object.to_json().as_bytes());
                lines.push(b'\n');
            }
            lines
        }
        _ => bail!("{}: .csv, .xlsx, .xml (hay · or .jsonl)", out.display()),
    };
    write_private(out, &bytes)?;
    say(&format!("{}: {}\n", out.display(), table.len()))
}
