//! Every shipped card, through HTTP, the agent, a real pcscd and the real CCID driver, by every way in.

use cccd_firmware_sim::chip::Chip;
use cccd_firmware_sim::image::ChipImage;
use cccd_firmware_sim::personalise::{
    Bearer, CardDescription, Issuer, PortraitFormat, PrintedDate, RecordValue, personalise,
};
use cccd_firmware_sim::reader::pcscd::PcscBench;
use cccd_tests::{AgentUnderTest, people};
use reqwest::Method;
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_agent-under-test");

/// One way to open a card: what the caller gives, and what must come of it.
struct Way {
    access: Value,
    protocol: &'static str,
    password: &'static str,
    bac_only: bool,
}

fn ways(card: &CardDescription, image: &ChipImage) -> Vec<Way> {
    let mut ways = Vec::new();
    let pace = !image.access.pace.is_empty();
    let way = |access, protocol, password, bac_only| Way { access, protocol, password, bac_only };
    if let (true, Some(can)) = (pace, card.can()) {
        ways.push(way(json!({ "can": can }), "pace", "can", false));
    }
    let key = card.mrz_key();
    let fields = json!({
        "document_number": key.document_number, "birth": key.birth, "expiry": key.expiry,
    });
    if pace {
        ways.push(way(json!({ "mrz": fields }), "pace", "mrz", false));
        // Whole lines of a Vietnamese card hold the personal number, whose end is the card access number.
        let lines = card.mrz_lines().join("\n");
        let password = if card.citizen().is_some() { "can" } else { "mrz" };
        ways.push(way(json!({ "mrz": lines }), "pace", password, false));
    }
    if let Some(qr) = card.qr_text().filter(|_| pace) {
        ways.push(way(json!({ "qr": qr }), "pace", "can", false));
    }
    if image.access.bac {
        ways.push(way(json!({ "mrz": fields }), "bac", "mrz", true));
    }
    ways
}

#[test]
fn every_shipped_card_reads_by_every_way_in_and_says_what_it_was_made_of() {
    let bench = PcscBench::start(&["Lane 0"]).unwrap();
    let agent = AgentUnderTest::start(PROGRAM, Some(bench.socket_path()));
    let reader = bench.reader(0).unwrap();
    let issuer = Issuer::new().unwrap();
    let mut read = 0;
    for (name, card) in people::cards() {
        let image = personalise(&card, &issuer).unwrap();
        for way in ways(&card, &image) {
            let mut image = image.clone();
            if way.bac_only {
                // The same card as it was before PACE: nothing in EF.CardAccess, no such file.
                image.access.pace.clear();
                image.master_file.remove(&0x011C);
            }
            reader.insert(Chip::new(image)).unwrap();
            agent.wait_for_card("Lane 0", true);
            let result = agent.read(&json!({ "access": way.access })).result();
            let label = format!("{name} by {} with {}", way.protocol, way.password);

            assert_eq!(result["access"]["protocol"], way.protocol, "{label}");
            assert_eq!(result["access"]["password"], way.password, "{label}");
            assert_eq!(result["access"]["downgrade"], Value::Null, "{label}");
            assert_record(&label, &card, &result["record"]);
            assert_portrait(&label, &card, &agent, &result);
            assert_hashes(&label, &result);

            reader.remove();
            agent.wait_for_card("Lane 0", false);
            read += 1;
        }
    }
    // Six kinds of card and more, most of them by three ways.
    assert!(read >= 14, "only {read} readings");
}

