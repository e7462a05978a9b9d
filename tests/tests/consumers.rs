//! The sixteen consumers of the plans: each profile through the whole agent, to a stand-in that takes what arrives.
//!
//! `cargo xtask matrix consumers` prints the same rows.

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use cccd_firmware_sim::chip::Chip;
use cccd_firmware_sim::lies::{ChipLie, Lie};
use cccd_profiles::ConsumerCatalogue;
use cccd_tests::consumers::{Desk, INSURANCE, OFFICE_TOKEN, ROWS, portal_form, row};
use cccd_tests::people;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

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
    // The first card of its make is asked more than the next ones.
    let _ = desk.read("notary", &card).unwrap();
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
fn what_a_profile_has_delivered_arrives_beside_the_answer_in_every_format() {
    let desk = desk();
    let arrived = desk.read("delivered", &people::card("cccd-2021")).unwrap();
    let read = arrived.answer["read_id"].as_str().unwrap();
    assert!(!arrived.output.is_null());
    let dropped = |format| desk.dropped(format).unwrap();
    let object = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
    let (name, json) = dropped("json");
    assert_eq!((name, object(&json)), (format!("{read}.json"), arrived.output.clone()));
    let (name, line) = dropped("json-lines");
    assert!(name.ends_with(".jsonl"), "{name}");
    assert_eq!(object(&line), json!({ "id": read, "result": arrived.output }));
    let full_name = arrived.output["ho_ten"].as_str().unwrap();
    for format in ["csv", "xlsx"] {
        let (name, bytes) = dropped(format);
        assert_eq!(name, format!("{read}.{format}"));
        let sheet = cccd_exports::sheet::of_file(&bytes).unwrap();
        let row = |at: usize| sheet.rows()[at].iter().map(|cell| cell.text.expose()).collect::<Vec<_>>();
        let column = row(0).iter().position(|title| *title == "ho_ten").unwrap();
        assert_eq!(row(1)[column], full_name, "{format}");
    }
    let (name, xml) = dropped("xml");
    assert_eq!(name, format!("{read}.xml"));
    let xml = String::from_utf8(xml).unwrap();
    assert!(xml.contains(&format!(r#"<field name="ho_ten">{full_name}</field>"#)), "{xml}");
}

#[test]
fn a_desktop_program_of_this_machine_gets_the_seventeen_names_it_knows() {
    let desk = desk();
    let arrived = desk.read("jth", &people::card("cccd-2021")).unwrap();
    let posted = desk.posted(arrived.answer["read_id"].as_str().unwrap()).unwrap();
    assert_eq!(posted, arrived.output);
    let names: Vec<_> = posted.as_object().unwrap().keys().map(String::as_str).collect();
    // facts/cccd.md, section 8, the column of the JTH webhook; in the order of the alphabet.
    assert_eq!(
        names,
        [
            "date_of_birth",
            "date_of_expiry",
            "date_of_issue",
            "father_name",
            "full_name",
            "gender",
            "id_card",
            "id_img",
            "mother_name",
            "nationality",
            "old_id_card",
            "personal_identification",
            "place_of_origin",
            "place_of_residence",
            "race",
            "religion",
            "wife_name",
        ]
    );
    for (name, value) in [
        ("id_card", "000090123456"),
        ("full_name", "Nguyễn Văn Mẫu"),
        ("date_of_birth", "02/01/1990"),
        ("gender", "Nam"),
        ("mother_name", "Trần Thị Mẹ"),
    ] {
        assert_eq!(posted[name], value, "{name}");
    }
}

#[test]
fn a_passenger_on_the_deny_list_is_turned_away() {
    let desk = desk();
    let card = people::card("cccd-2021");
    let tap = || desk.read("ticketing", &card).unwrap();
    let passenger = tap().output["passenger"].as_str().unwrap().to_owned();
    let denied = desk.path("ticketing.deny");
    std::fs::write(&denied, format!("# lost\n{passenger}\n")).unwrap();
    let arrived = tap();
    assert!(arrived.output.is_null());
    let demands = arrived.answer["disclosure"]["demands"].as_array().unwrap();
    let unmet: Vec<_> = demands.iter().filter(|demand| demand["met"] == false).collect();
    assert_eq!(unmet.len(), 1, "{unmet:?}");
    assert_eq!(unmet[0]["demand"], "not-denied");
    assert!(!desk.read("ticketing", &people::card("can-cuoc-2024")).unwrap().output.is_null());
    std::fs::write(&denied, "").unwrap();
    assert_eq!(tap().output["passenger"], passenger);
}

#[test]
fn a_tap_at_the_door_of_an_examination_hears_what_is_the_matter() {
    let desk = desk();
    let card = people::card("cccd-2021");
    let tap = |session| desk.enter("exam", "exam", session, &card).unwrap();
    let admitted = tap("Sáng");
    assert_eq!(
        (&admitted["code"], &admitted["seat"], &admitted["number"]),
        (&json!("admitted"), &json!("A-01"), &json!(1))
    );
    let again = tap("Sáng");
    assert_eq!((&again["code"], &again["number"]), (&json!("already-in"), &json!(1)));
    assert!(again["since"].is_string());
    // In the afternoon's line somebody else's name stands at the same number.
    let differing = tap("Chiều");
    assert_eq!((&differing["code"], &differing["differ"]), (&json!("data-differ"), &json!(["name"])));
    let wrong = tap("Tối");
    assert_eq!((&wrong["code"], &wrong["sessions"]), (&json!("wrong-session"), &json!(["Sáng", "Chiều"])));
    let stranger = desk.enter("exam", "exam", "Sáng", &people::card("can-cuoc-2024")).unwrap();
    assert_eq!(stranger["code"], "not-on-roster");
    let told = Lie::Chip(ChipLie::OtherActiveKey).tell(&card).unwrap();
    let copied = desk.enter_chip("exam", "exam", "Sáng", &card, Chip::new(told.image)).unwrap();
    assert_eq!(copied["code"], "not-genuine");
    // The attendance of the session, for spreadsheets.
    for ending in ["csv", "xlsx"] {
        let out = desk.path(&format!("attendance.{ending}"));
        let out = out.to_str().unwrap();
        desk.command(&["register", "attendance", "exam", "--session", "Sáng", "--out", out]).unwrap();
        let sheet = cccd_exports::sheet::of_file(&std::fs::read(out).unwrap()).unwrap();
        let rows: Vec<Vec<_>> =
            sheet.rows().iter().map(|row| row.iter().map(|cell| cell.text.expose()).collect()).collect();
        assert_eq!(rows[0], ["Số báo danh", "Số định danh", "Họ và tên", "Có mặt lúc"]);
        assert_eq!(rows[1][..3], ["A-01", "000090123456", "NGUYỄN VĂN MẪU"]);
        assert!(!rows[1][3].is_empty() && rows[2][3].is_empty(), "{rows:?}");
        assert_eq!(rows.len(), 3);
    }
    let listed = desk.command(&["register", "list"]).unwrap();
    assert!(listed.contains("exam") && !listed.contains("000090123456"), "{listed}");
}

#[test]
fn a_record_of_a_reading_is_made_of_its_evidence() {
    let desk = desk();
    let (arrived, evidence) = desk.evidence(&people::card("cccd-2021")).unwrap();
    assert_eq!(arrived.output["ho_ten"], "Nguyễn Văn Mẫu");
    let (file, out) = (desk.path("evidence.jws"), desk.path("record.pdf"));
    std::fs::write(&file, &evidence).unwrap();
    let (file, out) = (file.to_str().unwrap(), out.to_str().unwrap());
    let office = "Văn phòng công chứng Mẫu";
    desk.command(&["record", "--evidence", file, "--office", office, "--out", out]).unwrap();
    // pdftotext and pdfinfo are of poppler-utils, which `cargo xtask setup` installs.
    let of_poppler = |program: &str, arguments: &[&str]| {
        let done = cccd_patience::output(program, Command::new(program).args(arguments));
        assert!(done.status.success());
        String::from_utf8(done.stdout).unwrap()
    };
    let metadata = of_poppler("pdfinfo", &["-meta", out]);
    assert!(metadata.contains("pdfaid:part") && metadata.contains("pdfaid:conformance"), "{metadata}");
    let text = of_poppler("pdftotext", &["-layout", out, "-"]);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let hash: String = Sha256::digest(evidence.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    for expected in [office, "Nguyễn Văn Mẫu", "000090123456", "Trần Thị Mẹ", "THẺ THẬT"] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    assert!(text.replace(' ', "").contains(&hash), "{text}");
}

#[test]
fn a_learner_is_the_same_from_the_first_lesson_to_the_test() {
    let desk = desk();
    let card = people::card("cccd-2021");
    let come = |session| desk.enter("driving-test", "lesson", session, &card).unwrap();
    assert_eq!(come("Sáng")["code"], "admitted");
    // Somebody else under the same number is told, and so is a card that is a copy.
    assert_eq!(come("Chiều")["code"], "data-differ");
    let told = Lie::Chip(ChipLie::OtherActiveKey).tell(&card).unwrap();
    let copied = desk.enter_chip("driving-test", "lesson", "Sáng", &card, Chip::new(told.image)).unwrap();
    assert_eq!(copied["code"], "not-genuine");
}

#[test]
fn a_register_of_another_profile_or_of_none_is_refused() {
    let desk = desk();
    let card = people::card("cccd-2021");
    for (profile, register) in [("exam", "coach"), ("exam", "nowhere"), ("clinic", "exam")] {
        let refused = desk.enter(profile, register, "", &card).unwrap_err().to_string();
        assert!(refused.contains("register-unavailable"), "{refused}");
    }
}

#[test]
fn a_coach_has_each_passenger_once_and_its_manifest_and_notices_of_stay() {
    let desk = desk();
    let trip = "07:00";
    let board = |card: &str| {
        let said = desk.enter("coach-manifest", "coach", trip, &people::card(card)).unwrap();
        (said["code"].as_str().unwrap().to_owned(), said["number"].as_u64().unwrap())
    };
    assert_eq!(board("cccd-2021"), ("admitted".to_owned(), 1));
    assert_eq!(board("can-cuoc-2024"), ("admitted".to_owned(), 2));
    assert_eq!(board("cccd-2021"), ("already-in".to_owned(), 1));
    assert_eq!(board("passport-td3"), ("admitted".to_owned(), 3));
    for ending in ["csv", "xlsx"] {
        let out = desk.path(&format!("manifest.{ending}"));
        let out = out.to_str().unwrap();
        desk.command(&["register", "manifest", "coach", "--session", trip, "--out", out]).unwrap();
        let sheet = cccd_exports::sheet::of_file(&std::fs::read(out).unwrap()).unwrap();
        assert_eq!(sheet.rows().len(), 4);
        assert_eq!(sheet.rows()[1][0].text.expose(), "Nguyễn Văn Mẫu");
    }
    stay_notices(&desk, "coach", (2, 1));
    let forgotten = desk.command(&["register", "forget", "coach", "--session", trip]).unwrap();
    assert!(forgotten.contains(": 3"), "{forgotten}");
    assert_eq!(board("cccd-2021"), ("admitted".to_owned(), 1));
}

#[test]
fn guests_of_a_day_go_into_the_portals_own_form_and_the_foreign_ones_into_xml() {
    let desk = desk();
    for (card, room) in [("cccd-2021", "101"), ("can-cuoc-2024", "102"), ("passport-td3", "102")] {
        let said = desk.enter("lodging", "house", room, &people::card(card)).unwrap();
        assert_eq!(said["code"], "admitted", "{card}");
    }
    let filled = stay_notices(&desk, "house", (2, 1));
    let sheet = cccd_exports::sheet::of_xlsx(&filled).unwrap();
    let rows: Vec<Vec<_>> =
        sheet.rows().iter().map(|row| row.iter().map(|cell| cell.text.expose()).collect()).collect();
    let (first, second) = (&rows[rows.len() - 2], &rows[rows.len() - 1]);
    assert!(first.contains(&"Nguyễn Văn Mẫu") && first.contains(&"101"), "{first:?}");
    assert!(first.contains(&"1 - Thẻ CCCD") && second.contains(&"8 - Thẻ Căn Cước"), "{rows:?}");
    let counts = desk.command(&["lodging", "count", "--register", "house", "--kind", "hotel"]).unwrap();
    let guests = counts.lines().skip(1).count();
    assert!(guests >= 2 && people::somebody_in(&counts).is_none(), "{counts}");
    // A changed template is told by what is missing.
    let other = desk.path("other.xlsx");
    std::fs::write(&other, portal_form("DS_KHACH").unwrap()).unwrap();
    let (other, out) = (other.to_str().unwrap().to_owned(), desk.path("never.xlsx"));
    let fill =
        ["lodging", "fill", "--register", "house", "--template", &other, "--out", out.to_str().unwrap()];
    let error = format!("{:#}", desk.command(&fill).unwrap_err());
    assert!(error.contains("DS_KHACH_VIET_NAM_LUU_TRU") && !out.exists(), "{error}");
}

/// Fills the portal's forms from a register, and gives the XLSX.
fn stay_notices(desk: &Desk, register: &str, (vietnamese, foreign): (usize, usize)) -> Vec<u8> {
    let path = |name: &str| desk.path(name).to_str().unwrap().to_owned();
    let (template, out, xml) = (path("template.xlsx"), path("filled.xlsx"), path("foreign.xml"));
    std::fs::write(&template, portal_form("DS_KHACH_VIET_NAM_LUU_TRU").unwrap()).unwrap();
    let fill = [
        "lodging",
        "fill",
        "--register",
        register,
        "--nights",
        "2",
        "--template",
        &template,
        "--out",
        &out,
        "--foreign",
        &xml,
    ];
    let said = desk.command(&fill).unwrap();
    assert!(said.contains(&format!("Vietnamese guests: {vietnamese}")), "{said}");
    let xml = std::fs::read_to_string(xml).unwrap();
    assert_eq!(xml.matches("<THONG_TIN_KHACH>").count(), foreign, "{xml}");
    std::fs::read(out).unwrap()
}

#[test]
fn every_row_names_a_test_that_is_there() {
    let source = include_str!("consumers.rs");
    for row in &ROWS {
        assert!(source.contains(&format!("fn {}()", row.test)), "row {}: {}", row.number, row.test);
    }
}

#[test]
fn rows_are_found_by_their_number() {
    assert_eq!(row(9).profile, "ticketing");
}

#[test]
fn each_card_tapped_at_a_kiosk_is_handled_by_the_profile_of_its_lease() {
    let desk = desk();
    let (card, stranger) = (people::card("cccd-2021"), people::card("can-cuoc-2024"));
    desk.lease(&json!({ "profile": "exam", "register": { "name": "exam", "session": "Sáng" } })).unwrap();
    let first = desk.tap(&card).unwrap();
    assert_eq!(
        (&first["admission"]["code"], &first["admission"]["seat"]),
        (&json!("admitted"), &json!("A-01"))
    );
    assert!(first["disclosure"]["output"].is_object() && first["record"]["number"].is_null());
    let again = desk.tap(&card).unwrap();
    assert_eq!(
        (&again["admission"]["code"], &again["admission"]["number"]),
        (&json!("already-in"), &json!(1))
    );
    assert_eq!(desk.tap(&stranger).unwrap()["admission"]["code"], "not-on-roster");
    assert!(desk.command(&["register", "list"]).unwrap().contains("Sáng"));
    // The next lease asks for another profile: its deliveries arrive, and say what the answer says.
    desk.lease(&json!({ "profile": "jth" })).unwrap();
    let posted = desk.tap(&card).unwrap();
    let read = posted["read_id"].as_str().unwrap();
    assert_eq!(desk.posted(read).unwrap(), posted["disclosure"]["output"]);
    assert!(posted["admission"].is_null());
}

#[test]
fn an_office_loads_rosters_and_takes_lists_away_over_the_api() {
    const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
    let desk = desk();
    let card = people::card("cccd-2021");
    let registers = || desk.get(OFFICE_TOKEN, "/v1/registers").unwrap()["registers"].clone();
    let of_name = |name: &str| {
        let registers = registers();
        let found = registers.as_array().unwrap().iter().find(|register| register["name"] == name).cloned();
        found.unwrap()
    };
    let address = |name: &str, what: &str| {
        format!("/v1/registers/{}/{what}", of_name(name)["register_id"].as_str().unwrap())
    };
    let exam = of_name("exam");
    assert_eq!(exam["roster"], json!({ "candidates": 3, "sessions": ["Sáng", "Chiều"] }));
    assert_eq!(exam["sessions"], json!([]));
    let tap = |session| desk.enter("exam", "exam", session, &card).unwrap()["code"].clone();
    assert_eq!(tap("Tối"), "wrong-session");

    // Another roster counts with the next tap; one that is none changes nothing.
    let roster = "SBD;Họ và tên;Ngày sinh;Số định danh;Ca thi\n\
                  C-07;NGUYỄN VĂN MẪU;02/01/1990;000090123456;Tối\n\
                  C-08;Trần Thị Khác;05/06/1991;000191000002;Tối\n";
    let loaded = desk.load(&address("exam", "roster"), "text/csv", roster.into()).unwrap();
    assert_eq!(loaded.json::<Value>().unwrap(), json!({ "candidates": 2, "sessions": ["Tối"] }));
    let wrong = roster.replace("000191000002", "12");
    let refused = desk.load(&address("exam", "roster"), "text/csv", wrong.into()).unwrap();
    assert_eq!(refused.status(), 422);
    let refused: Value = refused.json().unwrap();
    assert_eq!(
        (&refused["code"], &refused["detail"]),
        (&json!("roster-invalid"), &json!("row 3: the number is not twelve digits"))
    );
    assert_eq!(tap("Tối"), "admitted");
    let came = of_name("exam")["sessions"][0].clone();
    assert_eq!((&came["session"], &came["entries"]), (&json!("Tối"), &json!(1)));

    // The lists, as the command line writes them, and by no address that says anything.
    let wish = |list: &str, format: &str| json!({ "list": list, "format": format, "session": "Tối" });
    let taken = |register: &str, wish: &Value| {
        let answer = desk.send(OFFICE_TOKEN, &address(register, "exports"), wish).unwrap();
        assert_eq!(answer.status(), 200, "{wish}: {}", answer.text().unwrap());
        answer.bytes().unwrap().to_vec()
    };
    for (list, ending) in [("entries", "csv"), ("attendance", "csv"), ("attendance", "xlsx")] {
        let over_the_api = cccd_exports::sheet::of_file(&taken("exam", &wish(list, ending))).unwrap();
        let file = desk.path(&format!("{list}.{ending}"));
        let command = if list == "entries" { "export" } else { list };
        let out = file.to_str().unwrap();
        desk.command(&["register", command, "exam", "--session", "Tối", "--out", out]).unwrap();
        let by_hand = cccd_exports::sheet::of_file(&std::fs::read(&file).unwrap()).unwrap();
        assert_eq!(over_the_api.rows(), by_hand.rows(), "{list} {ending}");
        let whole = format!(
            "{:?}",
            over_the_api.rows().iter().flatten().map(|cell| cell.text.expose()).collect::<Vec<_>>()
        );
        assert!(whole.contains("000090123456"), "{list} {ending}");
    }
    // A roster in a spreadsheet is taken as well; and who came at another day is not on this day's list.
    let book = taken("exam", &wish("attendance", "xlsx"));
    let refused = desk.load(&address("exam", "roster"), XLSX, book[..book.len() / 2].to_vec()).unwrap();
    assert_eq!(refused.json::<Value>().unwrap()["code"], "roster-invalid");
    let said = desk.enter("coach-manifest", "coach", "07:00", &card).unwrap();
    assert_eq!(said["code"], "admitted");
    let manifest = taken("coach", &json!({ "list": "manifest", "format": "csv", "session": "07:00" }));
    assert!(String::from_utf8(manifest).unwrap().contains("000090123456"));
    let long_ago = taken("coach", &json!({ "list": "entries", "format": "csv", "day": "2001-01-01" }));
    assert!(!String::from_utf8(long_ago).unwrap().contains("000090123456"));
    let impossible =
        desk.send(OFFICE_TOKEN, &address("coach", "exports"), &wish("attendance", "csv")).unwrap();
    assert_eq!(impossible.json::<Value>().unwrap()["code"], "export-impossible");

    // Who took them stands in the chain, and nobody who was on them.
    let chain = desk.command(&["audit", "export"]).unwrap();
    let entries: Vec<Value> = chain.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_kind = |kind: &str| entries.iter().filter(|entry| entry.to_string().contains(kind)).count();
    assert_eq!((of_kind("\"roster-loaded\""), of_kind("\"register-exported\"")), (1, 6), "{chain}");
    assert!(chain.contains("\"office\""), "{chain}");
    for mut entry in entries {
        // The words of a profile are the operator's: an exam is called "thi", and so are people.
        let said = entry["entry"].as_object_mut().unwrap();
        said.retain(|key, _| key != "purpose" && key != "legal_basis");
        assert_eq!(people::somebody_in(&entry.to_string()), None, "{entry}");
    }
}
