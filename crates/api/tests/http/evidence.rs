//! Evidence through HTTP.

use cccd_document::{FileId, ReadMark};
use cccd_evidence::{AgentKey, open};
use http::{Method, StatusCode};
use serde_json::json as value;

use crate::desk::{CLINIC, Desk, NOTARY, card, empty, from, json};

const NONCE: &str = "8f1d2c3b4a5968778695a4b3c2d1e0ff";

fn key() -> AgentKey {
    AgentKey::generate(&mut getrandom::SysRng).unwrap()
}

/// A desk with a card, read by the caller of this token; and the reading's address.
async fn read_by(token: &str, key: Option<AgentKey>) -> (Desk, String) {
    let desk = Desk::simulated();
    let desk = match key {
        Some(key) => desk.signing_with(key),
        None => desk,
    };
    let reader = desk.plug_in("Lane 0").await;
    desk.lay_card(&reader).await;
    let body = value!({ "access": { "can": card().can().unwrap() }, "nonce": NONCE });
    let ask = json(from(token, Method::POST, "/v1/reads").header("prefer", "wait=60"), &body);
    let answer = desk.send(ask).await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.json()["code"]);
    let location = answer.header("location").to_owned();
    (desk, location)
}

#[tokio::test]
async fn evidence_is_signed_by_the_machine_and_holds_the_callers_nonce() {
    let key = key();
    let key_id = key.key_id();
    let (desk, read) = read_by(NOTARY, Some(key)).await;
    let get = |query: &str| empty(from(NOTARY, Method::GET, &format!("{read}/evidence{query}")));

    let answer = desk.send(get("")).await;
    assert_eq!(answer.status, StatusCode::OK);
    answer.assert_guarded();
    assert_eq!(answer.header("content-type"), "application/jose");
    let without = open(std::str::from_utf8(&answer.body).unwrap(), Some(&key_id)).unwrap();
    assert_eq!(hex::encode(without.nonce().unwrap()), NONCE);
    assert!(read.ends_with(&without.read_id));
    assert_eq!(without.wrong_digest(), None);
    // The reader is software, and nobody is to take this for a person's card.
    assert_eq!(without.mark, ReadMark::Simulated);
    let result = desk.send(empty(from(NOTARY, Method::GET, &format!("{read}/result")))).await;
    assert_eq!(result.json()["simulated"], true);
    assert!(without.digests.contains_key(&FileId::DG13));
    assert!(without.evidence.bytes(FileId::DG13).is_none());

    let answer = desk.send(get("?groups=true")).await;
    let with = open(std::str::from_utf8(&answer.body).unwrap(), Some(&key_id)).unwrap();
    assert!(with.evidence.bytes(FileId::DG13).is_some() && with.digests.is_empty());
    let answer = desk.send(get("?groups=yes")).await;
    assert_eq!(answer.problem(), (400, "parameter-invalid".to_owned()));
}

#[tokio::test]
async fn without_the_scope_there_is_no_evidence() {
    let (desk, read) = read_by(CLINIC, Some(key())).await;
    let answer = desk.send(empty(from(CLINIC, Method::GET, &format!("{read}/evidence")))).await;
    assert_eq!(answer.problem(), (403, "scope-missing".to_owned()));
    // And none of another caller's reading with it.
    let answer = desk.send(empty(from(NOTARY, Method::GET, &format!("{read}/evidence")))).await;
    assert_eq!(answer.problem(), (404, "read-not-found".to_owned()));
}

#[tokio::test]
async fn a_machine_without_a_key_says_so() {
    let (desk, read) = read_by(NOTARY, None).await;
    let answer = desk.send(empty(from(NOTARY, Method::GET, &format!("{read}/evidence")))).await;
    assert_eq!(answer.problem(), (503, "evidence-unavailable".to_owned()));
}

#[tokio::test]
async fn a_nonce_is_hexadecimal_and_of_a_length_that_means_something() {
    let desk = Desk::simulated();
    desk.plug_in("Lane 0").await;
    for nonce in
        [value!(""), value!("00112233445566"), value!("zz112233445566778899"), value!(5), value!(null)]
    {
        let body = value!({ "access": { "can": "123456" }, "nonce": nonce });
        let answer = desk.send(json(from(CLINIC, Method::POST, "/v1/reads"), &body)).await;
        assert_eq!(answer.problem(), (400, "body-invalid".to_owned()), "{nonce}");
    }
}
