//! Secure messaging (ICAO 9303-11, 9.8; ISO/IEC 7816-4, 10).
//!
//! Strict on the way back: nothing in a reply is used before its MAC is verified, and a reply that is not
//! protected is never an answer.

use cccd_card::tlv::{Tag, TlvError, TlvReader, encode};
use cccd_card::{Command, CommandTooLong, ExpectedLength, Response, SecretBytes, StatusWord};
use cccd_document::Cipher;
use zeroize::Zeroizing;

use crate::key_derivation::KeyPair;
use crate::symmetric::{Iv, Key, MAC_SIZE, pad, unpadded_length};

/// Protected data, without a padding indicator: odd INS only.
const DO85: Tag = Tag(0x85);
/// Padding indicator, then protected data: even INS only.
const DO87: Tag = Tag(0x87);
const DO8E: Tag = Tag(0x8E);
const DO97: Tag = Tag(0x97);
const DO99: Tag = Tag(0x99);

/// How a reply broke secure messaging. After any of these the session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SmFault {
    /// The reply is not protected at all. 6987 and 6988 come so when the chip has dropped the session;
    /// whatever else comes so may come from anyone.
    #[error("chip answered {0} without protection")]
    Unprotected(StatusWord),
    /// The reply is no sequence of data objects.
    #[error("protected reply is not BER-TLV")]
    NotTlv(#[source] TlvError),
    /// A data object is missing, there twice, in the wrong place, or not one that belongs here.
    #[error("protected reply has the wrong data objects")]
    WrongObjects,
    /// The MAC is not the one our keys and counter give.
    #[error("MAC of the reply is wrong")]
    WrongMac,
    /// The status inside differs from the status outside.
    #[error("reply says {inner} inside and {outer} outside")]
    StatusMismatch {
        /// From DO99, under the MAC.
        inner: StatusWord,
        /// As the reader handed it over.
        outer: StatusWord,
    },
    /// What was encrypted is no whole number of blocks, or not padded by method 2.
    #[error("protected data is badly padded")]
    BadPadding,
}

/// One side's session: two keys and the send sequence counter.
pub(crate) struct SecureMessaging {
    keys: KeyPair,
    counter: u128,
}

#[cfg(test)]
impl Clone for SecureMessaging {
    fn clone(&self) -> Self {
        let keys = KeyPair {
            encryption: self.keys.encryption.clone(),
            authentication: self.keys.authentication.clone(),
        };
        Self { keys, counter: self.counter }
    }
}

impl SecureMessaging {
    /// A session whose counter stands at zero: after PACE (9.8.6.3 and 9.8.7.3).
    pub(crate) fn new(keys: KeyPair) -> Self {
        Self { keys, counter: 0 }
    }

    /// A session after BAC: the counter is made of both challenges (9.8.6.3).
    pub(crate) fn starting_at(keys: KeyPair, counter: [u8; 8]) -> Self {
        Self { keys, counter: u128::from(u64::from_be_bytes(counter)) }
    }

    /// The suite it runs.
    pub(crate) fn cipher(&self) -> Cipher {
        self.keys.encryption.cipher()
    }

    /// Protects a command (9.8.4).
    pub(crate) fn protect(&mut self, command: &Command) -> Result<Command, CommandTooLong> {
        // The reply is longer than what was asked for: a short outer Le holds it only up to a point.
        let wanted = command.expected().map_or(0, ExpectedLength::get);
        let outer = if protected_size(self.cipher(), wanted) > 256 {
            ExpectedLength::EXTENDED_MAX
        } else {
            ExpectedLength::SHORT_MAX
        };
        self.protect_expecting(command, outer)
    }

