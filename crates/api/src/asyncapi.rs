//! The description of the events, generated from the code that tells them (AsyncAPI 3.0).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use utoipa::{PartialSchema, ToSchema};

use crate::examples;
use crate::wire::EventJson;

/// The description, as served at `/v1/asyncapi.json`.
pub fn asyncapi() -> Value {
    let examples = examples::events();
    let names: Vec<&str> = examples.iter().map(|event| event.kind.as_str()).collect();
    let refer = |to: &str, name: &str| json!({ "$ref": format!("#/{to}/{name}") });
    let in_channel: Map<String, Value> =
        names.iter().map(|name| ((*name).to_owned(), refer("components/messages", name))).collect();
    let in_operation: Vec<Value> = names.iter().map(|name| refer("channels/events/messages", name)).collect();
    let messages: Map<String, Value> =
        examples.iter().map(|event| (event.kind.as_str().to_owned(), message(event))).collect();
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "cccd-agent events",
            // The contract's version, as in the description of the API.
            "version": "1.0.0",
            "description": DESCRIPTION,
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "defaultContentType": "application/json",
        "servers": {
            "local": {
                "host": "127.0.0.1:9303",
                "protocol": "http",
                "description": "The agent on this machine.",
                "security": [{ "$ref": "#/components/securitySchemes/token" }],
            },
        },
        "channels": {
            "events": {
                "address": "/v1/events",
                "description": "Server-sent events (HTML, 9.2).",
                "messages": in_channel,
            },
        },
        "operations": {
            "events": {
                "action": "send",
                "channel": { "$ref": "#/channels/events" },
                "summary": "Tells what happens, as it happens.",
                "bindings": { "http": { "method": "GET" } },
                "messages": in_operation,
            },
        },
        "components": {
            "messages": messages,
            "schemas": schemas(),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The token that `cccd-agent token` made for this caller.",
                },
            },
        },
    })
}

/// The same as text: pretty, and the same from build to build.
pub fn asyncapi_json() -> String {
    let mut text = serde_json::to_string_pretty(&in_order(asyncapi())).unwrap_or_default();
    text.push('\n');
    text
}

/// The members of every object by name, however this build of `serde_json` keeps them.
fn in_order(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members: BTreeMap<String, Value> =
                members.into_iter().map(|(name, member)| (name, in_order(member))).collect();
            Value::Object(members.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(in_order).collect()),
        other => other,
    }
}

const DESCRIPTION: &str = "What happens at this desk: readers, cards, scanners and the caller's own readings. No event says \
    anything about a person; what is to be had is fetched by whoever may have it (openapi.json).\n\n\
    GET /v1/events answers with a stream without end. Each message's `event` is the event's type, its `id` the event's number, \
    its `data` one Event. A listener that comes back with `Last-Event-ID` hears first what it missed, and `events.missed` where \
    that is not known for certain to be all. A comment comes every 15 seconds. Types are added: pass over those you do not know.";

/// One type of event: the shape of all, narrowed to what this one always has.
fn message(event: &EventJson) -> Value {
    let name = event.kind.as_str();
    let example = serde_json::to_value(event).unwrap_or_default();
    let members = |value: &Value| -> Vec<String> {
        let names: BTreeSet<String> =
            value.as_object().map(|members| members.keys().cloned().collect()).unwrap_or_default();
        names.into_iter().collect()
    };
    let in_data = members(example.pointer("/data").unwrap_or(&Value::Null));
    // What it always has is never null, though the shape of all events must allow that.
    let given: Map<String, Value> =
        in_data.iter().map(|name| (name.clone(), json!({ "not": { "type": "null" } }))).collect();
    json!({
        "name": name,
        "title": name,
        "summary": event.kind.about(),
        "contentType": "application/json",
        "payload": {
            "allOf": [
                { "$ref": "#/components/schemas/Event" },
                {
                    "type": "object",
                    "required": members(&example),
                    "properties": {
                        "type": { "const": name },
                        "data": { "type": "object", "required": in_data, "properties": given },
                    },
                },
            ],
        },
        "examples": [{ "payload": example }],
    })
}

fn schemas() -> Map<String, Value> {
    let mut schemas = vec![(EventJson::name().into_owned(), EventJson::schema())];
    EventJson::schemas(&mut schemas);
    let mut named: Vec<_> = schemas
        .into_iter()
        .map(|(name, schema)| (name, serde_json::to_value(schema).unwrap_or_default()))
        .collect();
    named.sort_by(|(one, _), (other, _)| one.cmp(other));
    named.into_iter().collect()
}
