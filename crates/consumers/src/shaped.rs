//! The consumer's object: silent when printed for debugging, wiped when dropped.

use cccd_document::Personal;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use zeroize::Zeroizing;

/// The consumer's object, or a part of it.
#[derive(Clone, PartialEq, Eq)]
pub enum Shaped {
    /// Names and what stands under them.
    Object(Vec<(String, Shaped)>),
    /// A list.
    List(Vec<Shaped>),
    /// A text.
    Text(Personal),
    /// A whole number.
    Integer(i64),
    /// Yes or no.
    YesNo(bool),
    /// Nothing.
    Null,
}

impl Shaped {
    /// What stands under `name`.
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => {
                members.iter().find(|(known, _)| known == name).map(|(_, shaped)| shaped)
            }
            _ => None,
        }
    }

    /// The text, where it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.expose()),
            _ => None,
        }
    }

    /// The whole as JSON on one line, in a buffer that is wiped when dropped.
    pub fn to_json(&self) -> Zeroizing<String> {
        // Nothing is left behind by a buffer that grows: it has room for all of it from the start.
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.most_bytes()));
        let written = serde_json::to_writer(&mut *bytes, self);
        debug_assert!(written.is_ok(), "texts and numbers can always be written");
        Zeroizing::new(String::from_utf8(std::mem::take(&mut *bytes)).unwrap_or_default())
    }

    /// An object that was written with [`Self::to_json`], its members in their order; `None` where it is none.
    pub fn of_json(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }

    /// At most as many bytes as this takes as JSON: a control character takes six.
    fn most_bytes(&self) -> usize {
        let text = |text: &str| {
            let escaped = text.bytes().filter(|byte| *byte < 0x20 || b"\"\\".contains(byte)).count();
            text.len().saturating_add(escaped.saturating_mul(5)).saturating_add(2)
        };
        match self {
            Self::Object(members) => members
                .iter()
                .map(|(name, shaped)| text(name).saturating_add(shaped.most_bytes()).saturating_add(2))
                .fold(2, usize::saturating_add),
            Self::List(list) => {
                list.iter().map(|shaped| shaped.most_bytes().saturating_add(1)).fold(2, usize::saturating_add)
            }
            Self::Text(personal) => text(personal.expose()),
            Self::Integer(_) => 20,
            Self::YesNo(_) | Self::Null => 5,
        }
    }
}

impl std::fmt::Debug for Shaped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<personal object>")
    }
}

impl Serialize for Shaped {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (name, shaped) in members {
                    map.serialize_entry(name, shaped)?;
                }
                map.end()
            }
            Self::List(list) => {
                let mut seq = serializer.serialize_seq(Some(list.len()))?;
                for shaped in list {
                    seq.serialize_element(shaped)?;
                }
                seq.end()
            }
            Self::Text(text) => serializer.serialize_str(text.expose()),
            Self::Integer(number) => serializer.serialize_i64(*number),
            Self::YesNo(answer) => serializer.serialize_bool(*answer),
            Self::Null => serializer.serialize_unit(),
        }
    }
}

impl<'de> Deserialize<'de> for Shaped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShapedVisitor)
    }
}

struct ShapedVisitor;

impl<'de> Visitor<'de> for ShapedVisitor {
    type Value = Shaped;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a text, a whole number, yes or no, nothing, a list or an object")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Shaped, E> {
        Ok(Shaped::Null)
    }

    fn visit_bool<E: de::Error>(self, answer: bool) -> Result<Shaped, E> {
        Ok(Shaped::YesNo(answer))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Shaped, E> {
        Ok(Shaped::Integer(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Shaped, E> {
        i64::try_from(number).map(Shaped::Integer).map_err(|_| E::custom("the number is too large"))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Shaped, E> {
        Ok(Shaped::Text(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shaped, A::Error> {
        let mut list = Vec::new();
        while let Some(part) = seq.next_element()? {
            list.push(part);
        }
        Ok(Shaped::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shaped, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Shaped::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again_in_its_order() {
        let json = r#"{"b":"Nguyễn \"Mẫu\"","a":{"y":[1,-2,true,null],"x":""}}"#;
        let shaped = Shaped::of_json(json.as_bytes()).unwrap();
        assert_eq!(*shaped.to_json(), json);
        assert_eq!(shaped.get("b").and_then(Shaped::text), Some("Nguyễn \"Mẫu\""));
        for wrong in ["", "{", r#"{"a":1.5}"#, r#"{"a":18446744073709551615}"#, "{} {}"] {
            assert_eq!(Shaped::of_json(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
