//! Reading files of an opened chip (ICAO 9303-10, 3.6; ISO/IEC 7816-4, 11.3).

use std::fmt;

use cccd_card::tlv::{Header, Length, Tag, TlvError, TlvReader, encode};
use cccd_card::{
    CardChannel, ChannelLimits, Command, ExpectedLength, Response, SecretBytes, StatusWord, TransportError,
};
use cccd_document::{AccessRun, ChipAuthenticationMappingRun, Cipher, FileId, FileOutcome, ProofOutcome};
use zeroize::Zeroizing;

use crate::bac::select_application;
use crate::entropy::NoEntropy;
use crate::exchange::ExchangeError;
use crate::proof::Proof;
use crate::secure_messaging::{SecureMessaging, SmFault, largest_plain};
use crate::shape::{CardShape, FileFront, FileRoad};
use crate::start::is_about_length;

/// Tag and length of any file: a tag of two bytes and a length of four.
const LONGEST_HEADER: usize = 6;
/// The last offset P1 and P2 can say: bit 8 of P1 would mean a short identifier (ISO/IEC 7816-4, 11.3.2).
const LAST_SHORT_OFFSET: usize = 0x7FFF;
/// DO53 around what odd READ BINARY returns: its tag and the longest length.
const DISCRETIONARY_OVERHEAD: usize = 4;

/// Why reading cannot go on. The variant says whose move it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Card or reader went away. The person may lay the card down again.
    #[error("card lost while reading {file}")]
    CardLost {
        /// Which file.
        file: FileId,
        /// How.
        source: TransportError,
    },
    /// The chip dropped the secure channel. What was read so far stands; the rest needs a new unlocking,
    /// and after 6700 or 6Cxx one that is limited to shorter replies.
    #[error("chip answered {status} without protection while reading {file}: its session has ended")]
    SessionEnded {
        /// Which file.
        file: FileId,
        /// The bare status.
        status: StatusWord,
    },
    /// The chip broke secure messaging. Not retried: it may be an attack.
    #[error("chip broke secure messaging while reading {file}")]
    Misbehaved {
        /// Which file.
        file: FileId,
        /// How.
        source: SmFault,
    },
    /// An earlier failure ended the session; nothing was sent.
    #[error("no session left to read {file} in")]
    NoSession {
        /// Which file.
        file: FileId,
    },
    /// The reading was to go on from an earlier one, and another document lies there now.
    #[error("another document than the one the reading began with")]
    AnotherDocument,
    /// The chip opened and has no eMRTD application, or does not let it be selected.
    #[error("chip answered {status} to SELECT of the eMRTD application")]
    ApplicationRefused {
        /// What it answered.
        status: StatusWord,
    },
    /// Card or reader went away after the files, during a proof. The person may lay the card down again.
    #[error("card lost during {proof}")]
    CardLostProving {
        /// Which proof.
        proof: Proof,
        /// How.
        source: TransportError,
    },
    /// The machine's random source failed during a proof.
    #[error("no random numbers for {proof}")]
    NoRandom {
        /// Which proof.
        proof: Proof,
        /// What it said.
        source: NoEntropy,
    },
    /// The file lies outside the eMRTD application and is none to be read after access control. Nothing was
    /// sent.
    #[error("{file} is not read after access control")]
    NotInApplication {
        /// Which file.
        file: FileId,
    },
}

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

/// How far a file reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// Its header is not here yet.
    Unknown,
    /// So many bytes, header included.
    Exactly(usize),
    /// Until two zero bytes end what they end (indefinite length: EF.SOD of some chips).
    ToEnd,
}

/// The bytes are not the file that was asked for, or claim to be longer than it may be.
struct NotThisFile;

