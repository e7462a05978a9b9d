//! Opening a file, and why its bytes are not what they were taken for.

use cccd_card::tlv::{Tag, TlvError, TlvReader};

use crate::MrzError;

/// The bytes are not what the standard says this file holds.
///
/// Nobody at the desk can mend that: the raw bytes stay in the evidence, and the other files are unharmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MalformedFile {
    /// It is no BER-TLV, or another object stands where one is required.
    #[error(transparent)]
    Tlv(#[from] TlvError),
    /// It is no ASN.1 of the shape the standard fixes.
    #[error("not the ASN.1 structure required: {0}")]
    Asn1(#[from] der::Error),
    /// A required object is absent.
    #[error("required object {0} is absent")]
    Missing(Tag),
    /// An object holds something its definition rules out.
    #[error("object {0} holds something impossible")]
    Impossible(Tag),
    /// What it holds in place of an MRZ is none.
    #[error("no machine-readable zone: {0}")]
    Mrz(#[from] MrzError),
}

/// The value of the object a file consists of. What follows it is padding: chips round lengths up.
pub(crate) fn unwrap(bytes: &[u8], tag: Tag) -> Result<&[u8], MalformedFile> {
    Ok(TlvReader::new(bytes).expect(tag)?)
}
