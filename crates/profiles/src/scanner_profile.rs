//! `devices/scanners/*.toml`: what is known of one scanner model.

use std::time::Duration;

use include_dir::{Dir, include_dir};
use serde::Deserialize;

use crate::{CodeEncoding, UsbId};

static SHIPPED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../devices/scanners");

/// The longest prefix, command or answer.
const LONGEST_BYTES: usize = 64;

/// What is known of one scanner model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScannerProfile {
    /// The model's name.
    pub name: String,
    /// By what USB ids its serial port is known. None for a model that only the settings can name.
    pub usb: Vec<UsbId>,
    /// How its line is set.
    pub line: SerialLine,
    /// What it sends around a code.
    pub code: CodeFraming,
    /// What it can be told.
    pub commands: ScannerCommands,
}

/// How a serial line is set. Data bits are eight: with seven every Vietnamese letter is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SerialLine {
    /// Bits a second.
    pub baud: u32,
    /// The parity bit.
    pub parity: Parity,
    /// How many stop bits.
    pub stop_bits: StopBits,
    /// Who may halt whom.
    pub flow_control: FlowControl,
}

/// The parity bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parity {
    /// There is none.
    None,
    /// The number of ones is even.
    Even,
    /// The number of ones is odd.
    Odd,
}

/// How many stop bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopBits {
    /// One.
    One,
    /// Two.
    Two,
}

/// Who may halt whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlowControl {
    /// Nobody.
    None,
    /// XON and XOFF.
    XonXoff,
    /// RTS and CTS.
    RtsCts,
}

/// What a scanner sends around a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeFraming {
    /// What stands before it; may be empty.
    pub prefix: Vec<u8>,
    /// What ends it.
    pub end: CodeEnd,
    /// How long the line must be silent for what has come to be over: a whole code where silence may end one,
    /// otherwise a code cut short.
    pub silence: Duration,
    /// Whether a symbology identifier may stand before it.
    pub symbology: SymbologyMark,
    /// How its text is written.
    pub encoding: CodeEncoding,
}

/// What ends a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CodeEnd {
    /// Carriage return.
    Cr,
    /// Line feed.
    Lf,
    /// Carriage return and line feed.
    CrLf,
    /// Tabulator.
    Tab,
    /// End of text.
    Etx,
    /// Carriage return, line feed or both; where neither comes, silence.
    LineEnd,
    /// Silence.
    #[serde(rename = "none")]
    Silence,
}

/// Whether a symbology identifier may stand before a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SymbologyMark {
    /// It may not.
    None,
    /// That of ISO/IEC 15424 may, such as `]Q1` before a QR code. Where it does, it is taken off.
    Aim,
}

/// What a scanner can be told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScannerCommands {
    /// Look for a code.
    pub trigger: Option<ScannerCommand>,
    /// Stop looking.
    pub stop: Option<ScannerCommand>,
    /// Say that you are there.
    pub ping: Option<ScannerCommand>,
}

/// Bytes sent to a scanner, and what it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScannerCommand {
    /// What is sent.
    pub send: Vec<u8>,
    /// What comes back, where that is known.
    pub answer: Option<CommandAnswer>,
}

/// What a scanner answers to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandAnswer {
    /// How it begins.
    pub begin: Vec<u8>,
    /// How it ends; empty where the beginning is all of it.
    pub end: Vec<u8>,
}

/// Why a scanner profile cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScannerProfileError {
    /// Not TOML, a key nobody knows, or a value of the wrong kind.
    #[error(transparent)]
    Toml(#[from] toml::de::Error),
    /// A key that must be there is not.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// An impossible framing.
    #[error(
        "framing = {0:?}: `8N1`, `8E1`, `8O1`, `8N2`, `8E2` or `8O2` is possible; with seven data bits every Vietnamese letter is lost"
    )]
    Framing(String),
    /// A number outside its range.
    #[error("{key} = {value}: {least} to {most} is possible")]
    OutOfRange {
        /// Which.
        key: &'static str,
        /// As written.
        value: u64,
        /// Smallest.
        least: u64,
        /// Largest.
        most: u64,
    },
    /// Bytes that are none.
    #[error("{key} = {value:?}: 1 to {LONGEST_BYTES} bytes in hexadecimal, such as \"16 54 0D\"")]
    Bytes {
        /// Which.
        key: &'static str,
        /// As written.
        value: String,
    },
    /// An encoding nobody knows, or one whose bytes cannot be told from a suffix.
    #[error(
        "encoding = {0:?}: \"utf-8\", \"windows-1258\" or another of the WHATWG's encodings is possible, UTF-16 is not"
    )]
    Encoding(String),
    /// USB ids that are none.
    #[error("usb: {0:?} is no USB id: \"1eab:1d06\", or \"1eab:*\" for every product of a maker")]
    Usb(String),
}

