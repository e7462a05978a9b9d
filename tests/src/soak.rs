//! Many readings: one after the other, to see what they leave behind; and on many readers at once, with cards pulled out
//! of them, to see that nobody gets another's.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use cccd_card::{ChannelLimits, ReaderId, ReaderSource};
use cccd_document::{AccessKey, Biometrics, FieldSet, FileId, FileOutcome};
use cccd_engine::{
    CallerId, Engine, EngineHandle, EngineOptions, ReadFailure, ReadRequest, ReadState, Reading, every_group,
};
use cccd_firmware_sim::chip::Chip;
use cccd_firmware_sim::image::ChipImage;
use cccd_firmware_sim::personalise::{CardDescription, Issuer, personalise};
use cccd_firmware_sim::reader::Card;
use cccd_firmware_sim::reader::hn212::{Hn212, Hn212Fault};
use cccd_firmware_sim::reader::in_process::{Fault, FaultPlan, InProcessReader};
use cccd_firmware_sim::reader::pcscd::PcscBench;
use cccd_firmware_sim::reader::pn532::Pn532;
use cccd_patience::PATIENCE;
use cccd_profiles::{DeskNetworkReader, DeskNfcReader, ReaderCatalogue};
use cccd_readers::{
    NetworkOptions, NetworkSource, NfcOptions, NfcSource, PcscOptions, PcscSource, WorkerProgram,
};

use crate::HeldCard;
use crate::judged::{can, mrz};
use crate::people;

/// What this process holds in memory, in bytes.
pub fn resident() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/self/status").context("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes * 1024)
}

/// What a soak came to.
#[derive(Debug, Clone, Copy)]
pub struct Soaked {
    /// Readings that were done.
    pub readings: usize,
    /// Resident memory after the first of them.
    pub before: u64,
    /// Resident memory at the end.
    pub after: u64,
}

impl Soaked {
    /// How much more it is at the end, as a part of one.
    pub fn growth(&self) -> f64 {
        // Memory of a process is far below 2^52 bytes.
        (self.after as f64 - self.before as f64) / self.before as f64
    }
}

/// Reads every shipped card in turn on one reader, `total` times in all, and looks at the memory after the first
/// `settled` and at the end.
pub fn soak(settled: usize, total: usize, mut tell: impl FnMut(usize, u64)) -> Result<Soaked> {
    let issuer = Issuer::new()?;
    let mut cards = Vec::new();
    for (_, card) in people::cards() {
        cards.push(Person::of(card, &issuer)?);
    }
    let hand = InProcessReader::new();
    let reader = hand.attach("Lane 0", ChannelLimits::EXTENDED)?;
    let engine = engine(vec![Arc::new(hand.clone())]);
    let handle = engine.handle();
    cccd_patience::ready("the first look of every source", handle.settled())?;
    let mut before = 0;
    for count in 1..=total {
        let person = cards.get(count % cards.len()).context("there are cards")?;
        hand.remove(&reader);
        hand.insert(&reader, Chip::new(person.image.clone()))?;
        let reading = read(&handle, &reader, person)?.map_err(|failure| anyhow::anyhow!(failure))?;
        person.is_in(&reading)?;
        if count == settled {
            before = resident()?;
        }
        if count % 500 == 0 {
            tell(count, resident()?);
        }
    }
    Ok(Soaked { readings: total, before, after: resident()? })
}

/// An engine that waits for no card to come back. Results are dismissed once they are looked at, however long that takes.
fn engine(sources: Vec<Arc<dyn ReaderSource>>) -> Engine {
    let options = EngineOptions {
        wait_for_return: Duration::ZERO,
        keep_result: PATIENCE,
        wait_for_card: PATIENCE,
        queue: 64,
        ..EngineOptions::default()
    };
    Engine::start(sources, Vec::new(), options)
}

/// Somebody, their card and what opens it.
struct Person {
    card: CardDescription,
    image: ChipImage,
}

impl Person {
    fn of(card: CardDescription, issuer: &Issuer) -> Result<Self> {
        let image = personalise(&card, issuer)?;
        Ok(Self { card, image })
    }

