//! What the audit chain says of requests: who was refused, who had a scan, on whose behalf a reading runs.

use std::sync::Arc;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use cccd_engine::{Errand, Scan};
use cccd_profiles::ConsumerProfile;
use cccd_store::{Entry, EntryKind, Scribe};
use http::{HeaderMap, StatusCode, header};

use crate::api::Desk;
use crate::callers::Caller;
use crate::trace::current_trace_id;

/// The code of the problem an answer is, for whoever looks at the answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AnsweredWith(pub(crate) &'static str);

/// The page a request says it is from, as it says it.
pub(crate) fn origin_of(headers: &HeaderMap) -> Option<String> {
    let origin = headers.get(header::ORIGIN)?;
    Some(String::from_utf8_lossy(origin.as_bytes()).into_owned())
}

/// Leaves word of who called on the answer, for [`note_refusal`].
pub(crate) async fn leave_name(request: Request, next: Next) -> Response {
    let caller = request.extensions().get::<Caller>().cloned();
    let mut response = next.run(request).await;
    if let Some(caller) = caller {
        response.extensions_mut().insert(caller);
    }
    response
}

/// Enters a refusal of whoever called: a stranger, or a caller who asks for what it may not have.
pub(crate) fn note_refusal(desk: &Desk, response: &Response, origin: Option<String>) {
    let Some(scribe) = &desk.scribe else { return };
    let refused = matches!(
        response.status(),
        StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::MISDIRECTED_REQUEST
            | StatusCode::TOO_MANY_REQUESTS
    );
    let Some(AnsweredWith(code)) = response.extensions().get().copied().filter(|_| refused) else { return };
    let entry = match response.extensions().get::<Caller>() {
        Some(caller) => on_behalf(EntryKind::CallerRefused, caller),
        None => Entry { origin, trace_id: current_trace_id(), ..Entry::new(EntryKind::CallerRefused) },
    };
    scribe.refused(Entry { outcome: Some(code.to_owned()), ..entry });
}

/// Enters that a scan of a scanner was handed out.
pub(crate) fn note_scan(desk: &Desk, caller: &Caller, scan: &Scan) {
    let Some(scribe) = &desk.scribe else { return };
    let mut entry = on_behalf(EntryKind::ScanHandedOut, caller);
    entry.number_hash =
        scan.payload.citizen().map(|citizen| scribe.store().number_hash(citizen.personal_number.expose()));
    entry.reader_id = scan.scanner.as_ref().map(|scanner| scanner.as_str().to_owned());
    scribe.enter(entry.with("scan_id", scan.id.to_string()));
}

/// Enters what was done with a register, and returns once it is written: what it is about happens after. Blocks.
pub(crate) fn note_register(scribe: &Scribe, entry: Entry) {
    scribe.enter(entry);
    scribe.settle();
}

/// An entry on a register of this name, on behalf of whoever calls.
pub(crate) fn of_register(kind: EntryKind, caller: &Caller, register: &str) -> Entry {
    on_behalf(kind, caller).with("register", register)
}

/// On whose behalf a reading runs.
pub(crate) fn errand(caller: &Caller) -> Errand {
    let text = |text: &Option<Arc<str>>| text.as_deref().map(str::to_owned);
    Errand {
        caller_kind: Some(caller.kind.as_str()),
        origin: text(&caller.origin),
        process: text(&caller.process),
        profile: None,
        purpose: text(&caller.purpose),
        legal_basis: text(&caller.legal_basis),
        scopes: caller.scopes.iter().map(|scope| scope.to_string()).collect(),
        trace_id: current_trace_id(),
        stay: caller.stay_of_reads(),
    }
}

/// The same for a reading under a profile, which says what for and by what right where the caller does not.
pub(crate) fn errand_under(caller: &Caller, profile: &ConsumerProfile) -> Errand {
    let Errand { purpose, legal_basis, .. } = errand(caller);
    Errand {
        profile: Some(profile.name.clone()),
        purpose: purpose.or_else(|| Some(profile.purpose.vi.clone())),
        legal_basis: legal_basis.or_else(|| Some(profile.legal_basis.vi.clone())),
        ..errand(caller)
    }
}

fn on_behalf(kind: EntryKind, caller: &Caller) -> Entry {
    let errand = errand(caller);
    Entry {
        caller: Some(caller.id.as_str().to_owned()),
        caller_kind: errand.caller_kind.map(str::to_owned),
        origin: errand.origin,
        process: errand.process,
        purpose: errand.purpose,
        legal_basis: errand.legal_basis,
        scopes: errand.scopes,
        trace_id: errand.trace_id,
        ..Entry::new(kind)
    }
}
