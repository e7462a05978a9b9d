//! The JSON twin of a problem (RFC 9457, 3).

use serde::Serialize;
use utoipa::ToSchema;

use crate::problems::{Problem, Retry};
use crate::refusal::Refusal;
use crate::trace::current_trace_id;

/// A problem, as RFC 9457 writes it, with members of this API.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemJson {
    /// A reference to the page that explains this kind of problem.
    #[serde(rename = "type")]
    #[schema(example = "/problems/no-card")]
    type_reference: String,
    /// What happened.
    title: &'static str,
    /// What happened, in Vietnamese, for the person at the desk.
    title_vi: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// More on this one request. It repeats nothing that was sent.
    detail: String,
    /// The stable name: decide by this.
    #[schema(example = "no-card", pattern = "^[a-z-]+$")]
    code: &'static str,
    /// Whether the same request may succeed later.
    retryable: bool,
    /// Whose move it is.
    actor: ActorJson,
    /// What to do.
    remedy: &'static str,
    /// What to do, in Vietnamese.
    remedy_vi: &'static str,
    /// The reading this is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[0-9a-f]{32}$")]
    read_id: Option<String>,
    /// How many tries are left: of this kind of key, as the chip says, or of a pairing's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 15)]
    tries_left: Option<u8>,
    /// The caller who has the reader.
    #[serde(skip_serializing_if = "Option::is_none")]
    held_by: Option<String>,
    /// The trace the request belongs to: the one it named in `traceparent`, or one of its own. The audit chain has it too.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[0-9a-f]{32}$")]
    trace_id: Option<String>,
}

/// Whose move it is.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Actor)]
pub(crate) enum ActorJson {
    /// Whoever stands at the desk with the card.
    User,
    /// Whoever runs the desk.
    Operator,
    /// Whoever looks after the machine.
    Admin,
    /// Whoever wrote the calling program.
    Integrator,
}

impl From<crate::problems::Actor> for ActorJson {
    fn from(actor: crate::problems::Actor) -> Self {
        use crate::problems::Actor;
        match actor {
            Actor::User => Self::User,
            Actor::Operator => Self::Operator,
            Actor::Admin => Self::Admin,
            Actor::Integrator => Self::Integrator,
        }
    }
}

impl From<&Refusal> for ProblemJson {
    fn from(refusal: &Refusal) -> Self {
        let problem = refusal.problem;
        Self {
            type_reference: problem.type_reference(),
            title: problem.title.en,
            title_vi: problem.title.vi,
            status: problem.status,
            detail: refusal.detail.as_deref().unwrap_or(problem.cause.en).to_owned(),
            code: problem.code,
            retryable: problem.retry == Retry::Worthwhile,
            actor: problem.actor.into(),
            remedy: problem.remedy.en,
            remedy_vi: problem.remedy.vi,
            read_id: refusal.read.map(|read| read.to_string()),
            tries_left: refusal.tries_left,
            held_by: refusal.held_by.as_ref().map(|caller| caller.label().to_owned()),
            trace_id: current_trace_id(),
        }
    }
}

/// One entry of the table, as a page of its own.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProblemPage)]
pub(crate) struct ProblemPageJson {
    /// The stable name.
    code: &'static str,
    /// The HTTP status it travels with.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// Whether the same request may succeed later.
    retryable: bool,
    /// Whose move it is.
    actor: ActorJson,
    /// What happened.
    title: TextJson,
    /// Why.
    cause: TextJson,
    /// What to do.
    remedy: TextJson,
}

/// A sentence in two languages.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Text)]
pub(crate) struct TextJson {
    /// Vietnamese.
    vi: &'static str,
    /// English.
    en: &'static str,
}

impl From<crate::problems::Text> for TextJson {
    fn from(text: crate::problems::Text) -> Self {
        Self { vi: text.vi, en: text.en }
    }
}

impl From<&'static Problem> for ProblemPageJson {
    fn from(problem: &'static Problem) -> Self {
        Self {
            code: problem.code,
            status: problem.status,
            retryable: problem.retry == Retry::Worthwhile,
            actor: problem.actor.into(),
            title: problem.title.into(),
            cause: problem.cause.into(),
            remedy: problem.remedy.into(),
        }
    }
}
