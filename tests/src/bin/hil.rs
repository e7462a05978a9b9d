//! `cargo xtask hil --bench FILE [--out FOLDER]`: a reader or scanner tried out with a real card, or with a simulated one.
//! Writes a report and a proposed device profile.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail};
use cccd_tests::hil::{self, BenchFile};
use tempfile::TempDir;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // libnfc runs in processes of its own: this program again.
    if let [worker, connstring] = arguments.as_slice()
        && worker == "nfc-worker"
    {
        return cccd_readers::nfc_worker(connstring);
    }
    match try_out(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("hil: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn try_out(arguments: &[String]) -> Result<bool> {
    let (mut file, mut out, mut folder) = (None, PathBuf::from("hil-report"), None);
    let mut rest = arguments.iter();
    while let Some(key) = rest.next() {
        let value = rest.next().with_context(|| format!("{key} wants a value"))?;
        match key.as_str() {
            "--bench" => file = Some(value),
            "--out" => out = PathBuf::from(value),
            "--in" => folder = Some(PathBuf::from(value)),
            _ => bail!("no setting {key}"),
        }
    }
    let file =
        file.context("--bench FILE: hil/benches has some, and hil/README.md tells how to write one")?;
    let text = std::fs::read_to_string(file).with_context(|| file.clone())?;
    let bench = BenchFile::parse(&text).with_context(|| file.clone())?;
    if folder.is_none() && hil::wants_a_service(&bench) {
        return lead_to_a_service(arguments);
    }
    let report = hil::run(bench, folder.as_deref())?;
    report.write(&out)?;
    println!("{}", report.markdown());
    println!("{}", out.display());
    Ok(report.is_good())
}

/// Starts this program again with an environment that leads to a smart-card service of its own: a client library looks
/// there once, and only there.
fn lead_to_a_service(arguments: &[String]) -> Result<bool> {
    let folder = TempDir::new()?;
    let folder: &Path = folder.path();
    let status = Command::new(std::env::current_exe()?)
        .args(arguments)
        .arg("--in")
        .arg(folder)
        .env("PCSCLITE_CSOCK_NAME", folder.join("sock"))
        .status()?;
    Ok(status.success())
}
