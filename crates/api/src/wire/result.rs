//! The JSON twin of what a reading leaves behind.

use cccd_consumers::Disclosure;
use cccd_document::{
    AccessProtocol, AccessRun, Cipher, Downgrade, FieldSet, FileId, FileOutcome, Mapping, PasswordKind,
};
use cccd_engine::{Effort, ReadId, Reading};
use cccd_trust::{GroupHash, HashAlgorithm, HashState, Summary};
use serde::Serialize;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::admission::AdmissionJson;
use super::biometrics::BiometricsJson;
use super::disclosure::DisclosureJson;
use super::expectation::ComparisonJson;
use super::record::RecordJson;
use super::verdict::VerdictJson;
use super::{pretty, rfc3339};

/// What a reading found.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReadResult)]
pub(crate) struct ResultJson<'a> {
    /// The reading.
    #[schema(example = "5f0c3a9be1d24487a6c0f1e2d3b4a596", pattern = "^[0-9a-f]{32}$")]
    read_id: String,
    /// The reader it ran on.
    #[schema(example = "gempc-twin-00-00")]
    reader_id: String,
    /// What the chip says about its holder: of what was asked for, what the caller may have.
    record: RecordJson<'a>,
    /// The face, where it was wanted and is there.
    portrait: Option<PortraitJson>,
    /// Fingerprints and irises.
    biometrics: BiometricsJson,
    /// Whether it is genuine.
    verdict: VerdictJson,
    /// Whether the reading is known to be a test's: the reader is software, or the card's signer says that it is a
    /// simulation's. That it is false promises nothing.
    simulated: bool,
    /// Whether the QR code that opened the chip says the same as the chip: number, name, birth, sex, issue and the
    /// number of an older card; null where none did. The notes of the record name what differs.
    scan_agrees: Option<bool>,
    /// How the card compares with what the request expects; null where it expects nothing.
    expected: Option<ComparisonJson>,
    /// What the consumer gets, where the reading was made under a profile; null where it was not.
    disclosure: Option<DisclosureJson<'a>>,
    /// What is said to the holder, where the request names a register; null where it does not.
    admission: Option<AdmissionJson>,
    /// How the chip was opened.
    access: AccessJson,
    /// Each file that was asked for, and what came of it.
    files: Vec<FileJson>,
    /// Each data group against the hash EF.SOD lists for it. That alone proves nothing.
    hashes: Vec<HashJson>,
    /// What the reading took.
    effort: EffortJson,
    /// When it was done.
    #[schema(format = DateTime)]
    finished_at: String,
}

/// Where the face is, and what kind of picture it is on the chip.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Portrait)]
pub(crate) struct PortraitJson {
    /// The media type as on the chip; JPEG 2000 is handed out as PNG unless `Accept` names it.
    #[schema(example = "image/jpeg")]
    media_type: &'static str,
    /// Its size on the chip.
    #[schema(minimum = 0, maximum = 9007199254740991_i64)]
    bytes: usize,
    /// Its address.
    #[schema(example = "/v1/reads/5f0c3a9be1d24487a6c0f1e2d3b4a596/portrait")]
    href: String,
}

/// How a chip was opened (ICAO 9303-11).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccessRun)]
pub(crate) struct AccessJson {
    /// What ran.
    protocol: ProtocolJson,
    /// Which kind of key opened it; where a reader opened it by itself, which kind the request had, that is this card's.
    password: PasswordJson,
    /// What secure messaging is made of; null where a reader opened the chip by itself.
    cipher: Option<CipherJson>,
    /// The mapping of PACE; null for what is not PACE.
    mapping: Option<MappingJson>,
    /// The number of PACE's standardised domain parameters; null for what is not PACE.
    #[schema(minimum = 0, maximum = 31)]
    parameter_id: Option<u8>,
    /// Why BAC ran on a chip that offers PACE; null where it did not. An attack looks the same.
    downgrade: Option<DowngradeJson>,
}

/// An access control protocol.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = Protocol)]
pub(crate) enum ProtocolJson {
    /// Password authenticated connection establishment.
    Pace,
    /// Basic access control.
    Bac,
    /// Whatever a reader ran that converses with chips by itself.
    Reader,
}

/// A kind of key.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = Password)]
pub(crate) enum PasswordJson {
    /// The card access number.
    Can,
    /// The MRZ.
    Mrz,
}

/// A cipher of secure messaging.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Cipher)]
pub(crate) enum CipherJson {
    /// Two-key 3DES.
    #[serde(rename = "3des")]
    TripleDes,
    /// AES-128.
    #[serde(rename = "aes-128")]
    Aes128,
    /// AES-192.
    #[serde(rename = "aes-192")]
    Aes192,
    /// AES-256.
    #[serde(rename = "aes-256")]
    Aes256,
}

