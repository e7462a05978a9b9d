//! The daemon: an engine, and the API in front of it.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::grant_book::StoredGrants;
use crate::learned_shapes::LearnedShapes;
use crate::outbox_desk;
use crate::profile_shelf::ProfileShelf;
use crate::register_desk;
use crate::replays::LastingReplays;
use crate::tls::TlsServer;
use crate::trust::TrustHandle;
use crate::{audit, evidence_key, fleet, station};
use anyhow::{Context as _, Result};
use cccd_api::{Access, AgentFacts, Api, ProfileSource as _};
use cccd_card::{ReaderSource, ScannerSource};
use cccd_delivery::Carriers;
use cccd_engine::{Engine, EngineOptions, Judge, NoMemory, Witness};
use cccd_profiles::{AgentSettings, ReaderCatalogue, TerminalSettings, UnnamedScanners};
use cccd_readers::{
    NetworkOptions, NetworkSource, NfcOptions, NfcSource, PcscOptions, PcscSource, SerialOptions,
    SerialSource, WorkerProgram,
};
use cccd_store::{Entry, EntryKind, Scribe};
use cccd_trust::{Basis, Policy, judge};
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A running agent.
pub struct Agent {
    address: SocketAddr,
    runtime: Runtime,
    server: JoinHandle<()>,
    tls: Option<TlsServer>,
    stop: oneshot::Sender<()>,
    engine: Engine,
    carriers: Option<Carriers>,
    reporter: Option<fleet::Reporter>,
    /// The doors that are no port.
    #[cfg(unix)]
    sockets: Vec<crate::socket::Served>,
    doors: Vec<crate::doors::OpenDoor>,
    scribe: Scribe,
}

