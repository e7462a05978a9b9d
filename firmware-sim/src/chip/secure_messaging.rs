//! Secure messaging, the chip's half (ICAO 9303-11, 9.8).

use cccd_card::{SecretBytes, StatusWord};
use openssl::error::ErrorStack;
use openssl::memcmp;

use super::apdu::{Apdu, Le, Refusal, Reply};
use super::crypto::{self, KeyUse};
use super::script::Frame;
use super::tlv;
use crate::image::PaceCipher;

/// DO99 and DO8E, which every protected answer has.
const STATUS_AND_CHECKSUM: usize = 4 + 10;

/// The keys and the counter of one session.
#[derive(Clone)]
pub(super) struct SecureMessaging {
    cipher: PaceCipher,
    encryption_key: SecretBytes,
    mac_key: SecretBytes,
    send_sequence_counter: u128,
}

/// What was in a protected command.
pub(super) struct Unwrapped {
    pub(super) data: SecretBytes,
    pub(super) le: Option<Le>,
}

impl SecureMessaging {
    /// Derives session keys from what both sides agreed (ICAO 9303-11, 9.7.1).
    pub(super) fn new(
        cipher: PaceCipher,
        secret: &[u8],
        send_sequence_counter: u128,
    ) -> Result<Self, ErrorStack> {
        Ok(Self {
            cipher,
            encryption_key: crypto::derive(cipher, secret, KeyUse::Encryption)?,
            mac_key: crypto::derive(cipher, secret, KeyUse::Mac)?,
            send_sequence_counter,
        })
    }

    #[cfg(test)]
    pub(super) fn keys(&self) -> (&[u8], &[u8]) {
        (&self.encryption_key, &self.mac_key)
    }

    /// How many plain bytes fit into an answer whose whole data field is at most `total` long.
    pub(super) fn room(&self, total: usize, ins: u8) -> usize {
        let block = crypto::block_size(self.cipher);
        let value = tlv::longest_value(total.saturating_sub(STATUS_AND_CHECKSUM));
        let cryptogram = value.saturating_sub(if is_odd(ins) { 0 } else { 1 });
        // Padding takes at least one byte of the last block.
        (cryptogram / block * block).saturating_sub(1)
    }

    /// Whether an answer of `total` bytes of data field can hold so much as a status.
    pub(super) fn carries_status(total: usize) -> bool {
        total >= STATUS_AND_CHECKSUM
    }

    /// Checks and opens a protected command. After a refusal the session is over (ICAO 9303-11, 9.8.3).
    pub(super) fn unwrap(&mut self, apdu: &Apdu<'_>) -> Result<Unwrapped, Refusal> {
        let missing = Refusal(StatusWord::SM_OBJECT_MISSING);
        let wrong = Refusal(StatusWord::SM_OBJECT_WRONG);
        self.count();

        let objects = tlv::objects(apdu.data).ok_or(wrong)?;
        let (checksum, protected) = match objects.split_last() {
            Some((last, before)) if last.tag == 0x8E => (last.value, before),
            Some(_) if objects.iter().any(|object| object.tag == 0x8E) => return Err(wrong),
            _ => return Err(missing),
        };
        let mut rest = protected;
        let mut take = |tag: u32| match rest.split_first() {
            Some((object, after)) if object.tag == tag => {
                rest = after;
                Some(object.value)
            }
            _ => None,
        };
        let cryptogram = take(if is_odd(apdu.ins) { 0x85 } else { 0x87 });
        let le_field = take(0x97);
        if !rest.is_empty() {
            return Err(wrong);
        }

        let header = crypto::pad(vec![apdu.cla, apdu.ins, apdu.p1, apdu.p2], crypto::block_size(self.cipher));
        let covered: Vec<u8> = protected.iter().flat_map(|object| object.whole.iter().copied()).collect();
        if !self.is_checksum(checksum, &header, &covered)? {
            return Err(wrong);
        }

        let le = le_field.map(|field| Le::read(field).ok_or(wrong)).transpose()?;
        let data = match cryptogram {
            None => SecretBytes::default(),
            Some(value) if is_odd(apdu.ins) => self.decrypt(value)?.ok_or(wrong)?,
            // The padding indicator: 01, ISO/IEC 7816-4 padding.
            Some([0x01, value @ ..]) => self.decrypt(value)?.ok_or(wrong)?,
            Some(_) => return Err(wrong),
        };
        Ok(Unwrapped { data, le })
    }

