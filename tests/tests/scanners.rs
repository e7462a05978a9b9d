//! `cccd-agent scanners` at a terminal, over a simulated scanner.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};

use cccd_firmware_sim::scanner::{Glitch, SerialScanner};
use cccd_profiles::ScannerCatalogue;
use cccd_tests::people;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_agent-under-test");

fn settings(folder: &Path, scanner: &SerialScanner) -> std::path::PathBuf {
    let file = folder.join("agent.toml");
    let text = format!(
        "[[scanner]]\nname = 'Desk 1'\nport = '{}'\nprofile = 'honeywell'\n\
         [[scanner]]\nname = 'Desk 2'\nport = '{}'\n",
        scanner.link().display(),
        folder.join("nothing").display()
    );
    std::fs::write(&file, text).unwrap();
    file
}

#[test]
fn scanners_are_listed_and_tried_without_a_word_of_what_their_codes_say() {
    let folder = TempDir::new().unwrap();
    let model = ScannerCatalogue::shipped().get("honeywell").unwrap().clone();
    let scanner = SerialScanner::plugged(&folder.path().join("port"), model).unwrap();
    let config = settings(folder.path(), &scanner);
    let agent = |arguments: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.arg("--config").arg(&config).arg("scanners").args(arguments).stdin(Stdio::null());
        command
    };

    let listed = String::from_utf8(agent(&[]).output().unwrap().stdout).unwrap();
    assert!(listed.contains("desk-1") && listed.contains("ready"), "{listed}");
    assert!(listed.contains("desk-2") && listed.contains("not plugged in"), "{listed}");

    let absent = agent(&["test", "desk-2"]).output().unwrap();
    assert!(!absent.status.success());
    assert!(String::from_utf8(absent.stderr).unwrap().contains("not plugged in"));

    let mut trial = agent(&["test", "Desk 1", "--codes", "1", "--order", "ping", "--log", "trace"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(trial.stdout.take().unwrap());
    let mut said = String::new();
    // It is open, so that what is scanned from here on is seen; and it has told the scanner to answer.
    while !said.contains("the scanner answered") {
        assert_ne!(out.read_line(&mut said).unwrap(), 0, "{said}");
    }
    let code = people::card("cccd-2021").qr_text().unwrap();
    scanner.scan_with(code.as_bytes(), Glitch::Overlong(20_000)).unwrap();
    while !said.contains("garbled") {
        assert_ne!(out.read_line(&mut said).unwrap(), 0, "{said}");
    }
    scanner.scan(code.as_bytes()).unwrap();
    out.read_to_string(&mut said).unwrap();
    assert!(trial.wait().unwrap().success());
    assert!(said.contains(&format!("{} byte, UTF-8, mã thẻ Căn cước", code.len())), "{said}");
    assert!(said.contains("ends: CR LF"), "{said}");
    people::assert_nobody_in("what was printed", &said);
    let mut log = String::new();
    trial.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    people::assert_nobody_in("the log", &log);
}
