//! What an owner thread has learned of its reader and of the cards that lay on it, and nothing of a person. A
//! [`Memory`] keeps it beyond a restart.

mod text;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use cccd_card::{Atr, CardChannel, ChannelLimits, ReaderId, SecretBytes, TransportError};
use cccd_emrtd::CardShape;

/// How many answers-to-reset are remembered.
const ANSWERS: usize = 32;
/// How many makes of card are told apart under one answer-to-reset.
const MAKES: usize = 8;
/// How often a reader has to fail at extended length, with no good exchange of it between, before it is spared them. A
/// card that lies badly can look like it once.
const REFUSALS: u32 = 2;

/// Where what was learned of readers and of makes of card outlives this process.
///
/// Keys and texts hold the reader's name, the answer-to-reset, and the hash of EF.CardAccess, all the same for every
/// card of a make. Nothing that is recalled is believed: a text that cannot be understood counts as none, and what
/// does not work with a card is found out anew.
pub trait Memory: Send + Sync {
    /// What was kept under this key.
    fn recall(&self, key: &[u8]) -> Option<String>;
    /// Keeps this, in the place of what was there. Where it cannot be kept, it is found out anew.
    fn keep(&self, key: &[u8], text: &str);
}

/// A memory that ends with the process.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoMemory;

impl Memory for NoMemory {
    fn recall(&self, _: &[u8]) -> Option<String> {
        None
    }

    fn keep(&self, _: &[u8], _: &str) {}
}

/// All of it.
#[derive(Debug)]
pub(crate) struct Learned {
    pub(crate) reader: ReaderReach,
    pub(crate) shapes: Shapes,
    notes: Notes,
}

/// The part of a memory that is about one reader.
#[derive(Clone)]
struct Notes {
    memory: Arc<dyn Memory>,
    reader: String,
}

impl fmt::Debug for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notes").field("reader", &self.reader).finish_non_exhaustive()
    }
}

impl Notes {
    fn key(&self, kind: &str, rest: &[u8]) -> Vec<u8> {
        [kind.as_bytes(), &[0], self.reader.as_bytes(), &[0], rest].concat()
    }

    fn recall(&self, kind: &str, rest: &[u8]) -> Option<String> {
        self.memory.recall(&self.key(kind, rest))
    }

    fn keep(&self, kind: &str, rest: &[u8], text: &str) {
        self.memory.keep(&self.key(kind, rest), text);
    }
}

const CARDS: &str = "cards";
const REACH: &str = "reach";

impl Learned {
    /// What is remembered of a reader.
    pub(crate) fn of(reader: &ReaderId, memory: Arc<dyn Memory>) -> Self {
        let notes = Notes { memory, reader: reader.to_string() };
        let mut reach = notes.recall(REACH, &[]).and_then(|text| text::reach(&text)).unwrap_or_default();
        // Once for each start it may show that it carries more now: a driver is renewed, or it was a card's fault.
        reach.refusals = reach.refusals.min(REFUSALS - 1);
        Self { reader: reach, shapes: Shapes { known: VecDeque::new(), notes: notes.clone() }, notes }
    }

    /// Keeps what the reader was seen to carry, if it is something new.
    pub(crate) fn keep_reach(&mut self) {
        if std::mem::take(&mut self.reader.news) {
            self.notes.keep(REACH, &[], &text::of_reach(&self.reader));
        }
    }
}

/// What worked with cards, by their answer-to-reset, the latest first.
#[derive(Debug)]
pub(crate) struct Shapes {
    known: VecDeque<(Atr, Vec<CardShape>)>,
    notes: Notes,
}

impl Shapes {
    /// What worked with cards of this answer-to-reset, the latest make first.
    pub(crate) fn of(&mut self, atr: &Atr) -> Vec<CardShape> {
        if let Some((_, shapes)) = self.known.iter().find(|(known, _)| known == atr) {
            return shapes.clone();
        }
        let kept =
            self.notes.recall(CARDS, atr.as_bytes()).map(|text| text::shapes(&text)).unwrap_or_default();
        self.put(atr, kept.clone());
        kept
    }

