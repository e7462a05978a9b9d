//! Many readings, in small: `cargo xtask soak` does it at length.

use std::process::Command;

use cccd_tests::soak::soak;

#[test]
fn readings_leave_nothing_behind_that_grows() {
    let soaked = soak(60, 240, |_, _| {}).unwrap();
    // So few readings can tell a leak of whole readings, of which each is some 40 kB; the long run tells the rest.
    let leaked = soaked.after.saturating_sub(soaked.before);
    assert!(leaked < 180 * 20_000, "{soaked:?}");
}

#[test]
fn six_readers_at_once_give_each_their_own_and_name_what_went_wrong() {
    let mut soak = Command::new(env!("CARGO_BIN_EXE_cccd-soak"));
    let output = cccd_patience::output("the crowd", soak.args(["crowd", "36", "2026"]));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let count = |word: &str| -> usize {
        let rows = text.lines().filter(|line| line.contains(&format!("| {word} |")));
        rows.filter_map(|line| line.rsplit('|').nth(1)?.trim().parse::<usize>().ok()).sum()
    };
    for reader in ["desk-0", "desk-1", "lane-0", "network-0", "nfc-0", "nfc-1"] {
        assert!(
            text.lines().any(|line| line.contains(reader) && line.contains("| read |")),
            "{reader}: {text}"
        );
    }
    // The program itself holds every reading to its own person, and to a named outcome.
    assert!(count("read") >= 12 && count("card-removed") >= 3, "{text}");
    assert!(text.contains("36 readings, each with a named outcome"), "{text}");
}
