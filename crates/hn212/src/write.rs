//! Packets and messages as they are written: to such a reader, and in its place.

use std::collections::BTreeMap;
use std::time::Duration;

use base64ct::{Base64, Encoding as _};
use cccd_card::{FilesGiven, SecretBytes};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::json;
use zeroize::Zeroizing;

use crate::{EVENT, GET_AA, INFO, packet};

/// A packet, wiped when it is dropped.
pub type Written = Zeroizing<String>;

/// Into the main namespace, as a client asks.
pub fn connect() -> Written {
    Zeroizing::new(packet::CONNECT.to_owned())
}

/// The answer to a ping.
pub fn pong() -> Written {
    Zeroizing::new("3".to_owned())
}

/// A ping.
pub fn ping() -> Written {
    Zeroizing::new("2".to_owned())
}

/// Has the chip sign.
pub fn get_aa(challenge: [u8; 8]) -> Written {
    event(GET_AA, &json!({ "clientId": "cccd-agent", "challenge": Base64::encode_string(&challenge) }))
}

/// What goes between two packets that travel in one payload of HTTP long-polling.
pub const SEPARATOR: char = '\u{1e}';
/// What a client that asks for its packets sends first over the WebSocket it may go over to.
pub const PROBE: &str = "2probe";
/// What it sends once it has stopped asking.
pub const UPGRADE: &str = "5";

/// The answer to [`PROBE`].
pub fn probed() -> Written {
    Zeroizing::new("3probe".to_owned())
}

/// Nothing: for a client that waits for a packet and shall stop.
pub fn noop() -> Written {
    Zeroizing::new("6".to_owned())
}

/// The connection ends.
pub fn close() -> Written {
    Zeroizing::new("1".to_owned())
}

/// Packets in one payload of HTTP long-polling.
pub fn payload<P: AsRef<Written>>(packets: &[P]) -> Written {
    let packets = || packets.iter().map(AsRef::as_ref);
    let room = packets().map(|packet: &Written| packet.len() + SEPARATOR.len_utf8()).sum();
    let mut payload = Zeroizing::new(String::with_capacity(room));
    for packet in packets() {
        if !payload.is_empty() {
            payload.push(SEPARATOR);
        }
        payload.push_str(packet);
    }
    payload
}

/// What a server says as it takes a connection.
#[derive(Debug, Clone, Copy)]
pub struct Handshake<'a> {
    /// The session's name.
    pub sid: &'a str,
    /// What else the connection may go over to.
    pub upgrades: &'a [&'a str],
    /// How often the client is pinged.
    pub ping_interval: Duration,
    /// How soon it answers.
    pub ping_timeout: Duration,
    /// The longest payload it may send, in bytes.
    pub max_payload: usize,
}

/// A connection is taken.
pub fn opening(handshake: &Handshake<'_>) -> Written {
    let text = json!({
        "sid": handshake.sid, "upgrades": handshake.upgrades,
        "pingInterval": milliseconds(handshake.ping_interval),
        "pingTimeout": milliseconds(handshake.ping_timeout),
        "maxPayload": handshake.max_payload,
    });
    Zeroizing::new(format!("0{text}"))
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A client is let into the main namespace.
pub fn connected(sid: &str) -> Written {
    Zeroizing::new(format!("{}{}", packet::CONNECT, json!({ "sid": sid })))
}

/// A client is not let in: why, and the problem itself.
pub fn refused(message: &str, problem: &impl Serialize) -> Written {
    #[derive(Serialize)]
    struct Refused<'a, P> {
        message: &'a str,
        data: &'a P,
    }
    Zeroizing::new(format!("44{}", *text_of(&Refused { message, data: problem })))
}

/// Serial numbers, or what stands for them.
pub fn info(version: &str, serial: &str) -> Written {
    event(INFO, &json!({ "version": version, "serial_nfc": serial, "serial_device": serial }))
}

/// A new card was seen.
pub fn new_card() -> Written {
    event(EVENT, &json!({ "id": 1, "message": "new card!" }))
}

/// A card could not be read: why.
pub fn failed(message: &str) -> Written {
    event(EVENT, &json!({ "id": 3, "message": message }))
}

