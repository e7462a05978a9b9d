//! The readers and scanners of a running simulator, and the orders carried out on them.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};
use cccd_firmware_sim::reader::control::{Code, Order, ReaderStatus, Reply, Status, When};
use cccd_firmware_sim::reader::pcscd::PcscBench;
use cccd_firmware_sim::reader::pn532::Pn532;
use cccd_firmware_sim::reader::vpcd::VpcdSlot;
use cccd_firmware_sim::scanner::Glitch;

use crate::cards::{self, Press, Printed, TrustFiles};
use crate::scanners::Scanners;
use crate::stations::StationFiles;

/// Readers with cards in them, and scanners.
pub(crate) struct Desk {
    readers: Readers,
    press: Press,
    /// Those that libnfc drives; they are numbered behind the others.
    pn532s: Vec<Pn532>,
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
        Self {
            readers: Readers::Absent,
            press,
            pn532s: Vec::new(),
            lying: Vec::new(),
            scanners: Scanners::default(),
        }
    }

    /// As many readers behind a service of our own, with its files in `folder`.
    pub(crate) fn with_own_service(folder: &Path, count: usize, press: Press) -> anyhow::Result<Self> {
        let names: Vec<String> = (1..=count).map(|number| format!("Simulated reader {number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let bench = PcscBench::start_in(folder, &names)?;
        Ok(Self {
            readers: Readers::Own(bench),
            press,
            pn532s: Vec::new(),
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
            pn532s: Vec::new(),
            lying: vec![None; count],
            scanners: Scanners::default(),
        })
    }

    /// Puts so many PN532s beside the readers, with their ports in `folder`.
    pub(crate) fn add_pn532s(&mut self, folder: &Path, count: usize) -> anyhow::Result<()> {
        for number in 0..count {
            let port = folder.join(format!("pn532-{number}"));
            let reader =
                Pn532::plugged(&port).with_context(|| format!("cannot make the port {}", port.display()))?;
            self.pn532s.push(reader);
            self.lying.push(None);
        }
        Ok(())
    }

    /// The PN532 of this number, counted over all readers.
    fn pn532(&self, number: usize) -> Option<&Pn532> {
        let others = self.lying.len() - self.pn532s.len();
        self.pn532s.get(number.checked_sub(others)?)
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
            Order::Trouble { reader, trouble } => self.trouble(reader, trouble.as_deref()),
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
        if let Some(reader) = self.pn532(number) {
            reader.insert(chip)?;
            *self.place(number)? = Some(printed);
            return Ok(());
        }
        match &mut self.readers {
            Readers::Own(bench) => bench.reader(number).context("no such reader")?.insert(chip)?,
            Readers::Vpcd(slots) => {
                let (_, slot) = slots.get_mut(number).context("no such reader")?;
                slot.insert(chip)?;
            }
            Readers::Absent => bail!("no such reader"),
        }
        *self.place(number)? = Some(printed);
        Ok(())
    }

    fn trouble(&self, number: usize, trouble: Option<&str>) -> anyhow::Result<()> {
        if let Some(reader) = self.pn532(number) {
            reader.trouble(trouble.map(str::parse).transpose()?);
            return Ok(());
        }
        match &self.readers {
            Readers::Own(bench) => {
                let reader = bench.reader(number).context("no such reader")?;
                reader.trouble(trouble.map(str::parse).transpose()?);
            }
            Readers::Vpcd(_) | Readers::Absent => bail!("a reader of vpcd cannot be made to go wrong"),
        }
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
        if let Some(reader) = self.pn532(number) {
            drop(reader.remove());
            return Ok(());
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
        if let Some(reader) = self.pn532(number) {
            drop(reader.swap(chip));
            *self.place(number)? = Some(printed);
            return Ok(());
        }
        match &mut self.readers {
            Readers::Own(bench) => {
                drop(bench.reader(number).context("no such reader")?.swap(chip));
            }
            Readers::Vpcd(slots) => {
                let (_, slot) = slots.get_mut(number).context("no such reader")?;
                drop(slot.remove());
                slot.insert(chip)?;
            }
            Readers::Absent => bail!("no such reader"),
        }
        *self.place(number)? = Some(printed);
        Ok(())
    }

    fn unplug(&mut self, number: usize) -> anyhow::Result<()> {
        self.place(number)?;
        if let Some(reader) = self.pn532(number) {
            reader.unplug();
            return Ok(());
        }
        match &self.readers {
            Readers::Own(bench) => bench.reader(number).context("no such reader")?.unplug(),
            Readers::Vpcd(_) | Readers::Absent => bail!("a reader of vpcd has no cable to pull"),
        }
        Ok(())
    }

    fn plug(&mut self, number: usize) -> anyhow::Result<()> {
        self.place(number)?;
        if let Some(reader) = self.pn532(number) {
            return Ok(reader.plug()?);
        }
        match &self.readers {
            Readers::Own(bench) => bench.plug(number)?,
            Readers::Vpcd(_) | Readers::Absent => bail!("a reader of vpcd has no cable to pull"),
        }
        Ok(())
    }

    /// How things stand.
    pub(crate) fn status(&self) -> Status {
        let card = |number: usize| self.lying.get(number)?.as_ref().map(|printed| printed.card.clone());
        let mut environment = BTreeMap::new();
        let mut serving = None;
        let mut readers = Vec::new();
        match &self.readers {
            Readers::Own(bench) => {
                let socket = bench.socket_path().display().to_string();
                environment.insert("PCSCLITE_CSOCK_NAME".to_owned(), socket);
                serving = Some(bench.is_serving());
                readers.extend((0..bench.reader_count()).map(|number| ReaderStatus {
                    number,
                    name: bench.friendly_name(number).unwrap_or_default().to_owned(),
                    plugged: bench.reader(number).is_some_and(|reader| reader.is_plugged()),
                    card: card(number),
                    connstring: None,
                }));
            }
            Readers::Vpcd(slots) => readers.extend(slots.iter().enumerate().map(|(number, (port, _))| {
                let name = format!("vpcd on port {port}");
                ReaderStatus { number, name, plugged: true, card: card(number), connstring: None }
            })),
            Readers::Absent => {}
        }
        for (index, reader) in self.pn532s.iter().enumerate() {
            let number = readers.len();
            readers.push(ReaderStatus {
                number,
                name: format!("PN532 {}", index + 1),
                plugged: reader.is_plugged(),
                card: card(number),
                connstring: Some(reader.connstring()),
            });
        }
        Status { environment, serving, readers, scanners: self.scanners.status() }
    }

    fn place(&mut self, number: usize) -> anyhow::Result<&mut Option<Printed>> {
        let there = match self.lying.len().checked_sub(1) {
            Some(last) => format!("they are numbered from 0 to {last}"),
            None => "there is none at all".to_owned(),
        };
        self.lying.get_mut(number).with_context(|| format!("there is no reader {number}; {there}"))
    }
}
