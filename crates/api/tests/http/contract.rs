//! The committed description of the API, and that the API keeps to it.

use http::Method;
use serde_json::Value;

use crate::desk::{Desk, empty, from_nobody};

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");

/// Every operation: method, path, description.
fn operations() -> Vec<(Method, String, Value)> {
    let document: Value = serde_json::from_str(&cccd_api::openapi_json()).unwrap();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method = method.to_uppercase().parse().unwrap();
            operations.push((method, path.clone(), operation.clone()));
        }
    }
    assert!(operations.len() >= 12);
    operations
}

#[test]
fn the_committed_description_is_the_one_the_code_makes() {
    let made = cccd_api::openapi_json();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(COMMITTED, &made).unwrap();
    }
    let committed = std::fs::read_to_string(COMMITTED).unwrap_or_default();
    assert!(
        committed == made,
        "docs/openapi.json is not what the code makes: look at the difference that \
         `UPDATE=1 cargo test -p cccd-api` writes, and commit it if it is meant"
    );
}

#[test]
fn the_description_is_openapi_3_1_and_every_reference_leads_somewhere() {
    let text = cccd_api::openapi_json();
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let references = text.split("\"$ref\": \"#").skip(1);
    for reference in references.filter_map(|rest| rest.split('"').next()) {
        assert!(document.pointer(reference).is_some(), "{reference}");
    }
}

#[test]
fn every_operation_names_its_refusals() {
    for (method, path, operation) in operations() {
        let responses = operation["responses"].as_object().unwrap();
        let guarded = operation["security"][0].get("token").is_some();
        for (status, wanted) in [("421", true), ("403", true), ("401", guarded)] {
            assert_eq!(responses.contains_key(status), wanted, "{method} {path} {status}");
        }
        for (status, response) in responses.iter().filter(|(status, _)| status.as_str() >= "400") {
            assert!(response["content"]["application/problem+json"].is_object(), "{method} {path} {status}");
        }
    }
}

#[test]
fn every_number_has_its_bounds() {
    fn check(value: &Value, at: &str) {
        match value {
            Value::Object(members) => {
                let kind = &members.get("type").unwrap_or(&Value::Null);
                let is = |name: &str| {
                    *kind == name
                        || kind.as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == name))
                };
                if is("integer") || is("number") {
                    assert!(members.contains_key("minimum") && members.contains_key("maximum"), "{at}");
                }
                for (name, member) in members {
                    check(member, &format!("{at}/{name}"));
                }
            }
            Value::Array(items) => items.iter().for_each(|item| check(item, at)),
            _ => {}
        }
    }
    check(&serde_json::to_value(cccd_api::openapi()).unwrap(), "");
}

#[tokio::test]
async fn every_operation_wants_a_token_exactly_where_it_says_so() {
    let desk = Desk::bare();
    for (method, path, operation) in operations() {
        let guarded = operation["security"][0].get("token").is_some();
        let path = path.replace("{id}", &"0".repeat(32)).replace("{code}", "no-card");
        let answer = desk.send(empty(from_nobody(method.clone(), &path))).await;
        assert_eq!(answer.status.as_u16() == 401, guarded, "{method} {path}");
        if guarded {
            assert_eq!(answer.problem().1, "token-missing");
        }
    }
}

#[tokio::test]
async fn the_description_is_served_to_anyone() {
    let desk = Desk::bare();
    let answer = desk.send(empty(from_nobody(Method::GET, "/v1/openapi.json"))).await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.body, cccd_api::openapi_json().as_bytes());
}
