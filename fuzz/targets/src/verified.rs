//! What follows parsing: signatures, chains, and the judgement of a whole reading.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use cccd_document::{EfSod, Evidence, FileId, SignedMessage};
use cccd_trust::chain::{find_chains, verify_self_signed};
use cccd_trust::signed_data::verify_message;
use cccd_trust::store::Surveyor;
use cccd_trust::{
    CardSecurity, Certificate, Policy, Reason, Role, TrustAnchors, Verdict, chip_checks,
    passive_authentication,
};
use time::macros::datetime;

use crate::chip::reading;
use crate::evidence;
use crate::trust::MOST_USED;

/// What the first byte says the rest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Certificate,
    SecurityObject,
    SignedMessage,
    TrustFile,
    EvidencePayload,
}

impl Kind {
    const ALL: [Self; 5] = [
        Self::Certificate,
        Self::SecurityObject,
        Self::SignedMessage,
        Self::TrustFile,
        Self::EvidencePayload,
    ];

    fn of(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte)).copied()
    }

    #[cfg(feature = "seeds")]
    pub(crate) fn before(self, bytes: &[u8]) -> Vec<u8> {
        [&[self as u8], bytes].concat()
    }
}

pub(crate) fn any(bytes: &[u8]) -> Option<()> {
    let (kind, bytes) = bytes.split_first()?;
    match Kind::of(*kind)? {
        Kind::Certificate => certificate(bytes),
        Kind::SecurityObject => {
            EfSod::parse(bytes).ok()?;
            judge(&reading([(FileId::EfSod, bytes), (FileId::DG1, b"\x61\x00")]));
            Some(())
        }
        Kind::SignedMessage => {
            let message = SignedMessage::parse(bytes).ok()?;
            black_box(verify_message(&message, &TrustAnchors::new()).is_ok());
            black_box(verify_message(&message, &certificates_of(&message)).is_ok());
            Some(())
        }
        Kind::TrustFile => trust_file(bytes),
        Kind::EvidencePayload => evidence::signed(bytes),
    }
}

fn certificate(bytes: &[u8]) -> Option<()> {
    let certificate = Arc::new(Certificate::parse(bytes).ok()?);
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

fn trust_file(bytes: &[u8]) -> Option<()> {
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

/// Judges a reading, without any anchor and with all that its own EF.SOD brings along.
pub(crate) fn judge(evidence: &Evidence) {
    let sod = evidence.bytes(FileId::EfSod).and_then(|bytes| EfSod::parse(bytes).ok());
    let own = sod.map(|sod| certificates_of(&sod.message)).unwrap_or_default();
    for anchors in [TrustAnchors::new(), own] {
        let now = datetime!(2026-11-20 08:00 UTC);
        let found = passive_authentication(evidence, &anchors, &[], now, &Policy::default());
        let mut checks = found.checks;
        checks.extend(chip_checks(evidence, &CardSecurity::NotTrusted(Reason::NoVerifiedSigner)));
        black_box(Verdict::of(checks).summary());
    }
}

/// What a message brings along, as if it were trusted: so that hostile bytes come as far as genuine ones.
fn certificates_of(message: &SignedMessage) -> TrustAnchors {
    let mut anchors = TrustAnchors::new();
    for der in message.certificates.iter().take(MOST_USED) {
        if let Ok(certificate) = Certificate::parse(der) {
            anchors.insert(certificate, Role::Anchor);
        }
    }
    anchors
}
