//! A chip, readers and a serial scanner that are software, behind the real drivers.

#![forbid(unsafe_code)]

pub mod card_image;
pub mod chip;
mod der;
pub mod image;
pub mod lies;
pub mod personalise;
pub mod pki;
pub mod quirks;
pub mod reader;
#[cfg(target_os = "linux")]
pub mod scanner;
pub mod timing;