    fn key(&self) -> Result<AccessKey> {
        can(&self.card).or_else(|_| mrz(&self.card))
    }

    /// Whether the reading is of this person, by every byte of it.
    fn is_in(&self, reading: &Reading) -> Result<()> {
        for (file, outcome) in &reading.evidence.files {
            let stored = match file {
                FileId::CardSecurity => self.image.master_file.get(&file.fid()),
                _ => self.image.emrtd.get(&file.fid()),
            };
            if let (FileOutcome::Read(bytes), Some(stored)) = (outcome, stored) {
                ensure!(stored.content.starts_with(bytes), "{file} is another's");
            }
        }
        ensure!(reading.portrait.is_some(), "no portrait");
        Ok(())
    }
}

/// One reading on one reader, to its end.
fn read(
    handle: &EngineHandle,
    reader: &ReaderId,
    person: &Person,
) -> Result<Result<Arc<Reading>, ReadFailure>> {
    read_while(handle, reader, person.key()?, || {})
}

/// The same, and something happens once it has been accepted.
fn read_while(
    handle: &EngineHandle,
    reader: &ReaderId,
    key: AccessKey,
    happens: impl FnOnce(),
) -> Result<Result<Arc<Reading>, ReadFailure>> {
    let caller = CallerId::new("tests");
    let request = ReadRequest {
        owner: caller.clone(),
        reader: Some(reader.clone()),
        access: key.into(),
        nonce: None,
        expect: None,
        biometrics: Biometrics::NONE,
        groups: every_group(),
        fields: FieldSet::ALL,
        under: None,
        wait_for_card: None,
    };
    let view = match handle.submit(request).blocking_recv()? {
        Ok(view) => view,
        Err(refused) => return Ok(Err(refused.failure)),
    };
    happens();
    let gone = || anyhow::anyhow!("the reading is gone");
    let mut views = handle.watch(caller.clone(), view.id).blocking_recv()?.map_err(|_| gone())?;
    let over = async {
        tokio::time::timeout(PATIENCE * 2, views.wait_for(|view| view.state.is_over())).await.map(|_| ())
    };
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?
        .block_on(over)
        .context("a reading hangs")?;
    let state = views.borrow().state;
    match state {
        ReadState::Completed => {
            let result = handle.result(caller.clone(), view.id).blocking_recv()?;
            let result = result.map_err(|_| gone())?;
            let _ = handle.dismiss(caller, view.id).blocking_recv()?;
            Ok(Ok(result))
        }
        ReadState::Failed(failure) => Ok(Err(failure)),
        other => bail!("a reading ended {other:?}"),
    }
}

