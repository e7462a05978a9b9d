//! The JSON twin of a lease.

use cccd_engine::LeaseView;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::request::Seconds;

/// A reader, asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LeaseRequest)]
pub(crate) struct LeaseRequestJson {
    /// How many seconds the lease runs unless it is asked for again: 5 to 120.
    #[serde(default = "half_a_minute")]
    #[schema(value_type = u64, minimum = 5, maximum = 120, default = 30)]
    pub(crate) seconds: Seconds,
}

fn half_a_minute() -> Seconds {
    Seconds::HALF_A_MINUTE
}

/// A lease: nobody else's reading starts on this reader.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Lease)]
pub(crate) struct LeaseJson {
    /// The reader.
    #[schema(example = "gempc-twin-00-00")]
    reader_id: String,
    /// How many milliseconds it runs from now. Ask again before they are over: that is the heartbeat.
    #[schema(minimum = 0, maximum = 120_000)]
    remaining_ms: u64,
}

impl From<&LeaseView> for LeaseJson {
    fn from(view: &LeaseView) -> Self {
        Self {
            reader_id: view.reader.to_string(),
            remaining_ms: u64::try_from(view.remaining.as_millis()).unwrap_or(u64::MAX),
        }
    }
}
