//! Readers and channels in this very process: for speed, and for faults on purpose.
//!
//! [`InProcessReader`] is a source of readers like any driver's, with a hand that lays cards on them.
//! [`DirectChannel`] leaves the reader out. [`Faulty`] spoils any channel at a chosen command.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cccd_card::{
    Atr, Behind, CardChannel, ChannelLimits, ReaderEvent, ReaderId, ReaderInfo, ReaderSource, SecretBytes,
    StopSignal, Transport, TransportError,
};

use crate::chip::Chip;
use crate::reader::Card;

/// A source of simulated readers, and the hand that plugs them in and lays cards on them.
///
/// Clones are the same source.
pub struct InProcessReader<C = Chip> {
    shared: Arc<Shared<C>>,
}

/// Why a reader or card could not be put where it should go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlacementError {
    /// No reader of this id is attached.
    #[error("no such reader is attached")]
    NoSuchReader,
    /// A reader of this id is attached already.
    #[error("a reader of this name is attached already")]
    ReaderTaken,
    /// A card lies there already.
    #[error("a card lies on the reader already")]
    CardThere,
}

struct Shared<C> {
    readers: Mutex<Readers<C>>,
    changed: Condvar,
}

/// Whoever needs both locks takes this one first, then a slot's.
struct Readers<C> {
    attached: BTreeMap<ReaderId, Attached<C>>,
    watchers: Vec<Watcher>,
    next_watcher: u64,
}

struct Attached<C> {
    info: ReaderInfo,
    /// What it really carries.
    carries: ChannelLimits,
    slot: Arc<Mutex<Slot<C>>>,
    faults: FaultPlan,
}

/// Events that one call of `watch` has not told yet.
struct Watcher {
    id: u64,
    pending: VecDeque<ReaderEvent>,
}

/// What channels share with their reader.
struct Slot<C> {
    attached: bool,
    card: Option<Inserted<C>>,
    /// Counts cards: a channel that was opened on one never reaches the next.
    insertions: u64,
}

struct Inserted<C> {
    card: C,
    insertion: u64,
    /// Counts resets: a channel that did not ask for the last one has lost its card's state.
    resets: u64,
}

impl<C> Clone for InProcessReader<C> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<C: Card> Default for InProcessReader<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C: Card> InProcessReader<C> {
    /// A source without readers.
    pub fn new() -> Self {
        let readers = Readers { attached: BTreeMap::new(), watchers: Vec::new(), next_watcher: 0 };
        Self { shared: Arc::new(Shared { readers: Mutex::new(readers), changed: Condvar::new() }) }
    }

    /// Plugs a reader in.
    pub fn attach(&self, name: &str, limits: ChannelLimits) -> Result<ReaderId, PlacementError> {
        self.attach_claiming(name, limits, limits)
    }

    /// Plugs a reader in that claims to carry more than it does: what is too long ends in
    /// [`TransportError::NotTransacted`], as drivers have it.
    pub fn attach_claiming(
        &self,
        name: &str,
        limits: ChannelLimits,
        carries: ChannelLimits,
    ) -> Result<ReaderId, PlacementError> {
        let id = ReaderId::from_name(name);
        let mut readers = lock(&self.shared.readers);
        if readers.attached.contains_key(&id) {
            return Err(PlacementError::ReaderTaken);
        }
        let info = ReaderInfo {
            id: id.clone(),
            name: name.to_owned(),
            transport: Transport::InProcess,
            behind: Behind::Simulation,
            limits,
        };
        let slot = Slot { attached: true, card: None, insertions: 0 };
        let attached = Attached {
            info: info.clone(),
            carries,
            slot: Arc::new(Mutex::new(slot)),
            faults: FaultPlan::default(),
        };
        readers.attached.insert(id.clone(), attached);
        self.tell(readers, [ReaderEvent::Attached(info)]);
        Ok(id)
    }