impl Extent {
    fn of(file: FileId, front: &[u8]) -> Result<Self, NotThisFile> {
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

    fn total(self) -> Option<usize> {
        match self {
            Self::Exactly(total) => Some(total),
            Self::Unknown | Self::ToEnd => None,
        }
    }

    /// Commands that may be spent on a file of which `read` bytes are here. Every chip that is known gives
    /// more than 48 bytes at once.
    fn most_commands(self, read: usize) -> usize {
        32 + self.total().unwrap_or(read) / 48
    }
}

/// The most bytes a file may claim to have.
fn longest(file: FileId) -> usize {
    const KILOBYTE: usize = 1024;
    match file {
        FileId::EfCom | FileId::DG1 => KILOBYTE,
        // Face, fingers, irises: images.
        FileId::DG2 | FileId::DG3 | FileId::DG4 => KILOBYTE * KILOBYTE,
        _ => 64 * KILOBYTE,
    }
}

/// Where an object of indefinite length ends, if its end is here (ITU-T X.690, 8.1.5).
fn end_of_indefinite(bytes: &[u8]) -> Option<usize> {
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

/// How much is asked for at once: from the most that fits, downwards as the chip refuses, and never up again
/// in one session.
#[derive(Debug)]
struct ReadSizes {
    /// Descending.
    ladder: Vec<usize>,
    /// The chip refuses an Le beyond the end of a file: ask for the header first.
    header_first: bool,
    /// Larger ones were refused.
    stepped_down: bool,
}

impl ReadSizes {
    /// Sizes whose replies pass both limits. Below the largest stand sizes that published readers found to
    /// work where larger ones were refused.
    fn new(cipher: Cipher, limits: ChannelLimits) -> Self {
        let room = limits.max_reply.saturating_sub(2);
        let short = largest_plain(cipher, room.min(256));
        let mut ladder = vec![short, 160, 96];
        if limits.allow_extended() {
            let most = largest_plain(cipher, room.min(65536));
            ladder.splice(0..0, [most, 4096, 1024]);
            ladder.retain(|&size| size <= most);
        } else {
            ladder.retain(|&size| size <= short);
        }
        ladder.dedup();
        Self { ladder, header_first: false, stepped_down: false }
    }

    /// The same without sizes above `most`.
    fn up_to(mut self, most: usize, header_first: bool) -> Self {
        self.ladder.retain(|&size| size <= most);
        if self.ladder.is_empty() {
            self.ladder.push(most);
        }
        Self { header_first, stepped_down: most < usize::MAX, ..self }
    }

    /// The most that comes at once, where the chip refused more.
    fn refused_more(&self) -> Option<usize> {
        self.stepped_down.then(|| self.chunk())
    }

    fn chunk(&self) -> usize {
        // A channel too narrow for any protected byte cannot be helped; the chip will say so.
        self.ladder.first().copied().unwrap_or(1).max(1)
    }

    /// Takes the next smaller size, if there is one.
    fn step_down(&mut self) -> bool {
        if self.ladder.len() > 1 {
            self.ladder.remove(0);
            self.stepped_down = true;
            return true;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use cccd_document::{AccessProtocol, PasswordKind};

    use super::*;
    use crate::testing::{ALL_CIPHERS, Files, Says, Script, chip_in_session, hex, session};

    type Seen = Arc<Mutex<Vec<Command>>>;

    /// A chip opened with `cipher` that answers by `answer`, and the plain commands it saw.
    fn opened<'a>(
        cipher: Cipher,
        limits: ChannelLimits,
        mut answer: impl FnMut(&Command) -> Says + Send + 'a,
    ) -> (UnlockedChip<Script<'a>>, Seen) {
        let seen = Seen::default();
        let log = Arc::clone(&seen);
        let channel = chip_in_session(cipher, move |command| {
            log.lock().unwrap().push(command.clone());
            answer(command)
        })
        .with_limits(limits);
        let access = AccessRun {
            protocol: AccessProtocol::Bac,
            password: PasswordKind::Mrz,
            downgrade: None,
            card_access: None,
        };
        (UnlockedChip::new(channel, session(cipher), access, limits, Application::NotSelected), seen)
    }

    /// The same with short lengths and AES-128.
    fn short<'a>(answer: impl FnMut(&Command) -> Says + Send + 'a) -> (UnlockedChip<Script<'a>>, Seen) {
        opened(Cipher::Aes128, ChannelLimits::SHORT, answer)
    }

    /// How many commands went out beside SELECT of the application.
    fn count(seen: &Seen) -> usize {
        seen.lock().unwrap().len() - 1
    }

    /// A file with this tag and so many bytes in all.
    fn file(tag: u32, total: usize) -> Vec<u8> {
        let header = match total {
            0..=0x7F => 2,
            0x80..=0x101 => 3,
            0x102..=0x1_0003 => 4,
            _ => 5,
        };
        let value: Vec<u8> = (0..total - header).map(|i| (i % 251).to_le_bytes()[0]).collect();
        let file = encode(Tag(tag), &value);
        assert_eq!(file.len(), total);
        file
    }

    fn read(content: &[u8]) -> FileOutcome {
        FileOutcome::Read(Zeroizing::new(content.to_vec()))
    }

    fn says(data: &[u8], status: u16) -> Says {
        Says::Protected(data.to_vec(), status)
    }

    const DG2: u16 = 0x0102;

    #[test]
    fn a_file_takes_no_more_commands_than_it_has_chunks() {
        for cipher in ALL_CIPHERS {
            let chunk = largest_plain(cipher, 256);
            for total in [2, 10, 100, chunk - 1, chunk, chunk + 1, 2 * chunk, 15_000, 40_000] {
                let content = file(0x75, total);
                let mut files = Files::new(&[(DG2, content.clone())]);
                let (mut chip, seen) = opened(cipher, ChannelLimits::SHORT, |c| files.answer(c));
                assert_eq!(chip.read(FileId::DG2).unwrap(), read(&content), "{cipher:?} {total}");
                drop(chip);
                // Beyond offset 32767 each reply gives up four bytes to DO53.
                let far = total.saturating_sub(32_768).div_ceil(chunk - DISCRETIONARY_OVERHEAD);
                let near = total.min(32_768).div_ceil(chunk);
                assert!(count(&seen) <= near + far, "{cipher:?} {total}: {}", count(&seen));
            }
        }
    }

    #[test]
    fn with_extended_length_a_file_takes_one_command() {
        for cipher in ALL_CIPHERS {
            let limits = ChannelLimits { max_command: 1024, max_reply: 20_000 };
            let content = file(0x75, 15_000);
            let mut files = Files::new(&[(DG2, content.clone())]);
            let (mut chip, seen) = opened(cipher, limits, |c| files.answer(c));
            assert_eq!(chip.read(FileId::DG2).unwrap(), read(&content));
            drop(chip);
            assert_eq!(count(&seen), 1);
        }
    }

    #[test]
    fn offsets_above_32767_go_into_the_odd_instruction() {
        for limits in [ChannelLimits::SHORT, ChannelLimits { max_command: 600, max_reply: 10_000 }] {
            let content = file(0x75, 70_000);
            let mut files = Files::new(&[(DG2, content.clone())]);
            let (mut chip, seen) = opened(Cipher::Aes256, limits, |c| files.answer(c));
            assert_eq!(chip.read(FileId::DG2).unwrap(), read(&content));
            drop(chip);
            for command in seen.lock().unwrap().iter().skip(2) {
                let [_, ins, p1, _] = command.header();
                assert!((ins == 0xB0 && p1 < 0x80) || (ins == 0xB1 && p1 == 0), "{command}");
            }
        }
    }

    #[test]
    fn a_refused_le_is_remembered_for_the_session() {
        // Quirk 25: Le beyond some size, or beyond the end of the file, is refused in one of many ways.
        for refusal in [0x6700, 0x6C0E, 0x6B00, 0x6282] {
            for most in [192, 100] {
                let (dg1, dg2) = (file(0x61, 95), file(0x75, 1500));
                let mut files = Files::new(&[(0x0101, dg1.clone()), (DG2, dg2.clone())]);
                let (mut chip, seen) = short(|command| {
                    let answer = files.answer(command);
                    let too_long = command.expected().is_some_and(|le| le.get() > most);
                    match answer {
                        Says::Protected(_, 0x6282) => says(&[], refusal),
                        _ if command.ins() == 0xB0 && too_long => says(&[], refusal),
                        answer => answer,
                    }
                });
                assert_eq!(chip.read(FileId::DG1).unwrap(), read(&dg1), "{refusal:04X} {most}");
                let before = count(&seen);
                assert_eq!(chip.read(FileId::DG2).unwrap(), read(&dg2), "{refusal:04X} {most}");
                assert_eq!(chip.read(FileId::DG2).unwrap(), read(&dg2), "{refusal:04X} {most}");
                drop(chip);
                let size = if most == 192 { 160 } else { 96 };
                let ladder = if most == 192 { 1 } else { 2 };
                let chunks = 1 + 1494usize.div_ceil(size);
                assert_eq!(count(&seen) - before, 2 * chunks + ladder, "{refusal:04X} {most}");
            }
        }
    }

    #[test]
    fn short_replies_are_gone_on_from() {
        for buffer in [50, 64, 200] {
            let content = file(0x75, 2000);
            let mut files = Files::new(&[(DG2, content.clone())]);
            files.buffer = buffer;
            let (mut chip, _) = short(|command| files.answer(command));
            assert_eq!(chip.read(FileId::DG2).unwrap(), read(&content), "{buffer}");
        }
    }

    #[test]
    fn replies_longer_than_asked_and_filled_with_zeros_are_cut() {
        // Quirk 27: whatever is asked, 200 bytes come, zeros behind the end of the file.
        let content = file(0x75, 500);
        let mut padded = content.clone();
        padded.resize(1000, 0);
        let mut files = Files::new(&[(DG2, padded)]);
        let (mut chip, _) = short(|command| {
            let [_, _, p1, p2] = command.header();
            if command.ins() == 0xB0 && p1 < 0x80 {
                let longer = Command::new(0, 0xB0, p1, p2).expect(ExpectedLength::new(240));
                return files.answer(&longer);
            }
            files.answer(command)
        });
        assert_eq!(chip.read(FileId::DG2).unwrap(), read(&content));
    }

    #[test]
    fn empty_replies_and_dribbles_come_to_an_end() {
        // Quirk 28: nothing, with 9000, from some offset on.
        for stop in [0, 1, 3, 100, 223, 500] {
            let mut files = Files::new(&[(DG2, file(0x75, 1000))]);
            files.buffer = 100;
            let mut given = 0;
            let (mut chip, seen) = short(|command| match files.answer(command) {
                Says::Protected(data, status) if command.ins() == 0xB0 => {
                    let data = &data[..data.len().min(stop - given)];
                    given += data.len();
                    says(data, status)
                }
                answer => answer,
            });
            assert_eq!(chip.read(FileId::DG2).unwrap(), FileOutcome::Malformed, "{stop}");
            drop(chip);
            assert!(count(&seen) < 20);
        }
        // One byte at a time, of a file that would take a million commands.
        let mut files = Files::new(&[(DG2, file(0x75, 1_000_000))]);
        files.buffer = 1;
        let (mut chip, seen) = short(|command| files.answer(command));
        assert_eq!(chip.read(FileId::DG2).unwrap(), FileOutcome::Malformed);
        drop(chip);
        assert!(count(&seen) < 30_000, "{}", count(&seen));
    }

    #[test]
    fn a_file_that_ends_early_is_malformed() {
        for status in [0x6B00, 0x6282, 0x9000, 0x6700] {
            let mut whole = file(0x75, 1000);
            whole.truncate(600);
            let mut files = Files::new(&[(DG2, whole)]);
            let (mut chip, seen) = short(|command| match files.answer(command) {
                Says::Protected(data, 0x6282 | 0x6B00) => says(&data, status),
                answer => answer,
            });
            assert_eq!(chip.read(FileId::DG2).unwrap(), FileOutcome::Malformed, "{status:04X}");
            drop(chip);
            assert!(count(&seen) < 20);
        }
    }

    #[test]
    fn claims_beyond_the_cap_end_at_the_header() {
        let claims = [
            (FileId::DG1, hex("61820401")),
            (FileId::EfCom, hex("6084FFFFFFFF")),
            (FileId::DG2, hex("7584FFFFFFFF")),
            (FileId::DG2, hex("75840010 0000")),
            (FileId::DG13, hex("6D83010000")),
            (FileId::EfSod, hex("7783010000")),
        ];
        for (id, claim) in claims {
            let mut content = claim.clone();
            content.resize(300, 0xAA);
            let mut files = Files::new(&[(id.fid(), content)]);
            let (mut chip, seen) = short(|command| files.answer(command));
            assert_eq!(chip.read(id).unwrap(), FileOutcome::Malformed, "{id}");
            drop(chip);
            assert_eq!(count(&seen), 1);
        }
    }

    #[test]
    fn what_does_not_begin_with_its_tag_is_malformed() {
        for content in ["6204 00000000", "", "FFFFFFFF01", "61 85 0000000001 00", "00000000"] {
            let mut files = Files::new(&[(0x0101, hex(content))]);
            let (mut chip, seen) = short(|command| files.answer(command));
            let outcome = chip.read(FileId::DG1).unwrap();
            let none_came = matches!(outcome, FileOutcome::Malformed | FileOutcome::Refused(_));
            assert!(none_came, "{content} {outcome:?}");
            drop(chip);
            assert!(count(&seen) <= 3);
        }
    }

    #[test]
    fn an_object_of_indefinite_length_is_read_to_its_end() {
        // 77 80, a nested indefinite one, a long definite one that holds zeros, the ends, and padding.
        let definite = encode(Tag(0x04), &[0; 700]);
        let object = [&hex("7780 30 80")[..], &hex("0202 0000"), &definite, &hex("0000 0000")].concat();
        for padding in [0, 1, 300] {
            let mut content = object.clone();
            content.resize(object.len() + padding, 0);
            let mut files = Files::new(&[(FileId::EfSod.fid(), content)]);
            let (mut chip, _) = short(|command| files.answer(command));
            assert_eq!(chip.read(FileId::EfSod).unwrap(), read(&object), "{padding}");
        }
        // Without its end it is nothing.
        for end in [0x6B00, 0x6282, 0x9000, 0x6700] {
            let mut files = Files::new(&[(FileId::EfSod.fid(), object[..object.len() - 2].to_vec())]);
            let (mut chip, seen) = short(|command| match files.answer(command) {
                Says::Protected(data, 0x6282 | 0x6B00) => says(&data, end),
                answer => answer,
            });
            assert_eq!(chip.read(FileId::EfSod).unwrap(), FileOutcome::Malformed, "{end:04X}");
            drop(chip);
            assert!(count(&seen) < 20);
        }
    }

    #[test]
    fn refusals_are_outcomes_and_the_next_file_is_read() {
        for (status, outcome) in [
            (0x6A82, FileOutcome::Absent(StatusWord(0x6A82))),
            (0x6A83, FileOutcome::Absent(StatusWord(0x6A83))),
            (0x6982, FileOutcome::Locked(StatusWord(0x6982))),
            (0x6985, FileOutcome::Locked(StatusWord(0x6985))),
            (0x6F00, FileOutcome::Refused(StatusWord(0x6F00))),
        ] {
            let dg1 = file(0x61, 95);
            let mut files = Files::new(&[(0x0101, dg1.clone())]);
            let (mut chip, _) = short(|command| match command.header() {
                [_, 0xB0, 0x83, _] => says(&[], status),
                [_, 0xA4, 0x02, _] if command.payload() == [0x01, 0x03] => says(&[], status),
                _ => files.answer(command),
            });
            assert_eq!(chip.read(FileId::DG3).unwrap(), outcome);
            assert_eq!(chip.read(FileId::DG1).unwrap(), read(&dg1));
            assert_eq!(chip.read(FileId::DG3).unwrap(), outcome);
        }
    }

    #[test]
    fn once_a_short_identifier_has_worked_an_absent_file_costs_one_command() {
        let mut files = Files::new(&[(0x0101, file(0x61, 95))]);
        let (mut chip, seen) = short(|command| files.answer(command));
        chip.read(FileId::DG1).unwrap();
        let before = count(&seen);
        assert!(matches!(chip.read(FileId::DG11).unwrap(), FileOutcome::Absent(_)));
        assert_eq!(count(&seen) - before, 1);
    }

    #[test]
    fn a_chip_without_short_identifiers_is_read_by_select() {
        for refusal in [0x6A82, 0x6A86, 0x6B00, 0x6D00, 0x6A81, 0x6986] {
            let (dg1, dg2) = (file(0x61, 95), file(0x75, 600));
            let mut files = Files::new(&[(0x0101, dg1.clone()), (DG2, dg2.clone())]);
            let (mut chip, seen) = short(|command| match command.header() {
                [_, 0xB0, p1, _] if p1 >= 0x80 => says(&[], refusal),
                _ => files.answer(command),
            });
            assert_eq!(chip.read(FileId::DG1).unwrap(), read(&dg1), "{refusal:04X}");
            let before = count(&seen);
            assert_eq!(chip.read(FileId::DG2).unwrap(), read(&dg2), "{refusal:04X}");
            // SELECT, then as many as there are chunks: the short identifier is not tried again.
            assert_eq!(count(&seen) - before, 1 + 600usize.div_ceil(223));
        }
    }

    #[test]
    fn a_naked_status_ends_the_session_for_good() {
        for status in [0x6987, 0x6988, 0x6700, 0x6C20, 0x6982, 0x9000] {
            let mut files = Files::new(&[(DG2, file(0x75, 600))]);
            let (mut chip, seen) = short(|command| match command.header() {
                [_, 0xB0, 0x00, _] => Says::Naked(status),
                _ => files.answer(command),
            });
            let ended = chip.read(FileId::DG2);
            let said = matches!(
                ended,
                Err(ReadError::SessionEnded { file: FileId::DG2, status: StatusWord(s) }) if s == status
            );
            assert!(said, "{ended:?}");
            let before = count(&seen);
            assert!(matches!(chip.read(FileId::DG1), Err(ReadError::NoSession { .. })));
            assert_eq!(count(&seen), before);
        }
    }

    #[test]
    fn a_reply_with_a_wrong_mac_ends_the_session_for_good() {
        let mut sm = session(Cipher::Aes128);
        let mut channel = Script::answering(move |bytes| {
            let command = sm.open_command(&crate::testing::parse_command(bytes)).unwrap();
            let mut reply = sm.protect_reply(command.ins(), &[], StatusWord::OK);
            reply[6] ^= 1;
            reply
        });
        let access = AccessRun {
            protocol: AccessProtocol::Bac,
            password: PasswordKind::Mrz,
            downgrade: None,
            card_access: None,
        };
        let mut chip = UnlockedChip::new(
            &mut channel,
            session(Cipher::Aes128),
            access,
            ChannelLimits::SHORT,
            Application::NotSelected,
        );
        let broken = chip.read(FileId::DG1);
        assert!(matches!(broken, Err(ReadError::Misbehaved { source: SmFault::WrongMac, .. })), "{broken:?}");
        assert!(matches!(chip.read(FileId::DG1), Err(ReadError::NoSession { .. })));
    }

    #[test]
    fn a_chip_without_the_application_is_told_apart() {
        let (mut chip, _) = short(|_| says(&[], 0x6A82));
        let refused = chip.read(FileId::DG1);
        assert!(matches!(refused, Err(ReadError::ApplicationRefused { status: StatusWord(0x6A82) })));
        let outside = chip.read(FileId::CardAccess);
        assert!(matches!(outside, Err(ReadError::NotInApplication { .. })));
    }

    #[test]
    fn progress_grows_to_the_total() {
        let mut files = Files::new(&[(DG2, file(0x75, 1000))]);
        let (mut chip, _) = short(|command| files.answer(command));
        let mut told = Vec::new();
        chip.read_with(FileId::DG2, &mut |progress| told.push(progress)).unwrap();
        let bytes: Vec<_> = told.iter().map(|progress| progress.read).collect();
        assert_eq!(bytes, [223, 446, 669, 892, 1000]);
        assert!(told.iter().all(|progress| progress.total == Some(1000)));
    }

    #[test]
    fn extended_reads_step_down_to_what_the_chip_takes() {
        // It claims extended length and refuses replies of more than 1500 bytes.
        let dg2 = file(0x75, 9000);
        let mut files = Files::new(&[(DG2, dg2.clone())]);
        let (mut chip, seen) = opened(Cipher::Aes128, ChannelLimits::EXTENDED, |command| {
            if command.expected().is_some_and(|le| le.get() > 1500) {
                return says(&[], 0x6700);
            }
            files.answer(command)
        });
        assert_eq!(chip.read(FileId::DG2).unwrap(), read(&dg2));
        drop(chip);
        assert!(count(&seen) <= 2 + 3 + 9, "{}", count(&seen));
    }

    #[test]
    fn every_size_asked_for_fits_its_limit() {
        for cipher in ALL_CIPHERS {
            for max_reply in (2..700).chain([4000, 65_538]) {
                let limits = ChannelLimits { max_command: 600, max_reply };
                let sizes = ReadSizes::new(cipher, limits);
                assert!(sizes.ladder.is_sorted_by(|a, b| a > b), "{:?}", sizes.ladder);
                let room = if limits.allow_extended() { max_reply - 2 } else { (max_reply - 2).min(256) };
                assert!(sizes.ladder.iter().all(|&size| size <= largest_plain(cipher, room)));
            }
        }
    }
}
