//! The scanners of a running simulator.

use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use cccd_firmware_sim::reader::control::{ScannerStatus, When};
use cccd_firmware_sim::scanner::{Glitch, SerialScanner};
use cccd_profiles::ScannerCatalogue;

/// Scanners, each with the name of its model.
#[derive(Default)]
pub(crate) struct Scanners(Vec<(String, SerialScanner)>);

impl Scanners {
    /// One scanner for each model, its port `scannerN` in `folder`.
    pub(crate) fn plugged(folder: &Path, models: &[String]) -> anyhow::Result<Self> {
        let catalogue = ScannerCatalogue::shipped();
        let plugged = models.iter().enumerate().map(|(number, model)| {
            let profile = catalogue
                .get(model)
                .with_context(|| format!("{model} is no model (`firmware-sim scanners` lists them)"))?;
            let port = folder.join(format!("scanner{number}"));
            let scanner = SerialScanner::plugged(&port, profile.clone())
                .with_context(|| format!("cannot make the port {}", port.display()))?;
            Ok((model.clone(), scanner))
        });
        plugged.collect::<anyhow::Result<_>>().map(Self)
    }

    /// Scans a code, or lays it before the scanner.
    pub(crate) fn scan(
        &self,
        number: usize,
        code: &[u8],
        when: When,
        glitch: Option<Glitch>,
    ) -> anyhow::Result<()> {
        let scanner = self.get(number)?;
        match (when, glitch) {
            (When::Now, None) => Ok(scanner.scan(code)?),
            (When::Now, Some(glitch)) => Ok(scanner.scan_with(code, glitch)?),
            (When::Triggered, None) => {
                scanner.model().commands.trigger.as_ref().context("this model has no trigger command")?;
                scanner.hold(Some(code));
                Ok(())
            }
            (When::Triggered, Some(_)) => anyhow::bail!("what is scanned when triggered has no glitch"),
        }
    }

    pub(crate) fn unplug(&self, number: usize) -> anyhow::Result<()> {
        self.get(number)?.unplug();
        Ok(())
    }

    pub(crate) fn plug(&self, number: usize) -> anyhow::Result<()> {
        Ok(self.get(number)?.plug()?)
    }

    /// How they stand.
    pub(crate) fn status(&self) -> Vec<ScannerStatus> {
        let status = |(number, (model, scanner)): (usize, &(String, SerialScanner))| ScannerStatus {
            number,
            model: model.clone(),
            port: scanner.link().display().to_string(),
            plugged: scanner.is_plugged(),
        };
        self.0.iter().enumerate().map(status).collect()
    }

    fn get(&self, number: usize) -> anyhow::Result<&SerialScanner> {
        let there = match self.0.len().checked_sub(1) {
            Some(last) => format!("they are numbered from 0 to {last}"),
            None => "start the simulator with --scanner MODEL".to_owned(),
        };
        let found = self.0.get(number).map(|(_, scanner)| scanner);
        found.with_context(|| format!("there is no scanner {number}; {there}"))
    }
}

/// Lists the models there are.
pub(crate) fn list_models(out: &mut impl Write) -> io::Result<()> {
    for (key, profile) in ScannerCatalogue::shipped().profiles() {
        let trigger = if profile.commands.trigger.is_some() { "can be triggered" } else { "" };
        writeln!(out, "{key:20} {:24} {:>6} baud  {trigger}", profile.name, profile.line.baud)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_done_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let unknown = Scanners::plugged(dir.path(), &["x".to_owned()]).err().unwrap().to_string();
        assert!(unknown.starts_with("x is no model"), "{unknown}");
        let scanners = Scanners::plugged(dir.path(), &["zebra".to_owned(), "newland".to_owned()]).unwrap();
        let scan = |number, when, glitch| {
            let outcome = scanners.scan(number, b"code", when, glitch);
            outcome.map_err(|error| error.to_string())
        };
        let error = |text: &str| Err(text.to_owned());
        assert_eq!(scan(2, When::Now, None), error("there is no scanner 2; they are numbered from 0 to 1"));
        assert_eq!(scan(0, When::Triggered, None), error("this model has no trigger command"));
        assert_eq!(scan(1, When::Triggered, None), Ok(()));
        scanners.unplug(1).unwrap();
        assert_eq!(scan(1, When::Now, Some(Glitch::Twice)), error("the scanner is not plugged in"));
        assert_eq!(scanners.status().iter().map(|status| status.plugged).collect::<Vec<_>>(), [true, false]);
    }
}
