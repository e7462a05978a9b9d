//! How long a list of hundreds of authorities takes to be taken apart and verified:
//! `cargo run --release -p cccd-trust --example survey_of_a_list -- 588 list.pem`.
//!
//! The list is written where there is none yet: the second run takes it from there, so that what a profiler counts is
//! the survey alone (`valgrind --tool=callgrind`).

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command line speaks through it")]

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use cccd_firmware_sim::pki;
use cccd_trust::store::{Standing, Surveyor};
use time::macros::datetime;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let count = arguments.next().map_or(Ok(588), |count| count.parse())?;
    let list = match arguments.next() {
        Some(path) if Path::new(&path).exists() => std::fs::read(path)?,
        Some(path) => {
            let list = generated(count)?;
            std::fs::write(path, &list)?;
            list
        }
        None => generated(count)?,
    };
    let surveyor = Surveyor {
        installed: &[],
        pinned: &[],
        now: datetime!(2026-11-20 12:00 UTC),
        warn_before: Duration::from_secs(90 * 24 * 3600),
    };
    let start = Instant::now();
    let survey = surveyor.survey(&list)?;
    let verified = start.elapsed();
    let of = |standing| survey.certificates.iter().filter(|one| one.standing == standing).count();
    println!(
        "{} certificates: {} self-signed and {} links verified in {verified:.1?}",
        survey.certificates.len(),
        of(Standing::SelfSigned),
        of(Standing::Link),
    );
    Ok(())
}

fn generated(count: usize) -> Result<Vec<u8>, Box<dyn Error>> {
    let list = pki::csca_list(count)?;
    Ok(pki::pem_bundle(list.iter().map(|one| one.certificate.der())).into_bytes())
}
