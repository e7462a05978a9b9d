//! The guides for integrators, done as they say: every command run, the form filled.

use std::process::Command;

use cccd_tests::{CALLER_TOKEN, OpenDesk, manual, open_desk};
use serde_json::Value;
use tempfile::TempDir;

const GUIDES: [&str; 2] = ["docs/integrate.en.md", "docs/integrate.vi.md"];

/// Types the `sh` blocks of a guide into one shell; every command must succeed.
fn typed(desk: &OpenDesk, folder: &TempDir, guide: &str) -> String {
    let script = format!("set -euo pipefail\n{}", manual::blocks(guide, "sh").concat());
    let mut shell = Command::new("bash");
    shell.arg("-c").arg(script).current_dir(folder.path());
    shell.env("BASE", desk.url()).env("TOKEN", CALLER_TOKEN);
    let output = cccd_patience::output(guide, &mut shell);
    let said = String::from_utf8(output.stdout).unwrap();
    let aside = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{guide}: {}\n{said}\n{aside}", output.status);
    said
}

#[test]
fn the_guide_by_hand_does_what_it_says() {
    let (desk, folder) = (OpenDesk::start(), TempDir::new().unwrap());
    let said = typed(&desk, &folder, "docs/curl.md");
    let person = open_desk::card().citizen().unwrap().clone();
    for (what, times) in [
        (format!("\"name\":{{\"value\":\"{}\"", person.name), 5),
        ("\"state\":\"completed\"".to_owned(), 1),
        ("\"state\":\"expired\"".to_owned(), 1),
        ("\"expected\":{\"number\":\"match\",\"name\":\"match\"}".to_owned(), 1),
        ("\"scan_agrees\":true".to_owned(), 2),
        ("\"remaining_ms\":".to_owned(), 2),
        ("event: read.completed".to_owned(), 5),
        ("\"code\":\"access-key-wrong\"".to_owned(), 2),
    ] {
        assert_eq!(said.matches(&what).count(), times, "{what}\n{said}");
    }
    let face = std::fs::read(folder.path().join("face.jpg")).unwrap();
    assert!(face.starts_with(&[0xFF, 0xD8]));
}

#[test]
fn both_languages_have_the_same_commands_and_the_same_page() {
    let [english, vietnamese] = GUIDES;
    for language in ["sh", "console", "html"] {
        assert_eq!(manual::blocks(english, language), manual::blocks(vietnamese, language), "{language}");
    }
}

#[test]
fn the_integrators_guide_ends_in_a_filled_form() {
    let (desk, folder) = (OpenDesk::start(), TempDir::new().unwrap());
    let person = open_desk::card().citizen().unwrap().clone();
    let said = typed(&desk, &folder, GUIDES[0]);
    assert!(said.contains("\"status\":\"ok\"") && said.contains(&person.name), "{said}");

    let page = folder.path().join("form.html");
    std::fs::write(&page, manual::blocks(GUIDES[0], "html").concat()).unwrap();
    let form = |can: Option<&str>| -> Value {
        let mut node = Command::new("node");
        node.arg(manual::repository("clients/js/test/form.js")).arg(&page).args(can);
        let output = cccd_patience::output("the form", node.envs(desk.environment()));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let filled = form(None);
    assert_eq!(filled["number"], person.number);
    assert_eq!(filled["name"], person.name);
    assert_eq!(filled["birth"], "02/01/1990");
    assert_eq!(filled["sex"], "Nam");
    assert!(filled["residence"].as_str().unwrap().contains("Đường Mẫu"));
    assert_eq!((&filled["percent"], &filled["face"]), (&100.into(), &"image/jpeg".into()));
    // The verdict's words, as the guide's own reading has them.
    let verdict = filled["said"].as_str().unwrap();
    assert!(said.contains(&format!("\"reason_vi\":\"{verdict}\"")), "{verdict}");

    let refused = form(Some("111111"));
    assert_eq!(refused["name"], "");
    let problem = cccd_api::Problem::find("access-key-wrong").unwrap();
    assert_eq!(refused["said"], format!("{}. {}", problem.title.vi, problem.remedy.vi));
}
