//! `cccd-agent verify`: evidence judged again, with no card and no network.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use cccd_document::evidence::challenge_from_nonce;
use cccd_document::{FileId, ReadMark};
use cccd_evidence::{EvidenceFileError, KeyId, OpenedEvidence, open};
use cccd_profiles::AgentSettings;
use cccd_trust::store::Contents;
use cccd_trust::{
    Basis, Certificate, Check, CheckName, Crl, GroupReason, Judgement, Policy, Reason, Role, Summary,
    TrustAnchors, Verdict, is_marked_simulated, judge,
};
use clap::Args;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::command_line::say;
use crate::{table, trust};

/// The largest file that is looked at.
const LARGEST: u64 = 8 << 20;
/// The largest file of certificates, and how many files of a folder are looked at.
const LARGEST_LIST: u64 = 64 << 20;
const MOST_FILES: usize = 4096;

/// What is said first of a test's reading.
const SIMULATED: &str = "LẦN ĐỌC MÔ PHỎNG, KHÔNG PHẢI THẺ CỦA AI · A SIMULATED READING, NOBODY'S CARD";

/// What to judge, and by what.
///
/// Ends with 0 where the document is genuine, 3 where it is not or the file was changed, 4 where that cannot be
/// told, 5 where reader or card were a simulation's.
#[derive(Args)]
pub(crate) struct VerifyArguments {
    /// The signed file, as GET /v1/reads/{id}/evidence gave it; `-` is standard input
    file: PathBuf,
    /// A folder of trusted CSCA certificates, lists and CRLs; without it, the trust store of this machine
    #[arg(long, value_name = "DIR")]
    anchors: Option<PathBuf>,
    /// The key the file must be signed with, as `cccd-agent evidence-key` names it on the machine that read
    #[arg(long, value_name = "KEY-ID")]
    agent_key: Option<String>,
    /// The nonce the chip must have signed over, in hexadecimal digits
    #[arg(long, value_name = "HEX")]
    nonce: Option<String>,
    /// Print the outcome as JSON
    #[arg(long)]
    json: bool,
}

/// Judges a file.
pub(crate) fn verify(settings: &AgentSettings, arguments: &VerifyArguments) -> Result<ExitCode> {
    let text = read_text(&arguments.file)?;
    let expected = arguments.agent_key.as_deref().map(KeyId::new);
    let opened = match open(text.trim_end_matches(['\r', '\n']), expected.as_ref()) {
        Ok(opened) => opened,
        Err(error) => return refuse(&error, arguments.json),
    };
    let nonce = match &arguments.nonce {
        None => None,
        Some(text) => Some(hex::decode(text.trim()).context("--nonce: not hexadecimal digits")?),
    };
    let known = match &arguments.anchors {
        Some(folder) => Known::in_folder(folder)?,
        None => Known::installed(settings)?,
    };
    let answers = nonce.as_ref().map(|nonce| answers(&opened, nonce));
    let judgement = known.judge(&opened);
    report(&opened, &judgement, expected.is_some(), answers, arguments.json)
}

/// Evidence opened and judged again, for whoever goes on with what it holds.
pub(crate) struct Reread {
    pub(crate) opened: OpenedEvidence,
    pub(crate) verdict: Verdict,
    /// The file, byte for byte.
    pub(crate) text: Zeroizing<String>,
}

/// Opens a file and judges what is in it, by a folder of certificates or by this machine's trust store.
pub(crate) fn reread(settings: &AgentSettings, file: &Path, anchors: Option<&Path>) -> Result<Reread> {
    let text = read_text(file)?;
    let opened = open(text.trim_end_matches(['\r', '\n']), None)?;
    let known = match anchors {
        Some(folder) => Known::in_folder(folder)?,
        None => Known::installed(settings)?,
    };
    let verdict = known.judge(&opened).verdict;
    Ok(Reread { opened, verdict, text })
}

fn read_text(path: &Path) -> Result<Zeroizing<String>> {
    use std::io::Read as _;
    let mut text = Zeroizing::new(String::new());
    let shown = path.display();
    let read = if path == Path::new("-") {
        std::io::stdin().take(LARGEST).read_to_string(&mut text)
    } else {
        let file = std::fs::File::open(path).with_context(|| format!("cannot open {shown}"))?;
        file.take(LARGEST).read_to_string(&mut text)
    };
    read.with_context(|| format!("cannot read {shown}"))?;
    Ok(text)
}

/// Whether the chip was asked to sign over this very nonce. That it did is the check of active authentication.
fn answers(opened: &OpenedEvidence, nonce: &[u8]) -> bool {
    let Some(run) = opened.evidence.proofs.active_authentication.done() else { return false };
    run.nonce.as_deref().is_some_and(|used| used.ct_eq(nonce).into())
        && bool::from(run.challenge.ct_eq(&challenge_from_nonce(nonce)))
}

/// What the judge is given.
struct Known {
    anchors: TrustAnchors,
    crls: Vec<Crl>,
}

impl Known {
    /// The trust store of this machine.
    fn installed(settings: &AgentSettings) -> Result<Self> {
        let loaded = trust::load(&settings.trust.directory).context("the trust store cannot be read")?;
        Ok(Self { anchors: loaded.anchors, crls: loaded.crls })
    }

