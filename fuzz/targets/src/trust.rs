//! Certificates and lists, from a chip or from an operator, as far as they are parsed.

use std::hint::black_box;

use cccd_document::SignedMessage;
use cccd_trust::store::{Contents, FileFormat};
use cccd_trust::{Certificate, Crl};

/// Parts of one file that are used. The rest would be the same again.
pub(crate) const MOST_USED: usize = 16;

pub(crate) fn certificate(bytes: &[u8]) -> Option<()> {
    let certificate = Certificate::parse(bytes).ok()?;
    black_box((certificate.country(), certificate.validity(), format!("{certificate:?}")));
    black_box((certificate.is_self_issued(), certificate.to_be_signed().len()));
    Some(())
}

pub(crate) fn crl(bytes: &[u8]) -> Option<()> {
    let crl = Crl::parse(bytes).ok()?;
    black_box((crl.len(), crl.coverage(), crl.next_update(), format!("{crl:?}")));
    Some(())
}

pub(crate) fn signed_message(bytes: &[u8]) -> Option<()> {
    certificates(&SignedMessage::parse(bytes).ok()?);
    Some(())
}

/// Those a message brings along.
pub(crate) fn certificates(message: &SignedMessage) {
    parts(&message.certificates, certificate);
}

pub(crate) fn file(bytes: &[u8]) -> Option<()> {
    let contents = Contents::read(bytes).ok()?;
    black_box(format!("{contents:?}"));
    let read = parts(&contents.certificates, certificate)
        + parts(&contents.crls, crl)
        + parts(&contents.messages, |bytes| {
            let message = SignedMessage::parse(bytes).ok()?;
            master_list(&message.content)
        });
    (read > 0).then_some(())
}

pub(crate) fn ldif(bytes: &[u8]) -> Option<()> {
    let contents = Contents::read(bytes).ok()?;
    (contents.format == FileFormat::Ldif && !contents.certificates.is_empty()).then_some(())
}

pub(crate) fn master_list(bytes: &[u8]) -> Option<()> {
    let contents = Contents::of_master_list(bytes).ok()?;
    (parts(&contents.certificates, certificate) > 0).then_some(())
}

/// Feeds some of the parts; how many were what they should be.
fn parts(all: &[Vec<u8>], parse: fn(&[u8]) -> Option<()>) -> usize {
    all.iter().take(MOST_USED).filter(|bytes| parse(bytes).is_some()).count()
}
