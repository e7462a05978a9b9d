//! Reading files of an opened chip (ICAO 9303-10, 3.6; ISO/IEC 7816-4, 11.3).

mod error;
mod extent;
mod sizes;

use std::fmt;

use cccd_card::tlv::{Tag, TlvReader, encode};
use cccd_card::{CardChannel, ChannelLimits, Command, ExpectedLength, Response, SecretBytes, StatusWord};
use cccd_document::{AccessRun, ChipAuthenticationMappingRun, FileId, FileOutcome, ProofOutcome};
use zeroize::Zeroizing;

pub use self::error::ReadError;
use self::extent::{Extent, NotThisFile, end_of_indefinite, longest};
use self::sizes::ReadSizes;
use crate::bac::select_application;
use crate::exchange::ExchangeError;
use crate::secure_messaging::{SecureMessaging, SmFault};
use crate::shape::{CardShape, FileFront, FileRoad};
use crate::start::is_about_length;

/// Tag and length of any file: a tag of two bytes and a length of four.
const LONGEST_HEADER: usize = 6;
/// The last offset P1 and P2 can say: bit 8 of P1 would mean a short identifier (ISO/IEC 7816-4, 11.3.2).
const LAST_SHORT_OFFSET: usize = 0x7FFF;
/// DO53 around what odd READ BINARY returns: its tag and the longest length.
const DISCRETIONARY_OVERHEAD: usize = 4;

/// How far a file has come. Within one file `read` only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Which file.
    pub file: FileId,
    /// Bytes here.
    pub read: usize,
    /// Bytes there are, as soon as the file's own header has said so.
    pub total: Option<usize>,
}

/// Whether the eMRTD application is the current one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Application {
    NotSelected,
    Selected,
}

/// How files are found on this chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Addressing {
    /// Not known yet: the short identifier is tried, then SELECT.
    Unknown,
    /// READ BINARY with a short identifier has worked: one command less for each file.
    ShortIdentifier,
    /// Only SELECT worked with another card of this make. It has not been tried yet with this one.
    LearnedIdentifier,
    /// Only SELECT has worked.
    Identifier,
}

/// A chip after access control: everything goes through secure messaging.
///
/// The first failure of the session ends it for good.
pub struct UnlockedChip<C> {
    channel: C,
    session: Option<SecureMessaging>,
    access: AccessRun,
    application: Application,
    addressing: Addressing,
    limits: ChannelLimits,
    sizes: ReadSizes,
    mapping: ProofOutcome<ChipAuthenticationMappingRun>,
    identity: Vec<u8>,
    agreed_with: Option<Vec<u8>>,
    shape: Option<CardShape>,
}

impl<C> fmt::Debug for UnlockedChip<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnlockedChip")
            .field("protocol", &self.access.protocol)
            .field("open", &self.session.is_some())
            .finish_non_exhaustive()
    }
}

impl<C: CardChannel> UnlockedChip<C> {
    pub(crate) fn new(
        channel: C,
        session: SecureMessaging,
        access: AccessRun,
        limits: ChannelLimits,
        application: Application,
    ) -> Self {
        let sizes = ReadSizes::new(session.cipher(), limits);
        Self {
            channel,
            session: Some(session),
            access,
            application,
            addressing: Addressing::Unknown,
            limits,
            sizes,
            mapping: ProofOutcome::NotOffered,
            identity: Vec::new(),
            agreed_with: None,
            shape: None,
        }
    }

    /// The same, with what was found out on the way; how files are read begins with what worked before.
    pub(crate) fn shaped(self, shape: CardShape) -> Self {
        let addressing = match shape.files {
            FileRoad::ShortIdentifier => Addressing::Unknown,
            FileRoad::Identifier => Addressing::LearnedIdentifier,
        };
        let most = shape.most_at_once.unwrap_or(usize::MAX);
        let sizes = self.sizes.up_to(most, shape.front == FileFront::Header);
        Self { shape: Some(shape), addressing, sizes, ..self }
    }