    pub(crate) fn learn(&mut self, atr: &Atr, shape: CardShape) {
        let before = self.of(atr);
        let others = before.iter().filter(|other| other.card_access_hash != shape.card_access_hash);
        let mut now: Vec<_> = std::iter::once(shape).chain(others.copied()).collect();
        now.truncate(MAKES);
        if now != before {
            self.notes.keep(CARDS, atr.as_bytes(), &text::of_shapes(&now));
        }
        self.put(atr, now);
    }

    pub(crate) fn forget(&mut self, atr: &Atr) {
        self.notes.keep(CARDS, atr.as_bytes(), "");
        self.put(atr, Vec::new());
    }

    fn put(&mut self, atr: &Atr, shapes: Vec<CardShape>) {
        self.known.retain(|(known, _)| known != atr);
        self.known.push_front((atr.clone(), shapes));
        self.known.truncate(ANSWERS);
    }
}

/// What a reader has carried so far, and what it would not.
///
/// A profile and a driver say what they say; this is what came of it. The first card decides: its chip is asked with
/// an extended length before any session depends on it (`emrtd`: `start.rs`), and what the reader makes of that is
/// remembered.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct ReaderReach {
    /// The longest command APDU that passed.
    longest_command: usize,
    /// The longest response APDU that passed.
    longest_reply: usize,
    refusals: u32,
    /// Something of it is not kept yet.
    news: bool,
}

impl ReaderReach {
    /// Whether it has been seen to carry no extended length.
    fn is_short(&self) -> bool {
        self.refusals >= REFUSALS
    }

    /// A channel on this reader, whose exchanges are learned from and which claims no more than was learned.
    pub(crate) fn watch<C>(&mut self, channel: C) -> Watched<'_, C> {
        Watched { channel, reach: self }
    }

    fn note(&mut self, command: &[u8], answer: Result<usize, &TransportError>) {
        match answer {
            Ok(reply) => {
                if is_extended(command) && self.refusals > 0 {
                    self.refusals = 0;
                    self.news = true;
                }
                self.news |= command.len() > self.longest_command || reply > self.longest_reply;
                self.longest_command = self.longest_command.max(command.len());
                self.longest_reply = self.longest_reply.max(reply);
            }
            Err(TransportError::NotTransacted | TransportError::ShortAnswer { .. })
                if is_extended(command) && !self.is_short() =>
            {
                self.refusals += 1;
                self.news = true;
                if self.is_short() {
                    tracing::info!(
                        longest_command = self.longest_command,
                        longest_reply = self.longest_reply,
                        "reader carries no extended length: it is asked for no more"
                    );
                }
            }
            Err(_) => {}
        }
    }
}

/// Whether a command has extended lengths: a zero where Lc or Le would be, and more behind it (ISO/IEC 7816-4, 5.1).
fn is_extended(command: &[u8]) -> bool {
    command.len() >= 7 && command.get(4) == Some(&0)
}

/// A channel whose exchanges are learned from.
pub(crate) struct Watched<'a, C> {
    channel: C,
    reach: &'a mut ReaderReach,
}

