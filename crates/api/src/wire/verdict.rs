//! The JSON twin of a verdict, with words for people.

use cccd_document::FileId;
use cccd_trust::{Check, CheckState, Reason, Summary, Verdict};
use serde::Serialize;
use utoipa::ToSchema;

use crate::verdict_words::{of_check, of_reason, of_verdict};

/// Whether what was read is genuine.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Verdict)]
pub(crate) struct VerdictJson {
    /// What all checks come to.
    state: SummaryJson,
    /// Why, for programs: `genuine`, the reason of the decisive check, `not-offered`, `skipped` or
    /// `not-checked`.
    #[schema(example = "unknown-anchor")]
    code: &'static str,
    /// Why.
    reason: &'static str,
    /// Why, in Vietnamese.
    reason_vi: &'static str,
    /// Every check.
    checks: Vec<CheckJson>,
}

/// What all checks come to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = VerdictState)]
pub(crate) enum SummaryJson {
    /// A pinned authority signed everything that was read, and the chip is the one it was signed for.
    Genuine,
    /// A check failed.
    NotGenuine,
    /// Nothing failed, and something could not be shown.
    Unconfirmed,
}

/// One check. More will come: a check you do not know counts as its state says.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Check)]
pub(crate) struct CheckJson {
    /// What was checked.
    #[schema(example = "chain")]
    check: &'static str,
    /// What came of it.
    state: CheckStateJson,
    /// Why it failed or could not be made; null where it did neither.
    reason: Option<ReasonJson>,
    /// Deviations it passed in spite of.
    tolerated: Vec<ReasonJson>,
    /// What was checked, in words.
    text: &'static str,
    /// The same in Vietnamese.
    text_vi: &'static str,
}

/// What came of a check.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CheckState)]
pub(crate) enum CheckStateJson {
    /// It was made and holds.
    Passed,
    /// It was made and does not hold.
    Failed,
    /// The document does not have what it takes.
    NotOffered,
    /// It could not be made.
    NotPossible,
    /// It was left out.
    Skipped,
}

/// A reason.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Reason)]
pub(crate) struct ReasonJson {
    /// For programs.
    #[schema(example = "unknown-anchor")]
    code: &'static str,
    /// The file it is about; null where it is about none.
    #[schema(example = "EF.DG2")]
    file: Option<String>,
    /// In words.
    text: &'static str,
    /// In Vietnamese.
    text_vi: &'static str,
}

/// A verdict, as the API answers it: for programs that judge by themselves.
pub fn verdict_json(verdict: &Verdict) -> serde_json::Value {
    // Strings and numbers can always be written.
    serde_json::to_value(VerdictJson::from(verdict)).unwrap_or_default()
}

impl From<&Verdict> for VerdictJson {
    fn from(verdict: &Verdict) -> Self {
        let words = of_verdict(verdict);
        Self {
            state: match verdict.summary() {
                Summary::Genuine => SummaryJson::Genuine,
                Summary::NotGenuine => SummaryJson::NotGenuine,
                Summary::Unconfirmed => SummaryJson::Unconfirmed,
            },
            code: verdict.code(),
            reason: words.en,
            reason_vi: words.vi,
            checks: verdict.checks().iter().map(CheckJson::from).collect(),
        }
    }
}

impl From<&Check> for CheckJson {
    fn from(check: &Check) -> Self {
        let words = of_check(check.name);
        let (state, reason) = match check.state {
            CheckState::Passed => (CheckStateJson::Passed, None),
            CheckState::Failed(reason) => (CheckStateJson::Failed, Some(reason)),
            CheckState::NotOffered => (CheckStateJson::NotOffered, None),
            CheckState::NotPossible(reason) => (CheckStateJson::NotPossible, Some(reason)),
            CheckState::Skipped => (CheckStateJson::Skipped, None),
        };
        Self {
            check: check.name.code(),
            state,
            reason: reason.map(ReasonJson::from),
            tolerated: check.tolerated.iter().copied().map(ReasonJson::from).collect(),
            text: words.en,
            text_vi: words.vi,
        }
    }
}

impl From<Reason> for ReasonJson {
    fn from(reason: Reason) -> Self {
        let words = of_reason(reason);
        let file = match reason {
            Reason::Group(_, file) => Some(FileId::to_string(&file)),
            _ => None,
        };
        Self { code: reason.code(), file, text: words.en, text_vi: words.vi }
    }
}