    /// The same, where the caller knows how long the protected reply may be.
    pub(crate) fn protect_expecting(
        &mut self,
        command: &Command,
        outer: ExpectedLength,
    ) -> Result<Command, CommandTooLong> {
        self.count();
        let mut objects = Zeroizing::new(Vec::new());
        if !command.payload().is_empty() {
            let mut data = Zeroizing::new(Vec::with_capacity(command.payload().len() + 17));
            data.extend_from_slice(command.payload());
            let (tag, sealed) = match command.ins() & 1 {
                0 => (DO87, [&[0x01][..], &self.encrypt(data)].concat()),
                _ => (DO85, self.encrypt(data).to_vec()),
            };
            objects.extend_from_slice(&encode(tag, &sealed));
        }
        if let Some(expected) = command.expected() {
            objects.extend_from_slice(&encode(DO97, &le_bytes(expected)));
        }

        let [cla, ins, p1, p2] = command.header();
        let cla = cla | 0x0C;
        let mut message = self.counter_bytes();
        message.extend_from_slice(&[cla, ins, p1, p2]);
        pad(&mut message, self.block());
        if !objects.is_empty() {
            message.extend_from_slice(&objects);
            pad(&mut message, self.block());
        }
        let mac = self.keys.authentication.mac(&message);
        objects.extend_from_slice(&encode(DO8E, &mac));

        // Both lengths of a command take the same form.
        let le = if objects.len() > 255 { ExpectedLength::EXTENDED_MAX } else { outer };
        Ok(Command::new(cla, ins, p1, p2).try_data(&objects)?.expect(le))
    }

    /// Verifies and opens the reply to a command with this instruction byte (9.8.5).
    pub(crate) fn open(&mut self, ins: u8, reply: &Response) -> Result<Response, SmFault> {
        self.count();
        if reply.data().is_empty() {
            return Err(SmFault::Unprotected(reply.status()));
        }
        let parts = Parts::of(ins, reply.data())?;

        let mut message = self.counter_bytes();
        message.extend_from_slice(parts.authenticated);
        pad(&mut message, self.block());
        if !self.keys.authentication.mac_is(&message, parts.mac) {
            return Err(SmFault::WrongMac);
        }
        let (inner, outer) = (parts.status, reply.status());
        if inner != outer {
            return Err(SmFault::StatusMismatch { inner, outer });
        }
        let data = match parts.sealed {
            // Some chips put an empty object where there is nothing to say; the MAC vouches for it.
            None | Some([]) => SecretBytes::default(),
            Some(sealed) => self.decrypt(sealed)?,
        };
        Ok(Response::new(&data, inner))
    }

    /// The counter is unsigned and as wide as a block (9.8.6.3 and 9.8.7.3).
    fn count(&mut self) {
        self.counter = match self.cipher() {
            Cipher::TripleDes => (self.counter + 1) & u128::from(u64::MAX),
            Cipher::Aes128 | Cipher::Aes192 | Cipher::Aes256 => self.counter.wrapping_add(1),
        };
    }

    /// The front of every message to authenticate.
    fn counter_bytes(&self) -> Vec<u8> {
        let all = self.counter.to_be_bytes();
        all.split_at(all.len() - self.block()).1.to_vec()
    }

    fn block(&self) -> usize {
        self.keys.encryption.block_size()
    }

    fn iv(&self) -> Iv {
        self.keys.encryption.counter_iv(self.counter)
    }

    fn encrypt(&self, mut data: SecretBytes) -> SecretBytes {
        pad(&mut data, self.block());
        // Padded data is a whole number of blocks.
        match self.keys.encryption.encrypt(self.iv(), &mut data) {
            Ok(()) => data,
            Err(_) => SecretBytes::default(),
        }
    }

    fn decrypt(&self, sealed: &[u8]) -> Result<SecretBytes, SmFault> {
        let mut data = Zeroizing::new(sealed.to_vec());
        self.keys.encryption.decrypt(self.iv(), &mut data).map_err(|_| SmFault::BadPadding)?;
        let length = unpadded_length(&data, self.block()).ok_or(SmFault::BadPadding)?;
        data.truncate(length);
        Ok(data)
    }
}

/// How long the data field of a protected reply with `plain` bytes in it is.
pub(crate) fn protected_size(cipher: Cipher, plain: usize) -> usize {
    let status_and_mac = 4 + 2 + MAC_SIZE;
    if plain == 0 {
        return status_and_mac;
    }
    let block = Key::block_size_of(cipher);
    let value = 1 + (plain + 1).next_multiple_of(block);
    let length_field = match value {
        0..=0x7F => 1,
        0x80..=0xFF => 2,
        0x100..=0xFFFF => 3,
        _ => 4,
    };
    1 + length_field + value + status_and_mac
}

