//! What programs send such a reader.

use serde::Deserialize;
use zeroize::Zeroizing;

use crate::encoded::decode;
use crate::packet::argument;
use crate::{GET_AA, INPUT_DATA, NotUnderstood};

/// One message of a program.
pub enum ProgramMessage {
    /// Read the card that lies there, which these open (`/input_data`).
    ReadAgain {
        /// The twelve digits of the personal number.
        number: Zeroizing<String>,
        /// Date of birth, `ddMMyyyy`; empty where the program leaves it out.
        birth: Zeroizing<String>,
        /// Date of expiry, `ddMMyyyy`; of a card without one day and month of birth and the year 2099. Empty as above.
        expiry: Zeroizing<String>,
    },
    /// Have the chip sign (`/get_aa`).
    Sign {
        /// RND.IFD.
        challenge: [u8; 8],
    },
    /// Something else.
    Other,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawReadAgain {
    id_code: Box<str>,
    // The description has all three; the number alone opens the chips that such a reader opens as well.
    #[serde(default)]
    date_of_birth: Option<Box<str>>,
    #[serde(default)]
    expiry_date: Option<Box<str>>,
}

#[derive(Deserialize)]
struct RawSign {
    challenge: Box<str>,
}

impl ProgramMessage {
    /// Reads an event of this name.
    pub fn parse(name: &str, text: &str) -> Result<Self, NotUnderstood> {
        let wiped = |text: Box<str>| Zeroizing::new(String::from(text));
        match name {
            INPUT_DATA => {
                let raw: RawReadAgain = argument(text)?;
                Ok(Self::ReadAgain {
                    number: wiped(raw.id_code),
                    birth: raw.date_of_birth.map(wiped).unwrap_or_default(),
                    expiry: raw.expiry_date.map(wiped).unwrap_or_default(),
                })
            }
            GET_AA => {
                let raw: RawSign = argument(text)?;
                let bytes = decode(&raw.challenge).ok_or(NotUnderstood::Event)?;
                let challenge = bytes.as_slice().try_into().map_err(|_| NotUnderstood::Event)?;
                Ok(Self::Sign { challenge })
            }
            _ => Ok(Self::Other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_orders_of_the_makers_description() {
        let again =
            r#"{"idCode":"000090123456","dateOfBirth":"02011990","expiryDate":"02012030","clientId":"1"}]"#;
        let Ok(ProgramMessage::ReadAgain { number, birth, expiry }) =
            ProgramMessage::parse(INPUT_DATA, again)
        else {
            panic!()
        };
        assert_eq!((&**number, &**birth, &**expiry), ("000090123456", "02011990", "02012030"));
        for short in [r#"{"idCode":"000090123456"}]"#, r#"{"idCode":"000090123456","expiryDate":null}]"#] {
            let read = ProgramMessage::parse(INPUT_DATA, short);
            let Ok(ProgramMessage::ReadAgain { number, birth, expiry }) = read else { panic!("{short}") };
            assert_eq!((&**number, &**birth, &**expiry), ("000090123456", "", ""));
        }
        let sign = r#"{"clientId":"x","challenge":"AAECAwQFBgc="}]"#;
        let Ok(ProgramMessage::Sign { challenge }) = ProgramMessage::parse(GET_AA, sign) else { panic!() };
        assert_eq!(challenge, [0, 1, 2, 3, 4, 5, 6, 7]);
        assert!(matches!(ProgramMessage::parse("/other", ""), Ok(ProgramMessage::Other)));
    }

    #[test]
    fn half_an_order_is_none() {
        for (name, text) in [
            (INPUT_DATA, "{}]"),
            (INPUT_DATA, r#"{"idCode":1,"dateOfBirth":"","expiryDate":""}]"#),
            (GET_AA, r#"{"challenge":"AAEC"}]"#),
            (GET_AA, r#"{"challenge":"@"}]"#),
            (GET_AA, ""),
        ] {
            assert!(ProgramMessage::parse(name, text).is_err(), "{name} {text}");
        }
    }
}
