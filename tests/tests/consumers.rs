//! The sixteen consumers of the plans: each profile through the whole agent, to a stand-in that takes what arrives.
//!
//! `cargo xtask matrix consumers` prints the same rows.

use std::path::Path;
use std::sync::LazyLock;

use cccd_firmware_sim::chip::Chip;
use cccd_firmware_sim::lies::{ChipLie, Lie};
use cccd_profiles::ConsumerCatalogue;
use cccd_tests::consumers::{Desk, INSURANCE, ROWS, row};
use cccd_tests::people;
use serde_json::json;

const PROGRAM: &str = env!("CARGO_BIN_EXE_agent-under-test");

fn desk() -> Desk {
    Desk::start(Path::new(PROGRAM)).unwrap()
}

#[test]
fn every_consumer_of_the_plans_gets_what_its_profile_names_and_nothing_else() {
    let desk = desk();
    for row in &ROWS {
        let (arrived, said) =
            desk.try_row(row).unwrap_or_else(|error| panic!("row {}: {error:#}", row.number));
        assert!(!said.is_empty() && arrived.commands > 0, "row {}", row.number);
    }
    let numbers: Vec<_> = ROWS.iter().map(|row| row.number).collect();
    assert_eq!(numbers, (1..=16).collect::<Vec<_>>());
    // Every profile that comes with the program is in some row.
    for profile in ConsumerCatalogue::shipped().all() {
        assert!(ROWS.iter().any(|row| row.profile == profile.name), "{}", profile.name);
    }
}

#[test]
fn a_passenger_has_one_pseudonym_and_another_passenger_another() {
    let desk = desk();
    let passenger = |card: &str| {
        let arrived = desk.read("ticketing", &people::card(card)).unwrap();
        arrived.output["passenger"].as_str().unwrap().to_owned()
    };
    let (first, again, other) = (passenger("cccd-2021"), passenger("cccd-2021"), passenger("can-cuoc-2024"));
    assert_eq!(first, again);
    assert_ne!(first, other);
}

#[test]
fn ticketing_costs_less_than_a_full_reading() {
    let desk = desk();
    let card = people::card("cccd-2021");
    let (tap, full) = (desk.read("ticketing", &card).unwrap(), desk.read("notary", &card).unwrap());
    assert!(tap.commands < full.commands, "{} against {}", tap.commands, full.commands);
    assert!(tap.files.is_subset(&full.files) && tap.files.len() < full.files.len());
}

#[test]
fn a_copied_chip_gets_nobody_in() {
    let desk = desk();
    let card = people::card("cccd-2021");
    let told = Lie::Chip(ChipLie::OtherActiveKey).tell(&card).unwrap();
    for profile in ["exam", "ticketing", "clinic", "notary"] {
        let ask = json!({ "access": { "can": card.can().unwrap() }, "profile": profile });
        let arrived = desk.ask(&ask, Chip::new(told.image.clone())).unwrap();
        assert!(arrived.output.is_null(), "{profile}: {}", arrived.answer["disclosure"]);
        let demands = arrived.answer["disclosure"]["demands"].as_array().unwrap();
        let refusing = demands.iter().any(|demand| demand["met"] == false && demand["otherwise"] == "refuse");
        assert!(refusing, "{profile}: {demands:?}");
        for part in ["record", "disclosure"] {
            assert_eq!(people::somebody_in(&arrived.answer[part].to_string()), None, "{profile}");
        }
    }
}

#[test]
fn an_insurance_card_of_somebody_else_is_told() {
    static OTHER: LazyLock<String> =
        LazyLock::new(|| INSURANCE.replace("4E677579E1BB856E2056C4836E204DE1BAAB75", "5472E1BAA76E2041"));
    let desk = desk();
    let card = people::card("cccd-2021");
    let met = |insurance: &str| {
        let ask = json!({
            "access": { "can": card.can().unwrap() }, "profile": "clinic", "insurance": insurance,
        });
        let arrived = desk.ask(&ask, desk.chip(&card).unwrap()).unwrap();
        let demands = arrived.answer["disclosure"]["demands"].as_array().unwrap().clone();
        demands.iter().find(|demand| demand["demand"] == "insurance-agrees").unwrap()["met"] == true
    };
    assert!(met(INSURANCE));
    assert!(!met(&OTHER));
}

#[test]
fn what_a_profile_has_delivered_arrives_beside_the_answer() {
    let desk = desk();
    let arrived = desk.read("delivered", &people::card("cccd-2021")).unwrap();
    let read = arrived.answer["read_id"].as_str().unwrap();
    assert!(!arrived.output.is_null());
    assert_eq!(desk.dropped(read).unwrap(), arrived.output);
}

#[test]
fn rows_are_found_by_their_number() {
    assert_eq!(row(9).profile, "ticketing");
}
