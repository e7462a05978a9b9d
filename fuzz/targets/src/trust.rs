//! Certificates and lists, from a chip or from an operator.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use cccd_document::SignedMessage;
use cccd_trust::chain::{find_chains, verify_self_signed};
use cccd_trust::signed_data::verify_message;
use cccd_trust::store::{Contents, Surveyor};
use cccd_trust::{Certificate, Crl, Role, TrustAnchors};
use time::macros::datetime;

/// Parts of one file that are used. The rest would be the same again.
const MOST_USED: usize = 16;

pub(crate) fn certificate(bytes: &[u8]) -> Option<()> {
    let certificate = Arc::new(Certificate::parse(bytes).ok()?);
    black_box((certificate.country(), certificate.validity(), format!("{certificate:?}")));
    black_box(verify_self_signed(&certificate));
    // It may lead to itself, whether it is trusted or not.
    for role in [Role::Helper, Role::Anchor] {
        let mut known = TrustAnchors::new();
        known.insert(Certificate::clone(&certificate), role);
        if let Ok(chains) = find_chains(&certificate, &[Arc::clone(&certificate)], &known) {
            chains.iter().for_each(|chain| drop(black_box(chain.check_authorities())));
        }
    }
    Some(())
}

pub(crate) fn crl(bytes: &[u8]) -> Option<()> {
    let crl = Crl::parse(bytes).ok()?;
    black_box((crl.len(), crl.coverage(), crl.next_update(), format!("{crl:?}")));
    Some(())
}

pub(crate) fn signed_message(bytes: &[u8]) -> Option<()> {
    let message = SignedMessage::parse(bytes).ok()?;
    black_box(verify_message(&message, &TrustAnchors::new()).is_ok());
    black_box(verify_message(&message, &certificates_of(&message)).is_ok());
    Some(())
}

pub(crate) fn file(bytes: &[u8]) -> Option<()> {
    let surveyor = Surveyor {
        installed: &[],
        pinned: &[],
        now: datetime!(2026-11-20 08:00 UTC),
        warn_before: Duration::from_secs(90 * 86_400),
    };
    let survey = surveyor.survey(bytes).ok()?;
    black_box(format!("{survey:?}"));
    // As if all of it had been accepted.
    let ders = survey.certificates.iter().take(MOST_USED).map(|finding| &finding.der);
    let installed: Vec<Certificate> = ders.filter_map(|der| Certificate::parse(der).ok()).collect();
    let crls = survey.crls.get(..MOST_USED).unwrap_or(&survey.crls);
    let known: Vec<&[u8]> = crls.iter().map(Vec::as_slice).collect();
    black_box(Surveyor { installed: &installed, ..surveyor }.crls(crls, &known));
    let parts = survey.certificates.len() + survey.lists.len() + survey.crls.len();
    (parts > 0).then_some(())
}

pub(crate) fn master_list(bytes: &[u8]) -> Option<()> {
    let contents = Contents::of_master_list(bytes).ok()?;
    let read = contents.certificates.iter().take(MOST_USED).filter(|der| Certificate::parse(der).is_ok());
    (read.count() > 0).then_some(())
}

/// What a message brings along, as if it were trusted: so that hostile bytes come as far as genuine ones.
pub(crate) fn certificates_of(message: &SignedMessage) -> TrustAnchors {
    let mut anchors = TrustAnchors::new();
    for der in message.certificates.iter().take(MOST_USED) {
        if let Ok(certificate) = Certificate::parse(der) {
            anchors.insert(certificate, Role::Anchor);
        }
    }
    anchors
}
