//! Command and response APDUs (ISO/IEC 7816-4, 5.1 to 5.6).

use std::fmt;

use zeroize::Zeroizing;

use crate::{SecretBytes, StatusWord, TransportError};

/// How many reply bytes a command asks for: 1 to 65536.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExpectedLength(u32);

impl ExpectedLength {
    /// Le `00`: up to 256 bytes.
    pub const SHORT_MAX: Self = Self(256);
    /// Le `0000`: up to 65536 bytes.
    pub const EXTENDED_MAX: Self = Self(65536);

    /// Asks for `count` bytes, held within 1 to 65536.
    pub fn new(count: usize) -> Self {
        Self(u32::try_from(count).unwrap_or(u32::MAX).clamp(1, 65536))
    }

    /// The number of bytes asked for.
    pub fn get(self) -> usize {
        // 65536 fits every usize this program is built for.
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// Whether lengths take one byte or three (ISO/IEC 7816-4, 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LengthForm {
    /// Lc up to 255, Le up to 256.
    Short,
    /// Lc up to 65535, Le up to 65536.
    Extended,
}

/// A command's data is longer than any APDU can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("command data of {0} bytes is longer than an APDU carries")]
pub struct CommandTooLong(pub usize);

/// One command to a card.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    cla: u8,
    ins: u8,
    p1: u8,
    p2: u8,
    data: SecretBytes,
    expected: Option<ExpectedLength>,
}

impl Command {
    /// A command with neither data nor Le (case 1).
    pub fn new(cla: u8, ins: u8, p1: u8, p2: u8) -> Self {
        Self { cla, ins, p1, p2, data: Zeroizing::default(), expected: None }
    }

    /// The same with `data` to carry, at most 65535 bytes. Where the length comes from outside, use
    /// [`Command::try_data`].
    pub fn data(mut self, data: &[u8]) -> Self {
        self.data = Zeroizing::new(data.to_vec());
        self
    }

    /// The same with `data` whose length is not known to be small.
    pub fn try_data(self, data: &[u8]) -> Result<Self, CommandTooLong> {
        if data.len() > 65535 {
            return Err(CommandTooLong(data.len()));
        }
        Ok(self.data(data))
    }

    /// The same with `expected` bytes asked for.
    pub fn expect(mut self, expected: ExpectedLength) -> Self {
        self.expected = Some(expected);
        self
    }

    /// CLA, INS, P1, P2.
    pub fn header(&self) -> [u8; 4] {
        [self.cla, self.ins, self.p1, self.p2]
    }

    /// The class byte.
    pub fn cla(&self) -> u8 {
        self.cla
    }

    /// The same command with another class byte (secure messaging and chaining set bits in it).
    pub fn with_cla(mut self, cla: u8) -> Self {
        self.cla = cla;
        self
    }

    /// The instruction byte.
    pub fn ins(&self) -> u8 {
        self.ins
    }

    /// What the command carries.
    pub fn payload(&self) -> &[u8] {
        &self.data
    }

    /// How many bytes it asks for.
    pub fn expected(&self) -> Option<ExpectedLength> {
        self.expected
    }

    /// The shortest form that can carry this command.
    pub fn form(&self) -> LengthForm {
        if self.data.len() > 255 || self.expected.is_some_and(|le| le > ExpectedLength::SHORT_MAX) {
            LengthForm::Extended
        } else {
            LengthForm::Short
        }
    }

    /// The bytes to send, in the shortest form that can carry them.
    pub fn encode(&self) -> SecretBytes {
        let mut out = Zeroizing::new(Vec::with_capacity(self.data.len() + 9));
        out.extend_from_slice(&self.header());
        let lc = self.data.len().to_be_bytes();
        let le = self.expected.map(|le| le.0.to_be_bytes());
        match self.form() {
            LengthForm::Short => {
                if !self.data.is_empty() {
                    out.extend(lc.last());
                    out.extend_from_slice(&self.data);
                }
                // 256 is written 00: the low byte already is.
                out.extend(le.iter().filter_map(|le| le.last()));
            }
            LengthForm::Extended => {
                out.push(0);
                if !self.data.is_empty() {
                    out.extend_from_slice(lc.split_at(lc.len() - 2).1);
                    out.extend_from_slice(&self.data);
                }
                out.extend_from_slice(le.as_ref().map_or(&[], |le| le.split_at(2).1));
            }
        }
        out
    }
}

/// The outline, without what it carries: `0C B0 0004 data=13 le=256`.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02X} {:02X} {:02X}{:02X}", self.cla, self.ins, self.p1, self.p2)?;
        if !self.data.is_empty() {
            write!(f, " data={}", self.data.len())?;
        }
        match self.expected {
            Some(le) => write!(f, " le={}", le.get()),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command({self})")
    }
}

