//! The manual of verdicts names every reason there is.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::path::Path;

use cccd_document::FileId;
use cccd_trust::{GroupReason, Reason};

const BEGIN: &str = "<!-- reasons: written by `UPDATE=1 cargo test -p cccd-api` -->\n";
const END: &str = "<!-- end of reasons -->";

fn table() -> String {
    let groups =
        [GroupReason::HashMismatch, GroupReason::NotSigned].map(|reason| Reason::Group(reason, FileId::DG1));
    let mut out = String::from("| Code | | |\n|---|---|---|\n");
    for &reason in Reason::ALL.iter().chain(&groups) {
        let words = cccd_api::of_reason(reason);
        writeln!(out, "| `{}` | {} | {} |", reason.code(), words.vi, words.en).unwrap();
    }
    out
}

#[test]
fn the_manual_names_every_reason_in_both_languages() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/verdict.md");
    let manual = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = manual.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let meant = format!("{before}{BEGIN}\n{}\n{END}{after}", table());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &meant).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), meant, "docs/verdict.md is not what the code says");
}
