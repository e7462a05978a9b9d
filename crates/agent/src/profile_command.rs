//! `cccd-agent profile`: what consumers get of a card, looked at and tried without one.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use cccd_consumers::{Disclosure, InventedReading, PseudonymKey, Subject, disclose};
use cccd_document::{DataGroup2, FileId};
use cccd_profiles::consumer::{Otherwise, Touch};
use cccd_profiles::{AgentSettings, ConsumerCatalogue, ConsumerProfile};
use cccd_trust::Summary;
use clap::{Args, Subcommand, ValueEnum};
use zeroize::Zeroizing;

use crate::command_line::say;
use crate::profile_files::{files_in, profile_in, pseudonym_key};
use crate::verify_command::{Reread, reread};

/// What consumers get of a card
#[derive(Args)]
pub(crate) struct ProfileArguments {
    #[command(subcommand)]
    command: ProfileCommand,
}

#[derive(Subcommand)]
enum ProfileCommand {
    /// Liệt kê hồ sơ · List the profiles that come with the program and those of the settings' folder
    List,
    /// Kiểm tra tệp hồ sơ · Tell whether profile files can be used, and where they are wrong
    Check {
        /// The files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Hồ sơ lấy gì, để làm gì · Tell what a profile takes, what for, and what it demands
    Show {
        /// A profile's name, or a file
        #[arg(value_name = "PROFILE")]
        profile: String,
    },
    /// Thử hồ sơ với người giả định hoặc một chứng cứ · Print what a consumer would get, of an invented person or of
    /// evidence
    Try(TryArguments),
    /// In lược đồ JSON cho trình soạn thảo · Print the JSON Schema of profiles, for editors
    Schema,
}

#[derive(Args)]
struct TryArguments {
    /// A profile's name, or a file
    #[arg(value_name = "PROFILE")]
    profile: String,
    /// Evidence of a reading with its groups, as GET /v1/reads/{id}/evidence?groups=true gave it
    #[arg(long, value_name = "FILE")]
    evidence: Option<PathBuf>,
    /// A folder of trusted CSCA certificates to judge it by; without it, the trust store of this machine
    #[arg(long, value_name = "DIR", requires = "evidence")]
    anchors: Option<PathBuf>,
    /// What is to be thought of the invented person's card
    #[arg(long, value_name = "VERDICT", default_value = "genuine", conflicts_with = "evidence")]
    verdict: Supposed,
}

#[derive(Clone, Copy, ValueEnum)]
enum Supposed {
    Genuine,
    Unconfirmed,
    NotGenuine,
}

impl From<Supposed> for Summary {
    fn from(supposed: Supposed) -> Self {
        match supposed {
            Supposed::Genuine => Self::Genuine,
            Supposed::Unconfirmed => Self::Unconfirmed,
            Supposed::NotGenuine => Self::NotGenuine,
        }
    }
}

/// Runs `cccd-agent profile`.
pub(crate) fn run(settings: &AgentSettings, arguments: &ProfileArguments) -> Result<ExitCode> {
    match &arguments.command {
        ProfileCommand::List => list(settings),
        ProfileCommand::Check { files } => check(files),
        ProfileCommand::Show { profile } => say(&described(&named_or_in_file(settings, profile)?)),
        ProfileCommand::Try(arguments) => try_out(settings, arguments),
        ProfileCommand::Schema => say(&ConsumerProfile::json_schema()),
    }
}

/// A profile by its name, or in a file: a name that is a path is one.
pub(crate) fn named_or_in_file(settings: &AgentSettings, named: &str) -> Result<ConsumerProfile> {
    let path = Path::new(named);
    if path.extension().is_some() || path.components().count() > 1 {
        return profile_in(path);
    }
    let own = settings.profiles.directory.join(format!("{named}.toml"));
    if own.exists() {
        return profile_in(&own);
    }
    let shipped = ConsumerCatalogue::shipped();
    shipped.find(named).cloned().with_context(|| format!("không có hồ sơ {named:?} · no profile {named:?}"))
}

fn list(settings: &AgentSettings) -> Result<ExitCode> {
    let mut catalogue = ConsumerCatalogue::shipped();
    let mut own = Vec::new();
    for path in files_in(&settings.profiles.directory) {
        match profile_in(&path) {
            Ok(profile) => {
                own.push(profile.name.clone());
                catalogue.insert(profile);
            }
            Err(error) => writeln!(std::io::stderr(), "{error:#}").context("cannot print")?,
        }
    }
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header(["profile", "", "", "groups"]);
    for profile in catalogue.all() {
        let from = if own.contains(&profile.name) { "*" } else { "" };
        let groups: Vec<String> = profile.groups().iter().map(ToString::to_string).collect();
        table.add_row([
            profile.name.clone(),
            from.to_owned(),
            format!("{} · {}", profile.title.vi, profile.title.en),
            groups.join(" "),
        ]);
    }
    say(&format!("{table}\n"))
}

fn check(files: &[PathBuf]) -> Result<ExitCode> {
    let mut wrong = 0;
    for file in files {
        match profile_in(file) {
            Ok(profile) => {
                say(&format!("{}: dùng được · can be used: {}\n", file.display(), profile.name))?;
            }
            Err(error) => {
                wrong += 1;
                writeln!(std::io::stderr(), "{error:#}").context("cannot print")?;
            }
        }
    }
    Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A profile in words, for whoever answers for it.
fn described(profile: &ConsumerProfile) -> String {
    let mut lines = vec![
        format!("{}: {} · {}", profile.name, profile.title.vi, profile.title.en),
        format!("Mục đích · purpose: {} · {}", profile.purpose.vi, profile.purpose.en),
        format!("Căn cứ · legal basis: {} · {}", profile.legal_basis.vi, profile.legal_basis.en),
    ];
    let groups: Vec<String> = profile.groups().iter().map(ToString::to_string).collect();
    lines.push(format!("Nhóm dữ liệu đọc từ chip · groups read: {}", groups.join(", ")));
    lines.push("Dữ liệu lấy · fields taken:".to_owned());
    for (datum, sources) in &profile.fields {
        let sources: Vec<_> = sources.iter().map(ToString::to_string).collect();
        let needed = if profile.required.contains(datum) { ", bắt buộc · required" } else { "" };
        let touch = match datum.touch() {
            Touch::Plain => "",
            Touch::Portrait => ", ảnh · portrait",
            Touch::Family => ", gia đình · family",
            Touch::Sensitive => ", nhạy cảm · sensitive",
        };
        lines.push(format!("  {datum}: {}{needed}{touch}", sources.join(", ")));
    }
    lines.push("Yêu cầu · demands:".to_owned());
    for (demand, otherwise) in &profile.checks {
        let otherwise = match otherwise {
            Otherwise::Record => "ghi lại · record",
            Otherwise::Warn => "cảnh báo · warn",
            Otherwise::Refuse => "từ chối · refuse",
        };
        lines.push(format!("  {demand}: {otherwise}"));
    }
    lines.push(format!("Lưu giữ · kept for: {} ngày · day(s)", profile.retention_days));
    lines.join("\n") + "\n"
}

fn try_out(settings: &AgentSettings, arguments: &TryArguments) -> Result<ExitCode> {
    let profile = named_or_in_file(settings, &arguments.profile)?;
    let key = key_to_try(&profile)?;
    let Some(file) = &arguments.evidence else {
        let reading = InventedReading::new(arguments.verdict.into());
        return tell(&disclose(&profile, &reading.subject(), key.as_ref())?);
    };
    let Reread { opened, verdict, .. } = reread(settings, file, arguments.anchors.as_deref())?;
    if opened.evidence.files.is_empty() {
        bail!("chứng cứ không có dữ liệu · the evidence holds no groups: fetch it with ?groups=true");
    }
    let face = opened.evidence.bytes(FileId::DG2).and_then(|bytes| DataGroup2::parse(bytes).ok());
    let subject = Subject {
        evidence: &opened.evidence,
        verdict: &verdict,
        portrait: face.as_ref().and_then(DataGroup2::portrait),
        code: None,
        insurance: None,
        finished: opened.read_at,
        read_id: &opened.read_id,
        reader_id: "",
    };
    tell(&disclose(&profile, &subject, key.as_ref())?)
}

/// The operator's key where it is there, and otherwise one that makes pseudonyms of nobody.
fn key_to_try(profile: &ConsumerProfile) -> Result<Option<PseudonymKey>> {
    let Some(rule) = &profile.token else { return Ok(None) };
    if rule.key_file.exists() {
        return pseudonym_key(rule).map(Some);
    }
    writeln!(
        std::io::stderr(),
        "chưa có khóa {0}, dùng khóa thử · {0} is not there: pseudonyms are made with a key for trying",
        rule.key_file.display()
    )
    .context("cannot print")?;
    Ok(Some(PseudonymKey::new(Zeroizing::new(vec![0; 32]))?))
}

/// Prints what a consumer would get; ends with 3 where that is nothing.
fn tell(disclosure: &Disclosure) -> Result<ExitCode> {
    say(&cccd_api::disclosure_json(disclosure))?;
    Ok(if disclosure.output.is_some() { ExitCode::SUCCESS } else { ExitCode::from(3) })
}
