//! What is known of one reader: written by its keeper, taken by whoever reads.
//!
//! Such a reader tells when a card comes and never when it goes. So a card counts as there from when the reader sees it until
//! its files are handed to a reading, or nobody has asked for them for a while: then they are wiped. Each card is given to
//! one reading.

use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cccd_card::{CardFiles, FilesGiven, ReaderEvent, ReaderId, ReaderRefusal, SecretBytes, TransportError};
use cccd_hn212::ReaderMessage;

/// How often somebody who waits looks whether to go on.
const LOOK_UP: Duration = Duration::from_millis(100);
/// How long a chip and its reader may take to sign. A reader that has not answered in that time once is not asked again
/// until it comes back: only one of the two descriptions says that it can.
const SIGN_WITHIN: Duration = Duration::from_secs(3);

/// What keepers tell the watching thread.
pub(super) enum News {
    Event(ReaderEvent),
    /// A reader was dialled for the first time, with success or without.
    Looked,
}

/// One reader.
#[derive(Debug)]
pub(super) struct Place {
    reader: ReaderId,
    files_within: Duration,
    keep: Duration,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    telling: Option<Sender<News>>,
    plugged: bool,
    card: Option<Lying>,
    /// Counts the cards, so that one that was taken away in between is known from one that stayed.
    insertions: u64,
    /// What the chip shall sign, and whether the reader has been told.
    wish: Option<([u8; 8], bool)>,
    signed: Option<SecretBytes>,
    /// It was asked and did not answer.
    signs_not: bool,
}

/// A card whose files nobody has taken yet.
#[derive(Debug)]
struct Lying {
    since: Instant,
    files: Option<FilesGiven>,
    failed: bool,
}

impl Place {
    pub(super) fn new(reader: ReaderId, files_within: Duration, keep: Duration) -> Self {
        Self { reader, files_within, keep, state: Mutex::default(), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who hears what happens here.
    pub(super) fn tell_to(&self, telling: Sender<News>) {
        self.state().telling = Some(telling);
    }

    /// The reader has let us in.
    pub(super) fn plugged(&self, attached: ReaderEvent) {
        let mut state = self.state();
        state.plugged = true;
        state.signs_not = false;
        state.tell(News::Event(attached));
    }

    /// The reader is gone, and so is what it gave.
    pub(super) fn unplugged(&self) {
        let mut state = self.state();
        state.plugged = false;
        state.card = None;
        state.wish = None;
        state.signed = None;
        state.tell(News::Event(ReaderEvent::Detached(self.reader.clone())));
        self.changed.notify_all();
    }

    /// The reader is there and is not used.
    pub(super) fn refused(&self, why: ReaderRefusal) {
        self.state().tell(News::Event(ReaderEvent::Refused(self.reader.clone(), why)));
    }

    /// The reader was dialled for the first time.
    pub(super) fn looked(&self) {
        self.state().tell(News::Looked);
    }

    /// Nothing more will be told.
    pub(super) fn closed(&self) {
        self.state().telling = None;
    }

    /// Writes down what the reader said.
    pub(super) fn heard(&self, message: ReaderMessage) {
        let mut state = self.state();
        match message {
            ReaderMessage::NewCard => self.lay(&mut state),
            ReaderMessage::Files(files) => {
                // One of the two descriptions has no message for a new card: then the files are the first that is heard.
                if state.card.as_ref().is_none_or(|card| card.files.is_some() || card.failed) {
                    self.lay(&mut state);
                }
                if let Some(card) = &mut state.card {
                    card.files = Some(files);
                }
            }
            // It was asked to have the chip sign: that is what it could not do. No card comes of it.
            ReaderMessage::Failed if matches!(state.wish, Some((_, true))) => state.wish = None,
            ReaderMessage::Failed => {
                if state.card.as_ref().is_none_or(|card| card.files.is_some()) {
                    self.lay(&mut state);
                }
                if let Some(card) = &mut state.card {
                    card.failed = true;
                }
            }
            ReaderMessage::Signed { challenge, signature } => {
                // An answer to somebody else's question is none to ours.
                let ours = |(wish, told): &([u8; 8], bool)| {
                    *told && challenge.as_ref().is_none_or(|challenge| challenge.as_slice() == wish)
                };
                if state.wish.as_ref().is_some_and(ours) {
                    state.wish = None;
                    state.signed = Some(signature);
                }
            }
            ReaderMessage::Text | ReaderMessage::Other => return,
        }
        self.changed.notify_all();
    }

    fn lay(&self, state: &mut State) {
        self.lift(state);
        state.insertions += 1;
        state.wish = None;
        state.signed = None;
        state.card = Some(Lying { since: Instant::now(), files: None, failed: false });
        state.tell(News::Event(ReaderEvent::CardInserted { reader: self.reader.clone(), atr: None }));
    }

    /// Wipes what was given, and says that no card is there to be read.
    fn lift(&self, state: &mut State) {
        if state.card.take().is_some() {
            state.tell(News::Event(ReaderEvent::CardRemoved(self.reader.clone())));
        }
    }

    /// Wipes what nobody has asked for.
    pub(super) fn tidy(&self) {
        let mut state = self.state();
        if state.card.as_ref().is_some_and(|card| card.since.elapsed() > self.keep) {
            self.lift(&mut state);
        }
    }

    /// What the reader shall have signed, once.
    pub(super) fn wish(&self) -> Option<[u8; 8]> {
        match &mut self.state().wish {
            Some((challenge, told @ false)) => {
                *told = true;
                Some(*challenge)
            }
            _ => None,
        }
    }

    /// Waits a little for something to change.
    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, LOOK_UP).unwrap_or_else(PoisonError::into_inner).0
    }
}

