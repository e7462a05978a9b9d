//! `hil/benches/*.toml`: what stands on a bench, and who lays the card down.

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

/// A bench.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BenchFile {
    /// Its name in the report.
    pub name: String,
    /// The reader on it.
    pub reader: Option<ReaderPlace>,
    /// The scanner on it.
    pub scanner: Option<ScannerPlaceOnBench>,
    /// Who lays the card down.
    pub hand: HandKind,
}

/// Where a reader is found.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ReaderPlace {
    /// In the system's smart-card service.
    Pcsc {
        /// Its name there; a star at the end stands for anything.
        pcsc_name: String,
    },
    /// Through libnfc.
    Nfc {
        /// Its connection string.
        connstring: String,
    },
}

/// Where a scanner is found.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScannerPlaceOnBench {
    /// Its port.
    pub port: String,
    /// Its profile under `devices/scanners`.
    pub profile: String,
}

/// Who lays the card down.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum HandKind {
    /// Somebody at a terminal, with a card of their own.
    Operator {
        /// Whether one wrong access number may be tried.
        #[serde(default)]
        spend_a_try: bool,
    },
    /// A simulation, which is the reader and the card as well.
    Simulated {
        /// Of what.
        stand: Stand,
        /// Which of the shipped cards.
        card: String,
    },
}

/// What is simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stand {
    /// vsmartcard's vpcd, under a pcscd.
    Vpcd,
    /// A PN532 on a pseudo-terminal.
    Pn532,
    /// A scanner on a pseudo-terminal.
    Scanner,
}

impl BenchFile {
    /// Understands the text of a bench file.
    pub fn parse(text: &str) -> Result<Self> {
        let bench: Self = toml::from_str(text).context("no bench file")?;
        ensure!(bench.reader.is_some() || bench.scanner.is_some(), "neither a [reader] nor a [scanner]");
        Ok(bench)
    }
}

/// Whether a PC/SC name is meant by a pattern, in which stars stand for anything.
pub(super) fn is_meant(pattern: &str, name: &str) -> bool {
    let mut rest = name;
    let mut pieces = pattern.split('*');
    let Some(begin) = pieces.next() else { return false };
    let Some(after) = rest.strip_prefix(begin) else { return false };
    rest = after;
    let mut open_end = !pattern.contains('*') && rest.is_empty();
    for piece in pieces {
        open_end = piece.is_empty() || rest.ends_with(piece);
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    open_end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_bench_can_be_read() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../hil/benches");
        let mut count = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let bench = BenchFile::parse(&std::fs::read_to_string(&path).unwrap());
            assert!(bench.is_ok(), "{}: {bench:?}", path.display());
            count += 1;
        }
        assert!(count >= 4);
        assert!(BenchFile::parse("name = 'x'\n[hand]\nkind = 'operator'\n").is_err(), "nothing on it");
    }

    #[test]
    fn names_are_met_with_stars() {
        for (pattern, name, met) in [
            ("Virtual PCD*", "Virtual PCD 00 00", true),
            ("ACS*PICC*", "ACS ACR1252 [ACR1252 Dual Reader PICC] 00 00", true),
            ("ACS*PICC*", "ACS ACR1252 [ACR1252 Dual Reader SAM] 00 01", false),
            ("exact", "exact", true),
            ("exact", "exactly", false),
            ("*", "anything", true),
        ] {
            assert_eq!(is_meant(pattern, name), met, "{pattern} {name}");
        }
    }
}