    /// Pulls a reader out, with the card that lay on it: every channel on it is dead from now on.
    pub fn detach(&self, reader: &ReaderId) -> Result<Option<C>, PlacementError> {
        let mut readers = lock(&self.shared.readers);
        let attached = readers.attached.remove(reader).ok_or(PlacementError::NoSuchReader)?;
        let mut slot = lock(&attached.slot);
        slot.attached = false;
        let card = slot.card.take();
        drop(slot);
        self.tell(readers, [ReaderEvent::Detached(reader.clone())]);
        Ok(card.map(|inserted| inserted.card))
    }

    /// Lays a card on an empty reader.
    pub fn insert(&self, reader: &ReaderId, card: C) -> Result<(), PlacementError> {
        let readers = lock(&self.shared.readers);
        let attached = readers.attached.get(reader).ok_or(PlacementError::NoSuchReader)?;
        let mut slot = lock(&attached.slot);
        if slot.card.is_some() {
            return Err(PlacementError::CardThere);
        }
        let event = slot.insert(reader, card);
        drop(slot);
        self.tell(readers, [event]);
        Ok(())
    }

    /// Takes the card off the reader, in the middle of whatever goes on. `None` if none lay there.
    pub fn remove(&self, reader: &ReaderId) -> Option<C> {
        let readers = lock(&self.shared.readers);
        let inserted = lock(&readers.attached.get(reader)?.slot).card.take()?;
        self.tell(readers, [ReaderEvent::CardRemoved(reader.clone())]);
        Some(inserted.card)
    }

    /// Exchanges the card for another, so that no channel sees the reader empty in between.
    pub fn swap(&self, reader: &ReaderId, card: C) -> Result<Option<C>, PlacementError> {
        let readers = lock(&self.shared.readers);
        let attached = readers.attached.get(reader).ok_or(PlacementError::NoSuchReader)?;
        let mut slot = lock(&attached.slot);
        let before = slot.card.take();
        let inserted = slot.insert(reader, card);
        drop(slot);
        let removed = before.is_some().then(|| ReaderEvent::CardRemoved(reader.clone()));
        self.tell(readers, removed.into_iter().chain([inserted]));
        Ok(before.map(|inserted| inserted.card))
    }

    /// Looks at the card on the reader, or does something to it behind everyone's back.
    pub fn with_card<T>(&self, reader: &ReaderId, look: impl FnOnce(&mut C) -> T) -> Option<T> {
        let slot = Arc::clone(&lock(&self.shared.readers).attached.get(reader)?.slot);
        let mut slot = lock(&slot);
        slot.card.as_mut().map(|inserted| look(&mut inserted.card))
    }

    /// Has the next connection to the reader, and only that one, go wrong by plan.
    pub fn plan_faults(&self, reader: &ReaderId, plan: FaultPlan) -> Result<(), PlacementError> {
        let mut readers = lock(&self.shared.readers);
        readers.attached.get_mut(reader).ok_or(PlacementError::NoSuchReader)?.faults = plan;
        Ok(())
    }

    fn tell(&self, mut readers: MutexGuard<'_, Readers<C>>, events: impl IntoIterator<Item = ReaderEvent>) {
        for event in events {
            for watcher in &mut readers.watchers {
                watcher.pending.push_back(event.clone());
            }
        }
        drop(readers);
        self.shared.changed.notify_all();
    }
}

impl<C: Card> Slot<C> {
    fn insert(&mut self, reader: &ReaderId, mut card: C) -> ReaderEvent {
        // The reader powers the card on as soon as it is there.
        card.reset();
        let atr = answer_to_reset(&card);
        self.insertions += 1;
        self.card = Some(Inserted { card, insertion: self.insertions, resets: 0 });
        ReaderEvent::CardInserted { reader: reader.clone(), atr }
    }
}

