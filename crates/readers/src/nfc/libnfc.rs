//! The calls into libnfc, through nfc1. They are made in the worker only.

use std::time::Duration;

use cccd_card::SecretBytes;
use nfc1::target_info::TargetInfo;
use nfc1::{BaudRate, Context, Device as NfcDevice, Error, Modulation, ModulationType, Property, Timeout};
use zeroize::Zeroizing;

use super::fault;
use super::protocol::Found;
use super::worker::{Code, Device};

/// SAK: complies with ISO/IEC 14443-4 (ISO/IEC 14443-3, 6.5.3.4).
const SPEAKS_14443_4: u8 = 0x20;

/// Longest answer that comes out of libnfc's frame buffer.
const MAX_REPLY: usize = 263;

/// An open reader.
pub(super) struct Libnfc {
    // Dropped in this order: a device keeps a pointer into its context.
    device: NfcDevice,
    _context: Context,
}

impl Libnfc {
    /// Opens the reader behind a connection string, as one that looks for cards.
    pub(super) fn open(connstring: &str) -> Result<Self, Code> {
        let mut context = Context::new().map_err(code)?;
        let mut device = context.open_with_connstring(connstring).map_err(code)?;
        device.initiator_init().map_err(code)?;
        // Or a search without a card never ends, and nothing can call it off.
        device.set_property_bool(Property::InfiniteSelect, false).map_err(code)?;
        Ok(Self { device, _context: context })
    }

    fn select(&mut self, modulation_type: ModulationType) -> Result<Option<Found>, Code> {
        let modulation = Modulation { modulation_type, baud_rate: BaudRate::Baud106 };
        let target = self.device.initiator_select_passive_target(&modulation).map_err(code)?;
        Ok(match target.target_info {
            // nfc1 calls it a success when there is none, and hands over zeros.
            TargetInfo::Iso14443a(card) if card.uid_len == 0 => None,
            TargetInfo::Iso14443a(card) if card.sak & SPEAKS_14443_4 == 0 => Some(Found::Other),
            TargetInfo::Iso14443a(card) => {
                let ats = card.ats.get(..card.ats_len).unwrap_or_default().to_vec();
                Some(Found::A { ats })
            }
            TargetInfo::Iso14443b(card) if card.pupi == [0; 4] && card.protocol_info == [0; 3] => None,
            TargetInfo::Iso14443b(card) => {
                let mut atqb = [0; 7];
                let described = card.application_data.iter().chain(&card.protocol_info);
                atqb.iter_mut().zip(described).for_each(|(to, from)| *to = *from);
                Some(Found::B { atqb })
            }
            _ => None,
        })
    }
}

impl Device for Libnfc {
    fn find(&mut self) -> Result<Option<Found>, Code> {
        match self.select(ModulationType::Iso14443a)? {
            Some(found) => Ok(Some(found)),
            None => self.select(ModulationType::Iso14443b),
        }
    }

    fn exchange(&mut self, command: &[u8], within: Duration) -> Result<SecretBytes, Code> {
        let within = Timeout::Duration(within);
        self.device.initiator_transceive_bytes(command, MAX_REPLY, within).map(Zeroizing::new).map_err(code)
    }

    fn is_present(&mut self) -> Result<(), Code> {
        self.device.initiator_target_is_present_any().map_err(code)
    }

    fn rest(&mut self) -> Result<(), Code> {
        // Without a card there is nobody to let go of; the field goes off all the same.
        let _ = self.device.initiator_deselect_target();
        self.device.set_property_bool(Property::ActivateField, false).map_err(code)
    }
}

/// The number behind nfc1's name for it.
fn code(error: Error) -> Code {
    match error {
        Error::Io => fault::EIO,
        Error::InvalidArgument => fault::EINVARG,
        Error::DeviceNotSupported => fault::EDEVNOTSUPP,
        Error::NoSuchDeviceFound | Error::NoDeviceFound => fault::ENOTSUCHDEV,
        Error::BufferOverflow => fault::EOVFLOW,
        Error::Timeout => fault::ETIMEOUT,
        Error::OperationAborted => fault::EOPABORTED,
        Error::NotImplemented => fault::ENOTIMPL,
        Error::TargetReleased => fault::ETGRELEASED,
        Error::RfTransmissionError => fault::ERFTRANS,
        Error::MifareAuthFailed => fault::EMFCAUTHFAIL,
        Error::Soft | Error::Malloc => fault::ESOFT,
        Error::Chip => fault::ECHIP,
        // A target of a kind that was not asked for.
        Error::UndefinedModulationType => fault::ECHIP,
        Error::Undefined(code) => code,
    }
}
