//! `[[door]]` of `config/agent.toml`: doors for programs that know another reader's messages and not this agent's API.
//! Each is off unless it is named, and is bound to one caller.

use std::net::SocketAddr;

use serde::Deserialize;

use crate::{Caller, Scope};

/// A door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    /// On whose behalf it reads: one of the callers, whose scopes say what it hands out.
    pub caller: String,
    /// On which reader; without one, on whichever has a card.
    pub reader: Option<String>,
    /// What it is.
    pub kind: DoorKind,
}

/// What a door is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DoorKind {
    /// The messages of an HN212, for programs that connect here and show the caller's token.
    Hn212 {
        /// Where: a loopback address.
        listen: SocketAddr,
    },
    /// The fields of the JTH program, posted to the program that takes them.
    Jth {
        /// Where it listens: a loopback address.
        address: SocketAddr,
        /// Under which path.
        path: String,
    },
}

/// Why the doors cannot be set up so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DoorSettingsError {
    /// A caller nobody knows.
    #[error("door: caller = {0:?}: no [[caller]] has this name")]
    Caller(String),
    /// It could never read.
    #[error(
        "door: caller {0:?} must have the scope \"scan\": the code that was scanned is what opens the card"
    )]
    NoScans(String),
    /// It would be reachable from the network.
    #[error("door: listen = {0}: only a loopback address such as 127.0.0.1:8000 is allowed")]
    NotLoopback(SocketAddr),
    /// It would post to the network.
    #[error("door: post_to = {0:?}: only http://127.0.0.1:PORT/ or another loopback address is allowed")]
    PostTo(String),
    /// Two doors in one place.
    #[error("door: {0}: another door, or the API, is there")]
    SamePlace(SocketAddr),
    /// A member that its kind needs or does not know.
    #[error(
        "door: kind = \"hn212\" needs listen, kind = \"jth\" needs post_to, and neither knows the other's"
    )]
    Members,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawDoor {
    kind: RawKind,
    caller: String,
    #[serde(default)]
    reader: Option<String>,
    #[serde(default)]
    listen: Option<SocketAddr>,
    #[serde(default)]
    post_to: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RawKind {
    Hn212,
    Jth,
}

pub(crate) fn meant(
    raw: Vec<RawDoor>,
    callers: &[Caller],
    api: SocketAddr,
) -> Result<Vec<Door>, DoorSettingsError> {
    let mut doors = Vec::new();
    let mut taken = vec![api];
    for RawDoor { kind, caller, reader, listen, post_to } in raw {
        let Some(known) = callers.iter().find(|known| known.name == caller) else {
            return Err(DoorSettingsError::Caller(caller));
        };
        let kind = match (kind, listen, post_to) {
            (RawKind::Hn212, Some(listen), None) => {
                if !listen.ip().is_loopback() {
                    return Err(DoorSettingsError::NotLoopback(listen));
                }
                // Port 0 is another one each time.
                if listen.port() != 0 && taken.contains(&listen) {
                    return Err(DoorSettingsError::SamePlace(listen));
                }
                taken.push(listen);
                DoorKind::Hn212 { listen }
            }
            (RawKind::Jth, None, Some(post_to)) => {
                if !known.granted().contains(Scope::Scan) {
                    return Err(DoorSettingsError::NoScans(caller));
                }
                let (address, path) = place(&post_to).ok_or(DoorSettingsError::PostTo(post_to))?;
                DoorKind::Jth { address, path }
            }
            _ => return Err(DoorSettingsError::Members),
        };
        doors.push(Door { caller, reader, kind });
    }
    Ok(doors)
}

/// Address and path of `http://localhost:8050/`. Names are not looked up: the one that is known is this machine's.
fn place(url: &str) -> Option<(SocketAddr, String)> {
    let rest = url.strip_prefix("http://")?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let numbers = match authority.strip_prefix("localhost") {
        Some(port) => format!("127.0.0.1{port}"),
        None => authority.to_owned(),
    };
    let address: SocketAddr = numbers.parse().ok()?;
    let plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    (address.ip().is_loopback() && address.port() != 0 && plain).then(|| (address, format!("/{path}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AgentSettings, TokenHash};

    fn doors(text: &str) -> Result<Vec<Door>, String> {
        let hash = TokenHash::of("x").to_hex();
        let callers = format!(
            "[[caller]]\nname = 'his'\ntoken_sha256 = '{hash}'\nscopes = ['scan', 'read.id']\n\
             [[caller]]\nname = 'blind'\ntoken_sha256 = '{}'\nscopes = ['read.id']\n",
            TokenHash::of("y").to_hex()
        );
        let settings = AgentSettings::parse(&format!("{callers}{text}"));
        settings.map(|settings| settings.doors).map_err(|error| error.to_string())
    }

    #[test]
    fn there_are_no_doors_but_those_that_are_named() {
        assert_eq!(doors("").unwrap(), []);
        let both = "[[door]]\nkind = 'hn212'\ncaller = 'blind'\nlisten = '127.0.0.1:8000'\nreader = 'desk-1'\n\
                    [[door]]\nkind = 'jth'\ncaller = 'his'\npost_to = 'http://localhost:8050/in?a=b'";
        let found = doors(both).unwrap();
        assert_eq!(found[0].reader.as_deref(), Some("desk-1"));
        let address = "127.0.0.1:8050".parse().unwrap();
        assert_eq!(found[1].kind, DoorKind::Jth { address, path: "/in?a=b".to_owned() });
    }

    #[test]
    fn mistakes_name_their_place() {
        let hn212 = "[[door]]\nkind = 'hn212'\ncaller = 'his'\nlisten = '127.0.0.1:8000'\n";
        let jth = "[[door]]\nkind = 'jth'\ncaller = 'his'\npost_to = 'http://127.0.0.1:8050/'\n";
        for (text, told) in [
            (hn212.replace("'his'", "'nobody'"), "no [[caller]]"),
            (hn212.replace("127.0.0.1", "192.168.1.4"), "only a loopback address"),
            (hn212.replace("127.0.0.1:8000", "127.0.0.1:9303"), "or the API"),
            (format!("{hn212}{hn212}"), "another door"),
            (hn212.replace("listen", "port"), "unknown field `port`"),
            (hn212.replace("hn212", "jth"), "needs post_to"),
            (hn212.replace("hn212", "other"), "unknown variant `other`"),
            (jth.replace("'his'", "'blind'"), "\"scan\""),
            (jth.replace("127.0.0.1", "192.168.1.4"), "loopback"),
            (jth.replace("127.0.0.1", "his.example.vn"), "loopback"),
            (jth.replace("127.0.0.1", "127.0.0.1.evil.com"), "loopback"),
            (jth.replace("127.0.0.1", "u@127.0.0.1"), "loopback"),
            (jth.replace("http:", "https:"), "loopback"),
            (jth.replace(":8050", ""), "loopback"),
        ] {
            let message = doors(&text).unwrap_err();
            assert!(message.contains(told), "{message}");
        }
    }
}
