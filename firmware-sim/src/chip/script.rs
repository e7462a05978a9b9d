//! Departures: what a chip does otherwise than it should, as data.

use cccd_card::StatusWord;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use super::apdu::{Refusal, Reply, Request};

/// One thing that a chip does otherwise, and when.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Departure {
    /// At which instruction: `B0`.
    #[serde(deserialize_with = "byte")]
    pub instruction: u8,
    /// Under secure messaging or outside of it; both where not said.
    pub under: Option<Under>,
    /// With these P1 and P2: `011C`.
    #[serde(default, deserialize_with = "some_bytes")]
    pub p1_p2: Option<Vec<u8>>,
    /// With data that begin so.
    #[serde(default, deserialize_with = "some_bytes")]
    pub data: Option<Vec<u8>>,
    /// With data that hold these bytes nowhere.
    #[serde(default, deserialize_with = "some_bytes")]
    pub data_without: Option<Vec<u8>>,
    /// With an Le that asks for more than this.
    pub le_over: Option<usize>,
    /// With an Le that asks for just this.
    pub le: Option<usize>,
    /// With any Le at all.
    #[serde(default)]
    pub any_le: bool,
    /// How many such commands go well before.
    #[serde(default)]
    pub after: u32,
    /// How many do not; all of them where not said.
    pub times: Option<u32>,
    /// What becomes of it.
    pub reply: Departing,
}

/// Whether a command was protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Under {
    /// It was.
    SecureMessaging,
    /// It was not.
    Nothing,
}

/// What becomes of a command.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Departing {
    /// It is refused with this status; under secure messaging, protected.
    Status(Status),
    /// It is refused bare in the middle of secure messaging, and the chip has not counted it.
    Bare(Status),
    /// It is refused bare, and secure messaging is over.
    Ends(Status),
    /// It is carried out, and answered with this status beside its data.
    Warns(Status),
    /// It is answered with 9000 and nothing.
    Nothing {},
    /// It is answered with 9000 and these bytes.
    #[serde(deserialize_with = "bytes")]
    Data(Vec<u8>),
    /// Its answer ends after so many bytes of data.
    Cut(usize),
    /// Its answer is filled up with zeros to so many bytes of data.
    Filled(usize),
    /// What protects its answer is wrong.
    Frame(Frame),
}

/// What is wrong with a protected answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Frame {
    /// DO99 is missing, and the checksum is over what is left.
    WithoutStatus,
    /// Nothing but a bare 9000.
    WithoutObjects,
    /// DO87 is there and empty.
    EmptyCryptogram,
    /// DO8E is twice as long.
    LongChecksum,
    /// One bit of DO8E is another.
    SpoiltChecksum,
}

/// A status word, written as four hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status(pub u16);

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match bytes(from)?.as_slice() {
            &[high, low] => Ok(Self(u16::from_be_bytes([high, low]))),
            _ => Err(D::Error::custom("a status word has four hexadecimal digits")),
        }
    }
}

fn bytes<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    hex::decode(String::deserialize(from)?).map_err(D::Error::custom)
}

fn some_bytes<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<u8>>, D::Error> {
    bytes(from).map(Some)
}

fn byte<'de, D: Deserializer<'de>>(from: D) -> Result<u8, D::Error> {
    match bytes(from)?.as_slice() {
        &[byte] => Ok(byte),
        _ => Err(D::Error::custom("an instruction has two hexadecimal digits")),
    }
}

impl Departure {
    fn is_about(&self, request: &Request<'_>) -> bool {
        let under = if request.protected { Under::SecureMessaging } else { Under::Nothing };
        let le = request.le.map(|le| le.limit());
        let holds = |bytes: &Vec<u8>| request.data.windows(bytes.len().max(1)).any(|window| window == bytes);
        self.instruction == request.ins
            && self.under.is_none_or(|wanted| wanted == under)
            && self.p1_p2.as_ref().is_none_or(|wanted| *wanted == [request.p1, request.p2])
            && self.data.as_ref().is_none_or(|wanted| request.data.starts_with(wanted))
            && !self.data_without.as_ref().is_some_and(holds)
            && self.le_over.is_none_or(|most| le.is_some_and(|le| le > most))
            && self.le.is_none_or(|wanted| le == Some(wanted))
            && (!self.any_le || le.is_some())
    }
}

/// The departures of a chip, and how often each was met. Resets do not count anew.
#[derive(Debug, Default)]
pub(super) struct Script(Vec<(Departure, u32)>);

impl Script {
    pub(super) fn new(departures: Vec<Departure>) -> Self {
        Self(departures.into_iter().map(|departure| (departure, 0)).collect())
    }

    /// What becomes of this command, if not what should.
    pub(super) fn meets(&mut self, request: &Request<'_>) -> Option<Departing> {
        for (departure, met) in &mut self.0 {
            if departure.is_about(request) {
                *met = met.saturating_add(1);
                let over = *met > departure.after;
                let within =
                    departure.times.is_none_or(|times| *met <= departure.after.saturating_add(times));
                if over && within {
                    return Some(departure.reply.clone());
                }
            }
        }
        None
    }
}

impl Departing {
    /// What is answered instead of carrying the command out.
    pub(super) fn instead(&self) -> Option<Result<Reply, Refusal>> {
        match self {
            Self::Status(status) | Self::Bare(status) | Self::Ends(status) => {
                Some(Err(Refusal(StatusWord(status.0))))
            }
            Self::Nothing {} => Some(Ok(Reply::bare(StatusWord::OK))),
            Self::Data(data) => Some(Ok(Reply { data: data.clone(), status: StatusWord::OK })),
            Self::Warns(_) | Self::Cut(_) | Self::Filled(_) | Self::Frame(_) => None,
        }
    }

    /// What is made of a good answer.
    pub(super) fn change(&self, mut reply: Reply) -> Reply {
        match self {
            Self::Cut(length) => reply.data.truncate(*length),
            Self::Filled(length) if reply.data.len() < *length => reply.data.resize(*length, 0),
            Self::Warns(status) => reply.status = StatusWord(status.0),
            _ => {}
        }
        reply
    }
}
