//! `cccd-agent lodging` and `cccd-agent roster`: files of offices, filled and looked at.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use cccd_document::PartialDate;
use cccd_exports::lodging::{
    Counts, Guest, LodgingKind, Note, Stay, Template, foreign_xml, guests_of_json_lines,
};
use cccd_profiles::AgentSettings;
use clap::{Args, Subcommand, ValueEnum};
use time::{Date, Duration};
use zeroize::Zeroizing;

use crate::command_line::say;
use crate::daemon;
use crate::register_command::entries;
use crate::register_desk::roster_in;
use crate::register_tables::{local_day, outputs};

/// The largest file that is looked at.
const LARGEST: u64 = 64 << 20;

/// The forms of the lodging portal
#[derive(Args)]
pub(crate) struct LodgingArguments {
    #[command(subcommand)]
    command: LodgingCommand,
}

#[derive(Subcommand)]
enum LodgingCommand {
    /// Điền mẫu thông báo lưu trú · Fill the portal's own XLSX with the Vietnamese guests, and its XML with the foreign
    Fill(FillArguments),
    /// Đếm khách cho thống kê du lịch · Count guests by day, age group, domestic or foreign; print CSV
    Count {
        #[command(flatten)]
        guests: GuestArguments,
        /// What kind of lodging it is
        #[arg(long, value_name = "KIND")]
        kind: KindArgument,
    },
}

/// Which guests: those of a file, or those who were entered in a register on one day.
#[derive(Args)]
struct GuestArguments {
    /// Guests as JSON lines: {"guest": what the profile lodging gave, "stay": {"arrival": "20/11/2026", "departure":
    /// "21/11/2026", "room": "101", "reason": 1}}
    #[arg(long, value_name = "FILE", required_unless_present = "register")]
    guests: Option<PathBuf>,
    /// A register of the settings, whose sessions are the rooms
    #[arg(long, value_name = "NAME", conflicts_with = "guests")]
    register: Option<String>,
    /// The day they came, dd/MM/yyyy; without it today
    #[arg(long, value_name = "DAY", requires = "register", value_parser = day)]
    day: Option<Date>,
    /// For how many nights they stay
    #[arg(long, value_name = "NUMBER", requires = "register", default_value_t = 1)]
    nights: u16,
    /// The reason of their stay by its number on the portal: 1 for tourism, 18 for treatment
    #[arg(long, value_name = "NUMBER", requires = "register", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..20))]
    reason: u8,
}

