//! A reader on a serial port, whatever it speaks there: the place for a card, the cable, and what goes wrong.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::Card;
use super::pty::Pty;
use super::slot::Slot;
use super::trouble::{Lasting, Trouble, Word};

/// What makes a serial reader one of a kind.
pub trait Model: fmt::Debug + Default + Send + Sync + 'static {
    /// What its thread is called.
    const NAME: &'static str;
    /// During which commands it can go wrong.
    type Stage: Word;
    /// What it can do wrong.
    type Misbehaviour: Word;

    /// Serves one host after the other on `line` until `cut` is set and the bell of the slot has rung.
    fn serve(line: &mut Pty, reader: &Shared<Self>, cut: &AtomicBool) -> io::Result<()>;
}

/// A reader, and the hand at it.
///
/// Dropping it pulls its cable.
#[derive(Debug)]
pub struct SerialReader<M: Model> {
    link: PathBuf,
    pub(super) shared: Arc<Shared<M>>,
    cable: Mutex<Option<Cable>>,
}

/// What the hand and the thread both hold.
#[derive(Debug)]
pub struct Shared<M: Model> {
    pub(super) slot: Slot,
    pub(super) model: M,
    trouble: Mutex<Option<Lasting<M::Stage, M::Misbehaviour>>>,
}

#[derive(Debug)]
struct Cable {
    cut: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl<M: Model> SerialReader<M> {
    /// Makes a reader and plugs it in: `link` becomes the name of its serial port.
    pub fn plugged(link: &Path) -> io::Result<Self> {
        let shared = Shared { slot: Slot::new()?, model: M::default(), trouble: Mutex::default() };
        let reader = Self { link: link.to_owned(), shared: Arc::new(shared), cable: Mutex::default() };
        reader.plug()?;
        Ok(reader)
    }

    /// The name of its serial port.
    pub fn link(&self) -> &Path {
        &self.link
    }

    /// Takes the card away. Nothing where none lies, and where it is still computing after two seconds.
    pub fn remove(&self) -> Option<Box<dyn Card>> {
        self.shared.slot.remove()
    }

    /// Puts a card in the place of the one there, which comes back as from [`Self::remove`].
    ///
    /// The host sees an empty reader when it next looks, and the new card after that.
    pub fn swap(&self, card: impl Card + 'static) -> Option<Box<dyn Card>> {
        self.shared.slot.swap(Box::new(card))
    }

    /// Whether a card lies there.
    pub fn has_card(&self) -> bool {
        self.shared.slot.is_taken()
    }

    /// What goes wrong from now on; nothing, to be a good reader again.
    pub fn trouble(&self, trouble: Option<Trouble<M::Stage, M::Misbehaviour>>) {
        *self.shared.trouble() = trouble.map(Lasting::of);
        // What it waits for may have come to an end with this.
        self.shared.slot.bell().ring();
    }

    /// Pulls the cable. The card stays where it lies.
    pub fn unplug(&self) {
        let cable = self.cable().take();
        if let Some(Cable { cut, thread }) = cable {
            cut.store(true, Ordering::Release);
            self.shared.slot.bell().ring();
            // It ends at the bell; a panic in it was reported when it happened.
            let _ = thread.join();
        }
    }

    /// Plugs it in again, under the same name. Nothing happens where it is plugged in.
    ///
    /// A `pcscd` looks for serial readers only when it starts.
    pub fn plug(&self) -> io::Result<()> {
        let mut cable = self.cable();
        if cable.is_some() {
            return Ok(());
        }
        let mut line = Pty::new(&self.link)?;
        self.shared.slot.forget_host();
        let (shared, cut) = (Arc::clone(&self.shared), Arc::new(AtomicBool::new(false)));
        let told = Arc::clone(&cut);
        let thread = std::thread::Builder::new().name(M::NAME.into()).spawn(move || {
            if let Err(error) = M::serve(&mut line, &shared, &told) {
                tracing::error!(%error, reader = M::NAME, "a simulated reader lost its line");
            }
        })?;
        *cable = Some(Cable { cut, thread });
        Ok(())
    }

    /// Whether the cable is in.
    pub fn is_plugged(&self) -> bool {
        self.cable().is_some()
    }

    fn cable(&self) -> MutexGuard<'_, Option<Cable>> {
        self.cable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M: Model> Drop for SerialReader<M> {
    fn drop(&mut self) {
        self.unplug();
    }
}

impl<M: Model> Shared<M> {
    /// What goes wrong at a command of this stage, if it is something that `can` happen there.
    pub(super) fn meet(
        &self,
        stage: M::Stage,
        can: impl FnOnce(M::Misbehaviour) -> bool,
    ) -> Option<M::Misbehaviour> {
        self.trouble().as_mut()?.meet(stage, can)
    }

    /// During which commands something may go wrong.
    pub(super) fn troubled_stage(&self) -> Option<M::Stage> {
        self.trouble().as_ref().map(Lasting::stage)
    }

    fn trouble(&self) -> MutexGuard<'_, Option<Lasting<M::Stage, M::Misbehaviour>>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
