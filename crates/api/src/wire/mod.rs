//! JSON twins: what crosses the wire, written for the wire. No domain type is serialized itself.

mod agent;
mod event;
mod expectation;
mod lease;
mod partial;
mod problem;
mod read;
mod reader;
mod record;
mod request;
mod result;
mod signed;
mod verdict;

pub(crate) use agent::{AgentJson, HealthJson};
pub(crate) use event::EventJson;
pub(crate) use expectation::ExpectationJson;
pub(crate) use lease::{LeaseJson, LeaseRequestJson};
pub(crate) use partial::PartialJson;
pub(crate) use problem::{ProblemJson, ProblemPageJson};
pub(crate) use read::{PhaseJson, ReadJson};
pub(crate) use reader::{ReaderJson, ReadersJson};
pub(crate) use request::ReadRequestJson;
pub use result::result_json;
pub(crate) use result::{ResultJson, personal_buffer};
pub(crate) use signed::SignedText;
pub use verdict::verdict_json;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A moment as RFC 3339 writes it.
pub fn rfc3339(moment: OffsetDateTime) -> String {
    // Only years beyond 9999 cannot be written.
    moment.format(&Rfc3339).unwrap_or_default()
}
