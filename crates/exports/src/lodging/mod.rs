//! The forms of the lodging portal (ASM, tbltkbtt.bocongan.gov.vn), and the counts of tourism statistics.
//!
//! The portal has no interface for programs: whoever runs a lodging uploads a file. Vietnamese guests go into the
//! operator's own copy of its XLSX ([`Template`]), foreign guests into XML ([`foreign_xml`]). The columns are those of one
//! published exporter, tried in July 2026; the words of choices are taken from the template itself, never from here.

mod counts;
mod fill;
mod foreign;
mod guest;

pub use counts::{Counts, LodgingKind};
pub(crate) use fill::printable;
pub use fill::{Filled, Template, TemplateFault};
pub use foreign::{ForeignFault, foreign_xml};
pub use guest::{Guest, GuestFault, Note, Stay, guests_of_json_lines};
