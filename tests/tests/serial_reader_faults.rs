//! What goes wrong between a serial CCID reader, its line and its card, through the real driver, the real pcscd and the
//! whole agent: what the driver makes good, or a try with less, ends in a complete reading; the rest has a name; nothing
//! hangs; and the next card on the same reader reads.

use std::sync::Mutex;
use std::time::Instant;

use cccd_firmware_sim::chip::Chip;
use cccd_firmware_sim::image::ChipImage;
use cccd_firmware_sim::personalise::{CardDescription, Issuer, personalise};
use cccd_firmware_sim::reader::gempc::{GemPcTwin, Misbehaviour, Stage, Trouble};
use cccd_firmware_sim::reader::pcscd::PcscBench;
use cccd_tests::{AgentUnderTest, people};
use reqwest::Method;
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_agent-under-test");
const CARD: &str = "cccd-2021";

/// The agent gives a call up after five seconds, the driver a block of these cards after eight or more: a reader that is
/// silent in an exchange is the agent's to name. A driver that knows no card yet gives up after three.
const SETTINGS: &str = "wait_for_card_s = 30\nexchange_within_s = 5\nwait_for_return_s = 0\nqueue = 64";

/// What may come of a reading in trouble: `read`, or a problem's code.
type Outcomes = &'static [&'static str];

const READ: Outcomes = &["read"];
const MUTE: Outcomes = &["card-mute"];
const HUNG: Outcomes = &["reader-hung"];
const LOST: Outcomes = &["reader-lost"];

/// As many readers as there are troubles, in one pcscd, and an agent.
struct Desk {
    bench: PcscBench,
    agent: AgentUnderTest,
    card: CardDescription,
    image: ChipImage,
    lanes: Vec<Lane>,
    since: Instant,
}

struct Lane {
    name: String,
    id: String,
    trouble: Trouble,
    outcomes: Outcomes,
}

