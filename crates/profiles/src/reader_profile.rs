//! `devices/readers/*.toml`: what is known of one reader model, and where it was seen.
//!
//! ```toml
//! name = "Example R1"
//! pcsc_names = ["EXAMPLE R1*"]     # `*` stands for anything
//! usb = ["1234:5678"]              # vendor and product
//! level = "short-apdu"             # or tpdu, extended-apdu
//! extended_length = "no"
//! max_reply = 258
//! quirks = ["kernel-modules-take-it"]
//!
//! [slots]
//! contactless = ["*PICC*"]
//! sam = ["*SAM*"]
//!
//! [escape]
//! field_off = "FF00000004D4320100"
//!
//! [[seen]]
//! where = "whose list, which bench"
//! how = "published"                # or measured, or assumed
//! facts = ["pcsc_names", "usb", "level", "extended_length", "max_reply", "slots", "escape", "quirks"]
//! ```
//!
//! Whatever a file says, one of its `seen` says where from. What it leaves out is open: the driver's word and the
//! measuring of the first cards decide it.

use cccd_card::{Behind, ChannelLimits};
use include_dir::{Dir, include_dir};
use serde::Deserialize;

use crate::usb_id::UsbId;

static SHIPPED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../devices/readers");

/// What is known of one reader model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReaderProfile {
    /// The model's name.
    pub name: String,
    /// Which PC/SC names it goes by, `*` standing for anything.
    pub pcsc_names: Vec<String>,
    /// Which USB devices it is.
    pub usb: Vec<UsbId>,
    /// Which connection strings of libnfc it goes by, `*` standing for anything.
    pub libnfc: Vec<String>,
    /// The address it has on its own network, where it is one that has.
    pub network: Option<String>,
    /// What reader and driver exchange.
    pub level: Option<ExchangeLevel>,
    /// Whether it carries APDUs of extended length.
    pub extended_length: Option<ExtendedLength>,
    /// What it carries at once, as far as the file says: what it leaves open is as wide as can be.
    pub limits: ChannelLimits,
    /// What the file does not say.
    pub open: Vec<OpenQuestion>,
    /// Its slots, by what goes into them.
    pub slots: Slots,
    /// Commands to the reader itself.
    pub escape: EscapeCommands,
    /// What is odd about it.
    pub quirks: Vec<ReaderQuirk>,
    /// Whether it is known to be software. Readings on one that is are marked as a simulation's.
    pub behind: Behind,
    /// Where all this is from.
    pub seen: Vec<Sighting>,
}

/// What reader and driver exchange (CCID 1.1, 5.1, dwFeatures).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExchangeLevel {
    /// Blocks of the transmission protocol: the driver cuts APDUs.
    Tpdu,
    /// Whole APDUs of short length.
    ShortApdu,
    /// Whole APDUs of either length.
    ExtendedApdu,
    /// Files: the reader converses with the chip by itself.
    Files,
}

/// Whether a reader carries APDUs of extended length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExtendedLength {
    /// It does.
    Yes,
    /// It does not.
    No,
}

/// What a profile leaves to the driver's word and to measuring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OpenQuestion {
    /// The longest command APDU.
    MaxCommand,
    /// The longest response APDU.
    MaxReply,
    /// Whether extended length passes at all.
    ExtendedLength,
}

/// Patterns for the names of a reader's slots. A name that fits none is a slot for cards.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Slots {
    /// Where a card is laid.
    pub contactless: Vec<String>,
    /// Where a card is put in.
    pub contact: Vec<String>,
    /// Where a module lies that belongs to the reader and is nobody's card.
    pub sam: Vec<String>,
}

/// Commands to the reader itself, in the form it takes them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EscapeCommands {
    /// Switches the field off, so that a card forgets everything.
    pub field_off: Option<Vec<u8>>,
    /// Switches the field on again.
    pub field_on: Option<Vec<u8>>,
    /// Lights up for a good reading.
    pub light_good: Option<Vec<u8>>,
    /// Switches the lights off.
    pub light_off: Option<Vec<u8>>,
    /// One short beep.
    pub beep: Option<Vec<u8>>,
}