    /// What the next card of this make on this reader need not be asked: for [`LockedChip::known_as`].
    ///
    /// [`LockedChip::known_as`]: crate::LockedChip::known_as
    pub fn shape(&self) -> Option<CardShape> {
        let files = match self.addressing {
            Addressing::Unknown | Addressing::ShortIdentifier => FileRoad::ShortIdentifier,
            Addressing::LearnedIdentifier | Addressing::Identifier => FileRoad::Identifier,
        };
        let front = if self.sizes.header_first { FileFront::Header } else { FileFront::Whole };
        self.shape.map(|shape| CardShape { files, front, most_at_once: self.sizes.refused_more(), ..shape })
    }

    /// The same, with what access control left beside the session.
    pub(crate) fn after_access(
        self,
        mapping: ProofOutcome<ChipAuthenticationMappingRun>,
        identity: Vec<u8>,
        our_key: Option<Vec<u8>>,
    ) -> Self {
        Self { mapping, identity, agreed_with: our_key, ..self }
    }

    /// ID_PICC, by which terminal authentication names the chip (BSI TR-03110-1, 3.5.2).
    pub(crate) fn identity(&self) -> &[u8] {
        &self.identity
    }

    /// Our key of chip authentication, or of PACE where that was mapped by it, compressed.
    pub(crate) fn agreed_with(&self) -> Option<&[u8]> {
        self.agreed_with.as_deref()
    }

    /// What came of PACE with chip authentication mapping.
    pub(crate) fn mapping(&self) -> &ProofOutcome<ChipAuthenticationMappingRun> {
        &self.mapping
    }

    /// Goes on under new keys. What the chip refused at once before it refuses now.
    pub(crate) fn change_session(&mut self, session: SecureMessaging, our_key: Vec<u8>) {
        self.agreed_with = Some(our_key);
        let most = self.sizes.refused_more().unwrap_or(usize::MAX);
        self.sizes = ReadSizes::new(session.cipher(), self.limits).up_to(most, self.sizes.header_first);
        self.session = Some(session);
    }

    /// The session, to be put back if it survives.
    pub(crate) fn take_session(&mut self) -> Result<SecureMessaging, ExchangeError> {
        self.session.take().ok_or(ExchangeError::NoSession)
    }

    /// The session to go on with.
    pub(crate) fn put_session(&mut self, session: SecureMessaging) {
        self.session = Some(session);
    }

    pub(crate) fn session_ref(&self) -> Option<&SecureMessaging> {
        self.session.as_ref()
    }

    pub(crate) fn channel_ref(&self) -> &C {
        &self.channel
    }

    pub(crate) fn channel_mut(&mut self) -> &mut C {
        &mut self.channel
    }

    /// What the card said it carries.
    pub(crate) fn limits_of_card(&self) -> ChannelLimits {
        self.limits
    }

    /// How it was opened.
    pub fn access(&self) -> &AccessRun {
        &self.access
    }

    /// The channel, with the chip still open. Anything sent plainly ends the session.
    pub fn into_channel(self) -> C {
        self.channel
    }

    /// Reads a file of the eMRTD application, or EF.CardSecurity.
    ///
    /// A file that is not there, locked or not to be had otherwise is an outcome. An error means that
    /// nothing more can be read.
    pub fn read(&mut self, file: FileId) -> Result<FileOutcome, ReadError> {
        self.read_with(file, &mut |_| {})
    }

