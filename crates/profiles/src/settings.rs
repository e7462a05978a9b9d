//! `config/agent.toml`: the settings of one desk.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::audit_settings::{RawAudit, RawStore};
use crate::door_settings::{self, RawDoor};
use crate::fleet_settings::RawFleet;
use crate::handoff_settings::{RawHandoff, handoffs};
use crate::local_settings::{RawAdmin, RawLocal, RawLocalProgram};
use crate::network_settings::{self, RawNetworkReader};
use crate::nfc_settings::{self, RawNfc};
use crate::pairing_settings::RawPairing;
use crate::profile_settings::{RawOutbox, RawProfiles};
use crate::register_settings::{RawRegister, registers};
use crate::scanner_settings::{RawScanner, RawScanners};
use crate::served_settings::{RawServed, merged};
use crate::site_settings::{RawSite, is_name, sites};
use crate::target_settings::{RawTarget, targets};
use crate::terminal_settings::RawTerminal;
use crate::tls_settings::RawTls;
use crate::trust_settings::RawTrust;
use crate::{
    AuditSettings, AuditSettingsError, DeliveryTarget, DeskNetworkReader, DeskNfcReader, Door,
    DoorSettingsError, FleetSettings, FleetSettingsError, Handoff, HandoffSettingsError, LocalSettings,
    LocalSettingsError, MergeError, NetworkSettingsError, NfcSettingsError, NotATokenHash, NotAnOrigin,
    Origin, OutboxSettings, PairingSettings, PairingSettingsError, ProfileSettings, RegisterSettings,
    RegisterSettingsError, Results, ScannerSettings, ScannerSettingsError, Scope, ScopeSet, ServedSettings,
    ServedSettingsError, Site, SiteSettingsError, StoreSettings, TargetSettingsError, TerminalSettings,
    TerminalSettingsError, TlsSettings, TlsSettingsError, TokenHash, TrustSettings, TrustSettingsError,
};

/// The settings as meant.
#[derive(Debug, Clone)]
pub struct AgentSettings {
    /// The local HTTP API.
    pub api: ApiSettings,
    /// Programs and pages that may call it.
    pub callers: Vec<Caller>,
    /// Systems whose backend signs who may call from their pages.
    pub sites: Vec<Site>,
    /// Web pages that a person at the desk lets in by a code.
    pub pairing: PairingSettings,
    /// Pages that cannot call, for which the agent's own window reads.
    pub handoffs: Vec<Handoff>,
    /// Doors for programs that know another reader's messages.
    pub doors: Vec<Door>,
    /// The sockets of this machine, and its programs that call through them.
    pub local: LocalSettings,
    /// How readings run.
    pub readings: ReadingSettings,
    /// Which readers are used.
    pub readers: ReaderSettings,
    /// Readers that libnfc drives.
    pub nfc: Vec<DeskNfcReader>,
    /// Readers that have a network of their own.
    pub network_readers: Vec<DeskNetworkReader>,
    /// What becomes of scanned codes.
    pub scans: ScanSettings,
    /// Which scanners are used.
    pub scanners: ScannerSettings,
    /// Whom the agent trusts to have signed a document, and how that stays up to date.
    pub trust: TrustSettings,
    /// The certificates and the key with which chips open fingerprints and irises; without them they stay locked.
    pub terminal: Option<TerminalSettings>,
    /// Where the operator's own consumer profiles lie.
    pub profiles: ProfileSettings,
    /// Who came, and who is expected.
    pub registers: Vec<RegisterSettings>,
    /// Where results are delivered.
    pub targets: Vec<DeliveryTarget>,
    /// Where lies what is on its way there.
    pub outbox: OutboxSettings,
    /// The broker this desk reports to, where it is one of a fleet.
    pub fleet: Option<FleetSettings>,
    /// Where settings come from that many desks have in common.
    pub served: Option<ServedSettings>,
    /// The version of those that are beneath these; `None` where the desk has its own alone.
    pub served_version: Option<u64>,
    /// The machine's key and where it lies.
    pub evidence: EvidenceSettings,
    /// What outlives a restart.
    pub store: StoreSettings,
    /// Where entries of the audit chain go.
    pub audit: AuditSettings,
    /// What is written to the log.
    pub log: LogSettings,
}