    /// Every certificate and list in the files of a folder: whoever names the folder vouches for them. One that
    /// another has issued only helps to get to one that has issued itself.
    fn in_folder(folder: &Path) -> Result<Self> {
        let shown = folder.display();
        let mut known = Self { anchors: TrustAnchors::new(), crls: Vec::new() };
        let entries = std::fs::read_dir(folder).with_context(|| format!("cannot open the folder {shown}"))?;
        let mut files = Vec::new();
        for entry in entries.take(MOST_FILES) {
            let path = entry.with_context(|| format!("cannot read the folder {shown}"))?.path();
            if path.is_file() {
                files.push(path);
            }
        }
        files.sort();
        for path in files {
            known.take(&path)?;
        }
        if known.anchors.is_empty() {
            bail!("{shown} holds no certificate");
        }
        Ok(known)
    }

    fn take(&mut self, path: &Path) -> Result<()> {
        use std::io::Read as _;
        let shown = path.display();
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path).with_context(|| format!("cannot open {shown}"))?;
        file.take(LARGEST_LIST).read_to_end(&mut bytes).with_context(|| format!("cannot read {shown}"))?;
        // A note or a manifest beside the certificates is no mistake.
        let Ok(contents) = Contents::read(&bytes) else { return Ok(()) };
        for der in &contents.certificates {
            let certificate = Certificate::parse(der).with_context(|| format!("{shown}: a certificate"))?;
            let role = if certificate.is_self_issued() { Role::Anchor } else { Role::Helper };
            self.anchors.insert(certificate, role);
        }
        for der in &contents.crls {
            self.crls.push(Crl::parse(der).with_context(|| format!("{shown}: a CRL"))?);
        }
        Ok(())
    }

    /// Judges as of the moment of the reading: a certificate that has expired since does not undo it.
    fn judge(&self, opened: &OpenedEvidence) -> Judgement {
        let policy = Policy::default();
        let basis = Basis { anchors: &self.anchors, crls: &self.crls, policy: &policy };
        let mut judgement = judge(&opened.evidence, basis, opened.read_at);
        if let Some(file) = opened.wrong_digest() {
            judgement.verdict = with_wrong_digest(&judgement.verdict, file);
        }
        judgement
    }
}

/// The verdict where a group is not in the file and its hash is not the one that was signed for.
fn with_wrong_digest(verdict: &Verdict, file: FileId) -> Verdict {
    let mut checks: Vec<Check> =
        verdict.checks().iter().filter(|check| check.name != CheckName::GroupHashes).cloned().collect();
    checks.push(Check::failed(CheckName::GroupHashes, Reason::Group(GroupReason::HashMismatch, file)));
    Verdict::of(checks)
}

/// What the agent knew, and what the card says of itself: agents before this one did not ask it.
pub(crate) fn mark_of(opened: &OpenedEvidence) -> ReadMark {
    let by_card = is_marked_simulated(&opened.evidence);
    ReadMark::simulated_if(opened.mark.is_simulated() || by_card)
}

fn refuse(error: &EvidenceFileError, json: bool) -> Result<ExitCode> {
    if json {
        let text = serde_json::json!({ "valid": false, "error": error.to_string() });
        say(&format!("{text:#}\n"))?;
    } else {
        say(&format!("CHỨNG CỨ KHÔNG HỢP LỆ · NOT VALID EVIDENCE\n  {error}\n"))?;
    }
    Ok(ExitCode::from(3))
}

fn report(
    opened: &OpenedEvidence,
    judgement: &Judgement,
    pinned: bool,
    answers: Option<bool>,
    json: bool,
) -> Result<ExitCode> {
    let verdict = &judgement.verdict;
    let mark = mark_of(opened);
    let read_at = cccd_api::moment(opened.read_at);
    if json {
        let text = serde_json::json!({
            "valid": true,
            "agent_key": opened.key_id.as_str(),
            "agent_key_expected": pinned,
            "agent_version": opened.agent_version,
            "read_id": opened.read_id,
            "read_at": read_at,
            "simulated": mark.is_simulated(),
            "nonce_matches": answers,
            "verdict": cccd_api::verdict_json(verdict),
            "verdict_of_agent": opened.claimed_summary,
        });
        say(&format!("{text:#}\n"))?;
    } else {
        let mut lines = Vec::new();
        if mark.is_simulated() {
            lines.push(SIMULATED.to_owned());
        }
        lines.push(format!("Đọc lúc · read at: {read_at}"));
        let trusted = if pinned {
            "đúng khóa yêu cầu · the expected key"
        } else {
            "chưa đối chiếu · not compared with a known key"
        };
        lines.push(format!("Khóa của máy đọc · key of the reading machine: {} ({trusted})", opened.key_id));
        match answers {
            Some(true) => lines.push("Nonce: khớp · matches".to_owned()),
            Some(false) => lines.push("Nonce: KHÔNG KHỚP · DOES NOT MATCH".to_owned()),
            None => {}
        }
        lines.extend(table::verdict_lines(verdict));
        lines.push(format!("Kết luận của máy đọc · the reading machine said: {}", opened.claimed_summary));
        say(&(lines.join("\n") + "\n"))?;
    }
    Ok(match (verdict.summary(), answers) {
        (_, Some(false)) | (Summary::NotGenuine, _) => ExitCode::from(3),
        // Whatever its chain says: nobody's card is genuine.
        _ if mark.is_simulated() => ExitCode::from(5),
        (Summary::Genuine, _) => ExitCode::SUCCESS,
        (Summary::Unconfirmed, _) => ExitCode::from(4),
    })
}
