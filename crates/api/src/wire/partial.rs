//! The JSON twin of what a reading has found before it is over.

use cccd_document::FieldSet;
use cccd_engine::{PartialReading, ReadId};
use serde::Serialize;
use utoipa::ToSchema;

use super::record::RecordJson;
use super::result::HashJson;

/// Who the person says they are, while the face is still on its way. Nothing is judged yet: no field is verified, and
/// the result's verdict is what counts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PartialResult)]
pub(crate) struct PartialJson<'a> {
    /// The reading.
    #[schema(example = "5f0c3a9be1d24487a6c0f1e2d3b4a596", pattern = "^[0-9a-f]{32}$")]
    read_id: String,
    /// The reader it runs on.
    #[schema(example = "gempc-twin-00-00")]
    reader_id: String,
    /// What the chip says about its holder, so far.
    record: RecordJson<'a>,
    /// Each data group against the hash EF.SOD lists for it. That alone proves nothing.
    hashes: Vec<HashJson>,
}

impl<'a> PartialJson<'a> {
    /// The twin of what reading `read` has found so far.
    pub(crate) fn new(read: ReadId, partial: &'a PartialReading, allowed: FieldSet) -> Self {
        Self {
            read_id: read.to_string(),
            reader_id: partial.reader.to_string(),
            record: RecordJson::new(&partial.record, partial.fields.intersection(allowed), false),
            hashes: partial.hashes.iter().map(HashJson::from).collect(),
        }
    }
}