/// A mapping of PACE.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = Mapping)]
pub(crate) enum MappingJson {
    /// Generic mapping.
    Generic,
    /// Integrated mapping.
    Integrated,
    /// Chip authentication mapping.
    ChipAuthentication,
    /// Something newer than this description.
    Other,
}

/// Why BAC ran on a chip that offers PACE.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = Downgrade)]
pub(crate) enum DowngradeJson {
    /// Every PACE try failed.
    PaceFailed,
    /// None of the variants it offers is one this program speaks.
    PaceUnsupported,
}

/// A file that was asked for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CardFile)]
pub(crate) struct FileJson {
    /// Its name.
    #[schema(example = "EF.DG13")]
    file: String,
    /// What came of it.
    outcome: FileOutcomeJson,
    /// How long it is; null where it was not read.
    #[schema(minimum = 0, maximum = 9007199254740991_i64)]
    bytes: Option<usize>,
    /// What the chip answered instead; null where it was read.
    #[schema(example = "6A82", pattern = "^[0-9A-F]{4}$")]
    status: Option<String>,
}

/// What came of asking for a file.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = FileOutcome)]
pub(crate) enum FileOutcomeJson {
    /// It was read.
    Read,
    /// The chip has no such file.
    Absent,
    /// The chip has it and wants more rights.
    Locked,
    /// The chip answered something else.
    Refused,
    /// It is no file of the kind it should be.
    Malformed,
    /// The reader converses with the chip by itself, and did not hand it out.
    NotGiven,
}

/// A data group against its hash.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = GroupHash)]
pub(crate) struct HashJson {
    /// The group's file.
    #[schema(example = "EF.DG1")]
    file: String,
    /// What came out.
    state: HashStateJson,
    /// The hash function; null where it is unknown.
    #[schema(example = "SHA-256")]
    algorithm: Option<&'static str>,
}

/// What came out of comparing a hash.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = HashState)]
pub(crate) enum HashStateJson {
    /// The bytes have the listed hash.
    Match,
    /// The bytes have another hash: they are not what was signed.
    Mismatch,
    /// Listed and not read.
    NotRead,
    /// Read, and nobody signed for it.
    NotListed,
    /// Read, and the hash function is unknown.
    UnknownAlgorithm,
    /// Read, and there is no readable EF.SOD.
    NoSecurityObject,
}

/// What a reading took.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Effort)]
pub(crate) struct EffortJson {
    /// Commands sent, all of them.
    #[schema(minimum = 0, maximum = 9007199254740991_i64)]
    commands: u64,
    /// Bytes sent.
    #[schema(minimum = 0, maximum = 9007199254740991_i64)]
    bytes_sent: u64,
    /// Bytes received.
    #[schema(minimum = 0, maximum = 9007199254740991_i64)]
    bytes_received: u64,
    /// Milliseconds from the first contact with the card to the last file.
    #[schema(minimum = 0, maximum = 9007199254740991_i64)]
    elapsed_ms: u64,
    /// Of those, until the chip was open.
    #[schema(minimum = 0, maximum = 9007199254740991_i64)]
    unlocked_after_ms: u64,
}

/// What whoever fetches a result may have of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowed {
    pub(crate) fields: FieldSet,
    pub(crate) portrait: bool,
}

impl Allowed {
    pub(crate) const ALL: Self = Self { fields: FieldSet::ALL, portrait: true };
}

impl<'a> ResultJson<'a> {
    /// The twin of reading `read` for one who may have these fields, and perhaps the face.
    pub(crate) fn new(
        read: ReadId,
        reading: &'a Reading,
        allowed: Allowed,
        disclosure: Option<&'a Disclosure>,
    ) -> Self {
        let fields = reading.fields.intersection(allowed.fields);
        let verified = reading.verdict.summary() == Summary::Genuine;
        Self {
            read_id: read.to_string(),
            reader_id: reading.reader.to_string(),
            record: RecordJson::new(&reading.record, fields, verified),
            portrait: reading.portrait.as_ref().filter(|_| allowed.portrait).map(|portrait| PortraitJson {
                media_type: portrait.media_type.as_str(),
                bytes: portrait.bytes.len(),
                href: format!("/v1/reads/{read}/portrait"),
            }),
            biometrics: BiometricsJson::new(read, reading),
            verdict: VerdictJson::from(&reading.verdict),
            simulated: reading.mark.is_simulated(),
            scan_agrees: reading.scan_agrees,
            expected: reading.expected.map(ComparisonJson::from),
            disclosure: disclosure.map(DisclosureJson::from),
            admission: None,
            access: AccessJson::from(&reading.evidence.access),
            files: reading.evidence.files.iter().map(FileJson::from).collect(),
            hashes: reading.hashes.iter().map(HashJson::from).collect(),
            effort: reading.effort.into(),
            finished_at: rfc3339(reading.finished),
        }
    }
}

