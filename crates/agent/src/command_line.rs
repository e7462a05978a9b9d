//! `cccd-agent` at a terminal.

#[cfg(test)]
mod named;
#[cfg(test)]
mod unit_file;

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use cccd_document::Biometric;
use cccd_profiles::{AgentSettings, TokenHash};
use clap::{Args, Parser, Subcommand, ValueEnum};
use zeroize::Zeroizing;

use crate::audit::{self, AuditArguments};
use crate::browser_policy::BrowserPolicyArguments;
use crate::daemon::Signals;
use crate::doctor::{self, DoctorArguments};
use crate::fleet::{self, FleetArguments};
use crate::lodging_command::{self, LodgingArguments, RosterArguments};
use crate::outbox_command::{self, OutboxArguments};
use crate::pages_command::{GrantsArguments, PairArguments, StatusArguments};
use crate::profile_command::ProfileArguments;
use crate::record_command::{self, RecordArguments};
use crate::register_command::{self, RegisterArguments};
use crate::scanners_command::ScannersArguments;
use crate::served::{self, Follower, ServedArguments};
use crate::site_command::{self, SiteArguments};
use crate::trace::TraceArguments;
use crate::trust::TrustArguments;
use crate::verify_command::{self, VerifyArguments};
use crate::{
    Agent, browser_policy, daemon, evidence_key, logging, pages_command, private_file, profile_command,
    read_command, scan_command, scanners_command, station, tls_command, trace, trust,
};

