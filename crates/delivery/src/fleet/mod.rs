//! Desks of one operator on one MQTT 5 broker: each says that it is there and what it does, results leave sealed, and an
//! operator's program sees all desks.
//!
//! | topic | who publishes | what |
//! | --- | --- | --- |
//! | `PREFIX/desks/DESK/presence` | the desk; the broker when it is lost (last will) | [`Presence`], retained |
//! | `PREFIX/desks/DESK/report` | the desk | [`DeskReport`], retained |
//! | `PREFIX/desks/DESK/results/TOPIC` | the desk | a result, sealed to its recipient (RFC 7516) |
//! | `PREFIX/watchers/ID` | whoever looks at the fleet | a mark to itself: everything retained came before it |

mod broker;
mod report;
mod watch;

pub use broker::Broker;
pub use report::{DeskReport, OutboxCounts, Presence, PresenceState, ReaderReport};
pub use watch::{DeskView, FleetView, LookError, look};

use cccd_profiles::FleetSettings;

/// The topic of a desk's part.
fn topic(settings: &FleetSettings, part: &str) -> String {
    format!("{}/desks/{}/{part}", settings.topics, settings.desk)
}
