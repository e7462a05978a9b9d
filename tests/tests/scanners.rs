//! `cccd-agent scanners` at a terminal, over a simulated scanner.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;

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

    let listed = String::from_utf8(cccd_patience::output("scanners", &mut agent(&[])).stdout).unwrap();
    assert!(listed.contains("desk-1") && listed.contains("ready"), "{listed}");
    assert!(listed.contains("desk-2") && listed.contains("not plugged in"), "{listed}");

    let absent = cccd_patience::output("scanners test", &mut agent(&["test", "desk-2"]));
    assert!(!absent.status.success());
    assert!(String::from_utf8(absent.stderr).unwrap().contains("not plugged in"));

    // Into a file: what nobody reads would fill a pipe, and hold the program up.
    let log = folder.path().join("log");
    let mut trial = agent(&["test", "Desk 1", "--codes", "1", "--order", "ping", "--log", "trace"])
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let out = BufReader::new(trial.stdout.take().unwrap());
    let (tell, lines) = mpsc::channel();
    std::thread::spawn(move || out.lines().try_for_each(|line| tell.send(line.unwrap())));
    let mut said = String::new();
    let mut until = |text: &str| {
        while !said.contains(text) {
            said += &(cccd_patience::received(text, &lines) + "\n");
        }
    };
    // It is open, so that what is scanned from here on is seen; and it has told the scanner to answer.
    until("the scanner answered");
    let code = people::card("cccd-2021").qr_text().unwrap();
    scanner.scan_with(code.as_bytes(), Glitch::Overlong(20_000)).unwrap();
    until("garbled");
    scanner.scan(code.as_bytes()).unwrap();
    assert!(cccd_patience::ended("the trial", &mut trial).success());
    until("ends: CR LF");
    said.extend(lines);
    assert!(said.contains(&format!("{} byte, UTF-8, mã thẻ Căn cước", code.len())), "{said}");
    assert!(said.contains("ends: CR LF"), "{said}");
    people::assert_nobody_in("what was printed", &said);
    people::assert_nobody_in("the log", &std::fs::read_to_string(&log).unwrap());
}
