//! `cccd-agent trace`: records a reading, shows it, replays it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use cccd_card::{CardChannel, ReaderEvent, ReaderId, ReaderSource, StopSignal};
use cccd_document::AccessKey;
use cccd_engine::ReadFailure;
use cccd_profiles::AgentSettings;
use clap::{Args, Subcommand};
use zeroize::Zeroizing;

use super::{Recorder, RecordingRng, Replay, Trace, read, seal};
use crate::access::{self, Access};
use crate::command_line::{AccessArguments, say};
use crate::private_file::require_private;
use crate::{daemon, scan_command};

#[derive(Args)]
pub(crate) struct TraceArguments {
    #[command(subcommand)]
    task: TraceTask,
}

#[derive(Subcommand)]
enum TraceTask {
    /// Ghi lại một lần đọc, không có dữ liệu cá nhân · Read a card and record how it went, with nothing of the person
    Record(Record),
    /// Xem một bản ghi · Show how the exchanges of a trace went
    Show {
        /// The trace
        file: PathBuf,
    },
    /// Chạy lại một bản ghi có dữ liệu · Have a recorded conversation again, without a card
    Replay(ReplayIt),
    /// Tạo cặp khóa để niêm phong bản ghi · Make the keys that consented traces are sealed with
    Key {
        /// Where the private key goes; keep it away from the machines that record
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

#[derive(Args)]
struct Record {
    #[command(flatten)]
    access: AccessArguments,
    /// The trace
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Which reader, as `cccd-agent readers` names it; without it, the first with a card
    #[arg(long, value_name = "ID")]
    reader: Option<String>,
    /// Leave the face out
    #[arg(long)]
    no_face: bool,
    /// Record the bytes too, which is done only for invented cards
    #[arg(long, conflicts_with = "consented_for")]
    bytes: bool,
    /// The card's holder consents: record the bytes, sealed to this public key of `trace key`
    #[arg(long, value_name = "KEY")]
    consented_for: Option<String>,
    /// Seconds to wait for a card
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    wait: u64,
}

#[derive(Args)]
struct ReplayIt {
    #[command(flatten)]
    access: AccessArguments,
    /// The trace
    file: PathBuf,
    /// The private key its bytes are sealed to
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

pub(crate) fn run(settings: &AgentSettings, arguments: &TraceArguments) -> Result<ExitCode> {
    match &arguments.task {
        TraceTask::Record(record) => record_one(settings, record),
        TraceTask::Show { file } => say(&load(file)?.outline()),
        TraceTask::Replay(replay) => replay_one(replay),
        TraceTask::Key { out } => {
            let (private, public) = seal::new_keys();
            write_private(out, &private)?;
            say(&format!("{public}\n"))
        }
    }
}

fn record_one(settings: &AgentSettings, record: &Record) -> Result<ExitCode> {
    let keys = keys(&record.access)?;
    let wanted = record.reader.as_deref().map(ReaderId::from_name);
    let channel = first_card(daemon::readers(settings), wanted, Duration::from_secs(record.wait))?;
    let mut recorder = Recorder::new(channel);
    let mut rng = RecordingRng::new(getrandom::SysRng);
    let outcome = read(&mut recorder, &keys, !record.no_face, &mut rng);
    let invented = outcome.is_invented();
    let mut trace = recorder.into_trace(rng);
    trace.outcome.clone_from(&outcome.word);
    trace.files.clone_from(&outcome.files);
    let trace = match (&record.consented_for, record.bytes && invented) {
        (Some(recipient), _) => seal::seal(trace, recipient)?,
        (None, true) => trace,
        (None, false) => trace.redacted(),
    };
    let kept = trace.bytes.is_some() || trace.sealed.is_some();
    let text = Zeroizing::new(trace.to_text()?);
    write_private(&record.out, &text)?;
    if record.bytes && !kept {
        bail!(
            "bản ghi không có dữ liệu: đây không phải thẻ mô phỏng (cần --consented-for) · the trace holds no bytes, as \
             this is no invented card: that takes its holder's consent, and --consented-for"
        );
    }
    say(&format!("{}: {} exchanges, {}\n", record.out.display(), trace.exchanges.len(), outcome.word))
}

fn replay_one(arguments: &ReplayIt) -> Result<ExitCode> {
    let mut trace = load(&arguments.file)?;
    if let Some(path) = &arguments.key {
        let file = std::fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        require_private(&file, path)?;
        let private = Zeroizing::new(std::io::read_to_string(file)?);
        trace = seal::open(trace, &private)?;
    }
    let keys = keys(&arguments.access)?;
    let with_face = trace.files.iter().any(|file| file.starts_with("EF.DG2 "));
    let (mut replay, mut rng) = Replay::of(&trace)?;
    let outcome = read(&mut replay, &keys, with_face, &mut rng);
    if let Some(at) = replay.departed() {
        bail!("at exchange {at} something else was said than was recorded");
    }
    say(&format!("{}\n{}\n", outcome.word, outcome.files.join("\n")))
}

fn keys(arguments: &AccessArguments) -> Result<Vec<AccessKey>> {
    match access::of(arguments)? {
        Access::Known(plan) => Ok(plan.keys),
        Access::Picture(image) => match scan_command::plan_of_picture(image)? {
            Ok(plan) => Ok(plan.keys),
            Err(problem) => bail!("{}", problem.code),
        },
        Access::Scan => bail!("a trace is not opened by a scan: give --can, --qr, --mrz, --id or --image"),
    }
}

fn load(path: &Path) -> Result<Trace> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
    Trace::parse(&text).with_context(|| shown.to_string())
}

/// Waits for the first card on any reader, or on the one that is wanted, and connects to it.
fn first_card(
    sources: Vec<Arc<dyn ReaderSource>>,
    wanted: Option<ReaderId>,
    wait: Duration,
) -> Result<Box<dyn CardChannel>> {
    let stop = StopSignal::default();
    let (tell, told) = mpsc::channel();
    let threads: Vec<_> = sources
        .iter()
        .map(|source| {
            let (source, stop, tell) = (Arc::clone(source), stop.clone(), tell.clone());
            std::thread::spawn(move || {
                let told = Arc::clone(&source);
                source.watch(
                    &mut |event| {
                        if let ReaderEvent::CardInserted { reader, .. } = event {
                            let _ = tell.send((Arc::clone(&told), reader));
                        }
                    },
                    &stop,
                );
            })
        })
        .collect();
    drop(tell);
    let deadline = Instant::now() + wait;
    let connected = loop {
        match told.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok((_, reader)) if wanted.as_ref().is_some_and(|wanted| *wanted != reader) => {}
            Ok((source, reader)) => break source.connect(&reader).context("cannot connect to the card"),
            Err(_) => break Err(anyhow::Error::new(ReadFailure::NoCard)),
        }
    };
    stop.raise();
    for thread in threads {
        let _ = thread.join();
    }
    connected
}

/// Writes a file that nobody else may read.
fn write_private(path: &Path, text: &str) -> Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let shown = path.display();
    let mut file = options.open(path).with_context(|| format!("cannot write {shown}"))?;
    file.write_all(text.as_bytes()).with_context(|| format!("cannot write {shown}"))
}
