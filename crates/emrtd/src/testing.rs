//! What this crate's own tests share: fixed randomness, sessions with known keys, scripted cards.

use std::collections::VecDeque;

use cccd_card::{
    Atr, CardChannel, ChannelLimits, Command, ExpectedLength, SecretBytes, StatusWord, TransportError,
};
use cccd_document::Cipher;
use zeroize::Zeroizing;

use crate::entropy::{Entropy, NoEntropy};
use crate::key_derivation::KeyPair;
use crate::secure_messaging::SecureMessaging;

pub(crate) const ALL_CIPHERS: [Cipher; 4] =
    [Cipher::TripleDes, Cipher::Aes128, Cipher::Aes192, Cipher::Aes256];

/// One side of a session whose keys both sides know.
pub(crate) fn session(cipher: Cipher) -> SecureMessaging {
    SecureMessaging::new(KeyPair::derive(cipher, b"a shared secret of the tests"))
}

/// Gives out what it was given, in order, then fails.
pub(crate) struct Fixed(VecDeque<u8>);

impl Fixed {
    pub(crate) fn new(draws: &[&[u8]]) -> Self {
        Self(draws.concat().into())
    }
}

impl Entropy for Fixed {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        for byte in out {
            *byte = self.0.pop_front().ok_or(NoEntropy)?;
        }
        Ok(())
    }
}

/// The same as a source a caller might hand over.
pub(crate) struct FixedRng(pub(crate) Fixed);

impl rand_core::TryRng for FixedRng {
    type Error = NoEntropy;

    fn try_next_u32(&mut self) -> Result<u32, NoEntropy> {
        rand_core::utils::next_word_via_fill(self)
    }

    fn try_next_u64(&mut self) -> Result<u64, NoEntropy> {
        rand_core::utils::next_word_via_fill(self)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        self.0.fill(out)
    }
}

impl rand_core::TryCryptoRng for FixedRng {}

/// Bytes of hex, spaces allowed.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    hex::decode(text.replace([' ', '\n'], "")).unwrap()
}

type Answer<'a> = Box<dyn FnMut(&[u8]) -> Result<Vec<u8>, TransportError> + Send + 'a>;

/// A card that answers by rule.
pub(crate) struct Script<'a> {
    answer: Answer<'a>,
    left: std::sync::Arc<std::sync::atomic::AtomicUsize>,
    limits: ChannelLimits,
    atr: Atr,
    pub(crate) resets: usize,
}

impl<'a> Script<'a> {
    /// Exactly these commands in this order, each with its reply, in hex.
    pub(crate) fn of(steps: &[(&str, &str)]) -> Script<'static> {
        let mut steps: VecDeque<_> =
            steps.iter().map(|(command, reply)| (hex(command), hex(reply))).collect();
        let left = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(steps.len()));
        let counter = std::sync::Arc::clone(&left);
        let mut script = Script::answering(move |command| {
            let (expected, reply) = steps.pop_front().expect("no command was expected any more");
            assert_eq!(hex::encode_upper(command), hex::encode_upper(&expected));
            counter.store(steps.len(), std::sync::atomic::Ordering::SeqCst);
            reply
        });
        script.left = left;
        script
    }

    pub(crate) fn answering(mut answer: impl FnMut(&[u8]) -> Vec<u8> + Send + 'a) -> Self {
        Self::answering_or_failing(move |command| Ok(answer(command)))
    }

    pub(crate) fn answering_or_failing(
        answer: impl FnMut(&[u8]) -> Result<Vec<u8>, TransportError> + Send + 'a,
    ) -> Self {
        Self {
            answer: Box::new(answer),
            left: Default::default(),
            limits: ChannelLimits::SHORT,
            atr: Atr::new(&[0x3B, 0x80, 0x80, 0x01, 0x01]).unwrap(),
            resets: 0,
        }
    }

    pub(crate) fn with_limits(self, limits: ChannelLimits) -> Self {
        Self { limits, ..self }
    }

    pub(crate) fn with_atr(self, atr: &str) -> Self {
        Self { atr: Atr::new(&hex(atr)).unwrap(), ..self }
    }

    /// Every step must have been taken.
    pub(crate) fn finish(&self) {
        assert_eq!(self.left.load(std::sync::atomic::Ordering::SeqCst), 0, "commands never sent");
    }
}

impl CardChannel for Script<'_> {
    fn transmit(&mut self, command: &[u8]) -> Result<SecretBytes, TransportError> {
        (self.answer)(command).map(Zeroizing::new)
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        self.resets += 1;
        Ok(())
    }

    fn atr(&self) -> &Atr {
        &self.atr
    }

    fn limits(&self) -> ChannelLimits {
        self.limits
    }
}