impl<C: CardChannel> CardChannel for Watched<'_, C> {
    fn transmit(&mut self, command: &[u8]) -> Result<SecretBytes, TransportError> {
        let answer = self.channel.transmit(command);
        self.reach.note(command, answer.as_ref().map(|reply| reply.len()));
        answer
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        self.channel.reset()
    }

    fn atr(&self) -> &Atr {
        self.channel.atr()
    }

    fn limits(&self) -> ChannelLimits {
        let limits = self.channel.limits();
        if self.reach.is_short() { limits.min(ChannelLimits::SHORT) } else { limits }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use cccd_emrtd::{AssumedPace, CardAccessRoad, FileFront, FileRoad};

    use super::*;

    const EXTENDED: [u8; 7] = [0x00, 0xB0, 0x00, 0x00, 0x00, 0x00, 0x00];
    const SHORT: [u8; 5] = [0x00, 0xB0, 0x00, 0x00, 0x00];

    const SHAPE: CardShape = CardShape {
        card_access_hash: None,
        card_access: CardAccessRoad::Nowhere,
        limits: ChannelLimits::SHORT,
        assumed_pace: AssumedPace::Refused,
        files: FileRoad::ShortIdentifier,
        most_at_once: None,
        front: FileFront::Whole,
    };

    #[derive(Default)]
    struct Book(Mutex<BTreeMap<Vec<u8>, String>>, Mutex<usize>);

    impl Memory for Book {
        fn recall(&self, key: &[u8]) -> Option<String> {
            self.0.lock().unwrap().get(key).cloned()
        }

        fn keep(&self, key: &[u8], text: &str) {
            *self.1.lock().unwrap() += 1;
            self.0.lock().unwrap().insert(key.to_vec(), text.to_owned());
        }
    }

    fn atr(byte: u8) -> Atr {
        Atr::new(&[0x3B, 0x80, byte]).unwrap()
    }

    fn learned(book: &Arc<Book>, reader: &str) -> Learned {
        let book: Arc<dyn Memory> = Arc::<Book>::clone(book);
        Learned::of(&ReaderId::from_name(reader), book)
    }

    #[test]
    fn a_reader_that_fails_twice_at_extended_length_is_spared_them() {
        let mut reach = ReaderReach::default();
        for command in [&SHORT[..], &EXTENDED, &SHORT, &SHORT] {
            reach.note(command, Err(&TransportError::NotTransacted));
            assert!(!reach.is_short());
        }
        reach.note(&EXTENDED, Err(&TransportError::ShortAnswer { length: 0 }));
        assert!(reach.is_short());
    }

    #[test]
    fn a_good_exchange_of_extended_length_clears_the_reader() {
        let mut reach = ReaderReach::default();
        for _ in 0..5 {
            reach.note(&EXTENDED, Err(&TransportError::NotTransacted));
            reach.note(&EXTENDED, Ok(4000));
        }
        assert!(!reach.is_short());
        assert_eq!(reach.longest_reply, 4000);
        // A card that left is no word about the reader.
        reach.note(&EXTENDED, Err(&TransportError::CardRemoved));
        reach.note(&EXTENDED, Err(&TransportError::CardRemoved));
        assert!(!reach.is_short());
    }

    #[test]
    fn the_latest_makes_are_remembered_and_a_wrong_one_is_forgotten() {
        let mut learned = Learned::of(&ReaderId::from_name("R"), Arc::new(NoMemory));
        let shapes = &mut learned.shapes;
        for byte in 0..40 {
            shapes.learn(&atr(byte), SHAPE);
        }
        assert_eq!((shapes.of(&atr(39)), shapes.of(&atr(0))), (vec![SHAPE], vec![]));
        shapes.forget(&atr(39));
        assert_eq!(shapes.of(&atr(39)), []);
    }

    #[test]
    fn what_was_learned_outlives_the_process_by_reader_and_answer_to_reset() {
        let book = Arc::new(Book::default());
        let two = CardShape { card_access_hash: Some([7; 32]), ..SHAPE };
        let mut first = learned(&book, "R");
        first.shapes.learn(&atr(1), SHAPE);
        first.shapes.learn(&atr(1), two);
        let written = *book.1.lock().unwrap();
        first.shapes.learn(&atr(1), two);
        assert_eq!(*book.1.lock().unwrap(), written, "nothing new is not written again");
        for _ in 0..2 {
            first.reader.note(&EXTENDED, Err(&TransportError::NotTransacted));
        }
        first.keep_reach();

        let mut second = learned(&book, "R");
        assert_eq!(second.shapes.of(&atr(1)), [two, SHAPE]);
        assert_eq!(second.shapes.of(&atr(2)), []);
        assert!(!second.reader.is_short());
        second.reader.note(&EXTENDED, Err(&TransportError::NotTransacted));
        assert!(second.reader.is_short(), "one failure is enough where there were two before");
        let mut other = learned(&book, "another reader");
        assert!(other.shapes.of(&atr(1)).is_empty() && !other.reader.is_short());
        // What nobody can read is nothing.
        for text in book.0.lock().unwrap().values_mut() {
            *text = "\u{1F4A5} what".to_owned();
        }
        let mut third = learned(&book, "R");
        third.reader.note(&EXTENDED, Err(&TransportError::NotTransacted));
        assert!(third.shapes.of(&atr(1)).is_empty() && !third.reader.is_short());
    }
}
