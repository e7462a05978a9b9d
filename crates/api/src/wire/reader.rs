//! The JSON twin of a reader.

use cccd_card::Transport;
use cccd_engine::ReaderView;
use serde::Serialize;
use utoipa::ToSchema;

/// The readers that stand there.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Readers)]
pub(crate) struct ReadersJson {
    /// In the order of their ids.
    pub(crate) readers: Vec<ReaderJson>,
}

/// A reader.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Reader)]
pub(crate) struct ReaderJson {
    /// Its name for programs, stable while it stays plugged in where it is.
    #[schema(example = "gempc-twin-00-00")]
    reader_id: String,
    /// Its name as the driver gives it.
    #[schema(example = "GemPC Twin 00 00")]
    name: String,
    /// What carries the bytes.
    transport: TransportJson,
    /// Whether a reading runs on it.
    state: ReaderStateJson,
    /// The caller whose reading runs on it, or who has it leased.
    held_by: Option<String>,
    /// The card on it, if there is one.
    card: Option<CardJson>,
    /// The longest command it carries, in bytes.
    #[schema(minimum = 0, maximum = 65544)]
    max_command_bytes: usize,
    /// The longest reply it carries, in bytes.
    #[schema(minimum = 0, maximum = 65538)]
    max_reply_bytes: usize,
}

/// What carries the bytes.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Transport)]
pub(crate) enum TransportJson {
    /// The system's smart-card service.
    Pcsc,
    /// libnfc, in a process of its own.
    Nfc,
    /// A network of the reader's own: it converses with chips by itself.
    Network,
    /// A simulated chip in this process.
    InProcess,
    /// Something newer than this description.
    Other,
}

/// Whether a reading runs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ReaderState)]
pub(crate) enum ReaderStateJson {
    /// None.
    Idle,
    /// One.
    Reading,
}

/// A card on a reader. Nothing is asked of it before a reading.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Card)]
pub(crate) struct CardJson {
    /// What kind of card it is.
    kind: CardKindJson,
}

/// What kind of card lies there.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CardKind)]
pub(crate) enum CardKindJson {
    /// Not looked at yet.
    Unknown,
}

impl From<ReaderView> for ReaderJson {
    fn from(view: ReaderView) -> Self {
        Self {
            reader_id: view.info.id.to_string(),
            name: view.info.name,
            transport: match view.info.transport {
                Transport::PcSc => TransportJson::Pcsc,
                Transport::Nfc => TransportJson::Nfc,
                Transport::Network => TransportJson::Network,
                Transport::InProcess => TransportJson::InProcess,
                _ => TransportJson::Other,
            },
            state: if view.is_reading { ReaderStateJson::Reading } else { ReaderStateJson::Idle },
            held_by: view.held_by.map(|caller| caller.label().to_owned()),
            card: view.has_card.then_some(CardJson { kind: CardKindJson::Unknown }),
            max_command_bytes: view.info.limits.max_command,
            max_reply_bytes: view.info.limits.max_reply,
        }
    }
}