/// How something is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grounds {
    /// On a reader of this model, by us.
    Measured,
    /// By its maker or by others who measured.
    Published,
    /// By us, from what others of its kind do.
    Assumed,
}

/// Where facts of a profile are from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sighting {
    /// Whose list, which bench, which day.
    #[serde(rename = "where")]
    pub place: String,
    /// How it is known.
    pub how: Grounds,
    /// Which keys of the file.
    pub facts: Vec<String>,
}

/// What is odd about a reader, by what it does and not by who makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ReaderQuirk {
    /// Modules of the Linux kernel take it before the smart-card service can.
    KernelModulesTakeIt,
    /// A command that is too long for it is refused without saying so.
    RefusesLongCommandsWithoutAReason,
    /// An answer that never came may be called a success.
    SuccessWithoutAnAnswer,
    /// An APDU over its limit throws the card out.
    LongApduEjectsTheCard,
    /// It shows a slot for a module beside the one for cards.
    ShowsASamSlot,
    /// It makes out the card by contacts alone.
    ContactsOnly,
    /// Its driver must be told in its own settings to let commands to the reader pass.
    EscapeMustBeAllowed,
}

impl ReaderQuirk {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::KernelModulesTakeIt,
        Self::RefusesLongCommandsWithoutAReason,
        Self::SuccessWithoutAnAnswer,
        Self::LongApduEjectsTheCard,
        Self::ShowsASamSlot,
        Self::ContactsOnly,
        Self::EscapeMustBeAllowed,
    ];

    /// What whoever looks after the desk should know or do.
    pub fn advice(self) -> &'static str {
        match self {
            Self::KernelModulesTakeIt => {
                "If it does not appear on Linux: keep the kernel from taking it, with the lines `blacklist pn533_usb` \
                 and `blacklist nfc` in a file under /etc/modprobe.d, and plug it in anew."
            }
            Self::RefusesLongCommandsWithoutAReason => {
                "It carries short commands only; the agent keeps to them."
            }
            Self::SuccessWithoutAnAnswer => {
                "It may call an answer that never came a success; the agent looks again."
            }
            Self::LongApduEjectsTheCard => {
                "An APDU over its limit throws the card out; the agent keeps below it."
            }
            Self::ShowsASamSlot => "Its slot for a security module is left alone.",
            Self::ContactsOnly => "Cards are put into it, not laid on it.",
            Self::EscapeMustBeAllowed => {
                "Lights and sounds need the driver's leave (libccid: ifdDriverOptions 0x0001 in its Info.plist)."
            }
        }
    }

    /// The same in Vietnamese.
    pub fn advice_vi(self) -> &'static str {
        match self {
            Self::KernelModulesTakeIt => {
                "Nếu không thấy đầu đọc trên Linux: ngăn nhân hệ điều hành chiếm đầu đọc bằng hai dòng `blacklist \
                 pn533_usb` và `blacklist nfc` trong một tệp dưới /etc/modprobe.d, rồi cắm lại."
            }
            Self::RefusesLongCommandsWithoutAReason => {
                "Đầu đọc chỉ chuyển được lệnh ngắn; agent tự giữ trong giới hạn đó."
            }
            Self::SuccessWithoutAnAnswer => {
                "Đầu đọc có thể báo thành công khi thẻ chưa trả lời; agent tự kiểm tra lại."
            }
            Self::LongApduEjectsTheCard => "Lệnh vượt giới hạn sẽ làm mất thẻ; agent tự giữ dưới giới hạn.",
            Self::ShowsASamSlot => "Khe dành cho mô-đun bảo mật (SAM) không được dùng.",
            Self::ContactsOnly => "Thẻ phải được cắm vào khe, không đặt lên mặt đọc.",
            Self::EscapeMustBeAllowed => {
                "Đèn và tiếng bíp cần được trình điều khiển cho phép (libccid: ifdDriverOptions 0x0001 trong Info.plist)."
            }
        }
    }
}

