//! `[[nfc]]` of `config/agent.toml`: the readers of one desk that libnfc drives.

use cccd_card::ReaderId;
use serde::Deserialize;

/// libnfc copies connection strings into buffers of 1024 bytes.
const LONGEST: usize = 1000;
/// Drivers that would try every serial port, or every bus, if they were not told which.
const NEED_A_PLACE: [&str; 5] = ["pn532_uart", "pn532_spi", "pn532_i2c", "arygon", "acr122s"];

/// A reader that libnfc drives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeskNfcReader {
    /// Its name for people.
    pub name: String,
    /// Where libnfc finds it: `pn532_uart:/dev/ttyUSB0:115200`, `pn53x_usb`.
    pub connstring: String,
}

impl DeskNfcReader {
    /// Its name for programs.
    pub fn id(&self) -> ReaderId {
        ReaderId::from_name(&self.name)
    }
}

/// Why the NFC readers cannot be set up so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NfcSettingsError {
    /// A name that makes no id.
    #[error("an NFC reader needs a name of 1 to 64 characters with a letter or digit in it, not {0:?}")]
    Name(String),
    /// Two readers of one id.
    #[error("NFC reader {0:?}: another one has the same name or nearly the same")]
    Twice(String),
    /// Two readers in one place.
    #[error("NFC reader {0:?}: another one has the same connstring")]
    SamePlace(String),
    /// No connection string.
    #[error(
        "NFC reader {name:?}: connstring = {connstring:?}: a driver of libnfc and a place is possible, such as pn532_uart:/dev/ttyUSB0:115200"
    )]
    Connstring {
        /// Whose.
        name: String,
        /// As written.
        connstring: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawNfc {
    name: String,
    connstring: String,
}

pub(crate) fn meant(raw: Vec<RawNfc>) -> Result<Vec<DeskNfcReader>, NfcSettingsError> {
    let mut readers: Vec<DeskNfcReader> = Vec::new();
    for RawNfc { name, connstring } in raw {
        let plain = name.chars().count() <= 64 && !name.chars().any(char::is_control);
        if !plain || ReaderId::from_name(&name).as_str().is_empty() {
            return Err(NfcSettingsError::Name(name));
        }
        if !is_connstring(&connstring) {
            return Err(NfcSettingsError::Connstring { name, connstring });
        }
        let reader = DeskNfcReader { name, connstring };
        if readers.iter().any(|known| known.id() == reader.id()) {
            return Err(NfcSettingsError::Twice(reader.name));
        }
        if readers.iter().any(|known| known.connstring == reader.connstring) {
            return Err(NfcSettingsError::SamePlace(reader.name));
        }
        readers.push(reader);
    }
    Ok(readers)
}

fn is_connstring(text: &str) -> bool {
    let (driver, place) = text.split_once(':').unwrap_or((text, ""));
    let named = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    text.len() <= LONGEST
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && !driver.is_empty()
        && driver.bytes().all(named)
        && (!place.is_empty() || !NEED_A_PLACE.contains(&driver))
}

#[cfg(test)]
mod tests {
    use crate::AgentSettings;

    fn nfc(text: &str) -> Result<Vec<super::DeskNfcReader>, String> {
        AgentSettings::parse(text).map(|settings| settings.nfc).map_err(|error| error.to_string())
    }

    #[test]
    fn a_desk_has_the_nfc_readers_that_are_named() {
        assert_eq!(nfc("").unwrap(), []);
        let two = "[[nfc]]\nname = 'Quầy 1'\nconnstring = 'pn532_uart:/dev/ttyUSB0:115200'\n\
                   [[nfc]]\nname = 'Desk 2'\nconnstring = 'pn53x_usb'";
        let ids: Vec<String> = nfc(two).unwrap().iter().map(|reader| reader.id().to_string()).collect();
        assert_eq!(ids, ["qu-y-1", "desk-2"]);
    }

    #[test]
    fn mistakes_name_their_place() {
        let one = "[[nfc]]\nname = 'Desk 1'\nconnstring = 'pn532_uart:/dev/ttyS0'\n";
        for (text, told) in [
            ("[[nfc]]\nname = '...'\nconnstring = 'pn53x_usb'".to_owned(), "with a letter or digit"),
            ("[[nfc]]\nname = 'a'".to_owned(), "missing field `connstring`"),
            ("[[nfc]]\nname = 'a'\nconnstring = ''".to_owned(), "connstring = \"\""),
            ("[[nfc]]\nname = 'a'\nconnstring = 'pn532_uart'".to_owned(), "such as pn532_uart:/dev/ttyUSB0"),
            ("[[nfc]]\nname = 'a'\nconnstring = \"pn532_uart:a\\tb\"".to_owned(), "such as"),
            (format!("[[nfc]]\nname = 'a'\nconnstring = 'x:{}'", "y".repeat(1000)), "such as"),
            (format!("{one}baud = 9600"), "unknown field `baud`"),
            (format!("{one}{}", one.replace("Desk 1", "desk-1").replace("S0", "S1")), "nearly the same"),
            (format!("{one}{}", one.replace("Desk 1", "Desk 2")), "the same connstring"),
        ] {
            let message = nfc(&text).unwrap_err();
            assert!(message.contains(told), "{message}");
        }
    }
}