    /// The same, telling how far it has come.
    pub fn read_with(
        &mut self,
        file: FileId,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<FileOutcome, ReadError> {
        match file {
            FileId::CardSecurity => self.select_master_file(file)?,
            _ if file.in_application() => self.select_application(file)?,
            _ => return Err(ReadError::NotInApplication { file }),
        }
        let mut body: SecretBytes = Zeroizing::new(Vec::new());
        let mut extent = Extent::Unknown;
        let mut commands = 0;
        // A chip that hands out a byte at a time would hold the reader for hours.
        while commands < extent.most_commands(body.len()) {
            commands += 1;
            let ask = match extent {
                Extent::Unknown if self.sizes.header_first => LONGEST_HEADER,
                Extent::Unknown | Extent::ToEnd => self.sizes.chunk(),
                Extent::Exactly(total) => self.sizes.chunk().min(total - body.len()),
            };
            match self.read_piece(file, body.len(), ask)? {
                Piece::Data(data) => body.extend_from_slice(data.get(..ask).unwrap_or(&data)),
                Piece::WrongLength(status) => {
                    let another = match extent {
                        Extent::Unknown => !std::mem::replace(&mut self.sizes.header_first, true),
                        Extent::Exactly(_) => self.sizes.step_down(),
                        Extent::ToEnd => !is_past_the_end(status) && self.sizes.step_down(),
                    };
                    if another {
                        continue;
                    }
                    let nothing_came = body.is_empty();
                    return Ok(if nothing_came { outcome_of(status) } else { FileOutcome::Malformed });
                }
                Piece::Nothing => return Ok(FileOutcome::Malformed),
                Piece::Refused(status) => return Ok(outcome_of(status)),
            }
            if extent == Extent::Unknown {
                match Extent::of(file, &body) {
                    Ok(found) => extent = found,
                    Err(NotThisFile) => return Ok(FileOutcome::Malformed),
                }
            }
            let end = match extent {
                Extent::Unknown => None,
                Extent::Exactly(total) => (body.len() >= total).then_some(total),
                Extent::ToEnd if body.len() > longest(file) => return Ok(FileOutcome::Malformed),
                Extent::ToEnd => end_of_indefinite(&body),
            };
            if let Some(end) = end {
                body.truncate(end);
            }
            progress(Progress { file, read: body.len(), total: extent.total().or(end) });
            if end.is_some() {
                return Ok(FileOutcome::Read(body));
            }
        }
        Ok(FileOutcome::Malformed)
    }

    /// SELECT of the application, once. After BAC it is selected already.
    fn select_application(&mut self, file: FileId) -> Result<(), ReadError> {
        if self.application == Application::NotSelected {
            let status = self.exchange(file, &select_application())?.status();
            if !status.is_ok() {
                return Err(ReadError::ApplicationRefused { status });
            }
            self.application = Application::Selected;
        }
        Ok(())
    }

    /// Back to the master file, where PACE has left us until the application is selected. Some chips refuse
    /// this and find the file all the same.
    fn select_master_file(&mut self, file: FileId) -> Result<(), ReadError> {
        if self.application == Application::Selected {
            self.exchange(file, &Command::new(0x00, 0xA4, 0x00, 0x0C).data(&[0x3F, 0x00]))?;
            self.application = Application::NotSelected;
        }
        Ok(())
    }

    /// One READ BINARY, and at the front of a file whatever it takes to address it.
    fn read_piece(&mut self, file: FileId, offset: usize, ask: usize) -> Result<Piece, ReadError> {
        let reply = match (offset, self.addressing) {
            // What goes for the application need not go for the master file.
            (0, _) if !file.in_application() => return self.select_and_read(file, ask),
            (0, Addressing::Unknown | Addressing::ShortIdentifier) => {
                let command = Command::new(0x00, 0xB0, 0x80 | file.sfi(), 0x00);
                let reply = self.exchange(file, &command.expect(ExpectedLength::new(ask)))?;
                let status = reply.status();
                if status.carries_data() && !reply.data().is_empty() {
                    self.addressing = Addressing::ShortIdentifier;
                } else if self.addressing == Addressing::Unknown && short_identifier_refused(status) {
                    return self.select_and_read(file, ask);
                }
                reply
            }
            (0, Addressing::LearnedIdentifier) => {
                let piece = self.select_and_read(file, ask)?;
                // A card of another make, or a file that is not there: both are found out by the other way.
                if matches!(&piece, Piece::Refused(status) if !status.is_locked()) {
                    self.addressing = Addressing::Unknown;
                    return self.read_piece(file, offset, ask);
                }
                return Ok(piece);
            }
            (0, Addressing::Identifier) => return self.select_and_read(file, ask),
            (..=LAST_SHORT_OFFSET, _) => self.read_binary(file, offset, ask)?,
            _ => return self.read_binary_far(file, offset, ask),
        };
        Ok(Piece::of(reply))
    }

    /// SELECT by file identifier, then READ BINARY of its front.
    fn select_and_read(&mut self, file: FileId, ask: usize) -> Result<Piece, ReadError> {
        let select = Command::new(0x00, 0xA4, 0x02, 0x0C).data(&file.fid().to_be_bytes());
        let status = self.exchange(file, &select)?.status();
        if !status.is_ok() {
            return Ok(Piece::Refused(status));
        }
        let reply = self.read_binary(file, 0, ask)?;
        if file.in_application() && reply.status().carries_data() && !reply.data().is_empty() {
            self.addressing = Addressing::Identifier;
        }
        Ok(Piece::of(reply))
    }

    /// READ BINARY of the current file, up to offset 32767.
    fn read_binary(&mut self, file: FileId, offset: usize, ask: usize) -> Result<Response, ReadError> {
        let [high, low] = u16::try_from(offset).unwrap_or(u16::MAX).to_be_bytes();
        let command = Command::new(0x00, 0xB0, high, low).expect(ExpectedLength::new(ask));
        self.exchange(file, &command)
    }

    /// READ BINARY with the odd instruction byte: the offset goes into DO54, the data comes in DO53.
    fn read_binary_far(&mut self, file: FileId, offset: usize, ask: usize) -> Result<Piece, ReadError> {
        let ask = ask.min(self.sizes.chunk().saturating_sub(DISCRETIONARY_OVERHEAD)).max(1);
        let bytes = offset.to_be_bytes();
        let width = if offset <= 0xFFFF { 2 } else { 3 };
        let offset = encode(Tag(0x54), bytes.split_at(bytes.len() - width).1);
        let header = match ask {
            0..=0x7F => 2,
            0x80..=0xFF => 3,
            _ => 4,
        };
        let command =
            Command::new(0x00, 0xB1, 0x00, 0x00).data(&offset).expect(ExpectedLength::new(ask + header));
        let reply = self.exchange(file, &command)?;
        if !reply.status().carries_data() || reply.data().is_empty() {
            return Ok(Piece::of(reply));
        }
        Ok(match TlvReader::new(reply.data()).expect(Tag(0x53)) {
            Ok(data) if !data.is_empty() => {
                Piece::Data(Zeroizing::new(data.get(..ask).unwrap_or(data).to_vec()))
            }
            _ => Piece::Nothing,
        })
    }

    /// One protected exchange about `file`.
    fn exchange(&mut self, file: FileId, command: &Command) -> Result<Response, ReadError> {
        self.transact(command).map_err(|error| match error {
            ExchangeError::NoSession => ReadError::NoSession { file },
            ExchangeError::Transport(source) => ReadError::CardLost { file, source },
            ExchangeError::Session(SmFault::Unprotected(status)) => ReadError::SessionEnded { file, status },
            ExchangeError::Session(source) => ReadError::Misbehaved { file, source },
        })
    }
}

/// What one READ BINARY gave.
enum Piece {
    /// At least one byte.
    Data(SecretBytes),
    /// No bytes; another Le or offset would have done.
    WrongLength(StatusWord),
    /// 9000 and no bytes, or bytes that are not what was asked for.
    Nothing,
    /// This file cannot be had.
    Refused(StatusWord),
}

impl Piece {
    fn of(reply: Response) -> Self {
        let status = reply.status();
        match reply.data() {
            [_, ..] if status.carries_data() => Self::Data(reply.into_data()),
            _ if status.is_ok() => Self::Nothing,
            _ if is_about_length(status) => Self::WrongLength(status),
            _ => Self::Refused(status),
        }
    }
}

/// Refusals after which the file may be there all the same: the chip may not speak short identifiers.
/// Not so where rights are missing, nor where the length is wrong.
fn short_identifier_refused(status: StatusWord) -> bool {
    !status.carries_data()
        && !status.is_locked()
        && status != StatusWord::WRONG_LENGTH
        && status.right_length().is_none()
}

fn is_past_the_end(status: StatusWord) -> bool {
    matches!(status, StatusWord::WRONG_OFFSET | StatusWord::END_OF_FILE)
}

pub(crate) fn outcome_of(status: StatusWord) -> FileOutcome {
    if status.is_not_found() {
        FileOutcome::Absent(status)
    } else if status.is_locked() {
        FileOutcome::Locked(status)
    } else {
        FileOutcome::Refused(status)
    }
}

#[cfg(test)]
mod tests;
