use cccd_card::tlv::{Tag, encode};
use cccd_document::{Evidence, FileId, FileOutcome, QrPayload};
use cccd_profiles::ConsumerCatalogue;
use cccd_profiles::consumer::Datum;
use cccd_trust::Summary;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::*;
use crate::InventedReading;

fn key() -> PseudonymKey {
    PseudonymKey::new(Zeroizing::new(vec![7; 32])).unwrap()
}

fn shipped(name: &str) -> ConsumerProfile {
    ConsumerCatalogue::shipped().find(name).unwrap().clone()
}

fn output(profile: &ConsumerProfile, subject: &Subject<'_>) -> Value {
    let disclosure = disclose(profile, subject, Some(&key())).unwrap();
    let output = disclosure.output.unwrap_or_else(|| panic!("{:?}", disclosure.demands));
    serde_json::from_str(&output.to_json()).unwrap()
}

/// DG13 with these fields and no other.
fn dg13(fields: &[(u8, &str)]) -> FileOutcome {
    let members = fields.iter().map(|(number, text)| {
        let number = encode(Tag(0x02), &[*number]);
        encode(Tag(0x30), &[number, encode(Tag(0x0C), text.as_bytes())].concat())
    });
    let set = encode(Tag(0x31), &members.collect::<Vec<_>>().concat());
    let head = [&[0x02, 0x01, 0x01][..], &[0x06, 0x06, 0x28, 0xD3, 0x16, 0x01, 0x00, 0x08]].concat();
    let whole = encode(Tag(0x6D), &encode(Tag(0x30), &[head, set].concat()));
    FileOutcome::Read(whole.into())
}

/// The invented reading's files, with another DG13.
fn with_dg13(reading: &InventedReading, fields: &[(u8, &str)]) -> Evidence {
    let mut evidence = reading.subject().evidence.clone();
    evidence.files.insert(FileId::DG13, dg13(fields));
    evidence
}

#[test]
fn a_clinic_gets_its_part_of_xml1_and_the_triple_of_the_gateway() {
    let reading = InventedReading::new(Summary::Genuine);
    assert_eq!(
        output(&shipped("clinic"), &reading.subject()),
        json!({
            "XML1": {
                "HO_TEN": "Nguyễn Văn Mẫu",
                "SO_CCCD": "000090123456",
                "NGAY_SINH": "199001020000",
                "GIOI_TINH": "1",
                "MA_QUOCTICH": "000",
                "DIA_CHI": "Số 1, Đường Mẫu, Xã Mẫu, Tỉnh Mẫu",
                "NGAYCAP_CCCD": "20220315",
                "NOICAP_CCCD": "Cục Cảnh sát quản lý hành chính về trật tự xã hội",
                "MA_THE_BHYT": "DN4000000000001",
                "MA_DKBD": "00001",
                "GT_THE_TU": "20260101",
                "GT_THE_DEN": "20261231",
            },
            "gateway": { "maThe": "000090123456", "hoTen": "Nguyễn Văn Mẫu", "ngaySinh": "02/01/1990" },
            "card": { "verdict": "genuine", "read_at": "2026-11-20T15:00:00+07:00" },
        })
    );
}

#[test]
fn of_a_year_alone_xml1_gets_zeros_and_the_gateway_the_year() {
    let reading = InventedReading::new(Summary::Genuine);
    let evidence = with_dg13(&reading, &[(1, "000090123456"), (2, "Trần Thị Mẫu"), (3, "1990"), (4, "Nữ")]);
    let subject = Subject { evidence: &evidence, code: None, ..reading.subject() };
    let object = output(&shipped("clinic"), &subject);
    assert_eq!(object["XML1"]["NGAY_SINH"], "199000000000");
    assert_eq!(object["gateway"]["ngaySinh"], "1990");
    assert_eq!((&object["XML1"]["GIOI_TINH"], &object["XML1"]["DIA_CHI"]), (&json!("2"), &json!("")));
}