/// The most plain bytes whose protected reply has a data field of at most `limit` bytes.
pub(crate) fn largest_plain(cipher: Cipher, limit: usize) -> usize {
    let block = Key::block_size_of(cipher);
    let fits = |blocks: &usize| protected_size(cipher, blocks * block - 1) <= limit;
    (1..=limit / block).rev().find(fits).map_or(0, |blocks| blocks * block - 1)
}

/// The most data bytes that a protected command of short length carries, with or without an Le of one byte.
pub(crate) fn longest_short_command(cipher: Cipher) -> usize {
    let block = Key::block_size_of(cipher);
    let (data_header, le, mac) = (1 + 2 + 1, 3, 2 + MAC_SIZE);
    // Padding takes a byte at least.
    (255 - data_header - le - mac) / block * block - 1
}

/// Le as DO97 carries it: one byte up to 256, two beyond.
fn le_bytes(expected: ExpectedLength) -> Vec<u8> {
    let bytes = expected.get().to_be_bytes();
    let width = if expected <= ExpectedLength::SHORT_MAX { 1 } else { 2 };
    bytes.split_at(bytes.len() - width).1.to_vec()
}

/// A protected reply, taken apart and not yet believed.
struct Parts<'a> {
    /// Every object before DO8E, as it came.
    authenticated: &'a [u8],
    /// The cryptogram, its padding indicator taken off.
    sealed: Option<&'a [u8]>,
    status: StatusWord,
    mac: &'a [u8],
}

impl<'a> Parts<'a> {
    /// DO87 or DO85 if there is data, then DO99, then DO8E, then nothing (9.8.5).
    fn of(ins: u8, data: &'a [u8]) -> Result<Self, SmFault> {
        let mut objects = TlvReader::new(data);
        let mut next = || objects.next_object().map_err(SmFault::NotTlv);
        let mut object = next()?.ok_or(SmFault::WrongObjects)?;
        let mut sealed = None;
        let mut front = 0;
        if object.tag != DO99 {
            sealed = match (ins & 1, object.tag) {
                (0, DO87) => object.value.strip_prefix(&[0x01]).or(empty(object.value)),
                (1, DO85) => Some(object.value),
                _ => None,
            };
            if sealed.is_none() {
                return Err(SmFault::WrongObjects);
            }
            front = object.whole.len();
            object = next()?.ok_or(SmFault::WrongObjects)?;
        }
        let (DO99, &[sw1, sw2]) = (object.tag, object.value) else {
            return Err(SmFault::WrongObjects);
        };
        let authenticated = data.split_at_checked(front + object.whole.len()).ok_or(SmFault::WrongObjects)?.0;
        let last = next()?.ok_or(SmFault::WrongObjects)?;
        let whole = objects.is_empty() && last.tag == DO8E && last.value.len() == MAC_SIZE;
        if !whole {
            return Err(SmFault::WrongObjects);
        }
        Ok(Self { authenticated, sealed, status: StatusWord::from([sw1, sw2]), mac: last.value })
    }
}

fn empty(value: &[u8]) -> Option<&[u8]> {
    value.is_empty().then_some(value)
}

#[cfg(test)]
impl SecureMessaging {
    /// The chip's side, for scripted chips in tests: opens a command.
    pub(crate) fn open_command(&mut self, protected: &Command) -> Option<Command> {
        self.count();
        let mut objects = TlvReader::new(protected.payload());
        let [cla, ins, p1, p2] = protected.header();
        let mut plain = Command::new(cla & !0x0C, ins, p1, p2);
        let mut message = self.counter_bytes();
        message.extend_from_slice(&protected.header());
        pad(&mut message, self.block());
        let mut any = false;
        while let Some(object) = objects.next_object().ok()? {
            match object.tag {
                DO85 if ins & 1 == 1 => plain = plain.data(&self.decrypt(object.value).ok()?),
                DO87 if ins & 1 == 0 => {
                    plain = plain.data(&self.decrypt(object.value.strip_prefix(&[1])?).ok()?);
                }
                DO97 => {
                    let le = object.value.iter().fold(0, |le, &byte| le << 8 | usize::from(byte));
                    let all = if object.value.len() == 1 { 256 } else { 65536 };
                    plain = plain.expect(ExpectedLength::new(if le == 0 { all } else { le }));
                }
                DO8E => {
                    if any {
                        pad(&mut message, self.block());
                    }
                    let right = self.keys.authentication.mac_is(&message, object.value);
                    return (right && objects.is_empty()).then_some(plain);
                }
                _ => return None,
            }
            any = true;
            message.extend_from_slice(object.whole);
        }
        None
    }