impl Agent {
    /// Starts the engine over kinds of readers and scanners, and serves the API.
    pub fn start(
        settings: &AgentSettings,
        readers: Vec<Arc<dyn ReaderSource>>,
        scanners: Vec<Arc<dyn ScannerSource>>,
    ) -> Result<Self> {
        more_files();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .context("cannot start the runtime")?;
        if let Some(terminal) = &settings.terminal {
            start_as_station(terminal)?;
        }
        let listen = settings.api.listen;
        let listener = runtime.block_on(TcpListener::bind(listen)).with_context(|| {
            format!("cannot listen on {listen}; is another agent running, or another program on this port?")
        })?;
        let address = listener.local_addr().context("cannot tell the address")?;
        let scribe = audit::start(&settings.store)?;
        audit::forward(&settings.audit, &scribe)?;
        let started = Entry::new(EntryKind::AgentStarted)
            .with("version", env!("CARGO_PKG_VERSION"))
            .with("address", address.to_string())
            .with("callers", settings.callers.len().to_string());
        scribe.enter(started);
        let options = EngineOptions {
            witness: audit::witness(scribe.clone()),
            memory: Arc::new(LearnedShapes(scribe.store().clone())),
            ..engine_options(settings)
        };
        let engine = Engine::start(readers, scanners, options);
        let facts = AgentFacts { version: env!("CARGO_PKG_VERSION").to_owned(), features: Vec::new() };
        let mut api = Api::new(engine.handle(), access(settings, &scribe), facts).keeping(scribe.clone());
        let key_file = &settings.evidence.key_file;
        // Readings go on without it: only evidence cannot be had.
        let key = match evidence_key::read_or_make(key_file) {
            Ok(key) => Some(Arc::new(key)),
            Err(error) => {
                tracing::warn!("no evidence can be signed: {error:#}");
                None
            }
        };
        if let Some(key) = &key {
            api = api.signing_with(Arc::clone(key));
        }
        let shelf = ProfileShelf::open(&settings.profiles.directory);
        let granted = settings.callers.iter().flat_map(|caller| &caller.profiles);
        let granted = granted.chain(settings.sites.iter().flat_map(|site| &site.profiles));
        let granted = granted.chain(settings.local.programs.iter().flat_map(|program| &program.profiles));
        for name in granted.chain(&settings.pairing.profiles) {
            if shelf.find(name).is_none_or(|ready| ready.lacks_key()) {
                tracing::warn!(
                    profile = name,
                    "granted to a caller and cannot be used: see `cccd-agent profile list`"
                );
            }
        }
        api = api.reading_under(Arc::new(shelf));
        if let Some(registers) = register_desk::open(settings, scribe.store())? {
            api = api.entering_in(Arc::new(registers));
        }
        let started = {
            let _runtime = runtime.enter();
            let broker = settings.fleet.as_ref().map(fleet::connect).transpose()?;
            let started = outbox_desk::start(settings, broker.as_ref(), key)?;
            let outbox = started.as_ref().map(|(desk, _)| desk.outbox());
            let facts =
                fleet::Facts { engine: engine.handle(), outbox, configuration: settings.served_version };
            (started, broker.map(|broker| fleet::Reporter::start(broker, facts)))
        };
        let (started, reporter) = started;
        let carriers = started.map(|(desk, carriers)| {
            api = api.clone().delivering(Arc::new(desk));
            carriers
        });
        let (stop, stopped) = oneshot::channel();
        let shutdown = async move {
            let _ = stopped.await;
        };
        // Before any other door is open: it counts what they read.
        let serving = cccd_api::serve(listener, api.clone(), shutdown);
        #[cfg(unix)]
        let sockets = runtime.block_on(async { crate::socket::serve(&settings.local, &api) })?;
        let tls = runtime.block_on(TlsServer::start(&settings.api.tls, api.clone()))?;
        let doors = runtime.block_on(crate::doors::open(&settings.doors, &api))?;
        let server = runtime.spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(%error, "the API has stopped");
            }
        });
        if let Some(tls) = &tls {
            tracing::info!(address = %tls.address, "https");
        }
        tracing::info!(%address, callers = settings.callers.len(), "serving");
        Ok(Self {
            address,
            runtime,
            server,
            tls,
            stop,
            engine,
            doors,
            scribe,
            carriers,
            reporter,
            #[cfg(unix)]
            sockets,
        })
    }

    /// Where the API listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens over TLS.
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.tls.as_ref().map(|tls| tls.address)
    }

    /// Where its doors listen, in the order of the settings.
    pub fn doors(&self) -> Vec<SocketAddr> {
        self.doors.iter().filter_map(|door| door.address).collect()
    }

    /// Stops taking requests, calls readings off, and waits for everything to end.
    pub fn stop(self) {
        let Self {
            runtime,
            server,
            tls,
            stop,
            engine,
            doors,
            scribe,
            carriers,
            reporter,
            #[cfg(unix)]
            sockets,
            ..
        } = self;
        // Readings end first: whoever waits for one hears why before the connection closes.
        drop(engine);
        let _ = stop.send(());
        let _ = runtime.block_on(server);
        if let Some(tls) = tls {
            runtime.block_on(tls.stop());
        }
        for door in doors {
            runtime.block_on(door.close());
        }
        #[cfg(unix)]
        for socket in sockets {
            runtime.block_on(socket.stop());
        }
        scribe.enter(Entry::new(EntryKind::AgentStopped));
        scribe.close();
        // Last: what the final answers put in is carried on after a restart.
        if let Some(carriers) = carriers {
            runtime.block_on(carriers.stop());
        }
        if let Some(reporter) = reporter {
            runtime.block_on(reporter.stop());
        }
    }
}

/// Who may call.
fn access(settings: &AgentSettings, scribe: &Scribe) -> Access {
    Access {
        callers: settings.callers.clone(),
        sites: settings.sites.clone(),
        pairing: settings.pairing.clone(),
        handoffs: settings.handoffs.clone(),
        workstation_id: settings.api.workstation_id.clone(),
        grants: Arc::new(StoredGrants(scribe.clone())),
        replays: Arc::new(LastingReplays(scribe.store().clone())),
        clock: Arc::new(now),
        requests_per_second: settings.api.requests_per_second,
    }
}

/// As many files as the system lets us open: each connection is one, and the usual limit of 1024 is less than the
/// API serves. Without it connections wait longer to be taken.
#[cfg(unix)]
fn more_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

