//! Packets of Socket.IO 5 over Engine.IO 4, as far as one WebSocket and the main namespace go.
//!
//! A digit says what an Engine.IO packet is: open, close, ping, pong, message, upgrade, noop. A message begins with the digit
//! of a Socket.IO packet: connect, disconnect, event, acknowledgement, error, and two with binary attachments.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::NotUnderstood;

/// What a client sends to be let into the main namespace, and a server to ask whether it is still there.
pub(crate) const CONNECT: &str = "40";

/// One packet.
#[derive(Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// The server has taken the connection.
    Open(Opening),
    /// The other side ends the connection, or leaves the namespace.
    Close,
    /// Is the other side still there?
    Ping,
    /// It is.
    Pong,
    /// Into the main namespace: asked for by a client, granted by a server. What goes with it, as JSON.
    Connect {
        /// Empty where nothing goes with it.
        with: &'a str,
    },
    /// The server does not let the client in. Why is its own business.
    Refused,
    /// Something happened.
    Event {
        /// What.
        name: String,
        /// Its first argument, as JSON, and what follows; empty where there is none.
        argument: &'a str,
    },
    /// Something that is neither asked for nor in the way.
    Nothing,
}

/// What the server says when it has taken a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening {
    /// How long both sides may be silent before the connection counts as dead: held within ten seconds and two minutes.
    pub alive_within: Duration,
    /// How often one side asks whether the other is still there: the server, or, of a server of Socket.IO 2, the client.
    pub ping_every: Duration,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawOpening {
    #[serde(default)]
    ping_interval: u64,
    #[serde(default)]
    ping_timeout: u64,
}

impl<'a> Packet<'a> {
    /// Reads one packet, as it comes in one text frame.
    pub fn parse(text: &'a str) -> Result<Self, NotUnderstood> {
        let (kind, rest) = split(text)?;
        Ok(match kind {
            '0' => {
                let (raw, _) = value::<RawOpening>(rest)?;
                let milliseconds = raw.ping_interval.saturating_add(raw.ping_timeout);
                let alive_within = Duration::from_millis(milliseconds.clamp(10_000, 120_000));
                let ping_every = Duration::from_millis(raw.ping_interval.clamp(100, 60_000));
                Self::Open(Opening { alive_within, ping_every })
            }
            '1' => Self::Close,
            '2' => Self::Ping,
            '3' => Self::Pong,
            '4' => Self::message(rest)?,
            '5' | '6' => Self::Nothing,
            _ => return Err(NotUnderstood::Packet),
        })
    }

    fn message(text: &'a str) -> Result<Self, NotUnderstood> {
        let (kind, rest) = split(text)?;
        if matches!(kind, '5' | '6') {
            return Err(NotUnderstood::Binary);
        }
        // Another namespace is somebody else's; the main one may be named.
        let rest = match rest.strip_prefix('/') {
            None => rest,
            Some(named) => match named.split_once(',').unwrap_or((named, "")) {
                ("", rest) => rest,
                _ => return Ok(Self::Nothing),
            },
        };
        Ok(match kind {
            '0' => Self::Connect { with: rest },
            '1' => Self::Close,
            '2' => Self::event(rest)?,
            '3' => Self::Nothing,
            '4' => Self::Refused,
            _ => return Err(NotUnderstood::Packet),
        })
    }

    fn event(text: &'a str) -> Result<Self, NotUnderstood> {
        // The number of an acknowledgement that is asked for, and not given.
        let list = text.trim_start_matches(|c: char| c.is_ascii_digit());
        let list = list.trim_start().strip_prefix('[').ok_or(NotUnderstood::Event)?;
        let (name, rest) = value::<String>(list)?;
        let rest = rest.trim_start();
        match (rest.strip_prefix(','), rest.strip_prefix(']')) {
            (Some(argument), _) => Ok(Self::Event { name, argument }),
            (None, Some(_)) => Ok(Self::Event { name, argument: "" }),
            (None, None) => Err(NotUnderstood::Event),
        }
    }
}