#[test]
fn a_passenger_leaves_a_pseudonym_and_a_fare_and_nothing_else() {
    let reading = InventedReading::new(Summary::Genuine);
    let object = output(&shipped("ticketing"), &reading.subject());
    let passenger = key().pseudonym("ticketing", "000090123456");
    assert_eq!(object, json!({ "passenger": passenger.expose(), "fare": "adult" }));
}

#[test]
fn fares_change_on_the_birthday_and_nobody_is_made_older_than_they_are() {
    let reading = InventedReading::new(Summary::Genuine);
    let mut profile = shipped("ticketing");
    profile.fields.insert(Datum::Birth, vec![cccd_profiles::consumer::Source::Dg13]);
    // The reading is of 20 November 2026.
    for (birth, fare) in [
        ("20/11/2026", "child-free"),
        ("21/11/2020", "child-free"),
        ("20/11/2020", "child"),
        ("2020", "child-free"),
        ("11/2020", "child-free"),
        ("10/2020", "child"),
        ("19/11/2010", "adult"),
        ("20/11/1966", "senior"),
        ("21/11/1966", "adult"),
    ] {
        let evidence = with_dg13(&reading, &[(1, "000090123456"), (3, birth)]);
        let object = output(&profile, &Subject { evidence: &evidence, ..reading.subject() });
        assert_eq!(object["fare"], fare, "{birth}");
    }
}

#[test]
fn no_profile_gives_what_it_does_not_name() {
    let told = [
        (Datum::Number, "000090123456"),
        (Datum::OldNumber, "000123456"),
        (Datum::Name, "Nguyễn Văn Mẫu"),
        (Datum::Surname, "NGUYEN"),
        (Datum::Ethnicity, "Kinh"),
        (Datum::Religion, "\"Không\""),
        (Datum::Origin, "\"Xã Mẫu, Huyện Mẫu"),
        (Datum::Residence, "Đường Mẫu"),
        (Datum::Features, "Nốt ruồi"),
        (Datum::Father, "Nguyễn Văn Cha"),
        (Datum::Mother, "Trần Thị Mẹ"),
        (Datum::Portrait, "/9j/"),
        (Datum::InsuranceNumber, "DN4000000000001"),
    ];
    let reading = InventedReading::new(Summary::Genuine);
    let catalogue = ConsumerCatalogue::shipped();
    assert!(catalogue.all().count() >= 13);
    for profile in catalogue.all() {
        let json = output(profile, &reading.subject()).to_string();
        for (datum, text) in &told {
            let hashed = profile.token.is_some() && *datum == Datum::Number;
            let named = profile.fields.contains_key(datum) && !hashed;
            assert_eq!(json.contains(text), named, "{}: {datum}", profile.name);
        }
        // Of unknown meaning, and named by nobody.
        assert!(!json.contains("00112233445566AA"), "{}", profile.name);
    }
}

#[test]
fn what_a_profile_demands_refuses_warns_or_stands_there() {
    for (name, summary, given) in [
        ("clinic", Summary::Genuine, true),
        ("clinic", Summary::Unconfirmed, true),
        ("clinic", Summary::NotGenuine, false),
        ("clinic-kiosk", Summary::Genuine, true),
        ("clinic-kiosk", Summary::Unconfirmed, false),
        ("clinic-kiosk", Summary::NotGenuine, false),
        ("coach-manifest", Summary::Unconfirmed, true),
        ("lending", Summary::Unconfirmed, false),
    ] {
        let reading = InventedReading::new(summary);
        let disclosure = disclose(&shipped(name), &reading.subject(), None).unwrap();
        assert_eq!(disclosure.output.is_some(), given, "{name} {summary:?}");
    }
    let reading = InventedReading::new(Summary::Unconfirmed);
    let clinic = disclose(&shipped("clinic"), &reading.subject(), None).unwrap();
    assert_eq!(clinic.unmet(Otherwise::Warn).collect::<Vec<_>>(), [Demand::Genuine]);
    let coach = disclose(&shipped("coach-manifest"), &reading.subject(), None).unwrap();
    assert_eq!(coach.unmet(Otherwise::Warn).count(), 0);
    assert_eq!(coach.unmet(Otherwise::Record).collect::<Vec<_>>(), [Demand::Genuine]);
}