impl ResultJson<'_> {
    /// The same with what is said to the holder.
    pub(crate) fn admitting(self, admission: Option<AdmissionJson>) -> Self {
        Self { admission, ..self }
    }
}

/// What a reading found, as the API answers it: for programs that have the engine in their own process.
pub fn result_json(read: ReadId, reading: &Reading) -> Zeroizing<String> {
    pretty(&ResultJson::new(read, reading, Allowed::ALL, None))
}

impl From<&AccessRun> for AccessJson {
    fn from(run: &AccessRun) -> Self {
        let (protocol, cipher, mapping, parameter_id) = match run.protocol {
            // BAC has this one cipher (ICAO 9303-11, 4.3).
            AccessProtocol::Bac => (ProtocolJson::Bac, Some(Cipher::TripleDes), None, None),
            AccessProtocol::ByReader => (ProtocolJson::Reader, None, None, None),
            AccessProtocol::Pace(pace) => {
                (ProtocolJson::Pace, Some(pace.cipher), Some(pace.mapping), Some(pace.parameter_id))
            }
        };
        Self {
            protocol,
            password: match run.password {
                PasswordKind::Can => PasswordJson::Can,
                PasswordKind::Mrz => PasswordJson::Mrz,
            },
            cipher: cipher.map(|cipher| match cipher {
                Cipher::TripleDes => CipherJson::TripleDes,
                Cipher::Aes128 => CipherJson::Aes128,
                Cipher::Aes192 => CipherJson::Aes192,
                Cipher::Aes256 => CipherJson::Aes256,
            }),
            mapping: mapping.map(|mapping| match mapping {
                Mapping::Generic => MappingJson::Generic,
                Mapping::Integrated => MappingJson::Integrated,
                Mapping::ChipAuthentication => MappingJson::ChipAuthentication,
                _ => MappingJson::Other,
            }),
            parameter_id,
            downgrade: run.downgrade.map(|downgrade| match downgrade {
                Downgrade::PaceFailed => DowngradeJson::PaceFailed,
                Downgrade::PaceUnsupported => DowngradeJson::PaceUnsupported,
            }),
        }
    }
}

impl From<(&FileId, &FileOutcome)> for FileJson {
    fn from((file, outcome): (&FileId, &FileOutcome)) -> Self {
        let (outcome, bytes, status) = match outcome {
            FileOutcome::Read(bytes) => (FileOutcomeJson::Read, Some(bytes.len()), None),
            FileOutcome::Absent(status) => (FileOutcomeJson::Absent, None, Some(status)),
            FileOutcome::Locked(status) => (FileOutcomeJson::Locked, None, Some(status)),
            FileOutcome::Refused(status) => (FileOutcomeJson::Refused, None, Some(status)),
            FileOutcome::Malformed => (FileOutcomeJson::Malformed, None, None),
            FileOutcome::NotGiven => (FileOutcomeJson::NotGiven, None, None),
        };
        Self { file: file.to_string(), outcome, bytes, status: status.map(ToString::to_string) }
    }
}

impl From<&GroupHash> for HashJson {
    fn from(hash: &GroupHash) -> Self {
        Self {
            file: hash.file.to_string(),
            state: match hash.state {
                HashState::Match => HashStateJson::Match,
                HashState::Mismatch => HashStateJson::Mismatch,
                HashState::NotRead => HashStateJson::NotRead,
                HashState::NotListed => HashStateJson::NotListed,
                HashState::UnknownAlgorithm => HashStateJson::UnknownAlgorithm,
                HashState::NoSecurityObject => HashStateJson::NoSecurityObject,
            },
            algorithm: hash.algorithm.and_then(|algorithm| match algorithm {
                HashAlgorithm::Sha1 => Some("SHA-1"),
                HashAlgorithm::Sha224 => Some("SHA-224"),
                HashAlgorithm::Sha256 => Some("SHA-256"),
                HashAlgorithm::Sha384 => Some("SHA-384"),
                HashAlgorithm::Sha512 => Some("SHA-512"),
                HashAlgorithm::Sha512_256 => Some("SHA-512/256"),
                _ => None,
            }),
        }
    }
}

impl From<Effort> for EffortJson {
    fn from(effort: Effort) -> Self {
        let milliseconds = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            commands: effort.commands,
            bytes_sent: effort.bytes_sent,
            bytes_received: effort.bytes_received,
            elapsed_ms: milliseconds(effort.elapsed),
            unlocked_after_ms: milliseconds(effort.unlocked_after),
        }
    }
}
