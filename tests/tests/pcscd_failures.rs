//! What goes wrong at a desk: each has its own code, none hangs, and the next reading works.

use std::sync::Arc;

use cccd_firmware_sim::chip::Chip;
use cccd_firmware_sim::personalise::{Issuer, personalise};
use cccd_firmware_sim::reader::pcscd::PcscBench;
use cccd_tests::{AgentUnderTest, HeldCard, Hold, OTHER_TOKEN, agent::Answer, people};
use reqwest::Method;
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_agent-under-test");

/// How many commands a card with short lengths answers before it is in the middle of its portrait.
const IN_THE_MIDDLE: usize = 40;

struct Desk {
    agent: AgentUnderTest,
    bench: Arc<PcscBench>,
    issuer: Issuer,
}

impl Desk {
    fn new() -> Self {
        Self::with("wait_for_card_s = 2\nexchange_within_s = 3\nwait_for_return_s = 0")
    }

    fn with(readings: &str) -> Self {
        let bench = Arc::new(PcscBench::start(&["Lane 0", "Lane 1"]).unwrap());
        let agent = AgentUnderTest::start_with(PROGRAM, Some(bench.socket_path()), readings);
        Self { agent, bench, issuer: Issuer::new().unwrap() }
    }

    /// Lays a shipped card on a reader and waits until the agent has seen it.
    fn insert(&self, reader: usize, card: &str) -> String {
        let image = personalise(&people::card(card), &self.issuer).unwrap();
        self.bench.reader(reader).unwrap().insert(Chip::new(image)).unwrap();
        self.agent.wait_for_card(&format!("Lane {reader}"), true)
    }

    fn can(card: &str) -> Value {
        json!({ "access": { "can": people::card(card).can().unwrap() } })
    }

    /// Whatever lay on reader 0 goes; the next card reads as if nothing had happened.
    fn assert_next_reading_works(&self, card: &str) {
        self.bench.reader(0).unwrap().remove();
        self.agent.wait_for_card("Lane 0", false);
        let id = self.insert(0, card);
        let mut request = Self::can(card);
        request["reader"] = json!(id);
        let result = self.agent.read(&request).result();
        let number = people::card(card).citizen().unwrap().number.clone();
        assert_eq!(result["record"]["number"]["value"], number);
    }

    /// Lays a shipped card on reader 0, starts reading it, and returns in the middle of it.
    fn in_the_middle_of(&self, card: &str) -> (String, Hold) {
        let image = personalise(&people::card(card), &self.issuer).unwrap();
        let (held, hold) = HeldCard::after(IN_THE_MIDDLE, Chip::new(image));
        self.bench.reader(0).unwrap().insert(held).unwrap();
        self.agent.wait_for_card("Lane 0", true);
        let response = self.agent.request(Method::POST, "/v1/reads").json(&Self::can(card)).send().unwrap();
        assert_eq!(response.status(), 202);
        hold.wait_until_reached();
        (response.headers()["location"].to_str().unwrap().to_owned(), hold)
    }

    /// Takes the card away while it holds a command, then lets go of it.
    fn pull_held_card(&self, hold: Hold) {
        let reader = self.bench.reader(0).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| reader.remove());
            while reader.has_card() {
                std::thread::yield_now();
            }
            drop(hold);
        });
    }

    fn problem_of(&self, path: &str) -> String {
        self.agent.wait_for("the end", || {
            let state = self.agent.get(path)["state"].clone();
            state != "waiting" && state != "running"
        });
        let read = self.agent.get(path);
        read["problem"]["code"].as_str().unwrap_or_else(|| panic!("{read}")).to_owned()
    }
}

#[test]
fn wrong_keys_are_told_from_a_card_that_moved() {
    let desk = Desk::new();
    desk.insert(0, "cccd-2021");
    let wrong_can = desk.agent.read(&json!({ "access": { "can": "654321" } }));
    assert_eq!(wrong_can.code(), "access-key-wrong");
    // The simulated card counts tries, and says so.
    assert_eq!(wrong_can.body["tries_left"], 9, "{}", wrong_can.body);
    let wrong_mrz = json!({ "document_number": "000000017", "birth": "900101", "expiry": "300101" });
    assert_eq!(desk.agent.read(&json!({ "access": { "mrz": wrong_mrz } })).code(), "access-key-wrong");
    desk.assert_next_reading_works("cccd-2021");
}

