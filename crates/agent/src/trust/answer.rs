//! What `cccd-agent trust` answers: the same facts for a person and for a program.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cccd_trust::store::{
    CrlFacts, CrlFinding, Facts, FileFormat, Finding, Fingerprint, Hint, HintedDocuments, ListFinding,
    Standing, Survey, Unreadable, Warning,
};
use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::edition::{Difference, Voucher};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Done.
    Done,
    /// Something cannot be used; what could be done is done.
    Partly,
    /// Nothing was changed: the operator has to vouch for something first.
    NeedsWord,
}

impl Outcome {
    pub(crate) fn exit_code(self) -> ExitCode {
        match self {
            Self::Done => ExitCode::SUCCESS,
            Self::Partly => ExitCode::from(2),
            Self::NeedsWord => ExitCode::from(3),
        }
    }
}

/// What a command found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum Answer {
    Check(CheckAnswer),
    Change(ChangeAnswer),
    List(ListAnswer),
    Show(Box<ShowAnswer>),
    Diff(DiffAnswer),
}

/// What files hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct CheckAnswer {
    pub(crate) files: Vec<FileView>,
}

/// What a change did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ChangeAnswer {
    /// The edition that holds now.
    pub(crate) edition: u64,
    pub(crate) changed: Changed,
    pub(crate) added: Vec<Named>,
    pub(crate) removed: Vec<Named>,
    #[serde(serialize_with = "fingerprints")]
    pub(crate) crls_added: Vec<Fingerprint>,
    #[serde(serialize_with = "fingerprints")]
    pub(crate) crls_removed: Vec<Fingerprint>,
    /// Certificates that wait for the operator's word.
    pub(crate) waiting: Vec<Named>,
    pub(crate) older_lists: usize,
    pub(crate) notices: Vec<Notice>,
    pub(crate) files: Vec<FileView>,
    /// Sources that gave nothing.
    pub(crate) failed: Vec<FailedSource>,
}

/// Whether the store is another one now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Changed {
    Yes,
    /// There was nothing to change.
    No,
    /// It would be, without `--dry-run`.
    Would,
    /// The operator has to vouch for something first.
    NeedsWord,
}

/// A source that gave nothing, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FailedSource {
    pub(crate) source: String,
    pub(crate) reason: String,
}

/// What is installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ListAnswer {
    pub(crate) directory: PathBuf,
    pub(crate) edition: u64,
    pub(crate) editions_kept: Vec<u64>,
    pub(crate) certificates: Vec<InstalledView>,
    pub(crate) crls: Vec<CrlView>,
    pub(crate) notices: Vec<Notice>,
}

/// One installed certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ShowAnswer {
    #[serde(flatten)]
    pub(crate) certificate: InstalledView,
    pub(crate) pem: String,
    pub(crate) notices: Vec<Notice>,
}

/// What differs between two editions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct DiffAnswer {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) added: Vec<Named>,
    pub(crate) removed: Vec<Named>,
    #[serde(serialize_with = "fingerprints")]
    pub(crate) crls_added: Vec<Fingerprint>,
    #[serde(serialize_with = "fingerprints")]
    pub(crate) crls_removed: Vec<Fingerprint>,
}

/// A certificate in a few words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Named {
    #[serde(serialize_with = "fingerprint")]
    pub(crate) sha256: Fingerprint,
    pub(crate) country: Option<String>,
    pub(crate) subject: Option<String>,
}

/// Something the operator should know about the anchors as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Notice {
    pub(crate) code: NoticeCode,
    #[serde(serialize_with = "fingerprint")]
    pub(crate) sha256: Fingerprint,
    pub(crate) country: &'static str,
    #[serde(serialize_with = "documents")]
    pub(crate) documents: Option<HintedDocuments>,
}

/// What a hint has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum NoticeCode {
    /// This certificate has the fingerprint that is known.
    #[serde(rename = "hint-matches")]
    Matches,
    /// An anchor of a country with a known one, and another: only the operator vouches for it.
    #[serde(rename = "hint-differs")]
    Differs,
    /// The anchor with the known fingerprint is not installed.
    #[serde(rename = "hint-missing")]
    Missing,
}

