//! `firmware-sim`: simulated readers with invented cards in them, and scanners, for developing against.

#![forbid(unsafe_code)]

mod cards;
mod desk;
mod scanners;
mod stations;
mod trust;

use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use cccd_firmware_sim::pki::{DigestKind, SignerKind};
use cccd_firmware_sim::reader::control::{
    Code, Order, OrderDesk, ReaderStatus, Reply, ScannerStatus, Status, When, give,
};
use cccd_firmware_sim::scanner::Glitch;
use cccd_firmware_sim::timing::{BitRate, Timing};
use clap::{Args, Parser, Subcommand};
use serde::Serialize;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use cards::{Press, Printed, TrustFiles};
use desk::Desk;
use stations::StationFiles;

const INVENTED: &str = "Everything here is invented: the people, the numbers, the authorities that signed. \
No card of this simulator proves anything.";

/// Simulated chip card readers, behind the real smart-card service, with invented cards in them.
///
/// A developer's tool: it needs no hardware and has no place on a desk where people are served.
#[derive(Parser)]
#[command(name = "firmware-sim", version)]
struct Cli {
    #[command(subcommand)]
    task: CliTask,
}

#[derive(Subcommand)]
enum CliTask {
    /// Starts readers and runs until Ctrl-C.
    Run(Run),
    /// Puts a card into an empty reader of a running simulator.
    Insert(WithCard),
    /// Takes the card out of a reader.
    Remove(OnReader),
    /// Puts a card in place of the one that lies in a reader.
    Swap(WithCard),
    /// Makes a reader go wrong, or be good again.
    Trouble(GoWrong),
    /// Scans a code on a scanner of a running simulator.
    Scan(Scan),
    /// Pulls the cable of a reader or scanner.
    Unplug(OnDevice),
    /// Plugs a reader or scanner in again. For a reader the simulated service restarts, as it finds such readers only
    /// at its start.
    Plug(OnDevice),
    /// Lists the readers and scanners of a running simulator, and what lies in them.
    List(InFolder),
    /// Prints the whole state of a running simulator as JSON.
    Status(InFolder),
    /// Lists the cards that come with the simulator.
    Cards,
    /// Lists the models a simulated scanner can be.
    Scanners,
    /// Lists the lies a card can tell; `NAME+LIE` wherever a card is named makes one that does, and writes the
    /// certificates and lists of its true state into the same folder as the others.
    Lies,
    /// Writes lists of invented authorities into a folder, in every form a trust store may be given.
    Trust {
        /// The folder; it is made if need be, and what it holds of that name is overwritten.
        #[arg(long)]
        out: PathBuf,
        /// How many authorities.
        #[arg(long, default_value_t = 600)]
        count: usize,
    },
    /// Writes the files of a card into a folder, as a chip would give them out.
    Image {
        /// A shipped card's name, or a TOML file; with +LIE behind it, one that lies.
        card: String,
        /// The folder; it is made if need be, and nothing in it is overwritten.
        #[arg(long)]
        out: PathBuf,
    },
}