impl<C: Card + 'static> ReaderSource for InProcessReader<C> {
    fn name(&self) -> &'static str {
        "in-process"
    }

    fn watch(&self, tell: &mut dyn FnMut(ReaderEvent), stop: &StopSignal) {
        let watcher = self.start_watching();
        // The signal has a condition variable of its own: a thread waits there and passes it on.
        let (shared, signal) = (Arc::clone(&self.shared), stop.clone());
        let relay = std::thread::spawn(move || {
            while !signal.wait(Duration::from_secs(3600)) {}
            // Under the lock, so that it cannot fall between a watcher's look at the signal and its wait.
            let readers = lock(&shared.readers);
            shared.changed.notify_all();
            drop(readers);
        });
        loop {
            let mut readers = lock(&self.shared.readers);
            let event = loop {
                if stop.is_raised() {
                    break None;
                }
                let pending = readers.watchers.iter_mut().find(|other| other.id == watcher.id);
                if let Some(event) = pending.and_then(|own| own.pending.pop_front()) {
                    break Some(event);
                }
                readers = self.shared.changed.wait(readers).unwrap_or_else(PoisonError::into_inner);
            };
            drop(readers);
            match event {
                Some(event) => tell(event),
                None => break,
            }
        }
        // It only waits and notifies, so there is nothing in it to fail.
        let _ = relay.join();
    }

    fn connect(&self, reader: &ReaderId) -> Result<Box<dyn CardChannel>, TransportError> {
        let mut readers = lock(&self.shared.readers);
        let attached = readers.attached.get_mut(reader).ok_or(TransportError::ReaderLost)?;
        let mut slot = lock(&attached.slot);
        let inserted = slot.card.as_mut().ok_or(TransportError::CardRemoved)?;
        let atr = answer_to_reset(&inserted.card).ok_or(TransportError::CardMute)?;
        inserted.card.reset();
        inserted.resets += 1;
        let channel = SlotChannel {
            slot: Arc::clone(&attached.slot),
            insertion: inserted.insertion,
            resets: inserted.resets,
            atr,
            limits: attached.info.limits,
            carries: attached.carries,
        };
        drop(slot);
        Ok(Box::new(Faulty::new(channel, std::mem::take(&mut attached.faults))))
    }
}

impl<C> InProcessReader<C> {
    /// Registers a watcher whose first events are what is there already.
    fn start_watching(&self) -> Registration<'_, C>
    where
        C: Card,
    {
        let mut readers = lock(&self.shared.readers);
        let mut pending = VecDeque::new();
        for (id, attached) in &readers.attached {
            pending.push_back(ReaderEvent::Attached(attached.info.clone()));
            if let Some(inserted) = &lock(&attached.slot).card {
                let atr = answer_to_reset(&inserted.card);
                pending.push_back(ReaderEvent::CardInserted { reader: id.clone(), atr });
            }
        }
        pending.push_back(ReaderEvent::SourceReady("in-process"));
        let id = readers.next_watcher;
        readers.next_watcher += 1;
        readers.watchers.push(Watcher { id, pending });
        Registration { shared: &self.shared, id }
    }
}

/// Takes the watcher off the list, also when telling panicked.
struct Registration<'a, C> {
    shared: &'a Shared<C>,
    id: u64,
}

impl<C> Drop for Registration<'_, C> {
    fn drop(&mut self) {
        lock(&self.shared.readers).watchers.retain(|watcher| watcher.id != self.id);
    }
}

/// A connection to one card on one reader.
struct SlotChannel<C> {
    slot: Arc<Mutex<Slot<C>>>,
    insertion: u64,
    resets: u64,
    atr: Atr,
    limits: ChannelLimits,
    carries: ChannelLimits,
}

impl<C: Card> SlotChannel<C> {
    /// The card this channel was opened on, if it still lies there.
    fn card(slot: &mut Slot<C>, insertion: u64) -> Result<&mut Inserted<C>, TransportError> {
        if !slot.attached {
            return Err(TransportError::ReaderLost);
        }
        slot.card
            .as_mut()
            .filter(|inserted| inserted.insertion == insertion)
            .ok_or(TransportError::CardRemoved)
    }
}

