//! What readers of the HN212 and 3T class say over their network, both ways.
//!
//! Such a reader converses with chips by itself and is a Socket.IO server: packets ([`Packet`]) over one WebSocket, in them
//! events, and in those its messages ([`ReaderMessage`]). What programs send such a reader is [`ProgramMessage`]; what the
//! agent says where it stands in for one is written by [`mod@write`].
//!
//! ```
//! use cccd_hn212::{Packet, ReaderMessage};
//!
//! let heard = r#"42["/event",{"id":4,"data":{"dg1":"YQA=","sod":"dwA="}}]"#;
//! let Packet::Event { name, argument } = Packet::parse(heard)? else { panic!() };
//! assert_eq!(name, cccd_hn212::EVENT);
//! let ReaderMessage::Files(files) = ReaderMessage::parse(argument)? else { panic!() };
//! // By their two-byte identifiers: DG1 and EF.SOD.
//! assert_eq!(files[&0x0101].as_slice(), [0x61, 0x00]);
//! assert!(files.contains_key(&0x011D));
//! # Ok::<(), cccd_hn212::NotUnderstood>(())
//! ```
//!
//! The shape of the messages is that of two public descriptions (an integrator's and the maker's), which contradict each
//! other in places; nothing is demanded that only one of them says. No input makes it panic, and nothing is allocated that
//! the input is not long enough for. It opens no socket and checks no signature: what is in the files is for others.

#![forbid(unsafe_code)]

mod encoded;
mod message;
mod packet;
mod program;
pub mod write;

pub use message::ReaderMessage;
pub use packet::{Opening, Packet};
pub use program::ProgramMessage;

/// The event in which all messages about cards come.
pub const EVENT: &str = "/event";
/// The event with the reader's serial numbers.
pub const INFO: &str = "/info";
/// The event by which a program has the chip sign.
pub const GET_AA: &str = "/get_aa";
/// The event by which a program has the card read again.
pub const INPUT_DATA: &str = "/input_data";
/// Path and query under which the WebSocket is asked for: Engine.IO 4, no other transport before.
pub const PATH_AND_QUERY: &str = "/socket.io/?EIO=4&transport=websocket";
/// The longest message taken: a face of several hundred kilobytes, twice in base64.
pub const LONGEST_MESSAGE: usize = 2 * 1024 * 1024;

/// Why what came is not understood. It repeats nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotUnderstood {
    /// Not a packet of Engine.IO or Socket.IO.
    #[error("not a Socket.IO packet")]
    Packet,
    /// Binary attachments, which neither description has.
    #[error("a Socket.IO packet with binary attachments")]
    Binary,
    /// An event whose JSON is none, or not of its shape.
    #[error("an event that is no JSON of its shape")]
    Event,
}
