//! A hand that is software, with the reader and the card in it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use cccd_document::AccessKey;
use cccd_firmware_sim::chip::Chip;
use cccd_firmware_sim::image::ChipImage;
use cccd_firmware_sim::personalise::{CardDescription, Issuer, personalise};
use cccd_firmware_sim::reader::pcscd::PcscBench;
use cccd_firmware_sim::reader::pn532::Pn532;
use cccd_firmware_sim::reader::vpcd::VpcdSlot;
use cccd_firmware_sim::reader::{Card, EchoCard};
use cccd_firmware_sim::scanner::SerialScanner;
use cccd_profiles::ScannerCatalogue;

use super::bench_file::{BenchFile, ReaderPlace, Stand};
use super::hand::Hand;
use crate::judged;
use crate::{HeldCard, Hold, people};

/// After so many commands the card is lifted: the chip is open, and files are being read.
const LIFTED_AFTER: usize = 14;

/// The bench and the card.
pub(super) struct Simulated {
    place: Place,
    card: CardDescription,
    image: ChipImage,
    hold: Option<Hold>,
}

enum Place {
    Vpcd { slot: Box<VpcdSlot>, _service: PcscBench },
    Pn532(Pn532),
    Scanner(Box<SerialScanner>),
}

impl Simulated {
    pub(super) fn start(stand: Stand, card: &str, folder: &Path) -> Result<Self> {
        let card = people::card(card);
        let image = personalise(&card, &Issuer::new()?)?;
        let place = match stand {
            Stand::Vpcd => {
                let (bench, [slot, _]) = PcscBench::start_vpcd_in(folder)?;
                Place::Vpcd { slot: Box::new(slot), _service: bench }
            }
            Stand::Pn532 => Place::Pn532(Pn532::plugged(&folder.join("pn532"))?),
            Stand::Scanner => {
                let model = ScannerCatalogue::shipped();
                let model = model.get("honeywell").context("no such profile")?;
                Place::Scanner(Box::new(SerialScanner::plugged(&folder.join("scanner"), model.clone())?))
            }
        };
        Ok(Self { place, card, image, hold: None })
    }

    /// Puts into the bench file where the simulation stands.
    pub(super) fn complete(&self, bench: &mut BenchFile) {
        match (&self.place, &mut bench.reader, &mut bench.scanner) {
            (Place::Pn532(reader), Some(ReaderPlace::Nfc { connstring }), _) => {
                *connstring = reader.connstring()
            }
            (Place::Scanner(scanner), _, Some(place)) => place.port = scanner.link().display().to_string(),
            _ => {}
        }
    }

    fn insert(&mut self, card: impl Card + 'static) -> Result<()> {
        match &mut self.place {
            Place::Vpcd { slot, .. } => Ok(slot.insert(Box::new(card))?),
            Place::Pn532(reader) => Ok(reader.insert(card)?),
            Place::Scanner(_) => bail!("a scanner takes no card"),
        }
    }

    fn take_out(&mut self) {
        match &mut self.place {
            Place::Vpcd { slot, .. } => drop(slot.remove()),
            Place::Pn532(reader) => drop(reader.remove()),
            Place::Scanner(_) => {}
        }
    }

    fn scan(&self, code: &str) -> Result<()> {
        match &self.place {
            Place::Scanner(scanner) => Ok(scanner.scan(code.as_bytes())?),
            _ => bail!("no scanner is simulated"),
        }
    }
}

impl Hand for Simulated {
    fn patience(&self) -> Duration {
        crate::agent::PATIENCE
    }

    fn access(&mut self) -> Result<AccessKey> {
        judged::can(&self.card)
    }

    fn place(&mut self) -> Result<()> {
        let chip = Chip::new(self.image.clone());
        self.insert(chip)
    }

    fn remove(&mut self) -> Result<()> {
        self.take_out();
        Ok(())
    }

    fn flip(&mut self) -> Result<()> {
        self.place()
    }

    fn place_to_lift(&mut self) -> Result<()> {
        let (card, hold) = HeldCard::after(LIFTED_AFTER, Chip::new(self.image.clone()));
        self.hold = Some(hold);
        self.insert(card)
    }

    fn lift(&mut self) -> Result<()> {
        let hold = self.hold.take().context("no card lies there to be lifted")?;
        hold.wait_until_reached();
        self.take_out();
        Ok(())
    }

    fn lay_back(&mut self) -> Result<()> {
        self.place()
    }

    fn place_measuring_card(&mut self) -> Result<bool> {
        self.insert(EchoCard::marked(1))?;
        Ok(true)
    }

    fn pull_measuring_card(&mut self, during: &mut (dyn FnMut() + Send)) -> Result<bool> {
        let (card, hold) = HeldCard::after(0, EchoCard::marked(2));
        self.insert(card)?;
        std::thread::scope(|scope| {
            let exchange = scope.spawn(during);
            hold.wait_until_reached();
            self.take_out();
            drop(hold);
            exchange.join().map_err(|_| anyhow::anyhow!("the exchange panicked"))
        })?;
        Ok(true)
    }

    fn show_code(&mut self) -> Result<()> {
        let code = self.card.qr_text().context("the card has no code")?;
        self.scan(&code)
    }

    fn show_app_code(&mut self) -> Result<bool> {
        // No form of it is known that could be shown.
        Ok(false)
    }

    fn spends_a_try(&self) -> bool {
        true
    }
}
