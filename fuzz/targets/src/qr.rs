//! The text of a QR code, from a scanner.

use std::hint::black_box;

use cccd_document::{AccessPlan, CitizenRecord, QrContent, QrPayload};

pub(crate) fn payload(bytes: &[u8]) -> Option<()> {
    let payload = QrPayload::parse(bytes);
    black_box(&payload.notes);
    black_box(AccessPlan::of_scan(&payload).is_ok());
    match &payload.content {
        QrContent::Citizen(record) => {
            black_box(record.expiry_candidates());
            black_box(CitizenRecord::default().compare_scan(record));
            Some(())
        }
        QrContent::Insurance(record) => {
            black_box(record.facility_code.is_some());
            Some(())
        }
        QrContent::Unknown => None,
    }
}
