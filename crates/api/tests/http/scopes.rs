//! What a caller may have, down to the fields: no more is read, and no more is told.

use std::collections::BTreeSet;

use cccd_api::Access;
use cccd_document::{FieldSet, FileId};
use cccd_evidence::{AgentKey, open};
use cccd_profiles::Scope;
use futures_util::StreamExt;
use http::{Method, StatusCode};
use serde_json::{Value, json as value};

use crate::desk::{Answer, CLINIC_ORIGIN, Desk, caller, card, empty, from, json};

const TOKEN: &str = "token of one with scopes";

/// A desk with a card, and a caller with these scopes.
async fn desk(scopes: &[Scope]) -> Desk {
    let access = Access::from(vec![caller("scoped", TOKEN, CLINIC_ORIGIN, scopes)]);
    let key = AgentKey::generate(&mut getrandom::SysRng).unwrap();
    let desk = Desk::simulated().letting_in(access).signing_with(key);
    let reader = desk.plug_in("Lane 0").await;
    desk.lay_card(&reader).await;
    desk
}

async fn read(desk: &Desk, more: &Value) -> Answer {
    let mut body = value!({ "access": { "can": card().can().unwrap() } });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let ask = from(TOKEN, Method::POST, "/v1/reads").header("prefer", "wait=60");
    desk.send(json(ask, &body)).await
}

async fn get(desk: &Desk, path: &str) -> Answer {
    desk.send(empty(from(TOKEN, Method::GET, path))).await
}

/// The groups that the chip was asked for.
fn asked(result: &Value) -> BTreeSet<&str> {
    let files = result["files"].as_array().unwrap().iter();
    files.map(|file| file["file"].as_str().unwrap()).filter(|file| file.starts_with("EF.DG")).collect()
}

/// The fields that are there.
fn told(result: &Value) -> BTreeSet<&str> {
    let fields = result["record"].as_object().unwrap().iter();
    fields
        .filter(|(name, field)| *name != "notes" && !field.is_null())
        .map(|(name, _)| name.as_str())
        .collect()
}

const PROOFS: [&str; 2] = ["EF.DG14", "EF.DG15"];

fn groups(wanted: &[&'static str]) -> BTreeSet<&'static str> {
    wanted.iter().copied().chain(PROOFS).collect()
}

/// What of the card's own text is personal and not a number, a name or a birth.
fn beyond_identity() -> Vec<String> {
    let card = desk_card();
    ["ethnicity", "religion", "origin", "residence", "father", "mother"]
        .iter()
        .filter_map(|name| card["record"][name]["value"].as_str().map(str::to_owned))
        .collect()
}

/// The whole of the card, read once by one who may have all of it.
fn desk_card() -> &'static Value {
    static CARD: std::sync::OnceLock<Value> = std::sync::OnceLock::new();
    CARD.get_or_init(|| {
        std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let desk = desk(&[]).await;
                read(&desk, &value!({})).await.json()
            })
        })
        .join()
        .unwrap()
    })
}

#[tokio::test]
async fn a_caller_without_scopes_of_reading_has_all_of_them_and_one_with_any_has_what_it_names() {
    let whole = desk_card();
    assert_eq!(asked(whole), groups(&["EF.DG1", "EF.DG2", "EF.DG13"]));
    assert!(told(whole).contains("mother") && whole["portrait"].is_object());

    let desk = desk(&[Scope::ReadId]).await;
    let result = read(&desk, &value!({})).await.json();
    assert_eq!(asked(&result), groups(&["EF.DG1", "EF.DG13"]));
    assert_eq!(told(&result), BTreeSet::from(["number", "name", "birth"]));
    assert!(result["portrait"].is_null());
    assert_eq!(result["verdict"]["summary"], whole["verdict"]["summary"]);
    let text = result.to_string();
    assert!(beyond_identity().len() >= 4);
    for other in beyond_identity() {
        assert!(!text.contains(&other));
    }
    for (path, scope) in [("/v1/readers", "readers"), ("/v1/reads/0/portrait", "")] {
        let answer = get(&desk, path).await;
        if !scope.is_empty() {
            assert_eq!(answer.problem(), (403, "scope-missing".to_owned()), "{path}");
            assert!(answer.json()["detail"].as_str().unwrap().contains(scope));
        }
    }
}