impl Desk {
    /// Readers, empty and still good.
    fn of(rows: &[(&str, Outcomes)]) -> Self {
        let names: Vec<String> = (0..rows.len()).map(|number| format!("Lane {number}")).collect();
        let bench = PcscBench::start(&names.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
        let since = Instant::now();
        let agent = AgentUnderTest::start_with(PROGRAM, Some(bench.socket_path()), SETTINGS);
        let lanes = rows.iter().zip(names).map(|((trouble, outcomes), name)| {
            let name = format!("{name} ");
            let id = agent.wait_for_card(&name, false);
            Lane { name, id, trouble: trouble.parse().unwrap(), outcomes }
        });
        let lanes = lanes.collect();
        let card = people::card(CARD);
        let image = personalise(&card, &Issuer::new().unwrap()).unwrap();
        Self { bench, agent, card, image, lanes, since }
    }

    fn reader(&self, lane: &Lane) -> &GemPcTwin {
        let number = self.lanes.iter().position(|other| other.id == lane.id).unwrap();
        self.bench.reader(number).unwrap()
    }

    fn chip(&self) -> Chip {
        Chip::new(self.image.clone())
    }

    fn request(&self, lane: &Lane) -> Value {
        // A reader that is silent when a card is powered on never tells of it.
        let wait = if lane.outcomes.contains(&"no-card") { 2 } else { 30 };
        json!({ "access": { "can": self.card.can().unwrap() }, "reader": lane.id, "wait_for_card_s": wait })
    }

    /// Does this at every reader at once.
    fn at_every_reader(&self, act: impl Fn(&Lane) + Sync) {
        std::thread::scope(|scope| {
            for lane in &self.lanes {
                let act = &act;
                scope.spawn(move || act(lane));
            }
        });
    }

    /// One reading on each reader while it is in its trouble, and then good readers again.
    fn read_in_trouble(&self) {
        let told = Mutex::new(Vec::new());
        self.at_every_reader(|lane| {
            let (reader, trouble) = (self.reader(lane), lane.trouble);
            match trouble.stage {
                Stage::PoweringOn | Stage::Negotiating | Stage::Setting => {
                    reader.trouble(Some(trouble));
                    reader.insert(self.chip()).unwrap();
                }
                Stage::Polling | Stage::Exchanging => {
                    reader.insert(self.chip()).unwrap();
                    self.agent.wait_for_card(&lane.name, true);
                    reader.trouble(Some(trouble));
                }
            }
            if trouble.stage == Stage::Polling && lane.outcomes == LOST {
                self.agent.wait_for("the reader to be lost", || !self.is_listed(lane));
            }
            let answer = self.agent.read(&self.request(lane));
            let outcome = if answer.status == 200 { "read" } else { answer.code() };
            assert!(lane.outcomes.contains(&outcome), "{trouble}: {outcome}: {}", answer.body);
            if outcome == "read" {
                self.assert_complete(lane, &answer.body);
            }
            told.lock().unwrap().push(format!("{trouble}: {outcome}"));
        });
        let mut told = told.into_inner().unwrap();
        told.sort();
        let ticks = self.ticks();
        let elapsed = self.since.elapsed().as_millis();
        println!("{} readers: {elapsed} ms, processor time of the agent {ticks} ms", self.lanes.len());
        println!("  {}", told.join("\n  "));
        for lane in &self.lanes {
            self.reader(lane).trouble(None);
        }
    }

    /// The next card on each reader is read as if nothing had happened, by the same pcscd.
    fn read_the_next_card(&self) {
        self.at_every_reader(|lane| {
            drop(self.reader(lane).remove());
            self.agent.wait_for_card(&lane.name, false);
            self.reader(lane).insert(self.chip()).unwrap();
            self.read_good_card(lane);
        });
        assert!(self.bench.is_serving(), "pcscd has died");
    }

    fn read_good_card(&self, lane: &Lane) {
        self.agent.wait_for_card(&lane.name, true);
        let answer = self.agent.read(&self.request(lane));
        assert_eq!(answer.status, 200, "after {}: {}", lane.trouble, answer.body);
        self.assert_complete(lane, &answer.body);
    }

    /// Everything that was personalised was read: every file by its hash, the number, and the face byte for byte.
    fn assert_complete(&self, lane: &Lane, result: &Value) {
        let trouble = lane.trouble;
        assert_eq!(result["reader_id"], lane.id.as_str(), "{trouble}");
        let number = self.card.citizen().unwrap().number.clone();
        assert_eq!(result["record"]["number"]["value"], number, "{trouble}");
        let hashes = result["hashes"].as_array().unwrap();
        assert!(hashes.len() >= 3, "{trouble}: {hashes:?}");
        for hash in hashes {
            let expected = if hash["file"] == "EF.DG3" { "not_read" } else { "match" };
            assert_eq!(hash["state"], expected, "{trouble}: {hash}");
        }
        let path = format!("/v1/reads/{}/portrait", result["read_id"].as_str().unwrap());
        let media_type = result["portrait"]["media_type"].as_str().unwrap();
        let face = self.agent.request(Method::GET, &path).header("Accept", media_type).send().unwrap();
        assert_eq!(face.bytes().unwrap(), self.card.portrait().bytes(), "{trouble}");
    }

    fn is_listed(&self, lane: &Lane) -> bool {
        self.agent.readers().iter().any(|reader| reader["reader_id"] == lane.id.as_str())
    }

    /// What the agent has computed so far, in ms: proc(5), utime and stime in ticks of 10 ms.
    fn ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.agent.pid())).unwrap();
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let of = |field: &str| field.parse::<u64>().unwrap();
        fields.split_whitespace().skip(11).take(2).map(of).sum::<u64>() * 10
    }
}

/// Each of these ends so, and the next card reads.
fn each_ends_so_and_the_next_card_reads(rows: &[(&str, Outcomes)]) {
    let desk = Desk::of(rows);
    desk.read_in_trouble();
    desk.read_the_next_card();
}

/// The driver asks again, answers what the card asks of it, or does not look at what is wrong.
const MADE_GOOD_BY_THE_DRIVER: [(&str, Outcomes); 16] = [
    ("exchanging:r-block-parity@20*1", READ),
    ("exchanging:r-block-other@20*1", READ),
    ("exchanging:wrong-lrc@20*1", READ),
    ("exchanging:wrong-lrc/30", READ),
    ("exchanging:lost-block@20*1", READ),
    ("exchanging:lost-block/7", READ),
    ("exchanging:wrong-number@20*1", READ),
    ("exchanging:ifs@20*1", READ),
    ("exchanging:abort@20*1", READ),
    ("exchanging:wtx-01@20*1", READ),
    ("exchanging:wtx-ff/7", READ),
    ("exchanging:ccid-fd@20*1", READ),
    // A driver of serial readers looks at neither number, slot, kind nor XOR of an answer.
    ("exchanging:wrong-sequence", READ),
    ("exchanging:wrong-slot", READ),
    ("exchanging:wrong-kind", READ),
    ("exchanging:wrong-xor", READ),
];