    /// Protects an answer.
    pub(super) fn wrap(&mut self, ins: u8, reply: &Reply) -> Result<Vec<u8>, ErrorStack> {
        self.count();
        let mut field = Vec::new();
        if !reply.data.is_empty() {
            let padded = crypto::pad(reply.data.clone(), crypto::block_size(self.cipher));
            let cryptogram = crypto::encrypt(self.cipher, &self.encryption_key, &self.iv()?, &padded)?;
            field = if is_odd(ins) {
                tlv::object(&[0x85], &cryptogram)
            } else {
                tlv::object(&[0x87], &[&[0x01], cryptogram.as_slice()].concat())
            };
        }
        field.extend(tlv::object(&[0x99], &reply.status.to_bytes()));
        let checksum = self.checksum(&field)?;
        field.extend(tlv::object(&[0x8E], &checksum));
        Ok(Reply { data: field, status: reply.status }.into_bytes())
    }

    /// Protects an answer, with this about it wrong.
    pub(super) fn wrap_wrongly(
        &mut self,
        ins: u8,
        reply: &Reply,
        wrong: Frame,
    ) -> Result<Vec<u8>, ErrorStack> {
        let right = self.wrap(ins, reply)?;
        let status = reply.status.to_bytes();
        let (field, _) = right.split_at(right.len() - status.len());
        let (protected, checksum) = field.split_at(field.len() - 10);
        let (data, _) = protected.split_at(protected.len() - 4);
        let made_anew = |protected: &[u8]| -> Result<Vec<u8>, ErrorStack> {
            let checksum = tlv::object(&[0x8E], &self.checksum(protected)?);
            Ok([protected, &checksum, &status].concat())
        };
        match wrong {
            Frame::WithoutStatus => made_anew(data),
            Frame::EmptyCryptogram => {
                made_anew(&[tlv::object(&[0x87], &[]), tlv::object(&[0x99], &status)].concat())
            }
            Frame::WithoutObjects => Ok(status.to_vec()),
            Frame::LongChecksum => {
                let value = checksum.split_at(2).1;
                let checksum = tlv::object(&[0x8E], &[value, value].concat());
                Ok([protected, &checksum, &status].concat())
            }
            Frame::SpoiltChecksum => {
                let mut spoilt = right.clone();
                let last = right.len() - status.len() - 1;
                if let Some(byte) = spoilt.get_mut(last) {
                    *byte ^= 1;
                }
                Ok(spoilt)
            }
        }
    }

    /// Whether `checksum` is right for a command of this padded header and these data objects.
    ///
    /// A command with no data objects at all can be read both ways: ICAO 9303-11, 9.8.4 pads what follows
    /// the header, and nothing follows. Terminals exist that pad the nothing to a whole block and that do
    /// not, so both are right.
    fn is_checksum(&self, checksum: &[u8], header: &[u8], covered: &[u8]) -> Result<bool, ErrorStack> {
        let is = |expected: Vec<u8>| expected.len() == checksum.len() && memcmp::eq(&expected, checksum);
        if is(self.checksum(&[header, covered].concat())?) {
            return Ok(true);
        }
        let bare = [&self.counter(), header].concat();
        Ok(covered.is_empty() && is(crypto::mac(self.cipher, &self.mac_key, &bare)?))
    }

    /// The checksum over the counter and `content`, padded (ICAO 9303-11, 9.8.6.2 and 9.8.7.2: AES pads
    /// too, before CMAC's own padding).
    fn checksum(&self, content: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        let input = crypto::pad([&self.counter(), content].concat(), crypto::block_size(self.cipher));
        crypto::mac(self.cipher, &self.mac_key, &input)
    }

    fn decrypt(&self, cryptogram: &[u8]) -> Result<Option<SecretBytes>, ErrorStack> {
        if cryptogram.is_empty() || !cryptogram.len().is_multiple_of(crypto::block_size(self.cipher)) {
            return Ok(None);
        }
        let padded =
            SecretBytes::new(crypto::decrypt(self.cipher, &self.encryption_key, &self.iv()?, cryptogram)?);
        Ok(crypto::unpad(&padded).map(|data| SecretBytes::new(data.to_vec())))
    }