#[derive(Args)]
struct Run {
    /// A card for the next reader: a shipped card's name, or a TOML file. May be repeated.
    #[arg(long = "card", value_name = "NAME|FILE")]
    cards: Vec<String>,
    /// How many readers behind the smart-card service; where not given, as many as there are cards that no PN532 takes,
    /// and at least one unless there is a PN532 or a scanner. With 0 no smart-card service is started.
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=15))]
    readers: Option<u8>,
    /// A PN532, or as many as are said, for libnfc beside the readers: with the last cards on them.
    #[arg(long, value_name = "COUNT", num_args = 0..=1, default_value_t = 0, default_missing_value = "1",
          value_parser = clap::value_parser!(u8).range(0..=15))]
    pn532: u8,
    /// A serial scanner of this model beside the readers. May be repeated.
    #[arg(long = "scanner", value_name = "MODEL")]
    scanners: Vec<String>,
    /// Use the slots of a vpcd that listens on 127.0.0.1 from this port on, and no service of our own.
    #[arg(long, value_name = "PORT")]
    vpcd: Option<u16>,
    /// Write the line of --print-json to this file once everything stands.
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// Print one line of JSON once everything stands, and nothing else.
    #[arg(long)]
    print_json: bool,
    /// Cards take as long as real ones would at this bit rate: 106, 212, 424 or 848 kbit/s.
    #[arg(long, value_name = "KBITS", value_parser = bit_rate)]
    timing: Option<BitRate>,
    /// With --timing: what each command costs beside its bytes, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 15, requires = "timing")]
    overhead: u64,
    /// The keys of the invented authorities, such as rsa-pss-4096 or ecdsa-brainpool-p384r1-explicit.
    #[arg(long, value_name = "KIND", default_value_t = SignerKind::ECDSA_P384)]
    csca: SignerKind,
    /// The hash under their signatures: sha1 to sha512.
    #[arg(long, value_name = "DIGEST", default_value_t = DigestKind::Sha384)]
    csca_digest: DigestKind,
    #[command(flatten)]
    folder: InFolder,
}

