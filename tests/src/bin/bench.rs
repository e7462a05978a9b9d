//! `cargo xtask bench`: what a whole reading costs in commands and bytes, which do not wobble, and in
//! milliseconds of host time, which do; what a verdict costs, and a store of authorities.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use cccd_card::ChannelLimits;
use cccd_document::{AccessKey, Biometrics, Can, Cipher, FileId, FileOutcome, MrzKey, PasswordKind};
use cccd_emrtd::{LockedChip, Metered, ReadPlan, Traffic, read_document};
use cccd_evidence::{AgentKey, EvidenceFile, Groups, ReadFacts, open};
use cccd_firmware_sim::chip::Chip;
use cccd_firmware_sim::image::{ChipImage, LengthOffer};
use cccd_firmware_sim::personalise::{CardDescription, Issuer, SecurityObjectPlan, personalise};
use cccd_firmware_sim::pki::{Curve, DigestKind, SignerKind, TrustMaterial, csca_list, pem_bundle};
use cccd_firmware_sim::reader::in_process::DirectChannel;
use cccd_tests::judged::{self, Known};
use cccd_tests::people;
use cccd_trust::store::{Standing, Surveyor};

fn main() -> ExitCode {
    match table() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the table; whether every reading kept to what is promised.
fn table() -> Result<bool> {
    println!(
        "A whole reading of cccd-2021 in process: EF.COM, EF.SOD, DG1, DG13, DG14, DG15, DG2 (15 kB).\n"
    );
    println!(
        "| access | lengths | APDUs to open | APDUs after | bytes sent | bytes received | host ms | promised |"
    );
    println!("|---|---|---:|---:|---:|---:|---:|---|");
    let card = people::card("cccd-2021");
    let issuer = Issuer::new()?;
    let image = personalise(&card, &issuer)?;
    let mut kept = true;
    for way in [Way::Can, Way::PaceMrz, Way::Bac] {
        for lengths in [Lengths::Short, Lengths::Extended] {
            let run = Run::of(&card, image.clone(), way, lengths)?;
            kept &= run.print(way, lengths);
        }
    }
    verdicts()?;
    trust_store()?;
    Ok(kept)
}

/// What it costs to read a list of hundreds of authorities and verify every signature in it.
fn trust_store() -> Result<()> {
    const CERTIFICATES: usize = 588;
    const ROUNDS: usize = 7;
    let list = csca_list(CERTIFICATES)?;
    let pem = pem_bundle(list.iter().map(|one| one.certificate.der()));
    let surveyor = Surveyor {
        installed: &[],
        pinned: &[],
        now: judged::NOW,
        warn_before: Duration::from_secs(90 * 24 * 3600),
    };
    let mut rounds = Vec::new();
    let (mut self_signed, mut links) = (0, 0);
    for _ in 0..ROUNDS {
        let (wall, cpu) = (Instant::now(), cpu_time());
        let survey = surveyor.survey(pem.as_bytes())?;
        rounds.push((wall.elapsed(), cpu_time() - cpu));
        let of = |standing| survey.certificates.iter().filter(|one| one.standing == standing).count();
        (self_signed, links) = (of(Standing::SelfSigned), of(Standing::Link));
    }
    let millis = |time: Duration| time.as_secs_f64() * 1000.0;
    // The first makes the tables of each curve.
    let (first_wall, first_cpu) = rounds.first().copied().unwrap_or_default();
    rounds.sort();
    let (wall, cpu) = rounds.get(ROUNDS / 2).copied().unwrap_or_default();
    println!(
        "\nA list of {CERTIFICATES} CSCA certificates: RSA, PSS, named and explicit curves, {ROUNDS} times.\n"
    );
    println!("| self-signed verified | links verified | first ms | first CPU ms | median ms | its CPU ms |");
    println!("|---:|---:|---:|---:|---:|---:|");
    println!(
        "| {self_signed} | {links} | {:.0} | {:.0} | {:.0} | {:.0} |",
        millis(first_wall),
        millis(first_cpu),
        millis(wall),
        millis(cpu)
    );
    Ok(())
}

/// What it costs to open a signed evidence file and judge all of it again.
fn verdicts() -> Result<()> {
    const ROUNDS: u32 = 50;
    println!("\nEvidence of a whole reading (portrait included), opened and judged {ROUNDS} times.\n");
    println!("| signer under CSCA | file kB | CPU ms each | verdict |\n|---|---:|---:|---|");
    let card = people::card("cccd-2021");
    for (name, csca, signer, digest) in [
        ("ECDSA P-384 under P-384", SignerKind::ECDSA_P384, SignerKind::ECDSA_P384, DigestKind::Sha384),
        (
            "ECDSA brainpoolP384r1 under brainpoolP384r1",
            SignerKind::named(Curve::BrainpoolP384r1),
            SignerKind::named(Curve::BrainpoolP384r1),
            DigestKind::Sha384,
        ),
        ("RSA 2048 under RSA 2048", SignerKind::RSA_2048, SignerKind::RSA_2048, DigestKind::Sha256),
    ] {
        let issuer = Issuer::of_kind(csca, digest)?;
        let card = card.clone().with_security_object(SecurityObjectPlan::usual(digest, signer));
        let trust = TrustMaterial { anchors: vec![issuer.csca_der().to_vec()], ..TrustMaterial::default() };
        let known = Known::of(&trust)?;
        let evidence =
            judged::read(personalise(&card, &issuer)?, &judged::can(&card)?, ReadPlan::identity())?;
        let verdict = known.judge(&evidence).verdict;
        let mark = cccd_document::ReadMark::Simulated;
        let facts = ReadFacts { read_id: "bench", agent_version: "0", read_at: judged::NOW, mark };
        let key = AgentKey::generate(&mut getrandom::SysRng)?;
        let file = EvidenceFile::new(facts, &evidence, &verdict, Groups::with(&evidence, Biometrics::NONE))
            .sign(&key, &mut getrandom::SysRng)?;
        let before = cpu_time();
        let mut summary = "";
        for _ in 0..ROUNDS {
            let opened = open(&file, Some(&key.key_id()))?;
            summary = known.judge(&opened.evidence).verdict.summary().code();
        }
        let each = (cpu_time() - before).as_secs_f64() * 1000.0 / f64::from(ROUNDS);
        println!("| {name} | {} | {each:.2} | {summary} |", file.len() / 1000);
    }
    Ok(())
}

/// Processor time of this process.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[derive(Clone, Copy)]
enum Way {
    Can,
    PaceMrz,
    Bac,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lengths {
    Short,
    Extended,
}

struct Run {
    opening: Traffic,
    all: Traffic,
    cipher: Cipher,
    files: Vec<usize>,
    millis: f64,
}

impl Run {
    fn of(card: &CardDescription, mut image: ChipImage, way: Way, lengths: Lengths) -> Result<Self> {
        let limits = match lengths {
            Lengths::Extended => ChannelLimits::EXTENDED,
            Lengths::Short => {
                image.lengths = LengthOffer::Short;
                ChannelLimits::SHORT
            }
        };
        let fields = card.mrz_key();
        let mrz = MrzKey::new(&fields.document_number, &fields.birth, &fields.expiry)?;
        let key = match way {
            Way::Can => AccessKey::Can(Can::new(card.can().context("the card has a CAN")?)?),
            Way::PaceMrz => AccessKey::Mrz(mrz),
            Way::Bac => {
                // As before PACE: no EF.CardAccess.
                image.access.pace.clear();
                image.master_file.remove(&FileId::CardAccess.fid());
                AccessKey::Mrz(mrz)
            }
        };
        let mut channel = Metered::new(DirectChannel::new(Chip::new(image), limits)?);
        let chip = LockedChip::new(&mut channel).unlock(&[key], &mut getrandom::SysRng)?;
        let access = chip.access().clone();
        drop(chip);
        let opening = channel.traffic();

        // Opened anew, because the meter cannot be read while the chip holds the channel.
        let mut channel = Metered::new({
            let mut direct = channel.into_inner();
            cccd_card::CardChannel::reset(&mut direct)?;
            direct
        });
        let key = match access.password {
            PasswordKind::Can => AccessKey::Can(Can::new(card.can().context("the card has a CAN")?)?),
            PasswordKind::Mrz => {
                AccessKey::Mrz(MrzKey::new(&fields.document_number, &fields.birth, &fields.expiry)?)
            }
        };
        let start = Instant::now();
        let mut chip = LockedChip::new(&mut channel).unlock(&[key], &mut getrandom::SysRng)?;
        let evidence = read_document(&mut chip, &ReadPlan::identity(), &mut getrandom::SysRng, &mut |_| {})?;
        let millis = start.elapsed().as_secs_f64() * 1000.0;
        drop(chip);
        let files = evidence
            .files
            .values()
            .filter_map(|outcome| match outcome {
                FileOutcome::Read(bytes) => Some(bytes.len()),
                _ => None,
            })
            .collect();
        let cipher = match access.protocol {
            cccd_document::AccessProtocol::Bac => Cipher::TripleDes,
            cccd_document::AccessProtocol::Pace(pace) => pace.cipher,
            cccd_document::AccessProtocol::ByReader => anyhow::bail!("no reader opens chips here"),
        };
        Ok(Self { opening, all: channel.traffic(), cipher, files, millis })
    }

    /// What the README promises after access control: ten commands with extended length; with short length
    /// one command per largest chunk and one more per file, the application's SELECT beside.
    fn promised(&self, lengths: Lengths) -> u64 {
        match lengths {
            Lengths::Extended => 10,
            Lengths::Short => {
                // What fits into 256 bytes of protected reply beside DO87's header, DO99 and DO8E.
                let block = if self.cipher == Cipher::TripleDes { 8 } else { 16 };
                let chunk = (256 - 3 - 1 - 4 - 10) / block * block - 1;
                let files = self.files.iter().map(|size| size.div_ceil(chunk) + 1).sum::<usize>();
                u64::try_from(files).unwrap_or(u64::MAX)
            }
        }
    }

    fn print(&self, way: Way, lengths: Lengths) -> bool {
        let after = self.all.commands - self.opening.commands;
        let promised = self.promised(lengths);
        let way = match way {
            Way::Can => "PACE, CAN",
            Way::PaceMrz => "PACE, MRZ",
            Way::Bac => "BAC",
        };
        let form = if lengths == Lengths::Short { "short" } else { "extended" };
        let kept = after <= promised;
        println!(
            "| {way} | {form} | {} | {after} | {} | {} | {:.1} | {} {promised} |",
            self.opening.commands,
            self.all.bytes_sent,
            self.all.bytes_received,
            self.millis,
            if kept { "≤" } else { "MORE THAN" },
        );
        kept
    }
}