    /// The chip's side: protects a reply.
    pub(crate) fn protect_reply(&mut self, ins: u8, data: &[u8], status: StatusWord) -> Vec<u8> {
        self.count();
        let mut objects = Vec::new();
        if !data.is_empty() {
            let sealed = self.encrypt(Zeroizing::new(data.to_vec()));
            match ins & 1 {
                0 => objects.extend_from_slice(&encode(DO87, &[&[0x01][..], &sealed].concat())),
                _ => objects.extend_from_slice(&encode(DO85, &sealed)),
            }
        }
        objects.extend_from_slice(&encode(DO99, &status.to_bytes()));
        self.finish_reply(&objects, status)
    }

    /// The chip's side: puts a right MAC behind any objects and a status behind that.
    pub(crate) fn finish_reply(&self, objects: &[u8], status: StatusWord) -> Vec<u8> {
        let mut message = self.counter_bytes();
        message.extend_from_slice(objects);
        pad(&mut message, self.block());
        let mac = self.keys.authentication.mac(&message);
        [objects, &encode(DO8E, &mac), &status.to_bytes()].concat()
    }

    /// The chip's side: steps the counter for a reply that [`Self::finish_reply`] will make.
    pub(crate) fn step(&mut self) {
        self.count();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ALL_CIPHERS, session};

    fn hex(text: &str) -> Vec<u8> {
        hex::decode(text).unwrap()
    }

    fn reply(bytes: &[u8]) -> Response {
        Response::parse(bytes).unwrap()
    }

    #[test]
    fn the_worked_sequence_of_basic_access() {
        // ICAO 9303-11, Appendix D.4: SELECT EF.COM, READ BINARY of 4 bytes, READ BINARY of 18 bytes.
        let seed = hex("0036D272F5C350ACAC50C3F572D23600");
        let counter = hex("887022120C06C226").try_into().unwrap();
        let mut sm = SecureMessaging::starting_at(KeyPair::derive(Cipher::TripleDes, &seed), counter);
        let steps: [(Command, &str, &str, &str); 3] = [
            (
                Command::new(0x00, 0xA4, 0x02, 0x0C).data(&[0x01, 0x1E]),
                "0CA4020C158709016375432908C044F68E08BF8B92D635FF24F800",
                "990290008E08FA855A5D4C50A8ED9000",
                "",
            ),
            (
                Command::new(0x00, 0xB0, 0x00, 0x00).expect(ExpectedLength::new(4)),
                "0CB000000D9701048E08ED6705417E96BA5500",
                "8709019FF0EC34F9922651990290008E08AD55CC17140B2DED9000",
                "60145F01",
            ),
            (
                Command::new(0x00, 0xB0, 0x00, 0x04).expect(ExpectedLength::new(18)),
                "0CB000040D9701128E082EA28A70F3C7B53500",
                "871901FB9235F4E4037F2327DCC8964F1F9B8C30F42C8E2FFF224A990290008E08C8B2787EAEA07D749000",
                "04303130365F36063034303030305C026175",
            ),
        ];
        for (command, protected, answer, data) in steps {
            assert_eq!(hex::encode_upper(sm.protect(&command).unwrap().encode()), protected);
            let opened = sm.open(command.ins(), &reply(&hex(answer))).unwrap();
            assert_eq!(hex::encode_upper(opened.data()), data);
            assert_eq!(opened.status(), StatusWord::OK);
        }
    }

