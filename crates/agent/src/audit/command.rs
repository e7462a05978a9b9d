//! `cccd-agent audit`: the chain at a terminal.

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Read as _, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};
use cccd_profiles::StoreSettings;
use cccd_store::{AuditChain, ChainFault, ExportChecker, Fault, Recorded, Store};
use clap::{Args, Subcommand, ValueEnum};
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{ContentArrangement, Table};
use time::format_description::well_known::Rfc3339;
use time::macros::{format_description, offset};
use time::{Date, OffsetDateTime, Time, UtcOffset};

use super::cef::cef;
use super::syslog::Sender;
use crate::command_line::say;

/// Where a day begins, and what people read.
const VIETNAM: UtcOffset = offset!(+7);
/// Entries taken from the chain at once.
const AT_ONCE: usize = 1000;
/// The longest line of an export.
const LONGEST_LINE: u64 = 64 * 1024;

#[derive(Args)]
pub(crate) struct AuditArguments {
    #[command(subcommand)]
    task: AuditTask,
}

#[derive(Subcommand)]
enum AuditTask {
    /// Kiểm tra chuỗi nhật ký: có mục nào bị xóa, sửa, đổi chỗ không · Tell whether any entry was removed, changed or moved
    Verify {
        /// An export in JSON lines, on any machine, instead of this machine's chain
        #[arg(long, value_name = "FILE")]
        export: Option<PathBuf>,
    },
    /// Xuất nhật ký · Write the entries out
    Export {
        /// Entries from this moment on: 2026-11-20 (0:00 in Vietnam) or 2026-11-20T08:00:00+07:00
        #[arg(long, value_name = "TIME", value_parser = parse_moment)]
        since: Option<OffsetDateTime>,
        /// JSON lines, which `verify --export` checks; CEF; or whole syslog messages with CEF
        #[arg(long, value_enum, default_value = "jsonl")]
        format: Format,
        /// Into this file, which must not be there yet; without it, to standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Xem các mục mới nhất · Show the newest entries
    Show {
        /// Entries from this moment on
        #[arg(long, value_name = "TIME", value_parser = parse_moment)]
        since: Option<OffsetDateTime>,
        /// How many at most
        #[arg(long, value_name = "COUNT", default_value_t = 50)]
        last: u64,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Jsonl,
    Cef,
    Syslog,
}

pub(crate) fn run(settings: &StoreSettings, arguments: &AuditArguments) -> Result<ExitCode> {
    match &arguments.task {
        AuditTask::Verify { export: Some(path) } => verify_export(path),
        AuditTask::Verify { export: None } => verify(&open(settings)?),
        AuditTask::Export { since, format, out } => {
            let chain = open(settings)?;
            match out {
                None => export(&chain, *since, *format, std::io::stdout().lock()),
                Some(path) => {
                    let shown = path.display();
                    let file = File::create_new(path).with_context(|| format!("cannot make {shown}"))?;
                    export(&chain, *since, *format, file).with_context(|| format!("cannot write {shown}"))
                }
            }
        }
        AuditTask::Show { since, last } => show(&open(settings)?, *since, *last),
    }
}

/// The chain as it is, whatever is wrong with it.
fn open(settings: &StoreSettings) -> Result<AuditChain> {
    let folder = &settings.folder;
    Store::look_at_audit(folder).with_context(|| {
        format!("không mở được nhật ký trong {0} · cannot open the audit chain in {0}", folder.display())
    })
}

fn verify(chain: &AuditChain) -> Result<ExitCode> {
    let report = chain.verify()?;
    match report.fault {
        None => say(&format!(
            "chuỗi nguyên vẹn: {0} mục · the chain is whole: {0} entries, the last with hash {1}\n",
            report.entries,
            hex::encode(report.last)
        )),
        Some(fault) => {
            say(&format!(
                "CHUỖI BỊ HỎNG: {vi} · THE CHAIN IS BROKEN ({code}): {fault}; {good} entries before are good\n",
                vi = in_vietnamese(fault),
                code = fault.fault.as_str(),
                good = report.entries
            ))?;
            Ok(ExitCode::FAILURE)
        }
    }
}

fn in_vietnamese(ChainFault { sequence, fault }: ChainFault) -> String {
    match fault {
        Fault::Missing => format!("thiếu mục {sequence}"),
        Fault::Changed => format!("mục {sequence} đã bị sửa"),
        Fault::Displaced => format!("mục {sequence} không nối tiếp mục trước nó"),
        Fault::Forged => format!("mục {sequence} không do máy này ghi"),
        Fault::CutShort => format!("mục {sequence} và các mục sau đã bị xóa"),
        Fault::HeadMissing => "mất tệp audit.head, tệp ghi mục cuối cùng".to_owned(),
        Fault::HeadForged => "tệp audit.head không do máy này ghi".to_owned(),
        Fault::HeadDiffers => format!("mục {sequence} không phải mục mà audit.head ghi"),
        _ => format!("không đọc được mục {sequence}"),
    }
}

fn verify_export(path: &std::path::Path) -> Result<ExitCode> {
    let shown = path.display();
    let mut lines = BufReader::new(File::open(path).with_context(|| format!("cannot open {shown}"))?);
    let mut checker = ExportChecker::new();
    let mut line = String::new();
    loop {
        line.clear();
        let read = (&mut lines).take(LONGEST_LINE).read_line(&mut line);
        if read.with_context(|| format!("cannot read {shown}"))? == 0 {
            break;
        }
        if let Err(fault) = checker.check(&line) {
            say(&format!(
                "BẢN XUẤT BỊ HỎNG: {vi} · THE EXPORT IS BROKEN ({code}): {fault}\n",
                vi = in_vietnamese(fault),
                code = fault.fault.as_str()
            ))?;
            return Ok(ExitCode::FAILURE);
        }
    }
    let Some(last) = checker.last() else { bail!("{shown} holds no entry") };
    say(&format!(
        "bản xuất nguyên vẹn: {count} mục, đến mục {last} · the export is whole: {count} entries, up to entry {last}\n",
        count = checker.entries()
    ))
}

fn export(
    chain: &AuditChain,
    since: Option<OffsetDateTime>,
    format: Format,
    out: impl Write,
) -> Result<ExitCode> {
    let mut out = BufWriter::new(out);
    let sender = Sender::this();
    let mut after = first(chain, since)?;
    loop {
        let entries = chain.after(after, AT_ONCE)?;
        let Some(last) = entries.last() else { break };
        after = last.sequence;
        for recorded in &entries {
            let line = match format {
                Format::Jsonl => recorded.line(),
                Format::Cef => cef(recorded),
                Format::Syslog => sender.message(recorded),
            };
            writeln!(out, "{line}")?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn first(chain: &AuditChain, since: Option<OffsetDateTime>) -> Result<u64> {
    Ok(match since {
        None => 0,
        Some(since) => chain.last_before(since)?,
    })
}

fn show(chain: &AuditChain, since: Option<OffsetDateTime>, last: u64) -> Result<ExitCode> {
    let from = first(chain, since)?.max(chain.last()?.saturating_sub(last));
    let entries = chain.after(from, usize::try_from(last).unwrap_or(usize::MAX))?;
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["Số\nNo.", "Lúc\nTime", "Việc\nWhat", "Ai\nWho", "Kết quả\nOutcome", "Thêm\nMore"]);
    for recorded in &entries {
        table.add_row(row(recorded));
    }
    say(&format!("{table}\n"))
}

fn row(recorded: &Recorded) -> [String; 6] {
    let entry = &recorded.entry;
    let time = recorded
        .time
        .to_offset(VIETNAM)
        .format(format_description!("[day]/[month]/[year] [hour]:[minute]:[second]"))
        .unwrap_or_default();
    let who = [&entry.caller, &entry.origin, &entry.process];
    let outcome = [&entry.outcome, &entry.verdict, &entry.verdict_code];
    let words = |texts: [&Option<String>; 3]| {
        texts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join("\n")
    };
    let reader = entry.reader_id.iter().map(|reader| format!("reader: {reader}"));
    let more = reader.chain(entry.more.iter().map(|(name, value)| format!("{name}: {value}")));
    [
        recorded.sequence.to_string(),
        time,
        entry.kind.as_str().to_owned(),
        words(who),
        words(outcome),
        more.collect::<Vec<_>>().join("\n"),
    ]
}

/// A moment, or a day, which begins at midnight in Vietnam.
fn parse_moment(text: &str) -> Result<OffsetDateTime> {
    if let Ok(moment) = OffsetDateTime::parse(text, &Rfc3339) {
        return Ok(moment);
    }
    Date::parse(text, format_description!("[year]-[month]-[day]"))
        .map(|day| day.with_time(Time::MIDNIGHT).assume_offset(VIETNAM))
        .map_err(|_| anyhow!("2026-11-20 or 2026-11-20T08:00:00+07:00"))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn days_begin_in_vietnam() {
        assert_eq!(parse_moment("2026-11-20").unwrap(), datetime!(2026-11-19 17:00 UTC));
        assert_eq!(parse_moment("2026-11-20T08:00:00Z").unwrap(), datetime!(2026-11-20 08:00 UTC));
        assert!(parse_moment("20/11/2026").is_err());
    }
}
