//! What the chain says of a reading: everything but the person.

use cccd_engine::{ReadEnd, Reading, Witness};
use cccd_store::{Entry, EntryKind, Scribe, Store};

/// Enters the end of each reading.
pub(crate) fn witness(scribe: Scribe) -> Witness {
    Witness::new(move |end| scribe.enter(entry_of(end, scribe.store())))
}

fn entry_of(end: &ReadEnd<'_>, store: &Store) -> Entry {
    let errand = end.errand;
    let mut known = Entry {
        caller: Some(end.owner.as_str().to_owned()),
        caller_kind: errand.caller_kind.map(str::to_owned),
        origin: errand.origin.clone(),
        process: errand.process.clone(),
        purpose: errand.purpose.clone(),
        legal_basis: errand.legal_basis.clone(),
        scopes: errand.scopes.clone(),
        trace_id: errand.trace_id.clone(),
        read_id: Some(end.read.to_string()),
        reader_id: end.reader.as_ref().map(|reader| reader.as_str().to_owned()),
        ..Entry::new(EntryKind::ReadEnded)
    }
    .began_at(end.asked);
    if let Some(profile) = &errand.profile {
        known = known.with("profile", profile);
    }
    match end.outcome {
        Err(failure) => Entry { outcome: Some(failure.code().to_owned()), ..known },
        Ok(reading) => Entry {
            outcome: Some("completed".to_owned()),
            verdict: Some(reading.verdict.summary().code().to_owned()),
            verdict_code: Some(reading.verdict.code().to_owned()),
            number_hash: number_hash(reading, store),
            ..known
        },
    }
}

/// The keyed hash of the number a person keeps for life, or of the document's where there is none.
fn number_hash(reading: &Reading, store: &Store) -> Option<String> {
    let record = &reading.record;
    let number = record.personal_number.as_ref().or(record.document_number.as_ref())?;
    Some(store.number_hash(number.value.expose()))
}
