//! The committed description of the API, and that the API keeps to it.

use std::collections::BTreeSet;

use http::Method;
use serde_json::Value;

use crate::desk::{Desk, empty, from_nobody};

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs");

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

/// Whether an operation asks for a token, be it a caller's own or one that is signed.
fn wants_token(operation: &Value) -> bool {
    let wanted = &operation["security"][0];
    ["token", "signed_token", "proof"].iter().any(|scheme| wanted.get(scheme).is_some())
}

/// Fails where a file under docs is not what the code makes, after writing it anew where that is wished.
fn assert_committed(path: &str, made: &str) {
    let file = format!("{DOCS}/{path}");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, made).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == made,
        "docs/{path} is not what the code makes: look at the difference that \
         `UPDATE=1 cargo test -p cccd-api` writes, and commit it if it is meant"
    );
}

#[test]
fn the_committed_descriptions_are_those_the_code_makes() {
    assert_committed("openapi.json", &cccd_api::openapi_json());
    assert_committed("asyncapi.json", &cccd_api::asyncapi_json());
}

#[test]
fn the_committed_examples_are_those_the_code_makes_one_of_each() {
    let examples = cccd_api::examples();
    for (path, example) in &examples {
        let folder = std::path::Path::new(path).parent().unwrap();
        std::fs::create_dir_all(format!("{DOCS}/examples/{}", folder.display())).unwrap();
        assert_committed(&format!("examples/{path}"), example);
    }
    let made: BTreeSet<String> = examples.into_iter().map(|(path, _)| path).collect();
    let mut found = BTreeSet::new();
    for folder in ["events", "problems"] {
        for entry in std::fs::read_dir(format!("{DOCS}/examples/{folder}")).unwrap() {
            found.insert(format!("{folder}/{}", entry.unwrap().file_name().into_string().unwrap()));
        }
    }
    assert_eq!(found, made);
    let problems = made.iter().filter(|path| path.starts_with("problems/")).count();
    assert_eq!(problems, cccd_api::PROBLEMS.len());
}

/// Holds examples against the schemas of the committed descriptions (JSON Schema 2020-12).
struct Validator {
    schemas: boon::Schemas,
    compiler: boon::Compiler,
}

impl Validator {
    fn new() -> Self {
        let mut compiler = boon::Compiler::new();
        compiler.set_default_draft(boon::Draft::V2020_12);
        compiler.enable_format_assertions();
        for file in ["openapi.json", "asyncapi.json"] {
            let text = std::fs::read_to_string(format!("{DOCS}/{file}")).unwrap();
            compiler.add_resource(&format!("file:///{file}"), serde_json::from_str(&text).unwrap()).unwrap();
        }
        Self { schemas: boon::Schemas::new(), compiler }
    }

    /// Whether a value is what the schema at this place describes.
    fn check(&mut self, value: &Value, at: &str) -> Result<(), String> {
        let schema = self.compiler.compile(&format!("file:///{at}"), &mut self.schemas).unwrap();
        self.schemas.validate(value, schema).map_err(|error| error.to_string())
    }
}

#[test]
fn every_example_is_what_its_schema_describes() {
    let mut validator = Validator::new();
    let examples: Vec<(String, Value)> = cccd_api::examples()
        .into_iter()
        .map(|(path, text)| (path, serde_json::from_str(&text).unwrap()))
        .collect();
    for (path, example) in &examples {
        let name = path.split_once('/').unwrap().1.strip_suffix(".json").unwrap();
        let own = format!("asyncapi.json#/components/messages/{name}/payload");
        for schema in match path.starts_with("events/") {
            true => vec![own.as_str(), "openapi.json#/components/schemas/Event"],
            false => vec!["openapi.json#/components/schemas/Problem"],
        } {
            validator.check(example, schema).unwrap_or_else(|error| panic!("{path}: {error}"));
        }
    }
    // And it would be noticed: one member less, another type's name, a percent too many.
    let (_, progress) = examples.into_iter().find(|(path, _)| path == "events/read.progress.json").unwrap();
    let own = "asyncapi.json#/components/messages/read.progress/payload";
    for (member, wrong) in [("percent", Value::Null), ("percent", 101.into()), ("phase", "asleep".into())] {
        let mut spoilt = progress.clone();
        spoilt["data"][member] = wrong;
        assert!(validator.check(&spoilt, own).is_err(), "{spoilt}");
    }
    let mut renamed = progress.clone();
    renamed["type"] = "read.completed".into();
    assert!(validator.check(&renamed, own).is_err());
    let mut shorter = progress;
    shorter["data"].as_object_mut().unwrap().remove("read_id");
    assert!(validator.check(&shorter, own).is_err());
}

#[test]
fn the_description_of_events_is_asyncapi_3_and_every_reference_leads_somewhere() {
    let text = cccd_api::asyncapi_json();
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["asyncapi"], "3.0.0");
    for reference in text.split("\"$ref\": \"#").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(document.pointer(reference).is_some(), "{reference}");
    }
    let messages = document["channels"]["events"]["messages"].as_object().unwrap().len();
    assert_eq!(document["operations"]["events"]["messages"].as_array().unwrap().len(), messages);
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
        let guarded = wants_token(&operation);
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

#[test]
fn what_a_member_may_be_is_said_where_it_stands() {
    let document = serde_json::to_value(cccd_api::openapi()).unwrap();
    for (member, word, limit) in [
        ("LeaseRequest/properties/seconds", "minimum", Value::from(5)),
        ("LeaseRequest/properties/seconds", "maximum", 120.into()),
        ("ReadRequest/properties/nonce", "pattern", "^([0-9a-fA-F]{2}){8,64}$".into()),
        ("Expectation/properties/key", "pattern", "^([0-9a-fA-F]{2}){16,64}$".into()),
        ("Expectation/properties/birth_hmac", "pattern", "^[0-9a-fA-F]{64}$".into()),
    ] {
        let found = document.pointer(&format!("/components/schemas/{member}/{word}"));
        assert_eq!(found, Some(&limit), "{member}");
    }
}

#[tokio::test]
async fn every_operation_wants_a_token_exactly_where_it_says_so() {
    let desk = Desk::bare();
    for (method, path, operation) in operations() {
        let guarded = wants_token(&operation);
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
    let answer = desk.send(empty(from_nobody(Method::GET, "/v1/asyncapi.json"))).await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.body, cccd_api::asyncapi_json().as_bytes());
}

#[tokio::test]
async fn the_page_of_the_contract_has_a_style_and_may_have_nothing_else() {
    let desk = Desk::bare();
    let page = desk.send(empty(from_nobody(Method::GET, "/docs"))).await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(
        page.header("content-security-policy"),
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    assert_eq!(page.header("cache-control"), "no-store");
    let style = desk.send(empty(from_nobody(Method::GET, "/docs/style.css"))).await;
    assert_eq!(style.header("content-type"), "text/css; charset=utf-8");
    style.assert_guarded();
    assert!(String::from_utf8_lossy(&page.body).contains("href=\"/docs/style.css\""));
}