#[derive(Args)]
struct FillArguments {
    #[command(flatten)]
    guests: GuestArguments,
    /// Your own copy of the portal's template
    #[arg(long, value_name = "XLSX")]
    template: PathBuf,
    /// Where the filled form goes
    #[arg(long, value_name = "XLSX")]
    out: PathBuf,
    /// Where the form of foreign guests goes; not written where there is none
    #[arg(long, value_name = "XML")]
    foreign: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum KindArgument {
    Hotel,
    GuestHouse,
    Rented,
    Clinic,
    Official,
}

impl From<KindArgument> for LodgingKind {
    fn from(kind: KindArgument) -> Self {
        match kind {
            KindArgument::Hotel => Self::Hotel,
            KindArgument::GuestHouse => Self::GuestHouse,
            KindArgument::Rented => Self::Rented,
            KindArgument::Clinic => Self::Clinic,
            KindArgument::Official => Self::Official,
        }
    }
}

/// Who is expected at an examination or lesson
#[derive(Args)]
pub(crate) struct RosterArguments {
    #[command(subcommand)]
    command: RosterCommand,
}

#[derive(Subcommand)]
enum RosterCommand {
    /// Kiểm tra danh sách · Tell whether a roster can be used, and in which row it is wrong
    Check {
        /// CSV or XLSX
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// Runs `cccd-agent lodging`.
pub(crate) fn lodging(settings: &AgentSettings, arguments: &LodgingArguments) -> Result<ExitCode> {
    match &arguments.command {
        LodgingCommand::Fill(arguments) => fill(settings, arguments),
        LodgingCommand::Count { guests, kind } => {
            let mut counts = Counts::default();
            counts.add(&guests_of(settings, guests)?, (*kind).into());
            let mut out = std::io::stdout().lock();
            out.write_all(&counts.to_csv()).and_then(|()| out.flush()).context("cannot print")?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Runs `cccd-agent roster`.
pub(crate) fn roster(arguments: &RosterArguments) -> Result<ExitCode> {
    let RosterCommand::Check { file } = &arguments.command;
    let roster = roster_in(file)?;
    let sessions: Vec<_> =
        roster.sessions().into_iter().map(|session| if session.is_empty() { "-" } else { session }).collect();
    let (count, sessions) = (roster.candidates().len(), sessions.join(", "));
    say(&format!("dùng được · can be used: {count}; ca · sessions: {sessions}\n"))
}

/// A day as people write it.
fn day(text: &str) -> Result<Date, &'static str> {
    PartialDate::from_printed(text).and_then(PartialDate::day).ok_or("dd/MM/yyyy")
}

fn guests_of(settings: &AgentSettings, arguments: &GuestArguments) -> Result<Vec<Guest>> {
    let Some(name) = &arguments.register else {
        return guests_in(arguments.guests.as_deref().context("--guests or --register")?);
    };
    let day = arguments.day.unwrap_or_else(|| local_day(daemon::now()));
    let departure = day.checked_add(Duration::days(arguments.nights.into())).context("--nights")?;
    let came: Vec<_> =
        entries(settings, name, None)?.into_iter().filter(|entry| local_day(entry.at) == day).collect();
    let rooms: Vec<_> = came.iter().map(|entry| entry.session.clone()).collect();
    let guest = |(output, room)| {
        let stay =
            Stay { arrival: day, departure, room, reason: arguments.reason, other_reason: String::new() };
        Guest::of(&output, stay).context("an entry of the register names no guest")
    };
    outputs(&came)?.into_iter().zip(rooms).map(guest).collect()
}

fn guests_in(path: &Path) -> Result<Vec<cccd_exports::lodging::Guest>> {
    let shown = path.display();
    let bytes = Zeroizing::new(bytes_of(path)?);
    let text = std::str::from_utf8(&bytes).with_context(|| format!("{shown} is not UTF-8"))?;
    guests_of_json_lines(text).with_context(|| format!("{shown} cannot be used"))
}

fn fill(settings: &AgentSettings, arguments: &FillArguments) -> Result<ExitCode> {
    let guests = guests_of(settings, &arguments.guests)?;
    let template = Template::open(bytes_of(&arguments.template)?)
        .with_context(|| format!("{} cannot be used", arguments.template.display()))?;
    let filled = template.fill(&guests, local_day(daemon::now()))?;
    write_private(&arguments.out, &filled.xlsx)?;
    for (row, note) in &filled.notes {
        let words = match note {
            Note::BirthIncomplete => "ngày sinh không đủ ngày, tháng, năm · the date of birth is not whole",
            Note::ArrivalNotNow => {
                "ngày đến không phải hôm nay hay hôm qua · the arrival is neither today nor yesterday"
            }
            _ => "mục chọn không có trong danh mục của mẫu · a choice is not in the template's lists",
        };
        writeln!(std::io::stderr(), "dòng · row {row}: {words}").context("cannot print")?;
    }
    let foreign = match foreign_xml(&guests)? {
        None => 0,
        Some(xml) => {
            let path = arguments.foreign.as_deref().context("there are foreign guests: --foreign FILE")?;
            write_private(path, &xml)?;
            guests.iter().filter(|guest| guest.is_foreign()).count()
        }
    };
    say(&format!(
        "khách Việt Nam · Vietnamese guests: {}; khách nước ngoài · foreign guests: {foreign}\n\
         Sau khi tải lên, đối chiếu số khách trên cổng · after the upload compare the portal's own count\n",
        filled.guests
    ))
}

pub(crate) fn bytes_of(path: &Path) -> Result<Vec<u8>> {
    let shown = path.display();
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(|| format!("cannot open {shown}"))?;
    file.take(LARGEST).read_to_end(&mut bytes).with_context(|| format!("cannot read {shown}"))?;
    Ok(bytes)
}

/// Writes a file about people, which is nobody else's business.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    let shown = path.display();
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).with_context(|| format!("cannot write {shown}"))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).with_context(|| format!("cannot write {shown}"))
}
