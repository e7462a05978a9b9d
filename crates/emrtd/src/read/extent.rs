//! How far a file reaches, by its own header and by what a file of its kind may be.

use cccd_card::tlv::{Header, Length, Tag, TlvError};
use cccd_document::FileId;

/// How far a file reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// Its header is not here yet.
    Unknown,
    /// So many bytes, header included.
    Exactly(usize),
    /// Until two zero bytes end what they end (indefinite length: EF.SOD of some chips).
    ToEnd,
}

/// The bytes are not the file that was asked for, or claim to be longer than it may be.
pub(super) struct NotThisFile;

impl Extent {
    pub(super) fn of(file: FileId, front: &[u8]) -> Result<Self, NotThisFile> {
        let header = match Header::peek(front) {
            Ok(header) => header,
            Err(TlvError::Truncated(_)) => return Ok(Self::Unknown),
            Err(_) => return Err(NotThisFile),
        };
        if file.tag().is_some_and(|tag| tag != header.tag) {
            return Err(NotThisFile);
        }
        match header.length {
            Length::Indefinite => Ok(Self::ToEnd),
            Length::Definite(length) => {
                let total = header.size.saturating_add(length);
                if total > longest(file) { Err(NotThisFile) } else { Ok(Self::Exactly(total)) }
            }
        }
    }

    pub(super) fn total(self) -> Option<usize> {
        match self {
            Self::Exactly(total) => Some(total),
            Self::Unknown | Self::ToEnd => None,
        }
    }

    /// Commands that may be spent on a file of which `read` bytes are here. Every chip that is known gives
    /// more than 48 bytes at once.
    pub(super) fn most_commands(self, read: usize) -> usize {
        32 + self.total().unwrap_or(read) / 48
    }
}

/// The most bytes a file may claim to have.
pub(super) fn longest(file: FileId) -> usize {
    const KILOBYTE: usize = 1024;
    match file {
        FileId::EfCom | FileId::DG1 => KILOBYTE,
        // Face, fingers, irises: images.
        FileId::DG2 | FileId::DG3 | FileId::DG4 => KILOBYTE * KILOBYTE,
        _ => 64 * KILOBYTE,
    }
}

/// Where an object of indefinite length ends, if its end is here (ITU-T X.690, 8.1.5).
pub(super) fn end_of_indefinite(bytes: &[u8]) -> Option<usize> {
    let mut at = 0usize;
    let mut open = 0usize;
    loop {
        let header = Header::peek(bytes.get(at..)?).ok()?;
        at += header.size;
        match (header.tag, header.length) {
            (_, Length::Indefinite) => open += 1,
            (Tag(0), Length::Definite(0)) => open = open.checked_sub(1)?,
            (_, Length::Definite(length)) => at = at.checked_add(length)?,
        }
        if open == 0 {
            return (at <= bytes.len()).then_some(at);
        }
    }
}
