//! A trace as a file.

use cccd_card::{Atr, ChannelLimits, TransportError};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The form of the files this program writes and reads.
const FORMAT: &str = "cccd-trace-1";
/// No trace is longer: a hostile file shall not fill the memory.
const MOST_EXCHANGES: usize = 100_000;

/// A reading, exchange by exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trace {
    format: String,
    /// Which version of the program recorded it.
    pub agent: String,
    /// What the card answered to reset, as hexadecimal digits.
    pub atr: String,
    /// The longest command reader and driver claimed to carry.
    pub max_command: usize,
    /// The longest reply.
    pub max_reply: usize,
    /// What came of the reading.
    pub outcome: String,
    /// Which files were read, and how long they are.
    pub files: Vec<String>,
    /// What was exchanged.
    pub exchanges: Vec<Exchange>,
    /// The bytes, where they may be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Bytes>,
    /// The bytes, sealed to whoever has the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Sealed>,
}

/// One exchange, without what it carried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// What was done.
    pub kind: Kind,
    /// Microseconds since the beginning.
    pub at_us: u64,
    /// Microseconds until the answer.
    pub took_us: u64,
    /// Class, instruction and parameters of the command, as far as there were any.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub header: String,
    /// Bytes of the command.
    #[serde(default)]
    pub sent: usize,
    /// Bytes of the answer.
    #[serde(default)]
    pub received: usize,
    /// Its status.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub status: String,
    /// What went wrong instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// What was done to a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A command was sent.
    Command,
    /// It was powered off and on.
    Reset,
}

/// Why an exchange failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// No card.
    CardRemoved,
    /// No answer.
    CardMute,
    /// Reset by another program.
    CardReset,
    /// No reader.
    ReaderLost,
    /// Failed with card and reader there.
    NotTransacted,
    /// Anything else.
    Other,
}

impl From<&TransportError> for Failure {
    fn from(error: &TransportError) -> Self {
        match error {
            TransportError::CardRemoved => Self::CardRemoved,
            TransportError::CardMute => Self::CardMute,
            TransportError::CardReset => Self::CardReset,
            TransportError::ReaderLost | TransportError::ServiceLost => Self::ReaderLost,
            TransportError::NotTransacted | TransportError::ShortAnswer { .. } => Self::NotTransacted,
            _ => Self::Other,
        }
    }
}

impl From<Failure> for TransportError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::CardRemoved => Self::CardRemoved,
            Failure::CardMute => Self::CardMute,
            Failure::CardReset => Self::CardReset,
            Failure::ReaderLost => Self::ReaderLost,
            Failure::NotTransacted | Failure::Other => Self::NotTransacted,
        }
    }
}

/// What was carried, and what was drawn at random for it, as hexadecimal digits. It is a person's: wiped when dropped,
/// and silent where it is printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
pub struct Bytes {
    /// The commands, one for each exchange of that kind.
    pub commands: Vec<String>,
    /// Their answers; nothing where there was none.
    pub answers: Vec<String>,
    /// The terminal's random numbers, in the order they were drawn.
    pub random: String,
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bytes").field("commands", &self.commands.len()).finish_non_exhaustive()
    }
}

/// Bytes that only one key opens (RFC 9180: DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM), as hexadecimal
/// digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// The encapsulated key.
    pub key: String,
    /// What is sealed.
    pub text: String,
}

/// Why a trace cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// No JSON, a key nobody knows, or a value of the wrong kind.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// Of a form this program does not know.
    #[error("a trace of the form {0:?}, and not {FORMAT}")]
    Format(String),
    /// More exchanges than any reading has.
    #[error("{0} exchanges: {MOST_EXCHANGES} at most are possible")]
    TooLong(usize),
    /// The bytes do not belong to the exchanges, or are no hexadecimal digits.
    #[error("the bytes of the trace do not belong to its exchanges")]
    BytesDoNotFit,
    /// There are none: the trace tells what happened, and no more.
    #[error("this trace holds no bytes, so it can be looked at and not replayed")]
    NoBytes,
    /// The key opens nothing here, or what is sealed was changed.
    #[error("the key does not open this trace")]
    NotOpened,
    /// No key of the kind there is.
    #[error("no key: hexadecimal digits, as `cccd-agent trace key` writes them")]
    NoKey,
    /// The machine's random source, or the sealing, failed.
    #[error("the bytes cannot be sealed")]
    NotSealed,
}

impl Trace {
    /// A trace of these exchanges.
    pub fn new(atr: &Atr, limits: ChannelLimits, exchanges: Vec<Exchange>, bytes: Bytes) -> Self {
        Self {
            format: FORMAT.to_owned(),
            agent: env!("CARGO_PKG_VERSION").to_owned(),
            atr: hex::encode(atr.as_bytes()),
            max_command: limits.max_command,
            max_reply: limits.max_reply,
            outcome: String::new(),
            files: Vec::new(),
            exchanges,
            bytes: Some(bytes),
            sealed: None,
        }
    }

    /// Reads a file.
    pub fn parse(text: &str) -> Result<Self, TraceError> {
        let trace: Self = serde_json::from_str(text)?;
        if trace.format != FORMAT {
            return Err(TraceError::Format(trace.format));
        }
        if trace.exchanges.len() > MOST_EXCHANGES {
            return Err(TraceError::TooLong(trace.exchanges.len()));
        }
        Ok(trace)
    }

    /// The file: a line for each exchange, so that two traces can be compared by eye.
    pub fn to_text(&self) -> Result<String, TraceError> {
        let mut head = self.clone();
        let exchanges = std::mem::take(&mut head.exchanges);
        let lines: Vec<String> = exchanges.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
        let text = serde_json::to_string_pretty(&head)?;
        let lines = format!("\"exchanges\": [\n    {}\n  ]", lines.join(",\n    "));
        Ok(text.replacen("\"exchanges\": []", &lines, 1) + "\n")
    }

    /// The same without its bytes.
    pub fn redacted(self) -> Self {
        Self { bytes: None, ..self }
    }

    /// How the exchanges went, one in a line.
    pub fn outline(&self) -> String {
        let mut lines = String::new();
        for exchange in &self.exchanges {
            let Exchange { kind, at_us, took_us, header, sent, received, status, failure } = exchange;
            let what = match kind {
                Kind::Reset => "reset".to_owned(),
                Kind::Command => format!("{header} sent={sent} received={received} {status}"),
            };
            let failure = failure.map(|failure| format!(" {failure:?}")).unwrap_or_default();
            lines += &format!("{:>9.3} ms {:>9.3} ms  {what}{failure}\n", millis(*at_us), millis(*took_us));
        }
        lines
    }
}

fn millis(microseconds: u64) -> f64 {
    std::time::Duration::from_micros(microseconds).as_secs_f64() * 1000.0
}