#[test]
fn no_card_no_reader_of_that_name_and_two_cards_are_three_things() {
    let desk = Desk::new();
    desk.agent.wait_for_card("Lane 0", false);
    desk.agent.wait_for_card("Lane 1", false);
    assert_eq!(desk.agent.read(&Desk::can("cccd-2021")).code(), "no-card");

    let mut elsewhere = Desk::can("cccd-2021");
    elsewhere["reader"] = json!("no-such-reader");
    assert_eq!(desk.agent.read(&elsewhere).code(), "reader-not-found");

    desk.insert(0, "cccd-2021");
    desk.insert(1, "cccd-no-expiry");
    assert_eq!(desk.agent.read(&Desk::can("cccd-2021")).code(), "reader-selection-required");
    desk.bench.reader(1).unwrap().remove();
    desk.agent.wait_for_card("Lane 1", false);
    desk.assert_next_reading_works("cccd-2021");
}

#[test]
fn a_card_pulled_in_the_middle_and_the_next_one_are_not_mixed_up() {
    let desk = Desk::new();
    let (read, hold) = desk.in_the_middle_of("cccd-no-expiry");
    desk.pull_held_card(hold);
    assert_eq!(desk.problem_of(&read), "card-removed");
    desk.assert_next_reading_works("cccd-2021");
}

#[test]
fn a_card_lifted_in_the_middle_and_laid_down_again_is_read_to_its_end() {
    let desk = Desk::with("wait_for_return_s = 60");
    let image = personalise(&people::card("cccd-no-expiry"), &desk.issuer).unwrap();
    let (held, hold) = HeldCard::after(IN_THE_MIDDLE, Chip::new(image.clone()));
    desk.bench.reader(0).unwrap().insert(held).unwrap();
    desk.agent.wait_for_card("Lane 0", true);
    let asked =
        desk.agent.request(Method::POST, "/v1/reads").json(&Desk::can("cccd-no-expiry")).send().unwrap();
    let read = asked.headers()["location"].to_str().unwrap().to_owned();
    hold.wait_until_reached();
    desk.pull_held_card(hold);
    desk.agent.wait_for("the pause", || desk.agent.get(&read)["state"] == "paused");
    assert_eq!(desk.agent.get(&read)["problem"]["code"], "card-removed");
    desk.agent.wait_for_card("Lane 0", false);

    desk.bench.reader(0).unwrap().insert(Chip::new(image)).unwrap();
    desk.agent.wait_for("the end", || desk.agent.get(&read)["state"] == "completed");
    let result = desk.agent.get(&format!("{read}/result"));
    assert_eq!(result["record"]["number"]["value"], people::card("cccd-no-expiry").citizen().unwrap().number);
    // The events come by a way of their own, which may be the slower one.
    desk.agent
        .wait_for("read.completed", || desk.agent.events().iter().any(|(name, _)| name == "read.completed"));
    let names: Vec<String> = desk.agent.events().into_iter().map(|(name, _)| name).collect();
    let at = |name: &str| names.iter().position(|told| told == name).unwrap_or_else(|| panic!("{name}"));
    assert!(at("read.paused") < at("read.resumed") && at("read.resumed") < at("read.completed"), "{names:?}");
}

#[test]
fn a_reader_unplugged_in_the_middle_is_lost_and_comes_back() {
    let desk = Desk::new();
    let (read, hold) = desk.in_the_middle_of("cccd-no-expiry");
    desk.bench.reader(0).unwrap().unplug();
    drop(hold);
    // With a serial reader pulled in the middle of an answer, pcsc-lite's driver waits on for it: then it is
    // the agent's own watchdog that gives the reader up.
    let code = desk.problem_of(&read);
    assert!(["reader-lost", "reader-hung"].contains(&code.as_str()), "{code}");
    // The other reader goes on meanwhile.
    let id = desk.insert(1, "cccd-2021");
    let mut request = Desk::can("cccd-2021");
    request["reader"] = json!(id);
    desk.agent.read(&request).result();
    desk.bench.reader(1).unwrap().remove();

    desk.bench.plug(0).unwrap();
    desk.assert_next_reading_works("cccd-2021");
}