    #[test]
    fn both_sides_understand_each_other_in_every_suite_and_form() {
        for cipher in ALL_CIPHERS {
            let (mut ours, mut chip) = (session(cipher), session(cipher));
            for (ins, length) in [(0xB0, 1), (0xB0, 300), (0xB1, 40), (0xA4, 0), (0xB0, 20_000)] {
                let command = Command::new(0, ins, 1, 2)
                    .data(&vec![7; length.min(300)])
                    .expect(ExpectedLength::new(length.max(1)));
                let protected = ours.protect(&command).unwrap();
                assert_eq!(chip.open_command(&protected), Some(command));
                let data = vec![0x5A; length];
                let answer = chip.protect_reply(ins, &data, StatusWord::OK);
                assert_eq!(
                    answer.len() - 2,
                    protected_size(cipher, length) - usize::from(ins & 1 == 1 && length > 0)
                );
                assert_eq!(ours.open(ins, &reply(&answer)).unwrap(), Response::new(&data, StatusWord::OK));
            }
        }
    }

    #[test]
    fn the_largest_reads_in_a_short_reply_are_223_and_231() {
        // card-reader lore says 223 for AES and 231 for 3DES; here they come out of the arithmetic.
        assert_eq!(largest_plain(Cipher::Aes128, 256), 223);
        assert_eq!(largest_plain(Cipher::TripleDes, 256), 231);
        for cipher in ALL_CIPHERS {
            for limit in (0..700).chain(65_000..65_537) {
                let plain = largest_plain(cipher, limit);
                assert!(plain == 0 || protected_size(cipher, plain) <= limit);
                assert!(protected_size(cipher, plain + 1) > limit, "{cipher:?} {limit} {plain}");
            }
        }
    }

    #[test]
    fn a_protected_error_is_an_answer_and_a_naked_one_is_not() {
        for cipher in ALL_CIPHERS {
            let (mut ours, mut chip) = (session(cipher), session(cipher));
            chip.step();
            ours.step();
            let answer = chip.protect_reply(0xB0, &[], StatusWord::SECURITY_STATUS);
            assert_eq!(ours.open(0xB0, &reply(&answer)).unwrap().status(), StatusWord::SECURITY_STATUS);
            for status in [0x9000, 0x6988, 0x6700, 0x6C0E, 0x6104, 0x6982] {
                let naked = Response::new(&[], StatusWord(status));
                assert_eq!(ours.clone().open(0xB0, &naked), Err(SmFault::Unprotected(StatusWord(status))));
            }
        }
    }

    #[test]
    fn wrong_objects_are_refused_even_under_a_right_mac() {
        for cipher in ALL_CIPHERS {
            let chip = session(cipher);
            let sealed = {
                let mut sm = chip.clone();
                sm.step();
                let whole = sm.encrypt(Zeroizing::new(vec![1, 2, 3]));
                [&[0x01][..], &whole].concat()
            };
            let (do87, do85) = (encode(DO87, &sealed), encode(DO85, &sealed[1..]));
            let do99 = encode(DO99, &[0x90, 0x00]);
            let no_indicator = encode(DO87, &sealed[1..]);
            let cases: [(&[&[u8]], u8); 10] = [
                (&[&do87], 0xB0),
                (&[&do99, &do87], 0xB0),
                (&[&do87, &do87, &do99], 0xB0),
                (&[&do87, &do99, &do99], 0xB0),
                (&[&do85, &do99], 0xB0),
                (&[&do87, &do99], 0xB1),
                (&[&no_indicator, &do99], 0xB0),
                (&[&encode(DO99, &[0x90])], 0xB0),
                (&[&encode(Tag(0x81), &[1]), &do99], 0xB0),
                (&[&do87, &do99, &encode(Tag(0x81), &[1])], 0xB0),
            ];
            for (objects, ins) in cases {
                let mut chip = chip.clone();
                chip.step();
                let answer = chip.finish_reply(&objects.concat(), StatusWord::OK);
                let fault = session(cipher).open(ins, &reply(&answer));
                assert_eq!(fault, Err(SmFault::WrongObjects), "{}", hex::encode(&answer));
            }
            // Nothing but a MAC, and something behind it.
            let mut chip = chip.clone();
            chip.step();
            let only_mac = chip.finish_reply(&[], StatusWord::OK);
            assert_eq!(session(cipher).open(0xB0, &reply(&only_mac)), Err(SmFault::WrongObjects));
            let mut more = chip.finish_reply(&do99, StatusWord::OK);
            more.splice(more.len() - 2..more.len() - 2, [0x99, 0x02, 0x90, 0x00]);
            assert_eq!(session(cipher).open(0xB0, &reply(&more)), Err(SmFault::WrongObjects));
        }
    }