impl<C: Card> CardChannel for SlotChannel<C> {
    fn transmit(&mut self, command: &[u8]) -> Result<SecretBytes, TransportError> {
        let mut slot = lock(&self.slot);
        let inserted = Self::card(&mut slot, self.insertion)?;
        if inserted.resets != self.resets {
            return Err(TransportError::CardReset);
        }
        if (self.carries.max_command + 1..=self.limits.max_command).contains(&command.len()) {
            return Err(TransportError::NotTransacted);
        }
        exchange(&mut inserted.card, self.limits.min(self.carries), command)
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        let mut slot = lock(&self.slot);
        let inserted = Self::card(&mut slot, self.insertion)?;
        inserted.card.reset();
        inserted.resets += 1;
        self.resets = inserted.resets;
        Ok(())
    }

    fn atr(&self) -> &Atr {
        &self.atr
    }

    fn limits(&self) -> ChannelLimits {
        self.limits
    }
}

/// A channel straight to a card, with no reader in between.
pub struct DirectChannel<C = Chip> {
    card: C,
    atr: Atr,
    limits: ChannelLimits,
}

impl<C: Card> DirectChannel<C> {
    /// Powers `card` on. A card with no answer-to-reset, or an impossible one, is mute.
    pub fn new(mut card: C, limits: ChannelLimits) -> Result<Self, TransportError> {
        let atr = answer_to_reset(&card).ok_or(TransportError::CardMute)?;
        card.reset();
        Ok(Self { card, atr, limits })
    }

    /// The card at the other end.
    pub fn card(&self) -> &C {
        &self.card
    }

    /// The card at the other end, to be tampered with.
    pub fn card_mut(&mut self) -> &mut C {
        &mut self.card
    }

    /// Takes the card off.
    pub fn into_card(self) -> C {
        self.card
    }
}

impl<C: Card> CardChannel for DirectChannel<C> {
    fn transmit(&mut self, command: &[u8]) -> Result<SecretBytes, TransportError> {
        exchange(&mut self.card, self.limits, command)
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        self.card.reset();
        Ok(())
    }

    fn atr(&self) -> &Atr {
        &self.atr
    }

    fn limits(&self) -> ChannelLimits {
        self.limits
    }
}

/// What goes wrong with one exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The command does not go out and this comes back. After [`TransportError::CardRemoved`] and
    /// [`TransportError::CardReset`] it keeps coming back until the channel is reset.
    Fail(TransportError),
    /// The card leaves before the command reaches it, for good: this channel never reaches it again.
    PullCard,
    /// The card answers, and one bit of the answer changes on the way. A bit beyond its end changes nothing.
    FlipBit {
        /// Which byte, counted from the front.
        byte: usize,
        /// Which bit, 0 for the lowest.
        bit: u8,
    },
    /// The card answers, and only so many bytes arrive: with 0, success and nothing in it.
    CutTo(usize),
}

/// Which exchanges go wrong, counted from 0 over the life of a channel, resets included.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FaultPlan {
    faults: BTreeMap<usize, Fault>,
}

impl FaultPlan {
    /// The same plan with `fault` at exchange `index`.
    pub fn at(mut self, index: usize, fault: Fault) -> Self {
        self.faults.insert(index, fault);
        self
    }
}

/// A channel that fails by plan.
pub struct Faulty<C> {
    channel: C,
    plan: FaultPlan,
    exchanges: usize,
    /// What every call answers until the channel is reset, or for ever if the card was pulled.
    stuck: Option<Stuck>,
}

#[derive(Clone)]
enum Stuck {
    UntilReset(TransportError),
    CardPulled,
}

impl<C: CardChannel> Faulty<C> {
    /// Spoils `channel` by `plan`.
    pub fn new(channel: C, plan: FaultPlan) -> Self {
        Self { channel, plan, exchanges: 0, stuck: None }
    }

    /// How many commands were given to this channel, failed ones included.
    pub fn exchanges(&self) -> usize {
        self.exchanges
    }

    /// Takes the spoiled channel out.
    pub fn into_inner(self) -> C {
        self.channel
    }
}