/// How readings on many readers ended, by reader and outcome.
pub type Endings = BTreeMap<(String, &'static str), usize>;

/// Where a card lies, and the hand that moves it.
enum Place<'a> {
    InProcess(&'a InProcessReader<Chip>, ReaderId),
    Pcsc(&'a PcscBench, usize, ReaderId),
    Nfc(&'a Pn532, ReaderId),
    Network(&'a Hn212, ReaderId),
}

/// Reads on six readers of every kind at once, each with another person's card, `total` readings in all: two behind a
/// `pcscd` in `folder`, two PN532 behind libnfc, one with a network of its own, one in this process. One in three has its
/// card pulled out somewhere in the middle, or, where the reader converses with chips by itself, something else happen to it.
///
/// The environment of this process must lead to `folder` already (see [`PcscBench::start_in`]), and this program, started
/// as `nfc-worker CONNSTRING`, must run libnfc.
pub fn crowd(folder: &Path, total: usize, seed: u64) -> Result<Endings> {
    let issuer = Issuer::new()?;
    let persons: Vec<Person> = people::cards()
        .into_iter()
        .take(6)
        .map(|(_, card)| Person::of(card, &issuer))
        .collect::<Result<_>>()?;
    ensure!(persons.len() == 6, "too few cards");
    let hand = InProcessReader::<Chip>::new();
    let bench = PcscBench::start_in(folder, &["Desk 0", "Desk 1"])?;
    let pn532: Vec<Pn532> = (0..2)
        .map(|number| Pn532::plugged(&folder.join(format!("pn532-{number}"))))
        .collect::<std::io::Result<_>>()?;
    let network = Hn212::plugged()?;
    let nfc = NfcSource::new(NfcOptions {
        readers: (0..)
            .zip(&pn532)
            .map(|(number, reader)| DeskNfcReader {
                name: format!("NFC {number}"),
                connstring: reader.connstring(),
            })
            .collect(),
        exchange_within: PATIENCE,
        worker: WorkerProgram::this_program(),
        catalogue: ReaderCatalogue::shipped(),
    });
    let networks = NetworkSource::new(NetworkOptions {
        readers: vec![DeskNetworkReader {
            name: "Network 0".to_owned(),
            address: network.address(),
            tls: None,
            token_file: None,
        }],
        // Waited for to its end where a reader breaks off; well more than a whole card takes.
        files_within: Duration::from_secs(10),
        keep: PATIENCE,
    });
    let engine = engine(vec![
        Arc::new(hand.clone()),
        Arc::new(PcscSource::new(PcscOptions::default())),
        Arc::new(nfc),
        Arc::new(networks),
    ]);
    let handle = engine.handle();
    cccd_patience::ready("the first look of every source", handle.settled())?;
    let mut places = vec![Place::InProcess(&hand, hand.attach("Lane 0", ChannelLimits::EXTENDED)?)];
    for number in 0..2 {
        places.push(Place::Pcsc(&bench, number, listed(&handle, &format!("Desk {number}"))?));
    }
    for (number, reader) in (0..).zip(&pn532) {
        places.push(Place::Nfc(reader, listed(&handle, &format!("NFC {number}"))?));
    }
    places.push(Place::Network(&network, listed(&handle, "Network 0")?));
    let endings = Mutex::new(Endings::new());
    let each = total.div_ceil(places.len());
    std::thread::scope(|scope| -> Result<()> {
        let threads: Vec<_> = places
            .iter()
            .zip(&persons)
            .zip(1..)
            .map(|((place, person), number)| {
                let (handle, endings) = (&handle, &endings);
                let mut random = Random::seeded(seed.wrapping_add(number));
                scope.spawn(move || -> Result<()> {
                    for _ in 0..each {
                        let pulled = random.below(3) == 0;
                        let at = if pulled { Some(random.below(60)) } else { None };
                        let ended = place.read(handle, person, at)?;
                        let word = match &ended {
                            Ok(reading) => {
                                ensure!(reading.reader == *place.id(), "another reader's reading");
                                person.is_in(reading)?;
                                "read"
                            }
                            Err(failure) => failure.code(),
                        };
                        let mut endings = endings.lock().unwrap_or_else(PoisonError::into_inner);
                        *endings.entry((place.id().to_string(), word)).or_default() += 1;
                    }
                    Ok(())
                })
            })
            .collect();
        for thread in threads {
            thread.join().map_err(|_| anyhow::anyhow!("a hand fell off"))??;
        }
        Ok(())
    })?;
    drop(engine);
    Ok(endings.into_inner().unwrap_or_else(PoisonError::into_inner))
}

impl Place<'_> {
    fn id(&self) -> &ReaderId {
        match self {
            Self::InProcess(_, id) | Self::Pcsc(_, _, id) | Self::Nfc(_, id) | Self::Network(_, id) => id,
        }
    }

    /// Lays the card down and reads it; takes it away at command `pulled_at`, if the reading comes that far.
    fn read(
        &self,
        handle: &EngineHandle,
        person: &Person,
        pulled_at: Option<usize>,
    ) -> Result<Result<Arc<Reading>, ReadFailure>> {
        let chip = Chip::new(person.image.clone());
        match self {
            Self::InProcess(hand, id) => {
                hand.remove(id);
                hand.insert(id, chip)?;
                if let Some(at) = pulled_at {
                    hand.plan_faults(id, FaultPlan::default().at(at, Fault::PullCard))?;
                }
                read(handle, id, person)
            }
            Self::Pcsc(bench, number, id) => {
                let device = bench.reader(*number).context("no such reader")?;
                let hand = Hand {
                    lay: &|card| device.insert(card).map_err(Into::into),
                    lift: &|| drop(device.remove()),
                    has_card: &|| device.has_card(),
                };
                hand.read(handle, id, person, chip, pulled_at)
            }
            Self::Nfc(device, id) => {
                let hand = Hand {
                    lay: &|card| device.insert(card).map_err(Into::into),
                    lift: &|| drop(device.remove()),
                    has_card: &|| device.has_card(),
                };
                hand.read(handle, id, person, chip, pulled_at)
            }
            Self::Network(device, id) => {
                wait_for_card(handle, id, false)?;
                // There is no pulling a card out of a reader that has read it before anybody hears of it.
                let fault = pulled_at.map(|at| match at % 6 {
                    0 => Hn212Fault::CutsTheLine,
                    1 => Hn212Fault::HalfAnEvent,
                    2 => Hn212Fault::MalformedJson,
                    3 => Hn212Fault::TooLong,
                    4 => Hn212Fault::Silent,
                    _ => Hn212Fault::Fails,
                });
                let lay = || match fault {
                    None => device.insert(&person.card, chip),
                    Some(fault) => device.insert_going_wrong(&person.card, chip, fault),
                };
                read_while(handle, id, mrz(&person.card)?, lay)
            }
        }
    }
}

/// A hand at a reader that carries commands.
struct Hand<'a> {
    lay: &'a (dyn Fn(Box<dyn Card>) -> Result<()> + Sync),
    lift: &'a (dyn Fn() + Sync),
    has_card: &'a (dyn Fn() -> bool + Sync),
}

impl Hand<'_> {
    fn read(
        &self,
        handle: &EngineHandle,
        id: &ReaderId,
        person: &Person,
        chip: Chip,
        pulled_at: Option<usize>,
    ) -> Result<Result<Arc<Reading>, ReadFailure>> {
        (self.lift)();
        wait_for_card(handle, id, false)?;
        let Some(at) = pulled_at else {
            (self.lay)(Box::new(chip))?;
            wait_for_card(handle, id, true)?;
            return read(handle, id, person);
        };
        // No reading has fewer commands.
        let (held, hold) = HeldCard::after(at % 8, chip);
        (self.lay)(Box::new(held))?;
        wait_for_card(handle, id, true)?;
        std::thread::scope(|scope| {
            let pulling = scope.spawn(move || {
                hold.wait_until_reached();
                std::thread::scope(|scope| {
                    scope.spawn(|| (self.lift)());
                    while (self.has_card)() {
                        std::thread::yield_now();
                    }
                    drop(hold);
                });
            });
            let ended = read(handle, id, person);
            pulling.join().map_err(|_| anyhow::anyhow!("a hand fell off"))?;
            ended
        })
    }
}

/// Waits until the engine knows of a card on that reader, or of none.
fn wait_for_card(handle: &EngineHandle, id: &ReaderId, has_card: bool) -> Result<()> {
    let mut events = handle.subscribe(CallerId::new("tests"), None).blocking_recv()?;
    loop {
        let readers = handle.readers().blocking_recv()?;
        if readers.iter().any(|reader| reader.info.id == *id && reader.has_card == has_card) {
            return Ok(());
        }
        // Who falls behind looks again as well.
        let _ = cccd_patience::ready("the card, there or gone", events.coming.recv());
    }
}

/// The id of the reader of this name, once it is listed.
fn listed(handle: &EngineHandle, name: &str) -> Result<ReaderId> {
    let caller = CallerId::new("tests");
    let mut events = handle.subscribe(caller, Some(0)).blocking_recv()?;
    loop {
        let readers = handle.readers().blocking_recv()?;
        if let Some(found) = readers.iter().find(|reader| reader.info.name.starts_with(name)) {
            return Ok(found.info.id.clone());
        }
        let _ = cccd_patience::ready("the reader", events.coming.recv());
    }
}

/// A small generator, so that a run can be had again (xorshift64*).
struct Random(u64);

impl Random {
    fn seeded(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).unwrap_or(0) % limit
    }
}
