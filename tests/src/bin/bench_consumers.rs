//! `cargo xtask bench consumers`: a large roster, and the quickest profile beside the whole record.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use cccd_exports::{Attendance, Roster, Tap, sheet};
use cccd_tests::consumers::Desk;
use cccd_tests::people;
use time::macros::datetime;

/// As many as the largest examination of a province has at one place.
const CANDIDATES: usize = 20_000;
const TAPS: usize = 1_000;
const READINGS: usize = 10;

fn main() -> ExitCode {
    match roster().and_then(|()| readings()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Invented candidates: numbers of a province that is none, names that differ in their number.
fn table() -> String {
    let mut text = "SBD;Họ và tên;Ngày sinh;Số định danh;Ca thi\n".to_owned();
    for number in 0..CANDIDATES {
        let session = if number % 2 == 0 { "Sáng" } else { "Chiều" };
        let _ = writeln!(text, "SBD{number:05};Nguyễn Văn Mẫu {number};02/01/2008;0000{number:08};{session}");
    }
    text
}

fn roster() -> Result<()> {
    let csv = table().into_bytes();
    let xlsx = xlsx(&csv)?;
    println!("| roster of {CANDIDATES} | bytes | loaded in ms |\n|---|---:|---:|");
    for (name, bytes) in [("CSV", &csv), ("XLSX", &xlsx)] {
        let started = Instant::now();
        let roster = Roster::read(&sheet::of_file(bytes)?)?;
        let took = started.elapsed();
        ensure!(roster.candidates().len() == CANDIDATES, "all of them");
        println!("| {name} | {} | {} |", bytes.len(), took.as_millis());
    }
    let roster = Roster::read(&sheet::of_csv(&csv)?)?;
    let mut morning = Attendance::new(&roster, "Sáng");
    let at = datetime!(2026-11-20 07:10 +7);
    let mut times = Vec::with_capacity(TAPS);
    for tap in 0..TAPS {
        let candidate = &roster.candidates()[(tap * 37) % CANDIDATES];
        let (number, name) = (candidate.number.expose(), candidate.name.expose());
        let started = Instant::now();
        let answer = morning.tap(&Tap { number, name, birth: "02/01/2008", genuine: true }, at);
        times.push(started.elapsed());
        ensure!(matches!(answer.code(), "admitted" | "wrong-session" | "already-in"), "{answer:?}");
    }
    times.sort();
    println!("\n| a tap | p50 µs | p99 µs |\n|---|---:|---:|");
    println!(
        "| beyond the card | {} | {} |",
        times[TAPS / 2].as_micros(),
        times[TAPS * 99 / 100].as_micros()
    );
    Ok(())
}

fn xlsx(csv: &[u8]) -> Result<Vec<u8>> {
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    for (row, line) in (0..).zip(std::str::from_utf8(csv)?.lines()) {
        for (column, text) in (0..).zip(line.split(';')) {
            sheet.write_string(row, column, text)?;
        }
    }
    Ok(book.save_to_buffer()?)
}

fn readings() -> Result<()> {
    let desk = Desk::start(&std::env::current_exe()?.with_file_name("agent-under-test"))?;
    let card = people::card("cccd-2021");
    println!(
        "\n| profile | commands | files | card at 424 kbit/s, ms | this machine, ms, median of {READINGS} |\n|---|---:|---:|---:|---:|"
    );
    for profile in ["ticketing", "exam", "clinic", "notary"] {
        let mut times = Vec::new();
        let mut last = None;
        for _ in 0..READINGS {
            let arrived = desk.read(profile, &card)?;
            times.push(arrived.took);
            last = Some(arrived);
        }
        times.sort();
        let last = last.context("a reading")?;
        println!(
            "| {profile} | {} | {} | {} | {} |",
            last.commands,
            last.files.len(),
            last.on_card.as_millis(),
            times[READINGS / 2].as_millis()
        );
    }
    Ok(())
}
