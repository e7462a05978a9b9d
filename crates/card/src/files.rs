//! Cards whose reader converses with chips by itself, and hands out files.

use std::collections::BTreeMap;

use crate::{SecretBytes, TransportError};

/// Files of a chip as a reader gave them, by their two-byte identifiers in the eMRTD application (ICAO 9303-10, table
/// 38). One that came in no readable form is empty.
pub type FilesGiven = BTreeMap<u16, SecretBytes>;

/// One card on a reader that converses with chips by itself.
///
/// Such a reader has no channel: it opens a chip as soon as one is there, in a way of its own, and gives what it has read.
/// Nothing it says of that counts; what it gives counts as far as it is signed. The implementation keeps to two rules: no
/// call blocks for ever, and what was given once is given to nobody else.
pub trait CardFiles: Send {
    /// Waits for the files, for as long as `go_on` says yes. They are gone from the reader's side afterwards: for another
    /// reading the card is laid down again.
    fn take(&mut self, go_on: &dyn Fn() -> bool) -> Result<FilesGiven, TransportError>;

    /// Has the chip sign RND.IFD (ICAO 9303-11, 6.1), if it still lies there and the reader passes such things on. `None`
    /// where no answer comes of it.
    fn sign(&mut self, challenge: [u8; 8], go_on: &dyn Fn() -> bool) -> Option<SecretBytes>;
}
