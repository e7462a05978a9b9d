//! The only crate that touches hardware.
//!
//! ```no_run
//! use std::time::Duration;
//! use cccd_card::{ReaderEvent, ReaderSource, StopSignal};
//! use cccd_readers::{PcscOptions, PcscSource};
//!
//! let source = PcscSource::new(PcscOptions::default());
//! let stop = StopSignal::default();
//! source.watch(&mut |event| if let ReaderEvent::CardInserted { reader, .. } = event {
//!     println!("a card on {reader}");
//!     stop.raise();
//! }, &stop);
//! ```
//!
//! Scanners on serial ports are found, listened to and found again by [`SerialSource`]; [`Splitter`] makes codes of what
//! comes over their lines, and knows no port.
//!
//! Readers that libnfc drives are [`NfcSource`]'s. libnfc itself runs in processes of their own ([`nfc_worker`]): a chip
//! that answers badly can crash it.
//!
//! Readers with a network of their own that converse with chips by themselves are [`NetworkSource`]'s: they hand out files,
//! and have no channel.
//!
//! Nothing above this crate can tell one kind of reader from another. No call into a driver is trusted to
//! return, and no answer is trusted to be one.

mod network;
mod nfc;
mod pcsc;
mod serial;

pub use crate::network::{NetworkOptions, NetworkSource};
pub use crate::nfc::{NfcOptions, NfcSource, WorkerProgram, nfc_worker};
pub use crate::pcsc::{ListedReader, PcscOptions, PcscSource, ServiceFault, is_ignored, listed_readers};
pub use crate::serial::{
    Burst, BurstShape, Heard, LONGEST_FRAME, NotSent, PortFault, ScannerOrder, ScannerTrial, SerialOptions,
    SerialPortFound, SerialSource, Splitter, UsbPort, probe, serial_ports, try_port,
};