#[tokio::test]
async fn what_dg1_has_costs_no_other_group() {
    let desk = desk(&[]).await;
    let wanted = value!({ "fields": ["number", "sex", "mrz_surname"], "portrait": false });
    let result = read(&desk, &wanted).await.json();
    assert_eq!(asked(&result), groups(&["EF.DG1"]));
    assert_eq!(told(&result), BTreeSet::from(["number", "sex", "mrz_surname"]));
    let whole = desk_card();
    for field in ["number", "sex"] {
        assert_eq!(result["record"][field]["value"], whole["record"][field]["value"], "{field}");
        assert_eq!(result["record"][field]["source"], "EF.DG1");
    }
    assert_eq!(result["verdict"]["summary"], whole["verdict"]["summary"]);

    let result = read(&desk, &value!({ "fields": ["residence"] })).await.json();
    assert_eq!(asked(&result), groups(&["EF.DG1", "EF.DG2", "EF.DG13"]));
    assert_eq!(told(&result), BTreeSet::from(["residence"]));
}

#[tokio::test]
async fn who_only_compares_needs_no_record() {
    let desk = desk(&[Scope::ReadId]).await;
    let number = value!({ "fields": [], "expect": { "number": "000000000000" } });
    let result = read(&desk, &number).await.json();
    assert_eq!(asked(&result), groups(&["EF.DG1"]));
    assert!(told(&result).is_empty());
    assert_eq!(result["expected"], value!({ "number": "mismatch" }));
    // Two digits of a year may be of either century: what has all four is read for it.
    let birth = value!({ "fields": [], "expect": { "birth": desk_card()["record"]["birth"]["iso"] } });
    let result = read(&desk, &birth).await.json();
    assert_eq!(asked(&result), groups(&["EF.DG1", "EF.DG13"]));
    assert_eq!(result["expected"], value!({ "birth": "match" }));
    let name = value!({ "fields": [], "expect": { "name": desk_card()["record"]["name"]["value"] } });
    let result = read(&desk, &name).await.json();
    assert_eq!(asked(&result), groups(&["EF.DG1", "EF.DG13"]));
    assert_eq!(result["expected"], value!({ "name": "match" }));
}

#[tokio::test]
async fn what_is_beyond_the_scopes_is_refused_and_nothing_is_read() {
    let face = desk(&[Scope::Photo]).await;
    for (wanted, scope) in [
        (value!({ "fields": ["number"] }), "read.id"),
        (value!({ "fields": ["residence"] }), "read.full"),
        (value!({ "fields": ["mother"] }), "read.family"),
        (value!({ "expect": { "birth": "1990" } }), "read.id"),
        (value!({ "biometrics": ["fingerprints"] }), "fingerprints"),
    ] {
        let answer = read(&face, &wanted).await;
        assert_eq!(answer.problem(), (403, "scope-missing".to_owned()), "{wanted}");
        assert!(answer.json()["detail"].as_str().unwrap().ends_with(scope), "{wanted}");
    }
    let result = read(&face, &value!({})).await;
    let location = result.header("location").to_owned();
    let result = result.json();
    assert_eq!(asked(&result), groups(&["EF.DG1", "EF.DG2"]));
    assert!(told(&result).is_empty());
    assert_eq!(get(&face, &format!("{location}/portrait")).await.status, StatusCode::OK);

    let number = desk(&[Scope::ReadId, Scope::Readers]).await;
    let answer = read(&number, &value!({ "portrait": true })).await;
    assert_eq!(answer.problem(), (403, "scope-missing".to_owned()));
    let result = read(&number, &value!({})).await;
    let location = result.header("location").to_owned();
    let answer = get(&number, &format!("{location}/portrait")).await;
    assert_eq!(answer.problem(), (403, "scope-missing".to_owned()));
    let answer = get(&number, &format!("{location}/evidence")).await;
    assert_eq!(answer.problem(), (403, "scope-missing".to_owned()));

    let nothing = desk(&[Scope::Readers]).await;
    assert_eq!(read(&nothing, &value!({})).await.problem(), (403, "scope-missing".to_owned()));
}