fn split(text: &str) -> Result<(char, &str), NotUnderstood> {
    let mut characters = text.chars();
    let kind = characters.next().ok_or(NotUnderstood::Packet)?;
    Ok((kind, characters.as_str()))
}

/// The JSON value that `text` begins with, and what follows it.
pub(crate) fn value<T: DeserializeOwned>(text: &str) -> Result<(T, &str), NotUnderstood> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<T>();
    let first = values.next().and_then(Result::ok).ok_or(NotUnderstood::Event)?;
    let at = values.byte_offset();
    Ok((first, text.get(at..).unwrap_or_default()))
}

/// The first argument of an event, which must be whole: another may follow, or the end of the list.
pub(crate) fn argument<T: DeserializeOwned>(text: &str) -> Result<T, NotUnderstood> {
    let (first, rest) = value(text)?;
    let ends = rest.trim_start().starts_with([',', ']']);
    if ends { Ok(first) } else { Err(NotUnderstood::Event) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event<'a>(name: &str, argument: &'a str) -> Packet<'a> {
        Packet::Event { name: name.to_owned(), argument }
    }

    #[test]
    fn each_kind_by_its_digits() {
        let open =
            r#"0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
        let alive_within = Duration::from_secs(45);
        let ping_every = Duration::from_secs(25);
        assert_eq!(Packet::parse(open), Ok(Packet::Open(Opening { alive_within, ping_every })));
        for (text, packet) in [
            ("1", Packet::Close),
            ("2", Packet::Ping),
            ("2probe", Packet::Ping),
            ("3", Packet::Pong),
            ("40", Packet::Connect { with: "" }),
            (r#"40{"sid":"y"}"#, Packet::Connect { with: r#"{"sid":"y"}"# }),
            ("40/,{}", Packet::Connect { with: "{}" }),
            ("41", Packet::Close),
            (r#"42["/event",{"id":1}]"#, event("/event", r#"{"id":1}]"#)),
            (r#"4217["/event"]"#, event("/event", "")),
            (r#"42/,["a" , 1]"#, event("a", " 1]")),
            (r#"42/camera,["/image",1]"#, Packet::Nothing),
            ("431[]", Packet::Nothing),
            (r#"44{"message":"no"}"#, Packet::Refused),
            ("6", Packet::Nothing),
        ] {
            assert_eq!(Packet::parse(text), Ok(packet), "{text}");
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in ["", "7", "4", "49", "é", "0", "0{"] {
            assert!(Packet::parse(text).is_err(), "{text}");
        }
        for text in ["42", "42{}", "42[", r#"42["a""#, r#"42["a"x]"#, "42[1]", "42[]"] {
            assert_eq!(Packet::parse(text), Err(NotUnderstood::Event), "{text}");
        }
        assert_eq!(Packet::parse(r#"451-["a",{"_placeholder":true}]"#), Err(NotUnderstood::Binary));
    }

    #[test]
    fn silence_is_borne_for_a_while_and_not_for_ever() {
        for (told, within, every) in
            [("1,\"pingTimeout\":1", 10, 100), ("18446744073709551615,\"pingTimeout\":9", 120, 60_000)]
        {
            let open = format!("0{{\"pingInterval\":{told}}}");
            let alive_within = Duration::from_secs(within);
            let ping_every = Duration::from_millis(every);
            assert_eq!(Packet::parse(&open), Ok(Packet::Open(Opening { alive_within, ping_every })));
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in r#"[0-6]{0,2}/?[a-z]{0,3},?[\[\]{}",0-9a-zé]{0,40}"#) {
            if let Ok(Packet::Event { argument: of, .. }) = Packet::parse(&text) {
                let _ = argument::<Vec<u8>>(of);
            }
        }
    }
}