/// A file, and what came of each part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FileView {
    pub(crate) source: String,
    #[serde(serialize_with = "format")]
    pub(crate) format: FileFormat,
    pub(crate) certificates: Vec<CertificateView>,
    pub(crate) lists: Vec<ListView>,
    pub(crate) crls: Vec<CrlView>,
    pub(crate) unreadable: Vec<UnreadableView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct CertificateView {
    #[serde(serialize_with = "fingerprint")]
    pub(crate) sha256: Fingerprint,
    #[serde(flatten)]
    pub(crate) facts: Option<FactsView>,
    #[serde(serialize_with = "standing")]
    pub(crate) standing: Standing,
    #[serde(serialize_with = "warnings")]
    pub(crate) warnings: Vec<Warning>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FactsView {
    pub(crate) country: Option<String>,
    pub(crate) subject: String,
    pub(crate) issuer: String,
    pub(crate) serial: String,
    #[serde(serialize_with = "moment")]
    pub(crate) not_before: OffsetDateTime,
    #[serde(serialize_with = "moment")]
    pub(crate) not_after: OffsetDateTime,
    #[serde(serialize_with = "optional_moment")]
    pub(crate) key_usage_until: Option<OffsetDateTime>,
    pub(crate) key: String,
    pub(crate) signature: String,
    pub(crate) key_identifier: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct InstalledView {
    #[serde(flatten)]
    pub(crate) certificate: CertificateView,
    #[serde(serialize_with = "moment")]
    pub(crate) added: OffsetDateTime,
    pub(crate) voucher: Voucher,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ListView {
    pub(crate) standing: &'static str,
    pub(crate) signer: Option<Named>,
    #[serde(serialize_with = "optional_moment")]
    pub(crate) signed_at: Option<OffsetDateTime>,
    pub(crate) certificates: Vec<CertificateView>,
    pub(crate) unreadable: Vec<UnreadableView>,
    #[serde(skip)]
    pub(crate) found: cccd_trust::store::ListStanding,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct CrlView {
    #[serde(serialize_with = "fingerprint")]
    pub(crate) sha256: Fingerprint,
    #[serde(flatten)]
    pub(crate) facts: Option<CrlFactsView>,
    pub(crate) standing: &'static str,
    /// Whether it no longer counts: its next update is past, or it is older than the settings allow.
    pub(crate) stale: bool,
    #[serde(skip)]
    pub(crate) found: cccd_trust::store::CrlStanding,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct CrlFactsView {
    pub(crate) country: Option<String>,
    pub(crate) issuer: String,
    #[serde(serialize_with = "moment")]
    pub(crate) this_update: OffsetDateTime,
    #[serde(serialize_with = "optional_moment")]
    pub(crate) next_update: Option<OffsetDateTime>,
    pub(crate) revoked: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct UnreadableView {
    pub(crate) place: String,
    pub(crate) fault: String,
}

impl FileView {
    pub(crate) fn of(source: &str, survey: &Survey, crls: Vec<CrlView>) -> Self {
        Self {
            source: source.to_owned(),
            format: survey.format,
            certificates: survey.certificates.iter().map(CertificateView::of).collect(),
            lists: survey.lists.iter().map(ListView::of).collect(),
            crls,
            unreadable: survey.unreadable.iter().map(UnreadableView::of).collect(),
        }
    }

    /// Whether every part of it can be used.
    pub(crate) fn is_clean(&self) -> bool {
        let usable = |all: &[CertificateView]| all.iter().all(|one| one.standing.can_be_anchor());
        self.unreadable.is_empty()
            && usable(&self.certificates)
            && self.lists.iter().all(|list| {
                list.found.is_vouched_for() && list.unreadable.is_empty() && usable(&list.certificates)
            })
            && self.crls.iter().all(|crl| {
                use cccd_trust::store::CrlStanding;
                matches!(crl.found, CrlStanding::Signed | CrlStanding::Installed) && !crl.stale
            })
    }
}

impl CertificateView {
    pub(crate) fn of(finding: &Finding) -> Self {
        Self {
            sha256: finding.fingerprint,
            facts: finding.facts.as_ref().map(FactsView::of),
            standing: finding.standing,
            warnings: finding.warnings.clone(),
        }
    }
}

impl FactsView {
    fn of(facts: &Facts) -> Self {
        let Facts {
            country,
            subject,
            issuer,
            serial,
            not_before,
            not_after,
            key_usage_until,
            key,
            signature,
            key_identifier,
        } = facts.clone();
        Self {
            country,
            subject,
            issuer,
            serial,
            not_before,
            not_after,
            key_usage_until,
            key,
            signature,
            key_identifier,
        }
    }
}

impl ListView {
    fn of(list: &ListFinding) -> Self {
        Self {
            standing: list.standing.code(),
            signer: list.signer.as_ref().map(|signer| Named::new(signer.fingerprint, Some(&signer.facts))),
            signed_at: list.signed_at,
            certificates: list.certificates.iter().map(CertificateView::of).collect(),
            unreadable: list.unreadable.iter().map(UnreadableView::of).collect(),
            found: list.standing,
        }
    }
}

impl CrlView {
    pub(crate) fn of(finding: &CrlFinding, stale: bool) -> Self {
        Self {
            sha256: finding.fingerprint,
            facts: finding.facts.as_ref().map(CrlFactsView::of),
            standing: finding.standing.code(),
            stale,
            found: finding.standing,
        }
    }
}

impl CrlFactsView {
    fn of(facts: &CrlFacts) -> Self {
        let CrlFacts { country, issuer, this_update, next_update, revoked } = facts.clone();
        Self { country, issuer, this_update, next_update, revoked }
    }
}

impl UnreadableView {
    fn of(part: &Unreadable) -> Self {
        Self { place: part.place.to_string(), fault: part.fault.to_string() }
    }
}

impl Named {
    pub(crate) fn new(sha256: Fingerprint, facts: Option<&Facts>) -> Self {
        Self {
            sha256,
            country: facts.and_then(|facts| facts.country.clone()),
            subject: facts.map(|facts| facts.subject.clone()),
        }
    }
}

impl Notice {
    pub(crate) fn new(code: NoticeCode, sha256: Fingerprint, hint: &Hint) -> Self {
        let documents = (code != NoticeCode::Differs).then_some(hint.documents);
        Self { code, sha256, country: hint.country, documents }
    }
}

impl Answer {
    pub(crate) fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}

/// Names what a difference tells of.
pub(crate) fn named(
    difference: &Difference,
    name: impl Fn(Fingerprint) -> Named,
) -> (Vec<Named>, Vec<Named>) {
    let all = |which: &[Fingerprint]| which.iter().map(|one| name(*one)).collect();
    (all(&difference.added), all(&difference.removed))
}

/// The name of a file as a source.
pub(crate) fn source_of(path: &Path) -> String {
    path.display().to_string()
}

fn moment<S: Serializer>(time: &OffsetDateTime, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&time.format(&Rfc3339).map_err(serde::ser::Error::custom)?)
}

fn optional_moment<S: Serializer>(time: &Option<OffsetDateTime>, to: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => moment(time, to),
        None => to.serialize_none(),
    }
}

fn fingerprint<S: Serializer>(one: &Fingerprint, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(one)
}

fn fingerprints<S: Serializer>(all: &[Fingerprint], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(all.iter().map(ToString::to_string))
}

fn standing<S: Serializer>(standing: &Standing, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(standing.code())
}

fn warnings<S: Serializer>(all: &[Warning], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(all.iter().map(|one| one.code()))
}

fn format<S: Serializer>(format: &FileFormat, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(format.code())
}

fn documents<S: Serializer>(documents: &Option<HintedDocuments>, to: S) -> Result<S::Ok, S::Error> {
    match documents {
        Some(HintedDocuments::CitizenId) => to.serialize_str("citizen-id"),
        Some(HintedDocuments::Passport) => to.serialize_str("passport"),
        None => to.serialize_none(),
    }
}