impl ScannerProfile {
    /// Understands the text of a scanner profile.
    pub fn parse(text: &str) -> Result<Self, ScannerProfileError> {
        toml::from_str::<RawScannerProfile>(text)?.try_into()
    }
}

impl CodeFraming {
    /// The usual silence for an end: an end that silence may make is waited for by a person, one that only bytes
    /// make leaves room for a slow line.
    fn usual_silence(end: CodeEnd) -> u64 {
        match end {
            CodeEnd::LineEnd | CodeEnd::Silence => 150,
            CodeEnd::Cr | CodeEnd::Lf | CodeEnd::CrLf | CodeEnd::Tab | CodeEnd::Etx => 500,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawScannerProfile {
    name: String,
    #[serde(default)]
    usb: Vec<String>,
    line: RawLine,
    code: RawCode,
    #[serde(default)]
    commands: RawCommands,
}

/// The line as written: in a profile, and in the settings over a profile.
#[derive(Deserialize, Default, Clone)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawLine {
    baud: Option<u64>,
    framing: Option<String>,
    flow_control: Option<FlowControl>,
}

/// The framing as written: in a profile, and in the settings over a profile.
#[derive(Deserialize, Default, Clone)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawCode {
    prefix: Option<String>,
    suffix: Option<CodeEnd>,
    silence_ms: Option<u64>,
    symbology: Option<SymbologyMark>,
    encoding: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawCommands {
    trigger: Option<RawCommand>,
    stop: Option<RawCommand>,
    ping: Option<RawCommand>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCommand {
    send: String,
    answer: Option<String>,
    #[serde(default)]
    answer_end: String,
}

impl RawLine {
    /// The line as meant: what is not written here is as in `under`.
    pub(crate) fn over(self, under: Option<&SerialLine>) -> Result<SerialLine, ScannerProfileError> {
        let baud = match (self.baud, under) {
            (Some(baud), _) => within("baud", baud, 300, 4_000_000)?,
            (None, Some(under)) => u64::from(under.baud),
            (None, None) => return Err(ScannerProfileError::Missing("line.baud")),
        };
        let (parity, stop_bits) = match (self.framing.as_deref(), under) {
            (Some("8N1"), _) | (None, None) => (Parity::None, StopBits::One),
            (Some("8E1"), _) => (Parity::Even, StopBits::One),
            (Some("8O1"), _) => (Parity::Odd, StopBits::One),
            (Some("8N2"), _) => (Parity::None, StopBits::Two),
            (Some("8E2"), _) => (Parity::Even, StopBits::Two),
            (Some("8O2"), _) => (Parity::Odd, StopBits::Two),
            (Some(other), _) => return Err(ScannerProfileError::Framing(other.to_owned())),
            (None, Some(under)) => (under.parity, under.stop_bits),
        };
        let flow_control =
            self.flow_control.or(under.map(|under| under.flow_control)).unwrap_or(FlowControl::None);
        let baud = u32::try_from(baud).unwrap_or(u32::MAX);
        Ok(SerialLine { baud, parity, stop_bits, flow_control })
    }
}

impl RawCode {
    /// The framing as meant: what is not written here is as in `under`.
    pub(crate) fn over(self, under: Option<&CodeFraming>) -> Result<CodeFraming, ScannerProfileError> {
        let Some(end) = self.suffix.or(under.map(|under| under.end)) else {
            return Err(ScannerProfileError::Missing("code.suffix"));
        };
        let silence = match (self.silence_ms, under) {
            (Some(silence), _) => Duration::from_millis(within("silence_ms", silence, 20, 10_000)?),
            // Another end has another usual silence.
            (None, Some(under)) if self.suffix.is_none() => under.silence,
            (None, _) => Duration::from_millis(CodeFraming::usual_silence(end)),
        };
        let prefix = match (self.prefix, under) {
            (Some(prefix), _) if prefix.is_empty() => Vec::new(),
            (Some(prefix), _) => bytes("prefix", prefix)?,
            (None, under) => under.map(|under| under.prefix.clone()).unwrap_or_default(),
        };
        let encoding = match (self.encoding, under) {
            (Some(label), _) => CodeEncoding::of_label(&label).ok_or(ScannerProfileError::Encoding(label))?,
            (None, under) => under.map(|under| under.encoding).unwrap_or_default(),
        };
        let symbology = self.symbology.or(under.map(|under| under.symbology)).unwrap_or(SymbologyMark::None);
        Ok(CodeFraming { prefix, end, silence, symbology, encoding })
    }
}

impl TryFrom<RawScannerProfile> for ScannerProfile {
    type Error = ScannerProfileError;

    fn try_from(raw: RawScannerProfile) -> Result<Self, ScannerProfileError> {
        let usb = raw
            .usb
            .into_iter()
            .map(|id| UsbId::parse(&id).ok_or(ScannerProfileError::Usb(id)))
            .collect::<Result<_, _>>()?;
        let command = |raw: Option<RawCommand>| raw.map(ScannerCommand::try_from).transpose();
        Ok(Self {
            name: raw.name,
            usb,
            line: raw.line.over(None)?,
            code: raw.code.over(None)?,
            commands: ScannerCommands {
                trigger: command(raw.commands.trigger)?,
                stop: command(raw.commands.stop)?,
                ping: command(raw.commands.ping)?,
            },
        })
    }
}

impl TryFrom<RawCommand> for ScannerCommand {
    type Error = ScannerProfileError;

    fn try_from(raw: RawCommand) -> Result<Self, ScannerProfileError> {
        let end = if raw.answer_end.is_empty() { Vec::new() } else { bytes("answer_end", raw.answer_end)? };
        let answer = match raw.answer {
            Some(begin) => Some(CommandAnswer { begin: bytes("answer", begin)?, end }),
            None if end.is_empty() => None,
            None => return Err(ScannerProfileError::Missing("answer")),
        };
        Ok(Self { send: bytes("send", raw.send)?, answer })
    }
}

fn within(key: &'static str, value: u64, least: u64, most: u64) -> Result<u64, ScannerProfileError> {
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err(ScannerProfileError::OutOfRange { key, value, least, most })
    }
}

fn bytes(key: &'static str, value: String) -> Result<Vec<u8>, ScannerProfileError> {
    match hex::decode(value.replace(' ', "")) {
        Ok(bytes) if (1..=LONGEST_BYTES).contains(&bytes.len()) => Ok(bytes),
        _ => Err(ScannerProfileError::Bytes { key, value }),
    }
}

/// All profiles, by file name without `.toml`.
#[derive(Debug, Clone)]
pub struct ScannerCatalogue(Vec<(String, ScannerProfile)>);

impl ScannerCatalogue {
    /// The profiles shipped with the program. A test loads every one.
    pub fn shipped() -> Self {
        let profile = |file: &include_dir::File<'_>| {
            let key = file.path().file_stem()?.to_str()?.to_owned();
            Some((key, ScannerProfile::parse(file.contents_utf8()?).ok()?))
        };
        let mut profiles: Vec<_> = SHIPPED.files().filter_map(profile).collect();
        profiles.sort_by(|a, b| a.0.cmp(&b.0));
        Self(profiles)
    }

    /// The profiles, by name.
    pub fn profiles(&self) -> impl Iterator<Item = (&str, &ScannerProfile)> {
        self.0.iter().map(|(key, profile)| (key.as_str(), profile))
    }

    /// The profile of that name.
    pub fn get(&self, key: &str) -> Option<&ScannerProfile> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, profile)| profile)
    }

    /// The profile that knows a USB device: by its product before by its maker.
    pub fn find_usb(&self, vendor: u16, product: u16) -> Option<(&str, &ScannerProfile)> {
        let matching = |exact: bool| {
            self.profiles().find(|(_, profile)| {
                profile.usb.iter().any(|id| id.matches(vendor, product) && id.product.is_some() == exact)
            })
        };
        matching(true).or_else(|| matching(false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "name = 'x'\n[line]\nbaud = 9600\n[code]\nsuffix = 'cr'\n";

    #[test]
    fn every_shipped_profile_loads() {
        assert!(SHIPPED.files().count() >= 6);
        for file in SHIPPED.files() {
            let profile = ScannerProfile::parse(file.contents_utf8().unwrap());
            assert!(profile.is_ok(), "{:?}: {:?}", file.path(), profile);
        }
        assert_eq!(ScannerCatalogue::shipped().profiles().count(), SHIPPED.files().count());
    }

    #[test]
    fn a_profile_says_no_more_than_it_must() {
        let profile = ScannerProfile::parse(LEAST).unwrap();
        let line = SerialLine {
            baud: 9600,
            parity: Parity::None,
            stop_bits: StopBits::One,
            flow_control: FlowControl::None,
        };
        assert_eq!((profile.line, profile.usb.len()), (line, 0));
        assert_eq!((profile.code.end, profile.code.silence), (CodeEnd::Cr, Duration::from_millis(500)));
        assert!(profile.commands == ScannerCommands::default() && profile.code.prefix.is_empty());
        assert_eq!(profile.code.encoding, CodeEncoding::UTF_8);
    }

    #[test]
    fn commands_are_bytes_and_have_answers() {
        let shipped = ScannerCatalogue::shipped();
        let honeywell = shipped.get("honeywell").unwrap();
        assert_eq!(honeywell.commands.trigger.as_ref().unwrap().send, b"\x16T\r");
        let ping = honeywell.commands.ping.as_ref().unwrap();
        assert_eq!(ping.send, b"\x16M\rCBRENA?.");
        let answer = CommandAnswer { begin: b"CBRENA".to_vec(), end: b"\x06.".to_vec() };
        assert_eq!(ping.answer, Some(answer));
    }

    #[test]
    fn a_product_is_found_before_its_maker() {
        let shipped = ScannerCatalogue::shipped();
        let found = |vendor, product| shipped.find_usb(vendor, product).map(|(key, _)| key);
        assert_eq!(found(0x1EAB, 0x1D06), Some("newland"));
        assert_eq!(found(0x1EAB, 0x1D03), None, "a keyboard is no serial port");
        assert_eq!(found(0x0C2E, 0x1234), Some("honeywell"));
        assert_eq!(found(0x1A86, 0x7523), None, "a converter chip may have anything behind it");
        for (key, profile) in shipped.profiles() {
            for id in &profile.usb {
                let product = id.product.unwrap_or(0xFFFF);
                assert_eq!(found(id.vendor, product), Some(key), "no two profiles claim one id");
            }
        }
    }

    #[test]
    fn mistakes_name_their_place() {
        for (text, told) in [
            ("[line]\n[code]\nsuffix = 'cr'".to_owned(), "missing field `name`"),
            (LEAST.replace("baud = 9600", ""), "line.baud is missing"),
            (LEAST.replace("suffix = 'cr'", ""), "code.suffix is missing"),
            (LEAST.replace("9600", "9"), "baud = 9: 300 to"),
            (LEAST.replace("9600", "9600\nframing = '7E1'"), "every Vietnamese letter is lost"),
            (LEAST.replace("9600", "9600\nflow_control = 'both'"), "unknown variant `both`"),
            (LEAST.replace("'cr'", "'crlf'"), "unknown variant `crlf`"),
            (format!("{LEAST}prefix = 'STX'"), "prefix = \"STX\": 1 to 64 bytes"),
            (format!("{LEAST}silence_ms = 0"), "silence_ms = 0: 20 to"),
            (format!("{LEAST}encoding = 'utf-16le'"), "UTF-16 is not"),
            (format!("{LEAST}encoding = 'klingon'"), "\"klingon\""),
            (format!("{LEAST}[commands]\nping = {{ send = '' }}"), "send = \"\""),
            (format!("{LEAST}[commands]\nping = {{ send = '3F', answer_end = '21' }}"), "answer is missing"),
            (format!("{LEAST}[commands]\nbeep = {{ send = '07' }}"), "unknown field `beep`"),
            (format!("usb = ['1eab']\n{LEAST}"), "\"1eab\" is no USB id"),
        ] {
            let message = ScannerProfile::parse(&text).unwrap_err().to_string();
            assert!(message.contains(told), "{message}");
        }
    }
}
