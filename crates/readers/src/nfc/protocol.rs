//! What agent and worker say to each other: a length of two bytes, a tag, and what belongs to it.
//!
//! Neither side believes the other: a length over [`LONGEST`] or a tag nobody knows ends the conversation.

use std::io::{self, Read, Write};
use std::time::Duration;

use cccd_card::{ByteReader, SecretBytes, Truncated};
use zeroize::Zeroizing;

/// The longest message: more than any command or answer that libnfc can carry.
const LONGEST: usize = 1024;

/// What the agent asks for.
#[derive(Debug)]
pub(super) enum Request {
    /// To look for a card, with the field on.
    Find,
    /// To give the card a command.
    Exchange {
        /// How long it may take.
        within: Duration,
        /// The command APDU.
        command: SecretBytes,
    },
    /// To ask whether the card is still there.
    Check,
    /// To let go of the card and switch the field off.
    Rest,
}

/// What the worker tells.
#[derive(Debug)]
pub(super) enum Answer {
    /// The reader is open. Said once, before anything is asked.
    Opened,
    /// No card.
    Nothing,
    /// A card.
    Card(Found),
    /// The card answered.
    Reply(SecretBytes),
    /// It is done, or the card is there.
    Done,
    /// libnfc gave this error code.
    Failed(i32),
}

/// A card as it described itself when it was selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// Type A, with its answer to select but for the length byte (ISO/IEC 14443-4, 5.2).
    A {
        /// The bytes.
        ats: Vec<u8>,
    },
    /// Type B, with its application data and protocol info (ISO/IEC 14443-3, 7.9).
    B {
        /// Seven bytes.
        atqb: [u8; 7],
    },
    /// One that does not speak ISO/IEC 14443-4, so that no APDU gets through to it.
    Other,
}

impl Request {
    pub(super) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Find => write_message(to, b'f', &[]),
            Self::Exchange { within, command } => {
                let within = u32::try_from(within.as_millis()).unwrap_or(u32::MAX);
                let mut body = Zeroizing::new(within.to_be_bytes().to_vec());
                body.extend(command.as_slice());
                write_message(to, b'x', &body)
            }
            Self::Check => write_message(to, b'c', &[]),
            Self::Rest => write_message(to, b'r', &[]),
        }
    }

    /// Waits for a request; nothing at the end of the conversation.
    pub(super) fn read(from: &mut impl Read) -> io::Result<Option<Self>> {
        let Some(message) = read_message(from)? else { return Ok(None) };
        let mut bytes = ByteReader::new(&message);
        let request = match bytes.u8().map_err(garbled)? {
            b'f' => Self::Find,
            b'x' => {
                let mut millis = [0; 4];
                millis.copy_from_slice(bytes.take(4).map_err(garbled)?);
                let within = Duration::from_millis(u32::from_be_bytes(millis).into());
                let command = Zeroizing::new(message.get(5..).unwrap_or_default().to_vec());
                return Ok(Some(Self::Exchange { within, command }));
            }
            b'c' => Self::Check,
            b'r' => Self::Rest,
            _ => return Err(nonsense()),
        };
        Ok(Some(request))
    }
}

impl Answer {
    pub(super) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Opened => write_message(to, b'O', &[]),
            Self::Nothing => write_message(to, b'N', &[]),
            Self::Card(Found::A { ats }) => write_message(to, b'A', ats),
            Self::Card(Found::B { atqb }) => write_message(to, b'B', atqb),
            Self::Card(Found::Other) => write_message(to, b'X', &[]),
            Self::Reply(bytes) => write_message(to, b'R', bytes),
            Self::Done => write_message(to, b'D', &[]),
            Self::Failed(code) => write_message(to, b'E', &code.to_be_bytes()),
        }
    }

    /// Waits for an answer; nothing at the end of the conversation.
    pub(super) fn read(from: &mut impl Read) -> io::Result<Option<Self>> {
        let Some(message) = read_message(from)? else { return Ok(None) };
        let (tag, body) = message.split_first().ok_or_else(nonsense)?;
        Ok(Some(match tag {
            b'O' => Self::Opened,
            b'N' => Self::Nothing,
            b'A' => Self::Card(Found::A { ats: body.to_vec() }),
            b'B' => Self::Card(Found::B { atqb: body.try_into().map_err(|_| nonsense())? }),
            b'X' => Self::Card(Found::Other),
            b'R' => Self::Reply(Zeroizing::new(body.to_vec())),
            b'D' => Self::Done,
            b'E' => Self::Failed(i32::from_be_bytes(body.try_into().map_err(|_| nonsense())?)),
            _ => return Err(nonsense()),
        }))
    }
}

fn write_message(to: &mut impl Write, tag: u8, body: &[u8]) -> io::Result<()> {
    let length = body.len() + 1;
    if length > LONGEST {
        return Err(nonsense());
    }
    let length = u16::try_from(length).map_err(|_| nonsense())?;
    // In one piece: the other side is woken once.
    let mut message = Zeroizing::new(length.to_be_bytes().to_vec());
    message.push(tag);
    message.extend(body);
    to.write_all(&message)?;
    to.flush()
}

fn read_message(from: &mut impl Read) -> io::Result<Option<SecretBytes>> {
    let mut length = [0; 2];
    match from.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let length = usize::from(u16::from_be_bytes(length));
    if !(1..=LONGEST).contains(&length) {
        return Err(nonsense());
    }
    let mut message = Zeroizing::new(vec![0; length]);
    from.read_exact(&mut message)?;
    Ok(Some(message))
}

fn garbled(_: Truncated) -> io::Error {
    nonsense()
}

fn nonsense() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn requests_and_answers_arrive_as_they_were_said() {
        let mut line = Vec::new();
        let within = Duration::from_millis(1500);
        let requests = [
            Request::Find,
            Request::Exchange { within, command: Zeroizing::new(vec![0, 0xA4, 4, 0x0C]) },
            Request::Check,
            Request::Rest,
        ];
        for request in &requests {
            request.write(&mut line).unwrap();
        }
        let mut from = line.as_slice();
        for request in &requests {
            let heard = Request::read(&mut from).unwrap().unwrap();
            assert_eq!(format!("{heard:?}"), format!("{request:?}"));
        }
        assert!(Request::read(&mut from).unwrap().is_none());

        let answers = [
            Answer::Opened,
            Answer::Nothing,
            Answer::Card(Found::A { ats: vec![0x78, 0x77, 0x81, 0x02, 0x80] }),
            Answer::Card(Found::B { atqb: [0, 0, 0, 0, 0x77, 0x81, 0x81] }),
            Answer::Card(Found::Other),
            Answer::Reply(Zeroizing::new(vec![0x90, 0x00])),
            Answer::Done,
            Answer::Failed(-20),
        ];
        let mut line = Vec::new();
        for answer in &answers {
            answer.write(&mut line).unwrap();
        }
        let mut from = line.as_slice();
        for answer in &answers {
            let heard = Answer::read(&mut from).unwrap().unwrap();
            assert_eq!(format!("{heard:?}"), format!("{answer:?}"));
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_ends_the_conversation_at_worst(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let mut from = bytes.as_slice();
            while let Ok(Some(_)) = Answer::read(&mut from) {}
            let mut from = bytes.as_slice();
            while let Ok(Some(_)) = Request::read(&mut from) {}
        }
    }
}
