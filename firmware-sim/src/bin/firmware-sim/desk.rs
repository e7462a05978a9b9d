//! The readers of a running simulator, and the orders carried out on them.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};
use cccd_firmware_sim::reader::control::{Order, ReaderStatus, Reply, Status};
use cccd_firmware_sim::reader::pcscd::PcscBench;
use cccd_firmware_sim::reader::vpcd::VpcdSlot;

use crate::cards::{Press, Printed, TrustFiles};

/// Readers with cards in them.
pub(crate) struct Desk {
    readers: Readers,
    press: Press,
    /// What lies in each reader.
    lying: Vec<Option<Printed>>,
}

enum Readers {
    /// Ours, behind a `pcscd` of ours.
    Own(PcscBench),
    /// Slots of somebody's vpcd.
    Vpcd(Vec<(u16, VpcdSlot)>),
}

impl Desk {
    /// As many readers behind a service of our own, with its files in `folder`.
    pub(crate) fn with_own_service(folder: &Path, count: usize, press: Press) -> anyhow::Result<Self> {
        let names: Vec<String> = (1..=count).map(|number| format!("Simulated reader {number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let bench = PcscBench::start_in(folder, &names)?;
        Ok(Self { readers: Readers::Own(bench), press, lying: vec![None; count] })
    }

    /// As many slots of a vpcd, which has them on consecutive ports.
    pub(crate) fn with_vpcd(port: u16, count: usize, press: Press) -> anyhow::Result<Self> {
        let slots: Vec<_> = (port..).take(count).map(|port| (port, VpcdSlot::new(port))).collect();
        if slots.len() < count {
            bail!("there are no {count} ports from {port} on");
        }
        Ok(Self { readers: Readers::Vpcd(slots), press, lying: vec![None; count] })
    }

    /// Writes the certificates that the cards lead to.
    pub(crate) fn write_trust(&mut self) -> anyhow::Result<TrustFiles> {
        self.press.write_trust()
    }

    /// Takes away all that was written for trust stores.
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
        }
        *self.place(number)? = Some(printed);
        Ok(())
    }

    fn remove(&mut self, number: usize) -> anyhow::Result<()> {
        if self.place(number)?.take().is_none() {
            bail!("no card lies in reader {number}");
        }
        match &mut self.readers {
            Readers::Own(bench) => drop(bench.reader(number).and_then(|reader| reader.remove())),
            Readers::Vpcd(slots) => drop(slots.get_mut(number).and_then(|(_, slot)| slot.remove())),
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
        }
        *self.place(number)? = Some(printed);
        Ok(())
    }

    fn unplug(&mut self, number: usize) -> anyhow::Result<()> {
        self.place(number)?;
        match &self.readers {
            Readers::Own(bench) => bench.reader(number).context("no such reader")?.unplug(),
            Readers::Vpcd(_) => bail!("a reader of vpcd has no cable to pull"),
        }
        Ok(())
    }

    fn plug(&mut self, number: usize) -> anyhow::Result<()> {
        self.place(number)?;
        match &self.readers {
            Readers::Own(bench) => bench.plug(number)?,
            Readers::Vpcd(_) => bail!("a reader of vpcd has no cable to pull"),
        }
        Ok(())
    }

    /// How things stand.
    pub(crate) fn status(&self) -> Status {
        let card = |number: usize| self.lying.get(number)?.as_ref().map(|printed| printed.card.clone());
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
                }
            }
            Readers::Vpcd(slots) => {
                let readers = slots.iter().enumerate().map(|(number, (port, _))| ReaderStatus {
                    number,
                    name: format!("vpcd on port {port}"),
                    plugged: true,
                    card: card(number),
                });
                Status { environment: BTreeMap::new(), serving: None, readers: readers.collect() }
            }
        }
    }

    fn place(&mut self, number: usize) -> anyhow::Result<&mut Option<Printed>> {
        let count = self.lying.len();
        self.lying.get_mut(number).with_context(|| {
            format!("there is no reader {number}; they are numbered from 0 to {}", count - 1)
        })
    }
}