impl<C: CardChannel> CardChannel for Faulty<C> {
    fn transmit(&mut self, command: &[u8]) -> Result<SecretBytes, TransportError> {
        let index = self.exchanges;
        self.exchanges += 1;
        match &self.stuck {
            Some(Stuck::CardPulled) => return Err(TransportError::CardRemoved),
            Some(Stuck::UntilReset(error)) => return Err(error.clone()),
            None => {}
        }
        match self.plan.faults.get(&index) {
            None => self.channel.transmit(command),
            Some(Fault::Fail(error)) => {
                if matches!(error, TransportError::CardRemoved | TransportError::CardReset) {
                    self.stuck = Some(Stuck::UntilReset(error.clone()));
                }
                Err(error.clone())
            }
            Some(Fault::PullCard) => {
                self.stuck = Some(Stuck::CardPulled);
                Err(TransportError::CardRemoved)
            }
            Some(&Fault::FlipBit { byte, bit }) => {
                let mut answer = self.channel.transmit(command)?;
                if let Some(byte) = answer.get_mut(byte) {
                    *byte ^= 1u8.checked_shl(bit.into()).unwrap_or(0);
                }
                Ok(answer)
            }
            Some(&Fault::CutTo(length)) => {
                let mut answer = self.channel.transmit(command)?;
                answer.truncate(length);
                Ok(answer)
            }
        }
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        if let Some(Stuck::CardPulled) = self.stuck {
            return Err(TransportError::CardRemoved);
        }
        self.channel.reset()?;
        self.stuck = None;
        Ok(())
    }

    fn atr(&self) -> &Atr {
        self.channel.atr()
    }

    fn limits(&self) -> ChannelLimits {
        self.channel.limits()
    }
}

/// One exchange within what the channel carries.
fn exchange<C: Card>(
    card: &mut C,
    limits: ChannelLimits,
    command: &[u8],
) -> Result<SecretBytes, TransportError> {
    if command.len() > limits.max_command {
        return Err(TransportError::CommandTooLong { length: command.len(), limit: limits.max_command });
    }
    let answer = SecretBytes::new(card.process(command));
    if answer.len() > limits.max_reply {
        return Err(TransportError::NotTransacted);
    }
    Ok(answer)
}

/// What the card answers to reset; `None` for nothing, or for more than an ATR can be.
fn answer_to_reset<C: Card>(card: &C) -> Option<Atr> {
    Some(card.atr()).filter(|atr| !atr.is_empty()).and_then(|atr| Atr::new(atr).ok())
}