    #[test]
    fn a_mac_of_another_length_than_eight_bytes_is_refused() {
        for cipher in ALL_CIPHERS {
            let mut chip = session(cipher);
            let answer = chip.protect_reply(0xB0, &[1, 2, 3], StatusWord::OK);
            let (objects, mac) = answer[..answer.len() - 2].split_at(answer.len() - 2 - 10);
            for length in [0, 4, 7, 16] {
                let mut mac = mac[2..].to_vec();
                mac.resize(length, 0);
                let short = [objects, &encode(DO8E, &mac), &[0x90, 0x00]].concat();
                assert_eq!(session(cipher).open(0xB0, &reply(&short)), Err(SmFault::WrongObjects));
            }
        }
    }

    #[test]
    fn bad_padding_is_refused_even_under_a_right_mac() {
        for cipher in ALL_CIPHERS {
            let mut chip = session(cipher);
            chip.step();
            let block = chip.block();
            let mut unmarked = vec![0x55; block];
            chip.keys.encryption.encrypt(chip.iv(), &mut unmarked).unwrap();
            let mut early = vec![0; 2 * block];
            early[0] = 0x80;
            chip.keys.encryption.encrypt(chip.iv(), &mut early).unwrap();
            for sealed in [unmarked, early, vec![1; block - 1]] {
                let objects =
                    [encode(DO87, &[&[0x01][..], &sealed].concat()), encode(DO99, &[0x90, 0])].concat();
                let answer = chip.finish_reply(&objects, StatusWord::OK);
                assert_eq!(session(cipher).open(0xB0, &reply(&answer)), Err(SmFault::BadPadding));
            }
        }
    }

    #[test]
    fn status_inside_and_outside_must_agree() {
        let mut chip = session(Cipher::Aes128);
        let mut answer = chip.protect_reply(0xB0, &[1], StatusWord(0x6282));
        let end = answer.len();
        answer[end - 2..].copy_from_slice(&[0x90, 0x00]);
        assert_eq!(
            session(Cipher::Aes128).open(0xB0, &reply(&answer)),
            Err(SmFault::StatusMismatch { inner: StatusWord(0x6282), outer: StatusWord::OK })
        );
    }

    #[test]
    fn an_empty_cryptogram_under_a_right_mac_is_no_data() {
        for value in [&[][..], &[0x01]] {
            let mut chip = session(Cipher::TripleDes);
            chip.step();
            let objects = [encode(DO87, value), encode(DO99, &[0x90, 0])].concat();
            let answer = chip.finish_reply(&objects, StatusWord::OK);
            let opened = session(Cipher::TripleDes).open(0xB0, &reply(&answer)).unwrap();
            assert_eq!(opened, Response::new(&[], StatusWord::OK));
        }
    }

    #[test]
    fn a_reply_cannot_be_played_again() {
        for cipher in ALL_CIPHERS {
            let (mut ours, mut chip) = (session(cipher), session(cipher));
            let answer = chip.protect_reply(0xB0, &[1, 2, 3], StatusWord::OK);
            assert!(ours.open(0xB0, &reply(&answer)).is_ok());
            assert_eq!(ours.open(0xB0, &reply(&answer)), Err(SmFault::WrongMac));
        }
    }

    #[test]
    fn the_counter_is_unsigned_and_as_wide_as_a_block() {
        let keys = || KeyPair::derive(Cipher::TripleDes, &[1]);
        let mut narrow = SecureMessaging::starting_at(keys(), [0xFF; 8]);
        assert_eq!(narrow.counter_bytes(), [0xFF; 8]);
        narrow.count();
        assert_eq!(narrow.counter_bytes(), [0; 8]);
        narrow.count();
        assert_eq!(narrow.counter_bytes(), [0, 0, 0, 0, 0, 0, 0, 1]);
        let mut wide = SecureMessaging { keys: KeyPair::derive(Cipher::Aes128, &[1]), counter: u128::MAX };
        assert_eq!(wide.counter_bytes(), [0xFF; 16]);
        wide.count();
        assert_eq!(wide.counter_bytes(), [0; 16]);
    }
}
