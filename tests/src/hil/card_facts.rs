//! What a bench learns of a card: lengths, codes and identifiers of algorithms, and nothing that is only its holder's.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, Result};
use cccd_card::{Atr, CardChannel, ChannelLimits, SecretBytes, TransportError};
use cccd_document::public_key::{Curve, KeyKind};
use cccd_document::{
    AccessKey, AccessProtocol, DataGroup1, DataGroup13, DataGroup14, DataGroup15, EfSod, Evidence, FileId,
    FileOutcome, PublicKey,
};
use cccd_emrtd::{CardAccessRoad, CardShape, LockedChip, Metered, ReadPlan, read_document};
use cccd_trust::Certificate;
use serde::Serialize;

/// Of one card.
#[derive(Debug, Clone, Default, Serialize)]
pub struct CardFacts {
    /// What the reader made of its answer to reset or to select.
    pub atr: String,
    /// The historical bytes in it.
    pub historical_bytes: String,
    /// EF.CardAccess, the same for every card of a make; none where the card shows none.
    pub card_access: Option<String>,
    /// How it was found.
    pub card_access_found: String,
    /// What opened the chip.
    pub opened_by: String,
    /// Whether BAC opens it too.
    pub bac: Option<bool>,
    /// The longest command and reply that card and reader carry together, as card and driver say.
    pub says_max_command: usize,
    /// See above.
    pub says_max_reply: usize,
    /// The longest command that passed in a reading.
    pub longest_command: usize,
    /// The longest reply that passed in a reading.
    pub longest_reply: usize,
    /// Milliseconds of the exchange in the middle of all of a reading.
    pub median_exchange_ms: f64,
    /// Bytes of each file, or what was answered instead.
    pub files: BTreeMap<String, String>,
    /// The hash of the groups, and what EF.SOD is signed with.
    pub security_object: Option<SecurityObjectFacts>,
    /// The object identifiers of DG14.
    pub dg14: Vec<String>,
    /// The key of DG15.
    pub dg15: Option<String>,
    /// The form of DG13.
    pub dg13: Option<RecordFacts>,
}

/// Of EF.SOD.
#[derive(Debug, Clone, Serialize)]
pub struct SecurityObjectFacts {
    /// The hash of the groups.
    pub group_digest: String,
    /// The hash of the signed content.
    pub signer_digest: String,
    /// What it is signed with.
    pub signature: String,
    /// The key of its signer.
    pub signer_key: String,
    /// Who has certified the signer: a state's authority.
    pub issuer: String,
}

/// Of DG13.
#[derive(Debug, Clone, Serialize)]
pub struct RecordFacts {
    /// The numbers of its fields.
    pub fields: Vec<u64>,
    /// How many texts field 13, the parents, has.
    pub field_13_texts: Option<usize>,
    /// How many sequences they stand in.
    pub field_13_sequences: Option<usize>,
    /// Of field 16: its length, and whether it is hexadecimal digits.
    pub field_16: Option<String>,
    /// Of field 12, the expiry: `date` or `words`, and the length.
    pub field_12: Option<String>,
}

/// Lengths and times of one exchange.
type Exchanges = Arc<Mutex<Vec<(usize, usize, Instant)>>>;

