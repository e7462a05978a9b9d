//! The text of a QR code, from a scanner.

use std::hint::black_box;

use cccd_document::{AccessInput, Personal, QrPayload};

pub(crate) fn payload(bytes: &[u8]) -> Option<()> {
    let payload = QrPayload::parse(bytes);
    let record = payload.citizen()?;
    black_box(&record.notes);
    let text = String::from_utf8_lossy(bytes).into_owned();
    black_box(AccessInput::QrText(Personal::new(text)).plan().is_ok());
    Some(())
}
