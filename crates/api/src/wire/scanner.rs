//! The JSON twin of a scanner.

use cccd_card::ScannerInfo;
use serde::Serialize;
use utoipa::ToSchema;

/// The scanners that stand there.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Scanners)]
pub(crate) struct ScannersJson {
    /// In the order of their ids.
    pub(crate) scanners: Vec<ScannerJson>,
}

/// A scanner.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Scanner)]
pub(crate) struct ScannerJson {
    /// Its name for programs, stable while it stays plugged in where it is.
    #[schema(example = "desk-1")]
    scanner_id: String,
    /// Its name for people.
    #[schema(example = "Desk 1")]
    name: String,
}

impl From<ScannerInfo> for ScannerJson {
    fn from(info: ScannerInfo) -> Self {
        Self { scanner_id: info.id.to_string(), name: info.name }
    }
}
