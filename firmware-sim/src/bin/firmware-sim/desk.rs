//! The readers and scanners of a running simulator, and the orders carried out on them.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};
use cccd_firmware_sim::reader::control::{Code, Order, ReaderStatus, Reply, Status, When};
use cccd_firmware_sim::reader::pcscd::PcscBench;
use cccd_firmware_sim::reader::vpcd::VpcdSlot;
use cccd_firmware_sim::scanner::Glitch;

use crate::cards::{self, Press, Printed, TrustFiles};
use crate::scanners::Scanners;
use crate::stations::StationFiles;

/// Readers with cards in them, and scanners.
pub(crate) struct Desk {
    readers: Readers,
    press: Press,
    /// What lies in each reader.
    lying: Vec<Option<Printed>>,
    scanners: Scanners,
}

enum Readers {
    /// None, and no service.
    Absent,
    /// Ours, behind a `pcscd` of ours.
    Own(PcscBench),
    /// Slots of somebody's vpcd.
    Vpcd(Vec<(u16, VpcdSlot)>),
}

impl Desk {
    /// No reader at all.
    pub(crate) fn without_readers(press: Press) -> Self {
        Self { readers: Readers::Absent, press, lying: Vec::new(), scanners: Scanners::default() }
    }

    /// As many readers behind a service of our own, with its files in `folder`.
    pub(crate) fn with_own_service(folder: &Path, count: usize, press: Press) -> anyhow::Result<Self> {
        let names: Vec<String> = (1..=count).map(|number| format!("Simulated reader {number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let bench = PcscBench::start_in(folder, &names)?;
        Ok(Self {
            readers: Readers::Own(bench),
            press,
            lying: vec![None; count],
            scanners: Scanners::default(),
        })
    }

    /// As many slots of a vpcd, which has them on consecutive ports.
    pub(crate) fn with_vpcd(port: u16, count: usize, press: Press) -> anyhow::Result<Self> {
        let slots: Vec<_> = (port..).take(count).map(|port| (port, VpcdSlot::new(port))).collect();
        if slots.len() < count {
            bail!("there are no {count} ports from {port} on");
        }
        Ok(Self {
            readers: Readers::Vpcd(slots),
            press,
            lying: vec![None; count],
            scanners: Scanners::default(),
        })
    }

    /// Puts scanners of these models beside the readers, with their ports in `folder`.
    pub(crate) fn add_scanners(&mut self, folder: &Path, models: &[String]) -> anyhow::Result<()> {
        self.scanners = Scanners::plugged(folder, models)?;
        Ok(())
    }

    /// Writes the certificates that the cards lead to.
    pub(crate) fn write_trust(&mut self) -> anyhow::Result<TrustFiles> {
        self.press.write_trust()
    }

    /// Writes certificates and keys of stations.
    pub(crate) fn write_stations(&mut self) -> anyhow::Result<Vec<StationFiles>> {
        self.press.write_stations()
    }

    /// Takes away all that was written for agents.
    pub(crate) fn clear_trust(&mut self) {
        self.press.clear_trust();
    }

    /// What is printed on the cards that lie there, by reader.
    pub(crate) fn printed(&self) -> impl Iterator<Item = (usize, &Printed)> {
        self.lying.iter().enumerate().filter_map(|(number, card)| Some((number, card.as_ref()?)))
    }

    /// Carries out an order.
    pub(crate) fn order(&mut self, order: Order) -> Reply {
        let done = match order {
            Order::Insert { reader, card } => self.insert(reader, &card),
            Order::Remove { reader } => self.remove(reader),
            Order::Swap { reader, card } => self.swap(reader, &card),
            Order::Unplug { reader } => self.unplug(reader),
            Order::Plug { reader } => self.plug(reader),
            Order::Scan { scanner, code, when, glitch } => self.scan(scanner, code, when, glitch),
            Order::UnplugScanner { scanner } => self.scanners.unplug(scanner),
            Order::PlugScanner { scanner } => self.scanners.plug(scanner),
            Order::Status {} => Ok(()),
        };
        match done {
            Ok(()) => Reply::Done(self.status()),
            Err(error) => Reply::Refused(format!("{error:#}")),
        }
    }

    /// Puts a card in.
    pub(crate) fn insert(&mut self, number: usize, named: &str) -> anyhow::Result<()> {
        if self.place(number)?.is_some() {
            bail!("a card lies in reader {number} already; remove it, or swap");
        }
        let (chip, printed) = self.press.make(named)?;
        match &mut self.readers {
            Readers::Own(bench) => bench.reader(number).context("no such reader")?.insert(chip)?,
            Readers::Vpcd(slots) => {
                let (_, slot) = slots.get_mut(number).context("no such reader")?;
                slot.insert(Box::new(chip))?;
            }
            Readers::Absent => bail!("no such reader"),
        }
        *self.place(number)? = Some(printed);
        Ok(())
    }

    fn scan(&self, number: usize, code: Code, when: When, glitch: Option<Glitch>) -> anyhow::Result<()> {
        let text = match code {
            Code::Text(text) => text,
            Code::Card(named) => cards::qr_text(&named)?,
        };
        self.scanners.scan(number, text.as_bytes(), when, glitch)
    }

    fn remove(&mut self, number: usize) -> anyhow::Result<()> {
        if self.place(number)?.take().is_none() {
            bail!("no card lies in reader {number}");
        }
        match &mut self.readers {
            Readers::Own(bench) => drop(bench.reader(number).and_then(|reader| reader.remove())),
            Readers::Vpcd(slots) => drop(slots.get_mut(number).and_then(|(_, slot)| slot.remove())),
            Readers::Absent => {}
        }
        Ok(())
    }

    fn swap(&mut self, number: usize, named: &str) -> anyhow::Result<()> {
        if self.place(number)?.is_none() {
            bail!("no card lies in reader {number}; insert one");
        }
        let (chip, printed) = self.press.make(named)?;
        match &mut self.readers {
            Readers::Own(bench) => {
                drop(bench.reader(number).context("no such reader")?.swap(chip));
            }
            Readers::Vpcd(slots) => {
                let (_, slot) = slots.get_mut(number).context("no such reader")?;
                drop(slot.remove());
                slot.insert(Box::new(chip))?;
            }
            Readers::Absent => bail!("no such reader"),
        }
        *self.place(number)? = Some(printed);
        Ok(())
    }

    fn unplug(&mut self, number: usize) -> anyhow::Result<()> {
        self.place(number)?;
        match &self.readers {
            Readers::Own(bench) => bench.reader(number).context("no such reader")?.unplug(),
            Readers::Vpcd(_) | Readers::Absent => bail!("a reader of vpcd has no cable to pull"),
        }
        Ok(())
    }

    fn plug(&mut self, number: usize) -> anyhow::Result<()> {
        self.place(number)?;
        match &self.readers {
            Readers::Own(bench) => bench.plug(number)?,
            Readers::Vpcd(_) | Readers::Absent => bail!("a reader of vpcd has no cable to pull"),
        }
        Ok(())
    }

    /// How things stand.
    pub(crate) fn status(&self) -> Status {
        let card = |number: usize| self.lying.get(number)?.as_ref().map(|printed| printed.card.clone());
        let scanners = self.scanners.status();
        match &self.readers {
            Readers::Own(bench) => {
                let socket = bench.socket_path().display().to_string();
                let readers = (0..bench.reader_count()).map(|number| ReaderStatus {
                    number,
                    name: bench.friendly_name(number).unwrap_or_default().to_owned(),
                    plugged: bench.reader(number).is_some_and(|reader| reader.is_plugged()),
                    card: card(number),
                });
                Status {
                    environment: [("PCSCLITE_CSOCK_NAME".to_owned(), socket)].into(),
                    serving: Some(bench.is_serving()),
                    readers: readers.collect(),
                    scanners,
                }
            }
            Readers::Vpcd(slots) => {
                let readers = slots.iter().enumerate().map(|(number, (port, _))| ReaderStatus {
                    number,
                    name: format!("vpcd on port {port}"),
                    plugged: true,
                    card: card(number),
                });
                Status { environment: BTreeMap::new(), serving: None, readers: readers.collect(), scanners }
            }
            Readers::Absent => {
                Status { environment: BTreeMap::new(), serving: None, readers: Vec::new(), scanners }
            }
        }
    }

    fn place(&mut self, number: usize) -> anyhow::Result<&mut Option<Printed>> {
        let there = match self.lying.len().checked_sub(1) {
            Some(last) => format!("they are numbered from 0 to {last}"),
            None => "there is none at all".to_owned(),
        };
        self.lying.get_mut(number).with_context(|| format!("there is no reader {number}; {there}"))
    }
}
