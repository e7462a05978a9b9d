//! The benches that are software, through the runner that takes a real reader with a real card.

use std::path::{Path, PathBuf};
use std::process::Command;

use cccd_profiles::{ReaderCatalogue, ReaderProfile};
use cccd_tests::people;
use serde_json::Value;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_cccd-hil");

fn bench(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../hil/benches").join(name)
}

/// Runs a bench; its report, and the folder with its files.
fn run(name: &str) -> (Value, TempDir) {
    let out = TempDir::new().unwrap();
    let mut command = Command::new(PROGRAM);
    command.arg("--bench").arg(bench(name)).arg("--out").arg(out.path());
    let done = cccd_patience::output(name, &mut command);
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{name}: {said}");
    people::assert_nobody_in(name, &said);
    for file in ["report.md", "report.json"] {
        people::assert_nobody_in(file, &std::fs::read_to_string(out.path().join(file)).unwrap());
    }
    let text = std::fs::read_to_string(out.path().join("report.json")).unwrap();
    (serde_json::from_str(&text).unwrap(), out)
}

fn profile(out: &TempDir) -> ReaderProfile {
    let text = std::fs::read_to_string(out.path().join("profile.toml")).unwrap();
    ReaderProfile::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Every assertion that could be tried held, and at least so many could.
fn assert_held(report: &Value, least: usize) {
    let assertions = report["assertions"].as_array().unwrap();
    let held = assertions.iter().filter(|assertion| assertion["outcome"] == "held").count();
    assert!(held >= least, "{assertions:#?}");
    assert!(assertions.iter().all(|assertion| assertion["outcome"] != "failed"), "{assertions:#?}");
}

fn found<'a>(report: &'a Value, item: &str) -> &'a str {
    let questions = report["to_measure"].as_array().unwrap();
    let question = questions.iter().find(|question| question["item"] == item).unwrap();
    question["found"].as_str().unwrap_or_else(|| panic!("{item}: {question}"))
}

#[test]
fn the_profile_that_is_measured_of_vpcd_is_the_one_that_is_shipped() {
    let (report, out) = run("virtual-vpcd.toml");
    assert_held(&report, 12);
    let measured = profile(&out);
    let catalogue = ReaderCatalogue::shipped();
    let shipped = catalogue.find("Virtual PCD 00 00").unwrap();
    assert_eq!(measured.name, shipped.name);
    assert_eq!(measured.pcsc_names, shipped.pcsc_names);
    assert_eq!(measured.level, shipped.level);
    assert_eq!(measured.extended_length, shipped.extended_length);
    assert_eq!(measured.limits, shipped.limits);
    assert_eq!(measured.open, shipped.open);
    assert_eq!(measured.quirks, shipped.quirks);
    assert_eq!(measured.seen[0].facts, shipped.seen[0].facts);
    // What is asked of real cards is answered by name.
    assert_eq!(found(&report, "BAC accepted or not"), "accepted");
    assert!(found(&report, "extended length").starts_with("passes"));
    for item in
        ["ATR, ATS", "EF.CardAccess bytes", "size of each DG", "DG15 algorithm", "DG14 OIDs", "SOD digest"]
    {
        assert!(!found(&report, item).is_empty());
    }
    assert!(found(&report, "DG13: tag 13 nesting").contains("sequences"));
}

#[test]
fn a_pn532_is_measured_as_short_as_libnfc_makes_it() {
    let (report, out) = run("virtual-pn532.toml");
    assert_held(&report, 12);
    let catalogue = ReaderCatalogue::shipped();
    let shipped = catalogue.find_libnfc("pn532_uart:/dev/ttyUSB0").unwrap();
    let measured = profile(&out);
    assert_eq!((measured.limits, measured.level), (shipped.limits, shipped.level));
    assert_eq!((measured.extended_length, &measured.libnfc), (shipped.extended_length, &shipped.libnfc));
}

#[test]
fn a_scanner_is_tried_by_the_codes_that_are_shown_to_it() {
    let (report, _) = run("virtual-scanner.toml");
    assert_held(&report, 3);
    assert!(found(&report, "number of QR fields on a 2024 card").contains("fields, read as citizen"));
    let questions = report["to_measure"].as_array().unwrap();
    let open = questions.iter().filter(|question| question["found"].is_null()).count();
    assert!(open > 10, "a scanner says nothing of a chip");
}