#[derive(Args)]
struct InFolder {
    /// The running simulator's folder.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(Args)]
struct OnReader {
    /// Which reader, counted from 0.
    #[arg(long, default_value_t = 0)]
    reader: usize,
    #[command(flatten)]
    folder: InFolder,
}

#[derive(Args)]
struct OnDevice {
    /// Which scanner, counted from 0, and no reader.
    #[arg(long, value_name = "SCANNER", conflicts_with = "reader")]
    scanner: Option<usize>,
    #[command(flatten)]
    reader: OnReader,
}

#[derive(Args)]
struct GoWrong {
    /// STAGE:WHAT, from the nth such command on (@N), at every nth (/N), so many times (*N); of a serial CCID reader such as
    /// exchanging:wrong-lrc@30*1, powering-on:ccid-fe, exchanging:silence/5, of a PN532 such as exchanging:rf-01*1 (time-out),
    /// finding:ats-length-zero. Without it, the reader is good again.
    trouble: Option<String>,
    #[command(flatten)]
    reader: OnReader,
}

#[derive(Args)]
struct Scan {
    #[command(flatten)]
    code: ScannedCode,
    /// Which scanner, counted from 0.
    #[arg(long, default_value_t = 0)]
    scanner: usize,
    /// Not at once but when the host triggers the scanner.
    #[arg(long, conflicts_with = "glitch")]
    when_triggered: bool,
    /// What goes wrong: pieces:N, drip:MS, glued, twice, noise:N, wrong-baud, cut:N, no-suffix, overlong:N, breaks.
    #[arg(long)]
    glitch: Option<Glitch>,
    #[command(flatten)]
    folder: InFolder,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct ScannedCode {
    /// What the code says. Of nobody who exists.
    #[arg(long)]
    text: Option<String>,
    /// The code on this card: a shipped card's name, or a TOML file.
    #[arg(long, value_name = "NAME|FILE")]
    card: Option<String>,
}

#[derive(Args)]
struct WithCard {
    /// A shipped card's name, or a TOML file; with +LIE behind it, one that lies.
    #[arg(long, value_name = "NAME|FILE")]
    card: String,
    #[command(flatten)]
    reader: OnReader,
}

fn bit_rate(text: &str) -> anyhow::Result<BitRate> {
    BitRate::of_kilobits(text.parse()?).context("106, 212, 424 and 848 are the bit rates there are")
}

/// The line that says that everything stands.
#[derive(Serialize)]
struct Ready<'a> {
    ready: bool,
    folder: &'a Path,
    #[serde(flatten)]
    status: Status,
    /// What is printed on the cards, by reader number.
    printed: Vec<(usize, &'a Printed)>,
    /// Files for a trust store.
    #[serde(flatten)]
    trust: TrustFiles,
    /// Certificates and keys for the `[terminal]` of an agent.
    stations: Vec<StationFiles>,
}

fn main() -> ExitCode {
    match carry_out(Cli::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line for the person at the terminal; where in the code it arose is of no use to them.
            let _ = writeln!(io::stderr(), "firmware-sim: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn carry_out(task: CliTask) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match task {
        CliTask::Run(run) => run_until_told(&run, &mut out),
        CliTask::Insert(WithCard { card, reader }) => {
            let order = Order::Insert { reader: reader.reader, card: where_it_is(card)? };
            tell(&reader.folder, &order, &mut out)
        }
        CliTask::Swap(WithCard { card, reader }) => {
            let order = Order::Swap { reader: reader.reader, card: where_it_is(card)? };
            tell(&reader.folder, &order, &mut out)
        }
        CliTask::Remove(on) => tell(&on.folder, &Order::Remove { reader: on.reader }, &mut out),
        CliTask::Trouble(GoWrong { trouble, reader }) => {
            tell(&reader.folder, &Order::Trouble { reader: reader.reader, trouble }, &mut out)
        }
        CliTask::Scan(Scan { code, scanner, when_triggered, glitch, folder }) => {
            let code = match (code.card, code.text) {
                (Some(card), _) => Code::Card(where_it_is(card)?),
                (None, text) => Code::Text(text.unwrap_or_default()),
            };
            let when = if when_triggered { When::Triggered } else { When::Now };
            tell(&folder, &Order::Scan { scanner, code, when, glitch }, &mut out)
        }
        CliTask::Unplug(OnDevice { scanner, reader: OnReader { reader, folder } }) => {
            let order = scanner.map_or(Order::Unplug { reader }, |scanner| Order::UnplugScanner { scanner });
            tell(&folder, &order, &mut out)
        }
        CliTask::Plug(OnDevice { scanner, reader: OnReader { reader, folder } }) => {
            let order = scanner.map_or(Order::Plug { reader }, |scanner| Order::PlugScanner { scanner });
            tell(&folder, &order, &mut out)
        }
        CliTask::List(folder) => tell(&folder, &Order::Status {}, &mut out),
        CliTask::Status(folder) => {
            writeln!(out, "{}", serde_json::to_string_pretty(&carried_out(&folder, &Order::Status {})?)?)?;
            Ok(())
        }
        CliTask::Cards => {
            writeln!(out, "{INVENTED}\n")?;
            cards::list(&mut out)
        }
        CliTask::Scanners => Ok(scanners::list_models(&mut out)?),
        CliTask::Lies => {
            writeln!(out, "{INVENTED}\n")?;
            Ok(cards::list_lies(&mut out)?)
        }
        CliTask::Trust { out: folder, count } => {
            writeln!(out, "{INVENTED}\n")?;
            trust::write_lists(count, &folder, &mut out)
        }
        CliTask::Image { card, out: folder } => {
            writeln!(out, "{INVENTED}\n")?;
            cards::write_image(&card, &folder, &mut out)
        }
    }
}

fn run_until_told(run: &Run, out: &mut impl Write) -> anyhow::Result<()> {
    // Before anything is made that would have to be cleaned up.
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot wait for signals")?;
    let folder = folder_of(&run.folder)?;
    let made = make_private(&folder)?;
    if give(&folder, &Order::Status {}).is_ok() {
        bail!("a simulator runs in {} already; choose another --dir", folder.display());
    }
    let nfc = usize::from(run.pn532);
    let least = usize::from(run.scanners.is_empty() && nfc == 0);
    let left_over = run.cards.len().saturating_sub(nfc);
    let count = run.readers.map_or(left_over.max(least), usize::from);
    let all = count + nfc;
    ensure!(all > 0 || !run.scanners.is_empty(), "no reader and no scanner: nothing to simulate");
    ensure!(run.cards.len() <= all, "{} cards do not fit into {all} readers", run.cards.len());
    let timing = run
        .timing
        .map(|rate| Timing { per_command: Duration::from_millis(run.overhead), ..Timing::usual(rate) });
    let press = Press::new(&folder, run.csca, run.csca_digest)?.with_timing(timing);
    let mut desk = match run.vpcd {
        _ if count == 0 => Desk::without_readers(press),
        None => Desk::with_own_service(&folder, count, press)?,
        Some(port) => Desk::with_vpcd(port, count, press)?,
    };
    desk.add_pn532s(&folder, nfc)?;
    desk.add_scanners(&folder, &run.scanners)?;
    for (reader, card) in run.cards.iter().enumerate() {
        desk.insert(reader, card)?;
    }
    let trust = desk.write_trust()?;
    let stations = desk.write_stations()?;
    let desk = Arc::new(Mutex::new(desk));
    let taking = Arc::clone(&desk);
    let orders = OrderDesk::open(&folder, move |order| {
        taking.lock().unwrap_or_else(PoisonError::into_inner).order(order)
    })
    .with_context(|| format!("cannot take orders in {}", folder.display()))?;
    {
        let desk = desk.lock().unwrap_or_else(PoisonError::into_inner);
        let printed = desk.printed().collect();
        let ready = Ready { ready: true, folder: &folder, status: desk.status(), printed, trust, stations };
        let line = serde_json::to_string(&ready)?;
        if let Some(file) = &run.ready_file {
            // Whoever waits for the file must not find half of it.
            let fresh = file.with_extension("new");
            std::fs::write(&fresh, format!("{line}\n"))
                .and_then(|()| std::fs::rename(&fresh, file))
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
        // Last, so that whoever reads either finds both.
        if run.print_json {
            writeln!(out, "{line}")?;
        } else {
            introduce(&ready, out)?;
        }
        out.flush()?;
    }
    signals.forever().next();
    drop(orders);
    if let Some(file) = &run.ready_file {
        let _ = std::fs::remove_file(file);
    }
    desk.lock().unwrap_or_else(PoisonError::into_inner).clear_trust();
    drop(desk);
    if made {
        // Fails, as it should, where somebody else put something into it.
        let _ = std::fs::remove_dir(&folder);
    }
    Ok(())
}

fn introduce(ready: &Ready<'_>, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{INVENTED}\n")?;
    for (name, value) in &ready.status.environment {
        writeln!(out, "A program started with this finds the readers:\n\n    export {name}={value}\n")?;
    }
    list_devices(&ready.status, out)?;
    for (number, printed) in &ready.printed {
        writeln!(out, "\nOn the card in reader {number} ({}) is printed:", printed.kind)?;
        if let Some(can) = &printed.can {
            writeln!(out, "    CAN  {can}")?;
        }
        for line in &printed.mrz {
            writeln!(out, "    MRZ  {line}")?;
        }
        if let Some(qr) = &printed.qr {
            writeln!(out, "    QR   {qr}")?;
        }
    }
    writeln!(out, "\nThe cards lead to these trust anchors, which revoke nobody:")?;
    for file in ready.trust.trust_anchors.iter().chain(&ready.trust.revocation_lists) {
        writeln!(out, "    {file}")?;
    }
    writeln!(out, "\nStations, each for the [terminal] of an agent (certificates, key_file):")?;
    for files in &ready.stations {
        writeln!(out, "    {}  {}\n        {}", files.certificates, files.key_file, files.outcome)?;
    }
    let folder = ready.folder.display();
    writeln!(out, "\nIn another terminal, each with --dir {folder}:")?;
    writeln!(out, "    firmware-sim remove --reader 0")?;
    writeln!(out, "    firmware-sim insert --reader 0 --card can-cuoc-2024")?;
    writeln!(out, "    firmware-sim swap | unplug | plug | list | status")?;
    writeln!(out, "    firmware-sim cards lists what there is")?;
    writeln!(
        out,
        "    firmware-sim lies lists what a card can lie about: --card cccd-2021+SignedByStranger"
    )?;
    for ReaderStatus { number, connstring, .. } in &ready.status.readers {
        let Some(connstring) = connstring else { continue };
        writeln!(out, "    firmware-sim trouble exchanging:rf-01*1 --reader {number}")?;
        writeln!(out, "\nlibnfc's own tool finds reader {number}:\n")?;
        writeln!(out, "    LIBNFC_DEVICE={connstring} nfc-list -v")?;
        writeln!(out, "\nand an agent with these settings:\n")?;
        writeln!(out, "    [[nfc]]\n    name = \"Simulated {number}\"\n    connstring = {connstring:?}")?;
    }
    if let Some(ScannerStatus { port, model, .. }) = ready.status.scanners.first() {
        writeln!(out, "    firmware-sim scan --card cccd-2021 --glitch pieces:7")?;
        writeln!(out, "\nAn agent takes the first scanner with these settings:\n")?;
        writeln!(
            out,
            "    [[scanner]]\n    name = \"Simulated\"\n    port = {port:?}\n    profile = {model:?}"
        )?;
    }
    writeln!(out, "\nCtrl-C ends it.")
}

fn list_devices(status: &Status, out: &mut impl Write) -> io::Result<()> {
    let cable = |plugged: bool| if plugged { "" } else { "  (unplugged)" };
    for ReaderStatus { number, name, plugged, card, connstring } in &status.readers {
        let lies = card.as_deref().unwrap_or("empty");
        let found_by = connstring.as_deref().map(|by| format!("  {by}")).unwrap_or_default();
        writeln!(out, "reader {number}  {name:24} {lies}{}{found_by}", cable(*plugged))?;
    }
    for ScannerStatus { number, model, port, plugged } in &status.scanners {
        writeln!(out, "scanner {number} {model:24} {port}{}", cable(*plugged))?;
    }
    Ok(())
}

fn tell(folder: &InFolder, order: &Order, out: &mut impl Write) -> anyhow::Result<()> {
    Ok(list_devices(&carried_out(folder, order)?, out)?)
}

fn carried_out(folder: &InFolder, order: &Order) -> anyhow::Result<Status> {
    match give(&folder_of(folder)?, order)? {
        Reply::Done(status) => Ok(status),
        Reply::Refused(why) => bail!("{why}"),
    }
}

/// A file is looked for from where the order is given, and not from where the simulator was started.
fn where_it_is(card: String) -> anyhow::Result<String> {
    let (file, lie) = cards::split_lie(&card)?;
    if !Path::new(file).exists() {
        return Ok(card);
    }
    let absolute = std::path::absolute(file)?;
    let absolute = absolute.to_str().context("the path of the card is not UTF-8")?;
    Ok(lie.map_or_else(|| absolute.to_owned(), |lie| format!("{absolute}+{lie}")))
}

fn folder_of(folder: &InFolder) -> anyhow::Result<PathBuf> {
    let folder = match (&folder.dir, std::env::var_os("XDG_RUNTIME_DIR")) {
        (Some(given), _) => given.clone(),
        (None, Some(runtime)) if !runtime.is_empty() => Path::new(&runtime).join("cccd-firmware-sim"),
        (None, _) => {
            let user = rustix::process::getuid().as_raw();
            std::env::temp_dir().join(format!("cccd-firmware-sim-{user}"))
        }
    };
    Ok(std::path::absolute(folder)?)
}

/// Makes the folder, or takes one that is private already, and says whether it made it.
///
/// Whoever can write to it commands the readers, and its default place may lie in a folder for all.
fn make_private(folder: &Path) -> anyhow::Result<bool> {
    match std::fs::DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => return Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => {
            return Err(error).with_context(|| format!("cannot make the folder {}", folder.display()));
        }
    }
    let found = std::fs::symlink_metadata(folder)?;
    let ours = found.uid() == rustix::process::getuid().as_raw();
    ensure!(
        found.is_dir() && ours && found.permissions().mode() & 0o022 == 0,
        "{} is not a folder that only this user can write to",
        folder.display()
    );
    Ok(false)
}