/// The local HTTP API.
#[derive(Debug, Clone)]
pub struct ApiSettings {
    /// Where it listens: a loopback address. Port 0 takes any free one.
    pub listen: SocketAddr,
    /// What sites call this desk. Their tokens are for one desk; without a name here there can be no sites.
    pub workstation_id: Option<String>,
    /// How many requests of one caller are answered in a second, in the long run; zero for any number.
    pub requests_per_second: u32,
    /// The same over TLS, on a port of its own.
    pub tls: TlsSettings,
}

/// A program or page that may call.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Its name, for logs and for other callers who wait for a reader.
    pub name: String,
    /// The hash of its token.
    pub token: TokenHash,
    /// The pages it may call from. Empty for a program, which sends no `Origin`.
    pub origins: Vec<Origin>,
    /// What its block names; [`Self::granted`] says what that comes to.
    pub scopes: Vec<Scope>,
    /// Under which consumer profiles it may read. What a profile gives takes no scope: naming it here is the grant.
    pub profiles: Vec<String>,
    /// How often it may fetch a result.
    pub results: Results,
}

impl Caller {
    /// What it may do. Where its block names none of the scopes that reading or registers take, it has all that reading
    /// takes beside what it names; once it names one of them, it has what it names and nothing else. One that reads under profiles and
    /// names none reads under them alone, and sees readers and cards.
    pub fn granted(&self) -> ScopeSet {
        let named: ScopeSet = self.scopes.iter().copied().collect();
        // Whoever takes lists away for an office need not read cards.
        let telling = ScopeSet::reading().union(ScopeSet::registers());
        if !named.intersection(telling).is_empty() {
            named
        } else if self.profiles.is_empty() {
            named.union(ScopeSet::reading())
        } else {
            named.union([Scope::Readers, Scope::Presence].into_iter().collect())
        }
    }
}

/// How readings run.
#[derive(Debug, Clone, Copy)]
pub struct ReadingSettings {
    /// How long a reading waits for a card when the caller does not say.
    pub wait_for_card: Duration,
    /// How long a reading may take once the card is there.
    pub read_within: Duration,
    /// How long a reading whose card was lifted waits for it to be laid down again. Zero: not at all.
    pub wait_for_return: Duration,
    /// How long one exchange with the card may take before the reader is given up.
    pub exchange_within: Duration,
    /// How long a result is kept for its owner.
    pub keep_result: Duration,
    /// How many readings may wait at once.
    pub queue: usize,
}

/// Which readers are used.
#[derive(Debug, Clone)]
pub struct ReaderSettings {
    /// Names of readers to leave alone, `*` standing for anything.
    pub ignore: Vec<String>,
}

/// What becomes of scanned codes.
#[derive(Debug, Clone, Copy)]
pub struct ScanSettings {
    /// How long one is kept.
    pub keep: Duration,
}

/// The signing of evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceSettings {
    /// Where the machine's key lies. It is made when it is first needed.
    pub key_file: PathBuf,
}

/// What is written to the log.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
    /// One JSON object a line instead of text.
    pub json: bool,
}