/// No thread leaves what a lock guards half-changed, so one that panicked spoils nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use cccd_patience::received;

    use super::*;

    /// Counts its commands since the last reset and answers with the count and its own mark.
    struct Counter {
        mark: u8,
        commands: u8,
        atr: Vec<u8>,
    }

    impl Card for Counter {
        fn atr(&self) -> &[u8] {
            &self.atr
        }

        fn reset(&mut self) {
            self.commands = 0;
        }

        fn process(&mut self, _command: &[u8]) -> Vec<u8> {
            self.commands += 1;
            vec![self.mark, self.commands, 0x90, 0x00]
        }
    }

    fn card(mark: u8) -> Counter {
        Counter { mark, commands: 0, atr: vec![0x3B, 0x80, 0x80, 0x01, 0x01] }
    }

    fn source() -> (InProcessReader<Counter>, ReaderId) {
        let source = InProcessReader::new();
        let reader = source.attach("Desk 1", ChannelLimits::SHORT).unwrap();
        (source, reader)
    }

    const READ: [u8; 5] = [0x00, 0xB0, 0x00, 0x00, 0x00];

    #[test]
    fn another_card_is_never_reached_through_an_old_channel() {
        let (source, reader) = source();
        source.insert(&reader, card(1)).unwrap();
        let mut old = source.connect(&reader).unwrap();
        assert_eq!(old.transmit(&READ).unwrap()[..2], [1, 1]);

        assert_eq!(source.swap(&reader, card(2)).unwrap().unwrap().mark, 1);
        assert_eq!(old.transmit(&READ), Err(TransportError::CardRemoved));
        assert_eq!(old.reset(), Err(TransportError::CardRemoved));
        assert_eq!(source.connect(&reader).unwrap().transmit(&READ).unwrap()[..2], [2, 1]);

        // The very same card laid back is a new insertion all the same.
        let taken = source.remove(&reader).unwrap();
        assert_eq!(old.transmit(&READ), Err(TransportError::CardRemoved));
        source.insert(&reader, taken).unwrap();
        assert_eq!(old.transmit(&READ), Err(TransportError::CardRemoved));
    }

    #[test]
    fn a_second_connection_resets_the_card_under_the_first() {
        let (source, reader) = source();
        source.insert(&reader, card(1)).unwrap();
        let mut first = source.connect(&reader).unwrap();
        first.transmit(&READ).unwrap();
        let mut second = source.connect(&reader).unwrap();
        assert_eq!(second.transmit(&READ).unwrap()[1], 1);
        assert_eq!(first.transmit(&READ), Err(TransportError::CardReset));
        first.reset().unwrap();
        assert_eq!(first.transmit(&READ).unwrap()[1], 1);
        assert_eq!(second.transmit(&READ), Err(TransportError::CardReset));
    }

    #[test]
    fn a_detached_reader_is_lost_with_its_card() {
        let (source, reader) = source();
        source.insert(&reader, card(1)).unwrap();
        let mut channel = source.connect(&reader).unwrap();
        assert_eq!(source.detach(&reader).unwrap().unwrap().mark, 1);
        assert_eq!(channel.transmit(&READ), Err(TransportError::ReaderLost));
        assert_eq!(channel.reset(), Err(TransportError::ReaderLost));
        assert_eq!(source.connect(&reader).err(), Some(TransportError::ReaderLost));

        // A reader plugged in again under the same name is another one.
        assert_eq!(source.attach("Desk 1", ChannelLimits::SHORT).unwrap(), reader);
        source.insert(&reader, card(2)).unwrap();
        assert_eq!(channel.transmit(&READ), Err(TransportError::ReaderLost));
    }

    #[test]
    fn things_go_only_where_there_is_room_for_them() {
        let (source, reader) = source();
        assert_eq!(source.attach("desk 1", ChannelLimits::SHORT), Err(PlacementError::ReaderTaken));
        source.insert(&reader, card(1)).unwrap();
        assert_eq!(source.insert(&reader, card(2)), Err(PlacementError::CardThere));
        let nowhere = ReaderId::from_name("nowhere");
        assert_eq!(source.insert(&nowhere, card(2)), Err(PlacementError::NoSuchReader));
        assert!(matches!(source.detach(&nowhere), Err(PlacementError::NoSuchReader)));
        assert!(source.remove(&nowhere).is_none());
        assert_eq!(source.with_card(&reader, |card| card.mark), Some(1));
    }

    #[test]
    fn a_card_that_does_not_answer_to_reset_is_mute() {
        let (source, reader) = source();
        source.insert(&reader, Counter { atr: Vec::new(), ..card(1) }).unwrap();
        assert_eq!(source.connect(&reader).err(), Some(TransportError::CardMute));
        let long = Counter { atr: vec![0x3B; 34], ..card(1) };
        assert_eq!(DirectChannel::new(long, ChannelLimits::SHORT).err(), Some(TransportError::CardMute));
    }

    #[test]
    fn limits_hold_in_both_directions() {
        let limits = ChannelLimits { max_command: 5, max_reply: 4 };
        let mut channel = DirectChannel::new(card(1), limits).unwrap();
        assert!(channel.transmit(&READ).is_ok());
        assert_eq!(channel.transmit(&[0; 6]), Err(TransportError::CommandTooLong { length: 6, limit: 5 }));
        // The refused command did not reach the card.
        assert_eq!(channel.transmit(&READ).unwrap()[1], 2);
        let mut narrow = DirectChannel::new(card(1), ChannelLimits { max_reply: 3, ..limits }).unwrap();
        assert_eq!(narrow.transmit(&READ), Err(TransportError::NotTransacted));
        assert_eq!(narrow.card().commands, 1);
    }

    #[test]
    fn a_watcher_hears_what_is_there_and_then_what_happens_in_order() {
        let (source, reader) = source();
        source.insert(&reader, card(1)).unwrap();
        let (stop, (sender, events)) = (StopSignal::default(), mpsc::channel());
        let (watching, signal) = (source.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            watching.watch(&mut |event| sender.send(event).unwrap(), &signal);
        });
        let atr = Atr::new(&card(1).atr).ok();
        let info = ReaderInfo {
            id: reader.clone(),
            name: "Desk 1".to_owned(),
            transport: Transport::InProcess,
            behind: Behind::Simulation,
            limits: ChannelLimits::SHORT,
        };
        let inserted = || ReaderEvent::CardInserted { reader: reader.clone(), atr: atr.clone() };
        assert_eq!(received("the next event", &events), ReaderEvent::Attached(info));
        assert_eq!(received("the next event", &events), inserted());
        assert_eq!(received("the next event", &events), ReaderEvent::SourceReady("in-process"));

        source.remove(&reader);
        source.insert(&reader, card(2)).unwrap();
        source.swap(&reader, card(3)).unwrap();
        source.detach(&reader).unwrap();
        for expected in [
            ReaderEvent::CardRemoved(reader.clone()),
            inserted(),
            ReaderEvent::CardRemoved(reader.clone()),
            inserted(),
            ReaderEvent::Detached(reader.clone()),
        ] {
            assert_eq!(received("the next event", &events), expected);
        }
        stop.raise();
        cccd_patience::joined("the watcher's end", thread);
        assert!(lock(&source.shared.readers).watchers.is_empty());
    }

    #[test]
    fn a_signal_raised_before_watching_ends_it_at_once() {
        let (source, _) = source();
        let stop = StopSignal::default();
        stop.raise();
        let mut heard = 0;
        source.watch(&mut |_| heard += 1, &stop);
        assert_eq!(heard, 0);
    }

    #[test]
    fn planned_faults_come_at_their_command_and_nowhere_else() {
        let channel = DirectChannel::new(card(0xA5), ChannelLimits::SHORT).unwrap();
        let plan = FaultPlan::default()
            .at(1, Fault::Fail(TransportError::NotTransacted))
            .at(2, Fault::FlipBit { byte: 0, bit: 7 })
            .at(3, Fault::CutTo(1))
            .at(4, Fault::CutTo(0))
            .at(5, Fault::Fail(TransportError::CardReset))
            .at(8, Fault::PullCard);
        let mut channel = Faulty::new(channel, plan);
        let mut next = || channel.transmit(&READ).map(|answer| answer.to_vec());
        assert_eq!(next(), Ok(vec![0xA5, 1, 0x90, 0]));
        assert_eq!(next(), Err(TransportError::NotTransacted));
        assert_eq!(next(), Ok(vec![0x25, 2, 0x90, 0]));
        assert_eq!(next(), Ok(vec![0xA5]));
        assert_eq!(next(), Ok(Vec::new()));
        assert_eq!(next(), Err(TransportError::CardReset));
        assert_eq!(next(), Err(TransportError::CardReset));
        channel.reset().unwrap();
        assert_eq!(channel.transmit(&READ).unwrap().to_vec(), [0xA5, 1, 0x90, 0]);
        for _ in 0..2 {
            assert_eq!(channel.transmit(&READ), Err(TransportError::CardRemoved));
            assert_eq!(channel.reset(), Err(TransportError::CardRemoved));
        }
        assert_eq!((channel.exchanges(), channel.into_inner().card().commands), (10, 1));
    }

    #[test]
    fn faults_on_a_reader_befall_the_next_connection_only() {
        let (source, reader) = source();
        source.insert(&reader, card(1)).unwrap();
        source.plan_faults(&reader, FaultPlan::default().at(0, Fault::PullCard)).unwrap();
        assert_eq!(source.connect(&reader).unwrap().transmit(&READ), Err(TransportError::CardRemoved));
        assert!(source.connect(&reader).unwrap().transmit(&READ).is_ok());
    }
}