/// Đọc thẻ Căn cước gắn chip · Reads Vietnamese chip ID cards
#[derive(Parser)]
#[command(name = "cccd-agent", version, max_term_width = 100)]
struct CommandLine {
    /// Settings file; without one, the defaults
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Log level, over the one in the settings
    #[arg(long, global = true, value_name = "LEVEL")]
    log: Option<LogLevel>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

#[derive(Subcommand)]
enum Command {
    /// Chạy dịch vụ trên máy này · Serve the local API until stopped
    Run,
    /// Đọc một thẻ và in ra · Read one card and print it
    Read(ReadArguments),
    /// Đọc mã QR trong một ảnh · Read the QR codes of a picture and print what they say
    Scan(ScanArguments),
    /// Kiểm tra chứng cứ, không cần thẻ và mạng · Judge evidence again, with no card and no network
    Verify(VerifyArguments),
    /// Lập biên bản đọc thẻ (PDF/A) từ chứng cứ · Make a record of a reading, as PDF/A, from evidence
    Record(RecordArguments),
    /// In khóa công khai của máy này · Print this machine's public key, which its evidence is signed with
    EvidenceKey,
    /// Liệt kê đầu đọc · List the readers of this machine
    Readers,
    /// Liệt kê máy quét mã QR · List the scanners of QR codes, or try one
    Scanners(ScannersArguments),
    /// Tạo mã truy cập cho một phần mềm · Make a token for a program, and the line for the settings
    Token {
        /// The caller's name in the settings
        #[arg(default_value = "clinic")]
        name: String,
        /// Write the token into this new file, which only its owner can read, and show it nowhere
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Tạo khối cấu hình cho một trang web có máy chủ ký mã · Write the settings block of a site whose backend signs
    Site(SiteArguments),
    /// Hiện mã ghép của trang web đang xin · Show which web page asks to be paired, and its code
    Pair(PairArguments),
    /// Các trang đã ghép · List the web pages that were paired, or take one back
    Grants(GrantsArguments),
    /// Tình trạng dịch vụ đang chạy · Say how the running agent is
    Status(StatusArguments),
    /// Ghi lại và chạy lại một lần đọc · Record how a reading goes, and have it again
    Trace(TraceArguments),
    /// Quản lý chứng thư CSCA được tin cậy · Manage the trusted CSCA certificates
    Trust(TrustArguments),
    /// Bên nhận dữ liệu được gì · What consumers get of a card: list, check, show, try
    Profile(ProfileArguments),
    /// Viết chính sách trình duyệt để trang gọi được máy này · Write the policy that lets a browser's pages call this machine
    BrowserPolicy(BrowserPolicyArguments),
    /// Chứng thư HTTPS của máy này · Which certificates this machine has for https, and how to install them
    Tls,
    /// Xem, kiểm tra và xuất nhật ký kiểm toán · Show, check and export the audit chain
    Audit(AuditArguments),
    /// Kết quả chưa gửi được · Results on their way to other systems: list, retry, drop
    Outbox(OutboxArguments),
    /// Các quầy của một đơn vị · Desks of one operator, as their broker has them
    Fleet(FleetArguments),
    /// Cấu hình chung của nhiều quầy · Settings that many desks have in common: sign, look, go back
    Served(ServedArguments),
    /// Mẫu của cổng thông báo lưu trú · Fill the forms of the lodging portal, count guests
    Lodging(LodgingArguments),
    /// Sổ ghi người đã đến · Who has come: list, export, attendance, manifest, forget
    Register(RegisterArguments),
    /// Danh sách thí sinh, học viên · Look at a roster of candidates or learners
    Roster(RosterArguments),
    /// Kiểm tra tệp cấu hình · Tell whether the settings file can be used
    CheckConfig,
    /// Khám cả quầy, nói chỗ hỏng và cách sửa · Look at the whole desk: what is wrong, whose move it is, what to do
    Doctor(DoctorArguments),
    /// What libnfc runs in; started by the daemon, once for each NFC reader
    #[command(hide = true)]
    NfcWorker {
        /// Where libnfc finds the reader
        connstring: String,
    },
    /// In hợp đồng API · Print the API contract (OpenAPI 3.1)
    Openapi,
}

/// What opens the chip: one of these. `-` takes it from standard input, so that it stands in no process list.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub(crate) struct AccessArguments {
    /// Six digits printed on the card, on a Vietnamese card the last six of its number
    #[arg(long, value_name = "DIGITS")]
    pub(crate) can: Option<String>,
    /// The text of the card's QR code
    #[arg(long, value_name = "TEXT")]
    pub(crate) qr: Option<String>,
    /// The MRZ, whole lines
    #[arg(long, value_name = "LINES")]
    pub(crate) mrz: Option<String>,
    /// The twelve digits of the card's number
    #[arg(long, value_name = "DIGITS")]
    pub(crate) id: Option<String>,
    /// The QR code that is scanned next, by any scanner; one that types, types into standard input
    #[arg(long)]
    pub(crate) scan: bool,
    /// The QR code in this picture
    #[arg(long, value_name = "FILE")]
    pub(crate) image: Option<String>,
}

#[derive(Args)]
pub(crate) struct ScanArguments {
    /// A JPEG, PNG, WebP or BMP; `-` takes it from standard input
    #[arg(value_name = "IMAGE")]
    pub(crate) image: String,
    /// Print the codes as JSON, as the API gives them
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct ReadArguments {
    #[command(flatten)]
    pub(crate) access: AccessArguments,
    /// Which reader, as `cccd-agent readers` names it; without it, the one with a card
    #[arg(long, value_name = "ID")]
    pub(crate) reader: Option<String>,
    /// Write the face to this file, as the chip holds it
    #[arg(long, value_name = "FILE")]
    pub(crate) portrait: Option<PathBuf>,
    /// Ask for fingerprints, irises or both (with a comma); it takes a `[terminal]` in the settings
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    pub(crate) biometrics: Vec<BiometricArgument>,
    /// Write the pictures of fingerprints and irises into this folder, as the chip holds them
    #[arg(long, value_name = "DIR", requires = "biometrics")]
    pub(crate) biometrics_out: Option<PathBuf>,
    /// Print the result as JSON, as the API gives it
    #[arg(long)]
    pub(crate) json: bool,
    /// Seconds to wait for a card, and for a scan before it
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) wait: Option<u64>,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum BiometricArgument {
    Fingerprints,
    Irises,
}

impl From<BiometricArgument> for Biometric {
    fn from(argument: BiometricArgument) -> Self {
        match argument {
            BiometricArgument::Fingerprints => Self::Fingerprints,
            BiometricArgument::Irises => Self::Irises,
        }
    }
}

/// The program.
pub fn main() -> ExitCode {
    let line = CommandLine::parse();
    match run(line) {
        Ok(code) => code,
        Err(error) => {
            // Nothing more can be done where even standard error is closed.
            let _ = writeln!(std::io::stderr(), "cccd-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(line: CommandLine) -> Result<ExitCode> {
    if let Command::NfcWorker { connstring } = &line.command {
        // It has no settings and no log: it talks to the daemon alone.
        return Ok(cccd_readers::nfc_worker(connstring));
    }
    if let Command::Doctor(arguments) = &line.command {
        // What keeps the others from starting is what this one looks for.
        return doctor::run(line.config.as_deref(), arguments);
    }
    let (text, mut settings) = load(line.config.as_deref())?;
    match (line.log, &line.command) {
        (Some(level), _) => settings.log.level = level.name().to_owned(),
        // At a terminal the answer is the message.
        (None, Command::Run) => {}
        (None, _) => settings.log.level = "warn".to_owned(),
    }
    logging::start(&settings.log);
    match line.command {
        Command::Run => serve(&text, &settings),
        Command::Read(arguments) => read_command::read(&settings, &arguments),
        Command::Scan(arguments) => scan_command::scan(&arguments),
        Command::Verify(arguments) => verify_command::verify(&settings, &arguments),
        Command::Record(arguments) => record_command::record(&settings, &arguments),
        Command::EvidenceKey => evidence_key(&settings),
        Command::Readers => read_command::list_readers(&settings),
        Command::Scanners(arguments) => scanners_command::run(&settings, &arguments),
        Command::Site(arguments) => site_command::site(&settings, &arguments),
        Command::Token { name, file } => token(&name, file.as_deref()),
        Command::Pair(arguments) => pages_command::pair(&settings, &arguments),
        Command::Grants(arguments) => pages_command::grants(&settings, &arguments),
        Command::Status(arguments) => pages_command::status(&settings, &arguments),
        Command::Trust(arguments) => trust::run(&settings.trust, &settings.store, &arguments),
        Command::Audit(arguments) => audit::run(&settings.store, &arguments),
        Command::Trace(arguments) => trace::run(&settings, &arguments),
        Command::Register(arguments) => register_command::run(&settings, &arguments),
        Command::Lodging(arguments) => lodging_command::lodging(&settings, &arguments),
        Command::Roster(arguments) => lodging_command::roster(&arguments),
        Command::Fleet(arguments) => fleet::run(&settings, &arguments),
        Command::Served(arguments) => served::run(&settings, &arguments),
        Command::Outbox(arguments) => outbox_command::run(&settings, &arguments),
        Command::Profile(arguments) => profile_command::run(&settings, &arguments),
        Command::Tls => tls_command::run(&settings.api.tls),
        Command::BrowserPolicy(arguments) => browser_policy::run(&arguments),
        Command::CheckConfig => check_config(&settings),
        Command::NfcWorker { .. } | Command::Doctor(_) => Ok(ExitCode::FAILURE),
        Command::Openapi => say(&cccd_api::openapi_json()),
    }
}

impl LogLevel {
    fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

fn load(path: Option<&Path>) -> Result<(String, AgentSettings)> {
    let Some(path) = path else {
        return Ok((String::new(), AgentSettings::parse("").context("default settings")?));
    };
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
    let settings = AgentSettings::parse(&text).with_context(|| format!("{shown} cannot be used"))?;
    Ok((text, settings))
}

/// Says what the settings come to; a station that cannot be used is a mistake in them.
fn check_config(settings: &AgentSettings) -> Result<ExitCode> {
    let station = match &settings.terminal {
        None => String::new(),
        Some(terminal) => station::check(terminal, daemon::now().date())?,
    };
    say(&format!(
        "cấu hình dùng được · settings can be used: {} caller(s), API on {}\n{station}",
        settings.callers.len(),
        settings.api.listen
    ))
}

fn serve(text: &str, own: &AgentSettings) -> Result<ExitCode> {
    if own.callers.is_empty() {
        tracing::warn!("the settings name no caller, so nobody may call; `cccd-agent token` makes one");
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let mut signals = runtime.block_on(async { Signals::listen() }).context("cannot wait for signals")?;
    let mut follower = Follower::start(text, own)?;
    let mut goes_on = true;
    while goes_on {
        if let Some(follower) = &mut follower {
            follower.seen();
        }
        let agent = start_with_the_best(text, own)?;
        let newer = async {
            match &mut follower {
                Some(follower) => follower.changed().await,
                None => std::future::pending().await,
            }
        };
        goes_on = runtime.block_on(async {
            tokio::select! {
                () = signals.ends() => false,
                () = newer => true,
            }
        });
        tracing::info!("stopping");
        agent.stop();
    }
    if let Some(follower) = follower {
        follower.stop();
    }
    Ok(ExitCode::SUCCESS)
}

/// With the newest served settings that the desk can start with; where nothing is served, with its own.
fn start_with_the_best(text: &str, own: &AgentSettings) -> Result<Agent> {
    let mut last = None;
    for settings in served::choices(text, own) {
        match Agent::start(&settings, daemon::readers(&settings), daemon::scanners(&settings)) {
            Ok(agent) => {
                served::in_force(own, settings.served_version);
                return Ok(agent);
            }
            Err(error) => {
                if let Some(version) = settings.served_version {
                    tracing::error!(version, "the desk cannot start with these served settings: {error:#}");
                }
                last = Some(error);
            }
        }
    }
    Err(last.unwrap_or_else(|| anyhow::anyhow!("no settings to start with")))
}

/// Shows the machine's public key: its name on standard error, the key itself on standard output.
fn evidence_key(settings: &AgentSettings) -> Result<ExitCode> {
    let key = evidence_key::read_or_make(&settings.evidence.key_file)?;
    writeln!(std::io::stderr(), "--agent-key {}", key.key_id()).context("cannot print")?;
    say(&(key.public_jwk_text() + "\n"))
}

/// Draws a token. It is shown once; the settings keep its hash.
fn token(name: &str, file: Option<&Path>) -> Result<ExitCode> {
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(secret.as_mut_slice()).context("the operating system gives no randomness")?;
    let token = Zeroizing::new(hex::encode(secret.as_slice()));
    let hash = TokenHash::of(&token).to_hex();
    if let Some(file) = file {
        private_file::create(file, format!("{}\n", token.as_str()).as_bytes())?;
        return say(&settings_block(name, &hash));
    }
    // To standard error, so that standard output can go straight into the settings file without the token.
    let mut aside = std::io::stderr().lock();
    writeln!(aside, "Mã chỉ hiện một lần, trao cho phần mềm gọi · shown once, for the caller:")
        .context("cannot print")?;
    writeln!(aside, "Authorization: Bearer {}", token.as_str()).context("cannot print")?;
    say(&settings_block(name, &hash))
}

fn settings_block(name: &str, hash: &str) -> String {
    format!("[[caller]]\nname = \"{name}\"\ntoken_sha256 = \"{hash}\"\norigins = []\n")
}

/// Takes a value from the command line, or from standard input where it is `-`.
pub(crate) fn value_or_stdin(value: &str) -> Result<Zeroizing<String>> {
    if value != "-" {
        return Ok(Zeroizing::new(value.to_owned()));
    }
    let mut text = Zeroizing::new(String::new());
    std::io::stdin().take(4096).read_to_string(&mut text).context("cannot read standard input")?;
    Ok(text)
}

/// Prints an answer.
pub(crate) fn say(text: &str) -> Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot print")?;
    Ok(ExitCode::SUCCESS)
}