#[test]
fn each_demand_can_be_missed() {
    let reading = InventedReading::new(Summary::Genuine);
    let person = [(1, "000090123456"), (2, "Nguyễn Văn Mẫu"), (3, "02/01/1990"), (4, "Nam")];
    let unmet = |evidence: &Evidence, code: Option<&str>| {
        let scanned = code.map(|text| QrPayload::parse(text.as_bytes()));
        let subject =
            Subject { evidence, code: scanned.as_ref().and_then(QrPayload::citizen), ..reading.subject() };
        let disclosure = disclose(&shipped("clinic"), &subject, None).unwrap();
        disclosure.unmet(Otherwise::Warn).collect::<Vec<_>>()
    };
    let good = reading.subject().evidence.clone();
    assert_eq!(unmet(&good, None), []);
    for (day, met) in [("20/11/2026", true), ("19/11/2026", false), ("11/2026", true), ("2025", false)] {
        let evidence = with_dg13(&reading, &[&person[..], &[(12, day)]].concat());
        assert_eq!(unmet(&evidence, None).contains(&Demand::InForce), !met, "{day}");
    }
    let endless = with_dg13(&reading, &[&person[..], &[(12, "Không thời hạn")]].concat());
    assert_eq!(unmet(&endless, None), []);
    let other = with_dg13(&reading, &[&person[..1], &[(2, "Trần Văn Mẫu")], &person[2..]].concat());
    assert_eq!(unmet(&other, None), [Demand::InsuranceAgrees]);
    let strange = "000090123457||Nguyễn Văn Mẫu|02011990|Nam|Số 1|15032022";
    assert_eq!(unmet(&good, Some(strange)), [Demand::CodeAgrees]);
    let mut nobody = good.clone();
    nobody.files.clear();
    assert!(unmet(&nobody, None).contains(&Demand::Complete));
}

#[test]
fn the_first_source_that_has_it_counts() {
    let reading = InventedReading::new(Summary::Genuine);
    let mut profile = shipped("exam");
    let name = |profile: &ConsumerProfile, evidence: &Evidence| {
        output(profile, &Subject { evidence, ..reading.subject() })["ho_ten"].clone()
    };
    let whole = reading.subject().evidence.clone();
    assert_eq!(name(&profile, &whole), "Nguyễn Văn Mẫu");
    let nameless = with_dg13(&reading, &[(1, "000090123456")]);
    assert_eq!(name(&profile, &nameless), "NGUYEN VAN MAU");
    profile.fields.insert(Datum::Name, vec![cccd_profiles::consumer::Source::Dg1]);
    assert_eq!(name(&profile, &whole), "NGUYEN VAN MAU");
}

#[test]
fn absent_values_stand_as_the_profile_says() {
    let reading = InventedReading::new(Summary::Genuine);
    let evidence = with_dg13(&reading, &[(1, "000090123456"), (2, "Nguyễn Văn Mẫu"), (3, "02/01/1990")]);
    let subject = Subject { evidence: &evidence, code: None, ..reading.subject() };
    let with = |absent| {
        let mut profile = shipped("regulated-business");
        profile.output.absent = absent;
        output(&profile, &subject).get("old_id_card").cloned()
    };
    use cccd_profiles::consumer::Absent;
    assert_eq!(with(Absent::Null), Some(Value::Null));
    assert_eq!(with(Absent::Empty), Some(json!("")));
    assert_eq!(with(Absent::LeftOut), None);
}

#[test]
fn pseudonyms_need_their_key() {
    let reading = InventedReading::new(Summary::Genuine);
    let refused = disclose(&shipped("ticketing"), &reading.subject(), None);
    assert!(matches!(refused, Err(DiscloseError::NoPseudonymKey)));
}

#[test]
fn debug_of_a_disclosure_names_nobody() {
    let reading = InventedReading::new(Summary::Genuine);
    let shown = format!("{:?}", disclose(&shipped("notary"), &reading.subject(), None).unwrap());
    for personal in ["Mẫu", "000090123456", "1990"] {
        assert!(!shown.contains(personal), "{shown}");
    }
}
