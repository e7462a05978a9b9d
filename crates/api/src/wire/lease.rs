//! The JSON twin of a lease.

use cccd_engine::LeaseView;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::admission::RegisterWishJson;
use super::request::{BiometricJson, RecordFieldJson, Seconds, given};

/// A reader, asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LeaseRequest)]
pub(crate) struct LeaseRequestJson {
    /// How many seconds the lease runs unless it is asked for again: 5 to 120.
    #[serde(default = "half_a_minute")]
    #[schema(value_type = u64, minimum = 5, maximum = 120, default = 30)]
    pub(crate) seconds: Seconds,
    /// What to read of each card that is laid there, without being asked for each; without it, nothing.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub(crate) auto_read: Option<AutoReadJson>,
    /// Whether the lease, and the readings asked for through this connection from now on that have no card yet, are over
    /// when the connection is closed. For programs at the local socket: elsewhere a connection is nobody's own.
    #[serde(default)]
    #[schema(default = false)]
    pub(crate) while_connected: bool,
}

/// Readings that begin by themselves. What opens each card is the newest scan that the caller may have and has not read a
/// card with: one it posted or, with the scope `scan`, a scanner's.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AutoRead)]
pub(crate) struct AutoReadJson {
    /// The scanner that stands beside the reader, where the machine has several; without it, every one counts.
    #[serde(default, deserialize_with = "given")]
    #[schema(example = "desk-1", min_length = 1, max_length = 256, nullable = false)]
    pub(crate) scanner: Option<String>,
    /// The consumer profile that every card is read under, as in a request for a reading: the same groups, deliveries and
    /// answers, and neither `fields` nor `portrait` beside it.
    #[serde(default, deserialize_with = "given")]
    #[schema(
        example = "exam",
        pattern = "^[a-z0-9][a-z0-9-]{0,63}$",
        min_length = 1,
        max_length = 64,
        nullable = false
    )]
    pub(crate) profile: Option<String>,
    /// The register, and its session, that every holder is entered in, as in a request for a reading.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub(crate) register: Option<RegisterWishJson>,
    /// As in a request for a reading.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub(crate) portrait: Option<bool>,
    /// As in a request for a reading.
    #[serde(default, deserialize_with = "given")]
    #[schema(max_items = 23, nullable = false)]
    pub(crate) fields: Option<Vec<RecordFieldJson>>,
    /// As in a request for a reading.
    #[serde(default)]
    #[schema(max_items = 2)]
    pub(crate) biometrics: Vec<BiometricJson>,
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
    /// Whether cards laid there are read by themselves.
    auto_read: bool,
}

impl From<&LeaseView> for LeaseJson {
    fn from(view: &LeaseView) -> Self {
        Self {
            reader_id: view.reader.to_string(),
            remaining_ms: u64::try_from(view.remaining.as_millis()).unwrap_or(u64::MAX),
            auto_read: view.reads_by_itself,
        }
    }
}
