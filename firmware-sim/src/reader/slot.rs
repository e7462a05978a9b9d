//! The place in a reader where a card lies, and the hand that puts it there.

use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Card;
use super::pty::Bell;

/// How long a hand waits for a card that is still computing to come loose.
///
/// A card that never answers stays with its thread: to the host it is gone all the same.
const GRIP: Duration = Duration::from_secs(2);

/// Which of the cards that lay in a slot one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generation(u64);

impl Generation {
    /// The first card.
    pub const fn first() -> Self {
        Self(0)
    }

    /// The card after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A card cannot be put where one lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a card lies in the reader already")]
pub struct SlotTaken;

/// What the card in the slot is asked.
#[derive(Debug, PartialEq, Eq)]
pub enum Question {
    /// Power off and on.
    Reset,
    /// A command APDU.
    Process(Vec<u8>),
}

/// What it answers: the answer-to-reset, or a response APDU.
pub type Answer = Vec<u8>;

/// The slot of one reader. Each card in it runs on a thread of its own, so that one that takes its time does
/// not keep the reader from saying so.
#[derive(Debug)]
pub struct Slot {
    state: Mutex<State>,
    bell: Arc<Bell>,
}

#[derive(Debug)]
struct State {
    next: Generation,
    lying: Option<Lying>,
    /// Set from a removal until the host has asked and was told "no card". A hand is slower than a driver's
    /// poll; without this a swap between two polls would pass unseen.
    absence_untold: bool,
}

#[derive(Debug)]
struct Lying {
    generation: Generation,
    questions: Sender<(Question, Sender<Answer>)>,
    /// The card itself, once no more questions can come.
    back: Receiver<Box<dyn Card>>,
}

impl Slot {
    /// An empty slot.
    pub fn new() -> io::Result<Self> {
        let state = State { next: Generation::first(), lying: None, absence_untold: false };
        Ok(Self { state: Mutex::new(state), bell: Arc::new(Bell::new()?) })
    }

    /// Rings when a card came, left or answered.
    pub fn bell(&self) -> &Bell {
        &self.bell
    }

    /// Puts a card in.
    pub fn insert(&self, card: Box<dyn Card>) -> Result<(), SlotTaken> {
        let mut state = self.lock();
        if state.lying.is_some() {
            return Err(SlotTaken);
        }
        self.put(&mut state, card);
        drop(state);
        self.bell.ring();
        Ok(())
    }

    /// Takes the card out. Nothing where none lies, and where it would not come loose within two seconds.
    pub fn remove(&self) -> Option<Box<dyn Card>> {
        let lying = self.lift(&mut self.lock())?;
        lying.release()
    }

    /// Puts a card in place of the one that lies there, and gives that one back as [`Self::remove`] does.
    pub fn swap(&self, card: Box<dyn Card>) -> Option<Box<dyn Card>> {
        let mut state = self.lock();
        let lying = self.lift(&mut state);
        self.put(&mut state, card);
        drop(state);
        lying.and_then(Lying::release)
    }

    /// Whether a card lies there, whatever the host knows of it.
    pub fn is_taken(&self) -> bool {
        self.lock().lying.is_some()
    }

    /// The card as the host sees it.
    pub fn look(&self) -> Option<Generation> {
        self.lock().visible()
    }

    /// The card as the host sees it who asks right now, and by that learns of a removal.
    pub fn tell(&self) -> Option<Generation> {
        let mut state = self.lock();
        let visible = state.visible();
        state.absence_untold = false;
        visible
    }

    /// A new host knows nothing, so there is nothing it could have missed.
    pub fn forget_host(&self) {
        self.lock().absence_untold = false;
    }

    /// Asks a card. The answer never comes where another one lies there by now, or none.
    pub fn ask(&self, generation: Generation, question: Question) -> Receiver<Answer> {
        let (sender, answer) = mpsc::channel();
        if let Some(lying) = &self.lock().lying
            && lying.generation == generation
        {
            // Fails only for a card whose thread is gone, and then the dropped sender says so.
            let _ = lying.questions.send((question, sender));
        }
        answer
    }

    fn put(&self, state: &mut State, mut card: Box<dyn Card>) {
        let (questions, asked) = mpsc::channel::<(Question, Sender<Answer>)>();
        let (give_back, back) = mpsc::channel();
        let bell = Arc::clone(&self.bell);
        std::thread::spawn(move || {
            for (question, answer) in asked {
                let said = match question {
                    Question::Reset => {
                        card.reset();
                        card.atr().to_vec()
                    }
                    Question::Process(command) => card.process(&command),
                };
                // Whoever asked may have given up; the card does not mind.
                let _ = answer.send(said);
                bell.ring();
            }
            let _ = give_back.send(card);
        });
        state.lying = Some(Lying { generation: state.next, questions, back });
        state.next = state.next.next();
    }

    fn lift(&self, state: &mut State) -> Option<Lying> {
        let lying = state.lying.take()?;
        state.absence_untold = true;
        self.bell.ring();
        Some(lying)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half way, so a poisoned state is a whole one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lying {
    fn release(self) -> Option<Box<dyn Card>> {
        drop(self.questions);
        self.back.recv_timeout(GRIP).ok()
    }
}

impl State {
    fn visible(&self) -> Option<Generation> {
        let lying = self.lying.as_ref()?;
        (!self.absence_untold).then_some(lying.generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::echo::EchoCard;

    fn card(mark: u8) -> Box<dyn Card> {
        Box::new(EchoCard::marked(mark))
    }

    fn slot() -> Slot {
        Slot::new().unwrap()
    }

    #[test]
    fn one_card_lies_in_a_slot_and_comes_back() {
        let slot = slot();
        assert!(slot.remove().is_none());
        slot.insert(card(7)).unwrap();
        assert_eq!(slot.insert(card(8)), Err(SlotTaken));
        let mut back = slot.remove().unwrap();
        assert_eq!(back.process(&[0, 0xA4, 4, 0])[..1], [7]);
        assert!(!slot.is_taken());
    }

    #[test]
    fn a_card_answers_until_it_leaves() {
        let slot = slot();
        slot.insert(card(7)).unwrap();
        let here = slot.look().unwrap();
        assert_eq!(
            cccd_patience::received("the answer", &slot.ask(here, Question::Process(vec![0, 0xA4, 4, 0])))[0],
            7
        );
        assert!(slot.swap(card(8)).is_some());
        assert!(
            slot.ask(here, Question::Reset).recv_timeout(cccd_patience::PATIENCE).is_err(),
            "nobody there to answer"
        );
    }

    #[test]
    fn a_swap_shows_an_empty_slot_once() {
        let slot = slot();
        slot.insert(card(1)).unwrap();
        let first = slot.tell().unwrap();
        slot.swap(card(2));
        assert_eq!(slot.look(), None);
        assert_eq!(slot.look(), None, "only a host that asks is told");
        assert_eq!(slot.tell(), None);
        assert_eq!(slot.tell(), Some(first.next()));
    }

    #[test]
    fn a_new_host_sees_the_card_at_once() {
        let slot = slot();
        slot.insert(card(1)).unwrap();
        slot.swap(card(2));
        slot.forget_host();
        assert!(slot.tell().is_some());
    }
}