#[test]
fn what_the_driver_makes_good_is_read_to_the_end() {
    each_ends_so_and_the_next_card_reads(&MADE_GOOD_BY_THE_DRIVER);
}

/// The driver gives up, and the agent resets the card and begins anew.
const MADE_GOOD_BY_THE_AGENT: [(&str, Outcomes); 14] = [
    ("exchanging:resynch@20*1", READ),
    ("exchanging:nak@20*1", READ),
    ("exchanging:ccid-fe@20*1", READ),
    ("exchanging:ccid-fc@20*1", READ),
    ("exchanging:ccid-fb@20*1", READ),
    ("exchanging:ccid-e0@20*1", READ),
    ("exchanging:ccid-00@20*1", READ),
    ("powering-on:atr-wrong-tck", READ),
    ("powering-on:atr-cut-short", READ),
    ("powering-on:wrong-xor", READ),
    ("setting:ccid-00", READ),
    ("polling:ccid-fe", READ),
    ("polling:wrong-xor", READ),
    ("polling:wrong-sequence", READ),
];

#[test]
fn what_is_made_good_by_beginning_anew_is_read_to_the_end() {
    each_ends_so_and_the_next_card_reads(&MADE_GOOD_BY_THE_AGENT);
}

const STAYS_WRONG: [(&str, Outcomes); 14] = [
    ("exchanging:r-block-parity@20", MUTE),
    ("exchanging:r-block-other@20", MUTE),
    ("exchanging:wrong-lrc@20", MUTE),
    ("exchanging:lost-block@20", MUTE),
    ("exchanging:resynch@20", MUTE),
    ("exchanging:nak@20", MUTE),
    ("exchanging:ccid-fe@20", MUTE),
    ("exchanging:ccid-fd@20", MUTE),
    ("exchanging:ccid-fc@20", MUTE),
    ("exchanging:ccid-fb@20", MUTE),
    ("exchanging:ccid-e0@20", MUTE),
    ("exchanging:ccid-00@20", MUTE),
    // The driver hands on what is left, or a byte too much, as the card's answer: no MAC fits.
    ("exchanging:chain-cut", &["chip-protocol"]),
    ("exchanging:wrong-len@20", &["chip-protocol", "card-mute"]),
];

#[test]
fn what_stays_wrong_has_its_name_and_the_next_card_reads() {
    each_ends_so_and_the_next_card_reads(&STAYS_WRONG);
}

const WRONG_BEFORE_THE_FIRST_COMMAND: [(&str, Outcomes); 15] = [
    ("powering-on:ccid-fe", MUTE),
    ("powering-on:ccid-f7", MUTE),
    ("powering-on:ccid-fb", MUTE),
    ("powering-on:ccid-e0", MUTE),
    ("powering-on:nak", MUTE),
    ("powering-on:atr-empty", MUTE),
    ("powering-on:atr-endless", MUTE),
    ("powering-on:atr-zeros", MUTE),
    // The driver then speaks T=0, which this card does not.
    ("powering-on:atr-t0", &["access-refused"]),
    ("negotiating:ccid-f6", MUTE),
    ("negotiating:ccid-fe", MUTE),
    ("negotiating:pps-wrong-echo", MUTE),
    // The driver gives up after three seconds, the agent after five.
    ("negotiating:silence", &["card-mute", "reader-hung"]),
    ("setting:ccid-fe", MUTE),
    ("setting:nak", MUTE),
];

#[test]
fn a_card_that_is_not_even_powered_on_is_mute() {
    each_ends_so_and_the_next_card_reads(&WRONG_BEFORE_THE_FIRST_COMMAND);
}

const SILENT: [(&str, Outcomes); 7] = [
    ("exchanging:silence@20", HUNG),
    ("exchanging:deaf@20", HUNG),
    ("exchanging:no-echo@20", HUNG),
    ("exchanging:cut-short@20", HUNG),
    ("exchanging:length-too-long@20", HUNG),
    ("exchanging:time-extension@20", HUNG),
    ("exchanging:endless-time@20", HUNG),
];

#[test]
fn a_reader_that_falls_silent_is_hung_and_comes_back() {
    each_ends_so_and_the_next_card_reads(&SILENT);
}

