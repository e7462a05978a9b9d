//! The JSON twin of a reading: where it stands, without what it found.

use cccd_engine::{Phase, ReadState, ReadView};
use serde::Serialize;
use utoipa::ToSchema;

use super::ProblemJson;
use crate::refusal::Refusal;

/// A reading: where it stands. It says nothing about a person.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Read)]
pub(crate) struct ReadJson {
    /// Its name.
    #[schema(example = "5f0c3a9be1d24487a6c0f1e2d3b4a596", pattern = "^[0-9a-f]{32}$")]
    read_id: String,
    /// Where it runs or ran; null while it waits for any card.
    reader_id: Option<String>,
    /// Where it stands.
    state: ReadStateJson,
    /// What it does, or did last.
    phase: PhaseJson,
    /// How far it is. It never goes back.
    #[schema(minimum = 0, maximum = 100)]
    percent: u8,
    /// How many readings that wait are before it.
    #[schema(minimum = 0, maximum = 256)]
    ahead: usize,
    /// Why it ended without a result, or what it is paused for; null otherwise.
    problem: Option<ProblemJson>,
    /// Where its result is, once there is one; null otherwise.
    result: Option<String>,
}

/// Where a reading stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ReadState)]
pub(crate) enum ReadStateJson {
    /// Waits for a card or for its turn.
    Waiting,
    /// Talks to a card.
    Running,
    /// Its card lies badly or was lifted. Laid down again within a few seconds, the reading goes on.
    Paused,
    /// Done; the result is there.
    Completed,
    /// Done; the result has been wiped.
    Expired,
    /// Ended without a result.
    Failed,
}

/// What a reading does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Phase)]
pub(crate) enum PhaseJson {
    /// Waits for a card.
    WaitingForCard,
    /// Connects to the card.
    Connecting,
    /// Runs PACE or BAC.
    Unlocking,
    /// Reads files.
    Reading,
    /// Decodes and checks what was read.
    Checking,
    /// Nothing more.
    Over,
}

impl From<Phase> for PhaseJson {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::WaitingForCard => Self::WaitingForCard,
            Phase::Connecting => Self::Connecting,
            Phase::Unlocking => Self::Unlocking,
            Phase::Reading => Self::Reading,
            Phase::Checking => Self::Checking,
            Phase::Over => Self::Over,
        }
    }
}

impl From<&ReadView> for ReadJson {
    fn from(view: &ReadView) -> Self {
        let (state, failure) = match view.state {
            ReadState::Waiting => (ReadStateJson::Waiting, None),
            ReadState::Running => (ReadStateJson::Running, None),
            ReadState::Paused(failure) => (ReadStateJson::Paused, Some(failure)),
            ReadState::Completed => (ReadStateJson::Completed, None),
            ReadState::Expired => (ReadStateJson::Expired, None),
            ReadState::Failed(failure) => (ReadStateJson::Failed, Some(failure)),
        };
        Self {
            read_id: view.id.to_string(),
            reader_id: view.reader.as_ref().map(ToString::to_string),
            state,
            phase: view.phase.into(),
            percent: view.percent,
            ahead: view.ahead,
            problem: failure.map(|failure| {
                let refusal = Refusal { held_by: view.held_by.clone(), ..Refusal::from(failure) };
                ProblemJson::from(&refusal.about(view.id))
            }),
            result: (view.state == ReadState::Completed).then(|| format!("/v1/reads/{}/result", view.id)),
        }
    }
}