/// Why a settings file cannot be used. The message names the line or the key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// Not TOML, a key nobody knows, or a value of the wrong kind.
    #[error(transparent)]
    Toml(#[from] toml::de::Error),
    /// The API would be reachable from the network.
    #[error("api.listen = {0}: only a loopback address such as 127.0.0.1 or [::1] is allowed")]
    NotLoopback(SocketAddr),
    /// Two callers of one name, or of one token.
    #[error("caller {0:?}: another caller has the same name or token")]
    CallerTwice(String),
    /// A caller without a name.
    #[error("a caller needs a name of 1 to 64 letters, digits, dots, hyphens or underscores, not {0:?}")]
    CallerName(String),
    /// A caller's token hash is not one.
    #[error("caller {name:?}: token_sha256: {source}")]
    Token {
        /// Whose.
        name: String,
        /// What is wrong.
        source: NotATokenHash,
    },
    /// A caller's origin is not one.
    #[error("caller {name:?}: origin {origin:?}: {source}")]
    Origin {
        /// Whose.
        name: String,
        /// As written.
        origin: String,
        /// What is wrong.
        source: NotAnOrigin,
    },
    /// TLS is set up wrongly.
    #[error(transparent)]
    Tls(#[from] TlsSettingsError),
    /// A site is set up wrongly.
    #[error(transparent)]
    Site(#[from] SiteSettingsError),
    /// Pairing is set up wrongly.
    #[error(transparent)]
    Pairing(#[from] PairingSettingsError),
    /// A hand-off is set up wrongly.
    #[error(transparent)]
    Handoff(#[from] HandoffSettingsError),
    /// A door is set up wrongly.
    #[error(transparent)]
    Door(#[from] DoorSettingsError),
    /// The sockets are set up wrongly.
    #[error(transparent)]
    Local(#[from] LocalSettingsError),
    /// A workstation's name that no token could carry.
    #[error("api.workstation_id = {0:?}: 1 to 64 letters, digits, dots, hyphens or underscores are possible")]
    WorkstationId(String),
    /// A number outside its range.
    #[error("{key} = {value}: {least} to {most} is possible")]
    OutOfRange {
        /// Which.
        key: &'static str,
        /// As written.
        value: u64,
        /// Smallest.
        least: u64,
        /// Largest.
        most: u64,
    },
    /// An NFC reader is set up wrongly.
    #[error(transparent)]
    Nfc(#[from] NfcSettingsError),
    /// A network reader is set up wrongly.
    #[error(transparent)]
    NetworkReader(#[from] NetworkSettingsError),
    /// A scanner is set up wrongly.
    #[error(transparent)]
    Scanner(#[from] ScannerSettingsError),
    /// The trust store is set up wrongly.
    #[error(transparent)]
    Trust(#[from] TrustSettingsError),
    /// The station is set up by halves.
    #[error(transparent)]
    Terminal(#[from] TerminalSettingsError),
    /// The audit is set up wrongly.
    #[error(transparent)]
    Audit(#[from] AuditSettingsError),
    /// A register is set up wrongly.
    #[error(transparent)]
    Register(#[from] RegisterSettingsError),
    /// A target of deliveries is set up wrongly.
    #[error(transparent)]
    Target(#[from] TargetSettingsError),
    /// The broker of the fleet is set up wrongly.
    #[error(transparent)]
    Fleet(#[from] FleetSettingsError),
    /// Served settings are set up wrongly.
    #[error(transparent)]
    Served(#[from] ServedSettingsError),
    /// Served settings cannot be put beneath the desk's own.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// A log level nobody knows.
    #[error("log.level = {0:?}: error, warn, info, debug or trace is possible")]
    LogLevel(String),
}

impl AgentSettings {
    /// Understands the text of a settings file. An empty one gives the defaults, with nobody allowed to
    /// call.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        toml::from_str::<RawSettings>(text)?.try_into()
    }

    /// Understands a desk's own settings with served ones beneath them.
    pub fn parse_with_served(own: &str, served: &str) -> Result<Self, SettingsError> {
        RawSettings::deserialize(merged(own, served)?)?.try_into()
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct RawSettings {
    api: RawApi,
    caller: Vec<RawCaller>,
    site: Vec<RawSite>,
    pairing: RawPairing,
    handoff: Vec<RawHandoff>,
    door: Vec<RawDoor>,
    local: RawLocal,
    local_program: Vec<RawLocalProgram>,
    admin: RawAdmin,
    readings: RawReadings,
    readers: RawReaders,
    nfc: Vec<RawNfc>,
    network_reader: Vec<RawNetworkReader>,
    scans: RawScans,
    scanners: RawScanners,
    scanner: Vec<RawScanner>,
    trust: RawTrust,
    terminal: RawTerminal,
    profiles: RawProfiles,
    register: Vec<RawRegister>,
    target: Vec<RawTarget>,
    outbox: RawOutbox,
    fleet: Option<RawFleet>,
    served: Option<RawServed>,
    evidence: RawEvidence,
    store: RawStore,
    audit: RawAudit,
    log: RawLog,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawApi {
    listen: SocketAddr,
    workstation_id: Option<String>,
    requests_per_second: u64,
    tls: RawTls,
}

impl Default for RawApi {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 9303)),
            workstation_id: None,
            requests_per_second: 100,
            tls: RawTls::default(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCaller {
    name: String,
    token_sha256: String,
    #[serde(default)]
    origins: Vec<String>,
    #[serde(default)]
    scopes: Vec<Scope>,
    #[serde(default)]
    profiles: Vec<String>,
    #[serde(default)]
    results: Results,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawReadings {
    wait_for_card_s: u64,
    read_within_s: u64,
    wait_for_return_s: u64,
    exchange_within_s: u64,
    keep_result_s: u64,
    queue: u64,
}

impl Default for RawReadings {
    fn default() -> Self {
        Self {
            wait_for_card_s: 30,
            read_within_s: 60,
            wait_for_return_s: 10,
            exchange_within_s: 15,
            keep_result_s: 90,
            queue: 16,
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct RawReaders {
    ignore: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawScans {
    keep_s: u64,
}

impl Default for RawScans {
    fn default() -> Self {
        Self { keep_s: 90 }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawEvidence {
    key_file: PathBuf,
}

impl Default for RawEvidence {
    fn default() -> Self {
        let key_file = if cfg!(windows) {
            r"C:\ProgramData\cccd-agent\evidence-key.json"
        } else {
            "/var/lib/cccd-agent/evidence-key.json"
        };
        Self { key_file: key_file.into() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawLog {
    level: String,
    json: bool,
}

impl Default for RawLog {
    fn default() -> Self {
        Self { level: "info".to_owned(), json: false }
    }
}

impl TryFrom<RawSettings> for AgentSettings {
    type Error = SettingsError;

    fn try_from(raw: RawSettings) -> Result<Self, SettingsError> {
        if !raw.api.listen.ip().is_loopback() {
            return Err(SettingsError::NotLoopback(raw.api.listen));
        }
        let mut callers: Vec<Caller> = Vec::new();
        for caller in raw.caller {
            let caller = Caller::try_from(caller)?;
            if callers.iter().any(|known| known.name == caller.name || known.token == caller.token) {
                return Err(SettingsError::CallerTwice(caller.name));
            }
            callers.push(caller);
        }
        if let Some(name) = raw.api.workstation_id.as_ref().filter(|name| !is_name(name)) {
            return Err(SettingsError::WorkstationId(name.clone()));
        }
        let requests = within("api.requests_per_second", raw.api.requests_per_second, 0, 100_000)?;
        let sites = sites(raw.site, raw.api.workstation_id.as_deref())?;
        let taken: Vec<&str> = callers.iter().map(|caller| caller.name.as_str()).collect();
        let local = LocalSettings::of(raw.local, raw.admin, raw.local_program, &taken)?;
        let pairing = raw.pairing.understood(local.admin_socket.is_some())?;
        let handoffs = handoffs(raw.handoff, local.admin_socket.is_some())?;
        let readings = raw.readings.try_into()?;
        let doors = door_settings::meant(raw.door, &callers, raw.api.listen)?;
        let nfc = nfc_settings::meant(raw.nfc)?;
        if !["error", "warn", "info", "debug", "trace"].contains(&raw.log.level.as_str()) {
            return Err(SettingsError::LogLevel(raw.log.level));
        }
        let fleet = raw.fleet.map(FleetSettings::try_from).transpose()?;
        Ok(Self {
            sites,
            pairing,
            handoffs,
            doors,
            local,
            api: ApiSettings {
                listen: raw.api.listen,
                workstation_id: raw.api.workstation_id,
                // At most 100000: the cast cannot lose anything.
                requests_per_second: u32::try_from(requests).unwrap_or(0),
                tls: raw.api.tls.understood(raw.api.listen)?,
            },
            callers,
            readings,
            readers: ReaderSettings { ignore: raw.readers.ignore },
            network_readers: network_settings::meant(raw.network_reader, &nfc)?,
            nfc,
            scans: ScanSettings { keep: seconds("scans.keep_s", raw.scans.keep_s, 10, 120)? },
            scanners: ScannerSettings::of(&raw.scanners, raw.scanner)?,
            trust: raw.trust.try_into()?,
            terminal: raw.terminal.try_into()?,
            profiles: raw.profiles.into(),
            registers: registers(raw.register)?,
            targets: targets(raw.target, fleet.as_ref())?,
            outbox: raw.outbox.into(),
            fleet,
            served: raw.served.map(ServedSettings::try_from).transpose()?,
            served_version: None,
            evidence: EvidenceSettings { key_file: raw.evidence.key_file },
            store: raw.store.into(),
            audit: raw.audit.try_into()?,
            log: LogSettings { level: raw.log.level, json: raw.log.json },
        })
    }
}

impl TryFrom<RawCaller> for Caller {
    type Error = SettingsError;

    fn try_from(raw: RawCaller) -> Result<Self, SettingsError> {
        let RawCaller { name, token_sha256, origins, scopes, profiles, results } = raw;
        if !is_name(&name) {
            return Err(SettingsError::CallerName(name));
        }
        let token = TokenHash::from_hex(&token_sha256)
            .map_err(|source| SettingsError::Token { name: name.clone(), source })?;
        let origins = origins
            .into_iter()
            .map(|origin| {
                Origin::parse(&origin).map_err(|source| SettingsError::Origin {
                    name: name.clone(),
                    origin,
                    source,
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { name, token, origins, scopes, profiles, results })
    }
}

impl TryFrom<RawReadings> for ReadingSettings {
    type Error = SettingsError;

    fn try_from(raw: RawReadings) -> Result<Self, SettingsError> {
        Ok(Self {
            wait_for_card: seconds("readings.wait_for_card_s", raw.wait_for_card_s, 1, 600)?,
            read_within: seconds("readings.read_within_s", raw.read_within_s, 5, 600)?,
            wait_for_return: seconds("readings.wait_for_return_s", raw.wait_for_return_s, 0, 60)?,
            exchange_within: seconds("readings.exchange_within_s", raw.exchange_within_s, 2, 60)?,
            keep_result: seconds("readings.keep_result_s", raw.keep_result_s, 10, 120)?,
            // At most 256: the cast cannot lose anything.
            queue: usize::try_from(within("readings.queue", raw.queue, 1, 256)?).unwrap_or(1),
        })
    }
}

fn within(key: &'static str, value: u64, least: u64, most: u64) -> Result<u64, SettingsError> {
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err(SettingsError::OutOfRange { key, value, least, most })
    }
}

fn seconds(key: &'static str, value: u64, least: u64, most: u64) -> Result<Duration, SettingsError> {
    within(key, value, least, most).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_file_says_the_defaults() {
        let shipped = AgentSettings::parse(include_str!("../../../config/agent.toml")).unwrap();
        assert_eq!(format!("{shipped:?}"), format!("{:?}", AgentSettings::parse("").unwrap()));
    }

    #[test]
    fn mistakes_name_their_place() {
        let hash = TokenHash::of("x").to_hex();
        for (text, told) in [
            ("[api]\nlisten = '192.168.1.4:9303'", "loopback"),
            ("[api]\nport = 9303", "unknown field `port`"),
            ("[api.tls]\nlisten = '0.0.0.0:9304'", "api.tls.listen = 0.0.0.0:9304: only a loopback"),
            ("[api.tls]\nlisten = 'localhost:9304'", "an address and a port"),
            ("[api.tls]\nlisten = '127.0.0.1:9303'", "api.listen has this port"),
            ("[api.tls]\ndays = 3650", "api.tls.days = 3650: 60 to 825"),
            ("[log]\nlevel = 'loud'", "log.level"),
            ("[trust]\nallow_fetching = true", "unknown field `allow_fetching`"),
            ("[trust]\nfetch_within_s = 0", "trust.fetch_within_s = 0: 1 to 600"),
            ("[pairing]\nenabled = true", "pairing.enabled needs admin.socket"),
            ("[pairing]\norigins = ['*']", "pairing.origins"),
            ("[pairing]\ngrant_days = 0", "pairing.grant_days = 0: 1 to 730"),
            ("[pairing]\nscopes = ['admin']", "unknown variant `admin`"),
            ("[[local_program]]\nname = 'his'\nusers = ['his']", "needs local.socket"),
            ("[local]\nsocket = '/x'\n[[local_program]]\nname = 'his'", "needs users or groups"),
            ("[local]\nsocket = '/x'\n[admin]\nsocket = '/x'", "the same file"),
            ("[terminal]\nkey_file = 'x'", "terminal.certificates"),
            ("[terminal]\ncertificates = ['x']", "terminal.key_file"),
            ("[terminal]\npin = '1234'", "unknown field `pin`"),
            ("[audit]\nsyslog = 'soc.example.vn'", "udp://HOST"),
            (
                "[audit]\nsyslog = 'tcp://soc'\nsyslog_ca_file = 'x'",
                "audit.syslog_ca_file is for tls:// only",
            ),
            (
                "[audit]\nsyslog = 'tls://soc'\nsyslog_key = 'x'",
                "audit.syslog_certificate and audit.syslog_key",
            ),
            ("[store]\nfile = 'x'", "unknown field `file`"),
            ("[readings]\nkeep_result_s = 86400", "readings.keep_result_s = 86400: 10 to 120"),
            ("[scans]\nkeep_s = 121", "scans.keep_s = 121: 10 to 120"),
            ("[[caller]]\nname = 'a b'\ntoken_sha256 = ''", "letters, digits"),
            ("[[caller]]\nname = 'a'\ntoken_sha256 = 'secret'", "cccd-agent token"),
            ("[[caller]]\nname = 'a'\ntoken_sha256 = ''\nresults = 'never'", "unknown variant `never`"),
            (&format!("[[caller]]\nname = 'a'\ntoken_sha256 = '{hash}'\norigins = ['*']"), "origin \"*\""),
            (
                &format!(
                    "[[caller]]\nname='a'\ntoken_sha256='{hash}'\n[[caller]]\nname='b'\ntoken_sha256='{hash}'"
                ),
                "same name or token",
            ),
        ] {
            let message = AgentSettings::parse(text).unwrap_err().to_string();
            assert!(message.contains(told), "{message}");
        }
    }
    #[test]
    fn who_reads_under_profiles_reads_no_record_unless_that_is_said() {
        let granted = |more: &str| {
            let hash = TokenHash::of("x").to_hex();
            let text = format!("[[caller]]\nname = 'a'\ntoken_sha256 = '{hash}'\n{more}");
            AgentSettings::parse(&text).unwrap().callers[0].granted()
        };
        assert_eq!(granted(""), ScopeSet::reading());
        let seen: ScopeSet = [Scope::Readers, Scope::Presence].into_iter().collect();
        assert_eq!(granted("profiles = ['exam']"), seen);
        let with_scan = granted("profiles = ['exam']\nscopes = ['scan']");
        assert_eq!(with_scan, seen.union([Scope::Scan].into_iter().collect()));
        let with_id = granted("profiles = ['exam']\nscopes = ['read.id']");
        assert_eq!(with_id, [Scope::ReadId].into_iter().collect());
    }
}
