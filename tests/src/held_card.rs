//! A card that stops in the middle of a reading, so that a test can do something to it just then.

use std::sync::{Arc, Condvar, Mutex};

use cccd_firmware_sim::reader::Card;

use crate::agent::PATIENCE;

/// A card that answers its first commands and holds the next one back until let go.
pub struct HeldCard<C> {
    card: C,
    left: usize,
    shared: Arc<Shared>,
}

/// The other end of a [`HeldCard`]. Dropping it lets the card go.
pub struct Hold {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    change: Condvar,
}

#[derive(Default)]
struct State {
    reached: bool,
    let_go: bool,
}

impl<C: Card> HeldCard<C> {
    /// Answers `answered` commands, counted over all resets, and holds the next one.
    pub fn after(answered: usize, card: C) -> (Self, Hold) {
        let shared = Arc::new(Shared::default());
        let hold = Hold { shared: Arc::clone(&shared) };
        (Self { card, left: answered, shared }, hold)
    }
}

impl Hold {
    /// Waits until the card holds a command.
    pub fn wait_until_reached(&self) {
        let state = self.shared.state.lock().unwrap();
        let (state, _) =
            self.shared.change.wait_timeout_while(state, PATIENCE, |state| !state.reached).unwrap();
        assert!(state.reached, "the reading never came to the command that is held");
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Ok(mut state) = self.shared.state.lock() {
            state.let_go = true;
        }
        self.shared.change.notify_all();
    }
}

impl<C: Card> Card for HeldCard<C> {
    fn atr(&self) -> &[u8] {
        self.card.atr()
    }

    fn reset(&mut self) {
        self.card.reset();
    }

    fn process(&mut self, command: &[u8]) -> Vec<u8> {
        if self.left == 0 {
            let mut state = self.shared.state.lock().unwrap();
            state.reached = true;
            self.shared.change.notify_all();
            drop(self.shared.change.wait_while(state, |state| !state.let_go).unwrap());
        } else {
            self.left -= 1;
        }
        self.card.process(command)
    }
}