/// The text of a card, in the names of the 3T G2. What is not to be had is empty.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the reader's; the table stands in docs/network-readers.md")]
pub struct Text<'a> {
    pub id_code: &'a str,
    pub old_id_code: &'a str,
    pub person_name: &'a str,
    pub date_of_birth: &'a str,
    pub gender: &'a str,
    pub nationality: &'a str,
    pub race: &'a str,
    pub religion: &'a str,
    pub origin_place: &'a str,
    pub residence_place: &'a str,
    pub personal_identification: &'a str,
    pub issue_date: &'a str,
    pub expiry_date: &'a str,
    pub father_name: &'a str,
    pub mother_name: &'a str,
    pub wife_name: &'a str,
}

/// The text of a card.
pub fn text(text: &Text<'_>) -> Written {
    said(2, "read card successfully!", text)
}

/// The face as a picture, and files.
pub fn files(picture: Option<&[u8]>, files: &FilesGiven) -> Written {
    said(4, "Read raw data successfully!", &Files { picture, files })
}

/// What passive authentication rests on. Only the maker's text has this message, and says of `CA` no more than that it was
/// `"1"` once: here that is chip authentication that went well, `"0"` one that did not, and nothing one that was not made.
/// `AA` is empty in it, and here: what the chip signs is asked for by itself.
pub fn hashes(chip_authenticated: Option<bool>, hashes: &Hashes<'_>) -> Written {
    #[derive(Serialize)]
    #[serde(rename_all = "UPPERCASE")]
    struct Data<'a> {
        ca: &'static str,
        aa: Signature,
        pa: &'a Hashes<'a>,
    }
    #[derive(Serialize)]
    struct Signature {
        aa_signature: &'static str,
    }
    let ca = match chip_authenticated {
        Some(true) => "1",
        Some(false) => "0",
        None => "",
    };
    said(5, "Read hash data successfully!", &Data { ca, aa: Signature { aa_signature: "" }, pa: hashes })
}

/// The signed hashes, who signed them, and the file they are from.
#[derive(Debug, Clone, Default)]
pub struct Hashes<'a> {
    /// By the number of the group.
    pub groups: BTreeMap<u8, &'a [u8]>,
    /// The document signer's certificate; empty where the file has none.
    pub certificate: &'a [u8],
    /// EF.SOD.
    pub sod: &'a [u8],
}

impl Serialize for Hashes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let encoded = |bytes: &[u8]| Zeroizing::new(Base64::encode_string(bytes));
        let mut map = serializer.serialize_map(None)?;
        for (number, hash) in &self.groups {
            map.serialize_entry(&format!("hash_dg{number}"), &*encoded(hash))?;
        }
        map.serialize_entry("cert", &*encoded(self.certificate))?;
        map.serialize_entry("sod", &*encoded(self.sod))?;
        map.end()
    }
}

fn said(id: u8, message: &str, data: &impl Serialize) -> Written {
    #[derive(Serialize)]
    struct Said<'a, D> {
        id: u8,
        message: &'a str,
        data: &'a D,
    }
    event(EVENT, &Said { id, message, data })
}

fn event(name: &str, argument: &impl Serialize) -> Written {
    Zeroizing::new(format!("42{}", *text_of(&(name, argument))))
}

/// Text and numbers can always be written. The buffer is given its room first, so that nothing is left behind by one that
/// grows.
fn text_of(value: &impl Serialize) -> Written {
    let mut counted = Counted(0);
    let _ = serde_json::to_writer(&mut counted, value);
    let mut bytes = Zeroizing::new(Vec::with_capacity(counted.0));
    let _ = serde_json::to_writer(&mut *bytes, value);
    Zeroizing::new(String::from_utf8(std::mem::take(&mut *bytes)).unwrap_or_default())
}

struct Counted(usize);

impl std::io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

struct Files<'a> {
    picture: Option<&'a [u8]>,
    files: &'a FilesGiven,
}

