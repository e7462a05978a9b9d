//! How long a list of hundreds of authorities takes to be taken apart and verified:
//! `cargo run --release -p cccd-trust --example survey_of_a_list -- 588`.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command line speaks through it")]

use std::time::{Duration, Instant};

use cccd_firmware_sim::pki;
use cccd_trust::Certificate;
use cccd_trust::store::{Standing, Surveyor};
use time::macros::datetime;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count = std::env::args().nth(1).map_or(Ok(588), |count| count.parse())?;
    let list = pki::csca_list(count)?;
    let pem = pki::pem_bundle(list.iter().map(|one| one.certificate.der()));
    let surveyor = Surveyor {
        installed: &[],
        pinned: &[],
        now: datetime!(2026-11-20 12:00 UTC),
        warn_before: Duration::from_secs(90 * 24 * 3600),
    };
    let start = Instant::now();
    let survey = surveyor.survey(pem.as_bytes())?;
    let verified = start.elapsed();
    let of = |standing| survey.certificates.iter().filter(|one| one.standing == standing).count();
    let start = Instant::now();
    let parsed = list.iter().filter(|one| Certificate::parse(one.certificate.der()).is_ok()).count();
    println!(
        "{count} certificates: {} self-signed and {} links verified in {verified:.1?}; {parsed} parsed alone in {:.1?}",
        of(Standing::SelfSigned),
        of(Standing::Link),
        start.elapsed()
    );
    Ok(())
}