    /// 3DES: zero (9.8.6.1). AES: the counter, encrypted (9.8.7.1).
    fn iv(&self) -> Result<Vec<u8>, ErrorStack> {
        let zero = vec![0; crypto::block_size(self.cipher)];
        match self.cipher {
            PaceCipher::TripleDes => Ok(zero),
            PaceCipher::Aes128 | PaceCipher::Aes192 | PaceCipher::Aes256 => {
                crypto::encrypt(self.cipher, &self.encryption_key, &zero, &self.counter())
            }
        }
    }

    fn count(&mut self) {
        self.send_sequence_counter = self.send_sequence_counter.wrapping_add(1);
    }

    /// The counter in one block: 8 bytes for 3DES, 16 for AES.
    fn counter(&self) -> Vec<u8> {
        let whole = self.send_sequence_counter.to_be_bytes();
        let skip = whole.len().saturating_sub(crypto::block_size(self.cipher));
        whole.iter().skip(skip).copied().collect()
    }
}

/// Commands with an odd instruction byte carry BER-TLV, in DO85 and with no padding indicator.
fn is_odd(ins: u8) -> bool {
    ins & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const CIPHERS: [PaceCipher; 4] =
        [PaceCipher::TripleDes, PaceCipher::Aes128, PaceCipher::Aes192, PaceCipher::Aes256];

    #[test]
    fn an_answer_that_fills_its_room_fits_and_a_byte_more_does_not() {
        for cipher in CIPHERS {
            for total in (40..300).chain([256, 1000, 32_768, 65_536]) {
                for ins in [0xB0, 0xB1] {
                    let mut session = SecureMessaging::new(cipher, b"secret", 0).unwrap();
                    let room = session.room(total, ins);
                    let mut length_of = |data| {
                        let reply = Reply { data: vec![7; data], status: StatusWord::OK };
                        session.wrap(ins, &reply).unwrap().len() - 2
                    };
                    assert!(length_of(room) <= total, "{cipher:?} {total} {room}");
                    assert!(length_of(room + 1) > total, "{cipher:?} {total} {room}");
                }
            }
        }
    }

    #[test]
    fn a_short_answer_holds_231_bytes_under_3des_and_223_under_aes() {
        for (cipher, room) in CIPHERS.into_iter().zip([231, 223, 223, 223]) {
            assert_eq!(SecureMessaging::new(cipher, b"secret", 0).unwrap().room(256, 0xB0), room);
        }
    }

    #[test]
    fn protected_commands_of_the_icao_example() {
        // ICAO 9303-11, Appendix D.4: SELECT EF.COM and READ BINARY of its first four bytes.
        let mut session = SecureMessaging {
            cipher: PaceCipher::TripleDes,
            encryption_key: SecretBytes::new(hex::decode("979EC13B1CBFE9DCD01AB0FED307EAE5").unwrap()),
            mac_key: SecretBytes::new(hex::decode("F1CB1F1FB5ADF208806B89DC579DC1F8").unwrap()),
            send_sequence_counter: 0x8870_2212_0C06_C226,
        };
        let field = hex::decode("8709016375432908C044F68E08BF8B92D635FF24F8").unwrap();
        let select = Apdu { cla: 0x0C, ins: 0xA4, p1: 2, p2: 0x0C, data: &field, le: Some(Le::UpTo(256)) };
        let opened = session.unwrap(&select).unwrap();
        assert_eq!((opened.data.as_slice(), opened.le), (&[0x01, 0x1E][..], None));
        let answer = session.wrap(0xA4, &Reply::bare(StatusWord::OK)).unwrap();
        assert_eq!(hex::encode_upper(answer), "990290008E08FA855A5D4C50A8ED9000");

        let field = hex::decode("9701048E08ED6705417E96BA55").unwrap();
        let read = Apdu { ins: 0xB0, p1: 0, p2: 0, data: &field, ..select };
        let opened = session.unwrap(&read).unwrap();
        assert_eq!((opened.data.len(), opened.le), (0, Some(Le::Exactly(4))));
        let reply = Reply { data: vec![0x60, 0x14, 0x5F, 0x01], status: StatusWord::OK };
        let answer = session.wrap(0xB0, &reply).unwrap();
        assert_eq!(hex::encode_upper(answer), "8709019FF0EC34F9922651990290008E08AD55CC17140B2DED9000");
    }
}