impl Serialize for Files<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let encoded = |bytes: &[u8]| Zeroizing::new(Base64::encode_string(bytes));
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("img_data", &*self.picture.map(encoded).unwrap_or_default())?;
        for (fid, bytes) in self.files {
            if let Some(member) = member_of(*fid) {
                map.serialize_entry(&member, &*encoded(bytes as &SecretBytes))?;
            }
        }
        map.end()
    }
}

/// The member that a file goes in.
fn member_of(fid: u16) -> Option<String> {
    match fid {
        0x011D => Some("sod".to_owned()),
        0x011E => Some("com".to_owned()),
        0x0101..=0x0110 => Some(format!("dg{}", fid & 0x00FF)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{Packet, ProgramMessage, ReaderMessage};

    fn message(text: &str) -> ReaderMessage {
        let Ok(Packet::Event { name, argument }) = Packet::parse(text) else { panic!("{text}") };
        assert_eq!(name, EVENT);
        ReaderMessage::parse(argument).unwrap()
    }

    #[test]
    fn what_is_written_is_read_again() {
        assert!(matches!(message(&new_card()), ReaderMessage::NewCard));
        assert!(matches!(message(&failed("no")), ReaderMessage::Failed));
        assert!(matches!(message(&text(&Text::default())), ReaderMessage::Text));
        let given: FilesGiven =
            [(0x0101, SecretBytes::new(vec![0x61, 0])), (0x011D, SecretBytes::new(vec![0x77, 0]))].into();
        let ReaderMessage::Files(read) = message(&files(Some(&[1]), &given)) else { panic!() };
        assert_eq!(read, given);
        let order = get_aa([7; 8]);
        let Ok(Packet::Event { name, argument }) = Packet::parse(&order) else { panic!() };
        let Ok(ProgramMessage::Sign { challenge }) = ProgramMessage::parse(&name, argument) else { panic!() };
        assert_eq!(challenge, [7; 8]);
        let handshake = Handshake {
            sid: "x",
            upgrades: &["websocket"],
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            max_payload: 16_384,
        };
        let Ok(Packet::Open(opened)) = Packet::parse(&opening(&handshake)) else { panic!() };
        assert_eq!(opened.alive_within, Duration::from_secs(45));
        assert!(matches!(Packet::parse(&connected("x")), Ok(Packet::Connect { .. })));
        assert!(matches!(Packet::parse(&refused("x", &1)), Ok(Packet::Refused)));
    }

    #[test]
    fn packets_of_one_payload_are_told_apart() {
        let packets = [Arc::new(ping()), Arc::new(new_card()), Arc::new(noop())];
        let payload = payload(&packets);
        assert_eq!(payload.capacity(), payload.len() + 1, "nothing was left behind by one that grew");
        let apart: Vec<&str> = payload.split(SEPARATOR).collect();
        assert_eq!(apart, packets.iter().map(|packet| packet.as_str()).collect::<Vec<_>>());
    }

    #[test]
    fn the_hashes_are_as_the_makers_text_has_them() {
        let of = Hashes { groups: [(1, &[1][..]), (13, &[2][..])].into(), certificate: &[3], sod: &[4] };
        let said = hashes(Some(true), &of);
        assert!(said.starts_with(r#"42["/event",{"id":5,"#), "{}", *said);
        let data = r#""data":{"CA":"1","AA":{"aa_signature":""},"PA":{"hash_dg1":"AQ==","hash_dg13":"Ag==","cert":"Aw==","sod":"BA=="}}}]"#;
        assert!(said.ends_with(data), "{}", *said);
        assert!(hashes(None, &of).contains(r#""CA":"","#));
        assert!(matches!(message(&said), ReaderMessage::Other));
    }

    #[test]
    fn the_names_are_the_readers() {
        let text = text(&Text { wife_name: "Trần Thị Vợ", ..Text::default() });
        assert!(text.starts_with(
            r#"42["/event",{"id":2,"message":"read card successfully!","data":{"idCode":"","oldIdCode""#
        ));
        assert!(
            text.contains(r#""personalIdentification":"","issueDate":"","expiryDate":"","fatherName":"","#)
        );
        assert!(text.ends_with(r#""wifeName":"Trần Thị Vợ"}}]"#));
    }
}