impl State {
    fn tell(&self, news: News) {
        // Nobody listens once the watching is over.
        if let Some(telling) = &self.telling {
            let _ = telling.send(news);
        }
    }
}

/// One card on one reader, as a reading has it.
pub(super) struct GivenCard {
    place: Arc<Place>,
    insertion: u64,
}

impl GivenCard {
    /// The card that is there now.
    pub(super) fn on(place: &Arc<Place>) -> Result<Self, TransportError> {
        let state = place.state();
        if !state.plugged {
            return Err(TransportError::ReaderLost);
        }
        if state.card.is_none() {
            return Err(TransportError::CardRemoved);
        }
        let insertion = state.insertions;
        drop(state);
        Ok(Self { place: Arc::clone(place), insertion })
    }
}

impl CardFiles for GivenCard {
    fn take(&mut self, go_on: &dyn Fn() -> bool) -> Result<FilesGiven, TransportError> {
        let place = &*self.place;
        let until = Instant::now() + place.files_within;
        let mut state = place.state();
        loop {
            if !state.plugged {
                return Err(TransportError::ReaderLost);
            }
            let mine = state.insertions == self.insertion;
            let Some(card) = state.card.as_mut().filter(|_| mine) else {
                return Err(TransportError::CardRemoved);
            };
            if card.failed {
                place.lift(&mut state);
                return Err(TransportError::CardMute);
            }
            if let Some(files) = card.files.take() {
                place.lift(&mut state);
                return Ok(files);
            }
            if !go_on() {
                return Err(TransportError::Cancelled);
            }
            if Instant::now() >= until {
                place.lift(&mut state);
                return Err(TransportError::TimedOut { after: place.files_within });
            }
            state = place.wait(state);
        }
    }

    fn sign(&mut self, challenge: [u8; 8], go_on: &dyn Fn() -> bool) -> Option<SecretBytes> {
        let place = &*self.place;
        let until = Instant::now() + SIGN_WITHIN;
        let mut state = place.state();
        if state.signs_not {
            return None;
        }
        state.wish = Some((challenge, false));
        state.signed = None;
        loop {
            // Another card would sign as well, and prove nothing about this one.
            if !state.plugged || state.insertions != self.insertion || !go_on() {
                state.wish = None;
                return None;
            }
            if let Some(signature) = state.signed.take() {
                return Some(signature);
            }
            // Without a wish left, it has said that it cannot.
            state.wish?;
            if Instant::now() >= until {
                state.wish = None;
                state.signs_not = true;
                tracing::info!(reader = %place.reader, "the reader has no chip sign");
                return None;
            }
            state = place.wait(state);
        }
    }
}