#[test]
fn the_smart_card_service_killed_in_the_middle_comes_back() {
    let desk = Desk::new();
    let (read, hold) = desk.in_the_middle_of("cccd-no-expiry");
    desk.bench.kill_service().unwrap();
    drop(hold);
    assert_eq!(desk.problem_of(&read), "service-unavailable");
    desk.agent
        .wait_for("agent.degraded", || desk.agent.events().iter().any(|(name, _)| name == "agent.degraded"));
    assert_eq!(desk.agent.read(&Desk::can("cccd-2021")).code(), "service-unavailable");

    desk.bench.restart_service().unwrap();
    desk.agent.wait_for("agent.recovered", || {
        desk.agent.events().iter().any(|(name, _)| name == "agent.recovered")
    });
    desk.assert_next_reading_works("cccd-2021");
}

#[test]
fn a_reading_belongs_to_its_caller() {
    let desk = Desk::new();
    desk.insert(0, "cccd-2021");
    let result = desk.agent.read(&Desk::can("cccd-2021")).result();
    let read = format!("/v1/reads/{}", result["read_id"].as_str().unwrap());
    for (method, path) in [
        (Method::GET, read.clone()),
        (Method::GET, format!("{read}/result")),
        (Method::GET, format!("{read}/portrait")),
        (Method::DELETE, read.clone()),
    ] {
        let answer = desk.agent.anonymous(method.clone(), &path).bearer_auth(OTHER_TOKEN).send().unwrap();
        assert_eq!(Answer::of(answer).code(), "read-not-found", "{method} {path}");
    }
    // Its owner may fetch it again, until it is wiped.
    assert_eq!(desk.agent.get(&format!("{read}/result"))["record"], result["record"]);
    let wiped = desk.agent.request(Method::DELETE, &read).send().unwrap();
    assert!(wiped.status().is_success());
    let gone = desk.agent.request(Method::GET, &format!("{read}/result")).send().unwrap();
    assert_eq!(Answer::of(gone).code(), "read-expired");
}

#[test]
fn a_reading_called_off_ends_and_frees_the_reader() {
    let desk = Desk::new();
    let (read, hold) = desk.in_the_middle_of("cccd-no-expiry");
    assert!(desk.agent.request(Method::DELETE, &read).send().unwrap().status().is_success());
    drop(hold);
    assert_eq!(desk.problem_of(&read), "cancelled");
    desk.assert_next_reading_works("cccd-2021");
}

#[test]
fn readings_one_after_the_other_all_succeed() {
    // Each connects while the service may still be resetting the card after the one before: then pcsc-lite
    // connects without a protocol, and the crate pcsc panics at the first exchange.
    let desk = Desk::new();
    desk.insert(0, "cccd-2021");
    let mut request = Desk::can("cccd-2021");
    request["portrait"] = json!(false);
    for _ in 0..150 {
        desk.agent.read(&request).result();
    }
}

#[test]
fn events_tell_a_reading_from_start_to_end_in_order() {
    let desk = Desk::new();
    desk.insert(0, "cccd-2021");
    let result = desk.agent.read(&Desk::can("cccd-2021")).result();
    let read = result["read_id"].clone();
    desk.agent
        .wait_for("read.completed", || desk.agent.events().iter().any(|(name, _)| name == "read.completed"));
    let events = desk.agent.events();
    let mine: Vec<&(String, Value)> =
        events.iter().filter(|(_, event)| event["data"]["read_id"] == read).collect();
    assert_eq!(mine.first().unwrap().0, "read.queued");
    assert_eq!(mine.last().unwrap().0, "read.completed");
    let percents: Vec<u64> = mine.iter().filter_map(|(_, event)| event["data"]["percent"].as_u64()).collect();
    assert!(percents.len() >= 4 && percents.is_sorted(), "{percents:?}");
    let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert!(names.contains(&"reader.attached") && names.contains(&"card.inserted"), "{names:?}");
}
