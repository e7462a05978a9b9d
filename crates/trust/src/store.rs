//! What an operator brings to a trust store, as bytes: taken apart, looked at, told.
//!
//! No file is opened here and no clock is asked. The directory the store lives in is the agent's.

mod contents;
mod fingerprint;
mod hint;
mod ldif;
mod pem;
mod shape;

pub use contents::{
    Contents, ContentsError, FileFormat, MAX_CERTIFICATE_BYTES, MAX_FILE_BYTES, MAX_OBJECTS, PartFault,
    Place, Unreadable,
};
pub use fingerprint::{Fingerprint, NotAFingerprint};
pub use hint::{HINTS, Hint, HintedDocuments, VIETNAM_CITIZEN_ID, VIETNAM_PASSPORT};
pub use pem::to_pem;
