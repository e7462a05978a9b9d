//! Writes the seeds: `cccd-fuzz-seeds FOLDER` makes a folder for each target in it.

#![forbid(unsafe_code)]

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use cccd_fuzz_targets::TARGETS;
use cccd_fuzz_targets::seeds::Seeds;

fn main() -> Result<()> {
    let folder = PathBuf::from(std::env::args_os().nth(1).context("which folder?")?);
    let seeds = Seeds::make()?;
    for target in TARGETS {
        let folder = folder.join(target.name);
        // Those of an earlier run go: they may be of an older form.
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        for (number, seed) in seeds.of(target.name).iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{number:03}")), seed)?;
        }
    }
    Ok(())
}