/// A command APDU taken apart, as a chip does.
pub(crate) fn parse_command(bytes: &[u8]) -> Command {
    let command = Command::new(bytes[0], bytes[1], bytes[2], bytes[3]);
    let le = |bytes: &[u8], all: usize| {
        let le = bytes.iter().fold(0, |le, &byte| le << 8 | usize::from(byte));
        ExpectedLength::new(if le == 0 { all } else { le })
    };
    match &bytes[4..] {
        [] => command,
        [short] => command.expect(le(&[*short], 256)),
        [0, high, low] => command.expect(le(&[*high, *low], 65536)),
        [0, high, low, rest @ ..] => {
            let lc = usize::from(*high) << 8 | usize::from(*low);
            let (data, after) = rest.split_at(lc);
            let command = command.data(data);
            if after.is_empty() { command } else { command.expect(le(after, 65536)) }
        }
        [lc, rest @ ..] => {
            let (data, after) = rest.split_at(usize::from(*lc));
            let command = command.data(data);
            if after.is_empty() { command } else { command.expect(le(after, 256)) }
        }
    }
}

/// What a scripted chip says under secure messaging.
pub(crate) enum Says {
    /// Data and status, protected.
    Protected(Vec<u8>, u16),
    /// A bare status.
    Naked(u16),
}

/// A chip whose session stands already: `answer` sees plain commands.
pub(crate) fn chip_in_session<'a>(
    cipher: Cipher,
    mut answer: impl FnMut(&Command) -> Says + Send + 'a,
) -> Script<'a> {
    let mut sm = session(cipher);
    Script::answering(move |bytes| {
        let command = sm.open_command(&parse_command(bytes)).expect("a protected command");
        match answer(&command) {
            Says::Protected(data, status) => sm.protect_reply(command.ins(), &data, StatusWord(status)),
            Says::Naked(status) => status.to_be_bytes().to_vec(),
        }
    })
}

/// The files of a well-behaved chip, for scripts to bend.
pub(crate) struct Files {
    pub(crate) contents: std::collections::BTreeMap<u16, Vec<u8>>,
    current: Option<u16>,
    /// Most bytes it puts into one reply.
    pub(crate) buffer: usize,
}

impl Files {
    pub(crate) fn new(contents: &[(u16, Vec<u8>)]) -> Self {
        Self { contents: contents.iter().cloned().collect(), current: None, buffer: usize::MAX }
    }

    /// Answers SELECT and READ BINARY as ISO/IEC 7816-4 has them.
    pub(crate) fn answer(&mut self, command: &Command) -> Says {
        let [_, ins, p1, p2] = command.header();
        let offset = match (ins, p1) {
            (0xA4, 0x04) => return Says::Protected(vec![], 0x9000),
            (0xA4, 0x02) => {
                let fid = u16::from_be_bytes(command.payload().try_into().unwrap());
                let found = self.contents.contains_key(&fid);
                self.current = found.then_some(fid);
                return Says::Protected(vec![], if found { 0x9000 } else { 0x6A82 });
            }
            (0xB0, 0x80..) => {
                let sfi = u16::from(p1 & 0x1F);
                self.current = self.contents.keys().copied().find(|fid| fid & 0x1F == sfi);
                usize::from(p2)
            }
            (0xB0, _) => usize::from(p1) << 8 | usize::from(p2),
            (0xB1, 0) => {
                let offset = command.payload();
                assert_eq!((offset[0], usize::from(offset[1])), (0x54, offset.len() - 2));
                offset[2..].iter().fold(0, |all, &byte| all << 8 | usize::from(byte))
            }
            _ => return Says::Protected(vec![], 0x6D00),
        };
        let Some(content) = self.current.and_then(|fid| self.contents.get(&fid)) else {
            return Says::Protected(vec![], 0x6A82);
        };
        let Some(rest) = content.get(offset..) else { return Says::Protected(vec![], 0x6B00) };
        let le = command.expected().unwrap().get();
        if ins == 0xB1 {
            // DO53 and its header within Le.
            let header = if le > 257 {
                4
            } else if le > 129 {
                3
            } else {
                2
            };
            let data = &rest[..rest.len().min(le - header).min(self.buffer)];
            return Says::Protected(cccd_card::tlv::encode(cccd_card::tlv::Tag(0x53), data), 0x9000);
        }
        let length = rest.len().min(le).min(self.buffer);
        Says::Protected(rest[..length].to_vec(), if le > rest.len() { 0x6282 } else { 0x9000 })
    }
}