/// The record says exactly what the TOML says, diacritics included.
fn assert_record(label: &str, card: &CardDescription, record: &Value) {
    let expect = |field: &str, part: &str, value: &str| {
        assert_eq!(record[field][part], value, "{label}: {field} in {record:#}");
    };
    match card.bearer() {
        Bearer::Citizen(_, _) => {
            for field in card.record() {
                let name = NAMES[usize::from(field.number) - 1];
                match (field.number, field.value) {
                    (_, RecordValue::Nothing) => {
                        assert_eq!(record[name], Value::Null, "{label}: {name}");
                    }
                    (12, RecordValue::Text(text)) if text == "Không thời hạn" => {
                        expect("expiry", "printed", &text);
                        assert_eq!(record["expiry"]["iso"], Value::Null, "{label}");
                    }
                    (3 | 11 | 12, RecordValue::Printable(date) | RecordValue::Text(date)) => {
                        expect(name, "printed", &date);
                        expect(name, "iso", &iso(&date));
                    }
                    (4, RecordValue::Text(word)) => {
                        expect(name, "value", if word == "Nam" { "male" } else { "female" });
                    }
                    (
                        _,
                        RecordValue::Printable(text) | RecordValue::Text(text) | RecordValue::Spouse(text),
                    ) => {
                        expect(name, "value", &text);
                    }
                    (_, RecordValue::Parents { father, mother }) => {
                        for (name, parent) in [("father", father), ("mother", mother)] {
                            if parent.is_empty() {
                                assert_eq!(record[name], Value::Null, "{label}: {name}");
                            } else {
                                expect(name, "value", &parent);
                            }
                        }
                    }
                }
                if record[name].is_object() {
                    expect(name, "source", "EF.DG13");
                    assert_eq!(record[name]["verified"], false, "{label}: nothing is verified yet");
                }
            }
        }
        Bearer::Traveller(traveller) => {
            expect("document_number", "value", &traveller.document_number);
            expect("document_number", "source", "EF.DG1");
            expect("birth", "iso", &traveller.birth.iso());
            expect("expiry", "iso", &traveller.expires.iso());
            let name = card.mrz_lines()[0][5..].to_owned();
            let (surname, _) = name.split_once("<<").unwrap();
            expect("mrz_surname", "value", &surname.replace('<', " "));
        }
    }
}

/// The fields of DG13, 1 to 16, as the API names them.
const NAMES: [&str; 16] = [
    "number",
    "name",
    "birth",
    "sex",
    "nationality",
    "ethnicity",
    "religion",
    "origin",
    "residence",
    "features",
    "issued",
    "expiry",
    "father",
    "spouse",
    "old_number",
    "field_16",
];

/// `02/01/1990` is `1990-01-02`, `01/1990` is `1990-01`.
fn iso(printed: &str) -> String {
    let parts: Vec<&str> = printed.split('/').rev().collect();
    parts.join("-")
}

/// What the API hands out is byte for byte what was personalised; JPEG 2000 also comes as something a browser
/// shows.
fn assert_portrait(label: &str, card: &CardDescription, agent: &AgentUnderTest, result: &Value) {
    let path = format!("/v1/reads/{}/portrait", result["read_id"].as_str().unwrap());
    let media_type = match card.portrait().format() {
        PortraitFormat::Jpeg => "image/jpeg",
        PortraitFormat::Jpeg2000 => "image/jp2",
    };
    let original = agent.request(Method::GET, &path).header("Accept", media_type).send().unwrap();
    assert_eq!(original.status(), 200, "{label}");
    assert_eq!(original.headers()["content-type"], media_type, "{label}");
    assert_eq!(original.bytes().unwrap(), card.portrait().bytes(), "{label}: portrait");

    let shown = agent.request(Method::GET, &path).send().unwrap();
    let shown_type = if media_type == "image/jpeg" { "image/jpeg" } else { "image/png" };
    assert_eq!(shown.headers()["content-type"], shown_type, "{label}");
    assert!(shown.bytes().unwrap().len() > 1000, "{label}");
}

fn assert_hashes(label: &str, result: &Value) {
    let hashes = result["hashes"].as_array().unwrap();
    assert!(hashes.len() >= 3, "{label}: {hashes:?}");
    for hash in hashes {
        let state = hash["state"].as_str().unwrap();
        let locked = hash["file"] == "EF.DG3";
        assert_eq!(state, if locked { "not_read" } else { "match" }, "{label}: {hash}");
    }
    let sod = result["files"].as_array().unwrap().iter().find(|file| file["file"] == "EF.SOD").unwrap();
    assert_eq!(sod["outcome"], "read", "{label}");
}

/// Keeps the printed form and the ISO form of a passport's dates beside each other.
trait Iso {
    fn iso(&self) -> String;
}

impl Iso for PrintedDate {
    fn iso(&self) -> String {
        iso(&self.to_string())
    }
}
