//! Which readers are there, and what lies on them.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cccd_card::{Atr, ReaderEvent, ReaderId, ReaderInfo, StopSignal, Transport};
use pcsc::{Context, Error, PNP_NOTIFICATION, ReaderState, Scope, State};

use super::PcscOptions;
use super::fault::service_is_lost;

/// How long one wait lasts at most: then the readers are listed anew, whatever was or was not announced.
const SLICE: Duration = Duration::from_secs(5);
/// First and longest pause between attempts to find the service again.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// pcsc-lite before 2.5 takes at most so many entries in one call.
const ENTRIES: usize = 16;

type Present = Mutex<BTreeMap<ReaderId, CString>>;

/// Watches until told to stop, whatever becomes of the service.
pub(super) fn watch(
    options: &PcscOptions,
    present: &Present,
    tell: &mut dyn FnMut(ReaderEvent),
    stop: &StopSignal,
) {
    let waiting_on = Mutex::new(None);
    let over = StopSignal::default();
    std::thread::scope(|scope| {
        scope.spawn(|| cancel_when_stopped(&waiting_on, stop, &over));
        let mut pause = BACK_OFF.0;
        let mut told_lost = false;
        while !stop.is_raised() {
            let mut watcher = Watcher { options, present, tell, entries: Vec::new(), ready: false };
            let end = Context::establish(Scope::System).and_then(|context| {
                *waiting_on.lock().unwrap_or_else(PoisonError::into_inner) = Some(context.clone());
                watcher.run(&context, stop)
            });
            watcher.forget_everything();
            if watcher.ready {
                (pause, told_lost) = (BACK_OFF.0, false);
            }
            let Err(error) = end else { break };
            if !told_lost {
                tracing::warn!(%error, "smart-card service lost; trying to find it again");
                tell(ReaderEvent::SourceLost("pcsc"));
                told_lost = true;
            }
            stop.wait(pause);
            pause = (pause * 2).min(BACK_OFF.1);
        }
        over.raise();
    });
}

/// Ends the watcher's wait once `stop` is raised. A cancel that comes before its wait has begun is lost, so it
/// is repeated until the watching is over.
fn cancel_when_stopped(waiting_on: &Mutex<Option<Context>>, stop: &StopSignal, over: &StopSignal) {
    while !stop.wait(Duration::MAX) {}
    while !over.wait(Duration::from_millis(20)) {
        if let Some(context) = &*waiting_on.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = context.cancel();
        }
    }
}

struct Watcher<'a> {
    options: &'a PcscOptions,
    present: &'a Present,
    tell: &'a mut dyn FnMut(ReaderEvent),
    entries: Vec<Entry>,
    ready: bool,
}

/// One reader the service lists.
struct Entry {
    id: ReaderId,
    name: CString,
    state: ReaderState,
    /// Whether the outside knows of it. A reader whose cable is pulled may stay listed, unavailable.
    attached: bool,
    has_card: bool,
    /// Counts insertions and removals: tells a swap that happened between two looks.
    events: u32,
}

