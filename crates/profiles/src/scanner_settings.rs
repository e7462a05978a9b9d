//! `[scanners]` and `[[scanner]]` of `config/agent.toml`: the scanners of one desk.

use cccd_card::ScannerId;
use serde::Deserialize;

use crate::scanner_profile::{RawCode, RawLine};
use crate::{ScannerCatalogue, ScannerProfile, ScannerProfileError, UsbId};

/// The profile of a scanner whose settings name none, and whose USB ids nobody knows.
const UNNAMED: &str = "generic-usb-serial";

/// The scanners of one desk.
#[derive(Debug, Clone, Default)]
pub struct ScannerSettings {
    /// Those that are named.
    pub named: Vec<DeskScanner>,
    /// Whether those that are not named are taken, too.
    pub unnamed: UnnamedScanners,
}

/// What becomes of a serial port that a profile knows and the settings do not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnnamedScanners {
    /// It is left to whatever other program uses it.
    #[default]
    Left,
    /// It is opened, which keeps every other program out.
    Taken,
}

/// A scanner that the settings name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeskScanner {
    /// Its name for people.
    pub name: String,
    /// Where it is found.
    pub place: ScannerPlace,
    /// What it is, with what the settings say otherwise.
    pub profile: ScannerProfile,
}

/// Where a scanner is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScannerPlace {
    /// A port of this name: `COM5`, `/dev/ttyS0`, a link under `/dev/serial/by-id`.
    Port(String),
    /// A USB device, whatever port it gets.
    Usb {
        /// Which product.
        id: UsbId,
        /// Which one of them.
        serial: Option<String>,
    },
}

impl DeskScanner {
    /// Its name for programs.
    pub fn id(&self) -> ScannerId {
        ScannerId::from_name(&self.name)
    }
}