/// Opens the card, reads it and looks at what it is made of. The evidence is for what comes next, and goes nowhere.
pub(super) fn look_at(channel: Box<dyn CardChannel>, key: &AccessKey) -> Result<(CardFacts, Evidence)> {
    let atr = channel.atr().clone();
    let exchanges = Exchanges::default();
    let log = Arc::clone(&exchanges);
    let began = Instant::now();
    let channel = Metered::with_trace(channel, move |outline| {
        let received = outline.answer.as_ref().map_or(0, |(length, _)| *length);
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        log.push((outline.sent, received, Instant::now()));
    });
    let mut chip = LockedChip::new(channel).unlock(std::slice::from_ref(key), &mut getrandom::SysRng)?;
    let shape = chip.shape().context("no shape")?;
    let evidence = read_document(&mut chip, &ReadPlan::identity(), &mut getrandom::SysRng, &mut |_| {})?;
    drop(chip);
    let mut facts = of(&atr, shape, &evidence);
    let exchanges = exchanges.lock().unwrap_or_else(PoisonError::into_inner);
    facts.longest_command = exchanges.iter().map(|(sent, ..)| *sent).max().unwrap_or_default();
    facts.longest_reply = exchanges.iter().map(|(_, received, _)| *received).max().unwrap_or_default();
    let ends = exchanges.iter().map(|(.., at)| *at);
    let mut times: Vec<f64> = std::iter::once(began)
        .chain(ends.clone())
        .zip(ends)
        .map(|(before, after)| after.duration_since(before).as_secs_f64() * 1000.0)
        .collect();
    times.sort_by(f64::total_cmp);
    facts.median_exchange_ms = times.get(times.len() / 2).copied().unwrap_or_default();
    Ok((facts, evidence))
}

fn of(atr: &Atr, shape: CardShape, evidence: &Evidence) -> CardFacts {
    let access = &evidence.access;
    CardFacts {
        atr: atr.to_string(),
        historical_bytes: atr.historical_bytes().map(hex::encode_upper).unwrap_or_default(),
        card_access: access.card_access.as_ref().map(|bytes| hex::encode_upper(bytes.as_slice())),
        card_access_found: match shape.card_access {
            CardAccessRoad::Identifier => "by SELECT",
            CardAccessRoad::ShortIdentifier => "by its short identifier",
            CardAccessRoad::AfterMasterFile => "after SELECT of the master file",
            CardAccessRoad::Nowhere => "nowhere",
        }
        .to_owned(),
        opened_by: match access.protocol {
            AccessProtocol::Bac => "BAC".to_owned(),
            AccessProtocol::ByReader => "the reader itself".to_owned(),
            AccessProtocol::Pace(pace) => {
                format!(
                    "PACE, {:?} mapping, {:?}, parameters {}",
                    pace.mapping, pace.cipher, pace.parameter_id
                )
            }
        },
        says_max_command: shape.limits.max_command,
        says_max_reply: shape.limits.max_reply,
        files: evidence.files.iter().map(|(file, outcome)| (file.to_string(), word(outcome))).collect(),
        security_object: evidence.bytes(FileId::EfSod).and_then(security_object),
        dg14: evidence.bytes(FileId::DG14).map(options).unwrap_or_default(),
        dg15: evidence
            .bytes(FileId::DG15)
            .and_then(|bytes| Some(key(&DataGroup15::parse(bytes).ok()?.public_key))),
        dg13: evidence.bytes(FileId::DG13).and_then(record),
        ..CardFacts::default()
    }
}

fn word(outcome: &FileOutcome) -> String {
    match outcome {
        FileOutcome::Read(bytes) => format!("{} bytes", bytes.len()),
        FileOutcome::Absent(status) => format!("absent, {status}"),
        FileOutcome::Locked(status) => format!("locked, {status}"),
        FileOutcome::Refused(status) => format!("refused, {status}"),
        FileOutcome::Malformed => "malformed".to_owned(),
        FileOutcome::NotGiven => "not given by the reader".to_owned(),
    }
}

fn key(key: &PublicKey) -> String {
    match key.kind {
        KeyKind::Rsa { bits } => format!("RSA, {bits} bits"),
        KeyKind::Ec { curve, bits } => {
            let curve = match curve {
                Curve::Named(oid) => format!("named {oid}"),
                Curve::Standardised(number) => format!("standardised {number}"),
                Curve::Explicit => "spelled out".to_owned(),
                _ => "unstated".to_owned(),
            };
            format!("EC, {bits} bits, curve {curve}")
        }
        KeyKind::Dh => "DH".to_owned(),
        _ => format!("{}", key.algorithm),
    }
}

