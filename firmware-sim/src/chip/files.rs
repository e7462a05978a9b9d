//! SELECT and READ BINARY over the image's two directories (ICAO 9303-10, 3; ISO/IEC 7816-4, 11.2 and 11.3).

use std::collections::BTreeMap;

use cccd_card::StatusWord;

use super::apdu::{Answer, Le, Refusal, Reply, Request};
use super::tlv;
use crate::image::{ChipImage, ReadRule, StoredFile};

/// The eMRTD application (ICAO 9303-10, 3.3).
const EMRTD_APPLICATION: [u8; 7] = [0xA0, 0x00, 0x00, 0x02, 0x47, 0x10, 0x01];
/// The access bit of a group that only certified terminals read (BSI TR-03110-3, C.4.1.1).
fn access_bit(identifier: u16) -> u8 {
    match identifier {
        0x0103 => 1,
        0x0104 => 2,
        _ => 0,
    }
}

const MASTER_FILE: [u8; 2] = [0x3F, 0x00];

/// Which directory is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Directory {
    /// The master file, as after a reset.
    #[default]
    MasterFile,
    /// The eMRTD application.
    Emrtd,
}

/// What is selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Selection {
    pub(super) directory: Directory,
    file: Option<u16>,
}

impl Selection {
    /// SELECT.
    pub(super) fn select(&mut self, image: &ChipImage, request: &Request<'_>) -> Answer {
        // P2: first occurrence, and FCI, FCP or nothing to come back.
        if !matches!(request.p2, 0x00 | 0x04 | 0x0C) {
            return Err(Refusal(StatusWord::WRONG_P1_P2));
        }
        let control = match request.p1 {
            0x00 => {
                if !request.data.is_empty() && request.data != MASTER_FILE {
                    return Err(match request.data.len() {
                        2 => Refusal(StatusWord::FILE_NOT_FOUND),
                        _ => Refusal(StatusWord::WRONG_LENGTH),
                    });
                }
                *self = Self::default();
                tlv::object(&[0x83], &MASTER_FILE)
            }
            0x02 => {
                let &[high, low] = request.data else {
                    return Err(Refusal(StatusWord::WRONG_LENGTH));
                };
                let identifier = u16::from_be_bytes([high, low]);
                let file = self.open(image, identifier, request)?;
                self.file = Some(identifier);
                let size = file.content.len().to_be_bytes();
                [
                    tlv::object(&[0x80], size.last_chunk::<2>().unwrap_or(&[0; 2])),
                    tlv::object(&[0x83], request.data),
                ]
                .concat()
            }
            // By name there is FCI or nothing (ICAO 9303-10, 3.3 uses nothing).
            0x04 if request.p2 == 0x04 => return Err(Refusal(StatusWord::WRONG_P1_P2)),
            0x04 => {
                if !(1..=16).contains(&request.data.len()) {
                    return Err(Refusal(StatusWord::WRONG_LENGTH));
                }
                if request.data != EMRTD_APPLICATION {
                    return Err(Refusal(StatusWord::FILE_NOT_FOUND));
                }
                *self = Self { directory: Directory::Emrtd, file: None };
                tlv::object(&[0x84], &EMRTD_APPLICATION)
            }
            _ => return Err(Refusal(StatusWord::WRONG_P1_P2)),
        };
        match (request.p2, request.le) {
            (0x00, Some(_)) => request.answer(tlv::object(&[0x6F], &control)),
            (0x04, Some(_)) => request.answer(tlv::object(&[0x62], &control)),
            _ => Ok(Reply::bare(StatusWord::OK)),
        }
    }

    /// READ BINARY with even INS: offset in P1 P2, or short file identifier in P1 and offset in P2.
    pub(super) fn read(&mut self, image: &ChipImage, request: &Request<'_>) -> Answer {
        let offset = if request.p1 & 0x80 == 0 {
            usize::from(request.p1_p2())
        } else {
            if request.p1 & 0x60 != 0 {
                return Err(Refusal(StatusWord::WRONG_P1_P2));
            }
            self.select_short(image, request.p1 & 0x1F, request)?;
            usize::from(request.p2)
        };
        if !request.data.is_empty() {
            return Err(Refusal(StatusWord::WRONG_LENGTH));
        }
        self.read_at(image, request, offset, |room| room, <[u8]>::to_vec)
    }

