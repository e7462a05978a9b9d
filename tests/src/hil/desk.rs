//! The engine over the one reader of a bench.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use cccd_card::{Atr, CardChannel, ChannelLimits, ReaderId, ReaderInfo, ReaderSource, TransportError};
use cccd_document::{AccessKey, Biometrics, FieldSet};
use cccd_engine::{
    CallerId, Engine, EngineOptions, EventKind, ReadFailure, ReadId, ReadRequest, Reading, every_group,
};
use cccd_profiles::{DeskNfcReader, ReaderCatalogue};
use cccd_readers::{NfcOptions, NfcSource, PcscOptions, PcscSource, WorkerProgram};
use cccd_trust::{Basis, Policy, TrustAnchors, judge};
use time::OffsetDateTime;
use tokio::sync::broadcast;
use tokio::time::timeout;

use super::bench_file::{ReaderPlace, is_meant};

/// How long one exchange may take.
const EXCHANGE: Duration = Duration::from_secs(20);

/// It, and what happens at it.
pub(super) struct Desk {
    engine: Engine,
    source: Arc<dyn ReaderSource>,
    pub(super) reader: ReaderInfo,
    events: broadcast::Receiver<cccd_engine::Event>,
    runtime: tokio::runtime::Runtime,
    patience: Duration,
}

/// What a reading came to, and what was told while it ran.
pub(super) struct Told {
    pub(super) outcome: Result<Arc<Reading>, ReadFailure>,
    pub(super) events: Vec<EventKind>,
}

fn caller() -> CallerId {
    CallerId::new("hil")
}

impl Desk {
    /// Starts it and waits for the reader. What profiles say of it is left out: it is to be measured.
    pub(super) fn start(place: &ReaderPlace, patience: Duration) -> Result<Self> {
        let source: Arc<dyn ReaderSource> = match place {
            ReaderPlace::Pcsc { .. } => Arc::new(PcscSource::new(PcscOptions {
                exchange_within: EXCHANGE,
                catalogue: ReaderCatalogue::new(Vec::new()),
                ..PcscOptions::default()
            })),
            ReaderPlace::Nfc { connstring } => Arc::new(NfcSource::new(NfcOptions {
                readers: vec![DeskNfcReader { name: "bench".to_owned(), connstring: connstring.clone() }],
                exchange_within: EXCHANGE,
                worker: WorkerProgram::this_program(),
                catalogue: ReaderCatalogue::new(Vec::new()),
            })),
        };
        let options = EngineOptions {
            wait_for_card: patience,
            read_within: Duration::from_secs(120),
            wait_for_return: patience,
            clock: Arc::new(now),
            judge: Arc::new(|evidence, now| {
                let policy = Policy::default();
                judge(evidence, Basis { anchors: &TrustAnchors::new(), crls: &[], policy: &policy }, now)
                    .verdict
            }),
            ..EngineOptions::default()
        };
        let engine = Engine::start(vec![Arc::clone(&source)], Vec::new(), options);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let handle = engine.handle();
        let subscription = runtime.block_on(handle.subscribe(caller(), Some(0)))?;
        runtime.block_on(handle.settled())?;
        let meant = |reader: &ReaderInfo| match place {
            ReaderPlace::Pcsc { pcsc_name } => is_meant(pcsc_name, &reader.name),
            ReaderPlace::Nfc { .. } => true,
        };
        let mut events = subscription.coming;
        let reader = loop {
            let readers = runtime.block_on(handle.readers())?;
            if let Some(reader) = readers.into_iter().map(|view| view.info).find(&meant) {
                break reader;
            }
            next(&runtime, &mut events, patience).context("the reader of this bench never came")?;
        };
        Ok(Self { engine, source, reader, events, runtime, patience })
    }

    fn id(&self) -> ReaderId {
        self.reader.id.clone()
    }

    /// Waits until a card lies there, or none does any more.
    pub(super) fn wait_for_card(&mut self, wanted: bool) -> Result<()> {
        let id = self.id();
        loop {
            let readers = self.runtime.block_on(self.engine.handle().readers())?;
            let view = readers.into_iter().find(|view| view.info.id == id);
            if view.is_some_and(|view| view.has_card == wanted) {
                return Ok(());
            }
            let word = if wanted { "no card was laid down" } else { "the card was not taken away" };
            next(&self.runtime, &mut self.events, self.patience).context(word)?;
        }
    }

    /// A connection to the card that lies there. Only while nothing is read.
    pub(super) fn connect(&self) -> Result<Box<dyn CardChannel>, TransportError> {
        self.source.connect(&self.id())
    }

    /// What the card answered to reset.
    pub(super) fn atr(&self) -> Result<Atr> {
        Ok(self.connect()?.atr().clone())
    }

    /// What the channel carries.
    pub(super) fn limits(&self) -> Result<ChannelLimits> {
        Ok(self.connect()?.limits())
    }

    /// Asks for a reading.
    pub(super) fn submit(&mut self, key: AccessKey, wait_for_card: Option<Duration>) -> Result<ReadId> {
        // What was told before is not of this reading.
        while self.events.try_recv().is_ok() {}
        let request = ReadRequest {
            owner: caller(),
            reader: Some(self.id()),
            access: key.into(),
            nonce: None,
            expect: None,
            under: None,
            biometrics: Biometrics::NONE,
            groups: every_group(),
            fields: FieldSet::ALL,
            wait_for_card,
        };
        Ok(self.runtime.block_on(self.engine.handle().submit(request))??.id)
    }

    /// Waits for the next thing that is told.
    pub(super) fn hear(&mut self) -> Result<EventKind> {
        next(&self.runtime, &mut self.events, self.patience)
    }

    /// Waits until a reading is over.
    pub(super) fn follow(&mut self, read: ReadId) -> Result<Told> {
        let mut events = Vec::new();
        loop {
            let event = self.hear()?;
            events.push(event.clone());
            let outcome = match event {
                EventKind::ReadCompleted { read: of } if of == read => {
                    let result = self.runtime.block_on(self.engine.handle().result(caller(), read))?;
                    Ok(result.map_err(|why| anyhow::anyhow!("{why}"))?)
                }
                EventKind::ReadFailed { read: of, failure } if of == read => Err(failure),
                _ => continue,
            };
            return Ok(Told { outcome, events });
        }
    }

    /// Reads the card that lies there.
    pub(super) fn read(&mut self, key: AccessKey) -> Result<Told> {
        let read = self.submit(key, None)?;
        self.follow(read)
    }
}

fn next(
    runtime: &tokio::runtime::Runtime,
    events: &mut broadcast::Receiver<cccd_engine::Event>,
    patience: Duration,
) -> Result<EventKind> {
    let waited = runtime.block_on(async { timeout(patience, events.recv()).await });
    match waited {
        Ok(Ok(event)) => Ok(event.kind),
        Ok(Err(error)) => bail!("events: {error}"),
        Err(_) => bail!("nothing happened for {} s", patience.as_secs()),
    }
}

#[expect(clippy::disallowed_methods, reason = "a reading on a bench is judged as of now")]
pub(super) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
