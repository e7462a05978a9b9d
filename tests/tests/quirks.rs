//! Every quirk of the list is simulated and survived, or says why not: the rows that `cargo xtask matrix quirks` prints.

use std::collections::BTreeSet;

use cccd_tests::quirks::{Bench, rows};

#[test]
fn every_number_of_the_list_has_its_row_and_every_story_its_number() {
    let rows = rows().unwrap();
    let numbers: Vec<u8> = rows.iter().map(|row| row.item).collect();
    assert_eq!(numbers, (1..=70).collect::<Vec<u8>>());
    for row in &rows {
        let has = !row.simulated().is_empty() || !row.tests.is_empty();
        assert_ne!(has, row.reason.is_some(), "{}: something, or a reason why nothing", row.item);
    }
    let told: BTreeSet<&str> = rows.iter().flat_map(|row| row.stories.iter().map(String::as_str)).collect();
    let bench = Bench::new().unwrap();
    for story in bench.stories() {
        assert!(told.contains(story), "{story} is told by no row");
    }
}

#[test]
fn every_quirk_is_survived_or_answered_by_its_right_code() {
    let bench = Bench::new().unwrap();
    let mut bad = Vec::new();
    for row in rows().unwrap().iter().filter(|row| row.is_applicable()) {
        if let Err(error) = bench.run(row) {
            bad.push(format!("{} {}: {error:#}", row.item, row.name));
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}
