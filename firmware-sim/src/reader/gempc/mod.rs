//! A GemPC Twin, the serial CCID reader, as firmware on a pseudo-terminal.
//!
//! The real `libccidtwin.so` in a real `pcscd` drives it and speaks T=1 with the card through it, so that
//! everything above the serial line is what runs in the field.
//!
//! ```no_run
//! use cccd_firmware_sim::reader::EchoCard;
//! use cccd_firmware_sim::reader::gempc::GemPcTwin;
//!
//! let reader = GemPcTwin::plugged("/tmp/ccid0".as_ref())?;
//! reader.insert(EchoCard::marked(1))?;
//! // At the thirtieth block from now on, once, the card's answer has a wrong check byte.
//! reader.trouble(Some("exchanging:wrong-lrc@30*1".parse()?));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod atr;
mod firmware;
mod frame;
mod session;
mod t1;
mod trouble;

use std::io;
use std::sync::atomic::AtomicBool;

pub use atr::{ATR_T1, for_t1};
pub use trouble::{Misbehaviour, Stage, Trouble};

use super::Card;
use super::pty::Pty;
use super::serial::{Model, SerialReader, Shared};
use super::slot::SlotTaken;

/// Such a reader, and the hand at it.
pub type GemPcTwin = SerialReader<TwinModel>;

/// What makes a reader a GemPC Twin.
#[derive(Debug, Default)]
pub struct TwinModel;

impl GemPcTwin {
    /// Puts a card in. The host sees it at its next poll, within 400 ms.
    pub fn insert(&self, card: impl Card + 'static) -> Result<(), SlotTaken> {
        self.shared.slot.insert(Box::new(card))
    }
}

impl Model for TwinModel {
    const NAME: &'static str = "gempc-twin";
    type Stage = Stage;
    type Misbehaviour = Misbehaviour;

    fn serve(line: &mut Pty, reader: &Shared<Self>, cut: &AtomicBool) -> io::Result<()> {
        session::serve(line, reader, cut)
    }
}