#[test]
fn whoever_asks_a_hung_reader_again_hears_the_same() {
    // Our own call still holds the card: that is no other program.
    let desk = Desk::of(&[("exchanging:endless-time@20", HUNG)]);
    let lane = &desk.lanes[0];
    desk.reader(lane).insert(desk.chip()).unwrap();
    desk.agent.wait_for_card(&lane.name, true);
    desk.reader(lane).trouble(Some(lane.trouble));
    for reading in 1..=2 {
        assert_eq!(desk.agent.read(&desk.request(lane)).code(), "reader-hung", "reading {reading}");
    }
    desk.reader(lane).trouble(None);
    desk.read_the_next_card();
}

/// The driver goes on for as long as the card does: none of these counts as a failed try, or a
/// resynchronisation in between begins the count anew.
const ENDLESS: [(&str, Outcomes); 5] = [
    ("exchanging:wtx-01@20", HUNG),
    ("exchanging:ifs@20", HUNG),
    ("exchanging:abort@20", HUNG),
    ("exchanging:wrong-number@20", HUNG),
    ("exchanging:endless-chain@20", HUNG),
];

/// Where the driver stands in its loop when the card comes to its senses is chance: now and then it is out of step then.
#[test]
fn a_card_that_never_comes_to_an_end_is_a_hung_reader_and_the_next_reads_after_a_new_start() {
    each_ends_so_and_the_next_card_reads_after_a_new_start(&ENDLESS);
}

#[test]
fn a_reader_that_answers_no_poll_is_lost_and_comes_back() {
    let polled = ["polling:ccid-fb", "polling:nak", "polling:silence"];
    each_ends_so_and_the_next_card_reads(&polled.map(|trouble| (trouble, LOST)));
}

/// From here on the driver reads old answers for new ones, or waits a minute for an answer-to-reset: nothing but a new
/// start of it helps, and no client can have that.
const OUT_OF_STEP: [(&str, Outcomes); 9] = [
    ("exchanging:late@20*1", HUNG),
    ("exchanging:garbage@20*1", &["reader-lost", "card-mute"]),
    ("exchanging:length-absurd@20*1", &["reader-lost", "card-mute"]),
    // The byte that was not counted may be taken for one that asks for time.
    ("exchanging:length-too-short@20*1", &["reader-lost", "card-mute", "read"]),
    ("polling:garbage", LOST),
    ("powering-on:atr-too-long", &["reader-lost", "card-mute", "no-card"]),
    ("powering-on:garbage", &["reader-lost", "card-mute", "no-card"]),
    // The poll that powers the card on does not come back: nobody has seen a card.
    ("powering-on:silence", &["no-card"]),
    ("powering-on:late", &["no-card"]),
];

#[test]
fn a_reader_out_of_step_with_its_driver_is_named_and_reads_after_a_new_start_of_the_service() {
    each_ends_so_and_the_next_card_reads_after_a_new_start(&OUT_OF_STEP);
}

fn each_ends_so_and_the_next_card_reads_after_a_new_start(rows: &[(&'static str, Outcomes)]) {
    let desk = Desk::of(rows);
    desk.read_in_trouble();
    desk.bench.kill_service().unwrap();
    let told = |wanted: &str| desk.agent.events().iter().any(|(name, _)| name == wanted);
    desk.agent.wait_for("agent.degraded", || told("agent.degraded"));
    for lane in &desk.lanes {
        drop(desk.reader(lane).remove());
        desk.reader(lane).insert(desk.chip()).unwrap();
        assert_eq!(desk.agent.read(&desk.request(lane)).code(), "service-unavailable", "{}", lane.trouble);
    }
    desk.bench.restart_service().unwrap();
    desk.at_every_reader(|lane| desk.read_good_card(lane));
}

#[test]
fn no_misbehaviour_is_left_out() {
    let told: Vec<Trouble> = [
        &MADE_GOOD_BY_THE_DRIVER[..],
        &MADE_GOOD_BY_THE_AGENT,
        &STAYS_WRONG,
        &WRONG_BEFORE_THE_FIRST_COMMAND,
        &SILENT,
        &ENDLESS,
        &OUT_OF_STEP,
    ]
    .concat()
    .iter()
    .map(|(trouble, _)| trouble.parse().unwrap())
    .collect();
    for what in Misbehaviour::all() {
        assert!(told.iter().any(|trouble| trouble.what == what), "{what}");
    }
}
