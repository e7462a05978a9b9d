//! Doors for programs that know another reader's messages and not this API.
//!
//! Off unless the settings name one; each is bound to one caller of the settings, whose scopes say what it hands out, and
//! every reading through it has its entry in the audit chain as any other has.
//!
//! | door | who is served | file |
//! | --- | --- | --- |
//! | the HN212's | programs that connect, under the same rules of Host, Origin and token as the API | `reader.rs`, `conversation.rs`, `carriers.rs`, `sessions.rs` |
//! | the JTH program's | the one program of this machine that the settings name: it is posted to | `webhook.rs` |
//!
//! Both read when a code is scanned: the scan opens the card (`lane.rs`).

mod carriers;
mod conversation;
mod lane;
mod reader;
mod sessions;
mod webhook;
mod words;

use cccd_engine::CallerId;
use cccd_profiles::Door;

pub use self::reader::open_reader_door;
pub use self::webhook::open_webhook;
use crate::api::Desk;
use crate::callers::{Caller, CallerKind};

/// On whose behalf a door reads; `None` where the settings have no such caller.
fn caller_of(desk: &Desk, door: &Door) -> Option<Caller> {
    let known = desk.access.callers.iter().find(|known| known.name == door.caller)?;
    Some(Caller::new(CallerId::new(&known.name), CallerKind::Door, known.granted()))
}
