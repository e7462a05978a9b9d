//! What opens a chip: the card access number, or three fields of the MRZ (ICAO 9303-11, 4.2 and 9.7.2).

use zeroize::Zeroizing;

use crate::Personal;
use crate::mrz::check_digit;

/// A key a reading may be opened with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessKey {
    /// The card access number: PACE only.
    Can(Can),
    /// Three fields of the MRZ: PACE or BAC.
    Mrz(MrzKey),
}

impl AccessKey {
    /// Which of the two it is.
    pub fn kind(&self) -> PasswordKind {
        match self {
            Self::Can(_) => PasswordKind::Can,
            Self::Mrz(_) => PasswordKind::Mrz,
        }
    }
}

/// What kind of key opened a chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordKind {
    /// The card access number.
    Can,
    /// The MRZ.
    Mrz,
}

/// Why something given as a key cannot be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAnAccessKey {
    /// A card access number is six digits.
    #[error("a card access number has six digits")]
    Can,
    /// A document number is one to twenty-two letters A-Z, digits, fillers.
    #[error("not a document number")]
    DocumentNumber,
    /// A date in the MRZ is six characters, digits or fillers.
    #[error("not an MRZ date")]
    Date,
}

/// The card access number: six digits. On a Vietnamese card the last six of the personal number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Can(Personal);

impl Can {
    /// Six digits.
    pub fn new(digits: &str) -> Result<Self, NotAnAccessKey> {
        if digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(Personal::from(digits)))
        } else {
            Err(NotAnAccessKey::Can)
        }
    }

    /// The digits, as PACE takes them (ICAO 9303-11, 4.4.4.1: ISO 8859-1).
    pub fn as_bytes(&self) -> &[u8] {
        self.0.expose().as_bytes()
    }
}

/// Document number, date of birth and date of expiry, as the MRZ spells them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MrzKey {
    document_number: Personal,
    birth: Personal,
    expiry: Personal,
}

impl MrzKey {
    /// Takes the fields without their check digits. The number is padded with `<` to nine characters; a
    /// longer one stays as long as it is (ICAO 9303-11, 9.7.2, and 9303-5, 4.2.4).
    pub fn new(document_number: &str, birth: &str, expiry: &str) -> Result<Self, NotAnAccessKey> {
        let mrz = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'<';
        if document_number.is_empty() || document_number.len() > 22 || !document_number.bytes().all(mrz) {
            return Err(NotAnAccessKey::DocumentNumber);
        }
        for date in [birth, expiry] {
            if date.len() != 6 || !date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'<') {
                return Err(NotAnAccessKey::Date);
            }
        }
        Ok(Self {
            document_number: Personal::new(format!("{document_number:<<9}")),
            birth: Personal::from(birth),
            expiry: Personal::from(expiry),
        })
    }

    /// Number, birth and expiry, each followed by its check digit: the input of the key derivation.
    pub fn mrz_information(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(Vec::with_capacity(40));
        for field in [&self.document_number, &self.birth, &self.expiry] {
            out.extend_from_slice(field.expose().as_bytes());
            // Only characters of the MRZ come in, so there is a digit.
            out.extend(check_digit(field.expose()).map(|digit| b'0' + digit));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_information_of_the_worked_examples() {
        // ICAO 9303-11, Appendix D.2, and the invented Vietnamese card.
        for (number, birth, expiry, information) in [
            ("L898902C", "690806", "940623", "L898902C<369080619406236"),
            ("090123456", "900102", "300102", "090123456290010223001020"),
        ] {
            let key = MrzKey::new(number, birth, expiry).unwrap();
            assert_eq!(key.mrz_information().as_slice(), information.as_bytes());
        }
    }

    #[test]
    fn what_no_card_prints_is_no_key() {
        for can in ["", "12345", "1234567", "12345a", "１２３４５６"] {
            assert_eq!(Can::new(can), Err(NotAnAccessKey::Can), "{can}");
        }
        assert_eq!(MrzKey::new("", "900102", "300102"), Err(NotAnAccessKey::DocumentNumber));
        assert_eq!(MrzKey::new("a", "900102", "300102"), Err(NotAnAccessKey::DocumentNumber));
        assert_eq!(MrzKey::new("1", "900102", "30-102"), Err(NotAnAccessKey::Date));
    }
}
