//! `cccd-agent read` and `cccd-agent readers`: the engine at a terminal, without the API.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use cccd_api::Problem;
use cccd_card::ReaderId;
use cccd_document::{Biometric, FieldSet, MediaType};
use cccd_engine::{
    CallerId, Engine, EngineHandle, EventKind, Phase, ReadFailure, ReadId, ReadRequest, Reading, every_group,
};
use cccd_profiles::AgentSettings;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::broadcast::error::RecvError;

use crate::access::Access;
use crate::command_line::{ReadArguments, say};
use crate::scan_command::Listening;
use crate::{access, daemon, scan_command, table};

/// Reads one card and prints it.
pub(crate) fn read(settings: &AgentSettings, arguments: &ReadArguments) -> Result<ExitCode> {
    let access = match access::of(&arguments.access)? {
        Access::Known(plan) => Some(plan),
        Access::Picture(image) => match scan_command::plan_of_picture(image)? {
            Ok(plan) => Some(plan),
            Err(problem) => return tell(problem, None),
        },
        Access::Scan => None,
    };
    let scanners = if access.is_none() { daemon::scanners(settings) } else { Vec::new() };
    let listening = if scanners.is_empty() { Listening::StandardInput } else { Listening::Scanners };
    let engine = Engine::start(daemon::readers(settings), scanners, daemon::engine_options(settings));
    let access = match access {
        Some(plan) => plan,
        None => {
            // Before anybody is asked to scan.
            if let Some(failure) = why_no_reader(&engine.handle())? {
                return refuse(failure);
            }
            let limit = arguments.wait.map_or(settings.readings.wait_for_card, Duration::from_secs);
            scan_command::plan_of_next_scan(&engine.handle(), listening, limit)?
        }
    };
    let request = ReadRequest {
        owner: terminal(),
        reader: arguments.reader.as_deref().map(ReaderId::from_name),
        access,
        groups: every_group(),
        fields: FieldSet::ALL,
        biometrics: arguments.biometrics.iter().copied().map(Biometric::from).collect(),
        under: None,
        nonce: None,
        expect: None,
        wait_for_card: arguments.wait.map(Duration::from_secs),
    };
    let (read, reading) = match follow(&engine.handle(), request)? {
        Ok(done) => done,
        Err(failure) => return refuse(failure),
    };
    if let (Some(path), Some(portrait)) = (&arguments.portrait, &reading.portrait) {
        std::fs::write(path, portrait.bytes.expose())
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    if let Some(folder) = &arguments.biometrics_out {
        write_pictures(&reading, folder)?;
    }
    if arguments.json {
        say(&cccd_api::result_json(read, &reading))
    } else {
        say(&table::of_reading(&reading))
    }
}

/// Writes each picture as `fingerprints-1-right-index.wsq`: what it is, and of nobody's name.
fn write_pictures(reading: &Reading, folder: &Path) -> Result<()> {
    for found in &reading.biometrics {
        for (at, image) in found.images().iter().enumerate() {
            let ending = match image.media_type {
                MediaType::Wsq => "wsq",
                MediaType::Jpeg => "jpg",
                MediaType::Jp2 => "jp2",
                MediaType::J2c => "j2k",
                MediaType::Png => "png",
                _ => "bin",
            };
            let name = format!("{}-{}-{}.{ending}", found.kind, at + 1, image.position.code());
            let path = folder.join(name);
            std::fs::write(&path, image.bytes.expose())
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    Ok(())
}

/// Lists the readers of this machine.
pub(crate) fn list_readers(settings: &AgentSettings) -> Result<ExitCode> {
    let engine = Engine::start(daemon::readers(settings), Vec::new(), daemon::engine_options(settings));
    let handle = engine.handle();
    if let Some(failure) = why_no_reader(&handle)? {
        return refuse(failure);
    }
    let readers = handle.readers().blocking_recv().context("the engine has stopped")?;
    say(&table::of_readers(&readers))?;
    // One that is there and not used is not in the table.
    for (reader, why) in handle.refused().blocking_recv().context("the engine has stopped")? {
        writeln!(std::io::stderr(), "{reader}:").context("cannot print")?;
        refuse(why.into())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Why there is no reader to read on, once it is known.
fn why_no_reader(engine: &EngineHandle) -> Result<Option<ReadFailure>> {
    if !engine.settled().blocking_recv().context("the engine has stopped")? {
        return Ok(Some(ReadFailure::ServiceUnavailable));
    }
    let readers = engine.readers().blocking_recv().context("the engine has stopped")?;
    if !readers.is_empty() {
        return Ok(None);
    }
    let refused = engine.refused().blocking_recv().context("the engine has stopped")?;
    Ok(Some(refused.first().map_or(ReadFailure::NoReader, |(_, why)| ReadFailure::from(*why))))
}

pub(crate) fn terminal() -> CallerId {
    CallerId::new("terminal")
}

/// Asks for a reading and shows how it goes.
fn follow(
    engine: &EngineHandle,
    request: ReadRequest,
) -> Result<Result<(ReadId, Arc<Reading>), ReadFailure>> {
    const STOPPED: &str = "the engine has stopped";
    let mut events = engine.subscribe(terminal(), None).blocking_recv().context(STOPPED)?.coming;
    let read = match engine.submit(request).blocking_recv().context(STOPPED)? {
        Ok(view) => view.id,
        Err(refused) => return Ok(Err(refused.failure)),
    };
    let bar = ProgressBar::new(100);
    if let Ok(style) = ProgressStyle::with_template("{msg:32} [{bar:30}] {percent:>3} %") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_message(words(Phase::WaitingForCard));
    loop {
        match events.blocking_recv() {
            Ok(event) => match event.kind {
                EventKind::ReadProgress { read: of, phase, percent, .. } if of == read => {
                    bar.set_message(words(phase));
                    bar.set_position(percent.into());
                }
                EventKind::ReadPaused { read: of, .. } if of == read => {
                    bar.set_message("Đặt lại thẻ và giữ yên");
                }
                EventKind::ReadCompleted { read: of } if of == read => break,
                EventKind::ReadFailed { read: of, failure } if of == read => {
                    bar.finish_and_clear();
                    return Ok(Err(failure));
                }
                _ => {}
            },
            // Only the picture on the screen is behind.
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => bail!(STOPPED),
        }
    }
    bar.finish_and_clear();
    let reading = engine.result(terminal(), read).blocking_recv()?.context("the result is not there")?;
    Ok(Ok((read, reading)))
}

fn words(phase: Phase) -> &'static str {
    match phase {
        Phase::WaitingForCard => "Đặt thẻ lên đầu đọc",
        Phase::Connecting => "Đang kết nối với thẻ",
        Phase::Unlocking => "Đang mở chip",
        Phase::Reading => "Đang đọc, xin giữ yên thẻ",
        Phase::Checking | Phase::Over => "Đang kiểm tra",
    }
}

/// Says why there is no result.
fn refuse(failure: ReadFailure) -> Result<ExitCode> {
    let more = match failure {
        ReadFailure::AccessKeyWrong { tries_left: Some(left) } => {
            Some(format!("Còn {left} lần thử · tries left: {left}"))
        }
        ReadFailure::ReaderCertificateWrong { seen }
        | ReadFailure::ReaderSchemeWrong { seen: Some(seen) } => Some(format!("SHA-256: {seen}")),
        _ => None,
    };
    tell(Problem::of(failure), more)
}

/// Says what is wrong, in the words of the problem pages.
pub(crate) fn tell(problem: &Problem, more: Option<String>) -> Result<ExitCode> {
    let mut lines: Vec<String> = [problem.title, problem.cause, problem.remedy]
        .map(|text| format!("{} · {}", text.vi, text.en))
        .into();
    lines.extend(more);
    lines.push(format!("[{}]", problem.code));
    writeln!(std::io::stderr(), "{}", lines.join("\n")).context("cannot print")?;
    Ok(ExitCode::from(2))
}
