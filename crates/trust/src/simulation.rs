//! Cards of simulated authorities, which say so.

use cccd_document::{EfSod, Evidence, FileId};

use crate::Certificate;

/// The extension by which a simulation's authorities and signers mark their certificates. It lies under the number that is
/// for examples (RFC 5612), which no state's authority has.
pub(crate) const SIMULATED: &str = "1.3.6.1.4.1.32473.9303.1";

/// Whether a certificate in EF.SOD says of itself that it is a simulation's. Whoever puts the mark in marks their own card
/// and nobody else's, so that it is believed without a chain; that it is missing says nothing.
pub fn is_marked_simulated(evidence: &Evidence) -> bool {
    let Some(sod) = evidence.bytes(FileId::EfSod).and_then(|bytes| EfSod::parse(bytes).ok()) else {
        return false;
    };
    let certificates = sod.message.certificates.iter().filter_map(|der| Certificate::parse(der).ok());
    certificates.into_iter().any(|certificate| certificate.extensions().is_simulated)
}
