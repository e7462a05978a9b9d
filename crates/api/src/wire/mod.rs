//! JSON twins: what crosses the wire, written for the wire. No domain type is serialized itself.

mod admission;
mod agent;
mod biometrics;
mod caller;
mod disclosure;
mod event;
mod expectation;
mod lease;
mod pairing;
mod partial;
mod problem;
mod read;
mod reader;
mod record;
mod register;
mod request;
mod result;
mod scan;
mod scanner;
mod signed;
mod verdict;

pub(crate) use admission::{AdmissionJson, RegisterWishJson};
pub(crate) use agent::{AgentJson, HealthJson};
pub(crate) use caller::{CallerJson, IdentityJson, SessionJson};
pub use disclosure::disclosure_json;
pub(crate) use event::EventJson;
pub(crate) use expectation::ExpectationJson;
pub(crate) use lease::{AutoReadJson, LeaseJson, LeaseRequestJson};
pub(crate) use pairing::{GrantJson, PairingCodeJson, PairingJson, PairingRequestJson};
pub(crate) use partial::PartialJson;
pub(crate) use problem::{ProblemJson, ProblemPageJson};
pub(crate) use read::{PhaseJson, ReadJson};
pub(crate) use reader::{ReaderJson, ReadersJson};
pub(crate) use register::{ExportRequestJson, RegisterJson, RegistersJson, RosterJson};
pub(crate) use request::{BiometricJson, OpenedBy, ReadRequestJson, RecordFieldJson, ScanTextJson, Secret};
pub use result::result_json;
pub(crate) use result::{Allowed, ResultJson};
pub use scan::scans_json;
pub(crate) use scan::{ScanJson, ScansJson};
pub(crate) use scanner::ScannersJson;
pub(crate) use signed::SignedText;
pub use verdict::verdict_json;

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use zeroize::Zeroizing;

use crate::wiped::WipedBuffer;

/// A moment as RFC 3339 writes it.
pub fn rfc3339(moment: OffsetDateTime) -> String {
    // Only years beyond 9999 cannot be written.
    moment.format(&Rfc3339).unwrap_or_default()
}

/// JSON about a person for a terminal, wiped when dropped.
fn pretty(value: &impl Serialize) -> Zeroizing<String> {
    let mut text = WipedBuffer::new();
    // Strings and numbers can always be written into memory.
    let written = serde_json::to_writer_pretty(&mut text, value);
    text.extend(b"\n");
    let whole = written.ok().and_then(|()| String::from_utf8(std::mem::take(&mut *text.into_inner())).ok());
    Zeroizing::new(whole.unwrap_or_default())
}