    /// READ BINARY with odd INS: offset in DO54, content in DO53; the only way past offset 32767.
    pub(super) fn read_odd(&mut self, image: &ChipImage, request: &Request<'_>) -> Answer {
        match request.p1_p2() {
            0 => {}
            short @ 1..=30 => self.select_short(image, short.to_be_bytes()[1], request)?,
            _ => return Err(Refusal(StatusWord::WRONG_P1_P2)),
        }
        let offset = match tlv::objects(request.data).as_deref() {
            Some([object]) if object.tag == 0x54 && (1..=4).contains(&object.value.len()) => {
                object.value.iter().fold(0, |all, &byte| all << 8 | usize::from(byte))
            }
            _ => return Err(Refusal(StatusWord::WRONG_DATA)),
        };
        // Le counts the data object with its tag and length.
        self.read_at(image, request, offset, tlv::longest_value, |content| tlv::object(&[0x53], content))
    }

    fn read_at(
        &self,
        image: &ChipImage,
        request: &Request<'_>,
        offset: usize,
        content_room: impl Fn(usize) -> usize,
        wrap: impl Fn(&[u8]) -> Vec<u8>,
    ) -> Answer {
        let Some(identifier) = self.file else {
            return Err(Refusal(StatusWord(0x6986)));
        };
        let file = self.open(image, identifier, request)?;
        let le = request.le.ok_or(Refusal(StatusWord::WRONG_LENGTH))?;
        let rest = match file.content.split_at_checked(offset) {
            Some((_, rest)) if offset == 0 || !rest.is_empty() => rest,
            _ => return Err(Refusal(StatusWord::WRONG_OFFSET)),
        };
        // Where an answer is cut because the transport cannot carry it, the chip still says 9000; 6282 is
        // for a file that ended before an exact Le was filled.
        let wanted = content_room(le.limit());
        let carried = wanted.min(content_room(request.room));
        if carried == 0 {
            return Err(Refusal(StatusWord::WRONG_LENGTH));
        }
        let content = rest.get(..carried).unwrap_or(rest);
        let status = match le {
            Le::Exactly(_) if rest.len() < wanted => StatusWord::END_OF_FILE,
            Le::Exactly(_) | Le::UpTo(_) => StatusWord::OK,
        };
        Ok(Reply { data: wrap(content), status })
    }

    /// Selects by short file identifier (ICAO 9303-10, 3).
    fn select_short(&mut self, image: &ChipImage, short: u8, request: &Request<'_>) -> Result<(), Refusal> {
        let identifier = match (self.directory, short) {
            (_, 0 | 31..) => return Err(Refusal(StatusWord::WRONG_P1_P2)),
            (Directory::MasterFile, 0x01) => 0x2F01,
            (Directory::MasterFile, 0x1E) => 0x2F00,
            (_, short) => 0x0100 | u16::from(short),
        };
        self.open(image, identifier, request)?;
        self.file = Some(identifier);
        Ok(())
    }

    /// The file, if it is there and may be read.
    ///
    /// Before access control the application does not even tell which files it has: everything that is not
    /// free is 6982.
    fn open<'i>(
        &self,
        image: &'i ChipImage,
        identifier: u16,
        request: &Request<'_>,
    ) -> Result<&'i StoredFile, Refusal> {
        let directory: &BTreeMap<u16, StoredFile> = match self.directory {
            Directory::MasterFile => &image.master_file,
            Directory::Emrtd => &image.emrtd,
        };
        let guarded =
            self.directory == Directory::Emrtd && (image.access.bac || !image.access.pace.is_empty());
        match directory.get(&identifier) {
            Some(file) => match file.rule {
                ReadRule::Free => Ok(file),
                ReadRule::AfterAccessControl if request.protected => Ok(file),
                ReadRule::TerminalAuthentication if request.granted & access_bit(identifier) != 0 => Ok(file),
                ReadRule::AfterAccessControl | ReadRule::TerminalAuthentication => {
                    Err(Refusal(StatusWord::SECURITY_STATUS))
                }
            },
            None if guarded && !request.protected => Err(Refusal(StatusWord::SECURITY_STATUS)),
            None => Err(Refusal(StatusWord::FILE_NOT_FOUND)),
        }
    }
}