/// One answer from a card.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    data: SecretBytes,
    status: StatusWord,
}

impl Response {
    /// An answer made of its parts.
    pub fn new(data: &[u8], status: StatusWord) -> Self {
        Self { data: Zeroizing::new(data.to_vec()), status }
    }

    /// Reads what a reader handed over. A driver may call fewer than two bytes a success: they are not.
    pub fn parse(bytes: &[u8]) -> Result<Self, TransportError> {
        match bytes.split_last_chunk::<2>() {
            Some((data, status)) => Ok(Self::new(data, StatusWord::from(*status))),
            None => Err(TransportError::ShortAnswer { length: bytes.len() }),
        }
    }

    /// The data before the status bytes.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The status bytes.
    pub fn status(&self) -> StatusWord {
        self.status
    }

    /// The data, taken out.
    pub fn into_data(self) -> SecretBytes {
        self.data
    }
}

/// The outline: `9000 data=16`.
impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        if !self.data.is_empty() {
            write!(f, " data={}", self.data.len())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(command: &Command) -> Vec<u8> {
        command.encode().to_vec()
    }

    #[test]
    fn the_four_cases_in_short_form() {
        // ISO/IEC 7816-4, 5.2, table 1: header; + Le; + Lc data; + Lc data Le.
        let header = Command::new(0x00, 0x84, 0x00, 0x00);
        assert_eq!(bytes(&header), [0, 0x84, 0, 0]);
        assert_eq!(bytes(&header.clone().expect(ExpectedLength::new(8))), [0, 0x84, 0, 0, 8]);
        assert_eq!(bytes(&header.clone().expect(ExpectedLength::SHORT_MAX)), [0, 0x84, 0, 0, 0]);
        assert_eq!(bytes(&header.clone().data(&[7, 8])), [0, 0x84, 0, 0, 2, 7, 8]);
        let full = header.data(&[7, 8]).expect(ExpectedLength::SHORT_MAX);
        assert_eq!(bytes(&full), [0, 0x84, 0, 0, 2, 7, 8, 0]);
    }

    #[test]
    fn the_three_cases_in_extended_form() {
        let header = Command::new(0x00, 0xB0, 0x00, 0x00);
        let all = header.clone().expect(ExpectedLength::EXTENDED_MAX);
        assert_eq!(bytes(&all), [0, 0xB0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes(&header.clone().expect(ExpectedLength::new(257))), [0, 0xB0, 0, 0, 0, 1, 1]);

        let long = vec![0xAA; 256];
        let sent = bytes(&header.clone().data(&long));
        assert_eq!(sent[..7], [0, 0xB0, 0, 0, 0, 1, 0]);
        assert_eq!(sent.len(), 7 + 256);

        // One long length makes both extended: data of 1 byte, Le of 65536.
        let mixed = header.data(&[0xAA]).expect(ExpectedLength::EXTENDED_MAX);
        assert_eq!(bytes(&mixed), [0, 0xB0, 0, 0, 0, 0, 1, 0xAA, 0, 0]);
    }

    #[test]
    fn the_longest_command_is_written_whole() {
        let command = Command::new(0, 0xD6, 0, 0).try_data(&vec![1; 65535]).unwrap();
        assert_eq!(bytes(&command)[4..7], [0, 0xFF, 0xFF]);
        assert_eq!(
            Command::new(0, 0xD6, 0, 0).try_data(&vec![1; 65536]).map(|_| ()),
            Err(CommandTooLong(65536))
        );
    }

    #[test]
    fn answers_of_zero_or_one_byte_are_errors() {
        assert_eq!(Response::parse(&[]).unwrap_err(), TransportError::ShortAnswer { length: 0 });
        assert_eq!(Response::parse(&[0x90]).unwrap_err(), TransportError::ShortAnswer { length: 1 });
        let reply = Response::parse(&[1, 2, 0x62, 0x82]).unwrap();
        assert_eq!((reply.data(), reply.status()), (&[1u8, 2][..], StatusWord::END_OF_FILE));
    }

    #[test]
    fn outlines_hold_no_data() {
        let command = Command::new(0x0C, 0xB0, 0, 4).data(b"NGUYEN").expect(ExpectedLength::SHORT_MAX);
        assert_eq!(format!("{command:?}"), "Command(0C B0 0004 data=6 le=256)");
        let reply = Response::new(b"NGUYEN", StatusWord::OK);
        assert_eq!(format!("{reply:?}"), "Response(9000 data=6)");
    }
}