#[tokio::test]
async fn evidence_holds_no_group_with_more_in_it_than_its_taker_may_have() {
    for (scopes, fields, with_bytes) in [
        (vec![Scope::Evidence], None, vec![FileId::DG1, FileId::DG2, FileId::DG13]),
        (vec![Scope::Evidence, Scope::ReadFull, Scope::Photo], None, vec![FileId::DG1, FileId::DG2]),
        (vec![Scope::Evidence, Scope::ReadFull], None, vec![FileId::DG1]),
        (vec![Scope::Evidence, Scope::ReadId], None, vec![]),
        (vec![Scope::Evidence], Some(value!(["name"])), vec![FileId::DG2]),
    ] {
        let desk = desk(&scopes).await;
        let wanted = fields.map_or(value!({}), |fields| value!({ "fields": fields }));
        let location = read(&desk, &wanted).await.header("location").to_owned();
        let answer = get(&desk, &format!("{location}/evidence?groups=true")).await;
        assert_eq!(answer.status, StatusCode::OK);
        let opened = open(std::str::from_utf8(&answer.body).unwrap(), None).unwrap();
        for group in [FileId::DG1, FileId::DG2, FileId::DG13] {
            let expected = with_bytes.contains(&group);
            assert_eq!(opened.evidence.bytes(group).is_some(), expected, "{scopes:?} {wanted} {group}");
        }
        assert_eq!(opened.wrong_digest(), None);
        assert!(opened.evidence.bytes(FileId::EfSod).is_some());
    }
}

#[tokio::test]
async fn who_may_not_know_of_cards_hears_of_its_own_readings_only() {
    let blind = desk(&[Scope::ReadId]).await;
    let events = |desk: &Desk| {
        let request = empty(from(TOKEN, Method::GET, "/v1/events").header("last-event-id", "0"));
        let stream = desk.router();
        async move {
            let answer = tower::ServiceExt::oneshot(stream, request).await.unwrap();
            let mut body = answer.into_body().into_data_stream();
            let mut text = String::new();
            while !text.contains("read.completed") {
                let piece = cccd_patience::soon("the end of the reading", body.next()).await;
                text += std::str::from_utf8(&piece.unwrap().unwrap()).unwrap();
            }
            text
        }
    };
    read(&blind, &value!({})).await;
    let heard = events(&blind).await;
    assert!(heard.contains("read.queued"), "{heard}");
    assert!(!heard.contains("card.inserted") && !heard.contains("reader.attached"), "{heard}");

    let seeing = desk(&[Scope::ReadId, Scope::Presence]).await;
    read(&seeing, &value!({})).await;
    let heard = events(&seeing).await;
    assert!(heard.contains("card.inserted") && heard.contains("reader.attached"), "{heard}");
}

#[tokio::test]
async fn the_partial_result_keeps_to_the_fields_too() {
    let desk = desk(&[Scope::ReadId, Scope::Photo]).await;
    let location = read(&desk, &value!({})).await.header("location").to_owned();
    let partial = get(&desk, &format!("{location}/partial")).await;
    assert_eq!(partial.status, StatusCode::OK);
    assert_eq!(told(&partial.json()), BTreeSet::from(["number", "name", "birth"]));
    assert_eq!(FieldSet::ALL.iter().count(), 23);
}