#[cfg(not(unix))]
fn more_files() {}

pub(crate) fn engine_options(settings: &AgentSettings) -> EngineOptions {
    EngineOptions {
        wait_for_card: settings.readings.wait_for_card,
        read_within: settings.readings.read_within,
        wait_for_return: settings.readings.wait_for_return,
        keep_result: settings.readings.keep_result,
        keep_scan: settings.scans.keep,
        queue: settings.readings.queue,
        clock: Arc::new(now),
        judge: judge_by(settings),
        station: station::of(settings.terminal.clone()),
        witness: Witness::none(),
        memory: Arc::new(NoMemory),
    }
}

/// A station that is set up wrongly does not start: whoever set it up shall hear of it now. One whose certificates
/// are merely out of date does, since cards can be read all the same and a renewal counts at once.
fn start_as_station(settings: &TerminalSettings) -> Result<()> {
    let terminal = station::load(settings).context("[terminal] cannot be used")?;
    for own in terminal.own() {
        let rights = terminal.rights(own);
        let (fingerprints, irises) = (rights.fingerprints, rights.irises);
        tracing::info!(station = own.holder(), expires = %own.expires(), fingerprints, irises, "certified");
    }
    if let Err(error) = terminal.valid_on(now().date()) {
        tracing::error!(%error, "fingerprints and irises stay locked until the certificates are renewed");
    }
    Ok(())
}

/// Judges by the trust store as it is at that moment. A store that cannot be read trusts nothing: readings go
/// on, and are unconfirmed.
fn judge_by(settings: &AgentSettings) -> Judge {
    let directory = &settings.trust.directory;
    let trust = match TrustHandle::open(directory) {
        Ok(trust) => Some(trust),
        Err(error) => {
            tracing::error!(%error, "the trust store cannot be read: nothing is trusted until a restart");
            None
        }
    };
    Arc::new(move |evidence, now| {
        let current = trust.as_ref().map(TrustHandle::current).unwrap_or_default();
        let basis = Basis { anchors: &current.anchors, crls: &current.crls, policy: &Policy::default() };
        judge(evidence, basis, now).verdict
    })
}

/// The scanners of this machine, where the settings want any.
pub(crate) fn scanners(settings: &AgentSettings) -> Vec<Arc<dyn ScannerSource>> {
    let scanners = settings.scanners.clone();
    if scanners.named.is_empty() && scanners.unnamed == UnnamedScanners::Left {
        return Vec::new();
    }
    vec![Arc::new(SerialSource::new(SerialOptions { scanners }))]
}

/// The readers of this machine.
pub(crate) fn readers(settings: &AgentSettings) -> Vec<Arc<dyn ReaderSource>> {
    let exchange_within = settings.readings.exchange_within;
    let pcsc = PcscSource::new(PcscOptions {
        ignore: settings.readers.ignore.clone(),
        exchange_within,
        ..PcscOptions::default()
    });
    let mut sources: Vec<Arc<dyn ReaderSource>> = vec![Arc::new(pcsc)];
    if !settings.nfc.is_empty() {
        sources.push(Arc::new(NfcSource::new(NfcOptions {
            readers: settings.nfc.clone(),
            exchange_within,
            worker: WorkerProgram::this_program(),
            catalogue: ReaderCatalogue::shipped(),
        })));
    }
    if !settings.network_readers.is_empty() {
        sources.push(Arc::new(NetworkSource::new(NetworkOptions {
            readers: settings.network_readers.clone(),
            files_within: exchange_within,
            keep: settings.readings.keep_result,
        })));
    }
    sources
}

#[expect(clippy::disallowed_methods, reason = "the one place that asks the clock")]
pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// An interrupt or a request to terminate: one that comes while nobody waits for it is not forgotten. Made within a
/// runtime.
pub(crate) struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    /// What has the agent look at served settings. Where none are served it is nobody's, and must not end the program.
    #[cfg(unix)]
    _hangup: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    pub(crate) fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            _hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for one.
    pub(crate) async fn ends(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self {})
    }

    /// Waits for one.
    pub(crate) async fn ends(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}
