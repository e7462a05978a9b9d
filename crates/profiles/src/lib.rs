//! The Rust side of every file under `devices/` and `config/`.
//!
//! A file as written and a file as meant are two types. The first is private, has plain fields and refuses
//! keys it does not know; the second comes only from the first, and cannot be wrong.
//!
//! ```
//! use cccd_profiles::AgentSettings;
//!
//! let settings = AgentSettings::parse("[api]\nlisten = '127.0.0.1:9304'\n")?;
//! assert_eq!(settings.api.listen.port(), 9304);
//!
//! let wrong = AgentSettings::parse("[api]\nlisten = '0.0.0.0:9304'\n").unwrap_err();
//! assert!(wrong.to_string().contains("loopback"));
//! # Ok::<(), cccd_profiles::SettingsError>(())
//! ```
//!
//! It opens no file but those compiled into it: the caller reads, this crate understands.

#![forbid(unsafe_code)]

mod audit_settings;
mod code_encoding;
pub mod consumer;
mod door_settings;
mod fleet_settings;
mod handoff_settings;
mod local_settings;
mod network_settings;
mod nfc_settings;
mod origin;
mod pairing_settings;
mod profile_settings;
mod reader_profile;
mod register_settings;
mod results;
mod scanner_profile;
mod scanner_settings;
mod scope;
mod served_settings;
mod settings;
mod site_settings;
mod target_settings;
mod terminal_settings;
mod tls_settings;
mod token;
mod trust_settings;
mod usb_id;
mod web_settings;

pub use audit_settings::{
    AuditSettings, AuditSettingsError, ClientCertificate, StoreSettings, SyslogServer, SyslogSettings,
    SyslogTransport,
};
pub use code_encoding::CodeEncoding;
pub use consumer::{ConsumerCatalogue, ConsumerProfile, ConsumerProfileError};
pub use door_settings::{Door, DoorKind, DoorSettingsError};
pub use fleet_settings::{BrokerLogin, BrokerUrl, FleetSettings, FleetSettingsError, PersonalData};
pub use handoff_settings::{Handoff, HandoffSettingsError};
pub use local_settings::{LocalProgram, LocalSettings, LocalSettingsError};
pub use network_settings::{DeskNetworkReader, NetworkSettingsError, ReaderTrust};
pub use nfc_settings::{DeskNfcReader, NfcSettingsError};
pub use origin::{NotAnOrigin, Origin};
pub use pairing_settings::{PairingPages, PairingSettings, PairingSettingsError};
pub use profile_settings::{OutboxSettings, ProfileSettings};
pub use reader_profile::{
    EscapeCommands, ExchangeLevel, ExtendedLength, Grounds, OpenQuestion, ReaderCatalogue, ReaderProfile,
    ReaderProfileError, ReaderQuirk, Sighting, Slots,
};
pub use register_settings::{RegisterSettings, RegisterSettingsError};
pub use results::Results;
pub use scanner_profile::{
    CodeEnd, CodeFraming, CommandAnswer, FlowControl, Parity, ScannerCatalogue, ScannerCommand,
    ScannerCommands, ScannerProfile, ScannerProfileError, SerialLine, StopBits, SymbologyMark,
};
pub use scanner_settings::{
    DeskScanner, ScannerPlace, ScannerSettings, ScannerSettingsError, UnnamedScanners,
};
pub use scope::{Permissions, Scope, ScopeSet};
pub use served_settings::{MergeError, ServedSettings, ServedSettingsError};
pub use settings::{
    AgentSettings, ApiSettings, Caller, EvidenceSettings, LogSettings, ReaderSettings, ReadingSettings,
    ScanSettings, SettingsError,
};
pub use site_settings::{Site, SiteSettingsError};
pub use target_settings::{
    BrokerTarget, DeliveryOrder, DeliveryTarget, FileFormat, FolderTarget, TargetKind, TargetSettingsError,
    TargetUrl, WebhookTarget,
};
pub use terminal_settings::{TerminalSettings, TerminalSettingsError};
pub use tls_settings::{TlsSettings, TlsSettingsError};
pub use token::{NotATokenHash, TokenHash};
pub use trust_settings::{FetchRoots, FetchSettings, FetchUrl, TrustSettings, TrustSettingsError};
pub use usb_id::UsbId;
pub use web_settings::{OAuthClient, PeerTls, WebAccess, WebSettingsError};
