//! What a reader says about cards, in the event `/event`.
//!
//! | id | what | looked at |
//! | --- | --- | --- |
//! | 1 | a new card was seen (the integrator's description alone) | that there is one |
//! | 2 | what the reader makes of the text of DG13 | that it came |
//! | 3 | it could not read the card; free text | that it could not |
//! | 4 | the portrait as a picture, and the files it read | the files |
//! | 5 | hashes, and the signer's certificate (the maker's alone) | no |
//! | 7 | what the chip signed (the maker's alone) | all of it |
//!
//! What is not looked at is skipped where it stands: no copy of it is made.

use std::fmt;

use cccd_card::{FilesGiven, SecretBytes};
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

use crate::NotUnderstood;
use crate::encoded::Encoded;
use crate::packet::argument;

/// One message.
pub enum ReaderMessage {
    /// A new card was seen.
    NewCard,
    /// The reader has read the text.
    Text,
    /// The reader could not read the card.
    Failed,
    /// The files it read, by their identifiers. One whose base64 is none is empty.
    Files(FilesGiven),
    /// What the chip signed.
    Signed {
        /// RND.IFD, where the message says it.
        challenge: Option<SecretBytes>,
        /// The chip's answer.
        signature: SecretBytes,
    },
    /// Something else.
    Other,
}

impl ReaderMessage {
    /// Reads the argument of an event.
    pub fn parse(text: &str) -> Result<Self, NotUnderstood> {
        let RawMessage { id, data } = argument(text)?;
        Ok(match id {
            1 => Self::NewCard,
            2 => Self::Text,
            3 => Self::Failed,
            4 => Self::Files(data.files),
            7 => match data.signature {
                Some(signature) => Self::Signed { challenge: data.challenge, signature },
                None => Self::Other,
            },
            _ => Self::Other,
        })
    }
}

impl fmt::Debug for ReaderMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NewCard => f.write_str("NewCard"),
            Self::Text => f.write_str("Text"),
            Self::Failed => f.write_str("Failed"),
            Self::Files(files) => write!(f, "Files({})", files.len()),
            Self::Signed { signature, .. } => write!(f, "Signed({} bytes)", signature.len()),
            Self::Other => f.write_str("Other"),
        }
    }
}

#[derive(Deserialize)]
struct RawMessage {
    id: u64,
    #[serde(default)]
    data: Data,
}

#[derive(Default)]
struct Data {
    files: FilesGiven,
    challenge: Option<SecretBytes>,
    signature: Option<SecretBytes>,
}

/// The file identifier of a member that holds a file: `sod`, `com`, `dg1` to `dg16` (ICAO 9303-10, table 38).
fn file_of(member: &str) -> Option<u16> {
    match member {
        "sod" => Some(0x011D),
        "com" => Some(0x011E),
        _ => {
            let number: u16 = member.strip_prefix("dg")?.parse().ok()?;
            (1..=16).contains(&number).then_some(0x0100 | number)
        }
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DataVisitor)
    }
}

struct DataVisitor;

impl<'de> Visitor<'de> for DataVisitor {
    type Value = Data;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Data, A::Error> {
        let mut data = Data::default();
        while let Some(member) = members.next_key::<String>()? {
            let place = match (member.as_str(), file_of(&member)) {
                (_, Some(fid)) => Place::File(fid),
                ("aa_signature", _) => Place::Signature,
                // As the maker's text spells it, and as it is spelt.
                ("aa_challege" | "aa_challenge", _) => Place::Challenge,
                _ => {
                    members.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            let Encoded::Bytes(bytes) = members.next_value()? else { continue };
            let twice = match place {
                Place::File(fid) => data.files.insert(fid, bytes).is_some(),
                Place::Signature => data.signature.replace(bytes).is_some(),
                Place::Challenge => data.challenge.replace(bytes).is_some(),
            };
            if twice {
                return Err(de::Error::custom("a member comes twice"));
            }
        }
        Ok(data)
    }

    fn visit_unit<E>(self) -> Result<Data, E> {
        Ok(Data::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<Data, E> {
        Ok(Data::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Data, E> {
        Ok(Data::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Data, E> {
        Ok(Data::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Data, E> {
        Ok(Data::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Data, E> {
        Ok(Data::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Data, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Data::default())
    }
}

/// Where a member belongs.
enum Place {
    File(u16),
    Signature,
    Challenge,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        match ReaderMessage::parse(&format!("{text}]")) {
            Ok(ReaderMessage::Files(files)) => files
                .iter()
                .map(|(fid, bytes)| format!("{fid:04X}={}", bytes.len()))
                .collect::<Vec<_>>()
                .join(" "),
            Ok(message) => format!("{message:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_messages_of_both_descriptions() {
        for (text, told) in [
            (r#"{"id":1,"message":"new card!"}"#, "NewCard"),
            (r#"{"id":2,"message":"read card successfully!","data":{"idCode":"000090123456"}}"#, "Text"),
            (r#"{"id":3,"message":"Thẻ không hợp lệ"}"#, "Failed"),
            (
                r#"{"id":4,"message":"Read raw data successfully!","data":{"img_data":"AA==","dg2":"dQA=","dg13":"bQA=","dg14":"bgA=","dg15":"bwA=","sod":"dwA="}}"#,
                "0102=2 010D=2 010E=2 010F=2 011D=2",
            ),
            (r#"{"id":4,"data":{"dg1":"YQA=","dg16":"","dg17":"YQA=","dg0":"YQA=","dg14":null}}"#, "0101=2"),
            (r#"{"id":5,"data":{"CA":"1","AA":{"aa_signature":""},"PA":{"sod":"dwA="}}}"#, "Other"),
            (r#"{"id":7,"data":{"aa_signature":"AQID","aa_challege":"AAAAAAAAAAA="}}"#, "Signed(3 bytes)"),
            (r#"{"id":7,"data":{"aa_signature":""}}"#, "Other"),
            (r#"{"id":99,"more":[1,{"a":2}],"data":"text"}"#, "Other"),
            (r#"{"id":3,"data":[1,2]}"#, "Failed"),
        ] {
            assert_eq!(read(text), told, "{text}");
        }
    }

    #[test]
    fn one_file_that_is_no_base64_does_not_spoil_the_others() {
        let text = r#"{"id":4,"data":{"dg1":"@@@@","dg2":7,"dg13":{"a":[1]},"dg14":[{}],"sod":"dwA="}}"#;
        assert_eq!(read(text), "0101=0 0102=0 010D=0 010E=0 011D=2");
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for text in [
            "",
            "7",
            "{}",
            r#"{"id":"4"}"#,
            r#"{"id":-1}"#,
            r#"{"id":4,"data":{"sod":"#,
            r#"{"id":4,"data":{"sod":"dwA=","sod":"dwA="}}"#,
            r#"{"id":4}{"id":4}"#,
        ] {
            assert_eq!(read(text), "an event that is no JSON of its shape", "{text}");
        }
        let deep = format!("{{\"id\":2,\"data\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(ReaderMessage::parse(&deep).is_err());
    }
}