impl Watcher<'_> {
    /// Runs until told to stop (`Ok`) or until the service is lost.
    fn run(&mut self, context: &Context, stop: &StopSignal) -> Result<(), Error> {
        let mut plug_and_play = ReaderState::new(PNP_NOTIFICATION(), State::UNAWARE);
        while !stop.is_raised() {
            self.list(context)?;
            match self.wait(context, &mut plug_and_play) {
                Ok(()) | Err(Error::Timeout | Error::Cancelled) => {}
                Err(lost) if service_is_lost(lost) => return Err(lost),
                // A reader that went between listing and waiting. The next listing no longer has it; the
                // pause keeps a service that disagrees with itself from turning this into a busy loop.
                Err(error) => {
                    tracing::debug!(%error, "waiting for readers failed");
                    stop.wait(Duration::from_millis(200));
                }
            }
            plug_and_play.sync_current_state();
            for index in 0..self.entries.len() {
                self.look_at(index);
            }
            if !self.ready {
                self.ready = true;
                (self.tell)(ReaderEvent::SourceReady("pcsc"));
            }
        }
        Ok(())
    }

    /// Brings the entries in line with what the service lists.
    fn list(&mut self, context: &Context) -> Result<(), Error> {
        let names = match context.list_readers_owned() {
            Ok(names) => names,
            Err(Error::NoReadersAvailable) => Vec::new(),
            Err(error) => return Err(error),
        };
        let gone = |entry: &Entry| !names.contains(&entry.name);
        for index in (0..self.entries.len()).rev() {
            if self.entries.get(index).is_some_and(gone) {
                self.detach(index);
                self.entries.remove(index);
            }
        }
        for name in names {
            let known = self.entries.iter().any(|entry| entry.name == name);
            if !known && !self.options.ignores(&name.to_string_lossy()) {
                let id = self.free_id(&name);
                let state = ReaderState::new(name.clone(), State::UNAWARE);
                self.entries.push(Entry { id, name, state, attached: false, has_card: false, events: 0 });
            }
        }
        Ok(())
    }

    /// An id no other reader has: names that differ only in signs get a number.
    fn free_id(&self, name: &CString) -> ReaderId {
        let name = name.to_string_lossy();
        let taken = |id: &ReaderId| self.entries.iter().any(|entry| entry.id == *id);
        let plain = ReaderId::from_name(&name);
        if !taken(&plain) {
            return plain;
        }
        (2u32..)
            .map(|number| ReaderId::from_name(&format!("{name} {number}")))
            .find(|id| !taken(id))
            .unwrap_or(plain)
    }

    /// Waits until something changes. The first look at a new reader returns at once.
    fn wait(&mut self, context: &Context, plug_and_play: &mut ReaderState) -> Result<(), Error> {
        let mut states: Vec<ReaderState> = Vec::with_capacity(self.entries.len() + 1);
        states.push(std::mem::replace(plug_and_play, ReaderState::new(PNP_NOTIFICATION(), State::UNAWARE)));
        for entry in &mut self.entries {
            let taken = ReaderState::new(entry.name.clone(), State::UNAWARE);
            states.push(std::mem::replace(&mut entry.state, taken));
        }
        let result = if states.len() <= ENTRIES {
            context.get_status_change(SLICE, &mut states)
        } else {
            // More than one call can carry: look at each part in turn, and rest in the first.
            let mut result = Err(Error::Timeout);
            let parts = states.len().div_ceil(ENTRIES);
            let rest = SLICE / u32::try_from(parts * 2).unwrap_or(u32::MAX);
            for part in states.chunks_mut(ENTRIES) {
                match context.get_status_change(rest, part) {
                    Err(Error::Timeout) => {}
                    other => result = other,
                }
            }
            result
        };
        let mut states = states.into_iter();
        if let Some(state) = states.next() {
            *plug_and_play = state;
        }
        for (entry, state) in self.entries.iter_mut().zip(states) {
            entry.state = state;
        }
        result
    }

    /// Tells what has changed at one reader.
    fn look_at(&mut self, index: usize) {
        let Some(entry) = self.entries.get_mut(index) else { return };
        let now = entry.state.event_state();
        let events = entry.state.event_count();
        entry.state.sync_current_state();
        if now.is_empty() || now.intersects(State::IGNORE) {
            return;
        }
        if now.intersects(State::UNKNOWN | State::UNAVAILABLE) {
            self.detach(index);
            return;
        }
        if !entry.attached {
            entry.attached = true;
            let name = entry.name.to_string_lossy().into_owned();
            self.present
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(entry.id.clone(), entry.name.clone());
            (self.tell)(ReaderEvent::Attached(ReaderInfo {
                id: entry.id.clone(),
                limits: self.options.limits_of(&name),
                behind: self.options.behind(&name),
                name,
                transport: Transport::PcSc,
            }));
        }
        let has_card = now.intersects(State::PRESENT);
        let swapped = has_card && entry.has_card && events != entry.events;
        if entry.has_card && (!has_card || swapped) {
            (self.tell)(ReaderEvent::CardRemoved(entry.id.clone()));
        }
        if has_card && (!entry.has_card || swapped) {
            let atr = Some(entry.state.atr())
                .filter(|atr| !atr.is_empty() && !now.intersects(State::MUTE))
                .and_then(|atr| Atr::new(atr).ok());
            (self.tell)(ReaderEvent::CardInserted { reader: entry.id.clone(), atr });
        }
        entry.has_card = has_card;
        entry.events = events;
    }

    fn detach(&mut self, index: usize) {
        let Some(entry) = self.entries.get_mut(index).filter(|entry| entry.attached) else { return };
        entry.attached = false;
        entry.has_card = false;
        self.present.lock().unwrap_or_else(PoisonError::into_inner).remove(&entry.id);
        (self.tell)(ReaderEvent::Detached(entry.id.clone()));
    }

    fn forget_everything(&mut self) {
        for index in 0..self.entries.len() {
            self.detach(index);
        }
        self.entries.clear();
    }
}
