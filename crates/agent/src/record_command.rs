//! `cccd-agent record`: a record of a reading for the file of a notary's act.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use cccd_consumers::{Subject, disclose};
use cccd_document::{DataGroup2, FileId};
use cccd_exports::record::{Record, record_pdf};
use cccd_profiles::AgentSettings;
use cccd_profiles::consumer::Otherwise;
use cccd_trust::Summary;
use clap::Args;
use sha2::{Digest as _, Sha256};

use crate::command_line::say;
use crate::lodging_command::write_private;
use crate::profile_command::named_or_in_file;
use crate::verify_command::{Reread, mark_of, reread};

/// What to record, and where.
#[derive(Args)]
pub(crate) struct RecordArguments {
    /// Evidence of the reading with its groups, as GET /v1/reads/{id}/evidence?groups=true gave it
    #[arg(long, value_name = "FILE")]
    evidence: PathBuf,
    /// A folder of trusted CSCA certificates to judge it by; without it, the trust store of this machine
    #[arg(long, value_name = "DIR")]
    anchors: Option<PathBuf>,
    /// The office that keeps the record
    #[arg(long, value_name = "NAME")]
    office: String,
    /// Where the PDF goes
    #[arg(long, value_name = "PDF")]
    out: PathBuf,
}

/// Makes the record; ends with 3 where the profile `notary` refuses the card.
pub(crate) fn record(settings: &AgentSettings, arguments: &RecordArguments) -> Result<ExitCode> {
    let Reread { opened, verdict, text } =
        reread(settings, &arguments.evidence, arguments.anchors.as_deref())?;
    if opened.evidence.files.is_empty() {
        bail!("chứng cứ không có dữ liệu · the evidence holds no groups: fetch it with ?groups=true");
    }
    let face = opened.evidence.bytes(FileId::DG2).and_then(|bytes| DataGroup2::parse(bytes).ok());
    let portrait = face.as_ref().and_then(DataGroup2::portrait);
    let subject = Subject {
        evidence: &opened.evidence,
        verdict: &verdict,
        portrait,
        code: None,
        insurance: None,
        finished: opened.read_at,
        read_id: &opened.read_id,
        reader_id: "",
    };
    let disclosure = disclose(&named_or_in_file(settings, "notary")?, &subject, None)?;
    let Some(output) = &disclosure.output else {
        for demand in disclosure.unmet(Otherwise::Refuse) {
            writeln!(std::io::stderr(), "không đạt · not met: {demand}").context("cannot print")?;
        }
        return Ok(ExitCode::from(3));
    };
    let shown = portrait.map(cccd_document::Portrait::for_display).transpose();
    let shown = shown.context("the portrait cannot be shown")?;
    let words = match verdict.summary() {
        Summary::Genuine => "THẺ THẬT: chữ ký của cơ quan cấp và chip đã được kiểm tra".to_owned(),
        Summary::NotGenuine => format!("THẺ KHÔNG THẬT ({})", verdict.code()),
        Summary::Unconfirmed => format!("CHƯA KHẲNG ĐỊNH ĐƯỢC ({})", verdict.code()),
    };
    let pdf = record_pdf(&Record {
        office: &arguments.office,
        output,
        portrait: shown.as_ref(),
        verdict: &words,
        mark: mark_of(&opened),
        read_at: opened.read_at,
        read_id: &opened.read_id,
        evidence_sha256: Sha256::digest(text.as_bytes()).into(),
        agent_key: opened.key_id.as_str(),
    })?;
    write_private(&arguments.out, &pdf)?;
    say(&format!("{}\n", arguments.out.display()))
}
