//! What an operator brings to a trust store, as bytes: taken apart, looked at, told.
//!
//! No file is opened here and no clock is asked. The directory the store lives in is the agent's.

mod contents;
mod finding;
mod fingerprint;
mod hint;
mod ldif;
mod pem;
mod shape;
mod survey;

pub use contents::{
    Contents, ContentsError, FileFormat, MAX_CERTIFICATE_BYTES, MAX_FILE_BYTES, MAX_OBJECTS, PartFault,
    Place, Unreadable,
};
pub use finding::{
    CrlFacts, CrlFinding, CrlStanding, Facts, Finding, ListFinding, ListSigner, ListStanding, Standing,
    Warning,
};
pub use fingerprint::{Fingerprint, NotAFingerprint};
pub use hint::{HINTS, Hint, HintedDocuments, VIETNAM_CITIZEN_ID, VIETNAM_PASSPORT};
pub use pem::to_pem;
pub use survey::{Survey, Surveyor};