/// Why a reader profile cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReaderProfileError {
    /// Not TOML, a key nobody knows, or a value of the wrong kind.
    #[error(transparent)]
    Toml(#[from] toml::de::Error),
    /// The reader can be told by nothing.
    #[error("no pcsc_names, usb, libnfc or network: nothing tells this reader")]
    NothingTellsIt,
    /// A pattern without a letter in it, but for the one profile of all that have none.
    #[error("{key} = {pattern:?}: no pattern")]
    Pattern {
        /// Which.
        key: &'static str,
        /// As written.
        pattern: String,
    },
    /// Not a vendor and a product of four hexadecimal digits each.
    #[error("usb = {0:?}: vendor and product as 072f:2200 are possible")]
    Usb(String),
    /// A limit that no APDU could keep to.
    #[error("{key} = {value}: {least} to {most} is possible")]
    Limit {
        /// Which.
        key: &'static str,
        /// As written.
        value: usize,
        /// Smallest.
        least: usize,
        /// Largest.
        most: usize,
    },
    /// Two keys that cannot both be true.
    #[error("{0} and {1} contradict each other")]
    Contradiction(&'static str, &'static str),
    /// A command that is no hexadecimal text, or too short or too long for one.
    #[error("escape.{key} = {text:?}: 1 to 64 bytes as hexadecimal digits are possible")]
    Escape {
        /// Which.
        key: &'static str,
        /// As written.
        text: String,
    },
    /// Something is said, and nothing says where it is from.
    #[error("{0} is said, and no [[seen]] has it among its facts")]
    Unfounded(&'static str),
    /// A sighting of something that is not said.
    #[error("[[seen]] {place:?} has {fact:?}, which this file does not say")]
    NothingOfTheKind {
        /// The sighting.
        place: String,
        /// What it claims to found.
        fact: String,
    },
}

impl ReaderProfile {
    /// Understands the text of a reader profile.
    pub fn parse(text: &str) -> Result<Self, ReaderProfileError> {
        toml::from_str::<RawReaderProfile>(text)?.try_into()
    }

    /// Whether a reader of this PC/SC name is of this model.
    pub fn matches(&self, name: &str) -> bool {
        self.pcsc_names.iter().any(|pattern| fits(pattern, name))
    }

    /// Whether a device of this connection string of libnfc is of this model.
    pub fn matches_libnfc(&self, connection: &str) -> bool {
        self.libnfc.iter().any(|pattern| fits(pattern, connection))
    }

    /// Whether the slot of this PC/SC name holds a module of the reader's own.
    pub fn is_sam_slot(&self, name: &str) -> bool {
        self.slots.sam.iter().any(|pattern| fits(pattern, name))
    }

    /// How exactly it says which reader it is meant for.
    fn exactness(&self, name: &str) -> Option<usize> {
        let fitting = self.pcsc_names.iter().filter(|pattern| fits(pattern, name));
        fitting.map(|pattern| pattern.chars().filter(|c| *c != '*').count()).max()
    }
}

/// Whether `text` fits `pattern`, in which each `*` stands for anything or nothing.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((beginning, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(beginning) else { return false };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let end = pieces.pop().unwrap_or_default();
    for piece in pieces {
        // The first place is as good as any: what follows may be anything.
        match text.find(piece) {
            Some(at) => text = text.get(at + piece.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    text.ends_with(end)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawReaderProfile {
    name: String,
    #[serde(default)]
    pcsc_names: Vec<String>,
    #[serde(default)]
    usb: Vec<String>,
    #[serde(default)]
    libnfc: Vec<String>,
    network: Option<String>,
    level: Option<ExchangeLevel>,
    extended_length: Option<ExtendedLength>,
    max_command: Option<usize>,
    max_reply: Option<usize>,
    #[serde(default)]
    slots: Slots,
    #[serde(default)]
    escape: RawEscape,
    #[serde(default)]
    quirks: Vec<ReaderQuirk>,
    #[serde(default)]
    simulated: bool,
    #[serde(default)]
    seen: Vec<Sighting>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct RawEscape {
    field_off: Option<String>,
    field_on: Option<String>,
    light_good: Option<String>,
    light_off: Option<String>,
    beep: Option<String>,
}

impl RawReaderProfile {
    /// What the file says, by key. The name is a name and needs no ground.
    fn says(&self) -> Vec<&'static str> {
        let escape = &self.escape;
        let commands =
            [&escape.field_off, &escape.field_on, &escape.light_good, &escape.light_off, &escape.beep];
        [
            ("pcsc_names", !self.pcsc_names.is_empty()),
            ("usb", !self.usb.is_empty()),
            ("libnfc", !self.libnfc.is_empty()),
            ("network", self.network.is_some()),
            ("level", self.level.is_some()),
            ("extended_length", self.extended_length.is_some()),
            ("max_command", self.max_command.is_some()),
            ("max_reply", self.max_reply.is_some()),
            ("slots", self.slots != Slots::default()),
            ("escape", commands.iter().any(|command| command.is_some())),
            ("quirks", !self.quirks.is_empty()),
            ("simulated", self.simulated),
        ]
        .into_iter()
        .filter_map(|(key, said)| said.then_some(key))
        .collect()
    }

    /// Every fact has its ground, and every ground its fact.
    fn is_founded(&self) -> Result<(), ReaderProfileError> {
        let says = self.says();
        for key in &says {
            if !self.seen.iter().any(|sighting| sighting.facts.iter().any(|fact| fact == key)) {
                return Err(ReaderProfileError::Unfounded(key));
            }
        }
        for Sighting { place, facts, .. } in &self.seen {
            if let Some(fact) = facts.iter().find(|fact| !says.contains(&fact.as_str())) {
                let (place, fact) = (place.clone(), fact.clone());
                return Err(ReaderProfileError::NothingOfTheKind { place, fact });
            }
        }
        Ok(())
    }
}

impl TryFrom<RawReaderProfile> for ReaderProfile {
    type Error = ReaderProfileError;

    fn try_from(raw: RawReaderProfile) -> Result<Self, ReaderProfileError> {
        raw.is_founded()?;
        if raw.pcsc_names.is_empty() && raw.usb.is_empty() && raw.libnfc.is_empty() && raw.network.is_none() {
            return Err(ReaderProfileError::NothingTellsIt);
        }
        for (key, patterns) in [
            ("pcsc_names", &raw.pcsc_names),
            ("libnfc", &raw.libnfc),
            ("slots.contactless", &raw.slots.contactless),
            ("slots.contact", &raw.slots.contact),
            ("slots.sam", &raw.slots.sam),
        ] {
            let is_none = |pattern: &&String| pattern.is_empty() || pattern.contains("**");
            if let Some(pattern) = patterns.iter().find(is_none) {
                return Err(ReaderProfileError::Pattern { key, pattern: pattern.clone() });
            }
        }
        let limit = |key, value: Option<usize>, least, most| match value {
            None => Ok(most),
            Some(value) if (least..=most).contains(&value) => Ok(value),
            Some(value) => Err(ReaderProfileError::Limit { key, value, least, most }),
        };
        let most = ChannelLimits::EXTENDED;
        // A PACE public key point on a 521-bit curve makes the longest command that must pass.
        let max_command = limit("max_command", raw.max_command, 160, most.max_command)?;
        let max_reply = limit("max_reply", raw.max_reply, 160, most.max_reply)?;
        let mut limits = ChannelLimits { max_command, max_reply };
        match raw.extended_length {
            Some(ExtendedLength::No) => {
                let fits_short = |value: Option<usize>, short| value.is_none_or(|value| value <= short);
                let short = ChannelLimits::SHORT;
                if !fits_short(raw.max_command, short.max_command)
                    || !fits_short(raw.max_reply, short.max_reply)
                {
                    return Err(ReaderProfileError::Contradiction(
                        "extended_length",
                        "max_command, max_reply",
                    ));
                }
                limits = limits.min(short);
            }
            Some(ExtendedLength::Yes) if !limits.allow_extended() => {
                return Err(ReaderProfileError::Contradiction("extended_length", "max_command, max_reply"));
            }
            _ => {}
        }
        let known = raw.extended_length == Some(ExtendedLength::No);
        let open = [
            (OpenQuestion::MaxCommand, raw.max_command.is_none() && !known),
            (OpenQuestion::MaxReply, raw.max_reply.is_none() && !known),
            (OpenQuestion::ExtendedLength, raw.extended_length.is_none()),
        ];
        Ok(Self {
            name: raw.name,
            pcsc_names: raw.pcsc_names,
            usb: raw.usb.iter().map(|text| usb_id(text)).collect::<Result<_, _>>()?,
            libnfc: raw.libnfc,
            network: raw.network,
            level: raw.level,
            extended_length: raw.extended_length,
            limits,
            open: open.into_iter().filter_map(|(question, is_open)| is_open.then_some(question)).collect(),
            slots: raw.slots,
            escape: EscapeCommands {
                field_off: escape("field_off", raw.escape.field_off)?,
                field_on: escape("field_on", raw.escape.field_on)?,
                light_good: escape("light_good", raw.escape.light_good)?,
                light_off: escape("light_off", raw.escape.light_off)?,
                beep: escape("beep", raw.escape.beep)?,
            },
            quirks: raw.quirks,
            behind: if raw.simulated { Behind::Simulation } else { Behind::Device },
            seen: raw.seen,
        })
    }
}

fn usb_id(text: &str) -> Result<UsbId, ReaderProfileError> {
    UsbId::parse(text).ok_or_else(|| ReaderProfileError::Usb(text.to_owned()))
}

fn escape(key: &'static str, text: Option<String>) -> Result<Option<Vec<u8>>, ReaderProfileError> {
    let Some(text) = text else { return Ok(None) };
    match hex::decode(&text) {
        Ok(bytes) if (1..=64).contains(&bytes.len()) => Ok(Some(bytes)),
        _ => Err(ReaderProfileError::Escape { key, text }),
    }
}

/// All profiles.
#[derive(Debug, Clone)]
pub struct ReaderCatalogue(Vec<ReaderProfile>);

impl ReaderCatalogue {
    /// The profiles shipped with the program. A test loads every one.
    pub fn shipped() -> Self {
        let profiles = SHIPPED
            .files()
            .filter_map(|file| file.contents_utf8())
            .filter_map(|text| ReaderProfile::parse(text).ok())
            .collect();
        Self::new(profiles)
    }

    /// A catalogue of these profiles.
    pub fn new(profiles: Vec<ReaderProfile>) -> Self {
        Self(profiles)
    }

    /// The profile that fits a PC/SC name best: the one whose pattern says most of it.
    pub fn find(&self, name: &str) -> Option<&ReaderProfile> {
        let fitting = self.0.iter().filter_map(|profile| Some((profile.exactness(name)?, profile)));
        fitting.max_by_key(|(exactness, _)| *exactness).map(|(_, profile)| profile)
    }

    /// The profile of a connection string of libnfc.
    pub fn find_libnfc(&self, connection: &str) -> Option<&ReaderProfile> {
        self.0.iter().find(|profile| profile.matches_libnfc(connection))
    }

    /// The profile of a USB device.
    pub fn find_usb(&self, vendor: u16, product: u16) -> Option<&ReaderProfile> {
        self.0.iter().find(|profile| profile.usb.iter().any(|id| id.matches(vendor, product)))
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &ReaderProfile> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped() -> Vec<(String, ReaderProfile)> {
        let named = SHIPPED.files().map(|file| {
            let path = file.path().display().to_string();
            let profile = ReaderProfile::parse(file.contents_utf8().unwrap());
            (path.clone(), profile.unwrap_or_else(|error| panic!("{path}: {error}")))
        });
        named.collect()
    }

    #[test]
    fn every_shipped_profile_loads_and_is_the_only_one_of_its_devices() {
        let profiles = shipped();
        assert!(profiles.len() >= 18, "{}", profiles.len());
        let mut devices = std::collections::BTreeMap::new();
        for (path, profile) in &profiles {
            for id in &profile.usb {
                let other = devices.insert(id.to_string(), path);
                assert_eq!(other, None, "{id} is in two files");
            }
        }
        // What nobody has measured is marked so: of real readers only published facts are known so far, and the
        // one reader that is software was measured.
        for (path, profile) in &profiles {
            let measured = profile.seen.iter().any(|sighting| sighting.how == Grounds::Measured);
            assert_eq!(measured, profile.name == "Virtual PCD", "{path}");
            assert_eq!(profile.behind == Behind::Simulation, profile.name == "Virtual PCD", "{path}");
        }
    }

    #[test]
    fn the_names_drivers_give_lead_to_the_right_profile() {
        let catalogue = ReaderCatalogue::shipped();
        for (name, profile) in [
            ("ACS ACR122U PICC Interface 00 00", "ACS ACR122U"),
            ("ACS ACR1252 Dual Reader [ACR1252 Dual Reader PICC] 00 00", "ACS ACR1252U"),
            ("ACS ACR1281 1S Dual Reader 00 01", "ACS ACR1281U"),
            ("ACS ACR1581 1S Dual Reader PICC 0", "ACS ACR1581U"),
            ("ACS ACR39U ICC Reader 00 00", "ACS ACR39U"),
            ("HID Global OMNIKEY 5022 Smart Card Reader 00 00", "HID OMNIKEY 5022"),
            ("HID Global OMNIKEY 5122 Smartcard Reader 01 00", "HID OMNIKEY 5122"),
            (
                "HID Global OMNIKEY 5422 Smartcard Reader [OMNIKEY 5422CL Smartcard Reader] 01 00",
                "HID OMNIKEY 5422",
            ),
            ("HID OMNIKEY 5427 CK 00 00", "HID OMNIKEY 5427 CK"),
            ("Identiv uTrust 3700 F CL Reader 00 00", "Identiv uTrust 3700 F"),
            ("Identiv Identiv uTrust 4701 F Dual Interface Reader 00 00", "Identiv uTrust 4701 F"),
            ("SCM Microsystems Inc. SCL3711 reader & NFC device 00 00", "SCM SCL3711"),
            ("Feitian R502 [R502 Contactless Reader] 00 00", "Feitian R502"),
            ("Virtual PCD 00 01", "Virtual PCD"),
            ("Never Heard Of It 00 00", "Any PC/SC reader"),
            ("Some NFC Contactless Reader 0", "Any contactless PC/SC reader"),
        ] {
            assert_eq!(catalogue.find(name).unwrap().name, profile, "{name}");
        }
        assert_eq!(
            catalogue.find_libnfc("pn532_uart:/dev/ttyUSB0:115200").unwrap().name,
            "PN532 on a serial line"
        );
        assert_eq!(catalogue.find_usb(0x072F, 0x2200).unwrap().name, "ACS ACR122U");
        assert!(catalogue.iter().any(|profile| profile.network.is_some()), "HN212");
    }

    #[test]
    fn a_module_of_the_readers_own_is_no_card() {
        let catalogue = ReaderCatalogue::shipped();
        let acr = catalogue.find("ACS ACR1252 Dual Reader [ACR1252 Dual Reader SAM] 00 01").unwrap();
        assert!(acr.is_sam_slot("ACS ACR1252 Dual Reader [ACR1252 Dual Reader SAM] 00 01"));
        assert!(!acr.is_sam_slot("ACS ACR1252 Dual Reader [ACR1252 Dual Reader PICC] 00 00"));
    }

    #[test]
    fn what_a_file_leaves_out_is_open_and_as_wide_as_can_be() {
        let catalogue = ReaderCatalogue::shipped();
        let any = catalogue.find("Never Heard Of It 00 00").unwrap();
        assert_eq!(any.limits, ChannelLimits::EXTENDED);
        assert_eq!(
            any.open,
            [OpenQuestion::MaxCommand, OpenQuestion::MaxReply, OpenQuestion::ExtendedLength]
        );
        let acr = catalogue.find("ACS ACR122U PICC Interface 00 00").unwrap();
        assert_eq!((acr.limits, acr.open.len()), (ChannelLimits { max_command: 261, max_reply: 258 }, 0));
    }

    #[test]
    fn patterns_match_wherever_their_stars_stand() {
        for (pattern, text, expected) in [
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("abc*", "abcd", true),
            ("*PICC*", "ACS [x PICC] 0", true),
            ("*PICC*", "ACS [x SAM] 0", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c", false),
            ("a*bb", "ab", false),
            ("*", "", true),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }

    const GROUND: &str = "[[seen]]\nwhere = 'x'\nhow = 'assumed'\nfacts = ";

    #[test]
    fn mistakes_name_their_place() {
        for (text, facts, told) in [
            ("pcsc_names = ['']", "['pcsc_names']", "no pattern"),
            ("pcsc_names = ['x**']", "['pcsc_names']", "no pattern"),
            ("pcsc_names = ['x']\nmax_reply = 3", "['pcsc_names', 'max_reply']", "max_reply = 3: 160 to"),
            ("pcsc_names = ['x']\nmax_reply = 300", "['pcsc_names']", "max_reply is said, and no [[seen]]"),
            ("pcsc_names = ['x']", "['pcsc_names', 'level']", "\"level\", which this file does not say"),
            ("pcsc_names = ['x']\nquirks = ['odd']", "['pcsc_names', 'quirks']", "unknown variant `odd`"),
            ("pcsc_name = 'x'", "[]", "unknown field `pcsc_name`"),
            ("usb = ['72F:2200']", "['usb']", "as 072f:2200"),
            ("", "[]", "nothing tells this reader"),
            (
                "pcsc_names = ['x']\nextended_length = 'no'\nmax_reply = 4096",
                "['pcsc_names', 'extended_length', 'max_reply']",
                "contradict each other",
            ),
            (
                "pcsc_names = ['x']\nextended_length = 'yes'\nmax_reply = 258",
                "['pcsc_names', 'extended_length', 'max_reply']",
                "contradict each other",
            ),
        ] {
            let text = format!("name = 'x'\n{text}\n{GROUND}{facts}\n");
            let message = ReaderProfile::parse(&text).unwrap_err().to_string();
            assert!(message.contains(told), "{text}: {message}");
        }
        let text = "name = 'x'\nusb = ['072F:2200']\n[escape]\nbeep = 'F'\n";
        let message =
            ReaderProfile::parse(&format!("{text}{GROUND}['usb', 'escape']")).unwrap_err().to_string();
        assert!(message.contains("escape.beep"), "{message}");
    }

    #[test]
    fn every_quirk_has_advice_in_both_languages() {
        for quirk in ReaderQuirk::ALL {
            assert!(quirk.advice().ends_with('.') && quirk.advice_vi().ends_with('.'), "{quirk:?}");
            assert_ne!(quirk.advice(), quirk.advice_vi());
        }
    }
}