fn security_object(bytes: &[u8]) -> Option<SecurityObjectFacts> {
    let sod = EfSod::parse(bytes).ok()?;
    let signer = sod.message.signers.first()?;
    let certificate = sod.message.certificates.first().and_then(|der| Certificate::parse(der).ok());
    Some(SecurityObjectFacts {
        group_digest: sod.security_object.digest_algorithm.oid.to_string(),
        signer_digest: signer.digest_algorithm.oid.to_string(),
        signature: signer.signature_algorithm.oid.to_string(),
        signer_key: certificate
            .as_ref()
            .map_or_else(|| "no certificate".to_owned(), |it| key(it.public_key())),
        issuer: certificate.map(|it| it.issuer().to_string()).unwrap_or_default(),
    })
}

fn options(bytes: &[u8]) -> Vec<String> {
    let Ok(group) = DataGroup14::parse(bytes) else { return Vec::new() };
    let named = group.security_infos.iter().filter_map(|info| info.protocol);
    named.map(|oid| oid.to_string()).collect()
}

fn record(bytes: &[u8]) -> Option<RecordFacts> {
    let group = DataGroup13::parse(bytes).ok()?;
    let text = group.vietnamese()?;
    let stored = |number: u64| text.field(number).and_then(|field| field.texts.first());
    let shown = |number: u64| stored(number).map(|text| text.text.expose().to_owned());
    Some(RecordFacts {
        fields: text.fields.iter().map(|field| field.number).collect(),
        field_13_texts: text.field(13).map(|field| field.texts.len()),
        field_13_sequences: text.field(13).and_then(|field| sequences_in(field.raw.expose())),
        field_16: shown(16).map(|text| {
            let kind =
                if text.bytes().all(|byte| byte.is_ascii_hexdigit()) { "hexadecimal" } else { "other" };
            format!("{} characters, {kind}", text.chars().count())
        }),
        field_12: shown(12).map(|text| {
            let kind = if text.bytes().any(|byte| byte.is_ascii_digit()) { "date" } else { "words" };
            format!("{kind}, {} characters", text.chars().count())
        }),
    })
}

/// How many sequences stand in a field: `30 { 02 number, 30 .., 30 .. }`.
fn sequences_in(raw: &[u8]) -> Option<usize> {
    use cccd_card::tlv::{Tag, TlvReader};
    let mut members = TlvReader::new(TlvReader::new(raw).expect(Tag(0x30)).ok()?);
    let mut count = 0;
    while let Ok(Some(member)) = members.next_object() {
        count += usize::from(member.tag == Tag(0x30));
    }
    Some(count)
}

/// Whether BAC opens a card, by its own MRZ. What it says of PACE is kept from the terminal.
pub(super) fn takes_bac(channel: Box<dyn CardChannel>, evidence: &Evidence) -> Result<Option<bool>> {
    let mrz = evidence.bytes(FileId::DG1).and_then(|bytes| DataGroup1::parse(bytes).ok());
    let Some(key) = mrz.and_then(|group| group.mrz.key().ok()) else { return Ok(None) };
    let chip = LockedChip::new(WithoutPace(channel));
    match chip.unlock(&[AccessKey::Mrz(key)], &mut getrandom::SysRng) {
        Ok(_) => Ok(Some(true)),
        Err(
            cccd_emrtd::UnlockError::AccessRefused { .. }
            | cccd_emrtd::UnlockError::WrongKey { .. }
            | cccd_emrtd::UnlockError::Unsupported,
        ) => Ok(Some(false)),
        Err(error) => Err(error.into()),
    }
}

/// A card whose EF.CardAccess and PACE nobody gets to see.
struct WithoutPace(Box<dyn CardChannel>);

impl CardChannel for WithoutPace {
    fn transmit(&mut self, command: &[u8]) -> Result<SecretBytes, TransportError> {
        let status = match command {
            [0x00, 0xA4, 0x02, _, _, 0x01, 0x1C, ..] | [0x00, 0xB0, 0x9C, ..] => [0x6A, 0x82],
            [0x00, 0x22, ..] => [0x6D, 0x00],
            _ => return self.0.transmit(command),
        };
        Ok(SecretBytes::new(status.to_vec()))
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        self.0.reset()
    }

    fn atr(&self) -> &Atr {
        self.0.atr()
    }

    fn limits(&self) -> ChannelLimits {
        self.0.limits()
    }
}