/// Why the scanners cannot be set up so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScannerSettingsError {
    /// A name that makes no id.
    #[error("a scanner needs a name of 1 to 64 characters with a letter or digit in it, not {0:?}")]
    Name(String),
    /// Two scanners of one id.
    #[error("scanner {0:?}: another scanner has the same name or nearly the same")]
    Twice(String),
    /// Two scanners in one place.
    #[error("scanner {0:?}: another scanner has the same port")]
    SamePlace(String),
    /// No place, or two.
    #[error("scanner {0:?}: either a port or usb says where it is found")]
    Place(String),
    /// A profile nobody ships.
    #[error("scanner {name:?}: there is no profile {profile:?}; there is {known}")]
    Profile {
        /// Whose.
        name: String,
        /// As written.
        profile: String,
        /// Those there are.
        known: String,
    },
    /// What is said over the profile is wrong.
    #[error("scanner {name:?}: {source}")]
    Over {
        /// Whose.
        name: String,
        /// What is wrong.
        source: ScannerProfileError,
    },
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawScanners {
    take_unnamed: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawScanner {
    name: String,
    port: Option<String>,
    usb: Option<String>,
    usb_serial: Option<String>,
    profile: Option<String>,
    #[serde(default)]
    line: RawLine,
    #[serde(default)]
    code: RawCode,
}

impl ScannerSettings {
    pub(crate) fn of(rules: &RawScanners, named: Vec<RawScanner>) -> Result<Self, ScannerSettingsError> {
        let catalogue = ScannerCatalogue::shipped();
        let unnamed = if rules.take_unnamed { UnnamedScanners::Taken } else { UnnamedScanners::Left };
        let mut settings = Self { named: Vec::new(), unnamed };
        for raw in named {
            let scanner = raw.meant(&catalogue)?;
            if settings.named.iter().any(|known| known.id() == scanner.id()) {
                return Err(ScannerSettingsError::Twice(scanner.name));
            }
            if settings.named.iter().any(|known| known.place == scanner.place) {
                return Err(ScannerSettingsError::SamePlace(scanner.name));
            }
            settings.named.push(scanner);
        }
        Ok(settings)
    }
}

impl RawScanner {
    fn meant(self, catalogue: &ScannerCatalogue) -> Result<DeskScanner, ScannerSettingsError> {
        let name = self.name;
        let plain = name.chars().count() <= 64 && !name.chars().any(char::is_control);
        if !plain || ScannerId::from_name(&name).as_str().is_empty() {
            return Err(ScannerSettingsError::Name(name));
        }
        let over = |source| ScannerSettingsError::Over { name: name.clone(), source };
        let place = match (self.port, self.usb) {
            (Some(port), None) if !port.is_empty() && self.usb_serial.is_none() => ScannerPlace::Port(port),
            (None, Some(usb)) => {
                let id = UsbId::parse(&usb).ok_or(ScannerProfileError::Usb(usb)).map_err(over)?;
                ScannerPlace::Usb { id, serial: self.usb_serial }
            }
            _ => return Err(ScannerSettingsError::Place(name)),
        };
        let key = self.profile.unwrap_or_else(|| {
            let known = match &place {
                ScannerPlace::Usb { id: UsbId { vendor, product: Some(product) }, .. } => {
                    catalogue.find_usb(*vendor, *product)
                }
                _ => None,
            };
            known.map_or(UNNAMED, |(key, _)| key).to_owned()
        });
        let Some(profile) = catalogue.get(&key) else {
            let known: Vec<&str> = catalogue.profiles().map(|(key, _)| key).collect();
            return Err(ScannerSettingsError::Profile { name, profile: key, known: known.join(", ") });
        };
        let profile = ScannerProfile {
            line: self.line.over(Some(&profile.line)).map_err(over)?,
            code: self.code.over(Some(&profile.code)).map_err(over)?,
            ..profile.clone()
        };
        Ok(DeskScanner { name, place, profile })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{AgentSettings, CodeEnd, StopBits};

    fn scanners(text: &str) -> Result<ScannerSettings, String> {
        AgentSettings::parse(text).map(|settings| settings.scanners).map_err(|error| error.to_string())
    }

    #[test]
    fn a_desk_has_no_scanner_unless_it_is_said_to() {
        let none = scanners("").unwrap();
        assert!(none.named.is_empty() && none.unnamed == UnnamedScanners::Left);
        assert_eq!(scanners("[scanners]\ntake_unnamed = true").unwrap().unnamed, UnnamedScanners::Taken);
    }

    #[test]
    fn what_the_settings_say_goes_over_the_profile_and_the_rest_stays() {
        let text = "[[scanner]]\nname = 'Bàn 1'\nport = 'COM5'\nprofile = 'honeywell'\n\
                    line = { framing = '8N2' }\ncode = { suffix = 'cr' }";
        let desk = scanners(text).unwrap().named.remove(0);
        assert_eq!(desk.place, ScannerPlace::Port("COM5".to_owned()));
        assert_eq!((desk.profile.line.baud, desk.profile.line.stop_bits), (115_200, StopBits::Two));
        assert_eq!(desk.profile.code.end, CodeEnd::Cr);
        assert_eq!(desk.profile.code.silence, Duration::from_millis(500), "that of the new end");
        assert!(desk.profile.commands.trigger.is_some());
    }

    #[test]
    fn a_usb_device_brings_its_profile() {
        let profile = |usb: &str| {
            let text = format!("[[scanner]]\nname = 'x'\nusb = '{usb}'");
            scanners(&text).unwrap().named.remove(0).profile.name
        };
        assert_eq!(profile("1eab:1d06"), "Newland scanner");
        assert_eq!(profile("1a86:7523"), "Any USB serial scanner");
    }

    #[test]
    fn mistakes_name_their_place() {
        let one = "[[scanner]]\nname = 'Desk 1'\nport = 'COM5'\n";
        for (text, told) in [
            ("[[scanner]]\nname = '...'\nport = 'COM5'".to_owned(), "with a letter or digit"),
            ("[[scanner]]\nname = 'a'".to_owned(), "either a port or usb"),
            (format!("{one}usb = '1eab:1d06'"), "either a port or usb"),
            (format!("{one}usb_serial = '1'"), "either a port or usb"),
            ("[[scanner]]\nname = 'a'\nusb = 'x'".to_owned(), "scanner \"a\": usb: \"x\" is no USB id"),
            (format!("{one}profile = 'x'"), "there is datalogic, generic-rs232, generic-usb-serial"),
            (format!("{one}line = {{ baud = 1 }}"), "scanner \"Desk 1\": baud = 1"),
            (format!("{one}baud = 9600"), "unknown field `baud`"),
            (format!("{one}{}", one.replace("Desk 1", "desk-1").replace('5', "6")), "nearly the same"),
            (format!("{one}{}", one.replace("Desk 1", "Desk 2")), "the same port"),
        ] {
            let message = scanners(&text).unwrap_err();
            assert!(message.contains(told), "{message}");
        }
    }
}
